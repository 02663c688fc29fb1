"""Papers that end: people are told 30, 7 and 1 days before, and when one has ended. Each once, also when several processes do it or one was
killed: what was told stands in the row, in the transaction of the message. After an outage only the nearest is told.

A paper is nothing to tell of where another one of its kind follows without a gap, or where its vehicle is disposed of.
"""

from __future__ import annotations

import logging
from datetime import date
from typing import Any, Final

from office.vehicles.messages import KEEPERS, PAPERS, step_of, tell
from registry.vehicle_papers import due_to_tell, next_look, today_of
from runtime.connection import Connection
from runtime.faults import of_one_fact

#: How often it is looked whether something is due, in seconds.
EVERY_S: Final = 60.0
#: Papers of a turn.
AT_ONCE: Final = 200
_logger = logging.getLogger(__name__)


async def tick(pool: Any) -> bool:
    """A turn of ``runtime.repeating``: every API process runs it, each paper is taken by one of them."""
    async with pool.acquire(timeout=5) as connection:
        return await turn(connection, await today_of(connection))


async def turn(connection: Connection, today: date) -> bool:
    """Tell of what is due on ``today`` (of China), at most AT_ONCE papers; whether there may be more. Not in a transaction."""
    rows = await connection.fetch(
        "SELECT id FROM vehicle_papers WHERE look_on <= $1 ORDER BY look_on, id LIMIT $2", today, AT_ONCE
    )
    moved = False
    for row in rows:
        try:
            async with connection.transaction():
                moved |= await _look(connection, row["id"], today)
        except Exception as error:
            if not of_one_fact(error):
                raise
            # Those behind it go on; it is tried again tomorrow.
            _logger.exception("the reminder of the paper %s failed", row["id"])
            await connection.execute("UPDATE vehicle_papers SET look_on = $2::date + 1 WHERE id = $1", row["id"], today)  # fmt: skip
    return moved and len(rows) == AT_ONCE


async def _look(connection: Connection, id: str, today: date) -> bool:
    row = await connection.fetchrow(
        "SELECT p.organisation, p.kind, p.valid_to, p.told, p.look_on, p.voided_at, v.disposed_on, clock_timestamp() AS now,"
        " EXISTS (SELECT FROM vehicle_papers q WHERE (q.vehicle = p.vehicle OR q.driver = p.driver) AND q.kind = p.kind AND q.voided_at IS NULL"
        " AND q.valid_from <= p.valid_to + 1 AND q.valid_to > p.valid_to) AS followed"
        " FROM vehicle_papers p LEFT JOIN vehicles v ON v.id = p.vehicle WHERE p.id = $1 FOR UPDATE OF p SKIP LOCKED",
        id,
    )
    if row is None or row["look_on"] is None or row["look_on"] > today:
        return False
    over = row["voided_at"] is not None or (row["disposed_on"] is not None and row["disposed_on"] <= today)
    ahead = None if over else due_to_tell(row["valid_to"], row["told"], today)
    if ahead is not None and not row["followed"]:
        await tell(
            connection, f"{PAPERS}{id}", number=id, step=step_of(ahead), state=row["kind"], at=row["now"],
            to_units=[(row["organisation"], KEEPERS)], urgent=ahead <= 1,
        )  # fmt: skip
    told = row["told"] if ahead is None else ahead
    await connection.execute(
        "UPDATE vehicle_papers SET told = $2, look_on = $3 WHERE id = $1", id, told, None if over else next_look(row["valid_to"], told)
    )  # fmt: skip
    return True
