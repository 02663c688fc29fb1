"""/v1/approval-tables: who decides on the requests of a unit; /v1/drivers/{id}/account: which user a driver is."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from api.auth.access import require
from api.bodies import body_of, read_model
from api.cases.common import ItemId, actor_of
from api.errors import known
from api.http import MAX_ID, PLAIN, json_response, refuse_controls
from api.trips.common import READS, database, write
from api.trips.schemas import ApprovalTables, ApprovalTableView, DriverAccount
from office.dispatch import accounts
from office.requests import rule_tables
from office.requests.rules import ApprovalTable, Login
from registry.values import Identifier

router = APIRouter(prefix="/v1", tags=["trips"])
#: Versions that are shown.
_MOST: Final = 50
Unit = Annotated[str, Query(min_length=1, max_length=MAX_ID, json_schema_extra=PLAIN)]
Version = Annotated[int, Path(ge=1, le=1_000_000)]
NO_UNIT: Final = "没有这个单位 · no such unit"
NO_DRIVER: Final = "没有这名驾驶员 · no such driver"


class ApprovalTableNew(BaseModel):
    """A new version of a unit's approval table."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    organisation: Identifier
    table: ApprovalTable


class DriverAccountSet(BaseModel):
    """Which user a driver is: he accepts, departs and returns himself, and approves none of his own trips."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    user: Login


@router.get(
    "/approval-tables", summary="审批规则表 / versions of a unit, newest first", response_model=ApprovalTables,
    dependencies=[require(*READS, "trips:rules")],
)  # fmt: skip
async def list_tables(request: Request, organisation: Unit) -> Response:
    """`valid`: the version that holds for the unit now, its own or that of the nearest unit above it; null: its requests cannot be submitted."""
    refuse_controls(organisation)
    async with database(request) as connection:
        found = await rule_tables.versions(connection, organisation, _MOST)
        valid = await rule_tables.valid_table(connection, organisation)
        shown = None if valid is None else await rule_tables.show(connection, valid.organisation, valid.version)  # fmt: skip
    return json_response({"items": found, "valid": shown})


@router.post(
    "/approval-tables", summary="另存审批规则表 / a new version, a draft", status_code=201, response_model=ApprovalTableView,
    dependencies=[require("trips:rules")], openapi_extra=body_of(ApprovalTableNew),
)  # fmt: skip
async def draft(request: Request) -> Response:
    """Rows are tried in their order, the first that fits counts. `missing` says what keeps it from being made valid: a last row that fits everything."""
    given, actor = await read_model(request, ApprovalTableNew), actor_of(request)
    made = await write(
        request, lambda connection: rule_tables.draft(connection, actor, given.organisation, given.table)
    )
    return json_response(made, 201)


@router.post(
    "/approval-tables/{id}/versions/{version}:activate", summary="启用 / make a version valid from now on",
    response_model=ApprovalTableView, dependencies=[require("trips:rules")],
)  # fmt: skip
async def activate(request: Request, id: ItemId, version: Version) -> Response:
    """`id`: the unit. The version before ends; requests that were submitted keep the chain that they have."""
    unit, actor = known(NO_UNIT, id), actor_of(request)
    return json_response(
        await write(request, lambda connection: rule_tables.activate(connection, actor, unit, version))
    )


@router.get(
    "/drivers/{id}/account", summary="驾驶员账号 / which user a driver is", response_model=DriverAccount,
    dependencies=[require("trips:rules", "trips:dispatch")],
)  # fmt: skip
async def get_account(request: Request, id: ItemId) -> Response:
    """`user` null: he has none, and dispatchers enter his departures and returns."""
    driver = known(NO_DRIVER, id)
    async with database(request) as connection:
        return json_response(await accounts.account(connection, driver))


@router.put(
    "/drivers/{id}/account", summary="登记驾驶员账号 / say which user a driver is", response_model=DriverAccount,
    dependencies=[require("trips:rules")], openapi_extra=body_of(DriverAccountSet),
)  # fmt: skip
async def set_account(request: Request, id: ItemId) -> Response:
    """One user is one driver."""
    given, actor, driver = (
        await read_model(request, DriverAccountSet),
        actor_of(request),
        known(NO_DRIVER, id),
    )

    async def work(connection: Any) -> dict[str, Any]:
        return await accounts.set_account(connection, actor, driver, given.user)

    return json_response(await write(request, work))


@router.delete(
    "/drivers/{id}/account",
    summary="取消驾驶员账号 / he has none any more",
    status_code=204,
    dependencies=[require("trips:rules")],
)
async def drop_account(request: Request, id: ItemId) -> Response:
    """What he did stays his."""
    actor, driver = actor_of(request), known(NO_DRIVER, id)
    await write(request, lambda connection: accounts.drop_account(connection, actor, driver))
    return Response(status_code=204)
