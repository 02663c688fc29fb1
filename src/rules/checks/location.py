"""location 定位异常: 无派车任务的公车出现电子围栏范围外行驶轨迹的.

One result per *episode*. How a run of fixes outside becomes an episode and how it ends is in
``rules.tracks.kernel``; the same kernel runs while streaming and here over frozen evidence.

Kilometres that were bridged accuse nobody, and are shown apart. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NotRequired, TypedDict

import numpy as np

from registry.order_cover import Note
from registry.parameters import ORDER, TRACK, ParameterRow, resolve, resolve_columns, rows_for
from rules import evidence_parts as parts
from rules.checks.base import Evaluation, Outcome, measure
from rules.checks.card_binding import day_us
from rules.evidence import Track, acc_of, canonical, require, term_of, track_columns
from rules.evidence_parts import Cover, Fence, Reminder, areas_of, order_column
from rules.tracks.advance import EventRow, advance, row_matrix
from rules.tracks.kernel import AGREE_FIXES, RESOLUTION_MM, SHORT_US, SUPPORT, Event
from rules.tracks.mileage import leg_mm
from rules.tracks.state import FIELDS, TrackStates
from runtime.arrays import Bools, Ints
from telemetry.geo import FenceSet

RULE = "location"
VERSION = 2

#: End of a window that has not ended.
OPEN_END = np.iinfo(np.int64).max

_CLOSED = {
    Event.ENTERED: "returned_to_fence",
    Event.ORDER: "order_started",
    Event.IDLE: "parked",
    Event.NO_FENCE: "fence_withdrawn",
    Event.NOT_OFFICIAL: "not_official",
}


class Vehicle(parts.Vehicle):
    """The vehicle. Days are ISO dates; evidence of before they were in it has none."""

    registered_on: NotRequired[str | None]
    disposed_on: NotRequired[str | None]


class Evidence(TypedDict):
    """What an episode is judged on: the track in [from, to] and what held at each fix. ``parameter_rows``: values of
    ``registry.parameters.ParameterRow``. ``anchor``: from where the displacement counts besides from the fence, (latitude,
    longitude) in 1e-6 degree; None = from the fence alone, which the vehicle left; absent: the track itself tells. ``reminders``: what the
    driver was told of it by then: shown, and nothing is judged by it."""

    rule: str
    rule_version: int
    subject: str
    from_us: int
    to_us: int
    vehicle: Vehicle
    parameter_rows: list[list[Any]]
    fences: list[Fence]
    orders: list[Cover]
    anchor: NotRequired[list[int] | None]
    track: Track
    notes: NotRequired[list[Note]]
    reminders: NotRequired[list[Reminder]]


@dataclass(frozen=True, slots=True)
class Episode:
    """An episode as the kernel saw it. Lengths in whole metres, rounded down.

    ``start_us``: first fix of the run. ``opened_us``: the fix that made it an episode. ``end_us``: the last
    fix that belongs to it (parked: the last moving one), None while it goes on. ``closed_us``: the fix that
    ended it. ``seen_us``: the report that confirmed the fix that opened or ended it; ``from_us``: from where on its fixes are
    confirmed alike (``rules.tracks.cleaning``). ``anchor``: see ``Evidence``.
    ``apart_m``: farthest that another terminal of the vehicle was at the same time. ``counted``: the odometer did count until
    it ended.
    """

    start_us: int
    opened_us: int
    end_us: int | None
    closed_us: int | None
    reason: str
    distance_m: int
    bridged_m: int
    farthest_m: int
    fixes: int
    apart_m: int
    from_us: int
    seen_us: int
    anchor: tuple[int, int] | None
    counted: bool = False


def episode_of_event(event: EventRow) -> Episode:
    """The episode that an event opened or closed."""
    if event.event is Event.OPENED:
        return episode_of_half(event.after)
    half = event.before
    end = max(half["moved_t"], half["run_t"]) if event.event is Event.IDLE else half["run_last_t"]
    return replace(
        episode_of_half(half), end_us=end, closed_us=event.after["t"], reason=_CLOSED[event.event], seen_us=event.after["seen_t"],
        counted=0 < half["run_odo"] < event.after["prev_odo"],
    )  # fmt: skip


def concluded(episode: Episode) -> tuple[Outcome, str]:
    """(outcome, reason) of an episode. One that is over at once, rests on one or two fixes, and while which no odometer counted
    is undetermined: a reflection may give two fixes in a row, with any speed."""
    over = episode.closed_us
    few = episode.fixes < AGREE_FIXES and not episode.counted and episode.reason == _CLOSED[Event.ENTERED]
    if few and over is not None and over - episode.start_us <= 2 * SHORT_US:
        return Outcome.UNDETERMINED, "few_fixes"
    return Outcome.SUSPECTED, episode.reason


def episode_of_half(half: dict[str, int]) -> Episode:
    """The open episode in a half state (``open_t`` must be set)."""
    place = half["run_lat"], half["run_lon"]
    return Episode(
        half["run_t"], half["open_t"], None, None, "driving_outside",
        leg_mm(half) // 1000, half["leg_bridged_mm"] // 1000, (half["run_far"] + RESOLUTION_MM) // 1000, half["run_n"],
        half["run_apart"] // 1000, half["run_from_t"], half["open_seen_t"], None if place == (0, 0) else place,
    )  # fmt: skip


def measures_of(episode: Episode) -> dict[str, dict[str, Any]]:
    """The measures of a suspected result."""
    made = {
        "distance_m": measure(episode.distance_m, "m"),
        "bridged_m": measure(episode.bridged_m, "m"),
        "farthest_m": measure(episode.farthest_m, "m"),
        "fixes": measure(episode.fixes, "1"),
    }
    return made | ({"terminals_apart_m": measure(episode.apart_m, "m")} if episode.apart_m else {})


def subject(vehicle: str, start_us: int) -> str:
    """Name of an episode's subject. An episode that is found again with another start keeps its first
    name."""
    return f"episode:{vehicle}:{start_us}"


#: A parameter of orders that was one of this rule when version 1 was written; evidence names it as it did then.
_EARLY: Final = "early_start_min"


def parameter_rows(rows: Sequence[ParameterRow], organisation: str) -> list[list[Any]]:
    """``parameter_rows`` of evidence: the rows that concern the vehicles of ``organisation``."""
    orders = [replace(row, rule=RULE) for row in rows if (row.rule, row.name) == (ORDER, _EARLY)]
    mine = [*orders, *(row for row in rows if row.rule in (RULE, TRACK))]
    return [
        [row.rule, row.name, row.organisation, row.value, row.effective_us]
        for row in rows_for(mine, organisation)
    ]


def _used(rows: Sequence[ParameterRow], organisation: str, at_us: int) -> dict[str, int]:
    """The values that held, of the rows of evidence."""
    orders = [replace(row, rule=ORDER) for row in rows if row.rule == RULE]
    return (
        resolve(RULE, organisation, at_us, rows)
        | {_EARLY: resolve(ORDER, organisation, at_us, orders)[_EARLY]}
        | resolve(TRACK, organisation, at_us, rows)
    )


def rows_of_evidence(evidence: Evidence) -> Ints:
    """The row matrix of the kernel for the track, fences, orders and parameters of ``evidence``."""
    track = track_columns(evidence["track"])
    t, lat, lon = track["t_us"], track["lat_e6"], track["lon_e6"]
    parameter_rows = [ParameterRow(*row) for row in evidence["parameter_rows"]]
    organisation = np.full(len(t), evidence["vehicle"]["organisation"], object)
    own = resolve_columns(RULE, organisation, t, parameter_rows)
    shared = resolve_columns(TRACK, organisation, t, parameter_rows)
    order = order_column(evidence["orders"], t)
    fences, fence = areas_of(evidence["fences"], t, fine=True)
    # Evidence of before they were in it has no days.
    vehicle = evidence["vehicle"]
    since, until = day_us(vehicle.get("registered_on")), day_us(vehicle.get("disposed_on"))
    official = (t >= (-OPEN_END if since is None else since)) & (t < (OPEN_END if until is None else until))
    fence[~official] = -1
    outside, beyond = outside_columns(fences, fence, order == 0, lat, lon)
    return row_matrix(
        len(t), t=t, fp=track["fingerprint"], lat=lat, lon=lon, speed=track["speed_dkmh"],
        dir=track["direction_deg"], odo=track["odometer_dkm"] + 1, acc=acc_of(track), term=term_of(track),
        order=order, fenced=fenced_column(fence, official),
        outside=outside, beyond=beyond, max_kmh=shared["max_speed_kmh"], gap_us=shared["gap_s"] * 1_000_000,
        displaced_mm=own["min_displacement_m"] * 1000, idle_us=own["episode_idle_min"] * 60_000_000,
    )  # fmt: skip


def fenced_column(fence: Ints, official: Bools) -> Ints:
    """Column ``fenced`` of the kernel: ``fence`` index per row, -1 = none; whether its vehicle was official then."""
    return np.where(official, fence >= 0, -1).astype(np.int64)


def outside_columns(
    fences: FenceSet, fence: Ints, wanted: Bools, lat_e6: Ints, lon_e6: Ints
) -> tuple[Bools, Ints]:
    """(outside, beyond_mm) of fixes: ``fence`` index per row, -1 = none; only ``wanted`` rows are looked
    at."""
    outside, beyond = np.zeros(len(fence), np.bool_), np.zeros(len(fence), np.int64)
    ask = np.flatnonzero((fence >= 0) & wanted)
    if len(ask):
        out = ask[~fences.inside(fence[ask], lat_e6[ask], lon_e6[ask])]
        outside[out] = True
        beyond[out] = fences.beyond_mm(fence[out], lat_e6[out], lon_e6[out])
    return outside, beyond


def episodes(evidence: Evidence) -> list[Episode]:
    """Every episode of the track in ``evidence``, in time order; the last may be open."""
    rows = rows_of_evidence(evidence)
    states = _anchored(evidence["anchor"]) if "anchor" in evidence else TrackStates(1)
    done = advance(states, np.zeros(rows.shape[1], np.int64), rows)
    found = [episode_of_event(e) for e in done.events if e.event is not Event.OPENED]
    tip = dict(zip(FIELDS, states.tip[:, 0].tolist(), strict=True))
    if tip["open_t"]:
        found.append(episode_of_half(tip))
    return found


def _anchored(anchor: Sequence[int] | None) -> TrackStates:
    """A state of a vehicle that has stood for long at the place that its track begins with, so that its displacement counts
    from ``anchor``."""
    states = TrackStates(1)
    lat, lon = anchor or (0, 0)
    for name, value in (("prev_n", SUPPORT), ("run_t", 1), ("run_lat", lat), ("run_lon", lon)):
        states.tip[FIELDS.index(name)] = value
    return states


def evaluate(evidence: Evidence) -> Evaluation:
    """Judge the episode of ``evidence`` (``evidence["subject"]``): suspected when its track shows one, undetermined when it
    rests on too few fixes, else normal.

    Raises EvidenceError for evidence of another rule or version.
    """
    require(evidence, RULE, VERSION)
    track = evidence["track"]["t_us"]
    vehicle = evidence["vehicle"]
    start = track[0] if track else evidence["from_us"]
    rows = [ParameterRow(*row) for row in evidence["parameter_rows"]]
    used = _used(rows, vehicle["organisation"], start)
    found, told = episodes(evidence), {"plate": vehicle["plate"], "notes": evidence.get("notes", [])}
    if not found:
        end = track[-1] if track else None
        return Evaluation(
            RULE, VERSION, evidence["subject"], Outcome.NORMAL, "no_episode", {}, used, start, end, told
        )
    episode = found[0]
    outcome, reason = concluded(episode)
    return Evaluation(
        RULE,
        VERSION,
        evidence["subject"],
        outcome,
        reason,
        measures_of(episode),
        used,
        episode.start_us,
        episode.end_us,
        told,
    )


def same_substance(one: Evidence, other: Evidence) -> bool:
    """Whether two evidences of one subject, which give the same outcome, numbers and times, tell the same facts. The bytes may
    differ in what tells nothing: the version of an order that was entered again, a parameter that came later, and how far
    behind the episode the track goes, and how far a reminder had come that the driver got (that stands beside the alert). It goes up to the report that confirmed the last fix; when a report comes late, that
    is another one."""
    if one.get("notes", []) != other.get("notes", []) or one.get("anchor") != other.get("anchor"):
        return False
    rows, others = rows_of_evidence(one), rows_of_evidence(other)
    if rows.shape == others.shape and bool((rows == others).all()):
        return True
    told = _told_facts(one)
    return told is not None and told == _told_facts(other)


def _told_facts(evidence: Evidence) -> tuple[Any, ...] | None:
    """What evidence tells of its episode: the episode itself, the fences that it was outside of, and the orders in reach of it;
    None where there is no episode."""
    found = episodes(evidence)
    if not found:
        return None
    episode, end = found[0], evidence["to_us"]
    until = end if episode.end_us is None else episode.end_us
    closed = end if episode.closed_us is None else episode.closed_us
    # When it was opened, ended and confirmed is how it was found, not what happened.
    plain = replace(episode, opened_us=0, closed_us=None, from_us=0, seen_us=0)
    fences = [
        canonical({name: value for name, value in fence.items() if name not in ("from_us", "to_us")})
        for fence in evidence["fences"]
        if fence["from_us"] <= until and episode.start_us <= fence["to_us"]
    ]
    orders = [
        order["id"]
        for order in evidence["orders"]
        if order["from_us"] <= closed and episode.start_us <= order["to_us"]
    ]
    return plain, sorted(set(fences)), sorted(set(orders))
