"""The table of supervision: whatever people try, in whatever order, with whatever rights, no thread comes to an illegal state,
and nobody decides on what he did himself."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from office.identity.subject import Grant, Kind, Role, Subject, grants_of_role
from office.supervision.actors import Actor
from office.supervision.states import (
    BY_CLOCK,
    INNER,
    OVER,
    STATE_NAMES,
    STEP_NAMES,
    TABLE,
    Act,
    BrokenThreadError,
    Case,
    Event,
    State,
    Step,
    advance,
    begin,
    fold,
    refusal,
    row_of,
    steps_of,
)
from office.supervision.words import SAID, Refusal

NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
DRAFT = {"organisation": "jsj", "title": "t", "source": "alert", "level": "general"}
#: What may come after what, written down again by hand from the office's own table (office practice), not from ``TABLE``.
MAY_FOLLOW = {
    State.DRAFT: {State.SUBMITTED, State.CANCELLED},
    State.SUBMITTED: {State.ISSUED, State.DRAFT, State.CANCELLED},
    State.ISSUED: {State.WORKING, State.REFUSED, State.CANCELLED},
    State.REFUSED: {State.ISSUED, State.CANCELLED},
    State.WORKING: {State.REPLIED, State.EXTENSION_ASKED, State.CANCELLED},
    State.EXTENSION_ASKED: {State.WORKING, State.CANCELLED},
    State.REPLIED: {State.CLOSED, State.REDO, State.CALLING_BACK, State.CANCELLED},
    State.CALLING_BACK: {State.REPLIED, State.CANCELLED},
    State.REDO: {State.REPLIED, State.CANCELLED},
    State.CLOSED: {State.WORKING},
    State.CANCELLED: set(),
}
BODIES = {
    Step.EDIT: DRAFT,
    Step.ISSUE: {"number": "督〔2026〕jsj-0001号"},
    Step.ASK_EXTENSION: {"due_on": "2026-03-20"},
    Step.CLOSE: {"finding": "violation", "measures_due": "2026-04-01"},
    Step.ALERT_WITHDRAWN: {"alert": "0" * 32},
    Step.ALERT_CHANGED: {"alert": "1" * 32},
}


def body_of(case: Case, step: Step) -> dict[str, str]:
    if step is Step.GRANT:
        return {"organisation": "wsj"} if case.state is State.REFUSED else {"due_on": "2026-03-20"}
    return BODIES.get(step, {})


def test_the_table_is_that_of_the_office() -> None:
    for state in State:
        targets = {row.target for row in TABLE if state in row.sources and row.target is not None}
        assert targets == MAY_FOLLOW[state], state
    assert set(STATE_NAMES) == set(State)
    assert set(STEP_NAMES) == set(Step)
    assert set(SAID) == set(Refusal)
    assert {State.CLOSED, State.CANCELLED} == OVER


def test_of_one_step_in_one_state_there_is_one_line() -> None:
    for state in State:
        for step in Step:
            assert sum(state in row.sources for row in TABLE if row.step is step) <= 1, (state, step)
        assert steps_of(state)
    for row in TABLE:
        assert (row.permissions == ()) <= (row.step in BY_CLOCK)


#: Some people with some roles each, one of them by delegation of another.
PEOPLE = ("a", "b", "c", "d")
ROLES = (Role.VEHICLE_OFFICE, Role.OFFICE_HEAD, Role.UNIT_ADMINISTRATOR, Role.UNIT_HEAD)
people = st.fixed_dictionaries(
    {
        name: st.lists(
            st.tuples(
                st.sampled_from(ROLES),
                st.sampled_from(("city", "jsj", "wsj")),
                st.sampled_from((None, *PEOPLE)),
            ),
            max_size=4,
        )
        for name in PEOPLE
    }
)
tries = st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(list(Step))), max_size=60)


def actor(name: str, held: list[tuple[Role, str, str | None]]) -> Actor:
    grants = tuple(grants_of_role(role, unit, by if by != name else None) for role, unit, by in held)
    return Actor(Subject(Kind.USER, name, name, grants))


@given(people, tries)
def test_no_way_leads_anywhere_else(held: dict[str, list[tuple[Role, str, str | None]]], asked: list[tuple[str, Step]]) -> None:  # fmt: skip
    actors = {name: actor(name, roles) for name, roles in held.items()}
    first = Event(1, Step.DRAFT, NOW, frozenset({"user:a"}), DRAFT)
    thread, case = [first], begin(first)
    for number, (name, step) in enumerate(asked):
        row = row_of(case.state, step)
        at = NOW + timedelta(hours=number)
        body = body_of(case, step)
        if row is None:
            with pytest.raises(BrokenThreadError):
                advance(case, Event(case.version + 1, step, at, frozenset({f"user:{name}"}), body))
            continue
        above = frozenset({case.organisation, "city"})
        act = next(
            (
                act
                for persons in actors[name].subject.hats(row.permissions, above)
                for act in [Act(persons, human=True, today=at.date())]
                if refusal(case, step, act) is None
            ),
            None,
        )
        if act is None:
            continue
        event = Event(case.version + 1, step, at, act.persons, body)
        after = advance(case, event)
        assert after.state == case.state or after.state in MAY_FOLLOW[case.state]
        judge(thread, event)
        thread.append(event)
        case = after
        assert fold(thread) == case
    assert (case.number is None) == all(e.step is not Step.ISSUE for e in thread)
    if case.state not in INNER | {State.CANCELLED}:
        assert case.number is not None


def judge(thread: list[Event], event: Event) -> None:
    """The rule of two persons, found from the bare thread."""

    def by(*steps: Step) -> set[str]:
        return {person for e in thread if e.step in steps for person in e.persons}

    if event.step is Step.ISSUE:
        assert not event.persons & by(Step.DRAFT, Step.EDIT, Step.SUBMIT)
    if event.step in (
        Step.CLOSE, Step.REDO, Step.RECHECK, Step.REOPEN, Step.STANDS, Step.GRANT, Step.DENY, Step.ACCEPT_RECTIFICATION, Step.RETURN_RECTIFICATION,
    ):  # fmt: skip
        assert not event.persons & by(
            Step.REPLY, Step.SIGN_REPLY, Step.ASK_EXTENSION, Step.REFUSE, Step.SIGN, Step.RECTIFIED
        )
    if event.step is Step.SIGN_REPLY:
        last = max(k for k, e in enumerate(thread) if e.step is Step.REPLY)
        assert not event.persons & thread[last].persons
    if event.step in (
        Step.SIGN,
        Step.REPLY,
        Step.SIGN_REPLY,
        Step.REFUSE,
        Step.ASK_EXTENSION,
        Step.RECTIFIED,
    ):
        assert not event.persons & by(Step.DRAFT, Step.ISSUE, Step.CLOSE, Step.REDO, Step.GRANT)


def walk(*steps: tuple[Step, str]) -> Case:
    event = Event(1, Step.DRAFT, NOW, frozenset({"user:clerk"}), DRAFT)
    case = begin(event)
    for step, name in steps:
        event = Event(case.version + 1, step, NOW, frozenset({f"user:{name}"}), body_of(case, step))
        case = advance(case, event)
    return case


REPLIED = (
    (Step.SUBMIT, "clerk"), (Step.ISSUE, "head"), (Step.SIGN, "unit"), (Step.REPLY, "unit"), (Step.SIGN_REPLY, "boss"),
)  # fmt: skip


def test_a_right_that_is_lent_helps_nobody_around_the_rule() -> None:
    """``boss`` signed the reply for the unit; he holds a role of the office as well and lends it to ``other``."""
    case = walk(*REPLIED)
    lent = Actor(Subject(Kind.USER, "other", "other", (grants_of_role(Role.OFFICE_HEAD, "city", "boss"),)))
    (persons,) = lent.subject.hats(("cases:close",), frozenset({"jsj", "city"}))
    assert persons == {"user:other", "user:boss"}
    assert refusal(case, Step.CLOSE, Act(persons, human=True, today=NOW.date())) is Refusal.OWN_UNIT
    # With a right of his own he may, and his own right is the first that is tried.
    both = (grants_of_role(Role.OFFICE_HEAD, "city", "boss"), grants_of_role(Role.VEHICLE_OFFICE, None))
    hats = Subject(Kind.USER, "other", "other", both).hats(("cases:close",), frozenset({"jsj", "city"}))
    assert hats == [frozenset({"user:other"}), persons]
    assert refusal(case, Step.CLOSE, Act(hats[0], human=True, today=NOW.date())) is None


def test_two_roles_of_one_person_are_one_person() -> None:
    case = walk(*REPLIED[:-1])
    act = Act(frozenset({"user:unit"}), human=True, today=NOW.date())
    assert refusal(case, Step.SIGN_REPLY, act) is Refusal.OWN_REPLY
    assert refusal(walk(*REPLIED), Step.CLOSE, act) is Refusal.OWN_UNIT
    clerk = Act(frozenset({"user:clerk"}), human=True, today=NOW.date())
    assert refusal(walk(REPLIED[0]), Step.ISSUE, clerk) is Refusal.OWN_DRAFT
    assert refusal(walk(*REPLIED[:2]), Step.SIGN, clerk) is Refusal.OWN_OFFICE


def test_a_reply_that_two_wrote_is_signed_by_a_third() -> None:
    case = walk(*REPLIED[:-1], (Step.REPLY, "boss"))
    for name in ("unit", "boss"):
        act = Act(frozenset({f"user:{name}"}), human=True, today=NOW.date())
        assert refusal(case, Step.SIGN_REPLY, act) is Refusal.OWN_REPLY
    assert (
        refusal(case, Step.SIGN_REPLY, Act(frozenset({"user:third"}), human=True, today=NOW.date())) is None
    )


def test_a_program_takes_no_step_of_a_person() -> None:
    act = Act(frozenset({"client:1"}), human=False, today=NOW.date())
    for row in TABLE:
        case = walk(*REPLIED[: 1 if State.SUBMITTED in row.sources else 0])
        if case.state in row.sources and row.permissions:
            said = refusal(case, row.step, act)
            assert (said is Refusal.NO_PERSON) == row.human, row.step


def test_more_time_is_asked_for_once_and_in_time() -> None:
    case = walk(*REPLIED[:3])
    early = Act(frozenset({"user:unit"}), human=True, today=date(2026, 3, 5), ask_by=date(2026, 3, 6))
    late = Act(frozenset({"user:unit"}), human=True, today=date(2026, 3, 7), ask_by=date(2026, 3, 6))
    assert refusal(case, Step.ASK_EXTENSION, early) is None
    assert refusal(case, Step.ASK_EXTENSION, late) is Refusal.TOO_LATE_TO_ASK
    asked = walk(*REPLIED[:3], (Step.ASK_EXTENSION, "unit"), (Step.DENY, "head"))
    assert refusal(asked, Step.ASK_EXTENSION, early) is Refusal.SECOND_EXTENSION


CLOSED = (*REPLIED, (Step.CLOSE, "clerk2"))


def test_measures_are_reported_by_the_unit_and_looked_at_by_the_office() -> None:
    def said(case: Case, step: Step, name: str) -> Refusal | None:
        return refusal(case, step, Act(frozenset({f"user:{name}"}), human=True, today=NOW.date()))

    case = walk(*CLOSED)
    assert (case.measures_due, case.rectified) == (date(2026, 4, 1), None)
    assert said(case, Step.RECTIFIED, "unit") is None
    assert said(case, Step.RECTIFIED, "clerk2") is Refusal.OWN_OFFICE
    assert said(case, Step.ACCEPT_RECTIFICATION, "clerk2") is Refusal.NOT_RECTIFIED
    told = walk(*CLOSED, (Step.RECTIFIED, "unit"))
    assert (told.rectified, told.rectification_accepted, told.state) == (NOW.date(), False, State.CLOSED)
    assert said(told, Step.RECTIFIED, "boss") is Refusal.NOTHING_TO_RECTIFY
    assert said(told, Step.ACCEPT_RECTIFICATION, "unit") is Refusal.OWN_UNIT
    assert said(told, Step.ACCEPT_RECTIFICATION, "clerk2") is None
    back = walk(*CLOSED, (Step.RECTIFIED, "unit"), (Step.RETURN_RECTIFICATION, "clerk2"))
    assert (back.rectified, said(back, Step.RECTIFIED, "unit")) == (None, None)
    done = walk(*CLOSED, (Step.RECTIFIED, "unit"), (Step.ACCEPT_RECTIFICATION, "clerk2"))
    assert said(done, Step.RETURN_RECTIFICATION, "clerk2") is Refusal.NOT_RECTIFIED
    # A case that is open again has no measures until it is closed anew.
    again = walk(
        *CLOSED, (Step.RECTIFIED, "unit"), (Step.ACCEPT_RECTIFICATION, "clerk2"), (Step.REOPEN, "head")
    )
    assert (again.measures_due, again.rectified, again.rectification_accepted) == (None, None, False)


def test_a_closed_case_whose_alert_has_fallen_waits_for_a_person() -> None:
    def by_itself(case: Case, step: Step) -> Case:
        return advance(case, Event(case.version + 1, step, NOW, body=BODIES[step]))

    def said(case: Case, step: Step, name: str, reopen_by: date | None = None) -> Refusal | None:
        return refusal(
            case, step, Act(frozenset({f"user:{name}"}), human=True, today=NOW.date(), reopen_by=reopen_by)
        )

    case = walk(*CLOSED)
    assert (case.proposal, said(case, Step.STANDS, "head")) == (None, Refusal.NOTHING_TO_DECIDE)
    fallen = by_itself(case, Step.ALERT_WITHDRAWN)
    # The program only proposes: finding and state are what they were.
    assert (fallen.state, fallen.finding, fallen.proposal) == (State.CLOSED, "violation", "reopen")
    assert (said(fallen, Step.STANDS, "head"), said(fallen, Step.STANDS, "boss")) == (None, Refusal.OWN_UNIT)
    late = NOW.date() - timedelta(days=1)
    assert said(case, Step.REOPEN, "head", late) is Refusal.TOO_LATE_TO_REOPEN
    assert said(fallen, Step.REOPEN, "head", late) is None
    stands = advance(fallen, Event(fallen.version + 1, Step.STANDS, NOW, frozenset({"user:head"})))
    assert (stands.state, stands.finding, stands.proposal) == (State.CLOSED, "violation", None)
    assert by_itself(stands, Step.ALERT_CHANGED).proposal == "reopen"  # later news is a question of its own
    again = advance(fallen, Event(fallen.version + 1, Step.REOPEN, NOW, frozenset({"user:head"})))
    assert (again.state, again.finding, again.undecided, again.proposal) == (
        State.WORKING,
        None,
        (),
        "cancel",
    )
    with pytest.raises(BrokenThreadError):
        by_itself(walk((Step.CANCEL, "clerk")), Step.ALERT_WITHDRAWN)


def test_an_alert_that_holds_again_is_no_reason_to_cancel() -> None:
    case = walk(*REPLIED)
    for step, proposal in ((Step.ALERT_WITHDRAWN, "cancel"), (Step.ALERT_CHANGED, None)):
        case = advance(case, Event(case.version + 1, step, NOW, body={"alert": "0" * 32}))
        assert (case.proposal, case.undecided) == (proposal, ())


def test_a_grant_covers_its_unit_and_those_below_only() -> None:
    held = Actor(
        Subject(Kind.USER, "x", "x", (Grant(frozenset({"cases:reply"}), "wsj", Role.UNIT_ADMINISTRATOR),))
    )
    assert held.subject.hats(("cases:reply",), frozenset({"jsj", "city"})) == []
    assert held.subject.hats(("cases:reply",), frozenset({"ward", "wsj", "city"})) == [frozenset({"user:x"})]


def test_a_thread_with_a_hole_is_none() -> None:
    first = Event(1, Step.DRAFT, NOW, frozenset({"user:a"}), DRAFT)
    for broken in (
        [],
        [Event(1, Step.SUBMIT, NOW, frozenset({"user:a"}))],
        [first, Event(3, Step.SUBMIT, NOW, frozenset({"user:a"}))],
        [first, Event(2, Step.SUBMIT, NOW)],
    ):
        with pytest.raises(BrokenThreadError):
            fold(broken)
