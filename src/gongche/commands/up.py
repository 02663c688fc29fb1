"""``gongche up``: arguments. What it does is in ``gongche.supervisor.everything``."""

from __future__ import annotations

import argparse
from pathlib import Path

from gongche.supervisor.demo import DemoOptions
from gongche.supervisor.everything import UpOptions, run_up
from gongche.supervisor.status import Console
from runtime.errors import ConfigurationError
from runtime.logs import configure_logging
from runtime.settings import load_settings


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text}: a number above 0")
    return value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    demo = parser.add_argument_group("演示 / demo")
    demo.add_argument(
        "--demo", action="store_true", help="运行演示车队 / drive a demo fleet with planted misuse"
    )
    demo.add_argument(
        "--vehicles", type=int, default=40, help="演示车辆数 / vehicles of the demo (%(default)s)"
    )
    demo.add_argument("--seed", type=int, default=1, help="随机种子 / the same seed gives the same plan")
    demo.add_argument(
        "--speed",
        type=_positive,
        default=240.0,
        help="时间倍率 / how many times faster than life (%(default)s)",
    )
    demo.add_argument(
        "--duration", type=_positive, metavar="HOURS", help="模拟时长，小时 / hours of device time"
    )
    demo.add_argument(
        "--messages",
        action="store_true",
        help="演示终端另发终端属性、驾驶员卡插拔、透传和批量定位 / terminals also send attributes, the driver's card, passthrough data, batches",
    )
    demo.add_argument(
        "--media",
        action="store_true",
        help="演示终端出车时拍照上传 / terminals send a picture when a trip begins",
    )
    demo.add_argument(
        "--tracks",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="回放真实轨迹 / also replay GPS files",
    )
    demo.add_argument(
        "--exit-when-done",
        action="store_true",
        help="演示结束即退出，一致时退出码为 0 / end after the plan; status 0 only if planted == found",
    )
    parser.add_argument(
        "--for", dest="for_s", type=_positive, metavar="SECONDS", help="运行若干秒后停止 / stop after so long"
    )
    parser.epilog = """\
数据保存在 GONGCHE_DATA_DIR（默认 ./.gongche），再次启动继续使用；日志在其中 logs/
Data stay in GONGCHE_DATA_DIR (./.gongche) and the next start goes on with them; logs are in logs/ there.
未设置 GONGCHE_DATABASE_URL 时使用内置 PostgreSQL / without it an embedded PostgreSQL is used

  gongche up --demo
  gongche up --demo --tracks track.gpx --vehicles 100
  gongche up --demo --exit-when-done && echo 一致"""


def run(args: argparse.Namespace) -> int:
    if not args.demo and (args.tracks or args.exit_when_done):
        raise ConfigurationError(
            "--tracks and --exit-when-done belong to --demo", hint="gongche up --demo ..."
        )
    for track in args.tracks:
        if not track.is_file():
            raise ConfigurationError(f"{track}: no such file")
    settings = load_settings()
    # Lines for people go to stdout; what libraries have to say goes to stderr, warnings only.
    configure_logging("WARNING" if settings.log_level == "INFO" else settings.log_level, "up")
    demo = None
    if args.demo:
        demo = DemoOptions(
            vehicles=args.vehicles,
            seed=args.seed,
            speed=args.speed,
            hours=args.duration,
            tracks=tuple(args.tracks),
            messages=args.messages,
            media=args.media,
            exit_when_done=args.exit_when_done,
        )
    return run_up(UpOptions(demo=demo, for_s=args.for_s), settings, Console())
