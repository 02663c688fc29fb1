"""Trips that were driven and confirmed, written as the program writes them: threads, rows, orders, tracks. For tests, and for the measurement of a month."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

PLACE: Final = {"name": "市民中心", "lat": 31.98, "lon": 120.89, "datum": "wgs84"}
FAR: Final = {"name": "如皋市政府", "lat": 32.37, "lon": 120.57, "datum": "wgs84"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of a trip."""

    id: str
    organisation: str = "jsj"
    passengers: int = 1
    budget_item: str = ""
    stops: Sequence[dict[str, Any]] = (FAR,)
    scope: str = "city"
    state: str = "confirmed"


@dataclass(frozen=True, slots=True)
class Trip:
    """A trip. ``track_m`` None: there is no result of its track; ``running``: it is not settled yet."""

    id: str
    departed: datetime
    hours: float = 2
    odometer_m: int | None = 40_000
    track_m: int | None = None
    running: bool = False
    riders: Sequence[Asked] = field(default_factory=tuple)
    vehicle: str = "car-1"
    pool: str = "pool"


async def drive(connection: asyncpg.Connection, trips: Sequence[Trip]) -> None:
    """Write ``trips``."""
    cars = {
        row["id"]: row
        for row in await connection.fetch(
            "SELECT id, no, plate, organisation FROM vehicles WHERE id = ANY($1::text[])",
            list({trip.vehicle for trip in trips}),
        )
    }
    requests, request_events, dispatches, dispatch_events, links, orders, results = [], [], [], [], [], [], []
    for trip in trips:
        car, back = cars[trip.vehicle], trip.departed + timedelta(hours=trip.hours)
        units = sorted({trip.pool, car["organisation"], *(asked.organisation for asked in trip.riders)})
        ids = [asked.id for asked in trip.riders]
        odometer = (None, None) if trip.odometer_m is None else (1_000_000, 1_000_000 + trip.odometer_m)
        times = {
            "planned_departure": trip.departed.isoformat(),
            "planned_return": back.isoformat(),
        }
        opened = times | {
            "organisation": car["organisation"], "pool": trip.pool, "number": f"派-{trip.id}", "kind": "normal", "vehicle": trip.vehicle, "vehicle_no": car["no"],
            "plate": car["plate"], "requests": ids, "units": units,
            "trip": {"request_units": units, "destinations": [], "task_type": "official", "purpose": ""},
        }  # fmt: skip
        dispatches.append(
            (trip.id, car["organisation"], trip.pool, units, f"派-{trip.id}", trip.vehicle, car["no"], car["plate"], trip.departed, back, *odometer)
        )  # fmt: skip
        dispatch_events += [
            (trip.id, 1, "assign", trip.departed, "user:desk", ["user:desk"], "调度", opened),
            (trip.id, 2, "depart", trip.departed, "user:desk", ["user:desk"], "调度", {"at": trip.departed.isoformat(), "odometer_m": odometer[0]}),
            (trip.id, 3, "return", back, "user:desk", ["user:desk"], "调度", {"at": back.isoformat(), "odometer_m": odometer[1]}),
        ]  # fmt: skip
        orders.append((trip.id, car["organisation"], trip.vehicle, trip.departed, back))
        if trip.track_m is not None or trip.running:
            state = "running" if trip.running else "settled"
            results.append((trip.id, car["no"], state, (trip.track_m or 0) * 1000))
        for asked in trip.riders:
            links.append((trip.id, asked.id))
            body = times | {
                "organisation": asked.organisation, "pool": trip.pool, "kind": "normal", "category": "other", "purpose": "meeting", "reason": "参加全市工作会议",
                "passengers": asked.passengers, "origin": PLACE, "stops": list(asked.stops), "scope": asked.scope, "applicant_name": "李四",
                "user": "王五", "budget_item": asked.budget_item,
            }  # fmt: skip
            requests.append(
                (asked.id, asked.organisation, trip.pool, sorted({asked.organisation, trip.pool, car["organisation"]}), f"申-{asked.id}", asked.state,
                 7 if asked.state == "confirmed" else 6, asked.passengers, trip.departed, back)
            )  # fmt: skip
            level = {"position": "x", "name": "x", "users": [], "timeout_min": 60, "substitutes": []}
            steps: list[tuple[str, list[str], dict[str, Any]]] = [
                ("draft", ["user:ask"], body),
                ("submit", ["user:ask"], {"number": f"申-{asked.id}", "chain": [level]}),
                ("approve", ["user:chief"], {"approver": "科长"}),
                ("queue", [], {}),
                ("assign", ["user:desk"], {"dispatch": trip.id, "unit": car["organisation"]}),
                ("finish", [], {}),
                ("confirm", ["user:ask"], {"rating": 5}),
            ]
            request_events += [
                (asked.id, number, step, trip.departed, persons[0] if persons else "", persons, "李四", given)
                for number, (step, persons, given) in enumerate(steps, 1)
                if step != "confirm" or asked.state == "confirmed"
            ]
    await connection.executemany(
        "INSERT INTO trip_requests (id, organisation, pool, units, number, kind, state, version, category, purpose, passengers, applicant_name, persons,"
        " planned_departure, planned_return, created_at) VALUES ($1, $2, $3, $4, $5, 'normal', $6, $7, 'other', 'meeting', $8, '李四', '{user:ask}', $9, $10, $9)"
        " ON CONFLICT (id) DO NOTHING",
        requests,
    )  # fmt: skip
    await connection.executemany(
        "INSERT INTO trip_dispatches (id, organisation, pool, units, number, kind, state, version, vehicle, vehicle_no, plate, planned_departure, planned_return,"
        " actual_departure, actual_return, odometer_out_m, odometer_in_m, holds, created_at)"
        " VALUES ($1, $2, $3, $4, $5, 'normal', 'returned', 3, $6, $7, $8, $9, $10, $9, $10, $11, $12, false, $9)",
        dispatches,
    )  # fmt: skip
    for table, rows in (("trip_request_events", request_events), ("trip_dispatch_events", dispatch_events)):
        await connection.executemany(
            f"INSERT INTO {table} (paper, version, step, at, actor, persons, actor_name, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"  # noqa: S608 - constants
            " ON CONFLICT DO NOTHING",
            rows,
        )
    await connection.executemany("INSERT INTO trip_links VALUES ($1, $2)", links)
    await connection.executemany(
        "INSERT INTO dispatch_orders (id, version, organisation, vehicle, task_type, status, destinations, planned_departure, planned_return, actual_departure,"
        " actual_return, is_newest) VALUES ($1, 1, $2, $3, 'official', 'returned', '[]', $4, $5, $4, $5, true)",
        orders,
    )  # fmt: skip
    await connection.executemany(
        "INSERT INTO order_results (order_id, order_version, vehicle_no, state, mileage_mm, bridged_mm, fixes, destinations, carried, computed_at)"
        " VALUES ($1, 1, $2, $3, $4, 0, 100, '[]', '', now())",
        results,
    )
