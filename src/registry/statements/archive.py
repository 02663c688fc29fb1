"""The parts of a workbook's archive, looked at before any reader sees them: how much they unpack to, how much work they make,
and what their XML says of formulas, hidden rows and the size of a sheet.

Whatever a stranger has written, one look costs time in proportion to its bytes: the patterns below never go back over what
they have read (possessive quantifiers, atomic groups), for a regular expression that does holds up everybody in the process.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from openpyxl.utils import column_index_from_string

from registry.bulk import UnreadableError

#: Bounds of one file: bytes after unpacking, times packed, parts, sheets.
MAX_UNPACKED: Final = 128 << 20
MAX_RATIO: Final = 200
MAX_PARTS: Final = 2_000
MAX_SHEETS: Final = 64
#: Tags (opening and closing ones) of parts, by the beginning of their names, and of all together. A sheet of 100,000 rows of 20
#: cells has 8 million; a reader takes a second for some hundred thousand.
MAX_TAGS: Final = {"xl/worksheets/": 8_500_000, "xl/sharedstrings": 2_500_000}
MAX_OTHER_TAGS: Final = 300_000
#: Bytes of one tag with its attributes.
MAX_TAG: Final = 1 << 16
#: Cells of the rectangles that calamine keeps in memory, of all sheets: one cell in the last corner of a sheet makes 17 billion.
MAX_RECTANGLE: Final = 10_000_000

_LONG_TAG: Final = re.compile(rb"<[^<>]{%d}" % MAX_TAG)
_FILLED: Final = re.compile(rb'<(?:\w++:)?+c\b(?>[^<>]*?\br="([A-Z]{1,3})([0-9]{1,7})")[^<>]*+(?<!/)>')
_ROW: Final = re.compile(rb'<(?:\w++:)?+row\b(?>[^<>]*?\br="([0-9]{1,7})")[^<>]*+(?<!/)>\s*+<(?:\w++:)?+c\b')
_HIDDEN_ROW: Final = re.compile(rb'<(?:\w++:)?+row\b(?>[^<>]*?\bhidden="(?:1|true)")')
_FORMULA: Final = re.compile(rb"<(?:\w++:)?+f[\s/>]")
_IN_CELL: Final = re.compile(rb"<(/?)(?:\w++:)?+(c|f|v|is)(?=[\s/>])([^<>]*+)>")
_PLACE: Final = re.compile(rb'\br="([A-Z]{1,3}[0-9]{1,7})"')


@dataclass(slots=True)
class Part:
    """What the readers of values do not say of a sheet. ``uncomputed``: places (``B7``) of formulas without a result;
    ``rectangle``: cells of the rectangle around everything in it; ``merged``: (first row, first column, last row, last column) of
    merged cells over several rows, all from 1; ``last_row``: the last one with something in it, None = not known."""

    uncomputed: frozenset[str] = frozenset()
    hidden_rows: int = 0
    rectangle: int = 1
    merged: Sequence[tuple[int, int, int, int]] = ()
    last_row: int | None = None


def raw_parts(data: bytes) -> dict[str, Part]:
    """Name of each sheet's part -> what its XML says. Raises UnreadableError for what unpacks to too much, makes too much work,
    or defines XML entities; zipfile raises many kinds for a broken archive. It gives no more of a part than its declared size."""
    found: dict[str, Part] = {}
    tags = 0
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
        unpacked = sum(part.file_size for part in parts)
        if len(parts) > MAX_PARTS or unpacked > MAX_UNPACKED or unpacked > MAX_RATIO * len(data):
            raise UnreadableError(
                f"文件展开后过大（{unpacked >> 20} MiB） · the file is too large unpacked ({unpacked >> 20} MiB)"
            )
        for part in parts:
            name = part.filename.replace("\\", "/").lower().lstrip("/")
            if name.endswith((".xml", ".rels")):
                text = archive.read(part)
                tags += _refuse_work(name, text)
                if name.startswith("xl/worksheets/") and name.endswith(".xml"):
                    found[part.filename.replace("\\", "/")] = looked_at(text)
    if tags > max(MAX_TAGS.values()):
        raise _too_much("")
    if len(found) > MAX_SHEETS:
        raise UnreadableError(
            f"工作表多于 {MAX_SHEETS} 个，请只保留要导入的 · more than {MAX_SHEETS} sheets; keep those to be imported"
        )
    return found


def _too_much(name: str) -> UnreadableError:
    return UnreadableError(
        f"文件内容过于庞杂（{name[:40] or '全部'}），请把数据复制到新的工作簿再导入 · too much in it; copy the data into a new workbook"
    )


def _refuse_work(name: str, text: bytes) -> int:
    """How many tags a part has. Raises UnreadableError for one that makes a reader work for minutes."""
    plain = text.replace(b"\0", b"") if text[:2] in (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<") else text
    if b"<!DOCTYPE" in plain or b"<!ENTITY" in plain:
        raise UnreadableError("XLSX 含有 DTD，不予读取 · the XLSX has a DTD and is not read")
    tags = plain.count(b"<")
    most = next((n for begin, n in MAX_TAGS.items() if name.startswith(begin)), MAX_OTHER_TAGS)
    if tags > most or _LONG_TAG.search(plain):
        raise _too_much(name)
    return tags


def looked_at(text: bytes) -> Part:
    """What the XML of a sheet says."""
    uncomputed = frozenset(_uncomputed(text)) if _FORMULA.search(text) else frozenset()
    return Part(uncomputed, sum(1 for _ in _HIDDEN_ROW.finditer(text)), _rectangle(text))


def _uncomputed(text: bytes) -> set[str]:
    """Places of the cells that have a formula and no value."""
    found: set[str] = set()
    place, formula, value = b"", False, False
    for tag in _IN_CELL.finditer(text):
        closing, name, attributes = tag[1], tag[2], tag[3]
        if name == b"c":
            if formula and not value and place:
                found.add(place.decode())
            match = None if closing else _PLACE.search(attributes)
            place, formula, value = (match[1] if match else b""), False, False
        elif not closing:
            formula |= name == b"f"
            value |= name == b"is" or (name == b"v" and text[tag.end() : tag.end() + 1] != b"<")
    return found


def _rectangle(text: bytes) -> int:
    """How many cells the rectangle around everything in a sheet has."""
    rows, columns = 1, 1
    width: dict[bytes, int] = {}
    for letters, number in _FILLED.findall(text):
        if letters not in width:
            width[letters] = column_index_from_string(letters.decode())
            columns = max(columns, width[letters])
        rows = max(rows, int(number))
    for number in _ROW.findall(text):
        rows = max(rows, int(number))
    return rows * columns
