"""Papers that end: people are told 30, 7 and 1 days before, and when one has ended. Each once, also when several processes do it or one was
killed: what was told stands in the row, in the transaction of the message. After an outage only the nearest is told.

A paper is nothing to tell of where another one of its kind follows without a gap or holds already, or where its vehicle is disposed of.
"""

from __future__ import annotations

import logging
from datetime import date
from typing import Any, Final

from office.posting.inside import tell
from office.vehicles.messages import KEEPERS, PAPERS, step_of
from registry.paper_ends import due_to_tell, hold_due, next_look, note_told, papers_due, put_off
from registry.vehicle_papers import today_of
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
    due, moved = await papers_due(connection, today, AT_ONCE), False
    for id in due:
        try:
            async with connection.transaction():
                moved |= await _look(connection, id, today)
        except Exception as error:
            if not of_one_fact(error):
                raise
            # Those behind it go on.
            _logger.exception("the reminder of the paper %s failed", id)
            await put_off(connection, id, today)
    return moved and len(due) == AT_ONCE


async def _look(connection: Connection, id: str, today: date) -> bool:
    paper = await hold_due(connection, id, today)
    if paper is None:
        return False
    if paper.over or paper.followed:  # looked at again when what follows is declared void
        await note_told(connection, id, paper.told, None)
        return True
    ahead = due_to_tell(paper.valid_to, paper.told, today)
    if ahead is not None:
        await tell(
            connection, f"{PAPERS}{id}", number=id, step=step_of(ahead), state=paper.kind, at=paper.now,
            to_units=[(paper.organisation, KEEPERS)], urgent=ahead <= 1,
        )  # fmt: skip
    told = paper.told if ahead is None else ahead
    await note_told(connection, id, told, next_look(paper.valid_to, told))
    return True
