"""Message headers (JT/T 808 clause 4.4.3, table 2 and 3).

    2011, 2013 : id WORD, properties WORD, phone BCD[6], serial WORD                         = 12 bytes
    2019       : id WORD, properties WORD, protocol version BYTE, phone BCD[10], serial WORD = 17 bytes
    both, if properties bit 13: + total WORD, index WORD (from 1)                            = + 4 bytes
    properties : bits 0-9 body length, 10-12 encryption (bit 10 RSA), 13 sub-package, 14 version flag (2019)

Some real terminals set bit 14 over a 12-byte header, or leave it out over a 17-byte one. The length field
tells: of the two layouts at most one agrees with the length of the message, and that one is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from telemetry.jt808.rejection import Reason, Rejection
from telemetry.jt808.scalar.framing import MAX_BODY, MIN_MESSAGE

SUB_PACKAGE = 1 << 13
VERSION_FLAG = 1 << 14

PHONE_DIGITS_2013 = 12
PHONE_DIGITS_2019 = 20
#: Protocol version that JT/T 808-2019 itself has (4.4.3: "starts at 1").
FIRST_PROTOCOL_VERSION = 1


class Version(IntEnum):
    """Edition of the standard. 2011 and 2013 have the same header; only some bodies differ."""

    V2011 = 2011
    V2013 = 2013
    V2019 = 2019


@dataclass(frozen=True, slots=True)
class Header:
    """A message header.

    ``phone``: the digits as sent, with leading zeros (12, or 20 in a 2019 header). ``encryption``: bits
    10-12 of the properties (1 = RSA). ``version_flag``: bit 14 as sent. ``protocol_version``: 0 in a
    12-byte header. ``total`` and ``index``: package count and number (from 1), both 0 in a message that
    is not sub-packaged.
    """

    id: int
    body_length: int
    encryption: int
    version_flag: bool
    protocol_version: int
    phone: str
    serial: int
    total: int = 0
    index: int = 0

    @property
    def terminal_phone(self) -> str:
        """The phone without leading zeros, as terminals are found by; "0" when all are zeros."""
        return self.phone.lstrip("0") or "0"

    @property
    def fragmented(self) -> bool:
        """Whether this is one package of a longer message (bit 13). A single package has total 1, index
        1.
        """
        return bool(self.total or self.index)

    @property
    def version(self) -> Version:
        """2019 for a 17-byte header, else 2013 (2011 cannot be told from a header)."""
        return Version.V2019 if len(self.phone) == PHONE_DIGITS_2019 else Version.V2013


#: A widespread family of trackers has hexadecimal digits in the BCD field; they are an identifier like any other.
_DIGITS = frozenset("0123456789ABCDEF")


def is_hex(phone: str) -> bool:
    """Whether a phone number has digits that BCD does not."""
    return not phone.isdecimal()


def parse_header(message: bytes) -> tuple[Header, bytes] | Rejection:
    """Header and body of an unescaped message without its checksum.

    Rejects TOO_SHORT, LENGTH_MISMATCH (the length field must agree exactly), and BAD_FRAGMENT
    (package number outside 1..total).
    """
    if len(message) < MIN_MESSAGE:
        return Rejection(Reason.TOO_SHORT, f"{len(message)} bytes, a header has {MIN_MESSAGE}", message)
    properties = int.from_bytes(message[2:4], "big")
    length = properties & MAX_BODY
    package_item = 4 if properties & SUB_PACKAGE else 0
    flag = bool(properties & VERSION_FLAG)
    size_2013, size_2019 = 12 + package_item, 17 + package_item
    size = len(message) - length
    if size not in (size_2013, size_2019):
        actual = len(message) - (size_2019 if flag else size_2013)
        return Rejection(Reason.LENGTH_MISMATCH, f"length field {length}, body {actual}", message)
    if size == size_2019:
        protocol_version, phone, at = message[4], message[5:15].hex().upper(), 15
    else:
        protocol_version, phone, at = 0, message[4:10].hex().upper(), 10
    serial = int.from_bytes(message[at : at + 2], "big")
    total = index = 0
    if package_item:
        total = int.from_bytes(message[at + 2 : at + 4], "big")
        index = int.from_bytes(message[at + 4 : at + 6], "big")
        if not 1 <= index <= total:
            return Rejection(Reason.BAD_FRAGMENT, f"package {index} of {total}", message)
    header = Header(
        id=int.from_bytes(message[:2], "big"),
        body_length=length,
        encryption=properties >> 10 & 7,
        version_flag=flag,
        protocol_version=protocol_version,
        phone=phone,
        serial=serial,
        total=total,
        index=index,
    )
    return header, message[size:]


def build_header(header: Header) -> bytes:
    """The bytes of ``header``; the width of its phone (12 or 20 digits) chooses the layout."""
    properties = (
        header.body_length
        | header.encryption << 10
        | (SUB_PACKAGE if header.fragmented else 0)
        | (VERSION_FLAG if header.version_flag else 0)
    )
    out = header.id.to_bytes(2, "big") + properties.to_bytes(2, "big")
    if len(header.phone) == PHONE_DIGITS_2019:
        out += bytes((header.protocol_version,))
    out += bytes.fromhex(header.phone) + header.serial.to_bytes(2, "big")
    if header.fragmented:
        out += header.total.to_bytes(2, "big") + header.index.to_bytes(2, "big")
    return out


def build_message(
    message_id: int,
    body: bytes,
    phone: str,
    serial: int,
    *,
    version: Version = Version.V2013,
    total: int = 0,
    index: int = 0,
    encryption: int = 0,
    version_flag: bool | None = None,
    protocol_version: int = FIRST_PROTOCOL_VERSION,
) -> bytes:
    """One message (header and body, not framed: see ``encode_frame``).

    ``phone``: digits, filled with zeros on the left. ``serial`` is taken modulo 2**16. ``version_flag``:
    what bit 14 says where it should differ from ``version``. Raises ValueError for a body over 1023 bytes
    (``build_messages`` splits) or a phone that does not fit.
    """
    digits = PHONE_DIGITS_2019 if version is Version.V2019 else PHONE_DIGITS_2013
    if not 1 <= len(phone) <= digits or set(phone) - _DIGITS:
        raise ValueError(f"phone {phone!r}: at most {digits} digits")
    if len(body) > MAX_BODY:
        raise ValueError(f"body of {len(body)} bytes: at most {MAX_BODY}")
    header = Header(
        id=message_id,
        body_length=len(body),
        encryption=encryption,
        version_flag=version is Version.V2019 if version_flag is None else version_flag,
        protocol_version=protocol_version if version is Version.V2019 else 0,
        phone=phone.zfill(digits),
        serial=serial & 0xFFFF,
        total=total,
        index=index,
    )
    return build_header(header) + body


def build_messages(
    message_id: int,
    body: bytes,
    phone: str,
    serial: int,
    *,
    version: Version = Version.V2013,
    max_body: int = MAX_BODY,
    version_flag: bool | None = None,
    protocol_version: int = FIRST_PROTOCOL_VERSION,
) -> list[bytes]:
    """One message, or as many packages of at most ``max_body`` bytes as the body needs.

    Packages have consecutive serials from ``serial``, wrapping at 2**16 (2013, clause 7.12).
    ``version_flag`` and ``protocol_version`` as for ``build_message``. Raises ValueError for more than 65535 packages.
    """
    if not 1 <= max_body <= MAX_BODY:
        raise ValueError(f"max_body {max_body}: 1 to {MAX_BODY}")
    parts = [body[at : at + max_body] for at in range(0, len(body), max_body)] or [b""]
    if len(parts) > 0xFFFF:
        raise ValueError(f"{len(parts)} packages: at most 65535")
    total = len(parts) if len(parts) > 1 else 0
    return [
        build_message(
            message_id,
            part,
            phone,
            serial + k,
            version=version,
            total=total,
            index=total and k + 1,
            version_flag=version_flag,
            protocol_version=protocol_version,
        )
        for k, part in enumerate(parts)
    ]


def build_reply(to: Header, message_id: int, body: bytes, serial: int) -> bytes:
    """A platform message in the dialect of ``to``: its phone digits, layout, version flag, protocol
    version.
    """
    return build_message(
        message_id,
        body,
        to.phone,
        serial,
        version=to.version,
        version_flag=to.version_flag,
        protocol_version=to.protocol_version,
    )
