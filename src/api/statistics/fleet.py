"""GET /v1/statistics/fleet: vehicles by when they were last heard of; the rows behind the numbers of the cockpit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.scoped import scoped
from api.http import DEFAULT_PAGE, Cursor, Limit, json_response, make_cursor, read_cursor
from api.statistics.schemas import FleetPage
from office.statistics import fleet
from office.statistics.fleet import Standing, When
from office.supervision.cases import now_of
from runtime.connection import Connection
from runtime.units import CHINA, midnight

READ: Final = "tracks:read"
#: Who was not heard of for so long is silent.
SILENT_DAYS: Final = 3
MOST_SILENT_DAYS: Final = 366
router = APIRouter(prefix="/v1/statistics", tags=["statistics"])
SilentDays = Annotated[int, Query(ge=1, le=MOST_SILENT_DAYS, description="not seen for so many days: silent")]


@router.get(
    "/fleet", summary="车辆在线情况 / vehicles by when they were last heard of", response_model=FleetPage,
    dependencies=[require(READ)],
)  # fmt: skip
async def vehicles(
    request: Request,
    standing: Annotated[Standing, Query(description="service: all that are in service")] = "service",
    silent_days: SilentDays = SILENT_DAYS,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
) -> Response:
    """Vehicles in service, by id. `online`: seen within 10 minutes; `moving`: of these, with a moving fix within 3; `today`: since midnight in
    China; `silent`: with a terminal, seen before, but not for `silent_days`; `never`: with a terminal, never seen. Secret vehicles that
    you may not know are not in it."""
    place = read_cursor("fleet", cursor, str)
    async with scoped(request, READ, read_only=True) as connection:
        when = moments(await now_of(connection), silent_days)
        found = await fleet.vehicles(
            connection, standing, when, after=place[0] if place else None, limit=limit
        )
    following = make_cursor("fleet", found[-1]["id"]) if len(found) == limit else None
    return json_response({"items": found, "next": following})


def moments(now: datetime, silent_days: int) -> When:
    """What the standings are measured against."""
    return When(now, midnight(now.astimezone(CHINA).date()), now - timedelta(days=silent_days))


async def standings_of(connection: Connection, silent_days: int) -> tuple[dict[str, int], datetime]:
    """How many vehicles there are of each standing, and when that was."""
    now = await now_of(connection)
    return await fleet.standings(connection, moments(now, silent_days)), now


def opens_fleet(standing: str, silent_days: int) -> dict[str, Any]:
    """The list of the vehicles of a standing."""
    query = {"standing": standing} | ({"silent_days": str(silent_days)} if standing == "silent" else {})
    return {"path": "/v1/statistics/fleet", "query": query}
