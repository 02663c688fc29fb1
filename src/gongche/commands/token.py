"""``gongche token``: make, list and revoke the bearer tokens of the API."""

from __future__ import annotations

import argparse
import re
import sys
from datetime import UTC, datetime, timedelta

from gongche.commands.database import Action, on_database, shown
from office.identity.tokens import SCOPES, create_token, list_tokens, revoke_token
from runtime.connection import Connection

_LIFE = re.compile(r"([1-9][0-9]{0,4})([hdy])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "y": timedelta(days=365)}


def _life(text: str) -> timedelta | None:
    """``12h``, ``90d``, ``1y`` or ``never``."""
    if text == "never":
        return None
    match = _LIFE.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text}: e.g. 12h, 90d, 1y or never")
    return int(match[1]) * _UNITS[match[2]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="action")
    create = actions.add_parser("create", help="新建，只显示一次 / make one; it is shown once")
    create.add_argument("name", help="用途 / what it is for, e.g. inspection")
    create.add_argument(
        "--scope", dest="scopes", action="append", required=True, choices=list(SCOPES), metavar="SCOPE",
        help="权限，可重复 / may be repeated: " + ", ".join(SCOPES),
    )  # fmt: skip
    create.add_argument(
        "--expires",
        type=_life,
        default="365d",
        metavar="LIFE",
        help="有效期 / 12h, 90d, 1y, never (%(default)s)",
    )
    create.add_argument(
        "--organisation",
        metavar="ID",
        help="单位编号，仅限该单位及下级 / a unit: only it and those below it; without: everywhere",
    )
    actions.add_parser("list", help="列出 / every token, without its secret")
    revoke = actions.add_parser("revoke", help="吊销 / end one now")
    revoke.add_argument("id", help="令牌编号 / id, see list")
    parser.epilog = """\
直接写数据库，可在服务运行时使用 / works on the database, also while the services run
  gongche token create inspection --scope alerts:read
  gongche token create health --scope registry:read --organisation health
权限 / scopes:
""" + "\n".join(f"  {scope:<16}{meaning}" for scope, meaning in SCOPES.items())


def run(args: argparse.Namespace) -> int:
    actions = {"create": _create, "list": _list, "revoke": _revoke}
    action: Action = actions[args.action]
    return on_database("token", action, args)


async def _create(args: argparse.Namespace, connection: Connection) -> int:
    end = None if args.expires is None else datetime.now(UTC) + args.expires
    made = await create_token(connection, args.name, args.scopes, end, args.organisation)
    print(f"编号 / id {made.id}，有效期至 / until {shown(end)}，只显示一次 / shown once:", file=sys.stderr)
    print(made.secret)
    return 0


async def _list(_args: argparse.Namespace, connection: Connection) -> int:
    now = datetime.now(UTC)
    for token in await list_tokens(connection):
        state = "有效 / alive" if token.alive(now) else "失效 / ended"
        print(
            f"{token.id}  {state}  {token.name}  [{' '.join(sorted(token.scopes))}]"
            f"  {token.organisation or '全部单位 / everywhere'}  until {shown(token.expires_at)}  last used {shown(token.last_used_at)}"
        )
    return 0


async def _revoke(args: argparse.Namespace, connection: Connection) -> int:
    if await revoke_token(connection, args.id):
        print(f"已吊销 / revoked {args.id}")
        return 0
    print(f"没有有效的令牌 / no token alive with the id {args.id}", file=sys.stderr)
    return 1
