"""GET /v1/reports/monthly: the numbers of a month, as PDF or XLSX."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.audited import noted, stated_purpose
from api.auth.scoped import scoped
from api.documents.rendering import BINARY, PDF, REFUSED, XLSX, Inline, document, made, setter_of
from api.errors import not_found
from api.http import MAX_ID, PLAIN, refuse_controls
from office.documents.monthly import MonthlyReport, MonthRow, RuleRow, SubjectRow, UnitRow, render_monthly
from office.documents.workbook import render_workbook
from office.identity.secrecy import MASKED_PLATE
from office.supervision.cases import today_of
from office.supervision.statistics import month_numbers
from registry.organisations import names_of, units_below
from rules.catalogue import RULE_NAMES
from runtime.connection import Connection
from runtime.units import midnight

router = APIRouter(prefix="/v1", tags=["documents"])
#: Months of the trend, with the one that is reported.
_TREND: Final = 12
_DAY: Final = timedelta(days=1)
_ALERTS: Final = (("预警", "alerts"), ("其中高", "high"), ("其中已撤销", "withdrawn"))
_CASES: Final = (
    ("下达督办", "cases"), ("其中已核销", "closed"), ("其中已撤销督办", "cancelled"), ("属实违规", "violation"), ("程序不规范", "irregular"),
    ("合理使用", "justified"), ("数据问题", "data"), ("无法核实", "unverifiable"), ("逾期未办结", "overdue"), ("催办次数", "reminders"),
)  # fmt: skip


@router.get(
    "/reports/monthly", summary="月报 / the report of a month", response_class=Response,
    dependencies=[require("cases:read"), require("alerts:read"), stated_purpose("cases:read")],
    responses={200: {"content": {PDF: BINARY, XLSX: BINARY}}, 400: REFUSED,
               404: {"description": "没有这个单位，或该月尚未开始 · no such unit, or the month has not begun"}},
)  # fmt: skip
async def monthly(
    request: Request,
    month: Annotated[str, Query(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$", description="YYYY-MM, in China", examples=["2026-03"])],
    organisation: Annotated[str | None, Query(max_length=MAX_ID, json_schema_extra=PLAIN, description="with the units below it; left out: all that you reach")] = None,
    format: Literal["pdf", "xlsx"] = "pdf",
    inline: Inline = False,
) -> Response:  # fmt: skip
    """Alerts that began in the month (as they stand now) and cases that were issued in it (what became of them up to now): by
    unit, vehicle, driver, rule, with the trend of twelve months. All numbers are of one moment; PDF and XLSX have the same."""
    refuse_controls(organisation)
    setter, issuer = await setter_of(request), request.app.state.settings.document_issuer
    first = date(int(month[:4]), int(month[5:]), 1)

    async def prepare() -> Callable[[], bytes]:
        async with scoped(request, "cases:read") as connection:
            told = await _report(connection, first, organisation, issuer)
            await noted(
                request, connection, "cases:read", "report", month, organisation=organisation, detail={"format": format}
            )  # fmt: skip
        return lambda: render_workbook(told) if format == "xlsx" else render_monthly(setter, told)

    body = await made(request.app.state.document_turns, prepare)
    name = f"{first.year}年{first.month}月公务用车监督情况月报.{format}"
    return document(body, XLSX if format == "xlsx" else PDF, name, inline=inline)


async def _report(
    connection: Connection, first: date, organisation: str | None, issuer: str
) -> MonthlyReport:
    """Raises Problem 404 for a unit that is not there, or a month that has not begun."""
    today = await today_of(connection)
    if first > today:
        raise not_found(
            "该月尚未开始，没有月报 · the month has not begun: there is no report", f"{first:%Y-%m}"
        )
    units, scope = None, "权限范围内的全部单位"
    if organisation is not None:
        units = await units_below(connection, [organisation])
        if not units:
            raise not_found("没有这个单位 · no such unit", organisation)
        scope = (await names_of(connection, [organisation]))[organisation] + "及所属单位"
    last = min(today, _after(first) - _DAY)
    since, until, trend = midnight(first), midnight(last + _DAY), midnight(_before(first, _TREND - 1))
    numbers = await month_numbers(
        connection, trend_from=trend, since=since, until=until, units=units, today=last
    )
    names = await names_of(
        connection, {row["organisation"] for name in ("vehicles", "drivers") for row in numbers[name]}
    )
    return MonthlyReport(
        issuer=issuer,
        scope=scope,
        month=first,
        as_of=last,
        totals=tuple((name, numbers["alerts"][key]) for name, key in _ALERTS)
        + tuple((name, numbers["cases"][key]) for name, key in _CASES),
        units=_units(numbers),
        vehicles=tuple(
            SubjectRow("", MASKED_PLATE, "—", *_counts(row)) if row["vehicle"] == "" else SubjectRow(row["vehicle"], row["plate"] or "—", names.get(row["organisation"], row["organisation"]), *_counts(row))
            for row in numbers["vehicles"]
        ),
        drivers=tuple(SubjectRow(row["driver"], row["driver"], names.get(row["organisation"], row["organisation"]), *_counts(row)) for row in numbers["drivers"]),
        rules=_rules(numbers["rules"]),
        trend=_trend(first, numbers["months"]),
    )  # fmt: skip


def _counts(row: dict[str, Any]) -> tuple[int, int, int]:
    return row["alerts"], row["high"], row["withdrawn"]


def _units(numbers: dict[str, Any]) -> tuple[UnitRow, ...]:
    merged: dict[str, dict[str, Any]] = {}
    for row in (*numbers["units"], *numbers["unit_cases"]):
        merged.setdefault(row["organisation"], {}).update(row)
    fields = (
        "alerts",
        "high",
        "withdrawn",
        "cases",
        "closed",
        "violation",
        "irregular",
        "overdue",
        "reminders",
    )
    rows = [
        UnitRow(id, row["name"] or id, **{name: row.get(name, 0) for name in fields})
        for id, row in merged.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.alerts, -row.cases, row.id)))


def _rules(rows: list[dict[str, Any]]) -> tuple[RuleRow, ...]:
    found: dict[str, dict[str, Any]] = {row["rule"]: row for row in rows}
    known = dict.fromkeys([*RULE_NAMES, *sorted(found)])
    return tuple(
        RuleRow(
            RULE_NAMES.get(code, code),
            *(found.get(code, {}).get(name, 0) for name in ("alerts", "high", "withdrawn", "confirmed", "justified", "data")),
        )
        for code in known
    )  # fmt: skip


def _trend(first: date, rows: list[dict[str, Any]]) -> tuple[MonthRow, ...]:
    found = {row["month"]: row for row in rows}
    months = [f"{_before(first, k):%Y-%m}" for k in reversed(range(_TREND))]
    return tuple(
        MonthRow(month, *(found.get(month, {}).get(name, 0) for name in ("alerts", "cases")))
        for month in months
    )


def _after(first: date) -> date:
    return (first + timedelta(days=32)).replace(day=1)


def _before(first: date, months: int) -> date:
    """The first day of the month that is so many months earlier."""
    at = first.year * 12 + first.month - 1 - months
    return date(at // 12, at % 12 + 1, 1)
