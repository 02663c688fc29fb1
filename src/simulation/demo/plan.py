"""The demo's world: a seeded plan of a fleet's day with planted violations and planted traps.

``build_plan`` spreads *activities* over the vehicles' days. Most are ordinary trips; each kind of violation and each
trap occurs at least once when there is room. What must come out is known beforehand (``Plan.expected``): each activity
checks its own geometry while it is planned, and ``verdicts`` says what follows from a whole day. ``fuel_consumption``
is not planted: it compares four months.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field

import numpy as np

from runtime.units import US_PER_S
from simulation.city.facts import Station
from simulation.city.fleet import (
    DRIVING_INTERVAL_S,
    OrderUpdate,
    Organisation,
    Place,
    Plan,
    Timeline,
    Trap,
    Vehicle,
)
from simulation.city.roads import Generator, RoadNetwork, build_network
from simulation.expectations import ExpectedAlert
from simulation.plants import paper, whole_days
from simulation.plants.catalogue import BY_NAME, NORMAL, TRAPS, VIOLATIONS, drive
from simulation.plants.day import Day, Found, NoWayError, Room

#: An activity with all its driving and waiting takes less than this.
ACTIVITY_S = 105 * 60
#: Everyone stands still this long at both ends of the plan, so that every trip ends within it.
MARGIN_S = 10 * 60
MIN_SPAN_S = ACTIVITY_S + 2 * MARGIN_S

#: These are looked for a time of the day of their own.
_TIMED = ("midnight", "night_errand", "silent_drive", "night_duty", "asleep")
#: A vehicle's day is drawn again so often when a threshold is near.
_ATTEMPTS = 60

_NAMES = (
    "机关事务服务中心", "教育局", "卫生健康委", "水利局", "交通运输局", "市场监管局", "农业农村局",
    "文化广电和旅游局", "生态环境局", "住房和城乡建设局", "应急管理局", "审计局",
)  # fmt: skip
_FAMILY = "王李张刘陈杨赵黄周吴徐孙朱马胡郭林何高梁"
_GIVEN = "伟芳娜敏静强磊军洋勇艳杰娟涛明超霞平刚桂英"
_PLATE = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # no I and no O on Chinese plates


@dataclass(slots=True)
class _Slot:
    """A part of one vehicle's day for one activity."""

    vehicle: int
    earliest_s: int
    latest_s: int
    kind: str = NORMAL
    start_s: int = 0
    taken: bool = field(default=False)


def build_plan(
    seed: int,
    vehicles: int,
    start_s: int,
    end_s: int,
    *,
    run: str,
    driving_interval_s: int = DRIVING_INTERVAL_S,
    mileage: bool = True,
) -> Plan:
    """A plan of device times in [start_s, end_s), whole seconds since 1970 UTC.

    The same arguments give the same plan. Organisations and stations depend on the seed alone; vehicles, drivers,
    terminals, cards and orders also carry ``run``, so a later run never moves a vehicle that an earlier one moved.
    ``mileage`` False: no engine knows these roads, so orders have no origin and nothing is planted for that rule.
    Raises ValueError for a span under ``MIN_SPAN_S`` or no vehicles.
    """
    if vehicles < 1 or end_s - start_s < MIN_SPAN_S:
        raise ValueError(f"a plan needs a vehicle and at least {MIN_SPAN_S} s")
    network = build_network(seed)
    rng = np.random.default_rng([seed, 2])
    organisations = _organisations(seed, network, max(1, min(len(_NAMES), math.ceil(vehicles / 8))), rng)
    slots = _slots(vehicles, start_s + MARGIN_S, end_s - MARGIN_S, rng)
    notes = _assign(slots, rng, end_s, mileage)
    plan = Plan(seed, run, network.frame, start_s, end_s, organisations, [], [], [], [], notes)
    public = paper.public_stations(seed, network)
    plan.facts.stations = [*(paper.own_pump(o) for o in organisations), *public]
    for number in range(vehicles):
        mine = sorted((s for s in slots if s.vehicle == number), key=lambda s: s.start_s)
        _plan_vehicle(plan, network, number, mine, driving_interval_s, public, mileage)
    paper.plant_bindings(plan, lambda number: _identity(seed, run, number))
    paper.settle_facts(plan)
    plan.updates.sort(
        key=lambda u: (u.at_s is not None, u.at_s or 0)
    )  # stable: one order's updates stay in order
    return plan


def _plan_vehicle(
    plan: Plan,
    network: RoadNetwork,
    number: int,
    slots: list[_Slot],
    interval_s: int,
    public: list[Station],
    mileage: bool,
) -> None:
    """Drive one vehicle through its day; drawn again until every threshold is far."""
    organisation = plan.organisations[number % len(plan.organisations)]
    vehicle_id, plate, phone = _identity(plan.seed, plan.run, number)
    room = Room(network, organisation, number // len(plan.organisations))
    card = paper.vehicle_card(plan, number, plate, organisation.id)
    for attempt in range(_ATTEMPTS):
        rng = np.random.default_rng([plan.seed, 3, number, attempt] if attempt else [plan.seed, 3, number])
        day = Day(
            room, Timeline(plan.start_s, room.slot), rng, vehicle_id, f"D-{plan.seed}-{plan.run}-{number:04d}"
        )
        gate = network.nodes[organisation.gate]
        day.base = Place(organisation.name, (float(gate[0]), float(gate[1]))) if mileage else None
        day.card, day.plate, day.stations = card.id, plate, (paper.own_pump(organisation), *public)
        try:
            spans, found = _live(plan, network, day, slots)
        except NoWayError:
            found = None
        if found is not None:
            break
        for slot in slots:  # another time, where there is one
            slot.start_s = int(rng.integers(slot.earliest_s, slot.latest_s + 1))
    else:
        raise AssertionError(f"vehicle {number}: no clear day in {_ATTEMPTS} draws")
    for kind, begun, ended in spans:
        if kind in TRAPS:
            plan.traps.append(Trap(kind, vehicle_id, begun * US_PER_S, ended * US_PER_S))
    plan.expected.extend(
        ExpectedAlert(e.rule, vehicle_id, e.order, e.from_s * US_PER_S, e.to_s * US_PER_S, e.kind)
        for e in found
    )
    plan.updates.extend(OrderUpdate(at, order) for at, order in day.updates)
    plan.facts.cards.append(card)
    plan.facts.payments.extend(day.payments)
    plan.facts.offences.extend(day.offences)
    name = _FAMILY[int(rng.integers(len(_FAMILY)))] + _GIVEN[int(rng.integers(len(_GIVEN)))]
    plan.vehicles.append(
        Vehicle(
            vehicle_id,
            plate,
            organisation.id,
            day.driver,
            name,
            phone,
            2019 if number % 3 == 2 else 2013,
            day.timeline.samples(network.frame, rng, interval_s),
            day.offline,
        )
    )


def _live(
    plan: Plan, network: RoadNetwork, day: Day, slots: list[_Slot]
) -> tuple[list[tuple[str, int, int]], list[Found] | None]:
    """Drive through ``slots``: (kind, from, to) of each, and what must be found; None when that is not clear. Raises
    NoWayError when a kind finds nowhere to go."""
    timeline = day.timeline
    spans = []
    for k, slot in enumerate(slots):
        timeline.park(slot.start_s)
        begun = timeline.now
        day.begin(k, slot.kind)
        drive(slot.kind, day)
        if timeline.now > slot.start_s + ACTIVITY_S:  # a guard for whoever adds a kind
            raise AssertionError(f"{slot.kind} took {timeline.now - slot.start_s} s")
        spans.append((slot.kind, begun, timeline.now))
    timeline.park(plan.end_s)
    orders, driven = whole_days.final_orders(day.updates), timeline.driven()
    long, ways_clear = whole_days.too_long(orders, driven, network)
    jumps = [(start, end) for start, end, _ in timeline.jumps]
    off, hours_clear = whole_days.off_hours(orders, driven, jumps, spans, (plan.start_s, plan.end_s))
    planted = {e.order for e in day.expected if e.rule == "mileage"}
    clear = ways_clear and hours_clear and long == planted
    over_s = whole_days.midnight_s(plan.end_s)
    known = [e for e in day.expected if e.rule != "terminal_silent" or e.from_s < over_s]
    return spans, [*known, *off] if clear else None


def _identity(seed: int, run: str, number: int) -> tuple[str, str, str]:
    """Id, plate and terminal phone of a vehicle. Plates and phones are made from a hash: they must differ between
    runs, and the numbers fill only a small part of what there is."""
    digest = hashlib.blake2b(f"{seed}/{run}/{number // 34}".encode(), digest_size=8).digest()
    value = int.from_bytes(digest, "big")
    plate = "".join(_PLATE[value // 34**k % 34] for k in range(4)) + _PLATE[number % 34]
    phone = f"1{30 + value % 70:02d}{value // 70 % 1_000_000:06d}{number % 34:02d}"
    return f"V-{seed}-{run}-{number:04d}", f"苏F{plate}", phone


def _organisations(seed: int, network: RoadNetwork, count: int, rng: Generator) -> list[Organisation]:
    """Units with yards beside different crossings within 6 km of the centre. The second unit's fence is drawn on
    a Chinese map (GCJ-02)."""
    radius = np.hypot(network.nodes[:, 0], network.nodes[:, 1])
    near = np.flatnonzero(radius < 6_000)
    gates: list[int] = []
    while len(gates) < count:
        gate = int(rng.choice(near))
        if all(np.hypot(*(network.nodes[gate] - network.nodes[g])) > 900 for g in gates):
            gates.append(gate)
    made = []
    for k, gate in enumerate(gates):
        angle = rng.uniform(0, 2 * math.pi)
        along = np.array([math.cos(angle), math.sin(angle)])
        across = np.array([-along[1], along[0]])
        centre = network.nodes[gate] + along * 105.0
        corners = [(-85, -60), (85, -60), (85, 35), (60, 60), (-85, 60), (-85, -60)]
        fence = np.array([centre + along * x + across * y for x, y in corners])
        made.append(
            Organisation(
                id=f"ORG-{seed}-{k + 1:02d}",
                name=f"演示市{_NAMES[k]}",
                gate=gate,
                centre=(float(centre[0]), float(centre[1])),
                fence=fence,
                datum="gcj02" if k == 1 else "wgs84",
            )
        )
    return made


def _slots(vehicles: int, start_s: int, end_s: int, rng: Generator) -> list[_Slot]:
    """Two to four parts of the day for each vehicle (fewer in a short span), each long enough for an activity."""
    slots = []
    for vehicle in range(vehicles):
        room = (end_s - start_s) // ACTIVITY_S
        parts = max(1, min(int(rng.integers(2, 5)), room))
        length = (end_s - start_s) // parts
        for k in range(parts):
            begin = start_s + k * length
            slots.append(_Slot(vehicle, begin, begin + length - ACTIVITY_S))
    for slot in slots:
        slot.start_s = int(rng.integers(slot.earliest_s, slot.latest_s + 1))
    return slots


def _assign(slots: list[_Slot], rng: Generator, end_s: int, mileage: bool) -> list[str]:
    """Give each slot its kind: every violation and trap once, a tenth more of each, the rest ordinary."""
    notes = []
    if not mileage:
        notes.append("no navigation engine for these roads: nothing is planted for mileage")
    some = [k for k in VIOLATIONS if mileage or BY_NAME[k].rule != "mileage"]
    traps = [k for k in TRAPS if mileage or BY_NAME[k].rule != "mileage"]
    extra = len(slots) // 10
    wanted = [*some, *traps]
    again = [[k for k in kinds if k not in _TIMED] for kinds in (some, traps)]
    for kinds, all_of in zip(again, (some, traps), strict=True):
        wanted += [kinds[int(rng.integers(len(kinds)))] for _ in range(max(0, extra - len(all_of)))]
    free = [slots[int(i)] for i in rng.permutation(len(slots))]
    untimely = []
    for kind in _TIMED:
        if not _place(kind, free, rng, end_s):
            untimely.append(kind)
        free = [slot for slot in free if not slot.taken]
    if untimely:
        notes.append(f"left out, no slot at the right time of a day that is over: {', '.join(untimely)}")
    wanted = [kind for kind in wanted if kind not in _TIMED]
    left = 0
    offenders: set[int] = set()
    for kind in wanted:
        once = BY_NAME[kind].once
        slot = next((s for s in free if not (once and s.vehicle in offenders)), None)
        if slot is None:
            left += 1
            continue
        free.remove(slot)
        slot.kind = kind
        if once:
            offenders.add(slot.vehicle)
    if left:
        notes.append(
            f"room for {len(wanted) - left} of {len(wanted)} planted activities; more vehicles have room for all"
        )
    return notes


def _place(kind: str, free: list[_Slot], rng: Generator, end_s: int) -> bool:
    """Put a kind that needs a time of its own where a slot allows it; that slot keeps to this time."""
    over = whole_days.midnight_s(end_s)  # days that end by then are judged
    for slot in free:
        for midnight in (whole_days.midnight_s(slot.latest_s), whole_days.midnight_s(slot.latest_s) + 86_400):
            if kind == "midnight":
                low, high = midnight - 18 * 60, midnight - 10 * 60
            elif kind in ("silent_drive", "asleep"):
                low, high = midnight - 86_400, min(midnight, over) - ACTIVITY_S
            elif midnight <= over:
                low, high = midnight - 7_200, midnight - ACTIVITY_S
            else:
                continue
            low, high = max(low, slot.earliest_s), min(high, slot.latest_s)
            if low <= high:
                slot.kind, slot.taken = kind, True
                slot.earliest_s, slot.latest_s = low, high
                slot.start_s = int(rng.integers(low, high + 1))
                return True
    return False
