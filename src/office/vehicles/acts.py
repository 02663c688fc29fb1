"""Transfers and disposals: one step in one transaction, with what follows for the vehicle, its terminal and its fuel cards. All SQL of ``vehicle_acts``,
``vehicle_act_events`` and ``vehicle_act_numbers``.

A transfer changes the unit of the vehicle when it is handed over, from then on: orders, costs and alerts of before keep the unit that they had.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from office.supervision.actors import Actor, persons_for
from office.supervision.problems import NotAllowedError
from office.vehicles.act_steps import (
    KEEP,
    KIND_NAMES,
    MODE_NAMES,
    OPEN,
    STATE_NAMES,
    STEP_NAMES,
    TABLE,
    Act,
    ActApprove,
    ActCommand,
    ActComplete,
    ActEvent,
    ActHandOver,
    ActKind,
    ActRefusedError,
    ActState,
    ActStep,
    DisposalNew,
    Side,
    TransferNew,
    advance,
    begin,
    fold,
    refuse_step,
    row_of,
)
from registry.fuel_cards import cards_on_plates
from registry.organisations import units_above, units_below
from registry.terminals import take_out
from registry.vehicles import dispose
from registry.writing import Lock, take_each
from runtime.connection import Connection
from runtime.errors import DeclinedError, InvalidError, NotThereError
from runtime.units import CHINA, midnight


@dataclass(frozen=True, slots=True)
class ActThread:
    """An act with its thread, oldest entry first; of each entry who did it."""

    id: str
    act: Act
    entries: tuple[tuple[ActEvent, str, str], ...]


async def ask(connection: Connection, actor: Actor, given: TransferNew | DisposalNew) -> ActThread:
    """Ask for a transfer or a disposal. Raises InvalidError, NotAllowedError, DeclinedError for a vehicle that has one already."""
    vehicle = await connection.fetchrow(
        "SELECT no, organisation, plate, disposed_on FROM vehicles WHERE id = $1 FOR UPDATE", given.vehicle
    )
    if vehicle is None:
        raise InvalidError("/vehicle", f"车辆 {given.vehicle} 未登记，或不在您的范围内，请核对 · no such vehicle, or not yours: {given.vehicle}")  # fmt: skip
    if vehicle["disposed_on"] is not None:
        raise InvalidError(
            "/vehicle",
            "车辆已处置，或是有期限的租赁车辆，不能调拨、处置 · it is disposed of, or rented for a time",
        )
    unit = vehicle["organisation"]
    persons = (await persons_for(connection, actor, unit, KEEP))[0]
    if isinstance(given, TransferNew):
        if given.to == unit:
            raise InvalidError("/to", "车辆已属于该单位 · it is of this unit already")
        if not await connection.fetchval("SELECT unit_is_registered($1)", given.to):
            raise InvalidError("/to", f"没有这个单位，请核对编号：{given.to} · no such unit: {given.to}")
    there = await connection.fetchval(
        "SELECT number FROM vehicle_acts WHERE vehicle = $1 AND open", given.vehicle
    )
    if there is not None:
        raise DeclinedError(
            "act-is-open",
            f"该车辆已有办理中的 {there}，请先办结或撤回 · this vehicle has {there} already: finish or withdraw it first",
        )
    now = await connection.fetchval("SELECT clock_timestamp()")
    kind = ActKind.TRANSFER if isinstance(given, TransferNew) else ActKind.DISPOSAL
    number = await _take_number(connection, unit, kind, now)
    body = given.model_dump(mode="json", exclude_none=True) | {
        "kind": kind, "organisation": unit, "number": number, "plate": vehicle["plate"]
    }  # fmt: skip
    event = ActEvent(1, ActStep.ASK, now, persons, body)
    act, id = begin(event), f"{'DB' if kind is ActKind.TRANSFER else 'CZ'}-{secrets.token_hex(8).upper()}"
    await connection.execute(
        "INSERT INTO vehicle_acts (id, kind, organisation, to_organisation, units, vehicle, vehicle_no, plate, number, state, version, mode, open, asked_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, $11, true, $12)",
        id, kind, unit, act.to, act.units, act.vehicle, vehicle["no"], act.plate, number, act.state, act.mode, now,
    )  # fmt: skip
    return await _store(connection, actor, ActThread(id, act, ()), event)


async def _take_number(connection: Connection, unit: str, kind: ActKind, at: datetime) -> str:
    year = at.astimezone(CHINA).year
    last = await connection.fetchval(
        "INSERT INTO vehicle_act_numbers (organisation, kind, year, last) VALUES ($1, $2, $3, 1)"
        " ON CONFLICT (organisation, kind, year) DO UPDATE SET last = vehicle_act_numbers.last + 1 RETURNING last",
        unit, kind, year,
    )  # fmt: skip
    return f"{KIND_NAMES[kind][0]}〔{year}〕{unit}-{last:06d}号"


async def read_act(connection: Connection, id: str, *, lock: bool = False) -> ActThread:
    """Raises NotThereError, also for one that is not the caller's to see."""
    row = await connection.fetchrow(
        f"SELECT id FROM vehicle_acts WHERE id = $1{' FOR UPDATE' if lock else ''}",  # noqa: S608 - constants
        id,
    )
    if row is None:
        raise NotThereError(
            f"没有这张调拨、处置单，或不在您的范围内 · no such act, or it is not yours to see: {id}"
        )
    rows = await connection.fetch("SELECT * FROM vehicle_act_events WHERE act = $1 ORDER BY version", id)
    entries = tuple(
        (ActEvent(r["version"], ActStep(r["step"]), r["at"], frozenset(r["persons"]), r["body"]), r["actor"], r["actor_name"])
        for r in rows
    )  # fmt: skip
    return ActThread(id, fold([event for event, _, _ in entries]), entries)


async def _hats(
    connection: Connection, actor: Actor, act: Act, permission: str, side: Side
) -> list[frozenset[str]]:
    """Whose act it would be with the permission on that side; none: it is not his."""
    of: dict[Side, list[str | None]] = {
        Side.FROM: [act.organisation],
        Side.TO: [act.to],
        Side.BOTH: [act.organisation, act.to],
    }
    found: list[frozenset[str]] | None = None
    for unit in of[side]:
        if unit is None:
            continue
        hats = actor.subject.hats((permission,), await units_above(connection, unit))
        found = hats if found is None else [each for each in found if each in hats]
    return found or []


async def step(
    connection: Connection, actor: Actor, id: str, what: ActStep, command: ActCommand
) -> ActThread:
    """Take a step; the act after it. In the caller's transaction. Raises NotThereError, NotAllowedError, ActRefusedError, InvalidError, DeclinedError; then
    nothing was written."""
    thread = await read_act(connection, id, lock=True)
    act = thread.act
    if command.version != act.version:
        raise DeclinedError(
            "stale-version",
            f"本单已有新的办理，现为第 {act.version} 版（{STATE_NAMES[act.state]}），请重新打开后再办 · it has moved on: it is at version {act.version} ({act.state}); read it again",
            more={"version": act.version, "state": act.state},
        )
    row = row_of(act.kind, act.state, what)
    hats = [] if row is None else await _hats(connection, actor, act, row.permission, row.side)
    if row is not None and not hats:
        side = act.to if row.side is Side.TO and act.to is not None else act.organisation
        raise NotAllowedError(side, (row.permission,))
    persons = refuse_step(act, what, hats, human=actor.human)
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    body = command.model_dump(mode="json", exclude_none=True, exclude={"version"})
    if isinstance(command, ActApprove):
        body |= _effective(act, command, now)
    elif isinstance(command, ActHandOver):
        body |= await _hand_over(connection, thread)
    elif isinstance(command, ActComplete):
        body |= await _complete(connection, thread, command, now)
    return await _store(connection, actor, thread, ActEvent(act.version + 1, what, now, persons, body))


async def _store(connection: Connection, actor: Actor, thread: ActThread, event: ActEvent) -> ActThread:
    act = advance(thread.act, event) if event.version > 1 else thread.act
    await connection.execute(
        "INSERT INTO vehicle_act_events (act, version, step, at, actor, persons, actor_name, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        thread.id, event.version, event.step, event.at, actor.person, sorted(event.persons), actor.subject.name, dict(event.body),
    )  # fmt: skip
    if event.version > 1:
        await connection.execute(
            "UPDATE vehicle_acts SET state = $2, version = $3, units = $4, effective_on = $5, open = $6, done_at = $7 WHERE id = $1",
            thread.id, act.state, act.version, act.units, act.effective_on, act.state in OPEN, act.done_at,
        )  # fmt: skip
    return ActThread(thread.id, act, (*thread.entries, (event, actor.person, actor.subject.name)))


def _effective(act: Act, command: ActApprove, now: datetime) -> dict[str, Any]:
    today = now.astimezone(CHINA).date()
    day = command.effective_on or today
    if act.kind is ActKind.DISPOSAL:
        if command.effective_on is not None:
            raise InvalidError(
                "/effective_on",
                "处置以注销办结为准，不填生效日期 · a disposal takes effect when it is completed: leave the day out",
            )
        return {}
    if day < today:
        raise InvalidError(
            "/effective_on",
            "生效日期不得早于今天：已经发生的用车不因调拨改变归属 · not before today: what was driven stays with who drove it",
        )
    return {"effective_on": day.isoformat()}


async def _free(connection: Connection, act: str, vehicle: str) -> None:
    """Nobody is sent with it, and whoever wants to send it waits for us. Raises DeclinedError naming the orders that still have it."""
    no = await connection.fetchval("SELECT vehicle_no FROM vehicle_acts WHERE id = $1", act)
    await take_each(connection, Lock.SENT_VEHICLES, [no])
    sent: list[str] = await connection.fetchval("SELECT vehicle_is_sent($1)", vehicle)
    if sent:
        raise DeclinedError(
            "vehicle-is-sent",
            f"车辆还有未完成的派车单：{'、'.join(sent)}，请先改派、取消或等其归队 · it still has orders ({', '.join(sent)}): reassign or cancel them, or wait for their return",
        )


async def _hand_over(connection: Connection, thread: ActThread) -> dict[str, Any]:
    act = thread.act
    await _free(connection, thread.id, act.vehicle)
    if await connection.fetchval("SELECT hand_over_vehicle($1)", thread.id) is None:
        raise DeclinedError(
            "not-to-be-handed-over",
            f"生效日期（{act.effective_on}）未到，或车辆的单位、处置状态在申请后已变，请核对 · before the day of the transfer, or the vehicle has changed since it was asked for",
        )
    return {}


async def _complete(
    connection: Connection, thread: ActThread, command: ActComplete, now: datetime
) -> dict[str, Any]:
    act, today = thread.act, now.astimezone(CHINA).date()
    if command.deregistered_on > today:
        raise InvalidError(
            "/deregistered_on", "注销日期在将来，请在注销后办结 · the deregistration is still to come"
        )
    await _free(connection, thread.id, act.vehicle)
    # Today it was an official vehicle still: what it did this morning is no use after its end. No day of the past either.
    ends = today + timedelta(days=1)
    if not await dispose(connection, act.vehicle, act.organisation, ends):
        raise DeclinedError(
            "vehicle-changed",
            "车辆的单位或处置状态在申请后已变，请核对 · the vehicle has changed since this was asked for: look again",
        )
    plate = await connection.fetchval("SELECT plate FROM vehicles WHERE id = $1", act.vehicle)
    return {
        "disposed_on": ends.isoformat(), "terminals": await take_out(connection, act.vehicle),
        "fuel_cards": await cards_on_plates(connection, [plate]),
    }  # fmt: skip


# --- read

_SHOWN: Final = "id, kind, organisation, to_organisation, vehicle, plate, number, state, version, mode, effective_on, asked_at, done_at"


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as it is listed."""
    return dict(row) | {
        "kind_name": KIND_NAMES[ActKind(row["kind"])], "state_name": STATE_NAMES[ActState(row["state"])],
        "mode_name": None if row["mode"] is None else MODE_NAMES[row["mode"]],
    }  # fmt: skip


async def list_acts(
    connection: Connection, *, kind: ActKind | None, state: ActState | None, organisation: str | None, vehicle: str | None, open: bool, limit: int,
    after: tuple[datetime, str] | None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Acts, the newest first. ``organisation``: from or to it, or a unit below it."""
    arguments: list[Any] = [limit]
    conditions: list[str] = []

    def condition(text: str, value: Any) -> None:
        arguments.append(value)
        conditions.append(text.format(f"${len(arguments)}"))

    for column, value in (("kind", kind), ("state", state), ("vehicle", vehicle)):
        if value is not None:
            condition(f"{column} = {{}}", value)
    if organisation is not None:
        condition(
            "units && {}::text[]", sorted({organisation, *await units_below(connection, [organisation])})
        )
    if open:
        conditions.append("open")
    if after is not None:
        arguments += after
        conditions.append(f"(asked_at, id) < (${len(arguments) - 1}, ${len(arguments)})")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = await connection.fetch(
        f"SELECT {_SHOWN} FROM vehicle_acts{where} ORDER BY asked_at DESC, id DESC LIMIT $1",  # noqa: S608 - constants
        *arguments,
    )
    return [shown(row) for row in rows]


async def show_act(connection: Connection, actor: Actor, id: str) -> dict[str, Any]:
    """One act with its thread and what the caller may do now. Raises NotThereError."""
    thread = await read_act(connection, id)
    row = await connection.fetchrow(f"SELECT {_SHOWN} FROM vehicle_acts WHERE id = $1", id)  # noqa: S608 - constants
    may = []
    for line in TABLE:
        if (line.kind, line.state) != (thread.act.kind, thread.act.state):
            continue
        hats = await _hats(connection, actor, thread.act, line.permission, line.side)
        if hats:
            why = None
            try:
                refuse_step(thread.act, line.step, hats, human=actor.human)
            except ActRefusedError as error:
                why = error.message
            may.append({"step": line.step, "name": STEP_NAMES[line.step], "refused": why})
    entries = [
        {"version": e.version, "step": e.step, "name": STEP_NAMES[e.step], "at": e.at, "by": name, "actor": who, "persons": sorted(e.persons), "body": dict(e.body)}
        for e, who, name in thread.entries
    ]  # fmt: skip
    plate = await connection.fetchval("SELECT plate FROM vehicles WHERE id = $1", thread.act.vehicle)
    cards = await cards_on_plates(connection, [] if plate is None else [plate])
    return shown(row) | {"may": may, "thread": entries, "fuel_cards": cards}


async def completed_disposals(
    connection: Connection, units: Collection[str], first: date, last: date
) -> list[dict[str, Any]]:
    """{vehicle, organisation, plate, mode_name, reason, done_on, proceeds_fen} of disposals of ``units`` that were completed from ``first`` to ``last``, by
    time: for publication. None of a secret vehicle, whoever asks."""
    rows = await connection.fetch(
        "SELECT a.vehicle, a.organisation, a.plate, a.mode, a.done_at, b.body ->> 'reason' AS reason, COALESCE((e.body ->> 'proceeds_fen')::bigint, 0) AS fen"
        " FROM vehicle_acts a JOIN vehicles v ON v.id = a.vehicle AND NOT v.secret JOIN vehicle_act_events b ON b.act = a.id AND b.version = 1"
        " JOIN vehicle_act_events e ON e.act = a.id AND e.step = 'complete' WHERE a.kind = 'disposal' AND a.state = 'done'"
        " AND a.organisation = ANY ($1::text[]) AND a.done_at >= $2 AND a.done_at < $3 ORDER BY a.done_at, a.id LIMIT 5001",
        sorted(units), midnight(first), midnight(last + timedelta(days=1)),
    )  # fmt: skip
    return [
        {
            "vehicle": row["vehicle"], "organisation": row["organisation"], "plate": row["plate"], "mode_name": MODE_NAMES[row["mode"]],
            "reason": row["reason"], "done_on": row["done_at"].astimezone(CHINA).date(), "proceeds_fen": row["fen"],
        }
        for row in rows
    ]  # fmt: skip
