"""A signing key that never leaves its device (smart card, USB key, HSM), over PKCS#11: Ed25519 by CKM_EDDSA (PKCS#11 3.0).

Which key: a URI of RFC 7512, ``pkcs11:token=LABEL;object=LABEL?module-path=FILE.so&pin-source=file:FILE``. ``token`` or ``serial`` names
the token, ``object`` or ``id`` the key. The PIN stands in a private file; one in the URI itself (``pin-value``) is refused, since settings
are shown and stand in environments. The device's own tool makes the key (``pkcs11-tool --keypairgen --key-type EC:edwards25519``).

Needs the package python-pkcs11 (``pip install gongche[pkcs11]``), imported only here and only where such a key is named.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, unquote_to_bytes

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from runtime.errors import ConfigurationError, UnavailableError
from runtime.private_files import read_secret

SCHEME: Final = "pkcs11:"
_EXAMPLE: Final = "pkcs11:token=gongche;object=seal?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/gongche/seal.pin"
_PUBLIC_BYTES: Final = 32
#: Before an Ed25519 point where the device wraps it into an OCTET STRING, as PKCS#11 3.0 says; older ones give the bare 32 bytes.
_OCTET_STRING: Final = b"\x04\x20"
_PROBE: Final = b"gongche: is this the key?\n"


@dataclass(frozen=True, slots=True)
class KeyUri:
    """A key in a device. ``token`` or ``serial`` is given, and ``object`` or ``id`` (bytes)."""

    module: Path
    pin_file: Path
    token: str | None = None
    serial: str | None = None
    object: str | None = None
    id: bytes | None = None


def parse_uri(text: str) -> KeyUri:
    """Raises ConfigurationError for what RFC 7512 does not have, or what we need and is not there."""
    path, _, query = text.removeprefix(SCHEME).partition("?")
    if not text.startswith(SCHEME):
        raise _malformed("不是 pkcs11: 地址 / is no pkcs11: URI")
    named = {**_parts(path, ";"), **_parts(query, "&")}
    if "pin-value" in named:
        raise _malformed(
            "口令不写在地址里，放入文件用 pin-source / a PIN is not written here, but in a file (pin-source)"
        )
    unknown = named.keys() - {"token", "serial", "object", "id", "type", "module-path", "pin-source"}
    if unknown:
        raise _malformed(f"不认识 / not known: {', '.join(sorted(unknown))}")
    if not named.keys() & {"token", "serial"} or not named.keys() & {"object", "id"}:
        raise _malformed(
            "须指明 token 或 serial，以及 object 或 id / it names a token or serial, and an object or id"
        )
    if "module-path" not in named or "pin-source" not in named:
        raise _malformed("须有 module-path 与 pin-source / module-path and pin-source are needed")
    pin = unquote(named["pin-source"]).removeprefix("file:")
    said = {name: unquote(named[name]) for name in ("token", "serial", "object") if name in named}
    return KeyUri(
        Path(unquote(named["module-path"])),
        Path(pin.removeprefix("//") if pin.startswith("///") else pin),
        said.get("token"),
        said.get("serial"),
        said.get("object"),
        unquote_to_bytes(named["id"]) if "id" in named else None,
    )


def _parts(text: str, between: str) -> dict[str, str]:
    made: dict[str, str] = {}
    for part in filter(None, text.split(between)):
        name, is_there, value = part.partition("=")
        if not is_there or name in made:
            raise _malformed(f"有误 / malformed: {part}")
        made[name] = value
    return made


def _malformed(why: str) -> ConfigurationError:
    return ConfigurationError(f"签名设备地址 / URI of the signing key: {why}", hint=f"like {_EXAMPLE}")


class DeviceKey:
    """The private key in the device. A session that was lost (the device was taken out and put back) is opened again."""

    def __init__(self, uri: KeyUri) -> None:
        """Raises ConfigurationError: no such module, token or key, a wrong PIN, another kind of key."""
        self._uri, self._lock = uri, threading.Lock()
        self._pkcs11 = _library()
        self._session, self._key, self.public = self._open()

    def __repr__(self) -> str:
        return f"DeviceKey({self._uri.token or self._uri.serial})"

    def sign(self, message: bytes) -> bytes:
        """A signature of 64 bytes. Raises UnavailableError while the device does not answer."""
        with self._lock:
            try:
                return self._signed(self._key, message)
            except self._pkcs11.PKCS11Error:
                return self._again(message)

    def _again(self, message: bytes) -> bytes:
        with suppress(self._pkcs11.PKCS11Error):  # it is gone: that is why we are here
            self._session.close()
        try:
            self._session, self._key, public = self._open()
            if public != self.public:
                raise UnavailableError("签名设备中换了密钥 / the device holds another key than before")
            return self._signed(self._key, message)
        except (ConfigurationError, self._pkcs11.PKCS11Error) as error:
            raise UnavailableError(
                f"签名设备无应答 / the signing device does not answer: {_words(error)}",
                hint="is it connected?",
            ) from error

    def _signed(self, key: Any, message: bytes) -> bytes:
        return bytes(key.sign(message, mechanism=self._pkcs11.Mechanism.EDDSA))

    def _open(self) -> tuple[Any, Any, bytes]:
        uri, p = self._uri, self._pkcs11
        pin = read_secret("PIN", uri.pin_file)
        which = {"label": uri.object, "id": uri.id}
        try:
            token = p.lib(str(uri.module)).get_token(token_label=uri.token, token_serial=_bytes(uri.serial))
            try:
                session = token.open(user_pin=pin)
            except p.UserAlreadyLoggedIn:  # another session of this process
                session = token.open()
            private = session.get_key(object_class=p.ObjectClass.PRIVATE_KEY, **which)
            point = bytes(
                session.get_key(object_class=p.ObjectClass.PUBLIC_KEY, **which)[p.Attribute.EC_POINT]
            )
            public = point.removeprefix(_OCTET_STRING) if len(point) > _PUBLIC_BYTES else point
            Ed25519PublicKey.from_public_bytes(public).verify(self._signed(private, _PROBE), _PROBE)
        except (p.PKCS11Error, RuntimeError, InvalidSignature, ValueError) as error:
            raise ConfigurationError(
                f"签名设备 / signing device {uri.module}: {_words(error)}",
                hint=_HINTS.get(type(error).__name__, f"like {_EXAMPLE}"),
            ) from error
        return session, private, public


_HINTS: Final = {
    "NoSuchToken": "没有该令牌 / no token of this label or serial is connected",
    "NoSuchKey": "令牌中没有该密钥 / the token has no key pair of this label or id",
    "MultipleObjectsReturned": "有多把同名密钥，用 id 指明 / several keys have this label: name it by id",
    "MultipleTokensReturned": "有多个同名令牌，用 serial 指明 / several tokens have this label: name it by serial",
    "PinIncorrect": "口令有误，多次错误会锁死令牌 / the PIN is wrong; after some attempts the token locks itself",
    "PinLocked": "令牌已锁 / the token has locked itself",
    "MechanismInvalid": "设备不支持 Ed25519 / the device cannot do Ed25519 (CKM_EDDSA)",
    "InvalidSignature": "公钥与私钥不是一对 / the public key there is not that of the private one",
    "ValueError": "不是 Ed25519 密钥 / it is no Ed25519 key",
}


#: Opened in this process, by URI: one session each, and one attempt with a PIN that is wrong, since tokens lock themselves.
_OPENED: Final[dict[str, DeviceKey]] = {}
_REFUSED: Final[dict[str, ConfigurationError]] = {}


def device_key(uri: str) -> DeviceKey:
    """The key that ``uri`` names, opened once. Raises ConfigurationError."""
    if uri in _REFUSED:
        raise _REFUSED[uri]
    if uri not in _OPENED:
        try:
            _OPENED[uri] = DeviceKey(parse_uri(uri))
        except ConfigurationError as error:
            if type(error.__cause__).__name__ in ("PinIncorrect", "PinLocked"):
                _REFUSED[uri] = error
            raise
    return _OPENED[uri]


def _library() -> Any:
    try:
        import pkcs11  # only where a device is named
    except ImportError as error:
        raise ConfigurationError(
            f"缺少 PKCS#11 组件 / PKCS#11 needs a package: {error}", hint="pip install 'gongche[pkcs11]'"
        ) from error
    return pkcs11


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _words(error: Exception) -> str:
    """What an error of PKCS#11 says: often its name alone."""
    return f"{type(error).__name__} {error}".strip()
