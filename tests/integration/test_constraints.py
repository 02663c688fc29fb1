"""What the registry promises, the database keeps: also against a hand with SQL, and against two who write at once."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import asyncpg
import pytest

from registry.records import KINDS, apply
from registry.refusals import RefusedError
from runtime.migrations import migrate, migration_files
from tests.waiting import until

FENCE = {
    "name": "停车场", "organisation": "O", "datum": "wgs84", "valid_from": "2026-01-01T00:00:00Z",
    "geometry": {"type": "Polygon", "coordinates": [
        [[120.89, 31.98], [120.892, 31.98], [120.892, 31.982], [120.89, 31.982], [120.89, 31.98]]]},
}  # fmt: skip
ORDER = {
    "organisation": "O", "vehicle": "V1", "status": "approved", "destinations": [{"name": "市区"}],
    "planned_departure": "2026-03-02T08:30:00+08:00", "planned_return": "2026-03-02T17:30:00+08:00",
}  # fmt: skip


async def enter(conn: Any, kind: str, *bodies: dict[str, Any]) -> None:
    async with conn.transaction():
        await apply(conn, [KINDS[kind].model.model_validate(body) for body in bodies])


@pytest.fixture
async def office(pool: asyncpg.Pool) -> asyncpg.Pool:
    """Two vehicles and one that was disposed of, two terminals (the first one in the first vehicle), a card, a fence and an order."""
    async with pool.acquire() as conn:
        await enter(conn, "organisations", {"id": "O", "name": "办公室"})
        await enter(
            conn, "vehicles", *({"id": f"V{k}", "plate": f"苏F0000{k}", "organisation": "O"} for k in (1, 2))
        )
        gone = {"id": "V0", "plate": "苏F00000", "organisation": "O", "disposed_on": "2025-01-01"}
        await enter(conn, "vehicles", gone)
        await enter(
            conn, "terminals", {"id": "1", "vehicle": "V1", "valid_from": "2026-03-01T00:00:00Z"}, {"id": "2"}
        )
        card = {"id": "C", "organisation": "O", "plate": "苏F00001", "valid_from": "2026-03-01T00:00:00Z"}
        await enter(conn, "fuel-cards", card)
        await enter(conn, "fences", FENCE | {"id": "F"})
        await enter(conn, "dispatch-orders", ORDER | {"id": "D"})
    return pool


_OF_TERMINAL = "INSERT INTO terminal_bindings SELECT t.no, v.no, $1, $2 FROM terminals t, vehicles v WHERE t.phone = '{}' AND v.id = '{}'"


@pytest.mark.parametrize(
    ("constraint", "sql"),
    [
        ("terminal_in_one_vehicle", _OF_TERMINAL.format("1", "V2")),
        ("card_bound_once", "INSERT INTO card_bindings VALUES ('C', '苏F00002', $1, $2)"),
        (
            "one_version_of_fence",
            "INSERT INTO fences SELECT id, 2, name, organisation, vehicles, original, datum, geometry, $1, $2 FROM fences",
        ),
        ("one_vehicle_of_plate", "INSERT INTO vehicle_plates SELECT no, '苏F00001', $1, $2 FROM vehicles WHERE id = 'V0'"),
    ],
)  # fmt: skip
async def test_nothing_is_twice_at_once(office: asyncpg.Pool, constraint: str, sql: str) -> None:
    year = await office.fetchval("SELECT extract(year FROM now())::integer")
    then, later = [await office.fetchval(f"SELECT '{year + k}-06-01Z'::timestamptz") for k in (1, 2)]
    for until_ in (later, None):
        with pytest.raises(asyncpg.ExclusionViolationError) as refused:
            await office.execute(sql, then, until_)
        assert refused.value.constraint_name == constraint
    early, end = [await office.fetchval(f"SELECT '{y}-06-01Z'::timestamptz") for y in (2001, 2002)]
    await office.execute(sql, early, end)  # at another time it is no contradiction


async def test_a_vehicle_has_one_plate(office: asyncpg.Pool) -> None:
    with pytest.raises(asyncpg.UniqueViolationError, match="one_plate_of_vehicle"):
        await office.execute(
            "INSERT INTO vehicle_plates SELECT no, '苏F00003', '2001-01-01Z' FROM vehicles WHERE id = 'V2'"
        )


async def test_an_order_has_one_current_version(office: asyncpg.Pool) -> None:
    columns = await office.fetchval(
        "SELECT string_agg(quote_ident(attname::text), ', ' ORDER BY attnum) FROM pg_attribute"
        " WHERE attrelid = 'dispatch_orders'::regclass AND attnum > 0 AND attname NOT IN ('no', 'version', 'is_current')"
    )
    # Many versions in one statement, in any order: the highest is the current one.
    await office.execute(
        f"INSERT INTO dispatch_orders (version, {columns}) SELECT v, {columns} FROM dispatch_orders"  # noqa: S608
        " CROSS JOIN unnest('{4,2,7,3}'::integer[]) AS v"
    )
    rows = await office.fetch("SELECT version, is_current FROM dispatch_orders ORDER BY version")
    assert [tuple(r) for r in rows] == [(v, v == 7) for v in (1, 2, 3, 4, 7)]
    with pytest.raises(asyncpg.UniqueViolationError, match="one_current_version_of_order"):
        await office.execute("UPDATE dispatch_orders SET is_current = true WHERE version = 3")


@pytest.mark.parametrize(
    ("sql", "kind", "body", "said"),
    [
        ("INSERT INTO card_bindings VALUES ('D', '苏F00002', $1, $2)", "fuel-cards",
         {"id": "D", "organisation": "O", "plate": "苏F00001", "valid_from": "2026-05-01T00:00:00Z"},
         "该油卡同一时间已绑定另一车牌"),
        ("UPDATE vehicles SET plate = '苏F00009' WHERE id = 'V1' AND $1::timestamptz IS DISTINCT FROM $2::timestamptz",
         "vehicles", {"id": "V2", "plate": "苏F00009", "organisation": "O"}, "该车牌已属于另一辆车"),
    ],
)  # fmt: skip
async def test_who_writes_the_contrary_at_once_is_refused(
    office: asyncpg.Pool, sql: str, kind: str, body: dict[str, Any], said: str
) -> None:
    """Somebody writes around the registry's lock. The registry sees nothing, waits for him, and refuses."""
    await office.execute("DELETE FROM terminal_bindings")
    async with office.acquire() as conn:
        await enter(conn, "fuel-cards", {"id": "D", "organisation": "O"})
    then = await office.fetchval("SELECT '2026-04-01Z'::timestamptz")
    async with office.acquire() as other, office.acquire() as mine:
        transaction = other.transaction()
        await transaction.start()
        await other.execute(sql, then, None)
        entering = asyncio.create_task(enter(mine, kind, body))
        await until(
            lambda: office.fetchval(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pid = $1)", mine.get_server_pid()
            ),
            "the registry waits for the other transaction",
        )
        await transaction.commit()
        with pytest.raises(RefusedError) as refused:
            await entering
    assert refused.value.conflict
    assert said in refused.value.message
    assert " · " in refused.value.message


async def plates(pool: asyncpg.Pool) -> dict[str, list[str]]:
    """The plates of every vehicle in their order; the one that it has is marked."""
    found: dict[str, list[str]] = {}
    for row in await pool.fetch(
        "SELECT v.id, p.plate, p.valid_to FROM vehicle_plates p JOIN vehicles v ON v.no = p.vehicle_no ORDER BY p.valid_from"
    ):
        found.setdefault(row["id"], []).append(row["plate"] + ("" if row["valid_to"] else "!"))
    return found


async def test_plates_have_a_history(office: asyncpg.Pool) -> None:
    def car(name: str, plate: str, **more: Any) -> dict[str, Any]:
        return {"id": name, "plate": plate, "organisation": "O"} | more

    async with office.acquire() as conn:
        await enter(conn, "vehicles", car("V1", "苏F00002"), car("V2", "苏F00001"))  # exchanged
        assert await plates(office) == {"V1": ["苏F00001", "苏F00002!"], "V2": ["苏F00002", "苏F00001!"]}
        await enter(
            conn, "vehicles", car("V3", "苏F00002"), car("V1", "苏F00002", disposed_on="2026-03-01")
        )  # handed to a new one
        assert await plates(office) == {
            "V1": ["苏F00001", "苏F00002"], "V2": ["苏F00002", "苏F00001!"], "V3": ["苏F00002!"]
        }  # fmt: skip
        await enter(
            conn, "vehicles", car("V2", "苏F00005"), car("V1", "苏F00001")
        )  # not disposed of, after all
        assert (await plates(office))["V1"] == ["苏F00001", "苏F00002", "苏F00001!"]
        async with conn.transaction():  # there and back in one transaction: nothing happened
            for plate in ("苏F00006", "苏F00005"):
                await apply(conn, [KINDS["vehicles"].model.model_validate(car("V2", plate))])
        assert (await plates(office))["V2"][-1] == "苏F00005!"
        for wrong in (car("V2", "苏F00001"), car("V4", "苏F00001")):
            with pytest.raises(RefusedError, match="苏F00001"):
                await enter(conn, "vehicles", wrong)
    # A transaction that began first and comes last: its clock is behind the other's.
    async with office.acquire() as late, office.acquire() as conn:
        async with late.transaction():
            await late.fetchval("SELECT now()")
            await enter(conn, "vehicles", car("V2", "苏F00007"))
            await enter(conn, "vehicles", car("V2", "苏F00008"))
            await apply(late, [KINDS["vehicles"].model.model_validate(car("V3", "苏F00007"))])
        assert (await plates(office))["V3"][-1] == "苏F00007!"


async def test_contradictions_of_the_last_release_are_mended_and_told(
    released_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    conn = await asyncpg.connect(released_database)
    try:
        await conn.execute(
            """
            INSERT INTO terminals (phone) SELECT '99900' || k FROM generate_series(1, 4) k;
            INSERT INTO vehicles (id, plate, organisation)
                SELECT 'X' || k, 'X' || k, (SELECT min(id) FROM organisations) FROM generate_series(1, 3) k;
            -- X1: the second came while the first was there; X2: two at the same moment; the fourth terminal: in two vehicles.
            INSERT INTO terminal_bindings SELECT t.no, v.no, b.since, b.until FROM (VALUES
                ('999001', 'X1', '2025-01-01Z'::timestamptz, NULL::timestamptz), ('999002', 'X1', '2025-03-01Z', NULL),
                ('999003', 'X2', '2025-01-01Z', NULL), ('999004', 'X2', '2025-01-01Z', NULL),
                ('999004', 'X3', '2025-05-01Z', '2025-06-01Z')) AS b (phone, vehicle, since, until)
                JOIN terminals t USING (phone) JOIN vehicles v ON v.id = b.vehicle;
            INSERT INTO fuel_cards (id, organisation) SELECT 'XC', min(id) FROM organisations;
            INSERT INTO card_bindings VALUES ('XC', 'A', '2025-01-01Z', '2025-04-01Z'), ('XC', 'B', '2025-02-01Z', NULL);
            INSERT INTO fences SELECT 'XF', v, name, organisation, '{X1}', original, datum, geometry, since, NULL
                FROM (SELECT * FROM fences LIMIT 1) AS one,
                     (VALUES (1, '2025-01-01Z'::timestamptz), (2, '2025-03-01Z'), (3, '2025-02-01Z')) AS n (v, since);
            UPDATE dispatch_orders o SET is_current = true WHERE (id, version) IN (SELECT id, 1
                FROM dispatch_orders WHERE version = 2 ORDER BY id LIMIT 1);
            """
        )
        twice = await conn.fetch(
            "SELECT id FROM dispatch_orders WHERE is_current GROUP BY 1 HAVING count(*) > 1"
        )
        assert len(twice) == 1
        with caplog.at_level(logging.WARNING, "runtime.migrations"):
            await migrate(released_database)
        for table, count in (
            ("terminal_bindings", 3),
            ("card_bindings", 1),
            ("fences", 2),
            ("dispatch_orders", 1),
        ):
            assert f"{count} contradicting rows of {table} were mended" in caplog.text
            assert f"已修正 {table} 中 {count} 行" in caplog.text
            kept = await conn.fetchval("SELECT count(*) FROM mended_rows WHERE table_name = $1", table)
            assert kept == count
        bindings = await conn.fetch(
            "SELECT t.phone, v.id, b.valid_from::date::text, b.valid_to::date::text FROM terminal_bindings b"
            " JOIN terminals t ON t.no = b.terminal_no JOIN vehicles v ON v.no = b.vehicle_no WHERE phone LIKE '9990%'"
            " ORDER BY 1, 3"
        )
        assert [tuple(r) for r in bindings] == [
            ("999001", "X1", "2025-01-01", "2025-03-01"), ("999002", "X1", "2025-03-01", None),
            ("999004", "X2", "2025-01-01", "2025-05-01"), ("999004", "X3", "2025-05-01", "2025-06-01"),
        ]  # fmt: skip
        cards = await conn.fetch(
            "SELECT plate, valid_to::date::text FROM card_bindings WHERE card = 'XC' ORDER BY 1"
        )
        assert [tuple(r) for r in cards] == [("A", "2025-02-01"), ("B", None)]
        fences = await conn.fetch(
            "SELECT version, valid_to::date::text FROM fences WHERE id = 'XF' ORDER BY 1"
        )
        assert [tuple(r) for r in fences] == [(1, "2025-02-01"), (2, "2025-03-01"), (3, None)]
        wrong = await conn.fetch(
            "SELECT id FROM dispatch_orders GROUP BY id HAVING max(version) <> max(version) FILTER (WHERE is_current)"
            " OR count(*) FILTER (WHERE is_current) <> 1"
        )
        assert wrong == []
    finally:
        await conn.close()


async def test_what_was_mended_is_judged_again(released_database: str) -> None:
    conn = await asyncpg.connect(released_database)
    try:
        await conn.execute(
            """
            INSERT INTO terminals (phone) VALUES ('999001'), ('999002');
            INSERT INTO terminal_bindings SELECT t.no, v.no, b.since, NULL FROM (VALUES
                ('999001', '2025-01-01Z'::timestamptz), ('999002', '2025-03-01Z')) AS b (phone, since)
                JOIN terminals t USING (phone) JOIN vehicles v ON v.id = 'V-3-0047';
            """
        )
        before = await conn.fetchval("SELECT count(*) FROM fact_changes")
        # Up to 0013 only: what later migrations make of the queue is their own.
        for file in migration_files():
            if file.name[:4] in ("0012", "0013"):
                await conn.execute(file.read_text("utf-8"))
        changes = await conn.fetch(
            "SELECT f.kind, f.subject, v.id, f.from_time::date::text FROM fact_changes f JOIN vehicles v ON v.no = f.vehicle_no"
            " ORDER BY f.seq DESC LIMIT 1"
        )
        assert [tuple(r) for r in changes] == [("binding", "999001", "V-3-0047", "2025-03-01")]
        assert await conn.fetchval("SELECT count(*) FROM fact_changes") == before + 1
    finally:
        await conn.close()
