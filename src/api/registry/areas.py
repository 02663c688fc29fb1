"""Fences in the terminals of vehicles (docs/reminders.md): chosen here; ``registry.areas.keeper`` brings the terminals there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel

from api.auth.access import require
from api.auth.scoped import scoped, written
from api.errors import Problem, known, not_found
from api.http import DEFAULT_PAGE, MAX_ID, Cursor, Limit, json_response, make_cursor, read_cursor
from registry.areas import choosing
from registry.areas.shapes import WORDS, Refusal, ShapeName
from runtime.connection import Connection

router = APIRouter(prefix="/v1", tags=["fences"])
READ: Final = "commands:read"
WRITE: Final = "commands:configure"
_NO_FENCE: Final = "没有这个围栏 · no such fence"
_NO_UNIT: Final = "没有这个单位 · no such unit"
Id = Annotated[str, Path(min_length=1, max_length=MAX_ID)]
State = Literal["waiting", "sending", "confirmed", "failed", "refused", "ending"]


class AreaOfTerminal(BaseModel):
    """A fence in a terminal. `waiting`: the terminal is not connected, or others come first; `sending`; `confirmed`: it has the version
    that holds; `failed` (`failure` as of commands, `no_room`; `retry_at`: tried again then, null = when the office says so); `refused`: no
    terminal takes it; `ending`: it has to be deleted there. `command`: the last one about it."""

    terminal: str | None
    vehicle: str
    area_id: int
    state: State
    wanted_version: int | None
    holds_version: int | None
    failure: str | None
    command: int | None
    settled_at: datetime
    retry_at: datetime | None


class FenceInTerminals(BaseModel):
    """`sent`: the office has chosen it, alone or (`by_unit`) with all of its unit. `shape`: how terminals are given it; null: they cannot
    be, `refusal` says why and `advice` what to do. `counts`: terminals by state."""

    fence: str
    sent: bool
    by_unit: bool
    shape: ShapeName | None
    refusal: Refusal | None
    advice: str | None
    counts: dict[str, int]
    items: list[AreaOfTerminal]
    next: str | None


class UnitFencesSent(BaseModel):
    """Whether all fences of a unit go to terminals."""

    organisation: str
    sent: bool


async def _standing(
    connection: Connection, fence: str, after: int = 0, limit: int = DEFAULT_PAGE
) -> dict[str, Any]:
    found = await choosing.standing(connection, fence, after, limit + 1)
    page = found["items"][:limit]
    more = len(found["items"]) > limit
    following = make_cursor("fence-terminals", page[-1]["terminal_no"]) if more else None
    items = [{name: value for name, value in row.items() if name != "terminal_no"} for row in page]
    advice = WORDS.get(found["refusal"] or "")
    return found | {"fence": fence, "items": items, "next": following, "advice": advice}


@router.get(
    "/fences/{id}/terminals",
    summary="围栏在各终端的状态 / how a fence stands in the terminals",
    response_model=FenceInTerminals,
    dependencies=[require(READ)],
)
async def list_terminals(
    request: Request, id: Id, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE
) -> Response:
    place = read_cursor("fence-terminals", cursor, int)
    async with scoped(request, READ, read_only=True) as connection:
        try:
            found = await _standing(connection, known(_NO_FENCE, id), place[0] if place else 0, limit)
        except choosing.NoFenceError:
            raise not_found(_NO_FENCE, id) from None
    return json_response(found)


async def _done(request: Request, id: str, step: Callable[[Connection, str], Awaitable[None]]) -> Response:
    fence = known(_NO_FENCE, id)

    async def write(connection: Connection) -> dict[str, Any]:
        await step(connection, fence)
        return await _standing(connection, fence)

    try:
        return json_response(await written(request, WRITE, write))
    except choosing.NoFenceError:
        raise not_found(_NO_FENCE, id) from None
    except choosing.CannotBeSentError as error:
        raise Problem(422, "cannot-be-sent", WORDS[error.why], more={"refusal": error.why}) from None


@router.post(
    "/fences/{id}:send-down",
    summary="围栏下发到终端 / a fence goes to the terminals of its vehicles",
    response_model=FenceInTerminals,
    dependencies=[require(WRITE)],
    responses={422: {"description": "终端不能存，说明如何修改 · no terminal takes it; it says what to do"}},
)
async def send_down(request: Request, id: Id) -> Response:
    """From now on, in each version that holds, and taken from them when it ends. Again: what failed is tried once more. Entering and leaving
    are told to the platform by the terminal; nobody is accused by that."""
    return await _done(request, id, choosing.send_down)


@router.post(
    "/fences/{id}:recall",
    summary="围栏不再下发 / a fence is taken from the terminals again",
    response_model=FenceInTerminals,
    dependencies=[require(WRITE)],
)
async def recall(request: Request, id: Id) -> Response:
    """Unless all fences of its unit go."""
    return await _done(request, id, choosing.recall)


async def _unit(request: Request, id: str, sent: bool) -> Response:
    unit = known(_NO_UNIT, id)
    step = choosing.send_unit_down if sent else choosing.recall_unit
    if not await written(request, WRITE, lambda connection: step(connection, unit)):
        raise not_found(_NO_UNIT, id)
    return json_response({"organisation": unit, "sent": sent})


@router.post(
    "/organisations/{id}:send-fences-down",
    summary="本单位围栏全部下发 / all fences of a unit go to terminals",
    response_model=UnitFencesSent,
    dependencies=[require(WRITE)],
)
async def send_unit_down(request: Request, id: Id) -> Response:
    """Those that no terminal takes are shown as `refused` (GET /v1/fences/{id}/terminals)."""
    return await _unit(request, id, True)


@router.post(
    "/organisations/{id}:recall-fences",
    summary="不再全部下发本单位围栏 / not all fences of a unit go any more",
    response_model=UnitFencesSent,
    dependencies=[require(WRITE)],
)
async def recall_unit(request: Request, id: Id) -> Response:
    """Those that were chosen one by one still do."""
    return await _unit(request, id, False)
