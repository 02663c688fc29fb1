"""Sessions of people: 256 random bits in a cookie, of which the database has the SHA-256. All SQL of ``sessions``."""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from office.identity.grants import GRANTS_OF_U, grants_of
from office.identity.lockout import network
from office.identity.secrets import NewSecret, digest, new_secret
from office.identity.subject import Kind, Subject
from runtime.connection import Connection, affected

Method = Literal["password", "password+code", "oidc"]

#: Sessions of one person that are alive at a time; the one unused for longest gives way.
MOST_SESSIONS: Final = 20
#: How long a session that has ended is kept, to be looked at.
KEPT: Final = timedelta(days=30)
#: When a session was used is noted so often.
_NOTED_EVERY: Final = timedelta(minutes=1)
_FORM: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Session:
    """A session that is alive, with who has it."""

    id: str
    subject: Subject
    must_change_password: bool
    has_code: bool
    method: Method
    began_at: datetime
    ends_at: datetime
    #: It should be noted that it was used.
    to_note: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """From where somebody comes. ``agent``: what the browser calls itself; of no weight, shown to the person."""

    address: str
    agent: str


def csrf_token(secret: str) -> str:
    """The token that unsafe requests of a session must carry in a header. It follows from the session's secret, so it
    belongs to this session and to no other, and needs no place of its own."""
    made = hmac.digest(secret.encode(), b"gongche csrf", "sha256")
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def csrf_matches(secret: str, given: str) -> bool:
    """Whether ``given`` is the token of the session, compared in constant time."""
    return hmac.compare_digest(csrf_token(secret).encode(), given.encode("utf-8", "replace"))


async def begin(
    connection: Connection, user: str, method: Method, visit: Visit, life: timedelta
) -> NewSecret:
    """Begin a session of ``user``; always with a new secret. In a transaction that has locked the user's row."""
    made = new_secret()
    await connection.execute(
        "INSERT INTO sessions (id, sha256, user_id, method, ends_at, address, agent)"
        " VALUES ($1, $2, $3, $4, clock_timestamp() + $5::interval, $6, $7)",
        made.id, digest(made.secret), user, method, life, network(visit.address), visit.agent,
    )  # fmt: skip
    await connection.execute(
        "UPDATE sessions SET ended_at = clock_timestamp(), ended_why = 'too many' WHERE id IN (SELECT id FROM sessions"
        " WHERE user_id = $1 AND ended_at IS NULL AND id <> $2 ORDER BY seen_at DESC OFFSET $3)",
        user,
        made.id,
        MOST_SESSIONS - 1,
    )
    return made


async def find(connection: Connection, secret: str, idle: timedelta) -> Session | None:
    """The session of ``secret`` with what its user may do now, if it is alive and the user is not disabled: one query."""
    if not _FORM.fullmatch(secret):
        return None
    wanted = digest(secret)
    row = await connection.fetchrow(
        f"SELECT s.id, s.sha256, s.method, s.began_at, s.ends_at, s.seen_at, clock_timestamp() AS now, u.id AS user_id, u.name,"  # noqa: S608 - constant
        f" u.must_change_password, u.totp_confirmed_at IS NOT NULL AS has_code, {GRANTS_OF_U}"
        " FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.sha256 = $1 AND s.ended_at IS NULL"
        " AND s.ends_at > clock_timestamp() AND s.seen_at > clock_timestamp() - $2::interval AND u.disabled_at IS NULL",
        wanted,
        idle,
    )
    if row is None or not hmac.compare_digest(row["sha256"], wanted):
        return None
    subject = Subject(Kind.USER, row["user_id"], row["name"], grants_of(row, row["now"]))
    return Session(
        row["id"], subject, row["must_change_password"], row["has_code"], row["method"], row["began_at"], row["ends_at"],
        row["now"] - row["seen_at"] > _NOTED_EVERY,
    )  # fmt: skip


async def note_used(connection: Connection, ids: list[str]) -> None:
    """The sessions were used just now."""
    await connection.execute(
        "UPDATE sessions SET seen_at = clock_timestamp() WHERE id = ANY($1::text[])", sorted(ids)
    )


async def end(connection: Connection, user: str, id: str, why: str) -> bool:
    """End a session of ``user``; False = there is none alive with that id."""
    done = await connection.execute(
        "UPDATE sessions SET ended_at = clock_timestamp(), ended_why = $3 WHERE user_id = $1 AND id = $2 AND ended_at IS NULL",
        user, id, why,
    )  # fmt: skip
    return done == "UPDATE 1"


async def end_secret(connection: Connection, secret: str, why: str) -> None:
    """End the session of a cookie, if there is one."""
    await connection.execute(
        "UPDATE sessions SET ended_at = clock_timestamp(), ended_why = $2 WHERE sha256 = $1 AND ended_at IS NULL",
        digest(secret),
        why,
    )


async def end_all(connection: Connection, user: str, why: str, besides: str = "") -> int:
    """End the sessions of ``user`` other than the one with the id ``besides``; how many."""
    done = await connection.execute(
        "UPDATE sessions SET ended_at = clock_timestamp(), ended_why = $2 WHERE user_id = $1 AND ended_at IS NULL AND id <> $3",
        user, why, besides,
    )  # fmt: skip
    return affected(done)


async def alive(connection: Connection, user: str, idle: timedelta) -> list[dict[str, Any]]:
    """The sessions of ``user`` that are alive, the last used first."""
    rows = await connection.fetch(
        "SELECT id, method, began_at, seen_at, ends_at, address, agent FROM sessions WHERE user_id = $1 AND ended_at IS NULL"
        " AND ends_at > now() AND seen_at > now() - $2::interval ORDER BY seen_at DESC, id",
        user,
        idle,
    )
    return [dict(row) for row in rows]


async def was_here(connection: Connection, user: str, address: str) -> bool:
    """Whether ``user`` has come in from this address within the days that sessions are kept."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM sessions WHERE user_id = $1 AND address = $2)", user, network(address)
        )
    )


async def drop_ended(connection: Connection, most: int) -> int:
    """Delete at most ``most`` sessions that ended, or were last used, long ago; how many."""
    done = await connection.execute(
        "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE seen_at < now() - $1::interval"
        " AND (ended_at IS NOT NULL OR ends_at < now()) LIMIT $2)",
        KEPT,
        most,
    )
    return affected(done)
