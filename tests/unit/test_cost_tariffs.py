"""Five real price lists, each to the 分: every number below is worked out by hand from the wording of the list (office.md, section 3)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from office.costs.kinds import CostKind
from office.costs.tariff import TripFacts, UnpricedError, class_of, price
from office.costs.terms import TariffTerms

MIN, HOUR = 60, 3600


def tariff(classes: dict[str, dict[str, Any]], **more: Any) -> TariffTerms:
    """Classes by code, each with its line; the last class takes all vehicles."""
    *named, last = classes
    return TariffTerms.model_validate(
        {
            "name": "test",
            "classes": [*({"code": code, "name": code, "categories": [code]} for code in named), {"code": last, "name": last}],
            "lines": [line | {"vehicle_class": code} for code, line in classes.items()],
        }
        | more
    )  # fmt: skip


def cost(terms: TariffTerms, vehicle_class: str, km: float = 0, seconds: int = 0, **more: Any) -> int:
    return price(
        terms, TripFacts(vehicle_class, more.pop("area", "city"), round(km * 1000), seconds, **more)
    ).total_fen


# --- Guilin university fleet: car 1.8 元/km up to 50 km, 1.6 beyond; MPV 2.5; minibus 4, coach 6; waiting beyond 30 min: each 30 min = 5 km; short
# trip = 60 km flat; minibus 600, coach 800 元/台班; driver's meals 100 a day outside.


def _guilin() -> TariffTerms:
    wait = {"free_min": 30, "step_min": 30, "partial": "down", "km_per_step": 5}

    def line(bands: list[dict[str, Any]], shift: int | None) -> dict[str, Any]:
        distance = {"bands": bands}
        products: list[dict[str, Any]] = [
            {"code": "km", "name": "按公里", "distance": distance, "waiting": wait},
            {"code": "short", "name": "短途", "fixed_km": 60, "distance": distance},
        ]
        if shift:
            products.append({"code": "shift", "name": "台班", "unit": "given", "base_fen": shift})
        return {"products": products, "default_product": "km", "driver_out_fen": 100_00}

    return tariff(
        {
            "car": line([{"to_km": 50, "fen_per_km": 180}, {"fen_per_km": 160}], None),
            "mpv": line([{"fen_per_km": 250}], None),
            "minibus": line([{"fen_per_km": 400}], 600_00),
            "coach": line([{"fen_per_km": 600}], 800_00),
        }
    )


@pytest.mark.parametrize(
    ("vehicle_class", "km", "more", "fen"),
    [
        ("car", 0, {}, 0),
        ("car", 49.999, {}, 89_99 + 1),  # 49.999 x 1.8 = 89.9982
        ("car", 50, {}, 90_00),  # exactly 50 km: all at 1.8
        ("car", 51, {}, 91_60),
        ("car", 120.5, {}, 202_80),  # 90 + 70.5 x 1.6
        ("mpv", 50, {}, 125_00),
        ("minibus", 33.3, {}, 133_20),
        ("coach", 100, {}, 600_00),
        ("car", 40, {"waiting_s": 30 * MIN}, 72_00),  # exactly 30 min of waiting: nothing
        ("car", 40, {"waiting_s": 59 * MIN + 59}, 72_00),  # no whole 30 min beyond them
        ("car", 40, {"waiting_s": 60 * MIN}, 81_00),  # + 5 km
        ("car", 48, {"waiting_s": 90 * MIN}, 102_80),  # 58 km: 50 x 1.8 + 8 x 1.6
        ("car", 12, {"product": "short"}, 106_00),  # 60 km: 90 + 16
        ("coach", 12, {"product": "short"}, 360_00),
        ("minibus", 300, {"product": "shift", "count": 1}, 600_00),
        ("coach", 300, {"product": "shift", "count": 3}, 2400_00),
        ("car", 400, {"days_outside": 2}, 850_00),  # 90 + 350 x 1.6 = 650, + 2 x 100
    ],
)
def test_guilin(vehicle_class: str, km: float, more: dict[str, Any], fen: int) -> None:
    assert cost(_guilin(), vehicle_class, km, **more) == fen


# --- Qingdao: 2.10 元/km; 262 a day (up to 100 km, 10 h), 130 half a day; waiting 31.5/h by half hours; beyond 10 h 55.44/h; holidays 150 %.


def _qingdao() -> TariffTerms:
    per_km = [{"fen_per_km": 210}]
    wait = {"step_min": 30, "fen_per_step": 15_75}
    over = {"step_min": 60, "fen_per_step": 55_44}
    products = [
        {"code": "km", "name": "按公里", "distance": {"bands": per_km}, "waiting": wait},
        {"code": "day", "name": "全日", "base_fen": 262_00, "distance": {"included_km": 100, "bands": per_km}, "time": over | {"free_min": 600}},
        {"code": "half", "name": "半日", "base_fen": 130_00, "distance": {"included_km": 50, "bands": per_km}, "time": over | {"free_min": 300}},
    ]  # fmt: skip
    return tariff({"car": {"products": products, "default_product": "km"}}, holiday_permille=1500)


@pytest.mark.parametrize(
    ("km", "seconds", "more", "fen"),
    [
        (35.7, HOUR, {}, 74_97),
        (10, HOUR, {"waiting_s": HOUR}, 52_50),  # 21 + 31.5
        (10, HOUR, {"waiting_s": 30 * MIN}, 36_75),
        (10, HOUR, {"waiting_s": 30 * MIN + 1}, 52_50),  # by half hours: one that has begun counts
        (100, 10 * HOUR, {"product": "day"}, 262_00),  # exactly 100 km, 10 h
        (101, 10 * HOUR, {"product": "day"}, 264_10),
        (100, 10 * HOUR + 1, {"product": "day"}, 317_44),
        (150, 12 * HOUR, {"product": "day"}, 477_88),  # 262 + 50 x 2.1 + 2 x 55.44
        (50, 4 * HOUR, {"product": "half"}, 130_00),
        (100, 10 * HOUR, {"product": "day", "holiday": True}, 393_00),
        (150, 12 * HOUR, {"product": "day", "holiday": True}, 716_82),
        (0.5, HOUR, {"holiday": True}, 1_58),  # 1.05 x 1.5 = 1.575
    ],
)
def test_qingdao(km: float, seconds: int, more: dict[str, Any], fen: int) -> None:
    assert cost(_qingdao(), "car", km, seconds, **more) == fen


def test_a_holiday_that_nobody_has_published_is_not_guessed() -> None:
    with pytest.raises(UnpricedError, match=r"尚未公布.* · "):
        cost(_qingdao(), "car", 10, HOUR, holiday=None)
    assert cost(_guilin(), "car", 10, HOUR, holiday=None) == 18_00  # where it makes no difference


# --- Guangxi college, ceilings, all in: 5 seats 500 a day up to 100 km, else 5/km; 7 seats 600 or 5.9; 9-19: 900 or 8; 20-39: 1,200 or 9;
# 40-59: 1,400 or 12; times (1 - discount).


def _guangxi(discount: int = 0) -> TariffTerms:
    def line(day: int, per_km: int) -> dict[str, Any]:
        bands = [{"to_km": 100, "flat_fen": day}, {"fen_per_km": per_km, "counts": "all"}]
        product = {
            "code": "day",
            "name": "全日",
            "unit": "days",
            "distance": {"method": "last", "bands": bands},
        }
        return {"products": [product], "default_product": "day"}

    return tariff(
        {
            "seats5": line(500_00, 500), "seats7": line(600_00, 590), "seats9": line(900_00, 800), "seats20": line(1200_00, 900),
            "seats40": line(1400_00, 1200),
        },
        discount_permille=discount,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("vehicle_class", "km", "days", "discount", "fen"),
    [
        ("seats5", 3, 1, 0, 500_00),
        ("seats5", 100, 1, 0, 500_00),
        ("seats5", 101, 1, 0, 505_00),
        ("seats7", 100, 1, 0, 600_00),
        ("seats7", 101, 1, 0, 595_90),  # as it is written: beyond 100 km 5.9 for every km
        ("seats9", 250, 1, 0, 2000_00),
        ("seats20", 133.4, 1, 0, 1200_60),
        ("seats40", 300, 1, 0, 3600_00),
        ("seats5", 180, 2, 0, 1000_00),  # two days: up to 200 km
        ("seats5", 210, 2, 0, 1050_00),
        ("seats5", 101, 1, 120, 444_40),  # 505 x 0.88
        ("seats7", 101, 1, 155, 503_54),  # 595.90 x 0.845 = 503.5355; the discount, 92.3645, is 92.36
    ],
)
def test_guangxi(vehicle_class: str, km: float, days: int, discount: int, fen: int) -> None:
    assert cost(_guangxi(discount), vehicle_class, km, days=days) == fen


# --- Shanxi Normal University: a trip 60, airport 120, half a day 260 (from 3 h), a day 450 (from 6 h); 350 up to 100 km, 550 up to 200 km, then
# + 1.5/km; + 250 or 450 for a night.


def _shanxi() -> TariffTerms:
    bands = [
        {"to_km": 100, "flat_fen": 350_00},
        {"to_km": 200, "flat_fen": 550_00},
        {"flat_fen": 550_00, "fen_per_km": 150},
    ]
    products = [
        {"code": "trip", "name": "按次", "base_fen": 60_00, "from_min": 0},
        {"code": "half", "name": "半日", "base_fen": 260_00, "from_min": 180},
        {"code": "day", "name": "全日", "base_fen": 450_00, "from_min": 360},
        {"code": "airport", "name": "机场", "base_fen": 120_00},
        {"code": "far", "name": "长途", "distance": {"method": "last", "bands": bands}},
    ]
    return tariff(
        {
            "car": {"products": products, "overnight_fen": 250_00},
            "large": {"products": products, "overnight_fen": 450_00},
        }
    )


@pytest.mark.parametrize(
    ("km", "seconds", "more", "fen"),
    [
        (8, HOUR, {}, 60_00),
        (8, 3 * HOUR - 1, {}, 60_00),
        (8, 3 * HOUR, {}, 260_00),  # exactly 3 h: half a day
        (60, 6 * HOUR - 1, {}, 260_00),
        (60, 6 * HOUR, {}, 450_00),
        (20, HOUR, {"product": "airport"}, 120_00),
        (100, 5 * HOUR, {"product": "far"}, 350_00),
        (100.001, 5 * HOUR, {"product": "far"}, 550_00),
        (200, 5 * HOUR, {"product": "far"}, 550_00),
        (201, 5 * HOUR, {"product": "far"}, 551_50),
        (260, 30 * HOUR, {"product": "far", "overnights": 1}, 890_00),  # 550 + 60 x 1.5 + 250
        (260, 54 * HOUR, {"product": "far", "overnights": 2}, 1140_00),
    ],
)
def test_shanxi(km: float, seconds: int, more: dict[str, Any], fen: int) -> None:
    assert cost(_shanxi(), "car", km, seconds, **more) == fen


def test_shanxi_a_night_of_the_other_class() -> None:
    assert cost(_shanxi(), "large", 90, 26 * HOUR, product="far", overnights=1) == 800_00


# --- Yinan, time-share: 0.3 元 a minute, 15 an hour.


@pytest.mark.parametrize(
    ("seconds", "fen"),
    [(0, 0), (1, 30), (60, 30), (61, 60), (49 * MIN, 14_70), (50 * MIN, 15_00), (55 * MIN, 15_00), (60 * MIN, 15_00), (61 * MIN, 15_30), (110 * MIN, 30_00), (10 * HOUR, 150_00)],
)  # fmt: skip
def test_yinan(seconds: int, fen: int) -> None:
    time = {"step_min": 1, "fen_per_step": 30, "cap_min": 60, "cap_fen": 15_00}
    terms = tariff({"car": {"products": [{"code": "minute", "name": "按时", "time": time}], "default_product": "minute"}})  # fmt: skip
    assert cost(terms, "car", 0, seconds) == fen


# --- rounding, what is passed through, what is not known


def test_km_and_sum_are_rounded_as_the_tariff_says_and_what_was_paid_on_the_way_is_not() -> None:
    line = {"products": [{"code": "km", "name": "按公里", "distance": {"bands": [{"fen_per_km": 183}]}}], "default_product": "km"}  # fmt: skip
    paid = {CostKind.TOLL: 35_37, CostKind.PARKING: 5_00}
    by = {
        "km": {"unit_m": 1000, "mode": "up"},
        "rounding": {"unit_fen": 100, "mode": "down"},
        "pass_through": ["toll"],
    }
    found = price(tariff({"car": line}, **by), TripFacts("car", "city", 10_001, HOUR, passed=paid))
    # 11 km x 1.83 = 20.13 -> 20; the toll as it was, the parking not at all
    assert [(charge.code, charge.amount_fen) for charge in found.charges] == [("distance", 2013), ("rounding", -13), ("passed_toll", 3537)]  # fmt: skip
    assert found.total_fen == 55_37


def test_what_is_lacking_is_said() -> None:
    for facts, said in (
        (TripFacts("bus", "city", 1, 1), "没有车型"),
        (TripFacts("car", "city", None, 1), "没有可用的里程"),
        (TripFacts("car", "city", 1, 1, product="night"), "没有产品 night"),
        (TripFacts("coach", "city", 1, 1, product="shift"), "须写明数量"),
    ):
        with pytest.raises(UnpricedError, match=rf"{said}.* · "):
            price(_guilin(), facts)


def test_the_class_of_a_vehicle_is_the_first_that_fits() -> None:
    terms = _guilin()
    assert class_of(terms, "v1", "mpv").code == "mpv"
    assert class_of(terms, "v1", "").code == "coach"


PRODUCT = {"code": "km", "name": "按公里", "distance": {"bands": [{"fen_per_km": 200}]}}
LINE: dict[str, Any] = {"vehicle_class": "car", "products": [PRODUCT], "default_product": "km"}
CAR: dict[str, Any] = {"code": "car", "name": "轿车"}


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"lines": [LINE | {"products": []}]}, "没有产品"),
        ({"lines": []}, "没有价格，请补上"),
        ({"lines": [LINE | {"areas": ["city"]}]}, "在“保障半径内”没有价格"),
        ({"lines": [LINE, LINE | {"areas": ["city"]}]}, "在“市内”有两种价格"),
        ({"classes": [CAR, {"code": "bus", "name": "大巴"}]}, "须排在最后"),
        ({"classes": [CAR | {"categories": ["轿车"]}]}, "有的车辆没有车型"),
        ({"lines": [LINE | {"default_product": None}]}, "没有写明一般用哪个产品"),
        ({"lines": [LINE | {"default_product": "day"}]}, "不在产品之列"),
        ({"lines": [LINE | {"products": [PRODUCT, PRODUCT]}]}, "写了两次"),
        ({"lines": [LINE | {"products": [PRODUCT | {"distance": {"bands": [{"to_km": 50, "fen_per_km": 1}]}}]}]}, "超过 50 公里没有价格"),
        ({"lines": [LINE | {"products": [PRODUCT | {"distance": {"bands": [{"to_km": 50}, {"to_km": 40}, {}]}}]}]}, "里程段须依次递增"),
        ({"lines": [LINE | {"products": [{"code": "km", "name": "按公里"}]}]}, "没有任何价格"),
        ({"lines": [LINE | {"products": [PRODUCT | {"time": {"step_min": 30}}]}]}, "二者取一"),
        ({"pass_through": ["fuel"]}, "不是途中费用"),
    ],
)  # fmt: skip
def test_a_tariff_with_a_gap_is_refused_with_a_sentence(given_: dict[str, Any], said: str) -> None:
    good = {"name": "x", "classes": [CAR], "lines": [LINE]}
    TariffTerms.model_validate(good)
    with pytest.raises(ValidationError) as caught:
        TariffTerms.model_validate(good | given_)
    assert said in str(caught.value)
    assert " · " in str(caught.value)


@given(km=st.integers(0, 2_000_000), more=st.integers(0, 50_000), seconds=st.integers(0, 40 * HOUR))
def test_more_km_and_more_time_never_cost_less_where_bands_add_up(km: int, more: int, seconds: int) -> None:
    for terms, product in ((_guilin(), "km"), (_qingdao(), "day"), (_shanxi(), "far")):
        one = price(terms, TripFacts("car", "city", km, seconds, product=product)).total_fen
        assert price(terms, TripFacts("car", "city", km + more, seconds, product=product)).total_fen >= one
        assert price(terms, TripFacts("car", "city", km, seconds + more, product=product)).total_fen >= one
