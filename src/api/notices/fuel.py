"""The rows of 季度单车油耗公示: from the records of three quarters (``office.statistics``) to the cells that are frozen (``office.notices``)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any, Final

from office.costs.money import yuan
from office.notices.contents import (
    NOT_JUDGED,
    UNKNOWN,
    Plates,
    PublicationNew,
    PublishedRow,
    quarter_end,
    quarters_before,
    shown_plate,
)
from office.notices.notices import MOST_ROWS
from office.statistics.indicators.facts import Facts, load_use
from office.statistics.indicators.fuel_sheet import (
    DEFINITIONS,
    ENERGY_NAMES,
    CardFill,
    DescribedVehicle,
    FuelRow,
    fuel_rows,
)
from registry.facts.fills import card_fills_of_vehicles
from registry.organisations import names_of
from registry.particulars import described_vehicles, secret_among
from runtime.connection import Connection
from runtime.errors import DeclinedError, InvalidError
from runtime.units import CHINA, from_us, midnight, to_us

#: Of a vehicle without an engine.
_NONE: Final = "—"


async def published_fuel(
    connection: Connection, given: PublicationNew, units: Collection[str]
) -> tuple[list[PublishedRow], dict[str, Any]]:
    """The rows of the vehicles of ``units`` in the quarter, and what is frozen with them. Raises InvalidError, DeclinedError."""
    today: date = await connection.fetchval("SELECT (clock_timestamp() AT TIME ZONE 'Asia/Shanghai')::date")
    if today <= given.last:
        raise DeclinedError("not-over", f"本季度 {given.last} 才结束，请在其后公示 · the quarter ends on {given.last}: publish it after that")  # fmt: skip
    found = await described_vehicles(connection, units, given.first, given.last, open_only=True, limit=MOST_ROWS + 1)  # fmt: skip
    if len(found) > MOST_ROWS:
        raise InvalidError("/units", f"超过 {MOST_ROWS} 辆车，请分单位公示 · more than {MOST_ROWS} vehicles: publish for fewer units")  # fmt: skip
    remarks = {remark.vehicle: remark.text for remark in given.remarks}
    if strange := sorted(remarks.keys() - {row["id"] for row in found}):
        raise InvalidError("/remarks", f"不在本表中的车辆不能写说明：{'、'.join(strange[:10])} · not in this table: {', '.join(strange[:10])}")  # fmt: skip
    vehicles = [
        DescribedVehicle(row["id"], row["organisation"], row["plate"], row["energy"], row["make_model"], row["displacement_ml"])
        for row in found
    ]  # fmt: skip
    ids = [vehicle.id for vehicle in vehicles]
    quarters = [
        await _quarter(connection, units, ids, first)
        for first in (given.first, *quarters_before(given.first))
    ]
    rows = await asyncio.to_thread(fuel_rows, vehicles, *quarters)
    names = await names_of(connection, {vehicle.organisation for vehicle in vehicles})
    policy: Plates = given.plates or "masked"
    terms = {
        "plates": policy, "excluded": await secret_among(connection, units, given.first, given.last), "definitions": list(DEFINITIONS),
        "as_of": quarters[0][0].now.isoformat(),
    }  # fmt: skip
    ordered = sorted(rows, key=lambda row: (names.get(row.vehicle.organisation, row.vehicle.organisation), row.vehicle.id))  # fmt: skip
    return [
        PublishedRow(row.vehicle.id, _cells(no, row, names, policy, remarks.get(row.vehicle.id, "")), _basis(row))
        for no, row in enumerate(ordered, 1)
    ], terms  # fmt: skip


async def _quarter(
    connection: Connection, units: Collection[str], vehicles: Sequence[str], first: date
) -> tuple[Facts, list[CardFill]]:
    span = midnight(first), midnight(quarter_end(first) + timedelta(days=1))
    facts = await load_use(connection, units, span, vehicles)
    cards = await card_fills_of_vehicles(connection, vehicles, to_us(span[0]), to_us(span[1]))
    return facts, [
        CardFill(vehicle, "charging" if fill.energy == "electric" else "fuel", from_us(fill.at_us).astimezone(CHINA).date(), fill.quantity)
        for vehicle, fill in cards
        if fill.quantity is not None
    ]  # fmt: skip


def _cells(no: int, row: FuelRow, names: dict[str, str], policy: Plates, remark: str) -> tuple[str, ...]:
    vehicle, driven, used = row.vehicle, row.driven, row.used
    return (
        str(no),
        names.get(vehicle.organisation, vehicle.organisation),
        shown_plate(vehicle.plate, policy),
        vehicle.model or "未登记",
        _displacement(vehicle),
        _energy(row),
        UNKNOWN if driven is None else _fixed(Fraction(driven.first_m, 1000), 1),
        UNKNOWN if driven is None else _fixed(Fraction(driven.last_m, 1000), 1),
        UNKNOWN if driven is None else _fixed(Fraction(driven.metres, 1000), 1),
        str(used.fills),
        UNKNOWN if used.without_quantity else _fixed(Fraction(used.quantity, 1000), 2),
        yuan(used.fen),
        _told(used.value, 2),
        _told(row.mean, 2),
        _told(row.on_year, 1),
        _told(row.on_quarter, 1),
        "；".join([*row.notes, *([remark] if remark else [])]),
    )


def _displacement(vehicle: DescribedVehicle) -> str:
    if vehicle.displacement_ml is not None:
        return _fixed(Fraction(vehicle.displacement_ml, 1000), 1)
    return _NONE if vehicle.energy == "electric" else "未登记"


def _energy(row: FuelRow) -> str:
    name = ENERGY_NAMES[row.vehicle.energy]
    if row.vehicle.energy == "hybrid" or (row.energy == "charging") != (row.vehicle.energy == "electric"):
        return f"{name}（{'油' if row.energy == 'fuel' else '电'}）"
    return name


def _told(value: Fraction | None, digits: int) -> str:
    return NOT_JUDGED if value is None else _fixed(value, digits)


def _fixed(value: Fraction, digits: int) -> str:
    """Rounded half up, as people do it by hand."""
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return f"{exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP) + 0:f}"


def _basis(row: FuelRow) -> dict[str, Any]:
    """From which records: dispatches with the first and the last reading, lines of the ledger."""
    return {
        "dispatches": [] if row.driven is None else list(row.driven.dispatches),
        "entries": list(row.used.entries),
        "outside": row.used.outside,
    }
