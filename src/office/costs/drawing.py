"""Statements of a month: drawn from confirmed requests, one for each unit that used vehicles of a platform, in one transaction.

A request that cannot be priced is left out and told with the reason; it comes into a later statement. So do requests that are confirmed
late, and the shares of a statement that was declared void.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from office.costs.prices import Pricing, Sources, StoredPrice, hold_platform, load_pricing, store_prices
from office.costs.statement import OBJECT_WD, SETTLE, StatementState, StatementStep
from office.costs.tariff import UnpricedError
from office.costs.trip import DrivenTrip, Rider
from office.supervision.actors import Actor, persons_for
from registry.organisations import organisation_exists
from runtime.connection import Connection
from runtime.errors import InvalidError, NotThereError
from runtime.units import CHINA, midnight

#: Requests that are told to have been left out.
_MOST_TOLD: Final = 200


@dataclass(frozen=True, slots=True)
class Share:
    """A request's share of a trip, to be a line."""

    trip: DrivenTrip
    rider: Rider
    price: StoredPrice

    @property
    def amount_fen(self) -> int:
        return int(self.price.body["shares"][self.rider.request])


def month_of(period: str) -> tuple[date, datetime]:
    """The first day of a month (202603), and the moment in China at which it is over."""
    year, month = int(period[:4]), int(period[4:])
    return date(year, month, 1), midnight(date(year + month // 12, month % 12 + 1, 1))


async def draw(
    connection: Connection,
    actor: Actor,
    sources: Sources,
    platform: str,
    period: str,
    organisation: str | None,
) -> dict[str, Any]:
    """Draw the statements of a platform for a month; of one unit where it is named. What was drawn, what was there already, what was left out."""
    if not await organisation_exists(connection, platform):
        raise NotThereError(f"没有这个单位，或不在您的范围内 · no such unit, or it is not yours: {platform}")
    persons = (await persons_for(connection, actor, platform, SETTLE))[0]
    first, until = month_of(period)
    await hold_platform(connection, platform)
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    if now < until:
        raise InvalidError("/period", f"{first:%Y年%-m月}还没有结束，请在月底之后出具 · the month is not over; draw it afterwards")  # fmt: skip
    there = {
        row["organisation"]: dict(row)
        for row in await connection.fetch(
            "SELECT organisation, id, number FROM cost_statements WHERE platform = $1 AND period = $2 AND state <> 'void'",
            platform, period,
        )
    }  # fmt: skip
    wanted = await _wanted(connection, sources, platform, organisation, until)
    waiting = await _waiting(connection, platform, organisation)
    trips = await sources.trips({dispatch for pairs in wanted.values() for dispatch, _ in pairs})
    pricing = await load_pricing(connection, platform, trips)
    drawn, left_out = [], []
    for unit in sorted(wanted.keys() | waiting.keys()):
        if unit in there:
            continue
        shares, unpriced = _shares(wanted.get(unit, ()), trips, pricing, until)
        left_out += unpriced
        draft = _Draft(platform, unit, period, now, persons)
        made = await draft.write(connection, actor, sources, shares, waiting.get(unit, ()), pricing)
        if made is not None:
            drawn.append(made)
    return {
        "platform": platform,
        "period": period,
        "drawn": drawn,
        "there": sorted(there.values(), key=lambda each: str(each["organisation"])),
        "left_out": left_out[:_MOST_TOLD],
        "left_out_count": len(left_out),
    }


async def _wanted(
    connection: Connection, sources: Sources, platform: str, organisation: str | None, until: datetime
) -> dict[str, list[tuple[str, str]]]:
    """By unit: (dispatch, request) of confirmed requests, and of void statements."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for ready in await sources.confirmed(platform, organisation, until):
        found[ready.organisation] += [(dispatch, ready.request) for dispatch in ready.dispatches]
    rows = await connection.fetch(
        "SELECT organisation, dispatch_id, request_id FROM cost_claims WHERE platform = $1 AND statement IS NULL"
        " AND ($2::text IS NULL OR organisation = $2) ORDER BY request_id, dispatch_id FOR UPDATE",
        platform, organisation,
    )  # fmt: skip
    for row in rows:
        found[row["organisation"]].append((row["dispatch_id"], row["request_id"]))
    return found


async def _waiting(connection: Connection, platform: str, organisation: str | None) -> dict[str, list[Any]]:
    """By unit: lines that correct statements which were confirmed already, and belong to the next one."""
    rows = await connection.fetch(
        "SELECT no, organisation, amount_fen, cost_centre FROM cost_statement_lines WHERE platform = $1 AND statement IS NULL"
        " AND ($2::text IS NULL OR organisation = $2) ORDER BY no FOR UPDATE",
        platform, organisation,
    )  # fmt: skip
    found: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        found[row["organisation"]].append(row)
    return found


def _shares(
    pairs: Iterable[tuple[str, str]], trips: Mapping[str, DrivenTrip], pricing: Pricing, until: datetime
) -> tuple[list[Share], list[dict[str, Any]]]:
    """The shares of the requests all of whose trips have a price, and the others with the reason."""
    of_request: dict[str, list[str]] = defaultdict(list)
    for dispatch, request in pairs:
        of_request[request].append(dispatch)
    found: list[Share] = []
    left_out = []
    for request, dispatches in of_request.items():
        known = [trips[dispatch] for dispatch in dispatches if dispatch in trips]
        if len(known) < len(dispatches) or any(trip.returned >= until for trip in known):
            continue  # not seen by who draws it, or of a later month
        try:
            own = []
            for trip in known:
                price = pricing.of(trip)
                own += [Share(trip, rider, price) for rider in trip.riders if rider.request == request]
        except UnpricedError as error:
            numbers = "、".join(trip.number for trip in known)
            left_out.append(
                {
                    "request": request,
                    "dispatches": [trip.dispatch for trip in known],
                    "numbers": numbers,
                    "why": str(error),
                }
            )
            continue
        found += own
    return found, left_out


@dataclass(frozen=True, slots=True)
class _Draft:
    """A statement that is about to be written."""

    platform: str
    unit: str
    period: str
    now: datetime
    persons: frozenset[str]

    async def write(
        self, connection: Connection, actor: Actor, sources: Sources, shares: Sequence[Share], waiting: Sequence[Any], pricing: Pricing
    ) -> dict[str, Any] | None:  # fmt: skip
        """Settle the requests, freeze prices, write lines and claims; None: there was nothing."""
        if not shares and not waiting:
            return None
        id = f"JS-{self.period}-{secrets.token_hex(6).upper()}"
        released = {
            (row["dispatch_id"], row["request_id"])
            for row in await connection.fetch(
                "SELECT dispatch_id, request_id FROM cost_claims WHERE platform = $1 AND organisation = $2 AND statement IS NULL",
                self.platform, self.unit,
            )
        }  # fmt: skip
        fresh = {s.rider.request for s in shares if (s.trip.dispatch, s.rider.request) not in released}
        settled = await sources.settle(fresh, id)
        kept = [s for s in shares if s.rider.request in settled or s.rider.request not in fresh]
        kept.sort(key=lambda s: (s.trip.departed, s.trip.dispatch, s.rider.request))
        if not kept and not waiting:
            return None
        await store_prices(
            connection,
            self.platform,
            {s.trip.dispatch: s.trip for s in kept}.values(),
            pricing,
            self.now,
        )
        total = sum(s.amount_fen for s in kept) + sum(row["amount_fen"] for row in waiting)
        made = await self._row(connection, sources, id, pricing, kept, waiting, total)
        await self._lines(connection, id, kept)
        await connection.execute(
            "UPDATE cost_statement_lines SET statement = $2 WHERE no = ANY($1::bigint[])",
            [row["no"] for row in waiting], id,
        )  # fmt: skip
        digest = await connection.fetchval("SELECT statement_digest($1)", id)
        await connection.execute(
            "INSERT INTO cost_statement_events (statement, version, step, at, actor, persons, actor_name, address, device, body)"
            " VALUES ($1, 1, $2, $3, $4, $5, $6, $7, $8, $9)",
            id, str(StatementStep.DRAW), self.now, actor.person, sorted(self.persons), actor.subject.name, actor.address[:100],
            actor.device[:300], {"total_fen": total, "lines": len(kept) + len(waiting), "lines_sha256": digest},
        )  # fmt: skip
        return made

    async def _row(
        self, connection: Connection, sources: Sources, id: str, pricing: Pricing, shares: Sequence[Share], waiting: Sequence[Any], total: int
    ) -> dict[str, Any]:  # fmt: skip
        # Who has said what a trip rests on has had a hand in it as well.
        authors = {pricing.authors[s.trip.dispatch] for s in shares if s.trip.dispatch in pricing.authors}
        centres: dict[str, int] = defaultdict(int)
        for share in shares:
            centres[share.rider.cost_centre] += share.amount_fen
        for row in waiting:
            centres[row["cost_centre"]] += row["amount_fen"]
        take = await connection.fetchval(
            "SELECT COALESCE(max(take), 0) + 1 FROM cost_statements WHERE organisation = $1 AND platform = $2 AND period = $3",
            self.unit, self.platform, self.period,
        )  # fmt: skip
        number = f"结〔{self.period[:4]}〕{self.period[4:]}-{self.platform}-{self.unit}-{take:02d}号"
        await connection.execute(
            "INSERT INTO cost_statements (id, number, organisation, platform, units, period, take, state, version, total_fen, lines,"
            " by_cost_centre, tariff_versions, object_by, made_by, drawn_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $10, $11, $12, $13, $14, $15)",
            id, number, self.unit, self.platform, sorted({self.unit, self.platform}), self.period, take, str(StatementState.TO_CONFIRM), total,
            len(shares) + len(waiting), dict(centres), sorted({share.price.tariff_version for share in shares}),
            sources.term(pricing.calendar, self.now, OBJECT_WD), sorted(self.persons | authors), self.now,
        )  # fmt: skip
        return {
            "organisation": self.unit,
            "id": id,
            "number": number,
            "total_fen": total,
            "lines": len(shares) + len(waiting),
        }

    async def _lines(self, connection: Connection, id: str, shares: Sequence[Share]) -> None:
        units = sorted({self.unit, self.platform})
        await connection.executemany(
            "INSERT INTO cost_statement_lines (statement, organisation, platform, units, kind, dispatch_id, request_id, vehicle, price_version,"
            " amount_fen, cost_centre, body, made_at) VALUES ($1, $2, $3, $4, 'trip', $5, $6, $7, $8, $9, $10, $11, $12)",
            [
                (id, self.unit, self.platform, units, s.trip.dispatch, s.rider.request, s.trip.vehicle, s.price.version, s.amount_fen, s.rider.cost_centre,
                 _line_body(s), self.now)
                for s in shares
            ],
        )  # fmt: skip
        await connection.executemany(
            "INSERT INTO cost_claims (dispatch_id, request_id, organisation, platform, units, statement, price_version) VALUES ($1, $2, $3, $4, $5, $6, $7)"
            " ON CONFLICT (dispatch_id, request_id) DO UPDATE SET statement = EXCLUDED.statement, price_version = EXCLUDED.price_version"
            " WHERE cost_claims.statement IS NULL",
            [(s.trip.dispatch, s.rider.request, self.unit, self.platform, units, id, s.price.version) for s in shares],
        )  # fmt: skip


def _line_body(share: Share) -> dict[str, Any]:
    """What the statement prints of a trip: 日期, 派车单号, 用车人, 目的地, 车型, km, hours, charges, 小计."""
    trip, rider, price = share.trip, share.rider, share.price.body
    return {
        "on": trip.departed.astimezone(CHINA).date().isoformat(),
        "number": trip.number,
        "request_number": rider.number,
        "user": rider.user,
        "destination": rider.destination,
        "plate": trip.plate,
        "duration_s": int((trip.returned - trip.departed).total_seconds()),
        "vehicle_class": price["vehicle_class"],
        "product_name": price["product_name"],
        "settlement_m": price["settlement_m"],
        "km_source": price["km_source"],
        "odometer_m": price["odometer_m"],
        "track_m": price["track_m"],
        "charges": price["charges"],
        "trip_total_fen": price["total_fen"],
        "riders": len(trip.riders),
    }
