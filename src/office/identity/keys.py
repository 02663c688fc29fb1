"""The key that protects secrets at rest (of TOTP, of webhooks, addresses of messages): 256 bits in a private file. There is no
default key."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from office.identity.sealing import KEY_BYTES, Flaw, KeyFileError, make_key, read_key, seal, unseal
from runtime.errors import ConfigurationError
from runtime.settings import Settings


def key_file(settings: Settings) -> Path:
    """Where the key is."""
    return settings.identity_key_file or settings.data_dir / "identity.key"


class Sealer:
    """Seals short secrets with the key, which is read when it is needed first."""

    def __init__(self, settings: Settings) -> None:
        self._path = key_file(settings)
        self._may_make = settings.identity_key_file is None
        self._cipher: AESGCM | None = None

    def seal(self, secret: str, belongs_to: str) -> bytes:
        """``secret`` sealed. Raises ConfigurationError when there is no usable key."""
        return seal(self._key(make=self._may_make), secret.encode(), belongs_to)

    def open(self, sealed: bytes, belongs_to: str) -> str:
        """What was sealed. Raises ConfigurationError when the key is missing or another one."""
        try:
            plain = unseal(self._key(make=False), sealed, belongs_to)
        except InvalidTag:
            raise ConfigurationError(
                f"{self._path} 不是加密库中密钥时所用的密钥 / is not the key that the secrets in the database were sealed with",
                hint="put the right key back; else: gongche user reset NAME --totp, a new secret of each webhook, and message"
                " channels set anew",
            ) from None
        return plain.decode()

    def _key(self, *, make: bool) -> AESGCM:
        if self._cipher is None:
            self._cipher = AESGCM(_read(self._path) if self._path.exists() or not make else _make(self._path))
        return self._cipher


def _read(path: Path) -> bytes:
    hint = "head -c 32 /dev/urandom | base64 > FILE; chmod 600 FILE; the same file for every API"
    try:
        return read_key(path)
    except KeyFileError as error:
        says, what_to_do = {
            Flaw.MISSING: (f": {error.detail}", hint),
            Flaw.OPEN: (" is open to other users", f"chmod 600 {path}"),
            Flaw.MALFORMED: (f" is not {KEY_BYTES} bytes in base64", hint),
        }[error.flaw]
        raise ConfigurationError(f"identity key {path}{says}", hint=what_to_do) from error


def _make(path: Path) -> bytes:
    try:
        make_key(path)
    except OSError as error:
        raise ConfigurationError(
            f"identity key {path} cannot be written: {error.strerror or error}",
            hint="set GONGCHE_IDENTITY_KEY_FILE",
        ) from error
    return _read(path)
