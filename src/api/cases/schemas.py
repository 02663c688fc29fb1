"""What these operations answer, as models for the OpenAPI description."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field

from api.answers import Hash, page_of
from office.drivers.leave import LeaveAction, LeaveState
from office.requests.table import TripAction, TripState
from office.supervision.contents import Cause, Finding, Source
from office.supervision.deadlines import Colour
from office.supervision.states import State, Step
from office.vehicles.steps import RepairAction, RepairState
from registry.vehicle_papers import VehiclePaperKind


class CaseRow(BaseModel):
    """A case as it is listed. `due_on`: null where no term runs, or it is undetermined."""

    id: str
    organisation: str
    number: str | None
    state: State
    version: int
    source: Source
    level: Literal["urgent", "general"]
    title: str
    vehicle: str | None
    external_no: str | None
    finding: Finding | None
    reminders: int
    announced: bool
    proposal: Literal["cancel", "reopen"] | None
    created_at: datetime
    issued_at: datetime | None
    due_on: date | None
    undetermined: bool
    colour: Colour


class CaseTerm(BaseModel):
    """The end of a term. `on` null: undetermined, for nobody has published whether `unknown` is worked."""

    on: date | None
    unknown: date | None
    note: str | None


class CaseTerms(BaseModel):
    """The terms of a case; null: does not run."""

    colour: Colour
    paused: bool
    overdue_wd: int | None
    sign_late: bool
    reopen_by: date | None
    yellow_from: date | None
    due: CaseTerm | None
    first_due: CaseTerm | None
    sign: CaseTerm | None
    refuse: CaseTerm | None
    ask: CaseTerm | None
    office: CaseTerm | None
    announce: CaseTerm | None


class MayStep(BaseModel):
    """A step that the caller has the right to; `refused`: why not now, null: go on."""

    step: Step
    name: str
    refused: str | None


class ThreadEntry(BaseModel):
    """An event. `body` as it was sent, with what followed from it. `actor` did it, null: the program by
    itself; `persons`: whose act it is, with who delegated the right."""

    version: int
    step: Step
    name: str
    at: datetime
    by: str
    actor: str | None
    persons: list[str]
    internal: bool
    body: dict[str, Any]
    address: str | None
    device: str | None


class CaseAttachment(BaseModel):
    """A file at a case."""

    id: str
    name: str
    media_type: str
    size: int
    sha256: Hash
    uploaded_at: datetime


class CaseAttachmentWritten(CaseAttachment):
    """The same, and the version of the case with it."""

    case_version: int


class CaseView(BaseModel):
    """A case with its thread. `contents` are the draft as it stands; `facts_original` in it are the facts as the alerts said
    them, `figures` their numbers."""

    id: str
    organisation: str
    number: str | None
    state: State
    state_name: str
    version: int
    contents: dict[str, Any]
    finding: Finding | None
    reminders: int
    announced: bool
    withdrawn_alerts: list[str]
    proposal: Literal["cancel", "reopen"] | None
    created_at: datetime
    deadlines: CaseTerms
    may: list[MayStep]
    thread: list[ThreadEntry]
    attachments: list[CaseAttachment]


class StepTaken(BaseModel):
    """Where the case is now."""

    id: str
    version: int
    state: State
    state_name: str
    number: str | None


class CaseCounts(BaseModel):
    """Numbers of cases by state and, of those that are with a unit, by colour."""

    states: dict[State, int]
    colours: dict[str, int]


class Proposal(BaseModel):
    """Alerts that make one case: `POST /v1/cases` with `alerts` does it."""

    organisation: str
    vehicle: str | None
    plate: str
    day: date
    alerts: list[str]
    rules: list[str]
    level: Literal["urgent", "general"]


class Proposals(BaseModel):
    """Alerts in no open case, without a finding, by vehicle and day."""

    items: list[Proposal]


class Sampled(BaseModel):
    """A spot check: whoever orders the `population` by SHA-256 of `seed:id` finds the same."""

    seed: str
    population: int
    frame_sha256: Hash
    drawn: list[str]
    cases: list[str]


class ComplaintRow(BaseModel):
    """A complaint without its caller."""

    id: str
    organisation: str
    ticket: str
    category: Literal["emergency", "inquiry", "report"]
    received_at: datetime
    claim: str
    plate: str | None
    place: str | None
    happened_at: datetime | None
    vehicle: str | None
    channel: Literal["form", "file", "webhook"]
    entered_at: datetime
    has_caller: bool


class ComplaintView(ComplaintRow):
    """A complaint and what is known of the car around its time. `warning`: there is no such plate. `track`: where its
    track is, null without the right to it."""

    warning: str | None
    near_plates: list[str]
    orders: list[str]
    alerts: list[str]
    track: str | None
    cases: list[str]


class ComplaintError(BaseModel):
    """A row that was refused."""

    row: int
    field: str | None
    message: str


class ComplaintsImported(BaseModel):
    """What became of a file: good rows are written, bad ones are told."""

    rows: int
    created: int
    repeated: int
    refused: int
    errors: list[ComplaintError]
    error_count: int


class CallerShown(BaseModel):
    """Who called. That you asked is kept."""

    name: str
    phone: str


class DataTask(BaseModel):
    """What must be put right in the data."""

    id: str
    organisation: str
    kind: Cause
    subject: str
    case: str
    opened_at: datetime
    done_at: datetime | None
    note: str | None
    state: Literal["open", "done"]


#: Of a paper: it has ended, or will within so many days.
PaperEnds = Annotated[str, Field(pattern=r"^(ended|ends-in-[0-9]+)$")]


class CaseMessage(BaseModel):
    """What happened to a case of yours, to a request, a dispatch, a maintenance or a leave, or that a paper ends: `link` says of what; `step` and `state` are
    those of such a one (of a paper: when it ends, and its kind)."""

    id: int
    text: str
    number: str | None
    step: Step | TripAction | RepairAction | LeaveAction | PaperEnds
    state: State | TripState | RepairState | LeaveState | VehiclePaperKind
    link: str
    at: datetime
    read_at: datetime | None


class MessagesMarked(BaseModel):
    """So many messages were new."""

    read: int = Field(ge=0)


CasePage: Final = page_of(CaseRow)
ComplaintPage: Final = page_of(ComplaintRow)
DataTaskPage: Final = page_of(DataTask)
CaseMessagePage: Final = page_of(CaseMessage)
