"""Captures of packets: pcap and pcapng files, and the TCP and UDP in them. Nothing of a file is trusted: a length that cannot be is a
``CaptureError``, a packet that is no TCP or UDP over IP is passed over and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import BinaryIO, Final

from runtime.errors import ConfigurationError

_PCAP: Final = {
    b"\xa1\xb2\xc3\xd4": ("big", 1),
    b"\xd4\xc3\xb2\xa1": ("little", 1),
    b"\xa1\xb2\x3c\x4d": ("big", 1000),
    b"\x4d\x3c\xb2\xa1": ("little", 1000),
}
_PCAPNG: Final = b"\x0a\x0d\x0d\x0a"
#: A packet, or a block of pcapng, is not longer.
_MAX_PACKET: Final = 1 << 20
_MAX_BLOCK: Final = 1 << 24

_ETHERNET, _RAW_IP, _NULL, _LOOP, _SLL, _SLL2 = 1, (12, 14, 101, 228, 229), 0, 108, 113, 276
_VLANS: Final = (0x8100, 0x88A8, 0x9100)
_IPV4, _IPV6 = 0x0800, 0x86DD
TCP: Final = 6
UDP: Final = 17
#: Extension headers of IPv6 that have a length, before what they carry.
_EXTENSIONS: Final = (0, 43, 60)


class CaptureError(ConfigurationError):
    """A file of packets cannot be read."""

    def __init__(self, what: str, english: str) -> None:
        super().__init__(
            f"抓包文件有误：{what} / the capture is broken: {english}",
            hint="用 tcpdump -w 或 Wireshark 重新保存 / save it again with tcpdump -w or Wireshark",
        )


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet as it was captured. ``number`` from 1; ``time_us``: microseconds since 1970 UTC, 0 = not told; ``link``: number of the link
    layer; ``data``: its bytes, perhaps cut short by whoever captured."""

    number: int
    time_us: int
    link: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Payload:
    """What TCP or UDP carried. ``source``, ``target``: address and port; ``sequence`` and ``flags`` of TCP."""

    packet: Packet
    protocol: int
    source: tuple[str, int]
    target: tuple[str, int]
    sequence: int
    flags: int
    data: bytes


def is_capture(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is a capture."""
    return head[:4] in _PCAP or head[:4] == _PCAPNG


def packets(file: BinaryIO) -> Iterator[Packet]:
    """The packets of a pcap or pcapng file, in their order. Raises CaptureError; a file that ends within a packet just ends."""
    magic = file.read(4)
    if magic in _PCAP:
        yield from _pcap(file, *_PCAP[magic])
    elif magic == _PCAPNG:
        yield from _pcapng(file)
    else:
        raise CaptureError("不是 pcap 或 pcapng", "neither pcap nor pcapng")


def _pcap(file: BinaryIO, order: str, per_us: int) -> Iterator[Packet]:
    little = order == "little"
    head = file.read(20)
    if len(head) < 20:
        raise CaptureError("文件头不完整", "its head is cut short")
    link = _number(head[16:20], little) & 0xFFFF
    number = 0
    while len(each := file.read(16)) == 16:
        length = _number(each[8:12], little)
        if length > _MAX_PACKET:
            raise CaptureError(f"第 {number + 1} 个包长 {length}", f"packet {number + 1} has {length} bytes")
        data = file.read(length)
        if len(data) < length:
            return
        number += 1
        time_us = _number(each[:4], little) * 1_000_000 + _number(each[4:8], little) // per_us
        yield Packet(number, time_us, link, data)


def _number(raw: bytes, little: bool) -> int:
    return int.from_bytes(raw, "little" if little else "big")


def _pcapng(file: BinaryIO) -> Iterator[Packet]:
    little, number = False, 0
    interfaces: list[tuple[int, int]] = []  # link, steps a second
    kind_raw = _PCAPNG
    while len(kind_raw) == 4:
        size_raw = file.read(4)
        if len(size_raw) < 4:
            return
        inner = b""
        if kind_raw == _PCAPNG:  # a section begins, in its own order of bytes
            inner = file.read(4)
            little = inner == b"\x4d\x3c\x2b\x1a"
            interfaces = []
        size = _number(size_raw, little)
        if not 12 + len(inner) <= size <= _MAX_BLOCK or size % 4:
            raise CaptureError(f"数据块长 {size}", f"a block of {size} bytes")
        rest = size - 8 - len(inner)
        block = file.read(rest)
        if len(block) < rest:
            return
        block = block[:-4]
        kind = 0 if kind_raw == _PCAPNG else _number(kind_raw, little)
        if kind == 1 and len(block) >= 8:
            interfaces.append((_number(block[:2], little), _steps(block[8:], little)))
        elif kind in (3, 6):
            number += 1
            if (packet := _block_packet(kind, block, little, interfaces, number)) is not None:
                yield packet
        kind_raw = file.read(4)


def _steps(options: bytes, little: bool) -> int:
    """Steps of an interface's clock in a second (option 9, if_tsresol)."""
    at = 0
    while at + 4 <= len(options):
        code, length = _number(options[at : at + 2], little), _number(options[at + 2 : at + 4], little)
        if code == 9 and length == 1 and at + 4 < len(options):
            value = options[at + 4]
            return 1 << min(value & 0x7F, 63) if value & 0x80 else 10 ** min(value, 18)
        at += 4 + (length + 3) // 4 * 4
    return 1_000_000


def _block_packet(
    kind: int, block: bytes, little: bool, interfaces: list[tuple[int, int]], number: int
) -> Packet | None:
    if kind == 3:  # a simple packet has no time, and is of the first interface
        interface, time, at = 0, 0, 4
        length = _number(block[:4], little)
    else:
        if len(block) < 20:
            return None
        interface, at = _number(block[:4], little), 20
        time = _number(block[4:8], little) << 32 | _number(block[8:12], little)
        length = _number(block[12:16], little)
    if interface >= len(interfaces):
        return None
    link, steps = interfaces[interface]
    return Packet(number, time * 1_000_000 // steps, link, block[at : at + length])


def payloads(file: BinaryIO, skipped: Counter[str]) -> Iterator[Payload]:
    """TCP and UDP of a capture. What is passed over is counted in ``skipped`` by its reason, Chinese|English."""
    for packet in packets(file):
        found = _payload(packet)
        if isinstance(found, str):
            skipped[found] += 1
        else:
            yield found


_NO_IP = "不是 IP|no IP"
_CUT = "抓包时被截断|cut short when captured"
_FRAGMENT = "IP 分片|IP fragments"
_OTHER = "不是 TCP 或 UDP|neither TCP nor UDP"


def _payload(packet: Packet) -> Payload | str:
    kind, at = _network(packet)
    data = packet.data[at:]
    if kind == _IPV4:
        return _ipv4(packet, data)
    return _ipv6(packet, data) if kind == _IPV6 else _NO_IP


def _network(packet: Packet) -> tuple[int, int]:
    """Kind of the network layer (as Ethernet has it), and where it begins."""
    data, link = packet.data, packet.link
    if link == _ETHERNET:
        at = 12
        while int.from_bytes(data[at : at + 2], "big") in _VLANS:
            at += 4
        return int.from_bytes(data[at : at + 2], "big"), at + 2
    if link == _SLL:
        return int.from_bytes(data[14:16], "big"), 16
    if link == _SLL2:
        return int.from_bytes(data[:2], "big"), 20
    at = 4 if link in (_NULL, _LOOP) else 0
    if at or link in _RAW_IP:
        version = data[at] >> 4 if len(data) > at else 0
        return {4: _IPV4, 6: _IPV6}.get(version, 0), at
    return 0, 0


def _ipv4(packet: Packet, data: bytes) -> Payload | str:
    size = (data[0] & 15) * 4 if data else 0
    if len(data) < 20 or size < 20:
        return _CUT
    if int.from_bytes(data[6:8], "big") & 0x3FFF:
        return _FRAGMENT
    total = int.from_bytes(data[2:4], "big") or len(data)  # 0: the network card cuts it (offload)
    return _transport(packet, data[9], (data[12:16], data[16:20]), data[size:total], total - len(data))


def _ipv6(packet: Packet, data: bytes) -> Payload | str:
    if len(data) < 40:
        return _CUT
    total = 40 + (int.from_bytes(data[4:6], "big") or len(data) - 40)
    protocol, at = data[6], 40
    while protocol in _EXTENSIONS and at + 2 <= len(data):
        protocol, at = data[at], at + 8 + 8 * data[at + 1]
    if protocol == 44:
        return _FRAGMENT
    return _transport(packet, protocol, (data[8:24], data[24:40]), data[at:total], total - len(data))


def _transport(
    packet: Packet, protocol: int, addresses: tuple[bytes, bytes], data: bytes, missing: int
) -> Payload | str:
    if protocol not in (TCP, UDP):
        return _OTHER
    offset = (data[12] >> 4) * 4 if protocol == TCP and len(data) >= 20 else 8
    if len(data) < offset or missing > 0 or (protocol == TCP and offset < 20):
        return _CUT
    source, target = (str(ip_address(raw)) for raw in addresses)
    ports = int.from_bytes(data[:2], "big"), int.from_bytes(data[2:4], "big")
    sequence = int.from_bytes(data[4:8], "big") if protocol == TCP else 0
    flags = data[13] if protocol == TCP else 0
    return Payload(packet, protocol, (source, ports[0]), (target, ports[1]), sequence, flags, data[offset:])
