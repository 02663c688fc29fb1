"""One step of a track: what the next fix does to a vehicle's state.

``step`` is written once and runs in two ways with the same integers as result: over numpy columns (one
element a vehicle) and over plain Python integers (one vehicle). ``rules.tracks.ops`` hides the difference. Nothing here is
a float except inside the distance formula, which is exact to the bit in both (telemetry.geo).

Cleaning. Which fixes are valid is decided in ``rules.tracks.cleaning``, by what comes before a fix and by what
follows. ``step`` is what a fix does that is confirmed. ``quick`` tells of which fixes that is plain at once; they are
nearly all, and those only run over columns.

Mileage. A fix is *kept* when it is KEEP_MM or more from the last kept one (the anchor),
or, while moving, when its direction turned by TURN_DEG or more and it is TURN_KEEP_MM or more away. The
mileage is the sum of the distances between kept fixes plus the tail: the distance of the last moving fix from
the anchor. Drift of a standing vehicle stays near the anchor and adds nothing; the noise of a driving one is
taken in over long chords only. When a fix is kept across a gap longer than ``gap_s``, the straight line from
the previous valid fix is added and also counted as bridged. Between two fixes at rest (speed below 5 km/h, ACC off, the
odometer stands) nothing is added however far they are apart, nor where no car can have driven from one to the other. A
vehicle that stands with its engine on drifts farther: after a slow fix a slow one less than STANDS_MM from it is kept only from
STANDS_MM on from the anchor, where the terminal reports ACC or odometer besides its positions and the odometer does not advance. The
anchor stays, so the metres of a slow drive are added later. A vehicle at rest that is STANDS_MM or more away after a gap of more
than LONG_US did not drift: it was driven or carried, unseen (a terminal without power counts no kilometres). That way is bridged.
One whose terminal goes on reporting that it is at rest is carried, as on a ferry: nothing is driven.

Runs and episodes (docs/rules/location.md). A run is a sequence of consecutive valid fixes outside the vehicle's
fence at times that no order covers. A fix of it is *away* when it is ``min_displacement_m`` or more beyond the fence
and, where the run did not begin by leaving the fence (an order ended outside, the vehicle was first seen there), as far
from the place where it began. The run becomes an episode at an away fix, not its first fix, at which the fixes that are away
without a break show driving: two of speed, ACC on, odometer advancing, three fixes over 60 s that agree. What the terminal
does not report does not count against it: where of the first three it reports one or none, one of the four is enough (one
that tells positions only has but the last). A speed shows driving when the fix before had one too and the way between them
bears them out: a stray fix may carry any speed. Where an engine runs, no fix has a speed and the odometer does not advance, the
fixes may be the drift of a vehicle that stands: they agree after DRIFT_AGREE_US, or DRIFT_MM beyond (STANDS_MM where the odometer
stands). A run ends
when a fix is inside, covered, or without a fence, when the vehicle is no official one any more, or when there was no
moving fix for ``episode_idle_min`` and this one is no displacement from the fix before it (silent that long and seen
elsewhere was driven, not parked); after that a new run starts where the vehicle stands. The displacement still counts from
where it did before, over all stops, until the vehicle is back; only after an episode it counts from where that was parked.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from types import SimpleNamespace
from typing import Any

from rules.tracks.odometer import STEP_M, drivable

MOVING_DKMH = 50  # from this reported speed on a vehicle moves (5 km/h)
MOVING_MM = 50_000  # or farther than this from the previous valid fix
#: A fix so near is no outlier; a fix at rest that is farther from another one at rest may be one.
NEAR_MM = 300_000
REST_MM = 80_000
#: A report tells its place in steps of 1e-6 degree: it may be so much nearer than the vehicle was. What is exactly at a limit
#: must not depend on how it was rounded.
RESOLUTION_MM = 80
#: Longer than this between two fixes the faster of their speeds says nothing about the way between them, the slower one
#: nothing beyond LONG_US.
SHORT_US = 120_000_000
LONG_US = 1_800_000_000
#: The odometer (0.1 km) bears out a straight line when it advanced by this share of it: 10 in 13.
ODO_MM = 130_000
#: A straight line longer than this is contradicted by an odometer that stands. A vehicle that stands with its engine on drifts
#: less far than this.
STANDS_MM = 1_000_000
#: Fixes that agree ("Standing still", docs/rules/README.md): so many, over so long.
AGREE_FIXES = 3
AGREE_US = 60_000_000
#: Those of a vehicle whose engine runs and whose every speed is 0 may be drift, which wanders about for minutes, but seldom so
#: far.
DRIFT_AGREE_US = 900_000_000
DRIFT_MM = 600_000
ACC_OFF, ACC_ON = 1, 2
#: More fixes that agree with one another than these weigh no more.
SUPPORT = 60
KEEP_MM = 80_000
TURN_KEEP_MM = 30_000
TURN_DEG = 30
US_PER_S = 1_000_000

#: Columns of a row, in the order of the row matrix; int64.
ROW_FIELDS: tuple[str, ...] = (
    "t",
    "fp",
    "lat",
    "lon",
    "speed",  # 0.1 km/h
    "dir",  # degree
    "odo",  # 0.1 km plus 1; 0 = absent
    "acc",  # 0 = not reported, 1 = off, 2 = on
    "day",  # natural day of t
    "order",  # number of the order that covers t, 0 = none
    "fenced",  # 1: the vehicle has a fence at t, 0: it has none, -1: it is no official vehicle at t
    "outside",  # 1: the fix is outside of it
    "beyond",  # mm from the fence when outside
    "max_kmh",
    "gap_us",
    "displaced_mm",
    "idle_us",
    "sure",  # 1: the fix is known to be valid, whatever is before it; 2: nobody drove to it from there either
    "term",  # where several terminals sit in the vehicle: which; else 0
)


class Event(IntEnum):
    """What a row did to the vehicle's episode."""

    NONE = 0
    OPENED = 1
    ENTERED = 2  # closed: back inside the fence
    ORDER = 3  # closed: an order covers the time
    IDLE = 4  # closed: parked
    NO_FENCE = 5  # closed: the vehicle has no fence any more
    NOT_OFFICIAL = 6  # closed: the vehicle is no official one any more


#: What ``_run`` gives: fields of the half.
RUN_FIELDS: tuple[str, ...] = (
    "event", "run_t", "run_from_t", "run_lat", "run_lon", "run_n", "run_last_t", "run_far", "run_away", "run_away_t", "run_said",
    "run_odo", "run_apart", "open_t", "open_seen_t",
)  # fmt: skip
#: What ``_run`` takes of the half before the fix, besides the fix itself.
_OF_HALF = (
    "home", "moved_t", "prev_t", "prev_speed", "prev_acc", "prev_odo", "run_t", "run_from_t", "run_lat", "run_lon", "run_n", "run_far",
    "run_away", "run_away_t", "run_said", "run_odo", "run_apart", "open_t", "open_seen_t",
)  # fmt: skip
#: And of the row.
_OF_ROW = (
    "t", "lat", "lon", "speed", "odo", "acc", "order", "fenced", "beyond", "max_kmh", "displaced_mm", "idle_us", "seen_t",
)  # fmt: skip


def _mileage(o: Any, s: Any, name: str, fresh: Any, r: Any, distance: Any, w_: _Way) -> dict[str, Any]:
    """Mileage fields ``name``_* after a valid fix. ``fresh``: the fix is the first of a new window."""
    w = o.where
    turn = abs(r.dir - getattr(s, name + "_a_dir")) % 360
    turned = o.minimum(turn, 360 - turn) >= TURN_DEG
    moving = r.speed >= MOVING_DKMH
    nothing = (w_.rest & o.no(w_.unseen)) | w_.leap
    far = distance >= w(w_.still, STANDS_MM, KEEP_MM)
    keep = far | (moving & turned & (distance >= TURN_KEEP_MM)) | w_.leap
    bridge = keep & w_.gap & o.no(nothing)
    tail = getattr(s, name + "_tail_mm")
    added = w(keep, w(nothing, tail, w(bridge, tail + w_.mm, distance)), 0)
    anchor = keep | fresh
    return {
        name + "_a_lat": w(anchor, r.lat, getattr(s, name + "_a_lat")),
        name + "_a_lon": w(anchor, r.lon, getattr(s, name + "_a_lon")),
        name + "_a_dir": w(anchor, r.dir, getattr(s, name + "_a_dir")),
        name + "_sum_mm": w(fresh, 0, getattr(s, name + "_sum_mm") + added),
        name + "_tail_mm": w(anchor, 0, w(moving, distance, tail)),
        name + "_bridged_mm": w(fresh, 0, getattr(s, name + "_bridged_mm") + w(bridge, w_.mm, 0)),
    }


@dataclass(frozen=True, slots=True, eq=False)
class _Way:
    """The way from one fix to the next: its length, whether it is long in time, whether the vehicle rests at both ends,
    whether no car can drive it, whether it is the drift of a vehicle that stands, and whether a vehicle at rest is so far away
    after so long a gap that it did not drift."""

    mm: Any
    gap: Any
    rest: Any
    leap: Any
    still: Any
    unseen: Any


def reachable(o: Any, mm: Any, us: Any, max_kmh: Any) -> Any:
    """Whether a vehicle can come ``mm`` far in ``us``. 1 km/h = 1e6 mm / 3600e6 us: compared in integers."""
    return mm * 3600 <= max_kmh * o.maximum(us, US_PER_S)


def resting(a: Any, b: Any) -> Any:
    """Whether nothing but positions says that a vehicle moved from fix ``a`` to fix ``b`` (speed, acc, odo): both slow, with
    ACC off, and the odometer stands."""
    slow = (a.speed < MOVING_DKMH) & (b.speed < MOVING_DKMH) & (a.acc == ACC_OFF) & (b.acc == ACC_OFF)
    return slow & ((a.odo == 0) | (b.odo == 0) | (a.odo >= b.odo))


def stands(a: Any, b: Any) -> Any:
    """Whether the odometer, reported with fix ``a`` and with fix ``b``, did not advance. One that tells 0 does not count yet."""
    return (a.odo > 1) & (b.odo > 1) & (b.odo <= a.odo)


def drifting(o: Any, a: Any, b: Any, mm: Any) -> Any:
    """Whether ``mm`` from fix ``a`` to fix ``b`` (speed, acc, odo) is drift by what the terminal says: both are slow, less than
    STANDS_MM apart, and the odometer does not advance. A terminal that reports neither ACC nor odometer tells positions only: its speed of 0
    is no report, and its positions count."""
    slow = (a.speed < MOVING_DKMH) & (b.speed < MOVING_DKMH) & (mm < STANDS_MM)
    reports = (a.acc == ACC_ON) | (b.acc == ACC_ON) | ((a.odo > 1) & (b.odo > 1))
    return slow & reports & o.no((a.odo != 0) & (b.odo > a.odo))


def plain(o: Any, a: Any, b: Any, mm: Any, us: Any, max_kmh: Any, rest: Any = None) -> Any:
    """Whether fix ``b`` is no outlier by fix ``a`` (speed, acc, odo) before it alone: it is near, or what the terminal
    itself says bears out the way of ``mm`` in ``us``. A stray fix may carry a speed too: after a fix at rest its own speed bears out
    nothing. ``rest``: ``resting(a, b)``, where the caller knows it."""
    rest = resting(a, b) if rest is None else rest
    us = o.maximum(us, US_PER_S)
    short = us <= SHORT_US
    known = (a.odo != 0) & (b.odo > a.odo)
    driven = b.odo - a.odo
    by_odometer = known & ((driven + 1) * ODO_MM >= mm) & drivable(driven * STEP_M, us, max_kmh)
    alone = a.speed < MOVING_DKMH
    fast = o.where(short & o.no(alone), o.maximum(a.speed, b.speed), o.minimum(a.speed, b.speed))
    # 0.1 km/h for 1 us is 1/36000 mm; twice the reported speed is allowed.
    by_speed = ((mm - NEAR_MM) * 18_000 <= fast * o.minimum(us, LONG_US)) & o.no(
        stands(a, b) & (mm > STANDS_MM)
    )
    near = mm <= o.where(rest, REST_MM, NEAR_MM)
    moved = o.no(rest) & (by_odometer | by_speed)
    return reachable(o, mm, us, max_kmh) & (near | moved)


def borne_out(o: Any, a: Any, b: Any, mm: Any, us: Any) -> Any:
    """Whether the way of ``mm`` in ``us`` bears out that fixes ``a`` and ``b`` (speed) both drive: a quarter of what the slower one
    would make. 0.1 km/h for 1 us is 1/36000 mm."""
    slower = o.minimum(a.speed, b.speed)
    return (slower >= MOVING_DKMH) & (mm * 144_000 >= slower * us)


def _run(o: Any, s: Any, r: Any, way: Any) -> dict[str, Any]:
    """RUN_FIELDS after a valid fix. ``way``: ``mm``, its distance from the one before; ``out``, whether it is outside and nothing
    covers it; ``from_t`` of ``step``. All are 0 where it is not outside, and there was neither run nor episode."""
    w, mm, out, from_t = o.where, way.mm, way.out, way.from_t
    last = SimpleNamespace(speed=s.prev_speed, acc=s.prev_acc, odo=s.prev_odo)
    (d_run,) = o.distances(((s.run_lat, s.run_lon),), r.lat, r.lon)
    running, was_open = s.run_t != 0, s.open_t != 0
    here = mm < o.maximum(r.displaced_mm, MOVING_MM)
    idle = running & out & here & (r.t - o.maximum(s.moved_t, s.run_t) >= r.idle_us)
    start = out & (o.no(running) | idle)
    go_on = out & o.no(start)
    same_anchor = go_on | (idle & o.no(was_open))
    from_fence = o.no(idle) & (s.home != 0)
    run_lat = w(same_anchor, s.run_lat, w(from_fence, 0, r.lat))
    run_lon = w(same_anchor, s.run_lon, w(from_fence, 0, r.lon))
    at_fence = (run_lat == 0) & (run_lon == 0)
    displaced = at_fence | (same_anchor & (d_run + RESOLUTION_MM >= r.displaced_mm))
    away = out & (r.beyond + RESOLUTION_MM >= r.displaced_mm) & displaced

    before = w(start, 0, s.run_away)
    away_n = w(away, before + 1, 0)
    away_t = w(away, w(before > 0, s.run_away_t, r.t), 0)
    run_odo = w(start, r.odo, w(s.run_odo != 0, s.run_odo, r.odo))
    run_t = w(start, r.t, w(go_on, s.run_t, 0))
    measured = (r.odo != 0) & (run_odo != 0)
    driven = r.odo - run_odo
    can = drivable(driven * STEP_M, o.maximum(r.t - run_t, US_PER_S), r.max_kmh)
    said = (
        w(r.speed > 0, 1, 0)
        | w(borne_out(o, last, r, mm, r.t - s.prev_t), 2, 0)
        | w(r.acc != 0, 4, 0)
        | w(r.acc == ACC_ON, 8, 0)
        | w(measured, 16, 0)
        | w(measured & (driven > 0) & can, 32, 0)
        | w(r.speed >= MOVING_DKMH, 64, 0)
    )
    said = w(away, w(before > 0, s.run_said, 0) | said, 0)
    run_n = w(start, 1, w(go_on, s.run_n + 1, 0))
    # Where the fence was left, the fixes between it and there agree as well.
    left = at_fence & (away_n >= 2) & (run_n >= AGREE_FIXES) & (r.t - run_t >= AGREE_US)
    agree = left | ((away_n >= AGREE_FIXES) & (r.t - away_t >= AGREE_US))
    # No speed and no odometer say that it drives, only that its engine runs.
    wanders = ((said & 8) != 0) & ((said & (32 | 64)) == 0)
    far = w((said & 16) != 0, STANDS_MM, DRIFT_MM)
    beyond = (r.beyond >= far) & (at_fence | (d_run >= far))
    agree = agree & (o.no(wanders) | beyond | (r.t - away_t >= DRIFT_AGREE_US))

    def count(bits: tuple[int, ...]) -> Any:
        return sum(w((said & bit) != 0, 1, 0) for bit in bits)

    # A speed of 0 is a report where the terminal reports ACC or odometer too.
    reported = w((said & (1 | 4 | 16)) != 0, 1, 0) + count((4, 16))
    driving = count((2, 8, 32)) + w(agree, 1, 0) >= o.maximum(1, o.minimum(2, reported))
    opens = away & go_on & o.no(was_open) & driving
    closes = was_open & (o.no(out) | idle)
    unfenced = w(r.fenced < 0, int(Event.NOT_OFFICIAL), int(Event.NO_FENCE))
    ended = w(r.order != 0, int(Event.ORDER), w(r.fenced <= 0, unfenced, int(Event.ENTERED)))
    return {
        "event": w(closes, w(idle, int(Event.IDLE), ended), w(opens, int(Event.OPENED), int(Event.NONE))),
        "run_t": run_t,
        "run_from_t": w(start, from_t, w(go_on, s.run_from_t, 0)),
        "run_lat": w(out, run_lat, 0),
        "run_lon": w(out, run_lon, 0),
        "run_n": run_n,
        "run_last_t": w(out, r.t, 0),
        "run_far": w(start, r.beyond, w(go_on, o.maximum(s.run_far, r.beyond), 0)),
        "run_away": away_n,
        "run_away_t": away_t,
        "run_said": said,
        "run_odo": w(out, run_odo, 0),
        "run_apart": w(go_on, s.run_apart, 0),
        "open_t": w(opens, r.t, w(go_on, s.open_t, 0)),
        "open_seen_t": w(opens, r.seen_t, w(go_on, s.open_seen_t, 0)),
    }


def step(o: Any, s: Any, r: Any, from_t: Any) -> tuple[Any, dict[str, Any]]:
    """(Whether the fix is plainly valid, the new half after it) for row ``r`` (namespace of ROW_FIELDS and ``seen_t``, the time
    of the row that confirms it) on half ``s`` (namespace of FIELDS). ``from_t``: what a run that begins here rests on
    begins then. Fields of fixes that wait are left out: ``rules.tracks.cleaning`` has them.

    ``o``: VectorOps for columns of shape (n,), ScalarOps for Python integers. Returns the fields by name.
    """
    w = o.where
    d_prev, d_day, d_leg = o.distances(
        ((s.prev_lat, s.prev_lon), (s.day_a_lat, s.day_a_lon), (s.leg_a_lat, s.leg_a_lon)), r.lat, r.lon
    )
    known = s.prev_t != 0
    dt = r.t - s.prev_t
    last = SimpleNamespace(speed=s.prev_speed, acc=s.prev_acc, odo=s.prev_odo)
    mine = (r.term == 0) | (s.lead == 0) | (s.lead == r.term)
    rest = resting(last, r)
    quick = mine & (o.no(known) | (r.sure != 0) | plain(o, last, r, d_prev, dt, r.max_kmh, rest))
    rest = known & rest
    leap = known & (o.no(reachable(o, d_prev, dt, r.max_kmh)) | (r.sure == 2))
    gap = known & (dt > r.gap_us)
    still = known & o.no(gap | rest | leap) & drifting(o, last, r, d_prev)
    unseen = gap & rest & (dt > LONG_US) & (d_prev >= STANDS_MM)
    way = _Way(d_prev, gap, rest, leap, still, unseen)
    moving = (r.speed >= MOVING_DKMH) | (known & (d_prev > MOVING_MM) & o.no(rest | leap))

    free = (r.fenced > 0) & (r.order == 0)
    out = free & (r.outside != 0)
    # Most vehicles are under an order or in their yard: nothing of a run is to be computed.
    running = out | (s.run_t != 0) | (s.open_t != 0)
    here = SimpleNamespace(mm=d_prev, out=out, from_t=from_t)
    run = o.only(
        running, RUN_FIELDS, partial(_run, o), (s, _OF_HALF), (r, _OF_ROW), (here, ("mm", "out", "from_t"))
    )
    leg = w(r.order != 0, r.order, -run["run_t"])
    new_leg = (leg != s.leg) & (leg != 0)
    new_day = r.day != s.day
    has_odo = r.odo != 0
    odo_first = w(new_leg, 0, s.odo_first)
    return quick, {
        **run,
        "home": w(free & (r.outside == 0), 1, 0),
        "t": r.t,
        "fp": r.fp,
        "seen_t": r.seen_t,
        "prev_t": r.t,
        "prev_lat": r.lat,
        "prev_lon": r.lon,
        "prev_speed": r.speed,
        "prev_acc": r.acc,
        "prev_odo": r.odo,
        "prev_n": w(leap, 1, o.minimum(s.prev_n + 1, SUPPORT)),
        "lead": r.term,
        "other": s.other,
        "other_t": s.other_t,
        "other_lat": s.other_lat,
        "other_lon": s.other_lon,
        "other_go": s.other_go,
        "moved_t": w(moving, r.t, s.moved_t),
        "day": r.day,
        **_mileage(o, s, "day", new_day, r, w(new_day, 0, d_day), way),
        "leg": leg,
        **_mileage(o, s, "leg", new_leg | (leg == 0), r, w(new_leg, 0, d_leg), way),
        "leg_t": w(new_leg, r.t, w(leg == 0, 0, s.leg_t)),
        "odo_first": w(leg == 0, 0, w((odo_first == 0) & has_odo, r.odo, odo_first)),
        "odo_last": w(leg == 0, 0, w(has_odo, r.odo, w(new_leg, 0, s.odo_last))),
    }
