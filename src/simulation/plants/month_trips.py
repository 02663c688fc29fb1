"""Plants of ``location``, ``destination`` and ``mileage``, one function a kind. See docs/scenario.md."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from rules.checks import destination, mileage, off_hours
from simulation.plants import catalogue
from simulation.plants.cars import Car, one_report
from simulation.plants.day import pair
from simulation.plants.geometry import OUTSIDE_M, at_distance, square
from simulation.plants.planner import DAY, HOUR, MIN, Planner
from simulation.plants.world import NONE, NORMAL, SUSPECTED, UNDETERMINED, stamp

#: A drive that must be found too long is driven at least so many times as long as the quickest way; one that must not
#: is at most so many times as long as the shortest. What the engine chooses lies between the two ways or near.
TOO_LONG, LONG_ENOUGH = 2.0, 1.38


def activity(p: Planner, name: str) -> None:
    """An activity of the demo on a working day."""
    car, day = p.slot(p.workdays()[:-1])
    start = p.at(day, 23.78) if name == "midnight" else p.at(day, p.rng.uniform(9.0, 14.0))
    if name == "midnight":
        car.days.add(day + 1)
    errand = p.errand(car, start)
    errand.begin(0, name)
    errand.wait(2, 3)
    catalogue.drive(name, errand)
    for at_s, order in errand.updates:
        p.enter_order(start - HOUR if at_s is None else at_s, order)
    for found in errand.expected:
        if found.rule == "location":
            p.expect_drive(car, found.from_s, found.to_s)
        elif found.rule == "destination":
            p.expect(
                found.rule,
                SUSPECTED,
                destination.subject(found.order or "", int(name == "destination_partial")),
                reason="not_reached",
            )
    if not errand.expected:
        p.expect("location", NONE, vehicle=car.id, from_s=start, to_s=errand.timeline.now)
    p.done(car, errand)


def _trip(p: Planner, car: Car, start: int, stops: list[int]) -> tuple[int, int, float]:
    """Drive from the yard over crossings and back: departure, return, metres of road."""
    errand = p.errand(car, start)
    errand.wait(3, 5)
    leave = errand.timeline.now - 40
    gate = p.organisation(car).gate
    here = gate
    for k, stop in enumerate(stops):
        if k == 0:
            errand.out(stop)
        else:
            errand.to(here, stop)
        here = stop
        errand.wait(2, 4)
    errand.home(here)
    errand.timeline.park(errand.timeline.now + MIN)
    back = errand.timeline.now - 20
    p.done(car, errand)
    return leave, back, p.length([gate, *stops, gate]) + 210.0


def _node(p: Planner, car: Car, low: float, high: float) -> int:
    nodes = p.network.nodes
    gate = nodes[p.organisation(car).gate]
    distance = np.hypot(*(nodes - gate).T)
    return int(p.rng.choice(np.flatnonzero((distance >= low) & (distance <= high))))


def _orders(p: Planner, car: Car, leave: int, back: int, stops: list[int], **fields: object) -> str:
    gate = p.organisation(car).gate
    return p.order(
        car, leave, back, [p.place(s, f"目的地{k + 1}") for k, s in enumerate(stops)],
        origin=p.place(gate, "单位"), **fields,  # type: ignore[arg-type]  # fields of the record
    )  # fmt: skip


def round_trip(p: Planner) -> None:
    """There and back: a navigation mileage of one way only would make it 2.0."""
    car, day = p.slot(p.workdays())
    stops = [_node(p, car, 3_000, 7_000)]
    leave, back, _ = _trip(p, car, p.at(day, p.rng.uniform(9, 14)), stops)
    order = _orders(p, car, leave, back, stops)
    p.expect("mileage", NORMAL, mileage.subject(order), reason="within")
    p.expect("destination", NORMAL, destination.subject(order, 0), reason="reached")


def several_places(p: Planner) -> None:
    """Three destinations in turn and a return point: the navigation mileage is that of the whole order."""
    car, day = p.slot(p.workdays())
    stops = [_node(p, car, 1_500, 5_500) for _ in range(3)]
    leave, back, _ = _trip(p, car, p.at(day, p.rng.uniform(9, 13)), stops)
    order = _orders(p, car, leave, back, stops, return_point=p.place(p.organisation(car).gate, "单位"))
    p.expect("mileage", NORMAL, mileage.subject(order), reason="within")
    for k in range(3):
        p.expect("destination", NORMAL, destination.subject(order, k), reason="reached")


def _detour(p: Planner, car: Car, start: int, low: float, high: float) -> tuple[int, int, int]:
    """To a place and then about for far longer than it takes, never through the own yard: departure, return, the place."""
    gate = p.organisation(car).gate
    target = _node(p, car, low, high)
    needed = TOO_LONG * p.length([gate, target, gate]) * 1.06
    stops = [target]
    while p.length([gate, *stops, gate]) < needed:
        there = _node(p, car, 1_200, 5_000)
        if there != stops[-1] and p.keeps_out(car, stops[-1], there):
            stops.append(there)
    leave, back, _ = _trip(p, car, start, stops)
    return leave, back, target


def detour(p: Planner) -> None:
    """To the destination, and about half the city besides; how much of it lies around the destination is not planned, and
    with it how much the alert weighs."""
    car, day = p.slot(p.workdays())
    leave, back, target = _detour(p, car, p.at(day, p.rng.uniform(9, 13)), 2_400, 3_600)
    order = _orders(p, car, leave, back, [target])
    p.expect("mileage", SUSPECTED, mileage.subject(order))


def short_detour(p: Planner) -> None:
    """The same where the navigation mileage is below 2,000 m: of lower severity."""
    car, day = p.slot(p.workdays())
    gate = p.organisation(car).gate
    near = [k for k in range(len(p.network.nodes)) if k != gate and p.length([gate, k, gate]) < 1_500]
    target = int(p.rng.choice(near))
    leave, back, _ = _trip(p, car, p.at(day, p.rng.uniform(9, 13)), [target, _node(p, car, 2_500, 4_000)])
    order = _orders(p, car, leave, back, [target])
    p.expect("mileage", SUSPECTED, mileage.subject(order), reason="exceeds", severity="low")


def longer_way(p: Planner) -> None:
    """A way some 1.2 to 1.38 times as long as the shortest: no suspicion."""
    car, day = p.slot(p.workdays())
    gate = p.organisation(car).gate
    for _ in range(4_000):
        target, other = _node(p, car, 2_000, 5_000), _node(p, car, 800, 5_000)
        times = (p.length([gate, target, other, gate]) + 210) / p.length([gate, target, gate], p.shortest)
        if 1.2 < times < LONG_ENOUGH:
            break
    else:
        raise AssertionError("no way of that length")
    leave, back, _ = _trip(p, car, p.at(day, p.rng.uniform(9, 14)), [target, other])
    order = _orders(p, car, leave, back, [target])
    p.expect("mileage", NORMAL, mileage.subject(order), reason="within")


def no_origin(p: Planner) -> None:
    """A detour whose order does not say where it began: nothing is guessed."""
    car, day = p.slot(p.workdays())
    leave, back, target = _detour(p, car, p.at(day, p.rng.uniform(9, 13)), 2_400, 3_600)
    order = p.order(car, leave, back, [p.place(target)])
    p.expect("mileage", UNDETERMINED, mileage.subject(order), reason="no_origin")


def hidden_way(p: Planner) -> None:
    """Most of the trip without reports (no network, no memory): its mileage says nothing."""
    car, day = p.slot(p.workdays())
    stops = [_node(p, car, 4_000, 6_500)]
    leave, back, _ = _trip(p, car, p.at(day, p.rng.uniform(9, 14)), stops)
    order = _orders(p, car, leave, back, stops)
    car.silent.append((leave + MIN, back + MIN))
    p.expect("mileage", UNDETERMINED, mileage.subject(order), reason="poor_coverage")
    p.expect("destination", UNDETERMINED, destination.subject(order, 0), reason="gap")


def tunnel(p: Planner) -> None:
    """Four minutes of tunnel near the gate: bridged, and nothing else."""
    car, day = p.slot(p.workdays())
    stops = [_node(p, car, 4_000, 6_500)]
    leave, back, _ = _trip(p, car, p.at(day, p.rng.uniform(9, 14)), stops)
    order = _orders(p, car, leave, back, stops)
    car.silent.append((leave + 4 * MIN, leave + 7 * MIN))
    p.expect("mileage", NORMAL, mileage.subject(order), reason="within")
    p.expect("destination", NORMAL, destination.subject(order, 0), reason="reached")


def cancelled_afterwards(p: Planner) -> None:
    """A detour whose order, as is entered and approved two days later, was cancelled before it began: no order, so the drive
    itself is what is suspected."""
    car, day = p.slot(p.workdays()[:-2])
    leave, back, target = _detour(p, car, p.at(day, p.rng.uniform(9, 13)), 2_400, 3_600)
    order = _orders(p, car, leave, back, [target])
    last = next(f for f in reversed(p.facts) if f.key == ("dispatch-orders", order))
    cancelled = {"status": "cancelled", "cancelled_at": stamp(leave - HOUR), "approver": "单位负责人"}
    p.enter(back + 2 * DAY, "dispatch-orders", last.body | cancelled)
    p.expect("mileage", NONE, mileage.subject(order))
    p.expect_drive(car, leave, back)


def changed_destination(p: Planner) -> None:
    """The office changes the destination while the vehicle is out, and it goes to the new one."""
    car, day = p.slot(p.workdays())
    errand = p.errand(car, p.at(day, 10))  # only to look for a place that is far from the way
    stop = _node(p, car, 2_500, 4_500)
    wrong = errand.missing([stop])
    leave, back, _ = _trip(p, car, p.at(day, p.rng.uniform(9, 14)), [stop])
    order = p.order(car, leave, back, [p.place(wrong, "原目的地")])
    changed = {"destinations": [p.place(stop, "新目的地")]}
    for k, fact in enumerate(p.facts):
        if fact.key == ("dispatch-orders", order) and fact.body["status"] == "returned":
            p.facts[k] = type(fact)(fact.at_s, fact.kind, fact.body | changed)
            known = next(f for f in p.facts if f.key == fact.key and f.body["status"] == "departed")
    p.enter((leave + back) // 2, "dispatch-orders", known.body | changed)
    p.expect("destination", NORMAL, destination.subject(order, 0), reason="reached")


def maybe_reached(p: Planner) -> None:
    """The destination is missed, but during a gap the vehicle could have been there and back at 120 km/h."""
    car, day = p.slot(p.workdays())
    stop = _node(p, car, 2_500, 4_500)
    errand = p.errand(car, p.at(day, 10))
    wrong = errand.missing([stop])
    start = p.at(day, p.rng.uniform(9, 14))
    leave, back, _ = _trip(p, car, start, [stop])
    order = _orders(p, car, leave, back, [wrong])
    middle = (leave + back) // 2
    car.silent.append((middle - 10 * MIN, middle + 10 * MIN))
    p.expect("destination", UNDETERMINED, destination.subject(order, 0), reason="gap")


def limits(p: Planner) -> None:
    """Noiseless: 2,000 m from a destination less a centimetre, and 11 more; a unit with a radius of its own; 190 and 225 m
    beyond the fence; mileage off hours on each side of 1,000 m."""
    unit = p.unit()
    p.enter(
        p.earliest_s + 60,
        "parameters",
        {
            "rule": "destination", "name": "radius_m", "organisation": unit.id, "value": 2_600,
            "effective_from": stamp(p.at(1)), "source": "测试市机关事务局〔2025〕1 号",
        },
    )  # fmt: skip
    days = p.workdays()
    own, car = p.car(unit, exact=True), p.car(p.organisations[0], exact=True)
    for _ in range(2):
        p.car(unit)
    outward = np.array(p.organisation(car).centre) - p.network.nodes[p.organisation(car).gate]
    outward /= np.hypot(*outward)
    far = pair(np.array(p.organisation(car).centre) + 5_000 * outward)
    bearing = float(np.degrees(np.arctan2(outward[0], outward[1])))
    for day, beyond in ((days[0], False), (days[1], True)):
        start = p.at(day, 9.5)
        marks = p.go_straight(car, start, [(far, 14.0), (None, 300)])
        place = at_distance(marks[1][1], 2_000.0 + OUTSIDE_M * beyond, bearing, beyond=beyond)
        back = marks[-2][0] + MIN
        order = p.order(car, start + MIN, back, [p.place(place)])
        subject = destination.subject(order, 0)
        if beyond:
            p.expect("destination", SUSPECTED, subject, reason="not_reached", severity="medium")
        else:
            p.expect("destination", NORMAL, subject, reason="reached")
    start = p.at(days[0], 9.5)
    marks = p.go_straight(own, start, [(pair(np.array(unit.centre) + 5_000 * outward), 14.0), (None, 300)])
    place = at_distance(marks[1][1], 2_500.0, bearing, beyond=False)
    order = p.order(own, start + MIN, marks[-2][0] + MIN, [p.place(place)])
    p.expect("destination", NORMAL, destination.subject(order, 0), reason="reached")
    _beyond_fence(p, car, days[2], 190.0, NONE)
    _beyond_fence(p, car, days[3], 225.0, SUSPECTED)
    saturdays = p.rest_days()
    for day, metres, outcome in ((saturdays[-1], 330.0, NORMAL), (saturdays[-2], 700.0, SUSPECTED)):
        start = p.at(day, 10.0)
        goal = pair(np.array(p.organisation(car).centre) + (60 + metres) * outward)
        marks = p.go_straight(car, start, [(goal, 8.0), (None, 120)])
        p.order(car, start, marks[-2][0] + MIN, [p.place(None, "洗车店")], task_type="car_wash")
        reason = "rest_day" if outcome == SUSPECTED else "short"
        severity = "low" if outcome == SUSPECTED else ""
        p.expect(
            "off_hours", outcome, off_hours.subject(car.id, p.iso(day)), reason=reason, severity=severity
        )


def _beyond_fence(p: Planner, car: Car, day: int, metres: float, outcome: str) -> None:
    """Straight out across the longer side of the yard, ``metres`` beyond its fence, and back, with no order."""
    unit = p.organisation(car)
    side = unit.fence[4] - unit.fence[3]
    across = np.array([-side[1], side[0]]) / np.hypot(*side)
    foot = (unit.fence[3] + unit.fence[4]) / 2
    if float(np.dot(across, foot - np.array(unit.centre))) < 0:
        across = -across
    start = p.at(day, 15)
    # A report a second: the first one outside is near the fence, so both displacements are those of the way.
    way = [(pair(foot), 10.0), (pair(foot + metres * across), 10.0), (None, 60)]
    marks = p.go_straight(car, start, way, every_s=1)
    p.expect("location", outcome, vehicle=car.id, from_s=start, to_s=marks[-1][0])


def second_yard(p: Planner) -> None:
    """A vehicle with a fence of its own: two yards. It is parked at the second one, moves about there, and drives on
    to a hole in the fence, which is outside."""
    car = p.car(p.organisations[0], exact=True)
    unit, day = p.organisation(car), p.workdays()[4]
    centre = np.array(unit.centre)
    outward = (centre - p.network.nodes[unit.gate]) / 105.0
    yard = pair(centre + 3_000 * outward)
    rings = [square(p.frame, yard, 900.0), square(p.frame, yard, 320.0)[::-1]]
    polygons = [[p.ring([pair(c) for c in unit.fence[:-1]])], rings]
    p.enter(
        p.earliest_s + 60,
        "fences",
        {
            "id": f"FENCE-{car.id}", "name": "两处停车场", "organisation": unit.id, "vehicles": [car.id],
            "datum": "wgs84", "geometry": {"type": "MultiPolygon", "coordinates": polygons},
            "valid_from": stamp(p.earliest_s),
        },
    )  # fmt: skip
    start = p.at(day, 9)
    inside = [pair(np.array(yard) + np.array(d)) for d in ((-600, 0), (-600, 400), (-600, -350))]
    marks = p.go_straight(
        car, start,
        [(inside[0], 14.0), (None, 20 * MIN), (inside[1], 3.0), (inside[2], 3.0), (None, HOUR), (inside[0], 3.0),
         (yard, 8.0), (None, 10 * MIN), (inside[0], 8.0), (None, 20 * MIN)],
    )  # fmt: skip
    p.order(car, start, marks[1][0] + 5 * MIN, [p.place(None, "二号停车场")])
    p.order(car, marks[-4][0] + 15 * MIN, marks[-2][0] + MIN, [p.place(None, "单位")])
    p.expect("location", NONE, vehicle=car.id, from_s=marks[2][0], to_s=marks[4][0])
    p.expect_drive(car, marks[6][0], marks[8][0])


def wrong_clock(p: Planner) -> None:
    """A terminal whose clock runs three hours ahead for a while: what it says of times to come is no evidence."""
    car, day = p.slot(p.workdays())
    stops = [_node(p, car, 3_000, 6_000)]
    leave, back, _ = _trip(p, car, p.at(day, p.rng.uniform(9, 12)), stops)
    order = _orders(p, car, leave, back, stops)
    middle = (leave + back) // 2
    car.ahead.append((middle - MIN, middle, 5 * HOUR))
    p.expect("mileage", NORMAL, mileage.subject(order), reason="within")
    p.expect("location", NONE, vehicle=car.id, from_s=middle + 4 * HOUR, to_s=middle + 6 * HOUR)


def jump_first(p: Planner) -> None:
    """The very first fix of the order's time is 300 km off: the true track after it counts all the same."""
    car, day = p.slot(p.workdays())
    stops = [_node(p, car, 3_000, 6_000)]
    leave, back, _ = _trip(p, car, p.at(day, p.rng.uniform(9, 14)), stops)
    order = _orders(p, car, leave, back, stops)
    car.pieces.append(one_report(car, leave - 10 * MIN, (0.0, 300_000.0)))
    p.expect("mileage", NORMAL, mileage.subject(order), reason="within")
    p.expect("destination", NORMAL, destination.subject(order, 0), reason="reached")


def silent_on_the_way(p: Planner) -> None:
    """Out with no order, without a report until it has stood for half an hour elsewhere: it did not park at its gate."""
    car, day = p.slot(p.workdays()[:-1])
    start = p.at(day, p.rng.uniform(9, 14))
    errand = p.errand(car, start)
    errand.wait(3, 5)
    leave, stop = errand.timeline.now, _node(p, car, 4_000, 6_500)
    errand.out(stop)
    arrived = errand.timeline.now
    errand.wait(45, 46)
    errand.home(stop)
    p.done(car, errand)
    car.silent.append((leave + 90, arrived + 35 * MIN))
    p.expect_drive(car, leave, errand.timeline.now)


def sold(p: Planner) -> None:
    """Disposed of, its terminal still bound: a drive of the day before is one of an official vehicle, the buyer's is none.
    The register is told days later."""
    days = p.workdays()
    car, day = p.car(p.organisations[0]), next(b for a, b in pairwise(days) if b == a + 1 and b > days[4])
    at = {
        k: (p.at(k, 10), _trip(p, car, p.at(k, 10), [_node(p, car, 3_000, 5_000)])[1]) for k in (day - 1, day)
    }
    known = next(f for f in p.facts if f.key == ("vehicles", car.id))
    p.enter(p.at(day) + 4 * DAY, "vehicles", known.body | {"disposed_on": p.iso(day)})
    p.expect_drive(car, *at[day - 1])
    p.expect("location", NONE, vehicle=car.id, from_s=at[day][0], to_s=at[day][1])


KINDS: tuple[Callable[[Planner], None], ...] = (
    round_trip, several_places, detour, short_detour, longer_way, no_origin, hidden_way, tunnel, cancelled_afterwards,
    changed_destination, maybe_reached, wrong_clock, jump_first, silent_on_the_way,
)  # fmt: skip
#: Planted once, however large the fleet: they have vehicles of their own.
ONCE: tuple[Callable[[Planner], None], ...] = (limits, second_yard, sold)
