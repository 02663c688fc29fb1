"""15,000 connections on one gateway: what one costs in memory, how fast they come, and whether replies still work.

Two crowds: terminals that are known connect and authenticate (what follows a restart of the gateway), and terminals that
register first (what happens once in a terminal's life; each is a write to PostgreSQL).
"""

from __future__ import annotations

import argparse
import resource

from bench.database import Fleet
from bench.processes import Generator, Load, build, resident_mb
from bench.report import heading, spread, table
from bench.system import behind_s, system

CONNECTIONS = 15_000
#: A client address has 28,000 ports by default; a gateway admits 30,000 connections of one address.
_ADDRESSES = 5
_HOLD_S = 3.0


def run(options: argparse.Namespace) -> None:
    """Print memory, connections per second and reply times."""
    build()
    _raise_file_limit()
    heading(f"{CONNECTIONS:,} connections on one gateway, the generator on the same machine")
    print(f"{options.runs} runs, median (min-max); afterwards each has one report in flight\n")
    rows = []
    for name, known in (("authenticate", True), ("register and authenticate", False)):
        loads, memory = [], []
        for _ in range(options.runs):
            load, kib = _one(known, options.seconds)
            loads.append(load)
            memory.append(kib)
        rows.append([
            name,
            spread([x.ready for x in loads]),
            spread([x.ready / x.ready_s for x in loads]),
            spread(memory, 1),
            spread([x.acked_per_s for x in loads]),
            spread([x.p50_us / 1000 for x in loads]),
            spread([x.p99_us / 1000 for x in loads]),
            spread([x.unacked + x.bad + x.errors for x in loads]),
        ])  # fmt: skip
    table(
        [
            "they", "authenticated", "connections/s", "gateway KiB/connection", "replies/s", "p50 ms", "p99 ms", "without a reply",
        ],
        rows,
    )  # fmt: skip


def _one(known: bool, seconds: float) -> tuple[Load, float]:
    with system(Fleet(CONNECTIONS, fences=100), worker=False) as made:
        pid = made.gateway_pids[0]
        before = resident_mb(pid)
        generator = Generator(
            made.port, terminals=CONNECTIONS, window=1, seconds=seconds, core=None, known=known, step=1,
            back=behind_s(), hold=_HOLD_S, addresses=_ADDRESSES,
        )  # fmt: skip
        made.wait_online(CONNECTIONS, generator)
        memory = (resident_mb(pid) - before) * 1024 / CONNECTIONS
        return generator.result(check=False), memory


def _raise_file_limit() -> None:
    """The gateway takes what it is allowed; children inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + 1024
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise SystemExit(
            f"{CONNECTIONS} connections need {wanted} open files, the limit is {hard} (ulimit -Hn)"
        )
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
