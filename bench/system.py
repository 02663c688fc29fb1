"""The system under test: real processes over a fresh database and a log, with what they cost. One place for all
benchmarks."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from tools.kafka.broker import Cluster, missing

from bench.database import Fleet, fresh_database, make_fleet
from bench.processes import Generator, cpu_seconds, descendants, free_port, gongche, running, scrape
from rules.judge.process import COUNT_S
from rules.live.clocks import WRONG_US
from runtime.units import US_PER_S

LOGS = ("embedded", "kafka")
#: The broker of a benchmark keeps minutes of positions in its page cache and needs little heap.
_HEAP_MB = 512
_ONLINE = "gongche_gateway_authenticated_connections"
#: Nothing is sent for so long after the last authentication, so that what follows is measured alone.
_HOLD_S = 2.0


@dataclass
class System:
    """What ``system`` started. ``base``: its folder. ``port``: terminals; ``http_port``: the API, 0 = none."""

    base: Path
    dsn: str
    port: int = 0
    http_port: int = 0
    gateway_pids: list[int] = field(default_factory=list)
    worker_pids: list[int] = field(default_factory=list)
    judge_pids: list[int] = field(default_factory=list)
    judge_port: int = 0
    api_pids: list[int] = field(default_factory=list)
    gateway_ports: list[int] = field(default_factory=list)
    worker_ports: list[int] = field(default_factory=list)
    broker_pids: list[int] = field(default_factory=list)

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far: gateway, worker, judge, API, PostgreSQL (with its children that have ended), Kafka; of those
        that run."""
        postmaster = int((self.base / "postgres" / "postmaster.pid").read_text().split()[0])
        used = {
            "gateway": cpu_seconds(self.gateway_pids),
            "worker": cpu_seconds(self.worker_pids),
            "PostgreSQL": cpu_seconds(descendants(postmaster))
            + cpu_seconds([postmaster], ended_children=True),
        }
        if self.judge_pids:
            used["judge"] = cpu_seconds(self.judge_pids)
        if self.api_pids:
            used["API"] = cpu_seconds([p for api in self.api_pids for p in descendants(api)])
        if self.broker_pids:
            used["Kafka"] = cpu_seconds(self.broker_pids)
        return used

    def committed(self) -> int:
        """Positions that the workers have committed, as they count them (asking PostgreSQL would cost it CPU)."""
        name = 'gongche_worker_rows_total{result="stored"}'
        return sum(round(scrape(port).get(name, 0)) for port in self.worker_ports)

    def wait_committed(self, expected: int, timeout_s: float) -> float:
        """Wait for ``expected`` positions in all; the monotonic time then. Raises SystemExit when they do not come."""
        deadline = time.monotonic() + timeout_s
        while (found := self.committed()) < expected:
            if time.monotonic() > deadline:
                raise SystemExit(
                    f"{found} of {expected} positions stored after {timeout_s:.0f} s; {self.words()}"
                )
            time.sleep(0.1)
        return time.monotonic()

    def wait_judged(self, timeout_s: float = 600.0) -> None:
        """Wait until the judge has nothing to do: nothing is due as it last counted (every 10 s), and it has looked at
        nothing for longer than that. Raises SystemExit when time is up."""
        deadline, looked, since = time.monotonic() + timeout_s, -1.0, time.monotonic()
        while time.monotonic() - since < 2 * COUNT_S:
            if time.monotonic() > deadline:
                raise SystemExit(f"the judge does not come to an end; {self.words()}")
            page = scrape(self.judge_port)
            left = _sum(page, "gongche_judge_due_keys") + _sum(page, "gongche_judge_pending_changes")
            done = _sum(page, "gongche_judge_keys_total")
            if left or done != looked or not page["gongche_judge_leader"]:
                looked, since = done, time.monotonic()
            time.sleep(1)

    def wait_online(self, terminals: int, generator: Generator, timeout_s: float = 90.0) -> None:
        """Wait until so many are authenticated. Returns too when the generator has ended or time is up."""
        deadline = time.monotonic() + timeout_s
        while generator.process.poll() is None and time.monotonic() < deadline:
            if sum(scrape(port)[_ONLINE] for port in self.gateway_ports) >= terminals:
                return
            time.sleep(0.05)

    def drive(self, positions_before: int, **options: Any) -> Driven:
        """A generator's run, from its first report to the commit of its last position. ``positions_before``: stored
        already. Connecting and authenticating are not counted. Raises SystemExit where a position is missing."""
        batch = int(options.get("batch") or 0)
        generator = Generator(self.port, core=None, known=True, step=1, hold=_HOLD_S, **options)
        self.wait_online(options["terminals"], generator)
        before = self.cpu()
        done = generator.result()
        positions = done.acked * (batch or 1)
        ended = self.wait_committed(positions_before + positions, options["seconds"] * 20 + 240)
        after = self.cpu()
        micros = {name: (after[name] - before[name]) / positions * 1e6 for name in after}
        micros["generator"] = done.client_cpu_s / positions * 1e6
        return Driven(positions, positions / (ended - done.first_report), micros)

    def rows(self) -> int:
        """Rows of positions in the database."""
        return int(self.ask("SELECT count(*) FROM positions"))

    def ask(self, query: str) -> int:
        """One number from the database."""

        async def work() -> int:
            connection = await asyncpg.connect(self.dsn)
            try:
                return int(await connection.fetchval(query))
            finally:
                await connection.close()

        return asyncio.run(work())

    def words(self) -> str:
        """The last lines of every process' log."""
        return "\n".join(
            f"{log.name}: ...{log.read_text(errors='replace')[-600:]}"
            for log in sorted(self.base.glob("*.log"))
        )


def _sum(page: Mapping[str, float], name: str) -> float:
    """The sum of a metric's series."""
    return sum(value for key, value in page.items() if key.partition("{")[0] == name)


@dataclass(frozen=True)
class Driven:
    """``rate``: positions/s stored and judged. ``micros``: CPU microseconds a position by process."""

    positions: int
    rate: float
    micros: dict[str, float]


@contextmanager
def broker(log: str) -> Iterator[Cluster | None]:
    """One Kafka broker (``tools/kafka``) where ``log`` is "kafka", else None. Raises SystemExit where it cannot run."""
    if log != "kafka":
        yield None
        return
    problem = missing()
    if problem:
        raise SystemExit(f"no Kafka: {problem}")
    folder = Path(tempfile.mkdtemp(prefix="gongche-bench-kafka-", dir=Path.cwd()))
    cluster = None
    try:
        cluster = Cluster(folder, 1, heap_mb=_HEAP_MB)
        cluster.start()
        yield cluster
    finally:
        if cluster is not None:
            cluster.stop(kill=True)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def system(
    fleet: Fleet | None = None,
    *,
    prepare: Callable[[str], None] | None = None,
    kafka: Cluster | None = None,
    worker: bool = True,
    judge: bool = False,
    api: bool = False,
    gateway_core: int | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[System]:
    """Gateway, worker, judge and API (as asked) over a fresh database with ``fleet``; topics of its own in ``kafka``.

    The processes make the topics themselves, as in production. ``prepare`` gets the DSN before anything starts. ``settings``: more ``GONGCHE_*``.
    """
    with ExitStack() as stack:
        base, dsn = stack.enter_context(fresh_database())
        if fleet is not None:
            make_fleet(dsn, fleet)
        if prepare is not None:
            prepare(dsn)
        made = System(base, dsn, port=free_port(), http_port=free_port() if api else 0)
        environment = {
            "GONGCHE_DATA_DIR": str(base),
            "GONGCHE_DATABASE_URL": dsn,
            "GONGCHE_TCP_HOST": "127.0.0.1",
            "GONGCHE_TCP_PORT": str(made.port),
            "GONGCHE_HTTP_PORT": str(made.http_port),
        }
        if kafka is not None:
            made.broker_pids = list(kafka.pids.values())
            environment |= {
                "GONGCHE_KAFKA_BOOTSTRAP": kafka.bootstrap,
                "GONGCHE_KAFKA_REPLICATION": "1",
                "GONGCHE_KAFKA_TOPIC_PREFIX": f"bench-{uuid.uuid4().hex[:12]}.",
            }
        environment |= settings or {}

        def start(name: str, port: int, core: int | None = None) -> int:
            more = {f"GONGCHE_{name.upper()}_METRICS_PORT": str(port)} if name != "api" else {}
            process = stack.enter_context(
                running(
                    gongche(name),
                    core=core,
                    port=port,
                    environment=environment | more,
                    log=base / f"{name}.log",
                )
            )
            return process.pid

        made.gateway_ports.append(free_port())
        made.gateway_pids.append(start("gateway", made.gateway_ports[0], gateway_core))
        if worker:
            made.worker_ports.append(free_port())
            made.worker_pids.append(start("worker", made.worker_ports[0]))
        if judge:
            made.judge_port = free_port()
            made.judge_pids.append(start("judge", made.judge_port))
        if api:
            made.api_pids.append(start("api", made.http_port))
        yield made


def quiet_back_s() -> int:
    """How many seconds ago a time was after which, for three hours at least, no day begins, neither in China nor in UTC.

    What is done once a day for every vehicle would weigh on a run of seconds as it never does on a day.
    """
    china_s = int(time.time()) + 8 * 3600
    begins = [
        hour * 3600 for hour in (-16, 0, 8)
    ]  # of a day in UTC (8:00 in China) or in China, from today's 0:00 on
    since = [china_s % 86_400 - begin for begin in begins]
    return min(seconds for seconds in since if seconds > 3 * 3600) - 60


def behind_s() -> int:
    """How many seconds ago clocks begin that go much faster than time: so many that no clock becomes one that is wrong by a
    constant in 20 minutes of theirs, which would weigh on every report as it does on few terminals of a fleet. Where a day
    begins in these minutes, as for ``quiet_back_s``."""
    allowed_s = WRONG_US // US_PER_S - 10
    china_s = (int(time.time()) + 8 * 3600) % 86_400
    near = any(abs(china_s - begin) < allowed_s for begin in (0, 8 * 3600, 86_400))
    return quiet_back_s() if near else allowed_s


def each_broker(which: str) -> Iterator[tuple[str, Cluster | None]]:
    """That log, or each one that this machine can run for "both", with its broker, which ends when the next is asked for."""
    for log in LOGS if which == "both" else (which,):
        if log == "kafka" and which == "both" and (problem := missing()):
            print(f"\n(not over Kafka: {problem})", flush=True)
            continue
        with broker(log) as cluster:
            yield log, cluster
