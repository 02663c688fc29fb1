"""/v1/reconciliations: the ledger and the statements against the vouchers of the finance system (交通费自动比对); /v1/voucher-mappings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field

from api.auth.access import require
from api.auth.audited import noted
from api.auth.scoped import scoped
from api.bodies import body_of, read_model
from api.cases.common import actor_of
from api.costs.common import Id, ItemId, database, write
from api.costs.reconciling_schemas import (
    ReconciliationLinePage,
    ReconciliationRowPage,
    ReconciliationView,
    VoucherMappings,
)
from api.documents.rendering import BINARY, XLSX, document, made
from api.errors import Problem, known
from api.http import (
    DEFAULT_PAGE,
    MAX_ID,
    PLAIN,
    Cursor,
    Limit,
    json_response,
    make_cursor,
    media_type,
    read_body,
    read_cursor,
    refuse_controls,
)
from api.places import take_place
from office.costs.entry import PERIOD_PATTERN
from office.costs.reconciling import acts, mappings, runs
from office.costs.reconciling.mapping import VoucherMapping
from office.costs.reconciling.outcome import Outcome
from office.costs.reconciling.reading import MOST_BYTES
from office.costs.reconciling.rows import Side
from office.costs.reconciling.sheets import run_workbook
from office.costs.statement import READ
from registry.organisations import names_of
from registry.statements.sheets import MAX_ROWS
from runtime.connection import Connection

router = APIRouter(prefix="/v1", tags=["costs"])
NO_RUN: Final = "没有这次对账 · no such reconciliation"
_PERIOD: Final = Query(pattern=PERIOD_PATTERN, description="会计期间 yyyymm")
_UNIT: Final = Query(min_length=1, max_length=MAX_ID, json_schema_extra=PLAIN)
_TYPES: Final = frozenset(
    {"application/xml", "text/xml", "text/csv", "application/csv", "text/plain", XLSX, "application/vnd.ms-excel", "application/octet-stream"}
)  # fmt: skip
#: A large file is seconds of work, and twice in memory.
_running = asyncio.Semaphore(1)
_WAIT_S: Final = 30.0
_US: Final = 1_000_000
#: Lines of a run that are read at once for its workbook.
_PAGE: Final = 10_000


@router.get(
    "/voucher-mappings", summary="凭证对照 / how the vouchers of a unit are read", response_model=VoucherMappings, dependencies=[require(READ)]
)  # fmt: skip
async def get_mappings(request: Request, organisation: Annotated[str, _UNIT]) -> Response:
    """`used`: what a run of the unit would take: its newest mapping, else that of the nearest unit above, else the built-in one."""
    refuse_controls(organisation)
    async with database(request, READ) as connection:
        return json_response(await mappings.show(connection, organisation))


@router.put(
    "/voucher-mappings/{id}", summary="保存凭证对照 / save a mapping", response_model=VoucherMappings, dependencies=[require(runs.RECONCILE)],
    openapi_extra=body_of(VoucherMapping),
)  # fmt: skip
async def save_mapping(request: Request, id: ItemId) -> Response:
    """`id`: the unit. Its next version; earlier ones stay, and each run keeps the one that it used. Also for the units below."""
    given, actor, unit = (
        await read_model(request, VoucherMapping),
        actor_of(request),
        known("没有这个单位 · no such unit", id),
    )
    return json_response(
        await write(request, lambda connection: mappings.save(connection, actor, unit, given))
    )


@router.get(
    "/reconciliations", summary="对账记录 / reconciliations, the newest first", response_model=ReconciliationRowPage, dependencies=[require(READ)]
)  # fmt: skip
async def list_runs(
    request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE, organisation: Id = None
) -> Response:
    """Of your units. `organisation`: with the units below it."""
    refuse_controls(organisation)
    place = read_cursor("reconciliations", cursor, int, str)
    after = (
        None
        if place is None
        else (datetime.fromtimestamp(place[0] // _US, UTC).replace(microsecond=place[0] % _US), str(place[1]))
    )
    async with database(request, READ) as connection:
        found = await runs.list_runs(connection, actor_of(request), organisation, limit, after)
    following = None
    if len(found) == limit:
        last = found[-1]["made_at"]
        following = make_cursor(
            "reconciliations", int(last.timestamp()) * _US + last.microsecond, found[-1]["id"]
        )
    return json_response({"items": found, "next": following})


@router.post(
    "/reconciliations", summary="对账 / reconcile with a file of vouchers", status_code=201, response_model=ReconciliationView,
    dependencies=[require(runs.RECONCILE)],
    openapi_extra={"requestBody": {"required": True, "content": {
        "application/xml": {"schema": {"type": "string"}}, "text/csv": {"schema": {"type": "string"}}, XLSX: BINARY,
    }}},
    description=f"XML like GB/T 24589.2-2010 (UTF-8, GBK), CSV (UTF-8, GBK) or XLSX of at most {MAX_ROWS} lines, {MOST_BYTES >> 20} MiB, against the ledger and the"
    " statements of `organisation` and the units below it, of the periods `since` to `until`. The result is frozen. A file with a bad line is refused as a whole,"
    " with each bad line: what is left out would be told as not booked. Rows of totals and the closing of a period are left out and counted.",
)  # fmt: skip
async def run(
    request: Request,
    organisation: Annotated[str, _UNIT],
    since: Annotated[str, _PERIOD],
    until: Annotated[str, _PERIOD],
    source: Annotated[str, Query(max_length=200, description="name of the file")] = "",
) -> Response:
    content_type, charset = media_type(request)
    if content_type not in _TYPES:
        raise Problem(415, "content-type", f"内容类型应为下列之一 · send one of: {', '.join(sorted(_TYPES))}")
    refuse_controls(organisation)
    if not source.isprintable():
        raise Problem(422, "invalid-parameter", "source 含有不可见字符 · `source` cannot be printed")
    data, actor = await read_body(request, MOST_BYTES), actor_of(request)
    await take_place(
        _running, _WAIT_S, "另一次对账正在进行，请稍后重试 · another reconciliation is running; try again"
    )
    try:
        async with database(request, runs.RECONCILE) as connection:
            prepared = await runs.prepare(connection, actor, organisation, since, until)
        computed = await asyncio.to_thread(runs.compute, prepared, data, charset)
        async with scoped(request, runs.RECONCILE) as connection:
            made_id = await runs.keep(connection, actor, prepared, computed, source.strip())
            shown = await runs.show_run(connection, made_id)
    finally:
        _running.release()
    return json_response(shown, 201)


@router.get(
    "/reconciliations/{id}", summary="一次对账 / one reconciliation", response_model=ReconciliationView, dependencies=[require(READ)]
)  # fmt: skip
async def get_run(request: Request, id: ItemId) -> Response:
    """`counts`: what the run found; `standing`: what it comes to now, after `acts`."""
    async with database(request, READ) as connection:
        return json_response(await runs.show_run(connection, known(NO_RUN, id)))


@router.get(
    "/reconciliations/{id}/lines", summary="对账明细 / lines of a reconciliation", response_model=ReconciliationLinePage, dependencies=[require(READ)]
)  # fmt: skip
async def get_lines(
    request: Request,
    id: ItemId,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    outcome: Annotated[Outcome | None, Query(description="as it is now / 现在的结果")] = None,
    side: Side | None = None,
    no: Annotated[
        list[Annotated[int, Field(ge=1, lt=2**31)]] | None,
        Query(
            max_length=100,
            description="only lines with these numbers, such as the `peers` of a line / 按行号",
        ),
    ] = None,
) -> Response:
    """Lines of vouchers in the order of the file, then what the platform expected to be booked."""
    place = read_cursor("reconciliation-lines", cursor, int)
    if place is not None and place[0] >= 2**31:
        raise Problem(
            400, "bad-cursor", "cursor 无效，请从第一页重新开始 · not a cursor of ours; begin again"
        )
    async with database(request, READ) as connection:
        found = await runs.list_found(
            connection, known(NO_RUN, id), outcome, side, limit, 0 if place is None else place[0], no
        )
    following = make_cursor("reconciliation-lines", found[-1]["no"]) if len(found) == limit else None
    return json_response({"items": found, "next": following})


@router.get(
    "/reconciliations/{id}/document", summary="对账结果 XLSX / the result as XLSX", response_class=Response, dependencies=[require(READ)],
    responses={200: {"content": {XLSX: BINARY}}},
)  # fmt: skip
async def get_document(request: Request, id: ItemId) -> Response:
    """What went in and came out, every line as it is now, and what people have done."""
    issuer, run_id = request.app.state.settings.document_issuer, known(NO_RUN, id)

    async def prepare() -> Callable[[], bytes]:
        async with scoped(request, READ) as connection:
            found = await runs.show_run(connection, run_id)
            lines = await _all_lines(connection, run_id)
            unit = found["organisation"]
            names = await names_of(connection, [unit])
            await noted(
                request,
                connection,
                READ,
                "document",
                run_id,
                organisation=unit,
                detail={"kind": "reconciliation"},
            )
        return lambda: run_workbook(found, names.get(unit, unit), lines, issuer)

    return document(await made(request.app.state.document_turns, prepare), XLSX, f"{run_id}-对账结果.xlsx")


async def _all_lines(connection: Connection, id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = await runs.list_found(connection, id, None, None, _PAGE, found[-1]["no"] if found else 0)
        found += page
        if len(page) < _PAGE:
            return found


@router.post(
    "/reconciliations/{id}:match", summary="人工对应 / match by hand", response_model=ReconciliationView, dependencies=[require(runs.RECONCILE)],
    openapi_extra=body_of(acts.ReconciliationMatch),
)  # fmt: skip
async def match(request: Request, id: ItemId) -> Response:
    """Lines of one unit that nothing is matched with. What is wrong with them together (amount, class, period) is judged as that of the run."""
    given, actor, run_id = (
        await read_model(request, acts.ReconciliationMatch),
        actor_of(request),
        known(NO_RUN, id),
    )
    return json_response(
        await write(request, lambda connection: acts.match(connection, actor, run_id, given))
    )


@router.post(
    "/reconciliations/{id}:release", summary="解除对应 / release lines from their match", response_model=ReconciliationView,
    dependencies=[require(runs.RECONCILE)], openapi_extra=body_of(acts.ReconciliationRelease),
)  # fmt: skip
async def release(request: Request, id: ItemId) -> Response:
    """The line and all that it is matched with, by the run or by hand. The run stays as it was: this is added to it."""
    given, actor, run_id = (
        await read_model(request, acts.ReconciliationRelease),
        actor_of(request),
        known(NO_RUN, id),
    )
    return json_response(
        await write(request, lambda connection: acts.release(connection, actor, run_id, given))
    )
