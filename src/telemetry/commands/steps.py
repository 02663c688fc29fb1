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


class CommandState(StrEnum):
    """How a command stands."""

    PROPOSED = "proposed"  # waits for a second person
    QUEUED = "queued"  # waits for its terminal
    SENT = "sent"  # a gateway has taken it and writes it, or has written it
    DELIVERED = "delivered"  # the terminal has confirmed it
    ANSWERED = "answered"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class CommandStep(StrEnum):
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


class CommandFailure(StrEnum):
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


OVER: Final = frozenset(
    {CommandState.ANSWERED, CommandState.FAILED, CommandState.EXPIRED, CommandState.CANCELLED}
)
UNDER_WAY: Final = frozenset({CommandState.SENT, CommandState.DELIVERED})
#: CommandStep -> states in which it may happen.
_WHEN: Final[dict[CommandStep, frozenset[CommandState]]] = {
    CommandStep.APPROVED: frozenset({CommandState.PROPOSED}),
    CommandStep.CANCELLED: frozenset({CommandState.PROPOSED, CommandState.QUEUED}),
    CommandStep.EXPIRED: frozenset({CommandState.PROPOSED, CommandState.QUEUED}),
    CommandStep.SENT: frozenset({CommandState.QUEUED}),
    CommandStep.RESENT: frozenset({CommandState.SENT}),
    CommandStep.RELEASED: frozenset({CommandState.SENT}),
    CommandStep.LOST: UNDER_WAY,
    CommandStep.DELIVERED: frozenset({CommandState.SENT}),
    CommandStep.ANSWERED: UNDER_WAY,
    CommandStep.FAILED: frozenset({CommandState.QUEUED, *UNDER_WAY}),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What a thread comes to. ``attempt``: how often a gateway took it; ``gateway``: the one that has it under way. ``ended``:
    nothing happens to it any more."""

    kind: str
    state: CommandState
    attempt: int = 0
    gateway: str | None = None
    failure: CommandFailure | None = None
    ended: bool = False


def begun(kind: str) -> Standing:
    """A command that was just asked."""
    return Standing(kind, CommandState.PROPOSED if KINDS[kind].dangerous else CommandState.QUEUED)


def advance(
    now: Standing, step: CommandStep, *, gateway: str | None = None, failure: CommandFailure | None = None
) -> Standing | None:
    """What ``step`` makes of it; None: it cannot happen now. ``gateway``: who sends; ``failure``: why it failed."""
    if now.ended or now.state not in _WHEN.get(step, ()):
        return None
    match step:
        case CommandStep.APPROVED:
            return replace(now, state=CommandState.QUEUED)
        case CommandStep.CANCELLED:
            return replace(now, state=CommandState.CANCELLED, ended=True)
        case CommandStep.EXPIRED:
            return replace(now, state=CommandState.EXPIRED, ended=True)
        case CommandStep.SENT:
            return replace(now, state=CommandState.SENT, attempt=now.attempt + 1, gateway=gateway)
        case CommandStep.RESENT:
            return now
        case CommandStep.RELEASED:
            return replace(now, state=CommandState.QUEUED, gateway=None)
        case CommandStep.LOST if KINDS[now.kind].repeatable:
            return replace(now, state=CommandState.QUEUED, gateway=None)
        case CommandStep.LOST:
            return _failed(now, CommandFailure.OUTCOME_UNKNOWN)
        case CommandStep.DELIVERED:
            return replace(now, state=CommandState.DELIVERED, ended=not KINDS[now.kind].answered)
        case CommandStep.ANSWERED:
            return replace(now, state=CommandState.ANSWERED, ended=True)
        case CommandStep.FAILED:
            return _failed(now, failure or CommandFailure.NO_REPLY)
    return None


def _failed(now: Standing, why: CommandFailure) -> Standing:
    return replace(now, state=CommandState.FAILED, failure=why, gateway=None, ended=True)
