"""The assessment sheet (考核评分表) of a unit and a period: from closings and tables to lines and a score. Pure.

score = 100 - what the lines cost + corrections. A line costs its points, at most what its item still has (the cap is used up in the
order of days, then numbers), less what came back after rectification. So the sum of the lines is the total, item by item:
min(maximum, sum of points), less what came back. All in hundredths of a point, as integers.

A closed sheet is never changed. What its lines would come to now, less what is booked, is a correction (冲正) in the period
that follows the last closed one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, NamedTuple, Protocol

from office.assessment.periods import Period, parse
from office.assessment.table import FULL, Fact, ScoreEntry, ScoreTable, hundredths, shown, signed

#: What an item or an indicator is.
JUDGED: Final = "judged"
NO_DATA: Final = "not judged: no data"


class Closing(Protocol):
    """The close of a case that stands, as supervision has it."""

    @property
    def number(self) -> str: ...
    @property
    def organisation(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def day(self) -> date: ...
    @property
    def finding(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def rules(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def replies(self) -> int: ...
    @property
    def late_replies(self) -> int: ...
    @property
    def signings(self) -> int: ...
    @property
    def late_signings(self) -> int: ...
    @property
    def returned(self) -> int: ...
    @property
    def measures_due(self) -> date | None: ...
    @property
    def rectified(self) -> date | None: ...
    @property
    def late_wd(self) -> int: ...
    @property
    def undecided(self) -> bool: ...


class Key(NamedTuple):
    """Names a line for ever, by the number of its case: a case that is closed anew gives other lines."""

    number: str
    version: int
    item: str
    fact: str


@dataclass(frozen=True, slots=True)
class Version:
    """A published table of ``organisation`` and its year, from a day on. Version 0: the one that is shipped."""

    organisation: str
    year: int
    version: int
    valid_from: date
    table: ScoreTable


@dataclass(frozen=True, slots=True)
class Line:
    """``points``: of each of ``count``; ``deducted``: what the cap left of them; ``percent``: how much of it came back (None: it was not
    rectified, or the office has not accepted it yet)."""

    key: Key
    day: date
    finding: str
    rule: str | None
    severity: str | None
    points: int
    count: int
    deducted: int
    given_back: int
    percent: int | None
    measures_due: date | None
    rectified: date | None
    late_wd: int
    upheld: bool
    version: int

    @property
    def full(self) -> int:
        return self.points * self.count

    @property
    def net(self) -> int:
        return self.deducted - self.given_back

    def show(self) -> dict[str, Any]:
        """For answers, and as it is frozen."""
        return {
            **self.key._asdict(),
            "day": self.day.isoformat(),
            "finding": self.finding,
            "rule": self.rule,
            "severity": self.severity,
            "points": shown(self.points),
            "count": self.count,
            "full": shown(self.full),
            "deducted": shown(self.deducted),
            "capped": not self.upheld and self.deducted < self.full,
            "given_back": shown(self.given_back),
            "given_back_percent": self.percent,
            "given_back_why": self._why(),
            "measures_due": _day(self.measures_due),
            "rectified": _day(self.rectified),
            "objection_upheld": self.upheld,
            "net": shown(self.net),
            "table_version": self.version,
        }

    def _why(self) -> str | None:
        if self.percent is None or self.rectified is None:
            return None
        when = (
            f"逾期 {self.late_wd} 个工作日 / {self.late_wd} WD late" if self.measures_due and self.rectified > self.measures_due
            else "按期 / in time"
        )  # fmt: skip
        return f"{self.rectified} 整改，期限 {self.measures_due}，{when}，返还 {self.percent}%"


@dataclass(frozen=True, slots=True)
class Correction:
    """``amount`` comes back to the unit (negative: it costs more) for a line of the closed period ``of``."""

    of: Period
    key: Key
    booked: int
    now: int
    why: str

    @property
    def amount(self) -> int:
        return self.booked - self.now

    def show(self) -> dict[str, Any]:
        return {
            "of": str(self.of),
            **self.key._asdict(),
            "booked": shown(self.booked),
            "now": shown(self.now),
            "amount": shown(self.amount),
            "why": self.why,
        }


@dataclass(frozen=True, slots=True)
class Frozen:
    """A closed sheet. ``body``: as ``Sheet.body`` made it."""

    period: Period
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sheet:
    """``versions``: the tables that hold in the period."""

    organisation: str
    period: Period
    versions: tuple[Version, ...]
    lines: tuple[Line, ...]
    corrections: tuple[Correction, ...] = field(default=())

    @property
    def score(self) -> int:
        return FULL - sum(line.net for line in self.lines) + sum(each.amount for each in self.corrections)

    def items(self) -> list[dict[str, Any]]:
        """Each item of the table that holds at the end of the period; and those of which only older tables know."""
        found: dict[str, tuple[str, int, bool]] = {}
        for version in self.versions:
            judged = version.table.judged
            for item in version.table.items:
                found[item.code] = item.name, hundredths(item.maximum), item.code in judged
        answer = []
        for code, (name, maximum, known) in found.items():
            own = [line for line in self.lines if line.key.item == code]
            some = known or bool(own)
            answer.append(
                {
                    "code": code,
                    "name": name,
                    "maximum": shown(maximum),
                    "state": JUDGED if some else NO_DATA,
                    "points": shown(sum(line.full for line in own if not line.upheld)) if some else None,
                    "deducted": shown(sum(line.deducted for line in own)) if some else None,
                    "given_back": shown(sum(line.given_back for line in own)) if some else None,
                }
            )
        return answer

    def body(self) -> dict[str, Any]:
        """The sheet as it is shown and frozen. ``digest`` names exactly this content."""
        made: dict[str, Any] = {
            "organisation": self.organisation,
            "period": str(self.period),
            "tables": [
                {"organisation": v.organisation, "year": v.year, "version": v.version, "valid_from": v.valid_from.isoformat()}
                for v in self.versions
            ],
            "dispute_wd": self.versions[-1].table.dispute_wd,
            "items": self.items(),
            "lines": [line.show() for line in self.lines],
            "corrections": [each.show() for each in self.corrections],
            "deducted": shown(sum(line.deducted for line in self.lines)),
            "given_back": shown(sum(line.given_back for line in self.lines)),
            "corrected": shown(sum(each.amount for each in self.corrections)),
            "score": shown(self.score),
        }  # fmt: skip
        return made | {"digest": digest(made)}


def digest(content: Mapping[str, Any]) -> str:
    """SHA-256, hex, of ``content`` as canonical JSON."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def in_force(versions: Iterable[Version], day: date) -> Version:
    """The table that holds on ``day``. Raises LookupError."""
    held = [v for v in versions if v.valid_from <= day and v.year == day.year]
    if not held:
        raise LookupError(f"no table for {day}")
    return max(held, key=lambda version: (version.valid_from, version.version))


def lines_of(closings: Iterable[Closing], versions: Sequence[Version], upheld: Collection[Key]) -> list[Line]:
    """What ``closings`` of one unit and one period cost, in the order in which caps are used up."""
    used: dict[str, int] = {}
    caps = {version.version: version.table.maxima for version in versions}
    found: list[Line] = []
    for closing in sorted(closings, key=lambda each: (each.day, each.number)):
        version = in_force(versions, closing.day)
        maxima = caps[version.version]
        for item, fact, rule, severity, points, count in _costs(closing, version.table):
            key = Key(closing.number, closing.version, item, fact)
            full, spared = points * count, key in upheld
            left = max(0, maxima[item] - used.get(item, 0))
            deducted = 0 if spared else min(full, left)
            used[item] = used.get(item, 0) + deducted
            percent = _percent(closing, version.table) if fact is Fact.FINDING else None
            given = 0 if percent is None else (deducted * percent + 50) // 100
            found.append(
                Line(
                    key,
                    closing.day,
                    closing.finding,
                    rule,
                    severity,
                    points,
                    count,
                    deducted,
                    given,
                    percent,
                    closing.measures_due,
                    closing.rectified,
                    closing.late_wd,
                    spared,
                    version.version,
                )
            )
    return found


def _costs(closing: Closing, table: ScoreTable) -> list[tuple[str, Fact, str | None, str | None, int, int]]:
    """(item, fact, rule, severity, points, count) of a closing: of findings the dearest of each item, so that a case which
    bundles many alerts is not paid for many times. Wrong data (数据问题) are not the unit's fault: nothing of that case costs."""
    if closing.finding == "data":
        return []
    dearest: dict[str, tuple[int, str | None, str | None]] = {}
    alerts: Sequence[tuple[str | None, str | None]] = closing.rules or ((None, None),)
    for rule, severity in alerts:
        entry = next(
            (e for e in table.entries if e.fits(closing.finding, rule, severity, closing.source)), None
        )
        if entry is not None and hundredths(entry.points) > dearest.get(entry.item, (0,))[0]:
            dearest[entry.item] = hundredths(entry.points), rule, severity
    found = [
        (item, Fact.FINDING, rule, severity, points, 1)
        for item, (points, rule, severity) in sorted(dearest.items())
    ]
    counts = {
        Fact.LATE_REPLY: closing.late_replies,
        Fact.LATE_SIGN: closing.late_signings,
        Fact.RETURNED: closing.returned,
    }
    for fact, count in counts.items():
        priced: ScoreEntry | None = next((e for e in table.entries if e.fact is fact), None)
        if count and priced is not None:
            found.append((priced.item, fact, None, None, hundredths(priced.points), count))
    return found


def _percent(closing: Closing, table: ScoreTable) -> int | None:
    if closing.rectified is None or closing.measures_due is None:
        return None
    return table.give_back.percent(closing.late_wd, late=closing.rectified > closing.measures_due)


def corrections_of(frozen: Sequence[Frozen], now: Mapping[Period, Sequence[Line]]) -> list[Correction]:
    """What is not booked yet of the closed sheets ``frozen`` (of one series). ``now``: what the lines of those periods come to
    today; a period that is not in it has not changed."""
    booked: dict[tuple[Period, Key], int] = {}
    for sheet in frozen:
        for line in sheet.body["lines"]:
            key = key_of(line)
            booked[sheet.period, key] = booked.get((sheet.period, key), 0) + hundredths(line["net"])
        for each in sheet.body["corrections"]:
            at = parse(each["of"]), key_of(each)
            booked[at] = booked.get(at, 0) - signed(each["amount"])
    found = []
    for period, lines in now.items():
        present = {line.key: line for line in lines}
        keys = present.keys() | {key for of, key in booked if of == period}
        for key in sorted(keys):
            before, line_now = booked.get((period, key), 0), present.get(key)
            after = 0 if line_now is None else line_now.net
            if before != after:
                found.append(Correction(period, key, before, after, _reason(line_now)))
    return sorted(found, key=lambda each: (each.of, each.key))


def _reason(line: Line | None) -> str:
    if line is None:
        return "督办单重新办理或撤销，原扣分取消 / the case was reopened or cancelled"
    if line.upheld:
        return "异议成立，扣分取消 / the objection was upheld"
    if line.given_back:
        return f"整改返还 / given back after rectification: {line.show()['given_back_why']}"
    return "同项其他扣分变动，按满分重算 / other lines of the item changed, its cap was computed anew"


def key_of(row: Mapping[str, Any]) -> Key:
    """Of a line or a correction as it is shown and frozen."""
    return Key(row["number"], row["version"], row["item"], row["fact"])


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
