"""Webhooks and their deliveries, as they are kept and shown. All SQL of ``webhooks`` and ``webhook_tests`` that asks for no
lease; sending is in ``deliveries``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rules.alerts.feed import ring
from runtime.connection import Connection


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook. ``filled``: up to this place of the feed its deliveries have been made."""

    subscription_no: int
    url: str
    filled: int
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_reason: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """What is on its way, what was given up, how many secrets sign."""

    waiting: int
    dead: int
    secrets: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """An entry of the feed on its way to a webhook."""

    no: int
    subscription_no: int
    seq: int
    alert_id: str
    version: int
    organisation: str
    state: str
    attempts: int
    due_at: datetime
    last_error: str | None
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt. ``error`` None = delivered; ``status`` None = no answer."""

    at: datetime
    took_ms: int
    status: int | None
    error: str | None
    answer: str | None


_WEBHOOK: Final = "subscription_no, url, filled, failing_since, disabled_at, disabled_reason"
DELIVERY: Final = "no, subscription_no, seq, alert_id, version, organisation, state, attempts, due_at, last_error, created_at, ended_at"


async def put(
    connection: Connection, subscription_no: int, url: str, enabled: bool, begin: int
) -> tuple[Webhook, bool]:
    """Make the webhook of a subscription, which delivers what lies behind ``begin``, or change the one that is there; whether
    it is new. ``enabled``: it goes on where it was, and what failed is tried at once."""
    row = await connection.fetchrow(
        "INSERT INTO webhooks (subscription_no, url, filled, disabled_at, disabled_reason)"  # noqa: S608 - constant
        " VALUES ($1, $2, $4, CASE WHEN NOT $3 THEN now() END, CASE WHEN NOT $3 THEN $5 END)"
        " ON CONFLICT (subscription_no) DO UPDATE SET url = EXCLUDED.url, updated_at = now(),"
        " failing_since = CASE WHEN $3 THEN NULL ELSE webhooks.failing_since END,"
        " disabled_at = CASE WHEN NOT $3 THEN COALESCE(webhooks.disabled_at, now()) END,"
        " disabled_reason = CASE WHEN NOT $3 THEN COALESCE(webhooks.disabled_reason, $5) END"
        f" RETURNING {_WEBHOOK}, xmax = 0 AS is_new",
        subscription_no,
        url,
        enabled,
        begin,
        "由其所有者停用 · disabled by its owner",
    )
    if enabled:
        await try_now(connection, subscription_no)
    return _webhook(row), bool(row["is_new"])


async def find(connection: Connection, subscription_no: int) -> Webhook | None:
    """The webhook of a subscription, or None."""
    row = await connection.fetchrow(
        f"SELECT {_WEBHOOK} FROM webhooks WHERE subscription_no = $1",  # noqa: S608 - constant
        subscription_no,
    )
    return None if row is None else _webhook(row)


async def remove(connection: Connection, subscription_no: int) -> bool:
    """Delete the webhook with its secrets and deliveries; whether it was there."""
    done = await connection.execute("DELETE FROM webhooks WHERE subscription_no = $1", subscription_no)
    return bool(done == "DELETE 1")


async def counts(connection: Connection, subscription_no: int) -> Counts:
    """What is on its way, given up, and how many secrets sign."""
    row = await connection.fetchrow(
        "SELECT count(*) FILTER (WHERE state = 'waiting') AS waiting, count(*) FILTER (WHERE state = 'dead') AS dead,"
        " (SELECT count(*) FROM webhook_secrets WHERE subscription_no = $1 AND (expires_at IS NULL OR expires_at > now()))"
        " AS secrets FROM webhook_deliveries WHERE subscription_no = $1 AND state IN ('waiting', 'dead')",
        subscription_no,
    )
    return Counts(row["waiting"], row["dead"], row["secrets"])


async def go_back(connection: Connection, subscription_no: int, place: int) -> None:
    """Deliver what lies behind ``place`` again, if the webhook was further."""
    await connection.execute(
        "UPDATE webhooks SET filled = LEAST(filled, $2), updated_at = now() WHERE subscription_no = $1",
        subscription_no,
        place,
    )


async def try_now(connection: Connection, subscription_no: int) -> None:
    """What waits for its next attempt is due now."""
    await connection.execute(
        "UPDATE webhook_deliveries SET due_at = now() WHERE subscription_no = $1 AND state = 'waiting' AND due_at > now()",
        subscription_no,
    )


async def list_deliveries(
    connection: Connection, subscription_no: int, state: str | None, limit: int, before: int | None
) -> list[Delivery]:
    """Deliveries of a webhook, newest first, those ``before`` a number."""
    rows = await connection.fetch(
        f"SELECT {DELIVERY} FROM webhook_deliveries WHERE subscription_no = $1"  # noqa: S608 - constant
        + ("" if state is None else " AND state = $4")
        + " AND no < $2 ORDER BY no DESC LIMIT $3",
        subscription_no,
        2**62 if before is None else before,
        limit,
        *([] if state is None else [state]),
    )
    return [delivery_of(row) for row in rows]


async def find_delivery(
    connection: Connection, subscription_no: int, no: int
) -> tuple[Delivery, list[Tried]] | None:
    """A delivery of a webhook and its last attempts, newest first; None when there is no such one."""
    row = await connection.fetchrow(
        f"SELECT {DELIVERY} FROM webhook_deliveries WHERE subscription_no = $1 AND no = $2",  # noqa: S608 - constant
        subscription_no,
        no,
    )
    if row is None:
        return None
    tried = await connection.fetch(
        "SELECT at, took_ms, status, error, answer FROM webhook_attempts WHERE delivery_no = $1 ORDER BY no DESC",
        no,
    )
    return delivery_of(row), [Tried(**dict(one)) for one in tried]


async def send_again(connection: Connection, subscription_no: int, no: int) -> Delivery | None:
    """Put a delivery on its way again, with all its attempts; None when there is no such one. One that is on its way is due
    now."""
    row = await connection.fetchrow(
        "UPDATE webhook_deliveries SET state = 'waiting', attempts = CASE WHEN state = 'waiting' THEN attempts ELSE 0 END,"  # noqa: S608 - constant
        f" due_at = now(), ended_at = NULL WHERE subscription_no = $1 AND no = $2 RETURNING {DELIVERY}",
        subscription_no,
        no,
    )
    await ring(connection)
    return None if row is None else delivery_of(row)


async def ask_for_test(connection: Connection, subscription_no: int) -> int:
    """Ask for a test delivery; its number."""
    number = await connection.fetchval(
        "INSERT INTO webhook_tests (subscription_no) VALUES ($1) RETURNING no", subscription_no
    )
    await ring(connection)
    return int(number)


async def result_of_test(connection: Connection, no: int) -> Tried | None:
    """What came of a test delivery; None while it is not done."""
    row = await connection.fetchrow(
        "SELECT ended_at AS at, took_ms, status, error, answer FROM webhook_tests WHERE no = $1 AND ended_at IS NOT NULL",
        no,
    )
    return None if row is None else Tried(**dict(row))


def delivery_of(row: Any) -> Delivery:
    """A delivery of a row with the columns DELIVERY."""
    return Delivery(
        row["no"], row["subscription_no"], row["seq"], row["alert_id"], row["version"], row["organisation"], row["state"],
        row["attempts"], row["due_at"], row["last_error"], row["created_at"], row["ended_at"],
    )  # fmt: skip


def _webhook(row: Any) -> Webhook:
    return Webhook(
        row["subscription_no"],
        row["url"],
        row["filled"],
        row["failing_since"],
        row["disabled_at"],
        row["disabled_reason"],
    )
