"""The assessment sheet against an independent calculation: random closings, reopenings, rectifications, withdrawals, objections and closed
periods. What a unit is charged must be found by anybody who has the cases and the table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from office.assessment.periods import Period, parse
from office.assessment.sheet import Frozen, Key, Sheet, Version, corrections_of, in_force, lines_of
from office.assessment.sheets import ranked, rolled_up
from office.assessment.table import DEFAULT, FULL, GiveBack, ScoreTable, hundredths, shown, signed
from rules.catalogue import RULES

Q1, Q2 = Period(2026, 1), Period(2026, 2)


@dataclass(frozen=True)
class Closed:
    """A closing, as supervision gives it."""

    number: str
    day: date
    finding: str = "violation"
    rules: tuple[tuple[str, str], ...] = (("off_hours", "medium"),)
    version: int = 9
    source: str = "alert"
    organisation: str = "jsj"
    replies: int = 1
    late_replies: int = 0
    signings: int = 1
    late_signings: int = 0
    returned: int = 0
    measures_due: date | None = None
    rectified: date | None = None
    late_wd: int = 0
    undecided: bool = False


def table(**changed: Any) -> ScoreTable:
    """Three items; a violation costs 30, high 45; of item a at most 50."""
    made: dict[str, Any] = {
        "items": [
            {"code": "a", "name": "甲", "maximum": "50"},
            {"code": "b", "name": "乙", "maximum": "20"},
            {"code": "c", "name": "丙", "maximum": "30"},
        ],
        "entries": [
            {"item": "a", "fact": "finding", "findings": ["violation"], "rules": ["off_hours"], "severities": ["high"], "points": "45"},
            {"item": "a", "fact": "finding", "findings": ["violation"], "rules": ["off_hours"], "points": "30"},
            {"item": "b", "fact": "finding", "findings": ["violation", "irregular"], "points": "7.5"},
            {"item": "b", "fact": "late_reply", "points": "2.5"},
        ],
    }  # fmt: skip
    return ScoreTable.model_validate(made | changed)


def version(content: ScoreTable | None = None, *, number: int = 1, since: date = date(2026, 1, 1)) -> Version:
    return Version("city", since.year, number, since, content or table())


def day(text: str) -> date:
    return date.fromisoformat(f"2026-{text}")


def net_sum(lines: Any) -> int:
    return sum(line.net for line in lines)


def test_points_are_whole_hundredths() -> None:
    assert [hundredths(text) for text in ("2.5", "10", "0.1", "12.34")] == [250, 1000, 10, 1234]
    assert [shown(points) for points in (250, -50, 0, 10_000)] == ["2.50", "-0.50", "0.00", "100.00"]
    assert [signed(shown(points)) for points in (250, -50, 0)] == [250, -50, 0]


def test_periods() -> None:
    assert (Q1.first, Q1.last, str(Q1), parse("2026Q1")) == (day("01-01"), day("03-31"), "2026Q1", Q1)
    assert Period(2026, 4).following == Period(2027, 1)
    assert (Period(2026).first, Period(2026).last, Period(2026).following) == (
        day("01-01"),
        day("12-31"),
        Period(2027),
    )
    assert not Q1.same_series(Period(2026))


def test_the_shipped_table_is_that_of_the_office() -> None:
    """Items and maxima written down again by hand from the office's list."""
    said = ["超编", "10", "用途", "10", "借用", "10", "赠送", "5", "补贴", "10", "派车", "15", "台账", "10"]
    said += ["标识", "5", "平台", "10", "督办", "10", "公示", "5"]
    assert [item.maximum for item in DEFAULT.items] == said[1::2]
    assert all(word in item.name for word, item in zip(said[::2], DEFAULT.items, strict=True))
    assert (DEFAULT.give_back.on_time_percent, DEFAULT.give_back.late_percent, DEFAULT.give_back.late_wd) == (
        100,
        50,
        10,
    )
    # Whatever the rule, a violation costs something, and never more than its item.
    for rule in RULES:
        for severity in ("low", "medium", "high"):
            (line,) = lines_of(
                [Closed("x", day("02-02"), rules=((rule.code, severity),))], [version(DEFAULT)], ()
            )
            assert 0 < line.full <= DEFAULT.maxima[line.key.item]


@pytest.mark.parametrize(
    "changed",
    [
        {"items": [{"code": "a", "name": "甲", "maximum": "99.9"}]},  # not 100
        {"entries": [{"item": "z", "fact": "late_reply", "points": "1"}]},  # no such item
        {"entries": [{"item": "a", "fact": "finding", "points": "1"}]},  # which finding?
        {"entries": [{"item": "a", "fact": "finding", "findings": ["justified"], "points": "1"}]},  # a justified use costs nothing
        {"entries": [{"item": "a", "fact": "late_reply", "rules": ["off_hours"], "points": "1"}]},
        {"entries": [{"item": "a", "fact": "late_reply", "points": 1.5}]},  # a binary fraction
        {"entries": [{"item": "a", "fact": "late_reply", "points": "0"}]},
        {"entries": [{"item": "a", "fact": "late_reply", "points": "1.25"}]},
        {"entries": [{"item": "a", "fact": "late_reply", "points": "-1"}]},
        {"entries": [{"item": "b", "fact": "finding", "findings": ["violation"], "rules": ["nonsense"], "points": "1"}]},
        {"give_back": {"on_time_percent": 101}},
        {"bonus": []},
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        table(**changed)


def test_a_line_says_how_it_came_about() -> None:
    closed = Closed(
        "k1", day("02-02"), rules=(("location", "low"), ("off_hours", "medium"), ("off_hours", "high")),
        measures_due=day("03-01"), rectified=day("03-03"), late_wd=2, late_replies=2,
    )  # fmt: skip
    first, second, third = lines_of([closed], [version()], ())
    # Of one item the dearest of the alerts, once; another item apart.
    assert (first.key, first.rule, first.severity, first.full) == (
        Key("k1", 9, "a", "finding"),
        "off_hours",
        "high",
        4500,
    )
    assert (second.key.item, second.rule, second.full) == ("b", "location", 750)
    assert (third.key.fact, third.count, third.full, third.given_back) == ("late_reply", 2, 500, 0)
    said = first.show()
    assert (said["number"], said["deducted"], said["given_back"], said["net"]) == (
        "k1",
        "45.00",
        "22.50",
        "22.50",
    )
    assert "逾期 2 个工作日" in said["given_back_why"]
    assert "50%" in said["given_back_why"]


def test_the_cap_of_an_item_holds_and_is_said() -> None:
    lines = lines_of([Closed(f"k{n}", day("02-02")) for n in range(3)], [version()], ())
    assert [(line.full, line.deducted, line.show()["capped"]) for line in lines] == [
        (3000, 3000, False),
        (3000, 2000, True),
        (3000, 0, True),
    ]


@pytest.mark.parametrize(
    ("rectified", "late_wd", "percent"),
    [("03-01", 0, 100), ("03-02", 1, 50), ("03-15", 10, 50), ("03-16", 11, 0)],
)
def test_what_comes_back_depends_on_the_day(rectified: str, late_wd: int, percent: int) -> None:
    (line,) = lines_of(
        [Closed("k", day("02-02"), measures_due=day("03-01"), rectified=day(rectified), late_wd=late_wd)],
        [version()],
        (),
    )
    assert (line.percent, line.given_back) == (percent, 30 * percent)


@pytest.mark.parametrize("finding", ["justified", "unverifiable", "data"])
def test_who_is_right_pays_nothing_for_the_finding(finding: str) -> None:
    lines = lines_of([Closed("k", day("02-02"), finding=finding, late_replies=1)], [version()], ())
    # An answer that came late is late whatever the finding; of wrong data nothing is held against anybody.
    assert [line.key.fact for line in lines] == ([] if finding == "data" else ["late_reply"])


def test_a_new_version_holds_from_its_day() -> None:
    dear = table(entries=[{"item": "b", "fact": "finding", "findings": ["violation"], "points": "9"}])
    versions = [version(), version(dear, number=2, since=day("02-10"))]
    lines = lines_of([Closed("k1", day("02-09")), Closed("k2", day("02-10"))], versions, ())
    assert [(line.full, line.version) for line in lines] == [(3000, 1), (900, 2)]
    with pytest.raises(LookupError):
        in_force(versions, date(2027, 1, 1))


def test_items_without_data_are_not_zero() -> None:
    sheet = Sheet("jsj", Q1, (version(),), ())
    assert [(item["code"], item["state"], item["deducted"]) for item in sheet.items()] == [
        ("a", "judged", "0.00"), ("b", "judged", "0.00"), ("c", "not judged: no data", None),
    ]  # fmt: skip


def test_ranking_and_mean() -> None:
    rows = [
        {"organisation": unit, "points": points, "closed": False}
        for unit, points in (("a", 9000), ("b", 9500), ("c", 9000), ("d", 8001))
    ]
    assert [(row["rank"], row["organisation"]) for row in ranked(rows)] == [
        (1, "b"),
        (2, "a"),
        (2, "c"),
        (4, "d"),
    ]
    assert (rolled_up(rows)["mean"], rolled_up([])["mean"]) == ("88.75", None)
    assert rolled_up(rows[:2] + rows[3:])["mean"] == "88.34"  # 26501 / 3 = 8833.67


# -- Random histories -------------------------------------------------------------------------------------------------

cases = st.fixed_dictionaries(
    {
        "month": st.integers(1, 6),
        "day": st.integers(1, 28),
        "finding": st.sampled_from(("violation", "irregular", "justified", "data")),
        "rules": st.lists(
            st.tuples(st.sampled_from(("off_hours", "location")), st.sampled_from(("low", "high"))),
            max_size=3,
        ),
        "late": st.integers(0, 2),
    }
)
#: What happens to a case later: (case, what, number).
happenings = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(("reopen", "close", "withdraw", "rectify", "object")), st.integers(0, 12)), max_size=12
)  # fmt: skip


class World:
    """Cases as they stand, and what was closed."""

    def __init__(self, made: list[dict[str, Any]]) -> None:
        self.closed: dict[str, Closed] = {}
        self.gone: set[str] = set()
        self.upheld: set[Key] = set()
        for number, one in enumerate(made):
            self.closed[f"k{number}"] = Closed(
                f"k{number}", date(2026, one["month"], one["day"]), one["finding"], tuple(one["rules"]), late_replies=one["late"]
            )  # fmt: skip

    def happen(self, number: int, what: str, how: int) -> None:
        id = f"k{number}"
        case = self.closed.get(id)
        if case is None or id in self.gone:
            return
        if what in ("withdraw", "reopen"):
            self.gone.add(id)  # open again, or cancelled: it has no close that stands
        elif what == "close":  # reopened, and closed anew in the second quarter with another finding
            finding = ("violation", "irregular", "justified")[how % 3]
            self.closed[id] = replace(
                case,
                day=day(f"06-{how + 10}"),
                version=case.version + 5,
                finding=finding,
                measures_due=None,
                rectified=None,
            )
        elif what == "rectify" and case.finding in ("violation", "irregular"):
            late = max(0, how - 4)
            self.closed[id] = replace(
                case, measures_due=day("06-10"), rectified=day(f"06-{6 + how:02d}"), late_wd=late
            )
        elif what == "object":
            self.upheld.add(Key(id, case.version, "b", "finding"))

    def standing(self, period: Period) -> list[Closed]:
        return [case for id, case in self.closed.items() if id not in self.gone and case.day in period]


def simple(closed: list[Closed], upheld: set[Key]) -> tuple[dict[str, Decimal], Decimal]:
    """(deducted by item before anything comes back, what the sheet costs): once more, with decimals, by hand from the office's words:
    100 - sum of min(cap, sum of points) + give-back."""
    caps = {"a": Decimal(50), "b": Decimal(20), "c": Decimal(30)}
    spent: dict[str, Decimal] = dict.fromkeys(caps, Decimal(0))
    cost = Decimal(0)
    for case in sorted(closed, key=lambda c: (c.day, c.number)):
        charges: list[tuple[str, Decimal, bool]] = []
        if case.finding in ("violation", "irregular"):
            off = [s for r, s in case.rules if r == "off_hours"] if case.finding == "violation" else []
            if off:
                charges.append(("a", Decimal(45 if "high" in off else 30), True))
            others = (
                not case.rules or case.finding == "irregular" or any(r != "off_hours" for r, _ in case.rules)
            )
            if others and Key(case.number, case.version, "b", "finding") not in upheld:
                charges.append(("b", Decimal("7.5"), True))
        if case.finding != "data" and case.late_replies:
            charges.append(("b", Decimal("2.5") * case.late_replies, False))
        for item, points, mendable in charges:
            taken = min(points, caps[item] - spent[item])
            spent[item] += taken
            cost += taken
            if mendable and case.rectified and case.measures_due:
                share = (
                    1 if case.rectified <= case.measures_due else Decimal("0.5") if case.late_wd <= 10 else 0
                )
                cost -= (taken * share).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return spent, cost


@given(st.lists(cases, max_size=10), st.lists(happenings, min_size=3, max_size=3))
def test_the_sheet_is_the_simple_calculation(
    made: list[dict[str, Any]], later: list[list[tuple[int, str, int]]]
) -> None:
    world, versions = World(made), (version(),)
    for turn in later[:1]:
        for happening in turn:
            world.happen(*happening)
    # The first quarter is closed.
    first = Sheet("jsj", Q1, versions, tuple(lines_of(world.standing(Q1), versions, world.upheld)))
    spent, cost = simple(world.standing(Q1), world.upheld)
    body = first.body()
    assert Decimal(body["score"]) == 100 - cost
    assert {i["code"]: Decimal(i["deducted"] or 0) for i in body["items"]} == spent
    assert sum(Decimal(line["net"]) for line in body["lines"]) == 100 - Decimal(body["score"])
    assert FULL - net_sum(first.lines) == first.score >= 0
    # The same data in another order give the same sheet, byte for byte.
    again = lines_of(reversed(world.standing(Q1)), versions, set(world.upheld))
    assert Sheet("jsj", Q1, versions, tuple(again)).body() == body
    frozen, kept = [Frozen(Q1, body)], repr(body)

    for turn in later[1:]:
        for happening in turn:
            world.happen(*happening)
        corrections = corrections_of(frozen, {Q1: lines_of(world.standing(Q1), versions, world.upheld)})
        second = Sheet(
            "jsj",
            Q2,
            versions,
            tuple(lines_of(world.standing(Q2), versions, world.upheld)),
            tuple(corrections),
        )
        # Both quarters together cost what they would cost had nothing been closed; the closed one never changes.
        _, cost_1 = simple(world.standing(Q1), world.upheld)
        _, cost_2 = simple(world.standing(Q2), world.upheld)
        assert Decimal(FULL - first.score + FULL - second.score) / 100 == cost_1 + cost_2
        assert repr(body) == kept
        shown_2 = second.body()
        assert Decimal(shown_2["score"]) == 100 - sum(
            Decimal(line["net"]) for line in shown_2["lines"]
        ) + sum(Decimal(each["amount"]) for each in shown_2["corrections"])
    # What was booked in the second quarter is not booked again in the third.
    frozen.append(Frozen(Q2, shown_2))
    now = {period: lines_of(world.standing(period), versions, world.upheld) for period in (Q1, Q2)}
    assert corrections_of(frozen, now) == []


def test_a_correction_says_why() -> None:
    versions = [version()]
    closed = [Closed("k1", day("02-02")), Closed("k2", day("02-03")), Closed("k3", day("02-04"), rules=())]
    sheet = Sheet("jsj", Q1, tuple(versions), tuple(lines_of(closed, versions, ())))
    frozen = [Frozen(Q1, sheet.body())]
    mended = replace(closed[2], measures_due=day("04-01"), rectified=day("04-01"))
    found = corrections_of(frozen, {Q1: lines_of([closed[1], mended], versions, ())})
    said = [(each.key.number, each.amount, each.why.split("，")[0].split(" / ")[0]) for each in found]
    # k1 was reopened; the cap that it had used up is free for k2, which now costs 30 and not 20.
    assert said == [
        ("k1", 3000, "督办单重新办理或撤销"),
        ("k2", -1000, "同项其他扣分变动"),
        ("k3", 750, "整改返还"),
    ]
    assert corrections_of(frozen, {}) == []


def test_give_back_is_whole_percent_of_whole_hundredths() -> None:
    odd = table(
        give_back=GiveBack(on_time_percent=33).model_dump(),
        entries=[{"item": "b", "fact": "finding", "findings": ["violation"], "points": "0.5"}],
    )
    (line,) = lines_of(
        [Closed("k", day("02-02"), measures_due=day("03-01"), rectified=day("03-01"))], [version(odd)], ()
    )
    assert line.given_back == 17  # 16.5 hundredths, rounded half up
