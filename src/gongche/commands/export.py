"""``gongche export``: a UTC day of positions to a Parquet file with a manifest."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

from gongche.commands.arguments import day
from gongche.commands.database import on_database
from gongche.progress import Progress
from office.identity.scope import Reach
from runtime.connection import Connection
from telemetry.archive.parquet import Manifest, export_day


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--day", type=day, required=True, metavar="YYYY-MM-DD", help="UTC 日期 / the UTC day of device time"
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="输出目录 / where the files go; made when missing",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="允许以较少的行覆盖 / replace an export also when it has more rows than the database",
    )
    parser.add_argument(
        "--without-secret",
        action="store_true",
        help="不含涉密车辆的定位 / leave out what terminals sent in secret vehicles",
    )
    parser.epilog = """\
写入 positions-日期.parquet 与清单 positions-日期.json（行数、SHA-256）；完整写完才改名，可重复运行
Writes positions-DAY.parquet and its manifest positions-DAY.json (rows, SHA-256): whole or not at all, and again as
often as wanted. Evidence of alerts is not exported: it is never dropped. See docs/operations.md
退出码 / exit status: 1 当日无定位或拒绝覆盖 / nothing on that day, or an export with more rows is there

  gongche export --day 2026-03-01 --out /archive/2026"""


def run(args: argparse.Namespace) -> int:
    if args.day >= datetime.now(UTC).date():
        print(f"提示：{args.day} 尚未结束 / note: this UTC day has not ended yet", file=sys.stderr)
    return on_database("export", _export, args)


async def _export(args: argparse.Namespace, connection: Connection) -> int:
    left_out = None
    if args.without_secret:
        # What a request sees that may know of no secret vehicle.
        await connection.execute(Reach(None, "program:export").sql(session=True))
        left_out = await connection.fetchval("SELECT cardinality(hidden_terminals())")
    made = await _exported(connection, args.day, args.out, args.force)
    print(f"已导出 / exported {args.out / made.file}: {made.rows:,} rows, {made.terminals:,} terminals,")
    print(f"  {made.bytes:,} bytes, SHA-256 {made.sha256}")
    if left_out is not None:
        print(f"  不含涉密车辆的终端 / without terminals of secret vehicles: {left_out}")
    return 0


async def _exported(connection: Connection, day: date, out: Path, force: bool) -> Manifest:
    began, told = time.monotonic(), Progress()

    def progress(rows: int, terminal: int, last: int) -> None:
        # The rows come in the order of terminals: how far those are is how far we are.
        share = 100 * terminal // max(1, last, terminal)
        pace = rows / max(time.monotonic() - began, 1e-3)
        told.tell(f"导出 / exporting {day}: {rows:,} rows, {pace:,.0f} rows/s, 终端 / terminals {share}%")

    try:
        return await export_day(connection, day, out, progress=progress, force=force)
    finally:
        told.end()
