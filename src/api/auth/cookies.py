"""The session cookie, and what a request that comes with it must bring besides, so that no other site can send it (CSRF)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import Response

from api.errors import Problem
from office.identity.sessions import csrf_matches
from runtime.settings import Settings

#: ``__Host-``: a browser takes it over TLS only, for this host and no other (no subdomain can set it).
COOKIE: Final = "__Host-gongche"
#: Over plain HTTP on this machine, where a setting allows it: no browser would take the other one.
PLAIN_COOKIE: Final = "gongche"
#: Carries the token that ``GET /v1/session`` gives.
CSRF_HEADER: Final = "X-CSRF-Token"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_MOST_CHARS: Final = 200


def cookie_name(settings: Settings) -> str:
    """How the session cookie is called."""
    return PLAIN_COOKIE if settings.session_over_http else COOKIE


def session_secret(request: Request) -> str | None:
    """What the session cookie holds, if there is one."""
    found = request.cookies.get(cookie_name(request.app.state.settings))
    return found if found and len(found) <= _MOST_CHARS else None


def set_session(response: Response, settings: Settings, secret: str) -> None:
    """Hand a session over. The cookie has no end of its own: the server knows when the session ends."""
    response.set_cookie(
        cookie_name(settings),
        secret,
        path="/",
        secure=not settings.session_over_http,
        httponly=True,
        samesite="strict",
    )


def clear_session(response: Response, settings: Settings) -> None:
    """Have the browser forget it."""
    response.delete_cookie(
        cookie_name(settings),
        path="/",
        secure=not settings.session_over_http,
        httponly=True,
        samesite="strict",
    )


def is_cross_site(headers: Mapping[str, str], public_url: str | None) -> bool:
    """Whether a browser says that another site sends the request. Sec-Fetch-Site says it best; where a browser does not
    send it, the Origin must be us. A program that sends neither is no browser, and no site speaks through it."""
    if (site := headers.get("sec-fetch-site")) is not None:
        return site.strip().lower() not in ("same-origin", "none")
    if (origin := headers.get("origin")) is None:
        return False
    if public_url is not None and origin.lower() == public_url.lower():
        return False
    try:
        return urlsplit(origin).netloc.lower() != headers.get("host", "").lower() or "://" not in origin
    except ValueError:
        return True


def refuse_cross_site(request: Request) -> None:
    """Raises Problem 403 when a browser says that another site sends the request."""
    if is_cross_site(request.headers, request.app.state.settings.public_url):
        raise Problem(
            403, "cross-site", "请求来自其他网站，已拒绝；如经反向代理访问，请设置 GONGCHE_PUBLIC_URL"
            " · another site sent this request; behind a proxy that changes Host, set GONGCHE_PUBLIC_URL",
        )  # fmt: skip


def refuse_forged(request: Request, secret: str) -> None:
    """For a request that came in by the cookie ``secret`` and would change something. Raises Problem 403 when another site
    sends it, or the session's token is missing or another one's."""
    if request.method in SAFE_METHODS:
        return
    refuse_cross_site(request)
    if not csrf_matches(secret, request.headers.get(CSRF_HEADER, "")):
        raise Problem(
            403, "csrf", f"缺少或不匹配的 {CSRF_HEADER}，请先 GET /v1/session 取得 csrf_token"
            f" · send {CSRF_HEADER} with the csrf_token of GET /v1/session",
        )  # fmt: skip
