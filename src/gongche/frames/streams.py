"""TCP of a capture put in order again: each direction of a connection is one stream of bytes, from the first packet that is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from gongche.frames.packets import Payload

_FIN, _SYN, _RST = 1, 2, 4
_WRAP: Final = 1 << 32
#: Bytes that wait for what is missing before them, in one direction; more means that it never comes: then all are read.
MAX_WAITING: Final = 1 << 20
#: Packets that wait so, at most.
MAX_PACKETS: Final = 1024
#: Streams kept; one more puts the oldest away.
MAX_STREAMS: Final = 4096

Way = tuple[tuple[str, int], tuple[str, int]]


@dataclass(slots=True)
class _Stream:
    expected: int
    waiting: dict[int, Payload] = field(default_factory=dict)
    held: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """The next bytes of a stream. ``lost``: bytes before it that the capture does not have; ``ended``: nothing comes after it."""

    payload: Payload
    data: bytes
    lost: int = 0
    ended: bool = False


class Streams:
    """Puts the payloads of a capture in the order of their streams, in bounded memory."""

    def __init__(self) -> None:
        self._streams: dict[Way, _Stream] = {}

    def take(self, payload: Payload) -> Iterator[Piece]:
        """What can be read now that ``payload`` (TCP) has come."""
        way = payload.source, payload.target
        stream = self._streams.get(way)
        if payload.flags & _SYN or stream is None:
            if stream is not None:
                yield from self._rest(stream)
            if len(self._streams) >= MAX_STREAMS and way not in self._streams:
                yield from self._rest(self._streams.pop(next(iter(self._streams))))
            first = (payload.sequence + bool(payload.flags & _SYN)) % _WRAP
            stream = self._streams[way] = _Stream(first)
        start = (payload.sequence + bool(payload.flags & _SYN)) % _WRAP
        yield from self._add(stream, start, payload)
        if payload.flags & (_FIN | _RST) and not stream.waiting:
            self._streams.pop(way, None)
            yield Piece(payload, b"", ended=True)

    def _add(self, stream: _Stream, start: int, payload: Payload) -> Iterator[Piece]:
        if payload.data and _before(stream.expected, (start + len(payload.data)) % _WRAP):
            known = stream.waiting.get(start)
            if known is None or len(known.data) < len(payload.data):
                stream.held += len(payload.data) - (len(known.data) if known else 0)
                stream.waiting[start] = payload
        if not _before(stream.expected, start):
            yield from self._ready(stream)
        elif stream.held > MAX_WAITING or len(stream.waiting) > MAX_PACKETS:
            yield from self._rest(stream)

    def _ready(self, stream: _Stream) -> Iterator[Piece]:
        """What follows on what was read, without a gap. Bytes that came twice are read once."""
        while True:
            start = next((at for at in stream.waiting if not _before(stream.expected, at)), None)
            if start is None:
                return
            yield from self._read(stream, start, 0)

    def _rest(self, stream: _Stream) -> Iterator[Piece]:
        """All that waits, over what is missing."""
        for start in sorted(stream.waiting, key=lambda at: (at - stream.expected) % _WRAP):
            lost = (start - stream.expected) % _WRAP if _before(stream.expected, start) else 0
            stream.expected = (stream.expected + lost) % _WRAP
            yield from self._read(stream, start, lost)

    @staticmethod
    def _read(stream: _Stream, start: int, lost: int) -> Iterator[Piece]:
        payload = stream.waiting.pop(start)
        stream.held -= len(payload.data)
        fresh = payload.data[(stream.expected - start) % _WRAP :]
        stream.expected = (stream.expected + len(fresh)) % _WRAP
        if fresh:
            yield Piece(payload, fresh, lost)

    def end(self) -> Iterator[Piece]:
        """What still waits when the capture ends."""
        for stream in self._streams.values():
            yield from self._rest(stream)


def _before(first: int, second: int) -> bool:
    """Whether ``first`` comes before ``second`` in a stream (sequence numbers wrap)."""
    return 0 < (second - first) % _WRAP < _WRAP // 2
