"""/v1/tariffs: what trips cost on a platform (计价标准), in versions."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from api.auth.access import require
from api.bodies import body_of, read_model
from api.cases.common import actor_of
from api.costs.common import ItemId, database, write
from api.costs.schemas import TariffQuoted, Tariffs, TariffView
from api.errors import known
from api.http import MAX_ID, PLAIN, json_response, refuse_controls
from office.costs import tariffs
from office.costs.kinds import CostKind
from office.costs.money import yuan
from office.costs.statement import READ
from office.costs.tariff import TripFacts, UnpricedError, class_of, price
from office.costs.terms import Area, Fen, TariffTerms, TermCode
from registry.values import Day, Identifier
from runtime.connection import Connection
from runtime.errors import InvalidError
from runtime.units import CHINA

router = APIRouter(prefix="/v1", tags=["costs"])
#: Versions that are shown.
_MOST: Final = 50
NO_UNIT: Final = "没有这个单位 · no such unit"
Version = Annotated[int, Path(ge=0, le=1_000_000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class TariffNew(_Body):
    """A new version of a platform's tariff."""

    organisation: Identifier = Field(description="平台 / the platform")
    tariff: TariffTerms


class TariffStart(_Body):
    """From which day on it holds."""

    valid_from: Day


class TariffQuestion(_Body):
    """A trip that is made up. ``vehicle``: its class is found as for a real one; else ``vehicle_class``. ``tariff``: one that is not stored yet; left
    out: the one that holds today."""

    vehicle: Identifier | None = None
    vehicle_class: TermCode | None = None
    area: Area = "city"
    distance_m: int = Field(0, ge=0, le=20_000_000, strict=True)
    duration_min: int = Field(ge=0, le=200_000, strict=True)
    days: int = Field(1, ge=1, le=93, strict=True)
    waiting_min: int = Field(0, ge=0, le=100_000, strict=True)
    overnights: int = Field(0, ge=0, le=92, strict=True)
    days_outside: int = Field(0, ge=0, le=92, strict=True)
    count: int | None = Field(None, ge=1, le=200, strict=True)
    holiday: bool = False
    product: TermCode | None = None
    passed_fen: dict[CostKind, Fen] = Field(default_factory=dict, max_length=10)
    tariff: TariffTerms | None = None


@router.get(
    "/tariffs", summary="计价标准 / versions of a platform, newest first", response_model=Tariffs, dependencies=[require(READ, tariffs.TARIFFS)]
)  # fmt: skip
async def list_tariffs(
    request: Request,
    organisation: Annotated[str, Query(min_length=1, max_length=MAX_ID, json_schema_extra=PLAIN)],
) -> Response:
    """`valid`: the version that holds today."""
    refuse_controls(organisation)
    async with database(request, READ, tariffs.TARIFFS) as connection:
        found = await tariffs.versions(connection, organisation, _MOST)
        valid = await _valid_today(connection, organisation)
    return json_response({"items": found, "valid": None if valid is None else valid.version})


async def _valid_today(connection: Connection, platform: str) -> tariffs.ValidTariff | None:
    today = (await connection.fetchval("SELECT clock_timestamp()")).astimezone(CHINA).date()
    return tariffs.valid_on(await tariffs.tariffs_of(connection, platform), today)


@router.post(
    "/tariffs", summary="另存计价标准 / a new version, a draft", status_code=201, response_model=TariffView,
    dependencies=[require(tariffs.TARIFFS)], openapi_extra=body_of(TariffNew),
)  # fmt: skip
async def draft(request: Request) -> Response:
    """Refused with a sentence: a class without a product, a distance, an area or a vehicle without a price. Prices are integer 分."""
    given, actor = await read_model(request, TariffNew), actor_of(request)
    made = await write(
        request, lambda connection: tariffs.draft(connection, actor, given.organisation, given.tariff)
    )
    return json_response(made, 201)


@router.post(
    "/tariffs/{id}/versions/{version}:activate", summary="启用 / have a version hold from a day on", response_model=TariffView,
    dependencies=[require(tariffs.TARIFFS)], openapi_extra=body_of(TariffStart),
)  # fmt: skip
async def activate(request: Request, id: ItemId, version: Version) -> Response:
    """`id`: the platform. A trip is priced by the version that holds on its day of departure. Only the first version of a platform may hold for
    days that are past."""
    given, unit, actor = await read_model(request, TariffStart), known(NO_UNIT, id), actor_of(request)

    async def work(connection: Connection) -> dict[str, Any]:
        return await tariffs.activate(connection, actor, unit, version, given.valid_from)

    return json_response(await write(request, work))


@router.post(
    "/tariffs/{id}:quote", summary="试算 / what a trip would cost", response_model=TariffQuoted,
    dependencies=[require(READ, tariffs.TARIFFS)], openapi_extra=body_of(TariffQuestion),
)  # fmt: skip
async def quote(request: Request, id: ItemId) -> Response:
    """By the same engine as statements. Nothing is stored."""
    given, unit = await read_model(request, TariffQuestion), known(NO_UNIT, id)
    async with database(request, READ, tariffs.TARIFFS) as connection:
        terms = given.tariff
        if terms is None:
            valid = await _valid_today(connection, unit)
            if valid is None:
                raise InvalidError("/tariff", "平台没有启用的计价标准，请先启用，或在 tariff 中给出 · the platform has no tariff that holds today; give one")  # fmt: skip
            terms = valid.terms
        category = ""
        if given.vehicle is not None:
            category = (
                await connection.fetchval("SELECT category FROM vehicles WHERE id = $1", given.vehicle) or ""
            )
    try:
        facts = TripFacts(
            given.vehicle_class or class_of(terms, given.vehicle or "", category).code,
            given.area,
            given.distance_m,
            given.duration_min * 60,
            given.days,
            given.waiting_min * 60,
            given.overnights,
            given.days_outside,
            given.count,
            given.holiday,
            given.product,
            given.passed_fen,
        )
        found = price(terms, facts)
    except UnpricedError as error:
        raise InvalidError("", str(error)) from None
    return json_response(
        {
            "product": found.product,
            "product_name": found.product_name,
            "vehicle_class": found.vehicle_class,
            "priced_m": found.priced_m,
            "charges": [charge.body() for charge in found.charges],
            "total_fen": found.total_fen,
            "total": yuan(found.total_fen),
        }
    )
