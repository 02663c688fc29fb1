"""What several rules have of evidence: what is written of stretches of a track is what is read of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st

from rules import evidence_parts as parts
from rules.evidence import canonical, parse

VALUES = st.lists(st.integers(-1, 3), max_size=30)


@dataclass(frozen=True)
class Fence:
    id: str
    version: int
    name: str


@given(VALUES, st.data())
def test_stretches_tell_the_value_at_every_time(values: list[int], data: st.DataObject) -> None:
    steps = data.draw(st.lists(st.integers(1, 5), min_size=len(values), max_size=len(values)))
    t = np.cumsum(np.array(steps, np.int64))
    found = list(parts.stretches(np.array(values, np.int64), t))
    assert [(a, b) for _, a, b in found] == sorted((a, b) for _, a, b in found)
    assert all(one[0] != other[0] and one[2] == other[1] for one, other in pairwise(found))
    covers: list[parts.Cover] = [
        {"no": value + 10, "id": str(value), "version": 1, "from_us": a, "to_us": b}
        for value, a, b in found
        if value >= 0
    ]
    read = parts.order_column(covers, t)
    assert read.tolist() == [value + 10 if value >= 0 else 0 for value in values]


def test_the_areas_that_are_read_are_those_that_were_written() -> None:
    yards = [shapely.box(120 + k, 32, 120.5 + k, 32.5) for k in range(2)]
    t = np.arange(6, dtype=np.int64)
    held = np.array([0, 0, -1, 1, 1, 0], np.int64)
    written = [
        parts.fence_of([Fence(f"F{row}", 1, "yard")], yards[row], a, b)
        for row, a, b in parts.stretches(held, t)
        if row >= 0
    ]
    areas, row = parts.areas_of(parse(canonical({"fences": written}))["fences"], t)
    assert [-1 if k < 0 else int(written[k]["fences"][0]["id"][1:]) for k in row.tolist()] == held.tolist()
    there = np.flatnonzero(row >= 0)
    lat, lon = np.full(len(there), 32_250_000), 120_250_000 + 1_000_000 * held[there]
    assert areas.inside(row[there], lat, lon).all()
    assert not areas.inside(row[there], lat, lon + 500_000).any()
    nothing, none = parts.areas_of([], t)
    assert none.tolist() == [-1] * 6
    assert nothing.inside(none[:0], lat[:0], lon[:0]).tolist() == []


def test_days_are_iso_dates() -> None:
    assert parts.iso_day(date(2026, 3, 1)) == "2026-03-01"
    assert parts.iso_day(None) is None
