"""What a session does with what is reported and is no position (``ids.REPORT_IDS``): read far enough to refuse what is broken, put
together where it comes in packages, answered when it is durable. No IO, no clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from telemetry.jt808.ids import MessageId
from telemetry.jt808.rejection import Reason, Rejection
from telemetry.jt808.scalar.framing import MAX_BODY, encode_frame
from telemetry.jt808.scalar.header import Header, Version, build_reply
from telemetry.jt808.scalar.reassembly import PART_BYTES, Budget, Missing, Numbering, Reassembler
from telemetry.jt808.tables import codec

#: 0x0801: id DWORD, kind, format, event, channel; then in 2011 the numbers of packages (DWORD each), later a position (28 bytes).
MEDIA_HEAD: Final = 8
_NUMBERS: Final = 8
_PLACE: Final = 28
#: Most packages of one message that the header can number.
_MOST_PARTS: Final = 0xFFFF
#: Rows without end would make one message dear to read here: of these only the beginning is looked at.
_OF_ROWS: Final[dict[int, int]] = {MessageId.AREAS_REPLY: 5, MessageId.MEDIA_SEARCH_REPLY: 4}
#: Reports that may answer a command as well.
ALSO_ANSWERS: Final = frozenset({MessageId.SHOOT_REPLY, MessageId.RECORDER_DATA, MessageId.DRIVER_IDENTITY})
#: Reports of one connection: so many at once, and after that so many a second.
BURST: Final = 300.0
PER_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """How much a connection may have under way in packages. ``most_bytes``: of one message; ``budget``: of all connections together;
    ``idle_s``, ``most_s``: a message to which nothing new came for so long, or that is not whole after so long, is given up."""

    most_bytes: int = 2 << 20
    budget: Budget = field(default_factory=lambda: Budget(64 << 20))
    idle_s: float = 60.0
    most_s: float = 900.0

    def reassembler(self) -> Reassembler:
        """For the messages of one connection, two at a time at most."""
        return Reassembler(
            # Packages cost more than what is in them: terminals send some 500 bytes in each, others the whole 1,023.
            2 * self.most_bytes + 2 * PART_BYTES, _MOST_PARTS, self.most_s,
            max_messages=2, max_requests=30, idle_s=self.idle_s, budget=self.budget, together=True,
        )  # fmt: skip


@dataclass(slots=True)
class Allowance:
    """How many reports a connection may still send at once."""

    left: float = BURST
    at: float = 0.0

    def take(self, now: float) -> bool:
        """Whether one more is taken at ``now`` (seconds, not going back)."""
        self.left = min(BURST, self.left + max(0.0, now - self.at) * PER_S)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


@dataclass(frozen=True, slots=True)
class Reported:
    """Keep ``body``, the message with the id of ``header`` (which completed it), as a terminal of ``edition`` says it. When it is durable
    write ``session.reported(action)``, which answers ``answer``; () = somebody else replies. ``media_id``: of a file that is whole."""

    header: Header
    edition: Version
    body: bytes
    answer: tuple[Header, ...]
    media_id: int | None = None


def flaw_of(message_id: int, edition: Version, body: bytes) -> Rejection | None:
    """Why a report cannot be taken; None = it can. Messages longer than a frame are read whole by who stores them, not here."""
    if message_id == MessageId.MEDIA_DATA:
        behind = _NUMBERS if edition is Version.V2011 else _PLACE
        # A terminal whose registration nobody saw may be one of 2011, whose numbers are shorter than a position.
        least = MEDIA_HEAD + min(behind, _NUMBERS)
        return _short(message_id, body, least) if len(body) <= least else None
    least = _OF_ROWS.get(message_id, 0)
    if least or len(body) > MAX_BODY:
        return _short(message_id, body, least) if len(body) < least else None
    read = codec.decode_likely(message_id, edition, body)
    return read if isinstance(read, Rejection) else None


def _short(message_id: int, body: bytes, least: int) -> Rejection:
    return Rejection(Reason.BAD_BODY, f"{message_id:#06x} of {len(body)} bytes, at least {least}", body)


def media_id_of(body: bytes) -> int:
    """The id of the file in a 0x0801."""
    return int.from_bytes(body[:4], "big")


def numbered(edition: Version, body: bytes) -> tuple[Numbering, bytes] | None:
    """The numbers that a 0x0801 of 2011 has of its own, where it is one of several, and what is to be put together: the first with
    what describes the file, as if it were the only one, of the others the data. None: it is the only one, or of another edition."""
    if edition is not Version.V2011 or len(body) < MEDIA_HEAD + _NUMBERS:
        return None
    total = int.from_bytes(body[MEDIA_HEAD : MEDIA_HEAD + 4], "big")
    index = int.from_bytes(body[MEDIA_HEAD + 4 : MEDIA_HEAD + _NUMBERS], "big")
    if total <= 1:
        return None
    one = (1).to_bytes(4, "big")
    data = body[MEDIA_HEAD + _NUMBERS :]
    return Numbering(media_id_of(body), total, index), body[
        :MEDIA_HEAD
    ] + one + one + data if index == 1 else data


def media_reply(
    header: Header, edition: Version, media_id: int, indexes: Sequence[int], serial: int
) -> bytes:
    """Frame of a 0x8800: the file has come, or (``indexes``, 255 at most) these packages of it are missing."""
    fields: dict[str, object] = {"media_id": media_id}
    if indexes:
        fields["indexes"] = list(indexes)
    if edition is Version.V2011:
        fields["serial"] = header.serial
    body = codec.encode(MessageId.MEDIA_REPLY, edition, fields)
    return encode_frame(build_reply(header, MessageId.MEDIA_REPLY, body, serial))


def media_missing(missing: Missing, edition: Version, serial: int) -> bytes | None:
    """Frame of the 0x8800 that asks for missing packages of a file; None: its first package, which has its id, is missing itself."""
    if missing.upload is not None:
        return media_reply(missing.header, edition, missing.upload, missing.indexes, serial)
    if missing.header.id != MessageId.MEDIA_DATA or len(missing.first) < MEDIA_HEAD:
        return None
    return media_reply(missing.header, edition, media_id_of(missing.first), missing.indexes, serial)
