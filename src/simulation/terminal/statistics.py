"""What a fleet of terminals did, counted exactly, and how long replies took."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import frexp


class LatencyHistogram:
    """Latencies in buckets of a quarter of a power of two from 1 us on: bounded, within 19 % of the truth."""

    __slots__ = ("counts", "total")

    _BUCKETS = 140  # 2**35 us is nine hours

    def __init__(self) -> None:
        self.counts = [0] * self._BUCKETS
        self.total = 0

    def record(self, seconds: float) -> None:
        """Count one latency."""
        mantissa, exponent = frexp(max(seconds, 0.0) * 1e6 + 1.0)  # mantissa in [0.5, 1)
        bucket = (exponent - 1) * 4 + int((mantissa - 0.5) * 8)
        self.counts[min(bucket, self._BUCKETS - 1)] += 1
        self.total += 1

    def quantile(self, share: float) -> float:
        """Seconds that ``share`` (0..1) of the latencies do not exceed: the upper edge of the bucket; 0 if none."""
        wanted, seen = share * self.total, 0
        for bucket, count in enumerate(self.counts):
            seen += count
            if count and seen >= wanted:
                octave, quarter = divmod(bucket, 4)
                return 2.0**octave * (1.0 + (quarter + 1) / 4) / 1e6
        return 0.0


@dataclass(slots=True)
class FleetStats:
    """Counters shared by all terminals of a process.

    Of every position that was offered, exactly one holds at any time: confirmed, refused, waiting (queued or
    unconfirmed), or abandoned (``stop`` was called before it was confirmed).
    """

    offered: int = 0  # positions given to terminals
    sent: int = 0  # positions sent at least once
    transmissions: int = 0  # position messages sent, repeats included
    resent: int = 0  # position messages sent again
    confirmed: int = 0  # positions confirmed by 0x8001 result 0
    refused: Counter[int] = field(default_factory=Counter)  # positions by another result of 0x8001
    abandoned: int = 0
    unmatched_replies: int = 0  # replies to nothing that waits (late ones after a resend, mostly)
    bad_frames: int = 0  # what the platform sent and could not be read
    connects: int = 0
    disconnects: int = 0  # not asked for
    connect_failures: int = 0
    refused_registrations: Counter[int] = field(default_factory=Counter)
    refused_authentications: int = 0
    online: int = 0  # authenticated now
    last_problem: str = ""
    latency: LatencyHistogram = field(default_factory=LatencyHistogram)  # message sent -> its 0x8001

    @property
    def waiting(self) -> int:
        """Positions that are neither confirmed nor refused nor abandoned yet."""
        return self.offered - self.confirmed - self.refused.total() - self.abandoned


def interrupted(stats: FleetStats) -> str:
    """The account of work that is broken off, as a line for people."""
    return (
        f"已中断 / interrupted: 发送 sent {stats.sent:,}，确认 confirmed {stats.confirmed:,}，"
        f"未确认 unconfirmed {stats.sent - stats.confirmed - stats.refused.total():,}"
    )
