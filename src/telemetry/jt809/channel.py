"""One direction of a link and back: bytes that come to messages, messages to the bytes that are sent. Keeps the serial; knows no clock
and no socket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from telemetry.jt808.tables.grammar import Given
from telemetry.jt809 import codec
from telemetry.jt809.cipher import Keys
from telemetry.jt809.codec import Received
from telemetry.jt809.framing import MOST, Framer, framed
from telemetry.jt809.header import Edition, Header, access_code_of
from telemetry.jt809.refusal import Reason, Refusal


@dataclass(slots=True)
class Channel:
    """``access_code``: of the lower platform; what comes with another one is refused. ``encrypts``: whether what we send is encrypted
    (what comes may be, whatever we do). ``new_key``: a random number of 32 bits for each message."""

    edition: Edition
    access_code: int
    keys: Keys | None = None
    encrypts: bool = False
    new_key: Callable[[], int] = lambda: 1
    most: int = MOST
    serial: int = 0
    _framer: Framer = field(init=False)

    def __post_init__(self) -> None:
        self._framer = Framer(self.most)

    def frame(self, id: int, fields: Given, now_s: int) -> bytes:
        """The frame of a message, with the next serial. ``now_s``: seconds since 1970 UTC. Raises FieldError."""
        encrypted = self.encrypts and self.keys is not None
        header = Header(
            self.serial,
            0,
            self.access_code,
            encrypted=encrypted,
            key=self.new_key() & 0xFFFFFFFF if encrypted else 0,
            time_s=now_s,
        )
        frame = framed(codec.encode(self.edition, id, fields, header, self.keys))
        self.serial = (self.serial + 1) & 0xFFFFFFFF
        return frame

    def feed(self, data: bytes) -> list[Received | Refusal]:
        """What ends in ``data``, in its order."""
        return [self.read(one) for one in self._framer.feed(data)]

    def read(self, message: bytes | Refusal) -> Received | Refusal:
        """One message of a framer. Refuses FOREIGN_CODE, and what ``codec.decode`` refuses."""
        if isinstance(message, Refusal):
            return message
        code = access_code_of(message)
        if code != self.access_code:
            return Refusal.of(Reason.FOREIGN_CODE, f"access code {code}", message)
        return codec.decode(message, self.edition, self.keys)
