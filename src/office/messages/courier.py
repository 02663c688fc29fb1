"""The part of ``gongche deliver`` that sends messages to people.

Its state is in PostgreSQL (``outbox``). Killed at any time, another one goes on: what was being sent then may arrive twice, with
the same Message-ID; nothing is lost. A channel that stalls or fails has few places of its own kind, and its own pause.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter as Tally
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from prometheus_client import Counter, Gauge

from office.identity.keys import Sealer
from office.messages import bots, budgets, channels, letters, outbox, receivers
from office.messages.carriers import Carrier, hidden
from office.messages.outbox import Work
from office.messages.outcomes import Outcome, Result
from office.messages.texts import Item, Links, code_text
from office.requests.messages import sentence as trip_sentence
from runtime.bell import Bell
from runtime.postgres import is_outage
from runtime.turns import Turns, spread
from runtime.units import CHINA

KINDS: Final = ("email", "webhook", *bots.BOTS)
#: Channels of one kind that are served at a time, and of these such whose last attempt failed.
MOST_OF_KIND: Final = 8
MOST_FAILING: Final = 2
#: A lease lasts so much longer than handing over may take.
_LEASE_MORE_S: Final = 30.0
_STATE_S: Final = 5.0
_CLEAN_S: Final = 600.0
#: After a refusal the channel rests: the next message may fare no better.
_REFUSED_S: Final = 60.0
#: When the mail server fails, all mail rests: at first, and at most.
_SERVER_S: Final = 5.0
_SERVER_MOST_S: Final = 300.0
#: Messages whose receivers are looked up in one turn.
_MOST_TOLD: Final = 500
#: How often it is tried to note what came of a message, while the database does not answer.
_NOTES: Final = 5

SENT: Final = Counter("gongche_messages_attempts_total", "Attempts to hand messages over", ["kind", "result"])
for _kind in KINDS:
    for _result in Result:
        SENT.labels(_kind, _result.value)
FAULTS: Final = Counter(
    "gongche_messages_faults_total", "Faults of the program on messages; the rest was sent", ["where"]
)
for _where in ("message", "receivers", "housekeeping", "turn"):
    FAULTS.labels(_where)
TURNED: Final = Gauge(
    "gongche_messages_last_turn_timestamp_seconds", "When it was last looked for messages, seconds since 1970"
)
GAUGES: Final = {
    name: Gauge(f"gongche_messages_{metric}", what)
    for name, metric, what in (
        ("waiting", "waiting", "Messages that wait, those for the end of quiet hours too"),
        ("oldest_s", "oldest_waiting_seconds", "For how long the oldest of them has waited"),
        ("dead", "dead_letters", "Messages that were given up within a day"),
        ("failing", "failing_channels", "Channels whose last attempt failed"),
        ("unsorted", "unsorted", "Messages whose receivers were not looked up yet"),
    )
}

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """``pauses_s``: before a failing channel is tried again, the last one stays. ``most_s``: handing over takes no longer."""

    pauses_s: Sequence[float]
    give_up_s: float
    keep_days: int
    most_s: float


class Courier:
    """Sends messages until told to stop. ``sentence``: (number, step, state) in words."""

    def __init__(
        self,
        pool: Any,
        carrier: Carrier,
        sealer: Sealer,
        plan: Plan,
        links: Links,
        sentence: Callable[[str | None, str, str], str],
        bell: Bell,
    ) -> None:
        self._pool, self._carrier, self._sealer, self._plan = pool, carrier, sealer, plan
        self._links, self._sentence = links, sentence
        self._turns = Turns("messages", FAULTS, TURNED, bell, _logger)
        self._under_way: dict[asyncio.Task[None], Work] = {}
        self._counted_at = self._cleaned_at = -_CLEAN_S
        self._rests_until: dict[str, float] = {}  # kind -> when what all its channels use may work again
        self._server_failures: Tally[str] = Tally()
        #: Between two mails to one person, in seconds: what comes meanwhile goes together.
        self.pace_s = 30.0

    @property
    def trouble(self) -> str | None:
        """Why no message is sent now."""
        return self._turns.trouble

    async def run(self, stop: asyncio.Event) -> None:
        """Send until ``stop``; then end what is under way."""
        await self._turns.run(stop, self.turn, self._under_way)
        if self._under_way:
            await asyncio.wait(set(self._under_way), timeout=5)
        for task in list(self._under_way):
            task.cancel()  # its lease ends by itself

    async def turn(self) -> bool:
        """Look up receivers and begin to send what is due; whether there is more to do at once."""
        async with self._pool.acquire(timeout=5) as connection:
            with self._turns.apart("housekeeping", "housekeeping of messages"):
                await self._keep_house(connection)
            more = await self._tell(connection)
            due = await outbox.kinds_due(connection)
            for kind in KINDS:
                if kind in due:
                    await self._begin(connection, kind)
        return more

    async def _tell(self, connection: Any) -> bool:
        """Put new messages on their way to everybody; whether there may be more."""
        everybody: receivers.Receivers | None = None
        after, told = 0, 0
        while told < _MOST_TOLD:
            message = None
            try:
                async with connection.transaction():
                    message = await outbox.next_told(connection, after)
                    if message is None:
                        return False
                    after, told = message["id"], told + 1
                    if everybody is None:
                        everybody = await receivers.load(connection)
                    unit, permission = message["organisation"], message["permission"]
                    if message["person"] is not None:
                        found = everybody.of_person(message["person"])
                    elif message["trip"] is not None:
                        found = everybody.of_trips(unit, permission)
                    else:
                        found = everybody.of(unit, permission, secret=message["secret"])
                    if found:
                        await outbox.queue(connection, after, found, urgent=message["urgent"])
            except Exception as error:
                if is_outage(error):
                    raise
                # It stays in the list and is tried again in the next turn; those behind it go on.
                self._turns.fault("receivers", f"looking up the receivers of a message behind {after}", error)
                if message is None:
                    return False
        return True

    async def _begin(self, connection: Any, kind: str) -> None:
        if time.monotonic() < self._rests_until.get(kind, 0.0):
            return
        mine = [work for work in self._under_way.values() if work.kind == kind]
        failing = sum(work.failures > 0 for work in mine)
        room = MOST_OF_KIND - len(mine)
        if self._server_failures[kind]:
            room = min(room, 1 - len(mine))  # one asks whether the server is back
        now = datetime.now(UTC).astimezone(CHINA)
        minute = 60 * now.hour + now.minute
        lease_s = self._plan.most_s + _LEASE_MORE_S
        for also, most in ((False, room), (True, min(room, MOST_FAILING - failing))):
            if most <= 0:
                continue
            async with connection.transaction():
                found = await outbox.claim(connection, kind, most, lease_s, failing=also, minute=minute)
            room -= len(found)
            for work in found:
                task = asyncio.create_task(self._serve(work), name=f"message channel {work.channel_no}")
                self._under_way[task] = work
                task.add_done_callback(lambda done: self._under_way.pop(done, None))
            if room <= 0:
                break

    async def _serve(self, work: Work) -> None:
        # Whatever happens, its lease ends by itself and it is tried again; other channels go on.
        with self._turns.on_its_own("message", f"message channel {work.channel_no}"):
            await self._serve_one(work)

    async def _serve_one(self, work: Work) -> None:
        async with self._pool.acquire(timeout=5) as connection:
            try:
                address, secret = await channels.opened(connection, self._sealer, work.channel_no)
            except LookupError:
                return  # its owner has just deleted it
            facts = await outbox.facts_of(
                connection, [row.message for row in work.rows if row.message is not None]
            )
            if work.kind in bots.BOTS:
                bot = bots.BOTS[work.kind]
                async with connection.transaction():
                    pause = await budgets.take(connection, budgets.key_of(address), bot.per_min, bot.burst)
                    if pause > 0:
                        await outbox.wait(connection, work, pause, None, self._plan.give_up_s)
                        return
        outcome = await self._hand_over(work, address, secret, facts)
        SENT.labels(work.kind, outcome.result.value).inc()
        for again in range(_NOTES):
            try:
                async with self._pool.acquire(timeout=5) as connection, connection.transaction():
                    await self._note(connection, work, outcome, address)
                break
            except Exception as error:
                # What was sent and is not noted is sent twice.
                if not is_outage(error) or again == _NOTES - 1:
                    raise
                await asyncio.sleep(1 + again)

    async def _hand_over(self, work: Work, address: str, secret: str | None, facts: Sequence[Any]) -> Outcome:
        first = work.rows[0]
        if first.code is not None:
            code = self._sealer.open(first.code, f"message code {work.channel}")
            text = code_text(code, int(channels.CODE_LIFE.total_seconds() // 60), self._links)
            return await self._carrier.carry_code(work, address, secret, text, code)
        items = [
            Item(
                row["case_id"] or row["trip"],
                row["number"],
                row["step"],
                row["state"],
                self._sentence(row["number"], row["step"], row["state"])
                if row["trip"] is None
                else trip_sentence(row["trip"], row["number"], row["step"], row["state"]),
            )
            for row in facts
        ]
        return await self._carrier.carry(work, address, secret, items)

    async def _note(self, connection: Any, work: Work, outcome: Outcome, address: str) -> None:
        error = hidden(outcome.error or "", [address]).replace("\0", "")[:500]
        if not outcome.shared:
            self._server_failures[work.kind] = 0
        if outcome.result is Result.SENT:
            pace = self.pace_s if work.kind == "email" and work.rows[0].code is None else 0.0
            await outbox.sent(connection, work, pace)
        elif outcome.result is Result.REFUSED:
            await outbox.refused(connection, work, error, _REFUSED_S)
            _logger.warning("message channel %d: given up: %s", work.channel_no, error)
        elif outcome.result is Result.SLOWER and work.kind in bots.BOTS:
            await budgets.be_silent(connection, budgets.key_of(address), outcome.wait_s)
            await outbox.wait(connection, work, outcome.wait_s, error, self._plan.give_up_s)
        else:
            pauses = self._plan.pauses_s
            pause = spread(pauses[min(work.failures, len(pauses) - 1)])
            await outbox.later(
                connection, work, error, max(pause, outcome.wait_s), self._plan.give_up_s,
                channels.CODE_LIFE.total_seconds(),
            )  # fmt: skip
            if outcome.shared:
                self._let_rest(work.kind, error)

    def _let_rest(self, kind: str, error: str) -> None:
        """What all channels of a kind use has failed: they all wait, and one of them tries it again."""
        self._server_failures[kind] += 1
        failures = self._server_failures[kind]
        if failures == 1:
            _logger.warning("messages by %s rest: %s", kind, error)
        self._rests_until[kind] = time.monotonic() + min(_SERVER_MOST_S, _SERVER_S * 2 ** min(failures, 10))

    async def _keep_house(self, connection: Any) -> None:
        now = time.monotonic()
        if now - self._counted_at >= _STATE_S:
            self._counted_at = now
            for name, value in (await letters.state(connection)).items():
                GAUGES[name].set(value)
        if now - self._cleaned_at >= _CLEAN_S:
            self._cleaned_at = now
            await letters.clean(connection, self._plan.keep_days)
            await budgets.clean(connection)
