"""/v1/message-failures: what did not reach people, for who keeps the people."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.scoped import subject_of
from api.errors import not_found
from api.http import DEFAULT_PAGE, Cursor, Limit, json_response, read_cursor
from api.messages.common import NO_LETTER, LetterId, letters_body
from api.messages.schemas import Failures
from office.identity.scope import units_reached
from office.messages import letters

MANAGE = "users:manage"
router = APIRouter(prefix="/v1/message-failures", tags=["message channels"], dependencies=[require(MANAGE)])


@router.get("", summary="未送达的消息 / dead letters of your people", response_model=Failures)
async def listed(request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE) -> Response:
    """Newest first, with the reason: an address that is wrong is put right by the person, or by you together with him."""
    place = read_cursor("letters", cursor, int)
    async with request.app.state.desk.connection() as connection:
        units = await units_reached(connection, subject_of(request), MANAGE)
        found = await letters.dead_of_people(
            connection, None if units is None else sorted(units), limit, place[0] if place else None
        )
    return json_response(letters_body(found, limit))


@router.post("/{id}/resend", summary="重新发送 / send it again", status_code=204, response_class=Response)
async def resend(request: Request, id: LetterId) -> Response:
    async with request.app.state.desk.transaction() as connection:
        units = await units_reached(connection, subject_of(request), MANAGE)
        there, unit = await letters.units_of_dead(connection, id)
        if not there or (units is not None and unit not in units):
            raise not_found(NO_LETTER, str(id))
        if not await letters.send_again(connection, id, None):
            raise not_found(NO_LETTER, str(id))
    return Response(status_code=204)
