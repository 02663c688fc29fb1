"""Secrets of webhooks and signatures (Standard Webhooks 1.0). All SQL of the table ``webhook_secrets``.

A secret must be known to make an HMAC, so it is stored as it is; whoever keeps a key for the database puts it in at ``_stored``
and ``_plain``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from runtime.connection import Connection

_PREFIX: Final = "whsec_"
#: Bytes of a new secret; the scheme wants 24 to 64.
_BYTES: Final = 32


def _stored(secret: bytes) -> bytes:
    return secret


def _plain(stored: bytes) -> bytes:
    return stored


def shown(secret: bytes) -> str:
    """``whsec_...``: how a receiver gets it."""
    return _PREFIX + base64.b64encode(secret).decode()


def signature(keys: Sequence[bytes], id: str, timestamp: int, body: bytes) -> str:
    """The header ``webhook-signature``: one ``v1,<base64>`` for each key, with a space between."""
    signed = f"{id}.{timestamp}.".encode() + body
    return " ".join(
        "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys
    )


async def rotate(
    connection: Connection, subscription_no: int, keep_old_s: int
) -> tuple[str, datetime | None]:
    """(a new secret as shown, until when the one before signs as well). Older ones end at once: at most two sign."""
    await connection.execute(
        "DELETE FROM webhook_secrets WHERE subscription_no = $1 AND expires_at IS NOT NULL", subscription_no
    )
    until = await connection.fetchval(
        "UPDATE webhook_secrets SET expires_at = now() + make_interval(secs => $2) WHERE subscription_no = $1"
        " RETURNING expires_at",
        subscription_no,
        keep_old_s,
    )
    made = secrets.token_bytes(_BYTES)
    await connection.execute(
        "INSERT INTO webhook_secrets (subscription_no, secret) VALUES ($1, $2)",
        subscription_no,
        _stored(made),
    )
    # The audit notes that the webhook was touched; what the secret is, is noted nowhere.
    await connection.execute(
        "UPDATE webhooks SET updated_at = now() WHERE subscription_no = $1", subscription_no
    )
    return shown(made), until


async def signing_keys(connection: Connection, subscription_no: int) -> list[bytes]:
    """The secrets that sign now, the present one first."""
    rows = await connection.fetch(
        "SELECT secret FROM webhook_secrets WHERE subscription_no = $1 AND (expires_at IS NULL OR expires_at > now())"
        " ORDER BY no DESC",
        subscription_no,
    )
    return [_plain(row["secret"]) for row in rows]


async def forget_ended(connection: Connection) -> None:
    """Delete the secrets that sign no more."""
    await connection.execute("DELETE FROM webhook_secrets WHERE expires_at < now()")
