"""Fuel and charging cards (油卡): the record, written and read; and which plate a card is bound to when (``CardPlan``,
pure).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import pairwise
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from registry.pages import Filter, Listing, same
from registry.refusals import Flaw, PlacedError, RefusedError
from registry.snapshot.timelines import FOREVER
from registry.upsert import DATE, TEXT, PlainTable, upsert
from registry.values import Code, Day, Identifier, Plate, Record, Text, Time, WriteResult
from runtime.connection import Connection
from runtime.units import CHINA, in_us, to_us


class CardBinding(BaseModel):
    """A card is bound to a plate from ``valid_from`` to ``valid_to`` (excluded; null: still)."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, frozen=True)

    plate: Plate
    valid_from: Time
    valid_to: Time | None = None

    @field_validator("valid_to")
    @classmethod
    def _ends_after_start(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        start = info.data.get("valid_from")
        if value is not None and start is not None and value <= start:
            raise ValueError("失效时间不晚于生效时间 · valid_to must be after valid_from")
        return value


class FuelCard(Record):
    """A fuel or charging card (油卡). ``plate`` and ``valid_from`` say: from then on it is bound to that
    plate (null: to none). Or give ``bindings``, its whole history, which replaces the stored one: the way to
    correct a binding.
    """

    id: Code = Field(description="卡号, as the statements have it")
    organisation: Identifier
    issuer: Text = Field("", description="发卡单位")
    kind: Literal["vehicle", "master"] = Field(
        "vehicle", description="master: 主卡, keeps the money of others and cannot fill"
    )
    status: Literal["active", "lost", "closed"] = "active"
    opened_on: Day | None = None
    closed_on: Day | None = None
    plate: Plate | None = None
    valid_from: Time | None = Field(None, validate_default=True)
    bindings: list[CardBinding] | None = Field(None, max_length=1_000)

    @property
    def binds(self) -> bool:
        """Whether the record says anything about what the card is bound to."""
        return self.valid_from is not None or self.bindings is not None

    @field_validator("closed_on")
    @classmethod
    def _after_opening(cls, value: date | None, info: ValidationInfo) -> date | None:
        first = info.data.get("opened_on")
        if value is not None and first is not None and value < first:
            raise ValueError("销卡日期早于开卡日期 · closed before it was opened")
        return value

    @field_validator("valid_from")
    @classmethod
    def _with_plate(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        if value is None and info.data.get("plate") is not None:
            raise ValueError("绑定车牌须写明起始时间 · a plate needs valid_from, the time since when")
        return value

    @field_validator("bindings")
    @classmethod
    def _never_two(cls, value: list[CardBinding] | None, info: ValidationInfo) -> list[CardBinding] | None:
        if value is None:
            return None
        if info.data.get("valid_from") is not None:
            raise ValueError("bindings 与 valid_from 只能给一个 · give either bindings or valid_from")
        by_time = sorted(range(len(value)), key=lambda i: value[i].valid_from)
        for before, after in pairwise(by_time):
            one, two = value[before], value[after]
            if one.valid_to is None or one.valid_to > two.valid_from:
                message = f"油卡同时绑定 {one.plate} 与 {two.plate} · bound to two plates at once"
                raise PlacedError(message, after)
        return [value[i] for i in by_time]


HEADERS: Final = {
    "卡号": "id", "单位": "organisation", "发卡单位": "issuer", "卡类型": "kind", "状态": "status", "开卡日期": "opened_on",
    "销卡日期": "closed_on", "车牌号": "plate", "起始时间": "valid_from", "绑定历史": "bindings",
}  # fmt: skip
_TABLE: Final = PlainTable(
    "fuel_cards",
    {
        "organisation": TEXT,
        "issuer": TEXT,
        "kind": TEXT,
        "status": TEXT,
        "opened_on": DATE,
        "closed_on": DATE,
    },
)


# --- which plate a card is bound to


@dataclass(frozen=True, slots=True)
class PlateBinding:
    """Bound to ``plate`` from ``since`` (included) to ``until`` (excluded; None = still)."""

    plate: str
    since: datetime
    until: datetime | None

    def covers(self, moment: datetime) -> bool:
        """Whether it holds at ``moment``."""
        return self.since <= moment and (self.until is None or self.until > moment)


class BoundTwiceError(ValueError):
    """The card is known to be bound to another plate at that time. The message is for people."""


class CardPlan:
    """The bindings of one card, which never overlap."""

    def __init__(self, bindings: Iterable[PlateBinding] = ()) -> None:
        self._bindings = sorted(bindings, key=lambda b: b.since)

    def all(self) -> list[PlateBinding]:
        """Every binding, by time."""
        return list(self._bindings)

    def bind(self, plate: str | None, since: datetime) -> None:
        """From ``since`` on the card is bound to ``plate`` (None: to none), up to what is known of later.

        Ends a binding that is still open and began before. Raises BoundTwiceError where that contradicts what
        is known: another plate from the same moment, or until a later one. The same again changes nothing.
        """
        here = next((b for b in self._bindings if b.covers(since)), None)
        if here is not None:
            if here.plate == plate:
                return
            if here.since == since or here.until is not None:
                raise BoundTwiceError(_contradiction(here, plate))
            self._bindings.remove(here)
            self._bindings.append(replace(here, until=since))
        if plate is not None:
            following = next((b for b in self._bindings if b.since > since), None)
            until = None if following is None else following.since
            if following is not None and following.plate == plate:  # known, but from too late a time
                self._bindings.remove(following)
                until = following.until
            self._bindings.append(PlateBinding(plate, since, until))
        self._bindings.sort(key=lambda b: b.since)


def _contradiction(known: PlateBinding, plate: str | None) -> str:
    since = known.since.astimezone(CHINA).isoformat()
    until = "至今" if known.until is None else "至 " + known.until.astimezone(CHINA).isoformat()
    return (
        f"油卡自 {since} {until} 已绑定 {known.plate}，与 {plate or '解绑'} 矛盾；更正请用 bindings 给出全部历史"
        f" · the card is bound to {known.plate} at that time; to correct that, give its whole history as `bindings`"
    )


# --- written


async def write(connection: Connection, records: Sequence[FuelCard]) -> list[WriteResult]:
    """Write cards and their bindings; references were checked. See ``records.apply``.

    Raises RefusedError (a conflict) for a card that would be bound to two plates at once.
    """
    results = await upsert(connection, _TABLE, records)
    binding = [(row, record) for row, record in enumerate(records) if record.binds]
    # Those that change are locked by their cards, and looked at once more then.
    changed = [binding[k] for k, _, _ in await _changes(connection, binding)]
    if not changed:
        return results
    await connection.execute(
        "SELECT FROM fuel_cards WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE",
        [record.id for _, record in changed],
    )
    gone: list[tuple[str, datetime]] = []
    new: list[tuple[str, str, datetime, datetime | None]] = []
    for k, before, after in await _changes(connection, changed):
        row, record = changed[k]
        if results[row] == "unchanged":
            results[row] = "updated"
        gone += [(record.id, b.since) for b in before if b not in after]
        new += [(record.id, b.plate, b.since, b.until) for b in after if b not in before]
    # A statement of no rows costs as much as one of a row: the triggers of its table run as well.
    if gone:
        await connection.execute(
            "DELETE FROM card_bindings b USING unnest($1::text[], $2::timestamptz[]) AS n (card, since)"
            " WHERE b.card = n.card AND b.valid_from = n.since",
            [card for card, _ in gone],
            [since for _, since in gone],
        )
    if new:
        await connection.execute(
            "INSERT INTO card_bindings (card, plate, valid_from, valid_to)"
            " SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[])",
            *([one[k] for one in new] for k in range(4)),
        )
    return results


async def _changes(
    connection: Connection, binding: Sequence[tuple[int, FuelCard]]
) -> list[tuple[int, list[PlateBinding], list[PlateBinding]]]:
    """Of those of ``binding`` (row, record) that change something: its index, the bindings of its card as they are and as
    they are to be. Raises RefusedError for cards that would be bound twice at once."""
    if not binding:
        return []
    known: defaultdict[str, list[PlateBinding]] = defaultdict(list)
    for card, *rest in await connection.fetch(
        "SELECT card, plate, valid_from, valid_to FROM card_bindings WHERE card = ANY($1) ORDER BY 1, 3",
        [record.id for _, record in binding],
    ):
        known[card].append(PlateBinding(*rest))
    found: list[tuple[int, list[PlateBinding], list[PlateBinding]]] = []
    flaws: list[Flaw] = []
    for k, (row, record) in enumerate(binding):
        before = known[record.id]
        try:
            after = _wanted(record, before)
        except BoundTwiceError as error:
            flaws.append(Flaw(("valid_from",), str(error), row))
            continue
        if after != before:
            found.append((k, before, after))
    if flaws:
        raise RefusedError(flaws, conflict=True)
    return found


def _wanted(record: FuelCard, known: Sequence[PlateBinding]) -> list[PlateBinding]:
    if record.bindings is not None:
        return [PlateBinding(b.plate, b.valid_from, b.valid_to) for b in record.bindings]
    assert record.valid_from is not None  # noqa: S101 - what `binds` means
    plan = CardPlan(known)
    plan.bind(record.plate, record.valid_from)
    return plan.all()


async def follow_vehicles(connection: Connection, plates: Mapping[str, str]) -> list[str]:
    """Cards that are bound to one of ``plates`` now are bound to the plate that stands beside it from now on, as long as they were to be; their ids."""
    rows = await connection.fetch(
        "SELECT b.card, b.plate, b.valid_from, b.valid_to FROM card_bindings b JOIN fuel_cards c ON c.id = b.card WHERE b.plate = ANY ($1::text[])"
        " AND b.valid_from < clock_timestamp() AND (b.valid_to IS NULL OR b.valid_to > clock_timestamp()) ORDER BY b.card FOR NO KEY UPDATE OF c",
        sorted(plates),
    )
    now = await connection.fetchval("SELECT clock_timestamp()")
    for row in rows:
        await connection.execute(
            "UPDATE card_bindings SET valid_to = $3 WHERE card = $1 AND valid_from = $2", row["card"], row["valid_from"], now
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO card_bindings (card, plate, valid_from, valid_to) VALUES ($1, $2, $3, $4)",
            row["card"], plates[row["plate"]], now, row["valid_to"],
        )  # fmt: skip
    return [row["card"] for row in rows]


# --- read


async def cards_on_plates(connection: Connection, plates: Collection[str]) -> list[str]:
    """The cards within reach that are bound to one of ``plates`` now, or are to be."""
    rows = await connection.fetch(
        "SELECT DISTINCT card FROM card_bindings WHERE plate = ANY ($1::text[]) AND (valid_to IS NULL OR valid_to > clock_timestamp()) ORDER BY card LIMIT 100",
        sorted(plates),
    )  # fmt: skip
    return [row["card"] for row in rows]


async def bindings_of_card(connection: Connection, card: str) -> list[dict[str, Any]]:
    """The history of one card: {plate, valid_from, valid_to}, oldest first."""
    rows = await connection.fetch(
        "SELECT plate, valid_from, valid_to FROM card_bindings WHERE card = $1 ORDER BY valid_from LIMIT 1000",
        card,
    )
    return [dict(row) for row in rows]


LISTING: Final = Listing(
    _TABLE.select("b.plate, b.valid_from, t.updated_at")
    + " LEFT JOIN card_bindings b ON b.card = t.id AND b.valid_from <= now()"
    " AND (b.valid_to IS NULL OR b.valid_to > now())",
    {"organisation": same("organisation"), "status": same("status"), "plate": Filter("b.plate = {}")},
    bindings=bindings_of_card,
)


@dataclass(frozen=True, slots=True)
class CardRow:
    """A fuel card (油卡); days are natural days of China. ``kind``: vehicle, or master (主卡, which cannot fill)."""

    id: str
    organisation: str
    status: str
    opened_on: date | None
    closed_on: date | None
    created_us: int
    kind: str = "vehicle"


@dataclass(frozen=True, slots=True)
class CardBindingRow:
    """A card bound to a plate in [from, to); ``to_us`` FOREVER = still."""

    card: str
    plate: str
    from_us: int
    to_us: int


async def cards_of(conn: Connection, ids: Collection[str]) -> dict[str, CardRow]:
    """Cards by id."""
    rows = await conn.fetch(
        "SELECT id, organisation, status, opened_on, closed_on, created_at, kind FROM fuel_cards WHERE id = ANY($1::text[])",
        sorted(ids),
    )
    return {row["id"]: CardRow(*in_us(row)) for row in rows}


async def bindings_of_cards(
    connection: Connection, cards: Collection[str]
) -> dict[str, list[CardBindingRow]]:
    """Every binding of each card, in order of time."""
    return await _bindings(connection, "card", cards)


async def bindings_of_plates(
    connection: Connection, plates: Collection[str]
) -> dict[str, list[CardBindingRow]]:
    """By card: the bindings to ``plates``, in order of time."""
    return await _bindings(connection, "plate", plates)


async def _bindings(
    connection: Connection, column: str, values: Collection[str]
) -> dict[str, list[CardBindingRow]]:
    rows = await connection.fetch(
        f"SELECT card, plate, valid_from, valid_to FROM card_bindings WHERE {column} = ANY($1::text[]) ORDER BY valid_from",  # noqa: S608 - constant names
        sorted(values),
    )
    found: dict[str, list[CardBindingRow]] = defaultdict(list)
    for card, plate, since, until in rows:
        to = FOREVER if until is None else to_us(until)
        found[card].append(CardBindingRow(card, plate, to_us(since), to))
    return found


def binding_at(
    bindings: Mapping[str, Sequence[CardBindingRow]], card: str, at_us: int
) -> CardBindingRow | None:
    """The binding of a card at a time."""
    for held in bindings.get(card, ()):
        if held.from_us <= at_us < held.to_us:
            return held
    return None
