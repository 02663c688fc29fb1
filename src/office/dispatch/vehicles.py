"""Which vehicles may be sent (of drivers: ``drivers``), and whose time is taken.

That no two dispatches of a vehicle, or of a driver, overlap is kept by constraints of the database (migrations/0061_trips.sql). Here the
one that is in the way is named.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from office.requests.words import ConflictError
from registry.drivers import drivers_of, hold_driver
from registry.order_cover import covers_within
from registry.seals import sealed_within
from registry.vehicle_papers import KIND_NAMES, lapse_of_vehicle, trip_days
from registry.vehicles import VehicleInfo, official_on, vehicles_by_id
from registry.writing import Lock, take_each
from runtime.connection import Connection
from runtime.errors import InvalidError
from runtime.units import CHINA


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
    out: bool = False,
) -> Sent:
    """The vehicle and the driver, if they may be sent for [since, until); ``driven``: they have driven already (补单), sealed or expired or not;
    ``out``: they are on this trip now, and a shop on the way is no reason. Raises InvalidError with what to do."""
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
    if not driven:
        await _refuse_unfit(connection, found, since, until, out=out)
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


async def _refuse_unfit(
    connection: Connection, vehicle: VehicleInfo, since: datetime, until: datetime, *, out: bool
) -> None:
    """Raises InvalidError for a vehicle whose inspection or compulsory insurance has ended then, or that is in the shop now."""
    lapse = await lapse_of_vehicle(connection, vehicle.id, *trip_days(since, until))
    if lapse is not None:
        name = KIND_NAMES[lapse.kind]
        raise InvalidError(
            "/vehicle",
            f"车辆 {vehicle.plate} 的{name}有效期至 {lapse.last.isoformat()}，届时已过期，不能派出，请另选一辆，或续办后在车辆档案登记新的{name}"
            f" · the {lapse.kind} of {vehicle.plate} ends on {lapse.last.isoformat()}: take another one, or enter the new paper",
        )
    number = None if out else await connection.fetchval("SELECT vehicle_in_shop($1)", vehicle.id)
    if number is not None:
        raise InvalidError(
            "/vehicle",
            f"车辆 {vehicle.plate} 正在维修（{number}），验收后才能派出，请另选一辆 · {vehicle.plate} is in the shop ({number}): take another one",
        )


async def hold(connection: Connection, vehicle_no: int, driver: str | None) -> None:
    """Those who want the same vehicle, or the same driver, come here one after the other, and the later ones can be told whose it is."""
    await take_each(connection, Lock.SENT_VEHICLES, [vehicle_no])
    if driver is not None:
        await hold_driver(connection, driver)


async def refuse_taken(
    connection: Connection, vehicle: VehicleInfo, driver: str | None, driver_name: str | None,
    since: datetime, until: datetime, but: str = "",
) -> None:  # fmt: skip
    """Raises ConflictError naming the dispatch, or the order of another system, that has the vehicle or the driver within [since, until); InvalidError for a
    vehicle that was handed over or disposed of since it was looked at: whoever did that held the same lock (office.vehicles.acts)."""
    row = await connection.fetchrow(
        "SELECT organisation, disposed_on FROM vehicles WHERE id = $1", vehicle.id
    )
    if row is not None and tuple(row) != (vehicle.organisation, vehicle.disposed_on):
        raise InvalidError("/vehicle", f"车辆 {vehicle.plate} 刚刚调拨或处置，请重新选车 · {vehicle.plate} was transferred or disposed of just now: choose again")  # fmt: skip
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


@dataclass(frozen=True, slots=True)
class Taken:
    """Who has a vehicle or a driver, and when. ``trip``: where it goes, as the newest event says, with ``category`` of its request; None = an order of another system."""

    id: str
    number: str
    kind: str
    state: str
    organisation: str
    vehicle: str
    driver: str | None
    since: datetime
    until: datetime
    category: str | None = None
    trip: dict[str, Any] | None = None


async def taken_within(
    connection: Connection, vehicles: Collection[str], drivers: Collection[str], since: datetime, until: datetime
) -> list[Taken]:  # fmt: skip
    """The dispatches, and the orders of other systems, that have one of the vehicles or drivers within [since, until), by id."""
    rows = await connection.fetch(
        "SELECT d.id, d.number, d.kind, d.state, d.organisation, d.vehicle, d.driver, d.planned_departure AS since,"
        " GREATEST(d.planned_return, d.extended_return) AS until,"
        " (SELECT min(r.category) FROM trip_links l JOIN trip_requests r ON r.id = l.request_id WHERE l.dispatch_id = d.id) AS category,"
        " (SELECT e.body -> 'trip' FROM trip_dispatch_events e WHERE e.paper = d.id AND e.body ? 'trip' ORDER BY e.version DESC LIMIT 1) AS trip"
        " FROM trip_dispatches d WHERE d.holds AND (d.vehicle = ANY($1::text[]) OR d.driver = ANY($2::text[]))"
        " AND d.planned_departure < $4 AND (GREATEST(d.planned_return, d.extended_return) > $3 OR d.state NOT IN ('assigned', 'accepted', 'reassigning'))"
        " ORDER BY d.id",
        sorted(vehicles), sorted(drivers), since, until,
    )  # fmt: skip
    others = await connection.fetch(
        "SELECT o.id, o.organisation, o.vehicle, o.driver, o.planned_departure AS since, GREATEST(o.planned_return, o.extended_return) AS until"  # noqa: S608 - constant texts
        " FROM dispatch_orders o WHERE o.is_current AND o.status IN ('approved', 'departed') AND o.part_of IS NULL"
        f" AND o.vehicle = ANY($1::text[]) AND {covers_within('o', '$2', '$3')}"
        " AND tstzrange(o.planned_departure, GREATEST(o.planned_return, o.extended_return)) && tstzrange($2, $3)"
        " AND NOT EXISTS (SELECT FROM trip_dispatches d WHERE d.id = o.id) ORDER BY o.id",
        sorted(vehicles), since, until,
    )  # fmt: skip
    return [
        *(Taken(**dict(row)) for row in rows),
        *(Taken(row["id"], row["id"], "order", "", row["organisation"], row["vehicle"], row["driver"], row["since"], row["until"]) for row in others),
    ]  # fmt: skip


async def worked_since(connection: Connection, units: Collection[str], since: datetime, until: datetime) -> dict[str, dict[str, int]]:  # fmt: skip
    """How many seconds vehicles and drivers of ``units`` were on their way within [since, until): {"vehicle": {id: s}, "driver": {id: s}}."""
    rows = await connection.fetch(
        "SELECT vehicle, driver, sum(extract(epoch FROM COALESCE(actual_return, planned_return) - COALESCE(actual_departure, planned_departure)))::bigint AS s"
        " FROM trip_dispatches WHERE organisation = ANY($1::text[]) AND planned_departure >= $2 AND planned_departure < $3 AND state = 'returned'"
        " GROUP BY vehicle, driver",
        sorted(units), since, until,
    )  # fmt: skip
    found: dict[str, dict[str, int]] = {"vehicle": {}, "driver": {}}
    for row in rows:
        for name in ("vehicle", "driver"):
            if row[name] is not None:
                found[name][row[name]] = found[name].get(row[name], 0) + row["s"]
    return found
