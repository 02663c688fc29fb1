"""What vehicles of the demo do: ordinary trips, planted violations, and traps. One function a kind.

A kind drives ``day.timeline`` from the vehicle's parking place back to it, enters its orders with ``day.enter``, and
says with ``day.expect`` what must be found. Thresholds of the rules are met or missed by a wide margin
(``CLEAR_M``): receiver noise never decides.
"""

from __future__ import annotations

import numpy as np

from simulation.city.fleet import Order, Place
from simulation.plants.day import MINUTE, Day, pair, unit

# --- a trip with an order ---------------------------------------------------------------------------------------------


def trip(
    day: Day,
    destinations: list[Place],
    stops: list[int],
    *,
    task_type: str = "official",
    purpose: str = "公务出行",
    planned_min: int = 75,
) -> Order:
    """Approved before the day, departed, driven through ``stops``, returned. Gives the returned order."""
    leave = day.timeline.now + 2 * MINUTE
    planned = leave + int(day.rng.integers(-4 * MINUTE, 6 * MINUTE))
    order = day.order(
        destinations, planned, planned + planned_min * MINUTE, task_type=task_type, purpose=purpose
    )
    day.enter(order)
    day.timeline.park(leave)
    departed = order.becomes("departed", actual_departure=leave - 30)
    day.enter(departed, leave)
    here = day.room.organisation.gate
    day.stopped = []
    for k, stop in enumerate(stops):
        if k == 0:
            day.out(stop)
        else:
            day.to(here, stop)
        here, arrived = stop, day.timeline.now
        day.wait(4, 9)
        day.stopped.append((stop, arrived, day.timeline.now))
    if day.timeline.now > order.planned_return - 25 * MINUTE:  # 延长用车: asked for while still out
        departed = departed.becomes("departed", extended_return=order.planned_return + 45 * MINUTE)
        day.enter(departed, day.timeline.now)
    day.home(here)
    day.timeline.park(day.timeline.now + MINUTE)
    returned = departed.becomes("returned", actual_return=day.timeline.now - 20)
    day.enter(returned, day.timeline.now)
    day.wait(3, 5)
    return returned


def normal(day: Day) -> None:
    """An order, its destination, and back."""
    node = day.node(2_500, 7_500)
    trip(day, [day.place(node)], [node])


# --- violations -------------------------------------------------------------------------------------------------------


def _drive_out(day: Day) -> tuple[int, int]:
    """Out of the yard and back with no order. Gives when it left and re-entered the fence."""
    node = day.node(2_500, 6_500)
    left = day.out(node)
    day.wait(4, 12)
    return left, day.home(node)


def location_plain(day: Day) -> None:
    """Leaves the fence with no order at all."""
    left, back = _drive_out(day)
    day.expect("location", None, left, back)


def location_cancelled(day: Day) -> None:
    """The order was cancelled, and the vehicle went all the same."""
    now = day.timeline.now
    order = day.order([day.place(day.node(3_000, 6_000))], now + 5 * MINUTE, now + 80 * MINUTE)
    day.enter(order)
    # Said, for the demo's clock runs ahead of the one that notes when it was entered.
    day.enter(order.becomes("cancelled", cancelled_at=now - 5 * MINUTE), now - 5 * MINUTE)
    left, back = _drive_out(day)
    day.expect("location", None, left, back)


def location_early(day: Day) -> None:
    """Leaves 40 min before the order begins; the episode ends when the order starts to cover."""
    now = day.timeline.now
    node = day.node(3_500, 5_000)
    planned = now + 40 * MINUTE
    order = day.order([day.place(node)], planned, planned + 60 * MINUTE)
    day.enter(order)
    left = day.out(node)
    day.expect("location", None, left, planned - 10 * MINUTE)
    # It keeps moving between two crossings: a stop of half an hour would end the episode.
    here = node
    while day.timeline.now < planned + 2 * MINUTE:
        there = day.node(500, 1_200, about=here)
        day.to(here, there)
        here = there
        day.wait(1, 3)
    departed = order.becomes("departed", actual_departure=planned)
    day.enter(departed, max(planned, day.timeline.now - MINUTE))
    day.to(here, node)
    day.wait(3, 5)
    day.home(node)
    day.timeline.park(day.timeline.now + MINUTE)
    day.enter(departed.becomes("returned", actual_return=day.timeline.now - 20), day.timeline.now)
    day.wait(2, 3)


def location_blind(day: Day) -> None:
    """No order, and no network either: the drive is uploaded afterwards and must still be found."""
    start = day.timeline.now
    left, back = _drive_out(day)
    day.offline.append((start, day.timeline.now + 4 * MINUTE))
    day.expect("location", None, left, back)


def destination_elsewhere(day: Day) -> None:
    """An order, but the vehicle goes somewhere else."""
    actual = day.node(2_500, 5_500)
    start = day.timeline.now
    order = trip(day, [day.place(day.missing([actual]))], [actual])
    day.expect("destination", order.id, start, day.timeline.now)


def destination_partial(day: Day) -> None:
    """Two destinations, one visited: the other one is found."""
    visited = day.node(2_500, 5_500)
    start = day.timeline.now
    order = trip(day, [day.place(visited), day.place(day.missing([visited]))], [visited])
    day.expect("destination", order.id, start, day.timeline.now)


# --- traps ------------------------------------------------------------------------------------------------------------


def shuffle(day: Day) -> None:
    """Vehicles shuffled in the yard: moves at walking pace, never out."""
    for _ in range(4):
        day.within(day.room.in_yard(float(day.rng.uniform(-55, 55)), float(day.rng.uniform(-30, 30))))
        day.wait(1, 4)
    day.within(day.room.slot)


def fence_edge(day: Day) -> None:
    """Parked 3 m inside the fence: the receiver's noise crosses it again and again."""
    day.within(day.room.in_yard(0, -57))
    day.wait(40, 60)
    day.within(day.room.slot)


def gate(day: Day) -> None:
    """Out of the gate, a hundred metres down the road, and back: no displacement worth the name."""
    gate_xy = day.room.network.nodes[day.room.organisation.gate]
    away = pair(gate_xy + unit(gate_xy - np.array(day.room.organisation.centre)) * 90.0)
    day.within(day.room.in_yard(-60, 0), away)
    day.wait(2, 5)
    day.within(day.room.in_yard(-60, 0), day.room.slot)


def drift(day: Day) -> None:
    """Parked between high walls: the position wanders some 15 m for an hour."""
    start = day.timeline.now
    day.wait(55, 65)
    day.timeline.rough.append((start, day.timeline.now, 15.0))


def jump(day: Day) -> None:
    """A powered terminal jumps 25-60 km away for three reports, then is back."""
    day.wait(5, 8)
    angle = day.rng.uniform(0, 2 * np.pi)
    distance = day.rng.uniform(25_000, 60_000)
    false = day.timeline.at + distance * np.array([np.cos(angle), np.sin(angle)])
    day.timeline.jumps.append((day.timeline.now, day.timeline.now + 3 * MINUTE, pair(false)))
    day.wait(15, 20)


def reflection(day: Day) -> None:
    """Parked between tall buildings with the engine off: now and then one report, or two, from some 600 m away."""
    day.wait(5, 8)
    for reports in (1, 2, 1):
        angle = day.rng.uniform(0, 2 * np.pi)
        false = day.timeline.at + day.rng.uniform(500, 700) * np.array([np.cos(angle), np.sin(angle)])
        day.timeline.jumps.append((day.timeline.now, day.timeline.now + reports * MINUTE, pair(false)))
        day.wait(5, 8)


def no_fix(day: Day) -> None:
    """An underground garage: twenty minutes of (0, 0) without the positioned bit."""
    day.wait(3, 5)
    start = day.timeline.now
    day.wait(18, 22)
    day.timeline.no_fix.append((start, day.timeline.now))
    day.wait(3, 5)


def repair(day: Day) -> None:
    """To the repair shop: an order of its own type."""
    node = day.node(2_000, 5_000)
    trip(day, [day.place(node, "修理厂")], [node], task_type="repair", purpose="车辆维修")


def inspection(day: Day) -> None:
    """To the vehicle inspection."""
    node = day.node(3_000, 6_000)
    trip(day, [day.place(node, "检测站")], [node], task_type="inspection", purpose="车辆年检")


def car_wash(day: Day) -> None:
    """To the car wash; the order says only 市区, which has no coordinates."""
    trip(day, [Place("市区", None)], [day.node(1_500, 4_000)], task_type="car_wash", purpose="洗车")


def near_miss(day: Day) -> None:
    """Stops 1.0-1.6 km from the destination: within 2 km is arrived."""
    node = day.node(4_000, 7_000)
    trip(day, [day.place(node)], [day.node(1_000, 1_600, about=node)])


def overrun(day: Day) -> None:
    """Back later than planned, with an extension."""
    node = day.node(3_000, 6_000)
    trip(day, [day.place(node)], [node], planned_min=20)


def midnight(day: Day) -> None:
    """An order that crosses midnight is one trip."""
    node = day.node(4_000, 7_000)
    trip(day, [day.place(node)], [node])


def blind_zone(day: Day) -> None:
    """The whole trip without network, the return included; uploaded later in batches."""
    node = day.node(3_000, 6_500)
    start = day.timeline.now
    trip(day, [day.place(node)], [node])
    day.offline.append((start + MINUTE, day.timeline.now + 4 * MINUTE))


def late_order(day: Day) -> None:
    """An emergency: drives out with no order, which is entered afterwards (补单) and approved. The alert is withdrawn."""
    start = day.timeline.now
    node = day.node(2_500, 5_500)
    day.out(node)
    day.wait(4, 8)
    day.home(node)
    day.timeline.park(day.timeline.now + MINUTE)
    order = day.order(
        [day.place(node)], start - MINUTE, day.timeline.now, task_type="emergency", purpose="应急处置"
    ).becomes(
        "returned", actual_departure=start - 30, actual_return=day.timeline.now - 20, applicant="值班员", approver="单位负责人"
    )  # fmt: skip
    day.wait(15, 20)
    day.enter(order, day.timeline.now)
    day.wait(2, 3)
