"""Pools of made-up requests, vehicles and drivers for the planner, and a checker that knows nothing of how it plans: constraint by constraint, vehicle by vehicle, in plain Python."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from office.dispatch.planner.batch import Assignment, Plan
from office.dispatch.planner.facts import SERVES, Busy, Car, Driver, Facts, Point, Told, Trip
from office.dispatch.planner.reasons import Why
from office.dispatch.planner.travel import Travel, seconds_of, straight_m
from office.dispatch.planner.weights import DRIVE_S, HOME_S, LATE_S, REST_S, Weights
from runtime.units import CHINA

#: Midnight of a Monday in China, 2026-11-30.
MIDNIGHT = int(datetime(2026, 11, 30, tzinfo=CHINA).timestamp())
_KINDS = (
    "general",
    "general",
    "general",
    "emergency",
    "confidential",
    "enforcement",
    "special",
    "rental",
    "",
)
_CATEGORIES = ("other",) * 14 + ("emergency", "confidential", "enforcement", "special")


def pool(
    trips: int, cars: int, seed: int = 1, *, sites: int = 12, drivers: int | None = None, odd: bool = False, days: int = 1, kinds: Sequence[str] = ("general",) * 5 + ("emergency", "confidential", "enforcement"),
) -> Facts:  # fmt: skip
    """A day of a pool (of ``days``): units at ``sites``, each with its vehicles; most trips go out and come back. ``odd``: with everything that may be in the way."""
    dice = random.Random(seed)
    where = [
        (32_000_000 + int(dice.gauss(0, 60_000)), 120_900_000 + int(dice.gauss(0, 60_000)))
        for _ in range(sites)
    ]
    made = [_trip(dice, k, where, odd, days) for k in range(trips)]
    vehicles = [_car(dice, k, where, odd, kinds) for k in range(cars)]
    people = [_driver(dice, k, sites, cars, odd) for k in range(cars if drivers is None else drivers)]
    return Facts(MIDNIGHT, tuple(made), tuple(vehicles), tuple(people))


def _trip(dice: random.Random, number: int, where: Sequence[Point], odd: bool, days: int) -> Trip:
    site = dice.randrange(len(where))
    at = where[site]
    origin = (at[0] + dice.randrange(-3000, 3000), at[1] + dice.randrange(-3000, 3000))
    wide = dice.choice((80_000, 80_000, 80_000, 600_000)) if odd else 80_000
    there = (32_000_000 + int(dice.gauss(0, wide)), 120_900_000 + int(dice.gauss(0, wide)))
    alone = dice.random() < 0.3
    metres = straight_m([origin, there] if alone else [origin, there, origin])
    seconds = seconds_of(metres)
    hour = min(max(dice.choice((dice.gauss(9, 1), dice.gauss(14, 1.2), dice.uniform(7, 20))), 6), 22)
    departs = MIDNIGHT + dice.randrange(days) * 86_400 + int(hour * 12) * 300
    wait = dice.choice((0, 1800, 3600, 7200, 10_800)) + (86_400 if odd and dice.random() < 0.05 else 0)
    category = dice.choice(_CATEGORIES)
    return Trip(
        f"t{number:05}", f"u{site}", origin, there if alone else origin, departs, departs + seconds + wait + 600, metres, seconds,
        dice.choice((1, 2, 2, 3, 4) + ((6, 8) if odd else ())), category, dice.choice(("meeting", "field", "other")),
        confidential=odd and dice.random() < 0.05, off_road=odd and dice.random() < 0.03, with_driver=not odd or dice.random() < 0.9,
        approved=not odd or dice.random() < 0.97, decided=frozenset({f"p{dice.randrange(20)}"}),
    )  # fmt: skip


def _car(dice: random.Random, number: int, where: Sequence[Point], odd: bool, kinds: Sequence[str]) -> Car:
    site, busy = number % len(where), []
    energy = dice.choice(("petrol", "petrol", "electric", "hybrid"))
    if odd and dice.random() < 0.2:
        since = MIDNIGHT + dice.randrange(24) * 3600
        busy.append(
            Busy(
                since,
                since + dice.randrange(1, 12) * 3600,
                dice.choice((Why.SEALED, Why.REPAIR, Why.PAPERS, Why.TAKEN)),
            )
        )
    return Car(
        f"c{number:05}", f"u{site}", dice.choice(_KINDS if odd else kinds), None if odd and dice.random() < 0.1 else where[site],
        dice.choice((None, 5, 7, 9) if odd else (5, 5, 5, 7)), dice.choice((None, True, False)) if odd else None, energy,
        dice.choice((None, 60_000, 150_000, 300_000)) if odd and energy == "electric" else None, dice.randrange(10) if odd else None,
        dice.choice((None, frozenset({"C1", "B1"}), frozenset({"A1"}))) if odd else None, odd and dice.random() < 0.03,
        not odd or dice.random() < 0.97, dice.randrange(0, 200) if odd else 0, dice.randrange(2_000_000), tuple(busy),
    )  # fmt: skip


def _driver(dice: random.Random, number: int, sites: int, cars: int, odd: bool) -> Driver:
    duty: tuple[tuple[int, int], ...] | None = None
    busy: tuple[Busy, ...] = ()
    if odd and dice.random() < 0.5:
        since = MIDNIGHT + dice.choice((0, 6, 8, 12)) * 3600
        duty = ((since, since + 12 * 3600),)
    if odd and dice.random() < 0.1:
        since = MIDNIGHT + dice.randrange(20) * 3600
        busy = (Busy(since, since + 7200, Why.DRIVER_TAKEN),)
    return Driver(
        f"d{number:05}", f"u{number % sites}", f"p{number}" if odd else None, duty, dice.choice((None, frozenset({"C1"}), frozenset({"A1", "B1", "C1"}))) if odd else None,
        frozenset(f"c{dice.randrange(max(cars, 1)):05}" for _ in range(3)) if odd else None, dice.randrange(100_000), busy,
    )  # fmt: skip


def told_of(plan: Plan, accepted: float = 0.3) -> tuple[Told, ...]:
    """The assignments of a plan as what was told."""
    return tuple(
        Told(a.trip, a.car, a.driver, k % 10 < accepted * 10) for k, a in enumerate(plan.assignments)
    )


# --- the checker


def violations(facts: Facts, weights: Weights, made: Iterable[Assignment]) -> list[str]:
    """Hard constraints that a plan breaks; told assignments are judged as well."""
    trips, cars = {t.id: t for t in facts.trips}, {c.id: c for c in facts.cars}
    drivers = {d.id: d for d in facts.drivers}
    found: list[str] = []
    of_car: dict[str, list[Trip]] = defaultdict(list)
    of_driver: dict[str, list[tuple[Trip, Car]]] = defaultdict(list)
    for each in made:
        trip, car = trips[each.trip], cars[each.car]
        driver = drivers[each.driver] if each.driver else None
        found += [f"{trip.id} {car.id} {driver and driver.id}: {what}" for what in _alone(facts, weights, trip, car, driver)]  # fmt: skip
        of_car[car.id].append(trip)
        if driver is not None:
            of_driver[driver.id].append((trip, car))
    for id, own in of_car.items():
        found += [f"{id}: {what}" for what in _one_after_the_other(facts, weights, cars[id], own)]
    for id, both in of_driver.items():
        found += [f"{id}: {what}" for what in _driving(weights, both)]
    return found + _reserve(facts, weights, of_car)


def _alone(facts: Facts, weights: Weights, trip: Trip, car: Car, driver: Driver | None) -> Iterable[str]:
    def meets(busy: Busy) -> bool:
        return busy.since_s < trip.returns_s and busy.until_s > trip.departs_s

    checks = {
        "H1 category": trip.category not in SERVES[car.kind], "H1 shared": not car.shared,
        "H1 secrecy": car.kind == "rental" if trip.confidential else car.secret,
        "H2 seats": car.seats is not None and car.seats < trip.passengers + trip.with_driver,
        "H2 off-road": trip.off_road and car.off_road is False, "H10": not trip.approved, "H5 or H3": any(map(meets, car.busy)),
        "H7": car.energy not in ("electric", "hybrid") and _restricted(trip, car, weights),
    }  # fmt: skip
    if trip.with_driver:
        checks["H4 nobody"] = driver is None and facts.drivers_known
        if driver is not None:
            long = trip.returns_s - trip.departs_s > 86_400
            on = driver.duty is None or any(
                a <= trip.departs_s and (trip.returns_s <= b or (long and trip.departs_s < b))
                for a, b in driver.duty
            )
            checks |= {
                "H2 licence": bool(car.licences and driver.licences and not car.licences & driver.licences),
                "H4 duty": not on, "H4 busy": any(map(meets, driver.busy)), "H11": driver.user in trip.decided,
            }  # fmt: skip
    return [what for what, broken in checks.items() if broken]


def _restricted(trip: Trip, car: Car, weights: Weights) -> bool:
    if not weights.tail_first or car.digit is None:
        return False
    for at in range(trip.departs_s, trip.returns_s, 60):
        moment = datetime.fromtimestamp(at, UTC).astimezone(CHINA)
        if moment.weekday() < 5 and 7 <= moment.hour < 20:
            digit = (weights.tail_first - 1 + moment.weekday()) % 5 + 1
            if car.digit in (digit, (digit + 5) % 10):
                return True
    return False


def _ways(facts: Facts, car: Car, own: Sequence[Trip], turn: int) -> list[tuple[int, int, int]]:
    """(metres, seconds, idle) of the way to each of ``own``, and from the last one home."""
    points = [*(p for t in own for p in (t.origin, t.end)), *([car.base] if car.base else [])]
    centre = min(facts.trips, key=lambda t: t.id).origin
    travel, number = Travel(points, centre), {p: k for k, p in enumerate(points)}

    def way(a: Point | None, b: Point | None) -> tuple[int, int]:
        return (0, 0) if a is None or b is None else travel.one(number[a], number[b])

    found = [(*way(car.base, own[0].origin), REST_S)]
    for one, other in pairwise(own):
        gap, (metres, seconds) = other.departs_s - one.returns_s, way(one.end, other.origin)
        if gap >= HOME_S and car.base:
            (a, b), (c, d) = way(one.end, car.base), way(car.base, other.origin)
            if b + d + turn <= gap:
                metres, seconds = a + c, b + d
        found.append((metres, seconds, gap - seconds))
    return [*found, (*way(own[-1].end, car.base), 0)]


def empty_m(facts: Facts, weights: Weights, made: Iterable[Assignment]) -> int:
    """What the vehicles of a plan drive empty."""
    trips, cars = {t.id: t for t in facts.trips}, {c.id: c for c in facts.cars}
    of_car: dict[str, list[Trip]] = defaultdict(list)
    for each in made:
        of_car[each.car].append(trips[each.trip])
    return sum(
        metres
        for id, own in of_car.items()
        for metres, _, _ in _ways(
            facts, cars[id], sorted(own, key=lambda t: t.departs_s), 60 * weights.turnaround_min
        )
    )


def _one_after_the_other(facts: Facts, weights: Weights, car: Car, own: list[Trip]) -> Iterable[str]:
    own.sort(key=lambda t: t.departs_s)
    turn = 60 * weights.turnaround_min
    ways = _ways(facts, car, own, turn)
    late = max(facts.now_s + ways[0][1] - own[0].departs_s, 0)
    if late > LATE_S:
        yield f"H3 {own[0].id} is {late} s late"
    for k, (one, other) in enumerate(pairwise(own)):
        if other.departs_s - one.returns_s - turn - (late if k == 0 else 0) < ways[k + 1][1]:
            yield f"H3 from {one.id} to {other.id}"
    if car.range_m is not None:
        days: dict[int, int] = defaultdict(int)
        for trip, (metres, _, _) in zip(own, ways, strict=False):
            days[_day(trip.departs_s)] += metres + trip.drive_m
        days[_day(own[-1].returns_s - 1)] += ways[-1][0]
        if max(days.values()) > 0.85 * car.range_m:
            yield f"H6 {max(days.values())} m of {car.range_m}"
    driven = [t for t in own if t.with_driver]
    if driven:
        yield from _hours(weights, own, ways)


def _hours(weights: Weights, own: Sequence[Trip], ways: Sequence[tuple[int, int, int]]) -> Iterable[str]:
    """H4 of the driver of a vehicle."""
    run = 0
    days: dict[int, int] = defaultdict(int)
    for trip, (_, seconds, idle) in zip(own, ways, strict=False):
        drive = min(trip.drive_s, trip.returns_s - trip.departs_s) if trip.with_driver else 0
        rests = (trip.returns_s - trip.departs_s - drive) // REST_S
        piece = -(-drive // (rests + 1))
        run = (0 if idle >= REST_S else run) + seconds + piece
        if trip.with_driver and run > DRIVE_S:
            yield f"H4 {trip.id}: {run} s without a rest"
        run = piece if rests or not trip.with_driver else run
        first, last = _day(trip.departs_s), _day(trip.returns_s - 1)
        for day in range(first, last + 1):
            days[day] += drive // (last - first + 1)
        days[first] += seconds
    if own[-1].with_driver and run + ways[-1][1] > DRIVE_S:
        yield f"H4 {own[-1].id}: {run} s and home"
    days[_day(own[-1].returns_s - 1)] += ways[-1][1]
    if own[-1].with_driver and max(days.values()) > weights.driver_day_h * 3600:
        yield f"H4 {max(days.values())} s of driving in a day"


def _driving(weights: Weights, both: list[tuple[Trip, Car]]) -> Iterable[str]:
    both.sort(key=lambda pair: pair[0].departs_s)
    for (one, _), (other, _) in pairwise(both):
        if other.departs_s - one.returns_s < 60 * weights.turnaround_min:
            yield f"H4 {one.id} and {other.id} at once"
    days: dict[int, int] = defaultdict(int)
    for trip, _ in both:
        first, last = _day(trip.departs_s), _day(trip.returns_s - 1)
        for day in range(first, last + 1):
            days[day] += min(trip.drive_s, trip.returns_s - trip.departs_s) // (last - first + 1)
    if max(days.values()) > weights.driver_day_h * 3600:
        yield f"H4 {max(days.values())} s of driving in a day, with all vehicles"


def _reserve(facts: Facts, weights: Weights, of_car: dict[str, list[Trip]]) -> list[str]:
    found = []
    for kind, keep in (
        ("emergency", weights.reserve_emergency),
        ("confidential", weights.reserve_confidential),
    ):
        own = [car for car in facts.cars if car.kind == kind]
        spans = [
            (t.departs_s, t.returns_s, t.category in (kind, "emergency"))
            for c in own
            for t in of_car.get(c.id, ())
        ]
        blocked = [(b.since_s, b.until_s) for car in own for b in car.busy]
        for hour in range(
            min((a for a, _, _ in spans), default=0) // 3600,
            max((b for _, b, _ in spans), default=0) // 3600 + 1,
        ):
            at, until = hour * 3600, hour * 3600 + 3600
            out = sum(a < until and b > at for a, b, _ in spans)
            away = sum(a < until and b > at for a, b in blocked)
            if (
                keep
                and any(a < until and b > at and not exempt for a, b, exempt in spans)
                and len(own) - out - away < keep
            ):
                found.append(f"H9 {kind}: {len(own)} - {out} - {away} < {keep}")
    return found


def _day(at: int) -> int:
    return datetime.fromtimestamp(at, UTC).astimezone(CHINA).toordinal()
