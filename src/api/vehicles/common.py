"""What these operations share: who reaches what, and uploads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import Path, Request

from api.errors import not_found
from api.http import MAX_ID
from api.uploads import uploaded
from office.vehicles.documents import Upload
from runtime.connection import Connection

VehicleId = Annotated[str, Path(min_length=1, max_length=MAX_ID)]
NO_VEHICLE: Final = "没有这辆车 · no such vehicle"
NO_DRIVER: Final = "没有这名驾驶员 · no such driver"
READ: Final = "registry:read"
WRITE: Final = "registry:write"


async def unit_of_vehicle(connection: Connection, vehicle: str) -> str:
    """The unit of a vehicle within reach. Raises Problem 404."""
    unit: str | None = await connection.fetchval("SELECT organisation FROM vehicles WHERE id = $1", vehicle)
    if unit is None:
        raise not_found(NO_VEHICLE, vehicle)
    return unit


async def unit_of_driver(connection: Connection, driver: str) -> str:
    """The unit of a driver within reach. Raises Problem 404."""
    unit: str | None = await connection.fetchval("SELECT organisation FROM drivers WHERE id = $1", driver)
    if unit is None:
        raise not_found(NO_DRIVER, driver)
    return unit


async def kept(
    request: Request, name: str, store: Callable[[Upload], Awaitable[dict[str, Any]]]
) -> dict[str, Any]:
    """What ``store`` answers for the file in the body. Raises as ``uploaded``."""
    async with uploaded(request, name) as (paper, data):
        return await store(Upload(name.strip(), paper.media_type, paper.body, data))
