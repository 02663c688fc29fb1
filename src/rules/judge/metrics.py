"""Metrics of the judge."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

from rules.checks.base import Outcome
from rules.judge.context import Gatherer

LEADER = Gauge("gongche_judge_leader", "1 while this process is the judge that leads")
CHANGES = Gauge("gongche_judge_pending_changes", "Changed facts not taken yet")
DUE = Gauge("gongche_judge_due_keys", "Subjects that are due and not judged yet", ["gatherer"])
WAITING = Gauge("gongche_judge_waiting_keys", "Subjects whose facts are not complete yet", ["gatherer"])
KEYS = Counter("gongche_judge_keys_total", "Subjects looked at", ["gatherer", "result"])
SECONDS = Histogram("gongche_judge_batch_seconds", "Time to judge one batch of subjects", ["gatherer"])
EVALUATIONS = Counter("gongche_judge_evaluations_total", "Judgements made", ["rule", "outcome"])
ALERTS = Counter("gongche_judge_alert_versions_total", "Versions of alerts written", ["rule", "status"])
CALENDAR_MISSING = Gauge(
    "gongche_judge_calendar_missing_years", "Years in use whose working days are not published"
)
CALENDAR_UNKNOWN_FROM = Gauge(
    "gongche_judge_calendar_unknown_from_seconds",
    "The first day of which nobody has said whether it is worked, Unix time of its midnight in China; 0 = none",
)
NOTICES = Gauge(
    "gongche_judge_terminal_notices",
    "Notices about terminals that somebody should look at: clocks, exchanged devices, contradictions",
    ["kind"],
)

UNREADABLE_FACTS = Gauge(
    "gongche_judge_unreadable_facts",
    "Facts of the registry that cannot be read; nothing is judged that rests on one",
    ["kind"],
)


def declare(gatherers: Iterable[Gatherer]) -> None:
    """Every series is there from the start, at 0: what never happened is no missing data."""
    for gatherer in gatherers:
        for series in (DUE, WAITING, SECONDS):
            series.labels(gatherer.name)
        for result in ("judged", "put off", "failed"):
            KEYS.labels(gatherer.name, result)
        for rule in gatherer.rules:
            for outcome in Outcome:
                EVALUATIONS.labels(rule, outcome.value)
            for status in ("suspected", "withdrawn"):
                ALERTS.labels(rule, status)
