"""How rows stand in a file of the cold tier: Parquet, sorted by the key, in row groups of few terminals each.

What is stored is smaller than what it says: times are seconds and the rest of them, the receipt is its distance from the device
time, and a fingerprint that follows from its row (almost every one does) is null. Any Parquet reader reads it; the metadata of
each column says what it is. Every page has a checksum, which is verified by whoever reads it; the footer has a SHA-256, which is
kept in the catalogue. So what is read is what was written, without reading all of a file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from runtime.arrays import AnyInts, Bools
from runtime.errors import GongcheError
from runtime.units import US_PER_S
from telemetry.archive.cold.rows import TYPES, Rows, missing
from telemetry.positions import ADDED, ITEMS_UNIT, OPTIONAL, REPORTED

FORMAT: Final = "gongche.positions.cold/1"
#: Number of this layout in the catalogue. Another way to store a column, or another fingerprint, is another number.
LAYOUT: Final = 1
#: Rows of a row group: what is read for a vehicle's day.
GROUP_ROWS: Final = 16_384
_TAIL: Final = 8  # length of the footer, and the magic

#: Where numbers change little from row to row their differences are packed; elsewhere few values come again and again.
_DIFFERENCES: Final = (
    "terminal_no",
    "device_s",
    "receipt_lag_us",
    "lat_e6",
    "lon_e6",
    "altitude_m",
    "odometer_dkm",
    "fuel_dl",
)
_UNITS: Final = {column.name: column.unit for column in (*REPORTED, *ADDED)}
#: The columns of batches that stand otherwise in the file.
_OTHERWISE: Final = ("terminal", "device_us", "received_us", "fingerprint", "present")
_PLAIN: Final = tuple(name for name in TYPES if name not in _OTHERWISE)


def _field(name: str, kind: np.dtype[Any], unit: str, *, nullable: bool = False) -> Any:
    return pa.field(name, pa.from_numpy_dtype(kind), nullable, metadata={"unit": unit})


SCHEMA: Final = pa.schema(
    [
        _field("terminal_no", np.dtype(np.int32), _UNITS["terminal"]),
        _field("device_s", np.dtype(np.int64), "seconds since 1970 UTC, by the terminal"),
        _field("device_rest_us", np.dtype(np.int32), "microseconds to be added to device_s"),
        _field("receipt_lag_us", np.dtype(np.int64), "microseconds from the device time to the receipt"),
        _field(
            "fingerprint", np.dtype(np.int64), "null = as it follows from the row (layout 1)", nullable=True
        ),
        *(_field(name, TYPES[name], _UNITS[name], nullable=name in OPTIONAL) for name in _PLAIN),
        pa.field("items", pa.binary(), True, metadata={"unit": ITEMS_UNIT}),
    ],
    metadata={"format": FORMAT},
)
_OPTIONS: Final[dict[str, Any]] = {
    "compression": "zstd",
    "compression_level": 9,
    "use_dictionary": [field.name for field in SCHEMA if field.name not in _DIFFERENCES],
    "column_encoding": dict.fromkeys(_DIFFERENCES, "DELTA_BINARY_PACKED"),
    "write_statistics": ["terminal_no", "device_s"],
    "write_page_checksum": True,
    "store_schema": False,
}


class ColdDamagedError(GongcheError):
    """A file of the cold tier is missing, or is not what was written: its positions cannot be read, which is not the same as
    that there are none."""

    exit_code = 74

    def __init__(self, file: str, why: str) -> None:
        super().__init__(
            f"冷存储文件缺失或损坏，其中的定位无法读取 · the cold file {file} is missing or damaged, its positions cannot be read: {why}",
            hint="restore this file from the copy of GONGCHE_COLD_DIR, then: gongche cold --verify"
            " (docs/operations.md, Cold days)",
        )
        self.file = file


@dataclass(frozen=True, slots=True)
class Footer:
    """The end of a file that says what is where in it."""

    sha256: bytes
    bytes: int


class Writer:
    """Writes rows, which come in order, to ``sink`` as row groups. ``digests``: of each group, in order; ``firsts``: the first
    terminal of each."""

    def __init__(self, sink: Any) -> None:
        self._writer = pq.ParquetWriter(sink, SCHEMA, **_OPTIONS)
        self.rows = 0
        self.digests: list[bytes] = []
        self.firsts: list[int] = []
        self.last = -1

    def write(self, rows: Rows) -> None:
        """One row group. At most GROUP_ROWS rows, at least one."""
        self._writer.write_table(_table(rows), row_group_size=len(rows))
        terminal = rows.columns["terminal"]
        self.rows += len(rows)
        self.digests.append(rows.digest())
        self.firsts.append(int(terminal[0]))
        self.last = int(terminal[-1])

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


def _table(rows: Rows) -> Any:
    columns = rows.columns
    seconds = columns["device_us"] // US_PER_S
    odd = rows.fingerprints() == columns["fingerprint"]
    offsets = np.zeros(len(rows) + 1, np.int32)
    np.cumsum(np.maximum(rows.sizes, 0), out=offsets[1:])
    validity = pa.py_buffer(np.packbits(rows.sizes >= 0, bitorder="little").tobytes())
    made: dict[str, Any] = {
        "terminal_no": columns["terminal"],
        "device_s": seconds,
        "device_rest_us": (columns["device_us"] - seconds * US_PER_S).astype(np.int32),
        "receipt_lag_us": columns["received_us"] - columns["device_us"],
        "fingerprint": pa.array(columns["fingerprint"], pa.int64(), mask=odd),
        "items": pa.Array.from_buffers(
            pa.binary(),
            len(rows),
            [validity, pa.py_buffer(offsets.tobytes()), pa.py_buffer(rows.items.tobytes())],
        ),
    }
    for name in _PLAIN:
        mask = missing(columns, name) if name in OPTIONAL else None
        made[name] = pa.array(columns[name], SCHEMA.field(name).type, mask=mask)
    return pa.Table.from_arrays([pa.array(made[field.name]) for field in SCHEMA], schema=SCHEMA)


def rows_of(table: Any) -> Rows:
    """The rows of a table of SCHEMA."""
    table = table.combine_chunks()
    n = table.num_rows

    def column(name: str) -> AnyInts:
        values = table.column(name)
        found: AnyInts = (values.fill_null(0) if values.null_count else values).to_numpy()
        return found

    def there(name: str) -> Bools:
        values = table.column(name)
        if values.null_count in (0, n):  # almost always
            return np.full(n, not values.null_count)
        return values.is_valid().to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]  # pyarrow has no types

    device = column("device_s") * US_PER_S + column("device_rest_us")
    made = {name: column(name) for name in (*_PLAIN, "fingerprint")} | {
        "terminal": column("terminal_no"),
        "device_us": device,
        "received_us": device + column("receipt_lag_us"),
    }
    present = np.zeros(n, np.int16)
    for bit, name in enumerate(OPTIONAL):
        present |= there(name).astype(np.int16) << bit
    made["present"] = present
    prints, said = made["fingerprint"], there("fingerprint")
    columns = {name: np.ascontiguousarray(made[name], kind) for name, kind in TYPES.items()}
    rows = Rows(columns, *_items(table.column("items")))
    if not said.all():
        columns["fingerprint"] = np.where(said, prints, rows.fingerprints())
    return rows


def _items(column: Any) -> tuple[AnyInts, AnyInts]:
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    sizes = np.where(
        array.is_valid().to_numpy(zero_copy_only=False),
        pa.compute.binary_length(array).fill_null(0).to_numpy(zero_copy_only=False),
        -1,
    ).astype(np.int32)
    buffers = array.buffers()
    if not len(array) or buffers[2] is None:
        return sizes, np.zeros(0, np.uint8)
    offsets = np.frombuffer(buffers[1], np.int32)[array.offset : array.offset + len(array) + 1]
    return sizes, np.frombuffer(buffers[2], np.uint8)[offsets[0] : offsets[-1]]


def footer_of(source: Any, size: int) -> tuple[Footer, bytes]:
    """The footer of an open file of ``size`` bytes, and its bytes. Raises ValueError where there is none."""
    if size < _TAIL + 4:
        raise ValueError(f"{size} bytes are no Parquet file")
    tail = source.read_at(_TAIL, size - _TAIL)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != b"PAR1" or length + _TAIL > size:
        raise ValueError("it does not end as a Parquet file does")
    data: bytes = source.read_at(length + _TAIL, size - length - _TAIL)
    return Footer(hashlib.sha256(data).digest(), len(data)), data


def parse_footer(data: bytes) -> Any:
    """The metadata that a footer's bytes say."""
    return pq.read_metadata(BytesIO(b"PAR1" + data))


def read_groups(source: Any, metadata: Any, groups: Sequence[int]) -> Iterator[Rows]:
    """The rows of some row groups of an open file, a group at a time. Raises OSError or pyarrow's errors for pages whose checksum
    is wrong."""
    return map(rows_of, read_tables(source, metadata, groups))


def read_tables(
    source: Any, metadata: Any, groups: Sequence[int], terminals: AnyInts | None = None
) -> Iterator[Any]:
    """As ``read_groups``, as tables of SCHEMA; of ``terminals`` (sorted), or of all."""
    # Buffered: a row group is one piece of the file, and one request to a store that is far away.
    file = pq.ParquetFile(source, metadata=metadata, page_checksum_verification=True, pre_buffer=True)
    for group in groups:
        table = file.read_row_group(group, use_threads=False)
        if terminals is not None:
            there = table.column("terminal_no").to_numpy()
            low = np.searchsorted(there, terminals[0], "left")
            high = np.searchsorted(there, terminals[-1], "right")
            table = table.slice(low, high - low)
            if len(terminals) > 1 and high - low > 2 * len(terminals):  # of few among many only those
                table = table.filter(pa.array(np.isin(there[low:high], terminals)))
        yield table
