"""PositionBatch: many positions as columns; and the one table of these columns, that log, database and files go by.

Every array has shape ``(n,)`` and the dtype given in ``SPEC``. Optional columns hold 0 where the value is absent;
``present`` has bit ``1 << k`` set where the k-th name of ``OPTIONAL`` is there. ``items`` holds, per row, the raw
additional items (JT/T 808 id, length, value) that have no column of their own, so no byte of a report is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Self

import numpy as np

from runtime import pgcopy
from runtime.arrays import AnyInts, Bools, Ints


@dataclass(frozen=True, slots=True)
class Column:
    """One column of positions, wherever positions are.

    ``name``, ``dtype`` (numpy) and ``unit``: in a PositionBatch, in a record of the log and in an exported file, where the
    Arrow type is the one of that dtype (``telemetry.arrow``). ``sql_name`` and ``sql_type``: in the table ``positions``;
    ``timestamptz`` for what is microseconds here. PostgreSQL has no unsigned integers: the type there is the next larger
    one, or int4 for the 32 bits of alarm and status, as a signed number. ``optional``: not every terminal says it; null in
    the table, in the log and in the file where it is absent.
    """

    name: str
    dtype: str
    unit: str
    sql_name: str
    sql_type: pgcopy.Kind
    optional: bool = False


#: What a terminal reports, and when it came: the columns of a PositionBatch. The order is the order of the log's schema,
#: and the fingerprint depends on it: new columns come last.
REPORTED: Final = (
    Column("terminal", "int32", "registry number of the terminal (terminals.no)", "terminal_no", "int4"),
    Column("received_us", "int64", "microseconds since 1970 UTC, when the server read it", "received_at", "timestamptz"),
    Column("device_us", "int64", "microseconds since 1970 UTC, by the terminal; 0 = unreadable", "device_time", "timestamptz"),
    Column("lat_e6", "int32", "1e-6 degree WGS-84, south negative", "lat_e6", "int4"),
    Column("lon_e6", "int32", "1e-6 degree WGS-84, west negative", "lon_e6", "int4"),
    Column("altitude_m", "int16", "metre", "altitude_m", "int2"),
    Column("speed_dkmh", "uint16", "0.1 km/h, by GNSS", "speed_dkmh", "int4"),
    Column("direction_deg", "uint16", "degree from north, clockwise", "direction_deg", "int4"),
    Column("alarm", "uint32", "alarm bits, JT/T 808 table 24", "alarm", "int4"),
    Column("status", "uint32", "status bits, JT/T 808 table 25", "status", "int4"),
    Column("source", "uint8", "see Source", "source", "int2"),
    Column("odometer_dkm", "uint32", "0.1 km, item 0x01", "odometer_dkm", "int8", optional=True),
    Column("fuel_dl", "uint16", "0.1 litre, item 0x02", "fuel_dl", "int4", optional=True),
    Column("recorder_speed_dkmh", "uint16", "0.1 km/h, item 0x03", "recorder_speed_dkmh", "int4", optional=True),
    Column("radio", "uint8", "signal strength, item 0x30", "radio", "int2", optional=True),
    Column("satellites", "uint8", "satellites in use, item 0x31", "satellites", "int2", optional=True),
)  # fmt: skip
#: What the server adds when it stores a position: in the table and in the file, not in a batch and not in the log.
ADDED: Final = (
    Column("fingerprint", "int64", "of the payload (telemetry.positions.fingerprint)", "fingerprint", "int8"),
    Column("quality", "int16", "bits of telemetry.quality.Quality; 0 = valid fix", "quality", "int2"),
)
#: Beside these every row has its ``items``: bytes, null in the table, in the log and in the file where there are none.
ITEMS_UNIT: Final = "raw JT/T 808 additional items: id, length, value"

#: The names of optional columns, in the order of their bits in ``present``.
OPTIONAL: Final = tuple(column.name for column in REPORTED if column.optional)
#: The arrays of a PositionBatch: name -> (dtype, unit). ``present`` is how a batch says null.
SPEC: Final[dict[str, tuple[str, str]]] = {
    column.name: (column.dtype, column.unit) for column in REPORTED
} | {"present": ("uint8", "bit k: OPTIONAL[k] is there")}


class Source:
    """Values of the ``source`` column: by which way a position came."""

    LIVE = 0  # 0x0200
    BATCH = 1  # 0x0704, type 0
    BLIND_ZONE = 2  # 0x0704, type 1: recorded while there was no network
    HTTP = 3  # POST /v1/positions
    QUERIED = 4  # 0x0201


@dataclass(frozen=True, slots=True, eq=False)
class PositionBatch:
    """Columns of ``n`` positions; see the module docstring. ``items_data[items_offsets[i]:items_offsets[i+1]]``
    are the raw items of row i (offsets int32, shape (n+1,); data uint8)."""

    terminal: AnyInts
    received_us: AnyInts
    device_us: AnyInts
    lat_e6: AnyInts
    lon_e6: AnyInts
    altitude_m: AnyInts
    speed_dkmh: AnyInts
    direction_deg: AnyInts
    alarm: AnyInts
    status: AnyInts
    source: AnyInts
    odometer_dkm: AnyInts
    fuel_dl: AnyInts
    recorder_speed_dkmh: AnyInts
    radio: AnyInts
    satellites: AnyInts
    present: AnyInts
    items_offsets: AnyInts
    items_data: AnyInts

    def __len__(self) -> int:
        return len(self.terminal)

    def columns(self) -> dict[str, AnyInts]:
        """The fixed-width columns by name, in the order of SPEC."""
        return {name: getattr(self, name) for name in SPEC}

    def has(self, name: str) -> Bools:
        """Where the optional column ``name`` is present. Shape (n,)."""
        there: Bools = (self.present & (1 << OPTIONAL.index(name))) != 0
        return there

    def known(self, name: str) -> Bools:
        """Where the optional column ``name`` is present and is a value: all bits set say "no data". They are stored as absent,
        but releases before wrote them as they came. Shape (n,)."""
        known: Bools = self.has(name) & (getattr(self, name) != np.iinfo(SPEC[name][0]).max)
        return known

    @classmethod
    def build(
        cls,
        n: int,
        *,
        items_offsets: AnyInts | None = None,
        items_data: AnyInts | None = None,
        **columns: Any,
    ) -> Self:
        """A batch of ``n`` rows; columns not given are zero. Values are cast to the dtype of SPEC.

        Raises ValueError for an unknown column or a wrong length.
        """
        unknown = columns.keys() - SPEC.keys()
        if unknown:
            raise ValueError(f"unknown columns: {sorted(unknown)}")
        made: dict[str, AnyInts] = {}
        for name, (dtype, _unit) in SPEC.items():
            value = columns.get(name)
            if value is None:
                made[name] = np.zeros(n, dtype)
                continue
            array = np.asarray(value)
            if array.ndim == 0:
                array = np.full(n, array, dtype)
            if array.shape != (n,):
                raise ValueError(f"column {name}: shape {array.shape}, expected ({n},)")
            made[name] = array.astype(dtype, copy=False)
        if items_offsets is None or items_data is None:
            items_offsets, items_data = np.zeros(n + 1, np.int32), np.zeros(0, np.uint8)
        return cls(**made, items_offsets=items_offsets, items_data=items_data)

    @classmethod
    def empty(cls) -> Self:
        return cls.build(0)

    def take(self, rows: AnyInts) -> PositionBatch:
        """The rows at ``rows`` (indices or a boolean mask), in that order."""
        if rows.dtype == np.bool_:
            rows = np.flatnonzero(rows)
        picked = {name: getattr(self, name)[rows] for name in SPEC}
        starts = self.items_offsets[rows]
        lengths = self.items_offsets[rows + 1] - starts
        offsets = np.zeros(len(rows) + 1, np.int32)
        np.cumsum(lengths, out=offsets[1:])
        if offsets[-1]:
            source = np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])
            data = self.items_data[source]
        else:
            data = np.zeros(0, np.uint8)
        return PositionBatch(**picked, items_offsets=offsets, items_data=data)

    @classmethod
    def concat(cls, batches: Sequence[PositionBatch]) -> PositionBatch:
        """All rows of ``batches``, in order."""
        if len(batches) == 1:
            return batches[0]
        if not batches:
            return cls.empty()
        joined = {name: np.concatenate([getattr(b, name) for b in batches]) for name in SPEC}
        data = np.concatenate([b.items_data for b in batches])
        lengths = np.concatenate([np.diff(b.items_offsets) for b in batches])
        offsets = np.zeros(len(lengths) + 1, np.int32)
        np.cumsum(lengths, out=offsets[1:])
        return PositionBatch(**joined, items_offsets=offsets, items_data=data)

    def equals(self, other: PositionBatch) -> bool:
        """Same rows, same values, same order."""
        return all(np.array_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))


def acc_column(batch: PositionBatch, rows: AnyInts) -> Ints:
    """What the positions at ``rows`` say about ACC (bit 0 of the status): 0 = nothing, 1 = off, 2 = on; int64.

    Over HTTP a position without it is like one with ACC off, so there "off" says nothing."""
    on = (batch.status[rows] & 1) != 0
    silent = ~on & (batch.source[rows] == Source.HTTP)
    result: Ints = np.where(silent, 0, np.where(on, 2, 1)).astype(np.int64)
    return result


# The columns that make up "the same payload": everything the terminal said, nothing the server added.
_PAYLOAD = tuple(n for n in SPEC if n not in ("terminal", "received_us", "source"))
_MULTIPLIERS = {
    name: np.uint64((0x9E3779B97F4A7C15 * (2 * k + 1)) & 0xFFFFFFFFFFFFFFFF | 1)
    for k, name in enumerate(_PAYLOAD, start=1)
}


def fingerprint(batch: PositionBatch) -> Ints:
    """64-bit fingerprint of each row's payload, shape (n,), int64.

    Two rows of one terminal with the same device time and fingerprint are one position ("duplicates count once").
    ``received_us`` and ``source`` do not enter: a re-upload of the same report is the same position. A multilinear
    hash with a final mix (splitmix64); it guards against accidents, not against an adversary, who could only
    suppress positions of his own terminal.
    """
    total = np.zeros(len(batch), np.uint64)
    for name in _PAYLOAD:
        column = getattr(batch, name).astype(np.int64, copy=False).view(np.uint64)
        total += (column ^ (column >> np.uint64(29))) * _MULTIPLIERS[name]
    lengths = np.diff(batch.items_offsets)
    if batch.items_data.size:
        row = np.repeat(np.arange(len(batch)), lengths)
        place = np.arange(batch.items_data.size) - np.repeat(batch.items_offsets[:-1], lengths)
        weight = (place.astype(np.uint64) + np.uint64(1)) * np.uint64(0xD6E8FEB86659FD93)
        weight ^= weight >> np.uint64(32)
        np.add.at(total, row, (batch.items_data.astype(np.uint64) + np.uint64(1)) * (weight | np.uint64(1)))
    total ^= total >> np.uint64(30)
    total *= np.uint64(0xBF58476D1CE4E5B9)
    total ^= total >> np.uint64(27)
    total *= np.uint64(0x94D049BB133111EB)
    total ^= total >> np.uint64(31)
    return total.view(np.int64)
