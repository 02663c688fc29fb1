"""idle_rental: an own vehicle that stood while one was rented; and the drives, shops, silences and papers that accuse nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import shapely

from registry.parameters import RULES
from rules import evidence as frozen
from rules.checks import idle_rental
from tests.words import said

S, HOUR = 1_000_000, 3600
DAY = 20_517 * 86_400 * S - 8 * HOUR * S  # 2026-03-05 in China
PARAMETERS = {p.name: p.default for p in RULES["idle_rental"] if p.name != "settle_after_h"}
LAT, LON = 29.5, 106.5
YARD = shapely.box(LON - 0.001, LAT - 0.0009, LON + 0.001, LAT + 0.0009)  # about 100 m to the north

#: Hour of the day, metres north of the yard's middle, speed in 0.1 km/h.
Fix = tuple[float, float, int]


def stand(from_h: float, to_h: float, metres: float = 0, *, every_min: float = 30) -> list[Fix]:
    return [(float(h), metres, 0) for h in np.arange(from_h, to_h, every_min / 60)]


def promise(status: str = "approved", *, driven: bool = False) -> Any:
    return {"id": "P1", "version": 1, "status": status, "driven": driven}


def car(
    points: Sequence[Fix], *, orders: Sequence[Any] = (), excuse: str = "", fence: bool = True, odometer: int | None = None, number: int = 1
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
        "fences": [{"id": "F1", "version": 1, "name": "院"}], "wkb": shapely.to_wkb(YARD, hex=True, byte_order=1), "from_us": 0, "to_us": 1 << 60,
    }  # fmt: skip
    return {
        "vehicle": {"no": number, "id": f"V{number}", "plate": f"渝A1234{number}", "organisation": "O1"}, "reasons": ["taken"],
        "excuse": excuse, "orders": list(orders), "fences": [area] if fence else [], "track": frozen.freeze_track(columns),
    }  # fmt: skip


def make(*cars: Any, from_h: float = 8, to_h: float = 18, **parameters: int) -> Any:
    return {
        "rule": "idle_rental", "rule_version": 1, "subject": "rental:ZL-1",
        "vehicle": {"no": 99, "id": "ZL-1", "plate": "渝AT1234", "organisation": "O1"},
        "rental": {
            "id": "ZL-1", "number": "租〔2026〕pool-000001号", "organisation": "O1", "from_us": DAY + round(from_h * HOUR * S),
            "to_us": DAY + round(to_h * HOUR * S),
        },
        "cars": list(cars), "parameters": PARAMETERS | parameters,
    }  # fmt: skip


def judged(evidence: Any) -> tuple[str, str]:
    made = idle_rental.evaluate(evidence)
    said(made)
    return made.outcome.value, made.reason


ALL_DAY = stand(0, 30)
IDLE = make(car(ALL_DAY, orders=[promise()]))

CASES: dict[str, tuple[Any, tuple[str, str]]] = {
    "it stood all the time, kept by an order that nobody drove": (IDLE, ("suspected", "idle")),
    "it stood, and its order was cancelled": (make(car(ALL_DAY, orders=[promise("cancelled")])), ("suspected", "idle")),
    "over midnight": (make(car(ALL_DAY), from_h=20, to_h=29), ("suspected", "idle")),
    "one of two": (make(car([*ALL_DAY, (12.2, 900, 300)], number=2), car(ALL_DAY)), ("suspected", "idle")),
    "one of two, where two are asked": (
        make(car([*ALL_DAY, (12.2, 900, 300)], number=2), car(ALL_DAY), min_idle=2), ("normal", "used"),
    ),
    "it drove for ten minutes": (make(car(sorted([*ALL_DAY, (12.1, 80, 200), (12.2, 90, 200)]))), ("normal", "used")),
    "it was at a meeting all the time": (make(car(stand(0, 30, 5000))), ("normal", "used")),
    "out in the morning, back at noon": (make(car([*stand(6, 12, 5000), *stand(12.1, 30)])), ("normal", "used")),
    "in the yard, a little off the fence": (make(car(stand(0, 30, 250))), ("suspected", "idle")),
    "in the shop": (make(car(ALL_DAY, excuse="workshop")), ("normal", "used")),
    "sealed": (make(car(ALL_DAY, excuse="sealed")), ("normal", "used")),
    "no longer official": (make(car(ALL_DAY, excuse="not_official")), ("normal", "used")),
    "paper says that it was out": (make(car(ALL_DAY, orders=[promise("returned", driven=True)])), ("undetermined", "not_seen")),
    "no suitable one": (make(), ("normal", "none_suitable")),
    "its terminal was off": (make(car([])), ("undetermined", "not_seen")),
    "silent from noon to five": (make(car([*stand(0, 12), *stand(17, 30)])), ("undetermined", "not_seen")),
    "silent, and the odometer stood": (make(car([*stand(0, 12), *stand(17, 30)], odometer=812)), ("suspected", "idle")),
    "never heard of again": (make(car(stand(0, 12))), ("undetermined", "not_seen")),
    "no area is drawn": (make(car(ALL_DAY, fence=False)), ("undetermined", "not_seen")),
    "elsewhere after a silence": (make(car([*stand(0, 17), *stand(18.2, 30, 5000)])), ("undetermined", "not_seen")),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_cases(name: str) -> None:
    evidence, expected = CASES[name]
    assert judged(evidence) == expected


def test_numbers() -> None:
    made = idle_rental.evaluate(IDLE)
    assert made.measures == {"idle": {"value": 1, "unit": "1"}, "rented_s": {"value": 10 * HOUR, "unit": "s"}}
    assert (made.told["plates"], made.told["orders"]) == (["渝A12341"], ["P1"])
