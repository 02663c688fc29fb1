"""Sub-packaged messages: any order, doubled, incomplete, contradicting; in bounded memory."""

from __future__ import annotations

import itertools
import tracemalloc
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from telemetry.jt808.rejection import Reason, Rejection
from telemetry.jt808.scalar.header import Header, Version, build_messages, parse_header
from telemetry.jt808.scalar.reassembly import PART_BYTES, Complete, Missing, Pending, Reassembler

BODY = bytes(range(256)) * 2


def packages(
    body: bytes = BODY, *, size: int = 100, serial: int = 65_533, identity: int = 0x0704
) -> list[tuple[Header, bytes]]:
    out = []
    for message in build_messages(
        identity, body, "13912345678", serial, version=Version.V2013, max_body=size
    ):
        result = parse_header(message)
        assert not isinstance(result, Rejection)
        out.append(result)
    return out


@given(st.permutations(packages()), st.data())
def test_any_order_with_duplicates(order: list[tuple[Header, bytes]], data: st.DataObject) -> None:
    reassembler = Reassembler()
    seen: set[int] = set()
    answered: list[int] = []
    for header, body in order[:-1]:
        seen.add(header.index)
        result = reassembler.add(header, body, 0)
        assert isinstance(result, Pending)
        assert not result.duplicate
        # answered at once only with everything before it here, and never the last one
        assert result.answer == (seen >= set(range(1, header.index)) and header.index < header.total)
        answered += [header.index] * result.answer
        again = data.draw(st.sampled_from(sorted(seen)))
        repeated = reassembler.add(*next(p for p in order if p[0].index == again), 0)
        assert isinstance(repeated, Pending)
        assert repeated.duplicate
        answered += [again] * repeated.answer
        assert reassembler.bytes_held == sum(PART_BYTES + len(b) for h, b in order if h.index in seen)
    done = reassembler.add(*order[-1], 0)
    assert isinstance(done, Complete)
    assert done.body == BODY
    assert [h.index for h in done.headers] == list(range(1, 7))
    assert done.last == order[-1][0]
    assert {h.index for h in done.unanswered} == set(range(1, 7)) - set(answered)
    assert reassembler.bytes_held == reassembler.parts_held == 0


def test_a_message_is_never_wholly_answered_by_pieces_of_two_processes() -> None:
    parts = packages()
    before, after = Reassembler(), Reassembler()
    first = [before.add(h, b, 0) for h, b in parts[:3]]
    assert all(isinstance(r, Pending) and r.answer for r in first)
    # The process dies; the next one gets only the rest and answers none of it, but asks for the first three.
    second = [after.add(h, b, 0) for h, b in parts[3:]]
    assert not any(isinstance(r, Pending) and r.answer for r in second)
    assert after.missing(5) == [Missing(parts[3][0], 65_533, (1, 2, 3))]


def test_missing_packages_are_asked_for_by_the_first_serial_and_not_for_ever() -> None:
    reassembler = Reassembler(retry_s=5, max_requests=2)
    parts = packages()
    reassembler.add(*parts[4], 0)  # serial 1, after the wrap
    assert parts[4][0].serial == 1
    assert reassembler.missing(4.9) == []
    assert reassembler.missing(5) == [Missing(parts[4][0], 65_533, (1, 2, 3, 4, 6))]
    assert reassembler.missing(6) == []
    reassembler.add(*parts[0], 7)
    assert reassembler.missing(10) == []
    assert [m.indexes for m in reassembler.missing(12)] == [(2, 3, 4, 6)]
    assert reassembler.missing(50) == []


def test_incomplete_messages_are_given_up_and_every_package_counted() -> None:
    reassembler = Reassembler(timeout_s=60)
    parts, others = packages(), packages(serial=100)
    for part in parts[:3]:
        reassembler.add(*part, 0)
    reassembler.add(*others[0], 30)
    assert reassembler.expire(59) == []
    rejected = reassembler.expire(60)
    assert [r.reason for r in rejected] == [Reason.REASSEMBLY_TIMEOUT] * 3
    assert [r.raw for r in rejected] == [body for _, body in parts[:3]]
    assert reassembler.bytes_held == PART_BYTES + 100
    assert len(reassembler.clear()) == 1
    assert reassembler.bytes_held == reassembler.parts_held == 0


def test_contradictions_are_refused_and_what_is_held_stays() -> None:
    reassembler = Reassembler()
    parts = packages()
    reassembler.add(*parts[0], 0)
    other_total = Header(0x0704, 1, 0, False, 0, "013912345678", 65_534, 9, 2)
    other_body = reassembler.add(parts[0][0], b"other", 0)
    for result in (reassembler.add(other_total, b"x", 0), other_body):
        assert isinstance(result, Rejection)
        assert result.reason is Reason.BAD_FRAGMENT
    for part in parts[1:-1]:
        assert isinstance(reassembler.add(*part, 0), Pending)
    done = reassembler.add(*parts[-1], 0)
    assert isinstance(done, Complete)
    assert done.body == BODY


def test_two_messages_at_once_do_not_mix() -> None:
    reassembler = Reassembler()
    one, two = packages(b"1" * 300), packages(b"2" * 300, serial=200)
    results = [reassembler.add(*p, 0) for pair in zip(one, two, strict=True) for p in pair]
    assert [r.body for r in results if isinstance(r, Complete)] == [b"1" * 300, b"2" * 300]


def limited(result: object) -> bool:
    return isinstance(result, Rejection) and result.reason is Reason.REASSEMBLY_LIMIT


def test_limits() -> None:
    small = Reassembler(max_bytes=250 + 3 * PART_BYTES)
    parts = packages()
    assert isinstance(small.add(*parts[0], 0), Pending)
    assert isinstance(small.add(*parts[1], 0), Pending)
    assert limited(small.add(*parts[2], 0))
    assert small.bytes_held == 200 + 2 * PART_BYTES
    assert isinstance(small.add(*parts[5], 0), Pending)  # 12 bytes still fit
    assert limited(
        small.add(*packages(b"a" * 4, size=2, serial=9)[0], 0)
    )  # its bytes would, its cost does not
    few = Reassembler(max_messages=2)
    assert isinstance(few.add(*parts[0], 0), Pending)
    assert isinstance(few.add(*packages(b"a" * 4, size=2, serial=9)[0], 0), Pending)
    assert limited(few.add(*packages(b"a" * 4, size=2, serial=20)[0], 0))
    assert limited(Reassembler(max_parts=5).add(*parts[0], 0))


def test_many_small_packages_cost_what_they_take() -> None:
    reassembler = Reassembler()
    message = packages(b"a" * 255, size=1, serial=0)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        held = 0
        for serial in range(0, 8 * 300, 300):
            for header, body in message[:-1]:
                fresh = replace(header, serial=serial + header.index - 1, phone="".join(header.phone))
                held += isinstance(reassembler.add(fresh, body, 0), Pending)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held == 131_072 // (PART_BYTES + 1)
    assert after - before <= reassembler.bytes_held


def test_whole_packages_of_the_largest_messages_still_fit() -> None:
    for body, size in ((b"a" * 91 * 1023, 1023), (b"a" * 254 * 100, 100)):
        reassembler = Reassembler()
        assert isinstance([reassembler.add(*p, 0) for p in packages(body, size=size)][-1], Complete)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.integers(0, 3), st.integers(1, 4), st.integers(1, 4), st.binary(max_size=30)
        ),
        max_size=60,
    )
)
def test_accounting_is_exact_whatever_comes(pieces: list[tuple[int, int, int, int, bytes]]) -> None:
    """Every package is part of a whole message, a duplicate, rejected, or still held: nothing else."""
    reassembler = Reassembler(max_bytes=100 + 6 * PART_BYTES, timeout_s=10, max_messages=3)
    taken = gone = 0
    for now, (identity, serial, total, index, body) in zip(itertools.count(), pieces, strict=False):
        result = reassembler.add(
            Header(identity, len(body), 0, False, 0, "0" * 12, serial, total, index), body, now
        )
        if isinstance(result, Complete):
            taken += 1
            gone += len(result.headers)
            assert sorted(h.index for h in result.headers) == list(range(1, len(result.headers) + 1))
        elif isinstance(result, Pending):
            taken += not result.duplicate
        reassembler.missing(now)
        gone += len(reassembler.expire(now))
        assert reassembler.bytes_held <= 100 + 6 * PART_BYTES
        assert reassembler.parts_held == taken - gone
        bodies = reassembler.bytes_held - PART_BYTES * reassembler.parts_held
        assert 0 <= bodies <= 30 * reassembler.parts_held
    gone += len(reassembler.clear())
    assert taken == gone
    assert reassembler.bytes_held == 0
