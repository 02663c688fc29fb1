"""/v1/cost-entries: the ledger of costs (费用台账)."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.scoped import scoped
from api.bodies import body_of, read_model
from api.cases.common import actor_of
from api.costs.common import Id, ItemId, QueryDay, cursor_day, database, write
from api.costs.schemas import CostEntryPage, CostEntryView, CostsImported
from api.errors import Problem, known
from api.http import (
    DEFAULT_PAGE,
    Cursor,
    Limit,
    json_response,
    make_cursor,
    media_type,
    read_body,
    read_cursor,
    refuse_controls,
)
from api.registry.importing import XLSX
from office.costs import ledger
from office.costs.entry import PERIOD_PATTERN, CostContents, CostCorrection, CostReversal
from office.costs.files import MAX_ROWS, import_entries
from office.costs.kinds import CostKind
from office.costs.statement import READ

router = APIRouter(prefix="/v1", tags=["costs"])
NO_ENTRY: Final = "没有这笔费用 · no such entry"
_MOST_BYTES: Final = 8 << 20
_TYPES: Final = frozenset(
    {
        "text/csv",
        "application/csv",
        "text/plain",
        XLSX,
        "application/vnd.ms-excel",
        "application/octet-stream",
    }
)


@router.get(
    "/cost-entries", summary="费用台账 / costs, the newest day first", response_model=CostEntryPage, dependencies=[require(READ)]
)  # fmt: skip
async def list_entries(
    request: Request,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    organisation: Id = None,
    vehicle: Id = None,
    kind: CostKind | None = None,
    period: Annotated[str | None, Query(pattern=PERIOD_PATTERN, description="会计期间 yyyymm")] = None,
    dispatch: Id = None,
    finding: Annotated[
        bool, Query(description="only those with a finding, such as a fine that the unit paid")
    ] = False,
    since: Annotated[
        QueryDay | None, Query(alias="from", description="occurred on this day or later")
    ] = None,
    until: Annotated[QueryDay | None, Query(alias="to", description="included")] = None,
) -> Response:
    """Of your units. `organisation`: with the units below it. A reversed line and its reversal are both there."""
    refuse_controls(organisation, vehicle, dispatch)
    place = read_cursor("cost-entries", cursor, int, str)
    after = None if place is None else (cursor_day(place[0]), str(place[1]))
    asked = ledger.EntryFilter(organisation, vehicle, kind, period, dispatch, finding, since, until)
    async with database(request, READ) as connection:
        found = await ledger.list_entries(connection, actor_of(request), asked, limit, after)
    following = None
    if len(found) == limit:
        following = make_cursor("cost-entries", found[-1]["occurred_on"].toordinal(), found[-1]["id"])
    return json_response({"items": found, "next": following})


@router.post(
    "/cost-entries", summary="登记费用 / enter a cost", status_code=201, response_model=CostEntryView,
    dependencies=[require(ledger.WRITE)], openapi_extra=body_of(CostContents),
)  # fmt: skip
async def enter(request: Request) -> Response:
    """An invoice (code and number) is booked once, by whichever unit; fines are the driver's (`payer`), and one that the unit paid is shown as a
    finding. Nothing is deleted: `:correct` writes a new version, `:reverse` a line with the opposite amount."""
    contents, actor = await read_model(request, CostContents), actor_of(request)

    async def work(connection: Any) -> dict[str, Any]:
        return await ledger.show(connection, await ledger.enter(connection, actor, contents))

    return json_response(await write(request, work), 201)


@router.post(
    "/cost-entries:import", summary="导入费用文件 / take a file of costs", response_model=CostsImported,
    dependencies=[require(ledger.WRITE)],
    openapi_extra={"requestBody": {"required": True, "content": {
        "text/csv": {"schema": {"type": "string"}}, XLSX: {"schema": {"type": "string", "format": "binary"}},
    }}},
    description=f"CSV (UTF-8, GBK) or XLSX of at most {MAX_ROWS} rows. Columns: 费用种类, 发生日, 金额（元）; 车牌 or 车辆编号; 单位编号, 流水号, 会计期间, 数量"
    " (升, 千瓦时, 次), 单价, 商户, 发票代码, 发票号码, 无发票原因, 承担人, 经济分类, 派车单, 驾驶员编号, 备注. Good rows are written, each bad row is told with its"
    " number; the same file again adds nothing; rows of sums are left out.",
)  # fmt: skip
async def take_file(
    request: Request,
    source: Annotated[str, Query(max_length=200, description="name of the file, kept with its rows")] = "",
) -> Response:
    content_type, charset = media_type(request)
    if content_type not in _TYPES:
        raise Problem(415, "content-type", f"内容类型应为下列之一 · send one of: {', '.join(sorted(_TYPES))}")
    if not source.isprintable():
        raise Problem(422, "invalid-parameter", "source 含有不可见字符 · `source` cannot be printed")
    data, actor = await read_body(request, _MOST_BYTES), actor_of(request)
    async with scoped(request, ledger.WRITE) as connection:  # a row that is refused takes no other with it
        report = await import_entries(connection, actor, data, charset, source.strip())
    return json_response(report)


@router.get(
    "/cost-entries/{id}", summary="一笔费用 / one cost", response_model=CostEntryView, dependencies=[require(READ)]
)  # fmt: skip
async def get_entry(request: Request, id: ItemId) -> Response:
    """With its versions: what it said, who entered it, from which file and row."""
    async with database(request, READ) as connection:
        return json_response(await ledger.show(connection, known(NO_ENTRY, id)))


@router.post(
    "/cost-entries/{id}:correct", summary="更正 / correct it", response_model=CostEntryView, dependencies=[require(ledger.WRITE)],
    openapi_extra=body_of(CostCorrection),
)  # fmt: skip
async def correct(request: Request, id: ItemId) -> Response:
    """The whole line anew, as its next version; the earlier ones stay. 409 when it has changed since you saw it."""
    given, actor, entry = await read_model(request, CostCorrection), actor_of(request), known(NO_ENTRY, id)
    return json_response(
        await write(request, lambda connection: ledger.correct(connection, actor, entry, given))
    )


@router.post(
    "/cost-entries/{id}:reverse", summary="冲正 / reverse it", response_model=CostEntryView, dependencies=[require(ledger.WRITE)],
    openapi_extra=body_of(CostReversal),
)  # fmt: skip
async def reverse(request: Request, id: ItemId) -> Response:
    """A line with the opposite amount, booked today; the answer is that line. The invoice may be booked again afterwards."""
    given, actor, entry = await read_model(request, CostReversal), actor_of(request), known(NO_ENTRY, id)
    return json_response(
        await write(request, lambda connection: ledger.reverse(connection, actor, entry, given))
    )
