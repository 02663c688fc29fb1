"""Why something that came over a link was not taken. A fixed set: it labels metrics, so it cannot grow with what strangers send."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

#: Bytes of what was refused that are kept.
_KEPT = 256


class Reason(StrEnum):
    """What was wrong with it."""

    JUNK = "junk"  # bytes outside of a frame
    TOO_LONG = "too-long"
    UNFINISHED = "unfinished"  # a frame begins within a frame
    BAD_ESCAPE = "bad-escape"
    TOO_SHORT = "too-short"
    BAD_CRC = "bad-crc"
    LENGTH_MISMATCH = "length-mismatch"
    FOREIGN_CODE = "foreign-code"  # another access code than that of the link
    NO_KEYS = "no-keys"  # encrypted, and the link has no keys
    UNSUPPORTED = "unsupported"
    BAD_BODY = "bad-body"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing that was not taken. ``raw``: its first bytes."""

    reason: Reason
    detail: str
    raw: bytes = b""

    @staticmethod
    def of(reason: Reason, detail: str, raw: bytes = b"") -> Refusal:
        return Refusal(reason, detail, raw[:_KEPT])
