"""One trial of ``bounded``: a machine with a crowd before it, what is measured, and what was wrong."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools.kafka.broker import Cluster

from tests.faults.accounts import Accounts, reckon
from tests.faults.crowd import Crowd
from tests.faults.fleet import FleetPlan
from tests.faults.harness import Machine, machine

#: Recovered: over ``STEADY_S`` the 99th percentile is within twice of what it was before. Below FLOOR_MS it is always well:
#: on a shared machine a few milliseconds more or less say nothing.
FLOOR_MS = 50.0
STEADY_S = 5.0
RECOVERY_S = 180.0
#: Rows that every terminal has at once in a burst: its whole window of 0x0704.
_BURST_ROWS = 160
_FLUSH_S = 300.0


@dataclass(frozen=True, slots=True)
class Setup:
    """One trial. ``terminals`` send ``rate`` positions a second together; the trouble lasts ``seconds``; before and
    after it at least ``calm_s``. ``crowd``: attackers of slow-writers."""

    seconds: float
    terminals: int
    rate: float
    budget_mb: int = 256
    calm_s: float = 15.0
    log: str = "kafka"
    attackers: int = 10_000
    frame_timeout_s: float = 10.0
    settle_s: float = 900.0


class Memory:
    """Resident memory of a program, in MiB. ``peak``: the highest since ``mark``, over restarts of the program."""

    def __init__(self, made: Machine, name: str) -> None:
        self._program = made.programs[name]
        self.base = self.peak = 0.0

    def now(self, what: str = "VmRSS") -> float:
        life = self._program.life
        if life is None:
            return 0.0
        with suppress(OSError):
            for line in Path(f"/proc/{life.process.pid}/status").read_text().splitlines():
                if line.startswith(what):
                    return int(line.split()[1]) / 1024
        return 0.0

    def cpu_s(self) -> float:
        """User and system time of the process so far."""
        life = self._program.life
        with suppress(OSError):
            if life is not None:
                fields = Path(f"/proc/{life.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
                return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return 0.0

    def mark(self) -> None:
        """The most that it had is the base; peaks count from here."""
        life = self._program.life
        assert life is not None
        self.base, self.peak = self.now("VmHWM"), self.now()
        Path(f"/proc/{life.process.pid}/clear_refs").write_text("5")

    def look(self) -> None:
        self.peak = max(self.peak, self.now("VmHWM"))


@dataclass
class Trial:
    """A machine with its crowd, what was measured, and what was wrong."""

    setup: Setup
    machine: Machine
    crowd: Crowd
    gateway: Memory
    worker: Memory
    figures: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    before_ms: float = 0.0  # 99th percentile of the reply while all was well
    strangers: int = 0  # authentications of others than the crowd

    def expect(self, holds: bool, text: str) -> None:
        if not holds:
            self.wrong.append(text)

    async def watch(self) -> None:
        """Sample once a second, without end."""
        begin = time.monotonic()
        while True:
            self.gateway.look()
            self.worker.look()
            if int(time.monotonic() - begin) % 30 == 29:
                self.say(f"gateway {self.gateway.now():.0f} MiB, worker {self.worker.now():.0f} MiB")
            await asyncio.sleep(1.0)

    def say(self, text: str) -> None:
        print(
            f"  {time.strftime('%H:%M:%S')} {text}, {self.crowd.waiting:,} positions wait",
            file=sys.stderr,
            flush=True,
        )

    async def calm(self) -> None:
        """Everybody connects, sends bursts as after an outage (what the process needs for them at full speed is the
        base), and reports at the rate for ``calm_s``."""
        await self.crowd.connect()
        for _ in range(3):
            self.crowd.burst(_BURST_ROWS)
            await self.crowd.flush(_FLUSH_S)
        self.gateway.mark()
        self.worker.mark()
        self.crowd.drive()
        await asyncio.sleep(self.setup.calm_s / 3)  # time: what is measured needs a while
        begin, cpu = self.crowd.now(), self.gateway.cpu_s()
        await asyncio.sleep(self.setup.calm_s * 2 / 3)  # time: the same
        self.measure("before", begin, self.crowd.now(), cpu)
        self.before_ms = self.crowd.p99_ms(begin, self.crowd.now())

    def measure(self, name: str, since: float, until: float, cpu_s: float) -> None:
        """Latency, the generator's own lag, and the gateway's share of a core, of a phase that is over. ``cpu_s``: what
        the gateway had used when it began."""
        self.figures |= {
            f"p99_{name}_ms": round(self.crowd.p99_ms(since, until), 1),
            f"generator_lag_{name}_ms": round(self.crowd.lag_p99_ms(since, until), 1),
            f"gateway_cpu_{name}": round((self.gateway.cpu_s() - cpu_s) / (self.crowd.now() - since), 2),
        }

    async def recovered(self, since: float, before_ms: float) -> None:
        """Wait until no backlog is left and the 99th percentile is what it was; how long that took from ``since`` on."""
        limit, crowd = max(2 * before_ms, FLOOR_MS), self.crowd
        steady = min(STEADY_S, self.setup.calm_s)
        at = since
        while crowd.now() - since < RECOVERY_S:
            if crowd.now() < at + steady + 1.0:
                await asyncio.sleep(0.1)
            elif crowd.waiting > 2 * self.setup.rate:  # reports that nobody could send yet wait as well
                at = crowd.now()
            elif crowd.p99_ms(at, at + steady) <= limit:
                self.figures["recovered_s"] = round(at - since, 1)
                self.figures["p99_after_ms"] = round(crowd.p99_ms(at, at + steady), 1)
                return
            else:
                at += 0.5
        self.wrong.append(f"the 99th percentile is not back at {limit:.0f} ms after {RECOVERY_S:.0f} s")

    async def finish(self) -> None:
        """The terminals send what they have and go; then memory and accounts."""
        self.crowd.rest()
        begin = self.crowd.now()
        await self.crowd.flush(_FLUSH_S)
        metrics = await self.machine.gateway.metrics() or {}
        self.figures["pauses"] = round(metrics.get("gongche_gateway_pauses_total", -1))
        self.crowd.leave()
        await self.machine.settled(self.setup.settle_s)
        self.figures["settled_s"] = round(self.crowd.now() - begin, 1)
        self.gateway.look()
        self.worker.look()
        bound = self.gateway.base + self.setup.budget_mb
        self.figures |= {
            "gateway_base_mib": round(self.gateway.base), "gateway_peak_mib": round(self.gateway.peak),
            "gateway_bound_mib": round(bound),
            "worker_base_mib": round(self.worker.base), "worker_peak_mib": round(self.worker.peak),
        }  # fmt: skip
        self.expect(
            self.gateway.peak <= bound, f"the gateway used {self.gateway.peak:.0f} MiB, bound {bound:.0f}"
        )
        found: Accounts = await reckon(self.machine, self.crowd, strangers=self.strangers)
        self.figures |= {
            "sent": found.sent, "replied": found.replied, "logged": found.logged, "stored": found.stored,
            "duplicates": found.duplicates, "appended_again": found.appended_again, "lost": found.lost,
        }  # fmt: skip
        self.wrong += found.wrong


@asynccontextmanager
async def trial(setup: Setup, cluster: Cluster | None) -> AsyncIterator[Trial]:
    """Everything for one trial, gone at its end."""
    dribblers = setup.attackers if setup.attackers else 0
    times = setup.seconds + 3 * setup.calm_s + 2 * RECOVERY_S
    plan = FleetPlan.ending_before(
        datetime.now(UTC),
        setup.terminals + dribblers,
        int(times * setup.rate / setup.terminals) + 3 * _BURST_ROWS + 20,
    )
    settings = {
        "GONGCHE_MEMORY_BUDGET_MB": str(setup.budget_mb),
        "GONGCHE_FRAME_TIMEOUT_S": str(setup.frame_timeout_s),
    }
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(machine(plan, settings=settings, cluster=cluster))
        crowd = await stack.enter_async_context(
            Crowd(plan, made.port, terminals=setup.terminals, rate=setup.rate)
        )
        running = Trial(setup, made, crowd, Memory(made, "gateway"), Memory(made, "worker"))
        watching = asyncio.create_task(running.watch())
        try:
            yield running
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
