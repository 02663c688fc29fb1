"""GET /v1/vehicles/{id}/file: all that is kept of a vehicle, as one PDF (一车一档)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.audited import noted
from api.auth.scoped import scoped
from api.documents.rendering import BINARY, PDF, REFUSED, Inline, document, made, setter_of
from api.errors import known, not_found
from api.vehicles.common import NO_VEHICLE, READ, VehicleId
from office.documents.papers import Letter
from office.documents.typesetting import chinese_moment
from office.documents.vehicle import FileTable, VehicleFile, render_vehicle
from office.vehicles.acts import list_acts
from office.vehicles.contents import yuan
from office.vehicles.documents import documents_of
from office.vehicles.repair_listing import bills_of, count_repairs, list_repairs
from registry.organisations import names_of
from registry.particulars import particulars_of, plates_held, swaps_of
from registry.quotas import place_history
from registry.seals import seals_of
from registry.vehicle_papers import papers_of
from registry.vehicles import VehicleInfo, vehicles_by_id
from runtime.connection import Connection
from runtime.units import CHINA

router = APIRouter(prefix="/v1", tags=["vehicles"])
#: Maintenance on the paper, the newest; how many there are besides is said.
MOST_REPAIRS: Final = 200
_ENERGY: Final = {
    "petrol": "汽油",
    "diesel": "柴油",
    "electric": "纯电动",
    "hybrid": "混合动力",
    "gas": "燃气",
}
_MARKING: Final = {"": "", "painted": "已喷涂", "missing": "未喷涂", "exempt": "免喷涂"}
_STANDING: Final = {
    "valid": "有效",
    "ending": "即将到期",
    "ended": "已到期",
    "future": "未生效",
    "void": "作废",
}


@dataclass(frozen=True, slots=True)
class Gathered:
    """What was read for the file of a vehicle."""

    vehicle: VehicleInfo
    unit: str
    particulars: Mapping[str, Any]
    plates: Sequence[Mapping[str, Any]]
    swaps: Sequence[Mapping[str, Any]]
    papers: Sequence[Mapping[str, Any]]
    repairs: Sequence[Mapping[str, Any]]
    more_repairs: int
    bills: Mapping[str, Mapping[str, Any]]
    seals: Sequence[Mapping[str, Any]]
    documents: Sequence[Mapping[str, Any]]
    acts: Sequence[Mapping[str, Any]]
    places: Sequence[Mapping[str, Any]]
    now: datetime


@router.get(
    "/vehicles/{id}/file", summary="车辆档案 PDF / the file of a vehicle as PDF", response_class=Response, dependencies=[require(READ)],
    responses={200: {"content": {PDF: BINARY}}, 400: REFUSED},
)  # fmt: skip
async def vehicle_file(request: Request, id: VehicleId, inline: Inline = False) -> Response:
    """What it is, plates, inspection and insurance, maintenance with parts and hours, seals, files with their SHA-256: as it stands now, and it says when
    that was. Who has read it is in the audit."""
    vehicle, setter = known(NO_VEHICLE, id), await setter_of(request)
    issuer = request.app.state.settings.document_issuer
    named: list[str] = []

    async def prepare() -> Callable[[], bytes]:
        async with scoped(request, READ) as connection:
            found = await gather(connection, vehicle)
            await noted(
                request, connection, READ, "document", vehicle,
                organisation=found.vehicle.organisation, vehicle=vehicle, detail={"kind": "vehicle-file"},
            )  # fmt: skip
        named.append(found.vehicle.plate)
        return lambda: render_vehicle(setter, file_of(found, issuer))

    body = await made(request.app.state.document_turns, prepare)
    return document(body, PDF, f"{named[0]}-车辆档案.pdf", inline=inline)


async def gather(connection: Connection, id: str) -> Gathered:
    """All that is kept of a vehicle. Raises Problem 404."""
    vehicle = (await vehicles_by_id(connection, [id])).get(id)
    if vehicle is None:
        raise not_found(NO_VEHICLE, id)
    units = await names_of(connection, [vehicle.organisation])
    repairs = await list_repairs(connection, vehicle=id, limit=MOST_REPAIRS)
    more = await count_repairs(connection, id) - len(repairs)
    return Gathered(
        vehicle, units.get(vehicle.organisation, vehicle.organisation), await particulars_of(connection, id), await plates_held(connection, id),
        await swaps_of(connection, id), await papers_of(connection, vehicle=id), repairs, more,
        await bills_of(connection, [each["id"] for each in repairs]), await seals_of(connection, id),
        await documents_of(connection, vehicle=id),
        await list_acts(connection, kind=None, state=None, organisation=None, vehicle=id, open=False, limit=MOST_REPAIRS, after=None),
        await place_history(connection, id), await connection.fetchval("SELECT clock_timestamp()"),
    )  # fmt: skip


def file_of(found: Gathered, issuer: str) -> VehicleFile:
    """The paper of what was gathered. Pure."""
    vehicle = found.vehicle
    return VehicleFile(
        letter=Letter(issuer, f"车辆编号 {vehicle.id}", f"{vehicle.plate} 车辆档案", found.now),
        unit=found.unit,
        opening=f"本档案为 {chinese_moment(found.now)} 时系统所存，一车一档。",
        facts=tuple(_facts(found)),
        tables=(
            _plates(found),
            _papers(found),
            _repairs(found),
            _seals(found),
            _acts(found),
            _documents(found),
        ),
    )


def _facts(found: Gathered) -> list[tuple[str, str]]:
    vehicle, known_of = found.vehicle, found.particulars
    price, size, power = known_of["price_fen"], known_of["displacement_ml"], known_of["power_w"]
    marking = _MARKING[known_of["marking"]]
    if known_of["marking_reason"]:
        marking += f"（{known_of['marking_reason']}）"
    rows = [
        ("号牌", vehicle.plate), ("车架号", known_of["vin"] or ""), ("发动机号", known_of["engine_no"]), ("品牌型号", known_of["make_model"]),
        ("车辆类型", known_of["body_name"] or ""), ("类别", vehicle.category), ("编制类别", _place(found)), ("能源", _ENERGY.get(vehicle.energy, vehicle.energy)),
        ("权属", "租赁" if vehicle.ownership == "rented" else "自有"), ("车身颜色", known_of["colour"]), ("核定载客", _said(known_of["seats"], " 人")),
        ("排量", "" if size is None else f"{size / 1000:g} 升"), ("功率", "" if power is None else f"{power / 1000:g} 千瓦"),
        ("油箱", "" if vehicle.tank_ml is None else f"{vehicle.tank_ml / 1000:g} 升"),
        ("电池", "" if vehicle.battery_wh is None else f"{vehicle.battery_wh / 1000:g} 千瓦时"),
        ("车价", "" if price is None else f"{yuan(price)} 元"), ("购置日期", _day(known_of["bought_on"])), ("资金来源", known_of["fund"]),
        ("资产编号", known_of["asset_no"]), ("标识", marking), ("登记日期", _day(vehicle.registered_on)), ("处置日期", _day(vehicle.disposed_on)),
    ]  # fmt: skip
    return [
        (name, value or "未登记")
        for name, value in rows
        if value or name not in ("电池", "处置日期", "油箱", "编制类别")
    ]


def _said(value: object, unit: str) -> str:
    return "" if value is None else f"{value}{unit}"


def _day(day: date | None) -> str:
    return "" if day is None else day.isoformat()


def _moment(at: datetime | None) -> str:
    return "—" if at is None else f"{at.astimezone(CHINA):%Y-%m-%d %H:%M}"


def _china_day(at: datetime | None) -> str:
    return "—" if at is None else f"{at.astimezone(CHINA):%Y-%m-%d}"


def _plates(found: Gathered) -> FileTable:
    swapped = {each["plate_after"]: each for each in reversed(found.swaps)}
    rows = []
    for held in found.plates:
        swap = swapped.get(held["plate"])
        note = (
            ""
            if swap is None
            else f"{_china_day(swap['at'])} 互换号牌（{swap['act']}）：{swap['reason']}，{swap['by']}"
        )
        since = "建档前" if held["valid_from"] is None else _moment(held["valid_from"])
        rows.append(
            (held["plate"], since, "至今" if held["valid_to"] is None else _moment(held["valid_to"]), note)
        )
    return FileTable("号牌", (("号牌", 1.1), ("自", 1.4), ("至", 1.4), ("说明", 3)), tuple(rows))


def _papers(found: Gathered) -> FileTable:
    rows = tuple(
        (
            each["kind_name"], each["number"], each["issuer"], _day(each["valid_from"]),
            "长期" if each["valid_to"] is None else _day(each["valid_to"]), "—" if each["amount_fen"] is None else yuan(each["amount_fen"]),
            _STANDING[each["standing"]] + (f"：{each['void_reason']}" if each["void_reason"] else ""),
        )
        for each in found.papers
    )  # fmt: skip
    columns = (
        ("种类", 0.8),
        ("编号", 1.8),
        ("机构", 1.5),
        ("自", 1.1),
        ("至", 1.1),
        ("费用（元）", 1),
        ("状态", 1),
    )
    return FileTable("年检和保险", columns, rows)


def _repairs(found: Gathered) -> FileTable:
    rows = tuple(
        (
            each["number"], _china_day(each["reported_at"]), f"{each['odometer_m'] / 1000:.0f}", each["fault"], each["shop"] or "—",
            _work(found.bills.get(each["id"])), "—" if each["total_fen"] is None else yuan(each["total_fen"]), each["state_name"],
        )
        for each in found.repairs
    )  # fmt: skip
    columns = (
        ("维修单号", 1.3), ("报修", 1), ("公里", 0.7), ("故障", 1.5), ("维修厂", 1.2), ("配件和工时", 2.4), ("金额（元）", 0.9), ("状态", 0.8),
    )  # fmt: skip
    return FileTable("维修", columns, rows, found.more_repairs)


def _work(bill: Mapping[str, Any] | None) -> str:
    """Parts and hours in words."""
    if bill is None:
        return "—"
    parts = [f"{part['name']}×{part['count']}" for part in bill["parts"]]
    hours = [f"{work['name']} {work['minutes'] / 60:g} 小时" for work in bill["labour"]]
    said = "、".join([*parts, *hours])
    return said if len(said) <= 300 else f"{said[:300]}…"


def _seals(found: Gathered) -> FileTable:
    rows = tuple(
        (
            _moment(each["sealed_from"]),
            "未启封" if each["sealed_to"] is None else _moment(each["sealed_to"]),
            each["reason"],
        )
        for each in found.seals
    )
    return FileTable("封存", (("自", 1.4), ("至", 1.4), ("原因", 3.6)), rows)


def _place(found: Gathered) -> str:
    """The class of quota that the office has entered."""
    return "、".join(
        f"{each['quota_class_name']}（{each['tier_name']}，{each['paper_no']}）" for each in found.places[:1]
    )


def _acts(found: Gathered) -> FileTable:
    rows = tuple(
        (
            each["number"], each["kind_name"] if each["mode_name"] is None else f"{each['kind_name']}（{each['mode_name']}）", each["organisation"],
            each["to_organisation"] or "—", _china_day(each["asked_at"]), _china_day(each["done_at"]), each["state_name"],
        )
        for each in found.acts
    )  # fmt: skip
    columns = (
        ("编号", 1.8),
        ("事项", 1.2),
        ("单位", 1),
        ("接收单位", 1),
        ("申请", 1),
        ("办结", 1),
        ("状态", 1.2),
    )
    return FileTable("调拨、处置", columns, rows)


def _documents(found: Gathered) -> FileTable:
    rows = tuple(
        (
            each["kind_name"],
            each["name"],
            _china_day(each["uploaded_at"]),
            each["uploaded_by"],
            each["sha256"],
        )
        for each in found.documents
    )
    return FileTable(
        "附件", (("种类", 0.7), ("文件名", 1.8), ("上传", 0.9), ("上传人", 0.9), ("SHA-256", 2)), rows
    )
