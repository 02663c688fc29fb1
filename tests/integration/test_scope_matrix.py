"""The denial matrix: every operation of the API, by every role, in its own units and in those of others.

In its own units a call succeeds exactly when the role has the permission (so that this test cannot pass by being broken); in
others it is refused, or finds nothing. An operation that is not listed here fails the test.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import pytest

from api.app import create_app
from api.basemap.endpoints import READ as MAPS
from api.http import make_cursor
from api.problems import OF_PEOPLE
from api.statistics.quality import PERMISSIONS as NUMBERS_OF
from office.identity.scope import Reach
from office.identity.subject import ROLE_PERMISSIONS, Role
from office.supervision.contents import COMMANDS
from office.supervision.states import Step
from registry.records import KINDS
from runtime.settings import Settings
from tests.integration import (
    scope_backtests,
    scope_commands,
    scope_costs,
    scope_drivers,
    scope_messages,
    scope_quotas,
    scope_reports,
    scope_trips,
    scope_vehicles,
)
from tests.integration.scope_assessment import lines as assessment_lines
from tests.integration.scope_exchange import exchange_lines
from tests.integration.scope_supervision import fill_helped, lines, step_body
from tests.integration.scope_world import (
    COMMON,
    NUMBERS,
    PARAMETER,
    SPAN,
    ScopeWorld,
    logged_world,
    marks,
    phone,
    plate,
    records,
    scope_database,
    words_of,
)
from tests.live_frames import END, split

#: Its own unit is below the one that the subject has its role in.
HOME, OWN, FOREIGN = "a", "a1", "b"
#: A program with the permissions that no role brings.
PROGRAM: Final = frozenset({"positions:write", "complaints:write", "exchange:peer"})
REFUSED: Final = frozenset({403, 404, 409, 422})
#: Before anybody knows who asks. What is for people has a matrix of its own (test_identity_matrix.py).
OPEN: Final = ("/v1/oauth/", "/v1/oidc/")
_NAMES: Final = count()
Call = Callable[[httpx.AsyncClient, str, ScopeWorld], Awaitable[httpx.Response]]


@dataclass(frozen=True, slots=True)
class Case:
    """``call(client, unit, world)``: the operation on what is the unit's. ``needs``: permissions of which one lets in.
    ``foreign``: answers to the call on another unit; None = it is a list, whose answer has nothing of other units.
    ``common``: what is no unit's: read by all, written by who reaches everywhere."""

    call: Call
    needs: tuple[str, ...]
    own: frozenset[int] = frozenset({200, 201, 204})
    foreign: frozenset[int] | None = REFUSED
    common: bool = False


def _get(path: str, **query: str) -> Call:
    """``path``: with what stands in braces by unit."""

    async def call(client: httpx.AsyncClient, unit: str, world: ScopeWorld) -> httpx.Response:
        return await client.get(_filled(path, unit, world), params=query)

    return call


def _filled(path: str, unit: str, world: ScopeWorld) -> str:
    return path.format(unit=unit, phone=phone(unit), alert=world.alerts[unit], plate=plate(unit))


def _id(kind: str) -> str:
    if kind in COMMON:
        return COMMON[kind][0]
    return _IDS[kind]


_IDS: Final = {
    "organisations": "{unit}", "terminals": "{phone}", "vehicles": "car-{unit}", "drivers": "driver-{unit}", "fences": "fence-{unit}", "dispatch-orders": "order-{unit}",
    "fuel-cards": "card-{unit}", "fuel-transactions": "fill-{unit}", "violations": "offence-{unit}",
    "clock-corrections": "clock-{unit}",
}  # fmt: skip


def _record(kind: str, unit: str) -> tuple[str, dict[str, Any]]:
    if kind not in COMMON:
        return records(unit)[kind]
    id, body = COMMON[kind]
    return id, body | {"name": f"{body['name']}{next(_NAMES)}"}  # what is as it was is not written


def _put(kind: str) -> Call:
    async def call(client: httpx.AsyncClient, unit: str, _world: ScopeWorld) -> httpx.Response:
        id, body = _record(kind, unit)
        return await client.put(f"/v1/{kind}/{id}", json=body)

    return call


def _import(kind: str) -> Call:
    async def call(client: httpx.AsyncClient, unit: str, _world: ScopeWorld) -> httpx.Response:
        id, body = _record(kind, unit)
        return await client.post(f"/v1/{kind}:import", json=[{"id": id} | body])

    return call


async def _put_parameter(client: httpx.AsyncClient, unit: str, _world: ScopeWorld) -> httpx.Response:
    return await client.put("/v1/rule-parameters", json=PARAMETER | {"organisation": unit})


async def _forget_parameter(client: httpx.AsyncClient, unit: str, world: ScopeWorld) -> httpx.Response:
    asked = {name: str(PARAMETER[name]) for name in ("rule", "name", "effective_from")} | {
        "organisation": unit
    }
    answer = await client.delete("/v1/rule-parameters", params=asked)
    await world.everywhere.put("/v1/rule-parameters", json=PARAMETER | {"organisation": unit})
    return answer


async def _changed_code(client: httpx.AsyncClient, _unit: str, world: ScopeWorld) -> httpx.Response:
    seen = await world.pool.fetchval("SELECT revision FROM disposition_codes WHERE code = 'closed'")
    return await client.put(
        "/v1/disposition-codes/closed", json={"zh": "予以了结", "en": "closed", "revision": seen}
    )


async def _withdraw(client: httpx.AsyncClient, unit: str, _world: ScopeWorld) -> httpx.Response:
    return await client.delete(f"/v1/fences/fence-{unit}")


async def _take_back(client: httpx.AsyncClient, unit: str, world: ScopeWorld) -> httpx.Response:
    answer = await client.delete(f"/v1/clock-corrections/clock-{unit}")
    await _put("clock-corrections")(world.everywhere, unit, world)
    return answer


async def _forget_day(client: httpx.AsyncClient, unit: str, world: ScopeWorld) -> httpx.Response:
    answer = await client.delete("/v1/calendar-days/2026-10-01")
    await _put("calendar-days")(world.everywhere, unit, world)
    return answer


async def _accept(client: httpx.AsyncClient, unit: str, world: ScopeWorld) -> httpx.Response:
    await world.pool.execute(
        "UPDATE terminals SET waiting_device = ARRAY['m', 'm', 'device', ''], waiting_since = now() WHERE phone = $1", phone(unit)
    )  # fmt: skip
    answer = await client.post(f"/v1/terminals/{phone(unit)}:accept-device")
    await world.pool.execute("UPDATE terminal_notices SET settled_at = NULL")
    return answer


async def _accept_correction(client: httpx.AsyncClient, unit: str, world: ScopeWorld) -> httpx.Response:
    await world.pool.execute(
        "INSERT INTO clock_doubts (terminal_no, received_from, lag_s) SELECT no, '2026-03-02Z', 28800 FROM terminals WHERE phone = $1"
        " ON CONFLICT DO NOTHING",
        phone(unit),
    )
    answer = await client.post(f"/v1/terminals/{phone(unit)}:accept-correction")
    await world.pool.execute("DELETE FROM clock_doubts")
    await world.pool.execute("DELETE FROM clock_corrections WHERE id LIKE '%@%'")
    await world.pool.execute("UPDATE terminal_notices SET settled_at = NULL")
    return answer


def _file(path: str, head: str, row: str) -> Call:
    async def call(client: httpx.AsyncClient, unit: str, world: ScopeWorld) -> httpx.Response:
        answer = await client.post(
            path,
            content=f"{head}\n{_filled(row, unit, world)}\n".encode(),
            headers={"Content-Type": "text/csv"},
        )
        # Of such a file the good rows are written and the others named: that of another unit is none of ours.
        if answer.status_code == 200 and answer.json()["refused"]:
            answer.status_code = 422
        return answer

    return call


async def _positions(client: httpx.AsyncClient, unit: str, _world: ScopeWorld) -> httpx.Response:
    row = {
        "terminal": phone(unit),
        "time": "2026-03-02T08:30:00+08:00",
        "lat": 31.98,
        "lon": 120.89,
        "datum": "wgs84",
    }
    return await client.post("/v1/positions", json=[row])


async def _subscription(client: httpx.AsyncClient, unit: str, world: ScopeWorld) -> int:
    """The number of a delivery of the caller's subscription ``sub_{unit}``: with a webhook, whatever the caller may."""
    secret = client.headers["Authorization"].removeprefix("Bearer ")
    owner = await world.pool.fetchval(
        "SELECT id FROM api_tokens WHERE sha256 = $1", hashlib.sha256(secret.encode()).digest()
    )
    number = await world.pool.fetchval(
        "INSERT INTO subscriptions (owner_kind, owner_id, name) VALUES ('token', $1, $2)"
        " ON CONFLICT (owner_kind, owner_id, name) DO UPDATE SET committed = 0 RETURNING no",
        owner,
        f"sub_{unit}",
    )
    await world.pool.execute(
        "INSERT INTO webhooks (subscription_no, url, filled) VALUES ($1, 'https://receiver.example.cn/', 0) ON CONFLICT DO NOTHING",
        number,
    )
    made: int = await world.pool.fetchval(
        "INSERT INTO webhook_deliveries (subscription_no, seq, alert_id, version, organisation) VALUES ($1, 1, $2, 1, $3)"
        " ON CONFLICT (subscription_no, seq) DO UPDATE SET due_at = now() RETURNING no",
        number,
        world.alerts[unit],
        unit,
    )
    return made


def _subscribed(method: str, path: str = "", body: dict[str, Any] | None = None) -> Call:
    """An operation on the caller's own subscription."""

    async def call(client: httpx.AsyncClient, unit: str, world: ScopeWorld) -> httpx.Response:
        delivery = await _subscription(client, unit, world)
        address = f"/v1/subscriptions/sub_{unit}{path.format(delivery=delivery)}"
        return await client.request(method, address, json=body)

    return call


async def _tested(client: httpx.AsyncClient, unit: str, world: ScopeWorld) -> httpx.Response:
    """A test delivery; nobody delivers here, so it is ended by hand."""
    asking = asyncio.ensure_future(_subscribed("POST", "/webhook/test")(client, unit, world))
    while not asking.done():
        await world.pool.execute(
            "UPDATE webhook_tests SET ended_at = now(), took_ms = 1 WHERE ended_at IS NULL"
        )
        await asyncio.sleep(0.02)
    return await asking


async def _streamed(client: httpx.AsyncClient, unit: str, world: ScopeWorld) -> httpx.Response:
    answer = await client.get("/v1/alerts/stream", params={"cursor": _PLACE, "seconds": "0.3"})
    answer.headers.pop("x-accel-buffering", None)  # a mark of unit b stands in its name
    return answer


async def _live(client: httpx.AsyncClient, unit: str, world: ScopeWorld) -> httpx.Response:
    answer = await client.get("/v1/live/vehicles", params={"seconds": "0"})
    answer.headers.pop("x-accel-buffering", None)
    if answer.status_code == 200:  # numbers in binary may look like anything; test_live_map.py reads them
        assert [each.kind for each in split(answer.content)[0]] == [END]
        answer._content = b""
    return answer


async def _unconfirmed(client: httpx.AsyncClient, unit: str, world: ScopeWorld) -> httpx.Response:
    await world.pool.execute("TRUNCATE alert_receipts")
    return await client.get("/v1/alerts/unconfirmed", params={"hours": "0"})


def _answered(method: str, path: str, body: dict[str, Any]) -> Call:
    async def call(client: httpx.AsyncClient, unit: str, world: ScopeWorld) -> httpx.Response:
        return await client.request(method, _filled(path, unit, world), json=body)

    return call


async def _read(client: httpx.AsyncClient, unit: str, world: ScopeWorld) -> httpx.Response:
    """Marked as read. An alert that is not seen is passed over: told here as 404."""
    await world.pool.execute("TRUNCATE alert_reads")
    body = {"alerts": [{"id": world.alerts[unit], "version": 1}]}
    answer = await client.post("/v1/alerts:read", json=body)
    if answer.status_code == 200 and answer.json() == {"marked": 0}:
        answer.status_code = 404
    return answer


def _readers(kind: str) -> tuple[str, ...]:
    """Who gives roles sees the units, and nothing else of the registry."""
    return (*_READ, "users:manage") if kind == "organisations" else _READ


async def _marked(client: httpx.AsyncClient, unit: str, world: ScopeWorld) -> httpx.Response:
    answer = await client.post(f"/v1/vehicles/car-{unit}:mark-secret", json={"reason": "执行机要任务"})
    await world.pool.execute("UPDATE vehicles SET secret = false WHERE id = $1", f"car-{unit}")
    return answer


_ALERTS, _ANSWERS, _MINE = ("alerts:read",), ("dispositions:write",), ("subscriptions:manage",)
#: What is the caller's own names units and tells nothing of them.
_DONE: Final = frozenset({200, 201, 204})
_PLACE: Final = make_cursor("feed", 0)
_HOOK: Final = "/v1/subscriptions/{name}/webhook"
_READ, _WRITE = ("registry:read",), ("registry:write",)
#: No answer to it: ``_read`` says so where nothing was marked.
_NOT_MARKED: Final = frozenset({404})
#: A time in which the alerts of the units began.
MARCH: Final = {"from": "2026-03-01T00:00:00+08:00", "to": "2026-04-01T00:00:00+08:00"}
#: (method, path) -> case. A new operation needs its line here.
CASES: Final[dict[tuple[str, str], Case]] = {
    ("GET", "/v1/alerts"): Case(_get("/v1/alerts"), ("alerts:read",), foreign=None),
    ("GET", "/v1/alerts/counts"): Case(_get("/v1/alerts/counts"), _ALERTS, foreign=None),
    ("GET", "/v1/statistics/alerts"): Case(_get("/v1/statistics/alerts", by="vehicle", **MARCH), _ALERTS, foreign=None),
    ("GET", "/v1/statistics/fleet"): Case(_get("/v1/statistics/fleet"), ("tracks:read",), foreign=None),
    # Numbers of what one sees: test_statistics compares them with the lists.
    ("GET", "/v1/statistics/cockpit"): Case(_get("/v1/statistics/cockpit"), NUMBERS_OF, foreign=_DONE),
    ("GET", "/v1/statistics/data-quality"): Case(_get("/v1/statistics/data-quality"), NUMBERS_OF, foreign=_DONE),
    ("GET", "/v1/alerts/feed"): Case(_get("/v1/alerts/feed"), ("alerts:read",), foreign=None),
    ("GET", "/v1/alerts/stream"): Case(_streamed, _ALERTS, foreign=None),
    ("GET", "/v1/alerts/unconfirmed"): Case(_unconfirmed, _ALERTS, foreign=None),
    ("PUT", "/v1/alerts/{id}/receipt"): Case(
        _answered("PUT", "/v1/alerts/{alert}/receipt", {"version": 1, "received_by": "x"}), _ANSWERS
    ),
    ("POST", "/v1/alerts/{id}/dispositions"): Case(
        _answered("POST", "/v1/alerts/{alert}/dispositions", {"id": "1", "code": "closed", "decided_by": "x"}), _ANSWERS
    ),
    # Marked for oneself alone: of what one does not see nothing is marked.
    ("POST", "/v1/alerts:read"): Case(_read, _ALERTS, foreign=_NOT_MARKED),
    ("GET", "/v1/disposition-codes"): Case(_get("/v1/disposition-codes"), _ALERTS, common=True),
    ("PUT", "/v1/disposition-codes/{code}"): Case(
        _changed_code, _ANSWERS, common=True
    ),
    ("GET", "/v1/subscriptions"): Case(_get("/v1/subscriptions"), _MINE, foreign=_DONE),
    ("PUT", "/v1/subscriptions/{name}"): Case(_subscribed("PUT", "", {}), _MINE, foreign=_DONE),
    ("GET", "/v1/subscriptions/{name}"): Case(_subscribed("GET"), _MINE, foreign=_DONE),
    ("GET", "/v1/subscriptions/{name}/entries"): Case(_subscribed("GET", "/entries"), _ALERTS, foreign=None),
    ("POST", "/v1/subscriptions/{name}/commit"): Case(
        _subscribed("POST", "/commit", {"cursor": _PLACE, "expected": _PLACE}), _MINE, foreign=_DONE
    ),
    ("POST", "/v1/subscriptions/{name}/seek"): Case(_subscribed("POST", "/seek", {"sequence": 0}), _MINE, foreign=_DONE),
    ("PUT", _HOOK): Case(
        _subscribed("PUT", "/webhook", {"url": "https://receiver.example.cn/"}), _MINE, foreign=_DONE
    ),
    ("GET", _HOOK): Case(_subscribed("GET", "/webhook"), _MINE, foreign=_DONE),
    ("POST", f"{_HOOK}/secret"): Case(_subscribed("POST", "/webhook/secret", {}), _MINE, foreign=_DONE),
    ("POST", f"{_HOOK}/test"): Case(_tested, _MINE, foreign=_DONE),
    ("GET", f"{_HOOK}/deliveries"): Case(_subscribed("GET", "/webhook/deliveries"), _MINE, foreign=_DONE),
    ("GET", f"{_HOOK}/deliveries/{{delivery}}"): Case(
        _subscribed("GET", "/webhook/deliveries/{delivery}"), _MINE, foreign=_DONE
    ),
    ("POST", f"{_HOOK}/deliveries/{{delivery}}/resend"): Case(
        _subscribed("POST", "/webhook/deliveries/{delivery}/resend"), _MINE, foreign=_DONE
    ),
    ("DELETE", _HOOK): Case(_subscribed("DELETE", "/webhook"), _MINE, foreign=_DONE),
    ("DELETE", "/v1/subscriptions/{name}"): Case(_subscribed("DELETE"), _MINE, foreign=_DONE),
    ("GET", "/v1/alerts/{id}"): Case(_get("/v1/alerts/{alert}"), ("alerts:read",)),
    ("GET", "/v1/alerts/{id}/evidence"): Case(_get("/v1/alerts/{alert}/evidence"), ("alerts:read",)),
    ("GET", "/v1/alerts/{id}/picture"): Case(_get("/v1/alerts/{alert}/picture"), ("alerts:read",)),
    ("GET", "/v1/evaluations"): Case(_get("/v1/evaluations"), ("alerts:read",), foreign=None),
    ("GET", "/v1/evaluations/waiting"): Case(_get("/v1/evaluations/waiting"), ("alerts:read",), foreign=None),
    ("GET", "/v1/vehicles/{id}/track"): Case(_get("/v1/vehicles/car-{unit}/track", **SPAN), ("tracks:read",)),
    ("GET", "/v1/live/vehicles"): Case(_live, ("tracks:read",), foreign=_DONE),
    ("GET", "/v1/live/roster"): Case(_get("/v1/live/roster"), ("tracks:read",), foreign=None),
    # The orders of now, of which there are none here; tests/integration/test_live_map.py has some.
    ("GET", "/v1/live/orders"): Case(_get("/v1/live/orders"), ("registry:read",), foreign=frozenset({200})),
    # The ground is everybody's who sees maps. Here is none, so that a tile is gone.
    ("GET", "/v1/basemap"): Case(_get("/v1/basemap"), MAPS, foreign=_DONE),
    ("GET", "/v1/basemap/{version}/{z}/{x}/{y}"): Case(
        _get(f"/v1/basemap/{'0' * 16}/5/1/1"), MAPS, own=frozenset({410}), foreign=frozenset({410})
    ),
    ("POST", "/v1/positions"): Case(_positions, ("positions:write",), own=frozenset({202})),
    ("GET", "/v1/dispatch-orders/{id}/result"): Case(
        _get("/v1/dispatch-orders/order-{unit}/result"), ("registry:read", "tracks:read")
    ),
    ("GET", "/v1/rule-parameters"): Case(_get("/v1/rule-parameters"), _READ, foreign=None),
    ("PUT", "/v1/rule-parameters"): Case(_put_parameter, _WRITE),
    ("DELETE", "/v1/rule-parameters"): Case(_forget_parameter, _WRITE),
    ("DELETE", "/v1/fences/{id}"): Case(_withdraw, _WRITE),
    ("DELETE", "/v1/clock-corrections/{id}"): Case(_take_back, _WRITE),
    ("DELETE", "/v1/calendar-days/{id}"): Case(_forget_day, _WRITE, common=True),
    ("GET", "/v1/terminal-notices"): Case(_get("/v1/terminal-notices"), _READ, foreign=None),
    ("POST", "/v1/terminals/{id}:accept-device"): Case(_accept, _WRITE),
    ("POST", "/v1/terminals/{id}:accept-correction"): Case(_accept_correction, _WRITE),
    ("POST", "/v1/fuel-transactions:import-statement"): Case(
        _file("/v1/fuel-transactions:import-statement", "卡号,交易时间,交易类型,数量(升)", "card-{unit},2026-03-03 08:00:00,加油,10"),
        _WRITE,
    ),
    ("POST", "/v1/violations:import-export"): Case(
        _file("/v1/violations:import-export", "号牌号码,违法时间,违法行为", "{plate},2026-03-03 08:00:00,闯红灯"), _WRITE
    ),
    ("GET", "/v1/secret-vehicles"): Case(_get("/v1/secret-vehicles"), ("secret:read",), foreign=_DONE),
    ("POST", "/v1/vehicles/{id}:mark-secret"): Case(_marked, ("secret:change",)),
    # Tokens ask here: a mark is lifted by people.
    ("POST", "/v1/vehicles/{id}:lift-secret"): Case(
        _answered("POST", "/v1/vehicles/car-{unit}:lift-secret", {"reason": "不再涉密车辆"}), ("secret:change",), own=frozenset({403})
    ),
    ("GET", "/v1/audit"): Case(_get("/v1/audit", limit="1000"), ("audit:read",), foreign=None),
    **{("GET", f"/v1/{kind}/{{id}}"): Case(_get(f"/v1/{kind}/{_id(kind)}"), _readers(kind), common=kind in COMMON) for kind in KINDS},
    **{("PUT", f"/v1/{kind}/{{id}}"): Case(_put(kind), _WRITE, common=kind in COMMON) for kind in KINDS},
    **{("POST", f"/v1/{kind}:import"): Case(_import(kind), _WRITE, common=kind in COMMON) for kind in KINDS},
    **{("GET", f"/v1/{kind}"): Case(_get(f"/v1/{kind}"), _readers(kind), foreign=None, common=kind in COMMON) for kind in KINDS},
    **{
        ("GET", f"/v1/{kind}/{{id}}/versions"): Case(_get(f"/v1/{kind}/{_id(kind)}/versions"), _READ)
        for kind in ("fences", "dispatch-orders")
    },
    **lines(Case, _get, _file),
    **assessment_lines(Case),
    **exchange_lines(Case, _get),
    **scope_messages.lines(Case, _get),
    **scope_backtests.lines(Case, _get),
    **scope_commands.lines(Case, _get),
    **scope_reports.lines(Case, _get),
    **scope_trips.lines(Case, _get),
    **scope_vehicles.lines(Case, _get),
    **scope_quotas.lines(Case, _get),
    **scope_costs.lines(Case, _get, _file),
    **scope_drivers.lines(Case, _get),
}  # fmt: skip


@pytest.fixture(scope="module")
def made(postgres_dsn: str, template_database: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The database of these tests."""
    with scope_database(postgres_dsn, template_database) as database:
        yield database


@pytest.fixture
async def units(made: tuple[str, dict[str, str]], tmp_path: Path) -> AsyncIterator[ScopeWorld]:
    async with logged_world(made, tmp_path) as world:
        yield world


def test_every_operation_is_known_here() -> None:
    paths = create_app(Settings(), None, position_sink=None).openapi()["paths"]
    there = {
        (m.upper(), p)
        for p, methods in paths.items()
        for m in methods
        if p.startswith("/v1/") and not p.startswith((*OF_PEOPLE, *OPEN))
    }
    assert there == CASES.keys()


def _foreign_marks(answer: httpx.Response, own: str) -> list[str]:
    """What of other units stands in an answer."""
    texts = words_of(answer)
    return [mark for unit in NUMBERS if unit != own for mark in marks(unit) if mark in texts]


def _around(text: str, found: Collection[str]) -> list[str]:
    """What stands around each of ``found``, so that a failure says where it is."""
    return [text[max(0, text.find(mark) - 80) : text.find(mark) + 40] for mark in found]


def _alike() -> dict[frozenset[str], list[str]]:
    """Of the permissions that the operations need, what each role brings -> the roles that bring just that. They are asked
    together: what lets in, and where, is permissions and units, and nothing else of a role."""
    needed = {name for case in CASES.values() for name in case.needs}
    found: dict[frozenset[str], list[str]] = {PROGRAM: ["program"]}
    for role in Role:
        found.setdefault(ROLE_PERMISSIONS[role] & needed, []).append(role.value)
    return found


@pytest.mark.parametrize("has", [pytest.param(has, id="-".join(roles)) for has, roles in _alike().items()])
async def test_a_role_reaches_its_units_and_no_others(units: ScopeWorld, has: frozenset[str]) -> None:
    wrong: list[str] = []
    async with units.client(await units.token(has, HOME)) as client:
        for (method, path), case in CASES.items():
            name, may = f"{method} {path}", not has.isdisjoint(case.needs)
            own, foreign = await case.call(client, OWN, units), await case.call(client, FOREIGN, units)
            if not may:
                wrong += [
                    f"{name}: {answer.status_code} without the permission {answer.text[:200]}"
                    for answer in (own, foreign)
                    if answer.status_code != 403 or "missing-scope" not in answer.text
                ]
                continue
            reads = method == "GET"
            expected = case.own if reads or not case.common else REFUSED
            if own.status_code not in expected:
                wrong.append(f"{name}: {own.status_code} in its own unit: {own.text[:300]}")
            if found := _foreign_marks(own, OWN):
                wrong.append(f"{name}: tells of other units: {found} {_around(words_of(own), found)}")
            if case.foreign is None:
                if not case.common and not any(mark in words_of(own) for mark in (*marks(OWN), f'"{OWN}"')):
                    wrong.append(f"{name}: does not tell of its own unit: {own.text[:300]}")
            elif foreign.status_code not in (case.own if case.common and reads else case.foreign):
                wrong.append(f"{name}: {foreign.status_code} in another unit: {foreign.text[:300]}")
    assert wrong == []


async def test_who_reaches_everywhere_reaches_all_of_it(units: ScopeWorld) -> None:
    """That what is refused to others is there."""
    wrong = []
    async with units.client(await units.token({n for c in CASES.values() for n in c.needs}, None)) as client:
        for (method, path), case in CASES.items():
            for unit in (OWN, FOREIGN):
                answer = await case.call(client, unit, units)
                if answer.status_code not in case.own:
                    wrong.append(f"{method} {path} of {unit}: {answer.status_code} {answer.text[:300]}")
                elif case.foreign is None and not case.common and not any(
                    mark in words_of(answer) for mark in (*marks(FOREIGN), f'"{FOREIGN}"')
                ):  # fmt: skip
                    wrong.append(f"{method} {path}: does not tell of {FOREIGN}")
    assert wrong == []


async def test_the_list_of_dispositions_is_changed_by_who_reaches_everywhere(units: ScopeWorld) -> None:
    """Whoever holds the right in some units is told so; it is no contradiction that he could settle by reading again."""
    new = {"zh": "新", "en": "new", "revision": 999_999}  # not the present one
    for home in (HOME, "city", None):
        async with units.client(await units.token({"dispositions:write"}, home)) as client:
            changed = await _changed_code(client, OWN, units)
            again = await client.put("/v1/disposition-codes/closed", json=new)
        if home is None:
            assert (changed.status_code, again.status_code) == (200, 409)
            continue
        for answer in (changed, again):
            assert answer.status_code == 403, answer.text
            assert answer.json()["type"].endswith("out-of-scope")
            assert "覆盖全部单位" in answer.json()["detail"]


async def test_records_do_not_change_hands(units: ScopeWorld) -> None:
    """A record of one's own is not given to another unit, and none of theirs is taken."""
    async with units.client(await units.token({"registry:read", "registry:write"}, HOME)) as client:
        for kind in ("vehicles", "drivers", "fences", "dispatch-orders", "fuel-cards"):
            own, given = _record(kind, OWN)
            foreign, _ = _record(kind, FOREIGN)
            for id, body in (
                (own, given | {"organisation": FOREIGN}),
                (foreign, given),
                (own, given | {"organisation": "city"}),
            ):
                answer = await client.put(f"/v1/{kind}/{id}", json=body)
                assert answer.status_code in REFUSED, (kind, id, answer.text)
                assert not _foreign_marks(answer, OWN) or id == foreign
        for body in ({"vehicle": "car-b"}, {"vehicle": "car-a1"}):
            since = {"valid_from": "2026-02-01T00:00:00+08:00"}
            id = phone(OWN) if body["vehicle"] == "car-b" else phone(FOREIGN)
            answer = await client.put(f"/v1/terminals/{id}", json=body | since)
            assert answer.status_code in REFUSED, answer.text
        # The plate of a car of another unit is refused, and not said whose it is.
        taken = await client.put("/v1/vehicles/car-new", json={"plate": plate(FOREIGN), "organisation": OWN})
        assert taken.status_code in (403, 409), taken.text
        assert "car-b" not in taken.text
    for kind in ("vehicles", "drivers", "fences", "dispatch-orders", "fuel-cards"):
        for unit in (OWN, FOREIGN):
            stored = (await units.everywhere.get(f"/v1/{kind}/{_record(kind, unit)[0]}")).json()
            assert stored["organisation"] == unit


async def test_an_id_of_another_unit_and_one_that_nobody_has_are_read_alike(units: ScopeWorld) -> None:
    reading = {n for (method, _), case in CASES.items() if method == "GET" for n in case.needs}
    async with units.client(await units.token(reading, HOME)) as client:
        for (method, path), case in CASES.items():
            if method == "GET" and "{id}" in path and not case.common:
                foreign = await case.call(client, FOREIGN, units)
                address = str(foreign.request.url)
                id = foreign.request.url.path.split("/")[3].partition(":")[0]
                nobody = await client.get(address.replace(f"/{id}", "/nobody"))
                assert foreign.status_code == nobody.status_code == 404, path
                assert foreign.json()["detail"].replace(id, "nobody") == nobody.json()["detail"], path


async def test_a_large_import_is_under_the_reach_as_well(units: ScopeWorld) -> None:
    """It runs in a process of its own."""
    drivers = [{"id": f"new-{i}", "name": f"驾驶员{i}", "organisation": OWN} for i in range(2_000)]
    async with units.client(await units.token({"registry:write"}, HOME)) as client:
        foreign = [*drivers, {"id": "new-x", "name": "x", "organisation": FOREIGN}]
        refused = await client.post("/v1/drivers:import", json=foreign, timeout=60)
        assert refused.status_code == 422, refused.text
        assert await units.pool.fetchval("SELECT count(*) FROM drivers WHERE id LIKE 'new-%'") == 0
        taken = [*drivers, {"id": "driver-b", "name": "x", "organisation": OWN}]
        refused = await client.post("/v1/drivers:import", json=taken, timeout=60)
        assert refused.status_code == 409, refused.text
        assert await units.pool.fetchval("SELECT count(*) FROM drivers WHERE id LIKE 'new-%'") == 0
        done = await client.post("/v1/drivers:import", json=drivers, timeout=60)
        assert done.status_code == 200, done.text
        assert done.json()["created"] == len(drivers)


#: SQL of a unit that helps -> rows that it changes, None = refused.
_BY_HELPERS: Final[dict[str, int | None]] = {
    "UPDATE cases SET version = 5 WHERE id = 'case-helped'": 1,
    "UPDATE cases SET organisation = 'b' WHERE id = 'case-helped'": None,
    "UPDATE cases SET title = 'x' WHERE id = 'case-helped'": None,
    "UPDATE cases SET state = 'closed' WHERE id = 'case-helped'": None,
    "UPDATE cases SET helpers = '{}' WHERE id = 'case-helped'": None,
    "UPDATE cases SET helpers = '{a}', version = 5 WHERE id = 'case-helped'": None,
    "UPDATE cases SET version = 5 WHERE id = 'draft-helped'": 0,
    "UPDATE cases SET version = 5 WHERE id = 'case-a1'": 0,
    "UPDATE case_links SET open = false WHERE case_id = 'case-helped'": 0,
    "DELETE FROM case_links WHERE case_id = 'case-helped'": 0,
    "INSERT INTO case_links (case_id, kind, ref, open) VALUES ('case-helped', 'alert', 'x', true)": None,
    "INSERT INTO case_events (case_id, version, step, at, actor, persons, actor_name, body) VALUES ('draft-helped', 2, 'note', now(), '', '{}', '', '{}')": None,
    "INSERT INTO cases (id, organisation, number, state, version, source, level, title, created_at, helpers)"
    " VALUES ('new', 'a1', 'new', 'issued', 1, 'joint', 'general', 't', now(), '{b}')": None,
    "UPDATE tasks SET note = 'x' WHERE id = 'task-helped'": 0,
}


async def test_the_database_gives_a_unit_that_helps_the_case_and_no_more(units: ScopeWorld) -> None:
    async with units.pool.acquire() as connection:
        around = connection.transaction()
        await around.start()
        await fill_helped(connection, OWN, FOREIGN)
        await connection.execute(Reach(frozenset({FOREIGN}), "user:9").sql())
        for table, column in (("cases", "id"), ("case_events", "case_id"), ("case_attachments", "case_id")):
            seen = await connection.fetch(f"SELECT DISTINCT {column} FROM {table}")  # noqa: S608 - names of ours
            ids = {row[0] for row in seen}
            assert "case-helped" in ids, table
            assert ids.isdisjoint({"draft-helped", "case-a1", "case-city"}), table
        for table in ("case_links", "tasks", "messages"):
            seen = await connection.fetch(f"SELECT DISTINCT case_id FROM {table}")  # noqa: S608 - names of ours
            assert {row[0] for row in seen}.isdisjoint(
                {"case-helped", "draft-helped", "case-a1", "case-city"}
            ), table
        for sql, rows in _BY_HELPERS.items():
            inner = connection.transaction()
            await inner.start()
            try:
                done = await connection.execute(sql)
                assert (done.rpartition(" ")[2]) == str(rows), sql
            except asyncpg.InsufficientPrivilegeError:
                assert rows is None, sql
            await inner.rollback()
        await around.rollback()


async def test_a_unit_that_helps_reads_the_case_says_its_part_and_decides_nothing(units: ScopeWorld) -> None:
    """By every role, in the unit that helps; and by every role in a third one, which is told nothing."""
    await fill_helped(units.pool, OWN, FOREIGN)
    await units.pool.execute(
        "INSERT INTO organisations (id, name, parent) VALUES ('third', '第三单位', 'city')"
    )
    base, wrong = "/v1/cases/case-helped", list[str]()
    for role, unit in ((role, unit) for role in Role for unit in (FOREIGN, "third")):
        has = ROLE_PERMISSIONS[role]
        reads, answers = (
            "cases:read" in has and unit == FOREIGN,
            not has.isdisjoint({"cases:reply", "cases:sign"}),
        )
        async with units.client(await units.of_role(role, unit)) as client:
            for path, there in ((base, reads), (f"{base}/attachments/file-helped", reads), (f"{base}/documents/order", reads),
                                (f"{base}/bundle?purpose=x", False), ("/v1/cases/draft-helped", False)):  # fmt: skip
                answer = await client.get(path)
                if (answer.status_code == 200) != there or answer.status_code not in (200, 403, 404):
                    wrong.append(f"{role} in {unit}: GET {path}: {answer.status_code} {answer.text[:200]}")
            if reads:
                shown = (await client.get(base)).json()
                assert [(e["step"], e["address"]) for e in shown["thread"] if e["by"] == "x"] == [
                    ("issue", None)
                ]
                listed = (await client.get("/v1/cases")).json()["items"]
                assert [row["id"] for row in listed if row["organisation"] == OWN] == ["case-helped"], role
            before = await units.pool.fetchval("SELECT version FROM cases WHERE id = 'case-helped'")
            for step in COMMANDS:
                version = await units.pool.fetchval("SELECT version FROM cases WHERE id = 'case-helped'")
                answer = await client.post(f"{base}:{step}", json=step_body(step, version))
                may = step is Step.NOTE and answers and unit == FOREIGN
                if answer.status_code not in ({200} if may else {403, 404, 409}):
                    wrong.append(f"{role} in {unit}: {step}: {answer.status_code} {answer.text[:200]}")
            sent = await client.post(f"{base}/attachments", params={"name": "a.txt"}, content=b"x")
            if (sent.status_code == 201) != (answers and unit == FOREIGN):
                wrong.append(f"{role} in {unit}: a file: {sent.status_code} {sent.text[:200]}")
            after = await units.pool.fetchrow(
                "SELECT version, organisation, state FROM cases WHERE id = 'case-helped'"
            )
            assert tuple(after) == (before + (2 if answers and unit == FOREIGN else 0), OWN, "issued"), role
    assert wrong == []
