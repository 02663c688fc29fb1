"""How far a worker is behind: the bookkeeping against what a look at the whole log would say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rules.live.lag import Backlog
from telemetry.log.base import POSITIONS, StoredRecord

S = 1_000_000
START = 1_700_000_000 * S


def record(partition: int, offset: int, appended_us: int) -> StoredRecord:
    return StoredRecord(POSITIONS, partition, offset, b"", {}, appended_us)


class Clock:
    def __init__(self) -> None:
        self.us = START

    def __call__(self) -> int:
        return self.us


@given(st.data())
def test_lag_is_the_age_of_the_oldest_record_that_waits(data: st.DataObject) -> None:
    clock = Clock()
    backlog = Backlog(clock)
    log: dict[int, list[int]] = {0: [], 1: []}  # append times; the place is the offset
    for _ in range(data.draw(st.integers(1, 25))):
        clock.us += data.draw(st.integers(0, 30)) * S
        match data.draw(st.sampled_from(["append", "turn", "broken turn", "measure"])):
            case "append":
                log[data.draw(st.integers(0, 1))].append(clock.us)
            case "measure":
                behind = backlog.measure({p: len(times) for p, times in log.items()}, {0, 1})
                assert behind == sum(len(times) - backlog.offsets.get(p, 0) for p, times in log.items())
                waiting = [
                    times[backlog.offsets.get(p, 0)]
                    for p, times in log.items()
                    if len(times) > backlog.offsets.get(p, 0)
                ]
                through = [log[p][o - 1] for p, o in backlog.offsets.items() if o < len(log[p])]
                assert bool(waiting) == (behind > 0)
                if not waiting:
                    assert backlog.seconds() == 0
                    assert backlog.known_us(clock.us) == clock.us
                else:
                    assert backlog.known_us(clock.us) <= min(waiting)
                    assert backlog.known_us(clock.us) in (0, *through)
            case turn:
                partition = data.draw(st.integers(0, 1))
                first = backlog.offsets.get(partition, 0)
                taken = log[partition][first : first + data.draw(st.integers(1, 3))]
                records = [record(partition, first + k, us) for k, us in enumerate(taken)]
                backlog.polled(records)
                if records:
                    assert backlog.seconds() >= (clock.us - records[0].appended_us) / S
                if turn == "turn":
                    backlog.committed(records)
    for partition in (0, 1):  # whatever happened: when everything is processed nothing waits
        first = backlog.offsets.get(partition, 0)
        records = [record(partition, first + k, us) for k, us in enumerate(log[partition][first:])]
        backlog.polled(records)
        backlog.committed(records)
    assert backlog.measure({p: len(times) for p, times in log.items()}, {0, 1}) == 0
    assert backlog.seconds() == 0


def test_it_grows_while_nothing_moves_and_is_exact_once_the_record_is_read() -> None:
    clock = Clock()
    backlog = Backlog(clock)
    assert backlog.seconds() == 0
    assert backlog.measure({0: 5, 1: 0}, {0, 1}) == 5  # appended long ago; here it is first noticed
    assert backlog.seconds() == 0
    clock.us += 7 * S
    assert backlog.measure({0: 5, 1: 0}, {0, 1}) == 5
    assert backlog.seconds() == 7
    backlog.polled([record(0, 0, START - 3600 * S), record(0, 1, START - 10 * S)])
    assert backlog.seconds() == 3607
    backlog.committed([record(0, 0, START - 3600 * S), record(0, 1, START - 10 * S)])
    assert backlog.seconds() == 17  # three more wait, none of them older than what was processed last
    assert backlog.known_us(clock.us) <= START
    assert backlog.measure({0: 5, 1: 0}, {1}) == 0  # the partition went to another worker
    assert backlog.seconds() == 0


def test_a_broker_whose_clock_is_ahead_gives_no_negative_age() -> None:
    clock = Clock()
    backlog = Backlog(clock)
    backlog.polled([record(0, 0, START + 60 * S)])
    assert backlog.seconds() == 0
