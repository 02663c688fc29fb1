"""The header (2011 clause 4.4.2; 2019 has the time of sending behind it).

    length DWORD, serial DWORD, id WORD, access code DWORD, version BYTE[3], encrypted BYTE, key DWORD = 22 bytes
    2019: + time of sending, 8 bytes, seconds since 1970 UTC                                          = 30 bytes

The length is that of the whole frame before the escaping: flags and CRC count.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from telemetry.jt809.refusal import Reason, Refusal

#: Flags and CRC.
AROUND: Final = 4
#: What we say of ourselves: version 1.0.0 of the protocol.
VERSION: Final = b"\x01\x00\x00"


class Edition(IntEnum):
    """Edition of the standard. Both ends of a link are set up for the same one."""

    V2011 = 2011
    V2019 = 2019


SIZES: Final = {Edition.V2011: 22, Edition.V2019: 30}


@dataclass(frozen=True, slots=True)
class Header:
    """``access_code``: of the lower platform, whoever sends. ``time_s``: seconds since 1970 UTC, 0 in 2011. ``key``: of the encryption."""

    serial: int
    id: int
    access_code: int
    version: bytes = VERSION
    encrypted: bool = False
    key: int = 0
    time_s: int = 0


def access_code_of(message: bytes) -> int:
    """The access code, which stands at the same place in both editions; -1 where the message is too short."""
    return int.from_bytes(message[10:14], "big") if len(message) >= SIZES[Edition.V2011] else -1


def build(header: Header, edition: Edition, body: bytes) -> bytes:
    """Header and body (already encrypted, where ``header.encrypted``)."""
    size = SIZES[edition]
    out = (size + len(body) + AROUND).to_bytes(4, "big") + (header.serial & 0xFFFFFFFF).to_bytes(4, "big")
    out += header.id.to_bytes(2, "big") + header.access_code.to_bytes(4, "big") + header.version
    out += bytes((header.encrypted,)) + header.key.to_bytes(4, "big")
    if edition is Edition.V2019:
        out += header.time_s.to_bytes(8, "big")
    return out + body


def parse(message: bytes, edition: Edition) -> tuple[Header, bytes] | Refusal:
    """Header and body (still encrypted). Refuses TOO_SHORT and LENGTH_MISMATCH."""
    size = SIZES[edition]
    if len(message) < size:
        return Refusal.of(Reason.TOO_SHORT, f"{len(message)} bytes, a header has {size}", message)
    length = int.from_bytes(message[:4], "big")
    if length != len(message) + AROUND:
        detail = f"length field {length}, the frame has {len(message) + AROUND}"
        return Refusal.of(Reason.LENGTH_MISMATCH, detail, message)
    header = Header(
        serial=int.from_bytes(message[4:8], "big"),
        id=int.from_bytes(message[8:10], "big"),
        access_code=int.from_bytes(message[10:14], "big"),
        version=message[14:17],
        encrypted=message[17] != 0,
        key=int.from_bytes(message[18:22], "big"),
        time_s=int.from_bytes(message[22:30], "big") if edition is Edition.V2019 else 0,
    )
    return header, message[size:]
