"""Statements of cards and exports of violations over HTTP, row by row. Asked for NDJSON, it tells how far it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse

from api.answers import StatementImported
from api.auth.access import require
from api.errors import Problem, problem_of
from api.http import media_type
from api.registry.examples import REPORT
from api.registry.importing import CORRECTED, XLSX, Corrections, import_steps, reported
from registry.bulk import MAX_BYTES
from registry.corrections import StatementCorrections
from registry.import_jobs import Job, StatementJob
from registry.statements.columns import HEADERS, FileMapping, Kind, read_mapping
from registry.statements.sheets import MAX_ROWS

router = APIRouter(prefix="/v1")

_NDJSON: Final = "application/x-ndjson"
_TYPES: Final = frozenset(
    {
        "text/csv",
        "application/csv",
        "text/plain",
        XLSX,
        "application/vnd.ms-excel",
        "application/octet-stream",
    }
)

#: What a file has, as the audit calls it.
_RECORDS: Final[dict[Kind, str]] = {"statement": "fuel-transactions", "violations": "violations"}

MappingText = Annotated[
    str | None,
    Query(
        max_length=8_000,
        description='JSON: {our field: their header}, or {"columns": {field: header or null}, "values": {field: value},'
        ' "words": {"kind" or "status": {their word: our value}}}',
    ),
]


def _add(kind: Kind, path: str, tag: str, summary: str) -> None:
    headers = "; ".join(f"`{name}`: {'、'.join(words)}" for name, words in HEADERS[kind].items())
    router.add_api_route(
        path,
        _endpoint(kind),
        methods=["POST"],
        tags=[tag],
        summary=summary,
        description=f"CSV (UTF-8, GBK) or XLSX; at most {MAX_ROWS} rows, {MAX_BYTES >> 20} MiB. Good rows are written, each"
        " bad row is reported; importing the same or an overlapping file again adds nothing. With `Accept:"
        f" {_NDJSON}` lines {{rows, done}} come while it works, the report last (or a line {{problem}})."
        f" Headers known: {headers}",
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    "text/csv": {"schema": {"type": "string"}},
                    XLSX: {"schema": {"type": "string", "format": "binary"}},
                },
            }
        },
        response_model=StatementImported,
        responses={
            200: {
                "content": {
                    "application/json": {"example": REPORT},
                    _NDJSON: {"schema": {"type": "string"}},
                }
                | CORRECTED
            }
        },
        dependencies=[require("registry:write")],
    )


def _endpoint(kind: Kind) -> Callable[..., Awaitable[Response]]:
    async def statement(
        request: Request,
        dry_run: Annotated[bool, Query(description="check only, write nothing")] = False,
        mapping: MappingText = None,
        source: Annotated[
            str, Query(max_length=200, description="name of the file, kept with new rows")
        ] = "",
        corrections: Corrections = False,
    ) -> Response:
        content_type, charset = media_type(request)
        if content_type not in _TYPES:
            detail = f"内容类型应为下列之一 · send one of: {', '.join(sorted(_TYPES))}"
            raise Problem(415, "content-type", detail)
        if not source.isprintable():
            raise Problem(422, "invalid-parameter", "source 含有不可见字符 · `source` cannot be printed")
        columns = _mapping(kind, mapping)

        def job(data: bytes) -> Job:
            if corrections:
                return StatementCorrections(kind, data, columns, charset)
            return StatementJob(kind, data, columns, charset, source.strip(), dry_run)

        # {rows, done} after the file was read and after each chunk, last the report.
        steps = import_steps(request, _RECORDS[kind], job)
        first = await anext(steps)
        if _NDJSON in request.headers.get("accept", "") and not corrections:
            return StreamingResponse(_lines(first, steps), media_type=_NDJSON)
        report = first
        async for step in steps:
            report = step
        return reported(report)

    return statement


def _mapping(kind: Kind, text: str | None) -> FileMapping:
    try:
        return read_mapping(kind, orjson.loads(text) if text else {})
    except orjson.JSONDecodeError as error:
        raise Problem(422, "invalid-parameter", f"mapping 不是有效的 JSON · not JSON: {error}") from None


async def _lines(first: dict[str, Any], steps: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    yield orjson.dumps(first) + b"\n"
    try:
        async for step in steps:
            yield orjson.dumps(step) + b"\n"
    except Exception as error:  # the answer has begun: the trouble is told in its last line
        yield b'{"problem":' + bytes(problem_of(error).response().body) + b"}\n"


_add(
    "statement",
    "/fuel-transactions:import-statement",
    "fuel-transactions",
    "导入油卡对账单 / import a card statement",
)
_add(
    "violations",
    "/violations:import-export",
    "violations",
    "导入交警违法数据 / import a traffic-police export",
)
