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

from rules.tracks.v1.kernel import ROW_FIELDS, Event, step_vehicle, step_vehicles
from rules.tracks.v1.state import FIELDS, STATE_DTYPE, TrackStates
from runtime.arrays import Bools, Ints
from runtime.units import CHINA_OFFSET_US, US_PER_DAY

#: From so many vehicles on, a step over columns is faster than one after the other (measured: about 16).
WIDE = 16

_T, _FP, _EVENT, _PREV_T, _LEG = (FIELDS.index(name) for name in ("t", "fp", "event", "prev_t", "leg"))
_ROW_T, _ROW_FP, _ROW_DAY = (ROW_FIELDS.index(name) for name in ("t", "fp", "day"))


@dataclass(frozen=True, slots=True)
class EventRow:
    """A row that opened or closed an episode. ``before``/``after``: the vehicle's half around it, by field
    name."""

    slot: int
    row: int
    event: Event
    before: dict[str, int]
    after: dict[str, int]


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
    ``valid``: taken and no jump. ``disturbed``: slots at which a row took the place of an earlier one of the
    same device time and one of the two touched an episode, or the earlier one began or ended the leg of an
    order: whoever keeps episodes or legs has to recompute these vehicles. ``events``, ``legs`` and
    ``day_starts`` are in the order of the steps; those of one slot are in time order.
    """

    counted: Bools
    valid: Bools
    events: list[EventRow]
    day_starts: list[DayStart]
    disturbed: list[int]
    legs: list[LegEnd]


def row_matrix(n: int, **columns: Any) -> Ints:
    """The row matrix of ``advance``: columns of ROW_FIELDS (arrays of shape (n,) or scalars; ``day`` is
    computed).

    Columns not given are zero; limits not given never strike.
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


def advance(states: TrackStates, slots: Ints, rows: Ints) -> Advanced:
    """Take rows (matrix of ROW_FIELDS, shape (fields, n), any order) into the states at ``slots`` (shape
    (n,)).

    No row may be late (``late_rows``): ValueError. Several rows of one vehicle and time: the smallest
    fingerprint counts.
    """
    n = rows.shape[1]
    done = Advanced(np.zeros(n, np.bool_), np.zeros(n, np.bool_), [], [], [], [])
    if not n:
        return done
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
        return done
    done.counted[order] = True
    replaced = slot[same]
    touched = (states.tip[_EVENT, replaced] != 0) | (
        np.maximum(states.tip[_LEG, replaced], 0) != np.maximum(states.base[_LEG, replaced], 0)
    )
    if same.any():
        states.tip[:, replaced] = states.base[:, replaced]
    starts = np.flatnonzero(np.r_[True, slot[1:] != slot[:-1]])
    lengths = np.diff(np.r_[starts, len(slot)])
    # Longest first: the vehicles that are still active in step k are always the first ones.
    by_length = np.argsort(-lengths, kind="stable")
    starts, lengths = starts[by_length], lengths[by_length]
    active_at = np.searchsorted(-lengths, -np.arange(1, lengths[0] + 1), side="right")
    wide_steps = int(np.searchsorted(-active_at, -WIDE, side="right"))
    for k in range(wide_steps):
        places = starts[: active_at[k]] + k
        _step_columns(states, slot[places], order[places], rows, done)
    narrow = int(active_at[wide_steps]) if wide_steps < len(active_at) else 0
    for vehicle in range(narrow):
        begin = int(starts[vehicle]) + wide_steps
        end = int(starts[vehicle] + lengths[vehicle])
        _step_one(states, int(slot[begin]), order[begin:end], rows, done)
    if same.any():
        # done.events holds what the new rows did; what the replaced rows did was remembered.
        told = {e.slot for e in done.events}
        done.disturbed.extend(
            s for s, did in zip(replaced.tolist(), touched.tolist(), strict=True) if did or s in told
        )
    return done


def _china_day(t: Any) -> Any:
    return (t + CHINA_OFFSET_US) // US_PER_DAY


def _packed(half: Ints) -> NDArray[np.void]:
    """States whose base and tip are both ``half`` (fields, n), as STATE_DTYPE, shape (n,)."""
    return np.ascontiguousarray(np.concatenate((half, half)).T).view(STATE_DTYPE).reshape(-1)


def _step_columns(states: TrackStates, slots: Ints, index: Ints, rows: Ints, done: Advanced) -> None:
    before = states.tip[:, slots]
    taken = rows[:, index]
    new_day = np.flatnonzero((before[_T] != 0) & (_china_day(before[_T]) != taken[_ROW_DAY]))
    if len(new_day):
        packed = _packed(before[:, new_day])
        done.day_starts.extend(
            DayStart(slot, day, state)
            for slot, day, state in zip(
                slots[new_day].tolist(), taken[_ROW_DAY, new_day].tolist(), packed, strict=True
            )
        )
    after = step_vehicles(before, taken)
    states.base[:, slots] = before
    states.tip[:, slots] = after
    done.valid[index] = after[_PREV_T] == taken[_ROW_T]
    for k in np.flatnonzero((before[_LEG] > 0) & (after[_LEG] != before[_LEG])).tolist():
        done.legs.append(LegEnd(int(slots[k]), _named(before[:, k])))
    for k in np.flatnonzero(after[_EVENT]).tolist():
        done.events.append(
            EventRow(
                int(slots[k]),
                int(index[k]),
                Event(int(after[_EVENT, k])),
                _named(before[:, k]),
                _named(after[:, k]),
            )
        )


def _step_one(states: TrackStates, slot: int, index: Ints, rows: Ints, done: Advanced) -> None:
    base: list[int] = states.base[:, slot].tolist()
    tip: list[int] = states.tip[:, slot].tolist()
    valid = []
    for place, row in zip(index.tolist(), rows[:, index].T.tolist(), strict=True):
        if tip[_T] and _china_day(tip[_T]) != row[_ROW_DAY]:
            done.day_starts.append(
                DayStart(slot, row[_ROW_DAY], _packed(np.array(tip, np.int64)[:, None])[0])
            )
        base, tip = tip, step_vehicle(tip, row)
        valid.append(tip[_PREV_T] == row[_ROW_T])
        if base[_LEG] > 0 and tip[_LEG] != base[_LEG]:
            done.legs.append(LegEnd(slot, _named(base)))
        if tip[_EVENT]:
            done.events.append(EventRow(slot, place, Event(tip[_EVENT]), _named(base), _named(tip)))
    done.valid[index] = valid
    states.base[:, slot], states.tip[:, slot] = base, tip


def _named(half: Ints | Sequence[int]) -> dict[str, int]:
    return dict(zip(FIELDS, (int(v) for v in half), strict=True))
