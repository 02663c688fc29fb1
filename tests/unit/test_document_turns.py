"""Documents are made a few at a time; who has gone keeps no other waiting for ever, and none is made beyond the number."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from api.documents.rendering import AT_ONCE, document, made
from tests.waiting import until


async def test_no_more_at_once_than_there_are_turns() -> None:
    turns, go, running, prepared = asyncio.Semaphore(AT_ONCE), threading.Event(), [0, 0], 0
    lock = threading.Lock()

    def work() -> bytes:
        with lock:
            running[0] += 1
            running[1] = max(running)
        go.wait(30)
        with lock:
            running[0] -= 1
        return b"x"

    async def prepare() -> Callable[[], bytes]:
        nonlocal prepared
        prepared += 1
        return work

    asked = [asyncio.ensure_future(made(turns, prepare)) for _ in range(3 * AT_ONCE)]

    async def all_begun() -> bool:
        return running[0] == AT_ONCE

    await until(all_begun, "the first ones are made")
    # The others have read nothing yet; and whoever goes leaves his thread at its work, and its turn with it.
    assert prepared == AT_ONCE
    for one in asked[:AT_ONCE]:
        one.cancel()
    await asyncio.gather(*asked[:AT_ONCE], return_exceptions=True)
    assert prepared == AT_ONCE
    go.set()
    assert await asyncio.gather(*asked[AT_ONCE:]) == [b"x"] * (2 * AT_ONCE)

    async def all_ended() -> bool:  # also the threads of those who went, which nobody waits for
        return running[0] == 0

    await until(all_ended, "the last thread ends")
    assert running[1] == AT_ONCE


async def test_what_fails_gives_its_turn_back() -> None:
    turns = asyncio.Semaphore(1)

    async def refused() -> Callable[[], bytes]:
        raise LookupError

    async def broken() -> Callable[[], bytes]:
        return lambda: (_ for _ in ()).throw(ZeroDivisionError)

    for prepare, error in ((refused, LookupError), (broken, ZeroDivisionError)) * 2:
        with pytest.raises(error):
            await made(turns, prepare)
    assert not turns.locked()


def test_a_file_is_saved_and_runs_nothing() -> None:
    headers = document(b"x", "application/pdf", '督〔2026〕"\r\nx.pdf').headers
    assert headers["content-disposition"].startswith("attachment; filename*=UTF-8''%E7%9D%A3")
    assert "\n" not in headers["content-disposition"]
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
