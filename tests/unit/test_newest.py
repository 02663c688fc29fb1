"""What is remembered of terminals stays small, however long they report."""

from __future__ import annotations

import numpy as np

from telemetry.archive.newest import NewestPositions


def known(terminals: int) -> NewestPositions:
    marks = NewestPositions()
    marks.learn([(no, None, (), None) for no in range(terminals)])
    return marks


def store(marks: NewestPositions, slots: np.ndarray, device: np.ndarray, prints: np.ndarray) -> np.ndarray:
    """Store what memory alone says is new; the mask of it."""
    assert not marks.uncertain(slots, device).any()
    repeated, order = marks.repeated(slots, device, prints)
    rows = order[~repeated[order]]
    marks.advance(slots[rows], device[rows], prints[rows], np.ones(len(rows), bool))
    return ~repeated


def test_only_the_newest_second_is_remembered() -> None:
    marks = known(50)
    for second in range(1, 300):
        slots = np.repeat(np.arange(50), 8)
        prints = np.arange(400) + 1000 * second
        for half in (slice(0, None, 2), slice(None)):  # the second time half of them are there
            new = store(marks, slots[half], np.full(len(slots[half]), second), prints[half])
            assert new.sum() == 200
        assert marks.remembered == 400
    assert marks.capacity < 10_000


def test_a_flood_of_one_second_is_given_up() -> None:
    marks = known(2)
    flood = np.arange(NewestPositions.MOST_REMEMBERED + 1)
    store(marks, np.zeros(len(flood), int), np.full(len(flood), 5), flood)
    store(marks, np.array([1]), np.array([5]), np.array([7]))
    assert marks.remembered == 1
    both = np.array([0, 1])
    assert marks.uncertain(both, np.array([5, 5])).tolist() == [True, False]
    assert marks.uncertain(both, np.array([6, 4])).tolist() == [False, True]


def test_equal_rows_of_a_batch_count_once_and_the_first_wins() -> None:
    marks = known(3)
    slots = np.array([2, 0, 2, 2, 0])
    device, prints = np.array([9, 9, 9, 8, 9]), np.array([1, 1, 1, 1, 2])
    repeated, order = marks.repeated(slots, device, prints)
    assert repeated.tolist() == [False, False, True, False, False]
    assert order.tolist() == [1, 4, 3, 0, 2]


def test_terminals_are_forgotten_apart() -> None:
    marks = known(4)
    store(marks, np.arange(4), np.full(4, 5), np.arange(4))
    marks.forget(np.array([1, 2, 77]))
    assert len(marks) == 2
    assert marks.unknown(np.arange(4)).tolist() == [1, 2]
    marks.learn([(2, 8, [4, 6], 9), (1, None, [], None)])
    slots = marks.slots(np.arange(4))
    assert not marks.uncertain(slots, np.full(4, 8)).any()
    # 9 was stored from the future: memory does not know what is there.
    assert marks.uncertain(slots, np.full(4, 9)).tolist() == [False, False, True, False]
    assert marks.before(slots, np.full(4, 8), np.full(4, 5)).tolist() == [False, False, True, False]
    marks.forget(None)
    assert (len(marks), marks.remembered) == (0, 0)
