"""A scoring table (评分表): items with their maxima, what a finding costs, how much comes back. Pure.

Points are texts with at most one decimal (``2.5``) outside and whole hundredths inside; never binary fractions. The maxima of all
items make 100, so no sheet falls below 0 by its own deductions.
"""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from registry.refusals import PlacedError
from registry.values import Name
from rules.catalogue import RULES

#: A full score, in hundredths.
FULL: Final = 10_000
_RULE_CODES: Final = tuple(rule.code for rule in RULES)


def hundredths(points: str) -> int:
    """``2.5`` -> 250. Raises ValueError."""
    whole, _, part = points.partition(".")
    return int(whole) * 100 + int((part + "00")[:2])


def shown(points: int) -> str:
    """250 -> ``2.50``; -50 -> ``-0.50``."""
    sign, size = "-" if points < 0 else "", abs(points)
    return f"{sign}{size // 100}.{size % 100:02d}"


def signed(text: str) -> int:
    """What ``shown`` made of it: ``-0.50`` -> -50."""
    return -hundredths(text[1:]) if text.startswith("-") else hundredths(text)


def _positive(value: str) -> str:
    if not hundredths(value):
        raise ValueError("分值须大于 0 · points must be more than 0")
    return value


def _written(value: str) -> str:
    if any(unicodedata.category(c) in ("Cc", "Cs", "Cn", "Co") and c != "\n" for c in value):
        raise ValueError("含有不可见字符，请删去 · a character that cannot be seen; remove it")
    return value


Points = Annotated[
    str, StringConstraints(pattern=r"^(100(\.0)?|[0-9]{1,2}(\.[0-9])?)$"), AfterValidator(_positive)
]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Note = Annotated[str, StringConstraints(max_length=1_000), AfterValidator(_written)]


class Fact(StrEnum):
    """What of a closed case may cost points."""

    FINDING = "finding"  # 核销结论
    LATE_REPLY = "late_reply"  # 逾期回复, each
    LATE_SIGN = "late_sign"  # 逾期签收, each
    RETURNED = "returned"  # 退回重办, each


FACT_NAMES: Final = {
    Fact.FINDING: "核销结论 / finding",
    Fact.LATE_REPLY: "逾期回复 / reply after its term",
    Fact.LATE_SIGN: "逾期签收 / signed for after its term",
    Fact.RETURNED: "退回重办 / sent back to be done again",
}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScoreItem(_Model):
    """An item (考核项目)."""

    code: Code
    name: Name
    maximum: Points = Field(description="points that it can cost, at most")


class ScoreEntry(_Model):
    """What one kind of fact costs. Of a finding: the first entry that fits counts; `rules`, `severities`, `sources` left out: any."""

    item: Code
    fact: Fact
    findings: list[Literal["violation", "irregular"]] = Field(default_factory=list, max_length=2)
    rules: list[Literal[_RULE_CODES]] | None = Field(None, min_length=1, max_length=len(_RULE_CODES))  # type: ignore[valid-type]  # the catalogue is the list
    severities: list[Literal["low", "medium", "high"]] | None = Field(None, min_length=1, max_length=3)
    sources: list[Code] | None = Field(
        None, min_length=1, max_length=20, description="of the case: alert, hotline, …"
    )
    points: Points

    def fits(self, finding: str, rule: str | None, severity: str | None, source: str) -> bool:
        """Whether a finding about an alert of ``rule`` (None: a case without alerts) is one of these."""
        return (
            self.fact is Fact.FINDING
            and finding in self.findings
            and (self.rules is None or rule in self.rules)
            and (self.severities is None or severity in self.severities)
            and (self.sources is None or source in self.sources)
        )


class GiveBack(_Model):
    """How much of what a finding cost comes back after rectification: percent, by its day."""

    on_time_percent: int = Field(100, ge=0, le=100, strict=True)
    late_percent: int = Field(50, ge=0, le=100, strict=True)
    late_wd: int = Field(
        10, ge=0, le=200, strict=True, description="working days after the term that still count as late"
    )

    def percent(self, late_wd: int, *, late: bool) -> int:
        """``late``: after its term, ``late_wd`` working days."""
        if not late:
            return self.on_time_percent
        return self.late_percent if late_wd <= self.late_wd else 0


class ScoreTable(_Model):
    """A scoring table."""

    items: list[ScoreItem] = Field(min_length=1, max_length=50)
    entries: list[ScoreEntry] = Field(min_length=1, max_length=200)
    give_back: GiveBack = GiveBack()
    dispute_wd: int = Field(
        5, ge=1, le=60, strict=True, description="working days after the close within which a unit may object"
    )
    note: Note = ""

    @model_validator(mode="after")
    def _whole(self) -> ScoreTable:
        maxima = self.maxima
        if len(maxima) < len(self.items):
            raise PlacedError("项目编码重复 · the code of an item is given twice", "items")
        if sum(maxima.values()) != FULL:
            total = shown(sum(maxima.values()))
            raise PlacedError(
                f"各项满分之和须为 100，现为 {total} · the maxima must make 100, not {total}", "items"
            )
        for entry in self.entries:
            if entry.item not in maxima:
                raise PlacedError(f"没有考核项目 {entry.item} · there is no item {entry.item}", "entries")
            if (entry.fact is Fact.FINDING) != bool(entry.findings):
                raise PlacedError(
                    "核销结论须写明哪些结论，其他不写 · entries of findings name them, others do not",
                    "entries",
                )
            if entry.fact is not Fact.FINDING and (entry.rules or entry.severities or entry.sources):
                raise PlacedError("逾期、退回不分规则 · lateness and returns know no rule", "entries")
        return self

    @property
    def maxima(self) -> dict[str, int]:
        """Item -> hundredths."""
        return {item.code: hundredths(item.maximum) for item in self.items}

    @property
    def judged(self) -> frozenset[str]:
        """Items that some fact can cost points in; of the others nothing is known."""
        return frozenset(entry.item for entry in self.entries)


def _entry(item: str, points: str, finding: str, *rules: str, high: bool = False) -> ScoreEntry:
    return ScoreEntry.model_validate(
        {"item": item, "fact": "finding", "findings": [finding], "points": points}
        | ({"rules": list(rules)} if rules else {}) | ({"severities": ["high"]} if high else {})
    )  # fmt: skip


def _of(item: str, *rules: str) -> list[ScoreEntry]:
    return [
        _entry(item, "3", "violation", *rules, high=True),
        _entry(item, "2", "violation", *rules),
        _entry(item, "1", "irregular", *rules),
    ]


#: The items and their maxima are those of a real inspection list of ten points and the data of this product
#: (docs/assessment.md names the source); the points of a finding, and which rule belongs to which item, are our judgment.
DEFAULT: Final = ScoreTable(
    items=[
        ScoreItem(code=code, name=name, maximum=maximum)
        for code, name, maximum in (
            ("quota", "超编制、超标准配备", "10"),
            ("purpose", "违反用途、固定给个人使用", "10"),
            ("borrowing", "换用、借用、占用其他单位车辆", "10"),
            ("gifts", "接受企业和个人赠送车辆", "5"),
            ("allowance", "既领取交通补贴又使用公务用车", "10"),
            ("dispatch", "不按程序派车", "15"),
            ("ledgers", "制度与台账", "10"),
            ("marking", "标识化", "5"),
            ("platform", "纳入编制与平台管理", "10"),
            ("supervision", "督办逾期、退回", "10"),
            ("publication", "油耗与费用公示", "5"),
        )
    ],
    entries=[
        *_of("dispatch", "location", "idle_rental"),
        *_of("purpose", "destination", "off_hours", "sealed", "parking", "route"),
        *_of("ledgers", "mileage", "fuel_consumption", "card_binding", "card_use", "refuel_frequency", "traffic_violations", "tank"),
        *_of("platform", "terminal_silent"),
        ScoreEntry(item="dispatch", fact=Fact.FINDING, findings=["violation", "irregular"], sources=["late_paper"], points="1"),
        _entry("purpose", "2", "violation"),
        _entry("ledgers", "1", "irregular"),
        ScoreEntry(item="supervision", fact=Fact.LATE_REPLY, points="1"),
        ScoreEntry(item="supervision", fact=Fact.LATE_SIGN, points="0.5"),
        ScoreEntry(item="supervision", fact=Fact.RETURNED, points="1"),
    ],
    note="分项与满分：依据某地公务用车检查评分表并结合本系统数据；每项结论扣几分、哪条规则归哪一项、返还比例为本产品的建议，请由公车管理处审定后发布。",
)  # fmt: skip
