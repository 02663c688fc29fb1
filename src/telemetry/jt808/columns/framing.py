"""Framing by columns: the bytes that many connections sent, cut into verified messages with numpy.

The same grammar as ``framing.FrameReader`` (which is the specification and is property-tested against this), but for all
connections of a loop turn at once and without a Python loop per frame. JT/T 808-2019 clause 4.4: ``7E message checksum
7E``, 7D escapes; the header is clause 4.4.3.

Vocabulary: a *chunk* is what one connection sent; a *span* is what stands between two consecutive delimiters of one chunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from runtime.arrays import AnyInts, Bools
from telemetry.jt808.rejection import Reason
from telemetry.jt808.scalar.framing import MAX_MESSAGE

#: Slack behind the buffer so that fixed-width reads at any frame start stay inside it.
PADDING: Final = 2048
#: A message without checksum is at least a header of 2011/2013.
_MIN_MESSAGE: Final = 12

#: Frame verdicts: 0 = good, else 1 + index into REASONS.
REASONS: Final = (
    Reason.JUNK,
    Reason.BAD_ESCAPE,
    Reason.TOO_SHORT,
    Reason.TOO_LONG,
    Reason.CHECKSUM,
    Reason.LENGTH_MISMATCH,
)
_JUNK, _BAD_ESCAPE, _TOO_SHORT, _TOO_LONG, _CHECKSUM, _LENGTH = range(1, len(REASONS) + 1)

_BODY_LENGTH = 0x03FF
_ENCRYPTED = 0x1C00
_SUBPACKAGE = 0x2000

# A frame's first 21 bytes, read in both dialects at once.
_HEAD = 21
_V2013: Final = np.dtype(
    {
        "names": ["id", "properties", "hi", "lo", "serial"],
        "formats": [">u2", ">u2", ">u2", ">u4", ">u2"],
        "offsets": [0, 2, 4, 6, 10],
        "itemsize": _HEAD,
    }
)
_V2019: Final = np.dtype(
    {
        "names": ["hi", "lo", "serial"],
        "formats": [">u2", ">u8", ">u2"],
        "offsets": [5, 7, 15],
        "itemsize": _HEAD,
    }
)


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames cut from chunks, shape (n,) each, in the order of chunks and of arrival within a chunk.

    ``data`` uint8 holds every message unescaped, from ``start`` for ``length`` bytes (checksum not counted). ``verdict``
    is 0 for a good frame. The header columns mean something only where it is: ``id``, ``properties``, ``serial``
    uint16; ``phone_hi`` uint16 and ``phone_lo`` uint64 are the BCD digits as one number (equal with and without leading
    zeros); ``v2019`` the header layout (``protocol_version`` uint8, 0 in the older one); ``body``/``body_length`` where the body is. ``chunk`` says whose frame it is.
    """

    data: AnyInts
    start: AnyInts
    length: AnyInts
    chunk: AnyInts
    verdict: AnyInts
    id: AnyInts
    properties: AnyInts
    phone_hi: AnyInts
    phone_lo: AnyInts
    serial: AnyInts
    v2019: Bools
    protocol_version: AnyInts
    body: AnyInts
    body_length: AnyInts

    def __len__(self) -> int:
        return len(self.start)

    def message(self, k: int) -> bytes:
        """The unescaped message of frame k, checksum stripped."""
        return self.data[self.start[k] : self.start[k] + self.length[k]].tobytes()

    @property
    def whole_plain(self) -> Bools:
        """Good frames that are neither encrypted nor a fragment."""
        plain: Bools = (self.verdict == 0) & ((self.properties & (_ENCRYPTED | _SUBPACKAGE)) == 0)
        return plain


@dataclass(frozen=True, slots=True)
class Gathered:
    """``frames`` of all chunks, and ``rests``: for some chunks the bytes after their last delimiter, to be put in
    front of that connection's next chunk. ``synced``: chunks that have seen a delimiter by now."""

    frames: Frames
    rests: list[tuple[int, bytes]]
    synced: Bools


def read_rows(data: AnyInts, start: AnyInts, width: int) -> AnyInts:
    """``width`` bytes from each of ``start``: a fresh contiguous array of shape (len(start), width)."""
    windows: AnyInts = np.ndarray((len(data) - width + 1, width), np.uint8, data, strides=(1, 1))
    return windows[start]


def gather(chunks: Sequence[bytes], synced: Bools) -> Gathered:
    """Cut ``chunks`` into frames.

    ``synced[i]``: connection i has seen a delimiter before, so bytes at the start of its chunk belong to a frame (a
    delimiter may end one frame and start the next); otherwise they are junk. Any bytes give verdicts, never an error.
    """
    # One delimiter before each chunk and one behind the last: chunks cannot run into each other.
    joined = bytearray(b"\x7e").join([b"", *chunks, bytes(PADDING)])
    data: AnyInts = np.frombuffer(joined, np.uint8)
    used = len(data) - PADDING
    delimiters = np.flatnonzero(data[:used] == 0x7E)
    chunk_sizes = np.fromiter(map(len, chunks), np.int64, len(chunks))
    separators = np.zeros(len(chunks) + 1, np.int64)
    np.cumsum(chunk_sizes + 1, out=separators[1:])
    first_span = np.searchsorted(delimiters, separators)  # span k stands behind delimiter k
    start = delimiters[:-1] + 1
    length = delimiters[1:] - start
    spans_of_chunk = np.diff(first_span)
    chunk = np.repeat(np.arange(len(chunks)), spans_of_chunk)

    # The last span of a chunk has no end yet.
    last_span = first_span[1:] - 1
    rest_chunks = np.flatnonzero(length[last_span] > 0)
    rests: list[tuple[int, bytes]] = []
    if rest_chunks.size:
        spans = last_span[rest_chunks]
        known = synced[rest_chunks] | (
            spans_of_chunk[rest_chunks] > 1
        )  # else: junk without any delimiter, see below
        begins, ends = start[spans].tolist(), (start[spans] + length[spans]).tolist()
        for i, a, b, keep in zip(rest_chunks.tolist(), begins, ends, known.tolist(), strict=True):
            if keep:
                rests.append((i, bytes(joined[a:b])))
    verdict = np.zeros(len(start), np.uint8)
    unsynced = np.flatnonzero(~synced)
    if unsynced.size:
        verdict[first_span[unsynced]] = _JUNK
    complete = length > 0
    complete[last_span] = False
    if unsynced.size:
        lone = unsynced[spans_of_chunk[unsynced] == 1]
        complete[last_span[lone]] = length[last_span[lone]] > 0

    data, start, length, broken = _unescape(data, used, delimiters, start, length)
    verdict[broken[verdict[broken] == 0]] = _BAD_ESCAPE
    kept = np.flatnonzero(complete)
    frames = _headers(data, start[kept], length[kept] - 1, chunk[kept], verdict[kept])
    return Gathered(frames, rests, synced | (spans_of_chunk > 1))


def _unescape(
    data: AnyInts, used: int, delimiters: AnyInts, start: AnyInts, length: AnyInts
) -> tuple[AnyInts, AnyInts, AnyInts, AnyInts]:
    """Unescape the spans that need it, at the end of ``data``. Also the spans in which 7D is followed by neither 01
    nor 02. Few frames hold an escape, so only those are copied."""
    escapes = np.flatnonzero(data[:used] == 0x7D)
    if not escapes.size:
        return data, start, length, escapes
    span_of = np.searchsorted(delimiters, escapes) - 1
    following = data[escapes + 1]
    good = (following == 1) | (following == 2)
    broken = np.unique(span_of[~good])
    spans = np.unique(span_of)
    data[escapes[good]] = 0x7C + following[good]
    sizes = length[spans]
    offsets = np.cumsum(sizes) - sizes
    source = np.repeat(start[spans] - offsets, sizes) + np.arange(int(sizes.sum()))
    keep = np.ones(len(data), np.bool_)
    keep[escapes[good] + 1] = False
    kept = keep[source]
    shorter = np.add.reduceat(kept, offsets, dtype=np.int64)
    begins = used + np.cumsum(shorter) - shorter
    start, length = start.copy(), length.copy()
    start[spans], length[spans] = begins, shorter
    return (
        np.concatenate([data[:used], data[source[kept]], np.zeros(PADDING, np.uint8)]),
        start,
        length,
        broken,
    )


def _checksums(data: AnyInts, start: AnyInts, length: AnyInts) -> AnyInts:
    """XOR of ``length`` bytes from each ``start``, shape (n,) uint8. ``length`` is at most PADDING / 2."""
    words = (length + 7) >> 3
    if len(start) and words.min() == words.max():  # the usual turn: frames of one size
        return _xor(data, start, length, int(words[0]) * 8)
    out = np.zeros(len(start), np.uint8)
    for count in np.unique(words).tolist():
        rows = np.flatnonzero(words == count)
        out[rows] = _xor(data, start[rows], length[rows], count * 8)
    return out


def _xor(data: AnyInts, start: AnyInts, sizes: AnyInts, width: int) -> AnyInts:
    """Checksums of messages that fill the same number of 64-bit words, ``width`` bytes."""
    # A fancy-indexed strided view copies row by row: frames of one size become a matrix of 64-bit words.
    matrix = read_rows(data, start, width)
    low = int(sizes.min())
    if low != width:
        if low == sizes.max():
            matrix[:, low:] = 0
        else:
            matrix[:, low:] *= np.arange(low, width) < sizes[:, None]
    folded = matrix.view(np.uint64)
    total = folded[:, 0].copy()
    for k in range(1, folded.shape[1]):
        total ^= folded[:, k]
    total ^= total >> np.uint64(32)
    total ^= total >> np.uint64(16)
    total ^= total >> np.uint64(8)
    checksums: AnyInts = total.astype(np.uint8)
    return checksums


def _refuse(verdict: AnyInts, wrong: Bools, reason: int) -> None:
    """Give ``reason`` to the frames that are ``wrong`` and have none yet."""
    if np.count_nonzero(wrong):
        verdict[wrong & (verdict == 0)] = reason


def _headers(data: AnyInts, start: AnyInts, length: AnyInts, chunk: AnyInts, verdict: AnyInts) -> Frames:
    """Verify checksum and header of each frame; ``length`` without the checksum."""
    # The first reason that holds wins, in the order a reader of the bytes meets them.
    _refuse(verdict, length > MAX_MESSAGE, _TOO_LONG)
    _refuse(verdict, length < _MIN_MESSAGE, _TOO_SHORT)
    if np.count_nonzero(verdict):
        checked = np.flatnonzero(verdict == 0)
        wrong = _checksums(data, start[checked], length[checked] + 1) != 0
        verdict[checked[wrong]] = _CHECKSUM
    else:
        _refuse(verdict, _checksums(data, start, length + 1) != 0, _CHECKSUM)

    rows = read_rows(data, start, _HEAD)
    old, new = rows.view(_V2013)[:, 0], rows.view(_V2019)[:, 0]
    properties = old["properties"].astype(np.uint16)
    body_length = (properties & _BODY_LENGTH).astype(np.int64)
    # As in header.parse_header the length decides between the layouts, because terminals get bit 14 wrong.
    header = length - body_length
    fixed = header - ((properties & _SUBPACKAGE) != 0) * 4
    v2019 = fixed == 17
    _refuse(verdict, (fixed != 12) & ~v2019, _LENGTH)
    lo = old["hi"].astype(np.uint64) << np.uint64(32) | old["lo"]
    hi = np.zeros(len(start), np.uint16)
    serial = old["serial"].astype(np.uint16)
    protocol_version = np.zeros(len(start), np.uint8)
    if np.count_nonzero(v2019):
        hi[v2019], lo[v2019], serial[v2019] = new["hi"][v2019], new["lo"][v2019], new["serial"][v2019]
        protocol_version[v2019] = rows[v2019, 4]
    return Frames(
        data=data,
        start=start,
        length=length,
        chunk=chunk,
        verdict=verdict,
        id=old["id"].astype(np.uint16),
        properties=properties,
        phone_hi=hi,
        phone_lo=lo,
        serial=serial,
        v2019=v2019,
        protocol_version=protocol_version,
        body=start + header,
        body_length=body_length,
    )
