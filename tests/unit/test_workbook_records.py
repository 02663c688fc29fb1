"""Files of records under other names and in other forms than they should have: workbooks, byte order marks, CSV that is called
Excel, fences as map programs save them; and what people are told of them."""

from __future__ import annotations

import io
import json
from datetime import date, datetime
from typing import Any

import httpx
import openpyxl
import pytest
from pydantic import ValidationError

from gongche.commands import imports as command
from registry import bulk
from registry.fences import Fence
from registry.records import KINDS
from registry.refusals import Flaw, UnreadableError, explain
from registry.workbook_records import read_any

SQUARE = {
    "type": "Polygon",
    "coordinates": [
        [[120.89, 31.98], [120.892, 31.98], [120.892, 31.982], [120.89, 31.982], [120.89, 31.98]]
    ],
}


def workbook(*rows: list[Any], title: str = "车辆", more: dict[str, list[list[Any]]] | None = None) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = title
    for row in rows:
        sheet.append(row)
    for name, lines in (more or {}).items():
        other = book.create_sheet(name)
        for line in lines:
            other.append(line)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def records(kind: str, data: bytes, form: bulk.Format | None = None) -> list[Any]:
    return list(bulk.validate_rows(kind, read_any(kind, data, form)))


@pytest.mark.parametrize("form", [None, "csv"])
def test_a_workbook_of_vehicles(form: bulk.Format | None) -> None:
    data = workbook(
        ["市级公务用车登记表"], [], ["编号", "车牌号", "单位", "登记日期"],
        ["v1", "苏F12345", "finance", date(2020, 1, 2)], [17, "苏F12346", "finance", datetime(2020, 1, 3)],
        ["v3", "苏F12347", "finance", "2020-01-04"], [],
        more={"填写说明": [["请按列填写"]]},
    )  # fmt: skip
    found = records("vehicles", data, form)
    assert [(v.id, v.plate, v.registered_on) for v in found] == [
        ("v1", "苏F12345", date(2020, 1, 2)), ("17", "苏F12346", date(2020, 1, 3)), ("v3", "苏F12347", date(2020, 1, 4)),
    ]  # fmt: skip


def test_times_of_a_workbook_are_those_of_china() -> None:
    header = ["派车单号", "单位", "车辆", "计划出车", "计划返回"]
    (order,) = records(
        "dispatch-orders",
        workbook(header, ["o1", "o", "v", datetime(2026, 3, 2), datetime(2026, 3, 2, 17, 30)]),
    )
    assert order.planned_departure.isoformat() == "2026-03-01T16:00:00+00:00"
    assert order.planned_return.isoformat() == "2026-03-02T09:30:00+00:00"


def test_a_workbook_says_row_and_header() -> None:
    data = workbook(["说明"], ["编号", "车牌号", "单位", "能源"], ["v1", "苏F12345", "o", "petrol"], ["v2", "苏F12346", "o", "汽油"],
                    ["v1", "苏F12347", "o", "petrol"])  # fmt: skip
    with pytest.raises(bulk.ImportRefusedError) as caught:
        records("vehicles", data)
    assert [(f.row, f.column) for f in caught.value.flaws] == [(4, "能源"), (5, "编号")]
    with pytest.raises(bulk.ImportRefusedError) as caught:
        records("fuel-cards", workbook(["卡号", "单位"], [1000113200000000001, "o"]))
    assert [(f.row, f.column, "15 位" in f.message) for f in caught.value.flaws] == [(2, "卡号", True)]


def test_workbooks_that_say_nothing_or_too_much() -> None:
    with pytest.raises(UnreadableError, match="未知列：甲"):
        records("vehicles", workbook(["甲", "乙"], [1, 2]))
    with pytest.raises(UnreadableError, match="缺少列：车牌号"):
        records("vehicles", workbook(["编号", "单位"], ["v1", "o"]))
    with pytest.raises(UnreadableError, match="工作表是空的"):
        records("vehicles", workbook())
    head = ["编号", "车牌号", "单位"]
    with pytest.raises(UnreadableError, match="多个工作表"):
        records(
            "vehicles", workbook(head, ["v1", "苏F12345", "o"], more={"二": [head, ["v2", "苏F12346", "o"]]})
        )
    with pytest.raises(UnreadableError, match=r"旧版 \.xls"):
        records("vehicles", b"\xd0\xcf\x11\xe0" + bytes(600))


BODY = [{"id": "o1", "name": "财政局"}]
BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (BOM + json.dumps(BODY).encode(), "json"),
        (BOM + json.dumps(BODY[0]).encode() + b"\n", "ndjson"),
        (BOM + "编号,名称\no1,财政局\n".encode(), "csv"),
        (BOM + json.dumps(BODY).encode(), None),
        (json.dumps(BODY[0]).encode() + b"\r\n", None),
        ("编号,名称\r\no1,财政局\r\n".encode("gbk"), None),
    ],
)
def test_byte_order_marks_and_types_that_say_nothing(data: bytes, form: bulk.Format | None) -> None:
    (found,) = records("organisations", data, form)
    assert found.name == "财政局"
    # The same of a kind with exact decimals.
    violation = b'[{"id":"a","plate":"\xe8\x8b\x8fF12345","at":"2026-03-02T08:00:00Z","fine":200.50}]'
    (found,) = records("violations", BOM + violation, "json")
    assert found.fine == 20050


def test_json_in_another_encoding_says_the_byte() -> None:
    with pytest.raises(UnreadableError, match="第 20 个字节不是"):
        records("organisations", '[{"id":"a","name":"财政局"}]'.encode("gbk"), "json")
    with pytest.raises(UnreadableError, match="UTF-16"):
        records("organisations", "[]".encode("utf-16"), "json")
    with pytest.raises(UnreadableError, match="geometry"):
        records("fences", b'{"type": "FeatureCollection", "features": []}', "json")


# --- fences as map programs save them


def fence(geometry: Any, **more: Any) -> dict[str, Any]:
    return {"id": "f", "name": "f", "organisation": "o", "datum": "wgs84", "geometry": geometry} | more


def flaws(values: dict[str, Any]) -> list[Flaw]:
    with pytest.raises(ValidationError) as caught:
        Fence.model_validate(values)
    return explain(caught.value)


FEATURE = {"type": "Feature", "properties": {"name": "场"}, "geometry": SQUARE}
CRS84 = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}


@pytest.mark.parametrize(
    "geometry",
    [
        SQUARE, FEATURE, {"type": "FeatureCollection", "name": "x", "crs": CRS84, "features": [FEATURE]},
        {"type": "GeometryCollection", "geometries": [SQUARE]},
        {"type": "FeatureCollection", "features": [FEATURE | {"geometry": {"type": "GeometryCollection", "geometries": [SQUARE]}}]},
    ],
)  # fmt: skip
def test_the_one_geometry_is_taken(geometry: dict[str, Any]) -> None:
    assert Fence.model_validate(fence(geometry)).geometry == SQUARE


@pytest.mark.parametrize(
    ("geometry", "pointer", "says"),
    [
        ({"type": "FeatureCollection", "features": [FEATURE, FEATURE]}, "/geometry/features", "有 2 个图形"),
        ({"type": "FeatureCollection", "features": []}, "/geometry/features", "有 0 个图形"),
        ({"type": "FeatureCollection"}, "/geometry/features", "没有图形"),
        ({"type": "Feature", "geometry": None}, "/geometry/geometry", "没有图形"),
        ({"type": "FeatureCollection", "features": [7]}, "/geometry/features/0", "没有图形"),
        (
            {"type": "FeatureCollection", "features": [FEATURE | {"geometry": {"type": "LineString", "coordinates": []}}]},
            "/geometry/features/0/geometry/type", "应为 Polygon",
        ),
        (FEATURE | {"crs": {"properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}}, "/geometry/crs", "EPSG:4326"),
        (FEATURE | {"properties": {"datum": "gcj02"}}, "/geometry/properties", "注明坐标系 gcj02"),
        ({"type": "Feature", "geometry": FEATURE | {"geometry": FEATURE | {"geometry": FEATURE | {"geometry": FEATURE}}}}, "/geometry/geometry", "未知字段"),
    ],
)  # fmt: skip
def test_what_is_not_one_geometry_says_so(geometry: dict[str, Any], pointer: str, says: str) -> None:
    (flaw,) = flaws(fence(geometry))
    assert flaw.pointer.startswith(pointer)
    assert says in flaw.message


# --- what people are told


def test_lines_of_the_command_name_the_files_own_row_and_header() -> None:
    text = "编号,车牌号,单位,能源\nv1,苏F12345,o,汽油\nv2,,o,petrol\nv3,x\n"
    with pytest.raises(bulk.ImportRefusedError) as caught:
        bulk.validate_rows("vehicles", bulk.read_rows("vehicles", text.encode(), "csv"))
    body = {"title": "t", "detail": "d", "errors": [f.shown() for f in caught.value.flaws]}
    lines = command._refusal(httpx.Response(422, json=body)).split("\n")[1:]
    assert [line.split("：")[0] for line in lines] == [
        "  第 2 行，“能源”",
        "  第 3 行，“车牌号”",
        "  第 4 行",
    ]
    for data in (b"a,b\n", "编号,单位\n".encode(), b"\xff\xfe", "编号,编号\n".encode()):
        with pytest.raises(UnreadableError) as wrong:
            bulk.validate_rows("vehicles", bulk.read_rows("vehicles", data, "csv"))
        said = command._refusal(httpx.Response(422, json={"errors": [f.shown() for f in wrong.value.flaws]}))
        assert "None" not in said
        assert "field=" not in said
    known = set(KINDS["vehicles"].headers)
    assert known >= {flaw.column for flaw in caught.value.flaws if flaw.column}
