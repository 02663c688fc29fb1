"""Plants of ``route``, one function a kind: who drives elsewhere than designated, and who does not. See docs/scenario.md."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rules.checks import route
from simulation.plants.cars import Car
from simulation.plants.month_days import drive_out
from simulation.plants.planner import MIN, Planner
from simulation.plants.world import NONE, NORMAL, SUSPECTED


def _driven(p: Planner, hour: float) -> tuple[Car, int, int, list[tuple[int, int]]]:
    """A drive to one place and back: whose, from when to when, and where it was reported."""
    car, day = p.slot(p.workdays())
    leave, back = drive_out(p, car, p.at(day, hour))
    piece = car.pieces[-1]
    on_way = (piece.time_s >= leave) & (piece.time_s <= back)
    return (
        car,
        leave,
        back,
        list(zip(piece.lat_e6[on_way].tolist(), piece.lon_e6[on_way].tolist(), strict=True)),
    )


def _order(p: Planner, car: Car, leave: int, back: int, line: list[tuple[int, int]]) -> str:
    way: list[dict[str, Any]] = [p.place(point, "途经") for point in line]
    p.expect("location", NONE, vehicle=car.id, from_s=leave, to_s=back)
    return p.order(car, leave, back + MIN, route=way)


def off_the_route(p: Planner) -> None:
    """To the one side, where the order designates the way to the other."""
    car, leave, back, places = _driven(p, 10)
    start = places[0]
    far = max(places, key=lambda one: abs(one[0] - start[0]) + abs(one[1] - start[1]))
    mirrored = (2 * start[0] - far[0], 2 * start[1] - far[1])
    id = _order(p, car, leave, back, [start, mirrored])
    p.expect("route", SUSPECTED, route.subject(id), reason="left", severity="medium")


def as_designated(p: Planner) -> None:
    """There and back, as the order draws it."""
    car, leave, back, places = _driven(p, 14)
    chosen = np.linspace(0, len(places) - 1, min(len(places), 120)).astype(int).tolist()
    id = _order(p, car, leave, back, [places[k] for k in chosen])
    p.expect("route", NORMAL, route.subject(id), reason="followed")


KINDS: tuple[Callable[[Planner], None], ...] = (off_the_route, as_designated)
