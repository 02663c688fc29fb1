"""What people write of a maintenance and in its steps, as models. Money in 分, distances in metres. Pure."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from office.vehicles.steps import RepairAction
from registry.refusals import PlacedError
from registry.values import Day, Identifier, Name, Text, Time, readable

#: Lines of a quote or of the work done.
MOST_LINES: Final = 200
Fen = Annotated[int, Field(ge=0, le=10**12)]
Metres = Annotated[int, Field(ge=0, le=10**10)]


def _written(value: str) -> str:
    readable(value.replace("\n", " "))
    return value


Said = Annotated[
    str, StringConstraints(min_length=5, max_length=500, strip_whitespace=True), AfterValidator(_written)
]


class PartLine(BaseModel):
    """配件. `old_returned`: 旧件已回收."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Name
    part_no: Text = ""
    count: int = Field(ge=1, le=10_000)
    price_fen: Fen
    old_returned: bool = False


class LabourLine(BaseModel):
    """工时. `rate_fen`: 分 an hour."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Name
    minutes: int = Field(ge=1, le=100_000)
    rate_fen: Fen


def labour_fen(minutes: int, rate_fen: int) -> int:
    """What ``minutes`` cost at ``rate_fen`` an hour, in 分, half a 分 up."""
    return (minutes * rate_fen * 2 + 60) // 120


class Bill(BaseModel):
    """Parts and hours that come to a sum."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    parts: list[PartLine] = Field(default_factory=list, max_length=MOST_LINES, description="配件")
    labour: list[LabourLine] = Field(default_factory=list, max_length=MOST_LINES, description="工时")
    total_fen: Fen = Field(description="合计，须等于配件与工时之和")

    def computed_fen(self) -> int:
        """What the lines come to."""
        parts = sum(line.count * line.price_fen for line in self.parts)
        return parts + sum(labour_fen(line.minutes, line.rate_fen) for line in self.labour)

    @model_validator(mode="after")
    def _adds_up(self) -> Bill:
        if not self.parts and not self.labour:
            raise PlacedError("请至少填写一项配件或工时 · name at least one part or labour", "parts")
        come = self.computed_fen()
        if come != self.total_fen:
            raise PlacedError(
                f"合计 {yuan(self.total_fen)} 元与配件、工时之和 {yuan(come)} 元不符，请核对 · the lines come to {yuan(come)}, not to {yuan(self.total_fen)}",
                "total_fen",
            )
        return self


def yuan(fen: int) -> str:
    """``12.34``."""
    return f"{fen // 100}.{fen % 100:02d}"


class MaintenanceNew(BaseModel):
    """报修. `odometer_replaced`: why the reading is less than one before."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    vehicle: Identifier
    fault: Annotated[
        str, StringConstraints(min_length=2, max_length=500, strip_whitespace=True), AfterValidator(_written)
    ] = Field(description="故障或项目")
    odometer_m: Metres = Field(description="里程表读数, metres")
    odometer_replaced: Said | None = None


class RepairCommand(BaseModel):
    """A step. `version`: that which the caller saw."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: int = Field(ge=1, le=100_000)


class RepairStep(RepairCommand):
    """A step that needs nothing more."""


class RepairReason(RepairCommand):
    """A step with its reason."""

    reason: Said


class RepairNote(RepairCommand):
    """备注."""

    text: Annotated[
        str,
        StringConstraints(min_length=1, max_length=2_000, strip_whitespace=True),
        AfterValidator(_written),
    ]


class RepairQuote(RepairCommand):
    """报价 of a shop."""

    shop: Name = Field(description="维修厂")
    bill: Bill


class RepairSubmit(RepairCommand):
    """选定. `reason`: why not the cheapest one."""

    shop: Name = Field(description="选定的维修厂")
    reason: Said | None = None


class RepairStart(RepairCommand):
    """进厂."""

    at: Time | None = Field(None, description="left out: now")


class RepairMore(RepairReason):
    """追加: what all of it will cost."""

    total_fen: Fen = Field(description="追加后的总额")


class RepairFinish(RepairCommand):
    """完工, as the shop has charged it."""

    at: Time | None = Field(None, description="left out: now")
    bill: Bill
    invoice: Name | None = Field(None, description="发票号")
    warranty_until: Day | None = Field(None, description="质保期至")


#: What each step that people take has as its body; a file is uploaded, which is its step.
COMMANDS: Final[dict[RepairAction, type[RepairCommand]]] = {
    RepairAction.QUOTE: RepairQuote,
    RepairAction.SUBMIT: RepairSubmit,
    RepairAction.APPROVE: RepairStep,
    RepairAction.REJECT: RepairReason,
    RepairAction.START: RepairStart,
    RepairAction.ASK_MORE: RepairMore,
    RepairAction.GRANT: RepairStep,
    RepairAction.DENY: RepairReason,
    RepairAction.FINISH: RepairFinish,
    RepairAction.REDO: RepairReason,
    RepairAction.ACCEPT: RepairStep,
    RepairAction.CANCEL: RepairReason,
    RepairAction.NOTE: RepairNote,
}


def plain(command: BaseModel) -> dict[str, Any]:
    """What an event keeps of what was sent: JSON, without what was left out and without the version that was seen."""
    found: dict[str, Any] = command.model_dump(mode="json", exclude_none=True)
    found.pop("version", None)
    return found
