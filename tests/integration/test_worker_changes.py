"""The worker end to end, where facts change after the judgement: orders entered, moved, cancelled, thresholds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from registry.changes import fleet_changes
from registry.organisations import Organisation
from registry.parameter_values import Threshold, forget_threshold, put_threshold
from rules.live.process import clock_us
from rules.live.recompute import ENDED_A_SLICE
from rules.tracks.state import STATE_VERSION, empty_rows
from tests.integration.outbox import due_rows, forget_changes
from tests.integration.worker_world import Fix, S, World, drive, place, stand

H = 3600
DAY = 24 * H
AWAY = (4000.0, 0.0)


def out_and_back(start_s: float) -> list[Fix]:
    """In the yard, out to AWAY, and in the yard again."""
    out = drive(start_s, (0.0, 0.0), AWAY, (0.0, 0.0))
    return [*stand(start_s - 1800, start_s), *out, *stand(out[-1][0] + 30, out[-1][0] + 1800)]


@pytest.mark.parametrize("kept", ["with its end", "as before there was one"])
async def test_an_alert_withdrawn_while_it_was_open_does_not_swallow_the_next_drive(
    world: World, kept: str
) -> None:
    """An emergency order entered during the drive: the alert ends there, and a drive days later is another one."""
    first = out_and_back(-2 * DAY + 20 * H)
    seen = next(k for k, f in enumerate(first) if f[1] > 2000)
    await world.send(world.batch(first[:seen]))
    worker = await world.work()
    (live,) = await world.alerts()
    assert live["occurred_to"] is None
    await world.order(
        "E7",
        -2 * DAY + 20 * H,
        0,
        task_type="emergency",
        status="departed",
        planned_return_s=-2 * DAY + 22 * H,
    )
    await world.work(worker)
    (withdrawn,) = await world.alerts(None)
    assert withdrawn["status"] == "withdrawn"
    # It reached as far as was known, and goes on no more.
    assert datetime.fromisoformat(withdrawn["occurred_to"]) == world.time(first[seen - 1][0])
    if kept == "as before there was one":
        await world.pool.execute("UPDATE alerts SET occurred_to = NULL")
        await world.pool.execute("UPDATE alert_versions SET body = body || '{\"occurred_to\": null}'")
    await world.send(world.batch(first[seen:]))
    await world.work(worker)
    await world.order("E7", -2 * DAY + 20 * H, -2 * DAY + 22 * H, task_type="emergency")
    await world.work(worker)

    await world.send(world.batch(out_and_back(20 * H)))
    await world.work(worker)
    old, new = await world.alerts(None)
    assert (old["id"], old["status"], old["version"]) == (live["id"], "withdrawn", 2)
    assert (new["status"], new["id"] != old["id"]) == ("suspected", True)

    # The order is cancelled after all: the first drive is told again, by its own alert.
    before = world.time(-2 * DAY + 19 * H)
    await world.order(
        "E7", -2 * DAY + 20 * H, -2 * DAY + 22 * H, task_type="emergency", status="cancelled", cancelled_at=before
    )  # fmt: skip
    await world.work(worker)
    assert [(a["id"], a["version"]) for a in await world.alerts()] == [
        (old["id"], 3),
        (new["id"], new["version"]),
    ]


async def test_only_while_it_is_an_official_vehicle(world: World) -> None:
    """Sold, its terminal still bound: what the buyer drives is nobody's business; known late, that is withdrawn."""
    drives = [*out_and_back(-DAY + 20 * H), *out_and_back(20 * H)]
    await world.send(world.batch(drives))
    worker = await world.work()
    before, after = await world.alerts()
    await world.register(disposed_on=world.date(0))
    await world.work(worker)
    kept, gone = await world.alerts(None)
    assert (kept["id"], kept["status"]) == (before["id"], "suspected")
    assert (gone["id"], gone["status"]) == (after["id"], "withdrawn")
    assert gone["withdrawal_reason"].startswith("该时段车辆不是登记的公务用车")
    # What was driven before rests on the same substance: no version of its alert, and its evidence stays as it was judged.
    assert kept["version"] == before["version"]
    assert (await world.evidence(kept["id"]))["vehicle"]["disposed_on"] is None
    assert (await world.evidence(gone["id"]))["vehicle"]["disposed_on"] == world.date(0).isoformat()
    # Once more from nothing: the same is found at once.
    await world.register(disposed_on=None, registered_on=world.date(0))
    await world.work(worker)
    assert [a["status"] for a in await world.alerts(None)] == ["withdrawn", "suspected"]
    await world.register(registered_on=world.date(1))
    await world.work(worker)
    assert await world.alerts() == []
    await world.send(world.batch(out_and_back(DAY + 20 * H)))
    await world.work(worker)
    (live,) = await world.alerts()
    assert live["occurred_from"][:10] == world.date(1).isoformat()


@pytest.mark.parametrize(("was", "now"), [(3, 1), (1, 3)])
@pytest.mark.parametrize("missed", [True, False])
async def test_an_order_given_to_another_vehicle_is_told_of_that_one_whatever_their_numbers(
    world: World, was: int, now: int, missed: bool
) -> None:
    """Both vehicles are looked at in one transaction: what was said of the one must not undo what is said of the other."""
    wanted = [place(9000, 0)]
    await world.order("P1", 8 * H, 8.6 * H, vehicle=f"V{was}", destinations=wanted)
    await world.send(world.batch(out_and_back(8 * H), terminal=was))
    far = (4000.0, 0.0) if missed else (9000.0, 0.0)
    there = drive(8 * H, (0.0, 0.0), far, (0.0, 0.0))
    await world.send(world.batch([*there, *stand(there[-1][0] + 30, there[-1][0] + 1800)], terminal=now))
    worker = await world.work()
    assert [(a["order"], a["vehicle"]) for a in await world.alerts() if a["rule"] == "destination"] == [
        ("P1", f"V{was}")
    ]
    await world.order("P1", 8 * H, 8.6 * H, vehicle=f"V{now}", destinations=wanted)
    await world.work(worker)
    told = [a for a in await world.alerts(None) if a["rule"] == "destination"]
    newest = await world.pool.fetchrow(
        "SELECT outcome, vehicle_no FROM evaluations WHERE subject = 'order:P1:0' ORDER BY id DESC LIMIT 1"
    )
    if missed:
        assert [(a["status"], a["vehicle"]) for a in told] == [("suspected", f"V{now}")]
        assert tuple(newest) == ("suspected", now)
    else:
        assert [a["status"] for a in told] == ["withdrawn"]
        assert tuple(newest) == ("normal", now)


@pytest.mark.parametrize(
    "change",
    [
        {"status": "cancelled"},
        {"vehicle": "V2"},
        {"status": "departed", "planned_return_s": -70 * DAY + 9 * H},
        {"destinations": []},
    ],
    ids=["cancelled", "given away", "opened again", "without the destination"],
)
async def test_a_change_to_an_order_of_long_ago_withdraws_what_was_said_of_its_destination(
    world: World, change: dict[str, Any]
) -> None:
    """Recomputation reaches back 62 days only; an order that is no more is found by its number."""
    begun, back = -70 * DAY + 8 * H, -70 * DAY + 8.6 * H
    await world.order("P1", begun, back, destinations=[place(9000, 0)])
    await world.send(world.batch(out_and_back(begun)))
    await world.send(world.batch(stand(8 * H, 9 * H)))
    worker = await world.work()
    (alert,) = [a for a in await world.alerts() if a["rule"] == "destination"]
    await world.order("P1", begun, back, **({"destinations": [place(9000, 0)]} | change))
    await world.work(worker)
    (again,) = [a for a in await world.alerts(None) if a["rule"] == "destination"]
    assert (again["id"], again["status"]) == (alert["id"], "withdrawn")
    assert again["withdrawal_reason"].startswith("派车单")


@pytest.mark.parametrize("said", [True, False])
async def test_where_the_vehicle_was_before_it_departed_is_not_where_the_order_went(
    world: World, said: bool
) -> None:
    """Planned for 8:00, left at 14:00; in the morning the vehicle was at the same place on another order."""
    wanted = [place(*AWAY)]
    await world.order("B", 9 * H, 9.6 * H, destinations=wanted)
    departed = {"actual_departure": world.time(14 * H)} if said else {"actual_departure": None}
    await world.order("A", 8 * H, 14.6 * H, destinations=wanted, **departed)
    elsewhere = drive(14 * H, (0.0, 0.0), (0.0, 3000.0), (0.0, 0.0))
    tail = stand(elsewhere[-1][0] + 30, 15 * H)
    await world.send(world.batch([*out_and_back(9 * H), *stand(13.5 * H, 14 * H), *elsewhere, *tail]))
    await world.work()
    found = {
        r["subject"]: r["outcome"] for r in await world.pool.fetch("SELECT subject, outcome FROM evaluations")
    }
    assert found == {"order:B:0": "normal", "order:A:0": "suspected" if said else "normal"}
    assert [a["order"] for a in await world.alerts()] == (["A"] if said else [])


@pytest.mark.parametrize("told", ["before", "afterwards"])
async def test_what_is_driven_before_an_order_departs_belongs_to_the_one_that_is_late(
    world: World, told: str
) -> None:
    """B is back at 10:30 instead of 7:30; A, planned for 8:00, waits for the vehicle until 11:00."""

    async def facts() -> None:
        late: dict[str, Any] = {"planned_return_s": 7.5 * H, "destinations": [place(*AWAY)]}
        await world.order("B", 6 * H, 10.5 * H, **late)
        waited: dict[str, Any] = {"actual_departure": world.time(11 * H), "destinations": [place(*AWAY)]}
        await world.order("A", 8 * H, 12 * H, **waited)

    first, second = drive(9 * H, (0.0, 0.0), AWAY, (0.0, 0.0)), drive(11.2 * H, (0.0, 0.0), AWAY, (0.0, 0.0))
    fixes = [*stand(8 * H, 9 * H), *first, *stand(11 * H, 11.2 * H), *second, *stand(12 * H + 60, 12.1 * H)]
    if told == "before":
        await facts()
    else:
        await world.order("B", 6 * H, 0, status="departed", planned_return_s=7.5 * H)
        await world.order("A", 8 * H, 0, status="approved", planned_return_s=9.5 * H)
    worker = await world.work()
    await world.send_in(world.batch(fixes), range(len(fixes)), 50)
    await world.work(worker)
    if told == "afterwards":
        await facts()
        await world.work(worker)

    async def results() -> dict[str, tuple[Any, ...]]:
        rows = await world.pool.fetch(
            "SELECT order_id, state, mileage_mm, bridged_mm, fixes, first_fix_at, last_fix_at, carried FROM order_results"
        )
        return {r["order_id"]: tuple(r)[1:] for r in rows}

    found = await results()
    assert {k: (r[0], r[3]) for k, r in found.items()} == {
        "B": ("settled", sum(8 * H <= f[0] < 10.5 * H for f in fixes)),
        "A": ("settled", sum(10.5 * H <= f[0] < 12 * H for f in fixes)),
    }
    assert all(7_900_000 < r[1] < 8_100_000 for r in found.values())
    # the same once more, from the stored track
    await world.order(
        "B", 6 * H, 10.5 * H, planned_return_s=7.5 * H, destinations=[place(*AWAY)], purpose="x"
    )
    await world.work(worker)
    assert await results() == found


def threshold(
    world: World, rule: str, name: str, value: int, *, since_s: float = -DAY, **more: Any
) -> Threshold:
    return Threshold(
        rule=rule, name=name, value=value, effective_from=world.time(since_s), source="test", **more
    )


async def put(world: World, row: Threshold) -> str:
    async with world.pool.acquire() as conn, conn.transaction():
        return await put_threshold(conn, row)


async def test_a_threshold_is_applied_to_what_was_judged_and_taken_back_from_it(world: World) -> None:
    """By a worker that goes on; the order of another organisation's on a vehicle of this one as well."""
    await world.apply(Organisation(id="O2", name="另一局"))
    far: dict[str, Any] = {"destinations": [place(7000, 0)]}  # 3 km from where it went
    await world.order("P1", 8 * H, 8.6 * H, **far)
    await world.order("P2", 8 * H, 8.6 * H, vehicle="V2", organisation="O2", **far)
    await world.order("P0", -2 * DAY + 8 * H, -2 * DAY + 8.6 * H, **far)
    await world.send(
        world.batch([*out_and_back(-2 * DAY + 8 * H), *out_and_back(8 * H), *out_and_back(20 * H)])
    )
    await world.send(world.batch(out_and_back(8 * H), terminal=2))
    worker = await world.work()

    async def told() -> list[str]:
        return sorted(a["order"] or a["rule"] for a in await world.alerts())

    assert await told() == ["P0", "P1", "P2", "location"]
    wider = threshold(world, "destination", "radius_m", 3001)
    assert await put(world, wider) == "created"
    assert await put(world, wider) == "unchanged"
    await world.work(worker)
    assert await told() == ["P0", "location"]  # P0 was planned before it took effect
    async with world.pool.acquire() as conn, conn.transaction():
        assert await forget_threshold(conn, "destination", "radius_m", None, wider.effective_from)
    await world.work(worker)
    assert await told() == ["P0", "P1", "P2", "location"]
    await put(world, threshold(world, "destination", "radius_m", 3001, organisation="O2"))
    await world.work(worker)
    assert await told() == ["P0", "P1", "location"]
    await put(world, threshold(world, "location", "min_displacement_m", 4500))
    await world.work(worker)
    assert await told() == ["P0", "P1"]
    # An order covers from earlier on: a drive before it was none without an order.
    await put(world, threshold(world, "location", "min_displacement_m", 200))
    await world.order("P3", 20.5 * H, 22 * H)
    await world.work(worker)
    assert await told() == ["P0", "P1", "location"]
    await put(world, threshold(world, "order", "early_start_min", 60, since_s=20.2 * H))
    await world.work(worker)
    assert await told() == ["P0", "P1"]
    assert await due_rows(world.pool) == 0


async def test_another_gap_makes_the_results_anew(world: World) -> None:
    """What the kernels use: the worker's results follow, so that the judge finds the mileage that it recomputes."""
    await world.order("P1", 8 * H, 8.6 * H, destinations=[place(*AWAY)])
    fixes = out_and_back(8 * H)
    away = [f for f in fixes if not 8 * H + 100 < f[0] < 8 * H + 200]  # 100 s without a fix
    await world.send(world.batch(away))
    worker = await world.work()
    query = "SELECT state, mileage_mm, bridged_mm FROM order_results"
    (before,) = await world.pool.fetch(query)
    assert (before["state"], before["bridged_mm"]) == ("settled", 0)
    await forget_changes(world.pool)
    await put(world, threshold(world, "track", "gap_s", 60))
    if world.of_destinations is not None:  # who would take the changes
        await world.of_destinations.close()
        world.of_destinations = None
    await world.work(worker)
    (after,) = await world.pool.fetch(query)
    assert after["state"] == "settled"
    assert after["bridged_mm"] > 1_000_000
    assert [kind for kind, _ in await forget_changes(world.pool)].count("result") == 1


async def test_a_running_worker_knows_another_time_of_settlement_and_what_only_the_judge_uses_is_left_to_it(
    world: World,
) -> None:
    now = [clock_us()]
    await world.order("P1", 8 * H, 9 * H)
    await put(world, threshold(world, "order", "settle_after_h", 720))
    worker = await world.work(world.worker(now_us=lambda: now[0]))

    async def state() -> str:
        now[0] += 11 * S  # the clock strikes
        for _ in range(3):
            await worker.turn()
        return str(await world.pool.fetchval("SELECT state FROM order_results"))

    assert await state() == "running"
    await put(world, threshold(world, "mileage", "short_trip_m", 1))
    assert await due_rows(world.pool) == 0
    await put(world, threshold(world, "order", "settle_after_h", 0))
    assert await due_rows(world.pool) == 0  # there is nothing to judge again
    assert await state() == "settled"


async def test_a_threshold_for_a_whole_fleet_is_noted_and_an_order_comes_before_it(world: World) -> None:
    await world.pool.execute(
        "INSERT INTO vehicles (id, plate, organisation) SELECT 'W' || k, 'W' || k, 'O1' FROM generate_series(1, 997) k"
    )
    await world.work()
    state = empty_rows(1)
    state["tip"]["t"] = clock_us()
    await world.pool.execute(
        "INSERT INTO vehicle_states (vehicle_no, state, state_version, watermark) SELECT no, $1, $2, now() FROM vehicles",
        state.tobytes(),
        STATE_VERSION,
    )
    await world.pool.execute(
        "INSERT INTO vehicle_day_states (vehicle_no, day, state, state_version)"
        " SELECT no, current_date - d, 'x', 0 FROM vehicles, generate_series(0, 29) d"
    )
    worker = await world.work()
    seen = await world.pool.fetchval("SELECT max(number) FROM change_commits")
    for value in (100, 200):
        await put(world, threshold(world, "track", "gap_s", value, since_s=-40 * DAY))
    await put(world, threshold(world, "location", "episode_idle_min", 7, since_s=90 * DAY))
    await world.order("P1", -40 * DAY, -40 * DAY + H, vehicle="W900")
    assert await due_rows(world.pool) == 3001
    # Workers read the parameters, and no vehicle again but that of the order.
    number = await world.pool.fetchval("SELECT no FROM vehicles WHERE id = 'W900'")
    async with world.pool.acquire() as conn:
        assert (await fleet_changes(conn, seen)).vehicles == [number]

    async def left() -> int:
        return int(await world.pool.fetchval("SELECT count(*) FROM recomputations"))

    await worker.turn()  # both values of the gap, and a slice
    assert await left() == 1000 - ENDED_A_SLICE
    await worker.turn()  # the order as well: its vehicle comes before the others now
    assert await due_rows(world.pool) == 0
    assert (await left(), worker.counts.slices) == (1000 - ENDED_A_SLICE - 1, 2)
    assert await world.pool.fetchval("SELECT count(*) FROM recomputations WHERE vehicle_no = $1", number) == 0
    await worker.turn()
    assert await left() == 1000 - 2 * ENDED_A_SLICE - 1


async def test_an_order_of_long_ago_that_is_corrected_keeps_its_mileage(world: World) -> None:
    """Else its driver's fuel would be burnt on no kilometres."""
    begun, back = -80 * DAY + 8 * H, -80 * DAY + 8.6 * H
    query = "SELECT state, mileage_mm, fixes, first_fix_at, last_fix_at, carried FROM order_results"
    await world.order("P1", begun, back)
    await world.send(world.batch(out_and_back(begun)))
    worker = await world.work()
    (before,) = await world.pool.fetch(query)
    assert before["state"] == "settled"
    assert before["mileage_mm"] > 7_900_000
    await world.send(world.batch(stand(8 * H, 9 * H)))
    await world.work(worker)
    await world.order("P1", begun, back, purpose="另一事由")
    await world.work(worker)
    assert await world.pool.fetch(query) == [before]
