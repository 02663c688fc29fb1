"""What the live workers have to do about changes (table ``live_due``): which vehicle's results may be others, from when
on. ``spread`` makes it of the outbox of changes; the worker that owns a vehicle takes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from registry.changes import (
    LOOK_BACK_DAYS,
    SINCE_EVER,
    StoredChange,
    missed,
    newest_place,
    read_changes,
    save_place,
    take_place,
    unread,
)
from registry.order_cover import BEFORE_ORDER, PARAMETERS
from registry.parameters import ORDER, TRACK
from rules.alerts.model import FactChange
from runtime.connection import Connection
from runtime.units import earliest, to_us

#: The name of the workers among the readers of changes: one place for all of them.
READER: Final = "live"
#: Changes read in one transaction.
CHANGES_AT_ONCE: Final = 5_000
#: Kinds of changes that concern what the workers judge.
_KINDS: Final = {"order", "fence", "terminal_binding", "vehicle_status", "parameter"}
#: Rules that the worker judges, and what its kernels use.
_RULES: Final = {"location", TRACK}
#: What of a vehicle whose computation failed (``store.recomputations.put_off``) is due waits until that is tried again.
_NOT_PUT_OFF: Final = "NOT EXISTS (SELECT FROM recomputations r WHERE r.vehicle_no = live_due.vehicle_no AND r.retry_at > now())"
_ANY_WAITS: Final = f"SELECT EXISTS (SELECT FROM live_due WHERE {_NOT_PUT_OFF})"  # noqa: S608 - our own constants
_ONE_WAITS: Final = f"{_ANY_WAITS[:-1]} AND vehicle_no = ANY($1::integer[]))"
_OLDEST_VEHICLES: Final = f"""
SELECT DISTINCT vehicle_no FROM (SELECT vehicle_no FROM live_due WHERE {_NOT_PUT_OFF} ORDER BY seq LIMIT $1) oldest ORDER BY 1
"""  # noqa: S608 - our own constants
_OLDEST: Final = f"""
SELECT seq, kind, subject, vehicle_no, from_time FROM live_due
 WHERE ($1::integer[] IS NULL OR vehicle_no = ANY($1)) AND {_NOT_PUT_OFF} ORDER BY seq LIMIT $2 FOR UPDATE SKIP LOCKED
"""  # noqa: S608 - our own constants
#: The time that an order covers concerns them, too. When an order is settled is no judgement.
_COVER: Final = frozenset(f"{ORDER}.{name}" for name in PARAMETERS)


async def spread(conn: Connection) -> None:
    """In a transaction of its own: put what changed, CHANGES_AT_ONCE at most, into ``live_due``, for each vehicle that it
    concerns. Does nothing while another worker does it."""
    async with conn.transaction():
        place = await take_place(conn, READER)
        if place is None:
            return
        if await missed(conn, place):
            await _put_all(conn)
            await save_place(conn, READER, await newest_place(conn))
            return
        changes = await read_changes(conn, place, CHANGES_AT_ONCE)
        if changes:
            await _put(conn, [c for c in changes if _concerns(c)])
            await save_place(conn, READER, changes[-1].place)


def _concerns(change: StoredChange) -> bool:
    if change.kind == "parameter":
        return change.subject.split(".")[0] in _RULES or change.subject in _COVER
    return change.kind in _KINDS


def _since(change: StoredChange) -> datetime:
    """From when on results may be others. An order covers its vehicle from before its departure, and its parameters are
    those of its departure."""
    early = change.kind == "order" or (change.kind == "parameter" and change.subject in _COVER)
    return max(change.from_time - (BEFORE_ORDER if early else timedelta()), SINCE_EVER)


async def _put(conn: Connection, changes: Sequence[StoredChange]) -> None:
    """A parameter concerns the vehicles of its unit and of the units below it and those that have orders of them, or all."""
    await conn.execute(
        "WITH RECURSIVE given AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[],"
        " $5::timestamptz[], $6::bigint[])"
        " WITH ORDINALITY AS u (kind, subject, vehicle_no, unit, since, number, place)),"
        " units AS (SELECT place, kind, unit FROM given WHERE unit IS NOT NULL"
        " UNION SELECT u.place, u.kind, o.id FROM units u JOIN organisations o ON o.parent = u.unit WHERE u.kind = 'parameter'),"
        " found AS (SELECT place, vehicle_no AS no FROM given WHERE vehicle_no IS NOT NULL"
        " UNION SELECT g.place, v.no FROM units g JOIN vehicles v ON v.organisation = g.unit"
        " UNION SELECT g.place, v.no FROM units g JOIN dispatch_orders o ON o.is_current AND o.organisation = g.unit"
        " JOIN vehicles v ON v.id = o.vehicle WHERE g.kind = 'parameter'"
        " UNION SELECT g.place, v.no FROM given g CROSS JOIN vehicles v WHERE g.kind = 'parameter' AND g.unit IS NULL)"
        " INSERT INTO live_due (kind, subject, vehicle_no, from_time)"
        " SELECT g.kind, g.subject, f.no, min(g.since) FROM given g JOIN found f USING (place)"
        " GROUP BY g.number, g.kind, g.subject, f.no ORDER BY min(g.place), f.no",
        [c.kind for c in changes],
        [c.subject for c in changes],
        [c.vehicle_no for c in changes],
        [c.organisation for c in changes],
        [_since(c) for c in changes],
        [c.number for c in changes],
    )


async def _put_all(conn: Connection) -> None:
    """No worker was there for so long that changes were dropped: any vehicle may have changed."""
    await conn.execute(
        "INSERT INTO live_due (kind, subject, vehicle_no, from_time)"
        " SELECT 'vehicle_status', id, no, now() - make_interval(days => $1) FROM vehicles ORDER BY no",
        LOOK_BACK_DAYS,
    )


async def tell_owners(conn: Connection, rows: Sequence[tuple[int, datetime]]) -> None:
    """Tell the owners of vehicles (number, time) of positions stored by another worker, in the transaction that stores
    them."""
    since = earliest(rows)
    if since:
        await conn.execute(
            "INSERT INTO live_due (kind, subject, vehicle_no, from_time) SELECT 'rows', '', u.no, u.since"
            " FROM unnest($1::integer[], $2::timestamptz[]) AS u (no, since) ORDER BY u.no",
            list(since),
            list(since.values()),
        )


async def take_due(conn: Connection, vehicle_nos: Sequence[int] | None, limit: int) -> list[FactChange]:
    """The oldest ``limit`` rows of ``vehicle_nos`` (None = of every vehicle), by seq. They stay until ``delete_due`` in the
    same transaction; ones that another worker has in hand are left to it, those of vehicles whose computation failed wait."""
    nos = None if vehicle_nos is None else [int(no) for no in vehicle_nos]
    rows = await conn.fetch(_OLDEST, nos, limit)
    return [
        FactChange(r["seq"], r["kind"], r["subject"], r["vehicle_no"], to_us(r["from_time"])) for r in rows
    ]


async def delete_due(conn: Connection, seqs: Sequence[int]) -> None:
    """The results that rest on these changes are brought up to date (same transaction)."""
    if seqs:
        await conn.execute("DELETE FROM live_due WHERE seq = ANY($1::bigint[])", list(seqs))


async def due_waiting(conn: Connection, vehicle_nos: Sequence[int] | None = None) -> bool:
    """Whether anything of ``vehicle_nos`` (None = of any vehicle) waits that can be done."""
    if vehicle_nos is None:
        return bool(await conn.fetchval(_ANY_WAITS))
    return bool(await conn.fetchval(_ONE_WAITS, vehicle_nos))


async def due_vehicles(conn: Connection, limit: int) -> list[int]:
    """The vehicles of the oldest ``limit`` rows that can be done, sorted."""
    rows = await conn.fetch(_OLDEST_VEHICLES, limit)
    return [row["vehicle_no"] for row in rows]


async def anything_due(conn: Connection) -> bool:
    """Whether anything waits for a live worker, in the outbox or in its list."""
    return await due_waiting(conn) or await unread(conn, READER)
