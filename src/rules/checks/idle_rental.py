"""idle_rental 租赁期间自有车辆闲置: a vehicle of society was rented while a suitable own vehicle stood idle.

One rental that was taken. *Suitable* are the own vehicles that the frozen proof (查无车证明) names with nothing in their way but what they were to do at that
time: all else (seats, class, drivers, papers, a seal, the shop) the planner had judged before, and nobody is asked to know better. *Idle* is a vehicle that was
in its own area from the beginning of the rental to its end and did not move. Suspected where ``min_idle`` such vehicles or more (以上) were idle: they were kept for
what was not driven.

Not idle: one that was seen outside its area, or that moved, for however short a time; one that was in the repair shop or sealed in a part of the rental, or
official only for a part. Missing evidence: a silence longer than ``max_gap_min`` is no stand, unless the odometer says that it stood. No fix, no area, an order
that says that it was out while its track stands: it is not known which of the two is wrong. Where such vehicles decide, the outcome is undetermined. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, NotRequired, TypedDict

import numpy as np

from rules.checks.base import Evaluation, Outcome, measure
from rules.evidence import Track, require, track_columns
from rules.evidence_parts import Fence, Vehicle, areas_of
from rules.tracks.kernel import MOVING_DKMH, RESOLUTION_MM
from runtime.arrays import Bools, Ints
from runtime.units import US_PER_S

RULE = "idle_rental"
VERSION = 1

#: Fixes of a vehicle that stands are no further apart: drift between tall houses.
_PLACE_MM: Final = 200_000
_MM_PER_E6: Final = 111
_MINUTE_US: Final = 60 * US_PER_S
#: Fixes are looked for so long before and after a rental: terminals of parked vehicles sleep.
AROUND_US: Final = 3 * 3600 * US_PER_S


class Rental(TypedDict):
    """The rental: its number, whose it is, from when to when."""

    id: str
    number: str
    organisation: str
    from_us: int
    to_us: int


class Promise(TypedDict):
    """An order of the vehicle within the rental. ``driven``: it says that the vehicle departed."""

    id: str
    version: int
    status: str
    driven: bool


class Car(TypedDict):
    """A suitable own vehicle. ``reasons``: codes of the proof; ``excuse``: why it could not have been sent after all ('' = nothing known);
    ``fences``: its own area; ``track``: valid fixes of the rental and some hours around it."""

    vehicle: Vehicle
    reasons: list[str]
    excuse: str
    orders: list[Promise]
    fences: list[Fence]
    track: NotRequired[Track]


class Evidence(TypedDict):
    """What one rental is judged on. ``vehicle``: the rented one. ``cars``: the suitable own ones; where it is suspected only those that were idle."""

    rule: str
    rule_version: int
    subject: str
    vehicle: Vehicle
    rental: Rental
    cars: list[Car]
    parameters: dict[str, int]


class Stood(StrEnum):
    """What a suitable vehicle did during the rental."""

    IDLE = "idle"
    USED = "used"
    EXCUSED = "excused"
    UNKNOWN = "unknown"


def subject(rental: str) -> str:
    """Name of the subject: a rental."""
    return f"rental:{rental}"


def evaluate(evidence: Evidence) -> Evaluation:
    """Judge one rental on its evidence. Parameters: those of the rule. Raises EvidenceError for evidence of another rule or version."""
    require(evidence, RULE, VERSION)
    found = [stood(evidence, car, track_columns(car["track"])) for car in evidence["cars"]]
    return conclude(evidence, found)


def conclude(evidence: Evidence, found: list[Stood]) -> Evaluation:
    """What follows from what each of the cars did."""
    used, rental = evidence["parameters"], evidence["rental"]
    idle, unknown = found.count(Stood.IDLE), found.count(Stood.UNKNOWN)
    least = max(used["min_idle"], 1)
    outcome, reason = Outcome.NORMAL, "used"
    if not found:
        outcome, reason = Outcome.NORMAL, "none_suitable"
    elif idle >= least:
        outcome, reason = Outcome.SUSPECTED, "idle"
    elif idle + unknown >= least:
        outcome, reason = Outcome.UNDETERMINED, "not_seen"
    idlers = [car for car, one in zip(evidence["cars"], found, strict=True) if one is Stood.IDLE]
    measures = {
        "idle": measure(idle, "1"),
        "rented_s": measure((rental["to_us"] - rental["from_us"]) // US_PER_S, "s"),
    }
    told: dict[str, Any] = {
        "plate": evidence["vehicle"]["plate"], "number": rental["number"],
        "plates": sorted(car["vehicle"]["plate"] for car in idlers)[:5],
        "orders": sorted(order["id"] for car in idlers for order in car["orders"])[:3],
    }  # fmt: skip
    return Evaluation(
        RULE,
        VERSION,
        evidence["subject"],
        outcome,
        reason,
        measures,
        used,
        rental["from_us"],
        rental["to_us"],
        told,
    )


def stood(evidence: Evidence, car: Car, track: Mapping[str, Ints]) -> Stood:
    """What a car did from the beginning of the rental to its end, by its valid fixes (columns)."""
    if car["excuse"]:
        return Stood.EXCUSED
    used, begin, end = evidence["parameters"], evidence["rental"]["from_us"], evidence["rental"]["to_us"]
    order = np.lexsort((track["fingerprint"], track["t_us"]))
    order = order[np.diff(track["t_us"][order], prepend=-1) > 0]
    columns = {name: column[order] for name, column in track.items()}
    t = columns["t_us"]
    # The last fix before it and the first after it say what was in between.
    first = max(int(np.searchsorted(t, begin, side="right")) - 1, 0)
    last = int(np.searchsorted(t, end)) + 1
    part = {name: column[first:last] for name, column in columns.items()}
    inside = (part["t_us"] >= begin) & (part["t_us"] < end)
    if not len(part["t_us"]):
        return Stood.UNKNOWN
    areas, held = areas_of(car["fences"], part["t_us"], fine=True)
    rows = np.flatnonzero(held >= 0)
    away = np.zeros(len(held), np.bool_)
    out = rows[~areas.inside(held[rows], part["lat_e6"][rows], part["lon_e6"][rows])]
    away[out] = (
        areas.beyond_mm(held[out], part["lat_e6"][out], part["lon_e6"][out])
        > used["margin_m"] * 1000 + RESOLUTION_MM
    )
    moved = (part["speed_dkmh"] >= MOVING_DKMH) | ~_near_the_first(part)
    if (inside & (away | moved)).any():
        return Stood.USED
    if (away | moved).any() or (held < 0).any() or any(order["driven"] for order in car["orders"]):
        return Stood.UNKNOWN
    most = used["max_gap_min"] * _MINUTE_US
    odometer = part["odometer_dkm"]
    still = (odometer[:-1] >= 0) & (odometer[:-1] == odometer[1:])
    if ((np.diff(part["t_us"]) > most) & ~still).any():
        return Stood.UNKNOWN
    if int(part["t_us"][0]) - begin > most or end - int(part["t_us"][-1]) > most:
        return Stood.UNKNOWN
    return Stood.IDLE


def _near_the_first(part: Mapping[str, Ints]) -> Bools:
    """Which fixes are at the place of the first; a plane will do for that."""
    cosine = round(1000 * math.cos(math.radians(int(part["lat_e6"][0]) / 1e6)))
    north = (part["lat_e6"] - part["lat_e6"][0]) * _MM_PER_E6
    east = (part["lon_e6"] - part["lon_e6"][0]) * _MM_PER_E6 * cosine // 1000
    near: Bools = north * north + east * east <= _PLACE_MM * _PLACE_MM
    return near
