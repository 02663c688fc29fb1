"""What is pushed to a platform above: the positions of its units, from the log, in the order of the log.

Where the log may not have everything any more (a link that was broken for long, a log that was made anew), what the worker has
processed is read from the archive instead, and the log from there on.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from gongche.exchange809 import metrics
from office.platforms.fleet import Fitted, Fleet
from office.platforms.links import Link
from office.platforms.states import Place, Tally
from runtime.units import US_PER_S
from telemetry.archive.clocks import Clocks, derive
from telemetry.archive.read import PositionReader
from telemetry.jt809 import positions
from telemetry.jt809.header import Edition
from telemetry.jt809.tables import Id
from telemetry.log.base import LogTail, StoredRecord
from telemetry.log.codec import decode_all
from telemetry.positions import PositionBatch, Source
from telemetry.quality import assess

_READ_BYTES: Final = 256 << 10
_ARCHIVE_ROWS: Final = 2_000
#: The embedded log keeps a day of what is processed: a place that is older than half of it is not looked for there.
GAP_US: Final = 12 * 3600 * US_PER_S
#: Terminals upload what they kept; looked for in the archive so long before the break.
_BEFORE_US: Final = 7 * 86_400 * US_PER_S
#: Of one question to it.
_SPAN_US: Final = 7 * 86_400 * US_PER_S
#: A log that took nothing for a while has later what was received before.
_LATE_US: Final = 3600 * US_PER_S
_MINUTE_US: Final = 60 * US_PER_S
#: Positions that a terminal sends later than it measured them.
_LATE: Final = (Source.BATCH, Source.BLIND_ZONE)

Outgoing = tuple[int, dict[str, Any]]
#: Reads how far the worker has processed the log of that identity.
ReadProcessed = Callable[[str], Awaitable[Mapping[int, int]]]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Messages, and the place behind them; None: the place is as before."""

    messages: Sequence[Outgoing]
    place: Place | None


@dataclass(slots=True)
class Feed:
    """See the module. ``fleet`` and ``clocks`` are put in by who refreshes them. ``pool``: for the archive."""

    link: Link
    tail: LogTail
    pool: Any
    processed: ReadProcessed
    tally: Tally
    fleet: Fleet
    clocks: Clocks = field(default_factory=dict)
    place: Place = field(default_factory=Place)
    _live: Mapping[int, int] = field(default_factory=dict)  # from these offsets on it came after the login
    _past: deque[tuple[int, int]] = field(
        default_factory=deque
    )  # spans of device time that the archive is still asked for
    _after: tuple[int, int, int] | None = None
    _since_us: int = 0

    @property
    def _edition(self) -> Edition:
        return Edition(self.link.edition)

    async def open(self, place: Place) -> bool:
        """Go to ``place``; True: it is a new link, which begins at the end of the log, and the place is to be kept at once.
        Raises UnavailableError."""
        await self.tail.close()
        opened = await self.tail.open()
        now_us = time.time_ns() // 1000
        same = place.identity == opened.identity
        self._live, self._after = dict(opened.ends), None
        self._past.clear()
        begin = not place.identity
        if begin:
            self.place = Place(opened.identity, dict(opened.ends), now_us)
        else:
            kept = {p: min(place.offsets.get(p, 0), end) if same else 0 for p, end in opened.ends.items()}
            if not same or now_us - place.received_us > GAP_US:
                kept = self._from_archive(place, kept, await self.processed(opened.identity), now_us)
            self.place = Place(opened.identity, kept, place.received_us)
        await self.tail.seek(dict(self.place.offsets))
        return begin

    def _from_archive(
        self, place: Place, kept: Mapping[int, int], processed: Mapping[int, int], now_us: int
    ) -> dict[int, int]:
        """What the worker has processed is asked of the archive, week by week; where the log begins then."""
        self._since_us = place.received_us - _LATE_US
        at = self._since_us - _BEFORE_US
        while at < now_us + _MINUTE_US:
            self._past.append((at, at + _SPAN_US))
            at += _SPAN_US
        return {p: max(offset, processed.get(p, 0)) for p, offset in kept.items()}

    async def next(self) -> Chunk | None:
        """What is to be sent next; None: there is nothing now. Raises UnavailableError."""
        if self._past:
            return await self._archived()
        records = await self.tail.read(_READ_BYTES)
        if not records:
            return None
        return await asyncio.to_thread(self._of_records, records)

    async def _archived(self) -> Chunk:
        since, until = self._past[0]
        spans = [(int(no), since, until) for no in self.fleet.terminals.tolist()]
        async with self.pool.acquire(timeout=5) as connection:
            track = await PositionReader().track(connection, spans, limit=_ARCHIVE_ROWS, after=self._after)
        self._after = track.next
        place = None
        if track.next is None:
            self._past.popleft()
            if not self._past:
                self.place = place = Place(self.place.identity, self.place.offsets, time.time_ns() // 1000)
        batch = track.batch.take(track.batch.received_us >= self._since_us)
        return Chunk(self._history(batch, self._vehicles(batch)), place)

    def _of_records(self, records: Sequence[StoredRecord]) -> Chunk:
        offsets, newest_us = dict(self.place.offsets), self.place.received_us
        live: list[bytes] = []
        late: list[bytes] = []
        for record in records:
            offsets[record.partition] = record.offset + 1
            newest_us = max(newest_us, record.appended_us)
            if record.unreadable:
                self.tally.lost += 1
            else:
                came_after = record.offset >= self._live.get(record.partition, 0)
                (live if came_after else late).append(record.payload)
        messages: list[Outgoing] = []
        for payloads, missed in ((late, True), (live, False)):
            batch, refused = decode_all(payloads)
            self.tally.lost += len(refused)
            batch = batch.take(np.isin(batch.terminal, self.fleet.terminals))
            batch, _ = derive(batch, assess(batch), self.clocks)
            vehicles = self._vehicles(batch)
            before = np.isin(batch.source, _LATE) | missed
            messages += self._history(batch, vehicles, before)
            messages += self._as_they_came(batch, vehicles, ~before)
        self.place = Place(self.place.identity, offsets, newest_us)
        return Chunk(messages, self.place)

    def _vehicles(self, batch: PositionBatch) -> list[Fitted | None]:
        """Whose each row is; None: it is not sent. Secret vehicles, and rows without a time, are withheld."""
        dated = positions.sendable(batch).tolist()
        found: list[Fitted | None] = []
        for terminal, device_us, said in zip(
            batch.terminal.tolist(), batch.device_us.tolist(), dated, strict=True
        ):
            one = self.fleet.at(terminal, device_us) if said else None
            if not said or (one is not None and one.secret):
                self.tally.withheld += 1
                metrics.POSITIONS.labels(self.link.name, "withheld").inc()
                one = None
            found.append(one)
        return found

    def _encode(self, batch: PositionBatch) -> list[bytes]:
        return positions.encode(batch, self._edition, self.link.platform_id)

    def _as_they_came(self, batch: PositionBatch, vehicles: list[Fitted | None], mine: Any) -> list[Outgoing]:
        rows = np.array([k for k in np.flatnonzero(mine).tolist() if vehicles[k] is not None], np.int64)
        sent = self._encode(batch.take(rows))
        self.tally.sent += len(sent)
        metrics.POSITIONS.labels(self.link.name, "sent").inc(len(sent))
        messages: list[Outgoing] = []
        for row, location in zip(rows.tolist(), sent, strict=True):
            if (one := vehicles[row]) is not None:
                fields = {"plate": one.plate, "colour": one.colour, "location": location}
                messages.append((Id.UP_EXG_MSG_REAL_LOCATION, fields))
        return messages

    def _history(
        self, batch: PositionBatch, vehicles: list[Fitted | None], mine: Any = True
    ) -> list[Outgoing]:
        """0x1203: of one vehicle, in the order of their times, five together (4.5.3.1.4)."""
        groups: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
        wanted = np.broadcast_to(np.asarray(mine), (len(batch),)).tolist()
        for row in np.argsort(batch.device_us, kind="stable").tolist():
            one = vehicles[row]
            if wanted[row] and one is not None:
                groups[one.plate, one.colour].append(row)
        messages: list[Outgoing] = []
        for (plate, colour), rows in groups.items():
            sent = self._encode(batch.take(np.array(rows, np.int64)))
            self.tally.resent += len(sent)
            metrics.POSITIONS.labels(self.link.name, "resent").inc(len(sent))
            for at in range(0, len(sent), positions.MOST_TOGETHER):
                few = sent[at : at + positions.MOST_TOGETHER]
                fields = {"plate": plate, "colour": colour, "count": len(few), "location": b"".join(few)}
                messages.append((Id.UP_EXG_MSG_HISTORY_LOCATION, fields))
        return messages
