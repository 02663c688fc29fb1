"""One suspected piece of evidence of each rule, of the tests of the checks: what the console's formulas are tried with.

``PYTHONPATH=src python -m tests.console_evidence`` writes ``console/tests/evidence.json``; a test asks that the file is what the checks find today.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from rules.catalogue import CATALOGUE
from rules.checks import refuel_frequency as check_refuel_frequency
from rules.checks import traffic_violations as check_violations
from rules.checks.base import Evaluation
from tests.unit import test_check_card_binding as card_binding
from tests.unit import test_check_card_use as card_use
from tests.unit import test_check_destination as destination
from tests.unit import test_check_fuel_consumption as fuel_consumption
from tests.unit import test_check_idle_rental as idle_rental
from tests.unit import test_check_location as location
from tests.unit import test_check_mileage as mileage
from tests.unit import test_check_off_hours as off_hours
from tests.unit import test_check_parking as parking
from tests.unit import test_check_refuel_frequency as refuel_frequency
from tests.unit import test_check_route as route
from tests.unit import test_check_sealed as sealed
from tests.unit import test_check_tank as tank
from tests.unit import test_check_terminal_silent as terminal_silent
from tests.unit import test_check_traffic_violations as violations

FILE: Final = Path(__file__).parents[1] / "console" / "tests" / "evidence.json"


def polyline(points: list[tuple[int, int]]) -> str:
    """(latitude, longitude) in 1e-6 degree as an encoded polyline of precision 6."""
    text, before = "", (0, 0)
    for point in points:
        for value in (point[0] - before[0], point[1] - before[1]):
            left = value << 1 if value >= 0 else ~(value << 1)
            while left >= 0x20:
                text += chr((0x20 | (left & 0x1F)) + 63)
                left >>= 5
            text += chr(left + 63)
        before = point
    return text


def _location() -> Any:
    made = location.make(location.drive(-50, 3000, -50))
    track = made["track"]
    # A while without fixes, and one fix that is known to be none.
    for name in track:
        track[name] = track[name][:20] + track[name][40:]
    track["valid"] = [int(k != 9) for k in range(len(track["t_us"]))]
    track["lat_e6"][9] += 9_000
    return made


def _destination() -> Any:
    points = [(60 * k, 9000 - 300 * min(k, 40 - k), 0) for k in range(41)]
    made = destination.make(points, radius_m=2000)
    made["vehicle"] = {"no": 1, "id": "V1", "plate": "苏F12345", "organisation": "O1"}
    made["order"] |= {"driver": "D1", "purpose": "公务"}
    return made


def _mileage() -> Any:
    shape = polyline([(32_000_000, 120_900_000), (32_004_000, 120_960_000), (32_001_000, 120_990_000)])
    made = mileage.evidence(navigation_m=12_000)
    made["route"] |= {"engine": "valhalla", "map_date": "2026-02-01", "shape": shape, "places": []}
    return made


def _card_binding() -> Any:
    return card_binding.make((3, 40), (None, 10), now=60)


def _unbound() -> Any:
    made = card_binding.make((3, 40), now=60)
    return made | {
        "subject": "unbound:C1",
        "binding": None,
        "unbound_since_us": card_binding.at(10),
        "as_of_us": card_binding.at(60),
    }


def _refuel_frequency() -> Any:
    row = refuel_frequency.row
    rows = [
        row("a", 5), row("b", 12), row("c", 100, station="S2", name="二站"), row("d", 200, kind="top_up"),
        row("e", 300, reversed_by="R1"),
    ]  # fmt: skip
    made = refuel_frequency.make(rows)
    why = check_refuel_frequency.explain(made)
    for one in rows:
        one["why"] = why[one["id"]]
    return made


def _violations() -> Any:
    at, record = violations.at, violations.record
    rows = [
        record("W1", at("2026-01-31 23:50")), record("W2", at("2026-02-01 00:10"), act="闯红灯"),
        record("W3", at("2026-02-05 09:00"), act="违反规定停放"), record("W4", at("2026-02-20 10:00"), status="revoked"),
    ]  # fmt: skip
    for row, why in check_violations.considered(rows, violations.PARAMETERS):
        row["why"] = check_violations.WHY[why]
    return violations.make("2026-02", rows)


def _silence() -> Any:
    return terminal_silent.make(
        terminal_silent.silence(), terminal_silent.silence(after=(5000, 5100), reports=4)
    )


def samples() -> dict[str, Any]:
    """Evidence by a name that begins with its rule."""
    fuel = fuel_consumption.make((1200 * fuel_consumption.KM, [60_000, 90_000]), *fuel_consumption.PLAIN)
    return {
        "location": _location(),
        "destination": _destination(),
        "mileage": _mileage(),
        "fuel_consumption": fuel,
        "card_binding": _card_binding(),
        "card_binding.unbound": _unbound(),
        "card_use": card_use.make(card_use.parked(3411.4)),
        "card_use.polygon": card_use.make(
            [*card_use.parked(-1500, 190, end=-60), (0, -1500, 190), (100, 1500, 190), *card_use.parked(1500, 190, start=160)],
            station=card_use.POINT | {"polygons": [[card_use.ring(300), card_use.ring(150)]]},
            transaction={"id": "T2"}, subject="transaction:T2",
        ),
        "refuel_frequency": _refuel_frequency(),
        "traffic_violations": _violations(),
        "terminal_silent": _silence(),
        "off_hours": off_hours.make(off_hours.run(23 * 3600, 3000)),
        "sealed": sealed.make(sealed.AWAY),
        "tank": tank.make([tank.paid("D", tank.B, 90)], now="D"),
        "tank.both": tank.make(tank.TWO, tank.way(40, 38, 1)),
        "parking": parking.make(parking.OUT),
        "route": route.make(route.ASIDE),
        "idle_rental": idle_rental.IDLE,
    }  # fmt: skip


def judged() -> dict[str, tuple[Any, Evaluation]]:
    """Name -> (evidence, what the check finds)."""
    return {name: (body, CATALOGUE.evaluate(body)) for name, body in samples().items()}


def written() -> bytes:
    """What the file holds."""
    found = {
        name: {
            "evidence": body, "outcome": made.outcome.value, "reason": made.reason,
            "measures": {key: dict(value) for key, value in made.measures.items()}, "parameters": dict(made.parameters),
            "from_us": made.from_us, "to_us": made.to_us,
        }
        for name, (body, made) in judged().items()
    }  # fmt: skip
    return orjson.dumps(found, option=orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY) + b"\n"


def long_track(fixes: int, from_us: int) -> dict[str, Any]:
    """A track of so many fixes, one a second, in loops: for how quickly it is drawn."""
    k = np.arange(fixes)
    angle = k / 700
    return {
        "t_us": from_us + k * 1_000_000, "fingerprint": k,
        "lat_e6": np.rint(32_000_000 + 30_000 * np.sin(angle) + k), "lon_e6": np.rint(120_900_000 + 40_000 * np.cos(3 * angle)),
        "speed_dkmh": (300 + 250 * np.sin(angle * 5)).astype(int), "direction_deg": np.zeros(fixes, int),
        "odometer_dkm": np.full(fixes, -1),
    }  # fmt: skip


if __name__ == "__main__":
    FILE.write_bytes(written())
