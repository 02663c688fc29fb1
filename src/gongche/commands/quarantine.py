"""``gongche quarantine``: what a fault of the program kept from being stored or judged, and another attempt at it."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from gongche.commands.database import Action, on_database, shown
from registry.calendar import load_calendar, unreadable_days
from registry.snapshot.fleet import FleetSnapshot
from registry.unreadable import CLOCK_CORRECTION, Unreadable
from rules.live.store import quarantine, recomputations
from runtime.connection import Connection
from runtime.errors import GongcheError, text_of
from runtime.logs import one_line
from telemetry.archive.clocks import unreadable_clocks
from telemetry.log import codec

#: Entries read, and positions shown, at once.
_PAGE: Final = 500
_SHOWN: Final = 20
_ERROR_SHOWN: Final = 160
_LOOK_S: Final = 0.5
_VEHICLE: Final = re.compile(r"v([1-9][0-9]{0,8})")


def _id(text: str) -> tuple[str, int]:
    """``17`` (positions set aside) or ``v17`` (a vehicle put off)."""
    if match := _VEHICLE.fullmatch(text):
        return "vehicle", int(match[1])
    if re.fullmatch(r"[1-9][0-9]{0,17}", text):
        return "entry", int(text)
    raise argparse.ArgumentTypeError(f"{text}: 编号如 17 或 v17，见 list / e.g. 17 or v17, see list")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="action")
    actions.add_parser("list", help="列出 / everything that is set aside or put off")
    show = actions.add_parser("show", help="显示一条 / one of them, with its positions")
    show.add_argument("id", type=_id, help="编号 / id, see list")
    show.add_argument(
        "--bytes", metavar="FILE", help="把原始字节写入文件 / write its bytes (Arrow) to a file"
    )
    retry = actions.add_parser("retry", help="再试一次 / try again; what is stored leaves the list")
    retry.add_argument("ids", type=_id, nargs="*", metavar="ID", help="编号 / ids, see list")
    retry.add_argument("--all", action="store_true", help="全部 / everything there is")
    retry.add_argument(
        "--wait", type=float, default=60.0, metavar="SECONDS", help="最多等多久 / how long to wait for it (%(default)s)"
    )  # fmt: skip
    parser.epilog = """\
程序故障时，出错的定位原样隔离，其余照常入库；修复并升级后用 retry 重新入库。由运行中的 worker 执行，不会丢失，也不会重复。
Positions on which the program itself fails are set aside as they came; everything else is stored. After the upgrade that mends
the fault, `retry` stores them: a running worker does it, nothing is lost and nothing is stored twice.
  gongche quarantine list
  gongche quarantine retry --all
退出码 / exit status: 1 仍有失败或未处理的 / something still fails, or was not tried in time"""


def run(args: argparse.Namespace) -> int:
    actions = {"list": _list, "show": _show, "retry": _retry}
    action: Action = actions[args.action]
    if args.action == "retry" and bool(args.ids) == args.all:
        raise GongcheError("给出编号，或 --all / give ids, or --all", hint="gongche quarantine list")
    return on_database("quarantine", action, args)


async def _list(_args: argparse.Namespace, connection: Connection) -> int:
    after = 0
    while page := await quarantine.entries(connection, _PAGE, after):
        for entry in page:
            print(_line(entry))
        after = page[-1].id
    vehicles = await recomputations.failed(connection)
    for vehicle in vehicles:
        print(_vehicle_line(vehicle))
    facts = await _facts(connection)
    for fact in facts:
        print(_fact_line(fact))
    totals = await quarantine.totals(connection)
    print(
        f"隔离 {totals.entries} 条，共 {totals.rows} 个定位；暂缓判定的车辆 {len(vehicles)} 辆 / set aside: {totals.entries},"
        f" {totals.rows} positions; vehicles put off: {len(vehicles)}；"
        f"无法读取的登记资料 {len(facts)} 条 / facts that cannot be read: {len(facts)}",
        file=sys.stderr,
    )
    return 0


async def _facts(connection: Connection) -> list[Unreadable]:
    """The facts of the registry that this version of the program cannot read."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        fleet = (await FleetSnapshot.load(connection)).unreadable
        days = unreadable_days(await load_calendar(connection))
        clocks = await unreadable_clocks(connection)
    return [*fleet, *days, *(Unreadable(CLOCK_CORRECTION, phone, why) for phone, why in clocks.items())]


def _fact_line(fact: Unreadable) -> str:
    concerned = "全部 / all" if fact.vehicles is None else len(fact.vehicles)
    return (
        f"-  登记资料无法读取，暂不据此判定 / a fact that cannot be read, nothing is judged by it: {fact.kind} {fact.id}"
        f"  车辆 / vehicles {concerned}  {_short(fact.error)}"
    )


async def _show(args: argparse.Namespace, connection: Connection) -> int:
    kind, number = args.id
    if kind == "vehicle":
        for vehicle in await recomputations.failed(connection):
            if vehicle.vehicle_no == number:
                print(_vehicle_line(vehicle), *map(one_line, vehicle.error.splitlines()), sep="\n")
                return 0
        return _unknown(f"v{number}")
    found = await quarantine.entry(connection, number)
    if found is None:
        return _unknown(str(number))
    entry, payload = found
    print(_line(entry), *map(one_line, entry.error.splitlines()), sep="\n")
    if args.bytes:
        _write(args.bytes, payload)
    try:
        batch = codec.decode(payload)
    except Exception as error:
        print(one_line(f"无法解码 / cannot be decoded: {text_of(error)}"))
        return 0
    for k in range(min(len(batch), _SHOWN)):
        columns = {name: values[k].item() for name, values in batch.columns().items()}
        items = batch.items_data[batch.items_offsets[k] : batch.items_offsets[k + 1]].tobytes().hex()
        print(" ".join(f"{name}={value}" for name, value in columns.items()), f"items={items}")
    if len(batch) > _SHOWN:
        print(f"... 共 {len(batch)} 个 / {len(batch)} in all")
    return 0


def _write(path: str, payload: bytes) -> None:
    try:
        with open(path, "xb") as out:
            out.write(payload)
    except OSError as error:
        raise GongcheError(f"{path}: {error.strerror}", hint="新文件名 / name a new file") from error


async def _retry(args: argparse.Namespace, connection: Connection) -> int:
    entries = None if args.all else [number for kind, number in args.ids if kind == "entry"]
    vehicles = None if args.all else [number for kind, number in args.ids if kind == "vehicle"]
    asked = await quarantine.ask(connection, entries)
    off = await recomputations.try_again(connection, vehicles)
    missing = [*(set(entries or ()) - set(asked)), *(f"v{no}" for no in set(vehicles or ()) - set(off))]
    for name in missing:
        _unknown(str(name))
    until_s = time.monotonic() + args.wait
    while True:
        waiting = await _waiting(connection, asked, off)
        if not waiting or time.monotonic() >= until_s:
            break
        await asyncio.sleep(_LOOK_S)
    there = {e.id: e for e in await _still(connection, asked)}
    failed = {v.vehicle_no: v for v in await recomputations.failed(connection) if v.vehicle_no in off}
    for entry in there.values():
        print(_line(entry))
    for vehicle in failed.values():
        print(_vehicle_line(vehicle))
    done = len(asked) + len(off) - len(there) - len(failed)
    print(
        f"已处理 {done}，未成功 {len(there) + len(failed)} / done: {done}, not done: {len(there) + len(failed)}",
        file=sys.stderr,
    )
    if waiting:
        print(
            "部分尚未重试：worker 在运行吗？请求保留，稍后会处理 / not all were tried yet: does a worker run? It will do it when"
            " it does",
            file=sys.stderr,
        )
    return 1 if there or failed or missing else 0


async def _waiting(connection: Connection, ids: Sequence[int], vehicles: Sequence[int]) -> bool:
    """Whether an attempt at one of them has not ended yet."""
    if any(entry.asked_at is not None for entry in await _still(connection, ids)):
        return True
    now: datetime = await connection.fetchval("SELECT now()")
    return any(
        v.vehicle_no in set(vehicles) and v.retry_at <= now for v in await recomputations.failed(connection)
    )


async def _still(connection: Connection, ids: Sequence[int]) -> list[quarantine.Entry]:
    """Those of ``ids`` (sorted) that are there."""
    wanted, found = set(ids), []
    after = min(ids, default=1) - 1
    while ids and (page := await quarantine.entries(connection, _PAGE, after)):
        found += [entry for entry in page if entry.id in wanted]
        after = page[-1].id
        if after >= ids[-1]:
            break
    return found


def _line(entry: quarantine.Entry) -> str:
    rows = "-" if entry.rows is None else entry.rows
    asked = "" if entry.asked_at is None else "  等待重试 / waits for a worker"
    return (
        f"{entry.id}  {shown(entry.set_aside_at)}  终端 / terminal {entry.phone or '-'}  定位 / positions {rows}"
        f"  {entry.stage}  {entry.topic}/{entry.partition}@{entry.offset}  {entry.payload_bytes} B"
        f"  尝试 / attempts {entry.attempts} ({shown(entry.tried_at)}, gongche {entry.program}){asked}"
        f"  {_short(entry.error)}"
    )


def _vehicle_line(vehicle: recomputations.Failed) -> str:
    kept = (
        "定位照常入库，暂不判定 / stored, not judged" if vehicle.anew else "重算暂缓 / recomputation put off"
    )
    return (
        f"v{vehicle.vehicle_no}  {shown(vehicle.noted_at)}  车辆 / vehicle {vehicle.vehicle} {vehicle.plate}  {kept}"
        f"  尝试 / attempts {vehicle.attempts}，下次 / next {shown(vehicle.retry_at)}  {_short(vehicle.error)}"
    )


def _short(error: str) -> str:
    line = " ".join(error.split())
    return line if len(line) <= _ERROR_SHOWN else f"{line[:_ERROR_SHOWN]}…"


def _unknown(name: str) -> int:
    print(f"没有这一条 / there is no {name} in the quarantine", file=sys.stderr)
    return 1
