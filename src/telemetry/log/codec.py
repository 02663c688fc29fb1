"""A batch of positions as one record of the log: an Arrow IPC stream, readable by anyone who has Arrow.

Schema ``gongche.positions/1``: the columns of ``telemetry.positions.REPORTED`` (optional ones nullable), and ``items``
(binary, null where there are none). Buffers are LZ4-compressed: columns of one batch repeat so much that a row takes
a third of its size, and compressing costs less than writing the rest would.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from runtime.errors import SchemaError
from telemetry.arrow import arrow_type
from telemetry.log.base import HEADER_SCHEMA
from telemetry.positions import OPTIONAL, REPORTED, PositionBatch

SCHEMA_NAME: Final = "gongche.positions"
SCHEMA_VERSION: Final = 1
HEADERS: Final = {HEADER_SCHEMA: f"{SCHEMA_NAME}/{SCHEMA_VERSION}"}

#: A record larger than this is not written, and not read back either.
MAX_RECORD_BYTES: Final = 8 << 20
#: Rows of one record are bounded, so that unpacking a record that somebody else wrote is bounded too.
MAX_ROWS: Final = 200_000
#: Ours are far below: 50,000 rows, each from a frame of at most 1,023 bytes.
MAX_UNPACKED_BYTES: Final = 256 << 20

_NO_TIME_US: Final = 253_402_300_800 * 1_000_000  # the year 10000

_FIXED = tuple(column.name for column in REPORTED if not column.optional)
_RECEIVED: Final = _FIXED.index("received_us")

SCHEMA: Final = pa.schema(
    [pa.field(name, arrow_type(name), nullable=False) for name in _FIXED]
    + [pa.field(name, arrow_type(name)) for name in OPTIONAL]
    + [pa.field("items", pa.binary())],
    metadata={"schema": f"{SCHEMA_NAME}/{SCHEMA_VERSION}"},
)
#: Columns of nulls, ready to be sliced: for optional columns that no row of a batch has.
_NULL_ROWS: Final = 4096
_NULLS: Final = {name: pa.nulls(_NULL_ROWS, SCHEMA.field(name).type) for name in (*OPTIONAL, "items")}
_NO_ROWS: Final = pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in SCHEMA], schema=SCHEMA)
# Arrow would compress the columns in a pool of threads, whose switches cost more than the columns of a batch.
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
_READ_OPTIONS = pa.ipc.IpcReadOptions(use_threads=False)


def encode(batch: PositionBatch) -> bytes:
    """The record of ``batch``. Raises ValueError for more than MAX_ROWS rows (callers split before)."""
    return write(table(batch))


def table(batch: PositionBatch) -> Any:
    """``batch`` as an Arrow RecordBatch, whose slices ``write`` makes records of: many records cost little more than one."""
    n = len(batch)
    arrays: list[Any] = [pa.array(getattr(batch, name)) for name in _FIXED]
    some, every = (int(f.reduce(batch.present)) if n else 0 for f in (np.bitwise_or, np.bitwise_and))
    for bit, name in enumerate(OPTIONAL):
        if every >> bit & 1:
            arrays.append(pa.array(getattr(batch, name)))
        elif not some >> bit & 1:
            arrays.append(
                _NULLS[name].slice(0, n) if n <= _NULL_ROWS else pa.nulls(n, SCHEMA.field(name).type)
            )
        else:
            arrays.append(pa.array(getattr(batch, name), mask=~batch.has(name)))
    if batch.items_data.size:
        empty = np.diff(batch.items_offsets) == 0
        validity = pa.py_buffer(np.packbits(~empty, bitorder="little").tobytes())
        offsets = pa.py_buffer(np.ascontiguousarray(batch.items_offsets))
        data = pa.py_buffer(np.ascontiguousarray(batch.items_data))
        arrays.append(pa.Array.from_buffers(pa.binary(), n, [validity, offsets, data]))
    else:
        arrays.append(_NULLS["items"].slice(0, n) if n <= _NULL_ROWS else pa.nulls(n, pa.binary()))
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def write(rows: Any) -> bytes:
    """The record of ``rows``, a ``table`` or a slice of one. Raises ValueError for more than MAX_ROWS rows."""
    if rows.num_rows > MAX_ROWS:
        raise ValueError(f"{rows.num_rows} rows in one record, at most {MAX_ROWS}")
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA, options=_OPTIONS) as stream:
        stream.write_batch(rows)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]  # pyarrow has no types


def decode(payload: bytes) -> PositionBatch:
    """The positions of a record. Raises SchemaError, and only that, whatever the bytes are."""
    rows = _read(payload)
    _check(rows)
    return _to_numpy(rows)


def decode_all(payloads: Sequence[bytes]) -> tuple[PositionBatch, list[tuple[int, SchemaError]]]:
    """The positions of many records, in order, and (which payload, why) of those that are no records of ours.

    The same as ``decode`` of each, at the cost of little more than one: a partition's record of a busy second has few rows.
    """
    tables: list[tuple[int, Any]] = []
    refused: list[tuple[int, SchemaError]] = []
    for k, payload in enumerate(payloads):
        try:
            tables.append((k, _read(payload)))
        except SchemaError as error:
            refused.append((k, error))
    joined = _join(tables)
    try:
        _check(joined)
    except SchemaError:  # one of them is to blame
        good = []
        for k, rows in tables:
            try:
                _check(rows)
                good.append((k, rows))
            except SchemaError as error:
                refused.append((k, error))
        joined = _join(good)
    return _to_numpy(joined), sorted(refused, key=lambda pair: pair[0])


def _join(tables: Sequence[tuple[int, Any]]) -> Any:
    if not tables:
        return _NO_ROWS
    return tables[0][1] if len(tables) == 1 else pa.concat_batches([rows for _, rows in tables])


def _read(payload: bytes) -> Any:
    """The rows of a record, sound as Arrow. Raises SchemaError, and only that."""
    if len(payload) > MAX_RECORD_BYTES:
        raise SchemaError(f"a record of {len(payload)} bytes, at most {MAX_RECORD_BYTES}")
    try:
        with pa.ipc.open_stream(payload, options=_READ_OPTIONS) as stream:
            if not stream.schema.equals(SCHEMA, check_metadata=True):
                name = (stream.schema.metadata or {}).get(b"schema", b"").decode("ascii", "replace")
                if name != HEADERS[HEADER_SCHEMA] or not stream.schema.equals(SCHEMA):
                    raise SchemaError(f"not a {HEADERS[HEADER_SCHEMA]} record: schema {name[:80]!r}")
            batches = list(stream)
        if len(batches) != 1 or batches[0].num_rows > MAX_ROWS:
            raise SchemaError("not exactly one bounded batch in the record")
        rows = batches[0]
        if rows.nbytes > MAX_UNPACKED_BYTES:
            raise SchemaError(f"a record of {rows.nbytes} bytes unpacked, at most {MAX_UNPACKED_BYTES}")
        rows.validate(full=True)
        return rows
    except SchemaError:
        raise
    except (
        Exception
    ) as error:  # Arrow raises many types for foreign bytes, OSError and MemoryError among them
        raise SchemaError(f"unreadable record: {type(error).__name__}: {str(error)[:200]}") from error


def _check(rows: Any) -> None:
    """Raises SchemaError where ``rows`` (of one record or many) are sound, but not what we write."""
    for name, array in zip(_FIXED, rows.columns, strict=False):
        if array.null_count:
            raise SchemaError(f"column {name} has nulls")
    received = rows.column(_RECEIVED).to_numpy()
    if len(received) and not (received.min() >= 0 and received.max() < _NO_TIME_US):
        # No clock of ours says so; what a terminal says of its own time may be anything.
        raise SchemaError("received_us is no time of a server")


def _to_numpy(rows: Any) -> PositionBatch:
    n = rows.num_rows
    arrays = rows.columns
    columns: dict[str, Any] = {
        name: array.to_numpy(zero_copy_only=False) for name, array in zip(_FIXED, arrays, strict=False)
    }
    present = np.zeros(n, np.uint8)
    for k, name in enumerate(OPTIONAL):
        column = arrays[len(_FIXED) + k]
        if column.null_count == n:
            continue
        there = np.uint8(1 << k)
        if column.null_count:
            present |= np.where(column.is_valid().to_numpy(zero_copy_only=False), there, np.uint8(0))
            column = column.fill_null(0)
        else:
            present |= there
        columns[name] = column.to_numpy(zero_copy_only=False)
    items = arrays[-1]
    offsets, data = None, None
    if items.null_count != n:
        items = items.fill_null(b"")
        _validity, raw_offsets, raw = items.buffers()
        absolute = np.frombuffer(raw_offsets, np.int32)[items.offset : items.offset + n + 1]
        offsets = absolute - absolute[0]
        data = np.frombuffer(raw or b"", np.uint8)[absolute[0] : absolute[-1]]
    return PositionBatch.build(n, items_offsets=offsets, items_data=data, present=present, **columns)
