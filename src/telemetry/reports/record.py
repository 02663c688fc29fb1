"""Reports as records of the log: an Arrow IPC stream, readable by anyone who has Arrow. Schema ``gongche.reports/1``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from runtime.errors import SchemaError
from telemetry.log.base import HEADER_SCHEMA, REPORTS, Record
from telemetry.log.codec import MAX_RECORD_BYTES

SCHEMA_NAME: Final = "gongche.reports/1"
HEADERS: Final = {HEADER_SCHEMA: SCHEMA_NAME}
SCHEMA: Final = pa.schema(
    [
        pa.field("terminal", pa.int32(), nullable=False),
        pa.field("received_us", pa.int64(), nullable=False),
        pa.field("message", pa.uint16(), nullable=False),
        pa.field("edition", pa.uint16(), nullable=False),
        pa.field("serial", pa.uint16(), nullable=False),
        pa.field("body", pa.binary(), nullable=False),
    ],
    metadata={"schema": SCHEMA_NAME},
)
#: Of the bodies of one record, as far as it has more than one report.
_RECORD_BYTES: Final = 1 << 20
#: The longest body: a record takes it with room to spare.
MAX_BODY_BYTES: Final = 7 << 20
MAX_ROWS: Final = 10_000
#: What a report costs beside its body while it waits (measured roughly).
REPORT_BYTES: Final = 600
# Files are compressed already, the rest is small.
_OPTIONS = pa.ipc.IpcWriteOptions(use_threads=False)
_READ_OPTIONS = pa.ipc.IpcReadOptions(use_threads=False)
_NO_TIME_US: Final = 253_402_300_800 * 1_000_000  # the year 10000


@dataclass(frozen=True, slots=True)
class Report:
    """A message that is no position. ``terminal``: registry number; ``received_us``: microseconds since 1970 UTC; ``message``: its
    id; ``edition``: 2011, 2013 or 2019, as its terminal was known then; ``serial``: of its (last) package."""

    terminal: int
    received_us: int
    message: int
    edition: int
    serial: int
    body: bytes

    @property
    def cost(self) -> int:
        """Bytes of memory while it waits."""
        return len(self.body) + REPORT_BYTES


def records_of(reports: Sequence[Report]) -> list[Record]:
    """``reports`` as records of the log, in their order."""
    return [Record(REPORTS, 0, encode(part), HEADERS) for part in _parts(reports)]


def _parts(reports: Sequence[Report]) -> Iterator[Sequence[Report]]:
    first = size = 0
    for k, one in enumerate(reports):
        if k > first and (size + len(one.body) > _RECORD_BYTES or k - first >= MAX_ROWS):
            yield reports[first:k]
            first, size = k, 0
        size += len(one.body)
    if first < len(reports):
        yield reports[first:]


def encode(reports: Sequence[Report]) -> bytes:
    """One record of ``reports``."""
    columns: list[Any] = [
        pa.array([getattr(one, name) for one in reports], SCHEMA.field(name).type) for name in SCHEMA.names
    ]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA, options=_OPTIONS) as stream:
        stream.write_batch(pa.RecordBatch.from_arrays(columns, schema=SCHEMA))
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]  # pyarrow has no types


def decode(payload: bytes) -> list[Report]:
    """The reports of a record. Raises SchemaError, and only that, whatever the bytes are."""
    if len(payload) > MAX_RECORD_BYTES:
        raise SchemaError(f"a record of {len(payload)} bytes, at most {MAX_RECORD_BYTES}")
    try:
        with pa.ipc.open_stream(payload, options=_READ_OPTIONS) as stream:
            if not stream.schema.equals(SCHEMA):
                raise SchemaError(f"not a {SCHEMA_NAME} record")
            batches = list(stream)
        if len(batches) != 1 or batches[0].num_rows > MAX_ROWS or batches[0].nbytes > MAX_RECORD_BYTES:
            raise SchemaError("not exactly one bounded batch in the record")
        rows = batches[0]
        rows.validate(full=True)
        columns = [rows.column(name).to_pylist() for name in SCHEMA.names]
    except SchemaError:
        raise
    except (
        Exception
    ) as error:  # Arrow raises many types for foreign bytes, OSError and MemoryError among them
        raise SchemaError(f"unreadable record: {type(error).__name__}: {str(error)[:200]}") from error
    found = [Report(*values) for values in zip(*columns, strict=True)]
    if any(None in values for values in columns) or not all(
        0 <= one.received_us < _NO_TIME_US for one in found
    ):
        raise SchemaError("a report without a time of this world")
    return found
