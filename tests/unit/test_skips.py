"""A skip that nobody allowed fails the run; one that is allowed is told with its reason."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.skips import FILE, Allowed, Skips, load

ROOT = Path(__file__).resolve().parents[2]
CONFTEST = """
import sys
sys.path.insert(0, {root!r})
from tests.skips import Allowed, Skips

def pytest_configure(config):
    allowed = [Allowed("test_here.py::test_tool*", "no tool", "the tool is dear", False)]
    config.pluginmanager.register(Skips(allowed, ci={ci}))
"""
TESTS = {
    "skip": "import pytest\ndef test_x():\n    pytest.skip('tired')\n",
    "skipif": "import pytest\n@pytest.mark.skipif(True, reason='tired')\ndef test_x():\n    pass\n",
    "fixture": "import pytest\n@pytest.fixture\ndef f():\n    pytest.skip('tired')\ndef test_x(f):\n    pass\n",
    "importorskip": "import pytest\ndef test_x():\n    pytest.importorskip('no_such_module')\n",
    "module": "import pytest\npytest.skip('tired', allow_module_level=True)\n",
    "xfail": "import pytest\n@pytest.mark.xfail(reason='tired')\ndef test_x():\n    assert False\n",
    "xpass": "import pytest\n@pytest.mark.xfail(reason='tired')\ndef test_x():\n    pass\n",
}
ALLOWED = "import pytest\n@pytest.mark.parametrize('k', ['a@b', 'c'])\ndef test_tool(k):\n    pytest.skip('no tool here')\n"


def run(
    folder: Path, texts: dict[str, str], *words: str, ci: bool = False
) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST.format(root=str(ROOT), ci=ci))
    for name, text in texts.items():
        (folder / f"test_{name}.py").write_text(text)
    # With CI set pytest shortens no line of its summary, and would say everything twice.
    clean = {name: value for name, value in os.environ.items() if name not in ("CI", "BUILD_NUMBER")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "xdist", "--continue-on-collection-errors", *words],
        cwd=folder, env=clean | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("words", [(), ("-n", "1", "--dist", "loadgroup")], ids=["alone", "workers"])
def test_what_nobody_allowed_fails(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run(tmp_path, TESTS, *words)
    assert done.returncode == 1, done.stdout
    assert done.stdout.count("A skip is not a pass") == len(TESTS), done.stdout
    assert not re.search("passed|skipped", done.stdout.splitlines()[-1]), done.stdout


@pytest.mark.parametrize("words", [(), ("-n", "1", "--dist", "loadgroup")], ids=["alone", "workers"])
def test_what_is_allowed_passes_and_is_told(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run(tmp_path, {"here": ALLOWED}, *words)
    assert done.returncode == 0, done.stdout
    assert "2 test_here.py: the tool is dear" in done.stdout
    assert "2 skipped" in done.stdout.splitlines()[-1]


def test_in_ci_it_is_demanded(tmp_path: Path) -> None:
    done = run(tmp_path, {"here": ALLOWED}, ci=True)
    assert done.returncode == 1, done.stdout
    assert "2 failed" in done.stdout
    assert "with CI=true" in done.stdout


def test_another_word_than_the_allowed_one_fails(tmp_path: Path) -> None:
    done = run(tmp_path, {"here": ALLOWED.replace("no tool here", "tired")})
    assert done.returncode == 1, done.stdout


def test_every_entry_fits_a_file_and_has_a_reason(tmp_path: Path) -> None:
    entries = load()
    files = [str(file.relative_to(ROOT)) for file in (ROOT / "tests").rglob("test_*.py")]
    assert entries
    for entry in entries:
        assert any(entry.covers(f"{file}::test_x", entry.says) for file in files), entry
    broken = tmp_path / "allowed.toml"
    broken.write_text(FILE.read_text() + '\n[[skip]]\ntests = "*"\nsays = ""\nreason = " "\nin_ci = true\n')
    with pytest.raises(ValueError, match="a reason"):
        load(broken)


def test_a_pattern_is_of_the_whole_id() -> None:
    skips = Skips([Allowed("a.py::x[[]m@n]", "", "why", True)], ci=True)
    assert skips.permit("a.py::x[m@n]", "w")
    assert not skips.permit("a.py::x[m@n]y", "w")
