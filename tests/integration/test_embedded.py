"""The embedded server after what the wheel does not expect: killed holders, pids that belong to somebody else."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import asyncpg
import pytest

from runtime.embedded_postgres import open_database, prepare_data_dir, start_embedded
from runtime.errors import ConfigurationError
from runtime.settings import Settings


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Short enough for a Unix socket, readable for the user that PostgreSQL runs as."""
    folder = Path(tempfile.mkdtemp(prefix="gongche-embedded-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def ask(dsn: str, query: str) -> object:
    async def go() -> object:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(go())


def test_a_killed_holder_does_not_keep_the_server_running(data_dir: Path) -> None:
    code = f"""
import time
from pathlib import Path
from runtime.embedded_postgres import open_database
from runtime.settings import Settings
with open_database(Settings(data_dir=Path({str(data_dir)!r}))) as dsn:
    print("open", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        holder.send_signal(signal.SIGKILL)
    pid_file = data_dir / "postgres" / "postmaster.pid"
    assert pid_file.exists(), "the server runs on without its holder"
    with open_database(Settings(data_dir=data_dir)) as dsn:
        assert ask(dsn, "SELECT 1") == 1
    assert not pid_file.exists(), "the last holder stops it"


def test_a_pid_file_with_the_pid_of_another_program_is_stale(data_dir: Path) -> None:
    with open_database(Settings(data_dir=data_dir)) as dsn:
        ask(dsn, "CREATE TABLE kept AS SELECT 1 AS x")
        pid_file = data_dir / "postgres" / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
    # As after a power cut in a container: the number is in use, by something that is not PostgreSQL.
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    with open_database(Settings(data_dir=data_dir)) as dsn:
        assert ask(dsn, "SELECT x FROM kept") == 1


def test_a_server_that_was_killed_is_started_again(data_dir: Path) -> None:
    with ExitStack() as stack:
        dsn = start_embedded(data_dir, stack, lambda _line: None)
        pid = int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        while Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
            time.sleep(0.01)
        assert start_embedded(data_dir, stack, lambda _line: None) == dsn
        assert ask(dsn, "SELECT 1") == 1
    assert not (data_dir / "postgres" / "postmaster.pid").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
def test_folders_that_root_kept_closed_are_not_opened_for_reading(data_dir: Path) -> None:
    closed = data_dir / "closed"
    closed.mkdir(mode=0o700)
    with open_database(Settings(data_dir=closed / "data")) as dsn:
        assert ask(dsn, "SELECT 1") == 1
        assert stat.S_IMODE(closed.stat().st_mode) == 0o711


def test_a_data_folder_that_cannot_be_made_is_said(data_dir: Path) -> None:
    (data_dir / "file").write_text("")
    with pytest.raises(ConfigurationError, match="data folder") as refusal:
        prepare_data_dir(data_dir / "file" / "below")
    assert "GONGCHE_DATA_DIR" in refusal.value.hint
