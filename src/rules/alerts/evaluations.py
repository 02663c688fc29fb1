"""Reading judgements, whatever their outcome, and what still waits to be judged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rules.alerts.feed import MAX_PAGE
from rules.wording.standard import STANDARD, Wording
from runtime.connection import Connection
from runtime.units import from_us


@dataclass(frozen=True, slots=True)
class EvaluationFilter:
    """None = any. ``vehicle`` is the office's id; ``from_us``/``to_us`` (half open): when it was judged."""

    rule: str | None = None
    subject: str | None = None
    vehicle: str | None = None
    outcome: str | None = None
    from_us: int | None = None
    to_us: int | None = None


@dataclass(frozen=True, slots=True)
class Evidenced:
    """A judgement with the evidence it rests on; hashes are hex, ``sm3`` None where it was not kept."""

    id: int
    rule: str
    subject: str
    outcome: str
    measures: dict[str, dict[str, Any]]
    body: bytes
    sha256: str
    sm3: str | None


async def with_evidence(conn: Connection, rule: str | None, after_id: int, limit: int) -> list[Evidenced]:
    """Judgements that have evidence, of ``rule`` (None = any), in the order they were made, those after ``after_id``."""
    rows = await conn.fetch(
        "SELECT e.id, e.rule, e.subject, e.outcome, e.measures, k.body, k.sha256, k.sm3 FROM evaluations e"
        " JOIN evidence k ON k.sha256 = e.evidence_sha256 WHERE e.id > $1 AND ($2::text IS NULL OR e.rule = $2)"
        " ORDER BY e.id LIMIT $3",
        after_id,
        rule,
        limit,
    )
    return [
        Evidenced(
            r["id"], r["rule"], r["subject"], r["outcome"], r["measures"], r["body"], r["sha256"].hex(),
            None if r["sm3"] is None else r["sm3"].hex(),
        )
        for r in rows
    ]  # fmt: skip


async def list_evaluations(
    conn: Connection,
    wanted: EvaluationFilter,
    *,
    limit: int = 100,
    before_id: int | None = None,
    wording: Wording = STANDARD,
) -> list[dict[str, Any]]:
    """Judgements, the newest first, those before ``before_id``; at most MAX_PAGE. Each: id, rule, rule_version, subject,
    vehicle, outcome, reason_code, reason (Chinese), reason_en, measures, parameters, evidence_hash, evaluated_at. All that
    were ever made are kept; of a subject the first one here is the one that holds. What was written before there were codes
    keeps its words."""
    rows = await conn.fetch(
        "SELECT e.id, e.rule, e.rule_version, e.subject, v.id AS vehicle, e.outcome, e.reason_code, e.reason_named,"
        " e.reason, e.reason_en, e.measures, e.parameters,"
        " encode(e.evidence_sha256, 'hex') AS evidence_hash, e.evaluated_at FROM evaluations e"
        " LEFT JOIN vehicles v ON v.no = e.vehicle_no"
        " WHERE ($1::text IS NULL OR e.rule = $1) AND ($2::text IS NULL OR e.subject = $2)"
        " AND ($3::text IS NULL OR e.vehicle_no = (SELECT no FROM vehicles WHERE id = $3))"
        " AND ($4::text IS NULL OR e.outcome = $4) AND ($5::timestamptz IS NULL OR e.evaluated_at >= $5)"
        " AND ($6::timestamptz IS NULL OR e.evaluated_at < $6) AND ($7::bigint IS NULL OR e.id < $7)"
        " ORDER BY e.id DESC LIMIT $8",
        wanted.rule,
        wanted.subject,
        wanted.vehicle,
        wanted.outcome,
        _time(wanted.from_us),
        _time(wanted.to_us),
        before_id,
        min(limit, MAX_PAGE),
    )
    return [_told(dict(row), wording) for row in rows]


def _told(row: dict[str, Any], wording: Wording) -> dict[str, Any]:
    """A row with its reason in words."""
    named = row.pop("reason_named")
    if row["reason"] is None:
        row["reason"], row["reason_en"] = wording.reason(
            row["rule"], row["rule_version"], row["reason_code"], named
        )
    return row


async def list_waiting(
    conn: Connection, *, limit: int = 100, after: tuple[str, str] | None = None
) -> list[dict[str, Any]]:
    """What the judge has looked at and could not judge for good yet, by (kind, key), after the one given: kind, key,
    due_at (looked at again then), attempts, waits_for; at most MAX_PAGE."""
    kind, key = after or ("", "")
    rows = await conn.fetch(
        "SELECT gatherer AS kind, key, due_at, attempts, waits_for FROM judge_due WHERE waits_for <> ''"
        " AND (gatherer, key) > ($1, $2) ORDER BY gatherer, key LIMIT $3",
        kind,
        key,
        min(limit, MAX_PAGE),
    )
    return [dict(row) for row in rows]


def _time(us: int | None) -> datetime | None:
    return None if us is None else from_us(us)
