"""Plants of ``parking``, one function a kind: vehicles that stay out over night, and what looks like it. See docs/scenario.md."""

from __future__ import annotations

from collections.abc import Callable

from rules.checks import parking
from simulation.plants.cars import Car
from simulation.plants.month_days import off
from simulation.plants.planner import DAY, HOUR, MIN, Planner
from simulation.plants.world import NONE, NORMAL, SUSPECTED


def _night(p: Planner, car: Car, day: int, outcome: str, reason: str) -> None:
    severity = "medium" if outcome == SUSPECTED else ""
    p.expect("parking", outcome, parking.subject(car.id, p.iso(day)), reason=reason, severity=severity)


def _days(p: Planner) -> tuple[Car, int]:
    """A vehicle on a working day and the morning after it, which is one too."""
    worked = p.workdays()
    car, day = p.slot([d for d in worked[:-2] if d + 1 in worked])
    if day + 1 in car.days:
        return _days(p)
    car.days.add(day + 1)
    return car, day


def _out_over_night(p: Planner, car: Car, day: int, hours: float = 13.5) -> tuple[int, int]:
    """Out at half past seven in the evening to one place, and home so many hours later: when it left, and was back. Its terminal sends a
    report every minute all the time."""
    errand = p.errand(car, p.at(day, 19.5))
    errand.wait(2, 3)
    leave = errand.timeline.now
    there = errand.node(2_500, 4_500)
    errand.out(there)
    errand.timeline.park(leave + round(hours * HOUR))
    errand.home(there)
    back = errand.timeline.now
    p.done(car, errand)
    return leave, back


def taken_home(p: Planner) -> None:
    """Driven home with an order that ends in the evening, and back to work in the morning."""
    car, day = _days(p)
    leave, back = _out_over_night(p, car, day)
    p.order(car, leave, leave + HOUR)
    p.order(car, back - HOUR, back + MIN)
    p.expect("location", NONE, vehicle=car.id, from_s=leave, to_s=leave + HOUR)
    _night(p, car, day, SUSPECTED, "outside")


def away_over_night(p: Planner) -> None:
    """The same under one order over night."""
    car, day = _days(p)
    leave, back = _out_over_night(p, car, day)
    p.order(car, leave, back + MIN)
    p.expect("location", NONE, vehicle=car.id, from_s=leave, to_s=back)
    _night(p, car, day, NORMAL, "ordered")


def repaired_over_night(p: Planner) -> None:
    """Over night in the repair shop, with an order for it."""
    car, day = _days(p)
    leave, back = _out_over_night(p, car, day)
    p.order(car, leave, back + MIN, [p.place(None, "修理厂")], task_type="repair", purpose="车辆维修")
    _night(p, car, day, NORMAL, "ordered")


def backfilled_night(p: Planner) -> None:
    """Over night for an emergency, entered two days later (补单) and approved: withdrawn."""
    car, day = _days(p)
    leave, back = _out_over_night(p, car, day)
    p.order(
        car, leave, back + MIN, entered_s=back + 2 * DAY, task_type="emergency", purpose="应急处置", applicant="值班员",
        approver="单位负责人",
    )  # fmt: skip
    _night(p, car, day, NORMAL, "ordered")


def home_late(p: Planner) -> None:
    """Back at half past one: two and a half hours of the night."""
    car, day = _days(p)
    leave, back = _out_over_night(p, car, day, 6)
    p.order(car, leave, back + MIN)
    off(p, car, day, "none")
    _night(p, car, day, NORMAL, "short")


def at_its_place(p: Planner) -> None:
    """In its yard all night."""
    car, day = _days(p)
    _night(p, car, day, NORMAL, "inside")


KINDS: tuple[Callable[[Planner], None], ...] = (
    taken_home, away_over_night, repaired_over_night, backfilled_night, home_late, at_its_place,
)  # fmt: skip
