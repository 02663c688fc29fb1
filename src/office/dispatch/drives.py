"""What a driver has driven: his dispatches that are back, and when the vehicles drove as their tracks show."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from office.dispatch.driving import MOST_S, REST_S, Stretch, pieces, stretches
from office.dispatch.planner.travel import seconds_of
from registry.parameters import ParameterRow, max_age_us
from registry.terminals import spans_of_vehicle
from runtime.arrays import Ints
from runtime.connection import Connection
from runtime.units import to_us
from telemetry.archive.read import PositionReader

#: A dispatch that was out for longer is not looked at over all of it.
_MOST: Final = timedelta(days=7)
#: How far back tired drivers are looked at, and how many of them at once.
_LOOK_BACK: Final = timedelta(hours=12)
_TIRED_MOST: Final = 20
_MILEAGE: Final = (
    "(SELECT r.mileage_mm FROM order_results r WHERE r.order_id = d.id ORDER BY r.order_version DESC LIMIT 1)"
)
_DRIVE: Final = "d.id, d.number, d.organisation, d.vehicle, d.plate, d.driver, d.planned_departure AS planned, d.actual_departure AS departed, d.actual_return AS returned"


@dataclass(frozen=True, slots=True)
class Drive:
    """A dispatch that is back. ``planned``: when it was to leave."""

    id: str
    number: str
    organisation: str
    vehicle: str
    plate: str
    driver: str
    planned: datetime
    departed: datetime
    returned: datetime


@dataclass(frozen=True, slots=True)
class Speeds:
    """Valid fixes of a drive, oldest first: microseconds since 1970 UTC, and 0.1 km/h, int64 of shape (n,)."""

    t_us: Ints
    dkmh: Ints


async def drives_of(connection: Connection, driver: str, since: datetime, until: datetime) -> list[Drive]:
    """The dispatches with which a driver left within [since, until) and came back, by departure."""
    rows = await connection.fetch(
        f"SELECT {_DRIVE} FROM trip_dispatches d WHERE d.driver = $1 AND d.state = 'returned' AND d.actual_departure >= $2 AND d.actual_departure < $3"  # noqa: S608 - constants
        " ORDER BY d.actual_departure, d.id",
        driver, since, until,
    )  # fmt: skip
    return [Drive(**dict(row)) for row in rows]


async def speeds_of(connection: Connection, drive: Drive, rows: Sequence[ParameterRow]) -> Speeds:
    """How fast the vehicle was while he had it."""
    reader = PositionReader()
    reader.max_age_us = max_age_us(rows)
    since = max(drive.departed, drive.returned - _MOST)
    spans = await spans_of_vehicle(connection, drive.vehicle, since, drive.returned) or []
    track = await reader.track(connection, [(no, to_us(a), to_us(b)) for no, _, a, b in spans])
    good = track.quality == 0
    return Speeds(track.batch.device_us[good], track.batch.speed_dkmh[good].astype(np.int64))


async def back_today(
    connection: Connection, drivers: Collection[str], since: datetime
) -> dict[str, list[tuple[int, int, int]]]:
    """(departed, returned, seconds of driving) of what ``drivers`` brought back since ``since``, in seconds since 1970: by the distance that was settled, as the planner
    measures ways. One of which that is not known yet is left out."""
    rows = await connection.fetch(
        f"SELECT d.driver, d.actual_departure AS departed, d.actual_return AS returned, {_MILEAGE} AS mm FROM trip_dispatches d"  # noqa: S608 - constants
        " WHERE d.driver = ANY($1::text[]) AND d.state = 'returned' AND d.actual_departure > $2::timestamptz - interval '2 days' AND d.actual_return > $2"
        " ORDER BY d.driver, d.actual_return",
        sorted(drivers), since,
    )  # fmt: skip
    found: dict[str, list[tuple[int, int, int]]] = {}
    for row in rows:
        if row["mm"] is not None:
            begin, end = int(row["departed"].timestamp()), int(row["returned"].timestamp())
            found.setdefault(row["driver"], []).append((begin, end, min(seconds_of(row["mm"] // 1_000_000), end - begin)))  # fmt: skip
    return found


async def tired(
    connection: Connection, drivers: Collection[str], since: datetime, until: datetime, rows: Sequence[ParameterRow]
) -> dict[str, int]:  # fmt: skip
    """Until when those of ``drivers`` have to rest who came back within [since, until) and had driven for four hours at a stretch: seconds since 1970, by driver."""
    back = await connection.fetch(
        "SELECT DISTINCT driver FROM trip_dispatches WHERE driver = ANY($1::text[]) AND state = 'returned' AND actual_departure > $2::timestamptz - interval '2 days'"
        " AND actual_return >= $2 AND actual_return < $3 ORDER BY driver LIMIT $4",
        sorted(drivers), since, until, _TIRED_MOST,
    )  # fmt: skip
    found = {}
    for row in back:
        driven = await stretches_of(connection, row["driver"], since - _LOOK_BACK, until, rows)
        if driven and driven[-1].driven_s >= MOST_S:
            found[row["driver"]] = driven[-1].until_s + REST_S
    return found


async def stretches_of(
    connection: Connection, driver: str, since: datetime, until: datetime, rows: Sequence[ParameterRow]
) -> list[Stretch]:
    """What a driver drove at a stretch with the dispatches that left within [since, until) and are back."""
    return (await driven(connection, await drives_of(connection, driver, since, until), rows))[0]


async def driven(
    connection: Connection, drives: Sequence[Drive], rows: Sequence[ParameterRow]
) -> tuple[list[Stretch], int]:
    """What was driven at a stretch with ``drives``, and of how many of them there is no track."""
    found, unseen = [], 0
    for drive in drives:
        speeds = await speeds_of(connection, drive, rows)
        unseen += not len(speeds.t_us)
        found.append((drive.number, pieces(speeds.t_us, speeds.dkmh)))
    return stretches(found), unseen
