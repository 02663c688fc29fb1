"""What keeps vehicles and drivers from being sent, of many at once, as the planner is told it. ``vehicles.fit`` judges the one that is chosen, once more."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from office.dispatch.planner.facts import Busy
from office.dispatch.planner.reasons import Why
from registry.duty import leaves_within, rosters_of
from registry.licences import classes_for
from registry.particulars import carries_of
from registry.shifts import merged, midnight_s
from registry.vehicle_papers import classes_held, lapsed_drivers, lapsed_vehicles, trip_days
from runtime.connection import Connection

#: After every trip, in seconds since 1970.
_FOREVER_S: Final = 1 << 40


@dataclass(frozen=True, slots=True)
class Fitness:
    """``cars`` and ``drivers``: id -> the times within which it cannot be sent. ``wanted``: vehicle -> classes of which its driver needs one; ``seats``: vehicle -> with the driver's; ``held``: driver -> his classes; ``duty``: driver -> when he works. Who is
    not named: nothing is known against it."""

    cars: dict[str, list[Busy]]
    drivers: dict[str, list[Busy]]
    wanted: dict[str, frozenset[str]]
    seats: dict[str, int]
    held: dict[str, frozenset[str]]
    duty: dict[str, tuple[tuple[int, int], ...]]


async def fitness(
    connection: Connection, vehicles: Collection[str], drivers: Collection[str], since: datetime, until: datetime, end_s: int
) -> Fitness:  # fmt: skip
    """Of ``vehicles`` and ``drivers``, for trips within [since, until). What has no end lasts until ``end_s``."""
    first, last = trip_days(since, until)
    cars = _spans(await lapsed_vehicles(connection, vehicles, first, last), Why.PAPERS, end_s)
    for vehicle in await _in_shop(connection, vehicles):
        cars.setdefault(vehicle, []).append(Busy(int(since.timestamp()), end_s, Why.REPAIR))
    known = await carries_of(connection, vehicles)
    wanted = {id: frozenset(classes_for(one.body, automatic=one.automatic)) for id, one in known.items() if one.body}  # fmt: skip
    seats = {id: one.seats for id, one in known.items() if one.seats}
    lapsed = _spans(await lapsed_drivers(connection, drivers, first, last), Why.LICENCE, end_s)
    for driver, begins, ends in await leaves_within(connection, drivers, since, until):
        away = Busy(int(begins.timestamp()), int(ends.timestamp()), Why.DRIVER_LEAVE)
        lapsed.setdefault(driver, []).append(away)
    rosters = await rosters_of(connection, drivers, first, last)
    # Days that nobody asks about are not judged: what was told for them stays.
    around = ((0, midnight_s(first)), (midnight_s(last + timedelta(days=1)), _FOREVER_S))
    duty = {id: merged((*around, *spans)) for id, one in rosters.items() if (spans := one.spans(first, last)) is not None}  # fmt: skip
    return Fitness(cars, lapsed, wanted, seats, await classes_held(connection, drivers, first, last), duty)


def _spans(lapses: Sequence[tuple[str, date, date | None]], why: Why, end_s: int) -> dict[str, list[Busy]]:
    found: dict[str, list[Busy]] = {}
    for id, begins, ends in lapses:
        found.setdefault(id, []).append(
            Busy(midnight_s(begins), end_s if ends is None else midnight_s(ends), why)
        )
    return found


async def _in_shop(connection: Connection, vehicles: Collection[str]) -> list[str]:
    rows = await connection.fetch(
        "SELECT id FROM unnest($1::text[]) AS id WHERE vehicle_in_shop(id) IS NOT NULL", sorted(vehicles)
    )
    return [row["id"] for row in rows]
