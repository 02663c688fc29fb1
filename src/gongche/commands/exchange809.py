"""``gongche exchange809``: the process that keeps the links to other platforms by JT/T 809, and what the operator sets up for it."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from datetime import UTC, datetime, time
from functools import partial
from pathlib import Path
from typing import Final

from gongche.commands.database import Action, on_database, shown
from gongche.commands.service import database_trouble, run_service
from office.identity.keys import Sealer
from office.platforms import links, states, urging
from office.platforms.fleet import colour_of
from office.platforms.links import Link, Secret
from registry.refusals import RefusedError
from runtime import lifecycle
from runtime.connection import Connection
from runtime.errors import ConfigurationError
from runtime.metrics import set_build_info
from runtime.migrations import check_schema
from runtime.postgres import create_pool
from runtime.probes import serve_probes
from runtime.settings import Settings, load_settings
from runtime.units import CHINA
from telemetry.jt809.tables import COLOURS, LOGIN_RESULTS, URGE_RESULTS, WARN_TYPES

_logger = logging.getLogger(__name__)
_COLOUR_NAMES: Final = {text.split("|")[1]: code for code, text in COLOURS.items()}
#: Another alarm: what our cases are about has no number there.
_OTHER_ALARM: Final = 0x000E
_GOVERNMENT: Final = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="action")
    actions.add_parser(
        "run", help="运行互联进程（默认） / run the process (this is what it does without an action)"
    )
    link = actions.add_parser("link", help="互联平台名单 / the list of other platforms")
    inner = link.add_subparsers(dest="what", required=True, metavar="what")
    above = inner.add_parser("above", help="增加上级平台 / a platform that we log in to")
    above.add_argument("--host", required=True, help="上级平台地址 / where it listens")
    above.add_argument("--port", required=True, type=int, help="上级平台端口 / its port")
    above.add_argument(
        "--down-host",
        default="",
        help="本级从链路地址，上级平台据此连接 / where it reaches us for the subordinate link",
    )
    above.add_argument(
        "--down-port", type=int, default=0, help="本级从链路端口，0 为不建从链路 / 0 = no subordinate link"
    )
    above.add_argument(
        "--platform-id", default="", help="平台唯一编码，最多 11 个字符 / our platform, at most 11 characters"
    )
    below = inner.add_parser("below", help="增加下级平台 / a platform that logs in to us")
    for one in (above, below):
        one.add_argument(
            "name", help="名称，小写字母、数字和连字符 / its name: small letters, digits, hyphens"
        )
        one.add_argument(
            "--edition", type=int, choices=(2011, 2019), required=True, help="标准版本 / edition"
        )
        one.add_argument(
            "--access-code", type=int, required=True, help="下级平台接入码 / of the lower platform"
        )
        one.add_argument("--user", type=int, required=True, help="用户名（数字） / a number")
        one.add_argument(
            "--network", dest="networks", action="append", default=[], metavar="CIDR",
            help="对方网段，可重复；仅接受其连接 / where it connects from; may be repeated",
        )  # fmt: skip
        one.add_argument(
            "--unit", dest="units", action="append", required=True, metavar="ID",
            help="单位（含下级），可重复 / whose vehicles: this unit and those below it; may be repeated",
        )  # fmt: skip
        one.add_argument(
            "--secret-file", metavar="FILE",
            help="JSON：password，以及 m1、ia1、ic1；不给则从标准输入读取 / password, and the keys; without: standard input",
        )  # fmt: skip
        one.add_argument(
            "--encrypt", action="store_true", help="本级发送的数据加密 / what we send is encrypted"
        )
    for word, text in (("enable", "启用 / enable"), ("disable", "停用 / disable"), ("list", "列出 / list")):
        one = inner.add_parser(word, help=text)
        if word != "list":
            one.add_argument("name")
    actions.add_parser("status", help="互联状态 / how the links stand").add_argument("name", nargs="?")
    colour = actions.add_parser("colour", help="车牌颜色 / the colour of the plate of a vehicle")
    colour.add_argument("vehicle", help="车辆编号 / id of the vehicle")
    colour.add_argument("colour", choices=(*_COLOUR_NAMES, "default"))
    urge = actions.add_parser(
        "urge", help="向下级平台下发报警督办 / order a platform below to deal with a case"
    )
    urge.add_argument("case", help="督办单 id / id of our case")
    urge.add_argument("--link", required=True, help="下级平台 / the platform below")
    urge.add_argument("--supervisor", default="", help="督办人 / who orders")
    urge.add_argument("--phone", default="", help="联系电话 / phone")
    actions.add_parser("orders", help="报警督办 / orders, both ways").add_argument("name", nargs="?")
    parser.epilog = """\
与其他平台互联（JT/T 809-2011、2019），见 docs/exchange809.md。/ Links to other platforms, see docs/exchange809.md.
  gongche exchange809 link above province --host 10.1.0.9 --port 8809 --edition 2011 --access-code 1234567 --user 9999 --unit city < secret.json
  gongche exchange809 link below county --edition 2019 --access-code 7654321 --user 7 --unit county --network 10.2.0.0/16 < secret.json
  gongche exchange809 status
端口 / ports: GONGCHE_EXCHANGE809_PORT (unset = nobody connects); health and metrics on GONGCHE_METRICS_HOST (127.0.0.1),
GONGCHE_EXCHANGE809_METRICS_PORT (8810)"""


def run(args: argparse.Namespace) -> int:
    if args.action in (None, "run"):
        return run_service("exchange809", serve)

    async def work(args: argparse.Namespace, connection: Connection) -> int:
        try:
            async with connection.transaction():
                return await ACTIONS[args.action](args, connection)
        except RefusedError as error:
            print("; ".join(flaw.message for flaw in error.flaws), file=sys.stderr)
        return 1

    return on_database("exchange809", work, args)


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Probes and the links until ``stop``. ``settings.database_url`` is set."""
    from gongche.exchange809.process import Exchange809
    from gongche.exchange809.wire import Terms
    from telemetry.log import open_tail, open_writer

    ends = lifecycle.SupervisorLink.from_environment()
    ends.watch(stop)
    set_build_info("exchange809")
    pool = await create_pool(settings.database_url or "", max_size=8)
    try:
        await check_schema(pool)
        listen = None
        if settings.exchange809_port is not None:
            listen = settings.exchange809_host, settings.exchange809_port
        kept = Exchange809(
            pool,
            Sealer(settings),
            partial(open_tail, settings),
            partial(open_writer, settings),
            Terms(
                confirm_s=settings.exchange809_confirm_s,
                answer_s=settings.exchange809_answer_s,
                most_pause_s=settings.exchange809_most_pause_s,
                rate=settings.exchange809_rate,
            ),
            listen,
        )

        async def readiness() -> str | None:
            return "stopping" if stop.is_set() else await database_trouble(pool) or kept.trouble

        probes = await serve_probes(settings.exchange809_metrics_port, readiness, host=settings.metrics_host)
        try:
            _logger.info("ready", extra={"fields": {"metrics_port": probes.port}})
            ends.ready(metrics_port=probes.port)
            await kept.run(stop)
        finally:
            await probes.close()
    finally:
        pool.terminate()


async def _link(args: argparse.Namespace, connection: Connection) -> int:
    if args.what == "list":
        for one in await links.read_links(connection):
            state = "启用 / enabled" if one.enabled else "停用 / disabled"
            where = f"{one.host}:{one.port}" if one.host else " ".join(map(str, one.networks))
            print(
                f"{one.name}  {one.direction}  {one.edition}  {state}  {one.access_code}  {where}  {' '.join(one.units)}"
            )
        return 0
    if args.what in ("enable", "disable"):
        if not await links.set_enabled(connection, args.name, args.what == "enable"):
            print(f"没有这个平台 / no such platform: {args.name}", file=sys.stderr)
            return 1
    else:
        made = Link(
            name=args.name,
            direction=args.what,
            edition=args.edition,
            access_code=args.access_code,
            user_id=args.user,
            platform_id=getattr(args, "platform_id", ""),
            host=getattr(args, "host", None),
            port=getattr(args, "port", None),
            down_host=getattr(args, "down_host", ""),
            down_port=getattr(args, "down_port", 0),
            networks=links.networks_of(args.networks),
            organisation=args.units[0],
            units=tuple(dict.fromkeys(args.units)),
            encrypts=args.encrypt,
        )
        await links.add(connection, made, _secret(args.secret_file), Sealer(load_settings()))
    print(f"{args.what} {args.name}")
    return 0


def _secret(file: str | None) -> Secret:
    """Password and keys: never as arguments, which every process of the machine can read."""
    hint = '{"password": "...", "m1": 1, "ia1": 2, "ic1": 3}, the keys only where they are given'
    try:
        given = json.loads(sys.stdin.readline() if file is None else Path(file).read_text("utf-8"))
        keys = [given.get(name) for name in ("m1", "ia1", "ic1")]
        if not isinstance(given["password"], str) or any(
            key is not None and type(key) is not int for key in keys
        ):
            raise ValueError("wrong types")
        if len({key is None for key in keys}) > 1:
            raise ValueError("all three keys, or none")
        return Secret(given["password"], None if keys[0] is None else (keys[0], keys[1], keys[2]))
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"口令文件有误 / the secret cannot be read: {error}", hint=hint) from error


async def _status(args: argparse.Namespace, connection: Connection) -> int:
    found = [one for one in await states.overview(connection) if args.name in (None, one["name"])]
    for one in found:
        state = "启用 / enabled" if one["enabled"] else "停用 / disabled"
        print(
            f"{one['name']}  {one['direction']}  JT/T 809-{one['edition']}  {state}  接入码 / access code {one['access_code']}"
        )
        if one["login_result"] is not None:
            said = LOGIN_RESULTS.get(one["login_result"], "|").replace("|", " / ")
            print(f"  登录 / login {one['login_result']} {said}  {shown(one['login_at'])}")
        print(
            f"  主链路 / main link since {shown(one['main_since'])}  从链路 / subordinate link since {shown(one['down_since'])}"
        )
        if one["last_error"]:
            print(f"  错误 / error {one['last_error']}  {shown(one['last_error_at'])}")
        if one["direction"] == "above":
            print(
                f"  实时 / sent {one['sent']}  补报 / resent {one['resent']}  未上报 / withheld {one['withheld']}  丢失 / lost"
                f" {one['lost']}  对方确认 / confirmed {shown(one['confirmed_at'])}"
            )
            if one["said_taken"]:
                print(f"  对方通知已收 / it says that it took {one['said_taken']}")
        else:
            print(f"  入库 / taken {one['taken']}  未识别车辆 / unknown vehicles {one['strangers']}")
            for row in await states.strangers(connection, one["name"], 20):
                device = row["device"] or {}
                print(
                    f"    {row['plate']}  {row['colour']}  {row['refused']}  SIM {device.get('sim', '-')}  {shown(row['last_at'])}"
                )
        for reason, count in sorted(one["refused"].items()):
            print(f"  拒收 / refused {reason} {count}")
        if one["last_refusal"]:
            print(f"  最近一次 / the last one: {one['last_refusal']}")
    if not found:
        print("没有互联平台 / no platform: gongche exchange809 link", file=sys.stderr)
        return 0 if args.name is None else 1
    return 0


async def _colour(args: argparse.Namespace, connection: Connection) -> int:
    await links.set_colour(connection, args.vehicle, _COLOUR_NAMES.get(args.colour))
    print(f"{args.vehicle} {args.colour}")
    return 0


async def _urge(args: argparse.Namespace, connection: Connection) -> int:
    """An order for one of our cases, of a vehicle in the units of the link."""
    row = await connection.fetchrow(
        "SELECT c.id, c.level, c.due_on, c.state, c.vehicle, v.plate, v.organisation, v.secret, p.colour FROM cases c LEFT JOIN vehicles v"
        " ON v.id = c.vehicle LEFT JOIN platform_colours p ON p.vehicle = v.id WHERE c.id = $1",
        args.case,
    )
    link = next((one for one in await links.read_links(connection) if one.name == args.link), None)
    fault = None
    if link is None or link.direction != "below" or link.edition != 2011:
        fault = f"{args.link} 不是 2011 版的下级平台 / is no platform below of the edition of 2011"
    elif row is None or row["plate"] is None:
        fault = f"没有这份督办单，或未指明车辆 / no such case, or it names no vehicle: {args.case}"
    elif row["state"] in ("draft", "submitted", "closed", "cancelled"):
        fault = f"督办单未签发或已结束 / the case is not issued, or over: {row['state']}"
    elif row["secret"] or not await _within(connection, link, row["organisation"]):
        fault = f"车辆不属于该平台的单位 / the vehicle is of no unit of {args.link}"
    if fault is not None or link is None or row is None:
        print(fault, file=sys.stderr)
        return 1
    due = row["due_on"]
    now = datetime.now(UTC)
    order = urging.Order(
        supervision_id=await urging.new_id(connection, link.name),
        plate=row["plate"],
        colour=row["colour"] or colour_of(row["plate"], link.edition),
        warn_source=_GOVERNMENT,
        warn_type=_OTHER_ALARM,
        warn_at=now,
        due_at=now if due is None else datetime.combine(due, time(23, 59, 59), CHINA),
        level=0 if row["level"] == "urgent" else 1,
        supervisor=args.supervisor,
        phone=args.phone,
        vehicle=row["vehicle"],
    )
    await urging.keep(connection, link.name, order, row["id"], asked=True)
    print(f"督办 ID / number {order.supervision_id}")
    return 0


async def _within(connection: Connection, link: Link, organisation: str) -> bool:
    from registry.organisations import units_below

    return organisation in await units_below(connection, link.units)


async def _orders(args: argparse.Namespace, connection: Connection) -> int:
    for row in await urging.listed(connection, args.name, 200):
        ours = row["direction"] == "asked"
        result = row["result"] if ours else row["told"]
        said = "-" if result is None else URGE_RESULTS.get(result, str(result)).replace("|", " / ")
        kind = WARN_TYPES.get(row["warn_type"], f"{row['warn_type']:#06x}|").split("|")[0]
        print(
            f"{row['link']}  {'下发 / asked' if ours else '收到 / received'}  {row['supervision_id']}  {row['plate']}  {kind}  截止 / due"
            f" {shown(row['due_at'])}  督办单 / case {row['case_id'] or '-'} {row['number'] or ''} {row['state'] or ''}  结果 / result {said}"
        )
    return 0


#: What the command does with the database.
ACTIONS: Final[dict[str, Action]] = {
    "link": _link,
    "status": _status,
    "colour": _colour,
    "urge": _urge,
    "orders": _orders,
}
