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
from registry.working_days import Calendar
from rules.alerts.feed import publish_feed
from rules.alerts.publish import publish
from rules.judge import metrics, queue
from rules.judge.context import Change, Desk, Gatherer, Later
from rules.navigation.base import Navigator
from rules.wording.standard import STANDARD, Wording
from runtime.migrations import require_schema
from runtime.postgres import DATABASE_ERRORS, connect, connection_lost
from runtime.units import CHINA, US_PER_S, from_us
from telemetry.archive.partitions import clock_us
from telemetry.archive.store import Archive

_logger = logging.getLogger(__name__)

CHANGES_AT_ONCE: Final = 5_000
KEYS_AT_ONCE: Final = 500
IDLE_S: Final = 1.0
#: What is left is counted every so often.
COUNT_S: Final = 10.0
#: A key that cannot be judged for a fault of the program is tried again after so long, then ever longer.
FAULT_PAUSE_US: Final = 300 * US_PER_S
_LEADER_LOCK: Final = 0x676F6E67_6A756467  # "gongjudg"


class Judge:
    """See the module docstring. ``now_us`` is the clock (tests have their own), ``wording`` the sentences of alerts."""

    def __init__(
        self,
        dsn: str,
        gatherers: Sequence[Gatherer],
        navigator: Navigator,
        *,
        now_us: Callable[[], int] = clock_us,
        wording: Wording = STANDARD,
    ) -> None:
        self._dsn = dsn
        self._gatherers = gatherers
        self._navigator = navigator
        self._now_us = now_us
        self._wording = wording
        self._conn: Any = None
        self._warned: date | None = None
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
                pause = 0.2
                wait = 0.0 if busy else IDLE_S
            except DATABASE_ERRORS as error:
                _logger.warning("the database failed, trying again in %.1f s: %s", pause, error)
                await self.close()
                wait, pause = pause, min(2 * pause, 10.0)
            if wait:
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), wait)
            else:
                await asyncio.sleep(0)

    async def close(self) -> None:
        """Give up the lead."""
        connection, self._conn, self.leads = self._conn, None, False
        metrics.LEADER.set(0)
        if connection is not None:
            connection.terminate()

    async def turn(self) -> bool:
        """Take changed facts, strike the clocks, judge one batch of each gatherer; whether there was anything to do.
        Does nothing while another judge leads. Raises ConfigurationError when the database has another schema."""
        if not await self._lead():
            return False
        # Every time, for a migration does not break our connection: an old judge that was forgotten must not go on.
        await require_schema(self._conn)
        desk = await self._desk()
        busy = await self._take_changes(desk)
        if busy:  # parameters may be among them that were set after the desk had read them
            desk = await self._desk()
        for gatherer in self._gatherers:
            busy |= await self._strike(desk, gatherer)
            busy |= await self._judge_due(desk, gatherer)
        if time.monotonic() >= self._count_at:
            await self._count(desk)
        return busy

    async def _count(self, desk: Desk) -> None:
        """Show what is left. It counts a whole table, so not in every turn: a city's has 100,000 subjects that wait."""
        changes, keys = await queue.backlog(self._conn, desk.now_us)
        metrics.CHANGES.set(changes)
        for gatherer in self._gatherers:
            due, waiting = keys.get(gatherer.name, (0, 0))
            metrics.DUE.labels(gatherer.name).set(due)
            metrics.WAITING.labels(gatherer.name).set(waiting)
        self._count_at = time.monotonic() + COUNT_S

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

    async def _desk(self) -> Desk:
        now, archive = self._now_us(), Archive(now_us=self._now_us)
        calendar = await load_calendar(self._conn)
        self._look_for_gaps(calendar, from_us(now).astimezone(CHINA).date())
        return Desk(
            conn=self._conn,
            archive=archive,
            navigator=self._navigator,
            calendar=calendar,
            parameters=await load_parameters(self._conn),
            now_us=now,
            known_us=await queue.known_until(self._conn, archive, now),
        )

    def _look_for_gaps(self, calendar: Calendar, today: date) -> None:
        """Show the years in use whose working days are not known, and say it once a day."""
        missing = calendar.unpublished(today)
        metrics.CALENDAR_MISSING.set(len(missing))
        if missing and today != self._warned:
            self._warned = today
            _logger.warning(
                "the working days of %s are not known: rules that need them give no result there; upgrade, or enter the"
                " days of the State Council's notice (PUT /v1/calendar-days/DAY)",
                ", ".join(map(str, missing)),
            )

    async def _take_changes(self, desk: Desk) -> bool:
        async with self._conn.transaction():
            if (newest := await queue.missed_changes(self._conn)) is not None:
                _logger.warning(
                    "changes were dropped before they were read: all of the last months is judged again"
                )
                for gatherer in self._gatherers:
                    whole = await gatherer.between(desk, max(0, desk.now_us - LOOK_BACK_US), desk.now_us)
                    await queue.put_due(self._conn, gatherer.name, dict.fromkeys(whole, desk.now_us))
                await queue.changes_taken(self._conn, newest)
                return True
            rows, place = await queue.take_changes(self._conn, CHANGES_AT_ONCE)
            if place is None:
                return False
            changes = [Change(*row) for row in rows]
            for gatherer in self._gatherers:
                keys = await gatherer.affected(desk, changes)
                if keys:
                    await queue.put_due(self._conn, gatherer.name, keys)
            await queue.changes_taken(self._conn, place)
        return True

    async def _strike(self, desk: Desk, gatherer: Gatherer) -> bool:
        async with self._conn.transaction():
            through = await queue.clock_of(self._conn, gatherer.name)
            since = max(0, desk.known_us - LOOK_BACK_US) if through is None else through
            if desk.known_us <= since:
                return False
            keys = await gatherer.strike(desk, since, desk.known_us)
            if keys:
                await queue.put_due(self._conn, gatherer.name, keys)
            await queue.set_clock(self._conn, gatherer.name, desk.known_us)
        return bool(keys)

    async def _judge_due(self, desk: Desk, gatherer: Gatherer) -> bool:
        due = await queue.due_keys(self._conn, gatherer.name, desk.now_us, KEYS_AT_ONCE)
        if not due:
            return False
        begun = time.perf_counter()
        keys = list(due)
        try:
            await gatherer.prepare(desk, keys)
            await self._judge(desk, gatherer, keys)
        except Exception as error:
            if connection_lost(error):
                raise
            # A fault of the program, or of one subject's facts: the others are judged all the same.
            _logger.exception("%s: judging %d subjects failed, one by one now", gatherer.name, len(keys))
            for key in keys:
                await self._judge_alone(desk, gatherer, key, due[key])
        metrics.SECONDS.labels(gatherer.name).observe(time.perf_counter() - begun)
        return True

    async def _judge_alone(self, desk: Desk, gatherer: Gatherer, key: str, attempts: int) -> None:
        try:
            await gatherer.prepare(desk, [key])
            await self._judge(desk, gatherer, [key])
        except Exception as error:
            if connection_lost(error):
                raise
            metrics.KEYS.labels(gatherer.name, "failed").inc()
            _logger.exception("%s: %s cannot be judged, tried again later", gatherer.name, key)
            pause = FAULT_PAUSE_US * 2 ** min(attempts, 8)
            why = f"fault: {type(error).__name__}: {error}"[:500]
            await queue.put_off(self._conn, gatherer.name, [(key, desk.now_us + pause, why)])

    async def _judge(self, desk: Desk, gatherer: Gatherer, keys: Sequence[str]) -> None:
        async with self._conn.transaction():
            verdicts = await gatherer.judge(desk, keys)
            alerts = await publish(self._conn, verdicts.judgements, self._wording)
            await self._settle_keys(gatherer, keys, verdicts.later)
            await publish_feed(self._conn, alerts)
        for judgement in verdicts.judgements:
            metrics.EVALUATIONS.labels(judgement.rule, judgement.outcome).inc()
        for alert in alerts:
            metrics.ALERTS.labels(alert.rule, alert.status).inc()
        metrics.KEYS.labels(gatherer.name, "put off").inc(len(verdicts.later))
        metrics.KEYS.labels(gatherer.name, "judged").inc(len(keys) - len(verdicts.later))

    async def _settle_keys(self, gatherer: Gatherer, keys: Sequence[str], later: dict[str, Later]) -> None:
        await queue.drop_due(self._conn, gatherer.name, [key for key in keys if key not in later])
        if later:
            rows = [(key, put.due_us, put.why) for key, put in later.items()]
            await queue.put_off(self._conn, gatherer.name, rows)
