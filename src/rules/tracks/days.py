"""Days of many vehicles at once, by columns: valid fixes, gaps between them, drives, mileage of windows. Pure.

A *slot* is one vehicle on one day. Rows are usable fixes (quality 0), sorted by (slot, time, fingerprint). Everything
gives the same numbers as the track kernel (rules.tracks.kernel) gives one vehicle after the other; the kernel itself
runs only where its result is not plain from the columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from rules.tracks.advance import advance, row_matrix
from rules.tracks.kernel import KEEP_MM, MOVING_DKMH, MOVING_MM, plain, resting
from rules.tracks.mileage import window_mileage
from rules.tracks.ops import VectorOps
from rules.tracks.state import TrackStates
from runtime.arrays import Ints
from runtime.units import US_PER_DAY
from telemetry import geo

#: Room of a slot in a key of (slot, time): 101 days either side of the slot's day, for 2^18 slots.
_SPAN = np.int64(1) << 44
#: A box counts as narrow when its diagonal is so much below KEEP_MM: more than rounding and curvature can hide.
_MARGIN_MM = 1000


@dataclass(frozen=True, slots=True, eq=False)
class DayRows:
    """Usable fixes as int64 columns of shape (n,), sorted by (slot, time, fingerprint), of which those of one slot and
    time are one (the smallest fingerprint, as in the kernel). ``base_us`` (slots,): midnight of each slot's day;
    times lie within 100 days of it. ``odometer_dkm`` is -1 where absent; ``acc``: 0 = not reported, 1 = off, 2 = on."""

    base_us: Ints
    slot: Ints
    t_us: Ints
    fingerprint: Ints
    lat_e6: Ints
    lon_e6: Ints
    speed_dkmh: Ints
    direction_deg: Ints
    odometer_dkm: Ints
    acc: Ints
    terminal: Ints

    @classmethod
    def build(cls, base_us: Ints, **columns: Ints) -> DayRows:
        """Of columns in any order, with repeated times; quick where those of one slot are in order already. Without ``acc``
        it is not reported; ``valid`` is left out."""
        columns.pop("valid", None)
        columns.setdefault("acc", np.zeros(len(columns["slot"]), np.int64))
        slot, t, fp = columns["slot"], columns["t_us"], columns["fingerprint"]
        order = np.argsort(slot, kind="stable")
        step, print_ = np.diff(t[order]), fp[order]
        back = (step < 0) | ((step == 0) & (print_[1:] < print_[:-1]))
        if (back & (np.diff(slot[order]) == 0)).any():
            order = np.lexsort((fp, t, slot))
        first = np.ones(len(order), np.bool_)
        first[1:] = (np.diff(slot[order]) != 0) | (np.diff(t[order]) != 0)
        order = order[first]
        return cls(base_us, **{name: np.asarray(column, np.int64)[order] for name, column in columns.items()})

    def __len__(self) -> int:
        return len(self.slot)

    def take(self, index: Ints) -> DayRows:
        """The rows at ``index``, ascending."""
        names = [name for name in self.__slots__ if name != "base_us"]
        return DayRows(self.base_us, *(getattr(self, name)[index] for name in names))

    def keys(self) -> Ints:
        """Ascending keys of (slot, time), shape (n,); see ``key``."""
        return self.key(self.slot, self.t_us)

    def key(self, slot: Ints, t_us: Ints) -> Ints:
        """Keys that sort as (slot, time) does, int64, shape (m,)."""
        made: Ints = slot * _SPAN + np.clip(t_us - self.base_us[slot], -_SPAN // 2, _SPAN // 2 - 1)
        return made


def jumpy_slots(rows: DayRows, max_speed_kmh: Ints) -> Ints:
    """Slots with two rows, one after the other, of which the second is not plainly a valid fix; ascending, int64."""
    slot, t = rows.slot, rows.t_us
    same = slot[1:] == slot[:-1]
    far = geo.distance_mm(rows.lat_e6[:-1], rows.lon_e6[:-1], rows.lat_e6[1:], rows.lon_e6[1:])
    sure = plain(
        VectorOps, _said(rows, slice(None, -1)), _said(rows, slice(1, None)), far, np.diff(t), max_speed_kmh[slot[1:]]
    )  # fmt: skip
    return np.unique(slot[1:][same & ~sure])


def _said(rows: DayRows, part: slice | Ints) -> SimpleNamespace:
    return SimpleNamespace(speed=rows.speed_dkmh[part], acc=rows.acc[part], odo=rows.odometer_dkm[part] + 1)


def valid_fixes(rows: DayRows, max_speed_kmh: Ints) -> Ints:
    """Indices of the rows that the kernel takes as valid fixes, each slot from its first row on, which is then valid, stray
    or not; what still waits at its last row is none. Ascending, int64. ``max_speed_kmh``: of each slot."""
    jumpy = jumpy_slots(rows, max_speed_kmh)
    return valid_fixes_since(rows, max_speed_kmh, jumpy, TrackStates(len(jumpy)))


def valid_fixes_since(
    rows: DayRows, max_speed_kmh: Ints, jumpy: Ints, before: TrackStates, term: Ints | None = None
) -> Ints:
    """``valid_fixes`` where it is known which slots are ``jumpy`` (``jumpy_slots``): each of them is cleaned from its state
    in ``before`` on, shape (len(jumpy),), as from an empty one where there is none. ``term`` (n,): which terminal, where
    several sit in the vehicle, else 0; slots with such rows belong to ``jumpy``. What still waits after the day of a slot counts:
    of the fixes after it few are there, and they only tell that the terminal was not silent any more."""
    slot, t = rows.slot, rows.t_us
    # Where each fix is plainly valid by the one before, all are.
    good = np.ones(len(slot), np.bool_)
    if len(jumpy):
        asked = np.flatnonzero(np.isin(slot, jumpy))
        local = np.searchsorted(jumpy, slot[asked])
        matrix = row_matrix(
            len(asked), t=t[asked], fp=rows.fingerprint[asked], lat=rows.lat_e6[asked], lon=rows.lon_e6[asked],
            speed=rows.speed_dkmh[asked], odo=rows.odometer_dkm[asked] + 1, acc=rows.acc[asked],
            term=0 if term is None else term[asked], max_kmh=max_speed_kmh[slot[asked]],
        )  # fmt: skip
        done = advance(before, local, matrix)
        after = t[asked] >= rows.base_us[slot[asked]] + US_PER_DAY
        good[asked] = done.valid | (done.waits & after)
    return np.flatnonzero(good)


def gaps(rows: DayRows, valid: Ints, min_us: Ints) -> tuple[Ints, Ints]:
    """Places k in ``valid`` such that between fix k and fix k + 1 of one slot lie ``min_us`` (of each slot) or more,
    and the places of the last fix of each slot. Ascending, int64."""
    if not len(valid):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    slot, t = rows.slot[valid], rows.t_us[valid]
    same = slot[1:] == slot[:-1]
    return np.flatnonzero(same & (np.diff(t) >= min_us[slot[1:]])), np.flatnonzero(np.r_[~same, True])


@dataclass(frozen=True, slots=True, eq=False)
class WindowSums:
    """Of each of m windows, int64 columns of shape (m,): the kernel's mileage in metres (rounded down), how much of it
    is straight lines over gaps, and how many different times have a row. ``supported_m``: what is no straight line, of which
    alone a rule may accuse: every metre of it has fixes at both its ends that others agree with."""

    metres: Ints
    bridged_m: Ints
    positions: Ints

    @property
    def supported_m(self) -> Ints:
        return self.metres - self.bridged_m


def window_sums(
    rows: DayRows,
    slot: Ints,
    from_us: Ints,
    to_us: Ints,
    max_speed_kmh: Ints,
    gap_s: Ints,
    *,
    sure: bool = False,
) -> WindowSums:
    """Mileage within windows [from, to) of slots; all arguments int64 of shape (m,). ``sure``: ``rows`` are valid fixes; else
    each window is cleaned for itself. Windows may be empty; each starts anew, as ``window_mileage`` does. A vehicle that stands gets its zero from the columns alone."""
    keys = rows.keys()
    start = np.searchsorted(keys, rows.key(slot, from_us))
    count = np.maximum(np.searchsorted(keys, rows.key(slot, to_us)) - start, 0)
    metres, bridged = np.zeros(len(slot), np.int64), np.zeros(len(slot), np.int64)
    there = np.flatnonzero(count)
    if len(there):
        row, first = _picked(start[there], count[there])
        lat, lon = rows.lat_e6[row], rows.lon_e6[row]
        wide = geo.distance_mm(
            np.minimum.reduceat(lat, first), np.minimum.reduceat(lon, first),
            np.maximum.reduceat(lat, first), np.maximum.reduceat(lon, first),
        )  # fmt: skip
        fastest = np.maximum.reduceat(rows.speed_dkmh[row], first)
        # No fix is KEEP_MM from another and none moves: the kernel keeps none and has no tail.
        loud = there[(fastest >= MOVING_DKMH) | (wide >= KEEP_MM - _MARGIN_MM)]
        limits = np.stack((max_speed_kmh[loud], gap_s[loud]), 1)
        for speed, gap in np.unique(limits, axis=0).tolist():
            some = loud[(limits[:, 0] == speed) & (limits[:, 1] == gap)]
            row, _ = _picked(start[some], count[some])
            made = window_mileage(
                np.repeat(np.arange(len(some)), count[some]), len(some), rows.t_us[row], rows.fingerprint[row],
                rows.lat_e6[row], rows.lon_e6[row], rows.speed_dkmh[row], rows.direction_deg[row],
                rows.odometer_dkm[row], acc=rows.acc[row], max_speed_kmh=speed, gap_s=gap,
                sure=sure,
            )  # fmt: skip
            metres[some], bridged[some] = made.metres, made.bridged_m
    return WindowSums(metres, bridged, count)


def drives(rows: DayRows, valid: Ints) -> tuple[Ints, Ints, Ints]:
    """Stretches of driving: (slot, first row, last row), int64, by slot and time.

    A stretch is a run of valid fixes each of which moves as the kernel says (its own speed, or 50 m from the one
    before), with the fix before the first when it came 50 m from there. One that nowhere is KEEP_MM from there is noise of a
    standing vehicle and left out."""
    if not len(valid):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
    slot, lat, lon = rows.slot[valid], rows.lat_e6[valid], rows.lon_e6[valid]
    same = np.r_[False, slot[1:] == slot[:-1]]
    far = np.r_[0, geo.distance_mm(lat[:-1], lon[:-1], lat[1:], lon[1:])]
    before = valid[np.maximum(np.arange(len(valid)) - 1, 0)]
    shifted = same & (far > MOVING_MM) & ~resting(_said(rows, before), _said(rows, valid))
    moving = (rows.speed_dkmh[valid] >= MOVING_DKMH) | shifted
    begins = moving & ~(np.r_[False, moving[:-1]] & same)
    ends = moving & ~(np.r_[moving[1:], False] & np.r_[same[1:], False])
    last = np.flatnonzero(ends)
    first = np.flatnonzero(begins)
    first -= shifted[first]
    if len(first):
        fix, begin = _picked(first, last - first + 1)
        start = np.repeat(first, last - first + 1)
        away = geo.distance_mm(lat[start], lon[start], lat[fix], lon[fix])
        real = np.maximum.reduceat(away, begin) >= KEEP_MM
        first, last = first[real], last[real]
    return slot[first], valid[first], valid[last]


def _picked(start: Ints, count: Ints) -> tuple[Ints, Ints]:
    """The rows of stretches (each of ``count`` > 0 rows from ``start`` on) one after another, and where in them each
    stretch begins."""
    first = np.cumsum(count) - count
    return np.arange(int(count.sum())) + np.repeat(start - first, count), first
