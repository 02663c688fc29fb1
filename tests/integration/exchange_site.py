"""Two instances of the exchange: two databases, the API of the city as a process, the sender of the county as a process, and
between them a line that fails in every way."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from office.identity import clients
from office.identity.subject import Grant, Kind, Subject
from registry.records import KINDS, apply
from tests.ports import free_port
from tests.waiting import until

OPERATOR = Subject(Kind.PROGRAM, "operator", "operator", (Grant(frozenset({"users:manage"}), None),))
#: Every row that is written into the records of the city, in the order of writing.
HISTORY = """
CREATE TABLE history (n bigint GENERATED ALWAYS AS IDENTITY, kind text, origin text, id text, version bigint);
CREATE FUNCTION keep_history() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO history (kind, origin, id, version) VALUES (NEW.kind, NEW.origin, NEW.id, NEW.version);
    RETURN NULL;
END $$;
CREATE TRIGGER keep_history AFTER INSERT OR UPDATE ON exchange_records FOR EACH ROW EXECUTE FUNCTION keep_history();
"""


async def put(pool: asyncpg.Pool, kind: str, *records: dict[str, Any]) -> None:
    """Write records of the registry."""
    async with pool.acquire() as connection, connection.transaction():
        await apply(connection, [KINDS[kind].model.model_validate(record) for record in records])


async def put_case(pool: asyncpg.Pool, id: str, unit: str, version: int = 1, state: str = "issued") -> None:
    """A supervision order that was issued, as the thread would leave it."""
    await pool.execute(
        "INSERT INTO cases (id, organisation, number, state, version, source, level, title, created_at, issued_at)"
        " VALUES ($1, $2, '督〔2026〕' || $1, $3, $4, 'commission', 'general', '核实用车', now(), now())"
        " ON CONFLICT (id) DO UPDATE SET state = EXCLUDED.state, version = EXCLUDED.version",
        id,
        unit,
        state,
        version,
    )


async def make_client(pool: asyncpg.Pool, name: str, unit: str, *scopes: str) -> tuple[str, str]:
    """An OAuth2 client: (id, secret)."""
    async with pool.acquire() as connection, connection.transaction():
        id, made = await clients.create(connection, OPERATOR, name, scopes, unit)
    return id, made.secret


async def access_token(url: str, id: str, secret: str) -> str:
    """An access token of a client."""
    async with httpx.AsyncClient(base_url=url) as client:
        answer = await client.post(
            "/v1/oauth/token", data={"grant_type": "client_credentials"}, auth=httpx.BasicAuth(id, secret)
        )
        return str(answer.raise_for_status().json()["access_token"])


class Process:
    """A command of the program that can be killed and started again."""

    def __init__(self, dsn: str, data: Path, *command: str, **environment: str) -> None:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("GONGCHE_")}
        data.mkdir(exist_ok=True)
        self._environment = (
            clean
            | {"GONGCHE_DATABASE_URL": dsn, "GONGCHE_DATA_DIR": str(data), "GONGCHE_LOG_LEVEL": "ERROR"}
            | {f"GONGCHE_{name}": value for name, value in environment.items()}
        )
        self._command = command
        self._running: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._running = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gongche", *self._command, env=self._environment
        )

    async def kill(self) -> None:
        if self._running is not None and self._running.returncode is None:
            self._running.send_signal(signal.SIGKILL)
            await self._running.wait()

    async def run(self, said: str = "") -> str:
        """Run it to its end; what it printed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gongche", *self._command,
            env=self._environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate(said.encode())
        assert process.returncode == 0, out
        return out.decode()


async def ready(url: str) -> None:
    """Wait until the API at ``url`` answers."""
    async with httpx.AsyncClient(base_url=url) as client:

        async def answers() -> bool:
            try:
                return (await client.get("/readyz")).is_success
            except httpx.TransportError:
                return False

        await until(answers, "the API is ready")


class Line:
    """Between sender and receiver. ``does()`` says of each request what becomes of it: ``ok``; ``busy`` (429) or ``ill`` (503) with
    Retry-After; ``stall``: no answer; ``swallow``: the receiver gets it, and its answer is lost."""

    def __init__(self, target: str) -> None:
        self.port, self.target = free_port(), target
        self.does: Callable[[], str] = lambda: "ok"
        self.done = Counter[str]()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError, httpx.TransportError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        does = self.does()
        self.done[does] += 1
        if does == "stall":
            await reader.read()  # until the sender gives up
            return
        if does in ("busy", "ill"):
            status = "429 Too Many Requests" if does == "busy" else "503 Service Unavailable"
            writer.write(
                f"HTTP/1.1 {status}\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
            )
            await writer.drain()
            return
        passed = {name: value for name, value in headers.items() if name in ("authorization", "content-type")}
        async with httpx.AsyncClient(base_url=self.target, timeout=10) as client:
            answer = await client.request(method, path, content=body, headers=passed)
        if does == "swallow":
            return
        writer.write(
            f"HTTP/1.1 {answer.status_code} x\r\nContent-Type: application/json\r\nContent-Length: {len(answer.content)}"
            "\r\nConnection: close\r\n\r\n".encode()
            + answer.content
        )
        await writer.drain()
