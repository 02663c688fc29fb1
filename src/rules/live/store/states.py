"""Running state of the vehicles' kernels: one structured numpy row per vehicle, kept as its raw bytes.

The dtype belongs to ``rules.tracks.state``. A stored row of another
version or size is treated as not there: its vehicle is recomputed from the stored track.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any, Final

import numpy as np

from rules.tracks.advance import DayStart
from rules.tracks.state import FIELDS, STATE_DTYPE, STATE_VERSION
from runtime.arrays import AnyArray, AnyInts
from runtime.connection import Connection, sql_time
from runtime.units import to_us

_DAY_ZERO = date(1970, 1, 1)


def _tip_field(name: str) -> str:
    """SQL: a field of the tip of a stored state of ``{s}``, a whole number of 64 bits, the lowest byte first; null where it is of another
    version."""
    begin = (STATE_DTYPE["tip"].itemsize // len(FIELDS)) * (len(FIELDS) + FIELDS.index(name))
    parts = (
        f"(get_byte({{s}}.state, {begin + k})::bigint << {8 * k})" for k in range(7)
    )  # times need no more
    right = f"{{s}}.state_version = {STATE_VERSION} AND octet_length({{s}}.state) = {STATE_DTYPE.itemsize}"
    return f"CASE WHEN {right} THEN {' | '.join(parts)} END"


#: SQL: when the vehicle of a row ``{s}`` of vehicle_states moved last; null where it never did, or that is not known.
MOVED_AT: Final = f"'epoch'::timestamptz + NULLIF({_tip_field('moved_t')}, 0) * interval '1 microsecond'"


async def load_states(
    conn: Connection, vehicle_nos: AnyInts, dtype: np.dtype[Any], version: int
) -> tuple[AnyInts, AnyArray]:
    """States of ``vehicle_nos``: (indices into ``vehicle_nos`` that have one, shape (m,), int64; rows, shape
    (m,))."""
    found = await conn.fetch(
        "SELECT k.i, s.state FROM unnest($1::integer[]) WITH ORDINALITY AS k (no, i)"
        " JOIN vehicle_states s ON s.vehicle_no = k.no"
        " WHERE s.state_version = $2 AND octet_length(s.state) = $3 ORDER BY k.i",
        np.asarray(vehicle_nos).tolist(),
        version,
        dtype.itemsize,
    )
    return np.array([r["i"] - 1 for r in found], np.int64), _rows([r["state"] for r in found], dtype)


async def save_states(
    conn: Connection,
    vehicle_nos: AnyInts,
    rows: AnyArray,
    version: int,
    *,
    watermark_us: AnyInts,
    last_fix_us: AnyInts,
    last_lat_e6: AnyInts,
    last_lon_e6: AnyInts,
) -> None:
    """Write the states of ``vehicle_nos`` (distinct, shape (m,)), with the device time of the last position
    in each and the last valid fix for people and maps (``last_fix_us`` 0 = none). All in one statement."""
    if not len(vehicle_nos):
        return
    order = np.argsort(vehicle_nos, kind="stable")  # rows are locked in one order, whoever writes
    # As one run of bytes, times as numbers: value by value it would be half of what a position costs a worker.
    await conn.execute(
        _SAVE_STATES,
        vehicle_nos[order].tolist(),
        version,
        np.ascontiguousarray(rows[order]).tobytes(),
        rows.dtype.itemsize,
        watermark_us[order].tolist(),
        last_fix_us[order].tolist(),
        last_lat_e6[order].tolist(),
        last_lon_e6[order].tolist(),
    )


_SAVE_STATES: Final = f"""
INSERT INTO vehicle_states (vehicle_no, state, state_version, watermark, last_fix_at, last_lat_e6, last_lon_e6)
SELECT u.no, substring($3::bytea FROM (u.i::integer - 1) * $4::integer + 1 FOR $4::integer), $2, {sql_time("u.watermark")},
       CASE WHEN u.fix <> 0 THEN {sql_time("u.fix")} END, CASE WHEN u.fix <> 0 THEN u.lat END, CASE WHEN u.fix <> 0 THEN u.lon END
  FROM unnest($1::integer[], $5::bigint[], $6::bigint[], $7::integer[], $8::integer[])
       WITH ORDINALITY AS u (no, watermark, fix, lat, lon, i)
    ON CONFLICT (vehicle_no) DO UPDATE SET state = EXCLUDED.state, state_version = EXCLUDED.state_version,
       watermark = EXCLUDED.watermark, last_fix_at = EXCLUDED.last_fix_at, last_lat_e6 = EXCLUDED.last_lat_e6,
       last_lon_e6 = EXCLUDED.last_lon_e6, updated_at = now()
"""  # noqa: S608 - our own constants


async def delete_states(conn: Connection, vehicle_nos: AnyInts) -> None:
    """Forget the running states of ``vehicle_nos`` (they are recomputed from the stored track)."""
    await conn.execute(
        "DELETE FROM vehicle_states WHERE vehicle_no = ANY($1::integer[])", np.asarray(vehicle_nos).tolist()
    )


async def last_fixes(conn: Connection, vehicle_nos: AnyInts | None = None) -> list[tuple[int, int, int, int]]:
    """(vehicle_no, device time in us, lat_e6, lon_e6) of the last valid fix of each vehicle that has one."""
    rows = await conn.fetch(
        "SELECT vehicle_no, last_fix_at, last_lat_e6, last_lon_e6 FROM vehicle_states WHERE last_fix_at IS NOT NULL"
        " AND ($1::integer[] IS NULL OR vehicle_no = ANY($1)) ORDER BY vehicle_no",
        None if vehicle_nos is None else np.asarray(vehicle_nos).tolist(),
    )
    return [(r["vehicle_no"], to_us(r["last_fix_at"]), r["last_lat_e6"], r["last_lon_e6"]) for r in rows]


async def watermarks(conn: Connection, vehicle_nos: Iterable[int]) -> dict[int, int]:
    """Device time of the newest processed position of each vehicle; 0 = none."""
    wanted = sorted(set(vehicle_nos))
    rows = await conn.fetch(
        "SELECT vehicle_no, watermark FROM vehicle_states WHERE vehicle_no = ANY($1::integer[])", wanted
    )
    return dict.fromkeys(wanted, 0) | {r["vehicle_no"]: to_us(r["watermark"]) for r in rows}


async def load_day_states(
    conn: Connection, vehicle_nos: AnyInts, days: AnyInts, dtype: np.dtype[Any], version: int
) -> tuple[AnyInts, AnyInts, AnyArray]:
    """For each (vehicle, natural day in Asia/Shanghai as days since 1970) the newest state at the start of
    that day or an earlier one: (indices into ``vehicle_nos`` that have one, the day of each, rows), each of
    shape (m,)."""
    found = await conn.fetch(
        "SELECT k.i, s.day, s.state FROM unnest($1::integer[], $2::date[]) WITH ORDINALITY AS k (no, day, i)"
        " CROSS JOIN LATERAL (SELECT d.day, d.state FROM vehicle_day_states d WHERE d.vehicle_no = k.no"
        " AND d.day <= k.day AND d.state_version = $3 AND octet_length(d.state) = $4"
        " ORDER BY d.day DESC LIMIT 1) s ORDER BY k.i",
        np.asarray(vehicle_nos).tolist(),
        [_date(day) for day in np.asarray(days).tolist()],
        version,
        dtype.itemsize,
    )
    return (
        np.array([r["i"] - 1 for r in found], np.int64),
        np.array([(r["day"] - _DAY_ZERO).days for r in found], np.int64),
        _rows([r["state"] for r in found], dtype),
    )


async def save_day_states(
    conn: Connection, vehicle_nos: AnyInts, days: AnyInts, rows: AnyArray, version: int
) -> None:
    """Write the states at the start of ``days`` (days since 1970, Asia/Shanghai); (vehicle, day) pairs
    distinct."""
    if not len(vehicle_nos):
        return
    order = np.lexsort((days, vehicle_nos))
    await conn.execute(
        "INSERT INTO vehicle_day_states (vehicle_no, day, state, state_version)"
        " SELECT u.no, u.day, u.state, $4 FROM unnest($1::integer[], $2::date[], $3::bytea[]) AS u (no, day, state)"
        " ON CONFLICT (vehicle_no, day) DO UPDATE SET state = EXCLUDED.state, state_version = EXCLUDED.state_version",
        vehicle_nos[order].tolist(),
        [_date(day) for day in days[order].tolist()],
        _pieces(rows[order]),
        version,
    )


async def save_day_starts(conn: Connection, day_starts: Sequence[DayStart]) -> None:
    """Write day starts whose slots are numbers of vehicles; the last one of a vehicle and day counts."""
    unique = {(start.slot, start.day): start.state for start in day_starts}
    if unique:
        nos, days = np.array(list(unique), np.int64).T
        await save_day_states(conn, nos, days, np.array(list(unique.values()), STATE_DTYPE), STATE_VERSION)


async def count_day_states(
    conn: Connection, vehicle_nos: Sequence[int], days: Sequence[int]
) -> dict[int, int]:
    """How many days with positions each vehicle has after its day in ``days`` (days since 1970, Asia/Shanghai)."""
    rows = await conn.fetch(
        "SELECT u.no, (SELECT count(*) FROM vehicle_day_states s WHERE s.vehicle_no = u.no AND s.day > u.day) AS days"
        " FROM unnest($1::integer[], $2::date[]) AS u (no, day)",
        list(vehicle_nos),
        [_date(day) for day in days],
    )
    return {r["no"]: r["days"] for r in rows}


async def delete_day_states(
    conn: Connection, vehicle_nos: AnyInts, after_days: AnyInts, to_days: AnyInts | None = None
) -> None:
    """Forget the day states of each vehicle *after* its day in ``after_days`` and not after that in ``to_days`` (None = all):
    late facts have made them wrong."""
    await conn.execute(
        "DELETE FROM vehicle_day_states s USING unnest($1::integer[], $2::date[], $3::date[]) AS u (no, day, last)"
        " WHERE s.vehicle_no = u.no AND s.day > u.day"
        " AND (u.last IS NULL OR s.day <= u.last)",
        np.asarray(vehicle_nos).tolist(),
        [_date(day) for day in np.asarray(after_days).tolist()],
        [None] * len(vehicle_nos)
        if to_days is None
        else [_date(day) for day in np.asarray(to_days).tolist()],
    )


def _date(day: int) -> date:
    return _DAY_ZERO + timedelta(days=day)


def _pieces(rows: AnyArray) -> list[bytes]:
    """The raw bytes of each element."""
    data, size = np.ascontiguousarray(rows).tobytes(), rows.dtype.itemsize
    return [data[start : start + size] for start in range(0, len(data), size)]


def _rows(pieces: Sequence[bytes], dtype: np.dtype[Any]) -> AnyArray:
    return np.frombuffer(bytearray(b"".join(pieces)), dtype)


async def outdated_states(conn: Connection, dtype: np.dtype[Any], version: int) -> dict[int, int]:
    """Vehicles whose stored state is of another version or size, with their watermarks in us: they have to be
    recomputed from their tracks, and that is not noted yet."""
    rows = await conn.fetch(
        "SELECT vehicle_no, watermark FROM vehicle_states s WHERE (state_version <> $1 OR octet_length(state) <> $2)"
        " AND NOT EXISTS (SELECT FROM recomputations r WHERE r.vehicle_no = s.vehicle_no AND r.anew)"
        " ORDER BY 1",
        version,
        dtype.itemsize,
    )
    return {r["vehicle_no"]: to_us(r["watermark"]) for r in rows}


async def spoil_states(conn: Connection, vehicle_nos: Sequence[int]) -> None:
    """The running states of ``vehicle_nos`` are not usable from now on. They stay as they are for people and maps until a
    recomputation (which the caller notes) has put others in their place."""
    await conn.execute(
        "UPDATE vehicle_states SET state_version = 0 WHERE vehicle_no = ANY($1::integer[])", list(vehicle_nos)
    )


async def drop_day_states(conn: Connection, before_day: int) -> None:
    """Delete the day states older than ``before_day`` (days since 1970): no recomputation starts there any
    more."""
    await conn.execute("DELETE FROM vehicle_day_states WHERE day < $1", _date(before_day))
