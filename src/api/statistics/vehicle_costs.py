"""GET /v1/vehicle-costs: 单车核算, what each vehicle has driven, filled and cost in a period."""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from api.answers import page_of
from api.auth.access import require
from api.auth.scoped import scoped
from api.errors import Problem
from api.http import (
    DEFAULT_PAGE,
    MAX_ID,
    PLAIN,
    Cursor,
    Limit,
    json_response,
    make_cursor,
    read_cursor,
    refuse_controls,
    utc_now,
)
from api.places import take_place
from api.statistics.indicators import PERIOD_PATTERN, READ, computing_turns, span_of
from office.costs.kinds import CostKind
from office.statistics.indicators.facts import Facts, load_use
from office.statistics.indicators.vehicles import (
    Consumption,
    Driven,
    Energy,
    Unread,
    consumption,
    driven_by_vehicle,
    fills_by_vehicle,
    running_costs,
)
from registry.organisations import parents_of, units_below
from registry.particulars import described_vehicles
from runtime.units import CHINA

router = APIRouter(prefix="/v1", tags=["statistics"])
_DIGITS: Final = 6
_ENERGIES: Final[tuple[Energy, ...]] = ("fuel", "charging")


class VehicleFills(BaseModel):
    """What was filled from the first departure to the last return; where `driven_m` is null, in the period. `quantity`: ml or Wh; null: one fill has none.
    `per_100km`: litres or kWh; null: it cannot be told, `why` says so. `outside`: fills of the period that do not count."""

    fills: int
    quantity: int | None
    amount_fen: int
    outside: int
    per_100km: float | None
    why: str


class VehicleCosts(BaseModel):
    """A vehicle in a period. `driven_m`: by its odometer from the first departure to the last return, null: not known, `why` says so; `ordered_m`: of it within dispatches.
    `cost_fen`: what its unit bore, booked in the period, without depreciation, wages and purchase; `by_kind`: of which. `per_km_fen`, `per_100km_fen`: null where it is
    not known how far it was driven."""

    vehicle: str
    plate: str
    organisation: str
    make_model: str
    displacement_ml: int | None
    energy: str
    odometer_first_m: int | None
    odometer_last_m: int | None
    driven_m: int | None
    ordered_m: int | None
    why: str
    fuel: VehicleFills
    charging: VehicleFills
    cost_fen: int
    by_kind: dict[CostKind, int] = Field(description="分")
    per_km_fen: float | None
    per_100km_fen: float | None


VehicleCostsPage: Final = page_of(VehicleCosts)


@router.get(
    "/vehicle-costs", summary="单车核算 / costs of each vehicle in a period", response_model=VehicleCostsPage, dependencies=[require(READ)],
    responses={404: {"description": "没有这个单位，或不在您的范围内 · no such unit, or not yours"}},
)  # fmt: skip
async def vehicle_costs(
    request: Request,
    period: Annotated[
        str | None,
        Query(
            pattern=PERIOD_PATTERN,
            description="yyyymm、yyyyQn 或 yyyy；不填即上一季度 / left out: the last quarter that is over",
        ),
    ] = None,
    organisation: Annotated[
        str | None,
        Query(
            min_length=1, max_length=MAX_ID, json_schema_extra=PLAIN, description="with the units below it"
        ),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
) -> Response:
    """Own vehicles of your units, or of one of them and those below it, by id, computed from the records as they are now, as for the indicators; the lines are in `/v1/cost-entries?vehicle=`."""
    refuse_controls(organisation)
    within, place = span_of(period or _last_quarter(utc_now())), read_cursor("vehicle-costs", cursor, str)
    first, last = within[0].astimezone(CHINA).date(), within[1].astimezone(CHINA).date() - timedelta(days=1)
    await take_place(computing_turns, 10, "指标计算繁忙，请稍后重试 · too many figures at once; try again")
    try:
        async with scoped(request, READ, read_only=True) as connection:
            units = await units_below(connection, [organisation]) if organisation else frozenset(await parents_of(connection))  # fmt: skip
            if organisation and not units:
                raise Problem(
                    404, "not-found", "没有这个单位，或不在您的范围内 · no such unit, or it is not yours"
                )
            vehicles = await described_vehicles(
                connection, units, first, last, after="" if place is None else str(place[0]), limit=limit
            )
            facts = await load_use(connection, units, within, [row["id"] for row in vehicles])
    finally:
        computing_turns.release()
    following = make_cursor("vehicle-costs", vehicles[-1]["id"]) if len(vehicles) == limit else None
    return json_response({"items": _items(vehicles, facts), "next": following})


def _last_quarter(now: datetime) -> str:
    today = now.astimezone(CHINA).date()
    number = today.year * 4 + (today.month - 1) // 3 - 1
    return f"{number // 4}Q{number % 4 + 1}"


def _items(vehicles: list[dict[str, Any]], facts: Facts) -> list[dict[str, Any]]:
    driven, costs = driven_by_vehicle(facts), running_costs(facts)
    fills = {energy: fills_by_vehicle(facts, energy) for energy in _ENERGIES}
    found = []
    for row in vehicles:
        id, its = row["id"], driven.get(row["id"])
        known = its if isinstance(its, Driven) else None
        by_kind = dict(costs.get(id, {}))
        fen = sum(by_kind.values())
        used: dict[str, Any] = {
            energy: _fills(consumption(facts, fills[energy].get(id, ()), its)) for energy in _ENERGIES
        }
        found.append(
            {
                "vehicle": id, "plate": row["plate"], "organisation": row["organisation"], "make_model": row["make_model"],
                "displacement_ml": row["displacement_ml"], "energy": row["energy"],
                "odometer_first_m": known and known.first_m, "odometer_last_m": known and known.last_m,
                "driven_m": known and known.metres, "ordered_m": known and known.ordered_m, "why": _why(its), **used,
                "cost_fen": fen, "by_kind": by_kind, "per_km_fen": _per(1000 * fen, known), "per_100km_fen": _per(100_000 * fen, known),
            }
        )  # fmt: skip
    return found


def _why(driven: Driven | Unread | None) -> str:
    if driven is None:
        return "本期没有已归队的派车单，里程不详"
    return driven.why if isinstance(driven, Unread) else ""


def _fills(used: Consumption) -> dict[str, Any]:
    return {
        "fills": used.fills, "quantity": None if used.without_quantity else used.quantity, "amount_fen": used.fen, "outside": used.outside,
        "per_100km": None if used.value is None else round(float(used.value), _DIGITS), "why": "；".join(used.why),
    }  # fmt: skip


def _per(fen: int, driven: Driven | None) -> float | None:
    return (
        None if driven is None or not driven.metres else round(float(Fraction(fen, driven.metres)), _DIGITS)
    )
