"""What the worker did, counted when it is committed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from rules.alerts.model import Alert, Judgement
from rules.live import metrics
from rules.live.pieces import Piece


@dataclass(slots=True)
class Counts:
    """What one worker has committed so far. ``rows`` = ``stored`` + ``duplicates`` + ``quarantined``, exactly, and ``records``
    are decoded, ``rejected`` or set aside undecoded. ``retried``: rows of the quarantine that were stored after all (or were
    there already); they are counted nowhere else a second time."""

    records: int = 0
    rejected: int = 0
    rows: int = 0
    stored: int = 0
    duplicates: int = 0
    quarantined: int = 0
    retried: int = 0
    late: int = 0
    too_late: int = 0
    transactions: int = 0
    slices: int = 0
    failures: int = 0


@dataclass(slots=True)
class Turn:
    """What one transaction did. ``judged``: rows by what the kernels did; ``recomputed``: vehicles by cause;
    ``silent``: orders settled by the clock; ``reminded``: reasons to remind somebody, by (condition, what became of it)."""

    stored: int = 0
    duplicates: int = 0
    judged: Counter[str] = field(default_factory=Counter)
    recomputed: Counter[str] = field(default_factory=Counter)
    judgements: list[Judgement] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    silent: int = 0
    reminded: Counter[tuple[str, str]] = field(default_factory=Counter)


def add(counts: Counts, piece: Piece, turn: Turn) -> None:
    """Add a committed transaction over ``piece`` to ``counts`` and to the metrics."""
    rows, kept = len(piece.batch), sum(one.rows or 0 for one in piece.aside)
    undecoded = sum(1 for one in piece.aside if one.rows is None)
    counts.transactions += 1
    counts.late += turn.judged["late"]
    counts.too_late += turn.judged["too_late"]
    metrics.TRANSACTIONS.labels("committed").inc()
    metrics.TRANSACTION_ROWS.observe(rows)
    if piece.tried is None:
        records, rejected = len(piece.records), len(piece.rejected)
        counts.records += records
        counts.rejected += rejected
        counts.rows += rows + kept
        counts.stored += turn.stored
        counts.duplicates += turn.duplicates
        counts.quarantined += kept
        metrics.RECORDS.labels("decoded").inc(records - rejected - undecoded)
        metrics.RECORDS.labels("rejected").inc(rejected)
        metrics.RECORDS.labels("quarantined").inc(undecoded)
        metrics.RECORDS_UNREADABLE.inc(sum(1 for record in piece.records if record.unreadable))
        metrics.ROWS.labels("stored").inc(turn.stored)
        metrics.ROWS.labels("duplicate").inc(turn.duplicates)
        metrics.ROWS.labels("quarantined").inc(kept)
    else:
        counts.retried += rows
        metrics.RETRIED.labels("stored").inc(turn.stored)
        metrics.RETRIED.labels("duplicate").inc(turn.duplicates)
        metrics.RETRIED.labels("failed").inc(kept)
    for what, number in turn.judged.items():
        metrics.JUDGED.labels(what).inc(number)
    for (condition, result), number in turn.reminded.items():
        metrics.REMINDERS.labels(condition, result).inc(number)
    add_found(turn)


def add_found(turn: Turn) -> None:
    """Add what a committed transaction has found to the metrics."""
    for what, number in turn.recomputed.items():
        metrics.RECOMPUTED.labels(what).inc(number)
    for judgement in turn.judgements:
        metrics.EVALUATIONS.labels(judgement.rule, judgement.outcome).inc()
    for alert in turn.alerts:
        metrics.ALERTS.labels(alert.rule, alert.status).inc()
