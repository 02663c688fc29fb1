"""HTTPS to a peer above: where it may be, the access token, and answers as types. TLS is always verified; plain HTTP goes to this
machine alone (development and tests). No redirect is followed, no proxy is taken from the environment, answers are bounded.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx
import orjson

from office.posting.addresses import literal_of
from runtime.errors import ConfigurationError
from runtime.hosts import is_loopback

#: Of an answer so many bytes are read.
MOST_ANSWER: Final = 8 << 20
#: An access token is not used any more so long before it ends.
_TOKEN_MARGIN_S: Final = 30.0
_MOST_WAIT_S: Final = 3_600


class TargetError(ValueError):
    """A peer may not be there. The text says why, Chinese first."""


def checked_url(url: str) -> str:
    """The address of a peer, without a slash at the end. Raises TargetError. Private addresses are usual between offices: who may
    be sent to is a list that the operator makes. This machine's metadata service and the like are never a peer."""
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
    except ValueError:
        raise TargetError("不是有效的地址 · not a URL") from None
    if (
        len(url) > 500
        or not url.isascii()
        or not url.isprintable()
        or " " in url
        or "\\" in url
        or not host
        or port == 0
    ):
        raise TargetError("不是有效的地址 · not a URL")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise TargetError("地址中不得含有用户名或密码 · no user name or password in the URL")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise TargetError("地址中不得含有 ? 或 # · neither query nor fragment")
    literal = literal_of(host)
    here = is_loopback(host)
    if (
        literal is not None
        and not here
        and (literal.is_link_local or literal.is_multicast or literal.is_unspecified or literal.is_reserved)
    ):
        raise TargetError("不能是链路本地、组播或保留地址 · not a link-local, multicast or reserved address")
    if parts.scheme != "https" and not (parts.scheme == "http" and here):
        raise TargetError("须以 https:// 开头 · use https (http only to this machine itself)")
    return url.rstrip("/")


class PeerError(Exception):
    """The peer did not do what was asked. ``status`` None: no answer came. ``retry_after_s``: what it asked for. ``code``: of the
    problem that it answered with."""

    def __init__(
        self, said: str, status: int | None = None, retry_after_s: float | None = None, code: str = ""
    ) -> None:
        super().__init__(said)
        self.status, self.retry_after_s, self.code = status, retry_after_s, code

    @property
    def busy(self) -> bool:
        """It lives, and asks for patience."""
        return self.status in (429, 503)


@dataclass(slots=True)
class _Token:
    text: str
    until: float


class Transport:
    """Asks one peer."""

    def __init__(
        self, url: str, client_id: str, secret: str, *, ca_file: Path | None, timeout_s: float
    ) -> None:
        """Raises TargetError, and ConfigurationError for a file of certificates that cannot be read."""
        self._url = checked_url(url)
        self._credentials = httpx.BasicAuth(quote(client_id, safe=""), quote(secret, safe=""))
        self._token: _Token | None = None
        try:
            tls = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
        except OSError as error:
            raise ConfigurationError(
                f"GONGCHE_EXCHANGE_CA_FILE {ca_file}: {error}", hint="a PEM file"
            ) from error
        self._http = httpx.AsyncClient(
            verify=tls,
            trust_env=False,
            follow_redirects=False,
            timeout=timeout_s,
            limits=httpx.Limits(max_connections=2),
            headers={"user-agent": "gongche-exchange"},
        )

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def push(self, body: bytes) -> Mapping[str, Any]:
        """Hand in a batch; the answer. Raises PeerError."""
        return await self._authorised("POST", "/v1/exchange/records", content=body)

    async def pull(self, cursor: str | None, most: int) -> Mapping[str, Any]:
        """A page of what comes down. Raises PeerError."""
        query = {"most": str(most)} | ({} if cursor is None else {"cursor": cursor})
        return await self._authorised("GET", "/v1/exchange/down", params=query)

    async def _authorised(self, method: str, path: str, **more: Any) -> Mapping[str, Any]:
        token = await self._access()
        try:
            return await self._ask(method, path, token, **more)
        except PeerError as error:
            if error.status != 401:
                raise
        self._token = None  # it was revoked, or has ended: one more try with another one
        return await self._ask(method, path, await self._access(), **more)

    async def _access(self) -> str:
        if self._token is None or time.monotonic() > self._token.until:
            answer = await self._ask(
                "POST",
                "/v1/oauth/token",
                None,
                auth=self._credentials,
                data={"grant_type": "client_credentials"},
            )
            text, life = answer.get("access_token"), answer.get("expires_in")
            if not isinstance(text, str) or not isinstance(life, int | float):
                raise PeerError("对方的令牌答复无法识别 · the answer with the token cannot be read")
            self._token = _Token(text, time.monotonic() + max(float(life) - _TOKEN_MARGIN_S, 1.0))
        return self._token.text

    async def _ask(self, method: str, path: str, token: str | None, **more: Any) -> Mapping[str, Any]:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        if "content" in more:
            headers["content-type"] = "application/json"
        try:
            async with self._http.stream(method, self._url + path, headers=headers, **more) as answer:
                read = bytearray()
                async for part in answer.aiter_bytes():
                    read += part
                    if len(read) > MOST_ANSWER:
                        raise PeerError("对方的答复过大 · the answer is too large")
                status, said = answer.status_code, answer.headers.get("retry-after", "")
        except httpx.TimeoutException as error:
            raise PeerError(f"对方没有及时答复 · no answer in time ({type(error).__name__})") from None
        except (httpx.HTTPError, OSError, ssl.SSLError) as error:
            raise PeerError(
                f"连接失败 · the connection failed: {type(error).__name__}: {error}"[:300]
            ) from None
        try:
            body = orjson.loads(read)
        except orjson.JSONDecodeError:
            body = None
        if status == 200 and isinstance(body, dict):
            return body
        raise _refusal(status, body, said)


def _refusal(status: int, body: Any, retry_after: str) -> PeerError:
    fields = body if isinstance(body, dict) else {}
    detail = str(fields.get("detail") or fields.get("error_description") or fields.get("error") or "")[:300]
    code = str(fields.get("type") or fields.get("error") or "").rpartition(":")[2][:100]
    digits = retry_after.strip()
    wait = float(min(int(digits[:9]), _MOST_WAIT_S)) if digits.isdecimal() else None
    if 300 <= status < 400:
        detail = "对方要求转向，不跟随 · a redirect is not followed"
    return PeerError(
        f"对方答复 {status} · the peer answered {status}: {detail}".rstrip(": "), status, wait, code
    )
