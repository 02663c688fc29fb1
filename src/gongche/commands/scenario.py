"""``gongche scenario``: a labelled month of a fleet, as files, or judged and compared with its labels."""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import signal
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from gongche.progress import FILE_S, in_place
from runtime.errors import ConfigurationError
from runtime.logs import configure_logging
from simulation.month.score import Found
from simulation.plants.world import World


def _month(text: str) -> date:
    if re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", text, re.ASCII):
        return date.fromisoformat(f"{text}-01")
    raise argparse.ArgumentTypeError(f"{text}: 应为月份 / a month like 2025-10")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--out", type=Path, metavar="DIR", help="写成文件 / write it as files into this folder")
    what.add_argument(
        "--check", action="store_true", help="判定并与标签比对 / have it judged and compare with the labels"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="随机种子 / seed (%(default)s)")
    parser.add_argument(
        "--vehicles", type=int, default=854, metavar="N", help="装有终端的车辆数 / vehicles with a terminal (%(default)s)"
    )  # fmt: skip
    parser.add_argument(
        "--month",
        type=_month,
        default=date(2025, 10, 1),
        metavar="YYYY-MM",
        help="月份 / the month (2025-10)",
    )
    parser.add_argument(
        "--in-disorder",
        action="store_true",
        help="月后乱序、重复送达 / everything after the month, shuffled and doubled (--check)",
    )
    parser.epilog = """\
同一种子、车辆数、月份总是得到同样的一个月：单位、车辆、派车单、加油、违章、定位，各类疑似和易误判情形都已埋设并标注。
The same seed, number and month give the same month. Every rule's violations and traps are planted and labelled:
docs/scenario.md. --check works in a database of its own, with the real worker, judge and navigation engine.
  gongche scenario --check --vehicles 60
  gongche scenario --out scenario/ && ls scenario/
退出码 / exit status: 1 与标签不符 / differs from the labels"""


def run(args: argparse.Namespace) -> int:
    from simulation.month.build import build_world
    from simulation.month.files import write_world

    configure_logging("WARNING", "scenario")
    if args.in_disorder and not args.check:
        raise ConfigurationError("--in-disorder 只用于 --check / --in-disorder is for --check")
    shown = _Progress()
    world = build_world(args.seed, args.vehicles, args.month, progress=shown.part)
    shown.end()
    print(
        f"车辆 / vehicles {world.vehicles:,}，记录 / records {len(world.facts):,}，定位 / positions {len(world.reports):,}，"
        f"标签 / labels {len(world.labels):,}（{len(world.kinds())} 类 / kinds）"
    )
    if args.out is None:
        return _check(world, args.in_disorder, args.seed, shown)
    try:
        for path in write_world(world, args.out):
            print(f"{path}  {path.stat().st_size:,} bytes")
    except OSError as error:
        raise ConfigurationError(f"{error.filename or args.out}: {error.strerror}") from error
    return 0


def _check(world: World, disorder: bool, seed: int, shown: _Progress) -> int:
    from simulation.month.engine import engine_on
    from simulation.month.score import score, table

    # Told to stop, it takes its database and its engine along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    folder = Path(tempfile.mkdtemp(prefix="gongche-scenario-"))
    folder.chmod(0o755)  # the embedded database may run as a user of its own
    try:
        with engine_on(world.network, folder, lambda line: print(line, file=sys.stderr)) as address:
            found = asyncio.run(_judged(world, disorder, seed, folder, address, shown))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    scores = score(world, found)
    print(table(scores))
    exact = all(its.exact for its in scores.values())
    print("与标签完全一致 / exactly as labelled" if exact else "与标签不符 / differs from the labels")
    return 0 if exact else 1


async def _judged(
    world: World, disorder: bool, seed: int, folder: Path, address: str, shown: _Progress
) -> Found:
    from rules.navigation import CachedNavigator
    from rules.navigation.valhalla import Valhalla
    from runtime.embedded_postgres import embedded_server
    from runtime.migrations import migrate
    from runtime.postgres import create_pool
    from simulation.month.delivery import in_disorder, in_order
    from simulation.month.run import drive
    from simulation.month.score import found_in

    database = folder / "database"
    database.mkdir()
    database.chmod(0o755)
    with embedded_server(database) as dsn:
        await migrate(dsn)
        pool = await create_pool(dsn)
        navigator = CachedNavigator(Valhalla(address, world.month.isoformat()))
        try:
            steps = in_disorder(world, seed) if disorder else in_order(world)
            await drive(
                world, steps, dsn, pool, folder / "log.sqlite", navigator,
                say=lambda done, all_: shown.part("judged", done, all_),
            )  # fmt: skip
            return await found_in(pool)
        finally:
            shown.end()
            await navigator.close()
            pool.terminate()


class _Progress:
    """How far it is, on one line of stderr; on something that is no terminal once a minute."""

    def __init__(self) -> None:
        self._every_s = 0.3 if in_place(sys.stderr) else FILE_S
        self._said_at = time.monotonic()
        self._open = False

    def part(self, what: str, done: int, whole: int) -> None:
        """``done`` of ``whole``."""
        if time.monotonic() - self._said_at >= self._every_s:
            self._said_at = time.monotonic()
            end = "\r" if in_place(sys.stderr) else "\n"
            print(f"{what} {done:,} / {whole:,}      ", end=end, file=sys.stderr, flush=True)
            self._open = in_place(sys.stderr)

    def end(self) -> None:
        """Leave the line."""
        if self._open:
            print(file=sys.stderr)
            self._open = False
