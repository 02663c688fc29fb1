"""Starting, pinning and measuring the programs under test."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OUT = Path(__file__).parent / "out"
NATIVE = Path(__file__).parent / "native"
SERVER_CORE, GENERATOR_CORE = 0, 1
FIRST_PHONE = 13_900_000_000
_TICK = os.sysconf("SC_CLK_TCK")


def build() -> None:
    """Compile the generator and the floor server. Raises SystemExit with what is missing."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise SystemExit("the benchmarks need a C compiler (cc): apt-get install gcc")
    OUT.mkdir(exist_ok=True)
    for name in ("jt808load", "jt808floor"):
        source, target = NATIVE / f"{name}.c", OUT / name
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            subprocess.run([compiler, "-O2", "-w", "-o", target, source], check=True)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def pinned(command: list[str], core: int | None) -> list[str]:
    """``command`` on one core; on any core where ``core`` is None or there is just one."""
    if core is None or (os.cpu_count() or 1) < 2 or shutil.which("taskset") is None:
        return command
    return ["taskset", "-c", str(core), *command]


@contextmanager
def running(command: list[str], *, core: int | None, port: int, environment: dict[str, str] | None = None, log: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:  # fmt: skip
    """Run a server until the block ends; the block starts when its ``port`` accepts."""
    out = log.open("ab") if log else subprocess.DEVNULL
    process = subprocess.Popen(
        pinned(command, core), env={**os.environ, **(environment or {})}, stdout=out, stderr=out
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{command[0]} does not start; see {log}") from None
                time.sleep(0.05)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class Load:
    """What the generator printed. ``ready_s``: from its start until every terminal was authenticated; ``begin_s``: until
    the first report; ``began``: the monotonic time of its start."""

    ready: int
    seconds: float
    sent: int
    acked: int
    unacked: int
    bad: int
    errors: int
    acked_per_s: float
    positions_per_s: float
    p50_us: float
    p99_us: float
    client_cpu_s: float
    connect_s: float
    ready_s: float
    begin_s: float
    began: float = 0.0

    @property
    def first_report(self) -> float:
        """Monotonic time of the first report."""
        return self.began + self.begin_s


class Generator:
    """A run of the C load generator. ``result`` waits for its end."""

    def __init__(self, port: int, *, terminals: int, window: int, seconds: float, rate: float = 0, version: int = 2013, batch: int = 0, first_phone: int = FIRST_PHONE, core: int | None = GENERATOR_CORE, known: bool = False, step: int = 0, back: int = 0, hold: float = 0, addresses: int = 0) -> None:  # fmt: skip
        """``known``: the terminals authenticate with their phone as code (``bench.database.Fleet``), else they register
        first. The rest: see jt808load.c. What earlier runs left to be written back is written first, so that no run
        pays for another.
        """
        os.sync()
        command = [
            str(OUT / "jt808load"), "127.0.0.1", str(port), str(terminals), str(window), str(seconds), str(rate),
            str(version), "2" if known else "0", str(batch), str(first_phone), "", str(step), str(back), str(hold),
            str(addresses),
        ]  # fmt: skip
        self._terminals, self._patience_s = terminals, seconds + hold + 120
        self._began = time.monotonic()
        self.process = subprocess.Popen(
            pinned(command, core), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def result(self, *, check: bool = True) -> Load:
        """Its figures. Raises SystemExit when (``check``) replies were wrong or missing."""
        try:
            out, words = self.process.communicate(timeout=self._patience_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise SystemExit("the generator does not end") from None
        if self.process.returncode:
            raise SystemExit(f"the generator failed: {words}")
        answer = json.loads(out)
        names = Load.__dataclass_fields__.keys() - {"began"}
        result = Load(**{name: answer[name] for name in names}, began=self._began)
        trouble = result.bad or result.errors or result.unacked or result.ready != self._terminals
        if check and trouble:
            raise SystemExit(f"the generator saw trouble: {out} {words}")
        return result


def load(port: int, *, terminals: int, window: int, seconds: float, **options: Any) -> Load:
    """One run of the generator against ``port``; see Generator."""
    return Generator(port, terminals=terminals, window=window, seconds=seconds, **options).result()


def gongche(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "gongche", *arguments]


def cpu_seconds(pids: list[int], *, ended_children: bool = False) -> float:
    """User and system time of ``pids`` so far, or instead that of their children that have ended."""
    first = 13 if ended_children else 11
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except FileNotFoundError:
            continue
        total += int(fields[first]) + int(fields[first + 1])
    return total / _TICK


def resident_mb(pid: int) -> float:
    """Resident memory of a process in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def proportional_mb(pid: int) -> float:
    """Memory of a process in MiB, each page divided by how many processes share it."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def descendants(pid: int) -> list[int]:
    """``pid`` and every process below it."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, []).append(int(folder.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def scrape(port: int) -> dict[str, float]:
    """Samples of a /metrics page, by name with labels as written."""
    # Long: a worker that has much to catch up with answers between two transactions only.
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return {k: float(v) for k, v in (x.rsplit(" ", 1) for x in lines if x and x[0] != "#")}
