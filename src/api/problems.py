"""Which refusals an operation may answer with, for the OpenAPI description: found from what the operation takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

_CONTENT: Final = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_SAYS: Final = {
    400: "请求无效：游标、JSON · a cursor, or a body, that cannot be read",
    401: "没有有效的令牌 · no token, or one that is not valid",
    403: "缺少权限，或不在您的单位范围之内 · the permission is lacking, or it is outside of your units",
    404: "不存在 · there is no such thing",
    406: "不支持所要求的格式 · not in the format that was asked for",
    408: "请求体发送过慢 · the body came too slowly",
    409: "与已有数据冲突 · contradicts what is stored",
    412: "已被他人修改（If-Match），或已存在（If-None-Match） · somebody else has changed it, or it is there",
    413: "请求体过大 · the body is too large",
    415: "内容类型不支持 · a content type that is not read here",
    422: "数据无效：格式，或引用的对象未登记 · invalid data, or it names what is not there",
    429: "请求过多 · others are at it; again later",
    500: "内部错误，已记录 · an internal error; it was logged",
    503: "数据库不应答或只读，稍后重试（Retry-After） · the database does not answer, or takes no writes now; again later",
}
#: The schema of a body whose id may be left out, for it is in the address: named like that of the record, with this.
WITHOUT_ID: Final = "Body"
_WORDS: Final = ("true", "false", "t", "f", "yes", "no", "y", "n", "on", "off")
#: Operations that answer in formats that the caller chooses.
_CHOOSES: Final = ("/evidence", "/track")
#: Operations that answer 409 for a place or an id that is taken.
_CONTRADICTED: Final = ("/commit", "/dispositions", "/exchange/notices", "/alerts:read")
#: Operations of which only so many go on at a time.
_COUNTED: Final = ("/stream",)
#: What people work on together: it may have moved on, or name what is not there.
_SUPERVISION: Final = ("/v1/cases", "/v1/complaints", "/v1/tasks", "/v1/messages", "/v1/unit-channels")
#: Requests and dispatches: the same.
_TRIPS: Final = ("/v1/trip-requests", "/v1/trip-series", "/v1/dispatches", "/v1/approval-tables")
#: Costs: the same.
_COSTS: Final = ("/v1/cost-entries", "/v1/tariffs", "/v1/statements", "/v1/trip-costs", "/v1/reconciliations")
#: Assessments of units: the same.
_ASSESSMENT: Final = ("/v1/assessment",)
_OPEN: Final = ("/healthz", "/readyz")
#: Where only people come in, by how the address begins. Their writes may contradict what is stored (409).
OF_PEOPLE: Final = (
    "/v1/session",
    "/v1/users",
    "/v1/role-grants",
    "/v1/delegations",
    "/v1/clients",
    "/v1/client-secrets",
    "/v1/message-failures",
)


def describe_problems(schema: dict[str, Any]) -> None:
    """Give each operation of an OpenAPI description the problems that it may answer with."""
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            responses = operation["responses"]
            responses.pop("422", None)  # FastAPI's own; ours is a problem
            for status in sorted(_statuses(path, method, operation) - {int(s) for s in responses}):
                responses[str(status)] = {"description": _SAYS[status], "content": _CONTENT}
                if status in (429, 503):
                    responses[str(status)]["headers"] = {
                        "Retry-After": {"schema": {"type": "integer"}, "description": "seconds"}
                    }
            for status, response in responses.items():
                if int(status) >= 400:
                    response.setdefault("content", _CONTENT)


def add_bodies(schemas: dict[str, Any], records: Iterable[str]) -> None:
    """Beside the schema of each of ``records`` that of its body at an address."""
    for name in records:
        record = schemas[name]
        record["properties"] = {field: _as_read(shape) for field, shape in record["properties"].items()}
        required = [field for field in record.get("required", ()) if field != "id"]
        schemas[name + WITHOUT_ID] = {key: value for key, value in record.items() if key != "required"} | (
            {"required": required} if required else {}
        )


def _as_read(shape: dict[str, Any]) -> dict[str, Any]:
    """A field of a record as it is read. Records come from files as well, where each value is text: a number may be given as
    text, and yes and no as the words and numbers for them."""
    outer = {key: value for key, value in shape.items() if key in ("title", "description", "default")}
    own = {key: value for key, value in shape.items() if key not in outer}
    forms = own["anyOf"] if own.keys() == {"anyOf"} else [own]
    others: list[dict[str, Any]] = []
    for form in forms:
        if form.get("type") == "boolean":
            words = [*_WORDS, *(word.capitalize() for word in _WORDS), *(word.upper() for word in _WORDS)]
            others = [{"enum": [0, 1, "0", "1", *dict.fromkeys(words)]}]
        elif form.get("type") == "integer":
            others = [{"type": "string", "pattern": r"^\s*[+-]?[0-9]+(\.0*)?\s*$"}, {"type": "boolean"}]
    return outer | {"anyOf": [*forms, *others]} if others else shape


def _statuses(path: str, method: str, operation: dict[str, Any]) -> set[int]:
    found = {500}
    if path not in _OPEN:
        found |= {401, 403, 503}
    if path == "/readyz":
        found.add(503)
    parameters = operation.get("parameters", ())
    if any(p["in"] == "query" for p in parameters):
        found.add(422)
    if any(p["name"] in ("cursor", "x-purpose") for p in parameters):
        found.add(400)
    if any(p["in"] == "path" for p in parameters):
        found |= {404, 422}
    if any(p["name"] == "If-Match" for p in parameters):
        found.add(412)
    if "requestBody" in operation:
        found |= {400, 408, 413, 415, 422}
    if method in ("put", "delete") or path.endswith(
        (":import", ":import-statement", ":import-export", ":accept-device", ":accept-correction")
    ):
        found |= {409}
    if path.endswith((":import", ":import-statement", ":import-export")):
        found |= {429}
    if path.endswith(_CONTRADICTED):
        found |= {409}
    if path.startswith("/v1/backtests") and method == "post":
        found |= {409} if path.endswith("/cancel") else {409, 429} if path.endswith("/restart") else {429}
    if path == "/v1/exchange/records" and method == "post":
        found.add(429)
    if path.endswith(_COUNTED):
        found |= {400, 429}
    if method == "post" and path.startswith(_SUPERVISION + _ASSESSMENT + _TRIPS + _COSTS):
        found |= {404, 409}
    if method == "delete":
        found.add(404)
    if path.startswith("/v1/oidc/"):
        found.add(404)
    if method != "get" and path.startswith(OF_PEOPLE):
        found |= {409, 429} if path.startswith("/v1/session") else {409}
    if path.endswith(_CHOOSES):
        found.add(406)
    return found
