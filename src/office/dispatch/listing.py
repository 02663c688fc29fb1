"""Requests and dispatches as they are shown: lists, counts, one of each with its thread and what the caller may do now; backfills counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from office.dispatch import asking, sending
from office.dispatch.asking import SEES, desk_of
from office.dispatch.dispatch import Dispatch
from office.dispatch.terms import confirmed_at, escalates_at, expires_at
from office.dispatch.threads import Entry, read_dispatch
from office.identity.scope import FEW_UNITS, in_order
from office.requests.table import STATE_NAMES, STEP_NAMES, TripAction, TripState
from office.requests.words import SAID, Refusal
from office.supervision.actors import Actor, reach_of
from registry.organisations import units_below
from rules.alerts.conditions import Conditions
from runtime.connection import Connection

_REQUEST: Final = (
    "t.id, t.organisation, t.pool, t.number, t.kind, t.state, t.version, t.category, t.purpose, t.passengers, t.applicant_name,"
    " t.approver_name, t.planned_departure, t.planned_return, t.created_at, t.submitted_at, t.approved_at, t.paper_due, t.paper_late,"
    " t.against, t.rating, (SELECT m.series FROM trip_series_members m WHERE m.request = t.id) AS series"
)
_DISPATCH: Final = (
    "t.id, t.organisation, t.pool, t.number, t.kind, t.state, t.version, t.vehicle, t.plate, t.driver, t.driver_name,"
    " t.planned_departure, t.planned_return, t.extended_return, t.actual_departure, t.actual_return, t.odometer_out_m, t.odometer_in_m,"
    " t.proposed_departure, t.proposed_return, t.overdue_at, t.listed, t.late_change, t.created_at"
)
#: What stands in the place of what is secret.
MASKED: Final = "涉密车辆"


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """None = any. ``organisation``: with the units below it. ``mine``: his own; ``to_decide``: those that wait for him."""

    state: TripState | None = None
    organisation: str | None = None
    kind: str | None = None
    mine: bool = False
    to_decide: bool = False
    late: bool = False
    planned_from: datetime | None = None
    planned_to: datetime | None = None
    series: str | None = None


@dataclass(frozen=True, slots=True)
class DispatchFilter:
    """None = any. ``mine``: those that he drives. ``open``: those whose vehicle is taken. ``listed``: proposed for supervision; ``proposed``: the track
    shows what nobody has confirmed; ``late_change``: a change after the fact waits."""

    state: TripState | None = None
    organisation: str | None = None
    vehicle: str | None = None
    driver: str | None = None
    mine: bool = False
    open: bool = False
    listed: bool = False
    proposed: bool = False
    late_change: bool = False
    planned_from: datetime | None = None
    planned_to: datetime | None = None


async def _sight(connection: Connection, actor: Actor, asked: Conditions, own: str) -> bool:
    """Add to ``asked`` what the caller sees; whether he sees rows of many units. ``own``: SQL of what is his, with one place."""
    everything = await reach_of(connection, actor.subject, *SEES)
    if everything is None:
        return True
    if not everything and actor.subject.may("trips:apply") and not actor.subject.may("trips:drive"):
        # His own only, and those are of his units: an index finds them (under row-level security none finds him among persons).
        asked.add("t.organisation = ANY({})", await reach_of(connection, actor.subject, "trips:apply") or [])
    asked.add(
        f"(t.organisation = ANY({{}}) OR t.units && {{}} OR {own})", everything, everything, actor.person
    )
    return len(everything) > FEW_UNITS


async def _units(connection: Connection, organisation: str) -> list[str]:
    return sorted(await units_below(connection, [organisation]))


async def list_requests(
    connection: Connection,
    actor: Actor,
    filters: RequestFilter,
    limit: int,
    after: tuple[datetime, str] | None,
) -> list[dict[str, Any]]:
    """Requests that the caller may see, newest first, behind ``after``."""
    asked = Conditions()
    many = await _sight(connection, actor, asked, "t.persons @> ARRAY[{}]::text[]")
    await _filter_requests(connection, actor, filters, asked)
    if after is not None:
        asked.add("t.created_at <= {} AND (t.created_at < {} OR t.id > {})", after[0], after[0], after[1])
    most = asked.argument(limit)
    async with in_order(connection, many):
        rows = await connection.fetch(
            f"SELECT {_REQUEST}, ARRAY(SELECT DISTINCT d.state FROM trip_links l JOIN trip_dispatches d ON d.id = l.dispatch_id"  # noqa: S608 - constants
            f" WHERE l.request_id = t.id) AS dispatch_states FROM trip_requests t{asked.where} ORDER BY t.created_at DESC, t.id LIMIT {most}",
            *asked.arguments,
        )
    return [_request_row(row) for row in rows]


async def _filter_requests(
    connection: Connection, actor: Actor, filters: RequestFilter, asked: Conditions
) -> None:
    if filters.state is not None:
        asked.add("t.state = {}", str(filters.state))
    if filters.organisation is not None:
        asked.add("t.organisation = ANY({})", await _units(connection, filters.organisation))
    if filters.kind is not None:
        asked.add("t.kind = {}", filters.kind)
    if filters.mine:
        asked.add("t.persons @> ARRAY[{}]::text[]", actor.person)
    if filters.late:
        asked.add("t.paper_late")
    if filters.planned_from is not None:
        asked.add("t.planned_departure >= {}", filters.planned_from)
    if filters.planned_to is not None:
        asked.add("t.planned_departure < {}", filters.planned_to)
    if filters.series is not None:
        asked.add("t.id IN (SELECT m.request FROM trip_series_members m WHERE m.series = {})", filters.series)
    if filters.to_decide:
        # By himself, and for those who have delegated their right to him; never his own.
        keys = sorted(
            {actor.person}
            | {f"user:{g.delegated_by}" for g in actor.subject.grants if g.delegated_by and "trips:approve" in g.permissions}
        )  # fmt: skip
        units = await reach_of(connection, actor.subject, "trips:approve")
        asked.add(
            "t.state = 'pending' AND (t.deciders && {} OR t.deciders = '{{}}') AND NOT t.persons && {}"
            " AND ({}::text[] IS NULL OR t.organisation = ANY({}))",
            keys, keys, units, units,
        )  # fmt: skip


def _request_row(row: Any) -> dict[str, Any]:
    state = TripState(row["state"])
    return dict(row) | {"state_name": STATE_NAMES[state], "dispatch_states": sorted(row["dispatch_states"])}


async def list_dispatches(
    connection: Connection,
    actor: Actor,
    filters: DispatchFilter,
    limit: int,
    after: tuple[datetime, str] | None,
) -> list[dict[str, Any]]:
    """Dispatches that the caller may see, by planned departure, the latest first, behind ``after``."""
    asked = Conditions()
    own = (
        "{0} = 'user:' || t.driver_user OR EXISTS (SELECT FROM trip_links l JOIN trip_requests r ON r.id = l.request_id"
        " WHERE l.dispatch_id = t.id AND r.persons @> ARRAY[{0}]::text[])"
    )
    everything = await reach_of(connection, actor.subject, *SEES)
    if everything is not None:
        units, me = asked.argument(everything), asked.argument(actor.person)
        asked.add(f"(t.units && {units}::text[] OR {own.format(me)})")
    for name in ("state", "vehicle", "driver"):
        if (value := getattr(filters, name)) is not None:
            asked.add(f"t.{name} = {{}}", str(value))
    if filters.organisation is not None:
        asked.add("t.units && {}", await _units(connection, filters.organisation))
    if filters.mine:
        asked.add("t.driver_user = {}", actor.subject.id)
    for name, condition in (
        ("open", "t.holds"),
        ("listed", "t.listed"),
        ("late_change", "t.late_change"),
        ("proposed", "t.holds AND (t.proposed_departure IS NOT NULL AND t.actual_departure IS NULL OR t.proposed_return IS NOT NULL)"),
    ):  # fmt: skip
        if getattr(filters, name):
            asked.add(condition)
    if filters.planned_from is not None:
        asked.add("GREATEST(t.planned_return, t.extended_return) > {}", filters.planned_from)
    if filters.planned_to is not None:
        asked.add("t.planned_departure < {}", filters.planned_to)
    if after is not None:
        asked.add(
            "t.planned_departure <= {} AND (t.planned_departure < {} OR t.id > {})",
            after[0],
            after[0],
            after[1],
        )
    most = asked.argument(limit)
    async with in_order(connection, everything is None or len(everything) > FEW_UNITS):
        rows = await connection.fetch(
            f"SELECT {_DISPATCH} FROM trip_dispatches t{asked.where} ORDER BY t.planned_departure DESC, t.id LIMIT {most}",  # noqa: S608 - constants
            *asked.arguments,
        )
    return [dict(row) | {"state_name": STATE_NAMES[TripState(row["state"])]} for row in rows]


async def counts(connection: Connection, actor: Actor) -> dict[str, int]:
    """What waits for the caller, and what waits in his units; each at most 1,000."""
    found: dict[str, int] = {}
    for name, filters in (
        ("to_decide", RequestFilter(to_decide=True)),
        ("to_confirm", RequestFilter(mine=True, state=TripState.TO_CONFIRM)),
        ("waiting", RequestFilter(state=TripState.WAITING)),
        ("no_vehicle", RequestFilter(state=TripState.NO_VEHICLE)),
        ("disputed", RequestFilter(state=TripState.DISPUTED)),
        ("late_papers", RequestFilter(late=True)),
    ):
        asked = Conditions()
        await _sight(connection, actor, asked, "t.persons @> ARRAY[{}]::text[]")
        await _filter_requests(connection, actor, filters, asked)
        if name == "late_papers":
            asked.add("t.state IN ('draft', 'pending', 'rejected')")
        found[name] = int(
            await connection.fetchval(
                f"SELECT count(*) FROM (SELECT FROM trip_requests t{asked.where} LIMIT 1000) f",  # noqa: S608 - constants
                *asked.arguments,
            )
        )
    for name, chosen in (
        ("overdue", DispatchFilter(state=TripState.OVERDUE)),
        ("listed", DispatchFilter(listed=True, state=TripState.OVERDUE)),
        ("reassigning", DispatchFilter(state=TripState.REASSIGNING)),
        ("proposed", DispatchFilter(proposed=True)),
        ("late_changes", DispatchFilter(late_change=True)),
    ):
        found[name] = len(await list_dispatches(connection, actor, chosen, 1_000, None))
    return found


# --- one


async def show_request(connection: Connection, actor: Actor, id: str) -> dict[str, Any]:
    """One request: contents, chain, thread, dispatches, and what the caller may do now. Raises NotThereError."""
    thread = await asking.seen(connection, actor, id)
    request, desk = thread.paper, await desk_of(connection, actor)
    terms = desk.clocks.terms(request.organisation, request.begun_at)
    secret = await _secret(connection, request.contents)
    dispatches = []
    for each in request.dispatches:
        other = await read_dispatch(connection, each)
        dispatches.append({"id": each, "hidden": True} if other is None else _short(each, other.paper))
    return {
        "id": id,
        "organisation": request.organisation,
        "pool": request.pool,
        "number": request.number,
        "kind": request.kind,
        "state": request.state,
        "state_name": STATE_NAMES[request.state],
        "version": request.version,
        "contents": _masked(dict(request.contents), secret),
        "chain": [
            {
                "position": level.position,
                "name": level.name,
                "users": sorted(key.removeprefix("user:") for key in level.users),
                "substitutes": sorted(key.removeprefix("user:") for key in level.substitutes),
                "timeout_min": level.timeout_min,
                "state": _level_state(request.state, number, request.level),
            }
            for number, level in enumerate(request.chain)
        ],
        "escalated": request.escalated,
        "approver": request.approver,
        "rating": request.rating,
        "against": request.against,
        "paper_due": thread.row["paper_due"],
        "paper_late": request.paper_late,
        "expires_at": expires_at(request, terms),
        "escalates_at": escalates_at(request),
        "confirmed_by_silence_at": confirmed_at(request, desk.clocks.calendar, terms),
        "may": _may(await asking.possible(desk, actor, request)),
        "dispatches": dispatches,
        "thread": _thread(thread.entries, secret),
    }


def _level_state(state: TripState, number: int, level: int) -> str:
    if state is TripState.PENDING:
        return "agreed" if number < level else "deciding" if number == level else "waiting"
    if state in (TripState.REJECTED, TripState.WITHDRAWN, TripState.EXPIRED):
        return "agreed" if number < level else "ended" if number == level else "waiting"
    return "agreed"


def _short(id: str, dispatch: Dispatch) -> dict[str, Any]:
    """A dispatch as its applicants see it: which vehicle, who drives, how to reach him."""
    return {
        "id": id,
        "hidden": False,
        "number": dispatch.number,
        "state": dispatch.state,
        "state_name": STATE_NAMES[dispatch.state],
        "vehicle": dispatch.vehicle,
        "plate": dispatch.plate,
        "driver_name": dispatch.driver_name,
        "driver_phone": dispatch.driver_phone,
        "planned_departure": dispatch.planned_departure,
        "planned_return": dispatch.due,
        "actual_departure": dispatch.actual_departure,
        "actual_return": dispatch.actual_return,
        "distance_m": _distance(dispatch),
    }


def _distance(dispatch: Dispatch) -> int | None:
    """What the odometer says; None: there are not two readings."""
    out, back = dispatch.odometer_out_m, dispatch.odometer_in_m
    return None if out is None or back is None else back - out


async def show_dispatch(connection: Connection, actor: Actor, id: str) -> dict[str, Any]:
    """One dispatch: trip, thread, requests, and what the caller may do now. Raises NotThereError."""
    thread = await sending.seen(connection, actor, id)
    dispatch, desk = thread.paper, await desk_of(connection, actor)
    rows = await connection.fetch(
        f"SELECT {_REQUEST}, '{{}}'::text[] AS dispatch_states FROM trip_requests t JOIN trip_links l ON l.request_id = t.id"  # noqa: S608 - constants
        " WHERE l.dispatch_id = $1 ORDER BY t.id",
        id,
    )
    return _short(id, dispatch) | {
        "organisation": dispatch.organisation,
        "pool": dispatch.pool,
        "kind": dispatch.kind,
        "version": dispatch.version,
        "driver": dispatch.driver,
        "trip": {
            name: value for name, value in dispatch.trip.items() if name not in ("added", "request_units")
        },
        "extended_return": dispatch.extended_return,
        "cancelled_at": dispatch.cancelled_at,
        "odometer_out_m": dispatch.odometer_out_m,
        "odometer_in_m": dispatch.odometer_in_m,
        "proposed_departure": dispatch.proposed_departure,
        "proposed_return": dispatch.proposed_return,
        "overdue_at": dispatch.overdue_at,
        "listed": dispatch.listed,
        "late_change": dict(dispatch.late_change) if dispatch.late_change is not None else None,
        "order_due": thread.row["order_due"],
        "chosen": {"way": None, "rank": None, "reason": None}
        | {n: dispatch.chosen[n] for n in ("way", "rank", "reason") if n in dispatch.chosen},
        "requests": [_request_row(row) for row in rows],
        "may": _may(await sending.possible(desk, actor, dispatch)),
        "thread": _thread(thread.entries, frozenset()),
    }


def _may(steps: Sequence[tuple[TripAction, Refusal | None]]) -> list[dict[str, Any]]:
    return [
        {"step": step, "name": STEP_NAMES[step], "refused": None if why is None else SAID[why]}
        for step, why in steps
    ]


def _thread(entries: Sequence[Entry], secret: frozenset[str]) -> list[dict[str, Any]]:
    return [
        {
            "version": entry.event.version,
            "step": entry.event.step,
            "name": STEP_NAMES[entry.event.step],
            "at": entry.event.at,
            "by": entry.actor_name,
            "actor": entry.actor or None,
            "persons": sorted(entry.event.persons),
            "body": _masked(dict(entry.event.body), secret),
        }
        for entry in entries
    ]


async def _secret(connection: Connection, contents: Mapping[str, Any]) -> frozenset[str]:
    """The vehicles that a request names itself (紧急、补单) and that the caller must not know."""
    given = (contents.get("vehicle"), (contents.get("driven") or {}).get("vehicle"))
    named = {str(vehicle) for vehicle in given if vehicle is not None}
    if not named:
        return frozenset()
    hidden = await connection.fetchval("SELECT hidden_ids()")
    return frozenset(named) & frozenset(hidden)


def _masked(value: Any, secret: frozenset[str]) -> Any:
    if not secret:
        return value
    if isinstance(value, dict):
        return {name: _masked(each, secret) for name, each in value.items()}
    if isinstance(value, list):
        return [_masked(each, secret) for each in value]
    return MASKED if isinstance(value, str) and value in secret else value


# --- counted


async def backfills(
    connection: Connection, actor: Actor, organisation: str | None, since: datetime, until: datetime
) -> list[dict[str, Any]]:
    """补单率: by unit and approver how many requests there were, and how many came after the drive (emergencies and backfills), were late,
    were rejected, and how many alerts the backfills withdrew. Requests begun within [since, until)."""
    asked = Conditions()
    await _sight(connection, actor, asked, "t.persons @> ARRAY[{}]::text[]")
    asked.add("t.created_at >= {} AND t.created_at < {}", since, until)
    asked.add("(t.submitted_at IS NOT NULL OR t.kind <> 'normal')")
    if organisation is not None:
        asked.add("t.organisation = ANY({})", await _units(connection, organisation))
    rows = await connection.fetch(
        "SELECT t.organisation, t.approver_name AS approver, count(*) AS requests,"  # noqa: S608 - constants
        " count(*) FILTER (WHERE t.kind = 'emergency') AS emergencies, count(*) FILTER (WHERE t.kind = 'backfill') AS backfills,"
        " count(*) FILTER (WHERE t.paper_late) AS late, count(*) FILTER (WHERE t.state = 'rejected') AS rejected,"
        " COALESCE(sum((SELECT count(DISTINCT a.id) FROM trip_links l JOIN trip_dispatches d ON d.id = l.dispatch_id"
        "  JOIN alerts a ON a.vehicle = d.vehicle AND a.status = 'withdrawn' AND a.occurred_from < COALESCE(d.actual_return, d.planned_return)"
        "  AND COALESCE(a.occurred_to, a.occurred_from) > COALESCE(d.actual_departure, d.planned_departure)"
        "  JOIN alert_versions v ON v.alert_id = a.id AND v.version = a.version AND v.body ->> 'withdrawn_by' = 'backfill'"
        "  WHERE l.request_id = t.id AND t.kind <> 'normal')), 0)::bigint AS withdrawn_alerts"
        f" FROM trip_requests t{asked.where} GROUP BY t.organisation, t.approver_name ORDER BY t.organisation, t.approver_name NULLS FIRST",
        *asked.arguments,
    )
    return [dict(row) for row in rows]
