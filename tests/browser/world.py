"""A small district for the tests of the console: units, vehicles, people with passwords, alerts.

``python -m tests.browser.world`` starts it with an API on a port of its own and prints the people: for working on screens.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg

from office.identity import users
from office.identity.passwords import PasswordWork
from office.identity.subject import Role
from rules.alerts.feed import publish_feed
from rules.alerts.model import AlertFacts, Judgement, Measure, Severity
from rules.alerts.publish import publish
from rules.evidence import canonical
from runtime.embedded_postgres import embedded_server
from runtime.migrations import migrate
from runtime.postgres import connect
from runtime.settings import Settings
from runtime.units import CHINA, to_us
from tests.identity_key import identity_key
from tests.integration.identity_site import LIGHT, Api

PASSWORD: Final = "a calm morning in Nantong"
#: Shown as text everywhere, never taken for markup.
MARKUP: Final = "<img src=x onerror=alert(1)><b>局</b>"
UNITS: Final = (
    ("city", "南通市", None),
    ("jsj", "市建设局", "city"),
    ("wsj", "市卫生健康委员会", "city"),
    ("jyj", "市教育局", "city"),
    ("yiyuan", "市第一人民医院", "wsj"),
    ("odd", MARKUP, "city"),
)
VEHICLES: Final = (
    ("car-1", "苏F12345", "jsj"),
    ("car-2", "苏F12346", "jsj"),
    ("car-3", "苏F99999", "wsj"),
    ("car-4", "苏FD12345", "yiyuan"),
    ("car-5", "苏F55555", "odd"),
)
#: Who signs in, with which role and where.
PEOPLE: Final[dict[str, tuple[str, Role, str]]] = {
    "office": ("李明", Role.VEHICLE_OFFICE, "city"),
    "head": ("陈静", Role.OFFICE_HEAD, "city"),
    "inspector": ("周正", Role.INSPECTOR, "city"),
    "unit": ("王芳", Role.UNIT_ADMINISTRATOR, "jsj"),
    "dispatcher": ("赵强", Role.DISPATCHER, "jsj"),
    "admin": ("管理员", Role.ADMINISTRATOR, "city"),
}
#: The newest of the alerts occurred here; each other one three hours before the one after it.
NEWEST: Final = datetime(2026, 3, 2, 21, 14, tzinfo=CHINA)


class World:
    """The district on a migrated database, and the API that serves it."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.dsn = dsn
        self.settings = Settings(
            database_url=dsn,
            data_dir=folder,
            session_over_http=True,
            identity_key_file=identity_key(),
            **LIGHT,
        )
        self.api = Api(self.settings)

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        return self.api.url

    async def build(self, alerts: int = 60) -> None:
        """Units, vehicles, people, and ``alerts`` alerts."""
        connection = await connect(self.dsn)
        try:
            async with connection.transaction():
                await connection.executemany(
                    "INSERT INTO organisations (id, name, parent) VALUES ($1, $2, $3)", UNITS
                )
                await connection.executemany(
                    "INSERT INTO vehicles (id, plate, organisation) VALUES ($1, $2, $3)", VEHICLES
                )
                for login, (name, role, unit) in PEOPLE.items():
                    await self.add(connection, login, name, unit, role)
            await self.suspect(connection, alerts)
        finally:
            await connection.close()

    async def add(
        self, connection: Any, login: str, name: str, unit: str, role: Role | None, *, chosen: bool = True
    ) -> None:
        """A person with PASSWORD; not ``chosen``: it must be changed first."""
        hashed = await PasswordWork(self.settings).hash(PASSWORD)
        await users.create(connection, users.MACHINE, login, users.profile(name, unit, None, None), hashed)
        if chosen:
            await users.set_password(connection, login, hashed)
        if role is not None:
            await connection.execute(
                "INSERT INTO role_grants (user_id, role, organisation, valid_from, granted_by)"
                " VALUES ($1, $2, $3, now() - interval '1 day', 'test')",
                login, role, unit,
            )  # fmt: skip

    async def suspect(self, connection: Any, count: int) -> None:
        """``count`` alerts of vehicles that drove at night, of all units in turn."""
        numbers = dict(await connection.fetch("SELECT id, no FROM vehicles"))
        severities: tuple[Severity, ...] = ("low", "medium", "high")
        made = []
        for k in range(count):
            car, plate, unit = VEHICLES[k % len(VEHICLES)]
            at = NEWEST - timedelta(hours=3 * (count - 1 - k))
            begin = to_us(at)
            made.append(
                Judgement(
                    rule="off_hours",
                    rule_version=2,
                    subject=f"night-{k}",
                    vehicle_no=numbers[car],
                    outcome="suspected",
                    reason="night",
                    evaluated_at_us=begin + 10**9,
                    measures={"distance_m": Measure(18_400 + k, "m")},
                    parameters={"min_distance_m": 1000},
                    evidence=canonical({"subject": f"night-{k}"}),
                    alert=AlertFacts(severities[k % 3], unit, car, plate, begin, begin + 60_000_000),
                    told={"plate": plate, "date": at.date().isoformat(), "day_name": "工作日", "orders": []},
                )
            )
        async with connection.transaction():
            await publish_feed(connection, await publish(connection, made))


@contextmanager
def running_world(dsn: str, folder: Path) -> Iterator[World]:
    """The world on an empty migrated database, served."""
    world = World(dsn, folder)
    asyncio.run(world.build())
    with world.api:
        yield world


def main() -> None:
    """Serve until Ctrl-C."""
    with tempfile.TemporaryDirectory(prefix="gongche-console-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server may run as a user of its own
        with embedded_server(folder / "db") as server:
            asyncio.run(_create(server))
            dsn = (
                server.rpartition("/")[0] + "/console"
                if "?" not in server
                else server.replace("/postgres?", "/console?")
            )
            asyncio.run(_migrated(dsn))
            with running_world(dsn, folder) as world, contextlib.suppress(KeyboardInterrupt):
                print(
                    f"\n  {world.url}   GONGCHE_API={world.url}\n  password of all: {PASSWORD}\n  people: {', '.join(PEOPLE)}\n",
                    flush=True,
                )
                asyncio.run(asyncio.sleep(10**7))  # time: until Ctrl-C


async def _create(server: str) -> None:
    connection = await asyncpg.connect(server)
    await connection.execute("CREATE DATABASE console")
    await connection.close()


async def _migrated(dsn: str) -> None:
    await migrate(dsn)


if __name__ == "__main__":
    main()
