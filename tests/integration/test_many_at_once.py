"""What is computed for many vehicles side by side is what comes out one after another, to the byte."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import pytest

from registry.calendar import load_calendar
from registry.parameter_values import load_parameters
from registry.snapshot.fleet import FleetSnapshot
from rules import evidence as frozen
from rules.checks import destination
from rules.judge.context import Context
from rules.judge.subjects.destinations import Destinations
from rules.live.order_results import TripResults
from rules.live.vehicle_states import Tracker, order_key
from rules.navigation import NoNavigator
from rules.tracks.state import STATE_DTYPE, TrackStates
from telemetry.archive.store import Archive
from tests.integration.worker_world import World, drive, place, some_day, stand

VEHICLES = 24
HOUR_S = 3600
_RESULTS = (
    "SELECT order_id, order_version, vehicle_no, state, mileage_mm, bridged_mm, odometer_m, fixes, first_fix_at, last_fix_at,"
    " destinations, returned_at, carried FROM order_results ORDER BY order_id"
)


@pytest.fixture
async def world(pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[World]:
    made = World(pool, tmp_path, some_day())
    yield made
    await made.close()


async def build(world: World, seed: int) -> None:
    """Vehicles that drive under one, two (overlapping) or no orders over midnight, with jumps, gaps and repeated times; one
    order was given to another vehicle in the middle of its trip."""
    rng = np.random.default_rng(seed)
    await world.build(VEHICLES, fence=False)
    fixes: list[Any] = []
    terminals: list[int] = []
    for k in range(1, VEHICLES + 1):
        begin = 20 * HOUR_S + int(rng.integers(0, 4 * HOUR_S)) if k > 1 else 24 * HOUR_S - 400
        far = [(float(a), float(b)) for a, b in rng.uniform(-6000, 6000, (3, 2))]
        mine = stand(begin - 600, begin) + drive(begin, (0, 0), *far, every=int(rng.integers(10, 40)))
        end = mine[-1][0]
        mine += stand(end + int(rng.choice((30, 900))), end + 2000, *far[-1], every=60)
        for row in rng.integers(0, len(mine), 3).tolist():  # jumps, and two fixes of one second
            t, x, y, v = mine[row]
            mine.append((t, x + 40_000, y, v) if row % 2 else (t + 1, x + 60_000, y, v))
        fixes += mine
        terminals += [k] * len(mine)
        if k % 6 == 0:
            continue
        places = [place(x, y) for x, y in far[: 1 + k % 3]]
        if k % 5 == 0:
            places.append(place(90_000, 90_000))
        await world.order(f"A{k}", begin - 60, end + 60, vehicle=f"V{k}", destinations=places)
        if k % 4 == 0 or k == 1:
            start = begin + 300 if k > 1 else end + 100
            await world.order(f"B{k}", start, end + 900, vehicle=f"V{k}", destinations=places[:1])
    order = np.argsort([f[0] for f in fixes], kind="stable")
    batch = world.batch([fixes[i] for i in order], terminal=[terminals[i] for i in order])
    await world.send(batch)
    await world.work()
    # V1's state at midnight is under A1; now the order is V6's.
    await world.order("A1", 21 * HOUR_S, 27 * HOUR_S, vehicle="V6", destinations=[place(100, 100)])


async def results(world: World, *, at_once: bool) -> list[tuple[Any, ...]]:
    """What ``from_tracks`` writes for every order, in a transaction that is rolled back."""
    async with world.pool.acquire() as conn:
        snapshot = await FleetSnapshot.load(conn)
        tracker = Tracker(snapshot)
        made = TripResults(snapshot, tracker)
        await tracker.load(conn, np.arange(1, VEHICLES + 1))
        wanted = {no: snapshot.orders.rows_of(no) for no in snapshot.orders.vehicles()}
        assert len(wanted) >= 20
        transaction = conn.transaction()
        await transaction.start()
        await conn.execute("DELETE FROM order_results")
        if at_once:
            await made.from_tracks(conn, Archive(), wanted)
        else:
            for vehicle, rows in wanted.items():
                await made.from_track(conn, Archive(), vehicle, rows)
        await made.save(conn, world.day)
        rows = await conn.fetch(_RESULTS)
        await transaction.rollback()
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_results_of_orders(world: World, seed: int) -> None:
    await build(world, seed)
    one_by_one = await results(world, at_once=False)
    assert await results(world, at_once=True) == one_by_one
    assert len({row[4] for row in one_by_one}) > 15
    packed = await world.pool.fetchval("SELECT state FROM vehicle_day_states WHERE vehicle_no = 1")
    states = TrackStates(1)
    states.unpack(np.zeros(1, np.int64), np.frombuffer(packed, STATE_DTYPE))
    assert states.field("leg")[0] == order_key("A1"), "it was under way at midnight"


async def test_destinations(world: World) -> None:
    await build(world, 4)
    await world.work()
    now = world.day + 5 * 86_400_000_000
    async with world.pool.acquire() as conn, conn.transaction():
        context = Context(
            conn, Archive(), NoNavigator(), await load_calendar(conn), await load_parameters(conn), now, now
        )
        orders = [row["id"] for row in await conn.fetch("SELECT DISTINCT id FROM dispatch_orders ORDER BY 1")]
        judge = Destinations().judge
        at_once = (await judge(context, orders)).judgements
        assert at_once == [made for order in orders for made in (await judge(context, [order])).judgements]
        assert len(at_once) > len(orders) > VEHICLES
        assert {j.outcome for j in at_once} == {"normal", "suspected", "undetermined"}
        for judgement in at_once:
            if judgement.evidence is not None:  # the frozen track says the same
                again = destination.evaluate(frozen.parse(judgement.evidence))
                assert (again.outcome.value, dict(again.parameters)) == ("suspected", judgement.parameters)
                assert {n: m["value"] for n, m in again.measures.items()} == {
                    n: m.value for n, m in judgement.measures.items()
                }


async def test_a_track_in_any_order_is_the_track(world: World) -> None:
    await build(world, 5)
    spans = [(k, world.day, world.day + 3 * 86_400_000_000) for k in range(1, VEHICLES + 1)]
    async with world.pool.acquire() as conn:
        track = await Archive().track(conn, spans)
        loose = await Archive().track(conn, spans, ordered=False)
    order = np.lexsort((loose.batch.terminal, loose.fingerprint, loose.batch.device_us))
    assert len(track) > 1000
    assert loose.batch.take(order).equals(track.batch)
    assert (loose.fingerprint[order] == track.fingerprint).all()
    assert (loose.quality[order] == track.quality).all()
