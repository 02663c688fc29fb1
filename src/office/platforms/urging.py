"""Orders to deal with an alarm (报警督办): what a platform above orders, and what it is told; what we order of one below.

Received: a row, and a draft of a supervision order (``case_id``), which people take from there. What the platform is told follows from the
state of the case: being dealt with while it is open, dealt with when it is closed, nothing done when it is cancelled or the vehicle is none of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from runtime.connection import Connection

UNDER_WAY, DONE, NOTHING = 0, 1, 2
#: Open orders of a link, at most: of more nothing is made, and the platform is told so.
MOST_OPEN: Final = 1_000
_OVER: Final = (
    "CASE WHEN u.case_id IS NULL OR c.state = 'cancelled' THEN 2 WHEN c.state = 'closed' THEN 1 ELSE 0 END"
)


@dataclass(frozen=True, slots=True)
class Order:
    """An order, as it travels. ``vehicle``: ours, None = we have none of that plate."""

    supervision_id: int
    plate: str
    colour: int
    warn_source: int
    warn_type: int
    warn_at: datetime
    due_at: datetime
    level: int
    supervisor: str = ""
    phone: str = ""
    email: str = ""
    vehicle: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a platform above has to be told of an order."""

    no: int
    supervision_id: int
    plate: str
    colour: int
    result: int


_INSERT: Final = (
    "INSERT INTO platform_supervisions (link, direction, supervision_id, plate, colour, warn_source, warn_type, warn_at, due_at, level,"
    " supervisor, phone, email, vehicle, case_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
)


async def known(connection: Connection, link: str, supervision_id: int) -> bool:
    """Whether an order of a platform above is here. It stays so to the end of the transaction: others wait."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1), 809)", f"{link}/{supervision_id}")
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM platform_supervisions WHERE link = $1 AND direction = 'received' AND supervision_id = $2)",
            link,
            supervision_id,
        )
    )


async def answer_of(connection: Connection, link: str, supervision_id: int) -> Answer | None:
    """What is to be said now of an order of a platform above; None: there is none."""
    row = await connection.fetchrow(
        f"SELECT u.no, u.supervision_id, u.plate, u.colour, {_OVER} AS result FROM platform_supervisions u"  # noqa: S608 - constant
        " LEFT JOIN cases c ON c.id = u.case_id WHERE u.link = $1 AND u.direction = 'received' AND u.supervision_id = $2",
        link,
        supervision_id,
    )
    return None if row is None else Answer(**dict(row))


async def too_many(connection: Connection, link: str) -> bool:
    """Whether a platform above has as many open orders as it may."""
    open_ones = await connection.fetchval(
        "SELECT count(*) FROM platform_supervisions u JOIN cases c ON c.id = u.case_id WHERE u.link = $1 AND u.direction = 'received'"
        " AND c.state NOT IN ('closed', 'cancelled')",
        link,
    )
    return int(open_ones) >= MOST_OPEN


async def keep(
    connection: Connection, link: str, order: Order, case: str | None, *, asked: bool = False
) -> None:
    """Store an order: ``asked``: ours, of a platform below."""
    direction = "asked" if asked else "received"
    await connection.execute(
        _INSERT, link, direction, order.supervision_id, order.plate, order.colour, order.warn_source, order.warn_type, order.warn_at,
        order.due_at, order.level, order.supervisor, order.phone, order.email, order.vehicle, case,
    )  # fmt: skip


async def to_tell(connection: Connection, link: str, limit: int = 200) -> list[Answer]:
    """What a platform above was not told yet, oldest first."""
    rows = await connection.fetch(
        f"SELECT no, supervision_id, plate, colour, result FROM (SELECT u.no, u.supervision_id, u.plate, u.colour, u.told, {_OVER} AS result"  # noqa: S608 - constant
        " FROM platform_supervisions u LEFT JOIN cases c ON c.id = u.case_id WHERE u.link = $1 AND u.direction = 'received'"
        " AND (u.told IS NULL OR u.told IN (0, 3))) AS open_ones WHERE told IS DISTINCT FROM result ORDER BY no LIMIT $2",
        link,
        limit,
    )
    return [Answer(**dict(row)) for row in rows]


async def told(connection: Connection, answers: Sequence[Answer]) -> None:
    """The platform above has these."""
    await connection.executemany(
        "UPDATE platform_supervisions SET told = $2, told_at = clock_timestamp() WHERE no = $1",
        [(answer.no, answer.result) for answer in answers],
    )


async def to_ask(connection: Connection, link: str, limit: int = 200) -> list[tuple[int, Order]]:
    """What a platform below was not asked yet: (number, order), oldest first."""
    rows = await connection.fetch(
        "SELECT no, supervision_id, plate, colour, warn_source, warn_type, warn_at, due_at, level, supervisor, phone, email, vehicle"
        " FROM platform_supervisions WHERE link = $1 AND direction = 'asked' AND told IS NULL ORDER BY no LIMIT $2",
        link,
        limit,
    )
    found = [dict(row) for row in rows]
    return [(row.pop("no"), Order(**row)) for row in found]


async def asked(connection: Connection, numbers: Sequence[int]) -> None:
    """These orders were sent, and the platform below has read on since."""
    await connection.execute(
        "UPDATE platform_supervisions SET told = 0, told_at = clock_timestamp() WHERE no = ANY($1::bigint[])",
        list(numbers),
    )


async def answered(connection: Connection, link: str, supervision_id: int, result: int) -> bool:
    """What a platform below says of an order of ours; False: there is no such order."""
    row = await connection.fetchval(
        "UPDATE platform_supervisions SET result = $3, result_at = clock_timestamp() WHERE link = $1 AND direction = 'asked'"
        " AND supervision_id = $2 RETURNING no",
        link,
        supervision_id,
        result,
    )
    return row is not None


async def new_id(connection: Connection, link: str) -> int:
    """A number for an order of ours, which the link has not had."""
    return int(
        await connection.fetchval(
            "SELECT COALESCE(max(supervision_id), 0) + 1 FROM platform_supervisions WHERE link = $1 AND direction = 'asked'",
            link,
        )
    )


async def listed(connection: Connection, link: str | None, limit: int) -> list[dict[str, Any]]:
    """Orders, the newest first."""
    rows = await connection.fetch(
        "SELECT u.link, u.direction, u.supervision_id, u.plate, u.warn_type, u.due_at, u.case_id, c.number, c.state, u.told, u.result, u.at"
        " FROM platform_supervisions u LEFT JOIN cases c ON c.id = u.case_id WHERE $1::text IS NULL OR u.link = $1"
        " ORDER BY u.no DESC LIMIT $2",
        link,
        limit,
    )
    return [dict(row) for row in rows]
