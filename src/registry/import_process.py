"""The process of one large import (see ``import_jobs``): a task comes on stdin, with the statements
that give its session the reach of who asks; its steps go to stdout. It ends by itself."""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
import traceback
from typing import Any, BinaryIO, Final

from registry.import_jobs import LENGTH_BYTES, Job
from runtime.errors import text_of
from runtime.logs import configure_logging
from runtime.postgres import connect

#: Requests that somebody waits for come first.
NICE: Final = 10


def _send(out: BinaryIO, step: dict[str, Any] | None, error: Exception | None) -> None:
    message = pickle.dumps((step, error))
    out.write(len(message).to_bytes(LENGTH_BYTES) + message)
    out.flush()


def portable(error: Exception) -> Exception:
    """``error`` with its traceback as a note, or what stands for an error that cannot go to another process."""
    error.add_note(traceback.format_exc())
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - made in this line
    except Exception:
        stands = RuntimeError(text_of(error))
        stands.add_note(traceback.format_exc())
        return stands
    return error


async def _work(database_url: str, reach: str, job: Job, out: BinaryIO) -> None:
    try:
        connection = await connect(database_url)
        try:
            await connection.execute(reach)
            async for step in job.steps(connection):
                _send(out, step, None)
        finally:
            await connection.close()
    except BrokenPipeError:
        raise  # the API has ended
    except Exception as error:
        _send(out, None, portable(error))
    out.write(bytes(LENGTH_BYTES))
    out.flush()


def main() -> None:
    """Run one import."""
    # What a library prints must not come between the messages.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.nice(NICE)
    configure_logging("WARNING", "import")
    database_url, reach, job = pickle.load(sys.stdin.buffer)  # noqa: S301 - our own program wrote it
    asyncio.run(_work(database_url, reach, job, out))


if __name__ == "__main__":
    main()
