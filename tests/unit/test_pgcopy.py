"""Binary COPY: against a plain reference, row by row."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import pgcopy
from runtime.pgcopy import PG_EPOCH_US, Column, decode_fixed, encode, varlen

_RANGES = {
    "int2": st.integers(-(2**15), 2**15 - 1),
    "int4": st.integers(-(2**31), 2**31 - 1),
    "int8": st.integers(-(2**63), 2**63 - 1),
    "timestamptz": st.integers(pgcopy.MIN_TIME_US, pgcopy.MAX_TIME_US),
    "bool": st.booleans(),
    "bytes": st.binary(max_size=9),
}
_FORMATS = {"int2": "h", "int4": "i", "int8": "q", "timestamptz": "q", "bool": "?"}


def _column(kind: Any, values: list[Any]) -> Column:
    if kind == "bytes":
        return varlen(values)
    there = np.array([v is not None for v in values], bool)
    filled = np.array([0 if v is None else v for v in values], bool if kind == "bool" else np.int64)
    return Column(kind, filled, None if there.all() else there)


def _row(kinds: list[str], row: tuple[Any, ...]) -> bytes:
    """One row as the manual describes it."""
    out = struct.pack(">h", len(row))
    for kind, value in zip(kinds, row, strict=True):
        if value is None:
            out += struct.pack(">i", -1)
            continue
        if kind == "timestamptz":
            value -= PG_EPOCH_US
        data = value if kind == "bytes" else struct.pack(">" + _FORMATS[kind], value)
        out += struct.pack(">i", len(data)) + data
    return out


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[tuple[Any, ...]]]:
    kinds = draw(st.lists(st.sampled_from(sorted(_RANGES)), min_size=1, max_size=6))
    values = [st.none() | _RANGES[k] if draw(st.booleans()) else _RANGES[k] for k in kinds]
    return kinds, draw(st.lists(st.tuples(*values), max_size=40))


def _rows_of(stream: bytes, kinds: list[str]) -> list[bytes]:
    """The rows of a stream, cut by their own lengths."""
    assert stream.startswith(pgcopy.HEADER)
    assert stream.endswith(pgcopy.TRAILER)
    at, rows = len(pgcopy.HEADER), []
    while at < len(stream) - 2:
        start = at
        at += 2
        for _ in kinds:
            (length,) = struct.unpack_from(">i", stream, at)
            at += 4 + max(length, 0)
        rows.append(stream[start:at])
    return rows


@given(tables())
def test_is_what_the_manual_says(table: tuple[list[str], list[tuple[Any, ...]]]) -> None:
    kinds, rows = table
    stream = encode([_column(k, [row[i] for row in rows]) for i, k in enumerate(kinds)])
    assert sorted(_rows_of(stream, kinds)) == sorted(_row(kinds, row) for row in rows)


def test_many_layouts_are_scattered_in_order() -> None:
    rows = [(k, bytes([k % 251]) * (k % 200) if k % 3 else None) for k in range(1000)]
    stream = encode([Column("int4", np.arange(1000)), varlen([row[1] for row in rows])])
    assert _rows_of(stream, ["int4", "bytes"]) == [_row(["int4", "bytes"], row) for row in rows]


@pytest.mark.parametrize("empty", ["int2", "int4", "int8", "timestamptz", "bool", "bytes"])
def test_a_column_that_no_row_has_among_many_layouts(empty: Any) -> None:
    """Seventy positions, each with a vendor item of another length and none with an odometer, ended the worker for good."""
    values = [bytes([k]) * k for k in range(1, 71)]
    stream = encode([_column(empty, [None] * 70), varlen(values)])
    assert _rows_of(stream, [empty, "bytes"]) == [_row([empty, "bytes"], (None, value)) for value in values]


@st.composite
def many_layouts(draw: st.DrawFn) -> tuple[list[str], list[tuple[Any, ...]]]:
    """More rows and more layouts than the grouping takes; of every column all, some or no values are there."""
    kinds = draw(st.lists(st.sampled_from(sorted(_RANGES)), max_size=6))
    n = draw(st.integers(65, 200))
    columns: list[list[Any]] = [[bytes([k % 256]) * k for k in range(n)]]
    for kind in kinds:
        presence = draw(st.sampled_from(["all", "none", "some"]))
        value, other = draw(_RANGES[kind]), draw(_RANGES[kind])
        places = draw(st.lists(st.booleans(), min_size=n, max_size=n)) if presence == "some" else []
        columns.append(
            [
                None if presence == "none" or (places and places[k]) else (value, other)[k % 2]
                for k in range(n)
            ]
        )
    order = draw(st.permutations(range(len(columns))))
    kinds = ["bytes", *kinds]
    return [kinds[k] for k in order], list(zip(*(columns[k] for k in order), strict=True))


@given(many_layouts())
def test_many_layouts_are_what_the_manual_says(table: tuple[list[str], list[tuple[Any, ...]]]) -> None:
    kinds, rows = table
    stream = encode([_column(k, [row[i] for row in rows]) for i, k in enumerate(kinds)])
    assert sorted(_rows_of(stream, kinds)) == sorted(_row(kinds, row) for row in rows)


def test_offsets_that_are_no_lengths_are_refused() -> None:
    data = np.zeros(4, np.uint8)
    for offsets in ([0, 3, 2], [-1, 2, 4], [0, 2, 5]):
        with pytest.raises(ValueError, match="offsets"):
            encode([Column("bytes", data, None, np.array(offsets))])
    with pytest.raises(ValueError, match="offsets"):
        Column("bytes", data, None, np.zeros(0, np.int64))


def test_rows_of_one_layout_keep_their_order() -> None:
    valid = np.arange(100) % 2 == 0
    stream = encode([Column("int4", np.arange(100)), Column("int2", np.ones(100, np.int16), valid)])
    firsts = [struct.unpack_from(">i", row, 6)[0] for row in _rows_of(stream, ["int4", "int2"])]
    assert [k for k in firsts if k % 2] == list(range(1, 100, 2))
    assert [k for k in firsts if not k % 2] == list(range(0, 100, 2))


@pytest.mark.parametrize("kind", ["int2", "int4", "timestamptz"])
def test_a_value_that_does_not_fit_is_refused(kind: Any) -> None:
    outside = {"int2": 2**15, "int4": -(2**31) - 1, "timestamptz": 2**62}[kind]
    values = np.array([0, outside])
    with pytest.raises(ValueError, match="does not fit"):
        encode([Column(kind, values)])
    encode([Column(kind, values, np.array([True, False]))])  # a null may hold anything


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="different lengths"):
        encode([Column("int4", np.zeros(2, int)), Column("int4", np.zeros(3, int))])
    with pytest.raises(ValueError, match="validity"):
        Column("int4", np.zeros(2, int), np.ones(3, bool))
    with pytest.raises(ValueError, match="offsets"):
        Column("bytes", np.zeros(2, np.uint8))
    with pytest.raises(ValueError, match="dtype"):
        encode([Column("int4", np.zeros(2))])
    with pytest.raises(ValueError, match="no columns"):
        encode([])


@given(st.lists(st.tuples(_RANGES["int2"], _RANGES["timestamptz"], _RANGES["int8"], st.booleans())))
def test_fixed_columns_come_back(rows: list[tuple[int, int, int, bool]]) -> None:
    kinds: list[Any] = ["int2", "timestamptz", "int8", "bool"]
    stream = encode([_column(k, [row[i] for row in rows]) for i, k in enumerate(kinds)])
    back = decode_fixed(stream, list(zip("abcd", kinds, strict=True)))
    assert list(zip(*(back[name].tolist() for name in "abcd"), strict=True)) == rows


def test_another_stream_is_refused() -> None:
    stream = encode([Column("int4", np.arange(3), np.array([True, False, True]))])
    with pytest.raises(ValueError, match=r"not a COPY stream|null"):
        decode_fixed(stream, [("a", "int4")])
    with pytest.raises(ValueError, match="not a COPY stream"):
        decode_fixed(b"", [("a", "int4")])
    with pytest.raises(ValueError, match=r"not a COPY stream|another width"):
        decode_fixed(encode([Column("int8", np.arange(3))]), [("a", "int4")])
