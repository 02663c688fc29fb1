"""Limits of one gateway: connections in all and by address, memory, time. Anybody on the network can connect."""

from __future__ import annotations

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
    #: Read from one connection in one loop turn.
    read_bytes: int = 16 << 10


class Admission:
    """Counts connections by address. One object a gateway."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._by_address: Counter[str] = Counter()
        self.total = 0

    def enter(self, address: str) -> str | None:
        """Count one more connection, or say which limit refuses it."""
        if self.total >= self._limits.max_connections:
            return "connection_limit"
        if self._by_address[address] >= self._limits.max_connections_per_address:
            return "address_limit"
        self._by_address[address] += 1
        self.total += 1
        return None

    def leave(self, address: str) -> None:
        """Forget one connection of ``address``."""
        self.total -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]
