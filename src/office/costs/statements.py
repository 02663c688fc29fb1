"""Statements: their steps, each in one transaction; lists, and one with its thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from office.costs.entry import MOST_FEN, CostReason
from office.costs.money import in_words, yuan
from office.costs.prices import Sources
from office.costs.problems import StepRefusedError, no_statement, stale
from office.costs.shares import KM_SOURCES
from office.costs.statement import (
    OBJECT_WD,
    READ,
    STATEMENT_STATES,
    STATEMENT_STEPS,
    TABLE,
    Line,
    Standing,
    StatementRefusal,
    StatementState,
    StatementStep,
    line_of,
    refusal,
)
from office.identity.scope import FEW_UNITS, in_order
from office.supervision.actors import Actor, persons_for, reach_of
from registry.calendar import load_calendar
from registry.organisations import units_above, units_below
from registry.values import readable
from rules.alerts.conditions import Conditions
from runtime.connection import Connection
from runtime.errors import DeclinedError, InvalidError

#: From so many events on a statement takes no more objections and corrections; it can still be brought to its end.
_MOST_EVENTS: Final = 500
_AT_WILL: Final = frozenset({StatementStep.OBJECT, StatementStep.CORRECT})


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class StatementCommand(_Model):
    """What every step has: the version that its author saw."""

    version: int = Field(ge=1, le=1_000_000, strict=True, description="`version` as you saw it")


class StatementReason(StatementCommand):
    """A step that must be justified."""

    reason: CostReason


class StatementPayment(StatementCommand):
    """付款凭证: the reference of the payment in the finance system."""

    reference: Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(readable)]


class LineCorrection(StatementCommand):
    """冲正 of a line: the line with the opposite amount, and, with ``amount_fen``, one with the right amount."""

    line: int = Field(ge=1, le=2**62, strict=True, description="`no` of the line")
    amount_fen: int | None = Field(None, ge=0, le=MOST_FEN, strict=True)
    reason: CostReason


#: What each step has as its body.
STEP_BODIES: Final[dict[StatementStep, type[StatementCommand]]] = {
    StatementStep.OBJECT: StatementReason,
    StatementStep.ANSWER: StatementReason,
    StatementStep.CORRECT: LineCorrection,
    StatementStep.CONFIRM: StatementCommand,
    StatementStep.CONFIRM_SILENT: StatementCommand,
    StatementStep.PAY: StatementPayment,
    StatementStep.RECEIVE: StatementCommand,
    StatementStep.VOID: StatementReason,
}


def standing_of(row: Mapping[str, Any]) -> Standing:
    """Where a stored statement is."""
    return Standing(
        StatementState(row["state"]), row["version"], row["object_by"], row["objected"], frozenset(row["made_by"])
    )  # fmt: skip


async def step(
    connection: Connection, actor: Actor, sources: Sources, id: str, what: StatementStep, command: StatementCommand
) -> dict[str, Any]:  # fmt: skip
    """Take a step; the statement as it is then. Raises NotThereError, NotAllowedError, StepRefusedError, DeclinedError (another version)."""
    row = await connection.fetchrow("SELECT * FROM cost_statements WHERE id = $1 FOR UPDATE", id)
    if row is None:
        raise no_statement(id)
    standing = standing_of(row)
    line = next(line for line in TABLE if line.step is what)
    hats = await persons_for(connection, actor, _unit(row, line), line.permission)
    if command.version != standing.version:
        raise stale("结算单", "the statement", standing.version)
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    refused = [refusal(standing, what, persons, actor.human, now) for persons in hats]
    if None not in refused:
        raise StepRefusedError(refused[0] or StatementRefusal.NOT_NOW, standing.version, standing.state)
    persons = hats[refused.index(None)]
    if what in _AT_WILL and standing.version >= _MOST_EVENTS:
        raise DeclinedError("too-many-events", "办理记录过多，请确认或作废后重新出具 · too many events: confirm it, or declare it void")  # fmt: skip
    found = line_of(standing.state, what)
    changes: dict[str, Any] = {"version": standing.version + 1}
    if found is not None and found.target is not None:
        changes["state"] = str(found.target)
    if what in (StatementStep.ANSWER, StatementStep.CORRECT) and standing.state is StatementState.TO_CONFIRM:
        # What is answered or changed may be objected to again.
        calendar = await load_calendar(connection)
        changes["object_by"] = sources.term(calendar, now, OBJECT_WD)
    changes |= await _effect(connection, row, what, command, persons, now)
    sets = ", ".join(f"{name} = ${k}" for k, name in enumerate(changes, 2))
    await connection.execute(f"UPDATE cost_statements SET {sets} WHERE id = $1", id, *changes.values())  # noqa: S608 - constants
    if what is StatementStep.VOID:
        await _release(connection, id)
    body = command.model_dump(mode="json", exclude={"version"}, exclude_none=True)
    body |= {"lines_sha256": await connection.fetchval("SELECT statement_digest($1)", id)}
    await connection.execute(
        "INSERT INTO cost_statement_events (statement, version, step, at, actor, persons, actor_name, address, device, body)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        id, standing.version + 1, str(what), now, actor.person, sorted(persons), actor.subject.name, actor.address[:100],
        actor.device[:300], body,
    )  # fmt: skip
    return await show(connection, actor, id)


def _unit(row: Mapping[str, Any], line: Line) -> str:
    return str(row["organisation"] if line.side == "unit" else row["platform"])


async def _effect(
    connection: Connection, row: Any, what: StatementStep, command: StatementCommand, persons: frozenset[str], now: datetime
) -> dict[str, Any]:  # fmt: skip
    """The columns that a step changes beside the state."""
    if what is StatementStep.OBJECT:
        return {"objected": True}
    if what is StatementStep.ANSWER:
        return {"objected": False}
    if what is StatementStep.CONFIRM:
        return {"confirmed_at": now}
    if what is StatementStep.CONFIRM_SILENT:
        return {"confirmed_at": now, "silent": True}
    if isinstance(command, StatementPayment):
        return {"paid_at": now, "payment_ref": command.reference}
    if what is StatementStep.RECEIVE:
        return {"received_at": now}
    if isinstance(command, LineCorrection):
        return await _correct(connection, row, command, persons, now)
    return {}


async def _correct(
    connection: Connection, row: Any, command: LineCorrection, persons: frozenset[str], now: datetime
) -> dict[str, Any]:
    """冲正 of a line. While the statement waits for the unit the new lines are its own; later they wait for the next statement."""
    line = await connection.fetchrow(
        "SELECT l.*, EXISTS (SELECT FROM cost_statement_lines c WHERE c.corrects = l.no) AS corrected FROM cost_statement_lines l"
        " WHERE l.no = $1 AND l.statement = $2",
        command.line,
        row["id"],
    )
    if line is None:
        raise InvalidError("/line", "结算单没有这一行，请核对行号 · the statement has no such line")
    if line["corrected"] or line["kind"] == "reversal":
        raise InvalidError(
            "/line", "这一行已冲正过，或本身是冲正行；请对更正后的一行办理 · it was corrected already, or is a reversal: correct the line that took its place"
        )  # fmt: skip
    if command.amount_fen == line["amount_fen"]:
        raise InvalidError("/amount_fen", "更正后的金额与原来相同 · the amount is the same")
    here = row["state"] == StatementState.TO_CONFIRM
    made = [("reversal", -line["amount_fen"])]
    if command.amount_fen is not None:
        made.append(("corrected", command.amount_fen))
    note = {"reason": command.reason, "of": row["number"]}
    await connection.executemany(
        "INSERT INTO cost_statement_lines (statement, organisation, platform, units, kind, dispatch_id, request_id, vehicle, price_version, corrects,"
        " amount_fen, cost_centre, body, made_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        [
            (row["id"] if here else None, line["organisation"], line["platform"], line["units"], kind, line["dispatch_id"], line["request_id"],
             line["vehicle"], line["price_version"], line["no"], amount, line["cost_centre"], dict(line["body"]) | note, now)
            for kind, amount in made
        ],
    )  # fmt: skip
    changes: dict[str, Any] = {"made_by": sorted(frozenset(row["made_by"]) | persons)}
    if here:
        difference = sum(amount for _, amount in made)
        centres = dict(row["by_cost_centre"])
        centres[line["cost_centre"]] = centres.get(line["cost_centre"], 0) + difference
        changes |= {
            "total_fen": row["total_fen"] + difference,
            "lines": row["lines"] + len(made),
            "by_cost_centre": centres,
        }
    return changes


async def _release(connection: Connection, id: str) -> None:
    """What a void statement had is for the next one: its trips, and the corrections of earlier statements that it had taken."""
    await connection.execute("UPDATE cost_claims SET statement = NULL WHERE statement = $1", id)
    await connection.execute(
        "UPDATE cost_statement_lines l SET statement = NULL WHERE l.statement = $1 AND l.kind <> 'trip'"
        " AND EXISTS (SELECT FROM cost_statement_lines o WHERE o.no = l.corrects AND o.statement IS DISTINCT FROM $1)",
        id,
    )


# --- shown

_ROW: Final = (
    "id, number, organisation, platform, period, take, state, version, total_fen, lines, tariff_versions, object_by, objected, drawn_at,"
    " confirmed_at, silent, paid_at, payment_ref, received_at"
)


@dataclass(frozen=True, slots=True)
class StatementFilter:
    """None = any. ``organisation``: with the units below it."""

    organisation: str | None = None
    platform: str | None = None
    period: str | None = None
    state: StatementState | None = None


async def _row_views(connection: Connection, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Statements that the caller has read, with the names of both parties (null: no longer registered)."""
    named = await connection.fetch(
        "SELECT * FROM parties_of_statements($1::text[])", [row["id"] for row in rows]
    )
    parties = {
        row["id"]: {name: row[name] for name in ("organisation_name", "platform_name")} for row in named
    }
    return [
        dict(row)
        | {"state_name": STATEMENT_STATES[StatementState(row["state"])], "total": yuan(row["total_fen"])}
        | parties[row["id"]]
        for row in rows
    ]


async def list_statements(
    connection: Connection, actor: Actor, filters: StatementFilter, limit: int, after: tuple[str, str] | None
) -> list[dict[str, Any]]:
    """Statements of the caller's units and platforms, the newest month first, behind ``after``."""
    asked, reached = Conditions(), await reach_of(connection, actor.subject, READ)
    if filters.organisation is not None:
        # A platform does not reach the units that it serves: it may name one all the same.
        units = {filters.organisation, *await units_below(connection, [filters.organisation])}
        asked.add("organisation = ANY({})", sorted(units))
    elif reached is not None:
        asked.add("units && {}", reached)
    for name in ("platform", "period", "state"):
        if (value := getattr(filters, name)) is not None:
            asked.add(f"{name} = {{}}", str(value))
    if after is not None:
        asked.add("period <= {} AND (period < {} OR id > {})", after[0], after[0], after[1])
    most = asked.argument(limit)
    async with in_order(connection, reached is None or len(reached) > FEW_UNITS):
        rows = await connection.fetch(
            f"SELECT {_ROW} FROM cost_statements{asked.where} ORDER BY period DESC, id LIMIT {most}",  # noqa: S608 - constants
            *asked.arguments,
        )
    return await _row_views(connection, rows)


async def show(connection: Connection, actor: Actor, id: str) -> dict[str, Any]:
    """One statement: totals, the sum in words, its thread, and what the caller may do now. Raises NotThereError."""
    row = await connection.fetchrow(
        f"SELECT {_ROW}, by_cost_centre, made_by FROM cost_statements WHERE id = $1",  # noqa: S608 - constant
        id,
    )
    if row is None:
        raise no_statement(id)
    events = await connection.fetch(
        "SELECT version, step, at, actor_name AS by, persons, body FROM cost_statement_events WHERE statement = $1 ORDER BY version",
        id,
    )
    (found,) = await _row_views(connection, [row])
    del found["by_cost_centre"], found["made_by"]
    return found | {
        "total_in_words": in_words(row["total_fen"]),
        "cost_centres": [
            {"cost_centre": name, "total_fen": fen, "total": yuan(fen)}
            for name, fen in sorted(row["by_cost_centre"].items())
        ],
        "may": await _may(connection, actor, row),
        "thread": [dict(event) | {"name": STATEMENT_STEPS[StatementStep(event["step"])]} for event in events],
    }


async def _may(connection: Connection, actor: Actor, row: Any) -> list[dict[str, Any]]:
    """The steps that the caller has the right to, and why not now."""
    standing = standing_of(row)
    now = await connection.fetchval("SELECT clock_timestamp()")
    above = {unit: await units_above(connection, unit) for unit in {row["organisation"], row["platform"]}}
    found = []
    for line in TABLE:
        hats = actor.subject.hats([line.permission], above[_unit(row, line)])
        if not hats or standing.state not in line.sources:
            continue
        refused = [refusal(standing, line.step, persons, actor.human, now) for persons in hats]
        why = None if None in refused else refused[0]
        found.append({"step": line.step, "name": STATEMENT_STEPS[line.step], "refused": why})
    return found


async def list_lines(connection: Connection, id: str, limit: int, after: int | None) -> list[dict[str, Any]]:
    """The lines of a statement in their order, behind ``after``. Those of vehicles that are hidden from the caller are left out."""
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM cost_statements WHERE id = $1)", id):
        raise no_statement(id)
    rows = await connection.fetch(
        "SELECT no, kind, dispatch_id AS dispatch, request_id AS request, vehicle, corrects, amount_fen, cost_centre, body FROM cost_statement_lines"
        " WHERE statement = $1 AND no > $2 ORDER BY no LIMIT $3",
        id,
        after or 0,
        limit,
    )
    return [_line_view(row) for row in rows]


def _line_view(row: Any) -> dict[str, Any]:
    body = dict(row["body"])
    kept = {name: value for name, value in dict(row).items() if name != "body"}
    return kept | {
        "amount": yuan(row["amount_fen"]),
        "km_source_name": None if body["km_source"] is None else KM_SOURCES[body["km_source"]],
        "reason": body.pop("reason", None),
        "of": body.pop("of", None),
        **body,
    }
