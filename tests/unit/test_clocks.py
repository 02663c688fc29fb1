"""Clocks wrong by a constant are found from plain live reports; late uploads and stores that are sent again are not taken
for one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from random import Random

import numpy as np
import pytest

from rules.live.clocks import ClockWatch, Found
from telemetry.archive.clocks import EVER, Piece, Stated, derive, pieces_of
from telemetry.positions import PositionBatch, Source
from telemetry.quality import Quality, assess

S = 1_000_000
T0 = 1_772_400_000 * S
H8 = 28_800


def batch(
    rows: Sequence[tuple[float, float]], *, terminal: int = 7, source: int = Source.LIVE
) -> PositionBatch:
    """(received, device time) in seconds after T0."""
    n = len(rows)
    return PositionBatch.build(
        n, terminal=terminal, received_us=np.array([T0 + round(r * S) for r, _ in rows], np.int64),
        device_us=np.array([T0 + round(d * S) for _, d in rows], np.int64), lat_e6=29_500_000, lon_e6=106_500_000,
        status=3, source=source,
    )  # fmt: skip


def watch(*turns: PositionBatch, doubted: dict[int, int] | None = None) -> list[Found]:
    clock = ClockWatch()
    found = [clock.take(turn, assess(turn), np.ones(len(turn), np.bool_), doubted or {}) for turn in turns]
    return [one for one in found if one.wrong or one.right]


def live(count: int, every: float, lag: float, *, jitter: float = 0, seed: int = 1) -> list[PositionBatch]:
    """Reports as a terminal sends them, each its own turn."""
    random = Random(seed)
    return [batch([(k * every + random.random() * jitter, k * every - lag)]) for k in range(count)]


@pytest.mark.parametrize("lag", [H8, -H8, 1024 * 7 * 86_400, 1024 * 7 * 86_400 + H8, 3600])
def test_utc_as_gmt8_and_the_rollover_of_the_week_are_found_in_a_minute(lag: int) -> None:
    found = watch(*live(60, 10, lag, jitter=3))
    assert found
    terminal, since, told = found[0].wrong[0]
    assert terminal == 7
    assert abs(since - T0) < 4 * S
    assert abs(told - lag * S) < 4 * S
    assert watch(*live(12, 10, lag, jitter=3))
    assert not watch(*live(6, 10, lag))


@pytest.mark.parametrize("lag", [1234, 700, -2000, 40_000_000])
def test_any_constant_is_found_when_it_stays_for_ten_minutes(lag: int) -> None:
    assert watch(*live(100, 10, lag, jitter=50))
    assert not watch(*live(50, 10, lag))
    assert watch(*live(30, 60, lag))


def test_networks_delay_and_that_is_no_clock() -> None:
    assert watch(*live(500, 10, 0, jitter=300)) == []
    assert watch(*live(500, 10, 590)) == []
    assert watch(*live(500, 10, -590)) == []
    often = [batch([(k * 10 + (5000 if k % 3 else 1), k * 10)]) for k in range(300)]
    assert watch(*often) == []


@pytest.mark.parametrize("source", [Source.BATCH, Source.BLIND_ZONE, Source.HTTP, Source.QUERIED])
def test_uploads_are_late_by_nature(source: int) -> None:
    turns = [batch([(k * 10, k * 10 - H8)], source=source) for k in range(500)]
    assert watch(*turns) == []


@pytest.mark.parametrize("pace", [1.2, 2, 10, 100])
def test_a_store_that_is_sent_again_as_live_reports_shrinks(pace: float) -> None:
    """Eight and a half hours of reports, every 10 s, sent ``pace`` times as fast as they were recorded."""
    turns = [batch([(k * 10 / pace, k * 10 - 30_600)]) for k in range(3000)]
    assert watch(*turns) == []
    together = [batch([(k / pace, k * 10 + j - 30_600) for j in range(10)]) for k in range(300)]
    assert watch(*together) == []


def test_a_store_in_one_piece_is_no_clock() -> None:
    assert watch(batch([(0, k * 10 - 90_000) for k in range(5000)])) == []
    assert watch(batch([(k * 0.01, k * 10 - 90_000) for k in range(5000)])) == []


def test_the_same_report_again_and_again_is_no_clock() -> None:
    turns = [batch([(k * 10, -H8)]) for k in range(500)]
    assert watch(*turns) == []


def test_one_report_in_time_says_that_the_clock_is_right() -> None:
    turns = live(60, 10, H8)
    turns[20::5] = [batch([(k * 10, k * 10)]) for k in range(20, 60, 5)]
    assert len(watch(*turns[20:])) == 0
    (found,) = watch(batch([(5, 4), (6, 5)]), doubted={7: H8 * S})
    assert found.right == [(7, T0 + 5 * S)]
    assert watch(*live(60, 10, H8), doubted={7: H8 * S}) == []  # known


def test_many_terminals_at_once() -> None:
    clock, wrong = ClockWatch(), set()
    for k in range(60):
        parts = [batch([(k * 10, k * 10 - (H8 if no % 3 else 0))], terminal=no) for no in range(1, 40)]
        turn = PositionBatch.concat(parts)
        wrong |= {no for no, _, _ in clock.take(turn, assess(turn), np.ones(len(turn), np.bool_), {}).wrong}
    assert wrong == {no for no in range(1, 40) if no % 3}


# --- what is known, applied


def stated(*given: tuple[int, int, int, bool]) -> list[Piece]:
    """The pieces of (from, to, shift, whether it is a doubt)."""
    return pieces_of([Stated(*one) for one in given])


def test_pieces() -> None:
    plain = Piece(EVER[0], 10, 0, False)
    assert stated((10, EVER[1], 5, False)) == [plain, Piece(10, EVER[1], 5, False)]
    assert stated((10, 20, 5, False), (15, EVER[1], 7, False)) == [
        plain, Piece(10, 15, 5, False), Piece(15, EVER[1], 7, False),
    ]  # fmt: skip
    assert stated((10, EVER[1], 5, False), (30, 40, 0, True))[-2:] == [
        Piece(30, 40, 5, True), Piece(40, EVER[1], 5, False),
    ]  # fmt: skip


def test_what_was_received_is_corrected_and_what_is_in_doubt_is_no_evidence() -> None:
    rows = batch([(0, -H8), (100, 100 - H8), (200, 200 - H8), (300, 300)])
    clocks = {7: stated((T0 + 100 * S, T0 + 200 * S, H8 * S, False), (T0 + 200 * S, T0 + 300 * S, 0, True))}
    made, quality = derive(rows, assess(rows), clocks)
    assert ((made.device_us - T0) // S).tolist() == [-H8, 100, 200 - H8, 300]
    assert quality.tolist() == [0, 0, Quality.CLOCK_WRONG, 0]
    assert derive(rows, assess(rows), {8: clocks[7]})[0] is rows


def test_a_clock_that_is_ahead_is_evidence_again_when_it_is_corrected() -> None:
    rows = batch([(0, H8), (10, 10 + H8 + 700)])
    assert assess(rows).tolist() == [Quality.TIME_AHEAD] * 2
    made, quality = derive(rows, assess(rows), {7: stated((T0, EVER[1], -H8 * S, False))})
    assert ((made.device_us - T0) // S).tolist() == [0, 710]
    assert quality.tolist() == [0, Quality.TIME_AHEAD]


def test_many_terminals_with_corrections_are_each_their_own() -> None:
    random = Random(3)
    clocks, parts = {}, []
    for no in range(1, 60):
        parts.append(batch([(k * 10, k * 10) for k in range(30)], terminal=no))
        given = [
            (T0 + random.randrange(300) * S, T0 + random.randrange(300, 600) * S, random.randrange(-9, 9) * 900 * S, random.random() < 0.3)
            for _ in range(random.randrange(3))
        ]  # fmt: skip
        if given:
            clocks[no] = stated(*given)
    rows = PositionBatch.concat(parts)
    made, quality = derive(rows, assess(rows), clocks)
    for k in range(len(rows)):
        received = int(rows.received_us[k])
        piece = next(
            (p for p in clocks.get(int(rows.terminal[k]), ()) if p.from_us <= received < p.to_us),
            Piece(*EVER, 0, False),
        )
        assert made.device_us[k] == rows.device_us[k] + piece.shift_us
        assert bool(quality[k] & Quality.CLOCK_WRONG) == piece.doubted
        assert bool(quality[k] & Quality.TIME_AHEAD) == (piece.shift_us > 600 * S)


def plain_pieces(given: list[tuple[int, int, int, bool]]) -> list[tuple[int, int, int, bool, bool]]:
    """The definition of ``pieces_of``, moment by moment."""
    edges = sorted({*EVER, *(edge for one in given for edge in one[:2])})
    found: list[tuple[int, int, int, bool, bool]] = []
    for a, b in pairwise(edges):
        here = [one for one in given if one[0] <= a < one[1]]
        shift = max((one for one in here if not one[3]), key=lambda one: one[0], default=(0, 0, 0, False))[2]
        value = (shift, any(one[3] for one in here), any(not one[3] for one in here))
        if found and found[-1][2:] == value:
            a = found.pop()[0]
        found.append((a, b, *value))
    return found


def test_any_corrections_and_doubts() -> None:
    rng = Random(8)
    for _ in range(1_000):
        starts = rng.sample(range(30), rng.randrange(7))
        given = [(s, s + rng.randrange(1, 9), rng.randrange(-2, 3), rng.random() < 0.3) for s in starts]
        made = [(p.from_us, p.to_us, p.shift_us, p.doubted, p.said) for p in stated(*given)]
        assert made == plain_pieces(given)


def test_thousands_of_corrections_of_one_terminal_cost_little() -> None:
    """Every batch of positions looks at them: one terminal's file of corrections must not hold the worker. The number of
    pieces grows with theirs, and a batch sees those of its own time only."""
    count = 20_000
    pieces = stated(*((k * 10, EVER[1], k % 7 * 1_000_000, False) for k in range(count)))
    assert len(pieces) <= count + 1
    assert [(p.from_us, p.shift_us) for p in pieces[-2:]] == [
        ((count - k) * 10, (count - k) % 7 * 1_000_000) for k in (2, 1)
    ]
