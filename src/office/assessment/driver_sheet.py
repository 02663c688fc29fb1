"""The quarterly sheet of a driver (驾驶员季度考核表): from facts and a table to lines and a score. Pure.

score = 100 - what the lines cost + what the unit adds by hand, at most 100 and at least 0. A line costs its points, at most what its item still has (used up in the order of
days). What is not determined costs nothing, and is counted beside. All in hundredths of a point, as integers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from office.assessment.driver_table import FACT_NAMES, DriverFact, DriverScoreTable
from office.assessment.sheet import JUDGED, NO_DATA, digest
from office.assessment.table import FULL, hundredths, shown


@dataclass(frozen=True, slots=True)
class Found:
    """A fact. ``source``: the id of the record that says so; ``number``: as people know it; ``what``: in words."""

    fact: DriverFact
    source: str
    number: str
    day: date
    what: str


@dataclass(frozen=True, slots=True)
class Open:
    """What could not be determined: how often, and why, in words."""

    fact: DriverFact
    count: int
    why: str


@dataclass(frozen=True, slots=True)
class Added:
    """What the unit adds by hand, in hundredths, and why."""

    points: int
    reason: str


def line_of(found: Found) -> str:
    """Names a line for ever."""
    return f"{found.fact}:{found.source}"


def sheet_of(
    driver: str, name: str, period: str, table: Mapping[str, Any], terms: DriverScoreTable, facts: Iterable[Found], undetermined: Sequence[Open],
    added: Added | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The sheet as it is shown and frozen. ``table``: which version ``terms`` are. ``digest`` names exactly this content."""
    entries = {entry.fact: entry for entry in terms.entries}
    maxima, used = terms.maxima, dict.fromkeys(terms.maxima, 0)
    lines = []
    for found in sorted(set(facts), key=lambda each: (each.day, each.fact, each.source)):
        entry = entries.get(found.fact)
        if entry is None:
            continue
        points = hundredths(entry.points)
        deducted = min(points, maxima[entry.item] - used[entry.item])
        used[entry.item] += deducted
        lines.append(
            {
                "line": line_of(found), "item": entry.item, "fact": found.fact, "fact_name": FACT_NAMES[found.fact], "source": found.source,
                "number": found.number, "day": found.day.isoformat(), "what": found.what, "points": shown(points), "deducted": shown(deducted),
                "capped": deducted < points,
            }
        )  # fmt: skip
    judged = {entry.item for entry in terms.entries}
    plus = 0 if added is None else added.points
    score = min(FULL - sum(used.values()) + plus, FULL)
    made: dict[str, Any] = {
        "driver": driver, "name": name, "period": period, "table": dict(table), "objection_wd": terms.objection_wd,
        "items": [
            {"code": i.code, "name": i.name, "maximum": shown(maxima[i.code]), "state": JUDGED if i.code in judged else NO_DATA, "deducted": shown(used[i.code])}
            for i in terms.items
        ],
        "lines": lines,
        "undetermined": [{"fact": each.fact, "fact_name": FACT_NAMES[each.fact], "count": each.count, "why": each.why} for each in undetermined],
        "deducted": shown(sum(used.values())), "added": shown(plus), "added_reason": "" if added is None else added.reason, "score": shown(score),
    }  # fmt: skip
    return made | {"digest": digest(made)}


def after_objections(sheet: Mapping[str, Any], upheld: Collection[str]) -> str:
    """The score of an issued sheet without the lines that objections took away: what their items had used up is used by the others, so it is computed anew."""
    spared = set(upheld)
    maxima = {item["code"]: hundredths(item["maximum"]) for item in sheet["items"]}
    used = dict.fromkeys(maxima, 0)
    for line in sheet["lines"]:
        if line["line"] not in spared:
            used[line["item"]] = min(used[line["item"]] + hundredths(line["points"]), maxima[line["item"]])
    return shown(min(FULL - sum(used.values()) + hundredths(sheet["added"]), FULL))
