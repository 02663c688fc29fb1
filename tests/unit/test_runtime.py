"""Logs, metrics and lifecycle helpers of ``runtime``."""

from __future__ import annotations

import io
import logging
import math
import subprocess
import sys
from collections.abc import Iterator

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram

from runtime.errors import ConfigurationError, UnavailableError
from runtime.lifecycle import EVENT_LOOP, install_event_loop
from runtime.logs import configure_logging, one_line, redact
from runtime.metrics import Snapshot, quantile, render, set_build_info
from runtime.postgres import is_outage


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging("INFO", "test", stream)
    yield stream
    root.handlers[:] = kept
    root.setLevel(level)
    logging.captureWarnings(False)


def test_a_log_line_has_time_level_process_and_fields(log: io.StringIO) -> None:
    logging.getLogger("a.b").info("listening", extra={"fields": {"port": 8808, "why": 'two words "x"'}})
    line = log.getvalue()
    assert line.endswith(' INFO test a.b listening port=8808 why="two words \\"x\\""\n')
    assert line[10] == "T"
    assert line[23] == "Z"


def test_a_log_line_is_one_line_whatever_a_stranger_sends(log: io.StringIO) -> None:
    logging.getLogger("a").warning("phone %s", "1\r\n2026 ERROR forged\x1b[2J\u2028")
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        logging.getLogger("a").exception("failed")
    lines = log.getvalue().split("\n")
    assert len(lines) == 3
    assert lines[2] == ""
    assert "\x1b" not in lines[0]
    assert "first" in lines[1]


@given(st.text())
def test_one_line_never_holds_a_control_character(text: str) -> None:
    shown = one_line(text)
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c in "\u2028\u2029" for c in shown)
    assert len(shown) < 8_100


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://user:geheim@host/db",
        "Authorization: Bearer geheim",
        "password=geheim host=x",
        "token: geheim",
    ],
)
def test_secrets_are_masked(text: str) -> None:
    assert "geheim" not in redact(text)
    assert "***" in redact(text)


def test_metrics_can_be_read_back() -> None:
    registry = CollectorRegistry()
    counter = Counter("gongche_x_positions_total", "x", ["reason"], registry=registry)
    counter.labels("a").inc(3)
    counter.labels("b").inc(4)
    set_build_info("x", registry)
    snapshot = Snapshot.parse(render(registry).decode())
    assert snapshot.total("gongche_x_positions_total") == 7
    assert snapshot.total("gongche_x_positions_total", reason="b") == 4
    assert snapshot.total("gongche_build_info", process="x") == 1
    assert snapshot.total("nothing") is None


def test_quantiles_are_over_what_came_since() -> None:
    registry = CollectorRegistry()
    seconds = Histogram("gongche_x_seconds", "x", buckets=(0.1, 0.2, 0.4), registry=registry)

    def buckets() -> dict[float, float]:
        return Snapshot.parse(render(registry).decode()).buckets("gongche_x_seconds")

    assert quantile(buckets(), 0.5) is None
    for _ in range(100):
        seconds.observe(0.05)
    before = buckets()
    assert quantile(before, 0.5) == pytest.approx(0.05)
    for _ in range(100):
        seconds.observe(0.3)
    assert quantile(buckets(), 0.5, before) == pytest.approx(0.3)
    assert quantile(buckets(), 0.99, buckets()) is None
    seconds.observe(9)
    assert quantile(buckets(), 1.0) == pytest.approx(0.4)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=60), st.floats(0.01, 1))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(values: list[float], q: float) -> None:
    bounds = [0.5, 1.0, 2.0, 5.0, math.inf]
    buckets = {b: float(sum(v <= b for v in values)) for b in bounds}
    true = sorted(values)[max(0, math.ceil(q * len(values) - 1e-9) - 1)]
    got = quantile(buckets, q)
    assert got is not None
    upper = next(b for b in bounds if true <= b)
    lower = max((b for b in bounds if b < upper), default=0.0)
    assert lower <= got <= upper


def test_the_event_loop_can_be_chosen() -> None:
    code = (
        "import asyncio; from runtime.lifecycle import install_event_loop;"
        "loop = install_event_loop()(); print(type(loop).__module__); loop.close()"
    )
    for wanted, module in (("asyncio", "asyncio"), ("uvloop", "uvloop")):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={EVENT_LOOP: wanted}
        )
        assert done.stdout.startswith(module)


def test_an_unknown_event_loop_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EVENT_LOOP, "fast")
    with pytest.raises(ConfigurationError, match="fast"):
        install_event_loop()


def test_an_outage_of_the_database_is_no_fault_and_a_fault_no_outage() -> None:
    for error in (
        OSError("x"), TimeoutError(), ConnectionResetError(), asyncpg.ConnectionDoesNotExistError("x"), asyncpg.AdminShutdownError("x"),
        asyncpg.CrashShutdownError("x"), asyncpg.CannotConnectNowError("x"), asyncpg.SerializationError("x"), asyncpg.DeadlockDetectedError("x"),
        asyncpg.DiskFullError("x"), asyncpg.TooManyConnectionsError("x"), asyncpg.ReadOnlySQLTransactionError("x"),
        asyncpg.LockNotAvailableError("x"), asyncpg.QueryCanceledError("x"), asyncpg.InterfaceError("x"), asyncpg.InternalClientError("x"),
        UnavailableError("x"),
    ):  # fmt: skip
        assert is_outage(error), error
    for fault in (
        asyncpg.UndefinedColumnError("x"), asyncpg.UndefinedTableError("x"), asyncpg.PostgresSyntaxError("x"), asyncpg.InsufficientPrivilegeError("x"),
        asyncpg.NotNullViolationError("x"), asyncpg.DataError("x"), asyncpg.UniqueViolationError("x"), asyncpg.RaiseError("x"), KeyError("x"),
        ValueError("x"), ConfigurationError("x"),
    ):  # fmt: skip
        assert not is_outage(fault), fault
