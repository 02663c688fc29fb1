"""``gongche exchange``: the process that exchanges with the instances above, and what the operator sets up for it."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from gongche.commands.database import Action, on_database, shown
from gongche.commands.service import database_trouble, run_service
from office.exchange import capture, mapping_file, peers, status
from office.exchange.kinds import UP
from office.exchange.transport import TargetError, Transport
from office.identity.keys import Sealer
from registry.refusals import RefusedError
from runtime import lifecycle
from runtime.connection import Connection
from runtime.errors import ConfigurationError
from runtime.metrics import set_build_info
from runtime.migrations import check_schema
from runtime.postgres import create_pool
from runtime.probes import serve_probes
from runtime.settings import Settings, load_settings

_logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="action")
    actions.add_parser(
        "run", help="运行交换进程（默认） / run the process (this is what it does without an action)"
    )
    name = actions.add_parser(
        "name", help="本级名称，设定后不能更改 / what this instance is called; given once"
    )
    name.add_argument("name", nargs="?", help="如 nantong / such as nantong; without: show it")
    peer = actions.add_parser("peer", help="互联平台名单 / the list of other instances")
    inner = peer.add_subparsers(dest="what", required=True, metavar="what")
    above = inner.add_parser("above", help="增加上级平台 / an instance that we push to and pull from")
    above.add_argument("name", help="名称 / its name")
    above.add_argument(
        "--url", required=True, help="地址，须 https:// / its address; http only to this machine itself"
    )
    above.add_argument(
        "--client", required=True, metavar="ID", help="上级为本级建立的客户端编号 / our client id there"
    )
    above.add_argument(
        "--secret-file",
        metavar="FILE",
        help="客户端密钥文件；不给则从标准输入读取 / its secret; without: from standard input",
    )
    above.add_argument(
        "--unit", dest="units", action="append", required=True, metavar="ID",
        help="上报的单位（含下级），可重复 / what is pushed: this unit and those below it; may be repeated",
    )  # fmt: skip
    above.add_argument(
        "--kind", dest="kinds", action="append", default=[], choices=list(UP), metavar="KIND",
        help="只上报这些，可重复 / only these: " + ", ".join(UP),
    )  # fmt: skip
    above.add_argument(
        "--mapping", metavar="FILE", help="字段映射 / mapping for a receiver that is no gongche"
    )
    below = inner.add_parser("below", help="增加下级平台 / an instance that comes to us")
    below.add_argument("name", help="名称，即其本级名称 / its name, as it calls itself")
    below.add_argument(
        "--client", required=True, metavar="ID", help="为其建立的客户端编号 / the client that it comes in as"
    )
    for word, text in (
        ("enable", "启用 / enable"),
        ("disable", "停用 / disable: nothing is sent or taken"),
        ("list", "列出 / list"),
    ):
        one = inner.add_parser(word, help=text)
        if word != "list":
            one.add_argument("name")
    for word, text in (
        ("status", "互联状态 / how the exchange stands"),
        ("refused", "被拒记录 / dead letters, with the reason of each"),
    ):
        actions.add_parser(word, help=text).add_argument("peer", nargs="?")
    resend = actions.add_parser("resend", help="重发被拒记录 / send dead letters again")
    resend.add_argument("peer")
    resend.add_argument("--kind", choices=list(UP), metavar="KIND")
    resend.add_argument("--id", help="记录编号 / only this record")
    again = actions.add_parser(
        "snapshot", help="重新核对全部记录 / go through all records again; what is confirmed is not sent"
    )
    again.add_argument("peer")
    maps = actions.add_parser("mapping", help="字段映射 / mappings").add_subparsers(
        dest="what", required=True, metavar="what"
    )
    check = maps.add_parser("check", help="检查 / check a file, with every flaw")
    check.add_argument("file", nargs="?", help="不给则为随附的示例 / without: the example that is shipped")
    show = maps.add_parser("show", help="列出接口和字段 / its interfaces and fields")
    show.add_argument("file", nargs="?", help="不给则为随附的示例 / without: the example that is shipped")
    parser.epilog = """\
省、市、县三级互联（见 docs/exchange.md）：向上级上报，从上级取回督办、通知和代码。只有配置了上级平台才需要运行。
Exchange between levels: pushes to the instance above, pulls supervision orders, notices and codes. Only needed where there is one.
  gongche exchange name qidong
  gongche exchange peer above nantong --url https://gongche.nantong.gov.cn --client client-... --unit qidong
  gongche exchange status
端口 / port: health and metrics on GONGCHE_METRICS_HOST (127.0.0.1), GONGCHE_EXCHANGE_METRICS_PORT (8807)"""


def run(args: argparse.Namespace) -> int:
    if args.action in (None, "run"):
        return run_service("exchange", serve)
    if args.action == "mapping":
        return _mapping(args)
    actions: dict[str, Action] = {
        "name": _name,
        "peer": _peer,
        "status": _status,
        "refused": _refused,
        "resend": _resend,
        "snapshot": _snapshot,
    }

    async def work(args: argparse.Namespace, connection: Connection) -> int:
        try:
            async with connection.transaction():
                return await actions[args.action](args, connection)
        except RefusedError as error:
            print("; ".join(flaw.message for flaw in error.flaws), file=sys.stderr)
        except TargetError as error:
            print(error, file=sys.stderr)
        return 1

    return on_database("exchange", work, args)


async def open_line(
    settings: Settings, sealer: Sealer, connection: Connection, peer: peers.Peer
) -> tuple[Any, Any]:
    """The transport and the mapping of a peer above. Raises ConfigurationError, TargetError."""
    sealed = await peers.sealed_secret(connection, peer.name)
    if sealed is None:
        raise ConfigurationError(f"没有客户端密钥 / there is no secret of the client at {peer.name}")
    read = None if peer.mapping is None else mapping_file.load(Path(peer.mapping))
    secret = sealer.open(sealed, f"exchange:{peer.name}")
    transport = Transport(
        peer.url or "",
        peer.client_id,
        secret,
        ca_file=settings.exchange_ca_file,
        timeout_s=settings.exchange_timeout_s,
    )
    return transport, read


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Probes and the exchange until ``stop``. ``settings.database_url`` is set."""
    from office.exchange.sender import Exchange

    link = lifecycle.SupervisorLink.from_environment()
    link.watch(stop)
    set_build_info("exchange")
    pool = await create_pool(settings.database_url or "", max_size=8)
    try:
        await check_schema(pool)
        await _check_mappings(pool)
        exchange = Exchange(
            pool,
            partial(open_line, settings, Sealer(settings)),
            pull_every_s=settings.exchange_pull_s,
            most_pause_s=settings.exchange_most_pause_s,
        )

        async def readiness() -> str | None:
            if stop.is_set():
                return "stopping"
            return await database_trouble(pool) or exchange.trouble

        probes = await serve_probes(settings.exchange_metrics_port, readiness, host=settings.metrics_host)
        try:
            _logger.info("ready", extra={"fields": {"metrics_port": probes.port}})
            link.ready(metrics_port=probes.port)
            await exchange.run(stop)
        finally:
            await probes.close()
    finally:
        pool.terminate()


async def _check_mappings(pool: Any) -> None:
    """A mapping that cannot work ends the start, with every flaw: no restart would help."""
    async with pool.acquire() as connection:
        for peer in await peers.peers_above(connection):
            if peer.mapping is not None:
                mapping_file.load(Path(peer.mapping))


async def _name(args: argparse.Namespace, connection: Connection) -> int:
    if args.name is not None:
        await peers.set_own_name(connection, args.name)
    print(await peers.own_name(connection) or "未命名 / without a name")
    return 0


async def _peer(args: argparse.Namespace, connection: Connection) -> int:
    if args.what == "list":
        for one in await peers.all_peers(connection):
            state = "启用 / enabled" if one.enabled else "停用 / disabled"
            print(
                f"{one.name}  {one.direction}  {state}  {one.organisation}  {one.url or one.client_id}  {' '.join(one.kinds)}"
            )
        return 0
    if args.what == "above":
        sealed = Sealer(load_settings()).seal(_secret(args.secret_file), f"exchange:{args.name}")
        await peers.add_above(
            connection,
            args.name,
            args.url,
            args.client,
            sealed,
            args.units,
            args.kinds,
            _absolute(args.mapping),
        )
    elif args.what == "below":
        await peers.add_below(connection, args.name, args.client)
    elif not await peers.set_enabled(connection, args.name, args.what == "enable"):
        print(f"没有这个平台 / no such peer: {args.name}", file=sys.stderr)
        return 1
    print(f"{args.what} {args.name}")
    return 0


def _secret(file: str | None) -> str:
    try:
        text = sys.stdin.readline() if file is None else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: {error}") from error
    if not text.strip():
        raise ConfigurationError(
            "没有密钥 / the secret is missing", hint="--secret-file FILE, or standard input"
        )
    return text.strip()


def _absolute(file: str | None) -> str | None:
    """The path of a mapping that works. The process may run in another folder."""
    if file is None:
        return None
    mapping_file.load(Path(file))
    return os.path.abspath(file)


async def _status(args: argparse.Namespace, connection: Connection) -> int:
    found = [one for one in await peers.all_peers(connection) if args.peer in (None, one.name)]
    for one in found:
        state = await status.overview(connection, one.name)
        print(f"{one.name}  {one.direction}  {'启用 / enabled' if one.enabled else '停用 / disabled'}")
        if one.direction == "above":
            print(
                f"  最近成功 / last ok {shown(state.get('last_ok_at'))}  拉取 / pulled {shown(state.get('pulled_at'))}"
            )
            if state.get("last_error"):
                print(f"  错误 / error {state['last_error']}  重试 / next try {shown(state.get('retry_at'))}")
            if state.get("snapshot_kind"):
                print(f"  首次全量进行到 / first copy is at: {state['snapshot_kind']}")
            for row in await status.outgoing(connection, one.name):
                print(
                    f"  {row['kind']:<8} 已发 / sent {row['sent']}  已确认 / confirmed {row['confirmed']}  待发 / waiting"
                    f" {row['waiting']} ({row['oldest_waiting_s']} s)  被拒 / refused {row['refused']}"
                )
        for row in await status.arrivals(connection, one.name):
            print(
                f"  {row['kind']:<8} 收到 / stored {row['stored']}  现有 / kept {row['kept']}  缺 / missing {row['missing'] or 0}"
                f"  被拒 / refused {row['refused']}  {shown(row['last_at'])}"
            )
    if not found:
        print("没有互联平台 / no peer: gongche exchange peer", file=sys.stderr)
        return 0 if args.peer is None else 1
    return 0


async def _refused(args: argparse.Namespace, connection: Connection) -> int:
    for one in await peers.all_peers(connection):
        if args.peer not in (None, one.name):
            continue
        for row in await status.refusals(connection, one.name, 1_000):
            origin = row["origin"] or "本级 / own"
            print(
                f"{one.name}  {row['kind']}  {origin}  {row['id']}  {row['code']}: {row['detail']}  {shown(row['refused_at'])}"
            )
    return 0


async def _resend(args: argparse.Namespace, connection: Connection) -> int:
    done = await capture.resend(connection, args.peer, args.kind, args.id)
    print(f"{done} 条将重发 / are sent again")
    return 0


async def _snapshot(args: argparse.Namespace, connection: Connection) -> int:
    found = await peers.find_peer(connection, args.peer)
    if found is None or found.direction != "above":
        print(f"没有这个上级平台 / no such peer above: {args.peer}", file=sys.stderr)
        return 1
    await capture.begin(connection, args.peer)
    print("将核对全部记录 / all records are gone through again")
    return 0


def _mapping(args: argparse.Namespace) -> int:
    read = mapping_file.load(mapping_file.example_path() if args.file is None else Path(args.file))
    if args.what == "check":
        print(
            f"{read.name}: 可用 / works, {len(read.interfaces)} 个接口 / interfaces, {len(read.not_served)} 个不提供 / not served"
        )
        print(read.note)
        return 0
    print(read.name, read.note, sep="\n")
    for one in read.interfaces:
        where = f"  {orjson.dumps(one.where).decode()}" if one.where else ""
        print(f"\n{one.clause} {one.name} ← {one.kind}{where}")
        for field in one.fields:
            source = field.source if field.source is not None else repr(field.value)
            notes = [
                text
                for text, holds in (
                    ("必填 / required", field.required),
                    ("代码表 / codes", field.codes is not None),
                    (f"× {field.factor}", field.factor is not None),
                    (str(field.time), field.time is not None),
                )
                if holds
            ]
            print(f"  {field.to} ← {source}" + (f"  ({'，'.join(notes)})" if notes else ""))
    print("\n不提供 / not served:")
    for none in read.not_served:
        print(f"  {none.clause} {none.name}: {none.why}")
    return 0
