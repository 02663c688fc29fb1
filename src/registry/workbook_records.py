"""Files of records as offices send them: ``bulk``'s formats, and workbooks (XLSX) with the same columns. What a file is, is
seen from its bytes: browsers and mail programs name its type as they like.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from itertools import islice
from typing import Any, Final, get_args

from registry.bulk import MAX_BYTES, Format, Row, bounded_rows, columns_of, read_rows, row_of, without_mark
from registry.encodings import is_workbook
from registry.records import KINDS
from registry.refusals import Flaw, UnreadableError
from registry.spelling import unquoted
from registry.statements.cells import LOST_DIGITS, Cell, Covered, Numeric, Uncomputed
from registry.statements.files import read_sheets
from registry.statements.sheets import Line, Sheet
from runtime.units import CHINA

#: The header is looked for in so many rows: titles may stand above it.
_HEAD_LINES: Final = 20
_KEPT_DIGITS: Final = 15
_MERGED: Final = "合并单元格覆盖了此格，请取消合并后填写每一行 · a merged cell covers this one; split it and fill every row"
_MIDNIGHT: Final = time()


def read_any(kind: str, data: bytes, form: Format | None, charset: str | None = None) -> list[Row]:
    """The rows of a file of records, at most MAX_ROWS, not yet validated. ``form``: what its sender calls it; None, or a
    workbook that is called CSV: as its bytes say. Raises UnreadableError."""
    if len(data) > MAX_BYTES:
        raise UnreadableError(f"文件超过 {MAX_BYTES >> 20} MiB · larger than {MAX_BYTES >> 20} MiB")
    if form in (None, "csv"):
        if is_workbook(data):
            return bounded_rows(_rows(kind, read_sheets(data)))
        if form is None:
            begin = data[:64] if data[:2] in (b"\xff\xfe", b"\xfe\xff") else without_mark(data[:64]).lstrip()
            form = "json" if begin[:1] == b"[" else "ndjson" if begin[:1] == b"{" else "csv"
    return read_rows(kind, data, form, charset)


def _rows(kind: str, sheets: Sequence[Sheet]) -> Iterator[Row]:
    number, header, lines = table_of(kind, sheets)
    columns = columns_of(kind, header, number)
    headers = dict(zip(columns, header, strict=True))
    for at, cells in lines:
        if at <= number:
            continue
        while len(cells) < len(columns):
            cells.append("")
        texts: list[str] = []
        flaws: list[Flaw] = []
        for k, cell in enumerate(cells):
            name = columns[k] if k < len(columns) else ""
            try:
                texts.append(_text(kind, name, cell))
            except ValueError as error:
                texts.append("")
                flaws.append(Flaw((name,) if name else (), str(error)))
        while len(texts) > len(columns) and not texts[-1]:
            texts.pop()
        if flaws:
            yield Row(at, flaws=tuple(flaws), headers=headers)
        elif any(texts):
            yield row_of(at, columns, texts, headers)


def table_of(kind: str, sheets: Sequence[Sheet]) -> tuple[int, list[str], Iterator[Line]]:
    """(row of the header, its cells, all lines) of the one sheet with a header. Raises UnreadableError."""
    found: list[tuple[str, int, list[str], Sheet]] = []
    first: tuple[str, int, list[str], Sheet] | None = None
    known = {*KINDS[kind].headers, *KINDS[kind].model.model_fields}
    for sheet in sheets:
        for number, cells in islice(sheet.lines(), _HEAD_LINES):
            texts = [unquoted(c) if isinstance(c, str) else str(c) for c in cells]
            place = (sheet.name, number, texts, sheet)
            first = first or place
            if 2 * sum(text in known for text in texts) >= max(len([t for t in texts if t]), 2):
                found.append(place)
                break
    if len(found) > 1:
        names = "、".join(name for name, *_ in found)[:200]
        raise UnreadableError(
            f"多个工作表都有数据，请分开导入：{names} · more than one sheet has rows; import them apart"
        )
    chosen = found[0] if found else first
    if chosen is None:
        raise UnreadableError("工作表是空的 · the workbook is empty")
    _, number, texts, sheet = chosen
    return number, texts, sheet.lines()


def _text(kind: str, name: str, cell: Cell) -> str:
    """A cell as the same record's CSV would have it. Raises ValueError for one whose value is not known."""
    if isinstance(cell, Uncomputed):
        raise ValueError(cell.why)
    if isinstance(cell, Covered):
        raise ValueError(_MERGED)
    if isinstance(cell, datetime):
        if _is_day(kind, name) and cell.time() == _MIDNIGHT:
            return cell.date().isoformat()
        return (cell if cell.tzinfo else cell.replace(tzinfo=CHINA)).isoformat()
    if isinstance(cell, date | time):
        return cell.isoformat()
    text = cell.strip()
    if isinstance(cell, Numeric) and len(text.split(".")[0].split("e")[0].lstrip("+-0")) > _KEPT_DIGITS:
        raise ValueError(LOST_DIGITS)
    if isinstance(cell, Numeric) and "e" in text:
        raise ValueError(LOST_DIGITS)
    return text


def _is_day(kind: str, name: str) -> bool:
    info = KINDS[kind].model.model_fields.get(name)
    return info is not None and date in _types(info.annotation)


def _types(annotation: Any) -> set[Any]:
    inner = get_args(annotation)
    return {annotation} if not inner else {one for part in inner for one in _types(part)}
