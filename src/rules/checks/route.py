"""route 行驶路线异常: 按指定路线行驶: the track leaves the corridor of the designated route.

An order may name the way that is to be driven (指定路线): a line of points in the order of travel. Where none is named nothing is judged. The
corridor is everything within ``corridor_m`` of the line (以内). Suspected where more than ``off_route_m`` (超过) were driven outside it in one
stretch, seen from fix to fix.

*What is judged* is one passage of the line: from when the vehicle is first at its beginning (never there: from when it first is in the corridor) until it is
next at its end; of a line that ends where it begins, until it is there for the last time; never there: until the return. The way from
the yard to the route, and from its end home, was not designated. An office that means the way back too draws it.

*A detour* (绕行) accuses nobody: the vehicle came back into the corridor, stood nowhere outside it for ``stop_min`` or longer (以上), and drove no more
than ``detour_m`` outside and ``detour_permille`` of the part of the line that it left out (both included). A closed road is gone round like that, and a shorter way costs nobody anything. A longer one needs another route in the order
(a change that an approver answers for).

*Missing evidence.* A silence longer than ``gap_s`` is no driving. Where the vehicle could have driven more than ``off_route_m`` outside in
it at ``gap_speed_kmh``, or was outside before and after it, the outcome is undetermined, unless a stretch that was seen is enough by itself. A silence in which the
vehicle could have been at the end of the line ends what can be said against it. Of an order that several vehicles served nobody knows who was to
drive which part: undetermined. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NotRequired, TypedDict

import numpy as np

from registry.order_cover import Note
from rules.checks.base import Evaluation, Outcome, measure
from rules.evidence import Track, require, track_columns
from rules.evidence_parts import Order, Vehicle
from rules.tracks.approach import shown_m
from rules.tracks.corridor import Line
from rules.tracks.kernel import MOVING_DKMH, RESOLUTION_MM
from rules.tracks.valid_fixes import valid_fixes
from runtime.arrays import Bools, Ints
from runtime.units import US_PER_S
from telemetry.geo import distance_mm

RULE = "route"
VERSION = 1

#: An order that was out for longer is not judged: one passage of a line says nothing about months.
MOST_US: Final = 31 * 86_400 * US_PER_S
#: A vehicle that is seen again within so much of where it stood did not drive in between.
_PLACE_MM: Final = 200_000
#: An odometer that stands says so too, but one that never counts says nothing of a vehicle that is far away.
_NEAR_MM: Final = 1_000_000
#: 5 km/h, as MOVING_DKMH.
_SLOW_KMH: Final = MOVING_DKMH // 10


class Designated(TypedDict):
    """The way that the order names: ``line`` of [lat, lon] in 1e-6 degree WGS-84, in the order of travel."""

    line: list[list[int]]


class Evidence(TypedDict):
    """What the route of one order is judged on. ``track``: of departed_us to to_us; only where it is suspected. ``vehicles``: how many served
    the order."""

    rule: str
    rule_version: int
    subject: str
    order: Order
    vehicle: Vehicle
    departed_us: int
    to_us: int
    route: Designated
    vehicles: int
    parameters: dict[str, int]
    track: NotRequired[Track]
    notes: NotRequired[list[Note]]


@dataclass(frozen=True, slots=True)
class _Away:
    """A stretch outside: ``first`` and ``last`` fix of it, what was driven in it (mm, seen from fix to fix), whether a part of it was not seen."""

    first: int
    last: int
    driven_mm: int
    unseen: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Passage:
    """The valid fixes of the passage (columns), how far each is from the line, and what lies between each and the next: ``steps_mm``, ``gaps`` (not
    seen), ``hides`` (enough may have been driven outside in it). ``open_start``, ``open_end``: an end of the order was not seen. ``lost``: from which
    fix on the vehicle may have been at the end of the line, unseen; else how many fixes there are."""

    t: Ints
    lat: Ints
    lon: Ints
    speed: Ints
    far: Ints
    steps_mm: Ints
    gaps: Bools
    hides: Bools
    open_start: bool
    open_end: bool
    lost: int
    entered: bool


def subject(order: str) -> str:
    """Name of the subject: an order."""
    return f"order:{order}"


def evaluate(evidence: Evidence) -> Evaluation:
    """Judge the route of one order on its evidence. Parameters: those of the rule, gap_s, max_speed_kmh. Raises EvidenceError for evidence of
    another rule or version."""
    require(evidence, RULE, VERSION)
    if not judged(evidence):
        return judge(evidence, {}, np.zeros(0, np.int64))
    track = track_columns(evidence["track"])
    return judge(evidence, track, valid_fixes(track, evidence["parameters"]["max_speed_kmh"]))


def judged(evidence: Evidence) -> bool:
    """Whether the track is looked at."""
    return evidence["vehicles"] == 1 and evidence["to_us"] - evidence["departed_us"] <= MOST_US


def judge(evidence: Evidence, track: Mapping[str, Ints], good: Ints) -> Evaluation:
    """``evaluate`` where the track is columns already (``evidence["track"]`` is not looked at) and ``good`` its valid fixes in time order."""
    if evidence["vehicles"] != 1:
        return _result(evidence, Outcome.UNDETERMINED, "several_vehicles")
    if not judged(evidence):
        return _result(evidence, Outcome.UNDETERMINED, "too_long")
    if len(good):
        t = track["t_us"][good]
        good = good[(t >= evidence["departed_us"]) & (t <= evidence["to_us"])]
    if not len(good):
        return _result(evidence, Outcome.UNDETERMINED, "no_track")
    used = evidence["parameters"]
    line = Line.of(evidence["route"]["line"])
    corridor = used["corridor_m"] * 1000 + RESOLUTION_MM
    passage = _passage(evidence, track, good, line, corridor)
    aways = _aways(passage, corridor)
    limit = used["off_route_m"] * 1000
    detour: _Away | None = None
    for away in sorted(aways, key=lambda one: (-one.driven_mm, one.first)):
        if away.driven_mm <= limit:
            break
        if away.last >= passage.lost or (not passage.entered and _unseen(passage)):
            continue
        if passage.entered and _is_detour(passage, away, line, corridor, used):
            detour = detour or away
            continue
        reason = "left" if passage.entered else "never"
        return _result(evidence, Outcome.SUSPECTED, reason, passage, away)
    hidden = _unseen(passage) or any(
        away.unseen or (away.driven_mm > limit and away.last >= passage.lost) for away in aways
    )
    if hidden:
        return _result(evidence, Outcome.UNDETERMINED, "gap", passage)
    if not passage.entered:
        # Too little was driven to say anything: it may have waited in its yard.
        return _result(evidence, Outcome.UNDETERMINED, "not_driven", passage)
    if detour is not None:
        return _result(evidence, Outcome.NORMAL, "detour", passage, detour)
    return _result(evidence, Outcome.NORMAL, "followed", passage)


def _passage(
    evidence: Evidence, track: Mapping[str, Ints], good: Ints, line: Line, corridor: int
) -> _Passage:
    """See the module docstring and _Passage."""
    used = evidence["parameters"]
    t, lat, lon, speed = (track[name][good] for name in ("t_us", "lat_e6", "lon_e6", "speed_dkmh"))
    odometer = track["odometer_dkm"][good]
    far = line.distance_mm(lat, lon)
    steps = distance_mm(lat[:-1], lon[:-1], lat[1:], lon[1:])
    gap_us = used["gap_s"] * US_PER_S
    stood = (steps <= _PLACE_MM) & (speed[:-1] < MOVING_DKMH) & (speed[1:] < MOVING_DKMH)
    stood |= (odometer[:-1] >= 0) & (odometer[:-1] == odometer[1:]) & (steps <= _NEAR_MM)
    gaps = (np.diff(t) > gap_us) & ~stood
    # 1 km/h = 1e6 mm / 3600e6 us.
    reach = used["gap_speed_kmh"] * np.diff(t) // 3600
    inner = np.maximum(corridor - far, 0)
    hides = gaps & (reach - inner[:-1] - inner[1:] > used["off_route_m"] * 1000)
    inside = far <= corridor
    to_start = _from_end(line, 0, lat, lon)
    to_end = _from_end(line, -1, lat, lon)
    at_start, at_end = to_start <= corridor, to_end <= corridor
    entered = bool(inside.any())
    first = int(np.argmax(at_start)) if at_start.any() else int(np.argmax(inside)) if entered else 0
    # In a silence it may have been at the end of the line.
    short = np.maximum(to_end - corridor, 0)
    missed = np.flatnonzero(gaps[first:] & (short[first:-1] + short[first + 1 :] <= reach[first:]))
    closed = int(_from_end(line, -1, line.lat_e6[:1], line.lon_e6[:1])[0]) <= corridor
    ends = np.flatnonzero(at_end[first:]) + first
    if not entered or not len(ends):
        last = len(t) - 1
    else:
        last = int(ends[-1] if closed else ends[0])
        if last == first and closed:
            last = len(t) - 1  # it left, and was not seen to come back
    lost = len(t) if closed or not len(missed) else int(missed[0]) + first + 1
    part = slice(first, last + 1)
    # What was not seen at either end of the order: at rest inside it had not left yet, or was back.
    rests = inside & (speed < MOVING_DKMH)
    open_start = int(t[0]) - evidence["departed_us"] > gap_us and not rests[0] and not at_start.any()
    open_end = (
        evidence["to_us"] - int(t[-1]) > gap_us and not rests[-1] and last == len(t) - 1 and not at_end[-1]
    )
    return _Passage(
        t[part], lat[part], lon[part], speed[part], far[part], steps[first:last], gaps[first:last], hides[first:last],
        bool(open_start), bool(open_end), lost - first, entered,
    )  # fmt: skip


def _from_end(line: Line, end: int, lat: Ints, lon: Ints) -> Ints:
    """How far places are from the first (0) or last (-1) point of the line, mm."""
    return distance_mm(np.full(len(lat), line.lat_e6[end]), np.full(len(lat), line.lon_e6[end]), lat, lon)


def _aways(passage: _Passage, corridor: int) -> list[_Away]:
    """The stretches of fixes outside the corridor. What is driven between two of them counts where it was seen."""
    outside = passage.far > corridor
    edges = np.flatnonzero(np.diff(np.r_[False, outside, False].astype(np.int8)))
    found = []
    for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        steps, gaps = passage.steps_mm[first : end - 1], passage.gaps[first : end - 1]
        found.append(_Away(first, end - 1, int(steps[~gaps].sum()), bool(gaps.any())))
    return found


def _unseen(passage: _Passage) -> bool:
    """Whether enough to be suspected may have been driven outside without being seen."""
    return bool(passage.hides.any()) or passage.open_start or passage.open_end


def _is_detour(passage: _Passage, away: _Away, line: Line, corridor: int, used: Mapping[str, int]) -> bool:
    """Whether a stretch outside went round a part of the line."""
    before, after = away.first - 1, away.last + 1
    if before < 0 or after >= len(passage.t) or away.unseen or away.driven_mm > used["detour_m"] * 1000:
        return False
    inside = slice(before, after)
    if _stood_us(passage, away) >= used["stop_min"] * 60 * US_PER_S:
        return False
    places = [line.positions_mm(int(passage.lat[k]), int(passage.lon[k]), corridor) for k in (before, after)]
    if not all(map(len, places)):
        return False
    # Of a line that passes here twice the shorter part: what was gone round is not made longer by it.
    around = int(np.abs(places[0][:, None] - places[1][None, :]).min())
    return int(passage.steps_mm[inside].sum()) * 1000 <= used["detour_permille"] * around


def _stood_us(passage: _Passage, away: _Away) -> int:
    """The longest time in which the vehicle did not move outside, us."""
    part = slice(away.first, away.last)
    slow = passage.speed < MOVING_DKMH
    took = np.diff(passage.t)[part]
    # mm * 3600 <= km/h * us: what a terminal without a speed tells by its places.
    rests = (slow[:-1] & slow[1:])[part] & (passage.steps_mm[part] * 3600 <= _SLOW_KMH * took)
    edges = np.flatnonzero(np.diff(np.r_[False, rests, False].astype(np.int8)))
    return max((int(took[a:b].sum()) for a, b in zip(edges[::2], edges[1::2], strict=True)), default=0)


def _result(
    evidence: Evidence,
    outcome: Outcome,
    reason: str,
    passage: _Passage | None = None,
    away: _Away | None = None,
) -> Evaluation:
    since, until = evidence["departed_us"], evidence["to_us"]
    measures: dict[str, Any] = {"fixes": measure(0 if passage is None else len(passage.t), "1")}
    if passage is not None:
        # How far a fix is off can be less by what the rounding of places hides.
        measures["furthest_m"] = measure(shown_m(int(passage.far.max())), "m")
    if passage is not None and away is not None:
        measures["off_route_m"] = measure(away.driven_mm // 1000, "m")
        since, until = int(passage.t[away.first]), int(passage.t[away.last])
    told = {
        "plate": evidence["vehicle"]["plate"],
        "order": evidence["order"]["id"],
        "notes": evidence.get("notes", []),
    }
    return Evaluation(
        RULE,
        VERSION,
        evidence["subject"],
        outcome,
        reason,
        measures,
        evidence["parameters"],
        since,
        until,
        told,
    )
