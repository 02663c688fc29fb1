"""Runs of bytes between delimiters, and where they were found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

DELIMITER: Final = b"\x7e"
#: Bytes without a delimiter that are kept, to be shown as what they are.
_MAX_RUN: Final = 1 << 14


class Kind(Enum):
    """What a run of bytes is. BARE: a message without delimiters; JUNK: before the first delimiter; OPEN: without its last."""

    FRAME = "frame"
    BARE = "bare"
    JUNK = "junk"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Found:
    """A run of bytes between delimiters. ``where``: line or packet; ``time_us``: of the packet, 0 = unknown; ``way``: from whom to whom;
    ``lost``: bytes before it that a capture does not have."""

    kind: Kind
    data: bytes
    where: str = ""
    time_us: int = 0
    way: str = ""
    lost: int = 0


@dataclass(slots=True)
class Notes:
    """What was passed over while frames were looked for, by its reason (Chinese|English)."""

    skipped: Counter[str] = field(default_factory=Counter)


class Cutter:
    """Cuts a stream into runs between delimiters. Holds at most ``_MAX_RUN`` bytes."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._started = False

    def feed(self, data: bytes) -> Iterator[tuple[Kind, bytes]]:
        first, *others = data.split(DELIMITER)
        yield from self._extend(first)
        for piece in others:
            if self._held:
                yield Kind.FRAME if self._started else Kind.JUNK, bytes(self._held)
            self._held.clear()
            self._started = True
            yield from self._extend(piece)

    def _extend(self, data: bytes) -> Iterator[tuple[Kind, bytes]]:
        for at in range(0, len(data), _MAX_RUN):
            self._held += data[at : at + _MAX_RUN]
            if len(self._held) >= _MAX_RUN:
                yield Kind.OPEN if self._started else Kind.JUNK, bytes(self._held)
                self._held.clear()

    def lose(self) -> Iterator[tuple[Kind, bytes]]:
        """Bytes are missing here: what was begun is not whole, and what follows is not its end."""
        yield from self.end()
        self._started = False

    def end(self) -> Iterator[tuple[Kind, bytes]]:
        """What is held when nothing more comes. Without any delimiter before it, it is a message without delimiters."""
        if self._held:
            yield Kind.OPEN if self._started else Kind.BARE, bytes(self._held)
        self._held.clear()


def cut(raw: bytes, where: str) -> Iterator[Found]:
    cutter = Cutter()
    for kind, run in (*cutter.feed(raw), *cutter.end()):
        yield Found(kind, run, where)
