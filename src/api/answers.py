"""What the API answers, as models for its OpenAPI description: typed clients are made from them. The answers themselves are
written straight as JSON; a test compares them with these.
"""

from __future__ import annotations

import inspect
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, create_model

from office.supervision.contents import Cause, Finding

Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
#: ``next`` of a page; null on the last one.
Next = Annotated[
    str | None, Field(description="give it as `cursor` to get the next page; null: there is none")
]
Outcome = Literal["normal", "suspected", "undetermined"]


class ProblemError(BaseModel):
    """One error in what was sent, or a question about it. Of a document `pointer`, of a file `row`, `field` and the file's
    own name of the `column` say where."""

    message: str
    pointer: str | None = None
    row: int | None = None
    field: str | None = None
    column: str | None = None


class Problem(BaseModel):
    """A refusal (RFC 9457). `type` names its kind for programs, `detail` says it to people, Chinese first."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[ProblemError] | None = None
    error_count: int | None = Field(None, description="of all errors; `errors` are the first ones")
    version: int | None = Field(None, description="of a case that has moved on: its version now")
    state: str | None = Field(None, description="of such a case: its state now")
    revision: int | None = Field(
        None, description="of a draft, or a disposition, that has moved on: its revision now"
    )
    etag: str | None = Field(None, description="of a record that has moved on: its ETag now")
    conflict: str | None = Field(
        None, description="of a vehicle or driver that is taken: the number of the dispatch"
    )
    digest: str | None = Field(None, description="of a sheet that has moved on: its digest now")


class MeasureValue(BaseModel):
    """A number that was found."""

    value: int | float | None
    unit: str


class AlertBody(BaseModel):
    """One version of an alert. `withdrawal_reason` is set exactly when `status` is `withdrawn`."""

    id: str
    rule: str
    rule_version: int
    version: int
    status: Literal["suspected", "withdrawn"]
    severity: Literal["low", "medium", "high"]
    organisation: str
    vehicle: str | None
    plate: str
    driver: str | None
    order: str | None
    occurred_from: datetime
    occurred_to: datetime | None
    detected_at: datetime
    summary: str
    summary_en: str | None
    reason_code: str | None
    measures: dict[str, MeasureValue]
    parameters: dict[str, int]
    evidence_hash: Hash
    evidence_sm3: Hash | None
    withdrawal_reason: str | None
    withdrawal_reason_en: str | None
    withdrawn_by: Literal["backfill"] | None


class ListedAlert(AlertBody):
    """An alert of a list. `unread`: you have not read this version; null: its content is not shown to you."""

    unread: bool | None


class AlertsMarked(BaseModel):
    """`marked`: how many of them were not so before. What you do not see is passed over."""

    marked: int


class AlertVersion(AlertBody):
    """A version of an alert and when it was written."""

    written_at: datetime


class ReceiptShown(BaseModel):
    """A version of an alert was received; `subject`: who said so."""

    version: int
    received_by: str
    subject: str
    received_at: datetime


class DispositionShown(BaseModel):
    """What became of an alert; `subject`: who said so."""

    id: str
    version: int
    code: str
    zh: str
    en: str
    note: str
    decided_by: str
    subject: str
    recorded_at: datetime


class DispositionCode(BaseModel):
    """What a disposition may be."""

    code: str
    zh: str
    en: str
    active: bool
    updated_at: datetime
    revision: int


class DispositionCodes(BaseModel):
    """All of them."""

    items: list[DispositionCode]


class AlertLabel(BaseModel):
    """What the office found about an alert when it closed a case. `case_no`: the number of the case. `stands`: false when the case
    is open again, was cancelled, or has found something else since, or while the alert is withdrawn and nobody has decided;
    null when it is not yours to see."""

    finding: Finding
    cause: Cause | None
    case: str
    case_no: str | None
    at: datetime
    stands: bool | None


class ReminderShown(BaseModel):
    """What the driver was told by the program in the time of an alert, or of its order that is overdue. `about`: the fix that showed it.
    `state`: of the command; `confirmed_at`: when the terminal confirmed it, null = it has not (`failure`: why)."""

    command: int
    condition: Literal["left_without_order", "order_overdue", "sealed_moved", "speed"]
    text: str
    about: datetime
    asked_at: datetime
    state: str
    failure: str | None
    confirmed_at: datetime | None


class AlertWithVersions(AlertBody):
    """An alert as it stands, with its versions, its receipts and its dispositions, each oldest first, what the office found
    about it, newest first, and what the driver was told meanwhile, as it stands now: evidence has what was known when it was judged."""

    versions: list[AlertVersion]
    receipts: list[ReceiptShown]
    dispositions: list[DispositionShown]
    labels: list[AlertLabel]
    reminders: list[ReminderShown]


class Judged(BaseModel):
    """A judgement, whatever its outcome."""

    id: int
    rule: str
    rule_version: int
    subject: str
    vehicle: str | None
    outcome: Outcome
    reason_code: str | None
    reason: str
    reason_en: str | None
    measures: dict[str, MeasureValue]
    parameters: dict[str, int]
    evidence_hash: Hash | None
    evaluated_at: datetime


class Waits(BaseModel):
    """What could not be judged for good yet."""

    kind: str
    key: str
    due_at: datetime
    attempts: int
    waits_for: str


class Nearest(BaseModel):
    """A destination of an order and how near its trip came to it."""

    index: int
    name: str
    nearest_m: int | None


class TripResult(BaseModel):
    """The result of an order's trip."""

    order: str
    order_version: int
    vehicle: str
    state: Literal["running", "settled"]
    mileage_m: int
    bridged_m: int
    odometer_m: int | None
    fixes: int
    first_fix_at: datetime | None
    last_fix_at: datetime | None
    destinations: list[Nearest]
    computed_at: datetime


class SetParameter(BaseModel):
    """A value of a parameter that was set."""

    rule: str
    name: str
    organisation: str | None
    value: int
    effective_from: datetime
    source: str


class ParameterWritten(SetParameter):
    """The same, and what was done."""

    outcome: Literal["created", "updated", "unchanged"]


class StoredParameter(SetParameter):
    """The same, as it is listed."""

    created_at: datetime


class DefaultParameter(BaseModel):
    """A parameter of a rule, its default and its limits."""

    rule: str
    name: str
    unit: str
    default: int
    source: str
    minimum: int
    maximum: int


class Parameters(BaseModel):
    """Values set, and every default."""

    items: list[StoredParameter]
    defaults: list[DefaultParameter]


class Imported(BaseModel):
    """What an import did, or with `dry_run` would do."""

    rows: int
    created: int
    updated: int
    unchanged: int
    dry_run: bool
    warnings: list[ProblemError] | None = Field(
        None, description="what was written and looks wrong, the first ones; absent where nothing does"
    )
    warning_count: int | None = Field(None, description="of all of them")


class RowError(BaseModel):
    """A row that was refused, or a flaw of the file. `column`: the file's own name of the field."""

    row: int | None
    field: str | None
    column: str | None = None
    message: str


class UnmatchedStation(BaseModel):
    """A name that no station bears."""

    name: str
    rows: int


class StatementImported(Imported):
    """What an import of a statement did, row by row."""

    repeated: int
    refused: int
    skipped: int
    columns: dict[str, str]
    ignored_columns: list[str]
    notes: list[str]
    unmatched_stations: list[UnmatchedStation]
    unmatched_station_count: int
    errors: list[RowError]
    error_count: int


class Accepted(BaseModel):
    """So many positions are durable."""

    accepted: int


class Alive(BaseModel):
    """The process is up."""

    status: Literal["ok"]


class Ready(BaseModel):
    """The database can be used. `read-only` only where that was asked for."""

    status: Literal["ready", "read-only"]
    schema_version: int = Field(alias="schema")


def page_of(model: type[BaseModel]) -> type[BaseModel]:
    """The model of a page of ``model``."""
    fields: dict[str, Any] = {"items": (list[model], ...), "next": (Next, ...)}  # type: ignore[valid-type] # made at run time
    return create_model(f"{model.__name__}Page", __doc__=f"A page: {inspect.getdoc(model)}", **fields)


AlertPage: Final = page_of(AlertBody)
ListedAlertPage: Final = page_of(ListedAlert)
UnconfirmedPage: Final = page_of(AlertVersion)
JudgedPage: Final = page_of(Judged)
WaitsPage: Final = page_of(Waits)
