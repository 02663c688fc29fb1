"""The life of a command: states, steps, and the one function that derives the state. Pure: no IO, no clock.

    asked -> proposed -> approved -> queued -> sent -> delivered -> answered
             (a dangerous one)                  |  ^------ lost / released: back to queued
    and from there to failed, expired, cancelled.

``delivered`` is the end of a kind to which the terminal sends no answer of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from telemetry.commands.kinds import KINDS


class State(StrEnum):
    """How a command stands."""

    PROPOSED = "proposed"  # waits for a second person
    QUEUED = "queued"  # waits for its terminal
    SENT = "sent"  # a gateway has taken it and writes it, or has written it
    DELIVERED = "delivered"  # the terminal has confirmed it
    ANSWERED = "answered"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Step(StrEnum):
    """What can happen to a command."""

    ASKED = "asked"
    APPROVED = "approved"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SENT = "sent"
    RESENT = "resent"  # the same bytes again, with the same serial number
    RELEASED = "released"  # taken by a gateway and certainly not written
    LOST = "lost"  # nobody knows whether it was received: the gateway or the connection ended
    DELIVERED = "delivered"
    ANSWERED = "answered"
    FAILED = "failed"


class Failure(StrEnum):
    """Why a command failed."""

    REFUSED = "refused"  # the terminal: result 1
    NOT_UNDERSTOOD = "not_understood"  # result 2
    UNSUPPORTED = "unsupported"  # result 3
    NO_REPLY = "no_reply"  # sent as often as the protocol says, and no confirmation
    NO_ANSWER = "no_answer"  # confirmed, and then nothing
    OUTCOME_UNKNOWN = "outcome_unknown"  # must not be repeated, and nobody knows whether it was received
    TERMINAL_MOVED = "terminal_moved"  # the terminal sits in another vehicle now
    SWITCHED_OFF = "switched_off"  # the setting that permits it was taken back meanwhile
    CANNOT_ENCODE = "cannot_encode"  # it does not fit the edition of the terminal


OVER: Final = frozenset({State.ANSWERED, State.FAILED, State.EXPIRED, State.CANCELLED})
UNDER_WAY: Final = frozenset({State.SENT, State.DELIVERED})
#: Step -> states in which it may happen.
_WHEN: Final[dict[Step, frozenset[State]]] = {
    Step.APPROVED: frozenset({State.PROPOSED}),
    Step.CANCELLED: frozenset({State.PROPOSED, State.QUEUED}),
    Step.EXPIRED: frozenset({State.PROPOSED, State.QUEUED}),
    Step.SENT: frozenset({State.QUEUED}),
    Step.RESENT: frozenset({State.SENT}),
    Step.RELEASED: frozenset({State.SENT}),
    Step.LOST: UNDER_WAY,
    Step.DELIVERED: frozenset({State.SENT}),
    Step.ANSWERED: UNDER_WAY,
    Step.FAILED: frozenset({State.QUEUED, *UNDER_WAY}),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What a thread comes to. ``attempt``: how often a gateway took it; ``gateway``: the one that has it under way. ``ended``:
    nothing happens to it any more."""

    kind: str
    state: State
    attempt: int = 0
    gateway: str | None = None
    failure: Failure | None = None
    ended: bool = False


def begun(kind: str) -> Standing:
    """A command that was just asked."""
    return Standing(kind, State.PROPOSED if KINDS[kind].dangerous else State.QUEUED)


def advance(
    now: Standing, step: Step, *, gateway: str | None = None, failure: Failure | None = None
) -> Standing | None:
    """What ``step`` makes of it; None: it cannot happen now. ``gateway``: who sends; ``failure``: why it failed."""
    if now.ended or now.state not in _WHEN.get(step, ()):
        return None
    match step:
        case Step.APPROVED:
            return replace(now, state=State.QUEUED)
        case Step.CANCELLED:
            return replace(now, state=State.CANCELLED, ended=True)
        case Step.EXPIRED:
            return replace(now, state=State.EXPIRED, ended=True)
        case Step.SENT:
            return replace(now, state=State.SENT, attempt=now.attempt + 1, gateway=gateway)
        case Step.RESENT:
            return now
        case Step.RELEASED:
            return replace(now, state=State.QUEUED, gateway=None)
        case Step.LOST if KINDS[now.kind].repeatable:
            return replace(now, state=State.QUEUED, gateway=None)
        case Step.LOST:
            return _failed(now, Failure.OUTCOME_UNKNOWN)
        case Step.DELIVERED:
            return replace(now, state=State.DELIVERED, ended=not KINDS[now.kind].answered)
        case Step.ANSWERED:
            return replace(now, state=State.ANSWERED, ended=True)
        case Step.FAILED:
            return _failed(now, failure or Failure.NO_REPLY)
    return None


def _failed(now: Standing, why: Failure) -> Standing:
    return replace(now, state=State.FAILED, failure=why, gateway=None, ended=True)
