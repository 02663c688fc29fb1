"""Evidence of every rule by hypothesis: what the judges freeze, in all its forms."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.unit import test_check_card_binding as card_binding
from tests.unit import test_check_card_use as card_use
from tests.unit import test_check_destination as destination
from tests.unit import test_check_fuel_consumption as fuel_consumption
from tests.unit import test_check_idle_rental as idle_rental
from tests.unit import test_check_location as location
from tests.unit import test_check_mileage as mileage
from tests.unit import test_check_off_hours as off_hours
from tests.unit import test_check_parking as parking
from tests.unit import test_check_refuel_frequency as refuel_frequency
from tests.unit import test_check_route as route
from tests.unit import test_check_sealed as sealed
from tests.unit import test_check_tank as tank
from tests.unit import test_check_terminal_silent as terminal_silent
from tests.unit import test_check_traffic_violations as traffic_violations

Evidence = Any


@st.composite
def locations(draw: st.DrawFn) -> Evidence:
    steps = draw(
        st.lists(
            st.tuples(st.integers(1, 900), st.integers(-400, 2500), st.sampled_from([0, 40, 300])),
            max_size=40,
        )
    )
    t, points = 0, []
    for seconds, metres, speed in steps:
        t += seconds
        points.append((t, metres, speed))
    orders = []
    for number in range(draw(st.integers(0, 2))):
        start = draw(st.integers(0, max(t, 1)))
        end = start + draw(st.integers(1, 3600))
        orders.append(
            {"no": number + 5, "id": f"P{number}", "from_us": location.T0 + start * location.S,
             "to_us": location.T0 + end * location.S, "version": 1}
        )  # fmt: skip
    return location.make(points, orders=orders)


def _walk(draw: st.DrawFn, most: int, seconds: int, metres: int) -> list[tuple[int, int, int]]:
    steps = draw(
        st.lists(
            st.tuples(st.integers(1, seconds), st.integers(-metres, metres), st.integers(-metres, metres)),
            max_size=most,
        )
    )
    return [(sum(s[0] for s in steps[: k + 1]), x, y) for k, (_, x, y) in enumerate(steps)]


def _steady(draw: st.DrawFn, start: int, count: int, near: int, far: int) -> list[tuple[int, int, int]]:
    """A fix each minute, all in one direction, about as far away."""
    base = draw(st.integers(near, far))
    away = draw(st.lists(st.integers(base, base + 30), min_size=count, max_size=count))
    return [(start + 60 * k, metres, 0) for k, metres in enumerate(away)]


@st.composite
def destinations(draw: st.DrawFn) -> Evidence:
    if draw(st.booleans()):
        points = _walk(draw, 12, 600, 6000)
        ends = draw(st.integers(-900, 300)), draw(st.integers(1, 900))
    else:  # seen all the time, not far from the circle
        points, ends = _steady(draw, 0, draw(st.integers(2, 12)), 1800, 2600), (0, 1)
    return destination.make(
        points,
        place=draw(st.sampled_from([(32.0, 120.9), (32.0, 120.9), (32.0, 120.9), None])),
        departed=ends[0],
        returned=(points[-1][0] if points else 300) + ends[1],
    )


@st.composite
def mileages(draw: st.DrawFn) -> Evidence:
    seconds, speed = draw(st.sampled_from([0, 300, 1800, 1800, 1800])), draw(st.integers(1, 40))
    track = mileage.drive(
        seconds,
        start_s=8 * 3600 + draw(st.sampled_from([0, 0, -400, 400])),
        speed=speed,
        odometer=draw(st.booleans()),
    )
    keep = np.ones(len(track["t_us"]), bool)
    if draw(st.booleans()):
        keep[draw(st.lists(st.integers(0, len(keep) - 1), max_size=40))] = False
    permille = draw(st.sampled_from([None, 0, 600, 666, 667, 700, 1000]))
    return mileage.evidence(
        {name: np.asarray(column)[keep] for name, column in track.items()},
        None if permille is None else seconds * speed * permille // 1000,
        return_point=draw(st.sampled_from([None, None, mileage.YARD, mileage.UNKNOWN])),
    )


ANY_MONTH = st.tuples(
    st.integers(0, 2_000 * fuel_consumption.KM), st.lists(st.none() | st.integers(0, 120_000), max_size=4)
)
#: About 10 l/100 km.
USUAL_MONTH = st.tuples(
    st.integers(900 * fuel_consumption.KM, 1_100 * fuel_consumption.KM),
    st.lists(st.integers(45_000, 55_000), min_size=2, max_size=3),
)
MONTH = st.one_of(USUAL_MONTH, USUAL_MONTH, USUAL_MONTH, USUAL_MONTH, ANY_MONTH)


@st.composite
def consumptions(draw: st.DrawFn) -> Evidence:
    return fuel_consumption.make(
        draw(MONTH), draw(MONTH), draw(MONTH), draw(MONTH), energy=draw(st.sampled_from(["fuel", "electric"])),
        current={"without_track": draw(st.integers(0, 2)), "vehicle": draw(st.sampled_from(["V1", "V2"]))},
        base={"without_track": draw(st.integers(0, 1))}, last_year=draw(st.none() | MONTH),
    )  # fmt: skip


@st.composite
def card_bindings(draw: st.DrawFn) -> Evidence:
    start = draw(st.integers(0, 30))
    length = draw(st.none() | st.integers(1, 20))
    made = card_binding.make(
        (start, None if length is None else start + length), *draw(st.lists(card_binding.VEHICLE, max_size=3)),
        now=max(start, draw(st.integers(0, 60))), grace=draw(st.integers(0, 4)),
        status=draw(st.sampled_from(["active", "closed"])), closed=draw(st.none() | st.integers(0, 40)),
    )  # fmt: skip
    if draw(st.integers(0, 4)) == 0:
        since = draw(st.none() | st.integers(0, 60))
        made |= {
            "binding": None,
            "unbound_since_us": None if since is None else card_binding.at(since),
            "as_of_us": card_binding.at(draw(st.integers(since or 0, 90))),
        }
    return made


@st.composite
def card_uses(draw: st.DrawFn) -> Evidence:
    polygon = {"polygons": [[card_use.ring(300), card_use.ring(200)]]}
    points: Any = list(draw(card_use.fixes))
    if draw(st.booleans()):
        points = _steady(draw, -20 * 60, 40, 150, 500)
    return card_use.make(
        points,
        station=draw(st.sampled_from([*[card_use.POINT, card_use.POINT | polygon] * 3, card_use.UNKNOWN, None])),
        transaction=draw(st.sampled_from([*[None] * 8, {"kind": "fee"}, {"reversed_by": "T2"}, {"quantity": None}])),
        **draw(st.sampled_from([*[{}] * 8, {"binding": None}, {"vehicle": None}])),
    )  # fmt: skip


@st.composite
def refuellings(draw: st.DrawFn) -> Evidence:
    rows = [
        refuel_frequency.row(
            f"T{k}", minute / 2, station=station, name=name, kind=kind, reversed_by=back, quantity=quantity
        )
        for k, (minute, station, name, kind, back, quantity) in enumerate(
            draw(
                st.lists(
                    st.tuples(
                        st.integers(-100, 2200), st.sampled_from(["S1", "S2", None]), st.sampled_from(["一站", "二站", ""]),
                        st.sampled_from(["fill", "fill", "fill", "top_up"]), st.sampled_from([None, None, None, "R1"]),
                        st.none() | st.integers(0, 90_000),
                    ),
                    max_size=8,
                )
            )
        )
    ]  # fmt: skip
    return refuel_frequency.make(
        rows,
        following=draw(st.sampled_from([None, 1000])),
        bound=draw(st.sampled_from([(-9999, None), (100, 600)])),
    )


@st.composite
def violations(draw: st.DrawFn) -> Evidence:
    rows = [
        traffic_violations.record(
            f"W{number}", traffic_violations.at("2026-01-01 00:00") + hours * 3_600_000_000, status=status, belongs=belongs
        )
        for number, hours, status, belongs in draw(
            st.lists(
                st.tuples(
                    st.integers(0, 6), st.integers(0, 90 * 24), st.sampled_from([*["open"] * 6, "handled", "revoked", "appealed"]),
                    st.sampled_from([*["counts"] * 6, "other_vehicle"]),
                ),
                max_size=8,
            )
        )
    ]  # fmt: skip
    return traffic_violations.make(
        "2026-02", rows, unit=draw(st.sampled_from(["vehicle", "vehicle", "driver"]))
    )


@st.composite
def silences(draw: st.DrawFn) -> Evidence:
    return terminal_silent.make(*draw(terminal_silent.SILENCES), positions=draw(st.integers(0, 2)))


@st.composite
def hours(draw: st.DrawFn) -> Evidence:
    night = draw(off_hours.NIGHT)
    return off_hours.make(
        draw(off_hours.POINTS), worked=draw(off_hours.WORKED), orders=draw(off_hours.ORDERS),
        night_from_min=night[0], night_to_min=night[1], min_distance_m=draw(st.sampled_from([0, 500, 1000])),
    )  # fmt: skip


@st.composite
def seals(draw: st.DrawFn) -> Evidence:
    tasks = [sealed.order(a, a + n, kind) for a, n, kind in draw(sealed.TASKS)]
    return sealed.make(sealed.walked(draw(sealed.WAYS)), orders=tasks, acc=False)


@st.composite
def tanks(draw: st.DrawFn) -> Evidence:
    before = [tank.paid("A", 0, draw(tank.LITRES))] if draw(st.booleans()) else []
    now = [
        tank.paid("B", tank.B, draw(tank.LITRES)),
        tank.paid("C", tank.B + draw(st.integers(1, 900)), draw(st.integers(1, 20))),
    ]
    return tank.make(
        [*before, *now], draw(st.sampled_from([None, tank.way(40), tank.way(None, 90, 0, 8000)]))
    )


@st.composite
def nights(draw: st.DrawFn) -> Evidence:
    orders = [
        parking.order(a, a + n)
        for a, n in draw(st.lists(st.tuples(st.integers(18, 29), st.integers(1, 6)), max_size=2))
    ]
    return parking.make(parking.stood(draw(parking.STANDS)), orders=orders)


@st.composite
def ways(draw: st.DrawFn) -> Evidence:
    path = draw(
        st.lists(st.tuples(st.integers(-2, 4), st.integers(0, 20)), min_size=2, max_size=4, unique=True)
    )
    track = route.drive(*path, (0.0, 20.0), kmh=90, every=40)
    away = draw(st.sampled_from([0, 0, 600]))
    return route.make(route.silent(track, 100, 100 + away))


@st.composite
def rentals(draw: st.DrawFn) -> Evidence:
    cars = []
    for number in range(1, draw(st.integers(0, 3)) + 1):
        away = draw(st.sampled_from([0, 0, 5000]))
        fixes = idle_rental.stand(0, 12, away) + idle_rental.stand(draw(st.sampled_from([12, 12, 17])), 30)
        orders = [idle_rental.promise(driven=draw(st.booleans()))] if draw(st.booleans()) else []
        cars.append(idle_rental.car(fixes, orders=orders, number=number))
    return idle_rental.make(*cars)


EVIDENCE: dict[str, st.SearchStrategy[Evidence]] = {
    "location": locations(),
    "destination": destinations(),
    "mileage": mileages(),
    "fuel_consumption": consumptions(),
    "card_binding": card_bindings(),
    "card_use": card_uses(),
    "refuel_frequency": refuellings(),
    "traffic_violations": violations(),
    "terminal_silent": silences(),
    "off_hours": hours(),
    "sealed": seals(),
    "tank": tanks(),
    "parking": nights(),
    "route": ways(),
    "idle_rental": rentals(),
}
