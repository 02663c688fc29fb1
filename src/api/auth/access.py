"""``require(permission, ...)``: the dependency that lets a request in, before a byte of its body is read."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.auth.authentication import authenticate
from api.auth.scoped import actor
from api.errors import Problem
from office.identity.audit import CURRENT
from office.identity.subject import PERMISSIONS, Kind, Subject, unknown_permissions

_scheme = HTTPBearer(auto_error=False, description="`gongche token create`")
# Only there so that the documentation knows of the header; ``authenticate`` reads it itself.
Shown = Annotated[HTTPAuthorizationCredentials | None, Depends(_scheme)]


async def authorise(request: Request, *permissions: str, counts_as_use: bool = True) -> Subject:
    """The subject of the request. ``counts_as_use``: somebody does something, so that his session is not idle. Raises Problem 401
    (none, unknown, ended) or 403 (has none of ``permissions``)."""
    try:
        subject = await authenticate(request, counts_as_use=counts_as_use)
    except LookupError:
        detail = "令牌无效、已过期或已吊销 · the token is unknown, has expired or was revoked"
        raise _unknown(detail, ', error="invalid_token"') from None
    if subject is None:
        raise _unknown("请先登录，或发送令牌 · sign in, or send Authorization: Bearer <token>", "")
    if not subject.may(*permissions):
        needed = " / ".join(permissions)
        meaning = "、".join(PERMISSIONS[name].partition(" / ")[0] for name in permissions)
        whose, ask = (
            ("您的角色", "请系统管理员授予")
            if subject.kind is Kind.USER
            else ("令牌", "请换用有此权限的令牌")
        )
        raise Problem(
            403,
            "missing-scope",
            f"{whose}缺少权限 {needed}（{meaning}），{ask} · the permission {needed} is lacking",
            headers={
                "WWW-Authenticate": f'Bearer realm="gongche", error="insufficient_scope", scope="{" ".join(permissions)}"'
            },
        )
    request.state.subject = subject
    CURRENT.set(actor(request, *permissions).json())
    return subject


def _unknown(detail: str, more: str) -> Problem:
    return Problem(
        401, "not-authenticated", detail, headers={"WWW-Authenticate": f'Bearer realm="gongche"{more}'}
    )


def require(*permissions: str, counts_as_use: bool = True) -> Any:
    """A dependency: only subjects with one of ``permissions`` come in. ``counts_as_use``: see ``authorise``. Raises KeyError for one that does not exist."""
    if unknown := unknown_permissions(permissions):
        raise KeyError(unknown[0])

    async def check(request: Request, _shown: Shown) -> Subject:
        return await authorise(request, *permissions, counts_as_use=counts_as_use)

    return Depends(check)
