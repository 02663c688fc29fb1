"""Which vehicles a batch or changed facts throw back: their results are computed again from the stored track."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from registry.changes import LOOK_BACK_US
from registry.snapshot.fleet import FleetSnapshot
from registry.snapshot.timelines import FOREVER
from rules.alerts.model import FactChange
from rules.live.counts import Turn
from rules.live.store.recomputations import Waiting
from rules.live.vehicle_states import Fixes, Tracker
from rules.tracks.advance import late_rows
from runtime.arrays import Ints
from runtime.connection import Connection
from runtime.units import CHINA_OFFSET_US, US_PER_DAY, china_day, earliest
from telemetry.archive.store import Archive

#: A row so much older than its vehicle's newest is kept but does not start a recomputation: the clock of the
#: terminal is wrong, and no track is recomputed without an end for it. A changed fact reaches back as far.
LATE_LIMIT_US: Final = LOOK_BACK_US
#: After a change of the kernels, states are made anew from the tracks of so many days.
RENEW_US: Final = 7 * US_PER_DAY


#: Changes after which other fixes may be valid, also older ones that waited for what followed.
_CLEANED_ANEW: Final = ("terminal_binding", "rows", "parameter")


def day_start(us: int) -> int:
    """The midnight (Asia/Shanghai) before a time: a late fix may also decide on older ones, that waited."""
    return max(0, china_day(us) * US_PER_DAY - CHINA_OFFSET_US)


async def have_orders(
    conn: Connection, snapshot: FleetSnapshot, fixes: Fixes, touched: Ints, watermarks: Ints
) -> None:
    """Have the orders of the times of ``fixes`` in memory. ``touched``: their vehicles, sorted, int64; ``watermarks``:
    theirs, same shape, in us.

    Orders are in memory for the last days only; rows of older times (a replay, a terminal long silent) need the
    orders of their time, and those that ended since the vehicle's watermark.
    """
    if not len(touched):
        return
    oldest = np.full(len(touched), np.iinfo(np.int64).max, np.int64)
    np.minimum.at(oldest, np.searchsorted(touched, fixes.vehicle), fixes.t_us)
    oldest = np.where(watermarks > 0, np.minimum(oldest, watermarks), oldest)
    for k in np.flatnonzero(oldest < snapshot.orders_since(touched)).tolist():
        # A day more, so that a replay in order does not ask for every batch.
        await snapshot.load_orders(conn, [int(touched[k])], max(0, int(oldest[k]) - US_PER_DAY))


async def changed_since(
    conn: Connection, archive: Archive, tracker: Tracker, changes: Sequence[FactChange]
) -> dict[int, int]:
    """Vehicle -> time (us) from which its results have to be computed again for changed facts. The states of the
    vehicles are in memory."""
    marks = dict(
        zip(
            (nos := sorted({change.vehicle_no for change in changes})),
            tracker.states.field("t", np.array(nos, np.int64)).tolist(),
            strict=True,
        )
    )
    # Stored rows newer than all it had become a vehicle's own only by a binding, or another worker has.
    ahead = [c for c in changes if c.from_us > marks[c.vehicle_no] and c.kind in ("terminal_binding", "rows")]
    with_rows = await _with_rows(conn, archive, tracker.snapshot, ahead)
    again: list[tuple[int, int]] = []
    for change in changes:
        watermark, since = marks[change.vehicle_no], change.from_us
        if since > watermark and change not in with_rows:
            continue
        if change.kind in _CLEANED_ANEW:
            since = day_start(since)
        if watermark:
            since = max(min(since, watermark), watermark - LATE_LIMIT_US)
        again.append((change.vehicle_no, since))
    return earliest(again)


async def _with_rows(
    conn: Connection, archive: Archive, snapshot: FleetSnapshot, changes: Sequence[FactChange]
) -> set[FactChange]:
    """Those of ``changes`` whose vehicle has a stored valid fix from the change on."""
    terminals = {
        change: {
            terminal for terminal, _, _ in snapshot.terminals_of(change.vehicle_no, change.from_us, FOREVER)
        }
        for change in changes
    }
    newest = await archive.last_positions(conn, sorted(set().union(*terminals.values())))
    times = dict(zip(newest.batch.terminal.tolist(), newest.batch.device_us.tolist(), strict=True))
    return {
        change
        for change, its in terminals.items()
        if any(times.get(terminal, -1) >= change.from_us for terminal in its)
    }


def behind(fixes: Fixes, waiting: Mapping[int, Waiting]) -> dict[int, int]:
    """Vehicle -> the earliest of ``fixes`` that its recomputation, which is under way, has passed already."""
    reached = {no: waits.reached_us for no, waits in waiting.items() if waits.reached_us is not None}
    return earliest((no, t) for no, t in _times_of(fixes, sorted(reached)) if t < reached[no])


def before_start(fixes: Fixes, waiting: Mapping[int, Waiting]) -> dict[int, int]:
    """Vehicle without a usable state -> the earliest of ``fixes`` that is older than what its recomputation is to begin
    with."""
    begins = {no: waits.from_us for no, waits in waiting.items() if waits.anew}
    times = _times_of(fixes, sorted(begins))
    return earliest((no, t) for no, t in times if begins[no] - LATE_LIMIT_US <= t < begins[no])


def _times_of(fixes: Fixes, vehicles: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(vehicle, time) of those of ``fixes`` that are of ``vehicles``."""
    rows = np.isin(fixes.vehicle, np.array(vehicles, np.int64))
    return zip(fixes.vehicle[rows].tolist(), fixes.t_us[rows].tolist(), strict=True)


def unusable_since(changes: Sequence[FactChange], waiting: Mapping[int, Waiting]) -> dict[int, int]:
    """Vehicle -> from when on vehicles without a usable state have to be computed, for changed facts about them."""
    reach_us = RENEW_US - LATE_LIMIT_US
    return earliest((c.vehicle_no, max(c.from_us, waiting[c.vehicle_no].from_us + reach_us)) for c in changes)


def split(
    tracker: Tracker, fixes: Fixes, again: Mapping[int, int], turn: Turn
) -> tuple[Fixes, dict[int, int]]:
    """The fixes that are not older than what their vehicle has; and vehicle -> from when on, for those with late ones.
    ``again``: the vehicles that are computed again for changed facts (they are counted)."""
    late = late_rows(tracker.states, fixes.vehicle, fixes.t_us)
    since: dict[int, int] = {}
    if late.any():
        too_late = late & (fixes.t_us < tracker.states.field("t", fixes.vehicle) - LATE_LIMIT_US)
        turn.judged["too_late"] += int(too_late.sum())
        fixes, late = fixes.take(~too_late), late[~too_late]
        turn.judged["late"] += int(late.sum())
        times = zip(fixes.vehicle[late].tolist(), fixes.t_us[late].tolist(), strict=True)
        since = earliest((no, day_start(t)) for no, t in times)
        turn.recomputed["late"] = len(since)
    turn.recomputed["facts"] = len(again)
    return fixes.take(~late), since
