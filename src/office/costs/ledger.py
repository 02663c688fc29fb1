"""The ledger in the database: lines entered, corrected by a new version, reversed. All SQL of ``cost_entries`` and ``cost_entry_versions``."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from office.costs.entry import CostContents, CostCorrection, CostReversal, body_of, period_of
from office.costs.kinds import AT_STATIONS, FINDING_NAMES, KIND_NAMES, CostKind, finding_of
from office.costs.money import yuan
from office.costs.problems import no_entry, stale
from office.costs.statement import READ
from office.identity.scope import FEW_UNITS, in_order
from office.supervision.actors import Actor, persons_for, reach_of
from registry.organisations import organisation_exists, units_below
from rules.alerts.conditions import Conditions
from runtime.connection import Connection
from runtime.errors import DeclinedError, InvalidError
from runtime.units import CHINA

WRITE: Final = "costs:write"
#: A line that is corrected more often is a mistake of another kind.
_MOST_VERSIONS: Final = 100
_COLUMNS: Final = (
    "id, organisation, entry_no, kind, vehicle, dispatch, driver, occurred_on, period, quantity, unit_price_fen, amount_fen, vendor,"
    " designated, invoice_code, invoice_no, payer, finding, budget_class, source, reverses, reversed_by, version, created_at"
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a line comes from. ``id``: "" = a new one. ``more``: of the file, kept with the first version."""

    source: str = "entered"
    id: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """None = any. ``organisation``: with the units below it. ``finding``: only those with one. Days: from, to and with."""

    organisation: str | None = None
    vehicle: str | None = None
    kind: CostKind | None = None
    period: str | None = None
    dispatch: str | None = None
    finding: bool = False
    since: date | None = None
    until: date | None = None


async def enter(
    connection: Connection, actor: Actor, contents: CostContents, origin: Origin | None = None
) -> str:
    """A new line; its id. In the caller's transaction. Raises InvalidError, NotAllowedError, DeclinedError (an invoice or a number that is
    there already)."""
    origin = origin or Origin()
    now = await _now(connection)
    await _check(connection, actor, contents, now, "")
    id = origin.id or f"FY-{now.astimezone(CHINA):%Y%m%d}-{secrets.token_hex(6).upper()}"
    values = await _row(connection, contents) | {
        "source": origin.source,
        "version": 1,
        "created_at": now,
    }
    await _insert(connection, id, values)
    await _add_version(connection, actor, id, 1, "enter", now, {"contents": body_of(contents), **origin.more})
    return id


async def correct(connection: Connection, actor: Actor, id: str, given: CostCorrection) -> dict[str, Any]:
    """The line anew, as its next version."""
    row, now = await _held(connection, id, given.version), await _now(connection)
    if given.contents.organisation != row["organisation"]:
        raise InvalidError(
            "/contents/organisation", "单位不能更改：请冲正后在正确的单位重新登记 · the unit cannot be changed: reverse it and enter it there"
        )  # fmt: skip
    await _check(connection, actor, given.contents, now, id)
    if row["version"] >= _MOST_VERSIONS:
        raise DeclinedError("too-many-versions", "更正次数过多，请冲正后重新登记 · corrected too often; reverse it and enter it anew")  # fmt: skip
    values = await _row(connection, given.contents) | {"version": row["version"] + 1}
    sets = ", ".join(f"{name} = ${k}" for k, name in enumerate(values, 2))
    await connection.execute(f"UPDATE cost_entries SET {sets} WHERE id = $1", id, *values.values())  # noqa: S608 - constants
    body = {"contents": body_of(given.contents), "reason": given.reason}
    await _add_version(connection, actor, id, row["version"] + 1, "correct", now, body)
    return await show(connection, id)


async def reverse(connection: Connection, actor: Actor, id: str, given: CostReversal) -> dict[str, Any]:
    """冲正: a new line with the opposite amount, booked today; both stay. The answer is that line."""
    row, now = await _held(connection, id, given.version), await _now(connection)
    await persons_for(connection, actor, row["organisation"], WRITE)
    today = now.astimezone(CHINA).date()
    other = f"FY-{today:%Y%m%d}-{secrets.token_hex(6).upper()}"
    kept = (
        "organisation", "kind", "vehicle", "dispatch", "driver", "quantity", "unit_price_fen", "vendor", "designated", "payer", "budget_class",
    )  # fmt: skip
    values = {name: row[name] for name in kept} | {
        "occurred_on": today,
        "period": period_of(today),
        "amount_fen": -row["amount_fen"],
        "source": "reversal",
        "reverses": id,
        "version": 1,
        "created_at": now,
    }
    await _insert(connection, other, values)
    await connection.execute(
        "UPDATE cost_entries SET reversed_by = $2, finding = NULL, version = version + 1 WHERE id = $1",
        id,
        other,
    )
    shown = {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}
    await _add_version(connection, actor, other, 1, "enter", now, {"contents": shown, "reason": given.reason})
    body = {"reversed_by": other, "reason": given.reason}
    await _add_version(connection, actor, id, row["version"] + 1, "reverse", now, body)
    return await show(connection, other)


async def _now(connection: Connection) -> datetime:
    moment: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return moment


async def _held(connection: Connection, id: str, version: int) -> Any:
    """The row of a line that can still be changed, locked."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM cost_entries WHERE id = $1 FOR UPDATE", id)  # noqa: S608 - constant
    if row is None:
        raise no_entry(id)
    if row["version"] != version:
        raise stale("这笔费用", "the entry", row["version"])
    if row["reverses"] is not None or row["reversed_by"] is not None:
        raise DeclinedError(
            "reversed", "已冲正的费用和冲正行不能再改，请重新登记 · a reversed entry and a reversal are not changed; enter it anew"
        )  # fmt: skip
    return row


async def _check(
    connection: Connection, actor: Actor, contents: CostContents, now: datetime, beside: str
) -> None:
    """Raises for what the line names and is not there, or was booked already. ``beside``: the line itself."""
    if not await organisation_exists(connection, contents.organisation):
        raise InvalidError("/organisation", f"单位 {contents.organisation} 未登记，或不在您的范围内 · no such unit, or it is not yours")  # fmt: skip
    await persons_for(connection, actor, contents.organisation, WRITE)
    if contents.occurred_on > now.astimezone(CHINA).date():
        raise InvalidError(
            "/occurred_on", "发生日在今天之后，请填写实际发生日 · the day is in the future; enter the day on which it happened"
        )  # fmt: skip
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM vehicles WHERE id = $1)", contents.vehicle):
        raise InvalidError("/vehicle", f"车辆 {contents.vehicle} 未登记，或不在您的范围内 · no such vehicle, or it is not yours")  # fmt: skip
    if contents.driver is not None and not await connection.fetchval(
        "SELECT EXISTS (SELECT FROM drivers WHERE id = $1)", contents.driver
    ):
        raise InvalidError("/driver", f"驾驶员 {contents.driver} 未登记，或不在您的范围内 · no such driver, or he is not yours")  # fmt: skip
    if contents.dispatch is not None:
        vehicle = await connection.fetchval(
            "SELECT vehicle FROM dispatch_orders WHERE id = $1 AND is_newest", contents.dispatch
        )
        if vehicle is None:
            raise InvalidError("/dispatch", f"没有派车单 {contents.dispatch}，或不在您的范围内 · no such dispatch, or it is not yours")  # fmt: skip
        if vehicle != contents.vehicle:
            raise InvalidError("/dispatch", f"派车单 {contents.dispatch} 用的是另一辆车，请核对 · the dispatch is of another vehicle")  # fmt: skip
    booked = await connection.fetchval("SELECT invoice_is_booked($1, $2, $3)", contents.invoice_code, contents.invoice_no, beside)  # fmt: skip
    if booked:
        raise DeclinedError(
            "invoice-booked",
            f"发票 {contents.invoice_code} {contents.invoice_no} 已入账，不能重复登记；登记有误的请先冲正"
            " · this invoice is booked already; reverse that entry first if it was wrong",
            pointer="/invoice_no",
        )
    if contents.entry_no is not None and await connection.fetchval(
        "SELECT EXISTS (SELECT FROM cost_entries WHERE organisation = $1 AND entry_no = $2 AND id <> $3)",
        contents.organisation, contents.entry_no, beside,
    ):  # fmt: skip
        raise DeclinedError(
            "entry-no-taken", f"流水号 {contents.entry_no} 已登记，请核对或更正原来的一笔 · this number is taken; correct that entry", pointer="/entry_no"
        )  # fmt: skip


async def _row(connection: Connection, contents: CostContents) -> dict[str, Any]:
    """The columns that follow from what a line says."""
    designated = None
    if contents.kind in AT_STATIONS and contents.vendor:
        designated = await connection.fetchval(
            "SELECT EXISTS (SELECT FROM fuel_stations WHERE name = $1 OR $1 = ANY (aliases))", contents.vendor
        )
    return {
        "organisation": contents.organisation,
        "entry_no": contents.entry_no,
        "kind": str(contents.kind),
        "vehicle": contents.vehicle,
        "dispatch": contents.dispatch,
        "driver": contents.driver,
        "occurred_on": contents.occurred_on,
        "period": contents.booked,
        "quantity": contents.quantity,
        "unit_price_fen": contents.unit_price_fen,
        "amount_fen": contents.amount_fen,
        "vendor": contents.vendor,
        "designated": designated,
        "invoice_code": contents.invoice_code,
        "invoice_no": contents.invoice_no,
        "payer": contents.paid_by,
        "finding": finding_of(contents.kind, contents.paid_by) if contents.amount_fen > 0 else None,
        "budget_class": contents.budget_class,
    }


async def _insert(connection: Connection, id: str, values: Mapping[str, Any]) -> None:
    names = ", ".join(["id", *values])
    marks = ", ".join(f"${k}" for k in range(1, len(values) + 2))
    await connection.execute(f"INSERT INTO cost_entries ({names}) VALUES ({marks})", id, *values.values())  # noqa: S608 - constants


async def _add_version(
    connection: Connection, actor: Actor, id: str, version: int, step: str, at: datetime, body: Mapping[str, Any]
) -> None:  # fmt: skip
    await connection.execute(
        "INSERT INTO cost_entry_versions (entry, version, step, at, actor, actor_name, address, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        id, version, step, at, actor.person, actor.subject.name, actor.address[:100], dict(body),
    )  # fmt: skip


# --- shown


def _view(row: Any) -> dict[str, Any]:
    kind = CostKind(row["kind"])
    return dict(row) | {
        "kind_name": KIND_NAMES[kind],
        "amount": yuan(row["amount_fen"]),
        "finding_name": None if row["finding"] is None else FINDING_NAMES[row["finding"]],
    }


async def show(connection: Connection, id: str) -> dict[str, Any]:
    """A line with its versions, oldest first. Raises NotThereError."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM cost_entries WHERE id = $1", id)  # noqa: S608 - constant
    if row is None:
        raise no_entry(id)
    rows = await connection.fetch(
        "SELECT version, step, at, actor_name AS by, body FROM cost_entry_versions WHERE entry = $1 ORDER BY version",
        id,
    )
    return _view(row) | {"versions": [dict(each) for each in rows]}


async def list_entries(
    connection: Connection, actor: Actor, filters: EntryFilter, limit: int, after: tuple[date, str] | None
) -> list[dict[str, Any]]:
    """Lines of the caller's units, the newest day first, behind ``after``."""
    asked, reached = Conditions(), await reach_of(connection, actor.subject, READ)
    if filters.organisation is not None:
        asked.add("organisation = ANY({})", sorted(await units_below(connection, [filters.organisation])))
    elif reached is not None:
        asked.add("organisation = ANY({})", reached)
    for name in ("vehicle", "kind", "period", "dispatch"):
        if (value := getattr(filters, name)) is not None:
            asked.add(f"{name} = {{}}", str(value))
    if filters.finding:
        asked.add("finding IS NOT NULL")
    if filters.since is not None:
        asked.add("occurred_on >= {}", filters.since)
    if filters.until is not None:
        asked.add("occurred_on <= {}", filters.until)
    if after is not None:
        asked.add("occurred_on <= {} AND (occurred_on < {} OR id > {})", after[0], after[0], after[1])
    most = asked.argument(limit)
    async with in_order(connection, reached is None or len(reached) > FEW_UNITS):
        rows = await connection.fetch(
            f"SELECT {_COLUMNS} FROM cost_entries{asked.where} ORDER BY occurred_on DESC, id LIMIT {most}",  # noqa: S608 - constants
            *asked.arguments,
        )
    return [_view(row) for row in rows]


async def list_of_driver(
    connection: Connection, driver: str, since: date | None, until: date | None, limit: int, after: tuple[date, str] | None
) -> list[dict[str, Any]]:  # fmt: skip
    """Lines within reach that name a driver, the newest day first, behind ``after``: what he is told of them. Who may ask is the caller's to decide."""
    asked = Conditions()
    asked.add("driver = {}", driver)
    if since is not None:
        asked.add("occurred_on >= {}", since)
    if until is not None:
        asked.add("occurred_on <= {}", until)
    if after is not None:
        asked.add("occurred_on <= {} AND (occurred_on < {} OR id > {})", after[0], after[0], after[1])
    most = asked.argument(limit)
    rows = await connection.fetch(
        f"SELECT id, organisation, kind, vehicle, dispatch, driver, occurred_on, period, amount_fen, payer, finding, reverses, reversed_by"  # noqa: S608 - constants
        f" FROM cost_entries{asked.where} ORDER BY occurred_on DESC, id LIMIT {most}",
        *asked.arguments,
    )
    return [_view(row) for row in rows]
