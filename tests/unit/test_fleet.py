"""The demo's plan: seeded, labelled, and each planted case really is what its label says."""

from __future__ import annotations

import functools
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import shapely

from registry.parameter_values import Threshold
from registry.records import KINDS
from runtime.units import US_PER_S, from_us
from simulation.city.bodies import (
    card_body,
    fence_body,
    offence_body,
    order_body,
    organisation_body,
    paper_vehicle_body,
    payment_body,
    setting_body,
    station_body,
    terminal_body,
    vehicle_body,
)
from simulation.city.fleet import STATUS_POSITIONED, Order, Plan, Trap, Vehicle, distance_to_path
from simulation.city.roads import build_network
from simulation.demo.plan import MIN_SPAN_S, build_plan
from simulation.demo.simulate import SimulateOptions, plan_span_s
from simulation.expectations import ExpectedAlert, by_rule, compare_alerts
from simulation.plants import paper
from simulation.plants.catalogue import BY_NAME, PLANTS, TRAPS, VIOLATIONS
from simulation.terminal.reports import encode_reports
from simulation.terminal.statistics import FleetStats, LatencyHistogram
from telemetry.geo import Datum, to_wgs84
from telemetry.jt808.rejection import Rejection
from telemetry.jt808.scalar.report import decode_location

END = 1_795_312_800  # 2026-11-22 02:00 UTC


@functools.cache
def plan(seed: int = 7, vehicles: int = 30, run: str = "t") -> Plan:
    return build_plan(seed, vehicles, END - 86_400, END, run=run)


@pytest.fixture(params=[1, 7, 20])
def any_plan(request: pytest.FixtureRequest) -> Plan:
    return plan(request.param)


def metres(p: Plan, vehicle: Vehicle) -> np.ndarray:
    s = vehicle.samples
    return p.frame.to_metres(np.stack([s.lat_e6, s.lon_e6], axis=-1) / 1e6)


def covered(orders: list[Order], time_s: int) -> bool:
    return any(
        o.status != "cancelled"
        and o.planned_departure - 600 <= time_s
        and (o.actual_return is None or time_s <= o.actual_return)
        for o in orders
    )


def final_orders(p: Plan) -> dict[str, Order]:
    return {u.order.id: u.order for u in p.updates}  # the updates are in order: the last one stays


def test_the_same_arguments_give_the_same_plan_and_runs_share_nothing_that_moves() -> None:
    again = build_plan(7, 30, END - 86_400, END, run="t")
    assert again.expected == plan().expected
    assert again.updates == plan().updates
    assert all(
        np.array_equal(a.samples.lat_e6, b.samples.lat_e6)
        for a, b in zip(again.vehicles, plan().vehicles, strict=True)
    )
    other = plan(7, 30, "u")
    assert [o.id for o in other.organisations] == [o.id for o in plan().organisations]
    for name in ("id", "plate", "phone", "driver"):
        mine, theirs = ({getattr(v, name) for v in p.vehicles} for p in (plan(), other))
        assert not mine & theirs
        assert len(mine) == 30


def test_every_kind_is_planted(any_plan: Plan) -> None:
    assert any_plan.notes == []
    # A drive in the hours off has the name of what it was driven for.
    kinds = {e.kind for e in any_plan.expected if e.rule != "off_hours"} | {"night_errand"}
    assert kinds == {*VIOLATIONS, *paper.VIOLATIONS}
    assert any(e.kind == "night_errand" for e in any_plan.expected)
    assert {t.kind for t in any_plan.traps} == {*TRAPS, *paper.TRAPS}
    rules = {*(p.rule for p in PLANTS), "card_binding"}
    assert {e.rule for e in any_plan.expected} == rules


def test_nothing_is_planted_for_mileage_where_no_engine_knows_the_roads() -> None:
    p = build_plan(7, 30, END - 86_400, END, run="t", mileage=False)
    assert any("mileage" in note for note in p.notes)
    assert "mileage" not in {e.rule for e in p.expected}
    assert all(u.order.origin is None and u.order.return_point is None for u in p.updates)
    kinds = {e.kind for e in p.expected} | {t.kind for t in p.traps}
    assert not kinds & {k for k, p in BY_NAME.items() if p.rule == "mileage"}


def test_where_there_is_little_room_every_rule_has_one_before_any_has_two() -> None:
    p = build_plan(2, 6, END - 3 * 3600, END, run="t")
    planted = Counter(e.rule for e in p.expected if e.rule != "card_binding")
    assert set(planted) == {
        "location", "destination", "mileage", "card_use", "refuel_frequency", "traffic_violations",
    }  # fmt: skip
    assert set(planted.values()) == {1}


def test_a_small_or_short_plan_says_what_it_leaves_out() -> None:
    small = build_plan(1, 1, END - MIN_SPAN_S, END, run="t")
    assert small.notes
    assert len(small.vehicles) == 1
    with pytest.raises(ValueError, match="at least"):
        build_plan(1, 1, END - MIN_SPAN_S + 1, END, run="t")
    with pytest.raises(ValueError, match="needs a vehicle"):
        build_plan(1, 0, END - 86_400, END, run="t")


def test_reports_ascend_within_the_day_without_gaps(any_plan: Plan) -> None:
    silent: dict[tuple[str, str], Trap | ExpectedAlert] = {
        (t.vehicle, t.kind): t for t in any_plan.traps if t.kind == "asleep"
    }
    silent |= {(e.vehicle, e.kind): e for e in any_plan.expected if e.kind == "silent_drive"}
    gaps = 0
    for vehicle in any_plan.vehicles:
        time = vehicle.samples.time_s
        assert time[0] == any_plan.start_s
        assert time[-1] < any_plan.end_s
        step = np.diff(time)
        assert step.min() >= 1
        for k in np.flatnonzero(step > 60):  # else below the rules' gap_s
            assert step[k] >= 30 * 60
            assert any(
                name == vehicle.id
                and s.from_us <= (time[k] + 60) * US_PER_S
                and time[k + 1] * US_PER_S <= s.to_us + 60 * US_PER_S
                for (name, _), s in silent.items()
            )
            gaps += 1
    assert gaps == len(silent) == 2


def test_no_vehicle_is_faster_than_a_car_but_for_the_planted_jumps(any_plan: Plan) -> None:
    jumps = [t for t in any_plan.traps if t.kind in ("jump", "reflection")]
    for vehicle in any_plan.vehicles:
        good = (vehicle.samples.status & STATUS_POSITIONED) != 0
        time = vehicle.samples.time_s[good]
        for trap in jumps:
            if trap.vehicle == vehicle.id:
                good[good] &= (time < trap.from_us // US_PER_S) | (time > trap.to_us // US_PER_S)
                time = vehicle.samples.time_s[good]
        xy = metres(any_plan, vehicle)[good]
        speed = np.hypot(*np.diff(xy, axis=0).T) / np.diff(time)
        # Over a step of a second or two the receiver's noise is most of the "speed"; it stays below 200 km/h.
        assert speed.max() * 3.6 < 190


def test_who_is_far_outside_the_fence_without_an_order_is_expected_and_nobody_else(any_plan: Plan) -> None:
    orders = final_orders(any_plan)
    for vehicle in any_plan.vehicles:
        unit = next(o for o in any_plan.organisations if o.id == vehicle.organisation)
        yard = shapely.Polygon(unit.fence)
        mine = [o for o in orders.values() if o.vehicle == vehicle.id]
        usable = (vehicle.samples.status & STATUS_POSITIONED) != 0
        for trap in any_plan.traps:
            if trap.vehicle == vehicle.id and trap.kind in ("jump", "reflection"):
                time = vehicle.samples.time_s
                usable &= (time < trap.from_us // US_PER_S) | (time > trap.to_us // US_PER_S)
        beyond = shapely.distance(yard, shapely.points(metres(any_plan, vehicle)))
        far = vehicle.samples.time_s[usable & (beyond >= 190)]
        alone = [int(t) for t in far if not covered(mine, int(t))]
        planted = [e for e in any_plan.expected if e.vehicle == vehicle.id and e.rule == "location"]
        for t in alone:
            assert any(e.from_us <= t * US_PER_S <= e.to_us for e in planted), (
                vehicle.id,
                from_us(t * US_PER_S),
            )
        for e in planted:
            assert sum(e.from_us <= t * US_PER_S <= e.to_us for t in alone) >= 10


def test_destinations_are_reached_or_missed_by_a_wide_margin(any_plan: Plan) -> None:
    vehicles = {v.id: v for v in any_plan.vehicles}
    missed = Counter(e.order for e in any_plan.expected if e.rule == "destination")
    for order in final_orders(any_plan).values():
        if order.status != "returned":
            continue
        vehicle = vehicles[order.vehicle]
        time = vehicle.samples.time_s
        assert order.actual_departure is not None
        assert order.actual_return is not None
        during = (time >= order.actual_departure) & (time <= order.actual_return)
        path = metres(any_plan, vehicle)[during]
        distances = [distance_to_path(place.xy, path) for place in order.destinations if place.xy]
        far = [d for d in distances if d > 2_000]
        assert len(far) == missed[order.id], order
        assert all(d > 2_800 for d in far)
        assert all(d < 1_750 for d in distances if d <= 2_000)


def test_ways_are_far_too_long_or_surely_not(any_plan: Plan) -> None:
    network = build_network(any_plan.seed)
    vehicles = {v.id: v for v in any_plan.vehicles}
    planted = {e.order for e in any_plan.expected if e.rule == "mileage"}
    judged = 0
    for order in final_orders(any_plan).values():
        places = [order.origin, *order.destinations, order.return_point or order.origin]
        if order.status != "returned" or any(p is None or p.xy is None for p in places):
            continue
        judged += 1
        vehicle = vehicles[order.vehicle]
        time = vehicle.samples.time_s
        assert order.actual_return is not None
        during = (time >= order.planned_departure - 600) & (time <= order.actual_return)
        during &= (vehicle.samples.status & STATUS_POSITIONED) != 0
        xy = metres(any_plan, vehicle)[during]
        moving = vehicle.samples.speed_dkmh[during][:-1] > 0
        driven = float(np.hypot(*np.diff(xy, axis=0).T)[moving].sum())
        stops = [network.nearest(np.array(p.xy)) for p in places if p is not None]
        if order.id in planted:
            assert driven > 2.3 * network.length(stops)
        else:  # no engine finds a shorter way than the shortest
            assert driven < 1.48 * network.shortest_m(stops), order
    assert judged > 20
    (trap,) = [t for t in any_plan.traps if t.kind == "round_trip"]
    assert any(
        o.vehicle == trap.vehicle and o.origin is not None and o.return_point is None
        for o in final_orders(any_plan).values()
    )


def test_driving_in_the_hours_off_is_expected_and_nothing_else(any_plan: Plan) -> None:
    midnight = (END + 28_800) // 86_400 * 86_400 - 28_800  # the plan's first day ends there; it is a Saturday
    for vehicle in any_plan.vehicles:
        mine = [o for o in final_orders(any_plan).values() if o.vehicle == vehicle.id]
        mine = [o for o in mine if o.task_type != "car_wash"]
        s = vehicle.samples
        step = np.hypot(*np.diff(metres(any_plan, vehicle), axis=0).T)
        picked = (s.speed_dkmh[:-1] > 0) & (s.time_s[:-1] < midnight) & (np.diff(s.time_s) <= 60)
        picked &= np.array([not covered(mine, int(t)) for t in s.time_s[:-1]])
        driven = float(step[picked].sum())
        found = [e for e in any_plan.expected if e.vehicle == vehicle.id and e.rule == "off_hours"]
        assert len(found) == (driven > 1_000)
        assert not 700 < driven < 1_450


def test_cards_are_used_far_from_their_vehicle_or_beside_it(any_plan: Plan) -> None:
    facts = any_plan.facts
    by_plate = {v.plate: v for v in any_plan.vehicles}
    cards = {c.id: c for c in facts.cards}
    taken_back = {p.reverses for p in facts.payments}
    elsewhere = {(e.vehicle, e.from_us) for e in any_plan.expected if e.rule == "card_use"}
    fills = [p for p in facts.payments if p.kind == "fill"]
    assert {p.kind for p in facts.payments} == {"fill", "fee", "top_up", "reversal"}
    assert len({p.id for p in facts.payments}) == len(facts.payments)
    for fill in fills:
        vehicle = by_plate[cards[fill.card].bindings[0].plate]
        near = np.abs(vehicle.samples.time_s - fill.at_s) <= 900
        assert near.any()
        assert vehicle.samples.time_s[-1] > fill.at_s + 960  # its window is over before the plan is
        assert fill.station is not None
        away = distance_to_path(fill.station.xy, metres(any_plan, vehicle)[near])
        if (vehicle.id, fill.at_s * US_PER_S) in elsewhere or fill.id in taken_back or fill.posted:
            assert away > 1_800
        else:
            assert away < 150


def test_fills_between_two_orders_are_two_only_where_they_are_planted(any_plan: Plan) -> None:
    cards = {c.bindings[0].plate: c.id for c in any_plan.facts.cards if c.bindings}
    taken_back = {p.reverses for p in any_plan.facts.payments}
    found = set()
    for vehicle in any_plan.vehicles:
        returns = sorted(
            (o.actual_return, o.id)
            for o in final_orders(any_plan).values()
            if o.vehicle == vehicle.id and o.actual_return
        )
        fills = [
            p.at_s
            for p in any_plan.facts.payments
            if p.card == cards[vehicle.plate]
            and p.kind == "fill"
            and p.id not in taken_back
            and "尿素" not in p.product
        ]
        for (back, order), (following, _) in pairwise([*returns, (any_plan.end_s, "")]):
            times = [t for t in fills if back < t < following]
            if times and max(times) - min(times) > 600:
                found.add(order)
    assert found == {e.order for e in any_plan.expected if e.rule == "refuel_frequency"}


def test_violations_that_count_are_two_only_where_they_are_planted(any_plan: Plan) -> None:
    plates = {v.plate: v.id for v in any_plan.vehicles}
    last = {o.id: o for o in any_plan.facts.offences}  # a later export says more
    counted: dict[str, list[int]] = {}
    for offence in last.values():
        if offence.status != "revoked" and "停放" not in offence.act:
            counted.setdefault(plates[offence.plate], []).append(offence.at_s)
    found = {v for v, t in counted.items() if any(300 < b - a <= 28 * 86_400 for a, b in pairwise(sorted(t)))}
    assert found == {e.vehicle for e in any_plan.expected if e.rule == "traffic_violations"}
    assert any(len(t) == 2 and v not in found for v, t in counted.items())
    assert len(any_plan.facts.offences) > len(last)


def test_a_day_that_ends_while_the_plan_is_compared_is_not_judged_meanwhile() -> None:
    midnight = END + 14 * 3600

    def waits(end: int) -> set[int]:
        p = build_plan(1, 1, end - MIN_SPAN_S, end, run="t")
        return {s.value for s in p.facts.settings if s.name == "settle_after_h"}

    assert (waits(midnight - 1), waits(midnight - 1_700), waits(midnight - 1_900)) == ({1}, {1}, {0})
    assert waits(midnight) == {0}  # it is over, and part of the plan


def test_the_midnight_order_crosses_midnight(any_plan: Plan) -> None:
    (trap,) = [t for t in any_plan.traps if t.kind == "midnight"]
    days = {(us // US_PER_S + 8 * 3600) // 86_400 for us in (trap.from_us, trap.to_us)}
    assert len(days) == 2
    orders = [o for o in final_orders(any_plan).values() if o.vehicle == trap.vehicle]
    assert any(
        o.actual_departure
        and o.actual_return
        and (o.actual_departure + 28_800) // 86_400 < (o.actual_return + 28_800) // 86_400
        for o in orders
    )


def test_updates_of_an_order_come_in_order_and_are_valid_records(any_plan: Plan) -> None:
    rank = {"approved": 0, "departed": 1, "cancelled": 2, "returned": 2}
    seen: dict[str, list[Order]] = {}
    times = [u.at_s for u in any_plan.updates if u.at_s is not None]
    assert times == sorted(times)
    assert max(times) < any_plan.end_s
    for update in any_plan.updates:
        seen.setdefault(update.order.id, []).append(update.order)
        KINDS["dispatch-orders"].model.model_validate(order_body(any_plan, update.order))
    for states in seen.values():
        assert all(rank[a.status] <= rank[b.status] for a, b in pairwise(states))
    assert {s[-1].status for s in seen.values()} <= {"returned", "cancelled"}


def test_registry_bodies_are_valid_and_the_gcj02_fence_lies_where_the_yard_is(any_plan: Plan) -> None:
    for unit in any_plan.organisations:
        KINDS["organisations"].model.model_validate(organisation_body(unit))
        body = fence_body(any_plan, unit)
        KINDS["fences"].model.model_validate(body)
        ring = np.array(body["geometry"]["coordinates"][0])
        lat, lon = to_wgs84(Datum(body["datum"]), ring[:, 1], ring[:, 0])
        assert np.abs(any_plan.frame.to_metres(np.stack([lat, lon], axis=-1)) - unit.fence).max() < 0.5
    assert {o.datum for o in any_plan.organisations} == {"wgs84", "gcj02"}
    for vehicle in any_plan.vehicles:
        KINDS["vehicles"].model.model_validate(vehicle_body(vehicle))
        KINDS["terminals"].model.model_validate(terminal_body(any_plan, vehicle))
    facts = any_plan.facts
    for kind, bodies in (
        ("vehicles", [paper_vehicle_body(v) for v in facts.vehicles]),
        ("fuel-stations", [station_body(any_plan, s) for s in facts.stations]),
        ("fuel-cards", [card_body(c) for c in facts.cards]),
        ("fuel-transactions", [payment_body(p) for p in facts.payments]),
        ("violations", [offence_body(o) for o in facts.offences]),
    ):
        for record in bodies:
            KINDS[kind].model.model_validate(record)
    for setting in facts.settings:
        Threshold.model_validate(setting_body(setting, any_plan.organisations[0]))
    assert len({s.name for s in facts.stations}) == len(facts.stations)
    for name in ("id", "plate", "phone"):
        assert len({getattr(v, name) for v in any_plan.vehicles}) == len(any_plan.vehicles)


def test_encoded_reports_read_back_exactly() -> None:
    s = plan().vehicles[0].samples
    lat, lon = s.lat_e6.copy(), s.lon_e6.copy()
    lat[0], lon[0] = -33_000_000, -70_000_001  # south and west
    bodies = encode_reports(
        s.time_s,
        lat,
        lon,
        altitude_m=s.altitude_m - 20,
        speed_dkmh=s.speed_dkmh,
        direction_deg=s.direction_deg,
        status=s.status,
        odometer_dkm=s.odometer_dkm,
    )
    for k in [0, *range(1, len(s), 97)]:
        read = decode_location(bodies[k])
        assert not isinstance(read, Rejection)
        assert (read.device_us, read.lat_e6, read.lon_e6) == (int(s.time_s[k]) * US_PER_S, lat[k], lon[k])
        assert (read.altitude_m, read.speed_dkmh, read.direction_deg) == (
            -14,
            s.speed_dkmh[k],
            s.direction_deg[k],
        )
        assert read.items == b"\x01\x04" + int(s.odometer_dkm[k]).to_bytes(4, "big")
    with pytest.raises(ValueError, match=r"2000\.\.2099"):
        encode_reports(
            np.array([946_655_999]),
            lat[:1],
            lon[:1],
            altitude_m=lat[:1],
            speed_dkmh=lat[:1],
            direction_deg=lat[:1],
            status=lat[:1],
        )


# --- comparison and statistics -----------------------------------------------------------------------------


def alert(**changes: object) -> dict[str, object]:
    body: dict[str, object] = {
        "rule": "location",
        "status": "suspected",
        "vehicle": "v",
        "order": None,
        "occurred_from": "2026-03-02T08:00:00+08:00",
        "occurred_to": "2026-03-02T09:00:00+08:00",
    }
    return body | changes


def test_comparison_is_one_to_one() -> None:
    at = 1_772_409_600 * US_PER_S  # 2026-03-02 08:00 +08:00
    hour = 3600 * US_PER_S
    wanted = [
        ExpectedAlert("location", "v", None, at, at + hour),
        ExpectedAlert("destination", "v", "o", at, at + hour),
    ]
    found = [alert(), alert(rule="destination", order="o")]
    assert compare_alerts(wanted, found).exact
    assert compare_alerts(wanted, [*found, alert(status="withdrawn")]).exact
    assert compare_alerts(wanted, [*found, alert(vehicle="w")], ["v"]).exact
    twice = compare_alerts(wanted, [*found, alert()])
    assert (len(twice.missing), len(twice.unexpected)) == (0, 1)
    wrong_order = compare_alerts(wanted, [alert(), alert(rule="destination", order="x")])
    assert (wrong_order.matched, len(wrong_order.missing), len(wrong_order.unexpected)) == (1, 1, 1)
    elsewhen = compare_alerts(
        wanted[:1], [alert(occurred_from="2026-03-02T10:00:00+08:00", occurred_to=None)]
    )
    assert not elsewhen.exact
    assert compare_alerts(wanted[:1], [alert(occurred_to=None)]).exact


def test_alerts_about_no_vehicle_are_told_apart_by_what_they_say() -> None:
    at = 1_772_409_600 * US_PER_S
    wanted = [ExpectedAlert("card_binding", "", None, at, at, "card_unbound", "C-r1-7")]
    mine = alert(rule="card_binding", vehicle=None, summary="油卡 C-r1-7 未绑定", occurred_to=None)
    older = alert(rule="card_binding", vehicle=None, summary="油卡 C-r0-7 未绑定", occurred_to=None)
    assert compare_alerts(wanted, [mine, older], ["v"], marks=["C-r1-"]).exact
    assert compare_alerts(wanted, [older], ["v"], marks=["C-r1-"]).missing == tuple(wanted)
    other = mine | {"summary": "油卡 C-r1-8 未绑定"}
    found = compare_alerts(wanted, [mine, other, alert()], ["v"], marks=["C-r1-"])
    assert len(found.unexpected) == 2
    assert by_rule(wanted, found) == [("location", 0, 1, 0, 1), ("card_binding", 1, 2, 0, 1)]


def test_latency_quantiles_are_within_a_bucket() -> None:
    histogram = LatencyHistogram()
    assert histogram.quantile(0.5) == 0.0
    for k in range(1, 1001):
        histogram.record(k / 1000)
    assert 0.5 <= histogram.quantile(0.5) <= 0.63
    assert 0.99 <= histogram.quantile(0.99) <= 1.25
    histogram.record(1e12)
    histogram.record(-1.0)
    assert histogram.total == 1002


def test_waiting_is_what_is_left() -> None:
    stats = FleetStats(offered=10, confirmed=5, abandoned=1)
    stats.refused[2] += 1
    assert stats.waiting == 3


def test_a_plan_without_a_length_takes_about_six_minutes() -> None:
    options = SimulateOptions("h", 1, "a", "t", speed=60)
    assert plan_span_s(options) == 6 * 3600
    assert plan_span_s(SimulateOptions("h", 1, "a", "t", speed=1e4)) == 86_400
    assert plan_span_s(SimulateOptions("h", 1, "a", "t", speed=1)) >= MIN_SPAN_S
