#!/usr/bin/env python3
"""Apache Kafka (KRaft, loopback) for tests and trials: one broker, or three. Standard library only; see README.md.

    python tools/kafka/broker.py start --brokers 1 --dir /tmp/kafka     prints the bootstrap address
    python tools/kafka/broker.py stop --dir /tmp/kafka

    with kafka_cluster(brokers=1) as bootstrap: ...                     from Python; stops and deletes at the end

Every broker is also a controller. It listens twice: PLAINTEXT (everything is allowed) and SASL_PLAINTEXT, where
``admin``/``admin`` may do everything and ``guest``/``guest`` nothing, so that missing permissions can be tested.
"""

from __future__ import annotations

import argparse
import base64
import concurrent.futures
import contextlib
import ctypes
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_START_S = 60
_STOP_S = 20

_PROPERTIES = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},SASL://127.0.0.1:{sasl},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL://127.0.0.1:{sasl}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={folder}/data
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:admin
sasl.enabled.mechanisms=PLAIN
listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
user_admin="admin" user_guest="guest";
auto.create.topics.enable=false
offsets.topic.num.partitions=2
offsets.topic.replication.factor={brokers}
transaction.state.log.num.partitions=2
transaction.state.log.replication.factor={brokers}
transaction.state.log.min.isr={min_isr}
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=1000
controlled.shutdown.enable=true
num.network.threads=2
num.io.threads=2
background.threads=2
log.cleaner.dedupe.buffer.size=4194304
"""

_LOG4J = """\
<Configuration status="WARN"><Appenders><Console name="out"><PatternLayout pattern="%d %p %c{1} %m%n"/></Console>
</Appenders><Loggers><Root level="INFO"><AppenderRef ref="out"/></Root></Loggers></Configuration>
"""


class KafkaToolError(RuntimeError):
    """Kafka cannot be started here; the message says why and what to do."""


def missing() -> str | None:
    """Why no broker can be started on this machine, or None."""
    if shutil.which("java") is None:
        return "java is missing (Java 17 or newer: apt-get install openjdk-17-jre-headless)"
    if not _libraries().is_dir() and shutil.which("mvn") is None:
        return "mvn is missing (apt-get install maven); it fetches Kafka from Maven Central once"
    return None


def _version() -> str:
    found = re.search(r"<kafka.version>([\w.-]+)<", (_HERE / "pom.xml").read_text("utf-8"))
    if found is None:
        raise KafkaToolError("pom.xml names no kafka.version")
    return found.group(1)


def _libraries() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "gongche" / f"kafka-{_version()}"


def fetch() -> Path:
    """The folder with Kafka's jars; fetched by Maven the first time (about 43 MB)."""
    target = _libraries()
    problem = missing()
    if problem:
        raise KafkaToolError(problem)
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".kafka-") as scratch:
        jars = Path(scratch) / "jars"
        done = subprocess.run(  # noqa: S603 - fixed arguments
            ["mvn",  # noqa: S607 - the mvn of the PATH is meant
             "-q", "-B", "-C", "-f", str(_HERE / "pom.xml"), "dependency:copy-dependencies",
             "-DincludeScope=runtime", f"-DoutputDirectory={jars}"],
            capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        if done.returncode:
            raise KafkaToolError(
                f"Maven could not fetch Kafka (is Maven Central reachable?):\n{done.stdout}{done.stderr}"
            )
        # Another process may have been faster.
        with contextlib.suppress(OSError):
            jars.rename(target)
    return target


def _free_ports(count: int) -> list[int]:
    """Ports below those of outgoing connections: a broker that is down for a while must get its own again."""
    found: set[int] = set()
    chance = random.SystemRandom()
    while len(found) < count:
        port = chance.randrange(15_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.add(port)
    return sorted(found)


# Linux takes the *thread* that starts a process for its parent. A thread of an event loop's pool ends with the loop, and
# would take the broker with it; this one ends with the process.
_SPAWNER = concurrent.futures.ThreadPoolExecutor(1, "kafka-spawner")


def _die_with_parent() -> None:
    # A test run that is killed leaves no broker behind (Linux: PR_SET_PDEATHSIG).
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Cluster:
    """Brokers 1..n with their data in ``folder``. Ports stay the same over restarts."""

    def __init__(self, folder: Path, brokers: int = 1, *, detached: bool = False, heap_mb: int = 384) -> None:
        """Formats the storage in ``folder`` when it is new. ``detached`` brokers outlive this process."""
        self.folder = folder.resolve()
        self._detached = detached
        self._heap_mb = heap_mb
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._jars = fetch()
        self._state = self.folder / "cluster.json"
        if self._state.exists():
            state = json.loads(self._state.read_text("utf-8"))
            self._ports = {int(node): ports for node, ports in state["ports"].items()}
            self.pids = {int(node): pid for node, pid in state["pids"].items()}
        else:
            self.pids = {}
            ports = _free_ports(3 * brokers)
            self._ports = {node: ports[3 * (node - 1) : 3 * node] for node in range(1, brokers + 1)}
            self._format()
            self._save()

    @property
    def nodes(self) -> list[int]:
        """Ids of the brokers."""
        return sorted(self._ports)

    @property
    def bootstrap(self) -> str:
        """Addresses of all brokers, PLAINTEXT."""
        return ",".join(f"127.0.0.1:{self._ports[node][0]}" for node in self.nodes)

    @property
    def sasl_bootstrap(self) -> str:
        """Addresses of all brokers, SASL_PLAINTEXT (mechanism PLAIN)."""
        return ",".join(f"127.0.0.1:{self._ports[node][1]}" for node in self.nodes)

    def start(self, nodes: Sequence[int] = ()) -> None:
        """Start ``nodes`` (default all) and wait until they serve. Raises KafkaToolError with the end of the log."""
        wanted = list(nodes) or self.nodes
        for node in wanted:
            self._spawn(node)
        for node in wanted:
            self._wait(node)

    def stop(self, nodes: Sequence[int] = (), *, kill: bool = False) -> None:
        """Stop ``nodes`` (default all), cleanly or by ``kill -9``, and wait for their end."""
        wanted = [node for node in (list(nodes) or self.nodes) if self._alive(node)]
        for node in wanted:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pids[node], signal.SIGKILL if kill else signal.SIGTERM)
        deadline = time.monotonic() + _STOP_S
        for node in wanted:
            while self._alive(node):
                if time.monotonic() > deadline:
                    # The last of several controllers waits for a majority that is gone.
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(self.pids[node], signal.SIGKILL)
                time.sleep(0.05)
            self.pids.pop(node, None)
            self._processes.pop(node, None)
        self._save()

    def log(self, node: int) -> str:
        """What broker ``node`` has logged."""
        path = self.folder / f"broker{node}" / "server.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def _format(self) -> None:
        voters = ",".join(f"{node}@127.0.0.1:{ports[2]}" for node, ports in self._ports.items())
        cluster = "A" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]
        (self.folder).mkdir(parents=True, exist_ok=True)
        (self.folder / "log4j2.xml").write_text(_LOG4J, "utf-8")
        for node, (port, sasl, controller) in self._ports.items():
            home = self.folder / f"broker{node}"
            home.mkdir()
            (home / "server.properties").write_text(
                _PROPERTIES.format(
                    node=node,
                    voters=voters,
                    port=port,
                    sasl=sasl,
                    controller=controller,
                    folder=home,
                    brokers=len(self._ports),
                    min_isr=min(2, len(self._ports)),
                ),
                "utf-8",
            )
            tool = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(home / "server.properties")]
            done = subprocess.run(self._java(*tool), capture_output=True, text=True, check=False)  # noqa: S603 - our own
            if done.returncode:
                raise KafkaToolError(f"the storage could not be formatted:\n{done.stdout}{done.stderr}")

    def _java(self, *arguments: str) -> list[str]:
        return [
            "java",
            f"-Xmx{self._heap_mb}m",
            "-XX:+UseSerialGC",  # two cores and a small heap: the least threads
            "-XX:TieredStopAtLevel=1",  # starts in half the time; enough for what tests do
            f"-Dlog4j2.configurationFile={self.folder / 'log4j2.xml'}",
            "-cp",
            f"{self._jars}/*",
            *arguments,
        ]

    def _spawn(self, node: int) -> None:
        if self._alive(node):
            return
        home = self.folder / f"broker{node}"
        with (home / "server.log").open("wb") as log:
            process = _SPAWNER.submit(
                subprocess.Popen,
                self._java("kafka.Kafka", str(home / "server.properties")),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=self._detached,
                preexec_fn=None if self._detached else _die_with_parent,
            ).result()
        self._processes[node] = process
        self.pids[node] = process.pid
        self._save()

    def _wait(self, node: int) -> None:
        deadline = time.monotonic() + _START_S
        while "Kafka Server started" not in self.log(node):
            if not self._alive(node) or time.monotonic() > deadline:
                end = "\n".join(self.log(node).splitlines()[-20:])
                raise KafkaToolError(f"broker {node} did not start:\n{end}")
            time.sleep(0.05)

    def _alive(self, node: int) -> bool:
        process = self._processes.get(node)
        if process is not None:
            return process.poll() is None
        pid = self.pids.get(node)
        if pid is None:
            return False
        try:
            # The number may belong to somebody else by now: only a process that runs our properties is ours.
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False
        return str(self.folder / f"broker{node}").encode() in command

    def _save(self) -> None:
        self._state.write_text(json.dumps({"ports": self._ports, "pids": self.pids}), "utf-8")


@contextlib.contextmanager
def running_cluster(brokers: int = 1) -> Iterator[Cluster]:
    """A fresh, running cluster in a temporary folder; stopped and deleted at the end."""
    folder = Path(tempfile.mkdtemp(prefix="gongche-kafka-"))
    cluster = None
    try:
        cluster = Cluster(folder, brokers)
        cluster.start()
        yield cluster
    finally:
        if cluster is not None:
            cluster.stop(kill=True)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def kafka_cluster(brokers: int = 1) -> Iterator[str]:
    """Like ``running_cluster``, for those who need only the bootstrap address."""
    with running_cluster(brokers) as cluster:
        yield cluster.bootstrap


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("start", help="start brokers and print their address")
    start.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    stop = commands.add_parser("stop", help="stop what start has started")
    status = commands.add_parser("status", help="addresses and process ids")
    commands.add_parser("fetch", help="only fetch Kafka's jars")
    for command in (start, stop, status):
        command.add_argument("--dir", type=Path, required=True, help="data, logs and cluster.json")
    args = parser.parse_args(arguments)
    try:
        if args.command == "fetch":
            print(fetch())
            return 0
        if args.command != "start" and not (args.dir / "cluster.json").exists():
            raise KafkaToolError(f"{args.dir} holds no cluster")
        cluster = Cluster(args.dir, getattr(args, "brokers", 1), detached=True)
        if args.command == "stop":
            cluster.stop()
        elif args.command == "start":
            cluster.start()
            print(cluster.bootstrap)
        else:
            print(
                json.dumps(
                    {"bootstrap": cluster.bootstrap, "sasl": cluster.sasl_bootstrap, "pids": cluster.pids}
                )
            )
    except KafkaToolError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
