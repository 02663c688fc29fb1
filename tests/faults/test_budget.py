"""While the log takes nothing the gateway counts at least what it really holds, however few reports come at a time."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from prometheus_client import REGISTRY

from telemetry.gateway.limits import Limits
from telemetry.gateway.tcp import Gateway
from telemetry.log.sqlite import EmbeddedLogWriter
from telemetry.terminals.directory import TerminalDirectory
from tests.integration.terminal_client import Terminal, position

_TURNS = 150
#: Longer than the gateway waits for more reports to come together.
_APART_S = 0.008


@asynccontextmanager
async def _stuck(pool: asyncpg.Pool, path: Path) -> AsyncIterator[int]:
    """The port of a gateway whose log is locked by somebody else."""
    directory = TerminalDirectory(pool, True)
    await directory.load()
    log = EmbeddedLogWriter(path)
    gateway = Gateway(directory, log, Limits())
    port = gateway.listen("127.0.0.1", 0)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    try:
        yield port
    finally:
        blocker.execute("ROLLBACK")
        blocker.close()
        assert await gateway.drain(10) == 0
        await log.close()


def _counted() -> float:
    return REGISTRY.get_sample_value("gongche_gateway_memory_budget_used_bytes") or 0.0


def _held() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.mark.parametrize("together", [1, 20])
async def test_what_waits_is_counted(pool: asyncpg.Pool, tmp_path: Path, together: int) -> None:
    async with _stuck(pool, tmp_path / "log") as port:
        terminal = await Terminal.online(port, "13900000001")
        tracemalloc.start()
        try:
            await _report(terminal, 20, together)  # what is made once
            held, counted = _held(), _counted()
            await _report(terminal, _TURNS, together)
            held, counted = _held() - held, _counted() - counted
        finally:
            tracemalloc.stop()
    assert counted > _TURNS * together * 100
    assert held <= counted * 1.05, f"{held} bytes are held, {counted:.0f} are counted"
    assert counted <= held * 3, "a budget that counts what is not there stops reading too early"


async def test_connections_that_have_gone_are_counted(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with _stuck(pool, tmp_path / "log") as port:
        terminal = await Terminal.online(port, "13900000001")
        tracemalloc.start()
        try:
            terminal = await _reconnect(terminal, port, 20)
            held, counted = _held(), _counted()
            terminal = await _reconnect(terminal, port, _TURNS)
            held, counted = _held() - held, _counted() - counted
        finally:
            tracemalloc.stop()
        terminal.writer.close()
    assert held <= counted * 1.05, f"{held} bytes are held, {counted:.0f} are counted"


async def _report(terminal: Terminal, turns: int, together: int) -> None:
    for turn in range(turns):
        for k in range(together):
            terminal.send(0x0200, position(turn * together + k))
        await asyncio.sleep(_APART_S)  # time: see _APART_S
    assert await terminal.ask(0x0002, b"") == 0  # a heartbeat behind them: all were read


async def _reconnect(terminal: Terminal, port: int, times: int) -> Terminal:
    for k in range(times):
        terminal.send(0x0200, position(k))
        terminal.writer.close()
        fresh = await Terminal.connect(port, terminal.phone, terminal.version)
        fresh.code = terminal.code
        terminal = fresh
        assert await terminal.authenticate() == 0
    return terminal
