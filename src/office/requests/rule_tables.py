"""Approval tables in the database: versions that are never changed, of which one is valid. All SQL of ``approval_tables``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from office.requests.rules import ApprovalTable
from office.supervision.actors import Actor, persons_for
from registry.organisations import organisation_exists, parents_above
from runtime.connection import Connection
from runtime.errors import DeclinedError, InvalidError, NotThereError

RULES = "trips:rules"


@dataclass(frozen=True, slots=True)
class Valid:
    """The table that holds for a unit: its own, or that of the nearest unit above it (``organisation``)."""

    organisation: str
    version: int
    table: ApprovalTable


async def known_logins(connection: Connection, logins: list[str]) -> dict[str, str]:
    """Those of ``logins`` that there are, with the names of their people."""
    rows = await connection.fetch("SELECT id, name FROM known_users($1::text[])", sorted(set(logins)))
    return {row["id"]: row["name"] for row in rows}


async def valid_table(connection: Connection, organisation: str) -> Valid | None:
    """The table that holds for a unit; None: there is none."""
    parents = await parents_above(connection, [organisation])
    line, at = [organisation], parents.get(organisation)
    while at is not None and at not in line:
        line.append(at)
        at = parents.get(at)
    row = await connection.fetchrow(
        "SELECT organisation, version, body FROM approval_tables WHERE organisation = ANY($1::text[])"
        " AND active_from IS NOT NULL AND active_to IS NULL ORDER BY array_position($1::text[], organisation) LIMIT 1",
        line,
    )
    if row is None:
        return None
    return Valid(row["organisation"], row["version"], ApprovalTable.model_validate(row["body"]))


async def _allowed(connection: Connection, actor: Actor, organisation: str) -> None:
    if not await organisation_exists(connection, organisation):
        raise NotThereError(
            f"没有这个单位，或不在您的范围内 · no such unit, or it is not yours: {organisation}"
        )
    await persons_for(connection, actor, organisation, RULES)


async def draft(
    connection: Connection, actor: Actor, organisation: str, table: ApprovalTable
) -> dict[str, Any]:
    """A new version of the unit's table, not valid yet. Raises InvalidError for logins that are nobody's."""
    await _allowed(connection, actor, organisation)
    logins = [user for position in table.positions for user in position.users]
    logins += [user for row in table.rows for user in row.applicants]
    known = await known_logins(connection, logins)
    if unknown := sorted(set(logins) - known.keys()):
        raise InvalidError(
            "/positions", f"没有用户 {unknown[0]}（或已停用），请核对登录名 · no such user: {unknown[0]}"
        )
    if table.pool is not None and not await connection.fetchval("SELECT unit_is_known($1)", table.pool):
        raise InvalidError("/pool", f"单位 {table.pool} 未登记 · no such unit: {table.pool}")
    version = await connection.fetchval(
        "SELECT COALESCE(max(version), 0) + 1 FROM approval_tables WHERE organisation = $1", organisation
    )
    await connection.execute(
        "INSERT INTO approval_tables (organisation, version, body, made_by, made_by_name, made_at)"
        " VALUES ($1, $2, $3, $4, $5, clock_timestamp())",
        organisation, version, table.model_dump(mode="json"), actor.person, actor.subject.name,
    )  # fmt: skip
    return await show(connection, organisation, version)


async def activate(connection: Connection, actor: Actor, organisation: str, version: int) -> dict[str, Any]:
    """Make a version valid from now on; the one before ends. Raises InvalidError for one without a row that fits everything."""
    await _allowed(connection, actor, organisation)
    row = await connection.fetchrow(
        "SELECT body, active_from FROM approval_tables WHERE organisation = $1 AND version = $2 FOR UPDATE",
        organisation,
        version,
    )
    if row is None:
        raise NotThereError(f"没有这个版本 · no such version: {version}")
    if row["active_from"] is not None:
        raise DeclinedError("used-version", "这个版本已启用过，请另存为新版本再启用 · it was valid before: save it as a new version")  # fmt: skip
    if (why := ApprovalTable.model_validate(row["body"]).missing()) is not None:
        raise InvalidError("/rows", why)
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    await connection.execute(
        "UPDATE approval_tables SET active_to = $2 WHERE organisation = $1 AND active_from IS NOT NULL AND active_to IS NULL",
        organisation,
        now,
    )
    await connection.execute(
        "UPDATE approval_tables SET active_from = $3 WHERE organisation = $1 AND version = $2",
        organisation,
        version,
        now,
    )
    return await show(connection, organisation, version)


_SHOWN = "organisation, version, body, made_by_name, made_at, active_from, active_to"


async def show(connection: Connection, organisation: str, version: int) -> dict[str, Any]:
    """A version. Raises NotThereError."""
    row = await connection.fetchrow(
        f"SELECT {_SHOWN} FROM approval_tables WHERE organisation = $1 AND version = $2",  # noqa: S608 - constant
        organisation,
        version,
    )
    if row is None:
        raise NotThereError(f"没有这个版本 · no such version: {version}")
    return _view(row)


async def versions(connection: Connection, organisation: str, limit: int) -> list[dict[str, Any]]:
    """The newest versions of a unit's table, newest first."""
    rows = await connection.fetch(
        f"SELECT {_SHOWN} FROM approval_tables WHERE organisation = $1 ORDER BY version DESC LIMIT $2",  # noqa: S608 - constant
        organisation,
        limit,
    )
    return [_view(row) for row in rows]


def _view(row: Any) -> dict[str, Any]:
    table = ApprovalTable.model_validate(row["body"])
    state = (
        "draft" if row["active_from"] is None else "valid" if row["active_to"] is None else "ended"
    )  # fmt: skip
    return {
        "organisation": row["organisation"],
        "version": row["version"],
        "state": state,
        "table": row["body"],
        "missing": table.missing(),
        "made_by": row["made_by_name"],
        "made_at": row["made_at"],
        "active_from": row["active_from"],
        "active_to": row["active_to"],
    }
