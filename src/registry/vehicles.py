"""Official vehicles (公务用车): the record, written and read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from registry.pages import Listing, Sorting, same
from registry.refusals import Flaw, RefusedError
from registry.spelling import normal_plate
from registry.upsert import DATE, TEXT, Column, PlainTable, upsert
from registry.values import Day, Identifier, Plate, Quantity, Record, Text, WriteResult
from runtime.connection import Connection
from runtime.units import china_day, to_us


class Vehicle(Record):
    """An official vehicle (公务用车)."""

    plate: Plate = Field(description="stored without dot and spaces: 苏F12345")
    organisation: Identifier
    category: Text = ""
    energy: Literal["petrol", "diesel", "electric", "hybrid", "gas"] = "petrol"
    tank: Quantity | None = Field(None, gt=0, description="油箱容积, litres")
    battery: Quantity | None = Field(None, gt=0, description="电池容量, kWh")
    ownership: Literal["owned", "rented"] = "owned"
    report: Text = Field("", description="报备文号, of a rented vehicle", validate_default=True)
    registered_on: Day | None = Field(
        None, description="of a rented vehicle the first day of its report (报备)", validate_default=True
    )
    disposed_on: Day | None = Field(
        None, description="处置, or the day after a report's last: no official vehicle from this day on",
        validate_default=True,
    )  # fmt: skip

    @field_validator("report")
    @classmethod
    def _reported(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("ownership") == "rented" and not value:
            raise ValueError(
                "租赁车辆须有报备文号；未报备的不是公务用车 · a rented vehicle needs the number of its report: without one it is"
                " no official vehicle"
            )
        return value

    @field_validator("registered_on", "disposed_on")
    @classmethod
    def _for_its_dates(cls, value: date | None, info: ValidationInfo) -> date | None:
        if info.data.get("ownership") == "rented" and value is None:
            raise ValueError(
                "租赁车辆须写明报备的起止：登记日期为首日，处置日期为末日的次日 · a rented vehicle needs the first day of its report,"
                " and the day after the last"
            )
        return value

    @field_validator("disposed_on")
    @classmethod
    def _after_registration(cls, value: date | None, info: ValidationInfo) -> date | None:
        first = info.data.get("registered_on")
        if value is not None and first is not None and value < first:
            raise ValueError("处置日期早于登记日期 · disposed of before it was registered")
        return value


HEADERS: Final = {
    "编号": "id", "车牌号": "plate", "单位": "organisation", "类别": "category", "能源": "energy",
    "油箱容积": "tank", "电池容量": "battery", "权属": "ownership", "报备文号": "report", "登记日期": "registered_on", "处置日期": "disposed_on",
}  # fmt: skip
_TABLE: Final = PlainTable(
    "vehicles",
    {
        "plate": TEXT, "organisation": TEXT, "category": TEXT, "energy": TEXT,
        "tank_ml": Column("bigint", "tank", decimals=3), "battery_wh": Column("bigint", "battery", decimals=3),
        "ownership": TEXT, "report": TEXT, "registered_on": DATE, "disposed_on": DATE,
    },
)  # fmt: skip
LISTING: Final = Listing(
    _TABLE.select("t.secret, t.updated_at"),
    {"organisation": same("organisation"), "plate": same("plate")},
    orders={"plate": Sorting("t.plate")},
    decimals=_TABLE.decimals(),
)


# --- written


async def write(connection: Connection, records: Sequence[Vehicle]) -> list[WriteResult]:
    """Write vehicles; references were checked. Raises RefusedError (a conflict) for the plate of another vehicle, and for another unit or day of disposal
    of one that an act (调拨、处置) is about."""
    await _refuse_taken_plates(connection, records)
    await _refuse_past_acts(connection, records)
    results = await upsert(connection, _TABLE, records)
    # Vehicles may exchange plates in one import, so the database compares plates only when the transaction ends. Do it
    # now: an error at the commit would not become a refusal.
    await connection.execute(
        "SET CONSTRAINTS one_vehicle_of_plate IMMEDIATE; SET CONSTRAINTS one_vehicle_of_plate DEFERRED"
    )
    return results


async def dispose(connection: Connection, vehicle: str, unit: str, day: date) -> bool:
    """From ``day`` on a vehicle of ``unit`` is no official one; False: it is of another unit, or disposed of already."""
    done = await connection.fetchval(
        f"UPDATE {_TABLE.name} SET disposed_on = $3, updated_at = clock_timestamp() WHERE id = $1 AND organisation = $2 AND disposed_on IS NULL RETURNING true",  # noqa: S608 - constants
        vehicle, unit, day,
    )  # fmt: skip
    return done is not None


async def exchange_plates(connection: Connection, one: str, other: str) -> None:
    """Two vehicles, whose rows the caller holds, change plates, in one statement: there is no moment at which both have one of them."""
    await connection.execute(
        f"UPDATE {_TABLE.name} v SET plate = o.plate, updated_at = clock_timestamp() FROM {_TABLE.name} o"  # noqa: S608 - constants
        " WHERE (v.id, o.id) IN (($1::text, $2::text), ($2::text, $1::text))",
        one,
        other,
    )
    await connection.execute(
        "SET CONSTRAINTS one_vehicle_of_plate IMMEDIATE; SET CONSTRAINTS one_vehicle_of_plate DEFERRED"
    )


async def _refuse_taken_plates(connection: Connection, records: Sequence[Vehicle]) -> None:
    active = [(row, record) for row, record in enumerate(records) if record.disposed_on is None]
    owners: dict[str, str] = {
        row["plate"]: row["id"]
        for row in await connection.fetch(
            "SELECT id, plate FROM vehicles WHERE disposed_on IS NULL AND plate = ANY($1) AND id <> ALL($2)",
            [record.plate for _, record in active], [record.id for record in records],
        )
    }  # fmt: skip
    flaws: list[Flaw] = []
    for row, record in active:
        owner = owners.setdefault(record.plate, record.id)
        if owner != record.id:
            message = f"车牌 {record.plate} 已属于车辆 {owner} · this plate belongs to vehicle {owner}"
            flaws.append(Flaw(("plate",), message, row))
    if flaws:
        raise RefusedError(flaws, conflict=True)


async def _refuse_past_acts(connection: Connection, records: Sequence[Vehicle]) -> None:
    """The unit and the day of disposal of a vehicle are what its acts made them, while one is open and ever since one was done (office.vehicles): neither a
    form nor a file of another system undoes what several people decided. Acts that were refused or taken back bind nobody."""
    rows = await connection.fetch(
        "SELECT v.id, v.organisation, v.disposed_on, a.number FROM vehicles v CROSS JOIN LATERAL"
        " (SELECT number FROM vehicle_acts WHERE vehicle = v.id AND (open OR done_at IS NOT NULL) ORDER BY asked_at DESC, id LIMIT 1) a"
        " WHERE v.id = ANY($1::text[])",
        [record.id for record in records],
    )
    bound = {row["id"]: row for row in rows}
    flaws: list[Flaw] = []
    for row, record in enumerate(records):
        known = bound.get(record.id)
        if known is None:
            continue
        for field, label, way in (
            ("organisation", "单位", "调拨 POST /v1/vehicle-transfers"), ("disposed_on", "处置日期", "处置 POST /v1/vehicle-disposals"),
        ):  # fmt: skip
            if getattr(record, field) != known[field]:
                message = (
                    f"车辆 {record.id} 的{label}由办理单 {known['number']} 确定（现为 {known[field] or '空'}），不能直接修改；请按现值填写，要变更请办理{way}"
                    f" · the {field} of {record.id} is what act {known['number']} made it; give the present value, or ask for another act"
                )
                flaws.append(Flaw((field,), message, row))
    if flaws:
        raise RefusedError(flaws, conflict=True)


# --- read

#: What stands in the place of a plate of a secret vehicle (涉密), and nothing of the rest.
MASKED: Final = dict.fromkeys(Vehicle.model_fields) | {
    "plate": "涉密车辆",
    "category": "",
    "report": "",
    "secret": True,
}


async def masked_vehicles(
    connection: Connection, organisation: str | None, after: str | None, limit: int
) -> list[dict[str, object]]:
    """Secret vehicles that the caller's transaction must not see, masked, by pseudonym (migrations/0036_secrecy.sql): up to
    ``limit`` after the pseudonym ``after``."""
    rows = await connection.fetch(
        "SELECT id, organisation, updated_at FROM masked_vehicles($1, $2, $3)", organisation, after, limit
    )
    return [MASKED | dict(row) for row in rows]


async def vehicles_with_plate_part(connection: Connection, part: str, most: int) -> list[str]:
    """The ids of vehicles that have, or had, a plate in which ``part`` stands, sorted; at most ``most``. A single
    character finds none."""
    wanted = normal_plate(part)
    if len(wanted) < 2:
        return []
    rows = await connection.fetch(
        "SELECT id FROM (SELECT v.id FROM vehicles v WHERE strpos(v.plate, $1) > 0 UNION SELECT v.id FROM vehicle_plates p"
        " JOIN vehicles v ON v.no = p.vehicle_no WHERE strpos(p.plate, $1) > 0) f ORDER BY id LIMIT $2",
        wanted,
        most,
    )
    return [row["id"] for row in rows]


async def plates_of(connection: Connection, vehicles: Collection[str]) -> dict[str, str]:
    """The plates of those of ``vehicles`` that are registered, and within reach."""
    rows = await connection.fetch(
        "SELECT id, plate FROM vehicles WHERE id = ANY($1::text[])", sorted(vehicles)
    )
    return {row["id"]: row["plate"] for row in rows}


#: The columns of a VehicleInfo, of the table ``v``.
SELECT: Final = (
    "SELECT v.no, v.id, v.plate, v.organisation, v.category, v.energy, v.registered_on, v.disposed_on, v.ownership, v.tank_ml,"
    " v.battery_wh FROM vehicles v"
)
_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class VehicleInfo:
    """An official vehicle as the register has it now. ``ownership``: owned, or rented and reported (报备) for its dates.
    ``tank_ml``, ``battery_wh``: what it holds at most, None = not known. ``replated``: ``plate`` is one that it had before, and its
    dates are those of that plate. ``plate_since``: the day on which the register was told of this plate; None = the first one that it
    had, or not looked up (``holders_of_plates`` does)."""

    no: int
    id: str
    plate: str
    organisation: str
    category: str
    energy: str
    registered_on: date | None
    disposed_on: date | None
    ownership: str = "owned"
    tank_ml: int | None = None
    battery_wh: int | None = None
    replated: bool = False
    plate_since: date | None = None


async def read_vehicles(connection: Connection, where: str = "", *arguments: object) -> list[VehicleInfo]:
    """Vehicles ``v``; ``where``: what follows the SELECT."""
    return [VehicleInfo(*row) for row in await connection.fetch(f"{SELECT} {where}", *arguments)]


async def vehicles_by_id(connection: Connection, ids: Iterable[str]) -> dict[str, VehicleInfo]:
    """Those of ``ids`` that there are."""
    found = await read_vehicles(connection, "WHERE v.id = ANY($1::text[])", sorted(set(ids)))
    return {vehicle.id: vehicle for vehicle in found}


async def vehicles_of_units(connection: Connection, units: Iterable[str], first: date, last: date) -> list[tuple[VehicleInfo, bool]]:  # fmt: skip
    """Vehicles of units that are official from ``first`` to ``last``, by id, each with whether it is secret (涉密)."""
    rows = await connection.fetch(
        f"{SELECT.replace(' FROM', ', v.secret FROM')} WHERE v.organisation = ANY($1::text[]) AND (v.registered_on IS NULL OR v.registered_on <= $2)"
        " AND (v.disposed_on IS NULL OR v.disposed_on > $3) ORDER BY v.id",
        sorted(units), first, last,
    )  # fmt: skip
    return [(VehicleInfo(*list(row)[:-1]), bool(row["secret"])) for row in rows]


async def vehicles_of_plates(connection: Connection, plates: Collection[str]) -> dict[str, list[VehicleInfo]]:
    """Every vehicle that the register has under each plate, disposed ones too, by id."""
    found: dict[str, list[VehicleInfo]] = defaultdict(list)
    for vehicle in await read_vehicles(
        connection, "WHERE v.plate = ANY($1::text[]) ORDER BY v.id", sorted(plates)
    ):
        found[vehicle.plate].append(vehicle)
    return found


async def holders_of_plates(connection: Connection, plates: Collection[str]) -> dict[str, list[VehicleInfo]]:
    """``vehicles_of_plates``, with since when, and those that had a plate before they got another one: official under it to the end of the
    day on which the register was told (by the history of plates, migrations/0013_plates.sql)."""
    found = await vehicles_of_plates(connection, plates)
    rows = await connection.fetch(
        "SELECT p.vehicle_no, p.plate, p.valid_from, p.valid_to, p.valid_from = (SELECT min(f.valid_from) FROM vehicle_plates f"
        " WHERE f.vehicle_no = p.vehicle_no) AS first FROM vehicle_plates p WHERE p.plate = ANY($1::text[]) ORDER BY p.vehicle_no, p.valid_from",
        sorted(plates),
    )
    held = await read_vehicles(
        connection, "WHERE v.no = ANY($1::integer[])", sorted({r["vehicle_no"] for r in rows})
    )
    by_no = {vehicle.no: vehicle for vehicle in held}
    now: dict[tuple[int, str], date] = {}
    for row in rows:
        vehicle = by_no.get(row["vehicle_no"])
        if vehicle is None:
            continue
        told = None if row["first"] else _day_of(row["valid_from"])
        if row["valid_to"] is None:
            if told is not None:
                now[vehicle.no, row["plate"]] = told
            continue
        since = vehicle.registered_on if told is None else max(told, vehicle.registered_on or _EPOCH)
        until = min(_day_of(row["valid_to"]) + timedelta(days=1), vehicle.disposed_on or date.max)
        if since is None or since < until:
            had = replace(
                vehicle,
                plate=row["plate"],
                registered_on=since,
                disposed_on=until,
                replated=True,
                plate_since=told,
            )
            found[row["plate"]].append(had)
    return {
        plate: [v if v.replated else replace(v, plate_since=now.get((v.no, plate))) for v in its]
        for plate, its in found.items()
    }


async def plates_of_vehicles(connection: Connection, ids: Collection[str]) -> dict[str, list[str]]:
    """Plates of vehicles by id: those that they had before as well."""
    rows = await connection.fetch(
        "SELECT v.id, v.plate FROM vehicles v WHERE v.id = ANY($1::text[])"
        " UNION SELECT v.id, p.plate FROM vehicles v JOIN vehicle_plates p ON p.vehicle_no = v.no WHERE v.id = ANY($1::text[])"
        " ORDER BY id, plate",
        sorted(ids),
    )
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        found[row["id"]].append(row["plate"])
    return found


async def secret_vehicles(connection: Connection) -> frozenset[str]:
    """Ids of the secret vehicles (涉密) within reach."""
    return frozenset(row["id"] for row in await connection.fetch("SELECT id FROM vehicles WHERE secret"))


async def plates_by_number(connection: Connection) -> dict[int, tuple[str, str]]:
    """(id, plate) of every vehicle by its number."""
    return {
        r["no"]: (r["id"], r["plate"]) for r in await connection.fetch("SELECT no, id, plate FROM vehicles")
    }


def official_on(vehicle: VehicleInfo, day: date) -> bool:
    """Whether it is an official vehicle on a day."""
    begun = vehicle.registered_on is None or vehicle.registered_on <= day
    return begun and (vehicle.disposed_on is None or day < vehicle.disposed_on)


def vehicle_at(vehicles: Iterable[VehicleInfo], at_us: int) -> VehicleInfo | None:
    """The official vehicle among those of one plate on the natural day of a time. Where the register has several, the one registered
    last; of those, the one disposed of first (the other came after it).

    A vehicle that got the plate later has it before that day only if no other vehicle had it then (the register may have been told
    late, or corrected). None on the day on which a plate goes from one vehicle to another: the day does not say which of them it was."""
    day = china_day(at_us)
    held = [v for v in vehicles if _day(v.registered_on, -1) <= day < _day(v.disposed_on, 10**9)]
    told = [v for v in held if _day(v.plate_since, -1) <= day]
    given = {v.no for v in told if _day(v.plate_since, -1) == day}
    taken = {v.no for v in told if v.replated and _day(v.disposed_on, 10**9) == day + 1}
    if given and taken - given:
        return None
    if not held:
        return None
    return min(
        told or held, key=lambda v: (-_day(v.registered_on, -1), _day(v.disposed_on, 10**9), v.replated, v.id)
    )


def holder_at(vehicles: Iterable[VehicleInfo], at_us: int) -> VehicleInfo | None:
    """``vehicle_at`` for what accuses: nobody where the vehicle that had the plate then has another one now. The register says when it was
    told, and not whether the old plate was a slip, so neither that vehicle is accused nor the one that has the plate now."""
    found = vehicle_at(vehicles, at_us)
    return None if found is None or found.replated else found


def _day(day: date | None, otherwise: int) -> int:
    return otherwise if day is None else (day - _EPOCH).days


def _day_of(moment: datetime) -> date:
    return _EPOCH + timedelta(days=china_day(to_us(moment)))
