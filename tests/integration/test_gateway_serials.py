"""JT/T 808 4.4.3: the platform counts what it sends on a connection, whatever it is, in the order of sending."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import asyncpg
import pytest

from telemetry.jt808.scalar.framing import encode_frame
from telemetry.jt808.scalar.header import Header, Version, build_message
from tests.integration.terminal_client import Terminal, position
from tests.integration.test_gateway import both_versions, running

HEARTBEAT, TIME_QUERY, REGISTER, AUTHENTICATE = 0x0002, 0x0004, 0x0100, 0x0102
POSITION, BATCH, CAN = 0x0200, 0x0704, 0x0705


async def received(terminal: Terminal, count: int) -> list[Header]:
    """The headers of the next ``count`` platform messages, in the order they came."""
    return [(await terminal.receive())[0] for _ in range(count)]


def serials(headers: list[Header]) -> list[int]:
    return [header.serial for header in headers]


@both_versions
async def test_one_counter_for_everything(pool: asyncpg.Pool, tmp_path: Path, version: Version) -> None:
    async with running(pool, tmp_path / "log", partitions=2) as it:
        terminal = await Terminal.connect(it.port, "13900000001", version)
        other = await Terminal.online(it.port, "13900000002", version)
        heard: list[Header] = []
        receive = terminal.receive

        async def listening(wait_s: float = 10) -> tuple[Header, bytes]:
            header, body = await receive(wait_s)
            heard.append(header)
            return header, body

        terminal.receive = listening  # type: ignore[method-assign]  # the client's own, so that its steps are heard too
        await terminal.register()
        await terminal.authenticate()
        for k in range(3):
            terminal.send(POSITION, position(k))
            other.send(POSITION, position(k))
        await received(terminal, 3)
        await terminal.ask(HEARTBEAT, b"")
        terminal.send(TIME_QUERY, b"")
        await received(terminal, 1)
        terminal.send(BATCH, b"\0\2\1" + (b"\0\x1c" + position(50)) * 2)
        terminal.send(POSITION, position(60))
        await received(terminal, 2)
        assert await terminal.ask(CAN, b"") == 3  # not supported
        assert await terminal.ask(POSITION, b"") == 2  # no position
        await terminal.register()  # again, on the same connection
        ids = [0x8100, *[0x8001] * 5, 0x8004, *[0x8001] * 4, 0x8100]
        assert [header.id for header in heard] == ids
        assert serials(heard) == list(range(len(ids)))
        assert serials(await received(other, 3)) == [2, 3, 4]


async def test_the_order_is_that_of_sending(pool: asyncpg.Pool, tmp_path: Path) -> None:
    """Replies to positions wait for the log; a heartbeat that came behind them is answered before."""
    async with running(pool, tmp_path / "log") as it:
        terminal = await Terminal.online(it.port, "13900000001")
        blocker = sqlite3.connect(tmp_path / "log", isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        positions = [terminal.send(POSITION, position(k)) for k in range(5)]
        heartbeat = terminal.send(HEARTBEAT, b"")
        header, body = await terminal.receive()
        assert (header.serial, body[:2]) == (2, heartbeat.to_bytes(2, "big"))
        positions.append(terminal.send(POSITION, position(9)))
        terminal.send(HEARTBEAT, b"")
        assert serials(await received(terminal, 1)) == [3]
        blocker.execute("ROLLBACK")
        blocker.close()
        answers = [await terminal.receive() for _ in positions]
        assert serials([header for header, _ in answers]) == list(range(4, 10))
        assert [int.from_bytes(body[:2], "big") for _, body in answers] == positions


async def test_a_request_for_packages_counts_too(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with running(pool, tmp_path / "log") as it:
        terminal = await Terminal.online(it.port, "13900000001")
        first = terminal.serial
        for index in (1, 3):
            message = build_message(
                BATCH, position(index), terminal.phone, first + index - 1, total=3, index=index
            )
            terminal.writer.write(encode_frame(message))
        terminal.serial += 3
        terminal.send(POSITION, position(7))
        replies = await received(
            terminal, 3
        )  # to the first package, to the position; 0x8003 after some seconds
        assert [header.id for header in replies] == [0x8001, 0x8001, 0x8003]
        terminal.send(HEARTBEAT, b"")
        replies += await received(terminal, 1)
        assert serials(replies) == [2, 3, 4, 5]


@pytest.mark.parametrize("turn", [1000, 1])
async def test_serials_wrap_behind_65535(pool: asyncpg.Pool, tmp_path: Path, turn: int) -> None:
    """``turn`` positions at once and a heartbeat between, on to the next 0."""
    async with running(pool, tmp_path / "log") as it:
        terminal = await Terminal.online(it.port, "13900000001")
        seen = [0, 1]
        while len(seen) < 65_000:
            for k in range(1000):
                terminal.send(POSITION, position(k))
            seen += serials(await received(terminal, 1000))
        while len(seen) < 66_100:
            for k in range(turn):
                terminal.send(POSITION, position(k))
            terminal.send(HEARTBEAT, b"")
            seen += serials(await received(terminal, turn + 1))
        assert seen == [k & 0xFFFF for k in range(len(seen))]
