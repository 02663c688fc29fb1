"""A terminal whose clock is wrong by a constant accuses nobody; the office corrects it, and the vehicle is judged again."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from registry.clock_corrections import ClockCorrection, take_back
from runtime.units import to_us
from telemetry.archive.store import Archive
from telemetry.positions import PositionBatch, Source
from telemetry.quality import Quality
from telemetry.terminals import notices
from tests.integration.worker_world import HOUR, S, World, drive, place, stand

H = 3600
H8_US = 8 * HOUR
OUT = [(0.0, 0.0), (6000.0, 0.0), (0.0, 0.0)]


def late(batch: PositionBatch, **columns: object) -> PositionBatch:
    """``batch`` from a terminal that writes UTC as GMT+8: received a second after it was, dated eight hours before."""
    given = {name: getattr(batch, name) for name in batch.columns()} | columns
    return PositionBatch.build(len(batch), **(given | {"device_us": batch.device_us - H8_US}))


def trip(world: World, start_s: float) -> PositionBatch:
    out = drive(start_s, *OUT)
    return world.batch([*stand(start_s - 900, start_s), *out, *stand(out[-1][0] + 30, out[-1][0] + 900)])


async def pieces(world: World, batch: PositionBatch, size: int = 10) -> None:
    await world.send_in(batch, range(len(batch)), size)


async def test_utc_as_gmt8_accuses_nobody_and_a_correction_puts_it_right(world: World) -> None:
    await world.order("P1", 14 * H, 14.8 * H, destinations=[place(6000, 0)])
    sent = late(trip(world, 14 * H))  # by its clock at six in the morning, without an order
    await pieces(world, sent)
    worker = await world.work()
    assert await world.alerts() == []
    async with world.pool.acquire() as conn:
        (doubt,) = await conn.fetch("SELECT * FROM clock_doubts")
        assert (doubt["terminal_no"], doubt["received_to"]) == (1, None)
        assert to_us(doubt["received_from"]) == int(
            sent.received_us[0]
        )  # all of it, also what came before it was found
        assert doubt["lag_s"] == 28_801
        (notice,) = await notices.page(conn)
        assert (notice["kind"], notice["detail"]["lag_s"]) == ("clock_wrong", 28_801)
        track = await Archive().track(conn, [(1, world.day, world.day + 24 * HOUR)])
        assert set(track.quality.tolist()) == {Quality.CLOCK_WRONG}
        assert set(await conn.fetch("SELECT DISTINCT quality FROM positions")) == {(0,)}

    await world.apply(
        ClockCorrection(id="C1", terminal="13800000001", valid_from=world.time(13 * H), shift_s=28_800)
    )
    await world.work(worker)
    assert await world.alerts() == []
    async with world.pool.acquire() as conn:
        assert await conn.fetch("SELECT * FROM clock_doubts") == []
        assert await notices.page(conn) == []
        track = await Archive().track(conn, [(1, world.day, world.day + 24 * HOUR)])
        assert np.array_equal(track.batch.device_us, sent.device_us + H8_US)
        assert not track.quality.any()
        # A page after another gives the same, and so do the ends.
        seen, after = [], None
        while True:
            page = await Archive().track(conn, [(1, 0, world.day + 24 * HOUR)], limit=37, after=after)
            seen += page.batch.device_us.tolist()
            if (after := page.next) is None:
                break
        assert seen == (sent.device_us + H8_US).tolist()
        ends = [(1, world.day + 14 * HOUR, world.day + 24 * HOUR)]
        first = await Archive().edges(conn, ends, 1)
        last = await Archive().edges(conn, ends, 1, newest=True)
        newest = await Archive().last_positions(conn, [1, 2])
        assert first.batch.device_us.tolist() == [world.day + 14 * HOUR]
        assert (
            last.batch.device_us.tolist()
            == newest.batch.device_us.tolist()
            == [int(sent.device_us[-1]) + H8_US]
        )
        # What was received is as it came.
        stored = await conn.fetch("SELECT device_time FROM positions ORDER BY device_time")
        assert [to_us(row["device_time"]) for row in stored] == sent.device_us.tolist()
        result = await conn.fetchrow("SELECT fixes, mileage_mm FROM order_results WHERE order_id = 'P1'")
        assert 11_500_000 < result["mileage_mm"] < 12_500_000

    # From now on it is judged by the true time: a drive without an order is raised, and so it is as it goes on.
    await pieces(world, late(trip(world, 20 * H)))
    await world.work(worker)
    (alert,) = await world.alerts()
    assert to_us(world.time(20 * H)) <= _us(alert["occurred_from"]) <= to_us(world.time(20.2 * H))

    # Taken back: the clock is in doubt as soon as it is seen again, and the alert is withdrawn.
    async with world.pool.acquire() as conn, conn.transaction():
        assert await take_back(conn, "C1")
    await pieces(world, late(trip(world, 22 * H)))
    await world.work(worker)
    assert await world.alerts() == []


def _us(text: str) -> int:
    return to_us(datetime.fromisoformat(text))


async def test_the_office_says_that_a_clock_is_right(world: World) -> None:
    await pieces(world, late(trip(world, 14 * H)))
    worker = await world.work()
    assert await world.pool.fetchval("SELECT count(*) FROM clock_doubts") == 1
    await world.apply(ClockCorrection(id="C1", terminal="13800000001", valid_from=world.time(0), shift_s=0))
    await pieces(world, late(trip(world, 18 * H)))
    await world.work(worker)
    assert await world.pool.fetchval("SELECT count(*) FROM clock_doubts") == 0
    assert [_us(alert["occurred_from"]) < to_us(world.time(12 * H)) for alert in await world.alerts()] == [
        True,
        True,
    ]


async def test_a_correction_that_comes_first_is_used_as_positions_come(world: World) -> None:
    await world.apply(
        ClockCorrection(id="C1", terminal="13800000001", valid_from=world.time(0), shift_s=28_800)
    )
    await pieces(world, late(trip(world, 14 * H)))
    await world.work()
    (alert,) = await world.alerts()
    assert to_us(world.time(14 * H)) <= _us(alert["occurred_from"]) <= to_us(world.time(14.2 * H))
    assert await world.pool.fetch("SELECT * FROM clock_doubts") == []


async def test_a_clock_that_becomes_right_is_evidence_from_then_on(world: World) -> None:
    await pieces(world, late(trip(world, 14 * H)))
    worker = await world.work()
    assert await world.alerts() == []
    await pieces(world, trip(world, 18 * H))
    await world.work(worker)
    (alert,) = await world.alerts()
    assert to_us(world.time(18 * H)) <= _us(alert["occurred_from"])
    (doubt,) = await world.pool.fetch("SELECT * FROM clock_doubts")
    assert to_us(doubt["received_to"]) == world.day + round((18 * H - 900) * S) + S
    async with world.pool.acquire() as conn:
        assert await notices.page(conn) == []


async def test_what_was_recorded_without_network_is_no_wrong_clock(world: World) -> None:
    """Eight hours late, from memory, and a store that is sent again as live reports, ten times as fast."""
    batch = trip(world, 14 * H)
    n = len(batch)
    blind = PositionBatch.build(
        n, **{name: getattr(batch, name) for name in batch.columns()}
        | {"received_us": batch.received_us + H8_US, "source": Source.BLIND_ZONE},
    )  # fmt: skip
    await pieces(world, blind)
    again = {name: getattr(batch, name) for name in batch.columns()}
    again |= {"terminal": np.full(n, 2), "received_us": batch.received_us[-1] + H8_US + np.arange(n) * S}
    await pieces(world, PositionBatch.build(n, **again))
    await world.work()
    assert await world.pool.fetch("SELECT * FROM clock_doubts") == []
    assert [a["vehicle"] for a in await world.alerts()] == ["V1", "V2"]


async def test_a_fix_that_is_too_old_or_from_before_its_terminal_accuses_nobody(world: World) -> None:
    """A clock that was set back, as after the rollover of the GPS week: too few reports to be found."""
    day = 24 * HOUR
    far = trip(world, 14 * H)
    rows = {name: getattr(far, name) for name in far.columns()}
    old = PositionBatch.build(
        len(far), **(rows | {"received_us": far.received_us + 63 * day, "source": Source.BLIND_ZONE})
    )
    await pieces(world, old)
    worker = await world.work()
    assert await world.alerts() == []
    long_ago = {"terminal": np.full(len(far), 2)}
    long_ago |= {name: rows[name] - 150 * day for name in ("device_us", "received_us")}
    await pieces(
        world, PositionBatch.build(len(far), **(rows | long_ago))
    )  # its terminal is known since 100 days
    await world.work(worker)
    assert await world.alerts() == []
