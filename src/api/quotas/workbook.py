"""GET /v1/quota-workbook: quotas, what is over them, and what is above the standard, as XLSX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.audited import noted
from api.auth.scoped import scoped
from api.documents.rendering import BINARY, REFUSED, XLSX, document, made
from api.errors import not_found
from api.http import refuse_controls
from api.quotas.endpoints import NO_UNIT, Below, units_of
from api.vehicles.common import READ
from office.documents.sheets import WorkSheet, render_sheets
from registry.licences import BODY_NAMES
from registry.organisations import names_of
from registry.quotas import StandardFilter, quota_units, quota_vehicles
from registry.vehicle_papers import today_of
from runtime.connection import Connection

router = APIRouter(prefix="/v1", tags=["quotas"])
#: Rows of a sheet; a province has fewer units, and more vehicles above the standard than that are no list any more.
_MOST: Final = 50_000
_STANDING: Final = {"over": "超编", "within": "在编制内", "unset": "未核定"}
_ABOVE: Final = {"body": "车型", "price": "价格", "displacement": "排量"}
_MISSING: Final = {
    "quota_class": "编制类别", "body": "车辆类型", "bought_on": "购置日期", "price": "车价", "displacement": "排量", "new_energy": "是否新能源",
}  # fmt: skip
_LINES: Final = (
    ("单位编号", 14), ("单位", 28), ("编制类别", 12), ("编制数", 9), ("实有数", 9), ("超编数", 9), ("状态", 10), ("自", 12), ("核定机关", 24), ("文号", 24),
)  # fmt: skip
_VEHICLES: Final = (
    ("单位", 28), ("号牌", 12), ("车辆编号", 14), ("编制类别", 12), ("适用标准", 12), ("品牌型号", 20), ("车型", 14), ("购置日期", 12), ("车价（元）", 12),
    ("价格上限（元）", 13), ("排量（毫升）", 12), ("排量上限（毫升）", 14), ("超标准项目", 16), ("待登记", 20), ("批准文号", 24),
)  # fmt: skip


@router.get(
    "/quota-workbook", summary="编制、超编、超标准清单 XLSX / the lists of quotas as XLSX", response_class=Response, dependencies=[require(READ)],
    responses={200: {"content": {XLSX: BINARY}}, 400: REFUSED, 404: {"description": "没有这个单位 · no such unit"}},
)  # fmt: skip
async def workbook(request: Request, organisation: Below = None) -> Response:
    """The lists of `GET /v1/quotas` and `GET /v1/quota-vehicles` of one moment: quotas, what is over them, what is above the standard, what cannot be said."""
    refuse_controls(organisation)
    issuer = request.app.state.settings.document_issuer

    async def prepare() -> Callable[[], bytes]:
        async with scoped(request, READ) as connection:
            day, notes, sheets = await _gathered(connection, organisation)
            await noted(
                request, connection, READ, "document", organisation or "", organisation=organisation, detail={"kind": "quotas"}
            )  # fmt: skip
        return lambda: render_sheets("公务用车编制和配备标准清单", issuer, day, notes, sheets)

    body = await made(request.app.state.document_turns, prepare)
    return document(body, XLSX, "公务用车编制和配备标准清单.xlsx")


async def _gathered(
    connection: Connection, organisation: str | None
) -> tuple[date, list[str], list[WorkSheet]]:
    units, day = await units_of(connection, organisation), await today_of(connection)
    if organisation is not None and not units:
        raise not_found(NO_UNIT, organisation)
    found = await quota_units(connection, day, "", _MOST, units=units)
    lines = [_line(unit, line) for unit in found for line in unit["lines"]]
    over = [row for row in lines if row[6] == _STANDING["over"]]
    tables = {}
    for name, standing in (("超标准", "above"), ("无法判定", "unknown")):
        asked = StandardFilter(units, standing="above" if standing == "above" else "unknown")
        tables[name] = await quota_vehicles(connection, day, asked, "", _MOST)
    names = await names_of(connection, {each["organisation"] for rows in tables.values() for each in rows})
    notes = [
        f"统计日期：{day.isoformat()}。实有数为单位自有的公务用车，含封存、维修的，不含租赁的；未核定编制的不算超编。",
        "配备标准取购置之日施行的数值；2017年12月5日以前购置的、标准未定数值的类别不判；登记信息不全的列入「无法判定」。",
        "涉密车辆仅对知悉人列出和计数。",
    ]  # fmt: skip
    return day, notes, [
        WorkSheet("编制", _LINES, lines),
        WorkSheet("超编", _LINES, over),
        *(WorkSheet(name, _VEHICLES, [_vehicle(each, names) for each in rows]) for name, rows in tables.items()),
    ]  # fmt: skip


def _line(unit: Mapping[str, Any], line: Mapping[str, Any]) -> tuple[str | int | None, ...]:
    since = line["valid_from"]
    return (
        unit["organisation"], unit["name"], line["quota_class_name"], line["quota"], line["in_use"], line["over"], _STANDING[line["standing"]],
        None if since is None else since.isoformat(), line["approved_by"], line["paper_no"],
    )  # fmt: skip


def _vehicle(found: Mapping[str, Any], names: Mapping[str, str]) -> tuple[str | int | float | None, ...]:
    bought, body, price = found["bought_on"], found["body"], found["price_fen"]
    return (
        names.get(found["organisation"], found["organisation"]), found["plate"], found["vehicle"], found["quota_class_name"], found["tier_name"],
        found["make_model"], None if body is None else BODY_NAMES[body], None if bought is None else bought.isoformat(),
        None if price is None else price / 100, found["limit_price_yuan"], found["displacement_ml"], found["limit_displacement_ml"],
        "、".join(_ABOVE[each] for each in found["above"]), "、".join(_MISSING[each] for each in found["missing"]), found["paper_no"],
    )  # fmt: skip
