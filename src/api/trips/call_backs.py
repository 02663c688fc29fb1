"""/v1/call-back-draws, /v1/call-backs: confirmed trips of a month that are drawn by a seed, and what applicants say (回访)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from api.answers import page_of
from api.auth.access import require
from api.auth.scoped import scoped, written
from api.bodies import body_of, read_model
from api.cases.common import actor_of
from api.errors import known
from api.http import DEFAULT_PAGE, MAX_ID, Cursor, Limit, json_response, make_cursor, read_cursor
from office.dispatch import call_backs
from office.dispatch.call_backs import OUTCOME_NAMES, PERMISSION, CallBackDraw, CallBackRecord, Outcome
from runtime.connection import Connection

router = APIRouter(prefix="/v1", tags=["trips"])
NO_CALL: Final = "没有这份回访 · no such call-back"
DrawId = Annotated[str, Path(min_length=1, max_length=MAX_ID)]
BODIES: Final[tuple[type[BaseModel], ...]] = (CallBackDraw, CallBackRecord)


class CallBackDrawn(BaseModel):
    """A draw. The sample is the first `drawn` of `population` ids, ordered by the SHA-256 of `seed:id`; `list_sha256`: of all ids, sorted, a line each."""

    id: str
    organisation: str
    period: str
    seed: str
    permille: int
    population: int
    list_sha256: str
    drawn_by: str
    drawn_at: datetime
    drawn: int
    recorded: int


class CallBack(BaseModel):
    """A request that was drawn, with what was said last; null: nothing is recorded yet."""

    id: str
    draw: str
    organisation: str
    request: str
    number: str
    rank: int
    outcome: Outcome | None
    outcome_name: str | None
    note: str | None
    recorded_at: datetime | None
    recorded_by: str | None


CallBackDrawnPage: Final = page_of(CallBackDrawn)
CallBackPage: Final = page_of(CallBack)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    outcome: Outcome | None = row["outcome"]
    return row | {"outcome_name": None if outcome is None else OUTCOME_NAMES[outcome]}


@router.get(
    "/call-back-draws", summary="回访抽取 / draws, the newest month first", response_model=CallBackDrawnPage, dependencies=[require(PERMISSION)]
)  # fmt: skip
async def list_draws(request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE) -> Response:
    """Of your units."""
    place = read_cursor("call-back-draws", cursor, str, str)
    after: tuple[str, str] | None = None if place is None else (place[0], place[1])
    async with scoped(request, PERMISSION, read_only=True) as connection:
        found = await call_backs.list_draws(connection, limit, after)
    following = make_cursor("call-back-draws", found[-1]["period"], found[-1]["id"]) if len(found) == limit else None  # fmt: skip
    return json_response({"items": found, "next": following})


@router.post(
    "/call-back-draws", summary="抽取回访 / draw a month", status_code=201, response_model=CallBackDrawn, dependencies=[require(PERMISSION)],
    openapi_extra=body_of(CallBackDraw), responses={404: {"description": "没有这个单位 · no such unit"}, 409: {"description": "已抽取过 · it is drawn already"}},
)  # fmt: skip
async def draw(request: Request) -> Response:
    """Trips of a month that is over, of a unit and those below it, that were confirmed in it: 5 % unless said otherwise, rounded up. Once a unit and month; whoever has the seed and the
    list finds the same."""
    given, actor = await read_model(request, CallBackDraw), actor_of(request)

    async def work(connection: Connection) -> dict[str, Any]:
        return await call_backs.show_draw(connection, await call_backs.draw(connection, actor, given))

    return json_response(await written(request, PERMISSION, work), 201)


@router.get(
    "/call-back-draws/{id}/call-backs", summary="回访清单 / the calls of a draw", response_model=CallBackPage, dependencies=[require(PERMISSION)]
)  # fmt: skip
async def list_calls(
    request: Request,
    id: DrawId,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    open: Annotated[bool, Query(description="only those of which nothing is recorded yet")] = False,
) -> Response:
    """By their place in the sample."""
    drawn, place = known("没有这次抽取 · no such draw", id), read_cursor("call-backs", cursor, int)
    async with scoped(request, PERMISSION, read_only=True) as connection:
        await call_backs.show_draw(connection, drawn)
        found = await call_backs.list_calls(connection, drawn, open, limit, 0 if place is None else place[0])
    following = make_cursor("call-backs", found[-1]["rank"]) if len(found) == limit else None
    return json_response({"items": [_shown(row) for row in found], "next": following})


@router.post(
    "/call-backs/{id}:record", summary="登记回访结果 / say what was said", response_model=CallBack, dependencies=[require(PERMISSION)],
    openapi_extra=body_of(CallBackRecord),
)  # fmt: skip
async def record(request: Request, id: DrawId) -> Response:
    """满意、不满意（写原因）、未联系上、不愿答复. A later call is another entry; the last one is shown."""
    given, actor, call = await read_model(request, CallBackRecord), actor_of(request), known(NO_CALL, id)

    async def work(connection: Connection) -> dict[str, Any]:
        return _shown(await call_backs.record(connection, actor, call, given))

    return json_response(await written(request, PERMISSION, work))
