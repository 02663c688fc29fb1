"""Rows of a file that somebody made by hand, by the headers that it has: of the first sheet in which the needed ones stand together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from registry.refusals import UnreadableError
from registry.statements.cells import Cell, text_of
from registry.statements.files import read_sheets

#: A row with one of these in front is a sum, no record.
_SUMS: Final = ("合计", "总计", "小计", "共计", "本页")


def named_rows(
    data: bytes,
    charset: str | None,
    headers: Mapping[str, str],
    needed: Collection[str],
    most: int,
    missing: str,
) -> Iterator[tuple[int, dict[str, Cell], bool]]:
    """(row in the file, its cells by field, whether it is a row of sums). ``headers``: what a column may be called -> its field; ``needed``: fields without which there is
    no table; ``missing``: what is said then. Raises UnreadableError, also for more than ``most`` rows."""
    names: dict[int, str] = {}
    count = 0
    for sheet in read_sheets(data, charset):
        for number, cells in sheet.lines():
            if not names:
                found = {
                    k: headers[text]
                    for k, cell in enumerate(cells)
                    if (text := text_of(cell).replace(" ", "")) in headers
                }
                if set(needed) <= set(found.values()):
                    if len(set(found.values())) < len(found):
                        raise UnreadableError(
                            "有两列是同一内容，请留一列 · two columns mean the same", row=number
                        )
                    names = found
                continue
            count += 1
            if count > most:
                raise UnreadableError(f"超过 {most} 行，请分次导入 · more than {most} rows; import in parts")
            first = next((text for cell in cells if (text := text_of(cell))), "")
            named = {name: cells[k] for k, name in names.items() if k < len(cells)}
            yield number, named, first.startswith(_SUMS)
        if names:
            return
    raise UnreadableError(missing)
