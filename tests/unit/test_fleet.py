"""The demo's plan: seeded, labelled, and each planted case really is what its label says."""

from __future__ import annotations

import functools
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import shapely

from gongche.terminals.activities import TRAPS, VIOLATIONS
from gongche.terminals.demo_fleet import MIN_SPAN_S, build_plan
from gongche.terminals.expected import ExpectedAlert, compare_alerts
from gongche.terminals.fleet import STATUS_POSITIONED, Order, Plan, Vehicle, distance_to_path
from gongche.terminals.office import fence_body, order_body, organisation_body, terminal_body, vehicle_body
from gongche.terminals.reports import encode_reports
from gongche.terminals.simulate import SimulateOptions, plan_span_s
from gongche.terminals.statistics import FleetStats, LatencyHistogram
from rules.fleet.model import KINDS
from rules.geo import Datum, to_wgs84
from telemetry.jt808.rejection import Rejection
from telemetry.jt808.report import decode_location
from telemetry.units import US_PER_S, from_us

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
    assert {e.kind for e in any_plan.expected} == set(VIOLATIONS)
    assert {t.kind for t in any_plan.traps} == set(TRAPS)


def test_a_small_or_short_plan_says_what_it_leaves_out() -> None:
    small = build_plan(1, 1, END - MIN_SPAN_S, END, run="t")
    assert small.notes
    assert len(small.vehicles) == 1
    with pytest.raises(ValueError, match="at least"):
        build_plan(1, 1, END - MIN_SPAN_S + 1, END, run="t")
    with pytest.raises(ValueError, match="needs a vehicle"):
        build_plan(1, 0, END - 86_400, END, run="t")


def test_reports_ascend_within_the_day_without_gaps(any_plan: Plan) -> None:
    for vehicle in any_plan.vehicles:
        time = vehicle.samples.time_s
        assert time[0] == any_plan.start_s
        assert time[-1] < any_plan.end_s
        step = np.diff(time)
        assert step.min() >= 1
        assert step.max() <= 60  # below the rules' gap_s


def test_no_vehicle_is_faster_than_a_car_but_for_the_planted_jumps(any_plan: Plan) -> None:
    jumps = [t for t in any_plan.traps if t.kind == "jump"]
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
            if trap.vehicle == vehicle.id and trap.kind == "jump":
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
        KINDS["dispatch-orders"].model_validate(order_body(any_plan, update.order))
    for states in seen.values():
        assert all(rank[a.status] <= rank[b.status] for a, b in pairwise(states))
    assert {s[-1].status for s in seen.values()} <= {"returned", "cancelled"}


def test_registry_bodies_are_valid_and_the_gcj02_fence_lies_where_the_yard_is(any_plan: Plan) -> None:
    for unit in any_plan.organisations:
        KINDS["organisations"].model_validate(organisation_body(unit))
        body = fence_body(any_plan, unit)
        KINDS["fences"].model_validate(body)
        ring = np.array(body["geometry"]["coordinates"][0])
        lat, lon = to_wgs84(Datum(body["datum"]), ring[:, 1], ring[:, 0])
        assert np.abs(any_plan.frame.to_metres(np.stack([lat, lon], axis=-1)) - unit.fence).max() < 0.5
    assert {o.datum for o in any_plan.organisations} == {"wgs84", "gcj02"}
    for vehicle in any_plan.vehicles:
        KINDS["vehicles"].model_validate(vehicle_body(vehicle))
        KINDS["terminals"].model_validate(terminal_body(any_plan, vehicle))
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
