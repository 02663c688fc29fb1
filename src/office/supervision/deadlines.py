"""Until when: the clocks of a supervision order, in working days of the calendar. Pure.

A term of n working days (WD) that begins on a day ends with the n-th working day *after* it. What nobody has published is not
guessed: a term that would count over such a day is undetermined (``Due.unknown`` names the day), and is known as soon as the
day is. An undetermined term is held against nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Final

from office.supervision.states import WITH_UNIT, Case, Event, State, Step, last_of
from registry.working_days import Calendar

#: Days in a row that are looked at for working days. No term is longer.
_MOST_DAYS: Final = 400
_DAY: Final = timedelta(days=1)


class Colour(StrEnum):
    """How near the end of the term is."""

    GREEN = "green"
    YELLOW = "yellow"  # at most ``yellow_d`` days
    RED = "red"  # over
    GREY = "grey"  # undetermined
    NONE = "none"  # no clock of the unit's runs


@dataclass(frozen=True, slots=True)
class Due:
    """The last day of a term; or, when ``day`` is None, ``unknown``: the day of which nobody has published whether it is
    worked."""

    day: date | None
    unknown: date | None = None


@dataclass(frozen=True, slots=True)
class Deadlines:
    """The terms of a case; None = that clock does not run. ``due``: of the unit's answer; ``first_due``: as it was before an
    extension; ``sign``: to sign for it; ``refuse``: to send it back; ``ask``: to ask for more time; ``office``: the office's own, to judge
    the reply; ``overdue_wd``: working days since ``due``, None = not known. ``paused``: the unit's clock stands, for its
    refusal is being looked at. ``announce``: from this day on it is told in public."""

    colour: Colour
    due: Due | None = None
    first_due: Due | None = None
    sign: Due | None = None
    refuse: Due | None = None
    ask: Due | None = None
    office: Due | None = None
    reopen_by: date | None = None
    yellow_from: date | None = None
    announce: Due | None = None
    overdue_wd: int | None = 0
    sign_late: bool = False
    paused: bool = False


def after(calendar: Calendar, day: date, working_days: int) -> Due:
    """The ``working_days``-th (>= 1) working day after ``day``."""
    at, left = day, working_days
    for _ in range(_MOST_DAYS):
        at += _DAY
        worked = calendar.workday(at)
        if worked is None:
            return Due(None, at)
        left -= worked
        if not left:
            return Due(at)
    return Due(None, at)


def before(calendar: Calendar, day: date, working_days: int) -> Due:
    """The day that ``day`` is the ``working_days``-th working day after (0: ``day`` itself); the latest of them, so that
    whoever asks on it still has so many working days."""
    at, left = day, working_days
    for _ in range(_MOST_DAYS):
        if left <= 0:
            return Due(at)
        worked = calendar.workday(at)
        if worked is None:
            return Due(None, at)
        left -= worked
        at -= _DAY
    return Due(None, at)


def between(calendar: Calendar, day: date, until: date) -> int | None:
    """Working days after ``day``, up to and with ``until``; 0 where that is not later; None = not known."""
    count, at = 0, day
    if (until - day).days > _MOST_DAYS:
        return None
    while at < until:
        at += _DAY
        worked = calendar.workday(at)
        if worked is None:
            return None
        count += worked
    return count


def deadlines(case: Case, calendar: Calendar, terms: Mapping[str, int], today: date) -> Deadlines:
    """The clocks of ``case`` on ``today`` (in China). ``terms``: the parameters of ``supervision`` of its unit."""
    issued = case.last(Step.ISSUE)
    if case.state is State.CLOSED:
        closed = case.last(Step.CLOSE)
        by = None if closed is None else closed.day + timedelta(days=terms["reopen_d"])
        return Deadlines(Colour.NONE, reopen_by=by, overdue_wd=None)
    if issued is None or case.state is State.CANCELLED:
        return Deadlines(Colour.NONE, overdue_wd=None)
    first, due = unit_term(case.ticks, case.contents, calendar, terms)
    if case.state in (State.REPLIED, State.CALLING_BACK):
        signed = case.last(Step.SIGN_REPLY)
        office = after(calendar, (signed or issued).day, terms["office_wd"])
        return Deadlines(Colour.NONE, due, first, office=office, overdue_wd=None)
    if case.state is State.REFUSED:
        refused = case.last(Step.REFUSE)
        office = after(calendar, (refused or issued).day, terms["office_wd"])
        return Deadlines(Colour.NONE, None, first, office=office, overdue_wd=None, paused=True)
    sign, refuse, ask, sign_late = None, None, None, False
    if case.state is State.ISSUED:
        handed = (case.last(Step.ISSUE, Step.GRANT, Step.DENY) or issued).day
        sign, refuse = after(calendar, handed, terms["sign_wd"]), after(calendar, handed, terms["refuse_wd"])
        sign_late = sign.day is not None and today > sign.day
    if case.state is State.WORKING and due.day is not None and not case.extension:
        ask = before(calendar, due.day, terms["ask_ahead_wd"])
    yellow = announce = None
    overdue: int | None = 0
    if due.day is None:
        colour, overdue = Colour.GREY, None
    else:
        yellow = due.day - timedelta(days=terms["yellow_d"])
        announce = after(calendar, due.day, terms["announce_wd"] + 1)
        colour = Colour.RED if today > due.day else Colour.YELLOW if today >= yellow else Colour.GREEN
        overdue = between(calendar, due.day, today)
    return Deadlines(
        colour, due, first, sign, refuse, ask, yellow_from=yellow, announce=announce, overdue_wd=overdue, sign_late=sign_late
    )  # fmt: skip


def next_look(found: Deadlines, case: Case, today: date) -> date | None:
    """The next day after ``today`` on which the clock has something to do for a case; None = nothing by itself."""
    if case.state not in WITH_UNIT or found.due is None:
        return None
    if found.due.day is None:
        return today + _DAY
    days = [found.yellow_from, found.due.day + _DAY, None if found.announce is None else found.announce.day]
    ahead = [day for day in days if day is not None and day > today]
    unknown = found.announce is not None and found.announce.day is None and today > found.due.day
    return min([*ahead, *([today + _DAY] if unknown else [])], default=None)


def unit_term(
    ticks: Sequence[Event], contents: Mapping[str, Any], calendar: Calendar, terms: Mapping[str, int]
) -> tuple[Due, Due]:
    """(before an extension, as it stands): by the events that set, stop and move the clock, in their order."""
    first = due = Due(None)
    term, started = 0, None  # working days of the running round, and the day after which they count
    refused: Event | None = None
    fixed: date | None = None
    for tick in ticks:
        if tick.step is Step.ISSUE:
            term, fixed, started = _first_term(contents, terms), _fixed(contents), tick.day
            due = _first_due(contents, calendar, terms, tick.day)
        elif tick.step is Step.REFUSE:
            refused = tick
        elif tick.step in (Step.GRANT, Step.DENY) and refused is not None:
            if fixed is not None or contents.get("hotline"):
                # The term is somebody else's and does not wait; the unit has a day at least.
                if due.day is not None and due.day <= tick.day:
                    due = after(calendar, tick.day, 1)
            elif tick.step is Step.GRANT:  # another unit: the whole term again
                started, due = tick.day, after(calendar, tick.day, term)
            else:
                used = between(calendar, started or refused.day, refused.day)
                due = (
                    Due(None, refused.day) if used is None else after(calendar, tick.day, max(1, term - used))
                )
            refused = None
        elif tick.step is Step.GRANT:
            due = Due(date.fromisoformat(tick.body["due_on"]))
            continue  # ``first`` stays as it was
        elif tick.step is Step.REDO:
            due = after(
                calendar,
                tick.day,
                max(terms["redo_min_wd"], (_counted(ticks, contents, calendar, terms) + 1) // 2),
            )
        elif tick.step is Step.REOPEN:
            given = tick.body.get("due_on")
            due = (
                Due(date.fromisoformat(given))
                if given
                else after(calendar, tick.day, _level_term(contents, terms))
            )
        else:
            continue
        first = due
    return first, due


def _level_term(contents: Mapping[str, Any], terms: Mapping[str, int]) -> int:
    return terms["urgent_wd"] if contents.get("level") == "urgent" else terms["general_wd"]


def _fixed(contents: Mapping[str, Any]) -> date | None:
    """The date that is written on the paper."""
    return date.fromisoformat(contents["due_on"]) if contents.get("due_on") else None


def _first_term(contents: Mapping[str, Any], terms: Mapping[str, int]) -> int:
    """Working days of the first term; of one with a date on paper those of its level."""
    hotline = contents.get("hotline")
    if not hotline:
        return _level_term(contents, terms)
    if hotline["category"] == "emergency":
        return 1
    whole = terms["hotline_inquiry_wd" if hotline["category"] == "inquiry" else "hotline_report_wd"]
    return max(1, whole - terms["hotline_margin_wd"])


def _first_due(
    contents: Mapping[str, Any], calendar: Calendar, terms: Mapping[str, int], issued: date
) -> Due:
    fixed, hotline = _fixed(contents), contents.get("hotline")
    if fixed is not None:
        return Due(fixed)
    if not hotline:
        return after(calendar, issued, _first_term(contents, terms))
    received = date.fromisoformat(hotline["received_on"])
    if hotline["category"] == "emergency":
        return Due(max(received, issued))  # the same day
    counted = after(calendar, received, _first_term(contents, terms))
    if counted.day is None or counted.day > issued:
        return counted
    return after(calendar, issued, 1)  # the office was late: that is not the unit's fault


def _counted(
    ticks: Sequence[Event], contents: Mapping[str, Any], calendar: Calendar, terms: Mapping[str, int]
) -> int:
    """Working days of the first term, of a date on paper those that there were."""
    fixed, issued = _fixed(contents), last_of(ticks, Step.ISSUE)
    if fixed is not None and issued is not None:
        return between(calendar, issued.day, fixed) or _level_term(contents, terms)
    return _first_term(contents, terms)
