"""``scoped``: the one way of a request to the database. What it does there sees and writes what its subject reaches, and no
more, whatever its SQL says: row-level security of the database sees to it (migrations/0031_scope.sql).

Whoever looks up tokens, or whether the database answers, knows no subject yet and uses the pool itself;
``tests/unit/test_house.py`` lists them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, TypeVar

import asyncpg
from fastapi import Request

from api.errors import Problem
from api.http import address_of
from office.identity.audit import MOST_AGENT, Actor, actor_of
from office.identity.scope import Reach
from office.identity.secrecy import PERMISSION
from office.identity.subject import Subject, unknown_permissions
from registry.writing import in_transaction
from runtime.connection import Connection
from runtime.postgres import begin_with

#: How long a request waits for a connection, in seconds.
ACQUIRE_S: Final = 5.0

_T = TypeVar("_T")


def subject_of(request: Request) -> Subject:
    """Whom ``access.require`` let in."""
    subject: Subject = request.state.subject
    return subject


def actor(request: Request, *permissions: str, subject: Subject | None = None) -> Actor:
    """The subject of a request (None = whom ``access.require`` let in) as the audit has it."""
    route = getattr(request.scope.get("route"), "path", request.url.path)
    return actor_of(
        subject_of(request) if subject is None else subject,
        f"{request.method} {route}",
        *permissions,
        address=address_of(request),
        forwarded_for=request.headers.get("x-forwarded-for", "")[:MOST_AGENT] or None,
        agent=request.headers.get("user-agent", ""),
        purpose=getattr(request.state, "purpose", None),
    )


def reach_of(request: Request, *permissions: str, read_only: bool = False) -> Reach:
    """What the subject of a request (``access.require`` let it in) reaches with one of ``permissions``. Raises KeyError for a
    permission that does not exist."""
    if unknown := unknown_permissions(permissions):
        raise KeyError(unknown[0])
    subject = subject_of(request)
    return Reach(
        subject.reach(*permissions),
        subject.key,
        "" if read_only else actor(request, *permissions).json(),
        # Whoever sends positions is told of none, and none may be lost because its vehicle is secret.
        None if permissions == ("positions:write",) else subject.reach(PERMISSION),
    )


@asynccontextmanager
async def scoped(request: Request, *permissions: str, read_only: bool = False) -> AsyncIterator[Connection]:
    """A connection in a transaction that reaches what the subject reaches with one of ``permissions``. It is committed at the
    end, and rolled back after an error. For writes that others may get in the way of there is ``written``.

    Raises Problem 403 for a write outside of the reach.
    """
    reach = reach_of(request, *permissions, read_only=read_only)
    async with request.app.state.pool.acquire(timeout=ACQUIRE_S) as connection:
        with begin_with(connection, reach.sql()), told(reach):
            async with connection.transaction(readonly=read_only):
                yield connection


async def written(
    request: Request, permission: str | tuple[str, ...], write: Callable[[Connection], Awaitable[_T]]
) -> _T:
    """What ``write(connection)`` returns, in a transaction like that of ``scoped``, which is begun again when others got in its
    way (see registry.writing). So ``write`` must keep nothing of a failed try."""
    reach = reach_of(request, *((permission,) if isinstance(permission, str) else permission))
    async with request.app.state.pool.acquire(timeout=ACQUIRE_S) as connection:
        with begin_with(connection, reach.sql()), told(reach):
            return await in_transaction(connection, lambda: write(connection))


@contextmanager
def told(reach: Reach) -> Iterator[None]:
    """Of a write outside of ``reach`` the caller is told no more than that (Problem 403)."""
    try:
        yield
    except asyncpg.InsufficientPrivilegeError as error:
        # A right that the role lacks is a fault of ours; a row that its policies refuse is not.
        if getattr(error, "server_source_function", None) == "ExecWithCheckOptions":
            raise out_of_scope() from error
        raise
    except asyncpg.UniqueViolationError as error:
        # The record is there, of a unit that is not reached. That an id is taken cannot be hidden; whose it is can.
        if reach.units is not None:
            raise out_of_scope() from error
        raise


def out_of_scope() -> Problem:
    """403 for a write outside of the units of the subject. An id of another unit and a unit of others are answered alike."""
    return Problem(
        403,
        "out-of-scope",
        "不在您的单位范围之内，或编号已被占用；请核对单位，或请上级单位办理 · outside of the units that you may write, or the id is"
        " taken; check the unit, or ask the unit above",
    )
