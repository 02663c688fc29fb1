"""What people write in a case: the fields of a draft and of each step, as models. Pure.

Texts may have line breaks; other characters that cannot be seen are refused, and so is what is longer than a page or two.
"""

from __future__ import annotations

import unicodedata
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from office.supervision.states import Step
from registry.damaged import damaged
from registry.refusals import PlacedError
from registry.values import Day, Identifier, Name, parse_day

#: Characters of a long text, entries of a list.
MAX_TEXT: Final = 10_000
MAX_ALERTS: Final = 200


def _written(value: str) -> str:
    for character in value:
        if unicodedata.category(character) in ("Cc", "Cs", "Cn", "Co") and character not in "\n\t\r":
            raise ValueError(
                f"含有不可见字符 U+{ord(character):04X}，请删去 · a character that cannot be seen; remove it"
            )
    if (message := damaged(value)) is not None:
        raise ValueError(message)
    return value


#: A text that people wrote, of one or many lines.
LongText = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_TEXT, strip_whitespace=True), AfterValidator(_written)
]
#: Why; short ones say nothing.
Reason = Annotated[
    str, StringConstraints(min_length=5, max_length=2_000, strip_whitespace=True), AfterValidator(_written)
]


class Source(StrEnum):
    """Where a case comes from."""

    ALERT = "alert"  # 预警
    HOTLINE = "hotline"  # 12345
    COMMISSION = "commission"  # 纪委交办
    SPOT_CHECK = "spot_check"  # 抽查
    JOINT = "joint"  # 联合督查、互查
    LATE_PAPER = "late_paper"  # 逾期补单
    SEALED = "sealed"  # 封存期间移动


class Finding(StrEnum):
    """What the office found."""

    VIOLATION = "violation"  # 属实违规
    IRREGULAR = "irregular"  # 程序不规范
    JUSTIFIED = "justified"  # 合理使用
    DATA = "data"  # 数据问题
    UNVERIFIABLE = "unverifiable"  # 无法核实


FINDING_NAMES: Final = {
    Finding.VIOLATION: "属实违规",
    Finding.IRREGULAR: "程序不规范",
    Finding.JUSTIFIED: "合理使用",
    Finding.DATA: "数据问题",
    Finding.UNVERIFIABLE: "无法核实",
}


class Cause(StrEnum):
    """What was wrong with the data."""

    FENCE = "fence"  # 围栏
    STATION = "station"  # 加油站
    TERMINAL = "terminal"  # 终端
    PAPERWORK = "paperwork"  # 单据
    FEED = "feed"  # 外部数据


class Explanation(StrEnum):
    """What units say most."""

    YARD = "yard"  # 场内挪车
    WASH = "wash"  # 洗车
    REPAIR = "repair"  # 维修
    INSPECTION = "inspection"  # 年检
    DETOUR = "detour"  # 绕行（路况）
    CHANGE_NOT_ENTERED = "change_not_entered"  # 变更未登记
    DRIFT = "drift"  # 定位漂移


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


class CaseContents(_Model):
    """A draft: what is asked of which unit. Facts from alerts are filled in where ``facts`` is left out; the original stays
    in ``facts_original``."""

    title: Name
    facts: LongText | None = Field(None, description="left out: filled from the alerts")
    requirements: LongText = "请核实情况，书面回复并附相关凭证。"
    basis: list[Name] = Field(
        default_factory=list, max_length=20, description="依据: clauses, numbers of documents"
    )
    level: Literal["urgent", "general"] = "general"
    source: Source = Source.ALERT
    external_no: Name | None = Field(None, description="外部编号")
    organisation: Identifier | None = Field(None, description="责任单位; left out: that of the alerts")
    person: Name | None = Field(None, description="被督办人")
    helpers: list[Identifier] = Field(default_factory=list, max_length=20, description="协办单位")
    vehicle: Identifier | None = None
    driver: Identifier | None = None
    alerts: list[Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")]] = Field(
        default_factory=list, max_length=MAX_ALERTS
    )
    orders: list[Identifier] = Field(default_factory=list, max_length=MAX_ALERTS)
    due_on: Day | None = Field(None, description="时限以来文为准时填写 / the date on the paper")
    complaint: Identifier | None = Field(None, description="id of the complaint that it answers")

    @model_validator(mode="after")
    def _known(self) -> CaseContents:
        for name in ("alerts", "orders", "helpers"):
            given = getattr(self, name)
            if len(set(given)) < len(given):
                raise PlacedError("有重复 · given twice", name)
        if not self.alerts and (self.organisation is None or self.facts is None):
            name = "organisation" if self.organisation is None else "facts"
            raise PlacedError("没有预警时须填写责任单位和事实 · without alerts the unit and the facts are needed", name)  # fmt: skip
        if self.source is Source.HOTLINE and self.complaint is None:
            raise PlacedError("12345 来源须注明诉求编号 · name the complaint", "complaint")
        return self


class CaseCommand(_Model):
    """What every step has: the version of the case that its author saw."""

    version: int = Field(ge=1, le=1_000_000, strict=True, description="`version` of the case as you saw it")


class CaseEdit(CaseCommand):
    """The whole draft anew."""

    contents: CaseContents


class CaseStep(CaseCommand):
    """A step that needs no words."""

    note: LongText | None = None


class CaseReason(CaseCommand):
    """A step that must be justified."""

    reason: Reason


class CaseAskExtension(CaseReason):
    """More time, once."""

    due_on: Day = Field(description="the day that is asked for")


class CaseGrant(CaseCommand):
    """Yes: to more time (``due_on``: another day than was asked for), or to a refusal (``organisation``: the unit that gets it)."""

    reason: LongText | None = None
    due_on: Day | None = None
    organisation: Identifier | None = None


class CaseReply(CaseCommand):
    """回复: how it was looked into, what was found, why, what was done."""

    text: LongText
    checked: list[Literal["ledger", "track", "card", "talk", "site"]] = Field(
        min_length=1, max_length=5, description="核查方式: 台账, 轨迹, 油卡, 谈话, 现场"
    )
    explanations: list[Explanation] = Field(default_factory=list, max_length=7)
    cause: LongText | None = None
    measures: LongText | None = None


class CaseClose(CaseCommand):
    """核销: what the office found, on what it rests, who answers for it."""

    finding: Finding
    evidence: LongText = Field(description="what the finding rests on")
    responsibility: LongText | None = Field(None, description="责任认定; needed for 属实违规 and 程序不规范")
    measures: LongText | None = Field(None, description="整改措施; needed for the same")
    measures_due: Day | None = Field(None, description="整改期限; needed for the same")
    cause: Cause | None = Field(None, description="needed for 数据问题, and for nothing else")
    subject: Name | None = Field(None, description="of 数据问题: which fence, station, terminal, order")

    @model_validator(mode="after")
    def _whole(self) -> CaseClose:
        if self.finding in (Finding.VIOLATION, Finding.IRREGULAR):
            for name in ("responsibility", "measures", "measures_due"):
                if getattr(self, name) is None:
                    raise PlacedError("此结论须填写责任认定、整改措施和期限 · this finding needs responsibility, measures and their term", name)  # fmt: skip
        if (self.finding is Finding.DATA) != (self.cause is not None):
            raise PlacedError(
                "数据问题须注明原因（围栏、加油站、终端、单据、外部数据），其他结论不填"
                " · a data problem must name its cause, other findings have none",
                "cause",
            )
        return self


class CaseCalledBack(CaseCommand):
    """回访: what the citizen said."""

    result: Literal["satisfied", "dissatisfied", "not_reached"]
    note: LongText | None = None


class CaseReopen(CaseReason):
    """New facts."""

    due_on: Day | None = Field(None, description="left out: the term of its level")


class CaseStands(CaseReason):
    """维持: why the finding stands although an alert of the case was withdrawn, or changed."""


class CaseRectified(CaseCommand):
    """报送整改: what was done of the measures."""

    text: LongText


class CaseNote(CaseCommand):
    """A remark. ``internal``: one of the office is not shown to the unit; one of the unit is shown to the office and inspectors too."""

    text: LongText
    internal: bool = True


#: What each step that people take has as its body.
COMMANDS: Final[dict[Step, type[CaseCommand]]] = {
    Step.EDIT: CaseEdit,
    Step.SUBMIT: CaseStep,
    Step.RETURN: CaseReason,
    Step.ISSUE: CaseStep,
    Step.SIGN: CaseStep,
    Step.REFUSE: CaseReason,
    Step.REPLY: CaseReply,
    Step.SIGN_REPLY: CaseStep,
    Step.ASK_EXTENSION: CaseAskExtension,
    Step.GRANT: CaseGrant,
    Step.DENY: CaseReason,
    Step.CLOSE: CaseClose,
    Step.REDO: CaseReason,
    Step.RECHECK: CaseReason,
    Step.CALLED_BACK: CaseCalledBack,
    Step.REOPEN: CaseReopen,
    Step.STANDS: CaseStands,
    Step.RECTIFIED: CaseRectified,
    Step.ACCEPT_RECTIFICATION: CaseStep,
    Step.RETURN_RECTIFICATION: CaseReason,
    Step.CANCEL: CaseReason,
    Step.REMIND: CaseStep,
    Step.NOTE: CaseNote,
}


def plain(model: BaseModel) -> dict[str, Any]:
    """The body of an event: as JSON has it, without ``version`` and what was left out."""
    return model.model_dump(mode="json", exclude={"version"}, exclude_none=True)


def day_of(text: str) -> date:
    """A day of a body."""
    return parse_day(text)
