"""Files of statements as rows of cells: CSV in UTF-8 or GBK, and XLSX (``workbook``). Bounded; nothing is written anywhere."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from functools import partial

from registry.bulk import MAX_BYTES, refuse_shape
from registry.encodings import OLD_WORKBOOK, XLSX, decoded
from registry.refusals import UnreadableError
from registry.statements.returned import as_sent
from registry.statements.sheets import MAX_COLUMNS, MAX_LINES, Line, Sheet, bounded
from registry.statements.workbook import read_workbook


def read_sheets(data: bytes, charset: str | None = None) -> list[Sheet]:
    """The sheets of a file: one of a CSV, all of an XLSX. Raises UnreadableError, also while lines are read."""
    if len(data) > MAX_BYTES:
        raise UnreadableError(f"文件超过 {MAX_BYTES >> 20} MiB · larger than {MAX_BYTES >> 20} MiB")
    if data.startswith(XLSX):
        return [as_sent(sheet) for sheet in read_workbook(data)]
    if data.startswith(OLD_WORKBOOK):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise UnreadableError(
                "文件有密码，请取消密码后重新保存 · the workbook has a password; save it without"
            )
        raise UnreadableError("旧版 .xls 文件，请另存为 .xlsx · an old .xls file; save it as .xlsx")
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        raise UnreadableError("这是网页，请另存为 .xlsx · this is a web page; save it as .xlsx")
    refuse_shape(data, MAX_LINES)
    text = decoded(data, charset)
    first, *others = (Sheet("", partial(_bounded_csv, text, mark)) for mark in _delimiters(text))
    return [as_sent(Sheet("", first.lines, tuple(others)))]


def _delimiters(text: str) -> list[str]:
    """The likelier first. Exports that keep Excel from rounding numbers have a tab after each cell, too."""
    head = text.split("\n", 40)[:40]
    return sorted(",\t;", key=lambda mark: -sum(line.count(mark) for line in head))


def _bounded_csv(text: str, delimiter: str) -> Iterator[Line]:
    return bounded(_csv_lines(text, delimiter))


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
