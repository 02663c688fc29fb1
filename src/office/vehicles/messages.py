"""Who is told of papers that end and of steps of a maintenance. A message has the number and what it is about, never a plate or a name: it may be
passed on by ways that others read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from office.vehicles import repair
from registry.vehicle_papers import KIND_NAMES, PaperKind
from runtime.connection import Connection

#: How a message names what it is about; what comes after is the id.
PAPERS: Final = "vehicle-papers/"
REPAIRS: Final = "maintenance/"
#: Who is told of papers that end: who keeps vehicles of the unit, and who sends them (单位车管员、调度员).
KEEPERS: Final = "trips:enter"
#: Permissions of the messages to whoever has them, besides those of trips.
PERMISSIONS: Final = ("maintenance:approve",)
ENDED: Final = "ended"


async def tell(
    connection: Connection, path: str, *, number: str, step: str, state: str, at: datetime,
    to_persons: Iterable[tuple[str, str]] = (), to_units: Iterable[tuple[str, str]] = (), urgent: bool = False,
) -> None:  # fmt: skip
    """Write messages, in the transaction of what they tell. ``to_persons``: (user's key, unit in which he is told); ``to_units``: (unit, permission)."""
    rows: list[tuple[str, str, str | None]] = [
        (unit, "", key.removeprefix("user:")) for key, unit in to_persons if key.startswith("user:")
    ]
    rows += [(unit, permission, None) for unit, permission in to_units]
    await connection.executemany(
        "INSERT INTO messages (organisation, permission, person, trip, number, step, state, at, urgent)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        [
            (unit, permission, person, path, number, step, state, at, urgent)
            for unit, permission, person in dict.fromkeys(rows)
        ],
    )


def step_of(ahead: int) -> str:
    """The step of a message that a paper ends within ``ahead`` days; 0: that it has ended."""
    return ENDED if ahead == 0 else f"ends-in-{ahead}"


def sentence(path: str, number: str | None, step: str, state: str) -> str | None:
    """A message in words; None: it is about none of ours."""
    if path.startswith(REPAIRS):
        return repair.sentence(number or "（未编号）", step, state)
    if not path.startswith(PAPERS):
        return None
    name = KIND_NAMES[PaperKind(state)]
    if step == ENDED:
        return f"证照 {number}：{name}已到期，续办并登记前不能派出"
    return f"证照 {number}：{name}将在 {step.removeprefix('ends-in-')} 日内到期，请办理并登记新的{name}"
