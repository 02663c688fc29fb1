"""What the track of a vehicle shows of a dispatch: that it has left, that it is back and stands, that it was at a place.

It only proposes: people confirm. Drift is no departure: a vehicle has left when it was outside of its fence, or, where it has none, further
than ``location.min_displacement_m`` from where it stood. Only valid fixes count, as for the rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import shapely

from registry.fences import read_fences
from registry.parameters import ParameterRow, max_age_us, resolve
from registry.places import Place, stored_places
from registry.terminals import spans_of_vehicle
from runtime.arrays import Bools, Ints
from runtime.connection import Connection
from runtime.units import from_us, to_us
from telemetry.archive.read import PositionReader
from telemetry.geo import distance_mm

#: Where it stood before is looked for so far back.
_BEFORE: Final = timedelta(hours=1)
#: A departure so long before the planned one is one for it.
EARLY: Final = timedelta(minutes=15)
#: No dispatch is looked at over more than that.
_MOST: Final = timedelta(days=35)


@dataclass(frozen=True, slots=True)
class Fixes:
    """Valid fixes of a vehicle, oldest first: microseconds since 1970 UTC and 1e-6 degree, int64 of shape (n,)."""

    t_us: Ints
    lat_e6: Ints
    lon_e6: Ints

    def __len__(self) -> int:
        return len(self.t_us)


async def fixes_of(
    connection: Connection, vehicle: str, since: datetime, until: datetime, rows: Sequence[ParameterRow]
) -> Fixes:
    """The valid fixes of a vehicle within [since, until)."""
    reader = PositionReader()
    reader.max_age_us = max_age_us(rows)
    since = max(since, until - _MOST)
    found = await spans_of_vehicle(connection, vehicle, since, until) or []
    track = await reader.track(connection, [(no, to_us(a), to_us(b)) for no, _, a, b in found])
    good = track.quality == 0
    batch = track.batch
    return Fixes(batch.device_us[good], batch.lat_e6[good], batch.lon_e6[good])


async def fence_of(connection: Connection, vehicle: str, organisation: str, at: datetime) -> Any:
    """Where a vehicle stands when it does not drive (shapely, WGS-84); None: it has no fence. Its own fences, else those of its unit."""
    versions = await read_fences(
        connection,
        "WHERE organisation = $2 AND (vehicles = '{}' OR $1 = ANY (vehicles)) AND valid_from <= $3"
        " AND (valid_to IS NULL OR valid_to > $3)",
        vehicle,
        organisation,
        at,
    )
    own = [version for version in versions if vehicle in version.vehicles] or versions
    return shapely.union_all([shapely.from_wkb(version.wkb) for version in own]) if own else None


def at_base(fixes: Fixes, fence: Any, base: int, min_m: int) -> Bools:
    """Which fixes are where the vehicle belongs: in the fence, or within ``min_m`` of fix ``base``. Shape (n,)."""
    if fence is not None:
        shapely.prepare(fence)
        inside: Bools = shapely.contains_xy(fence, fixes.lon_e6 / 1e6, fixes.lat_e6 / 1e6)
        # A fix at the wall is inside for who looks for a departure: drift is no drive.
        near = ~inside
        if near.any():
            degrees = min_m / 111_000
            points = shapely.points(fixes.lon_e6[near] / 1e6, fixes.lat_e6[near] / 1e6)
            inside[near] = shapely.distance(fence, points) <= degrees
        return inside
    count = len(fixes)
    far_mm = distance_mm(
        np.full(count, fixes.lat_e6[base]), np.full(count, fixes.lon_e6[base]), fixes.lat_e6, fixes.lon_e6
    )
    close: Bools = far_mm <= min_m * 1000
    return close


@dataclass(frozen=True, slots=True)
class Shown:
    """``seen``: there are fixes from the planned departure on; ``left_at``, ``back_at``: as the track shows it, None = it does not."""

    seen: bool
    left_at: datetime | None = None
    back_at: datetime | None = None


def look(fixes: Fixes, fence: Any, since: datetime, min_m: int, stand_min: int) -> Shown:
    """What ``fixes`` show of a vehicle that was to leave at ``since``. Back is it when it has been away, and its fixes were at its base for
    ``stand_min`` minutes up to the last one."""
    if not len(fixes):
        return Shown(False)
    since_us = to_us(since)
    seen = bool((fixes.t_us >= since_us).any())
    before = np.flatnonzero(fixes.t_us < since_us)
    base = int(before[-1]) if len(before) else 0
    home = at_base(fixes, fence, base, min_m)
    left = _left(fixes.t_us, home, since_us)
    if left is None:
        return Shown(seen)
    left_at = from_us(int(fixes.t_us[left]))
    last = int(np.flatnonzero(~home)[-1])
    if last + 1 >= len(fixes):
        return Shown(seen, left_at)
    began = int(fixes.t_us[last + 1])
    if int(fixes.t_us[-1]) - began < stand_min * 60_000_000:
        return Shown(seen, left_at)
    return Shown(seen, left_at, from_us(began))


def _left(t_us: Ints, home: Bools, since_us: int) -> int | None:
    """The fix with which it left for a departure at ``since_us``: the first one away after one at home, not long before. Who comes back
    from the trip before has not left for this one. Where no such fix was seen and it is away now: the first one that is."""
    start = since_us - to_us_of(EARLY)
    gone = np.flatnonzero(home[:-1] & ~home[1:] & (t_us[1:] >= start)) + 1
    if len(gone):
        return int(gone[0])
    away = np.flatnonzero(~home & (t_us >= since_us))
    return int(away[0]) if len(away) and not home[-1] else None


def to_us_of(span: timedelta) -> int:
    """A span in microseconds."""
    return span // timedelta(microseconds=1)


async def shown(
    connection: Connection, vehicle: str, organisation: str, departure: datetime, now: datetime, stand_min: int, rows: Sequence[ParameterRow]
) -> Shown:  # fmt: skip
    """What the track shows of a dispatch from ``departure`` on."""
    min_m = resolve("location", organisation, to_us(now), rows)["min_displacement_m"]
    fixes = await fixes_of(connection, vehicle, departure - _BEFORE, now, rows)
    return look(fixes, await fence_of(connection, vehicle, organisation, now), departure, min_m, stand_min)


async def reached(
    connection: Connection, vehicle: str, since: datetime, until: datetime, places: Sequence[Mapping[str, Any]],
    organisation: str, rows: Sequence[ParameterRow],
) -> list[int]:  # fmt: skip
    """Which of ``places`` the vehicle has been at within [since, until): within ``destination.radius_m``. Not seen is not been there."""
    fixes = await fixes_of(connection, vehicle, since, until, rows)
    if not len(fixes):
        return []
    radius_mm = resolve("destination", organisation, to_us(until), rows)["radius_m"] * 1000
    found = []
    for number, place in enumerate(stored_places([Place.model_validate(place) for place in places])):
        at = place["wgs84"]
        if at is None:
            continue
        count = len(fixes)
        far_mm = distance_mm(
            np.full(count, at["lat_e6"]), np.full(count, at["lon_e6"]), fixes.lat_e6, fixes.lon_e6
        )
        if bool((far_mm <= radius_mm).any()):
            found.append(number)
    return found
