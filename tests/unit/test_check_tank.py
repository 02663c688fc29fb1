"""tank: more than the tank holds, alone or with the fill before; and the tolerance, the way, the idling that explain it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.parameters import RULES
from rules.checks import tank
from rules.checks.base import Outcome
from tests.examples import examples
from tests.words import said

S = 1_000_000
HOUR = 3600
T0 = 20_517 * 86_400 * S
PARAMETERS = {p.name: p.default for p in RULES["tank"] if p.name != "settle_after_h"}


def paid(id: str, at_s: int, litres: float | None, *, station: str | None = "S1", **more: Any) -> Any:
    return {
        "id": id, "at_us": T0 + at_s * S, "kind": "fill", "product": "92号汽油", "energy": "fuel",
        "quantity": None if litres is None else round(litres * 1000), "amount_fen": 30_000, "station": station, "station_name": "中石化一站",
        "reversed_by": None, "posted": False,
    } | more  # fmt: skip


def way(odometer_km: float | None = None, track_km: float = 0, idle_h: float = 0, unseen_s: int = 0) -> Any:
    return {
        "from_us": T0, "to_us": T0 + 48 * HOUR * S, "odometer_m": None if odometer_km is None else round(odometer_km * 1000),
        "track_m": round(track_km * 1000), "idle_s": round(idle_h * HOUR), "unseen_s": unseen_s,
    }  # fmt: skip


def make(
    payments: Sequence[Any],
    driven: Any = None,
    *,
    tank_l: float | None = 60,
    now: str = "B",
    **parameters: int,
) -> Any:
    return {
        "rule": "tank", "rule_version": 1, "subject": tank.subject(now), "transaction": now,
        "vehicle": {"no": 1, "id": "V1", "plate": "渝A12345", "organisation": "O1", "tank_ml": None if tank_l is None else round(tank_l * 1000)},
        "card": {"id": "C1", "organisation": "O1"}, "parameters": PARAMETERS | parameters, "transactions": list(payments), "driven": driven,
    }  # fmt: skip


B = 48 * HOUR
TWO = [paid("A", 0, 50), paid("B", B, 40)]  # 24 l more than 66: 80 km at 30 l/100 km
CASES: list[tuple[str, Any, tuple[str, str]]] = [
    ("a full tank", make([paid("B", B, 60)]), ("normal", "fits")),
    ("ten per cent more, exactly", make([paid("B", B, 66)]), ("normal", "fits")),
    ("and a millilitre", make([paid("B", B, 66.001)]), ("suspected", "over_tank")),
    ("in two payments at one station", make([paid("B", B, 40), paid("C", B + 600, 30)]), ("suspected", "over_tank")),
    ("at two stations, with the way between", make([paid("B", B, 40), paid("C", B + 300, 30, station="S2")], way(20), now="C"), ("normal", "burnt")),
    ("at two stations at once", make([paid("B", B, 40), paid("C", B + 300, 30, station="S2")], way(3), now="C"), ("suspected", "over_burnt")),
    ("urea beside the fuel", make([paid("B", B, 60), paid("C", B, 20, product="车用尿素")]), ("normal", "fits")),
    ("a payment that was taken back", make([paid("B", B, 60), paid("C", B, 20, reversed_by="R")]), ("normal", "fits")),
    ("80 km between the fills", make(TWO, way(80)), ("normal", "burnt")),
    ("79.9 km", make(TWO, way(79.9)), ("suspected", "over_burnt")),
    ("79.9 km by odometer, 81 by track", make(TWO, way(79.9, 81)), ("normal", "burnt")),
    ("40 km and four hours' idling", make(TWO, way(40, 0, 4)), ("normal", "burnt")),
    ("no odometer, and silences", make(TWO, way(None, 40, 0, 7300)), ("undetermined", "gaps")),
    ("no odometer, and seen all the time", make(TWO, way(None, 40)), ("suspected", "over_burnt")),
    ("an odometer over the silences", make(TWO, way(40, 40, 0, 7300)), ("suspected", "over_burnt")),
    ("nothing is known of the way", make(TWO), ("undetermined", "no_track")),
    ("both small", make([paid("A", 0, 20), paid("B", B, 40)]), ("normal", "fits")),
    ("the register knows no tank", make([paid("B", B, 500)], tank_l=None), ("undetermined", "tank_unknown")),
    ("half a litre in the register", make([paid("B", B, 40)], tank_l=0.5), ("undetermined", "tank_unknown")),
    ("no quantity", make([paid("B", B, None)]), ("undetermined", "no_quantity")),
    ("no quantity of the fill before", make([paid("A", 0, None), paid("B", B, 40)]), ("normal", "fits")),
    ("booking times only", make([paid("A", 0, 50, posted=True), paid("B", B, 40, posted=True)], way(10)), ("undetermined", "posting_time")),
    ("booking times only, but more than the tank at once", make([paid("B", B, 70, posted=True)]), ("suspected", "over_tank")),
    ("a lorry, as its unit says", make([paid("A", 0, 300), paid("B", B, 300)], way(500), tank_l=400, burn_l_100km=40), ("normal", "burnt")),
]  # fmt: skip


@pytest.mark.parametrize(("evidence", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_cases(evidence: Any, expected: tuple[str, str]) -> None:
    made = tank.evaluate(evidence)
    assert (made.outcome.value, made.reason) == expected
    assert "渝A12345" in said(made)


def test_what_is_said() -> None:
    made = tank.evaluate(make(TWO, way(40)))
    assert said(made) == (
        "疑似加油超箱容：油卡 C1（渝A12345）2026-03-07 08:00 在 中石化一站 加油 40.00 升，上次 2026-03-05 08:00 加油 50.00 升，"
        "其间行驶 40.0 公里、油耗至多 12.00 升，油箱容积 60.00 升。"
    )
    assert tank.severity(made) == "medium"
    assert tank.severity(tank.evaluate(make([paid("B", B, 90)]))) == "high"


LITRES = st.integers(1, 120)


@given(before=LITRES, now=LITRES, km=st.integers(0, 900), more=st.integers(0, 300), size=st.integers(20, 100))
@settings(max_examples=examples(60))
def test_who_drove_more_or_has_a_larger_tank_is_not_accused_sooner(
    before: int, now: int, km: int, more: int, size: int
) -> None:
    payments = [paid("A", 0, before), paid("B", B, now)]

    def accused(driven: Any, tank_l: int) -> bool:
        return tank.evaluate(make(payments, driven, tank_l=tank_l)).outcome is Outcome.SUSPECTED

    strict = accused(way(km), size)
    assert not (accused(way(km + more), size) and not strict)
    assert not (accused(way(km), size + more) and not strict)
    if before + now <= size:
        assert not strict
