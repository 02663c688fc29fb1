"""The figures of the last day, read again: put together by the database in steps of time, one row of a process for each step.

A step in which a process has no sample is a gap: no number, never 0. Rates are counts by the seconds that the samples cover, so a
process that began in the middle of a step, or began again, shows neither a dip nor a spike.
"""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from runtime.connection import Connection
from runtime.metrics import quantile
from runtime.operations.figures import EVERY_S, FIGURES, KEPT_S, QUANTILES, SPREADS, Combine, Figure, Spread

#: Points of an answer, at most.
MOST_POINTS: Final = 720
#: Steps that are offered, in seconds.
STEPS: Final = (10, 30, 60, 120, 300, 600, 900, 1800, 3600)
#: Samples of the newest moment may not be written yet.
_WRITTEN_AFTER_S: Final = 2

Column = list[float | None]

_COMBINE: Final[Mapping[Combine, Callable[[Sequence[float]], float]]] = {
    "sum": math.fsum, "max": max, "min": min, "avg": lambda found: math.fsum(found) / len(found),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Window:
    """``points`` steps of ``step_s`` seconds from ``from_s`` (seconds since 1970) on."""

    from_s: int
    step_s: int
    points: int

    @property
    def to_s(self) -> int:
        """The end, not included."""
        return self.from_s + self.step_s * self.points


def window(now_s: float, from_s: float | None, to_s: float | None, step_s: int | None) -> Window:
    """What is asked for, as far as it is kept and over: by itself the last day, in the smallest step that is not too fine. Raises
    ValueError for a step that gives too many points (its text says what would do)."""
    step = step_s or STEPS[0]
    last = min(now_s - _WRITTEN_AFTER_S, math.inf if to_s is None else to_s)
    first = max(now_s - KEPT_S, last - 24 * 3600 if from_s is None else from_s)
    if step_s is None:
        step = next((each for each in STEPS if (last - first) / each <= MOST_POINTS / 2), STEPS[-1])
    end = int(last // step) * step
    begin = int(-(-first // step)) * step
    points = max(0, (end - begin) // step)
    if points > MOST_POINTS:
        fits = next((each for each in STEPS if (end - begin) / each <= MOST_POINTS), STEPS[-1])
        raise ValueError(str(fits))
    return Window(begin, step, points)


@dataclass(slots=True)
class Process:
    """The figures of one process by name, a value for each step. ``starts_s``: when it was started within the window. ``spreads``:
    observations by bucket, by step; ``rejects``: refused a second, by reason."""

    process: str
    instance: str
    version: str
    starts_s: list[float] = field(default_factory=list)
    columns: dict[str, Column] = field(default_factory=dict)
    spreads: dict[str, dict[int, list[int]]] = field(default_factory=lambda: defaultdict(dict))
    rejects: dict[str, Column] = field(default_factory=dict)


def _sql() -> str:
    how = {"sum": "sum", "max": "max", "min": "min", "avg": "avg"}
    scalars = [
        f"{'sum' if figure.counts else how[figure.over_time]}({figure.name}) AS {figure.name}"
        for figure in FIGURES
    ]
    spreads = [
        f"CASE WHEN count({spread.name}) > 0 THEN ARRAY["
        + ", ".join(f"sum({spread.name}[{n}])" for n in range(1, len(spread.bounds) + 2))
        + f"]::bigint[] END AS {spread.name}"
        for spread in SPREADS
    ]
    # A sample is of the seconds before it: it belongs where their middle is.
    return (
        "SELECT process, instance, floor((extract(epoch FROM at) - least(seconds, $4::float8) / 2 - $1::float8) / $3::float8)::int AS slot,"  # noqa: S608 - our own names
        " sum(seconds) AS seconds, max(version) AS version, array_agg(DISTINCT extract(epoch FROM started_at)::float8) AS starts, "
        + ", ".join([*scalars, *spreads])
        + " FROM process_samples"
        " WHERE at > to_timestamp($1::float8) AND at <= to_timestamp($2::float8 + $4::float8)"
        " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )


_ROWS: Final = _sql()
_REJECTS: Final = (
    "SELECT s.process, s.instance, floor((extract(epoch FROM s.at) - least(s.seconds, $4::float8) / 2 - $1::float8) / $3::float8)::int"
    " AS slot, r.key AS reason, sum(r.value::float8) AS refused FROM process_samples s, jsonb_each_text(s.rejects) r"
    " WHERE s.at > to_timestamp($1::float8) AND s.at <= to_timestamp($2::float8 + $4::float8) AND s.rejects IS NOT NULL"
    " GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
)


async def load(connection: Connection, wanted: Window) -> list[Process]:
    """Every process with a sample in ``wanted``, by name."""
    arguments = (float(wanted.from_s), float(wanted.to_s), float(wanted.step_s), float(EVERY_S))
    rows, refused = await connection.fetch(_ROWS, *arguments), await connection.fetch(_REJECTS, *arguments)
    # A day of many processes takes a tenth of a second: other requests go on meanwhile.
    return await asyncio.to_thread(_columns, rows, refused, wanted)


def _columns(rows: Sequence[Any], refused: Sequence[Any], wanted: Window) -> list[Process]:
    found: dict[tuple[str, str], Process] = {}
    covered: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for row in rows:
        slot, name = row["slot"], (row["process"], row["instance"])
        if not 0 <= slot < wanted.points:
            continue
        of = found.setdefault(name, Process(*name, row["version"]))
        of.version = row["version"]
        of.starts_s += [at for at in row["starts"] if at not in of.starts_s and wanted.from_s <= at]
        covered[name][slot] = row["seconds"]
        for figure in FIGURES:
            if (value := row[figure.name]) is not None:
                column = of.columns.setdefault(figure.name, [None] * wanted.points)
                column[slot] = value / row["seconds"] if figure.counts else value
        for spread in SPREADS:
            if (counts := row[spread.name]) is not None:
                of.spreads[spread.name][slot] = counts
    for row in refused:
        name, slot = (row["process"], row["instance"]), row["slot"]
        if name in found and slot in covered[name]:
            # Where nothing was refused for a reason, none were; where the process was away, that is not known.
            fresh: Column = [0.0 if n in covered[name] else None for n in range(wanted.points)]
            column = found[name].rejects.setdefault(row["reason"], fresh)
            column[slot] = row["refused"] / covered[name][slot]
    for name, of in found.items():
        _spread_back(of, covered[name], wanted)
        for spread in SPREADS:
            if spread.name in of.spreads:
                of.columns |= quantiles(spread, of.spreads[spread.name], wanted.points)
    return list(found.values())


def _spread_back(of: Process, covered: Mapping[int, float], wanted: Window) -> None:
    """A process that was too busy to note its figures in time has counted all the same: what its next sample covers of the steps
    before has the same rate. How it stood meanwhile nobody knows."""
    for slot, seconds in covered.items():
        for before in range(slot - round(seconds / wanted.step_s) + 1, slot):
            if before >= 0 and before not in covered:
                for figure in FIGURES:
                    if figure.counts and figure.name in of.columns:
                        of.columns[figure.name][before] = of.columns[figure.name][slot]


def quantiles(spread: Spread, by_slot: Mapping[int, Sequence[int]], points: int) -> dict[str, Column]:
    """The columns of the quantiles of ``spread``: no number where nothing was observed."""
    columns: dict[str, Column] = {f"{spread.name}_{name}": [None] * points for name in QUANTILES}
    for slot, counts in by_slot.items():
        up_to, sums = 0, {}
        for bound, count in zip((*spread.bounds, math.inf), counts, strict=True):
            up_to += count
            sums[bound] = float(up_to)
        for name, q in QUANTILES.items():
            columns[f"{spread.name}_{name}"][slot] = quantile(sums, q)
    return columns


def together(processes: Iterable[Process], points: int) -> Process:
    """The figures of all ``processes`` as one: of those that are known at a step."""
    known = list(processes)
    total = Process("", "", "")
    for figure in FIGURES:
        columns = [of.columns[figure.name] for of in known if figure.name in of.columns]
        if columns:
            total.columns[figure.name] = _combined(columns, figure)
    for reason in sorted({reason for of in known for reason in of.rejects}):
        columns = [of.rejects[reason] for of in known if reason in of.rejects]
        total.rejects[reason] = _added(columns)
    for spread in SPREADS:
        sums: dict[int, list[int]] = {}
        for of in known:
            for slot, counts in of.spreads.get(spread.name, {}).items():
                sums[slot] = [a + b for a, b in zip(sums.get(slot) or [0] * len(counts), counts, strict=True)]
        if sums:
            total.columns |= quantiles(spread, sums, points)
    return total


def _combined(columns: Sequence[Column], figure: Figure) -> Column:
    combine = _COMBINE["sum" if figure.counts else figure.together]
    made: Column = []
    for values in zip(*columns, strict=True):
        there = [value for value in values if value is not None]
        made.append(combine(there) if there else None)
    return made


def _added(columns: Sequence[Column]) -> Column:
    made: Column = []
    for values in zip(*columns, strict=True):
        there = [value for value in values if value is not None]
        made.append(math.fsum(there) if there else None)
    return made


@dataclass(frozen=True, slots=True)
class Last:
    """The newest sample of a process: what it said then. ``age_s``: how long ago."""

    process: str
    instance: str
    version: str
    started_at_s: float
    at_s: float
    age_s: float
    leaving: bool
    values: Mapping[str, Any]


async def newest(connection: Connection) -> list[Last]:
    """The newest sample of each process of the last day, by name."""
    rows = await connection.fetch(
        "SELECT s.*, extract(epoch FROM s.at)::float8 AS at_s, extract(epoch FROM s.started_at)::float8 AS started_s,"
        " extract(epoch FROM clock_timestamp() - s.at)::float8 AS age_s FROM process_samples s JOIN"
        " (SELECT process, instance, max(at) AS at FROM process_samples WHERE at > now() - interval '25 hours' GROUP BY 1, 2) n"
        " USING (process, instance, at) ORDER BY process, instance"
    )
    return [
        Last(
            row["process"], row["instance"], row["version"], row["started_s"], row["at_s"], max(0.0, row["age_s"]), row["leaving"],
            {figure.name: row[figure.name] / row["seconds"] if figure.counts else row[figure.name]
             for figure in FIGURES if row[figure.name] is not None},
        )
        for row in rows
    ]  # fmt: skip
