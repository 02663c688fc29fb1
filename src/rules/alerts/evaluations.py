"""Reading judgements, whatever their outcome, and what still waits to be judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rules.alerts.conditions import Conditions
from rules.alerts.feed import MAX_PAGE
from rules.wording.standard import STANDARD, Wording
from runtime.apart import not_shown
from runtime.connection import Connection
from runtime.faults import of_one_fact
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
        # Alone its hash names it: which partition it is in does not matter, and of equal ones any will do.
        " JOIN LATERAL (SELECT * FROM evidence WHERE sha256 = e.evidence_sha256 LIMIT 1) k ON true"
        " WHERE e.id > $1 AND ($2::text IS NULL OR e.rule = $2)"
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
    before: tuple[int, int] | None = None,
    wording: Wording = STANDARD,
) -> list[dict[str, Any]]:
    """Judgements, the newest first, those before ``before``: (evaluated_at in us, id) of the last one of the page before; at
    most MAX_PAGE. Each: id, rule, rule_version, subject, vehicle, outcome, reason_code, reason (Chinese), reason_en, measures,
    parameters, evidence_hash, evaluated_at. Of a subject the first one here is the one that holds. What was written before
    there were codes keeps its words."""
    asked = Conditions()
    for column in ("rule", "subject", "outcome"):
        value = getattr(wanted, column)
        if value is not None:
            asked.add(f"e.{column} = {{}}", value)
    if wanted.vehicle is not None:
        asked.add("e.vehicle_no = (SELECT no FROM vehicles WHERE id = {})", wanted.vehicle)
    if wanted.from_us is not None:
        asked.add("e.evaluated_at >= {}", from_us(wanted.from_us))
    if wanted.to_us is not None:
        asked.add("e.evaluated_at < {}", from_us(wanted.to_us))
    if before is not None:
        asked.add(
            "e.evaluated_at <= {0} AND (e.evaluated_at, e.id) < ({0}, {1})", from_us(before[0]), before[1]
        )
    most = asked.argument(min(limit, MAX_PAGE))
    rows = await conn.fetch(
        "SELECT e.id, e.rule, e.rule_version, e.subject, v.id AS vehicle, e.outcome, e.reason_code, e.reason_named,"  # noqa: S608 - our own clauses
        " e.reason, e.reason_en, e.measures, e.parameters,"
        " encode(e.evidence_sha256, 'hex') AS evidence_hash, e.evaluated_at FROM evaluations e"
        f" LEFT JOIN vehicles v ON v.no = e.vehicle_no{asked.where}"
        f" ORDER BY e.evaluated_at DESC, e.id DESC LIMIT {most}",
        *asked.arguments,
    )
    return [_told(dict(row), wording) for row in rows]


def _told(row: dict[str, Any], wording: Wording) -> dict[str, Any]:
    """A row with its reason in words."""
    named = row.pop("reason_named")
    if row["reason"] is None:
        try:
            row["reason"], row["reason_en"] = wording.reason(
                row["rule"], row["rule_version"], row["reason_code"], named
            )
        except Exception as error:  # of another release: the code and the numbers say it as well
            if not of_one_fact(error):
                raise
            not_shown("reason", row["id"], error)
            row["reason"] = row["reason_en"] = row["reason_code"] or ""
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


async def count_waiting(conn: Connection, most: int) -> int:
    """How many they are; of more than ``most``, one more than that."""
    return int(
        await conn.fetchval(
            "SELECT count(*) FROM (SELECT FROM judge_due WHERE waits_for <> '' LIMIT $1) f", most + 1
        )
    )
