"""The assessment sheet (考核评分表) of a unit. Typed data in, PDF out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from office.documents.papers import Act, Letter, act_rows, letter_data
from office.documents.typesetting import Typesetter, typesetter


@dataclass(frozen=True, slots=True)
class AssessmentLine:
    """What changes the points. ``item``: of the scoring table; ``rule``: what it says, such as 每件扣5分; ``case``: number of the
    case, None = none. ``points``: negative = taken; ``given_back``: of them, after rectification in time, >= 0. ``note``: why."""

    item: str
    rule: str
    case: str | None
    day: date | None
    points: Decimal
    given_back: Decimal = Decimal(0)
    note: str = ""


@dataclass(frozen=True, slots=True)
class AssessmentSheet:
    """``table``: the scoring table with its version; ``period``: in words; ``base``: the points before any line. ``total``: what
    the lines come to, as it was confirmed; ``grade``: 等次, None = none. ``floor`` and ``ceiling``: between which the total is
    kept. ``acts``: who did what."""

    letter: Letter
    unit: str
    period: str
    table: str
    base: Decimal
    lines: tuple[AssessmentLine, ...]
    total: Decimal
    grade: str | None = None
    notes: tuple[str, ...] = ()
    acts: tuple[Act, ...] = ()
    floor: Decimal = Decimal(0)
    ceiling: Decimal | None = None


def computed(sheet: AssessmentSheet) -> Decimal:
    """The total that the lines come to."""
    total = sheet.base + sum((line.points + line.given_back for line in sheet.lines), Decimal(0))
    total = max(total, sheet.floor)
    return total if sheet.ceiling is None else min(total, sheet.ceiling)


def render_assessment(sheet: AssessmentSheet, setter: Typesetter | None = None) -> bytes:
    """The PDF. Raises ValueError where the total is not what the lines come to, RenderError."""
    if computed(sheet) != sheet.total:
        raise ValueError(f"the lines come to {computed(sheet)}, the total is {sheet.total}")
    taken = sum((line.points for line in sheet.lines if line.points < 0), Decimal(0))
    added = sum((line.points for line in sheet.lines if line.points > 0), Decimal(0))
    back = sum((line.given_back for line in sheet.lines), Decimal(0))
    said = f"{_plain(sheet.base)} － 扣 {_plain(-taken)} ＋ 返还 {_plain(back)}"
    said += f" ＋ 加 {_plain(added)}" if added else ""
    sum_of_all = sheet.base + taken + added + back
    limit = "" if sum_of_all == sheet.total else f"（合计 {_plain(sum_of_all)}，按上下限计）"
    data: dict[str, Any] = {
        "unit": sheet.unit,
        "opening": f"{sheet.period}，按《{sheet.table}》评分。",
        "lines": [
            [
                line.item, line.rule, line.case or "—", "—" if line.day is None else line.day.isoformat(), _signed(line.points),
                _signed(line.given_back) if line.given_back else "—", line.note,
            ]
            for line in sheet.lines
        ],
        "calculation": f"得分：{said} ＝ {_plain(sheet.total)} 分{limit}。",
        "grade": sheet.grade,
        "notes": list(sheet.notes),
        "acts": act_rows(sheet.acts),
    }  # fmt: skip
    used = typesetter() if setter is None else setter
    return used.pdf("assessment", letter_data(sheet.letter) | data, sheet.letter.when)


def _plain(value: Decimal) -> str:
    """``5``, ``4.5``, ``4.25``; exact: the lines must come to the total."""
    return f"{value.normalize():f}"


def _signed(value: Decimal) -> str:
    return f"{'−' if value < 0 else '+'}{_plain(abs(value))}"
