"""A process that appends to the embedded log, for the tests that kill it."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from telemetry.log.base import Record
from telemetry.log.sqlite import EmbeddedLogWriter

#: (topic, partition, payload)
Item = tuple[str, int, bytes]

# A fork of a process that has imported everything already: a hundred of them cost no more than one start.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])


def _serve(path: Path, partitions: int, pipe: Connection) -> None:
    async def work() -> None:
        writer = EmbeddedLogWriter(path, partitions)
        loop = asyncio.get_running_loop()

        async def append(number: int, items: Sequence[Item]) -> None:
            await writer.append([Record(topic, partition, payload) for topic, partition, payload in items])
            pipe.send(number)

        tasks = []
        pipe.send("open")
        while (order := await loop.run_in_executor(None, pipe.recv)) is not None:
            tasks += [asyncio.create_task(append(number, items)) for number, items in order]
        await asyncio.gather(*tasks)
        await writer.close()

    asyncio.run(work())


class ChildWriter:
    """The parent's end of such a process."""

    def __init__(self, path: Path, partitions: int) -> None:
        self._pipe, end = _CONTEXT.Pipe()
        self._process: Any = _CONTEXT.Process(target=_serve, args=(path, partitions, end), daemon=True)
        self._process.start()
        end.close()
        assert self._pipe.recv() == "open"

    def append(self, batches: Sequence[Sequence[Item]]) -> None:
        """Append the batches, overlapping, and wait until all are confirmed."""
        self._pipe.send(list(enumerate(batches)))
        for _ in batches:
            self._pipe.recv()

    def append_and_kill(self, batches: Sequence[Sequence[Item]], after_s: float) -> set[int]:
        """SIGKILL the process ``after_s`` after it was told to append; which batches were confirmed."""
        self._pipe.send(list(enumerate(batches)))
        confirmed: set[int] = set()
        if len(batches):
            self._pipe.poll(after_s)
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()
        try:
            while True:
                confirmed.add(self._pipe.recv())
        except (EOFError, ConnectionResetError):
            pass
        self._pipe.close()
        return confirmed

    def close(self) -> None:
        """End in order."""
        self._pipe.send(None)
        self._process.join(10)
        assert self._process.exitcode == 0
        self._pipe.close()
