"""What trips cost, in the database: what people say of a trip, its price when it is settled. All SQL of ``trip_cost_facts`` and ``trip_prices``.

A price is frozen while a statement that is not void has a share of it: who of a pool is settled later gets his share of the same price.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, Protocol

from office.costs.money import yuan
from office.costs.shares import KM_SOURCES
from office.costs.statement import SETTLE
from office.costs.tariff import UnpricedError
from office.costs.tariffs import ValidTariff, tariffs_of, valid_on
from office.costs.trip import DrivenTrip, TripFactsEntry, price_trip
from office.supervision.actors import Actor, persons_for
from registry.calendar import load_calendar
from registry.working_days import Calendar
from registry.writing import Lock, take_each
from runtime.connection import Connection
from runtime.errors import DeclinedError, NotThereError
from runtime.units import CHINA

_NO_TARIFF: Final = "平台在出车日没有启用的计价标准，请先启用 · the platform had no tariff on the day of departure; make one valid"
_NOT_YOURS: Final = "平台的计价标准不在您的范围内，价格在结算单出具后显示 · the platform's tariff is not yours to see; the price is shown once a statement has it"
#: So often somebody may say something else of a trip.
_MOST_VERSIONS: Final = 50
#: 2^31: keys of locks are signed.
_SIGNED: Final = 1 << 31


class Ready(Protocol):
    """A request that is confirmed, with the dispatches that were driven for it."""

    @property
    def request(self) -> str: ...
    @property
    def organisation(self) -> str: ...
    @property
    def dispatches(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Sources:
    """How trips are read, and requests become settled, in this transaction. ``confirmed(platform, unit or None, until)``; ``trips(dispatches)``;
    ``settle(requests, statement)``: those that took the step; ``term(calendar, at, working_days)``: the end of a term."""

    confirmed: Callable[[str, str | None, datetime], Awaitable[Sequence[Ready]]]
    trips: Callable[[Collection[str]], Awaitable[dict[str, DrivenTrip]]]
    settle: Callable[[Collection[str], str], Awaitable[frozenset[str]]]
    term: Callable[[Calendar, datetime, int], datetime]


@dataclass(frozen=True, slots=True)
class StoredPrice:
    """A price. ``version`` 0: not stored yet. ``body``: see ``PricedTrip.body``."""

    version: int
    tariff_version: int
    body: Mapping[str, Any]


@dataclass(slots=True)
class Pricing:
    """The prices of trips of a platform. ``authors``: who said the ``facts`` of a trip (``user:7``). ``frozen``: those that statements have; ``last``: the
    last version of any."""

    tariffs: list[tuple[date, ValidTariff]]
    calendar: Calendar
    facts: Mapping[str, TripFactsEntry]
    authors: Mapping[str, str]
    frozen: Mapping[str, StoredPrice]
    last: Mapping[str, int]
    computed: dict[str, StoredPrice] = field(default_factory=dict)

    def of(self, trip: DrivenTrip) -> StoredPrice:
        """The price of a trip: the frozen one, else as its tariff and what is known say. Raises UnpricedError."""
        known = self.frozen.get(trip.dispatch) or self.computed.get(trip.dispatch)
        if known is not None:
            return known
        tariff = valid_on(self.tariffs, trip.departed.astimezone(CHINA).date())
        if tariff is None:
            raise UnpricedError(_NO_TARIFF)
        priced = price_trip(
            tariff.terms, trip, self.facts.get(trip.dispatch, TripFactsEntry()), self.calendar
        )
        found = StoredPrice(self.last.get(trip.dispatch, 0) + 1, tariff.version, priced.body())
        self.computed[trip.dispatch] = found
        return found


async def load_pricing(connection: Connection, platform: str, dispatches: Collection[str]) -> Pricing:
    """What the prices of ``dispatches`` rest on."""
    ids = sorted(dispatches)
    facts = await connection.fetch(
        "SELECT DISTINCT ON (dispatch_id) dispatch_id, body, made_by FROM trip_cost_facts WHERE dispatch_id = ANY($1::text[])"
        " ORDER BY dispatch_id, version DESC",
        ids,
    )
    rows = await connection.fetch(
        "SELECT DISTINCT ON (p.dispatch_id) p.dispatch_id, p.version, p.tariff_version, p.body, EXISTS (SELECT FROM cost_claims c"
        "  WHERE c.dispatch_id = p.dispatch_id AND c.price_version = p.version AND c.statement IS NOT NULL) AS frozen"
        " FROM trip_prices p WHERE p.dispatch_id = ANY($1::text[]) ORDER BY p.dispatch_id, p.version DESC",
        ids,
    )
    return Pricing(
        await tariffs_of(connection, platform),
        await load_calendar(connection),
        {row["dispatch_id"]: TripFactsEntry.model_validate(row["body"]) for row in facts},
        {row["dispatch_id"]: row["made_by"] for row in facts},
        {
            row["dispatch_id"]: StoredPrice(row["version"], row["tariff_version"], row["body"])
            for row in rows
            if row["frozen"]
        },
        {row["dispatch_id"]: row["version"] for row in rows},
    )


async def store_prices(
    connection: Connection, platform: str, trips: Collection[DrivenTrip], pricing: Pricing, at: datetime
) -> None:
    """Freeze the prices of ``trips`` that were computed now."""
    rows = []
    for trip in trips:
        price = pricing.computed.get(trip.dispatch)
        if price is not None and trip.dispatch not in pricing.frozen:
            rows.append(
                (
                    trip.dispatch,
                    price.version,
                    list(trip.units),
                    trip.vehicle,
                    platform,
                    price.tariff_version,
                    dict(price.body),
                    at,
                )
            )
    await connection.executemany(
        "INSERT INTO trip_prices (dispatch_id, version, units, vehicle, platform, tariff_version, body, made_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        rows,
    )
    pricing.frozen = {**pricing.frozen, **{row[0]: pricing.computed[row[0]] for row in rows}}


async def hold_platform(connection: Connection, platform: str) -> None:
    """Whoever draws the statements of a platform, or says something of one of its trips, comes here one after the other."""
    key = zlib.crc32(platform.encode())
    await take_each(connection, Lock.SETTLED_PLATFORMS, [key - 2 * _SIGNED if key >= _SIGNED else key])


# --- one trip


def _no_trip(id: str) -> NotThereError:
    return NotThereError(
        f"没有这张已归队的派车单，或不在您的范围内 · no such dispatch that has returned, or it is not yours to see: {id}"
    )


async def _trip(sources: Sources, id: str) -> DrivenTrip:
    trip = (await sources.trips([id])).get(id)
    if trip is None:
        raise _no_trip(id)
    return trip


async def set_facts(
    connection: Connection, actor: Actor, sources: Sources, id: str, given: TripFactsEntry
) -> dict[str, Any]:
    """What a person says of a trip, instead of what was said before. Not of one that a statement has a share of."""
    trip = await _trip(sources, id)
    await persons_for(connection, actor, trip.platform, SETTLE)
    await hold_platform(connection, trip.platform)
    if await connection.fetchval(
        "SELECT EXISTS (SELECT FROM cost_claims WHERE dispatch_id = $1 AND statement IS NOT NULL)", id
    ):
        raise DeclinedError(
            "settled", "这次用车已列入结算单，不能再改；有误的请在结算单上冲正 · it is in a statement already; correct it there"
        )  # fmt: skip
    last = await connection.fetchval(
        "SELECT COALESCE(max(version), 0) FROM trip_cost_facts WHERE dispatch_id = $1", id
    )
    if last >= _MOST_VERSIONS:
        raise DeclinedError("too-many-versions", "改动次数过多，请先结算，再在结算单上冲正 · changed too often; settle it, and correct the statement")  # fmt: skip
    await connection.execute(
        "INSERT INTO trip_cost_facts (dispatch_id, version, units, vehicle, body, made_by, made_by_name, made_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp())",
        id, last + 1, list(trip.units), trip.vehicle, given.model_dump(mode="json", exclude_none=True), actor.person, actor.subject.name,
    )  # fmt: skip
    return await show_trip(connection, sources, id)


async def show_trip(connection: Connection, sources: Sources, id: str) -> dict[str, Any]:
    """What a trip costs, or why that is not known yet; both measures of its distance. Raises NotThereError."""
    trip = await _trip(sources, id)
    pricing = await load_pricing(connection, trip.platform, [id])
    price: StoredPrice | None = None
    why = code = None
    try:
        price = pricing.of(trip)
    except UnpricedError as error:
        why, code = await _unpriced(connection, trip, str(error))
    given = pricing.facts.get(id, TripFactsEntry())
    return {
        "dispatch": id,
        "number": trip.number,
        "platform": trip.platform,
        "vehicle": trip.vehicle,
        "plate": trip.plate,
        "departed": trip.departed,
        "returned": trip.returned,
        "odometer_m": trip.odometer_m,
        "track_m": trip.track_m,
        "facts": given.model_dump(mode="json"),
        "charges_fen": {str(kind): fen for kind, fen in trip.charges.items()},
        "settled": id in pricing.frozen,
        "tariff_version": None if price is None else price.tariff_version,
        "price": None if price is None else shown_price(price.body),
        "unpriced": why,
        "unpriced_code": code,
    }


async def _unpriced(connection: Connection, trip: DrivenTrip, why: str) -> tuple[str, str]:
    """Why a trip has no price, and its code: a tariff that the caller may not read is another thing than none."""
    if why != _NO_TARIFF:
        return why, "facts"
    day = trip.departed.astimezone(CHINA).date()
    if await connection.fetchval("SELECT tariff_holds($1, $2)", trip.platform, day):
        return _NOT_YOURS, "tariff_out_of_reach"
    return why, "no_tariff"


def shown_price(body: Mapping[str, Any]) -> dict[str, Any]:
    """A frozen price for people."""
    return dict(body) | {
        "km_source_name": None if body["km_source"] is None else KM_SOURCES[body["km_source"]],
        "total": yuan(body["total_fen"]),
    }
