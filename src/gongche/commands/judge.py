"""``gongche judge``: the process that judges what waits for complete facts; with ``--since``, once over the past."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import time
from datetime import UTC, date, datetime
from functools import partial
from typing import Final

from gongche.commands.arguments import day
from gongche.commands.service import database_trouble, run_service
from gongche.progress import Progress
from runtime import lifecycle
from runtime.errors import ConfigurationError
from runtime.metrics import set_build_info
from runtime.migrations import check_schema
from runtime.postgres import create_pool
from runtime.probes import serve_probes
from runtime.repeating import repeat
from runtime.settings import Settings
from runtime.units import US_PER_DAY, from_us, midnight_us, to_us

_logger = logging.getLogger(__name__)

#: What is received and judged live comes first: a judge that starts has two months of every vehicle to look at.
NICE: Final = 10
#: While another judge works on what was asked of it, it is asked so often whether it is done.
_LOOK_S = 1.0
#: What is left is counted every so often.
_COUNT_S = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--since",
        type=day,
        metavar="YYYY-MM-DD",
        help="将该日（北京时间）以来的全部事实重新判定一遍，然后结束 / judge everything since that day (China) once more, then end",
    )
    parser.epilog = """\
里程、油耗、油卡、违章、终端失联、非工作时间用车等规则在事实齐备后判定。可以启动多个：一个工作，其余待命。
Rules on mileage, fuel, cards, violations, silent terminals, off hours are judged here when their facts are complete.
Start several if you like: one leads, the others stand by.
新启动的 judge 只回看 62 天；补录更早的事实后用 --since。已有结论的，定位数据过期后不再改动；从未判定过的，写明已过保存期限。
A judge that starts looks back 62 days. After facts of before were entered: --since. Where positions are not kept any more, what
was found stands, and what was never judged says that it is too old. It may run beside the service.
设有 GONGCHE_COLD_DIR 时，它把较早日期的定位移入冷存储（见 gongche cold）/ With GONGCHE_COLD_DIR it moves older days of positions to
files (see gongche cold).
它还为不得更改的记录封存哈希链（见 gongche seal）/ It also seals the chains of what is never changed.
端口 / port: health and metrics on GONGCHE_METRICS_HOST (127.0.0.1), GONGCHE_JUDGE_METRICS_PORT (8805)"""


def run(args: argparse.Namespace) -> int:
    if args.since is None:
        return run_service("judge", serve)
    if args.since > datetime.now(UTC).date():
        raise ConfigurationError(f"--since {args.since}: 该日尚未到来 / that day has not come yet")
    return run_service("judge", partial(judge_since, args.since), once=True)


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Probes and judge until ``stop``. ``settings.database_url`` is set."""
    from office.integrity import sealer
    from registry.areas import keeper
    from rules.judge.process import Judge
    from rules.judge.subjects.all import GATHERERS
    from rules.navigation import navigator
    from telemetry.archive.cold.keeper import keep
    from telemetry.archive.cold.mover import Mover

    os.nice(NICE)
    link = lifecycle.SupervisorLink.from_environment()
    link.watch(stop)
    set_build_info("judge")
    dsn = settings.database_url or ""
    sealing: sealer.Sealer | None = None
    try:
        sealing = sealer.Sealer(settings)
    except ConfigurationError as error:  # judging goes on; that nothing is sealed wakes somebody
        _logger.error("哈希链不封存 / the chains are not sealed: %s (%s)", error.message, error.hint)
    mover: Mover | None = None
    try:
        mover = None if settings.cold_dir is None else Mover(settings.cold_dir, settings.hot_days)
    except ConfigurationError as error:  # judging goes on, and days stay in the table
        _logger.error("定位不移入冷存储 / no day moves to files: %s (%s)", error.message, error.hint)
    pool = await create_pool(dsn, max_size=3)  # of probes, the sealer, fences in terminals, and the cold tier
    judge: Judge | None = None
    beside: list[asyncio.Task[None]] = []
    try:
        await check_schema(pool)

        async def readiness() -> str | None:
            if stop.is_set():
                return "stopping"
            return await database_trouble(pool) or (None if judge is None else judge.trouble())

        probes = await serve_probes(settings.judge_metrics_port, readiness, host=settings.metrics_host)
        routes = navigator(settings)
        judge = Judge(dsn, GATHERERS, routes, retention_days=settings.retention_days)
        try:
            _logger.info("ready", extra={"fields": {"metrics_port": probes.port}})
            link.ready(metrics_port=probes.port)
            if sealing is not None:
                beside.append(
                    asyncio.create_task(
                        repeat("seals the chains", pool, sealing.turn, sealer.EVERY_S), name="seals"
                    )
                )
            beside.append(
                asyncio.create_task(
                    repeat("fences in terminals", pool, keeper.Keeper().turn, keeper.EVERY_S), name="areas"
                )
            )
            beside.append(asyncio.create_task(keep(pool, mover), name="cold storage"))
            await judge.run(stop)
        finally:
            for task in beside:
                task.cancel()
            await judge.close()
            await routes.close()
            await probes.close()
    finally:
        pool.terminate()


async def judge_since(since: date, settings: Settings, stop: asyncio.Event) -> None:
    """Have everything since ``since`` judged, by the judge that leads, which may be this one; end when nothing is due."""
    from rules.judge.process import Judge
    from rules.judge.subjects.all import GATHERERS
    from rules.navigation import navigator

    routes = navigator(settings)
    judge = Judge(settings.database_url or "", GATHERERS, routes, retention_days=settings.retention_days)
    try:
        counts = await judge.ask(midnight_us(since))
        print(f"自 {since} 起，待重新判定 / since {since}, to be judged:")
        for name, count in counts.items():
            print(f"  {name:<16}{count:,}")
        kept = (to_us(datetime.now(UTC)) // US_PER_DAY - settings.retention_days) * US_PER_DAY
        if midnight_us(since) < kept:
            first = from_us(kept).date()
            print(
                f"定位只保存至 {first}：更早的不可判 / positions are kept since {first}: what is older cannot be judged"
            )
        progress = Progress()
        counted_at = 0.0
        while not stop.is_set():
            busy = await judge.turn()
            if busy and time.monotonic() - counted_at < _COUNT_S:
                continue
            left, counted_at = await judge.due(), time.monotonic()  # counts a whole table
            if not busy and not left:
                progress.end()
                print("完成 / done; what still waits: GET /v1/evaluations/waiting")
                return
            who = "" if judge.leads else "，由正在运行的 judge 处理 / by the judge that runs"
            progress.tell(f"剩余 / left: {left:,}{who}")
            if not busy:
                await asyncio.sleep(_LOOK_S)
    finally:
        await judge.close()
        await routes.close()
