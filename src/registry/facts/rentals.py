"""Rentals of society's vehicles (社会车辆租赁), and the own vehicles that the proof of each found to be busy (office.dispatch writes them)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from registry.orders import OrderRow, read_orders
from runtime.connection import Connection
from runtime.units import from_us, to_us

#: What may be in the way of a vehicle that would have served but for what it was to do at that time (office.dispatch.planner.reasons); by anything else it was unsuitable.
BUSY: Final = frozenset({"taken", "cannot_arrive", "next_too_soon"})


@dataclass(frozen=True, slots=True)
class Busy:
    """An own vehicle that would have served, were it not busy: ``reasons`` are codes of BUSY."""

    vehicle: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rental:
    """A vehicle that was rented from ``from_us`` to ``to_us`` (microseconds since 1970 UTC), registered as ``vehicle``. ``busy``: by vehicle, as the last
    proof has it that looked at each; without secret ones."""

    id: str
    number: str
    organisation: str
    vehicle: str
    vehicle_no: int
    plate: str
    from_us: int
    to_us: int
    busy: tuple[Busy, ...]


async def rentals_by_id(conn: Connection, ids: Collection[str]) -> dict[str, Rental]:
    """Those of ``ids`` that were rented: reported, approved and taken."""
    busy: dict[str, list[Busy]] = defaultdict(list)
    for row in await conn.fetch(
        "SELECT DISTINCT ON (p.report, p.vehicle) p.report, p.vehicle, p.reasons FROM rental_proof_vehicles p"
        " JOIN vehicles v ON v.id = p.vehicle AND NOT v.secret WHERE p.report = ANY($1::text[]) ORDER BY p.report, p.vehicle, p.number DESC",
        sorted(ids),
    ):
        codes = tuple(sorted({str(reason["code"]) for reason in row["reasons"]}))
        if codes and BUSY.issuperset(codes):
            busy[row["report"]].append(Busy(row["vehicle"], codes))
    rows = await conn.fetch(
        "SELECT r.id, r.number, r.organisation, r.vehicle, v.no, r.plate, r.period_from, r.period_to FROM rental_reports r"
        " JOIN vehicles v ON v.id = r.vehicle WHERE r.id = ANY($1::text[]) AND r.state IN ('taken', 'settled')",
        sorted(ids),
    )
    return {
        row["id"]: Rental(
            row["id"], row["number"], row["organisation"], row["vehicle"], row["no"], row["plate"], to_us(row["period_from"]),
            to_us(row["period_to"]), tuple(busy[row["id"]]),
        )
        for row in rows
    }  # fmt: skip


async def rentals_around(
    conn: Connection, from_us_: int, to_us_: int | None, vehicles: Collection[str] | None = None
) -> dict[str, int]:
    """Rentals with a part in [from, to) (None = no end), each with its end; with ``vehicles`` those whose proofs looked at one of them."""
    rows = await conn.fetch(
        "SELECT r.id, r.period_to FROM rental_reports r WHERE r.state IN ('taken', 'settled') AND r.period_to > $1"
        " AND ($2::timestamptz IS NULL OR r.period_from < $2) AND ($3::text[] IS NULL OR EXISTS"
        " (SELECT FROM rental_proof_vehicles p WHERE p.report = r.id AND p.vehicle = ANY($3::text[]))) ORDER BY r.id",
        from_us(max(from_us_, 0)), None if to_us_ is None else from_us(to_us_), None if vehicles is None else sorted(vehicles),
    )  # fmt: skip
    return {row["id"]: to_us(row["period_to"]) for row in rows}


async def rentals_ending(conn: Connection, from_us_: int, to_us_: int) -> dict[str, int]:
    """Rentals that ended in [from, to), each with its end."""
    rows = await conn.fetch(
        "SELECT id, period_to FROM rental_reports WHERE state IN ('taken', 'settled') AND period_to >= $1 AND period_to < $2 ORDER BY id",
        from_us(max(from_us_, 0)), from_us(max(to_us_, 0)),
    )  # fmt: skip
    return {row["id"]: to_us(row["period_to"]) for row in rows}


async def orders_within(
    conn: Connection, vehicles: Sequence[str], from_us_: int, to_us_: int
) -> dict[str, list[OrderRow]]:
    """The orders of ``vehicles`` that count and have a part in [from, to) as they were planned or driven, by vehicle and departure."""
    found: dict[str, list[OrderRow]] = defaultdict(list)
    for order in await read_orders(
        conn,
        "WHERE o.is_current AND o.vehicle = ANY($1::text[]) AND LEAST(o.planned_departure, o.actual_departure) < $3"
        " AND GREATEST(o.planned_return, o.extended_return, o.actual_return) > $2 ORDER BY o.vehicle, o.planned_departure, o.id",
        sorted(vehicles), from_us(from_us_), from_us(to_us_), places=False,
    ):  # fmt: skip
        found[order.vehicle].append(order)
    return found
