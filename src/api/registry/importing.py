"""Bulk imports. A large file is read and written in a process of its own (``registry.import_process``): in this one, every other request
would wait for it, for a file of 20,000 rows is seconds of work. What that process used of memory is free again when it ends.

A small file is written here, at once.
"""

from __future__ import annotations

import asyncio
import pickle
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from hashlib import sha256
from typing import Annotated, Any, Final, cast

from fastapi import Query, Request
from fastapi.responses import Response

from api.auth.scoped import actor, reach_of, scoped, told
from api.errors import Problem, unavailable
from api.http import json_response, read_body
from office.identity.audit import note
from office.identity.scope import Reach
from registry.bulk import MAX_BYTES
from registry.encodings import is_workbook
from registry.import_jobs import LENGTH_BYTES, Job
from runtime.errors import ConfigurationError
from runtime.own_python import module_command

#: Imports hold whole files in memory, so few run at once.
_AT_ONCE: Final = 2
#: A file of at most so many bytes is small. A workbook never is: it is compressed.
SMALL: Final = 1 << 16
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#: How a caller asks for the file to be corrected.
Corrections = Annotated[
    bool,
    Query(
        description="更正文件 / write nothing; answer with the refused rows as XLSX, to be corrected and imported again (the report of"
        " a dry run where no row is refused)"
    ),
]
#: Of an operation that answers so.
CORRECTED: Final[dict[str, Any]] = {XLSX: {"schema": {"type": "string", "format": "binary"}}}
#: Numbers of a report that the audit has.
_COUNTS: Final = ("rows", "created", "updated", "unchanged", "repeated", "refused", "skipped", "source")


async def import_steps(
    request: Request, kind: str, make: Callable[[bytes], Job]
) -> AsyncIterator[dict[str, Any]]:
    """Receive a file of records of ``kind`` and import it: the steps of the job that ``make`` makes of it, wherever it runs. Raises what they raise, and
    Problem: 429 when enough imports are running (asked before the file is received as well), 503 when the process was ended, and
    those of ``read_body``."""
    state = request.app.state
    _refuse_when_busy(state)
    data = await read_body(request, MAX_BYTES)
    reach = reach_of(request, "registry:write")
    with _one_import(state), told(reach):
        async for step in _steps_of(state, make(data), reach):
            if "done" not in step and not step["dry_run"]:  # the report
                await _note(request, kind, data, step)
            yield step


def reported(report: dict[str, Any]) -> Response:
    """The answer with the last step of a job: a report, or the file to be corrected."""
    if "workbook" not in report:
        return json_response(report)
    headers = {
        "Content-Disposition": 'attachment; filename="corrections.xlsx"',
        "X-Refused-Rows": str(report["refused"]),
        "X-Rows-Left-Out": str(report["left_out"]),
    }
    return Response(report["workbook"], media_type=XLSX, headers=headers)


async def _note(request: Request, kind: str, data: bytes, report: dict[str, Any]) -> None:
    """The import in the audit: of which file, and how many records. Each record that it changed is there already."""
    counts = {name: report[name] for name in _COUNTS if name in report}
    detail = {"sha256": sha256(data).hexdigest(), "bytes": len(data)} | counts
    async with scoped(request, "registry:write") as connection:
        await note(connection, actor(request, "registry:write"), "import", kind, detail=detail)


def _refuse_when_busy(state: Any) -> None:
    if state.imports_running >= _AT_ONCE:
        detail = "已有导入在进行，请稍后重试 · other imports are running"
        raise Problem(429, "busy", detail, headers={"Retry-After": "5"})


@contextmanager
def _one_import(state: Any) -> Iterator[None]:
    """Held while a file is imported that is here: whoever sends one slowly keeps no other from it."""
    _refuse_when_busy(state)
    state.imports_running += 1
    try:
        yield
    finally:
        state.imports_running -= 1


async def _steps_of(state: Any, job: Job, reach: Reach) -> AsyncIterator[dict[str, Any]]:
    if len(job.data) <= SMALL and not is_workbook(job.data):
        async with state.pool.acquire(timeout=5) as connection:
            # An import has many transactions. The pool takes the reach back with the connection.
            await connection.execute(reach.sql(session=True))
            async with aclosing(job.steps(connection)) as steps:
                async for step in steps:
                    yield step
        return
    database_url = state.settings.database_url
    if not database_url:  # a client would look for a server of its own choice
        raise ConfigurationError("a large import needs GONGCHE_DATABASE_URL")
    process = await asyncio.create_subprocess_exec(
        *module_command("registry.import_process"), stdin=PIPE, stdout=PIPE, start_new_session=True
    )
    task = pickle.dumps((database_url, reach.sql(session=True), job))
    try:
        async for step, error in _messages(process, task):
            if error is not None:
                raise error
            yield step
    finally:
        if process.returncode is None:
            process.kill()  # we are stopped ourselves; what it has not committed is rolled back
            await process.wait()


async def _messages(process: Process, task: bytes) -> AsyncIterator[tuple[dict[str, Any], Exception | None]]:
    stdin, stdout = cast(asyncio.StreamWriter, process.stdin), cast(asyncio.StreamReader, process.stdout)
    try:
        stdin.write(task)
        await stdin.drain()
        stdin.close()
        while length := int.from_bytes(await stdout.readexactly(LENGTH_BYTES)):
            yield pickle.loads(await stdout.readexactly(length))  # noqa: S301 - our own program wrote it
    except (asyncio.IncompleteReadError, ConnectionError):
        status = await process.wait()
        raise unavailable(
            f"导入进程中止（状态 {status}），可能因内存不足；可分批导入 · the process of the import ended with status {status}, perhaps"
            " for want of memory; import in parts"
        ) from None
