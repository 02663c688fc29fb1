"""``gongche frames watch``: every frame of a terminal, up and down, as it comes, from whichever gateway has it.

The command writes a row that names the phone number (``telemetry.terminals.watches``), renews it while it runs, and listens; the gateways
tell what they see of that number, bounded and without codes. It stands in the audit like every command on the database.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import orjson

from gongche.commands.database import on_database
from gongche.frames.reading import Reader
from gongche.frames.rendering import as_object, lines, when
from gongche.frames.runs import Found, Kind
from runtime.connection import Connection
from runtime.errors import ConfigurationError
from runtime.postgres import DATABASE_ERRORS
from telemetry.commands.thread import CHANNEL
from telemetry.jt808.scalar.header import Version
from telemetry.jt808.tables.explain import Explanation, Speaker
from telemetry.jt808.tables.shown import in_words
from telemetry.terminals import watches
from telemetry.terminals.phones import stored_phone
from telemetry.terminals.watches import Presence, Told, Watch

_MOST_MINUTES: Final = 240
_LOOK_S: Final = 2.0
#: NOTIFYs that wait to be shown; a terminal at the other end of a slow pipe must not fill the memory.
_MOST_WAITING: Final = 1_000
_PHONE: Final = re.compile(r"[0-9A-Fa-f]{1,20}", re.ASCII)
#: From the terminal, to it.
_ARROWS: Final = {True: "↑", False: "↓"}
_EPILOG: Final = """\
实时显示一台终端的上下行帧，逐字段解释；任何一台网关上的终端均可，未上线的等待其登录。鉴权码以 * 代替。写入审计。
Shows every frame of a terminal as it comes and goes, explained; on whichever gateway it is, and waits for one that is not connected.
Codes of authentications are shown as *. The command stands in the audit. Frames are kept nowhere; too many at once are counted as lost.
  gongche frames watch 13912345678
  gongche frames watch 13912345678 --brief --minutes 60
  gongche frames watch 13912345678 --raw | tee frames.txt      再用 gongche frames decode frames.txt 解释 / to be explained later
退出码 / exit status: 0; 1 没有任何帧 / no frame came; 75 监视过多或数据库不可用 / too many watch, or no database"""


def add_arguments(actions: Any) -> None:
    parser = actions.add_parser(
        "watch",
        help="实时监视一台终端 / follow a terminal live",
        description="实时监视一台终端的上下行帧\nFollows the frames of a terminal, up and down.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("phone", metavar="PHONE", help="终端手机号 / phone number of the terminal")
    parser.add_argument(
        "--minutes",
        type=_minutes,
        default=10,
        metavar="N",
        help=f"多久后结束，至多 {_MOST_MINUTES} / ends after so long (%(default)s)",
    )
    parser.add_argument("--most", type=int, metavar="N", help="多少帧后结束 / ends after so many frames")
    parser.add_argument(
        "--edition", type=int, choices=[int(each) for each in Version],
        help="终端的协议版本，默认按注册与内容判断 / of the terminal; told by registration and content",
    )  # fmt: skip
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--brief", action="store_true", help="每帧一行，加上问题 / a line a frame, and what is wrong"
    )
    form.add_argument("--json", action="store_true", help="以 JSON 逐行输出 / print JSON, an object a line")
    form.add_argument("--raw", action="store_true", help="只输出十六进制 / only the bytes, in hex")
    parser.add_argument("--lang", choices=("zh", "en"), default="zh", help="语言 / language (%(default)s)")


def _minutes(text: str) -> float:
    with suppress(ValueError):
        if 0 < float(text) <= _MOST_MINUTES:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text}: 0-{_MOST_MINUTES}")


def run(args: argparse.Namespace) -> int:
    """Watch until the time is over, enough has come or somebody interrupts."""
    if not _PHONE.fullmatch(args.phone):
        raise ConfigurationError(
            f"{args.phone[:40]}: 不是终端手机号 / no phone number of a terminal",
            hint="gongche frames watch 13912345678",
        )
    return on_database("frames", _watch, args)


async def _watch(args: argparse.Namespace, connection: Connection) -> int:
    phone = stored_phone(args.phone)
    said = _Said(
        args, Reader(None if args.edition is None else Version(args.edition), await _known(connection, phone))
    )
    watch = await watches.ask(connection, phone, CHANNEL)
    came: asyncio.Queue[str] = asyncio.Queue()

    def heard(_connection: Any, _pid: int, _channel: str, payload: str) -> None:
        if came.qsize() < _MOST_WAITING:
            came.put_nowait(payload)
        else:
            said.lost += 1

    await connection.add_listener(watches.channel(watch.id), heard)  # type: ignore[attr-defined]  # asyncpg's own
    try:
        await _follow(args, connection, watch, came, said)
    finally:
        with suppress(*DATABASE_ERRORS):
            await watches.end(connection, watch, CHANNEL)
        said.end()
    return 0 if said.seen else 1


async def _follow(
    args: argparse.Namespace, connection: Connection, watch: Watch, came: asyncio.Queue[str], said: _Said
) -> None:
    ends = time.monotonic() + args.minutes * 60
    renew = look = 0.0
    while (now := time.monotonic()) < ends and not said.enough:
        if now >= renew:
            renew = now + watches.RENEW_S
            await watches.renew(connection, watch)
        if now >= look:
            look = now + _LOOK_S
            said.presence(await watches.presence(connection, watch.phone))
        with suppress(TimeoutError):
            async with asyncio.timeout(max(min(ends, renew, look) - time.monotonic(), 0)):
                said.frames(await came.get())


async def _known(connection: Connection, phone: str) -> Speaker | None:
    """Who the terminal is by its last registration."""
    row = await connection.fetchrow(
        "SELECT edition, manufacturer, model FROM terminals WHERE phone = $1", phone
    )
    if row is None or row["edition"] is None:
        return None
    return Speaker(Version(row["edition"]), row["manufacturer"], row["model"])


class _Said:
    """What is printed: frames to the output, what is going on to the errors."""

    def __init__(self, args: argparse.Namespace, reader: Reader) -> None:
        self._args, self._reader = args, reader
        self._english = args.lang == "en"
        self._present: Presence | None = None
        self.seen = self.lost = 0

    @property
    def enough(self) -> bool:
        return self._args.most is not None and self.seen >= self._args.most

    def _tell(self, words: str) -> None:
        print(in_words(words, self._english), file=sys.stderr, flush=True)

    def presence(self, now: Presence) -> None:
        """Where the terminal is, said where it is another place than before."""
        if now == self._present:
            return
        self._present = now
        phone = stored_phone(self._args.phone)
        if now.gateway is not None:
            self._tell(
                f"终端 {phone} 在线，网关 {now.gateway}|terminal {phone} is online, gateway {now.gateway}"
            )
        elif now.registered:
            self._tell(
                f"终端 {phone} 离线，等待登录…|terminal {phone} is not connected, waiting for its login…"
            )
        else:
            self._tell(
                f"终端 {phone} 未登记（或已停用），它的连接会被拒绝；等待它的注册帧…"
                f"|terminal {phone} is not in the registry (or disabled) and will be refused; waiting for its frames…"
            )

    def frames(self, payload: str) -> None:
        """What a gateway tells."""
        gateway, told, lost = watches.unpacked(payload)
        if lost:
            self.lost += lost
            self._tell(f"帧过多，漏 {lost} 帧|too many at once: {lost} frames are not shown")
        for one in told:
            if self.enough:
                return
            for found, explained in self._explained(one, gateway):
                self.seen += 1
                self._show(one, found, explained)

    def _explained(self, one: Told, gateway: str) -> Iterator[tuple[Found, Explanation]]:
        way = (
            f"{_ARROWS[one.up]} {one.peer} → {gateway}"
            if one.up
            else f"{_ARROWS[one.up]} {gateway} → {one.peer}"
        )
        found = Found(Kind.FRAME, one.segment, "", one.time_us, way)
        if self._args.raw:
            yield found, Explanation(one.segment)
        else:
            yield from self._reader.read(found)

    def _show(self, one: Told, found: Found, explained: Explanation) -> None:
        args = self._args
        if args.raw:
            print(f"{when(one.time_us)}  {_ARROWS[one.up]}  7e{one.segment.hex()}7e", flush=True)
            return
        if args.json:
            made = as_object(self.seen, found, explained) | {"up": one.up, "code_hidden": one.hidden}
            sys.stdout.write(orjson.dumps(made).decode() + "\n")
            sys.stdout.flush()
            return
        for line in lines(self.seen, found, explained, self._english, brief=args.brief):
            print(line)
        if one.hidden:
            print(in_words("   鉴权码以 * 代替|   its code is shown as *", self._english))
        if not args.brief:
            print()
        sys.stdout.flush()

    def end(self) -> None:
        """How much there was."""
        lost = (
            f"，漏 {self.lost}|frames {self.seen}, not shown {self.lost}"
            if self.lost
            else f"|frames {self.seen}"
        )
        self._tell(f"{self.seen} 帧{lost}")
