"""Terms of supervision orders over the real calendar of 2026 and days that nobody has published."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from office.supervision.deadlines import Colour, Deadlines, Due, after, before, between, deadlines, next_look
from office.supervision.states import Case, Event, Step, fold
from registry import parameters
from registry.working_days import Calendar
from runtime.units import CHINA

CALENDAR = Calendar()
TERMS = {p.name: p.default for p in parameters.RULES[parameters.SUPERVISION]}


def at(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T09:00:00+08:00").astimezone(UTC)


def case(*steps: tuple[Step, str], **contents: Any) -> Case:
    """A case drafted and submitted on the day of its first step."""
    body = {"organisation": "jsj", "title": "t", "source": "alert", "level": "general"} | contents
    begun = at(steps[0][1])
    events = [
        Event(1, Step.DRAFT, begun, frozenset({"user:c"}), body),
        Event(2, Step.SUBMIT, begun, frozenset({"user:c"})),
    ]
    bodies: dict[Step, dict[str, Any]] = {
        Step.ISSUE: {"number": "1"}, Step.CLOSE: {"finding": "justified"}, Step.ASK_EXTENSION: {"due_on": "2026-03-17"},
    }  # fmt: skip
    for step, day in steps:
        given = bodies.get(step, {})
        if step is Step.GRANT:
            given = (
                {"due_on": "2026-03-17"} if events[-1].step is Step.ASK_EXTENSION else {"organisation": "wsj"}
            )
        events.append(Event(len(events) + 1, step, at(day), frozenset({f"user:{step}"}), given))
    return fold(events)


def found(one: Case, today: str, calendar: Calendar = CALENDAR) -> Deadlines:
    return deadlines(one, calendar, TERMS, date.fromisoformat(today))


def due(one: Case, today: str = "2026-03-02", calendar: Calendar = CALENDAR) -> str:
    term = found(one, today, calendar).due
    assert term is not None
    return str(term.day or f"unknown {term.unknown}")


ISSUED = (Step.ISSUE, "2026-03-02")  # a Monday


def test_a_term_begins_on_the_day_after_and_counts_working_days() -> None:
    assert due(case(ISSUED)) == "2026-03-09"
    assert due(case(ISSUED, level="urgent")) == "2026-03-04"
    # Spring Festival of 2026: off from 02-15 to 02-23, worked on the Saturdays 02-14 and 02-28.
    assert due(case((Step.ISSUE, "2026-02-12")), "2026-02-12") == "2026-02-26"
    assert due(case((Step.ISSUE, "2026-02-13"), level="urgent"), "2026-02-13") == "2026-02-24"
    assert due(case((Step.ISSUE, "2026-02-26"), level="urgent"), "2026-02-26") == "2026-02-28"


def test_the_day_is_that_of_china() -> None:
    """Issued at 23:30 and at 00:30 in China."""
    for moment, day in (
        ("2026-03-02T15:30:00+00:00", "2026-03-09"),
        ("2026-03-02T16:30:00+00:00", "2026-03-10"),
    ):
        body = {"organisation": "jsj", "title": "t", "source": "alert", "level": "general"}
        when = datetime.fromisoformat(moment)
        events = [
            Event(1, Step.DRAFT, when, frozenset({"user:c"}), body),
            Event(2, Step.SUBMIT, when, frozenset({"user:c"})),
            Event(3, Step.ISSUE, when, frozenset({"user:h"}), {"number": "1"}),
        ]
        assert due(fold(events)) == day
        assert events[2].day == when.astimezone(CHINA).date()


def test_what_nobody_published_is_undetermined_until_it_is() -> None:
    one = case((Step.ISSUE, "2026-12-22"))
    days = found(one, "2026-12-23")
    assert days.due == Due(None, date(2026, 12, 25))
    assert days.colour is Colour.GREY
    assert days.overdue_wd is None
    assert next_look(days, one, date(2026, 12, 23)) == date(2026, 12, 24)
    told = {date(2026, 12, d): (d not in (26, 27), "") for d in range(25, 32)}
    assert due(one, "2026-12-23", Calendar(told)) == "2026-12-29"
    # A row of the calendar that cannot be read is no word at all.
    assert due(one, "2026-12-23", Calendar({}, {"2026-12-24": "x"})) == "unknown 2026-12-24"


def test_signing_and_sending_back_have_terms_of_their_own() -> None:
    days = found(case(ISSUED), "2026-03-04")
    assert (days.sign, days.refuse) == (Due(date(2026, 3, 3)), Due(date(2026, 3, 4)))
    assert days.sign_late
    assert not found(case(ISSUED), "2026-03-03").sign_late


def test_the_clock_stands_while_a_refusal_is_looked_at() -> None:
    refused = case(ISSUED, (Step.REFUSE, "2026-03-04"))
    assert found(refused, "2026-03-06").paused
    assert found(refused, "2026-03-06").due is None
    assert found(refused, "2026-03-06").office == Due(date(2026, 3, 11))
    # Two of five working days are gone; three are left, from the day after the answer.
    assert due(case(ISSUED, (Step.REFUSE, "2026-03-04"), (Step.DENY, "2026-03-10"))) == "2026-03-13"
    # Nothing left: one day at least.
    urgent = case(ISSUED, (Step.REFUSE, "2026-03-04"), (Step.DENY, "2026-03-10"), level="urgent")
    assert due(urgent) == "2026-03-11"
    moved = case(ISSUED, (Step.REFUSE, "2026-03-04"), (Step.GRANT, "2026-03-10"))
    assert (moved.organisation, due(moved)) == ("wsj", "2026-03-17")
    assert found(moved, "2026-03-10").sign == Due(date(2026, 3, 11))


def test_more_time_counts_when_it_is_granted() -> None:
    working = case(ISSUED, (Step.SIGN, "2026-03-03"))
    assert found(working, "2026-03-03").ask == Due(
        date(2026, 3, 8)
    )  # a Sunday: Monday is one working day later
    asked = case(ISSUED, (Step.SIGN, "2026-03-03"), (Step.ASK_EXTENSION, "2026-03-05"))
    assert due(asked) == "2026-03-09"
    assert found(asked, "2026-03-10").colour is Colour.RED
    granted = case(
        ISSUED, (Step.SIGN, "2026-03-03"), (Step.ASK_EXTENSION, "2026-03-05"), (Step.GRANT, "2026-03-06")
    )
    assert due(granted) == "2026-03-17"
    assert found(granted, "2026-03-06").first_due == Due(date(2026, 3, 9))


REPLIED = (ISSUED, (Step.SIGN, "2026-03-03"), (Step.REPLY, "2026-03-05"), (Step.SIGN_REPLY, "2026-03-05"))


def test_again_is_half_of_the_first_term_and_two_days_at_least() -> None:
    assert found(case(*REPLIED), "2026-03-06").office == Due(date(2026, 3, 12))
    assert found(case(*REPLIED), "2026-03-06").colour is Colour.NONE
    assert due(case(*REPLIED, (Step.REDO, "2026-03-06"))) == "2026-03-11"  # 3 of 5
    assert due(case(*REPLIED, (Step.REDO, "2026-03-06"), level="urgent")) == "2026-03-10"
    assert due(case(*REPLIED, (Step.REDO, "2026-03-06"), due_on="2026-03-20")) == "2026-03-17"  # 7 of 14


def test_reopened_within_a_year() -> None:
    closed = case(*REPLIED, (Step.CLOSE, "2026-03-06"))
    assert found(closed, "2026-03-06").reopen_by == date(2027, 3, 6)
    assert (
        due(case(*REPLIED, (Step.CLOSE, "2026-03-06"), (Step.REOPEN, "2026-04-01"))) == "2026-04-09"
    )  # 04-06 is off


def test_the_hotline_counts_from_its_receipt() -> None:
    def hotline(category: str, received: str) -> dict[str, Any]:
        return {"hotline": {"complaint": "x", "category": category, "received_on": received}}

    assert due(case(ISSUED, **hotline("emergency", "2026-03-02"))) == "2026-03-02"
    assert due(case(ISSUED, **hotline("inquiry", "2026-02-27"))) == "2026-03-04"  # 5 - 1; 02-28 is worked
    assert due(case(ISSUED, **hotline("report", "2026-02-27"))) == "2026-03-18"  # 15 - 1
    # The office let it lie: the unit has a day.
    assert due(case(ISSUED, **hotline("inquiry", "2026-02-02"))) == "2026-03-03"


def test_the_hotline_waits_for_no_refusal() -> None:
    report = {"hotline": {"complaint": "x", "category": "report", "received_on": "2026-02-27"}}
    for answer in (Step.GRANT, Step.DENY):
        assert (
            due(case(ISSUED, (Step.REFUSE, "2026-03-04"), (answer, "2026-03-05"), **report)) == "2026-03-18"
        )
        late = case(ISSUED, (Step.REFUSE, "2026-03-04"), (answer, "2026-03-19"), **report)
        assert due(late) == "2026-03-20"
        paper = case(ISSUED, (Step.REFUSE, "2026-03-04"), (answer, "2026-03-13"), due_on="2026-03-13")
        assert due(paper) == "2026-03-16"


def test_a_date_on_paper_is_the_term() -> None:
    assert due(case(ISSUED, due_on="2026-03-13")) == "2026-03-13"


def test_colours_reminders_and_the_bulletin() -> None:
    one = case(ISSUED)
    for today, colour, overdue in (
        ("2026-03-05", Colour.GREEN, 0), ("2026-03-06", Colour.YELLOW, 0), ("2026-03-09", Colour.YELLOW, 0),
        ("2026-03-10", Colour.RED, 1), ("2026-03-16", Colour.RED, 5), ("2026-03-17", Colour.RED, 6),
    ):  # fmt: skip
        days = found(one, today)
        assert (days.colour, days.overdue_wd) == (colour, overdue), today
    looks, at_day = [], date(2026, 3, 2)
    while (day := next_look(found(one, at_day.isoformat()), one, at_day)) is not None:
        looks.append(day.isoformat())
        at_day = day
    assert looks == ["2026-03-06", "2026-03-10", "2026-03-17"]  # yellow, red, more than five working days


def test_a_draft_and_what_is_cancelled_have_no_terms() -> None:
    assert found(case(ISSUED, (Step.CANCEL, "2026-03-03")), "2026-03-04") == Deadlines(
        Colour.NONE, overdue_wd=None
    )


days = st.dates(date(2026, 1, 1), date(2026, 11, 1))


@given(days, st.integers(1, 30))
def test_before_is_the_way_back(day: date, count: int) -> None:
    end = after(CALENDAR, day, count).day
    assert end is not None
    assert CALENDAR.workday(end)
    assert between(CALENDAR, day, end) == count
    begun = before(CALENDAR, end, count).day
    assert begun is not None
    assert begun >= day
    assert between(CALENDAR, begun, end) == count
