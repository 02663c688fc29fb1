"""The demo of ``gongche up --demo``: a token, a simulated fleet, recorded tracks, and the proof at the end.

The fleet's plan says which violations were planted. When it has been driven, the alerts in the feed (read
over HTTP like the inspection system would) are compared with it, one to one.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from gongche.progress import report_every_s
from runtime.errors import GongcheError, UnavailableError
from runtime.postgres import connect

if TYPE_CHECKING:
    from simulation.demo.simulate import SimulateResult

T = TypeVar("T")

READ_SCOPES = ("alerts:read", "tracks:read", "registry:read", "ops:read")
_DRIVER_SCOPES = (*READ_SCOPES, "registry:write")

#: After the last position is confirmed the worker gets so long to judge everything.
SETTLE_S = 120.0
#: Nothing new in the feed for so long: a false alarm may still be on its way when all that was planted is there.
QUIET_S = 10.0
#: The navigation engine gets so long to answer.
ENGINE_S = 20.0
_POLL_S = 2.0
_PAGE = 500
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """``speed``: times faster than life; ``hours`` of device time (None = as the simulation thinks fit).

    ``exit_when_done``: end when the plan has been driven and compared. ``messages``, ``media``: what the terminals say besides positions
    (``simulation.terminal.habits``).
    """

    vehicles: int = 40
    seed: int = 1
    speed: float = 240.0
    hours: float | None = None
    tracks: Sequence[Path] = ()
    exit_when_done: bool = False
    messages: bool = False
    media: bool = False


class Demo:
    """One run of the demo against running services. ``exit_status`` is final when ``run`` has returned."""

    def __init__(
        self,
        options: DemoOptions,
        dsn: str,
        api: str,
        tcp_port: int,
        say: Callable[[str], None],
        stop: asyncio.Event,
        engine: str | None = None,
    ) -> None:
        """``api`` is the base URL; ``stop`` is set at the end when ``options.exit_when_done``; ``engine``: base URL of a
        navigation engine that knows the roads of the demo."""
        self._options = options
        self._dsn = dsn
        self._api = api
        self._tcp_port = tcp_port
        self._say = say
        self._stop = stop
        self._engine = engine
        self._all_confirmed = True
        # Asked to prove something and stopped before it was proven is not a success.
        self.exit_status = 1 if options.exit_when_done else 0

    async def run(self) -> None:
        """Token, fleet, tracks, comparison. Failures are said and counted in ``exit_status``, not raised."""
        try:
            exact = await self._run()
            self.exit_status = 0 if exact else 1
        except GongcheError as error:
            self._say(
                f"演示失败 / the demo failed: {error.message}" + (f" ({error.hint})" if error.hint else "")
            )
            self.exit_status = error.exit_code
        finally:
            if self._options.exit_when_done:
                self._stop.set()

    async def _run(self) -> bool:
        reader = await self._token("demo", READ_SCOPES, timedelta(days=30))
        driver = await self._token("demo fleet", _DRIVER_SCOPES, timedelta(days=1))
        self._say("演示令牌，只显示一次 / token of the demo, shown once:")
        self._say(f"  {reader}")
        self._say("拉取预警 / pull the alerts:")
        self._say(f"  curl -H 'Authorization: Bearer {reader}' '{self._api}/v1/alerts/feed?limit=20'")
        self._say("")
        async with httpx.AsyncClient(
            base_url=self._api,
            headers={"Authorization": f"Bearer {reader}"},
            timeout=30,
            trust_env=False,
        ) as client:
            _, cursor = await read_feed(client, None)
            jobs: list[Coroutine[Any, Any, Any]] = [_in_thread(lambda: self._drive(driver))]
            if self._options.tracks:
                jobs.append(_in_thread(self._replay))
            plan, *_ = await asyncio.gather(*jobs)
            exact = await self._compare(client, cursor, plan)
            return exact and self._all_confirmed

    async def _token(self, name: str, scopes: Sequence[str], life: timedelta) -> str:
        from office.identity.tokens import create_token

        connection = await connect(self._dsn)
        try:
            made = await create_token(connection, name, scopes, datetime.now(UTC) + life)
        finally:
            await connection.close()
        return made.secret

    async def _mileage(self) -> bool:
        """Whether the navigation engine answers; it is given a while to start."""
        if self._engine is None:
            return False
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            for _ in range(round(ENGINE_S)):
                with suppress(httpx.HTTPError):
                    if (await client.get(f"{self._engine}/status")).is_success:
                        return True
                await asyncio.sleep(1)
        self._say(
            "导航引擎没有启动，演示不含里程规则 / the navigation engine did not start, the demo goes on without mileage"
        )
        return False

    async def _drive(self, token: str) -> SimulateResult:
        from simulation.demo.simulate import SimulateOptions, simulate
        from simulation.terminal.habits import Habits
        from simulation.terminal.statistics import said_line

        options = SimulateOptions(
            host="127.0.0.1",
            port=self._tcp_port,
            api=self._api,
            token=token,
            vehicles=self._options.vehicles,
            seed=self._options.seed,
            speed=self._options.speed,
            duration_h=self._options.hours,
            mileage=await self._mileage(),
            report_every_s=report_every_s(sys.stdout),
            habits=Habits(self._options.messages, self._options.media),
        )
        result = await simulate(options, self._say)
        self._say(
            f"演示车队结束 / the fleet is done: 计划 planned {result.planned:,}，发送 sent {result.sent:,}，"
            f"确认 confirmed {result.confirmed:,}"
        )
        if line := said_line(result.stats):
            self._say(line)
        self._all_confirmed &= result.complete
        return result

    async def _replay(self) -> None:
        from simulation.gps_files.replay import ReplayOptions, replay

        options = ReplayOptions(
            files=tuple(self._options.tracks),
            host="127.0.0.1",
            port=self._tcp_port,
            report_every_s=report_every_s(sys.stdout),
        )
        result = await replay(options, self._say)
        rejected = sum(result.rejected.values())
        self._say(
            f"轨迹回放结束 / tracks are done: 读取 read {result.rows:,}，拒绝 rejected {rejected:,}，"
            f"发送 sent {result.sent:,}，确认 confirmed {result.confirmed:,}"
        )
        self._all_confirmed &= result.complete

    async def _compare(
        self,
        client: httpx.AsyncClient,
        cursor: str | None,
        plan: SimulateResult,
    ) -> bool:
        from rules.catalogue import RULE_NAMES
        from simulation.expectations import by_rule, compare_alerts

        expected = plan.expected

        self._say("等待判定 / waiting for the judgement of what was sent")
        alerts: dict[str, dict[str, Any]] = {}
        deadline, quiet_since = time.monotonic() + SETTLE_S, time.monotonic()
        while True:
            entries, cursor = await read_feed(client, cursor)
            for entry in entries:
                alerts[entry["id"]] = entry
            comparison = compare_alerts(expected, alerts.values(), plan.vehicles, marks=plan.marks)
            now = time.monotonic()
            if entries:
                quiet_since = now
            # "Exact" must hold for a while: a false alarm may still be on its way.
            if (comparison.exact and now - quiet_since > QUIET_S) or now > deadline:
                break
            await asyncio.sleep(_POLL_S)
        found = comparison.matched + len(comparison.unexpected)
        self._say("规则 rule                                计划 planted   预警流中 in the feed")
        for rule, planted, seen, missing, more in by_rule(expected, comparison):
            wrong = f"   缺少 missing {missing}，多出 unexpected {more}" if missing or more else ""
            name = RULE_NAMES.get(rule, "")
            self._say(f"  {rule:<20}{name}{'　' * (8 - len(name))}{planted:>12}{seen:>14}{wrong}")
        self._say(
            "油耗规则要比较四个月，演示不含 / fuel_consumption compares four months: not part of the demo"
        )
        verdict = "一致 / exact" if comparison.exact else "不一致 / NOT exact"
        self._say(f"计划预警 planted {len(expected)}，预警流中 in the feed {found}：{verdict}")
        for lost in comparison.missing[:_SHOWN]:
            self._say(
                f"  缺少 missing: {lost.rule} {lost.vehicle or lost.mention} {lost.order or ''} {lost.kind}"
            )
        for alert in comparison.unexpected[:_SHOWN]:
            self._say(f"  多出 unexpected: {alert.get('rule')} {alert.get('vehicle')} {alert.get('summary')}")
        return comparison.exact


async def read_feed(client: httpx.AsyncClient, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
    """Every entry of the alert feed after ``cursor`` (None = from the beginning), and the cursor after them.

    Raises UnavailableError when the API does not answer as it should.
    """
    entries: list[dict[str, Any]] = []
    while True:
        params = {"limit": str(_PAGE)} | ({"cursor": cursor} if cursor else {})
        try:
            response = await client.get("/v1/alerts/feed", params=params)
            response.raise_for_status()
        except httpx.HTTPError as error:
            raise UnavailableError(f"the alert feed does not answer: {error}") from error
        page = response.json()
        entries += page["items"]
        cursor = page["next"]
        if len(page["items"]) < _PAGE:
            return entries, cursor


async def _in_thread(job: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run ``job()`` on an event loop of its own in a thread: planning a fleet must not hold up the
    supervisor.

    Cancelling the caller cancels the job and waits for its end.
    """
    box: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]] = []

    def work() -> T:
        with asyncio.Runner() as runner:  # asyncio's own loop, as in `gongche simulate`

            async def main() -> T:
                task = asyncio.ensure_future(job())
                box.append((asyncio.get_running_loop(), task))
                return await task

            return runner.run(main())

    thread = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        for loop, task in box:
            loop.call_soon_threadsafe(task.cancel)
        await asyncio.wait({thread}, timeout=10)
        raise
