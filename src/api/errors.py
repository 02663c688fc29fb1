"""Problems (RFC 9457): every refusal says what is wrong and where, in Chinese, then English. Never a stack
trace.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg
import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from office.identity.secrecy import is_masked_id
from registry.bulk import ImportRefusedError
from registry.refusals import Flaw, RefusedError, UnreadableError, sentence
from registry.unreadable import UnreadableFactError
from runtime import database_says
from runtime.errors import DeclinedError, UnavailableError
from runtime.postgres import renew_read_only
from telemetry.archive.cold.layout import ColdDamagedError

_logger = logging.getLogger("gongche.api")

#: Errors listed in one problem; ``error_count`` counts all of them.
MAX_ERRORS: Final = 100

_TITLES: Final = {
    400: "请求无效 · Bad request",
    401: "未认证 · Not authenticated",
    403: "权限不足 · Not allowed",
    404: "不存在 · Not found",
    405: "方法不允许 · Method not allowed",
    406: "不支持所要求的格式 · Not acceptable",
    408: "请求超时 · Request timeout",
    409: "与已有数据冲突 · Conflict",
    410: "已不再提供 · Gone",
    412: "已被他人修改 · Changed by somebody else",
    413: "请求过大 · Content too large",
    415: "不支持的内容类型 · Unsupported media type",
    422: "数据无效 · Invalid data",
    429: "请求过多 · Too many requests",
    500: "内部错误 · Internal error",
    503: "暂时不可用 · Temporarily unavailable",
}

#: What a lost or refusing PostgreSQL looks like from here.
DATABASE_DOWN: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,  # others got in the way, again and again (registry.writing)
    asyncpg.DiskFullError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidCatalogNameError,
    UnavailableError,
    OSError,  # TimeoutError among them
)


class Problem(HTTPException):
    """Raise it anywhere in a request. ``code`` names the kind for programs, ``detail`` says it to people."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[dict[str, Any]] = (),
        total: int | None = None,
        headers: dict[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(status, detail, headers)
        self.code = code
        self.more = dict(more or {})
        self.errors = list(errors[:MAX_ERRORS])
        self.total = len(errors) if total is None else total

    def response(self) -> Response:
        """The problem as application/problem+json."""
        body: dict[str, Any] = {
            "type": f"urn:gongche:problem:{self.code}",
            "title": _TITLES.get(self.status_code, "错误 · Error"),
            "status": self.status_code,
            "detail": self.detail,
        } | self.more
        if self.errors:
            body |= {"errors": self.errors, "error_count": self.total}
        return Response(
            orjson.dumps(body), self.status_code, self.headers, media_type="application/problem+json"
        )


def unavailable(what: str) -> Problem:
    """503 with Retry-After: the caller may send the same again. ``what``: Chinese, then English."""
    return Problem(503, "unavailable", what, headers={"Retry-After": "2"})


def takes_no_writes(why: str) -> Problem:
    """503 with Retry-After while the database takes no writes. ``why``: Chinese, then English."""
    detail = f"{why}。查询不受影响，写入请稍后重试 · reading goes on; send what you write again later"
    return Problem(503, "database-takes-no-writes", detail, headers={"Retry-After": "30"})


def not_found(what: str, id: str) -> Problem:
    """404 that names what is not there. ``what``: Chinese, then English. An id that cannot be printed is escaped."""
    shown = id if id.isprintable() else id.encode("unicode_escape").decode()
    return Problem(404, "not-found", f"{what}: {shown}")


def known(what: str, id: str) -> str:
    """``id`` if it can be one. Raises Problem 404, and 403 for the pseudonym of something secret."""
    if not id.isprintable():
        raise not_found(what, id)
    if is_masked_id(id):
        raise secret(id)
    return id


def secret(id: str) -> Problem:
    """403 for what stands behind a pseudonym: that it is secret was shown already, and nothing more is."""
    return Problem(
        403,
        "secret-vehicle",
        f"{id} 涉密，您未获准知悉，内容、轨迹和证据不予提供；确有工作需要的，请向该单位申请“涉密知悉人” · it is about a secret vehicle; content,"
        " track and evidence are shown only to who is cleared (role secret_reader, scope secret:read)",
    )


def pointed(flaws: Sequence[Flaw]) -> list[dict[str, Any]]:
    """Flaws of one document: JSON pointer and message."""
    return [{"pointer": flaw.pointer, "message": flaw.message} for flaw in flaws]


def refused(error: RefusedError) -> Problem:
    """The problem for records that the registry refuses."""
    status, code = (409, "conflict") if error.conflict else (422, "invalid-data")
    if isinstance(error, ImportRefusedError | UnreadableError):
        errors = [f.shown() for f in error.flaws]
        if isinstance(error, ImportRefusedError):
            detail = f"{error.total} 处错误，未写入任何数据 · {error.total} errors, nothing was written"
            return Problem(status, code, detail, errors=errors, total=error.total)
        return Problem(422, "unreadable-file", error.message, errors=errors)
    detail = "; ".join(f"{f.field}: {f.message}" if f.path else f.message for f in error.flaws[:3])
    return Problem(status, code, detail, errors=pointed(error.flaws))


def declined(error: DeclinedError) -> Problem:
    """The problem for a step that is declined, with the present state of what was meant."""
    errors = [{"pointer": error.pointer, "message": str(error)}] if error.pointer else []
    return Problem(error.status, error.code, str(error), errors=errors, more=error.more)


def problem_of(error: Exception) -> Problem:
    """The problem to answer when ``error`` ended a request. Unknown errors are logged and say nothing
    outside.
    """
    if isinstance(error, Problem):
        return error
    if isinstance(error, RefusedError):
        return refused(error)
    if isinstance(error, DeclinedError):
        return declined(error)
    if isinstance(error, RequestValidationError):
        errors = [
            {"pointer": "/" + "/".join(map(str, e["loc"])), "message": sentence(e)} for e in error.errors()
        ]
        where = "; ".join(f"{e['pointer']}: {e['message']}" for e in errors[:3])
        return Problem(422, "invalid-parameter", where, errors=errors)
    if isinstance(error, UnreadableFactError):
        _logger.error("a request rests on a fact that cannot be read", exc_info=error)
        return Problem(
            503,
            "unreadable-fact",
            "登记资料有一项无法读取，未写入任何数据；请通知运维（gongche quarantine list）· a fact of the registry cannot be read,"
            f" nothing was written; tell the operators: {error}"[:500],
            headers={"Retry-After": "300"},
        )
    if isinstance(error, ColdDamagedError):
        _logger.error("%s", error.message)
        return Problem(
            503,
            "cold-file-damaged",
            f"{error.message}. 请通知运维从备份恢复该文件 · tell the operators to restore it",
            headers={"Retry-After": "300"},
        )
    if isinstance(error, HTTPException):
        detail = {404: "没有这个地址 · no such address"}.get(error.status_code, str(error.detail))
        return Problem(error.status_code, "http", detail, headers=dict(error.headers or {}))
    if isinstance(error, asyncpg.DataError):  # a parameter that no column can hold, such as a NUL
        return Problem(422, "invalid-parameter", "参数取值无效 · a parameter has an impossible value")
    if (why := database_says.takes_no_writes(error)) is not None:
        _logger.warning("a request could not write: %s", why)
        return takes_no_writes(why)
    if isinstance(error, DATABASE_DOWN):
        _logger.warning("a service does not answer: %s: %s", type(error).__name__, error)
        return unavailable("数据库暂时不可用，请稍后重试 · the database does not answer; try again")
    _logger.error("request failed", exc_info=error)
    return Problem(500, "internal", "服务器内部错误，已记录 · an internal error, it was logged")


def _methods(request: Request) -> list[str]:
    """The methods of all operations at the address of ``request``, as they are described."""
    found: dict[int, set[str]] = {}
    for template, operations in request.app.openapi()["paths"].items():
        parts = [re.escape(part) for part in re.split(r"\{\w+\}", template)]
        if re.fullmatch("[^/]+".join(parts), request.url.path):
            # Of /terminals/{id} and /terminals/{id}:accept-device the one that says more.
            found.setdefault(sum(map(len, parts)), set()).update(method.upper() for method in operations)
    return sorted(found[max(found)]) if found else []


def install(app: FastAPI) -> None:
    """Make every error of ``app`` a problem."""

    async def handle(request: Request, error: Exception) -> Response:
        await renew_read_only(request.app.state.pool, error)
        if isinstance(error, HTTPException) and error.status_code == 405:
            # Starlette names the methods of the first operation of an address only.
            error.headers = dict(error.headers or {}) | {"Allow": ", ".join(_methods(request)) or "GET"}
        return problem_of(error).response()

    for kind in (
        HTTPException, RequestValidationError, RefusedError, DeclinedError, UnreadableFactError, asyncpg.DataError,
        ColdDamagedError, *DATABASE_DOWN,
    ):  # fmt: skip
        app.add_exception_handler(kind, handle)
