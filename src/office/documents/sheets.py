"""Plain tables as XLSX, without charts. Pure; the same tables are the same bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import xlsxwriter

#: What Excel takes of a cell.
_MOST_CHARS: Final = 32_000


@dataclass(frozen=True, slots=True)
class WorkSheet:
    """One table. ``columns``: title and width in characters. A number is a number in the file; None is an empty cell."""

    name: str
    columns: tuple[tuple[str, int], ...]
    rows: Sequence[Sequence[str | int | float | None]]


def render_sheets(
    title: str, issuer: str, day: date, notes: Sequence[str], sheets: Sequence[WorkSheet]
) -> bytes:
    """The XLSX: a page with ``title`` and ``notes``, then the tables. What looks like a formula in a name stays text: no cell is a formula or a link."""
    target = io.BytesIO()
    book = xlsxwriter.Workbook(
        target, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    book.set_properties({"title": title, "author": issuer, "created": datetime(day.year, day.month, day.day)})
    head = book.add_format({"bold": True, "bg_color": "#E5E7EB", "border": 1})
    cell = book.add_format({"border": 1, "text_wrap": True, "valign": "top"})
    number = book.add_format({"border": 1, "num_format": "#,##0.##", "valign": "top"})
    front = book.add_worksheet("说明")
    front.set_column(0, 0, 80)
    front.write_string(0, 0, title, book.add_format({"bold": True, "font_size": 14}))
    for row, note in enumerate((issuer, *notes), 1):
        front.write_string(row, 0, note[:_MOST_CHARS])
    for table in sheets:
        sheet = book.add_worksheet(table.name)
        sheet.freeze_panes(1, 0)
        for column, (name, width) in enumerate(table.columns):
            sheet.write_string(0, column, name, head)
            sheet.set_column(column, column, width)
        for row, values in enumerate(table.rows, 1):
            for column, value in enumerate(values):
                if isinstance(value, int | float):
                    sheet.write_number(row, column, value, number)
                else:
                    sheet.write_string(row, column, (value or "")[:_MOST_CHARS], cell)
        if table.rows:
            sheet.autofilter(0, 0, len(table.rows), len(table.columns) - 1)
    book.close()
    return target.getvalue()
