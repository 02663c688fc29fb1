"""From what a check found to what is stored: the one place where an Evaluation becomes a Judgement."""

from __future__ import annotations

from collections.abc import Mapping

from rules.alerts.model import AlertFacts, Judgement, Measure
from rules.checks.base import Evaluation, Outcome
from rules.evidence import canonical


def judgement_of(
    made: Evaluation, evidence: Mapping[str, object], alert: AlertFacts | None, vehicle_no: int | None, now_us: int,
    *, keep_evidence: bool = False, card: str | None = None, backfill: bool = False,
) -> Judgement:  # fmt: skip
    """The judgement of an evaluation, made at ``now_us``. ``alert`` is needed only when it is suspected; the evidence is
    kept then, else only with ``keep_evidence``. ``card``: the fuel card that it is about, if any. ``backfill``:
    see Judgement."""
    suspected = made.outcome is Outcome.SUSPECTED
    return Judgement(
        made.rule,
        made.rule_version,
        made.subject,
        vehicle_no,
        made.outcome.value,
        made.reason,
        now_us,
        {name: Measure(m["value"], m["unit"]) for name, m in made.measures.items()},
        dict(made.parameters),
        canonical(evidence) if suspected or keep_evidence else None,
        alert if suspected else None,
        (made.from_us, made.to_us),
        card,
        told=made.told,
        named=made.named,
        backfill=backfill,
    )
