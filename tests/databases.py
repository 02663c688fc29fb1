"""Databases of their own, for tests: copied from a migrated one within milliseconds, and dropped."""

from __future__ import annotations

import asyncio
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg


def dsn_of(server: str, name: str) -> str:
    """The DSN of the database ``name`` of a server."""
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))


#: What must be free, of the folder and of the machine's memory, in bytes: four servers side by side, one with a million rows.
_FREE: Final = 8 << 30


def memory_folder() -> str | None:
    """A folder that is kept in memory, where there is room; None = there is none. A copy of a database is a thousand files: on a
    disk they cost 0.7 s of a processor, in memory 0.04 s."""
    folder = Path("/dev/shm")  # noqa: S108 - what is made there has a name that nobody guesses, and is removed
    try:
        told = Path("/proc/meminfo").read_text()
        available = (
            int(next(line for line in told.splitlines() if line.startswith("MemAvailable:")).split()[1]) << 10
        )
        room = min(available, shutil.disk_usage(folder).free)
    except (OSError, StopIteration, ValueError):
        return None
    return str(folder) if room >= _FREE and os.access(folder, os.W_OK) else None


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
