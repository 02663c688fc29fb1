"""Episodes of ``location`` as alerts: frozen evidence, and one alert for one episode whatever comes late."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from registry.facts.order_notes import notes_of_vehicles
from rules import evidence as frozen
from rules.alerts import reminders
from rules.alerts.conclude import judgement_of
from rules.alerts.feed import alerts_of_vehicles
from rules.alerts.model import AlertFacts, Judgement, VersionedAlert
from rules.checks import location
from rules.checks.base import Evaluation, Outcome
from rules.checks.location import OPEN_END, Episode
from rules.evidence_parts import Cover, fence_of, official_vehicle_of, stretches
from rules.live.order_results import TripResults
from rules.live.vehicle_states import Fixes, Tracker, order_key
from rules.stored_tracks import tracks_in
from runtime.arrays import Ints
from runtime.connection import Connection
from runtime.units import US_PER_DAY
from telemetry.archive.store import Archive

RULE = location.RULE
#: Tracks in memory at once.
TRACKS_US: Final = 31 * US_PER_DAY


@dataclass(frozen=True, slots=True)
class Facts:
    """What judging needs besides the kernels: the open connection, the archive, the tracker, the results of the
    orders, and now. ``known_us``: what was received until then is processed; a backlog in the log is no silence of
    a terminal."""

    conn: Connection
    archive: Archive
    tracker: Tracker
    results: TripResults
    now_us: int
    known_us: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """A stretch of a vehicle, both ends included, that is judged under the name ``subject``. ``anchor``: that of its episode.
    ``old``: the alert that tells of no episode any more, None = an episode was found there."""

    vehicle: int
    subject: str
    from_us: int
    to_us: int
    anchor: tuple[int, int] | None = None
    old: VersionedAlert | None = None


async def _judge(facts: Facts, asked: Sequence[_Asked]) -> list[Judgement]:
    """The judgements of ``asked``, in order, on evidence frozen now. The tracks of many are read together."""
    judgements = []
    for part in _parts(asked):
        spans = [facts.tracker.snapshot.terminals_of(a.vehicle, a.from_us, a.to_us + 1) for a in part]
        tracks = await tracks_in(facts.archive, facts.conn, spans)
        wanted = [(a.vehicle, a.from_us, a.to_us) for a in part]
        notes = await notes_of_vehicles(facts.conn, wanted, facts.tracker.snapshot.parameters)
        overdue = [[note["order"] for note in its if note["kind"] == "overdue"] for its in notes]
        told = await reminders.for_evidence(facts.conn, wanted, overdue)
        for one, columns, its, said in zip(part, tracks, notes, told, strict=True):
            evidence = _evidence(facts, one, columns)
            if its:
                evidence["notes"] = its
            if said:
                evidence["reminders"] = said
            made = location.evaluate(evidence)
            judged = _suspected if one.old is None else _withdrawn
            judgements.append(judged(facts, one, evidence, made))
    return judgements


def _parts(asked: Sequence[_Asked]) -> Iterable[list[_Asked]]:
    part: list[_Asked] = []
    length = 0
    for one in asked:
        its = one.to_us - one.from_us
        if part and length + its > TRACKS_US:
            yield part
            part, length = [], 0
        part.append(one)
        length += its
    if part:
        yield part


def _evidence(facts: Facts, asked: _Asked, columns: dict[str, Ints]) -> location.Evidence:
    """Evidence of ``location`` for a stretch of a vehicle: its track, and the orders and fences as of each fix."""
    snapshot, vehicle = facts.tracker.snapshot, asked.vehicle
    columns = columns | {"term": frozen.term_of(columns)}
    fixes = Fixes(np.full(len(columns["t_us"]), vehicle, np.int64), **columns)
    context = facts.tracker.context(fixes)
    info = snapshot.vehicles[vehicle]
    orders: list[Cover] = []
    for row, start, end in stretches(context.order, fixes.t_us):
        if row >= 0:
            order = snapshot.orders.orders[row]
            number = order_key(order.id)
            orders.append(
                {"no": number, "id": order.order, "version": order.version, "from_us": start, "to_us": end}
            )
    areas = ((snapshot.area(row), a, b) for row, a, b in stretches(context.fence, fixes.t_us) if row >= 0)
    return {
        "rule": RULE,
        "rule_version": location.VERSION,
        "subject": asked.subject,
        "from_us": asked.from_us,
        "to_us": asked.to_us,
        "vehicle": {**official_vehicle_of(info)},
        "parameter_rows": location.parameter_rows(snapshot.parameters, info.organisation),
        "fences": [fence_of(area.fences, area.geometry, start, end) for area, start, end in areas],
        "orders": orders,
        "anchor": None if asked.anchor is None else list(asked.anchor),
        "track": frozen.freeze_track(
            {name: column for name, column in fixes.columns().items() if name != "term" or column.any()}
        ),
    }


def _suspected(facts: Facts, asked: _Asked, evidence: location.Evidence, made: Evaluation) -> Judgement:
    info = facts.tracker.snapshot.vehicles[asked.vehicle]
    alert = None
    if made.outcome is Outcome.SUSPECTED:
        alert = AlertFacts(
            severity="high",
            organisation=info.organisation,
            vehicle=info.id,
            plate=info.plate,
            occurred_from_us=made.from_us,
            occurred_to_us=made.to_us,
        )
    return judgement_of(made, evidence, alert, asked.vehicle, facts.now_us, keep_evidence=True)


def _withdrawn(facts: Facts, asked: _Asked, evidence: location.Evidence, made: Evaluation) -> Judgement:
    snapshot = facts.tracker.snapshot
    vehicle, start = np.array([asked.vehicle]), np.array([asked.from_us])
    covering = sorted({order["id"] for order in evidence["orders"]})
    covers = [
        order
        for row in snapshot.orders.rows_of(asked.vehicle)
        if (order := snapshot.orders.orders[row]).order in covering
    ]
    named: dict[str, str] = {}
    if covering:
        reason, named = "covered_by_order", {"orders": "、".join(covering[:3])}
    elif not snapshot.official_at(vehicle, start).any():
        reason = "not_official_then"
    elif (snapshot.fences_at(vehicle, start) < 0).all():
        reason = "no_fence"
    elif made.outcome is Outcome.SUSPECTED:
        reason = "merged"
    else:
        reason = "no_longer_holds"
    body = None if made.outcome is Outcome.SUSPECTED else frozen.canonical(evidence)
    return Judgement(
        RULE,
        location.VERSION,
        asked.subject,
        asked.vehicle,
        "normal",
        reason,
        facts.now_us,
        {},
        dict(made.parameters),
        body,
        happened=(asked.from_us, asked.to_us),
        named=named,
        backfill=any(order.backfill for order in covers),
    )


def match(
    vehicle: str, found: Sequence[Episode], alerts: Sequence[VersionedAlert]
) -> tuple[list[str], list[VersionedAlert]]:
    """Which alert tells of which episode: (subject of each episode, the suspected alerts that tell of none).

    First the alert of the very start, then a suspected one that overlaps in time, then a withdrawn one; else
    the episode gets a subject of its own. Only a suspected alert can be without an end.
    """
    free = {
        a.subject: a for a in sorted(alerts, key=lambda a: (a.alert.status, a.occurred_from_us, a.subject))
    }
    subjects: list[str | None] = [None] * len(found)
    for k, episode in enumerate(found):
        exact = location.subject(vehicle, episode.start_us)
        if free.pop(exact, None) is not None:
            subjects[k] = exact
    for k, episode in enumerate(found):
        if subjects[k] is None:
            end = OPEN_END if episode.end_us is None else episode.end_us
            for name, known in free.items():
                if known.occurred_from_us <= end and episode.start_us <= _until(known):
                    subjects[k] = name
                    del free[name]
                    break
    named = [s or location.subject(vehicle, e.start_us) for s, e in zip(subjects, found, strict=True)]
    return named, [a for a in free.values() if a.alert.status == "suspected"]


def _until(known: VersionedAlert) -> int:
    """Until when an alert reaches. One that was withdrawn while it was open ends then (``_withdraw``): without an
    end it would claim whatever its vehicle does next. Those of before this was so reach no further than their start."""
    if known.occurred_to_us is not None:
        return known.occurred_to_us
    return OPEN_END if known.alert.status == "suspected" else known.occurred_from_us


async def publish_events(facts: Facts, found: Mapping[int, Sequence[Episode]]) -> list[Judgement]:
    """Judgements of episodes that opened or closed while streaming, by vehicle."""
    if not found:
        return []
    since = min(e.start_us for episodes in found.values() for e in episodes)
    alerts = await _alerts(facts, sorted(found), since)
    asked = []
    for vehicle, episodes in found.items():
        # Opened and closed in one batch: only how it ended is told.
        latest = list({e.start_us: e for e in episodes}.values())
        subjects, _ = match(facts.tracker.snapshot.vehicles[vehicle].id, latest, alerts[vehicle])
        asked += [_of_episode(vehicle, s, e) for s, e in zip(subjects, latest, strict=True)]
    return await _judge(facts, asked)


async def reconcile(facts: Facts, found: Mapping[int, tuple[int, Sequence[Episode]]]) -> list[Judgement]:
    """Judgements that make the alerts of vehicles (number -> from when on, its episodes since then) tell exactly of these
    episodes. The states of the vehicles are in memory."""
    if not found:
        return []
    every = await _alerts(facts, sorted(found), min(since for since, _ in found.values()))
    asked = []
    for vehicle, (since, episodes) in found.items():
        alerts = [alert for alert in every[vehicle] if _until(alert) >= since]
        subjects, stale = match(facts.tracker.snapshot.vehicles[vehicle].id, episodes, alerts)
        asked += [_of_alert(facts, vehicle, old) for old in stale]
        asked += [_of_episode(vehicle, s, e) for s, e in zip(subjects, episodes, strict=True)]
    return await _judge(facts, asked)


def _of_episode(vehicle: int, subject: str, episode: Episode) -> _Asked:
    """An open episode is judged up to what confirmed the fix that opened it, so that judging it again gives the same bytes;
    a closed one up to what confirmed the fix that closed it."""
    return _Asked(vehicle, subject, episode.from_us, episode.seen_us, episode.anchor)


def _of_alert(facts: Facts, vehicle: int, old: VersionedAlert) -> _Asked:
    start, end = old.occurred_from_us, old.occurred_to_us
    if end is None:
        end = max(start, int(facts.tracker.states.field("t", np.array([vehicle]))[0]))
    return _Asked(vehicle, old.subject, start, end, old=old)


async def _alerts(facts: Facts, vehicles: Sequence[int], since: int) -> dict[int, list[VersionedAlert]]:
    found: dict[int, list[VersionedAlert]] = defaultdict(list)
    for alert in await alerts_of_vehicles(facts.conn, RULE, vehicles, since):
        if alert.vehicle_no is not None:
            found[alert.vehicle_no].append(alert)
    return found
