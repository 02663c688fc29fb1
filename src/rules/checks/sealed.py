"""sealed 封存车辆移动: a sealed vehicle that moves.

One seal of one vehicle. It moves when it is seen to *drive* ``min_displacement_m`` or more away (以上) from where it stood when it was
sealed, whatever it stops for on the way: steps of 190 m add up. What driving is, is said by the kernel that ``location`` uses: drift,
reflections and outliers of a vehicle that stands are none.

Fair to the clerk's minute: what happens in the first ``grace_min`` of a seal belongs to parking it, what begins in the last ``grace_min``
before it ends belongs to the unsealing. A way that nobody saw (a silence longer than ``gap_s``) accuses nobody: the displacement counts
anew from where the vehicle is seen again, and where it does not come back that is undetermined. An order of an allowed type (repair,
inspection, tow, emergency) moves even a sealed vehicle; where any other order covers it, two papers contradict each other, and the
driver is not to suffer for that: undetermined. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypedDict

import numpy as np

from rules.checks.base import Evaluation, Outcome, measure
from rules.checks.off_hours import TASK_TYPES
from rules.evidence import Track, acc_of, freeze_track, require, track_columns
from rules.evidence_parts import TaskCover, Vehicle
from rules.tracks.advance import advance, row_matrix
from rules.tracks.kernel import (
    ACC_ON,
    AGREE_FIXES,
    AGREE_US,
    MOVING_DKMH,
    MOVING_MM,
    RESOLUTION_MM,
    SUPPORT,
    Event,
)
from rules.tracks.state import FIELDS, TrackStates
from runtime.arrays import Bools, Ints
from runtime.units import US_PER_S
from telemetry import geo

RULE = "sealed"
VERSION = 1

#: So near the place where it stood a vehicle is there: noise of the receiver, a few metres in the yard.
_THERE_MM: Final = 50_000
_MINUTE_US: Final = 60 * US_PER_S
#: Of more fixes than this only those around moves are looked at, so many on either side; fixes that may end a short way.
_LONG: Final = 2_000
_NEAR: Final = 5
_TRIED: Final = 50
#: Who stands for so long ends a drive; the displacement still counts from the anchor.
_IDLE_US: Final = 30 * _MINUTE_US


class Seal(TypedDict):
    """The seal: from when on, and why."""

    from_us: int
    reason: str


class Anchor(TypedDict):
    """Where the vehicle stood, and as of when that is known."""

    t_us: int
    lat_e6: int
    lon_e6: int


class Facts(TypedDict):
    """What a seal is judged on, but for its track. ``anchor`` None: nothing was ever seen of the vehicle. ``orders``: what covered it."""

    rule: str
    rule_version: int
    subject: str
    vehicle: Vehicle
    seal: Seal
    anchor: Anchor | None
    parameters: dict[str, int]
    orders: list[TaskCover]


class Evidence(Facts):
    """What a seal is judged on. ``track``: valid fixes only, within the time that counts, in order of time."""

    track: Track


@dataclass(frozen=True, slots=True)
class Moved:
    """A movement: the place (index into the track) of the last fix at the anchor, and of the fix that shows the movement; when it
    began, how far it led by then, how many fixes show it; the anchor that it is measured from."""

    first: int
    last: int
    from_us: int
    to_us: int
    displacement_m: int
    fixes: int
    anchor: tuple[int, int]


def subject(vehicle: str, sealed_from_us: int) -> str:
    """Name of the subject: a vehicle's seal."""
    return f"seal:{vehicle}:{sealed_from_us}"


def counted(from_us: int, to_us: int | None, used: Mapping[str, int]) -> tuple[int, int | None]:
    """The time of a seal in which a movement counts: [from, to), us; None = no end."""
    grace = used["grace_min"] * _MINUTE_US
    return from_us + grace, None if to_us is None else to_us - grace


def evaluate(evidence: Evidence) -> Evaluation:
    """Judge a seal on its evidence. Parameters: those of the rule, max_speed_kmh, gap_s. Raises EvidenceError for evidence of another
    rule or version."""
    require(evidence, RULE, VERSION)
    return judge(evidence, track_columns(evidence["track"]))


def judge(facts: Facts, track: Mapping[str, Ints]) -> Evaluation:
    """``evaluate`` of evidence whose ``track`` is given as columns."""
    order = np.lexsort((track["fingerprint"], track["t_us"]))
    order = order[np.diff(track["t_us"][order], prepend=-1) > 0]
    track = {name: column[order] for name, column in track.items()}
    used, anchor, orders = facts["parameters"], facts["anchor"], facts["orders"]
    outcome, reason, moved = Outcome.NORMAL, "stood", None
    if anchor is None or not len(track["t_us"]):
        outcome, reason = Outcome.UNDETERMINED, "no_track"
    else:
        allowing = [o for o in orders if TASK_TYPES[o["task_type"]] & used["allowed_types"]]
        if (moved := movement(track, anchor, orders, used)) is not None:
            outcome, reason = Outcome.SUSPECTED, "moved"
        elif (moved := movement(track, anchor, allowing, used)) is not None:
            outcome, reason = Outcome.UNDETERMINED, "ordered"
        elif _elsewhere(track, anchor, orders, used):
            outcome, reason = Outcome.UNDETERMINED, "moved_unseen"
        elif (moved := movement(track, anchor, (), used)) is not None:
            reason = "allowed_order"
    measures: dict[str, Any] = {"fixes": measure(0 if moved is None else moved.fixes, "1")}
    if moved is not None:
        measures["away_m"] = measure(moved.displacement_m, "m")
    start = facts["seal"]["from_us"] if moved is None else moved.from_us
    end = None if moved is None else moved.to_us
    covering = [
        o["id"]
        for o in orders
        if moved is not None and o["from_us"] <= moved.to_us and o["to_us"] > moved.from_us
    ]
    told = {
        "plate": facts["vehicle"]["plate"], "sealed_us": facts["seal"]["from_us"], "why": facts["seal"]["reason"], "orders": covering[:3],
    }  # fmt: skip
    return Evaluation(RULE, VERSION, facts["subject"], outcome, reason, measures, used, start, end, told)


def ever_away(track: Mapping[str, Ints], anchor: Anchor | None, used: Mapping[str, int]) -> bool:
    """Whether any fix of a track, valid or not, is far enough from the anchor; also where that is not known."""
    if anchor is None:
        return True
    away = geo.distance_mm(
        np.full(len(track["t_us"]), anchor["lat_e6"], np.int64), np.full(len(track["t_us"]), anchor["lon_e6"], np.int64),
        track["lat_e6"], track["lon_e6"],
    )  # fmt: skip
    return bool((away + RESOLUTION_MM >= used["min_displacement_m"] * 1000).any())


def movement(
    track: Mapping[str, Ints], anchor: Anchor, orders: Sequence[TaskCover], used: Mapping[str, int]
) -> Moved | None:
    """The first movement that a track of valid fixes (in order of time) shows at times that none of ``orders`` covers."""
    t, lat, lon = track["t_us"], track["lat_e6"], track["lon_e6"]
    covered = _covered(t, orders)
    from_lat, from_lon = _anchors(track, anchor, used)
    away = geo.distance_mm(from_lat, from_lon, lat, lon)
    limit = used["min_displacement_m"] * 1000
    outside = (away >= _THERE_MM) & ~covered
    far = (away + RESOLUTION_MM >= limit) & ~covered
    edges = np.flatnonzero(np.diff(np.concatenate(([0], outside.astype(np.int64), [0]))))
    for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if not far[begin:end].any():
            continue
        opened = _opened(track, away, covered, begin, end, used)
        parked = _parked_away(track, away, covered, far, begin, end, used)
        shown = [one for one in (opened, parked) if one is not None]
        if not shown:
            continue
        first, last = min(shown, key=lambda one: one[1])
        begun = last - _moving_for(track, first, last)
        return Moved(
            first, last, int(t[begun]), int(t[last]), int(away[last] + RESOLUTION_MM) // 1000, last - begun + 1,
            (int(from_lat[last]), int(from_lon[last])),
        )  # fmt: skip
    return None


def _opened(
    track: Mapping[str, Ints], away: Ints, covered: Bools, begin: int, end: int, used: Mapping[str, int]
) -> tuple[int, int] | None:
    """(The first fix that is needed, the fix that shows it) where the kernel of ``location`` says that the vehicle drives, in the fixes
    [begin, end) that are away from its place; ``away``: mm. Of a long stand elsewhere only what is around its moves is looked at."""
    rows = np.arange(max(0, begin - 1), end)
    if len(rows) > _LONG:
        rows = rows[_around_moves(track, rows)]
    t = track["t_us"][rows]
    matrix = row_matrix(
        len(rows), t=t, fp=track["fingerprint"][rows], lat=track["lat_e6"][rows], lon=track["lon_e6"][rows],
        speed=track["speed_dkmh"][rows], dir=track["direction_deg"][rows], odo=track["odometer_dkm"][rows] + 1,
        acc=acc_of(track)[rows], order=np.where(covered[rows], 1, 0), fenced=1, outside=(away[rows] >= _THERE_MM) & ~covered[rows],
        beyond=away[rows], max_kmh=used["max_speed_kmh"], gap_us=used["gap_s"] * US_PER_S,
        displaced_mm=used["min_displacement_m"] * 1000, idle_us=_IDLE_US, sure=1,
    )  # fmt: skip
    states = TrackStates(1)
    for name, value in (("prev_n", SUPPORT), ("home", 1)):
        states.tip[FIELDS.index(name)] = value
    done = advance(states, np.zeros(len(rows), np.int64), matrix)
    opened = next((event for event in done.events if event.event is Event.OPENED), None)
    if opened is None:
        return None
    first, last = int(rows[np.searchsorted(t, opened.after["run_t"])]), int(rows[opened.row])
    if begin and covered[begin - 1] and (opened.after["run_lat"], opened.after["run_lon"]) != (0, 0):
        first = begin - 1  # it counts from where the vehicle was left when its order ended
    elif first and away[first - 1] < _THERE_MM:
        first -= 1  # where it stood; else it had stood for long, and the run begins there
    return first, last


def _around_moves(track: Mapping[str, Ints], rows: Ints) -> Bools:
    """Which of ``rows`` are the first ones, or near a fix that moves."""
    lat, lon = track["lat_e6"][rows], track["lon_e6"][rows]
    moves = track["speed_dkmh"][rows] >= MOVING_DKMH
    moves[1:] |= geo.distance_mm(lat[:-1], lon[:-1], lat[1:], lon[1:]) > MOVING_MM
    moves[:_NEAR] = True
    near: Bools = np.convolve(moves, np.ones(2 * _NEAR + 1, np.int64), "same") > 0
    return near


def _parked_away(
    track: Mapping[str, Ints],
    away: Ints,
    covered: Bools,
    far: Bools,
    begin: int,
    end: int,
    used: Mapping[str, int],
) -> tuple[int, int] | None:
    """(The last fix at the place, the fix that shows it) of a short way that ends ``min_displacement_m`` or more away (``far``), where the
    vehicle rests again: it was seen to drive on the way, by speed and by whatever else its terminal reports, and AGREE_FIXES over
    AGREE_US agree that it stands there. Reports that come every half a minute show no more of it."""
    t, first = track["t_us"], begin - 1
    if first < 0 or covered[first]:
        return None
    there = np.flatnonzero(far[begin:end]) + begin
    for at in there[:_TRIED].tolist():
        last = at + AGREE_FIXES - 1
        if (
            last < end
            and far[at : last + 1].all()
            and t[last] - t[at] >= AGREE_US
            and _drove(track, first, at, used)
        ):
            return first, last
    return None


def _drove(track: Mapping[str, Ints], first: int, last: int, used: Mapping[str, int]) -> bool:
    """Whether fixes after ``first`` up to ``last``, without a silence between them, say that the vehicle drove: by a speed, with ACC on
    and an odometer that advances, where these are reported."""
    part = slice(first + 1, last + 1)
    if (np.diff(track["t_us"][first : last + 1]) > used["gap_s"] * US_PER_S).any():
        return False
    fast = track["speed_dkmh"][part] >= MOVING_DKMH
    acc = acc_of(track)[part]
    if (acc != 0).any():
        fast &= acc == ACC_ON
    odometer = track["odometer_dkm"][first : last + 1]
    known = odometer[odometer >= 0]
    return bool(fast.any()) and (len(known) < 2 or bool(known[-1] > known[0]))


def _moving_for(track: Mapping[str, Ints], first: int, last: int) -> int:
    """How many fixes back from ``last`` the vehicle has been moving without a break; not beyond ``first``."""
    lat, lon, part = track["lat_e6"], track["lon_e6"], slice(first + 1, last + 1)
    step = geo.distance_mm(lat[first:last], lon[first:last], lat[part], lon[part])
    still = np.flatnonzero((track["speed_dkmh"][part] < MOVING_DKMH) & (step <= MOVING_MM))
    return last - first if not len(still) else last - first - 1 - int(still[-1])


def _anchors(track: Mapping[str, Ints], anchor: Anchor, used: Mapping[str, int]) -> tuple[Ints, Ints]:
    """From where each fix is measured: the anchor and, after a way that nobody saw, where the vehicle was seen next."""
    t, lat, lon = track["t_us"], track["lat_e6"], track["lon_e6"]
    unseen = np.flatnonzero(_unseen(track, anchor, used))
    at = np.searchsorted(unseen, np.arange(len(t)), side="right")
    lats = np.concatenate(([anchor["lat_e6"]], lat[unseen]))
    lons = np.concatenate(([anchor["lon_e6"]], lon[unseen]))
    return lats[at], lons[at]


def _unseen(track: Mapping[str, Ints], anchor: Anchor, used: Mapping[str, int]) -> Bools:
    """Which fixes end a way in a silence longer than ``gap_s``: of however little is not its place, for a way of which a part was not seen
    is not one that was seen, whatever the limit."""
    t = np.concatenate(([anchor["t_us"]], track["t_us"]))
    lat = np.concatenate(([anchor["lat_e6"]], track["lat_e6"]))
    lon = np.concatenate(([anchor["lon_e6"]], track["lon_e6"]))
    gone = geo.distance_mm(lat[:-1], lon[:-1], lat[1:], lon[1:]) >= _THERE_MM
    found: Bools = gone & (np.diff(t) > used["gap_s"] * US_PER_S)
    return found


def _elsewhere(
    track: Mapping[str, Ints], anchor: Anchor, orders: Sequence[TaskCover], used: Mapping[str, int]
) -> bool:
    """Whether the vehicle ends away from its place, without having been seen to go there, and no order covers its way."""
    t, lat, lon = track["t_us"], track["lat_e6"], track["lon_e6"]
    limit = used["min_displacement_m"] * 1000
    away = geo.distance_mm(
        np.full(1, anchor["lat_e6"], np.int64), np.full(1, anchor["lon_e6"], np.int64), lat[-1:], lon[-1:]
    )
    if int(away[0]) + RESOLUTION_MM < limit:
        return False
    ends = np.flatnonzero(_unseen(track, anchor, used))
    if not len(ends):
        return False
    end = int(ends[-1])
    before = anchor["t_us"] if end == 0 else int(t[end - 1])
    return not any(order["from_us"] <= int(t[end]) and order["to_us"] > before for order in orders)


def _covered(t_us: Ints, orders: Sequence[TaskCover]) -> Bools:
    found = np.zeros(len(t_us), np.bool_)
    for order in orders:
        found |= (t_us >= order["from_us"]) & (t_us < order["to_us"])
    return found


def cut(evidence: Facts, track: Mapping[str, Ints], moved: Moved) -> Evidence:
    """The evidence of a movement found in a longer track: as much of the track as shows it, and the orders of that time."""
    keep = slice(moved.first, moved.last + 1)
    part = {name: column[keep] for name, column in track.items()}
    anchor = evidence["anchor"]
    if anchor is not None:
        # As of the first fix that is shown, for the way to that is not: from where it was seen again, after a silence.
        anchor = {"t_us": int(part["t_us"][0]), "lat_e6": moved.anchor[0], "lon_e6": moved.anchor[1]}
    since, until = int(part["t_us"][0]), int(part["t_us"][-1])
    orders: list[TaskCover] = [
        {**o, "from_us": max(o["from_us"], since), "to_us": min(o["to_us"], until + 1)}
        for o in evidence["orders"]
        if o["from_us"] <= until and o["to_us"] > since
    ]
    return {**evidence, "anchor": anchor, "orders": orders, "track": freeze_track(part)}
