"""What vehicles of the demo do for the rules that need more than orders and fences: mileage, fuel cards, violations,
silent terminals, driving at night. One function a kind, as in ``activities``; whoever plans them sets ``day.base``,
``day.card``, ``day.plate`` and ``day.stations``.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from simulation.city.facts import Station
from simulation.city.fleet import Place, distance_to_path
from simulation.city.roads import ARTERIAL
from simulation.plants.day import MINUTE, Day, NoWayError, pair
from simulation.plants.drives import trip

#: An engine chooses its way by costs of its own, never shorter than the shortest one, and on these roads at most 1.5
#: times as long as the quickest. So a drive up to CERTAINLY_UNDER times the shortest way is below 1.5 times whatever
#: the engine says, and one from CERTAINLY_OVER times the quickest on is above it.
CERTAINLY_UNDER = 1.45
CERTAINLY_OVER = 2.4
#: "Just under": from this many times the shortest way on, with room for the metres in the yard.
JUST_UNDER = (1.39, 1.44)
TOO_LONG = (CERTAINLY_OVER + 0.1, 3.4)

#: A card that is used elsewhere is used at least so far from its vehicle (the rule says 200 m).
FAR_M = 2_000.0
#: About what is driven in the yard, out and in.
YARD_M = 300.0
DAY_S = 86_400


# --- mileage ----------------------------------------------------------------------------------------------------------


def _detour(day: Day, node: int, told_m: float, target: tuple[float, float]) -> int | None:
    """Somewhere else, so that the way gate -> there -> ``node`` -> gate is within ``target`` times ``told_m``; None when
    a few draws give none."""
    network, gate = day.room.network, day.room.organisation.gate
    for _ in range(25):
        other = day.node(1_000, 8_000)
        # A way back is as long as the way there; from the gate and the node the ways are known already.
        driven = network.length([gate, other]) + network.length([node, other]) + network.length([gate, node])
        if other != node and target[0] <= (driven + YARD_M) / told_m <= target[1]:
            return other
    return None


def _doubt(day: Day, node: int) -> float:
    """How much an engine may dislike the quickest way from the gate: its share of small streets, and its bends of more
    than 35 degrees."""
    network = day.room.network
    way = network.route(day.room.organisation.gate, node)
    roads = [network.edges[a][b] for a, b in pairwise(way)]
    small = sum(metres for metres, kmh in roads if kmh < ARTERIAL) / sum(metres for metres, _ in roads)
    heading = np.arctan2(*np.diff(network.nodes[way], axis=0).T)
    bend = np.abs((np.diff(heading) + np.pi) % (2 * np.pi) - np.pi)
    return small + 0.1 * float((bend > 0.6).sum())


def mileage_detour(day: Day) -> None:
    """Goes to its destination a long way round."""
    network, gate, start = day.room.network, day.room.organisation.gate, day.timeline.now
    for _ in range(40):
        node = day.node(1_500, 2_600)
        other = _detour(day, node, network.length([gate, node, gate]), TOO_LONG)
        if other is not None:
            break
    else:
        raise NoWayError("no detour of that length")
    order = trip(day, [day.place(node)], [other, node])
    day.expect("mileage", order.id, start, day.timeline.now)


def mileage_just_under(day: Day) -> None:
    """A little round, but less than 1.5 times the way."""
    network, gate = day.room.network, day.room.organisation.gate
    nodes = {day.node(2_500, 6_000) for _ in range(60)}
    # Where the quickest way is the shortest, along main roads, an engine mostly takes it as well.
    sure = [n for n in nodes if network.length([gate, n]) <= 1.01 * network.shortest_m([gate, n])]
    for node in sorted(sure, key=lambda n: (_doubt(day, n), n)):
        other = _detour(day, node, network.shortest_m([gate, node, gate]), JUST_UNDER)
        if other is not None:
            trip(day, [day.place(node)], [other, node])
            return
    raise NoWayError("no detour of that length")


def round_trip(day: Day) -> None:
    """There and back, and the order names no point of return: that is no 2.0 times the way."""
    node = day.node(4_000, 7_000)
    base, day.base = day.base, None
    order = trip(day, [day.place(node)], [node])
    day.base = base
    for k, (at, entered) in enumerate(day.updates):
        if entered.id == order.id:
            day.updates[k] = (at, entered.becomes(entered.status, origin=base))


# --- fuel cards -------------------------------------------------------------------------------------------------------


def _settled(day: Day) -> None:
    """Stand until the window around the last payment is over long before the plan is."""
    day.timeline.park(day.payments[-1].at_s + 10 * MINUTE)


def _far_station(day: Day, from_s: int, to_s: int) -> Station:
    """A public station at least FAR_M from where the vehicle is meanwhile."""
    path = day.timeline.truth(from_s, to_s)
    path = path if len(path) else day.timeline.at[None, :]
    far = [s for s in day.stations[1:] if distance_to_path(s.xy, path) >= FAR_M]
    if not far:
        raise NoWayError("every station is near")
    return far[int(day.rng.integers(len(far)))]


def _trip_elsewhere(day: Day) -> tuple[int, Station]:
    """A trip; gives a time at which it stood at its destination, and a station that is far from there."""
    node = day.node(2_500, 5_500)
    trip(day, [day.place(node)], [node])
    _, arrived, _left = day.stopped[0]
    at = arrived + 2 * MINUTE
    return at, _far_station(day, at - 20 * MINUTE, at + 20 * MINUTE)


def card_elsewhere(day: Day) -> None:
    """The card pays at a station while its vehicle stands kilometres away."""
    at, station = _trip_elsewhere(day)
    day.pay(at, station)
    _settled(day)
    day.expect("card_use", None, at, at)


def card_at_station(day: Day) -> None:
    """To the station, and paid there."""
    nodes = [day.room.network.nearest(np.array(s.xy)) for s in day.stations]
    gate = day.room.network.nodes[day.room.organisation.gate]
    near = min(range(1, len(nodes)), key=lambda k: abs(np.hypot(*(day.stations[k].xy - gate)) - 3_000))
    trip(day, [Place(day.stations[near].name, day.stations[near].xy)], [nodes[near]], purpose="加油")
    day.pay(day.stopped[0][1] + 2 * MINUTE, day.stations[near])
    _settled(day)


def card_no_fill(day: Day) -> None:
    """Elsewhere: a fee, a top-up (圈存), and a fill that is taken back. None of them is a fill."""
    at, station = _trip_elsewhere(day)
    day.pay(at - MINUTE, station, kind="fee")
    day.pay(at, station, kind="top_up")
    fill = day.pay(at + MINUTE, station)
    day.pay(at + 2 * MINUTE, station, kind="reversal", reverses=fill)
    _settled(day)


def _parked_after_a_trip(day: Day) -> int:
    node = day.node(2_000, 3_500)
    trip(day, [day.place(node)], [node], planned_min=60)
    return day.timeline.now


def refuel_twice(day: Day) -> None:
    """Two fills at the unit's own pump, half an hour apart, between two orders."""
    first = _parked_after_a_trip(day) + MINUTE
    day.pay(first, day.stations[0])
    day.timeline.park(first + int(day.rng.integers(14, 20)) * MINUTE)
    order = day.updates[-1][1]
    day.pay(day.timeline.now, day.stations[0])
    day.expect("refuel_frequency", order.id, first, day.timeline.now)
    _settled(day)


def refuel_split(day: Day) -> None:
    """One fill paid in two parts, four minutes apart."""
    first = _parked_after_a_trip(day) + MINUTE
    day.pay(first, day.stations[0], litres=(15, 25))
    day.pay(first + 4 * MINUTE, day.stations[0], litres=(15, 25))
    _settled(day)


def refuel_urea(day: Day) -> None:
    """A fill, and urea for the exhaust half an hour later: that is no fuel."""
    first = _parked_after_a_trip(day) + MINUTE
    day.pay(first, day.stations[0])
    day.timeline.park(first + int(day.rng.integers(14, 20)) * MINUTE)
    day.pay(day.timeline.now, day.stations[0], litres=(10, 20), product="车用尿素")
    _settled(day)


def card_booked(day: Day) -> None:
    """A fill far away of which only the time of booking is known: perhaps it was paid at another time of the day."""
    at, station = _trip_elsewhere(day)
    day.pay(at, station, posted=True)
    _settled(day)


# --- violations: at most one of these kinds a vehicle, for they add up ----------------------------------------------------


def _trip_with_time(day: Day) -> int:
    """An ordinary trip; gives a time on the way."""
    node = day.node(2_500, 6_000)
    trip(day, [day.place(node)], [node])
    return day.stopped[0][1] - MINUTE


def violations_twice(day: Day) -> None:
    """One now and one twelve days ago."""
    at = _trip_with_time(day)
    before = at - 12 * DAY_S - int(day.rng.integers(0, 3600))
    day.offend(before, status="handled")
    day.offend(at)
    day.expect("traffic_violations", None, before, at)


def violation_revoked(day: Day) -> None:
    """Two within a month, and one is revoked in the next export."""
    at = _trip_with_time(day)
    day.offend(at)
    before = at - 9 * DAY_S
    number = day.offend(before)
    day.offend(before, again=1, status="revoked", number=number)


def violation_duplicate(day: Day) -> None:
    """One violation in two exports, and another one more than a month before."""
    at = _trip_with_time(day)
    number = day.offend(at)
    day.offend(at, again=1, status="handled", number=number)
    day.offend(at - 33 * DAY_S, status="handled")


def violation_parking(day: Day) -> None:
    """One on the way, and one of parking a week before: that is not driving."""
    at = _trip_with_time(day)
    day.offend(at)
    day.offend(at - 7 * DAY_S, act="违反规定停放、临时停车且驾驶人不在现场")


def violation_two_cameras(day: Day) -> None:
    """One act, seen by two cameras three minutes apart."""
    at = _trip_with_time(day)
    day.offend(at, act="机动车违反禁令标志指示")
    day.offend(at - 3 * MINUTE, act="机动车违反禁令标志指示")


# --- what belongs to a day that must be over ------------------------------------------------------------------------------


def silent_drive(day: Day) -> None:
    """Under an order, but the terminal is unplugged at the first destination and awake again at the second."""
    first = day.node(2_500, 5_500)
    gate = pair(day.room.network.nodes[day.room.organisation.gate])
    nodes = day.room.network.nodes
    second = next(
        n
        for n in iter(lambda: day.node(3_000, 5_500, about=first), -1)
        if np.hypot(*(nodes[n] - gate)) < 8_000
    )
    leave = day.timeline.now + 2 * MINUTE
    order = day.order([day.place(first), day.place(second)], leave, leave + 100 * MINUTE)
    day.enter(order)
    day.timeline.park(leave)
    departed = order.becomes("departed", actual_departure=leave - 30)
    day.enter(departed, leave)
    day.out(first)
    day.wait(4, 5)
    unplugged = day.timeline.now
    day.wait(3, 5)
    day.to(first, second)
    day.timeline.park(max(day.timeline.now, unplugged + (SILENT_MIN + 3) * MINUTE))
    plugged = day.timeline.now
    day.wait(4, 5)
    day.timeline.silent.append((unplugged, plugged))
    day.home(second)
    day.timeline.park(day.timeline.now + MINUTE)
    day.enter(departed.becomes("returned", actual_return=day.timeline.now - 20), day.timeline.now)
    day.wait(2, 3)
    day.expect("terminal_silent", None, unplugged, plugged)


def asleep(day: Day) -> None:
    """Parked, and the terminal sleeps for three quarters of an hour."""
    day.wait(4, 6)
    start = day.timeline.now
    day.wait(SILENT_MIN + 10, SILENT_MIN + 15)
    day.timeline.silent.append((start, day.timeline.now))
    day.wait(4, 6)


def night_errand(day: Day) -> None:
    """To the car wash in the middle of the night: an order, but none that allows it. ``verdicts`` says what is found."""
    node = day.node(2_500, 5_000)
    trip(day, [day.place(node, "洗车店")], [node], task_type="car_wash", purpose="洗车")


def night_duty(day: Day) -> None:
    """Official business at night, with an order."""
    node = day.node(2_500, 6_000)
    trip(day, [day.place(node)], [node], purpose="夜间应急值守")


#: A silence counts from so many minutes on in the demo's units (two hours where nobody set anything): an activity of the
#: demo is shorter than that.
SILENT_MIN = 30
