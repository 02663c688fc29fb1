"""What stands beside the chains and is updated: alerts, cases, what cases are about. It must be what the chained rows come to.

Everything here is computed from chained rows alone (versions of alerts, threads of cases, labels): a column that was changed
together with the one that it is copied from is found all the same. One query a table, so a million rows take seconds. The steps of a
case are written out once more, apart from the code that writes the columns; a test compares both.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from office.integrity.comparing import Finding, Report, Tell
from runtime.connection import Connection

#: (step, the step that changed the state before it, the state after it); None = whatever it was.
MOVES: Final[tuple[tuple[str, str | None, str], ...]] = (
    ("submit", None, "submitted"),
    ("return", None, "draft"),
    ("issue", None, "issued"),
    ("sign", None, "working"),
    ("refuse", None, "refused"),
    ("grant", "refuse", "issued"),
    ("deny", "refuse", "issued"),
    ("grant", "ask-extension", "working"),
    ("deny", "ask-extension", "working"),
    ("sign-reply", None, "replied"),
    ("ask-extension", None, "extension_asked"),
    ("close", None, "closed"),
    ("redo", None, "redo"),
    ("recheck", None, "calling_back"),
    ("called-back", None, "replied"),
    ("reopen", None, "working"),
    ("cancel", None, "cancelled"),
)
#: Rows that differ, read at once: where somebody changed all of them, they are not all in memory.
_AT_ONCE: Final = 1_000
#: States in which a case is over.
OVER: Final = ("closed", "cancelled")


def _texts(values: Iterable[str | None]) -> str:
    return ", ".join("NULL::text" if value is None else f"'{value}'" for value in values)


def _last(value: str, *steps: str, place: int = 1) -> str:
    """SQL: ``value`` of the last event of ``steps``; ``place`` 2: of the one before."""
    return f"(array_agg({value} ORDER BY version DESC) FILTER (WHERE step IN ({_texts(steps)})))[{place}]"


_MOVING: Final = tuple(dict.fromkeys(step for step, _, _ in MOVES))
_NUMBER: Final = _last("body ->> 'number'", "issue")
_FINDING: Final = _last("CASE step WHEN 'close' THEN body ->> 'finding' END", "close", "reopen")
_ANNOUNCED: Final = _last("step = 'announce'", "announce", "reopen")
#: What each thread comes to. The unit of a grant is that which gets a refused case; a grant of more time names none.
_THREADS: Final = (
    "WITH thread AS MATERIALIZED (SELECT case_id AS id, max(version) AS version,"  # noqa: S608 - constants
    f" {_last('step', *_MOVING)} AS moved, {_last('step', *_MOVING, place=2)} AS before,"
    f" {_last('body', 'draft', 'edit')} AS contents,"
    " (array_agg(body ->> 'organisation' ORDER BY version DESC) FILTER (WHERE step IN ('draft', 'edit')"
    " OR step = 'grant' AND body ->> 'organisation' IS NOT NULL))[1] AS organisation,"
    f" {_NUMBER} AS number, {_last('at', 'issue')} AS issued_at,"
    " min(at) FILTER (WHERE version = 1) AS created_at,"
    f" {_FINDING} AS finding, COALESCE({_ANNOUNCED}, false) AS announced,"
    " count(*) FILTER (WHERE step = 'remind')::integer AS reminders,"
    " max(version) FILTER (WHERE step IN ('close', 'reopen', 'stands')) AS decided FROM case_events GROUP BY case_id),"
    f" move (step, before, state) AS (VALUES {', '.join(f'({_texts(move)})' for move in MOVES)}),"
    " came AS MATERIALIZED (SELECT t.*, CASE WHEN t.moved IS NULL THEN 'draft' ELSE m.state END AS state,"
    f" COALESCE(m.state IN ({_texts(OVER)}), false) AS over FROM thread t"
    " LEFT JOIN move m ON m.step = t.moved AND (m.before IS NULL OR m.before = t.before)),"
    " about AS MATERIALIZED (SELECT t.id, k.kind, l.ref, NOT t.over AS open FROM came t"
    " CROSS JOIN (VALUES ('alert', 'alerts'), ('order', 'orders')) AS k (kind, name)"
    " CROSS JOIN LATERAL jsonb_array_elements_text(CASE WHEN jsonb_typeof(t.contents -> k.name) = 'array'"
    " THEN t.contents -> k.name ELSE '[]' END) AS l (ref)"
    " UNION SELECT t.id, 'complaint', t.contents ->> 'complaint', NOT t.over FROM came t WHERE t.contents ? 'complaint'),"
    # What was told of each alert: whether it is withdrawn, and whether a closed case waits for a decision because of it.
    " told AS MATERIALIZED (SELECT n.id, n.ref, n.withdrawn, t.state = 'closed' AND n.version > t.decided AS undecided"
    " FROM (SELECT case_id AS id, body ->> 'alert' AS ref, max(version) AS version,"
    " (array_agg(step ORDER BY version DESC))[1] = 'alert-withdrawn' AS withdrawn FROM case_events"
    " WHERE step IN ('alert-withdrawn', 'alert-changed') GROUP BY 1, 2) n JOIN came t ON t.id = n.id)"
)
_OF_CONTENTS: Final = ("source", "level", "title", "vehicle", "external_no")
_SAME: Final = {
    **{name: f"t.{name}" for name in ("organisation", "number", "state", "version", "finding", "reminders", "announced", "created_at", "issued_at")},
    **{name: f"t.contents ->> '{name}'" for name in _OF_CONTENTS},
    "proposal": "CASE WHEN t.withdrawn AND NOT t.over THEN 'cancel' WHEN t.undecided THEN 'reopen' END",
}  # fmt: skip
_OTHER: Final = ", ".join(
    f"CASE WHEN c.{name} IS DISTINCT FROM {said} THEN '{name}' END" for name, said in _SAME.items()
)
#: Cases whose row is other than their thread, with the columns; ``there``: whether there is a row at all.
_CASES: Final = (
    f"{_THREADS}, other AS (SELECT COALESCE(c.id, t.id) AS id, c.id IS NOT NULL AS there,"  # noqa: S608 - constants
    f" array_remove(ARRAY[{_OTHER}], NULL)"
    " AS names FROM cases c FULL JOIN (SELECT a.*, COALESCE(b.withdrawn, false) AS withdrawn, COALESCE(b.undecided, false) AS undecided"
    " FROM came a LEFT JOIN (SELECT id, bool_or(withdrawn) AS withdrawn, bool_or(undecided) AS undecided FROM told GROUP BY id) b"
    " ON b.id = a.id) t ON t.id = c.id),"
    " links AS (SELECT DISTINCT COALESCE(l.case_id, a.id) AS id FROM case_links l"
    " FULL JOIN about a ON (a.id, a.kind, a.ref) = (l.case_id, l.kind, l.ref) WHERE l.open IS DISTINCT FROM a.open)"
    " SELECT COALESCE(o.id, l.id) AS id, COALESCE(o.there, false) AS there,"
    " COALESCE(o.names, '{}') || CASE WHEN l.id IS NULL THEN '{}' ELSE '{case_links}'::text[] END AS names"
    " FROM (SELECT * FROM other WHERE NOT there OR names <> '{}') o FULL JOIN links l ON l.id = o.id ORDER BY 1"
)
#: Alerts whose columns about their case are other than what threads and labels come to (migrations/0041_messages.sql).
_CASE_STATES: Final = (
    f"{_THREADS}, stands AS (SELECT DISTINCT ON (a.ref) a.ref AS id, t.state FROM about a JOIN came t ON t.id = a.id"  # noqa: S608 - constants
    " WHERE a.kind = 'alert' ORDER BY a.ref, a.open DESC, t.created_at DESC, t.id DESC),"
    " found AS (SELECT DISTINCT ON (l.alert_id) l.alert_id AS id, l.finding FROM alert_labels l JOIN came t ON t.id = l.case_id"
    " WHERE t.state = 'closed' AND NOT EXISTS (SELECT FROM told d WHERE d.id = l.case_id AND d.ref = l.alert_id AND d.withdrawn AND d.undecided)"
    " ORDER BY l.alert_id, l.id DESC)"
    " SELECT a.id, array_remove(ARRAY[CASE WHEN a.case_state <> COALESCE(s.state, 'none') THEN 'case_state' END,"
    " CASE WHEN a.finding <> COALESCE(f.finding, 'none') THEN 'finding' END], NULL) AS names FROM alerts a"
    " LEFT JOIN stands s ON s.id = a.id LEFT JOIN found f ON f.id = a.id"
    " WHERE a.case_state <> COALESCE(s.state, 'none') OR a.finding <> COALESCE(f.finding, 'none') ORDER BY 1"
)


def _as_said(column: str) -> str:
    """SQL: a time as the body of an alert says it (rules.alerts.model)."""
    here = f"({column} AT TIME ZONE interval '8 hours')"
    return (
        f"to_char({here}, 'YYYY-MM-DD\"T\"HH24:MI:SS') || CASE WHEN date_trunc('second', {column}) = {column} THEN ''"
        f" ELSE to_char({here}, '.US') END || '+08:00'"
    )


_TIMES: Final = ("occurred_from", "occurred_to", "detected_at")
#: Alerts that are, or may be, other than their newest version. A time that is written in another way is compared in Python: a text
#: that somebody changed may be no time at all. The id is made of rule and subject (rules.alerts.model.alert_id).
_ALERTS: Final = (
    "SELECT * FROM (SELECT a.id, a.occurred_from, a.occurred_to, a.detected_at, v.body,"  # noqa: S608 - our own columns
    " v.body IS NULL OR (v.body ->> 'status', v.body ->> 'severity', v.body ->> 'organisation', v.body ->> 'vehicle',"
    " v.body ->> 'rule', v.body ->> 'plate', v.body ->> 'driver', v.body ->> 'order') IS DISTINCT FROM"
    " (a.status, a.severity, a.organisation, a.vehicle, a.rule, a.plate, a.driver, a.order_id)"
    " OR a.id <> left(encode(sha256(convert_to(a.rule || E'\\n' || a.subject, 'UTF8')), 'hex'), 32)"
    " OR EXISTS (SELECT FROM alert_versions n WHERE n.alert_id = a.id AND n.version > a.version) AS other,"
    " (v.body ->> 'occurred_from', v.body ->> 'occurred_to', v.body ->> 'detected_at') IS DISTINCT FROM"
    f" ({_as_said('a.occurred_from')}, {_as_said('a.occurred_to')}, {_as_said('a.detected_at')}) AS times"
    " FROM alerts a LEFT JOIN alert_versions v ON v.alert_id = a.id AND v.version = a.version) f WHERE f.other OR f.times"
    " UNION ALL SELECT DISTINCT n.alert_id, NULL::timestamptz, NULL::timestamptz, NULL::timestamptz, NULL::jsonb, true, true"
    " FROM alert_versions n WHERE NOT EXISTS (SELECT FROM alerts a WHERE a.id = n.alert_id) ORDER BY 1"
)


async def compare_alerts(connection: Connection, report: Report, tell: Tell) -> None:
    """Alerts as they stand must be what their newest version says, and each alert that has versions must be there."""
    tell("预警现状 / alerts as they stand")
    async for row in connection.cursor(_ALERTS, prefetch=_AT_ONCE):
        if not row["other"] and all(_same_time(row[at], row["body"].get(at)) for at in _TIMES):
            continue
        _found(
            report, "alerts", row["id"],
            "预警现状与其最新版本不符 · the alert as it stands is not what its newest version says",
        )  # fmt: skip
    async for row in connection.cursor(_CASE_STATES, prefetch=_AT_ONCE):
        _found(
            report, "alerts", row["id"],
            "预警的督办状态或核实结论与督办单经过不符 · what the alert says of its case is not what the thread of the case comes to:"
            f" {', '.join(row['names'])}",
        )  # fmt: skip


async def compare_cases(connection: Connection, report: Report, tell: Tell) -> None:
    """Cases as they stand must be what their threads come to, and each case that has a thread must be there. Not compared: what
    follows from the calendar and the day as well (due_on and the like)."""
    tell("督办单现状 / cases as they stand")
    async for row in connection.cursor(_CASES, prefetch=_AT_ONCE):
        said = (
            f"督办单现状与其经过不符 · the case as it stands is not what its thread comes to: {', '.join(row['names'])}"
            if row["there"] or row["names"] == ["case_links"]
            else "督办单的行缺失 · the row of the case is missing"
        )
        _found(report, "cases", row["id"], said)


def _found(report: Report, table: str, key: str, what: str) -> None:
    report.findings.append(Finding(table, "standing", key, what))


def _same_time(stands: datetime | None, said: Any) -> bool:
    if stands is None or said is None:
        return stands is None and said is None
    try:
        return datetime.fromisoformat(said) == stands
    except (ValueError, TypeError):
        return False
