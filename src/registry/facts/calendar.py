"""The office's own word on single days. All SQL of the table ``calendar_days`` that the rules read."""

from __future__ import annotations

from registry.working_days import Calendar
from runtime.connection import Connection


async def load_calendar(conn: Connection) -> Calendar:
    """The calendar with every row of ``calendar_days`` over it."""
    rows = await conn.fetch("SELECT day, workday, name FROM calendar_days")
    return Calendar({r["day"]: (r["workday"], r["name"]) for r in rows})
