"""Receipts and dispositions: the inspection system confirms alerts and says what became of them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import Field, StringConstraints

from api.answers import (
    DispositionCode,
    DispositionCodes,
    DispositionShown,
    ReceiptShown,
    UnconfirmedPage,
)
from api.auth.access import require
from api.auth.scoped import scoped, subject_of
from api.bodies import Body, body_of, read_model
from api.errors import Problem, known, not_found
from api.http import (
    DEFAULT_PAGE,
    MAX_ID,
    PLAIN_PATTERN,
    Cursor,
    Limit,
    json_response,
    make_cursor,
    read_cursor,
)
from office.subscriptions import answers
from office.subscriptions.answers import Disposition, Receipt
from office.subscriptions.reach import visible_units
from rules.alerts.feed import alert_version
from rules.alerts.feed import get_alert as stored_alert
from rules.alerts.model import Alert
from runtime.units import to_us

READ, WRITE = "alerts:read", "dispositions:write"
router = APIRouter(tags=["alerts"])
reads, writes = [require(READ)], [require(WRITE)]

AlertId = Annotated[str, Path(min_length=1, max_length=MAX_ID)]
CodeName = Annotated[str, Path(pattern="^[a-z][a-z0-9_]{0,62}$")]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]
Person = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=PLAIN_PATTERN, strip_whitespace=True)
]


class ReceiptBody(Body):
    """`version`: the one that was received. `received_by`: the person or the system that took it."""

    version: Version
    received_by: Person


class DispositionBody(Body):
    """`id`: chosen by the sender; the same one again is the same disposition. `code`: one of `GET /v1/disposition-codes`.
    `version`: of the alert that was looked at; null = the newest."""

    id: Annotated[str, StringConstraints(pattern="^[A-Za-z0-9._:-]{1,64}$")]
    code: Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]{0,62}$")]
    note: Annotated[
        str, StringConstraints(max_length=2000, pattern=r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]*$")
    ] = ""
    decided_by: Person
    version: Version | None = None


class CodeBody(Body):
    """A code of the list, in Chinese and in English. `revision`: of the one that you saw, 0 = there was none."""

    zh: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=PLAIN_PATTERN)]
    en: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=PLAIN_PATTERN)]
    active: bool = True
    revision: int = Field(ge=0, le=2**31 - 2, strict=True)


async def _alert(connection: Any, request: Request, id: str, version: int | None) -> Alert:
    """A version (None = the newest) of an alert that the caller may answer. Raises Problem 404."""
    held = await stored_alert(connection, known("没有这条预警 · no such alert", id))
    units = await visible_units(connection, request.state.subject, WRITE)
    if held is None or (units is not None and held.alert.organisation not in units):
        raise not_found("没有这条预警 · no such alert", id)
    if version is None or version == held.alert.version:
        return held.alert
    found = await alert_version(connection, id, version)
    if found is None:
        message = f"这条预警没有版本 {version} · the alert has no version {version}"
        raise Problem(422, "no-such-version", message, errors=[{"pointer": "/version", "message": message}])
    return found


def receipt_body(one: Receipt) -> dict[str, Any]:
    """A receipt as it is shown."""
    return {
        "version": one.version,
        "received_by": one.received_by,
        "subject": one.subject,
        "received_at": one.received_at,
    }


def disposition_body(one: Disposition) -> dict[str, Any]:
    """A disposition as it is shown."""
    return {
        "id": one.id,
        "version": one.version,
        "code": one.code,
        "zh": one.zh,
        "en": one.en,
        "note": one.note,
        "decided_by": one.decided_by,
        "subject": one.subject,
        "recorded_at": one.recorded_at,
    }


@router.put(
    "/v1/alerts/{id}/receipt",
    summary="确认收到 / confirm that a version was received",
    response_model=ReceiptShown,
    responses={201: {"model": ReceiptShown}},
    openapi_extra=body_of(ReceiptBody),
    dependencies=writes,
)
async def put_receipt(request: Request, id: AlertId) -> Response:
    """Again for the same version it changes nothing: the first receipt stands."""
    body = await read_model(request, ReceiptBody)
    async with scoped(request, WRITE) as connection:
        alert = await _alert(connection, request, id, body.version)
        receipt, is_new = await answers.put_receipt(
            connection, request.state.subject, alert, body.version, body.received_by
        )
    return json_response(receipt_body(receipt), 201 if is_new else 200)


@router.post(
    "/v1/alerts/{id}/dispositions",
    summary="回传处置 / say what became of an alert",
    response_model=DispositionShown,
    status_code=201,
    responses={
        200: {"model": DispositionShown},
        409: {"description": "同一 id 内容不同 · another disposition has this id"},
    },
    openapi_extra=body_of(DispositionBody),
    dependencies=writes,
)
async def add_disposition(request: Request, id: AlertId) -> Response:
    """A disposition is never changed: a later one follows it. The same `id` with the same content again answers 200."""
    body = await read_model(request, DispositionBody)
    async with scoped(request, WRITE) as connection:
        alert = await _alert(connection, request, id, body.version)
        known = {one.code: one for one in await answers.codes(connection)}
        if body.code not in known or not known[body.code].active:
            listed = "、".join(f"{one.code} {one.zh}" for one in known.values() if one.active)
            message = f"处置须为以下之一：{listed} · no such disposition; see GET /v1/disposition-codes"
            raise Problem(
                422, "no-such-disposition", message, errors=[{"pointer": "/code", "message": message}]
            )
        made, is_new = await answers.add_disposition(
            connection,
            request.state.subject,
            alert,
            body.id,
            alert.version,
            body.code,
            body.note,
            body.decided_by,
        )
    same = (made.code, made.note, made.decided_by) == (body.code, body.note, body.decided_by)
    if not is_new and (not same or body.version not in (None, made.version)):
        detail = "此 id 已用于另一条处置，请换用新的 id · another disposition has this id; use a new one"
        raise Problem(409, "disposition-exists", detail, errors=[{"pointer": "/id", "message": detail}])
    return json_response(disposition_body(made), 201 if is_new else 200)


@router.get(
    "/v1/alerts/unconfirmed",
    summary="逾时未确认的预警 / alerts that nobody has confirmed",
    response_model=UnconfirmedPage,
    dependencies=reads,
)
async def unconfirmed(
    request: Request,
    hours: Annotated[float, Query(ge=0, le=10_000, description="written more than so many hours ago")] = 24,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
) -> Response:
    """Those whose newest version has no receipt, the oldest first."""
    place = read_cursor("unconfirmed", cursor, int, str)
    async with scoped(request, READ, read_only=True) as connection:
        units = await visible_units(connection, request.state.subject, READ)
        after = None if place is None else (place[0], place[1])
        found = await answers.unconfirmed(connection, units, hours, limit, after)
    following = None
    if len(found) == limit:
        following = make_cursor("unconfirmed", to_us(found[-1].written_at), found[-1].alert_id)
    items = [Alert.from_body(one.body).body() | {"written_at": one.written_at} for one in found]
    return json_response({"items": items, "next": following})


@router.get(
    "/v1/disposition-codes",
    summary="处置方式 / what a disposition may be",
    response_model=DispositionCodes,
    dependencies=reads,
)
async def list_codes(request: Request) -> Response:
    """Those that are not active are not taken any more, and stay with the alerts that have them."""
    async with scoped(request, READ, read_only=True) as connection:
        found = await answers.codes(connection)
    return json_response({"items": [_code(one) for one in found]})


@router.put(
    "/v1/disposition-codes/{code}",
    summary="增加或修改处置方式 / add a disposition, or change its words",
    response_model=DispositionCode,
    responses={201: {"model": DispositionCode}},
    openapi_extra=body_of(CodeBody),
    dependencies=writes,
)
async def put_code(request: Request, code: CodeName) -> Response:
    """It cannot be deleted; `active: false` takes it out of use. One list for all units: who has the right in some units only reads it
    (403). 409 with the present `revision` when somebody else has changed it."""
    body = await read_model(request, CodeBody)
    if subject_of(request).reach(WRITE) is not None:
        detail = (
            "处置方式由各单位共用，须由权限覆盖全部单位的人员修改，请联系市级纪检监察人员"
            " · the dispositions are shared by all units: only who holds the right for all units may change them; ask such a person"
        )
        raise Problem(403, "out-of-scope", detail)
    async with scoped(request, WRITE) as connection:
        made, is_new = await answers.put_code(connection, code, body.zh, body.en, body.active, body.revision)
    return json_response(_code(made), 201 if is_new else 200)


def _code(one: answers.Code) -> dict[str, Any]:
    return {
        "code": one.code,
        "zh": one.zh,
        "en": one.en,
        "active": one.active,
        "updated_at": one.updated_at,
        "revision": one.revision,
    }
