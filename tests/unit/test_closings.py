"""Closings for the assessment against the state machine and the clocks, event by event: random threads of every kind must give the same
to the last day. What is here is how closings were made before they were read in one pass."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from office.supervision.cases import Clocks
from office.supervision.closings import Closing, Reader, Record, worked_between
from office.supervision.states import (
    BY_CLOCK,
    TABLE,
    BrokenThreadError,
    Case,
    Event,
    State,
    Step,
    advance,
    begin,
)
from registry.parameters import SUPERVISION, ParameterRow
from registry.working_days import Calendar
from runtime.units import to_us

FIRST = datetime(2026, 1, 5, 1, tzinfo=UTC)
#: Days of 2026 that nobody has published; the office's word on others.
CALENDAR = Calendar(
    {date(2026, 3, 2): (False, ""), date(2026, 3, 7): (True, "")},
    {f"2026-{day}": "x" for day in ("04-01", "06-10", "08-21", "09-30")},
)
CLOCKS = Clocks(
    CALENDAR,
    (
        ParameterRow(SUPERVISION, "general_wd", None, 7, to_us(datetime(2026, 2, 1, tzinfo=UTC))),
        ParameterRow(SUPERVISION, "sign_wd", "u1", 2, to_us(datetime(2026, 3, 1, tzinfo=UTC))),
        ParameterRow(SUPERVISION, "redo_min_wd", "city", 3, 0, below=frozenset({"u2", "u3"})),
    ),
)
FINDINGS = ("violation", "irregular", "justified", "data", "unverifiable")
RULES = (("off_hours", "high"), ("mileage", "low"), ("location", "medium"))


def closing_by_events(events: Sequence[Event], clocks: Clocks) -> Closing | None:
    """What a thread comes to, by the state machine and the clocks at each of its events."""
    case = begin(events[0])
    replies = late_replies = signings = late_signings = returned = 0
    closed: Event | None = None
    for event in events[1:]:
        if event.step is Step.SIGN:
            found = clocks.deadlines(case, event.day)
            if found.sign is not None and found.sign.day is not None:
                signings += 1
                late_signings += found.sign_late
        elif event.step is Step.SIGN_REPLY:
            due = clocks.deadlines(case, event.day).due
            if due is not None and due.day is not None:
                replies += 1
                late_replies += event.day > due.day
        elif event.step is Step.REDO:
            returned += 1
        elif event.step is Step.CLOSE:
            closed = event
        case = advance(case, event)
    if case.state is not State.CLOSED or closed is None or case.finding is None:
        return None
    rectified = case.rectified if case.rectification_accepted else None
    figures: Any = case.contents.get("figures") or ()
    return Closing(
        case.number or "", case.organisation, closed.version, closed.day, case.finding, case.contents["source"],
        tuple(dict.fromkeys((each["rule"], each["severity"]) for each in figures)), replies, late_replies, signings, late_signings,
        returned, case.measures_due, rectified,
        0 if rectified is None or case.measures_due is None else worked_between(clocks.calendar, case.measures_due, rectified),
        bool(case.undecided),
    )  # fmt: skip


def contents(chance: random.Random) -> dict[str, Any]:
    """A draft: of a unit, by the clocks of its level, of a date on paper or of the hotline."""
    made: dict[str, Any] = {
        "organisation": chance.choice(["u1", "u2", "u3"]), "source": chance.choice(["alert", "hotline", "late_paper"]),
        "level": chance.choice(["general", "urgent"]), "title": "x",
    }  # fmt: skip
    if chance.random() < 0.8:
        made["figures"] = [
            {"rule": rule, "severity": severity}
            for rule, severity in chance.choices(RULES, k=chance.randint(1, 3))
        ]
    if chance.random() < 0.2:
        made["due_on"] = (FIRST + timedelta(days=chance.randint(5, 60))).date().isoformat()
    elif chance.random() < 0.3:
        received = (FIRST + timedelta(days=chance.randint(-5, 30))).date().isoformat()
        made["hotline"] = {
            "category": chance.choice(["emergency", "inquiry", "report"]),
            "received_on": received,
        }
    return made


def said(case: Case, step: Step, number: str, at: datetime, chance: random.Random) -> dict[str, Any]:
    """What somebody says at a step."""
    day = (at + timedelta(days=chance.randint(1, 20))).date().isoformat()
    if step is Step.EDIT:
        return contents(chance)
    if step is Step.ISSUE:
        return {"number": number}
    if step is Step.GRANT:
        unit = chance.choice(["u1", "u2", "u3"])
        return {"organisation": unit} if case.state is State.REFUSED else {"due_on": day}
    if step is Step.CLOSE:
        return {"finding": chance.choice(FINDINGS)} | ({"measures_due": day} if chance.random() < 0.7 else {})
    if step is Step.REOPEN:
        return {"due_on": day} if chance.random() < 0.5 else {}
    if step in (Step.ALERT_WITHDRAWN, Step.ALERT_CHANGED):
        return {"alert": chance.choice("01") * 32}
    return {"due_on": day} if step is Step.ASK_EXTENSION else {}


def thread(seed: int, number: str, steps: int = 45) -> list[Event]:
    """A random way through the table, not by the straightest line; it ends at a close where it comes to one late enough."""
    chance = random.Random(seed)
    at = FIRST + timedelta(hours=chance.randint(0, 24 * 60))
    events = [Event(1, Step.DRAFT, at, frozenset({"user:a"}), contents(chance))]
    case = begin(events[0])
    most = chance.randint(12, steps)
    while case.open or len(events) < most:
        rows = [row for row in TABLE if case.state in row.sources and row.step is not Step.CANCEL]
        # What moves a case is taken twice as often, and at last only what leads to its close.
        row = chance.choice([*rows, *[row for row in rows if row.target is not None]])
        if len(events) > most and row.step in (
            Step.REDO,
            Step.REFUSE,
            Step.RETURN,
            Step.ASK_EXTENSION,
            Step.REOPEN,
        ):
            continue  # fmt: skip
        at += timedelta(hours=chance.choice([1, 5, 24, 60, 130]))
        persons = frozenset() if row.step in BY_CLOCK else frozenset({"user:b"})
        event = Event(case.version + 1, row.step, at, persons, said(case, row.step, number, at, chance))
        case = advance(case, event)
        events.append(event)
    return events


def record(events: Sequence[Event], number: str) -> Record:
    """As the database gives it."""
    bodies: list[dict[str, Any] | None] = []
    for event in events:
        body = dict(event.body)
        if event.step in (Step.DRAFT, Step.EDIT):
            body["figures"] = [[each["rule"], each["severity"]] for each in body.get("figures", ())] or None
        bodies.append(body if event.step in (Step.DRAFT, Step.EDIT, Step.CLOSE, Step.GRANT, Step.REOPEN) else None)  # fmt: skip
    return Record(
        number,
        [event.version for event in events],
        [str(event.step) for event in events],
        [event.at for event in events],
        [not event.persons for event in events],
        bodies,
    )


def test_any_thread_comes_to_what_its_events_say() -> None:
    reader, seen = Reader(CLOCKS), set()
    late = undecided = 0
    for seed in range(400):
        events = thread(seed, f"N{seed}")
        made = reader.closing(record(events, f"N{seed}"))
        assert made == closing_by_events(events, CLOCKS), (seed, [str(e.step) for e in events])
        assert made is not None
        seen |= {event.step for event in events}
        late += made.late_replies + made.late_signings
        undecided += made.undecided
    # Every step was on some way but the one that ends it otherwise; and terms were missed.
    assert seen == set(Step) - {Step.CANCEL}
    assert late > 250
    assert 10 < undecided < 390


def test_a_thread_that_is_not_closed_has_no_closing() -> None:
    events = thread(3, "N3")
    last = max(k for k, event in enumerate(events) if event.step is Step.CLOSE)
    assert Reader(CLOCKS).closing(record(events[:last], "N3")) is None


def test_a_broken_thread_is_no_closing() -> None:
    """As the state machine: a missing step, a hole, an act of nobody."""
    reader, whole = Reader(CLOCKS), record(thread(5, "N5"), "N5")
    issue = list(whole.steps).index("issue")

    def without(items: Sequence[Any]) -> list[Any]:
        return [*items[:issue], *items[issue + 1 :]]

    hole = replace(
        whole, versions=without(whole.versions), steps=without(whole.steps), times=without(whole.times),
        nobody=without(whole.nobody), bodies=without(whole.bodies),
    )  # fmt: skip
    nobody = replace(whole, nobody=[False, *[True] * (len(whole.nobody) - 1)])
    later = replace(whole, versions=[k + 1 for k in whole.versions])
    for broken in (hole, nobody, later, replace(whole, steps=["issue", *whole.steps[1:]])):
        with pytest.raises(BrokenThreadError):
            reader.closing(broken)
