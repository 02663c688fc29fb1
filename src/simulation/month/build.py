"""Puts a scenario together: units, shared vehicles, every plant, ordinary days for the rest, and the reports of all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Final

import numpy as np

from runtime.errors import ConfigurationError
from simulation.city.roads import build_network
from simulation.plants import (
    catalogue,
    month_cards,
    month_days,
    month_drivers,
    month_nights,
    month_orders,
    month_routes,
    month_seals,
    month_tanks,
    month_trips,
)
from simulation.plants.cars import Car, reports_of
from simulation.plants.planner import DAY, MIN, PER_UNIT, Planner
from simulation.plants.world import World
from telemetry.positions import PositionBatch

Progress = Callable[[str, int, int], None]

#: A month with a week of holidays and a Saturday that is worked.
MONTH: Final = date(2025, 10, 1)
#: One set of the plants on shared vehicles is planted for so many vehicles.
SHARED_FOR: Final = 60
#: Vehicles that the plants with vehicles of their own and one set of the others need.
LEAST: Final = 37
#: The city is the same for every seed; what happens in it is not.
CITY_SEED, CITY_SIZE = 7, 21
#: Reports are judged, statements are in, months are settled: so long after the month.
AFTER_S: Final = 12 * DAY
#: How much of its working days an ordinary vehicle is out.
OUT_SHARE: Final = 0.6


def build_world(
    seed: int, vehicles: int = 854, month: date = MONTH, *, ordinary: float = 1.0, progress: Progress | None = None
) -> World:  # fmt: skip
    """The scenario of a seed; the same arguments give the same world.

    ``vehicles``: with a terminal, at least LEAST. ``month``: its first day; it needs published holidays, a worked
    Saturday or Sunday, and 31 days. ``ordinary``: how much of the ordinary driving is there, 0 to 1 (tests leave it
    out). Raises ConfigurationError.
    """
    say = progress or (lambda _what, _done, _all: None)
    p = _planner(seed, vehicles, month)
    for _ in range(2):
        p.unit()
    _shared(p, max(1, vehicles // SHARED_FOR))
    once = [*month_trips.ONCE, *month_days.ONCE, *month_cards.ONCE, *month_drivers.ONCE, *month_tanks.ONCE]
    for k, plant in enumerate(once):
        say("plants", k, len(once))
        p.kind = plant.__name__
        plant(p)
    sets = max(1, vehicles // SHARED_FOR)
    for k in range(sets):
        say("sets of plants", k, sets)
        _plant_set(p)
    own = sum(bool(c.terminals) for c in p.cars)
    if own > vehicles:
        raise ConfigurationError(
            f"{vehicles} 辆放不下所有情形 · the plants need {own} vehicles", hint=f"--vehicles {own}"
        )
    _rest(p, vehicles - own, ordinary, say)
    return _finished(p, vehicles, say)


def _planner(seed: int, vehicles: int, month: date) -> Planner:
    if not 0 <= seed < 10**6 or not 1 <= vehicles <= 20_000 or month.day != 1:
        raise ConfigurationError("seed 0..999999, vehicles 1..20000, the month by its first day")
    p = Planner(seed, month, build_network(CITY_SEED, size=CITY_SIZE))
    worked = p.workdays()
    if (
        len(worked) < 12
        or not p.moved_workdays()
        or len(p.rest_days()) < 8
        or (month + _DAYS_30).month != month.month
    ):
        raise ConfigurationError(
            f"{month:%Y-%m} 不适合：须有 31 天、已公布节假日并含调休上班日 · the month needs 31 days, published holidays and a"
            " worked weekend day",
            hint="2025-10",
        )  # fmt: skip
    p.office_day = worked[5]
    p.judged_s = p.at(1) + 31 * DAY + AFTER_S
    p.enter(
        p.at(p.office_day) + 3 * DAY, "calendar-days",
        {"id": p.iso(p.office_day), "workday": False, "name": "单位活动日", "source": "办公室通知"},
    )  # fmt: skip
    return p


_DAYS_30: Final = date(2000, 1, 31) - date(2000, 1, 1)


def _shared(p: Planner, sets: int) -> None:
    """Vehicles on which plants take turns, a day each: seven for a set, in units of their own but for the first."""
    for k in range(7 * sets):
        if k >= PER_UNIT and k % PER_UNIT == 0:
            p.unit()
        unit = p.organisations[0] if k < PER_UNIT else p.organisations[-1]
        p.shared.append(p.car(unit))


def _plant_set(p: Planner) -> None:
    for shared in catalogue.IN_MONTH:
        p.kind = shared.name
        month_trips.activity(p, shared.name)
    for plant in (
        *month_trips.KINDS, *month_days.KINDS, *month_orders.KINDS, *month_seals.KINDS, *month_nights.KINDS,
        *month_routes.KINDS,
    ):  # fmt: skip
        p.kind = plant.__name__
        plant(p)


def _rest(p: Planner, count: int, ordinary: float, say: Progress) -> None:
    """Ordinary vehicles: an order on most working days, and a fill on the way now and then."""
    if not count:
        return
    nodes = p.network.nodes
    inner = np.flatnonzero(np.hypot(nodes[:, 0], nodes[:, 1]) < 0.7 * np.abs(nodes).max())
    crossings = p.rng.choice(inner, 12, replace=False).tolist()
    stations = {int(node): p.station(int(node)) for node in crossings}
    p.kind = "ordinary"
    for k in range(count):
        if k % PER_UNIT == 0:
            unit = p.unit()
            targets = p.rng.choice(inner, 8, replace=False).tolist()
        say("ordinary vehicles", k, count)
        car = p.car(unit)
        card = p.card(car)
        for day in p.workdays():
            if p.rng.random() < OUT_SHARE * ordinary:
                _ordinary(p, car, card, day, [int(t) for t in targets], stations)


def _ordinary(
    p: Planner, car: Car, card: str, day: int, targets: list[int], stations: dict[int, str]
) -> None:
    errand = p.errand(car, p.at(day, p.rng.uniform(8.5, 15.5)))
    errand.wait(3, 5)
    leave = errand.timeline.now - 40
    target = int(p.rng.choice(targets))
    stops, here = [target], target
    errand.out(target)
    errand.wait(8, 20)
    filled = None
    if p.rng.random() < 0.15:
        here = int(p.rng.choice(list(stations)))
        errand.to(target, here)
        stops.append(here)
        filled = errand.timeline.now + 2 * MIN
        errand.wait(5, 7)
    errand.home(here)
    errand.timeline.park(errand.timeline.now + MIN)
    back = errand.timeline.now - 20
    p.done(car, errand)
    places = [p.place(s, f"目的地{k + 1}") for k, s in enumerate(stops)]
    p.order(car, leave, back, places, origin=p.place(p.organisation(car).gate, "单位"))
    if filled is not None:
        p.fill(card, filled, stations[here], 30_000 + int(p.rng.integers(20_000)))


def _finished(p: Planner, vehicles: int, say: Progress) -> World:
    phones = [phone for car in p.cars for phone, _, _ in car.terminals]
    index = {phone: k for k, phone in enumerate(phones)}
    parts = []
    for k, car in enumerate(p.cars):
        if car.terminals:
            say("reports", k, len(p.cars))
            parts.append(reports_of(car, index, np.random.default_rng([p.seed, 13, k])))
    reports = PositionBatch.concat(parts)
    reports = reports.take(np.lexsort((reports.device_us, reports.terminal, reports.received_us)))
    facts = sorted(p.facts, key=lambda f: f.at_s)  # stable: versions stay in order
    return World(
        p.seed, p.month, p.network, p.at(1), p.at(1) + 31 * DAY, p.judged_s, vehicles, facts, phones, reports, p.labels
    )  # fmt: skip


__all__ = ["LEAST", "MONTH", "build_world"]
