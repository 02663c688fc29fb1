"""The state of deliveries in PostgreSQL: made from the feed, leased to one sender at a time, ended.

Several processes send. None waits for another (SKIP LOCKED), none sends what another has a lease of, and a lease of one that
was killed ends by itself.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from office.identity.scope import Reach
from office.posting.poster import Answer
from office.subscriptions.store import Subscription
from office.subscriptions.webhooks import DELIVERY, Delivery, delivery_of, try_now
from rules.alerts.feed import read_feed_for
from rules.alerts.model import FeedFilter
from runtime.connection import Connection, affected


@dataclass(frozen=True, slots=True)
class Work:
    """A webhook that delivers. ``failing``: its last delivery failed; ``behind``: the feed has more; ``due``: something waits
    to be sent."""

    subscription_no: int
    failing: bool
    behind: bool
    due: bool


#: Of one webhook so many deliveries wait at a time; what comes behind them waits in the feed itself.
MOST_WAITING: Final = 1_000
_OF_W: Final = ", ".join(f"w.{column}" for column in DELIVERY.split(", "))
#: Attempts that are kept of one delivery.
MOST_ATTEMPTS_KEPT: Final = 20
#: A webhook that failed for longer than this, and succeeds again, gets what waited for its next attempt at once.
_RECOVERED_S: Final = 60


async def enabled_webhooks(connection: Connection) -> list[Work]:
    """What there is to do for the webhooks that deliver."""
    rows = await connection.fetch(
        "SELECT w.subscription_no, w.failing_since IS NOT NULL AS failing, w.filled < feed_end() AS behind, EXISTS (SELECT"
        " FROM webhook_deliveries d WHERE d.subscription_no = w.subscription_no AND d.state = 'waiting' AND d.due_at <= now()"
        " AND (d.leased_until IS NULL OR d.leased_until < now())) AS due FROM webhooks w WHERE w.disabled_at IS NULL"
        " ORDER BY w.subscription_no"
    )
    return [Work(*row) for row in rows]


@asynccontextmanager
async def seen_by(connection: Connection, reach: Reach) -> AsyncIterator[None]:
    """Within it the connection, which is in a transaction, sees what ``reach`` sees: of secret vehicles what is masked."""
    await connection.execute(reach.sql())
    yield
    await connection.execute("SET LOCAL ROLE NONE")


async def fill(connection: Connection, subscription: Subscription, wanted: FeedFilter, reach: Reach) -> bool:
    """Make the deliveries of what is new in the feed for an owner of this ``reach``; whether there may be more. In a
    transaction of the caller. Those that are there already (the place was set back) are put on their way again."""
    filled = await connection.fetchval(
        "SELECT filled FROM webhooks WHERE subscription_no = $1 AND disabled_at IS NULL FOR UPDATE SKIP LOCKED",
        subscription.no,
    )
    if filled is None:  # another process is at it
        return False
    waiting = await connection.fetchval(
        "SELECT count(*) FROM webhook_deliveries WHERE subscription_no = $1 AND state = 'waiting'",
        subscription.no,
    )
    room = MOST_WAITING - int(waiting)
    if room <= 0:
        return False
    async with seen_by(connection, reach):
        part = await read_feed_for(connection, filled, room, wanted)
    if part.place == filled:
        return False
    await connection.execute(
        "INSERT INTO webhook_deliveries (subscription_no, seq, alert_id, version, organisation)"
        " SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::integer[], $5::text[])"
        " ON CONFLICT (subscription_no, seq) DO UPDATE SET state = 'waiting', attempts = 0, due_at = now(), ended_at = NULL"
        " WHERE webhook_deliveries.state <> 'waiting'",
        subscription.no,
        [entry.seq for entry in part.entries],
        [entry.alert.id for entry in part.entries],
        [entry.alert.version for entry in part.entries],
        [entry.alert.organisation for entry in part.entries],
    )
    await connection.execute(
        "UPDATE webhooks SET filled = $2 WHERE subscription_no = $1", subscription.no, part.place
    )
    return part.more


async def claim(
    connection: Connection, subscription_no: int, most: int, lease_s: float
) -> list[tuple[uuid.UUID, Delivery]]:
    """(lease, delivery) of at most ``most`` that are due and that nobody sends; of each alert only the first that waits."""
    lease = uuid.uuid4()
    rows = await connection.fetch(
        "WITH chosen AS MATERIALIZED (SELECT d.no FROM webhook_deliveries d WHERE d.subscription_no = $1"  # noqa: S608 - constant
        " AND d.state = 'waiting' AND d.due_at <= now() AND (d.leased_until IS NULL OR d.leased_until < now())"
        " AND NOT EXISTS (SELECT FROM webhook_deliveries e WHERE e.subscription_no = $1 AND e.alert_id = d.alert_id"
        " AND e.seq < d.seq AND e.state = 'waiting') ORDER BY d.seq LIMIT $2 FOR UPDATE SKIP LOCKED)"
        " UPDATE webhook_deliveries w SET lease = $3, leased_until = now() + make_interval(secs => $4)"
        f" FROM chosen WHERE w.no = chosen.no RETURNING {_OF_W}",
        subscription_no,
        most,
        lease,
        lease_s,
    )
    return [(lease, found) for found in sorted(map(delivery_of, rows), key=lambda d: d.seq)]


async def note_attempt(connection: Connection, delivery: Delivery, answer: Answer) -> None:
    """Keep an attempt; of one delivery the newest MOST_ATTEMPTS_KEPT."""
    await connection.execute(
        "INSERT INTO webhook_attempts (delivery_no, took_ms, status, error, answer) VALUES ($1, $2, $3, $4, $5)",
        delivery.no,
        answer.took_ms,
        answer.status,
        answer.error,
        answer.text,
    )
    await connection.execute(
        "DELETE FROM webhook_attempts WHERE delivery_no = $1 AND no < (SELECT no FROM webhook_attempts WHERE delivery_no = $1"
        " ORDER BY no DESC OFFSET $2 LIMIT 1)",
        delivery.no,
        MOST_ATTEMPTS_KEPT - 1,
    )


async def succeeded(connection: Connection, lease: uuid.UUID, delivery: Delivery) -> None:
    """It was delivered. What waited because the webhook failed for long is due now."""
    await connection.execute(
        "UPDATE webhook_deliveries SET state = 'delivered', attempts = attempts + 1, ended_at = now(), last_error = NULL,"
        " lease = NULL, leased_until = NULL WHERE no = $1 AND lease = $2",
        delivery.no,
        lease,
    )
    since = await connection.fetchval(
        "UPDATE webhooks w SET failing_since = NULL FROM (SELECT subscription_no, failing_since FROM webhooks"
        " WHERE subscription_no = $1 AND failing_since IS NOT NULL FOR UPDATE) b WHERE w.subscription_no = b.subscription_no"
        " RETURNING b.failing_since < now() - make_interval(secs => $2)",
        delivery.subscription_no,
        _RECOVERED_S,
    )
    if since:
        await try_now(connection, delivery.subscription_no)


async def failed(
    connection: Connection, lease: uuid.UUID, delivery: Delivery, error: str, again_s: float | None
) -> datetime | None:
    """It was not delivered and is tried in ``again_s``, or never by itself (None: a dead letter). Since when the webhook has
    been failing."""
    await connection.execute(
        "UPDATE webhook_deliveries SET state = CASE WHEN $4::float8 IS NULL THEN 'dead' ELSE 'waiting' END,"
        " attempts = attempts + 1, last_error = $3, ended_at = CASE WHEN $4::float8 IS NULL THEN now() END,"
        " due_at = now() + make_interval(secs => COALESCE($4::float8, 0)), lease = NULL, leased_until = NULL"
        " WHERE no = $1 AND lease = $2",
        delivery.no,
        lease,
        error,
        again_s,
    )
    since: datetime | None = await connection.fetchval(
        "UPDATE webhooks SET failing_since = COALESCE(failing_since, now()) WHERE subscription_no = $1"
        " RETURNING failing_since",
        delivery.subscription_no,
    )
    return since


async def withhold(connection: Connection, lease: uuid.UUID, delivery: Delivery) -> None:
    """The owner may not see the unit of the alert any more: it is not sent."""
    await connection.execute(
        "UPDATE webhook_deliveries SET state = 'withheld', ended_at = now(), lease = NULL, leased_until = NULL,"
        " last_error = '订阅者已无权查看该单位 · the owner may not see this unit any more' WHERE no = $1 AND lease = $2",
        delivery.no,
        lease,
    )


async def give_back(connection: Connection, leases: Sequence[uuid.UUID]) -> None:
    """What was leased and not sent may be sent by others at once."""
    await connection.execute(
        "UPDATE webhook_deliveries SET lease = NULL, leased_until = NULL WHERE lease = ANY($1::uuid[]) AND state = 'waiting'",
        list(leases),
    )


async def disable(connection: Connection, subscription_no: int, reason: str) -> None:
    """The webhook delivers no more, until its owner lets it."""
    await connection.execute(
        "UPDATE webhooks SET disabled_at = now(), disabled_reason = $2, updated_at = now()"
        " WHERE subscription_no = $1 AND disabled_at IS NULL",
        subscription_no,
        reason,
    )


async def claim_test(connection: Connection) -> tuple[int, int, str] | None:
    """(number, subscription, URL) of a test delivery that was asked for just now, locked until the transaction ends; None when
    there is none."""
    row = await connection.fetchrow(
        "SELECT t.no, t.subscription_no, w.url FROM webhook_tests t JOIN webhooks w USING (subscription_no)"
        " WHERE t.ended_at IS NULL AND t.asked_at > now() - interval '1 minute' ORDER BY t.no LIMIT 1"
        " FOR UPDATE OF t SKIP LOCKED"
    )
    return None if row is None else (row["no"], row["subscription_no"], row["url"])


async def end_test(connection: Connection, no: int, answer: Answer) -> None:
    """What came of a test delivery."""
    await connection.execute(
        "UPDATE webhook_tests SET ended_at = clock_timestamp(), took_ms = $2, status = $3, error = $4, answer = $5 WHERE no = $1",
        no,
        answer.took_ms,
        answer.status,
        answer.error,
        answer.text,
    )


async def clean(connection: Connection, keep_days: int, most: int = 5_000) -> int:
    """Forget what ended more than ``keep_days`` ago, and old tests; how many deliveries."""
    await connection.execute("DELETE FROM webhook_tests WHERE asked_at < now() - interval '1 day'")
    done = await connection.execute(
        "DELETE FROM webhook_deliveries WHERE no IN (SELECT no FROM webhook_deliveries WHERE ended_at IS NOT NULL"
        " AND ended_at < now() - make_interval(days => $1) LIMIT $2)",
        keep_days,
        most,
    )
    return affected(done)


async def state(connection: Connection) -> dict[str, float]:
    """For metrics: what waits (and since when at most, in seconds), dead letters, webhooks that fail or are disabled."""
    row: Any = await connection.fetchrow(
        "SELECT (SELECT count(*) FROM webhook_deliveries WHERE state = 'waiting') AS waiting,"
        " (SELECT COALESCE(EXTRACT(epoch FROM now() - min(d.created_at)), 0)::float8 FROM webhook_deliveries d JOIN webhooks w"
        " USING (subscription_no) WHERE d.state = 'waiting' AND w.disabled_at IS NULL) AS oldest_s,"
        " (SELECT count(*) FROM webhook_deliveries WHERE state = 'dead') AS dead,"
        " count(*) FILTER (WHERE failing_since IS NOT NULL AND disabled_at IS NULL) AS failing,"
        " count(*) FILTER (WHERE disabled_at IS NOT NULL) AS disabled FROM webhooks"
    )
    return {name: float(value) for name, value in row.items()}
