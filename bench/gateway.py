"""The gateway against the C floor: same core, same generator on the other core, embedded log on disk.

The floor only frames and replies; the gateway checks, decodes, stores durably, and then replies. Each run measures both
in turn, so that a drift of the machine's speed touches both.
"""

from __future__ import annotations

import argparse

from bench.processes import OUT, SERVER_CORE, Load, build, free_port, load, running
from bench.report import heading, spread, table
from bench.system import system

TERMINALS = 1000
WINDOWS = (1, 8, 64)
#: What the project asks of itself, and go-jt808 (body decode, no storage) measured the same way elsewhere.
TARGET = {1: 0.65, 8: 0.50, 64: 0.40}


def run(options: argparse.Namespace) -> None:
    """Print replies per second and their share of the floor's."""
    build()
    heading("Gateway: replies per second on one core, replies after the embedded log has them on disk")
    floor: dict[int, list[Load]] = {w: [] for w in WINDOWS}
    ours: dict[int, list[Load]] = {w: [] for w in WINDOWS}
    settings = {"GONGCHE_AUTO_REGISTER": "true"}
    with system(worker=False, gateway_core=SERVER_CORE, settings=settings) as made:
        floor_port = free_port()
        with running([str(OUT / "jt808floor"), str(floor_port)], core=SERVER_CORE, port=floor_port):
            load(made.port, terminals=TERMINALS, window=1, seconds=1)  # registers the terminals, warms up
            for _ in range(options.runs):
                for window in WINDOWS:
                    for port, results in ((floor_port, floor), (made.port, ours)):
                        results[window].append(
                            load(port, terminals=TERMINALS, window=window, seconds=options.seconds)
                        )
    rows = []
    for window in WINDOWS:
        share = [a.acked_per_s / b.acked_per_s for a, b in zip(ours[window], floor[window], strict=True)]
        rows.append([
            str(window),
            spread([x.acked_per_s for x in floor[window]]),
            spread([x.acked_per_s for x in ours[window]]),
            spread(share, 3),
            f">= {TARGET[window]:.2f}",
            spread([x.p50_us / 1000 for x in ours[window]], 1),
            spread([x.p99_us / 1000 for x in ours[window]], 1),
        ])  # fmt: skip
    print(f"{TERMINALS} terminals, {options.runs} runs of {options.seconds:g} s each, median (min-max)\n")
    table(
        [
            "in flight per terminal",
            "floor replies/s",
            "gateway replies/s",
            "share",
            "asked",
            "p50 ms",
            "p99 ms",
        ],
        rows,
    )
