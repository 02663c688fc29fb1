"""/v1/backtests. Only the queue is written here; a process of its own runs what waits (``gongche.backtests``)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.scoped import actor, scoped, subject_of, written
from api.backtests.schemas import BacktestBody, BacktestPage, BacktestShown, BacktestWithResult
from api.bodies import body_of, read_model
from api.errors import Problem, not_found
from api.http import DEFAULT_PAGE, Cursor, Limit, json_response, make_cursor, read_cursor
from office.identity.audit import note
from registry import parameters
from registry.organisations import names_of, organisation_exists
from registry.refusals import Flaw, RefusedError
from registry.vehicles import vehicles_by_id
from rules.backtest import jobs
from rules.backtest.model import Kind
from rules.catalogue import RULES
from rules.checks import location
from runtime.connection import Connection

#: Who sets parameters and fences may try them; examples are alerts, or would be.
MAY, ALERTS = "registry:write", "alerts:read"
router = APIRouter(prefix="/v1/backtests", tags=["backtests"])
_may = [require(MAY)]
No = Annotated[int, Path(ge=1, le=2**53)]
_CODES: Final = tuple(rule.code for rule in RULES)


@router.post(
    "",
    summary="试算 / try other parameters or another fence over past days",
    status_code=202,
    response_model=BacktestShown,
    openapi_extra=body_of(BacktestBody),
    dependencies=_may,
)
async def ask(request: Request) -> Response:
    """It waits in a queue and is run in a process of its own. Nothing is published; the result is kept for 30 days."""
    body = await read_model(request, BacktestBody)
    fence = body.fence
    asked = jobs.Asked(
        body.rule,
        _checked(body),
        body.organisation if fence is None else fence.organisation,
        None
        if fence is None
        else {
            "id": fence.id, "name": fence.name, "organisation": fence.organisation, "vehicles": fence.vehicles,
            "datum": fence.datum, "geometry": fence.geometry,
        },
        date.fromisoformat(body.from_),
        date.fromisoformat(body.to),
        body.examples,
    )  # fmt: skip
    subject = subject_of(request)

    async def write(connection: Connection) -> dict[str, Any]:
        await _refuse_unknown(connection, asked)
        job = await jobs.ask(connection, asked, subject.key, subject.name)
        await note(
            connection, actor(request, MAY), "write", "backtests", str(job["no"]), organisation=asked.organisation,
            detail={"rule": asked.rule, "parameters": dict(asked.parameters), "from": body.from_, "to": body.to},
        )  # fmt: skip
        return job

    try:
        job = await written(request, MAY, write)
    except jobs.QueueFullError as error:
        raise _full(error) from None
    return json_response(_shown(job), 202, {"Location": f"/v1/backtests/{job['no']}"})


def _checked(body: BacktestBody) -> dict[str, int]:
    """The parameters. Raises RefusedError with every flaw."""
    flaws: list[Flaw] = []
    if body.rule not in _CODES:
        flaws.append(Flaw(("rule",), f"没有这条规则；可用 · no such rule; there are: {', '.join(_CODES)}"))
    elif body.fence is not None:
        if body.rule != location.RULE:
            flaws.append(
                Flaw(("rule",), f"围栏只影响 {location.RULE} · a fence matters to {location.RULE} only")
            )
        if body.organisation not in (None, body.fence.organisation):
            flaws.append(Flaw(("organisation",), "应与围栏的单位相同 · must be the unit of the fence"))
    known = {each.name: each for each in parameters.used_by(body.rule)}
    for name, value in body.parameters.items():
        found = known.get(name)
        if body.rule in _CODES and found is None:
            message = (
                f"规则 {body.rule} 没有这个参数；可用 · no such parameter; there are: {', '.join(known)}"
            )
            flaws.append(Flaw(("parameters", name), message))
        elif found is not None and not found.minimum <= value <= found.maximum:
            limits = f"{found.minimum}..{found.maximum} {found.unit}"
            flaws.append(
                Flaw(("parameters", name), f"应为整数，范围 {limits} · must be an integer of {limits}")
            )
    if flaws:
        raise RefusedError(flaws)
    return body.parameters


async def _refuse_unknown(connection: Connection, asked: jobs.Asked) -> None:
    """Raises RefusedError for a unit or vehicles that are not there, or not for the caller to see."""
    unit = asked.organisation
    if unit is not None and not await organisation_exists(connection, unit):
        where = ("organisation",) if asked.fence is None else ("fence", "organisation")
        raise RefusedError([Flaw(where, f"单位 {unit} 未登记 · unknown organisation: {unit}")])
    if asked.fence is not None and (wanted := asked.fence["vehicles"]):
        known = await vehicles_by_id(connection, wanted)
        if unknown := [id for id in wanted if id not in known]:
            named = "、".join(unknown[:10])
            raise RefusedError(
                [
                    Flaw(
                        ("fence", "vehicles"),
                        f"车辆未登记：{named} · unknown vehicles: {', '.join(unknown[:10])}",
                    )
                ]
            )


def _full(error: jobs.QueueFullError) -> Problem:
    detail = (
        f"您已有 {jobs.MOST_OWN} 项试算在排队或运行，请等其完成，或取消一项 · {jobs.MOST_OWN} of yours wait or run; wait for one to end, or cancel one"
        if error.own
        else "试算排队已满，请稍后再试 · the queue is full; try again later"
    )
    return Problem(429, "queue-full", detail, headers={"Retry-After": "60"})


@router.get(
    "", summary="试算列表 / backtests, the newest first", response_model=BacktestPage, dependencies=_may
)
async def listed(request: Request, limit: Limit = DEFAULT_PAGE, cursor: Cursor = None) -> Response:
    place = read_cursor("backtests", cursor, int)
    async with scoped(request, MAY, read_only=True) as connection:
        found = await jobs.newest(connection, None if place is None else place[0], limit + 1)
    page = found[:limit]
    following = make_cursor("backtests", page[-1]["no"]) if len(found) > limit else None
    return json_response({"items": [_shown(job) for job in page], "next": following})


@router.get(
    "/{no}",
    summary="一次试算及结果 / a backtest and its result",
    response_model=BacktestWithResult,
    dependencies=_may,
)
async def shown(request: Request, no: No) -> Response:
    examples: list[Any] = []
    async with scoped(request, MAY, read_only=True) as connection:
        job = await jobs.find(connection, no)
        if job is None:
            raise _unknown(no)
        counted = await jobs.counts(connection, no)
        names = await names_of(connection, {row["organisation"] for row in counted if row["organisation"]})
    if job["state"] != "done":
        return json_response(_shown(job) | {"counts": None, "units": None, "result_examples": None})
    if subject_of(request).may(ALERTS):
        async with scoped(request, ALERTS, read_only=True) as connection:
            examples = await jobs.examples(connection, no)
    return json_response(
        _shown(job)
        | {
            "counts": _counts(counted),
            "units": _units(counted, names),
            "result_examples": [_example(row) for row in examples],
        }
    )


@router.post(
    "/{no}/cancel",
    summary="取消试算 / cancel a backtest that waits or runs",
    response_model=BacktestShown,
    dependencies=_may,
)
async def cancel(request: Request, no: No) -> Response:
    async def write(connection: Connection) -> dict[str, Any]:
        if not await jobs.cancel(connection, no):
            await _refuse_state(connection, no, "已经结束，无需取消 · it has ended already")
        return await _found(connection, no)

    return json_response(_shown(await written(request, MAY, write)))


@router.post(
    "/{no}/restart",
    summary="重新开始 / start one again that has no result",
    response_model=BacktestShown,
    dependencies=_may,
)
async def restart(request: Request, no: No) -> Response:
    subject = subject_of(request)

    async def write(connection: Connection) -> dict[str, Any]:
        await _found(connection, no)
        if not await jobs.restart(connection, no, subject.key):
            await _refuse_state(
                connection,
                no,
                "在排队、运行或已完成，不能重新开始 · it waits, runs or is done; only one without a result starts again",
            )
        return await _found(connection, no)

    try:
        return json_response(_shown(await written(request, MAY, write)))
    except jobs.QueueFullError as error:
        raise _full(error) from None


async def _found(connection: Connection, no: int) -> dict[str, Any]:
    job = await jobs.find(connection, no)
    if job is None:
        raise _unknown(no)
    return job


async def _refuse_state(connection: Connection, no: int, detail: str) -> None:
    """Raises Problem 404 where there is no such job, else 409 with ``detail``."""
    await _found(connection, no)
    raise Problem(409, "conflict", detail)


def _unknown(no: int) -> Problem:
    return not_found("没有这次试算，或已超过保存期限 · no such backtest, or it is not kept any more", str(no))


def _shown(job: dict[str, Any]) -> dict[str, Any]:
    fence = job["fence"]
    return {
        "no": job["no"], "state": job["state"], "rule": job["rule"], "organisation": job["organisation"],
        "parameters": job["parameters"],
        "fence": None if fence is None else {key: fence[key] for key in ("id", "name", "organisation", "vehicles")},
        "from": job["from_day"], "to": job["to_day"], "examples": job["examples"], "asked_by": job["asked_by_name"],
        "asked_at": job["asked_at"], "started_at": job["started_at"], "ended_at": job["ended_at"], "ahead": job["ahead"],
        "cancelling": job["cancel_asked"] and job["state"] == "running",
        "percent": 100 if job["state"] == "done" else 100 * job["done"] // max(1, job["total"]), "pending": job["pending"],
        "problem": job["problem"],
    }  # fmt: skip


def _counts(rows: list[Any]) -> dict[str, int]:
    made = dict.fromkeys((kind.value for kind in Kind), 0)
    for row in rows:
        if not row["finding"]:
            made[row["kind"]] += row["subjects"]
    return made


def _units(rows: list[Any], names: dict[str, str]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for unit in dict.fromkeys(row["organisation"] for row in rows):
        mine = [row for row in rows if row["organisation"] == unit]
        findings: dict[str, dict[str, int]] = {}
        for row in mine:
            if row["finding"]:
                findings.setdefault(row["kind"], {})[row["finding"]] = row["subjects"]
        made.append(
            {
                "organisation": unit,
                "name": names.get(unit or ""),
                "counts": _counts(mine),
                "findings": findings,
            }
        )
    return made


def _example(row: Any) -> dict[str, Any]:
    plain = ("subject", "vehicle", "driver", "finding", "occurred_from", "occurred_to", "was", "becomes")
    return {
        "kind": row["kind"], "organisation": row["organisation"],
        **{name: row[name] for name in plain}, "plate": row["plate"] or None, "order": row["order_id"], "alert": row["alert_id"],
    }  # fmt: skip
