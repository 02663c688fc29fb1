"""Secrets of programs and people, as they are made and as they are kept: 256 random bits, of which the database has the SHA-256."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret just made. ``secret`` is shown once and cannot be had again; ``id``: of what it opens."""

    id: str
    secret: str

    def __repr__(self) -> str:
        return f"NewSecret(id={self.id!r})"  # a secret does not go into logs


def new_secret(prefix: str = "") -> NewSecret:
    """Another secret, with ``prefix`` before its 43 letters, and an id for it."""
    return NewSecret(secrets.token_hex(8), prefix + secrets.token_urlsafe(32))


def digest(secret: str) -> bytes:
    """What is kept of a secret. Made of whatever came in: what is no text of ours has a digest that nobody has."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
