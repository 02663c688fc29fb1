"""Results of orders (mileage, nearest distances): streamed, settled, by the clock, and over the API."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import numpy as np
import pytest

from api.app import create_app
from office.identity.tokens import create_token
from rules.checks import destination
from rules.live.process import Worker
from rules.tracks.approach import distances_mm, shown_m
from rules.tracks.mileage import window_mileage
from runtime.settings import Settings
from runtime.units import to_us
from telemetry.archive.store import Archive
from telemetry.log.base import POSITIONS, Poll, Record
from telemetry.log.sqlite import EmbeddedLogReader
from telemetry.positions import PositionBatch
from tests.integration.worker_world import HOUR, Fix, World, drive, place, stand
from tests.words import said

H = 3600
DAY = 24 * H
TRIP = [(0.0, 0.0), (4000.0, 0.0), (4000.0, 2500.0), (0.0, 0.0)]


def trip(start_s: float) -> list[Fix]:
    """In the yard, out, and in the yard again."""
    out = drive(start_s, *TRIP)
    return [*stand(start_s - 1800, start_s), *out, *stand(out[-1][0] + 30, out[-1][0] + 1800)]


async def results(world: World) -> dict[str, dict[str, Any]]:
    rows = await world.pool.fetch("SELECT * FROM order_results ORDER BY order_id")
    return {r["order_id"]: {k: v for k, v in dict(r).items() if k != "computed_at"} for r in rows}


class Clock:
    """A clock that a test moves."""

    def __init__(self, us: int) -> None:
        self.us = us

    def __call__(self) -> int:
        return self.us


def that_evening(world: World) -> Clock:
    """Before any order of the day is settled by the clock."""
    return Clock(world.day + 14 * HOUR)


async def idle(world: World, worker: Worker, turns: int = 3) -> Worker:
    for _ in range(turns):
        await worker.turn()
    await world.judge_all()
    return worker


async def test_running_values_are_those_of_the_stored_track_and_do_not_change_when_settled(
    world: World,
) -> None:
    await world.order(
        "P1",
        8 * H,
        8.9 * H,
        status="departed",
        destinations=[place(4000, 0), {"name": "市区"}, place(9000, 0)],
    )
    fixes = trip(8 * H)
    odometer = np.arange(len(fixes)) + 5000
    batch = world.batch(fixes, odometer_dkm=odometer, present=np.full(len(fixes), 1))
    cut = next(k for k, f in enumerate(fixes) if f[0] >= 8.1 * H)
    worker = await world.work(world.worker(now_us=that_evening(world)))
    assert await results(world) == {}  # approved, not begun: nothing is known
    await world.send(batch.take(np.arange(cut)))
    await world.work(worker)
    running = (await results(world))["P1"]
    assert (running["state"], running["order_version"], running["returned_at"]) == ("running", 1, None)
    assert 0 < running["mileage_mm"] < 8_000_000
    await world.send_in(batch, range(cut, len(fixes)), 17)
    await world.work(worker)
    running = (await results(world))["P1"]

    # the whole track once more, by the kernel and the check alone
    async with world.pool.acquire() as conn:
        start = world.day + round(8 * HOUR) - 15 * 60 * 1_000_000
        track = await Archive().track(conn, [(1, start, world.day + 24 * HOUR)])
    b = track.batch
    window = window_mileage(
        np.zeros(len(b), np.int64), 1, b.device_us, track.fingerprint, b.lat_e6.astype(np.int64),
        b.lon_e6.astype(np.int64), b.speed_dkmh.astype(np.int64), b.direction_deg.astype(np.int64),
        b.odometer_dkm.astype(np.int64),
    )  # fmt: skip
    assert running["mileage_mm"] // 1000 == window.metres[0] > 10_000
    assert running["odometer_m"] == window.odometer_m[0] > 10_000
    assert running["fixes"] == window.fixes[0] == len(b)
    assert (to_us(running["first_fix_at"]), to_us(running["last_fix_at"])) == (
        b.device_us[0],
        b.device_us[-1],
    )
    nearest = []
    for where in (place(4000, 0), place(9000, 0)):
        lat, lon = round(where["lat"] * 1e6), round(where["lon"] * 1e6)
        points, segments = distances_mm(lat, lon, b.lat_e6.astype(np.int64), b.lon_e6.astype(np.int64))
        joined = np.diff(b.device_us) <= 120_000_000
        nearest.append(shown_m(min(int(points.min()), int(segments[joined].min()))))
    assert [d["nearest_m"] for d in running["destinations"]] == [nearest[0], None, nearest[1]]
    assert [(d["index"], d["name"]) for d in running["destinations"]] == [
        (0, "市政府"),
        (1, "市区"),
        (2, "市政府"),
    ]

    # returned later than the newest position: nothing is recomputed when the track passes it, the numbers stay
    end = fixes[-1][0] + 60
    await world.order(
        "P1",
        8 * H,
        end,
        destinations=[place(4000, 0), {"name": "市区"}, place(9000, 0)],
        planned_return_s=8.9 * H,
    )
    await world.work(worker)
    returned = (await results(world))["P1"]
    assert (returned["state"], returned["order_version"]) == ("running", 2)
    await world.send(world.batch([(end + 30, 0.0, 0.0, 0)]))
    await world.work(worker)
    settled = (await results(world))["P1"]
    assert settled["state"] == "settled"
    same = ("mileage_mm", "bridged_mm", "odometer_m", "fixes", "first_fix_at", "last_fix_at", "destinations")
    assert {k: settled[k] for k in same} == {k: running[k] for k in same} == {k: returned[k] for k in same}
    measured = await world.pool.fetchrow("SELECT measures FROM evaluations WHERE subject = 'order:P1:0'")
    assert measured["measures"]["nearest_m"]["value"] == nearest[0]


@pytest.mark.parametrize("seed", range(6))
async def test_any_cut_restart_and_order_of_arrival_gives_the_settled_value(
    world: World, tmp_path: Path, seed: int
) -> None:
    """Streaming = settled, bit for bit, with orders inside each other, gaps, a jump and two reports a second."""
    rng = np.random.default_rng(seed)
    await world.order(
        "A", 8 * H, 0, status="departed", destinations=[place(4000, 0)], planned_return_s=8.5 * H
    )
    # inside A, from 8:09:12 to 8:12:36, on the way back
    await world.order(
        "B",
        8.32 * H,
        8.21 * H,
        planned_return_s=8.5 * H,
        actual_departure=world.time(8.16 * H),
        destinations=[place(4000, 2500), place(-500, 10)],
    )
    await world.order("C", 8.1 * H, 8.6 * H, vehicle="V2", destinations=[place(1000, 1000)])
    first, second = trip(8 * H), trip(8.3 * H)
    del first[70:90]  # a gap
    first[100] = (first[100][0], 70_000.0, 0.0, 430)  # a jump
    whole = PositionBatch.concat(
        [
            world.batch(first),
            world.batch(first[75:125], direction_deg=17),  # other reports of the same seconds
            world.batch(second, terminal=2),
        ]
    )
    n = len(whole)
    by_time = np.argsort(whole.device_us, kind="stable")
    if seed:
        order = (
            by_time if seed < 4 else by_time[np.argsort(np.arange(n) + rng.normal(0, 8, n), kind="stable")]
        )
        cuts = np.sort(rng.integers(0, n, 12))
        worker = await world.work()
        for part in np.split(order, cuts):
            await world.send(whole.take(part))
            worker = await world.work(None if rng.random() < 0.3 else worker)  # a new worker, now and then
        if seed < 4:
            assert worker.counts.late == 0
    else:
        await world.send(whole.take(by_time))
        worker = await world.work()
    streamed = await results(world)
    assert [r["state"] for r in streamed.values()] == ["running", "settled", "settled"]
    assert streamed["A"]["fixes"] > 80
    assert streamed["A"]["bridged_mm"] > 0
    # a change of no consequence makes everything be computed from the stored track
    await world.order(
        "A", 8 * H, 0, status="departed", destinations=[place(4000, 0)], planned_return_s=8.5 * H, purpose="x"
    )
    await world.order("C", 8.1 * H, 8.6 * H, vehicle="V2", destinations=[place(1000, 1000)], purpose="x")
    await world.work(worker)
    computed = await results(world)
    assert [computed["A"].pop("order_version"), computed["C"].pop("order_version")] == [2, 2]
    del streamed["A"]["order_version"], streamed["C"]["order_version"]
    assert computed == streamed


async def test_an_order_inside_another_takes_its_kilometres(world: World) -> None:
    """No kilometre belongs to two orders, and the outer one has what is before and after the inner one."""
    await world.pool.execute(
        "INSERT INTO rule_parameters VALUES ('order', 'paper_grace_min', NULL, 0, '', 'epoch')"
    )
    await world.order("A", 8 * H, 0, status="departed", planned_return_s=9 * H)
    more: dict[str, Any] = {"actual_departure": world.time(8.16 * H), "planned_return_s": 8.5 * H}
    await world.order("B", 8.32 * H, 8.21 * H, **more)
    fixes = trip(8 * H)
    worker = world.worker(now_us=that_evening(world))
    for part in np.array_split(np.arange(len(fixes)), 9):
        await world.send(world.batch([fixes[k] for k in part]))
        await world.work(worker)
    found = await results(world)
    begins = (8 * H - 600, 8.16 * H, 8.21 * H)  # B takes over when it departs, not when it begins to cover
    edges = [*(next(k for k, f in enumerate(fixes) if f[0] >= at) for at in begins), len(fixes)]
    legs = []
    for first, last in pairwise(edges):
        b = world.batch(fixes[first:last])
        columns = (b.lat_e6, b.lon_e6, b.speed_dkmh, b.direction_deg, np.full(len(b), -1))
        window = window_mileage(
            np.zeros(len(b), np.int64),
            1,
            b.device_us,
            np.arange(len(b)),
            *(c.astype(np.int64) for c in columns),
        )
        legs.append((int(window.metres[0]), int(window.fixes[0])))
    assert found["A"]["fixes"] == legs[0][1] + legs[2][1]
    assert found["B"]["fixes"] == legs[1][1] > 10
    assert 0 <= found["A"]["mileage_mm"] // 1000 - (legs[0][0] + legs[2][0]) <= 1
    assert found["B"]["mileage_mm"] // 1000 == legs[1][0] > 1000
    assert min(legs)[0] > 1000


async def test_late_positions_and_changed_orders_replace_the_result(world: World) -> None:
    await world.order("P1", 8 * H, 8.9 * H, destinations=[place(4000, 2500)])
    fixes = trip(8 * H)
    hidden = [k for k, f in enumerate(fixes) if 8.05 * H < f[0] < 8.2 * H]
    shown = [k for k in range(len(fixes)) if k not in set(hidden)]
    batch = world.batch(fixes)
    await world.send(batch.take(np.array(shown)), world.batch([(8.9 * H + 60, 0.0, 0.0, 0)]))
    worker = await world.work()
    before = (await results(world))["P1"]
    assert (before["state"], before["bridged_mm"] > 0) == ("settled", True)
    await world.send(batch.take(np.array(hidden)))
    await world.work(worker)
    after = (await results(world))["P1"]
    assert (after["state"], after["bridged_mm"]) == ("settled", 0)
    assert after["mileage_mm"] > before["mileage_mm"]
    assert after["destinations"][0]["nearest_m"] < 60 < before["destinations"][0]["nearest_m"]
    # to another vehicle, and cancelled there
    await world.order("P1", 8 * H, 8.9 * H, vehicle="V2", destinations=[place(4000, 2500)])
    await world.work(worker)
    moved = (await results(world))["P1"]
    assert (moved["vehicle_no"], moved["fixes"], moved["mileage_mm"]) == (2, 0, 0)
    await world.order("P1", 8 * H, 8.9 * H, vehicle="V2", status="cancelled", cancelled_at=world.time(7 * H))
    await world.work(worker)
    assert await results(world) == {}


async def test_a_silent_terminal_is_judged_by_the_clock_and_again_when_it_speaks(world: World) -> None:
    """Parked and unplugged right after its return: nothing ever passes the return."""
    clock = Clock(world.day + 9 * HOUR)
    await world.order("P1", 8 * H, 8.9 * H, destinations=[place(6150, 1250)])  # 2,150 m from the track
    fixes = [*trip(8 * H), *stand(8.77 * H, 8.88 * H)]
    await world.send(world.batch(fixes))
    worker = await world.work(world.worker(now_us=clock))
    await idle(world, worker)
    assert (await results(world))["P1"]["state"] == "running"
    clock.us = world.day + round(14.9 * HOUR) - 1
    await idle(world, worker)
    assert await world.alerts() == []
    clock.us += 11_000_000
    await idle(world, worker)
    (alert,) = await world.alerts()
    assert (alert["rule"], alert["order"], alert["version"]) == ("destination", "P1", 1)
    assert (await results(world))["P1"]["state"] == "settled"
    # once is enough
    before = await world.everything()
    transactions = worker.counts.transactions
    for _ in range(3):
        clock.us += 60_000_000
        await idle(world, worker, 2)
    assert await world.everything() == before
    assert worker.counts.transactions == transactions
    worker = await world.work(world.worker(now_us=clock))  # another one takes over
    assert await world.everything() == before
    # more positions: in the window, after the newest one; judged when the clock strikes again
    await world.send(world.batch(stand(8.885 * H, 8.895 * H)))
    await world.work(worker)
    assert (await results(world))["P1"]["state"] == "running"
    clock.us += 11_000_000
    await idle(world, worker)
    assert (await results(world))["P1"]["state"] == "settled"
    assert [a["version"] for a in await world.alerts()] == [2]  # on more evidence
    # a late one, that was nearer
    t, x, y, _ = min(fixes, key=lambda f: abs(f[1] - 4000) + abs(f[2] - 1250))
    await world.send(world.batch([(t + 5, x + 160, y + 30, 430)]))
    await world.work(worker)
    assert (await results(world))["P1"]["state"] == "settled"
    assert [(a["rule"], a["status"]) for a in await world.alerts(None)] == [("destination", "withdrawn")]


async def test_an_order_entered_long_after_its_trip_is_judged_at_once_also_without_any_position(
    world: World,
) -> None:
    worker = await world.work()
    await idle(world, worker)  # it has seen that the log is empty
    await world.order("P1", -30 * 24 * H, -30 * 24 * H + H, destinations=[place(9000, 0)])
    await world.order("P2", 8 * H, 9 * H, vehicle="V2")
    await world.work(worker)
    found = await results(world)
    assert [(r["state"], r["fixes"], r["odometer_m"]) for r in found.values()] == [("settled", 0, None)] * 2
    rows = await world.pool.fetch("SELECT subject, outcome FROM evaluations")
    assert [(r["subject"], r["outcome"]) for r in rows] == [("order:P1:0", "undetermined")]
    assert await world.alerts(None) == []


class Slow(EmbeddedLogReader):
    """A reader that brings one record at a time."""

    async def poll(self, max_bytes: int, timeout_s: float) -> Poll:
        return await super().poll(1, timeout_s)


async def test_a_backlog_is_no_silence(world: World) -> None:
    """A worker that was away for days reads the positions first and judges then."""
    await world.order("P1", 8 * H, 8.9 * H, destinations=[place(4000, 0)])
    fixes = trip(8 * H)
    await world.send_in(world.batch(fixes), range(len(fixes)), 20)
    reader = Slow(world.folder / "log.sqlite", POSITIONS)
    world.readers.append(reader)
    worker = Worker(world.pool, reader)
    await idle(world, worker, 4)
    assert await worker.lag() > 5
    assert (await results(world))["P1"]["state"] == "running"
    await idle(world, await world.work(worker))
    assert (await results(world))["P1"]["state"] == "settled"
    rows = await world.pool.fetch("SELECT outcome FROM evaluations ORDER BY id")
    assert [r["outcome"] for r in rows] == ["normal"]


async def test_settle_after_h_is_a_parameter_of_the_organisation(world: World) -> None:
    await world.pool.execute(
        "INSERT INTO rule_parameters (rule, name, organisation, value, effective_from)"
        " VALUES ('order', 'settle_after_h', 'O1', 720, '2000-01-01')"
    )
    await world.order("P1", 8 * H, 9 * H)
    worker = await world.work()
    await idle(world, worker)
    assert (await results(world))["P1"]["state"] == "running"
    await world.pool.execute("UPDATE rule_parameters SET value = 0")
    await idle(world, await world.work())
    assert (await results(world))["P1"]["state"] == "settled"


class Without(EmbeddedLogReader):
    """A reader that is given no partition."""

    async def poll(self, max_bytes: int, timeout_s: float) -> Poll:
        await super().poll(max_bytes, timeout_s)
        return Poll()


async def test_a_worker_without_partitions_settles_nothing(world: World) -> None:
    await world.order("P1", 8 * H, 9 * H)
    worker = await world.work(world.worker(now_us=that_evening(world)))
    assert (await results(world))["P1"]["state"] == "running"
    reader = Without(world.folder / "log.sqlite", POSITIONS)
    world.readers.append(reader)
    await idle(world, Worker(world.pool, reader))
    assert (await results(world))["P1"]["state"] == "running"
    await idle(world, await world.work())
    assert (await results(world))["P1"]["state"] == "settled"
    assert worker.counts.failures == 0


async def test_a_record_that_is_no_batch_is_kept_with_the_reason(world: World) -> None:
    await world.send(world.batch(stand(0, 300)))
    await world.writer.append([Record(POSITIONS, 0, b"\x00" * 9000, {"gongche-schema": "other\x00/9"})])
    await world.send(world.batch(stand(300, 600)))
    worker = await world.work()
    assert (worker.counts.records, worker.counts.rejected, worker.counts.stored) == (3, 1, 20)
    query = "SELECT * FROM rejected_records"
    (row,) = await world.pool.fetch(query)
    topic, _, log = row["topic"].partition("@")
    assert log.startswith("embedded:")
    assert (topic, row["partition"], row["payload"], row["payload_bytes"]) == (
        POSITIONS,
        0,
        b"\x00" * 4096,
        9000,
    )
    assert row["headers"] == {"gongche-schema": "other\ufffd/9"}
    assert "record" in row["reason"]
    await world.pool.execute("UPDATE log_offsets SET next_offset = 0")
    await world.work()  # the same log once more
    assert await world.pool.fetch(query) == [row]


async def test_the_result_over_http(world: World, pool: asyncpg.Pool) -> None:
    await world.order("P1", 8 * H, 8.9 * H, destinations=[place(4000, 0)])
    await world.send(world.batch([*trip(8 * H), (9 * H, 0.0, 0.0, 0)]))
    await world.work()
    app = create_app(Settings(), pool, position_sink=None)
    answers = {}
    for scope in ("registry:read", "tracks:read", "alerts:read"):
        token = await create_token(pool, "test", [scope])
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://test",
            headers={"Authorization": f"Bearer {token.secret}"},
        ) as client:  # fmt: skip
            answers[scope] = await client.get("/v1/dispatch-orders/P1/result")
            if scope == "registry:read":
                missing = await client.get("/v1/dispatch-orders/P9/result")
                described = (await client.get("/openapi.json")).json()["paths"]
    assert [a.status_code for a in answers.values()] == [200, 200, 403]
    body = answers["tracks:read"].json()
    stored = (await results(world))["P1"]
    assert (body["order"], body["vehicle"], body["state"], body["order_version"]) == (
        "P1",
        "V1",
        "settled",
        1,
    )
    assert body["mileage_m"] == stored["mileage_mm"] // 1000
    assert body["destinations"] == stored["destinations"]
    assert "carried" not in body
    assert body["first_fix_at"].endswith("+08:00")
    assert missing.status_code == 404
    assert "派车单" in missing.json()["detail"]
    example = described["/v1/dispatch-orders/{id}/result"]["get"]["responses"]["200"]["content"][
        "application/json"
    ]
    assert example["example"].keys() == body.keys()


@pytest.mark.parametrize(("start_h", "before"), [(8, 0), (8, 1), (0, 1)])
async def test_a_jump_that_is_the_first_fix_of_an_order_accuses_nobody(
    world: World, start_h: int, before: int
) -> None:
    """300 km off, the first fix of the order's time: the true track counts, as it does while streaming."""
    start = start_h * H
    first = start - 900  # covered from a quarter of an hour before the planned departure
    fixes = [*stand(start - 12 * H, start - 11 * H)] * before + trip(start)
    fixes = [f for f in fixes if f[0] != first]
    await world.order("P1", start, start + 1800, destinations=[place(4000, 0), place(9000, 0)])
    await world.send(world.batch([*fixes, (first, 0, 300_000, 0)]))
    await world.work()
    rows = await world.pool.fetch("SELECT outcome FROM evaluations ORDER BY subject")
    assert [r["outcome"] for r in rows] == ["normal", "suspected"]
    (alert,) = await world.alerts()
    assert alert["measures"]["nearest_m"]["value"] in range(4990, 5010)
    evidence = await world.evidence(alert["id"])
    assert said(destination.evaluate(evidence)) == alert["summary"]
    # One fix of before, which says what is valid and counts for nothing.
    early = [t for t in evidence["track"]["t_us"] if t < evidence["from_us"]]
    assert early == [max(world.day + round(f[0] * 1e6) for f in fixes if f[0] < first)]
    inside = [f for f in fixes if start <= f[0] <= start + 1800]  # from the departure on
    assert alert["measures"]["fixes"]["value"] == len(inside)


async def test_a_jump_that_is_all_there_is_of_an_order_accuses_nobody(world: World) -> None:
    clock = Clock(world.day + 20 * HOUR)
    await world.order("P1", 8 * H, 8.5 * H, destinations=[place(4000, 0)])
    await world.send(world.batch([*stand(7 * H, 7.7 * H), (8.1 * H, 0, 300_000, 0)]))
    await idle(world, await world.work(world.worker(now_us=clock)))
    (row,) = await world.pool.fetch("SELECT outcome, reason_code FROM evaluations")
    assert (row["outcome"], row["reason_code"]) == ("undetermined", "no_track")
