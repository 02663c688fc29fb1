"""One terminal's socket, and the columns that the hot path keeps about all of them."""

from __future__ import annotations

import socket
from functools import partial
from itertools import count

import numpy as np

from runtime.arrays import AnyInts, Bools, Floats
from telemetry.jt808.reporting import UploadLimits
from telemetry.jt808.session import Session

_numbers = count()


class Connection:
    """A socket with what is half read and half written. Plain state; ``tcp.Gateway`` acts on it. ``slot``: its row in
    ``table``."""

    __slots__ = (
        "address", "closed", "fd", "fragment_bytes", "number", "opened", "peer", "rest", "session", "slot", "sock", "unsent",
    )  # fmt: skip

    def __init__(
        self,
        sock: socket.socket,
        address: str,
        port: int,
        table: ConnectionTable,
        slot: int,
        now: float,
        uploads: UploadLimits | None = None,
    ) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.address = address
        self.peer = f"{address}:{port}"
        self.slot = slot
        self.session = Session(now, partial(table.next_serial, slot), uploads)
        self.rest = b""  # of a frame that is not complete yet
        self.unsent = b""  # replies the socket did not take
        self.opened = now
        self.number = next(_numbers)  # of two, the one that was opened later has the higher
        self.fragment_bytes = 0  # of packages waiting in the session, as last counted
        self.closed = False


class ConnectionTable:
    """What the hot path must know about each connection, as columns. A connection has one row, its *slot*, as long as it
    lives; after that the slot goes to another connection."""

    _COLUMNS = ("phone_hi", "phone_lo", "terminal", "serial", "synced", "seen", "partial_since", "holder")

    def __init__(self, capacity: int = 1024) -> None:
        self.phone_hi: AnyInts = np.zeros(capacity, np.uint16)
        self.phone_lo: AnyInts = np.zeros(capacity, np.uint64)
        self.terminal: AnyInts = np.zeros(capacity, np.int32)  # 0 = not authenticated
        self.serial: AnyInts = np.zeros(capacity, np.uint16)  # of the next message that we send
        self.synced: Bools = np.zeros(capacity, np.bool_)  # a delimiter has been seen
        self.seen: Floats = np.zeros(capacity)  # when something was read last
        #: Since when the connection's rest holds the same frame; 0 = nothing is half read.
        self.partial_since: Floats = np.zeros(capacity)
        #: Which connection has the slot: a number that changes whenever the slot is given back.
        self.holder: AnyInts = np.zeros(capacity, np.int64)
        self._free = list(range(capacity - 1, -1, -1))

    def take(self, now: float) -> int:
        """A free slot, zeroed."""
        if not self._free:
            old = len(self.terminal)
            for name in self._COLUMNS:
                column = getattr(self, name)
                setattr(self, name, np.concatenate([column, np.zeros(old, column.dtype)]))
            self._free = list(range(2 * old - 1, old - 1, -1))
        slot = self._free.pop()
        self.clear(slot)
        self.synced[slot], self.seen[slot], self.partial_since[slot] = False, now, 0.0
        self.serial[slot] = 0
        return slot

    def clear(self, slot: int) -> None:
        """Forget which terminal it is: its positions are no longer accepted. Our serials go on."""
        self.terminal[slot] = self.phone_hi[slot] = self.phone_lo[slot] = 0

    def give_back(self, slot: int) -> None:
        """The connection is closed. Replies that still wait for it find another holder, and are dropped."""
        self.clear(slot)
        self.holder[slot] += 1
        self._free.append(slot)

    def authenticate(self, slot: int, phone: str, terminal: int) -> None:
        """From now on frames of ``phone`` (digits as sent) in ``slot`` are positions of ``terminal``."""
        number = int(phone, 16)  # BCD: the digits are the nibbles
        self.phone_hi[slot], self.phone_lo[slot] = number >> 64, number & 0xFFFFFFFFFFFFFFFF
        self.terminal[slot] = terminal

    # --- serial numbers of what we send: one counter a connection, 0, 1, ... 65535, 0 (JT/T 808 4.4.3) ------------------
    # They are taken when a message is sent and not when it is decided, so that their order is the order of sending: the
    # reply to a position waits for the log, the reply to a heartbeat behind it does not.

    def next_serial(self, slot: int) -> int:
        """The serial of one message that is sent now."""
        serial = int(self.serial[slot])
        self.serial[slot] = (serial + 1) & 0xFFFF
        return serial

    def next_serials(self, slots: AnyInts, holders: AnyInts, counts: AnyInts) -> AnyInts:
        """The serials of ``counts[i]`` messages each that are sent now to the connections at ``slots``, which are distinct.

        Shape (sum of counts,), uint16: those of one connection are consecutive. ``holders``: ``holder`` of the slots when
        they were those connections; of one that is closed meanwhile the serials mean nothing and none are used up.
        """
        first = self.serial[slots]
        alive = self.holder[slots] == holders
        self.serial[slots[alive]] = (first + counts.astype(np.uint16))[
            alive
        ]  # uint16 wraps as the protocol does
        within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.asarray(np.repeat(first, counts) + within.astype(np.uint16))
