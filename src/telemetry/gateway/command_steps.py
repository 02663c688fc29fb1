"""Steps of commands that were heard of or decided in this gateway, until they stand in the database."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from runtime.faults import of_one_fact
from telemetry.commands.steps import CommandStep
from telemetry.commands.thread import Happened, Written, append
from telemetry.gateway import metrics

logger = logging.getLogger(__name__)

#: Steps that are written together.
_TOGETHER: Final = 2_000


@dataclass(frozen=True, slots=True, eq=False)
class _Heard:
    """A step of a command of ``kind``, and what is done when it stands."""

    step: Happened
    kind: str
    then: Callable[[], None] | None = None


class StepsToWrite:
    """They are kept in their order for as long as the database is away. Few: a command under way has a handful of them.
    ``written(step, done)`` is called for each when it stands."""

    def __init__(self, written: Callable[[Happened, Written], None]) -> None:
        self._written = written
        self._heard: list[_Heard] = []

    def add(self, step: Happened, kind: str, then: Callable[[], None] | None = None) -> None:
        """A step, to be written; ``then`` is called when it stands."""
        self._heard.append(_Heard(step, kind, then))

    def commands(self) -> set[int]:
        """Numbers of the commands whose steps are not written yet."""
        return {each.step.no for each in self._heard}

    async def write(self, connection: Any) -> None:
        """Write what waits. Where the answer of the database is lost it is written again, which changes nothing."""
        while self._heard:
            heard = self._heard[:_TOGETHER]
            results = await self._append(connection, heard)
            del self._heard[: len(heard)]
            for each, done in zip(heard, results, strict=True):
                if done.counted:
                    metrics.COMMANDS.labels(each.kind, each.step.step).inc()
                elif each.step.step is not CommandStep.RELEASED:
                    metrics.COMMAND_ANSWERS_IGNORED.labels("late").inc()
                self._written(each.step, done)
                if each.then is not None:
                    each.then()

    async def _append(self, connection: Any, heard: Sequence[_Heard]) -> list[Written]:
        """A step on which the program fails stops no other: it is written without what the terminal said."""
        try:
            async with connection.transaction():
                return await append(connection, [each.step for each in heard])
        except Exception as error:
            if not of_one_fact(error):
                raise
            metrics.COMMAND_FAULTS.inc()
            if len(heard) > 1:
                return [done for each in heard for done in await self._append(connection, [each])]
            step = heard[0].step
            logger.error(
                "程序故障，请报告 / a fault of the program on a step of command %d", step.no, exc_info=error
            )
            if step.detail is None and step.raw is None:
                return [Written(None, False)]
            return await self._append(
                connection, [replace(heard[0], step=replace(step, detail=None, raw=None))]
            )
