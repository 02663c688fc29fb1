"""Fills with what belongs to them: their cards, bindings and stations, and reversals. Many keys at a time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from registry.spelling import name_key
from registry.stations import StationRow, station_of_row
from registry.transactions import SELECT, TransactionRow, by_card, fills_joined, transaction_of_row
from runtime.connection import Connection
from runtime.units import US_PER_DAY, from_us, to_us

#: A reversal without the number of what it takes back takes back a fill at most so long before it (以内).
REVERSAL_REACH_US: Final = US_PER_DAY


@dataclass(frozen=True, slots=True)
class CardTransaction:
    """A transaction with the unit of its card, and the binding and the station that it had. ``bound``: (plate, from,
    to or None)."""

    transaction: TransactionRow
    organisation: str
    bound: tuple[str, int, int | None] | None
    station: StationRow | None


async def card_transactions(conn: Connection, ids: Collection[str]) -> dict[str, CardTransaction]:
    """Transactions by id, those that exist."""
    rows = await conn.fetch(
        f"SELECT t.*, c.organisation, b.plate, b.valid_from, b.valid_to, s.name, s.geometry FROM ({SELECT}) t"  # noqa: S608 - fixed text
        " JOIN fuel_cards c ON c.id = t.card"
        " LEFT JOIN card_bindings b ON b.card = t.card AND b.valid_from <= t.at AND (b.valid_to IS NULL OR t.at < b.valid_to)"
        " LEFT JOIN fuel_stations s ON s.id = t.station WHERE t.id = ANY($1::text[])",
        sorted(ids),
    )
    found = {}
    for r in rows:
        row = transaction_of_row(r)
        bound = None
        if r["plate"] is not None:
            until = None if r["valid_to"] is None else to_us(r["valid_to"])
            bound = (r["plate"], to_us(r["valid_from"]), until)
        station = None if row.station is None else station_of_row(row.station, r["name"], r["geometry"])
        found[row.id] = CardTransaction(row, r["organisation"], bound, station)
    return found


async def fills_of_plates(
    conn: Connection, plates: Collection[str], spans: Sequence[tuple[int, int]]
) -> list[tuple[TransactionRow, str]]:
    """(fill, plate) of every fill in one of ``spans`` ([from, to), us) by a card that was then bound to one of
    ``plates``; reversed ones too. By (time, id)."""
    rows = await conn.fetch(
        "SELECT DISTINCT ON (t.at, t.id) t.*, b.plate FROM unnest($2::timestamptz[], $3::timestamptz[]) AS s (since, until)"  # noqa: S608 - fixed text
        " JOIN card_bindings b ON b.plate = ANY($1::text[]) AND b.valid_from < s.until"
        " AND (b.valid_to IS NULL OR b.valid_to > s.since)"
        f" CROSS JOIN LATERAL ({SELECT} WHERE t.card = b.card AND t.kind = 'fill'"
        " AND t.at >= GREATEST(b.valid_from, s.since) AND t.at < LEAST(b.valid_to, s.until)) t"
        " ORDER BY t.at, t.id",
        sorted(plates),
        [from_us(a) for a, _ in spans],
        [from_us(b) for _, b in spans],
    )
    return [(transaction_of_row(r), r["plate"]) for r in rows]


async def card_fills_of_vehicles(
    conn: Connection, vehicles: Collection[str], since_us: int, until_us: int
) -> list[tuple[str, TransactionRow]]:
    """(vehicle, fill) of every fill in [since, until) by a card that was then bound to the plate that the vehicle then had; none that was taken back.
    By (time, id)."""
    rows = await conn.fetch(
        "SELECT DISTINCT ON (t.at, t.id) t.*, v.id AS vehicle FROM vehicles v"  # noqa: S608 - fixed text
        # The first plate is known since the register was told; the vehicle had it before.
        " CROSS JOIN LATERAL (SELECT h.plate, h.valid_to, CASE WHEN lag(h.plate) OVER (ORDER BY h.valid_from) IS NULL THEN '-infinity' ELSE h.valid_from END AS valid_from"
        " FROM vehicle_plates h WHERE h.vehicle_no = v.no) p JOIN card_bindings b ON b.plate = p.plate"
        f" CROSS JOIN LATERAL ({SELECT} WHERE t.card = b.card AND t.kind = 'fill' AND t.at >= GREATEST(b.valid_from, p.valid_from, $2::timestamptz)"
        " AND t.at < LEAST(b.valid_to, p.valid_to, $3::timestamptz)) t WHERE v.id = ANY($1::text[]) ORDER BY t.at, t.id",
        sorted(vehicles), from_us(since_us), from_us(until_us),
    )  # fmt: skip
    found = [(str(row["vehicle"]), transaction_of_row(row)) for row in rows]
    gone = await reversed_of_cards(conn, {fill.card for _, fill in found})
    return [(vehicle, fill) for vehicle, fill in found if fill.id not in gone]


async def fills_of_bound_plates(conn: Connection, since_us: Mapping[str, int]) -> dict[str, int]:
    """Time of every fill by a card that was then bound to one of the plates (-> since when)."""
    return await fills_joined(
        conn,
        "JOIN card_bindings b ON b.plate = k.key JOIN fuel_transactions t ON t.card = b.card"
        " AND t.at >= GREATEST(b.valid_from, k.since) AND (b.valid_to IS NULL OR t.at < b.valid_to)",
        since_us,
    )


async def reversed_of_cards(conn: Connection, cards: Collection[str]) -> dict[str, str]:
    """Fills of ``cards`` that were taken back -> the reversal. Cards without reversals are not read."""
    rows = await conn.fetch(
        f"{SELECT} JOIN (SELECT DISTINCT card FROM fuel_transactions WHERE card = ANY($1::text[])"  # noqa: S608 - fixed text
        " AND kind = 'reversal') r ON r.card = t.card WHERE t.kind IN ('fill', 'reversal')",
        sorted(cards),
    )
    found: dict[str, str] = {}
    for its in by_card(rows).values():
        found |= reversed_fills(its)
    return found


def reversed_fills(transactions: Iterable[TransactionRow]) -> dict[str, str]:
    """Fills of *one* card that were taken back -> the reversal that did.

    A reversal takes back the fill that it names. One that names none that we know takes back the newest fill before
    it, not longer ago than REVERSAL_REACH_US and not taken back yet, of the same quantity (whatever the sign) at the same
    station, as far as both are known. What was paid back may differ by a fee or a discount: money only says which of several
    such fills it was, and stands in for the quantity where a row has none. One that finds none takes nothing back, and is
    shown (``card_use``). Indifferent to order.
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
    ordered = list(fills.values())
    times = [fill.at_us for fill in ordered]
    for row in unnamed:
        # Only what is near enough is looked at: a card may have years of fills.
        near = slice(
            bisect_left(times, row.at_us - REVERSAL_REACH_US),
            bisect_right(times, row.at_us + REVERSAL_REACH_US),
        )
        fitting = [f for f in ordered[near] if f.id not in found and _takes_back(row, f)]
        if fitting:
            found[max(fitting, key=lambda f: (_same(row.amount_fen, f.amount_fen), f.at_us, f.id)).id] = (
                row.id
            )
    return found


def _takes_back(reversal: TransactionRow, fill: TransactionRow) -> bool:
    later_us = reversal.at_us - fill.at_us
    if reversal.posted or fill.posted:  # times of booking do not say what came first
        later_us = abs(later_us)
    if not 0 <= later_us <= REVERSAL_REACH_US:
        return False
    if not _may_be_same_station(reversal, fill):
        return False
    if reversal.quantity and fill.quantity:
        return _same(reversal.quantity, fill.quantity)
    return _same(reversal.amount_fen, fill.amount_fen)


def _same(one: int | None, two: int | None) -> bool:
    """Whether both are known, and equal but for the sign. 0 = not known."""
    return bool(one and two) and abs(one or 0) == abs(two or 0)


def _may_be_same_station(one: TransactionRow, two: TransactionRow) -> bool:
    """By station where both are matched to one, else by the name as written; a row without a name may be any."""
    if one.station and two.station:
        return one.station == two.station
    names = name_key(one.station_name), name_key(two.station_name)
    return not all(names) or names[0] == names[1]
