"""off_hours 非工作时间用车: driving at night, on weekends or holidays without an order that allows it.

One vehicle and one natural day (Asia/Shanghai). One drive over midnight is one drive: of the day on which it began. What it
moves inside its own fence is no drive. Kilometres that were bridged accuse nobody. What counts is mileage by the track kernel within the off hours of the
day that no order of an allowed type covers: the night (``night_from_min`` to ``night_to_min``, over midnight when the
first is the later one; the two equal: no night) and, on a day that is not worked, everything. Each such window is
measured for itself, so nothing is counted that leads across its edge. Suspected from ``min_distance_m`` on (以上), and
never without any mileage.

Missing evidence. Whether a day is worked may not be published yet: the night is judged all the same; only when the
rest of the day would decide is the outcome undetermined. A day without a single usable fix is undetermined. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NotRequired, TypedDict

import numpy as np

from registry.order_cover import Note
from rules.checks.base import Evaluation, Outcome, measure
from rules.evidence import Track, require, track_columns
from rules.evidence_parts import Allowing, Fence, Reminder, TaskCover, Vehicle, areas_of
from rules.tracks.days import DayRows, drives, valid_fixes, window_sums
from rules.tracks.kernel import MOVING_DKMH, MOVING_MM
from runtime.arrays import Bools, Ints
from runtime.units import US_PER_DAY, US_PER_S
from telemetry import geo

RULE = "off_hours"
VERSION = 2

#: Bits of ``allowed_types``.
TASK_TYPES: Final = {"official": 1, "repair": 2, "inspection": 4, "car_wash": 8, "emergency": 16, "tow": 32}
#: A drive this many times longer than ``min_distance_m`` is no hop to another parking place: medium instead of low.
MEDIUM_TIMES: Final = 10

#: Moving fixes with less than this between them are of one drive (as in ``location``, where it is a parameter).
SAME_DRIVE_US: Final = 1800 * US_PER_S

_MINUTE_US: Final = 60 * US_PER_S


class Day(TypedDict):
    """The natural day. ``worked`` None = unknown, ``source``: who says so."""

    date: str
    from_us: int
    worked: bool | None
    name: str
    source: str


class Drive(TypedDict):
    """One drive over midnight is one drive: it belongs to the day on which it began. ``head_until_us``: until then the day
    begins with one of the day before; ``tail_until_us``: until then one that began on the day goes on after it. None = there
    is none."""

    head_until_us: int | None
    tail_until_us: int | None


class Facts(TypedDict):
    """What a vehicle's day is judged on, but for its track."""

    rule: str
    rule_version: int
    subject: str
    vehicle: Vehicle
    parameters: dict[str, int]
    orders: list[TaskCover]
    day: Day
    notes: list[Note]
    reminders: NotRequired[list[Reminder]]


class Evidence(Facts):
    """What a vehicle's day is judged on. ``track``: fixes within the windows at least; ``cleaned`` (absent: no): they are
    valid ones of a longer track, which alone tells which are. ``day_positions``: different times
    with a fix on the whole day. ``fences``: the vehicle's own areas; what it moves inside of them is no drive."""

    day_positions: int
    cleaned: NotRequired[bool]
    drive: NotRequired[Drive]
    fences: NotRequired[list[Fence]]
    track: Track


#: A part of a day: (from, to), half open, microseconds since 1970 UTC, and whether it is night.
Window = tuple[int, int, bool]


@dataclass(frozen=True, slots=True)
class Numbers:
    """What the track gives within the windows: metres (rounded down per window) by night and in the rest of the day,
    how much of each is bridged, different times with a fix, and how many the whole day has."""

    night_m: int
    rest_m: int
    night_bridged_m: int
    rest_bridged_m: int
    positions: int
    day_positions: int


def subject(vehicle: str, day: str) -> str:
    """Name of the subject: a vehicle's natural day, ``YYYY-MM-DD``."""
    return f"vehicle:{vehicle}:{day}"


def windows(
    day_us: int, worked: bool | None, used: Mapping[str, int], covers: Iterable[Allowing]
) -> list[Window]:
    """The off hours of the day that begins at ``day_us`` less the orders of ``covers`` ({task_type, from_us, to_us})
    that allow them, in order. A day of unknown kind: as one off, since then night and rest are told apart by the
    flag."""
    begin, end = day_us + used["night_from_min"] * _MINUTE_US, day_us + used["night_to_min"] * _MINUTE_US
    last = day_us + US_PER_DAY
    if begin <= end:
        parts: list[Window] = [(day_us, begin, False), (begin, end, True), (end, last, False)]
    else:
        parts = [(day_us, end, True), (end, begin, False), (begin, last, True)]
    open_: list[Window] = [p for p in parts if p[2] or worked is not True]
    for cover in covers:
        if TASK_TYPES[cover["task_type"]] & used["allowed_types"]:
            a, b = cover["from_us"], cover["to_us"]
            open_ = [w for s, e, n in open_ for w in ((s, min(e, a), n), (max(s, b), e, n))]
            open_ = [w for w in open_ if w[0] < w[1]]
    return sorted({w for w in open_ if w[0] < w[1]})


def windows_of_drives(
    day_us: int, found: Sequence[Window], used: Mapping[str, int], covers: Iterable[Allowing], drive: Drive
) -> list[Window]:
    """``found`` (``windows``) without the end of a drive that began on the day before, and with that of one that goes on after
    midnight, as far as it is night then and no order allows it."""
    head, tail = drive["head_until_us"], drive["tail_until_us"]
    made = [w for s, e, n in found if (w := (s if head is None else max(s, head), e, n))[0] < e]
    if tail is None:
        return made
    last = day_us + US_PER_DAY
    end = min(tail, last + night_until_us(used))
    over = [w for w in windows(last, True, used, covers) if w[0] < end and w[2]]
    for start, until, night in over:
        until = min(until, end)
        if made and made[-1][1] == start == last and made[-1][2]:
            made[-1] = (made[-1][0], until, night)  # one window: also the step over midnight counts
        else:
            made.append((start, until, night))
    return made


def night_until_us(used: Mapping[str, int]) -> int:
    """Until how long after midnight the night goes on that began before it; 0 where none does."""
    over = used["night_from_min"] > used["night_to_min"] or used["night_from_min"] == 0
    return used["night_to_min"] * _MINUTE_US if over else 0


def moving(speed_dkmh: Ints, lat: Ints, lon: Ints) -> Bools:
    """Whether a vehicle moves at each of its valid fixes (of one vehicle, by time; places in 1e-6 degree): by the speed that the
    terminal tells, or by the way from the fix before. Shape (n,)."""
    found: Bools = speed_dkmh >= MOVING_DKMH
    found[1:] |= geo.distance_mm(lat[:-1], lon[:-1], lat[1:], lon[1:]) > MOVING_MM
    return found


def drive_over(rows: DayRows, at_us: int) -> int | None:
    """Until when (exclusive) the drive goes on that is under way at a time; None = none is. ``rows``: valid fixes of one
    vehicle. A stop shorter than SAME_DRIVE_US is part of a drive."""
    times = rows.t_us[moving(rows.speed_dkmh, rows.lat_e6, rows.lon_e6)]
    place = int(np.searchsorted(times, at_us))
    if place in (0, len(times)) or times[place] - times[place - 1] >= SAME_DRIVE_US:
        return None
    stops = np.flatnonzero(np.diff(times[place:]) >= SAME_DRIVE_US)
    return int(times[place + (int(stops[0]) if len(stops) else len(times) - place - 1)]) + 1


def evaluate(evidence: Evidence) -> Evaluation:
    """Judge one vehicle's day on its evidence. Parameters: those of the rule, max_speed_kmh, gap_s. Raises EvidenceError
    for evidence of another rule or version."""
    require(evidence, RULE, VERSION)
    used = evidence["parameters"]
    rows, found = _rows(evidence), _windows(evidence)
    numbers = numbers_of(
        rows, [(0, w) for w in found], 1, np.array([used["max_speed_kmh"]]), np.array([used["gap_s"]])
    )[0]
    return judged(evidence, replace(numbers, day_positions=evidence["day_positions"]))


def judged(evidence: Evidence, numbers: Numbers) -> Evaluation:
    """``evaluate`` of evidence whose numbers the columns of many vehicles gave already: the kernel is fast for many at
    once only."""
    made = conclude(evidence, numbers)
    if made.outcome is not Outcome.SUSPECTED:
        return made
    return _placed(evidence, made, _rows(evidence), _windows(evidence))


def _windows(evidence: Evidence) -> list[Window]:
    day, used, orders = evidence["day"], evidence["parameters"], evidence["orders"]
    found = windows(day["from_us"], day["worked"], used, orders)
    drive = evidence.get("drive")
    return found if drive is None else windows_of_drives(day["from_us"], found, used, orders, drive)


def _rows(evidence: Evidence) -> DayRows:
    track = track_columns(evidence["track"])
    zero = np.zeros(len(track["t_us"]), np.int64)
    rows = DayRows.build(np.array([evidence["day"]["from_us"]], np.int64), slot=zero, terminal=zero, **track)
    if not evidence.get("cleaned"):
        rows = rows.take(valid_fixes(rows, np.array([evidence["parameters"]["max_speed_kmh"]])))
    fences = evidence.get("fences", [])
    return rows.take(np.flatnonzero(~_inside(rows, fences))) if fences else rows


def _inside(rows: DayRows, fences: Sequence[Fence]) -> Bools:
    """Which fixes lie inside the vehicle's own area."""
    areas, held = areas_of(fences, rows.t_us)
    inside, asked = np.zeros(len(rows), np.bool_), np.flatnonzero(held >= 0)
    inside[asked] = areas.inside(held[asked], rows.lat_e6[asked], rows.lon_e6[asked])
    return inside


def numbers_of(
    rows: DayRows, found: Sequence[tuple[int, Window]], slots: int, max_speed_kmh: Any, gap_s: Any
) -> list[Numbers]:
    """Numbers of each of ``slots`` within its windows (slot, window); limits: int64 (slots,)."""
    slot = np.array([s for s, _ in found], np.int64)
    edges = np.array([w[:2] for _, w in found], np.int64).reshape(-1, 2)
    night = np.array([w[2] for _, w in found], np.bool_)
    sums = window_sums(rows, slot, edges[:, 0], edges[:, 1], max_speed_kmh[slot], gap_s[slot], sure=True)

    def total(values: Any) -> list[int]:
        made = np.zeros(slots, np.int64)
        np.add.at(made, slot, values)
        return [int(v) for v in made]

    parts = (
        total(np.where(night, sums.metres, 0)), total(np.where(night, 0, sums.metres)),
        total(np.where(night, sums.bridged_m, 0)), total(np.where(night, 0, sums.bridged_m)),
        total(sums.positions), np.bincount(rows.slot[rows.t_us < rows.base_us[rows.slot] + US_PER_DAY], minlength=slots).tolist(),
    )  # fmt: skip
    return [Numbers(*values) for values in zip(*parts, strict=True)]


def conclude(facts: Facts, numbers: Numbers) -> Evaluation:
    """The evaluation of ``numbers``; ``facts``: evidence without its track."""
    used, worked = facts["parameters"], facts["day"]["worked"]
    limit = max(used["min_distance_m"], 1)
    everything = numbers.night_m + numbers.rest_m
    counted = numbers.night_m if worked is None else everything
    everything_bridged = numbers.night_bridged_m + numbers.rest_bridged_m
    bridged = numbers.night_bridged_m if worked is None else everything_bridged
    if counted - bridged >= limit:
        outcome, reason = Outcome.SUSPECTED, "rest_day" if worked is False else "night"
    elif counted >= limit:
        outcome, reason = Outcome.UNDETERMINED, "bridged"
    elif everything - everything_bridged >= limit:
        outcome, reason = Outcome.UNDETERMINED, "calendar_unknown"
    elif everything >= limit:
        outcome, reason = Outcome.UNDETERMINED, "bridged"
    elif not numbers.day_positions:
        outcome, reason = Outcome.UNDETERMINED, "no_track"
    else:
        outcome, reason = Outcome.NORMAL, "short" if everything else "none"
    measures = {
        "distance_m": measure(counted, "m"),
        "night_m": measure(numbers.night_m, "m"),
        "day_m": measure(numbers.rest_m, "m"),
        "bridged_m": measure(bridged, "m"),
        "positions": measure(numbers.positions, "1"),
    }
    start = facts["day"]["from_us"]
    told = {
        "plate": facts["vehicle"]["plate"], "date": facts["day"]["date"], "day_name": facts["day"]["name"],
        "orders": [order["id"] for order in facts["orders"][:3]], "notes": facts.get("notes", []),
    }  # fmt: skip
    end = start + US_PER_DAY
    return Evaluation(RULE, VERSION, facts["subject"], outcome, reason, measures, used, start, end, told)


def severity(made: Evaluation) -> Literal["low", "medium"]:
    """Medium from MEDIUM_TIMES the limit on; never high: there may be an order that nobody entered yet."""
    limit = max(made.parameters["min_distance_m"], 1)
    seen = made.measures["distance_m"]["value"] - made.measures["bridged_m"]["value"]
    return "medium" if seen >= MEDIUM_TIMES * limit else "low"


def _placed(evidence: Evidence, made: Evaluation, rows: DayRows, found: Sequence[Window]) -> Evaluation:
    """The evaluation with the times of the drives themselves instead of those of the day."""
    worked, t = evidence["day"]["worked"], rows.t_us
    counted = [np.flatnonzero((t >= a) & (t < b)) for a, b, night in found if night or worked is not None]
    edges = [rows.t_us[np.stack(drives(rows, inside)[1:])] for inside in counted]
    begins, ends = np.concatenate(edges, axis=1)
    if not len(begins):  # many small moves, none of which is a drive
        begins = ends = rows.t_us[np.concatenate(counted)]
    start, end = int(begins.min()), int(ends.max())
    seconds = int((ends - begins).sum()) // US_PER_S
    measures = dict(made.measures) | {"driving_s": measure(seconds, "s")}
    return replace(made, measures=measures, from_us=start, to_us=end)
