"""The gateway on real sockets, a real log and a real PostgreSQL: replies mean stored, and nothing else is lost."""

from __future__ import annotations

import asyncio
import resource
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import orjson
import pytest
import uvloop
from prometheus_client import REGISTRY

from runtime.postgres import create_pool
from telemetry.gateway import position_frames
from telemetry.gateway.downlink import Downlink
from telemetry.gateway.limits import Limits
from telemetry.gateway.main import serve
from telemetry.gateway.tcp import Gateway
from telemetry.jt808.scalar.framing import encode_frame
from telemetry.jt808.scalar.header import Version, build_message
from telemetry.jt808.session import Session
from telemetry.log.base import POSITIONS, REJECTS, Record
from telemetry.log.codec import decode
from telemetry.log.sqlite import EmbeddedLogReader, EmbeddedLogWriter
from telemetry.positions import PositionBatch, Source
from telemetry.terminals.directory import TerminalDirectory
from tests.integration.terminal_client import Terminal, position
from tests.waiting import PATIENCE_S, until

both_versions = pytest.mark.parametrize("version", [Version.V2013, Version.V2019])


class Running:
    """A gateway under test and what it stands on."""

    def __init__(self, gateway: Gateway, port: int, path: Path, partitions: int) -> None:
        self.gateway, self.port, self.path, self.partitions = gateway, port, path, partitions

    async def _read(self, topic: str) -> list[bytes]:
        reader = EmbeddedLogReader(self.path, topic, self.partitions)
        for partition in (await reader.poll(1, 0)).assigned:
            await reader.seek(partition, 0)
        found: list[bytes] = []
        while records := (await reader.poll(1 << 24, 0)).records:
            found += [r.payload for r in records]
        await reader.close()
        return found

    async def stored(self) -> PositionBatch:
        """Everything in the positions topic."""
        return PositionBatch.concat([decode(p) for p in await self._read(POSITIONS)])

    async def rejects(self) -> list[str]:
        """Reasons in the rejects topic."""
        return [orjson.loads(line)["reason"] for p in await self._read(REJECTS) for line in p.splitlines()]

    async def wait_rejects(self, count: int) -> list[str]:
        async def there() -> bool:
            return len(await self.rejects()) >= count

        await until(there, f"{count} frames are refused")
        return await self.rejects()


@asynccontextmanager
async def running(pool: asyncpg.Pool, path: Path, limits: Limits | None = None, partitions: int = 1, auto: bool = True, downlink: Downlink | None = None) -> AsyncIterator[Running]:  # fmt: skip
    directory = TerminalDirectory(pool, auto)
    await directory.load()
    log = EmbeddedLogWriter(path, partitions)
    gateway = Gateway(directory, log, limits or Limits(), downlink=downlink)
    try:
        yield Running(gateway, gateway.listen("127.0.0.1", 0), path, partitions)
    finally:
        await gateway.drain(5)
        await log.close()


@both_versions
async def test_a_success_reply_means_the_position_is_in_the_log(
    pool: asyncpg.Pool, tmp_path: Path, version: Version
) -> None:
    async with running(pool, tmp_path / "log", partitions=3) as it:
        terminal = await Terminal.online(it.port, "013900000001", version)
        for k in range(5):
            assert (
                await terminal.ask(
                    0x0200, position(k, items=b"\x01\x04\x00\x00\x01\x00\x25\x04\x00\x00\x00\x01")
                )
                == 0
            )
            stored = await it.stored()
            assert len(stored) == k + 1
        assert stored.lat_e6.tolist() == [31_980_000 + k for k in range(5)]
        assert stored.odometer_dkm.tolist() == [256] * 5
        assert stored.items_data[:6].tobytes() == b"\x25\x04\x00\x00\x00\x01"
        number = await pool.fetchval("SELECT no FROM terminals WHERE phone = '13900000001'")
        assert set(stored.terminal.tolist()) == {number}


async def test_no_reply_while_the_log_is_stuck_then_all_of_them(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with running(pool, tmp_path / "log") as it:
        terminal = await Terminal.online(it.port, "13900000001")
        blocker = sqlite3.connect(tmp_path / "log", isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        serials = [terminal.send(0x0200, position(k)) for k in range(20)]
        assert await terminal.ask(0x0002, b"") == 0  # a heartbeat does not wait for the log
        with pytest.raises(TimeoutError):
            await terminal.receive(0.3)
        blocker.execute("ROLLBACK")
        blocker.close()
        for serial in serials:
            assert await terminal.result_of(serial, 0x0200) == 0
        assert len(await it.stored()) == 20


async def test_memory_budget_pauses_reading_and_everything_comes_through_after(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    limits = Limits(memory_budget_bytes=200_000, read_bytes=4096)
    async with running(pool, tmp_path / "log", limits) as it:
        terminal = await Terminal.online(it.port, "13900000001")
        blocker = sqlite3.connect(tmp_path / "log", isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        serials = [terminal.send(0x0200, position(k)) for k in range(20_000)]
        await until(it.gateway.trouble, "the budget is used up")
        held = REGISTRY.get_sample_value("gongche_gateway_memory_budget_used_bytes") or 0
        assert limits.memory_budget_bytes < held < limits.memory_budget_bytes + 50_000
        blocker.execute("ROLLBACK")
        blocker.close()
        assert [await terminal.result_of(s, 0x0200) for s in serials] == [0] * 20_000
        assert it.gateway.trouble() is None
        assert len(await it.stored()) == 20_000


async def test_a_bad_frame_costs_neither_the_connection_nor_its_neighbours(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    async with running(pool, tmp_path / "log") as it:
        terminal = await Terminal.online(it.port, "13900000001")
        good = [terminal.frame(0x0200, position(k)) for k in range(4)]
        wrong_sum = bytearray(terminal.frame(0x0200, position(9)))
        wrong_sum[20] ^= 0x11
        bad_escape = b"\x7e\x7d\x03" + good[0][3:]
        length = encode_frame(build_message(0x0200, position(7), terminal.phone, 77) + b"\0")
        stream = (
            good[0]
            + bytes(wrong_sum)
            + good[1][1:]
            + b"\x7e\x7e"
            + bad_escape
            + good[2]
            + length
            + b"junk"
            + good[3]
        )
        terminal.writer.write(stream)
        for serial in range(2, 6):
            assert await terminal.result_of(serial, 0x0200) == 0
        assert (await it.stored()).lat_e6.tolist() == [31_980_000 + k for k in range(4)]
        assert sorted(await it.wait_rejects(4)) == ["bad_escape", "checksum", "length_mismatch", "too_short"]


async def test_every_cut_of_the_stream(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with running(pool, tmp_path / "log") as it:
        terminal = await Terminal.online(it.port, "13900000001")
        frame = terminal.frame(0x0200, position(0, items=b"\xe1\x04\x7d\x7e\x7d\x02"))
        for cut in range(1, len(frame)):
            terminal.writer.write(frame[:cut])
            await terminal.writer.drain()
            # time: the gateway should see the part alone; nothing shows that it has
            await asyncio.sleep(0.001)
            terminal.writer.write(frame[cut:])
            assert await terminal.result_of(2, 0x0200) == 0
        assert len(await it.stored()) == len(frame) - 1
        assert await it.rejects() == []


async def test_results_that_are_not_success(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with running(pool, tmp_path / "log") as it:
        terminal = await Terminal.online(it.port, "13900000001")
        assert await terminal.ask(0x0200, position()[:27]) == 2
        assert await terminal.ask(0x0900, b"") == 2
        assert await terminal.ask(0x0705, b"\0\1" + bytes(17)) == 3
        serial = terminal.send(0x0200, position(), phone="13900000999")
        # The answer goes to the phone that the message named, which is not ours.
        with pytest.raises(AssertionError, match="another terminal"):
            await terminal.result_of(serial, 0x0200)
        stranger = await Terminal.connect(it.port, "13900000002")
        assert await stranger.ask(0x0200, position()) == 1
        assert await stranger.register() == 0
        assert await stranger.authenticate("0" * 32) == 1
        assert await stranger.ask(0x0200, position()) == 1
        assert len(await it.stored()) == 0
        assert sorted(await it.wait_rejects(7)) == [
            "bad_body", "bad_code", "body_too_short", "not_authenticated", "not_authenticated", "phone_mismatch", "unsupported",
        ]  # fmt: skip


async def test_unknown_terminals_are_refused_unless_told_otherwise(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    await pool.execute("INSERT INTO terminals (phone) VALUES ('13900000005')")
    async with running(pool, tmp_path / "log", auto=False) as it:
        unknown = await Terminal.connect(it.port, "13900000001")
        assert await unknown.register() == 4
        known = await Terminal.online(it.port, "013900000005", Version.V2019)
        assert await known.ask(0x0200, position()) == 0
        assert await it.wait_rejects(1) == ["unknown_terminal"]


@both_versions
async def test_blind_zone_batches_and_sub_packages(
    pool: asyncpg.Pool, tmp_path: Path, version: Version
) -> None:
    def batch(count: int, kind: int, first: int) -> bytes:
        points = [position(first + k) for k in range(count)]
        return (
            count.to_bytes(2, "big")
            + bytes((kind,))
            + b"".join(len(p).to_bytes(2, "big") + p for p in points)
        )

    async with running(pool, tmp_path / "log") as it:
        terminal = await Terminal.online(it.port, "13900000001", version)
        assert await terminal.ask(0x0704, batch(10, 1, 0)) == 0
        assert await terminal.ask(0x0704, batch(3, 0, 100)[:-5]) == 0  # two good points are kept
        assert await terminal.ask(0x0704, b"\0\5\1") == 2
        serial = terminal.send(0x0704, batch(100, 1, 1000))  # in three packages
        for k in range(3):
            assert await terminal.result_of(serial + k, 0x0704) == 0
        stored = await it.stored()
        assert stored.lat_e6.tolist() == [31_980_000 + k for k in (*range(10), 100, 101, *range(1000, 1100))]
        assert (
            stored.source.tolist()
            == [Source.BLIND_ZONE] * 10 + [Source.BATCH] * 2 + [Source.BLIND_ZONE] * 100
        )
        assert await it.wait_rejects(2) == ["bad_body", "bad_body"]


async def test_empty_packages_are_asked_for_like_any_other(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with running(pool, tmp_path / "log") as it:
        terminal = await Terminal.online(it.port, "13900000001")
        package = build_message(0x0704, b"", terminal.phone, terminal.serial, total=3, index=1)
        terminal.writer.write(encode_frame(package))
        assert await terminal.result_of(terminal.serial, 0x0704) == 0
        header, body = await terminal.receive()
        assert (header.id, body) == (
            0x8003,
            terminal.serial.to_bytes(2, "big") + bytes.fromhex("02 0002 0003"),
        )


async def test_many_short_points_of_one_message_are_one_refusal_and_counted_each(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    async with running(pool, tmp_path / "log") as it:
        terminal = await Terminal.online(it.port, "13900000001")
        before = _counted()
        point = position(1)
        good = len(point).to_bytes(2, "big") + point
        empty, many = b"\0\0", b"\0\x1b" + bytes(27)
        assert await terminal.ask(0x0704, (491).to_bytes(2, "big") + b"\1" + good + empty * 490) == 0
        serial = terminal.send(0x0704, (101).to_bytes(2, "big") + b"\1" + good + many * 100)  # in packages
        assert await terminal.result_of(serial, 0x0704) == 0
        assert await it.wait_rejects(2) == ["body_too_short"] * 2
        counted = _counted()
        assert counted["rejects"] - before["rejects"] == 490 + 100
        name = "gongche_gateway_positions_total"
        assert counted[name] - before[name] == 2


async def test_the_newest_connection_of_a_phone_wins(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with running(pool, tmp_path / "log") as it:
        older = await Terminal.online(it.port, "13900000001")
        newer = await Terminal.connect(it.port, "13900000001")
        assert await newer.authenticate(older.code) == 0
        assert await older.closed()
        assert await newer.ask(0x0200, position()) == 0


async def test_a_code_from_one_gateway_is_good_at_another(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with running(pool, tmp_path / "log") as one, running(pool, tmp_path / "log") as other:
        terminal = await Terminal.online(one.port, "13900000001")
        elsewhere = await Terminal.connect(other.port, "13900000001")
        assert await elsewhere.authenticate(terminal.code) == 0
        assert await elsewhere.ask(0x0200, position(1)) == 0
        assert await terminal.ask(0x0200, position(2)) == 0
        assert sorted((await one.stored()).lat_e6.tolist()) == [31_980_001, 31_980_002]


async def test_logout_ends_the_right_to_report(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with running(pool, tmp_path / "log") as it:
        terminal = await Terminal.online(it.port, "13900000001")
        assert await terminal.ask(0x0003, b"") == 0
        assert await terminal.ask(0x0200, position()) == 1
        assert await terminal.authenticate() == 0
        assert await terminal.ask(0x0200, position()) == 0


async def test_deadlines(pool: asyncpg.Pool, tmp_path: Path) -> None:
    limits = Limits(auth_timeout_s=2, frame_timeout_s=2.5, idle_timeout_s=8)
    async with running(pool, tmp_path / "log", limits) as it:
        silent = await Terminal.connect(it.port, "13900000001")
        slow, honest = (
            await Terminal.online(it.port, "13900000002"),
            await Terminal.online(it.port, "13900000003"),
        )

        async def drip() -> None:
            for byte in slow.frame(0x0200, position()) * 10:
                slow.writer.write(bytes([byte]))
                await slow.writer.drain()
                await asyncio.sleep(0.2)  # time: bytes that come slower than the deadline allows

        dripping = asyncio.create_task(drip())
        assert await silent.closed()
        assert await slow.closed()
        assert await honest.ask(0x0200, position()) == 0
        assert await honest.closed()
        with pytest.raises(ConnectionError):
            await dripping


async def test_no_deadline_passes_while_the_gateway_itself_does_not_read(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    limits = Limits(auth_timeout_s=5, frame_timeout_s=5, idle_timeout_s=5, memory_budget_bytes=200_000)
    async with running(pool, tmp_path / "log", limits) as it:
        loud, quiet, slow = [await Terminal.online(it.port, f"1390000000{k}") for k in range(3)]
        new = await Terminal.connect(it.port, "13900000004")
        late, whole = slow.serial, slow.frame(0x0200, position(1))
        slow.writer.write(whole[:20])
        await asyncio.sleep(0.1)  # time: the gateway should have the part before it stops reading
        blocker = sqlite3.connect(tmp_path / "log", isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        serials = [loud.send(0x0200, position(k)) for k in range(20_000)]
        await until(lambda: "paused" in (it.gateway.trouble() or ""), "the gateway stops reading")
        heartbeat = quiet.send(0x0002, b"")
        slow.writer.write(whole[20:])
        registering = asyncio.create_task(new.register())
        await asyncio.sleep(6)  # time: longer than every deadline of the limits above
        blocker.execute("ROLLBACK")
        blocker.close()
        assert await quiet.result_of(heartbeat, 0x0002) == 0
        assert await slow.result_of(late, 0x0200) == 0
        assert await registering == 0
        assert await new.authenticate() == 0
        assert [await loud.result_of(s, 0x0200) for s in serials] == [0] * 20_000
        assert await quiet.closed(), "and then they pass again"


async def test_frames_that_are_half_read_fill_the_budget_until_their_deadline_and_no_longer(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    limits = Limits(frame_timeout_s=1, memory_budget_bytes=100_000)
    async with running(pool, tmp_path / "log", limits) as it:
        honest = await Terminal.online(it.port, "13900000001")
        others = [await Terminal.connect(it.port, "13900000002") for _ in range(100)]
        for other in others:
            other.writer.write(b"~" + bytes(1_500))
        await until(lambda: "paused" in (it.gateway.trouble() or ""), "the gateway stops reading")
        assert await honest.ask(0x0200, position(1)) == 0
        assert it.gateway.trouble() is None
        assert await others[0].closed()


async def test_connection_limits_and_slow_readers(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with running(
        pool, tmp_path / "log", Limits(max_connections_per_address=2, max_unsent_bytes=1000)
    ) as it:
        first, second = (
            await Terminal.online(it.port, "13900000001"),
            await Terminal.connect(it.port, "13900000002"),
        )
        third = await Terminal.connect(it.port, "13900000003")
        assert await third.closed()
        await second.close()
        await until(
            lambda: REGISTRY.get_sample_value("gongche_gateway_connections") == 1, "its place is free"
        )
        fourth = await Terminal.online(it.port, "13900000004")
        # The first never reads: its replies fill the socket, then the bounded buffer, then it is closed.
        transport = first.writer.transport
        assert isinstance(transport, asyncio.Transport)  # it reads as well
        transport.pause_reading()
        data = b"".join(first.frame(0x0002, b"") for _ in range(1000))

        async def flood() -> None:
            for _ in range(1000):
                first.writer.write(data)
                await first.writer.drain()

        with pytest.raises(ConnectionError):
            await flood()
        assert await fourth.ask(0x0200, position()) == 0


async def test_connections_wait_while_there_are_no_descriptors(
    pool: asyncpg.Pool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with running(pool, tmp_path / "log") as it:
        first = await Terminal.online(it.port, "13900000001")
        knocking = [socket.create_connection(("127.0.0.1", it.port)) for _ in range(20)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (knocking[-1].fileno() + 1, limit[1]))
        try:
            async with asyncio.timeout(2.5):
                while True:  # those that are here are served as ever
                    assert await first.ask(0x0002, b"") == 0
                    await asyncio.sleep(0.05)
        except TimeoutError:
            assert caplog.text.count("new connections have to wait") == 1
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        second = await Terminal.online(it.port, "13900000002")
        assert await second.ask(0x0002, b"") == 0
        for sock in knocking:
            sock.close()
    assert caplog.text.count("new connections have to wait") == 1


async def test_a_disabled_terminal_is_put_out(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with running(pool, tmp_path / "log") as it:
        terminal = await Terminal.online(it.port, "13900000001")
        await pool.execute("UPDATE terminals SET enabled = false, updated_at = now()")
        assert await terminal.closed()
        again = await Terminal.connect(it.port, "13900000001")
        assert await again.authenticate(terminal.code) == 1


async def test_drain_confirms_what_was_read(pool: asyncpg.Pool, tmp_path: Path) -> None:
    directory = TerminalDirectory(pool, True)
    await directory.load()
    log = EmbeddedLogWriter(tmp_path / "log")
    gateway = Gateway(directory, log, Limits())
    terminal = await Terminal.online(gateway.listen("127.0.0.1", 0), "13900000001")
    blocker = sqlite3.connect(tmp_path / "log", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    serials = [terminal.send(0x0200, position(k)) for k in range(50)]
    await asyncio.sleep(0.3)  # time: the gateway should have read them, and stand before the log
    draining = asyncio.create_task(gateway.drain(PATIENCE_S))
    await asyncio.sleep(0.1)  # time: the drain should have begun, and wait
    blocker.execute("ROLLBACK")
    blocker.close()
    assert await draining == 0
    assert [await terminal.result_of(s, 0x0200) for s in serials] == [0] * 50
    assert await terminal.closed()
    await log.close()


async def test_a_gateway_whose_log_is_dead_is_not_ready(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with running(pool, tmp_path / "log") as it:
        terminal = await Terminal.online(it.port, "13900000001")
        assert await terminal.ask(0x0200, position(1)) == 0
        disk = sqlite3.connect(tmp_path / "log", isolation_level=None)
        disk.execute("ALTER TABLE records RENAME TO away")  # every append is refused, at once
        serial = terminal.send(0x0200, position(2))
        began = asyncio.get_running_loop().time()
        await until(it.gateway.trouble, "the log is seen to be dead")
        # time: a log that stumbles for a moment is no trouble; how long that is, is the subject.
        assert asyncio.get_running_loop().time() - began > 4
        assert "the log has taken no records for" in (it.gateway.trouble() or "")
        disk.execute("ALTER TABLE away RENAME TO records")
        disk.close()
        assert await terminal.result_of(serial, 0x0200) == 0
        assert it.gateway.trouble() is None


class _Faulty(EmbeddedLogWriter):
    """A log with a fault of the program in it: the third append raises what nobody raises on purpose."""

    appends = 0

    async def append(self, records: Sequence[Record]) -> None:
        self.appends += 1
        if self.appends > 2:
            raise ZeroDivisionError("a fault")
        await super().append(records)


async def test_a_fault_of_the_program_ends_the_gateway(
    pool: asyncpg.Pool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = TerminalDirectory(pool, True)
    await directory.load()
    log = _Faulty(tmp_path / "log")
    gateway = Gateway(directory, log, Limits())
    terminal = await Terminal.online(gateway.listen("127.0.0.1", 0), "13900000001")
    serving = asyncio.create_task(serve(gateway, asyncio.Event(), 5))
    for k in range(2):
        assert await terminal.ask(0x0200, position(k)) == 0
    assert gateway.trouble() is None
    terminal.send(0x0200, position(2))
    with pytest.raises(
        EOFError
    ):  # no reply to what is not stored: the connection ends, the terminal goes elsewhere
        await terminal.receive()
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(ZeroDivisionError, match="a fault"):
            await serving
    assert "fault" in str(await gateway.fault)
    assert "1 positions were not confirmed" in caplog.text
    assert log.appends == 3
    await log.close()


async def test_after_a_fault_between_terminals_and_registry_it_goes_on_with_what_is_known(
    pool: asyncpg.Pool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Faulty(TerminalDirectory):
        async def refresh(self) -> Any:
            raise ZeroDivisionError("a fault")

    directory = Faulty(pool, True)
    await directory.load()
    log = EmbeddedLogWriter(tmp_path / "log")
    gateway = Gateway(directory, log, Limits())
    before = REGISTRY.get_sample_value("gongche_gateway_registry_faults_total") or 0.0
    terminal = await Terminal.online(gateway.listen("127.0.0.1", 0), "13900000001")
    async with asyncio.timeout(PATIENCE_S):
        while REGISTRY.get_sample_value("gongche_gateway_registry_faults_total") == before:
            assert await terminal.ask(0x0200, position()) == 0
    assert "fault of the program on the terminal registry" in caplog.text
    assert not gateway.fault.done()
    assert await terminal.ask(0x0200, position()) == 0
    await gateway.drain(5)
    await log.close()


def _counted() -> dict[str, float]:
    names = (
        "gongche_gateway_positions_total",
        "gongche_gateway_positions_confirmed_total",
        "gongche_gateway_replies_total",
    )
    found = {n: REGISTRY.get_sample_value(n) or 0.0 for n in names}
    for metric in REGISTRY.collect():
        if metric.name == "gongche_gateway_rejects":
            found["rejects"] = sum(s.value for s in metric.samples if s.name.endswith("_total"))
    return found


@pytest.mark.parametrize(
    "factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
def test_soak_every_reply_reaches_its_own_connection_and_the_counts_add_up(
    db_url: str, tmp_path: Path, factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Many terminals at once, good and bad frames mixed, connections that come and go. ``Terminal`` fails on any
    reply that carries another phone; the serials replied to must be exactly those sent."""
    terminals, rounds = 60, 6

    async def one(port: int, number: int) -> tuple[int, int]:
        rng = np.random.default_rng(number)
        phone = str(13_800_000_000 + number)
        good = bad = 0
        terminal = await Terminal.online(port, phone, Version.V2019 if number % 3 else Version.V2013)
        for round_ in range(rounds):
            count = int(rng.integers(1, 60))
            serials = []
            for k in range(count):
                if rng.random() < 0.05:
                    terminal.writer.write(b"\x7e" + rng.bytes(20).replace(b"\x7e", b"\x00") + b"\x7e")
                    bad += 1
                serials.append(terminal.send(0x0200, position(round_ * 1000 + k)))
            good += count
            for serial in serials:
                assert await terminal.result_of(serial, 0x0200, 60) == 0
            assert terminal.inbox == []
            if rng.random() < 0.3:
                await terminal.close()
                terminal = await Terminal.online(port, phone, terminal.version)
        await terminal.close()
        return good, bad

    async def soak() -> None:
        pool = await create_pool(db_url)
        before = _counted()
        async with running(pool, tmp_path / "log", partitions=2) as it:
            done = await asyncio.gather(*(one(it.port, n) for n in range(terminals)))
            good, bad = sum(g for g, _ in done), sum(b for _, b in done)
            assert len(await it.stored()) == good
        counted = {name: value - before.get(name, 0) for name, value in _counted().items()}
        assert counted["gongche_gateway_positions_total"] == good
        assert counted["gongche_gateway_positions_confirmed_total"] == good
        assert counted["gongche_gateway_replies_total"] == good
        assert counted["rejects"] == bad
        pool.terminate()

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(soak())


async def test_reports_that_are_larger_than_a_record_together_are_split(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    rng = np.random.default_rng(1)
    async with running(pool, tmp_path / "log") as it:
        terminal = await Terminal.online(it.port, "13900000001")
        blocker = sqlite3.connect(tmp_path / "log", isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        # 765 bytes of noise each, which no compression helps: together more than the log takes in one record.
        noise = [b"".join(b"\xe1\xff" + rng.bytes(255) for _ in range(3)) for _ in range(12_000)]
        serials = [terminal.send(0x0200, position(k, items=items)) for k, items in enumerate(noise)]
        await asyncio.sleep(1)  # time: as many as possible should be waiting together
        blocker.execute("ROLLBACK")
        blocker.close()
        for serial in serials:
            assert await terminal.result_of(serial, 0x0200) == 0
        assert len(await it.stored()) == 12_000


async def test_a_message_on_which_the_program_fails_stops_nobody(
    pool: asyncpg.Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The columns, and a session, fail on one particular message: it gets no reply and is kept; every other one of its turn, of
    its own terminal too, is stored and replied to."""
    poison = (31_980_000 + 777).to_bytes(4, "big")
    take, on_message = position_frames.take, Session.on_message

    def columns(frames: Any, rows: Any, terminals: Any) -> Any:
        if any(poison in frames.message(int(row)) for row in rows):
            raise RuntimeError("a fault of the program, put in by a test")
        return take(frames, rows, terminals)

    def session(self: Session, header: Any, body: bytes, now: float) -> Any:
        if header.id == 0x0002:
            raise RuntimeError("a fault of the program, put in by a test")
        return on_message(self, header, body, now)

    monkeypatch.setattr(position_frames, "take", columns)
    monkeypatch.setattr(Session, "on_message", session)
    async with running(pool, tmp_path / "log") as it:
        one = await Terminal.online(it.port, "013900000001")
        two = await Terminal.online(it.port, "013900000002")
        serials = [one.send(0x0200, position(k)) for k in (1, 777, 2)]
        serials.append(one.send(0x0002, b""))
        other = two.send(0x0200, position(3))
        assert await two.result_of(other, 0x0200) == 0
        for serial in (serials[0], serials[2]):
            assert await one.result_of(serial, 0x0200) == 0
        assert await one.ask(0x0200, position(4)) == 0
        assert sorted(await it.wait_rejects(2)) == ["fault", "fault"]
        assert len(await it.stored()) == 4
        await one.close()
        await two.close()
