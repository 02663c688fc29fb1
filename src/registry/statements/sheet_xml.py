"""What the XML of a workbook says, read by a parser (expat) that keeps nothing in memory: where the cells of a sheet are, which
formulas have no result, what is merged or hidden; which part is which sheet. Patterns over the text would be no quicker, and they
see no cell that is written in another way than they expect.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from xml.parsers import expat

from openpyxl.utils import column_index_from_string, get_column_letter

#: Bytes of one tag with its attributes.
MAX_TAG: Final = 1 << 16
#: Merged cells that are looked at, and ranges of hidden columns.
MAX_MERGED: Final = 50_000
MAX_HIDDEN: Final = 1_000
#: The last row and column that a spreadsheet can have.
LAST_ROW: Final = 1_048_576
LAST_COLUMN: Final = 16_384
#: The rectangle of a sheet with a cell beyond them.
_ENDLESS: Final = 1 << 62

_PLACE: Final = re.compile(r"\$?([A-Za-z]{1,3})\$?([0-9]{1,7})", re.ASCII)
_YES: Final = frozenset({"1", "true"})

#: (first row, first column, last row, last column), all from 1.
Merged = tuple[int, int, int, int]


class WithDtdError(Exception):
    """The XML has a document type: it might define entities that unpack to gigabytes."""


@dataclass(slots=True)
class Part:
    """What the readers of values do not say of a sheet. ``uncomputed``: places (``B7``) of formulas without a result;
    ``rectangle``: cells of the rectangle around everything in it; ``merged``: cells merged over several rows;
    ``hidden_columns``: (first, last), from 1; ``before``: elements before the first row; ``last_row``: the last one with
    something in it, None = not known."""

    uncomputed: frozenset[str] = frozenset()
    hidden_rows: int = 0
    rectangle: int = 1
    merged: Sequence[Merged] = ()
    hidden_columns: Sequence[tuple[int, int]] = ()
    before: int = 0
    last_row: int | None = None


def looked_at(text: bytes) -> tuple[Part | None, bool]:
    """(what the XML of a part says, None: it is no sheet; whether it was well-formed to its end). Raises WithDtdError."""
    sheet = SheetXml()
    understood = sheet.read(text)
    return (sheet.part if sheet.is_sheet else None), understood


def _cells(rows: int, columns: int) -> int:
    return _ENDLESS if rows > LAST_ROW or columns > LAST_COLUMN else rows * columns


def _merged(ref: str) -> Merged | None:
    """A range such as ``A2:B5`` of several rows, None for another one."""
    ends = [_PLACE.fullmatch(end) for end in ref.split(":")[:2]]
    if len(ends) != 2 or ends[0] is None or ends[1] is None:
        return None
    top, bottom = int(ends[0][2]), int(ends[1][2])
    if bottom <= top:
        return None
    return (
        top,
        column_index_from_string(ends[0][1].upper()),
        bottom,
        column_index_from_string(ends[1][1].upper()),
    )


class _Xml:
    """One pass over the XML of a part."""

    def read(self, text: bytes) -> bool:
        """Whether it was well-formed to its end; what came before a fault counts. Raises WithDtdError."""
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self._doctype
        self._begin(parser)
        try:
            parser.Parse(text, True)
        except (expat.ExpatError, ValueError, LookupError):
            return False
        return True

    def _begin(self, parser: Any) -> None:
        """Set the handlers."""

    def _doctype(self, *_: object) -> None:
        raise WithDtdError


def _local(name: str) -> str:
    return name.rpartition(":")[2]


class SheetXml(_Xml):
    """A sheet. Handlers are few and short: a sheet may have millions of cells."""

    def __init__(self) -> None:
        self.is_sheet = False
        self._before = 0
        self._row = self._column = 0
        self._rows = self._columns = 1
        self._formula = self._value = False
        self._hidden_rows = 0
        self._uncomputed: set[str] = set()
        self._merged: list[Merged] = []
        self._hidden: list[tuple[int, int]] = []
        self._width: dict[str, int] = {}
        self._parser: Any = None

    @property
    def part(self) -> Part:
        """What was read."""
        self._close()
        return Part(
            frozenset(self._uncomputed),
            self._hidden_rows,
            _cells(self._rows, self._columns),
            self._merged,
            self._hidden,
            self._before,
            self._rows,
        )

    def _begin(self, parser: Any) -> None:
        self._parser = parser
        parser.StartElementHandler = self._start

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if ":" in name:
            name = _local(name)
        if not self.is_sheet:
            self._before += 1
        if name == "c":
            self._close()
            self._cell(attributes.get("r"))
        elif name in ("v", "is"):
            self._filled()
            if self._formula:
                self._value |= name == "is"
                if name == "v":
                    self._parser.CharacterDataHandler = self._text
        elif name == "f":
            self._formula, self._value = True, False
        elif name == "row":
            self._close()
            given = attributes.get("r", "")
            self._row = int(given) if given.isdecimal() and len(given) < 20 else self._row + 1
            self._column = 0
            self._hidden_rows += attributes.get("hidden") in _YES
        elif name == "mergeCell":
            self._merge(attributes.get("ref", ""))
        elif name == "col" and attributes.get("hidden") in _YES:
            first, last = attributes.get("min", ""), attributes.get("max", "")
            if first.isdecimal() and last.isdecimal() and len(first + last) < 20:
                self._hidden = [*self._hidden[:MAX_HIDDEN], (int(first), int(last))]
        elif name == "sheetData":
            self.is_sheet = True

    def _cell(self, place: str | None) -> None:
        """Where the next value belongs: as the cell says, else behind the last one."""
        self._column += 1
        if not place:
            return
        match = _PLACE.fullmatch(place)
        if match is None:  # no place of a spreadsheet: a reader may take it for one that is far away
            self._row = self._column = LAST_ROW + 1
            return
        letters = match[1]
        if letters not in self._width:
            self._width[letters] = column_index_from_string(letters.upper())
        self._row, self._column = int(match[2]), self._width[letters]

    def _filled(self) -> None:
        if self._row > self._rows:
            self._rows = self._row
        if self._column > self._columns:
            self._columns = self._column

    def _text(self, text: str) -> None:
        self._value = True
        self._parser.CharacterDataHandler = None

    def _close(self) -> None:
        """The end of a cell: a formula without a value has no result."""
        if self._formula:
            self._parser.CharacterDataHandler = None
            if not self._value and 0 < self._column <= LAST_COLUMN:
                self._filled()
                self._uncomputed.add(f"{get_column_letter(self._column)}{self._row}")
            self._formula = self._value = False

    def _merge(self, ref: str) -> None:
        if len(self._merged) < MAX_MERGED and (found := _merged(ref)) is not None:
            self._merged.append(found)


@dataclass
class BookXml(_Xml):
    """The workbook: its sheets (name, id of the relation), and whether its day 0 is that of a Mac."""

    sheets: list[tuple[str, str]] = field(default_factory=list)
    of_mac: bool = False

    def _begin(self, parser: Any) -> None:
        parser.StartElementHandler = self._start

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if _local(name) == "sheet":
            relation = next((value for key, value in attributes.items() if _local(key) == "id"), "")
            self.sheets.append((attributes.get("name", ""), relation))
        elif _local(name) == "workbookPr":
            self.of_mac = attributes.get("date1904") in _YES


@dataclass
class RelationsXml(_Xml):
    """The relations of the workbook: id -> target."""

    targets: dict[str, str] = field(default_factory=dict)

    def _begin(self, parser: Any) -> None:
        parser.StartElementHandler = self._start

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if _local(name) == "Relationship":
            self.targets[attributes.get("Id", "")] = attributes.get("Target", "")
