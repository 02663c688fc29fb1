"""A trip that was driven, as it is settled: what is known of it, its price, and each request's share. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from office.costs.entry import CostReason
from office.costs.kinds import CostKind
from office.costs.shares import SettlementKm, settlement_km, shares
from office.costs.tariff import Price, TripFacts, UnpricedError, class_of, price
from office.costs.terms import AREAS, Area, TariffTerms, TermCode
from registry.refusals import PlacedError
from registry.working_days import Calendar
from runtime.units import CHINA

#: Days off that are no festival: a weekend, and what the office says of a day without naming it.
_NO_FESTIVAL: Final = frozenset({"周末", "休息日", "工作日", "调休上班"})


@dataclass(frozen=True, slots=True)
class Rider:
    """A request that a trip carried. ``weight``: its km × seats. ``user``, ``destination``, ``cost_centre``: as the request says."""

    request: str
    organisation: str
    number: str
    area: Area
    weight: int
    user: str = ""
    destination: str = ""
    cost_centre: str = ""


@dataclass(frozen=True, slots=True)
class DrivenTrip:
    """A dispatch that has returned. ``track_m``: None = the track is not usable; ``track_waits``: it is not computed yet. ``charges``: what
    the ledger has for it, by kind, in 分. ``riders``: the first one gets the remainder."""

    dispatch: str
    number: str
    platform: str
    units: tuple[str, ...]
    vehicle: str
    plate: str
    category: str
    departed: datetime
    returned: datetime
    odometer_m: int | None
    track_m: int | None
    track_waits: bool
    riders: tuple[Rider, ...]
    charges: Mapping[CostKind, int] = field(default_factory=dict)


class TripFactsEntry(BaseModel):
    """What people say of a trip that no record says: how long it waited, nights, a product. What is left out is as the tariff and the records say."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    product: TermCode | None = None
    vehicle_class: TermCode | None = None
    area: Area | None = None
    waiting_min: int = Field(0, ge=0, le=100_000, strict=True)
    overnights: int = Field(0, ge=0, le=92, strict=True)
    days_outside: int = Field(0, ge=0, le=92, strict=True)
    count: int | None = Field(None, ge=1, le=200, strict=True)
    distance_m: int | None = Field(
        None, ge=0, le=20_000_000, strict=True, description="结算里程，人工填写；须写明理由"
    )
    reason: CostReason | None = Field(None, description="人工填写里程的理由")

    @model_validator(mode="after")
    def _justified(self) -> TripFactsEntry:
        if self.distance_m is not None and self.reason is None:
            raise PlacedError(
                "人工填写里程须写明理由 · a distance that is entered needs its reason", "reason"
            )
        return self


@dataclass(frozen=True, slots=True)
class PricedTrip:
    """A trip with its price. ``shares``: of each request, in 分; their sum is the total."""

    trip: DrivenTrip
    km: SettlementKm
    price: Price
    shares: Mapping[str, int]

    def body(self) -> dict[str, Any]:
        """As it is frozen."""
        return {
            "product": self.price.product,
            "product_name": self.price.product_name,
            "vehicle_class": self.price.vehicle_class,
            "priced_m": self.price.priced_m,
            "settlement_m": self.km.metres,
            "km_source": self.km.source,
            "odometer_m": self.km.odometer_m,
            "track_m": self.km.track_m,
            "charges": [charge.body() for charge in self.price.charges],
            "total_fen": self.price.total_fen,
            "shares": dict(self.shares),
        }


def is_holiday(calendar: Calendar, day: date, kind: str) -> bool | None:
    """Whether a day counts as a holiday of a tariff; None: nobody has published it."""
    worked = calendar.workday(day)
    if worked is None:
        return None
    return not worked and (kind == "rest" or calendar.name(day) not in _NO_FESTIVAL)


def days_touched(departed: datetime, returned: datetime) -> int:
    """How many days of the calendar in China a trip touches. Who is back at midnight has not touched the next one."""
    last = max(departed, returned - timedelta(microseconds=1))
    return (last.astimezone(CHINA).date() - departed.astimezone(CHINA).date()).days + 1


def _widest(riders: Sequence[Rider]) -> Area:
    found: Area = max((rider.area for rider in riders), key=AREAS.index)
    return found


def price_trip(
    tariff: TariffTerms, trip: DrivenTrip, given: TripFactsEntry, calendar: Calendar
) -> PricedTrip:
    """The price of a trip by the tariff that holds when it departs. Raises UnpricedError."""
    whole = tariff.km_basis == "base_to_base"
    if given.distance_m is None and whole and trip.track_waits:
        raise UnpricedError(
            "轨迹里程尚未算出，请稍后再结算，或人工填写里程 · the track is not computed yet; settle later, or enter the distance"
        )
    km = settlement_km(trip.odometer_m, trip.track_m, given.distance_m)
    if given.distance_m is None and not whole:
        # Odometer and track are of the whole drive: what of it was with passengers, a person says.
        km = SettlementKm(None, None, trip.odometer_m, trip.track_m)
    facts = TripFacts(
        vehicle_class=given.vehicle_class or class_of(tariff, trip.vehicle, trip.category).code,
        area=given.area or _widest(trip.riders),
        distance_m=km.metres,
        duration_s=max(0, int((trip.returned - trip.departed).total_seconds())),
        days=days_touched(trip.departed, trip.returned),
        waiting_s=given.waiting_min * 60,
        overnights=given.overnights,
        days_outside=given.days_outside,
        count=given.count,
        holiday=is_holiday(calendar, trip.departed.astimezone(CHINA).date(), tariff.holiday),
        product=given.product,
        passed=trip.charges,
    )
    found = price(tariff, facts)
    split = shares(found.total_fen, [rider.weight for rider in trip.riders])
    return PricedTrip(
        trip, km, found, {rider.request: share for rider, share in zip(trip.riders, split, strict=True)}
    )
