"""Numbers as they are shown."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

from pydantic import BaseModel, Field

from api.answers import Next, page_of
from office.identity.subject import Role
from office.supervision.states import State
from rules.alerts.counts import By


class Opens(BaseModel):
    """The list that shows what was counted: `GET` `path` with `query`. All its pages together have as many items as the number says, unless
    something happened since `as_of`."""

    path: str
    query: dict[str, str]


class Number(BaseModel):
    """A number and what it counts."""

    count: int
    opens: Opens | None = Field(description="null: no list of the API shows it")


class AlertCounts(BaseModel):
    """Numbers of alerts. `open`: suspected and not in a case yet. `masked`: of secret vehicles; which they are and what became of them is
    not said, so they are in `alerts` and `severities`, and in none of `open`, `cases`, `findings`. `open` and `cases` are null for
    who may not read cases."""

    alerts: int
    withdrawn: int
    masked: int
    open: int | None
    severities: dict[str, int]
    cases: dict[str, int] | None
    findings: dict[str, int]


class AlertGroup(AlertCounts):
    """Alerts that have `key` in common. `key` null: they have none (no driver is known), or it is not said (`masked_group`). `name`: of
    a rule, a unit, a plate, a state, a finding."""

    key: str | None
    name: str | None
    masked_group: bool
    opens: Opens | None
    opens_open: Opens | None = Field(description="the list of those that are `open`")


class AlertStatistics(BaseModel):
    """A page of groups; `of`: how many groups there are; `totals`: of all of them. `since`, `until`: what is counted began within."""

    by: By
    since: datetime
    until: datetime
    as_of: datetime
    of: int
    items: list[AlertGroup]
    next: Next
    totals: AlertCounts
    opens: Opens


class Facet(BaseModel):
    """A value of a filter and how many of the list it leaves."""

    key: str
    name: str | None
    count: int


class AlertFacets(BaseModel):
    """How many alerts a list has, and how many each value of a filter would leave. `more`: there are more than were counted (100,000):
    counted were those that began last. Masked alerts are in `count`, and in no facet of `case_state` and `finding`."""

    count: int
    more: bool
    masked: int
    as_of: datetime
    rule: list[Facet]
    organisation: list[Facet] = Field(description="the 200 units with the most")
    severity: list[Facet]
    status: list[Facet]
    case_state: list[Facet] | None
    finding: list[Facet]


class FleetNumbers(BaseModel):
    """Vehicles in service, each in its state now. `seen`: its newest position says so. `moving` counts of those that were seen within 10
    minutes. `secret`: vehicles that are hidden from you, which are in no other number."""

    vehicles: Number
    with_terminal: Number
    moving: Number
    online: Number = Field(description="seen within 10 minutes")
    today: Number = Field(description="seen since midnight in China")
    silent: Number = Field(description="with a terminal, seen before, but not within `silent_days`")
    never: Number = Field(description="with a terminal, and never seen")
    no_terminal: Number
    secret: Number
    silent_days: int


class TripNumbers(BaseModel):
    """Orders that departed on `day`, and the mileage of their trips up to now. Drives without an order are not in it."""

    day: date
    departed: Number
    returned: Number
    overdue: Number = Field(description="not returned although their term is long over, of whatever day")
    mileage_m: int


class RuleNumber(Number):
    """Alerts of a rule."""

    rule: str
    name: str


class UnitNumber(Number):
    """Alerts of a unit."""

    organisation: str
    name: str | None


class AlertNumbers(BaseModel):
    """Alerts that began today, and within seven days (today and the six before)."""

    today: Number
    days: Number
    open: Number | None = Field(
        description="of the seven days: suspected and in no case; null: you may not read cases"
    )
    by_rule: list[RuleNumber]
    by_unit: list[UnitNumber] = Field(description="the ten units with the most")
    units: int = Field(description="how many units have any")


class AgeNumber(Number):
    """Cases that were drafted so many days ago. `to_days` null: or more."""

    from_days: int
    to_days: int | None


class StateNumber(Number):
    """Open cases in a state, by age."""

    state: State
    name: str
    ages: list[AgeNumber]


class ColourNumber(Number):
    """Cases that are with a unit, by how near the end of their term is."""

    colour: str


class CaseNumbers(BaseModel):
    """Open cases."""

    open: int
    states: list[StateNumber]
    colours: list[ColourNumber]


class Mender(BaseModel):
    """Who can put it right: who has `permission`, which `roles` bring. `you`: you have it."""

    permission: str
    roles: list[Role]
    role_names: list[str]
    you: bool
    zh: str
    en: str


class QualityItem(Number):
    """Something that is wrong with the data. `at_least`: there are more than were counted. `first`: the first one that is meant, where no list
    shows what is missing."""

    kind: str
    zh: str
    en: str
    at_least: bool
    first: str | None
    mend: Mender


class Quality(BaseModel):
    """What is wrong with the data, of what you may see."""

    as_of: datetime
    items: list[QualityItem]


class Cockpit(BaseModel):
    """All of a wall screen. A part is null for who lacks the permission for it: fleet and trips `tracks:read`, alerts `alerts:read`, cases
    `cases:read`. Computed at most every few seconds."""

    as_of: datetime
    fleet: FleetNumbers | None
    trips: TripNumbers | None
    alerts: AlertNumbers | None
    cases: CaseNumbers | None
    quality: list[QualityItem]


class FleetVehicle(BaseModel):
    """A vehicle in service and when it was last heard of. `moved_at`: its newest fix that moves; null where not known."""

    id: str
    plate: str
    organisation: str
    terminal: str | None
    seen_at: datetime | None
    last_fix_at: datetime | None
    moved_at: datetime | None


FleetPage: Final[Any] = page_of(FleetVehicle)
