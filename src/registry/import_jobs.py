"""What is to be imported, as jobs that can be pickled: a job runs where it was made, or in a process of its own (``import_process``)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

from registry import bulk
from registry.statements.columns import FileMapping, Kind
from registry.statements.importer import import_statement, read_statement
from registry.workbook_records import read_any
from runtime.connection import Connection

#: Each message of the process of a job: its length in so many bytes (0 = it was the last), then a pickle of a step and an error,
#: one of them None.
LENGTH_BYTES: Final = 8


class Job(Protocol):
    """What is to be imported. It can be pickled."""

    @property
    def data(self) -> bytes: ...

    def steps(self, connection: Connection) -> AsyncGenerator[dict[str, Any]]:
        """Read and write it. Yields how far it is, last the report. Raises RefusedError."""
        ...


@dataclass(frozen=True, slots=True)
class RecordsJob:
    """Records of one kind: all or none. ``form``: see ``read_any``."""

    kind: str
    data: bytes
    form: bulk.Format | None
    charset: str | None
    dry_run: bool

    async def steps(self, connection: Connection) -> AsyncGenerator[dict[str, Any]]:
        rows = read_any(self.kind, self.data, self.form, self.charset)
        records = bulk.validate_rows(self.kind, rows)
        report = asdict(await bulk.import_records(connection, rows, records, dry_run=self.dry_run))
        if not report["warning_count"]:
            del report["warnings"], report["warning_count"]
        yield report


@dataclass(frozen=True, slots=True)
class StatementJob:
    """A statement of cards or an export of violations, row by row. ``source``: name of the file."""

    kind: Kind
    data: bytes
    mapping: FileMapping
    charset: str | None
    source: str
    dry_run: bool

    async def steps(self, connection: Connection) -> AsyncGenerator[dict[str, Any]]:
        now = await connection.fetchval("SELECT clock_timestamp()")
        parsed = read_statement(self.kind, self.data, self.mapping, now, self.charset)
        rows = len(parsed.drafts)
        yield {"rows": rows, "done": 0}
        async for step in import_statement(connection, parsed, source=self.source, dry_run=self.dry_run):
            yield {"rows": rows, "done": step} if isinstance(step, int) else asdict(step)
