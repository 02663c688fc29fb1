"""Who is told of leave. A message has the number, the step and the state, never a name or a reason: it may be passed on by ways that others read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from office.drivers.leave import STATE_NAMES, STEP_NAMES, LeaveAction, LeaveState
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
    rows: list[tuple[str, str | None]] = [("", key.removeprefix("user:")) for key in to_persons if key.startswith("user:")]  # fmt: skip
    rows += [(permission, None) for permission in to_units]
    await connection.executemany(
        "INSERT INTO messages (organisation, permission, person, trip, number, step, state, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        [(unit, permission, person, f"{LEAVES}{id}", id, step, state, at) for permission, person in dict.fromkeys(rows)],
    )  # fmt: skip


def sentence(path: str, number: str | None, step: str, state: str) -> str | None:
    """A message in words; None: it is about none of ours."""
    if not path.startswith(LEAVES):
        return None
    return f"请假单 {number}：{STEP_NAMES[LeaveAction(step)]}，现为{STATE_NAMES[LeaveState(state)]}"
