"""GET /v1/statistics/cockpit: all of a wall screen in one answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.alerts.asked import AlertQuestion, opens, sees_cases, states_not_seen
from api.auth.access import require
from api.auth.scoped import scoped, subject_of
from api.cases.common import actor_of
from api.http import json_response, rfc3339, utc_now
from api.statistics.fleet import READ as TRACKS
from api.statistics.fleet import SILENT_DAYS, SilentDays, opens_fleet, standings_of
from api.statistics.names import names_of_keys
from api.statistics.quality import PERMISSIONS, quality_items
from api.statistics.recent import rights_of
from api.statistics.schemas import Cockpit
from office.statistics import fleet
from office.supervision import listing
from office.supervision.cases import now_of
from office.supervision.states import STATE_NAMES
from rules.alerts import counts
from rules.alerts.counts import Grouped
from runtime.units import CHINA, midnight

router = APIRouter(prefix="/v1/statistics", tags=["statistics"])
#: Alerts of so many days, and so many units by name.
_DAYS: Final = 7
_UNITS: Final = 10
#: Ages of cases in days: up to 3, 3 to 7, ...
_AGES: Final = (3, 7, 15, 30)
_DAY: Final = timedelta(days=1)


@router.get(
    "/cockpit", summary="驾驶舱 / all of a wall screen", response_model=Cockpit, dependencies=[require(*PERMISSIONS)]
)  # fmt: skip
async def cockpit(request: Request, silent_days: SilentDays = SILENT_DAYS) -> Response:
    """Every number with the list that shows what was counted. Answers are kept for a few seconds (`as_of`) and shared by all who may see the
    same: ask as often as every five seconds."""
    key = ("cockpit", silent_days, rights_of(subject_of(request)))
    return json_response(await request.app.state.recent.get(key, lambda: _made(request, silent_days)))


async def _made(request: Request, silent_days: int) -> dict[str, Any]:
    subject, as_of = subject_of(request), utc_now()
    found: dict[str, Any] = dict.fromkeys(("fleet", "trips", "alerts", "cases"))
    if subject.may(TRACKS):
        found |= await _fleet(request, silent_days)
    if subject.may("alerts:read"):
        found["alerts"] = await _alerts(request)
    if subject.may("cases:read"):
        found["cases"] = await _cases(request)
    return {"as_of": as_of} | found | {"quality": await quality_items(request)}


async def _fleet(request: Request, silent_days: int) -> dict[str, Any]:
    async with scoped(request, TRACKS, read_only=True) as connection:
        standings, now = await standings_of(connection, silent_days)
        secret = await fleet.hidden_vehicles(connection)
        today = now.astimezone(CHINA).date()
        since, until = midnight(today), midnight(today + _DAY)
        trips = await fleet.trips(connection, since, until)
    numbers = {
        "vehicles" if name == "service" else name: {"count": n, "opens": opens_fleet(name, silent_days)}
        for name, n in standings.items()
    }
    # The registry's lists are for who may read it.
    reads = subject_of(request).may("registry:read")
    day = {"departed_from": rfc3339(since), "departed_to": rfc3339(until)}

    def orders(count: int, **query: str) -> dict[str, Any]:
        return {"count": count, "opens": {"path": "/v1/dispatch-orders", "query": query} if reads else None}

    return {
        "fleet": numbers | {"secret": {"count": secret, "opens": None}, "silent_days": silent_days},
        "trips": {
            "day": today,
            "departed": orders(trips["departed"], **day),
            "returned": orders(trips["returned"], **day, status="returned"),
            "overdue": orders(trips["overdue"], overdue="true"),
            "mileage_m": trips["mileage_m"],
        },
    }


async def _alerts(request: Request) -> dict[str, Any]:
    """One count of the seven days by day, one by rule, one by unit."""
    async with scoped(request, "alerts:read", read_only=True) as connection:
        today = (await now_of(connection)).astimezone(CHINA).date()
        until = midnight(today + _DAY)
        days = AlertQuestion(began_from=midnight(today - (_DAYS - 1) * _DAY), began_to=until)
        wanted = await days.filter(request, connection)
        not_seen = states_not_seen(request)

        async def by(what: counts.By, limit: int) -> Grouped:
            return await counts.grouped(connection, wanted, what, limit=limit, not_seen=not_seen)

        by_day, by_rule, by_unit = (
            await by("day", _DAYS),
            await by("rule", 100),
            await by("organisation", _UNITS),
        )
        names = await names_of_keys(connection, "organisation", [str(group.key) for group in by_unit.groups])
    rules = await names_of_keys(None, "rule", ())
    now = next((group.counts.alerts for group in by_day.groups if group.key == today.isoformat()), 0)
    totals = by_rule.totals
    shown_open = {"count": totals.open, "opens": opens(days, case_state="none", status="suspected")}
    return {
        "today": {"count": now, "opens": opens(AlertQuestion(began_from=midnight(today), began_to=until))},
        "days": {"count": totals.alerts, "opens": opens(days)},
        "open": shown_open if sees_cases(request) else None,
        "by_rule": [
            {
                "rule": group.key, "name": rules.get(str(group.key), group.key), "count": group.counts.alerts,
                "opens": opens(days, rule=group.key),
            }
            for group in by_rule.groups
        ],
        "by_unit": [
            {
                "organisation": group.key, "name": names.get(str(group.key)), "count": group.counts.alerts,
                "opens": opens(days, organisation=group.key),
            }
            for group in by_unit.groups
        ],
        "units": by_unit.of,
    }  # fmt: skip


async def _cases(request: Request) -> dict[str, Any]:
    actor = actor_of(request)
    async with scoped(request, "cases:read", read_only=True) as connection:
        now = await now_of(connection)
        bounds = [now - days * _DAY for days in _AGES]
        ages = await listing.count_open(connection, actor, bounds)
        colours = (await listing.count_cases(connection, actor, listing.CaseFilter()))["colours"]
    states = [
        {
            "state": state, "name": STATE_NAMES[state], "count": sum(parts), "opens": _opens_cases(state=state),
            "ages": [_age(state, k, count, bounds) for k, count in enumerate(parts)],
        }
        for state, parts in ages.items()
    ]  # fmt: skip
    return {
        "open": sum(map(sum, ages.values())),
        "states": states,
        "colours": [
            {"colour": colour, "count": count, "opens": _opens_cases(colour=colour)} for colour, count in colours.items()
        ],
    }  # fmt: skip


def _age(state: str, place: int, count: int, bounds: list[datetime]) -> dict[str, Any]:
    query = {"state": str(state)}
    if place < len(bounds):
        query["created_from"] = rfc3339(bounds[place])
    if place > 0:
        query["created_to"] = rfc3339(bounds[place - 1])
    return {
        "from_days": 0 if place == 0 else _AGES[place - 1],
        "to_days": _AGES[place] if place < len(_AGES) else None,
        "count": count,
        "opens": _opens_cases(**query),
    }


def _opens_cases(**query: str) -> dict[str, Any]:
    return {"path": "/v1/cases", "query": {name: str(value) for name, value in query.items()}}
