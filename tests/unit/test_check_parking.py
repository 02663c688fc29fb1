"""parking: over night outside its place; and the orders, shops, seals, silences and late returns that accuse nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.parameters import RULES
from rules import evidence as frozen
from rules.checks import parking
from rules.checks.base import Outcome
from tests.examples import examples
from tests.words import said

S = 1_000_000
MIN, HOUR = 60, 3600
DAY = 20_517 * 86_400 * S - 8 * HOUR * S  # 2026-03-05 in China
PARAMETERS = {p.name: p.default for p in RULES["parking"] if p.name != "settle_after_h"}
LAT, LON = 29.5, 106.5
YARD = shapely.box(LON - 0.001, LAT - 0.0009, LON + 0.001, LAT + 0.0009)  # about 100 m to the north

#: Hour of the day on which the night begins (24 = midnight), metres north of the yard's middle, speed in 0.1 km/h.
Fix = tuple[float, float, int]


def stand(from_h: float, to_h: float, metres: float = 0, *, every_min: float = 30) -> list[Fix]:
    return [(float(h), metres, 0) for h in np.arange(from_h, to_h, every_min / 60)]


def order(from_h: float, to_h: float, task_type: str = "official") -> Any:
    return {"id": "P1", "version": 1, "task_type": task_type, "from_us": hour(from_h), "to_us": hour(to_h)}


def excuse(from_h: float, to_h: float, kind: str) -> Any:
    return {"kind": kind, "id": "W1", "from_us": hour(from_h), "to_us": hour(to_h)}


def hour(h: float) -> int:
    return DAY + round(h * HOUR * S)


def make(
    points: Sequence[Fix], *, orders: Sequence[Any] = (), excuses: Sequence[Any] = (), fence: bool = True, odometer: int | None = None,
    **parameters: int,
) -> Any:  # fmt: skip
    a = np.array(points, float).reshape(-1, 3)
    n = len(a)
    columns = {
        "t_us": DAY + np.rint(a[:, 0] * HOUR * S).astype(np.int64), "fingerprint": np.arange(n),
        "lat_e6": round(LAT * 1e6) + np.rint(a[:, 1] * 9.0205).astype(np.int64), "lon_e6": np.full(n, round(LON * 1e6)),
        "speed_dkmh": a[:, 2].astype(np.int64), "direction_deg": np.zeros(n, np.int64),
        "odometer_dkm": np.full(n, -1 if odometer is None else odometer),
    }  # fmt: skip
    area = {
        "fences": [{"id": "F1", "version": 1, "name": "院"}],
        "wkb": shapely.to_wkb(YARD, hex=True, byte_order=1),
        "from_us": 0,
        "to_us": 1 << 60,
    }
    return {
        "rule": "parking", "rule_version": 1, "subject": parking.subject("V1", "2026-03-05"),
        "vehicle": {"no": 1, "id": "V1", "plate": "渝A12345", "organisation": "O1"}, "night": "2026-03-05", "day_us": DAY,
        "parameters": PARAMETERS | parameters, "orders": list(orders), "excuses": list(excuses), "fences": [area] if fence else [],
        "track": frozen.freeze_track(columns),
    }  # fmt: skip


OUT = stand(21, 31, 5000)
CASES: list[tuple[str, Any, tuple[str, str]]] = [
    ("in its yard", make(stand(21, 31)), ("normal", "inside")),
    ("at somebody's home", make(OUT), ("suspected", "outside")),
    ("four hours exactly", make([*stand(21, 25), *stand(25, 29, 5000), (29.0, 5000, 0)]), ("suspected", "outside")),
    ("a second less", make([*stand(21, 25), (25 + 1 / 3600, 5000, 0), *stand(25.5, 29, 5000), (29.0, 5000, 0)]), ("normal", "short")),
    ("only before and after the night", make([*stand(20, 23, 5000), *stand(23, 29), *stand(29, 32, 5000)]), ("normal", "inside")),
    ("home at two in the morning", make([*stand(20, 26, 5000), *stand(26, 31)]), ("normal", "short")),
    ("an overnight order", make(OUT, orders=[order(9, 40)]), ("normal", "ordered")),
    ("a repair order", make(OUT, orders=[order(9, 40, "repair")]), ("normal", "ordered")),
    ("an order until one in the morning", make(OUT, orders=[order(9, 25)]), ("suspected", "outside")),
    ("an order until two", make(OUT, orders=[order(9, 26)]), ("normal", "ordered")),
    ("two orders, not counted twice", make(OUT, orders=[order(9, 24.5), order(9, 24)]), ("suspected", "outside")),
    ("in the repair shop", make(OUT, excuses=[excuse(9, 60, "workshop")]), ("normal", "excused")),
    ("sealed elsewhere", make(OUT, excuses=[excuse(0, 60, "sealed")]), ("normal", "excused")),
    ("at the roadside beside the yard", make(stand(21, 31, 290)), ("normal", "inside")),
    ("beyond the margin", make(stand(21, 31, 310)), ("suspected", "outside")),
    ("driving all night", make([(20 + k / 30, 5000 + 400 * k, 600) for k in range(300)]), ("normal", "short")),
    ("moved on every hour", make([p for k in range(10) for p in stand(21 + k, 22 + k, 5000 + 3000 * k)]), ("normal", "short")),
    ("off from eleven to five", make([*stand(20, 23.4, 5000), *stand(28.9, 31, 5000)]), ("undetermined", "gaps")),
    ("off, and the odometer stood", make([*stand(20, 23.4, 5000), *stand(28.9, 31, 5000)], odometer=777), ("suspected", "outside")),
    ("seen in the evening only", make(stand(20, 22, 5000)), ("undetermined", "no_track")),
    ("no area was drawn", make(OUT, fence=False), ("undetermined", "no_fence")),
    ("its unit's night is longer", make([*stand(18, 23.6, 5000), *stand(23.6, 31)], night_from_min=19 * 60), ("suspected", "outside")),
]  # fmt: skip


@pytest.mark.parametrize(("evidence", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_cases(evidence: Any, expected: tuple[str, str]) -> None:
    made = parking.evaluate(evidence)
    assert (made.outcome.value, made.reason) == expected
    assert "渝A12345" in said(made)


def test_what_is_said() -> None:
    made = parking.evaluate(make(OUT))
    assert (made.from_us, made.to_us) == (hour(23), hour(29))
    assert (
        said(made)
        == "疑似停放异常：渝A12345 2026-03-05 夜间（2026-03-05 23:00 至 2026-03-06 05:00）停放在停放区域 4,899 米以外，无派车单 6 小时 0 分。"
    )


#: (hour, kilometres from the yard) of stands one after the other, for properties.
STANDS = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 6)), min_size=1, max_size=4)


def stood(stands: Sequence[tuple[int, int]]) -> list[Fix]:
    points, at = [], 21.0
    for hours, far in stands:
        points += stand(at, at + hours, 1000 * far)
        at += hours
    return points


@given(stands=STANDS, begin=st.integers(18, 30), length=st.integers(0, 12))
@settings(max_examples=examples(50), deadline=None)
def test_an_order_never_accuses_and_the_yard_is_no_place_elsewhere(
    stands: list[tuple[int, int]], begin: int, length: int
) -> None:
    bare = parking.evaluate(make(stood(stands)))
    covered = parking.evaluate(make(stood(stands), orders=[order(begin, begin + length)]))
    assert not (covered.outcome is Outcome.SUSPECTED and bare.outcome is not Outcome.SUSPECTED)
    if all(far == 0 for _, far in stands):
        assert bare.outcome is not Outcome.SUSPECTED
    if bare.outcome is Outcome.SUSPECTED:
        assert bare.measures["stood_s"]["value"] >= 240 * 60
