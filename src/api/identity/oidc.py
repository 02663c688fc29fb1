"""``/v1/oidc``: signing in by the identity provider (统一身份认证)."""

from __future__ import annotations

import logging
import secrets
from html import escape
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from api.auth.cookies import session_secret, set_session
from api.errors import Problem
from api.http import PLAIN, refuse_controls
from api.identity.refusals import as_problems
from api.identity.session import visit_of
from office.identity.oidc import Provider, ProviderError, RefusedLoginError
from office.identity.oidc_links import LOGIN_LIFE, Pending

router = APIRouter(prefix="/v1/oidc", tags=["session"])

#: Which browser began a login. It comes back from another site, so this cookie alone is Lax.
_COOKIE: Final = "gongche-oidc"
_PAGE: Final = {"text/html": {"schema": {"type": "string"}}}
_POLICY: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

_logger = logging.getLogger(__name__)


def _cookie(request: Request) -> str:
    return _COOKIE if request.app.state.settings.session_over_http else f"__Host-{_COOKIE}"


def _provider(request: Request) -> Provider:
    provider: Provider | None = request.app.state.provider
    if provider is None:
        raise Problem(
            404, "no-provider", "未设置统一身份登录（GONGCHE_OIDC_ISSUER） · no identity provider is set"
        )
    return provider


def _unavailable(error: ProviderError) -> Problem:
    _logger.warning("identity provider: %s", error.message)
    return Problem(
        503,
        "provider-unavailable",
        "统一身份认证暂时不可用，请稍后重试或用密码登录 · the identity provider does not answer; try again, or use your password",
        headers={"Retry-After": "10"},
    )


@router.get(
    "/login",
    summary="统一身份登录 / sign in by the identity provider: sends the browser there",
    status_code=303,
    response_class=HTMLResponse,
    responses={303: {"content": _PAGE, "description": "to the provider"}},
)
async def login(request: Request) -> Response:
    provider = _provider(request)
    state, browser = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    pending = Pending(secrets.token_urlsafe(32), secrets.token_urlsafe(48))
    try:
        with as_problems():
            url = await provider.begin(state, browser, pending, visit_of(request))
    except ProviderError as error:
        raise _unavailable(error) from None
    response = _page(url, "前往统一身份认证 / to the identity provider", status=303)
    response.headers["Location"] = url
    response.set_cookie(
        _cookie(request), browser, max_age=int(LOGIN_LIFE.total_seconds()), path="/",
        secure=not request.app.state.settings.session_over_http, httponly=True, samesite="lax",
    )  # fmt: skip
    return response


Word = Annotated[str | None, Query(max_length=4096, json_schema_extra=PLAIN)]


@router.get(
    "/callback",
    summary="统一身份登录返回 / where the provider sends the browser back to",
    response_class=HTMLResponse,
    responses={200: {"content": _PAGE, "description": "signed in; the page goes on to the start"}},
)
async def callback(
    request: Request, state: Word = None, code: Word = None, iss: Word = None, error: Word = None
) -> Response:
    provider = _provider(request)
    refuse_controls(state, code, iss, error)
    browser = request.cookies.get(_cookie(request), "")[:200]
    try:
        with as_problems():
            made = await provider.finish(
                state or "", None if error else code, browser, iss, visit_of(request), session_secret(request)
            )
    except ProviderError as failure:
        raise _unavailable(failure) from None
    except RefusedLoginError as refusal:
        raise Problem(403, "oidc-refused", refusal.message) from None
    settings = request.app.state.settings
    # Not a redirect: the browser came from another site, and would not send the new cookie (SameSite=Strict) along.
    response = _page("/", "已登录 / signed in", status=200)
    set_session(response, settings, made.secret)
    response.delete_cookie(
        _cookie(request), path="/", secure=not settings.session_over_http, httponly=True, samesite="lax"
    )
    return response


def _page(url: str, text: str, *, status: int) -> Response:
    there = escape(url, quote=True)
    return HTMLResponse(
        f'<!DOCTYPE html><html lang="zh"><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={there}">'
        f'<title>gongche</title><p><a href="{there}">{escape(text)}</a></p></html>',
        status,
        {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"},
    )
