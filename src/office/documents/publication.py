"""A publication (公示): a wide table on pages across, with what is defined below it, and objections with their answers. Typed data in, PDF out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from office.documents.papers import Letter, letter_data
from office.documents.typesetting import Typesetter


@dataclass(frozen=True, slots=True)
class PublicationPaper:
    """``unit``: who publishes; ``columns``: (name, share of the width); ``notes``: below the table; ``objections``: (row, unit, objection, answer)."""

    letter: Letter
    unit: str
    opening: str
    facts: tuple[tuple[str, str], ...]
    columns: tuple[tuple[str, float], ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    objections: tuple[tuple[str, str, str, str], ...]


def render_publication(setter: Typesetter, paper: PublicationPaper) -> bytes:
    """The PDF. Raises ValueError for a row that does not fit its header, RenderError."""
    if any(len(row) != len(paper.columns) for row in paper.rows):
        raise ValueError(f"a row has not {len(paper.columns)} cells")
    data: dict[str, Any] = {
        "unit": paper.unit,
        "opening": paper.opening,
        "facts": [list(fact) for fact in paper.facts],
        "header": [name for name, _ in paper.columns],
        "widths": [width for _, width in paper.columns],
        "rows": [list(row) for row in paper.rows],
        "notes": list(paper.notes),
        "objections": [list(each) for each in paper.objections],
    }
    return setter.pdf("publication", letter_data(paper.letter) | data, paper.letter.when)
