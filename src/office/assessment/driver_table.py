"""What facts cost a driver in a quarter (驾驶员考核评分表). Pure.

Points are texts with at most one decimal outside and hundredths inside, as in the tables of units.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from office.assessment.table import FULL, Code, Note, Points, ScoreItem, hundredths, shown
from registry.refusals import PlacedError
from registry.values import Day


class DriverFact(StrEnum):
    """What may cost a driver points. The first are found by the program, the others are entered by hand."""

    VIOLATION = "violation"  # 交通违法
    REST = "rest"  # 连续驾驶超过 4 小时未休息
    LOW_RATING = "low_rating"  # 乘车人评价 1 或 2 分
    UNANSWERED = "unanswered"  # 未在规定时间内接单
    LATE_DEPARTURE = "late_departure"  # 晚出车 10 分钟以上
    LATE_ENTRY = "late_entry"  # 出车、归队后 10 分钟内未登记
    ACCIDENT = "accident"  # 有责事故
    COMPLAINT = "complaint"  # 投诉属实
    INSPECTION = "inspection"  # 出车前未检查车辆
    UNCLEAN = "unclean"  # 车容不洁
    DETOUR = "detour"  # 私自绕行、公车私用属实


FACT_NAMES: Final[Mapping[DriverFact, str]] = {
    DriverFact.VIOLATION: "交通违法 / traffic violation", DriverFact.REST: "连续驾驶超过 4 小时未休息 / four hours without a rest",
    DriverFact.LOW_RATING: "评价 1 或 2 分 / rated 1 or 2", DriverFact.UNANSWERED: "未按时接单 / not accepted in time",
    DriverFact.LATE_DEPARTURE: "晚出车 10 分钟以上 / left more than 10 minutes late", DriverFact.LATE_ENTRY: "出车、归队未在 10 分钟内登记 / entered late",
    DriverFact.ACCIDENT: "有责事故 / accident at fault", DriverFact.COMPLAINT: "投诉属实 / complaint found true",
    DriverFact.INSPECTION: "未做出车前检查 / no inspection before a trip", DriverFact.UNCLEAN: "车容不洁 / unclean vehicle",
    DriverFact.DETOUR: "私自绕行属实 / private detour found true",
}  # fmt: skip
#: Those that people enter, for no table of this product says them.
BY_HAND: Final = (DriverFact.ACCIDENT, DriverFact.COMPLAINT, DriverFact.INSPECTION, DriverFact.UNCLEAN, DriverFact.DETOUR)  # fmt: skip


class DriverScoreEntry(BaseModel):
    """What one fact costs, each."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    item: Code
    fact: DriverFact
    points: Points


class DriverScoreTable(BaseModel):
    """A table of points. The maxima make 100; an item without an entry is not judged, and costs nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    items: list[ScoreItem] = Field(min_length=1, max_length=20)
    entries: list[DriverScoreEntry] = Field(min_length=1, max_length=len(DriverFact))
    objection_wd: int = Field(5, ge=1, le=60, strict=True, description="working days after the issue within which the driver may object")  # fmt: skip
    note: Note = ""

    @model_validator(mode="after")
    def _whole(self) -> DriverScoreTable:
        maxima = self.maxima
        if len(maxima) < len(self.items):
            raise PlacedError("项目编码重复 · the code of an item is given twice", "items")
        if sum(maxima.values()) != FULL:
            raise PlacedError(f"各项满分之和须为 100，现为 {shown(sum(maxima.values()))} · the maxima must make 100", "items")  # fmt: skip
        if len({entry.fact for entry in self.entries}) < len(self.entries):
            raise PlacedError("同一事实写了两次，请留一个 · a fact is given twice; keep one", "entries")
        for entry in self.entries:
            if entry.item not in maxima:
                raise PlacedError(f"没有考核项目 {entry.item} · there is no item {entry.item}", "entries")
        return self

    @property
    def maxima(self) -> dict[str, int]:
        """Item -> hundredths."""
        return {item.code: hundredths(item.maximum) for item in self.items}


class DriverTableNew(BaseModel):
    """A new version, from the first day of a quarter that is still to come."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    valid_from: Day
    table: DriverScoreTable


_ITEMS: Final = (("safety", "安全", "30"), ("service", "服务", "20"), ("vehicle", "车况", "15"), ("attendance", "出勤", "15"), ("fuel", "油耗", "10"), ("conduct", "规范", "10"))  # fmt: skip
_COSTS: Final = (
    ("safety", DriverFact.ACCIDENT, "18"), ("safety", DriverFact.VIOLATION, "1"), ("safety", DriverFact.REST, "2"), ("service", DriverFact.LOW_RATING, "2"),
    ("service", DriverFact.COMPLAINT, "5"), ("vehicle", DriverFact.INSPECTION, "1"), ("vehicle", DriverFact.UNCLEAN, "1"),
    ("attendance", DriverFact.UNANSWERED, "1"), ("attendance", DriverFact.LATE_DEPARTURE, "1"), ("conduct", DriverFact.LATE_ENTRY, "0.5"),
    ("conduct", DriverFact.DETOUR, "5"),
)  # fmt: skip
#: Items, and 18, 1 and 2 points of the first, are those of the office's specification; the other points are our judgment.
DEFAULT: Final = DriverScoreTable(
    items=[ScoreItem(code=code, name=name, maximum=maximum) for code, name, maximum in _ITEMS],
    entries=[DriverScoreEntry(item=item, fact=fact, points=points) for item, fact, points in _COSTS],
    note="各项满分和安全扣分依据办公室业务规范；其余扣分为本产品的建议，请由单位审定后另存版本。油耗暂无与同型车的可比数据，不评不扣。",
)
