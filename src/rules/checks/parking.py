"""parking 停放异常: parked over night outside its place without an order that covers the night.

One vehicle and one night, named by the day on which it begins (Asia/Shanghai). Suspected where the vehicle stood for ``min_stand_min`` or more
(以上) of the time from ``night_from_min`` to ``night_to_min`` outside its area and ``margin_m`` more, at one place, and nothing excused that: no order of
any type covered it (an overnight order, repair, duty), it was not in a repair shop by its maintenance, it was not sealed. What an order covers of
a stand does not count; the rest does.

It stands while fixes agree that it is at one place, at rest. A silence longer than ``max_gap_min`` is no stand, even where the vehicle is at the same
place after it, but where the odometer says so: undetermined where that decides. No area, no fix: undetermined. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypedDict

import numpy as np

from rules.checks.base import Evaluation, Outcome, measure
from rules.evidence import Track, require, track_columns
from rules.evidence_parts import Fence, TaskCover, Vehicle, areas_of
from rules.tracks.kernel import MOVING_DKMH, RESOLUTION_MM
from runtime.arrays import Bools, Ints
from runtime.units import US_PER_DAY, US_PER_S

RULE = "parking"
VERSION = 1

#: Fixes of a vehicle that stands are no further apart: drift between tall houses.
_PLACE_MM: Final = 200_000
_MM_PER_E6: Final = 111
_MINUTE_US: Final = 60 * US_PER_S
#: Fixes are looked for so long before and after a night.
AROUND_US: Final = 3 * 3600 * US_PER_S


class Excuse(TypedDict):
    """Why a vehicle may stand elsewhere: ``kind`` workshop (the maintenance) or sealed; ``id`` names it."""

    kind: Literal["workshop", "sealed"]
    id: str
    from_us: int
    to_us: int


class Evidence(TypedDict):
    """What a vehicle's night is judged on. ``night``: its day, and midnight of that. ``track``: valid fixes of the night, and of some hours
    around it; ``fences``: the vehicle's own areas then."""

    rule: str
    rule_version: int
    subject: str
    vehicle: Vehicle
    night: str
    day_us: int
    parameters: dict[str, int]
    orders: list[TaskCover]
    excuses: list[Excuse]
    fences: list[Fence]
    track: Track


@dataclass(frozen=True, slots=True)
class _Stand:
    """At one place in [from, to], us; ``far_mm``: how far beyond the area at least; ``where``: 1e-6 degree."""

    from_us: int
    to_us: int
    far_mm: int
    where: tuple[int, int]


def subject(vehicle: str, night: str) -> str:
    """Name of the subject: a vehicle's night, by the day ``YYYY-MM-DD`` on which it begins."""
    return f"night:{vehicle}:{night}"


def night_of(day_us: int, used: Mapping[str, int]) -> tuple[int, int]:
    """The night that begins on the day from ``day_us`` on: [from, to), us. One that ends at an earlier minute than it begins ends on the next
    day."""
    begin, end = used["night_from_min"], used["night_to_min"]
    return day_us + begin * _MINUTE_US, day_us + end * _MINUTE_US + (US_PER_DAY if end <= begin else 0)


def evaluate(evidence: Evidence) -> Evaluation:
    """Judge a vehicle's night on its evidence. Parameters: those of the rule. Raises EvidenceError for evidence of another rule or
    version."""
    require(evidence, RULE, VERSION)
    return judge(evidence, track_columns(evidence["track"]))


def judge(evidence: Evidence, track: Mapping[str, Ints]) -> Evaluation:
    """``evaluate`` of evidence whose ``track`` is given as columns."""
    used = evidence["parameters"]
    begin, end = night_of(evidence["day_us"], used)
    order = np.lexsort((track["fingerprint"], track["t_us"]))
    order = order[np.diff(track["t_us"][order], prepend=-1) > 0]
    track = {name: column[order] for name, column in track.items()}
    far, fenced = _beyond(evidence["fences"], track)
    limit = max(used["min_stand_min"], 1) * _MINUTE_US
    outcome, reason, stand, stood = Outcome.NORMAL, "inside", None, 0
    within = (track["t_us"] >= begin) & (track["t_us"] < end)
    if not within.any():
        outcome, reason = Outcome.UNDETERMINED, "no_track"
    elif not fenced[within].all():
        outcome, reason = Outcome.UNDETERMINED, "no_fence"
    elif (far[within] > used["margin_m"] * 1000 + RESOLUTION_MM).any():
        excused = [(o["from_us"], o["to_us"]) for o in evidence["orders"]]
        others = [(e["from_us"], e["to_us"]) for e in evidence["excuses"]]
        seen = _stands(track, far, used, begin, end, bridge=False)
        stand, stood = _longest(seen, [*excused, *others])
        if stood >= limit:
            outcome, reason = Outcome.SUSPECTED, "outside"
        elif _longest(_stands(track, far, used, begin, end, bridge=True), [*excused, *others])[1] >= limit:
            outcome, reason = Outcome.UNDETERMINED, "gaps"
        elif _longest(seen, others)[1] >= limit:
            reason = "ordered"
        elif _longest(seen, ())[1] >= limit:
            reason = "excused"
        else:
            reason = "short"
    measures: dict[str, Any] = {"stood_s": measure(stood // US_PER_S, "s")}
    if stand is not None and stood:
        measures["beyond_m"] = measure((stand.far_mm + RESOLUTION_MM) // 1000, "m")
    since, until = (
        (begin, end) if stand is None or outcome is not Outcome.SUSPECTED else (stand.from_us, stand.to_us)
    )
    told = {
        "plate": evidence["vehicle"]["plate"],
        "night": evidence["night"],
        "orders": [o["id"] for o in evidence["orders"][:3]],
    }
    return Evaluation(RULE, VERSION, evidence["subject"], outcome, reason, measures, used, since, until, told)


def _beyond(fences: Sequence[Fence], track: Mapping[str, Ints]) -> tuple[Ints, Bools]:
    """How far (mm) each fix is beyond the vehicle's area (0 = inside), and whether it had one then."""
    areas, held = areas_of(fences, track["t_us"], fine=True)
    far = np.zeros(len(held), np.int64)
    rows = np.flatnonzero(held >= 0)
    if len(rows):
        out = rows[~areas.inside(held[rows], track["lat_e6"][rows], track["lon_e6"][rows])]
        far[out] = areas.beyond_mm(held[out], track["lat_e6"][out], track["lon_e6"][out])
    return far, held >= 0


def _stands(
    track: Mapping[str, Ints], far: Ints, used: Mapping[str, int], begin_us: int, end_us: int, *, bridge: bool
) -> list[_Stand]:
    """The stands outside the area and its margin, cut to the night. ``bridge``: also over silences of any length."""
    t, lat, lon = (track[name].tolist() for name in ("t_us", "lat_e6", "lon_e6"))
    odometer, margin, most = (
        track["odometer_dkm"].tolist(),
        used["margin_m"] * 1000 + RESOLUTION_MM,
        used["max_gap_min"] * _MINUTE_US,
    )
    outside = ((far > margin) & (track["speed_dkmh"] < MOVING_DKMH)).tolist()
    cosine = round(1000 * math.cos(math.radians(lat[0] / 1e6))) if lat else 1000
    found: list[_Stand] = []
    first = -1
    for k in range(len(t)):
        if first >= 0 and not (
            outside[k] and _near(lat[first], lon[first], lat[k], lon[k], cosine)
            and (bridge or t[k] - t[k - 1] <= most or (odometer[k - 1] >= 0 and odometer[k] == odometer[k - 1]))
        ):  # fmt: skip
            found += _cut(
                t[first], t[k - 1], int(far[first:k].min()), (lat[first], lon[first]), begin_us, end_us
            )
            first = -1
        if first < 0 and outside[k]:
            first = k
    if first >= 0:
        found += _cut(t[first], t[-1], int(far[first:].min()), (lat[first], lon[first]), begin_us, end_us)
    return found


def _near(lat: int, lon: int, other_lat: int, other_lon: int, cosine: int) -> bool:
    """Whether two places (1e-6 degree) are one place for a vehicle that stands: a plane will do for that. ``cosine``: of their latitude,
    1/1000."""
    north, east = (other_lat - lat) * _MM_PER_E6, (other_lon - lon) * _MM_PER_E6 * cosine // 1000
    return north * north + east * east <= _PLACE_MM * _PLACE_MM


def _cut(
    from_us: int, to_us: int, far_mm: int, where: tuple[int, int], begin_us: int, end_us: int
) -> list[_Stand]:
    since, until = max(from_us, begin_us), min(to_us, end_us)
    return [_Stand(since, until, far_mm, where)] if since < until else []


def _longest(stands: Sequence[_Stand], excused: Sequence[tuple[int, int]]) -> tuple[_Stand | None, int]:
    """The stand of which most is not excused, and how much of it, us."""
    best: tuple[_Stand | None, int] = (None, 0)
    for stand in stands:
        left = stand.to_us - stand.from_us - _union_us(excused, stand.from_us, stand.to_us)
        if left > best[1]:
            best = (stand, left)
    return best


def _union_us(spans: Sequence[tuple[int, int]], from_us: int, to_us: int) -> int:
    """How much of [from, to) ``spans`` cover together, us."""
    covered, reached = 0, from_us
    for start, end in sorted(spans):
        start, end = max(start, reached), min(end, to_us)
        if start < end:
            covered += end - start
            reached = end
    return covered
