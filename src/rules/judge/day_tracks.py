"""Tracks of vehicle days by columns: the day itself, the first fixes after it, what the terminal reported."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np

from registry.changes import LOOK_BACK_US
from registry.snapshot.timelines import Timelines
from registry.vehicles import VehicleInfo
from rules import evidence as frozen
from rules.judge.context import Desk
from rules.judge.tracks import terminal_spans
from rules.live.store.states import load_day_states
from rules.stored_tracks import Want, fix_columns, shared_terms
from rules.tracks.days import DayRows, jumpy_slots, valid_fixes_since
from rules.tracks.state import STATE_DTYPE, STATE_VERSION, TrackStates
from runtime.arrays import Bools, Ints
from runtime.units import CHINA_OFFSET_US, US_PER_DAY, US_PER_S, china_day
from telemetry.archive.read import Track
from telemetry.quality import Quality

#: How long after a day its end is looked for: as far back as tracks are recomputed for late positions.
HORIZON_US: Final = LOOK_BACK_US
#: Fixes read after a day: enough to have two valid ones when the first are jumps.
AFTER: Final = 8
#: Where the next fix is looked for first.
_NEAR_US: Final = 3 * US_PER_DAY
_POWER_LOSS: Final = 1 << 8  # alarm bit of 0x0200: main power lost
_NO_TIME: Final = int(Quality.TIME_AHEAD | Quality.TIME_UNREADABLE)
_EPOCH: Final = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class VehicleDay:
    """A vehicle's natural day. ``from_us``: its midnight in Asia/Shanghai."""

    key: str
    vehicle: VehicleInfo
    day: date
    from_us: int

    @property
    def to_us(self) -> int:
        return self.from_us + US_PER_DAY


@dataclass(frozen=True, slots=True, eq=False)
class DayTracks:
    """Tracks of n vehicle days; a slot is the place in ``days``. ``rows``: usable fixes of the day and the first AFTER
    ones after it. ``bound``: the (terminal, from, to) that sat in each vehicle from the day on. ``power_loss``,
    ``without_fix``: ascending ``rows.key`` of reports of the day, whatever their fix."""

    days: Sequence[VehicleDay]
    rows: DayRows
    bound: Sequence[Sequence[Want]]
    power_loss: Ints
    without_fix: Ints

    def count(self, keys: Ints, slot: int, from_us: int, to_us: int) -> int:
        """How many of ``keys`` lie in [from, to) of a slot."""
        edges = self.rows.key(np.array([slot, slot]), np.array([from_us, to_us]))
        low, high = np.searchsorted(keys, edges)
        return int(high - low)


def day_of(us: int) -> date:
    """The natural day of a time."""
    return date.fromordinal(_EPOCH + (us + CHINA_OFFSET_US) // US_PER_DAY)


async def read_tracks(desk: Desk, days: Sequence[VehicleDay]) -> DayTracks:
    """Everything of ``days`` in one COPY, and the fixes after them by probes of the key."""
    bases = np.array([d.from_us for d in days], np.int64)
    until = desk.now_us + 10 * 60 * US_PER_S  # a valid device time is no further ahead
    bound = await terminal_spans(
        desk, [(d.vehicle.no, d.from_us, d.from_us + US_PER_DAY + HORIZON_US) for d in days]
    )
    inside = [_cut(spans, d.from_us, d.to_us) for d, spans in zip(days, bound, strict=True)]
    owner = Timelines()
    owner.replace((), [(t, a, b, slot) for slot, spans in enumerate(inside) for t, a, b in spans])
    asked = [span for spans in inside for span in spans]
    track = await desk.archive.track(desk.conn, asked, ordered=False)  # DayRows sorts
    terminal, t = track.batch.terminal.astype(np.int64), track.batch.device_us
    slot = owner.at(terminal, t)
    dated = (slot >= 0) & ((track.quality & _NO_TIME) == 0)
    usable = np.flatnonzero(dated & (track.quality == 0))
    more, of_slot = await _after(desk, days, bound, until)
    parts = [_columns(track, usable, slot[usable]), _columns(more, *of_slot)]
    rows = DayRows.build(bases, **{name: np.concatenate([p[name] for p in parts]) for name in parts[0]})

    def keys(mask: Bools) -> Ints:
        return np.sort(rows.key(slot[mask], t[mask]))

    power = (track.batch.alarm & np.uint32(_POWER_LOSS)) != 0
    return DayTracks(days, rows, bound, keys(dated & power), keys(dated & (track.quality != 0)))


async def _after(
    desk: Desk, days: Sequence[VehicleDay], bound: Sequence[Sequence[Want]], until: int
) -> tuple[Track, tuple[Ints, Ints]]:
    """The first AFTER usable fixes after each day: a track that holds them, and (rows of it, their slots)."""
    ends = np.array([d.to_us for d in days], np.int64)
    near = [min(end + _NEAR_US, until) for end in ends.tolist()]
    track = await _first(desk, bound, ends, near)
    rows, slots = _following(track, bound, ends, near)
    missing = set(range(len(days))) - {
        s for s, n in enumerate(np.bincount(slots, minlength=len(days))) if n >= AFTER
    }
    if any(near[s] < min(int(ends[s]) + HORIZON_US, until) for s in missing):
        far = [min(int(end) + HORIZON_US, until) if s in missing else near[s] for s, end in enumerate(ends)]
        track = await _first(desk, bound, ends, far)
        rows, slots = _following(track, bound, ends, far)
    return track, (rows, slots)


async def _first(desk: Desk, bound: Sequence[Sequence[Want]], since: Ints, until: Sequence[int]) -> Track:
    spans = {
        span for slot, pieces in enumerate(bound) for span in _cut(pieces, int(since[slot]), until[slot])
    }
    return await desk.archive.edges(desk.conn, sorted(spans), AFTER)


def _following(
    track: Track, bound: Sequence[Sequence[Want]], since: Ints, until: Sequence[int]
) -> tuple[Ints, Ints]:
    """(rows, slots) of the first AFTER times after each slot's day, before its ``until``. A row may belong to several
    days of a vehicle. Beyond what was read for a day itself lie rows that were read for a later one, and not those in
    between."""
    terminal, t = track.batch.terminal.astype(np.int64), track.batch.device_us
    order = np.lexsort((track.fingerprint, t, terminal))
    terminal, t = terminal[order], t[order]
    fresh = np.ones(len(order), np.bool_)  # spans overlap: a row may have come twice
    fresh[1:] = (np.diff(terminal) != 0) | (np.diff(t) != 0)
    order, terminal, t = order[fresh], terminal[fresh], t[fresh]
    rows, slots = [], []
    for slot, pieces in enumerate(bound):
        found: list[Ints] = []
        for no, start, end in pieces:
            low, high = np.searchsorted(terminal, [no, no + 1])
            a, b = low + np.searchsorted(t[low:high], [max(start, int(since[slot])), min(end, until[slot])])
            found.append(order[a : min(int(b), int(a) + AFTER)])
        mine = np.concatenate(found) if found else np.zeros(0, np.int64)
        rows.append(mine[np.argsort(track.batch.device_us[mine], kind="stable")][:AFTER])
        slots.append(np.full(len(rows[-1]), slot, np.int64))
    return np.concatenate([*rows, np.zeros(0, np.int64)]), np.concatenate([*slots, np.zeros(0, np.int64)])


def _cut(spans: Sequence[Want], since: int, until: int) -> list[Want]:
    return [(t, max(a, since), min(b, until)) for t, a, b in spans if max(a, since) < min(b, until)]


def _columns(track: Track, rows: Ints, slot: Ints) -> dict[str, Any]:
    return {"slot": slot, "terminal": track.batch.terminal[rows], **fix_columns(track, rows)}


def in_day(tracks: DayTracks) -> Bools:
    """Rows of the days themselves, without the fixes after them."""
    return tracks.rows.t_us < tracks.rows.base_us[tracks.rows.slot] + US_PER_DAY


async def valid_rows_of(desk: Desk, tracks: DayTracks, speeds: Ints) -> Ints:
    """Rows that are valid fixes; a day with jumps is cleaned from what the worker knew when it began, for its first fix
    may be one."""
    rows, term = tracks.rows, np.zeros(len(tracks.rows), np.int64)
    for slot, spans in enumerate(tracks.bound):
        if len({no for no, _, _ in spans}) > 1:
            mine = slice(*np.searchsorted(rows.slot, [slot, slot + 1]))
            term[mine] = shared_terms(spans, rows.terminal[mine], rows.t_us[mine])
    jumpy = np.union1d(jumpy_slots(rows, speeds), rows.slot[term != 0])
    before = TrackStates(len(jumpy))
    if len(jumpy):
        days = [tracks.days[slot] for slot in jumpy.tolist()]
        numbers = np.array([d.vehicle.no for d in days], np.int64)
        of_days = np.array([china_day(d.from_us) for d in days], np.int64)
        found, _, packed = await load_day_states(desk.conn, numbers, of_days, STATE_DTYPE, STATE_VERSION)
        before.unpack(found, packed)
    return valid_fixes_since(rows, speeds, jumpy, before, term)


def track_within(tracks: DayTracks, slot: int, windows: Iterable[tuple[int, int, bool]]) -> frozen.Track:
    """The fixes of a slot within ``windows`` (from, to, whatever), for evidence."""
    rows = tracks.rows
    low, high = np.searchsorted(rows.slot, [slot, slot + 1])
    t = rows.t_us[low:high]
    within = np.zeros(len(t), np.bool_)
    for start, end, _ in windows:
        within |= (t >= start) & (t < end)
    picked = low + np.flatnonzero(within)
    return frozen.freeze_track(
        {name: getattr(rows, name)[picked] for name in (*frozen.TRACK_COLUMNS, frozen.ACC_COLUMN)}
    )
