"""``gongche frames``: 808 frames in words, field by field. ``decode``: from hex, files, logs and captures, without a database, without the
net. ``watch``: those of a terminal as they come (``gongche.frames.watch``)."""

from __future__ import annotations

import argparse
import itertools
import sys
from typing import Final

import orjson

from gongche.frames import watch
from gongche.frames.inputs import find
from gongche.frames.reading import Reader
from gongche.frames.rendering import as_object, lines
from gongche.frames.runs import Found, Notes
from runtime.errors import ConfigurationError
from telemetry.jt808.scalar.header import Version
from telemetry.jt808.tables.explain import Explanation
from telemetry.jt808.tables.shown import in_words

#: Frames that are shown unless --most says otherwise.
_MOST: Final = 1000

_EPILOG: Final = """\
逐字段解释 JT/T 808 帧：偏移、字节、名称、取值、单位、条款；有疑问的字段标 ?，错误标 ✗。只读，不连接数据库或网络。
Explains frames field by field: offset, bytes, name, value, unit, clause. What is odd has a ?, what is wrong a ✗. Reads only.
  gongche frames decode 7E 00 02 00 00 01 39 12 34 56 78 00 07 ... 7E
  gongche frames decode 网关日志.txt            每行的十六进制 / the hex in each line
  gongche frames decode 终端.pcapng --phone 13912345678 --brief
  tcpdump -i any -w - port 8808 | gongche frames decode - --json
输入可为：十六进制（空格、冒号、0x、逗号、\\x 均可）、文本文件（每行一帧或日志，# 开头的行为注释）、hexdump/xxd、原始字节、pcap/pcapng（TCP 自动重组）。
Takes hex in any usual form, text files and logs, hex dumps, raw bytes, pcap and pcapng (TCP is put in order, packages are put together).
退出码 / exit status: 1 有错误的帧，或没有帧 / a frame is wrong, or there is none; 78 文件无法读取 / a file cannot be read"""


def _port(text: str) -> int:
    if text.isdecimal() and 0 < int(text) < 1 << 16:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text}: 端口 1-65535 / a port")


def _positive(text: str) -> int:
    if text.isdecimal() and 0 < int(text) < 10**9:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text}: 正整数 / a positive number")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="action")
    decode = actions.add_parser(
        "decode",
        help="逐字段解释 / explain frames field by field",
        description="逐字段解释 JT/T 808 帧\nExplains JT/T 808 frames field by field.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    decode.add_argument(
        "input",
        nargs="*",
        metavar="HEX|FILE|-",
        help="十六进制、文件，- 为标准输入 / hex, files, - is standard input",
    )
    decode.add_argument(
        "--edition",
        type=int,
        choices=[int(each) for each in Version],
        help="终端的协议版本，默认按内容判断 / of the terminal; told by the content",
    )
    decode.add_argument("--phone", metavar="PHONE", help="只看该终端 / only this terminal")
    decode.add_argument("--id", metavar="0200", help="只看该消息 / only this message, four hex digits")
    decode.add_argument(
        "--port",
        type=_port,
        action="append",
        default=[],
        metavar="PORT",
        help="抓包中只看该端口 / only this port of a capture",
    )
    decode.add_argument(
        "--wrong", action="store_true", help="只看有错误或疑问的帧 / only frames that are wrong or odd"
    )
    decode.add_argument(
        "--brief", action="store_true", help="每帧一行，加上问题 / a line a frame, and what is wrong"
    )
    decode.add_argument(
        "--most",
        type=_positive,
        default=_MOST,
        metavar="N",
        help="最多显示多少帧 / frames shown at most (%(default)s)",
    )
    decode.add_argument("--lang", choices=("zh", "en"), default="zh", help="语言 / language (%(default)s)")
    decode.add_argument("--json", action="store_true", help="以 JSON 逐行输出 / print JSON, an object a line")
    watch.add_arguments(actions)
    parser.epilog = _EPILOG


def run(args: argparse.Namespace) -> int:
    return watch.run(args) if args.action == "watch" else _decode(args)


def _decode(args: argparse.Namespace) -> int:
    if not args.input and sys.stdin.isatty():
        raise ConfigurationError(
            "没有输入 / nothing to read",
            hint="gongche frames decode 7E0002...7E；gongche frames decode --help",
        )
    notes = Notes()
    reader = Reader(None if args.edition is None else Version(args.edition))
    wanted = _Wanted(args)
    seen = wrong = 0
    told_all = (
        each for found in find(args.input, frozenset(args.port), notes) for each in reader.read(found)
    )
    shown_ones = ((found, told) for found, told in told_all if wanted(told))
    for found, told in itertools.islice(shown_ones, args.most):
        seen += 1
        wrong += bool(told.problems)
        _show(seen, found, told, args)
    stopped = seen == args.most and next(shown_ones, None) is not None
    _sum_up(seen, wrong, stopped, reader, notes, args)
    return 1 if wrong or not seen else 0


def _show(number: int, found: Found, told: Explanation, args: argparse.Namespace) -> None:
    if args.json:
        sys.stdout.write(orjson.dumps(as_object(number, found, told)).decode() + "\n")
        return
    for line in lines(number, found, told, args.lang == "en", brief=args.brief):
        print(line)
    if not args.brief:
        print()


def _sum_up(
    seen: int, wrong: int, stopped: bool, reader: Reader, notes: Notes, args: argparse.Namespace
) -> None:
    english = args.lang == "en"
    said = [in_words(f"{seen} 帧，有错误 {wrong}|frames {seen}, wrong {wrong}", english)]
    if stopped:
        said.append(
            in_words(
                f"只显示前 {args.most} 帧，更多用 --most|only the first {args.most}, see --most", english
            )
        )
    said += [f"{in_words(why, english)}: {count}" for why, count in sorted(notes.skipped.items())]
    if missing := reader.incomplete():
        said.append(in_words(f"分包不全的消息 {missing}|messages without all packages: {missing}", english))
    print("; ".join(said) if english else "；".join(said), file=sys.stderr)


class _Wanted:
    """Which frames are asked for."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._phone = args.phone.lstrip("0").upper() or "0" if args.phone else None
        self._wrong = args.wrong
        try:
            self._id = int(args.id, 16) if args.id else None
        except ValueError:
            raise ConfigurationError(
                f"--id {args.id[:20]}: 四位十六进制 / four hex digits", hint="--id 0200"
            ) from None

    def __call__(self, told: Explanation) -> bool:
        header = told.header
        if self._phone is not None and (header is None or header.terminal_phone != self._phone):
            return False
        if self._id is not None and (header is None or header.id != self._id):
            return False
        return not self._wrong or bool(told.problems or told.odd)
