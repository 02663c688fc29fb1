"""The tiny HTTP server for health and metrics: right answers, and bounds on what a stranger may do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from runtime.errors import ConfigurationError
from runtime.probes import MAX_CONNECTIONS, MAX_HEAD_BYTES, ProbeServer, serve_probes
from tests.waiting import until

trouble: list[str | Exception] = []
remarks: list[str] = []


async def readiness() -> str | None:
    for reason in trouble:
        if isinstance(reason, Exception):
            raise reason
        return reason
    return None


@pytest.fixture
async def probes() -> AsyncIterator[ProbeServer]:
    trouble.clear()
    remarks.clear()
    registry = CollectorRegistry()
    Counter("gongche_x_total", "x", registry=registry).inc(5)
    server = await serve_probes(
        0, readiness, registry=registry, remark=lambda: remarks[0] if remarks else None
    )
    yield server
    await server.close()


async def ask(server: ProbeServer, request: bytes) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    return int(head.split()[1]), body


async def test_health_metrics_and_readiness(probes: ProbeServer) -> None:
    assert await ask(probes, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") == (200, b"ok\n")
    status, body = await ask(probes, b"GET /metrics?x=1 HTTP/1.1\r\n\r\n")
    assert status == 200
    assert b"gongche_x_total 5.0" in body
    assert await ask(probes, b"GET /readyz HTTP/1.1\r\n\r\n") == (200, b"ready\n")


async def test_what_people_should_look_at_is_said_and_makes_nothing_unready(probes: ProbeServer) -> None:
    remarks.append("隔离 quarantine: 3")
    assert await ask(probes, b"GET /readyz HTTP/1.1\r\n\r\n") == (200, "ready\n隔离 quarantine: 3\n".encode())
    trouble.append("stopping")
    assert await ask(probes, b"GET /readyz HTTP/1.1\r\n\r\n") == (503, b"stopping\n")


async def test_not_ready_says_why(probes: ProbeServer) -> None:
    trouble.append("the log does not take records")
    assert await ask(probes, b"GET /readyz HTTP/1.1\r\n\r\n") == (503, b"the log does not take records\n")


async def test_a_failing_check_is_not_ready_and_shows_no_internals(probes: ProbeServer) -> None:
    trouble.append(RuntimeError("password=geheim"))
    status, body = await ask(probes, b"GET /readyz HTTP/1.1\r\n\r\n")
    assert status == 503
    assert b"geheim" not in body


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /nothing HTTP/1.1\r\n\r\n", 404),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 405),
        (b"\x7e\x01\x02\r\n\r\n", 400),
        (b"GET /healthz\r\n\r\n", 400),
        (b"GET /" + b"x" * (MAX_HEAD_BYTES + 100) + b" HTTP/1.1\r\n\r\n", 431),
    ],
)
async def test_what_is_not_a_request_is_refused(
    probes: ProbeServer, request_bytes: bytes, status: int
) -> None:
    assert (await ask(probes, request_bytes))[0] == status
    assert (await ask(probes, b"GET /healthz HTTP/1.1\r\n\r\n"))[0] == 200


async def test_idle_connections_do_not_grow_without_bound(probes: ProbeServer) -> None:
    idle = [await asyncio.open_connection("127.0.0.1", probes.port) for _ in range(MAX_CONNECTIONS)]

    async def answers(status: int) -> bool:
        return bool((await ask(probes, b"GET /healthz HTTP/1.1\r\n\r\n"))[0] == status)

    await until(lambda: answers(503), "all places are taken")
    for _reader, writer in idle:
        writer.close()
    await until(lambda: answers(200), "the places are free again")


async def test_a_taken_port_is_named(probes: ProbeServer) -> None:
    with pytest.raises(ConfigurationError, match=str(probes.port)):
        await serve_probes(probes.port, readiness)
