"""Bearer tokens: 256 random bits, kept as their SHA-256 only. All SQL of the table ``api_tokens``."""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from office.identity.secrets import NewSecret, digest, new_secret
from office.identity.subject import PERMISSIONS, Grant, Kind, Subject
from registry.organisations import organisation_exists
from runtime.connection import Connection
from runtime.errors import ConfigurationError

#: What a token may have: what people answer for with their names is not among it.
SCOPES: Final[dict[str, str]] = {
    name: PERMISSIONS[name]
    for name in (
        "alerts:read",
        "tracks:read",
        "registry:read",
        "registry:write",
        "positions:write",
        "complaints:write",
        "ops:read",
        "subscriptions:manage",
        "dispositions:write",
        "commands:read",
        "commands:send",
        "secret:read",
    )
}

_PREFIX: Final = "gc_"
_FORM: Final = re.compile(r"gc_[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Token:
    """A token as stored; the secret itself is nowhere. ``organisation``: the unit in which, and below which, it holds; None =
    everywhere."""

    id: str
    name: str
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    organisation: str | None = None

    def alive(self, now: datetime) -> bool:
        """Neither revoked nor expired at ``now``."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def subject(self) -> Subject:
        """The token as who asks."""
        return Subject(Kind.TOKEN, self.id, self.name, (Grant(self.scopes, self.organisation),))


async def create_token(
    connection: Connection,
    name: str,
    scopes: Iterable[str],
    expires: datetime | None = None,
    organisation: str | None = None,
) -> NewSecret:
    """Make a token with ``scopes`` (see SCOPES) that ends at ``expires`` (aware; None = never). It holds in the unit
    ``organisation`` and those below it (None = everywhere).

    Raises ConfigurationError for no or unknown scopes, an empty name, an end that is past or without
    offset, or a unit that is not registered.
    """
    wanted = sorted(set(scopes))
    if unknown := [scope for scope in wanted if scope not in SCOPES]:
        raise ConfigurationError(f"unknown scopes: {', '.join(unknown)}", hint=f"known: {', '.join(SCOPES)}")
    if not wanted:
        raise ConfigurationError("a token needs at least one scope", hint=f"known: {', '.join(SCOPES)}")
    if not name.strip() or not name.isprintable() or len(name) > 200:
        raise ConfigurationError("a token needs a printable name of at most 200 characters")
    if expires is not None and (expires.tzinfo is None or expires <= datetime.now(UTC)):
        raise ConfigurationError("the token would end before it begins, or its end has no offset")
    if organisation is not None and not await organisation_exists(connection, organisation):
        raise ConfigurationError(
            f"单位 {organisation} 未登记 / no such organisation: {organisation}",
            hint="先登记单位 / register it first: PUT /v1/organisations/{id}",
        )
    made = new_secret(_PREFIX)
    await connection.execute(
        "INSERT INTO api_tokens (id, name, sha256, scopes, expires_at, organisation) VALUES ($1, $2, $3, $4, $5, $6)",
        made.id,
        name.strip(),
        digest(made.secret),
        wanted,
        expires,
        organisation,
    )
    return made


async def list_tokens(connection: Connection) -> list[Token]:
    """Every token, newest first, revoked and expired ones too."""
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM api_tokens ORDER BY created_at DESC, id")  # noqa: S608 - constant
    return [_token(row) for row in rows]


async def revoke_token(connection: Connection, id: str) -> bool:
    """End a token, at once in every process. False = no such token alive."""
    done = await connection.execute(
        "UPDATE api_tokens SET revoked_at = clock_timestamp() WHERE id = $1 AND revoked_at IS NULL", id
    )
    return bool(done == "UPDATE 1")


async def find_token(connection: Connection, secret: str) -> Token | None:
    """The token of a secret, alive or not, or None."""
    if not _FORM.fullmatch(secret):
        return None
    wanted = digest(secret)
    row = await connection.fetchrow(f"SELECT {_COLUMNS}, sha256 FROM api_tokens WHERE sha256 = $1", wanted)  # noqa: S608 - constant
    # The index finds it by its hash, whose timing tells nothing about a secret; the last word is
    # constant-time.
    if row is None or not hmac.compare_digest(row["sha256"], wanted):
        return None
    return _token(row)


async def token_by_id(connection: Connection, id: str) -> Token | None:
    """The token with this id, alive or not, or None."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM api_tokens WHERE id = $1", id)  # noqa: S608 - constant
    return None if row is None else _token(row)


async def note_used(connection: Connection, ids: Collection[str]) -> None:
    """The tokens were used just now (to the minute)."""
    await connection.execute(
        "UPDATE api_tokens SET last_used_at = now() WHERE id = ANY($1::text[])"
        " AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')",
        sorted(ids),
    )


_COLUMNS: Final = "id, name, scopes, created_at, expires_at, revoked_at, last_used_at, organisation"


def _token(row: Any) -> Token:
    return Token(
        row["id"],
        row["name"],
        frozenset(row["scopes"]),
        row["created_at"],
        row["expires_at"],
        row["revoked_at"],
        row["last_used_at"],
        row["organisation"],
    )
