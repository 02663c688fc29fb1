"""What a month was like: alerts that began in it and cases that were issued in it, by unit, vehicle, driver and rule.

All numbers come from one statement, so from one state of the database: the tables of a report agree with each other. A
running month counts up to now. What the caller does not reach is not counted (row-level security).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import Any, Final

from runtime.connection import Connection

#: Vehicles and drivers that are told one by one, those with the most alerts first.
MOST_ROWS: Final = 2_000

_WITHIN: Final = "($4::text[] IS NULL OR organisation = ANY($4::text[]))"
_NAME: Final = "(SELECT o.name FROM organisations o WHERE o.id = organisation)"
_COUNTS: Final = "count(*) AS alerts, count(*) FILTER (WHERE status = 'withdrawn') AS withdrawn, count(*) FILTER (WHERE severity = 'high') AS high"
_CASES: Final = (
    "count(*) AS cases, count(*) FILTER (WHERE state = 'closed') AS closed, count(*) FILTER (WHERE state = 'cancelled') AS cancelled,"
    " count(*) FILTER (WHERE finding = 'violation') AS violation, count(*) FILTER (WHERE finding = 'irregular') AS irregular,"
    " count(*) FILTER (WHERE finding = 'justified') AS justified, count(*) FILTER (WHERE finding = 'data') AS data,"
    " count(*) FILTER (WHERE finding = 'unverifiable') AS unverifiable, coalesce(sum(reminders), 0)::bigint AS reminders,"
    " count(*) FILTER (WHERE due_on < $6::date) AS overdue"
)
# Secret vehicles that the reader must not see are counted (masked_alerts, masked_cases: migrations/0036_secrecy.sql); which they
# are, and who drove them, is not said: their vehicle is ''.
_MONTH: Final = f"""
WITH hidden AS MATERIALIZED (
    SELECT body ->> 'organisation' AS organisation, body ->> 'rule' AS rule, body ->> 'status' AS status, body ->> 'severity' AS severity,
           (body ->> 'occurred_from')::timestamptz AS at
      FROM masked_alerts(NULL, NULL, NULL, $1, $3, NULL, NULL, 10000000)),
hidden_cases AS MATERIALIZED (SELECT * FROM masked_cases()),
a AS MATERIALIZED (
    SELECT a.organisation, a.rule, a.status, a.severity, a.vehicle, a.plate, a.driver,
           a.finding  -- that which stands
      FROM alerts a WHERE a.occurred_from >= $2 AND a.occurred_from < $3 AND {_WITHIN}
    UNION ALL SELECT organisation, rule, status, severity, '', '', NULL, NULL FROM hidden WHERE at >= $2 AND {_WITHIN}),
c AS MATERIALIZED (
    SELECT organisation, state, finding, reminders, due_on FROM cases
     WHERE number IS NOT NULL AND issued_at >= $2 AND issued_at < $3 AND {_WITHIN}
    UNION ALL SELECT organisation, state, finding, reminders, due_on FROM hidden_cases
     WHERE number IS NOT NULL AND issued_at >= $2 AND issued_at < $3 AND {_WITHIN}),
months AS (
    SELECT to_char(at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM') AS month, sum(alerts)::bigint AS alerts, sum(cases)::bigint AS cases FROM (
        SELECT occurred_from AS at, 1 AS alerts, 0 AS cases FROM alerts WHERE occurred_from >= $1 AND occurred_from < $3 AND {_WITHIN}
        UNION ALL SELECT at, 1, 0 FROM hidden WHERE at >= $1 AND {_WITHIN}
        UNION ALL
        SELECT issued_at, 0, 1 FROM cases WHERE number IS NOT NULL AND issued_at >= $1 AND issued_at < $3 AND {_WITHIN}
        UNION ALL
        SELECT issued_at, 0, 1 FROM hidden_cases WHERE number IS NOT NULL AND issued_at >= $1 AND issued_at < $3 AND {_WITHIN}) t
     GROUP BY 1 ORDER BY 1)
SELECT (SELECT to_jsonb(t) FROM (SELECT {_COUNTS} FROM a) t) AS alerts,
       (SELECT to_jsonb(t) FROM (SELECT {_CASES} FROM c) t) AS cases,
       (SELECT jsonb_agg(t) FROM (SELECT organisation, {_NAME} AS name, {_COUNTS} FROM a GROUP BY organisation) t) AS units,
       (SELECT jsonb_agg(t) FROM (SELECT organisation, {_NAME} AS name, {_CASES} FROM c GROUP BY organisation) t) AS unit_cases,
       (SELECT jsonb_agg(t) FROM (SELECT rule, {_COUNTS}, count(*) FILTER (WHERE finding IN ('violation', 'irregular')) AS confirmed,
               count(*) FILTER (WHERE finding = 'justified') AS justified, count(*) FILTER (WHERE finding = 'data') AS data
          FROM a GROUP BY rule) t) AS rules,
       (SELECT jsonb_agg(t) FROM (SELECT vehicle, max(plate) AS plate, min(organisation) AS organisation, {_COUNTS} FROM a
         WHERE vehicle IS NOT NULL GROUP BY vehicle ORDER BY count(*) DESC, vehicle LIMIT $5) t) AS vehicles,
       (SELECT jsonb_agg(t) FROM (SELECT driver, min(organisation) AS organisation, {_COUNTS} FROM a
         WHERE driver IS NOT NULL GROUP BY driver ORDER BY count(*) DESC, driver LIMIT $5) t) AS drivers,
       (SELECT jsonb_agg(t) FROM months t) AS months
"""  # noqa: S608 - constants


async def month_numbers(
    connection: Connection, *, trend_from: datetime, since: datetime, until: datetime, units: Collection[str] | None,
    today: date,
) -> dict[str, Any]:  # fmt: skip
    """The numbers of [since, until); of the months since ``trend_from`` how many. ``units``: which, None = all that are
    reached. ``today``: a case is overdue whose term ended
    before."""
    row = await connection.fetchrow(
        _MONTH,
        trend_from,
        since,
        until,
        None if units is None else sorted(units),
        MOST_ROWS,
        today,
    )
    return {name: [] if value is None else value for name, value in dict(row).items()}
