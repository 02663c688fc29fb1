"""A text to 10,000 terminals at once, through one gateway: how long until the last has confirmed it, and what positions wait meanwhile.

The terminals are simulated in this process, on the other core, and go on sending positions. What commands cost while there are none:
``python -m bench gateway`` of this program and of the one before it, side by side.
"""

from __future__ import annotations

import argparse
import asyncio
import time

import asyncpg

from bench.connections import CONNECTIONS, _raise_file_limit
from bench.database import Fleet
from bench.processes import FIRST_PHONE, SERVER_CORE
from bench.report import heading, spread, table
from bench.system import system
from runtime.postgres import connect
from runtime.units import US_PER_S
from simulation.terminal.many import Fleet as Terminals
from simulation.terminal.many import registration
from simulation.terminal.statistics import LatencyHistogram
from telemetry.commands.thread import CHANNEL
from telemetry.jt808.scalar.header import Version
from telemetry.jt808.scalar.report import Location, encode_location

TERMINALS = 10_000
#: Positions a second of all together.
RATE = 1_000
#: What the project asks of itself.
MOST_S, MOST_REPLY_MS = 10.0, 100.0


def run(options: argparse.Namespace) -> None:
    """Print seconds until all have it, and reply times of positions before and meanwhile."""
    terminals = options.vehicles or TERMINALS
    assert terminals <= CONNECTIONS
    _raise_file_limit()
    heading(f"A text to {terminals:,} terminals beside {RATE:,} positions/s")
    with system(Fleet(terminals), worker=False, gateway_core=SERVER_CORE) as made:
        took, before, beside = asyncio.run(
            _texts(made.port, made.dsn, terminals, options.runs, options.seconds)
        )
    print(f"{options.runs} runs, median (min-max)\n")
    table(
        ["until the last has confirmed, s", "asked", "reply p99 ms without texts", "reply p99 ms meanwhile", "asked"],
        [[spread(took, 1), f"< {MOST_S:g}", spread(before, 1), spread(beside, 1), f"< {MOST_REPLY_MS:g}"]],
    )  # fmt: skip


async def _texts(
    port: int, dsn: str, terminals: int, runs: int, seconds: float
) -> tuple[list[float], list[float], list[float]]:
    connection = await connect(dsn)
    took, before, beside = [], [], []
    async with Terminals("127.0.0.1", port) as fleet:
        for k in range(terminals):
            fleet.add(str(FIRST_PHONE + k), registration(f"苏F{k:05}", f"D{k:06}", Version.V2013))
        await fleet.all_online(120)
        moving = asyncio.create_task(_move(fleet))
        for _ in range(runs):
            fleet.stats.latency = LatencyHistogram()
            await asyncio.sleep(seconds)
            before.append(fleet.stats.latency.quantile(0.99) * 1000)
            fleet.stats.latency = LatencyHistogram()
            took.append(await _send(connection))
            beside.append(fleet.stats.latency.quantile(0.99) * 1000)
        moving.cancel()
    await connection.close()
    return took, before, beside


async def _move(fleet: Terminals) -> None:
    """Positions of one terminal after the other, ``RATE`` a second."""
    sent, began = 0, time.monotonic()
    while True:
        now_us = time.time_ns() // 1000 // US_PER_S * US_PER_S
        while sent < (time.monotonic() - began) * RATE:
            place = Location(now_us, 31_000_000 + sent % 1_000, 121_000_000, status=3)
            fleet.terminals[sent % len(fleet.terminals)].offer([encode_location(place)])
            sent += 1
        await asyncio.sleep(0.01)


async def _send(connection: asyncpg.Connection) -> float:
    """A text to each, asked in one statement; seconds until all have confirmed it."""
    began = time.monotonic()
    async with connection.transaction():
        await connection.execute(
            "INSERT INTO terminal_commands (organisation, vehicle, terminal_no, kind, fields, reason, asked_by, asked_by_name, persons, key,"
            " expires_at, state, events) SELECT v.organisation, v.id, b.terminal_no, 'text', $1, 'a benchmark', 'bench', 'bench', '{}',"
            " gen_random_uuid()::text, now() + interval '1 h', 'queued', 0 FROM vehicles v JOIN terminal_bindings b ON b.vehicle_no = v.no",
            {"text": "请按时返回", "urgent": False, "display": True, "speak": True},
        )
        await connection.execute("SELECT pg_notify($1, '')", CHANNEL)
    while left := await connection.fetchval(
        "SELECT count(*) FROM terminal_commands WHERE state IN ('queued', 'sent')"
    ):
        if time.monotonic() - began > 120:
            raise SystemExit(f"{left} texts were not confirmed within 120 s")
        await asyncio.sleep(0.1)
    return time.monotonic() - began
