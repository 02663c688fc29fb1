"""Recomputations that wait or are under way (table ``recomputations``)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from enum import IntEnum
from typing import Any

from rules.checks.location import Episode
from rules.tracks.state import STATE_DTYPE, STATE_VERSION
from runtime.connection import Connection
from runtime.units import from_us, to_us


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
    conn: Connection, urgency: Urgency, since_us: Mapping[int, int], *, anew: bool = False
) -> None:
    """Vehicles (number -> from when on) have to be computed again. One that is under way and has passed that time begins
    again; so does one that turns out to have no usable state."""
    if not since_us:
        return
    nos = sorted(since_us)
    await conn.execute(
        "INSERT INTO recomputations AS r (vehicle_no, urgency, from_time, anew)"
        " SELECT u.no, $3, u.since, $4 FROM unnest($1::integer[], $2::timestamptz[]) AS u (no, since)"
        " ON CONFLICT (vehicle_no) DO UPDATE SET urgency = LEAST(r.urgency, EXCLUDED.urgency),"
        " from_time = LEAST(r.from_time, EXCLUDED.from_time), anew = r.anew OR EXCLUDED.anew,"
        # Compared with what was reached, not with the earliest change: what lies ahead is read anyway.
        " begun = CASE WHEN EXCLUDED.from_time < r.reached OR (EXCLUDED.anew AND NOT r.anew) THEN NULL ELSE r.begun END",
        nos,
        [from_us(max(0, since_us[no])) for no in nos],
        int(urgency),
        anew,
    )


async def waiting(conn: Connection, vehicle_nos: Collection[int]) -> dict[int, Waiting]:
    """Those of ``vehicle_nos`` that have to be computed again."""
    rows = await conn.fetch(
        "SELECT vehicle_no, from_time, CASE WHEN begun IS NOT NULL THEN reached END AS reached, anew FROM recomputations"
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
    """Whether any vehicle, of whichever worker, has to be computed again."""
    return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM recomputations)"))


async def count(conn: Connection, vehicle_nos: Sequence[int] | None) -> int:
    """How many of ``vehicle_nos`` (None = of all) wait or are under way."""
    return int(
        await conn.fetchval(
            "SELECT count(*) FROM recomputations WHERE $1::integer[] IS NULL OR vehicle_no = ANY($1)",
            vehicle_nos,
        )
    )


async def take(conn: Connection, vehicle_nos: Sequence[int] | None, limit: int) -> list[Recomputation]:
    """The next ones of ``vehicle_nos`` (None = of all) to go on with, at most ``limit``, by vehicle: the most urgent first, of
    these the ones under way; the others wait until those are through, so that all are at about the same time."""
    rows = await conn.fetch(
        "SELECT *, begun IS NOT NULL AND state_version = $3 AND octet_length(state) = $4 AS under_way FROM recomputations"
        " WHERE $1::integer[] IS NULL OR vehicle_no = ANY($1) ORDER BY urgency, begun IS NULL, seq LIMIT $2",
        vehicle_nos,
        limit,
        STATE_VERSION,
        STATE_DTYPE.itemsize,
    )
    rows = [
        r
        for r in rows
        if (r["urgency"], r["begun"] is None) == (rows[0]["urgency"], rows[0]["begun"] is None)
    ]
    return [_of(r) for r in sorted(rows, key=lambda r: int(r["vehicle_no"]))]


async def save(conn: Connection, jobs: Sequence[Recomputation]) -> None:
    """Keep how far ``jobs`` are."""
    if not jobs:
        return
    await conn.execute(
        "UPDATE recomputations r SET begun = u.begun, reached = u.reached, state = u.state, state_version = $5,"
        " found = u.found::jsonb FROM unnest($1::integer[], $2::timestamptz[], $3::timestamptz[], $4::bytea[], $6::jsonb[])"
        " AS u (no, begun, reached, state, found) WHERE r.vehicle_no = u.no",
        [job.vehicle for job in jobs],
        [from_us(job.begun_us or 0) for job in jobs],
        [from_us(job.reached_us) for job in jobs],
        [job.state for job in jobs],
        STATE_VERSION,
        [_found(job) for job in jobs],
    )


async def drop(conn: Connection, vehicle_nos: Sequence[int]) -> None:
    """They are computed."""
    await conn.execute("DELETE FROM recomputations WHERE vehicle_no = ANY($1::integer[])", list(vehicle_nos))


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
