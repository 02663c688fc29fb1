"""How the tests are spread over the workers of pytest-xdist (``make test``). Without xdist nothing of it happens.

Every worker has a PostgreSQL of its own (fixture ``postgres_dsn``) and works off one group of tests after the other:

- Tests that share something that is dear to make (a fixture of a module, the Kafka broker) are one group, so that it is
  made once. Every other test is a group of its own.
- The long ones begin first, so that no worker ends minutes after the others.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from typing import Any

import pytest

#: What begins first: the folder or file, longest first. Everything else follows in the order of collection.
LONG_FIRST = (
    "tests/faults/",
    "tests/scenarios/",
    "tests/integration/",
)
#: Fixtures of the whole run that only a few tests need, with the name of their group.
SHARED = {"cluster": "kafka"}
#: More workers than cores: many tests wait (for a process to start, for an answer) and compute little.
WORKERS_PER_CORE = 2
MOST_WORKERS = 8


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """What ``-n auto`` means here."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MOST_WORKERS, WORKERS_PER_CORE * cores)


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
        subprocess.run(["useradd", "-s", "/bin/bash", "pgserver"], check=True)


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Gives every test its group, and puts the long ones first."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    for item in items:
        name = group_of(item)
        if name is not None:
            item.add_marker(pytest.mark.xdist_group(name))
    items.sort(key=place_of)  # stable: every worker must come to the same order


def group_of(item: pytest.Item) -> str | None:
    """The group of a test, None where it shares nothing with others."""
    info: Any = getattr(item, "_fixtureinfo", None)
    definitions = {} if info is None else info.name2fixturedefs
    for name, group in SHARED.items():
        if name in definitions:
            return group
    if any(found[-1].scope == "module" for found in definitions.values()):
        return item.nodeid.split("::", 1)[0]
    return None


def place_of(item: pytest.Item) -> int:
    """Position of a test's file in LONG_FIRST."""
    for place, beginning in enumerate(LONG_FIRST):
        if item.nodeid.startswith(beginning):
            return place
    return len(LONG_FIRST)
