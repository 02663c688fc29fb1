"""Plants of ``sealed``, one function a kind: sealed vehicles that drive, and what looks like it. See docs/scenario.md."""

from __future__ import annotations

from collections.abc import Callable

from rules.checks import sealed
from runtime.units import US_PER_S
from simulation.plants import drives
from simulation.plants.cars import Car
from simulation.plants.month_days import drive_out, off
from simulation.plants.planner import DAY, HOUR, MIN, Planner
from simulation.plants.world import NONE, NORMAL, SUSPECTED, UNDETERMINED, stamp


def _seal(p: Planner, car: Car, since: int, until: int, outcome: str, reason: str) -> None:
    """A vehicle is sealed, an hour before that holds; what must come of it."""
    body = {
        "id": p.number("SEAL"),
        "vehicle": car.id,
        "sealed_from": stamp(since),
        "sealed_to": stamp(until),
        "reason": "节假日封存",
    }
    p.enter(since - HOUR, "seals", body)
    severity = "high" if outcome == SUSPECTED else ""
    p.expect("sealed", outcome, sealed.subject(car.id, since * US_PER_S), reason=reason, severity=severity)


def _whole_day(p: Planner, car: Car, day: int, outcome: str, reason: str) -> None:
    _seal(p, car, p.at(day, 7), p.at(day, 20), outcome, reason)


def sealed_drive(p: Planner) -> None:
    """Sealed for the holiday, and out for an errand all the same."""
    car, day = p.slot(p.rest_days())
    leave, back = drive_out(p, car, p.at(day, p.rng.uniform(9, 15)))
    p.expect_drive(car, leave, back)
    off(p, car, day, "rest_day")
    _whole_day(p, car, day, SUSPECTED, "moved")


def sealed_for_repair(p: Planner) -> None:
    """To the repair shop while sealed, with an order."""
    car, day = p.slot(p.rest_days())
    leave, back = drive_out(p, car, p.at(day, p.rng.uniform(9, 15)))
    p.order(car, leave, back + MIN, [p.place(None, "修理厂")], task_type="repair", purpose="车辆维修")
    p.expect("location", NONE, vehicle=car.id, from_s=leave, to_s=back)
    _whole_day(p, car, day, NORMAL, "allowed_order")


def sealed_and_sent(p: Planner) -> None:
    """An ordinary order while the seal was forgotten on paper: nobody knows which of the two is wrong."""
    car, day = p.slot(p.workdays())
    leave, back = drive_out(p, car, p.at(day, p.rng.uniform(9, 15)))
    p.order(car, leave, back + MIN)
    p.expect("location", NONE, vehicle=car.id, from_s=leave, to_s=back)
    _whole_day(p, car, day, UNDETERMINED, "ordered")


def sealed_shuffled(p: Planner) -> None:
    """Sealed, and moved in the yard to make room."""
    car, day = p.slot(p.rest_days())
    errand = p.errand(car, p.at(day, p.rng.uniform(9, 15)))
    drives.shuffle(errand)
    p.done(car, errand)
    _whole_day(p, car, day, NORMAL, "stood")


def sealed_parked(p: Planner) -> None:
    """Sealed, and never moved."""
    car, day = p.slot(p.rest_days())
    _whole_day(p, car, day, NORMAL, "stood")


def unsealed_late(p: Planner) -> None:
    """The clerk writes the unsealing five minutes after the vehicle has left."""
    car, day = p.slot(p.workdays())
    leave, back = drive_out(p, car, p.at(day, p.rng.uniform(9, 15)))
    p.order(car, leave, back + MIN)
    p.expect("location", NONE, vehicle=car.id, from_s=leave, to_s=back)
    _seal(p, car, p.at(day, 2), leave + 5 * MIN, NORMAL, "stood")


def sealed_backfilled(p: Planner) -> None:
    """An emergency while sealed, entered two days later (补单) and approved: withdrawn."""
    car, day = p.slot(p.workdays()[:-2])
    leave, back = drive_out(p, car, p.at(day, 10))
    p.order(
        car, leave, back + MIN, entered_s=back + 2 * DAY, task_type="emergency", purpose="应急处置", applicant="值班员",
        approver="单位负责人",
    )  # fmt: skip
    p.expect("location", NONE, vehicle=car.id, from_s=leave, to_s=back)
    _whole_day(p, car, day, NORMAL, "allowed_order")


KINDS: tuple[Callable[[Planner], None], ...] = (
    sealed_drive, sealed_for_repair, sealed_and_sent, sealed_shuffled, sealed_parked, unsealed_late, sealed_backfilled,
)  # fmt: skip
