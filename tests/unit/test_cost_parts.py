"""Sums in words, shares, settlement km, kinds, holidays, the states of a statement."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from office.costs.drawing import month_of
from office.costs.entry import CostContents, body_of
from office.costs.kinds import KIND_NAMES, CostKind, finding_of, payer_of
from office.costs.money import in_words, yuan
from office.costs.shares import settlement_km, shares
from office.costs.statement import (
    TABLE,
    Standing,
    StatementRefusal,
    StatementState,
    StatementStep,
    line_of,
    refusal,
)
from office.costs.statements import STEP_BODIES
from office.costs.trip import TripFactsEntry, days_touched, is_holiday
from office.identity.subject import ROLE_PERMISSIONS
from registry.working_days import Calendar
from runtime.units import CHINA


@pytest.mark.parametrize(
    ("fen", "words"),
    [
        (0, "零元整"), (1, "壹分"), (10, "壹角整"), (105, "壹元零伍分"), (110, "壹元壹角整"), (100, "壹元整"), (1000, "壹拾元整"), (1010, "壹拾元零壹角整"),
        (10050, "壹佰元零伍角整"), (10005, "壹佰元零伍分"), (100000, "壹仟元整"), (100100, "壹仟零壹元整"), (1000000, "壹万元整"),
        (1000100, "壹万零壹元整"), (1010000, "壹万零壹佰元整"), (1100000, "壹万壹仟元整"), (12345678, "壹拾贰万叁仟肆佰伍拾陆元柒角捌分"),
        (1000000000000, "壹佰亿元整"), (10000000100, "壹亿零壹元整"), (100010000000, "壹拾亿零壹拾万元整"), (-20034, "负贰佰元零叁角肆分"),
        (68032, "陆佰捌拾元零叁角贰分"),
    ],
)  # fmt: skip
def test_sums_in_words(fen: int, words: str) -> None:
    assert in_words(fen) == words


def test_yuan() -> None:
    assert [yuan(fen) for fen in (0, 5, -5, 12345, -100)] == ["0.00", "0.05", "-0.05", "123.45", "-1.00"]


@given(st.integers(-(10**12), 10**12), st.lists(st.integers(0, 10**9), min_size=1, max_size=30))
def test_shares_sum_to_the_total_and_the_remainder_is_the_first_ones(total: int, weights: list[int]) -> None:
    found = shares(total, weights)
    assert sum(found) == total
    whole = sum(weights) or len(weights)
    for weight, share in list(zip(weights if sum(weights) else [1] * len(weights), found, strict=True))[1:]:
        assert abs(share) == abs(total) * weight // whole
    assert shares(-total, weights) == [-share for share in found]


def test_shares_by_hand() -> None:
    assert shares(100, [1, 1, 1]) == [34, 33, 33]
    assert shares(1001, [30_000 * 2, 10_000 * 4]) == [601, 400]
    assert shares(7, [0, 0]) == [4, 3]
    with pytest.raises(ValueError, match="no shares"):
        shares(1, [])


@pytest.mark.parametrize(
    ("odometer", "track", "entered", "metres", "source"),
    [
        (105_000, 100_000, None, 105_000, "odometer"),  # exactly 5 %
        (105_001, 100_000, None, 100_000, "track"),
        (95_000, 100_000, None, 95_000, "odometer"),
        (94_999, 100_000, None, 100_000, "track"),
        (None, 100_000, None, 100_000, "track"),
        (50_000, None, None, 50_000, "odometer_alone"),
        (None, None, None, None, None),
        (50_000, 0, None, 0, "track"),
        (50_000, 50_000, 40_000, 40_000, "entered"),
    ],
)
def test_settlement_km(
    odometer: int | None, track: int | None, entered: int | None, metres: int | None, source: str | None
) -> None:
    found = settlement_km(odometer, track, entered)
    assert (found.metres, found.source) == (metres, source)
    assert (found.odometer_m, found.track_m) == (odometer, track)


def test_fines_are_the_drivers_and_one_that_the_unit_paid_is_a_finding() -> None:
    assert payer_of(CostKind.FINE) == payer_of(CostKind.ACCIDENT) == "driver"
    assert payer_of(CostKind.FUEL) == "unit"
    assert finding_of(CostKind.FINE, "unit") == "unit_paid_fine"
    assert finding_of(CostKind.FINE, "driver") is None
    assert set(KIND_NAMES) == set(CostKind)
    assert len(CostKind) == 21


def _entry(**more: object) -> dict[str, object]:
    return {
        "kind": "fuel",
        "organisation": "o",
        "vehicle": "v",
        "occurred_on": "2026-03-31",
        "amount_fen": 100,
        "invoice_no": "1",
    } | more


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"amount_fen": 0}, "金额不能为零"), ({"amount_fen": 1.5}, "int"), ({"invoice_no": ""}, "须有发票号码"), ({"invoice_no": "", "invoice_code": "3"}, "没有发票号码"),
        ({"period": "202602"}, "早于发生日"), ({"period": "202804"}, "24 个月以上"), ({"period": "202613"}, "match"), ({"invoice_no": "1 2"}, "match"),
        ({"attachment_sha256": "ab"}, "match"), ({"kind": "gifts"}, "fuel"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_is_refused(more: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        CostContents.model_validate(_entry(**more))
    assert said in str(caught.value)


def test_what_a_line_leaves_out_follows_from_its_kind_and_day() -> None:
    line = CostContents.model_validate(_entry(kind="fine", invoice_no=""))
    assert (line.booked, line.paid_by) == ("202603", "driver")
    assert body_of(line)["period"] == "202603"
    late = CostContents.model_validate(_entry(period="202604", no_invoice="发票遗失，附说明", invoice_no=""))
    assert late.booked == "202604"


def test_days_and_months_are_those_of_china() -> None:
    def at(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=CHINA).astimezone(UTC)

    assert days_touched(at("2026-03-31T23:59:00"), at("2026-03-31T23:59:59")) == 1
    assert days_touched(at("2026-03-31T23:00:00"), at("2026-04-01T00:00:00")) == 1
    assert days_touched(at("2026-03-31T23:00:00"), at("2026-04-01T00:00:01")) == 2
    assert month_of("202612") == (date(2026, 12, 1), datetime(2026, 12, 31, 16, tzinfo=UTC))


def test_holidays() -> None:
    calendar = Calendar({date(2026, 3, 4): (False, "")})
    assert is_holiday(calendar, date(2026, 10, 1), "festival") is True
    assert is_holiday(calendar, date(2026, 3, 7), "festival") is False  # a Saturday
    assert is_holiday(calendar, date(2026, 3, 7), "rest") is True
    assert is_holiday(calendar, date(2026, 3, 4), "festival") is False
    assert is_holiday(calendar, date(2026, 3, 3), "rest") is False
    assert is_holiday(calendar, date(2099, 3, 3), "rest") is None


def test_a_distance_that_is_entered_needs_its_reason() -> None:
    with pytest.raises(ValidationError, match="须写明理由"):
        TripFactsEntry(distance_m=5)
    assert TripFactsEntry(distance_m=5, reason="里程表损坏已报修").distance_m == 5


NOW = datetime(2026, 4, 3, tzinfo=UTC)


def _standing(state: StatementState, **more: object) -> Standing:
    known: dict[str, object] = {
        "object_by": NOW + timedelta(days=1),
        "objected": False,
        "made_by": frozenset({"user:desk"}),
    }
    return Standing(state, 1, **(known | more))  # type: ignore[arg-type]


def test_the_states_of_a_statement() -> None:
    """Every step in every state: what the table has, and nothing else."""
    ways = {
        (state, line.step): line.target for state in StatementState for line in TABLE if state in line.sources
    }
    assert {pair for pair, target in ways.items() if target is not None} == {
        (StatementState.TO_CONFIRM, StatementStep.CONFIRM), (StatementState.TO_CONFIRM, StatementStep.CONFIRM_SILENT),
        (StatementState.CONFIRMED, StatementStep.PAY), (StatementState.PAID, StatementStep.RECEIVE),
        (StatementState.TO_CONFIRM, StatementStep.VOID), (StatementState.CONFIRMED, StatementStep.VOID),
    }  # fmt: skip
    assert not [pair for pair in ways if pair[0] is StatementState.VOID]
    assert {line.step for line in TABLE} == set(STEP_BODIES)
    for state in StatementState:
        for step in STEP_BODIES:
            found = refusal(_standing(state), step, frozenset({"user:x"}), True, NOW)
            assert (found is StatementRefusal.NOT_NOW) == (line_of(state, step) is None)
            if line_of(state, step) is not None:
                assert (
                    refusal(_standing(state), step, frozenset({"client:x"}), False, NOW)
                    is StatementRefusal.NO_PERSON
                )


def test_who_made_a_statement_does_not_confirm_it_also_not_for_another() -> None:
    standing = _standing(StatementState.TO_CONFIRM)
    confirm = StatementStep.CONFIRM
    assert refusal(standing, confirm, frozenset({"user:desk"}), True, NOW) is StatementRefusal.OWN_STATEMENT
    assert (
        refusal(standing, confirm, frozenset({"user:boss", "user:desk"}), True, NOW)
        is StatementRefusal.OWN_STATEMENT
    )
    assert refusal(standing, confirm, frozenset({"user:boss"}), True, NOW) is None


def test_objections_and_silence() -> None:
    unit, desk = frozenset({"user:boss"}), frozenset({"user:desk"})
    open_, over = _standing(StatementState.TO_CONFIRM), _standing(StatementState.TO_CONFIRM, object_by=NOW)
    objected = _standing(StatementState.TO_CONFIRM, object_by=NOW, objected=True)
    assert refusal(open_, StatementStep.OBJECT, unit, True, NOW) is None
    assert refusal(over, StatementStep.OBJECT, unit, True, NOW) is StatementRefusal.TOO_LATE
    assert refusal(over, StatementStep.CONFIRM, unit, True, NOW) is None
    assert refusal(open_, StatementStep.CONFIRM_SILENT, desk, True, NOW) is StatementRefusal.TOO_EARLY
    assert refusal(over, StatementStep.CONFIRM_SILENT, desk, True, NOW) is None
    for step in (StatementStep.CONFIRM, StatementStep.CONFIRM_SILENT):
        assert refusal(objected, step, unit, True, NOW) is StatementRefusal.OBJECTED
    assert refusal(objected, StatementStep.ANSWER, desk, True, NOW) is None
    assert refusal(open_, StatementStep.ANSWER, desk, True, NOW) is StatementRefusal.NO_OBJECTION


def test_no_role_draws_and_confirms_or_pays() -> None:
    for role, permissions in ROLE_PERMISSIONS.items():
        assert len({"costs:settle", "costs:confirm", "costs:pay"} & permissions) <= 1, role
        assert not {"costs:settle", "costs:tariffs"} <= permissions, role
