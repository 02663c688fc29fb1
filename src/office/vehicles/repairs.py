"""A step of a maintenance, by somebody: rights, state, version, and everything that follows, in one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from office.posting import inside
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
    Refusal,
    StaleError,
    StepRefusedError,
    advance,
    begin,
    check_choice,
    refusal,
)
from office.vehicles.repair_threads import (
    Entry,
    RepairThread,
    now_of,
    open_row,
    read_repair,
    store,
    take_number,
    write_row,
)
from office.vehicles.steps import (
    APPROVE,
    KEEP,
    RepairAction,
    row_of,
    steps_of,
)
from registry import parameters
from registry.organisations import units_above
from registry.parameter_values import load_parameters
from registry.refusals import AHEAD
from registry.spelling import name_key
from runtime.connection import Connection
from runtime.errors import InvalidError
from runtime.units import CHINA, to_us

#: From so many events on a paper takes no more notes, and nothing that can be repeated for ever. It can still be brought to its end.
MAX_EVENTS: Final = 300
_AT_WILL: Final = frozenset(
    {
        RepairAction.NOTE,
        RepairAction.QUOTE,
        RepairAction.ASK_MORE,
        RepairAction.REJECT,
        RepairAction.REDO,
    }
)


async def report(connection: Connection, actor: Actor, given: MaintenanceNew) -> RepairThread:
    """报修. Raises InvalidError, NotAllowedError."""
    vehicle = await connection.fetchrow(
        "SELECT organisation, disposed_on FROM vehicles WHERE id = $1", given.vehicle
    )
    if vehicle is None:
        raise InvalidError("/vehicle", f"车辆 {given.vehicle} 未登记，或不在您的范围内，请核对 · no such vehicle, or not yours: {given.vehicle}")  # fmt: skip
    unit, now = vehicle["organisation"], await now_of(connection)
    if vehicle["disposed_on"] is not None and vehicle["disposed_on"] <= now.astimezone(CHINA).date():
        raise InvalidError("/vehicle", "车辆已处置，不再维修，请核对 · the vehicle is disposed of")
    persons = (await persons_for(connection, actor, unit, *KEEP))[0]
    await _refuse_less(connection, given)
    id, number = f"WX-{secrets.token_hex(8).upper()}", await take_number(connection, unit, now)
    event = Event(1, RepairAction.REPORT, now, persons, plain(given) | {"number": number})
    paper = begin(event)
    await open_row(connection, id, unit, paper)
    await store(connection, id, actor, event)
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
        raise InvalidError("", "本单的办理记录过多，只能办完或取消 · too many entries: bring it to its end")
    event = Event(thread.paper.version + 1, what, await now_of(connection), persons, body)
    paper = advance(thread.paper, event)
    await store(connection, thread.id, actor, event)
    await write_row(connection, thread.id, paper)
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
    await inside.tell(
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
        body["at"] = _not_ahead(
            command.at, await now_of(connection), paper.approved_at or paper.reported_at
        ).isoformat()
    elif isinstance(command, RepairMore):
        if command.total_fen <= (paper.approved_fen or 0):
            raise InvalidError(
                "/total_fen",
                f"追加后的总额须大于已批准的 {yuan(paper.approved_fen or 0)} 元 · must be more than what was approved",
            )
    elif isinstance(command, RepairFinish):
        body["at"] = _not_ahead(
            command.at, await now_of(connection), paper.in_at or paper.reported_at
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
    now = to_us(await now_of(connection))
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
