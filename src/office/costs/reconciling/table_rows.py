"""A table of vouchers (CSV in UTF-8 or GBK, XLSX) as rows of cells by our fields. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from office.costs.reconciling.voucher import REQUIRED
from registry.refusals import UnreadableError
from registry.spelling import name_key
from registry.statements.cells import Cell, text_of
from registry.statements.files import read_sheets
from registry.statements.sheets import Line, Sheet

#: Lines of titles above the header.
_HEAD_LINES: Final = 30

#: A row: its number as a spreadsheet counts, its cells by field, and the text of its first cell that is not empty.
TableRow = tuple[int, dict[str, Cell], str]


def table_rows(data: bytes, charset: str | None, headers: Mapping[str, str]) -> Iterator[TableRow]:
    """The rows below the header, of the first sheet that has one. ``headers``: header as ``header_key`` makes it -> field. Raises UnreadableError."""
    for sheet in read_sheets(data, charset):
        for way in (sheet, *sheet.otherwise):
            if (found := _rows(way, headers)) is not None:
                return found
    raise UnreadableError(
        "没有找到表头，至少须有“凭证日期”“凭证号”“摘要”“借方金额”四列；列名不同的，请先保存对照"
        " · no header: the columns 凭证日期, 凭证号, 摘要 and 借方金额 are needed; save a mapping where they have other names"
    )


def header_key(text: str) -> str:
    """A header as it is compared: without spaces, and without a unit in brackets such as （元）."""
    return name_key(text).partition("(")[0]


def _rows(sheet: Sheet, headers: Mapping[str, str]) -> Iterator[TableRow] | None:
    lines = sheet.lines()
    columns: dict[int, str] = {}
    for count, (number, cells) in enumerate(lines):
        if count >= _HEAD_LINES:
            return None
        named = {
            k: headers[key] for k, cell in enumerate(cells) if (key := header_key(text_of(cell))) in headers
        }
        if set(REQUIRED) <= set(named.values()):
            if len(set(named.values())) < len(named):
                raise UnreadableError(
                    "有两列是同一内容，请用对照写明用哪一列 · two columns mean the same; say in the mapping which counts", row=number
                )  # fmt: skip
            columns = named
            break
    if not columns:
        return None
    return _below(lines, columns)


def _below(lines: Iterator[Line], columns: Mapping[int, str]) -> Iterator[TableRow]:
    for number, cells in lines:
        first = next((text for cell in cells if (text := text_of(cell))), "")
        yield number, {name: cells[k] for k, name in columns.items() if k < len(cells)}, first
