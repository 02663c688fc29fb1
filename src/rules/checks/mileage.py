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
from typing import Any, Final, Literal

import numpy as np

from registry.parameters import TRACK, ParameterRow, resolve_columns
from rules.checks.base import Evaluation, Outcome, measure
from rules.evidence import EvidenceError, track_columns
from rules.tracks.advance import advance, row_matrix
from rules.tracks.order_legs import LEG_FIELDS, OrderProgress, Taken
from rules.tracks.state import STATE_DTYPE, STATE_VERSION, TrackStates
from rules.wording import metres, span

RULE = "mileage"
VERSION = 1

#: An order that was out for longer is not judged: one tour of its places says nothing about months.
MOST_US: Final = 31 * 86_400 * 1_000_000

REASONS: Final[Mapping[str, str]] = {
    "exceeds": "实际里程达到导航里程的限定倍数 · driven at least the limit times the navigation mileage",
    "within": "实际里程未达到导航里程的限定倍数 · driven less than the limit times the navigation mileage",
    "no_origin": "派车单没有带坐标的出发地 · the order has no origin with coordinates",
    "no_destination": "派车单没有目的地 · the order has no destination",
    "no_coordinates": "派车单有地点没有坐标 · a place of the order has no coordinates",
    "too_long": "派车单超过 31 天 · the order took more than 31 days",
    "no_track": "没有可用的行驶轨迹 · no usable track",
    "no_route": "导航引擎给不出可信的路线 · the engine gives no credible route",
    "no_distance": "出发地、目的地与返回点之间没有导航里程 · the places of the order are one place",
    "poor_coverage": "轨迹中断过多，实际里程不可信 · too much of the track is missing",
    "results_differ": "冻结的轨迹算不出该里程 · the frozen track does not give this mileage",
}

Place = Mapping[str, Any]
Severity = Literal["low", "medium"]


def subject(order: str) -> str:
    """Name of the subject: an order."""
    return f"order:{order}"


def itinerary(
    origin: Place | None, destinations: Sequence[Place], return_point: Place | None
) -> tuple[tuple[tuple[int, int], ...], str]:
    """(places in the order of travel as (lat, lon) in 1e-6 degree, ''), or ((), why there are none: a reason).

    A place is {name, lat_e6, lon_e6}, coordinates None = unknown.
    """
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


def recompute(evidence: Mapping[str, Any]) -> dict[str, int | None]:
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
        dir=track["direction_deg"], odo=track["odometer_dkm"] + 1, order=order, max_kmh=shared["max_speed_kmh"],
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
    taken = Taken(
        slots, t, track["lat_e6"], track["lon_e6"], order, np.where(order == number, slot, -1),
        shared["gap_s"] * 1_000_000,
    )  # fmt: skip
    progress.take(taken, done, before, own, lambda _owner, key: slot if key == number else -1)
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


def evaluate(evidence: dict[str, Any]) -> Evaluation:
    """Judge the mileage of one order on its evidence.

    Evidence: rule, rule_version, subject, vehicle {no, id, plate, organisation}, order {id, version, ...}, departed_us,
    to_us, origin, destinations, return_point (places of ``itinerary``), route (``Route.evidence`` or null), parameters
    {ratio_permille, short_trip_m, odometer_differs_permille}, result (what ``recompute`` gives), and for it order_no,
    orders [{no, id, from_us, to_us}], parameter_rows, state {version, packed: hex or null = nothing was known} at the
    track's start, track. Raises EvidenceError for evidence of another rule or version.
    """
    if evidence.get("rule") != RULE or evidence.get("rule_version") != VERSION:
        raise EvidenceError(f"not evidence of {RULE} {VERSION}")
    if recompute(evidence) != evidence["result"]:
        return _result(evidence, Outcome.UNDETERMINED, "results_differ", None)
    return conclude(evidence)


def conclude(evidence: dict[str, Any]) -> Evaluation:
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


def _poorly_seen(evidence: Mapping[str, Any]) -> bool:
    result, start, end = evidence["result"], evidence["departed_us"], evidence["to_us"]
    seen = max(0, min(result["last_us"], end) - max(result["first_us"], start))
    return bool(2 * result["bridged_mm"] > result["mileage_mm"] or 2 * seen < end - start)


def _point(place: Place) -> tuple[int, int] | None:
    lat, lon = place["lat_e6"], place["lon_e6"]
    return None if lat is None or lon is None else (lat, lon)


def _state(frozen: Mapping[str, Any]) -> TrackStates:
    states = TrackStates(1)
    if frozen["packed"] is None:
        return states
    body = bytes.fromhex(frozen["packed"])
    if frozen["version"] != STATE_VERSION or len(body) != STATE_DTYPE.itemsize:
        raise EvidenceError(f"a state of version {frozen['version']}")
    states.unpack(np.zeros(1, np.int64), np.frombuffer(body, STATE_DTYPE))
    return states


def _odometer_differs(evidence: Mapping[str, Any]) -> bool:
    result = evidence["result"]
    if result["odometer_m"] is None:
        return False
    difference = abs(result["odometer_m"] * 1000 - result["mileage_mm"])
    limit: int = evidence["parameters"]["odometer_differs_permille"]
    return bool(difference * 1000 > limit * result["mileage_mm"])


def _result(evidence: dict[str, Any], outcome: Outcome, reason: str, navigation_m: int | None) -> Evaluation:
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
    return Evaluation(
        RULE, VERSION, evidence["subject"], outcome, reason, measures, evidence["parameters"],
        evidence["departed_us"], evidence["to_us"], _summary(evidence, outcome, reason, navigation_m),
    )  # fmt: skip


def _summary(evidence: dict[str, Any], outcome: Outcome, reason: str, navigation_m: int | None) -> str:
    plate, order, result = evidence["vehicle"]["plate"], evidence["order"]["id"], evidence["result"]
    driven = metres(result["mileage_mm"] // 1000)
    if not navigation_m or outcome is Outcome.UNDETERMINED:
        why = REASONS[reason].split(" · ")[0]
        if reason == "no_route" and evidence["route"] is not None:
            why = evidence["route"]["problem"].split(" · ")[0]
        return f"不可判：{plate} 派车单 {order} 的里程：{why}。"
    ratio = _times(result["mileage_mm"] // navigation_m)
    told = f"实际行驶 {driven}，导航里程 {metres(navigation_m)}，为 {ratio} 倍"
    if outcome is Outcome.NORMAL:
        return f"正常：{plate} 派车单 {order} {told}。"
    limit = _times(evidence["parameters"]["ratio_permille"])
    more = ""
    if result["bridged_mm"] >= 1000:
        more += f"其中轨迹中断处按直线计 {metres(result['bridged_mm'] // 1000)}。"
    if _odometer_differs(evidence):
        permille = evidence["parameters"]["odometer_differs_permille"]
        more += f"终端里程表计 {metres(result['odometer_m'])}，与轨迹里程相差超过 {_tenths(permille)}%。"
    return (
        f"疑似里程数异常：{plate} 执行派车单 {order}（{span(evidence['departed_us'], evidence['to_us'])}）{told}"
        f"（{limit} 倍以上为疑似）。{more}"
    )


def _times(permille: int) -> str:
    """``1.5`` of 1500, ``1.499`` of 1499."""
    return f"{permille // 1000:,}.{permille % 1000:03d}".rstrip("0").rstrip(".")


def _tenths(permille: int) -> str:
    """``10`` of 100, ``12.5`` of 125."""
    return f"{permille // 10}.{permille % 10}".removesuffix(".0")
