"""Bulk import: CSV, JSON array or NDJSON to validated records, all of them or none.

Every row is looked at before anything is written, and every flaw names its row: in CSV as a spreadsheet
counts (the header is row 1), in NDJSON the line, in a JSON array the element (from 1).
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson
from pydantic import ValidationError

from registry.damaged import damaged
from registry.decimals import exact_json
from registry.doubts import MAX_DOUBTS, doubts
from registry.encodings import decoded
from registry.records import KINDS, apply
from registry.refusals import Flaw, RefusedError, UnreadableError, explain
from registry.remarks import COLUMNS, NOT_KEPT, NOT_KEPT_SAYS
from registry.values import Record, WriteResult
from registry.writing import in_transaction
from runtime.connection import Connection

#: Bounds of one import.
MAX_ROWS: Final = 20_000
MAX_BYTES: Final = 32 << 20
#: Lines of a text, empty ones too; bytes of one line of a CSV; arrays and objects of a JSON (a vertex of a fence is an array).
MAX_LINES: Final = 200_000
MAX_LINE: Final = 4 << 20
MAX_CONTAINERS: Final = 2_000_000
#: Flaws handed back; the rest are counted.
MAX_FLAWS: Final = 100

Format = Literal["csv", "json", "ndjson"]

_MAX_CELL: Final = 1 << 20
csv.field_size_limit(_MAX_CELL)  # a fence of MAX_VERTICES needs more than the default of 128 KiB

#: Cells that hold JSON, and cells that hold a list with semicolons.
_JSON_CELLS: Final = frozenset(
    {"origin", "destinations", "return_point", "route", "geometry", "bindings", "exchanges"}
)
_LIST_CELLS: Final = frozenset({"vehicles", "aliases"})
_FLOAT_CELLS: Final = frozenset({"lat", "lon"})
_YES_NO_CELLS: Final = frozenset({"enabled", "workday"})
_FLOAT: Final = re.compile(r"-?\d{1,3}(\.\d{1,20})?", re.ASCII)
_YES_NO: Final = {"是": "true", "否": "false"}


class ImportRefusedError(RefusedError):
    """Some rows are wrong, so none was written. ``flaws`` are the first MAX_FLAWS, ``row`` as people count;
    ``total`` counts all of them."""

    def __init__(self, flaws: Sequence[Flaw], *, conflict: bool = False) -> None:
        super().__init__(sorted(flaws, key=lambda f: f.row)[:MAX_FLAWS], conflict=conflict)
        self.total = len(flaws)


@dataclass(frozen=True, slots=True)
class Row:
    """One row as read: its number as people count, and its fields or what is wrong with it. ``headers``: field -> the file's
    own header, None = the file has none, its fields have our names."""

    number: int
    values: dict[str, Any] = field(default_factory=dict)
    flaws: tuple[Flaw, ...] = ()
    headers: Mapping[str, str] | None = None

    def named(self, flaw: Flaw) -> Flaw:
        """``flaw`` of this row with the row's number and the file's own name of the field."""
        column = (
            flaw.field
            if self.headers is None
            else self.headers.get(str(flaw.path[0]) if flaw.path else "", "")
        )
        return Flaw(flaw.path, flaw.message, self.number, column)


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did, or with ``dry_run`` would do. rows = created + updated + unchanged. ``warnings``: what was written and
    may still be wrong, {row, field, message}, the first MAX_DOUBTS; ``warning_count`` counts all of them."""

    rows: int
    created: int
    updated: int
    unchanged: int
    dry_run: bool
    warnings: list[dict[str, Any]] = field(default_factory=list)
    warning_count: int = 0


def read_rows(kind: str, data: bytes, form: Format, charset: str | None = None) -> list[Row]:
    """The rows of a file, at most MAX_ROWS, not yet validated. Raises UnreadableError."""
    if len(data) > MAX_BYTES:
        raise UnreadableError(f"文件超过 {MAX_BYTES >> 20} MiB · larger than {MAX_BYTES >> 20} MiB")
    if form != "json":
        refuse_shape(data, MAX_LINES, long_lines=form == "ndjson")
    if form in ("json", "ndjson"):
        data = without_mark(data)
    if data.count(b"[") + data.count(b"{") > MAX_CONTAINERS and form != "csv":
        raise UnreadableError("数组和对象过多，请分批导入 · too many arrays and objects; import in parts")
    if form == "json":
        try:
            elements = loads(kind, data)
        except orjson.JSONDecodeError as error:
            raise UnreadableError(not_json(data, error)) from None
        if isinstance(elements, dict) and elements.get("type") in ("FeatureCollection", "Feature"):
            raise UnreadableError(
                "这是 GeoJSON 图形，不是登记记录：请把它放进记录的 geometry 字段 · GeoJSON; put it into a record's `geometry`"
            )
        if not isinstance(elements, list):
            raise UnreadableError("应为 JSON 数组 · must be a JSON array")
        rows: Iterable[Row] = (_object(number, value) for number, value in enumerate(elements, start=1))
    elif form == "ndjson":
        rows = (
            _line(kind, number, line)
            for number, line in enumerate(data.split(b"\n"), start=1)
            if line.strip()
        )
    else:
        rows = _csv_rows(kind, decoded(data, charset))
    return bounded_rows(rows)


def bounded_rows(rows: Iterable[Row]) -> list[Row]:
    """All of ``rows``. Raises UnreadableError for more than MAX_ROWS."""
    found: list[Row] = []
    for row in rows:
        if len(found) == MAX_ROWS:
            raise UnreadableError(
                f"超过 {MAX_ROWS} 行，请分批导入 · more than {MAX_ROWS} rows; import in parts"
            )
        found.append(row)
    return found


def refuse_shape(data: bytes, most_lines: int, *, long_lines: bool = False) -> None:
    """Raises UnreadableError for a text of more lines than ``most_lines``, empty ones counted: they cost time, too; and for one
    of a very long line, unless ``long_lines``."""
    if data.count(b"\n") + data.count(b"\r") > 2 * most_lines:
        raise UnreadableError(
            f"超过 {most_lines} 行（空行也算） · more than {most_lines} lines, empty ones counted"
        )
    if not long_lines and _has_long_line(data):
        raise UnreadableError(f"有一行超过 {MAX_LINE >> 20} MiB · a line is longer than {MAX_LINE >> 20} MiB")


def _has_long_line(data: bytes) -> bool:
    start = 0
    while start + MAX_LINE < len(
        data
    ):  # from the last line end within reach; a pattern would look at every byte again and again
        end = data.rfind(b"\n", start, start + MAX_LINE + 1)
        if end < 0:
            return True
        start = end + 1
    return False


def loads(kind: str, data: bytes) -> Any:
    """JSON of records of ``kind``, with exact decimals where the kind has them, with or without a byte order mark. Raises
    orjson.JSONDecodeError.
    """
    data = data.removeprefix(codecs.BOM_UTF8)
    return exact_json(data) if KINDS[kind].exact else orjson.loads(data)


def without_mark(data: bytes) -> bytes:
    """JSON without its byte order mark. Raises UnreadableError for UTF-16, as some editors and shells write it."""
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise UnreadableError("文件为 UTF-16，请另存为 UTF-8 · the file is UTF-16; save it as UTF-8")
    return data.removeprefix(codecs.BOM_UTF8)


def not_json(data: bytes, error: ValueError) -> str:
    """What is wrong with JSON that could not be read, Chinese first."""
    try:
        data.decode()
    except UnicodeDecodeError as wrong:
        place = wrong.start + 1
        return f"JSON 应为 UTF-8，第 {place} 个字节不是 · JSON must be UTF-8; byte {place} is not"
    return f"不是有效的 JSON · not JSON: {error}"[:200]


def _object(number: int, value: object) -> Row:
    if isinstance(value, dict):
        return Row(number, value)
    return Row(number, flaws=(Flaw((), "应为对象 · must be an object"),))


def _line(kind: str, number: int, line: bytes) -> Row:
    try:
        return _object(number, loads(kind, line))
    except orjson.JSONDecodeError as error:
        return Row(number, flaws=(Flaw((), not_json(line, error)),))


def _delimiter(kind: str, text: str) -> str:
    """What stands between the cells. A comma, unless another mark makes a header of names that are all known: some programs
    write a semicolon or a tab. A semicolon within a cell of several values is quoted there, or stands as ；."""
    known = KINDS[kind].model.model_fields.keys() | KINDS[kind].headers.keys() | COLUMNS
    for mark in ";\t":
        names = [name.strip().strip('"') for name in text.split("\n", 1)[0].split(mark)]
        if len(names) > 1 and known.issuperset(names):
            return mark
    return ","


def _csv_rows(kind: str, text: str) -> Iterator[Row]:
    lines = csv_lines(kind, text)
    _, header = next(lines, (1, []))
    columns = columns_of(kind, header)
    headers = dict(zip(columns, map(str.strip, header), strict=True))
    for number, cells in lines:
        yield row_of(number, columns, cells, headers)


def csv_lines(kind: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """(row as a spreadsheet counts, its cells) of a CSV of records: the header, then the rows that are not empty; without the
    columns that we have added ourselves. Raises UnreadableError."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(kind, text), strict=True)
    ours: frozenset[int] = frozenset()
    number = 0
    try:
        for cells in reader:
            number += 1
            if number == 1:
                ours = frozenset(k for k, name in enumerate(cells) if name.strip() in COLUMNS)
            kept = [cell for k, cell in enumerate(cells) if k not in ours] if ours else cells
            if number == 1 or any(cell.strip() for cell in kept):
                yield number, kept
    except csv.Error as error:
        at = max(number, 1)
        raise UnreadableError(
            f"第 {at} 行之后不是有效的 CSV · not CSV after row {at}: {error}", row=at
        ) from None


def columns_of(kind: str, header: Sequence[str], row: int = 1) -> list[str]:
    """Field names of the header, row ``row`` of the file. Raises UnreadableError for a column that is unknown, missing or there
    twice.
    """
    known = KINDS[kind].model.model_fields
    aliases = KINDS[kind].headers
    columns = [aliases.get(name.strip(), name.strip()) for name in header]
    wrong = [name for name in columns if name not in known]
    if wrong:
        if said := next(filter(None, map(damaged, wrong)), None):
            raise UnreadableError(f"表头{said}", field=wrong[0][:40], row=row)
        shown = "、".join(name[:40] or "（空）" for name in wrong[:10])
        raise UnreadableError(
            f"未知列：{shown}；可用的列：{'、'.join(aliases)} · unknown column; the columns are: {', '.join(known)}",
            field=wrong[0][:40],
            row=row,
        )
    twice = [name for name, count in Counter(columns).items() if count > 1]
    if twice:
        shown = "、".join(
            given.strip() for given, name in zip(header, columns, strict=True) if name == twice[0]
        )
        raise UnreadableError(
            f"列 {shown} 是同一项，出现多次 · this column comes more than once: {twice[0]}",
            field=twice[0],
            row=row,
        )
    missing = [name for name, info in known.items() if info.is_required() and name not in columns]
    if missing:
        chinese = {name: header for header, name in aliases.items()}
        shown = "、".join(chinese.get(name, name) for name in missing)
        raise UnreadableError(
            f"缺少列：{shown} · missing column: {', '.join(missing)}", field=missing[0], row=row
        )
    return columns


def row_of(number: int, columns: Sequence[str], cells: Sequence[str], headers: Mapping[str, str]) -> Row:
    """Cells to fields; an empty cell is a field that is not given."""
    if len(cells) != len(columns):
        message = f"应有 {len(columns)} 列，实有 {len(cells)} 列 · {len(columns)} columns expected, {len(cells)} found"
        return Row(number, flaws=(Flaw((), message),), headers=headers)
    values: dict[str, Any] = {}
    flaws: list[Flaw] = []
    for name, raw in zip(columns, cells, strict=True):
        cell = raw.strip()
        if not cell:
            continue
        if cell == NOT_KEPT:
            flaws.append(Flaw((name,), NOT_KEPT_SAYS))
        elif name in _JSON_CELLS:
            try:
                values[name] = orjson.loads(cell)
            except orjson.JSONDecodeError:
                flaws.append(Flaw((name,), "单元格应为 JSON · the cell must hold JSON"))
        elif name in _LIST_CELLS:
            values[name] = [part.strip() for part in cell.replace("；", ";").split(";") if part.strip()]
        elif name in _FLOAT_CELLS:
            values[name] = float(cell) if _FLOAT.fullmatch(cell) else cell
        elif name in _YES_NO_CELLS:
            values[name] = _YES_NO.get(cell, cell)
        else:
            values[name] = cell
    return Row(number, values, tuple(flaws), headers)


def validate_rows(kind: str, rows: Sequence[Row]) -> list[Record]:
    """The records of ``rows``. Raises ImportRefusedError with the flaws of every row, repeated ids among
    them.
    """
    _, records, flaws = looked_at(kind, rows)
    if flaws:
        raise ImportRefusedError(flaws)
    return records


def looked_at(kind: str, rows: Sequence[Row]) -> tuple[list[Row], list[Record], list[Flaw]]:
    """The rows that are well, their records, and every flaw of the others."""
    model = KINDS[kind].model
    good: list[Row] = []
    records: list[Record] = []
    flaws: list[Flaw] = []
    first: dict[str, int] = {}
    for row in rows:
        if row.flaws:
            flaws += map(row.named, row.flaws)
            continue
        try:
            record = model.model_validate(row.values)
        except ValidationError as error:
            flaws += map(row.named, explain(error))
            continue
        if record.id in first:
            message = (
                f"编号 {record.id} 与第 {first[record.id]} 行重复 · the same id as in row {first[record.id]}"
            )
            flaws.append(row.named(Flaw(("id",), message)))
            continue
        first[record.id] = row.number
        good.append(row)
        records.append(record)
    return good, records, flaws


class DryRun(Exception):
    """Ends a transaction that was only tried."""

    def __init__(self, results: list[WriteResult]) -> None:
        super().__init__()
        self.results = results


async def import_records(
    connection: Connection, rows: Sequence[Row], records: Sequence[Record], *, dry_run: bool = False
) -> ImportReport:
    """Write ``records`` (validated from ``rows``) in a transaction of its own; with ``dry_run`` it is
    rolled back.

    Raises ImportRefusedError (unknown references, taken plates); then nothing was written.
    """
    asked: list[Flaw] = []

    async def write() -> list[WriteResult]:
        results = await apply(connection, records)
        asked[:] = await doubts(connection, records)
        if dry_run:
            raise DryRun(results)
        return results

    try:
        results = await in_transaction(connection, write)
    except DryRun as done:
        results = done.results
    except RefusedError as error:
        flaws = [rows[flaw.row].named(flaw) for flaw in error.flaws]
        raise ImportRefusedError(flaws, conflict=error.conflict) from None
    counts = Counter(results)
    told = [rows[flaw.row].named(flaw).shown() for flaw in asked[:MAX_DOUBTS]]
    return ImportReport(
        len(records), counts["created"], counts["updated"], counts["unchanged"], dry_run, told, len(asked)
    )
