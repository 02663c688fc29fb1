"""What changed in the registry. ``fact_changes``: which vehicle's results may have changed, and from when on, for the
worker that owns the vehicle. ``registry_changes``, written by triggers: which vehicles every worker has to read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, Literal

from runtime.connection import Connection
from runtime.units import US_PER_DAY

#: For facts that are kept without a time of their own: everything may rest on them.
SINCE_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)

#: How far back a change is followed: tracks and results of before are not computed again. Whatever waits for a late
#: position waits as long, and no order that began so long ago is looked for.
LOOK_BACK_DAYS: Final = 62
LOOK_BACK_US: Final = LOOK_BACK_DAYS * US_PER_DAY

#: How long anyone waits behind a long import.
LOCK_TIMEOUT_S: Final = 15

# One registry transaction at a time. Versions, bindings without overlap, plates and the vehicles that a
# change concerns are all decided on what is stored; one lock makes every such decision exact, and deadlock
# impossible.
_REGISTRY_LOCK: Final = 0x676F6E67_666C6565  # "gongflee"
#: Held by whoever commits a change, see migrations/0008_many_workers.sql.
_COMMIT_LOCK: Final = 0x676F6E67_72656763  # "gongregc"


async def lock_registry(connection: Connection) -> None:
    """Wait for, and hold to the end of the transaction, the right to change the registry. Call it first.

    Raises asyncpg.LockNotAvailableError after LOCK_TIMEOUT_S behind a long import.
    """
    await connection.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_S * 1000}")
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _REGISTRY_LOCK)


async def note_vehicles(
    connection: Connection,
    kind: Literal["order", "fence", "binding", "vehicle", "rows"],
    changes: Iterable[tuple[str, str, datetime]],
) -> None:
    """Record changes (subject, vehicle id, from_time) in the transaction that makes them; one row each
    pair.
    """
    earliest: dict[tuple[str, str], datetime] = {}
    for subject, vehicle, since in changes:
        key = (subject, vehicle)
        earliest[key] = min(since, earliest.get(key, since))
    if not earliest:
        return
    await connection.execute(
        "INSERT INTO fact_changes (kind, subject, vehicle_no, from_time)"
        " SELECT $1, c.subject, v.no, c.since"
        " FROM unnest($2::text[], $3::text[], $4::timestamptz[]) AS c (subject, vehicle, since)"
        " JOIN vehicles v ON v.id = c.vehicle ORDER BY c.subject, v.no",
        kind, [k[0] for k in earliest], [k[1] for k in earliest], list(earliest.values()),
    )  # fmt: skip


async def note_parameter(
    connection: Connection, subject: str, organisation: str | None, since: datetime
) -> None:
    """Record that a parameter has another value from ``since`` on, in the transaction that sets it: for the vehicles
    of ``organisation`` and those that have orders of it, None = for all vehicles."""
    await connection.execute(
        "INSERT INTO fact_changes (kind, subject, vehicle_no, from_time) SELECT 'parameter', $1, v.no, $2"
        " FROM vehicles v WHERE $3::text IS NULL OR v.organisation = $3 OR v.id IN"
        " (SELECT vehicle FROM dispatch_orders WHERE is_current AND organisation = $3) ORDER BY v.no",
        subject, since, organisation,
    )  # fmt: skip


async def newest_change(connection: Connection) -> int:
    """The number of the newest change of the registry."""
    return int(await connection.fetchval("SELECT COALESCE(max(seq), 0) FROM registry_changes"))


async def changed_vehicles(connection: Connection, seen: int) -> tuple[Sequence[int], int]:
    """(numbers of the vehicles that changed after the change ``seen``, the newest change). All vehicles where the
    changes after ``seen`` are not kept any more."""
    rows = await connection.fetch("SELECT seq, vehicle_no FROM registry_changes WHERE seq > $1", seen)
    if not rows:
        return (), seen
    newest = max(row["seq"] for row in rows)
    if await connection.fetchval("SELECT min(seq) FROM registry_changes") > seen:
        return [row["no"] for row in await connection.fetch("SELECT no FROM vehicles")], newest
    return sorted({row["vehicle_no"] for row in rows if row["vehicle_no"]}), newest


async def hold_registry(connection: Connection) -> None:
    """From here to the end of the transaction nobody commits a change. Call it late: registry and imports wait."""
    await connection.execute("SELECT pg_advisory_xact_lock_shared($1)", _COMMIT_LOCK)


async def drop_changes(connection: Connection) -> None:
    """Delete what is older than a day, but for the newest of it."""
    await connection.execute(
        "DELETE FROM registry_changes WHERE seq <"
        " (SELECT max(seq) FROM registry_changes WHERE noted_at < now() - interval '1 day')"
    )
