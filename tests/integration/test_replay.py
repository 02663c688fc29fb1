"""Terminals as clients: against the real gateway and log, and against platforms that misbehave."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import pytest

from runtime.errors import ConfigurationError, UnavailableError
from simulation.gps_files.readers import read_tracks
from simulation.gps_files.replay import ReplayOptions, phone_of, replay
from simulation.gps_files.tracks import merge_tracks
from simulation.terminal.many import Fleet, registration
from simulation.terminal.outbox import RESENDS
from simulation.terminal.reports import encode_reports
from simulation.terminal.state import State, Timing
from telemetry.gateway.limits import Limits
from telemetry.gateway.tcp import Gateway
from telemetry.geo import Datum, from_wgs84
from telemetry.jt808.rejection import Rejection
from telemetry.jt808.scalar.framing import FrameReader
from telemetry.jt808.scalar.header import Header, Version, parse_header
from telemetry.jt808.scalar.replies import general_reply, registration_reply
from telemetry.jt808.scalar.report import decode_batch
from telemetry.log.base import POSITIONS
from telemetry.log.codec import decode
from telemetry.log.sqlite import EmbeddedLogReader, EmbeddedLogWriter
from telemetry.positions import PositionBatch, Source
from telemetry.terminals.directory import TerminalDirectory
from tests.waiting import PATIENCE_S, until

GEOLIFE = Path(__file__).parents[3] / "shared" / "data" / "geolife_small.csv"
QUICK = Timing(connect_s=2.0, confirm_s=0.3, heartbeat_s=0.2, tick_s=0.02)


@asynccontextmanager
async def gateway(pool: asyncpg.Pool, path: Path, *, auto: bool = True, port: int = 0) -> AsyncIterator[int]:
    directory = TerminalDirectory(pool, auto)
    await directory.load()
    log = EmbeddedLogWriter(path, 1)
    serving = Gateway(directory, log, Limits())
    try:
        yield serving.listen("127.0.0.1", port)
    finally:
        await serving.drain(5)
        await log.close()


async def stored(path: Path) -> PositionBatch:
    reader = EmbeddedLogReader(path, POSITIONS, 1)
    for partition in (await reader.poll(1, 0)).assigned:
        await reader.seek(partition, 0)
    found = []
    while records := (await reader.poll(1 << 24, 0)).records:
        found += [decode(r.payload) for r in records]
    await reader.close()
    return PositionBatch.concat(found)


async def terminal_no(pool: asyncpg.Pool, phone: str) -> int:
    return int(await pool.fetchval("SELECT no FROM terminals WHERE phone = $1", phone))


def bodies(count: int, start_s: int = 1_700_000_000) -> list[bytes]:
    numbers = np.arange(count)
    return encode_reports(
        start_s + numbers,
        31_980_000 + numbers,
        120_890_000 + numbers,
        altitude_m=np.zeros(count),
        speed_dkmh=numbers % 100,
        direction_deg=numbers % 360,
        status=np.full(count, 3),
        odometer_dkm=numbers,
    )


# --- replay ------------------------------------------------------------------------------------------------

CSV = "lat,lon,time,device\n" + "".join(
    f"31.{98_0000 + 37 * k:06d},120.{89_0000 + 11 * k:06d},{1_700_000_000 + 7 * k},car {k % 3}\n"
    for k in range(900)
)


@pytest.mark.parametrize("version", [2013, 2019])
async def test_every_point_of_a_file_is_in_the_log_exactly_once(
    pool: asyncpg.Pool, tmp_path: Path, version: int
) -> None:
    file, log = tmp_path / "a.csv", tmp_path / "log.sqlite"
    file.write_text(CSV + "bad,1,1,x\n")
    async with gateway(pool, log) as port:
        lines: list[str] = []
        options = ReplayOptions(files=[file], host="127.0.0.1", port=port, version=version)
        result = await replay(options, lines.append)
    assert result.complete
    assert (result.rows, result.accepted, result.rejected) == (901, 900, {"bad_number": 1})
    assert (result.sent, result.confirmed, result.refused, result.not_sent, result.unsendable) == (
        900,
        900,
        0,
        0,
        0,
    )
    assert lines
    rows = await stored(log)
    assert len(rows) == 900
    assert set(rows.source.tolist()) == {Source.LIVE}
    for track in read_tracks(file).tracks:
        mine = rows.take(rows.terminal == await terminal_no(pool, phone_of(track.device)))
        mine = mine.take(np.argsort(mine.device_us, kind="stable"))
        assert np.array_equal(mine.device_us, track.time_us)
        assert np.array_equal(mine.lat_e6, track.lat_e6)
        assert np.array_equal(mine.lon_e6, track.lon_e6)
        assert mine.speed_dkmh[1:].min() > 0  # derived from the points


@pytest.mark.skipif(not GEOLIFE.exists(), reason="the GeoLife sample is not part of the project")
async def test_the_geolife_sample_arrives_whole(pool: asyncpg.Pool, tmp_path: Path) -> None:
    log = tmp_path / "log.sqlite"
    async with gateway(pool, log) as port:
        result = await replay(ReplayOptions(files=[GEOLIFE], host="127.0.0.1", port=port))
    assert (result.rows, result.sent, result.confirmed) == (5_908, 5_908, 5_908)
    rows = await stored(log)
    wanted = np.sort(np.concatenate([t.time_us for t in merge_tracks(read_tracks(GEOLIFE).tracks)]))
    assert np.array_equal(np.sort(rows.device_us), wanted)


async def test_datum_shift_and_speed(pool: asyncpg.Pool, tmp_path: Path) -> None:
    file, log = tmp_path / "a.csv", tmp_path / "log.sqlite"
    lat, lon = from_wgs84(Datum.GCJ02, 31.98, 120.89)
    # Two minutes of points, a night, two minutes more: at 200x the night must not be waited for.
    times = [1_000_000_000 + 10 * k + (40_000 if k > 12 else 0) for k in range(26)]
    file.write_text("lat,lon,time\n" + "".join(f"{lat:.7f},{lon:.7f},{t}\n" for t in times))
    async with gateway(pool, log) as port:
        options = ReplayOptions(
            files=[file], host="127.0.0.1", port=port, speed=200, datum="gcj02", shift_to_now=True
        )
        started = time.time()
        result = await replay(options)
        took = time.time() - started
    assert result.complete
    # time: the points take a second at this speed, with the night it would be 200 s.
    assert 1.0 < took < 150.0
    rows = await stored(log)
    assert started - 3 < int(rows.device_us.max()) / 1e6 < started + took
    assert np.diff(np.sort(rows.device_us)).max() == 40_010 * 1_000_000
    assert np.abs(rows.lat_e6 - 31_980_000).max() <= 2
    assert np.abs(rows.lon_e6 - 120_890_000).max() <= 2


async def test_times_a_terminal_cannot_say_are_counted(pool: asyncpg.Pool, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("lat,lon,time\n1,1,1999-01-01T00:00:00Z\n1,1,2009-01-01T00:00:00Z\n")
    async with gateway(pool, tmp_path / "log.sqlite") as port:
        result = await replay(ReplayOptions(files=[file], host="127.0.0.1", port=port))
    assert (result.accepted, result.sent, result.unsendable, result.complete) == (2, 1, 1, False)


async def test_terminals_that_are_not_let_in_are_said_at_once(pool: asyncpg.Pool, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(CSV)
    async with gateway(pool, tmp_path / "log.sqlite", auto=False) as port:
        with pytest.raises(UnavailableError, match="refused with result 4"):
            await replay(ReplayOptions(files=[file], host="127.0.0.1", port=port, stall_s=1.0))
    assert len(await stored(tmp_path / "log.sqlite")) == 0


async def test_no_gateway_and_wrong_options_are_typed_errors(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(CSV)
    with pytest.raises(UnavailableError, match="cannot connect"):
        await replay(ReplayOptions(files=[file], host="127.0.0.1", port=1, stall_s=0.5))
    for wrong in ({"speed": 0.0}, {"version": 2012}, {"datum": "nad27"}):
        with pytest.raises(ConfigurationError):
            await replay(ReplayOptions(files=[file], host="127.0.0.1", port=1, **wrong))


# --- the client --------------------------------------------------------------------------------------------


async def test_what_is_recorded_offline_goes_up_as_blind_zone_batches(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    log = tmp_path / "log.sqlite"
    everything = bodies(300)
    async with gateway(pool, log) as port, Fleet("127.0.0.1", port, timing=QUICK) as fleet:
        terminal = fleet.add("13912345678", registration("苏F12345", "1234567", Version.V2013))
        await fleet.all_online()
        terminal.offer(everything[:100])
        assert await fleet.flush(5)
        terminal.go_offline()
        terminal.offer(everything[100:250])
        await until(lambda: not fleet.stats.online, "the terminal is offline")
        assert (terminal.waiting, fleet.stats.online) == (150, 0)
        terminal.go_online()
        await fleet.all_online()
        terminal.offer(everything[250:])
        assert await fleet.flush(5)
        stats = fleet.stats
        assert (stats.offered, stats.sent, stats.confirmed, stats.waiting) == (300, 300, 300, 0)
        assert stats.disconnects == 0
        assert stats.refused_registrations.total() == 0
    rows = await stored(log)
    assert np.array_equal(np.sort(rows.device_us) // 1_000_000, 1_700_000_000 + np.arange(300))
    assert (rows.source == Source.BLIND_ZONE).sum() >= 150


async def test_nothing_is_lost_when_the_gateway_restarts(pool: asyncpg.Pool, tmp_path: Path) -> None:
    log = tmp_path / "log.sqlite"
    async with gateway(pool, log) as port:
        fleet = Fleet("127.0.0.1", port, timing=QUICK)
        await fleet.__aenter__()
        terminals = [fleet.add(f"1390000000{k}", registration("", f"{k}", Version.V2019)) for k in range(5)]
        await fleet.all_online()
        for terminal in terminals:
            terminal.offer(bodies(50))
    for terminal in terminals:
        terminal.offer(bodies(50, 1_700_001_000))
    async with gateway(pool, log, port=port):
        assert await fleet.flush(15)
        assert (fleet.stats.offered, fleet.stats.confirmed) == (500, 500)
        await fleet.__aexit__()
    rows = await stored(log)
    keys = set(zip(rows.terminal.tolist(), rows.device_us.tolist(), strict=True))
    assert len(keys) == 500


Script = Callable[["Platform", Header, bytes], bytes]


class Platform:
    """A scripted platform: lets everyone in, and answers positions as the script says (b"" = not at all)."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.seen: list[tuple[int, int, int]] = []  # message id, serial, positions
        self.others: list[int] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.second = asyncio.Event()  # a second connection came

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        if len(self.writers) == 2:
            self.second.set()
        frames = FrameReader()
        while data := await reader.read(65_536):
            for message in frames.feed(data):
                parsed = None if isinstance(message, Rejection) else parse_header(message)
                assert parsed is not None
                assert not isinstance(parsed, Rejection)
                writer.write(self.answer(*parsed))
        writer.close()

    def answer(self, header: Header, body: bytes) -> bytes:
        if header.id == 0x0100:
            return registration_reply(header, 0, "code", 1)
        if header.id in (0x0200, 0x0704):
            batch = decode_batch(body) if header.id == 0x0704 else None
            assert not isinstance(batch, Rejection)
            self.seen.append((header.id, header.serial, len(batch.bodies) if batch else 1))
            return self.script(self, header, body)
        self.others.append(header.id)
        return b"" if header.id == 0x0001 else general_reply(header, 0, 1)


@asynccontextmanager
async def platform(script: Script, **options: Any) -> AsyncIterator[tuple[Platform, Fleet]]:
    scripted = Platform(script)
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0)
    try:
        async with Fleet(*server.sockets[0].getsockname(), timing=QUICK, **options) as fleet:
            yield scripted, fleet
    finally:
        server.close()
        for writer in scripted.writers:
            writer.close()
        await server.wait_closed()


async def test_the_window_bounds_what_is_unconfirmed_and_a_resend_keeps_its_serial() -> None:
    async with platform(lambda *_: b"", window=4) as (scripted, fleet):
        terminal = fleet.add("13800000000", registration("", "1", Version.V2013))
        await fleet.all_online()
        terminal.offer(bodies(20))
        await until(lambda: len(scripted.seen) >= 4, "the window is full")
        await asyncio.sleep(0.15)  # time: no more must come
        assert len(scripted.seen) == 4
        scripted.script = lambda _p, header, _b: general_reply(header, 0, 1)
        assert await fleet.flush(5)
        serials = [serial for _id, serial, _n in scripted.seen]
        assert serials[4:8] == serials[:4]
        assert len(set(serials)) == 20
        stats = fleet.stats
        assert (stats.sent, stats.confirmed, stats.resent, stats.transmissions) == (20, 20, 4, 24)


async def test_a_platform_that_never_confirms_is_left_and_tried_anew() -> None:
    async with platform(lambda *_: b"", window=2) as (scripted, fleet):
        terminal = fleet.add("13800000000", registration("", "1", Version.V2013))
        await fleet.all_online()
        terminal.offer(bodies(3))
        async with asyncio.timeout(PATIENCE_S):
            await scripted.second.wait()
        assert len(scripted.seen) >= 2 * (1 + RESENDS)
        scripted.script = lambda _p, header, _b: general_reply(header, 0, 1)
        assert await fleet.flush(5)
        assert scripted.seen[-1][0] == 0x0704
        assert (fleet.stats.sent, fleet.stats.confirmed) == (3, 3)
        await until(lambda: 0x0002 in scripted.others, "the heartbeat of a terminal with nothing to say")


async def test_refused_positions_are_counted_and_strange_replies_do_no_harm() -> None:
    def script(_platform: Platform, header: Header, _body: bytes) -> bytes:
        noise = b"\x7e\x00\x7e" + general_reply(header, 0, 1)[:-3] + b"\x00\x00\x7e"
        other = general_reply(Header(0x0200, 0, 0, False, 0, header.phone, header.serial ^ 0x8000), 0, 1)
        return noise + other + general_reply(header, 2, 1) + general_reply(header, 0, 1)

    async with platform(script) as (_scripted, fleet):
        terminal = fleet.add("13800000000", registration("", "1", Version.V2013))
        await fleet.all_online()
        terminal.offer(bodies(5))
        assert await fleet.flush(5)
        stats = fleet.stats
        assert (stats.confirmed, stats.refused, stats.waiting) == (0, {2: 5}, 0)
        assert stats.unmatched_replies == 10
        assert stats.bad_frames == 10


async def test_stopping_counts_what_is_abandoned_and_flush_notices_a_dead_platform() -> None:
    async with platform(lambda *_: b"") as (_scripted, fleet):
        terminal = fleet.add("13800000000", registration("", "1", Version.V2013))
        await fleet.all_online()
        terminal.offer(bodies(7))
        assert not await fleet.flush(0.4)
        terminal.stop()
        terminal.stop()
        terminal.go_offline()
        assert terminal.state is State.STOPPED
        assert (fleet.stats.abandoned, fleet.stats.waiting, fleet.stats.online) == (7, 0, 0)


async def test_offline_and_online_again_while_connecting_leaves_one_connection() -> None:
    async with platform(lambda _p, header, _b: general_reply(header, 0, 1)) as (_scripted, fleet):
        terminal = fleet.add("13800000000", registration("", "1", Version.V2013))
        for _ in range(20):
            await asyncio.sleep(0.01)  # time: it should be somewhere in the middle of connecting
            terminal.go_offline()
            await asyncio.sleep(0)
            terminal.go_online()
        await fleet.all_online()
        terminal.offer(bodies(5))
        assert await fleet.flush(5)
        assert (fleet.stats.online, fleet.stats.confirmed) == (1, 5)


# --- the command -------------------------------------------------------------------------------------------


async def command(*words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gongche", "replay", *words, stdout=PIPE, stderr=PIPE
    )


async def test_the_command_prints_the_account(pool: asyncpg.Pool, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(CSV + "bad,1,1,x\n")
    async with gateway(pool, tmp_path / "log.sqlite") as port:
        process = await command(str(file), "--port", str(port))
        out, err = await process.communicate()
    text = out.decode()
    assert process.returncode == 0, err.decode()
    assert "bad_number: 1" in text
    assert "line 902" in text
    assert "read 901 = 接受 accepted 900 + 拒绝 rejected 1" in text
    assert "sent 900: 确认 confirmed 900, 拒绝 refused 0, 未确认 unconfirmed 0" in text


async def test_the_command_fails_clearly(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a,b\n1,2\n")
    process = await command(str(file))
    _out, err = await process.communicate()
    assert process.returncode == 65
    assert "line 1: no column for lat, lon, time" in err.decode()
    assert "Traceback" not in err.decode()


NO_TIMES = '<gpx><trk><trkseg><trkpt lat="31.98" lon="120.89"/><trkpt lat="31.981" lon="120.89"/></trkseg></trk></gpx>'
WAYPOINTS = '<gpx><wpt lat="31.98" lon="120.89"><time>2026-11-26T01:00:00Z</time></wpt></gpx>'


@pytest.mark.parametrize(("text", "says"), [(NO_TIMES, "missing_field: 2"), (WAYPOINTS, "1 个航点")])
async def test_a_file_with_nothing_to_send_is_no_success(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "a.gpx"
    file.write_text(text)
    process = await command(str(file), "--port", "1")
    out, err = await process.communicate()
    assert process.returncode == 1
    assert says in out.decode()
    assert "nothing was sent" in err.decode()


async def test_ctrl_c_ends_the_command_with_its_account(pool: asyncpg.Pool, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(CSV)
    async with gateway(pool, tmp_path / "log.sqlite") as port:
        process = await command(str(file), "--port", str(port), "--realtime")
        assert process.stderr is not None
        async for line in process.stderr:
            if b"connecting" in line:
                break
        async with asyncio.timeout(PATIENCE_S):
            while not await pool.fetchval("SELECT count(*) FROM terminals"):  # noqa: ASYNC110 - it is in the database
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)  # time: it should be sending
        process.send_signal(signal.SIGINT)
        err = (await process.communicate())[1].decode()
    assert process.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
