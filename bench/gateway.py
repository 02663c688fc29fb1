"""The gateway against the C floor: same core, same generator on the other core, embedded log on disk.

The floor only frames and replies; the gateway checks, decodes, stores durably, and then replies. Each run measures both
in turn, so that a drift of the machine's speed touches both.
"""

from __future__ import annotations

from pathlib import Path

from bench.database import fresh_database
from bench.processes import SERVER_CORE, Load, build, free_port, gongche, load, running
from bench.report import heading, spread, table

TERMINALS = 1000
WINDOWS = (1, 8, 64)
#: What the project asks of itself, and go-jt808 (body decode, no storage) measured the same way elsewhere.
TARGET = {1: 0.65, 8: 0.50, 64: 0.40}


def run(runs: int, seconds: float) -> None:
    """Print replies per second and their share of the floor's."""
    build()
    heading("Gateway: replies per second on one core, replies after the embedded log has them on disk")
    floor: dict[int, list[Load]] = {w: [] for w in WINDOWS}
    ours: dict[int, list[Load]] = {w: [] for w in WINDOWS}
    with fresh_database() as (base, dsn):
        floor_port, port = free_port(), free_port()
        environment = {
            "GONGCHE_DATA_DIR": str(base),
            "GONGCHE_DATABASE_URL": dsn,
            "GONGCHE_TCP_HOST": "127.0.0.1",
            "GONGCHE_TCP_PORT": str(port),
            "GONGCHE_GATEWAY_METRICS_PORT": "0",
            "GONGCHE_AUTO_REGISTER": "true",
        }
        floor_command = [str(Path(__file__).parent / "out" / "jt808floor"), str(floor_port)]
        with (
            running(floor_command, core=SERVER_CORE, port=floor_port),
            running(
                gongche("gateway"),
                core=SERVER_CORE,
                port=port,
                environment=environment,
                log=base / "gateway.log",
            ),
        ):
            load(port, terminals=TERMINALS, window=1, seconds=1)  # registers the terminals, warms up
            for _ in range(runs):
                for window in WINDOWS:
                    floor[window].append(
                        load(floor_port, terminals=TERMINALS, window=window, seconds=seconds)
                    )
                    ours[window].append(load(port, terminals=TERMINALS, window=window, seconds=seconds))
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
    print(f"{TERMINALS} terminals, {runs} runs of {seconds:g} s each, median (min-max)\n")
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
