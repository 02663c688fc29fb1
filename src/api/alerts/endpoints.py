"""GET /v1/alerts: feed, list, one, evidence."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import shapely
from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from api.alerts.answering import disposition_body, receipt_body
from api.alerts.asked import AlertQuestion, question
from api.alerts.evidence import feature_collection
from api.alerts.waiting import (
    Organisations,
    Rules,
    Severities,
    Statuses,
    Wait,
    page_response,
    wait_for_part,
    wanted_of,
    wants_cloud_events,
)
from api.answers import AlertPage, AlertWithVersions, ListedAlertPage
from api.auth.access import require
from api.auth.audited import noted, stated_purpose
from api.auth.scoped import reach_of, scoped
from api.errors import Problem, known, not_found
from api.http import (
    DEFAULT_PAGE,
    MAX_ID,
    Cursor,
    Limit,
    json_response,
    make_cursor,
    read_cursor,
    rfc3339,
)
from office.identity.scope import few_units, in_order
from office.subscriptions.answers import dispositions_of, receipts_of
from office.subscriptions.events import BATCH
from office.supervision.findings import labels_of
from rules.alerts.feed import alert_versions, evidence_of
from rules.alerts.feed import get_alert as stored_alert
from rules.alerts.listing import NEWEST, By, Order, Place, many_units, page_of_alerts
from rules.alerts.model import VersionedAlert
from rules.alerts.reminders import of_alert
from rules.evidence import EvidenceError, parse
from runtime.connection import Connection

router = APIRouter(prefix="/v1/alerts", tags=["alerts"], dependencies=[require("alerts:read")])


_NONE: Final = "没有这条预警 · no such alert"
AlertId = Annotated[str, Path(min_length=1, max_length=MAX_ID)]
_EVIDENCE_TYPES: Final = ("application/geo+json", "application/json")


@router.get(
    "/feed",
    summary="预警流 / the ordered feed of alerts",
    response_model=AlertPage,
    responses={200: {"content": {BATCH: {"schema": {"type": "array", "items": {"type": "object"}}}}}},
)
async def feed(
    request: Request,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    wait: Wait = 0,
    organisation: Organisations = None,
    rule: Rules = None,
    severity: Severities = None,
    status: Statuses = None,
) -> Response:
    """Every version of every alert, in the order of commits: new ones, corrections, withdrawals.

    Without `cursor` from the beginning. Keep `next` and ask again with it: a reader that does so misses
    nothing (and may see an entry twice after a crash of its own: `id` and `version` identify it). A page
    without items returns the place up to which there was nothing for this reader.
    """
    place = read_cursor("feed", cursor, int)
    wanted = wanted_of(organisation, rule, severity, status)
    part = await wait_for_part(request, place[0] if place else 0, limit, wanted, wait)
    return page_response(request, part, wants_cloud_events(request, None))


@router.get("", summary="预警列表 / alerts by filter, in an order", response_model=ListedAlertPage)
async def list_alerts(
    request: Request,
    asked: Annotated[AlertQuestion, Depends(question)],
    order: Annotated[
        By,
        Query(description="time of the detection, time of the event, or severity (the newest of each first)"),
    ] = "detected",
    direction: Annotated[
        Literal["desc", "asc"], Query(description="desc: newest, or most severe, first")
    ] = "desc",
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
) -> Response:
    """The newest version of each alert. `next` is null on the last page; a page of `unread=true` may have few items, or none, and others
    behind it. A cursor belongs to its order.

    `case_state=none&status=suspected` is the list of what nobody has taken up yet. Who answers for a unit sees cases from
    their issue on: for him an alert in a draft is in no case. An alert is as old as the time since it was detected:
    `detected_to` asks for the old ones. `unread` of an item: you have not read this version; null: its content is not shown to you.
    `GET /v1/alerts/counts` counts by the same filters.
    """
    wanted = Order(order, direction == "asc")
    if order == "occurred" and (asked.detected_from or asked.detected_to):
        detail = (
            "按发生时间排序时请用 began_from、began_to 限定时间，不能用 detected_from、detected_to"
            " · order=occurred goes with began_from and began_to, not with detected_from and detected_to"
        )
        raise Problem(
            422, "invalid-parameter", detail, errors=[{"pointer": "/query/order", "message": detail}]
        )
    after = _after(wanted, cursor)
    async with scoped(request, "alerts:read", read_only=True) as connection:
        filters = await asked.filter(request, connection)
        units = await few_units(connection, reach_of(request, "alerts:read", read_only=True))
        async with in_order(connection, many_units(filters)):
            page = await page_of_alerts(
                connection, filters, limit=limit, order=wanted, after=after, units=units
            )
    items = [one.alert.body() | {"unread": one.unread} for one in page.alerts]
    return json_response({"items": items, "next": page.next and _cursor(wanted, page.next)})


def _name(order: Order) -> str:
    return f"alerts:{order.by}:{'asc' if order.ascending else 'desc'}"


def _after(order: Order, cursor: str | None) -> Place | None:
    """The place that ``cursor`` says. That of the usual order is written as it always was: clients keep them."""
    if order == NEWEST:
        place = read_cursor("alerts", cursor, int, str)
        return None if place is None else Place(0, place[0], place[1])
    place = read_cursor(_name(order), cursor, int, int, str)
    return None if place is None else Place(*place)


def _cursor(order: Order, place: Place) -> str:
    if order == NEWEST:
        return make_cursor("alerts", place.at_us, place.id)
    return make_cursor(_name(order), place.part, place.at_us, place.id)


@router.get(
    "/{id}", summary="一条预警及其各版本 / one alert with its versions", response_model=AlertWithVersions
)
async def get_alert(request: Request, id: AlertId) -> Response:
    """The alert as it stands, and `versions`, oldest first (of more than 1,000 the newest 1,000; the feed has all)."""
    async with scoped(request, "alerts:read", read_only=True) as connection:
        versions = await alert_versions(connection, known(_NONE, id))
        receipts = await receipts_of(connection, id)
        dispositions = await dispositions_of(connection, id)
        labels = await labels_of(connection, [id])
        told = await _reminders(connection, versions)
    if not versions:
        raise not_found(_NONE, id)
    body = versions[-1].alert.body() | {
        "versions": [_version(one) for one in versions],
        "receipts": [receipt_body(one) for one in receipts],
        "dispositions": [disposition_body(one) for one in dispositions],
        "labels": labels.get(id, []),
        "reminders": told,
    }
    return json_response(body)


async def _reminders(connection: Connection, versions: Sequence[VersionedAlert]) -> list[dict[str, Any]]:
    """What the driver was told while what the alert is about went on."""
    return await of_alert(connection, versions[-1].alert) if versions else []


def _version(one: VersionedAlert) -> dict[str, Any]:
    return one.alert.body() | {"written_at": rfc3339(one.written_at)}


@router.get(
    "/{id}/evidence",
    summary="证据 / the evidence of an alert",
    dependencies=[stated_purpose("alerts:read")],
    response_class=Response,
    responses={200: {"content": {kind: {"schema": {"type": "object"}} for kind in _EVIDENCE_TYPES}}},
)
async def evidence(
    request: Request,
    id: AlertId,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="default: the newest")] = None,
    raw: Annotated[bool, Query(description="the frozen body, byte for byte")] = False,
) -> Response:
    """What the alert was judged on, as GeoJSON: track, fences, destination, station, circle, route; the rest as `facts`.

    `?raw=true`, or `Accept: application/json`, gives the frozen body itself: its SHA-256 is the alert's
    `evidence_hash` and the ETag, its SM3 (国密) is `evidence_sm3`.
    """
    async with scoped(request, "alerts:read") as connection:
        found = await evidence_of(connection, known(_NONE, id), version)
        held = None if found is None else await stored_alert(connection, id)
        if found is not None and held is not None:
            told = held.alert
            about = {"version": version or told.version, "sha256": found.sha256}
            await noted(
                request, connection, "alerts:read", "evidence", id,
                organisation=told.organisation, vehicle=told.vehicle, detail=about,
            )  # fmt: skip
    if found is None or held is None:
        raise not_found("没有这条预警或这个版本 · no such alert or version", id)
    headers = {"ETag": f'"{found.sha256}"', "X-Evidence-SHA256": found.sha256, "Vary": "Accept"}
    if found.sm3 is not None:
        headers["X-Evidence-SM3"] = found.sm3
    accept = request.headers.get("accept", "*/*").lower()
    wants_json = "application/json" in accept and "geo+json" not in accept and "*/*" not in accept
    if raw or wants_json:
        return Response(found.body, headers=headers, media_type="application/json")
    number = version or held.alert.version
    try:
        collection = await asyncio.to_thread(
            feature_collection, id, number, found.sha256, parse(found.body), found.sm3
        )
    except (EvidenceError, KeyError, TypeError, ValueError, shapely.errors.ShapelyError):
        raise Problem(
            406, "not-geojson", "此证据没有图形，请用 raw=true · no geometry; use raw=true"
        ) from None
    headers["ETag"] = f'"{found.sha256}-geojson-{number}"'
    response = json_response(collection, headers=headers)
    response.headers["Content-Type"] = "application/geo+json"
    return response
