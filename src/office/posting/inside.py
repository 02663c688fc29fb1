"""站内消息: messages inside the program of what is no case: to people by name, and to whoever has a permission in a unit. What they say in
words is for the folder of what they are about."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from runtime.connection import Connection


async def tell(
    connection: Connection, path: str, *, number: str | None, step: str, state: str, at: datetime,
    to_persons: Iterable[tuple[str, str]] = (), to_units: Iterable[tuple[str, str]] = (), urgent: bool = False,
) -> None:  # fmt: skip
    """Write messages about ``path``, in the transaction of what they tell; each reader once. ``to_persons``: (user's key, unit in which he is told);
    ``to_units``: (unit, permission)."""
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
