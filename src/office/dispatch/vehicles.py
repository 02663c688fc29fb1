"""Which vehicles and drivers may be sent, and whose time is taken.

That no two dispatches of a vehicle, or of a driver, overlap is kept by constraints of the database (migrations/0061_trips.sql). Here the
one that is in the way is named.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from office.requests.words import ConflictError
from registry.drivers import drivers_of
from registry.order_cover import covers_within
from registry.seals import sealed_within
from registry.vehicles import VehicleInfo, official_on, vehicles_by_id
from registry.writing import Lock, take_each
from runtime.connection import Connection
from runtime.errors import InvalidError
from runtime.units import CHINA

_SIGNED: Final = 1 << 31


@dataclass(frozen=True, slots=True)
class Sent:
    """A vehicle and its driver, as the event of an assignment has them."""

    vehicle: VehicleInfo
    driver: str | None
    driver_name: str | None
    driver_phone: str | None
    driver_user: str | None

    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "vehicle": self.vehicle.id,
            "vehicle_no": self.vehicle.no,
            "plate": self.vehicle.plate,
            "organisation": self.vehicle.organisation,
            "driver": self.driver,
            "driver_name": self.driver_name,
            "driver_phone": self.driver_phone,
            "driver_user": self.driver_user,
        }
        return {name: value for name, value in found.items() if value is not None}


async def fit(
    connection: Connection,
    vehicle: str,
    driver: str | None,
    since: datetime,
    until: datetime,
    *,
    driven: bool = False,
) -> Sent:
    """The vehicle and the driver, if they may be sent for [since, until); ``driven``: they have driven already (补单), sealed or not. Raises
    InvalidError with what to do."""
    found = (await vehicles_by_id(connection, [vehicle])).get(vehicle)
    if found is None:
        raise InvalidError("/vehicle", f"车辆 {vehicle} 未登记，或不在您的范围内，请另选一辆 · no such vehicle, or not yours to send: {vehicle}")  # fmt: skip
    first, last = since.astimezone(CHINA).date(), until.astimezone(CHINA).date()
    if not official_on(found, last):
        raise InvalidError(
            "/vehicle",
            f"车辆 {found.plate} 届时已处置（或租赁报备已到期），不能派出，请另选一辆 · {found.plate} is disposed of, or its report has ended, by then",
        )
    if not official_on(found, first):
        raise InvalidError("/vehicle", f"车辆 {found.plate} 届时尚未登记启用，请另选一辆 · {found.plate} is not in use yet then")  # fmt: skip
    if not driven and await sealed_within(connection, vehicle, since, until):
        raise InvalidError("/vehicle", f"车辆 {found.plate} 届时处于封存状态，不能派出，请另选一辆或先办理启封 · {found.plate} is sealed then: take another one, or lift the seal first")  # fmt: skip
    if driver is None:
        return Sent(found, None, None, None, None)
    name = (await drivers_of(connection, [driver])).get(driver)
    if name is None:
        raise InvalidError("/driver", f"驾驶员 {driver} 未登记，或不在您的范围内，请另选一名 · no such driver, or not yours to send: {driver}")  # fmt: skip
    row = await connection.fetchrow(
        "SELECT d.phone, a.user_id FROM drivers d LEFT JOIN driver_accounts a ON a.driver = d.id WHERE d.id = $1",
        driver,
    )
    return Sent(found, driver, name[0], row["phone"] or None, row["user_id"])


async def hold(connection: Connection, vehicle_no: int, driver: str | None) -> None:
    """Those who want the same vehicle, or the same driver, come here one after the other, and the later ones can be told whose it is."""
    await take_each(connection, Lock.SENT_VEHICLES, [vehicle_no])
    if driver is not None:
        key = zlib.crc32(driver.encode())
        await take_each(connection, Lock.SENT_DRIVERS, [key - 2 * _SIGNED if key >= _SIGNED else key])


async def refuse_taken(
    connection: Connection, vehicle: VehicleInfo, driver: str | None, driver_name: str | None,
    since: datetime, until: datetime, but: str = "",
) -> None:  # fmt: skip
    """Raises ConflictError naming the dispatch, or the order of another system, that has the vehicle or the driver within [since, until)."""
    for what, column, value in (
        (f"车辆 {vehicle.plate}", "vehicle", vehicle.id),
        (f"驾驶员 {driver_name}", "driver", driver),
    ):
        if value is None:
            continue
        row = await connection.fetchrow(
            "SELECT number, planned_departure, GREATEST(planned_return, extended_return) AS due FROM trip_dispatches"  # noqa: S608 - constant names
            f" WHERE holds AND {column} = $1 AND id <> $4 AND tstzrange(planned_departure, GREATEST(planned_return, extended_return))"
            " && tstzrange($2, $3) ORDER BY planned_departure LIMIT 1",
            value, since, until, but,
        )  # fmt: skip
        if row is not None:
            raise ConflictError(what, row["number"], _span(row["planned_departure"], row["due"]))
        row = await connection.fetchrow(
            "SELECT o.id, o.planned_departure, GREATEST(o.planned_return, o.extended_return) AS due FROM dispatch_orders o"  # noqa: S608 - constant names
            f" WHERE o.is_current AND o.status IN ('approved', 'departed') AND o.part_of IS NULL AND o.{column} = $1"
            f" AND {covers_within('o', '$2', '$3')}"
            " AND tstzrange(o.planned_departure, GREATEST(o.planned_return, o.extended_return)) && tstzrange($2, $3)"
            " AND NOT EXISTS (SELECT FROM trip_dispatches d WHERE d.id = o.id) LIMIT 1",
            value, since, until,
        )  # fmt: skip
        if row is not None:
            raise ConflictError(what, row["id"], _span(row["planned_departure"], row["due"]))


def _span(since: datetime, until: datetime) -> str:
    return f"（{since.astimezone(CHINA):%m-%d %H:%M} 至 {until.astimezone(CHINA):%m-%d %H:%M}）"


async def candidates(
    connection: Connection, since: datetime, until: datetime, limit: int, search: str | None
) -> list[dict[str, Any]]:
    """Vehicles within reach that are free for [since, until), by plate, with the dispatch before and after. What is best is not said
    here: only what is possible."""
    rows = await connection.fetch(
        "SELECT v.id, v.plate, v.organisation, v.category, v.energy,"  # noqa: S608 - constant texts
        " (SELECT max(GREATEST(d.planned_return, d.extended_return)) FROM trip_dispatches d WHERE d.vehicle = v.id AND d.holds"
        "   AND d.planned_departure < $1) AS busy_until,"
        " (SELECT min(d.planned_departure) FROM trip_dispatches d WHERE d.vehicle = v.id AND d.holds AND d.planned_departure >= $2) AS next_departure"
        " FROM vehicles v WHERE (v.registered_on IS NULL OR v.registered_on <= $3) AND (v.disposed_on IS NULL OR v.disposed_on > $4)"
        " AND ($5::text IS NULL OR strpos(v.plate, $5) > 0)"
        " AND NOT EXISTS (SELECT FROM vehicle_seals s WHERE s.vehicle = v.id AND s.sealed_from < $2"
        " AND (s.sealed_to IS NULL OR s.sealed_to > $1))"
        " AND NOT EXISTS (SELECT FROM trip_dispatches d WHERE d.vehicle = v.id AND d.holds"
        "   AND tstzrange(d.planned_departure, GREATEST(d.planned_return, d.extended_return)) && tstzrange($1, $2))"
        f" AND NOT EXISTS (SELECT FROM dispatch_orders o WHERE o.is_current AND o.vehicle = v.id AND o.status IN ('approved', 'departed')"
        f"   AND {covers_within('o', '$1', '$2')}"
        "   AND tstzrange(o.planned_departure, GREATEST(o.planned_return, o.extended_return)) && tstzrange($1, $2))"
        " ORDER BY v.plate, v.id LIMIT $6",
        since, until, since.astimezone(CHINA).date(), until.astimezone(CHINA).date(), search, limit,
    )  # fmt: skip
    return [dict(row) for row in rows]
