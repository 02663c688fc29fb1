"""Running results of orders as columns: what each order's trip comes to so far. Pure.

The fixes of an order are the vehicle's valid fixes (as soon as they are confirmed) at times that this order covers (``OrderBook.at``: of several
orders the one that departed last), so no kilometre belongs to two orders. Consecutive valid fixes of a vehicle in one
order are a *leg*; its mileage is kept by the track kernel (``rules.tracks``), here are those of the legs that
ended. The nearest distance to a destination counts the order's fixes and the segments of its legs, none across a
gap.

An order's values are kept twice where needed: with its newest fix and ``before`` it, because another report of the
same device time may take that fix's place (``rules.tracks.state``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from rules.tracks.advance import Advanced, Fixes
from rules.tracks.approach import approach_mm, shown_m
from rules.tracks.state import TrackStates
from runtime.arrays import Bools, Ints

#: Version of the stored form.
CARRY_VERSION: Final = 1
#: No distance yet.
UNKNOWN: Final = int(np.iinfo(np.int64).max)

_HEAD: Final = (
    "fixes",
    "first_t",  # times in microseconds since 1970 UTC, 0 = none
    "last_t",
    "before_t",  # the fix before the last one
    "ended_mm",  # of the legs that ended
    "ended_bridged_mm",
    "ended_odo_dkm",
    "ended_no_odo",  # how many of them had no odometer, or one that went backwards
)
_HEADS: Final = {name: place for place, name in enumerate(_HEAD)}
#: Fields of a vehicle's state that ``OrderProgress.totals`` needs.
LEG_FIELDS: Final = ("leg_sum_mm", "leg_tail_mm", "leg_bridged_mm", "odo_first", "odo_last")


@dataclass(frozen=True, slots=True, eq=False)
class Totals:
    """Results of orders: int64 columns of shape (n,). ``odometer_m`` is -1 where a leg has none."""

    mileage_mm: Ints
    bridged_mm: Ints
    odometer_m: Ints
    fixes: Ints
    first_us: Ints
    last_us: Ints


class OrderProgress:
    """See the module docstring. An order is addressed by its slot; its places are the destinations that have
    coordinates."""

    def __init__(self) -> None:
        self._count = 0
        self._head = np.zeros((len(_HEAD), 64), np.int64)
        self._from = np.zeros(64, np.int64)
        self._places = np.zeros(64, np.int64)
        self._used = 0
        self._lat = np.zeros(64, np.int64)
        self._lon = np.zeros(64, np.int64)
        self._nearest = np.zeros(64, np.int64)
        self._before = np.zeros(64, np.int64)

    def add(self, places: Sequence[tuple[int, int]], carried: bytes | None = None) -> int:
        """The slot of one more order. ``places``: latitude and longitude in 1e-6 degree; ``carried``: what ``pack``
        gave for it."""
        slot, start, n = self._count, self._used, len(places)
        if slot == len(self._from):
            self._head = np.concatenate((self._head, np.zeros_like(self._head)), axis=1)
            self._from, self._places = (
                np.concatenate((a, np.zeros_like(a))) for a in (self._from, self._places)
            )
        while start + n > len(self._lat):
            for name in ("_lat", "_lon", "_nearest", "_before"):
                column = getattr(self, name)
                setattr(self, name, np.concatenate((column, np.zeros_like(column))))
        self._count, self._used = slot + 1, start + n
        self._from[slot], self._places[slot] = start, n
        self.put(slot, places, carried)
        return slot

    def fits(self, slot: int, places: Sequence[tuple[int, int]]) -> bool:
        """Whether an order with ``places`` can be ``put`` at ``slot``."""
        return int(self._places[slot]) == len(places)

    def put(self, slot: int, places: Sequence[tuple[int, int]], carried: bytes | None = None) -> None:
        """Start the order at ``slot`` again, with ``places`` and what is ``carried`` (see ``add``)."""
        n = len(places)
        span = slice(self._from[slot], self._from[slot] + n)
        self._head[:, slot] = 0
        self._lat[span], self._lon[span] = [p[0] for p in places], [p[1] for p in places]
        self._nearest[span] = self._before[span] = UNKNOWN
        if carried is not None:
            values = np.frombuffer(carried, np.int64)
            self._head[:, slot] = values[1 : 1 + len(_HEAD)]
            self._nearest[span], self._before[span] = values[1 + len(_HEAD) :].reshape(2, n)

    @staticmethod
    def readable(carried: bytes, places: int) -> bool:
        """Whether ``carried`` is a stored form of this version, of an order with ``places`` places."""
        size = 8 * (1 + len(_HEAD) + 2 * places)
        return len(carried) == size and int.from_bytes(carried[:8], "little") == CARRY_VERSION

    def pack(self, slots: Ints) -> list[bytes]:
        """The stored form of the orders at ``slots``: int64, little-endian."""
        count = self._places[slots]
        head = np.concatenate((np.full((1, len(slots)), CARRY_VERSION), self._head[:, slots])).T
        size = head.shape[1] + 2 * count
        ends = np.cumsum(size)
        starts = ends - size
        flat = np.empty(int(size.sum()), "<i8")
        flat[(starts[:, None] + np.arange(head.shape[1])).ravel()] = head.ravel()
        row, place = self._pairs(slots)
        at = starts[row] + head.shape[1] + place - self._from[slots][row]
        flat[at], flat[at + count[row]] = self._nearest[place], self._before[place]
        data = flat.tobytes()
        return [data[8 * i : 8 * j] for i, j in zip(starts.tolist(), ends.tolist(), strict=True)]

    def nearest_m(self, slots: Ints) -> list[list[int | None]]:
        """The nearest distance to each place of the orders at ``slots`` in metres, as ``destination`` shows it; None = no
        fix yet."""
        _, place = self._pairs(slots)
        found = [None if mm == UNKNOWN else shown_m(mm) for mm in self._nearest[place].tolist()]
        ends = np.cumsum(self._places[slots]).tolist()
        return [found[i:j] for i, j in pairwise([0, *ends])]

    def fixes(self, slots: Ints) -> Ints:
        """Fixes of the orders at ``slots`` so far."""
        found: Ints = self._head[_HEADS["fixes"], slots]
        return found

    def totals(self, slots: Ints, current: Mapping[str, Ints], running: Bools) -> Totals:
        """Results at ``slots`` (n,): the legs that ended and, where ``running``, the one that goes on.
        ``current``: the vehicles' fields LEG_FIELDS of that leg, each (n,)."""
        head = {name: self._head[place, slots] for name, place in _HEADS.items()}
        odometer = current["odo_last"] - current["odo_first"]
        without = (current["odo_first"] == 0) | (odometer < 0)
        whole = head["ended_odo_dkm"] + np.where(running, odometer, 0)
        missing = (head["ended_no_odo"] > 0) | (running & without) | (head["fixes"] == 0)
        mileage = current["leg_sum_mm"] + current["leg_tail_mm"]
        return Totals(
            head["ended_mm"] + np.where(running, mileage, 0),
            head["ended_bridged_mm"] + np.where(running, current["leg_bridged_mm"], 0),
            np.where(missing, -1, whole * 100),
            head["fixes"],
            head["first_t"],
            head["last_t"],
        )

    def take(
        self,
        owner: Ints,
        t: Ints,
        done: Advanced,
        before: TrackStates,
        owners: Ints,
        slot_of_leg: Callable[[int, int], int],
    ) -> tuple[list[int], list[int]]:
        """Take the rows of one ``advance``. ``owner``, ``t``: vehicle and time of each, int64, shape (n,); ``before``: the
        states of ``owners`` (sorted) before it;
        ``slot_of_leg``: the slot of an order by (owner, the order's number), -1 = not kept, or not an order of this owner
        any more. Returns the slots whose fixes changed, and
        those of which a leg ended. Orders of vehicles that it ``disturbed`` are to be computed from the track."""
        place = np.searchsorted(owners, owner)
        # A row of the very time of its vehicle's newest one took its place (see ``advance``).
        again = done.counted & (t == before.field("t")[place]) & (t != 0)
        replaced = np.zeros(len(owners), np.bool_)
        replaced[place[again]] = True
        undone = replaced & (before.field("prev_t") == before.field("t")) & (before.field("leg") > 0)
        legs = zip(owners[undone].tolist(), before.field("leg")[undone].tolist(), strict=True)
        moved = [slot for owner, key in legs if (slot := slot_of_leg(owner, key)) >= 0]
        self._undo(np.array(moved, np.int64))
        ended = []
        for end in done.legs:
            slot = slot_of_leg(end.slot, end.before["leg"])
            if slot >= 0:
                ended.append(slot)
                self._end(slot, end.before)
        moved += self._fixes(
            done.fixes, slots_of(done.fixes, slot_of_leg), _Last.of(before, replaced), owners
        ).tolist()
        return moved, ended

    def _undo(self, slots: Ints) -> None:
        """The newest fix of each order was none."""
        head = self._head
        head[_HEADS["fixes"], slots] -= 1
        head[_HEADS["last_t"], slots] = head[_HEADS["before_t"], slots]
        head[_HEADS["first_t"], slots[head[_HEADS["fixes"], slots] == 0]] = 0
        _, place = self._pairs(slots)
        self._nearest[place] = self._before[place]

    def _end(self, slot: int, half: Mapping[str, int]) -> None:
        odometer = half["odo_last"] - half["odo_first"]
        known = half["odo_first"] != 0 and odometer >= 0
        column = self._head[:, slot]
        column[_HEADS["ended_mm"]] += half["leg_sum_mm"] + half["leg_tail_mm"]
        column[_HEADS["ended_bridged_mm"]] += half["leg_bridged_mm"]
        column[_HEADS["ended_odo_dkm" if known else "ended_no_odo"]] += odometer if known else 1

    def _pairs(self, slots: Ints) -> tuple[Ints, Ints]:
        """Each of ``slots`` (n,) with each of its places: (index into slots, place), shape (pairs,)."""
        count = self._places[slots]
        row = np.repeat(np.arange(len(slots)), count)
        place = np.arange(len(row)) + np.repeat(self._from[slots] - (np.cumsum(count) - count), count)
        return row, place

    def _fixes(self, rows: Fixes, slot: Ints, last: _Last, owners: Ints) -> Ints:
        """Take valid fixes; ``slot``: of the order of each, -1 = none that is kept."""
        n = len(rows.t)
        # The valid fix before each: the one before it here, or the vehicle's newest from before.
        previous = np.arange(n) - 1
        first = np.ones(n, np.bool_)
        first[1:] = rows.slot[1:] != rows.slot[:-1]
        at = np.searchsorted(owners, rows.slot)
        t0, lat0, lon0, key0 = (
            np.where(first, known[at], mine[previous])
            for known, mine in (
                (last.t, rows.t), (last.lat, rows.lat), (last.lon, rows.lon), (last.key, rows.order),
            )
        )  # fmt: skip
        joined = (t0 != 0) & (key0 == rows.order) & (rows.t - t0 <= rows.gap_us)

        mine = np.flatnonzero(slot >= 0)
        mine = mine[np.lexsort((rows.t[mine], slot[mine]))]
        rows, slot, joined, lat0, lon0 = rows.take(mine), slot[mine], joined[mine], lat0[mine], lon0[mine]
        n = len(mine)
        if not n:
            return np.zeros(0, np.int64)
        ends = np.flatnonzero(np.r_[slot[1:] != slot[:-1], True])
        starts = np.r_[0, ends[:-1] + 1]
        slots, count, head = slot[ends], ends - starts + 1, self._head
        fresh = head[_HEADS["fixes"], slots] == 0
        head[_HEADS["first_t"], slots] = np.where(fresh, rows.t[starts], head[_HEADS["first_t"], slots])
        head[_HEADS["fixes"], slots] += count
        head[_HEADS["before_t"], slots] = np.where(count > 1, rows.t[ends - 1], head[_HEADS["last_t"], slots])
        head[_HEADS["last_t"], slots] = rows.t[ends]

        # Pairs of fixes and places; for the first fix of each order also pairs of the fix before it, at the end.
        row, place = self._pairs(slot)
        extra, extra_place = self._pairs(slots)
        fix = np.arange(len(row))
        before = fix - self._places[slot][row]
        opening = np.zeros(n, np.bool_)
        opening[starts] = True
        before[opening[row]] = len(row) + np.arange(len(extra))
        distance = approach_mm(
            self._lat[np.r_[place, extra_place]],
            self._lon[np.r_[place, extra_place]],
            np.r_[rows.lat[row], np.where(joined, lat0, rows.lat)[starts][extra]],
            np.r_[rows.lon[row], np.where(joined, lon0, rows.lon)[starts][extra]],
            fix,
            before,
            joined[row],
        )
        newest = np.zeros(n, np.bool_)
        newest[ends] = True
        _, kept = self._pairs(slots)
        self._before[kept] = self._nearest[kept]
        older = ~newest[row]
        np.minimum.at(self._before, place[older], distance[older])
        self._nearest[kept] = self._before[kept]
        np.minimum.at(self._nearest, place[~older], distance[~older])
        return slots


def slots_of(fixes: Fixes, slot_of_leg: Callable[[int, int], int]) -> Ints:
    """The slot of the order of each fix, -1 = none that is kept, int64, shape (m,)."""
    slots = np.full(len(fixes.t), -1, np.int64)
    covered = np.flatnonzero(fixes.order != 0)
    if len(covered):
        owner, order = fixes.slot[covered], fixes.order[covered]
        # Fixes of one vehicle follow one another, mostly of one order.
        begins = np.r_[True, (owner[1:] != owner[:-1]) | (order[1:] != order[:-1])]
        pairs = zip(owner[begins].tolist(), order[begins].tolist(), strict=True)
        found = np.array([slot_of_leg(vehicle, key) for vehicle, key in pairs], np.int64)
        slots[covered] = found[np.cumsum(begins) - 1]
    return slots


@dataclass(frozen=True, slots=True, eq=False)
class _Last:
    """The newest valid fix of each vehicle before a batch, and the order it belongs to (0 = none)."""

    t: Ints
    lat: Ints
    lon: Ints
    key: Ints

    @classmethod
    def of(cls, states: TrackStates, replaced: Bools) -> _Last:
        """Of the tips; where the tip is ``replaced``, of the bases."""
        columns = [
            np.where(replaced, states.base_field(name), states.field(name))
            for name in ("prev_t", "prev_lat", "prev_lon", "leg")
        ]
        columns[3] = np.maximum(columns[3], 0)
        return cls(*columns)
