"""Secrets of webhooks, sealed at rest with the identity key (office.identity.keys). All SQL of the table ``webhook_secrets``.

A secret must be known to make an HMAC, so it cannot be kept as a hash. Releases before this one kept it as it is (column
``secret``); such rows are sealed by the first process that starts (``seal_plain``).
"""

from __future__ import annotations

import base64
import secrets
from datetime import datetime
from typing import Any

from office.identity.keys import Sealer
from office.posting.signatures import SECRET_BYTES, shown
from runtime.connection import Connection


def _belongs_to(subscription_no: int) -> str:
    """What a secret is bound to: at the webhook of another subscription it does not open."""
    return f"webhook of subscription {subscription_no}"


def _sealed(sealer: Sealer, secret: bytes, subscription_no: int) -> bytes:
    return sealer.seal(base64.b64encode(secret).decode(), _belongs_to(subscription_no))


def _plain(sealer: Sealer, row: Any) -> bytes:
    if row["sealed"] is None:
        return bytes(row["secret"])
    return base64.b64decode(sealer.open(row["sealed"], _belongs_to(row["subscription_no"])))


async def rotate(
    connection: Connection, sealer: Sealer, subscription_no: int, keep_old_s: int
) -> tuple[str, datetime | None]:
    """(a new secret as shown, until when the one before signs as well). Older ones end at once: at most two sign. Raises
    ConfigurationError without a usable key; then nothing was written."""
    made = secrets.token_bytes(SECRET_BYTES)
    sealed = _sealed(sealer, made, subscription_no)
    await connection.execute(
        "DELETE FROM webhook_secrets WHERE subscription_no = $1 AND expires_at IS NOT NULL", subscription_no
    )
    until = await connection.fetchval(
        "UPDATE webhook_secrets SET expires_at = now() + make_interval(secs => $2) WHERE subscription_no = $1"
        " RETURNING expires_at",
        subscription_no,
        keep_old_s,
    )
    await connection.execute(
        "INSERT INTO webhook_secrets (subscription_no, sealed) VALUES ($1, $2)", subscription_no, sealed
    )
    # The audit notes that the webhook was touched; what the secret is, is noted nowhere.
    await connection.execute(
        "UPDATE webhooks SET updated_at = now() WHERE subscription_no = $1", subscription_no
    )
    return shown(made), until


async def signing_keys(connection: Connection, sealer: Sealer, subscription_no: int) -> list[bytes]:
    """The secrets that sign now, the present one first. Raises ConfigurationError without the key that sealed them."""
    rows = await connection.fetch(
        "SELECT subscription_no, secret, sealed FROM webhook_secrets WHERE subscription_no = $1"
        " AND (expires_at IS NULL OR expires_at > now()) ORDER BY no DESC",
        subscription_no,
    )
    return [_plain(sealer, row) for row in rows]


async def seal_plain(connection: Connection, sealer: Sealer, most: int = 500) -> int:
    """Seal at most ``most`` secrets that an earlier release left as they are; how many. In the caller's transaction. Several
    processes may do it at once. Raises ConfigurationError without a usable key."""
    rows = await connection.fetch(
        "SELECT no, subscription_no, secret FROM webhook_secrets WHERE secret IS NOT NULL ORDER BY no LIMIT $1"
        " FOR UPDATE SKIP LOCKED",
        most,
    )
    await connection.executemany(
        "UPDATE webhook_secrets SET sealed = $2, secret = NULL WHERE no = $1",
        [(row["no"], _sealed(sealer, bytes(row["secret"]), row["subscription_no"])) for row in rows],
    )
    return len(rows)


async def check_key(connection: Connection, sealer: Sealer) -> None:
    """Raises ConfigurationError when a secret that signs cannot be opened with our key: no delivery could be signed."""
    row = await connection.fetchrow(
        "SELECT subscription_no, secret, sealed FROM webhook_secrets WHERE sealed IS NOT NULL"
        " AND expires_at IS NULL ORDER BY no DESC LIMIT 1"
    )
    if row is not None:
        _plain(sealer, row)


async def forget_ended(connection: Connection) -> None:
    """Delete the secrets that sign no more."""
    await connection.execute("DELETE FROM webhook_secrets WHERE expires_at < now()")
