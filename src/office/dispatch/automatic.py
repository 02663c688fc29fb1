"""Routine trips within the city get their vehicle without a dispatcher, where the pool has switched that on (``planner.auto_city``). By the clock; every other request, emergencies first, is
planned with them, so that they take no vehicle that it needs, and is left to the dispatcher."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from office.dispatch import vehicles
from office.dispatch.drivers import refuse_unable
from office.dispatch.opening import first_body, link_body, refuse_decider
from office.dispatch.papers import Desk, add_to_request, open_dispatch
from office.dispatch.planner.batch import Assignment
from office.dispatch.suggesting import MOST_TOGETHER, planned
from office.dispatch.threads import Clocks, RequestThread, new_id, now_of, read_request
from office.requests.request import Request
from office.requests.table import Paper, TripAction, TripState
from registry import parameters
from registry.organisations import units_below
from runtime.connection import Connection
from runtime.errors import DeclinedError
from runtime.units import to_us

#: Departures within this time are assigned; for later ones more requests are still to come.
_AHEAD: Final = timedelta(hours=36)
#: A request that found no vehicle is tried again when so long has passed since its pool was planned.
AGAIN: Final = timedelta(minutes=5)


class Automatic:
    """``planned``: when each pool was planned last by this process, and for which requests: the same question is not asked every few seconds."""

    def __init__(self) -> None:
        self._planned: dict[str, tuple[Any, tuple[tuple[str, int], ...]]] = {}

    async def turn(self, connection: Connection, clocks: Clocks) -> bool:
        """Assign what can be; whether something was. Not in a transaction."""
        now = await now_of(connection)
        pools = await connection.fetch(
            "SELECT DISTINCT pool FROM trip_requests WHERE state IN ('waiting', 'no_vehicle') AND planned_departure > $1 AND planned_departure < $2 ORDER BY pool",
            now, now + _AHEAD,
        )  # fmt: skip
        done = False
        for row in pools:
            if parameters.resolve(parameters.PLANNER, row["pool"], to_us(now), clocks.rows)["auto_city"]:
                done |= await self._pool(connection, clocks, row["pool"], now)
        return done

    async def _pool(self, connection: Connection, clocks: Clocks, pool: str, now: Any) -> bool:
        rows = await connection.fetch(
            "SELECT id, version FROM trip_requests WHERE pool = $1 AND state IN ('waiting', 'no_vehicle') AND planned_departure > $2 AND planned_departure < $3"
            " ORDER BY category <> 'emergency', planned_departure, id LIMIT $4", pool, now, now + _AHEAD, MOST_TOGETHER,
        )  # fmt: skip
        question = tuple((row["id"], row["version"]) for row in rows)
        last = self._planned.get(pool)
        if last is not None and last[1] == question and now - last[0] < AGAIN:
            return False
        self._planned[pool] = (now, question)
        threads = [
            thread for row in rows if (thread := await read_request(connection, row["id"])) is not None
        ]
        if not any(routine(thread.paper) for thread in threads):
            return False
        units = await units_below(connection, [pool])
        _, made, _ = await planned(connection, threads, units)
        by_id = {thread.id: thread for thread in threads}
        done = False
        for each in made.assignments:
            thread = by_id.get(each.trip)
            if thread is not None and not each.told and routine(thread.paper) and each.driver is not None:
                done |= await _assign(connection, clocks, thread, each)
        return done


def routine(request: Request) -> bool:
    """Whether no dispatcher need look at it: a general trip within the city, not secret, with a driver, that waits for its first vehicle."""
    contents = request.contents
    return (
        request.state is TripState.WAITING and request.kind == "normal" and not request.dispatches
        and contents["category"] == "other" and not contents.get("confidential") and contents["scope"] in ("near", "city")
        and contents.get("driver_mode", "with_driver") == "with_driver"
    )  # fmt: skip


async def _assign(connection: Connection, clocks: Clocks, planned: RequestThread, made: Assignment) -> bool:
    """One assignment, in a transaction of its own. What has changed meanwhile, or is taken, is left alone."""
    try:
        async with connection.transaction():
            desk = Desk(connection, clocks, await now_of(connection))
            thread = await read_request(connection, planned.id, lock=True, skip_locked=True)
            if thread is None or thread.paper.version != planned.paper.version or not routine(thread.paper):
                return False
            await _open(desk, thread, made)
            return True
    except DeclinedError:
        return False


async def _open(desk: Desk, thread: RequestThread, made: Assignment) -> None:
    since, until = thread.row["planned_departure"], thread.row["planned_return"]
    sent = await vehicles.fit(desk.connection, made.car, made.driver, since, until)
    refuse_decider([thread.paper], sent.driver_user)
    await vehicles.hold(desk.connection, sent.vehicle.no, sent.driver)
    await vehicles.refuse_taken(desk.connection, sent.vehicle, sent.driver, sent.driver_name, since, until)
    await refuse_unable(desk.connection, sent, since, until)
    threads: Sequence[RequestThread] = [thread]
    body = await first_body(desk, sent, threads, since, until, "normal")
    body["chosen"] = {"way": "auto", "rank": 1}
    opened = await open_dispatch(desk, new_id(Paper.DISPATCH, desk.now), TripAction.ASSIGN, frozenset(), body)
    await add_to_request(desk, thread, TripAction.ASSIGN, frozenset(), link_body(opened, sent))
