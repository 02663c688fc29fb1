"""Waiting for what happens elsewhere: in another task, another process, the database.

A test waits for a condition, never for a time: on a busy machine any time is too short. The deadline is only there so that
a fault ends the test with a word, and is far beyond what the thing takes. Where time itself is the subject (a silence that
must end a connection, a wait that must be over by itself) the test sleeps, and says so beside it: ``# time: why``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

#: Far more than anything here takes on a machine that does nothing else.
PATIENCE_S: Final = 120.0
_STEP_S: Final = 0.02


async def until(
    condition: Callable[[], object | Awaitable[object]], what: str, patience_s: float = PATIENCE_S
) -> None:
    """Return when ``condition()``, a function or a coroutine function, is true. Fails with ``what`` after ``patience_s``."""
    deadline = time.monotonic() + patience_s
    while True:
        found = condition()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return
        assert time.monotonic() < deadline, f"within {patience_s:g} s it did not happen: {what}"
        await asyncio.sleep(_STEP_S)


def wait_until(condition: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """The same, outside an event loop."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"within {patience_s:g} s it did not happen: {what}"
        time.sleep(_STEP_S)
