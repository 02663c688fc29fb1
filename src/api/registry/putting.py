"""PUT /v1/{kind}/{id}: a record of the registry is made, or replaced as a whole."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

import asyncpg
from fastapi import Path, Request
from fastapi.responses import Response
from pydantic import ValidationError

from api.auth.scoped import written
from api.errors import Problem, pointed, secret
from api.http import MAX_ID, json_response, read_json
from api.registry.stamps import IfMatch, IfNoneMatch, held, refusal, stamp
from office.identity.secrecy import is_masked_id
from registry import pages
from registry.bulk import loads
from registry.doubts import doubts
from registry.records import Kind, apply
from registry.refusals import Flaw, RefusedError, explain
from registry.values import WriteResult
from registry.writing import MeanwhileError
from runtime.connection import Connection

#: Any address is looked up; what can be no id is not found.
RecordId = Annotated[str, Path(min_length=1, max_length=MAX_ID)]


def put_record(name: str, kind: Kind) -> Callable[..., Awaitable[Response]]:
    """The endpoint of PUT /v1/{kind}/{id}."""

    async def put(
        request: Request, id: RecordId, match: IfMatch = None, none_match: IfNoneMatch = None
    ) -> Response:
        if is_masked_id(id):
            raise secret(id)
        values = await read_json(request, loads=partial(loads, name))
        if not isinstance(values, dict):
            raise Problem(422, "invalid-data", "应为 JSON 对象 · the body must be a JSON object")
        given = values.pop("id", id)
        try:
            record = kind.model.model_validate({"id": id} | values)
        except ValidationError as error:
            raise RefusedError(explain(error)) from None
        if not isinstance(given, str) or (given != id and given != record.id):
            raise RefusedError([Flaw(("id",), "与地址中的编号不同 · differs from the id in the address")])

        async def write(connection: Connection) -> tuple[WriteResult, dict[str, Any], list[dict[str, Any]]]:
            said = match is not None or none_match is not None
            before = await held(connection, name, record.id) if said else None
            stale = refusal(name, before, match, none_match)
            try:
                (outcome,) = await apply(connection, [record])
            except (RefusedError, asyncpg.InsufficientPrivilegeError) as error:
                # Whoever has not seen what is there is told of that first, and not that he may not write over it.
                if stale is None or isinstance(error, MeanwhileError):
                    raise
                raise stale from None
            if said and before is None and outcome == "updated":
                raise MeanwhileError  # it was made since it was looked for: once more, with it
            # What is sent once more, because its answer was lost, is there already: that is no other clerk.
            if stale is not None and outcome != "unchanged":
                raise stale
            stored = await pages.get(connection, kind.listing, record.id)
            return outcome, stored or {}, pointed(await doubts(connection, [record]))

        outcome, stored, asked = await written(request, "registry:write", write)
        answer = {"outcome": outcome} | stored | ({"warnings": asked} if asked else {})
        headers = {"ETag": stamp(name, stored)} if stored else None
        return json_response(answer, 201 if outcome == "created" else 200, headers)

    return put
