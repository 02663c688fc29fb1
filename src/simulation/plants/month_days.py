"""Plants of ``off_hours`` and ``terminal_silent``, one function a kind. See docs/scenario.md."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rules.checks import off_hours, terminal_silent
from simulation.city.fleet import Organisation
from simulation.plants.cars import Car, with_report_at
from simulation.plants.day import pair
from simulation.plants.geometry import at_distance, to_e6
from simulation.plants.planner import DAY, HOUR, MIN, Planner
from simulation.plants.world import NONE, NORMAL, SUSPECTED, UNDETERMINED, stamp


def drive_out(p: Planner, car: Car, start: int, until: int | None = None) -> tuple[int, int]:
    """Out of the yard, about until ``until`` (default: one place), not through the yard, and back: when it left and was
    back."""
    errand = p.errand(car, start)
    errand.wait(2, 3)
    leave = errand.timeline.now
    here = errand.node(2_500, 4_500)
    errand.out(here)
    while until is not None and errand.timeline.now < until:
        there = errand.node(900, 2_000, about=here)
        if not p.keeps_out(car, here, there):
            continue
        errand.to(here, there)
        here = there
        errand.wait(1, 2)
    errand.home(here)
    back = errand.timeline.now
    p.done(car, errand)
    return leave, back


def off(p: Planner, car: Car, day: int, reason: str) -> None:
    outcome = SUSPECTED if reason in ("night", "rest_day") else NORMAL
    p.expect("off_hours", outcome, off_hours.subject(car.id, p.iso(day)), reason=reason)


# --- off_hours --------------------------------------------------------------------------------------------------------


def by_night(p: Planner) -> None:
    """At night without an order: both rules."""
    car, day = p.slot(p.workdays())
    leave, back = drive_out(p, car, p.at(day, 22.4))
    p.expect_drive(car, leave, back)
    off(p, car, day, "night")


def over_midnight(p: Planner) -> None:
    """A run over midnight: one drive, of the day on which it began."""
    car, day = p.slot(p.workdays()[:-1])
    car.days.add(day + 1)
    leave, back = drive_out(p, car, p.at(day, 23.5), until=p.at(day, 24.45))
    p.expect_drive(car, leave, back)
    off(p, car, day, "night")
    off(p, car, day + 1, "none")


def on_a_rest_day(p: Planner) -> None:
    """On a weekend or holiday without an order."""
    car, day = p.slot(p.rest_days())
    leave, back = drive_out(p, car, p.at(day, p.rng.uniform(9, 15)))
    p.expect_drive(car, leave, back)
    off(p, car, day, "rest_day")


def on_a_moved_workday(p: Planner) -> None:
    """On a Saturday that is worked (调休): off the fence, but not off hours."""
    car, day = p.slot(p.moved_workdays())
    leave, back = drive_out(p, car, p.at(day, p.rng.uniform(9, 15)))
    p.expect_drive(car, leave, back)
    off(p, car, day, "none")


def duty_on_a_holiday(p: Planner) -> None:
    """On a holiday, with an order."""
    car, day = p.slot(p.rest_days())
    leave, back = drive_out(p, car, p.at(day, p.rng.uniform(9, 15)))
    p.order(car, leave, back + MIN)
    off(p, car, day, "none")
    p.expect("location", NONE, vehicle=car.id, from_s=leave, to_s=back)


def repair_on_a_holiday(p: Planner) -> None:
    """To the workshop on a day off, with an order: a breakdown does not wait for Monday."""
    car, day = p.slot(p.rest_days())
    leave, back = drive_out(p, car, p.at(day, p.rng.uniform(9, 15)))
    p.order(car, leave, back + MIN, [p.place(None, "修理厂")], task_type="repair", purpose="车辆维修")
    off(p, car, day, "none")
    p.expect("location", NONE, vehicle=car.id, from_s=leave, to_s=back)


def car_wash_on_a_holiday(p: Planner) -> None:
    """To the car wash on a day off: an order covers it, but not of a type that allows it."""
    car, day = p.slot(p.rest_days())
    leave, back = drive_out(p, car, p.at(day, p.rng.uniform(9, 15)))
    p.order(car, leave, back + MIN, [p.place(None, "洗车店")], task_type="car_wash", purpose="洗车")
    off(p, car, day, "rest_day")
    p.expect("location", NONE, vehicle=car.id, from_s=leave, to_s=back)


def towed_by_night(p: Planner) -> None:
    """Towed at night, with an order for it."""
    car, day = p.slot(p.workdays())
    leave, back = drive_out(p, car, p.at(day, 22.2))
    p.order(car, leave, back + MIN, [p.place(None, "修理厂")], task_type="tow", purpose="拖车")
    off(p, car, day, "none")
    p.expect("location", NONE, vehicle=car.id, from_s=leave, to_s=back)


def emergency_by_night(p: Planner) -> None:
    """An emergency at night, ordered."""
    car, day = p.slot(p.workdays())
    leave, back = drive_out(p, car, p.at(day, 22.3))
    p.order(car, leave, back + MIN, task_type="emergency", purpose="应急处置")
    off(p, car, day, "none")


def order_entered_late(p: Planner) -> None:
    """At night without an order, which is entered two days later (补单) and approved: both alerts are withdrawn."""
    car, day = p.slot(p.workdays()[:-2])
    leave, back = drive_out(p, car, p.at(day, 22.4))
    p.order(
        car, leave, back + MIN, entered_s=back + 2 * DAY, task_type="emergency", purpose="应急处置", applicant="值班员",
        approver="单位负责人",
    )  # fmt: skip
    off(p, car, day, "none")
    p.expect("location", NONE, vehicle=car.id, from_s=leave, to_s=back)


def on_the_office_day(p: Planner) -> None:
    """A weekday that the office itself declared a day off, late: to the car wash, which it does not allow."""
    car, day = p.slot([p.office_day])
    leave, back = drive_out(p, car, p.at(day, p.rng.uniform(9, 15)))
    p.order(car, leave, back + MIN, [p.place(None, "洗车店")], task_type="car_wash", purpose="洗车")
    off(p, car, day, "rest_day")


# --- terminal_silent --------------------------------------------------------------------------------------------------


def _silent(p: Planner, car: Car, day: int, outcome: str, reason: str, severity: str = "") -> None:
    p.expect(
        "terminal_silent", outcome, terminal_silent.subject(car.id, p.iso(day)), reason=reason, severity=severity
    )  # fmt: skip


def counted_on(p: Planner) -> None:
    """Silent for two and a half hours, back in its place, but its odometer counted a drive. An order does not excuse."""
    car, day = p.slot(p.workdays())
    start = p.at(day, 10)
    leave, back = drive_out(p, car, start + 40 * MIN, until=start + 80 * MIN)
    p.order(car, leave, back + MIN)
    car.awake.append((start - 10 * MIN, start))
    car.awake.append((start + 150 * MIN, start + 170 * MIN))
    car.silent.append((start, start + 150 * MIN))
    _silent(p, car, day, SUSPECTED, "odometer", "high")


def unplugged(p: Planner) -> None:
    """Main power lost, then three hours of silence, back where it was."""
    car, day = p.slot(p.workdays())
    start = p.at(day, 11)
    car.awake += [(start - 10 * MIN, start), (start + 3 * HOUR, start + 3 * HOUR + 10 * MIN)]
    car.unplugged.append((start - MIN, start))
    car.silent.append((start, start + 3 * HOUR))
    _silent(p, car, day, SUSPECTED, "unplugged", "low")


def cut_three_times(p: Planner) -> None:
    """Main power lost three times, for 45 minutes each: together longer than a silence. Parked all the time."""
    car, day = p.slot(p.workdays())
    start = p.at(day, 11)
    car.awake.append((start - 10 * MIN, start + 3 * HOUR))
    for at in range(start, start + 3 * HOUR, HOUR):
        car.unplugged.append((at - MIN, at))
        car.silent.append((at, at + 45 * MIN))
    _silent(p, car, day, SUSPECTED, "unplugged_together", "low")


def at_the_workshop(p: Planner) -> None:
    """The same under a repair order, not moved."""
    car, day = p.slot(p.workdays())
    start = p.at(day, 11)
    car.awake += [(start - 10 * MIN, start), (start + 3 * HOUR, start + 3 * HOUR + 10 * MIN)]
    car.unplugged.append((start - MIN, start))
    car.silent.append((start, start + 3 * HOUR))
    p.order(
        car, start - 20 * MIN, start + 4 * HOUR, [p.place(None, "院内维修")], task_type="repair", purpose="车辆维修"
    )  # fmt: skip
    _silent(p, car, day, NORMAL, "workshop")


def asleep(p: Planner) -> None:
    """Six hours of silence of a parked vehicle: terminals sleep."""
    car, day = p.slot(p.workdays())
    car.silent.append((p.at(day, 12), p.at(day, 18)))
    _silent(p, car, day, NORMAL, "asleep")


def from_memory(p: Planner) -> None:
    """Four hours out without network; the terminal uploads it all that evening: no silence in the end."""
    car, day = p.slot(p.workdays())
    start = p.at(day, 10)
    leave, back = drive_out(p, car, start, until=start + 200 * MIN)
    p.order(car, leave, back + MIN)
    car.offline.append((start + 5 * MIN, back + 9 * HOUR))
    _silent(p, car, day, NORMAL, "reporting")


def gone(p: Planner) -> None:
    """Unplugged and never seen again."""
    car, day = _own(p, p.organisations[0]), p.workdays()[-5]
    start = p.at(day, 11)
    car.awake.append((start - 10 * MIN, start))
    car.unplugged.append((start - MIN, start))
    car.silent.append((start, 2**40))
    _silent(p, car, day, SUSPECTED, "unplugged", "medium")


def never_again(p: Planner) -> None:
    """Silent for ever, without a word of its power: nobody knows."""
    car, day = _own(p, p.organisations[0]), p.workdays()[-5]
    start = p.at(day, 11)
    car.awake.append((start - 10 * MIN, start))
    car.silent.append((start, 2**40))
    _silent(p, car, day, UNDETERMINED, "still_silent")


def network_down(p: Planner) -> None:
    """A unit far off: all its vehicles are out when its network fails, and none of them is live."""
    unit = p.unit()
    cars = [_own(p, unit, exact=True) for _ in range(3)]
    day = p.workdays()[6]
    start = p.at(day, 9)
    down = start + 20 * MIN  # all are there by then, and report at the same moments
    for car in cars:
        way = _far(p, car)
        marks = p.go_straight(
            car, start, [(way[0], 14.0), (None, 20 * MIN), (way[1], 2.0), (None, 20 * MIN)], every_s=20
        )
        p.order(car, start, marks[-2][0] + MIN, [p.place(None, "外地")])
        car.silent.append((down, down + 150 * MIN))
        car.awake.append((down + 150 * MIN, down + 170 * MIN))
        _silent(p, car, day, UNDETERMINED, "peers_silent")


def exchanged(p: Planner) -> None:
    """The terminal is exchanged during the silence: a broken one, usually."""
    car, day = _own(p, p.organisations[0], exact=True), p.workdays()[3]
    start = p.at(day, 9)
    a, b = _far(p, car)
    marks = p.go_straight(car, start, [(a, 14.0), (None, 10 * MIN), (b, 2.0), (None, 20 * MIN)], every_s=20)
    p.order(car, start, marks[-2][0] + MIN, [p.place(None, "外地")])
    quiet = marks[1][0] + 5 * MIN
    swap, phone = quiet + HOUR, car.terminals[0][0]
    other = "15" + phone[2:]
    car.terminals = [(phone, car.terminals[0][1], swap), (other, swap, 2**40)]
    p.enter(swap + 20 * MIN, "terminals", {"id": phone, "vehicle": None, "valid_from": stamp(swap)})
    p.enter(swap + 21 * MIN, "terminals", {"id": other, "vehicle": car.id, "valid_from": stamp(swap)})
    car.silent.append((quiet, quiet + 150 * MIN))
    _silent(p, car, day, UNDETERMINED, "terminal_changed")


def silence_limits(p: Planner) -> None:
    """120 minutes and 2,000 m; a second less; a centimetre less. Without an odometer, which counts by 100 m only."""
    car, days = _own(p, p.organisations[0], exact=True), p.workdays()
    car.odometer = False
    plans = (
        (days[0], 120 * MIN, True, SUSPECTED, "displaced", "high"),
        (days[1], 120 * MIN - 1, True, NORMAL, "reporting", ""),
        (days[2], 120 * MIN, False, NORMAL, "asleep", ""),
    )
    for day, quiet, beyond, outcome, reason, severity in plans:
        start = p.at(day, 9)
        a, _ = _far(p, car)
        bearing = float(np.degrees(np.arctan2(*(np.array(a) - np.array(p.organisation(car).centre)))))
        there = at_distance(to_e6(p.frame, np.array(a)), 2_000.0, bearing, beyond=beyond)
        slow = 110 * MIN
        marks = p.go_straight(
            car, start,
            [(a, 14.0), (None, 5 * MIN), (p.plane(there), 2_000.0 / slow), (None, quiet + 20 * MIN - slow - 5 * MIN)],
            every_s=10,
        )  # fmt: skip
        # The last report is the one at the end of the first stand; the next comes exactly so much later.
        last = marks[2][0]
        car.silent.append((last + 1, last + quiet))
        car.pieces[-1] = with_report_at(car.pieces[-1], last + quiet)
        p.order(car, start, marks[-2][0] + MIN, [p.place(None, "外地")])
        _silent(p, car, day, outcome, reason, severity)


def _own(p: Planner, unit: Organisation, *, exact: bool = False) -> Car:
    return p.car(unit, exact=exact)


def _far(p: Planner, car: Car) -> tuple[tuple[float, float], tuple[float, float]]:
    """Two places outside the city, 3.5 km apart."""
    centre = np.array(p.organisation(car).centre)
    out = (centre - p.network.nodes[p.organisation(car).gate]) / 105.0
    side = np.array([-out[1], out[0]])
    return pair(centre + 6_000 * out), pair(centre + 6_000 * out + 3_500 * side)


KINDS: tuple[Callable[[Planner], None], ...] = (
    by_night, over_midnight, on_a_rest_day, on_a_moved_workday, duty_on_a_holiday, repair_on_a_holiday,
    car_wash_on_a_holiday, towed_by_night,
    emergency_by_night, order_entered_late, on_the_office_day, counted_on, unplugged, at_the_workshop, asleep,
    from_memory, cut_three_times,
)  # fmt: skip
ONCE: tuple[Callable[[Planner], None], ...] = (gone, never_again, network_down, exchanged, silence_limits)
