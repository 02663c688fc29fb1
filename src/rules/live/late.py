"""Which vehicles a batch or changed facts throw back: their results are computed again from the stored track."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from runtime.units import US_PER_DAY
from telemetry.archive.store import Archive

#: A row so much older than its vehicle's newest is kept but does not start a recomputation: the clock of the
#: terminal is wrong, and no track is recomputed without an end for it. A changed fact reaches back as far.
LATE_LIMIT_US: Final = LOOK_BACK_US
#: After a change of the kernels, states are made anew from the tracks of so many days.
RENEW_US: Final = 7 * US_PER_DAY


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
    again: dict[int, int] = {}
    for change in changes:
        watermark = int(tracker.states.field("t", np.array([change.vehicle_no]))[0])
        since = change.from_us
        if since > watermark:
            # Stored rows newer than all it had become a vehicle's own only by a binding, or another worker has.
            bound = change.kind in ("terminal_binding", "rows")
            if not (bound and await _has_rows(conn, archive, tracker.snapshot, change.vehicle_no, since)):
                continue
        if watermark:
            since = max(min(since, watermark), watermark - LATE_LIMIT_US)
        again[change.vehicle_no] = min(since, again.get(change.vehicle_no, since))
    return again


async def _has_rows(
    conn: Connection, archive: Archive, snapshot: FleetSnapshot, vehicle: int, since: int
) -> bool:
    terminals = {terminal for terminal, _, _ in snapshot.terminals_of(vehicle, since, FOREVER)}
    newest = await archive.last_positions(conn, sorted(terminals))
    return bool((newest.batch.device_us >= since).any())


def behind(fixes: Fixes, waiting: Mapping[int, Waiting]) -> dict[int, int]:
    """Vehicle -> the earliest of ``fixes`` that its recomputation, which is under way, has passed already."""
    reached = {no: waits.reached_us for no, waits in waiting.items() if waits.reached_us is not None}
    found: dict[int, int] = {}
    for row in np.flatnonzero(np.isin(fixes.vehicle, np.array(sorted(reached), np.int64))).tolist():
        no, t = int(fixes.vehicle[row]), int(fixes.t_us[row])
        if t < reached[no]:
            found[no] = min(t, found.get(no, t))
    return found


def before_start(fixes: Fixes, waiting: Mapping[int, Waiting]) -> dict[int, int]:
    """Vehicle without a usable state -> the earliest of ``fixes`` that is older than what its recomputation is to begin
    with."""
    found: dict[int, int] = {}
    unusable = np.array(sorted(no for no, waits in waiting.items() if waits.anew), np.int64)
    for row in np.flatnonzero(np.isin(fixes.vehicle, unusable)).tolist():
        no, t = int(fixes.vehicle[row]), int(fixes.t_us[row])
        if waiting[no].from_us - LATE_LIMIT_US <= t < waiting[no].from_us:
            found[no] = min(t, found.get(no, t))
    return found


def unusable_since(changes: Sequence[FactChange], waiting: Mapping[int, Waiting]) -> dict[int, int]:
    """Vehicle -> from when on vehicles without a usable state have to be computed, for changed facts about them."""
    since: dict[int, int] = {}
    for change in changes:
        no = change.vehicle_no
        us = max(change.from_us, waiting[no].from_us + RENEW_US - LATE_LIMIT_US)
        since[no] = min(us, since.get(no, us))
    return since


def split(tracker: Tracker, fixes: Fixes, again: dict[int, int], turn: Turn) -> Fixes:
    """The fixes that are not older than what their vehicle has; late ones put their vehicle into ``again``."""
    late = late_rows(tracker.states, fixes.vehicle, fixes.t_us)
    facts = len(again)
    if late.any():
        too_late = late & (fixes.t_us < tracker.states.field("t", fixes.vehicle) - LATE_LIMIT_US)
        turn.judged["too_late"] += int(too_late.sum())
        fixes, late = fixes.take(~too_late), late[~too_late]
        turn.judged["late"] += int(late.sum())
        for row in np.flatnonzero(late).tolist():
            vehicle, t = int(fixes.vehicle[row]), int(fixes.t_us[row])
            again[vehicle] = min(t, again.get(vehicle, t))
        turn.recomputed["late"] = len(np.unique(fixes.vehicle[late]))
    turn.recomputed["facts"] = facts
    return fixes.take(~late)
