"""The alerts a plan must lead to, and the comparison with those that came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rules.catalogue import RULES
from runtime.units import to_us


@dataclass(frozen=True, slots=True)
class ExpectedAlert:
    """One planted violation. Times in microseconds since 1970 UTC: when it truly happened.

    An alert answers it when rule and vehicle (and the order, if one is named) are the same, it is
    ``suspected``, and its time overlaps. ``kind`` says how it was planted. An alert about no vehicle (``vehicle`` is
    ''): its summary must hold ``mention``.
    """

    rule: str
    vehicle: str
    order: str | None
    from_us: int
    to_us: int
    kind: str = ""
    mention: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Planted against found. Exact when ``missing`` and ``unexpected`` are both empty."""

    matched: int
    missing: tuple[ExpectedAlert, ...]
    unexpected: tuple[Mapping[str, Any], ...]

    @property
    def exact(self) -> bool:
        """Every planted violation was found, once, and nothing else."""
        return not self.missing and not self.unexpected


def _us(value: Any) -> int | None:
    if value is None:
        return None
    return value if isinstance(value, int) else to_us(datetime.fromisoformat(str(value)))


def _answers(expected: ExpectedAlert, alert: Mapping[str, Any], slack_us: int) -> bool:
    if alert.get("rule") != expected.rule or (alert.get("vehicle") or "") != expected.vehicle:
        return False
    if expected.mention not in str(alert.get("summary", "")):
        return False
    if expected.order is not None and alert.get("order") != expected.order:
        return False
    start = _us(alert.get("occurred_from"))
    if start is None:
        return False
    end = _us(alert.get("occurred_to"))
    return start <= expected.to_us + slack_us and (end is None or end >= expected.from_us - slack_us)


def _mentions(alert: Mapping[str, Any], marks: Sequence[str]) -> bool:
    return not alert.get("vehicle") and any(mark in str(alert.get("summary", "")) for mark in marks)


def by_rule(
    expected: Iterable[ExpectedAlert], comparison: Comparison
) -> list[tuple[str, int, int, int, int]]:
    """(rule, planted, found, missing, unexpected) of each rule that has any, in the order of the rules."""
    planted = Counter(e.rule for e in expected)
    missing = Counter(e.rule for e in comparison.missing)
    unexpected = Counter(str(a.get("rule")) for a in comparison.unexpected)
    rules = [rule.code for rule in RULES]
    seen = planted.keys() | unexpected.keys()
    return [
        (
            rule,
            planted[rule],
            planted[rule] - missing[rule] + unexpected[rule],
            missing[rule],
            unexpected[rule],
        )
        for rule in sorted(seen, key=lambda r: (rules.index(r) if r in rules else len(rules), r))
    ]


def compare_alerts(
    expected: Sequence[ExpectedAlert],
    alerts: Iterable[Mapping[str, Any]],
    vehicles: Iterable[str] | None = None,
    *,
    slack_s: int = 120,
    marks: Iterable[str] = (),
) -> Comparison:
    """Pair planted violations with alerts, one to one.

    ``alerts``: objects as the API gives them (``rule, status, vehicle, order, occurred_from, occurred_to``);
    withdrawn ones do not count. Only alerts of ``vehicles`` are looked at (None = all), and those about no vehicle
    whose summary holds one of ``marks``, so that older data of the same database does not matter. Where one vehicle has several that could answer, the earliest does.
    """
    mine = None if vehicles is None else set(vehicles)
    own = tuple(marks)
    open_alerts = [
        alert
        for alert in alerts
        if alert.get("status") == "suspected"
        and (mine is None or alert.get("vehicle") in mine or _mentions(alert, own))
    ]
    open_alerts.sort(key=lambda alert: _us(alert.get("occurred_from")) or 0)
    missing = []
    for planted in sorted(expected, key=lambda e: e.from_us):
        for k, alert in enumerate(open_alerts):
            if _answers(planted, alert, slack_s * 1_000_000):
                del open_alerts[k]
                break
        else:
            missing.append(planted)
    return Comparison(len(expected) - len(missing), tuple(missing), tuple(open_alerts))
