"""GET /v1/statistics/alerts: alerts by rule, unit, vehicle, driver, day, ...; GET /v1/alerts/counts: facets of the list."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from api.alerts.asked import AlertQuestion, opens, question, sees_cases, states_not_seen, with_times
from api.auth.access import require
from api.auth.scoped import scoped
from api.errors import Problem
from api.http import DEFAULT_PAGE, Cursor, Limit, json_response, make_cursor, read_cursor
from api.statistics.names import names_of_keys
from api.statistics.schemas import AlertFacets, AlertStatistics
from office.supervision.cases import now_of
from rules.alerts import counts
from rules.alerts.counts import By, Counts
from runtime.units import CHINA, from_us, midnight

READ: Final = "alerts:read"
router = APIRouter(prefix="/v1", dependencies=[require(READ)])
#: So long a time is counted at once, and so long where none is given.
MOST_DAYS: Final = 400
DEFAULT_DAYS: Final = 31
_MOST_FACETS: Final = 200
#: What the list cannot be asked for.
_OF_ONE: Final = frozenset(
    {"rule", "organisation", "vehicle", "driver", "severity", "status", "finding", "case_state"}
)


@router.get(
    "/alerts/counts", tags=["alerts"], summary="预警分面计数 / how many a list has, by each filter", response_model=AlertFacets
)  # fmt: skip
async def alert_facets(request: Request, asked: Annotated[AlertQuestion, Depends(question)]) -> Response:
    """Of the same filters as `GET /v1/alerts`: how many alerts the list has, and how many of them each value of a filter leaves. Of very
    long lists the 100,000 that began last are counted (`more`)."""
    async with scoped(request, READ, read_only=True) as connection:
        filters = await asked.filter(request, connection)
        now = await now_of(connection)
        found = await counts.facets(
            connection,
            filters,
            not_seen=states_not_seen(request),
        )
        units = _most(found.organisations)
        names = await names_of_keys(connection, "organisation", [unit for unit, _ in units])
    all_of = found.counts
    return json_response(
        {
            "count": all_of.alerts,
            "more": found.more,
            "masked": all_of.masked,
            "as_of": now,
            "rule": await _facets("rule", found.rules),
            "organisation": [{"key": key, "name": names.get(key), "count": n} for key, n in units],
            "severity": await _facets("severity", all_of.severities),
            "status": await _facets("status", found.statuses),
            "case_state": await _facets("case_state", all_of.cases) if sees_cases(request) else None,
            "finding": await _facets("finding", all_of.findings),
        }
    )


@router.get(
    "/statistics/alerts", tags=["statistics"], summary="预警统计 / alerts counted by one thing", response_model=AlertStatistics
)  # fmt: skip
async def alert_statistics(
    request: Request,
    asked: Annotated[AlertQuestion, Depends(question)],
    by: Annotated[By, Query(description="what they are counted by")] = "rule",
    order: Annotated[Literal["alerts", "key"], Query(description="by number or by key")] = "alerts",
    direction: Annotated[Literal["desc", "asc"], Query()] = "desc",
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
) -> Response:
    """What began within a time, as it stands now, by `by`, with the same filters as `GET /v1/alerts`. Here `from` and `to` say when an alert
    began, as in the monthly report (default: the last 31 days; at most 400); `began_from` and `began_to` say the same. Days and months
    are those of China. `opens` of each group is the list that has its alerts: `alerts` is the number of its items."""
    place = read_cursor("statistics", cursor, int)
    offset = place[0] if place else 0
    async with scoped(request, READ, read_only=True) as connection:
        now = await now_of(connection)
        since, until = _times(asked, now)
        asked = with_times(_without_from(asked), since, until)
        if by == "case_state" and not sees_cases(request):
            raise Problem(
                403, "missing-scope", "按督办状态统计须有权限 cases:read（读取督办） · by=case_state needs the permission cases:read"
            )  # fmt: skip
        filters = await asked.filter(request, connection)
        found = await counts.grouped(
            connection, filters, by, order=order, descending=direction == "desc", limit=limit, offset=offset,
            not_seen=states_not_seen(request),
        )  # fmt: skip
        names = await names_of_keys(
            connection, by, [group.key for group in found.groups if group.key is not None]
        )
    cases = sees_cases(request)
    items = [
        _shown(group.counts, cases)
        | {"key": group.key, "name": names.get(group.key or ""), "masked_group": group.masked}
        | _lists(asked, by, group.key, cases)
        for group in found.groups
    ]
    return json_response(
        {
            "by": by,
            "since": since,
            "until": until,
            "as_of": now,
            "of": found.of,
            "items": items,
            "next": make_cursor("statistics", offset + limit) if offset + limit < found.of else None,
            "totals": _shown(found.totals, cases),
            "opens": opens(asked),
        }
    )


def _times(asked: AlertQuestion, now: datetime) -> tuple[datetime, datetime]:
    """Within which time alerts began that are counted. Raises Problem 422 for one that is too long."""
    froms = [time for time in (asked.since, asked.began_from) if time is not None]
    tos = [time for time in (asked.until, asked.began_to) if time is not None]
    until = min(tos) if tos else midnight(now.astimezone(CHINA).date() + timedelta(days=1))
    since = max(froms) if froms else max(from_us(0), until - timedelta(days=DEFAULT_DAYS))
    if until <= since:
        raise Problem(422, "invalid-parameter", "to 须晚于 from · to must be after from")
    if until - since > timedelta(days=MOST_DAYS):
        raise Problem(
            422, "invalid-parameter", f"一次至多统计 {MOST_DAYS} 天，请缩短时间 · at most {MOST_DAYS} days at once; ask for less"
        )  # fmt: skip
    return since, until


def _without_from(asked: AlertQuestion) -> AlertQuestion:
    values = {name: getattr(asked, name) for name in asked.__slots__}
    return AlertQuestion(**values | {"since": None, "until": None})


def _lists(asked: AlertQuestion, by: By, key: str | None, cases: bool) -> dict[str, Any]:
    """The list of a group, and of those of it that are open."""
    if key is None:
        return {"opens": None, "opens_open": None}
    more: dict[str, Any] = {by: key} if by in _OF_ONE else _days(asked, key)
    open_more = more | {"case_state": "none", "status": "suspected"}
    fits = all(
        getattr(asked, name) in (None, value) and more.get(name, value) == value
        for name, value in (("case_state", "none"), ("status", "suspected"))
    )
    return {
        "opens": opens(asked, **more),
        "opens_open": opens(asked, **open_more) if cases and fits else None,
    }


def _days(asked: AlertQuestion, key: str) -> dict[str, datetime]:
    """The part of a day (2026-03-02) or a month (2026-03) that is counted."""
    first = datetime.fromisoformat(key if len(key) > len("2026-03") else f"{key}-01").date()
    day = timedelta(days=1)
    last = first + day if len(key) > len("2026-03") else (first + timedelta(days=32)).replace(day=1)
    since, until = midnight(first), midnight(last)
    return {
        "began_from": max(since, asked.began_from or since),
        "began_to": min(until, asked.began_to or until),
    }


def _shown(found: Counts, cases: bool) -> dict[str, Any]:
    return {
        "alerts": found.alerts,
        "withdrawn": found.withdrawn,
        "masked": found.masked,
        "open": found.open if cases else None,
        "severities": dict(found.severities),
        "cases": dict(found.cases) if cases else None,
        "findings": dict(found.findings),
    }


def _most(found: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))[:_MOST_FACETS]


async def _facets(by: By, found: dict[str, int]) -> list[dict[str, Any]]:
    names = await names_of_keys(None, by, list(found))
    return [{"key": key, "name": names.get(key), "count": n} for key, n in _most(found)]
