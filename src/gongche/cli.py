"""The command line. Each command lives in a file of its own and is imported only when it is asked for."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from runtime.errors import GongcheError

#: Ended by Ctrl-C, as a shell counts it.
INTERRUPTED = 130
#: An error that nobody raised on purpose (EX_SOFTWARE). Python's own status for it, 1, means "not as asked" here.
FAULT = GongcheError.exit_code

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its name, the module that does it, what it is for."""

    name: str
    module: str
    chinese: str
    english: str


COMMANDS = (
    Command("up", "gongche.commands.up", "在一台机器上启动全部服务", "everything on one machine, supervised"),
    Command("gateway", "gongche.commands.gateway", "终端接入网关（JT/T 808）", "the terminal gateway"),
    Command("worker", "gongche.commands.worker", "入库与规则判定", "stores positions and judges them"),
    Command(
        "judge", "gongche.commands.judge", "事实齐备后判定其余规则", "judges what waits for complete facts"
    ),
    Command("api", "gongche.commands.api", "HTTP 接口", "the HTTP API"),
    Command("deliver", "gongche.commands.deliver", "推送预警（webhook）", "delivers alerts to webhooks"),
    Command(
        "exchange",
        "gongche.commands.exchange",
        "省、市、县三级互联",
        "exchanges with instances above and below",
    ),
    Command(
        "exchange809",
        "gongche.commands.exchange809",
        "与其他平台互联（JT/T 809）",
        "links to other platforms by JT/T 809",
    ),
    Command("migrate", "gongche.commands.migrate", "升级数据库结构", "bring the database schema up to date"),
    Command("simulate", "gongche.commands.simulate", "模拟车队终端", "drive a simulated fleet of terminals"),
    Command("replay", "gongche.commands.replay", "将轨迹文件作为终端回放", "send GPS files as 808 terminals"),
    Command(
        "scenario",
        "gongche.commands.scenario",
        "带标签的一个月：生成、判定、比对",
        "a labelled month of a fleet, written or judged",
    ),
    Command("import", "gongche.commands.imports", "导入登记数据", "load registry files through the API"),
    Command(
        "cold",
        "gongche.commands.cold",
        "冷存储：较早日期的定位",
        "the cold storage of positions: state, move now, verify",
    ),
    Command(
        "export", "gongche.commands.export", "导出一天的定位", "write a day of positions to a Parquet file"
    ),
    Command(
        "navigation", "gongche.commands.navigation", "导航引擎与电子地图", "a navigation engine and its map"
    ),
    Command("basemap", "gongche.commands.basemap", "操作台的底图", "the base map of the console"),
    Command(
        "verify",
        "gongche.commands.verify",
        "核对判定、哈希链或案卷包",
        "judge frozen evidence again, compare everything with its chain; or check the bundle of a case",
    ),
    Command(
        "seal",
        "gongche.commands.seal",
        "封存哈希链、导出链头、更换签名密钥",
        "seal what was written, export the signed heads, change the key",
    ),
    Command(
        "bundle", "gongche.commands.bundle", "导出一份督办单的案卷包", "write the bundle of a case to a file"
    ),
    Command(
        "backtest",
        "gongche.commands.backtest",
        "用其他参数回测已存历史",
        "judge stored history with other parameters, publish nothing",
    ),
    Command(
        "terminal",
        "gongche.commands.terminal",
        "终端提示、设备更换与时钟",
        "notices about terminals, exchanged devices, clocks",
    ),
    Command(
        "quarantine",
        "gongche.commands.quarantine",
        "程序故障时隔离的定位",
        "the quarantine of positions that the program failed on; try again",
    ),
    Command("frames", "gongche.commands.frames", "逐字段解释 JT/T 808 帧", "explains JT/T 808 frames"),
    Command("token", "gongche.commands.token", "管理接口令牌", "create, list, revoke API tokens"),
    Command(
        "user",
        "gongche.commands.user",
        "管理用户与角色",
        "people who sign in: create, disable, reset, grant roles",
    ),
    Command("settings", "gongche.commands.settings", "显示当前设置", "show the settings in force"),
)

_DESCRIPTION = """\
公务用车监督平台：接收北斗终端（JT/T 808）定位，按规则发现疑似违规用车，供纪检监察系统拉取预警。
Receives the positions of official vehicles over JT/T 808, finds suspected misuse, serves the alerts."""

_EPILOG = """\
开始 / to begin:
  gongche up --demo            全部启动并运行演示车队 / everything, with a demo fleet
  gongche <command> --help     各命令说明 / the manual of a command
设置用环境变量 GONGCHE_*，见 gongche settings / settings are environment variables, see `gongche settings`
退出码 / exit status: 0 ok, 1 not as asked, 2 usage, 70 internal, 75 try again, 78 configuration"""


class CommandModule(Protocol):
    """What a command's module offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Describe the command's arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it; the exit status. Raises GongcheError."""


def build_parser(chosen: str | None) -> argparse.ArgumentParser:
    """The parser; only the command ``chosen`` has its arguments (its module is imported for them)."""
    parser = argparse.ArgumentParser(
        prog="gongche",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="版本 / print the version")
    commands = parser.add_subparsers(dest="command", metavar="command", title="命令 / commands")
    for command in COMMANDS:
        sub = commands.add_parser(
            command.name,
            help=f"{command.chinese} / {command.english}",
            description=f"{command.chinese}\n{command.english[0].upper()}{command.english[1:]}.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if command.name == chosen:
            module = cast(CommandModule, importlib.import_module(command.module))
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``gongche`` with ``argv`` (without the program's name); the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    chosen = next((word for word in words if not word.startswith("-")), None)
    try:
        parser = build_parser(chosen)
        args = parser.parse_args(words)
        if args.version:
            from runtime.metrics import program_version

            print(f"gongche {program_version()}")
            return 0
        if args.command is None:
            parser.print_help()
            return 2
        status: int = args.run(args)
        sys.stdout.flush()
    except GongcheError as error:
        print(f"gongche: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"  提示 / hint: {error.hint}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output (``| head``) has seen enough; Python must not complain while it closes
        # stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception:
        _logger.critical("程序故障，请报告 / a fault of the program, please report it", exc_info=True)
        return FAULT
    return status
