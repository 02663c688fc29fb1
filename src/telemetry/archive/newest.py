"""What ``store`` remembers of each terminal, as columns: the time of its newest position, and the fingerprints of the
positions of that second. Pure: no SQL, no clock.

Rows of one batch are looked at together; nothing here loops over rows or terminals in Python, except for
terminals seen for the first time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from runtime.arrays import AnyInts, Bools

NEVER: Final = np.iinfo(np.int64).min


class NewestPositions:
    """Per terminal (a *slot*):

    * ``watermark``: newest device time stored of rows whose time is believable (not far ahead of receipt);
    * ``top``: newest device time stored of any row. Above it everything is new for sure;
    * the fingerprints stored at the watermark, unless they are not all known or more than ``MOST_REMEMBERED``
      (a terminal that sends endless reports of one second costs look-ups, not memory).

    Slots are stable until ``learn`` or ``forget``.
    """

    MOST_REMEMBERED: Final = 1024

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._terminals = np.zeros(0, np.int32)  # sorted
        self._watermark = np.zeros(0, np.int64)
        self._top = np.zeros(0, np.int64)
        self._last = np.zeros(0, np.int64)  # greatest fingerprint at the watermark
        self._full = np.zeros(0, bool)  # the fingerprints at the watermark are not (all) remembered
        # Fingerprints of slot s: self._pool[self._start[s] : self._start[s] + self._count[s]].
        self._start = np.zeros(0, np.int64)
        self._count = np.zeros(0, np.int64)
        self._pool = np.zeros(0, np.int64)
        self._used = 0

    def __len__(self) -> int:
        return len(self._terminals)

    @property
    def remembered(self) -> int:
        """How many fingerprints are remembered."""
        return int(self._count.sum())

    @property
    def capacity(self) -> int:
        """How many fingerprints there is room for: the memory in use."""
        return len(self._pool)

    def unknown(self, terminals: AnyInts) -> AnyInts:
        """Those of ``terminals`` (sorted, distinct) that have no slot."""
        return terminals[~np.isin(terminals, self._terminals, assume_unique=True)]

    def slots(self, terminals: AnyInts) -> AnyInts:
        """Slots of known ``terminals``; same shape, int64."""
        return np.searchsorted(self._terminals, terminals)

    def learn(self, found: Sequence[tuple[int, int | None, Sequence[int], int | None]]) -> None:
        """Add terminals: (terminal, watermark or None, fingerprints at it, top or None)."""
        if not found:
            return
        found = sorted(found, key=lambda row: row[0])
        marks = np.array([NEVER if row[1] is None else row[1] for row in found], np.int64)
        tops = np.array([NEVER if row[3] is None else row[3] for row in found], np.int64)
        prints = [row[2] if len(row[2]) <= self.MOST_REMEMBERED else () for row in found]
        last = np.array([max(row[2], default=NEVER) for row in found], np.int64)
        full = np.array([len(row[2]) > self.MOST_REMEMBERED for row in found], bool)
        # Of too many fingerprints the greatest is not known: every row of that second counts as late.
        last[full] = np.iinfo(np.int64).max
        counts = np.array([len(p) for p in prints], np.int64)
        start = self._append(np.array([p for some in prints for p in some], np.int64))
        at = np.searchsorted(self._terminals, [row[0] for row in found])
        self._terminals = np.insert(self._terminals, at, [row[0] for row in found])
        self._watermark = np.insert(self._watermark, at, marks)
        self._top = np.insert(self._top, at, tops)
        self._last = np.insert(self._last, at, last)
        self._full = np.insert(self._full, at, full)
        self._start = np.insert(self._start, at, start + np.cumsum(counts) - counts)
        self._count = np.insert(self._count, at, counts)

    def forget(self, terminals: AnyInts | None) -> None:
        """Drop the slots of ``terminals`` (None = all)."""
        if terminals is None:
            self._clear()
            return
        keep = ~np.isin(self._terminals, terminals)
        for name in ("_terminals", "_watermark", "_top", "_last", "_full", "_start", "_count"):
            setattr(self, name, getattr(self, name)[keep])

    def uncertain(self, slots: AnyInts, device: AnyInts) -> Bools:
        """Rows that may be stored already and that memory cannot tell: not above all stored ones, and not at
        a remembered second. Shape (n,)."""
        known: Bools = (device == self._watermark[slots]) & ~self._full[slots]
        return np.asarray((device <= self._top[slots]) & ~known, bool)

    def before(self, slots: AnyInts, device: AnyInts, prints: AnyInts) -> Bools:
        """Rows before the newest one of their terminal, in the order (device time, fingerprint). Shape
        (n,)."""
        mark = self._watermark[slots]
        return np.asarray((device < mark) | ((device == mark) & (prints < self._last[slots])), bool)

    def repeated(self, slots: AnyInts, device: AnyInts, prints: AnyInts) -> tuple[Bools, AnyInts]:
        """Rows equal to a remembered one or to one before in the batch (shape (n,)), and all rows in the
        order (slot, device time, fingerprint), equal ones in the order they came (shape (n,), int64)."""
        n = len(slots)
        touched = np.unique(slots[device == self._watermark[slots]])
        owner, kept = self._remembered(touched)
        m = len(owner)  # remembered ones first: of equal rows they win
        all_slots = np.concatenate([owner, slots])
        all_device = np.concatenate([self._watermark[owner], device])
        all_prints = np.concatenate([kept, prints])
        order = np.lexsort((all_prints, all_device, all_slots))
        a, b = order[:-1], order[1:]
        same = (
            (all_prints[a] == all_prints[b])
            & (all_device[a] == all_device[b])
            & (all_slots[a] == all_slots[b])
        )
        again = np.zeros(m + n, bool)
        again[b[same]] = True
        return again[m:], order[order >= m] - m

    def advance(self, slots: AnyInts, device: AnyInts, prints: AnyInts, usable: Bools) -> None:
        """Remember rows that were stored (new ones, sorted by slot). ``usable``: the device time is
        believable; rows with another time raise only ``top``, and so does time 0 (unreadable)."""
        touched = np.unique(slots)
        top, before = self._top[touched], self._watermark[touched]
        np.maximum.at(self._top, slots, device)
        np.maximum.at(self._watermark, slots[usable], device[usable])
        after = self._watermark[touched]
        moved = touched[after > before]
        self._count[moved] = 0
        self._last[moved] = NEVER
        # The watermark has reached a second at which rows with a time far ahead may be stored already: which ones
        # is not known.
        self._full[moved] = (after <= top)[after > before]
        at = device == self._watermark[slots]
        np.maximum.at(self._last, slots[at], prints[at])
        changed = np.unique(slots[at & ~self._full[slots]])
        if not changed.size:
            return
        owner, kept = self._remembered(changed)
        fresh = at & ~self._full[slots]
        owner = np.concatenate([owner, slots[fresh]])
        kept = np.concatenate([kept, prints[fresh]])
        order = np.argsort(owner, kind="stable")
        counts = np.bincount(np.searchsorted(changed, owner), minlength=len(changed))
        over = counts > self.MOST_REMEMBERED
        if over.any():
            self._full[changed[over]] = True
            order = order[~np.repeat(over, counts)]
            counts[over] = 0
        self._count[changed] = 0  # their old places may be dropped by the next line
        start = self._append(kept[order])
        self._start[changed] = start + np.cumsum(counts) - counts
        self._count[changed] = counts

    def _remembered(self, slots: AnyInts) -> tuple[AnyInts, AnyInts]:
        """(slot of each, fingerprint of each) of what is remembered of ``slots``."""
        counts = self._count[slots]
        within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(slots, counts), self._pool[np.repeat(self._start[slots], counts) + within]

    def _append(self, prints: AnyInts) -> int:
        """Put ``prints`` into the pool; where they start. Makes room by dropping what no slot holds any
        more."""
        if self._used + len(prints) > len(self._pool):
            slots = np.arange(len(self._count))
            live = self._remembered(slots)[1]
            self._start = np.cumsum(self._count) - self._count
            self._pool = np.zeros(2 * (len(live) + len(prints)) + 4096, np.int64)
            self._pool[: len(live)] = live
            self._used = len(live)
        start = self._used
        self._pool[start : start + len(prints)] = prints
        self._used += len(prints)
        return start
