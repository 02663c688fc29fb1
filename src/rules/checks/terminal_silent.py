"""terminal_silent 终端失联: the terminal shows nothing while the vehicle is used.

One vehicle and one natural day (Asia/Shanghai): the silences that *begin* on it. A silence is ``min_silence_min`` or
more (以上) between two valid fixes that follow each other, whether nothing came at all or only reports without a fix.
It belongs to the day of the last fix before it, however long it lasts, so its subject does not move while it goes on.

Silence alone is nothing: a parked car's terminal sleeps. A silence is *suspicious* when

* the vehicle was somewhere else after it than before: ``min_displacement_m`` or more between each of the last two fixes
  before and each of the first two after it, so that one stray fix accuses nobody; or
* the same terminal's own odometer counted so much in between (it drove and came back), and a car can have driven it; or
* the terminal reported loss of main power (0x0200 alarm bit 8) as it fell silent.

Shorter silences in which power was lost and came back count together as one when they last ``min_silence_min`` in sum.
Repair, tow and inspection orders cover: a silence of which less than ``min_silence_min`` lies outside of them is at a
workshop, and so is one that began under such an order and without displacement.

It is *suspected* only when others were seen at the time: at least ``min_peers`` vehicles had live fixes and they were
``peers_permille`` or more of those awake. A peer that stood still before and after sleeps and says nothing about the
network; one that moved without a fix, or whose fixes were uploaded from memory (blind zone), speaks for a failure.

Undetermined: others were silent too; not over yet, with nothing suspicious; only one fix came after it; the terminal was
unbound or exchanged in between (broken ones are, at a workshop), unless it had reported the loss of power; the odometer
counted what no car can drive (set, reset, another unit); fixes and odometer contradict each other (over
``min_contradiction_m``, one runs while the other stands: a device, or somebody at it; the office is told); the whole day
without a fix (the silence is judged with the day on which it began). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal, TypedDict

from rules.checks.base import Evaluation, Outcome, measure
from rules.evidence import EvidenceError, require
from rules.evidence_parts import TaskCover, Vehicle
from rules.tracks.odometer import Counted, counted
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
#: Types of orders under which a vehicle is at a workshop, or on its way on a lorry.
WORKSHOP: Final = ("repair", "tow", "inspection")


class Day(TypedDict):
    """The natural day on which the silences began."""

    date: str
    from_us: int


class Peers(TypedDict):
    """What other vehicles did meanwhile. ``of``: organisation or fleet."""

    of: str
    reporting: int
    silent: int
    asleep: int
    until_us: int


class Silence(TypedDict):
    """A silence, or a shorter one in which power was lost and came back. ``before``, ``after``: at most two fixes each, in order of time: [t_us, lat_e6, lon_e6, odometer_dkm
    (-1 = absent), terminal]. ``to_us`` None: not over, or not confirmed to be; the parameter's length has passed.
    ``binding``: same; exchanged: the terminal left the vehicle before the next fix; ended: before the parameter's length
    had passed. ``reports``: without a fix, on that day. ``peers`` None: not asked for."""

    before: list[list[int]]
    after: list[list[int]]
    to_us: int | None
    unplugged: bool
    binding: str
    reports: int
    orders: list[TaskCover]
    peers: Peers | None


class Contradiction(TypedDict):
    """A stretch of the day's fixes without a long gap in which one stood while the other ran. ``kind``: odometer_runs or
    fixes_run; ``odometer_m``, ``moved_m``: what was counted, and how far the fixes lie apart; ``edges``: the first and the
    last fix, as in a Silence."""

    kind: str
    odometer_m: int
    moved_m: int
    edges: list[list[int]]


class Evidence(TypedDict):
    """What a vehicle's day is judged on. ``contradictions``: those that no workshop's order covers, by time."""

    rule: str
    rule_version: int
    subject: str
    vehicle: Vehicle
    parameters: dict[str, int]
    day: Day
    day_positions: int
    silences: list[Silence]
    contradictions: list[Contradiction]


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
    parts: int = 1


def subject(vehicle: str, day: str) -> str:
    """Name of the subject: the natural day of a vehicle on which the silences began, ``YYYY-MM-DD``."""
    return f"vehicle:{vehicle}:{day}"


def suspicious(silence: Silence, used: Mapping[str, int]) -> str:
    """Why a silence of evidence would be suspected if others were seen (displaced, odometer, unplugged), or ''. Only
    then its ``peers`` are asked for."""
    if silence["binding"] == "ended" or _covered(silence, used):
        return ""
    limit, confirmed = max(used["min_displacement_m"], 1), len(silence["before"]) > 1
    if confirmed and _displaced_m(silence) >= limit:
        return "displaced"
    if confirmed and _odometer_m(silence, used) >= limit:
        return "odometer"
    return "unplugged" if silence["unplugged"] and not _at_workshop(silence) else ""


def evaluate(evidence: Evidence) -> Evaluation:
    """Judge one vehicle's day on its evidence. Raises EvidenceError for evidence of another rule or version."""
    require(evidence, RULE, VERSION)
    used, day_us = evidence["parameters"], evidence["day"]["from_us"]
    told: dict[str, Any] = {"plate": evidence["vehicle"]["plate"], "date": evidence["day"]["date"]}
    found = _found(evidence)
    measures: dict[str, Any] = {"silences": measure(sum(f.parts == 1 for f, _ in found), "1")}
    differ = evidence["contradictions"]
    if differ:
        most = max(differ, key=lambda d: (max(d["odometer_m"], d["moved_m"]), -d["edges"][0][0]))
        measures |= {
            "contradictions": measure(len(differ), "1"),
            "contradiction_odometer_m": measure(most["odometer_m"], "m"),
            "contradiction_moved_m": measure(most["moved_m"], "m"),
        }
    # The gravest speaks for the day; of equal ones the earliest.
    worst, silence = max(found, key=lambda f: (*_gravity(f[0]), -f[0].from_us), default=(None, None))
    if worst is None or silence is None or (differ and worst.outcome is not Outcome.SUSPECTED):
        outcome, reason, start, end = Outcome.NORMAL, "reporting", day_us, day_us + US_PER_DAY
        if differ:
            outcome, reason = Outcome.UNDETERMINED, "contradiction"
            start, end = most["edges"][0][0], most["edges"][-1][0]
        elif not evidence["day_positions"]:
            outcome, reason = Outcome.UNDETERMINED, "no_fix"
        return Evaluation(
            RULE, VERSION, evidence["subject"], outcome, reason, measures, used, start, end, told
        )
    measures |= {
        "silence_min": measure(worst.length_us // _MINUTE_US, "min"),
        "ordered_min": measure(_ordered_us(silence) // _MINUTE_US, "min"),
        "reports_without_fix": measure(silence["reports"], "1"),
        "unplugged": measure(int(silence["unplugged"]), "1 = yes"),
    }
    if worst.parts > 1:
        measures["unplugged_silences"] = measure(worst.parts, "1")
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
    found = _found(evidence)
    return max((f.severity for f, _ in found if f.outcome is Outcome.SUSPECTED), key=_WEIGHT.__getitem__)


def waits(evidence: Evidence) -> bool:
    """Whether facts that are to come may change the result: a silence that is not over or that others shared."""
    found = [f for f, _ in _found(evidence)]
    going_on = any(f.to_us is None and f.reason != "terminal_changed" for f in found)
    return going_on or any(f.reason in OPEN for f in found) or not evidence["day_positions"]


def _found(evidence: Evidence) -> list[tuple[_Found, Silence]]:
    """What each silence comes to, and the shorter ones with loss of power together (with the longest of them)."""
    used, silences = evidence["parameters"], evidence["silences"]
    least = used["min_silence_min"] * _MINUTE_US
    found = [(_judge(s, evidence), s) for s in silences if s["to_us"] is None or _length_us(s, used) >= least]
    if len(found) < len(silences) and (together := _judge_together(evidence)) is not None:
        found.append(together)
    return found


def _gravity(found: _Found) -> tuple[int, int, int, int]:
    weight = _WEIGHT[found.severity] if found.outcome is Outcome.SUSPECTED else 0
    return _RANK[found.outcome], weight, found.displaced_m, found.length_us


def _judge(silence: Silence, evidence: Evidence) -> _Found:
    used = evidence["parameters"]
    start, end = silence["before"][-1][0], silence["to_us"]
    displaced, odometer = _displaced_m(silence), _odometer_m(silence, used)

    def made(outcome: Outcome, reason: str, grave: Severity = "low") -> _Found:
        length = _length_us(silence, used)
        return _Found(outcome, reason, grave, start, end, length, displaced, odometer)

    if silence["binding"] == "ended":
        return made(Outcome.UNDETERMINED, "terminal_changed")
    why = suspicious(silence, used)
    if why == "odometer" and any(d["kind"] == "odometer_runs" for d in evidence["contradictions"]):
        return made(Outcome.UNDETERMINED, "contradiction")
    if why:
        if not _others_seen(silence, used):
            return made(Outcome.UNDETERMINED, "peers_silent")
        if why != "unplugged":
            return made(Outcome.SUSPECTED, why, "high")
        return made(Outcome.SUSPECTED, why, "medium" if displaced < 0 else "low")
    if silence["binding"] != "same":
        return made(Outcome.UNDETERMINED, "terminal_changed")
    if _covered(silence, used):
        return made(Outcome.NORMAL, "workshop")
    if displaced < 0:
        return made(Outcome.UNDETERMINED, "unconfirmed" if silence["after"] else "still_silent")
    if Counted.FAULT in _steps(silence, used):
        return made(Outcome.UNDETERMINED, "odometer_fault")
    limit = max(used["min_displacement_m"], 1)
    if max(displaced, odometer) >= limit:  # with one fix before it
        return made(Outcome.UNDETERMINED, "unconfirmed")
    return made(Outcome.NORMAL, "workshop" if silence["unplugged"] else "asleep")


def _judge_together(evidence: Evidence) -> tuple[_Found, Silence] | None:
    """The silences with loss of power as one; None when they do not last long enough, or are not several."""
    used = evidence["parameters"]
    least = used["min_silence_min"] * _MINUTE_US
    parts = [s for s in evidence["silences"] if s["unplugged"] and s["to_us"] and suspicious(s, used)]
    seen = [s for s in parts if _others_seen(s, used)]
    outcome, reason = Outcome.SUSPECTED, "unplugged_together"
    if sum(_length_us(s, used) for s in seen) < least:
        seen, outcome, reason = parts, Outcome.UNDETERMINED, "peers_silent"
    total = sum(_length_us(s, used) for s in seen)
    if len(seen) < 2 or total < least:
        return None
    moved = any(suspicious(s, used) != "unplugged" for s in seen)
    longest = max(seen, key=lambda s: (_length_us(s, used), -s["before"][-1][0]))
    found = _Found(
        outcome, reason, "high" if moved else "low", min(s["before"][-1][0] for s in seen),
        max(s["to_us"] or 0 for s in seen), total, max(map(_displaced_m, seen)),
        max(_odometer_m(s, used) for s in seen), len(seen),
    )  # fmt: skip
    return found, longest


def _others_seen(silence: Silence, used: Mapping[str, int]) -> bool:
    peers = silence["peers"]
    if peers is None:
        raise EvidenceError("a suspicious silence without its peers")
    seen, awake = peers["reporting"], peers["reporting"] + peers["silent"]
    return seen >= used["min_peers"] and seen * 1000 >= used["peers_permille"] * awake


def _length_us(silence: Silence, used: Mapping[str, int]) -> int:
    """How long it lasted; of one that is not over the least that is known."""
    end = silence["to_us"]
    return used["min_silence_min"] * _MINUTE_US if end is None else end - silence["before"][-1][0]


def _displaced_m(silence: Silence) -> int:
    """The least distance from a fix before to one after the silence in whole metres, rounded down; -1 with fewer than
    two fixes after it, or when another terminal gave them."""
    before, after = silence["before"], silence["after"]
    if len(after) < 2 or silence["binding"] != "same":
        return -1
    return min(geo.distance_mm_scalar(b[1], b[2], a[1], a[2]) for b in before for a in after) // 1000


def _steps(silence: Silence, used: Mapping[str, int]) -> list[Counted]:
    """What the odometer of one and the same terminal did from each fix to the next; empty with fewer than two after."""
    if len(silence["after"]) < 2 or silence["binding"] != "same":
        return []
    fixes = silence["before"] + silence["after"]
    return [counted(a[3], b[3], b[0] - a[0], used["max_speed_kmh"]) for a, b in pairwise(fixes)]


def _odometer_m(silence: Silence, used: Mapping[str, int]) -> int:
    """What the odometer of one and the same terminal counted, by the lesser of the first two fixes after; -1 = not
    known, or no car can have driven it."""
    before, after = silence["before"], silence["after"]
    steps = _steps(silence, used)
    if not steps or any(step is not Counted.DRIVEN for step in steps):
        return -1
    return int(min(a[3] for a in after) - before[-1][3]) * 100


def _at_workshop(silence: Silence) -> bool:
    start = silence["before"][-1][0]
    return any(o["task_type"] in WORKSHOP and o["from_us"] <= start < o["to_us"] for o in silence["orders"])


def _covered(silence: Silence, used: Mapping[str, int]) -> bool:
    """Whether the vehicle was at a workshop, or towed, in all of a silence but less than a silence's length."""
    if silence["to_us"] is None:
        return False
    inside = _ordered_us(silence, WORKSHOP)
    return inside > 0 and _length_us(silence, used) - inside < min(
        used["min_silence_min"] * _MINUTE_US, _length_us(silence, used)
    )


def _ordered_us(silence: Silence, types: Sequence[str] = ()) -> int:
    """How much of a silence that is over lies under orders (of ``types``; none = of any); 0 while it goes on."""
    end = silence["to_us"]
    if end is None:
        return 0
    at = silence["before"][-1][0]
    covered = 0
    orders = [order for order in silence["orders"] if not types or order["task_type"] in types]
    for order in sorted(orders, key=lambda o: (o["from_us"], o["to_us"])):
        low, high = max(at, order["from_us"]), min(end, order["to_us"])
        if low < high:
            covered += high - low
            at = high
    return covered
