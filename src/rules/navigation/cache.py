"""Routes kept in the table ``navigation_routes`` for as long as somebody asks for them: the same question is never asked twice
of one map, unless the answer cannot be true."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

import orjson

from rules.navigation.base import Answer, Engine, EngineError, Places, Route
from rules.navigation.engines import route, unexpected
from runtime.connection import Connection
from runtime.partitions import delete_older
from runtime.units import US_PER_DAY, US_PER_S, from_us, to_us
from telemetry.archive.partitions import clock_us

_logger = logging.getLogger(__name__)

#: What the ways are for; part of a route's key.
PROFILE: Final = "car"
#: One ``fetch`` takes at most so long; what is missing then is fetched by a later one.
FETCH_S: Final = 20.0
#: How often the engine is asked for its map's date.
MAP_S: Final = 60.0
_NEVER: Final = float("-inf")

#: What cannot be true is asked again after an hour, then after a day, then ever more seldom.
DOUBT_FIRST_US: Final = 3600 * US_PER_S
DOUBT_MOST_DAYS: Final = 8

#: That a route was asked for is written down again after so many days.
USED_DAYS: Final = 30


class Answered(NamedTuple):
    """What the engine said of a question; ``doubts``: so many times in a row it could not be true."""

    key: bytes
    places: Places
    answer: Answer
    doubts: int

    def ask_again_us(self, now_us: int) -> int | None:
        """When to ask again; None = never."""
        if not self.doubts:
            return None
        if self.doubts == 1:
            return now_us + DOUBT_FIRST_US
        days: int = min(2 ** min(self.doubts - 2, 16), DOUBT_MOST_DAYS)
        return now_us + days * US_PER_DAY


def route_key(engine: str, map_date: str, profile: str, places: Places) -> bytes:
    """SHA-256 that names a question of one map."""
    body = orjson.dumps([engine, map_date, profile, places])
    return hashlib.sha256(body).digest()


class CachedNavigator:
    """A Navigator over one engine. Not for several connections at once."""

    def __init__(
        self,
        engine: Engine,
        *,
        fetch_s: float = FETCH_S,
        clock: Callable[[], float] = time.monotonic,
        now_us: Callable[[], int] = clock_us,
    ) -> None:
        self._engine, self._fetch_s, self._clock, self._now_us = engine, fetch_s, clock, now_us
        self._map_date: str | None = None
        self._asked_at = _NEVER
        #: Answers under a map's date, until the engine says once more that this is its map.
        self._unsure: tuple[str, list[Answered]] | None = None

    async def close(self) -> None:
        """Close the engine's connections."""
        await self._engine.close()

    async def fetch(self, conn: Connection, wanted: Sequence[Places]) -> None:
        """See Navigator."""
        distinct = list(dict.fromkeys(wanted))
        if not distinct:
            return
        try:
            map_date = await self._current(conn, distinct[0][0])
        except EngineError as error:
            self._tell(len(distinct), error)
            return
        keys = [self._key(map_date, places) for places in distinct]
        await conn.execute(
            # What somebody else has locked he is just writing down himself.
            "UPDATE navigation_routes r SET used_on = $2::date FROM (SELECT key FROM navigation_routes WHERE key = ANY($1::bytea[])"
            " AND used_on < $2::date - $3::integer FOR UPDATE SKIP LOCKED) old WHERE r.key = old.key",
            keys,
            from_us(self._now_us()).date(),
            USED_DAYS,
        )
        kept = await conn.fetch(
            "SELECT key, doubts, ask_again_at > $2 IS NOT FALSE AS stands FROM navigation_routes"
            " WHERE key = ANY($1::bytea[])",
            keys,
            from_us(self._now_us()),
        )
        doubts = {row["key"]: row["doubts"] for row in kept}
        stands = {row["key"] for row in kept if row["stands"]}
        missing = [(k, p) for k, p in zip(keys, distinct, strict=True) if k not in stands]
        answers = await self._ask([p for _, p in missing])
        done = [
            Answered(k, p, a, doubts.get(k, 0) + 1 if a.doubtful else 0)
            for (k, p), a in zip(missing, answers, strict=True)
            if a is not None
        ]
        if len(done) < len(missing):
            self._asked_at = _NEVER  # an engine that was away may come back with another map
        if not done:
            return
        # A map that is put in while routes are asked must not be kept under the name of the one before.
        self._unsure, self._asked_at = (map_date, done), _NEVER
        try:
            await self._current(conn, distinct[0][0])
        except EngineError as error:
            self._tell(len(done), error)

    async def routes(self, conn: Connection, wanted: Sequence[Places]) -> list[Route | None]:
        """See Navigator. Routes of the map that the engine was last seen with, this process or an earlier one."""
        if self._map_date is None:
            self._map_date = await conn.fetchval(
                "SELECT map_date FROM navigation_routes WHERE engine = $1 ORDER BY answered_at DESC LIMIT 1",
                self._engine.name,
            )
        if self._map_date is None or not wanted:
            return [None] * len(wanted)
        keys = [self._key(self._map_date, places) for places in wanted]
        rows = await conn.fetch(
            "SELECT key, engine, map_date, distance_m, duration_s, shape, problem, problem_en, ask_again_at FROM navigation_routes"
            " WHERE key = ANY($1::bytea[])",
            list(set(keys)),
        )
        found = {row["key"]: row for row in rows}
        return [
            None if key not in found else _route(found[key], places)
            for key, places in zip(keys, wanted, strict=True)
        ]

    def _key(self, map_date: str, places: Places) -> bytes:
        return route_key(self._engine.name, map_date, PROFILE, places)

    async def _current(self, conn: Connection, near: tuple[int, int]) -> str:
        """Date of the engine's map, asked now and then; what was asked of it before is kept once it is sure."""
        if self._map_date is not None and self._clock() - self._asked_at < MAP_S:
            return self._map_date
        self._asked_at = _NEVER
        try:
            map_date = await self._engine.map_date(near)
        except EngineError:
            raise
        except Exception as error:
            raise unexpected(self._engine.name, error) from error
        self._map_date, self._asked_at = map_date, self._clock()
        unsure, self._unsure = self._unsure, None
        if unsure is not None and unsure[0] == map_date:
            await self._keep(conn, *unsure)
        elif unsure is not None:
            _logger.info(
                "the map changed from %s to %s, %d routes are asked again",
                unsure[0],
                map_date,
                len(unsure[1]),
            )
        return map_date

    def _tell(self, count: int, error: EngineError) -> None:
        _logger.warning(
            "no navigation mileage now, %d routes wait: %s", count, error, exc_info=error.__cause__
        )

    async def _ask(self, wanted: Sequence[Places]) -> list[Answer | None]:
        """The answers; None where there is none, or not within the time of one fetch."""
        tasks = [asyncio.create_task(route(self._engine, places)) for places in wanted]
        if not tasks:
            return []
        try:
            await asyncio.wait(tasks, timeout=self._fetch_s)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        faults = [r for r in results if isinstance(r, BaseException)]
        if faults:
            # One line a batch; of faults of the program the first with its trace.
            told = next((f for f in faults if f.__cause__ is not None), faults[0])
            _logger.warning(
                "%d of %d routes wait: %s",
                len(faults),
                len(wanted),
                told or "out of time",
                exc_info=told.__cause__,
            )
        return [r if isinstance(r, Answer) else None for r in results]

    async def _keep(self, conn: Connection, map_date: str, done: Sequence[Answered]) -> None:
        doubted = [d for d in done if d.doubts]
        if doubted:
            _logger.warning(
                "%s gave %d of %d routes that cannot be true, they are asked again later: %s",
                self._engine.name, len(doubted), len(done), doubted[0].answer.problem_en,
            )  # fmt: skip
        now_us = self._now_us()
        again = [d.ask_again_us(now_us) for d in done]
        await conn.execute(
            "INSERT INTO navigation_routes AS kept (key, engine, map_date, places, distance_m, duration_s, shape, problem,"
            " problem_en, doubts, ask_again_at)"
            " SELECT u.key, $2, $3, u.places::jsonb, u.distance, u.duration, u.shape, u.problem, u.problem_en, u.doubts,"
            " u.again"
            " FROM unnest($1::bytea[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::text[],"
            " $10::integer[], $11::timestamptz[])"
            " AS u (key, places, distance, duration, shape, problem, problem_en, doubts, again)"
            " ON CONFLICT (key) DO UPDATE SET distance_m = EXCLUDED.distance_m, duration_s = EXCLUDED.duration_s,"
            " shape = EXCLUDED.shape, problem = EXCLUDED.problem, problem_en = EXCLUDED.problem_en, doubts = EXCLUDED.doubts,"
            " ask_again_at = EXCLUDED.ask_again_at, answered_at = now()"
            " WHERE kept.doubts > 0",  # what was believed once is frozen
            [d.key for d in done],
            self._engine.name,
            map_date,
            [orjson.dumps(d.places).decode() for d in done],
            [d.answer.distance_m for d in done],
            [d.answer.duration_s for d in done],
            [d.answer.shape for d in done],
            [d.answer.problem for d in done],
            [d.answer.problem_en for d in done],
            [d.doubts for d in done],
            [None if us is None else from_us(us) for us in again],
        )


async def drop_unused(conn: Connection, before_us: int) -> int:
    """Delete the routes that nobody has asked for since ``before_us``, at most 200,000; how many."""
    before = from_us(before_us).date() - timedelta(days=USED_DAYS)
    return await delete_older(conn, "navigation_routes", "used_on", before, at_once=10_000, times=20)


def _route(row: Any, places: Places) -> Route:
    again = row["ask_again_at"]
    return Route(
        row["key"].hex(),
        row["engine"],
        row["map_date"],
        places,
        row["distance_m"],
        row["duration_s"],
        row["shape"],
        row["problem"],
        row["problem_en"],
        None if again is None else to_us(again),
    )
