"""Classes of quota and the standard of what they may have: each limit exactly, and what accuses nobody."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from registry.licences import Body
from registry.parameters import QUOTA, RULES
from registry.standards import QuotaClass, Tier, body_of, class_of, judge

LIMITS = {each.name: each.default for each in RULES[QUOTA]}
DAY = date(2020, 5, 1)
C, T, B = QuotaClass, Tier, Body
#: class, tier, body, energy, price in yuan, ml -> above, missing
CASES = [
    (C.CONFIDENTIAL, T.BASE, B.CAR, "petrol", 120_000, 1600, (), ()),
    (C.CONFIDENTIAL, T.BASE, B.CAR, "petrol", 120_000.01, 1600, ("price",), ()),
    (C.CONFIDENTIAL, T.BASE, B.CAR, "petrol", 120_000, 1601, ("displacement",), ()),
    (C.EMERGENCY, T.BASE, B.CAR, "petrol", 180_000, 1800, (), ()),
    (C.EMERGENCY, T.BASE, B.CAR, "diesel", 180_001, 1999, ("price", "displacement"), ()),
    (C.EMERGENCY, T.BASE, B.MEDIUM_BUS, "diesel", 180_000, 1800, ("body",), ()),
    (C.EMERGENCY, T.SPECIAL_CASE, B.MEDIUM_BUS, "diesel", 250_000, 3000, (), ()),
    (C.EMERGENCY, T.SPECIAL_CASE, B.CAR, "petrol", 250_000.01, 3001, ("price", "displacement"), ()),
    (C.OTHER, T.SPECIAL_CASE, B.LARGE_BUS, "diesel", 450_000, 6700, (), ()),
    (C.OTHER, T.SPECIAL_CASE, B.LARGE_BUS, "diesel", 450_001, None, ("price",), ()),
    (C.ENFORCEMENT, T.BASE, B.CAR, "petrol", 120_001, 1800, ("price", "displacement"), ()),
    (C.ENFORCEMENT, T.NEED, B.CAR, "petrol", 180_000, 1800, (), ()),
    # Electric: no displacement, and the price of the new energies, which is that of all classes.
    (C.CONFIDENTIAL, T.BASE, B.CAR, "electric", 180_000, None, (), ()),
    (C.CONFIDENTIAL, T.BASE, B.CAR, "electric", 180_000.01, None, ("price",), ()),
    # A hybrid may be one of the new energies.
    (C.CONFIDENTIAL, T.BASE, B.CAR, "hybrid", 150_000, 1500, (), ("new_energy",)),
    (C.CONFIDENTIAL, T.BASE, B.CAR, "hybrid", 180_001, 1500, ("price",), ()),
    # What is not known accuses nobody; what is known does.
    (C.EMERGENCY, T.BASE, B.CAR, "petrol", None, 1800, (), ("price",)),
    (C.EMERGENCY, T.BASE, B.CAR, "petrol", None, 1801, ("displacement",), ("price",)),
    (C.EMERGENCY, T.BASE, B.CAR, "petrol", 1, None, (), ("displacement",)),
    (C.EMERGENCY, T.BASE, None, "petrol", 999_999, 9999, (), ("body",)),
    (None, T.BASE, B.CAR, "petrol", 999_999, 9999, (), ("quota_class",)),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_limit_is_exact(case: tuple[Any, ...]) -> None:
    quota_class, tier, body, energy, yuan, ml, above, missing = case
    found = judge(
        quota_class, tier, body, energy, None if yuan is None else round(yuan * 100), ml, DAY, LIMITS
    )
    assert (found.above, found.missing) == (above, missing)
    assert found.standing == ("above" if above else "unknown" if missing else "within")


def test_what_no_figure_stands_for_is_not_judged() -> None:
    dear = (99_999_999_99, 9999)
    for quota_class in (C.SPECIAL, C.GUARANTEED):
        assert judge(quota_class, T.BASE, B.CAR, "petrol", *dear, DAY, LIMITS).because == "no_figures"
    assert judge(C.OTHER, T.BASE, B.HEAVY_TRUCK, "diesel", *dear, DAY, LIMITS).because == "no_passenger_car"
    before = judge(C.OTHER, T.BASE, B.CAR, "petrol", *dear, date(2017, 12, 4), LIMITS)
    assert (before.standing, before.because) == ("not_judged", "earlier_standard")
    assert judge(C.OTHER, T.BASE, B.CAR, "petrol", *dear, date(2017, 12, 5), LIMITS).standing == "above"
    # Perhaps it was bought before; what is within is within by any.
    assert judge(C.OTHER, T.BASE, B.CAR, "petrol", *dear, None, LIMITS).missing == ("bought_on",)
    assert judge(C.OTHER, T.BASE, B.CAR, "petrol", 1, 1, None, LIMITS).standing == "within"


def test_categories_as_people_write_them() -> None:
    assert [class_of(name) for name in ("机要通信用车", "机要通信", "应急保障车", " 执法执勤用车 ", "特种专业技术用车", "其他")] == [
        C.CONFIDENTIAL, C.CONFIDENTIAL, C.EMERGENCY, C.ENFORCEMENT, C.SPECIAL, C.OTHER,
    ]  # fmt: skip
    assert [class_of(name) for name in ("", "用车", "领导专用", "救护车")] == [None] * 4
    assert (body_of(None, 9), body_of(None, 10), body_of(B.LARGE_BUS, 5)) == (B.CAR, None, B.LARGE_BUS)
