"""What these operations answer, as models for the OpenAPI description."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel

from api.answers import page_of
from office.dispatch.planner.pooling import PoolBar
from office.requests.table import TripAction, TripState

Kind = Literal["normal", "emergency", "backfill"]


class TripMay(BaseModel):
    """A step that the caller has the right to; `refused`: why not now, null: go on."""

    step: TripAction
    name: str
    refused: str | None


class TripEntry(BaseModel):
    """An event. `body` as it was sent, with what followed from it. `actor` did it, null: the program by itself; `persons`: whose act it
    is, with who delegated the right."""

    version: int
    step: TripAction
    name: str
    at: datetime
    by: str
    actor: str | None
    persons: list[str]
    body: dict[str, Any]


class TripRequestRow(BaseModel):
    """A request as it is listed. `series`: the series that it is of. `dispatch_states`: of its dispatches. `against`: of an expired one, who did not decide."""

    id: str
    organisation: str
    pool: str
    number: str | None
    kind: Kind
    state: TripState
    state_name: str
    version: int
    category: str
    purpose: str
    passengers: int
    applicant_name: str
    approver_name: str | None
    planned_departure: datetime
    planned_return: datetime
    created_at: datetime
    submitted_at: datetime | None
    approved_at: datetime | None
    paper_due: datetime | None
    paper_late: bool
    against: str | None
    rating: int | None
    series: str | None
    dispatch_states: list[TripState]


class ChainLevel(BaseModel):
    """A level of the chain. No `users`: whoever may approve in the unit."""

    position: str
    name: str
    users: list[str]
    substitutes: list[str]
    timeout_min: int
    state: Literal["agreed", "deciding", "waiting", "ended"]


class TripDispatchShort(BaseModel):
    """A dispatch as its applicants see it. `hidden`: it is not the caller's to see, and nothing more is told. `distance_m`: by the odometer."""

    id: str
    hidden: bool
    number: str | None = None
    state: TripState | None = None
    state_name: str | None = None
    vehicle: str | None = None
    plate: str | None = None
    driver_name: str | None = None
    driver_phone: str | None = None
    planned_departure: datetime | None = None
    planned_return: datetime | None = None
    actual_departure: datetime | None = None
    actual_return: datetime | None = None
    distance_m: int | None = None


class TripRequestView(BaseModel):
    """A request with its thread."""

    id: str
    organisation: str
    pool: str
    number: str | None
    kind: Kind
    state: TripState
    state_name: str
    version: int
    contents: dict[str, Any]
    chain: list[ChainLevel]
    escalated: bool
    approver: str | None
    rating: int | None
    against: str | None
    paper_due: datetime | None
    paper_late: bool
    expires_at: datetime | None
    escalates_at: datetime | None
    confirmed_by_silence_at: datetime | None
    may: list[TripMay]
    dispatches: list[TripDispatchShort]
    thread: list[TripEntry]


class TripDispatchRow(BaseModel):
    """A dispatch as it is listed. `proposed_departure`, `proposed_return`: as the track shows it; nobody has confirmed it yet. `listed`: overdue
    for so long that it is proposed for supervision. `late_change`: a change after the fact waits for an approver."""

    id: str
    organisation: str
    pool: str
    number: str
    kind: Kind
    state: TripState
    state_name: str
    version: int
    vehicle: str
    plate: str
    driver: str | None
    driver_name: str | None
    planned_departure: datetime
    planned_return: datetime
    extended_return: datetime | None
    actual_departure: datetime | None
    actual_return: datetime | None
    odometer_out_m: int | None
    odometer_in_m: int | None
    proposed_departure: datetime | None
    proposed_return: datetime | None
    overdue_at: datetime | None
    listed: bool
    late_change: bool
    created_at: datetime


class DispatchChoice(BaseModel):
    """How the vehicle was found: manual, suggested or auto. `rank`: that of the suggestion; `reason`: why another than the first was taken."""

    way: Literal["manual", "suggested", "auto"] | None
    rank: int | None
    reason: str | None


class TripDispatchView(TripDispatchShort):
    """A dispatch with its thread. `order_due`: the version of its order is written within seconds, by the program."""

    organisation: str
    pool: str
    kind: Kind
    version: int
    driver: str | None
    trip: dict[str, Any]
    extended_return: datetime | None
    cancelled_at: datetime | None
    odometer_out_m: int | None
    odometer_in_m: int | None
    proposed_departure: datetime | None
    proposed_return: datetime | None
    overdue_at: datetime | None
    listed: bool
    late_change: dict[str, Any] | None
    order_due: bool
    chosen: DispatchChoice
    requests: list[TripRequestRow]
    may: list[TripMay]
    thread: list[TripEntry]


class TripStepTaken(BaseModel):
    """Where the paper is now."""

    id: str
    version: int
    state: TripState
    state_name: str
    number: str | None


class TripCounts(BaseModel):
    """What waits; each at most 1,000. `to_decide`, `to_confirm`: for the caller himself."""

    to_decide: int
    to_confirm: int
    waiting: int
    no_vehicle: int
    disputed: int
    late_papers: int
    overdue: int
    listed: int
    reassigning: int
    proposed: int
    late_changes: int


class CandidateTerm(BaseModel):
    """What a vehicle costs for one reason, in 分."""

    code: str
    text: str
    fen: int


class CandidateReason(BaseModel):
    """A hard constraint (`H1` to `H12`) that is in the way."""

    constraint: str
    code: str
    text: str


class Candidate(BaseModel):
    """A vehicle that can be sent. `rank`: 1 = the cheapest. `driver`: who would drive it. `empty_m`: what is driven empty in addition. `busy_until`, `next_departure`: of what it does before and after.
    `displaces`: numbers of dispatches that an emergency would take it from."""

    rank: int
    id: str
    plate: str
    organisation: str
    category: str
    energy: str
    driver: str | None
    driver_name: str | None
    cost_fen: int
    terms: list[CandidateTerm]
    empty_m: int
    busy_until: datetime | None
    next_departure: datetime | None
    displaces: list[str]


class CandidateFailed(BaseModel):
    """A vehicle that cannot be sent, and all that is in the way."""

    id: str
    plate: str
    reasons: list[CandidateReason]


class PlannerUnknown(BaseModel):
    """What was not judged, because nobody has registered it."""

    code: str
    text: str


class Candidates(BaseModel):
    """The best vehicles, the cheapest first, and those that come next to being possible. `possible`, `looked_at`: numbers of vehicles. `travel`: how ways were measured."""

    items: list[Candidate]
    failed: list[CandidateFailed]
    possible: int
    looked_at: int
    travel: str
    unknown: list[PlannerUnknown]


class SuggestedDispatch(BaseModel):
    """A vehicle and a driver for a request."""

    request: str
    vehicle: str
    plate: str
    organisation: str
    driver: str | None
    driver_name: str | None


class UnservedReason(CandidateReason):
    """`vehicles`: of so many vehicles it is in the way."""

    vehicles: int


class UnservedRequest(BaseModel):
    """A request without a vehicle: what is in the way, the most frequent first."""

    request: str
    reasons: list[UnservedReason]


class DispatchPlan(BaseModel):
    """A plan for several requests; nothing is assigned by it. `moved`: numbers of dispatches that have become impossible, or that an emergency displaces: to be reassigned."""

    items: list[SuggestedDispatch]
    unserved: list[UnservedRequest]
    moved: list[str]
    empty_m: int
    cost_fen: int
    travel: str
    unknown: list[PlannerUnknown]


class PoolHalt(BaseModel):
    """Where the vehicle stops for somebody: `board`, `stop` (his destination), `collect` (there again, when he is done), `home`."""

    request: str
    what: Literal["board", "stop", "collect", "home"]
    place: str
    at: datetime


class PoolRider(BaseModel):
    """A request of a pair. `detour_s`: longer on the way than alone, out and home together."""

    id: str
    version: int
    number: str | None
    organisation: str
    detour_s: int


class PoolAssignment(BaseModel):
    """What to send to `POST /v1/dispatches` to take it as it is."""

    requests: list[dict[str, Any]]
    vehicle: str
    driver: str | None
    planned_departure: datetime
    planned_return: datetime
    suggestion: dict[str, Any]


class PoolPair(BaseModel):
    """Two requests that could share a vehicle. `alone_m`, `together_m`: driven with two vehicles, with one; `saved_fen`: what is not driven at `planner.empty_fen_km`.
    `assignment`: with the vehicle that suits both best, `terms` its price; null: none can be sent, `reasons` of the nearest say why."""

    riders: list[PoolRider]
    halts: list[PoolHalt]
    planned_departure: datetime
    planned_return: datetime
    passengers: int
    alone_m: int
    together_m: int
    saved_m: int
    saved_fen: int
    assignment: PoolAssignment | None
    plate: str | None
    driver_name: str | None
    cost_fen: int | None
    terms: list[CandidateTerm]
    reasons: list[CandidateReason]


class PoolBarred(BaseModel):
    """A request that is in no pair, and why."""

    request: str
    code: PoolBar
    text: str


class PoolPlan(BaseModel):
    """Pairs, the largest saving first; nothing is assigned by it. `more`: pairs that save less and are not shown."""

    items: list[PoolPair]
    more: int
    barred: list[PoolBarred]
    saved_m: int
    travel: str
    unknown: list[PlannerUnknown]


class TripPlace(BaseModel):
    """A place that has a name in the registry; of an area a point in it."""

    name: str
    kind: Literal["fence", "station"]
    lat: float
    lon: float
    datum: Literal["wgs84"]


class TripPlaces(BaseModel):
    """Known places: fences, then stations, the shortest names first."""

    items: list[TripPlace]


class BackfillCount(BaseModel):
    """Of a unit and an approver (null: nobody has approved): all `requests`, and of them those that came after the drive."""

    organisation: str
    approver: str | None
    requests: int
    emergencies: int
    backfills: int
    late: int
    rejected: int
    withdrawn_alerts: int


class BackfillCounts(BaseModel):
    """补单率."""

    items: list[BackfillCount]


class ApprovalTableView(BaseModel):
    """A version. `missing`: why it cannot be made valid."""

    organisation: str
    version: int
    state: Literal["draft", "valid", "ended"]
    table: dict[str, Any]
    missing: str | None
    made_by: str
    made_at: datetime
    active_from: datetime | None
    active_to: datetime | None


class ApprovalTables(BaseModel):
    """Versions of a unit, newest first; and the version that holds for it, its own or that of a unit above it."""

    items: list[ApprovalTableView]
    valid: ApprovalTableView | None


class DriverAccount(BaseModel):
    """Which user a driver is."""

    driver: str
    user: str | None


TripRequestPage: Final = page_of(TripRequestRow)
TripDispatchPage: Final = page_of(TripDispatchRow)
