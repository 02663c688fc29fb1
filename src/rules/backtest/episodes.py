"""Backtest of ``location``: the tracks of all vehicles through the kernel again, day by day.

A vehicle starts from its stored state at the start of a day. Such a state is of the parameters that held, so with others
it is used only where they cannot matter: the vehicle was then neither out without an order nor on an order. Else an
earlier day is taken; a vehicle without any such day begins empty, some days before. An episode that began in the period is
followed to its end, also beyond the period.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import Final

import numpy as np

from registry.facts.owners import owned
from registry.snapshot.fleet import FleetSnapshot
from registry.snapshot.orders import OrderBook
from registry.vehicles import VehicleInfo
from rules.alerts.current import standing
from rules.alerts.feed import alerts_of_vehicles
from rules.alerts.model import Measure, VersionedAlert
from rules.backtest.model import Question, Row, Side, kind_of, stored_side
from rules.checks import location
from rules.checks.base import Outcome
from rules.checks.location import Episode, episode_of_event
from rules.judge.context import Context
from rules.live.episodes import match
from rules.live.store.states import load_day_states, watermarks
from rules.live.vehicle_states import Tracker
from rules.tracks.advance import Advanced, advance
from rules.tracks.kernel import Event
from rules.tracks.state import FIELDS, STATE_DTYPE, STATE_VERSION, TrackStates
from rules.wording.standard import STANDARD
from runtime.arrays import Ints
from runtime.units import CHINA_OFFSET_US, US_PER_DAY, china_day

RULE: Final = location.RULE

#: Vehicles side by side, and rows read at once: bounds of memory.
VEHICLES_AT_ONCE: Final = 1000
ROWS_AT_ONCE: Final = 400_000
#: So many days back a state is looked for that does not depend on the parameters; without one a vehicle begins empty so
#: many days before the period.
STATES_BACK_DAYS: Final = 7

_OPEN, _RUN, _LEG = (FIELDS.index(name) for name in ("open_t", "run_t", "leg"))


async def vehicles_of(context: Context, question: Question) -> tuple[FleetSnapshot, list[int]]:
    """(the register, numbers of the vehicles to judge)."""
    snapshot = await FleetSnapshot.load(context.conn, order_days=0)
    snapshot.parameters = context.parameters
    if question.fence is not None:
        await snapshot.propose_fence(context.conn, question.fence)
    # Of vehicles that rest on a fact that cannot be read nothing is said: the log names the facts.
    unjudged = snapshot.unjudged
    found = {v.no: v.id for v in snapshot.vehicles.values() if v.no not in unjudged}
    if question.organisation is not None:
        mine = await owned(context.conn, question.organisation, "vehicle", found.values())
        if question.fence is not None:
            mine |= question.fence.vehicles
        found = {no: id for no, id in found.items() if id in mine}
    return snapshot, sorted(found)


async def location_rows(
    context: Context, question: Question, snapshot: FleetSnapshot, vehicles: Sequence[int]
) -> AsyncIterator[tuple[int, list[Row]]]:
    """(vehicles judged since the last time, their rows), again and again; the number is 0 between two vehicles."""
    for start in range(0, len(vehicles), VEHICLES_AT_ONCE):
        part = np.array(vehicles[start : start + VEHICLES_AT_ONCE], np.int64)
        replay = _Replay(context, question, snapshot, part)
        async for _ in replay.run():
            yield 0, []
        yield len(part), await _rows(context, question, snapshot, part.tolist(), replay)


class _Replay:
    """The kernel over the tracks of ``vehicles``; ``episodes``: what it found, by vehicle, in order. ``since_us``: from
    when on each was looked at."""

    def __init__(self, context: Context, question: Question, snapshot: FleetSnapshot, vehicles: Ints) -> None:
        self._context, self._question, self._vehicles = context, question, vehicles
        snapshot.orders = OrderBook()  # those of other vehicles are not needed any more
        self._snapshot, self._tracker = snapshot, Tracker(snapshot)
        self._states = TrackStates(len(vehicles))
        self._opened: dict[int, Episode] = {}
        self.since_us = np.zeros(len(vehicles), np.int64)
        self.episodes: dict[int, list[Episode]] = defaultdict(list)

    async def run(self) -> AsyncIterator[None]:
        """Yields after each piece of the tracks."""
        context, question, vehicles = self._context, self._question, self._vehicles
        await self._begin()
        await self._snapshot.load_orders(context.conn, vehicles.tolist(), int(self.since_us.min()))
        marks = await watermarks(context.conn, vehicles.tolist())
        last = np.array([marks[no] for no in vehicles.tolist()], np.int64) + 1
        slot_of = np.full(int(vehicles.max()) + 1, -1, np.int64)
        slot_of[vehicles] = np.arange(len(vehicles))
        at = int(self.since_us.min())
        while True:
            following = at + US_PER_DAY
            going = (self.since_us < following) & (last > at)
            if at >= question.to_us:  # only what began before the end is still followed
                run = self._states.tip[_RUN]
                going &= (run != 0) & (run < question.to_us)
                if not going.any():
                    break
            await self._piece(np.flatnonzero(going), at, following, slot_of)
            yield
            at = following
            if at >= question.to_us and not (last > at).any():
                break
        for slot, episode in self._opened.items():
            if self._states.tip[_OPEN, slot]:
                self.episodes[int(vehicles[slot])].append(episode)

    async def _begin(self) -> None:
        """The states to start from, and when."""
        context, vehicles = self._context, self._vehicles
        first = china_day(self._question.from_us)
        self.since_us[:] = (first - STATES_BACK_DAYS) * US_PER_DAY - CHINA_OFFSET_US
        open_ = np.arange(len(vehicles))
        for back in range(STATES_BACK_DAYS + 1):
            found, days, packed = await load_day_states(
                context.conn, vehicles[open_], np.full(len(open_), first - back), STATE_DTYPE, STATE_VERSION
            )
            states = TrackStates(len(found))
            states.unpack(np.arange(len(found)), packed)
            fit = days > first - back - STATES_BACK_DAYS
            if self._question.proposes:
                fit &= (states.field("run_t") == 0) & (states.field("leg") == 0)
            slots = open_[found[fit]]
            self._states.unpack(slots, packed[fit])
            self.since_us[slots] = days[fit] * US_PER_DAY - CHINA_OFFSET_US
            open_ = np.setdiff1d(open_, slots)
            if not len(open_) or not self._question.proposes:
                break

    async def _piece(self, slots: Ints, since: int, until: int, slot_of: Ints) -> None:
        spans = [
            span
            for slot in slots.tolist()
            for span in self._snapshot.terminals_of(
                int(self._vehicles[slot]), max(since, int(self.since_us[slot])), until
            )
        ]
        place = None
        while spans:
            track = await self._context.archive.track(
                self._context.conn, spans, limit=ROWS_AT_ONCE, after=place
            )
            fixes = self._tracker.fixes_of(track)
            known = fixes.vehicle < len(slot_of)
            fixes = fixes.take(known)
            own = slot_of[fixes.vehicle]
            fixes, own = fixes.take(own >= 0), own[own >= 0]
            done = advance(self._states, own, self._tracker.matrix(fixes, self._tracker.context(fixes)))
            self._note(done)
            place = track.next
            if place is None:
                break

    def _note(self, done: Advanced) -> None:
        for event in done.events:
            episode = episode_of_event(event)
            if event.event is Event.OPENED:
                self._opened[event.slot] = episode
            else:
                self._opened.pop(event.slot, None)
                self.episodes[int(self._vehicles[event.slot])].append(episode)


async def _rows(
    context: Context, question: Question, snapshot: FleetSnapshot, vehicles: Sequence[int], replay: _Replay
) -> list[Row]:
    alerts: dict[int, list[VersionedAlert]] = defaultdict(list)
    since = int(replay.since_us.min())
    for alert in await alerts_of_vehicles(context.conn, RULE, vehicles, since):
        if alert.vehicle_no is not None:
            alerts[alert.vehicle_no].append(alert)
    pairs: list[tuple[str, VehicleInfo, Episode | None, VersionedAlert | None]] = []
    for no in sorted(replay.episodes.keys() | alerts.keys()):
        info, found = snapshot.vehicles[no], replay.episodes.get(no, [])
        subjects, stale = match(info.id, found, alerts[no])
        named = {a.subject: a for a in alerts[no]}
        pairs += [(s, info, e, named.get(s)) for s, e in zip(subjects, found, strict=True)]
        pairs += [(a.subject, info, None, a) for a in stale]
    pairs = [pair for pair in pairs if question.from_us <= _begun(pair[2], pair[3]) < question.to_us]
    stored, listed = await standing(context.conn, RULE, [subject for subject, *_ in pairs])
    rows = []
    for subject, info, episode, _ in pairs:
        now = stored_side(stored.get(subject), listed.get(subject))
        then = Side("normal", "no_episode", words=_words("no_episode")) if episode is None else _side(episode)
        if episode is not None:
            times: tuple[int, int | None] = episode.start_us, episode.end_us
        else:
            times = listed[subject].occurred_from_us, listed[subject].occurred_to_us
        rows.append(
            Row(kind_of(now, then), subject, now, then, info.organisation, info.id, info.plate, None, None, *times)
        )  # fmt: skip
    return sorted(rows, key=lambda row: row.place)


def _begun(episode: Episode | None, alert: VersionedAlert | None) -> int:
    """When it began as it is told now, else as it was found."""
    if alert is not None and (episode is None or alert.alert.status == "suspected"):
        return alert.occurred_from_us
    return 0 if episode is None else episode.start_us


def _side(episode: Episode) -> Side:
    """As ``location.evaluate`` says it on the frozen track of the episode."""
    measures = {name: Measure(m["value"], m["unit"]) for name, m in location.measures_of(episode).items()}
    outcome, reason = location.concluded(episode)
    severity = "high" if outcome is Outcome.SUSPECTED else None
    return Side(outcome.value, reason, measures, severity, _words(reason))


def _words(reason: str) -> str:
    return STANDARD.reason(RULE, location.VERSION, reason).zh
