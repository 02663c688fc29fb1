"""The demo's plan, judged by the kernel alone: its planted drives outside the fence are found, its traps are not."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from rules import evidence as frozen
from rules.checks import location
from rules.evidence_parts import Cover
from runtime.units import US_PER_S
from simulation.city.fleet import STATUS_ACC, STATUS_POSITIONED, Plan, Vehicle
from tests.unit.test_fleet import covered, final_orders, plan


def evidence(p: Plan, vehicle: Vehicle) -> location.Evidence:
    s = vehicle.samples
    good = (s.status & STATUS_POSITIONED) != 0
    t = s.time_s[good]
    unit = next(o for o in p.organisations if o.id == vehicle.organisation)
    corners = p.frame.to_degrees(np.array(unit.fence, float))  # latitude, longitude
    orders = [o for o in final_orders(p).values() if o.vehicle == vehicle.id]
    inside = np.array([covered(orders, int(x)) for x in t])
    edges = np.flatnonzero(np.diff(np.r_[False, inside, False].astype(int)))
    covers: list[Cover] = [
        {
            "no": k + 1,
            "id": "P",
            "version": 1,
            "from_us": int(t[a]) * US_PER_S,
            "to_us": int(t[b - 1]) * US_PER_S + 1,
        }
        for k, (a, b) in enumerate(zip(edges[::2], edges[1::2], strict=True))
    ]
    return {
        "rule": "location", "rule_version": location.VERSION, "subject": "x", "from_us": 0, "to_us": 0,
        "vehicle": {"no": 1, "id": vehicle.id, "plate": "", "organisation": "O"}, "parameter_rows": [],
        "fences": [{
            "fences": [], "wkb": shapely.Polygon(corners[:, ::-1]).wkb_hex, "from_us": 0, "to_us": int(location.OPEN_END),
        }],
        "orders": covers,
        "track": frozen.freeze_track({
            "t_us": t * US_PER_S, "fingerprint": np.arange(len(t)), "lat_e6": s.lat_e6[good].astype(np.int64),
            "lon_e6": s.lon_e6[good].astype(np.int64), "speed_dkmh": s.speed_dkmh[good].astype(np.int64),
            "direction_deg": s.direction_deg[good].astype(np.int64), "odometer_dkm": s.odometer_dkm[good].astype(np.int64),
            "acc": np.where((s.status[good] & STATUS_ACC) != 0, 2, 1),
        }),
    }  # fmt: skip


@pytest.mark.parametrize("seed", [1, 20])
def test_what_is_planted_is_found_and_nothing_else(seed: int) -> None:
    p = plan(seed)
    for vehicle in p.vehicles:
        found = location.episodes(evidence(p, vehicle))
        planted = [e for e in p.expected if e.vehicle == vehicle.id and e.rule == "location"]
        assert len(found) == len(planted), (vehicle.id, found, planted)
        for episode, expected in zip(found, sorted(planted, key=lambda e: e.from_us), strict=True):
            assert expected.from_us <= episode.opened_us <= expected.to_us
