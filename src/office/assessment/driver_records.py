"""Tables of points of drivers in versions, and facts about them that people enter. All SQL that writes either."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from office.assessment.deciding import acting, human
from office.assessment.driver_sheet import Found
from office.assessment.driver_table import (
    BY_HAND,
    DEFAULT,
    FACT_NAMES,
    DriverFact,
    DriverScoreTable,
    DriverTableNew,
)
from office.assessment.periods import Period
from office.assessment.problems import NotAllowedError
from office.identity.subject import Subject
from registry.organisations import parents_of
from registry.values import Day, Name, Text
from runtime.connection import Connection
from runtime.errors import DeclinedError, InvalidError, NotThereError

DECIDE: Final = "drivers:decide"
KEEP: Final = "registry:write"
_HAND: Final = tuple(str(fact) for fact in BY_HAND)
Said = Annotated[Text, StringConstraints(min_length=5, max_length=200, strip_whitespace=True)]


class DriverFactNew(BaseModel):
    """A fact that no other record says. `reference`: the number of the case, the dispatch or the paper that says so."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: Literal["accident", "complaint", "inspection", "unclean", "detour"]
    day: Day
    reference: Name
    note: Said


class DriverFactVoid(BaseModel):
    """Why a fact was never right."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    reason: Said


# --- tables


async def publish(connection: Connection, subject: Subject, unit: str, given: DriverTableNew, today: date) -> dict[str, Any]:  # fmt: skip
    """A new version of a unit's table. Raises NotAllowedError, InvalidError for a day that begins no quarter, or that has come: what was driven is not priced afterwards."""
    human(subject)
    persons = await acting(connection, subject, DECIDE, unit)
    first = Period(given.valid_from.year, (given.valid_from.month + 2) // 3).first
    if given.valid_from != first or given.valid_from <= today:
        raise InvalidError("/valid_from", "评分表须自尚未开始的一个季度的第一天起用，请改正 · from the first day of a quarter that is still to come")  # fmt: skip
    version = await connection.fetchval(
        "INSERT INTO driver_score_tables (organisation, version, valid_from, body, made_by, made_by_name)"
        " SELECT $1, COALESCE(max(version), 0) + 1, $2, $3, $4, $5 FROM driver_score_tables WHERE organisation = $1 RETURNING version",
        unit, given.valid_from, given.table.model_dump(mode="json"), sorted(persons), subject.name,
    )  # fmt: skip
    return next(each for each in await versions(connection, unit) if each["version"] == version)


async def versions(connection: Connection, unit: str) -> list[dict[str, Any]]:
    """The versions of a unit's own table, the newest first, 50 at most."""
    rows = await connection.fetch(
        "SELECT organisation, version, valid_from, body AS table, made_by_name AS made_by, made_at FROM driver_score_tables WHERE organisation = $1"
        " ORDER BY version DESC LIMIT 50",
        unit,
    )
    return [dict(row) for row in rows]


async def table_for(connection: Connection, unit: str, day: date) -> tuple[dict[str, Any], DriverScoreTable]:
    """The table that holds for a unit on ``day``: its own, else that of the nearest unit above it, else the one that is shipped (version 0)."""
    parents = await parents_of(connection)
    at: str | None = unit
    for _ in range(len(parents) + 1):
        if at is None:
            break
        row = await connection.fetchrow(
            "SELECT organisation, version, body FROM driver_score_tables WHERE organisation = $1 AND valid_from <= $2 ORDER BY valid_from DESC, version DESC LIMIT 1",
            at, day,
        )  # fmt: skip
        if row is not None:
            named = {"organisation": row["organisation"], "version": row["version"]}
            return named, DriverScoreTable.model_validate(row["body"])
        at = parents.get(at)
    return {"organisation": None, "version": 0}, DEFAULT


# --- facts


_FACT: Final = "id, organisation, driver, kind, day, reference, note, entered_at, entered_by_name AS entered_by, voided_at, voided_by_name AS voided_by, void_reason"  # fmt: skip


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return dict(row) | {"kind_name": FACT_NAMES[DriverFact(row["kind"])]}


async def enter_fact(
    connection: Connection,
    subject: Subject,
    unit: str,
    driver: str,
    given: DriverFactNew,
    today: date,
    own: str | None,
) -> dict[str, Any]:
    """Keep a fact about a driver of ``unit``, by who keeps its drivers and is another person (``own``: the driver who he is). Raises NotAllowedError, InvalidError,
    DeclinedError for one that is there."""
    persons = await acting(connection, subject, KEEP, unit)
    if own == driver:
        raise NotAllowedError(
            "own-matter", "本人的考核事实须由另一人登记 · another person enters facts about you"
        )
    if given.day > today:
        raise InvalidError("/day", "日期在将来，请改正 · this day is still to come")
    id = f"KH-{secrets.token_hex(8).upper()}"
    row = await connection.fetchrow(
        "INSERT INTO driver_facts (id, organisation, driver, kind, day, reference, note, entered_by, entered_by_name)"  # noqa: S608 - constants
        f" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (driver, kind, day, reference) WHERE voided_at IS NULL DO NOTHING RETURNING {_FACT}",
        id, unit, driver, given.kind, given.day, given.reference, given.note, sorted(persons), subject.name,
    )  # fmt: skip
    if row is None:
        raise DeclinedError("fact-is-there", "这一事实已登记，不必重复 · this fact is entered already")
    return _shown(row)


async def void_fact(connection: Connection, subject: Subject, id: str, reason: str) -> dict[str, Any]:
    """Declare a fact void, by who keeps or who decides. Sheets that were issued keep it; the driver may object. Raises NotThereError, NotAllowedError, DeclinedError."""
    row = await connection.fetchrow(
        "SELECT organisation, voided_at FROM driver_facts WHERE id = $1 FOR UPDATE", id
    )
    if row is None:
        raise NotThereError(f"没有这条记录，或不在您的范围内 · no such fact, or it is not yours: {id}")
    await acting(connection, subject, KEEP, row["organisation"])
    if row["voided_at"] is not None:
        raise DeclinedError("conflict", "该记录已作废 · it is void already")
    done = await connection.fetchrow(
        f"UPDATE driver_facts SET voided_at = clock_timestamp(), voided_by_name = $2, void_reason = $3 WHERE id = $1 RETURNING {_FACT}",  # noqa: S608 - constants
        id, subject.name, reason,
    )  # fmt: skip
    return _shown(done)


async def facts_of(connection: Connection, driver: str, first: date, last: date) -> list[dict[str, Any]]:
    """Facts about a driver that were entered for the days ``first`` to ``last``, void ones too, by day; 500 at most."""
    rows = await connection.fetch(
        f"SELECT {_FACT} FROM driver_facts WHERE driver = $1 AND day >= $2 AND day <= $3 ORDER BY day, id LIMIT 500",  # noqa: S608 - constants
        driver, first, last,
    )  # fmt: skip
    return [_shown(row) for row in rows]


async def found_by_hand(connection: Connection, driver: str, period: Period) -> list[Found]:
    """Those that count in a quarter."""
    facts = await facts_of(connection, driver, period.first, period.last)
    return [
        Found(DriverFact(each["kind"]), each["id"], each["reference"], each["day"], each["note"])
        for each in facts
        if each["voided_at"] is None
    ]
