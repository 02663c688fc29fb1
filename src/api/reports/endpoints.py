"""/v1/terminal-reports, /v1/driver-cards, /v1/media. Who may read tracks reads them, and each reading is noted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.audited import noted, stated_purpose
from api.auth.scoped import scoped
from api.errors import Problem, not_found, unavailable
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
from api.reports.schemas import (
    DriverCardPage,
    ReportKind,
    TerminalMedia,
    TerminalMediaPage,
    TerminalReportPage,
    TerminalReportWithBody,
)
from runtime.connection import Connection
from telemetry.reports import files, listing
from telemetry.reports.content import EXTENSIONS, UNKNOWN
from telemetry.reports.listing import Wanted

router = APIRouter(prefix="/v1", tags=["terminal reports"])
READ: Final = "tracks:read"
_NO_REPORT: Final = "没有这条上报 · no such report"
_NO_FILE: Final = "没有这个多媒体文件 · no such file"
No = Annotated[int, Path(ge=1, le=2**53)]
Text = Annotated[str | None, Query(max_length=MAX_ID, json_schema_extra=PLAIN)]
Since = Annotated[
    QueryTime | None, Query(alias="from", description="RFC 3339, included, of when it was received")
]
Until = Annotated[QueryTime | None, Query(alias="to", description="RFC 3339, excluded")]
_READS: Final = [require(READ), stated_purpose(READ)]
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_List = Callable[[Connection, Wanted, int], Awaitable[list[dict[str, Any]]]]


@router.get(
    "/terminal-reports",
    summary="终端上报 / what terminals report that is no position, the newest first",
    response_model=TerminalReportPage,
    dependencies=_READS,
)
async def reports(
    request: Request,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    kind: ReportKind | None = None,
    vehicle: Text = None,
    organisation: Text = None,
    since: Since = None,
    until: Until = None,
) -> Response:
    """Attributes, events, answers, waybills, data of the driving recorder, data passed through, and every other kind."""
    return await _listed(
        request, "terminal-reports", listing.reports, _report, cursor, limit,
        Wanted(kind, vehicle, organisation, since, until),
    )  # fmt: skip


@router.get(
    "/terminal-reports/{no}",
    summary="一条终端上报 / a report with its body",
    response_model=TerminalReportWithBody,
    dependencies=_READS,
)
async def report(request: Request, no: No) -> Response:
    async with scoped(request, READ) as connection:
        found = await listing.report(connection, no)
        if found is not None:
            await _note(request, connection, "terminal-reports", found)
    if found is None:
        raise not_found(_NO_REPORT, str(no))
    body = None if found["body"] is None or found["kind"] == "driver_card" else found["body"].hex()
    return json_response(_report(found) | {"body": body})


@router.get(
    "/driver-cards",
    summary="驾驶员插卡、拔卡 / drivers' cards put in and pulled out, the newest first",
    response_model=DriverCardPage,
    dependencies=_READS,
)
async def driver_cards(
    request: Request,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    vehicle: Text = None,
    organisation: Text = None,
    since: Since = None,
    until: Until = None,
) -> Response:
    """As the terminals say (0x0702). Nothing is concluded from it here."""
    return await _listed(
        request, "driver-cards", listing.cards, _card, cursor, limit,
        Wanted("driver_card", vehicle, organisation, since, until),
    )  # fmt: skip


@router.get(
    "/media",
    summary="终端多媒体 / pictures, sounds and films of terminals, the newest first",
    response_model=TerminalMediaPage,
    dependencies=_READS,
)
async def media(
    request: Request,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    vehicle: Text = None,
    organisation: Text = None,
    since: Since = None,
    until: Until = None,
) -> Response:
    """Also those for which there was no room (`state`)."""
    return await _listed(
        request, "media", listing.media, _media, cursor, limit,
        Wanted("media", vehicle, organisation, since, until),
    )  # fmt: skip


@router.get(
    "/media/{no}", summary="一个多媒体文件的说明 / what is known of a file", response_model=TerminalMedia, dependencies=_READS
)  # fmt: skip
async def medium(request: Request, no: No) -> Response:
    return json_response(_media(await _file(request, no)))


@router.get(
    "/media/{no}/content",
    summary="下载多媒体文件 / the file itself",
    response_class=Response,
    dependencies=_READS,
    responses={
        200: {"content": dict.fromkeys(EXTENSIONS, _BINARY)},
        410: {"description": "文件未保存或已过期 · there was no room for it, or it is no longer kept"},
    },
)
async def content(request: Request, no: No) -> Response:
    """Its content type is what its content is, whatever the terminal says. A picture may be shown in a page; a browser saves
    everything else and runs nothing of it."""
    found = await _file(request, no)
    if found["state"] != "stored":
        detail = "文件未保存或已过期 · there was no room for it, or it is no longer kept"
        raise Problem(410, "gone", detail, more={"state": found["state"]})
    folder = files.folder_of(request.app.state.settings)
    try:
        data = await asyncio.to_thread(files.path_of(folder, found["sha256"]).read_bytes)
    except OSError:
        detail = "文件暂时无法读取，请检查 GONGCHE_MEDIA_DIR · the file cannot be read now; workers and APIs need the same GONGCHE_MEDIA_DIR"
        raise unavailable(detail) from None
    kind = found["content_type"] if found["content_type"] in EXTENSIONS else UNKNOWN
    shown = "inline" if kind.startswith("image/") else "attachment"
    return Response(
        data,
        media_type=kind,
        headers={
            "Content-Disposition": f'{shown}; filename="media-{no}.{EXTENSIONS[kind]}"',
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "private, no-store",
            "ETag": f'"{found["sha256"]}"',
        },
    )


async def _file(request: Request, no: int) -> dict[str, Any]:
    async with scoped(request, READ) as connection:
        found = await listing.file(connection, no)
        if found is not None:
            await _note(request, connection, "media", found)
    if found is None:
        raise not_found(_NO_FILE, str(no))
    return found


async def _note(request: Request, connection: Connection, kind: str, found: dict[str, Any]) -> None:
    await noted(
        request, connection, READ, kind, str(found["no"]), vehicle=found["vehicle"], organisation=found["organisation"]
    )  # fmt: skip


async def _listed(
    request: Request,
    name: str,
    listed: _List,
    shown: Callable[[dict[str, Any]], dict[str, Any]],
    cursor: str | None,
    limit: int,
    wanted: Wanted,
) -> Response:
    """A page of a list, noted."""
    refuse_controls(wanted.vehicle, wanted.organisation)
    if wanted.since is not None and wanted.until is not None and wanted.until <= wanted.since:
        raise Problem(422, "invalid-parameter", "to 须晚于 from · to must be after from")
    place = read_cursor(name, cursor, int)
    asked = {each: request.query_params[each] for each in sorted(request.query_params) if each != "purpose"}
    before = None if place is None else place[0]
    wanted = Wanted(wanted.kind, wanted.vehicle, wanted.organisation, wanted.since, wanted.until, before)
    async with scoped(request, READ) as connection:
        found = await listed(connection, wanted, limit + 1)
        page = found[:limit]
        await noted(
            request, connection, READ, name, organisation=wanted.organisation, vehicle=wanted.vehicle,
            detail={"asked": asked, "entries": len(page)},
        )  # fmt: skip
    following = make_cursor(name, page[-1]["no"]) if len(found) > limit else None
    return json_response({"items": [shown(row) for row in page], "next": following})


def _told(row: dict[str, Any]) -> dict[str, Any]:
    plain = ("no", "kind", "terminal", "vehicle", "organisation", "at", "device_time", "received_at")
    place = (
        None
        if row["lat_e6"] is None
        else {"lat": row["lat_e6"] / 1_000_000, "lon": row["lon_e6"] / 1_000_000}
    )
    return {name: row[name] for name in plain} | {"place": place}


def _report(row: dict[str, Any]) -> dict[str, Any]:
    return _told(row) | {
        "message": f"0x{row['message']:04X}", "detail": row["detail"], "bytes": row["body_bytes"], "sha256": row["sha256"],
    }  # fmt: skip


def _card(row: dict[str, Any]) -> dict[str, Any]:
    plain = ("action", "read_result", "name", "certificate", "issuer", "valid_until")
    return _told(row) | {name: row[name] for name in plain} | {"id_number": _masked(row["id_number"])}


def _masked(number: str) -> str:
    """An identity number of which the first and the last digits are left."""
    return number if len(number) < 8 else f"{number[:3]}{'*' * (len(number) - 6)}{number[-3:]}"


def _media(row: dict[str, Any]) -> dict[str, Any]:
    plain = (
        "media_id", "media_type", "format", "event", "channel", "content_type", "as_claimed", "bytes", "sha256", "state",
    )  # fmt: skip
    return _told(row) | {name: row[name] for name in plain}
