"""Objections (异议) of a unit to a line of its sheet, once each; the office above decides. An objection and a decision are only added:
the state follows from them. All SQL that writes them."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from office.assessment.deciding import DISPUTE, acting, deciding, human
from office.assessment.sheet import Key
from office.identity.subject import Subject
from runtime.connection import Connection
from runtime.errors import DeclinedError, NotThereError

_COLUMNS: Final = (
    "d.id, d.organisation, d.period, d.number, d.case_version AS version, d.item, d.fact, d.reason,"
    " d.raised_name AS raised_by, d.raised_at, e.upheld, e.reason AS decision, e.decided_name AS decided_by, e.decided_at"
)
_FROM: Final = "FROM assessment_disputes d LEFT JOIN assessment_decisions e ON e.dispute_id = d.id"


async def upheld_of(connection: Connection, units: Collection[str]) -> dict[str, set[Key]]:
    """The lines of each of ``units`` that objections took away."""
    rows = await connection.fetch(
        "SELECT d.organisation, d.number, d.case_version, d.item, d.fact FROM assessment_disputes d"
        " JOIN assessment_decisions e ON e.dispute_id = d.id AND e.upheld WHERE d.organisation = ANY($1::text[])",
        sorted(units),
    )
    found: dict[str, set[Key]] = {}
    for row in rows:
        key = Key(row["number"], row["case_version"], row["item"], row["fact"])
        found.setdefault(row["organisation"], set()).add(key)
    return found


async def units_decided(connection: Connection, since: Mapping[str, datetime]) -> frozenset[str]:
    """Those of the units of ``since`` of which an objection was decided after the time given."""
    rows = await connection.fetch(
        "SELECT DISTINCT u.unit FROM unnest($1::text[], $2::timestamptz[]) AS u (unit, since)"
        " JOIN assessment_decisions e ON e.organisation = u.unit AND e.decided_at >= u.since",
        list(since), list(since.values()),
    )  # fmt: skip
    return frozenset(row["unit"] for row in rows)


async def raise_dispute(
    connection: Connection,
    subject: Subject,
    unit: str,
    period: str,
    key: Key,
    reason: str,
    until: date | None,
    today: date,
) -> dict[str, Any]:
    """An objection to a line that is in the sheet. ``until``: the last day for it, None = not known or not closed yet.

    Raises DeclinedError."""
    human(subject)
    persons = await acting(connection, subject, DISPUTE, unit)
    if until is not None and today > until:
        raise DeclinedError("too-late", f"异议期已于 {until} 届满 · objections were possible until {until}")
    id = secrets.token_hex(8)
    done = await connection.fetchval(
        "INSERT INTO assessment_disputes (id, organisation, period, number, case_version, item, fact, reason, raised_by,"
        " raised_name, raised_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, clock_timestamp())"
        " ON CONFLICT (number, case_version, item, fact) DO NOTHING RETURNING id",
        id, unit, period, *key, reason, sorted(persons), subject.name,
    )  # fmt: skip
    if done is None:
        raise DeclinedError(
            "disputed",
            "对此项扣分已提出过异议，每项一次 · there is an objection to this line already; one each",
        )
    return await read_dispute(connection, id)


async def read_dispute(connection: Connection, id: str) -> dict[str, Any]:
    """Raises NotThereError."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} {_FROM} WHERE d.id = $1", id)
    if row is None:
        raise _no_such_objection(id)
    return _shown(row)


async def list_disputes(
    connection: Connection, *, open_only: bool | None, limit: int, after: tuple[datetime, str] | None
) -> list[dict[str, Any]]:
    """Those that the transaction sees, newest first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} {_FROM} WHERE ($1::boolean IS NULL OR (e.dispute_id IS NULL) = $1)"
        " AND ($2::timestamptz IS NULL OR d.raised_at < $2 OR d.raised_at = $2 AND d.id > $3)"
        " ORDER BY d.raised_at DESC, d.id LIMIT $4",
        open_only, *(after or (None, None)), limit,
    )  # fmt: skip
    return [_shown(row) for row in rows]


async def decide(
    connection: Connection, subject: Subject, id: str, *, upheld: bool, reason: str, closers: Collection[str]
) -> dict[str, Any]:
    """By somebody of the office above who neither raised it nor closed the case (``closers``). Raises DeclinedError."""
    row = await connection.fetchrow(
        "SELECT d.organisation, d.raised_by, e.dispute_id AS decided FROM assessment_disputes d"
        " LEFT JOIN assessment_decisions e ON e.dispute_id = d.id WHERE d.id = $1",
        id,
    )
    if row is None:
        raise _no_such_objection(id)
    persons = await deciding(connection, subject, row["organisation"], but={*row["raised_by"], *closers})
    done = row["decided"] is None and await connection.fetchval(
        "INSERT INTO assessment_decisions (dispute_id, organisation, upheld, reason, decided_by, decided_name, decided_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp()) ON CONFLICT (dispute_id) DO NOTHING RETURNING dispute_id",
        id, row["organisation"], upheld, reason, sorted(persons), subject.name,
    )  # fmt: skip
    if not done:
        now = await read_dispute(connection, id)
        raise DeclinedError(
            "decided",
            "此项异议已有决定，请重新打开查看 · it has been decided already; read it again",
            more={"state": now["state"]},
        )
    return await read_dispute(connection, id)


async def about(connection: Connection, id: str) -> tuple[str, str, int] | None:
    """The unit, the case's number and the version of its close that an objection is about; None: there is none."""
    row = await connection.fetchrow(
        "SELECT organisation, number, case_version FROM assessment_disputes WHERE id = $1", id
    )
    return None if row is None else (row["organisation"], row["number"], row["case_version"])


def _no_such_objection(id: str) -> NotThereError:
    """Also for one that is not the caller's to see."""
    return NotThereError(
        f"没有这项异议，或不在您的范围内 · no such objection, or it is not yours to see: {id}"
    )


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    state = "open" if row["upheld"] is None else "upheld" if row["upheld"] else "rejected"
    names: Sequence[str] = [name for name in row.keys() if name != "upheld"]  # noqa: SIM118 - a record of asyncpg
    return {name: row[name] for name in names} | {"state": state}
