"""Reading fuel transactions with what belongs to them, and traffic violations. Many keys at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely

from registry.facts.fuel import Transaction
from registry.parameters import ParameterRow
from registry.snapshot.orders import Order, OrderBook
from runtime.connection import Connection
from runtime.units import from_us, to_us

#: No time is after that.
_AFTER_ALL: Final = 4_000_000_000_000_000


@dataclass(frozen=True, slots=True)
class Station:
    """A fuel station in whole 1e-6 degrees, WGS-84: a point, or ``polygons`` (each a ring and its holes, a ring
    [[lat_e6, lon_e6], ...]); all None = without coordinates."""

    id: str
    name: str
    lat_e6: int | None
    lon_e6: int | None
    polygons: list[list[list[list[int]]]] | None


@dataclass(frozen=True, slots=True)
class CardTransaction:
    """A transaction with the unit of its card, and the binding and the station that it had. ``bound``: (plate, from,
    to or None)."""

    transaction: Transaction
    organisation: str
    bound: tuple[str, int, int | None] | None
    station: Station | None


@dataclass(frozen=True, slots=True)
class Violation:
    """A traffic violation (违章). ``status``: open, handled, revoked, appealed (with success)."""

    id: str
    plate: str
    at_us: int
    place: str
    act: str
    fine_fen: int | None
    points: int | None
    status: str
    driver: str | None


# --- transactions


async def card_transactions(conn: Connection, ids: Collection[str]) -> dict[str, CardTransaction]:
    """Transactions by id, those that exist."""
    rows = await conn.fetch(
        "SELECT t.id, t.card, t.at, t.kind, t.product, t.energy, t.quantity, t.amount_fen, t.station, t.station_name,"
        " t.reverses, c.organisation, b.plate, b.valid_from, b.valid_to, s.name, s.geometry"
        " FROM fuel_transactions t JOIN fuel_cards c ON c.id = t.card"
        " LEFT JOIN card_bindings b ON b.card = t.card AND b.valid_from <= t.at AND (b.valid_to IS NULL OR t.at < b.valid_to)"
        " LEFT JOIN fuel_stations s ON s.id = t.station WHERE t.id = ANY($1::text[])",
        sorted(ids),
    )
    found = {}
    for r in rows:
        row = Transaction(
            r["id"], r["card"], to_us(r["at"]), r["kind"], r["product"], r["energy"], r["quantity"], r["amount_fen"],
            r["station"], r["station_name"], r["reverses"],
        )  # fmt: skip
        bound = None
        if r["plate"] is not None:
            bound = (
                r["plate"],
                to_us(r["valid_from"]),
                None if r["valid_to"] is None else to_us(r["valid_to"]),
            )
        station = None if row.station is None else _station(row.station, r["name"], r["geometry"])
        found[row.id] = CardTransaction(row, r["organisation"], bound, station)
    return found


def _station(id: str, name: str, wkb: bytes | None) -> Station:
    if wkb is None:
        return Station(id, name, None, None, None)
    shape = shapely.from_wkb(wkb)
    if shape.geom_type == "Point":
        return Station(id, name, round(shape.y * 1e6), round(shape.x * 1e6), None)
    parts = [shape] if shape.geom_type == "Polygon" else list(shape.geoms)
    rings = [[_ring(ring) for ring in (part.exterior, *part.interiors)] for part in parts]
    return Station(id, name, None, None, rings)


def _ring(ring: Any) -> list[list[int]]:
    points = np.rint(shapely.get_coordinates(ring)[:, ::-1] * 1e6).astype(np.int64)
    pairs: list[list[int]] = points.tolist()
    return pairs


async def transaction_times(conn: Connection, ids: Collection[str]) -> dict[str, tuple[str, int]]:
    """(card, time) of transactions, those that exist."""
    rows = await conn.fetch(
        "SELECT id, card, at FROM fuel_transactions WHERE id = ANY($1::text[])", sorted(ids)
    )
    return {r["id"]: (r["card"], to_us(r["at"])) for r in rows}


async def fills_between(conn: Connection, from_us_: int, to_us_: int = _AFTER_ALL) -> dict[str, int]:
    """Time of every fill in [from, to)."""
    return _times(
        await conn.fetch(
            "SELECT id, at FROM fuel_transactions WHERE kind = 'fill' AND at >= $1 AND at < $2",
            from_us(max(from_us_, 0)),
            from_us(min(to_us_, _AFTER_ALL)),
        )
    )


async def fills_of_cards(
    conn: Connection, since_us: Mapping[str, int], *, only_with_reversals: bool = False
) -> dict[str, int]:
    """Time of every fill of cards (-> since when)."""
    has = "EXISTS (SELECT FROM fuel_transactions r WHERE r.card = k.key AND r.kind = 'reversal')"
    return await _fills(
        conn,
        f"JOIN fuel_transactions t ON t.card = k.key AND t.at >= k.since{f' AND {has}' if only_with_reversals else ''}",
        since_us,
    )


async def fills_at_stations(conn: Connection, since_us: Mapping[str, int]) -> dict[str, int]:
    """Time of every fill at stations (-> since when)."""
    return await _fills(conn, "JOIN fuel_transactions t ON t.station = k.key AND t.at >= k.since", since_us)


async def fills_of_bound_plates(conn: Connection, since_us: Mapping[str, int]) -> dict[str, int]:
    """Time of every fill by a card that was then bound to one of the plates (-> since when)."""
    return await _fills(
        conn,
        "JOIN card_bindings b ON b.plate = k.key JOIN fuel_transactions t ON t.card = b.card"
        " AND t.at >= GREATEST(b.valid_from, k.since) AND (b.valid_to IS NULL OR t.at < b.valid_to)",
        since_us,
    )


async def _fills(conn: Connection, joined: str, since_us: Mapping[str, int]) -> dict[str, int]:
    if not since_us:
        return {}
    rows = await conn.fetch(
        f"SELECT t.id, t.at FROM unnest($1::text[], $2::timestamptz[]) AS k (key, since) {joined}"  # noqa: S608 - fixed texts
        " WHERE t.kind = 'fill'",
        list(since_us),
        [from_us(max(us, 0)) for us in since_us.values()],
    )
    return _times(rows)


def _times(rows: Sequence[Any]) -> dict[str, int]:
    return {r["id"]: to_us(r["at"]) for r in rows}


async def plates_of_vehicles(conn: Connection, ids: Collection[str]) -> dict[str, str]:
    """Plates of vehicles by id."""
    rows = await conn.fetch("SELECT id, plate FROM vehicles WHERE id = ANY($1::text[])", sorted(ids))
    return {r["id"]: r["plate"] for r in rows}


# --- violations


_VIOLATION: Final = (
    "SELECT v.id, v.plate, v.at, v.place, v.act, v.fine_fen, v.points, v.status, v.driver FROM violations v"
)


async def violations_of(conn: Connection, ids: Collection[str]) -> list[Violation]:
    """Violations by their numbers, those that exist, by (time, id)."""
    return _violations(await conn.fetch(f"{_VIOLATION} WHERE v.id = ANY($1::text[])", sorted(ids)))


async def violations_between(conn: Connection, from_us_: int, to_us_: int = _AFTER_ALL) -> list[Violation]:
    """Every violation in [from, to), by (time, id)."""
    return _violations(
        await conn.fetch(
            f"{_VIOLATION} WHERE v.at >= $1 AND v.at < $2",
            from_us(max(from_us_, 0)),
            from_us(min(to_us_, _AFTER_ALL)),
        )
    )


async def violations_of_plates(conn: Connection, wanted: Collection[tuple[str, int, int]]) -> list[Violation]:
    """Violations of each (plate, from, to) of ``wanted`` ([from, to), us), by (time, id)."""
    return await _in_spans(conn, "plate", wanted)


async def violations_of_drivers(
    conn: Connection, wanted: Collection[tuple[str, int, int]]
) -> list[Violation]:
    """Violations whose record names the driver, of each (driver, from, to) of ``wanted``, by (time, id)."""
    return await _in_spans(conn, "driver", wanted)


async def _in_spans(
    conn: Connection, column: str, wanted: Collection[tuple[str, int, int]]
) -> list[Violation]:
    if not wanted:
        return []
    spans = sorted(wanted)
    rows = await conn.fetch(
        f"SELECT DISTINCT v.* FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) AS k (key, since, until)"  # noqa: S608 - fixed texts
        f" JOIN ({_VIOLATION}) v ON v.{column} = k.key AND v.at >= k.since AND v.at < k.until",
        [key for key, _, _ in spans],
        [from_us(max(a, 0)) for _, a, _ in spans],
        [from_us(min(b, _AFTER_ALL)) for _, _, b in spans],
    )
    return _violations(rows)


def _violations(rows: Sequence[Any]) -> list[Violation]:
    found = [
        Violation(
            r["id"], r["plate"], to_us(r["at"]), r["place"], r["act"], r["fine_fen"], r["points"], r["status"],
            r["driver"],
        )
        for r in rows
    ]  # fmt: skip
    return sorted(found, key=lambda v: (v.at_us, v.id))


async def drivers_at(
    conn: Connection, wanted: Sequence[tuple[int, int]], parameters: Sequence[ParameterRow]
) -> list[tuple[str, str] | None]:
    """(driver, order) of the order that covered each (vehicle number, time) of ``wanted``; None: no order, or one
    without a driver."""
    if not wanted:
        return []
    nos, times = (np.array(column, np.int64) for column in zip(*wanted, strict=True))
    rows = await conn.fetch(
        "SELECT o.id, o.version, o.organisation, o.vehicle, v.no, o.driver, o.task_type, o.purpose, o.status,"
        " o.planned_departure, o.planned_return, o.extended_return, o.actual_departure, o.actual_return, o.entered_at"
        " FROM dispatch_orders o JOIN vehicles v ON v.id = o.vehicle WHERE o.is_current AND v.no = ANY($1::integer[])"
        " AND o.planned_departure <= $3::timestamptz + interval '1 day' AND (o.status IN ('approved', 'departed')"
        " OR GREATEST(o.planned_return, o.extended_return, o.actual_return) >= $2)",
        sorted(set(nos.tolist())),
        from_us(int(times.min())),
        from_us(int(times.max())),
    )
    book = OrderBook()
    book.replace(nos.tolist(), [_order(r) for r in rows], parameters)
    covering = [None if row < 0 else book.orders[row] for row in book.at(nos, times).tolist()]
    return [None if o is None or o.driver is None else (o.driver, o.id) for o in covering]


def _order(row: Any) -> Order:
    def optional(name: str) -> int | None:
        return None if row[name] is None else to_us(row[name])

    return Order(
        row["id"], row["version"], row["organisation"], row["vehicle"], row["no"], row["driver"], row["task_type"],
        row["purpose"], row["status"], None, (), None, to_us(row["planned_departure"]), to_us(row["planned_return"]),
        optional("extended_return"), optional("actual_departure"), optional("actual_return"), to_us(row["entered_at"]),
    )  # fmt: skip


async def plates_driven(conn: Connection, wanted: Collection[tuple[str, int, int]]) -> dict[str, set[str]]:
    """By driver: the plates of the vehicles of the driver's orders that may cover a time in (driver, from, to) of
    ``wanted``."""
    found: dict[str, set[str]] = defaultdict(set)
    if wanted:
        spans = sorted(wanted)
        rows = await conn.fetch(
            "SELECT DISTINCT o.driver, v.plate FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[])"
            " AS k (driver, since, until) JOIN dispatch_orders o ON o.is_current AND o.driver = k.driver"
            " AND o.planned_departure < k.until + interval '1 day' AND (o.status IN ('approved', 'departed')"
            " OR GREATEST(o.planned_return, o.extended_return, o.actual_return) >= k.since)"
            " JOIN vehicles v ON v.id = o.vehicle",
            [driver for driver, _, _ in spans],
            [from_us(max(a, 0)) for _, a, _ in spans],
            [from_us(min(b, _AFTER_ALL)) for _, _, b in spans],
        )
        for row in rows:
            found[row["driver"]].add(row["plate"])
    return found


async def touched_by_orders(conn: Connection, orders: Collection[str]) -> list[tuple[Violation, str]]:
    """(violation without a driver, driver) that any version of ``orders`` may have to do with: the driver of it, or of
    another order of the vehicle at that time."""
    rows = await conn.fetch(
        f"SELECT DISTINCT v.*, d.driver AS whose FROM dispatch_orders o JOIN vehicles c ON c.id = o.vehicle"  # noqa: S608 - fixed texts
        f" JOIN ({_VIOLATION}) v ON v.plate = c.plate AND v.driver IS NULL AND v.at >= o.planned_departure - interval '1 day'"
        f" AND (o.status IN ('approved', 'departed') OR v.at <= {_ENDED.format('o')})"
        " JOIN dispatch_orders d ON d.vehicle = o.vehicle AND d.driver IS NOT NULL"
        " AND d.planned_departure - interval '1 day' <= v.at"
        f" AND (d.status IN ('approved', 'departed') OR v.at <= {_ENDED.format('d')}) WHERE o.id = ANY($1::text[])",
        sorted(orders),
    )
    return [(v, r["whose"]) for r in rows for v in _violations([r])]


_ENDED: Final = "GREATEST({0}.planned_return, {0}.extended_return, {0}.actual_return)"
