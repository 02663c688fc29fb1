"""Workbooks (XLSX) as rows of cells. Read by openpyxl, which keeps the formats of numbers; what it cannot read and Excel can
is read by calamine. Bounded; formulas without a result, merged cells, hidden rows and sheets are told, not passed over.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from openpyxl import load_workbook
from openpyxl.cell.read_only import EMPTY_CELL
from openpyxl.utils import coordinate_to_tuple
from openpyxl.utils.escape import unescape
from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from registry.refusals import UnreadableError
from registry.statements.archive import Archive, look_at
from registry.statements.cells import Cell, Covered, Numeric, Uncomputed, Zoned, text_of
from registry.statements.sheet_xml import LAST_ROW, Part
from registry.statements.sheets import MAX_COLUMNS, Line, Sheet, bounded

#: The longest text of a cell.
_LONGEST: Final = 32_767
_SAVE_AGAIN: Final = "用 Excel/WPS 打开后另存为 .xlsx 再导入 · open it in Excel or WPS, save it as .xlsx"


def read_workbook(data: bytes) -> list[Sheet]:
    """The visible sheets of an XLSX. Raises UnreadableError."""
    archive = _archive(data)
    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        worksheets = list(book.worksheets)
    except Exception as error:  # openpyxl raises whatever a broken part makes it stumble over
        worksheets, reason = [], error
    else:
        reason = KeyError("no sheet")  # of Strict OOXML openpyxl finds none, and says nothing
    if not worksheets:
        if (quick := _calamine(data, archive)) is None:
            raise _broken(reason) from None
        return _by_calamine(quick, archive)
    hidden = [str(sheet.title) for sheet in worksheets if sheet.sheet_state != "visible"]
    sheets = []
    for sheet in worksheets:
        if sheet.sheet_state == "visible":
            path = str(getattr(sheet, "_worksheet_path", "")).replace("\\", "/").lstrip("/")
            part = archive.parts.get(path) or archive.part_of(str(sheet.title)) or Part()
            sheets.append(_sheet(str(sheet.title), _lines_of(sheet, part), part, hidden))
            hidden = []
    return sheets


def _sheet(name: str, lines: Callable[[], Iterator[Line]], part: Part, hidden: Sequence[str]) -> Sheet:
    if not part.ordered:  # a row that comes again would be left out in silence
        raise _broken(ValueError(f"{name}: rows out of order"))
    columns = frozenset(
        column for first, last in part.hidden_columns for column in range(first, min(last, MAX_COLUMNS) + 1)
    )
    return Sheet(name, lines, notes=_notes(part, hidden), hidden_columns=columns)


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


def _broken(error: BaseException) -> UnreadableError:
    return UnreadableError(f"不是有效的 XLSX，请{_SAVE_AGAIN} · not a valid XLSX: {type(error).__name__}")


def _archive(data: bytes) -> Archive:
    try:
        return look_at(data)
    except UnreadableError:
        raise
    except Exception as error:  # zipfile and zlib raise many kinds for a broken archive
        raise _broken(error) from None


# --- calamine


def _calamine(data: bytes, archive: Archive) -> CalamineWorkbook | None:
    """None: it cannot read the file, or it must not be asked. It keeps whole rectangles in memory and ends the process where
    there is no room: it is asked only where those of all sheets are known, and small."""
    if not archive.small:
        return None
    try:
        return CalamineWorkbook.from_filelike(io.BytesIO(data))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # of Rust: also a panic, which is no Exception
        return None


def _by_calamine(quick: CalamineWorkbook, archive: Archive) -> list[Sheet]:
    """The sheets of a workbook that Excel opens and openpyxl does not."""
    sheets: list[Sheet] = []
    hidden = [about.name for about in quick.sheets_metadata if about.visible != SheetVisibleEnum.Visible]
    for about in quick.sheets_metadata:
        if about.visible == SheetVisibleEnum.Visible and about.typ == SheetTypeEnum.WorkSheet:
            part = archive.part_of(about.name)
            if part is None:  # its formulas without a result would be taken for empty cells
                raise _broken(KeyError(about.name))
            lines = _calamine_lines(quick, about.name, part, archive.epoch)
            sheets.append(_sheet(about.name, lines, part, hidden))
            hidden = []
    return sheets


def _calamine_lines(
    quick: CalamineWorkbook, name: str, part: Part, epoch: datetime
) -> Callable[[], Iterator[Line]]:
    def lines() -> Iterator[Line]:
        try:
            sheet = quick.get_sheet_by_name(name)
            rows = sheet.to_python(skip_empty_area=False)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # as above
            raise _broken(error) from None
        for number, row in enumerate(rows, start=1):
            yield number, [_value(value, epoch) for value in row[:MAX_COLUMNS]]

    return lambda: bounded(_finished(lines(), part))


def _value(value: Any, epoch: datetime) -> Cell:
    if isinstance(value, datetime):
        return (value + timedelta(milliseconds=500)).replace(microsecond=0)
    if isinstance(value, date | time):
        return value
    if isinstance(value, timedelta):
        return str(value)
    return _plain(value, epoch)


def _plain(value: Any, epoch: datetime) -> Cell:
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = format(value, ".15g") if isinstance(value, float) else str(value)
        return Numeric(text, epoch)
    plain: str = unescape(str(value)[: _LONGEST + 1])
    return plain.strip()


# --- openpyxl


def _lines_of(sheet: Any, part: Part) -> Callable[[], Iterator[Line]]:
    def lines() -> Iterator[Line]:
        try:
            sheet.reset_dimensions()  # what the file says of its size may be wrong
            # A sheet may go on with a quarter of a million rows that are formatted and empty.
            end = LAST_ROW if part.last_row is None else max(part.last_row, 1)
            blank = None
            for number, row in enumerate(sheet.iter_rows(max_row=end, max_col=MAX_COLUMNS), start=1):
                if row is not blank:  # openpyxl gives one and the same row for all that the file leaves out
                    yield number, ["" if cell is EMPTY_CELL else _cell(cell) for cell in row]
                    if all(cell is EMPTY_CELL for cell in row):
                        blank = row
                if number >= end:  # of what follows the rows, openpyxl would make objects, for minutes
                    return
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
    if isinstance(value, int | float) and not isinstance(value, bool) and "%" in str(cell.number_format):
        return f"{value * 100:.15g}%"  # what people see; no field of ours is a percentage
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
    marked: list[tuple[dict[int, list[int]], type[Uncomputed]]] = [
        (_by_row(part.uncomputed), Uncomputed),
        (_by_row(part.zoned), Zoned),
    ]
    for number, cells in lines:
        while cells and cells[-1] == "":
            cells.pop()
        for columns, make in marked:
            _mark(cells, columns.get(number, ()), make)
        own = any(cell != "" for cell in cells) or bool(cells)
        if merging.ranges:
            merging.fill(number, cells)
        if own:
            yield number, cells


def _by_row(places: Iterable[str]) -> dict[int, list[int]]:
    """Row -> the columns of the places (``B7``) in it, as far as columns are read."""
    found: dict[int, list[int]] = defaultdict(list)
    for place in places:
        row, column = coordinate_to_tuple(place)
        if column <= MAX_COLUMNS:
            found[row].append(column)
    return found


def _mark(cells: list[Cell], columns: Iterable[int], make: type[Uncomputed]) -> None:
    for column in columns:
        while len(cells) < column:
            cells.append("")
        cells[column - 1] = make()
