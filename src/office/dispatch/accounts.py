"""Which user a driver of the register is. All SQL of ``driver_accounts``."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from office.requests.rule_tables import RULES, known_logins
from office.supervision.actors import Actor, persons_for
from runtime.connection import Connection
from runtime.errors import DeclinedError, InvalidError, NotThereError


async def account(connection: Connection, driver: str) -> dict[str, Any]:
    """The user of a driver. Raises NotThereError."""
    row = await connection.fetchrow(
        "SELECT d.id, a.user_id FROM drivers d LEFT JOIN driver_accounts a ON a.driver = d.id WHERE d.id = $1",
        driver,
    )
    if row is None:
        raise NotThereError(f"没有这名驾驶员，或不在您的范围内 · no such driver, or not yours: {driver}")
    return {"driver": row["id"], "user": row["user_id"]}


async def users_of(connection: Connection, drivers: Collection[str]) -> dict[str, str]:
    """The users of those of ``drivers`` that have one, within reach."""
    return dict(
        await connection.fetch("SELECT driver, user_id FROM driver_accounts WHERE driver = ANY($1::text[])", sorted(drivers))
    )  # fmt: skip


async def _allowed(connection: Connection, actor: Actor, driver: str) -> None:
    unit = await connection.fetchval("SELECT organisation FROM drivers WHERE id = $1", driver)
    if unit is None:
        raise NotThereError(f"没有这名驾驶员，或不在您的范围内 · no such driver, or not yours: {driver}")
    await persons_for(connection, actor, unit, RULES)


async def set_account(connection: Connection, actor: Actor, driver: str, user: str) -> dict[str, Any]:
    """Say which user a driver is. Raises NotThereError, NotAllowedError, InvalidError, DeclinedError for a user who is another driver."""
    await _allowed(connection, actor, driver)
    if user not in await known_logins(connection, [user]):
        raise InvalidError("/user", f"没有用户 {user}（或已停用），请核对登录名 · no such user: {user}")
    if await connection.fetchval("SELECT driver_of_user($1)", user) not in (None, driver):
        raise DeclinedError(
            "user-is-a-driver",
            "该用户已登记为另一名驾驶员，请先取消 · this user is another driver already",
            pointer="/user",
        )
    await connection.execute(
        "INSERT INTO driver_accounts (driver, user_id, set_by) VALUES ($1, $2, $3)"
        " ON CONFLICT (driver) DO UPDATE SET user_id = $2, set_by = $3, set_at = clock_timestamp()",
        driver, user, actor.person,
    )  # fmt: skip
    return {"driver": driver, "user": user}


async def drop_account(connection: Connection, actor: Actor, driver: str) -> None:
    """A driver has no user any more. Raises NotThereError, NotAllowedError."""
    await _allowed(connection, actor, driver)
    await connection.execute("DELETE FROM driver_accounts WHERE driver = $1", driver)
