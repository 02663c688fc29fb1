"""An office and a gateway for tests of commands: vehicles with terminals, the API in this process, people who sign in."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx

from api.app import create_app
from office.identity import grants, users
from office.identity.passwords import PasswordWork
from office.identity.subject import Role
from office.identity.tokens import SCOPES, create_token
from runtime.bell import Bell
from runtime.settings import Settings
from telemetry.commands.delivering import permitted
from telemetry.commands.kinds import KINDS
from telemetry.commands.thread import CHANNEL
from telemetry.gateway.command_bodies import Encoding
from telemetry.gateway.downlink import Downlink
from telemetry.jt808.outstanding import Patience
from telemetry.jt808.scalar.header import Header, Version
from tests.identity_key import identity_key
from tests.integration.identity_site import LIGHT
from tests.integration.terminal_client import Terminal
from tests.integration.test_gateway import Running, running
from tests.waiting import until

PASSWORD: Final = "a long sentence that nobody guesses"
REASON: Final = "提醒驾驶员按时返回"
#: So quick that a test waits for little.
QUICK: Final = Patience(reply_s=0.1, resends=2, answer_s=0.6)
_keys = itertools.count()


def phone(n: int) -> str:
    return f"1390000{n:04}"


class Office:
    """The database with ``count`` vehicles ``car-1``, ..., each with its terminal, and an API over it. ``client`` may what programs
    may."""

    def __init__(self, pool: asyncpg.Pool, app: Any, client: httpx.AsyncClient) -> None:
        self.pool, self.app, self.client = pool, app, client

    async def ask(
        self, n: int, kind: str = "text", client: httpx.AsyncClient | None = None, **fields: Any
    ) -> int:
        """The number of a new command to vehicle ``n``."""
        answer = await self.send(n, kind, client, **fields)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["no"])

    async def send(
        self, n: int, kind: str = "text", client: httpx.AsyncClient | None = None, **fields: Any
    ) -> httpx.Response:
        body = {"kind": kind, "key": f"k{next(_keys)}", "reason": REASON}
        body |= {"text": "请按时返回"} if kind == "text" else {}
        return await (client or self.client).post(f"/v1/vehicles/car-{n}/commands", json=body | fields)

    async def command(self, no: int) -> dict[str, Any]:
        answer = await self.client.get(f"/v1/commands/{no}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def state(self, no: int) -> str:
        found: str = await self.pool.fetchval("SELECT state FROM terminal_commands WHERE no = $1", no)
        return found

    async def comes_to(self, no: int, state: str) -> dict[str, Any]:
        """Wait until a command stands so; the command."""

        async def there() -> bool:
            return await self.state(no) == state

        await until(there, f"command {no} comes to {state}")
        return await self.command(no)

    async def steps(self, no: int) -> list[str]:
        rows = await self.pool.fetch(
            "SELECT step FROM terminal_command_events WHERE command = $1 ORDER BY number", no
        )
        return [row["step"] for row in rows]

    @asynccontextmanager
    async def person(
        self, login: str, role: Role, unit: str | None = "unit"
    ) -> AsyncIterator[httpx.AsyncClient]:
        """Somebody who has signed in."""
        async with self.pool.acquire() as connection, connection.transaction():
            hashed = await PasswordWork(self.app.state.settings).hash(PASSWORD)
            await users.create(
                connection, users.MACHINE, login, users.profile(login, None, None, None), hashed
            )
            await users.set_password(connection, login, hashed)
            await grants.grant_role(connection, users.MACHINE, login, role, unit, datetime.now(UTC), None)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="https://test"
        ) as client:
            made = await client.post("/v1/session", json={"login": login, "password": PASSWORD})
            assert made.status_code == 200, made.text
            client.headers["X-CSRF-Token"] = made.json()["csrf_token"]
            client.headers["Sec-Fetch-Site"] = "same-origin"
            yield client


@asynccontextmanager
async def office(pool: asyncpg.Pool, dsn: str, count: int = 3, **settings: Any) -> AsyncIterator[Office]:
    await pool.execute(
        "INSERT INTO organisations (id, name, parent) VALUES ('city', '市', NULL), ('unit', '单位', 'city'), ('other', '他单位', 'city')"
    )
    for n in range(1, count + 1):
        await pool.execute(
            "INSERT INTO vehicles (id, plate, organisation) VALUES ($1, $2, 'unit')", f"car-{n}", f"苏F{n:05}"
        )
        await pool.execute("INSERT INTO terminals (phone) VALUES ($1)", phone(n))
        await pool.execute(
            "INSERT INTO terminal_bindings (terminal_no, vehicle_no, valid_from) SELECT t.no, v.no, '2026-01-01' FROM terminals t,"
            " vehicles v WHERE t.phone = $1 AND v.id = $2",
            phone(n), f"car-{n}",
        )  # fmt: skip
    made = await create_token(pool, "test", SCOPES)
    app = create_app(
        Settings(database_url=dsn, identity_key_file=identity_key(), **LIGHT, **settings),
        pool,
        position_sink=None,
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="https://test",
        headers={"Authorization": f"Bearer {made.secret}"},
    ) as client:
        yield Office(pool, app, client)


def downlink(pool: asyncpg.Pool, bell: Bell, patience: Patience = QUICK) -> Downlink:
    """Commands of one gateway; all but cutting is permitted."""
    return Downlink(
        pool, bell, patience=patience, permitted=permitted(control=True, cut=False), encoding=Encoding(), host="test"
    )  # fmt: skip


@asynccontextmanager
async def gateway(
    pool: asyncpg.Pool, dsn: str, path: Path, patience: Patience = QUICK
) -> AsyncIterator[Running]:
    """A gateway that sends commands."""
    bell = Bell(dsn, CHANNEL)
    listens = asyncio.create_task(bell.run())
    try:
        async with running(pool, path, downlink=downlink(pool, bell, patience)) as it:
            yield it
    finally:
        listens.cancel()


async def online(it: Running, n: int = 1, version: Version = Version.V2013) -> Terminal:
    """The terminal of vehicle ``n``, logged in."""
    return await Terminal.online(it.port, phone(n), version)


async def ordered(terminal: Terminal, message_id: int) -> tuple[Header, bytes]:
    """The next message of the platform that is no reply."""
    while True:
        header, body = await terminal.receive()
        if header.id != 0x8001:
            assert header.id == message_id, hex(header.id)
            return header, body


def confirm(terminal: Terminal, header: Header, result: int = 0) -> None:
    """0x0001 to a message."""
    terminal.send(0x0001, header.serial.to_bytes(2, "big") + header.id.to_bytes(2, "big") + bytes((result,)))


async def quiet(terminal: Terminal, wait_s: float) -> bool:
    """Whether nothing but replies comes for so long."""
    try:
        async with asyncio.timeout(wait_s):
            while True:
                header, _ = await terminal.receive(wait_s + 1)
                if header.id != 0x8001:
                    return False
    except TimeoutError:
        return True


assert set(KINDS)
