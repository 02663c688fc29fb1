"""/v1/drivers/{id}/costs: what is booked about a driver, for himself and for who sees the costs of his unit."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.scoped import scoped
from api.cases.common import actor_of
from api.costs.common import QueryDay, cursor_day
from api.costs.schemas import DriverCostPage
from api.drivers.common import DRIVE, NO_DRIVER, DriverId, unit_for
from api.errors import known
from api.http import DEFAULT_PAGE, Cursor, Limit, json_response, make_cursor, read_cursor
from office.costs import ledger
from office.costs.statement import READ

router = APIRouter(prefix="/v1", tags=["costs"])
_CURSOR = "driver-costs"


@router.get(
    "/drivers/{id}/costs", summary="与驾驶员有关的费用 / what is booked about a driver", response_model=DriverCostPage, dependencies=[require(READ, DRIVE)]
)  # fmt: skip
async def list_costs(
    request: Request,
    id: DriverId,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    since: Annotated[
        QueryDay | None, Query(alias="from", description="occurred on this day or later")
    ] = None,
    until: Annotated[QueryDay | None, Query(alias="to", description="included")] = None,
) -> Response:
    """Overtime, allowances, fines, and other lines that name him, the newest day first; without vendor, invoice and budget. Drivers see their own; others
    need `costs:read` in his unit."""
    driver, actor = known(NO_DRIVER, id), actor_of(request)
    place = read_cursor(_CURSOR, cursor, int, str)
    after = None if place is None else (cursor_day(place[0]), str(place[1]))
    async with scoped(request, READ, DRIVE, read_only=True) as connection:
        await unit_for(connection, actor, driver, READ)
        found = await ledger.list_of_driver(connection, driver, since, until, limit, after)
    following = None
    if len(found) == limit:
        following = make_cursor(_CURSOR, found[-1]["occurred_on"].toordinal(), found[-1]["id"])
    return json_response({"items": found, "next": following})
