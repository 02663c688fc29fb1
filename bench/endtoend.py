"""The whole way on this machine, as ``gongche up`` runs it: terminals, gateway, log, worker, embedded PostgreSQL, judge and
API, generator included.

A position counts when it is stored *and* judged: from the first report to the commit of the last one. Of a thousand
vehicles 500 drive under an order, 400 within their fence and 100 outside of it with an open alert, so the worker's rules
all run. Every terminal has a clock of its own that goes a second with each position, so that every position moves its
vehicle's track.
"""

from __future__ import annotations

import argparse

from tools.kafka.broker import Cluster

from bench.database import Fleet
from bench.processes import build
from bench.report import heading, spread, table
from bench.system import behind_s, each_broker, system

FLEET = Fleet(1000, fences=100, ordered=2, outside=10)
TERMINALS = FLEET.vehicles
#: The fence is left after 200 m, which the generator drives in 24 positions. The measured run begins where the warm-up did: after
#: a short one no position is a jump.
_WARM_UP = 40
_LATER_S = 120
#: (in flight, positions in a 0x0704 or 0)
SHAPES = ((1, 0), (8, 0), (1, 10), (8, 10))
#: What the project asks of itself, positions/s: with one report in flight, and with more.
TARGET = {(1, 0): 20_000, (8, 0): 80_000, (1, 10): 80_000, (8, 10): 80_000}
_PROCESSES = ("gateway", "worker", "PostgreSQL", "judge", "API", "Kafka", "generator")


def run(options: argparse.Namespace) -> None:
    """Print positions per second stored and judged, and CPU microseconds per position by process."""
    build()
    for log, cluster in each_broker(options.log):
        heading(f"Whole way, {log} log: positions per second stored and judged, everything on this machine")
        rows = []
        for window, batch in SHAPES:
            rates, micros = _shape(cluster, window, batch, options.runs, options.seconds)
            shape = f"{window} in flight" + (f", 0x0704 of {batch}" if batch else "")
            cost = [spread(micros[name], 1) if name in micros else "-" for name in _PROCESSES]
            rows.append([shape, spread(rates), f">= {TARGET[window, batch]:,}", *cost])
        print(f"{TERMINALS} terminals, a fresh database for each of {options.runs} runs, median (min-max)\n")
        table(["reports", "positions/s", "asked", *(f"{name} us/position" for name in _PROCESSES)], rows)


def _shape(
    cluster: Cluster | None, window: int, batch: int, runs: int, seconds: float
) -> tuple[list[float], dict[str, list[float]]]:
    rates: list[float] = []
    micros: dict[str, list[float]] = {}
    for _ in range(runs):
        rate, cost = _one(cluster, window, batch, seconds)
        rates.append(rate)
        for name, value in cost.items():
            micros.setdefault(name, []).append(value)
    return rates, micros


def _one(cluster: Cluster | None, window: int, batch: int, seconds: float) -> tuple[float, dict[str, float]]:
    back = behind_s()
    with system(FLEET, kafka=cluster, judge=True, api=True) as made:
        # What happens once is not measured: partitions of the day, the first alert of every vehicle, a cold JVM.
        warm = made.drive(
            0, terminals=TERMINALS, window=1, seconds=2, rate=TERMINALS * _WARM_UP / 2, back=back
        )
        made.wait_judged()  # a judge that starts looks at what it has missed
        done = made.drive(
            warm.positions,
            terminals=TERMINALS,
            window=window,
            seconds=seconds,
            batch=batch,
            back=back - _LATER_S,
        )
        stored = made.rows()
        if stored != warm.positions + done.positions:
            raise SystemExit(f"{warm.positions + done.positions} replied to, {stored} stored; {made.words()}")
    return done.rate, done.micros
