"""Workbooks (XLSX) as rows of cells. Read by openpyxl, which keeps the formats of numbers; what it cannot read and Excel can
is read by calamine. Bounded; formulas without a result, merged cells, hidden rows and sheets are told, not passed over.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from openpyxl import load_workbook
from openpyxl.cell.read_only import EMPTY_CELL
from openpyxl.utils import get_column_letter
from openpyxl.utils.escape import unescape
from python_calamine import CalamineWorkbook, SheetVisibleEnum

from registry.bulk import UnreadableError
from registry.statements.archive import MAX_RECTANGLE, Part, raw_parts
from registry.statements.cells import Cell, Covered, Numeric, Uncomputed, text_of
from registry.statements.sheets import MAX_COLUMNS, Line, Sheet, bounded

#: The last row that a spreadsheet can have, and the longest text of a cell.
_LAST_ROW: Final = 1_048_576
_LONGEST: Final = 32_767
_SAVE_AGAIN: Final = "用 Excel/WPS 打开后另存为 .xlsx 再导入 · open it in Excel or WPS, save it as .xlsx"


def read_workbook(data: bytes) -> list[Sheet]:
    """The visible sheets of an XLSX. Raises UnreadableError."""
    raw = _raw_parts(data)
    # Calamine keeps whole rectangles in memory: it is asked only where those of all sheets are small.
    small = sum(part.rectangle for part in raw.values()) <= MAX_RECTANGLE
    quick = _calamine(data) if small else None
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


def _notes(part: Part, hidden: Sequence[str]) -> tuple[str, ...]:
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


def _raw_parts(data: bytes) -> dict[str, Part]:
    try:
        return raw_parts(data)
    except UnreadableError:
        raise
    except Exception as error:  # zipfile and zlib raise many kinds for a broken archive
        raise _broken(error) from None


# --- calamine


def _calamine(data: bytes) -> CalamineWorkbook | None:
    try:
        return CalamineWorkbook.from_filelike(io.BytesIO(data))
    except Exception:  # of Rust, without a common type; openpyxl may still read the file
        return None


def _part_of(raw: Part | None, quick: CalamineWorkbook | None, name: str) -> Part:
    """``raw`` with what calamine knows of the sheet."""
    part = raw or Part()
    with suppress(Exception):  # what calamine cannot say, openpyxl finds out, only slower
        if quick is not None and name in quick.sheet_names:
            sheet = quick.get_sheet_by_name(name)
            merged = [
                (first[0] + 1, first[1] + 1, last[0] + 1, last[1] + 1)
                for first, last in (sheet.merged_cell_ranges or [])
                if last[0] > first[0]
            ]
            last = sheet.end[0] + 1 if sheet.end is not None else 0
            return Part(part.uncomputed, part.hidden_rows, part.rectangle, merged, last)
    return part


def _by_calamine(quick: CalamineWorkbook, raw: Mapping[str, Part]) -> list[Sheet]:
    """The sheets of a workbook that Excel opens and openpyxl does not."""
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


def _calamine_lines(quick: CalamineWorkbook, name: str, part: Part) -> Callable[[], Iterator[Line]]:
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
    plain: str = unescape(str(value)[: _LONGEST + 1])
    return plain.strip()


# --- openpyxl


def _lines_of(sheet: Any, part: Part) -> Callable[[], Iterator[Line]]:
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


def _finished(lines: Iterator[Line], part: Part) -> Iterator[Line]:
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
