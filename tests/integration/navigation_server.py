"""A routing engine on loopback that says what a test wants, over real sockets."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from rules.navigation.polyline import encode
from telemetry import geo
from tests.waiting import PATIENCE_S


@dataclass
class Request:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    body: Any


@dataclass
class Reply:
    """``body``: JSON, or bytes as they are. ``wait_s``: before it. ``broken``: close without a word."""

    body: Any
    status: int = 200
    wait_s: float = 0.0
    broken: bool = False


Handler = Callable[[Request], Reply]


@dataclass
class EngineServer:
    """``reply`` answers; ``requests`` is what was asked, ``most`` how many at once at the most."""

    reply: Handler
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    now: int = 0
    most: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                method, target, _ = line.decode().split(" ", 2)
                length = 0
                while (header := await reader.readline()).strip():
                    name, value = header.decode().split(":", 1)
                    length = int(value) if name.lower() == "content-length" else length
                body = await reader.readexactly(length)
                parts = urlsplit(target)
                query = {k: v[0] for k, v in parse_qs(parts.query).items()}
                request = Request(method, parts.path, query, json.loads(body) if body else None)
                self.requests.append(request)
                self.now += 1
                self.most = max(self.most, self.now)
                try:
                    reply = self.reply(request)
                    await asyncio.sleep(reply.wait_s)
                finally:
                    self.now -= 1
                if reply.broken:
                    break
                content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                writer.write(
                    f"HTTP/1.1 {reply.status} X\r\nContent-Type: application/json\r\nContent-Length: {len(content)}"
                    "\r\n\r\n".encode()
                    + content
                )
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def engine_server(reply: Handler) -> AsyncIterator[EngineServer]:
    """A server that answers by ``reply`` until the block ends."""
    made = EngineServer(reply)
    tasks: set[asyncio.Task[None]] = set()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.ensure_future(made.serve(reader, writer)))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def places_of(request: Request) -> list[tuple[int, int]]:
    """(lat, lon) in 1e-6 degree of an OSRM request."""
    pairs = request.path.rsplit("/", 1)[1].split(";")
    return [(round(float(p.split(",")[1]) * 1e6), round(float(p.split(",")[0]) * 1e6)) for p in pairs]


def bend(a: tuple[int, int], b: tuple[int, int], stretch: float) -> tuple[int, int]:
    """Where the way from a to b turns so that it is about ``stretch`` times the straight line."""
    narrow = math.cos(math.radians(a[0] / 1e6))
    north, east = (b[0] - a[0]) / 2, (b[1] - a[1]) / 2 * narrow
    aside = math.sqrt(stretch**2 - 1)
    return round(a[0] + north - east * aside), round(a[1] + (east + north * aside) / narrow)


def straight_osrm(request: Request, distance_m: Callable[[float], float] = lambda m: m) -> Reply:
    """OSRM over a country without obstacles: the way is the straight line, or, where ``distance_m`` makes the length of
    its legs longer, one with a bend in each leg."""
    if "/nearest/" in request.path:
        return Reply({"code": "Ok", "data_version": "2026-03-01T00:00:00Z", "waypoints": []})
    places = places_of(request)
    legs = [
        float(geo.distance_m(a[0] / 1e6, a[1] / 1e6, b[0] / 1e6, b[1] / 1e6)) for a, b in pairwise(places)
    ]
    bent: list[tuple[int, int]] = []
    for a, b, leg in zip(places, places[1:], legs, strict=False):
        if distance_m(leg) > leg:
            bent.append(bend(a, b, distance_m(leg) / leg))
        bent.append(b)
    return Reply(
        {
            "code": "Ok",
            "data_version": "2026-03-01T00:00:00Z",
            "routes": [
                {
                    "geometry": encode([places[0], *bent]),
                    "distance": round(distance_m(sum(legs)), 1),
                    "duration": round(sum(legs) / 10, 1),
                    "legs": [{"distance": leg, "duration": leg / 10, "steps": []} for leg in legs],
                }
            ],
            "waypoints": [
                {"location": [lon / 1e6, lat / 1e6], "distance": 0, "name": ""} for lat, lon in places
            ],
        }
    )


__all__ = ["EngineServer", "Reply", "Request", "engine_server", "places_of", "straight_osrm"]


def answers(url: str) -> bool:
    """Whether the Valhalla at ``url`` serves."""
    try:
        return httpx.get(f"{url}/status", timeout=PATIENCE_S, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
