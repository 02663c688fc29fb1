"""Batches of positions with any mixture of layouts: which optional columns a row has, and how long its items are.

What a batch costs and where it can break depends on the mixture: no rows, one row, one layout, some, hundreds; a column
that every row has, that some have, that no row has; no items, items of one length, of another length in every row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from runtime.units import US_PER_S
from telemetry.positions import OPTIONAL, PositionBatch

#: Device time of the first row of a batch: 2026-02-16 00:00:00 UTC, and each row is one second later.
DAY = 20_500
START_US = DAY * 86_400 * US_PER_S

_SIZES = st.sampled_from([0, 1, 2, 64, 65, 70, 130, 300]) | st.integers(0, 40)
_PRESENCE = st.sampled_from(["all", "none", "one", "some"])
_ITEMS = st.sampled_from(["none", "alike", "distinct", "some", "one"])


@st.composite
def batches(draw: st.DrawFn, min_rows: int = 0) -> PositionBatch:
    """Rows that differ (each its own second) of up to five terminals; values reach both ends of their dtype."""
    n = max(draw(_SIZES), min_rows)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    columns = {}
    present = np.zeros(n, np.uint8)
    for bit, name in enumerate(OPTIONAL):
        there = _chosen(rng, n, draw(_PRESENCE))
        present |= there.astype(np.uint8) << np.uint8(bit)
        columns[name] = np.where(
            there, _any(rng, n, np.uint8 if name in ("radio", "satellites") else np.uint16), 0
        )
    kind = draw(_ITEMS)
    lengths = {
        "none": np.zeros(n, np.int64),
        "alike": np.full(n, 6, np.int64),
        "distinct": 2 + np.arange(n) % 256,
        "some": rng.integers(0, 9, n) * (rng.random(n) < 0.5),
        "one": np.where(_chosen(rng, n, "one"), 250, 0),
    }[kind]
    offsets = np.zeros(n + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    device = START_US + np.arange(n) * US_PER_S
    return PositionBatch.build(
        n,
        terminal=rng.integers(1, 6, n),
        received_us=device + 3 * US_PER_S,
        device_us=device,
        lat_e6=_any(rng, n, np.int32),
        lon_e6=_any(rng, n, np.int32),
        altitude_m=_any(rng, n, np.int16),
        speed_dkmh=_any(rng, n, np.uint16),
        direction_deg=_any(rng, n, np.uint16),
        alarm=_any(rng, n, np.uint32),
        status=_any(rng, n, np.uint32),
        source=rng.integers(0, 5, n),
        present=present,
        items_offsets=offsets,
        items_data=rng.integers(0, 256, int(offsets[-1]), dtype=np.uint8),
        **columns,
    )


def _chosen(rng: np.random.Generator, n: int, presence: str) -> Any:
    """Which of ``n`` rows have a value. Shape (n,), bool."""
    chosen: np.ndarray = np.full(n, presence == "all")
    if presence == "one" and n:
        chosen[rng.integers(0, n)] = True
    elif presence == "some":
        chosen = rng.random(n) < 0.5
    return chosen


def _any(rng: np.random.Generator, n: int, dtype: type) -> np.ndarray:
    """Any values of ``dtype``, its least and its greatest among them. Shape (n,)."""
    bounds = np.iinfo(dtype)
    values = rng.integers(bounds.min, bounds.max, n, dtype=dtype, endpoint=True)
    return np.where(rng.random(n) < 0.1, rng.choice(np.array([bounds.min, bounds.max], dtype), n), values)
