"""GET /v1/statements/{id}/document: a statement as PDF or XLSX."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.audited import noted
from api.auth.scoped import scoped
from api.cases.common import actor_of
from api.costs.common import ItemId
from api.documents.rendering import BINARY, PDF, XLSX, Inline, document, made, setter_of
from api.errors import Problem, known
from office.costs import statements
from office.costs.money import yuan
from office.costs.sheets import Value, Yuan, workbook
from office.costs.statement import READ, StatementState
from office.documents.papers import Letter
from office.documents.statement import StatementPaper, StatementPaperLine, render_statement
from registry.organisations import names_of
from runtime.connection import Connection

router = APIRouter(prefix="/v1", tags=["costs"])
NO_STATEMENT: Final = "没有这份结算单 · no such statement"
#: Lines of a PDF; of an XLSX.
_MOST_PRINTED: Final = 2_000
_MOST_LINES: Final = 100_000
_PAGE: Final = 5_000
_KINDS: Final = {"trip": "", "reversal": "冲正：", "corrected": "更正："}
#: What of the thread stands in the part of objections.
_DISPUTED: Final = frozenset({"object", "answer", "correct"})
_HEADER: Final = (
    ("行号", 8), ("类别", 8), ("日期", 12), ("派车单号", 24), ("申请编号", 24), ("用车人", 12), ("目的地", 24), ("号牌", 12), ("车型", 12), ("产品", 12), ("结算公里", 10),
    ("小时", 8), ("计价", 50), ("金额（元）", 14), ("经费科目", 16), ("更正哪一行", 10), ("理由", 30),
)  # fmt: skip


@router.get(
    "/statements/{id}/document", summary="结算单 PDF、XLSX / a statement as PDF or XLSX", response_class=Response, dependencies=[require(READ)],
    responses={200: {"content": {PDF: BINARY, XLSX: BINARY}}},
)  # fmt: skip
async def statement_document(
    request: Request,
    id: ItemId,
    form: Annotated[Literal["pdf", "xlsx"], Query(alias="format")] = "pdf",
    inline: Inline = False,
) -> Response:
    """Lines, totals by cost centre, the sum in words, objections apart, places for three signatures. Of the same version of the statement always the same bytes.
    Lines of secret vehicles are left out for who is not cleared; it says how many, and what they come to."""
    statement, setter = known(NO_STATEMENT, id), await setter_of(request)
    issuer, actor = request.app.state.settings.document_issuer, actor_of(request)

    async def prepare() -> Callable[[], bytes]:
        async with scoped(request, READ) as connection:
            found = await statements.show(connection, actor, statement)
            most = _MOST_PRINTED if form == "pdf" else _MOST_LINES
            if found["lines"] > most:
                raise Problem(409, "too-many-lines", f"结算单有 {found['lines']} 行，超过 {most} 行，请下载 XLSX 或读取明细 · too many lines: take the XLSX, or read the lines")  # fmt: skip
            lines = await _all_lines(connection, statement)
            names = await names_of(connection, {found["organisation"], found["platform"]})
            await noted(
                request, connection, READ, "document", statement, organisation=found["organisation"], detail={"kind": "statement", "format": form}
            )  # fmt: skip
        if form == "xlsx":
            return lambda: _sheets(found, lines, names, issuer)
        paper = _paper(found, lines, names, issuer)
        return lambda: render_statement(paper, setter)

    body = await made(request.app.state.document_turns, prepare)
    return document(body, PDF if form == "pdf" else XLSX, f"{statement}-结算单.{form}", inline=inline)


async def _all_lines(connection: Connection, id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = await statements.list_lines(connection, id, _PAGE, found[-1]["no"] if found else None)
        found += page
        if len(page) < _PAGE:
            return found


def _about(found: Mapping[str, Any], names: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    period, tariffs = found["period"], "、".join(f"第 {version} 版" for version in found["tariff_versions"])
    return (
        ("用车单位", names.get(found["organisation"], found["organisation"])),
        ("平台", names.get(found["platform"], found["platform"])),
        ("结算月份", f"{period[:4]}年{int(period[4:])}月"),
        ("计价标准", tariffs or "—"),
        (
            "状态",
            f"{found['state_name']}（第 {found['version']} 版）" + ("，默认确认" if found["silent"] else ""),
        ),
    )


def _left_out(found: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    hidden = found["lines"] - len(lines)
    if not hidden:
        return ()
    rest = found["total_fen"] - sum(line["amount_fen"] for line in lines)
    return (f"另有涉密车辆 {hidden} 行，共 {yuan(rest)} 元，未列出，已计入合计。",)


def _charges(line: Mapping[str, Any]) -> str:
    said = "、".join(f"{charge['name']} {yuan(charge['amount_fen'])}" for charge in line["charges"])
    shared = f"；{line['riders']} 份合乘，全程 {yuan(line['trip_total_fen'])}" if line["riders"] > 1 else ""
    why = f"；{line['reason']}" if line["reason"] else ""
    return f"{_KINDS[line['kind']]}{said}{shared}{why}"


def _paper(
    found: Mapping[str, Any], lines: Sequence[Mapping[str, Any]], names: Mapping[str, str], issuer: str
) -> StatementPaper:
    thread = found["thread"]
    last = {event["step"]: event for event in thread}
    signed = {
        "用车单位": last.get("confirm") or last.get("confirm-silent"), "平台": last.get("draw"), "财务": last.get("pay"),
    }  # fmt: skip
    about = _about(found, names)
    state = StatementState(found["state"])
    return StatementPaper(
        letter=Letter(
            issuer, found["number"], "公务用车费用结算单", thread[-1]["at"],
            cancelled="本结算单已作废" if state is StatementState.VOID else None,
        ),
        about=about,
        lines=tuple(
            StatementPaperLine(
                line["on"], line["number"], line["user"], line["destination"], line["vehicle_class"], f"{line['settlement_m'] / 1000:.1f}",
                f"{line['duration_s'] / 3600:.1f}", _charges(line), line["amount"],
            )
            for line in lines
        ),
        notes=_left_out(found, lines),
        centres=tuple((each["cost_centre"] or "（未填经费科目）", each["total"]) for each in found["cost_centres"]),
        total=found["total"],
        total_in_words=found["total_in_words"],
        objections=tuple(
            (event["name"], event["at"], event["by"], event["body"].get("reason", "")) for event in thread if event["step"] in _DISPUTED
        ),
        signed=tuple((name, "" if event is None else f"{event['name']}：{event['by']}") for name, event in signed.items()),
    )  # fmt: skip


def _sheets(
    found: Mapping[str, Any], lines: Sequence[Mapping[str, Any]], names: Mapping[str, str], issuer: str
) -> bytes:
    target, at = io.BytesIO(), found["thread"][-1]["at"]
    with workbook(target, "公务用车费用结算单", issuer, at) as book:
        centres = [
            (f"经费科目：{each['cost_centre'] or '（未填）'}（元）", Yuan(each["total_fen"]))
            for each in found["cost_centres"]
        ]
        book.about(
            "结算单", "公务用车费用结算单",
            [("编号", found["number"]), *_about(found, names), *centres, ("合计（元）", Yuan(found["total_fen"])), ("大写金额", found["total_in_words"])],
        )  # fmt: skip
        book.table("明细", _HEADER, map(_cells, lines), _left_out(found, lines))
        book.table(
            "经过", (("步骤", 12), ("时间", 24), ("办理人", 16), ("内容", 60)),
            ((event["name"], event["at"].isoformat(timespec="seconds"), event["by"], event["body"].get("reason", "")) for event in found["thread"]),
        )  # fmt: skip
    return target.getvalue()


def _cells(line: Mapping[str, Any]) -> Sequence[Value]:
    return (
        line["no"], {"trip": "用车", "reversal": "冲正", "corrected": "更正"}[line["kind"]], line["on"], line["number"], line["request_number"], line["user"],
        line["destination"], line["plate"], line["vehicle_class"], line["product_name"], line["settlement_m"] / 1000, line["duration_s"] / 3600,
        _charges(line), Yuan(line["amount_fen"]), line["cost_centre"], line["corrects"], line["reason"],
    )  # fmt: skip
