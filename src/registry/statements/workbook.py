"""Workbooks (XLSX) as rows of cells. Read by openpyxl, which keeps the formats of numbers; what it cannot read and Excel can
is read by calamine. Bounded; formulas without a result, merged cells, hidden rows and sheets are told, not passed over.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from openpyxl import load_workbook
from openpyxl.cell.read_only import EMPTY_CELL
from openpyxl.utils import column_index_from_string, get_column_letter
from openpyxl.utils.escape import unescape
from python_calamine import CalamineWorkbook, SheetVisibleEnum

from registry.bulk import UnreadableError
from registry.statements.cells import Cell, Covered, Numeric, Uncomputed, text_of
from registry.statements.sheets import MAX_COLUMNS, Line, Sheet, bounded

#: Bounds of one file: bytes after unpacking, times packed, parts.
MAX_UNPACKED: Final = 128 << 20
MAX_RATIO: Final = 200
_MAX_PARTS: Final = 2_000
#: The last row that a spreadsheet can have.
_LAST_ROW: Final = 1_048_576
_SAVE_AGAIN: Final = "用 Excel/WPS 打开后另存为 .xlsx 再导入 · open it in Excel or WPS, save it as .xlsx"
_CELL: Final = re.compile(rb"<(?:\w+:)?c\b([^>]*?)(?:/>|>(.*?)</(?:\w+:)?c>)", re.DOTALL)
_PLACE: Final = re.compile(rb'\br="([A-Z]{1,3}[0-9]{1,7})"')
_FORMULA: Final = re.compile(rb"<(?:\w+:)?f[\s/>]")
_RESULT: Final = re.compile(rb"<(?:\w+:)?(?:v|is)>[^<]|<(?:\w+:)?is>")
#: Cells of the rectangle that calamine may keep in memory: one cell in the last corner of a sheet makes 17 billion.
_MAX_RECTANGLE: Final = 30_000_000
_FILLED: Final = re.compile(rb'<(?:\w+:)?c\b[^>]*?\br="([A-Z]{1,3})([0-9]{1,7})"[^>]*?(?<!/)>')
_ROW: Final = re.compile(rb'<(?:\w+:)?row\b[^>]*?\br="([0-9]{1,7})"[^>]*?(?<!/)>\s*<(?:\w+:)?c\b')
_HIDDEN_ROW: Final = re.compile(rb"<(?:\w+:)?row\b[^>]*\bhidden=\"(?:1|true)\"")


@dataclass(slots=True)
class _Part:
    """What the readers of values do not say of a sheet. ``uncomputed``: places (``B7``) of formulas without a result;
    ``dense``: calamine may read it, which keeps a whole rectangle in memory; ``merged``: (first row, first column, last row, last column) of merged cells over several rows, all from 1;
    ``last_row``: the last one with something in it, None = not known."""

    uncomputed: frozenset[str] = frozenset()
    hidden_rows: int = 0
    dense: bool = True
    merged: Sequence[tuple[int, int, int, int]] = ()
    last_row: int | None = None


def read_workbook(data: bytes) -> list[Sheet]:
    """The visible sheets of an XLSX. Raises UnreadableError."""
    raw = _raw_parts(data)
    quick = _calamine(data)
    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        worksheets = list(book.worksheets)
    except Exception as error:  # openpyxl raises whatever a broken part makes it stumble over
        if quick is None:
            raise _broken(error) from None
        return _by_calamine(quick, raw)
    hidden = [str(sheet.title) for sheet in worksheets if sheet.sheet_state != "visible"]
    sheets = []
    for sheet in worksheets:
        if sheet.sheet_state == "visible":
            part = _part_of(
                raw.get(str(getattr(sheet, "_worksheet_path", "")).lstrip("/")), quick, str(sheet.title)
            )
            sheets.append(Sheet(str(sheet.title), _lines_of(sheet, part), notes=_notes(part, hidden)))
            hidden = []
    return sheets


def _notes(part: _Part, hidden: Sequence[str]) -> tuple[str, ...]:
    notes = []
    if hidden:
        names = "、".join(name[:30] for name in hidden[:5])
        notes.append(f"未读取隐藏的工作表：{names} · hidden sheets are not read")
    if part.hidden_rows:
        notes.append(
            f"{part.hidden_rows} 行被隐藏或筛选，也已读取 · {part.hidden_rows} hidden rows were read, too"
        )
    return tuple(notes)


def _broken(error: Exception) -> UnreadableError:
    return UnreadableError(f"不是有效的 XLSX，请{_SAVE_AGAIN} · not a valid XLSX: {type(error).__name__}")


# --- the archive


def _raw_parts(data: bytes) -> dict[str, _Part]:
    """Name of each sheet's part -> what its XML says of formulas and hidden rows. Raises UnreadableError for what unpacks
    to too much, or defines XML entities. zipfile gives no more of a part than its declared size."""
    found: dict[str, _Part] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            unpacked = sum(part.file_size for part in parts)
            if len(parts) > _MAX_PARTS or unpacked > MAX_UNPACKED or unpacked > MAX_RATIO * len(data):
                raise UnreadableError(
                    f"文件展开后过大（{unpacked >> 20} MiB） · the file is too large unpacked ({unpacked >> 20} MiB)"
                )
            for part in parts:
                name = part.filename.replace("\\", "/")
                if name.lower().endswith((".xml", ".rels")):
                    text = archive.read(part)
                    _refuse_entities(text)
                    if name.lower().startswith("xl/worksheets/"):
                        found[name] = _looked_at(text)
    except UnreadableError:
        raise
    except Exception as error:  # zipfile and zlib raise many kinds for a broken archive
        raise _broken(error) from None
    return found


def _refuse_entities(text: bytes) -> None:
    plain = text.replace(b"\0", b"") if text[:2] in (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<") else text
    if b"<!DOCTYPE" in plain or b"<!ENTITY" in plain:
        raise UnreadableError("XLSX 含有 DTD，不予读取 · the XLSX has a DTD and is not read")


def _looked_at(text: bytes) -> _Part:
    uncomputed: set[str] = set()
    if _FORMULA.search(text):
        for cell in _CELL.finditer(text):
            body = cell[2] or b""
            if _FORMULA.search(body) and not _RESULT.search(body) and (place := _PLACE.search(cell[1])):
                uncomputed.add(place[1].decode())
    return _Part(frozenset(uncomputed), len(_HIDDEN_ROW.findall(text)), _rectangle(text) <= _MAX_RECTANGLE)


def _rectangle(text: bytes) -> int:
    """How many cells the rectangle around everything in a sheet has."""
    rows, columns = 1, 1
    for letters, number in _FILLED.findall(text):
        rows, columns = max(rows, int(number)), max(columns, column_index_from_string(letters.decode()))
    for number in _ROW.findall(text):
        rows = max(rows, int(number))
    return rows * columns


# --- calamine


def _calamine(data: bytes) -> CalamineWorkbook | None:
    try:
        return CalamineWorkbook.from_filelike(io.BytesIO(data))
    except Exception:  # of Rust, without a common type; openpyxl may still read the file
        return None


def _part_of(raw: _Part | None, quick: CalamineWorkbook | None, name: str) -> _Part:
    """``raw`` with what calamine knows of the sheet."""
    part = raw or _Part()
    with suppress(Exception):  # what calamine cannot say, openpyxl finds out, only slower
        if quick is not None and part.dense and name in quick.sheet_names:
            sheet = quick.get_sheet_by_name(name)
            merged = [
                (first[0] + 1, first[1] + 1, last[0] + 1, last[1] + 1)
                for first, last in (sheet.merged_cell_ranges or [])
                if last[0] > first[0]
            ]
            last = sheet.end[0] + 1 if sheet.end is not None else 0
            return _Part(part.uncomputed, part.hidden_rows, True, merged, last)
    return part


def _by_calamine(quick: CalamineWorkbook, raw: Mapping[str, _Part]) -> list[Sheet]:
    """The sheets of a workbook that Excel opens and openpyxl does not."""
    if not all(part.dense for part in raw.values()):
        raise _broken(ValueError("cells far apart"))
    sheets: list[Sheet] = []
    hidden = [about.name for about in quick.sheets_metadata if about.visible != SheetVisibleEnum.Visible]
    for about in quick.sheets_metadata:
        if about.visible == SheetVisibleEnum.Visible:
            only = next(iter(raw.values())) if len(raw) == 1 else None  # which part is whose is not known
            part = _part_of(only, quick, about.name)
            sheets.append(
                Sheet(about.name, _calamine_lines(quick, about.name, part), notes=_notes(part, hidden))
            )
            hidden = []
    return sheets


def _calamine_lines(quick: CalamineWorkbook, name: str, part: _Part) -> Callable[[], Iterator[Line]]:
    def lines() -> Iterator[Line]:
        try:
            sheet = quick.get_sheet_by_name(name)
            rows = sheet.to_python(skip_empty_area=False)
        except Exception as error:  # as above
            raise _broken(error) from None
        for number, row in enumerate(rows, start=1):
            yield number, [_value(value) for value in row[:MAX_COLUMNS]]

    return lambda: bounded(_finished(lines(), part))


def _value(value: Any) -> Cell:
    if isinstance(value, datetime):
        return (value + timedelta(milliseconds=500)).replace(microsecond=0)
    if isinstance(value, date | time):
        return value
    if isinstance(value, timedelta):
        return str(value)
    return _plain(value)


def _plain(value: Any, epoch: datetime | None = None) -> Cell:
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = format(value, ".15g") if isinstance(value, float) else str(value)
        return Numeric(text) if epoch is None else Numeric(text, epoch)
    plain: str = unescape(str(value))
    return plain.strip()


# --- openpyxl


def _lines_of(sheet: Any, part: _Part) -> Callable[[], Iterator[Line]]:
    def lines() -> Iterator[Line]:
        try:
            sheet.reset_dimensions()  # what the file says of its size may be wrong
            # A sheet may go on with a quarter of a million rows that are formatted and empty.
            end = _LAST_ROW if part.last_row is None else max(part.last_row, 1)
            blank = None
            for number, row in enumerate(sheet.iter_rows(max_row=end, max_col=MAX_COLUMNS), start=1):
                if row is blank:  # openpyxl gives one and the same row for all that the file leaves out
                    continue
                yield number, ["" if cell is EMPTY_CELL else _cell(cell) for cell in row]
                if all(cell is EMPTY_CELL for cell in row):
                    blank = row
        except Exception as error:  # as above
            raise _broken(error) from None

    return lambda: bounded(_finished(lines(), part))


def _cell(cell: Any) -> Cell:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, datetime):
        # A date alone is kept as midnight; nobody is judged by a time that was not given.
        if "h" not in str(cell.number_format).lower() and value.time() == time():
            return value.date()
        return (value + timedelta(milliseconds=500)).replace(microsecond=0)
    if isinstance(value, date | time):
        return value
    return _plain(value, cell.parent.parent.epoch)


# --- both


@dataclass(slots=True)
class _Open:
    """A merged cell that reaches further down: its last row, and its text."""

    last_row: int
    text: str


@dataclass(slots=True)
class _Merging:
    """Fills what merged cells cover, row by row."""

    ranges: Mapping[tuple[int, int], int]
    open: dict[int, _Open] = field(default_factory=dict)

    def fill(self, number: int, cells: list[Cell]) -> None:
        """Mark the covered cells of a row, and remember what begins in it."""
        for column, above in list(self.open.items()):
            if number > above.last_row:
                del self.open[column]
                continue
            while len(cells) < column:
                cells.append("")
            if cells[column - 1] == "":
                cells[column - 1] = Covered(above.text)
        for column in range(1, len(cells) + 1):
            last = self.ranges.get((number, column))
            if last is not None:
                self.open[column] = _Open(last, text_of(cells[column - 1]))


def _finished(lines: Iterator[Line], part: _Part) -> Iterator[Line]:
    """Rows with something in them, with what merged cells cover and which formulas have no result."""
    merging = _Merging({(top, left): bottom for top, left, bottom, _ in part.merged})
    for number, cells in lines:
        while cells and cells[-1] == "":
            cells.pop()
        if part.uncomputed:
            _mark(number, cells, part.uncomputed)
        own = any(cell != "" for cell in cells) or bool(cells)
        if merging.ranges:
            merging.fill(number, cells)
        if own:
            yield number, cells


def _mark(number: int, cells: list[Cell], uncomputed: frozenset[str]) -> None:
    for column in range(1, MAX_COLUMNS + 1):
        if f"{get_column_letter(column)}{number}" in uncomputed:
            while len(cells) < column:
                cells.append("")
            cells[column - 1] = Uncomputed()
