"""What happens to cases by itself: reminders (催办), the bulletin (通报), alerts that were withdrawn or changed meanwhile.

``turn`` does a bounded piece of it and says whether there may be more. Several processes may run it at once: each case is taken
by one (its row is locked, a locked one is left to whoever has it), and what was done is in the thread, so that nothing is done
twice, also after a process was killed. The day on which a case is looked at again stands in its row: an undetermined term
is looked at each day, until the calendar is published.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final

from office.supervision import cases
from office.supervision.cases import Clocks, LinkedAlert, Thread, china_today
from office.supervision.commanding import by_itself
from office.supervision.deadlines import Colour
from office.supervision.states import WITH_UNIT, Case, Event, State, Step, advance
from runtime.connection import Connection
from runtime.faults import of_one_fact

#: How often it is looked whether something is due, in seconds.
EVERY_S: Final = 30.0
#: Cases of a turn.
AT_ONCE: Final = 200
_logger = logging.getLogger(__name__)


async def tick(pool: Any) -> bool:
    """A turn of ``runtime.repeating``: every API process runs it, each case is taken by one of them."""
    async with pool.acquire(timeout=5) as connection:
        return await turn(connection)


async def turn(connection: Connection) -> bool:
    """Do what is due, at most AT_ONCE cases; whether there may be more. Not in a transaction."""
    # What judging wrote of alerts that are in cases; and alerts that were withdrawn while they were put into one.
    news = await connection.fetch(
        "SELECT case_id FROM (SELECT DISTINCT case_id FROM case_alert_news ORDER BY case_id LIMIT $1) n"
        " UNION (SELECT DISTINCT l.case_id FROM case_links l JOIN alerts a ON a.id = l.ref"
        " WHERE l.kind = 'alert' AND l.open AND NOT l.noted AND a.status = 'withdrawn' ORDER BY l.case_id LIMIT $1)"
        " ORDER BY case_id LIMIT $1",
        AT_ONCE,
    )
    moved, clocks = False, await cases.load_clocks(connection)
    for row in news:
        moved |= await _apart(connection, _note_alerts, row["case_id"], clocks)
    today = await cases.today_of(connection)
    due = await connection.fetch(
        "SELECT id FROM cases WHERE look_on <= $1 ORDER BY look_on, id LIMIT $2", today, AT_ONCE
    )
    for row in due:
        moved |= await _apart(connection, _look, row["id"], clocks)
    return moved and max(len(news), len(due)) == AT_ONCE


async def _apart(connection: Connection, work: Callable[..., Awaitable[bool]], id: str, *more: Any) -> bool:
    """``work`` on a case, in a transaction of its own. A case on which the program fails does not stop the others."""
    try:
        async with connection.transaction():
            return await work(connection, id, *more)
    except Exception as error:
        if not of_one_fact(error):
            raise
        _logger.exception("the clock of supervision failed on case %s", id)
        return False


async def _held(connection: Connection, id: str) -> Thread | None:
    return await cases.read_thread(connection, id, skip_locked=True)


async def _note_alerts(connection: Connection, id: str, clocks: Clocks) -> bool:
    """Tell the thread of a case what became of its alerts. In one transaction with the end of the news: after a killed process
    both are there, or neither is."""
    thread = await _held(connection, id)
    if thread is None:
        return False
    alerts, now = await cases.take_news(connection, id), await cases.now_of(connection)
    for alert in alerts:
        step = news_of(thread.case, alert)
        if step is not None:
            body: dict[str, Any] = {"alert": alert.id, "version": alert.version}
            after = advance(thread.case, Event(thread.case.version + 1, step, now, frozenset(), body))
            if after.proposal is not None:
                body["proposal"] = after.proposal
            thread = await by_itself(connection, thread, step, body, now, clocks)
    await cases.note_alerts(connection, id, thread.case, alerts)
    return True


def news_of(case: Case, alert: LinkedAlert) -> Step | None:
    """What the thread of ``case`` has to be told of ``alert``; None: nothing. Of numbers that changed only a closed case is told: in an
    open one people still look at them. While nobody has decided about an alert, further numbers of it are no further news."""
    if case.state is State.CANCELLED:
        return None
    step = Step.ALERT_WITHDRAWN if alert.withdrawn else Step.ALERT_CHANGED
    if alert.withdrawn != (alert.id in case.withdrawn_alerts):
        return step
    return step if not case.open and alert.newer and alert.id not in case.undecided else None


async def _look(connection: Connection, id: str, clocks: Clocks) -> bool:
    thread = await _held(connection, id)
    now = await cases.now_of(connection)
    if thread is None or thread.row["look_on"] is None or thread.row["look_on"] > china_today(now):
        return False
    await remind(connection, thread, clocks, now)
    return True


async def remind(connection: Connection, thread: Thread, clocks: Clocks, now: datetime) -> Thread:
    """The reminders of a case that are due now, and the day of the next look. The caller holds the row."""
    today = china_today(now)
    found = clocks.deadlines(thread.case, today)
    if thread.case.state in WITH_UNIT and found.due is not None and found.due.day is not None:
        due = found.due.day.isoformat()
        if found.colour in (Colour.YELLOW, Colour.RED) and not _reminded(thread, found.colour, due):
            body: dict[str, Any] = {"colour": str(found.colour), "due_on": due}
            thread = await by_itself(connection, thread, Step.REMIND, body, now, clocks)
        announce = found.announce.day if found.announce is not None else None
        if announce is not None and today >= announce and not thread.case.announced:
            body = {"due_on": due, "overdue_wd": found.overdue_wd}
            thread = await by_itself(connection, thread, Step.ANNOUNCE, body, now, clocks)
    await cases.project(connection, thread.id, thread.case, clocks, today)
    return thread


def _reminded(thread: Thread, colour: Colour, due: str) -> bool:
    """Whether the program has reminded of this colour and this term."""
    bodies: list[Any] = [e.event.body for e in thread.entries if e.event.step is Step.REMIND]
    return any(body.get("colour") == colour and body.get("due_on") == due for body in bodies)
