"""Issued sheets of drivers, and objections (异议) to their lines. All SQL that writes them. A sheet never changes: what an objection takes away is shown beside it."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from office.assessment.deciding import human
from office.assessment.driver_records import DECIDE, Said
from office.assessment.driver_sheet import Added, after_objections
from office.assessment.periods import Period
from office.assessment.problems import NotAllowedError, stale
from office.assessment.table import Points, hundredths, signed
from office.identity.subject import Subject
from registry.organisations import units_above
from registry.values import Text
from runtime.connection import Connection
from runtime.errors import DeclinedError, InvalidError, NotThereError

#: What a unit adds by hand, at most, in hundredths.
MOST_ADDED: Final = 1_000


class DriverPointsAdded(BaseModel):
    """Points that the unit adds, 10 at most, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    points: Points
    reason: Said


class DriverSheetIssue(BaseModel):
    """`digest`: of the sheet that you saw."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    digest: str = Field(pattern="^[0-9a-f]{64}$")
    added: DriverPointsAdded | None = None


class DriverObjectionRaise(BaseModel):
    """An objection to a line (`line` of the sheet)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    line: Annotated[Text, StringConstraints(min_length=1)]
    reason: Said


class DriverObjectionDecide(BaseModel):
    """What becomes of it. Upheld: the line costs nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    upheld: bool = Field(strict=True)
    reason: Said


def added_of(given: DriverSheetIssue) -> Added | None:
    """What the unit adds. Raises InvalidError for more than it may."""
    if given.added is None:
        return None
    points = hundredths(given.added.points)
    if points > MOST_ADDED:
        raise InvalidError("/added/points", "单位加分至多 10 分，请改正 · a unit adds 10 points at most")
    return Added(points, given.added.reason)


async def _deciding(
    connection: Connection, subject: Subject, unit: str, but: Collection[str]
) -> frozenset[str]:
    """Whose act a decision about a driver of ``unit`` is; none of ``but`` has a part in it."""
    human(subject)
    ways = subject.hats([DECIDE], await units_above(connection, unit))
    if not ways:
        raise NotAllowedError("missing-permission", f"您在单位 {unit} 没有权限 {DECIDE}，请由有权限的人员办理 · you lack {DECIDE} in unit {unit}; ask somebody who has it")  # fmt: skip
    for persons in ways:
        if persons.isdisjoint(but):
            return persons
    raise NotAllowedError("own-matter", "此事涉及您本人，或前一步由您（或委托您的人）办理，须由另一人办理 · it is about you, or you took the step before: another person decides")  # fmt: skip


async def _user(connection: Connection, driver: str) -> frozenset[str]:
    user = await connection.fetchval("SELECT user_of_driver($1)", driver)
    return frozenset() if user is None else frozenset({f"user:{user}"})


async def issue(
    connection: Connection, subject: Subject, unit: str, driver: str, period: Period, seen: str, sheet: Mapping[str, Any], final: Mapping[str, Any], today: date
) -> None:  # fmt: skip
    """Freeze the sheet of a quarter that is over. ``seen``: the digest that the caller saw, ``sheet``: as it is now, ``final``: with what the unit adds. Raises NotAllowedError,
    DeclinedError."""
    persons = await _deciding(connection, subject, unit, await _user(connection, driver))
    if today <= period.last:
        raise DeclinedError("not-over", f"{period} 尚未结束，{period.last} 之后才能签发 · the quarter ends on {period.last}; issue it after that")  # fmt: skip
    if sheet["digest"] != seen:
        raise stale("考核表", digest=sheet["digest"])
    done = await connection.fetchval(
        "INSERT INTO driver_sheets (driver, period, organisation, score, body, issued_by, issued_name, issued_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp()) ON CONFLICT (driver, period) DO NOTHING RETURNING period",
        driver, str(period), unit, signed(final["score"]), dict(final), sorted(persons), subject.name,
    )  # fmt: skip
    if done is None:
        raise DeclinedError("issued", f"{period} 考核表已签发，不能更改 · the sheet is issued and does not change")  # fmt: skip


async def issued_sheet(connection: Connection, driver: str, period: Period) -> dict[str, Any] | None:
    """An issued sheet as it was frozen, with its objections and the score after them; None: it is not issued."""
    row = await connection.fetchrow(
        "SELECT organisation, body, issued_name, issued_at FROM driver_sheets WHERE driver = $1 AND period = $2", driver, str(period)
    )  # fmt: skip
    if row is None:
        return None
    objections = await objections_of(connection, driver, period)
    upheld = [each["line"] for each in objections if each["state"] == "upheld"]
    return dict(row["body"]) | {
        "organisation": row["organisation"],
        "issued_by": row["issued_name"],
        "issued_at": row["issued_at"],
        "objections": objections,
        "score_now": after_objections(row["body"], upheld),
    }


_OBJECTION: Final = (
    "SELECT o.id, o.driver, o.period, o.line, o.reason, o.raised_name AS raised_by, o.raised_at, d.upheld, d.reason AS decision, d.decided_name AS decided_by, d.decided_at"
    " FROM driver_objections o LEFT JOIN driver_objection_decisions d ON d.objection = o.id"
)


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(row)
    upheld = found.pop("upheld")
    return found | {"state": "open" if upheld is None else "upheld" if upheld else "rejected"}


async def objections_of(connection: Connection, driver: str, period: Period) -> list[dict[str, Any]]:
    """Objections to a sheet, oldest first."""
    rows = await connection.fetch(f"{_OBJECTION} WHERE o.driver = $1 AND o.period = $2 ORDER BY o.raised_at, o.id", driver, str(period))  # fmt: skip
    return [_shown(row) for row in rows]


async def object_to(
    connection: Connection, subject: Subject, driver: str, own: str | None, period: Period, given: DriverObjectionRaise, until: date | None, today: date
) -> None:  # fmt: skip
    """An objection of the driver himself (``own``: the driver who the caller is), until the day ``until``; None = a day of the term is not published yet. Raises NotAllowedError,
    DeclinedError, NotThereError."""
    human(subject)
    if own != driver:
        raise NotAllowedError("not-yours", "异议由驾驶员本人提出 · the driver himself objects")
    sheet = await issued_sheet(connection, driver, period)
    if sheet is None or all(line["line"] != given.line for line in sheet["lines"]):
        raise NotThereError(f"已签发的考核表中没有这项扣分 · no such line in an issued sheet: {given.line}")
    if until is not None and today > until:
        raise DeclinedError("too-late", f"异议期已于 {until} 届满 · objections were possible until {until}")
    done = await connection.fetchval(
        "INSERT INTO driver_objections (id, organisation, driver, period, line, reason, raised_by, raised_name, raised_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp()) ON CONFLICT (driver, period, line) DO NOTHING RETURNING id",
        secrets.token_hex(8), sheet["organisation"], driver, str(period), given.line, given.reason, [subject.key], subject.name,
    )  # fmt: skip
    if done is None:
        raise DeclinedError("objected", "对此项扣分已提出过异议，每项一次 · there is an objection to this line already; one each")  # fmt: skip


async def decide(connection: Connection, subject: Subject, id: str, given: DriverObjectionDecide) -> tuple[str, str]:  # fmt: skip
    """By another person than who issued the sheet, and not the driver; (driver, period). Raises NotThereError, NotAllowedError, DeclinedError."""
    row = await connection.fetchrow(
        "SELECT o.driver, o.period, o.organisation, o.raised_by, s.issued_by FROM driver_objections o JOIN driver_sheets s USING (driver, period) WHERE o.id = $1", id
    )  # fmt: skip
    if row is None:
        raise NotThereError(f"没有这项异议，或不在您的范围内 · no such objection, or it is not yours: {id}")
    but = {*row["raised_by"], *row["issued_by"], *await _user(connection, row["driver"])}
    persons = await _deciding(connection, subject, row["organisation"], but)
    done = await connection.fetchval(
        "INSERT INTO driver_objection_decisions (objection, upheld, reason, decided_by, decided_name, decided_at)"
        " VALUES ($1, $2, $3, $4, $5, clock_timestamp()) ON CONFLICT (objection) DO NOTHING RETURNING objection",
        id, given.upheld, given.reason, sorted(persons), subject.name,
    )  # fmt: skip
    if done is None:
        raise DeclinedError("decided", "此项异议已有决定，请重新打开查看 · it has been decided already; read it again")  # fmt: skip
    return row["driver"], row["period"]


async def list_sheets(connection: Connection, units: Collection[str] | None, period: Period, limit: int, after: str | None) -> list[dict[str, Any]]:  # fmt: skip
    """Issued sheets of a quarter, of drivers of ``units`` (None = all within reach), by driver."""
    rows = await connection.fetch(
        "SELECT s.driver, s.period, s.organisation, s.body ->> 'name' AS name, s.body ->> 'score' AS score, s.issued_name AS issued_by, s.issued_at,"
        " (SELECT count(*) FROM driver_objections o LEFT JOIN driver_objection_decisions d ON d.objection = o.id"
        "  WHERE o.driver = s.driver AND o.period = s.period AND d.objection IS NULL) AS open_objections"
        " FROM driver_sheets s WHERE s.period = $1 AND ($2::text[] IS NULL OR s.organisation = ANY($2)) AND ($3::text IS NULL OR s.driver > $3)"
        " ORDER BY s.driver LIMIT $4",
        str(period), None if units is None else sorted(units), after, limit,
    )  # fmt: skip
    return [dict(row) for row in rows]


def term_of(sheet: Mapping[str, Any]) -> tuple[datetime, int]:
    """When a sheet was issued, and within how many working days the driver may object."""
    return sheet["issued_at"], sheet["objection_wd"]
