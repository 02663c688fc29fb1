"""What one transaction of the worker is over: the records of a turn, or a part of what is being tried again."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from rules.faults import is_fault
from rules.live.store.quarantine import Entry, SetAside
from runtime.arrays import Ints
from runtime.errors import SchemaError, text_of
from telemetry.log import codec
from telemetry.log.base import StoredRecord
from telemetry.positions import PositionBatch

_logger = logging.getLogger(__name__)

#: Where it failed, of a record that the log could not read.
LOG_STAGE: Final = "log"


@dataclass(frozen=True, slots=True)
class How:
    """How a transaction judges (``transaction``). Other than by default only where something has failed (``isolation``).

    ``clock``: orders are looked for that the clock settles. ``afresh``: vehicles with rows are computed from the start of
    the day, not from their running state. ``only``: the vehicles whose changed facts and returned orders are looked at, None =
    all. ``put_off``: vehicles (number -> from when on) whose computation is put off for the fault ``why``; with ``unjudged``
    their running states are not usable, and their positions are stored without being judged until then."""

    clock: bool = False
    afresh: bool = False
    only: Collection[int] | None = None
    put_off: Mapping[int, int] = field(default_factory=dict)
    unjudged: bool = True
    why: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """``batch``: positions to be stored and judged. ``records``: those that are done with this transaction, whose offsets are
    moved on; ``rejected``: the ones among them that are none of ours, with the reason. ``aside``: what is set aside.
    ``tried``: the entry of the quarantine that ``batch`` is of; with ``last`` only ``aside`` of it stays."""

    batch: PositionBatch = field(default_factory=PositionBatch.empty)
    records: Sequence[StoredRecord] = ()
    rejected: Sequence[tuple[StoredRecord, str]] = ()
    aside: Sequence[SetAside] = ()
    how: How = field(default_factory=How)
    tried: Entry | None = None
    last: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Unpacked:
    """The positions of ``records``. ``source``: which record each row is of, shape (n,), int64. ``rejected``: records that
    are none of ours. ``aside``: records that the program failed to read."""

    records: Sequence[StoredRecord]
    batch: PositionBatch
    source: Ints
    rejected: Sequence[tuple[StoredRecord, str]]
    aside: Sequence[SetAside]


def decode_together(records: Sequence[StoredRecord]) -> Piece:
    """The piece of all ``records``, each named by its log."""
    read = [record for record in records if not record.unreadable]
    batch, refused = codec.decode_all([record.payload for record in read])
    aside = [_damaged(record) for record in records if record.unreadable]
    return Piece(batch, records, [(read[k], _refused(read[k], error)) for k, error in refused], aside)


def decode_each(records: Sequence[StoredRecord]) -> Unpacked:
    """The same, record by record: one that cannot be read for a fault of the program keeps back no other."""
    batches: list[PositionBatch] = []
    source: list[Ints] = []
    rejected: list[tuple[StoredRecord, str]] = []
    aside: list[SetAside] = []
    for k, record in enumerate(records):
        if record.unreadable:
            aside.append(_damaged(record))
            continue
        try:
            batch = codec.decode(record.payload)
        except SchemaError as error:
            rejected.append((record, _refused(record, error)))
        except Exception as error:
            if not is_fault(error) or isinstance(error, MemoryError):
                raise
            _logger.exception("record %s/%d@%d cannot be read", record.topic, record.partition, record.offset)
            aside.append(
                SetAside(record.topic, record.partition, record.offset, None, None, "decode", text_of(error), record.payload)
            )  # fmt: skip
        else:
            batches.append(batch)
            source.append(np.full(len(batch), k, np.int64))
    rows = np.concatenate(source) if source else np.zeros(0, np.int64)
    return Unpacked(records, PositionBatch.concat(batches), rows, rejected, aside)


def _damaged(record: StoredRecord) -> SetAside:
    """What the log itself could not read: set aside as it is there."""
    return SetAside(
        record.topic,
        record.partition,
        record.offset,
        None,
        None,
        LOG_STAGE,
        record.unreadable,
        record.payload,
    )


def named(records: Iterable[StoredRecord], log: str) -> list[StoredRecord]:
    """``records``, each named by its log: a new log gives the same offsets to other records."""
    return [replace(record, topic=log) for record in records]


def _refused(record: StoredRecord, error: SchemaError) -> str:
    # It is kept apart with the reason; nothing else of the batch is lost.
    _logger.error("record %s/%d@%d: %s", record.topic, record.partition, record.offset, error)
    return str(error)
