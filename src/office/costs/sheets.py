"""Tables of money as XLSX: a reconciliation, a statement, a publication. Pure; the same rows are the same bytes, and no cell is a formula."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import xlsxwriter

#: What stands in a cell: text, a whole number, a sum of money (``Yuan``), or nothing.
_NARROW: Final = 10


@dataclass(frozen=True, slots=True)
class Yuan:
    """A sum of money, shown in yuan."""

    fen: int


Value = str | int | float | Yuan | None


class Sheets:
    """A workbook that is written sheet by sheet."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._head = book.add_format({"bold": True, "bg_color": "#E5E7EB", "border": 1, "text_wrap": True})
        self._title = book.add_format({"bold": True, "font_size": 14})
        self._cell = book.add_format({"border": 1})
        self._number = book.add_format({"border": 1, "num_format": "#,##0"})
        self._decimal = book.add_format({"border": 1, "num_format": "#,##0.##"})
        self._money = book.add_format({"border": 1, "num_format": "#,##0.00"})

    def about(self, name: str, title: str, said: Iterable[tuple[str, Value]]) -> None:
        """A sheet of names and values below a title."""
        sheet = self._book.add_worksheet(name)
        sheet.set_column(0, 0, 24)
        sheet.set_column(1, 1, 70)
        sheet.write_string(0, 0, title, self._title)
        for row, (word, value) in enumerate(said, 2):
            sheet.write_string(row, 0, word, self._cell)
            self._write(sheet, row, 1, value)

    def table(
        self,
        name: str,
        header: Sequence[tuple[str, int]],
        rows: Iterable[Sequence[Value]],
        notes: Sequence[str] = (),
    ) -> None:
        """A sheet of ``rows`` below ``header`` ((word, width in characters)), with ``notes`` behind them."""
        sheet = self._book.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        for column, (word, width) in enumerate(header):
            sheet.set_column(column, column, width or _NARROW)
            sheet.write_string(0, column, word, self._head)
        row = 0
        for row, values in enumerate(rows, 1):
            for column, value in enumerate(values):
                self._write(sheet, row, column, value)
        for number, note in enumerate(notes, row + 2):
            sheet.write_string(number, 0, note)

    def _write(self, sheet: Any, row: int, column: int, value: Value) -> None:
        if isinstance(value, Yuan):
            sheet.write_number(row, column, value.fen / 100, self._money)
        elif isinstance(value, float):
            sheet.write_number(row, column, value, self._decimal)
        elif isinstance(value, int):
            sheet.write_number(row, column, value, self._number)
        else:
            sheet.write_string(row, column, value or "", self._cell)


@contextmanager
def workbook(target: io.BytesIO, title: str, author: str, at: datetime) -> Iterator[Sheets]:
    """A workbook into ``target``, dated ``at``. Rows are written as they come: a table of 100,000 is never held whole."""
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(target, options)
    book.set_properties({"title": title, "author": author, "created": at.replace(tzinfo=None, microsecond=0)})
    yield Sheets(book)
    book.close()
