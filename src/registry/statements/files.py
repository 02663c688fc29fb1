"""Files of statements as rows of cells: CSV in UTF-8 or GBK, and XLSX. Bounded; nothing is written anywhere."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any, Final

from openpyxl import load_workbook
from openpyxl.cell.read_only import EMPTY_CELL

from registry.bulk import MAX_BYTES, UnreadableError, decode_text
from registry.statements.cells import Cell, Numeric

#: Bounds of one file: rows with something in them, columns looked at, bytes after unpacking, times packed.
MAX_ROWS: Final = 100_000
MAX_COLUMNS: Final = 200
MAX_UNPACKED: Final = 128 << 20
MAX_RATIO: Final = 200
_MAX_PARTS: Final = 2_000
#: The last row that a spreadsheet can have.
_LAST_ROW: Final = 1_048_576

#: A row: its number as a spreadsheet counts, its cells.
Line = tuple[int, list[Cell]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table of a file; ``lines`` reads it from the start, empty rows left out. ``otherwise``: the same table read
    with less likely delimiters.
    """

    name: str
    lines: Callable[[], Iterator[Line]]
    otherwise: tuple[Sheet, ...] = ()


def read_sheets(data: bytes, charset: str | None = None) -> list[Sheet]:
    """The sheets of a file: one of a CSV, all of an XLSX. Raises UnreadableError, also while lines are read."""
    if len(data) > MAX_BYTES:
        raise UnreadableError(f"文件超过 {MAX_BYTES >> 20} MiB · larger than {MAX_BYTES >> 20} MiB")
    if data[:4] == b"PK\x03\x04":
        return _workbook(data)
    if data[:4] == b"\xd0\xcf\x11\xe0":
        raise UnreadableError("旧版 .xls 文件，请另存为 .xlsx · an old .xls file; save it as .xlsx")
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        raise UnreadableError("这是网页，请另存为 .xlsx · this is a web page; save it as .xlsx")
    if charset is None:
        _refuse_mixed(data)
    text = decode_text(data, charset)
    first, *others = (Sheet("", partial(_bounded_csv, text, mark)) for mark in _delimiters(text))
    return [Sheet("", first.lines, tuple(others))]


def _refuse_mixed(data: bytes) -> None:
    """Parts in UTF-8 and parts in GBK: as GBK all of it reads as something, and the names would be wrong."""
    try:
        data.decode("utf-8-sig")
        return
    except UnicodeDecodeError:
        pass
    for number, line in enumerate(data.split(b"\n"), start=1):
        if line.isascii():
            continue
        try:
            found = line.decode("utf-8-sig")
        except UnicodeDecodeError:
            continue
        if sum("\u4e00" <= c <= "\u9fff" for c in found) >= 2:
            raise UnreadableError(
                f"编码混杂：第 {number} 行为 UTF-8，另有行不是 · mixed encodings: line {number} is UTF-8, others are not",
                row=number,
            )


def _bounded(lines: Iterator[Line]) -> Iterator[Line]:
    for count, line in enumerate(lines, start=1):
        if count > MAX_ROWS:
            raise UnreadableError(
                f"超过 {MAX_ROWS} 行，请分批导入 · more than {MAX_ROWS} rows; import in parts"
            )
        yield line


def _delimiters(text: str) -> list[str]:
    """The likelier first. Exports that keep Excel from rounding numbers have a tab after each cell, too."""
    head = text.split("\n", 40)[:40]
    return sorted(",\t;", key=lambda mark: -sum(line.count(mark) for line in head))


def _bounded_csv(text: str, delimiter: str) -> Iterator[Line]:
    return _bounded(_csv_lines(text, delimiter))


def _csv_lines(text: str, delimiter: str) -> Iterator[Line]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    try:
        for cells in reader:
            number += 1
            if len(cells) > MAX_COLUMNS:
                raise UnreadableError(
                    f"第 {number} 行超过 {MAX_COLUMNS} 列 · more than {MAX_COLUMNS} columns", row=number
                )
            if any(cell.strip() for cell in cells):
                yield number, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise UnreadableError(
            f"第 {number} 行之后不是有效的 CSV · not CSV after row {number}: {error}", row=number
        ) from None


# --- XLSX


def _workbook(data: bytes) -> list[Sheet]:
    _refuse_bombs(data)
    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    except Exception as error:  # openpyxl raises whatever a broken part makes it stumble over
        raise _broken(error) from None
    return [Sheet(str(sheet.title), _lines_of(sheet)) for sheet in sheets]


def _broken(error: Exception) -> UnreadableError:
    return UnreadableError(f"不是有效的 XLSX · not a valid XLSX: {type(error).__name__}")


def _refuse_bombs(data: bytes) -> None:
    """Raises UnreadableError for what unpacks to too much, or defines XML entities. zipfile gives no more of a
    part than its declared size.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            unpacked = sum(part.file_size for part in parts)
            if len(parts) > _MAX_PARTS or unpacked > MAX_UNPACKED or unpacked > MAX_RATIO * len(data):
                raise UnreadableError(
                    f"文件展开后过大（{unpacked >> 20} MiB） · the file is too large unpacked ({unpacked >> 20} MiB)"
                )
            for part in parts:
                if part.filename.endswith((".xml", ".rels")):
                    with archive.open(part) as stream:
                        _refuse_entities(stream)
    except UnreadableError:
        raise
    except Exception as error:  # zipfile and zlib raise many kinds for a broken archive
        raise _broken(error) from None


def _refuse_entities(stream: Any) -> None:
    before = b""
    while block := stream.read(1 << 20):
        text = before + block.replace(b"\0", b"")  # UTF-16 is XML, too
        if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
            raise UnreadableError("XLSX 含有 DTD，不予读取 · the XLSX has a DTD and is not read")
        before = text[-16:]


def _lines_of(sheet: Any) -> Callable[[], Iterator[Line]]:
    def lines() -> Iterator[Line]:
        try:
            sheet.reset_dimensions()  # what the file says of its size may be wrong
            rows = sheet.iter_rows(max_row=_LAST_ROW, max_col=MAX_COLUMNS)
            blank = None
            for number, row in enumerate(rows, start=1):
                if row is blank:  # openpyxl gives one and the same row for all that the file leaves out
                    continue
                cells = ["" if cell is EMPTY_CELL else _cell(cell) for cell in row]
                while cells and cells[-1] == "":
                    cells.pop()
                if any(cell != "" for cell in cells):
                    yield number, cells
                else:
                    blank = row
        except Exception as error:  # as above
            raise _broken(error) from None

    return lambda: _bounded(lines())


def _cell(cell: Any) -> Cell:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, datetime):
        # A date alone is kept as midnight; nobody is judged by a time that was not given.
        if "h" not in str(cell.number_format).lower() and value.time() == time():
            return value.date()
        return (value + timedelta(milliseconds=500)).replace(microsecond=0)
    if isinstance(value, date | time):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Numeric(
            format(value, ".15g") if isinstance(value, float) else str(value), cell.parent.parent.epoch
        )
    return str(value).strip()
