"""Call-backs (回访): of the confirmed trips of a month a part is drawn by a seed, applicants are asked, and what they say is kept. All SQL that writes it.

The sample is the first of all, ordered by the SHA-256 of ``seed:id``: whoever has the seed and the list finds the same, with any program. How many there were to draw from, and the hash of
their ids, is kept with the draw; a unit and month is drawn once, so that nobody draws until he likes what he sees.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from office.supervision.actors import Actor, persons_for
from office.supervision.problems import NotAllowedError
from registry.organisations import organisation_exists, units_below
from registry.values import Identifier, Name, Text
from runtime.connection import Connection
from runtime.errors import DeclinedError, InvalidError, NotThereError
from runtime.units import CHINA, midnight

#: Who draws and calls: the vehicle office, which draws spot checks as well.
PERMISSION: Final = "cases:draft"
#: What a draw takes at most, and from how many.
MOST_DRAWN: Final = 5_000
_MOST_LISTED: Final = 500_000
Outcome = Literal["satisfied", "unsatisfied", "not_reached", "refused"]
OUTCOME_NAMES: Final[dict[Outcome, str]] = {
    "satisfied": "满意", "unsatisfied": "不满意", "not_reached": "未联系上", "refused": "不愿答复",
}  # fmt: skip


class CallBackDraw(BaseModel):
    """Which month of which unit (with those below it), by which seed. `permille`: how many of a thousand, rounded up."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    organisation: Identifier
    period: Annotated[str, StringConstraints(pattern=r"^20[2-9][0-9](0[1-9]|1[0-2])$")] = Field(description="yyyymm")  # fmt: skip
    seed: Name
    permille: int = Field(50, ge=1, le=1000, strict=True)


class CallBackRecord(BaseModel):
    """What somebody said who was called back. Said to be unsatisfied: why."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    outcome: Outcome
    note: Text = ""


def drawn(ids: Sequence[str], seed: str, permille: int) -> list[str]:
    """The sample of ``ids``: a part of them, rounded up."""
    count = -(-len(ids) * permille // 1000)
    return sorted(ids, key=lambda id: (hashlib.sha256(f"{seed}:{id}".encode()).digest(), id))[:count]


def list_hash(ids: Sequence[str]) -> str:
    """SHA-256, hex, of the ids in their order, a line each."""
    return hashlib.sha256("".join(f"{id}\n" for id in sorted(ids)).encode()).hexdigest()


def month_of(period: str) -> tuple[date, date]:
    """The first day of a month, and of the next one."""
    year, month = int(period[:4]), int(period[4:])
    return date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)


async def draw(connection: Connection, actor: Actor, given: CallBackDraw) -> str:
    """Draw a month that is over; the id of the draw. Raises NotThereError, NotAllowedError, InvalidError, DeclinedError for one that is drawn already."""
    if not await organisation_exists(connection, given.organisation):
        raise NotThereError(f"没有这个单位，或不在您的范围内 · no such unit, or not yours: {given.organisation}")  # fmt: skip
    persons = (await persons_for(connection, actor, given.organisation, PERMISSION))[0]
    if not actor.human:
        raise NotAllowedError(given.organisation, [PERMISSION])
    first, following = month_of(given.period)
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    if now.astimezone(CHINA).date() < following:
        raise InvalidError("/period", f"{given.period} 尚未结束，次月 1 日起抽取 · the month is not over yet")
    units = sorted(await units_below(connection, [given.organisation]))
    rows = await connection.fetch(
        "SELECT r.id, r.organisation, r.number FROM trip_requests r WHERE r.organisation = ANY($1::text[]) AND r.state IN ('confirmed', 'settled') AND EXISTS ("
        "SELECT FROM trip_request_events e WHERE e.paper = r.id AND e.step IN ('confirm', 'confirm-silent') AND e.at >= $2 AND e.at < $3)"
        " ORDER BY r.id LIMIT $4",
        units, midnight(first), midnight(following), _MOST_LISTED,
    )  # fmt: skip
    by_id = {row["id"]: row for row in rows}
    chosen = drawn(list(by_id), given.seed, given.permille)
    if len(rows) == _MOST_LISTED or len(chosen) > MOST_DRAWN:
        raise InvalidError("/organisation", f"一次至多抽取 {MOST_DRAWN} 份，请按下级单位分别抽取 · too many for one draw: draw units below")  # fmt: skip
    id = f"HF-{secrets.token_hex(8).upper()}"
    done = await connection.fetchval(
        "INSERT INTO call_back_draws (id, organisation, period, seed, permille, population, list_sha256, drawn_by, drawn_name, drawn_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp()) ON CONFLICT (organisation, period) DO NOTHING RETURNING id",
        id, given.organisation, given.period, given.seed, given.permille, len(rows), list_hash(list(by_id)), sorted(persons), actor.subject.name,
    )  # fmt: skip
    if done is None:
        raise DeclinedError("drawn", f"{given.period} 已抽取过，每月一次 · this month is drawn already, once each")  # fmt: skip
    await connection.executemany(
        "INSERT INTO call_backs (id, draw, organisation, request, number, rank) VALUES ($1, $2, $3, $4, $5, $6)",
        [(f"{id}-{rank}", id, by_id[one]["organisation"], one, by_id[one]["number"] or one, rank) for rank, one in enumerate(chosen, 1)],
    )  # fmt: skip
    return id


_DRAW: Final = (
    "SELECT d.id, d.organisation, d.period, d.seed, d.permille, d.population, d.list_sha256, d.drawn_name AS drawn_by, d.drawn_at,"
    " (SELECT count(*) FROM call_backs c WHERE c.draw = d.id) AS drawn,"
    " (SELECT count(*) FROM call_backs c WHERE c.draw = d.id AND EXISTS (SELECT FROM call_back_results r WHERE r.call_back = c.id)) AS recorded"
    " FROM call_back_draws d"
)


async def show_draw(connection: Connection, id: str) -> dict[str, Any]:
    """A draw. Raises NotThereError."""
    row = await connection.fetchrow(f"{_DRAW} WHERE d.id = $1", id)
    if row is None:
        raise NotThereError(f"没有这次抽取，或不在您的范围内 · no such draw, or not yours: {id}")
    return dict(row)


async def list_draws(connection: Connection, limit: int, after: tuple[str, str] | None) -> list[dict[str, Any]]:  # fmt: skip
    """Draws within reach, the newest month first."""
    rows = await connection.fetch(
        f"{_DRAW} WHERE $1::text IS NULL OR d.period < $1 OR (d.period = $1 AND d.id > $2) ORDER BY d.period DESC, d.id LIMIT $3",
        *(after or (None, None)), limit,
    )  # fmt: skip
    return [dict(row) for row in rows]


_CALL: Final = (
    "SELECT c.id, c.draw, c.organisation, c.request, c.number, c.rank, r.outcome, r.note, r.at AS recorded_at, r.actor_name AS recorded_by FROM call_backs c"
    " LEFT JOIN LATERAL (SELECT * FROM call_back_results n WHERE n.call_back = c.id ORDER BY n.no DESC LIMIT 1) r ON true"
)


async def list_calls(connection: Connection, draw_id: str, open_only: bool, limit: int, after: int) -> list[dict[str, Any]]:  # fmt: skip
    """The calls of a draw by rank, each with what was said last. ``open_only``: those of which nothing is recorded yet."""
    rows = await connection.fetch(
        f"{_CALL} WHERE c.draw = $1 AND c.rank > $2 AND (NOT $3 OR r.no IS NULL) ORDER BY c.rank LIMIT $4",
        draw_id, after, open_only, limit,
    )  # fmt: skip
    return [dict(row) for row in rows]


async def record(connection: Connection, actor: Actor, id: str, given: CallBackRecord) -> dict[str, Any]:
    """Keep what was said; a later call is another entry. Raises NotThereError, NotAllowedError, InvalidError."""
    unit = await connection.fetchval("SELECT organisation FROM call_backs WHERE id = $1", id)
    if unit is None:
        raise NotThereError(f"没有这份回访，或不在您的范围内 · no such call-back, or not yours: {id}")
    persons = (await persons_for(connection, actor, unit, PERMISSION))[0]
    if not actor.human:
        raise NotAllowedError(unit, [PERMISSION])
    if given.outcome == "unsatisfied" and len(given.note.strip()) < 5:
        raise InvalidError("/note", "不满意的请写明原因，至少 5 个字 · say why, in five characters at least")
    await connection.execute(
        "INSERT INTO call_back_results (call_back, outcome, note, at, persons, actor_name) VALUES ($1, $2, $3, clock_timestamp(), $4, $5)",
        id, given.outcome, given.note.strip(), sorted(persons), actor.subject.name,
    )  # fmt: skip
    return dict(await connection.fetchrow(f"{_CALL} WHERE c.id = $1", id))
