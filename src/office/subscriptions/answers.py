"""What the inspection system says of alerts: receipts and dispositions, and the list of what a disposition may be. All SQL of
``alert_receipts``, ``alert_dispositions`` and ``disposition_codes``: they only grow, but for the list."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from office.identity.subject import Subject
from rules.alerts.model import Alert
from runtime.connection import Connection
from runtime.errors import DeclinedError
from runtime.units import from_us


@dataclass(frozen=True, slots=True)
class Receipt:
    """A version of an alert was received by ``received_by`` on behalf of a subject."""

    version: int
    received_by: str
    subject: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Disposition:
    """What became of an alert. ``zh``, ``en``: the code in words as the list has them now."""

    id: str
    version: int
    code: str
    zh: str
    en: str
    note: str
    decided_by: str
    subject: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Code:
    """What a disposition may be. One that is not active is not taken any more, and stays where it was given."""

    code: str
    zh: str
    en: str
    active: bool
    updated_at: datetime
    revision: int


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """The newest version of an alert that nobody has confirmed."""

    alert_id: str
    version: int
    written_at: datetime
    body: dict[str, Any]


_RECEIPT: Final = "version, received_by, subject_name, received_at"


async def put_receipt(
    connection: Connection, subject: Subject, alert: Alert, version: int, received_by: str
) -> tuple[Receipt, bool]:
    """Keep that ``version`` was received; whether it is new. The first receipt of a subject stays as it is."""
    row = await connection.fetchrow(
        "INSERT INTO alert_receipts (alert_id, version, organisation, subject_kind, subject_id, subject_name, received_by)"  # noqa: S608 - constant
        f" VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING {_RECEIPT}",
        alert.id,
        version,
        alert.organisation,
        subject.kind.value,
        subject.id,
        subject.name,
        received_by,
    )
    is_new = row is not None
    if row is None:
        row = await connection.fetchrow(
            f"SELECT {_RECEIPT} FROM alert_receipts WHERE alert_id = $1 AND version = $2 AND subject_kind = $3"  # noqa: S608 - constant
            " AND subject_id = $4",
            alert.id,
            version,
            subject.kind.value,
            subject.id,
        )
    return Receipt(*row), is_new


async def receipts_of(connection: Connection, alert_id: str) -> list[Receipt]:
    """The receipts of an alert, oldest first."""
    rows = await connection.fetch(
        f"SELECT {_RECEIPT} FROM alert_receipts WHERE alert_id = $1 ORDER BY received_at, version",  # noqa: S608 - constant
        alert_id,
    )
    return [Receipt(*row) for row in rows]


_DISPOSITION: Final = (
    "SELECT d.id, d.version, d.code, c.zh, c.en, d.note, d.decided_by, d.subject_name, d.recorded_at"
    " FROM alert_dispositions d JOIN disposition_codes c USING (code)"
)


async def add_disposition(
    connection: Connection,
    subject: Subject,
    alert: Alert,
    id: str,
    version: int,
    code: str,
    note: str,
    decided_by: str,
) -> tuple[Disposition, bool]:
    """Keep a disposition; whether it is new: what has the ``id`` of one that is there is not written, and that is given."""
    made = await connection.fetchval(
        "INSERT INTO alert_dispositions (alert_id, id, organisation, version, code, note, decided_by, subject_kind,"
        " subject_id, subject_name) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        " ON CONFLICT (alert_id, id) DO NOTHING RETURNING true",
        alert.id,
        id,
        alert.organisation,
        version,
        code,
        note,
        decided_by,
        subject.kind.value,
        subject.id,
        subject.name,
    )
    row = await connection.fetchrow(f"{_DISPOSITION} WHERE d.alert_id = $1 AND d.id = $2", alert.id, id)
    return Disposition(*row), made is not None


async def dispositions_of(connection: Connection, alert_id: str) -> list[Disposition]:
    """The dispositions of an alert, oldest first."""
    rows = await connection.fetch(f"{_DISPOSITION} WHERE d.alert_id = $1 ORDER BY d.no", alert_id)
    return [Disposition(*row) for row in rows]


async def codes(connection: Connection) -> list[Code]:
    """What a disposition may be, by code; those that are not active any more as well."""
    rows = await connection.fetch(
        "SELECT code, zh, en, active, updated_at, revision FROM disposition_codes ORDER BY code"
    )
    return [Code(*row) for row in rows]


async def put_code(
    connection: Connection, code: str, zh: str, en: str, active: bool, revision: int
) -> tuple[Code, bool]:
    """Add a code or change its words; whether it is new. ``revision``: the one that was seen, 0 = there was none. Raises DeclinedError
    when somebody else has changed it."""
    made = "RETURNING code, zh, en, active, updated_at, revision"
    if revision == 0:
        row = await connection.fetchrow(
            f"INSERT INTO disposition_codes (code, zh, en, active) VALUES ($1, $2, $3, $4) ON CONFLICT (code) DO NOTHING {made}",  # noqa: S608 - constant
            code, zh, en, active,
        )  # fmt: skip
    else:
        row = await connection.fetchrow(
            "UPDATE disposition_codes SET zh = $2, en = $3, active = $4, updated_at = now(), revision = revision + 1"  # noqa: S608 - constant
            f" WHERE code = $1 AND revision = $5 {made}",
            code, zh, en, active, revision,
        )  # fmt: skip
    if row is None:
        now = await connection.fetchval("SELECT revision FROM disposition_codes WHERE code = $1", code) or 0
        raise DeclinedError(
            "stale-version",
            f"处置方式 {code} 现为第 {now} 版（0 为没有），请重新打开后再改 · the disposition {code} is at revision {now} (0 = there is none):"
            " read it again, then change it",
            pointer="/revision",
            more={"revision": now},
        )
    return Code(*row), revision == 0


async def unconfirmed(
    connection: Connection,
    units: Collection[str] | None,
    hours: float,
    limit: int,
    after: tuple[int, str] | None,
) -> list[Unconfirmed]:
    """Alerts of ``units`` (None = all) whose newest version was written more than ``hours`` ago and has no receipt, oldest
    first, behind the (written at in us, id) of the last one of the page before."""
    rows = await connection.fetch(
        "SELECT a.id, a.version, a.updated_at, v.body FROM alerts a"
        " JOIN alert_versions v ON v.alert_id = a.id AND v.version = a.version"
        " WHERE a.updated_at < now() - make_interval(secs => $1) AND ($2::text[] IS NULL OR a.organisation = ANY($2::text[]))"
        " AND a.updated_at >= COALESCE($3::timestamptz, '-infinity') AND (a.updated_at, a.id) > (COALESCE($3::timestamptz,"
        " '-infinity'), $4::text) AND NOT EXISTS (SELECT FROM alert_receipts r WHERE r.alert_id = a.id AND r.version = a.version)"
        " ORDER BY a.updated_at, a.id LIMIT $5",
        hours * 3600,
        None if units is None else sorted(units),
        None if after is None else from_us(after[0]),
        "" if after is None else after[1],
        limit,
    )
    return [Unconfirmed(*row) for row in rows]
