"""``gongche user``: the people who sign in, on the machine itself. The way back in when nobody can sign in any more."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from gongche.commands.database import on_database, shown
from office.identity import grants, users
from office.identity.errors import NotAllowedError, NotThereError
from office.identity.names import LOGIN_RULE, login_name
from office.identity.passwords import PasswordWork, one_time_password
from office.identity.subject import ROLE_NAMES, Role
from registry.refusals import RefusedError
from runtime.connection import Connection
from runtime.errors import ConfigurationError
from runtime.settings import load_settings

_PAGE = 500


def _days(text: str) -> timedelta:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= 36_500):
        raise argparse.ArgumentTypeError(f"{text}: days, a number above 0")
    return timedelta(days=int(text))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="action")
    create = actions.add_parser(
        "create", help="新建，一次性密码只显示一次 / make one; the one-time password is shown once"
    )
    create.add_argument("login", help="登录名 / login name")
    create.add_argument("--name", help="姓名 / name of the person (default: the login name)")
    create.add_argument(
        "--unit", metavar="ID", help="所属单位编号 / id of the unit that the person belongs to"
    )
    create.add_argument("--phone", help="电话 / phone")
    create.add_argument("--email", help="邮箱 / e-mail")
    actions.add_parser("list", help="列出 / every user, with roles")
    for name, text in (
        ("disable", "停用，会话立即结束 / let nobody in under this name; the sessions end"),
        ("enable", "启用 / let the user in again"),
    ):
        actions.add_parser(name, help=text).add_argument("login")
    reset = actions.add_parser("reset", help="重置密码 / another one-time password; the sessions end")
    reset.add_argument("login")
    reset.add_argument(
        "--totp", action="store_true", help="同时取消动态验证码 / also take the second factor away"
    )
    grant = actions.add_parser("grant", help="授予角色 / grant a role")
    grant.add_argument("login")
    grant.add_argument(
        "role",
        choices=[role.value for role in Role],
        metavar="ROLE",
        help=", ".join(role.value for role in Role),
    )
    grant.add_argument(
        "--unit", metavar="ID", help="单位及下级 / in this unit and below it (default: everywhere)"
    )
    grant.add_argument("--days", type=_days, help="期限，天 / for so many days (default: without end)")
    revoke = actions.add_parser("revoke", help="收回角色 / take a role away")
    revoke.add_argument("id", type=int, help="授权编号，见 list / number of the grant, see list")
    parser.epilog = """\
直接写数据库，可在服务运行时使用，立即生效 / works on the database, also while the services run; holds at once
  gongche user create li.ming --name 李明 --unit bureau
  gongche user grant li.ming unit_administrator --unit bureau
角色 / roles:
""" + "\n".join(f"  {role.value:<20}{name}" for role, name in ROLE_NAMES.items())


Action = Callable[[argparse.Namespace, Connection], Awaitable[None]]


def run(args: argparse.Namespace) -> int:
    actions: dict[str, Action] = {
        "create": _create,
        "list": _list,
        "disable": _disable,
        "enable": _enable,
        "reset": _reset,
        "grant": _grant,
        "revoke": _revoke,
    }
    action = actions[args.action]

    async def work(args: argparse.Namespace, connection: Connection) -> int:
        try:
            async with connection.transaction():
                await action(args, connection)
        except (NotThereError, NotAllowedError, RefusedError) as error:
            print(error.message, file=sys.stderr)
            return 1
        return 0

    status = on_database("user", work, args)
    if status == 0 and (password := getattr(args, "password", None)) is not None:
        # Only now: it is stored.
        print(
            "一次性密码，7 天内登录并修改，只显示一次 / one-time password, to be changed within 7 days, shown once:",
            file=sys.stderr,
        )
        print(password)
    return status


def _login(args: argparse.Namespace) -> str:
    name = login_name(args.login)
    if name is None:
        raise ConfigurationError(LOGIN_RULE)
    return name


async def _one_time(args: argparse.Namespace) -> str:
    args.password = one_time_password()
    return await PasswordWork(load_settings()).hash(args.password)


async def _create(args: argparse.Namespace, connection: Connection) -> None:
    login = _login(args)
    who = users.profile(args.name or login, args.unit, args.phone, args.email)
    await users.create(connection, users.MACHINE, login, who, await _one_time(args))


async def _list(_args: argparse.Namespace, connection: Connection) -> None:
    after: str | None = None
    while page := await users.page(connection, users.MACHINE, after, _PAGE, None):
        for user in page:
            state = "停用 / disabled" if user["disabled_at"] else "有效 / alive"
            factor = "  TOTP" if user["has_code"] else ""
            print(
                f"{user['id']}  {state}  {user['name']}  {user['organisation'] or '-'}{factor}  last seen {shown(user['seen_at'])}"
            )
            for grant in await grants.list_grants(connection, user["id"]):
                until = f"  until {shown(grant['valid_to'])}" if grant["valid_to"] else ""
                print(f"    {grant['id']}  {grant['role']}  {grant['organisation'] or '(everywhere)'}{until}")
        after = page[-1]["id"]


async def _disable(args: argparse.Namespace, connection: Connection) -> None:
    await users.disable(connection, users.MACHINE, _login(args))
    print(f"已停用 / disabled {_login(args)}")


async def _enable(args: argparse.Namespace, connection: Connection) -> None:
    await users.enable(connection, users.MACHINE, _login(args))
    print(f"已启用 / enabled {_login(args)}")


async def _reset(args: argparse.Namespace, connection: Connection) -> None:
    await users.reset_password(connection, users.MACHINE, _login(args), await _one_time(args))
    if args.totp:
        await users.reset_code(connection, users.MACHINE, _login(args))


async def _grant(args: argparse.Namespace, connection: Connection) -> None:
    login, now = _login(args), datetime.now(UTC)
    await users.visible(connection, users.MACHINE, login)
    end = None if args.days is None else now + args.days
    id = await grants.grant_role(connection, users.MACHINE, login, Role(args.role), args.unit, now, end)
    print(f"已授予 / granted: {id}")


async def _revoke(args: argparse.Namespace, connection: Connection) -> None:
    await grants.take_role(connection, users.MACHINE, await grants.find_grant(connection, args.id))
    print(f"已收回 / taken away: {args.id}")
