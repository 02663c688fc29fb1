"""mileage 里程数异常: 行驶轨迹总里程数大于电子地图导航系统生成的里程数1.5倍以上.

The navigation mileage is that of the whole order: origin, every destination in order, return point (none given: back
to the origin). Actual mileage at or above ``ratio_permille`` of it is suspected (以上 includes the number); millimetres
are compared with metres in integers. Below ``short_trip_m`` (exactly that is not below) the alert weighs less.

Actual mileage is the result of the order as the track kernel has it. The evidence holds what the kernel needs: the
vehicle's state at the start of the order's first day, the orders that covered each fix, and the track from there to
the return; ``evaluate`` runs the kernel again and concludes nothing when it finds other numbers.

What was driven within ``local_radius_m`` of a destination is measured apart. Where only that carries the ratio over the limit, the
alert says so and weighs less; with ``leave_out_local`` there is none.

An order that several vehicles served is judged by what all of them drove for it.

Missing evidence. A gap is bridged by the straight line. What is bridged accuses nobody: where it alone carries the ratio over the
limit, the outcome is undetermined. A mileage that would be normal is undetermined when more than half of it is such
lines, or when the vehicle was not seen (from the first fix to the last) for at least half of the time of the order.
No route, or one that the engine cannot mean: undetermined. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, Literal, NotRequired, TypedDict

import numpy as np

from registry.order_cover import Note
from registry.parameters import TRACK, ParameterRow, resolve_columns
from rules.checks.base import Evaluation, Outcome, measure
from rules.evidence import EvidenceError, Track, UnknownVersionError, acc_of, require, term_of, track_columns
from rules.evidence_parts import Cover, Order, Place, Vehicle, order_column
from rules.tracks.advance import advance, row_matrix
from rules.tracks.approach import distances_mm
from rules.tracks.days import DayRows, window_sums
from rules.tracks.odometer import drivable
from rules.tracks.order_legs import LEG_FIELDS, OrderProgress
from rules.tracks.state import TrackStates, UnknownStateError, read_states
from rules.tracks.valid_fixes import valid_fixes

RULE = "mileage"
VERSION = 2

#: An order that was out for longer is not judged: one tour of its places says nothing about months.
MOST_US: Final = 31 * 86_400 * 1_000_000

Severity = Literal["low", "medium"]


class Route(TypedDict):
    """What the navigation engine said. ``distance_m`` None: no way, or nothing credible; ``problem`` and ``problem_en``
    (absent where there is none) say why."""

    key: str
    engine: str
    map_date: str
    places: list[list[int]]
    distance_m: int | None
    duration_s: int | None
    shape: str
    problem: str
    problem_en: NotRequired[str]


class Result(TypedDict):
    """The result of the order: what ``recompute`` gives."""

    mileage_mm: int
    bridged_mm: int
    odometer_m: int | None
    fixes: int
    first_us: int | None
    last_us: int | None


class PackedState(TypedDict):
    """State of the kernel at the start of the track, by its version; ``packed``: hex, None = nothing was known."""

    version: int
    packed: str | None


class Evidence(TypedDict):
    """What the mileage of one order is judged on. From ``from_us`` on: what ``recompute`` needs, only where it is
    suspected. An order that several vehicles served has it of each of them, under ``legs``."""

    rule: str
    rule_version: int
    subject: str
    order: Order
    vehicle: Vehicle
    departed_us: int
    to_us: int
    origin: Place | None
    destinations: list[Place]
    return_point: Place | None
    route: Route | None
    parameters: dict[str, int]
    result: Result
    from_us: NotRequired[int]
    order_no: NotRequired[int]
    orders: NotRequired[list[Cover]]
    parameter_rows: NotRequired[list[list[Any]]]
    state: NotRequired[PackedState]
    track: NotRequired[Track]
    legs: NotRequired[list[Evidence]]
    notes: NotRequired[list[Note]]


def subject(order: str) -> str:
    """Name of the subject: an order."""
    return f"order:{order}"


def itinerary(
    origin: Place | None, destinations: Sequence[Place], return_point: Place | None
) -> tuple[tuple[tuple[int, int], ...], str]:
    """(places in the order of travel as (lat, lon) in 1e-6 degree, ''), or ((), why there are none: a reason)."""
    if not destinations:
        return (), "no_destination"
    if origin is None or _point(origin) is None:
        return (), "no_origin"
    points = [_point(place) for place in (origin, *destinations, return_point or origin)]
    known = tuple(point for point in points if point is not None)
    return (known, "") if len(known) == len(points) else ((), "no_coordinates")


def severity(made: Evaluation) -> Severity:
    """How much a suspected result weighs."""
    short = made.measures["navigation_m"]["value"] < made.parameters["short_trip_m"]
    return "low" if short or made.reason == "exceeds_locally" else "medium"


def total(results: Sequence[Result]) -> Result:
    """The result of an order of its legs (one at least), in order. Without an odometer where one has none."""
    odometers = [result["odometer_m"] for result in results]
    known = [value for value in odometers if value is not None]
    firsts = [result["first_us"] for result in results if result["first_us"] is not None]
    lasts = [result["last_us"] for result in results if result["last_us"] is not None]
    return {
        "mileage_mm": sum(result["mileage_mm"] for result in results),
        "bridged_mm": sum(result["bridged_mm"] for result in results),
        "odometer_m": sum(known) if len(known) == len(odometers) else None,
        "fixes": sum(result["fixes"] for result in results),
        "first_us": min(firsts, default=None),
        "last_us": max(lasts, default=None),
    }


def local_m(evidence: Evidence) -> int:
    """Metres driven within ``local_radius_m`` of a destination of the order, rounded down for each stretch of it: the mileage
    of the frozen track while it is there, without what is bridged."""
    return sum(_local_m(leg, evidence) for leg in evidence.get("legs", [evidence]))


def _local_m(leg: Evidence, evidence: Evidence) -> int:
    used, track = evidence["parameters"], track_columns(leg["track"])
    good = valid_fixes(track, used["max_speed_kmh"])
    t = track["t_us"][good]
    mine = np.zeros(len(good), np.bool_)
    for cover in leg["orders"]:
        if cover["no"] == leg["order_no"]:
            mine |= (t >= cover["from_us"]) & (t < cover["to_us"])
    near = np.zeros(len(good), np.bool_)
    for place in evidence["destinations"]:
        lat, lon = place["lat_e6"], place["lon_e6"]
        if lat is not None and lon is not None and len(good):
            points, _ = distances_mm(lat, lon, track["lat_e6"][good], track["lon_e6"][good])
            near |= points <= used["local_radius_m"] * 1000
    edges = np.flatnonzero(np.diff(np.r_[False, mine & near, False].astype(np.int8)))
    begins, ends = t[edges[::2]], t[edges[1::2] - 1] + 1
    if not len(begins):
        return 0
    zero, none = np.zeros(len(t), np.int64), np.zeros(len(begins), np.int64)
    rows = DayRows.build(
        t[:1],
        slot=zero,
        terminal=zero,
        **{name: values[good] for name, values in track.items() if name != "term"},
    )
    limits = np.full(len(begins), used["max_speed_kmh"]), np.full(len(begins), used["gap_s"])
    sums = window_sums(rows, none, begins, ends, *limits)
    return int((sums.metres - sums.bridged_m).sum())


def recompute(evidence: Evidence) -> Result:
    """The result of the order by the kernel over the frozen track: mileage_mm, bridged_mm, odometer_m, fixes,
    first_us, last_us (None = there is none). Raises EvidenceError."""
    track = track_columns(evidence["track"])
    t, number = track["t_us"], evidence["order_no"]
    order = order_column(evidence["orders"], t)
    parameter_rows = [ParameterRow(*row) for row in evidence["parameter_rows"]]
    organisation = np.full(len(t), evidence["vehicle"]["organisation"], object)
    shared = resolve_columns(TRACK, organisation, t, parameter_rows)
    rows = row_matrix(
        len(t), t=t, fp=track["fingerprint"], lat=track["lat_e6"], lon=track["lon_e6"], speed=track["speed_dkmh"],
        dir=track["direction_deg"], odo=track["odometer_dkm"] + 1, acc=acc_of(track), term=term_of(track), order=order, max_kmh=shared["max_speed_kmh"],
        gap_us=shared["gap_s"] * 1_000_000,
    )  # fmt: skip
    states, own = _state(evidence["state"]), np.zeros(1, np.int64)
    before, slots = states.copy(own), np.zeros(len(t), np.int64)
    try:
        done = advance(states, slots, rows)
    except ValueError as error:
        raise EvidenceError("the track begins before its state") from error
    progress = OrderProgress()
    slot = progress.add(())
    progress.take(slots, t, done, before, own, lambda _owner, key: slot if key == number else -1)
    running = states.field("leg", own) == number
    totals = progress.totals(
        np.array([slot]), {name: states.field(name, own) for name in LEG_FIELDS}, running
    )
    odometer = int(totals.odometer_m[0])
    return {
        "mileage_mm": int(totals.mileage_mm[0]),
        "bridged_mm": int(totals.bridged_mm[0]),
        "odometer_m": None if odometer < 0 else odometer,
        "fixes": int(totals.fixes[0]),
        "first_us": int(totals.first_us[0]) or None,
        "last_us": int(totals.last_us[0]) or None,
    }


def evaluate(evidence: Evidence) -> Evaluation:
    """Judge the mileage of one order on its evidence. Parameters: ratio_permille, short_trip_m,
    odometer_differs_permille. Raises EvidenceError for evidence of another rule or version, UnknownVersionError for a
    state of the kernel that this program cannot read."""
    require(evidence, RULE, VERSION)
    if total([recompute(leg) for leg in evidence.get("legs", [evidence])]) != evidence["result"]:
        return _result(evidence, Outcome.UNDETERMINED, "results_differ", None)
    made = conclude(evidence)
    if made.outcome is not Outcome.SUSPECTED:
        return made
    return _without_local(evidence, made)


def _without_local(evidence: Evidence, made: Evaluation) -> Evaluation:
    """A suspected result, where only what was driven at the destinations carries it over the limit: it says so and weighs
    less, or is none, as the organisation has it."""
    local = local_m(evidence)
    measures = dict(made.measures) | {"local_m": measure(local, "m")}
    result, used = evidence["result"], evidence["parameters"]
    seen = result["mileage_mm"] - result["bridged_mm"]
    if seen - local * 1000 >= used["ratio_permille"] * measures["navigation_m"]["value"]:
        return replace(made, measures=measures)
    if used["leave_out_local"]:
        return replace(made, outcome=Outcome.NORMAL, reason="local", measures=measures)
    return replace(made, reason="exceeds_locally", measures=measures)


def conclude(evidence: Evidence) -> Evaluation:
    """What follows from the numbers of ``evidence`` alone (result, route, places, times), without its track: what
    ``evaluate`` gives when the track bears them out, but for what was driven at the destinations."""
    result, used, route = evidence["result"], evidence["parameters"], evidence["route"]
    _, missing = itinerary(evidence["origin"], evidence["destinations"], evidence["return_point"])
    navigation = None if route is None else route["distance_m"]
    if missing:
        return _result(evidence, Outcome.UNDETERMINED, missing, None)
    if evidence["to_us"] - evidence["departed_us"] > MOST_US:
        return _result(evidence, Outcome.UNDETERMINED, "too_long", None)
    if not result["fixes"]:
        return _result(evidence, Outcome.UNDETERMINED, "no_track", None)
    if navigation is None:
        return _result(evidence, Outcome.UNDETERMINED, "no_route", None)
    if navigation == 0:
        return _result(evidence, Outcome.UNDETERMINED, "no_distance", 0)
    # mm / m >= permille / 1000, so mm >= permille * m.
    if result["mileage_mm"] - result["bridged_mm"] >= used["ratio_permille"] * navigation:
        return _result(evidence, Outcome.SUSPECTED, "exceeds", navigation)
    if result["mileage_mm"] >= used["ratio_permille"] * navigation:
        return _result(evidence, Outcome.UNDETERMINED, "bridged", navigation)
    if _poorly_seen(evidence):
        return _result(evidence, Outcome.UNDETERMINED, "poor_coverage", navigation)
    return _result(evidence, Outcome.NORMAL, "within", navigation)


def _poorly_seen(evidence: Evidence) -> bool:
    result, start, end = evidence["result"], evidence["departed_us"], evidence["to_us"]
    seen = max(0, min(result["last_us"] or 0, end) - max(result["first_us"] or 0, start))
    return bool(2 * result["bridged_mm"] > result["mileage_mm"] or 2 * seen < end - start)


def _point(place: Place) -> tuple[int, int] | None:
    lat, lon = place["lat_e6"], place["lon_e6"]
    return None if lat is None or lon is None else (lat, lon)


def _state(frozen: PackedState) -> TrackStates:
    states = TrackStates(1)
    if frozen["packed"] is None:
        return states
    try:
        rows = read_states(frozen["version"], [bytes.fromhex(frozen["packed"])])
    except UnknownStateError as error:
        raise UnknownVersionError(str(error)) from error
    except ValueError as error:
        raise EvidenceError(f"state: {error}") from error
    states.unpack(np.zeros(1, np.int64), rows)
    return states


def _odometer_fault(evidence: Evidence) -> bool:
    """Whether the odometer ran farther than a car can drive in the time: a fault of the device (a sentinel, a new
    calibration, another unit), whatever it means."""
    result = evidence["result"]
    if result["odometer_m"] is None or result["first_us"] is None or result["last_us"] is None:
        return False
    took_us, limit = result["last_us"] - result["first_us"], evidence["parameters"]["max_speed_kmh"]
    return not drivable(result["odometer_m"], took_us, limit, steps=2)  # one at either end


def _odometer_differs(evidence: Evidence) -> bool:
    result = evidence["result"]
    if result["odometer_m"] is None or _odometer_fault(evidence):
        return False
    difference = abs(result["odometer_m"] * 1000 - result["mileage_mm"])
    limit: int = evidence["parameters"]["odometer_differs_permille"]
    return bool(difference * 1000 > limit * result["mileage_mm"])


def _result(evidence: Evidence, outcome: Outcome, reason: str, navigation_m: int | None) -> Evaluation:
    result = evidence["result"]
    # Rounded down, as what is compared: a ratio shown at or above the limit is one.
    measures: dict[str, Any] = {
        "mileage_m": measure(result["mileage_mm"] // 1000, "m"),
        "bridged_m": measure(result["bridged_mm"] // 1000, "m"),
        "fixes": measure(result["fixes"], "1"),
    }
    if navigation_m is not None:
        measures["navigation_m"] = measure(navigation_m, "m")
    if navigation_m:
        measures["ratio_permille"] = measure(result["mileage_mm"] // navigation_m, "1/1000")
    if result["odometer_m"] is not None:
        measures["odometer_m"] = measure(result["odometer_m"], "m")
        if _odometer_fault(evidence):
            measures["odometer_fault"] = measure(1, "1 = yes")
        measures["odometer_differs"] = measure(int(_odometer_differs(evidence)), "1 = yes")
    told: dict[str, Any] = {"plate": evidence["vehicle"]["plate"], "order": evidence["order"]["id"]}
    told["notes"] = evidence.get("notes", [])
    named: dict[str, str] = {}
    route = evidence["route"]
    if reason == "no_route" and route is not None and route["problem"]:
        named = {"problem": route["problem"], "problem_en": route.get("problem_en", route["problem"])}
    return Evaluation(
        RULE, VERSION, evidence["subject"], outcome, reason, measures, evidence["parameters"],
        evidence["departed_us"], evidence["to_us"], told, named,
    )  # fmt: skip
