"""The life of a process that sends: what a turn that fails stops, and what is told of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import asyncpg
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge

from runtime.bell import Bell
from runtime.turns import Turns, spread

LOGGER = logging.getLogger("tests.turns")


def made(bell: Bell | None = None) -> tuple[Turns, Callable[[str], float]]:
    """(turns, how many faults were counted at a place)."""
    registry = CollectorRegistry()
    faults = Counter("faults_total", "x", ["where"], registry=registry)
    turned = Gauge("turned", "x", registry=registry)

    def counted(where: str) -> float:
        return registry.get_sample_value("faults_total", {"where": where}) or 0.0

    return Turns("letters", faults, turned, bell or Bell(), LOGGER), counted


async def run(turns: Turns, bell: Bell, *outcomes: Exception | bool) -> list[str | None]:
    """The trouble after each of several turns, which end so."""
    stop, left, seen = asyncio.Event(), list(outcomes), list[str | None]()

    async def turn() -> bool:
        if len(left) < len(outcomes):
            seen.append(turns.trouble)
        if not left:
            stop.set()
            return False
        bell.ring()  # the next one comes at once
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    await asyncio.wait_for(turns.run(stop, turn, ()), 10)
    return seen


async def test_an_outage_is_said_once_and_a_fault_is_counted_each_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bell = Bell()
    turns, counted = made(bell)
    away, wrong = ConnectionRefusedError("away"), asyncpg.UndefinedColumnError("wrong")
    with caplog.at_level(logging.WARNING, LOGGER.name):
        seen = await run(turns, bell, away, away, True, wrong, wrong, False)
    outage = "the database does not answer: ConnectionRefusedError"
    fault = "a fault of the program: UndefinedColumnError"
    assert seen == [outage, outage, None, fault, fault, None]
    assert counted("turn") == 2
    assert [record.getMessage() for record in caplog.records] == [
        "no letters now: away",
        "a turn of letters failed for a fault of the program; the rest goes on",
    ]


async def test_a_part_that_fails_stops_no_other_and_an_outage_ends_the_turn() -> None:
    turns, counted = made()
    with turns.apart("part", "a part"):
        raise KeyError("x")
    assert counted("part") == 1
    with pytest.raises(ConnectionResetError), turns.apart("part", "a part"):
        raise ConnectionResetError
    assert counted("part") == 1


async def test_nothing_goes_further_than_a_task_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    turns, counted = made()
    with turns.on_its_own("letter", "letter 7"):
        raise ConnectionResetError("gone")
    assert (counted("letter"), caplog.records[-1].getMessage()) == (
        0,
        "letter 7: the database does not answer: gone",
    )
    with turns.on_its_own("letter", "letter 7"):
        raise ValueError
    assert counted("letter") == 1
    with pytest.raises(asyncio.CancelledError), turns.on_its_own("letter", "letter 7"):
        raise asyncio.CancelledError


def test_pauses_are_spread_by_a_fifth() -> None:
    pauses = [spread(100.0) for _ in range(1_000)]
    assert 80 <= min(pauses) < 90
    assert 110 < max(pauses) <= 120
