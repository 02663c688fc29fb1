"""Runs the kernel over the rows of a batch, rank by rank: step k takes the k-th row of every vehicle at once.

Because each vehicle's rows are taken one by one, in order, any cut of a track into batches gives the same
state as one recomputation. Steps with many vehicles run over numpy columns; what is left of the few vehicles
with more rows than the others runs over plain integers, which is faster below WIDE vehicles. Both give the
same integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rules.tracks.cleaning import MOST, step_vehicles, take, waiting_since
from rules.tracks.kernel import ROW_FIELDS, Event
from rules.tracks.state import FIELDS, STATE_DTYPE, TrackStates
from runtime.arrays import Bools, Ints
from runtime.units import CHINA_OFFSET_US, US_PER_DAY

#: From so many vehicles on, a step over columns is faster than one after the other (measured: about 8).
WIDE = 9

_T, _FP, _EVENT, _LEG, _WAITING = (FIELDS.index(name) for name in ("t", "fp", "event", "leg", "waiting"))
_ROW_T, _ROW_FP, _ROW_DAY, _ROW_GAP = (ROW_FIELDS.index(name) for name in ("t", "fp", "day", "gap_us"))
#: What ``Fixes`` has of each fix: fields of the half after it.
_FIX = tuple(FIELDS.index(name) for name in ("prev_t", "prev_lat", "prev_lon", "leg"))


@dataclass(frozen=True, slots=True)
class EventRow:
    """A row that opened or closed an episode, or confirmed the fix that did. ``before``/``after``: the vehicle's half around
    that fix, by field name."""

    slot: int
    row: int
    event: Event
    before: dict[str, int]
    after: dict[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Fixes:
    """Fixes that were confirmed, int64 columns of shape (m,): those of a vehicle in order of time. Some may have come before
    the rows of this ``advance``. ``order``: number of the covering order, 0 = none; ``gap_us``: limit of the row that
    confirmed it."""

    slot: Ints
    t: Ints
    lat: Ints
    lon: Ints
    order: Ints
    gap_us: Ints

    def take(self, rows: Ints) -> Fixes:
        """The fixes at ``rows``."""
        return Fixes(*(getattr(self, name)[rows] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class LegEnd:
    """A row that ended a vehicle's leg of an order. ``before``: the vehicle's half up to then, by field
    name."""

    slot: int
    before: dict[str, int]


@dataclass(frozen=True, slots=True)
class DayStart:
    """A vehicle's state before its first row of ``day``: where a recomputation may start."""

    slot: int
    day: int
    state: NDArray[np.void]  # STATE_DTYPE, shape ()


@dataclass(frozen=True, slots=True)
class Advanced:
    """What ``advance`` did. Row masks have shape (n,), in the order of the rows given.

    ``counted``: the row was taken; others share their device time with a row of smaller fingerprint.
    ``valid``: taken and confirmed, by itself or by a later row. ``waits``: taken, and what follows will decide.
    ``clean``: valid at once, so that nothing waits: a track that is read from such a row on is cleaned alike.
    ``fixes``: what was confirmed. ``disturbed``: slots at which a row took the place of an earlier one of the
    same device time and one of the two touched an episode, or the earlier one began or ended the leg of an
    order, or fixes waited: whoever keeps episodes or legs has to recompute these vehicles, from the time given on.
    ``events``, ``legs`` and ``day_starts`` are in the order of the steps; those of one slot are in time order.
    """

    counted: Bools
    valid: Bools
    waits: Bools
    clean: Bools
    fixes: Fixes
    events: list[EventRow]
    day_starts: list[DayStart]
    disturbed: dict[int, int]
    legs: list[LegEnd]


def row_matrix(n: int, **columns: Any) -> Ints:
    """The row matrix of ``advance``: columns of ROW_FIELDS (arrays of shape (n,) or scalars; ``day`` is
    computed).

    Columns not given are zero; limits not given are never reached.
    """
    rows = np.zeros((len(ROW_FIELDS), n), np.int64)
    for name in ("max_kmh", "gap_us", "displaced_mm", "idle_us"):
        rows[ROW_FIELDS.index(name)] = np.int64(1) << 40
    rows[ROW_FIELDS.index("max_kmh")] = 1000
    for name, value in columns.items():
        rows[ROW_FIELDS.index(name)] = value
    rows[_ROW_DAY] = (rows[_ROW_T] + CHINA_OFFSET_US) // US_PER_DAY
    return rows


def late_rows(states: TrackStates, slots: Ints, t: Ints) -> Bools:
    """Which rows are older than what their vehicle has already processed. Shape (n,)."""
    return t < states.field("t", slots)


class _Run:
    """What is done by one ``advance``, as it is found."""

    def __init__(self, states: TrackStates, rows: Ints) -> None:
        n = rows.shape[1]
        self.states, self.rows = states, rows
        self.counted, self.valid, self.waits, self.clean = (np.zeros(n, np.bool_) for _ in range(4))
        self.events: list[EventRow] = []
        self.day_starts: list[DayStart] = []
        self.disturbed: dict[int, int] = {}
        self.legs: list[LegEnd] = []
        self._fixes: list[Ints] = []  # (slot, t, lat, lon, order, gap_us) x m
        self._few: list[tuple[int, ...]] = []
        #: By slot: the rows of the fixes that wait, -1 = of before.
        self._held: dict[int, list[int]] = {}

    def wide(self, slots: Ints, index: Sequence[Ints]) -> None:
        """Step k takes one row of each of the first vehicles in ``slots``: ``index[k]``. The halves are taken out of the states once,
        and put back when their vehicle has no more rows."""
        states = self.states
        # Where nothing waits, before or after, the fields of what waits are zero and need not be moved.
        tip = states.tip[:MOST].take(slots, axis=1)
        base, base_waits = tip, states.base[_WAITING, slots]
        for rows in index:
            n = len(rows)
            self._put_back(slots[n : tip.shape[1]], base[:, n:], tip[:, n:])
            base, tip = tip[:, :n], self._columns(slots[:n], rows, tip[:, :n], base_waits[:n])
            base_waits = base[_WAITING]
        self._put_back(slots[: tip.shape[1]], base, tip)

    def _put_back(self, slots: Ints, base: Ints, tip: Ints) -> None:
        if len(slots):
            self.states.base[:MOST, slots], self.states.tip[:MOST, slots] = base, tip

    def _columns(self, slots: Ints, index: Ints, before: Ints, base_waits: Ints) -> Ints:
        """One row of each of many vehicles, whose halves (MOST, n) are ``before``: those after it. ``base_waits``: how many fixes
        waited in the halves before those."""
        states = self.states
        taken = self.rows.take(index, axis=1)
        new_day = np.flatnonzero((before[_T] != 0) & (_china_day(before[_T]) != taken[_ROW_DAY]))
        if len(new_day):
            packed = _packed(np.concatenate((before[:, new_day], states.tip[MOST:, slots[new_day]])))
            self.day_starts.extend(
                DayStart(slot, day, state)
                for slot, day, state in zip(
                    slots[new_day].tolist(), taken[_ROW_DAY, new_day].tolist(), packed, strict=True
                )
            )
        after, quick = step_vehicles(before, taken)
        waited = slots[(before[_WAITING] != 0) | (base_waits != 0)]
        if len(waited):
            states.base[MOST:, waited] = states.tip[MOST:, waited]
        for k in np.flatnonzero(~quick).tolist():
            slot = int(slots[k])
            half: list[int] = before[:, k].tolist() + states.tip[MOST:, slot].tolist()
            half = self._one(slot, half, int(index[k]), taken[:, k].tolist(), unsure=False)
            after[:, k], states.tip[MOST:, slot] = half[:MOST], half[MOST:]
        self.valid[index[quick]] = self.clean[index[quick]] = True
        self._fixes.append(np.stack((slots, *after[_FIX, :], taken[_ROW_GAP]))[:, quick])
        for k in np.flatnonzero(quick & (before[_LEG] > 0) & (after[_LEG] != before[_LEG])).tolist():
            self.legs.append(LegEnd(int(slots[k]), _named(self._full(before[:, k]))))
        for k in np.flatnonzero(quick & (after[_EVENT] != 0)).tolist():
            halves = (self._full(before[:, k]), self._full(after[:, k]))
            self._event(int(slots[k]), int(index[k]), *halves)
        return after

    @staticmethod
    def _full(half: Ints) -> list[int]:
        values: list[int] = half.tolist()
        return values + [0] * (len(FIELDS) - MOST)

    def one_vehicle(self, slot: int, index: Ints) -> None:
        """All that is left of one vehicle's rows."""
        states = self.states
        base: list[int] = states.base[:, slot].tolist()
        tip: list[int] = states.tip[:, slot].tolist()
        for place, row in zip(index.tolist(), self.rows[:, index].T.tolist(), strict=True):
            if tip[_T] and _china_day(tip[_T]) != row[_ROW_DAY]:
                self.day_starts.append(
                    DayStart(slot, row[_ROW_DAY], _packed(np.array(tip, np.int64)[:, None])[0])
                )
            base, tip = tip, self._one(slot, tip, place, row)
        states.base[:, slot], states.tip[:, slot] = base, tip

    def _one(self, slot: int, half: list[int], place: int, row: list[int], unsure: bool = True) -> list[int]:
        taken = take(half, row, unsure)
        if len(taken.confirmed) == 1 and not half[_WAITING]:
            self.valid[place] = True
        else:
            known = self._held.get(slot) or [-1] * min(half[_WAITING], 3)
            rows = [place, *known]  # as ``Taken`` numbers them
            self.valid[[rows[c.waited] for c in taken.confirmed if rows[c.waited] >= 0]] = True
            self._held[slot] = [rows[k] for k in taken.kept]
        self.clean[place] = bool(taken.confirmed) and not taken.kept
        for c in taken.confirmed:
            self._few.append((slot, *(c.after[k] for k in _FIX), row[_ROW_GAP]))
            if c.before[_LEG] > 0 and c.after[_LEG] != c.before[_LEG]:
                self.legs.append(LegEnd(slot, _named(c.before)))
            if c.after[_EVENT]:
                self._event(slot, place, c.before, c.after)
        return taken.half

    def _event(self, slot: int, place: int, before: Sequence[int], after: Sequence[int]) -> None:
        self.events.append(EventRow(slot, place, Event(after[_EVENT]), _named(before), _named(after)))

    def end(self) -> Advanced:
        """All of it."""
        few = np.array(self._few, np.int64).reshape(-1, 6).T
        fixes = np.concatenate((*self._fixes, few), axis=1)
        fixes = fixes[:, np.lexsort((fixes[1], fixes[0]))]
        fixes[4] = np.maximum(fixes[4], 0)
        waiting = [row for rows in self._held.values() for row in rows if row >= 0]
        self.waits[waiting] = True
        return Advanced(
            self.counted, self.valid, self.waits, self.clean, Fixes(*fixes), self.events, self.day_starts, self.disturbed,
            self.legs,
        )  # fmt: skip


def advance(states: TrackStates, slots: Ints, rows: Ints) -> Advanced:
    """Take rows (matrix of ROW_FIELDS, shape (fields, n), any order) into the states at ``slots`` (shape
    (n,)).

    No row may be late (``late_rows``): ValueError. Several rows of one vehicle and time: the smallest
    fingerprint counts.
    """
    n = rows.shape[1]
    done = _Run(states, rows)
    if not n:
        return done.end()
    if late_rows(states, slots, rows[_ROW_T]).any():
        raise ValueError("late rows")
    order = np.lexsort((rows[_ROW_FP], rows[_ROW_T], slots))
    slot, t = slots[order], rows[_ROW_T, order]
    first = np.ones(n, np.bool_)
    first[1:] = (slot[1:] != slot[:-1]) | (t[1:] != t[:-1])
    order = order[first]
    slot, t, fp = slots[order], rows[_ROW_T, order], rows[_ROW_FP, order]
    # A row of the very time of the tip takes the tip's place when its fingerprint is smaller, else it is
    # nothing.
    same = (t == states.tip[_T, slot]) & (t != 0)
    drop = same & (fp >= states.tip[_FP, slot])
    if drop.any():
        order, slot, same = order[~drop], slot[~drop], same[~drop]
    if not len(order):
        return done.end()
    done.counted[order] = True
    replaced = slot[same]
    touched = (states.tip[_EVENT, replaced] != 0) | (
        np.maximum(states.tip[_LEG, replaced], 0) != np.maximum(states.base[_LEG, replaced], 0)
    )
    waited = [waiting_since(half[:, replaced]) for half in (states.base, states.tip)]
    touched |= (waited[0] != 0) | (waited[1] != 0)
    since = np.where(waited[0] != 0, waited[0], states.tip[_T, replaced])
    if same.any():
        states.tip[:, replaced] = states.base[:, replaced]
    starts = np.flatnonzero(np.r_[True, slot[1:] != slot[:-1]])
    lengths = np.diff(np.r_[starts, len(slot)])
    # Longest first: the vehicles that are still active in step k are always the first ones.
    by_length = np.argsort(-lengths, kind="stable")
    starts, lengths = starts[by_length], lengths[by_length]
    active_at = np.searchsorted(-lengths, -np.arange(1, lengths[0] + 1), side="right")
    wide_steps = int(np.searchsorted(-active_at, -WIDE, side="right"))
    if wide_steps:
        done.wide(
            slot[starts[: active_at[0]]], [order[starts[: active_at[k]] + k] for k in range(wide_steps)]
        )
    narrow = int(active_at[wide_steps]) if wide_steps < len(active_at) else 0
    for vehicle in range(narrow):
        begin = int(starts[vehicle]) + wide_steps
        end = int(starts[vehicle] + lengths[vehicle])
        done.one_vehicle(int(slot[begin]), order[begin:end])
    if same.any():
        # done.events holds what the new rows did; what the replaced rows did was remembered.
        told = {e.slot for e in done.events}
        done.disturbed = {
            s: t
            for s, did, t in zip(replaced.tolist(), touched.tolist(), since.tolist(), strict=True)
            if did or s in told
        }
    return done.end()


def _china_day(t: Any) -> Any:
    return (t + CHINA_OFFSET_US) // US_PER_DAY


def _packed(half: Ints) -> NDArray[np.void]:
    """States whose base and tip are both ``half`` (fields, n), as STATE_DTYPE, shape (n,)."""
    return np.ascontiguousarray(np.concatenate((half, half)).T).view(STATE_DTYPE).reshape(-1)


def _named(half: Sequence[int]) -> dict[str, int]:
    return dict(zip(FIELDS, half, strict=True))
