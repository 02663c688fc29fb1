"""POST /v1/positions: 202 only when the log has made every position durable."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import Counter
from pydantic import ValidationError

from api.answers import Accepted
from api.auth.access import require
from api.auth.scoped import scoped
from api.errors import Problem, unavailable
from api.http import json_response, read_json
from api.positions.schemas import EXAMPLE, MAX_POSITIONS, POSITIONS, Position, misplaced_positions, to_batch
from registry.refusals import Flaw, explain
from registry.terminals import terminal_numbers
from runtime.errors import GongcheError
from telemetry.log import codec
from telemetry.log.base import POSITIONS as TOPIC
from telemetry.log.base import LogWriter, Record, partitions_of
from telemetry.positions import PositionBatch

router = APIRouter(tags=["positions"])
_logger = logging.getLogger("gongche.api")

MAX_BODY: Final = 4 << 20
#: How long the log may take, and how many requests may wait for it at once.
APPEND_TIMEOUT_S: Final = 15.0
_AT_ONCE: Final = 16

ROWS: Final = Counter("gongche_api_positions_total", "Positions received over HTTP", ["outcome"])


@router.post(
    "/v1/positions",
    summary="上报位置 / positions of HTTP terminals",
    status_code=202,
    response_model=Accepted,
    dependencies=[require("positions:write")],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "array",
                        "maxItems": MAX_POSITIONS,
                        "items": {"$ref": "#/components/schemas/Position"},
                    },
                    "example": EXAMPLE,
                }
            },
        }
    },
)
async def positions(request: Request) -> Response:
    """All positions of the batch, or none: with one bad row the answer is 422 and names it.

    202 means durable. After 503, or no answer, send the same batch again: a position that came twice counts
    once.
    """
    state = request.app.state
    sink: LogWriter | None = state.position_sink
    if sink is None:
        raise unavailable("本机未配置位置日志 · this API has no position log")
    values = await read_json(request, MAX_BODY)
    if state.position_requests >= _AT_ONCE:
        raise unavailable("上报请求过多，请稍后重试 · too many requests at once")
    state.position_requests += 1
    try:
        accepted = await _take(request, sink, values)
    finally:
        state.position_requests -= 1
    return json_response({"accepted": accepted}, 202)


async def _take(request: Request, sink: LogWriter, values: object) -> int:
    if not isinstance(values, list):
        raise Problem(422, "invalid-data", "应为位置数组 · the body must be an array of positions")
    if len(values) > MAX_POSITIONS:
        detail = f"至多 {MAX_POSITIONS} 个位置 · at most {MAX_POSITIONS} positions at once"
        ROWS.labels("invalid").inc(len(values))
        raise Problem(413, "too-many", detail)
    if not values:
        return 0
    try:
        rows: list[Position] = await asyncio.to_thread(POSITIONS.validate_python, values)
    except ValidationError as error:
        ROWS.labels("invalid").inc(len(values))
        flaws = [Flaw(f.path[1:], f.message, int(f.path[0])) for f in explain(error)]
        raise _refused(flaws) from None
    if flaws := misplaced_positions(rows):
        ROWS.labels("invalid").inc(len(values))
        raise _refused(flaws)
    phones = sorted({row.terminal for row in rows})
    async with scoped(request, "positions:write", read_only=True) as connection:
        numbers = await terminal_numbers(connection, phones)
    unknown = [
        Flaw(
            ("terminal",),
            f"终端 {row.terminal} 未登记或已停用 · unknown or disabled terminal: {row.terminal}",
            i,
        )
        for i, row in enumerate(rows)
        if row.terminal not in numbers
    ]
    if unknown:
        ROWS.labels("unknown_terminal").inc(len(rows))
        raise _refused(unknown)
    batch = await asyncio.to_thread(to_batch, rows, numbers, time.time_ns() // 1000)
    try:
        async with asyncio.timeout(APPEND_TIMEOUT_S):
            await sink.append(records_of(batch, sink.partitions))
    except (GongcheError, OSError) as error:  # TimeoutError is an OSError
        ROWS.labels("unavailable").inc(len(rows))
        _logger.warning("the log does not take positions: %s", error)
        raise unavailable("位置日志暂时不可用，请重发 · the log does not answer; send again") from None
    ROWS.labels("accepted").inc(len(rows))
    return len(rows)


def records_of(batch: PositionBatch, partitions: int) -> list[Record]:
    """One record for each partition that the terminals of ``batch`` belong to; the order of rows is kept."""
    partition = partitions_of(batch.terminal, partitions)
    return [
        Record(TOPIC, int(number), codec.encode(batch.take(partition == number)), codec.HEADERS)
        for number in np.unique(partition)
    ]


def _refused(flaws: list[Flaw]) -> Problem:
    errors = [
        {"row": f.row, "field": f.field or None, "pointer": f"/{f.row}{f.pointer}", "message": f.message}
        for f in flaws
    ]
    first = flaws[0]
    detail = f"未接受任何位置；第 {first.row + 1} 个：{first.message} · nothing was taken"
    return Problem(422, "invalid-positions", detail, errors=errors)
