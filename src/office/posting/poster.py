"""One POST to a webhook: resolved, checked, pinned to the checked address, bounded in time and bytes, not redirected."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpcore

from office.posting.addresses import Policy, TargetRefusedError, checked, target_of

#: The addresses of a name, as texts.
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

#: Of an answer so many bytes are read, and so many characters kept.
MOST_READ: Final = 16 << 10
MOST_KEPT: Final = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a POST. ``error`` None = delivered. ``retry_after_s``: what the receiver asked for, if it did."""

    took_ms: int
    status: int | None = None
    error: str | None = None
    text: str | None = None
    retry_after_s: int | None = None


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, as the system knows them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _Pinned(httpcore.AsyncNetworkBackend):
    """Connects to the addresses that were checked, whatever the name says by now."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        for address in self._addresses[:-1]:
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError:
                continue
        return await self._backend.connect_tcp(
            self._addresses[-1], port, timeout, local_address, socket_options
        )


class Poster:
    """Sends bodies to URLs, as far as ``policy`` lets it."""

    def __init__(
        self,
        policy: Policy,
        *,
        timeout_s: float = 15,
        ca_file: Path | None = None,
        resolver: Resolver = resolve,
    ) -> None:
        """``ca_file``: PEM; who signed the receivers' certificates, None = as the system. ``resolver``: where names are
        looked up."""
        self._policy, self._timeout_s, self._resolver = policy, timeout_s, resolver
        self._tls = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send ``body``; whatever happens is an Answer."""
        began = time.monotonic()

        def answer(**more: Any) -> Answer:
            return Answer(round(1000 * (time.monotonic() - began)), **more)

        try:
            async with asyncio.timeout(self._timeout_s):
                status, text, again = await self._post(url, headers, body)
        except TargetRefusedError as error:
            return answer(error=str(error))
        except TimeoutError:
            return answer(error=f"{self._timeout_s:g} 秒内没有答复 · no answer within {self._timeout_s:g} s")
        except (
            OSError,
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.TimeoutException,
            ssl.SSLError,
        ) as error:
            said = f"{type(error).__name__}: {error}"[:300]
            return answer(error=f"连接失败 · the connection failed: {said}")
        if 200 <= status < 300:
            return answer(status=status, text=text)
        if 300 <= status < 400:
            what = "接收方要求转向，推送不跟随 · a redirect is not followed"
        else:
            what = "接收方拒绝 · the receiver refused"
        return answer(status=status, text=text, error=f"{what}: {status}", retry_after_s=again)

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str, int | None]:
        target = target_of(url, self._policy)
        addresses = checked(await self._resolver(target.host, target.port), self._policy)
        asked = httpcore.URL(
            scheme=target.scheme.encode(),
            host=target.host.encode(),
            port=target.port,
            target=target.path.encode(),
        )
        host = f"[{target.host}]" if ":" in target.host else target.host
        default = 443 if target.scheme == "https" else 80
        sent = {"host": host if target.port == default else f"{host}:{target.port}"} | dict(headers)
        async with (
            httpcore.AsyncConnectionPool(
                ssl_context=self._tls, network_backend=_Pinned(addresses), max_connections=1, retries=0
            ) as pool,
            pool.stream("POST", asked, headers=list(sent.items()), content=body) as response,
        ):
            read = bytearray()
            async for part in response.aiter_stream():
                read += part
                if len(read) >= MOST_READ:
                    break
            text = bytes(read[:MOST_READ]).decode("utf-8", "replace").replace("\x00", "")[:MOST_KEPT]
            return response.status, text, _retry_after(response.headers)


def _retry_after(headers: Sequence[tuple[bytes, bytes]]) -> int | None:
    """Seconds of a Retry-After in seconds, at most a day."""
    for name, value in headers:
        if name.lower() == b"retry-after" and value.strip().isdigit():
            return min(int(value.strip()[:9]), 86_400)
    return None
