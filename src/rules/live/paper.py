"""What the track shows of the times on paper: when vehicles left the fence for their orders, and when they came back.

The window of an order rests on it (``registry.order_cover``: the clerk's minute of departure, return and exchange, whether anybody
had left for a cancelled order, and the way back from it). It is looked up when a vehicle's track passes the first and the last minute of the stretch in question, and again whenever the vehicle is
computed again. What is found is kept (``order_track_times``), so that the judge and a backtest see the same window.

Looked for are the first fix outside the fence in the stretch before the start, and the first one inside in the stretch after the
end. A vehicle that was outside before the first stretch, or inside when the second one began, shows nothing of the kind.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from registry.changes import note_order_times
from registry.order_cover import NOT_SHOWN, PARAMETERS, Window, times_of, window
from registry.orders import OrderRow, save_track_times
from registry.parameters import ORDER, TRACK, resolve
from registry.snapshot.orders import NO_TIME
from registry.snapshot.timelines import FOREVER
from rules.checks.location import outside_columns
from rules.live.episodes import Facts
from rules.live.vehicle_states import Fixes
from rules.stored_tracks import tracks_in
from rules.tracks.valid_fixes import valid_fixes
from runtime.arrays import Bools, Ints
from runtime.units import US_PER_S, keep_earliest
from telemetry.geo import FenceSet

#: Where a vehicle stood when a stretch began is looked for so far back: longer than a parked terminal sleeps as a rule.
BEFORE_US: Final = 3600 * US_PER_S


@dataclass(frozen=True, slots=True)
class _Ask:
    """An order and its window, which says what to look for: the start, the end or both."""

    order: OrderRow
    window: Window


async def passed(facts: Facts, vehicles: Ints, before: Ints, after: Ints) -> dict[int, int]:
    """Look at the orders of ``vehicles`` (distinct) whose stretches begin or end in (before, after] (int64, us), after which the
    stored track is known up to ``after``. Returns the vehicles to be computed again, from when on: those of which fixes
    were taken before with another window."""
    book = facts.tracker.snapshot.orders
    rows = book.rows
    if not len(rows) or not len(vehicles):
        return {}
    top = max(int(vehicles.max()), int(rows["vehicle_no"].max())) + 1
    low, high = np.full(top, FOREVER, np.int64), np.full(top, -FOREVER, np.int64)
    low[vehicles], high[vehicles] = before, after
    no = rows["vehicle_no"]
    hit = np.zeros(len(rows), np.bool_)
    for name in ("leave_from", "leave_to", "back_from", "back_to"):
        hit |= (rows[name] > low[no]) & (rows[name] <= high[no])
    found = [row for row in np.flatnonzero(hit).tolist() if book.row_of(book.orders[row].id) == row]
    marks = dict(zip(vehicles.tolist(), after.tolist(), strict=True))
    since = await _look(facts, found, marks)
    known = dict(zip(vehicles.tolist(), before.tolist(), strict=True))
    return {no: us for no, us in since.items() if us <= known[no]}


async def again(facts: Facts, since_us: Mapping[int, int]) -> None:
    """Look once more at the orders of vehicles (number -> from when on their track or its fences are others)."""
    book = facts.tracker.snapshot.orders
    found = []
    for no, since in since_us.items():
        for row in book.rows_of(no):
            its = _asked(facts, book.orders[row])
            if its is None:
                continue
            ends = [stretch[1] for stretch in (its.leave, its.back) if stretch is not None]
            if ends and max(ends) >= since:
                found.append(row)
    if found:
        await _look(facts, found, await _newest(facts, {book.orders[row].vehicle_no for row in found}))


async def known(facts: Facts, rows: Sequence[int]) -> list[int]:
    """Look at those of ``rows`` that were not looked at yet, however long ago they were: orders that were changed and whose
    vehicles are not computed again so far back. Returns the rows that they have then."""
    book = facts.tracker.snapshot.orders
    ids = [book.orders[row].id for row in rows]
    asked = [
        row
        for row in rows
        if not facts.results.fresh(row)
        and (int(book.rows["leave_to"][row]) != NO_TIME or int(book.rows["back_to"][row]) != NO_TIME)
    ]
    if asked:
        await _look(facts, asked, await _newest(facts, {book.orders[row].vehicle_no for row in asked}))
    return [row for order_id in ids if (row := book.row_of(order_id)) is not None]


async def _newest(facts: Facts, vehicles: Iterable[int]) -> dict[int, int]:
    """The newest stored position of each vehicle."""
    spans = {no: facts.tracker.snapshot.terminals_of(no, 0, FOREVER) for no in vehicles}
    terminals = sorted({terminal for its in spans.values() for terminal, _, _ in its})
    track = await facts.archive.last_positions(facts.conn, terminals)
    newest = dict(zip(track.batch.terminal.tolist(), track.batch.device_us.tolist(), strict=True))
    marks = facts.tracker.states.field("t")
    return {
        no: max(
            int(marks[no]) if no < len(marks) else 0,
            *(newest.get(t, 0) for t, a, b in its if a <= newest.get(t, 0) < b),
            0,
        )
        for no, its in spans.items()
    }


def _window(facts: Facts, order: OrderRow) -> Window | None:
    return window(times_of(order), _used(facts, order))


def _asked(facts: Facts, order: OrderRow) -> Window | None:
    """The window that says what to look for. Where an order covers nothing because nobody had left when it was cancelled, a track
    that came later may show that somebody had."""
    found = _window(facts, order)
    return found if found is not None else _window(facts, replace(order, left_us=None, back_us=None))


def _used(facts: Facts, order: OrderRow) -> dict[str, int]:
    at, rows = order.planned_departure_us, facts.tracker.snapshot.parameters
    values = resolve(ORDER, order.organisation, at, rows)
    return {name: values[name] for name in PARAMETERS}


async def _look(facts: Facts, rows: Sequence[int], marks: Mapping[int, int]) -> dict[int, int]:
    """Look at the orders at ``rows``, whose vehicles' tracks are known up to ``marks``, and put what is found into the book and
    the database. Returns from when on the windows of vehicles are others."""
    book, snapshot = facts.tracker.snapshot.orders, facts.tracker.snapshot
    asks = []
    for row in rows:
        order = book.orders[row]
        covers = _asked(facts, order)
        if covers is not None and (covers.leave or covers.back):
            asks.append(_Ask(order, covers))
    if not asks:
        return {}
    spans = [
        [
            span
            for stretch in (ask.window.leave, ask.window.back)
            if stretch is not None
            for span in snapshot.terminals_of(ask.order.vehicle_no, stretch[0] - BEFORE_US, stretch[1] + 1)
        ]
        for ask in asks
    ]
    tracks = await tracks_in(facts.archive, facts.conn, [_apart(its) for its in spans])
    changed: dict[int, list[OrderRow]] = defaultdict(list)
    since: dict[int, int] = {}
    for ask, track in zip(asks, tracks, strict=True):
        order, no = ask.order, ask.order.vehicle_no
        t, outside, fenced = _seen(facts, no, track)
        left = _left(ask, t, outside, fenced, marks[no])
        back = _back(ask, t, outside, fenced, marks[no])
        if (left, back) == (order.left_us, order.back_us):
            continue
        now = replace(order, left_us=left, back_us=back)
        changed[no].append(now)
        others = _differs(_window(facts, order), _window(facts, now))
        if others is not None:
            keep_earliest(since, [(no, others)])
    await save_track_times(facts.conn, [order for its in changed.values() for order in its])
    await note_order_times(facts.conn, [order.id for its in changed.values() for order in its])
    if changed:  # at once: it copies the whole book
        new = {order.id: order for its in changed.values() for order in its}
        kept = (book.orders[row] for no in changed for row in book.rows_of(no))
        book.replace(list(changed), [new.get(order.id, order) for order in kept], snapshot.parameters)
    return since


def _apart(spans: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Spans of terminals without overlap, so that no fix comes twice."""
    joined: list[tuple[int, int, int]] = []
    for no, a, b in sorted(spans):
        if joined and joined[-1][0] == no and a <= joined[-1][2]:
            joined[-1] = (no, joined[-1][1], max(joined[-1][2], b))
        else:
            joined.append((no, a, b))
    return joined


def _seen(facts: Facts, vehicle: int, track: Mapping[str, Ints]) -> tuple[Ints, Bools, Bools]:
    """(times, whether outside, whether there was a fence) of the valid fixes of a track."""
    snapshot, n = facts.tracker.snapshot, len(track["t_us"])
    info = snapshot.vehicles[vehicle]
    at = int(track["t_us"][0]) if n else 0
    speed = resolve(TRACK, info.organisation, at, snapshot.parameters)["max_speed_kmh"]
    good = valid_fixes(dict(track), speed)
    # A track has the column only where several terminals sat in the vehicle.
    columns = {"term": np.zeros(n, np.int64), **track}
    fixes = Fixes(
        np.full(len(good), vehicle, np.int64), **{name: values[good] for name, values in columns.items()}
    )
    fence = facts.tracker.context(fixes).fence
    everywhere = np.ones(len(good), np.bool_)
    outside, _ = outside_columns(
        FenceSet(snapshot.fences.geometries), fence, everywhere, fixes.lat_e6, fixes.lon_e6
    )
    return fixes.t_us, outside, fence >= 0


def _left(ask: _Ask, t: Ints, outside: Bools, fenced: Bools, mark: int) -> int | None:
    """See ``order_cover.Times.left_us``."""
    stretch = ask.window.leave
    if stretch is None:
        return ask.order.left_us
    start, end = np.searchsorted(t, stretch)
    if start and outside[start - 1]:
        return NOT_SHOWN if mark >= stretch[0] else None
    told, grace = times_of(ask.order).told_departure_us, ask.window.grace_us
    leaves = [int(t[k]) for k in range(start, end) if outside[k] and (k == 0 or not outside[k - 1])]
    near = [at for at in leaves if abs(at - told) <= grace]
    if near:
        return min(near, key=lambda at: (abs(at - told), at))
    return stretch[1] if mark >= stretch[1] else None


def _back(ask: _Ask, t: Ints, outside: Bools, fenced: Bools, mark: int) -> int | None:
    """See ``order_cover.Times.back_us``."""
    stretch = ask.window.back
    if stretch is None:
        return ask.order.back_us
    if mark < stretch[0]:
        return None
    start, end = np.searchsorted(t, stretch, "right")
    there = start - 1
    if there >= 0 and not (
        outside[there] and fenced[there]
    ):  # it was back already, or has no fence to come back to
        return stretch[0] if ask.order.status == "cancelled" else NOT_SHOWN
    for k in range(start, end):
        if fenced[k] and not outside[k]:
            return int(t[k])
    return NOT_SHOWN if mark >= stretch[1] else None


def _differs(old: Window | None, new: Window | None) -> int | None:
    """From when on two windows differ; None: they do not."""
    if old is None or new is None:
        return None if old is new else min(w.from_us for w in (old, new) if w is not None)
    times = []
    if old.from_us != new.from_us:
        times.append(min(old.from_us, new.from_us))
    if old.to_us != new.to_us:
        times.append(min(old.to_us, new.to_us))
    return min(times, default=None)
