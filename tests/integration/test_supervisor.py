"""The supervisor over real processes: readiness, restarts, giving up, ordered stop, nothing left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from gongche.supervisor.processes import MAX_LOG_BYTES, ChildSpec, RotatingLog, Supervisor
from runtime.errors import ConfigurationError, UnavailableError
from tests.waiting import until

#: A process as ours are: reports ready, runs until told to stop.
SERVER = """
import asyncio, sys, time
from functools import partial
from runtime import lifecycle
async def main(stop):
    link = lifecycle.SupervisorLink.from_environment()
    link.watch(stop)
    # Before it is ready: whoever kills the supervisor then would have us print into a broken pipe.
    print("WARNING and more", flush=True)
    print("2026-03-02T00:00:00.000Z WARNING x y attention", flush=True)
    link.ready(port=1234)
    await stop.wait()
    with open(sys.argv[1], "a") as file:
        file.write(f"{time.monotonic_ns()} {sys.argv[2]}\\n")
lifecycle.run(main)
"""


def spec(name: str, code: str, *words: str, stop_timeout_s: float = 10) -> ChildSpec:
    return ChildSpec(name, [sys.executable, "-c", code, *words], {}, stop_timeout_s)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_children_become_ready_and_stop_in_order(tmp_path: Path) -> None:
    said: list[str] = []
    journal = tmp_path / "journal"
    supervisor = Supervisor(
        [spec(name, SERVER, str(journal), name) for name in ("gateway", "worker")],
        tmp_path / "logs",
        said.append,
    )
    stop = asyncio.Event()
    assert await supervisor.start(stop)
    assert supervisor.children["gateway"].facts["port"] == 1234
    await until(lambda: any("attention" in line for line in said), "the warning of a child is told")
    pids = [child.pid for child in supervisor.children.values()]
    await supervisor.stop()
    assert [line.split()[1] for line in journal.read_text().splitlines()] == ["gateway", "worker"]
    assert not any(pid is not None and alive(pid) for pid in pids)
    assert "attention" in (tmp_path / "logs" / "worker.log").read_text()


async def test_a_killed_child_is_started_again(tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = Supervisor(
        [spec("worker", SERVER, str(tmp_path / "j"), "worker")], tmp_path / "logs", said.append
    )
    await supervisor.start(asyncio.Event())
    child = supervisor.children["worker"]
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.restarts == 1 and child.ready.is_set(), "a killed child is ready again")
    assert child.pid not in (None, first)
    assert any("status -9" in line for line in said)
    await supervisor.stop()


async def test_a_child_that_never_starts_ends_the_start_with_its_own_words(tmp_path: Path) -> None:
    supervisor = Supervisor(
        [spec("gateway", "raise SystemExit('the disk is full')")], tmp_path / "logs", lambda _line: None
    )
    with pytest.raises(UnavailableError, match="the disk is full"):
        await supervisor.start(asyncio.Event())
    await supervisor.stop()


async def test_a_child_with_status_78_is_not_restarted(tmp_path: Path) -> None:
    once = SERVER.replace("await stop.wait()", "await asyncio.sleep(0.2); sys.exit(78)")
    supervisor = Supervisor([spec("api", once, "x", "x")], tmp_path / "logs", lambda _line: None)
    stop = asyncio.Event()
    await supervisor.start(stop)
    with pytest.raises(ConfigurationError, match="api"):
        await supervisor.wait(stop)
    assert supervisor.children["api"].restarts == 0
    await supervisor.stop()


async def test_a_child_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    said: list[str] = []
    deaf = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
from runtime import lifecycle
link = lifecycle.SupervisorLink.from_environment()
link.ready()
time.sleep(60)
"""
    supervisor = Supervisor([spec("worker", deaf, stop_timeout_s=0.3)], tmp_path / "logs", said.append)
    await supervisor.start(asyncio.Event())
    pid = supervisor.children["worker"].pid
    assert pid is not None
    await supervisor.stop()
    assert not alive(pid)
    assert any("killed" in line for line in said)


async def test_no_child_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    parent = f"""
import asyncio, sys
from pathlib import Path
from gongche.supervisor.processes import ChildSpec, Supervisor
async def main():
    spec = ChildSpec("worker", [sys.executable, "-c", {SERVER!r}, {str(journal)!r}, "worker"], {{}}, 10)
    supervisor = Supervisor([spec], Path({str(tmp_path)!r}), lambda line: None)
    await supervisor.start(asyncio.Event())
    print(supervisor.children["worker"].pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", parent, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    child = int(await process.stdout.readline())
    assert alive(child)
    process.kill()
    await process.wait()
    await until(journal.exists, "the child of a killed supervisor stops")


def test_a_log_file_is_bounded(tmp_path: Path) -> None:
    log = RotatingLog(tmp_path / "x.log")
    line = b"x" * 99_999 + b"\n"
    for _ in range(3 * MAX_LOG_BYTES // len(line)):
        log.write(line)
    log.close()
    assert sum(f.stat().st_size for f in tmp_path.iterdir()) <= 2 * MAX_LOG_BYTES + len(line)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["x.log", "x.log.1"]
