"""Recomputation of vehicles for late positions and changed facts, from a day's start over the stored track.

The state at the start of a natural day is exact for everything before that day, so the kernels run again from
there to the newest stored position, with the facts as they are now; then the alerts are reconciled with what
was found, and the results of the orders are computed from the track.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from registry.snapshot.timelines import FOREVER
from rules.alerts.model import Judgement
from rules.checks import location
from rules.checks.location import Episode, episode_of_event, episode_of_half
from rules.judge import queue
from rules.live import metrics
from rules.live.episodes import Facts, reconcile
from rules.live.settle import settle_again
from rules.live.store.states import delete_day_states, load_day_states, save_day_states
from rules.tracks.advance import DayStart, advance
from rules.tracks.kernel import Event
from rules.tracks.state import FIELDS, STATE_DTYPE, STATE_VERSION, TrackStates
from runtime.arrays import Ints
from runtime.connection import Connection
from runtime.units import CHINA_OFFSET_US, US_PER_DAY, china_day

#: Vehicles recomputed side by side, and rows read at once: bounds of memory.
VEHICLES_AT_ONCE = 200
ROWS_AT_ONCE = 100_000


async def recompute(facts: Facts, since: Mapping[int, int], renewed: Collection[int] = ()) -> list[Judgement]:
    """Bring states, day states and alerts of vehicles up to date; ``since``: vehicle -> time of the earliest
    change. ``renewed``: vehicles whose day states are not usable; they start empty on the day of ``since``.

    The tracker's states of these vehicles are replaced (not saved); day states are written here.
    """
    judgements: list[Judgement] = []
    vehicles = sorted(since)
    if vehicles:
        await queue.note_tracks(facts.conn, since)
    for start in range(0, len(vehicles), VEHICLES_AT_ONCE):
        part = vehicles[start : start + VEHICLES_AT_ONCE]
        judgements += await _recompute_some(facts, {no: since[no] for no in part}, renewed)
    return judgements


async def _recompute_some(
    facts: Facts, since: Mapping[int, int], renewed: Collection[int]
) -> list[Judgement]:
    tracker, conn = facts.tracker, facts.conn
    vehicles = np.array(sorted(since), np.int64)
    wanted = np.array([china_day(since[int(no)]) for no in vehicles], np.int64)
    states = TrackStates(len(vehicles))
    found, days, rows = await load_day_states(conn, vehicles, wanted, STATE_DTYPE, STATE_VERSION)
    states.unpack(found, rows)
    # Without a day's start the vehicle had nothing before that day: from the beginning.
    start_us = np.full(len(vehicles), -FOREVER, np.int64)
    empty = np.isin(vehicles, np.array(sorted(renewed), np.int64))
    start_us[empty] = wanted[empty] * US_PER_DAY - CHINA_OFFSET_US
    start_us[found] = days * US_PER_DAY - CHINA_OFFSET_US
    after = np.full(len(vehicles), -700_000, np.int64)  # a day before all days
    after[found] = days
    await delete_day_states(conn, vehicles, np.maximum(after, -25_000))
    for k, no in enumerate(vehicles.tolist()):
        await tracker.snapshot.load_orders(conn, [no], max(0, min(int(start_us[k]), since[no])))

    episodes: dict[int, list[Episode]] = defaultdict(list)
    day_starts: list[DayStart] = []
    local = {no: k for k, no in enumerate(vehicles.tolist())}
    spans = [
        span
        for k, no in enumerate(vehicles.tolist())
        for span in tracker.snapshot.terminals_of(no, int(start_us[k]), FOREVER)
    ]
    place = None
    while spans:
        track = await facts.archive.track(conn, spans, limit=ROWS_AT_ONCE, after=place)
        fixes = tracker.fixes_of(track)
        slots = np.array([local.get(no, -1) for no in fixes.vehicle.tolist()], np.int64)
        # A terminal's span begins at its vehicle's own start, so only rows of these vehicles come.
        fixes, slots = fixes.take(slots >= 0), slots[slots >= 0]
        done = advance(states, slots, tracker.matrix(fixes, tracker.context(fixes)))
        day_starts += done.day_starts
        for event in done.events:
            if event.event is not Event.OPENED:
                episodes[event.slot].append(episode_of_event(event))
        place = track.next
        if place is None:
            break

    open_field = FIELDS.index("open_t")
    judgements: list[Judgement] = []
    tracker.states.base[:, vehicles], tracker.states.tip[:, vehicles] = states.base, states.tip
    await _save_day_starts(facts, vehicles, day_starts)
    changed = {no: facts.results.affected(no, since[no]) for no in vehicles.tolist()}
    await facts.results.from_tracks(conn, facts.archive, changed)
    for k, no in enumerate(vehicles.tolist()):
        if states.tip[open_field, k]:
            episodes[k].append(episode_of_half(dict(zip(FIELDS, states.tip[:, k].tolist(), strict=True))))
        from_us = int(start_us[k]) if start_us[k] > 0 else 0
        with metrics.rule_seconds(location.RULE):
            judgements += await reconcile(facts, no, episodes[k], from_us)
        watermark = int(states.field("t")[k])
        await settle_again(facts, no, min(since[no], watermark), watermark)
    return judgements


async def _save_day_starts(facts: Facts, vehicles: Ints, day_starts: list[DayStart]) -> None:
    await save_day_starts(facts.conn, [(int(vehicles[d.slot]), d.day, d.state) for d in day_starts])


async def save_day_starts(conn: Connection, day_starts: list[tuple[int, int, Any]]) -> None:
    """Write (vehicle, day, state) of day starts; the last one of a vehicle and day counts."""
    if not day_starts:
        return
    unique = {(no, day): state for no, day, state in day_starts}
    await save_day_states(
        conn,
        np.array([no for no, _ in unique], np.int64),
        np.array([day for _, day in unique], np.int64),
        np.array(list(unique.values()), STATE_DTYPE),
        STATE_VERSION,
    )
