"""The judge's loop: changed facts to keys, keys that are due to judgements.

However many judges run, one leads: the one whose connection holds an advisory lock, and everything that it writes goes
over that very connection, so that a judge that lost the lock cannot write either. Changed facts are kept until they are
keys, keys until they are judged, each in one transaction with what came of it: a crash at any point repeats work and
changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date
from typing import Any, Final

from registry.calendar import load_calendar
from registry.changes import LOOK_BACK_US
from registry.parameter_values import load_parameters
from registry.parameters import max_age_us
from registry.unreadable import CALENDAR_DAY
from registry.working_days import Calendar
from rules.alerts.feed import publish_feed
from rules.alerts.publish import publish
from rules.catalogue import RULES
from rules.checks import off_hours
from rules.faults import is_fault
from rules.judge import metrics, queue
from rules.judge.context import Change, Context, Gatherer, Later
from rules.judge.standing import to_publish
from rules.live.store.offsets import known_until
from rules.navigation.base import Navigator
from rules.wording.standard import STANDARD, Wording
from runtime.database_says import cause, takes_no_writes
from runtime.errors import text_of
from runtime.migrations import require_schema
from runtime.postgres import DATABASE_ERRORS, connect, connection_lost
from runtime.units import CHINA, US_PER_DAY, US_PER_S, from_us, midnight_us
from telemetry.archive.partitions import clock_us
from telemetry.archive.store import Archive
from telemetry.terminals import notices

_logger = logging.getLogger(__name__)

CHANGES_AT_ONCE: Final = 5_000
KEYS_AT_ONCE: Final = 500
IDLE_S: Final = 1.0
#: What is left is counted every so often.
COUNT_S: Final = 10.0
#: A key that cannot be judged for a fault of the program is tried again after so long, then ever longer.
FAULT_PAUSE_US: Final = 300 * US_PER_S
#: How often gatherers are asked again about changes on which they failed.
ASK_AGAIN_US: Final = 60 * US_PER_S
#: How often it is asked whether positions have come that subjects wait for.
WAKE_US: Final = 10 * US_PER_S
#: Rules that need to know whether a day is worked.
OF_WORKING_DAYS: Final = (off_hours.RULE,)
_LEADER_LOCK: Final = 0x676F6E67_6A756467  # "gongjudg"


class Judge:
    """See the module docstring. ``now_us`` is the clock (tests have their own), ``wording`` the sentences of alerts,
    ``retention_days``: so long positions are kept."""

    def __init__(
        self,
        dsn: str,
        gatherers: Sequence[Gatherer],
        navigator: Navigator,
        *,
        now_us: Callable[[], int] = clock_us,
        wording: Wording = STANDARD,
        retention_days: int = 400,
    ) -> None:
        self._dsn = dsn
        self._gatherers = gatherers
        self._navigator = navigator
        self._now_us = now_us
        self._wording = wording
        self._retention_days = retention_days
        self._conn: Any = None
        self._warned: date | None = None
        self._trouble: str | None = None
        self._woken_us = -WAKE_US
        #: Until when everything received was processed when nothing was left to do; None = there was something.
        self._idle_at_us: int | None = None
        #: Gatherer -> (when its clock is looked at again after a fault, how often it has failed).
        self._again: dict[str, tuple[int, int]] = {}
        self._asked_us = 0  # when gatherers were asked last about changes on which they had failed
        self._count_at = 0.0
        self.leads = False
        metrics.declare(gatherers)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set. A database that does not answer is tried again, at most every 10 s. Raises
        ConfigurationError when it has another schema."""
        pause = 0.2
        while not stop.is_set():
            try:
                busy = await self.turn()
                pause, self._trouble = 0.2, None
                wait = 0.0 if busy else IDLE_S
            except DATABASE_ERRORS as error:
                self._trouble = cause(error)
                _logger.warning("nothing is judged, trying again in %.1f s: %s", pause, self._trouble)
                await self.close()
                wait, pause = pause, min(2 * pause, 10.0)
            if wait:
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), wait)
            else:
                await asyncio.sleep(0)

    def trouble(self) -> str | None:
        """Why the last turn of ``run`` failed, for readiness; None when it did not."""
        return self._trouble

    async def close(self) -> None:
        """Give up the lead."""
        connection, self._conn, self.leads = self._conn, None, False
        self._idle_at_us = None
        metrics.LEADER.set(0)
        if connection is not None:
            connection.terminate()

    async def turn(self) -> bool:
        """Take changed facts, look at the clocks, judge one batch of each gatherer; whether there was anything to do.
        Does nothing while another judge leads. Raises ConfigurationError when the database has another schema."""
        if not await self._lead():
            return False
        # Every time, for a migration does not break our connection: an old judge that was forgotten must not go on.
        await require_schema(self._conn)
        if await self._nothing_new():
            return False
        context = await self._context()
        busy = await self._take_changes(context)
        if busy:  # parameters may be among them that were set after the context had read them
            context = await self._context()
        if abs(context.now_us - self._woken_us) >= WAKE_US:
            await queue.wake(self._conn, context.now_us)
            self._woken_us = context.now_us
        ask_again = abs(context.now_us - self._asked_us) >= ASK_AGAIN_US
        if ask_again:
            self._asked_us = context.now_us
        for gatherer in self._gatherers:
            busy |= await self._clocks(context, gatherer)
            if ask_again:
                await self._ask_again(context, gatherer)
            busy |= await self._judge_due(context, gatherer)
        if time.monotonic() >= self._count_at:
            try:
                await self._count(context)
            except Exception as error:  # nobody is judged by what is shown
                if not is_fault(error):
                    raise
                self._count_at = time.monotonic() + COUNT_S
                _logger.error("what is left cannot be counted", exc_info=error)
        self._idle_at_us = None if busy else context.known_us
        return busy

    async def _nothing_new(self) -> bool:
        """Whether nothing was left to do, and nothing has come since: no change, no key that is due, no clock that went on. By
        two short statements, where a whole turn asks each gatherer. Every WAKE_US it is asked all the same."""
        now = self._now_us()
        if self._idle_at_us is None or abs(now - self._woken_us) >= WAKE_US:
            return False
        if await known_until(self._conn, Archive(now_us=self._now_us), now) != self._idle_at_us:
            return False
        return not await queue.anything(self._conn, [gatherer.name for gatherer in self._gatherers], now)

    async def _count(self, context: Context) -> None:
        """Show what is left. It counts a whole table, so not in every turn: a city's has 100,000 subjects that wait."""
        for kind, count in (await notices.open_counts(self._conn)).items():
            metrics.NOTICES.labels(kind).set(count)
        changes, keys = await queue.backlog(self._conn, context.now_us)
        metrics.CHANGES.set(changes)
        for gatherer in self._gatherers:
            due, waiting = keys.get(gatherer.name, (0, 0))
            metrics.DUE.labels(gatherer.name).set(due)
            metrics.WAITING.labels(gatherer.name).set(waiting)
        self._count_at = time.monotonic() + COUNT_S

    async def ask(self, since_us: int) -> dict[str, int]:
        """Have everything judged (again) that happened from ``since_us`` to now: gatherer -> how many subjects. Whichever judge
        leads does them, as those that are due. Raises what ``turn`` raises."""
        await self._lead()
        context = await self._context()
        counts = {}
        async with self._conn.transaction():
            for gatherer in self._gatherers:
                keys = await gatherer.between(context, since_us, context.now_us)
                await queue.put_due(self._conn, gatherer.name, dict.fromkeys(keys, context.now_us))
                counts[gatherer.name] = len(keys)
        return counts

    async def due(self) -> int:
        """How many subjects are due now. Raises what ``turn`` raises."""
        await self._lead()
        _, keys = await queue.backlog(self._conn, self._now_us())
        return sum(due for due, _ in keys.values())

    async def _lead(self) -> bool:
        if self._conn is None or self._conn.is_closed():
            self._conn, self.leads = await connect(self._dsn), False
            await require_schema(self._conn)  # also one that stands by says at once that it is of no use
        if not self.leads:
            self.leads = bool(await self._conn.fetchval("SELECT pg_try_advisory_lock($1)", _LEADER_LOCK))
            metrics.LEADER.set(int(self.leads))
            if self.leads:
                _logger.info("this judge leads")
        return self.leads

    async def _context(self) -> Context:
        now, archive = self._now_us(), Archive(now_us=self._now_us)
        calendar = await load_calendar(self._conn)
        self._look_for_gaps(calendar, from_us(now).astimezone(CHINA).date())
        parameters = await load_parameters(self._conn)
        archive.max_age_us = max_age_us(parameters)
        return Context(
            conn=self._conn,
            archive=archive,
            navigator=self._navigator,
            calendar=calendar,
            parameters=parameters,
            now_us=now,
            known_us=await known_until(self._conn, archive, now),
            # Whole UTC days are dropped.
            kept_from_us=(now // US_PER_DAY - self._retention_days) * US_PER_DAY,
        )

    def _look_for_gaps(self, calendar: Calendar, today: date) -> None:
        """Show the years in use whose working days are not known, and say once a day from when on and which rules wait."""
        metrics.CALENDAR_MISSING.set(len(calendar.unpublished(today)))
        metrics.UNREADABLE_FACTS.labels(CALENDAR_DAY).set(len(calendar.unreadable))
        since = calendar.unknown_from(today)
        metrics.CALENDAR_UNKNOWN_FROM.set(0 if since is None else midnight_us(since) / US_PER_S)
        if since is not None and today != self._warned:
            self._warned = today
            waiting = [f"{rule.name} {rule.code}" for rule in RULES if rule.code in OF_WORKING_DAYS]
            _logger.warning(
                "自 %s 起是否工作日尚不可知，等待的规则：%s（夜间照常判断，白天行驶待公布后自动补判）。请升级，或录入国务院办公厅通知的日子"
                " / from %s on it is not known which days are worked: %s waits there with what was driven by day, and is judged by"
                " itself when the days are known; nights are judged as ever. Upgrade, or enter the days of the State Council's"
                " notice: PUT /v1/calendar-days/%s",
                since, "、".join(waiting), since, ", ".join(OF_WORKING_DAYS), since,
            )  # fmt: skip

    async def _take_changes(self, context: Context) -> bool:
        async with self._conn.transaction():
            if (newest := await queue.missed_changes(self._conn)) is not None:
                _logger.warning(
                    "changes were dropped before they were read: all of the last months is judged again"
                )
                for gatherer in self._gatherers:
                    await self._put_everything(context, gatherer)
                await queue.changes_taken(self._conn, newest)
                return True
            rows, place = await queue.take_changes(self._conn, CHANGES_AT_ONCE)
            if place is None:
                return False
            changes = [Change(*row) for row in rows]
            for gatherer in self._gatherers:
                await self._affected(context, gatherer, changes)
            await queue.changes_taken(self._conn, place)
        return True

    async def _put_everything(self, context: Context, gatherer: Gatherer) -> None:
        """All keys of the last months. A gatherer that fails on that keeps no other back; `gongche judge` asks it again."""
        try:
            async with self._conn.transaction():
                whole = await gatherer.between(context, max(0, context.now_us - LOOK_BACK_US), context.now_us)
                await queue.put_due(self._conn, gatherer.name, dict.fromkeys(whole, context.now_us))
        except Exception as error:
            if not is_fault(error):
                raise
            self._failed(gatherer, "everything of the last months (gongche judge --since)", error)

    async def _affected(self, context: Context, gatherer: Gatherer, changes: Sequence[Change]) -> None:
        """Put the keys that ``changes`` concern into the queue, in the transaction that takes them. A change on which the
        gatherer fails is kept, and it is asked about that one again later."""
        try:
            async with self._conn.transaction():
                await self._put_affected(context, gatherer, changes)
        except Exception as error:
            if not is_fault(error):
                raise
            if len(changes) > 1:
                half = len(changes) // 2
                await self._affected(context, gatherer, changes[:half])
                await self._affected(context, gatherer, changes[half:])
                return
            self._failed(gatherer, f"the change {changes[0]}", error)
            due_us = context.now_us + FAULT_PAUSE_US
            await queue.keep_change(self._conn, gatherer.name, changes[0], due_us, _why(error))

    async def _put_affected(self, context: Context, gatherer: Gatherer, changes: Sequence[Change]) -> None:
        keys = await gatherer.affected(context, changes)
        if keys:
            await queue.put_due(self._conn, gatherer.name, keys)

    async def _ask_again(self, context: Context, gatherer: Gatherer) -> None:
        """The changes on which ``gatherer`` failed, once more."""
        kept = await queue.kept_changes(self._conn, gatherer.name, context.now_us, KEYS_AT_ONCE)
        for change, attempts in kept.items():
            try:
                async with self._conn.transaction():
                    await self._put_affected(context, gatherer, [change])
                    await queue.drop_change(self._conn, gatherer.name, change)
            except Exception as error:
                if not is_fault(error):
                    raise
                self._failed(gatherer, f"the change {change}", error)
                due_us = context.now_us + _pause_us(attempts)
                await queue.put_off_change(self._conn, gatherer.name, change, due_us, _why(error))

    async def _clocks(self, context: Context, gatherer: Gatherer) -> bool:
        """What the clock brings to ``gatherer``. When it fails on that, the others are not held up; it is tried again
        later, from where it was."""
        due_us, attempts = self._again.get(gatherer.name, (0, 0))
        if context.now_us < due_us:
            return False
        try:
            found = await self._by_clock(context, gatherer)
        except Exception as error:
            if not is_fault(error):
                raise
            self._again[gatherer.name] = context.now_us + _pause_us(attempts), attempts + 1
            self._failed(gatherer, "what the clock brings", error)
            return False
        self._again.pop(gatherer.name, None)
        return found

    def _failed(self, gatherer: Gatherer, what: str, error: Exception) -> None:
        metrics.KEYS.labels(gatherer.name, "failed").inc()
        _logger.error("%s: failed on %s, tried again later", gatherer.name, what, exc_info=error)

    async def _by_clock(self, context: Context, gatherer: Gatherer) -> bool:
        async with self._conn.transaction():
            through = await queue.clock_of(self._conn, gatherer.name)
            since = max(0, context.known_us - LOOK_BACK_US) if through is None else through
            if context.known_us <= since:
                return False
            keys = await gatherer.by_clock(context, since, context.known_us)
            if keys:
                await queue.put_due(self._conn, gatherer.name, keys)
            await queue.set_clock(self._conn, gatherer.name, context.known_us)
        return bool(keys)

    async def _judge_due(self, context: Context, gatherer: Gatherer) -> bool:
        due = await queue.due_keys(self._conn, gatherer.name, context.now_us, KEYS_AT_ONCE)
        if not due:
            return False
        begun = time.perf_counter()
        keys = list(due)
        try:
            await gatherer.prepare(context, keys)
            await self._judge(context, gatherer, keys)
        except Exception as error:
            if connection_lost(error) or takes_no_writes(error):
                raise
            # A fault of the program, or of one subject's facts: the others are judged all the same.
            _logger.exception("%s: judging %d subjects failed, one by one now", gatherer.name, len(keys))
            for key in keys:
                await self._judge_alone(context, gatherer, key, due[key])
        metrics.SECONDS.labels(gatherer.name).observe(time.perf_counter() - begun)
        return True

    async def _judge_alone(self, context: Context, gatherer: Gatherer, key: str, attempts: int) -> None:
        try:
            await gatherer.prepare(context, [key])
            await self._judge(context, gatherer, [key])
        except Exception as error:
            if connection_lost(error) or takes_no_writes(error):
                raise
            metrics.KEYS.labels(gatherer.name, "failed").inc()
            _logger.exception("%s: %s cannot be judged, tried again later", gatherer.name, key)
            due_us = context.now_us + _pause_us(attempts)
            await queue.put_off(self._conn, gatherer.name, {key: Later(due_us, _why(error))})

    async def _judge(self, context: Context, gatherer: Gatherer, keys: Sequence[str]) -> None:
        async with self._conn.transaction():
            verdicts = await gatherer.judge(context, keys)
            judgements = await to_publish(self._conn, verdicts)
            alerts = await publish(self._conn, judgements, self._wording)
            await self._settle_keys(gatherer, keys, verdicts.later)
            await publish_feed(self._conn, alerts)
        for judgement in judgements:
            metrics.EVALUATIONS.labels(judgement.rule, judgement.outcome).inc()
        for alert in alerts:
            metrics.ALERTS.labels(alert.rule, alert.status).inc()
        metrics.KEYS.labels(gatherer.name, "put off").inc(len(verdicts.later))
        metrics.KEYS.labels(gatherer.name, "judged").inc(len(keys) - len(verdicts.later))

    async def _settle_keys(self, gatherer: Gatherer, keys: Sequence[str], later: dict[str, Later]) -> None:
        await queue.drop_due(self._conn, gatherer.name, [key for key in keys if key not in later])
        if later:
            await queue.put_off(self._conn, gatherer.name, later)


def _pause_us(attempts: int) -> int:
    return FAULT_PAUSE_US << min(attempts, 8)


def _why(error: Exception) -> str:
    return f"fault: {text_of(error)}"[:500]
