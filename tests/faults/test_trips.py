"""A trip from the wish to the confirmation, while the process that serves it dies between any two questions to the database: each step is
done wholly or not at all, and what comes of it in the end is what comes of it without a fall."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from office.dispatch.papers import Desk, dispatch_row, request_row
from office.dispatch.threads import load_clocks, now_of, read_dispatch, read_request
from tests.integration.test_trips import PLACE, Site, trips

__all__ = ["trips"]
#: What the story comes to, whatever falls.
RIGHT: dict[str, Any] = {
    "requests": [("confirmed", 7)],
    "dispatches": [("returned", 5, "car-1", "dr-1", False)],
    "asked": [(1, "draft"), (2, "submit"), (3, "approve"), (4, "queue"), (5, "assign"), (6, "finish"), (7, "confirm")],
    "sent": [(1, "assign"), (2, "accept"), (3, "depart"), (4, "change"), (5, "return")],
    "links": [(1,)],
    "orders": [(1, "approved", False), (2, "departed", False), (3, "departed", False), (4, "returned", True)],
    # Of the submission to the office, of the approval to the desk and so on: none twice.
    "told": [(7,)],
}  # fmt: skip
_QUESTIONS = ("execute", "executemany", "fetch", "fetchrow", "fetchval")
#: Far more than a step asks.
_MOST = 200


@dataclass
class Fall:
    """At the question number ``at`` the connection breaks, as when its process dies; ``after``: the database has done it. ``at`` None: never."""

    at: int | None = None
    after: bool = False
    asked: int = 0

    @property
    def fell(self) -> bool:
        return self.at is not None and self.asked > self.at

    def upon(self, at: int | None, after: bool) -> None:
        self.at, self.after, self.asked = at, after, 0


@pytest.fixture
async def fall(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> Fall:
    """A fall over every connection of the pool: also BEGIN and COMMIT are questions."""
    made = Fall()
    async with pool.acquire() as connection:
        kind = type(connection._con)
    for name in _QUESTIONS:
        method = getattr(kind, name)

        async def asked(self: Any, *args: Any, _method: Any = method, **options: Any) -> Any:
            here = made.at is not None and made.asked == made.at
            made.asked += 1
            if not here:
                return await _method(self, *args, **options)
            if made.after:
                await _method(self, *args, **options)
            self.terminate()
            raise asyncpg.ConnectionDoesNotExistError("the process is dead")

        monkeypatch.setattr(kind, name, asked)
    return made


async def standing(site: Site) -> dict[str, Any]:
    """All that a step writes, without ids and times."""
    rows: dict[str, Any] = {}
    for name, sql in {
        "requests": "SELECT state, version FROM trip_requests ORDER BY created_at",
        "dispatches": "SELECT state, version, vehicle, driver, holds FROM trip_dispatches ORDER BY number",
        "asked": "SELECT version, step FROM trip_request_events ORDER BY paper, version",
        "sent": "SELECT version, step FROM trip_dispatch_events ORDER BY paper, version",
        "links": "SELECT count(*) FROM trip_links",
        "orders": "SELECT version, status, is_current FROM dispatch_orders ORDER BY id, version",
        "told": "SELECT count(*) FROM messages",
    }.items():
        rows[name] = [tuple(row) for row in await site.pool.fetch(sql)]
    return rows


async def whole(site: Site) -> None:
    """Each row is what its thread comes to."""
    async with site.pool.acquire() as connection:
        desk = Desk(connection, await load_clocks(connection), await now_of(connection))
        for row in await connection.fetch("SELECT id FROM trip_requests"):
            thread = await read_request(connection, row["id"])
            assert thread is not None
            again = request_row(desk, thread.paper, thread.row["paper_due"])
            assert {n: thread.row[n] for n in again if n != "look_at"} == {n: v for n, v in again.items() if n != "look_at"}  # fmt: skip
        for row in await connection.fetch("SELECT id FROM trip_dispatches"):
            sent = await read_dispatch(connection, row["id"])
            assert sent is not None
            again = dispatch_row(desk, sent.paper)
            assert {n: sent.row[n] for n in again if n != "look_at"} == {n: v for n, v in again.items() if n != "look_at"}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """``who`` does ``name`` to the request or the dispatch (``paper``; "" = makes one) with ``body``."""

    who: str
    paper: str
    name: str
    body: dict[str, Any]


def story(site: Site) -> list[Step]:
    return [
        Step("ask", "", "trip-requests", site.request(category="confidential")),
        Step("ask", "trip-requests", "submit", {}),
        Step("office", "trip-requests", "approve", {}),
        Step("desk", "", "dispatches", {"vehicle": "car-1", "driver": "dr-1"}),
        Step("driver", "dispatches", "accept", {}),
        Step("driver", "dispatches", "depart", {"odometer_m": 10_000_000}),
        Step("desk", "dispatches", "change", {"stops": [PLACE], "reason": "会议改到市民中心"}),
        Step("driver", "dispatches", "return", {"odometer_m": 10_050_000}),
        Step("ask", "trip-requests", "confirm", {"rating": 5}),
    ]


async def question(site: Site, step: Step) -> tuple[str, dict[str, Any]]:
    """Address and body of a step, with the versions of now."""
    if step.name == "dispatches":
        row = await site.pool.fetchrow("SELECT id, version FROM trip_requests")
        return "/v1/dispatches", step.body | {"requests": [dict(row)]}
    if not step.paper:
        return f"/v1/{step.name}", step.body
    table = "trip_requests" if step.paper == "trip-requests" else "trip_dispatches"
    row = await site.pool.fetchrow(f"SELECT id, version FROM {table}")  # noqa: S608 - constants
    return f"/v1/{step.paper}/{row['id']}:{step.name}", step.body | {"version": row["version"]}


@pytest.mark.parametrize("after", [False, True], ids=["undone", "answer lost"])
async def test_a_step_is_done_wholly_or_not_at_all(trips: Site, fall: Fall, after: bool) -> None:
    falls = 0
    for step in story(trips):
        await asyncio.sleep(0.01)  # time: it returns after it departed
        before = now = await standing(trips)
        for at in range(_MOST):
            path, body = await question(trips, step)
            fall.upon(at, after)
            status = (await trips.client.post(path, json=body, headers=trips.headers(step.who))).status_code
            fell = fall.fell
            fall.upon(None, False)
            falls += fell
            now = await standing(trips)
            assert status < 300 or (fell and status in (500, 503)), (step, at, status)
            assert status >= 300 or now != before, (step, at)
            if now != before:
                break
        assert now != before, f"{step} never ended"
        await whole(trips)
    assert falls > 60
    assert await standing(trips) == RIGHT
