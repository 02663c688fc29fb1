"""Which characters a font can show, and what stands for those that it cannot. Pure.

A character without a glyph would be an empty box or nothing at all: a name would be wrong without anybody seeing it. So it is
written as its number, ``[U+1F600]``, before it comes to the page.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

#: Fonts are small. What is larger is no font.
MOST_BYTES: Final = 64 << 20
_COLLECTION: Final = b"ttcf"
_TABLE: Final = struct.Struct(">4sIII")
_BREAK: Final = "\u200b"  # a line may end here; it has no width
#: A word that is longer than a line would run out of the page: a line may end within it, after each so many characters.
_LONG_WORD: Final = re.compile(r"[!-\u024f]{25,}")
_PIECE: Final = 12


class FontError(ValueError):
    """Not a font that can be read."""


def characters_of(path: Path) -> frozenset[int]:
    """The code points that the font file (OTF, TTF, TTC: all its faces together) has glyphs for. Raises FontError."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise FontError(f"{path.name}: 文件过大 · too large for a font")
        data = path.read_bytes()
        starts = [0]
        if data[:4] == _COLLECTION:
            count = struct.unpack_from(">I", data, 8)[0]
            starts = list(struct.unpack_from(f">{count}I", data, 12))
        return frozenset(code for start in starts for code in _face(data, start))
    except (struct.error, IndexError, OSError, StopIteration) as error:
        raise FontError(f"{path.name}: 不是可用的字体文件 · not a font that can be read") from error


def _face(data: bytes, start: int) -> Iterator[int]:
    count = struct.unpack_from(">H", data, start + 4)[0]
    tables = (_TABLE.unpack_from(data, start + 12 + 16 * k) for k in range(count))
    cmap = next(offset for tag, _, offset, _ in tables if tag == b"cmap")
    subtables = struct.unpack_from(">H", data, cmap + 2)[0]
    for k in range(subtables):
        platform, encoding, offset = struct.unpack_from(">HHI", data, cmap + 4 + 8 * k)
        if platform == 0 or (platform == 3 and encoding in (1, 10)):
            yield from _subtable(data, cmap + offset)


def _subtable(data: bytes, at: int) -> Iterator[int]:
    format = struct.unpack_from(">H", data, at)[0]
    if format == 12:
        for k in range(struct.unpack_from(">I", data, at + 12)[0]):
            first, last, glyph = struct.unpack_from(">III", data, at + 16 + 12 * k)
            # A map that begins with glyph 0 begins with "no glyph".
            yield from range(first + (glyph == 0), min(last, 0x10FFFF) + 1)
    elif format == 4:
        yield from _segments(data, at)


def _segments(data: bytes, at: int) -> Iterator[int]:
    """Format 4: segments of the first 65,536 code points."""
    count = struct.unpack_from(">H", data, at + 6)[0] // 2
    ends = struct.unpack_from(f">{count}H", data, at + 14)
    begins = struct.unpack_from(f">{count}H", data, at + 16 + 2 * count)
    deltas = struct.unpack_from(f">{count}H", data, at + 16 + 4 * count)
    place = at + 16 + 6 * count
    offsets = struct.unpack_from(f">{count}H", data, place)
    for k, (begin, end, delta, offset) in enumerate(zip(begins, ends, deltas, offsets, strict=True)):
        for code in range(begin, end + 1):
            if code == 0xFFFF:
                continue
            glyph = code
            if offset:
                where = place + 2 * k + offset + 2 * (code - begin)
                glyph = struct.unpack_from(">H", data, where)[0]
                if glyph == 0:
                    continue
            if (glyph + delta) % 0x10000:
                yield code


def visible(text: str, known: frozenset[int]) -> str:
    """``marked``, with places where very long words may be broken."""
    return _LONG_WORD.sub(_broken, marked(text, known))


def marked(text: str, known: frozenset[int]) -> str:
    """``text`` with the number of each character that is not among ``known`` in its place. Line breaks stay, tabs become
    spaces."""
    return "".join(c if c == "\n" or ord(c) in known else f"[U+{ord(c):04X}]" for c in _plain(text))


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ").replace("\u00a0", " ")


def _broken(found: re.Match[str]) -> str:
    word = found.group()
    return _BREAK.join(word[k : k + _PIECE] for k in range(0, len(word), _PIECE))


def all_visible(value: Any, known: frozenset[int]) -> Any:
    """``value`` (of JSON) with ``visible`` for each text in it."""
    if isinstance(value, str):
        return visible(value, known)
    if isinstance(value, dict):
        return {name: all_visible(item, known) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [all_visible(item, known) for item in value]
    return value


def any_missing(value: Any, known: frozenset[int]) -> bool:
    """Whether a text in ``value`` (of JSON) has a character that is not among ``known``."""
    if isinstance(value, str):
        return any(c != "\n" and ord(c) not in known for c in _plain(value))
    if isinstance(value, dict):
        return any(any_missing(item, known) for item in value.values())
    if isinstance(value, list | tuple):
        return any(any_missing(item, known) for item in value)
    return False
