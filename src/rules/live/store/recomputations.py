"""Recomputations that wait, are under way, or have failed and are put off (table ``recomputations``)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Final

from registry.unreadable import MARK
from rules.checks.location import Episode
from rules.tracks.state import STATE_DTYPE, STATE_VERSION
from runtime.connection import Connection, affected
from runtime.units import from_us, to_us

#: A vehicle whose computation failed is tried again after so long, then after twice that, up to a day.
FAULT_PAUSE_S: Final = 300
MOST_PAUSE_S: Final = 86_400
#: Each attempt begins with the state of so many days earlier, for a state of a day may be what it fails on; so many times.
FURTHER_BACK_DAYS: Final = 7
MOST_FURTHER_BACK: Final = 8
#: SQL: how the reason looks of what is put off for a fact that cannot be read.
_HELD: Final = f"{MARK}%"
#: Rows that are not put off.
_TAKEN: Final = "(retry_at IS NULL OR retry_at <= now()) AND (rest_until IS NULL OR rest_until <= now())"
#: After 16 slices a vehicle lets those go first that had fewer. Among whole fleets (urgency 2) it does not: they all need many.
#: As the index recomputations_order has it.
_TURN: Final = "CASE WHEN urgency < 2 THEN slices / 16 ELSE 0 END"
#: One that is done again for late positions that came meanwhile rests no longer than this before.
MOST_REST_S: Final = 600
_ANYTHING: Final = f"SELECT EXISTS (SELECT FROM recomputations WHERE {_TAKEN})"  # noqa: S608 - our own constants
_COUNT: Final = f"""
SELECT count(*) FROM recomputations WHERE ($1::integer[] IS NULL OR vehicle_no = ANY($1)) AND {_TAKEN}
"""  # noqa: S608 - our own constants
_NEXT: Final = f"""
SELECT *, begun IS NOT NULL AND state_version = $3 AND octet_length(state) = $4 AS under_way FROM recomputations
 WHERE ($1::integer[] IS NULL OR vehicle_no = ANY($1)) AND {_TAKEN}
"""  # noqa: S608 - our own constants
_IN_TURN: Final = f"{_NEXT} ORDER BY urgency, {_TURN}, begun IS NULL, seq LIMIT $2"
_LONGEST: Final = f"{_NEXT} ORDER BY seq LIMIT $2"


class Urgency(IntEnum):
    """What is done first."""

    NO_STATE = 0  # the vehicle's positions cannot be judged before
    FACT = 1  # late positions, or a fact about the vehicle
    PARAMETER = 2  # a parameter: whole fleets


@dataclass(slots=True)
class Recomputation:
    """The recomputation of a vehicle, times in microseconds since 1970 UTC.

    ``from_us``: the earliest change. ``anew``: the stored states of the vehicle are not usable. ``begun_us``: where the
    kernels started, None = not begun, 0 = with the first position. Once begun: all stored positions before ``reached_us`` are
    in ``state`` (bytes of STATE_DTYPE), ``episodes`` are those that ended so far, ``orders`` what is carried of the results
    of the vehicle's orders, by id.
    """

    vehicle: int
    from_us: int
    anew: bool = False
    begun_us: int | None = None
    reached_us: int = 0
    state: bytes = b""
    episodes: list[Episode] = field(default_factory=list)
    orders: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What live positions have to know of a recomputation. ``reached_us``: None = not begun."""

    from_us: int
    reached_us: int | None
    anew: bool


async def note(
    conn: Connection,
    urgency: Urgency,
    since_us: Mapping[int, int],
    *,
    anew: bool = False,
    late: bool = False,
) -> None:
    """Vehicles (number -> from when on) have to be computed again. One that is under way and has passed that time begins
    again; so does one that turns out to have no usable state. For ``late`` positions it does not: some terminals never stop
    sending them. It comes to its end with what it had, and is done once more."""
    if not since_us:
        return
    nos = sorted(since_us)
    await conn.execute(
        "INSERT INTO recomputations AS r (vehicle_no, urgency, from_time, anew)"
        " SELECT u.no, $3, u.since, $4 FROM unnest($1::integer[], $2::timestamptz[]) AS u (no, since)"
        " ON CONFLICT (vehicle_no) DO UPDATE SET urgency = LEAST(r.urgency, EXCLUDED.urgency),"
        " anew = r.anew OR EXCLUDED.anew,"
        # Compared with what was reached, not with the earliest change: what lies ahead is read anyway.
        " from_time = CASE WHEN $5 AND r.begun IS NOT NULL AND EXCLUDED.from_time < r.reached THEN r.from_time"
        " ELSE LEAST(r.from_time, EXCLUDED.from_time) END,"
        " again_from = CASE WHEN $5 AND r.begun IS NOT NULL AND EXCLUDED.from_time < r.reached"
        " THEN LEAST(r.again_from, EXCLUDED.from_time) ELSE r.again_from END,"
        " begun = CASE WHEN (NOT $5 AND EXCLUDED.from_time < r.reached) OR (EXCLUDED.anew AND NOT r.anew) THEN NULL"
        " ELSE r.begun END",
        nos,
        [from_us(max(0, since_us[no])) for no in nos],
        int(urgency),
        anew,
        late,
    )


async def waiting(conn: Connection, vehicle_nos: Collection[int]) -> dict[int, Waiting]:
    """Those of ``vehicle_nos`` that have to be computed again."""
    rows = await conn.fetch(
        "SELECT vehicle_no, LEAST(from_time, again_from) AS from_time, CASE WHEN begun IS NOT NULL THEN reached END AS reached, anew FROM recomputations"
        " WHERE vehicle_no = ANY($1::integer[])",
        [int(no) for no in vehicle_nos],
    )
    return {
        r["vehicle_no"]: Waiting(
            to_us(r["from_time"]), None if r["reached"] is None else to_us(r["reached"]), r["anew"]
        )
        for r in rows
    }


async def anything_waits(conn: Connection) -> bool:
    """Whether any vehicle, of whichever worker, has to be computed again now."""
    return bool(await conn.fetchval(_ANYTHING))


async def count(conn: Connection, vehicle_nos: Sequence[int] | None) -> int:
    """How many of ``vehicle_nos`` (None = of all) wait or are under way, those that are put off not among them."""
    return int(await conn.fetchval(_COUNT, vehicle_nos))


async def take(
    conn: Connection, vehicle_nos: Sequence[int] | None, limit: int, *, longest: bool = False
) -> list[Recomputation]:
    """The next ones of ``vehicle_nos`` (None = of all) to go on with, at most ``limit``, by vehicle: the most urgent first, of
    these the ones under way; the others wait until those are through, so that all are at about the same time. But who has had
    many slices lets others go first. ``longest``: those that have waited longest, whatever their urgency, so that each has its
    turn once."""
    rows = await _next(conn, vehicle_nos, limit, longest)
    return [_of(r) for r in sorted(rows, key=lambda r: int(r["vehicle_no"]))]


async def next_vehicles(conn: Connection, vehicle_nos: Sequence[int] | None, limit: int) -> list[int]:
    """The vehicles of what ``take`` would take; what is kept of them is not looked at."""
    return sorted(row["vehicle_no"] for row in await _next(conn, vehicle_nos, limit, False))


async def _next(conn: Connection, vehicle_nos: Sequence[int] | None, limit: int, longest: bool) -> list[Any]:
    query = _LONGEST if longest else _IN_TURN
    rows = await conn.fetch(query, vehicle_nos, limit, STATE_VERSION, STATE_DTYPE.itemsize)
    return [
        r
        for r in rows
        if (r["urgency"], r["begun"] is None) == (rows[0]["urgency"], rows[0]["begun"] is None)
    ]


async def save(conn: Connection, jobs: Sequence[Recomputation]) -> None:
    """Keep how far ``jobs`` are."""
    if not jobs:
        return
    await conn.execute(
        "UPDATE recomputations r SET begun = u.begun, reached = u.reached, state = u.state, state_version = $5,"
        " slices = r.slices + 1, found = u.found::jsonb FROM unnest($1::integer[], $2::timestamptz[], $3::timestamptz[], $4::bytea[], $6::jsonb[])"
        " AS u (no, begun, reached, state, found) WHERE r.vehicle_no = u.no",
        [job.vehicle for job in jobs],
        [from_us(job.begun_us or 0) for job in jobs],
        [from_us(job.reached_us) for job in jobs],
        [job.state for job in jobs],
        STATE_VERSION,
        [_found(job) for job in jobs],
    )


async def drop(conn: Connection, vehicle_nos: Sequence[int]) -> None:
    """They are computed. Those for which late positions came meanwhile are noted again, after all others, and rest first as
    long as this time took."""
    done = await conn.execute(
        "DELETE FROM recomputations WHERE vehicle_no = ANY($1::integer[]) AND again_from IS NULL",
        list(vehicle_nos),
    )
    if affected(done) == len(vehicle_nos):
        return
    await conn.execute(
        "UPDATE recomputations SET seq = DEFAULT, urgency = $2, from_time = again_from, again_from = NULL, anew = false,"
        " begun = NULL, reached = NULL, state = NULL, state_version = NULL, found = NULL, slices = 0, attempts = 0,"
        " error = NULL, retry_at = NULL, noted_at = now(),"
        " rest_until = now() + LEAST(now() - noted_at, make_interval(secs => $3)) WHERE vehicle_no = ANY($1::integer[])",
        list(vehicle_nos),
        int(Urgency.FACT),
        float(MOST_REST_S),
    )


@dataclass(frozen=True, slots=True)
class Failed:
    """A vehicle whose computation failed. ``anew``: none of its positions are judged until it is through."""

    vehicle_no: int
    vehicle: str
    plate: str
    anew: bool
    attempts: int
    error: str
    noted_at: datetime
    retry_at: datetime


async def put_off(conn: Connection, since_us: Mapping[int, int], error: str, *, anew: bool) -> None:
    """The computation of vehicles (number -> from when on) failed with ``error``: they are tried again later, by the clock of
    the database. ``anew``: their states are not usable, so no position of theirs is judged before."""
    nos = sorted(since_us)
    await conn.execute(
        "INSERT INTO recomputations AS r (vehicle_no, urgency, from_time, anew, attempts, error, retry_at)"
        " SELECT u.no, $3, u.since, $4, 1, $5, now() + make_interval(secs => $6)"
        " FROM unnest($1::integer[], $2::timestamptz[]) AS u (no, since)"
        " ON CONFLICT (vehicle_no) DO UPDATE SET urgency = LEAST(r.urgency, EXCLUDED.urgency), begun = NULL, again_from = NULL,"
        " anew = r.anew OR EXCLUDED.anew, attempts = r.attempts + 1, error = EXCLUDED.error,"
        " from_time = GREATEST(to_timestamp(0), LEAST(r.from_time, r.again_from, EXCLUDED.from_time)"
        " - make_interval(days => CASE WHEN r.attempts BETWEEN 1 AND $8 THEN $7 ELSE 0 END)),"
        " retry_at = now() + make_interval(secs => LEAST($6 * power(2, LEAST(r.attempts, 16)), $9))",
        nos,
        [from_us(max(0, since_us[no])) for no in nos],
        int(Urgency.NO_STATE if anew else Urgency.FACT),
        anew,
        error,
        float(FAULT_PAUSE_S),
        FURTHER_BACK_DAYS,
        MOST_FURTHER_BACK,
        float(MOST_PAUSE_S),
    )


async def hold(conn: Connection, why: Mapping[int, str], since_us: int) -> list[int]:
    """Vehicles (number -> the fact) whose facts cannot be read: they are put off, not judged until then, and computed from
    ``since_us`` on when they can. The numbers of those that were not put off like that."""
    nos = sorted(why)
    rows = await conn.fetch(
        "INSERT INTO recomputations AS r (vehicle_no, urgency, from_time, anew, attempts, error, retry_at)"
        " SELECT u.no, $3, $4, true, 1, u.why, now() + make_interval(secs => $5) FROM unnest($1::integer[], $2::text[]) AS u (no, why)"
        " ON CONFLICT (vehicle_no) DO UPDATE SET urgency = EXCLUDED.urgency, anew = true, begun = NULL, error = EXCLUDED.error,"
        " attempts = GREATEST(r.attempts, 1), from_time = LEAST(r.from_time, r.again_from, EXCLUDED.from_time), again_from = NULL,"
        " retry_at = GREATEST(r.retry_at, EXCLUDED.retry_at)"
        " WHERE (r.anew AND r.retry_at > now() AND r.error LIKE $6) IS NOT TRUE RETURNING vehicle_no",
        nos,
        [why[no] for no in nos],
        int(Urgency.NO_STATE),
        from_us(max(0, since_us)),
        float(FAULT_PAUSE_S),
        _HELD,
    )
    return sorted(row["vehicle_no"] for row in rows)


async def release(conn: Connection, but: Collection[int]) -> None:
    """Vehicles that waited for facts that can be read by now, all ``but`` these, are tried at once."""
    await conn.execute(
        "UPDATE recomputations SET retry_at = now() WHERE retry_at > now() AND error LIKE $2"
        " AND NOT vehicle_no = ANY($1::integer[])",
        sorted(but),
        _HELD,
    )


async def failed(conn: Connection) -> list[Failed]:
    """The vehicles whose computation has failed and is not through yet."""
    rows = await conn.fetch(
        "SELECT r.vehicle_no, v.id AS vehicle, v.plate, r.anew, r.attempts, r.error, r.noted_at, r.retry_at"
        " FROM recomputations r JOIN vehicles v ON v.no = r.vehicle_no WHERE r.retry_at > '-infinity' ORDER BY r.vehicle_no"
    )
    return [Failed(**row) for row in rows]


async def count_failed(conn: Connection) -> int:
    """How many vehicles that is."""
    return int(await conn.fetchval("SELECT count(*) FROM recomputations WHERE retry_at > '-infinity'"))


async def try_again(conn: Connection, vehicle_nos: Sequence[int] | None) -> list[int]:
    """Have ``vehicle_nos`` (None = all that failed) tried again at once; the numbers of those that had failed."""
    rows = await conn.fetch(
        "UPDATE recomputations SET retry_at = now() WHERE retry_at IS NOT NULL"
        " AND ($1::integer[] IS NULL OR vehicle_no = ANY($1)) RETURNING vehicle_no",
        None if vehicle_nos is None else list(vehicle_nos),
    )
    return sorted(row["vehicle_no"] for row in rows)


def _found(job: Recomputation) -> dict[str, Any]:
    return {
        "episodes": [list(astuple(episode)) for episode in job.episodes],
        "orders": {order: carried.hex() for order, carried in job.orders.items()},
    }


def _of(row: Any) -> Recomputation:
    job = Recomputation(row["vehicle_no"], to_us(row["from_time"]), row["anew"])
    if row["under_way"]:
        job.begun_us, job.reached_us, job.state = to_us(row["begun"]), to_us(row["reached"]), row["state"]
        job.episodes = [Episode(*values) for values in row["found"]["episodes"]]
        job.orders = {order: bytes.fromhex(carried) for order, carried in row["found"]["orders"].items()}
    return job
