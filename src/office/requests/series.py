"""Reservations in series (系列预约): which days a rhythm comes to. Pure.

A series is a bounded number of requests, each with a day and a life of its own. Days are counted in China; whether one is worked the calendar says, and what nobody has
published yet is not guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from office.requests.contents import Note, Reason, RequestContents
from registry.refusals import PlacedError
from registry.values import Day, Identifier
from registry.working_days import Calendar
from runtime.errors import InvalidError
from runtime.units import CHINA

#: Requests of one series, and days from its first to its last.
MOST: Final = 60
LONGEST_DAYS: Final = 184
_WEEK: Final = 7
_SATURDAY: Final = 6
#: What the calendar calls a day that is off because of the week alone.
_WEEKEND: Final = "周末"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class TripSeriesNew(_Model):
    """A series: `first` again and again at the same time of the day, until the day `until`. `daily`: on every `every`-th day; `weekly`: on `weekdays` of every `every`-th week.
    `holidays`: `skip` leaves out what the calendar says is not worked (of a `weekly` one on Saturday or Sunday: festivals alone), `keep` leaves out nothing."""

    first: RequestContents
    rhythm: Literal["daily", "weekly"]
    every: int = Field(1, ge=1, le=4, strict=True)
    weekdays: list[Annotated[int, Field(ge=1, le=7, strict=True)]] = Field(
        default_factory=list, max_length=7, description="1 = 星期一 … 7 = 星期日；不填即首次的那一天"
    )
    until: Day = Field(description="最后一天（含）")
    holidays: Literal["skip", "keep"] = "skip"
    hand_in: bool = Field(
        True,
        description="一并提交；否则只建草稿，可先逐份修改 / handed in at once, else drafts that can be edited",
    )
    leave_out: list[Day] = Field(default_factory=list, max_length=MOST, description="不用车的日子")

    @model_validator(mode="after")
    def _fits(self) -> TripSeriesNew:
        if self.first.kind != "normal":
            raise PlacedError("补单不能成系列，请逐份填写 · backfills are no series: enter each", "first", "kind")  # fmt: skip
        begin = self.begins_on
        if self.until <= begin:
            raise PlacedError("截止日须晚于首次用车的日子；只用一次的请填一般申请 · it must go on after the first day; ask for one trip as a request", "until")  # fmt: skip
        if self.until > begin + timedelta(days=LONGEST_DAYS):
            raise PlacedError(f"系列至多 {LONGEST_DAYS} 天，请提前截止日，到期再约 · at most {LONGEST_DAYS} days: end it sooner", "until")  # fmt: skip
        if self.rhythm == "daily" and self.weekdays:
            raise PlacedError("每日的系列不填星期 · a daily series has no weekdays", "weekdays")
        if self.weekdays and begin.isoweekday() not in self.weekdays:
            raise PlacedError(
                f"首次用车是星期{'一二三四五六日'[begin.weekday()]}，不在所选的星期中，请改首次的日子或加选 · the first day is none of these weekdays", "weekdays"
            )  # fmt: skip
        return self

    @property
    def begins_on(self) -> date:
        return self.first.planned_departure.astimezone(CHINA).date()


class SeriesMember(_Model):
    """A request of the series as its author saw it."""

    id: Identifier
    version: int = Field(ge=1, le=1_000_000, strict=True)


class _Members(_Model):
    members: list[SeriesMember] = Field(min_length=1, max_length=MOST)

    @model_validator(mode="after")
    def _once_each(self) -> _Members:
        if len({member.id for member in self.members}) < len(self.members):
            raise PlacedError("同一份申请列了两次 · a request is named twice", "members")
        return self


class TripSeriesApprove(_Members):
    """提交, or 批准, of many at once."""

    note: Note | None = None


class TripSeriesReason(_Members):
    """驳回, or 撤回、取消, of many at once."""

    reason: Reason


class TripSeriesAssign(_Members):
    """派车: the same vehicle, and driver, for each."""

    vehicle: Identifier
    driver: Identifier | None = Field(None, description="left out: nobody of the register (自驾)")
    note: Note | None = None


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One trip of a series, at its times."""

    day: date
    departure: datetime
    back: datetime


@dataclass(frozen=True, slots=True)
class SkippedDay:
    """A day that the rhythm has and the series has not, and why, in Chinese."""

    day: date
    why: str


def occurrences(series: TripSeriesNew, calendar: Calendar) -> tuple[list[Occurrence], list[SkippedDay]]:
    """The trips of a series, and the days that are left out. Raises InvalidError: too many, none, a day that is not published yet, one trip into the next."""
    first, found, skipped = series.first, list[Occurrence](), list[SkippedDay]()
    for day in _rhythm(series):
        if day in series.leave_out:
            skipped.append(SkippedDay(day, "申请人不用车"))
            continue
        if series.holidays == "skip" and (why := _off(series, calendar, day)) is not None:
            skipped.append(SkippedDay(day, why))
            continue
        later = timedelta(days=(day - series.begins_on).days)
        found.append(Occurrence(day, first.planned_departure + later, first.planned_return + later))
        if len(found) > MOST:
            raise InvalidError(
                "/until", f"系列至多 {MOST} 次，请提前截止日 · at most {MOST} trips: end it sooner"
            )
    if len(found) <= 1:
        raise InvalidError(
            "/until", f"除去节假日和不用车的日子只剩 {len(found)} 次，请改截止日或节假日的处理 · only {len(found)} are left: another end, or keep holidays"
        )  # fmt: skip
    for one, two in pairwise(found):
        if two.departure < one.back:
            raise InvalidError(
                "/first/planned_return",
                f"{one.day} 的一次未结束，{two.day} 的已开始，请缩短时间或改为更疏的系列 · one trip goes on when the next begins: make it shorter, or rarer",
            )
    return found, skipped


def _rhythm(series: TripSeriesNew) -> Iterator[date]:
    begin = series.begins_on
    monday = begin - timedelta(days=begin.weekday())
    weekdays = set(series.weekdays) or {begin.isoweekday()}
    for number in range((series.until - begin).days + 1):
        day = begin + timedelta(days=number)
        if series.rhythm == "daily":
            if number % series.every == 0:
                yield day
        elif day.isoweekday() in weekdays and (day - monday).days // _WEEK % series.every == 0:
            yield day


def _off(series: TripSeriesNew, calendar: Calendar, day: date) -> str | None:
    """Why there is no trip on a day; None: there is one. Raises InvalidError."""
    worked = calendar.workday(day)
    if worked is None:
        raise InvalidError(
            "/until", f"{day} 是否工作日尚未公布，请提前截止日，公布后再约；或选择不避节假日 · whether {day} is a working day is not published yet: end it before, or keep holidays"
        )  # fmt: skip
    if worked:
        return None
    name = calendar.name(day)
    chosen = series.rhythm == "weekly" and day.isoweekday() >= _SATURDAY and name == _WEEKEND
    return None if chosen else name


def rule_of(series: TripSeriesNew, skipped: Sequence[SkippedDay]) -> dict[str, Any]:
    """What is kept of a series besides its requests."""
    return series.model_dump(mode="json", exclude={"first"}) | {
        "skipped": [{"day": each.day.isoformat(), "why": each.why} for each in skipped]
    }
