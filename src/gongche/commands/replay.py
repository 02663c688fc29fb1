"""The command ``gongche replay``."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

_EPILOG = """\
格式 / formats: GPX, TCX, KML (gx:Track), NMEA (RMC), CSV (及分号、制表符、竖线、空格分隔 / any of ; tab | , blank), GeoLife PLT, GeoJSON (带时间 / with times).
日期与时刻可分两列；凡是推测的都会打印。Date and time of day may stand in two columns; whatever was guessed is printed.
每台设备成为一台 JT/T 808 终端，手机号由设备名固定推得；每个点恰好发送一次，等待全部确认。
Each device becomes one terminal with a phone derived from its name; every point is sent once and waited for.
网关须允许未登记终端（GONGCHE_AUTO_REGISTER=true）或先登记这些手机号。
The gateway must admit unknown terminals (GONGCHE_AUTO_REGISTER=true), or know these phones already.

示例 / examples:
  gongche replay track.gpx --host 127.0.0.1 --port 8808
  gongche replay fleet.csv --map lat=纬度,lon=经度,time=时间,device=车牌 --datum gcj02 --speed 60
  gongche replay taxi.txt --map device=1,time=2,lon=3,lat=4        (列号，无表头 / by number, no header)
  gongche replay Data/*/Trajectory/*.plt --shift-to-now

--map 的名称 / names: lat lon time date clock device altitude speed (km/h) speed_ms (m/s) speed_kn (knots) direction lat_side lon_side
退出码 / exit status: 0 有轨迹点且全部确认 points were accepted and all of them confirmed, 1 否则 otherwise (也包括没有可发送的点
also when there was nothing to send), 65 文件不可读 unreadable file"""

_SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments of ``gongche replay``."""
    parser.epilog = _EPILOG
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="轨迹文件 / track files")
    parser.add_argument("--host", default="127.0.0.1", help="网关地址 / the gateway (default %(default)s)")
    parser.add_argument("--port", type=int, default=8808, help="网关端口 / its port (default %(default)s)")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument(
        "--fast", action="store_true", help="按确认速度发送（默认） / as fast as confirmed (default)"
    )
    pace.add_argument("--realtime", action="store_true", help="按记录的时间 / at the recorded pace")
    pace.add_argument("--speed", type=float, metavar="X", help="X 倍速 / X times the recorded pace")
    parser.add_argument("--map", metavar="NAME=COLUMN,...", help="CSV 列名对应 / columns of a CSV file")
    parser.add_argument(
        "--datum",
        choices=("wgs84", "gcj02", "bd09"),
        default="wgs84",
        help="文件坐标系 / datum of the files (default %(default)s); sent as WGS-84",
    )
    parser.add_argument(
        "--utc-offset",
        default="+08:00",
        metavar="+HH:MM",
        help="无时区时间的时区 / zone of times that name none (default %(default)s; --utc-offset=-05:00)",
    )
    parser.add_argument(
        "--shift-to-now", action="store_true", help="平移到当前时间 / move all times so that the last is now"
    )
    parser.add_argument(
        "--format",
        choices=("gpx", "tcx", "kml", "csv", "plt", "geojson", "nmea"),
        help="指定格式 / force a format",
    )
    parser.add_argument(
        "--date-order",
        choices=("dmy", "mdy"),
        help="20/03/2021 中日、月的次序 / how dates with the year last begin",
    )
    parser.add_argument(
        "--dialect", type=int, choices=(2011, 2013, 2019), default=2013, help="808 版本 / edition"
    )
    parser.add_argument(
        "--messages",
        action="store_true",
        help="终端另发终端属性、驾驶员卡插拔和透传 / terminals also send attributes, the driver's card in and out, and passthrough data",
    )
    parser.add_argument(
        "--media", action="store_true", help="开始时拍照上传 / terminals send a picture at the beginning"
    )
    parser.add_argument("--quiet", action="store_true", help="不显示进度 / no progress")


def parse_offset(text: str) -> int:
    """``+08:00`` as seconds east of UTC. Raises ConfigurationError."""
    import re

    from runtime.errors import ConfigurationError

    match = re.fullmatch(r"([+-])(\d{2}):?(\d{2})", text)
    if match is None or int(match[2]) > 14 or int(match[3]) > 59:
        raise ConfigurationError(f"--utc-offset {text!r} is not like +08:00")
    seconds = int(match[2]) * 3600 + int(match[3]) * 60
    return seconds if match[1] == "+" else -seconds


def run(args: argparse.Namespace) -> int:
    """Replay and print the account; 0 when every accepted point was confirmed."""
    from gongche.progress import report_every_s
    from runtime.logs import one_line
    from simulation.gps_files.columns import parse_mapping
    from simulation.gps_files.replay import ReplayOptions, ReplayResult, replay
    from simulation.terminal.habits import Habits
    from simulation.terminal.statistics import said_line

    options = ReplayOptions(
        files=tuple(args.files),
        host=args.host,
        port=args.port,
        speed=1.0 if args.realtime else args.speed,
        mapping=parse_mapping(args.map) if args.map else {},
        shift_to_now=args.shift_to_now,
        datum=args.datum,
        utc_offset_s=parse_offset(args.utc_offset),
        format=args.format,
        date_order=args.date_order,
        version=args.dialect,
        report_every_s=report_every_s(sys.stderr),
        habits=Habits(args.messages, args.media),
    )

    def say(line: str) -> None:
        if not args.quiet:
            print(line, file=sys.stderr, flush=True)

    def account(result: ReplayResult) -> None:
        for report in result.reports:
            if not (report.rejected or report.assumed_offset or report.assumed_utc or report.notes):
                continue
            print(f"{report.path}:")
            for note in report.notes:
                print(one_line(f"  {note}"))
            if report.assumed_utc:
                print(f"  {report.assumed_utc:,} 个时间未写时区，按 UTC / times without a zone, read as UTC")
            if report.assumed_offset:
                print(
                    f"  {report.assumed_offset:,} 个时间未写时区，按 / times without a zone, read as {args.utc_offset}"
                )
            for reason, count in sorted(report.rejected.items()):
                print(f"  拒绝 rejected {reason}: {count:,}")
            for example in report.examples[:_SHOWN]:
                print(one_line(f"    {example.where}: {example.reason}: {example.detail}"))
        for device in result.devices[:20]:
            # What a file calls a device is a stranger's text: its control characters must not reach the terminal.
            print(one_line(f"设备 device {device.name} = 终端 terminal {device.phone}: {device.points:,}"))
        if len(result.devices) > 20:
            print(f"…… 共 / in all {len(result.devices)} devices")
        print(
            f"读取 read {result.rows:,} = 接受 accepted {result.accepted:,} + 拒绝 rejected "
            f"{result.rejected.total():,}"
        )
        print(
            f"接受 accepted {result.accepted:,} = 发送 sent {result.sent:,} + 时间不可表示 unsendable "
            f"{result.unsendable:,} + 未发送 not sent {result.not_sent:,}"
        )
        print(
            f"发送 sent {result.sent:,}: 确认 confirmed {result.confirmed:,}, 拒绝 refused {result.refused:,}, "
            f"未确认 unconfirmed {result.sent - result.confirmed - result.refused:,}  ({result.seconds:.1f} s)"
        )
        if line := said_line(result.stats):
            print(line)
        if not result.complete and result.stats.last_problem:
            print(f"最后的问题 / last problem: {result.stats.last_problem}", file=sys.stderr)

    result = asyncio.run(replay(options, say))
    account(result)
    if not result.confirmed:
        print(
            "没有发送任何轨迹点：文件中没有带时间和坐标的点，或全部被拒绝 · nothing was sent: no point with time and place, or all refused",
            file=sys.stderr,
        )
        return 1
    return 0 if result.complete else 1
