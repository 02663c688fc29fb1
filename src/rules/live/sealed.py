"""Sealed vehicles that move: found in the batch that shows it, and the one way in which a seal is judged, also by the judge.

A batch is only looked at for vehicles that are sealed, and of those only for fixes that move. Whether that is a movement of the rule
is then judged on the stored track, so that live and afterwards the same comes out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from registry.facts.vehicle_days import Cover, covers_of
from registry.parameters import TRACK, ParameterRow, resolve
from registry.seals import SealInfo, sealed_since, seals_since
from rules.alerts.conclude import judgement_of
from rules.alerts.current import standing
from rules.alerts.model import AlertFacts, Judgement
from rules.checks import sealed
from rules.checks.base import Evaluation, Outcome
from rules.evidence import Track, freeze_track, track_columns
from rules.evidence_parts import TaskCover, vehicle_of
from rules.live.episodes import Facts
from rules.live.vehicle_states import Fixes
from rules.stored_tracks import Want, tracks_in
from rules.tracks.kernel import MOVING_DKMH, MOVING_MM
from rules.tracks.state import TrackStates
from rules.tracks.valid_fixes import cleaned
from runtime.arrays import Bools, Ints
from runtime.connection import Connection
from runtime.units import US_PER_DAY, US_PER_S, from_us, midnight_us, to_us
from telemetry import geo
from telemetry.archive.store import Archive

#: How often it is asked which vehicles are sealed. One that is sealed this very moment is judged by the judge as well.
_SEALS_US: Final = 10 * US_PER_S
#: What has its alert is not looked at again for so long; it may be withdrawn meanwhile.
_QUIET_US: Final = 600 * US_PER_S
#: A track is cleaned from so long before the part that counts; a live movement is looked for so far back.
LEAD_US: Final = US_PER_DAY
#: Where the vehicle stood when it was sealed is looked for so far back; and a seal is looked through no further back than that.
REACH_US: Final = 62 * US_PER_DAY
#: Seals whose tracks are in memory at once: so much time together.
_TOGETHER_US: Final = 4 * REACH_US
#: An anchor is the last of the fixes of so long before it.
_ANCHOR_US: Final = 3600 * US_PER_S

SpansOf = Callable[[Sequence[Want]], Awaitable[Sequence[Sequence[Want]]]]


@dataclass(frozen=True, slots=True)
class Source:
    """What seals are judged from. ``spans_of``: the terminals that sat in vehicles."""

    conn: Connection
    archive: Archive
    parameters: Sequence[ParameterRow]
    spans_of: SpansOf


class SealWatch:
    """What a worker remembers of seals between two transactions; all of it may be lost."""

    def __init__(self) -> None:
        self._since: dict[int, int] = {}
        self._numbers = np.zeros(0, np.int64)  # of the sealed vehicles
        self._at_us = 0
        #: (vehicle, since when) that has its alert -> until when it is not looked at again.
        self._quiet: dict[tuple[int, int], int] = {}

    async def follow(self, conn: Connection, now_us: int) -> None:
        """Know which vehicles are sealed now."""
        if abs(now_us - self._at_us) >= _SEALS_US:
            self._at_us = now_us
            self._since = {no: to_us(at) for no, at in (await sealed_since(conn, from_us(now_us))).items()}
            self._numbers = np.array(sorted(self._since), np.int64)
            self._quiet = {
                key: us
                for key, us in self._quiet.items()
                if us > now_us and self._since.get(key[0]) == key[1]
            }

    def find(self, live: Fixes, valid: Bools, before: TrackStates, moved: Ints) -> dict[int, int]:
        """Of the rows ``live`` that the kernels have just taken: sealed vehicles that move there -> their newest fix, us. ``before``: the
        states of the vehicles ``moved`` (sorted) before that."""
        if not self._since or not len(live):
            return {}
        rows = np.flatnonzero(np.isin(live.vehicle, self._numbers) & valid)
        if not len(rows):
            return {}
        rows = rows[np.lexsort((live.t_us[rows], live.vehicle[rows]))]
        vehicle, lat, lon = live.vehicle[rows], live.lat_e6[rows], live.lon_e6[rows]
        place = np.searchsorted(moved, vehicle)
        first = np.r_[True, vehicle[1:] != vehicle[:-1]]
        last_lat = np.where(first, before.field("prev_lat")[place], np.r_[0, lat[:-1]])
        last_lon = np.where(first, before.field("prev_lon")[place], np.r_[0, lon[:-1]])
        moves = (live.speed_dkmh[rows] >= MOVING_DKMH) | (
            geo.distance_mm(last_lat, last_lon, lat, lon) > MOVING_MM
        )
        pairs = zip(vehicle[moves].tolist(), live.t_us[rows][moves].tolist(), strict=True)
        since = self._since
        return {no: at for no, at in pairs if at >= since[no] and (no, since[no]) not in self._quiet}

    async def judge(self, facts: Facts, found: Mapping[int, int]) -> list[Judgement]:
        """The movements of sealed vehicles (-> their newest fix) as judgements; of a vehicle that only moved a little there is none."""
        if not found:
            return []
        snapshot = facts.tracker.snapshot
        numbers = {snapshot.vehicles[no].id: no for no in found}
        since = [(id, found[no]) for id, no in numbers.items()]
        seals = [
            s for s in (await seals_since(facts.conn, since)).values() if s.from_us <= found[s.vehicle.no]
        ]

        async def spans_of(wants: Sequence[Want]) -> list[list[Want]]:
            return [snapshot.terminals_of(no, a, b) for no, a, b in wants]

        _, alerts = await standing(facts.conn, sealed.RULE, [_subject(seal) for seal in seals])
        told = {subject for subject, alert in alerts.items() if alert.status == "suspected"}
        source = Source(facts.conn, facts.archive, snapshot.parameters, spans_of)
        asked = [seal for seal in seals if _subject(seal) not in told]
        until = {(s.vehicle.id, s.from_us): found[s.vehicle.no] + 1 for s in asked}
        judgements = []
        for seal, (evidence, made, _) in zip(asked, await look(source, asked, until, LEAD_US), strict=True):
            if made.outcome is Outcome.SUSPECTED:
                told.add(_subject(seal))
                judgements.append(
                    judgement_of(made, evidence, alert_of(seal, made), seal.vehicle.no, facts.now_us)
                )
        for seal in seals:
            if _subject(seal) in told:
                self._quiet[seal.vehicle.no, seal.from_us] = facts.now_us + _QUIET_US
        return judgements


def _subject(seal: SealInfo) -> str:
    return sealed.subject(seal.vehicle.id, seal.from_us)


def alert_of(seal: SealInfo, made: Evaluation) -> AlertFacts:
    """What the alert of a seal says besides its judgement."""
    vehicle = seal.vehicle
    return AlertFacts("high", vehicle.organisation, vehicle.id, vehicle.plate, made.from_us, made.to_us)


async def look(
    source: Source,
    seals: Sequence[SealInfo],
    until_us: Mapping[tuple[str, int], int],
    back_us: int = REACH_US,
) -> list[tuple[sealed.Evidence, Evaluation, bool]]:
    """Each of ``seals`` judged on the stored track up to its time in ``until_us``, and so far back from there: (evidence, evaluation,
    whether an order that it rests on was entered afterwards)."""
    judged: list[tuple[sealed.Evidence, Evaluation, bool]] = []
    part: list[tuple[SealInfo, Want]] = []
    length = 0
    for seal in seals:
        want = _want(source, seal, until_us[seal.vehicle.id, seal.from_us], back_us)
        if part and length + want[2] - want[1] > _TOGETHER_US:
            judged += await _judged(source, part)
            part, length = [], 0
        part.append((seal, want))
        length += want[2] - want[1]
    return judged + (await _judged(source, part) if part else [])


def _used(source: Source, seal: SealInfo) -> dict[str, int]:
    unit = seal.vehicle.organisation
    found = resolve(sealed.RULE, unit, seal.from_us, source.parameters) | resolve(
        TRACK, unit, seal.from_us, source.parameters
    )
    # When it is judged is no part of what it is judged by.
    return {name: value for name, value in found.items() if name not in ("settle_after_h", "max_age_days")}


def _want(source: Source, seal: SealInfo, until_us: int, back_us: int) -> Want:
    """The stretch of the vehicle that counts, without what is before it or when it was no official vehicle."""
    since, until = sealed.counted(seal.from_us, seal.to_us, _used(source, seal))
    end = until_us if until is None else min(until, until_us)
    if seal.vehicle.disposed_on is not None:
        end = min(end, midnight_us(seal.vehicle.disposed_on))
    if seal.vehicle.registered_on is not None:
        since = max(since, midnight_us(seal.vehicle.registered_on))
    begin = max(since, end - back_us)
    return seal.vehicle.no, begin, max(begin, end)


async def _judged(
    source: Source, part: Sequence[tuple[SealInfo, Want]]
) -> list[tuple[sealed.Evidence, Evaluation, bool]]:
    """Of seals with the stretches that count."""
    wants = [(no, max(0, begin - LEAD_US), end) for _, (no, begin, end) in part]
    tracks = await tracks_in(source.archive, source.conn, await source.spans_of(wants))
    used = [_used(source, seal) for seal, _ in part]
    anchors = await _anchors(source, [seal for seal, _ in part], used)
    valid = _confirmed(tracks, anchors, used)
    vehicles = list({seal.vehicle.no: seal.vehicle for seal, _ in part}.values())
    low, high = min(want[1] for want in wants), max(want[2] for want in wants) + 1
    covers = await covers_of(source.conn, vehicles, low, high, source.parameters)
    found = []
    for (seal, want), track, rows, values, anchor in zip(part, tracks, valid, used, anchors, strict=True):
        its = {
            name: column[rows[track["t_us"][rows] >= want[1]]]
            for name, column in track.items()
            if name != "term"
        }
        mine = covers.get(seal.vehicle.no, ())
        facts: sealed.Facts = {
            "rule": sealed.RULE, "rule_version": sealed.VERSION, "subject": _subject(seal),
            "vehicle": vehicle_of(seal.vehicle), "seal": {"from_us": seal.from_us, "reason": seal.reason},
            "anchor": anchor, "parameters": values, "orders": _orders(mine, want[1], want[2]),
        }  # fmt: skip
        evidence, made = _with_evidence(facts, its)
        backfill = any(c.backfill and c.from_us < want[2] and want[1] < c.to_us for c in mine)
        found.append((evidence, made, backfill))
    return found


def _confirmed(
    tracks: Sequence[Mapping[str, Ints]],
    anchors: Sequence[sealed.Anchor | None],
    used: Sequence[Mapping[str, int]],
) -> list[Ints]:
    """The rows of each track that are valid fixes; without those that still wait at its end for what follows: they say nothing yet. Where no
    fix at all, valid or not, is far enough from the anchor, nothing has to be known of them: a seal is long, and vehicles stand."""
    found = [np.arange(len(track["t_us"])) for track in tracks]
    doubtful = [k for k, one in enumerate(zip(tracks, anchors, used, strict=True)) if sealed.ever_away(*one)]
    made = cleaned([tracks[k] for k in doubtful], [used[k]["max_speed_kmh"] for k in doubtful])
    for k, its in zip(doubtful, made, strict=True):
        found[k] = its.good[its.good <= (its.clean[-1] if len(its.clean) else -1)]
    return found


def _with_evidence(facts: sealed.Facts, track: Mapping[str, Ints]) -> tuple[sealed.Evidence, Evaluation]:
    """Judged on ``track``, with no more of it in the evidence than shows the movement."""
    made, anchor = sealed.judge(facts, track), facts["anchor"]
    if made.outcome is not Outcome.SUSPECTED or anchor is None:
        return {**facts, "track": _columns(track, 0)}, made
    moved = sealed.movement(track, anchor, facts["orders"], facts["parameters"])
    if moved is None:
        raise ValueError(f"{facts['subject']}: suspected without a movement")
    evidence = sealed.cut(facts, track, moved)
    again = sealed.judge(evidence, track_columns(evidence["track"]))
    if again != made:  # what came before the movement matters: all of it is shown
        evidence = {**facts, "track": _columns(track, len(track["t_us"]))}
    return evidence, made


def _columns(track: Mapping[str, Ints], count: int) -> Track:
    return freeze_track({name: column[:count] for name, column in track.items()})


def _orders(covers: Sequence[Cover], from_us: int, to_us: int) -> list[TaskCover]:
    return [
        {"id": c.id, "version": c.version, "task_type": c.task_type, "from_us": max(c.from_us, from_us), "to_us": min(c.to_us, to_us)}
        for c in covers
        if c.from_us < to_us and from_us < c.to_us
    ]  # fmt: skip


async def _anchors(
    source: Source, seals: Sequence[SealInfo], used: Sequence[Mapping[str, int]]
) -> list[sealed.Anchor | None]:
    """Where each vehicle stood when it was sealed: its last fix by then that nothing contradicts; without one, the first after."""
    at = [sealed.counted(seal.from_us, None, u)[0] for seal, u in zip(seals, used, strict=True)]
    before = await source.spans_of(
        [(s.vehicle.no, max(0, us - REACH_US), us) for s, us in zip(seals, at, strict=True)]
    )
    after = await source.spans_of(
        [(s.vehicle.no, us, us + REACH_US) for s, us in zip(seals, at, strict=True)]
    )
    last, first = await _edges(source, before, newest=True), await _edges(source, after, newest=False)
    spans: list[list[Want]] = []
    for earlier, later, ends, begins in zip(before, after, last, first, strict=True):
        its, end = earlier, (ends or 0) + 1
        if ends is None and begins is not None:
            its, end = later, begins + _ANCHOR_US
        begin = end - _ANCHOR_US
        spans.append([(no, max(a, begin), min(b, end)) for no, a, b in its if a < end and b > begin])
    tracks = await tracks_in(source.archive, source.conn, spans)
    found: list[sealed.Anchor | None] = []
    for track, good, us in zip(tracks, cleaned(tracks, [u["max_speed_kmh"] for u in used]), at, strict=True):
        if not len(good.clean):
            found.append(None)
            continue
        row = int(good.clean[-1] if int(track["t_us"][good.clean[-1]]) < us else good.clean[0])
        found.append(
            {
                "t_us": int(track["t_us"][row]),
                "lat_e6": int(track["lat_e6"][row]),
                "lon_e6": int(track["lon_e6"][row]),
            }
        )
    return found


async def _edges(source: Source, spans: Sequence[Sequence[Want]], *, newest: bool) -> list[int | None]:
    """The time of the first (``newest``: the last) usable fix of each list of (terminal, from, to); None = it has none."""
    flat = sorted({span for its in spans for span in its})
    track = await source.archive.edges(source.conn, flat, 1, newest=newest)
    times: dict[int, list[int]] = defaultdict(list)
    for no, us in zip(track.batch.terminal.tolist(), track.batch.device_us.tolist(), strict=True):
        times[no].append(us)
    pick = max if newest else min
    return [pick((us for no, a, b in its for us in times[no] if a <= us < b), default=None) for its in spans]
