"""The monthly report: one set of numbers, as PDF and (``workbook``) as XLSX. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from office.documents.papers import Letter, letter_data
from office.documents.typesetting import Typesetter, chinese_day
from runtime.units import midnight

#: Rows of a table of the PDF; the XLSX has them all.
_MOST_ROWS: Final = 20


@dataclass(frozen=True, slots=True)
class UnitRow:
    """A unit: alerts that began in the month, cases that were issued in it and what became of them up to now."""

    id: str
    name: str
    alerts: int = 0
    high: int = 0
    withdrawn: int = 0
    cases: int = 0
    closed: int = 0
    violation: int = 0
    irregular: int = 0
    overdue: int = 0
    reminders: int = 0


@dataclass(frozen=True, slots=True)
class SubjectRow:
    """A vehicle (``name``: its plate) or a driver (``name``: the id again)."""

    id: str
    name: str
    unit: str
    alerts: int
    high: int
    withdrawn: int


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule. ``confirmed``, ``justified``, ``data``: what the office found of its alerts."""

    name: str
    alerts: int
    high: int
    withdrawn: int
    confirmed: int
    justified: int
    data: int


@dataclass(frozen=True, slots=True)
class MonthRow:
    """``month``: ``2026-03``."""

    month: str
    alerts: int
    cases: int


@dataclass(frozen=True, slots=True)
class MonthlyReport:
    """``scope``: of which units, in words; ``as_of``: the last day that is counted; ``totals``: (name, number). Units, vehicles and
    drivers with the most alerts first: that is the ranking. ``trend``: months in order, without gaps."""

    issuer: str
    scope: str
    month: date
    as_of: date
    totals: tuple[tuple[str, int], ...]
    units: tuple[UnitRow, ...]
    vehicles: tuple[SubjectRow, ...]
    drivers: tuple[SubjectRow, ...]
    rules: tuple[RuleRow, ...]
    trend: tuple[MonthRow, ...]

    @property
    def title(self) -> str:
        return f"{self.month.year}年{self.month.month}月公务用车监督情况月报"


Cell = str | int
#: What every table of a report is: its name, its header, its rows; ``bar``: the column that is drawn.
Table = tuple[str, tuple[str, ...], list[tuple[Cell, ...]], int]


def tables(report: MonthlyReport) -> list[Table]:
    """The tables, the same for PDF and XLSX."""
    units = [
        (
            k,
            u.name,
            u.alerts,
            u.high,
            u.withdrawn,
            u.cases,
            u.closed,
            u.violation,
            u.irregular,
            u.overdue,
            u.reminders,
        )
        for k, u in enumerate(report.units, 1)
    ]
    rules = [(r.name, r.alerts, r.high, r.withdrawn, r.confirmed, r.justified, r.data) for r in report.rules]
    return [
        ("单位", ("名次", "单位", "预警", "高", "撤销", "督办", "核销", "违规", "不规范", "逾期", "催办"), list(units), 2),
        ("车辆", ("名次", "号牌", "车辆", "单位", "预警", "高", "撤销"), _subjects(report.vehicles), 4),
        ("驾驶员", ("名次", "驾驶员", "单位", "预警", "高", "撤销"), [(k, n, *rest) for k, n, _, *rest in _subjects(report.drivers)], 3),
        ("规则", ("规则", "预警", "高", "撤销", "属实", "合理", "数据问题"), list(rules), 1),
        ("趋势", ("月份", "预警", "督办"), [(m.month, m.alerts, m.cases) for m in report.trend], 1),
    ]  # fmt: skip


def _subjects(rows: Sequence[SubjectRow]) -> list[tuple[Cell, ...]]:
    return [(k, r.name, r.id, r.unit, r.alerts, r.high, r.withdrawn) for k, r in enumerate(rows, 1)]


def render_monthly(setter: Typesetter, report: MonthlyReport) -> bytes:
    """The PDF. Raises RenderError."""
    number = f"{report.month.year}年第{report.month.month}期"
    letter = Letter(report.issuer, number, report.title, midnight(report.as_of))
    data: dict[str, Any] = {
        "document_title": report.title,
        "scope": f"范围：{report.scope}。统计截至 {chinese_day(report.as_of)}。",
        "totals": [[name, f"{number:,}"] for name, number in report.totals],
        "tables": [_shown(table) for table in tables(report)],
    }
    return setter.pdf("monthly", letter_data(letter) | data, letter.when)


def _shown(table: Table) -> dict[str, Any]:
    name, header, rows, bar = table
    largest = max([int(row[bar]) for row in rows], default=0) or 1
    shown = rows if name == "趋势" else rows[:_MOST_ROWS]
    return {
        "name": name,
        "header": list(header),
        "rows": [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in shown],
        "bars": [round(100 * int(row[bar]) / largest, 1) for row in shown],
        "more": len(rows) - len(shown),
    }
