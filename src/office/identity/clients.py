"""Programs that come in by OAuth2 client credentials (RFC 6749, 4.4). All SQL of ``clients``, ``client_secrets`` and
``client_tokens``.

A client has one secret, or two while it changes from one to the next. An access token is opaque, short-lived and bound to the
secret that it was got with: when the secret is revoked, or the client disabled, it is worth nothing from that moment on. Nobody
guesses 256 random bits, so failures of clients lock nobody out.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from office.identity.errors import NotAllowedError, NotThereError
from office.identity.grants import covers
from office.identity.names import shown_name
from office.identity.secrets import NewSecret, digest, new_secret
from office.identity.subject import PERMISSIONS, Grant, Kind, Subject
from office.identity.tokens import SCOPES
from registry.organisations import organisation_exists
from registry.refusals import Flaw, RefusedError
from runtime.connection import Connection, affected

#: What a program may have: nothing that a person answers for with his name.
CLIENT_SCOPES: Final[dict[str, str]] = SCOPES | {
    name: PERMISSIONS[name]
    for name in ("subscriptions:manage", "dispositions:write", "exchange:peer", "exchange:read")
}
#: Secrets of one client that are alive at a time: the one in use, and the next one.
MOST_SECRETS: Final = 2
#: Access tokens of one secret that are alive at a time; beyond that the caller keeps none of those that it got.
MOST_TOKENS: Final = 1_000

_SECRET: Final = re.compile(r"gcs_[A-Za-z0-9_-]{43}", re.ASCII)
TOKEN_PREFIX: Final = "gca_"  # noqa: S105 - a prefix
_TOKEN: Final = re.compile(r"gca_[A-Za-z0-9_-]{43}", re.ASCII)
_ALIVE: Final = "s.revoked_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())"


class TooManyTokensError(RefusedError):
    """The client has asked for tokens again and again."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client that has proved who it is. ``secret_id``: by which of its secrets."""

    id: str
    secret_id: str
    scopes: frozenset[str]


async def _check(
    connection: Connection, actor: Subject, name: str, scopes: Collection[str], organisation: str | None
) -> tuple[str, list[str]]:
    flaws = []
    if (shown := shown_name(name)) is None:
        flaws.append(Flaw(("name",), "名称为 1 至 100 个可见字符 · a name has 1 to 100 printable characters"))
    if not scopes or set(scopes) - CLIENT_SCOPES.keys():
        known = ", ".join(CLIENT_SCOPES)
        flaws.append(Flaw(("scopes",), f"权限应为其中若干项 · some of: {known}"))
    if organisation is not None and not await organisation_exists(connection, organisation):
        flaws.append(Flaw(("organisation",), "单位未登记 · there is no such unit"))
    if flaws or shown is None:
        raise RefusedError(flaws)
    if not await covers(connection, actor.reach("users:manage"), [organisation]):
        raise NotAllowedError("单位不在您的管辖内 · the unit is not below one of yours")
    return shown, sorted(set(scopes))


async def create(
    connection: Connection, actor: Subject, name: str, scopes: Collection[str], organisation: str | None
) -> tuple[str, NewSecret]:
    """A new client and its first secret. In a transaction. Raises RefusedError, NotAllowedError."""
    name, wanted = await _check(connection, actor, name, scopes, organisation)
    id = "client-" + secrets.token_hex(8)
    await connection.execute(
        "INSERT INTO clients (id, name, scopes, organisation, created_by) VALUES ($1, $2, $3, $4, $5)",
        id, name, wanted, organisation, actor.id,
    )  # fmt: skip
    return id, await _new_secret(connection, actor, id, None)


async def change(
    connection: Connection,
    actor: Subject,
    id: str,
    name: str,
    scopes: Collection[str],
    organisation: str | None,
) -> None:
    """Another name, other scopes, another unit. Tokens that are out have no more than that from now on."""
    await manageable(connection, actor, id)
    name, wanted = await _check(connection, actor, name, scopes, organisation)
    await connection.execute(
        "UPDATE clients SET name = $2, scopes = $3, organisation = $4 WHERE id = $1",
        id,
        name,
        wanted,
        organisation,
    )


async def manageable(connection: Connection, actor: Subject, id: str) -> None:
    """Lock the client, in a transaction. Raises NotThereError, also for one of a unit that ``actor`` does not reach."""
    row = await connection.fetchrow("SELECT organisation FROM clients WHERE id = $1 FOR UPDATE", id)
    if row is None or not await covers(connection, actor.reach("users:manage"), [row["organisation"]]):
        raise NotThereError(f"没有这个客户端 · there is no such client: {id}")


async def _new_secret(
    connection: Connection, actor: Subject, client: str, expires: datetime | None
) -> NewSecret:
    made = new_secret("gcs_")
    await connection.execute(
        "INSERT INTO client_secrets (id, client_id, sha256, created_by, expires_at) VALUES ($1, $2, $3, $4, $5)",
        made.id, client, digest(made.secret), actor.id, expires,
    )  # fmt: skip
    return made


async def add_secret(
    connection: Connection, actor: Subject, client: str, expires: datetime | None
) -> NewSecret:
    """The next secret beside the one in use. In a transaction. Raises RefusedError when there are two already."""
    await manageable(connection, actor, client)
    alive = await connection.fetchval(
        f"SELECT count(*) FROM client_secrets s WHERE s.client_id = $1 AND {_ALIVE}",  # noqa: S608 - constant
        client,
    )
    if alive >= MOST_SECRETS:
        raise RefusedError(
            [
                Flaw(
                    (),
                    "已有两个有效密钥，请先吊销旧的 · there are two secrets already; revoke the old one first",
                )
            ],
            conflict=True,
        )
    return await _new_secret(connection, actor, client, expires)


async def revoke_secret(connection: Connection, actor: Subject, id: str) -> None:
    """End a secret and every token that was got with it, at once. In a transaction. Raises NotThereError."""
    client = await connection.fetchval(
        "SELECT client_id FROM client_secrets WHERE id = $1 AND revoked_at IS NULL", id
    )
    if client is None:
        raise NotThereError(f"没有这个密钥 · there is no such secret: {id}")
    await manageable(connection, actor, client)
    await connection.execute(
        "UPDATE client_secrets SET revoked_at = clock_timestamp() WHERE id = $1 AND revoked_at IS NULL", id
    )


async def set_disabled(connection: Connection, actor: Subject, id: str, disabled: bool) -> None:
    """Let a client in no more, or again. In a transaction. Raises NotThereError."""
    await manageable(connection, actor, id)
    await connection.execute(
        "UPDATE clients SET disabled_at = CASE WHEN $2 THEN coalesce(disabled_at, clock_timestamp()) END WHERE id = $1",
        id,
        disabled,
    )


_SHOWN: Final = (
    "SELECT c.id, c.name, c.scopes, c.organisation, c.created_at, c.created_by, c.disabled_at,"
    " (SELECT coalesce(jsonb_agg(jsonb_build_object('id', s.id, 'created_at', s.created_at, 'created_by', s.created_by,"
    " 'expires_at', s.expires_at, 'revoked_at', s.revoked_at, 'last_used_at', s.last_used_at) ORDER BY s.created_at, s.id), '[]')"
    " FROM client_secrets s WHERE s.client_id = c.id) AS secrets FROM clients c"
)


def _shown(row: Any) -> dict[str, Any]:
    found = dict(row)
    for secret in found["secrets"]:
        for name in ("created_at", "expires_at", "revoked_at", "last_used_at"):
            secret[name] = None if secret[name] is None else datetime.fromisoformat(secret[name])
    return found


async def find(connection: Connection, actor: Subject, id: str) -> Mapping[str, Any]:
    """A client and its secrets (without what is secret). Raises NotThereError."""
    row = await connection.fetchrow(f"{_SHOWN} WHERE c.id = $1", id)
    if row is None or not await covers(connection, actor.reach("users:manage"), [row["organisation"]]):
        raise NotThereError(f"没有这个客户端 · there is no such client: {id}")
    return _shown(row)


async def page(connection: Connection, actor: Subject, after: str | None, limit: int) -> list[dict[str, Any]]:
    """The clients within the units of ``actor``, by id."""
    reach = actor.reach("users:manage")
    rows = await connection.fetch(
        "WITH RECURSIVE below (id) AS (SELECT unnest($1::text[])"  # noqa: S608 - constant
        " UNION SELECT o.id FROM organisations o JOIN below b ON o.parent = b.id)"
        f" {_SHOWN} WHERE c.id > $2 AND ($1::text[] IS NULL OR c.organisation IN (SELECT id FROM below)) ORDER BY c.id LIMIT $3",
        None if reach is None else sorted(reach),
        after or "",
        limit,
    )
    return [_shown(row) for row in rows]


async def prove(connection: Connection, id: str, secret: str) -> Client | None:
    """The client, when ``secret`` is one of its secrets and alive and the client is not disabled."""
    if not _SECRET.fullmatch(secret):
        return None
    wanted = digest(secret)
    row = await connection.fetchrow(
        "SELECT s.id, s.sha256, s.client_id, c.scopes FROM client_secrets s JOIN clients c ON c.id = s.client_id"  # noqa: S608 - constant
        f" WHERE s.sha256 = $1 AND {_ALIVE} AND c.disabled_at IS NULL",
        wanted,
    )
    if row is None or not hmac.compare_digest(row["sha256"], wanted) or row["client_id"] != id:
        return None
    return Client(row["client_id"], row["id"], frozenset(row["scopes"]))


async def new_token(connection: Connection, client: Client, scopes: Collection[str], life: timedelta) -> str:
    """An access token with ``scopes``, which are some of the client's. In a transaction. Raises TooManyTokensError."""
    await connection.execute(
        "UPDATE client_secrets SET last_used_at = clock_timestamp() WHERE id = $1", client.secret_id
    )  # locks it: the count below is one after the other
    await connection.execute(
        "DELETE FROM client_tokens WHERE secret_id = $1 AND expires_at < clock_timestamp()", client.secret_id
    )
    alive = await connection.fetchval(
        "SELECT count(*) FROM client_tokens WHERE secret_id = $1", client.secret_id
    )
    if alive >= MOST_TOKENS:
        raise TooManyTokensError(
            [
                Flaw(
                    (),
                    "有效令牌过多，请重复使用已取得的令牌 · too many tokens are alive; use the one you got",
                )
            ]
        )
    token = new_secret(TOKEN_PREFIX).secret
    await connection.execute(
        "INSERT INTO client_tokens (sha256, secret_id, scopes, expires_at)"
        " VALUES ($1, $2, $3, clock_timestamp() + $4::interval)",
        digest(token), client.secret_id, sorted(scopes), life,
    )  # fmt: skip
    return token


async def find_token(connection: Connection, token: str) -> Subject | None:
    """Who has this access token, if everything it rests on is alive: the token, its secret, its client."""
    if not _TOKEN.fullmatch(token):
        return None
    wanted = digest(token)
    row = await connection.fetchrow(
        "SELECT t.sha256, t.scopes, c.id, c.name, c.organisation, c.scopes AS allowed FROM client_tokens t"  # noqa: S608 - constant
        " JOIN client_secrets s ON s.id = t.secret_id JOIN clients c ON c.id = s.client_id"
        f" WHERE t.sha256 = $1 AND t.expires_at > clock_timestamp() AND {_ALIVE} AND c.disabled_at IS NULL",
        wanted,
    )
    if row is None or not hmac.compare_digest(row["sha256"], wanted):
        return None
    scopes = frozenset(row["scopes"]) & frozenset(row["allowed"])
    return Subject(Kind.CLIENT, row["id"], row["name"], (Grant(scopes, row["organisation"]),))


async def subject_of_client(connection: Connection, id: str) -> Subject | None:
    """A client with all that it may; None when it is disabled, not known, or has no secret left to come in with."""
    row = await connection.fetchrow(
        "SELECT c.id, c.name, c.organisation, c.scopes FROM clients c WHERE c.id = $1 AND c.disabled_at IS NULL"  # noqa: S608 - constant
        f" AND EXISTS (SELECT FROM client_secrets s WHERE s.client_id = c.id AND {_ALIVE})",
        id,
    )
    if row is None:
        return None
    return Subject(
        Kind.CLIENT, row["id"], row["name"], (Grant(frozenset(row["scopes"]), row["organisation"]),)
    )


async def drop_expired(connection: Connection, most: int) -> int:
    """Delete at most ``most`` tokens that have expired; how many."""
    done = await connection.execute(
        "DELETE FROM client_tokens WHERE sha256 IN (SELECT sha256 FROM client_tokens WHERE expires_at < now() LIMIT $1)",
        most,
    )
    return affected(done)
