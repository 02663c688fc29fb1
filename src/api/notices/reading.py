"""How a notice is shown: with the end of its term for objections, by the calendar as it is now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from office.notices import notices
from office.notices.contents import OBJECTION_WD, NoticeKind
from office.supervision.actors import Actor
from office.supervision.deadlines import after
from registry.calendar import load_calendar
from runtime.connection import Connection
from runtime.units import CHINA

NO_NOTICE: Final = "没有这份通知、公示 · no such notice"


async def shown(connection: Connection, actor: Actor, id: str) -> dict[str, Any]:
    """One notice as somebody sees it. Raises NotThereError."""
    found = await notices.show_notice(connection, actor, id)
    return found | {"object_until": await object_until(connection, found)}


async def object_until(connection: Connection, notice: Mapping[str, Any]) -> date | None:
    """The last day for objections to a publication; None: a day of the term is not published yet, or it is none."""
    if notice["kind"] == NoticeKind.NOTICE:
        return None
    day = notice["published_at"].astimezone(CHINA).date()
    return after(await load_calendar(connection), day, OBJECTION_WD).day
