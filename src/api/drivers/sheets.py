"""/v1/drivers/{id}/sheets: quarterly sheets of drivers (季度考核表): computed, issued, objected to; as PDF."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from api.assessment.joining import ItemId, objections_until
from api.auth.access import require
from api.auth.audited import noted
from api.auth.scoped import scoped, subject_of, written
from api.bodies import body_of, read_model
from api.cases.common import actor_of
from api.documents.rendering import BINARY, PDF, REFUSED, Inline, document, made, setter_of
from api.drivers.common import DRIVE, NO_DRIVER, DriverId, Id, unit_for
from api.drivers.gathering import gathered
from api.drivers.sheet_schemas import DriverSheet, DriverSheetPage
from api.errors import known
from api.http import DEFAULT_PAGE, Cursor, Limit, json_response, make_cursor, read_cursor, refuse_controls
from office.assessment import driver_sheets
from office.assessment.driver_records import DECIDE
from office.assessment.driver_sheets import (
    DriverObjectionDecide,
    DriverObjectionRaise,
    DriverSheetIssue,
    added_of,
)
from office.assessment.periods import Period, last_over, parse
from office.documents.assessment import AssessmentLine, AssessmentSheet, render_assessment
from office.documents.papers import Letter
from office.documents.typesetting import chinese_day
from office.drivers.leaves import own_driver
from office.identity.secrecy import PERMISSION as CLEARED
from office.identity.subject import Subject
from office.supervision.actors import reach_of
from office.supervision.cases import load_clocks, today_of
from registry.organisations import names_of, units_below
from runtime.connection import Connection
from runtime.units import midnight

router = APIRouter(prefix="/v1", tags=["drivers"])
READ: Final = "assessments:read"
#: With one of these somebody sees the sheets of a unit; with DRIVE his own.
SEES: Final = (READ, DECIDE)
Quarter = Annotated[str, Path(pattern=r"^20[2-9][0-9]Q[1-4]$", description="a quarter, 2026Q3")]
_FULL: Final = Decimal(100)


async def _without_secret(connection: Connection, subject: Subject, unit: str) -> bool:
    """Whether ``subject`` sees no secret vehicles in the driver's unit: then what was driven with them is not in what he computes. Told whether or not
    there are any: that would be a secret by itself."""
    cleared = await reach_of(connection, subject, CLEARED)
    return cleared is not None and unit not in cleared


async def _shown(
    connection: Connection, subject: Subject, driver: str, unit: str, period: Period
) -> dict[str, Any]:
    """The sheet: as it was issued, else as it is now."""
    found = await driver_sheets.issued_sheet(connection, driver, period)
    if found is None:
        body = await gathered(connection, driver, unit, period)
        return body | {
            "without_secret": await _without_secret(connection, subject, unit), "organisation": unit, "issued_by": None, "issued_at": None, "objections": [], "objections_until": None, "score_now": body["score"],
        }  # fmt: skip
    return {"without_secret": None} | found | {"objections_until": await _until(connection, found)}


async def _until(connection: Connection, sheet: dict[str, Any]) -> date | None:
    at, days = driver_sheets.term_of(sheet)
    return objections_until(await load_clocks(connection), at, days)


@router.get(
    "/driver-sheets", summary="已签发的考核表 / issued sheets of a quarter", response_model=DriverSheetPage, dependencies=[require(*SEES)]
)  # fmt: skip
async def list_sheets(
    request: Request,
    period: Annotated[
        str | None,
        Query(
            pattern=r"^20[2-9][0-9]Q[1-4]$", description="the last one that is over, unless said otherwise"
        ),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    organisation: Id = None,
) -> Response:
    """By driver. `organisation`: with the units below it."""
    refuse_controls(organisation)
    place = read_cursor("driver-sheets", cursor, str)
    async with scoped(request, *SEES, read_only=True) as connection:
        units = None if organisation is None else await units_below(connection, [organisation])
        at = last_over(await today_of(connection)) if period is None else parse(period)
        found = await driver_sheets.list_sheets(connection, units, at, limit, None if place is None else place[0])  # fmt: skip
    following = make_cursor("driver-sheets", found[-1]["driver"]) if len(found) == limit else None
    return json_response({"items": found, "next": following})


@router.get(
    "/drivers/{id}/sheets/{period}", summary="季度考核表 / the sheet of a quarter", response_model=DriverSheet, dependencies=[require(*SEES, DRIVE)]
)  # fmt: skip
async def get_sheet(request: Request, id: DriverId, period: Quarter) -> Response:
    """Line by line, each with the record that says so. As it was issued; else computed from what is known now. What is not determined costs nothing, and is counted. Drivers see
    their own."""
    driver, actor = known(NO_DRIVER, id), actor_of(request)
    async with scoped(request, *SEES, DRIVE, read_only=True) as connection:
        unit = await unit_for(connection, actor, driver, *SEES)
        return json_response(await _shown(connection, actor.subject, driver, unit, parse(period)))


@router.post(
    "/drivers/{id}/sheets/{period}:issue", summary="签发考核表 / issue a sheet", response_model=DriverSheet, dependencies=[require(DECIDE)],
    openapi_extra=body_of(DriverSheetIssue),
)  # fmt: skip
async def issue_sheet(request: Request, id: DriverId, period: Quarter) -> Response:
    """After the quarter, by another person than the driver; with what the unit adds. It is frozen with its lines and the version of the table. 409 with the present `digest` when it
    is not what you saw any more."""
    given, subject, driver, at = (
        await read_model(request, DriverSheetIssue), subject_of(request), known(NO_DRIVER, id), parse(period),
    )  # fmt: skip
    added = added_of(given)

    async def work(connection: Connection) -> dict[str, Any]:
        unit = await unit_for(connection, actor_of(request), driver, DECIDE)
        sheet = await gathered(connection, driver, unit, at)
        final = sheet if added is None else await gathered(connection, driver, unit, at, added)
        final = final | {"without_secret": await _without_secret(connection, subject, unit)}
        today = await today_of(connection)
        await driver_sheets.issue(connection, subject, unit, driver, at, given.digest, sheet, final, today)
        return await _shown(connection, subject, driver, unit, at)

    return json_response(await written(request, DECIDE, work))


@router.post(
    "/drivers/{id}/sheets/{period}/objections", summary="提出异议 / object to a line", status_code=201, response_model=DriverSheet,
    dependencies=[require(DRIVE)], openapi_extra=body_of(DriverObjectionRaise),
)  # fmt: skip
async def raise_objection(request: Request, id: DriverId, period: Quarter) -> Response:
    """By the driver himself, once a line, within the working days (`objection_wd`) after the issue."""
    given, actor, driver, at = (
        await read_model(request, DriverObjectionRaise), actor_of(request), known(NO_DRIVER, id), parse(period),
    )  # fmt: skip

    async def work(connection: Connection) -> dict[str, Any]:
        unit = await unit_for(connection, actor, driver, *SEES)
        sheet = await driver_sheets.issued_sheet(connection, driver, at)
        until = None if sheet is None else await _until(connection, sheet)
        own = await own_driver(connection, actor)
        await driver_sheets.object_to(connection, actor.subject, driver, own, at, given, until, await today_of(connection))  # fmt: skip
        return await _shown(connection, actor.subject, driver, unit, at)

    return json_response(await written(request, DRIVE, work), 201)


@router.post(
    "/driver-objections/{id}:decide", summary="决定异议 / decide on an objection", response_model=DriverSheet, dependencies=[require(DECIDE)],
    openapi_extra=body_of(DriverObjectionDecide),
)  # fmt: skip
async def decide_objection(request: Request, id: ItemId) -> Response:
    """By another person than who issued the sheet. Upheld: the line costs nothing (`score_now`). Of two who decide the second is told (409)."""
    given, subject = await read_model(request, DriverObjectionDecide), subject_of(request)

    async def work(connection: Connection) -> dict[str, Any]:
        driver, period = await driver_sheets.decide(connection, subject, id, given)
        unit = await connection.fetchval("SELECT organisation FROM drivers WHERE id = $1", driver)
        return await _shown(connection, subject, driver, unit, parse(period))

    return json_response(await written(request, DECIDE, work))


@router.get(
    "/drivers/{id}/sheets/{period}/document", summary="考核表 PDF / the sheet as PDF", response_class=Response, dependencies=[require(*SEES, DRIVE)],
    responses={200: {"content": {PDF: BINARY}}, 400: REFUSED},
)  # fmt: skip
async def sheet_document(request: Request, id: DriverId, period: Quarter, inline: Inline = False) -> Response:
    """As `GET /v1/drivers/{id}/sheets/{period}` gives it. Of an issued sheet always the same bytes, until an objection is decided."""
    driver, actor, at, setter = known(NO_DRIVER, id), actor_of(request), parse(period), await setter_of(request)  # fmt: skip
    issuer = request.app.state.settings.document_issuer

    async def prepare() -> Callable[[], bytes]:
        async with scoped(request, *SEES, DRIVE) as connection:
            unit = await unit_for(connection, actor, driver, *SEES)
            found = await _shown(connection, actor.subject, driver, unit, at)
            units, today = await names_of(connection, {found["organisation"]}), await today_of(connection)
            await noted(
                request, connection, READ, "document", driver, organisation=found["organisation"],
                detail={"kind": "driver-sheet", "period": period},
            )  # fmt: skip
        sheet = paper_of(found, at, units.get(found["organisation"], found["organisation"]), issuer, today)
        return lambda: render_assessment(sheet, setter)

    body = await made(request.app.state.document_turns, prepare)
    return document(body, PDF, f"{driver}-{period}-驾驶员考核表.pdf", inline=inline)


def paper_of(found: dict[str, Any], period: Period, unit: str, issuer: str, today: date) -> AssessmentSheet:
    """The sheet as the paper has it: what objections took away stands beside its line as given back."""
    upheld = {each["line"] for each in found["objections"] if each["state"] == "upheld"}
    items = {item["code"]: item["name"] for item in found["items"]}
    words = f"{period.year}年第{period.quarter}季度"
    lines = [
        AssessmentLine(
            items[line["item"]], f"{line['fact_name'].partition(' / ')[0]}：每件 {line['points']} 分", line["number"], date.fromisoformat(line["day"]),
            -Decimal(line["deducted"]), Decimal(line["deducted"]) if line["line"] in upheld else Decimal(0),
            line["what"] + ("；异议成立，不扣分" if line["line"] in upheld else ""),
        )
        for line in found["lines"]
    ]  # fmt: skip
    if Decimal(found["added"]):
        lines.append(AssessmentLine("加分", "单位加分，至多 10 分", None, None, Decimal(found["added"]), note=found["added_reason"]))  # fmt: skip
    total = Decimal(found["score_now"])
    freed = total - min(_FULL + sum((line.points + line.given_back for line in lines), Decimal(0)), _FULL)
    if freed:
        lines.append(AssessmentLine("冲正", "异议成立后，同项其他扣分按满分重算", None, None, freed))
    without = [item["name"] for item in found["items"] if item["state"] != "judged"]
    notes = [f"无数据、未评：{'、'.join(without)}。"] if without else []
    notes += [f"未判定、不扣分：{each['fact_name'].partition(' / ')[0]} {each['count']} 件，{each['why'].partition(' · ')[0]}。" for each in found["undetermined"]]  # fmt: skip
    notes.append(f"内容摘要（SHA-256）：{found['digest']}")
    if found["without_secret"]:
        notes.insert(0, "签发（查看）人不是本单位的涉密知悉人：涉密车辆的用车（如有）未计入本表。")
    if found["issued_at"] is None:
        notes.insert(0, f"本表未签发，按{chinese_day(today)}已知的事实计算，不作为考核结果。")
    table = f"{unit}驾驶员考核评分标准（第{found['table']['version']}版）" if found["table"]["version"] else "驾驶员考核评分标准（内置版）"  # fmt: skip
    return AssessmentSheet(
        letter=Letter(issuer, f"驾考〔{period.year}〕{found['driver']}-{period.quarter}", f"{words}驾驶员考核表", found["issued_at"] or midnight(today)),
        unit=f"{unit} {found['name']}", period=words, table=table, base=_FULL, lines=tuple(lines), total=total, notes=tuple(notes),
        acts=() if found["issued_at"] is None else (("签发", found["issued_by"], found["issued_at"]),), ceiling=_FULL,
    )  # fmt: skip
