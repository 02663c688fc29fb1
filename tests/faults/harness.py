"""One machine under test: embedded PostgreSQL, ``gongche gateway`` and ``gongche worker`` as real processes; over Kafka
a broker, and as many gateways and workers as are wanted.

The harness is their supervisor: what dies is started again, whether it was killed here or ended by itself. Ending by
itself is allowed with one status only, "the database does not answer" (75).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import asyncpg
import httpx
from tools.kafka.broker import Cluster, missing, running_cluster

from runtime.embedded_postgres import start_embedded
from runtime.errors import UnavailableError
from runtime.migrations import migrate
from runtime.postgres import connect
from tests.faults.log import Log
from tests.faults.plan import Plan
from tests.ports import free_port

#: How much the workers have not done yet besides the log: facts that changed, vehicles that are to be computed again.
LEFT = "SELECT (SELECT count(*) FROM live_due) + (SELECT count(*) FROM recomputations)"
#: The first of each kind; further ones are ``gateway2``, ``worker2``, ...
PROGRAMS = ("gateway", "worker")
EVERYTHING = ("postgres", *PROGRAMS)
_START_S = 90.0
#: Makes the folder of the log and takes it away.
LogPlace = Callable[[Path], AbstractContextManager[None]]


@dataclass
class Life:
    """One process from its start to its end, with what its counters have to be held against.

    ``since_us``: when it was started. ``since_offset``: the worker's committed offset then; None = not known (the
    database was down, or its predecessor's transaction still under way). ``database_deaths``: how often PostgreSQL had
    died by then. The log's end would not do for the gateway: what its predecessor was syncing when it was killed may
    come to light only when the last process that had the log open is gone (recovery of SQLite's WAL).
    """

    process: subprocess.Popen[bytes]
    since_us: int
    since_offset: int | None
    database_deaths: int


@dataclass
class Program:
    """A ``gongche`` command that is kept running while ``wanted``."""

    name: str
    command: str
    environment: dict[str, str]
    metrics_port: int
    log: Path
    wanted: bool = True
    life: Life | None = None
    odd_ends: list[str] = field(default_factory=list)
    gave_up: int = 0

    def spawn(self, since_offset: int | None, database_deaths: int) -> None:
        began_us = time.time_ns() // 1000
        with self.log.open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "gongche", self.command],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        self.life = Life(process, began_us, since_offset, database_deaths)

    @property
    def alive(self) -> bool:
        return self.life is not None and self.life.process.poll() is None

    def last_words(self) -> str:
        """The end of its log."""
        return "\n".join(f"    {line}" for line in self.log.read_text(errors="replace").splitlines()[-25:])

    def kill(self) -> None:
        if self.life is not None and self.life.process.poll() is None:
            self.life.process.kill()
            self.life.process.wait()
        self.life = None

    async def metrics(self) -> dict[str, float] | None:
        """Samples of /metrics with their labels as written; None when it does not answer."""
        try:
            async with httpx.AsyncClient(timeout=3) as client:
                text = (await client.get(f"http://127.0.0.1:{self.metrics_port}/metrics")).text
        except httpx.TransportError:
            return None
        lines = (line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#")
        return {name: float(value) for name, value in lines}


class Machine:
    """See the module. Made by ``machine``; ``folder`` holds everything."""

    def __init__(
        self,
        folder: Path,
        stack: ExitStack,
        settings: Mapping[str, str],
        cluster: Cluster | None,
        copies: int,
    ) -> None:
        self.folder, self._stack, self.cluster = folder, stack, cluster
        self.ports = [free_port() for _ in range(copies)]
        self.log = Log(self.log_path, None if cluster is None else cluster.bootstrap)
        self.dsn = start_embedded(folder, stack, lambda _line: None)
        self.database_deaths = 0
        self._postgres_wanted = True
        self._database_changes = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None
        self.programs: dict[str, Program] = {}
        base = {name: value for name, value in os.environ.items() if not name.startswith("GONGCHE_")} | {
            **({} if cluster is None else _kafka_settings(cluster)),
            **settings,
        }
        for command in PROGRAMS:
            for number, tcp_port in enumerate(self.ports, 1):
                name, port = command if number == 1 else f"{command}{number}", free_port()
                environment = {
                    **base,
                    "GONGCHE_DATA_DIR": str(folder),
                    "GONGCHE_DATABASE_URL": f"{self.dsn}&application_name={name}",
                    "GONGCHE_TCP_HOST": "127.0.0.1",
                    "GONGCHE_TCP_PORT": str(tcp_port),
                    f"GONGCHE_{command.upper()}_METRICS_PORT": str(port),
                }
                self.programs[name] = Program(name, command, environment, port, folder / f"{name}.log")

    @property
    def gateway(self) -> Program:
        return self.programs["gateway"]

    @property
    def worker(self) -> Program:
        return self.programs["worker"]

    @property
    def port(self) -> int:
        """Of the first gateway."""
        return self.ports[0]

    @property
    def everything(self) -> tuple[str, ...]:
        """All that can be killed."""
        return (*(() if self.cluster is None else ("broker",)), "postgres", *self.programs)

    def all_of(self, command: str) -> list[Program]:
        """The gateways, or the workers."""
        return [program for program in self.programs.values() if program.command == command]

    @property
    def log_path(self) -> Path:
        return self.folder / "log" / "log.sqlite"

    async def start(self) -> None:
        """Start all programs and keep them; returns when they serve."""
        self._keeper = asyncio.create_task(self._keep())
        await self.all_up()

    async def kill(self, names: Collection[str], down_s: float) -> None:
        """``kill -9`` of ``names`` (of ``everything``) at once; after ``down_s`` they are started again. Returns when a
        broker among them serves again."""
        programs = [self.programs[name] for name in names if name in self.programs]
        self._postgres_wanted &= "postgres" not in names
        for program in programs:
            program.wanted = False
        cluster = self.cluster if "broker" in names else None
        if cluster is not None:
            await asyncio.to_thread(cluster.stop, kill=True)
        async with self._database_changes if "postgres" in names else _nothing():
            if "postgres" in names:
                self.database_deaths += 1
                for pid in self._postgres_pids():
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            for program in programs:
                program.kill()
        await asyncio.sleep(down_s)  # time: how long it is down is part of the plan
        self._postgres_wanted |= "postgres" in names
        for program in programs:
            program.wanted = True
        if cluster is not None:
            await asyncio.to_thread(cluster.start)

    async def all_up(self) -> None:
        """Wait until everything runs and answers. Raises TimeoutError, or the keeper's own error."""
        async with asyncio.timeout(_START_S):
            while not await self._up():
                if self._keeper is not None and self._keeper.done():
                    self._keeper.result()
                await asyncio.sleep(0.1)

    async def _up(self) -> bool:
        if not all(program.alive for program in self.programs.values()):
            return False
        if not await self._database_answers():
            return False
        return all([await program.metrics() is not None for program in self.programs.values()])

    async def stop(self) -> None:
        """Kill the programs (PostgreSQL is stopped by the stack)."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        for program in self.programs.values():
            program.kill()

    # --- what the log and the database say ------------------------------------------------------------------------

    async def committed(self) -> int | None:
        """The worker's committed offset; None when the database is down or another worker's session is still open."""
        try:
            connection = await asyncpg.connect(self.dsn, timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError):
            return None
        try:
            if await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'worker'"
            ):
                return None
            return int(
                await connection.fetchval(
                    "SELECT COALESCE(max(next_offset), 0) FROM log_offsets WHERE topic LIKE 'gongche.positions@%'"
                )
            )
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return None
        finally:
            connection.terminate()

    async def settled(self, timeout_s: float = 120.0, *, computed: bool = True) -> None:
        """Wait until the gateways hold nothing and the workers have committed the whole log and, ``computed``, what has to be
        computed again for it.

        The terminals must be gone. Raises TimeoutError.
        """
        async with asyncio.timeout(timeout_s):
            for gateway in self.all_of("gateway"):
                while True:
                    held = await gateway.metrics()
                    if held and not held["gongche_gateway_connections"] and not _unconfirmed(held):
                        break
                    await asyncio.sleep(0.05)
            ends = await self.log.ends()
            while True:
                if not await self._behind(ends, computed):
                    return
                await asyncio.sleep(0.1)

    async def _behind(self, ends: dict[int, int], computed: bool) -> bool:
        try:
            connection = await asyncpg.connect(self.dsn, timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError):
            return True
        try:
            rows = await connection.fetch(
                "SELECT partition, next_offset FROM log_offsets WHERE topic LIKE 'gongche.positions@%'"
            )
            left = await connection.fetchval(LEFT) if computed else 0
        finally:
            await connection.close()
        at = {row["partition"]: row["next_offset"] for row in rows}
        return bool(left) or any(at.get(partition, 0) < end for partition, end in ends.items())

    # --- the supervisor -------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        while True:
            if self._postgres_wanted and not self._postgres_pids():
                async with self._database_changes:
                    if self._postgres_wanted:
                        with suppress(UnavailableError):  # tried again at once
                            self.dsn = await asyncio.to_thread(
                                start_embedded, self.folder, self._stack, lambda _line: None
                            )
            for program in self.programs.values():
                if not program.wanted or program.alive:
                    continue
                if program.life is not None:
                    status = program.life.process.returncode
                    program.gave_up += 1
                    if status != UnavailableError.exit_code:
                        program.odd_ends.append(
                            f"{program.name} ended by itself with status {status}:\n{program.last_words()}"
                        )
                    program.life = None
                    await asyncio.sleep(0.3)
                since = await self.committed() if program is self.worker and len(self.ports) == 1 else None
                if program.wanted:  # it may have been killed meanwhile
                    program.spawn(since, self.database_deaths)
            await asyncio.sleep(0.1)

    def _postgres_pids(self) -> list[int]:
        """Every PostgreSQL process over our folder: postmaster and backends have it as working directory."""
        folder = (self.folder / "postgres").resolve()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and int(entry.name) != os.getpid():
                with suppress(OSError):
                    if Path(os.readlink(entry / "cwd")) == folder:
                        found.append(int(entry.name))
        return found

    async def _database_answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.dsn, timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield


def _unconfirmed(metrics: dict[str, float]) -> int:
    return round(
        metrics["gongche_gateway_positions_total"] - metrics["gongche_gateway_positions_confirmed_total"]
    )


def _kafka_settings(cluster: Cluster) -> dict[str, str]:
    return {
        "GONGCHE_KAFKA_BOOTSTRAP": cluster.bootstrap,
        "GONGCHE_KAFKA_REPLICATION": "1",
        "GONGCHE_KAFKA_PARTITIONS": "4",
    }


@contextmanager
def kafka(wanted: bool) -> Iterator[Cluster | None]:
    """A broker of our own, or None. SystemExit says what is missing for it."""
    if not wanted:
        yield None
        return
    problem = missing()
    if problem:
        raise SystemExit(f"no Kafka: {problem}; --log embedded needs none")
    with running_cluster(1) as cluster:
        yield cluster


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="gongche-faults-"))
    folder.chmod(0o755)  # PostgreSQL, as a user of its own, must pass through
    return folder


@asynccontextmanager
async def machine(
    plan: Plan,
    log_on: LogPlace | None = None,
    settings: Mapping[str, str] = MappingProxyType({}),
    cluster: Cluster | None = None,
    copies: int = 1,
) -> AsyncIterator[Machine]:
    """A machine with the fleet of ``plan`` in its database, all programs running; gone when the context ends.
    ``settings``: more ``GONGCHE_*`` of them. ``cluster``: one broker that runs, to be its log. ``copies``: of gateway and
    worker (the embedded log has one reader)."""
    folder = _folder()
    try:
        with ExitStack() as stack:
            # In a thread: ``start_embedded`` runs an event loop of its own.
            made = await asyncio.to_thread(Machine, folder, stack, settings, cluster, copies)
            await migrate(made.dsn)
            if log_on is not None:
                stack.enter_context(log_on(made.log_path.parent))
            connection = await connect(made.dsn)
            await plan.register(connection)
            await connection.close()
            try:
                await made.start()
                yield made
            finally:
                await made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
