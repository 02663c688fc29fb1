"""``python -m bench [NAME ...]``: run the benchmarks and print their figures as Markdown."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from importlib import import_module

from bench.report import machine

NAMES = {
    "gateway": "replies per second as a share of the C floor's",
    "endtoend": "positions per second stored and judged, everything on this machine, over each log",
    "latency": "reply, and position to alert in the feed, at 5,000 positions/s",
    "office": "pages, lists, tracks, the stream at a million alerts and 300,000 cases, beside 5,000 positions/s",
    "console": "in a browser: the list at a million alerts and its first sight over 4G, 10,000 fixes, a day at 60x, 29,000 vehicles that move",
    "lists": "every filter and every order of the list of alerts at a million alerts, by three readers, nothing beside",
    "live": "the live map of 29,000 vehicles: CPU of the API and bytes of each of 50 viewers",
    "recompute": "position to alert in the feed while 30 days of 29,000 vehicles are computed again",
    "rates": "CPU of all processes per position at 5,000 and 15,000 positions/s from 15,000 terminals, with everything up; idle",
    "commands": "a text to 10,000 terminals: until the last has confirmed it, and what positions wait meanwhile",
    "connections": "15,000 connections on one gateway: memory, how fast they come, replies",
    "growth": "CPU per position from 1,000 to 15,000 vehicles and from 10 to 10,000 fences",
    "city": "a day of 854, 5,000 and 29,000 vehicles settled for all rules; location live; routes of a real engine",
    "decode": "frames per second through the column codec alone",
    "fence": "points per second against 1 and 1,000 fences",
    "archive": "positions per second into PostgreSQL",
    "cold": "bytes a position in files; a vehicle's month in 400 days of 29,000 vehicles",
    "chain": "positions per second with alerts, without chains and with the sealer beside",
    "documents": "PDFs of 督办单 a minute on one core",
    "dispatch": "the goals of the planner: constraints, optimum, seconds, empty km against first fit",
    "statements": "the statements of a month for 161 platforms",
    "reconciliation": "100,000 lines of vouchers against the ledger, with planted defects",
    "backtest": "mileage over a prefecture's month with another ratio",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="; ".join(f"{k}: {v}" for k, v in NAMES.items())
    )
    parser.add_argument(
        "--runs", type=int, default=5, help="runs of each, the median is what counts (default 5)"
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one loaded run (default 5)")
    parser.add_argument(
        "--log", choices=("embedded", "kafka", "both"), default="both",
        help="the log of endtoend and latency (default both)",
    )  # fmt: skip
    parser.add_argument(
        "--vehicles",
        type=int,
        default=0,
        help="the only size of city (default: 854, 5,000 and 29,000 in turn); of console (default 29,000); terminals of commands"
        " (default 10,000); trips of each platform of statements (default 250); lines of reconciliation (default 100,000)",
    )
    parser.add_argument(
        "--trips-a-month", type=int, default=4,
        help="settled trips of every driver in each of the four months before the day of city (default 4)",
    )  # fmt: skip
    parser.add_argument(
        "--alerts",
        type=int,
        default=1_000_000,
        help="how many lists and console are asked of (default 1,000,000)",
    )
    parser.add_argument(
        "--ask", metavar="QUERY", help="the only question of lists, as in an address: 'order=occurred&rule=mileage'"
    )  # fmt: skip
    options = parser.parse_args()
    # Ended from outside it still stops its servers and removes its folders.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    unknown = set(options.names) - NAMES.keys()
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    print(machine())
    for name in options.names or NAMES:
        began = time.monotonic()
        import_module(f"bench.{name}").run(options)
        print(f"\n({name}: {time.monotonic() - began:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
