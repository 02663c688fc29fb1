"""Terminals that do otherwise than the standard says: stored as they sent, read as it is meant, by a correction that a person enters or that
the table of dialects makes; the vehicles are judged again and evidence says by what."""

from __future__ import annotations

from dataclasses import replace

import asyncpg
import numpy as np
import pytest

from office.integrity.tracks import positions_of, stretches
from registry import proposals
from registry.clock_corrections import ClockCorrection, take_back
from registry.datum_check import check
from registry.records import apply
from registry.refusals import RefusedError
from registry.terminals import Terminal
from rules.catalogue import CATALOGUE
from rules.evidence import canonical
from telemetry.archive.clocks import read_clocks
from telemetry.archive.store import Archive
from telemetry.geo import Datum, distance_m, from_wgs84
from telemetry.jt808.scalar.header import Version
from telemetry.jt808.tables.dialects import Deviation, Dialect
from telemetry.positions import PositionBatch
from telemetry.terminals import notices
from telemetry.terminals.devices import Device, OtherDeviceError
from telemetry.terminals.dialect_corrections import DialectCorrections
from telemetry.terminals.directory import TerminalDirectory
from telemetry.terminals.exchange import accept
from tests.integration.test_terminals import EXCHANGED, PHONE, TOLD, admit
from tests.integration.worker_world import HOUR, World, drive, stand

H = 3600
#: 400 m to both sides of the yard's middle.
LONG_YARD = {
    "type": "Polygon",
    "coordinates": [
        [[120.8957, 31.999], [120.9043, 31.999], [120.9043, 32.001], [120.8957, 32.001], [120.8957, 31.999]]
    ],
}


def as_gcj(batch: PositionBatch) -> PositionBatch:
    """``batch`` from a terminal that sends GCJ-02 for WGS-84."""
    lat, lon = from_wgs84(Datum.GCJ02, batch.lat_e6 / 1e6, batch.lon_e6 / 1e6)
    return replace(
        batch, lat_e6=np.rint(lat * 1e6).astype(np.int32), lon_e6=np.rint(lon * 1e6).astype(np.int32)
    )


async def send(world: World, batch: PositionBatch) -> None:
    await world.send_in(batch, range(len(batch)), 20)


async def test_coordinates_that_are_gcj02(world: World) -> None:
    """A car that drives up and down its own yard, 800 by 200 metres, is half a kilometre away, as its terminal says."""
    await world.fence(LONG_YARD)
    turns = drive(14 * H, *([(360.0, 0.0), (-360.0, 0.0)] * 10))
    true = world.batch([*stand(13.8 * H, 14 * H), *turns, *stand(turns[-1][0] + 30, turns[-1][0] + 900)])
    sent = as_gcj(true)
    assert distance_m(sent.lat_e6 / 1e6, sent.lon_e6 / 1e6, true.lat_e6 / 1e6, true.lon_e6 / 1e6).min() > 300
    await send(world, sent)
    worker = await world.work()
    assert [alert["rule"] for alert in await world.alerts()] == ["location"]

    await world.apply(
        ClockCorrection(id="C1", terminal="13800000001", valid_from=world.time(0), datum="gcj02")
    )
    await world.work(worker)
    assert await world.alerts() == []
    async with world.pool.acquire() as conn:
        track = await Archive().track(conn, [(1, world.day, world.day + 24 * HOUR)])
        read = track.batch
        off = distance_m(read.lat_e6 / 1e6, read.lon_e6 / 1e6, true.lat_e6 / 1e6, true.lon_e6 / 1e6)
        assert len(read) == len(true)
        assert off.max() < 0.3
        newest = (await Archive().last_positions(conn, [1])).batch
        assert newest.lat_e6.tolist() == read.lat_e6[-1:].tolist()
        # What was received is as it came.
        stored = await conn.fetch("SELECT lat_e6, lon_e6 FROM positions ORDER BY device_time")
        assert [tuple(row) for row in stored] == list(
            zip(sent.lat_e6.tolist(), sent.lon_e6.tolist(), strict=True)
        )

    # From now on as they come; an alert says by which correction it was judged, and its positions are found unchanged.
    out = drive(20 * H, (0.0, 0.0), (6000.0, 0.0), (0.0, 0.0))
    await send(world, as_gcj(world.batch([*stand(19.8 * H, 20 * H), *out])))
    await world.work(worker)
    (alert,) = await world.alerts()
    evidence = await world.evidence(alert["id"])
    assert evidence["corrections"] == [
        {
            "vehicle": "V1", "terminal": "13800000001", "corrections": ["C1"], "received_from_us": world.day, "received_to_us": None,
            "shift_s": 0, "datum": "gcj02", "odometer_unit_m": 100, "fuel_unit_ml": 100,
        }
    ]  # fmt: skip
    assert CATALOGUE.evaluate(evidence).outcome.value == "suspected"
    async with world.pool.acquire() as conn:
        listed = await positions_of(conn, stretches(canonical(evidence)))
        assert (listed.absent, listed.fixes > 50) == (0, True)
        # Also when the correction is another one by now: what was frozen then is in what is stored.
        async with conn.transaction():
            assert await take_back(conn, "C1")
    await world.work(worker)
    assert len(await world.alerts()) == 2, "as they came: away from the yard, both times"


async def test_units_of_the_odometer(world: World) -> None:
    """A terminal that counts whole kilometres in item 0x01; another correction of the same time speaks of its clock."""
    await world.order("P1", 14 * H, 14.8 * H)
    out = drive(14 * H, (0.0, 0.0), (6000.0, 0.0), (0.0, 0.0))
    batch = world.batch([*stand(13.9 * H, 14 * H), *out, *stand(out[-1][0] + 30, out[-1][0] + 900)])
    driven = np.concatenate(
        ([0], np.cumsum((np.diff(batch.device_us) / 1e6 * 12) * (batch.speed_dkmh[:-1] > 0)))
    )
    given = {name: getattr(batch, name) for name in batch.columns()}
    given |= {"odometer_dkm": 50_000 + driven // 1000, "present": np.full(len(batch), 1)}
    given |= {"device_us": batch.device_us - 8 * HOUR}
    await send(world, PositionBatch.build(len(batch), **given))
    await world.apply(
        ClockCorrection(id="C1", terminal="13800000001", valid_from=world.time(-1), shift_s=28_800),
        ClockCorrection(id="C2", terminal="13800000001", valid_from=world.time(0), odometer_unit_m=1000),
    )
    await world.work()
    odometer = await world.pool.fetchval("SELECT odometer_m FROM order_results WHERE order_id = 'P1'")
    assert 11_000 <= odometer <= 12_000
    assert await world.alerts() == []
    assert await world.pool.fetchval("SELECT max(odometer_dkm) FROM positions") == 50_012


async def test_a_car_that_stands_beside_its_yard_at_night_is_proposed_and_put_right(world: World) -> None:
    """V1 sends GCJ-02; V2 of the same fence does not; nobody else has been seen."""
    now = world.time(9 * H)
    async with world.pool.acquire() as conn:
        first = (world.day - 7 * 24 * HOUR) // (24 * HOUR)
        await Archive().ensure_partitions(conn, range(first, first + 9))
        for night in range(7):
            there = stand(-night * 24 * H + 2 * H, -night * 24 * H + 2.5 * H, every=300)
            async with conn.transaction():
                await Archive().store(conn, as_gcj(world.batch(there)))
        found = await check(conn, "13800000001", now)
        assert found is not None
        assert (found.verdict, found.nights, found.inside["gcj02"]) == ("fence_unproved", 7, 7)
        assert await notices.page(conn) == []
        for night in range(4):
            there = stand(-night * 24 * H + 2 * H, -night * 24 * H + 2.5 * H, every=300)
            async with conn.transaction():
                await Archive().store(conn, world.batch(there, terminal=2))
        found = await check(conn, "13800000001", now)
        assert found is not None
        assert found.verdict == "gcj02"
        (notice,) = await notices.page(conn)
        assert (notice["kind"], notice["detail"]["proposed"]["datum"]) == ("datum_wrong", "gcj02")
        second = await check(conn, "13800000002", now)
        assert second is not None
        assert second.verdict == "few_nights"
        async with conn.transaction():
            made = await proposals.accept(conn, "13800000001", "datum_wrong")
        assert made is not None
        assert made.datum == "gcj02"
        assert await notices.page(conn) == []
        found = await check(conn, "13800000001", now)
        assert found is not None
        assert found.verdict == "right"
        assert await check(conn, "13800000009", now) is None


# --- the table of dialects


def dialect(label: str, maker: str, **deviation: object) -> Dialect:
    return Dialect(label, {}, frozenset({maker}), ("M-",), Deviation(**deviation))  # type: ignore[arg-type]


async def rows(pool: asyncpg.Pool) -> list[tuple[object, ...]]:
    found = await pool.fetch(
        "SELECT dialect, shift_s, datum, valid_to IS NULL, valid_from = '2000-01-01Z' FROM clock_corrections WHERE source = 'dialect'"
        " ORDER BY valid_from"
    )
    return [tuple(row) for row in found]


async def changes(pool: asyncpg.Pool) -> int:
    count: int = await pool.fetchval(
        "WITH gone AS (DELETE FROM changes RETURNING 1) SELECT count(*) FROM gone"
    )
    return count


async def test_a_make_of_the_table_is_corrected_by_what_the_table_says(pool: asyncpg.Pool) -> None:
    no = await admit(pool)
    await pool.execute("INSERT INTO organisations (id, name) VALUES ('o', '局')")
    await pool.execute("INSERT INTO vehicles (id, plate, organisation) VALUES ('v', '苏F12345', 'o')")
    await pool.execute(
        "INSERT INTO terminal_bindings SELECT t.no, v.no, '2026-01-01' FROM terminals t, vehicles v"
    )
    directory = TerminalDirectory(pool, auto_register=False)
    await directory.load()
    table = [dialect("utc", "MAKER", shift_s=28_800), dialect("gcj", "OTHER", datum="gcj02")]
    dialects = DialectCorrections(pool, table)
    await dialects.begin(directory.terminals())
    assert await rows(pool) == []  # nothing is known of it yet

    async def follow() -> None:
        await dialects.follow(
            t for no in await directory.refresh() if (t := directory.by_number(no)) is not None
        )

    result, code, _ = await directory.register(PHONE, replace(TOLD, version=Version.V2011))
    assert (result, await pool.fetchval("SELECT edition FROM terminals")) == (0, 2011)
    await follow()
    assert await rows(pool) == [("utc", 28_800, None, True, True)]
    assert await changes(pool) > 0, "its vehicle is judged again"
    await follow()
    await DialectCorrections(pool, table).begin(directory.terminals())  # another gateway, or the next start
    assert (await rows(pool), await changes(pool)) == ([("utc", 28_800, None, True, True)], 0)

    # The office knows better of one thing; what it does not speak of stays.
    async with pool.acquire() as conn:
        async with conn.transaction():
            given = {"terminal": PHONE, "valid_from": "2026-03-02T00:00:00+08:00"}
            await apply(conn, [ClockCorrection.model_validate({"id": "c", "datum": "bd09"} | given)])
        piece = (await read_clocks(conn, [no]))[no][-1]
        assert (piece.shift_us, piece.datum, len(piece.ids)) == (28_800_000_000, Datum.BD09, 2)
        async with conn.transaction():
            await apply(conn, [ClockCorrection.model_validate({"id": "c", "shift_s": 0} | given)])
        piece = (await read_clocks(conn, [no]))[no][-1]
        assert (piece.shift_us, piece.datum, piece.said) == (0, Datum.WGS84, True)
        id = await conn.fetchval("SELECT id FROM clock_corrections WHERE source = 'dialect'")
        with pytest.raises(RefusedError, match="方言表"):
            await take_back(conn, id)
        assert await take_back(conn, "c")

        # Another device: its row begins when it comes, the one before ends then.
        assert (await directory.register(PHONE, EXCHANGED))[0] == 3
        assert await accept(conn, PHONE, "office")
    assert (await directory.register(PHONE, EXCHANGED))[0] == 0
    await follow()
    assert await rows(pool) == [("utc", 28_800, None, False, True), ("gcj", None, "gcj02", True, False)]

    # The table says something else at the next start: rows are changed where they stand, or go.
    await changes(pool)
    await DialectCorrections(pool, [dialect("utc", "MAKER", shift_s=28_700)]).begin(directory.terminals())
    assert await rows(pool) == [("utc", 28_700, None, False, True)]
    assert await changes(pool) > 0
    await DialectCorrections(pool, ()).begin(directory.terminals())
    assert await rows(pool) == []
    assert code


# --- which device


async def test_only_the_device_that_the_office_named_may_authenticate(pool: asyncpg.Pool) -> None:
    await admit(pool)
    directory = TerminalDirectory(pool, auto_register=False)
    await directory.load()
    result, code, _ = await directory.register(PHONE, replace(TOLD, version=Version.V2019))
    assert result == 0
    assert code is not None
    named, other = Device("860000000000001", "v1", True), Device("860000000000002", "v1", True)
    assert directory.verify(PHONE, code.encode(), other)  # nobody is named
    async with pool.acquire() as conn:
        async with conn.transaction():
            await apply(
                conn, [Terminal(id=PHONE, imei="86-0000-0000-0000-1", iccid="8986 0012 3456 7890 1234")]
            )
        await directory.refresh()
        terminal = directory.find(PHONE)
        assert terminal is not None
        assert terminal.reported_imei in ("", other.imei)
        before = await conn.fetchrow("SELECT code_sha256, previous_sha256 FROM terminals")
        for _ in range(2):
            with pytest.raises(OtherDeviceError):
                directory.verify(PHONE, code.encode(), other)
            directory.reports.other_imei(terminal.no, terminal.imei, other.imei)
            await directory.refresh()
        assert (
            directory.verify(PHONE, b"wrong", other) is None
        )  # who does not know the code learns nothing of it
        assert await conn.fetchrow("SELECT code_sha256, previous_sha256 FROM terminals") == before
        (notice,) = await notices.page(conn)
        assert (notice["kind"], notice["times"]) == ("other_imei", 2)
        assert notice["detail"] == {"named": "860000000000001", "shown": other.imei, "all": [other.imei]}

        assert directory.verify(PHONE, code.encode(), named)
        await conn.execute("UPDATE terminals SET model = '', updated_at = clock_timestamp()")
        await directory.refresh()
        terminal = directory.find(PHONE)
        assert terminal is not None
        assert not directory.reports.answered(terminal, {"iccid": "89860012345678909999", "model": "X1"})
        await directory.refresh()
        assert await conn.fetchrow("SELECT reported_imei, reported_iccid, reported_software, model FROM terminals") == (
            named.imei, "89860012345678909999", "v1", "X1",
        )  # fmt: skip
        assert [one["kind"] for one in await notices.page(conn)] == ["other_card"]
        assert directory.reports.answered(terminal, {"iccid": "89860012345678901234"})
        await directory.refresh()
        assert await notices.page(conn) == []
        # The office takes its word back: any device again.
        async with conn.transaction():
            await apply(conn, [Terminal(id=PHONE, imei="", iccid="")])
        await directory.refresh()
        assert directory.verify(PHONE, code.encode(), other)
