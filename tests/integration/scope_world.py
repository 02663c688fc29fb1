"""Units with everything in them: a city, under it the units ``a`` (with ``a1`` below it) and ``b``. Each of ``a1``, ``b`` and
``city`` has one record of each kind whose id ends with the name of the unit, and marks that no other unit's records have."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import openpyxl

from api.app import create_app
from api.documents.rendering import PDF, XLSX
from office.identity.subject import ROLE_PERMISSIONS, Role
from office.identity.tokens import SCOPES, create_token
from rules.alerts.feed import publish_feed
from rules.alerts.model import AlertFacts, Judgement, Measure
from rules.alerts.publish import publish
from rules.evidence import canonical, digest
from runtime.postgres import create_pool
from runtime.settings import Settings
from runtime.units import US_PER_DAY
from telemetry.archive.cold.catalogue import note_terminals
from telemetry.archive.store import Archive
from telemetry.log.base import LogWriter
from telemetry.log.sqlite import EmbeddedLogWriter
from telemetry.positions import PositionBatch
from tests.databases import copied
from tests.identity_key import identity_key
from tests.integration import (
    scope_backtests,
    scope_commands,
    scope_drivers,
    scope_exchange,
    scope_messages,
    scope_quotas,
    scope_reports,
    scope_vehicles,
)
from tests.integration.scope_assessment import fill as fill_assessment
from tests.integration.scope_costs import fill_costs
from tests.integration.scope_supervision import fill
from tests.integration.scope_trips import fill_trips
from tests.unit.test_documents import text_of

T0 = 1_772_411_400_000_000  # 2026-03-02T08:30:00+08:00
SPAN: Final = {"from": "2026-03-02T08:00:00+08:00", "to": "2026-03-02T20:00:00+08:00"}
#: Units with records, and the number in their plates and phone numbers.
NUMBERS: Final = {"a1": 1, "b": 2, "city": 3}
UNITS: Final = {"city": None, "a": "city", "a1": "a", "b": "city"}
_SQUARE: Final = [[120.89, 31.98], [120.892, 31.98], [120.892, 31.982], [120.89, 31.982], [120.89, 31.98]]


def plate(unit: str) -> str:
    """The plate of the unit's vehicle."""
    return f"苏F0000{NUMBERS[unit]}"


def phone(unit: str) -> str:
    """The phone number of the unit's terminal."""
    return f"1380000000{NUMBERS[unit]}"


def records(unit: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """By kind: the id of the unit's record, and what is written. In the order in which they can be written."""
    return {
        "organisations": (unit, {"name": f"单位{unit}", "parent": UNITS[unit]}),
        "vehicles": (f"car-{unit}", {"plate": plate(unit), "organisation": unit}),
        "drivers": (f"driver-{unit}", {"name": f"张三{unit}", "organisation": unit, "phone": phone(unit)}),
        "terminals": (phone(unit), {"vehicle": f"car-{unit}", "valid_from": "2026-01-01T00:00:00+08:00"}),
        "fences": (
            f"fence-{unit}",
            {
                "name": f"停车场{unit}", "organisation": unit, "vehicles": [f"car-{unit}"], "datum": "wgs84",
                "geometry": {"type": "Polygon", "coordinates": [_SQUARE]}, "valid_from": "2026-01-01T00:00:00+08:00",
            },
        ),
        "dispatch-orders": (
            f"order-{unit}",
            {
                "organisation": unit, "vehicle": f"car-{unit}", "driver": f"driver-{unit}", "status": "approved",
                "destinations": [{"name": "如皋", "lat": 32.371, "lon": 120.573, "datum": "gcj02"}],
                "planned_departure": "2026-03-02T08:30:00+08:00", "planned_return": "2026-03-02T17:30:00+08:00",
            },
        ),
        "fuel-cards": (
            f"card-{unit}",
            {"organisation": unit, "plate": plate(unit), "valid_from": "2026-01-01T00:00:00+08:00"},
        ),
        "fuel-transactions": (
            f"fill-{unit}",
            {"card": f"card-{unit}", "at": "2026-03-02T08:05:09+08:00", "kind": "fill", "quantity": "40.00"},
        ),
        "violations": (f"offence-{unit}", {"plate": plate(unit), "at": "2026-03-02T09:00:00+08:00", "status": "open"}),
        "clock-corrections": (
            f"clock-{unit}",
            {"terminal": phone(unit), "valid_from": "2020-01-01T00:00:00+08:00", "valid_to": "2020-01-02T00:00:00+08:00", "shift_s": 60},
        ),
    }  # fmt: skip


#: Records that are no unit's.
COMMON: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "fuel-stations": ("station", {"name": "人民路加油站"}),
    "calendar-days": ("2026-10-01", {"workday": False, "name": "国庆节"}),
}
PARAMETER: Final[dict[str, Any]] = {
    "rule": "card_use", "name": "station_radius_m", "value": 300, "effective_from": "2026-01-01T00:00:00+08:00",
    "source": "文号",
}  # fmt: skip


def marks(unit: str) -> tuple[str, ...]:
    """Texts that stand in what is the unit's, and nowhere else."""
    own = (f"-{unit}", phone(unit), plate(unit), f"停车场{unit}", f"张三{unit}", f"alert:{unit}")
    return own if unit == "city" else (*own, f"单位{unit}")


@dataclass(frozen=True, slots=True)
class ScopeWorld:
    """``alerts``: id of the alert of each unit. ``everywhere``: a client with every scope."""

    pool: asyncpg.Pool
    app: Any
    everywhere: httpx.AsyncClient
    alerts: dict[str, str]

    async def token(self, permissions: Iterable[str], organisation: str | None) -> str:
        """The secret of a token with any ``permissions``, also those that only roles bring."""
        made = await create_token(self.pool, "matrix", ["ops:read"], None, organisation)
        await self.pool.execute(
            "UPDATE api_tokens SET scopes = $2 WHERE id = $1", made.id, sorted(set(permissions))
        )
        return made.secret

    async def of_role(self, role: Role, organisation: str | None) -> str:
        """The same with what ``role`` brings."""
        return await self.token(ROLE_PERMISSIONS[role], organisation)

    @asynccontextmanager
    async def client(self, secret: str, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
        """A client with a token."""
        async with client_of(self.app, secret, **headers) as client:
            yield client


@asynccontextmanager
async def client_of(app: Any, secret: str, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://test",
        headers={"Authorization": f"Bearer {secret}"} | headers,
    ) as client:  # fmt: skip
        yield client


@contextmanager
def scope_database(postgres_dsn: str, template: str) -> Iterator[tuple[str, dict[str, str]]]:
    """A database with the units and their records: its DSN, and the id of the alert of each unit."""
    with copied(postgres_dsn, template, "scope") as dsn:
        yield dsn, asyncio.run(_fill(dsn))


@asynccontextmanager
async def scope_world(
    dsn: str, alerts: dict[str, str], sink: LogWriter | None = None
) -> AsyncIterator[ScopeWorld]:
    """The world in the database ``dsn``, which ``scope_database`` made."""
    pool = await create_pool(dsn, max_size=20)
    made = await create_token(pool, "everywhere", SCOPES)
    app = create_app(Settings(database_url=dsn, identity_key_file=identity_key()), pool, position_sink=sink)
    try:
        async with client_of(app, made.secret) as everywhere:
            yield ScopeWorld(pool, app, everywhere, alerts)
    finally:
        pool.terminate()


@asynccontextmanager
async def logged_world(made: tuple[str, dict[str, str]], folder: Path) -> AsyncIterator[ScopeWorld]:
    """The same, with a log in ``folder`` for positions over HTTP. ``made``: what ``scope_database`` gave."""
    sink = EmbeddedLogWriter(folder / "log.sqlite", 4)
    await sink.start()
    async with scope_world(*made, sink) as world:
        yield world
    await sink.close()


async def _fill(dsn: str) -> dict[str, str]:
    async with scope_world(dsn, {}) as world:
        client = world.everywhere
        for id, parent in UNITS.items():
            await _put(client, f"organisations/{id}", {"name": f"单位{id}", "parent": parent})
        for kind, (id, body) in COMMON.items():
            await _put(client, f"{kind}/{id}", body)
        for unit in NUMBERS:
            for kind, (id, body) in list(records(unit).items())[1:]:
                await _put(client, f"{kind}/{id}", body)
            answer = await client.put("/v1/rule-parameters", json=PARAMETER | {"organisation": unit})
            assert answer.status_code == 201, answer.text
        return {unit: await _judged(world.pool, unit) for unit in NUMBERS}


async def _put(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
    answer = await client.put(f"/v1/{path}", json=body)
    assert answer.status_code == 201, answer.text


async def _judged(pool: asyncpg.Pool, unit: str) -> str:
    """What the worker and the judge write of the unit's vehicle: positions, a result, an alert, a judgement, a wait, a notice."""
    terminal = await pool.fetchval("SELECT no FROM terminals WHERE phone = $1", phone(unit))
    vehicle = await pool.fetchval("SELECT no FROM vehicles WHERE id = $1", f"car-{unit}")
    facts = AlertFacts(
        severity="medium", organisation=unit, vehicle=f"car-{unit}", plate=plate(unit), occurred_from_us=T0,
        occurred_to_us=T0 + 3_600_000_000, order=f"order-{unit}",
    )  # fmt: skip
    track = {
        "t_us": [T0, T0 + 1_000_000],
        "lat_e6": [31_980_000, 31_981_000],
        "lon_e6": [120_890_000, 120_891_000],
    }
    body = {
        "rule": "destination", "rule_version": 1, "track": track, "parameters": {"radius_m": 2000},
        "destination": {"name": f"alert:{unit}", "lat_e6": 32_371_000, "lon_e6": 120_573_000},
        "order": {"id": f"order-{unit}", "version": 1},
    }  # fmt: skip
    suspected = Judgement(
        rule="destination", rule_version=1, subject=f"order:order-{unit}:0", vehicle_no=vehicle, outcome="suspected",
        reason="not_reached", evaluated_at_us=T0 + NUMBERS[unit], measures={"nearest_m": Measure(3000, "m")},
        parameters={"radius_m": 2000}, evidence=canonical(body), alert=facts,
        told={"plate": plate(unit), "order": f"order-{unit}", "name": "如皋", "number": 1},
    )  # fmt: skip
    normal = Judgement(
        rule="mileage", rule_version=1, subject=f"order:order-{unit}", vehicle_no=vehicle, outcome="normal",
        reason="within", evaluated_at_us=T0, measures={}, parameters={},
    )  # fmt: skip
    async with pool.acquire() as connection:
        await Archive().ensure_partitions(connection, [T0 // US_PER_DAY])
    async with pool.acquire() as connection, connection.transaction():
        await Archive().store(connection, _positions(terminal))
        await note_terminals(connection, T0 // US_PER_DAY, [terminal])
        alerts = await publish(connection, [suspected, normal])
        await publish_feed(connection, alerts)
        await connection.execute(
            "INSERT INTO evidence_positions (sha256, made_at, fixes, absent, spans, rows, sm3)"
            " VALUES ($1, now(), 0, 0, '[]', '', '')",
            digest(canonical(body)),
        )
        await connection.execute(
            "INSERT INTO order_results (order_id, order_version, vehicle_no, state, mileage_mm, bridged_mm, fixes, destinations,"
            " carried, computed_at) VALUES ($1, 1, $2, 'running', 0, 0, 0, '[]', '', now())",
            f"order-{unit}", vehicle,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO vehicle_states (vehicle_no, state, state_version, watermark, last_fix_at) VALUES ($1, '', 0, now(), now())",
            vehicle,
        )
        await connection.execute(
            "INSERT INTO judge_due (gatherer, key, due_at, waits_for, vehicle_no) VALUES ('order', $1, now(), 'track', $2)",
            f"order-{unit}", vehicle,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO terminal_notices (terminal_no, kind, about) VALUES ($1, 'device_refused', $2)",
            terminal, f"notice-{unit}",
        )  # fmt: skip
        await connection.execute(
            "UPDATE terminals SET waiting_device = ARRAY['m', 'm', 'device', ''], waiting_since = now() WHERE no = $1", terminal
        )  # fmt: skip
    await fill(pool, unit)
    await fill_assessment(pool, unit)
    await fill_trips(pool, unit)
    await scope_vehicles.fill(pool, unit)
    await scope_quotas.fill(pool, unit)
    await fill_costs(pool, unit)
    await scope_drivers.fill(pool, unit)
    await scope_drivers.fill_sheets(pool, unit)
    await scope_exchange.fill(pool, unit)
    await scope_messages.fill(pool, unit)
    await scope_backtests.fill(pool, unit)
    await scope_commands.fill(pool, unit)
    await scope_reports.fill(pool, unit)
    return alerts[0].id


def _positions(terminal: int) -> PositionBatch:
    """Two valid fixes, a second apart."""
    times = [T0, T0 + 1_000_000]
    return PositionBatch.build(
        2, terminal=[terminal] * 2, device_us=times, received_us=[t + 5_000_000 for t in times],
        lat_e6=[31_980_000, 31_981_000], lon_e6=[120_890_000, 120_891_000], status=[2, 2],
    )  # fmt: skip


_UUID: Final = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


def _cells(workbook: bytes) -> str:
    book = openpyxl.load_workbook(io.BytesIO(workbook), read_only=True)
    rows = (row for sheet in book for row in sheet.iter_rows(values_only=True))
    return "\n".join(str(cell) for row in rows for cell in row if cell is not None)


def words_of(answer: httpx.Response) -> str:
    """What somebody reads in an answer: a PDF or a workbook by its text, for its bytes are packed and hold anything; and no UUID, which does too."""
    kind = answer.headers.get("content-type")
    body = text_of(answer.content) if kind == PDF else _cells(answer.content) if kind == XLSX else answer.text
    return _UUID.sub("", body + " ".join(f"{name}: {value}" for name, value in answer.headers.items()))
