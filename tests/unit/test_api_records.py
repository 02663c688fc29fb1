"""Validation of what comes in: records, places, fences, import files. Every refusal says what and where."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from registry import bulk
from registry.encodings import decoded
from registry.fences import Fence
from registry.orders import DispatchOrder
from registry.places import MAX_VERTICES, Place, stored_places
from registry.records import KINDS
from registry.refusals import Flaw, RefusedError, UnreadableError, explain
from registry.spelling import normal_plate
from registry.terminals import Binding, BindingPlan, Terminal
from registry.values import parse_time
from registry.vehicles import Vehicle

SQUARE = [[120.89, 31.98], [120.892, 31.98], [120.892, 31.982], [120.89, 31.982], [120.89, 31.98]]
BOW_TIE = [[120.89, 31.98], [120.892, 31.982], [120.892, 31.98], [120.89, 31.982], [120.89, 31.98]]
ORDER = {
    "id": "o1",
    "organisation": "finance",
    "vehicle": "car-1",
    "planned_departure": "2026-03-02T08:30:00+08:00",
    "planned_return": "2026-03-02T17:30:00+08:00",
}


def flaws(kind: str, values: dict[str, Any]) -> list[Flaw]:
    with pytest.raises(ValidationError) as caught:
        KINDS[kind].model.model_validate(values)
    return explain(caught.value)


def fence(**changes: Any) -> dict[str, Any]:
    geometry = {"type": "Polygon", "coordinates": [SQUARE]}
    return {"id": "f", "name": "场", "organisation": "o", "datum": "gcj02", "geometry": geometry} | changes


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1970-01-01T08:00:01+08:00", 1), ("1970-01-01T00:00:01Z", 1), ("1970-01-01 00:00:01.5+00:00", 1.5)],
)
def test_times_are_kept_in_utc(text: str, seconds: float) -> None:
    assert parse_time(text) == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    ["2026-03-02T08:00:00", "2026-03-02", "2026-02-30T00:00:00Z", "0001-01-01T00:00:00Z", 1772400000, None, "", "x",
     "2026-03-02T08:00:00+0800", "9999-12-31T23:59:59-23:59", True, "2026-03-02T25:00:00Z", "２026-03-02T08:00:00Z"],
)  # fmt: skip
def test_other_times_are_refused(text: object) -> None:
    with pytest.raises(ValueError, match="·"):
        parse_time(text)


def test_self_intersecting_fence_says_where() -> None:
    found = flaws("fences", fence(geometry={"type": "Polygon", "coordinates": [BOW_TIE]}))
    assert [f.pointer for f in found] == ["/geometry/coordinates"]
    assert "Self-intersection[120.891 31.981]" in found[0].message
    assert found[0].message.startswith("围栏自相交")


@pytest.mark.parametrize(
    ("geometry", "pointer"),
    [
        ({"type": "Point", "coordinates": [1, 2]}, "/geometry/type"),
        ({"type": "Polygon"}, "/geometry/coordinates"),
        ({"type": "Polygon", "coordinates": []}, "/geometry/coordinates"),
        ({"type": "MultiPolygon", "coordinates": []}, "/geometry/coordinates"),
        ({"type": "Polygon", "coordinates": [SQUARE[:3]]}, "/geometry/coordinates/0"),
        ({"type": "Polygon", "coordinates": [SQUARE[:-1]]}, "/geometry/coordinates/0"),
        (
            {"type": "Polygon", "coordinates": [[*SQUARE[:2], ["a", 1], *SQUARE[2:]]]},
            "/geometry/coordinates/0/2",
        ),
        (
            {"type": "Polygon", "coordinates": [[*SQUARE[:2], [True, 1], *SQUARE[2:]]]},
            "/geometry/coordinates/0/2",
        ),
        ({"type": "Polygon", "coordinates": [[[31.98, 120.89], *SQUARE[1:]]]}, "/geometry/coordinates/0/0"),
        ({"type": "MultiPolygon", "coordinates": [[SQUARE], [SQUARE[:2]]]}, "/geometry/coordinates/1/0"),
        ({"type": "Polygon", "coordinates": [SQUARE], "datum": "wgs84"}, "/geometry/datum"),
        ({"type": "Polygon", "coordinates": [[[1, 1], [2, 2], [3, 3], [1, 1]]]}, "/geometry/coordinates"),
        ({"type": "Polygon", "coordinates": [[[1, 1]] * (MAX_VERTICES + 1)]}, "/geometry/coordinates"),
        ({"type": "Polygon", "coordinates": 7}, "/geometry/coordinates"),
        ({"type": "Polygon", "coordinates": {"a": 1}}, "/geometry/coordinates"),
    ],
)
def test_bad_geometry_says_where(geometry: dict[str, Any], pointer: str) -> None:
    assert [f.pointer for f in flaws("fences", fence(geometry=geometry))] == [pointer]


def test_polygons_with_holes_are_fine() -> None:
    hole = [[120.8905, 31.9805], [120.8905, 31.981], [120.891, 31.981], [120.8905, 31.9805]]
    made = Fence.model_validate(fence(geometry={"type": "MultiPolygon", "coordinates": [[SQUARE, hole]]}))
    assert made.geometry["coordinates"] == [[SQUARE, hole]]


def test_coordinate_without_datum_is_refused() -> None:
    values = fence()
    del values["datum"]
    (found,) = flaws("fences", values)
    assert found.pointer == "/datum"
    assert "datum" in found.message
    (found,) = flaws("dispatch-orders", ORDER | {"destinations": [{"name": "x", "lat": 31.0, "lon": 120.0}]})
    assert found.pointer == "/destinations/0/datum"
    assert "坐标缺少坐标系" in found.message


@pytest.mark.parametrize(
    ("place", "pointer"),
    [
        ({"lat": 31.0, "datum": "wgs84", "name": "x"}, "/origin/lon"),
        ({"lat": 91.0, "lon": 1.0, "datum": "wgs84"}, "/origin/lat"),
        ({"lat": "31", "lon": 1.0, "datum": "wgs84"}, "/origin/lat"),
        ({"lat": True, "lon": 1.0, "datum": "wgs84"}, "/origin/lat"),
        ({"lat": 31.0, "lon": 120.0, "datum": "cgcs2000"}, "/origin/datum"),
        ({}, "/origin/datum"),
        ({"name": "a\u0000b"}, "/origin/name"),
        ([], "/origin"),
    ],
)
def test_bad_places_say_where(place: object, pointer: str) -> None:
    assert flaws("dispatch-orders", ORDER | {"origin": place})[0].pointer == pointer


def test_place_keeps_the_original_beside_wgs84() -> None:
    given = {"name": "南通", "lat": 31.98, "lon": 120.89}
    places = [
        Place.model_validate(place)
        for place in (
            {"name": "市区"},
            given | {"datum": "gcj02"},
            given | {"datum": "wgs84"},
            given | {"datum": "bd09"},
        )
    ]
    nowhere, stored, same, baidu = stored_places(places)
    assert (stored["lat"], stored["lon"], stored["datum"]) == (31.98, 120.89, "gcj02")
    moved = abs(stored["wgs84"]["lat_e6"] - 31_980_000) + abs(stored["wgs84"]["lon_e6"] - 120_890_000)
    assert 2_000 < moved < 12_000  # some 500 m
    assert same["wgs84"] == {"lat_e6": 31_980_000, "lon_e6": 120_890_000}
    assert baidu["wgs84"] not in (same["wgs84"], stored["wgs84"])
    assert nowhere["wgs84"] is None


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"planned_return": "2026-03-02T08:30:00+08:00"}, "/planned_return"),
        ({"planned_return": "2026-03-02T00:00:00Z"}, "/planned_return"),
        ({"extended_return": "2026-03-02T17:00:00+08:00"}, "/extended_return"),
        ({"status": "returned"}, "/actual_return"),
        ({"status": "departed", "actual_return": "2026-03-02T17:00:00+08:00"}, "/actual_return"),
        ({"status": "returned", "actual_return": "2026-03-02T08:00:00+08:00"}, "/actual_return"),
        (
            {
                "status": "returned",
                "actual_departure": "2026-03-02T09:00:00+08:00",
                "actual_return": "2026-03-02T09:00:00+08:00",
            },
            "/actual_return",
        ),
        ({"status": "done"}, "/status"),
        ({"destinations": [{"name": "x"}] * 51}, "/destinations"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_orders_that_contradict_themselves(changes: dict[str, Any], pointer: str) -> None:
    assert [f.pointer for f in flaws("dispatch-orders", ORDER | changes)] == [pointer]


def test_early_departure_and_return_are_possible() -> None:
    early = {"actual_departure": "2026-03-02T07:00:00+08:00", "actual_return": "2026-03-02T08:00:00+08:00"}
    assert DispatchOrder.model_validate(ORDER | early | {"status": "returned"}).status == "returned"


@pytest.mark.parametrize("given", ["苏F12345", "苏F·12345", "苏f 12345", "苏Ｆ１２３４５", "苏F-12345"])
def test_one_plate_has_one_form(given: str) -> None:
    assert normal_plate(given) == "苏F12345"


@pytest.mark.parametrize(
    "id", ["", " ", "a b", "a/b", "a\\b", "a?", "..", "a\u0000", "x" * 65, "a\nb", 7, None]
)
def test_ids_that_could_not_stand_in_an_address(id: object) -> None:
    values = {"id": id, "plate": "苏F1", "organisation": "o"}
    assert flaws("vehicles", values)[0].pointer == "/id"


def test_terminal_ids_are_phones_without_leading_zeros() -> None:
    assert Terminal.model_validate({"id": "013800000001"}).id == "13800000001"
    assert Terminal.model_validate({"id": "000"}).id == "0"
    assert flaws("terminals", {"id": "１３８"})[0].pointer == "/id"
    assert flaws("terminals", {"id": "1", "vehicle": "v"})[0].pointer == "/valid_from"


def test_disposal_before_registration() -> None:
    values = {
        "id": "v",
        "plate": "苏F1",
        "organisation": "o",
        "registered_on": "2026-01-02",
        "disposed_on": "2026-01-01",
    }
    assert flaws("vehicles", values)[0].pointer == "/disposed_on"
    assert Vehicle.model_validate(values | {"disposed_on": "2026-01-02"}).disposed_on is not None
    assert (
        flaws("vehicles", values | {"registered_on": "2026-02-30", "disposed_on": None})[0].pointer
        == "/registered_on"
    )


# --- import files


def rows(
    text: str, kind: str = "vehicles", form: bulk.Format = "csv", encoding: str = "utf-8"
) -> list[bulk.Row]:
    return bulk.read_rows(kind, text.encode(encoding), form)


SQUARE_CELL = json.dumps(
    json.dumps(
        {"type": "Polygon", "coordinates": [[[120, 31], [120.1, 31], [120.1, 31.1], [120, 31.1], [120, 31]]]}
    )
).replace('\\"', '""')
CSV = "id,plate,organisation,disposed_on\nv1,苏F00001,财政局,\nv2,苏F00002,财政局,2026-01-01\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_csv_as_offices_save_it(encoding: str, newline: str) -> None:
    found = rows(CSV.replace("\n", newline), encoding=encoding)
    assert [r.number for r in found] == [2, 3]
    first, second = bulk.validate_rows("vehicles", found)
    assert isinstance(first, Vehicle)
    assert (first.plate, first.organisation, first.disposed_on) == ("苏F00001", "财政局", None)
    assert isinstance(second, Vehicle)
    assert second.disposed_on is not None


@pytest.mark.parametrize("mark", [";", "\t"])
def test_other_marks_between_the_cells(mark: str) -> None:
    first, second = bulk.validate_rows("vehicles", rows(CSV.replace(",", mark)))
    assert (first, second) == tuple(bulk.validate_rows("vehicles", rows(CSV)))
    (card,) = bulk.validate_rows(
        "fences",
        rows(
            mark.join(["编号", "名称", "单位", "坐标系", "几何", "生效时间", "车辆"])
            + "\n"
            + mark.join(["F1", "院", "o", "wgs84", SQUARE_CELL, "2026-01-01T00:00:00+08:00", '"v1;v2"']),
            "fences",
        ),
    )
    assert card.vehicles == ["v1", "v2"]  # type: ignore[attr-defined]


def test_chinese_headers() -> None:
    (record,) = bulk.validate_rows("vehicles", rows("编号,车牌号,单位\nv1,苏F00001,o\n"))
    assert record.id == "v1"
    for kind, names in ((name, kind.headers) for name, kind in KINDS.items()):
        assert set(names.values()) == set(KINDS[kind].model.model_fields)


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        ("id,plate,organisation,colour\n", "colour", "未知列：colour"),
        ("id,plate,organisation,\n", "", "未知列"),
        ("id,plate\n", "organisation", "缺少列"),
        ("id,plate,organisation,plate\n", "plate", "出现多次"),
        ("", "id", "缺少列"),
        ('id,plate,organisation\nv1,"苏F1"x,o\n', "", "CSV"),
    ],
)
def test_wrong_columns_are_named(text: str, field: str, says: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        rows(text)
    assert caught.value.flaws[0].field == field
    assert says in caught.value.message


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(UnreadableError, match="第 4 个字节"):
        decoded(b"abc\xff\xff")
    with pytest.raises(UnreadableError, match="UTF-16"):
        decoded("编号".encode("utf-16"))
    with pytest.raises(UnreadableError, match="GBK"):
        decoded(b"a", "latin-1")


def test_every_flawed_row_is_named() -> None:
    text = "id,plate,organisation,energy\nv1,苏F1,o,petrol\nv1,苏F2,o,\nv3,,o,\nv4,苏F4,o,coal\nv5,苏F5\n\nv7,苏F7,o,\n"
    with pytest.raises(bulk.ImportRefusedError) as caught:
        bulk.validate_rows("vehicles", rows(text))
    assert [(f.row, f.field) for f in caught.value.flaws] == [(3, "id"), (4, "plate"), (5, "energy"), (6, "")]
    assert "第 2 行" in caught.value.flaws[0].message


def test_flaws_are_bounded_but_counted() -> None:
    text = "id,plate,organisation\n" + "v,,o\n" * 500
    with pytest.raises(bulk.ImportRefusedError) as caught:
        bulk.validate_rows("vehicles", rows(text))
    assert len(caught.value.flaws) == bulk.MAX_FLAWS
    assert caught.value.total == 500


def test_rows_are_bounded() -> None:
    text = "id,name\n" + "".join(f"o{i},x\n" for i in range(bulk.MAX_ROWS + 1))
    with pytest.raises(UnreadableError, match=str(bulk.MAX_ROWS)):
        rows(text, "organisations")


def test_json_forms() -> None:
    one = {"id": "o1", "name": "一"}
    assert len(rows(json.dumps([one, one]), "organisations", "json")) == 2
    lines = rows(json.dumps(one) + "\n\n{bad\n7\n", "organisations", "ndjson")
    assert [(r.number, bool(r.flaws)) for r in lines] == [(1, False), (3, True), (4, True)]
    for text in ("{}", "nonsense", "[", '["\\ud800"]', "[NaN]"):
        with pytest.raises(UnreadableError):
            rows(text, "organisations", "json")


def test_nested_cells() -> None:
    geometry = json.dumps({"type": "Polygon", "coordinates": [SQUARE]}).replace('"', '""')
    text = f'id,name,organisation,vehicles,datum,geometry\nf1,场,o,v2；v1;v2,wgs84,"{geometry}"\n'
    (record,) = bulk.validate_rows("fences", rows(text, "fences"))
    assert isinstance(record, Fence)
    assert record.vehicles == ["v1", "v2"]
    with pytest.raises(bulk.ImportRefusedError) as caught:
        bulk.validate_rows("fences", rows(text.replace('""type""', "type"), "fences"))
    assert [(f.row, f.field) for f in caught.value.flaws] == [(2, "geometry")]


@given(st.binary(max_size=400), st.sampled_from(["csv", "json", "ndjson"]), st.sampled_from(sorted(KINDS)))
def test_any_bytes_give_records_or_a_refusal(data: bytes, form: bulk.Format, kind: str) -> None:
    found: list[Flaw] = []
    try:
        records = bulk.validate_rows(kind, bulk.read_rows(kind, data, form))
    except RefusedError as error:
        found, records = error.flaws, []
    assert found or all(record.id for record in records)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.data(), st.sampled_from(sorted(KINDS)))
def test_any_json_gives_a_record_or_flaws(data: st.DataObject, kind: str) -> None:
    names = sorted(KINDS[kind].model.model_fields)
    values = data.draw(st.dictionaries(st.sampled_from(names), JSON))
    if kind == "fences":
        values["geometry"] = {
            "type": data.draw(st.sampled_from(["Polygon", "MultiPolygon"])),
            "coordinates": data.draw(JSON),
        }
    found: list[Flaw] = []
    try:
        KINDS[kind].model.model_validate(values)
    except ValidationError as error:
        found = explain(error)
    assert all(f.message and len(f.message) <= 300 for f in found)


# --- bindings

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def at(day: int) -> datetime:
    return T0 + timedelta(days=day)


def test_a_new_binding_closes_those_of_both() -> None:
    plan = BindingPlan()
    assert plan.bind(1, 10, at(0)) == {10: at(0)}
    assert plan.bind(2, 11, at(0)) == {11: at(0)}
    assert plan.bind(1, 11, at(5)) == {10: at(5), 11: at(5)}  # terminal 1 moves to vehicle 11, whose own goes
    assert plan.all() == {
        Binding(1, 10, at(0), at(5)),
        Binding(2, 11, at(0), at(5)),
        Binding(1, 11, at(5), None),
    }
    assert plan.bind(1, 11, at(5)) == {}
    assert plan.bind(1, 10, at(2)) == {}
    assert plan.bind(1, None, at(6)) == {11: at(6)}
    assert plan.bind(1, None, at(7)) == {}


def test_a_binding_known_too_late_is_extended_back() -> None:
    plan = BindingPlan([Binding(1, 10, at(5), at(9))])
    assert plan.bind(1, 10, at(1)) == {10: at(1)}
    assert plan.all() == {Binding(1, 10, at(1), at(9))}


def test_a_terminal_beside_another_leaves_it_where_it_is() -> None:
    plan = BindingPlan()
    plan.bind(1, 10, at(0))
    assert plan.bind(2, 10, at(3), beside=True) == {10: at(3)}
    assert plan.all() == {Binding(1, 10, at(0), None), Binding(2, 10, at(3), None)}
    # A third one takes the place of both.
    assert plan.bind(3, 10, at(6)) == {10: at(6)}
    assert plan.all() == {
        Binding(1, 10, at(0), at(6)),
        Binding(2, 10, at(3), at(6)),
        Binding(3, 10, at(6), None),
    }


def test_history_is_entered_before_what_is_known() -> None:
    plan = BindingPlan([Binding(1, 10, at(5), None)])
    plan.bind(1, 11, at(1))
    assert plan.all() == {Binding(1, 11, at(1), at(5)), Binding(1, 10, at(5), None)}


STEPS = st.lists(
    st.tuples(st.integers(1, 3), st.none() | st.integers(10, 12), st.integers(0, 12)), max_size=14
)


@given(STEPS)
def test_bindings_never_overlap_and_repeats_change_nothing(steps: list[tuple[int, int | None, int]]) -> None:
    plan = BindingPlan()
    for terminal, vehicle, day in steps:
        before = plan.all()
        touched = plan.bind(terminal, vehicle, at(day))
        after = plan.all()
        assert (before == after) == (not touched)
        assert all(since == at(day) for since in touched.values())
        # Who sat where differs from before only from that day on, and only for the vehicles named.
        for t in range(1, 4):
            for d in range(13):
                then = {b.vehicle for b in before if b.terminal == t and b.covers(at(d))}
                now = {b.vehicle for b in after if b.terminal == t and b.covers(at(d))}
                assert then == now or (d >= day and then ^ now <= touched.keys())
        assert [b.vehicle for b in after if b.terminal == terminal and b.covers(at(day))] == (
            [vehicle] if vehicle else []
        )
        assert plan.bind(terminal, vehicle, at(day)) == {}
        for key in ("terminal", "vehicle"):
            for group in {getattr(b, key) for b in after}:
                spans = sorted((b for b in after if getattr(b, key) == group), key=lambda b: b.since)
                for one, two in pairwise(spans):
                    assert one.until is not None
                    assert one.until <= two.since
