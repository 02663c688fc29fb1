"""How far a worker is behind the log: what waits, since when, and until when everything received is processed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from runtime.units import US_PER_S
from telemetry.log.base import StoredRecord


class Backlog:
    """``offsets``: the next offset to process of each partition that has one, as committed.

    Times are the log's own (append times), microseconds since 1970 UTC, but for a partition whose waiting records
    were not read yet: there it is the time when they were first noticed.
    """

    def __init__(self, now_us: Callable[[], int]) -> None:
        self.offsets: dict[int, int] = {}
        self._now_us = now_us
        self._ends: Mapping[int, int] = {}
        self._through_us: dict[int, int] = {}
        self._waiting_us: dict[int, int] = {}
        self._late: list[int] = []

    def load(self, offsets: Mapping[int, int]) -> None:
        """Take the committed offsets anew. When each partition's last record came is forgotten."""
        self.offsets = dict(offsets)
        self._through_us.clear()

    def polled(self, records: Sequence[StoredRecord]) -> None:
        """``records`` are in hand, and nothing of their partitions that is older waits."""
        for record in reversed(records):
            self._waiting_us[record.partition] = record.appended_us

    def committed(self, records: Sequence[StoredRecord]) -> None:
        """``records`` are processed."""
        for record in records:
            self.offsets[record.partition] = record.offset + 1
            self._through_us[record.partition] = record.appended_us
        for partition in {record.partition for record in records}:
            if self.offsets[partition] < self._ends.get(partition, 0):
                # Until the next record is read: it was not appended before this one.
                self._waiting_us[partition] = self._through_us[partition]
            else:
                self._waiting_us.pop(partition, None)

    def measure(self, ends: Mapping[int, int], assigned: Collection[int]) -> int:
        """How many records of the ``assigned`` partitions wait, by the log's end offsets."""
        now = self._now_us()
        self._ends = dict(ends)
        behind = {p: ends.get(p, 0) - self.offsets.get(p, 0) for p in assigned}
        self._late = [p for p, count in behind.items() if count > 0]
        self._waiting_us = {p: self._waiting_us.get(p, now) for p in self._late}
        return sum(behind[p] for p in self._late)

    def known_us(self, now_us: int) -> int:
        """Until when, by the last ``measure``, everything received is processed: ``now_us`` when nothing waits."""
        return min([now_us, *(self._through_us.get(p, 0) for p in self._late)])

    def seconds(self) -> float:
        """Age of the oldest record that is not processed; 0 when nothing waits."""
        if not self._waiting_us:
            return 0.0
        return max(0.0, (self._now_us() - min(self._waiting_us.values())) / US_PER_S)
