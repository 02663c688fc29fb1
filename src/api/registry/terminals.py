"""What the office should know of terminals, and its word about an exchanged device."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from api.answers import page_of
from api.auth.access import require
from api.auth.scoped import scoped, written
from api.errors import Problem, not_found
from api.http import (
    DEFAULT_PAGE,
    PLAIN,
    Cursor,
    Limit,
    json_response,
    make_cursor,
    read_cursor,
    refuse_controls,
)
from api.registry.stored import ONE
from registry import clock_corrections, pages, proposals
from registry.proposals import ProposalKind
from runtime.connection import Connection
from telemetry.terminals import exchange, notices
from telemetry.terminals.phones import stored_phone

router = APIRouter(prefix="/v1", tags=["terminals"])

NoticeKind = Literal[
    "clock_wrong",
    "device_refused",
    "device_accepted",
    "contradiction",
    "other_imei",
    "other_card",
    "datum_wrong",
]


class TerminalNotice(BaseModel):
    """What somebody should look at of a terminal."""

    no: int
    terminal: str
    kind: NoticeKind
    about: str
    detail: dict[str, Any]
    times: int
    first_at: datetime
    last_at: datetime
    settled_at: datetime | None


class AcceptedDevice(BaseModel):
    """The device that a terminal has from now on."""

    id: str
    manufacturer: str
    model: str
    device_id: str
    plate: str


_NOTICES: Final = page_of(TerminalNotice)


def _plain(phone: str) -> str:
    """A phone number as it is stored. What can be none is found nowhere."""
    return stored_phone(phone) if phone.isprintable() else ""


@router.get(
    "/terminal-notices",
    summary="终端提示 / what to look at of terminals",
    dependencies=[require("registry:read")],
    response_model=_NOTICES,
)
async def terminal_notices(
    request: Request,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    terminal: Annotated[
        str | None, Query(max_length=32, json_schema_extra=PLAIN, description="phone number")
    ] = None,
    kind: NoticeKind | None = None,
    settled: Annotated[bool, Query(description="also those that nobody need look at any more")] = False,
) -> Response:
    """`clock_wrong`: live reports are always the same time behind their receipt (`lag_s`; below 0: ahead); they are no
    evidence until `clock-corrections` says more. `proposed`: the correction that `POST /v1/terminals/{id}:accept-correction` enters.
    `datum_wrong`: its coordinates are GCJ-02, it seems. `other_imei`: a device with the right code was refused, for it showed another
    IMEI than the terminal's record names. `other_card`: its SIM card is another one (not refused). `device_refused`: another device asks for this phone number.
    `device_accepted`: after long silence (`by`: `silence`), or by the office. `contradiction`: fixes and odometer contradict
    each other (位置与里程矛盾). One notice for each thing; `times` counts how often it was seen."""
    refuse_controls(terminal)
    place = read_cursor("terminal-notices", cursor, int)
    async with scoped(request, "registry:read", read_only=True) as connection:
        found = await notices.page(
            connection,
            terminal=None if terminal is None else _plain(terminal),
            kind=kind,
            open_only=not settled,
            after=place[0] if place else 0,
            limit=limit,
        )
    following = make_cursor("terminal-notices", found[-1]["no"]) if len(found) == limit else None
    return json_response({"items": found, "next": following})


@router.post(
    "/terminals/{id}:accept-device",
    summary="接受更换的设备 / accept the device that waits",
    dependencies=[require("registry:write")],
    response_model=AcceptedDevice,
    responses={404: {"description": "no such terminal, or no device waits"}},
)
async def accept_device(
    request: Request,
    id: Annotated[str, Path(max_length=32)],
    device_id: Annotated[
        str | None,
        Query(max_length=64, json_schema_extra=PLAIN, description="terminal id of the device that is meant"),
    ] = None,
) -> Response:
    """The device in `waiting_device` of the terminal is its device from now on: it gets a code when it registers again. Give its
    `device_id`: anybody may ask for a phone number, also after you have looked. 409 when another one waits by now, or when several
    have asked and none is named."""
    refuse_controls(device_id)
    try:
        accepted = await written(
            request,
            "registry:write",
            lambda connection: exchange.accept(connection, _plain(id), "office", device_id),
        )
    except exchange.WhichDeviceError as error:
        raise Problem(409, "which-device", str(error)) from None
    if accepted is None:
        raise not_found("没有这个终端，或没有等待接受的设备 · no such terminal, or no device waits", id)
    return json_response(accepted)


@router.post(
    "/terminals/{id}:accept-correction",
    summary="接受建议的更正 / enter the correction that is proposed",
    dependencies=[require("registry:write")],
    response_model=ONE["clock-corrections"],
    responses={404: {"description": "no such terminal, or nothing is proposed for it"}},
)
async def accept_correction(
    request: Request,
    id: Annotated[str, Path(max_length=32)],
    kind: Annotated[ProposalKind, Query(description="of the notice that proposes it")] = "clock_wrong",
) -> Response:
    """What the notice of the terminal proposes is entered as a correction (`clock-corrections`): stored positions are read by it from then
    on, and the vehicles are judged again. What was received stays as it is. It can be changed or taken back like any other."""

    async def write(connection: Connection) -> dict[str, Any] | None:
        made = await proposals.accept(connection, _plain(id), kind)
        return None if made is None else await pages.get(connection, clock_corrections.LISTING, made.id)

    accepted = await written(request, "registry:write", write)
    if accepted is None:
        raise not_found(
            "没有这个终端，或没有建议的更正 · no such terminal, or nothing is proposed for it", id
        )
    return json_response(accepted)
