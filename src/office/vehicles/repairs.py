"""Maintenance in the database, and a step of it: rights, state, version, and everything that follows, in one transaction. All SQL of
``maintenances`` and its thread. The row is locked before the thread is read: of two who act at once the second sees what the first did."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from office.supervision.actors import Actor, persons_for
from office.supervision.problems import NotAllowedError
from office.vehicles import messages
from office.vehicles.contents import (
    MaintenanceNew,
    RepairCommand,
    RepairFinish,
    RepairMore,
    RepairQuote,
    RepairStart,
    RepairSubmit,
    plain,
    yuan,
)
from office.vehicles.repair import (
    Event,
    Maintenance,
    Refusal,
    StaleError,
    StepRefusedError,
    advance,
    begin,
    check_choice,
    fold,
    refusal,
)
from office.vehicles.steps import (
    APPROVE,
    KEEP,
    STATE_NAMES,
    STEP_NAMES,
    RepairAction,
    RepairState,
    row_of,
    steps_of,
)
from registry import parameters
from registry.organisations import units_above, units_below
from registry.parameter_values import load_parameters
from registry.refusals import AHEAD
from registry.spelling import name_key
from runtime.connection import Connection
from runtime.errors import InvalidError, NotThereError
from runtime.units import CHINA, to_us

#: From so many events on a paper takes no more notes, quotes, files. It can still be brought to its end.
MAX_EVENTS: Final = 300
_AT_WILL: Final = frozenset(
    {
        RepairAction.NOTE,
        RepairAction.QUOTE,
        RepairAction.ATTACH,
        RepairAction.ASK_MORE,
        RepairAction.SUBMIT,
        RepairAction.FINISH,
    }
)


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as it is stored. ``actor``: which of its persons did it."""

    event: Event
    actor: str
    actor_name: str


@dataclass(frozen=True, slots=True)
class RepairThread:
    """A maintenance with its thread, oldest entry first. ``unit``: that of its vehicle."""

    id: str
    unit: str
    paper: Maintenance
    entries: tuple[Entry, ...]


def no_such_repair(id: str) -> NotThereError:
    """Also for one that is not the caller's to see."""
    return NotThereError(
        f"没有这张维修单，或不在您的范围内 · no such maintenance, or it is not yours to see: {id}"
    )


async def read_repair(connection: Connection, id: str, *, lock: bool = False) -> RepairThread:
    """Raises NotThereError."""
    row = await connection.fetchrow(
        f"SELECT organisation FROM maintenances WHERE id = $1{' FOR UPDATE' if lock else ''}",  # noqa: S608 - constants
        id,
    )
    if row is None:
        raise no_such_repair(id)
    rows = await connection.fetch("SELECT * FROM maintenance_events WHERE paper = $1 ORDER BY version", id)
    entries = tuple(
        Entry(
            Event(r["version"], RepairAction(r["step"]), r["at"], frozenset(r["persons"]), r["body"]),
            r["actor"],
            r["actor_name"],
        )
        for r in rows
    )
    return RepairThread(id, row["organisation"], fold([entry.event for entry in entries]), entries)


async def _now(connection: Connection) -> datetime:
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return now


async def _take_number(connection: Connection, unit: str, at: datetime) -> str:
    """The next number of a unit in a year. Its row stays locked to the end of the transaction, so none is lost or given twice."""
    year = at.astimezone(CHINA).year
    last = await connection.fetchval(
        "INSERT INTO maintenance_numbers (organisation, year, last) VALUES ($1, $2, 1)"
        " ON CONFLICT (organisation, year) DO UPDATE SET last = maintenance_numbers.last + 1 RETURNING last",
        unit,
        year,
    )
    return f"修〔{year}〕{unit}-{last:06d}号"


async def _store(connection: Connection, id: str, actor: Actor, event: Event) -> None:
    await connection.execute(
        "INSERT INTO maintenance_events (paper, version, step, at, actor, persons, actor_name, address, device, body)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        id, event.version, event.step, event.at, actor.person, sorted(event.persons), actor.subject.name,
        actor.address[:100], actor.device[:300], dict(event.body),
    )  # fmt: skip


def _row(paper: Maintenance) -> dict[str, Any]:
    return {
        "state": paper.state,
        "version": paper.version,
        "shop": paper.shop,
        "approved_fen": paper.approved_fen,
        "total_fen": paper.total_fen,
        "invoice": paper.invoice,
        "in_shop": paper.in_shop,
        "in_at": paper.in_at,
        "out_at": paper.out_at,
        "accepted_at": paper.accepted_at,
    }


async def report(connection: Connection, actor: Actor, given: MaintenanceNew) -> RepairThread:
    """报修. Raises InvalidError, NotAllowedError."""
    vehicle = await connection.fetchrow(
        "SELECT organisation, disposed_on FROM vehicles WHERE id = $1", given.vehicle
    )
    if vehicle is None:
        raise InvalidError("/vehicle", f"车辆 {given.vehicle} 未登记，或不在您的范围内，请核对 · no such vehicle, or not yours: {given.vehicle}")  # fmt: skip
    unit, now = vehicle["organisation"], await _now(connection)
    if vehicle["disposed_on"] is not None and vehicle["disposed_on"] <= now.astimezone(CHINA).date():
        raise InvalidError("/vehicle", "车辆已处置，不再维修，请核对 · the vehicle is disposed of")
    persons = (await persons_for(connection, actor, unit, *KEEP))[0]
    await _refuse_less(connection, given)
    id, number = f"WX-{secrets.token_hex(8).upper()}", await _take_number(connection, unit, now)
    event = Event(1, RepairAction.REPORT, now, persons, plain(given) | {"number": number})
    paper = begin(event)
    values = {
        "organisation": unit,
        "vehicle": paper.vehicle,
        "number": number,
        "fault": paper.fault,
        "odometer_m": paper.odometer_m,
        "reported_at": now,
        **_row(paper),
    }
    marks = ", ".join(f"${k}" for k in range(2, len(values) + 2))
    await connection.execute(
        f"INSERT INTO maintenances (id, {', '.join(values)}) VALUES ($1, {marks})",  # noqa: S608 - constants
        id,
        *values.values(),
    )
    await _store(connection, id, actor, event)
    return RepairThread(id, unit, paper, (Entry(event, actor.person, actor.subject.name),))


async def _refuse_less(connection: Connection, given: MaintenanceNew) -> None:
    """The odometer does not run backwards."""
    if given.odometer_replaced is not None:
        return
    last = await connection.fetchval(
        "SELECT max(m) FROM (SELECT (SELECT odometer_in_m FROM trip_dispatches WHERE vehicle = $1 AND odometer_in_m IS NOT NULL"
        " ORDER BY planned_departure DESC LIMIT 1) AS m UNION ALL (SELECT odometer_m FROM maintenances WHERE vehicle = $1"
        " ORDER BY reported_at DESC LIMIT 1)) f",
        given.vehicle,
    )
    if last is not None and given.odometer_m < last:
        raise InvalidError(
            "/odometer_m",
            f"里程表读数比该车上次登记的（{last / 1000:.1f} 公里）小，请核对；换过表的请在 odometer_replaced 写明"
            f" · less than the reading before ({last / 1000:.1f} km): check it; say so when the odometer was replaced",
        )


async def _allowed(
    connection: Connection, actor: Actor, thread: RepairThread, what: RepairAction
) -> frozenset[str]:
    """Whose act ``what`` would be. Raises what keeps ``actor`` from it."""
    found = await _tried(connection, actor, thread, what)
    if isinstance(found, Refusal):
        raise StepRefusedError(found, thread.paper)
    if found is None:
        row = row_of(thread.paper.state, what)
        raise NotAllowedError(thread.unit, () if row is None else row.permissions)
    return found


async def _tried(
    connection: Connection, actor: Actor, thread: RepairThread, what: RepairAction
) -> frozenset[str] | Refusal | None:
    row = row_of(thread.paper.state, what)
    if row is None:
        return Refusal.NOT_NOW
    ways = actor.subject.hats(row.permissions, await units_above(connection, thread.unit))
    why: Refusal | None = None
    for persons in ways:
        refused = refusal(thread.paper, what, persons, human=actor.human)
        if refused is None:
            return persons
        why = why or refused
    return why


async def possible(
    connection: Connection, actor: Actor, thread: RepairThread
) -> list[tuple[RepairAction, Refusal | None]]:
    """The steps for which ``actor`` has the permission in this state, each with what keeps him from it."""
    found: list[tuple[RepairAction, Refusal | None]] = []
    for what in steps_of(thread.paper.state):
        way = await _tried(connection, actor, thread, what)
        if way is not None:
            found.append((what, way if isinstance(way, Refusal) else None))
    return found


async def step(
    connection: Connection, actor: Actor, id: str, what: RepairAction, command: RepairCommand
) -> RepairThread:
    """Take a step; the maintenance after it. In the caller's transaction. Raises NotThereError, NotAllowedError, StepRefusedError, StaleError,
    InvalidError; then nothing was written."""
    thread = await read_repair(connection, id, lock=True)
    if command.version != thread.paper.version:
        raise StaleError(thread.paper)
    persons = await _allowed(connection, actor, thread, what)
    body = await _body(connection, thread, what, command)
    return await _add(connection, actor, thread, what, persons, body)


async def enclose(
    connection: Connection, actor: Actor, id: str, body: Mapping[str, Any]
) -> RepairThread:  # fmt: skip
    """A file was uploaded to a maintenance: the step of it. Fits every version."""
    thread = await read_repair(connection, id, lock=True)
    persons = await _allowed(connection, actor, thread, RepairAction.ATTACH)
    return await _add(connection, actor, thread, RepairAction.ATTACH, persons, body)


async def _add(
    connection: Connection, actor: Actor, thread: RepairThread, what: RepairAction, persons: frozenset[str], body: Mapping[str, Any]
) -> RepairThread:  # fmt: skip
    if what in _AT_WILL and thread.paper.version >= MAX_EVENTS:
        raise InvalidError("", "本单的办理记录过多，只能验收或取消 · too many entries: bring it to its end")
    event = Event(thread.paper.version + 1, what, await _now(connection), persons, body)
    paper = advance(thread.paper, event)
    await _store(connection, thread.id, actor, event)
    values = _row(paper)
    sets = ", ".join(f"{name} = ${k}" for k, name in enumerate(values, 2))
    await connection.execute(f"UPDATE maintenances SET {sets} WHERE id = $1", thread.id, *values.values())  # noqa: S608 - constants
    entry = Entry(event, actor.person, actor.subject.name)
    after = RepairThread(thread.id, thread.unit, paper, (*thread.entries, entry))
    await _tell(connection, after, what, event.at)
    return after


async def _tell(connection: Connection, thread: RepairThread, what: RepairAction, at: datetime) -> None:
    paper = thread.paper
    persons: Sequence[tuple[str, str]] = ()
    units: Sequence[tuple[str, str]] = ()
    if what in (RepairAction.SUBMIT, RepairAction.ASK_MORE):
        units = [(thread.unit, APPROVE[0])]
    elif what in (RepairAction.APPROVE, RepairAction.REJECT, RepairAction.GRANT, RepairAction.DENY):
        persons = [(key, thread.unit) for key in sorted(paper.own)]
    await messages.tell(
        connection, f"{messages.REPAIRS}{thread.id}", number=paper.number, step=what, state=paper.state, at=at,
        to_persons=persons, to_units=units,
    )  # fmt: skip


async def _body(
    connection: Connection, thread: RepairThread, what: RepairAction, command: RepairCommand
) -> dict[str, Any]:
    """What the event keeps: what was sent, and what follows from it."""
    paper, body = thread.paper, plain(command)
    if isinstance(command, RepairQuote | RepairSubmit):
        # One shop that is written in two ways is one quote.
        body["shop"] = next((s for s in paper.quotes if name_key(s) == name_key(command.shop)), command.shop)
    if isinstance(command, RepairSubmit):
        one = await _one_quote_fen(connection, thread.unit)
        check_choice(paper, body["shop"], command.reason, one)
    elif isinstance(command, RepairStart):
        body["at"] = _not_ahead(command.at, await _now(connection), paper.reported_at).isoformat()
    elif isinstance(command, RepairMore):
        if command.total_fen <= (paper.approved_fen or 0):
            raise InvalidError(
                "/total_fen",
                f"追加后的总额须大于已批准的 {yuan(paper.approved_fen or 0)} 元 · must be more than what was approved",
            )
    elif isinstance(command, RepairFinish):
        body["at"] = _not_ahead(
            command.at, await _now(connection), paper.in_at or paper.reported_at
        ).isoformat()
        await _refuse_bill(connection, thread, command)
    return body


def _not_ahead(at: datetime | None, now: datetime, after: datetime) -> datetime:
    found = at or now
    if found > now + AHEAD:
        raise InvalidError(
            "/at", "时间在将来，请填写实际时间 · this time is still to come; enter when it was"
        )
    if found.astimezone(CHINA).date() < after.astimezone(CHINA).date():
        raise InvalidError(
            "/at",
            f"时间早于上一步（{after.astimezone(CHINA):%m-%d %H:%M}），请改正 · before the step before; put it right",
        )
    return found


async def _one_quote_fen(connection: Connection, unit: str) -> int:
    rows = await load_parameters(connection)
    now = to_us(await _now(connection))
    return parameters.resolve(parameters.VEHICLE, unit, now, rows)["one_quote_yuan"] * 100


async def _refuse_bill(connection: Connection, thread: RepairThread, command: RepairFinish) -> None:
    paper, total = thread.paper, command.bill.total_fen
    if total > (paper.approved_fen or 0):
        raise InvalidError(
            "/bill/total_fen",
            f"金额 {yuan(total)} 元超过批准的 {yuan(paper.approved_fen or 0)} 元，请先申请追加费用（:ask-more）并经审批"
            f" · more than was approved ({yuan(paper.approved_fen or 0)}): ask for more first",
        )
    used = command.invoice is not None and await connection.fetchval(
        "SELECT invoice_is_used($1, $2, $3)", paper.shop, command.invoice, thread.id
    )
    if used:
        raise InvalidError(
            "/invoice",
            f"{paper.shop} 的发票 {command.invoice} 已用于另一张维修单，请核对发票号 · this invoice of the shop is on another maintenance; check its number",
        )


# --- read

_LISTED: Final = (
    "m.id, m.organisation, m.vehicle, m.number, m.state, m.version, m.fault, m.shop, m.approved_fen, m.total_fen, m.odometer_m, m.invoice, m.in_shop,"
    " m.reported_at, m.in_at, m.out_at, m.accepted_at"
)


async def list_repairs(
    connection: Connection, *, state: RepairState | None = None, organisation: str | None = None, vehicle: str | None = None,
    open: bool = False, limit: int, after: tuple[datetime, str] | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Maintenances within reach, the newest report first."""
    arguments: list[Any] = [limit]
    conditions = []
    if state is not None:
        arguments.append(state)
        conditions.append(f"m.state = ${len(arguments)}")
    if open:
        conditions.append("m.state <> ALL ('{accepted,cancelled}')")
    if organisation is not None:
        arguments.append(sorted(await units_below(connection, [organisation])))
        conditions.append(f"m.organisation = ANY (${len(arguments)}::text[])")
    if vehicle is not None:
        arguments.append(vehicle)
        conditions.append(f"m.vehicle = ${len(arguments)}")
    if after is not None:
        arguments += after
        conditions.append(f"(m.reported_at, m.id) < (${len(arguments) - 1}, ${len(arguments)})")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = await connection.fetch(
        f"SELECT {_LISTED} FROM maintenances m{where} ORDER BY m.reported_at DESC, m.id DESC LIMIT $1",  # noqa: S608 - constants
        *arguments,
    )
    return [dict(row) | {"state_name": STATE_NAMES[RepairState(row["state"])]} for row in rows]


async def show_repair(connection: Connection, actor: Actor, id: str) -> dict[str, Any]:
    """A maintenance with its thread, and what the caller may do now. Raises NotThereError."""
    thread = await read_repair(connection, id)
    rows = await connection.fetchrow(f"SELECT {_LISTED} FROM maintenances m WHERE m.id = $1", id)  # noqa: S608 - constants
    paper = thread.paper
    return dict(rows) | {
        "state_name": STATE_NAMES[paper.state],
        "quotes": [{"shop": shop, "total_fen": fen} for shop, fen in paper.quotes.items()],
        "asked_fen": paper.asked_fen,
        "pictures": paper.pictures,
        "may": [
            {"step": what, "name": STEP_NAMES[what], "refused": refused}
            for what, refused in await possible(connection, actor, thread)
        ],
        "thread": [shown(entry) for entry in thread.entries],
    }


def shown(entry: Entry) -> dict[str, Any]:
    """An event as people see it."""
    event = entry.event
    return {
        "version": event.version,
        "step": event.step,
        "name": STEP_NAMES[event.step],
        "at": event.at,
        "by": entry.actor_name,
        "actor": entry.actor,
        "persons": sorted(event.persons),
        "body": dict(event.body),
    }


async def count_repairs(connection: Connection, vehicle: str) -> int:
    """How many maintenances a vehicle has had."""
    found: int = await connection.fetchval("SELECT count(*) FROM maintenances WHERE vehicle = $1", vehicle)
    return found


async def bills_of(connection: Connection, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The bill of each of ``ids`` that was finished, as it was entered last: {parts, labour, total_fen}."""
    rows = await connection.fetch(
        "SELECT DISTINCT ON (paper) paper, body FROM maintenance_events WHERE paper = ANY ($1::text[]) AND step = 'finish'"
        " ORDER BY paper, version DESC",
        list(ids),
    )
    return {row["paper"]: row["body"]["bill"] for row in rows}
