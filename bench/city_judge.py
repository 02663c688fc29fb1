"""``python -m bench.city_judge DSN NOW_US DAY_US [PROFILE]``: the judge until nothing is due; figures as JSON."""

from __future__ import annotations

import asyncio
import cProfile
import sys

from bench.city import Meter, alerts_of, postmaster_of
from bench.city_data import ENGINE, MAP_DATE
from registry.changes import count_unread
from rules.judge import queue
from rules.judge.context import Context, Gatherer
from rules.judge.process import Judge
from rules.judge.queue import READER
from rules.judge.subjects.all import GATHERERS
from rules.navigation import CachedNavigator
from rules.navigation.base import Answer, EngineError, Places
from runtime.postgres import connect
from runtime.units import US_PER_DAY


class Frozen:
    """An engine whose answers are all kept already, and that is down."""

    name = ENGINE
    most_places = 20

    async def map_date(self, near: tuple[int, int]) -> str:
        return MAP_DATE

    async def ask(self, places: Places) -> Answer:
        raise EngineError("down")

    async def close(self) -> None:
        pass


class Watched(Judge):
    """The judge, with a meter at each of its steps."""

    meter: Meter

    async def _take_changes(self, context: Context) -> bool:
        before = await count_unread(self._conn, READER)
        self.meter.begin()
        busy = await super()._take_changes(context)
        self.meter.end("changes", min(before, 5000) if busy else 0)
        return busy

    async def _by_clock(self, context: Context, gatherer: Gatherer) -> bool:
        self.meter.begin()
        busy = await super()._by_clock(context, gatherer)
        self.meter.end(gatherer.name, 0)
        return busy

    async def _judge_due(self, context: Context, gatherer: Gatherer) -> bool:
        due = await self._due(context, gatherer)
        self.meter.begin()
        busy = await super()._judge_due(context, gatherer)
        self.meter.end(gatherer.name, due - await self._due(context, gatherer))
        return busy

    async def _due(self, context: Context, gatherer: Gatherer) -> int:
        _, keys = await queue.backlog(self._conn, context.now_us)
        return keys.get(gatherer.name, (0, 0))[0]


async def work(dsn: str, now_us: int, day_us: int, profile: str) -> None:
    conn = await connect(dsn)
    for gatherer in GATHERERS:
        # The clocks stand as they did at the day's noon; that of the months, before the last month ended.
        since = day_us + US_PER_DAY // 2 - (35 * US_PER_DAY if gatherer.name == "driver_months" else 0)
        await queue.set_clock(conn, gatherer.name, since)
    # A value of a parameter that says what held before: every card is judged again.
    await conn.execute(
        "INSERT INTO rule_parameters (rule, name, value, effective_from) VALUES ('card_binding', 'grace_days', 0, now())"
    )
    judge = Watched(dsn, GATHERERS, CachedNavigator(Frozen()), now_us=lambda: now_us)
    judge.meter = Meter(await postmaster_of(conn))
    recorder = cProfile.Profile() if profile else None
    if recorder:
        recorder.enable()
    while await judge.turn():
        pass
    if recorder:
        recorder.disable()
        recorder.dump_stats(profile)
    left = await queue.backlog(conn, now_us)
    outcomes = await conn.fetch(
        "SELECT rule, outcome, reason_code, count(*) FROM evaluations GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
    judge.meter.say(
        alerts=dict(await alerts_of(conn)), left=[left[0], {k: list(v) for k, v in left[1].items()}],
        outcomes=[list(r) for r in outcomes],
    )  # fmt: skip
    await judge.close()
    await conn.close()


if __name__ == "__main__":
    asyncio.run(
        work(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] if len(sys.argv) > 4 else "")
    )
