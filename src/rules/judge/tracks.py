"""Stored tracks of many vehicles at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rules.evidence import TRACK_COLUMNS
from rules.fleet.timelines import FOREVER
from rules.judge.base import Desk
from telemetry.archive import Archive, Track
from telemetry.units import to_us

Ints = NDArray[np.int64]

#: A stretch of a vehicle: (vehicle number, from, to), half open, microseconds since 1970 UTC.
Want = tuple[int, int, int]


async def tracks_of(desk: Desk, wants: Sequence[Want]) -> list[dict[str, Ints]]:
    """For each of ``wants`` the usable stored fixes (quality 0) of the vehicle: columns of
    ``evidence.TRACK_COLUMNS``, int64, by (time, fingerprint). Stretches of one vehicle may overlap."""
    return await tracks_in(desk.archive, desk.conn, await terminal_spans(desk, wants))


async def tracks_in(archive: Archive, conn: Any, spans: Sequence[Sequence[Want]]) -> list[dict[str, Ints]]:
    """``tracks_of`` where it is known which terminals sat in the vehicle: for each list of (terminal number, from, to)
    its fixes. One query reads them all; what belongs to several lists is read once."""
    merged: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for pieces in spans:
        for terminal, start, end in pieces:
            merged[terminal].append((start, end))
    asked = [(no, a, b) for no, parts in sorted(merged.items()) for a, b in _union(parts)]
    return _cut(await archive.track(conn, asked), spans)


async def terminal_spans(desk: Desk, wants: Sequence[Want]) -> list[list[Want]]:
    """For each of ``wants`` the (terminal number, from, to) that sat in the vehicle then, in order of time."""
    vehicles = sorted({no for no, _, _ in wants})
    bound: dict[int, list[Want]] = defaultdict(list)
    for row in await desk.conn.fetch(
        "SELECT terminal_no, vehicle_no, valid_from, valid_to FROM terminal_bindings"
        " WHERE vehicle_no = ANY($1::integer[]) ORDER BY valid_from, terminal_no",
        vehicles,
    ):
        until = FOREVER if row["valid_to"] is None else to_us(row["valid_to"])
        bound[row["vehicle_no"]].append((row["terminal_no"], to_us(row["valid_from"]), until))
    return [
        [(t, max(a, since), min(b, until)) for t, a, b in bound[no] if max(a, since) < min(b, until)]
        for no, since, until in wants
    ]


async def watermarks(desk: Desk, vehicle_nos: Iterable[int]) -> dict[int, int]:
    """Device time of the newest processed position of each vehicle; 0 = none."""
    wanted = sorted(set(vehicle_nos))
    rows = await desk.conn.fetch(
        "SELECT vehicle_no, watermark FROM vehicle_states WHERE vehicle_no = ANY($1::integer[])", wanted
    )
    return dict.fromkeys(wanted, 0) | {r["vehicle_no"]: to_us(r["watermark"]) for r in rows}


def _union(parts: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans of one terminal without overlap: a row is read once."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(parts):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _cut(track: Track, spans: Sequence[Sequence[Want]]) -> list[dict[str, Ints]]:
    """The rows of each list of (terminal, from, to) in a track that holds them all."""
    batch = track.batch
    usable = np.flatnonzero(track.quality == 0)
    by_terminal = usable[np.argsort(batch.terminal[usable], kind="stable")]  # keeps (time, fingerprint)
    terminal = batch.terminal[by_terminal].astype(np.int64)
    t = batch.device_us[by_terminal]
    found = []
    for pieces in spans:
        parts = []
        for no, start, end in pieces:
            low, high = np.searchsorted(terminal, [no, no + 1])
            a, b = np.searchsorted(t[low:high], [start, end])
            parts.append(by_terminal[low + a : low + b])
        rows = np.concatenate(parts) if parts else np.zeros(0, np.int64)
        if len(parts) > 1:
            rows = rows[np.lexsort((track.fingerprint[rows], batch.device_us[rows]))]
        found.append(_columns(track, rows))
    return found


def _columns(track: Track, rows: Ints) -> dict[str, Ints]:
    batch = track.batch
    columns = {
        "t_us": batch.device_us[rows],
        "fingerprint": track.fingerprint[rows],
        "lat_e6": batch.lat_e6[rows],
        "lon_e6": batch.lon_e6[rows],
        "speed_dkmh": batch.speed_dkmh[rows],
        "direction_deg": batch.direction_deg[rows],
        "odometer_dkm": np.where(
            batch.has("odometer_dkm")[rows], batch.odometer_dkm[rows].astype(np.int64), -1
        ),
    }
    return {name: columns[name].astype(np.int64) for name in TRACK_COLUMNS}
