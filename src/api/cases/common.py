"""What these operations share: who acts, bodies as models, transactions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final, TypeVar

from fastapi import Path, Request
from pydantic import BaseModel, ValidationError

from api.auth.scoped import scoped, written
from api.errors import not_found
from api.http import MAX_ID, read_json
from office.identity.subject import PERMISSIONS
from office.supervision.actors import Actor
from registry.refusals import Flaw, RefusedError, explain
from runtime.connection import Connection

ItemId = Annotated[str, Path(min_length=1, max_length=MAX_ID)]
_MODEL = TypeVar("_MODEL", bound=BaseModel)
_T = TypeVar("_T")
#: Of what a client says it is, so much is kept.
_MAX_DEVICE: Final = 200


def actor_of(request: Request) -> Actor:
    """Who acts, from where and with what."""
    device = request.headers.get("user-agent", "")[:_MAX_DEVICE]
    address = request.client.host if request.client is not None else ""
    return Actor(request.state.subject, address, "".join(c for c in device if c.isprintable()))


async def read_model(request: Request, model: type[_MODEL]) -> _MODEL:
    """The JSON body as ``model``. Raises Problem, and RefusedError with every flaw and its place."""
    values = await read_json(request)
    if not isinstance(values, dict):
        raise RefusedError([Flaw((), "应为 JSON 对象 · the body must be a JSON object")])
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise RefusedError(explain(error)) from None


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """``openapi_extra`` of an operation that takes ``model``."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def known(what: str, id: str) -> str:
    """``id`` if it can be one. Raises Problem 404."""
    if not id.isprintable():
        raise not_found(what, id.encode("unicode_escape").decode())
    return id


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
