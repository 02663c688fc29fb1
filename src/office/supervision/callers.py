"""Name and phone of who called the hotline, encrypted: AES-256-GCM with a key that is in a file, never in the database.

There is no key by default. ``openssl rand -base64 32 > FILE; chmod 600 FILE`` makes one. Who loses it loses the callers.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from office.identity.sealing import KEY_BYTES, Flaw, KeyFileError, read_key, seal, unseal
from runtime.errors import DeclinedError
from runtime.settings import Settings

FILE: Final = "caller.key"


class NoKeyError(DeclinedError):
    """There is no key, or it cannot be used: callers are neither taken nor shown."""

    def __init__(self, why: str) -> None:
        super().__init__("no-caller-key", why)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who called."""

    name: str
    phone: str


class CallerKey:
    """The key. ``id``: its first hash digits, kept with what it encrypted."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self.id = hashlib.sha256(b"gongche caller key" + key).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"CallerKey({self.id})"  # a key does not go into logs

    def seal(self, complaint: str, caller: Caller) -> bytes:
        """``caller`` encrypted, for ``complaint`` only: put at another one it cannot be opened."""
        text = json.dumps([caller.name, caller.phone], ensure_ascii=False).encode()
        return seal(self._cipher, text, complaint)

    def open(self, complaint: str, sealed: bytes, key_id: str) -> Caller:
        """The caller. Raises NoKeyError for what another key has encrypted, or somebody has changed."""
        if key_id != self.id:
            raise NoKeyError(
                f"来电人信息由另一密钥 {key_id} 加密，请恢复该密钥文件 · encrypted with another key, {key_id}; put its file back"
            )
        try:
            text = unseal(self._cipher, sealed, complaint)
        except InvalidTag:
            raise NoKeyError(
                "来电人信息已损坏或被改动，无法解密 · the caller's data were damaged or changed"
            ) from None
        name, phone = json.loads(text)
        return Caller(name, phone)


def key_file(settings: Settings) -> Path:
    """Where the key is: ``caller_key_file``, else in the data folder."""
    return settings.caller_key_file or settings.data_dir / FILE


def load_key(settings: Settings) -> CallerKey:
    """The key. Raises NoKeyError that says what to do."""
    path = key_file(settings)
    make = f"openssl rand -base64 {KEY_BYTES} > {path}; chmod 600 {path}"
    try:
        return CallerKey(read_key(path))
    except KeyFileError as error:
        says = {
            Flaw.MISSING: f"没有来电人密钥，不能登记或查看姓名电话；请管理员执行 · no key for callers' data ({error.detail}); the administrator runs: {make}",
            Flaw.OPEN: f"密钥文件对他人开放，请执行 · the key file is open to others; run: chmod 600 {path}",
            Flaw.MALFORMED: f"密钥应为 {KEY_BYTES} 字节的 base64，请管理员执行 · the key must be {KEY_BYTES} bytes in base64; make one: {make}",
        }
        raise NoKeyError(says[error.flaw]) from None
