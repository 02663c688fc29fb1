"""Reservations in series: which days a rhythm comes to, by a calendar of 2026; what a series must say."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from office.requests.series import MOST, TripSeriesNew, occurrences
from registry.working_days import Calendar
from runtime.errors import InvalidError

PLACE = {"name": "市民中心", "lat": 31.98, "lon": 120.89, "datum": "wgs84"}
CALENDAR = Calendar({})


def series(
    first: str = "2026-09-24", hours: tuple[str, str] = ("08:30", "11:30"), **more: Any
) -> dict[str, Any]:
    return {
        "first": {
            "organisation": "jsj", "purpose": "meeting", "reason": "参加全市工作会议", "passengers": 2, "origin": PLACE, "stops": [PLACE],
            "planned_departure": f"{first}T{hours[0]}:00+08:00", "planned_return": f"{first}T{hours[1]}:00+08:00",
        },
        "rhythm": "weekly", "until": "2026-10-20",
    } | more  # fmt: skip


def days(**more: Any) -> tuple[list[str], dict[str, str]]:
    found, skipped = occurrences(TripSeriesNew.model_validate(series(**more)), CALENDAR)
    return [f"{each.day:%m-%d}" for each in found], {f"{each.day:%m-%d}": each.why for each in skipped}


#: The State Council's notice for 2026: 国庆节 1 to 7 October, 20 September and 10 October are worked; 中秋节 25 to 27 September.
CASES: list[tuple[str, dict[str, Any], list[str], dict[str, str]]] = [
    ("every Thursday, not on a festival", {}, ["09-24", "10-08", "10-15"], {"10-01": "国庆节"}),
    ("also on it", {"holidays": "keep"}, ["09-24", "10-01", "10-08", "10-15"], {}),
    ("every other week", {"every": 2, "until": "2026-11-10"}, ["09-24", "10-08", "10-22", "11-05"], {}),
    ("Monday and Thursday", {"weekdays": [1, 4], "until": "2026-10-12"}, ["09-24", "09-28", "10-08", "10-12"], {"10-01": "国庆节", "10-05": "国庆节"}),
    ("every working day, that Saturday too", {"rhythm": "daily", "first": "2026-10-08", "until": "2026-10-12"}, ["10-08", "10-09", "10-10", "10-12"], {"10-11": "周末"}),
    ("Saturdays that were asked for are no reason", {"first": "2026-09-19", "until": "2026-10-17"}, ["09-19", "10-10", "10-17"], {"09-26": "中秋节", "10-03": "国庆节"}),
    ("days that nobody needs", {"leave_out": ["2026-10-15"], "until": "2026-10-22"}, ["09-24", "10-08", "10-22"], {"10-01": "国庆节", "10-15": "申请人不用车"}),
    ("over midnight", {"hours": ("00:10", "23:50"), "rhythm": "daily", "first": "2026-10-13", "until": "2026-10-14"}, ["10-13", "10-14"], {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "wanted", "left_out"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_days_of_a_rhythm(more: dict[str, Any], wanted: list[str], left_out: dict[str, str]) -> None:
    assert days(**more) == (wanted, left_out)


def test_each_trip_is_at_the_same_time_of_the_day_in_china() -> None:
    found, _ = occurrences(TripSeriesNew.model_validate(series(hours=("00:30", "02:00"))), CALENDAR)
    assert [each.departure for each in found][1] == datetime.fromisoformat("2026-10-08T00:30:00+08:00")
    assert all(each.back - each.departure == found[0].back - found[0].departure for each in found)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"until": "2026-09-24"}, "截止日"),
        ({"until": "2027-09-24"}, "184"),
        ({"weekdays": [1]}, "星期四"),
        ({"rhythm": "daily", "weekdays": [4]}, "星期"),
        ({"every": 0}, "greater"),
        ({"weekdays": [8]}, "less"),
    ],
)
def test_what_a_series_must_say(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TripSeriesNew.model_validate(series(**more))
    body = series()
    body["first"] |= {"kind": "backfill", "driven": {"vehicle": "x", "departed": "2026-01-01T08:00:00+08:00", "returned": "2026-01-01T09:00:00+08:00"}}  # fmt: skip
    with pytest.raises(ValueError, match="补单"):
        TripSeriesNew.model_validate(body)


@pytest.mark.parametrize(
    ("more", "pointer", "said"),
    [
        ({"rhythm": "daily", "first": "2026-03-02", "until": "2026-08-30"}, "/until", f"{MOST} 次"),
        ({"first": "2026-10-01", "until": "2026-10-08", "leave_out": ["2026-10-08"]}, "/until", "只剩 0 次"),
        ({"rhythm": "daily", "hours": ("08:30", "23:00"), "first": "2026-09-28", "until": "2026-09-30", "long": "2026-09-29T09:00:00+08:00"}, "/first/planned_return", "未结束"),
        # Nobody has published 2099: it is not guessed.
        ({"first": "2099-01-05", "until": "2099-02-05"}, "/until", "尚未公布"),
    ],
)  # fmt: skip
def test_what_the_calendar_refuses(more: dict[str, Any], pointer: str, said: str) -> None:
    long = more.pop("long", None)
    body = series(**more)
    if long is not None:
        body["first"]["planned_return"] = long
    with pytest.raises(InvalidError, match=said) as refused:
        occurrences(TripSeriesNew.model_validate(body), CALENDAR)
    assert refused.value.pointer == pointer


def test_a_day_that_the_office_declares_off_is_off() -> None:
    found, skipped = occurrences(
        TripSeriesNew.model_validate(series()), Calendar({date(2026, 10, 8): (False, "抗洪停班")})
    )
    assert [each.day.day for each in found] == [24, 15]
    assert [each.why for each in skipped] == ["国庆节", "抗洪停班"]
