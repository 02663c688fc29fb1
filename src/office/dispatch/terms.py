"""When the clock has to look at a request or a dispatch again. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Final

from office.dispatch.dispatch import Dispatch
from office.requests.request import Request
from office.requests.rules import add_working_days
from office.requests.table import BEFORE, OPEN_REQUEST, TripState
from registry.working_days import Calendar
from runtime.units import CHINA

#: The track of a vehicle that should be on its way is looked at so often; of one that is listed already less often.
LOOK: Final = timedelta(minutes=15)
_SELDOM: Final = timedelta(hours=1)


def end_of(calendar: Calendar, at: datetime, working_days: int) -> datetime:
    """The end of the ``working_days``-th working day after the day of ``at`` in China."""
    day = add_working_days(calendar, at.astimezone(CHINA).date(), working_days)
    return datetime.combine(day + timedelta(days=1), time(), CHINA)


def planned_departure(request: Request) -> datetime:
    return datetime.fromisoformat(request.contents["planned_departure"])


def expires_at(request: Request, terms: Mapping[str, int]) -> datetime | None:
    """When a request that has no vehicle expires; None: it does not."""
    if request.driven or request.state not in OPEN_REQUEST:
        return None
    return planned_departure(request) + timedelta(minutes=terms["expire_min"])


def escalates_at(request: Request) -> datetime | None:
    """When the substitute decides as well; None: there is none, or he does already."""
    level = request.running
    if level is None or request.escalated or request.level_since is None:
        return None
    return request.level_since + timedelta(minutes=level.timeout_min)


def confirmed_at(request: Request, calendar: Calendar, terms: Mapping[str, int]) -> datetime | None:
    """When a request counts as confirmed because nobody has objected; None: it does not."""
    if request.state is not TripState.TO_CONFIRM or request.finished_at is None:
        return None
    return end_of(calendar, request.finished_at, terms["confirm_wd"])


def next_look_at_request(
    request: Request, calendar: Calendar, terms: Mapping[str, int], paper_due: datetime | None, now: datetime
) -> datetime | None:
    """None: nothing happens by itself."""
    times = [expires_at(request, terms), escalates_at(request), confirmed_at(request, calendar, terms)]
    if request.state is TripState.APPROVED:
        times.append(now)
    if (
        request.driven
        and not request.paper_late
        and request.state in (TripState.DRAFT, TripState.PENDING, TripState.REJECTED)
    ):
        times.append(paper_due)
    return min((at for at in times if at is not None), default=None)


def accept_by(dispatch: Dispatch, terms: Mapping[str, int]) -> datetime | None:
    """Until when the driver has to accept; None: nobody waits for that."""
    waits = dispatch.state is TripState.ASSIGNED and dispatch.driver_user and not dispatch.unanswered
    if not waits or not terms["accept_min"] or dispatch.assigned_at is None or dispatch.kind != "normal":
        return None
    return dispatch.assigned_at + timedelta(minutes=terms["accept_min"])


def no_show_at(dispatch: Dispatch, terms: Mapping[str, int]) -> datetime | None:
    """When it is cancelled unless it has left; None: it has."""
    if dispatch.state not in BEFORE or dispatch.proposed_departure is not None:
        return None
    return dispatch.planned_departure + timedelta(minutes=terms["no_show_min"])


def overdue_at(dispatch: Dispatch, overdue_h: int) -> datetime | None:
    """When it is overdue: from then on its order covers nothing; None: it is, or it has not left."""
    if not dispatch.holds or dispatch.state is TripState.OVERDUE:
        return None
    if dispatch.state in BEFORE and dispatch.proposed_departure is None:
        return None
    return dispatch.due + timedelta(hours=overdue_h)


def listed_at(dispatch: Dispatch, terms: Mapping[str, int], overdue_h: int) -> datetime:
    """When an overdue dispatch is proposed for supervision."""
    return dispatch.due + timedelta(hours=overdue_h + terms["list_after_h"])


def next_look_at_dispatch(
    dispatch: Dispatch, terms: Mapping[str, int], overdue_h: int, now: datetime
) -> datetime | None:
    """None: nothing happens by itself."""
    if not dispatch.holds:
        return None
    times = [accept_by(dispatch, terms), overdue_at(dispatch, overdue_h)]
    soon = now + LOOK
    if dispatch.state in BEFORE:
        if dispatch.proposed_departure is None:
            # From its departure on the track is looked at: a vehicle that has left is not cancelled.
            ahead = (dispatch.planned_departure + LOOK, no_show_at(dispatch, terms))
            times += [at for at in ahead if at is not None and at > now] or [soon]
    elif dispatch.state is TripState.OVERDUE:
        if not dispatch.listed:
            times.append(listed_at(dispatch, terms, overdue_h))
        if dispatch.proposed_return is None:
            times.append(now + (_SELDOM if dispatch.listed else LOOK))
    elif dispatch.proposed_return is None:
        times.append(soon)
    return min((at for at in times if at is not None), default=None)
