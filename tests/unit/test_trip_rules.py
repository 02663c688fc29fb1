"""Approval tables, what people write in a request, and what a track shows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from office.dispatch.contents import DispatchDepart, DispatchReassign
from office.dispatch.shown import Fixes, look
from office.requests.contents import Category, Purpose, RequestContents
from office.requests.rules import (
    ApprovalTable,
    Asked,
    add_working_days,
    chain_of,
    day_type,
    first_match,
    level_without_anybody,
)
from registry.refusals import explain
from registry.working_days import Calendar

OFFICE = {"code": "office", "name": "办公室", "users": ["li"]}
LEADER = {"code": "leader", "name": "分管领导", "users": ["wang"]}
ALL = {"name": "其他", "chain": ["office"]}


def table(*rows: dict[str, Any]) -> ApprovalTable:
    return ApprovalTable.model_validate({"positions": [OFFICE, LEADER], "rows": list(rows)})


def asks(**more: Any) -> Asked:
    known: dict[str, Any] = {
        "category": "other", "purpose": "meeting", "scope": "city", "day_type": "workday", "duration": timedelta(hours=3), "applicant": "zhang",
    }  # fmt: skip
    return Asked(**(known | more))


def test_the_first_row_that_fits_counts() -> None:
    rules = table(
        {"name": "机要", "categories": ["confidential"], "chain": ["office"]},
        {"name": "节假日", "day_types": ["rest"], "chain": ["leader"]},
        {"name": "三日以上", "min_hours": 72, "chain": ["office", "leader"]},
        {"name": "主要负责人", "applicants": ["boss"], "chain": ["leader"]},
        ALL,
    )
    assert rules.missing() is None
    for more, name in (
        ({}, "其他"),
        ({"category": "confidential", "day_type": "rest"}, "机要"),
        ({"day_type": "rest"}, "节假日"),
        ({"day_type": "unknown"}, "其他"),
        ({"duration": timedelta(hours=71, minutes=59)}, "其他"),
        ({"duration": timedelta(hours=72)}, "三日以上"),
        ({"applicant": "boss"}, "主要负责人"),
        ({"applicant": None}, "其他"),
    ):
        assert first_match(rules, asks(**more))[1].name == name, more
    assert [level["position"] for level in chain_of(rules, rules.rows[2])] == ["office", "leader"]


_ROWS = st.lists(
    st.fixed_dictionaries(
        {"name": st.just("x"), "chain": st.sampled_from((["office"], ["leader"], ["office", "leader"]))},
        optional={
            "categories": st.lists(st.sampled_from([*Category]), max_size=2),
            "purposes": st.lists(st.sampled_from([*Purpose]), max_size=2),
            "scopes": st.lists(st.sampled_from(["near", "city", "province", "outside"]), max_size=2),
            "day_types": st.lists(st.sampled_from(["workday", "rest", "unknown"]), max_size=2),
            "min_hours": st.integers(1, 100),
        },
    ),
    min_size=1,
    max_size=6,
)


@given(_ROWS, st.sampled_from([*Category]), st.sampled_from([*Purpose]), st.sampled_from(["near", "outside"]), st.integers(0, 200))  # fmt: skip
def test_a_valid_table_leaves_no_request_without_somebody(
    rows: list[dict[str, Any]], category: Category, purpose: Purpose, scope: str, hours: int
) -> None:
    rules = table(*rows)
    wanted = asks(category=category, purpose=purpose, scope=scope, duration=timedelta(hours=hours))
    if rules.missing() is None:
        assert 1 <= len(chain_of(rules, first_match(rules, wanted)[1])) <= 3
    else:
        assert not rules.rows[-1].catch_all or any(row.catch_all for row in rules.rows[:-1])


def test_tables_that_are_none() -> None:
    missing = table({"name": "x", "scopes": ["near"], "chain": ["office"]}).missing()
    assert missing is not None
    assert "兜底" in missing
    hidden = table(ALL, {"name": "y", "scopes": ["near"], "chain": ["leader"]}, ALL).missing()
    assert hidden is not None
    assert "第 1 行" in hidden
    for wrong in (
        {"positions": [OFFICE], "rows": [{"name": "x", "chain": ["nobody"]}]},
        {"positions": [OFFICE], "rows": [{"name": "x", "chain": []}]},
        {"positions": [OFFICE, OFFICE], "rows": [ALL]},
        {"positions": [OFFICE], "rows": [{"name": "x", "chain": ["office", "office"]}]},
        {"positions": [OFFICE], "rows": [{"name": "x", "chain": ["office"], "substitute": "leader"}]},
    ):
        with pytest.raises(ValidationError):
            ApprovalTable.model_validate(wrong)


def test_a_chain_that_only_the_applicant_could_decide_on_is_found() -> None:
    rules = table(ALL)
    chain = chain_of(rules, rules.rows[0])
    assert level_without_anybody(chain, frozenset({"user:li"})) == "办公室"
    assert level_without_anybody(chain, frozenset({"user:zhang"})) is None
    # Who has a substitute is not alone, and whoever has the right may be anybody.
    other = table({"name": "x", "chain": ["office"], "substitute": "leader"})
    assert level_without_anybody(chain_of(other, other.rows[0]), frozenset({"user:li"})) is None


def test_days_of_a_request_are_those_of_the_calendar() -> None:
    calendar = Calendar({date(2026, 3, 4): (False, "x")})
    assert day_type(calendar, datetime(2026, 3, 2, 1, tzinfo=UTC)) == "workday"
    assert day_type(calendar, datetime(2026, 3, 3, 16, tzinfo=UTC)) == "rest"  # 00:00 of the 4th in China
    assert add_working_days(calendar, date(2026, 3, 3), 1) == date(2026, 3, 5)
    assert add_working_days(calendar, date(2099, 12, 31), 2) == date(2100, 1, 4)  # nobody has published it


PLACE = {"name": "市民中心", "lat": 31.98, "lon": 120.89, "datum": "wgs84"}
GOOD: dict[str, Any] = {
    "organisation": "jsj", "purpose": "meeting", "reason": "参加全市工作会议", "passengers": 2, "origin": PLACE, "stops": [PLACE],
    "planned_departure": "2026-03-02T09:00:00+08:00", "planned_return": "2026-03-02T12:00:00+08:00",
}  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"passengers": 0}, "至少为 1"),
        ({"stops": [{"name": "市区"}]}, "“市区”不是具体地点"),
        ({"stops": [{"name": "某地"}]}, "没有坐标"),
        ({"stops": []}, ""),
        ({"planned_return": "2026-03-02T09:00:00+08:00"}, "计划返回须晚于计划出发"),
        ({"planned_return": "2026-08-02T09:00:00+08:00"}, "至多 92 天"),
        ({"reason": "开会"}, ""),
        ({"purpose": "group"}, "3 人以上"),
        ({"kind": "backfill"}, "driven"),
        ({"driven": {"vehicle": "v"}}, "driven"),
        ({"kind": "backfill", "driven": {"vehicle": "v"}}, "实际出车和归队"),
        ({"kind": "backfill", "driven": {"vehicle": "v", "departed": GOOD["planned_return"], "returned": GOOD["planned_departure"]}}, "归队时间不晚于出车时间"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_request_is_said(wrong: dict[str, Any], says: str) -> None:
    RequestContents.model_validate(GOOD)
    with pytest.raises(ValidationError) as failed:
        RequestContents.model_validate(GOOD | wrong)
    flaws = explain(failed.value)
    assert any(says in flaw.message and " · " in flaw.message for flaw in flaws), flaws


def test_what_is_wrong_in_a_step_is_said() -> None:
    for model, body, says in (
        (DispatchDepart, {"version": 1}, "里程表"),
        (DispatchReassign, {"version": 1, "reason": "车辆故障了"}, "另一辆车"),
    ):
        with pytest.raises(ValidationError) as failed:
            model.model_validate(body)
        assert any(says in flaw.message for flaw in explain(failed.value))


# --- what the track shows

T0 = datetime(2026, 3, 2, 1, tzinfo=UTC)
BASE = (31_980_000, 120_890_000)
FENCE = shapely.box(120.885, 31.975, 120.895, 31.985)


def fixes(*stretch: tuple[int, int]) -> Fixes:
    """(minutes after T0, metres north of the base) of each fix."""
    t = np.array([int((T0 + timedelta(minutes=m)).timestamp() * 1_000_000) for m, _ in stretch], np.int64)
    lat = np.array([BASE[0] + round(metres / 0.111) for _, metres in stretch], np.int64)
    return Fixes(t, lat, np.full(len(stretch), BASE[1], np.int64))


def minutes(at: datetime | None) -> int | None:
    return None if at is None else int((at - T0).total_seconds() // 60)


@pytest.mark.parametrize("fence", [FENCE, None])
@pytest.mark.parametrize(
    ("track", "left", "back"),
    [
        ([(-30, 0), (-5, 0), (5, 0), (40, 0)], None, None),
        ([(-30, 0), (5, 150), (6, 0), (40, 100)], None, None),  # drift
        ([(-5, 0), (5, 3000), (20, 9000)], 5, None),
        ([(-5, 0), (5, 3000), (60, 9000), (90, 0), (95, 0)], 5, None),  # back, and not for long yet
        ([(-5, 0), (5, 3000), (60, 9000), (90, 0), (95, 0), (100, 0)], 5, 90),
        ([(-5, 0), (5, 3000), (90, 0), (100, 0), (110, 3000)], 5, None),  # and out again
        ([(-50, 3000), (-40, 3000), (-20, 0), (-5, 0), (30, 0)], None, None),  # the trip before
        ([(5, 9000), (15, 9000)], 5, None),
    ],
)
def test_departure_and_return_by_the_track(
    fence: Any, track: list[tuple[int, int]], left: int | None, back: int | None
) -> None:
    if fence is None and track[0] in ((-50, 3000), (5, 9000)):
        return  # where it belongs without a fence is where it stood
    found = look(fixes(*track), fence, T0, 200, 10)
    assert (minutes(found.left_at), minutes(found.back_at)) == (left, back)
    assert found.seen == any(minute >= 0 for minute, _ in track)


def test_without_a_fix_nothing_is_shown() -> None:
    found = look(fixes(), FENCE, T0, 200, 10)
    assert (found.seen, found.left_at, found.back_at) == (False, None, None)
