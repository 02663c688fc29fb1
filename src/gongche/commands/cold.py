"""``gongche cold``: the cold storage of positions: what is there, move what is due now, verify every file."""

from __future__ import annotations

import argparse
import asyncio

from gongche.commands.database import on_database
from gongche.progress import Progress
from runtime.connection import Connection
from runtime.errors import ConfigurationError
from runtime.settings import load_settings
from telemetry.archive.cold import catalogue
from telemetry.archive.cold.layout import ColdDamagedError
from telemetry.archive.cold.mover import Mover
from telemetry.archive.cold.whole import check_whole

#: Beyond the last day that has a date.
_LAST_DAY = 2_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument(
        "--move", action="store_true", help="立即移动已到期的日期 / move the days that are due, now"
    )
    asked.add_argument(
        "--verify",
        action="store_true",
        help="逐个核对文件的 SHA-256 / compare every file with its SHA-256",
    )
    asked.add_argument(
        "--relocate",
        nargs=2,
        metavar=("OLD", "NEW"),
        help="文件已复制到新位置 / the files were copied to another folder: read them there from now on",
    )
    parser.epilog = """\
平时由 judge 移动（GONGCHE_COLD_DIR，GONGCHE_HOT_DAYS）；不带选项时只显示现状
The judge moves days by itself (GONGCHE_COLD_DIR, GONGCHE_HOT_DAYS). Without an option the state is shown. See docs/operations.md
退出码 / exit status: 1 有文件缺失或损坏 / a file is missing or damaged"""


def run(args: argparse.Namespace) -> int:
    return on_database("cold", _run, args)


async def _run(args: argparse.Namespace, connection: Connection) -> int:
    if args.verify:
        return await _verify(connection)
    if args.relocate:
        former, place = args.relocate
        count = await catalogue.move_folder(connection, former, place)
        print(f"已改为从 {place} 读取 / files that are read from {place} now: {count:,}")
        return await _verify(connection)
    if args.move:
        await _move(connection)
    days, files, rows, size = await catalogue.totals(connection)
    print(
        f"冷存储 / cold: {days:,} 天 / days, {files:,} 个文件 / files, {rows:,} 条定位 / positions, {size:,} bytes"
    )
    return 0


async def _move(connection: Connection) -> None:
    settings, told = load_settings(), Progress()
    if settings.cold_dir is None:
        raise ConfigurationError(
            "GONGCHE_COLD_DIR is not set",
            hint="a folder (absolute path) or s3://bucket/prefix that older days are moved to",
        )
    try:
        mover = Mover(settings.cold_dir, settings.hot_days)
        async for moved in mover.move(
            connection,
            lambda day, rows: told.tell(f"{catalogue.day_of(day)}: {rows:,} 条定位 / positions"),
        ):
            told.end()
            what = (
                "移动期间有写入，下次再移 / was written to meanwhile, next time"
                if moved.touched
                else f"{moved.rows:,} 条定位 / positions, {moved.bytes:,} bytes"
            )
            print(f"{catalogue.day_of(moved.day)}: {what}")
    finally:
        told.end()


async def _verify(connection: Connection) -> int:
    files, told, damaged = await catalogue.files_of(connection, 0, _LAST_DAY), Progress(), 0
    for k, file in enumerate(files):
        told.tell(f"{catalogue.day_of(file.day)}: {k:,} / {len(files):,}")
        try:
            await asyncio.to_thread(check_whole, file)
        except ColdDamagedError as error:
            told.end()
            print(f"{error.message}\n  {error.hint}")
            damaged += 1
    told.end()
    print(f"已核对 / checked {len(files):,}，缺失或损坏 / missing or damaged {damaged:,}")
    return 1 if damaged else 0
