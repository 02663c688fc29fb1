"""PostgreSQL's binary COPY format from and to numpy columns, without a Python loop over rows.

Format (PostgreSQL manual, COPY, "Binary Format"): an 11-byte signature, flags and header extension length
(int32 each); then per row an int16 field count and per field an int32 length (-1 = null) and the value, all
big-endian; then an int16 -1. Integers are two's complement; a timestamptz is an int64 of microseconds since
2000-01-01 UTC; a bool is one byte; bytea and text are their bytes.

The row layout depends only on which fields are null and on how long the variable ones are. Rows of one layout
are one structured numpy array; when there are too many layouts for that, bytes are scattered to computed
places instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from runtime.arrays import AnyArray

Kind = Literal["int2", "int4", "int8", "timestamptz", "bool", "bytes"]

SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0"
HEADER: Final = SIGNATURE + b"\0\0\0\0" + b"\0\0\0\0"
TRAILER: Final = b"\xff\xff"

#: Microseconds from 1970-01-01 to 2000-01-01 UTC.
PG_EPOCH_US: Final = 946_684_800_000_000
#: Times PostgreSQL and Python both know: 0001-01-01 to 9999-12-31 (exclusive), microseconds since 1970.
MIN_TIME_US: Final = -62_135_596_800_000_000
MAX_TIME_US: Final = 253_402_214_400_000_000

_DTYPES: Final[dict[str, str]] = {
    "int2": ">i2",
    "int4": ">i4",
    "int8": ">i8",
    "timestamptz": ">i8",
    "bool": "u1",
}
# More layouts than this in one batch: scatter.
_MAX_LAYOUTS: Final = 64


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One column of n rows.

    ``values``: shape (n,), integers (``timestamptz``: microseconds since 1970 UTC) or bools; for ``bytes``
    (bytea, or UTF-8 for text) the uint8 data, row i being ``values[offsets[i]:offsets[i + 1]]`` with
    ``offsets`` of shape (n + 1,). ``valid``: shape (n,), False = null; None = no nulls.
    """

    kind: Kind
    values: AnyArray
    valid: AnyArray | None = None
    offsets: AnyArray | None = None

    def __post_init__(self) -> None:
        if (self.kind == "bytes") != (self.offsets is not None):
            raise ValueError(f"a {self.kind} column {'without' if self.offsets is None else 'with'} offsets")
        if self.offsets is not None and not len(self.offsets):
            raise ValueError("offsets of shape (0,): n rows have n + 1")
        if self.valid is not None and self.valid.shape != (len(self),):
            raise ValueError(f"validity of shape {self.valid.shape}, expected ({len(self)},)")

    def __len__(self) -> int:
        return len(self.values) if self.offsets is None else len(self.offsets) - 1


def varlen(pieces: Sequence[bytes | None]) -> Column:
    """A ``bytes`` column from Python values (for small things; None = null)."""
    offsets = np.zeros(len(pieces) + 1, np.int64)
    np.cumsum([len(piece or b"") for piece in pieces], out=offsets[1:])
    data = np.frombuffer(b"".join(piece or b"" for piece in pieces), np.uint8)
    return Column("bytes", data, np.array([piece is not None for piece in pieces], bool), offsets)


def encode(columns: Sequence[Column]) -> bytes:
    """The whole COPY stream, header and trailer included. Rows of one layout come together (a COPY has no
    order), in their order.

    Raises ValueError for columns of different lengths, for values that do not fit their kind and for offsets that are
    none.
    """
    if not columns:
        raise ValueError("no columns")
    n = len(columns[0])
    if any(len(column) != n for column in columns):
        raise ValueError(f"columns of different lengths: {[len(column) for column in columns]}")
    if n == 0:
        return HEADER + TRAILER
    ready = [_prepare(column) for column in columns]
    lengths = [_lengths(column) for column in columns]
    layout, count = _layouts(n, lengths)
    if count == 1:
        body = _uniform(ready, [int(length[0]) for length in lengths], np.arange(n)).tobytes()
    elif count <= _MAX_LAYOUTS:
        order = np.argsort(layout, kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(layout[order])) + 1)
        body = b"".join(
            _uniform(ready, [int(x[rows[0]]) for x in lengths], rows).tobytes() for rows in groups
        )
    else:
        body = _scattered(ready, lengths)
    return HEADER + body + TRAILER


def decode_fixed(data: bytes, fields: Sequence[tuple[str, Kind]]) -> dict[str, AnyArray]:
    """Columns of a COPY stream whose every field has a fixed width and no nulls: name -> array, shape (n,)
    (``timestamptz`` as int64 microseconds since 1970). Raises ValueError for any other stream."""
    layout: list[tuple[str, str]] = [("fields", ">i2")]
    for name, kind in fields:
        layout += [(f"length {name}", ">i4"), (name, _DTYPES[kind])]
    dtype = np.dtype(layout)
    body = memoryview(data)[len(HEADER) : len(data) - len(TRAILER)]
    if data[: len(SIGNATURE)] != SIGNATURE or data[-len(TRAILER) :] != TRAILER or len(body) % dtype.itemsize:
        raise ValueError("not a COPY stream of these fields")
    rows = np.frombuffer(body, dtype)
    if (rows["fields"] != len(fields)).any():
        raise ValueError("not a COPY stream of these fields")
    out: dict[str, AnyArray] = {}
    for name, kind in fields:
        if (rows[f"length {name}"] != np.dtype(_DTYPES[kind]).itemsize).any():
            raise ValueError(f"field {name} is null or of another width")
        values = rows[name].astype(np.dtype(_DTYPES[kind]).newbyteorder("="))
        if kind == "timestamptz":
            values += PG_EPOCH_US
        out[name] = values.astype(bool) if kind == "bool" else values
    return out


def _prepare(column: Column) -> Column:
    """``column`` with values of exactly the wire's numbers, checked to fit."""
    if column.kind == "bytes":
        if column.values.dtype != np.uint8:
            raise ValueError(f"bytes of dtype {column.values.dtype}, expected uint8")
        offsets = column.offsets
        if (
            offsets is None
            or offsets[0] < 0
            or offsets[-1] > len(column.values)
            or (np.diff(offsets) < 0).any()
        ):
            raise ValueError("offsets that are no places in the data, or go back")
        return column
    values, valid = column.values, column.valid
    if values.dtype.kind not in "iub":
        raise ValueError(f"a {column.kind} column of dtype {values.dtype}")
    if column.kind == "bool":
        return Column("bool", values.astype(bool).astype("u1"), valid)
    low, high = -(1 << (width := 8 * np.dtype(_DTYPES[column.kind]).itemsize) - 1), (1 << width - 1) - 1
    if column.kind == "timestamptz":
        low, high = MIN_TIME_US, MAX_TIME_US
    if column.kind == "timestamptz" or not np.can_cast(values.dtype, _DTYPES[column.kind]):
        there = values if valid is None else values[valid]
        if there.size and (int(there.min()) < low or int(there.max()) > high):
            raise ValueError(f"a value does not fit {column.kind}")
    if column.kind == "timestamptz":
        values = values.astype(np.int64) - PG_EPOCH_US
    return Column(column.kind, values, valid)


def _lengths(column: Column) -> AnyArray:
    """Bytes of each field, -1 = null. Shape (n,), int64."""
    if column.offsets is not None:
        lengths = np.diff(column.offsets.astype(np.int64, copy=False))
    else:
        lengths = np.broadcast_to(np.int64(np.dtype(_DTYPES[column.kind]).itemsize), (len(column),))
    return lengths if column.valid is None else np.where(column.valid, lengths, -1)


def _layouts(n: int, lengths: list[AnyArray]) -> tuple[AnyArray, int]:
    """Number of each row's layout (shape (n,)), and how many there are."""
    layout, span = np.zeros(n, np.int64), 1
    for length in lengths:
        if length.strides == (0,) or bool((length == length[0]).all()):
            continue
        if length.min() == -1 and bool(np.isin(length, (-1, length.max())).all()):
            kinds, code = 2, (length >= 0).astype(np.int64)
        else:
            values, code = np.unique(length, return_inverse=True)
            kinds = len(values)
        layout, span = layout * kinds + code, span * kinds
        if span > 1 << 31:  # renumber before the next product overflows
            present, layout = np.unique(layout, return_inverse=True)
            span = len(present)
    if span == 1:
        return layout, 1
    present, layout = np.unique(layout, return_inverse=True)
    return layout, len(present)


def _uniform(columns: list[Column], lengths: list[int], rows: AnyArray) -> AnyArray:
    """The structured array of ``rows``, whose fields all have ``lengths``."""
    layout: list[Any] = [("fields", ">i2")]
    for k, (column, length) in enumerate(zip(columns, lengths, strict=True)):
        layout.append((f"l{k}", ">i4"))
        if length > 0:
            layout.append(
                (f"v{k}", ("u1", (length,)) if column.offsets is not None else _DTYPES[column.kind])
            )
    template = np.zeros(1, layout)
    template["fields"] = len(columns)
    for k, length in enumerate(lengths):
        template[f"l{k}"] = length
    out = np.repeat(template, len(rows))
    whole = len(rows) == len(columns[0])
    for k, (column, length) in enumerate(zip(columns, lengths, strict=True)):
        if length <= 0:
            continue
        if column.offsets is None:
            out[f"v{k}"] = column.values if whole else column.values[rows]
        else:
            starts = column.offsets[:-1][rows].astype(np.int64, copy=False)
            out[f"v{k}"] = column.values[starts[:, None] + np.arange(length)]
    return out


def _scattered(columns: list[Column], lengths: list[AnyArray]) -> bytes:
    """Any rows: every field's bytes put at its own place, a column at a time."""
    n = len(columns[0])
    sizes = np.full(n, 2 + 4 * len(columns), np.int64)
    for length in lengths:
        sizes += np.maximum(length, 0)
    place = np.cumsum(sizes) - sizes
    out = np.zeros(int(sizes.sum()), np.uint8)

    def put(at: AnyArray, values: AnyArray, dtype: str) -> None:
        width = np.dtype(dtype).itemsize  # said, not found out: of no values numpy cannot tell it
        data = values.astype(dtype).view(np.uint8).reshape(len(values), width)
        out[at[:, None] + np.arange(width)] = data

    put(place, np.full(n, len(columns)), ">i2")
    place += 2
    for column, length in zip(columns, lengths, strict=True):
        put(place, length, ">i4")
        place += 4
        there = np.flatnonzero(length > 0)
        if column.offsets is None:
            put(place[there], column.values[there], _DTYPES[column.kind])
        else:
            sized = length[there]
            within = np.arange(int(sized.sum())) - np.repeat(np.cumsum(sized) - sized, sized)
            starts = column.offsets[:-1][there].astype(np.int64, copy=False)
            out[np.repeat(place[there], sized) + within] = column.values[np.repeat(starts, sized) + within]
        place += np.maximum(length, 0)
    return out.tobytes()
