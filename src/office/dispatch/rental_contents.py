"""What people write of a rental of society's vehicles (社会车辆租赁), as models. Money in 分, distances in metres. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from registry.values import Day, Identifier, Name, Plate, Text


class RentalState(StrEnum):
    """Where a report is."""

    REPORTED = "reported"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    TAKEN = "taken"
    SETTLED = "settled"


class RentalStep(StrEnum):
    """What is done with a report."""

    APPROVE = "approve"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"
    TAKE = "take"
    SETTLE = "settle"


STATE_NAMES: Final[Mapping[RentalState, str]] = {
    RentalState.REPORTED: "已报备，待批准", RentalState.APPROVED: "已批准", RentalState.REFUSED: "不同意", RentalState.WITHDRAWN: "已撤回",
    RentalState.TAKEN: "已起租", RentalState.SETTLED: "已结算",
}  # fmt: skip
STEP_NAMES: Final[Mapping[RentalStep, str]] = {
    RentalStep.APPROVE: "批准租赁", RentalStep.REFUSE: "不同意租赁", RentalStep.WITHDRAW: "撤回报备", RentalStep.TAKE: "起租登记", RentalStep.SETTLE: "租赁结算",
}  # fmt: skip
DISPATCH: Final = "trips:dispatch"
APPROVE: Final = "rentals:approve"
KEEP: Final = "registry:write"
PAY: Final = "costs:write"
#: Step -> the states in which it is taken, where it leads to, the permission, and in which unit: the request's or the pool's.
TABLE: Final[Mapping[RentalStep, tuple[frozenset[RentalState], RentalState, str, str]]] = {
    RentalStep.APPROVE: (frozenset({RentalState.REPORTED}), RentalState.APPROVED, APPROVE, "organisation"),
    RentalStep.REFUSE: (frozenset({RentalState.REPORTED}), RentalState.REFUSED, APPROVE, "organisation"),
    RentalStep.WITHDRAW: (frozenset({RentalState.REPORTED, RentalState.APPROVED}), RentalState.WITHDRAWN, DISPATCH, "pool"),
    RentalStep.TAKE: (frozenset({RentalState.APPROVED}), RentalState.TAKEN, KEEP, "organisation"),
    RentalStep.SETTLE: (frozenset({RentalState.TAKEN}), RentalState.SETTLED, PAY, "organisation"),
}  # fmt: skip
_Why = Annotated[Text, StringConstraints(min_length=5, max_length=200, strip_whitespace=True)]
_Invoice = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z-]{0,30}$", strip_whitespace=True)]


class RentalNew(BaseModel):
    """Report a rental for a request that waits. Whether an own vehicle can serve is not asked: the program finds out."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
    request: Identifier = Field(description="用车申请")
    supplier: Name = Field(description="定点供应商")
    contract: Name = Field(description="定点合同号")
    vehicle_class: Name = Field(description="车型，不得高于公务用车配备标准")
    seats: int = Field(ge=1, le=60, strict=True)
    reason: _Why = Field(description="为什么公共交通不适用")
    ceiling_fen: int = Field(ge=1, le=10**10, strict=True, description="约定最高金额，分；结算不得超过")


class RentalCommand(BaseModel):
    """A step; `version` is that which the caller saw."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
    version: int = Field(ge=1, le=1_000_000, strict=True)


class RentalReason(RentalCommand):
    """Why not."""

    reason: _Why


class RentalTake(RentalCommand):
    """The supplier's vehicle has come: it becomes a rented vehicle of the unit (`vehicles`, `ownership: rented`), with the number of the report."""

    plate: Plate
    seats: int = Field(ge=1, le=60, strict=True)
    driver: Name = Field(description="驾驶员姓名")
    insured_fen: int = Field(ge=0, le=10**12, strict=True, description="三者险、座位险保额，分")


class RentalSettle(RentalCommand):
    """What it came to, into the ledger of costs (租赁/社会化服务)."""

    amount_fen: int = Field(ge=1, le=10**10, strict=True)
    driven_m: int = Field(ge=0, le=10**9, strict=True, description="里程，米")
    occurred_on: Day
    invoice_code: _Invoice = ""
    invoice_no: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z-]{1,30}$", strip_whitespace=True)]


COMMANDS: Final[Mapping[RentalStep, type[RentalCommand]]] = {
    RentalStep.APPROVE: RentalCommand, RentalStep.REFUSE: RentalReason, RentalStep.WITHDRAW: RentalReason, RentalStep.TAKE: RentalTake,
    RentalStep.SETTLE: RentalSettle,
}  # fmt: skip


def named(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its state in words."""
    return dict(row) | {"state_name": STATE_NAMES[RentalState(row["state"])]}
