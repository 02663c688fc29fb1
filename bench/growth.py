"""CPU per position (gateway, worker and PostgreSQL) as the fleet and the fences grow; the same positions in each run.

Open loop at a fixed rate, so that every size has the same number of positions in the same time. Half of the vehicles drive
under an order; of the others nine in ten are within their fence and one in ten outside, with an alert that opened before
the measurement.
"""

from __future__ import annotations

import argparse
from statistics import median

from bench.database import Fleet
from bench.processes import build
from bench.report import heading, spread, table
from bench.system import behind_s, system

#: What the project asks of itself: the cost grows by less than a third.
TARGET = 4 / 3
RATE = 15_000
#: (what grows, its sizes)
_VEHICLES = ("vehicles", [Fleet(n, fences=100, outside=10) for n in (1_000, 15_000)])
_FENCES = ("fences", [Fleet(15_000, fences=n, outside=10) for n in (10, 10_000)])
#: An alert opens after 200 m, which the generator drives in 24 positions.
_WARM_UP = 30
_WARM_RATE = 40_000
_LATER_S = 120
_PROCESSES = ("gateway", "worker", "PostgreSQL")


def run(options: argparse.Namespace) -> None:
    """Print CPU microseconds a position by process and size, and how they grow."""
    build()
    seconds = 2 * options.seconds
    for what, fleets in (_VEHICLES, _FENCES):
        heading(f"Growth: CPU per position at {RATE:,} positions/s as the {what} grow")
        rows, sums = [], []
        for fleet in fleets:
            costs = [_one(fleet, seconds) for _ in range(options.runs)]
            total = [sum(cost[name] for name in _PROCESSES) for cost in costs]
            sums.append(median(total))
            rows.append([
                f"{fleet.vehicles:,}", f"{fleet.fences:,}",
                *(spread([cost[name] for cost in costs], 1) for name in _PROCESSES),
                spread(total, 1), f"{sums[-1] / sums[0]:.2f}", f"< {TARGET:.2f}",
            ])  # fmt: skip
        print(
            f"{options.runs} runs of {seconds:g} s, {RATE * seconds:,.0f} positions each, median (min-max)\n"
        )
        table(
            [
                "vehicles",
                "fences",
                *(f"{name} us/position" for name in _PROCESSES),
                "all",
                "grows to",
                "asked",
            ],
            rows,
        )


def _one(fleet: Fleet, seconds: float) -> dict[str, float]:
    back = behind_s()
    with system(fleet) as made:
        warm = made.drive(
            0, terminals=fleet.vehicles, window=1, seconds=fleet.vehicles * _WARM_UP / _WARM_RATE, rate=_WARM_RATE,
            back=back,
        )  # fmt: skip
        done = made.drive(
            warm.positions,
            terminals=fleet.vehicles,
            window=1,
            seconds=seconds,
            rate=RATE,
            back=back - _LATER_S,
        )
        return done.micros
