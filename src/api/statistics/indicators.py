"""GET /v1/indicators: the numbers of a period, each with its printed definition."""

from __future__ import annotations

import asyncio
import re
from datetime import date, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from api.auth.access import require
from api.auth.scoped import scoped
from api.errors import Problem
from api.http import MAX_ID, PLAIN, json_response, refuse_controls
from api.places import take_place
from office.statistics.indicators.computing import Measured, compute
from office.statistics.indicators.definitions import DEFINITIONS, NOT_PUBLISHED, UseIndicator
from office.statistics.indicators.facts import load_facts
from office.statistics.indicators.spans import Span
from registry.organisations import units_below
from runtime.units import midnight

READ: Final = "costs:read"
router = APIRouter(prefix="/v1", tags=["statistics"])
#: A month, a quarter, a year.
PERIOD_PATTERN: Final = r"^20[0-9]{2}(0[1-9]|1[0-2]|Q[1-4])?$"
_PARTS: Final = re.compile(r"(\d{4})(?:Q(\d)|(\d{2}))?")
_DIGITS: Final = 6
#: Each is some hundred thousand records in memory.
computing_turns: Final = asyncio.Semaphore(2)


class IndicatorValue(BaseModel):
    """A number. `value` null: it cannot be told, and `why` says so. `n`: of how many records (or vehicles); `missing`: how many lack what is needed, and are not in
    it. `definition`, `english`: exactly what it is: to be printed with it."""

    code: UseIndicator
    name: str
    unit: str
    value: float | None
    numerator: int | None
    denominator: int | None
    numerator_name: str
    denominator_name: str
    n: int
    missing: int
    why: str
    definition: str
    english: str


class NotPublished(BaseModel):
    """What is asked for and not given, and why."""

    name: str
    why: str


class Indicators(BaseModel):
    """All indicators of a period."""

    organisation: str
    period: str
    since: datetime
    until: datetime
    as_of: datetime
    items: list[IndicatorValue]
    not_published: list[NotPublished] = Field(description="服务总时长等")


@router.get(
    "/indicators",
    summary="指标 / indicators of a period",
    response_model=Indicators,
    dependencies=[require(READ)],
    responses={404: {"description": "没有这个单位，或不在您的范围内 · no such unit, or not yours"}},
)
async def indicators(
    request: Request,
    period: Annotated[
        str, Query(pattern=PERIOD_PATTERN, description="yyyymm、yyyyQn 或 yyyy / a month, a quarter, a year")
    ],
    organisation: Annotated[str, Query(min_length=1, max_length=MAX_ID, json_schema_extra=PLAIN)],
) -> Response:
    """Of a unit and those below it, computed from the records as they are now. Secret vehicles that you may not know are in none of the numbers."""
    refuse_controls(organisation)
    within = span_of(period)
    await take_place(computing_turns, 10, "指标计算繁忙，请稍后重试 · too many indicators at once; try again")
    try:
        async with scoped(request, READ, read_only=True) as connection:
            units = await units_below(connection, [organisation])
            if not units:
                raise Problem(
                    404, "not-found", "没有这个单位，或不在您的范围内 · no such unit, or it is not yours"
                )
            facts = await load_facts(connection, units, within)
        found = await asyncio.to_thread(compute, facts)
    finally:
        computing_turns.release()
    return json_response(
        {
            "organisation": organisation, "period": period, "since": within[0], "until": within[1], "as_of": facts.now,
            "items": [_shown(code, measured) for code, measured in found.items()],
            "not_published": [{"name": name, "why": why} for name, why in NOT_PUBLISHED.items()],
        }
    )  # fmt: skip


def span_of(period: str) -> Span:
    """From its first midnight in China to that after it: of 202603, 2026Q1, 2026."""
    match = _PARTS.fullmatch(period)
    if match is None:
        raise Problem(
            422, "invalid-parameter", "期间应为 yyyymm、yyyyQn 或 yyyy · must be a month, a quarter or a year"
        )
    year, quarter, month = int(match[1]), match[2], match[3]
    first, months = (3 * int(quarter) - 2, 3) if quarter else (int(month), 1) if month else (1, 12)
    last = first + months
    return midnight(date(year, first, 1)), midnight(date(year + (last - 1) // 12, (last - 1) % 12 + 1, 1))


def _shown(code: UseIndicator, measured: Measured) -> dict[str, Any]:
    definition = DEFINITIONS[code]
    value = None if measured.value is None else round(float(measured.value), _DIGITS)
    return {
        "code": code, "name": definition.name, "unit": definition.unit, "value": value, "numerator": measured.numerator, "denominator": measured.denominator,
        "numerator_name": definition.numerator, "denominator_name": definition.denominator, "n": measured.n, "missing": measured.missing,
        "why": measured.why, "definition": definition.text, "english": definition.english,
    }  # fmt: skip
