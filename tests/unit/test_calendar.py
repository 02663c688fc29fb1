"""Working days: what is published, what the office says, what nobody knows yet."""

from __future__ import annotations

from datetime import date, timedelta

import holidays
import pytest

from registry.working_days import Calendar

PLAIN = Calendar()


@pytest.mark.parametrize(
    ("day", "worked", "name"),
    [
        (date(2026, 10, 1), False, "国庆节"),
        (date(2026, 10, 10), True, "调休上班"),  # a Saturday
        (date(2026, 2, 14), True, "调休上班"),
        (date(2026, 2, 17), False, "春节"),
        (date(2026, 3, 4), True, "工作日"),
        (date(2026, 3, 7), False, "周末"),
        (date(2018, 12, 29), True, "调休上班"),  # by the notice of the next year
    ],
)
def test_days(day: date, worked: bool, name: str) -> None:
    assert (PLAIN.workday(day), PLAIN.name(day)) == (worked, name)
    assert PLAIN.source(day).startswith("chinesecalendar ")


def test_the_last_week_before_an_unpublished_year_is_not_known_and_nothing_after_it_is() -> None:
    last = max(year for year in range(2024, 2040) if PLAIN.workday(date(year, 6, 15)) is not None)
    assert PLAIN.workday(date(last, 12, 24)) is not None
    for day in (
        date(last, 12, 25),
        date(last, 12, 31),
        date(last + 1, 1, 1),
        date(last + 1, 7, 4),
        date(2003, 1, 1),
    ):
        assert PLAIN.workday(day) is None
        assert (PLAIN.name(day), PLAIN.source(day)) == ("", "")
    assert PLAIN.unpublished(date(last, 6, 1)) == []
    assert PLAIN.unpublished(date(last, 12, 1)) == [last, last + 1]
    assert PLAIN.unpublished(date(last + 1, 1, 1)) == [last + 1]
    assert PLAIN.unknown_from(date(last, 6, 1)) is None
    assert PLAIN.unknown_from(date(last, 11, 29)) == date(last, 12, 25)
    assert PLAIN.unknown_from(date(last, 12, 1)) == date(last, 12, 25)
    assert PLAIN.unknown_from(date(last + 1, 3, 1)) == date(last + 1, 1, 1)
    week = {date(last, 12, 25) + timedelta(days=k): (True, "") for k in range(7)}
    assert Calendar(week).unknown_from(date(last, 12, 1)) == date(last + 1, 1, 1)


def test_the_office_has_the_last_word() -> None:
    own = Calendar({date(2026, 3, 4): (False, "本市放假"), date(2099, 1, 1): (True, "")})
    assert (own.workday(date(2026, 3, 4)), own.name(date(2026, 3, 4))) == (False, "本市放假")
    assert (own.workday(date(2099, 1, 1)), own.name(date(2099, 1, 1))) == (True, "工作日")
    assert own.source(date(2026, 3, 4)) == "calendar_days"
    whole = {date(2027, 1, 1) + timedelta(days=k): (True, "") for k in range(365)}
    assert Calendar(whole).unpublished(date(2027, 2, 1)) == []


def test_another_library_says_the_same() -> None:
    """``holidays`` and ``chinesecalendar`` read the same notices. They differ on one day, 2005-12-31: ``holidays`` has it
    worked, by the notice of 2006; that of a year before the year it is about is what chinesecalendar may miss, and the
    reason why the last week of a year is unknown until the next one is published."""
    other = holidays.country_holidays("CN", years=range(2004, 2027))
    first, last = date(2004, 1, 1), date(2026, 12, 24)
    days = [first + timedelta(days=k) for k in range((last - first).days + 1)]
    differ = {day for day in days if PLAIN.workday(day) is not other.is_working_day(day)}
    assert differ == {date(2005, 12, 31)}
