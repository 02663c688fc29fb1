"""One terminal's socket, and the columns that the hot path keeps about all of them."""

from __future__ import annotations

import socket
from itertools import count

import numpy as np

from runtime.arrays import AnyInts, Bools, Floats
from telemetry.jt808.session import Session

_numbers = count()


class Connection:
    """A socket with what is half read and half written. Plain state; ``tcp.Gateway`` acts on it."""

    __slots__ = (
        "address", "closed", "fd", "fragment_bytes", "number", "opened", "peer", "rest", "session", "slot", "sock", "unsent",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, address: str, port: int, slot: int, now: float) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.address = address
        self.peer = f"{address}:{port}"
        self.slot = slot
        self.session = Session(now)
        self.rest = b""  # of a frame that is not complete yet
        self.unsent = b""  # replies the socket did not take
        self.opened = now
        self.number = next(_numbers)  # of two, the one that was opened later has the higher
        self.fragment_bytes = 0  # of packages waiting in the session, as last counted
        self.closed = False


class Slots:
    """Per connection, what the hot path must know about it, as columns indexed by the connection's slot."""

    def __init__(self, capacity: int = 1024) -> None:
        self.phone_hi: AnyInts = np.zeros(capacity, np.uint16)
        self.phone_lo: AnyInts = np.zeros(capacity, np.uint64)
        self.terminal: AnyInts = np.zeros(capacity, np.int32)  # 0 = not authenticated
        self.serial: AnyInts = np.zeros(capacity, np.uint16)  # next serial of our own, of position replies
        self.synced: Bools = np.zeros(capacity, np.bool_)  # a delimiter has been seen
        self.seen: Floats = np.zeros(capacity)  # when something was read last
        #: Since when the connection's rest holds the same frame; 0 = nothing is half read.
        self.partial_since: Floats = np.zeros(capacity)
        self._free = list(range(capacity - 1, -1, -1))

    def take(self, now: float) -> int:
        """A free slot, zeroed."""
        if not self._free:
            old = len(self.terminal)
            for name in ("phone_hi", "phone_lo", "terminal", "serial", "synced", "seen", "partial_since"):
                column = getattr(self, name)
                setattr(self, name, np.concatenate([column, np.zeros(old, column.dtype)]))
            self._free = list(range(2 * old - 1, old - 1, -1))
        slot = self._free.pop()
        self.clear(slot)
        self.synced[slot], self.seen[slot], self.partial_since[slot] = False, now, 0.0
        return slot

    def clear(self, slot: int) -> None:
        """Forget who sits in ``slot``: its positions are no longer accepted."""
        self.terminal[slot] = self.phone_hi[slot] = self.phone_lo[slot] = self.serial[slot] = 0

    def give_back(self, slot: int) -> None:
        self.clear(slot)
        self._free.append(slot)

    def authenticate(self, slot: int, phone: str, terminal: int) -> None:
        """From now on frames of ``phone`` (digits as sent) in ``slot`` are positions of ``terminal``."""
        number = int(phone, 16)  # BCD: the digits are the nibbles
        self.phone_hi[slot], self.phone_lo[slot] = number >> 64, number & 0xFFFFFFFFFFFFFFFF
        self.terminal[slot] = terminal
