"""A workbook with rows of a file as they were, and beside each what is wrong with it: to be corrected and imported again.

Row by row, so that little is in memory. No cell is a formula or a link, whatever it begins with; text stays text, and what somebody
types over a number becomes text, so that long numbers keep their digits."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Final

import xlsxwriter

from registry.remarks import NOT_KEPT, SAID, STOOD_AT
from registry.statements.cells import Cell, Covered, Numeric, Uncomputed

#: The longest text of a cell, and of what is said about a row.
_LONGEST: Final = 32_767
_MOST_SAID: Final = 2_000
#: XML has no sign for these.
_NO_XML: Final = re.compile("[\ud800-\udfff\ufffe\uffff]")
#: Before this day a spreadsheet has no dates.
_FIRST_DAY: Final = date(1900, 3, 1)
_WIDE: Final = 60
_TEXT: Final = "@"
_DATED: Final = {datetime: "yyyy-mm-dd hh:mm:ss", date: "yyyy-mm-dd", time: "hh:mm:ss"}


@dataclass(frozen=True, slots=True)
class MarkedRow:
    """A row: its number in the file, its cells; which of them are wrong (from 0), and what is to be done, "" = it is well."""

    number: int
    cells: Sequence[Cell]
    wrong: frozenset[int] = frozenset()
    said: str = ""


def marked_workbook(
    head: Sequence[Sequence[Cell]],
    rows: Iterable[MarkedRow],
    about: Sequence[str],
    *,
    since_1904: bool = False,
) -> bytes:
    """The XLSX. ``head``: what stands above the rows, the header last. ``about``: a sheet of its own that explains.
    ``since_1904``: numbers that are days count from then."""
    target = io.BytesIO()
    book = xlsxwriter.Workbook(
        target,
        {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "date_1904": since_1904,
        },
    )
    book.set_properties({"created": datetime(2020, 1, 1)})  # the same file is the same bytes
    pen = _Pen(book)
    sheet = book.add_worksheet("更正")
    sheet.set_column(0, 0, _WIDE)
    sheet.set_column(1, 1, 10)
    if head:
        sheet.set_column(2, 1 + max(map(len, head)), 18)
    for at, cells in enumerate(head):
        last = at == len(head) - 1
        if last:
            sheet.write_string(at, 0, SAID, pen.header)
            sheet.write_string(at, 1, STOOD_AT, pen.header)
        for k, cell in enumerate(cells):
            pen.write(sheet, at, k + 2, cell, header=last)
    sheet.freeze_panes(len(head), 2)
    end = len(head) - 1
    for at, row in enumerate(rows, start=len(head)):
        said = _NO_XML.sub("\ufffd", row.said)
        sheet.write_string(at, 0, said if len(said) <= _MOST_SAID else said[: _MOST_SAID - 1] + "…", pen.said)
        sheet.write_number(at, 1, row.number)
        for k in range(max(len(row.cells), *(place + 1 for place in row.wrong), 0)):
            pen.write(sheet, at, k + 2, row.cells[k] if k < len(row.cells) else "", wrong=k in row.wrong)
        end = at
    if head:
        sheet.autofilter(len(head) - 1, 0, end, 1 + len(head[-1]))
    explained = book.add_worksheet("说明")
    explained.set_column(0, 0, 110)
    for at, line in enumerate(about):
        explained.write_string(at, 0, line, pen.wrapped)
    book.close()
    return target.getvalue()


class _Pen:
    """The formats of a workbook, and how a cell is written."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._made: dict[tuple[str, bool], Any] = {}
        self.header = book.add_format({"bold": True, "bg_color": "#E5E7EB", "border": 1, "num_format": _TEXT})
        self.said = book.add_format(
            {"font_color": "#9C0006", "text_wrap": True, "valign": "top", "num_format": _TEXT}
        )
        self.wrapped = book.add_format({"text_wrap": True, "valign": "top"})

    def _format(self, form: str, wrong: bool) -> Any:
        if (form, wrong) not in self._made:
            marked = {"bg_color": "#FFC7CE", "border": 1, "border_color": "#9C0006"} if wrong else {}
            self._made[form, wrong] = self._book.add_format({"num_format": form, "valign": "top"} | marked)
        return self._made[form, wrong]

    def write(
        self, sheet: Any, row: int, column: int, cell: Cell, *, wrong: bool = False, header: bool = False
    ) -> None:
        text = self.header if header else self._format(_TEXT, wrong)
        if isinstance(cell, Uncomputed) or (isinstance(cell, Covered) and wrong):
            # Of several rows one value, or a formula without any: which it should be here nobody knows.
            sheet.write_string(row, column, NOT_KEPT, text)
        elif isinstance(cell, datetime | date | time):
            if _has_place(cell):
                kind = next(kind for kind in _DATED if isinstance(cell, kind))
                sheet.write_datetime(row, column, cell, self._format(_DATED[kind], wrong))
            else:
                sheet.write_string(row, column, cell.isoformat(), text)
        elif isinstance(cell, Numeric) and math.isfinite(float(cell)):
            # Still a number: one of which digits were lost must not look like a text that somebody has typed.
            sheet.write_number(row, column, float(cell), text)
        elif len(cell) > _LONGEST:
            sheet.write_string(row, column, NOT_KEPT, text)
        elif cell:
            sheet.write_string(row, column, _NO_XML.sub("\ufffd", cell), text)
        elif wrong or header:
            sheet.write_blank(row, column, None, text)


def _has_place(cell: datetime | date | time) -> bool:
    """Whether a spreadsheet can hold it as what it is."""
    if isinstance(cell, time):
        return cell.tzinfo is None
    if isinstance(cell, datetime):
        return cell.tzinfo is None and cell.date() >= _FIRST_DAY
    return cell >= _FIRST_DAY
