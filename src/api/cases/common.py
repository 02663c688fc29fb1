"""What these operations share: who acts, transactions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Final, TypeVar

from fastapi import Path, Request

from api.auth.scoped import scoped, subject_of, written
from api.http import MAX_ID, address_of, agent_of
from office.identity.subject import PERMISSIONS
from office.supervision.actors import Actor
from runtime.connection import Connection

ItemId = Annotated[str, Path(min_length=1, max_length=MAX_ID)]
_T = TypeVar("_T")


def actor_of(request: Request) -> Actor:
    """Who acts, from where and with what."""
    return Actor(subject_of(request), address_of(request), agent_of(request))


#: With any of these somebody reaches a case of his units; what he may do with it is asked step by step.
ANY: Final = tuple(name for name in PERMISSIONS if name.startswith("cases:"))


@asynccontextmanager
async def database(request: Request, *permissions: str) -> AsyncIterator[Connection]:
    """A connection in a transaction that reads what the subject reaches with one of ``permissions`` (none given: ANY)."""
    async with scoped(request, *(permissions or ANY), read_only=True) as connection:
        yield connection


async def write(request: Request, work: Callable[[Connection], Awaitable[_T]], *permissions: str) -> _T:
    """What ``work`` returns, in a transaction of the same reach that is begun again when others got in its way."""
    return await written(request, permissions or ANY, work)
