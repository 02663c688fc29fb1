"""GET /v1/live/orders: the orders of all vehicles that a caller sees, now, as one list; then what has changed. docs/live-map.md."""

from __future__ import annotations

import asyncio
import gzip
import secrets
import time
from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from api.auth.access import require
from api.auth.scoped import reach_of, scoped
from api.http import PLAIN, rfc3339, to_json
from api.live.board import SOON, Held, OrderBoard, held_now, resting_units
from registry.calendar import load_calendar
from registry.order_cover import covers_within
from registry.orders import read_orders
from registry.parameter_values import load_parameters
from runtime.units import from_us

PERMISSION: Final = "registry:read"
#: The map asks by itself: that is no use of the session.
router = APIRouter(prefix="/v1/live", tags=["live"], dependencies=[require(PERMISSION, counts_as_use=False)])

#: The orders of a reach are read at most so often, however many look at them.
EVERY_S: Final = 15.0
#: Boards of reaches that are kept; the one that was asked for longest ago gives way.
MOST_BOARDS: Final = 32
#: An order that is overdue for longer than this is for the list of orders, not for a map of now.
_OVERDUE_DAYS: Final = 30
#: A shorter answer is not worth packing.
_LEAST_PACKED: Final = 2_000

_Key = tuple[frozenset[str] | None, frozenset[str] | None]
#: Until so long after its end on paper a vehicle may be on its way home.
_GRACE: Final = "interval '4 hours'"
_SOON: Final = f"(now() + interval '{SOON // timedelta(seconds=1)} seconds')"
#: All that may cover now, or begins soon; and what is out and should be back.
_WHERE: Final = (
    f"WHERE o.is_current AND (({covers_within('o', 'now()', _SOON)} AND (o.status IN ('approved', 'departed')"
    f" OR COALESCE(GREATEST(o.actual_return, o.cancelled_at), o.extended_return, o.planned_return) > now() - {_GRACE}))"
    " OR (o.status IN ('approved', 'departed') AND GREATEST(o.planned_return, o.extended_return)"
    f" BETWEEN now() - interval '{_OVERDUE_DAYS} days' AND now()))"
)


class LiveOrders(BaseModel):
    """Columns of the same length: a vehicle, and what its order says. Times are seconds since 1970 UTC."""

    as_of: datetime
    mark: str = Field(description="send it as `since` the next time: only what has changed comes then")
    whole: bool = Field(
        description="true: vehicles that are not named have no order; false: they are as they were"
    )
    vehicles: list[str]
    orders: list[str]
    destinations: list[str]
    from_s: list[int] = Field(description="the order covers the vehicle from then on")
    until_s: list[int] = Field(description="and until then")
    due_s: list[int] = Field(description="when it should be back")
    overdue_s: list[int | None] = Field(
        description="from when on it is overdue; null: it is back, or the order was cancelled"
    )
    allowed: list[bool] = Field(description="whether the order allows a drive in off hours")
    gone: list[str] = Field(description="vehicles that have no order any more")
    resting_units: list[str] = Field(
        description="units that are in their off hours now (night, or a day that is not worked)"
    )


class _Kept:
    """A board, and when it was read."""

    def __init__(self) -> None:
        self.board = OrderBoard(secrets.token_hex(4))
        self.read_at = float("-inf")
        self.as_of = 0
        self.reading = asyncio.Lock()

    async def look(self, request: Request, every_s: float) -> None:
        """Read the orders anew when the board is so old; of many who come at once one reads."""
        loop = asyncio.get_running_loop()
        async with self.reading:
            if loop.time() - self.read_at < every_s:
                return
            began, now_us = loop.time(), time.time_ns() // 1000
            async with scoped(request, PERMISSION, read_only=True) as connection:
                orders = await read_orders(connection, _WHERE)
                units = [row[0] for row in await connection.fetch("SELECT id FROM organisations")]
                parameters, calendar = await load_parameters(connection), await load_calendar(connection)
            held = await asyncio.to_thread(held_now, orders, now_us, parameters)
            self.board.update(held, resting_units(units, now_us, calendar, parameters))
            self.read_at, self.as_of = began, now_us


class OrderBoards:
    """The boards of a process, by reach."""

    def __init__(self) -> None:
        self.every_s = EVERY_S
        self._kept: dict[_Key, _Kept] = {}

    async def of(self, request: Request) -> _Kept:
        """The board of the subject of ``request``, read within ``every_s``."""
        reach = reach_of(request, PERMISSION, read_only=True)
        key = (reach.units, reach.secrets)
        kept = self._kept.pop(key) if key in self._kept else _Kept()
        self._kept[key] = kept  # the newest is last
        while len(self._kept) > MOST_BOARDS:
            del self._kept[next(iter(self._kept))]
        await kept.look(request, self.every_s)
        return kept


@router.get("/orders", summary="车辆此刻的用车单 / the orders of the vehicles now", response_model=LiveOrders)
async def orders(
    request: Request,
    since: Annotated[
        str | None, Query(max_length=40, json_schema_extra=PLAIN, description="`mark` of the answer before")
    ] = None,
) -> Response:
    """For every vehicle that the caller sees and that has one: the order that covers it now, one that is overdue, or one that begins
    within half an hour. Ask again each half minute with `since`: only what has changed comes then. It is read from the database at
    most each 15 s, so it may be as old as that.
    """
    kept = await request.app.state.live_orders.of(request)
    whole, rows, gone = kept.board.since(since)
    body = {
        "as_of": rfc3339(from_us(kept.as_of)),
        "mark": kept.board.mark,
        "whole": whole,
        **_columns(rows),
        "gone": gone,
        "resting_units": kept.board.resting,
    }
    packed = "gzip" in request.headers.get("accept-encoding", "")
    data, headers = await asyncio.to_thread(_packed, body, packed)
    return Response(data, headers=headers, media_type="application/json")


def _columns(rows: dict[str, Held]) -> dict[str, list[object]]:
    names = {"order": "orders", "destination": "destinations"} | {
        name: name for name in ("from_s", "until_s", "due_s", "overdue_s", "allowed")
    }
    return {"vehicles": list(rows)} | {
        told: [getattr(held, name) for held in rows.values()] for name, told in names.items()
    }


def _packed(body: dict[str, object], may: bool) -> tuple[bytes, dict[str, str]]:
    data = to_json(body)
    headers = {"Vary": "Accept-Encoding", "Cache-Control": "no-store"}
    if not may or len(data) < _LEAST_PACKED:
        return data, headers
    return gzip.compress(data, 1), headers | {"Content-Encoding": "gzip"}
