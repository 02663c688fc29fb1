"""Facts of the registry that the program cannot read, for a fault of its own or of a row: each is set aside, and the others go
on. Nothing is judged that rests on one: a fact that is missing must not look like one that was never entered.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from runtime.errors import text_of

_logger = logging.getLogger(__name__)

#: The kinds of facts, as metrics and people name them: those of the fleet snapshot, and the others.
KINDS_OF_FLEET: Final = ("vehicle", "terminal_binding", "fence", "order", "parameter")
CALENDAR_DAY: Final = "calendar_day"
CLOCK_CORRECTION: Final = "clock_correction"


#: How the reason begins for which a vehicle is put off that rests on such a fact.
MARK: Final = "UnreadableFact: "


class UnreadableFactError(Exception):
    """What was asked rests on a fact that cannot be read. A fault of the program (``runtime.faults``): who gets it is put off."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A fact that cannot be read. ``id``: as the office knows it; ``vehicles``: the numbers of the vehicles that are not judged
    for it, None = all."""

    kind: str
    id: str
    error: str
    vehicles: frozenset[int] | None = frozenset()

    def __str__(self) -> str:
        return f"{MARK}{self.kind} {self.id}: {self.error}"


def unreadable(kind: str, id: str, error: BaseException, vehicles: Collection[int] | None = ()) -> Unreadable:
    """The fact (``kind``, ``id``), on which ``error`` came."""
    return Unreadable(kind, id, text_of(error), None if vehicles is None else frozenset(vehicles))


def tell(facts: Iterable[Unreadable]) -> None:
    """Say in the log which facts cannot be read."""
    for fact in facts:
        _logger.error(
            "登记资料无法读取，相关车辆暂不判定，其余照常 / a fact of the registry cannot be read; what it concerns is not judged,"
            " everything else is: %s", fact,
        )  # fmt: skip
