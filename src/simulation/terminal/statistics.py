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
    said: int = 0  # messages of their own that are no positions of the owner's (``outbox``)
    said_confirmed: int = 0
    said_refused: Counter[int] = field(default_factory=Counter)  # by message id
    said_lost: int = 0  # never confirmed, or no room to keep it
    answered: Counter[int] = field(default_factory=Counter)  # messages of the platform, by id
    last_problem: str = ""
    latency: LatencyHistogram = field(default_factory=LatencyHistogram)  # message sent -> its 0x8001

    @property
    def waiting(self) -> int:
        """Positions that are neither confirmed nor refused nor abandoned yet."""
        return self.offered - self.confirmed - self.refused.total() - self.abandoned

    @property
    def unsaid(self) -> int:
        """Messages of their own that are neither confirmed nor refused nor given up yet."""
        return self.said - self.said_confirmed - self.said_refused.total() - self.said_lost


def said_line(stats: FleetStats) -> str:
    """The account of messages of their own and of what they were asked, as a line for people; "" = there was none."""
    if not stats.said and not stats.answered:
        return ""
    refused = ", ".join(f"0x{each:04X} {count:,}" for each, count in sorted(stats.said_refused.items()))
    asked = ", ".join(f"0x{each:04X} {count:,}" for each, count in sorted(stats.answered.items()))
    return (
        f"自发消息 messages of their own {stats.said:,}: 确认 confirmed {stats.said_confirmed:,}, 拒绝 refused {refused or 0}, "
        f"未确认 unconfirmed {stats.unsaid + stats.said_lost:,}; 收到平台消息 asked by the platform: {asked or 0}"
    )


def interrupted(stats: FleetStats) -> str:
    """The account of work that is broken off, as a line for people."""
    return (
        f"已中断 / interrupted: 发送 sent {stats.sent:,}，确认 confirmed {stats.confirmed:,}，"
        f"未确认 unconfirmed {stats.sent - stats.confirmed - stats.refused.total():,}"
    )
