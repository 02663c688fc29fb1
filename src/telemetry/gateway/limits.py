"""Limits of one gateway: connections in all and by address, memory, time. Anybody on the network can connect."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one gateway; the names say the unit."""

    max_connections: int = 60_000
    max_connections_per_address: int = 30_000
    idle_timeout_s: float = 300
    auth_timeout_s: float = 30
    frame_timeout_s: float = 30
    memory_budget_bytes: int = 256 << 20
    #: Bytes of replies that may wait for a terminal that does not read; with more it is closed. (For all terminals together:
    #: a quarter of the memory budget.)
    max_unsent_bytes: int = 64 << 10
    #: Of one message that comes in packages and is no position (a picture), and of all of them that are under way together.
    upload_bytes: int = 2 << 20
    uploads_bytes: int = 64 << 20
    #: Read from one connection in one loop turn.
    read_bytes: int = 16 << 10


class Rates:
    """How often each of many keys may do something: ``burst`` times at once, and ``per_s`` a second after that. Of at most
    ``most`` keys it is remembered, the newest; a key that is forgotten begins anew."""

    def __init__(self, burst: float, per_s: float, most: int = 100_000) -> None:
        self._burst, self._per_s, self._most = burst, per_s, most
        self._left: dict[str, tuple[float, float]] = {}  # key -> (how many are left, when)

    def take(self, key: str, now: float) -> bool:
        """Whether ``key`` may, once more, at ``now`` (seconds of a clock that does not go back)."""
        left, since = self._left.pop(key, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._per_s)
        allowed = left >= 1
        self._left[key] = (left - allowed, now)  # the newest is last
        if len(self._left) > self._most:
            del self._left[next(iter(self._left))]
        return allowed

    def __len__(self) -> int:
        return len(self._left)


class Admission:
    """Counts connections by address. One object a gateway."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._by_address: Counter[str] = Counter()
        # A whole fleet behind one address may come at once, also several times (after a restart, over a bad line), and after
        # that a tenth of it each second.
        most = limits.max_connections_per_address
        self._rates = Rates(4 * most + 100, most / 10)
        self.total = 0

    def enter(self, address: str, now: float | None = None) -> str | None:
        """Count one more connection, or say which limit refuses it. ``now``: seconds, monotonic; None: the clock's."""
        if self.total >= self._limits.max_connections:
            return "connection_limit"
        if self._by_address[address] >= self._limits.max_connections_per_address:
            return "address_limit"
        if not self._rates.take(address, time.monotonic() if now is None else now):
            return "address_rate"
        self._by_address[address] += 1
        self.total += 1
        return None

    def leave(self, address: str) -> None:
        """Forget one connection of ``address``."""
        self.total -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]
