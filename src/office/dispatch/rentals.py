"""Rental of society's vehicles (社会车辆租赁报备): one step in one transaction. All SQL of ``rental_reports``, ``rental_proofs``, ``rental_proof_vehicles`` and
``rental_numbers``. What a settled rental costs is booked by the ledger, which the room above joins.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any, Final

from office.dispatch.asking import seen
from office.dispatch.proving import Proof, prove
from office.dispatch.rental_contents import (
    DISPATCH,
    STATE_NAMES,
    TABLE,
    RentalCommand,
    RentalNew,
    RentalReason,
    RentalSettle,
    RentalState,
    RentalStep,
    RentalTake,
    named,
)
from office.dispatch.threads import RequestThread, now_of
from office.requests.table import TripState
from office.supervision.actors import Actor, persons_for
from registry import vehicles
from registry.organisations import units_below
from registry.vehicles import Vehicle
from rules.navigation import TravelTimes
from runtime.connection import Connection
from runtime.errors import DeclinedError, InvalidError, NotThereError
from runtime.units import CHINA

#: A rental is for a task: at most so long, and of one vehicle so many days together.
MOST: Final = timedelta(days=30)
#: It is booked so long ahead.
AHEAD: Final = timedelta(hours=2)
_WAITS: Final = frozenset({TripState.WAITING, TripState.NO_VEHICLE})
_COLUMNS: Final = (
    "id, number, organisation, pool, request, state, version, period_from, period_to, passengers, supplier, contract, vehicle_class, seats, reason,"
    " ceiling_fen, reported_at, reported_by_name AS reported_by, decided_at, decided_by_name AS decided_by, decision_reason, plate, vehicle, taken_at,"
    " taken_by_name AS taken_by, driver, insured_fen, driven_m, amount_fen, cost_entry, settled_at, settled_by_name AS settled_by"
)


async def report(connection: Connection, actor: Actor, given: RentalNew, ways: TravelTimes) -> str:
    """Report a rental, with the proof of now; its id. Raises NotThereError, InvalidError, DeclinedError where an own vehicle can serve."""
    thread = await seen(connection, actor, given.request, lock=True)
    request, row = thread.paper, thread.row
    persons = (await persons_for(connection, actor, request.pool, DISPATCH))[0]
    _refuse_state(thread)
    now = await now_of(connection)
    since, until = row["planned_departure"], row["planned_return"]
    if until - since > MOST:
        raise InvalidError(
            "/request",
            f"租赁一次不得超过 {MOST.days} 天，请分段申请或调整行程 · a rental is for at most {MOST.days} days",
        )
    if since < now + AHEAD:
        raise InvalidError(
            "/request",
            "租赁须提前 2 小时报备，离出发不足 2 小时，请走应急用车或改时间 · a rental is reported 2 hours ahead: this departure is sooner",
        )
    passengers = int(request.contents["passengers"])
    if given.seats <= passengers:
        raise InvalidError(
            "/seats",
            f"座位不够：乘车 {passengers} 人，另有驾驶员 1 人 · too few seats for {passengers} and the driver",
        )
    there = await connection.fetchval(
        "SELECT number FROM rental_reports WHERE request = $1 AND state NOT IN ('refused', 'withdrawn')",
        thread.id,
    )
    if there is not None:
        raise DeclinedError(
            "rental-is-there", f"该申请已报备租赁（{there}） · this request has a report already ({there})"
        )
    proof = await prove(connection, thread, ways)
    id, number = f"ZL-{secrets.token_hex(8).upper()}", await _take_number(connection, request.pool, now)
    await connection.execute(
        "INSERT INTO rental_reports (id, number, organisation, pool, units, request, state, version, period_from, period_to, passengers, supplier, contract,"
        " vehicle_class, seats, reason, ceiling_fen, reported_at, reported_by, reporters, reported_by_name)"
        " VALUES ($1, $2, $3, $4, $5, $6, 'reported', 1, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
        id, number, request.organisation, request.pool, sorted({request.organisation, request.pool}), thread.id, since, until, passengers,
        given.supplier, given.contract, given.vehicle_class, given.seats, given.reason, given.ceiling_fen, now, actor.person, sorted(persons),
        actor.subject.name,
    )  # fmt: skip
    await _keep(connection, actor, id, 1, proof)
    return id


def _refuse_state(thread: RequestThread) -> None:
    if thread.paper.state not in _WAITS:
        raise DeclinedError(
            "request-does-not-wait", "申请不在待派车或无车状态（未批准、已派车或已结束），不能租赁 · the request does not wait for a vehicle: not approved, sent, or over",
            more={"version": thread.paper.version, "state": thread.paper.state}, pointer="/request",
        )  # fmt: skip


async def _take_number(connection: Connection, pool: str, at: datetime) -> str:
    year = at.astimezone(CHINA).year
    last = await connection.fetchval(
        "INSERT INTO rental_numbers (pool, year, last) VALUES ($1, $2, 1) ON CONFLICT (pool, year) DO UPDATE SET last = rental_numbers.last + 1 RETURNING last",
        pool, year,
    )  # fmt: skip
    return f"租〔{year}〕{pool}-{last:06d}号"


async def _keep(connection: Connection, actor: Actor, id: str, number: int, proof: Proof) -> None:
    await connection.execute(
        "INSERT INTO rental_proofs (report, number, asked_at, asked_by, units, looked_at, travel, unknown, sha256) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        id, number, proof.asked_at, actor.person, list(proof.units), proof.looked_at, proof.travel, [dict(each) for each in proof.unknown], proof.sha256,
    )  # fmt: skip
    await connection.executemany(
        "INSERT INTO rental_proof_vehicles (report, number, vehicle, plate, organisation, reasons) VALUES ($1, $2, $3, $4, $5, $6)",
        [(id, number, each["vehicle"], each["plate"], each["organisation"], each["reasons"]) for each in proof.vehicles],
    )  # fmt: skip


async def held(connection: Connection, id: str, *, lock: bool = False) -> dict[str, Any]:
    """The row of a report. Raises NotThereError, also for one that is not the caller's to see."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS}, reporters FROM rental_reports WHERE id = $1{' FOR UPDATE' if lock else ''}",  # noqa: S608 - constants
        id,
    )
    if row is None:
        raise NotThereError(
            f"没有这份租赁报备，或不在您的范围内 · no such report, or it is not yours to see: {id}"
        )
    return dict(row)


async def step(
    connection: Connection, actor: Actor, id: str, what: RentalStep, command: RentalCommand, ways: TravelTimes, entry: str | None = None
) -> None:  # fmt: skip
    """Take a step, in the caller's transaction. ``entry``: of a settlement, the line of the ledger. Raises NotThereError, NotAllowedError, DeclinedError,
    InvalidError; then nothing was written."""
    row = await admitted(connection, actor, id, what, command)
    name, now = actor.subject.name, await now_of(connection)
    values: dict[str, Any] = {}
    if what in (RentalStep.APPROVE, RentalStep.REFUSE):
        values = {"decided_at": now, "decided_by": actor.person, "decided_by_name": name}
        if isinstance(command, RentalReason):
            values["decision_reason"] = command.reason
        else:
            # Of the unit's own vehicles, which the pool's dispatcher need not reach; and whether it still waits.
            thread = await seen(connection, actor, row["request"], lock=True)
            _refuse_state(thread)
            await _keep(connection, actor, id, 2, await prove(connection, thread, ways))
    elif isinstance(command, RentalReason):
        if row["decision_reason"] is None:
            values = {"decision_reason": command.reason}
    elif isinstance(command, RentalTake):
        values = await _take(connection, row, command) | {"taken_at": now, "taken_by_name": name}
    elif isinstance(command, RentalSettle):
        values = {
            "amount_fen": command.amount_fen, "driven_m": command.driven_m, "cost_entry": entry, "settled_at": now, "settled_by_name": name,
        }  # fmt: skip
    values |= {"state": TABLE[what][1], "version": row["version"] + 1}
    sets = ", ".join(f"{column} = ${k}" for k, column in enumerate(values, 2))
    await connection.execute(f"UPDATE rental_reports SET {sets} WHERE id = $1", id, *values.values())  # noqa: S608 - constants


async def admitted(
    connection: Connection, actor: Actor, id: str, what: RentalStep, command: RentalCommand
) -> dict[str, Any]:
    """The row, locked, where ``actor`` may take the step in its state and version. Raises NotThereError, NotAllowedError, DeclinedError, InvalidError."""
    row = await held(connection, id, lock=True)
    state = RentalState(row["state"])
    more = {"version": row["version"], "state": row["state"]}
    sources, _, permission, side = TABLE[what]
    ways = await persons_for(connection, actor, row[side], permission)
    if command.version != row["version"]:
        raise DeclinedError(
            "stale-version",
            f"报备已有新的办理，现为第 {row['version']} 版（{STATE_NAMES[state]}），请重新打开后再办 · it has moved on: it is at version {row['version']} ({state}); read it again",
            more=more,
        )  # fmt: skip
    if state not in sources:
        raise DeclinedError(
            "not-now",
            f"现在的状态（{STATE_NAMES[state]}）不能这样办理 · not possible in the present state ({state})",
            more=more,
        )
    decides = what in (RentalStep.APPROVE, RentalStep.REFUSE)
    if decides and (not actor.human or all(set(persons) & set(row["reporters"]) for persons in ways)):
        error = DeclinedError(
            "own-report",
            "报备人（或委托其办理的人）不能批准本单，程序也不能；请由单位负责人本人办理 · who reported it does not decide on it, nor does a program",
            more=more,
        )
        error.status = 403
        raise error
    if isinstance(command, RentalSettle) and command.amount_fen > row["ceiling_fen"]:
        raise InvalidError(
            "/amount_fen",
            "金额超过报备的最高金额，请与供应商核对；确需超出的须重新报备 · more than the ceiling that was reported",
        )
    return row


async def _take(connection: Connection, row: dict[str, Any], command: RentalTake) -> dict[str, Any]:
    """The rented vehicle of a report, registered for its days."""
    if command.seats < row["seats"]:
        raise InvalidError(
            "/seats", f"座位少于报备的 {row['seats']} 座 · fewer seats than were reported ({row['seats']})"
        )
    first, last = (row[name].astimezone(CHINA).date() for name in ("period_from", "period_to"))
    before = await connection.fetch(
        "SELECT period_from, period_to FROM rental_reports WHERE organisation = $1 AND plate = $2 AND state IN ('taken', 'settled')"
        " AND period_to > $3 AND period_from < $4 ORDER BY period_from",
        row["organisation"], command.plate, row["period_from"] - MOST, row["period_to"] + MOST,
    )  # fmt: skip
    days = {first + timedelta(days=k) for k in range((last - first).days + 1)}
    for other in before:
        begin, end = (other[name].astimezone(CHINA).date() for name in ("period_from", "period_to"))
        days |= {begin + timedelta(days=k) for k in range((end - begin).days + 1)}
    if len(days) > MOST.days:
        raise InvalidError(
            "/plate",
            f"车辆 {command.plate} 前后 {MOST.days} 天内已租用，合计 {len(days)} 天，超过 {MOST.days} 天，不得连续租用同一辆车 · {command.plate} would be rented for {len(days)} days"
            f" around this: at most {MOST.days}",
        )
    record = Vehicle(
        id=row["id"], plate=command.plate, organisation=row["organisation"], category="租赁", ownership="rented", report=row["number"],
        registered_on=first, disposed_on=last + timedelta(days=1),
    )  # fmt: skip
    await vehicles.write(connection, [record])
    return {
        "plate": command.plate,
        "vehicle": row["id"],
        "driver": command.driver,
        "insured_fen": command.insured_fen,
    }


# --- read


async def list_rentals(
    connection: Connection, *, state: RentalState | None, organisation: str | None, request: str | None, limit: int, after: tuple[datetime, str] | None
) -> list[dict[str, Any]]:  # fmt: skip
    """Reports, the newest first. ``organisation``: whose request, or whose pool, with the units below it."""
    arguments: list[Any] = [limit]
    conditions: list[str] = []

    def condition(text: str, value: Any) -> None:
        arguments.append(value)
        conditions.append(text.format(f"${len(arguments)}"))

    for column, value in (("state", state), ("request", request)):
        if value is not None:
            condition(f"{column} = {{}}", value)
    if organisation is not None:
        condition(
            "units && {}::text[]", sorted({organisation, *await units_below(connection, [organisation])})
        )
    if after is not None:
        arguments += after
        conditions.append(f"(reported_at, id) < (${len(arguments) - 1}, ${len(arguments)})")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM rental_reports{where} ORDER BY reported_at DESC, id DESC LIMIT $1",  # noqa: S608 - constants
        *arguments,
    )
    return [named(row) for row in rows]


async def show_rental(connection: Connection, id: str) -> dict[str, Any]:
    """One report with its proofs. Raises NotThereError."""
    row = await held(connection, id)
    row.pop("reporters")
    proofs = []
    for proof in await connection.fetch("SELECT * FROM rental_proofs WHERE report = $1 ORDER BY number", id):
        looked = await connection.fetch(
            "SELECT vehicle, plate, organisation, reasons FROM rental_proof_vehicles WHERE report = $1 AND number = $2 ORDER BY vehicle",
            id, proof["number"],
        )  # fmt: skip
        proofs.append(
            {
                "asked_at": proof["asked_at"], "units": proof["units"], "looked_at": proof["looked_at"], "travel": proof["travel"],
                "unknown": proof["unknown"], "vehicles": [dict(each) for each in looked], "sha256": proof["sha256"].hex(),
            }
        )  # fmt: skip
    return named(row) | {"proofs": proofs}
