"""A connection for one request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Request


@asynccontextmanager
async def scoped(request: Request, permission: str) -> AsyncIterator[Any]:
    """A transaction for the subject of ``request``."""
    async with request.app.state.pool.acquire(timeout=5) as connection, connection.transaction():
        yield connection
