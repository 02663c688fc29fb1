"""Compares what is chained with its chains, alerts as they stand with their versions, and positions with what evidence rests on."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any, Final

from office.integrity import tracks
from office.integrity.comparing import Comparison, Finding, Kept, Report, Tell
from office.integrity.heads import Heads
from office.integrity.signing import key_flaws, known_keys
from office.integrity.streams import STREAMS, UNREADABLE
from runtime.connection import Connection
from runtime.partitions import partitions_of
from runtime.units import US_PER_DAY, from_us


async def verify_chains(
    connection: Connection,
    kept: Kept,
    *,
    heads: Heads | None = None,
    trusted: str | None = None,
    tell: Tell = lambda _: None,
    only: Iterable[str] | None = None,
) -> Report:
    """Compare everything, or the streams ``only``, in one snapshot of the database. ``heads``: exported ones; ``trusted``: id of
    the key that must have begun the chains. In the caller's transaction, or else in one of its own that reads only."""
    report = Report()
    async with AsyncExitStack() as stack:
        if not connection.is_in_transaction():
            await stack.enter_async_context(
                connection.transaction(isolation="repeatable_read", readonly=True)
            )
        now = await connection.fetchval("SELECT now()")
        keys = await known_keys(connection)
        for id, what in await key_flaws(connection):
            report.findings.append(Finding("keys", "key", id, what))
        if trusted is not None and trusted not in keys:
            report.findings.append(
                Finding(
                    "keys", "key", trusted, "各链并非由该密钥签名 · the chains are not signed by this key"
                )
            )
        for stream in STREAMS:
            if only is None or stream.name in only:
                await Comparison(connection, stream, report, keys, kept, now, heads, tell).run()
        if only is None or "alerts" in only:
            await _standing(connection, report)
        if only is None or "positions" in only:
            await _positions(connection, report, kept, now, tell)
    return report


def _time(us: int) -> datetime | None:
    """A time; None for one that no calendar has: of a list that was changed."""
    try:
        return from_us(us)
    except OverflowError:
        return None


def _as_said(column: str) -> str:
    """SQL: a time as the body of an alert says it (rules.alerts.model)."""
    here = f"({column} AT TIME ZONE interval '8 hours')"
    return (
        f"to_char({here}, 'YYYY-MM-DD\"T\"HH24:MI:SS') || CASE WHEN date_trunc('second', {column}) = {column} THEN ''"
        f" ELSE to_char({here}, '.US') END || '+08:00'"
    )


_TIMES: Final = ("occurred_from", "occurred_to", "detected_at")
#: Alerts that are, or may be, other than their newest version. A time that is written in another way is compared in Python: a text
#: that somebody changed may be no time at all.
_STANDING: Final = (
    "SELECT * FROM (SELECT a.id, a.occurred_from, a.occurred_to, a.detected_at, v.body,"  # noqa: S608 - our own columns
    " v.body IS NULL OR (v.body ->> 'status', v.body ->> 'severity', v.body ->> 'organisation', v.body ->> 'vehicle',"
    " v.body ->> 'rule', v.body ->> 'plate', v.body ->> 'driver', v.body ->> 'order') IS DISTINCT FROM"
    " (a.status, a.severity, a.organisation, a.vehicle, a.rule, a.plate, a.driver, a.order_id)"
    " OR EXISTS (SELECT FROM alert_versions n WHERE n.alert_id = a.id AND n.version > a.version) AS other,"
    " (v.body ->> 'occurred_from', v.body ->> 'occurred_to', v.body ->> 'detected_at') IS DISTINCT FROM"
    f" ({_as_said('a.occurred_from')}, {_as_said('a.occurred_to')}, {_as_said('a.detected_at')}) AS times"
    " FROM alerts a LEFT JOIN alert_versions v ON v.alert_id = a.id AND v.version = a.version) f WHERE f.other OR f.times"
    " UNION ALL SELECT DISTINCT n.alert_id, NULL::timestamptz, NULL::timestamptz, NULL::timestamptz, NULL::jsonb, true, true"
    " FROM alert_versions n WHERE NOT EXISTS (SELECT FROM alerts a WHERE a.id = n.alert_id) ORDER BY 1"
)


async def _standing(connection: Connection, report: Report) -> None:
    """Alerts as they stand must be what their newest version says, and each alert that has versions must be there."""
    for row in await connection.fetch(_STANDING):
        if not row["other"] and all(_same_time(row[at], row["body"].get(at)) for at in _TIMES):
            continue
        report.findings.append(
            Finding(
                "alerts",
                "standing",
                row["id"],
                "预警现状与其最新版本不符 · the alert as it stands is not what its newest version says",
            )
        )


def _same_time(stands: datetime | None, said: Any) -> bool:
    if stands is None or said is None:
        return stands is None and said is None
    try:
        return datetime.fromisoformat(said) == stands
    except (ValueError, TypeError):
        return False


async def _positions(connection: Connection, report: Report, kept: Kept, now: datetime, tell: Tell) -> None:
    """The positions that evidence rests on."""
    limit_us = int(now.timestamp()) * 1_000_000 - kept.positions * US_PER_DAY
    days = [name.removeprefix("positions_") for name in await partitions_of(connection, "positions")]
    first = min((day for day in days if day.isdecimal()), default="")
    released = [
        (row["terminal_no"], row["set_aside_at"])
        for row in await connection.fetch("SELECT terminal_no, set_aside_at FROM quarantine_ended")
    ]
    after = b""
    while rows := await connection.fetch(
        "SELECT sha256, made_at, spans, rows, absent FROM evidence_positions WHERE sha256 > $1 ORDER BY sha256 LIMIT 100",
        after,
    ):
        after = rows[-1]["sha256"]
        for row in rows:
            report.evidences += 1
            report.absent += row["absent"]
            try:
                wrong = await tracks.compare(
                    connection, row["spans"], row["rows"], {no for no, at in released if at <= row["made_at"]}
                )
            except UNREADABLE:
                continue  # the list itself was changed: its chain says so
            for kind, (terminal, t_us, fingerprint) in wrong:
                at = _time(t_us)
                if kind == "missing" and (t_us < limit_us or (at is not None and f"{at:%Y%m%d}" < first)):
                    report.past += 1
                    continue
                key = f"terminal {terminal}, {t_us if at is None else at.isoformat()}, {fingerprint}"
                said = {"missing": "定位缺失 · the position is missing", "changed": "定位被改动 · the position was changed"}.get(
                    kind,
                    "插入的定位（或网关与日志中断半小时以上后补存） · the position was put in (or a gateway that was cut off from the log"
                    " for more than half an hour handed it in afterwards)",
                )  # fmt: skip
                report.findings.append(
                    Finding(
                        "positions", f"position-{kind}", key, f"{said} (evidence {row['sha256'].hex()[:16]})"
                    )
                )
        tell(f"证据所依据的定位 / positions of evidence: {report.evidences:,}")
