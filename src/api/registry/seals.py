"""Sealed vehicles (封存): which must not move. Whether their drivers are told is a parameter (docs/reminders.md)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, StringConstraints

from api.auth.access import require
from api.auth.scoped import scoped, written
from api.bodies import Body, body_of, read_model
from api.errors import Problem, known, not_found
from api.http import MAX_ID, PLAIN_PATTERN, json_response
from registry import seals
from registry.values import Time
from runtime.connection import Connection

router = APIRouter(prefix="/v1", tags=["vehicles"])
_NONE: Final = "没有这辆车 · no such vehicle"
VehicleId = Annotated[str, Path(min_length=1, max_length=MAX_ID)]


class SealBody(Body):
    """Seal a vehicle. `sealed_from`: default now; `sealed_to`: default until somebody lifts it; `reason`: why, kept with your name."""

    sealed_from: Time | None = None
    sealed_to: Time | None = None
    reason: Annotated[
        str, StringConstraints(min_length=2, max_length=500, pattern=PLAIN_PATTERN, strip_whitespace=True)
    ]


class SealShown(BaseModel):
    """When a vehicle is, or was, sealed; `sealed_to` null: until somebody lifts it."""

    sealed_from: datetime
    sealed_to: datetime | None
    reason: str


class VehicleSeals(BaseModel):
    """The newest first, a hundred at most."""

    items: list[SealShown]


async def _listed(connection: Connection, vehicle: str) -> Response:
    if await connection.fetchval("SELECT true FROM vehicles WHERE id = $1", vehicle) is None:
        raise not_found(_NONE, vehicle)
    items: list[dict[str, Any]] = await seals.seals_of(connection, vehicle)
    return json_response({"items": items})


@router.get(
    "/vehicles/{id}/seals",
    summary="车辆封存记录 / when a vehicle was sealed",
    response_model=VehicleSeals,
    dependencies=[require("registry:read")],
)
async def list_seals(request: Request, id: VehicleId) -> Response:
    async with scoped(request, "registry:read", read_only=True) as connection:
        return await _listed(connection, known(_NONE, id))


@router.post(
    "/vehicles/{id}:seal",
    summary="封存车辆 / seal a vehicle: it must not move",
    response_model=VehicleSeals,
    dependencies=[require("registry:write")],
    openapi_extra=body_of(SealBody),
    responses={409: {"description": "该时段已封存 · it is sealed then already"}},
)
async def seal(request: Request, id: VehicleId) -> Response:
    """Where the unit has switched `reminder.sealed_moved` on, its driver is told when it moves."""
    body, vehicle = await read_model(request, SealBody), known(_NONE, id)

    async def write(connection: Connection) -> Response:
        done = await seals.seal(connection, vehicle, body.sealed_from, body.sealed_to, body.reason)
        if done is None:
            raise not_found(_NONE, id)
        if not done:
            detail = "该车辆在此时段已封存，或结束不晚于开始 · it is sealed then already, or the end is not after the beginning"
            raise Problem(409, "conflict", detail)
        return await _listed(connection, vehicle)

    return await written(request, "registry:write", write)


@router.post(
    "/vehicles/{id}:unseal",
    summary="启封车辆 / lift the seal of a vehicle",
    response_model=VehicleSeals,
    dependencies=[require("registry:write")],
    responses={409: {"description": "未封存 · it is not sealed now"}},
)
async def unseal(request: Request, id: VehicleId) -> Response:
    vehicle = known(_NONE, id)

    async def write(connection: Connection) -> Response:
        lifted = await seals.lift(connection, vehicle)
        found = await _listed(connection, vehicle)  # 404 where there is no such vehicle
        if not lifted:
            raise Problem(409, "conflict", "该车辆现在没有封存 · it is not sealed now")
        return found

    return await written(request, "registry:write", write)
