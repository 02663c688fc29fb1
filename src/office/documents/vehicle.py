"""The file of a vehicle (车辆档案) as one paper. Typed data in, PDF out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from office.documents.papers import Letter, letter_data
from office.documents.typesetting import Typesetter


@dataclass(frozen=True, slots=True)
class FileTable:
    """A part of the file. ``columns``: (name, share of the width). ``more``: rows that are left out."""

    name: str
    columns: tuple[tuple[str, float], ...]
    rows: tuple[tuple[str, ...], ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class VehicleFile:
    """``unit``: whose vehicle it is; ``facts``: (name, value); eight tables at most."""

    letter: Letter
    unit: str
    opening: str
    facts: tuple[tuple[str, str], ...]
    tables: tuple[FileTable, ...]


def render_vehicle(setter: Typesetter, file: VehicleFile) -> bytes:
    """The PDF. Raises ValueError for a row that does not fit its header, RenderError."""
    for table in file.tables:
        if any(len(row) != len(table.columns) for row in table.rows):
            raise ValueError(f"a row of {table.name} has not {len(table.columns)} cells")
    data: dict[str, Any] = {
        "unit": file.unit,
        "opening": file.opening,
        "facts": [list(fact) for fact in file.facts],
        "tables": [
            {
                "name": table.name,
                "header": [name for name, _ in table.columns],
                "widths": [width for _, width in table.columns],
                "rows": [list(row) for row in table.rows],
                "more": table.more,
            }
            for table in file.tables
        ],
    }
    return setter.pdf("vehicle", letter_data(file.letter) | data, file.letter.when)
