"""What a line of the cost ledger (费用台账) says, as people and files give it. Pure.

Money is integer 分, signed: a 冲正 line is negative. Whoever pays a fine that is not his is shown as a finding, not refused: it has happened.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from office.costs.kinds import KIND_NAMES, WITHOUT_INVOICE, CostKind, Payer, payer_of
from registry.damaged import damaged, unprintable
from registry.refusals import PlacedError
from registry.values import Day, Identifier, Text

#: Of one line, in 分: 1,000 million yuan.
MOST_FEN: Final = 10**11
#: A line is booked at most so many months after it happened.
_LATEST_MONTHS: Final = 24
#: 会计期间, such as 202603.
PERIOD_PATTERN: Final = r"^20[0-9]{2}(0[1-9]|1[0-2])$"
Period = Annotated[str, StringConstraints(pattern=PERIOD_PATTERN)]


def _written(value: str) -> str:
    if (message := unprintable(value.replace("\n", " ")) or damaged(value)) is not None:
        raise ValueError(message)
    return value


CostReason = Annotated[
    str, StringConstraints(min_length=5, max_length=500, strip_whitespace=True), AfterValidator(_written)
]
_Fen = Annotated[int, Field(ge=-MOST_FEN, le=MOST_FEN, strict=True)]
_Invoice = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z-]{0,30}$", strip_whitespace=True)]


def period_of(day: date) -> str:
    """The 会计期间 of a day."""
    return f"{day:%Y%m}"


class CostContents(BaseModel):
    """A line of the ledger. ``payer`` left out: as the kind says. ``period`` left out: the month of ``occurred_on``."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    kind: CostKind
    organisation: Identifier = Field(description="单位")
    vehicle: Identifier
    occurred_on: Day
    amount_fen: _Fen = Field(description="金额，分；不为零")
    entry_no: Identifier | None = Field(
        None, description="流水号；同一单位不重复 / the unit's own number, unique in it"
    )
    period: Period | None = Field(None, description="会计期间 yyyymm")
    dispatch: Identifier | None = Field(None, description="派车单")
    driver: Identifier | None = None
    quantity: int | None = Field(
        None,
        ge=0,
        le=10**12,
        strict=True,
        description="燃油 ml，充电 Wh，其他 次 / ml of fuel, Wh of charge, else times",
    )
    unit_price_fen: int | None = Field(
        None, ge=0, le=10**9, strict=True, description="每升、每千瓦时、每次，分"
    )
    vendor: Text = ""
    invoice_code: _Invoice = Field("", description="发票代码；数电票没有代码，留空")
    invoice_no: _Invoice = ""
    no_invoice: Text = Field("", description="没有发票的，写明原因 / why there is no invoice")
    payer: Payer | None = Field(None, description="承担人")
    budget_class: Text = Field("", description="经济分类、项目")
    attachment_sha256: Annotated[str, StringConstraints(pattern="^([0-9a-f]{64})?$")] = Field(
        "", description="附件摘要"
    )
    note: Text = ""

    @model_validator(mode="after")
    def _fits(self) -> CostContents:
        if not self.amount_fen:
            raise PlacedError("金额不能为零，请填写实际金额 · the amount must not be zero", "amount_fen")
        if self.invoice_code and not self.invoice_no:
            raise PlacedError("有发票代码而没有发票号码，请补全 · an invoice code without a number", "invoice_no")  # fmt: skip
        needs = self.amount_fen > 0 and self.kind not in WITHOUT_INVOICE
        if needs and not self.invoice_no and not self.no_invoice:
            raise PlacedError(
                f"{KIND_NAMES[self.kind]}须有发票号码；确无发票的，在 no_invoice 写明原因 · an invoice number is needed, or why there is none",
                "invoice_no",
            )
        if self.period is not None:
            months = _months(self.period) - _months(period_of(self.occurred_on))
            if months < 0:
                raise PlacedError(
                    "会计期间早于发生日所在月份，请改正期间或发生日 · the period is before the day on which it happened", "period"
                )  # fmt: skip
            if months > _LATEST_MONTHS:
                raise PlacedError(
                    f"会计期间晚于发生日 {_LATEST_MONTHS} 个月以上，请核对 · the period is more than {_LATEST_MONTHS} months later", "period"
                )  # fmt: skip
        return self

    @property
    def booked(self) -> str:
        """The 会计期间 that counts."""
        return self.period or period_of(self.occurred_on)

    @property
    def paid_by(self) -> Payer:
        """Who bears it."""
        return self.payer or payer_of(self.kind)


def _months(period: str) -> int:
    return int(period[:4]) * 12 + int(period[4:])


class CostCorrection(BaseModel):
    """The whole line anew, as a new version."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
    version: int = Field(ge=1, le=1_000_000, strict=True, description="`version` as you saw it")
    contents: CostContents
    reason: CostReason


class CostReversal(BaseModel):
    """冲正: a line with the opposite amount; the line itself stays."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
    version: int = Field(ge=1, le=1_000_000, strict=True, description="`version` as you saw it")
    reason: CostReason


def body_of(contents: CostContents) -> dict[str, Any]:
    """A line as a version keeps it."""
    given = contents.model_dump(mode="json", exclude_none=True)
    return given | {"period": contents.booked, "payer": contents.paid_by}
