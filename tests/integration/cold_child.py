"""A process that moves days to files and is killed at a step: ``python -m tests.integration.cold_child DSN FOLDER``.

It reads steps from its input, a line each; for each it forks a process that kills itself there, and says how that ended.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from runtime.postgres import connect
from telemetry.archive.cold.mover import Mover


async def main(dsn: str, folder: Path, at: str) -> None:
    def checkpoint(step: str) -> None:
        if step == at:
            os.kill(os.getpid(), signal.SIGKILL)

    # As tests.integration.test_cold has it.
    now_us = 20_500 * 86_400_000_000 + 3_600_000_000
    connection = await connect(dsn)
    async for _ in Mover(str(folder), 10, now_us=lambda: now_us, checkpoint=checkpoint).move(connection):
        pass


if __name__ == "__main__":
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            asyncio.run(main(sys.argv[1], Path(sys.argv[2]), line.strip()))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
