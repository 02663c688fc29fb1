"""The state of messages on their way, in PostgreSQL. All SQL of ``message_outbox``, ``message_lanes`` and ``message_fanout``.

What is sent to one channel is sent by one process at a time, which holds the lease of the channel's lane; a lease of one that
was killed ends by itself. Messages that were first sent together (a batch) stay together, so that what is sent again has the same
Message-ID.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from runtime.connection import Connection, affected

#: Messages that wait for one channel, at most; what does not fit is counted, and told in the next digest.
MOST_WAITING: Final = 200
#: Messages of one digest.
MOST_OF_BATCH: Final = 100
CHANNEL: Final = "gongche_messages"


@dataclass(frozen=True, slots=True)
class Row:
    """A message that waits. ``code``: sealed; then it has nothing else."""

    no: int
    batch: int | None
    urgent: bool
    code: bytes | None
    since: datetime
    message: int | None


@dataclass(frozen=True, slots=True)
class Work:
    """A batch of a channel that this process has the lease of. ``personal``: of a person, not of a unit. ``skipped``: messages that
    did not fit."""

    channel_no: int
    channel: uuid.UUID
    kind: str
    personal: bool
    lease: uuid.UUID
    batch: int
    rows: tuple[Row, ...]
    failures: int
    skipped: int

    @property
    def message_id(self) -> str:
        """The same whenever this batch is sent again."""
        return f"{self.channel}_{self.batch}"


def choose(rows: Sequence[Row], *, quiet: bool, confirmed: bool) -> list[Row]:
    """Which of the waiting ``rows`` (by number) of a channel are sent together now. Codes go alone and first. Then what was
    tried together before; then everything that is new. In quiet hours only what is urgent, and what was tried with it."""
    codes = [row for row in rows if row.code is not None]
    if codes:
        return codes[-1:]  # an older code is void
    if not confirmed:
        return []
    wanted = [row for row in rows if row.urgent or not quiet]
    tried = sorted({row.batch for row in wanted if row.batch is not None})
    if tried:
        return [row for row in rows if row.batch == tried[0]]
    return wanted[:MOST_OF_BATCH]


async def open_lane(connection: Connection, no: int) -> None:
    """A new channel has its lane."""
    await connection.execute("INSERT INTO message_lanes (channel_no) VALUES ($1)", no)


async def lock_lane(connection: Connection, no: int) -> None:
    """To the end of the transaction nobody else queues or ends anything for this channel."""
    await connection.execute("SELECT FROM message_lanes WHERE channel_no = $1 FOR UPDATE", no)


async def wake(connection: Connection, no: int) -> None:
    """Something waits for this channel: have it sent at once."""
    await connection.execute(
        "UPDATE message_lanes SET waits_since = COALESCE(waits_since, now()), not_before = now() WHERE channel_no = $1",
        no,
    )
    await connection.execute(f"SELECT pg_notify('{CHANNEL}', '')")


async def add_code(connection: Connection, no: int, sealed: bytes) -> None:
    """A code on its way to a channel; older ones are forgotten."""
    await lock_lane(connection, no)
    await connection.execute(
        "UPDATE message_outbox SET state = 'dead', ended_at = now(), code = NULL, last_error = '已有新的确认码 · a newer code'"
        " WHERE channel_no = $1 AND state = 'waiting' AND code IS NOT NULL",
        no,
    )
    await connection.execute(
        "INSERT INTO message_outbox (channel_no, code, urgent) VALUES ($1, $2, true)", no, sealed
    )
    await wake(connection, no)


async def reset_lane(connection: Connection, no: int, *, forget: bool) -> None:
    """The channel was switched on or off: no failure counts any more. ``forget``: nor does what waits."""
    await lock_lane(connection, no)
    if forget:
        await connection.execute("DELETE FROM message_outbox WHERE channel_no = $1 AND state = 'waiting'", no)
    await connection.execute(
        "UPDATE message_lanes SET failures = 0, failing_since = NULL, last_error = NULL, not_before = now(),"
        " skipped = CASE WHEN $2 THEN 0 ELSE skipped END, waits_since = CASE WHEN $2 THEN NULL ELSE waits_since END"
        " WHERE channel_no = $1",
        no,
        forget,
    )


async def next_told(connection: Connection, after: int) -> Any:
    """A message behind ``after`` whose receivers were not looked up, taken from the list, or None: id, organisation, permission,
    urgent, secret: whether its case has to do with a secret vehicle; trip and person of one about a trip. In the transaction that calls ``queue``."""
    return await connection.fetchrow(
        "WITH taken AS (DELETE FROM message_fanout WHERE message_id = (SELECT message_id FROM message_fanout"
        " WHERE message_id > $1 ORDER BY message_id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING message_id)"
        " SELECT m.id, m.organisation, m.permission, m.trip, m.person, m.urgent OR COALESCE(c.level = 'urgent', false) AS urgent,"
        " m.trip IS NULL AND case_hidden(c.id, (SELECT hidden_ids()), (SELECT hidden_plates()), (SELECT hidden_cards())) AS secret"
        " FROM taken t JOIN messages m ON m.id = t.message_id LEFT JOIN cases c ON c.id = m.case_id",
        after,
    )


async def queue(connection: Connection, message: int, channels: Sequence[int], *, urgent: bool) -> None:
    """Put a message on its way to ``channels``. A queue that is full counts it; for what is urgent there is room for as many
    again, for it does not wait for the others (quiet hours). Again: nothing changes."""
    wanted = sorted(channels)
    # In the order of their numbers: two processes wait for each other, never both.
    await connection.execute(
        "SELECT FROM message_lanes WHERE channel_no = ANY($1::bigint[]) ORDER BY channel_no FOR UPDATE",
        wanted,
    )
    await connection.execute(
        "WITH made AS (INSERT INTO message_outbox (channel_no, message_id, urgent)"
        " SELECT l.channel_no, $2, $3 FROM message_lanes l WHERE l.channel_no = ANY($1::bigint[])"
        " AND (SELECT count(*) FROM message_outbox o WHERE o.channel_no = l.channel_no AND o.state = 'waiting') < $4"
        " ON CONFLICT DO NOTHING RETURNING channel_no)"
        " UPDATE message_lanes l SET waits_since = COALESCE(waits_since, now()),"
        " skipped = skipped + (NOT EXISTS (SELECT FROM made WHERE made.channel_no = l.channel_no))::integer"
        " WHERE l.channel_no = ANY($1::bigint[])",
        wanted, message, urgent, 2 * MOST_WAITING if urgent else MOST_WAITING,
    )  # fmt: skip


#: Lanes that it is time to look at.
_DUE: Final = "l.waits_since IS NOT NULL AND l.not_before <= now() AND (l.leased_until IS NULL OR l.leased_until < now())"


async def kinds_due(connection: Connection) -> set[str]:
    """The kinds of channels of which ``claim`` may find something: mostly none."""
    rows = await connection.fetch(
        f"SELECT DISTINCT c.kind FROM message_lanes l JOIN message_channels c ON c.no = l.channel_no WHERE {_DUE}"  # noqa: S608 - constant
    )
    return {row["kind"] for row in rows}


async def claim(
    connection: Connection, kind: str, most: int, lease_s: float, *, failing: bool, minute: int
) -> list[Work]:
    """Batches of at most ``most`` channels of ``kind`` that nobody sends to and for which something is due. ``failing``: also of
    channels whose last attempt failed. ``minute``: of the day in China. In a transaction."""
    quiet = (
        "(q.person IS NOT NULL AND CASE WHEN q.from_min < q.to_min THEN $4 >= q.from_min AND $4 < q.to_min"
        " ELSE $4 >= q.from_min OR $4 < q.to_min END)"
    )
    lanes = await connection.fetch(
        f"SELECT l.channel_no, l.failures, l.skipped, c.id, c.person IS NOT NULL AS personal, c.confirmed_at IS NOT NULL AS confirmed, {quiet} AS quiet"  # noqa: S608 - constants
        " FROM message_lanes l JOIN message_channels c ON c.no = l.channel_no LEFT JOIN users u ON u.id = c.person"
        " LEFT JOIN message_quiet_hours q ON q.person = c.person"
        f" WHERE {_DUE}"
        " AND c.kind = $1 AND c.enabled AND u.disabled_at IS NULL AND (l.failures = 0 OR $3)"
        " AND EXISTS (SELECT FROM message_outbox o WHERE o.channel_no = l.channel_no AND o.state = 'waiting'"
        f" AND (o.code IS NOT NULL OR (c.confirmed_at IS NOT NULL AND (o.urgent OR NOT {quiet}))))"
        " ORDER BY l.not_before LIMIT $2 FOR UPDATE OF l SKIP LOCKED",
        kind, most, failing, minute,
    )  # fmt: skip
    found = []
    for lane in lanes:
        rows = await connection.fetch(
            "SELECT no, batch, urgent, code, since, message_id FROM message_outbox WHERE channel_no = $1 AND state = 'waiting'"
            " ORDER BY no LIMIT $2",
            lane["channel_no"],
            2 * MOST_WAITING,
        )
        chosen = choose([Row(*row) for row in rows], quiet=lane["quiet"], confirmed=lane["confirmed"])
        if not chosen:
            continue
        lease, batch = uuid.uuid4(), chosen[0].batch or chosen[0].no
        await connection.execute(
            "UPDATE message_outbox SET batch = $2 WHERE no = ANY($1::bigint[]) AND batch IS NULL",
            [row.no for row in chosen],
            batch,
        )
        await connection.execute(
            "UPDATE message_lanes SET lease = $2, leased_until = now() + make_interval(secs => $3) WHERE channel_no = $1",
            lane["channel_no"],
            lease,
            lease_s,
        )
        found.append(
            Work(
                lane["channel_no"], lane["id"], kind, lane["personal"], lease, batch, tuple(chosen), lane["failures"],
                0 if chosen[0].code is not None else lane["skipped"],
            )
        )  # fmt: skip
    return found


async def facts_of(connection: Connection, messages: Sequence[int]) -> list[Mapping[str, Any]]:
    """Case or trip, number, step and state of ``messages``, in their order."""
    rows: list[Mapping[str, Any]] = await connection.fetch(
        "SELECT id, case_id, trip, number, step, state FROM messages WHERE id = ANY($1::bigint[]) ORDER BY id",
        list(messages),
    )
    return rows


async def _holds(connection: Connection, work: Work) -> bool:
    """Whether we still have the lease; from here to the end of the transaction nobody queues or ends anything there."""
    row = await connection.fetchrow(
        "SELECT true AS held FROM message_lanes WHERE channel_no = $1 AND lease = $2 FOR UPDATE",
        work.channel_no,
        work.lease,
    )
    return row is not None


_FREE: Final = (
    "lease = NULL, leased_until = NULL, waits_since = CASE WHEN EXISTS (SELECT FROM message_outbox o WHERE o.channel_no = $1"
    " AND o.state = 'waiting') THEN COALESCE(waits_since, now()) END"
)


async def sent(connection: Connection, work: Work, pace_s: float) -> None:
    """It was handed over. The next one goes ``pace_s`` later, so that what comes meanwhile goes together."""
    if not await _holds(connection, work):
        return
    await _end(connection, work, "sent", None)
    await connection.execute(
        f"UPDATE message_lanes SET failures = 0, failing_since = NULL, last_error = NULL, skipped = GREATEST(0, skipped - $2),"  # noqa: S608 - constants
        f" not_before = now() + make_interval(secs => $3), {_FREE} WHERE channel_no = $1",
        work.channel_no, work.skipped, pace_s,
    )  # fmt: skip


async def refused(connection: Connection, work: Work, error: str, pause_s: float) -> None:
    """It will never be taken: dead letters."""
    if await _holds(connection, work):
        await _end(connection, work, "dead", error)
        await _fail(connection, work, error, pause_s)


async def later(
    connection: Connection, work: Work, error: str, pause_s: float, give_up_s: float, code_life_s: float
) -> int:
    """It is tried again in ``pause_s``; what has been tried for ``give_up_s`` (a code: for its life) is given up. How many were."""
    if not await _holds(connection, work):
        return 0
    done = await connection.execute(
        "UPDATE message_outbox SET attempts = attempts + 1, last_error = $2, state = 'dead', ended_at = now(), code = NULL"
        " WHERE no = ANY($1::bigint[]) AND state = 'waiting'"
        " AND since < now() - make_interval(secs => CASE WHEN code IS NULL THEN $3::float8 ELSE $4::float8 END)",
        _numbers(work), error, give_up_s, code_life_s,
    )  # fmt: skip
    await connection.execute(
        "UPDATE message_outbox SET attempts = attempts + 1, last_error = $2 WHERE no = ANY($1::bigint[]) AND state = 'waiting'",
        _numbers(work),
        error,
    )
    await _fail(connection, work, error, pause_s)
    return affected(done)


async def wait(
    connection: Connection, work: Work, pause_s: float, error: str | None, give_up_s: float
) -> None:
    """The receiver takes no more now: the same batch in ``pause_s``. That is no failure; but what has waited for ``give_up_s`` is
    given up."""
    if await _holds(connection, work):
        await connection.execute(
            "UPDATE message_outbox SET last_error = COALESCE($2, last_error), state = 'dead', ended_at = now(), code = NULL"
            " WHERE no = ANY($1::bigint[]) AND state = 'waiting' AND since < now() - make_interval(secs => $3)",
            _numbers(work),
            error,
            give_up_s,
        )
        await connection.execute(
            f"UPDATE message_lanes SET not_before = now() + make_interval(secs => $2), last_error = COALESCE($3, last_error), {_FREE}"  # noqa: S608 - constants
            " WHERE channel_no = $1",
            work.channel_no, pause_s, error,
        )  # fmt: skip


async def _end(connection: Connection, work: Work, state: str, error: str | None) -> None:
    await connection.execute(
        "UPDATE message_outbox SET state = $2, attempts = attempts + 1, last_error = $3, ended_at = now(), code = NULL"
        " WHERE no = ANY($1::bigint[]) AND state = 'waiting'",
        _numbers(work), state, error,
    )  # fmt: skip


async def _fail(connection: Connection, work: Work, error: str, pause_s: float) -> None:
    await connection.execute(
        f"UPDATE message_lanes SET failures = failures + 1, failing_since = COALESCE(failing_since, now()), last_error = $2,"  # noqa: S608 - constants
        f" not_before = now() + make_interval(secs => $3), {_FREE} WHERE channel_no = $1",
        work.channel_no, error, pause_s,
    )  # fmt: skip


def _numbers(work: Work) -> list[int]:
    return [row.no for row in work.rows]
