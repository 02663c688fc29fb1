"""mileage 里程数异常: 行驶轨迹总里程数大于电子地图导航系统生成的里程数1.5倍以上.

The navigation mileage is that of the whole order: origin, every destination in order, return point (none given: back
to the origin). Actual mileage at or above ``ratio_permille`` of it is suspected (以上 includes the number); millimetres
are compared with metres in integers. Below ``short_trip_m`` (exactly that is not below) the alert weighs less.

Actual mileage is the result of the order as the track kernel has it. The evidence holds what the kernel needs: the
vehicle's state at the start of the order's first day, the orders that covered each fix, and the track from there to
the return; ``evaluate`` runs the kernel again and concludes nothing when it finds other numbers.

Missing evidence. A gap is bridged by the straight line, which no road undercuts: what is missing can only lower the
mileage, so suspected stays suspected. A mileage that would be normal is undetermined when more than half of it is such
lines, or when the vehicle was not seen (from the first fix to the last) for at least half of the time of the order.
No route, or one that the engine cannot mean: undetermined. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NotRequired, TypedDict

import numpy as np

from registry.parameters import TRACK, ParameterRow, resolve_columns
from rules.checks.base import Evaluation, Outcome, measure
from rules.evidence import EvidenceError, Track, UnknownVersionError, acc_of, require, term_of, track_columns
from rules.tracks.advance import advance, row_matrix
from rules.tracks.order_legs import LEG_FIELDS, OrderProgress
from rules.tracks.state import TrackStates, UnknownStateError, read_states

RULE = "mileage"
VERSION = 2

#: An order that was out for longer is not judged: one tour of its places says nothing about months.
MOST_US: Final = 31 * 86_400 * 1_000_000

Severity = Literal["low", "medium"]


class Place(TypedDict):
    """A place of the order; coordinates None = unknown."""

    name: str
    lat_e6: int | None
    lon_e6: int | None


class Order(TypedDict):
    """The order, in the version that was judged."""

    id: str
    version: int
    driver: str | None
    purpose: str


class Vehicle(TypedDict):
    """The vehicle of the order."""

    no: int
    id: str
    plate: str
    organisation: str


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


class Cover(TypedDict):
    """The order that covered the fixes in [from, to); ``no`` is its number in the kernel."""

    no: int
    id: str
    version: int
    from_us: int
    to_us: int


class PackedState(TypedDict):
    """State of the kernel at the start of the track, by its version; ``packed``: hex, None = nothing was known."""

    version: int
    packed: str | None


class Evidence(TypedDict):
    """What the mileage of one order is judged on. From ``from_us`` on: what ``recompute`` needs, only where it is
    suspected."""

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


def severity(navigation_m: int, parameters: Mapping[str, int]) -> Severity:
    """How much a suspected result weighs."""
    return "low" if navigation_m < parameters["short_trip_m"] else "medium"


def recompute(evidence: Evidence) -> Result:
    """The result of the order by the kernel over the frozen track: mileage_mm, bridged_mm, odometer_m, fixes,
    first_us, last_us (None = there is none). Raises EvidenceError."""
    track = track_columns(evidence["track"])
    t, number = track["t_us"], evidence["order_no"]
    order = np.zeros(len(t), np.int64)
    for covering in evidence["orders"]:
        order[(t >= covering["from_us"]) & (t < covering["to_us"])] = covering["no"]
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
    if recompute(evidence) != evidence["result"]:
        return _result(evidence, Outcome.UNDETERMINED, "results_differ", None)
    return conclude(evidence)


def conclude(evidence: Evidence) -> Evaluation:
    """What follows from the numbers of ``evidence`` alone (result, route, places, times), without its track: what
    ``evaluate`` gives when the track bears them out."""
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
    if result["mileage_mm"] >= used["ratio_permille"] * navigation:
        return _result(evidence, Outcome.SUSPECTED, "exceeds", navigation)
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


def _odometer_differs(evidence: Evidence) -> bool:
    result = evidence["result"]
    if result["odometer_m"] is None:
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
        measures["odometer_differs"] = measure(int(_odometer_differs(evidence)), "1 = yes")
    told = {"plate": evidence["vehicle"]["plate"], "order": evidence["order"]["id"]}
    named: dict[str, str] = {}
    route = evidence["route"]
    if reason == "no_route" and route is not None and route["problem"]:
        named = {"problem": route["problem"], "problem_en": route.get("problem_en", route["problem"])}
    return Evaluation(
        RULE, VERSION, evidence["subject"], outcome, reason, measures, evidence["parameters"],
        evidence["departed_us"], evidence["to_us"], told, named,
    )  # fmt: skip
