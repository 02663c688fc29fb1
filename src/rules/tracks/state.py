"""Running state of each vehicle's track: the columns, how they are kept in memory, and their stored form.

A vehicle's state is two copies of the same fields. ``tip`` includes everything up to the vehicle's newest
device time; ``base`` is the state just before that time. Several different reports of one device time are
possible (device time has whole seconds); exactly one of them, the one with the smallest fingerprint, counts.
When a smaller one comes later, it is applied to ``base`` in place of the first: so the result does not depend
on the order of arrival.

All fields are int64: times in microseconds since 1970 UTC (0 = none), coordinates in 1e-6 degree, lengths in
mm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from runtime.arrays import Ints

#: Version of STATE_DTYPE and of what the kernels do with it.
#:
#: The running states in the database are of one version: a vehicle whose stored state is of another one is recomputed from
#: its stored track (``rules.live.store.states.outdated_states``). A state that is frozen in evidence is never recomputed:
#: it is read by ``read_states``. Evidence of version 1 of the rules, whose states are of version 1, has that of its own
#: (``rules.tracks.v1.state``).
STATE_VERSION = 2

#: Fixes that may wait at once (``rules.tracks.cleaning``), and what is kept of each.
WAITING: Final = 3
WAITING_FIELDS: Final = ("t", "lat", "lon", "speed", "dir", "odo", "order", "said", "beyond")

_MILEAGE = ("a_lat", "a_lon", "a_dir", "sum_mm", "tail_mm", "bridged_mm")

#: Fields of one half, in stored order.
FIELDS: tuple[str, ...] = (
    "t",  # device time of the newest report that counts, valid or not
    "fp",  # its fingerprint
    "event",  # what it did to the episode: rules.tracks.kernel.Event
    "prev_t",  # the newest valid fix
    "prev_lat",
    "prev_lon",
    "prev_speed",  # 0.1 km/h
    "prev_acc",  # 0 = not reported, 1 = off, 2 = on
    "prev_odo",  # 0.1 km plus 1; 0 = not reported with it
    "prev_n",  # how many valid fixes agree with it, itself the last of them; kernel.SUPPORT at most
    "seen_t",  # the report that confirmed it: itself, or a later one
    "lead",  # the terminal whose fixes count where several sit in the vehicle; 0 = only one does
    "other",  # another one, whose newest report was set aside
    "other_t",
    "other_lat",
    "other_lon",
    "other_go",  # how many of its newest reports say that it drives, without a break
    "moved_t",  # the newest moving fix
    "day",  # natural day (Asia/Shanghai) of the day's mileage
    *(f"day_{name}" for name in _MILEAGE),
    "leg",  # > 0: number of the order that covers the time; < 0: minus the start of a run; 0: neither
    *(f"leg_{name}" for name in _MILEAGE),
    "leg_t",  # first fix of the leg
    "odo_first",  # odometer in 0.1 km at the first and last fix of the leg that had one, plus 1; 0 = none
    "odo_last",
    "home",  # 1: the newest valid fix is inside its fence, and no order covers it
    "run_t",  # first fix of the run of fixes outside the fence without an order; 0 = no run
    "run_from_t",  # the run's fixes are confirmed alike when the track is read from here on
    "run_lat",  # from where its displacement counts; 0, 0 = from the fence alone
    "run_lon",
    "run_n",  # fixes of the run
    "run_last_t",  # newest fix of the run
    "run_far",  # farthest beyond the fence, mm
    "run_away",  # how many of its newest fixes are displaced, without a break
    "run_away_t",  # the first of these
    "run_said",  # what these say about driving: bits of rules.tracks.kernel
    "run_odo",  # odometer in 0.1 km at the first fix of the run that had one, plus 1; 0 = none
    "run_apart",  # farthest that a terminal set aside was from the leading one at the same time, mm
    "open_t",  # the fix at which the run became an episode; 0 = it is none
    "open_seen_t",  # the report that confirmed that fix
    "waiting",  # fixes after the newest valid one that agree with one another and wait; of more than 3 the middle is lost
    *(f"w{place}_{name}" for place in range(1, WAITING + 1) for name in WAITING_FIELDS),
)

_HALF = np.dtype([(name, "<i8") for name in FIELDS])
#: One vehicle's state as it is stored.
STATE_DTYPE = np.dtype([("base", _HALF), ("tip", _HALF)])


class TrackStates:
    """States of ``capacity`` vehicles as two int64 matrices of shape (fields, capacity), addressed by slot.

    A new slot is all zero: the state of a vehicle that was never seen.
    """

    __slots__ = ("base", "tip")

    def __init__(self, capacity: int) -> None:
        self.base: Ints = np.zeros((len(FIELDS), capacity), np.int64)
        self.tip: Ints = np.zeros((len(FIELDS), capacity), np.int64)

    @property
    def capacity(self) -> int:
        return int(self.tip.shape[1])

    def grow(self, capacity: int) -> None:
        """At least ``capacity`` slots; the new ones are empty."""
        more = capacity - self.capacity
        if more > 0:
            pad = np.zeros((len(FIELDS), more), np.int64)
            self.base, self.tip = np.hstack((self.base, pad)), np.hstack((self.tip, pad))

    def pack(self, slots: Ints) -> NDArray[np.void]:
        """The states at ``slots`` as STATE_DTYPE, shape (len(slots),)."""
        both = np.concatenate((self.base[:, slots], self.tip[:, slots])).T
        return np.ascontiguousarray(both).view(STATE_DTYPE).reshape(-1)

    def unpack(self, slots: Ints, rows: NDArray[np.void]) -> None:
        """Put stored states (STATE_DTYPE, shape (len(slots),)) at ``slots``."""
        flat = np.ascontiguousarray(rows).view(np.int64).reshape(len(rows), 2 * len(FIELDS)).T
        self.base[:, slots], self.tip[:, slots] = flat[: len(FIELDS)], flat[len(FIELDS) :]

    def clear(self, slots: Ints) -> None:
        """Make the slots those of vehicles never seen."""
        self.base[:, slots] = 0
        self.tip[:, slots] = 0

    def field(self, name: str, slots: Ints | slice = slice(None)) -> Ints:
        """A field of the tips, shape (len(slots),)."""
        values: Ints = self.tip[FIELDS.index(name), slots]
        return values

    def base_field(self, name: str, slots: Ints | slice = slice(None)) -> Ints:
        """A field of the bases, shape (len(slots),)."""
        values: Ints = self.base[FIELDS.index(name), slots]
        return values

    def copy(self, slots: Ints) -> TrackStates:
        """A separate TrackStates with only ``slots``, in that order."""
        made = TrackStates(0)
        made.base, made.tip = self.base[:, slots].copy(), self.tip[:, slots].copy()
        return made


class UnknownStateError(ValueError):
    """A state of a version that this program cannot read."""


@dataclass(frozen=True, slots=True)
class StateReader:
    """How a version of the state is read: its row as stored, and what makes rows of STATE_DTYPE of such rows."""

    dtype: np.dtype[Any]
    to_current: Callable[[NDArray[np.void]], NDArray[np.void]]


#: By version. A new STATE_VERSION adds its own entry and says in those of the older ones what their rows are in it.
READERS: Final[Mapping[int, StateReader]] = {STATE_VERSION: StateReader(STATE_DTYPE, lambda rows: rows)}


def read_states(
    version: int, pieces: Sequence[bytes], readers: Mapping[int, StateReader] = READERS
) -> NDArray[np.void]:
    """Frozen states (the raw bytes of each) of a version as STATE_DTYPE, shape (len(pieces),). Raises UnknownStateError for
    a version without a reader, ValueError for bytes that are no state of that version."""
    reader = readers.get(version)
    if reader is None:
        raise UnknownStateError(f"state of the kernel, version {version}; known: {sorted(readers)}")
    if any(len(piece) != reader.dtype.itemsize for piece in pieces):
        raise ValueError(f"not {reader.dtype.itemsize} bytes, as version {version} has")
    return reader.to_current(np.frombuffer(bytearray(b"".join(pieces)), reader.dtype))


def empty_rows(n: int) -> NDArray[np.void]:
    """``n`` states of vehicles never seen, STATE_DTYPE."""
    return np.zeros(n, STATE_DTYPE)


def half(row: np.void | NDArray[np.void], which: str = "tip") -> dict[str, int]:
    """One half of a stored state as a dict of Python integers, for reports and tests."""
    values: Iterable[int] = row[which].item()
    return dict(zip(FIELDS, values, strict=True))
