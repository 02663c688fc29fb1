"""What these operations share: transactions, days of a query, where trips come from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Annotated, Final, TypeVar

from fastapi import Path, Query, Request
from pydantic import BeforeValidator, WithJsonSchema

from api.auth.scoped import scoped, written
from api.errors import Problem
from api.http import DAY_PATTERN, MAX_ID, PLAIN
from office.costs.kinds import CostKind
from office.costs.prices import Ready, Sources
from office.costs.terms import AREAS, Area
from office.costs.trip import DrivenTrip, Rider
from office.dispatch import settling
from office.dispatch.terms import end_of
from office.identity.subject import PERMISSIONS
from registry.values import parse_day
from runtime.connection import Connection

#: With any of these somebody reaches what is of his units; what he may do with it is asked step by step.
ANY: Final = tuple(name for name in PERMISSIONS if name.startswith("costs:"))
Id = Annotated[str | None, Query(max_length=MAX_ID, json_schema_extra=PLAIN)]
ItemId = Annotated[str, Path(min_length=1, max_length=MAX_ID)]
QueryDay = Annotated[
    date,
    BeforeValidator(parse_day),
    WithJsonSchema({"type": "string", "format": "date", "pattern": DAY_PATTERN}),
]
_T = TypeVar("_T")


def cursor_day(ordinal: int) -> date:
    """The day of a cursor. Raises Problem 400 for what no page of ours gave."""
    if not 1 <= ordinal <= date.max.toordinal():
        raise Problem(
            400, "bad-cursor", "cursor 无效，请从第一页重新开始 · not a cursor of ours; begin again"
        )
    return date.fromordinal(ordinal)


@asynccontextmanager
async def database(request: Request, *permissions: str) -> AsyncIterator[Connection]:
    """A connection in a transaction that reads what the subject reaches with one of ``permissions``."""
    async with scoped(request, *permissions, read_only=True) as connection:
        yield connection


async def write(request: Request, work: Callable[[Connection], Awaitable[_T]]) -> _T:
    """What ``work`` returns, in a transaction of the reach of ANY that is begun again when others got in its way."""
    return await written(request, ANY, work)


def sources(connection: Connection) -> Sources:
    """Where the settlement meets the trips: read, and settled, by ``office.dispatch``."""

    async def confirmed(platform: str, organisation: str | None, until: datetime) -> Sequence[Ready]:
        return await settling.confirmed(connection, platform, organisation, until)

    async def trips(dispatches: Collection[str]) -> dict[str, DrivenTrip]:
        found = await settling.driven(connection, dispatches)
        return {id: _trip(driven) for id, driven in found.items()}

    async def settle(requests: Collection[str], statement: str) -> frozenset[str]:
        return await settling.settle(connection, requests, statement)

    return Sources(confirmed, trips, settle, end_of)


def _trip(driven: settling.Driven) -> DrivenTrip:
    facts = driven.facts
    track_mm = facts["track_mm"]
    return DrivenTrip(
        driven.dispatch,
        driven.number,
        driven.pool,
        driven.units,
        driven.vehicle,
        driven.plate,
        facts["category"],
        driven.departed,
        driven.returned,
        driven.odometer_m,
        None if track_mm is None else (track_mm + 500) // 1000,
        facts["waits"],
        tuple(_rider(carried) for carried in driven.carried),
        {CostKind(kind): fen for kind, fen in (facts["charges"] or {}).items()},
    )


def _rider(carried: settling.Carried) -> Rider:
    area: Area = next((area for area in AREAS if area == carried.scope), "city")
    return Rider(
        carried.request,
        carried.organisation,
        carried.number,
        area,
        carried.route_m * carried.passengers,
        carried.user,
        carried.destination,
        carried.budget_item,
    )
