"""/v1/vehicles/{id}/particulars, /plates and :swap-plates: what a vehicle is, and which plates it has and had."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.scoped import scoped, written
from api.bodies import body_of, read_model
from api.cases.common import actor_of
from api.errors import known
from api.http import json_response
from api.vehicles.common import NO_VEHICLE, READ, WRITE, VehicleId, unit_of_vehicle
from api.vehicles.schemas import VehicleParticularsShown, VehiclePlates
from office.vehicles.plates import PlateSwap, swap
from registry.particulars import VehicleParticulars, particulars_of, plates_held, swaps_of, write_particulars
from runtime.connection import Connection

router = APIRouter(prefix="/v1", tags=["vehicles"])


async def _particulars(connection: Connection, vehicle: str) -> dict[str, Any]:
    return {"vehicle": vehicle, **await particulars_of(connection, vehicle)}


async def _plates(connection: Connection, vehicle: str) -> dict[str, Any]:
    return {"items": await plates_held(connection, vehicle), "swaps": await swaps_of(connection, vehicle)}


@router.get(
    "/vehicles/{id}/particulars", summary="车辆登记信息 / what a vehicle is", response_model=VehicleParticularsShown, dependencies=[require(READ)]
)  # fmt: skip
async def get_particulars(request: Request, id: VehicleId) -> Response:
    """VIN, engine, model, seats, price, marking. Of a vehicle of which nothing was entered everything is empty."""
    vehicle = known(NO_VEHICLE, id)
    async with scoped(request, READ, read_only=True) as connection:
        await unit_of_vehicle(connection, vehicle)
        return json_response(await _particulars(connection, vehicle))


@router.put(
    "/vehicles/{id}/particulars", summary="登记车辆信息 / enter what a vehicle is", response_model=VehicleParticularsShown,
    dependencies=[require(WRITE)], openapi_extra=body_of(VehicleParticulars),
    responses={409: {"description": "车架号已属于另一辆车 · another vehicle has this VIN"}},
)  # fmt: skip
async def put_particulars(request: Request, id: VehicleId) -> Response:
    """All of it: what is left out is not known any more. The VIN is the identity of the vehicle: a change of it is a `correction`, with its reason."""
    given, vehicle = await read_model(request, VehicleParticulars), known(NO_VEHICLE, id)

    async def work(connection: Connection) -> dict[str, Any]:
        await unit_of_vehicle(connection, vehicle)
        await write_particulars(connection, vehicle, given)
        return await _particulars(connection, vehicle)

    return json_response(await written(request, WRITE, work))


@router.get(
    "/vehicles/{id}/plates", summary="号牌的起止 / plates that a vehicle has and had", response_model=VehiclePlates, dependencies=[require(READ)]
)  # fmt: skip
async def get_plates(request: Request, id: VehicleId) -> Response:
    """By the times at which the register was told, the newest first."""
    vehicle = known(NO_VEHICLE, id)
    async with scoped(request, READ, read_only=True) as connection:
        await unit_of_vehicle(connection, vehicle)
        return json_response(await _plates(connection, vehicle))


@router.post(
    "/vehicles/{id}:swap-plates", summary="两车互换号牌 / two vehicles change plates", response_model=VehiclePlates,
    dependencies=[require(WRITE)], openapi_extra=body_of(PlateSwap),
    responses={409: {"description": "号牌已有变化 · the plates are others by now"}},
)  # fmt: skip
async def swap_plates(request: Request, id: VehicleId) -> Response:
    """One act: both vehicles in one transaction. `plate` and `other_plate` are those that you see now, so that sent twice it is done once. Fuel cards are
    bound to plates: where there are some, `cards` says whether they change vehicles with the plates, or stay and are bound anew."""
    given, vehicle, actor = await read_model(request, PlateSwap), known(NO_VEHICLE, id), actor_of(request)

    async def work(connection: Connection) -> dict[str, Any]:
        await swap(connection, actor, vehicle, given)
        return await _plates(connection, vehicle)

    return json_response(await written(request, WRITE, work))
