"""The monthly report as XLSX, with charts that Excel and WPS draw from the cells. Pure; the same report is the same bytes."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any, Final

import xlsxwriter

from office.documents.monthly import MonthlyReport, Table, tables

#: Rows that a chart shows.
_MOST_BARS: Final = 15
#: Sheet -> (type of its chart, column of the names, columns of the numbers).
_CHARTS: Final = {
    "单位": ("bar", 1, (2, 5)),
    "车辆": ("bar", 1, (4,)),
    "驾驶员": ("bar", 1, (3,)),
    "规则": ("column", 0, (1, 3, 4)),
    "趋势": ("line", 0, (1, 2)),
}


def render_workbook(report: MonthlyReport) -> bytes:
    """The XLSX. What looks like a formula in a name stays text: no cell is a formula or a link."""
    target = io.BytesIO()
    book = xlsxwriter.Workbook(
        target, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    day = report.as_of
    book.set_properties(
        {"title": report.title, "author": report.issuer, "created": datetime(day.year, day.month, day.day)}
    )
    head = book.add_format({"bold": True, "bg_color": "#E5E7EB", "border": 1})
    cell = book.add_format({"border": 1})
    number = book.add_format({"border": 1, "num_format": "#,##0"})
    sheet = book.add_worksheet("总览")
    sheet.set_column(0, 0, 28)
    sheet.write_string(0, 0, report.title, book.add_format({"bold": True, "font_size": 14}))
    sheet.write_string(1, 0, f"范围：{report.scope}")
    sheet.write_string(2, 0, f"统计截至：{day.isoformat()}")
    for row, (name, value) in enumerate(report.totals, 4):
        sheet.write_string(row, 0, name, cell)
        sheet.write_number(row, 1, value, number)
    for table in tables(report):
        _sheet(book, table, head, cell, number)
    book.close()
    return target.getvalue()


def _sheet(book: Any, table: Table, head: Any, cell: Any, number: Any) -> None:
    name, header, rows, _ = table
    sheet = book.add_worksheet(name)
    sheet.freeze_panes(1, 0)
    for column, title in enumerate(header):
        sheet.write_string(0, column, title, head)
        sheet.set_column(column, column, 22 if title in ("单位", "号牌", "车辆", "驾驶员", "规则") else 9)
    for row, values in enumerate(rows, 1):
        for column, value in enumerate(values):
            if isinstance(value, int):
                sheet.write_number(row, column, value, number)
            else:
                sheet.write_string(row, column, value, cell)
    if not rows:
        return
    sheet.autofilter(0, 0, len(rows), len(header) - 1)
    kind, names, numbers = _CHARTS[name]
    shown = len(rows) if kind == "line" else min(len(rows), _MOST_BARS)
    chart = book.add_chart({"type": kind})
    for column in numbers:
        chart.add_series(
            {
                "name": [name, 0, column],
                "categories": [name, 1, names, shown, names],
                "values": [name, 1, column, shown, column],
            }
        )
    chart.set_title({"name": f"{name}{'前' + str(shown) + '名' if kind == 'bar' else ''}"})
    if kind == "bar":
        chart.set_y_axis({"reverse": True})
    chart.set_size({"width": 640, "height": 60 + 24 * max(shown, 8)})
    sheet.insert_chart(1, len(header) + 1, chart)
