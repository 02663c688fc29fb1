"""``/v1/users``: administrators keep the people, their roles and what is delegated."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.scoped import subject_of
from api.bodies import body_of
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
from api.identity.refusals import as_problems
from api.identity.schemas import (
    GrantBody,
    Made,
    NewUser,
    OidcLink,
    OneTimePassword,
    OwnDelegation,
    UserBody,
    UserPage,
    UserWithRoles,
    read_body,
)
from api.identity.session import delegated, number_of
from office.identity import grants, sessions, users
from office.identity.login import Desk
from office.identity.names import login_name
from office.identity.passwords import one_time_password

router = APIRouter(prefix="/v1", tags=["users"], dependencies=[require("users:manage")])

Id = Annotated[str, Path(max_length=200, description="login name")]


def _login(id: str) -> str:
    """The login name in an address, as it is stored; what can be none is found nowhere."""
    refuse_controls(id)
    return login_name(id) or ""


@router.get("/users", summary="用户列表 / users", response_model=UserPage)
async def listed(
    request: Request,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    organisation: Annotated[
        str | None,
        Query(max_length=MAX_ID, json_schema_extra=PLAIN, description="of this unit and those below it"),
    ] = None,
) -> Response:
    """Those whose unit is below one of yours."""
    refuse_controls(organisation)
    place = read_cursor("users", cursor, str)
    desk: Desk = request.app.state.desk
    async with desk.connection() as connection:
        found = await users.page(
            connection, subject_of(request), place[0] if place else None, limit + 1, organisation
        )
    items = found[:limit]
    following = make_cursor("users", items[-1]["id"]) if len(found) > limit else None
    return json_response({"items": items, "next": following})


@router.post(
    "/users",
    summary="新建用户 / a new user; the one-time password is shown once",
    response_model=OneTimePassword,
    status_code=201,
    openapi_extra=body_of(NewUser),
)
async def create(request: Request) -> Response:
    given = await read_body(request, NewUser)
    desk: Desk = request.app.state.desk
    with as_problems():
        id = users.stored_login(given.id)
        who = users.profile(given.name, given.organisation, given.phone, given.email)
        password = one_time_password()
        hashed = await desk.passwords.hash(password)
        async with desk.transaction() as connection:
            await users.create(connection, subject_of(request), id, who, hashed)
    return json_response({"id": id, "one_time_password": password}, 201)


@router.get(
    "/users/{id:id}", summary="用户 / a user with roles and delegations", response_model=UserWithRoles
)
async def read(request: Request, id: Id) -> Response:
    with as_problems():
        async with request.app.state.desk.connection() as connection:
            return json_response(await users.find(connection, subject_of(request), _login(id)))


@router.put(
    "/users/{id:id}",
    summary="修改用户 / change name, unit, phone, e-mail",
    response_model=UserWithRoles,
    openapi_extra=body_of(UserBody),
)
async def change(request: Request, id: Id) -> Response:
    given = await read_body(request, UserBody)
    with as_problems():
        who = users.profile(given.name, given.organisation, given.phone, given.email)
        async with request.app.state.desk.transaction() as connection:
            await users.change(connection, subject_of(request), _login(id), who)
            return json_response(await users.find(connection, subject_of(request), _login(id)))


@router.post("/users/{id}:disable", summary="停用 / let the user in no more, from now on", status_code=204)
async def disable(request: Request, id: Id) -> Response:
    """Ends the sessions. The last administrator is not disabled (403)."""
    with as_problems():
        async with request.app.state.desk.transaction() as connection:
            await users.disable(connection, subject_of(request), _login(id))
    return Response(status_code=204)


@router.post("/users/{id}:enable", summary="启用 / let the user in again", status_code=204)
async def enable(request: Request, id: Id) -> Response:
    with as_problems():
        async with request.app.state.desk.transaction() as connection:
            await users.enable(connection, subject_of(request), _login(id))
    return Response(status_code=204)


@router.post(
    "/users/{id}:reset-password",
    summary="重置密码 / a one-time password, shown once; the sessions end",
    response_model=OneTimePassword,
)
async def reset_password(request: Request, id: Id) -> Response:
    desk: Desk = request.app.state.desk
    with as_problems():
        password = one_time_password()
        hashed = await desk.passwords.hash(password)
        async with desk.transaction() as connection:
            await users.reset_password(connection, subject_of(request), _login(id), hashed)
    return json_response({"id": _login(id), "one_time_password": password})


@router.post(
    "/users/{id}:reset-totp",
    summary="取消动态验证码 / take a lost second factor away; the sessions end",
    status_code=204,
)
async def reset_totp(request: Request, id: Id) -> Response:
    with as_problems():
        async with request.app.state.desk.transaction() as connection:
            await users.reset_code(connection, subject_of(request), _login(id))
    return Response(status_code=204)


@router.post("/users/{id}:sign-out", summary="强制退出 / end all sessions of the user", status_code=204)
async def sign_out(request: Request, id: Id) -> Response:
    with as_problems():
        async with request.app.state.desk.transaction() as connection:
            await users.manageable(connection, subject_of(request), _login(id))
            await sessions.end_all(connection, _login(id), "ended by an administrator")
    return Response(status_code=204)


@router.post(
    "/users/{id}/grants",
    summary="授予角色 / grant a role, in your units and below; never to yourself",
    response_model=Made,
    status_code=201,
    openapi_extra=body_of(GrantBody),
)
async def grant(request: Request, id: Id) -> Response:
    given = await read_body(request, GrantBody)
    login = _login(id)
    with as_problems():
        async with request.app.state.desk.transaction() as connection:
            await users.visible(connection, subject_of(request), login)
            made = await grants.grant_role(
                connection,
                subject_of(request),
                login,
                given.role,
                given.organisation,
                given.valid_from or utc_now(),
                given.valid_to,
            )
    return json_response({"id": made}, 201)


@router.delete("/role-grants/{id}", summary="收回角色 / take a role away, from now on", status_code=204)
async def take(request: Request, id: Annotated[str, Path(max_length=MAX_ID)]) -> Response:
    """What was delegated of it ends with it. The last administrator keeps the role (403)."""
    with as_problems():
        async with request.app.state.desk.transaction() as connection:
            found = await grants.find_grant(connection, number_of(id))
            await grants.take_role(connection, subject_of(request), found)
    return Response(status_code=204)


@router.post(
    "/users/{id}/delegations",
    summary="代办委托 / delegate a role of this user to another one, for a period",
    response_model=Made,
    status_code=201,
    openapi_extra=body_of(OwnDelegation),
)
async def delegate(request: Request, id: Id) -> Response:
    """Nobody delegates a role to himself."""
    given = await read_body(request, OwnDelegation)
    refuse_controls(given.reason)
    login = _login(id)
    with as_problems():
        async with request.app.state.desk.transaction() as connection:
            await users.visible(connection, subject_of(request), login)
            made = await delegated(connection, subject_of(request), login, given)
    return json_response({"id": made}, 201)


@router.delete("/delegations/{id}", summary="结束委托 / end a delegation now", status_code=204)
async def end_delegation(request: Request, id: Annotated[str, Path(max_length=MAX_ID)]) -> Response:
    with as_problems():
        async with request.app.state.desk.transaction() as connection:
            await grants.end_delegation(connection, subject_of(request), number_of(id))
    return Response(status_code=204)


@router.put(
    "/users/{id}/oidc",
    summary="关联统一身份 / say who the user is at the identity provider",
    status_code=204,
    openapi_extra=body_of(OidcLink),
)
async def link(request: Request, id: Id) -> Response:
    """Needs the setting of a provider (422 without). Another link of the user to it is replaced."""
    given = await read_body(request, OidcLink)
    refuse_controls(given.subject)
    issuer = request.app.state.settings.oidc_issuer
    with as_problems():
        async with request.app.state.desk.transaction() as connection:
            await users.link_oidc(connection, subject_of(request), _login(id), issuer, given.subject)
    return Response(status_code=204)


@router.delete("/users/{id}/oidc", summary="取消关联 / no login by the identity provider", status_code=204)
async def unlink(request: Request, id: Id) -> Response:
    with as_problems():
        async with request.app.state.desk.transaction() as connection:
            await users.unlink_oidc(connection, subject_of(request), _login(id))
    return Response(status_code=204)
