"""Recomputation of vehicles for late positions and changed facts, from a day's start over the stored track.

The state at the start of a natural day is exact for everything before that day, so the kernels run again from there to the
newest stored position, with the facts as they are now. Only then, in one transaction, what was found takes the place of what
was there: the state, the alerts, the results of the orders. Until then live positions go on from the old state, and are read
once more here. A vehicle's recomputation may stop at any position and go on from there: what it has is a ``Recomputation``.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from registry.changes import note_tracks
from registry.snapshot.timelines import FOREVER
from rules.alerts.model import Judgement
from rules.checks.location import Episode, episode_of_event, episode_of_half
from rules.live import paper
from rules.live.episodes import Facts, reconcile
from rules.live.order_results import begun
from rules.live.settle import settle_again
from rules.live.store.recomputations import Recomputation
from rules.live.store.states import (
    count_day_states,
    delete_day_states,
    load_day_states,
    save_day_starts,
)
from rules.live.track_run import TrackRun
from rules.tracks.advance import DayStart
from rules.tracks.kernel import Event
from rules.tracks.state import FIELDS, STATE_DTYPE, STATE_VERSION, TrackStates, empty_rows
from runtime.arrays import Ints
from runtime.units import CHINA_OFFSET_US, US_PER_DAY, china_day, from_us
from telemetry.archive.read import Track

#: Vehicles that are recomputed side by side: the kernels are fastest over columns.
VEHICLES_AT_ONCE: Final = 64
#: Positions of one slice, and about how long its kernels may run: one vehicle's positions take a hundred times as long as
#: those of many vehicles side by side.
ROWS_A_SLICE: Final = 20_000
SLICE_S: Final = 0.15
#: Vehicles that one slice brings to their end, where each episode found counts as EPISODE_COST of them.
ENDED_A_SLICE: Final = 64
EPISODE_COST: Final = 4
#: Days with positions and positions, over all vehicles, that are recomputed at once, in the transaction that finds it necessary.
DAYS_AT_ONCE: Final = 30
AT_ONCE: Final = 2_000
#: Positions read at once; at first of a slice; and how long a stretch of time is read at once when there are many vehicles. Where it
#: held more the next one is shorter, where it held fewer than FEW_ROWS longer, up to WIDER times: a terminal may have a report here
#: and there in a month.
ROWS_AT_ONCE: Final = 100_000
ROWS_AT_FIRST: Final = 1_000
WINDOW_US: Final = 6 * 3600 * 1_000_000
LEAST_WINDOW_US: Final = 60 * 1_000_000
FEW_ROWS: Final = 2_000
WIDER: Final = 8
_NO_DAY: Final = -25_000  # a day before all days
_END: Final = 100_000  # and one after them


async def short(facts: Facts, since_us: Mapping[int, int]) -> set[int]:
    """Those of the vehicles in ``since_us`` (number -> from when on) whose stored tracks from then on have together at most
    DAYS_AT_ONCE days and AT_ONCE positions: the ones with the fewest first."""
    nos = sorted(since_us)
    days = [china_day(since_us[no]) for no in nos]
    counted = await count_day_states(facts.conn, nos, days)
    chosen = _fewest({no: counted[no] + 1 for no in nos}, DAYS_AT_ONCE)
    spans = {no: facts.tracker.snapshot.terminals_of(no, since_us[no], FOREVER) for no in chosen}
    rows = await facts.archive.count(
        facts.conn, [span for its in spans.values() for span in its], AT_ONCE + 1
    )
    found = iter(rows)
    return _fewest({no: sum(next(found) for _ in its) for no, its in spans.items()}, AT_ONCE)


def _fewest(counted: Mapping[int, int], most: int) -> set[int]:
    """The vehicles with the smallest numbers whose sum is at most ``most``."""
    chosen, total = set(), 0
    for no in sorted(counted, key=lambda no: (counted[no], no)):
        total += counted[no]
        if total > most:
            break
        chosen.add(no)
    return chosen


async def begin(facts: Facts, jobs: Sequence[Recomputation]) -> None:
    """Have the orders of ``jobs`` in memory, and those that have not begun at their start: the newest state at the start of
    the day of the change or, where that is earlier, of the day on which an order began that is computed anew."""
    tracker, book = facts.tracker, facts.tracker.snapshot.orders
    await _load_orders(facts, {job.vehicle: _since(job) for job in jobs})
    fresh = [job for job in jobs if job.begun_us is None]
    if not fresh:
        return
    await paper.again(facts, {job.vehicle: job.from_us for job in fresh})
    vehicles = np.array([job.vehicle for job in fresh], np.int64)
    marks = tracker.states.field("t", vehicles).tolist()
    wanted = []
    for job, mark in zip(fresh, marks, strict=True):
        at = mark or facts.now_us
        starts = [begun(book.rows[row], at) for row in facts.results.from_time(job.vehicle, job.from_us)]
        wanted.append(china_day(max(0, min([job.from_us, *starts]))))
    found, days, rows = await load_day_states(
        facts.conn, vehicles, np.array(wanted, np.int64), STATE_DTYPE, STATE_VERSION
    )
    stored = {int(k): (int(day), row) for k, day, row in zip(found, days, rows, strict=True)}
    for k, job in enumerate(fresh):
        job.episodes, job.orders, job.state = [], {}, empty_rows(1).tobytes()
        if k in stored:
            job.begun_us, job.state = _midnight(stored[k][0]), stored[k][1].tobytes()
        else:  # without a day's start the vehicle had nothing before that day: from the beginning
            job.begun_us = max(0, _midnight(wanted[k])) if job.anew else 0
        job.reached_us = job.begun_us
    await _load_orders(facts, {job.vehicle: _since(job) for job in fresh})


async def go_on(
    facts: Facts, jobs: Sequence[Recomputation], most_rows: int | None = None
) -> tuple[bool, int]:
    """Take the stored positions after those that ``jobs`` (begun, by vehicle) have; with ``most_rows`` at most about so many, and
    no longer than about SLICE_S. (Whether there are no more, positions read.) Day states are written, ``jobs`` are moved on and not saved."""
    vehicles = np.array([job.vehicle for job in jobs], np.int64)
    states = TrackStates(len(jobs))
    states.unpack(np.arange(len(jobs)), np.frombuffer(b"".join(job.state for job in jobs), STATE_DTYPE))
    before = states.field("t").copy()
    run = TrackRun(facts.tracker, vehicles, states)
    since = states.field("prev_t").tolist()  # an order that ended before this fix gets nothing any more
    day_starts: list[DayStart] = []
    usual = min(max(WINDOW_US, WINDOW_US * VEHICLES_AT_ONCE // len(jobs)), 12 * US_PER_DAY)
    window = usual
    rows, at = 0, await _next_fix(facts, jobs, 0)
    pace = _Pace(most_rows)
    while at is not None and (left := pace.next(rows)):
        track, until = await _read(facts, jobs, at, at + window, left)
        rows += len(track)
        if until < at + window:  # there were more positions than asked for
            window = max(2 * (until - at), LEAST_WINDOW_US)
        else:
            window = min(4 * window, WIDER * usual) if len(track) < FEW_ROWS else min(2 * window, usual)
        _add_orders(facts, run, jobs, since, until)
        done = run.take(track)
        day_starts += done.day_starts
        for event in done.events:
            if event.event is not Event.OPENED:
                jobs[event.slot].episodes.append(episode_of_event(event))
        for job, t in zip(jobs, states.field("t").tolist(), strict=True):
            # Not ``until``: what comes live later than this position is ahead.
            job.reached_us = max(job.reached_us, t + 1) if t else job.reached_us
        at = until if len(track) else await _next_fix(facts, jobs, until)
    for job, row in zip(jobs, states.pack(np.arange(len(jobs))), strict=True):
        job.state = row.tobytes()
    _carry(facts, run, jobs)
    await _save_days(facts, vehicles, before, states.field("t"), day_starts, at is None)
    return at is None, rows


async def end(facts: Facts, jobs: Sequence[Recomputation]) -> list[Judgement]:
    """What ``jobs``, which have all stored positions, found takes the place of what was there: states (not saved), results
    of orders (not saved), alerts; the judgements of these."""
    if not jobs:
        return []
    tracker, results = facts.tracker, facts.results
    vehicles = np.array([job.vehicle for job in jobs], np.int64)
    tracker.states.unpack(vehicles, np.frombuffer(b"".join(job.state for job in jobs), STATE_DTYPE))
    for job in jobs:
        for row in results.affected(job.vehicle, job.from_us):
            results.put(row, job.orders.get(tracker.snapshot.orders.orders[row].id))
    marks = dict(zip(vehicles.tolist(), tracker.states.field("t", vehicles).tolist(), strict=True))
    await settle_again(
        facts, {job.vehicle: (min(job.from_us, marks[job.vehicle]), marks[job.vehicle]) for job in jobs}
    )
    found: dict[int, tuple[int, list[Episode]]] = {}
    for job in jobs:
        tip = tracker.states.tip[:, job.vehicle].tolist()
        half = dict(zip(FIELDS, tip, strict=True))
        found[job.vehicle] = (
            job.begun_us or 0,
            [*job.episodes, *([episode_of_half(half)] if half["open_t"] else [])],
        )
    await note_tracks(facts.conn, [(job.vehicle, from_us(job.from_us)) for job in jobs])
    return await reconcile(facts, found)


class _Pace:
    """How many positions are read next. ``most``: of a slice, None = all there are."""

    def __init__(self, most: int | None) -> None:
        self._most, self._began = most, time.perf_counter()

    def next(self, rows: int) -> int:
        """0 = enough, after ``rows``. The time that is left is spent at the pace of those."""
        if self._most is None:
            return ROWS_AT_ONCE
        spent = time.perf_counter() - self._began
        if not rows:
            return min(self._most, ROWS_AT_FIRST)
        if spent >= SLICE_S:
            return 0
        return max(0, min(self._most - rows, ROWS_AT_FIRST + int(rows * (SLICE_S - spent) / spent)))


def endable(jobs: Iterable[Recomputation]) -> list[Recomputation]:
    """The first of ``jobs``, as many as one slice brings to their end; at least one."""
    chosen: list[Recomputation] = []
    cost = 0
    for job in jobs:
        cost += 1 + EPISODE_COST * len(job.episodes)
        if chosen and cost > ENDED_A_SLICE:
            break
        chosen.append(job)
    return chosen


def _since(job: Recomputation) -> int:
    return job.from_us if job.begun_us is None else min(job.from_us, job.begun_us)


def _midnight(day: int) -> int:
    return day * US_PER_DAY - CHINA_OFFSET_US


async def _load_orders(facts: Facts, since_us: Mapping[int, int]) -> None:
    """Have the orders of each vehicle since a time in memory; vehicles that need about the same are read together."""
    together: dict[int, list[int]] = defaultdict(list)
    for no, since in since_us.items():
        together[max(0, since) // (7 * US_PER_DAY)].append(no)
    for nos in together.values():
        await facts.tracker.snapshot.load_orders(facts.conn, nos, max(0, min(since_us[no] for no in nos)))


def _spans(
    facts: Facts, jobs: Iterable[Recomputation], from_us: int, to_us: int
) -> list[tuple[int, int, int]]:
    snapshot = facts.tracker.snapshot
    return [
        span
        for job in jobs
        for span in snapshot.terminals_of(job.vehicle, max(job.reached_us, from_us), to_us)
    ]


async def _next_fix(facts: Facts, jobs: Iterable[Recomputation], from_us: int) -> int | None:
    """The time of the next stored fix of any of ``jobs``, not before ``from_us``; None = there is none."""
    spans = _spans(facts, jobs, from_us, FOREVER)
    if not spans:
        return None
    track = await facts.archive.edges(facts.conn, spans, 1)
    return int(track.batch.device_us.min()) if len(track) else None


async def _read(
    facts: Facts, jobs: Iterable[Recomputation], from_us: int, to_us: int, limit: int
) -> tuple[Track, int]:
    """Stored positions in [from, to), at most about ``limit``, and until when these are all there are."""
    spans = _spans(facts, jobs, from_us, to_us)
    track = await facts.archive.track(facts.conn, spans, limit=limit)
    if track.next is None:
        return track, to_us
    # Reports of one time belong together: the last time may go on.
    last = int(track.batch.device_us[-1])
    whole = np.flatnonzero(track.batch.device_us < last)
    if len(whole):
        return Track(track.batch.take(whole), track.quality[whole], track.fingerprint[whole]), last
    return await facts.archive.track(facts.conn, _spans(facts, jobs, from_us, last + 1)), last + 1


def _add_orders(
    facts: Facts, run: TrackRun, jobs: Iterable[Recomputation], since: Iterable[int], until: int
) -> None:
    """Have ``run`` compute the orders that may get fixes before ``until``, or whose leg may end."""
    book = facts.tracker.snapshot.orders
    for job, prev in zip(jobs, since, strict=True):
        for row in facts.results.from_time(job.vehicle, max(job.from_us, prev)):
            if int(book.rows[row]["cover_from"]) < until:
                run.add(row, job.orders.get(book.orders[row].id))


def _carry(facts: Facts, run: TrackRun, jobs: Iterable[Recomputation]) -> None:
    """Keep with ``jobs`` what ``run`` has of their orders. One without a fix needs nothing."""
    book, owner = facts.tracker.snapshot.orders, {job.vehicle: job for job in jobs}
    rows = run.rows()
    for row, carried, fixes in zip(rows, run.pack(rows), run.fixes(rows), strict=True):
        if fixes:
            order = book.orders[row]
            owner[order.vehicle_no].orders[order.id] = carried


async def _save_days(
    facts: Facts, vehicles: Ints, before: Ints, after: Ints, day_starts: Sequence[DayStart], ended: bool
) -> None:
    """Replace the day states from the day of each vehicle's position ``before`` to that ``after`` (0 = none); all later
    ones too when the track has ``ended``."""
    since = [china_day(t) if t else _NO_DAY for t in before.tolist()]
    until = [_END if ended else china_day(t) if t else _NO_DAY for t in after.tolist()]
    await delete_day_states(facts.conn, vehicles, np.array(since, np.int64), np.array(until, np.int64))
    await save_day_starts(facts.conn, [replace(d, slot=int(vehicles[d.slot])) for d in day_starts])
