"""Users: the people who sign in. All SQL that writes the table ``users``.

``actor`` is who asks: an administrator, or a command on the machine itself. An administrator manages a user when his own units
cover the user's unit *and* those of every role that the user has: the head of one office cannot take over the account of
somebody who may do more elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from office.identity import grants, lockout, oidc_links, sessions, totp
from office.identity.errors import NotAllowedError, NotThereError
from office.identity.names import LOGIN_RULE, email_address, login_name, phone_number, shown_name
from office.identity.subject import Grant, Kind, Role, Subject
from registry.organisations import organisation_exists
from registry.refusals import Flaw, RefusedError
from runtime.connection import Connection

#: A one-time password that nobody used ends after so long.
ONE_TIME_LIFE: Final = timedelta(days=7)

#: Who acts in a command on the machine itself: whoever may run it may read the database, too.
MACHINE: Final = Subject(
    Kind.PROGRAM, "(command line)", "gongche user", (Grant(frozenset({"users:manage"}), None),)
)

_SHOWN: Final = (
    "u.id, u.name, u.organisation, u.phone, u.email, u.must_change_password, u.password_hash IS NOT NULL AS has_password,"
    " u.totp_confirmed_at IS NOT NULL AS has_code, u.disabled_at, u.created_at, u.created_by,"
    " (SELECT max(s.seen_at) FROM sessions s WHERE s.user_id = u.id) AS seen_at"
)


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a person. Texts as they are stored."""

    name: str
    organisation: str | None
    phone: str | None
    email: str | None


@dataclass(frozen=True, slots=True)
class Secrets:
    """What signing in needs to know of a user."""

    id: str
    password_hash: str | None
    must_change_password: bool
    password_ended: bool
    disabled: bool
    totp_sealed: bytes | None
    totp_confirmed: bool
    totp_step: int | None


def profile(name: str, organisation: str | None, phone: str | None, email: str | None) -> Profile:
    """A profile from what somebody typed. Raises RefusedError that names the field."""
    flaws = []
    if (shown := shown_name(name)) is None:
        flaws.append(Flaw(("name",), "姓名为 1 至 100 个可见字符 · a name has 1 to 100 printable characters"))
    number = phone_number(phone) if phone else None
    if phone and number is None:
        flaws.append(Flaw(("phone",), "电话号码格式不符 · not a phone number"))
    address = email_address(email) if email else None
    if email and address is None:
        flaws.append(Flaw(("email",), "邮箱格式不符 · not an e-mail address"))
    if flaws or shown is None:
        raise RefusedError(flaws)
    return Profile(shown, organisation or None, number, address)


def stored_login(text: str) -> str:
    """A login name as it is stored. Raises RefusedError."""
    name = login_name(text)
    if name is None:
        raise RefusedError([Flaw(("id",), LOGIN_RULE)])
    return name


async def _check_unit(connection: Connection, actor: Subject, organisation: str | None) -> None:
    if organisation is not None and not await organisation_exists(connection, organisation):
        raise RefusedError([Flaw(("organisation",), "单位未登记 · there is no such unit")])
    if not await grants.covers(connection, actor.reach("users:manage"), [organisation]):
        raise NotAllowedError("单位不在您的管辖内 · the unit is not below one of yours")


async def create(connection: Connection, actor: Subject, id: str, who: Profile, password_hash: str) -> None:
    """A new user, who must change the one-time password of ``password_hash``. ``id``: of ``stored_login``.

    Raises RefusedError (the name is taken, the unit not there), NotAllowedError.
    """
    await _check_unit(connection, actor, who.organisation)
    done = await connection.execute(
        "INSERT INTO users (id, name, organisation, phone, email, password_hash, must_change_password, password_ends_at,"
        " created_by) VALUES ($1, $2, $3, $4, $5, $6, true, clock_timestamp() + $7::interval, $8) ON CONFLICT DO NOTHING",
        id, who.name, who.organisation, who.phone, who.email, password_hash, ONE_TIME_LIFE, actor.id,
    )  # fmt: skip
    if done != "INSERT 0 1":
        raise RefusedError([Flaw(("id",), f"登录名已被使用 · the login name is taken: {id}")], conflict=True)


async def change(connection: Connection, actor: Subject, id: str, who: Profile) -> None:
    """Another name, unit, phone or e-mail. Raises NotThereError, NotAllowedError, RefusedError."""
    await manageable(connection, actor, id)
    await _check_unit(connection, actor, who.organisation)
    await connection.execute(
        "UPDATE users SET name = $2, organisation = $3, phone = $4, email = $5 WHERE id = $1",
        id, who.name, who.organisation, who.phone, who.email,
    )  # fmt: skip


async def _lock(connection: Connection, id: str) -> Any:
    return await connection.fetchrow(
        "SELECT id, organisation, disabled_at FROM users WHERE id = $1 FOR UPDATE", id
    )


async def visible(connection: Connection, actor: Subject, id: str) -> None:
    """Raises NotThereError for a user that is not there, or of a unit that ``actor`` does not reach: nobody learns which."""
    row = await connection.fetchrow("SELECT organisation FROM users WHERE id = $1", id)
    if row is None or not await grants.covers(connection, actor.reach("users:manage"), [row["organisation"]]):
        raise _unknown(id)


async def manageable(connection: Connection, actor: Subject, id: str) -> None:
    """Lock the row of the user, in a transaction. Raises NotThereError as ``visible`` does, and NotAllowedError when the user
    has a role in a unit that ``actor`` does not reach."""
    await visible(connection, actor, id)
    await _lock(connection, id)
    units = await grants.units_of(connection, id)
    if not await grants.covers(connection, actor.reach("users:manage"), units):
        raise NotAllowedError(
            "该用户在您管辖以外的单位有角色，请上级管理员办理"
            " · the user has a role in a unit that is not below yours; an administrator above must do it"
        )


def _unknown(id: str) -> NotThereError:
    return NotThereError(f"没有这个用户 · there is no such user: {id}")


async def disable(connection: Connection, actor: Subject, id: str) -> None:
    """Let nobody in under this name any more, and end its sessions now. In a transaction. Raises NotAllowedError for the last
    administrator."""
    await manageable(connection, actor, id)
    manages = id in await grants.administrators(connection)
    await connection.execute(
        "UPDATE users SET disabled_at = clock_timestamp(), disabled_by = $2 WHERE id = $1 AND disabled_at IS NULL",
        id,
        actor.id,
    )
    if manages:
        await grants.keep_an_administrator(connection)
    await sessions.end_all(connection, id, "user disabled")


async def enable(connection: Connection, actor: Subject, id: str) -> None:
    """Let the user in again."""
    await manageable(connection, actor, id)
    await connection.execute("UPDATE users SET disabled_at = NULL, disabled_by = NULL WHERE id = $1", id)
    await lockout.forgive_user(connection, id)


async def reset_password(connection: Connection, actor: Subject, id: str, password_hash: str) -> None:
    """Another one-time password; ends the sessions. In a transaction."""
    await manageable(connection, actor, id)
    await connection.execute(
        "UPDATE users SET password_hash = $2, must_change_password = true, password_ends_at = clock_timestamp() + $3::interval,"
        " password_changed_at = clock_timestamp() WHERE id = $1",
        id,
        password_hash,
        ONE_TIME_LIFE,
    )
    await sessions.end_all(connection, id, "password reset")
    await lockout.forgive_user(connection, id)


async def reset_code(connection: Connection, actor: Subject, id: str) -> None:
    """Take the second factor away from a user who has lost it; ends the sessions. In a transaction."""
    await manageable(connection, actor, id)
    await forget_totp(connection, id)
    await sessions.end_all(connection, id, "second factor reset")


def unknown_grant(id: int) -> NotThereError:
    """There is no such grant of this user."""
    return NotThereError(f"没有这个授权 · there is no such grant: {id}")


async def link_oidc(
    connection: Connection, actor: Subject, id: str, issuer: str | None, subject: str
) -> None:
    """The user is ``subject`` at ``issuer``. In a transaction. Raises RefusedError when no provider is set, or somebody else
    is that subject; NotThereError, NotAllowedError."""
    await manageable(connection, actor, id)
    if issuer is None:
        raise RefusedError([Flaw((), "未设置统一身份 GONGCHE_OIDC_ISSUER · no identity provider is set")])
    await oidc_links.link(connection, issuer, subject, id, actor.id)


async def unlink_oidc(connection: Connection, actor: Subject, id: str) -> None:
    """The user does not come in by a provider any more; the sessions end. In a transaction."""
    await manageable(connection, actor, id)
    await oidc_links.unlink(connection, id)
    await sessions.end_all(connection, id, "link to the provider taken away")


async def secrets_of(connection: Connection, id: str, *, lock: bool = False) -> Secrets | None:
    """What signing in needs. ``lock``: to the end of the transaction nobody else changes it."""
    row = await connection.fetchrow(
        "SELECT *, coalesce(password_ends_at <= clock_timestamp(), false) AS ended FROM users WHERE id = $1"  # noqa: S608 - constant
        + (" FOR UPDATE" if lock else ""),
        id,
    )
    if row is None:
        return None
    return Secrets(
        id, row["password_hash"], row["must_change_password"], row["ended"], row["disabled_at"] is not None, row["totp_secret"],
        row["totp_confirmed_at"] is not None, row["totp_step"],
    )  # fmt: skip


async def set_password(connection: Connection, id: str, password_hash: str) -> None:
    """The user's own new password."""
    await connection.execute(
        "UPDATE users SET password_hash = $2, must_change_password = false, password_ends_at = NULL,"
        " password_changed_at = clock_timestamp() WHERE id = $1",
        id,
        password_hash,
    )


async def renew_hash(connection: Connection, id: str, old: str, new: str) -> None:
    """The same password, hashed with the parameters of now."""
    await connection.execute(
        "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2", id, old, new
    )


async def offer_totp(connection: Connection, id: str, sealed: bytes) -> bool:
    """Keep the secret of an enrolment that still has to be confirmed; False = the user has a confirmed one."""
    done = await connection.execute(
        "UPDATE users SET totp_secret = $2, totp_step = NULL WHERE id = $1 AND totp_confirmed_at IS NULL",
        id,
        sealed,
    )
    return done == "UPDATE 1"


async def confirm_totp(connection: Connection, id: str, step: int) -> None:
    """From now on the user needs a code; the one of ``step`` is used up."""
    await connection.execute(
        "UPDATE users SET totp_confirmed_at = clock_timestamp(), totp_step = $2 WHERE id = $1", id, step
    )


async def use_step(connection: Connection, id: str, step: int) -> bool:
    """Use the code of ``step`` up; False = it, or a later one, was used."""
    done = await connection.execute(
        "UPDATE users SET totp_step = $2 WHERE id = $1 AND (totp_step IS NULL OR totp_step < $2)", id, step
    )
    return done == "UPDATE 1"


async def forget_totp(connection: Connection, id: str) -> None:
    """No second factor, no recovery codes."""
    await connection.execute(
        "UPDATE users SET totp_secret = NULL, totp_confirmed_at = NULL, totp_step = NULL WHERE id = $1", id
    )
    await totp.drop_recovery_codes(connection, id)


async def find(connection: Connection, actor: Subject, id: str) -> Mapping[str, Any]:
    """A user with roles and delegations, for administrators. Raises NotThereError."""
    await visible(connection, actor, id)
    row = await connection.fetchrow(f"SELECT {_SHOWN} FROM users u WHERE u.id = $1", id)  # noqa: S608 - constant
    return dict(row) | {
        "roles": await grants.list_grants(connection, id),
        "delegations": await grants.list_delegations(connection, id),
    }


async def page(
    connection: Connection, actor: Subject, after: str | None, limit: int, organisation: str | None
) -> list[dict[str, Any]]:
    """Users within the units of ``actor`` by name, ``limit`` at most. ``organisation``: only of it and of the units below."""
    reach = actor.reach("users:manage")
    rows = await connection.fetch(
        "WITH RECURSIVE below (id) AS (SELECT unnest($1::text[])"  # noqa: S608 - constant
        " UNION SELECT o.id FROM organisations o JOIN below b ON o.parent = b.id),"
        " chosen (id) AS (SELECT $4::text WHERE $4 IS NOT NULL"
        " UNION SELECT o.id FROM organisations o JOIN chosen c ON o.parent = c.id)"
        f" SELECT {_SHOWN} FROM users u WHERE u.id > $2 AND ($1::text[] IS NULL OR u.organisation IN (SELECT id FROM below))"
        " AND ($4 IS NULL OR u.organisation IN (SELECT id FROM chosen)) ORDER BY u.id LIMIT $3",
        None if reach is None else sorted(reach),
        after or "",
        limit,
        organisation,
    )
    return [dict(row) for row in rows]


async def receiver(connection: Connection, login: str) -> str:
    """The user who is to receive a delegation; not one that is disabled. Raises RefusedError."""
    name = login_name(login)
    if name is not None and await connection.fetchval(
        "SELECT EXISTS (SELECT FROM users WHERE id = $1 AND disabled_at IS NULL)", name
    ):
        return name
    raise RefusedError([Flaw(("to",), "没有这个用户，或已停用 · there is no such user, or it is disabled")])


async def first_administrator(connection: Connection, id: str, password_hash: str, now: datetime) -> bool:
    """Make the first administrator, in a transaction; False = there is one already (two processes that start at once make
    one of them)."""
    await connection.execute("LOCK TABLE role_grants IN SHARE ROW EXCLUSIVE MODE")
    if await has_administrator(connection):
        return False
    await create(connection, MACHINE, id, profile("系统管理员", None, None, None), password_hash)
    await grants.grant_role(connection, MACHINE, id, Role.ADMINISTRATOR, None, now, None)
    return True


async def has_administrator(connection: Connection) -> bool:
    """Whether anybody was ever made an administrator. One that was disabled counts: who did that knows the command line."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM role_grants WHERE role = 'administrator' AND organisation IS NULL AND taken_at IS NULL)"
        )
    )


async def driver_of(connection: Connection, user: str) -> str | None:
    """The driver whom ``user`` (login) is registered as; None: he is none."""
    found: str | None = await connection.fetchval("SELECT driver_of_user($1)", user)
    return found
