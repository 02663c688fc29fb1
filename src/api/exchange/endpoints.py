"""/v1/exchange: for instances below (hand in, pull), and for people: what came from others, how it stands, notices."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.audited import noted, stated_purpose
from api.auth.scoped import reach_of, scoped, subject_of
from api.bodies import body_of, read_model
from api.errors import Problem, not_found
from api.exchange.schemas import (
    BatchResult,
    DownPage,
    ExchangeBatch,
    NoticeBody,
    NoticePage,
    NoticeShown,
    Peers,
    PeerState,
    ReceivedPage,
    ReceivedRecord,
    RecordCounts,
    RefusalPage,
)
from api.http import (
    DEFAULT_PAGE,
    MAX_ID,
    PLAIN,
    Cursor,
    Limit,
    QueryTime,
    json_response,
    make_cursor,
    next_moment,
    read_cursor,
    refuse_controls,
)
from office.exchange import downward, incoming, listing, status
from office.exchange.downward import Place
from office.exchange.kinds import KINDS, NAME_PATTERN
from office.exchange.listing import RecordFilter
from office.exchange.peers import Peer, all_peers, find_peer, own_name, peer_of_client
from office.exchange.records import json_of
from office.identity.scope import few_units
from office.identity.subject import Kind
from runtime.connection import Connection
from runtime.units import from_us, to_us

PEER, READ, PUBLISH = "exchange:peer", "exchange:read", "cases:issue"
router = APIRouter(prefix="/v1/exchange", tags=["exchange"])
_peers, _reads = [require(PEER)], [require(READ)]
#: What is read of persons is noted.
_reads_records = [require(READ), stated_purpose(READ)]

#: What an office above tells all below it: seen by more than whose it is.
_FOR_ALL: Final = frozenset({"notice", "code"})
#: Records of a page that is pulled.
_MOST_DOWN: Final = 200
PeerName = Annotated[str, Path(pattern=NAME_PATTERN)]
Plain = Annotated[str | None, Query(min_length=1, max_length=MAX_ID, json_schema_extra=PLAIN)]
KindName = Annotated[str | None, Query(json_schema_extra={"enum": list(KINDS)}, description=", ".join(KINDS))]
Origin = Annotated[str | None, Query(pattern=NAME_PATTERN, description="the instance that it comes from")]


async def _peer(request: Request, connection: Connection) -> Peer:
    """The peer below that the caller is. Raises Problem 403."""
    subject = subject_of(request)
    roots = subject.reach(PEER)
    peer = await peer_of_client(connection, subject.id) if subject.kind is Kind.CLIENT else None
    if peer is None or roots is None or len(roots) != 1:
        raise Problem(
            403, "not-a-peer",
            "该客户端未登记为下级平台，请上级管理员执行 gongche exchange peer · this client is no peer of ours; the operator of this"
            " instance adds it by gongche exchange peer",
        )  # fmt: skip
    return replace(peer, organisation=next(iter(roots)))


@router.post(
    "/records",
    summary="下级平台上报 / records of an instance below",
    response_model=BatchResult,
    openapi_extra=body_of(ExchangeBatch),
    dependencies=_peers,
)
async def hand_in(request: Request) -> Response:
    """Idempotent: the same again changes nothing. Each record is looked at by itself; one that is refused keeps back no other. The
    answer goes out when everything that it does not refuse is durable. 429: another batch of this peer is being taken."""
    body = await read_model(request, ExchangeBatch)
    async with scoped(request, PEER) as connection:
        peer = await _peer(request, connection)
        if body.source != peer.name:
            raise Problem(
                403,
                "not-a-peer",
                f"本平台登记您为 {peer.name} · this instance knows you as {peer.name}: gongche exchange name",
            )
        if not await incoming.lock_peer(connection, peer.name):
            detail = "上一批仍在处理，请稍后重试 · another batch of yours is being taken; again later"
            raise Problem(429, "busy", detail, headers={"Retry-After": "1"})
        outcomes = await incoming.take(connection, peer, body.records)
        said = {kind: (one.confirmed, one.waiting) for kind, one in body.stands.items()}
        await incoming.note_stands(connection, peer.name, said)
    return json_response({"results": outcomes})


@router.get(
    "/down", summary="下级平台拉取 / supervision orders, notices and codes for an instance below", response_model=DownPage,
    dependencies=_peers,
)  # fmt: skip
async def pull(
    request: Request,
    cursor: Cursor = None,
    most: Annotated[int, Query(ge=1, le=_MOST_DOWN, description="records at once, about")] = 100,
) -> Response:
    """Supervision orders that were issued to units of the caller, notices, codes: everything first, then what changes."""
    found = read_cursor("exchange-down", cursor, int, int, int, str)
    place = None if found is None else Place(*found)
    if place is not None and (
        place.phase > downward.RECEIVED
        or (place.phase == downward.RECEIVED and not place.after.isdecimal() and place.after)
    ):
        raise Problem(400, "bad-cursor", "游标无效 · the cursor is not one of this list")
    async with scoped(request, PEER, read_only=True) as connection:
        await _peer(request, connection)
        source = await own_name(connection) or ""
        page = await downward.page(connection, place, most)
    records = [json_of(one, source) for one in page.records]
    return json_response(
        {"records": records, "cursor": make_cursor("exchange-down", *page.place), "more": page.more}
    )


def _filter(
    kind: str | None,
    origin: str | None,
    organisation: str | None,
    state: str | None,
    since: Any,
    until: Any,
    gone: bool,
) -> RecordFilter:
    refuse_controls(kind, organisation, state)
    if kind is not None and kind not in KINDS:
        raise Problem(
            422, "invalid-parameter", f"没有这种记录 · no such kind; one of {', '.join(KINDS)}",
            errors=[{"pointer": "/query/kind", "message": "没有这种记录 · no such kind"}],
        )  # fmt: skip
    return RecordFilter(kind, origin, organisation, state, since, until, gone)


Since = Annotated[QueryTime | None, Query(alias="from", description="happened at or after")]
Until = Annotated[QueryTime | None, Query(alias="to", description="happened before")]
Gone = Annotated[bool, Query(description="with records that their origin took back")]


@router.get(
    "/records", summary="汇聚数据 / what came from other instances, newest first", response_model=ReceivedPage,
    dependencies=_reads_records,
)  # fmt: skip
async def list_records(
    request: Request,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    kind: KindName = "alert",
    origin: Origin = None,
    organisation: Plain = None,
    status: Plain = None,
    since: Since = None,
    until: Until = None,
    gone: Gone = False,
) -> Response:
    """`kind=alert`: the alerts of all counties in one list, the newest first; `kind=case&status=working`: their open supervision
    orders. What is here was judged where it came from, and is not judged again."""
    wanted = _filter(kind, origin, organisation, status, since, until, gone)
    place = read_cursor("exchange-records", cursor, int, int)
    async with scoped(request, READ) as connection:
        after = None if place is None else (from_us(place[0]), place[1])
        few = None if wanted.kind in _FOR_ALL else await few_units(connection, reach_of(request, READ))
        found = await listing.list_records(connection, wanted, limit=limit, after=after, units=few)
        await noted(
            request,
            connection,
            READ,
            "exchange-records",
            organisation=organisation,
            detail={"kind": kind, "origin": origin},
        )
    following = None
    if len(found) == limit:
        following = make_cursor("exchange-records", to_us(found[-1]["happened_at"]), found[-1]["no"])
    return json_response({"items": found, "next": following})


@router.get(
    "/counts",
    summary="汇聚数据统计 / numbers by origin, kind and status",
    response_model=RecordCounts,
    dependencies=_reads,
)
async def count_records(
    request: Request,
    kind: KindName = None,
    origin: Origin = None,
    organisation: Plain = None,
    since: Since = None,
    until: Until = None,
) -> Response:
    """Of what the caller reaches."""
    wanted = _filter(kind, origin, organisation, None, since, until, False)
    async with scoped(request, READ, read_only=True) as connection:
        found = await listing.count_records(connection, wanted)
    return json_response({"items": found})


@router.get(
    "/records/{no}",
    summary="一条汇聚数据 / one record",
    response_model=ReceivedRecord,
    dependencies=_reads_records,
)
async def get_record(request: Request, no: Annotated[int, Path(ge=1, le=2**62)]) -> Response:
    """With its content."""
    async with scoped(request, READ) as connection:
        found = await listing.get_record(connection, no)
        if found is None:
            raise not_found("没有这条记录 · no such record", str(no))
        await noted(
            request, connection, READ, "exchange-records", f"{found['origin']}/{found['kind']}/{found['id']}",
            organisation=found["organisation"],
        )  # fmt: skip
    return json_response(found)


def _shown(peer: Peer, state: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": peer.name, "direction": peer.direction, "organisation": peer.organisation, "enabled": peer.enabled,
        "units": peer.units, "kinds": peer.kinds, "error": state.get("last_error"),
    }  # fmt: skip


@router.get(
    "/peers",
    summary="互联平台 / the instances that we exchange with",
    response_model=Peers,
    dependencies=_reads,
)
async def list_peers(request: Request) -> Response:
    """They are made by the operator: `gongche exchange peer`."""
    async with scoped(request, READ, read_only=True) as connection:
        found = [
            _shown(peer, await status.overview(connection, peer.name)) for peer in await all_peers(connection)
        ]
    return json_response({"items": found})


async def _seen(connection: Connection, name: str) -> Peer:
    peer = await find_peer(connection, name)
    if peer is None:
        raise not_found("没有这个互联平台 · no such peer", name)
    return peer


@router.get(
    "/peers/{name}",
    summary="互联状态 / how the exchange with a peer stands",
    response_model=PeerState,
    dependencies=_reads,
)
async def get_peer(request: Request, name: PeerName) -> Response:
    """By kind: what was sent, confirmed and refused, what waits and for how long; what arrived, and gaps."""
    async with scoped(request, READ, read_only=True) as connection:
        peer = await _seen(connection, name)
        state = await status.overview(connection, name)
        outgoing = await status.outgoing(connection, name)
        arrived = await status.arrivals(connection, name)
    more = {at: state.get(at) for at in ("last_ok_at", "last_error_at", "retry_at", "pulled_at")}
    return json_response(
        _shown(peer, state)
        | more
        | {"snapshot": state.get("snapshot_kind"), "outgoing": outgoing, "arrived": arrived}
    )


@router.get(
    "/peers/{name}/refusals", summary="被拒记录 / dead letters of a peer, oldest first", response_model=RefusalPage,
    dependencies=_reads,
)  # fmt: skip
async def list_refusals(
    request: Request, name: PeerName, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE
) -> Response:
    """Each with the reason that the peer gave. Put it right, or send it again: `gongche exchange resend`."""
    place = read_cursor("exchange-refusals", cursor, int, str, str, str)
    async with scoped(request, READ, read_only=True) as connection:
        await _seen(connection, name)
        after = None if place is None else (from_us(place[0]), place[1], place[2], place[3])
        found = await status.refusals(connection, name, limit, after)
    following = None
    if len(found) == limit:
        last = found[-1]
        following = make_cursor(
            "exchange-refusals", to_us(last["refused_at"]), last["kind"], last["origin"], last["id"]
        )
    return json_response({"items": found, "next": following})


@router.post(
    "/notices",
    summary="发布通知 / publish a notice to units below",
    response_model=NoticeShown,
    openapi_extra=body_of(NoticeBody),
    dependencies=[require(PUBLISH)],
)
async def publish_notice(request: Request) -> Response:
    """Instances below pull it. A notice that was published is not changed: publish another one."""
    body = await read_model(request, NoticeBody)
    async with scoped(request, PUBLISH) as connection:
        by = subject_of(request).name
        found = await listing.publish_notice(
            connection, body.id, body.organisation, body.title, body.body, by
        )
    if not found or (found["organisation"], found["title"], found["body"]) != (
        body.organisation,
        body.title,
        body.body,
    ):
        raise Problem(409, "conflict", "该编号已用于另一通知 · another notice has this id")
    return json_response(found)


@router.get(
    "/notices",
    summary="本级通知 / notices of this instance, newest first",
    response_model=NoticePage,
    dependencies=_reads,
)
async def list_notices(request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE) -> Response:
    """Those of the caller's units and of the units above them. Notices of the office above: `records?kind=notice`."""
    place = read_cursor("exchange-notices", cursor, int, str)
    async with scoped(request, READ, read_only=True) as connection:
        after = None if place is None else (from_us(place[0]), place[1])
        found = await listing.list_notices(connection, limit, after)
    following = next_moment("exchange-notices", found, limit, "published_at")
    return json_response({"items": found, "next": following})
