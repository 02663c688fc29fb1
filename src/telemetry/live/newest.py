"""The newest valid position of each terminal, as columns. Pure: no log, no clock.

Times are those that result from what is known of the terminals' clocks (``telemetry.archive.clocks``). A report with an older
device time than the newest one changes nothing: what a terminal sends late, from its memory, is no news.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from runtime.arrays import AnyInts, Bools, Ints
from telemetry.positions import PositionBatch, acc_column
from telemetry.quality import Quality

#: The fix time of a terminal that has had no valid position.
NEVER: Final = np.iinfo(np.int64).min
#: More terminals are not remembered: numbers that no registry has given must not fill the memory.
MOST_TERMINALS: Final = 1_000_000
#: Of such a report the device time says nothing.
_NO_TIME: Final = int(Quality.TIME_AHEAD | Quality.TIME_UNREADABLE)


class NewestFixes:
    """Columns by *slot*, which a terminal keeps for ever. Of its newest valid position: ``fix_us`` (NEVER = none), ``lat_e6``,
    ``lon_e6``, ``speed_dkmh``, ``direction_deg``. Of its newest report, valid or not: ``report_us``, ``acc`` (0 = not said,
    1 = off, 2 = on), ``located`` (it is a valid position), ``alarm`` (an alarm bit is set).
    """

    def __init__(self) -> None:
        self._terminals = np.zeros(0, np.int64)  # sorted
        self._slots = np.zeros(0, np.int64)  # of those
        self._make(1024)

    def _make(self, room: int) -> None:
        self.fix_us = np.full(room, NEVER, np.int64)
        self.report_us = np.full(room, NEVER, np.int64)
        self.lat_e6 = np.zeros(room, np.int32)
        self.lon_e6 = np.zeros(room, np.int32)
        self.speed_dkmh = np.zeros(room, np.uint16)
        self.direction_deg = np.zeros(room, np.uint16)
        self.acc = np.zeros(room, np.uint8)
        self.located = np.zeros(room, np.bool_)
        self.alarm = np.zeros(room, np.bool_)

    def __len__(self) -> int:
        return len(self._terminals)

    def slots(self, terminals: AnyInts) -> Ints:
        """The slots of ``terminals`` (any order), shape (n,), int64; one that is new gets the next slot, -1 = there is no more
        room."""
        found = self._known(terminals)
        missing = np.unique(terminals[found < 0]).astype(np.int64)[: max(0, MOST_TERMINALS - len(self))]
        if len(missing):
            given = np.arange(len(self), len(self) + len(missing))
            at = np.searchsorted(self._terminals, missing)
            self._terminals = np.insert(self._terminals, at, missing)
            self._slots = np.insert(self._slots, at, given)
            if len(self) > len(self.fix_us):
                self._grow(max(len(self), 2 * len(self.fix_us)))
            found = self._known(terminals)
        return found

    def _known(self, terminals: AnyInts) -> Ints:
        if not len(self):
            return np.full(len(terminals), -1, np.int64)
        place = np.searchsorted(self._terminals, terminals).clip(max=len(self) - 1)
        found: Ints = np.where(self._terminals[place] == terminals, self._slots[place], -1)
        return found

    def _grow(self, room: int) -> None:
        before = dict(self.__dict__)
        self._make(room)
        for name, column in self.__dict__.items():
            if not name.startswith("_"):
                column[: len(before[name])] = before[name]

    def forget(self, terminals: AnyInts) -> None:
        """What was known of ``terminals`` counts no more, their times neither: whatever they report next is the newest."""
        at = self.slots(terminals)
        at = at[at >= 0]
        self.fix_us[at] = self.report_us[at] = NEVER

    def apply(self, batch: PositionBatch, quality: NDArray[np.int16]) -> None:
        """Take up ``batch`` with its ``quality`` (int16, shape (n,)); rows in any order."""
        slot = self.slots(batch.terminal)
        known = slot >= 0
        rows = _last_each(slot, batch.device_us, known & (quality == 0))
        rows = rows[batch.device_us[rows] > self.fix_us[slot[rows]]]
        at = slot[rows]
        self.fix_us[at] = batch.device_us[rows]
        for name in ("lat_e6", "lon_e6", "speed_dkmh", "direction_deg"):
            getattr(self, name)[at] = getattr(batch, name)[rows]
        rows = _last_each(slot, batch.device_us, known & ((quality & _NO_TIME) == 0))
        rows = rows[batch.device_us[rows] > self.report_us[slot[rows]]]
        at = slot[rows]
        self.report_us[at] = batch.device_us[rows]
        self.acc[at] = acc_column(batch, rows)
        self.located[at] = quality[rows] == 0
        self.alarm[at] = batch.alarm[rows] != 0


def _last_each(slot: Ints, device_us: AnyInts, which: Bools) -> Ints:
    """Of the rows ``which`` the one with the newest device time of each slot."""
    rows = np.flatnonzero(which)
    order = rows[np.argsort(device_us[rows], kind="stable")]
    last = np.full(int(slot.max(initial=-1)) + 1, -1, np.int64)
    last[slot[order]] = order  # of equal slots the last one stays
    found: Ints = last[last >= 0]
    return found
