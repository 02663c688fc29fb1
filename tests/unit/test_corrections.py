"""Files that are given back to be corrected: what a cell becomes in them, and that it is read again as it was."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, time

import openpyxl
import pytest

from registry import bulk
from registry.marked_workbook import MarkedRow, marked_workbook
from registry.refusals import UnreadableError
from registry.remarks import NOT_KEPT, SAID, STOOD_AT
from registry.statements.cells import LOST_DIGITS, Cell, Covered, Numeric, Uncomputed
from registry.statements.columns import read_mapping
from registry.statements.files import read_sheets
from registry.statements.importer import read_statement
from registry.workbook_records import read_any

NOW = datetime(2026, 11, 1, tzinfo=UTC)
HEADER: list[Cell] = ["编号", "车牌号", "单位", "登记日期"]


def made(*rows: list[Cell], header: list[Cell] = HEADER, wrong: frozenset[int] = frozenset()) -> bytes:
    return marked_workbook(
        [header], [MarkedRow(k, row, wrong, "改") for k, row in enumerate(rows, 2)], ["说明"]
    )


def test_cells_come_back_as_they_were() -> None:
    cells: list[Cell] = [
        "=HYPERLINK(\"http://x\",\"y\")", "+cmd|' /C calc'!A0", "@SUM(A1)", "-1", "007", "  a", "a\nb", "苏F12345", Numeric("45.32"),
        Numeric("20260302"), datetime(2026, 3, 2, 8, 5, 9), date(2026, 3, 2), time(8, 5), "x" * 32_767, "\ufffe",
        "_x0041_", "<b>&amp;", "🚗", "　全角", "1.23457E+18", "TRUE", "#N/A",
    ]  # fmt: skip
    data = made(cells, header=[f"列{k}" for k in range(len(cells))])
    (header, row), *_ = ([cells for _, cells in sheet.lines()] for sheet in read_sheets(data))
    assert header == [f"列{k}" for k in range(len(cells))]
    assert row == [
        c.strip() if isinstance(c, str) and c != "\ufffe" else "\ufffd" if c == "\ufffe" else c for c in cells
    ]
    assert [type(cell) for cell in row] == [Numeric if type(c) is Numeric else type(c) for c in cells]
    book = openpyxl.load_workbook(io.BytesIO(data))
    sheet = book["更正"]
    assert {cell.data_type for cell in sheet[2]} <= {"s", "n", "d", "inlineStr"}, "no cell is a formula"
    # What is typed over a number stays text: a card number keeps its digits.
    assert {sheet.cell(2, k).number_format for k in (3, 11, 12)} == {"@"}
    assert [sheet.cell(1, k).value for k in (1, 2)] == [SAID, STOOD_AT]


def test_a_number_that_has_lost_digits_is_refused_again() -> None:
    data = made([Numeric("1234567890123456000"), "苏F1", "o"])
    (row,) = read_any("vehicles", data, None)
    assert [flaw.message for flaw in row.flaws] == [LOST_DIGITS]


@pytest.mark.parametrize("lost", [Uncomputed(), Covered("苏F1"), "x" * 32_768])
def test_what_could_not_be_kept_must_be_filled_in(lost: Cell) -> None:
    header: list[Cell] = ["编号", "车牌号", "单位", "类别"]
    data = made(["v1", "苏F12345", "o", lost], header=header, wrong=frozenset({3}))
    (row,) = read_any("vehicles", data, None)
    assert [(flaw.path, "未能保留" in flaw.message) for flaw in row.flaws] == [(("category",), True)]
    text = f"{SAID},编号,{STOOD_AT},车牌号,单位,类别\n改,v1,5,苏F12345,o,{NOT_KEPT}\n"
    (row,) = read_any("vehicles", text.encode(), "csv")
    assert [flaw.path for flaw in row.flaws] == [("category",)]


def test_our_columns_are_left_out_wherever_they_stand() -> None:
    plain = read_any("vehicles", "编号,车牌号,单位\nv1,苏F12345,o\n".encode(), "csv")
    for mark in (",", ";", "\t"):
        text = f"编号,{SAID},车牌号,单位,{STOOD_AT}\nv1,号牌不对,苏F12345,o,7\n".replace(",", mark)
        assert [row.values for row in read_any("vehicles", text.encode(), "csv")] == [
            row.values for row in plain
        ]
    with pytest.raises(UnreadableError, match="未知列"):
        read_any("vehicles", "编号,错误,车牌号,单位\nv1,x,苏F12345,o\n".encode(), "csv")
    rows = read_any("vehicles", made(["v1", "苏F12345", "o", ""]), None)
    assert [row.values for row in bulk.bounded_rows(rows)] == [row.values for row in plain]


def test_a_statement_with_our_columns_reads_as_without() -> None:
    header = "卡号,交易时间,交易类型,数量,金额"
    row = "1000113200000123456,2026-03-02 08:05:09,加油,45.32,357.57"
    mapping = read_mapping("statement", {})
    plain = read_statement("statement", f"{header}\n{row}\n".encode(), mapping, NOW)
    ours = read_statement(
        "statement", f"{SAID},{STOOD_AT},{header}\n合计：卡号 88888888 不对,3,{row}\n".encode(), mapping, NOW
    )
    assert ours.ignored == plain.ignored == []
    assert [draft.record for draft in ours.drafts] == [draft.record for draft in plain.drafts]
    assert len(ours.drafts) == 1


def test_every_flaw_of_a_statement_is_kept_where_it_is_asked_for() -> None:
    rows = "\n".join(f"1000113200000123456,昨天{k},加油,x,1" for k in range(150))
    data = f"卡号,交易时间,交易类型,数量,金额\n{rows}\n".encode()
    mapping = read_mapping("statement", {})
    parsed = read_statement("statement", data, mapping, NOW, None, 120)
    assert (parsed.refused, len(parsed.every), len(parsed.flaws)) == (150, 120, bulk.MAX_FLAWS)
    assert {flaw.column for flaw in parsed.every[2]} == {"交易时间", "数量"}
    assert read_statement("statement", data, mapping, NOW).every == {}


def test_days_count_as_in_the_file_they_came_in() -> None:
    cells: list[Cell] = [Numeric("44621", datetime(1904, 1, 1)), date(2026, 3, 2), "\x01a"]
    data = marked_workbook([["甲", "乙", "丙"]], [MarkedRow(2, cells)], [], since_1904=True)
    _, row = (cells for _, cells in read_sheets(data)[0].lines())
    number, day, text = row
    assert isinstance(number, Numeric)
    assert (number, number.epoch.year, day, text) == ("44621", 1904, date(2026, 3, 2), "\x01a")
