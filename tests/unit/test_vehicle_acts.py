"""Transfer and disposal as a table: every way through it, by every person."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from office.identity.subject import ROLE_PERMISSIONS, Role
from office.vehicles.act_steps import (
    COMMANDS,
    OPEN,
    TABLE,
    Act,
    ActEvent,
    ActKind,
    ActRefusedError,
    ActState,
    ActStep,
    advance,
    begin,
    fold,
    refuse_step,
    row_of,
)

AT = datetime(2026, 3, 2, tzinfo=UTC)


def asked(kind: ActKind) -> Act:
    body = {"kind": kind, "vehicle": "v", "organisation": "a", "number": "n", "plate": "p"}
    body |= {"to": "b"} if kind is ActKind.TRANSFER else {"mode": "scrap"}
    return begin(ActEvent(1, ActStep.ASK, AT, frozenset({"user:1"}), body))


def event(act: Act, step: ActStep, *persons: str) -> ActEvent:
    return ActEvent(act.version + 1, step, AT, frozenset(persons), {"effective_on": "2026-03-02"})


@pytest.mark.parametrize("kind", list(ActKind))
def test_every_state_leads_to_an_end_and_ends_lead_nowhere(kind: ActKind) -> None:
    reached, seen = [asked(kind)], set[ActState]()
    while reached:
        act = reached.pop()
        seen.add(act.state)
        steps = [step for step in ActStep if row_of(kind, act.state, step)]
        assert bool(steps) == (act.state in OPEN)
        for step in ActStep:
            if step in steps:
                reached.append(advance(act, event(act, step, "user:9")))
            else:
                with pytest.raises(ValueError, match=str(step)):
                    advance(act, event(act, step, "user:9"))
                with pytest.raises(ActRefusedError) as refused:
                    refuse_step(act, step, [frozenset({"user:9"})], human=True)
                assert refused.value.status == 409
    assert seen == set(ActState) - ({ActState.ACCEPTED} if kind is ActKind.DISPOSAL else set())


def test_each_decision_is_another_person_s_also_by_delegation() -> None:
    act = asked(ActKind.TRANSFER)
    events = []
    for step, person in (
        (ActStep.RELEASE, "user:2"),
        (ActStep.ACCEPT, "user:3"),
        (ActStep.APPROVE, "user:4"),
    ):
        for before in sorted(act.hands):
            for ways in ([frozenset({before})], [frozenset({before, "user:7"})]):
                with pytest.raises(ActRefusedError) as refused:
                    refuse_step(act, step, ways, human=True)
                assert refused.value.status == 403
        with pytest.raises(ActRefusedError):
            refuse_step(act, step, [frozenset({person})], human=False)
        own, fine = frozenset({min(act.hands)}), frozenset({person})
        assert refuse_step(act, step, [own, fine], human=True) == fine
        events.append(event(act, step, person))
        act = advance(act, events[-1])
    assert act.units == ["a", "b"]
    # Whoever keeps vehicles may have asked as well: it is no decision.
    assert refuse_step(act, ActStep.HAND_OVER, [frozenset({"user:1"})], human=False)


def test_the_receiving_unit_sees_it_when_it_is_its_turn() -> None:
    act = asked(ActKind.TRANSFER)
    assert act.units == ["a"]
    assert advance(act, event(act, ActStep.RELEASE, "user:2")).units == ["a", "b"]
    assert asked(ActKind.DISPOSAL).units == ["a"]
    begun = ActEvent(1, ActStep.ASK, AT, frozenset({"user:1"}), {"kind": "transfer", "vehicle": "v", "organisation": "a", "number": "n", "plate": "p", "to": "b"})  # fmt: skip
    assert fold([begun]) == act


def test_no_role_both_keeps_and_decides() -> None:
    assert set(COMMANDS) == {row.step for row in TABLE}
    for permission, role in (("vehicles:agree", Role.UNIT_HEAD), ("vehicles:approve", Role.OFFICE_HEAD)):
        assert [each for each, held in ROLE_PERMISSIONS.items() if permission in held] == [role]
    assert not any({"vehicles:agree", "vehicles:approve"} <= held for held in ROLE_PERMISSIONS.values())
    assert not any("registry:write" in held and held & {"vehicles:agree", "vehicles:approve"} for held in ROLE_PERMISSIONS.values())  # fmt: skip
