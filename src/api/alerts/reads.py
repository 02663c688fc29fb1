"""POST /v1/alerts:read: which alerts somebody has read, kept for him alone."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import Field, StringConstraints

from api.answers import AlertsMarked
from api.auth.access import require
from api.auth.scoped import subject_of, written
from api.bodies import Body, body_of, read_model
from api.http import MAX_ID, PLAIN_PATTERN, json_response
from office.subscriptions import reads
from runtime.connection import Connection

#: So many are marked at once.
MOST: Final = 1_000
router = APIRouter(prefix="/v1", tags=["alerts"], dependencies=[require("alerts:read")])


class ReadAlert(Body):
    """A version of an alert, the one that was seen."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID, pattern=PLAIN_PATTERN)]
    version: Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)]


class AlertsRead(Body):
    """`read` false: they are unread again, whatever the version."""

    alerts: Annotated[list[ReadAlert], Field(min_length=1, max_length=MOST)]
    read: bool = True


@router.post(
    "/alerts:read", summary="标为已读或未读 / mark alerts as read, or as unread", response_model=AlertsMarked,
    openapi_extra=body_of(AlertsRead),
)  # fmt: skip
async def mark(request: Request) -> Response:
    """For you alone: others still have them unread. A newer version of an alert is unread again. It can be sent again; who reads an alert
    is not noted anywhere else."""
    body, subject = await read_model(request, AlertsRead), subject_of(request)
    versions: dict[str, int] = {}
    for one in body.alerts:
        versions[one.id] = max(one.version, versions.get(one.id, 0))
    act = reads.mark_read if body.read else reads.mark_unread

    async def write(connection: Connection) -> int:
        return await act(connection, subject, versions)

    return json_response({"marked": await written(request, "alerts:read", write)})
