"""When people are told that a paper (证照) ends, and the SQL of ``vehicle_papers`` with which that is kept: what was told stands in the row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from runtime.connection import Connection

#: So many days before its end people are told of a paper; the last: when it has ended.
AHEAD: Final = (30, 7, 1, 0)


def next_look(valid_to: date, told: int | None) -> date | None:
    """The day on which people are to be told of a paper next; None: there is nothing to tell any more. ``told``: of how many days ahead they were told."""
    if valid_to == date.max:
        return None
    left = [ahead for ahead in AHEAD if told is None or ahead < told]
    if not left:
        return None
    return valid_to + timedelta(days=1) if left[0] == 0 else valid_to - timedelta(days=left[0])


def due_to_tell(valid_to: date, told: int | None, today: date) -> int | None:
    """Of how many days ahead people are to be told today: the nearest that has come; None: of none."""
    left = (valid_to - today).days
    come = [ahead for ahead in AHEAD if (left < 0 if ahead == 0 else left <= ahead)]
    return come[-1] if come and (told is None or come[-1] < told) else None


@dataclass(frozen=True, slots=True)
class Ending:
    """A paper that the clock looks at. ``over``: it is void, or its vehicle is disposed of. ``followed``: another one of its kind goes on without a gap, or
    holds today."""

    organisation: str
    kind: str
    valid_to: date
    told: int | None
    over: bool
    followed: bool
    now: datetime


async def papers_due(connection: Connection, today: date, most: int) -> list[str]:
    """The ids of papers of which something is to be told on ``today``."""
    rows = await connection.fetch(
        "SELECT id FROM vehicle_papers WHERE look_on <= $1 ORDER BY look_on, id LIMIT $2", today, most
    )
    return [row["id"] for row in rows]


async def hold_due(connection: Connection, id: str, today: date) -> Ending | None:
    """A paper, held to the end of the transaction. None: another process has it, or there is nothing to tell any more."""
    row = await connection.fetchrow(
        "SELECT p.organisation, p.kind, p.valid_to, p.told, p.look_on, p.voided_at, v.disposed_on, clock_timestamp() AS now,"
        " EXISTS (SELECT FROM vehicle_papers q WHERE (q.vehicle = p.vehicle OR q.driver = p.driver) AND q.kind = p.kind AND q.voided_at IS NULL"
        " AND q.valid_from <= GREATEST(p.valid_to + 1, $2::date) AND q.valid_to > p.valid_to) AS followed"
        " FROM vehicle_papers p LEFT JOIN vehicles v ON v.id = p.vehicle WHERE p.id = $1 FOR UPDATE OF p SKIP LOCKED",
        id,
        today,
    )
    if row is None or row["look_on"] is None or row["look_on"] > today:
        return None
    over = row["voided_at"] is not None or (row["disposed_on"] is not None and row["disposed_on"] <= today)
    return Ending(row["organisation"], row["kind"], row["valid_to"], row["told"], over, row["followed"], row["now"])  # fmt: skip


async def note_told(connection: Connection, id: str, told: int | None, look_on: date | None) -> None:
    """What was told of a paper, and the day on which it is looked at again."""
    await connection.execute("UPDATE vehicle_papers SET told = $2, look_on = $3 WHERE id = $1", id, told, look_on)  # fmt: skip


async def look_again(connection: Connection, id: str) -> None:
    """A paper is void now: those that it followed are looked at again, for they may have been passed over because of it."""
    await connection.execute(
        "UPDATE vehicle_papers p SET look_on = (clock_timestamp() AT TIME ZONE 'Asia/Shanghai')::date FROM vehicle_papers v WHERE v.id = $1"
        " AND (p.vehicle = v.vehicle OR p.driver = v.driver) AND p.kind = v.kind AND p.id <> v.id AND p.voided_at IS NULL AND p.look_on IS NULL"
        " AND p.valid_to < v.valid_to",
        id,
    )


async def put_off(connection: Connection, id: str, today: date) -> None:
    """A paper on which the program failed is looked at again tomorrow."""
    await connection.execute("UPDATE vehicle_papers SET look_on = $2::date + 1 WHERE id = $1", id, today)
