"""Name and phone of who called the hotline, encrypted: AES-256-GCM with a key that is in a file, never in the database.

There is no key by default. ``openssl rand -base64 32 > FILE; chmod 600 FILE`` makes one. Who loses it loses the callers.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from office.supervision.problems import SupervisionError
from runtime.settings import Settings

FILE: Final = "caller.key"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class NoKeyError(SupervisionError):
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
        nonce = os.urandom(_NONCE_BYTES)
        text = json.dumps([caller.name, caller.phone], ensure_ascii=False).encode()
        return nonce + self._cipher.encrypt(nonce, text, complaint.encode())

    def open(self, complaint: str, sealed: bytes, key_id: str) -> Caller:
        """The caller. Raises NoKeyError for what another key has encrypted, or somebody has changed."""
        if key_id != self.id:
            raise NoKeyError(
                f"来电人信息由另一密钥 {key_id} 加密，请恢复该密钥文件 · encrypted with another key, {key_id}; put its file back"
            )
        try:
            text = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], complaint.encode())
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
    make = f"openssl rand -base64 {_KEY_BYTES} > {path}; chmod 600 {path}"
    try:
        found = path.stat()
        text = path.read_bytes()[:1_000]
    except OSError as error:
        raise NoKeyError(
            f"没有来电人密钥，不能登记或查看姓名电话；请管理员执行 · no key for callers' data ({error.strerror}); the administrator runs: {make}"
        ) from None
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise NoKeyError(
            f"密钥文件对他人开放，请执行 · the key file is open to others; run: chmod 600 {path}"
        )
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise NoKeyError(
            f"密钥应为 {_KEY_BYTES} 字节的 base64，请管理员执行 · the key must be {_KEY_BYTES} bytes in base64; make one: {make}"
        )
    return CallerKey(key)
