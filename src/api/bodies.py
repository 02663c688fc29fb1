"""Bodies of requests as models, and how the OpenAPI document describes them."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from fastapi import Header, Request
from pydantic import BaseModel, ConfigDict, ValidationError

from api.http import MAX_BODY, read_json
from registry.refusals import Flaw, RefusedError, explain

_M = TypeVar("_M", bound=BaseModel)


class Body(BaseModel):
    """What is sent: unknown fields are refused, nothing is guessed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


async def read_model(request: Request, model: type[_M], limit: int = MAX_BODY) -> _M:
    """The JSON body, at most ``limit`` bytes, as ``model``. Raises RefusedError with every flaw and its place, and Problem for
    what is no JSON or too large."""
    given = await read_json(request, limit)
    if not isinstance(given, dict):
        raise RefusedError([Flaw((), "应为 JSON 对象 · the body must be a JSON object")])
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise RefusedError(explain(error)) from None


#: Of an operation that makes something: who sends it again under the same key makes nothing more.
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key", min_length=1, max_length=128, pattern=r"^[!-~]+$",
        description="选一个随机的键（如 UUID）：没有收到答复时原样重发，不会多办一份；7 天内有效 / a random key of your own: sent again with the same body, nothing more is made; for 7 days",
    ),
]  # fmt: skip


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """``openapi_extra`` of an operation that reads ``model``."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
