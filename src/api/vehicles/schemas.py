"""What these operations answer, as models for the OpenAPI description."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final, Literal

from pydantic import BaseModel

from api.answers import page_of
from office.vehicles.documents import DocumentKind
from office.vehicles.steps import RepairAction, RepairState
from registry.licences import Body
from registry.vehicle_papers import VehiclePaperKind


class VehicleParticularsShown(BaseModel):
    """What a vehicle is. Money in 分, volume in ml, power in W; null: not known."""

    vehicle: str
    vin: str | None
    vin_note: str | None
    engine_no: str
    make_model: str
    body: Body | None
    body_name: str | None
    automatic: bool
    colour: str
    seats: int | None
    displacement_ml: int | None
    power_w: int | None
    price_fen: int | None
    bought_on: date | None
    fund: str
    asset_no: str
    marking: Literal["", "painted", "missing", "exempt"]
    marking_reason: str


class PlateHeld(BaseModel):
    """`valid_from`, `valid_to`: when the register was told. Null: before it kept this; the vehicle has it now."""

    plate: str
    valid_from: datetime | None
    valid_to: datetime | None


class PlateSwapped(BaseModel):
    """A swap of plates; `act`: the same at the other vehicle."""

    act: str
    plate_before: str
    plate_after: str
    reason: str
    by: str
    at: datetime


class VehiclePlates(BaseModel):
    """The newest first."""

    items: list[PlateHeld]
    swaps: list[PlateSwapped]


class VehiclePaper(BaseModel):
    """An inspection, an insurance, or a driver's licence. It holds to the end of `valid_to`, null: for ever. `days_left`: negative = it has ended.
    `standing`: `ending` within 30 days; `future`: not yet."""

    id: str
    organisation: str
    vehicle: str | None
    driver: str | None
    kind: VehiclePaperKind
    kind_name: str
    number: str
    issuer: str
    classes: list[str]
    valid_from: date
    valid_to: date | None
    days_left: int | None
    standing: Literal["valid", "ending", "ended", "future", "void"]
    amount_fen: int | None
    note: str
    entered_at: datetime
    entered_by: str
    voided_at: datetime | None
    voided_by: str | None
    void_reason: str | None


VehiclePaperPage: Final = page_of(VehiclePaper)


class VehicleDocument(BaseModel):
    """A file. `sha256`: of what is kept."""

    id: str
    vehicle: str | None
    driver: str | None
    paper: str | None
    maintenance: str | None
    kind: DocumentKind
    kind_name: str
    name: str
    media_type: str
    size: int
    sha256: str
    uploaded_at: datetime
    uploaded_by: str


class VehicleDocuments(BaseModel):
    """Oldest first."""

    items: list[VehicleDocument]


class VehiclePaperView(VehiclePaper):
    """A paper with its files."""

    documents: list[VehicleDocument]


class VehiclePapers(BaseModel):
    """All of one vehicle or driver, the one that holds longest first."""

    items: list[VehiclePaper]


class MaintenanceRow(BaseModel):
    """A maintenance as it is listed. `in_shop`: the vehicle cannot be sent."""

    id: str
    organisation: str
    vehicle: str
    number: str
    state: RepairState
    state_name: str
    version: int
    fault: str
    shop: str | None
    approved_fen: int | None
    total_fen: int | None
    odometer_m: int
    invoice: str | None
    in_shop: bool
    reported_at: datetime
    in_at: datetime | None
    out_at: datetime | None
    accepted_at: datetime | None


MaintenancePage: Final = page_of(MaintenanceRow)


class MaintenanceQuote(BaseModel):
    """What a shop asks."""

    shop: str
    total_fen: int


class MaintenanceMay(BaseModel):
    """A step that the caller has the right to; `refused`: why not now, null: go on."""

    step: RepairAction
    name: str
    refused: str | None


class MaintenanceEntry(BaseModel):
    """An event. `body` as it was sent, with what followed from it; `persons`: whose act it is, with who delegated the right."""

    version: int
    step: RepairAction
    name: str
    at: datetime
    by: str
    actor: str
    persons: list[str]
    body: dict[str, Any]


class MaintenanceView(MaintenanceRow):
    """A maintenance with its thread. `asked_fen`: what all of it would cost, while that waits for approval."""

    quotes: list[MaintenanceQuote]
    asked_fen: int | None
    pictures: int
    may: list[MaintenanceMay]
    thread: list[MaintenanceEntry]
    documents: list[VehicleDocument]


class MaintenanceStepTaken(BaseModel):
    """Where it is now."""

    id: str
    version: int
    state: RepairState
    state_name: str
    number: str
