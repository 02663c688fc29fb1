"""What these operations read and answer, as models for the OpenAPI description."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, Literal

from pydantic import BaseModel

from api.answers import page_of
from registry.licences import Body
from registry.quotas import LineStanding, QuotaNew, QuotaPlaceNew
from registry.standards import QuotaClass, Standing, Tier

#: The bodies that these operations read by hand.
BODIES: Final[tuple[type[BaseModel], ...]] = (QuotaNew, QuotaPlaceNew)


class QuotaLine(BaseModel):
    """A class of a unit. `quota_class` null: vehicles whose category names no class. `quota` null: none was entered (未核定), and nothing is over it.
    `in_use`: own official vehicles of today, sealed ones and those in repair as well, rented ones not."""

    quota_class: QuotaClass | None
    quota_class_name: str
    quota: int | None
    in_use: int
    over: int | None
    standing: LineStanding
    valid_from: date | None
    paper_no: str | None
    approved_by: str | None


class QuotaUnit(BaseModel):
    """A unit with its quotas and what there is."""

    organisation: str
    name: str
    lines: list[QuotaLine]


QuotaUnitPage: Final = page_of(QuotaUnit)


class QuotaEntry(BaseModel):
    """What was entered of a quota."""

    vehicles: int
    valid_from: date
    approved_by: str
    paper_no: str
    note: str
    entered_at: datetime
    entered_by: str


class QuotaView(BaseModel):
    """A quota. `line`: as it stands today, null: neither a quota holds nor is there a vehicle. `entries`: all that was entered, the latest day first."""

    organisation: str
    quota_class: QuotaClass
    quota_class_name: str
    line: QuotaLine | None
    entries: list[QuotaEntry]


class QuotaPlace(BaseModel):
    """Of which class a vehicle was said to be."""

    quota_class: QuotaClass
    quota_class_name: str
    tier: Tier
    tier_name: str
    approved_by: str
    paper_no: str
    note: str
    entered_at: datetime
    entered_by: str


class QuotaPlaces(BaseModel):
    """The one that counts first; none: the category of the vehicle counts."""

    items: list[QuotaPlace]


class QuotaVehicle(BaseModel):
    """A vehicle by the standard of its class. `above`: in what it is above; `missing`: what has to be registered before it can be said; `because`: why it
    is not judged (`no_figures`: others set the standard of this class; `earlier_standard`: bought before the standard; `no_passenger_car`).
    `limit_price_yuan`, `limit_displacement_ml`: what was compared with, null: nothing."""

    vehicle: str
    plate: str
    organisation: str
    category: str
    energy: str
    quota_class: QuotaClass | None
    quota_class_name: str
    tier: Tier
    tier_name: str
    paper_no: str | None
    make_model: str
    body: Body | None
    displacement_ml: int | None
    price_fen: int | None
    bought_on: date | None
    standing: Standing
    above: list[Literal["body", "price", "displacement"]]
    missing: list[Literal["quota_class", "body", "bought_on", "price", "displacement", "new_energy"]]
    because: Literal["no_figures", "earlier_standard", "no_passenger_car"] | None
    limit_price_yuan: int | None
    limit_displacement_ml: int | None


QuotaVehiclePage: Final = page_of(QuotaVehicle)
