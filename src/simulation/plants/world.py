"""What a scenario consists of: facts of the office, reports of terminals, and the labels that say what must come out.

Times are whole seconds since 1970 UTC while planning; facts carry RFC 3339 times, reports microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from runtime.units import CHINA, US_PER_S, from_us
from simulation.city.roads import RoadNetwork
from telemetry.positions import PositionBatch

#: Outcomes of labels: those of the rules, and ``none``: no alert stands (one may have stood and been withdrawn).
SUSPECTED, NORMAL, UNDETERMINED, NONE = "suspected", "normal", "undetermined", "none"


@dataclass(frozen=True, slots=True)
class Fact:
    """A record of the registry and when the office enters it. ``kind``: as in ``registry.records.KINDS``,
    ``parameters`` or ``seals``. Records of one ``(kind, id)`` hold in the order in which they are entered."""

    at_s: int
    kind: str
    body: dict[str, Any]

    @property
    def key(self) -> tuple[str, str]:
        """What the record is a version of."""
        if self.kind == "parameters":
            return self.kind, f"{self.body['rule']}.{self.body['name']}"
        return self.kind, str(self.body["id"])


@dataclass(frozen=True, slots=True)
class Label:
    """What must come out of one plant.

    ``subject``: the rule's own name of it; None (location): the alert of ``vehicle`` that overlaps [from, to].
    ``reason``: code of the rule's reason, '' = not labelled. ``severity``: '' = not labelled. ``kind``: how it was
    planted.
    """

    rule: str
    kind: str
    outcome: str
    subject: str | None = None
    reason: str = ""
    severity: str = ""
    vehicle: str | None = None
    from_s: int = 0
    to_s: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """A scenario. ``reports.terminal`` is an index into ``phones`` here; rows are in the order of their arrival
    (``received_us``). ``start_s``/``end_s``: the labelled month; facts and reports of the months before it are there
    too. ``judged_s``: when everything that is to be judged can be."""

    seed: int
    month: date
    network: RoadNetwork
    start_s: int
    end_s: int
    judged_s: int
    vehicles: int
    facts: Sequence[Fact]
    phones: Sequence[str]
    reports: PositionBatch
    labels: Sequence[Label]

    def kinds(self) -> list[str]:
        """Every kind of plant."""
        return sorted({label.kind for label in self.labels})


def stamp(seconds: int) -> str:
    """RFC 3339, GMT+8."""
    return from_us(seconds * US_PER_S).astimezone(CHINA).isoformat()
