"""The raw facts of a period, within the reach of the caller's transaction: orders, dispatches, requests, vehicles, costs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from office.statistics.indicators.spans import Span
from registry.calendar import load_calendar
from registry.working_days import Calendar
from runtime.connection import Connection
from runtime.errors import InvalidError
from runtime.units import CHINA

#: Rows of one kind that one answer is computed from.
MOST_ROWS: Final = 200_000


@dataclass(frozen=True, slots=True)
class OrderFact:
    """An order that has departed."""

    vehicle: str
    left: datetime
    back: datetime | None
    backfill: bool


@dataclass(frozen=True, slots=True)
class DispatchFact:
    """A dispatch that was to depart, or has departed, in the period."""

    vehicle: str
    normal: bool
    planned: Span
    left: datetime | None
    back: datetime | None
    odometer_out_m: int | None
    odometer_in_m: int | None
    reassigned: bool
    requests: int
    number: str = ""


@dataclass(frozen=True, slots=True)
class RequestFact:
    """A request that was submitted in the period."""

    normal: bool
    submitted: datetime
    approved: datetime | None
    assigned: datetime | None
    no_vehicle: bool
    rating: int | None


@dataclass(frozen=True, slots=True)
class VehicleFact:
    """``service``: days [first, last] on which it is in service; ``idle``: spans in which it is sealed or in the shop."""

    id: str
    service: tuple[date, date]
    marking: str
    idle: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class CostFact:
    """A line of the ledger that the unit bears. ``quantity``: ml, Wh; ``booked``: in the period."""

    vehicle: str
    kind: str
    on: date
    booked: bool
    fen: int
    quantity: int | None
    entry: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """All of a period ``within`` [since, until), as it was known at ``now``."""

    within: Span
    now: datetime
    calendar: Calendar
    orders: tuple[OrderFact, ...] = ()
    dispatches: tuple[DispatchFact, ...] = ()
    requests: tuple[RequestFact, ...] = ()
    vehicles: tuple[VehicleFact, ...] = ()
    costs: tuple[CostFact, ...] = field(default=())


async def load_facts(connection: Connection, units: Collection[str], within: Span) -> Facts:
    """The facts of ``units``. Raises InvalidError for a period or units of too many rows."""
    since, until = within
    asked = (sorted(units), since, until)
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    orders = await connection.fetch(
        "SELECT o.vehicle, o.actual_departure, o.actual_return, EXISTS (SELECT FROM dispatch_orders v WHERE v.id = o.id AND v.backfill) AS backfill"
        " FROM dispatch_orders o WHERE o.is_newest AND o.part_of IS NULL AND o.status <> 'cancelled' AND o.organisation = ANY($1::text[])"
        # Who left before the period may be out in it.
        " AND o.actual_departure >= $2::timestamptz - interval '31 days' AND o.actual_departure < $3 ORDER BY o.actual_departure, o.id LIMIT $4",
        *asked, MOST_ROWS + 1,
    )  # fmt: skip
    dispatches = await connection.fetch(
        "SELECT d.vehicle, d.kind, d.planned_departure, d.planned_return, d.actual_departure, d.actual_return, d.odometer_out_m, d.odometer_in_m,"
        " EXISTS (SELECT FROM trip_dispatch_events e WHERE e.paper = d.id AND e.step = 'reassign') AS reassigned,"
        " (SELECT count(*) FROM trip_links l WHERE l.dispatch_id = d.id) AS requests FROM trip_dispatches d"
        " WHERE d.organisation = ANY($1::text[]) AND (d.planned_departure >= $2 AND d.planned_departure < $3"
        " OR d.actual_departure >= $2 AND d.actual_departure < $3) ORDER BY d.planned_departure, d.id LIMIT $4",
        *asked, MOST_ROWS + 1,
    )  # fmt: skip
    requests = await connection.fetch(
        "SELECT r.kind, r.submitted_at, r.approved_at, r.rating, e.assigned, COALESCE(e.no_vehicle, false) AS no_vehicle FROM trip_requests r"
        " LEFT JOIN LATERAL (SELECT min(at) FILTER (WHERE step = 'assign') AS assigned, bool_or(step = 'no-vehicle') AS no_vehicle"
        " FROM trip_request_events WHERE paper = r.id) e ON true"
        " WHERE r.organisation = ANY($1::text[]) AND r.submitted_at >= $2 AND r.submitted_at < $3 ORDER BY r.submitted_at, r.id LIMIT $4",
        *asked, MOST_ROWS + 1,
    )  # fmt: skip
    _bounded(orders, dispatches, requests)
    return Facts(
        within, now, await load_calendar(connection),
        tuple(OrderFact(row["vehicle"], row["actual_departure"], row["actual_return"], row["backfill"]) for row in orders),
        tuple(
            DispatchFact(
                row["vehicle"], row["kind"] == "normal", (row["planned_departure"], row["planned_return"]), row["actual_departure"], row["actual_return"],
                row["odometer_out_m"], row["odometer_in_m"], row["reassigned"], row["requests"],
            )
            for row in dispatches
        ),
        tuple(
            RequestFact(row["kind"] == "normal", row["submitted_at"], row["approved_at"], row["assigned"], row["no_vehicle"], row["rating"])
            for row in requests
        ),
        await _vehicles(connection, asked[0], within),
        await _costs(connection, asked[0], within),
    )  # fmt: skip


async def load_use(
    connection: Connection, units: Collection[str], within: Span, vehicles: Collection[str]
) -> Facts:
    """Of some ``vehicles`` what they have driven and cost for ``units``, and nothing else of the period: for what is said of each vehicle. Raises InvalidError."""
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    dispatches = await connection.fetch(
        "SELECT number, vehicle, kind, planned_departure, planned_return, actual_departure, actual_return, odometer_out_m, odometer_in_m"
        " FROM trip_dispatches WHERE organisation = ANY($1::text[]) AND vehicle = ANY($4::text[]) AND actual_departure >= $2 AND actual_departure < $3"
        # By the index of planned times: nobody leaves so much earlier or later.
        " AND planned_departure >= $2::timestamptz - interval '31 days' AND planned_departure < $3::timestamptz + interval '31 days'"
        " ORDER BY actual_departure, id LIMIT $5",
        sorted(units), *within, sorted(vehicles), MOST_ROWS + 1,
    )  # fmt: skip
    _bounded(dispatches)
    return Facts(
        within, now, await load_calendar(connection),
        dispatches=tuple(
            DispatchFact(
                row["vehicle"], row["kind"] == "normal", (row["planned_departure"], row["planned_return"]), row["actual_departure"], row["actual_return"],
                row["odometer_out_m"], row["odometer_in_m"], False, 0, row["number"],
            )
            for row in dispatches
        ),
        costs=await _costs(connection, sorted(units), within, sorted(vehicles)),
    )  # fmt: skip


def _bounded(*kinds: Collection[object]) -> None:
    if max(map(len, kinds)) > MOST_ROWS:
        raise InvalidError(
            "/query/organisation", f"本期超过 {MOST_ROWS} 条记录，请选下级单位或较短的期间 · more than {MOST_ROWS} records: choose a unit below, or a shorter period"
        )  # fmt: skip


async def _costs(
    connection: Connection, units: Collection[str], within: Span, vehicles: Collection[str] | None = None
) -> tuple[CostFact, ...]:
    """``vehicles``: None = all. With what was filled on a trip that left in the period and came back after it."""
    first, last = (moment.astimezone(CHINA) for moment in within)
    months = f"{first:%Y%m}", f"{last:%Y%m}"
    rows = await connection.fetch(
        "SELECT id, vehicle, kind, occurred_on, period, amount_fen, quantity FROM cost_entries WHERE organisation = ANY($1::text[]) AND payer = 'unit'"
        " AND reverses IS NULL AND reversed_by IS NULL AND (period >= $2 AND period < $3 OR occurred_on >= $4 AND occurred_on < $5"
        " OR kind IN ('fuel', 'charging') AND occurred_on >= $5 AND occurred_on < $5 + 31)"
        " AND ($7::text[] IS NULL OR vehicle = ANY($7)) ORDER BY occurred_on, id LIMIT $6",
        units, *months, first.date(), last.date(), MOST_ROWS + 1, vehicles,
    )  # fmt: skip
    _bounded(rows)
    return tuple(
        CostFact(
            row["vehicle"], row["kind"], row["occurred_on"], months[0] <= row["period"] < months[1], row["amount_fen"], row["quantity"], row["id"]
        )
        for row in rows
    )  # fmt: skip


async def _vehicles(connection: Connection, units: Collection[str], within: Span) -> tuple[VehicleFact, ...]:
    since, until = within
    rows = await connection.fetch(
        "SELECT v.id, COALESCE(v.registered_on, (v.created_at AT TIME ZONE interval '8 hours')::date) AS first, v.disposed_on,"
        " COALESCE(p.marking, '') AS marking FROM vehicles v LEFT JOIN vehicle_particulars p ON p.vehicle = v.id"
        " WHERE v.organisation = ANY($1::text[]) ORDER BY v.id",
        units,
    )
    idle: dict[str, list[Span]] = defaultdict(list)
    for query in (
        "SELECT vehicle, sealed_from AS since, sealed_to AS until FROM vehicle_seals WHERE vehicle = ANY($1::text[]) AND sealed_from < $3"
        " AND (sealed_to IS NULL OR sealed_to > $2)",
        "SELECT vehicle, in_at AS since, out_at AS until FROM maintenances WHERE vehicle = ANY($1::text[]) AND in_at < $3 AND (out_at IS NULL OR out_at > $2)",
    ):
        for row in await connection.fetch(query, [row["id"] for row in rows], since, until):
            idle[row["vehicle"]].append((row["since"], row["until"] or until))
    return tuple(
        VehicleFact(
            row["id"], (row["first"], row["disposed_on"] or date.max), row["marking"], tuple(idle[row["id"]])
        )
        for row in rows
    )
