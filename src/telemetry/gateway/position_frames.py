"""Position frames of authenticated terminals, all of a loop turn together: columns in, columns out. No IO."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from runtime.arrays import AnyInts, Bools
from telemetry.gateway import metrics
from telemetry.jt808.columns import framing, location
from telemetry.jt808.ids import MessageId, label
from telemetry.jt808.rejection import Reason
from telemetry.jt808.scalar.replies import Result
from telemetry.positions import PositionBatch, Source

#: Plain integers: numpy would compare with a member of an enumeration six times slower.
_SINGLE, _BATCH = int(MessageId.LOCATION), int(MessageId.LOCATION_BATCH)


@dataclass(frozen=True, slots=True)
class TakenPositions:
    """``batch``: the positions. ``result`` uint8, shape (n,): what each frame is answered. ``refused``: (row, reason,
    detail, count) of frames, or of so many points in one, that gave no position."""

    batch: PositionBatch
    result: AnyInts
    refused: list[tuple[int, Reason, str, int]]


def are_positions(frames: framing.Frames) -> Bools:
    """Which frames ``take`` takes, if their terminal is authenticated: whole ones of 0x0200 or 0x0704. Shape (n,)."""
    plain: Bools = frames.whole_plain & ((frames.id == _SINGLE) | (frames.id == _BATCH))
    return plain


def take(frames: framing.Frames, rows: AnyInts, terminal: AnyInts) -> TakenPositions:
    """Decode the ``n`` frames at ``rows`` (0x0200 or 0x0704, whole and plain); ``terminal`` int32 has shape (n,).

    A batch with a bad point keeps its good ones and is answered with success: the terminal would only send the same
    bytes again.
    """
    n = len(rows)
    start, length = frames.body[rows], frames.body_length[rows]
    source = np.zeros(n, np.uint8)
    result = np.zeros(n, np.uint8)
    refused: list[tuple[int, Reason, str, int]] = []
    packs = np.flatnonzero(frames.id[rows] == _BATCH)
    if packs.size:
        bodies, whole, kind = location.expand_batches(frames.data, start[packs], length[packs])
        alone = np.flatnonzero(frames.id[rows] == _SINGLE)
        owner = np.concatenate([alone, packs[bodies.owner]])
        order = np.argsort(owner, kind="stable")
        start = np.concatenate([start[alone], bodies.start])[order]
        length = np.concatenate([length[alone], bodies.length])[order]
        owner = owner[order]
        source[packs] = np.where(kind == 1, Source.BLIND_ZONE, Source.BATCH)
        refused += [
            (k, Reason.BAD_BODY, "0x0704: count and lengths disagree", 1) for k in packs[~whole].tolist()
        ]
    else:
        owner = np.arange(n)
    long_enough = length >= location.BASIC_LENGTH
    if not long_enough.all():
        # Of a frame all together: one can have hundreds of points of no bytes, and the rejects topic has room for few.
        short, counts = np.unique(owner[~long_enough], return_counts=True)
        refused += [
            (
                k,
                Reason.BODY_TOO_SHORT,
                f"positions of less than {location.BASIC_LENGTH} bytes: {count}",
                count,
            )
            for k, count in zip(short.tolist(), counts.tolist(), strict=True)
        ]
    result[np.bincount(owner[long_enough], minlength=n) == 0] = Result.BAD_MESSAGE
    decoded = location.decode(
        frames.data,
        start,
        length,
        terminal=terminal[owner],
        received_us=time.time_ns() // 1000,
        source=source[owner],
    )
    metrics.FRAMES.labels(label(MessageId.LOCATION)).inc(n - packs.size)
    if packs.size:
        metrics.FRAMES.labels(label(MessageId.LOCATION_BATCH)).inc(packs.size)
    _count_items(decoded)
    return TakenPositions(decoded.batch, result, refused)


def _count_items(decoded: location.Decoded) -> None:
    """Ids are those that the codec knows: the labels are bounded."""
    for item, count in decoded.odd_items.items():
        metrics.ODD_ITEMS.labels("tail" if item == location.TAIL else f"0x{item:02x}").inc(count)
    for item, count in decoded.absent_items.items():
        metrics.ABSENT_ITEMS.labels(f"0x{item:02x}").inc(count)


def take_bodies(bodies: list[bytes], terminal: int, source: int) -> PositionBatch:
    """Positions that came another way (reassembled, or the answer to a query); each body has its 28 bytes."""
    length = np.array([len(b) for b in bodies], np.int64)
    decoded = location.decode(
        np.frombuffer(b"".join(bodies) + bytes(framing.PADDING), np.uint8),
        np.cumsum(length) - length,
        length,
        terminal=np.full(len(bodies), terminal, np.int32),
        received_us=time.time_ns() // 1000,
        source=np.full(len(bodies), source, np.uint8),
    )
    _count_items(decoded)
    return decoded.batch
