"""What a library says again and again, once; and the room on a file system as a metric."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from runtime.logs import MAX_NOISE_TEXTS, LibraryNoise, LineFormatter
from runtime.metrics import Snapshot, render, watch_folder
from tests.waiting import wait_until


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lines(clock: Clock) -> tuple[io.StringIO, logging.Logger]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter("test"))
    handler.addFilter(LibraryNoise("noisy", 60, clock))
    logger = logging.Logger("noisy.client")
    logger.addHandler(handler)
    return stream, logger


def test_the_same_text_comes_once_a_minute_and_says_how_often_it_was(
    lines: tuple[io.StringIO, logging.Logger], clock: Clock
) -> None:
    stream, logger = lines
    for tenth in range(700):
        clock.now = tenth / 10
        logger.error("Unable connect to node with id %s: %s", 1, "refused")
        if tenth % 300 == 0:
            logger.error("Unable connect to node with id %s: %s", 2, "refused")
    said = [line for line in stream.getvalue().splitlines() if "id 1" in line]
    assert len(said) == 2
    assert said[0].endswith("test noisy.client Unable connect to node with id 1: refused")
    assert said[1].endswith("(and 599 times before)")
    assert stream.getvalue().count("id 2") == 2
    assert "ERROR" not in stream.getvalue()
    assert stream.getvalue().count("WARNING") == 4


def test_addresses_of_objects_do_not_make_another_text(lines: tuple[io.StringIO, logging.Logger]) -> None:
    stream, logger = lines
    for k in range(20):
        logger.warning("Cannot send <Request object at 0x7f00%04x>: broken", k)
    assert stream.getvalue().count("\n") == 1


def test_other_loggers_keep_every_line_and_its_level(lines: tuple[io.StringIO, logging.Logger]) -> None:
    stream, logger = lines
    for name in ("noisyneighbour", "rules.live.process"):
        logger.name = name
        for _ in range(3):
            logger.error("the same")
    assert stream.getvalue().count("ERROR") == 6


def test_what_is_remembered_is_bounded(lines: tuple[io.StringIO, logging.Logger]) -> None:
    stream, logger = lines
    for _ in range(2):
        for k in range(MAX_NOISE_TEXTS + 1):  # the first is forgotten when it comes again
            logger.warning("text %d", k)
    assert stream.getvalue().count("text 0\n") == 2
    for k in range(5):
        logger.warning("x" * 100_000 + str(k))
    assert stream.getvalue().count("xxx...(cut)") == 1


def test_room_on_the_file_system_is_looked_at_when_asked(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    folder = tmp_path / "data"
    watch_folder(folder, registry)
    assert render(registry) == b""
    folder.mkdir()
    shown = Snapshot.parse(render(registry).decode())
    free, size = shown.total("gongche_data_dir_free_bytes"), shown.total("gongche_data_dir_size_bytes")
    assert free is not None
    assert size is not None
    assert 0 < free <= size

    def free_now() -> float:
        return Snapshot.parse(render(registry).decode()).total("gongche_data_dir_free_bytes") or 0.0

    def a_file_takes_room() -> bool:
        before = free_now()
        (folder / "big").write_bytes(bytes(50_000_000))
        after = free_now()
        (folder / "big").unlink()
        return after < before

    # Others write and delete on the same file system: once is enough, for what is not looked at never changes.
    wait_until(a_file_takes_room, "a file takes room")
