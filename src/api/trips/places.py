"""/v1/trip-requests/places: known places by name, for who writes where a trip goes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.auth.access import require
from api.http import PLAIN, json_response, refuse_controls
from api.trips.common import READS, database
from api.trips.schemas import TripPlaces
from registry.known_places import known_places

router = APIRouter(prefix="/v1", tags=["trips"])
#: Of each kind.
_MOST: Final = 10


@router.get(
    "/trip-requests/places", summary="查找地点 / known places by name", response_model=TripPlaces, dependencies=[require(*READS)]
)  # fmt: skip
async def places(
    request: Request, search: Annotated[str, Query(min_length=1, max_length=50, json_schema_extra=PLAIN)]
) -> Response:
    """Fences of the caller's units and stations whose names have all words of `search`, ten of each at most. A place that is not among them is a
    point on the map."""
    refuse_controls(search)
    async with database(request) as connection:
        found = await known_places(connection, search, _MOST)
    return json_response({"items": [asdict(each) | {"datum": "wgs84"} for each in found]})
