"""``gongche up`` as a user starts it: real processes, a real data folder, real signals."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import orjson
import pytest

from tests.ports import free_port
from tests.waiting import wait_until


def environment(data_dir: Path, **more: str) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GONGCHE_")}
    ports = (
        "TCP",
        "HTTP",
        "GATEWAY_METRICS",
        "WORKER_METRICS",
        "JUDGE_METRICS",
        "DELIVER_METRICS",
        "EXCHANGE_METRICS",
    )
    return (
        clean
        | {f"GONGCHE_{p}_PORT": str(free_port()) for p in ports}
        | {"GONGCHE_DATA_DIR": str(data_dir)}
        | dict(more)
    )


class Up:
    """A running ``gongche up``."""

    def __init__(self, data_dir: Path, *words: str, **more: str) -> None:
        self.data_dir = data_dir
        self.env = environment(data_dir, **more)
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gongche", "up", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.env,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def ready(self) -> dict[str, object]:
        """Wait for ``up.json``; its contents."""
        state = self.data_dir / "up.json"

        def there() -> bool:
            assert self.process.poll() is None, self.output
            return state.exists()

        wait_until(there, "everything is ready")
        found: dict[str, object] = orjson.loads(state.read_bytes())
        return found

    def finish(self, number: int | None = signal.SIGTERM) -> int:
        """Send the signal, wait; the exit status."""
        if number is not None:
            self.process.send_signal(number)
        status = self.process.wait(120)
        self._reader.join(10)
        return status

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def children(pid: int) -> dict[str, int]:
    """The processes that ``gongche up`` started, by command."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            words = (entry / "cmdline").read_bytes().decode().split("\0")
        except (OSError, ValueError, IndexError):
            continue
        if parent == pid and "gongche" in words:
            found[words[words.index("gongche") + 1]] = int(entry.name)
    return found


def running_over(folder: Path) -> list[int]:
    """Processes whose command line or environment names ``folder``."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            text = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in text:
            found.append(int(entry.name))
    return found


@pytest.fixture
def data_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="gongche-up-"))
    folder.chmod(0o755)
    yield folder / "data"
    shutil.rmtree(folder, ignore_errors=True)


def test_up_serves_restarts_what_dies_and_stops_in_order(data_dir: Path) -> None:
    up = Up(data_dir, GONGCHE_API_METRICS_OPEN="true")
    try:
        state = up.ready()
        api = str(state["api"])
        assert httpx.get(f"{api}/readyz").status_code == 200
        for url in state["metrics"].values():  # type: ignore[attr-defined]  # a JSON object
            assert "gongche_build_info" in httpx.get(url).text
        with socket.create_connection(("127.0.0.1", int(str(state["tcp_port"])))):
            pass

        second = subprocess.run(
            [sys.executable, "-m", "gongche", "up"], env=up.env, capture_output=True, text=True, check=False
        )
        assert second.returncode == 78
        assert str(up.process.pid) in second.stderr

        made = subprocess.run(
            [sys.executable, "-m", "gongche", "token", "create", "x", "--scope", "alerts:read"],
            env=up.env, capture_output=True, text=True, check=True,
        )  # fmt: skip
        bearer = {"Authorization": f"Bearer {made.stdout.strip()}"}
        assert httpx.get(f"{api}/v1/alerts/feed", headers=bearer).json()["items"] == []

        before = children(up.process.pid)
        assert set(before) == {"gateway", "worker", "judge", "api", "deliver"}
        os.kill(before["api"], signal.SIGKILL)
        wait_until(
            lambda: children(up.process.pid).get("api", before["api"]) != before["api"],
            "a killed API is restarted",
        )

        def answers() -> bool:
            try:
                return httpx.get(f"{api}/v1/alerts/feed", headers=bearer).status_code == 200
            except httpx.TransportError:
                return False

        wait_until(answers, "the restarted API answers")
        assert up.finish() == 0, up.output
    finally:
        up.kill()
    order = [
        up.output.index(f"stopping {name}")
        for name in ("gateway", "worker", "judge", "api", "deliver", "PostgreSQL")
    ]
    assert order == sorted(order)
    assert running_over(data_dir) == []
    assert not (data_dir / "up.json").exists()

    again = Up(data_dir)
    try:
        api = str(again.ready()["api"])
        assert httpx.get(f"{api}/v1/alerts/feed", headers=bearer).status_code == 200, "data are kept"
        assert again.finish(signal.SIGINT) == 0, again.output
    finally:
        again.kill()


def test_a_killed_up_leaves_nothing_that_hinders_the_next(data_dir: Path) -> None:
    up = Up(data_dir)
    try:
        up.ready()
        started = children(up.process.pid)
    finally:
        up.kill()
    wait_until(
        lambda: (
            not any(
                Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes()
                for pid in started.values()
            )
        ),
        "the children of a killed `up` end",
    )
    (data_dir / "up.json").unlink()
    again = Up(data_dir, "--for", "1")
    try:
        again.ready()
        assert again.finish(None) == 0, again.output
    finally:
        again.kill()
    assert running_over(data_dir) == []


def test_a_taken_port_is_named(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        up = Up(data_dir, GONGCHE_HTTP_PORT=port)
        assert up.finish(None) == 78
    assert port in up.output
    assert "GONGCHE_HTTP_PORT" in up.output


def test_an_unreachable_database_is_said_at_once(data_dir: Path) -> None:
    up = Up(data_dir, GONGCHE_DATABASE_URL="postgresql://x@127.0.0.1:1/x")
    assert up.finish(None) == 75
    assert "GONGCHE_DATABASE_URL" in up.output
    assert "Traceback" not in up.output


async def test_up_uses_a_given_database_and_leaves_it_running(db_url: str, data_dir: Path) -> None:
    up = Up(data_dir, "--for", "1", GONGCHE_DATABASE_URL=db_url)
    try:
        await asyncio.to_thread(up.ready)
        assert await asyncio.to_thread(up.finish, None) == 0, up.output
    finally:
        up.kill()
    assert not (data_dir / "postgres").exists()


def test_the_demo_finds_exactly_what_it_planted(data_dir: Path) -> None:
    words = ("--demo", "--exit-when-done", "--vehicles", "6", "--duration", "3", "--speed", "5000")
    up = Up(data_dir, *words)
    try:
        status = up.process.wait(300)
        up.finish(None)
    finally:
        up.kill()
    verdict = re.search(r"planted (\d+)，预警流中 in the feed (\d+)：一致 / exact", up.output)
    assert status == 0, up.output
    assert verdict is not None, up.output
    assert verdict[1] == verdict[2] != "0"
    found = {
        m[1]: (int(m[2]), int(m[3]))
        for m in re.finditer(r"^  (\w+) +\S+[ \u3000]+(\d+) +(\d+)$", up.output, re.M)
    }
    assert all(planted == alerts for planted, alerts in found.values()), found
    # The hours that the demo goes back to are the last three: six vehicles plant fewer kinds where midnight lies in them.
    rules = {rule for rule, (planted, _) in found.items() if planted}
    assert {"location", "destination", "card_binding"} <= rules
    assert len(rules) >= 5
    if "without the rule on mileage" not in up.output:  # no way to the engine's wheel from here
        assert "stopping navigation" in up.output
    assert "fuel_consumption" in up.output
    assert len(re.findall(r"^  gc_\S{43}$", up.output, re.M)) == 1, "the token is shown once"
    logs = "".join(file.read_text() for file in (data_dir / "logs").iterdir())
    assert "gc_" not in logs


def test_without_an_engine_the_demo_says_so_and_goes_on(data_dir: Path, tmp_path: Path) -> None:
    words = ("--demo", "--exit-when-done", "--vehicles", "3", "--duration", "2.5", "--speed", "9000")
    nowhere = {"GONGCHE_CACHE_DIR": str(tmp_path), "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    up = Up(data_dir, *words, **nowhere, PIP_CONFIG_FILE=os.devnull)
    try:
        status = up.process.wait(300)
        up.finish(None)
    finally:
        up.kill()
    assert status == 0, up.output
    assert "goes on without the rule on mileage" in up.output
    assert "pyvalhalla" in up.output
    assert "navigation" not in children(up.process.pid)
    assert "一致 / exact" in up.output
    assert not re.search(r"^  mileage ", up.output, re.M)


def test_a_demo_that_is_interrupted_stops_cleanly(data_dir: Path) -> None:
    up = Up(data_dir, "--demo", "--vehicles", "6")
    try:
        wait_until(lambda: "registering" in up.output or up.process.poll() is not None, "the demo registers")
        assert up.finish(signal.SIGINT) == 0, up.output
    finally:
        up.kill()
    assert "Traceback" not in up.output
    assert running_over(data_dir) == []
