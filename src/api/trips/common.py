"""What these operations share: who acts, transactions, a conflict that two had at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import asyncpg
from fastapi import Request

from api.auth.scoped import scoped, written
from office.identity.subject import PERMISSIONS
from office.requests.words import ConflictError
from runtime.connection import Connection

#: With any of these somebody reaches what is of his units; what he may do with it is asked step by step.
ANY: Final = tuple(name for name in PERMISSIONS if name.startswith("trips:"))
#: Who sees requests and dispatches: all of a unit, or his own.
READS: Final = ("trips:read", "trips:apply", "trips:enter", "trips:approve", "trips:dispatch", "trips:drive")
_T = TypeVar("_T")


@asynccontextmanager
async def database(request: Request) -> AsyncIterator[Connection]:
    """A connection in a transaction that reads what the subject reaches with one of ANY."""
    async with scoped(request, *ANY, read_only=True) as connection:
        yield connection


async def write(request: Request, work: Callable[[Connection], Awaitable[_T]]) -> _T:
    """What ``work`` returns, in a transaction of the same reach that is begun again when others got in its way. Who wanted the same vehicle
    or driver at the same moment, again and again, is told so (409)."""
    try:
        return await written(request, ANY, work)
    except (asyncpg.ExclusionViolationError, asyncpg.DeadlockDetectedError) as error:
        driver = "driver" in (getattr(error, "constraint_name", None) or "")
        raise ConflictError("该驾驶员" if driver else "该车辆", None) from error
