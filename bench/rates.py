"""What a position costs at the rates of real cities, with everything up: CPU by process, turns and statements, and how long an
alert takes.

Open loop: the terminals of a large city (29,000, or ``--vehicles``) are connected, all together report 5,000 and then 15,000
positions/s, and beside them vehicles drive out of their yards as in ``latency``. CPU time is what is compared: it is read from /proc
around the sending alone, and of PostgreSQL with all of its processes. Idle, everything stays up with the terminals gone.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from bench.database import Fleet
from bench.latency import Driver, drive, register
from bench.processes import Generator, build, descendants, proportional_mb, scrape
from bench.report import heading, spread, table
from bench.system import System, behind_s, each_broker, system
from registry.changes import begin_reading
from rules.judge import queue
from rules.judge.subjects.all import GATHERERS
from runtime.postgres import connect
from telemetry.archive.partitions import clock_us

#: Positions/s -> the most CPU us a position that the project asks of itself; and of an alert's 99th percentile, in seconds.
RATES = {5_000: 25, 15_000: 15}
ALERT_P99_S = 0.5
#: As many as one process may have open descriptors for on usual machines (a city has 29,000).
TERMINALS = 15_000
#: Of each vehicle, before what is measured: its state is in memory, its partition is made.
_WARM_UP = 2
_WARM_RATE = 8_000
_DRIVES_PER_S = 10
_IDLE_S = 20.0
_PER_RUN_S = 4.0  # a run is so many times --seconds long
#: Sent before and after what is measured: the first turns after the terminals came are no ordinary ones.
_HOLD_S, _BEFORE_S, _AFTER_S = 2.0, 3.0, 2.0
_PROCESSES = ("gateway", "worker", "PostgreSQL", "judge", "API", "Kafka")
_STATISTICS = (
    "SELECT (pg_stat_get_db_xact_commit(oid) + pg_stat_get_db_xact_rollback(oid))::bigint"
    " FROM pg_database WHERE datname = current_database()"
)


@dataclass(frozen=True)
class Point:
    """Everything counted so far. ``at``: monotonic seconds."""

    at: float
    cpu: dict[str, float]
    confirmed: float
    turns: float
    appends: float
    transactions: int


@dataclass(frozen=True)
class Cost:
    """Of one run at one rate. ``micros``: CPU us a position by process. Appends and turns of the worker a second, transactions of
    PostgreSQL a second, rows of a turn; seconds from a position to its alert, and the 99th percentile of those to its reply."""

    rate: float
    micros: dict[str, float]
    appends: float
    turns: float
    rows: float
    transactions: float
    alerts: list[float]
    reply_p99_s: float = 0.0

    @property
    def total(self) -> float:
        """CPU us a position, of all processes."""
        return sum(self.micros.values())


@dataclass(frozen=True)
class Idle:
    """Everything up and nothing sent: CPU of all processes in percent of a core, and their memory in MiB, what they share
    counted once."""

    percent: dict[str, float]
    memory_mb: dict[str, float]


def _point(made: System) -> Point:
    at, cpu = time.monotonic(), made.cpu()
    gateway, worker = scrape(made.gateway_ports[0]), scrape(made.worker_ports[0])
    return Point(
        at, cpu, gateway["gongche_gateway_positions_confirmed_total"],
        worker['gongche_worker_transactions_total{result="committed"}'],
        gateway["gongche_gateway_log_append_seconds_count"], made.ask(_STATISTICS),
    )  # fmt: skip


def _between(before: Point, after: Point, alerts: list[float]) -> Cost:
    seconds, positions = after.at - before.at, after.confirmed - before.confirmed
    turns = after.turns - before.turns
    return Cost(
        positions / seconds,
        {name: (after.cpu[name] - before.cpu[name]) / positions * 1e6 for name in after.cpu},
        (after.appends - before.appends) / seconds,
        turns / seconds,
        positions / max(turns, 1),
        (after.transactions - before.transactions) / seconds,
        alerts,
    )


async def _drive(made: System, rate: int, seconds: float, drivers: list[Driver], token: str, terminals: int, back: int) -> Cost:  # fmt: skip
    before = {f"driver{k}" for k in range(drivers[0].number)}
    await asyncio.gather(*(driver.connect(made.port) for driver in drivers))
    generator = Generator(
        made.port, terminals=terminals, window=1, seconds=seconds + _BEFORE_S + _AFTER_S, rate=rate, core=None,
        known=True, step=1, back=back, hold=_HOLD_S,
    )  # fmt: skip
    try:
        await asyncio.to_thread(made.wait_online, terminals + len(drivers), generator)
        await asyncio.sleep(_HOLD_S + _BEFORE_S)
        begun = await asyncio.to_thread(_point, made)
        sending = asyncio.create_task(drive(made, drivers, token, seconds - 1, before=before))
        await asyncio.sleep(seconds)
        ended = await asyncio.to_thread(_point, made)
        # It waits for the last alert: that is of the run too.
        cost = _between(begun, ended, await sending)
    except BaseException:
        generator.process.kill()
        raise
    finally:
        for driver in drivers:
            driver.close()
    done = await asyncio.to_thread(generator.result)
    return replace(cost, reply_p99_s=done.p99_us / 1e6)


def _idle(made: System) -> Idle:
    before, began = made.cpu(), time.monotonic()
    time.sleep(_IDLE_S)
    after, seconds = made.cpu(), time.monotonic() - began
    postmaster = int((made.base / "postgres" / "postmaster.pid").read_text().split()[0])
    processes = {
        "gateway": made.gateway_pids,
        "worker": made.worker_pids,
        "PostgreSQL": descendants(postmaster),
        "judge": made.judge_pids,
        "API": [p for api in made.api_pids for p in descendants(api)],
    }
    return Idle(
        {name: (after[name] - before[name]) / seconds * 100 for name in after},
        {name: sum(map(proportional_mb, pids)) for name, pids in processes.items()},
    )


async def _looked(dsn: str) -> None:
    """The judge has looked at the past of the new fleet, which it does once, and takes a city's judge minutes."""
    connection = await connect(dsn)
    for gatherer in GATHERERS:
        await queue.set_clock(connection, gatherer.name, clock_us())
    await begin_reading(connection, queue.READER)
    await connection.close()


def _one(cluster: object, terminals: int, seconds: float) -> tuple[dict[int, Cost], Idle]:
    """All rates of one system, one after the other, and then nothing."""
    each = max(10, int(seconds * _DRIVES_PER_S))
    fleet = Fleet(terminals, fences=100, ordered=2, outside=0)
    tokens: list[str] = []

    def prepare(dsn: str) -> None:
        tokens.append(asyncio.run(register(dsn, each * len(RATES))))
        asyncio.run(_looked(dsn))

    back = behind_s()
    with system(fleet, prepare=prepare, kafka=cluster, judge=True, api=True) as made:  # type: ignore[arg-type]
        warm = made.drive(
            0, terminals=terminals, window=1, seconds=terminals * _WARM_UP / _WARM_RATE, rate=_WARM_RATE, back=back
        )  # fmt: skip
        made.wait_judged()
        found: dict[int, Cost] = {}
        sent = warm.positions // terminals + 2
        for k, rate in enumerate(RATES):
            drivers = [Driver(number) for number in range(k * each, (k + 1) * each)]
            found[rate] = asyncio.run(_drive(made, rate, seconds, drivers, tokens[0], terminals, back - sent))
            sent += int(rate * (seconds + _BEFORE_S + _AFTER_S)) // terminals + 2
        time.sleep(_AFTER_S)
        return found, _idle(made)


def run(options: argparse.Namespace) -> None:
    """Print what a position costs at each rate, and what nothing costs."""
    build()
    terminals, seconds = options.vehicles or TERMINALS, options.seconds * _PER_RUN_S
    for log, cluster in each_broker(options.log):
        runs = [_one(cluster, terminals, seconds) for _ in range(options.runs)]
        heading(f"Real rates: CPU per position, {log} log, everything up, {terminals:,} terminals")
        print(f"{options.runs} runs of {seconds:g} s at each rate, median (min-max)\n")
        names = [name for name in _PROCESSES if name in runs[0][0][min(RATES)].micros]
        rows = []
        for rate, asked in RATES.items():
            costs = [found[rate] for found, _ in runs]
            rows.append([
                f"{rate:,}", spread([cost.rate for cost in costs]),
                *(spread([cost.micros[name] for cost in costs], 1) for name in names),
                spread([cost.total for cost in costs], 1), f"<= {asked}",
            ])  # fmt: skip
        table(
            [
                "positions/s",
                "reached",
                *(f"{name} us/position" for name in names),
                "all us/position",
                "asked",
            ],
            rows,
        )
        print()
        rows = []
        for rate in RATES:
            costs = [found[rate] for found, _ in runs]
            p50, p99 = (spread([float(np.percentile(cost.alerts, p)) for cost in costs], 3) for p in (50, 99))
            rows.append([
                f"{rate:,}", spread([cost.appends for cost in costs], 1), spread([cost.turns for cost in costs], 1),
                spread([cost.rows for cost in costs]), spread([cost.transactions for cost in costs], 1), p50, p99,
                f"<= {ALERT_P99_S:g}", spread([cost.reply_p99_s for cost in costs], 3),
            ])  # fmt: skip
        table(
            [
                "positions/s", "appends/s of the gateway", "turns/s of the worker", "positions a turn", "transactions/s of PostgreSQL",
                "alert p50, s", "alert p99, s", "p99 asked", "reply p99, s",
            ],
            rows,
        )  # fmt: skip
        print()
        idles = [idle for _, idle in runs]
        names = list(idles[0].memory_mb)
        table(
            ["idle", *names, "all", "asked"],
            [
                ["% of a core", *(spread([i.percent[n] for i in idles], 2) for n in names), spread([sum(i.percent.values()) for i in idles], 2), "<= 2"],
                ["MiB", *(spread([i.memory_mb[n] for i in idles]) for n in names), f"{median(sum(i.memory_mb.values()) for i in idles):.0f}", "<= 400"],
            ],
        )  # fmt: skip
