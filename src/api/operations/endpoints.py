"""/v1/operations: figures of the processes, from what they have noted themselves (``runtime.operations``)."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.scoped import scoped
from api.errors import Problem
from api.http import QueryTime, json_response, utc_now
from api.operations.schemas import OperationsSeries, OperationsState
from runtime.migrations import expected_schema_version
from runtime.operations import alarms, series
from runtime.operations.figures import EVERY_S, FIGURES, QUANTILES, SPREADS
from runtime.units import from_us

READ: Final = "ops:read"
router = APIRouter(prefix="/v1/operations", tags=["operations"])

#: Kinds of process that every installation has (``GongcheDown``).
_NEEDED: Final = ("gateway", "worker", "judge", "api", "deliver")
_SHOWN: Final[list[dict[str, str]]] = [
    {
        "name": figure.name, "zh": figure.zh, "en": figure.en, "unit": figure.unit,
        "of": "rate" if figure.counts else "level", "all_together": "sum" if figure.counts else figure.together,
    }
    for figure in FIGURES
] + [
    {
        "name": f"{spread.name}_{name}", "zh": f"{spread.zh} {name}", "en": f"{spread.en} {name}", "unit": "s", "of": "quantile",
        "all_together": "merged",
    }
    for spread in SPREADS
    for name in QUANTILES
]  # fmt: skip
#: So many digits are shown.
_DIGITS: Final = 6


@router.get(
    "/series",
    summary="最近一天的运行曲线 / figures of the last day, for charts",
    response_model=OperationsSeries,
    dependencies=[require(READ)],
)
async def get_series(
    request: Request,
    from_: Annotated[QueryTime | None, Query(alias="from", description="by default a day before `to`")] = None,
    to: Annotated[QueryTime | None, Query(description="by default now")] = None,
    step: Annotated[
        int | None,
        Query(
            ge=EVERY_S, le=3600, multiple_of=EVERY_S,
            description=f"seconds; by default the smallest of {', '.join(map(str, series.STEPS))} that gives at most"
            f" {series.MOST_POINTS // 2} points; at most {series.MOST_POINTS} points",
        ),
    ] = None,
) -> Response:  # fmt: skip
    """What each process noted every ten seconds: the program keeps it itself, for a day, and needs no Prometheus."""
    try:
        wanted = series.window(
            utc_now().timestamp(),
            None if from_ is None else from_.timestamp(),
            None if to is None else to.timestamp(),
            step,
        )
    except ValueError as error:
        raise Problem(
            422,
            "invalid-parameter",
            f"点数过多：step 至少取 {error}，或缩短时间 · too many points: step must be at least {error}, or ask for a shorter time",
        ) from None
    async with scoped(request, READ, read_only=True) as connection:
        found = await series.load(connection, wanted) if wanted.points else []
    return await asyncio.to_thread(_answer, wanted, found)


def _answer(wanted: series.Window, found: list[series.Process]) -> Response:
    total = series.together(found, wanted.points)
    return json_response(
        {
            "from": _time(wanted.from_s), "to": _time(wanted.to_s), "step": wanted.step_s, "points": wanted.points,
            "figures": _SHOWN,
            "processes": [
                {
                    "process": of.process, "instance": of.instance, "version": of.version,
                    "starts": [_time(at) for at in sorted(of.starts_s)],
                    "columns": _rounded(of.columns), "rejects": _rounded(of.rejects),
                }
                for of in found
            ],
            "total": {"columns": _rounded(total.columns), "rejects": _rounded(total.rejects)},
        }
    )  # fmt: skip


@router.get(
    "/state",
    summary="各进程现状和告警 / how the processes are now, and the alarms that stand",
    response_model=OperationsState,
    dependencies=[require(READ)],
)
async def get_state(request: Request) -> Response:
    """The alarms are those of deploy/prometheus that matter most, with the same limits and times, found in what the processes noted."""
    now_s = utc_now().timestamp()
    begin = int(now_s - alarms.LOOKED_AT_S) // EVERY_S * EVERY_S
    wanted = series.window(now_s, begin, None, EVERY_S)
    async with scoped(request, READ, read_only=True) as connection:
        lasts = await series.newest(connection)
        found = await series.load(connection, wanted)
    raised = alarms.down(lasts, _NEEDED) + alarms.standing(found, wanted.points)
    states = {(last.process, last.instance): alarms.state_of(last, lasts) for last in lasts}
    return json_response(
        {
            "at": utc_now(),
            "versions": sorted({last.version for last in lasts if states[last.process, last.instance] == "running"}),
            "schema": expected_schema_version(),
            "processes": [_process(last, states[last.process, last.instance]) for last in lasts],
            "alarms": [
                {
                    "name": one.alarm.name, "severity": one.alarm.severity, "process": one.process or None,
                    "instance": one.instance or None, "value": round(one.value, _DIGITS), "zh": one.alarm.zh, "en": one.alarm.en,
                    "runbook": f"docs/operations.md#{one.alarm.runbook}",
                }
                for one in sorted(raised, key=lambda one: (one.alarm.severity, one.alarm.name))
            ],
            "checked": [alarms.DOWN.name, *(alarm.name for alarm in alarms.ALARMS)],
            "grafana": request.app.state.settings.grafana_url,
        }
    )  # fmt: skip


def _process(last: series.Last, state: str) -> dict[str, Any]:
    shown = ("memory_bytes", "disk_free_bytes", "disk_size_bytes", "lag_seconds", "connections")
    cpu = last.values.get("cpu_seconds")
    return {
        "process": last.process, "instance": last.instance, "version": last.version, "state": state,
        "started_at": _time(last.started_at_s), "last_sample_at": _time(last.at_s), "age_s": round(last.age_s, 1),
        "cpu": None if cpu is None else round(cpu, 3), **{name: last.values.get(name) for name in shown},
    }  # fmt: skip


def _time(seconds: float) -> Any:
    return from_us(round(seconds * 1e6))


def _rounded(columns: dict[str, series.Column]) -> dict[str, series.Column]:
    return {
        name: [None if value is None else round(value, _DIGITS) for value in column]
        for name, column in columns.items()
    }
