"""What is said of subjects now: the newest judgement of each and its alert."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rules.alerts.model import StoredEvaluation
from rules.alerts.publish import evaluations_of
from runtime.connection import Connection
from runtime.units import to_us


@dataclass(frozen=True, slots=True)
class StandingAlert:
    """The alert of a subject as it is listed. Times in microseconds since 1970 UTC, ``occurred_to_us`` None = not over."""

    status: str
    severity: str
    organisation: str
    vehicle: str | None
    plate: str
    driver: str | None
    order: str | None
    occurred_from_us: int
    occurred_to_us: int | None


async def standing(
    conn: Connection, rule: str, subjects: Sequence[str]
) -> tuple[dict[str, StoredEvaluation], dict[str, StandingAlert]]:
    """(newest judgement, alert) by subject, of those of ``subjects`` that have one."""
    rows = await conn.fetch(
        "SELECT subject, status, severity, organisation, vehicle, plate, driver, order_id, occurred_from, occurred_to"
        " FROM alerts WHERE rule = $1 AND subject = ANY($2::text[])",
        rule,
        sorted(set(subjects)),
    )
    alerts = {
        r["subject"]: StandingAlert(
            r["status"], r["severity"], r["organisation"], r["vehicle"], r["plate"], r["driver"], r["order_id"],
            to_us(r["occurred_from"]), None if r["occurred_to"] is None else to_us(r["occurred_to"]),
        )
        for r in rows
    }  # fmt: skip
    return await evaluations_of(conn, rule, subjects), alerts
