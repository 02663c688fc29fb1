"""The PROXY protocol, version 1 (text) and 2 (binary): what a balancer says of the connection that it passes on.

Source: "The PROXY protocol", HAProxy Technologies, sections 2.1 and 2.2. Sans-IO: ``Reader`` is fed what was read, and says how many
bytes it needs next; no byte behind the header is taken.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
#: Longest line of version 1, with its end (section 2.1).
MAX_LINE: Final = 107
#: Longest part behind the first 16 bytes of version 2 that is read; addresses take 36, the rest are extensions (TLV).
MAX_BLOCK: Final = 4096
_V2_HEAD: Final = 16
_INET, _INET6 = 0x11, 0x21  # TCP over IPv4, over IPv6


class HeaderError(Exception):
    """What came is no PROXY header; the words say why."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the terminal is."""

    address: str
    port: int


class Reader:
    """Feed it; until it is ``done`` it needs ``missing`` bytes more, and never takes more than that."""

    def __init__(self) -> None:
        self._data = b""
        self.missing = len(SIGNATURE)
        self.done = False
        #: None: the balancer speaks for itself (a health check), or does not know where the other end is.
        self.origin: Origin | None = None

    def feed(self, data: bytes) -> None:
        """Takes ``data``, at most ``missing`` bytes. Raises HeaderError."""
        if len(data) > self.missing:
            raise ValueError("more than was asked for")
        self._data += data
        self.missing -= len(data)
        if self.missing:
            return
        if self._data.startswith(SIGNATURE):
            self._binary()
        elif self._data.startswith(b"PROXY "):
            self._text()
        else:
            raise HeaderError("neither version 1 nor version 2 of the PROXY protocol")

    def _text(self) -> None:
        if not self._data.endswith(b"\r\n"):
            if len(self._data) >= MAX_LINE:
                raise HeaderError(f"a line of more than {MAX_LINE} bytes")
            self.missing = 1  # the line may end with any byte, and what follows it is not ours
            return
        self.origin = _of_line(self._data[:-2])
        self.done = True

    def _binary(self) -> None:
        if len(self._data) < _V2_HEAD:
            self.missing = _V2_HEAD - len(self._data)
            return
        length = int.from_bytes(self._data[14:16], "big")
        if length > MAX_BLOCK:
            raise HeaderError(f"{length} bytes of addresses and extensions, at most {MAX_BLOCK} are read")
        if len(self._data) < _V2_HEAD + length:
            self.missing = _V2_HEAD + length - len(self._data)
            return
        self.origin = _of_block(self._data)
        self.done = True


def _of_line(line: bytes) -> Origin | None:
    words = line.decode("ascii", "replace").split(" ")
    if words[1:2] == ["UNKNOWN"]:
        return None
    if len(words) != 6 or words[1] not in ("TCP4", "TCP6"):
        raise HeaderError("not PROXY TCP4|TCP6 source destination port port")
    try:
        source, _destination = (ip_address(word) for word in words[2:4])
    except ValueError as error:
        raise HeaderError(str(error)) from None
    if {source.version, _destination.version} != {4 if words[1] == "TCP4" else 6}:
        raise HeaderError(f"addresses that are not of {words[1]}")
    ports = [int(word) if word.isascii() and word.isdigit() and len(word) <= 5 else -1 for word in words[4:]]
    if not all(0 <= port <= 65_535 for port in ports):
        raise HeaderError("a port that is none")
    return Origin(str(source), ports[0])


def _of_block(data: bytes) -> Origin | None:
    version, command = data[12] >> 4, data[12] & 15
    if version != 2 or command > 1:
        raise HeaderError(f"version and command {data[12]:#04x}")
    if command == 0:  # LOCAL: nothing is passed on, the balancer looks whether we live
        return None
    kind, block = data[13], data[_V2_HEAD:]
    if kind == _INET:
        size, family = 4, socket.AF_INET
    elif kind == _INET6:
        size, family = 16, socket.AF_INET6
    else:
        return None  # not of TCP over IP: "the receiver should ignore the addresses"
    if len(block) < 2 * size + 4:
        raise HeaderError("shorter than its addresses")
    (port,) = struct.unpack_from("!H", block, 2 * size)
    return Origin(socket.inet_ntop(family, block[:size]), port)
