"""traffic_violations 违章异常: 一个月内，公务车行驶过程中发生2次以上违章行为.

One vehicle (or, ``by_driver``, one driver) and one natural month (Asia/Shanghai). It fires when a violation of that month
ends a month, back from its time, that holds ``min_violations`` or more (以上). The month before a time is a calendar
month: the same day and time of the month before, its last day where there is no such day; a violation at that very
moment is still within the month (以内). ``natural_month``: only violations of the month itself count together.

A number counts once, whatever records there are of it; a violation that was revoked, or appealed against with success,
does not count. Every act counts: whether it happened while driving, the record does not say reliably. Pure.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NotRequired, TypedDict

from rules.checks.base import Evaluation, Outcome, measure
from rules.evidence import require
from runtime.units import CHINA, from_us, to_us

RULE = "traffic_violations"
VERSION = 1

_VOID: Final = ("revoked", "appealed")


class Vehicle(TypedDict):
    """The vehicle. Days are ISO dates."""

    no: int
    id: str
    plate: str
    organisation: str
    registered_on: str | None
    disposed_on: str | None


class Driver(TypedDict):
    """The driver."""

    id: str
    name: str
    organisation: str


class Record(TypedDict):
    """A violation. ``belongs``: counts or other_vehicle; ``order``: by which the driver was found; ``why`` (see WHY) is
    for people."""

    id: str
    plate: str
    at_us: int
    place: str
    act: str
    fine_fen: int | None
    points: int | None
    status: str
    driver: str | None
    belongs: str
    order: str | None
    why: NotRequired[str]


class Evidence(TypedDict):
    """What a month of one vehicle or driver is judged on. ``unit``: vehicle or driver; ``violations``: of the month and
    the one before."""

    rule: str
    rule_version: int
    subject: str
    unit: str
    month: str
    vehicle: Vehicle | None
    driver: Driver | None
    parameters: dict[str, int]
    violations: list[Record]


def subject(unit: str, id: str, month: str) -> str:
    """Name of the subject; ``unit``: vehicle or driver; ``month``: ``2026-03``."""
    return f"{unit}:{id}:{month}"


def month_span(month: str, months_before: int = 0) -> tuple[int, int]:
    """[from, to) of a natural month and so many months before it, us."""
    return _start(_index(month) - months_before), _start(_index(month) + 1)


def month_before(us: int) -> int:
    """The same day and time of the calendar month before, or its last day; us."""
    at = from_us(us).astimezone(CHINA)
    first = at.replace(day=1) - timedelta(days=1)
    return to_us(first.replace(day=min(at.day, first.day)))


def considered(violations: Sequence[Record]) -> list[tuple[Record, str]]:
    """(record, why), by (time, number): see WHY. Of several records of one number the
    earliest counts; none, where one of them says that it was revoked."""
    rows = sorted(violations, key=_sort_key)
    void = {row["id"]: row["status"] for row in reversed(rows) if row["status"] in _VOID}
    seen: set[str] = set()
    found = []
    for row in rows:
        why = row["belongs"] if row["id"] not in void else str(void[row["id"]])
        if why == "counts":
            why = "duplicate" if row["id"] in seen else why
            seen.add(row["id"])
        found.append((row, why))
    return found


def evaluate(evidence: Evidence) -> Evaluation:
    """Judge one month of one vehicle or driver on its evidence. Parameters: min_violations, natural_month, by_driver.
    Raises EvidenceError for evidence of another rule or version."""
    require(evidence, RULE, VERSION)
    used = evidence["parameters"]
    since, until = month_span(evidence["month"])
    rows = considered(evidence["violations"])
    counting = [row for row, why in rows if why == "counts" and row["at_us"] < until]
    if (evidence["unit"] == "driver") != bool(used["by_driver"]):
        return _result(evidence, Outcome.NORMAL, "other_unit", [], 0, 0, since, until)
    left_out = sum(why != "counts" for _, why in rows)
    times = [row["at_us"] for row in counting]
    ends = range(bisect_left(times, since), len(times))
    most = 0
    taken: set[int] = set()
    for k in ends:
        first = since if used["natural_month"] else month_before(times[k])
        held = range(bisect_left(times, first), bisect_right(times, times[k]))
        most = max(most, len(held))
        if len(held) >= used["min_violations"]:
            taken.update(held)
    if not taken:
        reason = "few" if ends else "none"
        return _result(evidence, Outcome.NORMAL, reason, [], most, left_out, since, until)
    told = [counting[k] for k in sorted(taken)]
    return _result(
        evidence, Outcome.SUSPECTED, "repeated", told, most, left_out, told[0]["at_us"], told[-1]["at_us"]
    )


def _result(
    evidence: Evidence, outcome: Outcome, reason: str, listed: Sequence[Record], most: int, left_out: int,
    from_us_: int, to_us_: int,
) -> Evaluation:  # fmt: skip
    measures = {"violations": measure(most, "1"), "not_counted": measure(left_out, "1")}
    if listed:
        measures["listed"] = measure(len(listed), "1")
    vehicle, driver = evidence["vehicle"], evidence["driver"]
    told = {
        "plate": None if vehicle is None else vehicle["plate"],
        "driver": driver["name"] or driver["id"]
        if driver is not None and evidence["unit"] == "driver"
        else None,
        "month": evidence["month"],
        "acts": [{"at_us": row["at_us"], "place": row["place"], "act": row["act"]} for row in listed[:5]],
    }
    return Evaluation(
        RULE, VERSION, evidence["subject"], outcome, reason, measures, evidence["parameters"], from_us_, to_us_, told
    )  # fmt: skip


def _sort_key(row: Record) -> tuple[Any, ...]:
    # Records of one number and time are told apart by their content, so that the order given never matters.
    return (row["at_us"], row["id"], row["status"], row["belongs"], row["plate"], row["place"], row["act"])


def _index(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:]) - 1


def _start(index: int) -> int:
    return to_us(datetime(index // 12, index % 12 + 1, 1, tzinfo=CHINA))
