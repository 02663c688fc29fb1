"""Values that the office, or an organisation, sets for the rules' parameters (table ``rule_parameters``).
``registry.parameters`` has their names, defaults and limits. What was judged with another value is judged again when one is
set or taken back, from when it takes effect: worker and judge read of it in the outbox of changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from registry import parameters
from registry.organisations import organisation_exists
from registry.parameters import ParameterRow
from registry.refusals import Flaw, RefusedError
from registry.unreadable import Unreadable
from registry.values import Identifier, Name, Time, WriteResult
from runtime.apart import read_apart
from runtime.connection import Connection
from runtime.errors import text_of
from runtime.faults import of_one_fact
from runtime.units import to_us

#: Rows of a list, at most.
MAX_ROWS = 10_000


class Threshold(BaseModel):
    """One value of a parameter, for everyone (``organisation`` null) or one organisation and the units below it that have
    not set their own, from a time on."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, frozen=True)

    rule: Annotated[str, StringConstraints(max_length=64)]
    name: Annotated[str, StringConstraints(max_length=64)]
    organisation: Identifier | None = None
    value: int = Field(strict=True, description="in the parameter's unit")
    effective_from: Time
    source: Name = Field(description="who decided it, and where that is written")


async def put_threshold(connection: Connection, row: Threshold) -> WriteResult:
    """Write a value in the caller's transaction; the same (rule, name, organisation, time) again replaces it.

    Raises RefusedError for an unknown rule, name or organisation, or a value out of the limits.
    """
    _check(row)
    if row.organisation is not None and not await organisation_exists(connection, row.organisation):
        message = f"单位 {row.organisation} 未登记 · unknown organisation: {row.organisation}"
        raise RefusedError([Flaw(("organisation",), message)])
    old = await connection.fetchrow(
        "SELECT value, source FROM rule_parameters WHERE rule = $1 AND name = $2"
        " AND organisation IS NOT DISTINCT FROM $3 AND effective_from = $4",
        row.rule, row.name, row.organisation, row.effective_from,
    )  # fmt: skip
    if old is not None and (int(old["value"]), old["source"]) == (row.value, row.source):
        return "unchanged"
    await connection.execute(
        "INSERT INTO rule_parameters (rule, name, organisation, effective_from, value, source)"
        " VALUES ($1, $2, $3, $4, $5::bigint, $6)"
        " ON CONFLICT (rule, name, COALESCE(organisation, ''), effective_from)"
        " DO UPDATE SET value = excluded.value, source = excluded.source",
        row.rule, row.name, row.organisation, row.effective_from, row.value, row.source,
    )  # fmt: skip
    return "created" if old is None else "updated"


def _check(row: Threshold) -> None:
    if row.rule not in parameters.RULES:
        message = f"没有这条规则；可用 · no such rule; there are: {', '.join(parameters.RULES)}"
        raise RefusedError([Flaw(("rule",), message)])
    if now := parameters.MOVED.get((row.rule, row.name)):
        message = (
            f"{row.rule}.{row.name} 现为 {now}.{row.name}（派车单的参数），请改设该参数"
            f" · this is a parameter of orders now: set {now}.{row.name}"
        )
        raise RefusedError([Flaw(("rule",), message)])
    if row.rule == parameters.QUOTA and row.organisation is not None:
        message = "配备标准全市统一，不得按单位另定；organisation 留空 · the standard is the same for all units: leave the organisation out"
        raise RefusedError([Flaw(("organisation",), message)])
    try:
        parameters.validate(row.rule, row.name, row.value)
    except parameters.UnknownParameterError:
        names = ", ".join(p.name for p in parameters.RULES[row.rule])
        message = f"规则 {row.rule} 没有这个参数；可用 · no such parameter; there are: {names}"
        raise RefusedError([Flaw(("name",), message)]) from None
    except parameters.ParameterRangeError:
        known = parameters.parameter(row.rule, row.name)
        limits = f"{known.minimum}..{known.maximum} {known.unit}"
        message = f"应为整数，范围 {limits} · must be an integer of {limits}"
        raise RefusedError([Flaw(("value",), message)]) from None


async def forget_threshold(
    connection: Connection, rule: str, name: str, organisation: str | None, effective_from: Any
) -> bool:
    """Take back a value in the caller's transaction; whether there was one."""
    done = await connection.fetchval(
        "DELETE FROM rule_parameters WHERE rule = $1 AND name = $2 AND organisation IS NOT DISTINCT FROM $3"
        " AND effective_from = $4 RETURNING true",
        rule, name, organisation, effective_from,
    )  # fmt: skip
    return done is not None


async def thresholds(
    connection: Connection, rule: str | None = None, organisation: str | None = None
) -> list[dict[str, Any]]:
    """The values set, by (rule, name, organisation, time), at most MAX_ROWS; None = any."""
    rows = await connection.fetch(
        "SELECT rule, name, organisation, value::bigint AS value, effective_from, source, created_at"
        " FROM rule_parameters WHERE ($1::text IS NULL OR rule = $1) AND ($2::text IS NULL OR organisation = $2)"
        " ORDER BY rule, name, organisation NULLS FIRST, effective_from LIMIT $3",
        rule,
        organisation,
        MAX_ROWS,
    )
    return [dict(row) for row in rows]


def defaults(rule: str | None = None) -> Sequence[dict[str, Any]]:
    """Every parameter: {rule, name, unit, default, source, minimum, maximum}."""
    return [
        {"rule": of} | asdict(found)
        for of, known in parameters.RULES.items()
        if rule in (None, of)
        for found in known
    ]


#: Every unit that has set a value, and the units below it, at whatever distance. UNION ends a ring, if there ever is one.
_BELOW: Final = (
    "WITH RECURSIVE under AS (SELECT DISTINCT p.organisation AS top, p.organisation AS id FROM rule_parameters p"
    " WHERE p.organisation IS NOT NULL"
    " UNION SELECT u.top, o.id FROM under u JOIN organisations o ON o.parent = u.id)"
    " SELECT top, array_agg(id) FILTER (WHERE id <> top) AS units FROM under GROUP BY top"
)


_ROWS: Final = "SELECT rule, name, organisation, value, effective_from FROM rule_parameters"
#: Before every time: from when on a row holds whose time cannot be read.
_EVER_US: Final = -(1 << 62)


def _parameter(row: Any) -> ParameterRow:
    return ParameterRow(
        row["rule"], row["name"], row["organisation"], int(row["value"]), to_us(row["effective_from"])
    )


async def _parameters_apart(conn: Connection) -> list[ParameterRow]:
    """The rows one by one; of those that cannot be read what they are about, in the same order."""
    rows = await conn.fetch(
        "SELECT ctid::text AS place, rule, name, organisation, effective_from::text AS since FROM rule_parameters"
        " ORDER BY rule, name, organisation, effective_from"
    )

    async def read(places: Sequence[str]) -> list[tuple[str, ParameterRow]]:
        found = await conn.fetch(
            f"{_ROWS.replace('SELECT', 'SELECT ctid::text AS place,')} WHERE ctid = ANY($1::text[]::tid[])",
            places,
        )
        return [(row["place"], _parameter(row)) for row in found]

    good, failed = await read_apart(conn, [row["place"] for row in rows], read)
    known, why = dict(good), dict(failed)
    made = []
    for row in rows:
        place = row["place"]
        if place in why:
            error = f"({row['since']}) {text_of(why[place])}"
            made.append(
                ParameterRow(row["rule"], row["name"], row["organisation"], 0, _EVER_US, unreadable=error)
            )
        elif place in known:
            made.append(known[place])
    return made


def unreadable_parameters(rows: Sequence[ParameterRow], vehicles: Mapping[int, str]) -> list[Unreadable]:
    """Those of ``rows`` that cannot be read. ``vehicles``: the unit of each, by number: they are not judged that are of the
    unit of the row, or of one below it."""
    found = []
    for row in rows:
        if row.unreadable:
            own = None if row.organisation is None else {no for no, u in vehicles.items() if row.holds_for(u)}
            id = f"{row.rule}.{row.name} {row.organisation or '(全部 / everyone)'}"
            found.append(Unreadable("parameter", id, row.unreadable, None if own is None else frozenset(own)))
    return found


async def load_parameters(conn: Connection) -> tuple[ParameterRow, ...]:
    """Every row of ``rule_parameters``, with the units below for which it holds. One that cannot be read is there as such: a
    value that would rest on it is not known."""
    order = " ORDER BY rule, name, organisation, effective_from"
    try:
        found = [_parameter(row) for row in await conn.fetch(f"{_ROWS}{order}")]
    except Exception as error:
        if not of_one_fact(error):
            raise
        found = await _parameters_apart(conn)
    if all(row.organisation is None for row in found):
        return tuple(found)
    below = {r["top"]: r["units"] or () for r in await conn.fetch(_BELOW)}
    return parameters.with_units_below(found, below)
