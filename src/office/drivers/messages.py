"""Who is told of leave. A message has the number, the step and the state, never a name or a reason: it may be passed on by ways that others read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from office.drivers.leave import STATE_NAMES, STEP_NAMES, LeaveAction, LeaveState
from office.posting import inside
from runtime.connection import Connection

#: How a message names what it is about; what comes after is the id.
LEAVES: Final = "driver-leaves/"
DECIDE: Final = "drivers:decide"
#: Permissions of the messages to whoever has them, besides those of trips.
PERMISSIONS: Final = (DECIDE,)


async def tell(
    connection: Connection, id: str, unit: str, step: LeaveAction, state: LeaveState, at: datetime,
    to_persons: Iterable[str] = (), to_units: Iterable[str] = (),
) -> None:  # fmt: skip
    """Write messages, in the transaction of the step. ``to_persons``: users' keys; ``to_units``: permissions in ``unit``."""
    await inside.tell(
        connection, f"{LEAVES}{id}", number=id, step=step, state=state, at=at,
        to_persons=[(key, unit) for key in to_persons], to_units=[(unit, permission) for permission in to_units],
    )  # fmt: skip


def sentence(path: str, number: str | None, step: str, state: str) -> str | None:
    """A message in words; None: it is about none of ours."""
    if not path.startswith(LEAVES):
        return None
    return f"请假单 {number}：{STEP_NAMES[LeaveAction(step)]}，现为{STATE_NAMES[LeaveState(state)]}"
