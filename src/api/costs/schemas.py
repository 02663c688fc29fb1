"""What these operations answer, as models for the OpenAPI description."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final, Literal

from pydantic import BaseModel

from api.answers import page_of
from office.costs.kinds import CostKind, Payer
from office.costs.shares import KmSource
from office.costs.statement import StatementRefusal, StatementState, StatementStep
from office.costs.terms import TariffTerms
from office.costs.trip import TripFactsEntry


class CostEntry(BaseModel):
    """A line of the ledger. `amount`: in yuan. `designated`: whether the vendor is a station of the register; null: no list says so.
    `finding`: what is wrong with who paid."""

    id: str
    organisation: str
    entry_no: str | None
    kind: CostKind
    kind_name: str
    vehicle: str
    dispatch: str | None
    driver: str | None
    occurred_on: date
    period: str
    quantity: int | None
    unit_price_fen: int | None
    amount_fen: int
    amount: str
    vendor: str
    designated: bool | None
    invoice_code: str
    invoice_no: str
    payer: Payer
    finding: Literal["unit_paid_fine"] | None
    finding_name: str | None
    budget_class: str
    source: Literal["entered", "file", "reversal"]
    reverses: str | None
    reversed_by: str | None
    version: int
    created_at: datetime


class CostEntryVersion(BaseModel):
    """What a line said from a version on, who said so, and why."""

    version: int
    step: Literal["enter", "correct", "reverse"]
    at: datetime
    by: str
    body: dict[str, Any]


class CostEntryView(CostEntry):
    """A line with its versions, oldest first."""

    versions: list[CostEntryVersion]


class CostRowError(BaseModel):
    """A row of a file that was not written."""

    row: int
    field: str | None
    message: str


class CostsImported(BaseModel):
    """What became of a file. `sums`: rows of totals, left out. `sha256`: of the file, kept with its rows."""

    rows: int
    created: int
    repeated: int
    sums: int
    refused: int
    errors: list[CostRowError]
    error_count: int
    sha256: str


class TariffView(BaseModel):
    """A version of a platform's tariff. `valid_from` null: a draft."""

    organisation: str
    version: int
    tariff: TariffTerms
    made_by: str
    made_at: datetime
    valid_from: date | None
    activated_by: str | None
    activated_at: datetime | None


class Tariffs(BaseModel):
    """The versions of a platform, newest first. `valid`: the number of the one that holds today; null: none does."""

    items: list[TariffView]
    valid: int | None


class PriceCharge(BaseModel):
    """A line of a price. `quantity` of `unit`: times, m, steps, nights, days, permille."""

    code: str
    name: str
    amount_fen: int
    quantity: int | None
    unit: str


class TariffQuoted(BaseModel):
    """What such a trip costs."""

    product: str
    product_name: str
    vehicle_class: str
    priced_m: int
    charges: list[PriceCharge]
    total_fen: int
    total: str


class TripPrice(BaseModel):
    """The price of a trip. `settlement_m`: the distance that counts; odometer and track are shown beside it. `shares`: of each request, in fen;
    their sum is the total."""

    product: str
    product_name: str
    vehicle_class: str
    priced_m: int
    settlement_m: int | None
    km_source: KmSource | None
    km_source_name: str | None
    odometer_m: int | None
    track_m: int | None
    charges: list[PriceCharge]
    total_fen: int
    total: str
    shares: dict[str, int]


class TripCost(BaseModel):
    """A trip that has returned, and what it costs; `unpriced`: why that is not known, and what to do. `charges_fen`: what the ledger has for it.
    `settled`: its price is frozen."""

    dispatch: str
    number: str
    platform: str
    vehicle: str
    plate: str
    departed: datetime
    returned: datetime
    odometer_m: int | None
    track_m: int | None
    facts: TripFactsEntry
    charges_fen: dict[str, int]
    settled: bool
    tariff_version: int | None
    price: TripPrice | None
    unpriced: str | None
    unpriced_code: Literal["no_tariff", "tariff_out_of_reach", "facts"] | None


class StatementDrawnRow(BaseModel):
    """A statement that was drawn now."""

    organisation: str
    id: str
    number: str
    total_fen: int
    lines: int


class StatementThere(BaseModel):
    """A statement that was there already."""

    organisation: str
    id: str
    number: str


class StatementLeftOut(BaseModel):
    """A request that is in no statement yet, and why."""

    request: str
    dispatches: list[str]
    numbers: str
    why: str


class StatementsDrawn(BaseModel):
    """What was drawn for a month, and what was not. At most 200 of `left_out` are told."""

    platform: str
    period: str
    drawn: list[StatementDrawnRow]
    there: list[StatementThere]
    left_out: list[StatementLeftOut]
    left_out_count: int


class StatementRow(BaseModel):
    """A statement. `object_by`: until when the unit may object; `silent`: it counts as confirmed because nobody objected."""

    id: str
    number: str
    organisation: str
    organisation_name: str | None
    platform: str
    platform_name: str | None
    period: str
    take: int
    state: StatementState
    state_name: str
    version: int
    total_fen: int
    total: str
    lines: int
    tariff_versions: list[int]
    object_by: datetime
    objected: bool
    drawn_at: datetime
    confirmed_at: datetime | None
    silent: bool
    paid_at: datetime | None
    payment_ref: str | None
    received_at: datetime | None


class CostCentreTotal(BaseModel):
    """The sum of a cost centre (经费科目); "" = the request named none."""

    cost_centre: str
    total_fen: int
    total: str


class StatementMay(BaseModel):
    """A step that the caller has the right to; `refused`: why not now, null: go on."""

    step: StatementStep
    name: str
    refused: StatementRefusal | None


class StatementEntry(BaseModel):
    """An event. `body` as it was sent, with the SHA-256 of the lines after it."""

    version: int
    step: StatementStep
    name: str
    at: datetime
    by: str
    persons: list[str]
    body: dict[str, Any]


class StatementView(StatementRow):
    """A statement with its thread. `total_in_words`: 大写金额. Its lines are at `/lines`."""

    total_in_words: str
    cost_centres: list[CostCentreTotal]
    may: list[StatementMay]
    thread: list[StatementEntry]


class StatementLine(BaseModel):
    """A line: a request's share of a trip; a reversal of a line (`corrects`); the line that takes its place. `of`: the statement that is corrected.
    `charges` and `trip_total_fen` are of the whole trip, `riders` requests share it."""

    no: int
    kind: Literal["trip", "reversal", "corrected"]
    dispatch: str
    request: str
    vehicle: str
    corrects: int | None
    amount_fen: int
    amount: str
    cost_centre: str
    on: date
    number: str
    request_number: str
    user: str
    destination: str
    plate: str
    duration_s: int
    vehicle_class: str
    product_name: str
    settlement_m: int | None
    km_source: KmSource | None
    km_source_name: str | None
    odometer_m: int | None
    track_m: int | None
    charges: list[PriceCharge]
    trip_total_fen: int
    riders: int
    reason: str | None
    of: str | None


class DriverCost(BaseModel):
    """A line of the ledger as the driver whom it names sees it. `payer`: who bears it; `reversed_by`: it does not count any more."""

    id: str
    organisation: str
    kind: CostKind
    kind_name: str
    vehicle: str
    dispatch: str | None
    driver: str
    occurred_on: date
    period: str
    amount_fen: int
    amount: str
    payer: Payer
    finding: Literal["unit_paid_fine"] | None
    finding_name: str | None
    reverses: str | None
    reversed_by: str | None


CostEntryPage: Final = page_of(CostEntry)
DriverCostPage: Final = page_of(DriverCost)
StatementPage: Final = page_of(StatementRow)
StatementLinePage: Final = page_of(StatementLine)
