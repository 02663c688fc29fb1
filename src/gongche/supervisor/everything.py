"""``gongche up``: everything on one machine.

Lock, ports, PostgreSQL, migrations, then gateway, worker, judge, API and deliverer as processes of their own under a
supervisor. They stop in the order in which data flows: the gateway confirms what it has read, then worker,
judge, API, deliverer, PostgreSQL last.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import orjson

from gongche.demo_people import make_demo_people
from gongche.first_administrator import make_first_administrator
from gongche.progress import is_terminal
from gongche.supervisor.demo import Demo, DemoOptions
from gongche.supervisor.demo_city import base_map_of, have_base_map, have_roads
from gongche.supervisor.processes import ChildSpec, Supervisor
from gongche.supervisor.status import Board, Console, FeedTally, show_status
from office.exchange.peers import peers_above
from rules.navigation import own_engine
from runtime import lifecycle
from runtime.embedded_postgres import open_database, prepare_data_dir, start_embedded
from runtime.errors import ConfigurationError
from runtime.migrations import migrate
from runtime.own_python import module_command
from runtime.postgres import DATABASE_ERRORS, connect
from runtime.settings import Settings

#: The embedded server is asked so often whether it lives, and started again after two failures.
DATABASE_CHECK_S = 2.0


@dataclass(frozen=True, slots=True)
class UpOptions:
    """``demo`` None = services only; ``for_s`` = stop after so many seconds."""

    demo: DemoOptions | None = None
    for_s: float | None = None


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports in use, after 0 has become a free one."""

    tcp: int
    http: int
    gateway_metrics: int
    worker_metrics: int
    judge_metrics: int
    deliver_metrics: int
    exchange_metrics: int


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold ``folder``/up.lock. The kernel frees it with the process, so no stale lock can remain.

    Raises ConfigurationError naming the process that holds it.
    """
    with (folder / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise ConfigurationError(
                f"gongche up already runs over {folder} (process {lock.read().strip() or '?'})",
                hint="stop it, or set GONGCHE_DATA_DIR to another folder",
            ) from None
        lock.seek(0)
        lock.truncate()
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def settle_ports(settings: Settings) -> Ports:
    """Check that every port is free, choosing one where the setting is 0.

    Raises ConfigurationError naming the setting. Ports are freed again at once, for the child that will take
    them.
    """
    wanted = (
        ("GONGCHE_TCP_PORT", settings.tcp_host, settings.tcp_port),
        ("GONGCHE_HTTP_PORT", settings.http_host, settings.http_port),
        ("GONGCHE_GATEWAY_METRICS_PORT", settings.metrics_host, settings.gateway_metrics_port),
        ("GONGCHE_WORKER_METRICS_PORT", settings.metrics_host, settings.worker_metrics_port),
        ("GONGCHE_JUDGE_METRICS_PORT", settings.metrics_host, settings.judge_metrics_port),
        ("GONGCHE_DELIVER_METRICS_PORT", settings.metrics_host, settings.deliver_metrics_port),
        ("GONGCHE_EXCHANGE_METRICS_PORT", settings.metrics_host, settings.exchange_metrics_port),
    )
    with ExitStack() as held:
        ports = []
        for name, host, port in wanted:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            probe = held.enter_context(socket.socket(family, socket.SOCK_STREAM))
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
                probe.listen(1)
            except OSError as error:
                raise ConfigurationError(
                    f"端口 {port} 不可用 / port {port} on {host} is not free: {error.strerror or error}",
                    hint=f"set {name} to another port (0 = any free one)",
                ) from error
            ports.append(probe.getsockname()[1])
    return Ports(*ports)


def navigation_spec(settings: Settings, name: str = own_engine.GRAPH) -> ChildSpec | None:
    """The routing engine of this machine, when it has one with tiles ``name`` (``gongche navigation prepare``) and the
    settings name no other."""
    if settings.navigation_url or settings.navigation_engine != "valhalla":
        return None
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = own_engine.service_command(settings.data_dir, port, name=name)
    if command is None:
        return None
    tethered = module_command("runtime.dies_with_parent", str(os.getpid()), *command)
    url = f"http://127.0.0.1:{port}/status"
    return ChildSpec("navigation", tethered, {}, 10, probe_url=url, optional=True)


def _engine_url(navigation: ChildSpec) -> str:
    return str(navigation.probe_url).removesuffix("/status")


def child_specs(
    settings: Settings,
    ports: Ports,
    dsn: str,
    navigation: ChildSpec | None = None,
    map_date: str = "",
    *,
    exchanges: bool = False,
    base_map: Path | None = None,
) -> list[ChildSpec]:
    """The processes of one machine, in the order in which they are to be stopped. ``map_date``: of the map that
    ``navigation`` has. ``exchanges``: there is an instance above that is exchanged with. ``base_map``: the file of the base
    map, where it is not that of the settings."""
    environment = {
        "GONGCHE_DATA_DIR": str(settings.data_dir),
        "GONGCHE_DATABASE_URL": dsn,
        "GONGCHE_TCP_HOST": settings.tcp_host,
        "GONGCHE_TCP_PORT": str(ports.tcp),
        "GONGCHE_HTTP_PORT": str(ports.http),
        "GONGCHE_METRICS_HOST": settings.metrics_host,
        "GONGCHE_GATEWAY_METRICS_PORT": str(ports.gateway_metrics),
        "GONGCHE_WORKER_METRICS_PORT": str(ports.worker_metrics),
        "GONGCHE_JUDGE_METRICS_PORT": str(ports.judge_metrics),
        "GONGCHE_DELIVER_METRICS_PORT": str(ports.deliver_metrics),
        "GONGCHE_EXCHANGE_METRICS_PORT": str(ports.exchange_metrics),
        "GONGCHE_AUTO_REGISTER": "true" if settings.auto_register else "false",
        "GONGCHE_SESSION_OVER_HTTP": "true" if settings.session_over_http else "false",
        "PYTHONUNBUFFERED": "1",
    }
    if base_map is not None:
        environment["GONGCHE_BASEMAP_FILE"] = str(base_map)
    if navigation is not None:
        environment["GONGCHE_NAVIGATION_URL"] = _engine_url(navigation)
        environment["GONGCHE_NAVIGATION_MAP_DATE"] = map_date
    ours = [
        ChildSpec(name, module_command("gongche", name), environment, patience_s)
        for name, patience_s in (
            ("gateway", settings.drain_timeout_s + 5),
            ("worker", 20),
            ("judge", 20),
            ("api", 15),
            ("deliver", 15),
            ("exchange", 15),
        )
        if name != "exchange" or exchanges
    ]
    # Behind the judge, which asks it.
    return ours if navigation is None else [*ours[:3], navigation, *ours[3:]]


def run_up(options: UpOptions, settings: Settings, console: Console) -> int:
    """Start, keep, stop everything; the exit status (1: the demo did not find exactly what it planted).

    Raises GongcheError when something does not start.
    """
    # Until the event loop takes over, SIGTERM must unwind like Ctrl-C does, or PostgreSQL would be left
    # running.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    folder = prepare_data_dir(settings.data_dir)
    settings = settings.model_copy(update={"data_dir": folder})
    if options.demo:
        # The demo admits every terminal, so unless told otherwise it listens to this machine alone.
        host = settings.tcp_host if "tcp_host" in settings.model_fields_set else "127.0.0.1"
        settings = settings.model_copy(update={"auto_register": True, "tcp_host": host})
        if settings.http_host in ("127.0.0.1", "::1", "localhost"):
            settings = settings.model_copy(update={"session_over_http": True})
            console.say(
                "演示：登录会话以明文传输，仅限本机 / demo: sessions travel in the clear, on this machine only"
            )
    with only_one(folder), ExitStack() as stack:
        ports = settle_ports(settings)
        roads = own_engine.GRAPH
        if options.demo:
            roads = own_engine.DEMO if have_roads(options.demo.seed, settings, console.say) else ""
            have_base_map(options.demo.seed, settings, console.say)
        if not settings.database_url:
            console.say(f"启动内置 PostgreSQL / starting the embedded PostgreSQL in {folder / 'postgres'}")
        dsn = stack.enter_context(open_database(settings, console.say))
        applied = asyncio.run(migrate(dsn))
        if applied:
            console.say(f"数据库结构已升级 / schema brought up to date: {', '.join(applied)}")
        asyncio.run(_first_administrator(dsn, settings, console.say))
        exchanges = asyncio.run(_exchanges(dsn))
        status = lifecycle.run(
            partial(_serve, options, settings, ports, dsn, roads, exchanges, stack, console)
        )
        console.say("停止 / stopping PostgreSQL" if not settings.database_url else "已停止 / stopped")
    return status


async def _first_administrator(dsn: str, settings: Settings, say: Callable[[str], None]) -> None:
    """Before the API would do it, whose output goes to a log."""
    connection = await connect(dsn)
    try:
        # What is said here may be kept as well (a service's journal): the password is shown to a terminal only.
        await make_first_administrator(connection, settings, say if is_terminal(sys.stdout) else None)
    finally:
        await connection.close()


async def _exchanges(dsn: str) -> bool:
    """Whether there is an instance above (``gongche exchange peer``); who adds the first one starts ``up`` again."""
    connection = await connect(dsn)
    try:
        return bool(await peers_above(connection))
    finally:
        await connection.close()


async def _serve(
    options: UpOptions,
    settings: Settings,
    ports: Ports,
    dsn: str,
    roads: str,
    exchanges: bool,
    stack: ExitStack,
    console: Console,
    stop: asyncio.Event,
) -> int:
    navigation = navigation_spec(settings, roads) if roads else None
    map_date = own_engine.service_map_date(settings.data_dir, name=roads) if navigation else ""
    base_map = base_map_of(settings) if options.demo else None
    specs = child_specs(settings, ports, dsn, navigation, map_date, exchanges=exchanges, base_map=base_map)
    supervisor = Supervisor(specs, settings.data_dir / "logs", console.say)
    state = settings.data_dir / "up.json"
    helpers: list[asyncio.Task[object]] = []
    board: Board | None = None
    demo: Demo | None = None
    try:
        console.say(f"启动 / starting {', '.join(supervisor.children)}")
        if navigation is None and not settings.navigation_url and options.demo is None:
            console.say(
                "里程规则等待导航引擎 / the rule on mileage waits for an engine: gongche navigation prepare FILE.osm.pbf"
            )
        if not await supervisor.start(stop):
            return 0
        base = f"http://{_reachable(settings.http_host)}:{ports.http}"
        metrics = f"http://{_reachable(settings.metrics_host)}"
        _write_state(state, ports, base, metrics, navigation)
        _greet(console, settings, ports, base, metrics)
        if not settings.database_url:
            helpers.append(asyncio.create_task(_keep_database(dsn, settings.data_dir, stack, console.say)))
        board = Board(
            f"{metrics}:{ports.gateway_metrics}/metrics",
            f"{metrics}:{ports.worker_metrics}/metrics",
            FeedTally(dsn),
            f"{metrics}:{ports.deliver_metrics}/metrics",
        )
        helpers.append(asyncio.create_task(show_status(console, board)))
        if options.for_s is not None:
            asyncio.get_running_loop().call_later(options.for_s, stop.set)
        if options.demo is not None:
            engine = None if navigation is None else _engine_url(navigation)
            demo = Demo(options.demo, dsn, base, ports.tcp, console.say, stop, engine)
            helpers.append(asyncio.create_task(demo.run()))
            if settings.console and settings.session_over_http:
                terminal = is_terminal(sys.stdout)
                people = make_demo_people(dsn, settings, console.say, terminal=terminal)
                helpers.append(asyncio.create_task(people))
        await supervisor.wait(stop)
    finally:
        console.end()
        for helper in helpers:
            helper.cancel()
        outcomes = await asyncio.gather(*helpers, return_exceptions=True)
        await supervisor.stop()
        if board is not None:
            await board.close()
        state.unlink(missing_ok=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
    return demo.exit_status if demo is not None else 0


async def _keep_database(dsn: str, folder: Path, stack: ExitStack, say: Callable[[str], None]) -> None:
    """Start the embedded server again when it has died. Never returns."""
    failures = 0
    while True:
        await asyncio.sleep(DATABASE_CHECK_S)
        try:
            connection = await connect(dsn, timeout_s=5)
            await connection.close(timeout=5)
            failures = 0
        except DATABASE_ERRORS as error:
            failures += 1
            if failures >= 2:
                say(f"PostgreSQL 无应答，重新启动 / does not answer, starting it again: {error}")
                with suppress(Exception):  # said by start_embedded's server log; tried again in two seconds
                    await asyncio.to_thread(start_embedded, folder, stack, say)


def _reachable(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _write_state(path: Path, ports: Ports, base: str, metrics: str, navigation: ChildSpec | None) -> None:
    """``up.json``: where everything is, for scripts. No secrets."""
    body: dict[str, object] = {
        "pid": os.getpid(),
        "api": base,
        "tcp_port": ports.tcp,
        "metrics": {
            "gateway": f"{metrics}:{ports.gateway_metrics}/metrics",
            "worker": f"{metrics}:{ports.worker_metrics}/metrics",
            "judge": f"{metrics}:{ports.judge_metrics}/metrics",
            "deliver": f"{metrics}:{ports.deliver_metrics}/metrics",
            "api": f"{base}/metrics",
        },
    }
    if navigation is not None:
        body["navigation"] = _engine_url(navigation)
    scratch = path.with_suffix(".tmp")
    scratch.write_bytes(orjson.dumps(body, option=orjson.OPT_INDENT_2))
    scratch.replace(path)


def _greet(console: Console, settings: Settings, ports: Ports, base: str, metrics: str) -> None:
    console.say("")
    console.say(f"终端接入 / terminals    JT/T 808 tcp://{settings.tcp_host}:{ports.tcp}")
    if settings.console:
        console.say(f"操作台 / console        {base}/")
    console.say(f"接口 / API              {base}/v1   说明 / docs {base}/docs")
    console.say(
        f"指标 / metrics          {base}/metrics  {metrics}:{ports.gateway_metrics}/metrics  "
        f"{metrics}:{ports.worker_metrics}/metrics  {metrics}:{ports.judge_metrics}/metrics  {metrics}:{ports.deliver_metrics}/metrics"
    )
    console.say(f"数据与日志 / data, logs  {settings.data_dir}  {settings.data_dir / 'logs'}")
    console.say("Ctrl-C 停止 / stops")
    console.say("")
