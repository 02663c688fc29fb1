"""When the worker begins its next turn: not before there is something to do, and at once where there is much."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rules.live import process
from rules.live.process import FULL_TURN, Worker

_EVERY_S = 0.05


class _Turns(Worker):
    """Each turn has ``rows`` positions in hand at once. The test's: nothing is read or written."""

    def __init__(self, rows: int, recomputing: bool) -> None:
        super().__init__(cast(Any, SimpleNamespace()), cast(Any, SimpleNamespace()))
        self._rows, self._recomputing = rows, recomputing
        self.begun: list[float] = []
        self.four = asyncio.Event()

    async def turn(self, *, isolate: bool = False) -> int:
        self._polled_at = time.perf_counter()
        self.begun.append(self._polled_at)
        self.counts.rows += self._rows
        await asyncio.sleep(0)
        if len(self.begun) == 4:
            self.four.set()
        return 1


@pytest.mark.parametrize(
    ("rows", "recomputing", "waits"),
    [
        (1, False, True),
        (FULL_TURN - 1, False, True),
        (FULL_TURN, False, False),
        (1, True, False),  # what has to be computed again goes on
        (0, False, False),  # the log has been waited for already
    ],
)
async def test_small_turns_wait_for_more(
    monkeypatch: pytest.MonkeyPatch, rows: int, recomputing: bool, waits: bool
) -> None:
    monkeypatch.setattr(process, "TURN_EVERY_S", _EVERY_S)
    worker, stop = _Turns(rows, recomputing), asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    await worker.four.wait()
    between = [after - before for before, after in zip(worker.begun, worker.begun[1:], strict=False)]
    stop.set()
    await asyncio.wait_for(running, 5)  # also one that waits for more stops at once
    # A turn that waits never comes too early, whatever else the machine does.
    assert min(between) >= _EVERY_S * 0.98 if waits else min(between) < _EVERY_S
