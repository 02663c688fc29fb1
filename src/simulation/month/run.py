"""Drives a scenario through the real worker and the real judge into a real database."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np

from registry.parameter_values import Threshold, put_threshold
from registry.records import KINDS, apply
from registry.seals import seal
from rules.judge.process import Judge
from rules.judge.subjects.all import GATHERERS
from rules.live.process import Worker
from rules.live.store.due import anything_due
from rules.live.store.recomputations import anything_waits
from rules.navigation.base import Navigator
from runtime.units import US_PER_S
from simulation.month.delivery import Step, waves
from simulation.plants.world import Fact, World
from telemetry.log import codec
from telemetry.log.base import POSITIONS, Record
from telemetry.log.sqlite import EmbeddedLogReader, EmbeddedLogWriter
from telemetry.positions import PositionBatch

Say = Callable[[int, int], None]
_ROWS_AT_ONCE = 5_000


class Clock:
    """The scenario's time, microseconds since 1970 UTC; it moves only when it is told."""

    def __init__(self, seconds: int) -> None:
        self.us = seconds * US_PER_S

    def __call__(self) -> int:
        return self.us


class Office:
    """Enters facts and sends reports: the part of the scenario that is not the program under test."""

    def __init__(self, pool: asyncpg.Pool, writer: EmbeddedLogWriter, world: World) -> None:
        self._pool, self._writer, self._world = pool, writer, world
        self._numbers: Any = None

    async def take(self, step: Step) -> None:
        """Everything of a step, facts first."""
        for wave in waves(step.facts):
            for start in range(0, len(wave), _ROWS_AT_ONCE):
                await self._enter(wave[start : start + _ROWS_AT_ONCE])
        for batch in step.reports:
            await self._send(batch)

    async def _enter(self, facts: list[Fact]) -> None:
        async with self._pool.acquire() as conn, conn.transaction():
            if facts[0].kind == "parameters":
                for fact in facts:
                    await put_threshold(conn, Threshold.model_validate(fact.body))
            elif facts[0].kind == "seals":
                for fact in facts:
                    since, until = (
                        datetime.fromisoformat(fact.body[name]) for name in ("sealed_from", "sealed_to")
                    )
                    await seal(conn, fact.body["vehicle"], since, until, fact.body["reason"])
            else:
                model = KINDS[facts[0].kind].model
                await apply(conn, [model.model_validate(f.body) for f in facts])

    async def _send(self, batch: PositionBatch) -> None:
        if self._numbers is None:
            self._numbers = await terminal_numbers(self._pool, self._world)
        await self._writer.append(
            [Record(POSITIONS, 0, codec.encode(with_numbers(batch, self._numbers)), codec.HEADERS)]
        )


async def terminal_numbers(pool: Any, world: World) -> Any:
    """Registry number of each of the world's terminals, int32; 0 = not registered yet."""
    known = {r["phone"]: r["no"] for r in await pool.fetch("SELECT phone, no FROM terminals")}
    return np.array([known.get(phone, 0) for phone in world.phones], np.int32)


def with_numbers(batch: PositionBatch, numbers: Any) -> PositionBatch:
    """The batch with the registry's terminal numbers instead of indices."""
    return replace(batch, terminal=numbers[batch.terminal])


class Machine:
    """A worker and a judge on one database and one log, in this process, by the scenario's clock."""

    def __init__(
        self, dsn: str, pool: asyncpg.Pool, log: Path, navigator: Navigator, clock: Clock,
        checkpoint: Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        self._pool = pool
        self._reader = EmbeddedLogReader(log, POSITIONS)
        self.worker = Worker(pool, self._reader, now_us=clock, checkpoint=checkpoint)
        self.judge = Judge(dsn, GATHERERS, navigator, now_us=clock)

    async def rest(self) -> None:
        """Work until there is nothing to do at this time of the clock."""
        while True:
            await self.worker.turn()
            while not await self._worked_off():
                await self.worker.turn()
            judged = False
            while await self.judge.turn():
                judged = True
            if not judged and await self._worked_off():
                return

    async def _worked_off(self) -> bool:
        waits = await anything_due(self._pool) or await anything_waits(self._pool)
        return not waits and not await self.worker.lag()

    async def close(self) -> None:
        """Stop; the navigator is the caller's."""
        await self.judge.close()
        await self._reader.close()


async def drive(
    world: World, steps: Iterable[Step], dsn: str, pool: asyncpg.Pool, log: Path, navigator: Navigator, *,
    say: Say | None = None,
) -> None:  # fmt: skip
    """All ``steps`` through a machine of this process. ``say(done, all)``: positions sent so far."""
    writer = EmbeddedLogWriter(log)
    office = Office(pool, writer, world)
    clock = Clock(world.facts[0].at_s)
    machine = Machine(dsn, pool, log, navigator, clock)
    sent = 0
    try:
        for step in steps:
            await office.take(step)
            clock.us = step.clock_s * US_PER_S
            await machine.rest()
            sent += sum(len(batch) for batch in step.reports)
            if say is not None:
                say(sent, len(world.reports))
    finally:
        await machine.close()
        await writer.close()
