"""The ranking of a period, made in one pass over its closings, against the sheets of each unit made event by event, on random threads in a
real database; and nobody reads another's closings or counts by the functions behind."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from office.assessment import sheets
from office.assessment.periods import Period
from office.assessment.sheets import Sources
from office.identity.scope import Reach
from office.supervision.closings import Closing, closings_between
from office.supervision.states import Event, Step, fold
from runtime.connection import Connection
from runtime.units import midnight
from tests.unit.test_closings import CLOCKS, closing_by_events, thread

UNITS = ("u1", "u2", "u3")
CITY = Reach(frozenset({"city"}), "user:head")


async def fill(connection: Connection, count: int) -> None:
    """Random threads, as people would have written them."""
    await connection.execute(
        "INSERT INTO organisations (id, name, parent) VALUES ('city', '市', NULL), ('far', '远', NULL), ('u1', '一', 'city'),"
        " ('u2', '二', 'city'), ('u3', '三', 'city'); SET session_replication_role = replica"
    )
    for seed in range(count):
        events = thread(seed, f"N{seed}")
        case = fold(events)
        await connection.execute(
            "INSERT INTO cases (id, organisation, number, state, version, source, level, title, finding, created_at, issued_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, 'general', 'x', $7, $8, $8)",
            f"c{seed}", case.organisation, case.number, case.state, case.version, case.contents["source"], case.finding, events[0].at,
        )  # fmt: skip
        await connection.executemany(
            "INSERT INTO case_events (case_id, version, step, at, actor, persons, actor_name, body) VALUES ($1, $2, $3, $4, '', $5, '', $6)",
            [(f"c{seed}", e.version, e.step, e.at, sorted(e.persons), dict(e.body)) for e in events],
        )
    await connection.execute("RESET session_replication_role")


async def by_events(connection: Connection, units: Collection[str], since: date, until: date) -> list[Closing]:  # fmt: skip
    """The closings, thread by thread and event by event."""
    rows = await connection.fetch(
        "SELECT number, version, step, at, persons, body FROM assessed_threads($1, $2, $3)",
        sorted(units), midnight(since), midnight(until + timedelta(days=1)),
    )  # fmt: skip
    threads: dict[str, list[Event]] = {}
    for row in rows:
        event = Event(row["version"], Step(row["step"]), row["at"], frozenset(row["persons"]), row["body"])
        threads.setdefault(row["number"], []).append(event)
    made = [closing_by_events(events, CLOCKS) for events in threads.values()]
    return sorted(
        (one for one in made if one is not None and since <= one.day <= until),
        key=lambda one: (one.day, one.number),
    )


async def test_a_ranking_is_the_sheets_of_its_units(pool: asyncpg.Pool) -> None:
    async def nothing(since: dict[str, datetime]) -> frozenset[str]:
        return frozenset()

    async with pool.acquire() as connection:
        await fill(connection, 150)
        async with connection.transaction(readonly=True):
            await connection.execute(CITY.sql())

            async def at_once(units: Collection[str], since: date, until: date) -> Sequence[Closing]:
                return await closings_between(connection, units, since, until, CLOCKS)

            async def one_by_one(units: Collection[str], since: date, until: date) -> Sequence[Closing]:
                return await by_events(connection, units, since, until)

            found = 0
            for period in (*(Period(2026, quarter) for quarter in (1, 2, 3, 4)), Period(2026)):
                whole = await at_once([*UNITS, "far"], period.first, period.last)
                assert whole == await one_by_one([*UNITS, "far"], period.first, period.last)
                found += len(whole)
                ranking = await sheets.scores(connection, Sources(at_once, nothing), UNITS, period)
                single = []
                for unit in UNITS:
                    one = await sheets.open_sheet(connection, Sources(one_by_one, nothing), unit, period)
                    if one.sheet.lines:
                        single.append({"organisation": unit, "points": one.sheet.score, "closed": False})
                assert ranking == single, period
            assert found >= 200  # each is in its quarter and in the year


async def test_closings_and_counts_are_of_units_in_reach(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection:
        await fill(connection, 12)
        since, until = midnight(date(2026, 1, 1)), midnight(date(2027, 1, 1))
        closings = "SELECT number FROM assessed_closings('{u1,u2,u3}', $1, $2)"
        own = {
            row["number"]
            for row in await connection.fetch("SELECT number FROM cases WHERE organisation = 'u1'")
        }

        async def asked(reach: Reach, query: str, *values: Any) -> list[Any]:
            async with connection.transaction(readonly=True):
                await connection.execute(reach.sql())
                return [tuple(row) for row in await connection.fetch(query, *values)]

        unit, nobody = Reach(frozenset({"u1"}), "user:u"), Reach(frozenset({"far"}), "user:f")
        assert {number for (number,) in await asked(unit, closings, since, until)} == own
        assert await asked(nobody, closings, since, until) == []
        every = "SELECT sum(n)::int FROM counted_cases($1, $2, NULL, '2026-12-01')"
        for whole, part in ((None, []), (["u1", "u2", "u3"], []), ([], ["u1", "u2"])):
            assert await asked(unit, every, whole, part) == [(len(own),)]
            assert await asked(nobody, every, whole, part) == [(0,)]
        months = "SELECT COALESCE(sum(cases), 0)::int FROM counted_months($1, $2, $3)"
        assert await asked(unit, months, None, since, until) == [(len(own),)]
        assert await asked(unit, months, ["u2", "u1"], since, until) == [(len(own),)]
        assert await asked(nobody, months, ["u1"], since, until) == [(0,)]
        # Who must not see a secret vehicle counts by what he is shown, masked, and never by these.
        await connection.execute("INSERT INTO vehicles (id, plate, organisation, secret) VALUES ('s', '苏F0', 'u1', true)")  # fmt: skip
        for query, values in ((every, (None, [])), (months, (None, since, until))):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await asked(unit, query, *values)
