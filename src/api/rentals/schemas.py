"""What these operations read and answer, as models for the OpenAPI description."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pydantic import BaseModel

from api.answers import Hash, page_of
from office.dispatch.rental_contents import COMMANDS, RentalNew, RentalState

#: The bodies that these operations read by hand.
BODIES: Final[tuple[type[BaseModel], ...]] = tuple(dict.fromkeys((RentalNew, *COMMANDS.values())))


class RentalRow(BaseModel):
    """A rental as it is listed; money in 分. `vehicle`: of the register, `ownership: rented`, once it has come. `cost_entry`: of the ledger, once it is settled."""

    id: str
    number: str
    organisation: str
    pool: str
    request: str
    state: RentalState
    state_name: str
    version: int
    period_from: datetime
    period_to: datetime
    passengers: int
    supplier: str
    contract: str
    vehicle_class: str
    seats: int
    reason: str
    ceiling_fen: int
    reported_at: datetime
    reported_by: str
    decided_at: datetime | None
    decided_by: str | None
    decision_reason: str | None
    plate: str | None
    vehicle: str | None
    taken_at: datetime | None
    taken_by: str | None
    driver: str | None
    insured_fen: int | None
    driven_m: int | None
    amount_fen: int | None
    cost_entry: str | None
    settled_at: datetime | None
    settled_by: str | None


RentalPage: Final = page_of(RentalRow)


class RentalProofReason(BaseModel):
    """What was in the way of a vehicle; `constraint`: H1 to H12 of docs/dispatch-planner.md."""

    constraint: str
    code: str
    text: str


class RentalProofVehicle(BaseModel):
    """A vehicle that could not serve."""

    vehicle: str
    plate: str
    organisation: str
    reasons: list[RentalProofReason]


class RentalProofUnknown(BaseModel):
    """What the register does not say, so that it kept no vehicle from serving."""

    code: str
    text: str


class RentalProof(BaseModel):
    """What the planner found when it was asked. `looked_at`: vehicles, also those that are hidden from you; `sha256`: of all of it."""

    asked_at: datetime
    units: list[str]
    looked_at: int
    travel: str
    unknown: list[RentalProofUnknown]
    vehicles: list[RentalProofVehicle]
    sha256: Hash


class RentalView(RentalRow):
    """A rental with its proofs: of the pool when it was reported, of the unit when it was approved."""

    proofs: list[RentalProof]
