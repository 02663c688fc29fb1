"""Who somebody is at an identity provider, and logins that are on their way there. All SQL of ``oidc_links`` and
``oidc_logins``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from office.identity.lockout import network
from office.identity.secrets import digest
from registry.refusals import Flaw, RefusedError
from runtime.connection import Connection, affected

#: A login at the provider must come back within this.
LOGIN_LIFE: Final = timedelta(minutes=10)
#: Logins that are on their way at a time, of all and of one address: strangers may begin them.
MOST_LOGINS, MOST_OF_ADDRESS = 100_000, 500


@dataclass(frozen=True, slots=True)
class Pending:
    """A login that has come back. ``verifier``: of PKCE."""

    nonce: str
    verifier: str

    def __repr__(self) -> str:
        return "Pending()"


async def link(connection: Connection, issuer: str, subject: str, user: str, by: str) -> None:
    """``user`` is ``subject`` at ``issuer`` from now on, and nobody else of before. Raises RefusedError when another user
    is that subject."""
    await connection.execute("DELETE FROM oidc_links WHERE user_id = $1 AND issuer = $2", user, issuer)
    done = await connection.execute(
        "INSERT INTO oidc_links (issuer, subject, user_id, linked_by) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        issuer, subject, user, by,
    )  # fmt: skip
    if done != "INSERT 0 1":
        raise RefusedError(
            [Flaw(("subject",), "已关联其他用户 · another user is linked to it")], conflict=True
        )


async def unlink(connection: Connection, user: str) -> None:
    """``user`` is nobody at any provider."""
    await connection.execute("DELETE FROM oidc_links WHERE user_id = $1", user)


async def linked_user(connection: Connection, issuer: str, subject: str) -> str | None:
    """Who is ``subject`` at ``issuer``; exactly as the provider writes it."""
    found = await connection.fetchval(
        "SELECT user_id FROM oidc_links WHERE issuer = $1 AND subject = $2", issuer, subject
    )
    return None if found is None else str(found)


async def remember(connection: Connection, state: str, browser: str, pending: Pending, address: str) -> bool:
    """Keep what a login at the provider needs when it comes back to the same ``browser``; False = too many are on their way."""
    done = await connection.execute(
        "INSERT INTO oidc_logins (state_sha256, browser_sha256, nonce, verifier, address) SELECT $1, $2, $3, $4, $5"
        " WHERE (SELECT count(*) FROM oidc_logins WHERE began_at > now() - $6::interval) < $7"
        " AND (SELECT count(*) FROM oidc_logins WHERE address = $5 AND began_at > now() - $6::interval) < $8",
        digest(state), digest(browser), pending.nonce, pending.verifier, network(address), LOGIN_LIFE, MOST_LOGINS,
        MOST_OF_ADDRESS,
    )  # fmt: skip
    return done == "INSERT 0 1"


async def take(connection: Connection, state: str, browser: str) -> Pending | None:
    """The login of ``state``, once: of two that bring the same state one gets it. None = there is none, it is too old, or
    another browser began it."""
    row = await connection.fetchrow(
        "DELETE FROM oidc_logins WHERE state_sha256 = $1 AND browser_sha256 = $2"
        " RETURNING nonce, verifier, began_at > clock_timestamp() - $3::interval AS young",
        digest(state),
        digest(browser),
        LOGIN_LIFE,
    )
    return Pending(row["nonce"], row["verifier"]) if row is not None and row["young"] else None


async def drop_old(connection: Connection, most: int) -> int:
    """Delete at most ``most`` logins that did not come back; how many."""
    done = await connection.execute(
        "DELETE FROM oidc_logins WHERE state_sha256 IN (SELECT state_sha256 FROM oidc_logins"
        " WHERE began_at < now() - $1::interval LIMIT $2)",
        LOGIN_LIFE,
        most,
    )
    return affected(done)
