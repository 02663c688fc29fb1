"""``/healthz``, ``/readyz`` and ``/metrics`` of a process that has no web server of its own (gateway,
worker).

A tiny HTTP/1.1 server: GET only, one request a connection, bounded in bytes, time and connections. It listens
on loopback unless ``GONGCHE_METRICS_HOST`` names an inner address for Prometheus; it asks nobody who they are.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from prometheus_client import REGISTRY, CollectorRegistry

from runtime.errors import ConfigurationError
from runtime.metrics import CONTENT_TYPE, render

MAX_HEAD_BYTES = 8_192
MAX_CONNECTIONS = 32
REQUEST_TIMEOUT_S = 5.0

#: Says why the process is not ready, or None when it is.
Readiness = Callable[[], Awaitable[str | None]]
#: Says what people should look at though the process is ready, or None.
Remark = Callable[[], str | None]

_logger = logging.getLogger(__name__)
_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_TEXT = "text/plain; charset=utf-8"


class ProbeServer:
    """The running server; ``port`` is the one it got. Close it with ``close``."""

    def __init__(self, server: asyncio.Server) -> None:
        self._server = server
        self.port: int = server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening. Requests under way are cut."""
        self._server.close()
        await asyncio.sleep(0)


async def serve_probes(
    port: int, ready: Readiness, *, host: str = "127.0.0.1", registry: CollectorRegistry = REGISTRY,
    remark: Remark = lambda: None,
) -> ProbeServer:  # fmt: skip
    """Start answering on ``host``:``port`` (0 = any free port). A ``remark`` is a second line below "ready".

    Raises ConfigurationError when the port is taken or the address is not ours.
    """
    open_connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_connections
        open_connections += 1
        try:
            if open_connections > MAX_CONNECTIONS:
                status, kind, body = 503, _TEXT, b"too many connections\n"
            else:
                status, kind, body = await _respond(reader, ready, registry, remark)
            head = (
                f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {kind}\r\n"
                f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode("ascii") + body)
            await asyncio.wait_for(writer.drain(), REQUEST_TIMEOUT_S)
        except (OSError, TimeoutError):
            pass  # the caller went away or does not read; nothing of ours depends on it
        finally:
            open_connections -= 1
            writer.close()

    try:
        server = await asyncio.start_server(answer, host, port, limit=MAX_HEAD_BYTES)
    except OSError as error:
        raise ConfigurationError(
            f"port {port} on {host} for health and metrics is not free: {error.strerror or error}",
            hint="see GONGCHE_METRICS_HOST, GONGCHE_GATEWAY_METRICS_PORT and GONGCHE_WORKER_METRICS_PORT",
        ) from error
    return ProbeServer(server)


async def _respond(
    reader: asyncio.StreamReader, ready: Readiness, registry: CollectorRegistry, remark: Remark
) -> tuple[int, str, bytes]:
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), REQUEST_TIMEOUT_S)
    except TimeoutError:
        return 408, _TEXT, b"too slow\n"
    except asyncio.LimitOverrunError:
        return 431, _TEXT, b"too long\n"
    except asyncio.IncompleteReadError:
        return 400, _TEXT, b"not a request\n"
    words = head.split(b"\r\n", 1)[0].split(b" ")
    if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
        return 400, _TEXT, b"not a request\n"
    if words[0] != b"GET":
        return 405, _TEXT, b"GET only\n"
    path = words[1].split(b"?", 1)[0]
    if path == b"/healthz":
        return 200, _TEXT, b"ok\n"
    if path == b"/metrics":
        return 200, CONTENT_TYPE, render(registry)
    if path == b"/readyz":
        try:
            reason = await asyncio.wait_for(ready(), REQUEST_TIMEOUT_S)
        except TimeoutError:
            reason = "the check took too long"
        except Exception:
            # Whatever fails in a check means "not ready", and the log says why; the caller gets no internals.
            _logger.exception("readiness check failed")
            reason = "the check failed, see the log"
        if reason is not None:
            return 503, _TEXT, f"{reason}\n".encode()
        told = remark()
        return 200, _TEXT, b"ready\n" if told is None else f"ready\n{told}\n".encode()
    return 404, _TEXT, b"try /healthz, /readyz or /metrics\n"
