"""card_binding: what a card was bound to at every moment, and cards bound to nothing."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import evidence as frozen
from rules.checks import card_binding as check
from rules.checks.base import Evaluation, Outcome
from tests.words import said

DAY = 86_400 * 1_000_000
FIRST = date(2026, 1, 1)


def at(days: float) -> int:
    """Microseconds of so many days after midnight of 1 January 2026 in Shanghai."""
    midnight = check.day_us(FIRST.isoformat())
    assert midnight is not None
    return midnight + round(days * DAY)


def day(number: int | None) -> str | None:
    return None if number is None else (FIRST + timedelta(days=number)).isoformat()


def make(bound: tuple[float, float | None], *vehicles: tuple[int | None, int | None], now: float = 300,
         grace: int = 0, status: str = "active", closed: int | None = None) -> Any:  # fmt: skip
    """Evidence of a binding [from, to) in days and vehicles (registered, disposed) of the plate."""
    evidence: dict[str, Any] = {
        "rule": check.RULE, "rule_version": check.VERSION, "subject": check.subject("C1", at(bound[0])),
        "card": {"id": "C1", "organisation": "O1", "status": status, "opened_on": None, "closed_on": day(closed)},
        "binding": {"plate": "苏F00001", "from_us": at(bound[0]), "to_us": None if bound[1] is None else at(bound[1])},
        "vehicles": [
            {"id": f"V{k}", "organisation": "O1", "registered_on": day(a), "disposed_on": day(b)}
            for k, (a, b) in enumerate(vehicles)
        ],
        "parameters": {"grace_days": grace},
    }  # fmt: skip
    evidence["as_of_us"] = max(
        p
        for p in check.change_points(evidence["card"], evidence["binding"], evidence["vehicles"], grace)
        if p <= at(now)
    )
    return evidence


def judge(*args: Any, **more: Any) -> Evaluation:
    return check.evaluate(make(*args, **more))


def result(*args: Any, **more: Any) -> tuple[str, float, float | None]:
    made = judge(*args, **more)
    return (
        made.reason,
        (made.from_us - at(0)) / DAY,
        None if made.to_us is None else (made.to_us - at(0)) / DAY,
    )


def test_an_official_vehicle_for_the_whole_binding() -> None:
    for vehicles in ([(None, None)], [(0, 20)], [(0, 5), (5, None)], [(None, 12), (8, None)]):
        made = judge((0, 20), *vehicles)
        assert (made.outcome, made.reason) == (Outcome.NORMAL, "official"), vehicles


def test_no_vehicle_of_the_plate() -> None:
    assert result((3, None)) == ("not_official", 3, None)
    assert result((3, 7.25)) == ("not_official", 3, 7.25)
    assert result((3, 7), now=5) == ("not_official", 3, None)
    assert "期间该车牌不是登记的公务用车" in said(judge((3, None)))


def test_the_days_of_the_register() -> None:
    assert result((3, None), (4, None)) == ("not_official", 3, 4)
    assert result((3.9, None), (4, None), now=3.95) == ("not_official", 3.9, None)
    assert judge((4, None), (4, None)).outcome is Outcome.NORMAL
    assert result((3, None), (None, 10)) == ("disposed", 10, None)
    assert judge((3, 10), (None, 10)).outcome is Outcome.NORMAL
    assert result((3, 10.5), (None, 10)) == ("disposed", 10, 10.5)
    assert judge((3, None), (None, 10), now=9.99).outcome is Outcome.NORMAL
    assert judge((3, None), (None, 10), now=10).outcome is Outcome.SUSPECTED
    assert "该车已于 2026-01-11 处置" in said(judge((3, None), (None, 10)))


def test_days_of_grace_are_after_the_disposal_only() -> None:
    assert judge((3, 15), (None, 10), grace=5).outcome is Outcome.NORMAL
    assert result((3, 15.01), (None, 10), grace=5) == ("disposed", 15, 15.01)
    assert result((3, None), (4, None), grace=5)[0] == "not_official"
    assert result((12, None), (None, 10), grace=5) == ("not_official", 15, None)


def test_bound_after_the_disposal_it_was_never_official() -> None:
    assert result((11, None), (None, 10)) == ("not_official", 11, None)
    assert result((3, 20), (5, 10)) == ("not_official", 3, 20)  # before and after; the worse names it
    assert judge((3, 20), (5, 10)).measures["spans"]["value"] == 2


def test_cards_out_of_use() -> None:
    assert judge((3, None), (None, 10), status="closed", closed=10).outcome is Outcome.NORMAL
    assert result((3, None), (None, 10), status="closed", closed=12) == ("disposed", 10, 12)
    assert judge((3, None), (None, 10), status="lost").reason == "closed_undated"
    assert judge((3, None), status="lost").reason == "not_official"


def unbound(since: float | None, now: float, grace: int = 0, status: str = "active") -> Evaluation:
    since_us = None if since is None else at(since)
    return check.evaluate({
        "rule": check.RULE, "rule_version": check.VERSION, "subject": check.subject("C1", None), "binding": None,
        "card": {"id": "C1", "organisation": "O1", "status": status, "opened_on": None, "closed_on": None},
        "vehicles": [], "parameters": {"grace_days": grace}, "unbound_since_us": since_us,
        "as_of_us": at(now) if since_us is None else min(at(now), since_us + grace * DAY + 1),
    })  # fmt: skip


def test_bound_to_nothing_for_longer_than_the_grace() -> None:
    assert unbound(5, 5).reason == "not_bound_yet"
    assert unbound(5, 5.001).reason == "not_bound"
    assert unbound(5, 8, grace=3).outcome is Outcome.NORMAL
    assert unbound(5, 8.001, grace=3).outcome is Outcome.SUSPECTED
    assert unbound(5, 9, grace=3) == unbound(5, 99, grace=3)
    assert unbound(None, 9).reason == "bound"
    assert unbound(5, 9, status="closed").reason == "inactive"


VEHICLE = st.tuples(st.none() | st.integers(0, 30), st.none() | st.integers(0, 30)).map(
    lambda v: v if None in v or v[0] <= v[1] else (v[1], v[0])  # type: ignore[operator]  # no None here
)


@given(
    st.integers(0, 30), st.none() | st.integers(1, 20), st.lists(VEHICLE, max_size=3), st.integers(0, 60),
    st.integers(0, 4), st.randoms(use_true_random=False),
)  # fmt: skip
def test_agrees_with_counting_days(
    start: int, length: int | None, vehicles: list[tuple[int | None, int | None]], now: int, grace: int,
    chance: random.Random,
) -> None:  # fmt: skip
    now = max(now, start)
    bound = (start, None if length is None else start + length)
    evidence = make(bound, *vehicles, now=now, grace=grace)
    made = check.evaluate(evidence)

    def held(d: int, more: int) -> bool:
        return any((-99 if a is None else a) <= d < (999 if b is None else b + more) for a, b in vehicles)

    # every day is one moment: its beginning, up to and with now
    wrong = [d for d in range(start, now + 1) if (bound[1] is None or d < bound[1]) and not held(d, grace)]
    assert (made.outcome is Outcome.SUSPECTED) == bool(wrong)
    if wrong:
        assert made.from_us == at(wrong[0])
        worst = any(not any(held(e, 0) for e in range(start, d)) for d in wrong)
        assert made.reason == ("not_official" if worst else "disposed")
        if made.to_us is not None:
            assert made.to_us == at(wrong[-1] + 1)
            assert made.to_us <= at(now)
        else:
            assert wrong[-1] == now
    assert check.evaluate(frozen.parse(frozen.canonical(evidence))) == made
    chance.shuffle(evidence["vehicles"])
    assert check.evaluate(evidence) == made


@given(st.integers(0, 30), st.lists(VEHICLE, max_size=2), st.integers(0, 60), st.integers(0, 500))
def test_time_alone_changes_nothing_between_its_moments(
    start: int, vehicles: list[tuple[int | None, int | None]], now: int, later: int
) -> None:
    one = make((start, None), *vehicles, now=max(now, start))
    two = make((start, None), *vehicles, now=max(now, start) + later / 1000)
    if one["as_of_us"] == two["as_of_us"]:
        assert frozen.canonical(one) == frozen.canonical(two)


def test_subjects() -> None:
    assert check.subject("C1", at(0.5)) == "binding:C1:20260101T040000Z"
    assert check.subject("C1", at(0.5) + 7) == "binding:C1:20260101T040000.000007Z"
    assert check.subject("C1", None) == "unbound:C1"
    with pytest.raises(frozen.EvidenceError):
        check.evaluate(make((0, None)) | {"rule_version": 99})


def bound_to_nothing(now: float, **more: Any) -> Evaluation:
    evidence = make((0, None), now=now) | {
        "binding": None,
        "vehicles": [],
        "unbound_since_us": at(0),
        "as_of_us": at(now),
    }
    evidence["card"] |= {"kind": more.pop("kind", "vehicle")}
    return check.evaluate(evidence | more)


def test_a_master_card_that_cannot_fill_needs_no_vehicle() -> None:
    assert bound_to_nothing(300).reason == "not_bound"
    made = bound_to_nothing(300, kind="master", filled=False)
    assert (made.outcome, made.reason) == (Outcome.NORMAL, "master")
    assert "主卡" in said(made)
    # One that fills is a card like any other.
    assert bound_to_nothing(300, kind="master", filled=True).reason == "not_bound"


def rented(
    bound: tuple[float, float | None], *vehicles: tuple[int | None, int | None], **more: Any
) -> Evaluation:
    evidence = make(bound, *vehicles, **more)
    for vehicle in evidence["vehicles"]:
        vehicle["ownership"] = "rented"
    return check.evaluate(evidence)


def test_a_rented_vehicle_is_official_for_the_dates_of_its_report() -> None:
    assert rented((10, 20), (10, 20)).reason == "official"
    made = rented((10, 20 + 1 / 86_400), (10, 20))  # a second too long
    assert (made.outcome, made.reason) == (Outcome.SUSPECTED, "report_ended")
    assert "报备" in said(made)
    assert rented((10 - 1 / 86_400, 20), (10, 20)).reason == "not_official"
    assert rented((10, 20), (12, 20)).reason == "not_official"
    assert rented((10, 21), (10, 20), grace=1).reason == "official"
    # Reported again without a gap.
    assert rented((10, 30), (10, 20), (20, 30)).reason == "official"
    assert rented((10, 30), (10, 20), (21, 30)).reason == "report_ended"
