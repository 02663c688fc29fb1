"""Who is told of a step of a request or a dispatch: people by name, or whoever has a permission in a unit. A message has the number, the
step and the state, never a name or a place: it may be passed on by ways that others read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from office.drivers import messages as drivers
from office.posting import inside
from office.requests.table import STATE_NAMES, STEP_NAMES, Paper, TripAction, TripState
from office.vehicles import messages as vehicles
from runtime.connection import Connection

#: How a message names its paper; what comes after is the id.
PATHS: Final = {Paper.REQUEST: "trip-requests", Paper.DISPATCH: "dispatches"}
#: Permissions of the messages to whoever has them.
PERMISSIONS: Final = (
    "trips:approve",
    "trips:dispatch",
    "trips:enter",
    *vehicles.PERMISSIONS,
    *drivers.PERMISSIONS,
)
#: What cannot wait for the end of quiet hours.
_URGENT: Final = frozenset(
    {TripAction.ASSIGN, TripAction.EMERGENCY, TripAction.REASSIGN, TripAction.CANCEL, TripAction.UNANSWERED}
)


async def tell(
    connection: Connection, paper: Paper, id: str, *, number: str | None, step: TripAction, state: TripState, at: datetime,
    to_persons: Iterable[tuple[str, str]] = (), to_units: Iterable[tuple[str, str]] = (),
) -> None:  # fmt: skip
    """Write the messages of a step, in its transaction. ``to_persons``: (user's key, unit in which he is told); ``to_units``: (unit,
    permission)."""
    await inside.tell(
        connection, f"{PATHS[paper]}/{id}", number=number, step=step, state=state, at=at,
        to_persons=to_persons, to_units=to_units, urgent=step in _URGENT,
    )  # fmt: skip


def sentence(trip: str, number: str | None, step: str, state: str) -> str:
    """A step in words: all that leaves the program about a trip, a maintenance, a paper of a vehicle or a driver."""
    told = vehicles.sentence(trip, number, step, state) or drivers.sentence(trip, number, step, state)
    if told is not None:
        return told
    name = "申请单" if trip.startswith(PATHS[Paper.REQUEST]) else "派车单"
    return f"{name} {number or '（未编号）'}：{STEP_NAMES[TripAction(step)]}，现为{STATE_NAMES[TripState(state)]}"
