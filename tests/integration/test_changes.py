"""The outbox of changes: the database notes every change by itself, in the order of commits, and no reader misses one."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from registry.changes import (
    Place,
    StoredChange,
    count_unread,
    drop_changes,
    hold_changes,
    read_changes,
    save_place,
    take_place,
    unread,
)
from rules.judge.context import Change, Context, Verdicts
from rules.judge.process import Judge
from rules.live.store import due
from rules.navigation import NoNavigator
from runtime.units import US_PER_DAY
from tests.waiting import until

FLEET = """
INSERT INTO organisations (id, name) VALUES ('O1', '财政局'), ('O2', '卫健委');
INSERT INTO vehicles (id, plate, organisation) VALUES ('V1', '苏F00001', 'O1'), ('V2', '苏F00002', 'O1');
INSERT INTO terminals (phone) VALUES ('13800000001'), ('13800000002');
INSERT INTO fuel_cards (id, organisation) VALUES ('C1', 'O1'), ('C2', 'O1');
INSERT INTO fuel_stations (id, name) VALUES ('S1', '人民路站');
"""
ORDER = (
    "INSERT INTO dispatch_orders (id, version, organisation, vehicle, task_type, status, destinations, planned_departure,"
    " planned_return, actual_departure) VALUES ('P1', {version}, 'O1', '{vehicle}', 'official', 'approved', '[]', '{planned}',"
    " '2026-03-02 18:00Z', {actual})"
)
FENCE = (
    "INSERT INTO fences (id, version, name, organisation, vehicles, original, datum, geometry, valid_from, valid_to)"
    " VALUES ('F1', {version}, 'f', 'O1', '{vehicles}', '{{}}', 'wgs84', '', '{since}', {until})"
)
BIND = "INSERT INTO terminal_bindings (terminal_no, vehicle_no, valid_from) VALUES (1, 1, '2026-01-01Z')"
CARD = "INSERT INTO card_bindings (card, plate, valid_from) VALUES ('C1', '苏F00001', '2026-01-01Z')"
FILL = "INSERT INTO fuel_transactions (id, card, at, kind) VALUES ('T1', 'C1', '2026-03-01Z', 'fill')"
OFFENCE = "INSERT INTO violations (id, plate, at) VALUES ('W1', '苏F00001', '2026-03-01Z')"
RULE = (
    "INSERT INTO rule_parameters (rule, name, organisation, value, effective_from)"
    " VALUES ('track', 'gap_s', {organisation}, 60, '2026-02-01Z')"
)
RESULT = (
    "INSERT INTO order_results (order_id, order_version, vehicle_no, state, mileage_mm, bridged_mm, fixes, destinations,"
    " returned_at, carried, computed_at) VALUES ('P1', 1, 1, '{state}', 0, 0, 0, '[]', '2026-03-02Z', '', now())"
)

#: (statements before, the statement, what it notes: kind, subject, vehicle, unit, from when on)
NOTED: list[tuple[list[str], str, set[tuple[Any, ...]]]] = [
    (
        [],
        ORDER.format(version=1, vehicle="V1", planned="2026-03-02 08:00Z", actual="NULL"),
        {("order", "P1", 1, None, "2026-03-02 08:00")},
    ),
    (
        [ORDER.format(version=1, vehicle="V1", planned="2026-03-02 08:00Z", actual="NULL")],
        ORDER.format(version=2, vehicle="V2", planned="2026-03-02 09:00Z", actual="'2026-03-02 08:30Z'"),
        {("order", "P1", 1, None, "2026-03-02 08:00"), ("order", "P1", 2, None, "2026-03-02 08:00")},
    ),
    (
        [],
        FENCE.format(version=1, vehicles="{}", since="2026-01-01Z", until="NULL"),
        {("fence", "F1", None, "O1", "2026-01-01 00:00")},
    ),
    (
        [],
        FENCE.format(version=1, vehicles="{V1,V2}", since="2026-01-01Z", until="NULL"),
        {("fence", "F1", 1, None, "2026-01-01 00:00"), ("fence", "F1", 2, None, "2026-01-01 00:00")},
    ),
    (
        [FENCE.format(version=1, vehicles="{V2}", since="2026-01-01Z", until="'2026-05-01Z'")],
        "UPDATE fences SET valid_to = '2026-04-01Z'",
        {("fence", "F1", 2, None, "2026-04-01 00:00")},
    ),
    (
        [],
        "INSERT INTO vehicles (id, plate, organisation) VALUES ('V3', '苏F00003', 'O2')",
        {("vehicle", "V3", 3, None, "1970-01-01 00:00")},
    ),
    (
        [],
        "UPDATE vehicles SET category = 'suv', updated_at = now() WHERE id = 'V1'",
        {("vehicle", "V1", 1, None, "1970-01-01 00:00")},
    ),
    (
        [],
        "UPDATE vehicles SET organisation = 'O2' WHERE id = 'V1'",
        {
            ("vehicle", "V1", 1, None, "1970-01-01 00:00"),
            ("vehicle_status", "V1", 1, None, "1970-01-01 00:00"),
        },
    ),
    (
        [],
        "UPDATE vehicles SET plate = '苏F00009' WHERE id = 'V1'",
        {
            ("vehicle", "V1", 1, None, "1970-01-01 00:00"),
            ("plate", "苏F00001", None, None, "1970-01-01 00:00"),
            ("plate", "苏F00009", None, None, "1970-01-01 00:00"),
        },
    ),
    ([], BIND, {("terminal_binding", "13800000001", 1, None, "2026-01-01 00:00")}),
    (
        [BIND],
        "UPDATE terminal_bindings SET valid_to = '2026-02-01Z'",
        {("terminal_binding", "13800000001", 1, None, "2026-02-01 00:00")},
    ),
    (
        [BIND],
        "UPDATE terminal_bindings SET vehicle_no = 2",
        {
            ("terminal_binding", "13800000001", 1, None, "2026-01-01 00:00"),
            ("terminal_binding", "13800000001", 2, None, "2026-01-01 00:00"),
        },
    ),
    (
        [BIND],
        "DELETE FROM terminal_bindings",
        {("terminal_binding", "13800000001", 1, None, "2026-01-01 00:00")},
    ),
    (
        [],
        "UPDATE fuel_cards SET status = 'lost' WHERE id = 'C1'",
        {("card", "C1", None, None, "1970-01-01 00:00")},
    ),
    ([], CARD, {("card_binding", "C1", None, None, "2026-01-01 00:00")}),
    (
        [CARD],
        "UPDATE card_bindings SET plate = '苏F00002'",
        {
            ("card_binding", "C1", None, None, "2026-01-01 00:00"),
            ("plate", "苏F00001", None, None, "2026-01-01 00:00"),
            ("plate", "苏F00002", None, None, "2026-01-01 00:00"),
        },
    ),
    (
        [CARD],
        "DELETE FROM card_bindings",
        {
            ("card_binding", "C1", None, None, "2026-01-01 00:00"),
            ("plate", "苏F00001", None, None, "2026-01-01 00:00"),
        },
    ),
    ([], FILL, {("transaction", "T1", None, None, "2026-03-01 00:00")}),
    (
        [FILL],
        "UPDATE fuel_transactions SET card = 'C2', at = '2026-02-01Z'",
        {
            ("transaction", "T1", None, None, "2026-02-01 00:00"),
            ("fills", "C1", None, None, "2026-03-01 00:00"),
            ("fills", "C2", None, None, "2026-02-01 00:00"),
        },
    ),
    (
        [FILL],
        "DELETE FROM fuel_transactions",
        {
            ("transaction", "T1", None, None, "2026-03-01 00:00"),
            ("fills", "C1", None, None, "2026-03-01 00:00"),
        },
    ),
    (
        [],
        "UPDATE fuel_stations SET aliases = '{西站}'",
        {("station", "S1", None, None, "1970-01-01 00:00")},
    ),
    ([], OFFENCE, {("violation", "W1", None, None, "2026-03-01 00:00")}),
    (
        [OFFENCE],
        "UPDATE violations SET status = 'revoked'",
        {
            ("violation", "W1", None, None, "2026-03-01 00:00"),
            ("offences", "苏F00001", None, None, "2026-03-01 00:00"),
        },
    ),
    (
        [],
        "INSERT INTO calendar_days (day, workday) VALUES ('2026-10-01', false)",
        {("calendar", "2026-10-01", None, None, "2026-09-30 16:00")},
    ),
    ([], RULE.format(organisation="NULL"), {("parameter", "track.gap_s", None, None, "2026-02-01 00:00")}),
    ([], RULE.format(organisation="'O1'"), {("parameter", "track.gap_s", None, "O1", "2026-02-01 00:00")}),
    (
        [RULE.format(organisation="'O1'")],
        "DELETE FROM rule_parameters",
        {("parameter", "track.gap_s", None, "O1", "2026-02-01 00:00")},
    ),
    ([], RESULT.format(state="running"), set()),
    ([], RESULT.format(state="settled"), {("result", "P1", 1, None, "2026-03-02 00:00")}),
    (
        [RESULT.format(state="running")],
        "UPDATE order_results SET state = 'settled'",
        {("result", "P1", 1, None, "2026-03-02 00:00")},
    ),
    # Another time of writing is no other content, and the same content is no change.
    ([], "UPDATE vehicles SET category = category, updated_at = now()", set()),
    ([FILL], "UPDATE fuel_transactions SET at = at, updated_at = now()", set()),
    ([BIND], "UPDATE terminal_bindings SET valid_to = valid_to", set()),
    ([CARD], "UPDATE card_bindings SET plate = plate", set()),
    ([RULE.format(organisation="NULL")], "UPDATE rule_parameters SET value = value", set()),
]


@pytest.fixture
async def fleet(pool: asyncpg.Pool) -> asyncpg.Pool:
    """The pool of a database with a small fleet."""
    await pool.execute(FLEET)
    return pool


async def new_changes(pool: asyncpg.Pool) -> list[StoredChange]:
    """What the reader ``live`` has not read; it has read it now."""
    async with pool.acquire() as conn, conn.transaction():
        place = await take_place(conn, "live")
        assert place is not None
        found = await read_changes(conn, place, 100_000)
        if found:
            await save_place(conn, "live", found[-1].place)
        return found


def shown(change: StoredChange) -> tuple[Any, ...]:
    since = change.from_time.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    return change.kind, change.subject, change.vehicle_no, change.organisation, since


async def test_the_database_notes_every_change_and_nothing_else(fleet: asyncpg.Pool) -> None:
    for before, statement, noted in NOTED:
        async with fleet.acquire() as conn:
            whole = conn.transaction()
            await whole.start()
            for one in before:
                await conn.execute(one)
            known = await conn.fetchval("SELECT COALESCE(max(seq), 0) FROM changes")
            await conn.execute(statement)
            rows = await conn.fetch(
                "SELECT kind, subject, vehicle_no, organisation, to_char(from_time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')"
                " FROM changes WHERE seq > $1",
                known,
            )
            await whole.rollback()
        assert {tuple(r) for r in rows} == noted, statement
        assert len(rows) == len(noted), statement


async def test_who_commits_later_is_read_later_whoever_began_first(fleet: asyncpg.Pool) -> None:
    await new_changes(fleet)
    async with fleet.acquire() as slow, fleet.acquire() as quick:
        begun = slow.transaction()
        await begun.start()
        await slow.execute(FILL)
        await quick.execute(OFFENCE)
        assert [c.kind for c in await new_changes(fleet)] == ["violation"]
        await begun.commit()
        assert [c.kind for c in await new_changes(fleet)] == ["transaction"]
    assert await new_changes(fleet) == []


async def test_readers_miss_nothing_of_many_writers_at_once(fleet: asyncpg.Pool) -> None:
    await new_changes(fleet)
    rng = random.Random(4)
    seen: list[str] = []

    async def writer(name: int) -> None:
        for k in range(25):
            async with fleet.acquire() as conn, conn.transaction():
                for part in ("a", "b"):
                    await conn.execute(
                        "INSERT INTO fuel_transactions (id, card, at, kind) VALUES ($1, 'C1', now(), 'fill')",
                        f"{name}-{k}-{part}",
                    )
                    await asyncio.sleep(
                        rng.choice((0, 0, 0.004))
                    )  # time: the writers should overlap in any way

    async def reader() -> None:
        while len(seen) < 300:
            seen.extend(c.subject for c in await new_changes(fleet))

    await asyncio.gather(reader(), *(writer(name) for name in range(6)))
    assert len(seen) == len(set(seen)) == 300
    for one in range(6):  # and of each transaction both, in the order in which it wrote
        assert [s for s in seen if s.startswith(f"{one}-")] == [
            f"{one}-{k}-{part}" for k in range(25) for part in ("a", "b")
        ]


async def test_a_large_commit_is_read_in_parts(fleet: asyncpg.Pool) -> None:
    await new_changes(fleet)
    await fleet.execute(
        "INSERT INTO fuel_transactions (id, card, at, kind) SELECT 'n' || k, 'C1', now(), 'fill' FROM generate_series(1, 25) k"
    )
    await fleet.execute(OFFENCE)
    found: list[StoredChange] = []
    async with fleet.acquire() as conn:
        assert await count_unread(conn, "live") == 26
        while await unread(conn, "live"):
            async with conn.transaction():
                place = await take_place(conn, "live")
                assert place is not None
                part = await read_changes(conn, place, 10)
                await save_place(conn, "live", part[-1].place)
            found += part
    assert len({c.subject for c in found}) == len(found) == 26
    assert found[-1].kind == "violation"


async def test_what_is_rolled_back_is_not_noted(fleet: asyncpg.Pool) -> None:
    await new_changes(fleet)
    async with fleet.acquire() as conn, conn.transaction():
        inner = conn.transaction()
        await inner.start()
        await conn.execute(FILL)
        await inner.rollback()
        await conn.execute(OFFENCE)
    async with fleet.acquire() as conn:
        whole = conn.transaction()
        await whole.start()
        await conn.execute(FILL)
        await whole.rollback()
        await conn.execute(CARD)  # on the same connection: a commit of its own
    first, second = await new_changes(fleet)
    assert (first.kind, second.kind) == ("violation", "card_binding")
    assert second.number > first.number
    assert await fleet.fetchval("SELECT count(*) FROM change_commits WHERE number IS NULL") == 0


async def someone_waits(pool: asyncpg.Pool) -> bool:
    return bool(
        await pool.fetchval(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"
        )
    )


async def test_while_changes_are_held_nobody_commits_one(fleet: asyncpg.Pool) -> None:
    events: list[str] = []

    async def write() -> None:
        async with fleet.acquire() as conn, conn.transaction():
            await conn.execute(FILL)  # the statement itself waits for nobody
            events.append("written")
        events.append("committed")

    async with fleet.acquire() as holder:
        async with holder.transaction():
            await hold_changes(holder)
            writing = asyncio.ensure_future(write())
            await until(lambda: someone_waits(fleet), "the writer waits")
            await holder.execute(OFFENCE)  # the holder itself may
            events.append("held")
        await writing
    assert events == ["written", "held", "committed"]
    assert [c.kind for c in await new_changes(fleet)][-2:] == ["violation", "transaction"]


async def test_a_reader_that_is_away_keeps_what_it_has_not_read(fleet: asyncpg.Pool) -> None:
    await fleet.execute(FILL)
    async with fleet.acquire() as conn:
        waiting = await count_unread(conn, "judge")
        await conn.execute("UPDATE change_commits SET noted_at = now() - interval '3 days'")
        await new_changes(fleet)
        await drop_changes(conn)
        assert await count_unread(conn, "judge") == waiting
        async with conn.transaction():
            place = await take_place(conn, "judge")
            assert place is not None
            found = await read_changes(conn, place, 100_000)
            await save_place(conn, "judge", found[-1].place)
        await drop_changes(conn)
        # The newest commit before the places stays, which says what was dropped.
        assert await conn.fetchval("SELECT count(DISTINCT commit_id) FROM changes") == 2


async def test_nothing_is_kept_for_a_reader_that_never_comes_and_it_is_told_when_it_does(
    fleet: asyncpg.Pool, db_url: str
) -> None:
    class Days:
        """Judges nothing, and says that there is something of every day."""

        name, rules = "days", ("mileage",)

        async def affected(self, context: Context, changes: Sequence[Change]) -> dict[str, int]:
            return {}

        async def by_clock(self, context: Context, from_us: int, until_us: int) -> dict[str, int]:
            return {}

        async def prepare(self, context: Context, keys: Sequence[str]) -> None: ...

        async def judge(self, context: Context, keys: Sequence[str]) -> Verdicts:
            seen.extend(keys)
            return Verdicts()

        async def between(self, context: Context, from_us: int, to_us: int) -> list[str]:
            return [f"{(to_us - from_us) // US_PER_DAY} days"]

    seen: list[str] = []
    for statement in (FILL, OFFENCE, CARD):
        await fleet.execute(statement)
    await fleet.execute("UPDATE change_commits SET noted_at = now() - interval '80 days'")
    async with fleet.acquire() as conn:
        kept = await conn.fetchval("SELECT count(*) FROM changes")
        await drop_changes(conn)
        assert await conn.fetchval("SELECT count(*) FROM changes") == kept
        await conn.execute("UPDATE change_readers SET seen_at = now() - interval '70 days'")
        await drop_changes(conn)
        assert await conn.fetchval("SELECT count(DISTINCT commit_id) FROM changes") == 2
        await due.spread(conn)
        rows = await conn.fetch("SELECT kind, subject FROM live_due ORDER BY vehicle_no")
        assert [tuple(r) for r in rows] == [("vehicle_status", "V1"), ("vehicle_status", "V2")]
        await due.spread(conn)
        assert await conn.fetchval("SELECT count(*) FROM live_due") == 2
    judge = Judge(db_url, [Days()], NoNavigator())
    while await judge.turn():
        pass
    await judge.close()
    assert seen == ["62 days"]


def test_places_are_in_order() -> None:
    change = StoredChange(7, 9, "order", "P1", 1, None, datetime(2026, 1, 1, tzinfo=UTC))
    assert change.place == Place(7, 9) > Place(7, 8) > Place(6, 99)
