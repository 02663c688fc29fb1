"""The monthly report and the assessment sheet: the same numbers in PDF and XLSX, text that looks like a formula, sums that are
checked."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import openpyxl
import pytest

from office.documents.assessment import AssessmentLine, AssessmentSheet, computed, render_assessment
from office.documents.monthly import (
    MonthlyReport,
    MonthRow,
    RuleRow,
    SubjectRow,
    UnitRow,
    render_monthly,
    tables,
)
from office.documents.papers import Letter
from office.documents.typesetting import typesetter
from office.documents.workbook import render_workbook
from runtime.units import CHINA
from tests.unit.test_documents import squeezed, text_of

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("http://x")', "http://x.cn/", "'=1", "\t=1")
REPORT = MonthlyReport(
    issuer="公务用车管理处",
    scope="全市",
    month=date(2026, 3, 1),
    as_of=date(2026, 3, 31),
    totals=(("预警", 1_234), ("下达督办", 88)),
    units=tuple(UnitRow(f"u{k}", name, alerts=900 - k, cases=40 - k) for k, name in enumerate(FORMULAS)),
    vehicles=tuple(SubjectRow(f"car-{k}", f"苏F{10_000 + k}", "市局", 700 - k, 3, 1) for k in range(30)),
    drivers=(SubjectRow("d1", "d1", "市局", 12, 1, 0),),
    rules=(RuleRow("定位异常", 600, 10, 1, 5, 3, 1),),
    trend=tuple(MonthRow(f"2025-{m:02}", 1_000 + m, m) for m in range(1, 13)),
)
WHEN = datetime(2027, 1, 10, tzinfo=CHINA)
SHEET = AssessmentSheet(
    letter=Letter("公务用车管理处", "考〔2026〕jsj", "考核评分表", WHEN),
    unit="市局",
    period="2026年度",
    table="考核办法（2026年第1版）",
    base=Decimal(100),
    lines=(
        AssessmentLine("违规使用", "每件扣5分", "督〔2026〕jsj-0001号", date(2026, 3, 2), Decimal(-5), Decimal("2.5"), "按期整改"),
        AssessmentLine("台账", "加1分", None, None, Decimal(1)),
    ),
    total=Decimal("98.5"),
    grade="良好",
)  # fmt: skip


def test_pdf_and_xlsx_have_the_same_numbers() -> None:
    pdf, xlsx = render_monthly(typesetter(), REPORT), render_workbook(REPORT)
    text = squeezed(text_of(pdf))
    book = openpyxl.load_workbook(io.BytesIO(xlsx))
    assert book.sheetnames == ["总览", "单位", "车辆", "驾驶员", "规则", "趋势"]
    assert "1,234" in text
    assert [book["总览"].cell(row, 2).value for row in (5, 6)] == [1_234, 88]
    for name, header, rows, _ in tables(REPORT):
        found = list(book[name].iter_rows(values_only=True))
        assert found[0] == header
        assert [tuple(row) for row in found[1:]] == rows
        for row in rows[:20]:
            assert all((f"{cell:,}" if isinstance(cell, int) else squeezed(cell)) in text for cell in row)
        assert len(book[name]._charts) == 1
    assert "另有10行" in text


def test_what_looks_like_a_formula_is_text() -> None:
    data = render_workbook(REPORT)
    sheet = openpyxl.load_workbook(io.BytesIO(data))["单位"]
    names = [sheet.cell(row, 2) for row in range(2, 2 + len(FORMULAS))]
    assert [cell.value for cell in names] == list(FORMULAS)
    assert {cell.data_type for cell in names} == {"s"}
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        for part in parts.namelist():
            if part.startswith("xl/worksheets/sheet"):
                assert b"<f>" not in parts.read(part)
                assert b"hyperlink" not in parts.read(part)


def test_the_same_report_is_the_same_bytes() -> None:
    assert render_workbook(REPORT) == render_workbook(replace(REPORT))
    assert render_monthly(typesetter(), REPORT) == render_monthly(typesetter(), replace(REPORT))
    with zipfile.ZipFile(io.BytesIO(render_workbook(REPORT))) as parts:
        assert {info.date_time for info in parts.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_an_empty_month_is_a_report() -> None:
    empty = replace(REPORT, units=(), vehicles=(), drivers=(), rules=(), totals=())
    assert "无。" in text_of(render_monthly(typesetter(), empty))
    assert openpyxl.load_workbook(io.BytesIO(render_workbook(empty)))["单位"].max_row == 1


def test_an_assessment_shows_how_it_is_computed() -> None:
    text = squeezed(text_of(render_assessment(SHEET)))
    for said in (
        "市局：",
        "每件扣5分",
        "督〔2026〕jsj-0001号",
        "−5",
        "+2.5",
        "按期整改",
        "得分：100－扣5＋返还2.5＋加1＝98.5分。",
        "等次：良好",
    ):
        assert said in text, said
    assert render_assessment(SHEET) == render_assessment(SHEET, typesetter())


def test_a_total_that_the_lines_do_not_come_to_is_refused() -> None:
    with pytest.raises(ValueError, match=r"98\.5"):
        render_assessment(replace(SHEET, total=Decimal(99)))
    low = replace(SHEET, base=Decimal(1), total=Decimal(0), lines=SHEET.lines[:1])
    assert computed(low) == 0
    assert "合计−1.5" in squeezed(text_of(render_assessment(low))).replace("-1.5", "−1.5")
