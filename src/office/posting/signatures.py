"""Secrets and signatures of the Standard Webhooks scheme 1.0. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final

_PREFIX: Final = "whsec_"
#: Bytes of a new secret; the scheme wants 24 to 64.
SECRET_BYTES: Final = 32


def shown(secret: bytes) -> str:
    """``whsec_...``: how a receiver gets it."""
    return _PREFIX + base64.b64encode(secret).decode()


def key_of(shown_secret: str) -> bytes:
    """The secret of ``shown``, which signs. Raises ValueError for a text that is none."""
    if not shown_secret.startswith(_PREFIX):
        raise ValueError("not a secret of a webhook")
    return base64.b64decode(shown_secret.removeprefix(_PREFIX), validate=True)


def signature(keys: Sequence[bytes], id: str, timestamp: int, body: bytes) -> str:
    """The header ``webhook-signature``: one ``v1,<base64>`` for each key, with a space between."""
    signed = f"{id}.{timestamp}.".encode() + body
    return " ".join(
        "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys
    )


def signed_headers(
    keys: Sequence[bytes], id: str, timestamp: int, body: bytes, content: str
) -> Mapping[str, str]:
    """The headers of a delivery. ``timestamp``: seconds since 1970."""
    return {
        "content-type": content,
        "user-agent": "gongche",
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(keys, id, timestamp, body),
    }
