"""When drivers work (排班): the roster, written and read, and the leave (请假) that was granted, read. All SQL of the table ``driver_rosters``.

An entry says what a week looks like from a day on, or what a single day is like instead; it is never changed, and of several the newest holds. A day of which no
entry says anything is not known, and stops nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from registry.refusals import PlacedError
from registry.shifts import DAY_MIN, Roster, Shift
from registry.values import Day, Text
from registry.vehicle_papers import today_of
from runtime.connection import Connection
from runtime.errors import InvalidError

#: Days that are entered at once, or read at once, at most.
MOST_DAYS: Final = 93
#: How far back a roster may be entered, and how far ahead, in days.
BACK_DAYS: Final = 31
AHEAD_DAYS: Final = 400

Clock = Annotated[str, StringConstraints(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]


class DutyShift(BaseModel):
    """A shift (班次): from and to in China, `08:00` to `17:30`. One that ends at or before its beginning ends on the next day."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    since: Clock = Field(alias="from")
    until: Clock = Field(alias="to")

    @property
    def minutes(self) -> Shift:
        """In minutes of its day."""
        begin, end = _minutes(self.since) % DAY_MIN, _minutes(self.until)
        return begin, end if end > begin else end + DAY_MIN


def _minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


Shifts = Annotated[list[DutyShift], Field(max_length=4)]


def in_order(shifts: Sequence[DutyShift]) -> list[list[int]]:
    """Shifts of a day as they are kept, the earliest first. Raises PlacedError where two of them overlap."""
    found = sorted(shift.minutes for shift in shifts)
    for before, after in pairwise(found):
        if after[0] < before[1]:
            raise PlacedError(
                "同一天的班次互相重叠，请改正 · shifts of one day overlap; put them right", "shifts"
            )
    return [list(shift) for shift in found]


class RosterWeek(BaseModel):
    """The week of a driver from a day on: Monday first, [] = off. `days` null: nothing is said any more, and he is not judged by a roster."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    valid_from: Day
    days: Annotated[list[Shifts], Field(min_length=7, max_length=7)] | None
    note: Text = ""

    @model_validator(mode="after")
    def _ordered(self) -> RosterWeek:
        for day in self.days or ():
            in_order(day)
        return self


class RosterDay(BaseModel):
    """A day that is otherwise: its shifts, [] = off. Null: it is as the week again."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    day: Day
    shifts: Shifts | None

    @model_validator(mode="after")
    def _ordered(self) -> RosterDay:
        in_order(self.shifts or ())
        return self


class RosterDays(BaseModel):
    """Single days that are otherwise than the week (调班、加班、值班)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    days: list[RosterDay] = Field(min_length=1, max_length=MOST_DAYS)
    note: Text = ""

    @model_validator(mode="after")
    def _once(self) -> RosterDays:
        if len({each.day for each in self.days}) < len(self.days):
            raise PlacedError("同一天写了两次，请留一个 · a day is given twice; keep one", "days")
        return self


# --- written


async def enter_week(connection: Connection, unit: str, driver: str, given: RosterWeek, actor: str, actor_name: str) -> None:  # fmt: skip
    """Add what the week of a driver of ``unit`` looks like. Raises InvalidError for a day that is too far away."""
    await _refuse_far(connection, given.valid_from, given.valid_from, "/valid_from")
    shifts = None if given.days is None else [in_order(day) for day in given.days]
    await _add(connection, [(unit, driver, "week", given.valid_from, shifts, given.note)], actor, actor_name)


async def enter_days(connection: Connection, unit: str, driver: str, given: RosterDays, actor: str, actor_name: str) -> int:  # fmt: skip
    """Add single days, without those that are so already; how many were added. Raises InvalidError for a day that is too far away."""
    days = sorted(each.day for each in given.days)
    await _refuse_far(connection, days[0], days[-1], "/days")
    known = (await rosters_of(connection, [driver], days[0], days[-1])).get(driver, Roster())
    rows = []
    for each in given.days:
        shifts = None if each.shifts is None else in_order(each.shifts)
        before = known.days.get(each.day)
        if (None if before is None else [list(shift) for shift in before]) != shifts:
            rows.append((unit, driver, "day", each.day, shifts, given.note))
    await _add(connection, rows, actor, actor_name)
    return len(rows)


async def days_allowed(connection: Connection) -> tuple[date, date]:
    """The first and the last day of which a roster may be entered now."""
    today = await today_of(connection)
    return today - timedelta(days=BACK_DAYS), today + timedelta(days=AHEAD_DAYS)


def too_far(allowed: tuple[date, date]) -> str:
    """What is said of another day."""
    return f"排班日期须在 {allowed[0]} 至 {allowed[1]} 之间，请核对 · days of a roster lie between {allowed[0]} and {allowed[1]}"


async def _refuse_far(connection: Connection, first: date, last: date, pointer: str) -> None:
    allowed = await days_allowed(connection)
    if first < allowed[0] or last > allowed[1]:
        raise InvalidError(pointer, too_far(allowed))


async def _add(connection: Connection, rows: Sequence[tuple[Any, ...]], actor: str, actor_name: str) -> None:
    await connection.executemany(
        "INSERT INTO driver_rosters (organisation, driver, kind, first_day, shifts, note, entered_by, entered_by_name)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        [(*row, actor, actor_name) for row in rows],
    )


# --- read


async def rosters_of(connection: Connection, drivers: Collection[str], first: date, last: date) -> dict[str, Roster]:  # fmt: skip
    """What is known of the days from the one before ``first`` to ``last``, by driver; who has no entry is left out."""
    rows = await connection.fetch(
        "SELECT DISTINCT ON (r.driver, r.kind, r.first_day) r.driver, r.kind, r.first_day, r.shifts FROM unnest($1::text[]) AS d (id)"
        " JOIN driver_rosters r ON r.driver = d.id AND r.first_day <= $3 AND r.first_day >= CASE r.kind WHEN 'day' THEN $2::date ELSE COALESCE("
        "(SELECT max(q.first_day) FROM driver_rosters q WHERE q.driver = d.id AND q.kind = 'week' AND q.first_day <= $2), '-infinity') END"
        " ORDER BY r.driver, r.kind, r.first_day, r.no DESC",
        sorted(drivers), first - timedelta(days=1), last,
    )  # fmt: skip
    found: dict[str, Roster] = {}
    for row in rows:
        roster = found.setdefault(row["driver"], Roster())
        if row["kind"] == "day":
            roster.days[row["first_day"]] = _shifts(row["shifts"])
        else:
            week = None if row["shifts"] is None else [_shifts(day) or () for day in row["shifts"]]
            roster.weeks.append((row["first_day"], week))
    return found


def _shifts(kept: Sequence[Sequence[int]] | None) -> list[Shift] | None:
    return None if kept is None else [(since, until) for since, until in kept]


async def leaves_within(connection: Connection, drivers: Collection[str], since: datetime, until: datetime) -> list[tuple[str, datetime, datetime]]:  # fmt: skip
    """(driver, from, to) of the leave that was granted to ``drivers`` and lies within [since, until). What kind of leave it is, is nobody's business here."""
    rows = await connection.fetch(
        "SELECT driver, since, until FROM driver_leaves WHERE driver = ANY($1::text[]) AND state IN ('approved', 'ended') AND since < $3 AND until > $2"
        " ORDER BY driver, since",
        sorted(drivers), since, until,
    )  # fmt: skip
    return [(row["driver"], row["since"], row["until"]) for row in rows]


async def entries_of(connection: Connection, driver: str, most: int) -> list[Mapping[str, Any]]:
    """The entries of a driver's roster, the newest first: who entered what."""
    rows = await connection.fetch(
        "SELECT no, kind, first_day, shifts, note, entered_at, entered_by_name AS entered_by FROM driver_rosters WHERE driver = $1 ORDER BY no DESC LIMIT $2",
        driver,
        most,
    )
    return [dict(row) for row in rows]
