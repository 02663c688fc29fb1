"""Papers with an end (证照): inspection (年检) and insurance of vehicles, licences of drivers. SQL of ``vehicle_papers``; what the clock
does with it is in ``registry.paper_ends``.

A paper holds from its first day to the end of its last, in China. It is never changed: a wrong one is declared void, and another one entered.
What is not entered is not known, and stops nobody; what has ended does.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from registry.licences import Body, LicenceClass, lets_drive
from registry.paper_ends import AHEAD, look_again, next_look
from registry.refusals import PlacedError
from registry.values import Day, Name, Text
from runtime.connection import Connection
from runtime.errors import DeclinedError
from runtime.units import CHINA


class VehiclePaperKind(StrEnum):
    """What a paper is."""

    INSPECTION = "inspection"  # 年检
    COMPULSORY = "compulsory"  # 交强险
    COMMERCIAL = "commercial"  # 商业险
    LICENCE = "licence"  # 驾驶证


KIND_NAMES: Final[Mapping[VehiclePaperKind, str]] = {
    VehiclePaperKind.INSPECTION: "年检", VehiclePaperKind.COMPULSORY: "交强险", VehiclePaperKind.COMMERCIAL: "商业险", VehiclePaperKind.LICENCE: "驾驶证",
}  # fmt: skip
#: Without these no vehicle is sent.
REQUIRED: Final = (VehiclePaperKind.INSPECTION, VehiclePaperKind.COMPULSORY)
#: Papers of a vehicle or a driver that are shown.
MOST: Final = 200


class _Dated(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    number: Name = Field(description="保单号、检验合格标志编号、驾驶证档案编号")
    issuer: Text = Field("", description="保险公司、检验机构、发证机关")
    valid_from: Day
    note: Text = ""


def _in_order(valid_from: date, valid_to: date | None) -> None:
    if valid_to is not None and valid_to < valid_from:
        raise PlacedError(
            "有效期止早于有效期起，请核对 · the last day is before the first; check them", "valid_to"
        )


class VehiclePaperNew(_Dated):
    """An inspection or an insurance of a vehicle. `valid_to`: the last day on which it holds, to its end."""

    kind: Literal["inspection", "compulsory", "commercial"]
    valid_to: Day
    amount_fen: int | None = Field(None, ge=0, le=10**12, description="费用，分")

    @model_validator(mode="after")
    def _ordered(self) -> VehiclePaperNew:
        _in_order(self.valid_from, self.valid_to)
        return self


class DriverLicenceNew(_Dated):
    """A driver's licence. Its own number is the one of his identity card: it is not kept; `number` is that of the file (档案编号)."""

    classes: list[LicenceClass] = Field(min_length=1, max_length=15, description="准驾车型")
    valid_to: Day | None = Field(description="null: 长期")

    @model_validator(mode="after")
    def _ordered(self) -> DriverLicenceNew:
        _in_order(self.valid_from, self.valid_to)
        return self


class VehiclePaperVoid(BaseModel):
    """Why a paper was never right."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    reason: Annotated[Text, StringConstraints(min_length=5, max_length=200, strip_whitespace=True)]


@dataclass(frozen=True, slots=True)
class Lapse:
    """A paper that has ended. ``last``: the last day on which it held."""

    kind: VehiclePaperKind
    last: date


# --- written


def _new_id() -> str:
    return f"ZJ-{secrets.token_hex(8).upper()}"


async def enter(
    connection: Connection, unit: str, *, vehicle: str | None, driver: str | None, given: VehiclePaperNew | DriverLicenceNew,
    actor: str, actor_name: str,
) -> str:  # fmt: skip
    """Keep a paper of a vehicle or a driver of ``unit``; its id. Raises DeclinedError for one that is there already."""
    id, last = _new_id(), date.max if given.valid_to is None else given.valid_to
    kind = VehiclePaperKind(given.kind) if isinstance(given, VehiclePaperNew) else VehiclePaperKind.LICENCE
    classes = sorted(set(given.classes)) if isinstance(given, DriverLicenceNew) else []
    amount = given.amount_fen if isinstance(given, VehiclePaperNew) else None
    there = await connection.fetchval(
        "SELECT id FROM vehicle_papers WHERE (vehicle = $1 OR driver = $2) AND kind = $3 AND number = $4 AND valid_from = $5 AND valid_to = $6"
        " AND voided_at IS NULL LIMIT 1",
        vehicle, driver, kind, given.number, given.valid_from, last,
    )  # fmt: skip
    if there is not None:
        raise DeclinedError(
            "paper-is-there",
            f"{KIND_NAMES[kind]} {given.number} 已登记（{there}），不必重复；录错的请先作废 · it is entered already ({there}); declare a wrong one void first",
            more={"paper": there},
        )
    await connection.execute(
        "INSERT INTO vehicle_papers (id, organisation, vehicle, driver, kind, number, issuer, classes, valid_from, valid_to, amount_fen, note,"
        " entered_by, entered_by_name, look_on) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        id, unit, vehicle, driver, kind, given.number, given.issuer, classes, given.valid_from, last, amount, given.note,
        actor, actor_name, next_look(last, None),
    )  # fmt: skip
    return id


async def declare_void(
    connection: Connection, id: str, reason: str, actor: str, actor_name: str
) -> bool | None:
    """Declare a paper void. False: it is void already; None: there is none within reach."""
    row = await connection.fetchrow("SELECT voided_at FROM vehicle_papers WHERE id = $1 FOR UPDATE", id)
    if row is None:
        return None
    if row["voided_at"] is not None:
        return False
    await connection.execute(
        "UPDATE vehicle_papers SET voided_at = clock_timestamp(), voided_by = $2, voided_by_name = $3, void_reason = $4, look_on = NULL WHERE id = $1",
        id, actor, actor_name, reason,
    )  # fmt: skip
    await look_again(connection, id)
    return True


# --- read

#: The columns that people see, of the table ``p``.
_SHOWN: Final = (
    "p.id, p.organisation, p.vehicle, p.driver, p.kind, p.number, p.issuer, p.classes, p.valid_from, p.valid_to, p.amount_fen, p.note,"
    " p.entered_at, p.entered_by_name AS entered_by, p.voided_at, p.voided_by_name AS voided_by, p.void_reason"
)


def _shown(row: Any, today: date) -> dict[str, Any]:
    found = dict(row)
    last: date = found["valid_to"]
    days = None if last == date.max else (last - today).days
    standing = "void" if found["voided_at"] is not None else "ended" if days is not None and days < 0 else (
        "future" if found["valid_from"] > today else "ending" if days is not None and days <= AHEAD[0] else "valid"
    )  # fmt: skip
    return found | {
        "kind_name": KIND_NAMES[VehiclePaperKind(found["kind"])],
        "valid_to": None if last == date.max else last,
        "days_left": days,
        "standing": standing,
    }


async def today_of(connection: Connection) -> date:
    """The day in China, by the database's clock."""
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return now.astimezone(CHINA).date()


async def read_paper(connection: Connection, id: str) -> dict[str, Any] | None:
    """A paper; None: there is none within reach."""
    row = await connection.fetchrow(f"SELECT {_SHOWN} FROM vehicle_papers p WHERE p.id = $1", id)  # noqa: S608 - constants
    return None if row is None else _shown(row, await today_of(connection))


async def papers_of(
    connection: Connection, *, vehicle: str | None = None, driver: str | None = None
) -> list[dict[str, Any]]:
    """The papers of a vehicle, or of a driver, void ones too; the one that holds longest first."""
    column, id = ("vehicle", vehicle) if vehicle is not None else ("driver", driver)
    rows = await connection.fetch(
        f"SELECT {_SHOWN} FROM vehicle_papers p WHERE p.{column} = $1 ORDER BY p.valid_to DESC, p.id LIMIT $2",  # noqa: S608 - constants
        id,
        MOST,
    )
    today = await today_of(connection)
    return [_shown(row, today) for row in rows]


@dataclass(frozen=True, slots=True)
class PaperFilter:
    """What a list of papers is asked for. ``units``: these, with those below them as the caller has looked up. ``ending``: only those that are the
    last of their kind, and end before that day."""

    kind: VehiclePaperKind | None = None
    units: Collection[str] | None = None
    vehicle: str | None = None
    driver: str | None = None
    ends_from: date | None = None
    ends_before: date | None = None
    last_only: bool = False
    void: bool = False


#: Nobody has entered a later one of the same kind for the same vehicle or driver.
_LAST: Final = (
    "NOT EXISTS (SELECT FROM vehicle_papers q WHERE q.vehicle = p.vehicle AND q.kind = p.kind AND q.voided_at IS NULL AND q.valid_to > p.valid_to)"
    " AND NOT EXISTS (SELECT FROM vehicle_papers q WHERE q.driver = p.driver AND q.voided_at IS NULL AND q.valid_to > p.valid_to)"
)


async def list_papers(
    connection: Connection, asked: PaperFilter, limit: int, after: tuple[date, str] | None
) -> list[dict[str, Any]]:
    """Papers, the one that ends first first."""
    arguments: list[Any] = [limit]
    conditions = [] if asked.void else ["p.voided_at IS NULL"]

    def condition(text: str, value: Any) -> None:
        arguments.append(value)
        conditions.append(text.format(f"${len(arguments)}"))

    if asked.kind is not None:
        condition("p.kind = {}", asked.kind)
    if asked.units is not None:
        condition("p.organisation = ANY ({}::text[])", sorted(asked.units))
    for column, value in (("vehicle", asked.vehicle), ("driver", asked.driver)):
        if value is not None:
            condition(f"p.{column} = {{}}", value)
    if asked.ends_from is not None:
        condition("p.valid_to >= {}", asked.ends_from)
    if asked.ends_before is not None:
        condition("p.valid_to < {}", asked.ends_before)
    if asked.last_only:
        conditions.append(_LAST)
    if after is not None:
        arguments += after
        conditions.append(f"(p.valid_to, p.id) > (${len(arguments) - 1}, ${len(arguments)})")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = await connection.fetch(
        f"SELECT {_SHOWN}, p.valid_to AS ends FROM vehicle_papers p{where} ORDER BY p.valid_to, p.id LIMIT $1",  # noqa: S608 - constants
        *arguments,
    )
    today = await today_of(connection)
    return [_shown(row, today) for row in rows]


# --- who may be sent


def trip_days(since: datetime, until: datetime) -> tuple[date, date]:
    """The first and the last day in China of [since, until)."""
    last = max(since, until - timedelta(microseconds=1))
    return since.astimezone(CHINA).date(), last.astimezone(CHINA).date()


def _lapsed(column: str, owner: str, kinds: str, first: str, last: str) -> str:
    """SQL of the papers ``p`` of ``owner`` (of the table's ``column``) that end before ``last`` with nothing of their kind on the day after, or on
    ``first`` where that comes later. There is one exactly when some day of [first, last] comes after the end of a paper and has none itself."""
    return (
        f"p.{column} = {owner} AND p.kind = ANY ({kinds}) AND p.voided_at IS NULL AND p.valid_to < {last} AND NOT EXISTS ("
        f"SELECT FROM vehicle_papers q WHERE q.{column} = p.{column} AND q.kind = p.kind AND q.voided_at IS NULL"
        f" AND q.valid_from <= GREATEST(p.valid_to + 1, {first}) AND q.valid_to >= GREATEST(p.valid_to + 1, {first}))"
    )


async def lapse_of_vehicle(connection: Connection, vehicle: str, first: date, last: date) -> Lapse | None:
    """The required paper of a vehicle that has ended on some day of [first, last]; None: none has, as far as it is known."""
    return await _lapse(connection, "vehicle", vehicle, REQUIRED, first, last)


async def lapse_of_driver(connection: Connection, driver: str, first: date, last: date) -> Lapse | None:
    """The licence of a driver, where it has ended on some day of [first, last]."""
    return await _lapse(connection, "driver", driver, (VehiclePaperKind.LICENCE,), first, last)


async def _lapse(
    connection: Connection, column: str, id: str, kinds: Sequence[VehiclePaperKind], first: date, last: date
) -> Lapse | None:
    row = await connection.fetchrow(
        f"SELECT p.kind, p.valid_to FROM vehicle_papers p WHERE {_lapsed(column, '$1', '$4::text[]', '$2::date', '$3::date')}"  # noqa: S608 - constants
        " ORDER BY p.valid_to DESC, p.kind LIMIT 1",
        id, first, last, list(kinds),
    )  # fmt: skip
    return None if row is None else Lapse(VehiclePaperKind(row["kind"]), row["valid_to"])


async def lapsed_vehicles(connection: Connection, vehicles: Collection[str], first: date, last: date) -> list[tuple[str, date, date | None]]:  # fmt: skip
    """(vehicle, from, to) where a required paper has ended on days of [first, last]: from the first such day to the one from which the next paper holds;
    None = there is no next one."""
    return await _lapses(connection, "vehicle", vehicles, REQUIRED, first, last)


async def lapsed_drivers(connection: Connection, drivers: Collection[str], first: date, last: date) -> list[tuple[str, date, date | None]]:  # fmt: skip
    """The same of the licences of drivers."""
    return await _lapses(connection, "driver", drivers, (VehiclePaperKind.LICENCE,), first, last)


async def _lapses(
    connection: Connection, column: str, ids: Collection[str], kinds: Sequence[VehiclePaperKind], first: date, last: date
) -> list[tuple[str, date, date | None]]:  # fmt: skip
    rows = await connection.fetch(
        "SELECT o.id, GREATEST(p.valid_to + 1, $2::date) AS begins, (SELECT min(q.valid_from) FROM vehicle_papers q"  # noqa: S608 - constants
        f" WHERE q.{column} = p.{column} AND q.kind = p.kind AND q.voided_at IS NULL AND q.valid_from > GREATEST(p.valid_to + 1, $2::date)) AS ends"
        f" FROM unnest($1::text[]) AS o (id) JOIN vehicle_papers p ON {_lapsed(column, 'o.id', '$4::text[]', '$2::date', '$3::date')}"
        " ORDER BY o.id, begins, ends",
        sorted(ids), first, last, list(kinds),
    )  # fmt: skip
    return [(row["id"], row["begins"], row["ends"]) for row in rows]


async def classes_held(connection: Connection, drivers: Collection[str], first: date, last: date) -> dict[str, frozenset[str]]:  # fmt: skip
    """The classes that drivers hold on some day of [first, last], by driver; of whom no licence is known is left out."""
    rows = await connection.fetch(
        "SELECT driver, classes FROM vehicle_papers WHERE driver = ANY($1::text[]) AND voided_at IS NULL AND valid_from <= $3 AND valid_to >= $2",
        sorted(drivers), first, last,
    )  # fmt: skip
    found: dict[str, frozenset[str]] = {}
    for row in rows:
        if row["classes"]:
            found[row["driver"]] = found.get(row["driver"], frozenset()).union(row["classes"])
    return found


async def classes_short(
    connection: Connection, driver: str, body: Body, automatic: bool, first: date, last: date
) -> list[str] | None:
    """The classes that a driver holds, where on some day of [first, last] his licences let him drive no such vehicle; None: they do, or none is known."""
    rows = await connection.fetch(
        "SELECT classes, valid_from, valid_to FROM vehicle_papers WHERE driver = $1 AND voided_at IS NULL AND valid_from <= $3 AND valid_to >= $2",
        driver, first, last,
    )  # fmt: skip
    # Where the licences change: on each of these days, and up to the next, the same of them hold.
    days = {first, *(row["valid_from"] for row in rows if row["valid_from"] > first)}
    days |= {row["valid_to"] + timedelta(days=1) for row in rows if row["valid_to"] < last}
    for day in sorted(days):
        held = {
            each for row in rows if row["valid_from"] <= day <= row["valid_to"] for each in row["classes"]
        }
        if held and not lets_drive(held, body, automatic=automatic):
            return sorted(held)
    return None
