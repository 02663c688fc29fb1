"""What the platform has sent to one terminal and waits to hear of: serial numbers matched, repeated by the protocol's rule. No IO.

A confirmation (0x0001) and an answer (0x0104, 0x0201, ...) name the serial number of the message that they are about (8.1). A
message without confirmation is sent again with the same serial number; the pauses grow, T(n+1) = T(n) x (n+1) (6.4). Serial numbers
wrap: what is over is forgotten, so an old number names nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import Enum

from telemetry.jt808.scalar.messages import GeneralReply


@dataclass(frozen=True, slots=True)
class Patience:
    """``reply_s``: T(1), how long a message waits for its confirmation before it is sent again, at most ``resends`` times;
    ``answer_s``: how long for its answer after the confirmation."""

    reply_s: float = 10.0
    resends: int = 2
    answer_s: float = 30.0

    @property
    def whole_s(self) -> float:
        """How long a message waits in all until it is given up, in seconds."""
        pause = whole = self.reply_s
        for n in range(2, self.resends + 2):
            pause *= n
            whole += pause
        return whole


@dataclass(slots=True, eq=False)
class Waiting:
    """A message on its way, and whose it is (``tag``). ``serials``: of its packages, in order; ``frames``: theirs, one behind the
    other; ``answer_id``: the message that answers it, None = the confirmation is all; ``repeatable``: it may be sent again. Times:
    seconds of one clock."""

    tag: int
    message_id: int
    serials: tuple[int, ...]
    frames: tuple[bytes, ...]
    answer_id: int | None
    repeatable: bool
    due: float
    until: float
    pause_s: float
    sends: int = 1
    delivered: bool = False
    #: The answer has come and is being stored: it comes again, until it is replied to.
    settling: bool = False
    confirmed: set[int] = field(default_factory=set)


class Due(Enum):
    """What is to be done about a message that was not heard of in time."""

    AGAIN = "send its frames again"
    NO_REPLY = "given up without a confirmation"
    NO_ANSWER = "given up: confirmed, and no answer"


class Outstanding:
    """The messages of one connection that wait. Few: one without confirmation at a time."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self.waiting: list[Waiting] = []

    def sent(
        self,
        tag: int,
        message_id: int,
        serials: Sequence[int],
        frames: Sequence[bytes],
        *,
        answer_id: int | None,
        repeatable: bool,
        now: float,
        until: float,
    ) -> Waiting:
        """A message is sent now. It is not sent again after ``until``."""
        pause = self._patience.reply_s if repeatable else self._patience.whole_s
        made = Waiting(
            tag, message_id, tuple(serials), tuple(frames), answer_id, repeatable, now + pause, until, pause
        )
        self.waiting.append(made)
        return made

    def over(self, one: Waiting) -> None:
        """Nothing more is heard of it."""
        if one in self.waiting:
            self.waiting.remove(one)

    def confirmed(self, reply: GeneralReply, now: float) -> Waiting | None:
        """The message that a confirmation is about, when it is confirmed as a whole by it or refused (``reply.result``); None:
        another package of it is still missing, or nothing like this was sent (then ``knows`` is false)."""
        one = self._of(reply.id, reply.serial)
        if one is None or one.delivered or one.settling:
            return None
        if reply.result:
            return one
        one.confirmed.add(reply.serial)
        # Some terminals confirm each package, others the last.
        if reply.serial != one.serials[-1] and len(one.confirmed) < len(one.serials):
            return None
        one.delivered = True
        one.due = now + self._patience.answer_s
        return one

    def knows(self, reply: GeneralReply) -> bool:
        """Whether a confirmation is about something that waits."""
        return self._of(reply.id, reply.serial) is not None

    def _of(self, message_id: int, serial: int) -> Waiting | None:
        return next((w for w in self.waiting if w.message_id == message_id and serial in w.serials), None)

    def answered(self, message_id: int, serial: int | None) -> Waiting | None:
        """The message that an answer is about; None: nothing like this was asked. ``serial``: the one that the answer names; an
        answer that names none (0x0107, 0x0201 of 2011) is about the oldest question of its kind."""
        return next(
            (
                w
                for w in self.waiting
                if w.answer_id == message_id and (serial is None or serial in w.serials)
            ),
            None,
        )

    def due(self, now: float) -> list[tuple[Waiting, Due]]:
        """The messages that are overdue, and what is to be done about each. Those to be sent again are noted as sent."""
        found: list[tuple[Waiting, Due]] = []
        for one in self.waiting:
            if one.settling or now < one.due:
                continue
            if one.delivered:
                found.append((one, Due.NO_ANSWER))
            elif one.repeatable and one.sends <= self._patience.resends and now < one.until:
                one.sends += 1
                one.pause_s *= one.sends
                one.due = now + one.pause_s
                found.append((one, Due.AGAIN))
            else:
                found.append((one, Due.NO_REPLY))
        return found

    def packages(self, first_serial: int, indexes: Collection[int]) -> bytes:
        """Frames of the packages (from 1) that a terminal asks for again (0x0005); b"" where there are none like this."""
        for one in self.waiting:
            if one.serials[0] == first_serial and one.repeatable:
                wanted = [one.frames[k - 1] for k in sorted(set(indexes)) if 1 <= k <= len(one.frames)]
                return b"".join(wanted)
        return b""
