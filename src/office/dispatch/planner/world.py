"""The facts as arrays. Rows are sorted by id: the order in which facts come changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from office.dispatch.planner.facts import ABOVE, SERVES, Busy, Car, Driver, Facts, Point, Trip
from office.dispatch.planner.reasons import Why
from office.dispatch.planner.travel import Known, Travel
from office.dispatch.planner.weights import REST_S, UNSERVED, UNSERVED_MEETING, Weights
from runtime.arrays import Bools, Ints
from runtime.units import CHINA

_DAY_S, _CHINA_S = 86_400, 8 * 3600
CATEGORIES: Final = tuple(UNSERVED)
#: Classes of which some are kept in (H9).
RESERVED: Final = ("emergency", "confidential")
#: When plates are restricted (H7), in seconds of the day in China: workdays from 7 to 20.
TAIL_FROM_S, TAIL_TO_S = 7 * 3600, 20 * 3600


def china_day(at_s: int) -> int:
    """Number of the day in China."""
    return (at_s + _CHINA_S) // _DAY_S


class World:
    """Trips T and crews C as arrays: a crew is a vehicle and the driver that goes with it (``crew_driver``: number of the driver of each, -1 = nobody)."""

    def __init__(
        self, facts: Facts, weights: Weights, crew_driver: Mapping[str, str | None], known: Known | None = None
    ) -> None:  # fmt: skip
        self.facts, self.weights = facts, weights
        self.trips: list[Trip] = sorted(facts.trips, key=lambda t: t.id)
        self.cars: list[Car] = sorted(facts.cars, key=lambda c: c.id)
        by_id = {driver.id: driver for driver in facts.drivers}
        self.drivers: list[Driver | None] = [by_id.get(crew_driver.get(car.id) or "") for car in self.cars]
        self.trip_no = {trip.id: k for k, trip in enumerate(self.trips)}
        self.car_no = {car.id: k for k, car in enumerate(self.cars)}
        self._places(known)
        self._of_trips()
        self._of_cars()
        self._of_drivers()

    def _places(self, known: Known | None) -> None:
        points: dict[Point, int] = {}

        def number(point: Point | None) -> int:
            return -1 if point is None else points.setdefault(point, len(points))

        self.origin = _ints(number(t.origin) for t in self.trips)
        self.end = _ints(number(t.end) for t in self.trips)
        self.base = _ints(number(c.base) for c in self.cars)
        centre = self.trips[0].origin if self.trips else (0, 0)
        self.travel = Travel(list(points) or [centre], centre, known)

    def _of_trips(self) -> None:
        trips = self.trips
        self.departs, self.returns = _ints(t.departs_s for t in trips), _ints(t.returns_s for t in trips)
        self.drive_m = _ints(t.drive_m for t in trips)
        drive = _ints(min(t.drive_s, t.returns_s - t.departs_s) if t.with_driver else 0 for t in trips)
        rests = (self.returns - self.departs - drive) // REST_S
        #: The longest piece between two rests, when they are spread evenly; whether there is one within the trip.
        self.piece = np.where(rests > 0, -(-drive // (rests + 1)), drive)
        self.rested = (rests > 0) | ~np.array([t.with_driver for t in trips], bool)
        first = min((china_day(t.departs_s) for t in trips), default=0)
        self.day_from = _ints(china_day(t.departs_s) - first for t in trips)
        self.day_to = _ints(china_day(t.returns_s - 1) - first for t in trips)
        self.days = int(self.day_to.max(initial=0)) + 1
        self.drive_day = -(-drive // (self.day_to - self.day_from + 1))
        self.passengers = _ints(t.passengers for t in trips)
        self.with_driver = np.array([t.with_driver for t in trips], bool)
        self.confidential = np.array([t.confidential for t in trips], bool)
        self.off_road = np.array([t.off_road for t in trips], bool)
        self.category = _ints(CATEGORIES.index(t.category) for t in trips)
        self.emergency = self.category == CATEGORIES.index("emergency")
        self.general = self.category == CATEGORIES.index("other")
        self.unapproved = np.array([not t.approved for t in trips], bool)
        self.unserved = _ints(map(unserved_fen, trips))
        self.tail = _ints(_restricted(t, self.weights.tail_first) for t in trips)
        self.first_hour = min((t.departs_s for t in trips), default=0) // 3600
        self.hours = max((t.returns_s for t in trips), default=0) // 3600 - self.first_hour + 1

    def _of_cars(self) -> None:
        cars = self.cars
        units = {unit: k for k, unit in enumerate(sorted({t.unit for t in self.trips}))}
        self.trip_unit = _ints(units[t.unit] for t in self.trips)
        self.car_unit = _ints(units.get(c.unit, -1) for c in cars)
        self.serves: Bools = np.array([[name in SERVES.get(c.kind, SERVES[""]) for c in cars] for name in CATEGORIES], bool).reshape(len(CATEGORIES), len(cars))  # fmt: skip
        self.above = np.array([c.kind in ABOVE for c in cars], bool)
        self.seats = _ints(-1 if c.seats is None else c.seats for c in cars)
        self.not_off_road = np.array([c.off_road is False for c in cars], bool)
        self.electric = np.array([c.energy == "electric" for c in cars], bool)
        self.range_m = _ints(-1 if c.range_m is None else c.range_m for c in cars)
        self.tail_bit = _ints(0 if c.digit is None or c.energy in ("electric", "hybrid") else 1 << c.digit for c in cars)  # fmt: skip
        self.secret = np.array([c.secret for c in cars], bool)
        self.rented = np.array([c.kind == "rental" for c in cars], bool)
        self.unshared = np.array([not c.shared for c in cars], bool)
        self.price_fen_km = _ints(c.price_fen_km for c in cars)
        self.car_load = _above_mean(_ints(c.load_m for c in cars))
        self.reserved = _ints(RESERVED.index(c.kind) if c.kind in RESERVED else -1 for c in cars)
        self.keep = (self.weights.reserve_emergency, self.weights.reserve_confidential)
        self.busy = _busy((k, each) for k, car in enumerate(cars) for each in car.busy)

    def _of_drivers(self) -> None:
        drivers = self.drivers
        self.no_driver = np.array([d is None for d in drivers], bool) & self.facts.drivers_known
        self.driver_load = _above_mean(_ints(0 if d is None else d.load_s for d in drivers))
        self.unfamiliar = np.array(
            [d is not None and d.familiar is not None and c.id not in d.familiar for c, d in zip(self.cars, drivers, strict=True)], bool
        )  # fmt: skip
        self.unlicensed = np.array(
            [d is not None and not licensed(c, d) for c, d in zip(self.cars, drivers, strict=True)], bool
        )
        self.duty_known = np.array([d is not None and d.duty is not None for d in drivers], bool)
        duty = [(k, since, until) for k, d in enumerate(drivers) if d is not None for since, until in d.duty or ()]  # fmt: skip
        self.duty = np.array(duty, np.int64).reshape(-1, 3)
        self.driven_elsewhere = self._elsewhere()
        self.driver_busy = _busy((k, b) for k, d in enumerate(drivers) if d is not None for b in d.busy)

    def _elsewhere(self) -> Ints:
        """What the driver of each crew drives with other vehicles, in seconds: [C, days]."""
        found = np.zeros((len(self.cars), self.days), np.int64)
        first = min((china_day(t.departs_s) for t in self.trips), default=0)
        for crew, driver in enumerate(self.drivers):
            for since, until, seconds in () if driver is None else driver.driven:
                begin, end = china_day(since) - first, china_day(until - 1) - first + 1
                found[crew, max(begin, 0) : max(end, 0)] += -(-seconds // (end - begin))
        return found

    def decided(self, trip: int) -> Bools:
        """Of each crew: its driver decided on the trip."""
        who = self.trips[trip].decided
        if not who:
            return np.zeros(len(self.cars), bool)
        return np.array([d is not None and d.user is not None and d.user in who for d in self.drivers], bool)


def licensed(car: Car, driver: Driver) -> bool:
    """Whether the driver may drive the vehicle, as far as it is known."""
    return car.licences is None or driver.licences is None or not car.licences.isdisjoint(driver.licences)


def unserved_fen(trip: Trip) -> int:
    """What it counts that a request gets no vehicle."""
    return (
        UNSERVED_MEETING
        if trip.category == "other" and trip.purpose == "meeting"
        else UNSERVED[trip.category]
    )


def _restricted(trip: Trip, first: int) -> int:
    """Last digits that may not drive at some time of the trip, as bits. ``first``: the pair of Monday (1 = 1 and 6, ... 5 = 5 and 0), 0 = none."""
    found = 0
    if not first:
        return 0
    for day in range(china_day(trip.departs_s), china_day(trip.returns_s - 1) + 1):
        begin = day * _DAY_S - _CHINA_S
        weekday = datetime.fromtimestamp(begin, UTC).astimezone(CHINA).weekday()
        if weekday < 5 and trip.departs_s < begin + TAIL_TO_S and trip.returns_s > begin + TAIL_FROM_S:
            digit = (first - 1 + weekday) % 5 + 1
            found |= 1 << digit | 1 << (digit + 5) % 10
    return found


def _ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, np.int64)


def _above_mean(load: Ints) -> Ints:
    return np.maximum(load - int(load.mean()), 0) if len(load) else load


def _busy(rows: Iterable[tuple[int, Busy]]) -> Ints:
    """Rows (number, since, until, bit)."""
    found: Sequence[Any] = [(k, each.since_s, each.until_s, int(each.why)) for k, each in rows]
    return np.array(found, np.int64).reshape(-1, 4)


__all__ = ["CATEGORIES", "RESERVED", "Why", "World", "china_day", "licensed", "unserved_fen"]
