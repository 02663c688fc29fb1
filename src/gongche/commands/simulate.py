"""The command ``gongche simulate``."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

_EPILOG = """\
登记一支演示车队（HTTP），再以 JT/T 808 终端身份发送它一天的行程（TCP），时间加速。
行程中埋有违规和易误判情形，结束时列出应当产生的预警。
Registers a demo fleet over HTTP and drives its day as JT/T 808 terminals over TCP, faster than life. Violations
and traps are planted in it; the alerts that must come are listed at the end.

令牌需要 registry:write 权限；可放在环境变量 GONGCHE_TOKEN 中。
The token needs the scope registry:write; it may stand in the environment as GONGCHE_TOKEN.

示例 / examples:
  gongche simulate --token "$(gongche token create demo --scope registry:write)"
  gongche simulate --vehicles 200 --seed 7 --speed 240 --duration 24
  gongche simulate --host gw.example --port 8808 --api https://api.example

退出码 / exit status: 0 全部确认 all confirmed, 1 否则 otherwise"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments of ``gongche simulate``."""
    parser.epilog = _EPILOG
    parser.add_argument("--host", default="127.0.0.1", help="网关地址 / the gateway (default %(default)s)")
    parser.add_argument("--port", type=int, default=8808, help="网关端口 / its port (default %(default)s)")
    parser.add_argument(
        "--api", default="http://127.0.0.1:8000", help="接口地址 / the API (default %(default)s)"
    )
    parser.add_argument("--token", help="接口令牌 / API token (default: $GONGCHE_TOKEN)")
    parser.add_argument(
        "--vehicles", type=int, default=40, metavar="N", help="车辆数 / vehicles (default 40)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="随机种子 / seed (default 1)")
    parser.add_argument(
        "--speed",
        type=float,
        default=60.0,
        metavar="X",
        help="加速倍数 / times faster than life (default 60)",
    )
    parser.add_argument(
        "--duration",
        type=float,
        metavar="HOURS",
        help="车队时间长度，小时 / hours of fleet time (default: about six minutes of ours, at most 24 h)",
    )
    parser.add_argument(
        "--interval", type=int, default=10, metavar="S", help="行驶中定位间隔，秒 / seconds between reports"
    )
    parser.add_argument(
        "--mileage",
        action="store_true",
        help="平台的导航引擎认识模拟路网时，也埋设里程违规 / plant for mileage too: the platform's navigation engine has"
        " tiles of the simulated roads",
    )
    parser.add_argument(
        "--messages",
        action="store_true",
        help="终端另发终端属性、驾驶员卡插拔、透传和批量定位 / terminals also send attributes, the driver's card in and out, passthrough data"
        " and positions in batches",
    )
    parser.add_argument(
        "--media", action="store_true", help="出车时拍照上传 / terminals send a picture when a trip begins"
    )
    parser.add_argument("--run", dest="run_name", metavar="NAME", help="编号后缀 / suffix of the ids")
    parser.add_argument("--quiet", action="store_true", help="不显示进度 / no progress")


def run(args: argparse.Namespace) -> int:
    """Simulate and print the account; 0 when every position was confirmed."""
    import re

    from gongche.progress import report_every_s
    from runtime.errors import ConfigurationError
    from runtime.units import CHINA, from_us
    from simulation.demo.simulate import SimulateOptions, SimulateResult, simulate
    from simulation.terminal.habits import Habits
    from simulation.terminal.statistics import said_line

    token = args.token or os.environ.get("GONGCHE_TOKEN", "")
    if not token:
        raise ConfigurationError("no API token", hint="--token or GONGCHE_TOKEN; see `gongche token --help`")
    if args.run_name is not None and not re.fullmatch(r"[A-Za-z0-9]{1,12}", args.run_name):
        raise ConfigurationError("--run takes up to 12 letters and digits")
    options = SimulateOptions(
        host=args.host,
        port=args.port,
        api=args.api,
        token=token,
        vehicles=args.vehicles,
        seed=args.seed,
        speed=args.speed,
        duration_h=args.duration,
        run=args.run_name,
        interval_s=args.interval,
        mileage=args.mileage,
        report_every_s=report_every_s(sys.stderr),
        habits=Habits(args.messages, args.media),
    )

    def say(line: str) -> None:
        if not args.quiet:
            print(line, file=sys.stderr, flush=True)

    def account(result: SimulateResult) -> None:
        for alert in result.expected:
            start, end = (
                from_us(us).astimezone(CHINA).strftime("%m-%d %H:%M") for us in (alert.from_us, alert.to_us)
            )
            order = f" {alert.order}" if alert.order else ""
            whose = alert.vehicle or alert.mention
            print(f"应有预警 expected: {alert.rule} {whose}{order} {start} - {end} ({alert.kind})")
        print(f"埋设 planted: {len(result.expected)} 违规 violations, {len(result.traps)} 易误判 traps")
        print(
            f"计划 planned {result.planned:,}  发送 sent {result.sent:,}  确认 confirmed {result.confirmed:,}  "
            f"拒绝 refused {result.refused:,}  未确认 unconfirmed {result.abandoned:,}  ({result.seconds:.0f} s)"
        )
        if line := said_line(result.stats):
            print(line)
        if not result.complete and result.stats.last_problem:
            print(f"最后的问题 / last problem: {result.stats.last_problem}", file=sys.stderr)

    result = asyncio.run(simulate(options, say))
    account(result)
    return 0 if result.complete else 1
