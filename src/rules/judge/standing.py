"""What stands is not overturned by what could not be looked at.

A fact that is away for a while (an engine that answers nonsense, a calendar that is not known) or for ever (positions that are
not kept any more) makes a judgement undetermined, and an undetermined judgement withdraws an alert. But nothing was found
out: what was found when the fact was there stands until it can really be judged again.
"""

from __future__ import annotations

from collections import defaultdict

from rules.alerts.current import standing
from rules.alerts.model import Judgement
from rules.judge.context import TRACK_NOT_KEPT, Verdicts
from runtime.connection import Connection


async def to_publish(conn: Connection, verdicts: Verdicts) -> list[Judgement]:
    """The judgements of ``verdicts`` but those that must leave what stands: of ``verdicts.absent`` where an alert is
    suspected; for want of positions that are not kept where anything was found before."""
    asked: dict[str, set[str]] = defaultdict(set)
    for judgement in verdicts.judgements:
        if _looked_at_nothing(verdicts, judgement):
            asked[judgement.rule].add(judgement.subject)
    left: set[tuple[str, str]] = set()
    for rule, subjects in asked.items():
        evaluations, alerts = await standing(conn, rule, sorted(subjects))
        for subject in subjects:
            before = evaluations.get(subject)
            alert = alerts.get(subject)
            suspected = alert is not None and alert.status == "suspected"
            judged = before is not None and before.reason != TRACK_NOT_KEPT
            if suspected or (judged and subject not in verdicts.absent):
                left.add((rule, subject))
    return [
        judgement
        for judgement in verdicts.judgements
        if (judgement.rule, judgement.subject) not in left or not _looked_at_nothing(verdicts, judgement)
    ]


def _looked_at_nothing(verdicts: Verdicts, judgement: Judgement) -> bool:
    if judgement.outcome != "undetermined":
        return False
    return judgement.subject in verdicts.absent or judgement.reason == TRACK_NOT_KEPT
