"""Databases and fleets for benchmarks."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import shapely

from bench.processes import FIRST_PHONE
from runtime.embedded_postgres import embedded_server
from runtime.migrations import migrate
from runtime.postgres import connect

#: The generator's terminals begin at 31 N 120 E, each 1e-5 degree further, and drive north-east. One fence is a few
#: kilometres west of there (every position is judged "outside"), one is around all of it: (longitude, latitude, radius).
_NEAR, _WIDE = (119.97, 31.07, 0.005), (122.0, 32.5, 12.0)
#: Where every order goes: as near as places of a city are.
_DESTINATION = {"lat": 31.07, "lon": 120.07}
_CORNERS = 6  # a quarter


@dataclass(frozen=True, slots=True)
class Fleet:
    """A fleet for the generator's terminals.

    ``vehicles``: each with a terminal (phones from ``first_phone`` on, the code is the phone). ``fences``: vehicle k
    belongs to organisation ``k % fences``, which has one fence of 24 corners. ``ordered``: every so many-th vehicle,
    from the first, has an order that covers today (0 = none). ``outside``: every so many-th fence, from the second, is
    beside where the vehicles drive, the others are around it (1 = all beside, 0 = none).
    """

    vehicles: int
    fences: int = 1
    ordered: int = 2
    outside: int = 1
    first_phone: int = FIRST_PHONE

    def beside(self, fence: int) -> bool:
        """Whether the vehicles are outside that fence."""
        return self.outside == 1 or (self.outside > 1 and fence % self.outside == 1)


@contextmanager
def fresh_database() -> Iterator[tuple[Path, str]]:
    """A folder on disk with an embedded PostgreSQL of the newest schema over it: (folder, DSN)."""
    with tempfile.TemporaryDirectory(prefix="gongche-bench-", dir=Path.cwd()) as folder:
        base = Path(folder)
        base.chmod(0o755)
        with embedded_server(base) as dsn:
            asyncio.run(migrate(dsn))
            yield base, dsn


async def register(connection: asyncpg.Connection, fleet: Fleet) -> None:
    """Put ``fleet`` into an empty registry."""
    await connection.execute(
        "INSERT INTO organisations (id, name) SELECT 'bench' || k, 'bench' FROM generate_series(0, $1 - 1) k",
        fleet.fences,
    )
    await connection.execute(
        # Of the day before, so that a judge has no two months of days to look at first.
        "INSERT INTO vehicles (id, plate, organisation, registered_on)"
        " SELECT 'v' || k, '苏F' || lpad(k::text, 5, '0'), 'bench' || k % $2, current_date - 1"
        " FROM generate_series(0, $1 - 1) k",
        fleet.vehicles, fleet.fences,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO terminals (phone, code_sha256)"
        " SELECT phone::text, sha256(convert_to(phone::text, 'UTF8'))"
        " FROM generate_series($2::bigint, $2::bigint + $1 - 1) phone",
        fleet.vehicles, fleet.first_phone,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO terminal_bindings (terminal_no, vehicle_no, valid_from)"
        " SELECT t.no, v.no, '2000-01-01' FROM terminals t JOIN vehicles v"
        " ON v.id = 'v' || (t.phone::bigint - $1::bigint)",
        fleet.first_phone,
    )
    await connection.executemany(
        "INSERT INTO fences (id, version, name, organisation, original, datum, geometry, valid_from)"
        " VALUES ($1, 1, 'yard', $2, $3, 'wgs84', $4, '2000-01-01')",
        [_fence(number, beside=fleet.beside(number)) for number in range(fleet.fences)],
    )
    if fleet.ordered:
        await connection.execute(
            "INSERT INTO dispatch_orders (id, version, organisation, vehicle, task_type, status, destinations,"
            " planned_departure, planned_return, actual_departure)"
            " SELECT 'o' || k, 1, 'bench' || k % $4, 'v' || k, 'official', 'departed', $2,"
            " now() - interval '2 days', now() + interval '1 day', now() - interval '2 days'"
            " FROM generate_series(0, $1 - 1, $3) k",
            fleet.vehicles,
            [{"name": "市区", "datum": "wgs84", **_DESTINATION, "wgs84": {f"{k}_e6": round(v * 1e6) for k, v in _DESTINATION.items()}}],
            fleet.ordered, fleet.fences,
        )  # fmt: skip
    await connection.execute("ANALYZE")


def _fence(number: int, *, beside: bool) -> tuple[object, ...]:
    lon, lat, radius = _NEAR if beside else _WIDE
    # No two yards are the same.
    centre = shapely.Point(lon - number % 100 * 0.0002, lat + number // 100 * 0.0001)
    yard = centre.buffer(radius, quad_segs=_CORNERS)
    return f"yard{number}", f"bench{number}", shapely.geometry.mapping(yard), yard.wkb


def make_fleet(dsn: str, fleet: Fleet) -> None:
    """``register`` on a connection of its own."""

    async def work() -> None:
        connection = await connect(dsn)
        await register(connection, fleet)
        await connection.close()

    asyncio.run(work())
