"""Starts, watches, restarts and stops the processes of one machine.

Each child runs in a session of its own (Ctrl-C reaches only the supervisor, which stops them in order),
reports that it serves through a socket pair (``runtime.lifecycle.SupervisorLink``), and has its log
kept in a file of bounded size; warnings and worse are shown too. A program that is not ours serves when it answers
HTTP 200 at its ``probe_url``. An *optional* child may fail as often as it likes: it is started again, and nothing
waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import orjson

from runtime.errors import ConfigurationError, GongcheError, UnavailableError
from runtime.lifecycle import SUPERVISOR_FD
from runtime.private_files import private_folder

#: Pauses between restarts; a child that lived ``STEADY_S`` starts again from the first.
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0
#: A child that is not ready after so long has failed its start.
READY_TIMEOUT_S = 120.0
#: An optional child is not waited for any longer than this.
OPTIONAL_READY_S = 15.0
PROBE_EVERY_S = 0.2

MAX_LOG_BYTES = 10_000_000
_LOUD = (" WARNING ", " ERROR ", " CRITICAL ")

#: Shows one line to the user.
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A process to keep running. ``stop_timeout_s`` after SIGTERM it is killed. ``probe_url``, ``optional``: see the
    module docstring."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    stop_timeout_s: float
    probe_url: str | None = None
    optional: bool = False


class RotatingLog:
    """Appends lines to ``path``; past ``MAX_LOG_BYTES`` the file becomes ``path.1`` (one such is kept)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab")

    def write(self, line: bytes) -> None:
        """One line, with its end."""
        self._file.write(line)
        self._file.flush()
        if self._file.tell() > MAX_LOG_BYTES:
            self._file.close()
            self._path.replace(self._path.with_name(self._path.name + ".1"))
            self._file = self._path.open("ab")

    def close(self) -> None:
        self._file.close()


@dataclass
class Child:
    """One process and its restarts. ``facts`` is what it said when it became ready (ports)."""

    spec: ChildSpec
    log: RotatingLog
    say: Say
    facts: dict[str, object] = field(default_factory=dict)
    restarts: int = 0
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=12))
    process: asyncio.subprocess.Process | None = None
    _stopping: bool = False

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        running = self.process is not None and self.process.returncode is None
        return self.process.pid if running and self.process is not None else None

    async def keep(self) -> None:
        """Run the process until ``stop``; start it again when it dies.

        Raises ConfigurationError when it says that a restart will not help (status 78) and UnavailableError
        when it dies before it ever was ready; never for an optional one.
        """
        pause = FIRST_PAUSE_S
        loop = asyncio.get_running_loop()
        while not self._stopping:
            began = loop.time()
            status = await self._run_once()
            if self._stopping:
                return
            ever_ready = bool(self.facts)
            died = f"{self.spec.name} 退出 / ended with status {status}"
            if not self.spec.optional and (status == ConfigurationError.exit_code or not ever_ready):
                text = "\n".join([died, *(f"  {line}" for line in self.tail)])
                raise (ConfigurationError if status == ConfigurationError.exit_code else UnavailableError)(
                    text
                )
            if loop.time() - began > STEADY_S:
                pause = FIRST_PAUSE_S
            self.restarts += 1
            self.say(f"{died}; {pause:.1f} s 后重启 / restarting")
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    async def stop(self) -> None:
        """SIGTERM, wait, SIGKILL. Returns when the process has ended."""
        self._stopping = True
        process = self.process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), self.spec.stop_timeout_s)
        except TimeoutError:
            self.say(f"{self.spec.name} 未及时退出，强制结束 / did not stop in time: killed")
            self.kill()
            await process.wait()

    def kill(self) -> None:
        """SIGKILL, if it runs."""
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()

    async def _run_once(self) -> int:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                self.process = await asyncio.create_subprocess_exec(
                    *self.spec.argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.STDOUT,
                    limit=65_536,
                    start_new_session=True,
                    pass_fds=(theirs.fileno(),),
                    env={**os.environ, **self.spec.environment, SUPERVISOR_FD: str(theirs.fileno())},
                )
            if self._stopping:  # asked to stop while it was being started
                self.process.terminate()
            helpers = [
                asyncio.create_task(self._read_log(self.process.stdout)),
                asyncio.create_task(self._probe() if self.spec.probe_url else self._read_facts(ours)),
            ]
            try:
                status = await self.process.wait()
                await asyncio.wait(helpers, timeout=2)  # the last lines say why
            finally:
                for helper in helpers:
                    helper.cancel()
                await asyncio.gather(*helpers, return_exceptions=True)
                self.ready.clear()
                self.kill()
        finally:
            ours.close()
        return status

    async def _read_log(self, stream: asyncio.StreamReader | None) -> None:
        if stream is None:
            return
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # longer than the limit: asyncio dropped what it had
                line = b"... a line too long to keep\n"
            if not line:
                return
            self.log.write(line if line.endswith(b"\n") else line + b"\n")
            text = line.decode("utf-8", "replace").rstrip()
            self.tail.append(text)
            if any(level in text[:60] for level in _LOUD):
                self.say(f"[{self.spec.name}] {text}")

    async def _read_facts(self, ours: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        data = b""
        while len(data) < 65_536:
            more = await loop.sock_recv(ours, 4096)
            if not more:
                return
            data += more
            *lines, data = data.split(b"\n")
            for line in lines:
                facts = orjson.loads(line)
                self.facts = {**facts, "pid": self.pid}
                self.ready.set()

    async def _probe(self) -> None:
        async with httpx.AsyncClient(timeout=2, trust_env=False) as client:
            while self.pid is not None:
                with contextlib.suppress(httpx.HTTPError):
                    answer = await client.get(str(self.spec.probe_url))
                    if answer.status_code == httpx.codes.OK and self.pid is not None:
                        self.facts = {"url": self.spec.probe_url, "pid": self.pid}
                        self.ready.set()
                        return
                await asyncio.sleep(PROBE_EVERY_S)


class Supervisor:
    """Keeps ``children`` running, in the order in which they are to be stopped."""

    def __init__(self, specs: Sequence[ChildSpec], log_dir: Path, say: Say) -> None:
        """``log_dir`` is created; each child's log is ``<name>.log`` in it."""
        private_folder(log_dir)
        self._say = say
        self.children = {s.name: Child(s, RotatingLog(log_dir / f"{s.name}.log"), say) for s in specs}
        self._tasks: dict[asyncio.Task[None], str] = {}

    async def start(self, stop: asyncio.Event) -> bool:
        """Start every child and wait until all are ready, or ``stop`` is set (then False); for optional ones only
        ``OPTIONAL_READY_S``.

        Raises the GongcheError of the first child that fails its start.
        """
        for name, child in self.children.items():
            self._tasks[asyncio.create_task(child.keep(), name=name)] = name
        stopped = asyncio.create_task(stop.wait())
        waiting = {asyncio.create_task(c.ready.wait()): n for n, c in self.children.items()}
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            while waiting:
                done, _ = await asyncio.wait(
                    {*waiting, *self._tasks, stopped},
                    timeout=max(0.0, begun + self._patience_s(waiting.values()) - loop.time()),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if stopped in done:
                    return False
                self.check()
                if not done:
                    names = ", ".join(waiting.values())
                    if self._optional(waiting.values()):
                        self._say(f"{names} 尚未就绪，继续启动 / not ready yet, going on without")
                        break
                    raise UnavailableError(
                        f"{names}: not ready after {READY_TIMEOUT_S:.0f} s", hint="see the logs"
                    )
                for task in [task for task in waiting if task in done]:
                    name = waiting.pop(task)
                    port = self.children[name].facts.get("port")
                    self._say(f"{name} 就绪 / ready" + (f" (端口 / port {port})" if port else ""))
        finally:
            for task in (*waiting, stopped):
                task.cancel()
        return True

    def _optional(self, names: Iterable[str]) -> bool:
        return all(self.children[name].spec.optional for name in names)

    def _patience_s(self, names: Iterable[str]) -> float:
        return OPTIONAL_READY_S if self._optional(names) else READY_TIMEOUT_S

    def check(self) -> None:
        """Raises the GongcheError with which a child gave up for good, if one did."""
        for task in self._tasks:
            if task.done() and not task.cancelled():
                error = task.exception()
                if isinstance(error, GongcheError):
                    raise error
                if error is not None:
                    raise error

    async def wait(self, stop: asyncio.Event) -> None:
        """Return when ``stop`` is set. Raises like ``check``."""
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({stopped, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
            self.check()
        finally:
            stopped.cancel()

    async def stop(self) -> None:
        """Stop the children one after the other, in their order."""
        for name, child in self.children.items():
            if child.pid is not None:
                self._say(f"停止 / stopping {name}")
            await child.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for child in self.children.values():
            child.kill()
            child.log.close()
