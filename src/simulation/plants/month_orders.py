"""Plants about what an order covers, one function a kind: overdue, cancelled, unapproved, exchanged, minutes on paper. See
docs/scenario.md."""

from __future__ import annotations

from collections.abc import Callable

from rules.checks import destination
from simulation.plants.cars import Car
from simulation.plants.month_days import drive_out, off
from simulation.plants.planner import DAY, HOUR, MIN, Planner
from simulation.plants.world import NONE, stamp


def _never_closed(p: Planner, car: Car, leave_s: int, planned_s: int) -> str:
    """An order that departs and of which nobody enters a return."""
    body = {
        "id": p.number("D"), "organisation": car.organisation, "vehicle": car.id, "driver": car.driver, "purpose": "公务出行",
        "destinations": [], "planned_departure": stamp(leave_s), "planned_return": stamp(planned_s), "status": "approved",
    }  # fmt: skip
    p.enter(leave_s - HOUR, "dispatch-orders", body)
    p.enter(
        leave_s,
        "dispatch-orders",
        body | {"status": "departed", "actual_departure": stamp(leave_s)},
    )
    return str(body["id"])


def overdue(p: Planner) -> None:
    """An order is never closed. The next drive begins more than two hours after it should have been back: it covers that no
    more."""
    car, day = p.slot(p.workdays())
    leave, back = drive_out(p, car, p.at(day, 9))
    _never_closed(p, car, leave, back + 10 * MIN)
    again, home = drive_out(p, car, back + 3 * HOUR)
    p.expect("location", NONE, vehicle=car.id, from_s=leave, to_s=back)
    p.expect_drive(car, again, home)


def not_closed_yet(p: Planner) -> None:
    """An order is never closed, and the vehicle is out for an hour longer than planned: still covered."""
    car, day = p.slot(p.workdays())
    leave, back = drive_out(p, car, p.at(day, 10))
    _never_closed(p, car, leave, back - 5 * MIN)
    p.expect("location", NONE, vehicle=car.id, from_s=leave, to_s=back)


def unapproved(p: Planner) -> None:
    """At night without an order, which is entered two days later (补单) and approved by who asked for it: both alerts stay."""
    car, day = p.slot(p.workdays()[:-2])
    leave, back = drive_out(p, car, p.at(day, 22.4))
    p.order(
        car, leave, back + MIN, entered_s=back + 2 * DAY, task_type="emergency", purpose="应急处置", applicant="值班员",
        approver="值班员",
    )  # fmt: skip
    p.expect_drive(car, leave, back)
    off(p, car, day, "night")


def cancelled_on_the_way(p: Planner) -> None:
    """An order is cancelled while the vehicle is out: it covers the way back."""
    car, day = p.slot(p.workdays())
    leave, back = drive_out(p, car, p.at(day, 11))
    order = p.order(car, leave, back, planned_s=leave + 3 * HOUR)
    known = [fact for fact in p.facts if fact.key == ("dispatch-orders", order)]
    p.facts[:] = [fact for fact in p.facts if fact not in known or fact.body["status"] != "returned"]
    cancelled = (leave + back) // 2
    departed = next(fact for fact in known if fact.body["status"] == "departed")
    p.enter(
        cancelled + MIN,
        "dispatch-orders",
        departed.body | {"status": "cancelled", "cancelled_at": stamp(cancelled)},
    )
    p.expect("location", NONE, vehicle=car.id, from_s=leave, to_s=back)


def minutes_on_paper(p: Planner) -> None:
    """The clerk writes ten minutes after the departure and ten before the return: the track's times are used."""
    car, day = p.slot(p.workdays())
    leave, back = drive_out(p, car, p.at(day, 13), until=p.at(day, 13.8))
    p.order(car, leave + 14 * MIN, back - 10 * MIN, planned_s=back + HOUR)
    p.expect("location", NONE, vehicle=car.id, from_s=leave, to_s=back)


def exchanged_on_the_way(p: Planner) -> None:
    """One order, two vehicles: the second one goes on where the first one broke down."""
    first, day = p.slot(p.workdays())
    second, _ = p.slot([day])
    leave, home = drive_out(p, first, p.at(day, 9))
    again, back = drive_out(p, second, home + HOUR)
    change = {"vehicle": second.id, "since": stamp((home + again) // 2), "driver": second.driver}
    order = p.order(first, leave, back, [p.place(None, "市区")], exchanges=[change])
    p.expect("location", NONE, vehicle=first.id, from_s=leave, to_s=home)
    p.expect("location", NONE, vehicle=second.id, from_s=again, to_s=back)
    p.expect("destination", "undetermined", destination.subject(order, 0), reason="no_coordinates")


KINDS: tuple[Callable[[Planner], None], ...] = (
    overdue, not_closed_yet, unapproved, cancelled_on_the_way, minutes_on_paper, exchanged_on_the_way,
)  # fmt: skip
