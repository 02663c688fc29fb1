"""Hex in texts: as people copy it, in the lines of a log, in dumps."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from gongche.frames.runs import DELIMITER, Found, cut
from telemetry.jt808.scalar.framing import MAX_FRAME, MIN_MESSAGE

#: A line of text is not longer; what is behind is a line of its own.
MAX_LINE: Final = 1 << 20

_SEPARATORS = re.compile(r"0[xX]|\\x|[\s:,;._|\-\[\](){}<>\"'`]+")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")
#: Hex within other text: from a 7E that no other digit is joined to, as far as there are pairs.
_RUN = re.compile(
    r"(?<![0-9a-zA-Z])(?:0x|\\x)?7e(?:[\s:,\-]{0,3}(?:0x|\\x)?[0-9a-f]{2}(?![g-z]))+", re.IGNORECASE
)
#: Bytes of a hex dump.
_MAX_DUMP: Final = 1 << 24
#: xxd, hexdump -C: an offset, up to sixteen bytes, perhaps the same as text.
_DUMP = re.compile(
    r"([0-9a-f]{6,8})(?::| ) *((?:[0-9a-f]{2} ?){1,16}|(?:[0-9a-f]{4} ?){1,8}(?:[0-9a-f]{2})?)(?:\s+.*)?$",
    re.IGNORECASE,
)


def from_hex(text: str) -> bytes | None:
    """The bytes of hex digits with whatever people put between them (spaces, colons, 0x, commas, brackets); None for other text and for an odd
    number of digits."""
    digits = _SEPARATORS.sub("", text)
    return bytes.fromhex(digits) if _HEX.fullmatch(digits) else None


class _Wrapped:
    """A frame whose hex goes over several lines."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._where = ""

    def take(self, raw: bytes, where: str) -> Iterator[Found] | None:
        """A line that is hex and nothing else: None where it has nothing to do with a frame that goes on."""
        if (
            self._held
            and len(self._held) <= MAX_FRAME
            and (raw == DELIMITER or not raw.startswith(DELIMITER))
        ):
            self._held += raw
            return self.flush() if DELIMITER in raw else iter(())
        if raw.startswith(DELIMITER) and raw.count(DELIMITER) == 1:
            begun = list(self.flush())
            self._held += raw
            self._where = where
            return iter(begun)
        return None

    def flush(self) -> Iterator[Found]:
        raw = bytes(self._held)
        self._held.clear()
        return cut(raw, self._where)


class _Dump:
    """Lines of a hex dump, one behind the other."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._where = ""

    def take(self, line: str, where: str) -> bool:
        """Whether ``line`` is the next of a dump."""
        match = _DUMP.match(line)
        if match is None or int(match[1], 16) != len(self._held) or len(self._held) > _MAX_DUMP:
            return False
        self._where = self._where if self._held else where
        self._held += bytes.fromhex(match[2].replace(" ", ""))
        return True

    def flush(self) -> Iterator[Found]:
        raw = bytes(self._held)
        self._held.clear()
        return cut(raw, self._where)


def from_lines(lines: Iterable[str], name: str) -> Iterator[Found]:
    """Frames of the lines of a text: each line for itself, but for hex dumps and frames that are wrapped. A line that begins with # is a
    comment. ``name``: of the file, where there are several."""
    dump, wrapped = _Dump(), _Wrapped()
    for number, line in enumerate(lines, 1):
        words = "" if line.lstrip().startswith("#") else line.strip()
        where = f"{name}:{number}" if name else str(number)
        if dump.take(words, where):
            continue
        yield from dump.flush()
        whole = from_hex(words)
        taken = wrapped.take(whole, where) if whole else None
        if taken is None:
            yield from wrapped.flush()
            for raw in line_bytes(words):
                yield from cut(raw, where)
        else:
            yield from taken
    yield from dump.flush()
    yield from wrapped.flush()


def line_bytes(line: str) -> list[bytes]:
    """The bytes that a line of text has as hex: all of it, or what begins with 7E within other words."""
    whole = from_hex(line)
    if whole is not None:  # a number on a line of its own is no message
        return [whole] if DELIMITER in whole or len(whole) > MIN_MESSAGE else []
    found = [from_hex(match[0]) for match in _RUN.finditer(line)]
    # Words behind a frame may look like hex: it ends with its last delimiter.
    return [raw[: raw.rindex(DELIMITER) + 1] if raw.count(DELIMITER) > 1 else raw for raw in found if raw]
