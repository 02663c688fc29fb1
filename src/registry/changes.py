"""The outbox of changes: what was changed, by whomever, in the order of commits. Triggers write it
(migrations/0016_changes.sql), so no writer has to think of it; readers keep a place in it.

A reader that makes lists of its own of what changed keeps its place in ``change_readers`` (``take_place`` to
``save_place``, in the transaction that writes its list). A reader that keeps the registry in memory remembers the number of
the newest commit that it has seen, and asks which vehicles have changed since (``changed_since``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from runtime.connection import Connection
from runtime.units import US_PER_DAY

#: The time of changes that have none: everything may rest on them.
SINCE_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)

#: Kinds of changes after which the registry in a worker's memory is another.
FLEET: Final = ("order", "fence", "vehicle", "terminal_binding", "parameter")

#: How far back a change is followed: tracks and results of before are not computed again. Whatever waits for a late
#: position waits as long, and no order that began so long ago is looked for.
LOOK_BACK_DAYS: Final = 62
LOOK_BACK_US: Final = LOOK_BACK_DAYS * US_PER_DAY

#: Taken by every transaction that changed something, at its very end; see the migration.
_COMMIT_LOCK: Final = 0x676F6E67_72656763  # "gongregc"


class Place(NamedTuple):
    """How far a reader has read: all commits before ``number``, and of that one the changes up to ``seq``."""

    number: int
    seq: int


@dataclass(frozen=True, slots=True)
class StoredChange:
    """A row of ``changes``; its columns are explained where the table is made. ``vehicle_no`` and ``organisation``: None
    where it is not about one."""

    number: int
    seq: int
    kind: str
    subject: str
    vehicle_no: int | None
    organisation: str | None
    from_time: datetime

    @property
    def place(self) -> Place:
        """The place of a reader that has read up to this change."""
        return Place(self.number, self.seq)


async def unread(conn: Connection, reader: str) -> bool:
    """Whether there is a change that ``reader`` has not read."""
    return bool(
        await conn.fetchval(
            "SELECT EXISTS (SELECT FROM change_readers r JOIN change_commits k ON k.number >= r.number"
            " JOIN changes c ON c.commit_id = k.id WHERE r.reader = $1 AND (k.number > r.number OR c.seq > r.seq))",
            reader,
        )
    )


async def count_unread(conn: Connection, reader: str) -> int:
    """How many changes ``reader`` has not read."""
    # The place first: of a number that it knows the database can tell how few changes are after it.
    place = await conn.fetchrow("SELECT number, seq FROM change_readers WHERE reader = $1", reader)
    if place is None:
        return 0
    return int(
        await conn.fetchval(
            "SELECT count(*) FROM change_commits k JOIN changes c ON c.commit_id = k.id"
            " WHERE k.number >= $1 AND (k.number > $1 OR c.seq > $2)",
            *place,
        )
    )


async def take_place(conn: Connection, reader: str) -> Place | None:
    """The place of ``reader``, held to the end of the transaction; None while another holds it."""
    row = await conn.fetchrow(
        "SELECT number, seq FROM change_readers WHERE reader = $1 FOR UPDATE SKIP LOCKED", reader
    )
    return None if row is None else Place(*row)


async def read_changes(conn: Connection, after: Place, limit: int) -> list[StoredChange]:
    """The first ``limit`` changes after a place, in the order of commits."""
    rows = await conn.fetch(
        # A time for which Python has no word would keep back every change after it.
        "SELECT k.number, c.seq, c.kind, c.subject, c.vehicle_no, c.organisation,"
        " LEAST(GREATEST(c.from_time, '0001-01-02'), '9999-12-30') AS from_time FROM change_commits k"
        " JOIN changes c ON c.commit_id = k.id WHERE k.number >= $1 AND (k.number > $1 OR c.seq > $2)"
        " ORDER BY k.number, c.seq LIMIT $3",
        after.number,
        after.seq,
        limit,
    )
    return [StoredChange(*row) for row in rows]


async def missed(conn: Connection, place: Place) -> bool:
    """Whether changes after ``place`` are not kept any more: whoever reads on must look at everything."""
    return bool(
        await conn.fetchval("SELECT COALESCE(min(number) > $1, false) FROM change_commits", place.number)
    )


async def newest_place(conn: Connection) -> Place:
    """The place of a reader that has read everything."""
    return Place(
        *await conn.fetchrow("SELECT COALESCE(max(number), 0), 9223372036854775807 FROM change_commits")
    )


async def save_place(conn: Connection, reader: str, place: Place) -> None:
    """What ``reader`` read up to ``place`` is in its list now (same transaction)."""
    await conn.execute(
        "UPDATE change_readers SET number = $2, seq = $3, seen_at = now() WHERE reader = $1", reader, *place
    )


async def begin_reading(conn: Connection, reader: str) -> Place:
    """The place of a new reader, or of one that begins anew: after everything that is there now."""
    newest = Place(await newest_commit(conn) + 1, 0)
    await conn.execute(
        "INSERT INTO change_readers (reader, number, seq) VALUES ($1, $2, $3) ON CONFLICT (reader)"
        " DO UPDATE SET number = EXCLUDED.number, seq = EXCLUDED.seq, seen_at = now()",
        reader,
        *newest,
    )
    return newest


async def end_reading(conn: Connection, reader: str) -> None:
    """There is no such reader any more: nothing is kept for it."""
    await conn.execute("DELETE FROM change_readers WHERE reader = $1", reader)


async def note_tracks(conn: Connection, since: Sequence[tuple[int, datetime]]) -> None:
    """Stored positions of vehicles (number, from when on) were taken up again: they came late, or belong to another vehicle
    now. The one change that no trigger can see."""
    if since:
        await conn.execute(
            "INSERT INTO changes (commit_id, kind, subject, vehicle_no, from_time)"
            " SELECT change_commit(), 'track', v.id, v.no, u.since FROM unnest($1::integer[], $2::timestamptz[])"
            " AS u (no, since) JOIN vehicles v ON v.no = u.no ORDER BY v.id",
            [no for no, _ in since],
            [moment for _, moment in since],
        )


async def newest_commit(conn: Connection) -> int:
    """The number of the newest commit that changed something."""
    return int(await conn.fetchval("SELECT COALESCE(max(number), 0) FROM change_commits"))


@dataclass(frozen=True, slots=True)
class FleetChanges:
    """What changed of the registry: whether anything did, and the numbers of the vehicles that have to be read again.
    ``newest``: the number of the newest commit looked at."""

    any: bool
    vehicles: Sequence[int]
    newest: int


async def fleet_changes(conn: Connection, seen: int) -> FleetChanges:
    """What changed of the registry after the commit ``seen``: all vehicles where the changes after it are not kept any
    more."""
    newest = await newest_commit(conn)
    if newest <= seen:
        return FleetChanges(False, (), seen)
    if await conn.fetchval("SELECT min(number) FROM change_commits") > seen:
        every = [row["no"] for row in await conn.fetch("SELECT no FROM vehicles ORDER BY no")]
        return FleetChanges(True, every, newest)
    rows = await conn.fetch(
        "WITH found AS MATERIALIZED (SELECT DISTINCT c.vehicle_no, CASE WHEN c.kind <> 'parameter' THEN c.organisation END"
        " AS unit FROM change_commits k JOIN changes c ON c.commit_id = k.id"
        " WHERE k.number > $1 AND k.number <= $2 AND c.kind = ANY($3::text[]))"
        " SELECT vehicle_no AS no FROM found UNION SELECT v.no FROM found JOIN vehicles v ON v.organisation = found.unit",
        seen,
        newest,
        FLEET,
    )
    return FleetChanges(bool(rows), sorted(row["no"] for row in rows if row["no"] is not None), newest)


async def hold_changes(conn: Connection) -> None:
    """From here to the end of the transaction nobody else commits a change. Call it late: all who change wait."""
    await conn.execute("SELECT pg_advisory_xact_lock($1)", _COMMIT_LOCK)


async def drop_changes(conn: Connection) -> None:
    """Delete what every reader has read and is older than a day, but for the newest commit of it: by that a reader sees
    that what came after its place is not kept any more. Nothing is kept for a reader that was not there for
    LOOK_BACK_DAYS."""
    await conn.execute(
        "WITH last AS (SELECT max(number) AS number FROM change_commits WHERE noted_at < now() - interval '1 day'"
        " AND number < COALESCE((SELECT min(number) FROM change_readers WHERE seen_at > now() - make_interval(days => $1)),"
        " (SELECT max(number) FROM change_commits))),"
        " dropped AS (DELETE FROM changes c USING change_commits k, last"
        " WHERE c.commit_id = k.id AND k.number < last.number)"
        " DELETE FROM change_commits k USING last WHERE k.number < last.number",
        LOOK_BACK_DAYS,
    )


async def note_order_times(conn: Connection, orders: Sequence[str]) -> None:
    """The track showed when vehicles left for orders or came back (``order_track_times``, no table of facts: it has no trigger).
    Kind ``order_times``."""
    if orders:
        await conn.execute(
            "INSERT INTO changes (commit_id, kind, subject, vehicle_no, from_time)"
            " SELECT change_commit(), 'order_times', o.id, v.no, o.planned_departure FROM current_dispatch_orders o"
            " JOIN vehicles v ON v.id = o.vehicle WHERE o.id = ANY($1::text[]) ORDER BY o.id",
            sorted(orders),
        )
