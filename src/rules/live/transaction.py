"""One transaction of the worker: a batch of positions, what changed meanwhile, and what follows from both.

In numbered steps (``rules.live.steps``; a test breaks each of them):

1. ``offsets``: all partitions of this worker are held; a second worker on one of them is refused here.
2. ``positions``: new rows are stored, rows that are there already are counted as duplicates.
3. ``facts``: the snapshot follows the registry, changed orders, fences, bindings of own vehicles are taken.
4. ``tracks``: the kernels take the rows that are newer than their vehicle's state.
5. ``episodes``: drivers are reminded where a unit wants that (``reminders``), and what opened or closed is judged, as are sealed vehicles
   that move (``sealed``).
6. ``recompute``: vehicles with late rows or changed facts start again from a day's start; where that is much, it is noted
   and done in slices (``slices``).
7. ``settle``: the results of orders whose return the track has passed, or the clock, are final; the judge goes on.
8. ``publish``: states, results of orders, evaluations, alerts, consumed facts, the feed.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from rules.alerts.feed import publish_feed
from rules.alerts.model import FactChange
from rules.alerts.publish import publish
from rules.checks import location, sealed
from rules.checks.location import Episode, episode_of_event
from rules.faults import is_fault
from rules.live import metrics, paper, recompute
from rules.live.clock_doubts import by_clocks
from rules.live.counts import Turn
from rules.live.episodes import Facts, publish_events
from rules.live.held import hold
from rules.live.late import before_start, behind, changed_since, have_orders, split, unusable_since
from rules.live.memory import Memory
from rules.live.ownership import Ownership
from rules.live.pieces import How
from rules.live.reminders import Reason
from rules.live.settle import due, note_orders, settle, silent
from rules.live.store import recomputations
from rules.live.store.due import delete_due
from rules.live.store.offsets import lock_offsets, save_offsets
from rules.live.store.recomputations import Recomputation, Urgency, Waiting
from rules.live.store.states import save_day_starts, spoil_states
from rules.live.vehicle_states import Context, Fixes
from rules.tracks.advance import Advanced, advance
from rules.tracks.state import TrackStates
from runtime.arrays import Bools, Ints
from runtime.connection import Connection
from runtime.units import earliest, keep_earliest
from telemetry.archive.store import Archive
from telemetry.positions import PositionBatch

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker is in the log. ``claim``: its name at its partitions; ``expected``: the next offset to process of each
    of them; ``following``: those after this transaction."""

    log: str
    claim: str
    expected: Mapping[int, int]
    following: Mapping[int, int]


class Transaction:
    """``conn``: in the transaction. ``done`` is called with the name of each step when it is done."""

    def __init__(
        self, conn: Connection, archive: Archive, memory: Memory, owners: Ownership, how: How, *,
        now_us: int, known_us: int, done: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._conn, self._archive, self._memory, self._owners = conn, archive, memory, owners
        self._how, self._now_us, self._known_us, self._done = how, now_us, known_us, done
        self._turn = Turn()
        self._changes: list[FactChange] = []
        #: Vehicles that wait to be computed again; of them only what the past leaves open is judged here.
        self._waiting: dict[int, Waiting] = {}
        #: Vehicles to be noted for that, from when on: for what changed, and for late positions.
        self._noted: dict[int, int] = {}
        self._noted_late: dict[int, int] = {}
        #: Vehicles that are computed again in this transaction.
        self._at_once: dict[int, Recomputation] = {}
        #: Why drivers are to be told something.
        self._reasons: list[Reason] = []
        #: Sealed vehicles that move -> their newest fix, us.
        self._moving: dict[int, int] = {}

    async def run(self, place: Place, batch: PositionBatch) -> Turn:
        """Do all of it."""
        conn, turn = self._conn, self._turn
        await lock_offsets(conn, place.log, place.expected, place.claim)
        await save_offsets(conn, place.log, place.following)
        if self._how.put_off:
            how = self._how
            if how.unjudged:
                await spoil_states(conn, sorted(how.put_off))
            await recomputations.put_off(conn, how.put_off, how.why, anew=how.unjudged)
        self._done("offsets")

        stored = await self._archive.store(conn, batch)
        turn.stored, turn.duplicates = int(stored.new.sum()), stored.duplicates
        batch, quality = await by_clocks(conn, self._memory.clocks, batch, stored)
        self._done("positions")

        snapshot = self._memory.snapshot
        self._changes, lost = await self._owners.take_facts(conn, snapshot, self._how.only)
        self._memory.lose(lost)
        await hold(conn, self._memory, self._owners, self._now_us)
        tracker = self._memory.tracker
        facts = Facts(conn, self._archive, tracker, self._memory.results, self._now_us, self._known_us)
        self._done("facts")

        fixes = tracker.fixes(batch, stored.fingerprint, quality, stored.new)
        fixes = await self._owners.hand_over(conn, snapshot, fixes)
        fixes = await self._look_back(facts, fixes)
        touched = np.unique(fixes.vehicle)
        watermarks = tracker.states.field("t", touched).copy()
        found = await self._advance(facts, await self._split(facts, fixes, touched, watermarks))
        self._done("tracks")

        await self._remind()

        with metrics.rule_seconds(location.RULE):
            turn.judgements += await publish_events(facts, found)
        with metrics.rule_seconds(sealed.RULE):
            turn.judgements += await self._memory.seals.judge(facts, self._moving)
        self._done("episodes")

        await self._recompute(facts)
        ready = await note_orders(facts, self._changes, self._open_since())
        self._done("recompute")

        rows = due(snapshot.orders, *self._steady(touched, watermarks), tracker.states)
        if self._how.clock:
            own, only = self._owners.vehicles(snapshot), self._how.only
            if only is not None:
                own = sorted(only if own is None else set(only).intersection(own))
            overdue = await silent(facts, own, self._at_once)
            turn.silent = len(overdue)
            ready += overdue
        rows += sorted(set(ready).difference(rows))
        await settle(facts, rows)
        self._done("settle")

        written = {*touched.tolist(), *self._at_once}
        settled = {snapshot.orders.orders[row].vehicle_no for row in rows}
        await self._publish(facts, written, written | settled, batch.take(np.flatnonzero(stored.new)))
        self._done("publish")
        return turn

    async def _look_back(self, facts: Facts, fixes: Fixes) -> Fixes:
        """The fixes of vehicles whose state can be used; the others are read from the archive when their state is there.
        Finds out who waits to be computed again, and what of that has to be begun again."""
        changed = {c.vehicle_no for c in self._changes}
        self._waiting = await recomputations.waiting(facts.conn, changed.union(fixes.vehicle.tolist()))
        keep_earliest(self._noted_late, behind(fixes, self._waiting).items())
        self._note(before_start(fixes, self._waiting))
        unusable = {no for no, waits in self._waiting.items() if waits.anew}
        self._note(unusable_since([c for c in self._changes if c.vehicle_no in unusable], self._waiting))
        await facts.tracker.load(
            facts.conn, np.array(sorted(changed.union(fixes.vehicle.tolist())), np.int64)
        )
        return fixes.take(~np.isin(fixes.vehicle, np.array(sorted(unusable), np.int64)))

    async def _split(self, facts: Facts, fixes: Fixes, touched: Ints, watermarks: Ints) -> Fixes:
        """The fixes that the kernels simply take. Vehicles with late ones, or of which a fact changed, are computed again:
        at once, where that is little, and then all their fixes are read from the archive; else later."""
        tracker, turn = facts.tracker, self._turn
        await have_orders(facts.conn, tracker.snapshot, fixes, touched, watermarks)
        changes = [
            c
            for c in self._changes
            if c.vehicle_no not in self._waiting or not self._waiting[c.vehicle_no].anew
        ]
        again = await changed_since(facts.conn, self._archive, tracker, changes)
        passed = await paper.passed(facts, touched, watermarks, _newest(fixes, touched, watermarks))
        keep_earliest(again, passed.items())
        if self._how.afresh:
            keep_earliest(again, zip(fixes.vehicle.tolist(), fixes.t_us.tolist(), strict=True))
        live, late = split(tracker, fixes, again, turn)
        await self._again(facts, again, late)
        return live.take(~_among(live.vehicle, self._at_once))

    async def _again(self, facts: Facts, changed: Mapping[int, int], late: Mapping[int, int]) -> None:
        """Compute the vehicles in ``changed`` and ``late`` (number -> from when on: facts, positions) again: those that do not
        wait already and have a short track at once, the others later."""
        if not changed and not late:
            return
        again = earliest((*changed.items(), *late.items()))
        open_ = self._open_since()
        free = {no: since for no, since in again.items() if no not in open_}
        few = await recompute.short(facts, free)
        jobs = [Recomputation(no, free[no]) for no in sorted(few)]
        await recompute.begin(facts, jobs)
        # They may have begun earlier than asked for.
        few = await recompute.short(facts, {job.vehicle: job.begun_us or 0 for job in jobs})
        self._at_once |= {job.vehicle: job for job in jobs if job.vehicle in few}
        self._note({no: since for no, since in changed.items() if no not in few})
        keep_earliest(self._noted_late, ((no, since) for no, since in late.items() if no not in few))

    def _note(self, since_us: Mapping[int, int]) -> None:
        keep_earliest(self._noted, since_us.items())

    async def _advance(self, facts: Facts, live: Fixes) -> dict[int, list[Episode]]:
        """The kernels take ``live``. Episodes that opened or closed, by vehicle."""
        tracker, turn = facts.tracker, self._turn
        moved = np.unique(live.vehicle)
        context, before = tracker.context(live), tracker.states.copy(moved)
        matrix = tracker.matrix(live, context)
        advanced = advance(tracker.states, live.vehicle, matrix)
        turn.judged["taken"] += int(advanced.counted.sum())
        turn.judged["jump"] += int((advanced.counted & ~advanced.valid & ~advanced.waits).sum())
        turn.judged["same_time"] += len(live) - int(advanced.counted.sum())
        await save_day_starts(facts.conn, advanced.day_starts)
        await facts.results.stream(
            facts.conn, self._archive, live, context, advanced, before, moved, self._open_since()
        )
        turn.recomputed["same_time"] += len(advanced.disturbed)
        await self._again(facts, {}, advanced.disturbed)
        if len(live):
            await self._find_reasons(live, context, advanced, before, moved)
            await self._memory.seals.follow(facts.conn, self._now_us)
            found_moving = self._memory.seals.find(live, advanced.valid, before, moved)
            # Whoever is computed again is judged by the judge, when that is done.
            self._moving = {no: us for no, us in found_moving.items() if no not in self._at_once}
        found: dict[int, list[Episode]] = defaultdict(list)
        for event in advanced.events:
            if event.slot not in self._at_once:
                found[event.slot].append(episode_of_event(event))
        return found

    async def _find_reasons(
        self, live: Fixes, context: Context, advanced: Advanced, before: TrackStates, moved: Ints
    ) -> None:
        """What drivers are to be told of. What the program fails on there keeps back no position: it is told and counted."""
        reminders, states = self._memory.reminders, self._memory.tracker.states
        try:
            if not reminders.on(self._now_us):
                return
            await reminders.follow_seals(self._conn, self._now_us)
            found = reminders.find(live, context, advanced, before, states, moved, self._now_us)
        except Exception as error:
            self._failed(error)
            return
        # Whoever is computed again is told nothing: that is about the past.
        self._reasons = [reason for reason in found if reason.vehicle not in self._at_once]

    async def _remind(self) -> None:
        """Ask the commands, in a transaction within this one: what fails here keeps back no position."""
        if not self._reasons:
            return
        try:
            async with self._conn.transaction():
                results = await self._memory.reminders.ask(self._conn, self._reasons, self._now_us)
        except Exception as error:
            self._failed(error)
        else:
            self._turn.reminded.update(results)

    def _failed(self, error: Exception) -> None:
        if not is_fault(error) or isinstance(error, MemoryError):
            raise error
        metrics.FAULTS.labels("reminders").inc()
        _logger.error(
            "程序故障，请报告 / a fault of the program on reminders, positions go on", exc_info=error
        )

    async def _recompute(self, facts: Facts) -> None:
        jobs = [self._at_once[no] for no in sorted(self._at_once)]
        if jobs:
            await recompute.go_on(facts, jobs)
            with metrics.rule_seconds(location.RULE):
                self._turn.judgements += await recompute.end(facts, jobs)
        kinds: dict[int, set[str]] = defaultdict(set)
        for change in self._changes:
            kinds[change.vehicle_no].add(change.kind)
        whole_fleets = {no: us for no, us in self._noted.items() if kinds.get(no) == {"parameter"}}
        await recomputations.note(facts.conn, Urgency.PARAMETER, whole_fleets)
        others = {no: us for no, us in self._noted.items() if no not in whole_fleets}
        await recomputations.note(facts.conn, Urgency.FACT, others)
        await recomputations.note(facts.conn, Urgency.FACT, self._noted_late, late=True)

    def _open_since(self) -> dict[int, int]:
        """Vehicles whose past is open after this transaction, from when on."""
        open_ = {no: waits.from_us for no, waits in self._waiting.items()}
        keep_earliest(open_, (*self._noted.items(), *self._noted_late.items()))
        return open_

    def _steady(self, touched: Ints, watermarks: Ints) -> tuple[Ints, Ints]:
        """The touched vehicles whose past is not open, and was not until now; their newest positions before."""
        steady = ~_among(touched, {**self._open_since(), **self._at_once})
        return touched[steady], watermarks[steady]

    async def _publish(
        self, facts: Facts, written: set[int], judged: set[int], stored: PositionBatch
    ) -> None:
        """The last step. ``written``: vehicles whose states are written; ``judged``: those with any result."""
        conn, turn = self._conn, self._turn
        await facts.tracker.save(conn, np.array(sorted(written), np.int64))
        await facts.results.save(conn, facts.now_us)
        turn.alerts = await publish(conn, turn.judgements)
        await delete_due(conn, [c.seq for c in self._changes])
        self._memory.lose(await self._owners.confirm(conn, self._memory.snapshot, stored, judged))
        await publish_feed(conn, turn.alerts)


def _newest(fixes: Fixes, vehicles: Ints, marks: Ints) -> Ints:
    """How far the stored track of each of ``vehicles`` (sorted) reaches with ``fixes``: us, int64."""
    newest = marks.copy()
    np.maximum.at(newest, np.searchsorted(vehicles, fixes.vehicle), fixes.t_us)
    return newest


def _among(vehicles: Ints, wanted: Mapping[int, object]) -> Bools:
    found: Bools = np.isin(vehicles, np.array(sorted(wanted), np.int64))
    return found
