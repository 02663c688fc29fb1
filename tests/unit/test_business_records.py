"""Records of fuel, violations and calendar days, and the bindings of cards. No database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from registry import bulk
from registry.calendar import CalendarDay
from registry.decimals import exact_json
from registry.fuel_cards import BoundTwiceError, CardPlan, FuelCard, PlateBinding
from registry.records import KINDS
from registry.refusals import Flaw, explain
from registry.stations import FuelStation
from registry.transactions import FuelTransaction

SQUARE = [[120.89, 31.98], [120.892, 31.98], [120.892, 31.982], [120.89, 31.982], [120.89, 31.98]]
POINT = {"type": "Point", "coordinates": [120.89, 31.98]}
STATION = {"id": "s", "name": "人民路站"}
CARD = {"id": "c", "organisation": "o"}
FILL = {"id": "t", "card": "c", "at": "2026-03-02T08:05:09+08:00", "kind": "fill"}
VIOLATION = {"id": "v", "plate": "苏F12345", "at": "2026-03-02T08:05:00+08:00"}


def flaws(kind: str, values: dict[str, Any]) -> list[Flaw]:
    with pytest.raises(ValidationError) as caught:
        KINDS[kind].model.model_validate(values)
    return explain(caught.value)


def binding(plate: str, since: int, until: int | None = None) -> dict[str, Any]:
    days = {
        "valid_from": f"2026-01-{since:02}T00:00:00Z",
        "valid_to": until and f"2026-01-{until:02}T00:00:00Z",
    }
    return {"plate": plate} | days


@pytest.mark.parametrize(
    ("kind", "values", "pointer"),
    [
        ("fuel-stations", STATION | {"geometry": POINT}, "/datum"),
        ("fuel-stations", STATION | {"lat": 31.0, "lon": 120.0}, "/datum"),
        ("fuel-stations", STATION | {"lat": 31.0, "datum": "wgs84"}, "/lon"),
        ("fuel-stations", STATION | {"datum": "wgs84"}, "/datum"),
        ("fuel-stations", STATION | {"lat": 31.0, "lon": 120.0, "geometry": POINT, "datum": "wgs84"}, "/geometry"),
        ("fuel-stations", STATION | {"geometry": {"type": "Point", "coordinates": [31.98, 120.89]}, "datum": "wgs84"}, "/geometry/coordinates"),
        ("fuel-stations", STATION | {"geometry": {"type": "Point", "coordinates": ["a", 1]}, "datum": "wgs84"}, "/geometry/coordinates"),
        ("fuel-stations", STATION | {"geometry": {"type": "LineString", "coordinates": SQUARE}, "datum": "wgs84"}, "/geometry/type"),
        ("fuel-cards", CARD | {"plate": "苏F1"}, "/valid_from"),
        ("fuel-cards", CARD | {"opened_on": "2026-02-01", "closed_on": "2026-01-31"}, "/closed_on"),
        ("fuel-cards", CARD | {"bindings": [binding("苏F1", 5, 9), binding("苏F2", 8)]}, "/bindings/1"),
        ("fuel-cards", CARD | {"bindings": [binding("苏F2", 8), binding("苏F1", 5)]}, "/bindings/0"),
        ("fuel-cards", CARD | {"bindings": [binding("苏F1", 5, 5)]}, "/bindings/0/valid_to"),
        ("fuel-cards", CARD | {"bindings": [], "valid_from": "2026-01-01T00:00:00Z"}, "/bindings"),
        ("fuel-transactions", FILL | {"quantity": 45.32}, "/quantity"),
        ("fuel-transactions", FILL | {"kind": "fee", "quantity": "-1"}, "/quantity"),
        ("fuel-transactions", FILL | {"quantity": "45.3201"}, "/quantity"),
        ("fuel-transactions", FILL | {"quantity": "1000000000"}, "/quantity"),
        ("fuel-transactions", FILL | {"amount": "1.005"}, "/amount"),
        ("fuel-transactions", FILL | {"unit_price": "7.89001"}, "/unit_price"),
        ("fuel-transactions", FILL | {"kind": "加油"}, "/kind"),
        ("fuel-transactions", FILL | {"at": "2026-03-02T08:05:09"}, "/at"),
        ("violations", VIOLATION | {"fine": "-1"}, "/fine"),
        ("violations", VIOLATION | {"points": 1.5}, "/points"),
        ("violations", VIOLATION | {"status": "done"}, "/status"),
        ("calendar-days", {"id": "2026-02-30", "workday": True}, "/id"),
        ("calendar-days", {"id": "2026-02-28"}, "/workday"),
        ("calendar-days", {"id": "2026-02-28", "day": "2026-02-27", "workday": True}, ""),
    ],
)  # fmt: skip
def test_records_that_contradict_themselves(kind: str, values: dict[str, Any], pointer: str) -> None:
    found = flaws(kind, values)
    assert [f.pointer for f in found] == [pointer]
    assert "·" in found[0].message


def test_json_numbers_are_read_without_a_float() -> None:
    data = b'{"id":"t","card":"c","at":"2026-03-02T08:05:09+08:00","kind":"fill","quantity":45.320,"amount":-3.5E2,"balance":7}'
    made = FuelTransaction.model_validate(bulk.loads("fuel-transactions", data))
    assert (made.quantity, made.amount, made.balance) == (45320, -35000, 700)
    # A float would have rounded the last digit away, and said nothing.
    with pytest.raises(ValidationError):
        FuelTransaction.model_validate(
            bulk.loads("fuel-transactions", data.replace(b"45.320", b"45.3200000000000000001"))
        )
    for bad in (b"[1e-999999999999]", b"[1e300]", b"[" + b"9" * 60 + b"]"):
        (value,) = exact_json(bad)
        assert flaws("fuel-transactions", FILL | {"quantity": value})[0].pointer == "/quantity"
    for bad in (
        b"[NaN]",
        b"[1e999999999999999999999]",
        b'["\\ud800"]',
        b"[" * 1020 + b"]" * 1020,
        b"[" * 101 + b"]" * 101,
        b'{"a":' * 101 + b'"[\\"{"' + b"}" * 101,
        b"{",
        b"\xff",
    ):
        with pytest.raises(orjson.JSONDecodeError):
            exact_json(bad)
    for deep in (b"[" * 100 + b"]" * 100, b'["' + b"[" * 200 + b'\\"{"]', b"[" + b"[]," * 200 + b"{}]"):
        exact_json(deep)


def test_stations_without_coordinates_and_in_csv() -> None:
    assert FuelStation.model_validate(STATION).place is None
    text = "编号,名称,别名,经度,纬度,坐标系\ns1,甲,乙；丙;乙,120.89,31.98,gcj02\ns2,丁,,,,\n"
    first, second = bulk.validate_rows("fuel-stations", bulk.read_rows("fuel-stations", text.encode(), "csv"))
    assert isinstance(first, FuelStation)
    assert (first.aliases, first.place) == (["丙", "乙"], POINT)
    assert isinstance(second, FuelStation)
    assert second.place is None
    with pytest.raises(bulk.ImportRefusedError) as caught:
        bulk.validate_rows(
            "fuel-stations",
            bulk.read_rows("fuel-stations", text.replace("31.98,gcj02", "3l.98,").encode(), "csv"),
        )
    assert [(f.row, f.field) for f in caught.value.flaws] == [(2, "lat"), (2, "datum")]


def test_a_calendar_day_is_its_own_id() -> None:
    made = CalendarDay.model_validate({"day": "2026-10-01", "workday": False})
    assert (made.id, made.day.isoformat()) == ("2026-10-01", "2026-10-01")


# --- bindings of cards

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def at(day: int) -> datetime:
    return T0 + timedelta(days=day)


def test_a_card_moves_is_unbound_and_is_never_bound_twice() -> None:
    plan = CardPlan()
    plan.bind("苏F1", at(1))
    plan.bind("苏F2", at(5))
    plan.bind("苏F1", at(1))  # the first letter comes again
    assert plan.all() == [PlateBinding("苏F1", at(1), at(5)), PlateBinding("苏F2", at(5), None)]
    plan.bind(None, at(9))
    plan.bind(None, at(10))
    plan.bind("苏F1", at(12))
    plan.bind("苏F1", at(11))  # known from too late a time
    assert plan.all()[1:] == [PlateBinding("苏F2", at(5), at(9)), PlateBinding("苏F1", at(11), None)]
    for plate, day in (("苏F9", 5), ("苏F9", 3), ("苏F9", 11), (None, 2), (None, 11)):
        before = plan.all()
        with pytest.raises(BoundTwiceError, match="矛盾"):
            plan.bind(plate, at(day))
        assert plan.all() == before


STEPS = st.lists(st.tuples(st.none() | st.sampled_from(["苏F1", "苏F2"]), st.integers(0, 12)), max_size=14)


@given(STEPS)
def test_bindings_of_a_card_never_overlap_and_repeats_change_nothing(
    steps: list[tuple[str | None, int]],
) -> None:
    plan = CardPlan()
    for plate, day in steps:
        before = plan.all()
        try:
            plan.bind(plate, at(day))
        except BoundTwiceError:
            assert plan.all() == before
            continue
        after = plan.all()
        assert [b.plate for b in after if b.covers(at(day))] == ([plate] if plate else [])
        assert all(one.until is not None and one.until <= two.since for one, two in pairwise(after))
        assert all(b.until is None or b.since < b.until for b in after)
        for d in range(day):  # what was before stays as it was
            assert [b.plate for b in before if b.covers(at(d))] == [b.plate for b in after if b.covers(at(d))]
        plan.bind(plate, at(day))
        assert plan.all() == after


@given(st.permutations(range(4)))
def test_a_whole_history_may_come_in_any_order(order: list[int]) -> None:
    given_bindings = [binding(f"苏F{i}", 1 + 3 * i, 4 + 3 * i) for i in range(4)]
    made = FuelCard.model_validate(CARD | {"bindings": [given_bindings[i] for i in order]})
    assert made.bindings is not None
    assert [b.plate for b in made.bindings] == ["苏F0", "苏F1", "苏F2", "苏F3"]


def test_a_fill_of_a_negative_quantity_is_a_reversal() -> None:
    for quantity in ("-45.32", Decimal("-45.32")):
        made = KINDS["fuel-transactions"].model.model_validate(FILL | {"quantity": quantity})
        assert (made.kind, made.quantity) == ("reversal", 45_320)  # type: ignore[attr-defined]
    made = KINDS["fuel-transactions"].model.model_validate(FILL | {"kind": "reversal", "quantity": "-1"})
    assert (made.kind, made.quantity) == ("reversal", 1_000)  # type: ignore[attr-defined]


def test_a_rented_vehicle_needs_its_report_and_its_dates() -> None:
    def wrong(**fields: Any) -> list[str]:
        given = {"id": "v", "plate": "苏F1", "organisation": "o", "ownership": "rented"} | fields
        return [flaw.pointer for flaw in flaws("vehicles", given)]

    assert wrong() == ["/report", "/registered_on", "/disposed_on"]
    assert wrong(report="R1", registered_on="2026-01-01") == ["/disposed_on"]
    model = KINDS["vehicles"].model
    dates = {"report": "报备〔2026〕1号", "registered_on": "2026-01-01", "disposed_on": "2026-02-01"}
    rented = {"id": "v", "plate": "苏F1", "organisation": "o", "ownership": "rented"} | dates
    made = model.model_validate(rented | {"tank": "55.5"})
    assert (made.ownership, made.tank) == ("rented", 55_500)  # type: ignore[attr-defined]
    assert flaws("vehicles", rented | {"tank": "0"})[0].pointer == "/tank"


def test_the_place_of_a_violation_has_its_datum() -> None:
    model = KINDS["violations"].model
    assert [f.pointer for f in flaws("violations", VIOLATION | {"lat": 32.0, "lon": 120.9})] == ["/datum"]
    made: Any = model.model_validate(VIOLATION | {"lat": Decimal("32.0"), "lon": 120.9, "datum": "wgs84"})
    assert (made.lat_e6, made.lon_e6) == (32_000_000, 120_900_000)
    swapped = VIOLATION | {"lat": 120.9, "lon": 32.0, "datum": "gcj02"}
    assert "写反" in flaws("violations", swapped)[0].message
    assert model.model_validate(VIOLATION).lat_e6 is None  # type: ignore[attr-defined]
