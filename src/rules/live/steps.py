"""Which step of a transaction is done: for the time that each takes, and for where one failed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from rules.live import metrics

#: The steps of a transaction, in order (``rules.live.transaction``).
STEPS: Final = ("offsets", "positions", "facts", "tracks", "episodes", "recompute", "settle", "publish")


class Steps:
    """Of the transaction under way, or of the last one. ``checkpoint`` is called with the name of each step when it is done, inside
    the transaction (tests raise there)."""

    def __init__(self, checkpoint: Callable[[str], None] | None) -> None:
        self._checkpoint = checkpoint or (lambda _step: None)
        self._last, self._at = "", 0.0  # done last, and when

    def prepare(self) -> None:
        """A transaction is about to begin; what it needs is made before."""
        self._last = ""

    def begin(self) -> None:
        """It has begun."""
        self._at, self._last = time.perf_counter(), "begun"

    def done(self, step: str) -> None:
        """``step`` is done: one of STEPS, or a part of one."""
        now, self._last = time.perf_counter(), step
        if step in STEPS:
            metrics.STEP_SECONDS.labels(step).observe(now - self._at)
        self._at = now
        self._checkpoint(step)

    @property
    def failed_at(self) -> str:
        """The step that came after the last one that was done."""
        if self._last not in STEPS:
            return STEPS[0] if self._last else "partitions"
        return STEPS[min(STEPS.index(self._last) + 1, len(STEPS) - 1)]
