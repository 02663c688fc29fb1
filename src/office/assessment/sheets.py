"""Sheets as they stand: closed ones as they were frozen, the others computed anew each time. All SQL that writes closed ones.

Closings of cases come from outside: ``Sources`` says how they are read. What is computed depends on nothing but stored data."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from office.assessment import disputes, tables
from office.assessment.deciding import deciding
from office.assessment.indicators import indicators
from office.assessment.periods import Period, parse
from office.assessment.problems import stale
from office.assessment.sheet import (
    Closing,
    Correction,
    Frozen,
    Key,
    Line,
    Sheet,
    Version,
    corrections_of,
    key_of,
    lines_of,
)
from office.assessment.table import shown
from office.identity.subject import Subject
from registry.organisations import parents_of
from registry.writing import Lock, take
from runtime.connection import Connection
from runtime.errors import DeclinedError

#: Closed sheets of so many years back are still corrected: a case may be reopened for one, its measures be due for another.
YEARS_BACK: Final = 3
#: What was committed after a sheet was read may bear a time before its close.
_MARGIN: Final = timedelta(hours=1)

#: (units, first day, last day) -> the closings that stand; (unit -> time) -> the units of which closings changed since.
Between = Callable[[Collection[str], date, date], Awaitable[Sequence[Closing]]]
Changed = Callable[[dict[str, datetime]], Awaitable[frozenset[str]]]


@dataclass(frozen=True, slots=True)
class Sources:
    """How closings are read."""

    between: Between
    changed: Changed


@dataclass(frozen=True, slots=True)
class Computed:
    """An open sheet and the closings that it was made of."""

    sheet: Sheet
    closings: tuple[Closing, ...]


async def last_closed(
    connection: Connection, units: Collection[str], period: Period
) -> dict[str, tuple[Period, datetime]]:
    """The last closed sheet of each of ``units`` before ``period``, of its series, and when it was closed."""
    rows = await connection.fetch(
        "SELECT DISTINCT ON (organisation) organisation, period, closed_at FROM assessment_sheets"
        " WHERE organisation = ANY($1::text[]) AND last_day < $2 AND (period LIKE '%Q%') = $3 ORDER BY organisation, last_day DESC",
        sorted(units), period.first, bool(period.quarter),
    )  # fmt: skip
    return {row["organisation"]: (parse(row["period"]), row["closed_at"]) for row in rows}


async def frozen_of(
    connection: Connection, units: Collection[str], period: Period
) -> dict[str, list[Frozen]]:
    """The closed sheets of ``units`` of the series of ``period``, of the last years before it, oldest first."""
    first = Period(period.year - YEARS_BACK, 1 if period.quarter else 0).first
    rows = await connection.fetch(
        "SELECT organisation, period, body FROM assessment_sheets WHERE organisation = ANY($1::text[])"
        " AND last_day >= $2 AND last_day < $3 AND (period LIKE '%Q%') = $4 ORDER BY last_day",
        sorted(units), first, period.first, bool(period.quarter),
    )  # fmt: skip
    found: dict[str, list[Frozen]] = {}
    for row in rows:
        made = Frozen(parse(row["period"]), row["body"])
        found.setdefault(row["organisation"], []).append(made)
    return found


async def compute(
    connection: Connection, sources: Sources, units: Collection[str], period: Period
) -> dict[str, Computed]:
    """The sheets of ``units`` for ``period``, none of which is closed."""
    if not units:
        return {}
    versions = await tables.versions_for(connection, sorted(units), [period.year])
    upheld = await disputes.upheld_of(connection, units)
    closings = await _by_unit(sources, units, period.first, period.last)
    corrections = await _corrections(connection, sources, units, period, upheld)
    made = {}
    for unit in units:
        held = tuple(v for v in versions[unit] if v.valid_from <= period.last)
        lines = lines_of(closings[unit], held, upheld.get(unit, ()))
        sheet = Sheet(unit, period, held, tuple(lines), tuple(corrections.get(unit, ())))
        made[unit] = Computed(sheet, tuple(closings[unit]))
    return made


async def _by_unit(
    sources: Sources, units: Collection[str], since: date, until: date
) -> dict[str, list[Closing]]:
    """The closings of the days ``since`` to ``until`` of each of ``units``."""
    found: dict[str, list[Closing]] = {unit: [] for unit in units}
    for closing in await sources.between(units, since, until):
        found[closing.organisation].append(closing)
    return found


async def _corrections(
    connection: Connection, sources: Sources, units: Collection[str], period: Period,
    upheld: Mapping[str, Collection[Any]],
) -> dict[str, list[Correction]]:  # fmt: skip
    """Of the units whose last closed sheet is that of the period before, and where something happened since."""
    last = await last_closed(connection, units, period)
    since = {unit: at - _MARGIN for unit, (closed, at) in last.items() if closed.following == period}
    if not since:
        return {}
    moved = await sources.changed(since) | await disputes.units_decided(connection, since)
    if not moved:
        return {}
    frozen = await frozen_of(connection, moved, period)
    moved = moved & frozen.keys()
    first = min(frozen[unit][0].period.first for unit in moved)
    closings = await _by_unit(sources, moved, first, period.first - timedelta(days=1))
    years = sorted({sheet.period.year for unit in moved for sheet in frozen[unit]})
    versions = await tables.versions_for(connection, sorted(moved), years)
    found = {}
    for unit in moved:
        now: dict[Period, list[Line]] = {}
        for sheet in frozen[unit]:
            held = _named(sheet, versions[unit])
            now[sheet.period] = lines_of(
                [c for c in closings[unit] if c.day in sheet.period], held, upheld.get(unit, ())
            )
        found[unit] = corrections_of(frozen[unit], now)
    return found


def _named(sheet: Frozen, versions: Sequence[Version]) -> list[Version]:
    """The versions by which a closed sheet was made: what was published later does not reach back."""
    named = {(t["organisation"], t["year"], t["version"]) for t in sheet.body["tables"]}
    own = [v for v in versions if (v.organisation, v.year, v.version) in named]
    return own or [v for v in versions if v.year == sheet.period.year]


async def open_sheet(connection: Connection, sources: Sources, unit: str, period: Period) -> Computed:
    """The sheet of one unit, which is not closed."""
    return (await compute(connection, sources, [unit], period))[unit]


async def shown_lines(connection: Connection, sources: Sources, unit: str, period: Period) -> dict[Key, date]:
    """The lines of a sheet, closed or not, with their days."""
    closed = await closed_sheet(connection, unit, period)
    if closed is not None:
        return {key_of(row): date.fromisoformat(row["day"]) for row in closed["lines"]}
    computed = await open_sheet(connection, sources, unit, period)
    return {line.key: line.day for line in computed.sheet.lines}


async def first_close(connection: Connection, unit: str, day: date) -> tuple[datetime, int] | None:
    """When the first of the closed sheets of ``unit`` that have ``day`` in them was closed, and within how many working days a
    unit may object; None: none is closed."""
    row = await connection.fetchrow(
        "SELECT closed_at, (body ->> 'dispute_wd')::integer AS dispute_wd FROM assessment_sheets"
        " WHERE organisation = $1 AND first_day <= $2 AND last_day >= $2 ORDER BY closed_at LIMIT 1",
        unit, day,
    )  # fmt: skip
    return None if row is None else (row["closed_at"], row["dispute_wd"])


async def by_child(
    connection: Connection, unit: str, rows: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """``scores`` of units below ``unit``, as the means of the units directly below it."""
    parents = await parents_of(connection)
    under: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        at = row["organisation"]
        while parents.get(at) not in (unit, None):
            at = parents[at]
        under.setdefault(at, []).append(row)
    return [
        {
            "organisation": child,
            "points": mean([row["points"] for row in own]),
            "closed": all(row["closed"] for row in own),
            "units": len(own),
        }
        for child, own in sorted(under.items())
    ]


async def close(
    connection: Connection, subject: Subject, sources: Sources, unit: str, period: Period, digest: str, today: date,
    extra: Callable[[Computed], Awaitable[dict[str, Any]]],
) -> None:  # fmt: skip
    """Freeze the sheet that bears ``digest``. ``extra``: what is frozen beside it. Raises DeclinedError."""
    persons = await deciding(connection, subject, unit)
    await take(connection, Lock.ASSESSMENT)
    if today <= period.last:
        raise DeclinedError(
            "not-over",
            f"{period} 尚未结束，{period.last} 之后才能关闭 · the period ends on {period.last}; close it after that",
        )
    every = await _closed_periods(connection, unit, period)
    if period in every:
        raise DeclinedError(
            "closed",
            f"{period} 考核表已关闭，不能更改；以后的变动在下一期冲正 · the sheet is closed; what changes later is corrected in the next one",
        )
    if every and every[-1].following != period:
        raise DeclinedError(
            "out-of-order", f"应先关闭 {every[-1].following} · close {every[-1].following} first"
        )
    computed = await open_sheet(connection, sources, unit, period)
    if any(version.version == 0 for version in computed.sheet.versions):
        raise DeclinedError(
            "no-table",
            f"{period.year} 年度评分表尚未发布，请先发布 · nobody has published a scoring table of {period.year}; publish one first",
        )
    _refuse_undecided(computed)
    body = computed.sheet.body()
    if body["digest"] != digest:
        raise stale("考核表", digest=body["digest"])
    await connection.execute(
        "INSERT INTO assessment_sheets (organisation, period, first_day, last_day, score, body, closed_by, closed_name, closed_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp())",
        unit, str(period), period.first, period.last, computed.sheet.score, body | await extra(computed), sorted(persons),
        subject.name,
    )  # fmt: skip


def _refuse_undecided(computed: Computed) -> None:
    """Closing a sheet confirms its points: not those of a case whose alert has fallen, before somebody has decided about it."""
    costing = {line.key.number for line in computed.sheet.lines}
    waiting = sorted(one.number for one in computed.closings if one.undecided and one.number in costing)
    if waiting:
        named = "、".join(waiting[:10]) + (f" 等 {len(waiting)} 份" if len(waiting) > 10 else "")
        raise DeclinedError(
            "undecided-cases",
            f"督办单 {named} 核销后预警已撤销或有变，请先由管理处负责人重新办理或维持结论，再关闭考核表"
            f" · alerts of {len(waiting)} closed cases were withdrawn or changed: reopen them or let them stand, then close the sheet",
        )


async def _closed_periods(connection: Connection, unit: str, period: Period) -> list[Period]:
    rows = await connection.fetch("SELECT period FROM assessment_sheets WHERE organisation = $1", unit)
    return sorted(p for row in rows if (p := parse(row["period"])).same_series(period))


async def closed_sheet(connection: Connection, unit: str, period: Period) -> dict[str, Any] | None:
    """A closed sheet as it was frozen, with who closed it and when; None: it is not closed."""
    row = await connection.fetchrow(
        "SELECT body, closed_name, closed_at FROM assessment_sheets WHERE organisation = $1 AND period = $2",
        unit,
        str(period),
    )
    if row is None:
        return None
    return dict(row["body"]) | {"closed_at": row["closed_at"], "closed_by": row["closed_name"]}


async def beside(
    connection: Connection, sources: Sources, computed: Computed, units_below: Collection[str]
) -> dict[str, Any]:
    """What stands beside a sheet: indicators, and the units below with their mean."""
    sheet = computed.sheet
    found = await indicators(connection, sheet.organisation, sheet.period, computed.closings)
    rows = await scores(connection, sources, units_below, sheet.period)
    return {"indicators": found, "below": rolled_up(rows)}


async def scores(
    connection: Connection, sources: Sources, units: Collection[str], period: Period
) -> list[dict[str, Any]]:
    """Score of each of ``units`` that is assessed: it has vehicles, lines, corrections or a closed sheet. By unit."""
    closed = {
        row["organisation"]: row
        for row in await connection.fetch(
            "SELECT organisation, score FROM assessment_sheets WHERE period = $1 AND organisation = ANY($2::text[])",
            str(period), sorted(units),
        )
    }  # fmt: skip
    open_units = set(units) - closed.keys()
    computed = await compute(connection, sources, open_units, period)
    with_vehicles = await connection.fetchval("SELECT assessed_with_vehicles($1)", sorted(units))
    found = {unit: (row["score"], True) for unit, row in closed.items()}
    for unit, made in computed.items():
        if unit in with_vehicles or made.sheet.lines or made.sheet.corrections:
            found[unit] = made.sheet.score, False
    return [
        {"organisation": unit, "points": score, "closed": over}
        for unit, (score, over) in sorted(found.items())
    ]


def mean(points: Sequence[int]) -> int:
    """Of at least one, in hundredths, rounded half up."""
    return (2 * sum(points) + len(points)) // (2 * len(points))


def rolled_up(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean of ``scores``, rounded half up to a hundredth; with the lowest and the highest."""
    points = [row["points"] for row in rows]
    n = len(points)
    return {
        "units": n,
        "mean": shown(mean(points)) if n else None,
        "lowest": shown(min(points)) if n else None,
        "highest": shown(max(points)) if n else None,
        "scores": [
            {"organisation": row["organisation"], "score": shown(row["points"]), "closed": row["closed"]}
            for row in rows
        ],
    }


def ranked(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """``scores`` with the highest first; equal scores have the same rank, and the next one is counted on."""
    found: list[dict[str, Any]] = []
    for place, row in enumerate(sorted(rows, key=lambda each: (-each["points"], each["organisation"])), 1):
        same = found and found[-1]["score"] == shown(row["points"])
        found.append(
            {"rank": found[-1]["rank"] if same else place, "organisation": row["organisation"], "score": shown(row["points"])}
            | {"closed": row["closed"], "units": row.get("units")}
        )  # fmt: skip
    return found
