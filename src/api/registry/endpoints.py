"""The same operations for every kind of record: organisations, vehicles, terminals, drivers, fences,
orders, fuel cards, stations, transactions, violations, calendar days.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.answers import Imported, TripResult
from api.auth.access import require
from api.auth.audited import noted, stated_purpose
from api.auth.scoped import scoped, written
from api.errors import Problem, known, not_found
from api.http import (
    DAY_PATTERN,
    DEFAULT_PAGE,
    MAX_ID,
    PLAIN_PATTERN,
    TIME_PATTERN,
    Cursor,
    Limit,
    QueryTime,
    json_response,
    media_type,
    refuse_controls,
)
from api.problems import WITHOUT_ID
from api.registry import parameters, statements, terminals
from api.registry.examples import EXAMPLES, RESULT
from api.registry.importing import CORRECTED, XLSX, Corrections, import_steps, reported
from api.registry.ordering import cursor_of, order_parameters, orders_of, read_order, read_place
from api.registry.putting import RecordId, put_record
from api.registry.stamps import stamp
from api.registry.stored import ONE, PAGES, WRITTEN
from office.identity.secrecy import is_masked_id
from registry import bulk as imports
from registry import pages
from registry.calendar import forget_day
from registry.clock_corrections import take_back
from registry.corrections import RecordCorrections
from registry.fences import withdraw_fence
from registry.import_jobs import Job, RecordsJob
from registry.records import KINDS, Kind
from registry.spelling import normal_plate
from registry.values import parse_day, parse_time
from registry.vehicles import masked_vehicles
from rules.live.store.results import order_result
from runtime.connection import Connection
from telemetry.terminals.phones import stored_phone

#: Content type -> format; None: as the bytes say. Windows with Excel sends every CSV as application/vnd.ms-excel.
_FORMATS: Final[dict[str, imports.Format | None]] = {
    "text/csv": "csv",
    "application/csv": "csv",
    "text/plain": None,
    "application/vnd.ms-excel": None,
    "application/octet-stream": None,
    XLSX: None,
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
}
_ETAG: Final = {
    "ETag": {"schema": {"type": "string"}, "description": "of what the office says in it; for If-Match"}
}
#: Kinds that are a person's data: reading them is noted.
PERSONAL: Final = frozenset({"drivers", "fuel-cards"})
#: Who gives roles has to see the units that they are given in, and nothing else of the registry.
_READERS: Final = {"organisations": ("registry:read", "users:manage")}
_SCHEMAS: Final = {
    "text": {"type": "string", "maxLength": MAX_ID, "pattern": PLAIN_PATTERN},
    "time": {"type": "string", "format": "date-time", "pattern": TIME_PATTERN},
    "day": {"type": "string", "format": "date", "pattern": DAY_PATTERN},
}


def _make_router() -> APIRouter:
    router = APIRouter(prefix="/v1")
    for name, kind in KINDS.items():
        _add(router, name, kind)
    router.add_api_route(
        "/fences/{id}",
        _withdraw,
        methods=["DELETE"],
        tags=["fences"],
        summary="撤销围栏 / end a fence (valid_to); its versions stay",
        status_code=204,
        dependencies=[require("registry:write")],
    )
    router.add_api_route(
        "/calendar-days/{id}",
        _forget_day,
        methods=["DELETE"],
        tags=["calendar-days"],
        summary="删除日历日 / take back a day; the published calendar holds again",
        status_code=204,
        dependencies=[require("registry:write")],
    )
    router.add_api_route(
        "/clock-corrections/{id}",
        _take_back_correction,
        methods=["DELETE"],
        tags=["clock-corrections"],
        summary="撤销终端时钟更正 / take back a correction; positions are read as they came",
        status_code=204,
        dependencies=[require("registry:write")],
    )
    for part in (terminals, parameters, statements):
        router.routes.extend(part.router.routes)
    router.add_api_route(
        "/dispatch-orders/{id}/result",
        _result,
        methods=["GET"],
        response_model=TripResult,
        tags=["dispatch-orders"],
        summary="派车单的行驶结果 / mileage and nearest distances of an order's trip",
        description="`state`: `running` (as of the vehicle's newest position; not judged yet) or `settled` (computed"
        " from the stored track and judged). `mileage_m` includes `bridged_m`, the straight lines over gaps;"
        " `odometer_m` is the terminal's own, null where it has none. Fixes are those at times that this order covers"
        " (of several orders, the one that departed last). `destinations[].nearest_m` is null without coordinates or"
        " before the first fix. Of an order that several vehicles served the numbers are those of all of them, and `legs` has"
        " those of each. Scope: `registry:read` or `tracks:read`.",
        responses={
            200: {"content": {"application/json": {"example": RESULT}}},
            404: {"description": "no such order, or nothing is known of its trip yet"},
        },
        dependencies=[require("registry:read", "tracks:read")],
    )
    return router


def _add(router: APIRouter, name: str, kind: Kind) -> None:
    label, model, write = kind.label, kind.model, require("registry:write")
    reading = [require(*readers_of(name))]
    if name in PERSONAL:
        reading.append(stated_purpose("registry:read"))
    body = {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": f"#/components/schemas/{model.__name__}{WITHOUT_ID}"},
                "example": EXAMPLES[name],
            }
        },
    }
    router.add_api_route(
        f"/{name}/{{id}}", put_record(name, kind), methods=["PUT"], tags=[name], dependencies=[write],
        summary=f"登记{label} / create or replace", openapi_extra={"requestBody": body},
        description="Idempotent: the same body again changes nothing, whatever `If-Match` says. `id` in the body may be left out."
        " `warnings` in the answer:"
        " what was written and looks wrong, such as a destination 1,000 km from its unit. "
        + (inspect.getdoc(model) or ""),
        response_model=WRITTEN[name],
        responses={
            201: {"description": "created", "model": WRITTEN[name], "headers": _ETAG},
            200: {"description": "replaced, or unchanged", "headers": _ETAG},
        },
    )  # fmt: skip
    router.add_api_route(
        f"/{name}:import", _import(name), methods=["POST"], tags=[name], dependencies=[write],
        summary=f"批量导入{label} / bulk import", response_model=Imported, responses={200: {"content": CORRECTED}},
        description=f"CSV (UTF-8 or GBK), XLSX, JSON array or NDJSON; at most {imports.MAX_ROWS} rows and"
        f" {imports.MAX_BYTES >> 20} MiB. All rows or none. Columns: {', '.join(model.model_fields)};"
        f" or {', '.join(kind.headers)}.",
        openapi_extra={"requestBody": {"required": True, "content": {
            "text/csv": {"schema": {"type": "string"}},
            "application/json": {"schema": {"type": "array", "items": {"$ref": f"#/components/schemas/{model.__name__}"}}},
            "application/x-ndjson": {"schema": {"type": "string"}},
            XLSX: {"schema": {"type": "string", "format": "binary"}},
        }}},
    )  # fmt: skip
    router.add_api_route(
        f"/{name}", _list(name, kind.listing), methods=["GET"], tags=[name], dependencies=reading,
        summary=f"{label}列表 / list", response_model=PAGES[name],
        description=f"In the order of `order` ({', '.join(orders_of(kind.listing))}; ascending unless `direction=desc`). A cursor belongs to"
        " its order.",
        openapi_extra={"parameters": [
            {"name": each, "in": "query", "required": False, "schema": _SCHEMAS[filter.kind]}
            for each, filter in kind.listing.filters.items()
        ] + order_parameters(kind.listing)},
    )  # fmt: skip
    router.add_api_route(
        f"/{name}/{{id}}", _get(name), methods=["GET"], tags=[name], dependencies=reading, summary=f"一个{label} / one",
        response_model=ONE[name], responses={200: {"headers": _ETAG}},
    )  # fmt: skip
    if kind.listing.newest:
        router.add_api_route(
            f"/{name}/{{id}}/versions", _versions(name), methods=["GET"], tags=[name], dependencies=reading,
            summary=f"{label}的各版本 / every version, newest first", response_model=PAGES[name],
        )  # fmt: skip


Endpoint = Callable[..., Awaitable[Response]]


def readers_of(kind: str) -> tuple[str, ...]:
    """The permissions of which one lets somebody read records of ``kind``."""
    return _READERS.get(kind, ("registry:read",))


def _import(kind: str) -> Endpoint:
    async def bulk(
        request: Request,
        dry_run: Annotated[bool, Query(description="check only, write nothing")] = False,
        corrections: Corrections = False,
    ) -> Response:
        content_type, charset = media_type(request)
        if content_type not in _FORMATS:
            detail = f"内容类型应为下列之一 · send one of: {', '.join(_FORMATS)}"
            raise Problem(415, "content-type", detail)

        def job(data: bytes) -> Job:
            if corrections:
                return RecordCorrections(kind, data, _FORMATS[content_type], charset)
            return RecordsJob(kind, data, _FORMATS[content_type], charset, dry_run)

        (report,) = [step async for step in import_steps(request, kind, job)]
        return reported(report)

    return bulk


def _list(kind: str, listing: pages.Listing) -> Endpoint:
    async def page(request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE) -> Response:
        filters = {name: request.query_params.get(name) for name in listing.filters}
        ours = {"cursor", "limit", "order", "direction"} | ({"purpose"} if kind in PERSONAL else set())
        unknown = sorted(set(request.query_params) - filters.keys() - ours)
        if unknown:
            raise Problem(422, "invalid-parameter", f"未知参数 · unknown parameter: {unknown[0][:64]!r}")
        refuse_controls(*filters.values())
        for filter, value in filters.items():
            if value is not None and len(value) > MAX_ID:
                raise Problem(
                    422, "invalid-parameter", f"{filter}: 至多 {MAX_ID} 个字符 · at most {MAX_ID} characters"
                )
        if filters.get("plate"):
            filters["plate"] = normal_plate(filters["plate"] or "")
        for name, value in filters.items():
            if value is not None:
                filters[name] = _moment(listing.filters[name], name, value)
        order = read_order(listing, request.query_params)
        place = read_place(kind, listing, order, cursor)
        async with scoped(request, *readers_of(kind), read_only=kind not in PERSONAL) as connection:
            found = await _page(connection, kind, listing, place, limit, order, filters)
            if kind in PERSONAL:
                asked = {name: value for name, value in filters.items() if value is not None}
                about = {"asked": asked, "ids": [record["id"] for record in found]}
                unit = filters.get("organisation")
                await noted(request, connection, "registry:read", kind, organisation=unit, detail=about)
        following = cursor_of(kind, order, found[-1]) if len(found) == limit else None
        return json_response({"items": found, "next": following})

    return page


async def _page(
    connection: Connection,
    kind: str,
    listing: pages.Listing,
    after: pages.Place | None,
    limit: int,
    order: pages.Order,
    filters: dict[str, str | None],
) -> list[dict[str, Any]]:
    """A page of records. Of vehicles the secret ones that the caller must not see come last, masked, in the order of their pseudonyms; a
    filter that is about more than their unit does not find them."""
    masked = after is not None and is_masked_id(after.id)
    found = (
        []
        if masked
        else await pages.page(connection, listing, after=after, limit=limit, order=order, **filters)
    )
    others = [value for name, value in filters.items() if name != "organisation" and value is not None]
    if kind != "vehicles" or others or len(found) == limit:
        return found
    begin = after.id if after is not None and masked else None
    return found + await masked_vehicles(connection, filters["organisation"], begin, limit - len(found))


def _moment(filter: pages.Filter, name: str, value: str) -> str:
    """The value of a filter; of one that is a time or a day, in the form that the database reads."""
    if filter.kind == "text":
        return value
    try:
        if filter.kind == "day":
            return parse_day(value).isoformat()
        if len(value) > 6 and value[-6] == " ":  # a "+" that nobody wrote as %2B
            value = value[:-6] + "+" + value[-5:]
        return parse_time(value).isoformat()
    except ValueError as error:
        raise Problem(422, "invalid-parameter", f"{name}: {error}") from None


def _get(kind: str) -> Endpoint:
    async def get(request: Request, id: RecordId) -> Response:
        async with scoped(request, *readers_of(kind), read_only=kind not in PERSONAL) as connection:
            found = await pages.get(connection, KINDS[kind].listing, _stored_id(kind, id))
            if found is not None and kind in PERSONAL:
                unit = found["organisation"]
                await noted(request, connection, "registry:read", kind, found["id"], organisation=unit)
        if found is None:
            raise not_found(f"没有这个{KINDS[kind].label} · no such record in {kind}", id)
        return json_response(found, headers={"ETag": stamp(kind, found)})

    return get


def _versions(kind: str) -> Endpoint:
    async def versions(request: Request, id: RecordId) -> Response:
        async with scoped(request, "registry:read", read_only=True) as connection:
            found = await pages.versions(connection, KINDS[kind].listing, _stored_id(kind, id))
        if not found:
            raise not_found(f"没有这个{KINDS[kind].label} · no such record in {kind}", id)
        return json_response({"items": found, "next": None})

    return versions


async def _withdraw(
    request: Request,
    id: RecordId,
    valid_to: Annotated[QueryTime | None, Query(description="when the fence ends; default: now")] = None,
) -> Response:
    """Ends the fence. Again: changes nothing."""
    fence = _stored_id("fences", id)
    done = await written(
        request, "registry:write", lambda connection: withdraw_fence(connection, fence, valid_to)
    )
    if done is None:
        raise not_found("没有这个围栏 · no such fence", id)
    return Response(status_code=204)


async def _forget_day(request: Request, id: RecordId) -> Response:
    try:
        day = parse_day(id)
    except ValueError:
        raise not_found("没有这个日历日 · no such record in calendar-days", id[:64]) from None
    done = await written(request, "registry:write", lambda connection: forget_day(connection, day))
    if not done:
        raise not_found("没有这个日历日 · no such record in calendar-days", id)
    return Response(status_code=204)


async def _take_back_correction(request: Request, id: RecordId) -> Response:
    correction = _stored_id("clock-corrections", id)
    done = await written(request, "registry:write", lambda connection: take_back(connection, correction))
    if not done:
        raise not_found("没有这条时钟更正 · no such clock correction", id)
    return Response(status_code=204)


async def _result(request: Request, id: RecordId) -> Response:
    order = _stored_id("dispatch-orders", id)
    async with scoped(request, "registry:read", "tracks:read", read_only=True) as connection:
        found = await order_result(connection, order)
    if found is None:
        raise not_found("没有这个派车单，或还没有行驶结果 · no such order, or no result of it yet", id)
    return json_response(found)


def _stored_id(kind: str, id: str) -> str:
    """The id as it is stored: a terminal's without leading zeros. Raises Problem 404 for what can be no
    id.
    """
    known(f"没有这个{KINDS[kind].label} · no such record in {kind}", id)
    return stored_phone(id) if kind == "terminals" else id


#: The operations of every kind in KINDS.
router: Final = _make_router()
