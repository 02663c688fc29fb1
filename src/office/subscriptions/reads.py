"""Who has read which version of an alert. All writing of ``alert_reads`` (migrations/0050_lists.sql): of each subject his own rows."""

from __future__ import annotations

from collections.abc import Mapping

from office.identity.subject import Subject
from runtime.connection import Connection


async def mark_read(connection: Connection, subject: Subject, versions: Mapping[str, int]) -> int:
    """``subject`` has read these versions of alerts (id -> version); how many of them were unread. What came later stays unread, also when
    somebody says that he has read a version that is not there yet. Alerts that are not seen are passed over."""
    rows = await connection.fetch(
        "INSERT INTO alert_reads (reader, alert, version) SELECT $1, a.id, LEAST(w.version, a.version)"
        " FROM unnest($2::text[], $3::integer[]) AS w (id, version) JOIN alerts a ON a.id = w.id ORDER BY a.id"
        " ON CONFLICT (reader, alert) DO UPDATE SET version = EXCLUDED.version, read_at = EXCLUDED.read_at"
        " WHERE alert_reads.version < EXCLUDED.version RETURNING alert",
        subject.key,
        list(versions),
        list(versions.values()),
    )
    return len(rows)


async def mark_unread(connection: Connection, subject: Subject, ids: Mapping[str, int]) -> int:
    """``subject`` has these alerts unread again; how many of them were read."""
    rows = await connection.fetch(
        "DELETE FROM alert_reads WHERE reader = $1 AND alert = ANY($2::text[]) RETURNING alert",
        subject.key,
        list(ids),
    )
    return len(rows)
