"""Notices in the database: published, read, confirmed, withdrawn. All SQL of ``notices``, ``notice_rows``, ``notice_receipts`` and ``notice_numbers``."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from office.notices.contents import (
    COLUMNS,
    KIND_NAMES,
    PUBLISH,
    Edition,
    NoticeKind,
    NoticeNew,
    NoticeReading,
    PublicationNew,
    PublishedRow,
    frozen_sha256,
)
from office.notices.problems import no_person, no_such_notice
from office.notices.standing import take_place
from office.supervision.actors import Actor, persons_for
from registry.organisations import organisation_exists, units_below
from registry.vehicles import vehicles_by_id
from runtime.connection import Connection
from runtime.errors import DeclinedError, InvalidError, NotThereError
from runtime.units import CHINA

#: Rows of a publication.
MOST_ROWS: Final = 5_000
_COLUMNS: Final = (
    "n.id, n.number, n.organisation, n.roles, n.kind, n.title, n.valid_to, n.pinned, n.receipt, n.rows, encode(n.sha256, 'hex') AS sha256, n.edition, n.replaces, n.published_at,"
    " n.published_by_name AS published_by, n.withdrawn_at, n.withdrawn_by_name AS withdrawn_by, n.withdraw_reason"
)
#: Of notice ``n``: when the person ``$1`` read and confirmed it first.
_MINE: Final = (
    " LEFT JOIN LATERAL (SELECT min(r.read_at) AS read_at, min(r.confirmed_at) AS confirmed_at FROM notice_receipts r"
    " WHERE r.notice = n.id AND r.person = $1) mine ON true"
)
#: It is for somebody with the roles ``$2``, or of who publishes for the units ``$3`` (null: for all).
_FOR: Final = (
    "(n.roles = '{}' OR n.roles && $2::text[] OR $3::text[] IS NULL OR n.organisation = ANY ($3::text[]))"
)


async def publish(
    connection: Connection, actor: Actor, given: NoticeNew | PublicationNew, rows: Sequence[PublishedRow] = (), terms: Mapping[str, Any] | None = None
) -> str:  # fmt: skip
    """Publish a notice, or a publication with its rows and ``terms``; its id. One that replaces another withdraws it. Raises InvalidError, NotAllowedError, DeclinedError."""
    unit, kind = (
        given.organisation,
        NoticeKind(given.kind) if isinstance(given, PublicationNew) else NoticeKind.NOTICE,
    )
    below = await may_publish(connection, actor, given)
    if not actor.human:
        raise no_person()
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    if given.valid_to is not None and given.valid_to < now.astimezone(CHINA).date():
        raise InvalidError("/valid_to", "有效期已过，请填写今天或以后的日期 · it would have ended already")
    if len(rows) > MOST_ROWS:
        raise InvalidError(
            "/first", f"超过 {MOST_ROWS} 行，请缩短期间，或分单位公示 · more than {MOST_ROWS} rows: take fewer days, or fewer units"
        )  # fmt: skip
    if await connection.fetchval("SELECT names_a_secret($1)", _words(given, rows)):
        raise InvalidError(
            "/body",
            "标题、正文或说明提到涉密车辆，不得发布，请删去 · the text names a secret vehicle: take that out",
        )
    units = sorted(below if not given.units else await units_below(connection, given.units))
    edition = Edition()
    if isinstance(given, PublicationNew):
        edition = Edition(terms or {}, *await take_place(connection, given, units))
    year = now.astimezone(CHINA).year
    last = await connection.fetchval(
        "INSERT INTO notice_numbers (organisation, year, last) VALUES ($1, $2, 1)"
        " ON CONFLICT (organisation, year) DO UPDATE SET last = notice_numbers.last + 1 RETURNING last",
        unit, year,
    )  # fmt: skip
    id, number = f"GG-{secrets.token_hex(8).upper()}", f"告〔{year}〕{unit}-{last:04d}号"
    if edition.replaces is not None and isinstance(given, PublicationNew):
        await _withdrawn(connection, actor, edition.replaces, f"由 {number} 更正：{given.reason}")
    sha256 = frozen_sha256(number, kind, given.title, given.body, given.valid_to, rows, edition)
    await connection.execute(
        "INSERT INTO notices (id, number, organisation, units, roles, kind, title, body, valid_to, pinned, receipt, columns, rows, sha256, published_at,"
        " published_by, published_by_name, terms, edition, replaces) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
        id, number, unit, units, sorted(set(given.roles)), kind, given.title, given.body, given.valid_to, given.pinned, given.receipt,
        [name for name, _ in COLUMNS[kind]], len(rows), sha256, now, actor.person, actor.subject.name,
        dict(edition.terms), edition.number, edition.replaces,
    )  # fmt: skip
    await connection.executemany(
        "INSERT INTO notice_rows (notice, no, vehicle, cells, basis) VALUES ($1, $2, $3, $4, $5)",
        [(id, no, row.vehicle, list(row.cells), dict(row.basis)) for no, row in enumerate(rows, 1)],
    )
    return id


async def may_publish(
    connection: Connection, actor: Actor, given: NoticeNew | PublicationNew
) -> frozenset[str]:
    """The units below who publishes. Raises InvalidError for units that are not, NotAllowedError."""
    unit = given.organisation
    if not await organisation_exists(connection, unit):
        raise InvalidError(
            "/organisation",
            f"单位 {unit} 未登记，或不在您的范围内 · no such unit, or it is not yours: {unit}",
        )
    await persons_for(connection, actor, unit, PUBLISH)
    below = await units_below(connection, [unit])
    if strange := sorted(set(given.units) - below):
        raise InvalidError("/units", f"不是发布单位的下属单位，请核对：{'、'.join(strange[:10])} · not below who publishes: {', '.join(strange[:10])}")  # fmt: skip
    return below


def _words(given: NoticeNew | PublicationNew, rows: Sequence[PublishedRow]) -> str:
    """What people have written of it. The figures of a fuel table are none: the number of a secret vehicle may be like one of them."""
    said = [given.title, given.body]
    if isinstance(given, PublicationNew):
        said += [given.phone, given.reason, *(remark.text for remark in given.remarks)]
        if given.kind != "fuel":
            said += [cell for row in rows for cell in row.cells]
    return "\n".join(said)


async def withdraw(connection: Connection, actor: Actor, id: str, reason: str) -> None:
    """It does not hold any more; it stays to be read. Raises NotThereError, NotAllowedError, DeclinedError."""
    row = await connection.fetchrow("SELECT organisation, withdrawn_at FROM notices WHERE id = $1", id)
    if row is None:
        raise no_such_notice(id)
    await persons_for(connection, actor, row["organisation"], PUBLISH)
    await _withdrawn(connection, actor, id, reason)


async def _withdrawn(connection: Connection, actor: Actor, id: str, reason: str) -> None:
    done = await connection.fetchval(
        "UPDATE notices SET withdrawn_at = clock_timestamp(), withdrawn_by = $2, withdrawn_by_name = $3, withdraw_reason = $4"
        " WHERE id = $1 AND withdrawn_at IS NULL RETURNING true",
        id, actor.person, actor.subject.name, reason,
    )  # fmt: skip
    if done is None:
        raise DeclinedError("withdrawn", "已撤回 · it is withdrawn already")


async def note_reading(connection: Connection, actor: Actor, id: str, given: NoticeReading) -> None:
    """Somebody has read a notice for one of his units; again changes nothing. Raises NotThereError, InvalidError."""
    row = await notice_for(connection, actor, id)
    if not actor.human:
        raise no_person()
    mine = await connection.fetchval(
        "SELECT $2 = ANY (units) AND $2 = ANY (within_reach(ARRAY[$2])) FROM notices WHERE id = $1",
        id,
        given.organisation,
    )
    if not mine:
        raise InvalidError("/organisation", f"本通知不是发给 {given.organisation} 的，或不是您的单位 · it is not for {given.organisation}, or that is not your unit")  # fmt: skip
    if given.confirm and row["withdrawn_at"] is not None:
        raise DeclinedError(
            "withdrawn", "通知已撤回，不必回执 · it is withdrawn: there is nothing to confirm"
        )
    await connection.execute(
        "INSERT INTO notice_receipts (notice, person, person_name, organisation) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        id, actor.person, actor.subject.name, given.organisation,
    )  # fmt: skip
    if given.confirm:
        await connection.execute(
            "UPDATE notice_receipts SET confirmed_at = clock_timestamp() WHERE notice = $1 AND person = $2 AND organisation = $3 AND confirmed_at IS NULL",
            id, actor.person, given.organisation,
        )  # fmt: skip


def visible_to(actor: Actor) -> tuple[str, list[Any]]:
    """A condition on a notice ``n`` that is for somebody, or that he may publish; its arguments, the first three of a query: his key is ``$1``."""
    return _FOR, list(_who(actor))


def _who(actor: Actor) -> tuple[str, list[str], list[str] | None]:
    reach = actor.subject.reach(PUBLISH)
    return actor.person, sorted(actor.subject.roles()), None if reach is None else sorted(reach)


async def notice_for(connection: Connection, actor: Actor, id: str) -> Any:
    """A notice that is for the caller, or that he may publish. Raises NotThereError."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS}, n.body, n.columns, n.terms, (SELECT r.id FROM notices r WHERE r.replaces = n.id) AS replaced_by, mine.read_at, mine.confirmed_at FROM notices n{_MINE} WHERE {_FOR} AND n.id = $4",  # noqa: S608 - constants
        *_who(actor),
        id,
    )
    if row is None:
        raise no_such_notice(id)
    return row


def _shown(row: Any) -> dict[str, Any]:
    return dict(row) | {"kind_name": KIND_NAMES[NoticeKind(row["kind"])]}


async def list_notices(
    connection: Connection, actor: Actor, *, kind: NoticeKind | None, current: bool, unread: bool, limit: int, after: tuple[datetime, str] | None
) -> list[dict[str, Any]]:  # fmt: skip
    """Notices for somebody, the newest first. ``current``: those that hold today."""
    arguments: list[Any] = [*_who(actor), limit]
    conditions = [_FOR]
    if kind is not None:
        arguments.append(kind)
        conditions.append(f"n.kind = ${len(arguments)}")
    if current:
        conditions.append(
            "n.withdrawn_at IS NULL AND (n.valid_to IS NULL OR n.valid_to >= (clock_timestamp() AT TIME ZONE 'Asia/Shanghai')::date)"
        )
    if unread:
        conditions.append("mine.read_at IS NULL")
    if after is not None:
        arguments += after
        conditions.append(f"(n.published_at, n.id) < (${len(arguments) - 1}, ${len(arguments)})")
    rows = await connection.fetch(
        f"SELECT {_COLUMNS}, mine.read_at, mine.confirmed_at FROM notices n{_MINE} WHERE {' AND '.join(conditions)}"  # noqa: S608 - constants
        " ORDER BY n.published_at DESC, n.id DESC LIMIT $4",
        *arguments,
    )
    return [_shown(row) for row in rows]


async def show_notice(connection: Connection, actor: Actor, id: str) -> dict[str, Any]:
    """One notice with its rows, those of vehicles that are hidden left out. Raises NotThereError."""
    found = _shown(await notice_for(connection, actor, id))
    rows = await connection.fetch("SELECT no, cells FROM notice_rows WHERE notice = $1 ORDER BY no", id)
    terms = found["terms"] or None
    return found | {"table": [row["cells"] for row in rows], "numbers": [row["no"] for row in rows], "terms": terms}  # fmt: skip


async def show_row(connection: Connection, actor: Actor, id: str, no: int) -> dict[str, Any]:
    """A row of a publication with what it was computed from: of a vehicle of the caller's. Raises NotThereError."""
    await notice_for(connection, actor, id)
    row = await connection.fetchrow("SELECT no, vehicle, cells, basis FROM notice_rows WHERE notice = $1 AND no = $2", id, no)  # fmt: skip
    if row is None or not await vehicles_by_id(connection, [row["vehicle"]]):
        raise NotThereError(
            f"没有这一行，或不是您单位的车辆 · no such row, or it is of no vehicle of yours: {no}"
        )
    return dict(row)


async def list_receipts(
    connection: Connection, actor: Actor, id: str, *, limit: int, after: tuple[datetime, str] | None
) -> list[dict[str, Any]]:
    """Who of the caller's units has read a notice, the first first. Raises NotThereError."""
    await notice_for(connection, actor, id)
    since, person = after or (None, "")
    rows = await connection.fetch(
        "SELECT organisation, person, person_name AS name, read_at, confirmed_at FROM notice_receipts WHERE notice = $1"
        " AND ($2::timestamptz IS NULL OR (read_at, person) > ($2, $3)) ORDER BY read_at, person LIMIT $4",
        id, since, person, limit,
    )  # fmt: skip
    return [dict(row) for row in rows]


async def missing_units(connection: Connection, actor: Actor, id: str) -> list[str]:
    """The units of the caller for which nobody has confirmed a notice (of one without receipts: read it). Raises NotThereError."""
    await notice_for(connection, actor, id)
    rows = await connection.fetch(
        "SELECT u.unit FROM notices n CROSS JOIN unnest(within_reach(n.units)) AS u (unit) WHERE n.id = $1 AND NOT EXISTS"
        " (SELECT FROM notice_receipts r WHERE r.notice = n.id AND r.organisation = u.unit AND (NOT n.receipt OR r.confirmed_at IS NOT NULL)) ORDER BY u.unit",
        id,
    )
    return [row["unit"] for row in rows]
