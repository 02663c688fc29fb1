"""What the judge has to do: changes it reads, keys and when they are due, clocks. All SQL of ``judge_*``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from registry.changes import (
    Place,
    count_unread,
    missed,
    newest_place,
    read_changes,
    save_place,
    take_place,
    unread,
)
from rules.judge.context import Change, Later
from runtime.connection import Connection, affected
from runtime.units import from_us, to_us

#: The judge's name among the readers of changes.
READER: Final = "judge"


async def take_changes(conn: Connection, limit: int) -> tuple[list[tuple[int, str, str, int]], Place | None]:
    """The oldest changes not taken yet, (seq, kind, subject, from_us), in the order of commits, and the place after them
    for ``changes_taken``; None where there are none. Of a parameter the subject is its rule."""
    place = await take_place(conn, READER)
    rows = [] if place is None else await read_changes(conn, place, limit)
    taken = [
        (r.seq, r.kind, r.subject.split(".")[0] if r.kind == "parameter" else r.subject, to_us(r.from_time))
        for r in rows
    ]
    return taken, rows[-1].place if rows else None


async def missed_changes(conn: Connection) -> Place | None:
    """Whether no judge was there for so long that changes were dropped: the place to go on from, when everything was looked
    at; else None."""
    place = await take_place(conn, READER)
    return await newest_place(conn) if place is not None and await missed(conn, place) else None


async def changes_taken(conn: Connection, place: Place) -> None:
    """What was taken up to ``place`` is keys now (same transaction)."""
    await save_place(conn, READER, place)


async def put_due(conn: Connection, gatherer: str, keys: Mapping[str, int]) -> None:
    """Judge ``keys`` (-> us) at the earliest; one that waits already is judged at the earlier of the two times."""
    names = sorted(keys)
    await conn.execute(
        "INSERT INTO judge_due (gatherer, key, due_at) SELECT $1, u.key, u.due"
        " FROM unnest($2::text[], $3::timestamptz[]) AS u (key, due) ON CONFLICT (gatherer, key)"
        " DO UPDATE SET due_at = LEAST(judge_due.due_at, EXCLUDED.due_at), attempts = 0, waits_for = ''",
        gatherer,
        names,
        [from_us(keys[name]) for name in names],
    )


def _of_changes(gatherer: str) -> str:
    return f"{gatherer}/changes"


def _key(change: Change) -> str:
    return orjson.dumps([change.kind, change.subject, change.from_us]).decode()


async def keep_change(conn: Connection, gatherer: str, change: Change, due_us: int, why: str) -> None:
    """``gatherer`` failed to say which keys ``change`` concerns: it is asked again at ``due_us``."""
    await put_due(conn, _of_changes(gatherer), {_key(change): due_us})
    await put_off_change(conn, gatherer, change, due_us, why)


async def kept_changes(conn: Connection, gatherer: str, now_us: int, limit: int) -> dict[Change, int]:
    """Changes that ``gatherer`` is to be asked about again -> how often it failed."""
    keys = await due_keys(conn, _of_changes(gatherer), now_us, limit)
    return {Change(0, *orjson.loads(key)): attempts for key, attempts in keys.items()}


async def drop_change(conn: Connection, gatherer: str, change: Change) -> None:
    """Its keys are known."""
    await drop_due(conn, _of_changes(gatherer), [_key(change)])


async def put_off_change(conn: Connection, gatherer: str, change: Change, due_us: int, why: str) -> None:
    """It failed again."""
    await put_off(conn, _of_changes(gatherer), {_key(change): Later(due_us, why)})


async def due_keys(conn: Connection, gatherer: str, now_us: int, limit: int) -> dict[str, int]:
    """Keys that are due -> how often they were put off, longest due first."""
    rows = await conn.fetch(
        "SELECT key, attempts FROM judge_due WHERE gatherer = $1 AND due_at <= $2 ORDER BY due_at, key LIMIT $3",
        gatherer,
        from_us(now_us),
        limit,
    )
    return {r["key"]: r["attempts"] for r in rows}


async def anything(conn: Connection, gatherers: Sequence[str], now_us: int) -> bool:
    """Whether there are changes that were not taken yet, or keys of ``gatherers`` that are due."""
    if await unread(conn, READER):
        return True
    return bool(
        await conn.fetchval(
            "SELECT EXISTS (SELECT FROM unnest($1::text[]) AS g (name) CROSS JOIN LATERAL"
            " (SELECT FROM judge_due d WHERE d.gatherer = g.name AND d.due_at <= $2 ORDER BY d.due_at LIMIT 1) first)",
            list(gatherers),
            from_us(now_us),
        )
    )


async def drop_due(conn: Connection, gatherer: str, keys: Sequence[str]) -> None:
    """They are judged."""
    await conn.execute(
        "DELETE FROM judge_due WHERE gatherer = $1 AND key = ANY($2::text[])", gatherer, list(keys)
    )


async def put_off(conn: Connection, gatherer: str, later: Mapping[str, Later]) -> None:
    """Look at these keys again then."""
    names = sorted(later)
    await conn.execute(
        "UPDATE judge_due d SET due_at = u.due, attempts = d.attempts + 1, waits_for = u.why, vehicle_no = u.vehicle,"
        " seen = u.seen"
        " FROM unnest($2::text[], $3::timestamptz[], $4::text[], $5::integer[], $6::timestamptz[])"
        " AS u (key, due, why, vehicle, seen) WHERE d.gatherer = $1 AND d.key = u.key",
        gatherer,
        names,
        [from_us(later[name].due_us) for name in names],
        [later[name].why for name in names],
        [later[name].vehicle_no for name in names],
        [None if later[name].vehicle_no is None else from_us(later[name].seen_us) for name in names],
    )


async def wake(conn: Connection, now_us: int) -> int:
    """Keys that wait for positions of a vehicle which are processed by now are due; how many."""
    done = await conn.execute(
        "UPDATE judge_due d SET due_at = $1, vehicle_no = NULL, seen = NULL FROM vehicle_states s"
        " WHERE s.vehicle_no = d.vehicle_no AND s.watermark > d.seen AND d.due_at > $1",
        from_us(now_us),
    )
    return affected(done)


async def backlog(conn: Connection, now_us: int) -> tuple[int, dict[str, tuple[int, int]]]:
    """(changed facts not taken yet, gatherer -> (keys that are due, keys that wait))."""
    changes = await count_unread(conn, READER)
    rows = await conn.fetch(
        "SELECT gatherer, count(*) FILTER (WHERE due_at <= $1) AS due, count(*) FILTER (WHERE due_at > $1) AS waiting"
        " FROM judge_due GROUP BY gatherer",
        from_us(now_us),
    )
    return changes, {r["gatherer"]: (r["due"], r["waiting"]) for r in rows}


async def clock_of(conn: Connection, gatherer: str) -> int | None:
    """Until when the gatherer's clock has been looked at, us; None = never."""
    through = await conn.fetchval("SELECT through FROM judge_clock WHERE gatherer = $1", gatherer)
    return None if through is None else to_us(through)


async def set_clock(conn: Connection, gatherer: str, through_us: int) -> None:
    """It has been looked at until then."""
    await conn.execute(
        "INSERT INTO judge_clock (gatherer, through) VALUES ($1, $2)"
        " ON CONFLICT (gatherer) DO UPDATE SET through = EXCLUDED.through",
        gatherer,
        from_us(through_us),
    )
