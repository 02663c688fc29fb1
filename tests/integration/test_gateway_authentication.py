"""Who may report: codes that memory does not know yet, answers that come late, several connections of a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import orjson

from telemetry.gateway.registrar import REGISTRATIONS
from telemetry.jt808.scalar.framing import encode_frame
from telemetry.jt808.scalar.header import Version, build_message
from telemetry.log.base import REJECTS
from telemetry.log.sqlite import EmbeddedLogReader
from tests.integration.terminal_client import Terminal, position
from tests.integration.test_gateway import running
from tests.waiting import until


@asynccontextmanager
async def registry_stuck(pool: asyncpg.Pool) -> AsyncIterator[None]:
    """The registry does not answer meanwhile (less than the five seconds after which the gateway stops waiting)."""
    async with pool.acquire() as other, other.transaction():
        await other.execute("LOCK TABLE terminals IN ACCESS EXCLUSIVE MODE")
        yield


async def test_a_stranger_cannot_queue_authentications(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with running(pool, tmp_path / "log") as it, running(pool, tmp_path / "other") as elsewhere:
        code = (await Terminal.online(elsewhere.port, "13900000001")).code
        stranger = await Terminal.connect(it.port, "13900000002")
        honest = await Terminal.connect(it.port, "13900000001")
        async with registry_stuck(pool):
            tasks = len(asyncio.all_tasks())
            stranger.writer.write(b"".join(stranger.frame(0x0102, b"%d" % k) for k in range(1000)))
            assert await stranger.closed()
            assert len(asyncio.all_tasks()) <= tasks + 5
            serial = honest.send(0x0102, code.encode())
            await asyncio.sleep(0.1)  # time: the gateway should have read it before the registry answers
        assert await honest.result_of(serial, 0x0102) == 0
        assert await honest.ask(0x0200, position()) == 0
        # Four that a newer one superseded, and the sixth, which was one too many.
        assert await it.wait_rejects(5) == ["rate"] * 5


async def test_a_late_answer_undoes_nothing_newer(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with running(pool, tmp_path / "log") as it, running(pool, tmp_path / "other") as elsewhere:
        known = await Terminal.online(it.port, "13900000001")
        mine = await Terminal.connect(it.port, "13900000001")
        gone = await Terminal.connect(it.port, "13900000004")
        theirs = await Terminal.online(elsewhere.port, "13900000002")
        last = await Terminal.connect(it.port, "13900000003")
        async with registry_stuck(pool):
            mine.send(0x0102, b"stale")
            # Right, but only another gateway knows.
            mine.send(0x0102, theirs.code.encode(), phone=theirs.phone)
            assert await mine.authenticate(known.code) == 0
            gone.send(0x0102, b"stale")
            assert await gone.ask(0x0003, b"") == 1  # refused, for it is not authenticated
            await gone.close()
            serial = last.send(0x0102, b"wrong")
            await asyncio.sleep(0.1)  # time: the gateway should have read it before the registry answers
        assert await last.result_of(serial, 0x0102) == 1  # so everything before it is decided
        assert await mine.ask(0x0002, b"") == 0
        assert await mine.ask(0x0200, position(1)) == 0
        assert not mine.inbox
        # Nor does the connection sit in the place of the other terminal.
        theirs_here = await Terminal.connect(it.port, theirs.phone)
        assert await theirs_here.authenticate(theirs.code) == 0
        assert await theirs_here.ask(0x0200, position(2)) == 0
        assert await mine.ask(0x0200, position(3)) == 0


async def test_a_refused_authentication_ends_the_right_to_report(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with running(pool, tmp_path / "log") as it:
        terminal = await Terminal.online(it.port, "13900000001")
        assert await terminal.authenticate("wrong") == 1
        assert await terminal.ask(0x0200, position()) == 1
        assert await it.wait_rejects(2) == ["bad_code", "not_authenticated"]


async def test_an_older_connection_that_is_decided_later_does_not_win(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    async with running(pool, tmp_path / "log") as it, running(pool, tmp_path / "other") as elsewhere:
        code = (await Terminal.online(elsewhere.port, "13900000001")).code
        older = await Terminal.connect(it.port, "13900000001")
        assert await older.ask(0x0002, b"") == 1
        newer = await Terminal.connect(it.port, "13900000001")
        assert await newer.authenticate(code) == 0
        older.send(0x0102, code.encode())
        assert await older.closed()
        assert await newer.ask(0x0200, position()) == 0


async def test_another_device_gets_no_code_and_puts_nobody_out(pool: asyncpg.Pool, tmp_path: Path) -> None:
    await pool.execute(
        "INSERT INTO terminals (phone, device_id, office_said) VALUES ('13900000001', 'D2', '{device_id}'), ('13900000002', 'D1', '{device_id}')"
    )
    async with running(pool, tmp_path / "log") as it:
        stranger = await Terminal.connect(it.port, "13900000001")  # says that it is D1
        assert (await stranger.register(), stranger.code) == (4, "")
        named = await Terminal.online(it.port, "13900000002")
        assert await named.ask(0x0200, position()) == 0
        assert await it.wait_rejects(1) == ["other_device"]


async def test_the_first_device_is_remembered_and_another_one_cuts_nobody_off(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    await pool.execute("INSERT INTO terminals (phone) VALUES ('13900000001'), ('ABCDEF00001')")
    async with running(pool, tmp_path / "log") as it:
        first = await Terminal.online(it.port, "13900000001")
        stranger = await Terminal.connect(it.port, "13900000001")
        assert (await stranger.register(b"D2"), stranger.code) == (3, "")
        assert await first.ask(0x0200, position()) == 0
        assert await it.wait_rejects(1) == ["other_device"]
        # A tracker with hexadecimal digits is a terminal like any other.
        tracker = await Terminal.online(it.port, "ABCDEF00001")
        assert await tracker.ask(0x0200, position()) == 0
        # Whoever asks again and again is not heard any more.
        results = []
        for _ in range(3):
            again = await Terminal.connect(it.port, "13900000001")
            with suppress(EOFError, ConnectionError):
                for _ in range(9):
                    results += [await again.register(b"D2")]
        # One more may come for every three seconds that this takes.
        assert set(results) == {3}
        assert REGISTRATIONS - 2 <= len(results) < 27
        assert await first.ask(0x0200, position()) == 0


async def test_no_code_is_kept_with_what_is_refused(pool: asyncpg.Pool, tmp_path: Path) -> None:
    code = b"0123456789abcdef" * 2
    async with running(pool, tmp_path / "log") as it:
        stranger = await Terminal.connect(it.port, "13900000001")
        stranger.writer.write(b"\x7e")
        for version in (Version.V2013, Version.V2019):
            message = build_message(0x0102, code, stranger.phone, 1, version=version)
            whole = encode_frame(message)
            stranger.writer.write(whole[:-2] + b"\0\x7e")  # checksum
            stranger.writer.write(whole[:-2] + b"\x7d\x7e")  # escape
            stranger.writer.write(encode_frame(message + b"1"))  # length
            stranger.writer.write(
                encode_frame(build_message(0x0102, code, "1", 1, version=version, total=1, index=2))
            )
        stranger.writer.write(encode_frame(build_message(0x0200, code, "1", 1) + b"1"))
        stranger.writer.write(whole[1:-2] + code * 100)  # too long
        assert sorted(await it.wait_rejects(10)) == [
            *["bad_escape"] * 2, *["bad_fragment"] * 2, *["checksum"] * 2, *["length_mismatch"] * 3, "too_long",
        ]  # fmt: skip
        reader = EmbeddedLogReader(it.path, REJECTS, it.partitions)
        for partition in (await reader.poll(1, 0)).assigned:
            await reader.seek(partition, 0)
        notes = [
            orjson.loads(line)
            for record in (await reader.poll(1 << 24, 0)).records
            for line in record.payload.splitlines()
        ]
        await reader.close()
    raws = [bytes.fromhex(note["raw"]) for note in notes]
    assert [len(raw) for raw in raws if code[:8] in raw] == [46], "of another message everything is kept"
    assert all(raw.startswith(b"\x01\x02") and len(raw) == 12 for raw in raws if code[:8] not in raw)


async def test_a_device_with_another_imei_than_the_office_named_is_refused(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    await pool.execute(
        "INSERT INTO terminals (phone, imei) VALUES ('13900000001', '860000000000001'), ('13900000002', '1')"
    )
    async with running(pool, tmp_path / "log") as it:
        terminal = await Terminal.connect(it.port, "13900000001", Version.V2019)
        assert await terminal.register() == 0
        assert await terminal.authenticate() == 1
        assert await terminal.ask(0x0200, position()) == 1
        assert await it.wait_rejects(2) == ["other_imei", "not_authenticated"]
        right = b"860000000000001"
        assert await terminal.authenticate(imei=right) == 0
        assert await terminal.ask(0x0200, position()) == 0
        older = await Terminal.online(it.port, "13900000002")  # 2013 has no field for it: not checked
        assert await older.ask(0x0200, position()) == 0

        async def told() -> bool:
            row = await pool.fetchrow(
                "SELECT reported_imei, reported_software FROM terminals WHERE phone = '13900000001'"
            )
            return bool(row == (right.decode(), "1.0"))

        await until(told, "what it says of itself is kept")
        kinds = await pool.fetch("SELECT kind, settled_at IS NULL AS open FROM terminal_notices")
        assert [tuple(row) for row in kinds] == [("other_imei", False)], "the right one has come since"
        # The office names another one: whoever is connected has to show it again.
        await pool.execute(
            "UPDATE terminals SET imei = '860000000000003', updated_at = clock_timestamp() WHERE phone = '13900000001'"
        )
        assert await terminal.closed()
        again = await Terminal.connect(it.port, "13900000001", Version.V2019)
        assert await again.authenticate(terminal.code, right) == 1
        assert await older.ask(0x0200, position(1)) == 0
