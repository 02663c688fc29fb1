"""The API on a real socket, with the connection that listens for the feed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

import asyncpg
import httpx
import uvicorn
from fastapi import FastAPI

from api.app import create_app
from gongche.commands.api import listen
from office.identity.tokens import SCOPES, create_token
from rules.alerts.feed import CHANNEL
from runtime.bell import Bell
from runtime.settings import Settings
from tests.waiting import until


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """The address at which ``app`` serves."""
    listener = listen("127.0.0.1", 0)
    # A reader that reads nothing fills what the kernel keeps for it soon.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 << 10)
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2)
    )
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await until(lambda: server.started, "the server listens")
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listener.close()


@asynccontextmanager
async def live(
    pool: asyncpg.Pool,
    dsn: str,
    *,
    listening: bool = True,
    scopes: Iterable[str] = SCOPES,
    settings: Settings | None = None,
) -> AsyncIterator[tuple[httpx.AsyncClient, FastAPI]]:
    """A client with all scopes, and the application behind it."""
    bell = Bell(dsn, CHANNEL)
    task = asyncio.create_task(bell.run()) if listening else None
    app = create_app(settings or Settings(), pool, position_sink=None, bell=bell)
    secret = (await create_token(pool, "inspection", scopes)).secret
    try:
        if listening:
            await until(lambda: bell.listening, "it listens")
        async with (
            serving(app) as address,
            httpx.AsyncClient(
                base_url=address, headers={"Authorization": f"Bearer {secret}"}, timeout=60, trust_env=False
            ) as client,
        ):
            yield client, app
            app.state.stopping = True
            bell.ring()
    finally:
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
