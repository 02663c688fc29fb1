"""Why something a terminal sent was refused: a typed, bounded value instead of an exception."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MAX_DETAIL = 200
MAX_RAW = 1100


class Reason(StrEnum):
    """Every reason there is; the value is a metric label, so the set stays small and fixed."""

    JUNK = "junk"  # bytes before the first delimiter
    BAD_ESCAPE = "bad_escape"  # 7D followed by neither 01 nor 02
    CHECKSUM = "checksum"
    TOO_SHORT = "too_short"  # shorter than a header
    TOO_LONG = "too_long"  # no delimiter within the longest frame there can be
    LENGTH_MISMATCH = "length_mismatch"  # length field and real length differ
    ENCRYPTED = "encrypted"  # body encrypted; no key was ever agreed
    BAD_BODY = "bad_body"
    BODY_TOO_SHORT = "body_too_short"  # a position shorter than its 28 fixed bytes
    UNSUPPORTED = "unsupported"  # a message id this server does not handle
    NOT_AUTHENTICATED = "not_authenticated"
    PHONE_MISMATCH = "phone_mismatch"  # not the phone that authenticated
    UNKNOWN_TERMINAL = "unknown_terminal"
    OTHER_DEVICE = "other_device"  # registration of another device than the registry names for that phone
    OTHER_IMEI = "other_imei"  # the right code from a device with another IMEI than the registry names
    BAD_CODE = "bad_code"  # wrong authentication code
    REASSEMBLY_TIMEOUT = "reassembly_timeout"
    REASSEMBLY_LIMIT = "reassembly_limit"
    BAD_FRAGMENT = "bad_fragment"  # impossible or contradicting package numbers
    RATE = "rate"
    UNASKED = "unasked"  # an answer to nothing that was asked
    FAULT = "fault"  # the program itself failed on it


@dataclass(frozen=True, slots=True)
class Rejection:
    """What was refused and why.

    ``detail`` is for people (cut at 200 characters), ``raw`` the bytes refused (cut at 1100). ``count``: how many things
    it refuses, where one frame has many that are wrong in the same way.
    """

    reason: Reason
    detail: str
    raw: bytes
    count: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "detail", self.detail[:MAX_DETAIL])
        object.__setattr__(self, "raw", bytes(self.raw[:MAX_RAW]))


def without_code(message: bytes) -> bytes:
    """``message`` (whole or broken) as it may be kept: the body of an authentication (0x0102) is the terminal's code, so
    of that only the bytes that are header in every edition.
    """
    return message[:12] if message[:2] == b"\x01\x02" else message
