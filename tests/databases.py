"""Databases of their own, for tests: copied from a migrated one within milliseconds, and dropped."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg


def dsn_of(server: str, name: str) -> str:
    """The DSN of the database ``name`` of a server."""
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))


async def _do(server: str, command: str) -> None:
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(command)
    finally:
        await connection.close()


def _commands(template: str, kind: str) -> tuple[str, str, str]:
    name = f"{kind}_{uuid.uuid4().hex[:12]}"
    create = f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy'
    return name, create, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'


@asynccontextmanager
async def copy_of(server: str, template: str, kind: str = "test") -> AsyncIterator[str]:
    """DSN of a copy of the database ``template`` of ``server``."""
    name, create, drop = _commands(template, kind)
    await _do(server, create)
    try:
        yield dsn_of(server, name)
    finally:
        await _do(server, drop)


@contextmanager
def copied(server: str, template: str, kind: str = "test") -> Iterator[str]:
    """The same, outside an event loop."""
    name, create, drop = _commands(template, kind)
    asyncio.run(_do(server, create))
    try:
        yield dsn_of(server, name)
    finally:
        asyncio.run(_do(server, drop))
