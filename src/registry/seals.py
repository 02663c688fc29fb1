"""Sealed vehicles (封存): when they must not move. All SQL of the table ``vehicle_seals``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registry.vehicles import VehicleInfo, vehicles_by_id
from runtime.connection import Connection
from runtime.units import from_us, to_us


@dataclass(frozen=True, slots=True)
class SealInfo:
    """A seal of a vehicle, microseconds since 1970 UTC; ``to_us`` None = until it is lifted."""

    vehicle: VehicleInfo
    from_us: int
    to_us: int | None
    reason: str


async def seal(
    connection: Connection, vehicle: str, since: datetime | None, until: datetime | None, reason: str
) -> bool | None:
    """Seal a vehicle from ``since`` (None: now) until ``until`` (None: until it is lifted). False: it is sealed already; None: there is
    no such vehicle, or not for the caller."""
    unit = await connection.fetchval(
        "SELECT organisation FROM vehicles WHERE id = $1 FOR NO KEY UPDATE", vehicle
    )
    if unit is None:
        return None
    made = await connection.fetchval(
        "INSERT INTO vehicle_seals (organisation, vehicle, sealed_from, sealed_to, reason)"
        " SELECT $1, $2, s.since, $4, $5 FROM (SELECT COALESCE($3::timestamptz, clock_timestamp()) AS since) s"
        " WHERE ($4::timestamptz IS NULL OR $4 > s.since) AND NOT EXISTS (SELECT FROM vehicle_seals o WHERE o.vehicle = $2"
        " AND (o.sealed_to IS NULL OR o.sealed_to > s.since) AND ($4::timestamptz IS NULL OR o.sealed_from < $4)) RETURNING true",
        unit, vehicle, since, until, reason,
    )  # fmt: skip
    return made is not None


async def lift(connection: Connection, vehicle: str) -> bool:
    """End the seal that holds now; whether one did."""
    done = await connection.fetchval(
        "UPDATE vehicle_seals SET sealed_to = clock_timestamp() WHERE vehicle = $1 AND sealed_from <= clock_timestamp()"
        " AND (sealed_to IS NULL OR sealed_to > clock_timestamp()) RETURNING true",
        vehicle,
    )
    return done is not None


async def seals_of(connection: Connection, vehicle: str) -> list[dict[str, Any]]:
    """{sealed_from, sealed_to, reason} of a vehicle, the newest first."""
    rows = await connection.fetch(
        "SELECT sealed_from, sealed_to, reason FROM vehicle_seals WHERE vehicle = $1 ORDER BY sealed_from DESC LIMIT 100", vehicle
    )  # fmt: skip
    return [dict(row) for row in rows]


async def sealed_since(connection: Connection, at: datetime) -> dict[int, datetime]:
    """The numbers of the vehicles that are sealed at ``at``, each with since when."""
    return dict(
        await connection.fetch(
            "SELECT v.no, max(s.sealed_from) FROM vehicle_seals s JOIN vehicles v ON v.id = s.vehicle"
            " WHERE s.sealed_from <= $1 AND (s.sealed_to IS NULL OR s.sealed_to > $1) GROUP BY v.no",
            at,
        )
    )


async def sealed_within(connection: Connection, vehicle: str, since: datetime, until: datetime) -> bool:
    """Whether a vehicle is sealed at some time in [since, until)."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM vehicle_seals WHERE vehicle = $1 AND sealed_from < $3 AND (sealed_to IS NULL OR sealed_to > $2))",
            vehicle,
            since,
            until,
        )
    )


async def seals_within(connection: Connection, vehicles: Collection[str], since: datetime, until: datetime) -> list[tuple[str, datetime, datetime | None]]:  # fmt: skip
    """(vehicle, from, to) of the seals of ``vehicles`` within [since, until); None = until it is lifted."""
    rows = await connection.fetch(
        "SELECT vehicle, sealed_from, sealed_to FROM vehicle_seals WHERE vehicle = ANY($1::text[]) AND sealed_from < $3"
        " AND (sealed_to IS NULL OR sealed_to > $2) ORDER BY vehicle, sealed_from",
        sorted(vehicles), since, until,
    )  # fmt: skip
    return [(row["vehicle"], row["sealed_from"], row["sealed_to"]) for row in rows]


async def seals_by_start(
    connection: Connection, keys: Collection[tuple[str, int]]
) -> dict[tuple[str, int], SealInfo]:
    """The seals of (vehicle, sealed from, us), those that there are."""
    wanted = sorted(keys)
    return await _read(
        connection,
        "JOIN unnest($1::text[], $2::timestamptz[]) AS k (vehicle, since) ON s.vehicle = k.vehicle AND s.sealed_from = k.since",
        [vehicle for vehicle, _ in wanted], [from_us(us) for _, us in wanted],
    )  # fmt: skip


async def seals_since(
    connection: Connection, since: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], SealInfo]:
    """The seals of vehicles (-> from when on, us) that hold at that time or later."""
    return await _read(
        connection,
        "JOIN unnest($1::text[], $2::timestamptz[]) AS k (vehicle, since) ON s.vehicle = k.vehicle"
        " AND (s.sealed_to IS NULL OR s.sealed_to > k.since)",
        [vehicle for vehicle, _ in since], [from_us(us) for _, us in since],
    )  # fmt: skip


async def seals_between(connection: Connection, since_us: int, until_us: int, *, ending: bool = False) -> dict[tuple[str, int], SealInfo]:  # fmt: skip
    """The seals that begin (``ending``: that end) in [since, until)."""
    column = "sealed_to" if ending else "sealed_from"
    where = f"WHERE s.{column} >= $1 AND s.{column} < $2"
    return await _read(connection, where, from_us(since_us), from_us(until_us))


async def _read(connection: Connection, where: str, *arguments: object) -> dict[tuple[str, int], SealInfo]:
    """Seals by (vehicle, sealed from, us). One that was over before it began is none."""
    rows = await connection.fetch(
        f"SELECT DISTINCT s.vehicle, s.sealed_from, s.sealed_to, s.reason FROM vehicle_seals s {where}", *arguments  # noqa: S608 - constant texts
    )  # fmt: skip
    vehicles = await vehicles_by_id(connection, {row["vehicle"] for row in rows})
    found = {}
    for row in rows:
        since, until = (
            to_us(row["sealed_from"]),
            None if row["sealed_to"] is None else to_us(row["sealed_to"]),
        )
        if until is None or until > since:
            found[row["vehicle"], since] = SealInfo(vehicles[row["vehicle"]], since, until, row["reason"])
    return found
