"""The process that delivers webhooks: makes deliveries of what is new in the feed, sends them, tries again.

Its state is in PostgreSQL (``deliveries``). Killed at any time, it goes on where it was, and sends at most once more what the
receiver has already.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections import Counter as Tally
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from prometheus_client import Counter, Gauge, Histogram

from office.identity import secrecy
from office.identity.keys import Sealer
from office.identity.lookup import subject_by_id
from office.identity.scope import Reach
from office.identity.subject import Subject
from office.posting.poster import Answer, Poster
from office.posting.signatures import signed_headers
from office.subscriptions import deliveries, keys
from office.subscriptions.deliveries import Work
from office.subscriptions.events import EVENT, cloud_event, webhook_body
from office.subscriptions.reach import filter_for, visible_units
from office.subscriptions.store import Subscription, by_number
from office.subscriptions.webhooks import Delivery, find
from rules.alerts.feed import entry_at
from runtime.bell import Bell
from runtime.turns import Turns, spread

#: What a subscriber must be allowed to.
PERMISSION: Final = "alerts:read"
#: Deliveries under way: of one webhook, of one that fails, of the process.
MOST_OF_ONE: Final = 4
MOST_OF_FAILING: Final = 1
MOST: Final = 32
#: A lease lasts so much longer than a receiver may take.
_LEASE_MORE_S: Final = 30.0
_CLEAN_S: Final = 600.0
_STATE_S: Final = 5.0

SENT: Final = Counter("gongche_deliver_attempts_total", "Attempts to deliver to webhooks", ["result"])
SECONDS: Final = Histogram(
    "gongche_deliver_attempt_seconds",
    "How long an attempt took",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)
FAULTS: Final = Counter(
    "gongche_deliver_faults_total",
    "Faults of the program (not of a receiver, and no outage of the database); the rest was delivered",
    ["where"],
)
for _where in ("delivery", "webhook", "housekeeping", "test", "turn"):
    FAULTS.labels(_where)
#: A process that is alive and does nothing is seen by this.
TURNED: Final = Gauge(
    "gongche_deliver_last_turn_timestamp_seconds",
    "When it was last looked for deliveries, seconds since 1970",
)
GAUGES: Final = {
    name: Gauge(f"gongche_deliver_{metric}", what)
    for name, metric, what in (
        ("waiting", "waiting_deliveries", "Deliveries that wait"),
        (
            "oldest_s",
            "oldest_waiting_seconds",
            "For how long the oldest of them has waited, of webhooks that deliver",
        ),
        ("dead", "dead_letters", "Deliveries that were given up"),
        ("failing", "failing_webhooks", "Webhooks whose last delivery failed"),
        ("disabled", "disabled_webhooks", "Webhooks that are disabled"),
    )
}

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When to try again: pauses in seconds, one after each failure; and when to give a webhook up."""

    pauses_s: Sequence[float]
    disable_days: float
    keep_days: int


class Sender:
    """Delivers until told to stop. ``source``: of CloudEvents."""

    def __init__(
        self,
        pool: Any,
        poster: Poster,
        sealer: Sealer,
        schedule: Schedule,
        source: str,
        bell: Bell,
        timeout_s: float,
    ) -> None:
        self._pool, self._poster, self._sealer, self._schedule = pool, poster, sealer, schedule
        self._source, self.bell = source, bell
        self._turns = Turns("deliveries", FAULTS, TURNED, bell, _logger)
        self._lease_s = timeout_s + _LEASE_MORE_S
        self._under_way: Tally[int] = Tally()
        self._leases: dict[asyncio.Task[None], uuid.UUID] = {}
        self._cleaned_at = self._counted_at = -_CLEAN_S
        self._said: dict[int, str] = {}
        self._testing: asyncio.Task[None] | None = None

    @property
    def trouble(self) -> str | None:
        """Why nothing is delivered now."""
        return self._turns.trouble

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until ``stop``; then end what is under way."""
        await self._turns.run(stop, self.turn, self._leases)
        await self._finish()

    async def _finish(self) -> None:
        if self._testing is not None:
            self._testing.cancel()
        if self._leases:
            await asyncio.wait(set(self._leases), timeout=5)
        left = list(self._leases.items())
        for task, _ in left:
            task.cancel()
        await asyncio.gather(*(task for task, _ in left), return_exceptions=True)
        if left:
            with self._turns.on_its_own("turn", "giving back leases, which end by themselves"):
                async with self._pool.acquire(timeout=5) as connection:
                    await deliveries.give_back(connection, [lease for _, lease in left])

    async def turn(self) -> bool:
        """Make deliveries and begin to send what is due; whether there is more to do at once."""
        async with self._pool.acquire(timeout=5) as connection:
            with self._turns.apart("housekeeping", "housekeeping of webhooks"):
                await self._keep_house(connection)
            more = False
            for work in await deliveries.enabled_webhooks(connection):
                if work.behind or work.due:
                    with self._turns.apart("webhook", f"webhook of subscription {work.subscription_no}"):
                        more |= await self._serve(connection, work)
        if self._testing is None or self._testing.done():
            self._testing = asyncio.create_task(self._tests(), name="test deliveries")
        return more

    async def _serve(self, connection: Any, work: Work) -> bool:
        number = work.subscription_no
        subscription = await by_number(connection, number)
        if subscription is None:
            return False
        subject = await subject_by_id(connection, subscription.owner.kind, subscription.owner.id)
        if subject is None or not subject.may(PERMISSION):
            # Nothing is skipped: it goes on from here when the owner has the right again.
            self._say(number, "its owner has ended or has no right to alerts; nothing is delivered meanwhile")
            return False
        self._said.pop(number, None)
        more = False
        if work.behind:
            async with connection.transaction():
                wanted = await filter_for(connection, subject, PERMISSION, subscription.wanted)
                more = await deliveries.fill(connection, subscription, wanted, _reach(subject))
        most = MOST_OF_FAILING if work.failing else MOST_OF_ONE
        room = min(most - self._under_way[number], MOST - len(self._leases))
        if room > 0:
            for lease, delivery in await deliveries.claim(connection, number, room, self._lease_s):
                self._begin(lease, delivery, subscription)
        return more

    def _say(self, number: int, what: str) -> None:
        if self._said.get(number) != what:
            self._said[number] = what
            _logger.warning("webhook of subscription %d: %s", number, what)

    def _begin(self, lease: uuid.UUID, delivery: Delivery, subscription: Subscription) -> None:
        task = asyncio.create_task(
            self._deliver(lease, delivery, subscription), name=f"delivery {delivery.no}"
        )
        self._leases[task] = lease
        self._under_way[delivery.subscription_no] += 1

        def done(_: asyncio.Task[None]) -> None:
            del self._leases[task]
            self._under_way[delivery.subscription_no] -= 1

        task.add_done_callback(done)

    async def _deliver(self, lease: uuid.UUID, delivery: Delivery, subscription: Subscription) -> None:
        # Whatever happens, the lease ends by itself and it is tried again; everything else is delivered.
        with self._turns.on_its_own("delivery", f"delivery {delivery.no}"):
            await self._deliver_one(lease, delivery, subscription)

    async def _deliver_one(self, lease: uuid.UUID, delivery: Delivery, subscription: Subscription) -> None:
        async with self._pool.acquire(timeout=5) as connection:
            webhook = await find(connection, subscription.no)
            subject = await subject_by_id(connection, subscription.owner.kind, subscription.owner.id)
            if webhook is None or subject is None or not subject.may(PERMISSION):
                await deliveries.give_back(connection, [lease])
                return
            if not await _sees(connection, subject, delivery.organisation):
                await deliveries.withhold(connection, lease, delivery)
                SENT.labels("withheld").inc()
                return
            # As its owner may see it now, not as it was when the delivery was made: a vehicle may have become secret since.
            async with connection.transaction(), deliveries.seen_by(connection, _reach(subject)):
                entry = await entry_at(connection, delivery.seq)
            if entry is None:
                await deliveries.give_back(connection, [lease])
                return
            signed_with = await keys.signing_keys(connection, self._sealer, subscription.no)
        if subscription.cloud_events:
            content, body = EVENT, orjson.dumps(cloud_event(entry, self._source))
        else:
            content, body = "application/json", orjson.dumps(webhook_body(entry))
        answer = await self._post(
            webhook.url, f"msg_{subscription.no}_{delivery.seq}", signed_with, content, body
        )
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            await deliveries.note_attempt(connection, delivery, answer)
            if answer.error is None:
                await deliveries.succeeded(connection, lease, delivery)
                return
            since = await deliveries.failed(
                connection, lease, delivery, answer.error, self._pause(delivery, answer)
            )
            if (reason := self._gives_up(answer, since)) is not None:
                await deliveries.disable(connection, subscription.no, reason)
                _logger.warning("webhook of subscription %d is disabled: %s", subscription.no, reason)

    async def _post(
        self, url: str, id: str, signed_with: Sequence[bytes], content: str, body: bytes
    ) -> Answer:
        at = int(time.time())
        headers = signed_headers(signed_with, id, at, body, content)
        answer = await self._poster.post(url, headers, body)
        SENT.labels("delivered" if answer.error is None else "failed").inc()
        SECONDS.observe(answer.took_ms / 1000)
        return answer

    def _pause(self, delivery: Delivery, answer: Answer) -> float | None:
        """Seconds until the next attempt; None: there is none."""
        if delivery.attempts >= len(self._schedule.pauses_s):
            return None
        pause = spread(self._schedule.pauses_s[delivery.attempts])
        return max(pause, float(answer.retry_after_s or 0))

    def _gives_up(self, answer: Answer, since: datetime | None) -> str | None:
        if answer.status == 410:
            return "接收方答复 410：此地址不再使用 · the receiver answered 410: this address is not used any more"
        if since is not None and datetime.now(UTC) - since > timedelta(days=self._schedule.disable_days):
            days = f"{self._schedule.disable_days:g}"
            return f"连续 {days} 天推送失败 · no delivery has succeeded for {days} days: {answer.error}"[:500]
        return None

    async def _tests(self) -> None:
        """Do the test deliveries that were asked for, beside everything else."""
        with self._turns.on_its_own("test", "a test delivery"):
            while await self._test():
                pass

    async def _test(self) -> bool:
        """Do a test delivery that was asked for; whether there was one."""
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            asked = await deliveries.claim_test(connection)
            if asked is None:
                return False
            number, subscription_no, url = asked
            signed_with = await keys.signing_keys(connection, self._sealer, subscription_no)
            said = {
                "type": "cn.gongche.test.v1",
                "timestamp": datetime.now(UTC).isoformat(),
                "data": {"test": True},
            }
            body = json.dumps(said).encode()
            answer = await self._post(url, f"msg_test_{number}", signed_with, "application/json", body)
            await deliveries.end_test(connection, number, answer)
        return True

    async def _keep_house(self, connection: Any) -> None:
        now = time.monotonic()
        if now - self._counted_at >= _STATE_S:
            self._counted_at = now
            for name, value in (await deliveries.state(connection)).items():
                GAUGES[name].set(value)
        if now - self._cleaned_at >= _CLEAN_S:
            self._cleaned_at = now
            await deliveries.clean(connection, self._schedule.keep_days)
            await keys.forget_ended(connection)


def _reach(subject: Subject) -> Reach:
    """What the owner of a subscription may read of alerts."""
    return Reach(subject.reach(PERMISSION), subject.key, secrets=subject.reach(secrecy.PERMISSION))


async def _sees(connection: Any, subject: Subject, organisation: str) -> bool:
    units = await visible_units(connection, subject, PERMISSION)
    return units is None or organisation in units
