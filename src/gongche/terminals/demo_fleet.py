"""The demo's world: a seeded plan of a fleet's day with planted violations and planted traps.

``build_plan`` spreads *activities* over the vehicles' days. Most are ordinary trips; each kind of violation and each
trap of the two rules ``location`` and ``destination`` occurs at least once when there is room. What must come out
is known beforehand (``Plan.expected``), because each activity checks its own geometry while it is planned.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field

import numpy as np

from gongche.terminals.activities import KINDS, NORMAL, TRAPS, VIOLATIONS
from gongche.terminals.day import Day, Room
from gongche.terminals.expected import ExpectedAlert
from gongche.terminals.fleet import (
    DRIVING_INTERVAL_S,
    OrderUpdate,
    Organisation,
    Plan,
    Timeline,
    Trap,
    Vehicle,
)
from gongche.terminals.roads import Generator, RoadNetwork, build_network
from telemetry.units import CHINA_OFFSET_US, US_PER_S

#: An activity with all its driving and waiting takes less than this.
ACTIVITY_S = 105 * 60
#: Everyone stands still this long at both ends of the plan, so that every trip ends within it.
MARGIN_S = 10 * 60
MIN_SPAN_S = ACTIVITY_S + 2 * MARGIN_S

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
) -> Plan:
    """A plan of device times in [start_s, end_s), whole seconds since 1970 UTC.

    The same arguments give the same plan. Organisations depend on the seed alone; vehicles, drivers, terminals
    and orders also carry ``run``, so a later run never moves a vehicle that an earlier one moved. Raises ValueError
    for a span under ``MIN_SPAN_S`` or no vehicles.
    """
    if vehicles < 1 or end_s - start_s < MIN_SPAN_S:
        raise ValueError(f"a plan needs a vehicle and at least {MIN_SPAN_S} s")
    network = build_network(seed)
    rng = np.random.default_rng([seed, 2])
    organisations = _organisations(seed, network, max(1, min(len(_NAMES), math.ceil(vehicles / 8))), rng)
    slots = _slots(vehicles, start_s + MARGIN_S, end_s - MARGIN_S, rng)
    notes = _assign(slots, rng)
    plan = Plan(seed, run, network.frame, start_s, end_s, organisations, [], [], [], [], notes)
    for number in range(vehicles):
        mine = sorted((s for s in slots if s.vehicle == number), key=lambda s: s.start_s)
        _plan_vehicle(plan, network, number, mine, driving_interval_s)
    plan.updates.sort(
        key=lambda u: (u.at_s is not None, u.at_s or 0)
    )  # stable: one order's updates stay in order
    return plan


def _plan_vehicle(plan: Plan, network: RoadNetwork, number: int, slots: list[_Slot], interval_s: int) -> None:
    """Drive one vehicle through its day."""
    rng = np.random.default_rng([plan.seed, 3, number])
    organisation = plan.organisations[number % len(plan.organisations)]
    vehicle_id, plate, phone = _identity(plan.seed, plan.run, number)
    room = Room(network, organisation, number // len(plan.organisations))
    timeline = Timeline(plan.start_s, room.slot)
    day = Day(room, timeline, rng, vehicle_id, f"D-{plan.seed}-{plan.run}-{number:04d}")
    for k, slot in enumerate(slots):
        timeline.park(slot.start_s)
        begun = timeline.now
        day.begin(k, slot.kind)
        KINDS[slot.kind](day)
        if timeline.now > slot.start_s + ACTIVITY_S:  # a guard for whoever adds a kind
            raise AssertionError(f"{slot.kind} took {timeline.now - slot.start_s} s")
        if slot.kind in TRAPS:
            plan.traps.append(Trap(slot.kind, vehicle_id, begun * US_PER_S, timeline.now * US_PER_S))
    timeline.park(plan.end_s)
    plan.expected.extend(
        ExpectedAlert(e.rule, vehicle_id, e.order, e.from_s * US_PER_S, e.to_s * US_PER_S, e.kind)
        for e in day.expected
    )
    plan.updates.extend(OrderUpdate(at, order) for at, order in day.updates)
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
            timeline.samples(network.frame, rng, interval_s),
            day.offline,
        )
    )


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


def _assign(slots: list[_Slot], rng: Generator) -> list[str]:
    """Give each slot its kind: every violation and trap once, a tenth more of each, the rest ordinary."""
    notes = []
    extra = len(slots) // 10
    wanted = [*VIOLATIONS, *TRAPS]
    wanted += [VIOLATIONS[int(rng.integers(len(VIOLATIONS)))] for _ in range(max(0, extra - len(VIOLATIONS)))]
    wanted += [TRAPS[int(rng.integers(len(TRAPS)))] for _ in range(max(0, extra - len(TRAPS)))]
    free = [slots[int(i)] for i in rng.permutation(len(slots))]
    if "midnight" in wanted and not _place_midnight(free, rng):
        notes.append("no slot spans midnight: the trap 'midnight' is left out")
    wanted = [kind for kind in wanted if kind != "midnight"]
    free = [slot for slot in free if not slot.taken]
    if len(wanted) > len(free):
        notes.append(
            f"room for {len(free)} of {len(wanted)} planted activities; more vehicles have room for all"
        )
    for slot, kind in zip(free, wanted, strict=False):
        slot.kind = kind
    return notes


def _place_midnight(free: list[_Slot], rng: Generator) -> bool:
    """Put the order that crosses midnight (Asia/Shanghai) where a slot allows it."""
    offset = CHINA_OFFSET_US // US_PER_S
    for slot in free:
        midnight = ((slot.latest_s + offset) // 86_400 + 1) * 86_400 - offset
        for candidate in (midnight, midnight - 86_400):
            start = candidate - int(rng.integers(10 * 60, 18 * 60))
            if slot.earliest_s <= start <= slot.latest_s:
                slot.kind, slot.start_s, slot.taken = "midnight", start, True
                return True
    return False
