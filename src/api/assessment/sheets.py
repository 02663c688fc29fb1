"""/v1/assessments: sheets (考核评分表) of units, their ranking, their close, objections to their lines."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.assessment.joining import PeriodText, Unit, below, objections_until, sources
from api.assessment.schemas import AssessmentSheet, Dispute, DisputeRaise, Ranking, SheetClose
from api.auth.access import require
from api.auth.scoped import scoped, subject_of, written
from api.bodies import body_of, read_model
from api.http import MAX_ID, PLAIN, json_response, refuse_controls
from office.assessment import disputes, sheets
from office.assessment.deciding import DECIDE, DISPUTE, READ, visible
from office.assessment.periods import Period, parse
from office.assessment.sheet import Key
from office.assessment.sheets import Computed, Sources
from office.supervision.cases import Clocks, today_of
from office.supervision.closings import ids_of
from registry.organisations import units_below
from runtime.connection import Connection
from runtime.errors import NotThereError

router = APIRouter(prefix="/v1/assessments", tags=["assessments"])


@router.get("/{period}", summary="考核排名 / ranking", response_model=Ranking, dependencies=[require(READ)])
async def ranking(
    request: Request,
    period: PeriodText,
    organisation: Annotated[str, Query(min_length=1, max_length=MAX_ID, json_schema_extra=PLAIN)],
    of: Annotated[
        Literal["units", "children"],
        Query(description="all units below, each with its own score; or those directly below, with the mean of their units"),
    ] = "units",
) -> Response:  # fmt: skip
    """Of the units below `organisation` that have vehicles or lines, and that the caller sees."""
    refuse_controls(organisation)
    at = parse(period)
    async with scoped(request, READ, read_only=True) as connection:
        await visible(connection, subject_of(request), organisation, READ)
        found, _ = await sources(connection)
        units = await below(connection, request, organisation)
        rows = await sheets.scores(connection, found, units, at)
        if of == "children":
            rows = await sheets.by_child(connection, organisation, rows)
    items = sheets.ranked(rows)
    return json_response({"period": period, "organisation": organisation, "of": of, "items": items})


@router.get(
    "/{period}/{organisation}", summary="考核评分表 / the sheet of a unit", response_model=AssessmentSheet, dependencies=[require(READ)]
)  # fmt: skip
async def get_sheet(request: Request, period: PeriodText, organisation: Unit) -> Response:
    """Line by line. A closed sheet is as it was frozen; another one is computed from the cases that are closed now, with what
    changed in closed periods since as corrections."""
    async with scoped(request, READ, read_only=True) as connection:
        return json_response(await shown_sheet(connection, request, parse(period), organisation))


async def shown_sheet(connection: Connection, request: Request, period: Period, unit: str) -> dict[str, Any]:
    """The sheet of ``unit`` as the caller sees it. Raises Problem 404 where he does not."""
    await visible(connection, subject_of(request), unit, READ)
    found, clocks = await sources(connection)
    return await _sheet(connection, found, clocks, unit, period, await below(connection, request, unit))


async def _sheet(
    connection: Connection, found: Sources, clocks: Clocks, unit: str, period: Period, units: frozenset[str]
) -> dict[str, Any]:
    closed = await sheets.closed_sheet(connection, unit, period)
    if closed is not None:
        until = objections_until(clocks, closed["closed_at"], closed["dispute_wd"])
        return await _named(connection, closed | {"objections_until": until})
    computed = await sheets.open_sheet(connection, found, unit, period)
    body = computed.sheet.body() | await sheets.beside(connection, found, computed, units)
    return await _named(connection, body | {"closed_at": None, "closed_by": None, "objections_until": None})


async def _named(connection: Connection, sheet: dict[str, Any]) -> dict[str, Any]:
    """With the ids of the cases that the caller sees: those of secret vehicles have their number only."""
    ids = await ids_of(
        connection, {row["number"] for part in ("lines", "corrections") for row in sheet[part]}
    )
    return sheet | {
        part: [row | {"case": ids.get(row["number"])} for row in sheet[part]]
        for part in ("lines", "corrections")
    }


@router.post(
    "/{period}/{organisation}:close", summary="关闭考核表 / close a sheet", response_model=AssessmentSheet,
    dependencies=[require(DECIDE)], openapi_extra=body_of(SheetClose),
)  # fmt: skip
async def close_sheet(request: Request, period: PeriodText, organisation: Unit) -> Response:
    """By the office of a unit above, after the period; one period after the other. Frozen with its lines and the versions of the
    table; 409 with the present `digest` when it is not what you saw any more. What changes later is corrected in the next one."""
    body, subject, at = await read_model(request, SheetClose), subject_of(request), parse(period)

    async def work(connection: Connection) -> dict[str, Any]:
        await visible(connection, subject, organisation, DECIDE)
        found, clocks = await sources(connection)
        units = await units_below(connection, [organisation]) - {organisation}

        async def extra(computed: Computed) -> dict[str, Any]:
            return await sheets.beside(connection, found, computed, units)

        today = await today_of(connection)
        await sheets.close(connection, subject, found, organisation, at, body.digest, today, extra)
        return await _sheet(connection, found, clocks, organisation, at, units)

    return json_response(await written(request, DECIDE, work))


@router.post(
    "/{period}/{organisation}/disputes", summary="提出异议 / object to a line", status_code=201, response_model=Dispute,
    dependencies=[require(DISPUTE)], openapi_extra=body_of(DisputeRaise),
)  # fmt: skip
async def raise_dispute(request: Request, period: PeriodText, organisation: Unit) -> Response:
    """By the unit itself, once a line: until so many working days (`dispute_wd` of the table) after the first sheet that has the
    line was closed. 409 after that."""
    body, subject, at = await read_model(request, DisputeRaise), subject_of(request), parse(period)
    key = Key(body.number, body.version, body.item, body.fact)

    async def work(connection: Connection) -> dict[str, Any]:
        await visible(connection, subject, organisation, DISPUTE)
        found, clocks = await sources(connection)
        lines = await sheets.shown_lines(connection, found, organisation, at)
        if key not in lines:
            raise NotThereError(
                f"考核表 {period} 中没有这项扣分 · there is no such line in the sheet {period}: {body.number}"
            )
        first = await sheets.first_close(connection, organisation, lines[key])
        until = None if first is None else objections_until(clocks, *first)
        today = await today_of(connection)
        return await disputes.raise_dispute(
            connection, subject, organisation, period, key, body.reason, until, today
        )

    return json_response(await written(request, DISPUTE, work), 201)
