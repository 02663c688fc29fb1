"""The statement (结算单) of a unit and a platform for a month. Typed data in, PDF out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from office.documents.papers import Letter, letter_data
from office.documents.typesetting import Typesetter, chinese_moment, typesetter

HEADER: Final = ("日期", "派车单号", "用车人", "目的地", "车型", "公里", "小时", "计价", "小计（元）")
_BLANK: Final = "—"


@dataclass(frozen=True, slots=True)
class StatementPaperLine:
    """A trip, or a correction of one. ``charges``: what the price is made of, in words; sums in yuan."""

    day: str
    number: str
    user: str
    destination: str
    vehicle_class: str
    km: str
    hours: str
    charges: str
    amount: str

    def cells(self) -> list[str]:
        """In the order of HEADER."""
        return [
            self.day, self.number, self.user, self.destination, self.vehicle_class, self.km, self.hours, self.charges, self.amount,
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class StatementPaper:
    """``about``: parties, tariff, period, state. ``centres``: (经费科目, sum). ``objections``: (step, when, who, what). ``signed``: (whose place, who has
    said so already, or ""): 用车单位, 平台, 财务."""

    letter: Letter
    about: tuple[tuple[str, str], ...]
    lines: tuple[StatementPaperLine, ...]
    notes: tuple[str, ...]
    centres: tuple[tuple[str, str], ...]
    total: str
    total_in_words: str
    objections: tuple[tuple[str, datetime, str, str], ...]
    signed: tuple[tuple[str, str], ...]


def render_statement(paper: StatementPaper, setter: Typesetter | None = None) -> bytes:
    """The PDF. Raises RenderError."""
    data = letter_data(paper.letter) | {
        "about": [list(row) for row in paper.about],
        "header": list(HEADER),
        "rows": [[cell or _BLANK for cell in line.cells()] for line in paper.lines],
        "notes": list(paper.notes),
        "centres": [list(row) for row in paper.centres],
        "total": paper.total,
        "words": paper.total_in_words,
        "objections": [
            [step, chinese_moment(at), who, what or _BLANK] for step, at, who, what in paper.objections
        ],
        "signatures": [list(row) for row in paper.signed],
    }
    used = typesetter() if setter is None else setter
    return used.pdf("statement", data, paper.letter.when)
