"""Fuel transactions (油卡交易), the lines of a card's statement: the record, written and read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from registry.pages import BEFORE, SINCE, Filter, Listing, Sorting, same
from registry.refusals import refuse_future
from registry.spelling import name_key
from registry.stations import stations_by_name
from registry.upsert import TEXT, Column, PlainTable, upsert
from registry.values import Code, Identifier, Money, Quantity, Record, Text, Time, UnitPrice, WriteResult
from registry.writing import Lock, take
from runtime.connection import Connection
from runtime.units import LATEST_US, from_us, in_us, to_us


class FuelTransaction(Record):
    """A line of a card's statement. Decimal numbers as text or JSON numbers, read exactly: ``quantity`` in
    litres (kWh if ``energy`` is electric), money in yuan. Without ``station``, the one that bears
    ``station_name`` is taken, if there is one.
    """

    id: Code = Field(description="the statement's own number of the transaction, or the office's")
    card: Code
    at: Time
    posted: bool = Field(
        False, description="`at` is no time of payment: that of the booking (入账时间), or a day alone"
    )
    kind: Literal["fill", "top_up", "reversal", "fee", "other"]
    product: Text = ""
    energy: Literal["fuel", "electric"] = "fuel"
    quantity: Quantity | None = None
    unit_price: UnitPrice | None = None
    amount: Money | None = None
    balance: Money | None = None
    station: Identifier | None = None
    station_name: Text = Field("", description="网点 as written")
    reverses: Code | None = Field(None, description="id of the transaction that a reversal takes back")
    source: Text = ""

    @model_validator(mode="before")
    @classmethod
    def _negative_goes_back(cls, data: Any) -> Any:
        """A fill of a negative quantity is a reversal of so much."""
        if not isinstance(data, dict) or data.get("kind") not in ("fill", "reversal"):
            return data
        quantity = data.get("quantity")
        if isinstance(quantity, str) and quantity.strip().startswith("-"):
            return data | {"kind": "reversal", "quantity": quantity.strip()[1:]}
        if isinstance(quantity, int | float | Decimal) and quantity < 0:
            return data | {"kind": "reversal", "quantity": -quantity}
        return data


def exact_sums(record: FuelTransaction) -> tuple[Fraction | None, Fraction | None, Fraction | None]:
    """Quantity (litres or kWh), price (yuan a unit) and sum (yuan) of ``record``; None = it does not say."""

    def exact(value: int | None, decimals: int) -> Fraction | None:
        return None if value is None else Fraction(value, 10**decimals)

    return exact(record.quantity, 3), exact(record.unit_price, 4), exact(record.amount, 2)


HEADERS: Final = {
    "流水号": "id", "卡号": "card", "交易时间": "at", "仅入账时间": "posted", "交易类型": "kind", "油品": "product", "能源": "energy",
    "数量": "quantity", "单价": "unit_price", "金额": "amount", "余额": "balance", "站点": "station",
    "网点": "station_name", "原流水号": "reverses", "来源": "source",
}  # fmt: skip
TABLE: Final = PlainTable(
    "fuel_transactions",
    {
        "card": TEXT, "at": Column("timestamptz"), "posted": Column("boolean"), "kind": TEXT, "product": TEXT, "energy": TEXT,
        "quantity": Column("bigint", decimals=3), "unit_price": Column("numeric", decimals=4),
        "amount_fen": Column("bigint", "amount", decimals=2), "balance_fen": Column("bigint", "balance", decimals=2),
        "station": TEXT, "station_given": Column("boolean", shown=False), "station_name": TEXT, "reverses": TEXT,
        "source": TEXT,
    },
)  # fmt: skip


def unmatched(t: str) -> str:
    """SQL condition: a transaction names a station, and no station bears that name."""
    return f"{t}.station IS NULL AND {t}.station_name <> ''"


LISTING: Final = Listing(
    TABLE.select(),
    {
        "card": same("card"),
        "kind": same("kind"),
        "station": same("station"),
        "from": SINCE,
        "to": BEFORE,
        "unmatched": Filter(f"{{}} = 'true' AND {unmatched('t')}"),
    },
    orders={"at": Sorting("t.at", "time")},
    decimals=TABLE.decimals(),
)


# --- written


async def write(connection: Connection, records: Sequence[FuelTransaction]) -> list[WriteResult]:
    """Write transactions; references were checked. Raises RefusedError for a time in the future."""
    await refuse_future(connection, [record.at for record in records])
    placed = await _placed(connection, records)
    results = await upsert(connection, TABLE, placed)
    if any(record.station is None and record.station_name for record in records):
        # What a name means may have changed while this was written.
        await take(connection, Lock.STATION_NAMES)
        again = await _placed(connection, records)
        if again != placed:
            later = await upsert(connection, TABLE, again)
            results = [two if one == "unchanged" else one for one, two in zip(results, later, strict=True)]
    return results


class _Placed(FuelTransaction):
    """A transaction whose ``station`` is what its name means, or was given (``station_given``)."""

    station_given: bool


async def _placed(connection: Connection, records: Sequence[FuelTransaction]) -> list[_Placed]:
    known: dict[str, str] = {}
    if any(record.station is None and record.station_name for record in records):
        known = await stations_by_name(connection)
    # Who sends back what he read gives nothing.
    read: set[tuple[Any, ...]] = set()
    if given := [record.id for record in records if record.station is not None]:
        rows = await connection.fetch(
            "SELECT id, station, station_name FROM fuel_transactions WHERE id = ANY($1::text[]) AND NOT station_given",
            given,
        )
        read = {tuple(row) for row in rows}
    return [
        _Placed.model_construct(
            **dict(record)
            | {
                "station": record.station or known.get(name_key(record.station_name)),
                "station_given": record.station is not None
                and (record.id, record.station, record.station_name) not in read,
            }
        )
        for record in records
    ]


# --- read

#: The columns of a TransactionRow, of the table ``t``.
SELECT: Final = (
    "SELECT t.id, t.card, t.at, t.kind, t.product, t.energy, t.quantity, t.amount_fen, t.station, t.station_name,"
    " t.reverses, t.posted FROM fuel_transactions t"
)


@dataclass(frozen=True, slots=True)
class TransactionRow:
    """A row of a card's statement. ``quantity``: ml or Wh, None = not given. ``posted``: its time is no time of payment."""

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
    posted: bool = False


def transaction_of_row(row: Any) -> TransactionRow:
    """The transaction of a row that begins with the columns of SELECT."""
    return TransactionRow(*in_us(row[:12]))


async def transactions_of_cards(conn: Connection, cards: Collection[str]) -> dict[str, list[TransactionRow]]:
    """Every transaction of each card, by (time, id)."""
    rows = await conn.fetch(f"{SELECT} WHERE t.card = ANY($1::text[])", sorted(cards))
    return by_card(rows)


def by_card(rows: Iterable[Any]) -> dict[str, list[TransactionRow]]:
    """Rows of SELECT by card, those of each by (time, id)."""
    found: dict[str, list[TransactionRow]] = defaultdict(list)
    for row in rows:
        found[row["card"]].append(transaction_of_row(row))
    for its in found.values():
        its.sort(key=lambda t: (t.at_us, t.id))
    return found


async def transaction_times(conn: Connection, ids: Collection[str]) -> dict[str, tuple[str, int]]:
    """(card, time) of transactions, those that exist."""
    rows = await conn.fetch(
        "SELECT id, card, at FROM fuel_transactions WHERE id = ANY($1::text[])", sorted(ids)
    )
    return {r["id"]: (r["card"], to_us(r["at"])) for r in rows}


async def fills_between(conn: Connection, from_us_: int, to_us_: int = LATEST_US) -> dict[str, int]:
    """Time of every fill in [from, to)."""
    return _times(
        await conn.fetch(
            "SELECT id, at FROM fuel_transactions WHERE kind = 'fill' AND at >= $1 AND at < $2",
            from_us(max(from_us_, 0)),
            from_us(min(to_us_, LATEST_US)),
        )
    )


async def fills_of_cards(
    conn: Connection, since_us: Mapping[str, int], *, only_with_reversals: bool = False
) -> dict[str, int]:
    """Time of every fill and every reversal of cards (-> since when)."""
    has = "EXISTS (SELECT FROM fuel_transactions r WHERE r.card = k.key AND r.kind = 'reversal')"
    return await fills_joined(
        conn,
        f"JOIN fuel_transactions t ON t.card = k.key AND t.at >= k.since{f' AND {has}' if only_with_reversals else ''}",
        since_us,
        kinds=("fill", "reversal"),
    )


async def fills_at_stations(conn: Connection, since_us: Mapping[str, int]) -> dict[str, int]:
    """Time of every fill at stations (-> since when)."""
    return await fills_joined(
        conn, "JOIN fuel_transactions t ON t.station = k.key AND t.at >= k.since", since_us
    )


async def fills_joined(
    conn: Connection, joined: str, since_us: Mapping[str, int], *, kinds: Sequence[str] = ("fill",)
) -> dict[str, int]:
    """Time of the fills (or other ``kinds``) ``t`` that ``joined`` finds for the ``key`` and ``since`` of each row ``k``."""
    if not since_us:
        return {}
    rows = await conn.fetch(
        f"SELECT t.id, t.at FROM unnest($1::text[], $2::timestamptz[]) AS k (key, since) {joined}"  # noqa: S608 - fixed texts
        " WHERE t.kind = ANY($3::text[])",
        list(since_us),
        [from_us(max(us, 0)) for us in since_us.values()],
        list(kinds),
    )
    return _times(rows)


def _times(rows: Sequence[Any]) -> dict[str, int]:
    return {r["id"]: to_us(r["at"]) for r in rows}
