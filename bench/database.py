"""Databases and fleets for benchmarks."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import shapely

from telemetry.runtime.database import connect, embedded_server, migrate

#: The generator's terminals drive around here; their fence is far away, so that every position is judged "outside".
_YARD = (120.0, 30.0, 120.01, 30.01)


@contextmanager
def fresh_database() -> Iterator[tuple[Path, str]]:
    """A folder on disk with an embedded PostgreSQL of the newest schema over it: (folder, DSN)."""
    with tempfile.TemporaryDirectory(prefix="gongche-bench-", dir=Path.cwd()) as folder:
        base = Path(folder)
        base.chmod(0o755)
        with embedded_server(base) as dsn:
            asyncio.run(migrate(dsn))
            yield base, dsn


async def fleet(connection: asyncpg.Connection, vehicles: int, first_phone: int) -> None:
    """``vehicles`` with a terminal each, one fence for all of them, and an order each that covers today."""
    yard = shapely.box(*_YARD)
    await connection.execute("INSERT INTO organisations (id, name) VALUES ('bench', 'bench')")
    await connection.execute(
        "INSERT INTO vehicles (id, plate, organisation) SELECT 'v' || k, '苏F' || lpad(k::text, 5, '0'), 'bench'"
        " FROM generate_series(0, $1 - 1) k",
        vehicles,
    )
    await connection.execute(
        "INSERT INTO terminals (phone) SELECT ($2::bigint + k)::text FROM generate_series(0, $1 - 1) k",
        vehicles, first_phone,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO terminal_bindings (terminal_no, vehicle_no, valid_from)"
        " SELECT t.no, v.no, '2000-01-01' FROM terminals t JOIN vehicles v"
        " ON v.id = 'v' || (t.phone::bigint - $1::bigint)",
        first_phone,
    )
    await connection.execute(
        "INSERT INTO fences (id, version, name, organisation, original, datum, geometry, valid_from)"
        " VALUES ('yard', 1, 'yard', 'bench', $1, 'wgs84', $2, '2000-01-01')",
        shapely.geometry.mapping(yard), yard.wkb,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO dispatch_orders (id, version, organisation, vehicle, task_type, status, destinations,"
        " planned_departure, planned_return, actual_departure)"
        " SELECT 'o' || k, 1, 'bench', 'v' || k, 'official', 'departed', $2,"
        " now() - interval '1 day', now() + interval '1 day', now() - interval '1 day'"
        " FROM generate_series(0, $1 - 1, 2) k",
        vehicles,
        [{"name": "远", "lat": 31.5, "lon": 121.0, "datum": "wgs84", "wgs84": {"lat_e6": 31_500_000, "lon_e6": 121_000_000}}],
    )  # fmt: skip


def make_fleet(dsn: str, vehicles: int, first_phone: int = 13_900_000_000) -> None:
    """``fleet`` on a connection of its own."""

    async def work() -> None:
        connection = await connect(dsn)
        await fleet(connection, vehicles, first_phone)
        await connection.close()

    asyncio.run(work())
