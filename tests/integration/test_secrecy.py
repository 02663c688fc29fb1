"""Secret vehicles (涉密): who has no need to know finds nothing of theirs in any answer, whatever he asks for; a mark holds at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from office.identity import secrecy
from office.identity.errors import NotAllowedError
from office.identity.scope import Reach
from office.identity.secrecy import MASKED_PLATE, hidden, is_masked_id
from office.identity.subject import Grant, Kind, Subject
from office.subscriptions.deliveries import seen_by
from registry.refusals import RefusedError
from rules.alerts.feed import entry_at
from tests.integration.scope_world import (
    ScopeWorld,
    logged_world,
    phone,
    plate,
    records,
    scope_database,
    words_of,
)
from tests.integration.test_scope_matrix import CASES

#: The unit whose vehicle is secret, and one whose vehicle is not.
SECRET, OPEN = "b", "a1"
READS: Final = {case.needs for (method, _), case in CASES.items() if method == "GET"}
NEEDED: Final = {name for needs in READS for name in needs} - {"secret:read"}


#: What is found by an id that says nothing of a vehicle.
OF_NO_VEHICLE: Final = (
    "organisations", "drivers", "driver-leaves", "driver-score-tables", "call-back-draws", "complaints", "assessment-disputes", "unit-channels", "trip-requests", "trip-series", "statements", "rental-reports", "notices", "reconciliations",
)  # fmt: skip
#: Who people and programs are, and how they come in (migrations/0030_people.sql).
PEOPLE: Final = [
    "users", "role_grants", "delegations", "sessions", "recovery_codes", "oidc_links", "oidc_logins", "clients", "client_secrets",
    "client_tokens", "login_failures", "api_tokens",
]  # fmt: skip


@pytest.fixture(scope="module")
def made(postgres_dsn: str, template_database: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The database of these tests, in which the vehicle of the unit ``SECRET`` is marked."""
    with scope_database(postgres_dsn, template_database) as database:
        asyncio.run(_mark(database[0]))
        yield database


async def _mark(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("UPDATE vehicles SET secret = true WHERE organisation = $1", SECRET)
    await connection.close()


@pytest.fixture
async def units(made: tuple[str, dict[str, str]], tmp_path: Path) -> AsyncIterator[ScopeWorld]:
    async with logged_world(made, tmp_path) as world:
        yield world


def secret_marks(world: ScopeWorld) -> tuple[str, ...]:
    """What stands for the secret vehicle, its card, orders, cases, and what is theirs."""
    named = (
        "car",
        "card",
        "fill",
        "order",
        "offence",
        "clock",
        "notice",
        "case",
        "task",
        "file",
        "fence",
        "engine",
        "act",
        "repair",
        "document",
        "修",
    )
    return (
        *(f"{name}-{SECRET}" for name in named), phone(SECRET), plate(SECRET), f"alert:{SECRET}", f"督办-{SECRET}",
        world.alerts[SECRET],
    )  # fmt: skip


def _told(world: ScopeWorld, path: str, answer: Any, asked: list[str]) -> list[str]:
    """The marks that stand in an answer. A driver's own record is no secret, and the mark "phone" is his number as well;
    ``asked``: what the caller has said himself."""
    texts = words_of(answer)
    for part in asked:
        texts = texts.replace(part, "")
    return [
        mark
        for mark in secret_marks(world)
        if mark in texts and not (path.startswith("/v1/drivers") and mark == phone(SECRET))
    ]


@pytest.mark.parametrize("home", [None, "city", SECRET])
async def test_no_reading_operation_tells_who_has_no_need(units: ScopeWorld, home: str | None) -> None:
    """Every GET of the OpenAPI document (the matrix fails for one that it does not know)."""
    wrong = []
    async with units.client(await units.token(NEEDED, home)) as client:
        for (method, path), case in CASES.items():
            if method != "GET":
                continue
            for unit in (SECRET, OPEN):
                answer = await case.call(client, unit, units)
                one = "{id}" in path and path.split("/")[2] != "subscriptions"
                id = answer.request.url.path.split("/")[3] if one else ""
                said = answer.request.url.path.split("/")[3:] if one else []
                if told := _told(units, path, answer, said):
                    wrong.append(f"{path} of {unit}: {answer.status_code} tells {told} {answer.text[:300]}")
                if one and unit == SECRET and path.split("/")[2] not in OF_NO_VEHICLE and not case.common:
                    nobody = await client.get(str(answer.request.url).replace(f"/{id}", "/nobody"))
                    same = answer.text.replace(id, "nobody") == nobody.text
                    if answer.status_code != 404 or not same:
                        wrong.append(
                            f"{path}: a secret id is answered {answer.status_code} {answer.text[:200]}"
                        )
    assert wrong == []


@pytest.mark.parametrize("home", [None, SECRET])
async def test_who_is_cleared_sees_all_of_it(units: ScopeWorld, home: str | None) -> None:
    wrong = []
    async with units.client(await units.token(NEEDED | {"secret:read"}, home)) as client:
        for (method, path), case in CASES.items():
            if method == "GET":
                answer = await case.call(client, SECRET, units)
                if answer.status_code not in case.own:
                    wrong.append(f"{path}: {answer.status_code} {answer.text[:200]}")
        alerts = (await client.get("/v1/alerts")).json()["items"]
        assert plate(SECRET) in {alert["plate"] for alert in alerts}
        assert (await client.get(f"/v1/vehicles/car-{SECRET}")).json()["secret"] is True
    assert wrong == []


async def _one_by_one(client: Any, path: str) -> list[dict[str, Any]]:
    """The whole list, in pages of one."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await client.get(path, params={"limit": 1} | cursor)).json()
        found += page["items"]
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}


async def test_it_is_there_masked(units: ScopeWorld) -> None:
    async with units.client(await units.token(NEEDED, None)) as client:
        vehicles = (await client.get("/v1/vehicles")).json()["items"]
        (car,) = [each for each in vehicles if each["secret"]]
        assert is_masked_id(car["id"])
        assert (car["plate"], car["organisation"]) == (MASKED_PLATE, SECRET)
        assert len(vehicles) == 3
        listed = (await client.get("/v1/alerts")).json()["items"]
        fed = (await client.get("/v1/alerts/feed")).json()["items"]
        for alerts in (listed, fed):
            (alert,) = [each for each in alerts if each["plate"] == MASKED_PLATE]
            assert is_masked_id(alert["id"])
            assert (alert["vehicle"], alert["organisation"]) == (car["id"], SECRET)
            assert (alert["driver"], alert["order"], alert["measures"]) == (None, None, {})
            assert len(alerts) == 3
        # One by one, and by its unit; not by its plate and not by its id.
        assert await _one_by_one(client, "/v1/alerts") == listed
        assert await _one_by_one(client, "/v1/vehicles") == vehicles
        assert len((await client.get("/v1/alerts", params={"organisation": SECRET})).json()["items"]) == 1
        for path, query in (
            ("/v1/vehicles", {"plate": plate(SECRET)}), ("/v1/alerts", {"vehicle": f"car-{SECRET}"}),
            ("/v1/alerts", {"vehicle": car["id"]}), ("/v1/evaluations", {"vehicle": f"car-{SECRET}"}),
            ("/v1/fuel-cards", {"plate": plate(SECRET)}), ("/v1/violations", {"plate": plate(SECRET)}),
            ("/v1/dispatch-orders", {"vehicle": f"car-{SECRET}"}), ("/v1/cases", {"vehicle": f"car-{SECRET}"}),
        ):  # fmt: skip
            answer = await client.get(path, params=query)
            assert answer.status_code in (200, 422), answer.text
            assert answer.json().get("items", []) == [], (path, query)
        # The pseudonym is refused, with the reason.
        for path in (f"vehicles/{car['id']}", f"vehicles/{car['id']}/track?from=2026-03-02T08:00:00%2B08:00&to=2026-03-02T20:00:00%2B08:00",
                     f"alerts/{alert['id']}", f"alerts/{alert['id']}/evidence"):  # fmt: skip
            answer = await client.get(f"/v1/{path}")
            assert answer.status_code == 403, answer.text
            assert answer.json()["type"].endswith("secret-vehicle"), answer.text
        receipt = await client.put(
            f"/v1/alerts/{alert['id']}/receipt", json={"version": 1, "received_by": "x"}
        )
        assert receipt.status_code == 403, receipt.text
    # The same pseudonym for everybody, and of counts the same number.
    async with units.client(await units.token(NEEDED, "city")) as client:
        others = (await client.get("/v1/vehicles")).json()["items"]
        assert car["id"] in {each["id"] for each in others}
        counts = (await client.get("/v1/cases/counts")).json()
    async with units.client(await units.token(NEEDED | {"secret:read"}, "city")) as client:
        assert (await client.get("/v1/cases/counts")).json() == counts


async def test_positions_of_a_secret_vehicle_are_taken(units: ScopeWorld) -> None:
    """A position must not be lost because who sends it may not read it."""
    row = {
        "terminal": phone(SECRET),
        "time": "2026-03-02T08:31:00+08:00",
        "lat": 31.98,
        "lon": 120.89,
        "datum": "wgs84",
    }
    async with units.client(await units.token({"positions:write"}, None)) as client:
        assert (await client.post("/v1/positions", json=[row])).status_code == 202


@pytest.mark.parametrize("home", [None, "city"])
async def test_a_write_does_not_tell_either(units: ScopeWorld, home: str | None) -> None:
    """A plate, an id that is a secret vehicle's is refused as one of a unit out of reach: nothing is written, and nothing said that
    the caller has not said himself."""
    wrong = []
    async with units.client(await units.token(NEEDED | {"registry:write", "cases:draft"}, home)) as client:
        for id, number in (("car-new", plate(SECRET)), (f"car-{SECRET}", "苏F99999")):
            answer = await client.put(f"/v1/vehicles/{id}", json={"plate": number, "organisation": OPEN})
            if answer.status_code not in (403, 409) or _told(units, "", answer, [id, number]):
                wrong.append(f"vehicles: {answer.status_code} {answer.text[:300]}")
        for kind, (id, body) in records(SECRET).items():
            if kind in ("organisations", "drivers"):
                continue
            own = [
                id,
                *(str(value) for value in body.values() if isinstance(value, str)),
                f"car-{SECRET}",
                plate(SECRET),
            ]
            answers = (
                await client.put(f"/v1/{kind}/{id}", json=body),
                await client.post(f"/v1/{kind}:import", json=[{"id": id} | body]),
            )
            wrong += [
                f"{kind}: {answer.status_code} {answer.text[:300]}"
                for answer in answers
                if answer.status_code not in (403, 404, 409, 422) or _told(units, "", answer, own)
            ]
        for vehicle in (f"car-{SECRET}", "nobody"):
            draft = {"title": "t", "source": "joint", "organisation": OPEN, "facts": "x", "vehicle": vehicle}
            answer = await client.post("/v1/cases", json=draft)
            wrong += (
                []
                if answer.status_code == 422
                else [f"case of {vehicle}: {answer.status_code} {answer.text[:300]}"]
            )
    assert wrong == []
    stored = await units.everywhere.get(f"/v1/vehicles/car-{SECRET}")
    assert (stored.json()["plate"], stored.json()["organisation"]) == (plate(SECRET), SECRET)


async def test_hidden_says_whom_a_subject_must_not_see(units: ScopeWorld) -> None:
    cars = {f"car-{SECRET}", f"car-{OPEN}", "none"}

    def subject(*grants: Grant) -> Subject:
        return Subject(Kind.USER, "x", "x", grants)

    everything, cleared = frozenset({"alerts:read"}), frozenset({"secret:read"})
    for who, expected in (
        (subject(Grant(everything, None)), {f"car-{SECRET}"}),
        (subject(Grant(everything, None), Grant(cleared, "a")), {f"car-{SECRET}"}),
        (subject(Grant(everything, None), Grant(cleared, "city")), set()),
        (subject(Grant(cleared, None)), set()),
    ):
        async with units.pool.acquire() as connection:
            assert await hidden(connection, who, cars) == expected
            # Also within a transaction of a request, which does not see the vehicle at all.
            async with connection.transaction():
                await connection.execute(Reach(None, "user:x").sql())
                assert await hidden(connection, who, cars) == expected


async def test_the_application_role_without_the_code(made: tuple[str, dict[str, str]]) -> None:
    """Whatever SQL says: no row of a secret vehicle, no key of the pseudonyms."""
    connection = await asyncpg.connect(made[0])
    try:
        for reach, told in ((Reach(None, "user:x"), 0), (Reach(None, "user:x", secrets=None), 1)):
            async with connection.transaction():
                await connection.execute(reach.sql())
                for query, value in (
                    ("SELECT count(*) FROM vehicles WHERE secret AND id = $1", f"car-{SECRET}"),
                    ("SELECT count(*) FROM alerts WHERE plate = $1", plate(SECRET)),
                    ("SELECT count(*) FROM alert_versions WHERE strpos(body::text, $1) > 0", plate(SECRET)),
                    ("SELECT count(*) FROM dispatch_orders WHERE vehicle = $1", f"car-{SECRET}"),
                    ("SELECT count(*) FROM fuel_cards WHERE id = $1", f"card-{SECRET}"),
                    ("SELECT count(*) FROM cases WHERE id = $1", f"case-{SECRET}"),
                    ("SELECT count(DISTINCT terminal_no) - $1::bigint FROM positions", 2),
                ):
                    assert await connection.fetchval(query, value) == told, (query, reach)
                for query in (
                    "SELECT * FROM secrecy_key",
                    "SELECT masked_id('vehicle', 'x')",
                    "SELECT secrecy_mac('a', 'b')",
                ):
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        async with connection.transaction():
                            await connection.execute(query)
    finally:
        await connection.close()


async def test_every_table_with_a_vehicle_is_under_secrecy(made: tuple[str, dict[str, str]]) -> None:
    connection = await asyncpg.connect(made[0])
    try:
        bare = await connection.fetch(
            "SELECT DISTINCT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relkind IN ('r', 'p')"
            " AND c.relnamespace = 'public'::regnamespace AND has_table_privilege('gongche_app', c.oid, 'SELECT') AND a.attname IN"
            " ('vehicle', 'vehicle_no', 'plate', 'card', 'terminal_no', 'order_id', 'alert_id', 'case_id', 'evidence_sha256')"
            " AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'secret')"
        )
        assert [row["relname"] for row in bare] == []
    finally:
        await connection.close()


async def test_sql_of_others_in_a_request_reads_no_people(made: tuple[str, dict[str, str]]) -> None:
    """What somebody can do who brings SQL of his own into one statement of a request."""
    connection = await asyncpg.connect(made[0])
    try:
        granted = await connection.fetch(
            "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND c.relname"
            " = ANY($1) AND (has_any_column_privilege('gongche_everywhere', c.oid, 'SELECT, INSERT, UPDATE')"
            " OR has_table_privilege('gongche_everywhere', c.oid, 'DELETE, TRUNCATE, TRIGGER'))",
            PEOPLE,
        )
        assert [row["relname"] for row in granted] == []
        assert await connection.fetchval(
            "SELECT count(*) FROM pg_class WHERE relname = ANY($1)", PEOPLE
        ) == len(PEOPLE)
        # No function that a request may call runs a text as SQL, of ours or of PostgreSQL.
        dynamic = await connection.fetch(
            "SELECT p.oid::regprocedure::text AS name FROM pg_proc p WHERE has_function_privilege('gongche_everywhere', p.oid, 'EXECUTE')"
            " AND p.prorettype <> 'trigger'::regtype AND ((p.pronamespace = 'public'::regnamespace AND p.prosrc ~* '\\mEXECUTE\\M')"
            " OR p.oid::regprocedure::text ~ '^(query|cursor|table|schema|database)_to_xml')"
        )
        assert [row["name"] for row in dynamic] == []
        for query in (
            "SELECT password_hash FROM users", "SELECT sha256 FROM sessions", "SELECT sha256 FROM api_tokens",
            "SELECT set_config('role', 'none', true), query_to_xml('SELECT password_hash FROM users', true, false, '')",
            "SELECT set_config('role', 'none', true), scope_table('users', 'SELECT')",
            "WITH me AS (SELECT set_config('role', 'none', true)) SELECT password_hash FROM me, users",
        ):  # fmt: skip
            async with connection.transaction():
                await connection.execute(Reach(None, "user:x").sql())
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    async with connection.transaction():
                        await connection.fetch(query)
    finally:
        await connection.close()


async def test_two_people_lift_a_mark(units: ScopeWorld) -> None:
    """One asks, another agrees; nobody does both, a program neither, and it holds at once."""
    grant = Grant(frozenset({"secret:read", "secret:change"}), None)

    def person(id: str, *grants: Grant) -> Subject:
        return Subject(Kind.USER, id, id, grants or (grant,))

    reach = Reach(None, "user:x", '{"kind": "user", "id": "x", "operation": "test"}', None)
    unmarked = Reach(None, "user:x")
    async with units.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(reach.sql())
        asked = await secrecy.lift(connection, person("li"), f"car-{SECRET}", "不再执行机要任务")
        assert asked is not None
        assert (asked.secret, asked.asked_by) == (True, "user:li")
        with pytest.raises(RefusedError, match="两人"):
            await secrecy.lift(connection, person("li"), f"car-{SECRET}", "不再执行机要任务")
        lent = Grant(grant.permissions, None, delegated_by="li")
        with pytest.raises(RefusedError, match="两人"):
            await secrecy.lift(connection, person("wang", lent), f"car-{SECRET}", "不再执行机要任务")
        with pytest.raises(NotAllowedError):
            await secrecy.lift(
                connection, Subject(Kind.TOKEN, "t", "t", (grant,)), f"car-{SECRET}", "不再执行机要任务"
            )
        (known,) = await secrecy.known_to(connection)
        assert (known["id"], known["lift_asked_by"]) == (f"car-{SECRET}", "user:li")
        lifted = await secrecy.lift(connection, person("zhao"), f"car-{SECRET}", "同意，不再涉密")
        assert lifted == secrecy.Mark(f"car-{SECRET}", False)
        await connection.execute(unmarked.sql())
        assert await connection.fetchval(
            "SELECT plate FROM vehicles WHERE id = $1", f"car-{SECRET}"
        ) == plate(SECRET)
        # Marked again by somebody who may not know it himself; from then on he sees it no more.
        clerk = person("sun", Grant(frozenset({"secret:change"}), None))
        assert await secrecy.mark(connection, clerk, f"car-{SECRET}", "执行机要任务") == secrecy.Mark(
            f"car-{SECRET}", True
        )
        await connection.execute(unmarked.sql())  # the next transaction of his
        assert await secrecy.mark(connection, clerk, f"car-{SECRET}", "执行机要任务") is None
        assert await connection.fetchval("SELECT count(*) FROM vehicles WHERE secret") == 0
        await connection.execute("RESET ROLE")
        noted = await connection.fetchval(
            "SELECT count(*) FROM audit WHERE subject_kind IN ('vehicles', 'vehicle-secrecy') AND vehicle = $1 AND who_id = 'x'", f"car-{SECRET}"
        )  # fmt: skip
        assert noted >= 4
        await transaction.rollback()


async def test_a_delivery_leaves_masked(units: ScopeWorld) -> None:
    """What a webhook gets is what its owner may see when it is sent."""
    async with units.pool.acquire() as connection:
        for reach, told in (
            (Reach(None, "token:x"), MASKED_PLATE),
            (Reach(None, "token:x", secrets=None), plate(SECRET)),
        ):
            async with connection.transaction():
                place = await connection.fetchval(
                    "SELECT seq FROM alert_feed WHERE alert_id = $1", units.alerts[SECRET]
                )
                async with seen_by(connection, reach):
                    entry = await entry_at(connection, place)
                assert entry is not None
                assert entry.alert.plate == told
                assert await connection.fetchval("SELECT current_user = session_user")
