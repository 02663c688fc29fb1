"""The pure parts of a vehicle's file: VINs, classes of licences, when people are told, the steps of a maintenance."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from office.identity.subject import ROLE_PERMISSIONS, Role
from office.vehicles.contents import COMMANDS, Bill, labour_fen, yuan
from office.vehicles.messages import PERMISSIONS, sentence, step_of
from office.vehicles.repair import (
    SAID,
    Event,
    Maintenance,
    Refusal,
    advance,
    begin,
    check_choice,
    fold,
    refusal,
)
from office.vehicles.steps import (
    IN_SHOP,
    OPEN,
    STATE_NAMES,
    STEP_NAMES,
    TABLE,
    BrokenThreadError,
    RepairAction,
    RepairState,
    row_of,
)
from registry.licences import BODY_NAMES, Body, classes_for, lets_drive
from registry.paper_ends import AHEAD, due_to_tell, next_look
from registry.particulars import VehicleParticulars, vin_check_digit
from registry.vehicle_papers import VehiclePaperNew, trip_days
from runtime.errors import InvalidError
from runtime.units import CHINA

NOW = datetime(2026, 11, 30, 1, tzinfo=UTC)
A = RepairAction


@pytest.mark.parametrize("vin", ["1M8GDM9AXKP042788", "11111111111111111", "LSVCC49F272099999"])
def test_a_vin_has_its_check_digit(vin: str) -> None:
    right = vin[:8] + vin_check_digit(vin) + vin[9:]
    assert VehicleParticulars(vin=f" {right.lower()} ").vin == right
    wrong = right[:8] + ("0" if right[8] != "0" else "1") + right[9:]
    with pytest.raises(ValidationError, match="校验码应为"):
        VehicleParticulars(vin=wrong)
    assert VehicleParticulars(vin=wrong, vin_note="原装进口车辆").vin == wrong


def test_the_check_digits_of_the_standard() -> None:
    assert vin_check_digit("1M8GDM9A_KP042788".replace("_", "0")) == "X"
    assert vin_check_digit("11111111111111111") == "1"


@pytest.mark.parametrize("vin", ["", "1M8GDM9AXKP04278", "1M8GDM9AXKP0427888", "IM8GDM9AXKP042788", "１M8GDM9AXKP042788"])  # fmt: skip
def test_what_is_no_vin_is_refused(vin: str) -> None:
    with pytest.raises(ValidationError, match="17 位"):
        VehicleParticulars(vin=vin)


def test_what_a_class_lets_drive() -> None:
    """Annex 1 of 公安部令第162号, for what a fleet has."""
    drives = {
        "A1": {Body.LARGE_BUS, Body.MEDIUM_BUS, Body.HEAVY_TRUCK, Body.CAR, Body.LIGHT_TRUCK},
        "A2": {Body.TRACTOR_TRAILER, Body.MEDIUM_BUS, Body.HEAVY_TRUCK, Body.CAR, Body.LIGHT_TRUCK},
        "A3": {Body.CAR, Body.LIGHT_TRUCK},
        "B1": {Body.MEDIUM_BUS, Body.CAR, Body.LIGHT_TRUCK},
        "B2": {Body.HEAVY_TRUCK, Body.CAR, Body.LIGHT_TRUCK},
        "C1": {Body.CAR, Body.LIGHT_TRUCK}, "C2": set(), "C3": set(), "C5": set(), "D": {Body.TRICYCLE_MOTOR, Body.MOTORCYCLE},
        "E": {Body.MOTORCYCLE}, "F": set(),
    }  # fmt: skip
    for held, bodies in drives.items():
        assert {body for body in Body if lets_drive([held], body, automatic=False)} == bodies, held
    assert lets_drive(["C2"], Body.CAR, automatic=True)
    assert not lets_drive(["C2"], Body.MEDIUM_BUS, automatic=True)
    assert all(classes_for(body, automatic=False) for body in Body)
    assert set(BODY_NAMES) == set(Body)


def test_each_reminder_once_and_the_nearest_after_an_outage() -> None:
    last = date(2026, 11, 30)
    for seed in range(300):
        chance = random.Random(seed)
        entered = last - timedelta(days=chance.randrange(-5, 60))
        told: int | None = None
        said: list[tuple[int, int]] = []
        day = entered
        while day <= last + timedelta(days=5):
            look = next_look(last, told)
            if look is not None and look <= day:
                ahead = due_to_tell(last, told, day)
                assert ahead is not None
                said.append((ahead, (last - day).days))
                told = ahead
            day += timedelta(days=chance.choice((1, 1, 1, 2, 9)))
        # In their order, none twice, none too early; after all of it nothing is left.
        assert [ahead for ahead, _ in said] == sorted({ahead for ahead, _ in said}, reverse=True)
        assert all(left < 0 if ahead == 0 else left <= ahead for ahead, left in said)
        assert all(sum(left <= other for other in AHEAD if other) >= 1 for _, left in said if left >= 0)
    day_by_day = [(next_look(last, told), told) for told in (None, 30, 7, 1, 0)]
    assert day_by_day == [
        (date(2026, 10, 31), None), (date(2026, 11, 23), 30), (date(2026, 11, 29), 7), (date(2026, 12, 1), 1), (None, 0),
    ]  # fmt: skip
    assert next_look(date.max, None) is None


def test_days_of_a_trip_are_those_of_china() -> None:
    def at(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=CHINA)

    assert trip_days(at("2026-11-30T23:00"), at("2026-11-30T23:59")) == (date(2026, 11, 30),) * 2
    assert trip_days(at("2026-11-30T20:00"), at("2026-12-01T00:00")) == (date(2026, 11, 30),) * 2
    assert trip_days(at("2026-11-30T20:00"), at("2026-12-01T00:01"))[1] == date(2026, 12, 1)
    assert trip_days(at("2026-12-01T00:00"), at("2026-12-01T00:00")) == (date(2026, 12, 1),) * 2


def test_a_paper_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValidationError, match="早于有效期起"):
        VehiclePaperNew(kind="inspection", number="1", valid_from="2026-03-02", valid_to="2026-03-01")


# --- maintenance


def bill(total: int) -> dict[str, Any]:
    return {"parts": [{"name": "机油", "count": 1, "price_fen": total}], "labour": [], "total_fen": total}


def test_a_bill_adds_up_to_the_fen() -> None:
    part = {"name": "刹车片", "count": 3, "price_fen": 3333}
    work = {"name": "更换", "minutes": 50, "rate_fen": 9999}  # 8332.5
    assert labour_fen(50, 9999) == 8333
    assert labour_fen(60, 12_345) == 12_345
    assert Bill.model_validate({"parts": [part], "labour": [work], "total_fen": 9999 + 8333}).total_fen == 18_332  # fmt: skip
    for total in (18_331, 18_333, 0):
        with pytest.raises(ValidationError, match=r"与配件、工时之和 183\.32 元不符"):
            Bill.model_validate({"parts": [part], "labour": [work], "total_fen": total})
    with pytest.raises(ValidationError, match="至少填写一项"):
        Bill.model_validate({"total_fen": 0})
    assert (yuan(5), yuan(12_300)) == ("0.05", "123.00")


def test_the_table_is_whole() -> None:
    assert (set(STATE_NAMES), set(STEP_NAMES), set(SAID)) == (set(RepairState), set(RepairAction), set(Refusal))  # fmt: skip
    assert {row.step for row in TABLE} == set(RepairAction) - {A.REPORT}
    assert set(COMMANDS) == set(RepairAction) - {A.REPORT, A.ATTACH}
    for state in RepairState:
        steps = [row.step for row in TABLE if state in row.sources]
        assert len(steps) == len(set(steps))
        assert bool(steps) == (state in OPEN)
    assert {RepairState.IN_SHOP, RepairState.MORE, RepairState.DONE} == IN_SHOP


def test_who_may_do_what() -> None:
    """Who keeps vehicles does not approve, and the reverse; a role that has both would decide alone."""
    keeps = {role for role, held in ROLE_PERMISSIONS.items() if "registry:write" in held}
    decides = {role for role, held in ROLE_PERMISSIONS.items() if "maintenance:approve" in held}
    assert keeps == {Role.VEHICLE_OFFICE, Role.UNIT_ADMINISTRATOR}
    assert decides == {Role.UNIT_HEAD, Role.OFFICE_HEAD}
    for row in TABLE:
        if row.permissions == ("maintenance:approve",):
            assert row.human
            assert "not-own" in row.guards
    assert PERMISSIONS == ("maintenance:approve",)


BODIES: dict[RepairAction, dict[str, Any]] = {
    A.QUOTE: {"shop": "甲厂", "bill": bill(40_000)}, A.SUBMIT: {"shop": "甲厂"}, A.START: {"at": NOW.isoformat()},
    A.ASK_MORE: {"total_fen": 50_000, "reason": "另需更换"}, A.FINISH: {"at": NOW.isoformat(), "bill": bill(40_000), "invoice": "1"},
    A.ATTACH: {"media_type": "image/jpeg"},
}  # fmt: skip


def event(version: int, step: RepairAction, *persons: str, **body: Any) -> Event:
    return Event(version, step, NOW, frozenset(persons), BODIES.get(step, {}) | body)


def reported() -> Event:
    return Event(
        1, A.REPORT, NOW, frozenset({"user:a"}), {"vehicle": "car", "number": "修1", "fault": "异响", "odometer_m": 1}
    )  # fmt: skip


def test_any_walk_keeps_two_people_apart() -> None:
    """Whatever persons do in whatever order: what is in the thread was allowed, a maintenance that was approved was approved by none of those who
    reported, quoted or chose, and one that is accepted by none of those who entered the bill; and the thread comes to the same again."""
    ended = set()
    for seed in range(1500):
        chance = random.Random(seed)
        events = [reported()]
        paper = begin(events[0])
        approvers: set[str] = set()
        for _ in range(60):
            step, person = chance.choice(list(RepairAction)), chance.choice(("user:a", "user:b", "user:c"))
            why = refusal(paper, step, frozenset({person}), human=True)
            if why is not None or (step is A.SUBMIT and not paper.quotes):
                with_bad = row_of(paper.state, step)
                assert why is not Refusal.NOT_NOW or with_bad is None
                continue
            one = event(len(events) + 1, step, person)
            before, paper = paper, advance(paper, one)
            events.append(one)
            if step in (A.APPROVE, A.GRANT):
                approvers.add(person)
                assert person not in before.own
            if step is A.ACCEPT:
                assert before.finishers
                assert person not in before.finishers
                assert before.pictures >= 2
            if step is A.FINISH:
                assert before.approved_fen is not None
        assert fold(events) == paper
        ended.add(paper.state)
        if paper.state in IN_SHOP:
            assert approvers
    assert {RepairState.ACCEPTED, RepairState.CANCELLED, RepairState.DONE} <= ended


def test_more_than_was_approved_is_approved_again() -> None:
    steps = [A.QUOTE, A.SUBMIT]
    events = [reported(), *(event(n, step, "user:a") for n, step in enumerate(steps, 2))]
    events += [event(4, A.APPROVE, "user:b"), event(5, A.START, "user:a"), event(6, A.ASK_MORE, "user:c")]
    paper = fold(events)
    assert (paper.state, paper.approved_fen, paper.asked_fen) == (RepairState.MORE, 40_000, 50_000)
    # Who asked for more does not grant it.
    assert refusal(paper, A.GRANT, frozenset({"user:c"}), human=True) is Refusal.OWN_REPAIR
    assert refusal(paper, A.GRANT, frozenset({"token:1"}), human=False) is Refusal.NO_PERSON
    granted = advance(paper, event(7, A.GRANT, "user:b"))
    assert (granted.state, granted.approved_fen, granted.asked_fen) == (RepairState.IN_SHOP, 50_000, None)
    denied = advance(paper, event(7, A.DENY, "user:b"))
    assert (denied.state, denied.approved_fen, denied.asked_fen) == (RepairState.IN_SHOP, 40_000, None)


def test_a_thread_that_no_steps_give_is_broken() -> None:
    paper = begin(reported())
    for one in (event(2, A.APPROVE, "user:b"), event(3, A.QUOTE, "user:b"), event(2, A.QUOTE)):
        with pytest.raises(BrokenThreadError):
            advance(paper, one)
    with pytest.raises(BrokenThreadError):
        begin(event(1, A.QUOTE, "user:a"))


def quoted(**quotes: int) -> Maintenance:
    paper = begin(reported())
    for shop, fen in quotes.items():
        paper = advance(paper, event(paper.version + 1, A.QUOTE, "user:a", shop=shop, bill=bill(fen)))
    return paper


def test_two_quotes_unless_it_is_little_and_a_reason_for_the_dearer() -> None:
    check_choice(quoted(one=50_000), "one", None, 50_000)
    with pytest.raises(InvalidError, match=r"超过 500\.00 元，须有至少两家"):
        check_choice(quoted(one=50_001), "one", None, 50_000)
    check_choice(quoted(one=50_001, two=60_000), "one", None, 50_000)
    with pytest.raises(InvalidError, match=r"高于最低报价 500\.01 元"):
        check_choice(quoted(one=50_001, two=60_000), "two", None, 50_000)
    check_choice(quoted(one=50_001, two=60_000), "two", "质保期更长", 50_000)
    with pytest.raises(InvalidError, match="没有 three 的报价"):
        check_choice(quoted(one=1), "three", None, 50_000)
    # A second quote of the same shop takes the place of the first: it is no second shop.
    assert dict(quoted(one=70_000).quotes) == {"one": 70_000}


def test_messages_say_number_and_kind_only() -> None:
    assert (
        sentence("vehicle-papers/x", "ZJ-1", step_of(7), "inspection")
        == "证照 ZJ-1：年检将在 7 日内到期，请办理并登记新的年检"
    )
    assert "已到期" in (sentence("vehicle-papers/x", "ZJ-1", step_of(0), "licence") or "")
    assert sentence("maintenance/x", "修1", "approve", "approved") == "维修单 修1：批准，现为已批准，待进厂"
    assert sentence("dispatches/x", "派1", "assign", "assigned") is None
