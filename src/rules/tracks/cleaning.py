"""Which fixes are valid: an outlier is judged from both sides, by what comes before it and by what follows. Pure.

A fix that is *plain* by the newest valid one (``kernel.plain``: it is near, or speed or odometer of the terminal bear the way
out) is valid at once. Any other one waits: it may be a stray fix, or the vehicle was elsewhere indeed. The fixes that
wait agree with one another (each can be reached from the one before); they are the *branch*. The next fix decides:

- It lies nearer to the newest valid fix than to the branch, and can be reached from there: the branch was stray. Its
  fixes are no valid ones, and the next fix is looked at anew.
- It goes on from the branch: the branch grows. It *wins* with CONFIRMING fixes over at least ``kernel.AGREE_US``, whatever
  the gap before it: all its fixes are valid. Where no vehicle can have come to it from the newest valid fix, and the
  terminal was not silent before it, one side is wrong: then it needs more fixes than agree with that one (``prev_n``), or so
  much time that a vehicle could have come. Where the first of it came within ``kernel.SHORT_US`` at a possible speed, two
  fixes are enough, if one of them moves by its own speed, or the terminal does not report ACC (it tells positions only: then
  only the next position can say more). Where the newest valid fix is at rest and the odometer does not advance, speed is
  not enough, for a stray fix may carry one: the second fix must have moved on from the first as their speeds say, and far where ACC
  stays off or the odometer stands.
- It can be reached from neither: one disagreement takes one fix from the branch, so a stray fix does not end it, and a
  branch of stray fixes does not go on for ever. Of two single ones, the newer waits, but for the first time the older one
  where only that can be reached from the newest valid fix.

So two or three stray fixes in a row (a reflection) are dropped, and a vehicle that was carried far while its terminal was off
is believed after four. Nothing is known of a fix that waits: it opens nothing and adds nothing. What it confirms is
confirmed by a later report, in the order of time.

Several terminals in one vehicle are judged each for itself: the fixes of one, the leading one, count, those of another are set
aside. Another takes the lead with the second report in a row that says it drives (its speed and ACC, or its own position
before) while the leading one does not, or when that is silent for LEAD_SILENT_US. Nobody drove from the one to the other.
So one that rests in the yard does not hide one that drives, and they are no jumps of each other. How far they are apart is
kept (``run_apart``).

A state with no waiting fixes is, as far as cleaning goes, its newest valid fix alone: a track that is read from there on is
cleaned alike (``run_from_t`` of the state).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from rules.tracks.kernel import (
    ACC_OFF,
    AGREE_US,
    MOVING_DKMH,
    NEAR_MM,
    ROW_FIELDS,
    SHORT_US,
    borne_out,
    plain,
    reachable,
    resting,
    stands,
    step,
)
from rules.tracks.ops import ScalarOps, VectorOps, namespace
from rules.tracks.state import FIELDS, WAITING, WAITING_FIELDS
from runtime.arrays import Bools, Ints
from runtime.units import CHINA_OFFSET_US, US_PER_DAY
from telemetry import geo

#: So many fixes of a branch that agree are believed.
CONFIRMING: Final = 4
_FIRST: Final = FIELDS.index("w1_t")
_WIDTH: Final = len(WAITING_FIELDS)
_COUNT: Final = FIELDS.index("waiting")
#: The fields of a half that are not those of the fixes that wait, and how many of them with their number are the first.
_OWN: Final = FIELDS[:_COUNT]
MOST: Final = _COUNT + 1
_NOTHING: Final = [0] * (len(FIELDS) - _COUNT)
_LEAD: Final = FIELDS.index("lead")
_TERM: Final = ROW_FIELDS.index("term")
_SURE: Final = ROW_FIELDS.index("sure")
#: A terminal that leads and is silent for so long, as a parked vehicle may be, leads no more.
LEAD_SILENT_US: Final = 1_800_000_000
_EVENT: Final = FIELDS.index("event")
_T: Final = FIELDS.index("t")
_FP: Final = FIELDS.index("fp")
#: Bit of ``said`` of a fix that waits: a later one agreed with it no more than with the newest valid one. Below it: ACC (2
#: bits), fenced (2), outside (1).
_DOUBTED: Final = 1 << 5


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A fix that a row confirmed: the row itself (``waited`` 0), or number ``waited`` of those that waited, from 1 on. The half
    before and after it, in the order of FIELDS."""

    waited: int
    before: Sequence[int]
    after: list[int]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a row did to a vehicle. ``kept``: which of the fixes that waited go on waiting, by number from 1 on; the row itself
    is 0. ``aside``: it is of another terminal than the one that leads."""

    half: list[int]
    confirmed: list[Confirmed]
    kept: list[int]
    aside: bool = False


def take(half: Sequence[int], row: Sequence[int], unsure: bool = True) -> Taken:
    """A row (in the order of ROW_FIELDS) of one vehicle on its half (in the order of FIELDS). ``unsure`` False: it is
    known (``step_vehicles``) that its fix is not plainly valid."""
    lead, term = half[_LEAD], row[_TERM]
    taken = _other(half, row) if lead and term and lead != term else _one(half, row, unsure)
    taken.half[_LEAD] = lead if taken.aside else term
    return taken


def _other(half: Sequence[int], row: Sequence[int]) -> Taken:
    """A row of a terminal that does not lead."""
    s, r = namespace(_OWN, half[:_COUNT]), namespace(ROW_FIELDS, row)
    moved = 0
    if s.other == r.term:
        moved = geo.distance_mm_scalar(s.other_lat, s.other_lon, r.lat, r.lon)
        if not reachable(ScalarOps, moved, r.t - s.other_t, r.max_kmh):
            moved = 0
    drives = (r.speed >= MOVING_DKMH and r.acc != ACC_OFF) or (moved >= NEAR_MM and r.acc != ACC_OFF)
    go = (s.other_go if s.other == r.term else 0) + 1 if drives else 0
    free = [*half[:_LEAD], 0, *half[_LEAD + 1 :]]
    if r.t - s.prev_t >= LEAD_SILENT_US:
        return _one(free, row, True)
    if go >= 2 and r.t - s.moved_t >= AGREE_US:
        return _one(_without(free), [*row[:_SURE], 2, *row[_SURE + 1 :]], True)
    after = list(half)
    for name, value in (
        ("t", r.t), ("fp", r.fp), ("event", 0), ("other", r.term), ("other_t", r.t), ("other_lat", r.lat),
        ("other_lon", r.lon), ("other_go", go),
    ):  # fmt: skip
        after[FIELDS.index(name)] = value
    if s.run_t and r.t - s.prev_t <= SHORT_US:
        last = namespace(("speed", "acc", "odo"), (s.prev_speed, s.prev_acc, 0))
        apart = geo.distance_mm_scalar(s.prev_lat, s.prev_lon, r.lat, r.lon)
        if not plain(ScalarOps, last, r, apart, r.t - s.prev_t, r.max_kmh):
            after[FIELDS.index("run_apart")] = max(s.run_apart, apart)
    return Taken(after, [], list(range(1, min(half[_COUNT], WAITING) + 1)), True)


def _one(half: Sequence[int], row: Sequence[int], unsure: bool) -> Taken:
    count = half[_COUNT]
    if not count:
        if unsure:
            quick, after = _confirm(half, row, row[0], row[0])
            if quick:
                return Taken(after, [Confirmed(0, half, after)], [])
        return _wait(half, row, [(0, _waiting_of(row))], 1)
    fixes = [list(half[_FIRST + k * _WIDTH : _FIRST + (k + 1) * _WIDTH]) for k in range(min(count, WAITING))]
    held = list(enumerate(fixes, 1))
    s, r = namespace(_OWN, half[:_COUNT]), namespace(ROW_FIELDS, row)
    last = namespace(WAITING_FIELDS, fixes[-1])
    to_valid = geo.distance_mm_scalar(s.prev_lat, s.prev_lon, r.lat, r.lon)
    to_branch = geo.distance_mm_scalar(last.lat, last.lon, r.lat, r.lon)
    from_valid = reachable(ScalarOps, to_valid, r.t - s.prev_t, r.max_kmh)
    from_branch = reachable(ScalarOps, to_branch, r.t - last.t, r.max_kmh)
    if from_valid and (not from_branch or to_valid < to_branch):
        return _one(_without(half), row, True)
    if not from_branch:  # it agrees with nobody
        if len(held) > 1:
            return _wait(half, row, held[1:], len(held) - 1)
        if _begins_well(s, last, r.max_kmh) and not last.said & _DOUBTED:
            return _wait(half, row, [(1, _doubted(fixes[0]))], 1)
        return _wait(half, row, [(0, _waiting_of(row))], 1)
    if _wins(s, namespace(WAITING_FIELDS, fixes[0]), last, r, count + 1):
        return _flush(half, row, held)
    held.append((0, _waiting_of(row)))
    if len(held) > WAITING:  # the middle is lost
        held = [held[0], *held[2:]]
    return _wait(half, row, held, count + 1)


def step_vehicles(halves: Ints, rows: Ints) -> tuple[Ints, Bools]:
    """Rows of many vehicles, one each, whose fix is plainly valid (``True``): int64 matrices (MOST, n) of the first fields
    and (len(ROW_FIELDS), n) to (halves after them, which those are); the others are left to ``take``."""
    state, taken = namespace(_OWN, halves[:_COUNT]), namespace(ROW_FIELDS, rows)
    taken.seen_t = taken.t
    quick, result = step(VectorOps, state, taken, taken.t)
    made = np.empty_like(halves)
    for place, name in enumerate(_OWN):
        made[place] = result[name]
    made[_COUNT] = 0
    return made, quick & (halves[_COUNT] == 0)


def believable(half: Sequence[int], max_kmh: int) -> bool:
    """Whether the fixes that wait in a half may be true: the first of them can be reached from the newest valid one."""
    if not half[_COUNT]:
        return False
    first = namespace(WAITING_FIELDS, half[_FIRST : _FIRST + _WIDTH])
    return _begins_well(namespace(_OWN, half[:_COUNT]), first, max_kmh)


def waiting_since(half: Ints) -> Ints:
    """The time of the first fix that waits in each half, (len(FIELDS), n); 0 = none does."""
    found: Ints = half[_FIRST + WAITING_FIELDS.index("t")]
    return found


def _confirm(half: Sequence[int], row: Sequence[int], seen_t: int, from_t: int) -> tuple[bool, list[int]]:
    r = namespace(ROW_FIELDS, row)
    r.seen_t = seen_t
    quick, result = step(ScalarOps, namespace(_OWN, half[:_COUNT]), r, from_t)
    return bool(quick), [int(result[name]) for name in _OWN] + _NOTHING


def _flush(half: Sequence[int], row: Sequence[int], held: Sequence[tuple[int, list[int]]]) -> Taken:
    """The branch and the row are valid, one after the other."""
    from_t = half[FIELDS.index("prev_t")]
    confirmed, before = [], _without(half)
    for place, fix in [*held, (0, None)]:
        _, after = _confirm(before, row if fix is None else _row_of(fix, row), row[0], from_t)
        confirmed.append(Confirmed(place, before, after))
        before = after
    return Taken(confirmed[-1].after, confirmed, [])


def _wins(s: Any, first: Any, last: Any, r: Any, count: int) -> bool:
    possible = _begins_well(s, first, r.max_kmh)
    if count >= CONFIRMING and r.t - first.t >= AGREE_US:
        way = geo.distance_mm_scalar(s.prev_lat, s.prev_lon, r.lat, r.lon)
        by_now = (
            possible or first.t - s.prev_t > SHORT_US or reachable(ScalarOps, way, r.t - s.prev_t, r.max_kmh)
        )
        return bool(by_now or count > s.prev_n)
    valid = namespace(("speed", "acc", "odo"), (s.prev_speed, s.prev_acc, s.prev_odo))
    begun = namespace(("speed", "acc", "odo"), (first.speed, first.said & 3, first.odo))
    if first.t - s.prev_t > SHORT_US or resting(valid, begun) or not possible:
        return False
    contradicted = (valid.acc == begun.acc == r.acc == ACC_OFF) or stands(valid, r)
    onward = geo.distance_mm_scalar(last.lat, last.lon, r.lat, r.lon)
    if valid.speed < MOVING_DKMH and contradicted:
        return bool(onward > NEAR_MM and r.speed >= MOVING_DKMH)
    counts = valid.odo and r.odo > valid.odo
    if valid.speed < MOVING_DKMH and (r.acc or r.speed or last.speed) and not counts:
        return bool(borne_out(ScalarOps, last, r, onward, r.t - last.t))
    return bool(r.acc == 0 or r.speed >= MOVING_DKMH or last.speed >= MOVING_DKMH)


def _begins_well(s: Any, first: Any, max_kmh: int) -> bool:
    """Whether the first fix of a branch can be reached from the newest valid one."""
    way = geo.distance_mm_scalar(s.prev_lat, s.prev_lon, first.lat, first.lon)
    return bool(reachable(ScalarOps, way, first.t - s.prev_t, max_kmh))


def _doubted(fix: Sequence[int]) -> list[int]:
    made = list(fix)
    made[WAITING_FIELDS.index("said")] |= _DOUBTED
    return made


def _wait(half: Sequence[int], row: Sequence[int], held: list[tuple[int, list[int]]], count: int) -> Taken:
    after = _without(half)
    after[_T], after[_FP], after[_EVENT] = row[0], row[1], 0
    after[_COUNT] = count
    for k, (_, fix) in enumerate(held):
        after[_FIRST + k * _WIDTH : _FIRST + (k + 1) * _WIDTH] = fix
    return Taken(after, [], [place for place, _ in held])


def _without(half: Sequence[int]) -> list[int]:
    return [*half[:_COUNT], *_NOTHING]


def _waiting_of(row: Sequence[int]) -> list[int]:
    r = namespace(ROW_FIELDS, row)
    said = r.acc | (r.fenced + 1) << 2 | (1 if r.outside else 0) << 4
    return [r.t, r.lat, r.lon, r.speed, r.dir, r.odo, r.order, said, r.beyond]


def _row_of(fix: Sequence[int], row: Sequence[int]) -> list[int]:
    """The row of a fix that waited; its limits are those of the row that confirms it."""
    f, r = namespace(WAITING_FIELDS, fix), namespace(ROW_FIELDS, row)
    day = (f.t + CHINA_OFFSET_US) // US_PER_DAY
    said = f.said
    own = {
        "t": f.t, "fp": 0, "lat": f.lat, "lon": f.lon, "speed": f.speed, "dir": f.dir, "odo": f.odo, "acc": said & 3, "day": day,
        "order": f.order, "fenced": (said >> 2 & 3) - 1, "outside": said >> 4 & 1, "beyond": f.beyond,
    }  # fmt: skip
    return [int(own[name]) if name in own else int(getattr(r, name)) for name in ROW_FIELDS]
