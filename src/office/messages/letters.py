"""What became of messages, for people and administrators: lists, sending again, counts, and what is forgotten. Reads and ends
rows of ``message_outbox``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from office.messages import outbox
from runtime.connection import Connection, affected

_COLUMNS: Final = (
    "o.no AS id, c.id AS channel, c.kind, c.shown AS address, COALESCE(m.case_id, m.trip) AS case, m.number, o.state, o.attempts, o.last_error,"
    " o.created_at, o.ended_at"
)

_HIDDEN: Final = (
    "case_hidden(m.case_id, (SELECT hidden_ids()), (SELECT hidden_plates()), (SELECT hidden_cards()))"
)
_MASKED: Final = _COLUMNS.replace(
    "COALESCE(m.case_id, m.trip) AS case, m.number",
    f"CASE WHEN {_HIDDEN} THEN masked_id('case', m.case_id) ELSE COALESCE(m.case_id, m.trip) END AS case,"
    f" CASE WHEN {_HIDDEN} THEN NULL ELSE m.number END AS number",
)


async def of_channels(
    connection: Connection, channels: Sequence[int], state: str | None, limit: int, before: int | None
) -> list[dict[str, Any]]:
    """Messages of ``channels``, newest first, those ``before`` a number."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM message_outbox o JOIN message_channels c ON c.no = o.channel_no"  # noqa: S608 - constants
        " LEFT JOIN messages m ON m.id = o.message_id WHERE o.channel_no = ANY($1::bigint[])"
        " AND ($2::text IS NULL OR o.state = $2) AND ($3::bigint IS NULL OR o.no < $3) ORDER BY o.no DESC LIMIT $4",
        list(channels), state, before, limit,
    )  # fmt: skip
    return [dict(row) for row in rows]


async def dead_of_people(
    connection: Connection, units: Sequence[str] | None, limit: int, before: int | None
) -> list[dict[str, Any]]:
    """Dead letters of people of ``units`` (None = of all) with who it was for, newest first: for who keeps the people. Who does so
    need not know of secret vehicles: their cases have masked ids, and no number."""
    rows = await connection.fetch(
        f"SELECT {_MASKED}, c.person FROM message_outbox o JOIN message_channels c ON c.no = o.channel_no"  # noqa: S608 - constants
        " JOIN users u ON u.id = c.person LEFT JOIN messages m ON m.id = o.message_id WHERE o.state = 'dead'"
        " AND ($1::text[] IS NULL OR u.organisation = ANY($1::text[])) AND ($2::bigint IS NULL OR o.no < $2)"
        " ORDER BY o.no DESC LIMIT $3",
        None if units is None else list(units), before, limit,
    )  # fmt: skip
    return [dict(row) for row in rows]


async def count_dead_of_people(connection: Connection, units: Sequence[str] | None, most: int) -> int:
    """How many they are; of more than ``most``, one more than that."""
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM (SELECT FROM message_outbox o JOIN message_channels c ON c.no = o.channel_no"
            " JOIN users u ON u.id = c.person WHERE o.state = 'dead' AND ($1::text[] IS NULL OR u.organisation = ANY($1::text[]))"
            " LIMIT $2) f",
            None if units is None else list(units),
            most + 1,
        )
    )


async def send_again(connection: Connection, no: int, channels: Sequence[int] | None) -> bool:
    """Put a dead letter about a case on its way again, as a new batch; False = there is no such one among ``channels`` (None =
    whichever). In the caller's transaction."""
    channel = await connection.fetchval(
        "SELECT channel_no FROM message_outbox WHERE no = $1 AND ($2::bigint[] IS NULL OR channel_no = ANY($2::bigint[]))",
        no,
        None if channels is None else list(channels),
    )
    if channel is None:
        return False
    await outbox.lock_lane(connection, channel)
    done = await connection.execute(
        "UPDATE message_outbox SET state = 'waiting', attempts = 0, batch = NULL, since = now(), ended_at = NULL"
        " WHERE no = $1 AND channel_no = $2 AND state = 'dead' AND message_id IS NOT NULL",
        no,
        channel,
    )
    if done != "UPDATE 1":
        return False
    await outbox.wake(connection, channel)
    return True


async def units_of_dead(connection: Connection, no: int) -> tuple[bool, str | None]:
    """(whether a person's message ``no`` is there, that person's unit)."""
    row = await connection.fetchrow(
        "SELECT u.organisation FROM message_outbox o JOIN message_channels c ON c.no = o.channel_no"
        " JOIN users u ON u.id = c.person WHERE o.no = $1",
        no,
    )
    return (False, None) if row is None else (True, row["organisation"])


async def state(connection: Connection) -> dict[str, float]:
    """For metrics: what waits and since when (seconds), what was given up within a day, channels that fail. What waits for the end
    of somebody's quiet hours counts as well."""
    row: Any = await connection.fetchrow(
        "SELECT (SELECT count(*) FROM message_outbox WHERE state = 'waiting') AS waiting,"
        " (SELECT COALESCE(EXTRACT(epoch FROM now() - min(since)), 0)::float8 FROM message_outbox WHERE state = 'waiting') AS oldest_s,"
        " (SELECT count(*) FROM message_outbox WHERE state = 'dead' AND message_id IS NOT NULL"
        " AND ended_at > now() - interval '1 day') AS dead,"
        " (SELECT count(*) FROM message_lanes WHERE failing_since IS NOT NULL) AS failing,"
        " (SELECT count(*) FROM message_fanout) AS unsorted"
    )
    return {name: float(value) for name, value in row.items()}


async def clean(connection: Connection, keep_days: int, most: int = 5_000) -> int:
    """Forget what ended more than ``keep_days`` ago, and what waits for people who may not come in any more; how many."""
    done = await connection.execute(
        "DELETE FROM message_outbox WHERE no IN (SELECT no FROM message_outbox WHERE ended_at IS NOT NULL"
        " AND ended_at < now() - make_interval(days => $1) LIMIT $2)",
        keep_days,
        most,
    )
    await connection.execute(
        "DELETE FROM message_outbox WHERE no IN (SELECT o.no FROM message_outbox o JOIN message_channels c ON c.no = o.channel_no"
        " JOIN users u ON u.id = c.person WHERE o.state = 'waiting' AND u.disabled_at IS NOT NULL LIMIT $1)",
        most,
    )
    return affected(done)
