"""What a list of alerts is asked for: the filters of GET /v1/alerts, of its counts and of the statistics, read in one place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import Query, Request
from pydantic import AfterValidator

from api.alerts.case_states import FINDINGS, READ, STATES, CaseStateAsked, FindingAsked, asked_states
from api.alerts.waiting import CODES, known_rule
from api.auth.scoped import subject_of
from api.errors import Problem
from api.http import MAX_ID, PLAIN, QueryTime, refuse_controls, rfc3339
from office.supervision.actors import sees_drafts
from office.supervision.states import INNER
from registry.organisations import units_below
from registry.vehicles import vehicles_with_plate_part
from rules.alerts.model import AlertFilter, Status
from runtime.connection import Connection
from runtime.units import to_us

RuleCode = Annotated[str, Query(json_schema_extra={"enum": list(CODES)}), AfterValidator(known_rule)]
_Id = Annotated[str | None, Query(max_length=MAX_ID, json_schema_extra=PLAIN)]
_Time = QueryTime | None
#: A part of a plate finds so many vehicles at most, and has so many characters at least.
MOST_VEHICLES: Final = 200
FEWEST_CHARACTERS: Final = 2


@dataclass(frozen=True, slots=True)
class AlertQuestion:
    """The filters of a query; None = any. Times are aware."""

    rule: str | None = None
    organisation: str | None = None
    within: str | None = None
    vehicle: str | None = None
    plate: str | None = None
    driver: str | None = None
    severity: str | None = None
    status: Status | None = None
    since: datetime | None = None
    until: datetime | None = None
    began_from: datetime | None = None
    began_to: datetime | None = None
    detected_from: datetime | None = None
    detected_to: datetime | None = None
    finding: str | None = None
    case_state: str | None = None
    unread: bool = False

    def query(self, **more: str | datetime | None) -> dict[str, str]:
        """The query of GET /v1/alerts that asks for this, and ``more``."""
        names = {"since": "from", "until": "to"}
        asked = {names.get(name, name): getattr(self, name) for name in self.__slots__} | more
        asked["unread"] = "true" if self.unread else None
        return {
            name: rfc3339(value) if isinstance(value, datetime) else value
            for name, value in asked.items()
            if value is not None
        }

    async def filter(self, request: Request, connection: Connection) -> AlertFilter:
        """The filter for the subject of ``request``. Raises Problem 403 for who sees no cases and asks for their state, 422 for a part of a
        plate that too many have."""
        units = None if self.within is None else tuple(sorted(await units_below(connection, [self.within])))
        vehicles = None
        if self.plate is not None:
            vehicles = tuple(await vehicles_with_plate_part(connection, self.plate, MOST_VEHICLES + 1))
            if len(vehicles) > MOST_VEHICLES:
                raise Problem(
                    422,
                    "invalid-parameter",
                    f"超过 {MOST_VEHICLES} 辆车的号牌含有这些字符，请多输入几位 · more than {MOST_VEHICLES} vehicles have such a plate; give"
                    " more of it",
                )
        times = (
            self.since, self.until, self.began_from, self.began_to, self.detected_from, self.detected_to,
        )  # fmt: skip
        since, until, began_from, began_to, detected_from, detected_to = (
            None if time is None else to_us(time) for time in times
        )
        return AlertFilter(
            rule=self.rule,
            organisation=self.organisation,
            vehicle=self.vehicle,
            status=self.status,
            from_us=since,
            to_us=until,
            finding=self.finding,
            case_states=None if self.case_state is None else asked_states(request, self.case_state),
            severity=self.severity,
            driver=self.driver,
            began_from_us=began_from,
            began_to_us=began_to,
            detected_from_us=detected_from,
            detected_to_us=detected_to,
            units=units,
            vehicles=vehicles,
            unread=self.unread,
        )


def question(
    rule: RuleCode | None = None,
    organisation: Annotated[
        str | None, Query(max_length=MAX_ID, json_schema_extra=PLAIN, description="this unit alone")
    ] = None,
    within: Annotated[
        str | None,
        Query(max_length=MAX_ID, json_schema_extra=PLAIN, description="this unit and those below it"),
    ] = None,
    vehicle: _Id = None,
    plate: Annotated[
        str | None,
        Query(
            min_length=FEWEST_CHARACTERS,
            max_length=MAX_ID,
            json_schema_extra=PLAIN,
            description="a part of a plate that the vehicle has or had",
        ),
    ] = None,
    driver: _Id = None,
    severity: Literal["low", "medium", "high"] | None = None,
    status: Literal["suspected", "withdrawn"] | None = None,
    since: Annotated[_Time, Query(alias="from", description="occurred at or after")] = None,
    until: Annotated[_Time, Query(alias="to", description="occurred before")] = None,
    began_from: Annotated[_Time, Query(description="began at or after")] = None,
    began_to: Annotated[_Time, Query(description="began before")] = None,
    detected_from: Annotated[
        _Time, Query(description="detected at or after: its age is at most so much")
    ] = None,
    detected_to: Annotated[_Time, Query(description="detected before: its age is at least so much")] = None,
    finding: Annotated[
        FindingAsked | None,
        Query(
            json_schema_extra={"enum": list(FINDINGS)},
            description="what the office found last; none: nothing yet",
        ),
    ] = None,
    case_state: Annotated[
        CaseStateAsked | None,
        Query(
            json_schema_extra={"enum": list(STATES)},
            description="state of its open case, else of its newest one; none: it was never in a case. Needs cases:read",
        ),
    ] = None,
    unread: Annotated[
        bool,
        Query(description="true: only those whose newest version you have not read (`POST /v1/alerts:read`)"),
    ] = False,
) -> AlertQuestion:
    """A dependency: the filters of a list. Raises Problem 422 for control characters, and for a time that ends before it begins."""
    refuse_controls(organisation, within, vehicle, plate, driver)
    for first, last, name in (
        (since, until, "to"), (began_from, began_to, "began_to"), (detected_from, detected_to, "detected_to"),
    ):  # fmt: skip
        if first is not None and last is not None and last <= first:
            start = name.replace("to", "from")
            raise Problem(422, "invalid-parameter", f"{name} 须晚于 {start} · {name} must be after {start}")
    return AlertQuestion(
        rule, organisation, within, vehicle, plate, driver, severity, status, since, until, began_from, began_to,
        detected_from, detected_to, finding, case_state, unread,
    )  # fmt: skip


def with_times(asked: AlertQuestion, began_from: datetime, began_to: datetime) -> AlertQuestion:
    """The same, of alerts that began within a time."""
    return replace(asked, began_from=began_from, began_to=began_to)


def states_not_seen(request: Request) -> tuple[str, ...]:
    """States of a case that the subject does not see: for him such an alert is in no case."""
    return () if sees_drafts(subject_of(request), "alerts:read") else tuple(sorted(map(str, INNER)))


def sees_cases(request: Request) -> bool:
    """Whether the subject may know what became of alerts in cases."""
    return subject_of(request).may(READ)


def opens(asked: AlertQuestion, **more: Any) -> dict[str, Any]:
    """The list of alerts that shows what was counted."""
    return {"path": "/v1/alerts", "query": asked.query(**more)}
