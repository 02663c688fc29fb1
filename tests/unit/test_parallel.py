"""What is dear is made once, however many workers there are; and nobody can forget to say so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parallel import TOGETHER, group_of, place_of

ROOT = Path(__file__).resolve().parents[2]
CONFTEST = """
import sys
sys.path.insert(0, {root!r})
from tests import parallel
parallel.TOGETHER = {together!r}
pytest_plugins = ["tests.parallel"]
"""
DEAR = """
import pytest
@pytest.fixture(scope="module")
def dear():
    with open({made!r}, "a") as file:
        file.write("made\\n")
@pytest.mark.parametrize("number", range(20))
def test_it(dear, number):
    pass
"""


def run(folder: Path, together: dict[str, str]) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST.format(root=str(ROOT), together=together))
    for name in ("dear", "other"):
        (folder / f"test_{name}.py").write_text(DEAR.format(made=str(folder / name)))
    words = (
        "-p",
        "no:cacheprovider",
        "-p",
        "xdist",
        "-n",
        "2",
        "--dist",
        "loadgroup",
        "--no-loadscope-reorder",
    )
    return subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=folder, env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_what_tests_share_is_made_once(tmp_path: Path) -> None:
    done = run(tmp_path, {"test_dear.py": "a", "test_other.py": "b"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "40 passed" in done.stdout
    assert (tmp_path / "dear").read_text() == (tmp_path / "other").read_text() == "made\n"


def test_who_shares_something_and_has_no_group_is_told(tmp_path: Path) -> None:
    done = run(tmp_path, {"test_dear.py": "a"})
    last = done.stdout.splitlines()[-1]
    assert "20 passed" in last, done.stdout
    assert "20 errors" in last, done.stdout
    assert "test_other.py::test_it[0] shares 'dear': name its group in tests/parallel.py" in done.stdout


@pytest.mark.parametrize("beginning", TOGETHER)
def test_what_is_named_is_there(beginning: str) -> None:
    file, _, name = beginning.partition("::")
    if file.endswith("/"):  # a whole folder
        assert not name
        assert (ROOT / file).is_dir()
        return
    assert (ROOT / file).is_file()
    assert f"def {name}" in (ROOT / file).read_text("utf-8")


def test_groups_and_places_are_told_from_the_id() -> None:
    assert group_of("tests/integration/test_log_kafka.py::TestKafka::test_x[a@b]") == "kafka"
    assert group_of("tests/integration/test_start_refusals.py::test_other") is None
    assert place_of("tests/scenarios/test_x.py::test_y") < place_of("tests/unit/test_x.py::test_y")
