"""Stand-ins for the bots of WeCom, DingTalk and Feishu on a real socket. They keep the limits that the makers describe, and answer
what the makers say they answer."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Limits:
    """How a service counts: so many in each of these times; after too many, nothing for ``silent_s``."""

    windows: tuple[tuple[float, int], ...]
    silent_s: float = 0.0
    came: list[float] = field(default_factory=list)
    silent_until: float = 0.0

    def lets_in(self, now_s: float) -> bool:
        """Whether a message that comes at ``now_s`` is taken."""
        if now_s < self.silent_until:
            return False
        self.came = [at for at in self.came if now_s - at < 61]
        if any(sum(now_s - at < seconds for at in self.came) >= most for seconds, most in self.windows):
            self.silent_until = now_s + self.silent_s
            return False
        self.came.append(now_s)
        return True


def limits(kind: str) -> Limits:
    """The limits of one bot."""
    if kind == "wecom":
        return Limits(((60.0, 20),))
    return Limits(((60.0, 20),), 600.0) if kind == "dingtalk" else Limits(((60.0, 100), (1.0, 5)))


def paths(kind: str, token: str) -> str:
    """Path and query of a bot's address."""
    return {
        "wecom": f"/cgi-bin/webhook/send?key={token}",
        "dingtalk": f"/robot/send?access_token={token}",
        "feishu": f"/open-apis/bot/v2/hook/{token}",
    }[kind]


@dataclass
class BotServer:
    """Bots by (kind, token) -> secret ("" = none). ``clock``: seconds since 1970, of the service."""

    bots: dict[tuple[str, str], str]
    clock: Callable[[], float] = time.time
    texts: list[tuple[str, str, str]] = field(default_factory=list)  # kind, token, text
    refused: list[int] = field(default_factory=list)
    port: int = 0
    _limits: dict[tuple[str, str], Limits] = field(default_factory=dict)
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def url(self, kind: str, token: str) -> str:
        return f"http://127.0.0.1:{self.port}{paths(kind, token)}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.split("\r\n")
            headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines if line)}
            body = await reader.readexactly(int(headers["content-length"]))
            said = json.dumps(self.answer(first.split(" ")[1], body)).encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said)
            )
            await writer.drain()
        writer.close()

    def answer(self, path: str, body: bytes) -> dict[str, Any]:
        """What the service says of a message."""
        kind = "wecom" if "/cgi-bin/" in path else "dingtalk" if "/robot/" in path else "feishu"
        query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        token = query.get("key") or query.get("access_token") or urlsplit(path).path.rpartition("/")[2]
        given, name = json.loads(body), "code" if kind == "feishu" else "errcode"
        code, why = self._judged(kind, token, query, given, body)
        if code:
            self.refused.append(code)
            return {name: code, "msg" if kind == "feishu" else "errmsg": f"{why} ({path})"}
        text = given["content"]["text"] if kind == "feishu" else given["text"]["content"]
        self.texts.append((kind, token, text))
        return {name: 0, "errmsg": "ok"}

    def _judged(
        self, kind: str, token: str, query: dict[str, str], given: Any, body: bytes
    ) -> tuple[int, str]:
        secret = self.bots.get((kind, token))
        if secret is None:
            return {"wecom": (93000, "invalid webhook url"), "dingtalk": (300005, "token is not exist")}.get(
                kind, (19001, "param invalid: incoming webhook access token invalid")
            )
        if secret:
            wrong = self._wrong_sign(kind, secret, query, given)
            if wrong is not None:
                return wrong
        if len(body) > 20_000 or (kind == "wecom" and len(given["text"]["content"].encode()) > 2_048):
            return (40058 if kind == "wecom" else 40035 if kind == "dingtalk" else 9499), "too long"
        if not self._limits.setdefault((kind, token), limits(kind)).lets_in(self.clock()):
            return {"wecom": (45009, "api freq out of limit"), "dingtalk": (130101, "send too fast")}.get(
                kind, (11232, "frequency limited psm")
            )
        return 0, ""

    def _wrong_sign(
        self, kind: str, secret: str, query: dict[str, str], given: Any
    ) -> tuple[int, str] | None:
        if kind == "dingtalk":
            stamp = query.get("timestamp", "0")
            if abs(int(stamp) / 1000 - self.clock()) > 3600:
                return 310000, "description: 机器人发送签名过期; invalid timestamp"
            made = hmac.new(secret.encode(), f"{stamp}\n{secret}".encode(), hashlib.sha256).digest()
            return (
                None if base64.b64encode(made).decode() == query.get("sign") else (310000, "sign not match")
            )
        stamp = given.get("timestamp", "0")
        made = hmac.new(f"{stamp}\n{secret}".encode(), b"", hashlib.sha256).digest()
        if abs(int(stamp) - self.clock()) > 3600 or base64.b64encode(made).decode() != given.get("sign"):
            return 19021, "sign match fail or timestamp is not within one hour from current time"
        return None
