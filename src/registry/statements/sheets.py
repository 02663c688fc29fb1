"""What a file of statements is made of, whatever its format: sheets of lines of cells, and their bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from registry.refusals import UnreadableError
from registry.statements.cells import Cell

#: Bounds of one file: rows with something in them, columns looked at.
MAX_ROWS: Final = 100_000
MAX_COLUMNS: Final = 200
#: Characters of a text of a statement.
MAX_TEXT: Final = 1_000
#: Lines of a text, empty ones too.
MAX_LINES: Final = 500_000

#: A row: its number as a spreadsheet counts, its cells.
Line = tuple[int, list[Cell]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table of a file; ``lines`` reads it from the start, empty rows left out. ``otherwise``: the same table read
    with less likely delimiters. ``notes``: what of it people do not see; ``hidden_columns``: from 1.
    """

    name: str
    lines: Callable[[], Iterator[Line]]
    otherwise: tuple[Sheet, ...] = ()
    notes: tuple[str, ...] = ()
    hidden_columns: frozenset[int] = frozenset()


def shortened(sheet: Sheet) -> Sheet:
    """``sheet`` with texts of at most MAX_TEXT characters: no field of ours takes so long a one, and looking at each of some
    thousand texts of a megabyte would take minutes before that is said."""

    def lines() -> Iterator[Line]:
        for number, cells in sheet.lines():
            yield number, [c[:MAX_TEXT] if isinstance(c, str) and len(c) > MAX_TEXT else c for c in cells]

    return replace(sheet, lines=lines, otherwise=tuple(map(shortened, sheet.otherwise)))


def bounded(lines: Iterator[Line]) -> Iterator[Line]:
    """``lines``, at most MAX_ROWS of them. Raises UnreadableError."""
    for count, line in enumerate(lines, start=1):
        if count > MAX_ROWS:
            raise UnreadableError(
                f"超过 {MAX_ROWS} 行，请分批导入 · more than {MAX_ROWS} rows; import in parts"
            )
        yield line
