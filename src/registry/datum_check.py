"""Whether a terminal sends GCJ-02 or BD-09 for WGS-84, by where its car stands at night. Told and proposed, never assumed.

A car that spends its nights in its unit's yard is always the same some hundred metres beside it when its coordinates are of another datum,
and in it when they are read so. That the fence itself was drawn in another datum than was said looks the same: so another car of the same
fence has to stand in it as it says. Where there is none nothing is proposed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

import numpy as np
import shapely

from registry.fences import read_fences
from runtime.arrays import Ints
from runtime.connection import Connection
from runtime.units import CHINA_OFFSET_US, US_PER_DAY, US_PER_S, to_us
from telemetry.archive.put_right import DATUMS
from telemetry.archive.read import PositionReader, Track
from telemetry.geo import Datum, to_wgs84
from telemetry.terminals import notices

#: Nights that are looked at, and how many there have to be.
NIGHTS: Final = 30
LEAST_NIGHTS: Final = 5
#: Of another car, in the fence as it says.
LEAST_OTHERS: Final = 3
MOST_OTHERS: Final = 10
#: Hours of China's clock in which a car stands, and how far apart its fixes of a night may be, 1e-6 degree.
_FROM_US, _TO_US = 3600 * US_PER_S, 5 * 3600 * US_PER_S
_SPREAD_E6: Final = 1_000
#: Per cent of the nights: nearly all, hardly any.
_NEARLY_ALL, _HARDLY_ANY = 90, 10

Verdict = Literal["right", "gcj02", "bd09", "few_nights", "no_fence", "unclear", "fence_unproved"]


@dataclass(frozen=True, slots=True)
class Finding:
    """``nights``: how many there are; ``inside``: in how many the car was in its fence, by each datum; ``others``: nights of other cars in
    the same fence, as they say."""

    verdict: Verdict
    nights: int = 0
    inside: Mapping[str, int] = field(default_factory=dict)
    others: int = 0


def places_of_nights(track: Track) -> dict[int, tuple[Ints, Ints]]:
    """By terminal: latitude and longitude (1e-6 degree) where it stood, one of each night. Pure."""
    batch = track.batch
    rows = np.flatnonzero((track.quality == 0) & (batch.speed_dkmh == 0))
    night = (batch.device_us[rows] + CHINA_OFFSET_US) // US_PER_DAY
    key = batch.terminal[rows].astype(np.int64) << 32 | night
    order = np.argsort(key, kind="stable")
    rows, key = rows[order], key[order]
    begins = np.flatnonzero(np.r_[True, np.diff(key) != 0]) if len(key) else np.zeros(0, np.int64)
    found: dict[int, list[tuple[int, int]]] = {}
    for part in np.split(rows, begins[1:]) if len(begins) else ():
        lat, lon = batch.lat_e6[part], batch.lon_e6[part]
        if np.ptp(lat) <= _SPREAD_E6 and np.ptp(lon) <= _SPREAD_E6:
            found.setdefault(int(batch.terminal[part[0]]), []).append(
                (int(np.median(lat)), int(np.median(lon)))
            )
    return {no: (np.array(places)[:, 0], np.array(places)[:, 1]) for no, places in found.items()}


def inside(area: Any, lat_e6: Ints, lon_e6: Ints, datum: Datum) -> int:
    """How many places are in ``area`` (shapely, degrees WGS-84) when they are of ``datum``. Pure."""
    lat, lon = to_wgs84(datum, lat_e6 / 1e6, lon_e6 / 1e6)
    return int(np.count_nonzero(shapely.intersects_xy(area, lon, lat)))


def find(area: Any, lat_e6: Ints, lon_e6: Ints, others: int) -> Finding:
    """What the nights of a car say. ``others``: nights of other cars that were in ``area`` as they say. Pure."""
    count = len(lat_e6)
    if count < LEAST_NIGHTS:
        return Finding("few_nights", count)
    by = {datum.value: inside(area, lat_e6, lon_e6, datum) for datum in DATUMS}
    share = {name: 100 * many // count for name, many in by.items()}
    verdict: Verdict = "unclear"
    if share["wgs84"] > 50:
        verdict = "right"
    elif share["wgs84"] <= _HARDLY_ANY:
        if share["gcj02"] >= _NEARLY_ALL and share["bd09"] <= _HARDLY_ANY:
            verdict = "gcj02"
        elif share["bd09"] >= _NEARLY_ALL and share["gcj02"] <= _HARDLY_ANY:
            verdict = "bd09"
    if verdict in ("gcj02", "bd09") and others < LEAST_OTHERS:
        verdict = "fence_unproved"
    return Finding(verdict, count, by, others)


async def check(conn: Connection, phone: str, now: datetime) -> Finding | None:
    """What is found of the terminal with that phone number; a proposal (``datum_wrong``) is noted where it is clear, and the notice is over
    where its coordinates are right. None: there is no such terminal, or it sits in no vehicle."""
    own = await conn.fetchrow(
        "SELECT t.no, v.no AS vehicle_no, v.id, v.organisation, b.valid_from FROM terminals t JOIN terminal_bindings b ON b.terminal_no = t.no"
        " AND b.valid_from <= $2 AND (b.valid_to IS NULL OR b.valid_to > $2) JOIN vehicles v ON v.no = b.vehicle_no WHERE t.phone = $1",
        phone, now,
    )  # fmt: skip
    if own is None:
        return None
    fences = await read_fences(
        conn, "WHERE valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1) AND (vehicles && ARRAY[$2] OR (cardinality(vehicles) = 0"
        " AND organisation = $3))", now, own["id"], own["organisation"],
    )  # fmt: skip
    mine = [fence for fence in fences if own["id"] in fence.vehicles] or fences
    if not mine:
        return Finding("no_fence")
    area = shapely.union_all([shapely.from_wkb(fence.wkb) for fence in mine])
    shapely.prepare(area)
    # Cars for which the same fences were made.
    together = sorted({id for fence in mine for id in fence.vehicles})
    others = await conn.fetch(
        "SELECT b.terminal_no FROM vehicles v JOIN terminal_bindings b ON b.vehicle_no = v.no AND b.valid_from <= $1"
        " AND (b.valid_to IS NULL OR b.valid_to > $1) WHERE v.id <> $2 AND CASE WHEN cardinality($4::text[]) > 0 THEN v.id = ANY($4)"
        " ELSE v.organisation = $3 END ORDER BY v.no LIMIT $5",
        now, own["id"], own["organisation"], together, MOST_OTHERS,
    )  # fmt: skip
    places = await _nights(conn, [own["no"], *(row["terminal_no"] for row in others)], now)
    none = np.zeros(0, np.int64)
    seen = sum(inside(area, *each, Datum.WGS84) for no, each in places.items() if no != own["no"])
    found = find(area, *places.get(own["no"], (none, none)), seen)
    await _note(conn, own["no"], own["valid_from"], found)
    return found


async def _nights(conn: Connection, terminals: Sequence[int], now: datetime) -> dict[int, tuple[Ints, Ints]]:
    today = (to_us(now) + CHINA_OFFSET_US) // US_PER_DAY
    spans = [
        (no, day * US_PER_DAY - CHINA_OFFSET_US + _FROM_US, day * US_PER_DAY - CHINA_OFFSET_US + _TO_US)
        for no in sorted(set(terminals))
        for day in range(today - NIGHTS, today + 1)
    ]
    return places_of_nights(await PositionReader().track(conn, spans))


async def _note(conn: Connection, no: int, since: datetime, found: Finding) -> None:
    if found.verdict == "right":
        await notices.settle(conn, [no], "datum_wrong")
    if found.verdict not in ("gcj02", "bd09"):
        return
    detail = {
        "nights": found.nights, "inside": dict(found.inside), "others": found.others,
        "proposed": {"datum": found.verdict, "valid_from": since.isoformat()},
    }  # fmt: skip
    await notices.put(conn, [notices.Notice(no, "datum_wrong", "datum", detail)])
