"""What came of handing a message over."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """What is done about it."""

    SENT = "sent"
    LATER = "later"  # try again, with a growing pause
    SLOWER = "slower"  # the receiver takes no more now: wait, it is no failure of the message
    REFUSED = "refused"  # it will never be taken: a dead letter at once


@dataclass(frozen=True, slots=True)
class Outcome:
    """``error``: for people, Chinese first; None = sent. ``wait_s``: at least so long until the next one. ``shared``: what
    failed is used by all channels of the kind (the mail server)."""

    result: Result
    error: str | None = None
    wait_s: float = 0.0
    shared: bool = False


SENT = Outcome(Result.SENT)
