"""Plants of ``tank``: fills that no tank holds, and what looks like them. See docs/scenario.md."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rules.checks import tank
from simulation.plants.cars import Car
from simulation.plants.day import pair
from simulation.plants.planner import HOUR, MIN, Planner
from simulation.plants.world import NONE, NORMAL, SUSPECTED, UNDETERMINED

#: There and back burns 48 l at most, by the parameter of the rule.
FAR_M = 80_000.0
LITRES = "60"


def _paper(p: Planner, **fields: object) -> tuple[str, str, int]:
    """A vehicle that is never seen, with a tank of 60 l: its card, a station, and a time."""
    known = {"tank": LITRES} | fields
    car = p.car(p.organisations[0], terminal=False, **known)  # type: ignore[arg-type]  # fields of the record
    return p.card(car), p.station(), p.at(p.workdays()[4], 9)


def _expect(p: Planner, transaction: str, outcome: str, reason: str = "", severity: str = "") -> None:
    p.expect("tank", outcome, tank.subject(transaction), reason=reason, severity=severity)


def papers(p: Planner) -> None:
    """Fills of which no way has to be known."""
    p.kind = "a_millilitre_too_much"
    card, station, at = _paper(p)
    _expect(p, p.fill(card, at, station, 66_001), SUSPECTED, "over_tank", "high")
    p.kind = "ten_percent"  # exactly: the filler neck
    card, station, at = _paper(p)
    _expect(p, p.fill(card, at, station, 66_000), NORMAL, "fits")
    p.kind = "too_much_in_two_payments"
    card, station, at = _paper(p)
    _expect(p, p.fill(card, at, station, 40_000), SUSPECTED, "over_tank", "high")
    p.fill(card, at + 10 * MIN, station, 30_000)
    p.kind = "two_payments_that_fit"
    card, station, at = _paper(p)
    _expect(p, p.fill(card, at, station, 30_000), NORMAL, "fits")
    p.fill(card, at + 10 * MIN, station, 30_000)
    p.kind = "urea_beside_it"
    card, station, at = _paper(p)
    _expect(p, p.fill(card, at, station, 60_000), NORMAL, "fits")
    p.fill(card, at + MIN, station, 20_000, product="车用尿素")
    p.kind = "taken_back"  # two days later: withdrawn
    card, station, at = _paper(p)
    row = p.fill(card, at, station, 90_000)
    p.fill(
        card,
        at + 5 * MIN,
        station,
        90_000,
        kind="reversal",
        amount="-675.00",
        reverses=row,
        entered_s=at + 50 * HOUR,
    )
    _expect(p, row, NONE)
    p.kind = "tank_corrected"  # the register had the wrong tank: withdrawn
    card, station, at = _paper(p)
    _expect(p, p.fill(card, at, station, 90_000), NORMAL, "fits")
    vehicle = next(fact for fact in reversed(p.facts) if fact.kind == "vehicles")
    p.enter(at + 60 * HOUR, "vehicles", vehicle.body | {"tank": "90"})
    p.kind = "no_tank_known"
    card, station, at = _paper(p, tank=None)
    _expect(p, p.fill(card, at, station, 90_000), UNDETERMINED, "tank_unknown")
    p.kind = "tank_of_half_a_litre"  # a slip of units
    card, station, at = _paper(p, tank="0.5")
    _expect(p, p.fill(card, at, station, 40_000), UNDETERMINED, "tank_unknown")
    p.kind = "never_seen_between"
    card, station, at = _paper(p)
    p.fill(card, at, station, 50_000)
    _expect(p, p.fill(card, at + 48 * HOUR, station, 50_000), UNDETERMINED, "no_track")


def _at_the_pump(p: Planner, car: Car, card: str, pump: str, at_s: int, millilitres: int) -> str:
    car.awake.append((at_s - 30 * MIN, at_s + 30 * MIN))
    return p.fill(card, at_s, pump, millilitres)


def driven(p: Planner) -> None:
    """Three fills at the unit's own pump: nothing driven between the first two, 160 km before the third."""
    unit = p.organisations[1]
    car, days = p.car(unit, exact=True, tank=LITRES), p.workdays()
    centre = np.array(unit.centre)
    out = (centre - p.network.nodes[unit.gate]) / 105.0
    pump, card = p.station(unit.centre, name="内部加油点二"), p.card(car)
    p.kind = "first_fill"
    _expect(p, _at_the_pump(p, car, card, pump, p.at(days[2], 9), 50_000), NORMAL, "fits")
    p.kind = "filled_again_without_driving"
    _expect(p, _at_the_pump(p, car, card, pump, p.at(days[3], 9), 50_000), SUSPECTED, "over_burnt", "medium")
    p.kind = "filled_after_a_long_way"
    start = p.at(days[4], 10)
    marks = p.go_straight(car, start, [(pair(centre + FAR_M * out), 22.0), (None, 10 * MIN)], every_s=60)
    back = marks[-2][0] + MIN
    p.order(car, start + MIN, back, [p.place(None, "外地")])
    car.awake.append((back + MIN, back + 2 * HOUR))
    _expect(p, p.fill(card, back + 30 * MIN, pump, 60_000), NORMAL, "burnt")


ONCE: tuple[Callable[[Planner], None], ...] = (papers, driven)
