"""The log: what stands between the gateway and the workers.

Two implementations keep this interface: ``embedded`` (SQLite, one machine) and Kafka. What both promise:

* ``append`` returns only when the records are durable; if it raises, none, some or all of them may be in the log, and
  whoever was waiting for a reply gets none, so the terminal sends again.
* Records of one partition have strictly increasing offsets (not necessarily without holes) and are read in that order.
  Of several partitions what has waited longest comes first, so none starves beside one that is always full.
* A reader starts where it is told; offsets live with the results (in PostgreSQL), never in the log.
* A record that the log cannot read for good comes as such (``StoredRecord.unreadable``), and its partition goes on. What may
  be the line's or the disk's fault for a while is an UnavailableError.
* Partitions of a reader may change at any time (Kafka rebalances); ``poll`` raises nothing for that but returns a
  ``Poll`` whose ``assigned``/``revoked`` say so *before* any record of a newly assigned partition is returned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np

from runtime.arrays import AnyArray, Ints

POSITIONS = "gongche.positions"
REJECTS = "gongche.rejects"
#: What terminals report that is no position (``telemetry.reports``); one partition.
REPORTS = "gongche.reports"

HEADER_SCHEMA = "gongche-schema"


@dataclass(frozen=True, slots=True)
class Record:
    """One packed batch of one partition, ready to append."""

    topic: str
    partition: int
    payload: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as read back. ``appended_us`` is the log's own time, microseconds since 1970 UTC. ``unreadable``: why the log
    itself cannot read what was there, '' = it can. ``payload`` are the bytes that could be had then, and ``offset`` the last
    one of them: there may be several records in what is damaged."""

    topic: str
    partition: int
    offset: int
    payload: bytes
    headers: Mapping[str, str]
    appended_us: int
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class Poll:
    """What one ``poll`` brought. The reader must ``seek`` every partition in ``assigned`` before polling again.
    ``lost``: how many records that were asked for the log did not have any more."""

    records: Sequence[StoredRecord] = ()
    assigned: frozenset[int] = frozenset()
    revoked: frozenset[int] = frozenset()
    lost: int = 0


@runtime_checkable
class LogWriter(Protocol):
    """Appends records. Safe to call from one event loop; calls may overlap."""

    @property
    def partitions(self) -> int:
        """How many partitions the positions topic has. Right from the end of ``start`` on; another number may come with an
        ``append`` that fails, and the records are to be divided anew then."""

    async def start(self) -> None:
        """Connect and make the topics when they are missing; before anything else. ConfigurationError, UnavailableError."""

    async def append(self, records: Sequence[Record]) -> None:
        """Make ``records`` durable. Raises ``UnavailableError`` (try again, by ``partitions`` as they are then) or
        ``BatchTooLargeError``."""

    async def close(self) -> None: ...


@runtime_checkable
class LogReader(Protocol):
    """Reads one topic from given offsets, as a member of a group of readers."""

    async def start(self) -> None:
        """Connect; before anything else. Raises ConfigurationError or UnavailableError."""

    async def poll(self, max_bytes: int, timeout_s: float) -> Poll:
        """Wait up to ``timeout_s`` for records; at most about ``max_bytes`` of payload (at least one record)."""

    async def seek(self, partition: int, offset: int) -> None:
        """Next ``poll`` of ``partition`` starts at ``offset`` (the first offset not yet processed)."""

    async def identity(self) -> str:
        """Names this very log: offsets of one log mean nothing in another, even under the same topic."""

    async def former_identity(self) -> str:
        """What earlier versions of this program called it; the same as ``identity`` where that has not changed."""

    async def end_offsets(self) -> Mapping[int, int]:
        """For each partition of the topic, the offset after its last record (for lag)."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Opened:
    """``identity`` names the log (see LogReader.identity); ``ends``: the offset after the last record of each partition."""

    identity: str
    ends: Mapping[int, int]


class LogTail(Protocol):
    """Follows the log at its end, beside the workers: no member of their group, no offset of theirs is touched. Who follows it may
    miss what a damaged place holds, or what was deleted before it was read: he shows what is newest, and loses nothing by that.
    Every method raises UnavailableError when the log cannot be read; then ``close`` it and ``open`` it again."""

    async def open(self) -> Opened:
        """Connect to the log that is there now."""

    async def seek(self, places: Mapping[int, int]) -> None:
        """The next ``read`` begins at these offsets; say one of every partition."""

    async def read(self, max_bytes: int) -> Sequence[StoredRecord]:
        """What is there, at most about ``max_bytes`` of it; none = that was all."""

    async def check(self) -> None:
        """Raises UnavailableError when the log is another one than was opened, or has other partitions."""

    async def close(self) -> None:
        """Disconnect; nothing happens when it is not open."""


def partitions_of(terminal: AnyArray, partitions: int) -> Ints:
    """Partition of each terminal's registry number, shape (n,): a multiplicative hash (Knuth), stable for ever."""
    hashed = (terminal.astype(np.int64) * 2_654_435_761) & 0xFFFFFFFF
    return hashed * partitions >> 32
