"""GET /v1/assessments/{period}/{organisation}/document: the assessment sheet of a unit as PDF."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.assessment.joining import PeriodText, Unit
from api.assessment.sheets import shown_sheet
from api.auth.access import require
from api.auth.audited import noted
from api.auth.scoped import scoped
from api.documents.rendering import BINARY, PDF, REFUSED, Inline, document, made, setter_of
from office.assessment.deciding import READ
from office.assessment.periods import Period, parse
from office.assessment.table import FACT_NAMES, Fact
from office.documents.assessment import AssessmentLine, AssessmentSheet, render_assessment
from office.documents.papers import Letter
from office.documents.typesetting import chinese_day
from office.supervision.cases import today_of
from office.supervision.contents import FINDING_NAMES
from registry.organisations import names_of
from rules.catalogue import RULE_NAMES
from runtime.units import midnight

router = APIRouter(prefix="/v1", tags=["assessments"])
_FULL: Final = Decimal(100)


@router.get(
    "/assessments/{period}/{organisation}/document", summary="考核评分表 PDF / the sheet as PDF", response_class=Response,
    dependencies=[require(READ)],
    responses={200: {"content": {PDF: BINARY}}, 400: REFUSED},
)  # fmt: skip
async def sheet_document(
    request: Request, period: PeriodText, organisation: Unit, inline: Inline = False
) -> Response:
    """Line by line, as `GET /v1/assessments/{period}/{organisation}` gives it. Of a closed sheet always the same bytes; of an open
    one it says on which day it was computed."""
    at, setter = parse(period), await setter_of(request)
    issuer = request.app.state.settings.document_issuer

    async def prepare() -> Callable[[], bytes]:
        async with scoped(request, READ) as connection:
            found = await shown_sheet(connection, request, at, organisation)
            named = {organisation, *(table["organisation"] for table in found["tables"])}
            units, today = await names_of(connection, named), await today_of(connection)
            await noted(
                request, connection, READ, "document", organisation,
                organisation=organisation, detail={"kind": "assessment", "period": period},
            )  # fmt: skip
        sheet = sheet_of(found, at, units, issuer, today)
        return lambda: render_assessment(sheet, setter)

    body = await made(request.app.state.document_turns, prepare)
    return document(body, PDF, f"{organisation}-{period}-考核评分表.pdf", inline=inline)


def sheet_of(
    found: dict[str, Any], period: Period, units: dict[str, str], issuer: str, today: date
) -> AssessmentSheet:
    """The sheet as it is shown (``office.assessment.sheet``) as the paper has it. ``units``: id -> name; ``today``: of an open one."""
    closed: datetime | None = found["closed_at"]
    when = closed or midnight(today)
    organisation = found["organisation"]
    items = {item["code"]: item["name"] for item in found["items"]}
    words = f"{period.year}年" + (f"第{period.quarter}季度" if period.quarter else "度")
    lines = [
        AssessmentLine(
            items.get(line["item"], line["item"]), _standard(line), line["number"], date.fromisoformat(line["day"]),
            -Decimal(line["deducted"]), Decimal(line["given_back"]), _note(line),
        )
        for line in found["lines"]
    ]  # fmt: skip
    lines += [
        AssessmentLine(
            "冲正", f"{each['of']}：{items.get(each['item'], each['item'])}", each["number"], None, Decimal(each["amount"]),
            note=f"已扣 {each['booked']}，应扣 {each['now']}；{each['why']}",
        )
        for each in found["corrections"]
    ]  # fmt: skip
    total = Decimal(found["score"])
    without = [item["name"] for item in found["items"] if item["state"] != "judged"]
    notes = [f"无数据、未评：{'、'.join(without)}。"] if without else []
    notes.append(f"内容摘要（SHA-256）：{found['digest']}")
    if closed is None:
        notes.insert(0, f"本表未关闭，按{chinese_day(today)}已核销的督办单计算，不作为考核结果。")
    return AssessmentSheet(
        letter=Letter(issuer, f"考核〔{period.year}〕{organisation}", f"{words}公务用车管理考核评分表", when),
        unit=units.get(organisation, organisation),
        period=words,
        table="、".join(_table(table, units) for table in found["tables"]),
        base=_FULL,
        lines=tuple(lines),
        total=total,
        notes=tuple(notes),
        acts=() if closed is None else (("关闭", found["closed_by"], closed),),
        floor=min(total, Decimal(0)),
    )


def _table(table: dict[str, Any], units: dict[str, str]) -> str:
    version = f"第{table['version']}版" if table["version"] else "内置版"
    owner = units.get(table["organisation"], table["organisation"])
    return f"{owner}{table['year']}年公务用车管理考核评分标准（{version}）"


def _standard(line: dict[str, Any]) -> str:
    """属实违规（非工作时间用车）：每件 5.00 分."""
    fact = Fact(line["fact"])
    if fact is Fact.FINDING:
        name = FINDING_NAMES[line["finding"]].partition(" / ")[0]
        said = name if line["rule"] is None else f"{name}（{RULE_NAMES.get(line['rule'], line['rule'])}）"
    else:
        said = FACT_NAMES[fact].partition(" / ")[0]
    return f"{said}：每件 {line['points']} 分" + (f" × {line['count']}" if line["count"] != 1 else "")


def _note(line: dict[str, Any]) -> str:
    said = []
    if line["objection_upheld"]:
        said.append("异议成立，不扣分")
    if line["capped"]:
        said.append(f"应扣 {line['full']}，已到该项上限")
    if line["given_back_why"]:
        said.append(line["given_back_why"])
    return "；".join(said)
