"""Objections (异议) to publications, and their answers, which are published with them. All SQL of ``publication_objections`` and ``publication_answers``.

An objection that names a secret vehicle is not refused: that would tell whoever tries plates. Nobody but its author and who knows the secret vehicles of his units reads it.
"""

from __future__ import annotations

import secrets
from datetime import date, datetime
from typing import Any, Final

from office.notices.contents import PUBLISH, NoticeKind, PublicationAnswer, PublicationObjection
from office.notices.notices import notice_for, visible_to
from office.notices.problems import no_person
from office.supervision.actors import Actor, persons_for
from runtime.connection import Connection
from runtime.errors import DeclinedError, InvalidError, NotThereError
from runtime.units import CHINA

#: To one publication.
MOST_OBJECTIONS: Final = 500
_COLUMNS: Final = (
    "o.id, o.notice, n.number, o.row_no AS row, o.organisation, o.reason, o.raised_at, o.person = $1 AS mine, a.upheld, a.reason AS answer,"
    " a.answered_name AS answered_by, a.answered_at"
)
_FROM: Final = (
    " FROM publication_objections o JOIN notices n ON n.id = o.notice LEFT JOIN publication_answers a ON a.objection = o.id"
    " WHERE (o.person = $1 OR cardinality(hidden_nos()) = 0 OR NOT names_a_secret(o.reason))"
)


async def object_to(
    connection: Connection, actor: Actor, id: str, given: PublicationObjection, until: date | None
) -> str:
    """An objection of somebody for one of his units, until the day ``until`` (None: a day of the term is not published yet); its id. Raises NotThereError, InvalidError,
    DeclinedError."""
    notice = await notice_for(connection, actor, id)
    if not actor.human:
        raise no_person()
    if notice["kind"] == NoticeKind.NOTICE:
        raise DeclinedError("no-publication", "通知不是公示，不受理异议 · a notice is no publication: nothing can be objected to")  # fmt: skip
    if notice["withdrawn_at"] is not None:
        raise DeclinedError("withdrawn", "公示已撤回，请对更正后的公示提出 · it is withdrawn: object to what replaces it")  # fmt: skip
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    if until is not None and now.astimezone(CHINA).date() > until:
        raise DeclinedError("too-late", f"公示期已于 {until} 届满 · objections were possible until {until}")
    mine = await connection.fetchval(
        "SELECT ($2 = ANY (units) OR $2 = organisation) AND $2 = ANY (within_reach(ARRAY[$2])) FROM notices WHERE id = $1", id, given.organisation
    )  # fmt: skip
    if not mine:
        raise InvalidError("/organisation", f"本公示不是发给 {given.organisation} 的，或不是您的单位 · it is not for {given.organisation}, or that is not your unit")  # fmt: skip
    vehicle = None
    if given.row is not None:
        vehicle = await connection.fetchval("SELECT vehicle FROM notice_rows WHERE notice = $1 AND no = $2", id, given.row)  # fmt: skip
        if vehicle is None:
            raise InvalidError("/row", "公示中没有这一行，请核对序号 · there is no such row")
    if await connection.fetchval("SELECT count(*) FROM publication_objections WHERE notice = $1", id) >= MOST_OBJECTIONS:  # fmt: skip
        raise DeclinedError("too-many-objections", "异议过多，请电话联系公示单位 · too many objections: telephone who published it")  # fmt: skip
    done = await connection.fetchval(
        "INSERT INTO publication_objections (id, notice, row_no, vehicle, organisation, person, person_name, reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        " ON CONFLICT DO NOTHING RETURNING id",
        f"YY-{secrets.token_hex(8).upper()}", id, given.row, vehicle, given.organisation, actor.person, actor.subject.name, given.reason,
    )  # fmt: skip
    if done is None:
        raise DeclinedError("objected", "您对此项已提出过异议，每项一次 · you have objected to this already; once each")  # fmt: skip
    return str(done)


async def answer(connection: Connection, actor: Actor, id: str, given: PublicationAnswer) -> None:
    """Answer an objection, once; not by who raised it. Raises NotThereError, NotAllowedError, DeclinedError, InvalidError."""
    row = await connection.fetchrow(
        f"SELECT o.person, o.notice, n.organisation{_FROM} AND o.id = $2",
        actor.person,
        id,
    )
    if row is None:
        raise no_such_objection(id)
    await notice_for(connection, actor, row["notice"])
    if not actor.human:
        raise no_person()
    hats = await persons_for(connection, actor, row["organisation"], PUBLISH)
    persons = next((hat for hat in hats if row["person"] not in hat), None)
    if persons is None:
        error = DeclinedError("own-matter", "异议由您（或委托您的人）提出，须由另一人答复 · you raised it: another person answers")  # fmt: skip
        error.status = 403
        raise error
    if await connection.fetchval("SELECT names_a_secret($1)", given.reason):
        raise InvalidError("/reason", "答复提到涉密车辆，不得公布，请删去 · the answer names a secret vehicle: take that out")  # fmt: skip
    done = await connection.fetchval(
        "INSERT INTO publication_answers (objection, upheld, reason, answered_by, answered_name) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (objection) DO NOTHING RETURNING objection",
        id, given.upheld, given.reason, sorted(persons), actor.subject.name,
    )  # fmt: skip
    if done is None:
        raise DeclinedError("answered", "此项异议已答复，请重新打开查看 · it has been answered already; read it again")  # fmt: skip


def no_such_objection(id: str) -> NotThereError:
    """Also for one that is not for the caller."""
    return NotThereError(f"没有这项异议，或不是您能看到的 · no such objection, or it is not for you: {id}")


async def show_objection(connection: Connection, actor: Actor, id: str) -> dict[str, Any]:
    """One objection with its answer. Raises NotThereError."""
    visible, arguments = visible_to(actor)
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS}{_FROM} AND {visible} AND o.id = $4",
        *arguments,
        id,
    )
    if row is None:
        raise no_such_objection(id)
    return _shown(row)


async def list_objections(
    connection: Connection, actor: Actor, *, notice: str | None, unanswered: bool, limit: int, after: tuple[datetime, str] | None
) -> list[dict[str, Any]]:  # fmt: skip
    """Objections to publications for somebody, the first first, behind ``after``. Who raised one is told to nobody but himself: the unit is."""
    visible, arguments = visible_to(actor)
    conditions, given = [visible], [*arguments, limit]
    if notice is not None:
        given.append(notice)
        conditions.append(f"o.notice = ${len(given)}")
    if unanswered:
        conditions.append("a.objection IS NULL")
    if after is not None:
        given += after
        conditions.append(f"(o.raised_at, o.id) > (${len(given) - 1}, ${len(given)})")
    rows = await connection.fetch(
        f"SELECT {_COLUMNS}{_FROM} AND {' AND '.join(conditions)} ORDER BY o.raised_at, o.id LIMIT $4",
        *given,
    )
    return [_shown(row) for row in rows]


def _shown(row: Any) -> dict[str, Any]:
    state = "open" if row["upheld"] is None else "upheld" if row["upheld"] else "rejected"
    return {name: value for name, value in row.items() if name != "upheld"} | {"state": state}
