"""Reading facts about fuel: cards, bindings, transactions, the vehicles behind plates, trips. Many keys at a time.

A *trip* is an order as a stretch of time: from its departure (actual, else planned) to its return (actual, else the
extended or planned one; ``returned`` says which). Cancelled orders are none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from registry.snapshot.timelines import FOREVER
from runtime.connection import Connection
from runtime.units import US_PER_DAY, china_day, from_us, to_us

#: A reversal without the number of what it takes back takes back a fill at most so long before it.
REVERSAL_REACH_US: Final = 31 * US_PER_DAY

START: Final = "COALESCE(o.actual_departure, o.planned_departure)"
END: Final = "COALESCE(o.actual_return, GREATEST(o.planned_return, o.extended_return))"

_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class FuelCard:
    """A fuel card (油卡); days are natural days of China."""

    id: str
    organisation: str
    status: str
    opened_on: date | None
    closed_on: date | None
    created_us: int


@dataclass(frozen=True, slots=True)
class CardBinding:
    """A card bound to a plate in [from, to); ``to_us`` FOREVER = still."""

    card: str
    plate: str
    from_us: int
    to_us: int


@dataclass(frozen=True, slots=True)
class PlateVehicle:
    """A vehicle of the register, found by its plate. Official in [registered_on, disposed_on)."""

    no: int
    id: str
    plate: str
    organisation: str
    energy: str
    registered_on: date | None
    disposed_on: date | None


@dataclass(frozen=True, slots=True)
class Transaction:
    """A row of a card's statement. ``quantity``: ml or Wh, None = not given."""

    id: str
    card: str
    at_us: int
    kind: str
    product: str
    energy: str
    quantity: int | None
    amount_fen: int | None
    station: str | None
    station_name: str
    reverses: str | None


@dataclass(frozen=True, slots=True)
class Trip:
    """See the module docstring. ``mileage_mm`` and so on: of its settled result in this very version. ``first_us``,
    ``last_us``: its first and last valid fix (None = none)."""

    id: str
    version: int
    vehicle: str
    driver: str | None
    from_us: int
    to_us: int
    returned: bool
    settled: bool = False
    mileage_mm: int = 0
    bridged_mm: int = 0
    fixes: int = 0
    first_us: int | None = None
    last_us: int | None = None


_TRANSACTION = (
    "SELECT t.id, t.card, t.at, t.kind, t.product, t.energy, t.quantity, t.amount_fen, t.station, t.station_name,"
    " t.reverses FROM fuel_transactions t"
)
_TRIP = (
    f"SELECT o.id, o.version, o.vehicle, o.driver, {START} AS departed, {END} AS ended,"
    " o.status = 'returned' OR o.actual_return IS NOT NULL AS returned"
)


async def cards_of(conn: Connection, ids: Collection[str]) -> dict[str, FuelCard]:
    """Cards by id."""
    rows = await conn.fetch(
        "SELECT id, organisation, status, opened_on, closed_on, created_at FROM fuel_cards WHERE id = ANY($1::text[])",
        sorted(ids),
    )
    return {
        r["id"]: FuelCard(
            r["id"], r["organisation"], r["status"], r["opened_on"], r["closed_on"], to_us(r["created_at"])
        )
        for r in rows
    }


async def bindings_of_cards(conn: Connection, cards: Collection[str]) -> dict[str, list[CardBinding]]:
    """Every binding of each card, in order of time."""
    return _bindings(
        await conn.fetch(
            "SELECT card, plate, valid_from, valid_to FROM card_bindings WHERE card = ANY($1::text[])",
            sorted(cards),
        )
    )


async def bindings_of_plates(conn: Connection, plates: Collection[str]) -> dict[str, list[CardBinding]]:
    """By card: the bindings to ``plates``, in order of time."""
    return _bindings(
        await conn.fetch(
            "SELECT card, plate, valid_from, valid_to FROM card_bindings WHERE plate = ANY($1::text[])",
            sorted(plates),
        )
    )


async def vehicles_of_plates(conn: Connection, plates: Collection[str]) -> dict[str, list[PlateVehicle]]:
    """Every vehicle that the register has under each plate, disposed ones too, by id."""
    rows = await conn.fetch(
        "SELECT no, id, plate, organisation, energy, registered_on, disposed_on FROM vehicles"
        " WHERE plate = ANY($1::text[]) ORDER BY id",
        sorted(plates),
    )
    found: dict[str, list[PlateVehicle]] = defaultdict(list)
    for row in rows:
        found[row["plate"]].append(PlateVehicle(*row))
    return found


async def vehicles_of_ids(conn: Connection, ids: Collection[str]) -> dict[str, PlateVehicle]:
    """Vehicles by id."""
    rows = await conn.fetch(
        "SELECT no, id, plate, organisation, energy, registered_on, disposed_on FROM vehicles"
        " WHERE id = ANY($1::text[])",
        sorted(ids),
    )
    return {r["id"]: PlateVehicle(*r) for r in rows}


def vehicle_at(vehicles: Iterable[PlateVehicle], at_us: int) -> PlateVehicle | None:
    """The official vehicle among those of one plate on the natural day of a time. Where the register has several,
    the one registered last; of those, the one disposed of first (the other came after it)."""
    day = china_day(at_us)
    held = [v for v in vehicles if _day(v.registered_on, -1) <= day < _day(v.disposed_on, 10**9)]
    if not held:
        return None
    return min(held, key=lambda v: (-_day(v.registered_on, -1), _day(v.disposed_on, 10**9), v.id))


async def transactions_of_cards(conn: Connection, cards: Collection[str]) -> dict[str, list[Transaction]]:
    """Every transaction of each card, by (time, id)."""
    rows = await conn.fetch(f"{_TRANSACTION} WHERE t.card = ANY($1::text[])", sorted(cards))
    return _by_card(rows)


async def fills_of_plates(
    conn: Connection, plates: Collection[str], spans: Sequence[tuple[int, int]]
) -> list[tuple[Transaction, str]]:
    """(fill, plate) of every fill in one of ``spans`` ([from, to), us) by a card that was then bound to one of
    ``plates``; reversed ones too. By (time, id)."""
    rows = await conn.fetch(
        "SELECT DISTINCT ON (t.at, t.id) t.*, b.plate FROM unnest($2::timestamptz[], $3::timestamptz[]) AS s (since, until)"  # noqa: S608 - fixed text
        " JOIN card_bindings b ON b.plate = ANY($1::text[]) AND b.valid_from < s.until"
        " AND (b.valid_to IS NULL OR b.valid_to > s.since)"
        f" CROSS JOIN LATERAL ({_TRANSACTION} WHERE t.card = b.card AND t.kind = 'fill'"
        " AND t.at >= GREATEST(b.valid_from, s.since) AND t.at < LEAST(b.valid_to, s.until)) t"
        " ORDER BY t.at, t.id",
        sorted(plates),
        [from_us(a) for a, _ in spans],
        [from_us(b) for _, b in spans],
    )
    return [(_transaction(r), r["plate"]) for r in rows]


async def reversed_of_cards(conn: Connection, cards: Collection[str]) -> dict[str, str]:
    """Fills of ``cards`` that were taken back -> the reversal. Cards without reversals are not read."""
    rows = await conn.fetch(
        f"{_TRANSACTION} JOIN (SELECT DISTINCT card FROM fuel_transactions WHERE card = ANY($1::text[])"  # noqa: S608 - fixed text
        " AND kind = 'reversal') r ON r.card = t.card WHERE t.kind IN ('fill', 'reversal')",
        sorted(cards),
    )
    found: dict[str, str] = {}
    for its in _by_card(rows).values():
        found |= reversed_fills(its)
    return found


def reversed_fills(transactions: Iterable[Transaction]) -> dict[str, str]:
    """Fills of *one* card that were taken back -> the reversal that did.

    A reversal takes back the fill that it names. One that names none that we know takes back the newest fill before
    it, not longer ago than REVERSAL_REACH_US and not taken back yet, of the same amount of money (whatever the sign)
    and quantity, as far as both rows have them, at the same station, as far as both are known. Indifferent to order.
    """
    rows = sorted(transactions, key=lambda t: (t.at_us, t.id))
    fills = {t.id: t for t in rows if t.kind == "fill"}
    found: dict[str, str] = {}
    unnamed = []
    for row in rows:
        if row.kind == "reversal":
            if row.reverses in fills:
                found.setdefault(row.reverses, row.id)
            else:
                unnamed.append(row)
    for row in unnamed:
        fitting = [f for f in fills.values() if f.id not in found and _takes_back(row, f)]
        if fitting:
            found[max(fitting, key=lambda f: (f.at_us, f.id)).id] = row.id
    return found


def _takes_back(reversal: Transaction, fill: Transaction) -> bool:
    if not 0 <= reversal.at_us - fill.at_us <= REVERSAL_REACH_US:
        return False
    if reversal.station and fill.station and reversal.station != fill.station:
        return False
    pairs = [(reversal.amount_fen, fill.amount_fen), (reversal.quantity, fill.quantity)]
    known = [(abs(a), abs(b)) for a, b in pairs if a and b]
    return bool(known) and all(a == b for a, b in known)


async def trips_of_vehicles(
    conn: Connection, vehicles: Collection[str], spans: Sequence[tuple[int, int]] = ((0, FOREVER),)
) -> dict[str, list[Trip]]:
    """By vehicle: its trips that touch one of ``spans`` ([from, to], us), by (departure, id), without results."""
    rows = await conn.fetch(
        f"{_TRIP} FROM current_dispatch_orders o WHERE o.vehicle = ANY($1::text[]) AND o.status <> 'cancelled'"
        " AND EXISTS (SELECT FROM unnest($2::timestamptz[], $3::timestamptz[]) AS s (since, until)"
        f" WHERE {START} <= s.until AND {END} >= s.since)",
        sorted(vehicles),
        [from_us(a) for a, _ in spans],
        [_until(b) for _, b in spans],
    )
    found: dict[str, list[Trip]] = defaultdict(list)
    for row in rows:
        found[row["vehicle"]].append(_trip(row))
    for trips in found.values():
        trips.sort(key=lambda t: (t.from_us, t.id))
    return found


async def trips_of_drivers(
    conn: Connection, wanted: Sequence[tuple[str, int, int]], before_us: int
) -> dict[str, list[Trip]]:
    """By driver: the trips that ended in one of the (driver, from, to) of ``wanted`` ([from, to), us) or at most
    ``before_us`` before it, with their results, by (return, id). ``to`` is at most 62 days before a planned departure.
    """
    rows = await conn.fetch(
        f"SELECT DISTINCT ON (q.id) q.* FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) AS s (driver, since, until)"  # noqa: S608 - fixed text
        f" CROSS JOIN LATERAL ({_TRIP}, COALESCE(r.state = 'settled' AND r.order_version = o.version, false) AS settled,"
        " r.mileage_mm, r.bridged_mm, r.fixes, r.first_fix_at, r.last_fix_at FROM current_dispatch_orders o"
        " LEFT JOIN order_results r ON r.order_id = o.id"
        " WHERE o.driver = s.driver AND o.status <> 'cancelled' AND o.planned_departure < s.until + interval '62 days'"
        f" AND {END} >= s.since AND {END} < s.until) q ORDER BY q.id",
        [d for d, _, _ in wanted],
        [from_us(max(a - before_us, 0)) for _, a, _ in wanted],
        [from_us(b) for _, _, b in wanted],
    )
    found: dict[str, list[Trip]] = defaultdict(list)
    for row in rows:
        found[row["driver"]].append(_trip(row, with_result=True))
    for trips in found.values():
        trips.sort(key=lambda t: (t.to_us, t.id))
    return found


async def drivers_of(conn: Connection, ids: Collection[str]) -> dict[str, tuple[str, str]]:
    """Drivers: id -> (name, organisation)."""
    rows = await conn.fetch(
        "SELECT id, name, organisation FROM drivers WHERE id = ANY($1::text[])", sorted(ids)
    )
    return {r["id"]: (r["name"], r["organisation"]) for r in rows}


def standing(bindings: Mapping[str, Sequence[CardBinding]], card: str, at_us: int) -> CardBinding | None:
    """The binding of a card at a time."""
    for held in bindings.get(card, ()):
        if held.from_us <= at_us < held.to_us:
            return held
    return None


def _day(day: date | None, otherwise: int) -> int:
    return otherwise if day is None else (day - _EPOCH).days


def _until(us: int) -> Any:
    return from_us(min(us, 4_000_000_000_000_000))


def _bindings(rows: Iterable[Any]) -> dict[str, list[CardBinding]]:
    found: dict[str, list[CardBinding]] = defaultdict(list)
    for row in rows:
        until = FOREVER if row["valid_to"] is None else to_us(row["valid_to"])
        found[row["card"]].append(CardBinding(row["card"], row["plate"], to_us(row["valid_from"]), until))
    for its in found.values():
        its.sort(key=lambda b: b.from_us)
    return found


def _by_card(rows: Iterable[Any]) -> dict[str, list[Transaction]]:
    found: dict[str, list[Transaction]] = defaultdict(list)
    for row in rows:
        found[row["card"]].append(_transaction(row))
    for its in found.values():
        its.sort(key=lambda t: (t.at_us, t.id))
    return found


def _transaction(row: Any) -> Transaction:
    return Transaction(
        row["id"], row["card"], to_us(row["at"]), row["kind"], row["product"], row["energy"], row["quantity"],
        row["amount_fen"], row["station"], row["station_name"], row["reverses"],
    )  # fmt: skip


def _trip(row: Any, with_result: bool = False) -> Trip:
    departed = to_us(row["departed"])
    trip = Trip(
        row["id"], row["version"], row["vehicle"], row["driver"], departed, max(to_us(row["ended"]), departed),
        row["returned"],
    )  # fmt: skip
    if not with_result or not row["settled"]:
        return trip
    first, last = (
        None if row[name] is None else to_us(row[name]) for name in ("first_fix_at", "last_fix_at")
    )
    return replace(
        trip, settled=True, mileage_mm=row["mileage_mm"], bridged_mm=row["bridged_mm"], fixes=row["fixes"],
        first_us=first, last_us=last,
    )  # fmt: skip
