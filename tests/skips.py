"""No test passes by being skipped: a skip that ``allowed_skips.toml`` does not name is a failure.

That goes for ``pytest.skip``, ``skipif``, ``importorskip``, a module that skips itself, and ``xfail``. What is allowed is
listed with its reason at the end of the run. With ``CI=true`` only what is marked ``in_ci = true`` is allowed: there the
parts that tests need (Java and Maven, Prometheus, the engine's wheel) must be there.
"""

from __future__ import annotations

import fnmatch
import os
import tomllib
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

FILE = Path(__file__).with_name("allowed_skips.toml")
_KEYS = {"tests", "says", "reason", "in_ci"}


@dataclass(frozen=True, slots=True)
class Allowed:
    """Tests (a pattern of their ids) that may be skipped when their own word begins with ``says``; and why."""

    tests: str
    says: str
    reason: str
    in_ci: bool

    def covers(self, test: str, words: str) -> bool:
        return fnmatch.fnmatchcase(test, self.tests) and words.startswith(self.says)


def load(file: Path = FILE) -> list[Allowed]:
    """What the file allows. Raises ValueError for an entry without a reason or with unknown keys."""
    entries = tomllib.loads(file.read_text("utf-8")).get("skip", [])
    for entry in entries:
        if entry.keys() != _KEYS or not str(entry["reason"]).strip():
            raise ValueError(f"{file.name}: every entry has {sorted(_KEYS)}, and a reason: {entry}")
    return [Allowed(**entry) for entry in entries]


def in_ci() -> bool:
    """Whether this run is one of CI's."""
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


class Skips:
    """The plugin. On a worker of xdist it judges; in the process that started the run it tells."""

    def __init__(self, allowed: list[Allowed], ci: bool) -> None:
        self.allowed, self.ci = allowed, ci
        self._told: Counter[tuple[str, str]] = Counter()

    def permit(self, test: str, words: str) -> Allowed | None:
        """The entry that allows it here, or None."""
        fitting = (entry for entry in self.allowed if entry.covers(test, words))
        return next((entry for entry in fitting if entry.in_ci or not self.ci), None)

    def judge(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        """Makes a failure of a skip, an expected failure, or an unexpected pass that is not allowed."""
        expected = getattr(report, "wasxfail", None)
        if expected is not None:
            words = f"xfail: {expected}"
        elif report.skipped:
            words = _words(report)
        else:
            return
        if self.permit(report.nodeid, words) is not None:
            return
        if expected is not None:
            del report.wasxfail  # set by pytest's own plugin
        where = "with CI=true" if self.ci else "here"
        report.outcome = "failed"
        report.longrepr = (
            f"{report.nodeid} was skipped: {words}\n"
            f"A skip is not a pass. {FILE.parent.name}/{FILE.name} does not allow it {where}:"
            " provide what is missing, or add an entry with the reason."
        )

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        self.judge(report)
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(self) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        self.judge(report)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            self._tell(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._tell(report)

    def _tell(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        words = _words(report)
        entry = self.permit(report.nodeid, words)
        if entry is not None:
            self._told[report.nodeid.split("::", 1)[0], entry.reason] += 1

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._told:
            return
        terminalreporter.section("skipped, as tests/allowed_skips.toml allows")
        for (file, reason), count in sorted(self._told.items()):
            terminalreporter.write_line(f"{count:4} {file}: {reason}")


def _words(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why a test says that it was skipped."""
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(report.longrepr or "")


def pytest_configure(config: pytest.Config) -> None:
    """Registers the plugin."""
    config.pluginmanager.register(Skips(load(), in_ci()), "gongche-skips")
