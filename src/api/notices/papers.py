"""GET /v1/notices/{id}/document: a notice or a publication as PDF or XLSX, of what is frozen."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.audited import noted
from api.auth.scoped import scoped
from api.cases.common import ItemId, actor_of
from api.documents.rendering import BINARY, PDF, REFUSED, XLSX, Inline, document, made, setter_of
from api.errors import Problem, known
from api.notices.reading import NO_NOTICE, shown
from office.documents.papers import Letter
from office.documents.publication import PublicationPaper, render_publication
from office.documents.sheets import WorkSheet, render_sheets
from office.documents.vehicle import FileTable, VehicleFile, render_vehicle
from office.notices import objections
from office.notices.contents import COLUMNS, READS, NoticeKind
from registry.organisations import names_of
from runtime.units import CHINA

router = APIRouter(prefix="/v1", tags=["notices"])
#: Rows of a table that is printed: more take minutes, and nobody reads them on paper.
_MOST_PRINTED: Final = 2_000
#: The columns of a fuel table that are words; others are numbers in an XLSX where they are told.
_WORDS: Final = frozenset({"单位", "号牌", "车型", "燃料", "说明"})
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_STATES: Final = {"upheld": "异议成立", "rejected": "异议不成立"}


@router.get(
    "/notices/{id}/document", summary="通知、公示 PDF、XLSX / a notice as PDF or XLSX", response_class=Response, dependencies=[require(*READS)],
    responses={200: {"content": {PDF: BINARY, XLSX: BINARY}}, 400: REFUSED},
)  # fmt: skip
async def paper(
    request: Request, id: ItemId, format: Literal["pdf", "xlsx"] = "pdf", inline: Inline = False
) -> Response:
    """Made of what is frozen, with its SHA-256 on it, and of the objections that were raised with their answers."""
    notice, setter = known(NO_NOTICE, id), await setter_of(request)
    issuer, named = request.app.state.settings.document_issuer, list[str]()

    async def prepare() -> Callable[[], bytes]:
        async with scoped(request, *READS) as connection:
            actor = actor_of(request)
            found = await shown(connection, actor, notice)
            if format == "pdf" and len(found["table"]) > _MOST_PRINTED:
                raise Problem(409, "too-many-lines", f"公示超过 {_MOST_PRINTED} 行，请下载 XLSX · more than {_MOST_PRINTED} rows: take the XLSX")  # fmt: skip
            raised = await objections.list_objections(
                connection, actor, notice=notice, unanswered=False, limit=objections.MOST_OBJECTIONS, after=None
            )  # fmt: skip
            names = await names_of(connection, {found["organisation"], *(each["organisation"] for each in raised)})  # fmt: skip
            await noted(
                request, connection, READS[0], "document", notice, organisation=found["organisation"], detail={"kind": "notice", "format": format}
            )  # fmt: skip
        named.append(found["number"])
        said = [_objection(each, names) for each in raised]
        if format == "xlsx":
            return lambda: _book(found, said, issuer)
        letter = Letter(issuer, found["number"], found["title"], found["published_at"])
        unit, opening = names.get(found["organisation"], found["organisation"]), found["body"] or found["title"]  # fmt: skip
        if found["kind"] == NoticeKind.NOTICE:
            file = VehicleFile(letter, unit, opening, tuple(_facts(found)), ())
            return lambda: render_vehicle(setter, file)
        if found["kind"] != NoticeKind.FUEL and not said:
            file = VehicleFile(letter, unit, opening, tuple(_facts(found)), _tables(found))
            return lambda: render_vehicle(setter, file)
        columns, rows = _numbered(found)
        notes = tuple(_definitions(found))
        sheet = PublicationPaper(letter, unit, opening, tuple(_facts(found)), columns, rows, notes, tuple(said))  # fmt: skip
        return lambda: render_publication(setter, sheet)

    body = await made(request.app.state.document_turns, prepare)
    return document(body, XLSX if format == "xlsx" else PDF, f"{named[0]}.{format}", inline=inline)


def _objection(each: Mapping[str, Any], names: Mapping[str, str]) -> tuple[str, str, str, str]:
    row = "全部" if each["row"] is None else str(each["row"])
    told = "尚未答复" if each["state"] == "open" else f"{_STATES[each['state']]}：{each['answer']}（{each['answered_at'].astimezone(CHINA):%Y-%m-%d}）"  # fmt: skip
    return (row, names.get(each["organisation"], each["organisation"]), each["reason"], told)


def _numbered(found: Mapping[str, Any]) -> tuple[tuple[tuple[str, float], ...], tuple[tuple[str, ...], ...]]:
    """Columns and rows with the number by which an objection names a row."""
    columns, rows = COLUMNS[NoticeKind(found["kind"])], tuple(tuple(row) for row in found["table"])
    if found["kind"] in (NoticeKind.FUEL, NoticeKind.NOTICE):
        return columns, rows
    return (("序号", 0.5), *columns), tuple(
        (str(no), *row) for no, row in zip(found["numbers"], rows, strict=True)
    )


def _book(found: Mapping[str, Any], said: Sequence[tuple[str, ...]], issuer: str) -> bytes:
    kind = NoticeKind(found["kind"])
    shares, table = _numbered(found)
    columns = tuple((name, round(width * 12)) for name, width in shares)
    rows: Sequence[Sequence[str | float]] = table
    if kind is NoticeKind.FUEL:
        rows = [[_cell(name, cell) for (name, _), cell in zip(columns, row, strict=True)] for row in table]  # fmt: skip
    sheets = [WorkSheet(found["kind_name"], columns, rows)] if columns else []
    if said:
        sheets.append(
            WorkSheet("异议和答复", (("序号", 8), ("提出单位", 24), ("异议", 50), ("答复", 50)), said)
        )
    day: date = found["published_at"].astimezone(CHINA).date()
    notes = [found["body"], *(f"{name}：{value}" for name, value in _facts(found)), *_definitions(found)]
    return render_sheets(found["title"], issuer, day, notes, sheets)


def _cell(column: str, cell: str) -> str | float:
    return float(cell) if column not in _WORDS and _NUMBER.fullmatch(cell) else cell


def _facts(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    published: datetime = found["published_at"]
    facts = [
        ("编号", found["number"]), ("发布", f"{published.astimezone(CHINA):%Y-%m-%d %H:%M} {found['published_by']}"),
        ("有效期至", "长期" if found["valid_to"] is None else found["valid_to"].isoformat()), ("SHA-256", found["sha256"]),
    ]  # fmt: skip
    if found["withdrawn_at"] is not None:
        facts.append(
            (
                "已撤回",
                f"{found['withdrawn_at'].astimezone(CHINA):%Y-%m-%d %H:%M}：{found['withdraw_reason']}",
            )
        )
    if found["kind"] == NoticeKind.NOTICE:
        return facts
    terms = found["terms"] or {}
    if terms:
        facts.append(("期间", f"{terms['first']} 至 {terms['last']}"))
    if terms.get("phone"):
        facts.append(("联系电话", terms["phone"]))
    until = found["object_until"]
    facts.append(("公示期至", "待定（有关日期的工作日安排尚未公布）" if until is None else f"{until}（发布次日起 5 个工作日）"))  # fmt: skip
    if found["edition"] > 1:
        facts.append(("版次", f"第 {found['edition']} 版，更正前一版"))
    left_out = terms.get("excluded")
    facts.append(("说明", "涉密车辆不列入公示" + ("" if left_out is None else f"，共 {left_out} 辆")))
    return facts


def _definitions(found: Mapping[str, Any]) -> list[str]:
    return list((found["terms"] or {}).get("definitions", ()))


def _tables(found: Mapping[str, Any]) -> tuple[FileTable, ...]:
    columns = COLUMNS[NoticeKind(found["kind"])]
    return (FileTable(found["kind_name"], columns, tuple(tuple(row) for row in found["table"])),)
