"""``python -m bench [NAME ...]``: run the benchmarks and print their figures as Markdown."""

from __future__ import annotations

import argparse
from importlib import import_module

from bench.report import machine

NAMES = {
    "gateway": "replies per second as a share of the C floor's",
    "decode": "frames per second through the column codec alone",
    "fence": "points per second against 1 and 1,000 fences",
    "archive": "positions per second into PostgreSQL",
    "endtoend": "positions per second stored and judged, everything on this machine",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="; ".join(f"{k}: {v}" for k, v in NAMES.items())
    )
    parser.add_argument(
        "--runs", type=int, default=5, help="runs of each, the median is what counts (default 5)"
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one loaded run (default 3)")
    options = parser.parse_args()
    unknown = set(options.names) - NAMES.keys()
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    print(machine())
    for name in options.names or NAMES:
        import_module(f"bench.{name}").run(options.runs, options.seconds)


if __name__ == "__main__":
    main()
