"""Whatever JSON an engine answers: an Answer or EngineError, and texts that can be kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.navigation import Answer, CachedNavigator, Engine, EngineError, Limits
from rules.navigation.amap import Amap
from rules.navigation.engines import route
from rules.navigation.http import Breaker
from rules.navigation.osrm import Osrm
from rules.navigation.polyline import encode
from rules.navigation.valhalla import Valhalla
from tests.integration.navigation_server import Reply, Request, engine_server

A, B = (32_000_000, 120_900_000), (32_020_000, 120_950_000)
ONCE = Limits(timeout_s=5, tries=1, backoff_s=0, breaker=lambda: Breaker(failures=1_000_000))

ENGINES: dict[str, Callable[[str, Limits], Engine]] = {
    "valhalla": lambda url, limits: Valhalla(url, limits=limits),
    "osrm": lambda url, limits: Osrm(url, limits=limits),
    "amap": lambda url, limits: Amap(url, "key", limits=limits),
}

#: Answers as documented; a test puts anything in the place of any part of them.
DOCUMENTED: dict[str, list[Any]] = {
    "valhalla": [
        {
            "trip": {
                "legs": [{"summary": {"length": 5.2, "time": 400.5}, "shape": encode([A, B])}],
                "status": 0,
                "units": "kilometers",
            }
        },
        {"error_code": 171, "error": "No suitable edges near location", "status_code": 400},
        {"version": "3.9.1", "tileset_last_modified": 1772380800},
    ],
    "osrm": [
        {
            "code": "Ok",
            "data_version": "2026-03-01",
            "routes": [
                {
                    "geometry": encode([A, B]),
                    "distance": 5200.0,
                    "duration": 400.1,
                    "legs": [{"distance": 5200.0}],
                }
            ],
        },
        {"code": "NoRoute", "message": "Impossible route between points"},
    ],
    "amap": [
        {
            "status": "1",
            "info": "OK",
            "infocode": "10000",
            "route": {
                "paths": [
                    {
                        "distance": "5200",
                        "cost": {"duration": "400"},
                        "steps": [{"polyline": "120.9,32.0;120.95,32.02"}],
                    }
                ]
            },
        },
        {"status": "0", "info": "NO_ROADS_NEARBY", "infocode": "20801"},
    ],
}


class Number(float):
    """A number as it stands in the JSON, whatever a float makes of it."""

    def __new__(cls, text: str) -> Number:
        made = super().__new__(cls, 1.0)
        made.text = text
        return made

    text: str

    def __repr__(self) -> str:
        return self.text


NUMBERS = st.sampled_from(
    [
        "1e99999999999999999999",
        "-1e99999999999999999999",
        "1e-99999999999999999999",
        "1e999999",
        "0.5e400",
        "-0.0",
    ]
).map(Number)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | NUMBERS
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places_in(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every part of a JSON value, itself among them."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, part in inner for place in places_in(part, (*at, key)))]


def with_part(value: Any, at: tuple[Any, ...], part: Any) -> Any:
    """``value`` with ``part`` in the place ``at``."""
    if not at:
        return part
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[at[0]] = with_part(value[at[0]], at[1:], part)
    return copy


@st.composite
def answers(draw: st.DrawFn, name: str) -> bytes:
    """JSON that is anything, or a documented answer with anything in one or two places."""
    value = draw(st.sampled_from(DOCUMENTED[name]))
    for _ in range(draw(st.integers(1, 2))):
        value = with_part(value, draw(st.sampled_from(places_in(value))), draw(ANYTHING))
    return to_json(value)


def to_json(value: Any) -> bytes:
    """As ``json.dumps`` but for numbers, which stand there as they are."""
    if isinstance(value, dict):
        return b"{" + b",".join(json.dumps(k).encode() + b":" + to_json(v) for k, v in value.items()) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(to_json, value)) + b"]"
    return repr(value).encode() if isinstance(value, Number) else json.dumps(value).encode()


def storable(text: str) -> bool:
    """Whether PostgreSQL takes this text."""
    return "\x00" not in text and text == text.encode("utf-8", "replace").decode()


@pytest.mark.parametrize("name", ENGINES)
def test_any_json_gives_an_answer_or_no_answer_now(name: str) -> None:
    body = b"{}"
    with asyncio.Runner() as runner:

        async def served() -> AsyncGenerator[Engine]:
            async with engine_server(lambda _: Reply(body)) as server:
                engine = ENGINES[name](server.url, ONCE)
                yield engine
                await engine.close()

        opened = served()
        engine = runner.run(opened.__anext__())

        async def ask() -> None:
            try:
                answer = await route(engine, (A, B))
            except EngineError:
                pass
            else:
                assert isinstance(answer, Answer)
                assert (answer.distance_m is None) == bool(answer.problem)
                assert storable(answer.problem)
                assert storable(answer.problem_en)
                assert bool(answer.problem) == bool(answer.problem_en)
            with suppress(EngineError):
                assert storable(await engine.map_date(A))

        @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(answers(name))
        def check(made: bytes) -> None:
            nonlocal body
            body = made
            runner.run(ask())

        try:
            check()
        finally:
            runner.run(opened.aclose())


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("amap", b'{"status": "1", "route": {"paths": [{"distance": "1", "cost": {"duration": "1"}, "steps": [{"polyline": []}]}]}}'),
        ("osrm", b'{"code": "Ok", "routes": [{"geometry": "", "distance": 1e99999999999999999999}]}'),
        ("osrm", b'{"code": ["Ok"]}'),
        ("osrm", b'{"code": "NoRoute", "message": "\\u0000 \\ud800"}'),
        ("valhalla", b'{"error_code": [171], "error": "none"}'),
    ],
    ids=["polyline", "number", "code", "text", "error_code"],
)  # fmt: skip
async def test_an_odd_answer_stops_nothing(name: str, body: bytes, pool: asyncpg.Pool) -> None:
    """The other route of the batch is kept."""
    asked: list[Request] = []

    def reply(request: Request) -> Reply:
        if request.path == "/status":
            return Reply(DOCUMENTED["valhalla"][2])
        if "/nearest/" in request.path:
            return Reply({"code": "Ok", "data_version": "1"})
        asked.append(request)
        if len(asked) == 1:
            return Reply(body, status=400 if b"error_code" in body else 200)
        return Reply(to_json(DOCUMENTED[name][0]))

    one_at_a_time = replace(ONCE, concurrency=1)
    async with engine_server(reply) as server, pool.acquire() as conn:
        navigator = CachedNavigator(ENGINES[name](server.url, one_at_a_time))
        await navigator.fetch(conn, [(A, (32_010_000, 120_910_000)), (A, B)])
        found = (await navigator.routes(conn, [(A, B)]))[0]
        assert found is not None
        assert found.distance_m == 5200
        await navigator.close()
