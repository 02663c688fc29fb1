"""``gongche basemap``: the base map of the console."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from runtime.settings import load_settings


def _bounds(text: str) -> tuple[float, float, float, float]:
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"应为 西,南,东,北（度） / four degrees W,S,E,N are needed: {text}"
        ) from None
    if not (-180 <= west < east <= 180 and -85 <= south < north <= 85):
        raise argparse.ArgumentTypeError(
            f"西须小于东，南须小于北 / west before east, south before north: {text}"
        )
    return west, south, east, north


def add_arguments(parser: argparse.ArgumentParser) -> None:
    steps = parser.add_subparsers(dest="step", metavar="step", required=True, title="步骤 / steps")
    prepare = steps.add_parser("prepare", help="由 OSM 地图生成底图 / make the base map of an OSM file")
    prepare.add_argument("file", type=Path, metavar="FILE.osm.pbf", help="OpenStreetMap 地图 / the map")
    prepare.add_argument(
        "--bounds",
        type=_bounds,
        metavar="W,S,E,N",
        help="只取此范围（度，WGS-84） / only what lies there, degrees",
    )
    prepare.add_argument(
        "--map-date",
        default="",
        metavar="DATE",
        help="地图数据日期 / date of the data, where the file does not say",
    )
    prepare.add_argument(
        "--attribution",
        metavar="TEXT",
        help="署名，默认 © OpenStreetMap contributors / the credit, if it is another",
    )
    parser.epilog = """\
地图上的道路、水系、地名等，由与 gongche navigation prepare 相同的文件生成；接口立即采用，不必重启。
What lies under the vehicles on the maps, made of the same file as the road graph; an API that runs takes it at once.

  gongche basemap prepare jiangsu-latest.osm.pbf
  gongche basemap prepare jiangsu-latest.osm.pbf --bounds 120.2,31.6,121.9,32.7

说明见 docs/base-map.md / see docs/base-map.md"""


def run(args: argparse.Namespace) -> int:
    from office.basemap.prepare import prepare
    from office.basemap.tile_file import path_of

    settings = load_settings()
    began = time.monotonic()
    about = prepare(
        settings.data_dir,
        args.file,
        _say,
        map_date=args.map_date,
        attribution=args.attribution,
        bounds=args.bounds,
    )
    path = path_of(settings.data_dir)
    _say(
        f"底图已就绪 / the base map is ready: {path.stat().st_size / 1e6:.1f} MB, {time.monotonic() - began:.0f} s,"
        f" 数据 / map of {about.map_date}"
    )
    if settings.basemap_file is not None and settings.basemap_file.absolute() != path.absolute():
        _say(
            f"注意：GONGCHE_BASEMAP_FILE 指向另一文件，接口用的是它 / the API takes another one: {settings.basemap_file}"
        )
    print(path)
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
