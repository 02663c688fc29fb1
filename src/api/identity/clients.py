"""``/v1/clients``: programs that come in by OAuth2 client credentials, and ``/v1/oauth/token``, where they get a token."""

from __future__ import annotations

import base64
import binascii
from datetime import timedelta
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, unquote_plus

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.scoped import subject_of
from api.bodies import body_of
from api.http import (
    DEFAULT_PAGE,
    MAX_ID,
    Cursor,
    Limit,
    json_response,
    make_cursor,
    media_type,
    read_cursor,
    refuse_controls,
)
from api.http import (
    read_body as read_bytes,
)
from api.identity.refusals import as_problems
from api.identity.schemas import (
    MAX_BODY,
    AccessToken,
    ClientBody,
    ClientPage,
    ClientShown,
    NewClientSecret,
    OAuthError,
    SecretBody,
    read_body,
)
from office.identity import clients
from office.identity.login import Desk
from office.identity.secrets import NewSecret

router = APIRouter(prefix="/v1", tags=["clients"], dependencies=[require("users:manage")])
open_router = APIRouter(prefix="/v1", tags=["clients"])

Id = Annotated[str, Path(max_length=MAX_ID)]


@router.get("/clients", summary="客户端列表 / programs", response_model=ClientPage)
async def listed(request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE) -> Response:
    place = read_cursor("clients", cursor, str)
    async with request.app.state.desk.connection() as connection:
        found = await clients.page(connection, subject_of(request), place[0] if place else None, limit + 1)
    items = found[:limit]
    following = make_cursor("clients", items[-1]["id"]) if len(found) > limit else None
    return json_response({"items": items, "next": following})


@router.post(
    "/clients",
    summary="新建客户端 / a new program; its secret is shown once",
    response_model=NewClientSecret,
    status_code=201,
    openapi_extra=body_of(ClientBody),
)
async def create(request: Request) -> Response:
    given = await read_body(request, ClientBody)
    desk: Desk = request.app.state.desk
    with as_problems():
        async with desk.transaction() as connection:
            id, made = await clients.create(
                connection, subject_of(request), given.name, given.scopes, given.organisation
            )
    return _secret(id, made)


def _secret(client: str, made: NewSecret) -> Response:
    return json_response({"client_id": client, "secret_id": made.id, "client_secret": made.secret}, 201)


@router.get("/clients/{id:id}", summary="客户端 / a program and its secrets", response_model=ClientShown)
async def read(request: Request, id: Id) -> Response:
    refuse_controls(id)
    with as_problems():
        async with request.app.state.desk.connection() as connection:
            return json_response(await clients.find(connection, subject_of(request), id))


@router.put(
    "/clients/{id:id}",
    summary="修改客户端 / another name, other scopes, another unit; holds for tokens that are out as well",
    response_model=ClientShown,
    openapi_extra=body_of(ClientBody),
)
async def change(request: Request, id: Id) -> Response:
    refuse_controls(id)
    given = await read_body(request, ClientBody)
    with as_problems():
        async with request.app.state.desk.transaction() as connection:
            await clients.change(
                connection, subject_of(request), id, given.name, given.scopes, given.organisation
            )
            return json_response(await clients.find(connection, subject_of(request), id))


@router.post(
    "/clients/{id}/secrets",
    summary="更换密钥 / the next secret beside the one in use; shown once",
    response_model=NewClientSecret,
    status_code=201,
    openapi_extra=body_of(SecretBody),
)
async def add_secret(request: Request, id: Id) -> Response:
    """Two may be alive at a time: give the new one to the program, then revoke the old one."""
    refuse_controls(id)
    given = await read_body(request, SecretBody)
    desk: Desk = request.app.state.desk
    with as_problems():
        async with desk.transaction() as connection:
            made = await clients.add_secret(connection, subject_of(request), id, given.expires_at)
    return _secret(id, made)


@router.delete(
    "/client-secrets/{id}",
    summary="吊销密钥 / end a secret and every token got with it, at once",
    status_code=204,
)
async def revoke(request: Request, id: Id) -> Response:
    refuse_controls(id)
    with as_problems():
        async with request.app.state.desk.transaction() as connection:
            await clients.revoke_secret(connection, subject_of(request), id)
    return Response(status_code=204)


@router.post(
    "/clients/{id}:disable", summary="停用客户端 / let the program in no more, at once", status_code=204
)
async def disable(request: Request, id: Id) -> Response:
    return await _set_disabled(request, id, True)


@router.post("/clients/{id}:enable", summary="启用客户端 / let the program in again", status_code=204)
async def enable(request: Request, id: Id) -> Response:
    return await _set_disabled(request, id, False)


async def _set_disabled(request: Request, id: str, disabled: bool) -> Response:
    refuse_controls(id)
    with as_problems():
        async with request.app.state.desk.transaction() as connection:
            await clients.set_disabled(connection, subject_of(request), id, disabled)
    return Response(status_code=204)


# --- the token endpoint (RFC 6749)

_FORM: Final = "application/x-www-form-urlencoded"
_ERROR: Final = {"model": OAuthError}


class _Refusal(Exception):
    def __init__(self, error: str, says: str, status: int = 400) -> None:
        super().__init__(error)
        self.error, self.says, self.status = error, says, status


@open_router.post(
    "/oauth/token",
    summary="取得访问令牌 / an access token for a program (OAuth2 client credentials)",
    description="RFC 6749, 4.4: `grant_type=client_credentials`, form-encoded. The client id and secret come in the header"
    " (Basic, both form-encoded first) or in the form, not in both. `scope`: some of the client's; left out: all of them."
    " Refusals are those of RFC 6749, 5.2.",
    response_model=AccessToken,
    responses={
        400: _ERROR | {"description": "RFC 6749, 5.2"},
        401: _ERROR | {"description": "invalid_client"},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                _FORM: {
                    "schema": {
                        "type": "object",
                        "required": ["grant_type"],
                        "properties": {
                            "grant_type": {"enum": ["client_credentials"]},
                            "scope": {"type": "string", "maxLength": 1000},
                            "client_id": {"type": "string", "maxLength": 100},
                            "client_secret": {"type": "string", "maxLength": 200},
                        },
                    }
                }
            },
        }
    },
)
async def token(request: Request) -> Response:
    try:
        made = await _token(request)
    except _Refusal as refusal:
        headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
        if refusal.status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="gongche", charset="UTF-8"'
        body = {"error": refusal.error, "error_description": refusal.says}
        return json_response(body, refusal.status, headers)
    return json_response(made, 200, {"Cache-Control": "no-store", "Pragma": "no-cache"})


async def _token(request: Request) -> dict[str, Any]:
    if media_type(request)[0] != _FORM:
        raise _Refusal("invalid_request", f"send {_FORM}")
    form = _form(await read_bytes(request, MAX_BODY))
    id, secret = _credentials(request.headers.get("authorization"), form)
    desk: Desk = request.app.state.desk
    async with desk.transaction() as connection:
        client = await clients.prove(connection, id, secret)
        if client is None:
            raise _Refusal("invalid_client", "unknown client, wrong or revoked secret, or disabled", 401)
        if "grant_type" not in form:
            raise _Refusal("invalid_request", "grant_type is missing")
        if form["grant_type"] != "client_credentials":
            raise _Refusal("unsupported_grant_type", "only client_credentials")
        asked = form.get("scope", "").split()
        scopes = frozenset(asked) if asked else client.scopes
        if not scopes <= client.scopes:
            raise _Refusal("invalid_scope", f"the client has: {' '.join(sorted(client.scopes))}")
        minutes = request.app.state.settings.client_token_minutes
        try:
            made = await clients.new_token(connection, client, scopes, timedelta(minutes=minutes))
        except clients.TooManyTokensError as error:
            raise _Refusal("invalid_request", "too many tokens are alive; use the one you got") from error
    return {
        "access_token": made,
        "token_type": "Bearer",
        "expires_in": minutes * 60,
        "scope": " ".join(sorted(scopes)),
    }


def _form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=20,
        )
    except ValueError:
        raise _Refusal("invalid_request", "not a form in UTF-8") from None
    form = dict(pairs)
    if len(form) < len(pairs):
        raise _Refusal("invalid_request", "a parameter is there twice")  # RFC 6749, 3.2
    return {name: value for name, value in form.items() if value}  # empty = left out


def _credentials(header: str | None, form: dict[str, str]) -> tuple[str, str]:
    if header is None:
        if "client_id" not in form or "client_secret" not in form:
            raise _Refusal("invalid_client", "client_id and client_secret are missing", 401)
        return form["client_id"], form["client_secret"]
    if "client_secret" in form:
        raise _Refusal("invalid_request", "the secret is in the header and in the form")
    kind, _, value = header.partition(" ")
    try:
        id, colon, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        colon = ""
    if kind.lower() != "basic" or not colon:
        raise _Refusal("invalid_client", "send Basic, or id and secret in the form", 401)
    id, secret = unquote_plus(id), unquote_plus(secret)
    if form.get("client_id", id) != id:
        raise _Refusal("invalid_request", "client_id differs from the header's")
    return id, secret
