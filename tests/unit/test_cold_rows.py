"""Rows of the cold tier without a database: merged streams, and files of every layout that was ever written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from telemetry.archive.cold import layout
from telemetry.archive.cold.rows import TYPES, Rows
from telemetry.archive.pages import merged, regrouped

VECTORS = Path(__file__).parents[1] / "vectors" / "cold"


def some(n: int, seed: int, source: int) -> Rows:
    """Rows of few keys, so that several streams have the same ones; ``source`` says whose a row is."""
    rng = np.random.default_rng(seed)
    columns = {name: np.zeros(n, kind) for name, kind in TYPES.items()}
    columns["terminal"] = rng.integers(1, 4, n).astype(np.int32)
    columns["device_us"] = rng.integers(0, 9, n) * 1_000_000
    columns["fingerprint"] = rng.integers(-2, 3, n)
    columns["source"] = np.full(n, source, np.int16)
    sizes = rng.integers(-1, 4, n).astype(np.int32)
    items = rng.integers(0, 256, int(np.maximum(sizes, 0).sum())).astype(np.uint8)
    return Rows(columns, sizes, items).in_order()


async def paged(rows: Rows, size: int) -> AsyncIterator[Rows]:
    for at in range(0, len(rows), size):
        yield rows.take(np.arange(at, min(len(rows), at + size)))


@pytest.mark.parametrize("sizes", [(1, 1, 1), (3, 7, 50), (50, 2, 5)])
def test_streams_become_one_in_order_with_each_position_once(sizes: tuple[int, int, int]) -> None:
    parts = [some(n, k, k) for k, n in enumerate((40, 25, 0))]
    expected = Rows.concat(parts).in_order()  # of equal ones the first

    async def collect() -> list[Rows]:
        streams = [paged(part, size) for part, size in zip(parts, sizes, strict=True)]
        return [rows async for rows in regrouped(merged(streams), 16)]

    groups = asyncio.run(collect())
    assert {len(group) for group in groups[:-1]} <= {16}
    assert Rows.concat(groups).digest() == expected.digest()


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*.parquet")), ids=lambda path: path.stem)
def test_what_a_release_wrote_is_read_by_the_next(path: Path) -> None:
    data = path.read_bytes()
    source = pa.BufferReader(data)
    footer = layout.parse_footer(layout.footer_of(source, len(data))[1])
    rows = Rows.concat(list(layout.read_groups(source, footer, range(footer.num_row_groups))))
    # The fingerprints are not in the file: should they be computed otherwise one day, that is another layout.
    assert rows.digest().hex() == path.with_suffix(".sha256").read_text().strip()
