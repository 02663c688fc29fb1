"""What happens to requests and dispatches by itself: expired, escalated, confirmed by silence; cancelled as not used, proposed as departed or
returned from the track, overdue, listed for supervision; routine trips that get their vehicle where a pool wants that; orders whose version somebody could not write.

``turn`` does a bounded piece of it and says whether there may be more. Several processes may run it at once: each paper is taken by one
(rows are locked, a locked one is left to whoever has it), and what was done is in the thread, so that nothing is done twice, also after a
process was killed. When a paper is looked at again stands in its row.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

from office.dispatch.asking import after_approval, drop_request
from office.dispatch.automatic import Automatic
from office.dispatch.orders import order_of
from office.dispatch.papers import (
    Desk,
    add_to_dispatch,
    add_to_request,
    dispatch_row,
    request_row,
    settle_request,
)
from office.dispatch.shown import shown
from office.dispatch.terms import (
    accept_by,
    confirmed_at,
    escalates_at,
    expires_at,
    listed_at,
    no_show_at,
    overdue_at,
)
from office.dispatch.threads import (
    Clocks,
    DispatchThread,
    RequestThread,
    hold_dispatch,
    load_clocks,
    now_of,
    read_dispatch,
    read_request,
    write_row,
)
from office.requests.table import BEFORE, OUT, Paper, TripAction, TripState
from registry import orders
from registry.refusals import RefusedError
from runtime.connection import Connection
from runtime.errors import DeclinedError
from runtime.faults import of_one_fact

#: How often it is looked whether something is due, in seconds.
EVERY_S: Final = 20.0
#: Papers of a turn, of each kind.
AT_ONCE: Final = 100
#: A paper on which the program failed is left alone for so long.
_AGAIN: Final = timedelta(minutes=10)
_NOBODY: Final[frozenset[str]] = frozenset()
#: What this process has planned already.
_AUTOMATIC: Final = Automatic()
_logger = logging.getLogger(__name__)


async def tick(pool: Any) -> bool:
    """A turn of ``runtime.repeating``: every API process runs it, each paper is taken by one of them."""
    async with pool.acquire(timeout=5) as connection:
        return await turn(connection)


async def turn(connection: Connection) -> bool:
    """Do what is due, at most AT_ONCE papers of each kind; whether there may be more. Not in a transaction."""
    clocks, more = await load_clocks(connection), False
    for query, work in (
        ("SELECT id FROM trip_dispatches WHERE order_due ORDER BY id LIMIT $1", _write_order),
        ("SELECT id FROM trip_requests WHERE look_at <= clock_timestamp() ORDER BY look_at, id LIMIT $1", _look_at_request),
        ("SELECT id FROM trip_dispatches WHERE look_at <= clock_timestamp() ORDER BY look_at, id LIMIT $1", _look_at_dispatch),
    ):  # fmt: skip
        rows, moved = await connection.fetch(query, AT_ONCE), False
        for row in rows:
            moved |= await _apart(connection, work, row["id"], clocks)
        more |= moved and len(rows) == AT_ONCE
    try:
        more |= await _AUTOMATIC.turn(connection, clocks)
    except Exception as error:
        if not of_one_fact(error):
            raise
        _logger.exception("requests could not be assigned by the program")
    return more


async def _apart(
    connection: Connection, work: Callable[[Desk, str], Awaitable[bool]], id: str, clocks: Clocks
) -> bool:
    """``work`` on a paper, in a transaction of its own. One on which the program fails does not stop the others."""
    try:
        async with connection.transaction():
            return await work(Desk(connection, clocks, await now_of(connection)), id)
    except Exception as error:
        if not (of_one_fact(error) or isinstance(error, DeclinedError | RefusedError)):
            raise
        _logger.exception("the clock of trips failed on %s", id)
        table = _TABLE_OF.get(work)
        if table is not None:
            await connection.execute(
                f"UPDATE {table} SET look_at = clock_timestamp() + $2 WHERE id = $1 AND look_at <= clock_timestamp()",  # noqa: S608 - constants
                id,
                _AGAIN,
            )
        return False


async def _write_order(desk: Desk, id: str) -> bool:
    thread = await read_dispatch(desk.connection, id, skip_locked=True)
    if thread is None or not thread.row["order_due"]:
        return False
    await orders.write(desk.connection, [order_of(id, thread.paper)])
    await desk.connection.execute("UPDATE trip_dispatches SET order_due = false WHERE id = $1", id)
    return True


async def _look_at_request(desk: Desk, id: str) -> bool:
    thread = await read_request(desk.connection, id, skip_locked=True)
    if thread is None or thread.row["look_at"] is None or thread.row["look_at"] > desk.now:
        return False
    before = thread.paper.version
    thread = await _request_due(desk, thread)
    if thread.paper.version == before:
        due = thread.row["paper_due"]
        values = request_row(desk, thread.paper, due)
        if values["look_at"] is not None and values["look_at"] <= desk.now:
            values["look_at"] = desk.now + _AGAIN  # somebody else has to do something first
        await write_row(desk.connection, Paper.REQUEST, id, values, new=False)
    return True


async def _request_due(desk: Desk, thread: RequestThread) -> RequestThread:
    """What is due of a request now, and done."""
    request, now = thread.paper, desk.now
    terms = desk.clocks.terms(request.organisation, request.begun_at)
    if request.state is TripState.APPROVED:
        return await after_approval(desk, thread)
    if request.state is TripState.ASSIGNED:
        return await settle_request(desk, thread)
    expires = expires_at(request, terms)
    if expires is not None and expires <= now:
        against = "approver" if request.state is TripState.PENDING else "dispatcher"
        return await add_to_request(desk, thread, TripAction.EXPIRE, _NOBODY, {"against": against})
    escalates = escalates_at(request)
    if escalates is not None and escalates <= now:
        thread = await add_to_request(
            desk, thread, TripAction.ESCALATE, _NOBODY, {"level": request.level + 1}
        )
        request = thread.paper
    silent = confirmed_at(request, desk.clocks.calendar, terms)
    if silent is not None and silent <= now:
        return await add_to_request(desk, thread, TripAction.CONFIRM_SILENT, _NOBODY, {"default": True})
    due = thread.row["paper_due"]
    unfinished = request.state in (TripState.DRAFT, TripState.PENDING, TripState.REJECTED)
    if request.driven and not request.paper_late and unfinished and due is not None and due <= now:
        return await add_to_request(desk, thread, TripAction.PAPER_LATE, _NOBODY, {"due": due.isoformat()})
    return thread


async def _look_at_dispatch(desk: Desk, id: str) -> bool:
    held = await hold_dispatch(desk.connection, id, skip_locked=True)
    if held is None:
        return False
    thread, requests = held
    if thread.row["look_at"] is None or thread.row["look_at"] > desk.now:
        return False
    for request in requests:
        gone = request.paper.state is TripState.CANCELLED and request.id in thread.paper.requests
        if gone and thread.paper.state in BEFORE:
            return await drop_request(desk, thread, request.id)  # who cancelled it did not reach the others
    after = await _dispatch_due(desk, thread)
    if after.paper.version == thread.paper.version:
        values = dispatch_row(desk, after.paper)
        await write_row(desk.connection, Paper.DISPATCH, id, values, new=False)
    if after.paper.state is TripState.NO_SHOW:
        for request in requests:
            if request.id in after.paper.requests:
                await settle_request(desk, request)
    return True


async def _dispatch_due(desk: Desk, thread: DispatchThread) -> DispatchThread:
    """What is due of a dispatch now, and done."""
    now, dispatch = desk.now, thread.paper
    terms = desk.clocks.terms(dispatch.organisation, dispatch.begun_at)
    overdue_h = desk.clocks.overdue_h(dispatch.organisation, dispatch.planned_departure)
    waits = accept_by(dispatch, terms)
    if waits is not None and waits <= now:
        thread = await add_to_dispatch(
            desk, thread, TripAction.UNANSWERED, _NOBODY, {"accept_by": waits.isoformat()}
        )
    thread = await _by_track(desk, thread, terms)
    dispatch = thread.paper
    late = overdue_at(dispatch, overdue_h)
    if late is not None and late <= now:
        # From when on: as the order says, however late the clock looks.
        thread = await add_to_dispatch(desk, thread, TripAction.OVERDUE, _NOBODY, {"since": late.isoformat()})
        dispatch = thread.paper
    if (
        dispatch.state is TripState.OVERDUE
        and not dispatch.listed
        and listed_at(dispatch, terms, overdue_h) <= now
    ):
        thread = await add_to_dispatch(desk, thread, TripAction.LIST, _NOBODY, {"proposal": "supervision"})
    return thread


async def _by_track(desk: Desk, thread: DispatchThread, terms: dict[str, int]) -> DispatchThread:
    """What the track shows: that it has left, that it is back; and that it was not used."""
    dispatch, now = thread.paper, desk.now
    waits = (
        dispatch.state in BEFORE and dispatch.proposed_departure is None and now >= dispatch.planned_departure
    )
    out = (
        dispatch.state in OUT or dispatch.proposed_departure is not None
    ) and dispatch.proposed_return is None
    if not waits and not out:
        return thread
    departure = dispatch.actual_departure or dispatch.planned_departure
    found = await shown(
        desk.connection,
        dispatch.vehicle,
        dispatch.organisation,
        departure,
        now,
        terms["stand_min"],
        desk.clocks.rows,
    )
    if waits:
        if found.left_at is not None:
            body = {"at": found.left_at.isoformat(), "source": "track"}
            thread = await add_to_dispatch(desk, thread, TripAction.PROPOSE_DEPARTURE, _NOBODY, body)
        else:
            no_show = no_show_at(dispatch, terms)
            # Without any fix nobody knows: it waits until the vehicle should be back.
            if no_show is not None and (no_show <= now if found.seen else max(no_show, dispatch.due) <= now):
                body = {
                    "reason": "计划出车后没有移动 · it has not moved",
                    "track": "seen" if found.seen else "none",
                }
                return await add_to_dispatch(desk, thread, TripAction.NO_SHOW, _NOBODY, body)
    if thread.paper.state in OUT and found.back_at is not None:
        after = thread.paper.actual_departure or thread.paper.proposed_departure
        if after is None or found.back_at > after:
            body = {"at": found.back_at.isoformat(), "source": "track"}
            thread = await add_to_dispatch(desk, thread, TripAction.PROPOSE_RETURN, _NOBODY, body)
    return thread


#: Whose papers are left alone for a while when the program has failed on one of them.
_TABLE_OF: Final[dict[Any, str]] = {_look_at_request: "trip_requests", _look_at_dispatch: "trip_dispatches"}
