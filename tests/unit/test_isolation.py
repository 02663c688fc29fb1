"""The search for what a fault is to blame on, over a table in memory instead of a database: whatever fails, everything is stored
once or set aside once, in a bounded number of attempts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.live.isolation import MOST_ALONE, MOST_FAILED, SUSPECT_S, Isolation
from rules.live.ownership import Ownership
from rules.live.pieces import How, Piece, Unpacked, decode_each
from rules.live.store.quarantine import SetAside
from telemetry.log import codec
from telemetry.log.base import StoredRecord, partitions_of
from telemetry.positions import PositionBatch
from tests.examples import examples

#: A row is named by its device time.
Fails = Callable[[np.ndarray, How], str | None]


@dataclass
class Table:
    """A database in memory. ``fails`` names the step at which rows (their device times) fail, None = they pass."""

    fails: Fails
    due_vehicles: Mapping[int, int] = field(default_factory=dict)
    stored: set[int] = field(default_factory=set)
    unjudged: set[int] = field(default_factory=set)
    aside: list[SetAside] = field(default_factory=list)
    put_off: set[int] = field(default_factory=set)
    done: list[StoredRecord] = field(default_factory=list)
    attempts: int = 0
    loads: int = 0
    stage: str = ""

    async def commit(self, piece: Piece) -> None:
        self.attempts += 1
        stage = self.fails(piece.batch.device_us, piece.how)
        if stage not in (None, "positions") and self.put_off:  # of these nothing is judged any more
            judged = ~np.isin(piece.batch.terminal, sorted(self.put_off))
            stage = self.fails(piece.batch.device_us[judged], piece.how)
        if stage is not None:
            self.stage = stage
            raise ZeroDivisionError(f"at {stage}")
        rows = set(piece.batch.device_us.tolist())
        self.stored |= rows
        if piece.how.put_off and piece.how.unjudged:
            self.unjudged |= rows
        self.put_off |= set(piece.how.put_off)
        self.aside += piece.aside
        self.done += piece.records

    def drop(self, *, whole: bool) -> None:
        self.loads += whole

    async def due(self) -> Mapping[int, int]:
        return self.due_vehicles

    def since(self, batch: PositionBatch) -> Mapping[int, int]:
        return {int(no): 0 for no in np.unique(batch.terminal)}


def records(sizes: list[int], terminals: int = 7) -> Unpacked:
    """Records with so many rows each; row k has device time k and is of one of ``terminals``."""
    made, at = [], 0
    for offset, size in enumerate(sizes):
        times = np.arange(at, at + size)
        batch = PositionBatch.build(size, terminal=1 + times % terminals, device_us=times)
        made.append(StoredRecord("log", 0, offset, codec.encode(batch), {}, 0))
        at += size
    return decode_each(made)


def rows_of(aside: list[SetAside]) -> list[int]:
    found: list[int] = []
    for one in aside:
        batch = codec.decode(one.payload)
        assert len(batch) == one.rows
        assert set(batch.terminal.tolist()) == {one.terminal}
        found += batch.device_us.tolist()
    return sorted(found)


def bad(times: set[int], stage: str) -> Fails:
    def fails(rows: np.ndarray, how: How) -> str | None:
        hit = bool(times.intersection(rows.tolist()))
        return stage if hit and not (how.put_off and stage != "positions") else None

    return fails


@settings(max_examples=examples(60), deadline=None)
@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=6), st.sets(st.integers(0, 359), max_size=6),
    st.sampled_from(["positions", "tracks", "publish"]), st.integers(1, 9),
)  # fmt: skip
async def test_exactly_the_rows_that_fail_are_set_aside(
    sizes: list[int], wrong: set[int], stage: str, terminals: int
) -> None:
    found = records(sizes, terminals)
    every = set(range(sum(sizes)))
    wrong &= every
    table = Table(bad(wrong, stage))
    await Isolation(table).run(found, ZeroDivisionError("x") if wrong else None, clock=False)
    assert rows_of(table.aside) == sorted(wrong)
    assert table.stored == every - wrong
    assert [r.offset for r in table.done] == list(range(len(sizes)))
    assert {(one.offset, one.stage) for one in table.aside} <= {(k, stage) for k in range(len(sizes))}


async def test_many_rows_of_a_terminal_that_cannot_be_stored_go_together(
) -> None:  # fmt: skip
    found = records([4000], terminals=10)
    wrong = {k for k in range(4000) if k % 10 == 3}
    table = Table(bad(wrong, "positions"))
    await Isolation(table).run(found, ZeroDivisionError("x"), clock=False)
    assert set(rows_of(table.aside)) >= wrong
    assert len(rows_of(table.aside)) == len(wrong)
    assert table.stored == set(range(4000)) - wrong
    assert table.attempts < 200
    assert len(table.aside) <= 2 * MOST_ALONE + 10


async def test_a_vehicle_of_which_every_row_fails_is_put_off_and_its_rows_are_stored() -> None:
    found = records([4000], terminals=10)
    wrong = {k for k in range(4000) if k % 10 == 3}
    table = Table(bad(wrong, "tracks"))
    await Isolation(table).run(found, ZeroDivisionError("x"), clock=False)
    assert table.put_off == {4}
    assert len(rows_of(table.aside)) < MOST_ALONE + 1
    assert table.stored | set(rows_of(table.aside)) == set(range(4000))
    assert not table.stored.intersection(rows_of(table.aside))
    assert table.attempts < 200


@pytest.mark.parametrize("stage", ["positions", "tracks"])
async def test_a_fault_of_everything_ends_soon_and_loses_nothing(stage: str) -> None:
    found = records([5000, 5000], terminals=1000)
    table = Table(bad(set(range(10_000)), stage))
    await Isolation(table).run(found, ZeroDivisionError("x"), clock=False)
    kept = rows_of(table.aside)
    assert sorted([*kept, *table.stored]) == list(range(10_000))
    assert table.attempts < 3 * MOST_FAILED
    assert len(table.done) == 2
    if stage == "tracks":  # stored, and judged later
        assert len(table.stored) > 9_000


async def test_a_spoiled_state_sets_nothing_aside() -> None:
    found = records([300])

    def fails(rows: np.ndarray, how: How) -> str | None:
        return None if how.afresh or 77 not in rows else "tracks"

    table = Table(fails)
    await Isolation(table).run(found, ZeroDivisionError("x"), clock=False)
    assert not table.aside
    assert table.stored == set(range(300))


async def test_a_fault_without_rows_is_of_a_vehicle_or_of_the_program() -> None:
    def fails(rows: np.ndarray, how: How) -> str | None:
        if how.put_off:
            hit.difference_update(how.put_off)
        return "facts" if hit and (how.only is None or hit.intersection(how.only)) else None

    hit = {5, 31}
    table = Table(fails, dict.fromkeys(range(50), 0))
    await Isolation(table).run(records([20]), ZeroDivisionError("x"), clock=True)
    assert table.put_off == {5, 31}
    assert not table.unjudged
    assert table.stored == set(range(20))

    table = Table(lambda _rows, _how: "facts", dict.fromkeys(range(50), 0))
    with pytest.raises(ZeroDivisionError):
        await Isolation(table).run(records([20]), ZeroDivisionError("x"), clock=True)
    assert not table.aside
    assert not table.done


async def test_what_begins_to_fail_with_nothing_at_all_is_blamed_on_no_row() -> None:
    """As when a fact comes during the search that nothing can be done with."""

    def fails(rows: np.ndarray, how: How) -> str | None:
        return "partitions" if table.attempts > 8 or 7 in rows else None

    table = Table(fails)
    with pytest.raises(ZeroDivisionError):
        await Isolation(table).run(records([400]), ZeroDivisionError("x"), clock=False)
    assert not table.aside
    assert not table.done


async def test_what_is_no_fault_ends_the_search_and_sets_nothing_aside() -> None:
    def fails(rows: np.ndarray, how: How) -> str | None:
        if table.attempts == 6:
            raise ConnectionResetError
        return "positions" if 7 in rows else None

    table = Table(fails)
    with pytest.raises(ConnectionResetError):
        await Isolation(table).run(records([100]), ZeroDivisionError("x"), clock=False)
    assert not table.aside
    assert not table.done


async def test_the_next_rows_of_a_terminal_that_failed_disturb_nobody() -> None:
    """They are tried apart at once; after a while they are forgotten."""
    now = [0.0]
    table = Table(bad({10, 110}, "positions"))
    isolation = Isolation(table, lambda: now[0])
    await isolation.run(records([100]), ZeroDivisionError("x"), clock=False)
    batch = PositionBatch.build(100, terminal=1 + np.arange(100, 200) % 7, device_us=np.arange(100, 200))
    batch.terminal[10] = 4  # the terminal of row 10
    assert isolation.suspects(batch)
    before = table.attempts, table.loads
    await isolation.run(
        decode_each([StoredRecord("log", 0, 1, codec.encode(batch), {}, 0)]), None, clock=False
    )
    assert rows_of(table.aside) == [10, 110]
    assert table.attempts - before[0] < 16
    now[0] += SUSPECT_S
    assert not isolation.suspects(batch)


def test_who_tries_again_is_who_has_the_partition_of_the_terminal() -> None:
    workers = [Ownership() for _ in range(3)]
    for k, worker in enumerate(workers):
        worker.count(3)
        worker.assign({k}, ())
    for terminal in range(1, 200):
        (owner,) = (k for k, worker in enumerate(workers) if worker.owns(terminal, 2))
        assert owner == int(partitions_of(np.array([terminal]), 3)[0])
    assert [worker.owns(None, 1) for worker in workers] == [False, True, False]
    assert [worker.owns(None, 11) for worker in workers] == [
        True,
        False,
        False,
    ]  # of a log that had more partitions
