"""GET /v1/cases/{id}/documents/{kind} and GET /v1/alerts/{id}/picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.audited import noted, stated_purpose
from api.auth.scoped import scoped, subject_of
from api.cases.common import ANY, ItemId, actor_of
from api.cases.endpoints import NO_CASE
from api.documents.drawing import picture_of
from api.documents.papers import PAPER_NAMES, PaperKind, paper_of
from api.documents.rendering import BINARY, PDF, REFUSED, SVG, Inline, document, made, setter_of
from api.documents.setting import Drawn, drawn_of, known_of, set_paper
from api.errors import Problem, known, not_found
from api.http import MAX_ID
from office.supervision.cases import Thread
from office.supervision.commanding import seen
from rules.alerts.feed import evidence_of
from rules.alerts.feed import get_alert as stored_alert

router = APIRouter(prefix="/v1")
_NO_ALERT: Final = "没有这条预警 · no such alert"
AlertId = Annotated[str, Path(min_length=1, max_length=MAX_ID)]


@router.get(
    "/cases/{id}/documents/{kind}", summary="督办文书 / a paper of a case as PDF", tags=["documents"], response_class=Response,
    dependencies=[require("cases:read"), stated_purpose("cases:read")],
    responses={
        200: {"content": {PDF: BINARY}},
        400: REFUSED,
        409: {"description": "督办单的状态还没有这份文书 · the case has no such paper in its state"},
    },
)  # fmt: skip
async def paper(request: Request, id: ItemId, kind: PaperKind, inline: Inline = False) -> Response:
    """`order` 督办单, `reply` 回复单 (signed), `reminder` 催办通知书 (the newest), `extension` 延期审批单, `closing` 核销单, in the
    layout of GB/T 9704. Of the moment at which the step was taken; the same case gives the same bytes, and the ETag is their
    SHA-256. 409 says why there is none yet."""
    setter = await setter_of(request)
    issuer = request.app.state.settings.document_issuer
    async with scoped(request, *ANY) as connection:
        thread, _ = await seen(connection, actor_of(request), known(NO_CASE, id))
        found = await known_of(connection, thread, issuer)
        paper_of(kind, thread, found)  # what there is not is refused before anything is noted or drawn
        await noted(
            request, connection, "cases:read", "document", id, organisation=thread.case.organisation,
            vehicle=thread.case.contents.get("vehicle"), detail={"kind": kind, "version": thread.case.version},
        )  # fmt: skip

    async def prepare() -> Callable[[], bytes]:
        drawn = await _evidence(request, thread) if kind is PaperKind.ORDER else []
        return lambda: set_paper(setter, kind, thread, found, drawn)

    return document(
        await made(request.app.state.document_turns, prepare),
        PDF,
        f"{thread.case.number}{PAPER_NAMES[kind]}.pdf",
        inline=inline,
    )


async def _evidence(request: Request, thread: Thread) -> list[Drawn]:
    """What the alerts of the case were judged on when it was drafted. Who may read no alerts gets no picture."""
    if not subject_of(request).may("alerts:read"):
        return []
    async with scoped(request, "alerts:read", read_only=True) as connection:
        return await drawn_of(connection, thread)


@router.get(
    "/alerts/{id}/picture", summary="证据示意图 / the picture of an alert's evidence", tags=["alerts"], response_class=Response,
    dependencies=[require("alerts:read"), stated_purpose("alerts:read")],
    responses={200: {"content": {SVG: {"schema": {"type": "string"}}}}, 400: REFUSED},
)  # fmt: skip
async def picture(
    request: Request,
    id: AlertId,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="default: the newest")] = None,
) -> Response:
    """SVG, drawn from the frozen evidence alone: track (coloured by speed, dashed where it has gaps), fences, destination,
    station, route, scale. The same evidence gives the same bytes. 404 for an alert whose evidence has no track."""

    async def prepare() -> Callable[[], bytes]:
        async with scoped(request, "alerts:read") as connection:
            found = await evidence_of(connection, known(_NO_ALERT, id), version)
            held = None if found is None else await stored_alert(connection, id)
            if found is None or held is None:
                raise not_found("没有这条预警或这个版本 · no such alert or version", id)
            alert, number = held.alert, version or held.alert.version
            about = {"version": number, "sha256": found.sha256, "as": "picture"}
            await noted(
                request, connection, "alerts:read", "evidence", id,
                organisation=alert.organisation, vehicle=alert.vehicle, detail=about,
            )  # fmt: skip

        def work() -> bytes:
            drawn = picture_of(id, number, found.sha256, found.body)
            return b"" if drawn is None else drawn.svg.encode()

        return work

    body = await made(request.app.state.document_turns, prepare)
    if not body:
        raise Problem(404, "no-picture", "此类预警的证据没有轨迹，没有图；数字见 evidence · the evidence has no track to draw; see /evidence for its numbers")  # fmt: skip
    return document(body, SVG, f"{id}.svg")
