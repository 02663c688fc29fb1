"""The columns about connections: serial numbers of what we send, one counter a connection."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from telemetry.gateway.connection import ConnectionTable


def test_serials_begin_at_0_and_wrap_behind_65535() -> None:
    table = ConnectionTable(2)
    slot = table.take(0)
    numbers = [table.next_serial(slot) for _ in range(65_538)]
    assert numbers == [*range(65_536), 0, 1]


@given(st.lists(st.lists(st.integers(0, 70_000), min_size=3, max_size=3), max_size=6), st.integers(0, 65_535))
def test_many_at_once_are_those_that_one_after_another_would_get(turns: list[list[int]], before: int) -> None:
    table = ConnectionTable(1)  # grows
    slots = np.array([table.take(0) for _ in range(3)])
    holders = table.holder[slots]
    sent = [before, 0, 0]
    for _ in range(before):
        table.next_serial(int(slots[0]))
    for counts in turns:
        serials = table.next_serials(slots, holders, np.array(counts))
        expected = [np.arange(first, first + count) for first, count in zip(sent, counts, strict=True)]
        assert serials.dtype == np.uint16
        assert np.array_equal(serials, np.concatenate(expected) & 0xFFFF)
        sent = [first + count for first, count in zip(sent, counts, strict=True)]
    assert [table.next_serial(int(slot)) for slot in slots] == [count & 0xFFFF for count in sent]


def test_replies_that_waited_for_a_closed_connection_use_up_no_serial_of_the_next_one() -> None:
    table = ConnectionTable(2)
    gone, here = table.take(0), table.take(0)
    slots = np.array([gone, here])
    holders = table.holder[slots]
    table.give_back(gone)
    assert table.take(0) == gone  # somebody else sits there now
    assert table.next_serials(slots, holders, np.array([5, 2]))[5:].tolist() == [0, 1]
    assert table.next_serial(gone) == 0
    assert table.next_serial(here) == 2


def test_a_logout_does_not_begin_anew() -> None:
    table = ConnectionTable()
    slot = table.take(0)
    table.authenticate(slot, "013900000001", 7)
    assert [table.next_serial(slot) for _ in range(2)] == [0, 1]
    table.clear(slot)
    assert table.next_serial(slot) == 2
    table.give_back(slot)
    assert table.take(0) == slot
    assert table.next_serial(slot) == 0
