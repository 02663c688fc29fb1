"""GET /v1/audit."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from api.answers import page_of
from api.auth.access import require
from api.auth.audited import noted, stated_purpose
from api.auth.scoped import scoped
from api.errors import Problem
from api.http import (
    DEFAULT_PAGE,
    MAX_ID,
    PLAIN,
    Cursor,
    Limit,
    QueryTime,
    json_response,
    make_cursor,
    read_cursor,
    refuse_controls,
)
from office.identity.audit import AuditFilter, page
from runtime.units import from_us, to_us

router = APIRouter(prefix="/v1/audit", tags=["audit"])

Action = Literal["read", "write", "import", "command"]
Text = Annotated[str | None, Query(max_length=MAX_ID, json_schema_extra=PLAIN)]


class AuditEntry(BaseModel):
    """Who did or read something. `before` and `after` have what was changed, long values as their length and SHA-256."""

    no: int
    at: datetime
    who_kind: str
    who_id: str
    who_name: str
    roles: str
    delegated_by: str | None
    address: str
    forwarded_for: str | None
    agent: str
    operation: str
    action: Action
    subject_kind: str
    subject_id: str | None
    organisation: str | None
    vehicle: str | None
    purpose: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    detail: dict[str, Any] | None


_PAGE: Final = page_of(AuditEntry)


@router.get(
    "",
    summary="审计记录 / who did and who read what, newest first",
    dependencies=[require("audit:read"), stated_purpose("audit:read")],
    response_model=_PAGE,
)
async def audit(
    request: Request,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    who: Text = None,
    action: Action | None = None,
    kind: Annotated[
        str | None,
        Query(
            max_length=MAX_ID, json_schema_extra=PLAIN, description="vehicles, drivers, track, evidence, ..."
        ),
    ] = None,
    id: Text = None,
    vehicle: Text = None,
    organisation: Text = None,
    since: Annotated[QueryTime | None, Query(alias="from")] = None,
    until: Annotated[QueryTime | None, Query(alias="to")] = None,
) -> Response:
    """Writes with what was before and after, imports, commands, and every reading of a track, of evidence and of a person's
    data, with its purpose. Who reads the audit is in it as well. Entries that are not of one unit are seen by who reaches all.
    """
    refuse_controls(who, kind, id, vehicle, organisation)
    if since is not None and until is not None and until <= since:
        raise Problem(422, "invalid-parameter", "to 须晚于 from · to must be after from")
    wanted = AuditFilter(who, action, kind, id, vehicle, organisation, since, until)
    place = read_cursor("audit", cursor, int, int)
    asked = {name: request.query_params[name] for name in sorted(request.query_params) if name != "purpose"}
    async with scoped(request, "audit:read") as connection:
        found = await page(
            connection, wanted, limit=limit, before=(from_us(place[0]), place[1]) if place else None
        )
        await noted(
            request, connection, "audit:read", "audit",
            organisation=organisation, vehicle=vehicle, detail={"asked": asked, "entries": len(found)},
        )  # fmt: skip
    following = make_cursor("audit", to_us(found[-1]["at"]), found[-1]["no"]) if len(found) == limit else None
    return json_response({"items": found, "next": following})
