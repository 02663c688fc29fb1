"""The embedded PostgreSQL trusts whoever reaches its socket: nobody but its owner (and root) may reach it, or read its folder."""

from __future__ import annotations

import logging
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from runtime.embedded_postgres import open_database
from runtime.settings import Settings
from tests.integration.test_embedded import ask

#: An ordinary user of the machine (nobody).
STRANGER = 65_534


@pytest.fixture
def place() -> Iterator[Path]:
    """Short enough for a Unix socket."""
    folder = Path(tempfile.mkdtemp(prefix="gongche-closed-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def socket_of(dsn: str) -> Path:
    return Path(parse_qs(urlsplit(dsn).query)["host"][0]) / ".s.PGSQL.5432"


def stranger_reaches(socket: Path) -> bool:
    """Whether another user of this machine may connect. Only root can try that; others ask for the modes."""
    if os.geteuid() != 0:
        return bool(mode(socket) & 0o007)
    code = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    command = [shutil.which("python3") or sys.executable, "-I", "-c", code, str(socket)]
    try:
        done = subprocess.run(
            command, user=STRANGER, group=STRANGER, cwd="/", capture_output=True, check=False
        )
    except PermissionError:  # the interpreter itself lies behind a closed folder
        return bool(mode(socket) & 0o007)
    return done.returncode == 0


def test_folder_and_socket_are_closed(place: Path) -> None:
    with open_database(Settings(data_dir=place)) as dsn:
        assert ask(dsn, "SELECT 1") == 1
        assert mode(place / "postgres") == 0o700
        assert mode(socket_of(dsn)) == 0o700
        assert not stranger_reaches(socket_of(dsn))
        assert ask(dsn, "SHOW unix_socket_permissions") == "0700"


def test_what_an_earlier_release_left_open_is_closed_and_told(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = place / "postgres"
    with open_database(Settings(data_dir=place)) as dsn:
        ask(dsn, "CREATE TABLE kept AS SELECT 1 AS x")
    config = folder / "postgresql.conf"
    config.write_text(config.read_text().replace("\nunix_socket_permissions = 0700\n", ""))
    for left in (0o755, 0o777):
        folder.chmod(left)
        caplog.clear()
        with caplog.at_level(logging.WARNING), open_database(Settings(data_dir=place)) as dsn:
            assert ask(dsn, "SELECT x FROM kept") == 1
            assert mode(folder) == 0o700
            assert f"{left:04o}" in caplog.text
            # A server that runs since before the upgrade.
            socket_of(dsn).chmod(0o777)
            caplog.clear()
            with open_database(Settings(data_dir=place)) as again:
                assert ask(again, "SELECT 1") == 1
                assert mode(socket_of(dsn)) == 0o700
                assert "socket was open" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING), open_database(Settings(data_dir=place)):
        assert "open to other users" not in caplog.text


def test_a_socket_that_lies_elsewhere_is_closed_too(place: Path) -> None:
    far = place / ("long-" + "x" * 100)  # no socket has room below it
    with open_database(Settings(data_dir=far)) as dsn:
        socket = socket_of(dsn)
        assert far not in socket.parents
        assert (mode(socket.parent), mode(socket)) == (0o700, 0o700)
        if (
            "XDG_RUNTIME_DIR" in os.environ
        ):  # open, nobody takes it for one: the wheel's lock would lie where all can hold it
            assert mode(Path(os.environ["XDG_RUNTIME_DIR"])) & 0o077 == 0
        assert not stranger_reaches(socket)
        assert ask(dsn, "SELECT 1") == 1
        with open_database(Settings(data_dir=far)) as again:
            assert ask(again, "SELECT 1") == 1


def test_servers_that_start_together_leave_closed_folders_closed(place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    code = """
import sys
from pathlib import Path
from runtime.embedded_postgres import open_database
from runtime.settings import Settings
with open_database(Settings(data_dir=Path(sys.argv[1]))):
    print("open", flush=True)
    sys.stdin.read()
"""
    seen: set[int] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            seen.add(mode(closed))

    watcher = threading.Thread(target=watch)
    watcher.start()
    holders = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(closed / name)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for name in ("a", "b")
    ]
    try:
        for holder in holders:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"open\n"
    finally:
        for holder in holders:
            holder.communicate(b"")
        stop.set()
        watcher.join()
    # Not even for a moment may anybody list what was closed.
    assert seen <= {0o700, 0o711}
    assert mode(closed) == (0o711 if os.geteuid() == 0 else 0o700)
