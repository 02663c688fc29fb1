"""Frames in captures: whose streams are 808, and what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final, cast

from gongche.frames.packets import TCP, Payload, payloads
from gongche.frames.runs import DELIMITER, Cutter, Found, Kind, Notes, cut
from gongche.frames.streams import Streams
from telemetry.jt808.rejection import Rejection
from telemetry.jt808.scalar.framing import decode_segment
from telemetry.jt808.scalar.header import parse_header

#: Bytes of a stream that may be 808, until its first whole frame says so.
_MAX_UNSURE: Final = 1 << 13
#: Streams that are followed; one more puts the oldest away.
_MAX_STREAMS: Final = 4096


@dataclass(slots=True)
class _Line:
    """One direction of a connection. Until a whole frame has come it is not known to be 808: ``unsure`` holds what came."""

    cutter: Cutter = field(default_factory=Cutter)
    sure: bool = False
    unsure: bytearray = field(default_factory=bytearray)


_NOT_808 = "不是 808 的数据流（字节）|bytes of streams that are not 808"


def from_capture(file: BinaryIO, ports: frozenset[int], notes: Notes, name: str) -> Iterator[Found]:
    """Frames of the TCP and UDP in a capture, in the order in which they were whole. ``ports``: only those; none = all streams that
    have a frame with a right checksum."""
    streams, lines = Streams(), dict[object, _Line]()
    last: Payload | None = None
    for payload in payloads(file, notes.skipped):
        if ports and payload.source[1] not in ports and payload.target[1] not in ports:
            notes.skipped["其他端口|other ports"] += 1
            continue
        last = payload
        if payload.protocol != TCP:
            yield from _datagram(payload, bool(ports), notes, name)
            continue
        for piece in streams.take(payload):
            yield from _advance(
                lines, piece.payload, piece.data, piece.lost, piece.ended, bool(ports), notes, name
            )
    for piece in streams.end():
        yield from _advance(lines, piece.payload, piece.data, piece.lost, False, bool(ports), notes, name)
    for way, line in lines.items():
        if line.sure and last is not None:
            for kind, run in line.cutter.end():
                yield Found(kind, run, way=_way(cast(tuple[tuple[str, int], tuple[str, int]], way)))
        elif not line.sure:
            notes.skipped[_NOT_808] += len(line.unsure)


def _datagram(payload: Payload, wanted: bool, notes: Notes, name: str) -> Iterator[Found]:
    """One UDP datagram has whole frames."""
    if not wanted and not has_frame(payload.data):
        notes.skipped[_NOT_808] += len(payload.data)
        return
    for found in cut(payload.data, ""):
        yield _placed(found.kind, found.data, payload, 0, name)


def _advance(
    lines: dict[object, _Line], payload: Payload, data: bytes, lost: int, ended: bool, wanted: bool, notes: Notes, name: str
) -> Iterator[Found]:  # fmt: skip
    way = payload.source, payload.target
    line = lines.get(way)
    if line is None:
        if len(lines) >= _MAX_STREAMS:
            lines.pop(next(iter(lines)))
        line = lines[way] = _Line(sure=wanted)
    if lost and line.sure:
        for kind, run in line.cutter.lose():
            yield _placed(kind, run, payload, 0, name)
    if not line.sure:
        line.unsure += data
        if DELIMITER not in data or not has_frame(bytes(line.unsure)):
            excess = max(len(line.unsure) - (0 if ended else _MAX_UNSURE), 0)
            notes.skipped[_NOT_808] += excess
            del line.unsure[:excess]
            return
        line.sure, data = True, bytes(line.unsure)
        line.unsure.clear()
    for kind, run in line.cutter.feed(data):
        yield _placed(kind, run, payload, lost, name)
        lost = 0
    if ended:
        for kind, run in line.cutter.end():
            yield _placed(kind, run, payload, 0, name)
        lines.pop(way, None)


def has_frame(data: bytes) -> bool:
    """Whether a whole 808 frame with a right checksum and length is in ``data``."""
    for segment in data.split(DELIMITER)[1:-1]:
        message = decode_segment(segment) if segment else b""
        if isinstance(message, bytes) and message and not isinstance(parse_header(message), Rejection):
            return True
    return False


def _placed(kind: Kind, run: bytes, payload: Payload, lost: int, name: str) -> Found:
    packet = payload.packet
    where = f"{name}:{packet.number}" if name else str(packet.number)
    return Found(kind, run, where, packet.time_us, _way((payload.source, payload.target)), lost)


def _way(way: tuple[tuple[str, int], tuple[str, int]]) -> str:
    source, target = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in way)
    return f"{source} → {target}"
