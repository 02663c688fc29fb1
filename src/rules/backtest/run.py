"""A backtest: one read-only transaction over one state of the database, subject after subject.

Nothing is written, and PostgreSQL is told so: the transaction is READ ONLY. It is REPEATABLE READ, so that all of it
speaks of one moment, takes no lock that a worker or the judge waits for, and asks no engine.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from registry import parameters
from registry.calendar import load_calendar
from registry.organisations import organisation_exists
from registry.parameter_values import load_parameters
from registry.vehicles import plates_by_number
from rules.backtest import episodes, judged
from rules.backtest.model import Question, Row
from rules.checks import location
from rules.judge import queue
from rules.judge.context import Context
from rules.live.store import recomputations
from rules.live.store.due import anything_due
from rules.live.store.offsets import known_until
from rules.navigation.frozen import FrozenRoutes
from runtime.connection import Connection
from telemetry.archive.partitions import clock_us, hold_days
from telemetry.archive.read import Track
from telemetry.archive.store import Archive


@dataclass(slots=True)
class Progress:
    """How far a backtest is. ``total``: orders, fills, cards, months, days or vehicles to judge; ``done``: of those;
    ``positions``: stored positions read so far."""

    total: int = 0
    done: int = 0
    positions: int = 0


class _Counted(Archive):
    """An archive that counts what it reads."""

    def __init__(self, progress: Progress, now_us: Callable[[], int]) -> None:
        super().__init__(now_us=now_us)
        self._progress = progress

    async def track(self, *args: Any, **options: Any) -> Track:
        found = await super().track(*args, **options)
        self._progress.positions += len(found.batch)
        return found

    async def edges(self, *args: Any, **options: Any) -> Track:
        found = await super().edges(*args, **options)
        self._progress.positions += len(found.batch)
        return found


class Backtest:
    """A question over one state of the database. ``open`` makes one."""

    def __init__(self, context: Context, question: Question, progress: Progress, pending: int) -> None:
        self._context, self._question = context, question
        self.progress = progress
        #: Changed facts and keys that the judge, or the worker, has not taken yet: what differs may be theirs.
        self.pending = pending

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        conn: Connection,
        question: Question,
        *,
        engine: str | None = None,
        now_us: Callable[[], int] = clock_us,
    ) -> AsyncIterator[Backtest]:
        """Begin on ``conn`` (not in a transaction). ``engine``: whose frozen routes count, None = of the engine that
        answered last."""
        progress, now = Progress(), now_us()
        archive = _Counted(progress, now_us)
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            await hold_days(conn)
            rows = await load_parameters(conn)
            archive.max_age_us = parameters.max_age_us(rows)
            context = Context(
                conn=conn,
                archive=archive,
                navigator=FrozenRoutes(engine),
                calendar=await load_calendar(conn),
                parameters=parameters.override(rows, question.rule, question.values, question.organisation),
                now_us=now,
                known_us=await known_until(conn, archive, now),
                numbers_only=True,
            )
            changes, keys = await queue.backlog(conn, now)
            pending = changes + sum(due for due, _ in keys.values())
            pending += await anything_due(conn) + await recomputations.count(conn, None)
            yield cls(context, question, progress, pending)

    async def organisation_exists(self) -> bool:
        """Whether the organisation of the question, if it names one, is registered."""
        organisation = self._question.organisation
        return organisation is None or await organisation_exists(self._context.conn, organisation)

    async def rows(self) -> AsyncIterator[list[Row]]:
        """The rows of the answer, a few hundred subjects at a time, always in the same order."""
        async for done, rows in self._pieces():
            self.progress.done += done
            yield rows

    async def _pieces(self) -> AsyncIterator[tuple[int, list[Row]]]:
        context, question, progress = self._context, self._question, self.progress
        if question.rule == location.RULE:
            snapshot, vehicles = await episodes.vehicles_of(context, question)
            progress.total = len(vehicles)
            found = episodes.location_rows(context, question, snapshot, vehicles)
        else:
            gatherer = judged.gatherer_of(question.rule)
            if gatherer is None:
                raise LookupError(f"nothing judges {question.rule}")
            keys = await judged.keys_of(context, gatherer, question)
            progress.total = len(keys)
            found = judged.judged_rows(
                context, gatherer, question, keys, await plates_by_number(context.conn)
            )
        async for piece in found:
            yield piece
