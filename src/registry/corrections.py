"""The file to be corrected (更正文件) of an import with refused rows: those rows as they were, with what is wrong with each.

Nothing is kept of a file, and nothing is written: who has it sends it once more, and it is looked at as an import looks at it.

Which rows are in it: of an export of violations the refused ones alone, for the others are written. Records are written all or not at
all, so their file has the other rows below the refused ones. A statement comes back whole and in its order: two fills that look alike
are told apart by their order, and a reversal finds its fill, only where both are in one file."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any, Final

from registry import bulk
from registry.encodings import decoded, is_workbook
from registry.marked_workbook import MarkedRow, marked_workbook
from registry.records import apply
from registry.refusals import Flaw, RefusedError, UnreadableError
from registry.statements.cells import Cell, Numeric
from registry.statements.columns import FileMapping, Kind
from registry.statements.files import read_sheets
from registry.statements.importer import import_statement, read_statement
from registry.statements.sheets import MAX_COLUMNS, Line
from registry.values import Record
from registry.workbook_records import read_any, table_of
from registry.writing import in_transaction
from runtime.connection import Connection

#: Refused rows that are told of one file; the rest are counted.
MOST_ROWS: Final = 20_000
#: How often the registry is asked what else is wrong.
_ROUNDS: Final = 5
#: Columns of our own.
_OURS: Final = 2
_HOW: Final = (
    "请按“错误与改法”一列修改标红的单元格，保存为 .xlsx，再用同一导入页面导入。前两列由系统填写，导入时不读取，无须删除。",
    "Correct the red cells as the first column says, save as .xlsx and import the file again on the same page. The first two columns"
    " are the program's own; they are not read, and need not be removed.",
)
_WHOLE: Final = (
    "本文件含原文件的全部行（错误的行在前）。登记资料须全部正确才写入，更正后导入本文件即可，不要再导入原文件。",
    "All rows of your file are in this one, the wrong ones first: records are written all or not at all. Import this file instead of yours.",
)
_ORDERED: Final = (
    "本文件含原文件的全部行，次序不变：相同的两笔交易靠次序区分。更正后导入本文件即可，已写入的行不会重复；可按第一列筛选错误的行。",
    "All rows of your file are in this one, in their order: two fills that look alike are told apart by it. Import this file; what is"
    " written already is not written twice. Filter by the first column to see the wrong rows.",
)
_REFUSED: Final = (
    "本文件只含被拒绝的行，其余各行不受影响。",
    "Only the refused rows are in this file; the others are not concerned.",
)


@dataclass(frozen=True, slots=True)
class RecordCorrections:
    """The corrections of a file of records of one kind. ``form``: see ``read_any``."""

    kind: str
    data: bytes
    form: bulk.Format | None
    charset: str | None

    async def steps(self, connection: Connection) -> AsyncGenerator[dict[str, Any]]:
        """One step: the report of a dry run where no row is refused, else {workbook, refused, left_out}."""
        rows = read_any(self.kind, self.data, self.form, self.charset)
        good, records, flaws = bulk.looked_at(self.kind, rows)
        flaws += await _refused_by_registry(connection, good, records, whole=not flaws)
        if not flaws:
            report = asdict(await bulk.import_records(connection, rows, records, dry_run=True))
            if not report["warning_count"]:
                del report["warnings"], report["warning_count"]
            yield report
            return
        header, columns, lines = _raw(self.kind, self.data, self.form, self.charset)
        found = _by_row(flaws, {name: k for k, name in enumerate(columns)})
        marked = [_marked(number, cells, found) for number, cells in lines]
        since_1904, rows_of_file = _epoch_of(iter(sorted(marked, key=lambda row: not row.said)))
        yield await _step([header], rows_of_file, len(found), 0, (*_HOW, *_WHOLE), since_1904=since_1904)


@dataclass(frozen=True, slots=True)
class StatementCorrections:
    """The corrections of a statement of cards, or of an export of violations."""

    kind: Kind
    data: bytes
    mapping: FileMapping
    charset: str | None

    async def steps(self, connection: Connection) -> AsyncGenerator[dict[str, Any]]:
        """The same as of records, without how far it is."""
        now = await connection.fetchval("SELECT clock_timestamp()")
        parsed = read_statement(self.kind, self.data, self.mapping, now, self.charset, MOST_ROWS)
        last: dict[str, Any] = {}
        async for step in import_statement(connection, parsed, dry_run=True):
            if not isinstance(step, int):
                last = asdict(step)
        if not parsed.every or parsed.table is None:
            yield last
            return
        table = parsed.table
        flaws = [flaw for each in parsed.every.values() for flaw in each]
        found = _by_row(flaws, table.columns)
        head = [cells for number, cells in table.sheet.lines() if number <= table.header_row]
        whole = self.kind == "statement"
        # Row by row: such a file may have a hundred thousand.
        rows: Iterator[MarkedRow] = (
            _marked(number, cells, found) for number, cells in table.lines() if whole or number in found
        )
        since_1904, rows = _epoch_of(rows) if is_workbook(self.data) else (False, rows)
        left_out, about = parsed.refused - len(found), _ORDERED if whole else _REFUSED
        yield await _step(head, rows, parsed.refused, left_out, (*_HOW, *about), since_1904=since_1904)


async def _refused_by_registry(
    connection: Connection, rows: Sequence[bulk.Row], records: Sequence[Record], *, whole: bool
) -> list[Flaw]:
    """The flaws for which the registry would refuse ``records`` of ``rows``; nothing is written. It names those of one sort at a
    time, so the others are looked at again without them. ``whole``: no row of the file is missing."""
    found: list[Flaw] = []
    left = list(zip(rows, records, strict=True))
    for _ in range(_ROUNDS):
        flaws = await _refused(connection, [record for _, record in left])
        if not flaws:
            break
        # A unit whose parent is in a row that is wrong itself has no flaw of its own.
        found += [left[f.row][0].named(f) for f in flaws if whole or f.path[:1] != ("parent",)]
        wrong = {flaw.row for flaw in flaws}
        left = [pair for k, pair in enumerate(left) if k not in wrong]
        whole = False
    return found


async def _refused(connection: Connection, records: Sequence[Record]) -> list[Flaw]:
    async def write() -> None:
        raise bulk.DryRun(await apply(connection, records))

    try:
        await in_transaction(connection, write)
    except bulk.DryRun:
        pass
    except RefusedError as error:
        return error.flaws
    return []


def _raw(
    kind: str, data: bytes, form: bulk.Format | None, charset: str | None
) -> tuple[Sequence[Cell], Sequence[str], Iterator[Line]]:
    """(header, our name of each column, the rows below) of a table. Raises UnreadableError for a file that is none."""
    if is_workbook(data) and form in (None, "csv"):
        number, header, lines = table_of(kind, read_sheets(data))
        return header, bulk.columns_of(kind, header, number), (line for line in lines if line[0] > number)
    if form in ("json", "ndjson") or data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"[", b"{"):
        raise UnreadableError(
            "只有表格（CSV、XLSX）才有更正文件 · only a table (CSV, XLSX) can be given back to be corrected"
        )
    texts = bulk.csv_lines(kind, decoded(data, charset))
    _, names = next(texts)
    return names, bulk.columns_of(kind, names), ((number, list[Cell](cells)) for number, cells in texts)


#: Of a row: which of its cells are wrong, and what is said.
_Found = Mapping[int, tuple[frozenset[int], str]]


def _by_row(flaws: Iterable[Flaw], places: Mapping[str, int]) -> _Found:
    each: dict[int, list[Flaw]] = defaultdict(list)
    for flaw in flaws:
        each[flaw.row].append(flaw)
    return {
        row: (
            frozenset(places[str(f.path[0])] for f in found if f.path and str(f.path[0]) in places),
            "\n".join(
                dict.fromkeys(f"{f.column or f.field}：{f.message}" if f.path else f.message for f in found)
            ),
        )
        for row, found in each.items()
    }


def _marked(number: int, cells: Sequence[Cell], found: _Found) -> MarkedRow:
    wrong, said = found.get(number, (frozenset(), ""))
    return MarkedRow(number, cells, wrong, said)


def _epoch_of(rows: Iterator[MarkedRow]) -> tuple[bool, Iterator[MarkedRow]]:
    """Whether days of the workbook count from 1904, as the first number in it says; and the rows again."""
    seen: list[MarkedRow] = []
    for row in rows:
        seen.append(row)
        number = next((cell for cell in row.cells if isinstance(cell, Numeric)), None)
        if number is not None:
            return number.epoch.year == 1904, chain(seen, rows)
    return False, iter(seen)


async def _step(
    head: Sequence[Sequence[Cell]],
    rows: Iterator[MarkedRow],
    refused: int,
    left_out: int,
    about: Sequence[str],
    *,
    since_1904: bool,
) -> dict[str, Any]:
    if max(map(len, head)) > MAX_COLUMNS - _OURS:
        raise UnreadableError(
            f"超过 {MAX_COLUMNS - _OURS} 列，不能生成更正文件 · more than {MAX_COLUMNS - _OURS} columns: no file to correct can be made"
        )
    if left_out:
        about = (
            *about,
            f"另有 {left_out} 行错误未在本文件中标明：更正并导入本文件后，请再导入原文件并下载余下的。",
            f"{left_out} more rows were refused and are not marked in here: when these are imported, import your file again for the rest.",
        )
    body = await asyncio.to_thread(marked_workbook, head, rows, about, since_1904=since_1904)
    return {"dry_run": True, "workbook": body, "refused": refused, "left_out": left_out}
