"""The audit: every write with what was before and after, every reading of a track, of evidence, of a person's data."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from api.auth.audited import purpose_needed
from office.identity.audit import keep_months
from office.identity.scope import Reach
from office.identity.subject import Grant, Kind, Role, Subject, grants_of_role
from runtime.partitions import partitions_of
from tests.integration.scope_world import (
    SPAN,
    ScopeWorld,
    phone,
    records,
    scope_database,
    scope_world,
)

SINCE = "2026-01-01T00:00:00+08:00"


@pytest.fixture(scope="module")
def made(postgres_dsn: str, template_database: str) -> Iterator[tuple[str, dict[str, str]]]:
    with scope_database(postgres_dsn, template_database) as database:
        yield database


@pytest.fixture
async def units(made: tuple[str, dict[str, str]]) -> AsyncIterator[ScopeWorld]:
    async with scope_world(*made) as world:
        yield world


@pytest.fixture
async def clerk(units: ScopeWorld) -> AsyncIterator[httpx.AsyncClient]:
    """Who reads and writes in the unit a, from a known address."""
    secret = await units.token(
        {"registry:read", "registry:write", "tracks:read", "alerts:read", "audit:read"}, "a"
    )
    async with units.client(
        secret, **{"User-Agent": "browser " + "x" * 500, "X-Forwarded-For": "10.1.2.3"}
    ) as client:
        yield client


async def entries(units: ScopeWorld, **wanted: str) -> list[dict[str, Any]]:
    """Entries that have ``wanted``, the newest first."""
    rows = await units.pool.fetch("SELECT * FROM audit ORDER BY at DESC, no DESC")
    return [dict(row) for row in rows if all(row[name] == value for name, value in wanted.items())]


async def test_a_write_is_there_with_what_was_before_and_after(
    units: ScopeWorld, clerk: httpx.AsyncClient
) -> None:
    id, body = records("a1")["vehicles"]
    for category in ("机要通信", "应急保障"):
        assert (await clerk.put(f"/v1/vehicles/{id}", json=body | {"category": category})).status_code == 200
    newest, first = (await entries(units, subject_kind="vehicles", subject_id=id))[:2]
    assert (newest["before"], newest["after"]) == ({"category": "机要通信"}, {"category": "应急保障"})
    assert (first["before"], first["after"]) == ({"category": ""}, {"category": "机要通信"})
    assert (newest["who_kind"], newest["who_name"], newest["organisation"], newest["vehicle"]) == (
        "token",
        "matrix",
        "a1",
        id,
    )
    assert (newest["operation"], newest["action"]) == ("PUT /v1/vehicles/{id}", "write")
    assert newest["address"] == "127.0.0.1"
    assert newest["forwarded_for"] == "10.1.2.3"
    assert newest["agent"].startswith("browser")
    assert len(newest["agent"]) == 200
    # The same again changes nothing, and leaves nothing.
    count = len(await entries(units))
    assert (await clerk.put(f"/v1/vehicles/{id}", json=body | {"category": "应急保障"})).json()[
        "outcome"
    ] == "unchanged"
    # What is refused is not done.
    assert (await clerk.put("/v1/vehicles/car-b", json=body)).status_code >= 400
    assert len(await entries(units)) == count


async def test_versions_bindings_and_what_is_taken_back(units: ScopeWorld, clerk: httpx.AsyncClient) -> None:
    id, body = records("a1")["dispatch-orders"]
    assert (await clerk.put(f"/v1/dispatch-orders/{id}", json=body | {"purpose": "调研"})).status_code == 200
    (order,) = (await entries(units, subject_kind="dispatch-orders", subject_id=id, who_name="matrix"))[:1]
    assert (order["before"]["purpose"], order["after"]["purpose"]) == ("", "调研")
    assert "destinations" not in order["after"]
    terminal = {"vehicle": "car-a1", "valid_from": "2025-12-01T00:00:00+08:00"}
    assert (await clerk.put(f"/v1/terminals/{phone('a1')}", json=terminal)).status_code == 200
    assert {
        e["vehicle"]
        for e in await entries(units, subject_kind="terminals", subject_id=phone("a1"), who_name="matrix")
    } == {"car-a1"}
    assert (await clerk.delete("/v1/clock-corrections/clock-a1")).status_code == 204
    (gone,) = await entries(units, subject_kind="clock-corrections", subject_id="clock-a1", who_name="matrix")
    assert gone["after"] is None
    assert gone["before"]["shift_s"] == 60
    assert gone["organisation"] == "a1"
    polygon = [[[120.0 + i / 1000, 31 + (i % 2) / 1000] for i in range(100)] + [[120.1, 32.0], [120.0, 31.0]]]
    fence = records("a1")["fences"][1] | {"geometry": {"type": "Polygon", "coordinates": polygon}}
    answer = await clerk.put("/v1/fences/fence-a1", json=fence)
    if answer.status_code == 200:  # long values are kept by their hash
        (new,) = [
            e
            for e in await entries(units, subject_kind="fences", subject_id="fence-a1")
            if "original" in (e["after"] or {})
        ][:1]
        assert set(new["after"]["original"]) == {"length", "sha256"}


async def test_an_import_is_one_entry_and_one_of_each_record(
    units: ScopeWorld, clerk: httpx.AsyncClient
) -> None:
    drivers = [{"id": f"imported-{i}", "name": f"驾驶员{i}", "organisation": "a1"} for i in range(2_500)]
    for rows in (drivers[:3], drivers):  # the large one runs in a process of its own
        assert (await clerk.post("/v1/drivers:import", json=rows, timeout=60)).status_code == 200
    large, small = await entries(units, action="import")
    assert (small["detail"]["created"], large["detail"]["created"], large["detail"]["unchanged"]) == (
        3,
        2_497,
        3,
    )
    assert len(large["detail"]["sha256"]) == 64
    assert large["who_name"] == "matrix"
    each = [
        e
        for e in await entries(units, action="write", subject_kind="drivers")
        if str(e["subject_id"]).startswith("imported")
    ]
    assert len(each) == 2_500
    assert {e["operation"] for e in each} == {"POST /v1/drivers:import"}
    count = len(await entries(units))
    assert (
        await clerk.post("/v1/drivers:import?dry_run=true", json=[drivers[0] | {"name": "x"}])
    ).status_code == 200
    assert len(await entries(units)) == count


async def test_readings_are_noted_with_their_purpose(units: ScopeWorld, clerk: httpx.AsyncClient) -> None:
    alert = units.alerts["a1"]
    for path, kind, id, vehicle in (
        ("/v1/vehicles/car-a1/track", "track", "car-a1", "car-a1"),
        (f"/v1/alerts/{alert}/evidence", "evidence", alert, "car-a1"),
        ("/v1/drivers/driver-a1", "drivers", "driver-a1", None),
        ("/v1/fuel-cards/card-a1", "fuel-cards", "card-a1", None),
    ):
        query = SPAN if kind == "track" else {}
        for purpose, how in (("核查", {}), ("核查 2", {"X-Purpose": "%E6%A0%B8%E6%9F%A5 2"}), (None, {})):
            asked = query | ({"purpose": purpose} if purpose == "核查" else {})
            answer = await clerk.get(path, params=asked, headers=how)
            assert answer.status_code == 200, answer.text
            newest = (await entries(units))[0]
            assert (newest["action"], newest["subject_kind"], newest["subject_id"]) == ("read", kind, id)
            assert (newest["organisation"], newest["vehicle"], newest["purpose"]) == ("a1", vehicle, purpose)
    listed = await clerk.get("/v1/drivers", params={"organisation": "a1", "limit": "1"})
    newest = (await entries(units))[0]
    assert newest["detail"] == {"asked": {"organisation": "a1"}, "ids": [listed.json()["items"][0]["id"]]}
    # What is not found is not read; what is nobody's secret is not noted.
    count = len(await entries(units))
    for path in (
        "/v1/drivers/nobody",
        "/v1/drivers/driver-b",
        "/v1/vehicles/car-b/track",
        "/v1/vehicles/car-a1",
        "/v1/alerts",
    ):
        await clerk.get(path, params=SPAN if path.endswith("track") else {})
    assert len(await entries(units)) == count
    for asked, how, status in (
        ({"purpose": "x" * 201}, {}, 422),
        ({}, {"X-Purpose": "%E6" * 201}, 400),
        ({"purpose": "a\u0000"}, {}, 422),
    ):
        assert (await clerk.get("/v1/drivers/driver-a1", params=asked, headers=how)).status_code == status
    assert len(await entries(units)) == count


def test_who_must_say_what_for() -> None:
    def somebody(*grants: Grant) -> Subject:
        return Subject(Kind.USER, "1", "x", grants)

    assert purpose_needed(somebody(grants_of_role(Role.FINANCE, "a")), "registry:read")
    assert not purpose_needed(somebody(grants_of_role(Role.UNIT_HEAD, "a")), "registry:read")
    both = somebody(grants_of_role(Role.FINANCE, "a"), grants_of_role(Role.UNIT_HEAD, "a"))
    assert not purpose_needed(both, "registry:read")
    assert not purpose_needed(somebody(Grant(frozenset({"registry:read"}), None)), "registry:read")
    assert purpose_needed(somebody(grants_of_role(Role.AUDITOR, None)), "audit:read")


async def test_the_audit_is_read_in_pages_by_unit_and_noted(
    units: ScopeWorld, clerk: httpx.AsyncClient
) -> None:
    for i in range(5):
        await clerk.get("/v1/vehicles/car-a1/track", params=SPAN | {"purpose": f"第{i}次"})
    await units.everywhere.get("/v1/vehicles/car-b/track", params=SPAN)
    asked = {"kind": "track", "vehicle": "car-a1", "action": "read", "limit": "2"}
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = (await clerk.get("/v1/audit", params=asked | ({"cursor": cursor} if cursor else {}))).json()
        found += page["items"]
        if (cursor := page["next"]) is None:
            break
    assert [e["purpose"] for e in found[:5]] == [f"第{i}次" for i in (4, 3, 2, 1, 0)]
    assert len({e["no"] for e in found}) == len(found)
    assert (await clerk.get("/v1/audit", params={"vehicle": "car-b"})).json()["items"] == []
    assert (await clerk.get("/v1/audit", params={"who": "nobody"})).json()["items"] == []
    newest = (await entries(units))[0]
    assert (newest["subject_kind"], newest["detail"]["asked"]) == ("audit", {"who": "nobody"})
    everything = await units.token({"audit:read"}, None)
    async with units.client(everything) as auditor:
        assert len((await auditor.get("/v1/audit", params={"vehicle": "car-b"})).json()["items"]) > 0
        assert (
            await auditor.get("/v1/audit", params={"from": SPAN["to"], "to": SPAN["from"]})
        ).status_code == 422
    assert (await units.everywhere.get("/v1/audit")).status_code == 403


async def test_what_a_caller_says_of_itself_is_data(units: ScopeWorld) -> None:
    secret = await units.token({"tracks:read", "registry:write"}, "a")
    odd = "a'b\"c\\u0000\\d\\"
    async with units.client(secret, **{"User-Agent": odd, "X-Forwarded-For": odd}) as client:
        assert (
            await client.get("/v1/vehicles/car-a1/track", params=SPAN | {"purpose": odd})
        ).status_code == 200
        assert (
            await client.put("/v1/drivers/odd", json={"name": "x", "organisation": "a1"})
        ).status_code == 201
    for entry in (await entries(units))[:2]:
        assert (entry["agent"], entry["forwarded_for"]) == (odd, odd)
    assert (await entries(units, subject_kind="track"))[0]["purpose"] == odd


async def test_no_entry_is_ever_changed(units: ScopeWorld, made: tuple[str, dict[str, str]]) -> None:
    """Not by requests, nor by the owner of the tables."""
    owner = await asyncpg.connect(made[0])
    await owner.execute("SELECT make_audit_month('2030-01-01')")
    for query in (
        "UPDATE audit SET purpose = 'x'", "DELETE FROM audit", "TRUNCATE audit", "UPDATE audit_default SET purpose = 'x'",
        "DELETE FROM audit_default", "TRUNCATE audit_default", "TRUNCATE audit_203001",
    ):  # fmt: skip
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute(query)
    async with owner.transaction():
        await owner.execute(Reach(None, "user:1").sql())
        for query in (
            "UPDATE audit SET purpose = 'x'",
            "DELETE FROM audit",
            "INSERT INTO audit DEFAULT VALUES",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with owner.transaction():
                    await owner.execute(query)
    await owner.close()


async def test_months_come_and_go(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection:
        now = datetime(2026, 11, 29, tzinfo=UTC)
        await keep_months(connection, now, 400)
        names = await partitions_of(connection, "audit")
        assert names[0] == "audit_202611"
        assert names[-1] == "audit_default"
        assert len(names) == 14
        await keep_months(connection, now + timedelta(days=100), 1)  # at least half a year, whatever is asked
        assert "audit_202611" in await partitions_of(connection, "audit")
        await keep_months(connection, now + timedelta(days=300), 200)
        assert "audit_202611" not in await partitions_of(connection, "audit")
        # A month of which there are rows already stays where it is.
        assert await connection.fetchval("SELECT make_audit_month('2026-11-01')")


async def test_reading_goes_on_while_the_database_takes_no_writes(
    made: tuple[str, dict[str, str]], units: ScopeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    count = len(await entries(units))
    name = made[0].partition("?")[0].rsplit("/", 1)[1]
    await units.pool.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await units.pool.expire_connections()
    try:
        with caplog.at_level(logging.WARNING, "gongche.audit"):
            answer = await units.everywhere.get(
                "/v1/vehicles/car-a1/track", params=SPAN | {"purpose": "核查"}
            )
        assert answer.status_code == 200
        (record,) = [r for r in caplog.records if r.name == "gongche.audit"]
        told = record.__dict__["fields"]["audit"]
        assert (told["subject_kind"], told["vehicle"], told["purpose"]) == ("track", "car-a1", "核查")
    finally:
        owner = await asyncpg.connect(made[0], server_settings={"default_transaction_read_only": "off"})
        await owner.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        await owner.close()
        await units.pool.expire_connections()
    assert len(await entries(units)) == count


async def test_commands_are_those_of_the_user_of_the_system(
    made: tuple[str, dict[str, str]], units: ScopeWorld
) -> None:
    import os
    import sys

    clean = {k: v for k, v in os.environ.items() if not k.startswith("GONGCHE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gongche", "token", "create", "inspection", "--scope", "alerts:read", "--organisation", "a",
        env=clean | {"GONGCHE_DATABASE_URL": made[0], "USER": "clerk", "LOGNAME": "clerk"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, said = await process.communicate()
    assert process.returncode == 0, said
    written, command = (await entries(units, who_kind="program"))[:2]
    assert (command["action"], command["operation"], command["who_id"]) == (
        "command",
        "gongche token create",
        "clerk",
    )
    assert (written["subject_kind"], written["organisation"]) == ("tokens", "a")
    assert out.decode().strip() not in json.dumps([str(written), str(command)])
    assert "sha256" not in written["after"]
