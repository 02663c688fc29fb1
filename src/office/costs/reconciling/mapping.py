"""What the finance system of a unit calls things, and what of it counts: saved as data, in versions. Pure."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from office.costs.kinds import CostKind
from office.costs.reconciling.voucher import FIELDS
from registry.refusals import PlacedError
from registry.values import Identifier

ClassCode = Annotated[str, StringConstraints(pattern="^[0-9]{3,9}$")]
_Prefix = Annotated[str, StringConstraints(pattern="^[0-9][0-9.]{0,19}$")]
_Header = Annotated[str, StringConstraints(min_length=1, max_length=60, strip_whitespace=True)]
_RUNNING: Final = ["30231"]
#: Kinds that no voucher under these classes shows: wages, allowances, and what is no payment.
_NOT_BOOKED: Final = frozenset({CostKind.DEPRECIATION, CostKind.OVERTIME, CostKind.ALLOWANCE})
#: Where a statement of a platform may be booked.
_OF_STATEMENTS: Final = ["30231", "30239", "30214"]


def _of_kinds() -> dict[CostKind, list[str]]:
    found = {kind: _RUNNING for kind in CostKind if kind not in _NOT_BOOKED}
    return found | {CostKind.RENTAL: ["30214", "30239"]}


class VoucherMapping(BaseModel):
    """How a unit's vouchers are read and judged. ``fields``: our field -> its header or element, null = the file has none. ``record``: the element
    that is a line; its fields are within it or stand before it in what encloses it. ``units``: its word for a unit -> our id. ``classes``: kind of cost -> the classes it may be booked under; a kind that is not named is not
    compared. ``statement_classes``: the same of statements. ``accounts``: what the 科目 of a line that counts begins with; none = accounts of
    cost (5) if there are any, else of the budget (7), so that parallel entries (平行记账) count once. ``account_classes``: class of a 科目, by its
    beginning, where the file has no class. ``statement_lag``: so many months after its own a statement may be booked. ``days``: how far apart
    the day of a voucher and that of what it pays may be."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    fields: dict[str, _Header | None] = Field(default_factory=dict, max_length=20)
    record: list[_Header] = Field(
        default_factory=lambda: ["记账凭证", "凭证分录", "分录", "凭证行"], min_length=1, max_length=10
    )
    units: dict[_Header, Identifier] = Field(default_factory=dict, max_length=2_000)
    fill_down: bool = Field(
        False, description="凭证号、日期只写在每张凭证首行 / a number and a day stand on the first line of a voucher only"
    )  # fmt: skip
    classes: dict[CostKind, list[ClassCode]] = Field(default_factory=_of_kinds, max_length=len(CostKind))
    statement_classes: list[ClassCode] = Field(
        default_factory=lambda: list(_OF_STATEMENTS), min_length=1, max_length=20
    )
    accounts: list[_Prefix] = Field(default_factory=list, max_length=20)
    account_classes: dict[_Prefix, ClassCode] = Field(default_factory=dict, max_length=200)
    statement_lag: int = Field(1, ge=0, le=12, strict=True)
    days: int = Field(45, ge=0, le=366, strict=True)

    @model_validator(mode="after")
    def _known(self) -> VoucherMapping:
        if unknown := sorted(self.fields.keys() - FIELDS.keys()):
            raise PlacedError(f"未知字段 {unknown[0][:40]}；可用：{'、'.join(FIELDS)} · unknown field; there are: {', '.join(FIELDS)}", "fields")  # fmt: skip
        named = [name for name in self.fields.values() if name is not None]
        if len(set(named)) < len(named):
            raise PlacedError("有两个字段写了同一列，请留一个 · two fields name the same column", "fields")
        if any(not codes for codes in self.classes.values()):
            raise PlacedError("每个费用种类至少写一个经济分类；不比对的种类请不写 · a kind without a class: leave it out", "classes")  # fmt: skip
        return self

    @property
    def ours(self) -> frozenset[str]:
        """The classes that vehicles are booked under."""
        return frozenset(self.statement_classes).union(*self.classes.values())
