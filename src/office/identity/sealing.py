"""Short secrets at rest: AES-256-GCM with a key that is in a private file, never in the database. There is no default key."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
from enum import Enum, auto
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class Flaw(Enum):
    """What is wrong with a key file."""

    MISSING = auto()  # or it cannot be read
    OPEN = auto()  # others may read it
    MALFORMED = auto()  # it holds no KEY_BYTES in base64


class KeyFileError(Exception):
    """A key file that cannot be used. ``detail``: what the system said of one that is MISSING."""

    def __init__(self, flaw: Flaw, detail: str = "") -> None:
        super().__init__(detail)
        self.flaw, self.detail = flaw, detail


def read_key(path: Path) -> bytes:
    """The key in ``path``: KEY_BYTES in base64, in a file that nobody else may read. Raises KeyFileError."""
    try:
        mode = path.stat().st_mode
        text = path.read_bytes()[:1_000]
    except OSError as error:
        raise KeyFileError(Flaw.MISSING, error.strerror or str(error)) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyFileError(Flaw.OPEN)
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyFileError(Flaw.MALFORMED)
    return key


def make_key(path: Path) -> None:
    """A new key in a new file of mode 600, whole or not at all; one that is there stays. So two processes that make it at once have
    the same one afterwards. Raises OSError."""
    scratch = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(scratch, path)
    except FileExistsError:
        pass
    finally:
        scratch.unlink()


def seal(cipher: AESGCM, plain: bytes, belongs_to: str) -> bytes:
    """``plain`` sealed, and bound to what it belongs to: moved to another row it does not open."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, plain, belongs_to.encode())


def unseal(cipher: AESGCM, sealed: bytes, belongs_to: str) -> bytes:
    """What was sealed. Raises InvalidTag for another key, another row, or changed bytes."""
    if len(sealed) < _NONCE_BYTES:
        raise InvalidTag  # too short to be anything that was sealed
    return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], belongs_to.encode())
