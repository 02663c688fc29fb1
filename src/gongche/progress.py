"""How far a command is: in place on a terminal, and where its output goes to a file, a line now and then."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Final, TextIO

#: Seconds between two looks of the same thing: on a terminal, and in a file, where each is a line that stays.
TTY_S: Final = 1.0
FILE_S: Final = 60.0


def is_terminal(stream: TextIO) -> bool:
    """Whether what goes to ``stream`` is seen, and not kept: a one-time password goes there only."""
    return stream.isatty()


def in_place(stream: TextIO) -> bool:
    """Whether a line of ``stream`` can be written over: it is a terminal, and one that knows how to."""
    return is_terminal(stream) and os.environ.get("TERM", "") != "dumb"


def report_every_s(stream: TextIO) -> float:
    """Seconds between two lines that both stay, on ``stream``."""
    return 5.0 if in_place(stream) else FILE_S


class Progress:
    """A line on ``stream`` (stderr) that says how far something is; ``clock`` in seconds. Call ``end`` when it is over."""

    def __init__(self, stream: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._in_place, self._clock = in_place(self._stream), clock
        self._told_at = clock()
        self._open = False

    def tell(self, text: str) -> None:
        """Say it, if it is time to."""
        now = self._clock()
        if now - self._told_at < (TTY_S if self._in_place else FILE_S):
            return
        self._told_at, self._open = now, self._in_place
        self._stream.write(f"\r\x1b[K{text}" if self._in_place else f"{text}\n")
        self._stream.flush()

    def end(self) -> None:
        """What is said next begins on a line of its own."""
        if self._open:
            self._open = False
            self._stream.write("\n")
            self._stream.flush()
