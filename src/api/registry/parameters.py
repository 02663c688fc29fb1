"""Parameters of the rules over HTTP: what holds by default, what was set, and setting it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import ValidationError

from api.answers import Parameters, ParameterWritten
from api.auth.access import require
from api.auth.scoped import scoped, written
from api.errors import not_found
from api.http import MAX_ID, PLAIN, QueryTime, json_response, read_json, refuse_controls
from api.registry.examples import PARAMETER
from registry.parameter_values import Threshold, defaults, forget_threshold, put_threshold, thresholds
from registry.refusals import RefusedError, explain

router = APIRouter(prefix="/v1/rule-parameters", tags=["rule-parameters"])

Key = Annotated[str, Query(max_length=MAX_ID, json_schema_extra=PLAIN)]
OptionalKey = Annotated[str | None, Query(max_length=MAX_ID, json_schema_extra=PLAIN)]


@router.put(
    "",
    summary="设置规则参数 / set a parameter of a rule",
    description="From `effective_from` on `value` holds, for everyone (`organisation` null) or for one organisation,"
    " whose own value beats everyone's. The same key again replaces the value.",
    response_model=ParameterWritten,
    responses={
        201: {"description": "created", "model": ParameterWritten},
        200: {"description": "replaced, or unchanged"},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/Threshold"}, "example": PARAMETER}
            },
        }
    },
    dependencies=[require("registry:write")],
)  # fmt: skip
async def put(request: Request) -> Response:
    try:
        row = Threshold.model_validate(await read_json(request))
    except ValidationError as error:
        raise RefusedError(explain(error)) from None
    outcome = await written(request, "registry:write", lambda connection: put_threshold(connection, row))
    return json_response({"outcome": outcome} | row.model_dump(), 201 if outcome == "created" else 200)


@router.get(
    "",
    summary="规则参数 / parameters: values set, and every default with unit, source and limits",
    response_model=Parameters,
    dependencies=[require("registry:read")],
)
async def listed(request: Request, rule: OptionalKey = None, organisation: OptionalKey = None) -> Response:
    refuse_controls(rule, organisation)
    async with scoped(request, "registry:read", read_only=True) as connection:
        found = await thresholds(connection, rule, organisation)
    return json_response({"items": found, "defaults": defaults(rule)})


@router.delete(
    "",
    summary="撤销规则参数 / take back a value that was set",
    status_code=204,
    dependencies=[require("registry:write")],
)
async def forget(
    request: Request, rule: Key, name: Key, effective_from: QueryTime, organisation: OptionalKey = None
) -> Response:
    refuse_controls(rule, name, organisation)
    done = await written(
        request,
        "registry:write",
        lambda connection: forget_threshold(connection, rule, name, organisation, effective_from),
    )
    if not done:
        raise not_found("没有这个参数值 · no such value of a parameter", f"{rule}.{name}")
    return Response(status_code=204)
