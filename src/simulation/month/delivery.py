"""In which order the facts and reports of a scenario come in: as they happened, or in disorder.

Disorder: facts and reports in any order, reports doubled, everything after the month is over. Two things keep their order
because they do in life: versions of one record, and what cannot be entered before another (a vehicle before its order, the
disposal before the plate's next vehicle). And each month comes after the one before it: what is more than 62 days older than
its vehicle's newest position is stored, not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from runtime.units import US_PER_S
from simulation.plants.planner import DAY, HOUR
from simulation.plants.world import Fact, World
from telemetry.positions import PositionBatch

#: What other records refer to; their first versions come first whatever the order.
FOUNDATION = ("organisations", "vehicles", "drivers", "terminals", "fuel-stations", "fuel-cards")
#: The order of kinds within one step.
KINDS = (
    *FOUNDATION, "parameters", "fences", "calendar-days", "dispatch-orders", "fuel-transactions", "violations", "seals",
)  # fmt: skip
#: After the last step the clock goes on by so much, several times: what waits is looked at again within a day.
PAUSE_S, PAUSES = 25 * HOUR, 4


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What comes in until ``clock_s``. ``reports``: records of the log, in the order in which they are appended."""

    clock_s: int
    facts: Sequence[Fact]
    reports: Sequence[PositionBatch]


def in_order(world: World, *, step_s: int = DAY) -> Iterator[Step]:
    """As it happened, in steps of ``step_s`` within the month and of thirty days before it."""
    first = world.facts[0].at_s
    clocks = list(range(first + HOUR, world.start_s, 30 * DAY))
    clocks += range(world.start_s, world.judged_s, step_s)
    clocks.append(world.judged_s)
    at = np.array([f.at_s for f in world.facts])
    received = world.reports.received_us
    done_facts = done_rows = 0
    for clock in clocks:
        facts_to = int(np.searchsorted(at, clock, side="right"))
        rows_to = int(np.searchsorted(received, clock * US_PER_S, side="right"))
        rows = np.arange(done_rows, rows_to)
        yield Step(clock, world.facts[done_facts:facts_to], list(_records(world.reports, rows)))
        done_facts, done_rows = facts_to, rows_to
    yield from _after(world)


def in_disorder(world: World, seed: int, *, steps: int = 5, doubled: float = 0.1) -> Iterator[Step]:
    """In any order, ``doubled`` of the reports twice, when the month is long over."""
    rng = np.random.default_rng([seed, 17])
    known: set[tuple[str, str]] = set()
    base: list[Fact] = []
    rest: list[Fact] = []
    for fact in world.facts:
        first = fact.kind in FOUNDATION and fact.key not in known
        taken = (
            fact.kind == "vehicles" and fact.at_s > world.facts[0].at_s
        )  # its plate may be another's until then
        (base if first and not taken else rest).append(fact)
        known.add(fact.key)
    yield Step(world.judged_s, base, ())
    edges = [world.start_s - k * 30 * DAY for k in (2, 1, 0)]
    of_fact = np.searchsorted(np.array(edges), np.array([f.at_s for f in rest]), side="right")
    of_row = np.searchsorted(np.array(edges) * US_PER_S, world.reports.device_us, side="right")
    for part in range(len(edges) + 1):
        facts = _shuffled([f for f, its in zip(rest, of_fact, strict=True) if its == part], rng)
        rows = np.flatnonzero(of_row == part)
        again = rng.choice(rows, int(doubled * len(rows)), replace=False)
        rows = rng.permutation(np.concatenate([rows, again]))
        count = steps if part == len(edges) else 1
        fact_cuts = np.sort(rng.integers(0, len(facts) + 1, count - 1)).tolist()
        row_cuts = np.linspace(0, len(rows), count + 1).astype(int).tolist()
        for k, (start, end) in enumerate(zip([0, *fact_cuts], [*fact_cuts, len(facts)], strict=True)):
            here = rows[row_cuts[k] : row_cuts[k + 1]]
            yield Step(world.judged_s, facts[start:end], list(_records(world.reports, here)))
    yield from _after(world)


def _shuffled(facts: Sequence[Fact], rng: np.random.Generator) -> list[Fact]:
    """In any order; those of one group keep theirs: versions of a record, vehicles, terminals."""
    groups: dict[object, list[int]] = {}
    for k, fact in enumerate(facts):
        groups.setdefault(fact.kind if fact.kind in ("vehicles", "terminals") else fact.key, []).append(k)
    place = rng.permutation(len(facts))
    for rows in groups.values():
        place[rows] = np.sort(place[rows])
    return [facts[k] for k in np.argsort(place).tolist()]


def _after(world: World) -> Iterator[Step]:
    for k in range(1, PAUSES + 1):
        yield Step(world.judged_s + k * PAUSE_S, (), ())


def _records(reports: PositionBatch, rows: np.ndarray, most: int = 20_000) -> Iterator[PositionBatch]:
    for start in range(0, len(rows), most):
        yield reports.take(rows[start : start + most])


def waves(facts: Sequence[Fact]) -> Iterator[list[Fact]]:
    """The facts of a step by kind, each record at most once in a wave, versions in their order."""
    for kind in KINDS:
        waiting = [fact for fact in facts if fact.kind == kind]
        while waiting:
            seen: set[tuple[str, str]] = set()
            wave: list[Fact] = []
            later: list[Fact] = []
            for fact in waiting:
                (later if fact.key in seen else wave).append(fact)
                seen.add(fact.key)
            yield wave
            waiting = later
