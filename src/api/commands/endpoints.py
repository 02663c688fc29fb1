"""/v1/commands. Here they are only asked for; the gateway that holds the terminal sends them (``telemetry.gateway.downlink``)."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import ValidationError

from api.auth.access import require
from api.auth.scoped import scoped, subject_of, written
from api.bodies import body_of, read_model
from api.commands.schemas import (
    MODELS,
    AnyCommand,
    CommandBody,
    CommandPage,
    CommandReason,
    CommandShown,
    CommandWithThread,
    KindName,
    SetParametersCommand,
)
from api.errors import Problem, known, not_found
from api.http import (
    DEFAULT_PAGE,
    MAX_ID,
    PLAIN,
    Cursor,
    Limit,
    json_response,
    make_cursor,
    read_cursor,
    read_json,
    refuse_controls,
)
from office.identity.subject import Kind, Subject
from registry.refusals import Flaw, RefusedError, explain
from runtime.connection import Connection
from runtime.settings import Settings
from telemetry.commands import asking
from telemetry.commands.asking import Asked, Who
from telemetry.commands.kinds import KINDS, PERMISSION
from telemetry.commands.steps import CommandState
from telemetry.terminals.phones import stored_phone

router = APIRouter(prefix="/v1", tags=["commands"])
READ, SEND, CONTROL = "commands:read", "commands:send", "commands:control"
_NO_VEHICLE: Final = "没有这辆车 · no such vehicle"
VehicleId = Annotated[str, Path(min_length=1, max_length=MAX_ID)]
No = Annotated[int, Path(ge=1, le=2**53)]


@router.post(
    "/vehicles/{id}/commands",
    summary="向车载终端下发指令 / send a command to the terminal of a vehicle",
    status_code=201,
    response_model=CommandShown,
    openapi_extra=body_of(CommandBody),
    dependencies=[require(SEND)],
    responses={
        200: {"model": CommandShown, "description": "已按此 key 下发过，未重复 · it was asked for with this key before"},
        409: {"description": "key 已用于另一条指令，或车上有多个终端 · the key stands for another command, or several terminals sit there"},
        429: {"description": "此终端等待的指令过多 · too many commands wait for this terminal"},
    },
)  # fmt: skip
async def ask(request: Request, id: VehicleId) -> Response:
    """It is sent at once where the terminal is connected, else when it connects next, until it expires. `set_parameters` needs
    `commands:configure` as well; what acts on the vehicle (`reset`, `lock`, `cut`) needs `commands:control`, a person who signed in, the
    agreement of another one, and the setting GONGCHE_COMMAND_CONTROL."""
    body = await _read(request)
    vehicle, subject = known(_NO_VEHICLE, id), subject_of(request)
    kind = KINDS[body.kind]
    needed = PERMISSION[kind.level]
    _refuse_without(subject, needed)
    _refuse_switched_off(request, body)
    asked = Asked(
        vehicle, body.kind, body.fields(), body.reason, body.key, _life(body),
        None if body.terminal is None else stored_phone(body.terminal),
    )  # fmt: skip
    who = _who(subject, needed)
    try:
        made, new = await written(request, needed, lambda connection: asking.ask(connection, asked, who))
    except asking.NoVehicleError:
        raise not_found(_NO_VEHICLE, id) from None
    except asking.NoTerminalError:
        message = (
            "车上现在没有这个（或任何）启用的终端 · no such (or no) enabled terminal sits in the vehicle now"
        )
        raise RefusedError([Flaw(("terminal",), message)]) from None
    except asking.WhichTerminalError as error:
        phones = "、".join(error.phones[:10])
        detail = f"车上有多个终端，请用 terminal 指明：{phones} · several terminals sit in the vehicle, say which: {phones}"
        raise Problem(409, "which-terminal", detail) from None
    except asking.TooManyError:
        detail = f"此终端已有 {asking.MOST_WAITING} 条指令等待，请先撤回 · {asking.MOST_WAITING} commands wait for this terminal; cancel some"
        raise Problem(429, "too-many-commands", detail, headers={"Retry-After": "60"}) from None
    except asking.OtherCommandError as error:
        detail = f"key 已用于另一条指令 {error.no} · this key stands for another command, {error.no}"
        raise Problem(409, "key-taken", detail) from None
    return json_response(
        _shown(made, subject), 201 if new else 200, {"Location": f"/v1/commands/{made['no']}"}
    )


async def _read(request: Request) -> AnyCommand:
    """The body, by its kind. Raises as ``read_model``, each flaw with its place in what was sent."""
    given = await read_json(request)
    if not isinstance(given, dict):
        raise RefusedError([Flaw((), "应为 JSON 对象 · the body must be a JSON object")])
    kind = given.get("kind")
    model = MODELS.get(kind) if isinstance(kind, str) else None
    if model is None:
        raise RefusedError(
            [Flaw(("kind",), f"没有这类指令；可用 · no such kind; there are: {', '.join(MODELS)}")]
        )
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise RefusedError(explain(error)) from None


def _refuse_without(subject: Subject, needed: str) -> None:
    if not subject.may(needed):
        detail = f"此类指令需要权限 {needed} · this kind of command needs the permission {needed}"
        raise Problem(403, "missing-scope", detail)
    if needed == CONTROL and subject.kind is not Kind.USER:
        detail = "控制车辆须由本人登录办理 · only a person who signed in acts on a vehicle"
        raise Problem(403, "not-allowed", detail)


def _refuse_switched_off(request: Request, body: AnyCommand) -> None:
    settings: Settings = request.app.state.settings
    if isinstance(body, SetParametersCommand):
        foreign = [each.id for each in body.parameters if int(each.id, 16) not in _permitted(settings)]
        if foreign:
            message = f"不允许设置这些参数（GONGCHE_COMMAND_PARAMETERS）：{'、'.join(foreign[:10])} · these parameters may not be set"
            raise RefusedError([Flaw(("parameters",), message)])
    if KINDS[body.kind].dangerous:
        _refuse_control(settings, body.kind)


def _permitted(settings: Settings) -> frozenset[int]:
    return frozenset(int(each, 16) for each in settings.command_parameters)


def _refuse_control(settings: Settings, kind: str) -> None:
    if not settings.command_control or (kind == "cut" and settings.command_cut_words is None):
        detail = (
            "此类指令未启用，请运维设置 GONGCHE_COMMAND_CONTROL（断油断电另需 GONGCHE_COMMAND_CUT_WORDS）"
            " · commands of this kind are switched off: GONGCHE_COMMAND_CONTROL, for cutting GONGCHE_COMMAND_CUT_WORDS too"
        )
        raise Problem(403, "switched-off", detail)


def _life(body: AnyCommand) -> timedelta:
    kind = KINDS[body.kind]
    if body.expires_in_s is None:
        return kind.life
    asked = timedelta(seconds=body.expires_in_s)
    if asked > kind.most:
        longest = int(kind.most.total_seconds())
        raise RefusedError(
            [Flaw(("expires_in_s",), f"此类指令最多等待 {longest} 秒 · a command of this kind waits {longest} s at most")]
        )  # fmt: skip
    return asked


def _who(subject: Subject, permission: str) -> Who:
    """Whose act it is: the subject's, and of those whose right was delegated to him."""
    lent = {grant.delegated_by for grant in subject.grants if permission in grant.permissions}
    return Who(
        subject.key, subject.name, frozenset({subject.key, *(f"user:{id}" for id in lent if id is not None)})
    )


@router.get(
    "/commands",
    summary="指令列表 / commands, the newest first",
    response_model=CommandPage,
    dependencies=[require(READ)],
)
async def listed(
    request: Request,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    vehicle: Annotated[str | None, Query(max_length=MAX_ID, json_schema_extra=PLAIN)] = None,
    organisation: Annotated[str | None, Query(max_length=MAX_ID, json_schema_extra=PLAIN)] = None,
    kind: KindName | None = None,
    state: Annotated[list[CommandState] | None, Query(max_length=8)] = None,
) -> Response:
    """`state` may stand there several times."""
    refuse_controls(vehicle, organisation)
    place = read_cursor("commands", cursor, int)
    async with scoped(request, READ, read_only=True) as connection:
        found = await asking.page(
            connection, vehicle=vehicle, organisation=organisation, kind=kind, states=state or (),
            before=None if place is None else place[0], limit=limit + 1,
        )  # fmt: skip
    page = found[:limit]
    following = make_cursor("commands", page[-1]["no"]) if len(found) > limit else None
    subject = subject_of(request)
    return json_response({"items": [_shown(row, subject) for row in page], "next": following})


@router.get(
    "/commands/{no:int}",
    summary="一条指令及其经过 / a command and what has happened to it",
    response_model=CommandWithThread,
    dependencies=[require(READ)],
)
async def shown(request: Request, no: No) -> Response:
    async with scoped(request, READ, read_only=True) as connection:
        command = await _found(connection, no)
        thread = await asking.thread_of(connection, no)
    listed = [
        {name: row[name] for name in ("number", "step", "at", "reason", "detail")} | {"by": row["actor_name"]}
        for row in thread
    ]
    return json_response(_shown(command, subject_of(request)) | {"thread": listed})


@router.post(
    "/commands/{no}:cancel",
    summary="撤回尚未下发的指令 / call back a command that was not sent yet",
    response_model=CommandShown,
    openapi_extra=body_of(CommandReason),
    dependencies=[require(SEND)],
    responses={409: {"description": "已下发或已结束 · it was sent, or has ended"}},
)
async def cancel(request: Request, no: No) -> Response:
    body, subject = await read_model(request, CommandReason), subject_of(request)

    async def write(connection: Connection) -> dict[str, Any]:
        if not await asking.cancel(connection, no, _who(subject, SEND), body.reason):
            state = (await _found(connection, no))["state"]
            raise _too_late(
                state, "已下发或已结束，不能撤回 · it was sent or has ended, and cannot be called back"
            )
        return await _found(connection, no)

    return json_response(_shown(await written(request, SEND, write), subject))


@router.post(
    "/commands/{no}:approve",
    summary="同意控制车辆的指令（另一人） / agree to a command that acts on a vehicle: another person",
    response_model=CommandShown,
    openapi_extra=body_of(CommandReason),
    dependencies=[require(CONTROL)],
    responses={
        409: {
            "description": "您已申请，须另一人同意；或不再等待 · you have asked, another person must agree; or it waits no more"
        }
    },
)
async def approve(request: Request, no: No) -> Response:
    """Another person than the one who asked, both with `commands:control` in the unit of the vehicle. Whoever has the right by
    delegation is, for this, who gave it as well."""
    body, subject = await read_model(request, CommandReason), subject_of(request)
    _refuse_without(subject, CONTROL)
    who = _who(subject, CONTROL)

    async def write(connection: Connection) -> dict[str, Any]:
        command = await _found(connection, no)
        _refuse_control(request.app.state.settings, command["kind"])
        if command["state"] != CommandState.PROPOSED:
            raise _too_late(command["state"], "不在等待同意 · it does not wait for an agreement")
        if not who.persons.isdisjoint(command["persons"]):
            detail = "您已申请，须另一人同意 · you have asked for it, another person must agree"
            raise Problem(409, "second-person", detail)
        if not await asking.approve(connection, no, who, body.reason):
            raise _too_late(command["state"], "刚刚改变，请刷新 · it has just changed, look again")
        return await _found(connection, no)

    return json_response(_shown(await written(request, CONTROL, write), subject))


async def _found(connection: Connection, no: int) -> dict[str, Any]:
    command = await asking.find(connection, no)
    if command is None:
        raise not_found("没有这条指令 · no such command", str(no))
    return command


def _too_late(state: str, detail: str) -> Problem:
    return Problem(409, "conflict", detail, more={"state": state})


def _shown(row: dict[str, Any], subject: Subject) -> dict[str, Any]:
    plain = (
        "no", "organisation", "vehicle", "terminal", "kind", "fields", "reason", "key", "asked_at", "expires_at", "state", "failure",
        "ended_at",
    )  # fmt: skip
    another = _who(subject, CONTROL).persons.isdisjoint(row["persons"])
    return {name: row[name] for name in plain} | {
        "asked_by": row["asked_by_name"],
        "attempts": row["attempt"],
        "cancellable": row["state"] in (CommandState.PROPOSED, CommandState.QUEUED) and subject.may(SEND),
        "approvable": row["state"] == CommandState.PROPOSED
        and another
        and subject.kind is Kind.USER
        and subject.may(CONTROL),
    }
