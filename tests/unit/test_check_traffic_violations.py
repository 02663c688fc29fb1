"""traffic_violations: a month back, natural months, what counts."""

from __future__ import annotations

import random
from calendar import monthrange
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import evidence as frozen
from rules.checks import traffic_violations as check
from rules.checks.base import Outcome
from rules.wording.traffic_violations import REASONS
from runtime.units import CHINA, from_us, to_us
from tests.calls import counted
from tests.words import said

PARAMETERS = {
    "min_violations": 2, "natural_month": 0, "by_driver": 0, "count_parking": 0, "same_act_min": 5, "drive_speed_kmh": 120,
}  # fmt: skip


def at(text: str) -> int:
    return to_us(datetime.fromisoformat(text).replace(tzinfo=CHINA))


def record(id: str, us: int, **more: Any) -> Any:
    return {
        "id": id, "plate": "苏F12345", "at_us": us, "place": "人民路", "act": "超速", "fine_fen": 20_000, "points": 3,
        "status": "open", "driver": None, "belongs": "counts", "order": None,
    } | more  # fmt: skip


def make(month: str, rows: list[dict[str, Any]], *, unit: str = "vehicle", **parameters: int) -> Any:
    return {
        "rule": check.RULE, "rule_version": 2, "subject": check.subject(unit, "X1", month), "unit": unit, "month": month,
        "vehicle": {"id": "X1", "plate": "苏F12345"} if unit == "vehicle" else None,
        "driver": {"id": "X1", "name": "张三", "organisation": "O1"} if unit == "driver" else None,
        "parameters": PARAMETERS | {"by_driver": int(unit == "driver")} | parameters, "violations": rows,
    }  # fmt: skip


def reason(month: str, *times: str, **parameters: Any) -> str:
    return check.evaluate(
        make(month, [record(f"W{k}", at(t)) for k, t in enumerate(times)], **parameters)
    ).reason


def test_the_last_day_of_a_month_and_the_first_of_the_next_count_together() -> None:
    made = check.evaluate(
        make("2026-02", [record("W1", at("2026-01-31 23:50")), record("W2", at("2026-02-01 00:10"))])
    )
    assert (made.outcome, made.reason) == (Outcome.SUSPECTED, "repeated")
    assert made.measures["violations"] == {"value": 2, "unit": "1"}
    assert (made.from_us, made.to_us) == (at("2026-01-31 23:50"), at("2026-02-01 00:10"))
    assert said(made) == (
        "疑似违章异常：苏F12345 一个月内发生违章 2 次（2026-01-31 23:50 人民路超速；2026-02-01 00:10 人民路超速）。"
    )
    assert reason("2026-02", "2026-01-31 23:50", "2026-02-01 00:10", natural_month=1) == "few"
    assert reason("2026-01", "2026-01-31 23:50", "2026-02-01 00:10") == "few"  # it is February's
    assert reason("2026-02", "2026-02-01 00:00", "2026-02-28 23:59", natural_month=1) == "repeated"
    assert reason("2026-03", "2026-02-01 00:00") == "none"


def test_exactly_a_month_is_within() -> None:
    for first, last in (
        ("2026-01-15 10:00:00", "2026-02-15 10:00:00"),
        ("2026-02-28 10:00:00", "2026-03-31 10:00:00"),  # there is no 31 February
        ("2026-02-28 10:00:00", "2026-03-29 10:00:00"),
        ("2028-02-29 10:00:00", "2028-03-31 10:00:00"),
        ("2026-04-30 10:00:00", "2026-05-31 10:00:00"),
        ("2025-12-31 10:00:00", "2026-01-31 10:00:00"),
    ):
        month = last[:7]
        assert reason(month, first, last) == "repeated"
        assert reason(month, first, last + ".000001") == "few"
        assert reason(month, first + ".000001", last) == "repeated"


def test_the_limit_is_included_and_three_may_be_asked_for() -> None:
    times = ("2026-03-02 10:00", "2026-03-20 10:00", "2026-04-02 10:00")
    assert reason("2026-04", *times, min_violations=3) == "repeated"
    assert reason("2026-04", *times, min_violations=4) == "few"
    assert reason("2026-04", "2026-03-02 09:59", *times[1:], min_violations=3) == "few"
    made = check.evaluate(
        make("2026-04", [record(f"W{k}", at(t)) for k, t in enumerate(times)], min_violations=3)
    )
    assert made.measures["listed"]["value"] == 3


def test_what_does_not_count() -> None:
    first, second = at("2026-03-02 10:00"), at("2026-03-05 10:00")
    for other in (
        record("W2", second, status="revoked"), record("W2", second, status="appealed"),
        record("W2", second, belongs="other_vehicle"), record("W1", second), record("W1", first),
    ):  # fmt: skip
        made = check.evaluate(make("2026-03", [record("W1", first), other]))
        assert (made.reason, made.measures["not_counted"]["value"]) == ("few", 1)
    assert (
        check.evaluate(make("2026-03", [record("W1", first), record("W2", second, status="handled")])).reason
        == "repeated"
    )
    twice = [record("W1", first), record("W2", first, act="闯红灯")]  # two acts at one moment are two
    assert check.evaluate(make("2026-03", twice)).reason == "repeated"
    both = [record("W1", first), record("W2", second), record("W2", second, status="revoked")]
    assert check.evaluate(make("2026-03", both)).reason == "few"  # one record says it was revoked


def test_one_unit_counts() -> None:
    rows = [record("W1", at("2026-03-02 10:00")), record("W2", at("2026-03-05 10:00"))]
    assert check.evaluate(make("2026-03", rows, by_driver=1)).reason == "other_unit"
    assert check.evaluate(make("2026-03", rows, unit="driver", by_driver=0)).reason == "other_unit"
    made = check.evaluate(make("2026-03", rows, unit="driver"))
    assert made.outcome is Outcome.SUSPECTED
    assert "驾驶员 张三 一个月内" in said(made)
    with pytest.raises(frozen.EvidenceError):
        check.evaluate(make("2026-03", rows) | {"rule": "mileage"})


@pytest.mark.parametrize(
    ("act", "code", "parking"),
    [
        ("违停", "", True), ("违反规定停放、临时停车且驾驶人不在现场", "", True), ("机动车违反规定停放", "10391", True),
        ("", "1039", True), ("", "10395", True), ("", "7003", True), ("", "70031", True), ("1039 违反规定停放", "", True),
        ("机动车违反禁止停车标志", "", True), ("在禁停路段临时停车", "", True), ("未在停车泊位内停车", "", True),
        ("在人行道上停车", "", True), ("未按规定停靠", "", True), ("", "1039A", True),
        ("遇前方机动车停车排队等候时从两侧穿插", "1304", False), ("违反停车让行标志", "", False), ("不停车接受检查", "", False),
        ("超速", "", False), ("驾驶机动车违反道路交通信号灯通行", "1625", False), ("遇停止信号时停在停止线以内", "", False),
        ("遇行人正在通过人行横道时未停车让行", "1357", False), ("在高速公路应急车道内停车", "", False),
        ("在高速公路上临时停车", "", False), ("", "10390", True), ("", "1139", False), ("", "21039", False), ("", "", False),
        ("乱停乱放", "", True), ("占用消防通道", "", True), ("占用、堵塞消防车通道", "", True), ("占用残疾人专用车位", "", True),
        ("(1039)违反规定停放", "", True), ("违法代码：1039A 乱停乱放", "", True), ("占用应急车道", "", False), ("占用公交车道", "", False),
    ],
)  # fmt: skip
def test_parking_is_not_driving(act: str, code: str, parking: bool) -> None:
    assert check.is_parking(record("W", 0, act=act, code=code)) is parking
    rows = [record("W1", at("2026-03-02 10:00")), record("W2", at("2026-03-05 10:00"), act=act, code=code)]
    made = check.evaluate(make("2026-03", rows))
    assert made.reason == ("few" if parking else "repeated")
    assert made.measures.get("parking", {"value": 0})["value"] == int(parking)
    assert ("停车类 1 条" in said(made)) is parking
    assert check.evaluate(make("2026-03", rows, count_parking=1)).reason == "repeated"


def test_only_parking_is_none_that_counts() -> None:
    rows = [record(f"W{k}", at(f"2026-03-0{k} 10:00"), act="违停") for k in (2, 3, 4)]
    made = check.evaluate(make("2026-03", rows))
    assert (made.outcome, made.reason) == (Outcome.NORMAL, "none")
    assert [why for _, why in check.considered(rows, PARAMETERS)] == ["parking"] * 3


def pair(seconds: int, **second: Any) -> str:
    first = at("2026-03-02 10:00")
    rows = [record("W1", first), record("W2", first + seconds * 1_000_000, **second)]
    return check.evaluate(make("2026-03", rows)).reason


def test_one_act_seen_by_two_cameras_counts_once_and_both_are_shown() -> None:
    assert [pair(s) for s in (0, 299, 300, 301)] == ["few", "few", "few", "repeated"]
    assert pair(60, act="闯红灯") == "repeated"
    assert pair(60, plate="苏F00002") == "repeated"
    assert pair(60, act=" 超 速") == "few"  # one act, written differently
    assert pair(300, place="另一路口") == "few"
    rows = [record("W1", at("2026-03-02 10:00")), record("W2", at("2026-03-02 10:03"))]
    assert [why for _, why in check.considered(rows, PARAMETERS)] == ["counts", "same_act"]
    made = check.evaluate(make("2026-03", [*rows, record("W3", at("2026-03-20 10:00"))]))
    assert made.reason == "repeated"
    assert made.measures["violations"]["value"] == 2
    assert "同一行为的另一记录 1 条" in said(made)
    # The one that counts is revoked: the other one is an act of its own again.
    rows[0]["status"] = "revoked"
    assert [why for _, why in check.considered(rows, PARAMETERS)] == ["revoked", "counts"]


def test_codes_say_more_than_words() -> None:
    def coded(one: str, two: str, act: str = "超速") -> str:
        first = at("2026-03-02 10:00")
        rows = [record("W1", first, code=one), record("W2", first + 60_000_000, code=two, act=act)]
        return check.evaluate(make("2026-03", rows)).reason

    assert coded("1352", "1352", act="超过规定时速") == "few"
    assert coded("1352", "1636") == "repeated"
    assert coded("1352", "") == "few"


@pytest.mark.parametrize(
    "act",
    [
        "1352 机动车超速",
        "1352机动车超速。",
        "（1352）机动车超速",
        "【1352】机动车超速",
        "违法代码：1352，机动车超速",
    ],
)
def test_one_camera_writes_the_code_and_the_other_does_not(act: str) -> None:
    first = at("2026-03-02 10:00")

    def both(*acts: str) -> str:
        rows = [record(f"W{k}", first + k * 180_000_000, act=one) for k, one in enumerate(acts)]
        return check.evaluate(make("2026-03", rows)).reason

    assert both(act, "机动车超速") == both("机动车超速", act) == "few"
    assert both(act, "机动车闯红灯") == "repeated"
    assert both(act, "1636 机动车超速") == "repeated"  # two codes are two acts
    assert both("1352", "1625") == "repeated"


def test_a_distance_that_cannot_be_driven_meanwhile_makes_two_acts() -> None:
    # 120 km/h, and a minute for times that are given to the minute: in 4 min 10 km.
    here = {"lat_e6": 32_000_000, "lon_e6": 120_900_000}
    first = at("2026-03-02 10:00")

    def reason_at(north_e6: int, seconds: int = 240) -> str:
        there = {"lat_e6": 32_000_000 + north_e6, "lon_e6": 120_900_000}
        rows = [record("W1", first, **here), record("W2", first + seconds * 1_000_000, **there)]
        return check.evaluate(make("2026-03", rows)).reason

    assert reason_at(90_100) == "few"  # 9.99 km
    assert reason_at(90_300) == "repeated"  # 10.01 km
    assert reason_at(0, seconds=0) == "few"
    assert reason_at(20_000, seconds=0) == "repeated"  # 2.2 km at one moment: a forged plate, or another car


START, END = check.month_span("2026-03", 1)
records = st.lists(
    st.builds(
        record, st.sampled_from([f"W{k}" for k in range(12)]),
        st.one_of(st.integers(START, END - 1), st.sampled_from([at("2026-02-15 10:00"), at("2026-03-15 10:00"), START, END - 1])),
        status=st.sampled_from(["open", "open", "handled", "revoked", "appealed"]),
        belongs=st.sampled_from(["counts", "counts", "other_vehicle"]),
    ),
    max_size=8,
)  # fmt: skip


def naive(rows: list[dict[str, Any]], least: int, natural: int) -> bool:
    """Second implementation: every violation of March against every other, days counted by the calendar."""
    void = {r["id"] for r in rows if r["status"] in ("revoked", "appealed")}
    times: dict[str, int] = {}
    for row in rows:
        if row["belongs"] == "counts" and row["id"] not in void:
            times[row["id"]] = min(times.get(row["id"], row["at_us"]), row["at_us"])
    acts: dict[str, int] = {}
    for id, us in sorted(times.items(), key=lambda item: (item[1], item[0])):
        if all(us - counted > 5 * 60_000_000 for counted in acts.values()):
            acts[id] = us
    times = acts

    def back(us: int) -> datetime:
        t = from_us(us).astimezone(CHINA)
        year, month = (t.year, t.month - 1) if t.month > 1 else (t.year - 1, 12)
        return t.replace(year=year, month=month, day=min(t.day, monthrange(year, month)[1]))

    march = datetime(2026, 3, 1, tzinfo=CHINA)
    for closing in times.values():
        end = from_us(closing)
        if end < march:
            continue
        begin = march if natural else back(closing)
        if sum(begin <= from_us(t) <= end for t in times.values()) >= least:
            return True
    return False


@given(records, st.integers(1, 4), st.integers(0, 1), st.randoms(use_true_random=False))
def test_against_a_naive_reading_in_any_order(
    rows: list[dict[str, Any]], least: int, natural: int, random: Any
) -> None:
    evidence = make("2026-03", rows, min_violations=least, natural_month=natural)
    made = check.evaluate(evidence)
    assert (made.outcome is Outcome.SUSPECTED) == naive(rows, least, natural)
    assert made.reason in REASONS
    body = frozen.canonical(evidence)
    assert check.evaluate(frozen.parse(body)) == made
    random.shuffle(rows)
    assert check.evaluate(make("2026-03", rows, min_violations=least, natural_month=natural)) == made


@given(records, st.integers(START, END - 1), st.integers(1, 4), st.integers(0, 1))
def test_more_violations_never_withdraw(
    rows: list[dict[str, Any]], us: int, least: int, natural: int
) -> None:
    parameters: dict[str, Any] = {"min_violations": least, "natural_month": natural}
    if check.evaluate(make("2026-03", rows, **parameters)).outcome is Outcome.SUSPECTED:
        more = [*rows, record("NEW", us)]
        assert check.evaluate(make("2026-03", more, **parameters)).outcome is Outcome.SUSPECTED


@given(records, st.integers(0, 7), st.integers(1, 4))
def test_a_record_twice_is_one(rows: list[dict[str, Any]], which: int, least: int) -> None:
    if rows:
        again = [*rows, dict(rows[which % len(rows)])]
        made, twice = (check.evaluate(make("2026-03", r, min_violations=least)) for r in (rows, again))
        assert (made.outcome, made.reason, said(made)) == (twice.outcome, twice.reason, said(twice))


@given(st.integers(at("1999-12-31 00:00"), at("2100-01-01 00:00")))
def test_a_month_before_is_in_the_month_before(us: int) -> None:
    then, now = (from_us(t).astimezone(CHINA) for t in (check.month_before(us), us))
    assert timedelta(days=28) <= now - then <= timedelta(days=31)
    assert check.next_month(check.month_of(check.month_before(us))) == check.month_of(us)
    assert (then.timetz(), then.day) == (now.timetz(), min(now.day, monthrange(then.year, then.month)[1]))


def test_acts_are_compared_as_if_each_with_each() -> None:
    rng = random.Random(5)
    acts = ["超速", "1352 超速", "闯红灯", "1625 闯红灯", "1625"]
    for _ in range(300):
        rows = [
            record(
                f"W{k}", at("2026-02-10 08:00") + rng.randrange(0, 900) * 1_000_000, act=rng.choice(acts),
                plate=rng.choice(["苏F12345", "苏F54321"]), code=rng.choice(["", "", "1352", "1625"]),
                lat_e6=rng.choice([None, 31_900_000, 31_950_000, 32_400_000]), lon_e6=120_900_000,
            )
            for k in range(rng.randrange(12))
        ]  # fmt: skip
        counting: list[Any] = []
        for row, why in check.considered(rows, PARAMETERS):
            same = any(check._same_act(one, row, PARAMETERS) for one in counting)
            assert why == ("same_act" if same else "counts")
            if not same:
                counting.append(row)


def test_thousands_of_violations_of_one_plate_cost_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of them must not hold the judge: pairs that are compared, not seconds."""
    compared = counted(monkeypatch, check, "_same_act")
    first = at("2026-02-10 08:00")
    rows = [record(f"W{k}", first + k * 1_000_000, act=f"违法 {k % 3_000}") for k in range(6_000)]
    check.considered(rows, PARAMETERS)
    assert compared.count < 12_000
