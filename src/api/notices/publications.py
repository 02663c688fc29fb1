"""/v1/publications: what is published of the records (公示), and objections to it with their answers."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.scoped import scoped, written
from api.bodies import body_of, read_model
from api.cases.common import ItemId, actor_of
from api.errors import known
from api.http import (
    DEFAULT_PAGE,
    MAX_ID,
    PLAIN,
    Cursor,
    Limit,
    json_response,
    next_moment,
    read_moment,
    refuse_controls,
)
from api.notices.fuel import published_fuel
from api.notices.reading import NO_NOTICE, object_until, shown
from api.notices.schemas import (
    NoticeView,
    PublicationObjectionPage,
    PublicationObjectionRow,
    PublicationPreview,
    PublicationRow,
)
from api.places import take_place
from api.statistics.indicators import computing_turns
from office.costs.money import yuan
from office.dispatch.rental_rows import settled_rentals
from office.notices import notices, objections
from office.notices.contents import (
    COLUMNS,
    PUBLISH,
    READS,
    NoticeKind,
    PublicationAnswer,
    PublicationNew,
    PublicationObjection,
    PublishedRow,
)
from office.vehicles.acts import completed_disposals
from registry.organisations import names_of, units_below
from runtime.connection import Connection

router = APIRouter(prefix="/v1", tags=["notices"])
_NO_OBJECTION: Final = "没有这项异议 · no such objection"
_BUSY: Final = "指标计算繁忙，请稍后重试 · too many figures at once; try again"
#: Who may see what a row was computed from, besides who publishes.
_COSTS: Final = "costs:read"


@router.post(
    "/publications", summary="发布公示 / publish records", status_code=201, response_model=NoticeView, dependencies=[require(PUBLISH)],
    openapi_extra=body_of(PublicationNew), responses={409: {"description": "已公示，或季度尚未结束 · it is published already, or the quarter is not over"}},
)  # fmt: skip
async def publish_records(request: Request) -> Response:
    """The rows are made of the records: disposals that were completed (处置公示), rentals that were settled (租赁公示), fuel of each vehicle in a quarter (单车油耗公示), of the
    units and days that you name. Secret vehicles are none of them, whoever publishes. `replaces`: it corrects that publication, which is withdrawn in the same act."""
    given, actor = await read_model(request, PublicationNew), actor_of(request)

    async def work(connection: Connection) -> dict[str, Any]:
        await notices.may_publish(connection, actor, given)
        rows, terms = await _made(connection, given)
        return await shown(connection, actor, await notices.publish(connection, actor, given, rows, terms))

    await take_place(computing_turns, 10, _BUSY)
    try:
        return json_response(await written(request, (PUBLISH, *READS), work), 201)
    finally:
        computing_turns.release()


@router.post(
    "/publications:preview", summary="预览公示 / what would be published", response_model=PublicationPreview, dependencies=[require(PUBLISH)],
    openapi_extra=body_of(PublicationNew),
)  # fmt: skip
async def preview(request: Request) -> Response:
    """The same rows, of the same body, and nothing is published."""
    given = await read_model(request, PublicationNew)
    await take_place(computing_turns, 10, _BUSY)
    try:
        async with scoped(request, PUBLISH, *READS, read_only=True) as connection:
            await notices.may_publish(connection, actor_of(request), given)
            rows, terms = await _made(connection, given)
    finally:
        computing_turns.release()
    columns = [name for name, _ in COLUMNS[NoticeKind(given.kind)]]
    return json_response(
        {"columns": columns, "table": [row.cells for row in rows], "vehicles": [row.vehicle for row in rows], "terms": terms}
    )  # fmt: skip


async def _made(connection: Connection, given: PublicationNew) -> tuple[list[PublishedRow], dict[str, Any]]:
    """The rows, and what is frozen with them."""
    units = await units_below(connection, given.units or [given.organisation])
    terms = {"first": given.first.isoformat(), "last": given.last.isoformat(), "phone": given.phone}
    if given.kind == "fuel":
        rows, more = await published_fuel(connection, given, units)
        return rows, terms | more
    if given.kind == "disposals":
        done = await completed_disposals(connection, units, given.first, given.last)
        names = await names_of(connection, {row["organisation"] for row in done})
        return [
            PublishedRow(
                row["vehicle"],
                (names.get(row["organisation"], row["organisation"]), row["plate"], row["mode_name"], row["reason"], row["done_on"].isoformat(), yuan(row["proceeds_fen"])),
            )
            for row in done
        ], terms  # fmt: skip
    settled = await settled_rentals(connection, units, given.first, given.last)
    names = await names_of(connection, {row["organisation"] for row in settled})
    return [
        PublishedRow(
            row["vehicle"],
            (names.get(row["organisation"], row["organisation"]), row["number"], row["from"].isoformat(), row["to"].isoformat(), row["supplier"], row["plate"], yuan(row["amount_fen"])),
        )
        for row in settled
    ], terms  # fmt: skip


@router.get(
    "/notices/{id}/rows/{no}", summary="公示中一行的依据 / what a row was computed from", response_model=PublicationRow,
    dependencies=[require(PUBLISH, _COSTS)], responses={404: {"description": "没有这一行，或不是您单位的车辆 · no such row, or of no vehicle of yours"}},
)  # fmt: skip
async def get_row(request: Request, id: ItemId, no: Annotated[int, Path(ge=1, le=1_000_000)]) -> Response:
    """Of a vehicle of your units: the dispatches and lines of the ledger, as they were frozen with it."""
    notice = known(NO_NOTICE, id)
    async with scoped(request, PUBLISH, _COSTS, read_only=True) as connection:
        row = await notices.show_row(connection, actor_of(request), notice, no)
    basis = {"dispatches": [], "entries": [], "outside": 0} | row.pop("basis")
    return json_response(row | basis)


@router.post(
    "/notices/{id}:object", summary="对公示提出异议 / object to a publication", status_code=201, response_model=PublicationObjectionRow,
    dependencies=[require(*READS)], openapi_extra=body_of(PublicationObjection),
    responses={409: {"description": "公示期已满、已撤回，或已提出过 · too late, withdrawn, or raised already"}},
)  # fmt: skip
async def object_to(request: Request, id: ItemId) -> Response:
    """To a row or to the whole, within 5 working days after it was published. Who raised it is told to nobody; the unit, the objection and the answer are published."""
    given, actor, notice = await read_model(request, PublicationObjection), actor_of(request), known(NO_NOTICE, id)  # fmt: skip

    async def work(connection: Connection) -> dict[str, Any]:
        found = await notices.show_notice(connection, actor, notice)
        made = await objections.object_to(connection, actor, notice, given, await object_until(connection, found))  # fmt: skip
        return await objections.show_objection(connection, actor, made)

    return json_response(await written(request, READS, work), 201)


@router.get(
    "/publication-objections", summary="公示异议和答复 / objections to publications", response_model=PublicationObjectionPage, dependencies=[require(*READS)]
)  # fmt: skip
async def list_objections(
    request: Request,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    notice: Annotated[
        str | None, Query(max_length=MAX_ID, json_schema_extra=PLAIN, description="to this publication")
    ] = None,
    unanswered: bool = False,
) -> Response:
    """To publications that are for you, or that you may publish; the first first."""
    refuse_controls(notice)
    after = read_moment("publication-objections", cursor)
    async with scoped(request, *READS, read_only=True) as connection:
        found = await objections.list_objections(
            connection, actor_of(request), notice=notice, unanswered=unanswered, limit=limit, after=after
        )
    return json_response({"items": found, "next": next_moment("publication-objections", found, limit, "raised_at")})  # fmt: skip


@router.post(
    "/publication-objections/{id}:answer", summary="答复异议 / answer an objection", response_model=PublicationObjectionRow,
    dependencies=[require(PUBLISH)], openapi_extra=body_of(PublicationAnswer), responses={409: {"description": "已答复 · it has been answered"}},
)  # fmt: skip
async def answer(request: Request, id: ItemId) -> Response:
    """Once, and not by who raised it; published with the objection. What was upheld is corrected by a publication that `replaces` this one."""
    given, actor, objection = await read_model(request, PublicationAnswer), actor_of(request), known(_NO_OBJECTION, id)  # fmt: skip

    async def work(connection: Connection) -> dict[str, Any]:
        await objections.answer(connection, actor, objection, given)
        return await objections.show_objection(connection, actor, objection)

    return json_response(await written(request, (PUBLISH, *READS), work))
