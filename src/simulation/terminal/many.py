"""Many terminals in one process: connecting them, looking after them, waiting for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from runtime.errors import UnavailableError
from simulation.terminal.client import Terminal
from simulation.terminal.state import State, Timing
from simulation.terminal.statistics import FleetStats
from telemetry.jt808.scalar import messages as m
from telemetry.jt808.scalar.header import Version


class Fleet:
    """All terminals of a process, as an async context manager: it connects them, looks after them, closes them.

    ``window``: position messages a terminal may have unconfirmed. ``max_connecting``: connections being opened at a
    time, so that thousands of terminals do not arrive as one wall. ``clock``: the time of the devices (``Terminal``).
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        window: int = 16,
        timing: Timing | None = None,
        max_connecting: int = 64,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.stats = FleetStats()
        self.terminals: list[Terminal] = []
        self._address = (host, port)
        self._window = window
        self._timing = timing or Timing()
        self._clock = clock
        self._max_connecting = max_connecting
        self._connecting: set[asyncio.Task[None]] = set()
        self._ticker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Fleet:
        self._ticker = asyncio.create_task(self._tick(), name="terminals")
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [*self._connecting, *([self._ticker] if self._ticker else [])]
        for terminal in self.terminals:
            terminal.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def add(self, phone: str, registration: m.Registration) -> Terminal:
        """A terminal that will connect soon. ``registration.version`` is its dialect."""
        terminal = Terminal(
            self._address,
            phone,
            registration,
            self.stats,
            window=self._window,
            timing=self._timing,
            loop=asyncio.get_running_loop(),
            clock=self._clock,
        )
        self.terminals.append(terminal)
        return terminal

    async def all_online(self, stall_s: float = 15.0) -> None:
        """Wait until every terminal has authenticated. Raises UnavailableError when for ``stall_s`` none more did."""
        loop = asyncio.get_running_loop()
        best, since = 0, loop.time()
        while self.stats.online < len(self.terminals):
            await asyncio.sleep(self._timing.tick_s / 2)
            if self.stats.online > best:
                best, since = self.stats.online, loop.time()
            elif loop.time() - since > stall_s:
                refused = self.stats.refused_registrations
                raise UnavailableError(
                    f"{self.stats.online} of {len(self.terminals)} terminals are online: "
                    + (self.stats.last_problem or "no answer"),
                    hint="register the terminals first, or start the gateway with GONGCHE_AUTO_REGISTER=true"
                    if refused
                    else "is the gateway running at this address?",
                )

    async def flush(self, stall_s: float = 60.0) -> bool:
        """Wait until nothing waits any more, messages of their own included. False when for ``stall_s`` nothing moved: the platform is
        gone."""
        loop = asyncio.get_running_loop()

        def waiting() -> int:
            return self.stats.waiting + self.stats.unsaid

        best, since = waiting(), loop.time()
        while waiting():
            await asyncio.sleep(self._timing.tick_s / 2)
            if waiting() < best:
                best, since = waiting(), loop.time()
            elif loop.time() - since > stall_s:
                return False
        return True

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        sweep_s = min(1.0, self._timing.confirm_s / 4)
        swept = loop.time()
        while True:
            now = loop.time()
            for terminal in self.terminals:
                if len(self._connecting) >= self._max_connecting:
                    break
                if terminal.state is State.WAITING and now >= terminal.retry_at:
                    terminal.state = State.CONNECTING  # at once: the task starts only later
                    task = asyncio.create_task(terminal.connect())
                    self._connecting.add(task)
                    task.add_done_callback(self._connecting.discard)
            if now - swept >= sweep_s:
                swept = now
                for terminal in self.terminals:
                    terminal.tick(now)
            await asyncio.sleep(self._timing.tick_s)


def registration(
    plate: str, device_id: str, version: Version, *, manufacturer: str = "GONGC", model: str = "SIMULATOR"
) -> m.Registration:
    """A registration of Nantong (GB/T 2260: 320600) with a blue plate. 2011 has eight bytes for the model."""
    model = model[:8] if version is Version.V2011 else model
    return m.Registration(32, 600, manufacturer, model, device_id, 1, plate, version)
