"""``gongche terminal``: notices about terminals, exchanged devices, clocks that are wrong."""

from __future__ import annotations

import argparse
import json
import re
import sys
from datetime import UTC, datetime

from pydantic import ValidationError

from gongche.commands.database import Action, on_database, shown
from registry import proposals
from registry.clock_corrections import ClockCorrection, take_back
from registry.datum_check import check
from registry.proposals import PROPOSING
from registry.records import apply
from registry.refusals import RefusedError
from registry.writing import in_transaction
from runtime.connection import Connection
from runtime.logs import one_line
from telemetry.terminals import exchange, notices
from telemetry.terminals.phones import stored_phone

_SHIFT = re.compile(r"([+-]?\d{1,10})([hms]?)", re.ASCII)
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_KINDS = {
    "clock_wrong": "时钟有固定偏差 / clock wrong by a constant",
    "device_refused": "另一台设备被拒 / another device refused",
    "device_accepted": "更换设备已接受 / exchange accepted",
    "contradiction": "位置与里程矛盾 / position and odometer contradict",
    "other_imei": "IMEI 不符，已拒绝 / another IMEI, refused",
    "other_card": "SIM 卡不符 / another SIM card",
    "datum_wrong": "坐标疑为 GCJ-02 / coordinates seem to be GCJ-02",
}


def _shift(text: str) -> int:
    """``8h``, ``-30m``, ``28800``: seconds to add to the device time."""
    match = _SHIFT.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text}: e.g. 8h, -30m or 28800")
    return int(match[1]) * _UNITS[match[2]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="action")
    told = actions.add_parser("notices", help="终端提示 / what to look at")
    told.add_argument("phone", nargs="?", help="只看一个终端 / of one terminal")
    told.add_argument("--all", action="store_true", help="含已处理的 / also what is settled")
    accept = actions.add_parser("accept", help="接受更换的设备 / accept the device that waits")
    accept.add_argument("phone")
    accept.add_argument(
        "device_id", nargs="?", help="设备的终端 ID / terminal id of the device that is meant"
    )
    clock = actions.add_parser("clock", help="更正时钟 / correct a clock that is wrong by a constant")
    clock.add_argument("phone")
    clock.add_argument(
        "shift",
        type=_shift,
        help="加多少 / what to add to its times: 8h, 28800 (s), after -- also -30m; 0: it was right",
    )
    _dated(clock)
    proposed = actions.add_parser(
        "accept-correction", help="接受建议的更正 / enter the correction that is proposed"
    )
    proposed.add_argument("phone")
    proposed.add_argument(
        "--kind", choices=PROPOSING, default=PROPOSING[0], help="哪类提示 / of which notice (%(default)s)"
    )
    datum = actions.add_parser("datum", help="坐标系更正 / it sends GCJ-02 or BD-09 for WGS-84")
    datum.add_argument("phone")
    datum.add_argument("datum", choices=("wgs84", "gcj02", "bd09"))
    _dated(datum)
    compare = actions.add_parser(
        "check-datum",
        help="坐标是否为 GCJ-02：按夜间停放位置核对 / whether it sends GCJ-02, by where its car stands at night",
    )
    compare.add_argument("phone", nargs="*", help="默认全部 / of all, by default")
    undo = actions.add_parser("forget", help="撤销更正 / take a correction back")
    undo.add_argument("id")
    parser.epilog = """\
直接写数据库，可在服务运行时使用 / works on the database, also while the services run
  gongche terminal clock 13800000001 8h --from 2026-03-02T00:00:00+08:00
时钟快了 / a clock that is ahead:
  gongche terminal clock 13800000001 --from 2026-03-02T00:00:00+08:00 -- -8h"""


def _dated(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        dest="since",
        required=True,
        help="接收时间起 / of positions received from then on, RFC 3339",
    )
    parser.add_argument("--to", dest="until", help="接收时间止 / until then; default: it still is wrong")
    parser.add_argument("--id", help="更正编号 / number of the correction; default: phone and start")


def run(args: argparse.Namespace) -> int:
    actions = {
        "notices": _notices,
        "accept": _accept,
        "clock": _correct,
        "datum": _correct,
        "accept-correction": _accept_correction,
        "check-datum": _check_datum,
        "forget": _forget,
    }
    action: Action = actions[args.action]
    return on_database("terminal", action, args)


async def _notices(args: argparse.Namespace, connection: Connection) -> int:
    terminal, after = None if args.phone is None else stored_phone(args.phone), 0
    while found := await notices.page(connection, terminal=terminal, open_only=not args.all, after=after):
        for one in found:
            state = "" if one["settled_at"] is None else "  已处理 / settled"
            print(  # the detail is a stranger's text
                one_line(
                    f"{one['terminal']}  {_KINDS[one['kind']]}  x{one['times']}  {shown(one['last_at'])}{state}"
                    f"  {json.dumps(one['detail'], ensure_ascii=False)}"
                )
            )
        after = found[-1]["no"]
    return 0


async def _accept(args: argparse.Namespace, connection: Connection) -> int:
    phone = stored_phone(args.phone)
    accepted = await in_transaction(
        connection, lambda: exchange.accept(connection, phone, "office", args.device_id)
    )
    if accepted is None:
        print(f"没有等待接受的设备 / no device waits for {phone}", file=sys.stderr)
        return 1
    said = "已接受，终端再次注册即可 / accepted, it gets a code when it registers again"
    print(one_line(f"{said}: {accepted['device_id']}"))
    return 0


async def _correct(args: argparse.Namespace, connection: Connection) -> int:
    phone = stored_phone(args.phone)
    try:
        record = ClockCorrection.model_validate(
            {
                "id": args.id or f"{phone}@{args.since}", "terminal": phone, "valid_from": args.since,
                "valid_to": args.until,
            } | ({"shift_s": args.shift} if args.action == "clock" else {"datum": args.datum})
        )  # fmt: skip
        (outcome,) = await in_transaction(connection, lambda: apply(connection, [record]))
    except (ValidationError, RefusedError) as error:
        print(f"未更正 / not corrected: {error}", file=sys.stderr)
        return 1
    print(f"{record.id}  {outcome}，相关车辆将重新判定 / its vehicles are judged again")
    return 0


async def _accept_correction(args: argparse.Namespace, connection: Connection) -> int:
    phone = stored_phone(args.phone)
    try:
        made = await in_transaction(connection, lambda: proposals.accept(connection, phone, args.kind))
    except RefusedError as error:
        print(f"未更正 / not corrected: {error}", file=sys.stderr)
        return 1
    if made is None:
        print(f"没有建议的更正 / nothing is proposed for {phone}", file=sys.stderr)
        return 1
    said = f"{made.shift_s} s" if made.shift_s is not None else made.datum
    print(f"{made.id}  {said}，相关车辆将重新判定 / its vehicles are judged again")
    return 0


_VERDICTS = {
    "right": "坐标正确 / its coordinates are right",
    "gcj02": "坐标为 GCJ-02，已建议更正 / GCJ-02, a correction is proposed",
    "bd09": "坐标为 BD-09，已建议更正 / BD-09, a correction is proposed",
    "few_nights": "夜间停放的天数不足 / too few nights to say",
    "no_fence": "没有围栏可核对 / no fence to compare with",
    "unclear": "无法判断 / not clear",
    "fence_unproved": "偏移与 GCJ-02/BD-09 一致，但没有其他车辆证实围栏本身的坐标系 / like GCJ-02 or BD-09, but no other car shows that the fence is right",
}


async def _check_datum(args: argparse.Namespace, connection: Connection) -> int:
    phones = [stored_phone(each) for each in args.phone] or [
        row["phone"]
        for row in await connection.fetch(
            "SELECT DISTINCT t.phone FROM terminals t JOIN terminal_bindings b ON b.terminal_no = t.no WHERE t.enabled"
            " AND b.valid_from <= now() AND (b.valid_to IS NULL OR b.valid_to > now()) ORDER BY 1"
        )
    ]
    proposed = 0
    for phone in phones:
        found = await check(connection, phone, datetime.now(UTC))
        if found is None:
            print(f"{phone}  没有装车的终端 / no terminal in a vehicle", file=sys.stderr)
            continue
        proposed += found.verdict in ("gcj02", "bd09")
        if args.phone or found.verdict not in ("right", "few_nights", "no_fence"):
            counts = "".join(f"  {name} {many}/{found.nights}" for name, many in found.inside.items())
            print(f"{phone}  {_VERDICTS[found.verdict]}{counts}")
    if proposed:
        print(
            "接受：gongche terminal accept-correction PHONE --kind datum_wrong / to enter it", file=sys.stderr
        )
    return 0


async def _forget(args: argparse.Namespace, connection: Connection) -> int:
    try:
        gone = await in_transaction(connection, lambda: take_back(connection, args.id))
    except RefusedError as error:
        print(f"未撤销 / not taken back: {error}", file=sys.stderr)
        return 1
    if gone:
        print(f"已撤销 / taken back {args.id}")
        return 0
    print(f"没有这条更正 / no correction {args.id}", file=sys.stderr)
    return 1
