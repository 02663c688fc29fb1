"""``gongche simulate``: registers the demo's fleet over HTTP and drives its terminals over TCP in compressed time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from runtime.arrays import Ints
from runtime.errors import ConfigurationError, UnavailableError
from runtime.units import CHINA, US_PER_S, from_us
from simulation.city.bodies import order_body
from simulation.city.fleet import DRIVING_INTERVAL_S, STATUS_ACC, Order, Plan, Trap
from simulation.demo.office import Office
from simulation.demo.plan import MIN_SPAN_S, build_plan
from simulation.expectations import ExpectedAlert
from simulation.plants.paper import card_mark
from simulation.terminal.client import Terminal
from simulation.terminal.habits import NO_HABITS, Habits, arrives, card_of, departs, introduced, trips
from simulation.terminal.many import Fleet, registration
from simulation.terminal.reports import encode_reports
from simulation.terminal.state import Timing
from simulation.terminal.statistics import FleetStats, interrupted
from telemetry.jt808.scalar.header import Version

Progress = Callable[[str], None]

_TICK_S = 0.05
#: The device clock waits while more positions than this are on their way: the platform sets the pace.
_MAX_BACKLOG = 5_000
_DAY_S = 86_400
_USUAL_S = 360  # a plan of no given length takes about six minutes


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """``api``: base URL; ``token``: with scope registry:write. ``speed``: device seconds a second.

    ``duration_h``: hours of device time; None = what takes six minutes, between the least a plan needs and a day.
    ``run``: part of the ids of vehicles, terminals and orders (None = from the clock), so that a second start does
    not move the vehicles of the first. ``interval_s``: seconds of device time between reports while driving.
    ``mileage``: whether a navigation engine of the platform knows the roads of the simulation. ``report_every_s``: between two lines
    on how far it is. ``habits``: what the terminals say besides positions.
    """

    host: str
    port: int
    api: str
    token: str
    vehicles: int = 40
    seed: int = 1
    speed: float = 60.0
    duration_h: float | None = None
    run: str | None = None
    interval_s: int = DRIVING_INTERVAL_S
    window: int = 16
    stall_s: float = 60.0
    mileage: bool = False
    report_every_s: float = 5.0
    habits: Habits = NO_HABITS


@dataclass(frozen=True, slots=True)
class SimulateResult:
    """What was done. ``planned == sent == confirmed`` when all went well; ``expected``: the alerts that must come.
    ``vehicles``: all of the plan, those without a terminal as well; ``marks``: how the numbers of its cards begin."""

    planned: int
    sent: int
    confirmed: int
    refused: int
    abandoned: int
    expected: list[ExpectedAlert]
    traps: list[Trap]
    vehicles: list[str]
    marks: list[str]
    notes: list[str]
    stats: FleetStats
    seconds: float

    @property
    def complete(self) -> bool:
        """Every position of the plan is confirmed."""
        return self.confirmed == self.planned


@dataclass(slots=True)
class _Stream:
    """All reports of the plan in order of device time; columns of shape (n,)."""

    vehicle: NDArray[np.int32]
    time_s: Ints
    columns: dict[str, Ints]
    at: int = 0

    def until(self, time_s: float) -> tuple[list[int], list[bytes]]:
        """Vehicle numbers and bodies of the reports up to ``time_s`` that were not taken yet."""
        end = int(np.searchsorted(self.time_s, time_s, side="right"))
        rows = slice(self.at, end)
        self.at = end
        taken = {name: column[rows] for name, column in self.columns.items()}
        lat, lon = taken.pop("lat_e6"), taken.pop("lon_e6")
        bodies = encode_reports(
            self.time_s[rows],
            lat,
            lon,
            altitude_m=taken["altitude_m"],
            speed_dkmh=taken["speed_dkmh"],
            direction_deg=taken["direction_deg"],
            status=taken["status"],
            odometer_dkm=taken["odometer_dkm"],
        )
        return self.vehicle[rows].tolist(), bodies


_COLUMNS = ("lat_e6", "lon_e6", "altitude_m", "speed_dkmh", "direction_deg", "status", "odometer_dkm")


def _stream(plan: Plan) -> _Stream:
    time_s = np.concatenate([v.samples.time_s for v in plan.vehicles])
    numbers = np.repeat(
        np.arange(len(plan.vehicles), dtype=np.int32), [len(v.samples) for v in plan.vehicles]
    )
    order = np.argsort(time_s, kind="stable")
    columns = {
        name: np.concatenate([getattr(v.samples, name) for v in plan.vehicles])[order] for name in _COLUMNS
    }
    return _Stream(numbers[order], time_s[order], columns)


@dataclass(slots=True)
class _Clock:
    """What the clocks of the devices show, seconds since 1970 UTC."""

    now_s: float

    def read(self) -> float:
        return self.now_s


@dataclass(slots=True)
class _Run:
    """A simulation under way."""

    options: SimulateOptions
    plan: Plan
    office: Office
    fleet: Fleet
    say: Progress
    clock: _Clock
    errands: asyncio.Queue[Order] = field(default_factory=asyncio.Queue)
    offline: set[Terminal] = field(default_factory=set)


def plan_span_s(options: SimulateOptions) -> int:
    """Seconds of device time the plan covers."""
    if options.duration_h is None:
        return round(min(_DAY_S, max(MIN_SPAN_S + 1800, options.speed * _USUAL_S)))
    return round(options.duration_h * 3600)


def _check(options: SimulateOptions) -> None:
    span = plan_span_s(options)
    if span < MIN_SPAN_S or span > 31 * _DAY_S:
        raise ConfigurationError(f"--duration must be {MIN_SPAN_S / 3600:.2f} h to 31 days of device time")
    if not 1.0 <= options.speed <= 1e6:
        raise ConfigurationError("--speed must be between 1 and 1000000")
    if not 1 <= options.vehicles <= 20_000:
        raise ConfigurationError("--vehicles must be between 1 and 20000")
    if not 1 <= options.interval_s <= 60:
        raise ConfigurationError("--interval must be between 1 and 60 s")


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
    return digits or "0"


async def simulate(options: SimulateOptions, progress: Progress | None = None) -> SimulateResult:
    """Plan, register, drive, and wait until all is confirmed.

    Device time ends at about the time this returns and is never ahead of it. Raises ConfigurationError for options
    that cannot work, UnavailableError when the gateway or the API is not there, RefusedError when the API refuses.
    """
    _check(options)
    say = progress or (lambda _line: None)
    begun = time.monotonic()
    span = plan_span_s(options)
    end_s = int(time.time() + span / options.speed)
    run = options.run or _base36(int(time.time()))
    say(f"正在生成计划 / planning {options.vehicles} vehicles, {span / 3600:.1f} h")
    plan = await asyncio.to_thread(
        build_plan,
        options.seed,
        options.vehicles,
        end_s - span,
        end_s,
        run=run,
        driving_interval_s=options.interval_s,
        mileage=options.mileage,
    )
    for note in plan.notes:
        say(f"  说明 / note: {note}")
    clock = _Clock(float(plan.start_s))
    async with (
        Office(options.api, options.token) as office,
        Fleet(options.host, options.port, window=options.window, timing=Timing(), clock=clock.read) as fleet,
    ):
        say(f"登记车队 / registering: {len(plan.vehicles)} vehicles, {len(plan.organisations)} organisations")
        await office.register(plan)
        for vehicle in plan.vehicles:
            fleet.add(
                vehicle.phone, registration(vehicle.plate, vehicle.phone[-7:], Version(vehicle.version))
            )
        await fleet.all_online(options.stall_s)
        await _drive(_Run(options, plan, office, fleet, say, clock))
        facts = plan.facts
        say(
            f"录入对账单与违章 / statements and violations: {len(facts.payments)} 笔交易 payments, "
            f"{len(facts.offences)} 条违章 violations"
        )
        await office.close_books(plan)
        stats = fleet.stats
        waiting = stats.waiting
    return SimulateResult(
        planned=plan.positions,
        sent=stats.sent,
        confirmed=stats.confirmed,
        refused=stats.refused.total(),
        abandoned=waiting,
        expected=plan.expected,
        traps=plan.traps,
        vehicles=[*(v.id for v in plan.vehicles), *(v.id for v in plan.facts.vehicles)],
        marks=[card_mark(plan)],
        notes=plan.notes,
        stats=stats,
        seconds=time.monotonic() - begun,
    )


async def _drive(run: _Run) -> None:
    """Run the device clock over positions, networks and orders; then wait for what is still on its way."""
    clerk = asyncio.create_task(_clerk(run), name="office")
    try:
        await _clock(run, clerk)
        if not await run.fleet.flush(run.options.stall_s):
            run.say(
                f"网关没有确认 / not confirmed: {run.fleet.stats.waiting}; {run.fleet.stats.last_problem}"
            )
        joined = asyncio.create_task(run.errands.join())
        await asyncio.wait({joined, clerk}, return_when=asyncio.FIRST_COMPLETED)
        joined.cancel()
        if clerk.done():
            clerk.result()
    except asyncio.CancelledError:
        run.say(interrupted(run.fleet.stats))
        raise
    finally:
        clerk.cancel()
        await asyncio.gather(clerk, return_exceptions=True)


async def _clerk(run: _Run) -> None:
    """Enter orders one after the other, as they come."""
    while True:
        order = await run.errands.get()
        await run.office.put("dispatch-orders", order_body(run.plan, order))
        run.errands.task_done()


def _events(run: _Run) -> list[tuple[int, Callable[[], None]]]:
    """What happens besides reports, in order of device time: networks lost and found, orders entered."""
    events: list[tuple[int, Callable[[], None]]] = []

    def lose(terminal: Terminal) -> None:
        run.offline.add(terminal)
        terminal.go_offline()

    def find(terminal: Terminal) -> None:
        run.offline.discard(terminal)
        terminal.go_online()

    for vehicle, terminal in zip(run.plan.vehicles, run.fleet.terminals, strict=True):
        for start, end in vehicle.offline:
            events.append((start, partial(lose, terminal)))
            events.append((end, partial(find, terminal)))
    events.extend(_sayings(run))
    events.extend(
        (update.at_s, partial(run.errands.put_nowait, update.order))
        for update in run.plan.updates
        if update.at_s is not None
    )
    events.sort(key=lambda event: event[0])  # stable: what one order becomes stays in order
    return events


def _sayings(run: _Run) -> Iterator[tuple[int, Callable[[], None]]]:
    """What the terminals say on their own, and when."""
    habits = run.options.habits
    if not habits.messages and not habits.media:
        return
    pairs = zip(run.plan.vehicles, run.fleet.terminals, strict=True)
    for number, (vehicle, terminal) in enumerate(pairs):
        if habits.messages:
            yield run.plan.start_s, partial(introduced, terminal)
        card, samples = card_of(vehicle.driver_name, number), vehicle.samples
        for start, end in trips(samples.time_s, samples.status & STATUS_ACC):
            yield start, partial(departs, terminal, card, _stamp(start), habits)
            yield end, partial(arrives, terminal, _stamp(end), habits)


def _stamp(time_s: int) -> str:
    return from_us(time_s * US_PER_S).astimezone(CHINA).strftime("%y%m%d%H%M%S")


async def _clock(run: _Run, clerk: asyncio.Task[None]) -> None:
    """The device clock: from the plan's start to its end, ``speed`` times as fast as ours, slower when it must."""
    loop = asyncio.get_running_loop()
    stream, events, plan = _stream(run.plan), _events(run), run.plan
    begun = reported = loop.time()
    done, device = 0, float(plan.start_s)
    while device < plan.end_s:
        device = min(plan.start_s + (loop.time() - begun) * run.options.speed, float(plan.end_s))
        run.clock.now_s = device
        while done < len(events) and (events[done][0] <= device or device == plan.end_s):
            _offer(run, stream, events[done][0] - 1)
            events[done][1]()
            done += 1
        _offer(run, stream, device)
        if clerk.done():
            clerk.result()  # raises what stopped it
        if loop.time() - reported >= run.options.report_every_s:
            reported = loop.time()
            run.say(_line(run, device))
        before = loop.time()
        await asyncio.sleep(_TICK_S)
        if await _catch_up(run):
            begun += loop.time() - before


def _offer(run: _Run, stream: _Stream, until_s: float) -> None:
    numbers, bodies = stream.until(until_s)
    by_vehicle: dict[int, list[bytes]] = {}
    for number, body in zip(numbers, bodies, strict=True):
        by_vehicle.setdefault(number, []).append(body)
    together = run.options.habits.messages
    for number, mine in by_vehicle.items():
        if together and len(mine) > 1:
            run.fleet.terminals[number].offer_together(mine)
        else:
            run.fleet.terminals[number].offer(mine)


async def _catch_up(run: _Run) -> bool:
    """Wait while too much is on its way. Gives whether it had to. Raises UnavailableError when nothing moves."""

    def backlog() -> int:
        return run.fleet.stats.waiting - sum(terminal.queued for terminal in run.offline)

    if backlog() <= _MAX_BACKLOG:
        return False
    loop = asyncio.get_running_loop()
    best, since = run.fleet.stats.waiting, loop.time()
    while backlog() > _MAX_BACKLOG:
        await asyncio.sleep(_TICK_S)
        if run.fleet.stats.waiting < best:
            best, since = run.fleet.stats.waiting, loop.time()
        elif loop.time() - since > run.options.stall_s:
            raise UnavailableError(
                f"{best} positions wait and none was confirmed for {run.options.stall_s:.0f} s: "
                + (run.fleet.stats.last_problem or "no answer")
            )
    return True


def _line(run: _Run, device: float) -> str:
    stats = run.fleet.stats
    clock = from_us(int(device) * US_PER_S).astimezone(CHINA).strftime("%m-%d %H:%M")
    p50, p99 = stats.latency.quantile(0.5) * 1e3, stats.latency.quantile(0.99) * 1e3
    return (
        f"车队时间 fleet time {clock}  在线 online {stats.online}  发送 sent {stats.sent:,}  "
        f"确认 confirmed {stats.confirmed:,}  应答 reply p50 {p50:.0f} ms p99 {p99:.0f} ms"
    )
