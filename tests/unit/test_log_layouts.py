"""Records of the log: any mixture of layouts comes back as it was."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.log.codec import decode, decode_all, encode, table, write
from telemetry.positions import PositionBatch
from tests.examples import examples
from tests.layouts import batches


@settings(max_examples=examples(150))
@given(batches())
def test_a_record_comes_back(batch: PositionBatch) -> None:
    assert decode(encode(batch)).equals(batch)


@settings(max_examples=examples(60))
@given(st.lists(batches(), max_size=4))
def test_many_records_come_back_as_one_batch(parts: list[PositionBatch]) -> None:
    found, refused = decode_all([encode(part) for part in parts])
    assert refused == []
    assert found.equals(PositionBatch.concat(parts))


@settings(max_examples=examples(60))
@given(batches(), st.lists(st.integers(0, 300), max_size=4))
def test_slices_of_one_table_come_back(batch: PositionBatch, cuts: list[int]) -> None:
    """One append is many records: one table, cut at partitions and sizes."""
    ends = sorted(min(cut, len(batch)) for cut in cuts)
    rows = table(batch)
    pieces = [(a, b) for a, b in zip([0, *ends], [*ends, len(batch)], strict=True)]
    found = [decode(write(rows.slice(a, b - a))) for a, b in pieces]
    for (a, b), piece in zip(pieces, found, strict=True):
        assert piece.equals(batch.take(np.arange(a, b)))


@settings(max_examples=examples(60))
@given(batches(), st.data())
def test_rows_that_are_taken_and_joined(batch: PositionBatch, data: st.DataObject) -> None:
    rows = np.array(data.draw(st.permutations(range(len(batch)))), np.int64)
    cut = data.draw(st.integers(0, len(batch)))
    joined = PositionBatch.concat([batch.take(rows[:cut]), batch.take(rows[cut:])])
    back = np.empty(len(batch), np.int64)
    back[rows] = np.arange(len(batch))
    assert joined.take(back).equals(batch)
