"""What a stranger may send: scopes, sizes, pages, odd ids, and bodies made to break things. Nothing is ever a 5xx, a
refusal says where, and what is refused leaves no trace."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from api import http
from api.app import create_app
from api.basemap.endpoints import READ as MAPS
from api.http import MAX_BODY
from api.problems import OF_PEOPLE
from api.registry.examples import EXAMPLES
from api.registry.importing import SMALL
from api.statistics.quality import PERMISSIONS as NUMBERS_OF
from office.identity.subject import PERMISSIONS
from office.identity.tokens import SCOPES, create_token
from office.supervision import papers
from registry import bulk
from runtime.settings import Settings
from telemetry.log.sqlite import EmbeddedLogWriter
from tests.identity_key import identity_key
from tests.integration.test_api_service import OPEN, serve
from tests.waiting import until

#: Which scopes let a caller in, by what the path begins with; the longest beginning that fits counts.
READ = {
    "/v1/live": {"tracks:read"}, "/v1/alerts": {"alerts:read"}, "/v1/evaluations": {"alerts:read"}, "/v1/vehicles/{id}/track": {"tracks:read"},
    "/v1/dispatch-orders/{id}/result": {"registry:read", "tracks:read"}, "/v1/": {"registry:read"},
    "/v1/disposition-codes": {"alerts:read"}, "/v1/subscriptions": {"subscriptions:manage"},
    "/v1/subscriptions/{name}/entries": {"alerts:read"}, "/v1/audit": {"audit:read"},
    "/v1/cases": set(), "/v1/complaints": set(), "/v1/tasks": set(), "/v1/messages": set(), "/v1/secret-vehicles": {"secret:read"},
    "/v1/assessment": set(), "/v1/exchange": set(), "/v1/reports": set(), "/v1/unit-channels": {"registry:write"},
    "/v1/commands": {"commands:read"}, "/v1/terminal-reports": {"tracks:read"}, "/v1/driver-cards": {"tracks:read"},
    "/v1/media": {"tracks:read"}, "/v1/live/orders": {"registry:read"}, "/v1/fences/{id}/terminals": {"commands:read"},
    "/v1/trip-requests": set(), "/v1/trip-series": set(), "/v1/dispatches": set(), "/v1/approval-tables": set(), "/v1/drivers/{id}/account": set(),
    "/v1/cost-entries": set(), "/v1/tariffs": set(), "/v1/statements": set(), "/v1/trip-costs": set(), "/v1/rental-reports": set(), "/v1/voucher-mappings": set(), "/v1/reconciliations": set(), "/v1/indicators": set(), "/v1/vehicle-costs": set(), "/v1/notices/{id}/rows": set(),
    "/v1/driver-leaves": {"registry:write"}, "/v1/driver-sheets": set(), "/v1/call-back-draws": set(), "/v1/driver-score-tables": set(), "/v1/drivers/{id}/facts": {"registry:write"}, "/v1/drivers/{id}/costs": set(),
    "/v1/drivers/{id}/sheets": set(), "/v1/backtests": {"registry:write"}, "/v1/operations": {"ops:read"}, "/v1/basemap": {*MAPS},
    "/v1/statistics/alerts": {"alerts:read"}, "/v1/statistics/fleet": {"tracks:read"}, "/v1/statistics": {*NUMBERS_OF},
}  # fmt: skip
#: Answers that go on until they are told to end.
STREAMS = ("/v1/alerts/stream", "/v1/live/vehicles")
WRITE = {
    "/v1/positions": {"positions:write"}, "/v1/": {"registry:write"}, "/v1/subscriptions": {"subscriptions:manage"},
    "/v1/alerts": {"dispositions:write"}, "/v1/alerts:": {"alerts:read"}, "/v1/disposition-codes": {"dispositions:write"},
    "/v1/complaints": {"complaints:write"}, "/v1/complaints:import": set(), "/v1/complaints/": set(), "/v1/cases": set(),
    "/v1/trip-requests": set(), "/v1/trip-series": set(), "/v1/dispatches": set(), "/v1/approval-tables": set(), "/v1/drivers/{id}/account": set(),
    "/v1/cost-entries": set(), "/v1/tariffs": set(), "/v1/statements": set(), "/v1/trip-costs": set(), "/v1/voucher-mappings": set(), "/v1/reconciliations": set(),
    "/v1/driver-score-tables": set(), "/v1/drivers/{id}/sheets": set(), "/v1/driver-objections": set(), "/v1/call-back": set(),
    **{f"/v1/driver-leaves/{{id}}:{step}": set[str]() for step in ("approve", "reject")},
    "/v1/quotas": set(), "/v1/vehicles/{id}/quota-place": set(), "/v1/rental-reports": set(), "/v1/rental-reports/{id}:take": {"registry:write"},
    "/v1/notices": set(), "/v1/notices/{id}:read": {"registry:read"}, "/v1/publications": set(), "/v1/notices/{id}:object": {"registry:read"}, "/v1/publication-objections": set(),
    **{f"/v1/vehicle-acts/{{id}}:{step}": set[str]() for step in ("release", "accept", "approve", "refuse")},
    "/v1/messages": set(), "/v1/vehicles/{id}:": set(), "/v1/vehicles/{id}:seal": {"registry:write"},
    "/v1/vehicles/{id}:unseal": {"registry:write"}, "/v1/vehicles/{id}:swap-plates": {"registry:write"},
    **{f"/v1/maintenance/{{id}}:{step}": set[str]() for step in ("approve", "reject", "grant", "deny")}, "/v1/fences/{id}:": set(), "/v1/organisations/{id}:": set(),
    "/v1/assessment": set(), "/v1/exchange": set(),
    "/v1/vehicles/{id}/commands": {"commands:send"}, "/v1/commands": {"commands:send"}, "/v1/commands/{no}:approve": set(),
}  # fmt: skip


def at(path: str, id: str = "x", name: str = "x") -> str:
    """The address of an operation. A stream ends at once."""
    address = (
        path.replace("{id}", id)
        .replace("{name}", name)
        .replace("{code}", "x")
        .replace("{delivery}", "1")
        .replace("{no}", "1")
        .replace("{letter}", "1")
        .replace("{quota_class}", "other")
    )
    address = (
        address.replace("{version}", "0" * 16).replace("{z}", "5").replace("{x}", "1").replace("{y}", "1")
    )
    address = address.replace("{organisation}", "x").replace("{year}", "2026").replace("{period}", "2026Q1")
    if path.endswith(("/attachments", "/documents")):
        return f"{address}?name=x.pdf"
    if path.endswith("/bundle"):
        return f"{address}?purpose=x"
    return f"{address}?seconds=0" if path in STREAMS else address


@pytest.fixture
async def client(pool: asyncpg.Pool, db_url: str) -> AsyncIterator[httpx.AsyncClient]:
    made = await create_token(pool, "test", SCOPES)
    # No token may have so much: what people alone may do is tried here as well.
    await pool.execute("UPDATE api_tokens SET scopes = $1 WHERE id = $2", list(PERMISSIONS), made.id)
    # Without raise_app_exceptions an exception that nobody caught would be the test's, not an answer.
    transport = httpx.ASGITransport(
        create_app(Settings(database_url=db_url, identity_key_file=identity_key()), pool, position_sink=None),
        raise_app_exceptions=False,
    )
    headers = {"Authorization": f"Bearer {made.secret}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        yield client


@cache
def described() -> dict[tuple[str, str], dict[str, Any]]:
    """Everything under /v1: its description by method and path."""
    paths = create_app(Settings(), None, position_sink=None).openapi()["paths"]
    found = {
        (m.upper(), p): d for p, methods in paths.items() if p.startswith("/v1/") for m, d in methods.items()
    }
    assert len(found) > 50
    return found


def operations() -> list[tuple[str, str]]:
    """(method, path) of everything under /v1."""
    return list(described())


def of_people(method: str, path: str) -> bool:
    """Not for tokens: refused before anything of the request is read."""
    return (method.lower(), path) in OPEN or path.startswith(OF_PEOPLE)


def needed(method: str, path: str) -> set[str]:
    if path.startswith(OF_PEOPLE):
        return set()
    table = READ if method == "GET" else WRITE
    return table[max((start for start in table if path.startswith(start)), key=len)]


async def test_each_scope_opens_its_own_operations_and_no_other(pool: asyncpg.Pool) -> None:
    made: dict[frozenset[str], str] = {}

    async def token(*scopes: str) -> dict[str, str]:
        held = frozenset(scopes)
        if held not in made:
            made[held] = (await create_token(pool, "test", scopes)).secret
        return {"Authorization": f"Bearer {made[held]}"}

    transport = httpx.ASGITransport(create_app(Settings(), pool, position_sink=None))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for method, path in operations():
            own = needed(method, path)
            if path == "/v1/session/methods":  # for who is not in yet
                assert (await client.request(method, at(path))).status_code == 200
                continue
            # All the others together: what one of them would open, they open.
            response = await client.request(method, at(path), headers=await token(*(SCOPES.keys() - own)))
            if (method.lower(), path) in OPEN:
                assert response.status_code in (400, 401, 404), (method, path)
                continue
            assert response.status_code == 403, (method, path, response.status_code)
            for scope in own & SCOPES.keys():  # others no token may have
                response = await client.request(method, at(path), headers=await token(scope))
                assert response.status_code not in (401, 403), (method, path, scope)


async def test_no_body_is_read_beyond_its_limit(client: httpx.AsyncClient) -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1 << 20
            yield bytes(1 << 20)

    writing = [(m, p) for (m, p), d in described().items() if m in ("PUT", "POST") and "requestBody" in d]
    assert len(writing) > 20
    for method, path in writing:
        # There is no log here; its own test asks for a large one.
        if path == "/v1/positions" or of_people(method, path):
            continue
        is_file = ":import" in path or path == "/v1/reconciliations"
        kind = "text/csv" if is_file else "application/json"
        address = at(path) + (
            "?organisation=x&since=202601&until=202601" if path == "/v1/reconciliations" else ""
        )
        declared = {"Content-Type": kind, "Content-Length": str(10**9)}
        response = await client.request(method, address, content=b"{}", headers=declared)
        assert response.status_code == 413, (method, path)
        if is_file and path not in ("/v1/vehicles:import", "/v1/violations:import-export"):
            continue  # tens of MiB each: two of them stand for all, which read by the same function
        taken = 0
        response = await client.request(method, address, content=endless(), headers={"Content-Type": kind})
        assert response.status_code == 413, (method, path, response.text)
        most = papers.MAX_BYTES if "?name" in address else bulk.MAX_BYTES if ":import" in path else MAX_BODY
        assert taken <= most + (2 << 20), (
            method,
            path,
            taken,
        )


async def test_pages_are_bounded_and_cursors_belong_to_their_list(
    client: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    paged = [
        p
        for (m, p), d in described().items()
        if m == "GET" and not of_people(m, p) and any(q["name"] == "limit" for q in d.get("parameters", ()))
    ]
    assert len(paged) >= 14
    assert (await client.put("/v1/subscriptions/x", json={})).status_code == 201
    target = {"url": "https://receiver.example.cn/"}
    assert (await client.put("/v1/subscriptions/x/webhook", json=target)).status_code == 201
    await pool.execute(
        "INSERT INTO exchange_peers (name, direction, organisation, client_id) VALUES ('x', 'below', 'x', 'x')"
    )
    channel = await pool.fetchval(
        "INSERT INTO message_channels (organisation, about, kind, shown, made_by) VALUES ('o', 'unit', 'wecom', 'x', 'x')"
        " RETURNING id"
    )
    await pool.execute("INSERT INTO message_lanes (channel_no) SELECT no FROM message_channels")
    await pool.execute(
        "INSERT INTO cost_statements (id, number, organisation, platform, units, period, take, state, version, total_fen, lines, by_cost_centre,"
        " tariff_versions, object_by, made_by, drawn_at) VALUES ('x', 'x', 'x', 'x', '{x}', '202601', 1, 'void', 1, 0, 1, $1, '{}', now(), '{}', now())",
        {},
    )
    await pool.execute(
        "INSERT INTO call_back_draws VALUES ('x', 'x', '202001', 'x', 50, 0, 'x', '{}', 'x', now())"
    )
    await pool.execute(
        "INSERT INTO notices (id, number, organisation, units, roles, kind, title, body, pinned, receipt, columns, rows, sha256, published_at,"
        " published_by, published_by_name) VALUES ('x', 'x', 'x', '{x}', '{}', 'notice', 'x', 'x', false, true, '{}', 0, sha256(''), now(), 'x', 'x')"
    )
    await pool.execute(
        "INSERT INTO reconciliations VALUES ('x', 'x', '202601', '202601', now(), 'x', 'x', '', '', 0, '', '', $1, $1)",
        {},
    )
    assert (await client.put("/v1/organisations/x", json={"name": "x"})).status_code in (200, 201)
    driver = {"name": "x", "organisation": "x"}
    assert (await client.put("/v1/drivers/x", json=driver)).status_code in (200, 201)
    square = {"type": "Polygon", "coordinates": [[[120, 31], [120.1, 31], [120.1, 31.1], [120, 31]]]}
    fence = {
        "name": "x",
        "organisation": "x",
        "datum": "wgs84",
        "geometry": square,
        "valid_from": "2026-01-01T00:00:00Z",
    }
    assert (await client.put("/v1/fences/x", json=fence)).status_code in (200, 201)
    for path in (at(p, str(channel) if "channels" in p else "x") for p in paged):
        for limit in ("0", "-1", "1001", "1e3", "１０", "9" * 40, ""):
            response = await client.get(path, params={"limit": limit})
            assert response.status_code == 422, (path, limit)
            assert response.json()["errors"][0]["pointer"] == "/query/limit"
        assert (await client.get(path, params={"limit": "1000"})).status_code == 200, path
        for cursor in ("x", "AAAA", "%00", "é", "A" * 513):
            assert (await client.get(path, params={"cursor": cursor})).status_code in (400, 422), (
                path,
                cursor,
            )


IDS = [
    "%00", "a%00b", "%0a", "%20", "%EF%BF%BF", "%ED%A0%80", "%FF", "%F0%9F%9A%97", "%E2%80%AE", "x" * 65, "x" * 5000,
    "..", "%2e%2e%2f", "%25", "'%3B--", "{id}", "-1", "9" * 30, "NaN", ":import", "%E8%8B%8FF12345",
]  # fmt: skip


async def test_ids_that_nobody_has(client: httpx.AsyncClient) -> None:
    span = "from=2026-03-02T00:00:00%2B08:00&to=2026-03-03T00:00:00%2B08:00"
    paths = [(m, p) for m, p in operations() if "{id}" in p and m != "PUT"]
    for place, (method, path) in enumerate(paths):
        # Each operation is asked with a third of them, each of them stands in every third operation.
        for id in IDS[place % 3 :: 3]:
            if id == ".." and path == "/v1/fences/{id}/terminals":  # a client makes /v1/terminals of it
                continue
            query = f"?{span}" if path.endswith("/track") else ""
            response = await client.request(method, at(path, id) + query)
            assert 400 <= response.status_code < 500, (method, path, id, response.text)
            assert response.headers["content-type"] == "application/problem+json", (method, path, id)


#: What a text may hold, and a number or a moment at its ends.
TEXTS = ["\0", "\ud7ff", "\u202e", "x" * 65, "x" * 5000, "' OR 1=1"]
ENDS = [
    "NaN", "-1", "2026-02-30", "1e9999", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59+14:00", "2026-03-02T08:00:00",
    "2100-12-31T23:59:59-12:00",
]  # fmt: skip


def words_for(question: dict[str, Any], place: int) -> list[str]:
    """All of them for a text; for what is read as something else before we see it (one of a few, a number, yes or no) three, others each time."""
    told = json.dumps(question["schema"])
    free = '"string"' in told and '"enum"' not in told and '"$ref"' not in told and '"date' not in told
    every = TEXTS + ENDS
    return (
        every if free else [every[(place * 3 + k) % len(every)] for k in range(3)] + ENDS * ('"date' in told)
    )


async def test_questions_that_make_no_sense(client: httpx.AsyncClient) -> None:
    asked = 0
    for (method, path), description in described().items():
        if method != "GET":
            continue
        for question in (q for q in description.get("parameters", ()) if q["in"] == "query"):
            asked += 1
            for word in words_for(question, asked):
                more = {"seconds": "0"} if path in STREAMS else {}
                response = await client.get(
                    at(path).partition("?")[0], params=more | {question["name"]: word}
                )
                assert response.status_code < 500, (path, question["name"], word, response.text)
    assert asked > 300


# --- bodies

ATOMS: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**30, 0.1, -0.0, 1e308, 1e-308, 5e-324, "", " ", "0",
    "\0", "a\0b", "\n", "\u202e", "\ufeff", "苏F１２３４５", "苏" * 70, "x" * 201, "x" * 100_000, "NaN", "Infinity", "1e9", "-0",
    "0.0004", "999999999999", "1000000000", "9999999999.99", "1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z",
    "2100-12-31T23:59:59Z", "2100-12-31T23:59:59-12:00", "2026-02-30", "2026-03-02", "0001-01-01", "9999-12-31",
    "2026-03-02T08:00:00+99:99", "2026-03-02T24:00:00Z", "2026-03-02T08:00:60Z", "gcj02", "wgs84", "bd09", "active", "fill",
    "reversal", [], {}, [[]], [None], {"": None}, {"type": "Point", "coordinates": [1e400, 0]},
    {"type": "Point", "coordinates": [181, 91]}, {"type": "Point", "coordinates": [120.9]},
    {"type": "Polygon", "coordinates": []}, {"type": "Polygon", "coordinates": [[]]},
    {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]]},
    {"type": "Polygon", "coordinates": [[[-180, -90], [180, -90], [180, 90], [-180, 90], [-180, -90]]]},
    {"type": "MultiPolygon", "coordinates": [[[[120, 30], [120, 30], [120, 30], [120, 30]]]]},
    {"type": "GeometryCollection", "geometries": []}, [{"plate": "苏F12345", "valid_from": "2026-01-01T00:00:00Z"}] * 2,
    [{"name": "a", "lat": 90, "lon": 180, "datum": "bd09"}], [{"name": "a"}] * 300, ["car-1"] * 2, ["nobody"],
]  # fmt: skip

SPICES = {
    "organisations": ["id", "name", "parent"],
    "dispatch-orders": [
        "origin", "return_point", "actual_departure", "actual_return", "extended_to", "version_from", "note", "priority",
        "cancelled_at", "exchanges", "applicant", "approver", "entered_at", "holds_from",
    ],
    "fuel-cards": ["bindings", "status", "opened_on", "closed_on"],
    "fuel-stations": ["lat", "lon"],
    "fuel-transactions": ["balance", "energy", "station", "reverses"],
    "vehicles": ["registered_on", "disposed_on"],
    "terminals": ["disabled"],
    "violations": ["driver"],
}  # fmt: skip


def spoiled(chance: random.Random, kind: str) -> Any:
    """The example of a kind with something wrong in it, at any depth."""
    body = json.loads(json.dumps(EXAMPLES[kind]))
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        place: Any = body
        while True:
            if isinstance(place, dict):
                key: Any = chance.choice(
                    [*place, *(SPICES.get(kind, ()) if place is body else ()), "\0", "odd"]
                )
            elif place:
                key = chance.randrange(len(place))
            else:
                break
            inner = place.get(key) if isinstance(place, dict) else place[key]
            if isinstance(inner, dict | list) and inner and chance.random() < 0.6:
                place = inner
                continue
            if isinstance(place, dict) and key in place and chance.random() < 0.15:
                del place[key]
            else:
                place[key] = chance.choice(ATOMS)
            break
    return body


async def prepare(client: httpx.AsyncClient) -> None:
    """What the examples refer to."""
    for kind, id, body in [
        ("organisations", "city", {"name": "市"}), ("organisations", "finance", EXAMPLES["organisations"]),
        ("vehicles", "car-1", EXAMPLES["vehicles"]), ("terminals", "13800000001", EXAMPLES["terminals"]), ("drivers", "driver-1", EXAMPLES["drivers"]),
        ("fuel-cards", "1000113200000123456", EXAMPLES["fuel-cards"]),
    ]:  # fmt: skip
        response = await client.put(f"/v1/{kind}/{id}", json=body)
        assert response.status_code == 201, response.text


TABLES = (
    "organisations", "vehicles", "terminals", "terminal_bindings", "drivers", "fences", "dispatch_orders", "rule_parameters",
    "fuel_cards", "card_bindings", "fuel_stations", "fuel_transactions", "violations", "calendar_days", "clock_corrections",
    "live_due", "changes",
)  # fmt: skip


async def contents(pool: asyncpg.Pool) -> dict[str, list[str]]:
    """What stands in the registry, and what was noted of changes. One statement: this is asked after each of many requests."""
    each = (f"SELECT '{table}', t::text FROM {table} t" for table in TABLES)  # noqa: S608 - names above
    found: dict[str, list[str]] = {table: [] for table in TABLES}
    for table, row in await pool.fetch(f"{' UNION ALL '.join(each)} ORDER BY 1, 2"):
        found[table].append(row)
    return found


@pytest.mark.parametrize("kind", EXAMPLES)
async def test_spoiled_records_are_refused_and_leave_nothing(
    client: httpx.AsyncClient, pool: asyncpg.Pool, kind: str
) -> None:
    await prepare(client)
    before = await contents(pool)
    chance = random.Random(f"spoiled {kind}")
    refused = 0
    for number in range(150):
        body = spoiled(chance, kind)
        text = json.dumps(body, ensure_ascii=chance.random() < 0.5)
        id = "2026-10-01" if kind == "calendar-days" else "1380000" if kind == "terminals" else "new-1"
        put = number % 3
        if put:
            response = await client.put(
                f"/v1/{kind}/{id}", content=text.encode(), headers={"Content-Type": "application/json"}
            )
        else:
            listed = f'[{{"id": "{id}"}}, {text}]' if number % 2 else f"[{text}]"
            response = await client.post(
                f"/v1/{kind}:import", content=listed.encode(), headers={"Content-Type": "application/json"}
            )
        assert response.status_code < 500, (response.text, text[:2000])
        if response.status_code >= 400:
            refused += 1
            said = response.json()
            assert said["detail"], text[:2000]
            assert said["errors"] if response.status_code != 400 else said["detail"], (said, text[:2000])
            assert await contents(pool) == before, text[:2000]
        else:
            before = await contents(pool)
    assert refused > 40


async def test_json_that_is_none(client: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    await prepare(client)
    before = await contents(pool)
    bodies = [
        b"", b"null", b"1", b"[]", b'"x"', b"{", b"\xff\xfe{}", b"\xef\xbb\xbf{}", b"[" * 100_000, b'{"a":' * 50_000,
        b'{"name":"\\ud800","parent":null}', b'{"\\ud800":1,"name":"x"}', b'{"name":"x","name":"y"}', b'{"name":NaN}',
        b'{"name":1e999999999}', b'{"name":' + b"9" * 100_000 + b"}", b'{"name":"x","parent":"\\u0000"}',
    ]  # fmt: skip
    for body in bodies:
        for kind in EXAMPLES:
            for method, path in (("PUT", f"/v1/{kind}/20261001"), ("POST", f"/v1/{kind}:import")):
                if method == "POST" and len(body) > SMALL and kind not in ("fences", "violations"):
                    continue  # a process for each
                response = await client.request(
                    method, path, content=body, headers={"Content-Type": "application/json"}
                )
                assert response.status_code < 500, (method, path, body[:60], response.text)
        response = await client.put(
            "/v1/rule-parameters", content=body, headers={"Content-Type": "application/json"}
        )
        assert 400 <= response.status_code < 500, (body[:60], response.text)
    after = await contents(pool)
    after["organisations"] = [row for row in after["organisations"] if "20261001" not in row]
    assert after["organisations"] == before["organisations"]


async def test_who_sends_slowly_holds_nobody_up(pool: asyncpg.Pool, tmp_path: Path) -> None:
    """Of requests that write positions or import files few are worked on at once. One client that begins many and does not end
    them keeps no other from it."""
    go_on, begun = asyncio.Event(), 0

    async def slow() -> AsyncIterator[bytes]:
        nonlocal begun
        begun += 1
        yield b"["
        await go_on.wait()
        yield b"]"

    sink = EmbeddedLogWriter(tmp_path / "log.sqlite")
    async with serve(pool, sink) as client:
        client.headers["Content-Type"] = "application/json"
        slow_ones = [
            asyncio.create_task(client.post(address, content=slow()))
            for address in ["/v1/positions"] * 40 + ["/v1/organisations:import"] * 5
        ]
        await until(lambda: begun == 45, "the slow ones have begun")
        quick = await client.post("/v1/positions", content=b"[]")
        assert (quick.status_code, quick.json()) == (202, {"accepted": 0})
        imported = await client.post("/v1/organisations:import", content=b'[{"id": "O1", "name": "x"}]')
        assert imported.status_code == 200, imported.text
        go_on.set()
        done = await asyncio.gather(*slow_ones)
        assert {one.status_code for one in done[:40]} <= {202, 503}
    await sink.close()


async def test_what_arrives_at_once_is_bounded_and_small_ones_pass(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_MOST_ARRIVING", 1 << 20)
    go_on, begun = asyncio.Event(), 0

    async def large() -> AsyncIterator[bytes]:
        nonlocal begun
        yield b" " * (700 << 10)
        begun += 1
        await go_on.wait()

    async with serve(pool) as client:
        client.headers["Content-Type"] = "application/json"
        first = asyncio.create_task(client.put("/v1/organisations/O2", content=large()))
        await until(lambda: begun == 1, "the first one has begun")
        refused = await client.put("/v1/organisations/O2", content=b" " * (700 << 10))
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
        small = await client.put("/v1/organisations/O1", json={"name": "x"})
        assert small.status_code == 201
        go_on.set()
        assert (await first).status_code in (400, 422)
        again = await client.put("/v1/organisations/O2", content=b" " * (700 << 10))
        assert again.status_code in (400, 422)  # it is counted no more
