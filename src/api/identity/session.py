"""``/v1/session``: signing in and out, and what a person changes of his own account."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from api.auth.authentication import session_of
from api.auth.cookies import clear_session, refuse_cross_site, session_secret, set_session
from api.auth.scoped import actor
from api.bodies import body_of
from api.errors import Problem, not_found
from api.http import MAX_ID, address_of, agent_of, json_response, refuse_controls, utc_now
from api.identity.refusals import as_problems
from api.identity.schemas import (
    AliveSessions,
    CodeOnly,
    Confirmation,
    EnrolmentShown,
    Made,
    OwnDelegation,
    PasswordChange,
    RecoveryCodes,
    SessionState,
    SignIn,
    SignInMethods,
    SwitchOff,
    read_body,
)
from office.identity import grants, sessions, totp, users
from office.identity.audit import CURRENT
from office.identity.login import Desk
from office.identity.secrets import NewSecret
from office.identity.sessions import Session, Visit, csrf_token
from office.identity.subject import ROLE_NAMES, Subject
from registry.refusals import Flaw, RefusedError
from runtime.connection import Connection

router = APIRouter(prefix="/v1", tags=["session"])

Id = Annotated[str, Path(max_length=MAX_ID)]


def visit_of(request: Request) -> Visit:
    """From where a request comes, as texts that may be stored and shown."""
    return Visit(address_of(request), agent_of(request))


async def own_session(request: Request) -> Session:
    """The session of the request. Raises Problem 401 without one, 403 for a token: a program has no account here."""
    session = None
    if "authorization" not in request.headers:
        session = await session_of(request)
    elif session_secret(request) is None:
        raise Problem(
            403, "session-needed", "此接口只供登录的人员使用，不接受令牌 · for people who are signed in; tokens are not taken here"
        )  # fmt: skip
    else:
        raise Problem(
            403, "session-needed", "请勿同时发送令牌与会话 · send the session cookie without an Authorization header"
        )  # fmt: skip
    if session is None:
        raise Problem(
            401,
            "not-authenticated",
            "请先登录：POST /v1/session · sign in first",
            headers={"WWW-Authenticate": 'Session realm="gongche"'},
        )
    CURRENT.set(actor(request, subject=session.subject).json())
    return session


async def _state(connection: Connection, session: Session, secret: str) -> dict[str, Any]:
    subject = session.subject
    return {
        "id": session.id,
        "login": subject.id,
        "name": subject.name,
        "must_change_password": session.must_change_password,
        "second_factor": session.has_code,
        "recovery_codes_left": await totp.count_recovery_codes(connection, subject.id),
        "method": session.method,
        "began_at": session.began_at,
        "ends_at": session.ends_at,
        "roles": [
            {
                "role": grant.role.value,
                "name": ROLE_NAMES[grant.role],
                "organisation": grant.organisation,
                "permissions": sorted(grant.permissions),
                "delegated_by": grant.delegated_by,
            }
            for grant in subject.grants
            if grant.role is not None
        ],
        "permissions": sorted({permission for grant in subject.grants for permission in grant.permissions}),
        "grants": await grants.list_grants(connection, subject.id),
        "delegations": await grants.list_delegations(connection, subject.id),
        "driver": await users.driver_of(connection, subject.id),
        "csrf_token": csrf_token(secret),
    }


async def begun(request: Request, made: NewSecret) -> dict[str, Any]:
    """The state of a session that has just begun."""
    desk: Desk = request.app.state.desk
    async with desk.connection() as connection:
        session = await sessions.find(connection, made.secret, desk.idle)
        if session is None:  # disabled in this moment
            raise Problem(
                401, "session-ended", "会话已结束，请重新登录 · the session has ended, sign in again"
            )
        return await _state(connection, session, made.secret)


async def _handed_over(request: Request, made: NewSecret) -> Response:
    response = json_response(await begun(request, made))
    set_session(response, request.app.state.settings, made.secret)
    return response


@router.post(
    "/session",
    summary="登录 / sign in",
    description="Name and password, and a `code` where the person has a second factor (401 `code-needed` asks for it; send"
    " all three again). Answers with the session cookie. Wrong names and wrong passwords get the same answer; after some"
    " failures 429 says how long to wait.",
    response_model=SessionState,
    openapi_extra=body_of(SignIn),
)
async def sign_in(request: Request) -> Response:
    refuse_cross_site(request)
    given = await read_body(request, SignIn)
    desk: Desk = request.app.state.desk
    with as_problems():
        made = await desk.sign_in(
            given.login, given.password, given.code, visit_of(request), session_secret(request)
        )
    return await _handed_over(request, made)


@router.get(
    "/session/methods",
    summary="可用的登录方式 / how one may sign in here; for who is not signed in yet",
    response_model=SignInMethods,
)
async def methods(request: Request) -> Response:
    return json_response({"password": True, "identity_provider": request.app.state.provider is not None})


@router.get("/session", summary="我是谁 / who am I, my roles and rights", response_model=SessionState)
async def whoami(request: Request) -> Response:
    session = await own_session(request)
    async with request.app.state.desk.connection() as connection:
        return json_response(await _state(connection, session, session_secret(request) or ""))


@router.delete("/session", summary="退出 / sign out", status_code=204)
async def sign_out(request: Request) -> Response:
    session = await own_session(request)
    async with request.app.state.desk.connection() as connection:
        await sessions.end(connection, session.subject.id, session.id, "signed out")
    response = Response(status_code=204)
    clear_session(response, request.app.state.settings)
    return response


@router.get("/sessions", summary="我的会话 / my sessions that are alive", response_model=AliveSessions)
async def listed(request: Request) -> Response:
    session = await own_session(request)
    desk: Desk = request.app.state.desk
    async with desk.connection() as connection:
        found = await sessions.alive(connection, session.subject.id, desk.idle)
    return json_response({"items": [one | {"current": one["id"] == session.id} for one in found]})


@router.delete("/sessions", summary="结束其他会话 / end all my other sessions", status_code=204)
async def end_others(request: Request) -> Response:
    session = await own_session(request)
    async with request.app.state.desk.connection() as connection:
        await sessions.end_all(connection, session.subject.id, "ended by the user", besides=session.id)
    return Response(status_code=204)


@router.delete("/sessions/{id}", summary="结束一个会话 / end one of my sessions", status_code=204)
async def end_one(request: Request, id: Id) -> Response:
    refuse_controls(id)
    session = await own_session(request)
    async with request.app.state.desk.connection() as connection:
        if not await sessions.end(connection, session.subject.id, id, "ended by the user"):
            raise not_found("没有这个会话 · you have no such session", id)
    return Response(status_code=204)


@router.post(
    "/session/password",
    summary="修改密码 / change my password; all other sessions end, this one gets a new cookie",
    response_model=SessionState,
    openapi_extra=body_of(PasswordChange),
)
async def change_password(request: Request) -> Response:
    session = await own_session(request)
    given = await read_body(request, PasswordChange)
    with as_problems():
        made = await request.app.state.desk.change_password(
            session, given.password, given.new_password, visit_of(request)
        )
    return await _handed_over(request, made)


@router.post(
    "/session/totp",
    summary="启用动态验证码 / begin a second factor; the secret is shown once",
    response_model=EnrolmentShown,
    openapi_extra=body_of(Confirmation),
)
async def enrol(request: Request) -> Response:
    session = await settled(request)
    given = await read_body(request, Confirmation)
    with as_problems():
        made = await request.app.state.desk.enrol(session, given.password, visit_of(request))
    return json_response({"secret": made.secret, "uri": made.uri})


@router.post(
    "/session/totp:confirm",
    summary="确认动态验证码 / confirm it with a code; the recovery codes are shown once",
    response_model=RecoveryCodes,
    openapi_extra=body_of(CodeOnly),
)
async def confirm(request: Request) -> Response:
    session = await settled(request)
    given = await read_body(request, CodeOnly)
    with as_problems():
        codes = await request.app.state.desk.confirm(session, given.code, visit_of(request))
    return json_response({"recovery_codes": codes})


@router.post(
    "/session/totp:disable",
    summary="关闭动态验证码 / be without a second factor",
    status_code=204,
    openapi_extra=body_of(SwitchOff),
)
async def switch_off(request: Request) -> Response:
    session = await settled(request)
    given = await read_body(request, SwitchOff)
    with as_problems():
        await request.app.state.desk.switch_off(session, given.password, given.code, visit_of(request))
    return Response(status_code=204)


@router.post(
    "/session/recovery-codes",
    summary="更换恢复码 / other recovery codes, for a code; the old ones are void",
    response_model=RecoveryCodes,
    openapi_extra=body_of(CodeOnly),
)
async def renew_recovery_codes(request: Request) -> Response:
    session = await settled(request)
    given = await read_body(request, CodeOnly)
    with as_problems():
        codes = await request.app.state.desk.renew_recovery_codes(session, given.code, visit_of(request))
    return json_response({"recovery_codes": codes})


@router.post(
    "/session/delegations",
    summary="委托我的角色 / let somebody else hold one of my roles for a period",
    description="Never further delegated, ends by itself, and with the role. Both people are named in `delegations`.",
    response_model=Made,
    status_code=201,
    openapi_extra=body_of(OwnDelegation),
)
async def delegate(request: Request) -> Response:
    session = await settled(request)
    given = await read_body(request, OwnDelegation)
    refuse_controls(given.reason)
    with as_problems():
        async with request.app.state.desk.transaction() as connection:
            made = await delegated(connection, session.subject, session.subject.id, given)
    return json_response({"id": made}, 201)


async def delegated(connection: Connection, actor: Subject, giver: str, given: OwnDelegation) -> int:
    """``actor`` delegates a role of the user ``giver``; the id of the delegation. Raises errors of ``office.identity``."""
    grant = await grants.find_grant(connection, given.grant)
    if grant.user_id != giver:
        raise users.unknown_grant(given.grant)
    to = await users.receiver(connection, given.to)
    begin = given.valid_from or utc_now()
    return await grants.delegate(connection, actor, grant, to, begin, given.valid_to, given.reason)


@router.delete(
    "/session/delegations/{id}",
    summary="结束委托 / end a delegation by me or to me",
    status_code=204,
)
async def end_delegation(request: Request, id: Id) -> Response:
    session = await settled(request)
    with as_problems():
        async with request.app.state.desk.transaction() as connection:
            await grants.end_delegation(connection, session.subject, number_of(id))
    return Response(status_code=204)


def number_of(id: str) -> int:
    """The number in an address. Raises RefusedError."""
    if not (id.isascii() and id.isdecimal() and len(id) <= 15):
        raise RefusedError([Flaw(("id",), "应为数字编号 · must be a number")])
    return int(id)


async def settled(request: Request) -> Session:
    """The session of somebody who has a password of his own."""
    session = await own_session(request)
    if session.must_change_password:
        detail = "请先修改一次性密码：POST /v1/session/password · change the one-time password first: POST /v1/session/password"
        raise Problem(403, "password-must-be-changed", detail)
    return session
