"""destination 目的地异常: 行驶轨迹没有进入申请的目的地2公里以内范围.

Each destination of an order is judged apart, by the distance from the *segments* of the cleaned track within
the order's window. The distance is that on the ellipsoid, in whole millimetres; exactly ``radius_m`` is
inside (以内). A report tells its place in steps of 1e-6 degree: what that rounding can hide (``RESOLUTION_MM``) counts
for the driver.

Missing evidence. A stretch without fixes longer than ``gap_s`` (between two fixes, or between an end of the
window and the nearest fix) is no track. If in such a gap the vehicle could have reached the circle and come
back to where it was seen next, at ``gap_speed_kmh``, the outcome is undetermined. At an end of the window one
way is enough, since where the vehicle was before or after is not known. The start of the window for this
purpose is the departure. Fixes from before an actual departure say where the vehicle came from, not where the
order went.

The departure is that which the track shows, where it differs from that on paper by no more than the clerk's minute. Where several
vehicles served the order one after the other, each is judged for its own stretch: it is enough that one was there. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NotRequired, TypedDict, cast

import numpy as np

from registry.order_cover import Note
from rules.checks.base import Evaluation, Outcome, measure
from rules.evidence import Track, require, track_columns
from rules.evidence_parts import Order, Place, Vehicle
from rules.tracks.approach import distances_mm, shown_m
from rules.tracks.kernel import RESOLUTION_MM
from rules.tracks.valid_fixes import valid_fixes
from runtime.arrays import Ints

RULE = "destination"
VERSION = 2


class Leg(TypedDict):
    """A further stretch of the order, driven by another vehicle: what the evidence has of the first."""

    vehicle: Vehicle
    from_us: int
    begun_us: int
    departed_us: int
    to_us: int
    track: NotRequired[Track]


class Evidence(TypedDict):
    """What one destination of one order is judged on. ``index``: its place in the order, from 0. ``begun_us``: from when
    on being there counts (absent = ``from_us``). ``track``: of from_us to to_us; it may begin with the last valid fix
    before; only where it is suspected. ``legs``: where several vehicles served the order, those after the first, by time."""

    rule: str
    rule_version: int
    subject: str
    index: int
    order: Order
    vehicle: Vehicle
    from_us: int
    begun_us: NotRequired[int]
    departed_us: int
    to_us: int
    destination: Place
    parameters: dict[str, int]
    track: NotRequired[Track]
    legs: NotRequired[list[Leg]]
    notes: NotRequired[list[Note]]


def subject(order: str, index: int) -> str:
    """Name of the subject: destination ``index`` (from 0) of an order."""
    return f"order:{order}:{index}"


def evaluate(evidence: Evidence) -> Evaluation:
    """Judge one destination of one order on its evidence. Parameters: radius_m, gap_speed_kmh, gap_s, max_speed_kmh.
    Raises EvidenceError for evidence of another rule or version."""
    require(evidence, RULE, VERSION)
    if not located(evidence):
        return judge(evidence, {}, np.zeros(0, np.int64))
    made = []
    for leg in stretches(evidence):
        track = track_columns(leg["track"])
        made.append(judge(leg, track, valid_fixes(track, evidence["parameters"]["max_speed_kmh"])))
    return combined(evidence, made)


def stretches(evidence: Evidence) -> list[Evidence]:
    """The evidence of each leg by itself, as if it were the whole order."""
    first = cast(Evidence, {name: value for name, value in evidence.items() if name != "legs"})
    return [first, *(cast(Evidence, {**first, **leg}) for leg in evidence.get("legs", []))]


def combined(evidence: Evidence, made: Sequence[Evaluation]) -> Evaluation:
    """The evaluation of an order of those of its legs (one at least): one that reached the destination is enough; it is
    suspected only where each leg is."""
    if len(made) == 1:
        return made[0]
    doubts = [one for one in made if one.outcome is Outcome.UNDETERMINED]
    reached = [one for one in made if one.outcome is Outcome.NORMAL]
    one = (reached or doubts or list(made))[0]
    known = [m.measures["nearest_m"]["value"] for m in made if "nearest_m" in m.measures]
    measures = {"fixes": measure(sum(m.measures["fixes"]["value"] for m in made), "1")}
    if known:
        measures["nearest_m"] = measure(min(known), "m")
    last = evidence.get("legs", [])
    end = last[-1]["to_us"] if last else evidence["to_us"]
    return replace(one, measures=measures, from_us=evidence["departed_us"], to_us=end, told=_told(evidence))


def located(evidence: Evidence) -> bool:
    """Whether the destination has coordinates: only then its track is looked at."""
    place = evidence["destination"]
    return place["lat_e6"] is not None and place["lon_e6"] is not None


def judge(evidence: Evidence, track: Mapping[str, Ints], good: Ints) -> Evaluation:
    """``evaluate`` where the track is columns already (``evidence["track"]`` is not looked at) and ``good`` its valid
    fixes in time order."""
    used, place = evidence["parameters"], evidence["destination"]
    lat_e6, lon_e6 = place["lat_e6"], place["lon_e6"]
    if lat_e6 is None or lon_e6 is None:
        return _result(evidence, Outcome.UNDETERMINED, "no_coordinates", None, 0)
    # A fix before the order's time only says which fixes after it are valid.
    good = good[track["t_us"][good] >= evidence["from_us"]] if len(good) else good
    if not len(good):
        return _result(evidence, Outcome.UNDETERMINED, "no_track", None, 0)
    t = track["t_us"][good]
    points, segments = distances_mm(lat_e6, lon_e6, track["lat_e6"][good], track["lon_e6"][good])
    radius_mm = used["radius_m"] * 1000 + RESOLUTION_MM
    gap_us = used["gap_s"] * 1_000_000
    gaps = np.diff(t) > gap_us
    # The first fix that counts; the segment to it counts as well, for the departure lies on it.
    first = int(np.searchsorted(t, evidence.get("begun_us", evidence["from_us"])))
    last_before, fixes = max(first - 1, 0), len(good) - first
    near = np.concatenate((points[first:], segments[last_before:][~gaps[last_before:]]))
    nearest = int(near.min()) if len(near) else None
    if nearest is not None and nearest <= radius_mm:
        return _result(evidence, Outcome.NORMAL, "reached", nearest, fixes)
    # 1 km/h = 1e6 mm / 3600e6 us: mm * 3600 <= km/h * us compares in integers.
    speed = used["gap_speed_kmh"]
    short = np.maximum(points - radius_mm, 0)
    there_and_back = (short[:-1] + short[1:]) * 3600 <= speed * np.diff(t)
    missing = (gaps & (there_and_back | (segments <= radius_mm)))[last_before:]
    start_us = int(t[0]) - evidence["departed_us"]
    end_us = evidence["to_us"] - int(t[-1])
    at_start = start_us > gap_us and int(short[0]) * 3600 <= speed * start_us
    at_end = end_us > gap_us and int(short[-1]) * 3600 <= speed * end_us
    if missing.any() or at_start or at_end:
        return _result(evidence, Outcome.UNDETERMINED, "gap", nearest, fixes)
    if nearest is None:
        return _result(evidence, Outcome.UNDETERMINED, "no_track", None, 0)
    return _result(evidence, Outcome.SUSPECTED, "not_reached", nearest, fixes)


def _result(
    evidence: Evidence, outcome: Outcome, reason: str, nearest_mm: int | None, fixes: int
) -> Evaluation:
    measures: dict[str, Any] = {"fixes": measure(fixes, "1")}
    if nearest_mm is not None:
        measures["nearest_m"] = measure(shown_m(nearest_mm), "m")
    return Evaluation(
        RULE, VERSION, evidence["subject"], outcome, reason, measures, evidence["parameters"],
        evidence["departed_us"], evidence["to_us"], _told(evidence),
    )  # fmt: skip


def _told(evidence: Evidence) -> dict[str, Any]:
    return {
        "plate": evidence["vehicle"]["plate"], "order": evidence["order"]["id"],
        "name": evidence["destination"]["name"], "number": evidence["index"] + 1, "notes": evidence.get("notes", []),
    }  # fmt: skip
