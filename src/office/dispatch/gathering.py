"""What the register, the seals, the papers and the dispatches know, as the facts of the planner. All that it does not know yet is left open, and said to be so."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Final

import shapely

from office.dispatch.accounts import users_of
from office.dispatch.drives import back_today, tired
from office.dispatch.driving import REST_S
from office.dispatch.fitness import Fitness, fitness
from office.dispatch.planner.facts import Busy, Car, Driver, Facts, Point, Told, Trip
from office.dispatch.planner.pooling import Rider
from office.dispatch.planner.reasons import Why
from office.dispatch.planner.travel import seconds_of, straight_m
from office.dispatch.planner.weights import Weights
from office.dispatch.threads import Clocks, RequestThread
from office.dispatch.vehicles import Taken, taken_within, worked_since
from office.requests.table import OUT, TripState
from registry import parameters
from registry.drivers import drivers_of_units
from registry.fences import read_fences
from registry.places import Place, stored_places
from registry.seals import seals_within
from registry.shifts import merged
from registry.vehicles import VehicleInfo, vehicles_of_units
from runtime.connection import Connection
from runtime.errors import DeclinedError
from runtime.units import CHINA, to_us

#: What lies so long before or after the requests is looked at as well: where vehicles come from, what they do next.
AROUND: Final = timedelta(hours=12)
#: Over so long the work of vehicles and drivers is compared.
LOAD: Final = timedelta(days=14)
#: A vehicle that should be back is taken to be so soon.
_SOON: Final = timedelta(minutes=30)
#: Words of a category of the register (编制类别) and the class of the planner, the first that fits.
_KINDS: Final = (("租赁", "rental"), ("应急", "emergency"), ("机要", "confidential"), ("执法", "enforcement"), ("特种", "special"), ("公务", "general"))  # fmt: skip
#: What an electric vehicle needs, in Wh/km; its battery is taken to be full in the morning.
_WH_KM: Final = 160
#: States in which an approval holds.
_APPROVED: Final = frozenset(
    {TripState.APPROVED, TripState.WAITING, TripState.NO_VEHICLE, TripState.ASSIGNED}
)


@dataclass(frozen=True, slots=True)
class Gathered:
    """``facts``, and of their vehicles, drivers and told trips what is shown: by id."""

    facts: Facts
    weights: Weights
    vehicles: Mapping[str, VehicleInfo]
    drivers: Mapping[str, str]
    taken: Sequence[Taken]


def weights_of(clocks: Clocks, pool: str, now: datetime) -> Weights:
    """The weights and limits of a pool."""
    values = parameters.resolve(parameters.PLANNER, pool, to_us(now), clocks.rows)
    return Weights(**{each.name: values[each.name] for each in fields(Weights)})


async def gather(connection: Connection, clocks: Clocks, threads: Sequence[RequestThread], units: Collection[str], now: datetime) -> Gathered:  # fmt: skip
    """All that matters for ``threads``, of the vehicles and drivers of ``units``, within reach."""
    since = min(thread.row["planned_departure"] for thread in threads)
    until = max(thread.row["planned_return"] for thread in threads)
    days = [at.astimezone(CHINA).date() for at in (since, until)]
    found = await vehicles_of_units(connection, units, days[0], days[1])
    people = await drivers_of_units(connection, units)
    users = await users_of(connection, [id for id, _, _ in people])
    ids = {vehicle.id for vehicle, _ in found}
    taken = await taken_within(connection, ids, {id for id, _, _ in people}, min(since, now) - AROUND, until + AROUND)  # fmt: skip
    worked = await worked_since(connection, units, now - LOAD, now)
    busy: dict[str, list[Busy]] = {}
    for vehicle, begin, end in await seals_within(connection, ids, since, until):
        busy.setdefault(vehicle, []).append(Busy(_s(begin), _s(end or until + AROUND), Why.SEALED))
    fit = await fitness(connection, ids, [id for id, _, _ in people], since, until, _s(until + AROUND))
    for vehicle, spans in fit.cars.items():
        busy.setdefault(vehicle, []).extend(spans)
    bases = await _bases(connection, units, [vehicle for vehicle, _ in found], now)
    trips = [*map(_request, threads)]
    told, elsewhere = _told(taken, ids, now, busy)
    trips += [trip for trip, _ in told]
    cars = [_car(vehicle, secret, bases.get(vehicle.id), worked, busy.get(vehicle.id, ()), fit) for vehicle, secret in found]  # fmt: skip
    called = _called(taken, now)
    ids_of_people = [id for id, _, _ in people]
    driven = await back_today(connection, ids_of_people, _midnight(min(since, now)))
    rests = await tired(connection, ids_of_people, since - timedelta(seconds=REST_S), min(until, now), clocks.rows)  # fmt: skip
    drivers = [
        Driver(id, unit, f"user:{users[id]}" if id in users else None, _duty(fit, id, called), fit.held.get(id), load_s=worked["driver"].get(id, 0),
               busy=(*elsewhere.get(id, ()), *_away(fit, id, called), *_rest(rests.get(id))), driven=tuple(driven.get(id, ())))
        for id, _, unit in people
    ]  # fmt: skip
    facts = Facts(
        _s(now), tuple(trips), tuple(cars), tuple(drivers), tuple(t for _, t in told), bool(drivers)
    )
    return Gathered(
        facts, weights_of(clocks, threads[0].paper.pool, now), {v.id: v for v, _ in found},
        {id: name for id, name, _ in people}, taken,
    )  # fmt: skip


def rider_of(thread: RequestThread) -> Rider:
    """A request as one that may share a vehicle. Raises DeclinedError."""
    contents = thread.paper.contents
    trip = _request(thread)
    stops = tuple(_points([Place.model_validate(place) for place in contents["stops"]]))
    return Rider(trip, stops, bool(contents.get("pool_consent")), contents.get("driver_mode", "with_driver") == "with_driver")  # fmt: skip


def _request(thread: RequestThread) -> Trip:
    """Raises DeclinedError for a request that names no place to begin at: an emergency whose paper is not complete."""
    request, contents = thread.paper, thread.paper.contents
    if not contents.get("origin"):
        raise DeclinedError("no-place", "申请没有上车点坐标（紧急用车尚未补齐），不能比较车辆 · the request has no origin yet: complete it first")  # fmt: skip
    places = [contents["origin"], *contents["stops"], contents.get("return_point") or contents["origin"]]
    points = _points([Place.model_validate(place) for place in places])
    since, until = _s(thread.row["planned_departure"]), _s(thread.row["planned_return"])
    metres = straight_m(points)
    return Trip(
        thread.id, request.organisation, points[0], points[-1], since, until, metres, min(seconds_of(metres), until - since),
        contents["passengers"], contents["category"], contents["purpose"], contents.get("confidential", False),
        with_driver=contents.get("driver_mode", "with_driver") in ("with_driver", "driver_only"),
        approved=request.state in _APPROVED, decided=request.decided,
    )  # fmt: skip


def _told(taken: Sequence[Taken], cars: Collection[str], now: datetime, busy: dict[str, list[Busy]]) -> tuple[list[tuple[Trip, Told]], dict[str, list[Busy]]]:  # fmt: skip
    """Dispatches that hold their vehicles, as told trips; where nobody knows the places, or it is another system's, as time that is taken: ``busy`` of vehicles, and of drivers, which is
    returned."""
    told: list[tuple[Trip, Told]] = []
    elsewhere: dict[str, list[Busy]] = {}
    for each in taken:
        until = max(each.until, now + _SOON) if each.state in OUT else each.until
        begin, end = _s(each.since), _s(until)
        ours = each.vehicle in cars
        if ours and each.trip is not None and each.trip.get("origin") and each.trip.get("return_point"):
            given = [each.trip["origin"], *each.trip["destinations"], each.trip["return_point"]]
            places = [Place.model_validate(place) for place in given if place.get("lat") is not None]
            if given[0].get("lat") is not None and given[-1].get("lat") is not None:
                points = _points(places)
                metres = straight_m(points)
                trip = Trip(
                    each.id, each.organisation, points[0], points[-1], begin, end, metres, min(seconds_of(metres), end - begin),
                    category=each.category or "other", with_driver=each.driver is not None,
                )  # fmt: skip
                # An emergency takes a vehicle from nobody who has accepted, nor from another emergency.
                fixed = each.kind != "normal" or each.state != TripState.ASSIGNED
                told.append((trip, Told(each.id, each.vehicle, each.driver, fixed)))
                continue
        if ours:
            busy.setdefault(each.vehicle, []).append(Busy(begin, end, Why.TAKEN))
        if each.driver is not None:
            elsewhere.setdefault(each.driver, []).append(Busy(begin, end, Why.DRIVER_TAKEN))
    return told, elsewhere


def _midnight(at: datetime) -> datetime:
    return at.astimezone(CHINA).replace(hour=0, minute=0, second=0, microsecond=0)


def _rest(until_s: int | None) -> tuple[Busy, ...]:
    """Who has just driven for four hours has to rest first."""
    return () if until_s is None else (Busy(until_s - REST_S, until_s, Why.DRIVER_REST),)


def _called(taken: Sequence[Taken], now: datetime) -> dict[str, list[tuple[int, int]]]:
    """When drivers work whatever their rosters say: who is out now, and who was called for an emergency."""
    found: dict[str, list[tuple[int, int]]] = {}
    for each in taken:
        if each.driver is not None and (each.state in OUT or each.kind == "emergency"):
            until = max(each.until, now + _SOON) if each.state in OUT else each.until
            found.setdefault(each.driver, []).append((_s(each.since), _s(until)))
    return found


def _duty(fit: Fitness, driver: str, called: Mapping[str, Sequence[tuple[int, int]]]) -> tuple[tuple[int, int], ...] | None:  # fmt: skip
    duty = fit.duty.get(driver)
    return None if duty is None else merged((*duty, *called.get(driver, ())))


def _away(fit: Fitness, driver: str, called: Mapping[str, Sequence[tuple[int, int]]]) -> list[Busy]:
    """Why a driver cannot be sent; his leave, as far as he is not out."""
    found = []
    for each in fit.drivers.get(driver, ()):
        since = each.since_s
        if each.why is Why.DRIVER_LEAVE:
            since = max((until for begin, until in called.get(driver, ()) if begin < each.until_s and until > since), default=since)  # fmt: skip
        if since < each.until_s:
            found.append(Busy(since, each.until_s, each.why))
    return found


def _car(vehicle: VehicleInfo, secret: bool, base: Point | None, worked: Mapping[str, Mapping[str, int]], busy: Sequence[Busy], fit: Fitness) -> Car:  # fmt: skip
    kind = "rental" if vehicle.ownership == "rented" else next((k for word, k in _KINDS if word in vehicle.category), "")  # fmt: skip
    digits = [letter for letter in vehicle.plate if letter.isdecimal() and letter.isascii()]
    electric = vehicle.energy == "electric" and vehicle.battery_wh is not None
    return Car(
        vehicle.id, vehicle.organisation, kind, base, energy=vehicle.energy,
        range_m=vehicle.battery_wh * 1000 // _WH_KM if electric and vehicle.battery_wh is not None else None,
        digit=int(digits[-1]) if digits else None, licences=fit.wanted.get(vehicle.id), seats=fit.seats.get(vehicle.id), secret=secret,
        load_m=worked["vehicle"].get(vehicle.id, 0) * 30_000 // 3600, busy=tuple(busy),
    )  # fmt: skip


async def _bases(connection: Connection, units: Collection[str], vehicles: Sequence[VehicleInfo], now: datetime) -> dict[str, Point]:  # fmt: skip
    """Where vehicles stand: a point in the fence of each, else in that of its unit (the first by id)."""
    fences = await read_fences(
        connection, "WHERE organisation = ANY($1::text[]) AND valid_from <= $2 AND (valid_to IS NULL OR valid_to > $2) ORDER BY id, version",
        sorted(units), now,
    )  # fmt: skip
    own: dict[str, Point] = {}
    of_unit: dict[str, Point] = {}
    for fence in fences:
        point = shapely.from_wkb(fence.wkb).representative_point()
        at = (round(point.y * 1e6), round(point.x * 1e6))
        for vehicle in fence.vehicles:
            own.setdefault(vehicle, at)
        if not fence.vehicles:
            of_unit.setdefault(fence.organisation, at)
    found = {vehicle.id: own.get(vehicle.id) or of_unit.get(vehicle.organisation) for vehicle in vehicles}
    return {id: at for id, at in found.items() if at is not None}


def _points(places: Sequence[Place]) -> list[Point]:
    return [(p["wgs84"]["lat_e6"], p["wgs84"]["lon_e6"]) for p in stored_places(places)]


def _s(at: datetime) -> int:
    return int(at.timestamp())
