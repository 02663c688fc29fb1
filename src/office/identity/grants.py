"""Roles of people: grants, and their delegation for a period (委托). All SQL of ``role_grants`` and ``delegations``.

What holds at a moment is decided here by ``holding``, without the database: the queries hand over what was not taken away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from office.identity.errors import NotAllowedError, NotThereError
from office.identity.subject import Grant, Kind, Role, Subject, grants_of_role
from registry.organisations import organisation_exists
from registry.refusals import Flaw, RefusedError
from runtime.connection import Connection

#: A delegation is for a leave or a journey: it lasts at most so long.
MOST_DELEGATED: Final = timedelta(days=92)
#: Roles and delegations of one person, that have not ended.
MOST_GRANTS: Final = 100
#: Names our lock around "is somebody left who may do everything", among all advisory locks with two keys.
_LAST_ADMINISTRATOR: Final = (0x676F6E67, 100)


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """A role of ``user_id`` in ``organisation`` and below it (None = everywhere), in [valid_from, valid_to)."""

    id: int
    user_id: str
    role: Role
    organisation: str | None
    valid_from: datetime
    valid_to: datetime | None

    def holds(self, at: datetime) -> bool:
        """Whether it holds at ``at``."""
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)


@dataclass(frozen=True, slots=True)
class Delegation:
    """``to_user`` holds ``grant`` of somebody else in [valid_from, valid_to). ``giver_disabled``: the user whose role it is
    may not come in."""

    id: int
    grant: RoleGrant
    to_user: str
    valid_from: datetime
    valid_to: datetime
    giver_disabled: bool

    def holds(self, at: datetime) -> bool:
        """Whether it holds at ``at``: never longer than what is delegated."""
        return self.valid_from <= at < self.valid_to and self.grant.holds(at) and not self.giver_disabled


def holding(own: Iterable[RoleGrant], delegated: Iterable[Delegation], at: datetime) -> tuple[Grant, ...]:
    """What a user may do at ``at``, by the roles that are his ``own`` and by those ``delegated`` to him."""
    mine = [grants_of_role(g.role, g.organisation) for g in own if g.holds(at)]
    theirs = [
        grants_of_role(d.grant.role, d.grant.organisation, d.grant.user_id) for d in delegated if d.holds(at)
    ]
    return (*mine, *theirs)


#: Of the user in the table ``u``: what was not taken from him, for ``holding``.
GRANTS_OF_U: Final = (
    "(SELECT coalesce(jsonb_agg(to_jsonb(g)), '[]') FROM role_grants g WHERE g.user_id = u.id AND g.taken_at IS NULL) AS own,"
    " (SELECT coalesce(jsonb_agg(to_jsonb(d) || jsonb_build_object('grant', to_jsonb(g), 'giver_disabled',"
    " f.disabled_at IS NOT NULL)), '[]') FROM delegations d JOIN role_grants g ON g.id = d.grant_id JOIN users f"
    " ON f.id = g.user_id WHERE d.to_user = u.id AND d.ended_at IS NULL AND g.taken_at IS NULL) AS delegated"
)


def _moment(value: Any) -> Any:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _grant(row: Mapping[str, Any]) -> RoleGrant:
    return RoleGrant(
        row["id"],
        row["user_id"],
        Role(row["role"]),
        row["organisation"],
        _moment(row["valid_from"]),
        _moment(row["valid_to"]),
    )


def grants_of(row: Any, at: datetime) -> tuple[Grant, ...]:
    """What holds at ``at`` of a row that was selected with GRANTS_OF_U. A role that this version does not know is none."""
    known = {role.value for role in Role}
    own = [_grant(g) for g in row["own"] if g["role"] in known]
    delegated = [
        Delegation(
            d["id"],
            _grant(d["grant"]),
            d["to_user"],
            _moment(d["valid_from"]),
            _moment(d["valid_to"]),
            d["giver_disabled"],
        )
        for d in row["delegated"]
        if d["grant"]["role"] in known
    ]
    return holding(own, delegated, at)


async def covers(
    connection: Connection, reach: frozenset[str] | None, organisations: Iterable[str | None]
) -> bool:
    """Whether each of ``organisations`` is one of ``reach`` or below one (None in ``reach`` = everywhere; None among
    ``organisations`` needs that)."""
    if reach is None:
        return True
    wanted = set(organisations)
    if None in wanted:
        return False
    outside = await connection.fetchval(
        "WITH RECURSIVE up (start, id, parent) AS ("
        " SELECT o.id, o.id, o.parent FROM organisations o WHERE o.id = ANY($1::text[])"
        " UNION SELECT up.start, o.id, o.parent FROM up JOIN organisations o ON o.id = up.parent)"
        " SELECT count(*) FROM unnest($1::text[]) w (id)"
        " WHERE NOT EXISTS (SELECT FROM up WHERE up.start = w.id AND up.id = ANY($2::text[]))",
        sorted(name for name in wanted if name is not None),
        sorted(reach),
    )
    return bool(outside == 0)


async def list_grants(connection: Connection, user: str) -> list[dict[str, Any]]:
    """The grants of ``user`` that were not taken away, past and future ones too."""
    rows = await connection.fetch(
        "SELECT id, role, organisation, valid_from, valid_to, granted_by, granted_at FROM role_grants"
        " WHERE user_id = $1 AND taken_at IS NULL ORDER BY id",
        user,
    )
    return [dict(row) for row in rows]


async def list_delegations(connection: Connection, user: str) -> list[dict[str, Any]]:
    """The delegations by and to ``user`` that have not ended, both people named."""
    rows = await connection.fetch(
        "SELECT d.id, d.grant_id AS grant, g.role, g.organisation, g.user_id AS from_user, f.name AS from_name, d.to_user,"
        " t.name AS to_name, greatest(d.valid_from, g.valid_from) AS valid_from, least(d.valid_to, g.valid_to) AS valid_to,"
        " d.reason, d.made_by, d.made_at FROM delegations d JOIN role_grants g ON g.id = d.grant_id"
        " JOIN users f ON f.id = g.user_id JOIN users t ON t.id = d.to_user WHERE (g.user_id = $1 OR d.to_user = $1)"
        " AND d.ended_at IS NULL AND g.taken_at IS NULL AND d.valid_to > now() ORDER BY d.id",
        user,
    )
    return [dict(row) for row in rows]


async def units_of(connection: Connection, user: str) -> list[str | None]:
    """The units of every role that ``user`` has or will have, delegated ones too."""
    rows = await connection.fetch(
        "SELECT organisation FROM role_grants WHERE user_id = $1 AND taken_at IS NULL AND coalesce(valid_to > now(), true)"
        " UNION SELECT g.organisation FROM delegations d JOIN role_grants g ON g.id = d.grant_id WHERE d.to_user = $1"
        " AND d.ended_at IS NULL AND g.taken_at IS NULL AND d.valid_to > now()",
        user,
    )
    return [row["organisation"] for row in rows]


async def grant_role(
    connection: Connection,
    actor: Subject,
    user: str,
    role: Role,
    organisation: str | None,
    valid_from: datetime,
    valid_to: datetime | None,
) -> int:
    """Give ``user`` a role; the id of the grant. The user is there and within the units of ``actor``.

    Raises NotAllowedError (to himself, or in a unit that is not below one of his own), RefusedError for a unit that is not
    there or a period that is none.
    """
    if actor.kind is Kind.USER and actor.id == user:
        raise NotAllowedError(
            "不能给自己授予角色，请其他管理员办理 · nobody gives himself a role; ask another administrator"
        )
    if organisation is not None and not await organisation_exists(connection, organisation):
        raise RefusedError([Flaw(("organisation",), "单位未登记 · there is no such unit")])
    if not await covers(connection, actor.reach("users:manage"), [organisation]):
        raise NotAllowedError(
            "只能在本单位及下级单位授予角色 · roles are granted in one's own unit and below it, no further"
        )
    if valid_to is not None and valid_to <= valid_from:
        raise RefusedError([Flaw(("valid_to",), "应晚于 valid_from · must be after valid_from")])
    held = await connection.fetchval(
        "SELECT count(*) FROM role_grants WHERE user_id = $1 AND taken_at IS NULL AND coalesce(valid_to > now(), true)",
        user,
    )
    if held >= MOST_GRANTS:
        raise RefusedError(
            [Flaw(("role",), f"至多 {MOST_GRANTS} 个角色 · at most {MOST_GRANTS} roles")], conflict=True
        )
    return int(
        await connection.fetchval(
            "INSERT INTO role_grants (user_id, role, organisation, valid_from, valid_to, granted_by)"
            " VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
            user, role.value, organisation, valid_from, valid_to, actor.id,
        )
    )  # fmt: skip


async def find_grant(connection: Connection, id: int) -> RoleGrant:
    """The grant, if it was not taken away. Raises NotThereError."""
    row = await connection.fetchrow("SELECT * FROM role_grants WHERE id = $1 AND taken_at IS NULL", id)
    if row is None:
        raise NotThereError(f"没有这个授权 · there is no such grant: {id}")
    return _grant(row)


async def take_role(connection: Connection, actor: Subject, grant: RoleGrant) -> None:
    """Take a role away, at once; delegations of it end with it. In a transaction. Raises NotAllowedError for a unit that is
    not below one of ``actor``'s, and for the last administrator."""
    if not await covers(connection, actor.reach("users:manage"), [grant.organisation]):
        raise NotAllowedError("授权的单位不在您的管辖内 · the grant is in a unit that is not below yours")
    await connection.execute(
        "UPDATE role_grants SET taken_at = clock_timestamp(), taken_by = $2 WHERE id = $1 AND taken_at IS NULL",
        grant.id,
        actor.id,
    )
    if grant.role is Role.ADMINISTRATOR and grant.organisation is None:
        await keep_an_administrator(connection)


async def keep_an_administrator(connection: Connection) -> None:
    """Inside the transaction that takes an administrator away: somebody must be left who manages everybody, without end. Two administrators that
    remove each other at the same time come here one after the other. Raises NotAllowedError."""
    await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", *_LAST_ADMINISTRATOR)
    if not await administrators(connection):
        raise NotAllowedError(
            "这是最后一名系统管理员，请先设另一名 · this is the last administrator; make another one first"
        )


async def administrators(connection: Connection) -> list[str]:
    """The users who are administrators everywhere, now and without end, and are not disabled."""
    rows = await connection.fetch(
        "SELECT DISTINCT u.id FROM users u JOIN role_grants g ON g.user_id = u.id WHERE g.role = 'administrator'"
        " AND g.organisation IS NULL AND g.taken_at IS NULL AND g.valid_to IS NULL AND g.valid_from <= now()"
        " AND u.disabled_at IS NULL ORDER BY u.id"
    )
    return [row["id"] for row in rows]


async def delegate(
    connection: Connection,
    actor: Subject,
    grant: RoleGrant,
    to_user: str,
    valid_from: datetime,
    valid_to: datetime,
    reason: str,
) -> int:
    """Let ``to_user`` (who is there and not disabled) hold ``grant`` for a period; the id of the delegation. ``actor`` is
    the user whose grant it is, or an administrator of its unit.

    Raises NotAllowedError, RefusedError for a period that is none, too long, or longer than the grant.
    """
    own = actor.kind is Kind.USER and actor.id == grant.user_id
    if not own and not await covers(connection, actor.reach("users:manage"), [grant.organisation]):
        raise NotAllowedError("授权的单位不在您的管辖内 · the grant is in a unit that is not below yours")
    if to_user == grant.user_id or (actor.kind is Kind.USER and actor.id == to_user):
        raise NotAllowedError("不能委托给自己 · nobody delegates a role to himself")
    if grant.role is Role.ADMINISTRATOR:
        raise NotAllowedError(
            "系统管理员不可委托，请按期限授予角色 · the role of administrator is not delegated; grant it for a period"
        )
    if not timedelta() < valid_to - valid_from <= MOST_DELEGATED:
        days = MOST_DELEGATED.days
        raise RefusedError(
            [Flaw(("valid_to",), f"委托期限应在 {days} 天以内 · a delegation lasts at most {days} days")]
        )
    if grant.valid_to is not None and valid_to > grant.valid_to:
        raise RefusedError([Flaw(("valid_to",), "委托不得晚于角色到期 · the role itself ends before that")])
    held = await connection.fetchval(
        "SELECT count(*) FROM delegations WHERE to_user = $1 AND ended_at IS NULL AND valid_to > now()",
        to_user,
    )
    if held >= MOST_GRANTS:
        raise RefusedError(
            [Flaw(("to",), f"至多受托 {MOST_GRANTS} 项 · at most {MOST_GRANTS} delegations to one user")],
            conflict=True,
        )
    return int(
        await connection.fetchval(
            "INSERT INTO delegations (grant_id, to_user, valid_from, valid_to, reason, made_by)"
            " VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
            grant.id, to_user, valid_from, valid_to, reason, actor.id,
        )
    )  # fmt: skip


async def end_delegation(connection: Connection, actor: Subject, id: int) -> None:
    """End a delegation now: the giver, the receiver, or an administrator of the unit. Raises NotThereError."""
    row = await connection.fetchrow(
        "SELECT d.to_user, g.user_id, g.organisation FROM delegations d JOIN role_grants g ON g.id = d.grant_id"
        " WHERE d.id = $1 AND d.ended_at IS NULL AND g.taken_at IS NULL",
        id,
    )
    party = row is not None and actor.kind is Kind.USER and actor.id in (row["to_user"], row["user_id"])
    if row is None or not (
        party
        or (
            actor.may("users:manage")
            and await covers(connection, actor.reach("users:manage"), [row["organisation"]])
        )
    ):
        raise NotThereError(f"没有这个委托 · there is no such delegation: {id}")
    await connection.execute(
        "UPDATE delegations SET ended_at = clock_timestamp(), ended_by = $2 WHERE id = $1 AND ended_at IS NULL",
        id,
        actor.id,
    )
