"""Scoring tables in versions: drafted by one, published by another, never changed after that. All SQL that writes them.

A table of a unit is for the units below it, and the nearest one above counts; a unit above which there is none is scored by its own.
Where nobody published one for a year, the one that is shipped is shown as version 0, and no sheet can be closed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from office.assessment.deciding import DECIDE, MANAGE, acting, human
from office.assessment.problems import stale
from office.assessment.sheet import Version
from office.assessment.table import DEFAULT, ScoreTable
from office.identity.subject import Subject
from registry.organisations import parents_of, units_below
from registry.writing import Lock, take
from runtime.connection import Connection
from runtime.errors import DeclinedError, InvalidError, NotThereError

_COLUMNS: Final = (
    "organisation, year, version, revision, valid_from, drafted_by, drafted_at, published_by, published_at"
)


def shipped(year: int) -> Version:
    """The table that is shipped, for a year in which nobody published one."""
    return Version("", year, 0, date(year, 1, 1), DEFAULT)


async def list_tables(
    connection: Connection, *, limit: int, after: tuple[str, int, int] | None
) -> list[dict[str, Any]]:
    """Published versions that the transaction sees, by unit, year and version, without their content."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM assessment_tables WHERE valid_from IS NOT NULL"  # noqa: S608 - constants
        " AND ($1::text IS NULL OR (organisation, year, version) > ($1, $2::integer, $3::integer))"
        " ORDER BY organisation, year, version LIMIT $4",
        *(after or (None, 0, 0)), limit,
    )  # fmt: skip
    return [_shown(row) for row in rows]


async def versions_at(connection: Connection, unit: str, year: int, *, drafts: bool) -> list[dict[str, Any]]:
    """The versions of a unit's table of a year, with their content."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS}, body FROM assessment_tables WHERE organisation = $1 AND year = $2"  # noqa: S608 - constants
        " AND ($3 OR valid_from IS NOT NULL) ORDER BY version",
        unit, year, drafts,
    )  # fmt: skip
    return [_shown(row) | {"table": row["body"]} for row in rows]


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("organisation", "year", "version", "revision", "valid_from", "drafted_at", "published_at")
    return {name: row[name] for name in names} | {
        "state": "draft" if row["valid_from"] is None else "published"
    }


async def put_draft(
    connection: Connection, subject: Subject, unit: str, year: int, revision: int, table: ScoreTable
) -> dict[str, Any]:
    """Write the draft of a year's table; ``revision``: of the draft that was seen, 0 = there was none. Raises DeclinedError."""
    human(subject)  # two persons: a program of the same person is no other one
    persons = await acting(connection, subject, MANAGE, unit)
    await take(connection, Lock.ASSESSMENT)
    row = await connection.fetchrow(
        "SELECT version, revision, drafted_by FROM assessment_tables"
        " WHERE organisation = $1 AND year = $2 AND valid_from IS NULL FOR UPDATE", unit, year,
    )  # fmt: skip
    now = 0 if row is None else row["revision"]
    if revision != now:
        raise stale("评分表草稿", revision=now)
    content = table.model_dump(mode="json")
    if row is None:
        await connection.execute(
            "INSERT INTO assessment_tables (organisation, year, version, revision, body, drafted_by, drafted_at)"
            " SELECT $1, $2, COALESCE(max(version), 0) + 1, 1, $3, $4, clock_timestamp() FROM assessment_tables"
            " WHERE organisation = $1 AND year = $2", unit, year, content, sorted(persons),
        )  # fmt: skip
    else:
        await connection.execute(
            "UPDATE assessment_tables SET revision = revision + 1, body = $4, drafted_by = $5, drafted_at = clock_timestamp()"
            " WHERE organisation = $1 AND year = $2 AND version = $3",
            unit, year, row["version"], content, sorted(persons | set(row["drafted_by"])),
        )  # fmt: skip
    return (await versions_at(connection, unit, year, drafts=True))[-1]


async def publish(
    connection: Connection, subject: Subject, unit: str, year: int, revision: int, valid_from: date
) -> dict[str, Any]:
    """Publish the draft. It holds from ``valid_from`` on, and never for a day of a closed sheet. Raises DeclinedError."""
    human(subject)
    await take(connection, Lock.ASSESSMENT)
    row = await connection.fetchrow(
        "SELECT version, revision, drafted_by FROM assessment_tables"
        " WHERE organisation = $1 AND year = $2 AND valid_from IS NULL FOR UPDATE", unit, year,
    )  # fmt: skip
    persons = await acting(connection, subject, DECIDE, unit, but=() if row is None else row["drafted_by"])
    if row is None:
        raise NotThereError("没有待发布的评分表草稿 · there is no draft to publish")
    if revision != row["revision"]:
        raise stale("评分表草稿", revision=row["revision"])
    await _refuse_backwards(connection, unit, year, valid_from)
    await connection.execute(
        "UPDATE assessment_tables SET valid_from = $4, published_by = $5, published_at = clock_timestamp(), revision = revision + 1"
        " WHERE organisation = $1 AND year = $2 AND version = $3", unit, year, row["version"], valid_from, sorted(persons),
    )  # fmt: skip
    return (await versions_at(connection, unit, year, drafts=True))[-1]


async def _refuse_backwards(connection: Connection, unit: str, year: int, valid_from: date) -> None:
    if valid_from.year != year:
        raise InvalidError("/valid_from", f"生效日须在 {year} 年内 · must be a day of {year}")
    last = await connection.fetchval(
        "SELECT max(valid_from) FROM assessment_tables WHERE organisation = $1 AND year = $2", unit, year
    )
    if last is None and valid_from != date(year, 1, 1):
        raise InvalidError(
            "/valid_from",
            f"本年首个版本须自 {year}-01-01 起生效 · the first version of a year holds from its first day",
        )
    if last is not None and valid_from <= last:
        raise InvalidError(
            "/valid_from",
            f"须晚于上一版本的生效日 {last} · must be later than {last}, from which the last version holds",
        )
    closed = await connection.fetchrow(
        "SELECT organisation, period, last_day FROM assessment_sheets WHERE organisation = ANY($1::text[])"
        " AND last_day >= $2 AND first_day <= $3 ORDER BY last_day DESC LIMIT 1",
        sorted(await units_below(connection, [unit])), valid_from, date(year, 12, 31),
    )  # fmt: skip
    if closed is not None:
        raise DeclinedError(
            "closed-sheets",
            f"单位 {closed['organisation']} 的 {closed['period']} 考核表已关闭，新版本须自 {closed['last_day']} 之后生效"
            f" · the sheet {closed['period']} of {closed['organisation']} is closed; choose a day after {closed['last_day']}",
        )


async def versions_for(
    connection: Connection, units: list[str], years: list[int]
) -> dict[str, list[Version]]:
    """The published tables that hold for each of ``units`` in ``years``: of the nearest unit above that published one (its own
    only where nothing is above); else the one that is shipped."""
    parents = await parents_of(connection)
    rows = await connection.fetch(
        "SELECT organisation, year, version, valid_from, body FROM assessment_tables"
        " WHERE year = ANY($1::integer[]) AND valid_from IS NOT NULL ORDER BY year, version", years,
    )  # fmt: skip
    own: dict[tuple[str, int], list[Version]] = {}
    for row in rows:
        made = Version(
            row["organisation"],
            row["year"],
            row["version"],
            row["valid_from"],
            ScoreTable.model_validate(row["body"]),
        )
        own.setdefault((made.organisation, made.year), []).append(made)
    return {unit: [v for year in years for v in _nearest(unit, year, parents, own)] for unit in units}


def _nearest(
    unit: str, year: int, parents: Mapping[str, str | None], own: Mapping[tuple[str, int], list[Version]]
) -> list[Version]:
    at = parents.get(unit) or unit
    while True:
        if (at, year) in own:
            return own[at, year]
        above = parents.get(at)
        if above is None or at == above:
            return [shipped(year)]
        at = above
