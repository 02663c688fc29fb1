"""The program as people run it, for stories: real processes (``gongche up``) over a database of its own, and cars that drive."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from office.identity.subject import Role
from registry.fences import Fence
from registry.records import apply
from registry.terminals import Terminal as TerminalRecord
from runtime.postgres import connect
from runtime.units import CHINA
from tests.browser.world import World
from tests.databases import copied
from tests.identity_key import identity_key
from tests.integration.terminal_client import Terminal
from tests.integration.test_up import Up, children

#: The middle of the yard, 1e-6 degree.
LON_E6, LAT_E6 = 120_890_000, 31_980_000
YARD: Final = {
    "type": "Polygon",
    "coordinates": [
        [[120.889, 31.979], [120.891, 31.979], [120.891, 31.981], [120.889, 31.981], [120.889, 31.979]]
    ],
}
#: car-1 of the district has the first of these, car-2 the second.
PHONES: Final = {"car-1": "13800000001", "car-2": "13800000002"}
#: 12 m/s eastwards, a fix each 10 s.
STEP_S, STEP_E6 = 10, 1_270


class Site(World):
    """The district without alerts, its cars with terminals and a yard, and everything that ``gongche up`` runs."""

    up: Up
    address: str
    tcp_port: int

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        return self.address

    async def furnish(self) -> None:
        """A yard, terminals, and the head of the unit, who signs."""
        long_ago = datetime.now(UTC) - timedelta(days=100)
        connection = await connect(self.dsn)
        try:
            await self.add(connection, "signer", "孙立", "jsj", Role.UNIT_HEAD)
            yard = Fence(
                id="yard", name="建设局大院", organisation="jsj", datum="wgs84", geometry=YARD, valid_from=long_ago
            )  # fmt: skip
            terminals = [
                TerminalRecord(id=phone, vehicle=car, valid_from=long_ago) for car, phone in PHONES.items()
            ]
            async with connection.transaction():
                await apply(connection, [yard])
                await apply(connection, terminals)
        finally:
            await connection.close()

    def kill_api(self) -> int:
        """``kill -9`` of the API; its process id. ``up`` starts another one."""
        pid = children(self.up.process.pid)["api"]
        os.kill(pid, signal.SIGKILL)
        return pid


@contextmanager
def running_site(server: str, template: str, folder: Path) -> Iterator[Site]:
    """The site on a copy of the migrated database."""
    with copied(server, template, "console_site") as dsn:
        site = Site(dsn, folder)
        asyncio.run(site.build(0))
        asyncio.run(site.furnish())
        site.up = Up(
            folder / "data", GONGCHE_DATABASE_URL=dsn, GONGCHE_SESSION_OVER_HTTP="true", GONGCHE_IDENTITY_KEY_FILE=str(identity_key()),
            GONGCHE_PASSWORD_MEMORY_MIB="8", GONGCHE_PASSWORD_ROUNDS="1",
        )  # fmt: skip
        try:
            state = site.up.ready()
            site.address, site.tcp_port = str(state["api"]), int(str(state["tcp_port"]))
            yield site
            site.up.finish()
        finally:
            site.up.kill()


class Car:
    """A car with its terminal, that drives: it stands in the yard, then goes east, a fix after the other."""

    def __init__(self, terminal: Terminal, at: datetime) -> None:
        self.terminal, self.at, self.east = terminal, at, 0
        #: Device time (microseconds since 1970) -> when its report was sent, on the loop's clock.
        self.sent: dict[int, float] = {}

    async def report(self, east: int, speed_dkmh: int) -> None:
        """One fix, ``east`` 1e-6 degree of the middle of the yard, and the platform's reply."""
        self.at += timedelta(seconds=STEP_S)
        self.east = east
        local = self.at.astimezone(CHINA).strftime("%y%m%d%H%M%S")
        body = (
            bytes(4) + (3).to_bytes(4, "big") + LAT_E6.to_bytes(4, "big") + (LON_E6 + east).to_bytes(4, "big")
            + (12).to_bytes(2, "big") + speed_dkmh.to_bytes(2, "big") + (90).to_bytes(2, "big") + bytes.fromhex(local)
        )  # fmt: skip
        self.sent[round(self.at.timestamp()) * 1_000_000] = asyncio.get_running_loop().time()
        assert await self.terminal.ask(0x0200, body) == 0

    async def stand(self, fixes: int) -> None:
        """In the yard."""
        for _ in range(fixes):
            await self.report(0, 0)

    async def drive(self) -> None:
        """One fix further east."""
        await self.report(self.east + STEP_E6, 430)


@asynccontextmanager
async def car(site: Site, vehicle: str, *, ago: timedelta = timedelta(minutes=10)) -> AsyncIterator[Car]:
    """A car that is online; its first fix is of ``ago``."""
    terminal = await Terminal.online(site.tcp_port, PHONES[vehicle])
    try:
        yield Car(terminal, datetime.now(UTC).replace(microsecond=0) - ago)
    finally:
        await terminal.close()
