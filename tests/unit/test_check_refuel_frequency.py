"""refuel_frequency: exactly two fills, exactly ten minutes, both ends of the stretch, split payments."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from registry.facts.fills import reversed_fills
from registry.transactions import TransactionRow
from rules import evidence as frozen
from rules.checks import refuel_frequency as check
from rules.checks.base import Evaluation, Outcome
from tests.calls import counted
from tests.words import said

MIN = 60 * 1_000_000
T0 = 1_772_000_000 * 1_000_000
#: Minutes of the stretch: the order returns at 0, the next departs at 1,000.
NEXT = 1_000
USED = {"min_fills": 2, "merge_min": 10, "count_charging": 0}


def row(
    id: str, minute: float, *, station: str | None = "S1", name: str = "一站", kind: str = "fill", **more: Any
) -> Any:
    return {
        "id": id, "at_us": T0 + round(minute * MIN), "kind": kind, "product": "92号", "energy": "fuel",
        "quantity": 40_000, "amount_fen": 30_000, "station": station, "station_name": name, "reversed_by": None,
    } | more  # fmt: skip


def make(
    rows: list[dict[str, Any]],
    *,
    following: int | None = NEXT,
    bound: tuple[int, int | None] = (-9_999, None),
    **used: int,
) -> Any:
    return {
        "rule": check.RULE, "rule_version": check.VERSION, "subject": check.subject("C1", "P1"),
        "card": {"id": "C1", "organisation": "O1"}, "vehicle": {"no": 1, "id": "V1", "plate": "苏F00001"},
        "binding": {"plate": "苏F00001", "from_us": T0 + bound[0] * MIN, "to_us": None if bound[1] is None else T0 + bound[1] * MIN},
        "order": {"id": "P1", "version": 3, "driver": "D1", "from_us": T0 - 300 * MIN, "to_us": T0},
        "next_order": None if following is None else {"id": "P2", "version": 1, "driver": None, "departed_us": T0 + following * MIN},
        "parameters": {"min_fills": 2, "merge_min": 10, "count_charging": 0} | used, "transactions": rows,
    }  # fmt: skip


def judge(*rows: dict[str, Any], **more: Any) -> Evaluation:
    return check.evaluate(make(list(rows), **more))


def fills(*rows: dict[str, Any], **more: Any) -> int:
    return int(judge(*rows, **more).measures["fills"]["value"])


def test_one_is_normal_and_exactly_two_are_suspected() -> None:
    assert judge(row("a", 5)).outcome is Outcome.NORMAL
    made = judge(row("a", 5), row("b", 100, station="S2", name="二站"))
    assert (made.outcome, made.reason) == (Outcome.SUSPECTED, "often")
    assert made.measures["fills"] == {"value": 2, "unit": "1"}
    assert made.measures["fuel_quantity"] == {"value": 80_000, "unit": "ml"}
    assert (made.from_us, made.to_us) == (T0 + 5 * MIN, T0 + 100 * MIN)
    assert said(made).startswith("疑似加油频率异常：油卡 C1（苏F00001）在派车单 P1")
    assert "加油 2 次" in said(made)
    assert judge(row("a", 5), row("b", 100), min_fills=3).outcome is Outcome.NORMAL


def test_both_ends_belong_to_the_orders() -> None:
    inside = row("x", 500)
    for minute, found in ((0, 1), (1 / 60, 2), (NEXT - 1 / 60, 2), (NEXT, 1), (NEXT + 5, 1), (-5, 1)):
        assert fills(inside, row("a", minute)) == found, minute
    assert fills(inside, row("a", 10 * NEXT), following=None) == 2


def test_a_binding_cuts_the_stretch() -> None:
    rows = [row("a", 100), row("b", 200), row("c", 300)]
    assert fills(*rows, bound=(200, 300)) == 1
    assert fills(*rows, bound=(200, 301)) == 2
    assert fills(*rows, bound=(201, None)) == 1


def test_payments_within_exactly_ten_minutes_at_one_station_are_one_fill() -> None:
    assert fills(row("a", 100), row("b", 110)) == 1
    assert fills(row("a", 100), row("b", 110 + 1 / 60)) == 2
    assert fills(row("a", 100), row("b", 105, station="S2")) == 2
    assert (
        fills(row("a", 100), row("b", 109), row("c", 118), row("d", 127)) == 1
    )  # each within ten of another
    assert fills(row("a", 100), row("b", 103, station="S2"), row("c", 106)) == 2  # something else in between
    assert fills(row("a", 100), row("b", 100), merge_min=0) == 1
    assert fills(row("a", 100), row("b", 100 + 1 / 60), merge_min=0) == 2
    assert "（2 笔）" in said(judge(row("a", 100), row("b", 110), row("c", 400)))


def test_stations_that_are_not_matched_go_by_name() -> None:
    assert fills(row("a", 100, station=None), row("b", 105, station=None)) == 1
    assert fills(row("a", 100, station=None), row("b", 105)) == 1
    assert fills(row("a", 100, station=None, name="二站"), row("b", 105)) == 2
    assert fills(row("a", 100, station=None, name=""), row("b", 105, station=None, name="")) == 1
    assert fills(row("a", 100, name="x"), row("b", 105, name="y")) == 1  # one station under two names


def test_a_fill_began_with_its_first_payment() -> None:
    assert fills(row("a", -3), row("b", 4), row("c", 500)) == 1
    assert fills(row("a", NEXT - 3), row("b", NEXT + 4), row("c", 500)) == 2


def test_what_is_no_fill() -> None:
    others = [
        row("t", 50, kind="top_up"),
        row("r", 60, kind="reversal"),
        row("e", 70, kind="fee"),
        row("o", 80, kind="other"),
    ]
    made = judge(row("a", 100), row("b", 300, reversed_by="r"), *others)
    assert made.outcome is Outcome.NORMAL
    assert made.measures["payments"]["value"] == 1
    why = check.explain(
        make([row("a", 100), row("m", 104), row("b", 300, reversed_by="r"), row("z", -1), *others])
    )
    assert why == {"a": "counted", "m": "merged", "b": "reversed", "z": "outside"} | dict.fromkeys(
        "treo", "not_a_fill"
    )


def test_charging_counts_only_where_a_unit_says_so() -> None:
    charges = [row("a", 100, energy="electric"), row("b", 300, energy="electric")]
    made = judge(*charges)
    assert (made.outcome, made.measures["fills"]["value"]) == (Outcome.NORMAL, 0)
    assert check.explain(make(charges)) == {"a": "charging", "b": "charging"}
    assert judge(*charges, count_charging=1).outcome is Outcome.SUSPECTED
    assert fills(*charges, row("c", 500)) == 1
    assert fills(*charges, row("c", 500), count_charging=1) == 3


@pytest.mark.parametrize(
    "product", ["车用尿素", "尿素溶液", "AdBlue", "ad blue", "柴油机油", "机油", "洗车", "便利店商品"]
)
def test_goods_that_are_no_fuel_are_no_fills(product: str) -> None:
    rows = [row("a", 100), row("b", 300, product=product)]
    assert judge(*rows).outcome is Outcome.NORMAL
    assert check.explain(make(rows)) == {"a": "counted", "b": "goods"}
    assert judge(row("a", 100, product="0号柴油"), row("b", 300, product="")).outcome is Outcome.SUSPECTED


def test_a_fill_of_which_only_the_booking_is_known_accuses_nobody() -> None:
    made = judge(row("a", 100), row("b", 300, posted=True))
    assert (made.outcome, made.reason) == (Outcome.UNDETERMINED, "posting_time")
    assert made.measures["without_time"]["value"] == 1
    assert said(made).startswith("不可判：")
    assert judge(row("a", 100), row("b", 300), row("c", 500, posted=True)).outcome is Outcome.SUSPECTED
    assert judge(row("a", 100, posted=True)).outcome is Outcome.NORMAL


def test_an_order_without_a_return_says_so() -> None:
    evidence = make([row("a", 5), row("b", 100)])
    evidence["order"]["returned"] = False
    assert "没有返回记录" in said(check.evaluate(evidence))


PAYMENT = st.tuples(
    st.integers(-30, NEXT + 30), st.sampled_from(["S1", "S2", None]), st.sampled_from(["一站", "二站"])
)


def rows_of(payments: list[tuple[int, str | None, str]]) -> Any:
    return [row(f"f{k:02}", m, station=s, name=n) for k, (m, s, n) in enumerate(payments)]


def naive_groups(rows: list[dict[str, Any]], merge_min: int) -> list[set[str]]:
    """Connected parts of the graph of payments, grown one neighbour at a time."""
    left = {r["id"]: r for r in rows}
    parts = []
    while left:
        part, edge = set(), [next(iter(left))]
        while edge:
            mine = left.pop(edge.pop(), None)
            if mine is None:
                continue
            part.add(mine["id"])
            for other in left.values():
                named = mine["station"] is None or other["station"] is None
                same = (
                    mine["station_name"] == other["station_name"]
                    if named
                    else mine["station"] == other["station"]
                )
                if same and abs(mine["at_us"] - other["at_us"]) <= merge_min * MIN:
                    edge.append(other["id"])
        parts.append(part)
    return parts


@given(st.lists(PAYMENT, max_size=12), st.integers(0, 40), st.randoms(use_true_random=False))
def test_groups_agree_with_a_naive_graph_and_with_any_order(
    payments: list[tuple[int, str | None, str]], merge_min: int, chance: random.Random
) -> None:
    rows = rows_of(payments)
    evidence = make(rows, merge_min=merge_min)
    parts = naive_groups(rows, merge_min)
    assert sorted(map(sorted, parts)) == sorted(
        sorted(p["id"] for p in g) for g in check.groups(rows, {"merge_min": merge_min, "count_charging": 0})
    )
    at = {r["id"]: r["at_us"] for r in rows}
    expected = sum(T0 < min(at[i] for i in part) < T0 + NEXT * MIN for part in parts)
    made = check.evaluate(evidence)
    assert made.measures["fills"]["value"] == expected
    assert check.evaluate(frozen.parse(frozen.canonical(evidence))) == made
    shuffled = list(rows)
    chance.shuffle(shuffled)
    assert check.evaluate(make(shuffled, merge_min=merge_min)) == made


@given(st.lists(PAYMENT, max_size=10), PAYMENT)
def test_another_fill_never_clears(
    payments: list[tuple[int, str | None, str]], extra: tuple[int, str | None, str]
) -> None:
    """A payment within the merging time of two fills can make them one, and one before the return can move a fill into
    the trip. Every other one never lowers the count."""
    rows = rows_of(payments)
    more: Any = [*rows, row("extra", extra[0], station=extra[1], name=extra[2])]
    mine = next(g for g in check.groups(more, USED) if any(p["id"] == "extra" for p in g))
    assume(
        len({id(g) for g in check.groups(rows, USED) for p in g if any(p["id"] == q["id"] for q in mine)}) < 2
    )
    assume(mine[0]["id"] != "extra" or len(mine) == 1 or extra[0] > 0)
    before, after = check.evaluate(make(rows)), check.evaluate(make(more))
    assert after.measures["fills"]["value"] >= before.measures["fills"]["value"]
    assert after.outcome is Outcome.SUSPECTED or before.outcome is Outcome.NORMAL


def test_subjects_of_any_ids_are_apart() -> None:
    ids = ["C", "C:after:P", "P", "C:", "%", ":after:"]
    subjects = [check.subject(card, order) for card in ids for order in ids]
    assert len(set(subjects)) == len(subjects)
    assert check.subject("C1", "P1") == "card:C1:after:P1"


def test_evidence_of_something_else_is_refused() -> None:
    with pytest.raises(frozen.EvidenceError):
        check.evaluate(make([]) | {"rule": "card_use"})


def paid(id: str, minute: int, kind: str = "fill", amount: int | None = 30_000, quantity: int | None = 40_000, *,
         station: str | None = None, reverses: str | None = None) -> TransactionRow:  # fmt: skip
    return TransactionRow(
        id, "C1", T0 + minute * MIN, kind, "", "fuel", quantity, amount, station, "", reverses
    )


def test_reversals_name_or_match_their_fill() -> None:
    a, b = paid("a", 0), paid("b", 10)
    assert reversed_fills([a, b, paid("r", 20, "reversal", reverses="a")]) == {"a": "r"}
    assert reversed_fills([a, b, paid("r", 20, "reversal", -30_000)]) == {"b": "r"}
    assert reversed_fills([a, b, paid("r", 20, "reversal", -30_000), paid("s", 21, "reversal")]) == {
        "b": "r",
        "a": "s",
    }
    assert reversed_fills([a, b, paid("r", 5, "reversal")]) == {"a": "r"}
    assert reversed_fills([a, paid("r", 20, "reversal", reverses="unknown")]) == {"a": "r"}
    # Money is not in the wording: a fee or a discount may be kept. Of several it says which; alone it must be the same.
    assert reversed_fills([a, paid("r", 20, "reversal", -29_950)]) == {"a": "r"}
    assert reversed_fills([a, paid("b", 10, amount=29_950), paid("r", 20, "reversal", -30_000)]) == {"a": "r"}
    assert reversed_fills([a, b, paid("r", 20, "reversal", -29_950)]) == {"b": "r"}
    assert reversed_fills([a, paid("r", 20, "reversal", -30_000, 39_999)]) == {}
    assert reversed_fills([a, paid("r", 20, "reversal", -29_950, None)]) == {}
    assert reversed_fills([a, paid("r", 20, "reversal", -30_000, None)]) == {"a": "r"}
    assert reversed_fills([a, paid("r", 20, "reversal", None, None)]) == {}
    assert reversed_fills([a, paid("r", 20, "reversal", None, 40_000)]) == {"a": "r"}
    assert reversed_fills([paid("a", 0, station="S1"), paid("r", 20, "reversal", station="S2")]) == {}
    # Within a day, unless it names the fill.
    assert reversed_fills([a, paid("r", 1440, "reversal")]) == {"a": "r"}
    assert reversed_fills([a, paid("r", 1440 + 1, "reversal")]) == {}
    assert reversed_fills([a, paid("r", 20 * 1440, "reversal", reverses="a")]) == {"a": "r"}
    assert reversed_fills([a, paid("r", -1, "reversal")]) == {}
    # Stations that are not matched go by their names; a row without one may be any.
    named = [replace(a, station_name="一站"), replace(paid("r", 20, "reversal"), station_name="二站")]
    assert reversed_fills(named) == {}
    assert reversed_fills([named[0], replace(named[1], station_name=" 一站")]) == {"a": "r"}
    assert reversed_fills([named[0], replace(named[1], station_name="")]) == {"a": "r"}
    # Of what is only booked nobody knows what came first.
    assert reversed_fills([a, replace(paid("r", -1, "reversal"), posted=True)]) == {"a": "r"}
    assert reversed_fills([a, replace(paid("r", -1441, "reversal"), posted=True)]) == {}
    assert reversed_fills([a, b, paid("r", 20, "reversal", reverses="a"), paid("s", 30, "reversal")]) == {
        "a": "r",
        "b": "s",
    }


@given(
    st.lists(
        st.tuples(
            st.integers(0, 50), st.sampled_from(["fill", "reversal", "top_up"]), st.sampled_from([1, 2])
        ),
        max_size=14,
    ),
    st.randoms(use_true_random=False),
)
def test_a_reversal_takes_back_one_fill_before_it(
    rows: list[tuple[int, str, int]], chance: random.Random
) -> None:
    made = [paid(f"t{k:02}", m, kind, 30_000 + k, quantity) for k, (m, kind, quantity) in enumerate(rows)]
    found = reversed_fills(made)
    by_id = {t.id: t for t in made}
    assert len(set(found.values())) == len(found)
    for fill, reversal in found.items():
        assert by_id[fill].kind == "fill"
        assert by_id[fill].at_us <= by_id[reversal].at_us
        assert by_id[fill].quantity == by_id[reversal].quantity
    chance.shuffle(made)
    assert reversed_fills(made) == found


def test_groups_are_as_if_each_fill_were_compared_with_each() -> None:
    rng = random.Random(6)
    for _ in range(500):
        rows = [
            row(f"T{k}", rng.randrange(60), station=rng.choice([None, None, "S1", "S2"]), name=rng.choice(["", "一站", "二站 "]))
            for k in range(rng.randrange(9))
        ]  # fmt: skip
        ordered = sorted(rows, key=lambda t: (t["at_us"], t["id"]))
        group = {t["id"]: {t["id"]} for t in ordered}
        for k, one in enumerate(ordered):
            for other in ordered[:k]:
                near = one["at_us"] - other["at_us"] <= 10 * MIN
                if near and check._same_station(one, other) and group[one["id"]] is not group[other["id"]]:
                    joined = group[one["id"]] | group[other["id"]]
                    for id in joined:
                        group[id] = joined
        made = {frozenset(t["id"] for t in its) for its in check.groups(rows, USED)}
        assert made == {frozenset(its) for its in group.values()}


def test_thousands_of_equal_fills_cost_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement of them must not hold the judge: pairs that are compared, not seconds."""
    compared = counted(monkeypatch, check, "_same_station")
    found = check.groups([row(f"T{k:05}", 5) for k in range(5_000)], USED)
    assert [len(its) for its in found] == [5_000]
    assert compared.count < 10_000
