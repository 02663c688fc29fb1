"""/v1/tasks, /v1/messages: what somebody has to do, and what he is told."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from api.auth.access import require
from api.bodies import body_of, read_model
from api.cases.common import ANY, ItemId, actor_of, database, write
from api.cases.schemas import CaseMessagePage, DataTask, DataTaskPage, MessagesMarked
from api.errors import known
from api.http import (
    DEFAULT_PAGE,
    Cursor,
    Limit,
    json_response,
    make_cursor,
    next_moment,
    read_cursor,
    read_moment,
)
from office.identity.subject import PERMISSIONS
from office.supervision import findings, messages
from office.supervision.contents import LongText

router = APIRouter(prefix="/v1")
#: With any of these somebody takes part in trips, or in the maintenance of vehicles.
TRIPS: Final = tuple(name for name in PERMISSIONS if name.startswith(("trips:", "maintenance:")))
#: Whoever may be told of something.
TOLD: Final = ("cases:read", *TRIPS)


class TaskDone(BaseModel):
    """What was put right."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    note: LongText


class MessagesRead(BaseModel):
    """Everything up to this message was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    up_to: int = Field(ge=1, le=2**62, strict=True)


@router.get(
    "/tasks", tags=["tasks"], summary="数据问题任务 / what is to be put right, newest first", response_model=DataTaskPage,
    dependencies=[require("cases:read")],
)  # fmt: skip
async def list_tasks(
    request: Request,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    state: Literal["open", "done"] | None = None,
) -> Response:
    """Fences, stations, terminals, papers, feeds that were wrong, as findings (数据问题) named them."""
    after = read_moment("tasks", cursor)
    done = None if state is None else state == "done"
    async with database(request) as connection:
        found = await findings.list_tasks(connection, actor_of(request), done=done, limit=limit, after=after)
    following = next_moment("tasks", found, limit, "opened_at")
    return json_response({"items": found, "next": following})


@router.post(
    "/tasks/{id}:done", tags=["tasks"], summary="完成任务 / it is put right", response_model=DataTask,
    dependencies=[require("cases:draft", "cases:close", "registry:write")], openapi_extra=body_of(TaskDone),
)  # fmt: skip
async def finish_task(request: Request, id: ItemId) -> Response:
    """Once; again: 409."""
    body, actor = await read_model(request, TaskDone), actor_of(request)

    async def work(connection: Any) -> dict[str, Any]:
        task = known("没有这项任务 · no such task", id)
        return await findings.finish_task(connection, actor, task, body.note)

    return json_response(await write(request, work, *ANY, "registry:write"))


@router.get(
    "/messages", tags=["messages"], summary="站内消息 / messages for you, newest first", response_model=CaseMessagePage,
    dependencies=[require(*TOLD)],
)  # fmt: skip
async def list_messages(
    request: Request,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    unread: Annotated[bool, Query(description="only those that you have not read")] = False,
) -> Response:
    """Number, state and link; never a name or a place."""
    place = read_cursor("messages", cursor, int)
    async with database(request, *ANY, *TRIPS) as connection:
        found = await messages.list_messages(
            connection,
            actor_of(request),
            unread=unread,
            limit=limit,
            before=None if place is None else place[0],
        )
    following = make_cursor("messages", found[-1]["id"]) if len(found) == limit else None
    return json_response({"items": found, "next": following})


@router.post(
    "/messages:read", tags=["messages"], summary="标为已读 / mark as read", response_model=MessagesMarked,
    dependencies=[require(*TOLD)], openapi_extra=body_of(MessagesRead),
)  # fmt: skip
async def mark_read(request: Request) -> Response:
    """Of the messages for you. Others still have theirs unread."""
    body, actor = await read_model(request, MessagesRead), actor_of(request)
    marked = await write(
        request, lambda connection: messages.mark_read(connection, actor, body.up_to), *ANY, *TRIPS
    )
    return json_response({"read": marked})
