"""How the tests are spread over the workers of pytest-xdist (``make test``). Without xdist nothing of it happens.

Every worker has a PostgreSQL of its own (fixture ``postgres_dsn``) and works off one group of tests after the other:

- Tests that share something that is dear to make (a fixture of a module, the Kafka broker) are one group, so that it is
  made once. ``TOGETHER`` names them. Every other test is a group of its own.
- The long ones begin first, so that no worker ends minutes after the others.

The groups are made by a scheduler of ours and not by xdist's marks ``xdist_group``: xdist 3.8 writes the group into
``Item._nodeid``, which pytest 9.2 no longer reads. Then every test is alone, and each worker makes its own of everything.
"""

from __future__ import annotations

import gc
import os
import pwd
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from runtime.embedded_postgres import find_useradd

#: Tests that share something, by the beginning of their ids, with the name of their group. One that
#: nobody named here fails.
TOGETHER = {
    "tests/browser/test_story.py": "story of the console",  # processes of its own, and longer than the others
    "tests/browser/": "console",
    "tests/integration/test_demo_roads.py": "roads of the demo",
    "tests/integration/test_identity.py": "people",
    "tests/integration/test_identity_matrix.py": "people",
    "tests/integration/test_identity_office.py": "people",
    "tests/integration/test_identity_oidc.py": "people",
    "tests/integration/test_identity_programs.py": "people",
    "tests/integration/test_integrity.py": "chains",
    "tests/integration/test_log_damaged_kafka.py": "kafka",
    "tests/integration/test_log_kafka.py": "kafka",
    "tests/integration/test_navigation_valhalla.py": "valhalla",
    "tests/integration/test_plans.py": "a million rows",
    "tests/integration/test_prometheus.py": "prometheus",
    "tests/integration/test_scaleout.py": "scaleout",
    "tests/integration/test_backtest_jobs.py": "units with backtests",
    "tests/integration/test_audit.py": "units of the audit",
    "tests/integration/test_scope.py": "units",
    "tests/integration/test_scope_matrix.py": "units of the matrix",
    "tests/integration/test_statistics.py": "units that are counted",
    "tests/integration/test_secrecy.py": "units with a secret vehicle",
    "tests/integration/test_signing_device.py": "a signing device",
    "tests/integration/test_start_refusals.py::test_a_kafka_that_does_not_permit_us": "kafka",
    "tests/integration/test_worker_kafka.py": "kafka",
    "tests/scenarios/test_labelled_month.py": "month",
    "tests/scenarios/test_scenario_files.py": "files of a month",
    "tests/unit/test_basemap.py": "a town",
    "tests/unit/test_console.py": "console as files",
    "tests/unit/test_jt808_framing.py": "frames",
    "tests/unit/test_position_columns.py": "columns",
}
#: Fixtures of the whole run that are dear to make and that only a few tests need.
SHARED = {"cluster", "site"}
#: What begins first: the beginnings of ids, longest first. Everything else follows in the order of collection.
LONG_FIRST = (
    "tests/scenarios/",
    "tests/browser/",
    "tests/integration/",
)
#: More workers than cores: many tests wait (for a process to start, for an answer) and compute little. Unit tests only
#: compute: for them (``-n logical``) each core has one worker.
WORKERS_PER_CORE = 2
MOST_WORKERS = 8


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """What ``-n auto`` and ``-n logical`` mean here."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    each = 1 if config.option.numprocesses == "logical" else WORKERS_PER_CORE
    return min(MOST_WORKERS, each * cores)


def pytest_sessionstart(session: pytest.Session) -> None:
    """As root the embedded PostgreSQL runs as a user that its wheel makes: once, before several workers do it at once."""
    if (
        os.geteuid() != 0
        or "PYTEST_XDIST_WORKER" in os.environ
        or not session.config.getoption("numprocesses", None)
    ):
        return
    try:
        pwd.getpwnam("pgserver")
    except KeyError:
        find_useradd()
        subprocess.run(["useradd", "-s", "/bin/bash", "pgserver"], check=True)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is collected stays to the end: nobody looks through it for garbage, neither now nor under the tests."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class Grouped(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives the tests of a group to one worker."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid) or nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Grouped | None:
    """Ours stands in place of xdist's own for groups."""
    return Grouped(config, log) if config.getoption("dist") == "loadgroup" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the long ones first."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: place_of(item.nodeid))  # stable: every worker must come to the same order


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fails a test that shares something dear and has no group. The tests of faults run without workers."""
    info: Any = getattr(item, "_fixtureinfo", None)
    if info is None or item.nodeid.startswith("tests/faults/") or group_of(item.nodeid) is not None:
        return
    for name, found in info.name2fixturedefs.items():
        if name in SHARED or found[-1].scope == "module":
            pytest.fail(f"{item.nodeid} shares {name!r}: name its group in tests/parallel.py", pytrace=False)


def group_of(test: str) -> str | None:
    """The group of a test by its id, None where it shares nothing with others."""
    return next((group for beginning, group in TOGETHER.items() if test.startswith(beginning)), None)


def place_of(test: str) -> int:
    """Position in LONG_FIRST of the test with this id."""
    for place, beginning in enumerate(LONG_FIRST):
        if test.startswith(beginning):
            return place
    return len(LONG_FIRST)
