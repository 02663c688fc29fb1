"""Reading requests and writing responses: bounded bodies, JSON by orjson, opaque cursors, times."""

from __future__ import annotations

import asyncio
import base64
import binascii
import codecs
import unicodedata
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final

import orjson
from fastapi import Query, Request
from fastapi.responses import Response
from pydantic import BeforeValidator, WithJsonSchema
from starlette.requests import ClientDisconnect

from api.errors import Problem, unavailable
from registry.values import parse_time
from runtime.units import CHINA, from_us, to_us

#: Body of an ordinary request, in bytes, and how long anyone may take to send one.
MAX_BODY: Final = 1 << 20
BODY_TIMEOUT_S: Final = 60.0
#: A cursor: it may hold a name of 200 characters, each of four bytes at most.
MAX_CURSOR: Final = 1_600
# Numbers in cursors are places in the feed and microseconds: this is the year 9999.
_LARGEST: Final = 253_402_300_800_000_000
DEFAULT_PAGE: Final = 100
MAX_PAGE: Final = 1_000

#: A page size in a query.
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="entries of a page, at most")]
#: A cursor in a query.
Cursor = Annotated[str | None, Query(max_length=MAX_CURSOR, description="`next` of the page before")]
#: An id, or another short text, in an address or a query.
MAX_ID: Final = 64


def _query_time(value: object) -> object:
    # "+" in a query means a space; whoever forgot to write %2B still means the offset.
    if isinstance(value, str) and len(value) > 6 and value[-6] == " ":
        value = value[:-6] + "+" + value[-5:]
    return None if value is None else parse_time(value)


_YEAR: Final = r"(19[7-9]\d|20\d\d|2100)"
_LEAP: Final = r"(19(7[26]|8[048]|9[26])|20([02468][048]|[13579][26]))"
_DAY: Final = rf"({_YEAR}-((0[13578]|1[02])-(0[1-9]|[12]\d|3[01])|(0[469]|11)-(0[1-9]|[12]\d|30)|02-(0[1-9]|1\d|2[0-8]))|{_LEAP}-02-29)"
#: A time of 1970 to 2100 with its offset, as a pattern of JSON Schema.
TIME_PATTERN: Final = (
    rf"^{_DAY}T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{{1,9}})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$"
)
#: A day of 1970 to 2100 (those of 1900 to 1969 are read as well).
DAY_PATTERN: Final = rf"^{_DAY}$"
#: Text of a query or an address: no control characters.
PLAIN_PATTERN: Final = r"^[^\u0000-\u001f\u007f-\u009f]*$"

#: The same of a parameter that is looked at by ``refuse_controls``.
PLAIN: Final = {"pattern": PLAIN_PATTERN}


def _plain_text(value: str) -> bool:
    return all(unicodedata.category(c) != "Cc" for c in value)


def refuse_controls(*values: str | None) -> None:
    """Raises Problem 422 for control characters (NUL among them, which no database takes). Whatever else cannot be seen is in
    no record, and finds none."""
    if not all(value is None or _plain_text(value) for value in values):
        raise Problem(422, "invalid-parameter", "参数含有不可见字符 · a parameter cannot be printed")


#: An RFC 3339 time with offset in a query.
QueryTime = Annotated[
    datetime,
    BeforeValidator(_query_time),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": TIME_PATTERN}),
]


#: Of all bodies that are on their way; small ones come in whatever others send.
_MOST_ARRIVING: Final = 128 << 20
_SMALL: Final = 64 << 10


async def read_body(request: Request, limit: int = MAX_BODY) -> bytes:
    """The body, at most ``limit`` bytes. Raises Problem 413, 415 (compressed), 408 (too slow) or 503 (too much at once).

    Read it before anything is taken of which there are few: who sends slowly must hold nothing but what has come."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise Problem(415, "content-encoding", "请勿压缩请求体 · send the body uncompressed")
    too_large = Problem(
        413,
        "too-large",
        f"请求体超过 {limit} 字节 · the body is larger than {limit} bytes",
        headers={"Connection": "close"},
    )
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared[:20]) > limit:
        raise too_large
    parts: list[bytes] = []
    size, state = 0, request.app.state
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for part in request.stream():
                size += len(part)
                state.arriving_bytes += len(part)
                if size > limit:
                    raise too_large
                if size > _SMALL and state.arriving_bytes > _MOST_ARRIVING:
                    raise unavailable("上传过多，请稍后重试 · too much is being sent at once; try again")
                parts.append(part)
    except ClientDisconnect:
        raise Problem(400, "client-gone", "连接已断开 · the client went away") from None
    except TimeoutError:
        detail = "请求体发送过慢 · the body came too slowly"
        raise Problem(408, "timeout", detail, headers={"Connection": "close"}) from None
    finally:
        state.arriving_bytes -= size
    return b"".join(parts)


def media_type(request: Request) -> tuple[str, str | None]:
    """The content type, lower case, without parameters; and its charset, if it names one."""
    first, *parameters = request.headers.get("content-type", "").split(";")
    for parameter in parameters:
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "charset" and value:
            return first.strip().lower(), value.strip().strip('"')
    return first.strip().lower(), None


async def read_json(
    request: Request, limit: int = MAX_BODY, *, loads: Callable[[bytes], Any] = orjson.loads
) -> Any:
    """The JSON body, read by ``loads``. Raises Problem 415 for another content type, 400 for what is not JSON (UTF-8)."""
    kind, _ = media_type(request)
    if kind not in ("application/json", ""):
        raise Problem(415, "content-type", "内容类型应为 application/json · send application/json")
    try:
        return loads((await read_body(request, limit)).removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError as error:
        raise Problem(400, "not-json", f"不是有效的 JSON · not JSON: {error}") from None


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def to_json(value: Any) -> bytes:
    """JSON, UTF-8; times at the offset of China."""
    return orjson.dumps(
        value, default=_plain, option=orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_SERIALIZE_NUMPY
    )


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """``value`` as application/json."""
    return Response(to_json(value), status, headers, media_type="application/json")


def rfc3339(moment: datetime) -> str:
    """``2026-03-02T21:14:05+08:00``."""
    return moment.astimezone(CHINA).isoformat()


def make_cursor(kind: str, *place: Any) -> str:
    """An opaque cursor: which list it belongs to, a place in it, and a checksum."""
    body = orjson.dumps([kind, *place])
    return base64.urlsafe_b64encode(zlib.crc32(body).to_bytes(4, "big") + body).rstrip(b"=").decode()


def bad_cursor() -> Problem:
    """400 for a cursor that we did not make, or that belongs to another list or order."""
    return Problem(
        400,
        "bad-cursor",
        "游标无效，请使用上一页返回的 next · the cursor is not one of this list",
        errors=[{"pointer": "/query/cursor", "message": "游标无效 · invalid cursor"}],
    )


def read_cursor(kind: str, cursor: str | None, *types: type) -> list[Any] | None:
    """The place in ``cursor``, values of ``types``; None for no cursor.

    Raises Problem 400 for a cursor that we did not make, or that belongs to another list.
    """
    if not cursor:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        body = raw[4:]
        if int.from_bytes(raw[:4], "big") != zlib.crc32(body):
            raise ValueError("checksum")
        found, *rest = orjson.loads(body)
        place: list[Any] = rest
        if found != kind or [type(value) for value in place] != list(types):
            raise ValueError("another list")
        if not all(_plain_text(v) if isinstance(v, str) else 0 <= v < _LARGEST for v in place):
            raise ValueError("out of range")
    except (binascii.Error, ValueError, TypeError):
        raise bad_cursor() from None
    return place


def read_moment(kind: str, cursor: str | None) -> tuple[datetime, str] | None:
    """``read_cursor`` of a list by a time and an id."""
    place = read_cursor(kind, cursor, int, str)
    return None if place is None else (from_us(place[0]), place[1])


def next_moment(kind: str, found: Sequence[Mapping[str, Any]], limit: int, at: str) -> str | None:
    """The cursor behind ``found`` in a list by the time ``at`` and the id; None where nothing can follow."""
    return make_cursor(kind, to_us(found[-1][at]), found[-1]["id"]) if len(found) == limit else None


#: Of what a client calls itself so much is kept.
_MOST_AGENT: Final = 200


def address_of(request: Request) -> str:
    """From where a request comes; behind a trusted proxy from where that says. "" = not known."""
    return "" if request.client is None else request.client.host


def agent_of(request: Request) -> str:
    """What the client calls itself, as a text that may be stored and shown; of no weight."""
    said = request.headers.get("user-agent", "")[:_MOST_AGENT]
    return "".join(c if c.isprintable() else "?" for c in said)


def utc_now() -> datetime:
    """Now, aware."""
    return datetime.now(UTC)
