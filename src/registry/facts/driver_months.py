"""Which drivers' months changed records concern."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from registry.facts.trips import END, START
from registry.order_cover import last_return
from runtime.connection import Connection
from runtime.units import LATEST_US, from_us, to_us

#: A fill belongs to the trip before it for so long at most.
_REACH: Final = "interval '31 days'"

_MONTHS: Final = (
    "SELECT DISTINCT s.every_energy, o.driver, v.energy,"  # noqa: S608 - fixed text
    f" to_char(GREATEST({START}, s.since) AT TIME ZONE 'UTC' + interval '8 hours', 'YYYY-MM') AS first,"
    f" to_char(LEAST({END} + {_REACH}, s.until) AT TIME ZONE 'UTC' + interval '8 hours', 'YYYY-MM') AS last"
    " FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::boolean[])"
    " AS s (vehicle, since, until, every_energy)"
    " JOIN dispatch_orders o ON {join} JOIN vehicles v ON v.id = o.vehicle"
    f" WHERE o.driver IS NOT NULL AND {last_return('o')} >= s.since - {_REACH}"
    f" AND {END} + {_REACH} >= s.since AND {START} < s.until"
)
_OF_CARDS: Final = (
    "SELECT v.id, s.since FROM unnest($1::text[], $2::timestamptz[]) AS s (card, since)"
    " JOIN card_bindings b ON b.card = s.card AND (b.valid_to IS NULL OR b.valid_to > s.since)"
    " JOIN vehicles v ON v.plate = b.plate"
)
_OF_ORDERS: Final = (
    f"SELECT o.vehicle, min(LEAST({START}, o.planned_departure)) AS since,"  # noqa: S608 - fixed text
    f" max({END}) + {_REACH} AS until FROM dispatch_orders o WHERE o.id = ANY($1::text[])"
    " GROUP BY o.id, o.vehicle"
)

#: Vehicle (None = every), from, to in microseconds since 1970 UTC, and whether its kind of energy itself may have changed.
Span = tuple[str | None, int, int, bool]


@dataclass(frozen=True, slots=True)
class Months:
    """A driver of a vehicle, and the natural months (``YYYY-MM``), from the first to the last, in which his trips or the fills
    after them may count. ``energy``: of the vehicle; ``every_energy``: another may be meant, too."""

    driver: str
    energy: str
    first: str
    last: str
    every_energy: bool


async def months_of(conn: Connection, spans: Sequence[Span], *, current_only: bool = False) -> list[Months]:
    """Months that the trips within ``spans`` touch: all of them spans of a vehicle, or all of every vehicle. Trips of whatever
    version of their orders; ``current_only``, for every vehicle: of the current ones."""
    if not spans:
        return []
    of_every = "o.is_current" if current_only else "true"
    join = of_every if spans[0][0] is None else "o.vehicle = s.vehicle"
    rows = await conn.fetch(
        _MONTHS.replace("{join}", join), [s[0] for s in spans], [from_us(s[1]) for s in spans],
        [from_us(min(s[2], LATEST_US)) for s in spans], [s[3] for s in spans],
    )  # fmt: skip
    return [Months(r["driver"], r["energy"], r["first"], r["last"], r["every_energy"]) for r in rows]


async def cards_of_transactions(conn: Connection, ids: Mapping[str, int]) -> list[tuple[str, int]]:
    """(card, time) of transactions (id -> time)."""
    rows = await conn.fetch("SELECT id, card FROM fuel_transactions WHERE id = ANY($1::text[])", sorted(ids))
    return [(row["card"], ids[row["id"]]) for row in rows]


async def vehicles_of_cards(conn: Connection, since_us: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """(vehicle, from when on) for cards (card, from when on) that are bound to one at that time or later."""
    rows = await conn.fetch(_OF_CARDS, [card for card, _ in since_us], [from_us(us) for _, us in since_us])
    return [(row["id"], to_us(row["since"])) for row in rows]


async def vehicles_of_orders(conn: Connection, ids: Sequence[str]) -> list[tuple[str, int, int]]:
    """(vehicle, from, to) in which trips of orders and the fills after them may count, of any of their versions."""
    rows = await conn.fetch(_OF_ORDERS, ids)
    return [(row["vehicle"], to_us(row["since"]), to_us(row["until"])) for row in rows]
