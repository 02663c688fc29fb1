"""What is done next about one fence in one terminal, and what an outcome makes of it. Pure: no IO, no clock.

A terminal says nothing of what it holds but that it has confirmed a message. So what it holds is known only as long as every message
about it was confirmed; after one that was not, after a registration or a restart, the area is deleted first and then set: then it is known
again, whatever was there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from telemetry.commands.steps import CommandFailure, CommandState

#: Failures that pass by themselves; the others wait for the office, for another version, or for the terminal to register anew.
_PASSES: Final = frozenset(
    {
        CommandFailure.NO_REPLY,
        CommandFailure.NO_ANSWER,
        CommandFailure.OUTCOME_UNKNOWN,
        CommandFailure.TERMINAL_MOVED,
    }
)
#: First pause before the next attempt, and the longest, in seconds.
FIRST_S: Final = 60
LONGEST_S: Final = 3_600


@dataclass(frozen=True, slots=True)
class Step:
    """A message: ``version`` of the fence is set as ``shape`` (``there``: in place of what is there), or, None, deleted."""

    shape: str
    version: int | None
    there: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """How it stands with a fence in a terminal. ``wanted``: (version, shape), None = it must not be there. ``holds``: the version that
    the terminal has confirmed, None = nothing, or nobody knows. ``may_hold``: as which shapes it may be there. ``step``: under way;
    ``sure``: what was there was known when it was asked. ``failure``, ``failures``: why the last one failed, and how many in a row."""

    wanted: tuple[int, str] | None = None
    holds: int | None = None
    may_hold: tuple[str, ...] = ()
    step: Step | None = None
    sure: bool = True
    failure: str | None = None
    failures: int = 0

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return self.step is None and next_step(self) is None


def next_step(held: Held) -> Step | None:
    """The next message; None: the terminal holds what it has to."""
    if held.wanted is None:
        return Step(held.may_hold[0], None) if held.may_hold else None
    version, shape = held.wanted
    if held.holds == version:
        return None
    if held.holds is not None and held.may_hold == (shape,):
        return Step(shape, version, there=True)
    if held.may_hold:
        return Step(held.may_hold[0], None)
    return Step(shape, version)


def begin(held: Held, step: Step) -> Held:
    """``step`` is asked."""
    may_hold = (
        held.may_hold if step.shape in held.may_hold or step.version is None else (*held.may_hold, step.shape)
    )
    return replace(held, step=step, sure=held.holds is not None, may_hold=may_hold)


def heard(held: Held, state: CommandState, failure: str | None, *, sent: bool) -> Held:
    """The command of ``held.step`` has ended so. ``sent``: whether a gateway had ever taken it."""
    step = held.step
    if step is None:
        return held
    after = replace(held, step=None)
    # What was not there cannot be deleted: some terminals say so.
    gone = step.version is None and not held.sure and failure == CommandFailure.REFUSED
    if state in (CommandState.DELIVERED, CommandState.ANSWERED) or gone:
        rest = tuple(shape for shape in held.may_hold if shape != step.shape)
        may_hold = rest if step.version is None else (*rest, step.shape)
        return replace(after, holds=step.version, may_hold=may_hold, failure=None, failures=0)
    return replace(
        after, holds=None if sent else held.holds, failure=failure or str(state), failures=held.failures + 1
    )  # fmt: skip


def doubted(held: Held) -> Held:
    """The terminal has registered anew or was restarted: nobody knows what it holds."""
    return replace(held, holds=None, failure=None, failures=0)


def pause_s(held: Held) -> int | None:
    """After how many seconds it is tried again after a failure; None: not by itself."""
    if held.failure not in _PASSES and held.failure != CommandState.EXPIRED:
        return None
    return min(LONGEST_S, FIRST_S << min(held.failures - 1, 10))
