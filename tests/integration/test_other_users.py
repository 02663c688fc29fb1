"""What other users of the machine may do: run nothing with our rights, read no track."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gongche.supervisor.everything import Ports, child_specs
from runtime.embedded_postgres import prepare_data_dir
from runtime.errors import ConfigurationError
from runtime.own_python import module_command
from runtime.private_files import private_folder
from runtime.settings import Settings
from telemetry.log.sqlite import EmbeddedLogWriter

#: Names that our processes import, of ours and of others; found first where the current folder is on the path.
DROPPED = (
    "gongche",
    "runtime",
    "telemetry",
    "asyncpg",
    "numpy",
    "argparse",
    "json",
    "sitecustomize",
    "usercustomize",
)


@pytest.fixture
def folder_of_others(tmp_path: Path) -> Path:
    """A folder where somebody dropped files that leave a mark when they are run."""
    for name in DROPPED:
        (tmp_path / f"{name}.py").write_text(
            f"open({str(tmp_path / 'run')!r}, 'a').write({name!r})\nraise SystemExit(3)\n"
        )
    return tmp_path


def test_no_child_of_up_runs_a_file_of_the_current_folder(folder_of_others: Path) -> None:
    settings = Settings(data_dir=folder_of_others / "data")
    commands = [spec.argv for spec in child_specs(settings, Ports(1, 2, 3, 4, 5, 6, 7), "postgresql:///none")]
    assert len(commands) == 5
    commands.append(module_command("runtime.dies_with_parent", str(os.getpid()), "/bin/true"))
    commands.append(module_command("pip"))
    for command in commands:
        words = [*command] if "dies_with_parent" in " ".join(command) else [*command, "--help"]
        done = subprocess.run(
            words, cwd=folder_of_others, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, (words, done.stderr)
    assert not (folder_of_others / "run").exists()


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_the_embedded_log_is_closed_to_others_also_when_it_was_open(tmp_path: Path) -> None:
    path = tmp_path / "log" / "log.sqlite"
    path.parent.mkdir(mode=0o755)
    path.touch(0o644)  # as the last release left it
    path.parent.chmod(0o755)
    log = EmbeddedLogWriter(path)
    try:
        assert _mode(path.parent) == 0o700
        for file in path.parent.iterdir():
            assert _mode(file) & 0o077 == 0, file
    finally:
        await log.close()


def test_what_belongs_to_another_is_told_and_left(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    if os.geteuid() != 0:  # only root can make a file of another user
        private_folder(tmp_path / "own")
        assert _mode(tmp_path / "own") == 0o700
        return
    folder = tmp_path / "log"
    folder.mkdir()
    theirs = folder / "theirs"
    theirs.touch(0o644)
    os.chown(theirs, 12_345, 12_345)
    private_folder(folder)
    assert (_mode(folder), _mode(theirs)) == (0o700, 0o644)
    assert "belongs to another one" in caplog.text


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


#: Root's PostgreSQL runs as another user, who must pass.
CLOSED = 0o711 if os.geteuid() == 0 else 0o700


@pytest.mark.usefixtures("umask")
def test_the_data_folder_is_closed_also_that_of_an_earlier_release(tmp_path: Path) -> None:
    assert _mode(prepare_data_dir(tmp_path / "new")) == 0o700
    old = tmp_path / "old"
    for name in ("postgres", "log", "logs"):
        (old / name).mkdir(parents=True)
    (old / "up.json").touch()
    assert _mode(old) == 0o755
    assert _mode(prepare_data_dir(old)) == CLOSED
    assert _mode(prepare_data_dir(old)) == CLOSED


@pytest.mark.usefixtures("umask")
def test_a_folder_with_other_things_stays_readable_and_is_written_by_us_alone(tmp_path: Path) -> None:
    (tmp_path / "theirs").touch()
    tmp_path.chmod(0o777)
    assert _mode(prepare_data_dir(tmp_path)) == 0o755


def test_a_folder_that_others_rule_is_no_data_folder(tmp_path: Path) -> None:
    """Who may write in it can put a link in the place of what we write."""
    everybody = tmp_path / "everybody"
    everybody.mkdir()
    everybody.chmod(0o1777)
    with pytest.raises(ConfigurationError, match="everybody"):
        prepare_data_dir(everybody)
    if os.geteuid() == 0:
        theirs = tmp_path / "theirs"
        theirs.mkdir()
        os.chown(theirs, 12_345, 12_345)
        with pytest.raises(ConfigurationError, match="uid 12345"):
            prepare_data_dir(theirs)
