"""terminal_silent 终端失联: the terminal shows nothing while the vehicle is used.

One vehicle and one natural day (Asia/Shanghai): the silences that *begin* on it. A silence is ``min_silence_min`` or
more (以上) between two valid fixes that follow each other, whether nothing came at all or only reports without a fix.
It belongs to the day of the last fix before it, however long it lasts, so its subject does not move while it goes on.

Silence alone is nothing: a parked car's terminal sleeps. A silence is *suspicious* when

* the vehicle was somewhere else after it than before: ``min_displacement_m`` or more between each of the last two fixes
  before and each of the first two after it, so that one stray fix accuses nobody; or
* the same terminal's own odometer counted so much in between (it drove and came back); or
* the terminal reported loss of main power (0x0200 alarm bit 8) as it fell silent, and the vehicle was not at a
  workshop (under an order of type repair or inspection, without displacement).

It is *suspected* only when others were seen at the time: at least ``min_peers`` vehicles had live fixes and they were
``peers_permille`` or more of those awake. A peer that stood still before and after sleeps and says nothing about the
network; one that moved without a fix, or whose fixes were uploaded from memory (blind zone), speaks for a failure.

Undetermined: others were silent too; not over yet, with nothing suspicious; only one fix came after it; the terminal was
unbound or exchanged in between (broken ones are, at a workshop), unless it had reported the loss of power; the whole day without a fix (the silence is judged with the day on which it began). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypedDict

from rules.checks.base import Evaluation, Outcome, measure
from rules.evidence import EvidenceError, require
from runtime.units import US_PER_DAY, US_PER_S
from telemetry import geo

RULE = "terminal_silent"
VERSION = 2

#: Reasons that a later fix, or more of the others' fixes, may change.
OPEN: Final = frozenset({"still_silent", "unconfirmed", "peers_silent", "no_fix"})

Severity = Literal["low", "medium", "high"]
_MINUTE_US: Final = 60 * US_PER_S
_RANK: Final = {Outcome.NORMAL: 0, Outcome.UNDETERMINED: 1, Outcome.SUSPECTED: 2}
_WEIGHT: Final[dict[str, int]] = {"low": 0, "medium": 1, "high": 2}
_WORKSHOP: Final = ("repair", "inspection")


class Vehicle(TypedDict):
    """The vehicle."""

    no: int
    id: str
    plate: str
    organisation: str


class Day(TypedDict):
    """The natural day on which the silences began."""

    date: str
    from_us: int


class Cover(TypedDict):
    """An order within the silence, cut to it."""

    id: str
    version: int
    task_type: str
    from_us: int
    to_us: int


class Peers(TypedDict):
    """What other vehicles did meanwhile. ``of``: organisation or fleet."""

    of: str
    reporting: int
    silent: int
    asleep: int
    until_us: int


class Silence(TypedDict):
    """A silence. ``before``, ``after``: at most two fixes each, in order of time: [t_us, lat_e6, lon_e6, odometer_dkm
    (-1 = absent), terminal]. ``to_us`` None: not over, or not confirmed to be; the parameter's length has passed.
    ``binding``: same; exchanged: the terminal left the vehicle before the next fix; ended: before the parameter's length
    had passed. ``reports``: without a fix, on that day. ``peers`` None: not asked for."""

    before: list[list[int]]
    after: list[list[int]]
    to_us: int | None
    unplugged: bool
    binding: str
    reports: int
    orders: list[Cover]
    peers: Peers | None


class Evidence(TypedDict):
    """What a vehicle's day is judged on."""

    rule: str
    rule_version: int
    subject: str
    vehicle: Vehicle
    parameters: dict[str, int]
    day: Day
    day_positions: int
    silences: list[Silence]


@dataclass(frozen=True, slots=True)
class _Found:
    """What one silence comes to. ``displaced_m``, ``odometer_m``: -1 = not known. ``length_us``: of one that is not over
    the least that is known."""

    outcome: Outcome
    reason: str
    severity: Severity
    from_us: int
    to_us: int | None
    length_us: int
    displaced_m: int
    odometer_m: int


def subject(vehicle: str, day: str) -> str:
    """Name of the subject: the natural day of a vehicle on which the silences began, ``YYYY-MM-DD``."""
    return f"vehicle:{vehicle}:{day}"


def suspicious(silence: Silence, used: Mapping[str, int]) -> str:
    """Why a silence of evidence would be suspected if others were seen (displaced, odometer, unplugged), or ''. Only
    then its ``peers`` are asked for."""
    if silence["binding"] == "ended":
        return ""
    limit = max(used["min_displacement_m"], 1)
    if _displaced_m(silence) >= limit:
        return "displaced"
    if _odometer_m(silence) >= limit:
        return "odometer"
    return "unplugged" if silence["unplugged"] and not _at_workshop(silence) else ""


def evaluate(evidence: Evidence) -> Evaluation:
    """Judge one vehicle's day on its evidence. Raises EvidenceError for evidence of another rule or version."""
    require(evidence, RULE, VERSION)
    used, day_us = evidence["parameters"], evidence["day"]["from_us"]
    silences = evidence["silences"]
    told: dict[str, Any] = {"plate": evidence["vehicle"]["plate"], "date": evidence["day"]["date"]}
    if not silences:
        outcome, reason = Outcome.NORMAL, "reporting"
        if not evidence["day_positions"]:
            outcome, reason = Outcome.UNDETERMINED, "no_fix"
        measures: dict[str, Any] = {"silences": measure(0, "1")}
        end = day_us + US_PER_DAY
        return Evaluation(
            RULE, VERSION, evidence["subject"], outcome, reason, measures, used, day_us, end, told
        )
    found = [_judge(silence, used) for silence in silences]
    # The gravest speaks for the day; of equal ones the earliest.
    place = max(range(len(found)), key=lambda k: (*_gravity(found[k]), -found[k].from_us))
    worst, silence = found[place], silences[place]
    measures = {
        "silences": measure(len(found), "1"),
        "silence_min": measure(worst.length_us // _MINUTE_US, "min"),
        "ordered_min": measure(_ordered_us(silence) // _MINUTE_US, "min"),
        "reports_without_fix": measure(silence["reports"], "1"),
        "unplugged": measure(int(silence["unplugged"]), "1 = yes"),
    }
    if worst.displaced_m >= 0:
        measures["displacement_m"] = measure(worst.displaced_m, "m")
    if worst.odometer_m >= 0:
        measures["odometer_m"] = measure(worst.odometer_m, "m")
    if silence["peers"] is not None:
        measures["peers_reporting"] = measure(silence["peers"]["reporting"], "1")
        measures["peers_silent"] = measure(silence["peers"]["silent"], "1")
        told["peers_of"] = silence["peers"]["of"]
    told["orders"] = [order["id"] for order in silence["orders"][:3]]
    return Evaluation(
        RULE, VERSION, evidence["subject"], worst.outcome, worst.reason, measures, used, worst.from_us, worst.to_us,
        told,
    )  # fmt: skip


def severity(evidence: Evidence) -> Severity:
    """High: the vehicle was used meanwhile (displaced, odometer). Medium: unplugged, and where it is now is not known.
    Low: unplugged, but back where it was."""
    found = [_judge(silence, evidence["parameters"]) for silence in evidence["silences"]]
    return max((f.severity for f in found if f.outcome is Outcome.SUSPECTED), key=_WEIGHT.__getitem__)


def waits(evidence: Evidence) -> bool:
    """Whether facts that are to come may change the result: a silence that is not over or that others shared."""
    found = [_judge(silence, evidence["parameters"]) for silence in evidence["silences"]]
    going_on = any(f.to_us is None and f.reason != "terminal_changed" for f in found)
    return going_on or any(f.reason in OPEN for f in found) or not evidence["day_positions"]


def _gravity(found: _Found) -> tuple[int, int, int, int]:
    weight = _WEIGHT[found.severity] if found.outcome is Outcome.SUSPECTED else 0
    return _RANK[found.outcome], weight, found.displaced_m, found.length_us


def _judge(silence: Silence, used: Mapping[str, int]) -> _Found:
    start, end = silence["before"][-1][0], silence["to_us"]
    length = used["min_silence_min"] * _MINUTE_US if end is None else end - start
    displaced, odometer = _displaced_m(silence), _odometer_m(silence)

    def made(outcome: Outcome, reason: str, grave: Severity = "low") -> _Found:
        return _Found(outcome, reason, grave, start, end, length, displaced, odometer)

    if silence["binding"] == "ended":
        return made(Outcome.UNDETERMINED, "terminal_changed")
    why = suspicious(silence, used)
    if why:
        peers = silence["peers"]
        if peers is None:
            raise EvidenceError("a suspicious silence without its peers")
        seen, awake = peers["reporting"], peers["reporting"] + peers["silent"]
        if seen < used["min_peers"] or seen * 1000 < used["peers_permille"] * awake:
            return made(Outcome.UNDETERMINED, "peers_silent")
        if why != "unplugged":
            return made(Outcome.SUSPECTED, why, "high")
        return made(Outcome.SUSPECTED, why, "medium" if displaced < 0 else "low")
    if silence["binding"] != "same":
        return made(Outcome.UNDETERMINED, "terminal_changed")
    if displaced < 0:
        return made(Outcome.UNDETERMINED, "unconfirmed" if silence["after"] else "still_silent")
    return made(Outcome.NORMAL, "workshop" if silence["unplugged"] else "asleep")


def _displaced_m(silence: Silence) -> int:
    """The least distance from a fix before to one after the silence in whole metres, rounded down; -1 with fewer than
    two fixes after it, or when another terminal gave them."""
    before, after = silence["before"], silence["after"]
    if len(after) < 2 or silence["binding"] != "same":
        return -1
    return min(geo.distance_mm_scalar(b[1], b[2], a[1], a[2]) for b in before for a in after) // 1000


def _odometer_m(silence: Silence) -> int:
    """What the odometer of one and the same terminal counted, by the lesser of the first two fixes after; -1 = not
    known, or it went backwards."""
    before, after = silence["before"][-1], silence["after"]
    if (
        len(after) < 2
        or silence["binding"] != "same"
        or before[3] < 0
        or any(a[3] < before[3] for a in after)
    ):
        return -1
    return int(min(a[3] for a in after) - before[3]) * 100


def _at_workshop(silence: Silence) -> bool:
    start = silence["before"][-1][0]
    return any(o["task_type"] in _WORKSHOP and o["from_us"] <= start < o["to_us"] for o in silence["orders"])


def _ordered_us(silence: Silence) -> int:
    """How much of a silence that is over lies under orders; 0 while it goes on."""
    end = silence["to_us"]
    if end is None:
        return 0
    at = silence["before"][-1][0]
    covered = 0
    for order in sorted(silence["orders"], key=lambda o: (o["from_us"], o["to_us"])):
        low, high = max(at, order["from_us"]), min(end, order["to_us"])
        if low < high:
            covered += high - low
            at = high
    return covered
