"""``gongche navigation``: a routing engine of one's own."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rules.navigation import own_engine
from runtime.errors import ConfigurationError
from runtime.settings import load_settings

#: Where Valhalla listens as it is delivered.
PORT = 8002


def add_arguments(parser: argparse.ArgumentParser) -> None:
    steps = parser.add_subparsers(dest="step", metavar="step", required=True, title="步骤 / steps")
    install = steps.add_parser("install", help="安装导航引擎 / install the engine (Valhalla)")
    install.add_argument(
        "--wheel",
        type=Path,
        metavar="FILE",
        help="离线安装用的 wheel 文件 / the wheel, on a machine without network",
    )
    prepare = steps.add_parser("prepare", help="由 OSM 地图生成路网 / build the road graph of an OSM file")
    prepare.add_argument("file", type=Path, metavar="FILE.osm.pbf", help="OpenStreetMap 地图 / the map")
    prepare.add_argument(
        "--map-date",
        default="",
        metavar="DATE",
        help="地图数据日期 / date of the data, where the file does not say",
    )
    serve = steps.add_parser("serve", help="启动导航服务（仅本机） / run the engine on loopback")
    serve.add_argument("--port", type=int, default=PORT, help=f"端口 / port ({PORT})")
    parser.epilog = """\
里程规则用导航里程比对；没有导航引擎时，里程判定等待，不会猜测。
The rule on mileage compares with what a navigation engine says; without one its judgements wait.

  gongche navigation install
  gongche navigation prepare jiangsu-latest.osm.pbf
  gongche navigation serve
  GONGCHE_NAVIGATION_URL=http://127.0.0.1:8002 gongche judge

已有 Valhalla、OSRM 或高德 key 的，见 docs/navigation.md / with an engine of your own see docs/navigation.md"""


def run(args: argparse.Namespace) -> int:
    data_dir = load_settings().data_dir
    if args.step == "install":
        path = own_engine.install(data_dir, _say, args.wheel)
        print(f"Valhalla {own_engine.VERSION}: {path}")
    elif args.step == "prepare":
        print(own_engine.prepare(data_dir, args.file, _say, args.map_date))
    else:
        command = own_engine.service_command(data_dir, args.port)
        if command is None:
            raise ConfigurationError(
                "尚无路网 / there is no road graph yet", hint="gongche navigation prepare FILE.osm.pbf"
            )
        _say(f"导航服务 / the engine listens on http://127.0.0.1:{args.port}（Ctrl-C 停止 / to stop）")
        _say(f"  GONGCHE_NAVIGATION_MAP_DATE={own_engine.service_map_date(data_dir)}")
        sys.stdout.flush()
        os.execv(command[0], command)  # noqa: S606 - it takes our place, and our signals
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
