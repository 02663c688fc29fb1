"""What a terminal says of its own accord, besides positions: each message again until it is confirmed, long ones in packages.

Like a device that keeps what it has to say: what was not confirmed when the connection ended goes up at the next login. Never more
than ``_MOST_WAITING`` messages: the oldest is lost then, and counted.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable
from typing import Final

from simulation.terminal.device import Arrived, PackagesAgain, Say, Track
from simulation.terminal.statistics import FleetStats
from telemetry.jt808.ids import MessageId
from telemetry.jt808.scalar.framing import MAX_BODY, encode_frame
from telemetry.jt808.scalar.header import Version, build_messages

RESENDS: Final = 3
_MOST_WAITING: Final = 64
#: Messages in packages that are kept for who asks for packages again.
_KEPT: Final = 4
_NEVER: Final = math.inf


class _Said:
    """A message on its way. ``frames``: by serial number; ``open``: serials not confirmed yet."""

    __slots__ = ("body", "frames", "message_id", "open", "resends", "sent_at")

    def __init__(self, message_id: int, body: bytes) -> None:
        self.message_id, self.body = message_id, body
        self.frames: dict[int, bytes] = {}
        self.open: set[int] = set()
        self.resends = 0
        self.sent_at = 0.0


class Outbox:
    """``serials(n)`` gives the first of n serial numbers that follow each other, ``write`` puts bytes on the connection. Times are those of
    one clock, in seconds."""

    __slots__ = (
        "_confirm_s", "_kept", "_later", "_online", "_phone", "_serials", "_stats", "_track", "_version", "_waiting", "_write", "due",
        "entries", "unconfirmed",
    )  # fmt: skip

    def __init__(
        self,
        phone: str,
        version: Version,
        stats: FleetStats,
        *,
        confirm_s: float,
        serials: Callable[[int], int],
        write: Callable[[bytes], None],
    ) -> None:
        self._phone, self._version, self._stats = phone, version, stats
        self._confirm_s, self._serials, self._write = confirm_s, serials, write
        # Lists: most terminals never have anything here.
        self._waiting: list[_Said] = []
        self._kept: list[_Said] = []
        self._later: list[tuple[float, int, Say]] = []
        self._track: tuple[float, float, int] | None = None  # next, end, every
        self._online = False
        #: Serial number -> the message that it belongs to.
        self.unconfirmed: dict[int, _Said] = {}
        self.entries = 0
        #: When ``tick`` has something to do.
        self.due = _NEVER

    # --- what is said -------------------------------------------------------------------------------------------------

    def say(self, message_id: int, body: bytes, now: float) -> None:
        """Send a message now, or at the next login."""
        self._stats.said += 1
        self._put(_Said(message_id, body), now)

    def say_later(self, said: Say, now: float) -> None:
        if said.after_s <= 0:
            self.say(said.message_id, said.body, now)
            return
        self.entries += 1  # what is said at the same time stays in order
        heapq.heappush(self._later, (now + said.after_s, self.entries, said))
        self._again_at(now + said.after_s)

    def packages(self, message_id: int, body: bytes) -> bytes:
        """The frames of an answer that is sent once, kept for who asks for packages of it again."""
        said = _Said(message_id, body)
        self._frame(said)
        self._keep(said)
        return b"".join(said.frames.values())

    def track(self, order: Track, now: float) -> None:
        """Report more often for a while, or no more."""
        self._track = (
            (now + order.interval_s, now + order.for_s, order.interval_s) if order.interval_s else None
        )
        self._again_at(now + order.interval_s if self._track else _NEVER)

    # --- what the platform says ---------------------------------------------------------------------------------------

    def confirmed(self, serial: int, message_id: int, result: int) -> bool:
        """0x8001 to ``serial``. Whether it belongs to something said here."""
        said = self.unconfirmed.get(serial)
        if said is None or said.message_id != message_id:
            return False
        if result:  # it is not wanted: never mind the other packages
            self._stats.said_refused[message_id] += 1
            self._over(said)
            return True
        said.open.discard(serial)
        del self.unconfirmed[serial]
        # By each package, or by the last for all of them.
        if not said.open or serial == next(reversed(said.frames)):
            self._stats.said_confirmed += 1
            self._over(said)
        return True

    def again(self, first_serial: int, indexes: Iterable[int]) -> None:
        """0x8003: packages (numbers from 1) of the message whose first package had ``first_serial``, with their serials."""
        for said in self._kept:
            frames = list(said.frames.items())
            if frames and frames[0][0] == first_serial:
                self._write(b"".join(frames[index - 1][1] for index in indexes if 1 <= index <= len(frames)))

    def of_file(self, about: PackagesAgain | Arrived) -> None:
        """0x8800: a file has come, or packages of it are missing."""
        for said in list(self._kept):
            if (
                said.message_id == MessageId.MEDIA_DATA
                and int.from_bytes(said.body[:4], "big") == about.media_id
            ):
                if isinstance(about, PackagesAgain):
                    self.again(next(iter(said.frames)), about.indexes)
                elif said.open:
                    self._stats.said_confirmed += 1
                    self._over(said)

    # --- the connection -----------------------------------------------------------------------------------------------

    def online(self, now: float) -> None:
        """The terminal has logged in: what waits goes up."""
        self._online = True
        waiting, self._waiting = self._waiting, []
        for said in waiting:
            self._put(said, now)

    def offline(self) -> None:
        """The connection is gone; what was not confirmed waits, before what was said since."""
        self._online = False
        self._waiting[:0] = dict.fromkeys(self.unconfirmed.values())
        self.unconfirmed.clear()
        self._bound()

    def tick(self, now: float) -> bool:
        """Say what is due, send again what was not confirmed in time. Whether a report of where it is is due."""
        self.due = _NEVER
        while self._later and self._later[0][0] <= now:
            late = heapq.heappop(self._later)[2]
            self.say(late.message_id, late.body, now)
        if self._later:
            self._again_at(self._later[0][0])
        for said in dict.fromkeys(self.unconfirmed.values()):
            if said.sent_at + self._confirm_s <= now:
                self._repeat(said, now)
            else:
                self._again_at(said.sent_at + self._confirm_s)
        return self._tracked(now)

    def _tracked(self, now: float) -> bool:
        if self._track is None:
            return False
        following, end, every = self._track
        reports = following <= now
        if reports:
            following = now + every
        self._track = (following, end, every) if following <= end else None
        if self._track:
            self._again_at(following)
        return reports

    # --- within -------------------------------------------------------------------------------------------------------

    def _put(self, said: _Said, now: float) -> None:
        if not self._online:
            self._waiting.append(said)
            self._bound()
            return
        self._frame(said)
        said.open = set(said.frames)
        said.resends, said.sent_at = 0, now
        self.unconfirmed.update(dict.fromkeys(said.frames, said))
        self._keep(said)
        self._write(b"".join(said.frames.values()))
        self._again_at(now + self._confirm_s)

    def _frame(self, said: _Said) -> None:
        first = self._serials(max(1, -(-len(said.body) // MAX_BODY)))
        messages = build_messages(said.message_id, said.body, self._phone, first, version=self._version)
        said.frames = {(first + k) & 0xFFFF: encode_frame(message) for k, message in enumerate(messages)}

    def _keep(self, said: _Said) -> None:
        if said not in self._kept and (len(said.frames) > 1 or said.message_id == MessageId.MEDIA_DATA):
            self._kept.append(said)
            del self._kept[:-_KEPT]

    def _repeat(self, said: _Said, now: float) -> None:
        if said.resends >= RESENDS:
            self._stats.said_lost += 1
            self._over(said)
            return
        said.resends, said.sent_at = said.resends + 1, now
        self._write(b"".join(frame for serial, frame in said.frames.items() if serial in said.open))
        self._again_at(now + self._confirm_s)

    def _over(self, said: _Said) -> None:
        for serial in said.open:
            self.unconfirmed.pop(serial, None)
        said.open = set()

    def _bound(self) -> None:
        if (surplus := len(self._waiting) - _MOST_WAITING) > 0:
            del self._waiting[:surplus]
            self._stats.said_lost += surplus

    def _again_at(self, at: float) -> None:
        self.due = min(self.due, at)
