"""The key that signs blocks: Ed25519, in a private file that is never in the database and never in a backup of it, or in a device
(``key_device``).

There is no default key: the process that seals makes one when it starts first, where no file is named. Whoever has the file can
write chains anew; so it belongs to the account of the service, not to whoever keeps the database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from office.identity.sealing import KEY_BYTES, Flaw, KeyFileError, make_key, read_key
from office.integrity.key_device import SCHEME, device_key
from runtime.connection import Connection
from runtime.errors import ConfigurationError
from runtime.settings import Settings

#: Before what is signed: a signature of one thing is none of another.
_BLOCK: Final = b"gongche block\n"
_HEADS: Final = b"gongche heads\n"
_BUNDLE: Final = b"gongche bundle\n"
_KEY: Final = b"gongche key\n"


def key_file(settings: Settings) -> Path:
    """Where the key is."""
    return settings.seal_key_file or settings.data_dir / "seal.key"


def key_id(public: bytes) -> str:
    """The name of a public key (32 bytes)."""
    return hashlib.sha256(public).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Who can have signed. ``public``: 32 bytes."""

    public: bytes

    @property
    def id(self) -> str:
        """Its name."""
        return key_id(self.public)

    def signed_block(self, header: str, signature: bytes) -> bool:
        """Whether the holder of the key signed this header."""
        return self._signed(_BLOCK + header.encode(), signature)

    def signed_heads(self, text: bytes, signature: bytes) -> bool:
        """Whether the holder of the key signed these heads."""
        return self._signed(_HEADS + text, signature)

    def signed_bundle(self, text: bytes, signature: bytes) -> bool:
        """Whether the holder of the key signed this list of files."""
        return self._signed(_BUNDLE + text, signature)

    def signed_key(self, public: bytes, signature: bytes) -> bool:
        """Whether the holder of the key named ``public`` as the next one."""
        return self._signed(_KEY + public, signature)

    def _signed(self, message: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class Signer(Protocol):
    """What holds a private key. ``public``: 32 bytes."""

    @property
    def public(self) -> bytes: ...
    def sign(self, message: bytes) -> bytes:
        """A signature of 64 bytes."""


class SeedKey:
    """A private key in memory. ``seed``: 32 bytes."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """A signature of 64 bytes."""
        return self._key.sign(message)


class SigningKey:
    """The private key."""

    def __init__(self, signer: Signer) -> None:
        self._key = signer
        self.public = PublicKey(signer.public)
        self.id = self.public.id

    def __repr__(self) -> str:
        return f"SigningKey({self.id})"  # a key does not go into logs

    def sign_block(self, header: str) -> bytes:
        """A signature of 64 bytes."""
        return self._key.sign(_BLOCK + header.encode())

    def sign_heads(self, text: bytes) -> bytes:
        """A signature of 64 bytes."""
        return self._key.sign(_HEADS + text)

    def sign_bundle(self, text: bytes) -> bytes:
        """A signature of 64 bytes."""
        return self._key.sign(_BUNDLE + text)

    def sign_key(self, public: bytes) -> bytes:
        """A signature of 64 bytes."""
        return self._key.sign(_KEY + public)


def load_key(settings: Settings, *, make: bool) -> SigningKey:
    """The key of the settings. ``make``: where no file is named and there is none yet, a new one is made. Raises
    ConfigurationError."""
    if settings.seal_key_uri is not None:
        if settings.seal_key_file is not None:
            raise ConfigurationError(
                "GONGCHE_SEAL_KEY_URI 与 GONGCHE_SEAL_KEY_FILE 只能设一项 / only one of both can be set",
                hint="the key is in a device or in a file",
            )
        return SigningKey(device_key(settings.seal_key_uri))
    path = key_file(settings)
    if make and settings.seal_key_file is None and not path.exists():
        write_key(path)
    return read_signing_key(path)


def has_key(settings: Settings) -> bool:
    """Whether this machine has one, as far as the settings say."""
    return settings.seal_key_uri is not None or key_file(settings).exists()


def named_key(name: str) -> SigningKey:
    """The key in a file, or in a device where ``name`` is a ``pkcs11:`` URI. Raises ConfigurationError."""
    return SigningKey(device_key(name)) if name.startswith(SCHEME) else read_signing_key(Path(name))


def read_signing_key(path: Path) -> SigningKey:
    """The key in ``path``. Raises ConfigurationError."""
    try:
        return SigningKey(SeedKey(read_key(path)))
    except KeyFileError as error:
        says, what_to_do = {
            Flaw.MISSING: (f"无法读取 / cannot be read: {error.detail}", "gongche seal --new-key FILE"),
            Flaw.OPEN: ("其他用户可读 / is open to other users", f"chmod 600 {path}"),
            Flaw.MALFORMED: (f"不是 / is not {KEY_BYTES} bytes in base64", "gongche seal --new-key FILE"),
        }[error.flaw]
        raise ConfigurationError(f"签名密钥 / signing key {path}: {says}", hint=what_to_do) from error


def write_key(path: Path) -> None:
    """A new key in a new file of mode 600, whole or not at all; one that is there stays. Raises ConfigurationError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        make_key(path)
    except OSError as error:
        raise ConfigurationError(
            f"签名密钥 {path} 无法写入 / the signing key cannot be written: {error.strerror or error}",
            hint="set GONGCHE_SEAL_KEY_FILE",
        ) from error


async def known_keys(connection: Connection) -> dict[str, PublicKey]:
    """The public keys that the database names, by id."""
    return {
        row["id"]: PublicKey(row["public"])
        for row in await connection.fetch("SELECT id, public FROM seal_keys")
    }


async def register(connection: Connection, key: SigningKey, before: SigningKey | None = None) -> None:
    """Have ``key`` known as one that signs; ``before``: the one that it takes the place of, which signs that."""
    await connection.execute(
        "INSERT INTO seal_keys (id, public, previous, signature) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING",
        key.id,
        key.public.public,
        None if before is None else before.id,
        None if before is None else before.sign_key(key.public.public),
    )


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A key as a database or a bundle names it: whoever wrote that may have written anything."""

    id: str
    public: bytes
    previous: str | None
    signature: bytes | None


async def named_keys(connection: Connection) -> list[NamedKey]:
    """What the database says of its keys."""
    rows: list[Any] = await connection.fetch(
        # The one without a key before it comes first, whatever a clock that was set back says of its time.
        "SELECT id, public, previous, signature FROM seal_keys ORDER BY previous IS NOT NULL, created_at, id"
    )
    return [NamedKey(row["id"], row["public"], row["previous"], row["signature"]) for row in rows]


def key_flaws(keys: Sequence[NamedKey]) -> list[tuple[str, str]]:
    """(id, what is wrong) of the keys that a database names: each but the first is signed by the one before it."""
    known, wrong = {key.id: PublicKey(key.public) for key in keys}, []
    for place, key in enumerate(keys):
        if key.id != key_id(key.public):
            wrong.append((key.id, "公钥与编号不符 · the public key is not that of its id"))
        elif key.previous is None:
            if place:
                wrong.append(
                    (key.id, "未经前一密钥签名的新密钥 · a new key that no key before it has signed")
                )
        elif key.previous not in known or not known[key.previous].signed_key(
            key.public, key.signature or b""
        ):
            wrong.append((key.id, "前一密钥的签名不符 · the signature of the key before it does not hold"))
    return wrong


def reached(keys: Sequence[NamedKey], trusted: str | None) -> frozenset[str]:
    """Ids of the keys that may have signed: ``trusted``, and those to which it was handed over, one key signing the next.
    ``trusted`` None: from the first key without one before it. That a key stands in the list means nothing: who owns the database
    writes the list. A key counts by its own id, never by the one that it is listed under."""
    following: dict[str, list[NamedKey]] = {}
    public: dict[str, PublicKey] = {}
    for key in keys:
        public[key_id(key.public)] = PublicKey(key.public)
        following.setdefault(key.previous or "", []).append(key)
    if trusted is not None:
        first = [trusted]
    else:
        first = [key_id(key.public) for key in keys if key.previous is None][:1]
    found, left = set(first), list(first)
    while left:
        before = left.pop()
        for key in following.get(before, ()) if before in public else ():
            id = key_id(key.public)
            if id not in found and public[before].signed_key(key.public, key.signature or b""):
                found.add(id)
                left.append(id)
    return frozenset(found)
