"""Tables that come back corrected: the columns that the program has added are left out before anything looks at the rest. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from registry.remarks import COLUMNS, NOT_KEPT, NOT_KEPT_SAYS
from registry.statements.cells import Cell, Uncomputed
from registry.statements.sheets import Line, Sheet

#: A header stands among so many lines (see ``columns``, ``workbook_records``).
_HEAD_LINES: Final = 40

_T = TypeVar("_T")


class NotKept(Uncomputed):
    """A cell whose content the program could not give back. As text it is empty, and it is refused."""

    __slots__ = ()
    why = NOT_KEPT_SAYS


def places_of(header: Sequence[object]) -> frozenset[int]:
    """Where in a row our own columns stand, counted from 0."""
    return frozenset(k for k, cell in enumerate(header) if isinstance(cell, str) and cell.strip() in COLUMNS)


def without(places: frozenset[int], cells: list[_T]) -> list[_T]:
    """``cells`` without those at ``places``."""
    return [cell for k, cell in enumerate(cells) if k not in places] if places else cells


def as_sent(sheet: Sheet) -> Sheet:
    """``sheet`` as it was before the program wrote into it."""

    def lines() -> Iterator[Line]:
        places: frozenset[int] = frozenset()
        for count, (number, cells) in enumerate(sheet.lines()):
            if not places and count < _HEAD_LINES:
                places = places_of(cells)
            kept: list[Cell] = without(places, cells)
            if NOT_KEPT in kept:
                kept = [NotKept() if cell == NOT_KEPT else cell for cell in kept]
            yield number, kept

    return replace(sheet, lines=lines, otherwise=tuple(map(as_sent, sheet.otherwise)))
