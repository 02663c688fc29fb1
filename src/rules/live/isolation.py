"""What happens when a transaction of the worker fails for a fault of the program: the part that fails is found and set aside,
and everything else is stored and judged.

The same is tried again in ever smaller parts, each in a transaction of its own and without moving the offset: first without
any position (a changed fact or an order may be to blame), then all positions, terminal by terminal, row by row. What is stored
by then is a duplicate when it comes once more, so a crash in between changes nothing. The last transaction moves the offset,
and puts what still fails into the quarantine. An outage is no fault (``rules.faults``): it ends the search, nothing is set aside, and
the records are read again.

What is to blame is found out by trying:

- *The running state of the vehicle*: the row passes when its vehicle is computed from the start of the day. Nothing is set aside.
- *The row*: it fails like that as well. It is set aside; its vehicle goes on without it.
- *The vehicle, whatever its rows are*: after MOST_ALONE such rows. Its positions are stored from then on and not judged, and its
  computation is put off (``recomputations``) until it succeeds over the stored track.
- *A row that cannot even be stored*: it is set aside. After MOST_ALONE of one terminal those of a record go together.

The search is bounded in attempts and in time; what is not found out by then is set aside in larger parts, or stored unjudged.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final, Protocol

import numpy as np

from rules.faults import is_fault
from rules.live.pieces import How, Piece, Unpacked
from rules.live.steps import STEPS
from rules.live.store.quarantine import Entry, SetAside
from runtime.arrays import Ints
from runtime.errors import text_of
from telemetry.log import codec
from telemetry.positions import PositionBatch

_logger = logging.getLogger(__name__)

#: So many rows of a terminal are looked at one by one.
MOST_ALONE: Final = 8
#: The search ends after so many attempts that failed, or so many seconds: a reader that does not poll loses its partitions.
MOST_FAILED: Final = 200
LONGEST_S: Final = 60.0
#: For so long the rows of a terminal that failed are tried apart from the others at once.
SUSPECT_S: Final = 600.0

#: Rows are tried without what is due besides: that is tried first, and is no fault of theirs.
_ALONE: Final = How(only=())
#: Steps at which the positions are stored already: what fails there is the judging.
_JUDGING: Final = frozenset(STEPS[STEPS.index("positions") + 1 :])


class Bench(Protocol):
    """Where pieces are tried (the worker)."""

    @property
    def stage(self) -> str:
        """The step at which the last attempt failed."""

    async def commit(self, piece: Piece) -> None:
        """One transaction over ``piece``."""

    def drop(self, *, whole: bool) -> None:
        """Forget what was in memory when an attempt failed: states, and the registry as well if ``whole``."""

    async def due(self) -> Mapping[int, int]:
        """The vehicles of which something is due besides positions, each with the time (us) of now."""

    def since(self, batch: PositionBatch) -> Mapping[int, int]:
        """The vehicles that ``batch`` is of, with the device time (us) of the first row of each."""


class Isolation:
    """One for the life of a worker. ``clock_s`` is a clock that only goes forward."""

    def __init__(self, bench: Bench, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._bench, self._clock_s = bench, clock_s
        #: Terminal -> (rows of it that failed lately, until when that is remembered).
        self._lately: dict[int, tuple[int, float]] = {}
        self._begin(None)

    def _begin(self, tried: Entry | None) -> None:
        self._failed, self._until_s, self._tried = 0, self._clock_s() + LONGEST_S, tried
        self._shown: set[str] = set()

    def suspects(self, batch: PositionBatch) -> bool:
        """Whether ``batch`` has rows of a terminal of which some failed lately."""
        if not self._lately:
            return False
        now = self._clock_s()
        self._lately = {no: told for no, told in self._lately.items() if told[1] > now}
        return bool(np.isin(batch.terminal, self._among()).any())

    async def run(self, found: Unpacked, error: Exception | None, *, clock: bool) -> None:
        """Store and judge ``found`` but for what fails, and move the offsets on. ``error``: what all of it together failed
        with, None = it was not tried. Raises what is no fault, and ``error`` when it comes without any position too."""
        self._begin(None)
        if error is not None:
            self._bench.drop(whole=True)
        await self._without_rows(clock)
        aside = [*found.aside, *await self._rows(found)]
        await self._bench.commit(
            Piece(records=found.records, rejected=found.rejected, aside=aside, how=_ALONE)
        )
        if self._failed or error is not None:
            _logger.warning(
                "%d records: %d attempts failed, %d parts were set aside, everything else is stored",
                len(found.records), self._failed, len(aside),
            )  # fmt: skip
            self._bench.drop(whole=True)

    async def again(self, entry: Entry, found: Unpacked) -> None:
        """Another attempt at ``entry``, which ``found`` is of: what passes is stored, what fails stays set aside."""
        self._begin(entry)
        aside = [*found.aside, *await self._rows(found)]
        rejected = [_of_entry(entry, "decode", why, record.payload) for record, why in found.rejected]
        await self._bench.commit(Piece(aside=[*aside, *rejected], how=_ALONE, tried=entry, last=True))
        if self._failed:
            self._bench.drop(whole=True)

    # ---- the search ----

    async def _attempt(self, piece: Piece) -> Exception | None:
        """None = it is committed; else the fault that it failed with. Everything else is raised."""
        try:
            await self._bench.commit(piece if self._tried is None else replace(piece, tried=self._tried))
        except Exception as error:
            if not is_fault(error):
                raise
            self._failed += 1
            _logger.debug("a part fails: %s", error, exc_info=True)
            self._bench.drop(whole=self._bench.stage == "facts")
            return error
        return None

    def _once(self, error: Exception) -> Exception | None:
        """``error``, whose traceback is shown once in a search."""
        if (kind := repr(error)[:200]) in self._shown:
            return None
        self._shown.add(kind)
        return error

    def _exhausted(self) -> bool:
        return self._failed >= MOST_FAILED or self._clock_s() >= self._until_s

    async def _without_rows(self, clock: bool) -> None:
        """What is due besides positions. The vehicles that it fails on are put off."""
        error = await self._attempt(Piece(how=How(clock=clock)))
        if error is None:
            return
        if await self._attempt(Piece(how=How(clock=clock, only=()))) is not None:
            raise error  # no vehicle is to blame
        due = await self._bench.due()
        stack = [sorted(due)]
        while stack:
            vehicles = stack.pop()
            error = await self._attempt(Piece(how=How(clock=clock, only=vehicles))) if vehicles else None
            if error is None:
                continue
            if len(vehicles) > 1 and not self._exhausted():
                half = len(vehicles) // 2
                stack += [vehicles[half:], vehicles[:half]]
                continue
            _logger.error("vehicles %s cannot be judged: put off", vehicles[:20], exc_info=error)
            # What is due of them waits as they do, and is taken when they are through. Their live positions are judged on.
            put_off = {no: due[no] for no in vehicles}
            how = How(only=(), put_off=put_off, unjudged=False, why=text_of(error))
            await self._bench.commit(Piece(how=how))

    async def _rows(self, found: Unpacked) -> list[SetAside]:
        """Store and judge the rows of ``found``; what fails."""
        batch = found.batch
        aside: list[SetAside] = []
        rows = np.argsort(batch.terminal, kind="stable")
        suspect = np.isin(batch.terminal[rows], self._among())
        stack = [*self._by_terminal(batch, rows[suspect]), rows[~suspect]]
        while stack:
            part = stack.pop()
            if not part.size:
                continue
            taken = batch.take(part)
            if await self._attempt(Piece(taken, how=_ALONE)) is None:
                continue
            if parts := self._split(batch, part):
                stack += parts
            elif (blamed := await self._blame(taken)) is not None:
                aside += self._set_aside(found, part, *blamed)
        return aside

    def _split(self, batch: PositionBatch, rows: Ints) -> list[Ints]:
        """``rows`` (of one terminal after the other) in two parts, the second one first; none where it is not worth it."""
        if len(rows) == 1 or self._exhausted():
            return []
        edges = np.flatnonzero(np.diff(batch.terminal[rows])) + 1
        middle = len(rows) // 2
        if edges.size:
            middle = int(edges[np.argmin(np.abs(edges - middle))])
        elif self._tried is None and self._count(int(batch.terminal[rows[0]])) >= MOST_ALONE:
            return []
        return [rows[middle:], rows[:middle]]

    async def _blame(self, batch: PositionBatch) -> tuple[str, Exception] | None:
        """Find out what is wrong with ``batch``, rows that failed. None = it is stored after all; else the step and the fault."""
        self._bench.drop(whole=True)  # the last attempts read all that they rest on anew
        error = await self._attempt(Piece(batch, how=_ALONE))
        if error is None:
            return None
        stage = self._bench.stage
        if (without := await self._attempt(Piece(how=_ALONE))) is not None:
            raise without  # it is nobody's fault
        if stage in _JUDGING:
            if await self._attempt(Piece(batch, how=How(only=(), afresh=True))) is None:
                _logger.warning(
                    "%d rows pass from the state of the day's start", len(batch), exc_info=self._once(error)
                )
                return None
            counts = [self._count(int(no)) for no in np.unique(batch.terminal)]
            many = len(batch) > 1 or counts[0] + 1 >= MOST_ALONE
            if many and self._tried is None and await self._put_off(batch, error):
                return None
        if isinstance(error, MemoryError):
            raise error  # of the machine, not of the row
        _logger.error(
            "%d rows of terminals %s fail at %s and are set aside",
            len(batch), np.unique(batch.terminal)[:20].tolist(), stage, exc_info=self._once(error),
        )  # fmt: skip
        return stage, error

    async def _put_off(self, batch: PositionBatch, error: Exception) -> bool:
        """Store ``batch`` without judging its vehicles, whose computation is put off; whether that was possible."""
        vehicles = self._bench.since(batch)
        how = How(only=(), put_off=vehicles, why=text_of(error))
        if await self._attempt(Piece(batch, how=how)) is not None:
            return False
        _logger.error(
            "vehicles %s cannot be judged: their positions are stored, judging is put off",
            sorted(vehicles)[:20], exc_info=self._once(error),
        )  # fmt: skip
        return True

    # ---- what is found ----

    def _set_aside(self, found: Unpacked, rows: Ints, stage: str, error: Exception) -> Iterable[SetAside]:
        """``rows``, which failed at ``stage`` with ``error``: those of one record and one terminal together."""
        why = text_of(error)
        terminals = found.batch.terminal[rows]
        for no in np.unique(terminals).tolist():
            of_terminal = rows[terminals == no]
            if self._tried is None:
                self._lately[no] = (self._count(no) + len(of_terminal), self._clock_s() + SUSPECT_S)
            for k in np.unique(found.source[of_terminal]).tolist():
                part = np.sort(of_terminal[found.source[of_terminal] == k])
                record = found.records[k]
                yield SetAside(
                    record.topic, record.partition, record.offset, no, len(part), stage, why,
                    codec.encode(found.batch.take(part)),
                )  # fmt: skip

    def _by_terminal(self, batch: PositionBatch, rows: Ints) -> list[Ints]:
        if not rows.size:
            return []
        return np.split(rows, np.flatnonzero(np.diff(batch.terminal[rows])) + 1)

    def _among(self) -> Ints:
        return np.array(sorted(self._lately), np.int64)

    def _count(self, terminal: int) -> int:
        return self._lately.get(terminal, (0, 0.0))[0]


def _of_entry(entry: Entry, stage: str, why: str, payload: bytes) -> SetAside:
    return SetAside(
        entry.topic, entry.partition, entry.offset, entry.terminal, entry.rows, stage, why, payload
    )
