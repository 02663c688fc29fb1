"""What these operations answer, as models for the OpenAPI description."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from api.answers import page_of
from office.drivers.leave import LeaveAction, LeaveKind, LeaveState
from office.drivers.overtime import DayKind


class ShownShift(BaseModel):
    """A shift in China; `to` at or before `from`: of the next day."""

    since: str = Field(alias="from")
    until: str = Field(alias="to")


class LeaveSpan(BaseModel):
    """When he is away."""

    since: datetime = Field(alias="from")
    until: datetime = Field(alias="to")


class DutyDay(BaseModel):
    """A day. `shifts` null: not known; `source`: what says so."""

    day: date
    shifts: list[ShownShift] | None
    source: Literal["week", "day"] | None
    leave: list[LeaveSpan]


class RosterEntry(BaseModel):
    """An entry, as it was made. `shifts`: of a week seven days, of a day one; null: nothing is said any more."""

    no: int
    kind: Literal["week", "day"]
    first_day: date
    shifts: list[list[ShownShift]] | None
    note: str
    entered_at: datetime
    entered_by: str


class DriverDuty(BaseModel):
    """When a driver works. `entries`: the last 50, newest first."""

    driver: str
    days: list[DutyDay]
    entries: list[RosterEntry]


class DriverOnDay(BaseModel):
    """A driver on a day."""

    driver: str
    name: str
    organisation: str
    shifts: list[ShownShift] | None
    source: Literal["week", "day"] | None
    leave: list[LeaveSpan]
    days: list[DutyDay] | None = Field(
        None, description="each day, where a range was asked for; the rest is of its first day"
    )


class RosterError(BaseModel):
    """A row that was not entered."""

    row: int
    field: str
    message: str


class RosterImported(BaseModel):
    """What came of a file. `repeated`: rows that were so already."""

    rows: int
    entered: int
    repeated: int
    refused: int
    errors: list[RosterError]


class LeaveRow(BaseModel):
    """A leave."""

    id: str
    organisation: str
    driver: str
    driver_name: str
    kind: LeaveKind
    kind_name: str
    since: datetime = Field(alias="from")
    until: datetime = Field(alias="to")
    state: LeaveState
    state_name: str
    version: int


class LeaveEvent(BaseModel):
    """A step that was taken."""

    version: int
    step: LeaveAction
    name: str
    at: datetime
    by: str
    body: dict[str, Any]


class LeaveView(LeaveRow):
    """With its thread."""

    thread: list[LeaveEvent]


class LeaveDecided(LeaveView):
    """After a step. `dispatches`: numbers of those that have the driver while he is away, as far as you see them: they need another one."""

    dispatches: list[str]


class DrivenDay(BaseModel):
    """How long he drove what began on a day."""

    day: date
    driven_s: int


class LongStretch(BaseModel):
    """More than four hours without a rest, as the track shows it. `dispatches`: their numbers."""

    since: datetime = Field(alias="from")
    until: datetime = Field(alias="to")
    driven_s: int
    dispatches: list[str]
    notice: str


class DriverDriving(BaseModel):
    """What a driver drove."""

    driver: str
    days: list[DrivenDay]
    too_long: list[LongStretch]


class OvertimeRow(BaseModel):
    """Of one dispatch on one day. `minutes` null: nobody has said when he works on that day."""

    dispatch: str
    day: date
    kind: DayKind
    since: datetime = Field(alias="from")
    until: datetime = Field(alias="to")
    minutes: int | None


class DriverOvertime(BaseModel):
    """`minutes`: by kind of day; `unknown`: rows of which nothing is known."""

    driver: str
    items: list[OvertimeRow]
    minutes: dict[DayKind, int]
    unknown: int


DriverDutyPage: Final = page_of(DriverOnDay)
LeavePage: Final = page_of(LeaveRow)
