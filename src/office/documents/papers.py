"""The papers of a supervision order: 督办单, 回复单, 催办通知书, 延期审批单, 核销单. Typed data in, PDF out. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from office.documents.picture import Picture
from office.documents.typesetting import Typesetter, chinese_day, chinese_moment
from runtime.units import CHINA

_BLANK: Final = "　"
#: (what, who, when); nobody and None are filled in by hand.
Act = tuple[str, str, datetime | None]


@dataclass(frozen=True, slots=True)
class Letter:
    """What is at the head and the foot of every paper. ``marks``: 密级, 紧急程度, from above. ``when``: the moment that the
    paper is of. ``cancelled``: since when it holds no more, in words; None = it holds. ``copies``: 抄送."""

    issuer: str
    number: str
    title: str
    when: datetime
    marks: tuple[str, ...] = ()
    cancelled: str | None = None
    copies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Term:
    """Until when. ``day`` None: nobody has published whether ``unknown`` is worked. ``working_days``: how many were counted,
    None = a date that was given."""

    day: date | None
    unknown: date | None = None
    working_days: int | None = None

    def words(self) -> str:
        """``2026年3月9日（自下达次日起第5个工作日）``."""
        if self.day is None:
            day = "有关日期" if self.unknown is None else chinese_day(self.unknown)
            return f"待定（{day}的工作日安排尚未公布）"
        counted = "" if self.working_days is None else f"（自下达次日起第{self.working_days}个工作日）"
        return f"{chinese_day(self.day)}{counted}"


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alert behind the order. ``span``: when, in words. ``figures``: (name, value with its unit), the numbers that its
    sentence rests on; ``evidence``: the SHA-256 of what was frozen. ``picture`` None: its evidence has no track, or it must not be shown."""

    rule: str
    plate: str
    span: str
    figures: tuple[tuple[str, str], ...]
    evidence: str = ""
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class OrderPaper:
    """督办单. ``about``: (name, value), such as 被督办人 and 车辆. ``left_out``: alerts that are not drawn for want of room."""

    letter: Letter
    to: str
    facts: str
    about: tuple[tuple[str, str], ...]
    alarms: tuple[Alarm, ...]
    left_out: int
    basis: tuple[str, ...]
    requirements: str
    term: Term
    issued_by: str
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class FormPaper:
    """Any other paper of a case. ``sections``: (heading, text); ``acts``: who did what."""

    letter: Letter
    to: str
    opening: tuple[str, ...]
    sections: tuple[tuple[str, str], ...]
    acts: tuple[Act, ...]


def render_order(setter: Typesetter, paper: OrderPaper) -> bytes:
    """The PDF. Raises RenderError."""
    pictures: list[str] = []
    data = {
        "to": paper.to,
        "facts": paper.facts,
        "about": [list(row) for row in paper.about],
        "alarms": [_alarm(alarm, pictures) for alarm in paper.alarms],
        "left_out": paper.left_out,
        "basis": list(paper.basis),
        "requirements": paper.requirements,
        "term": f"请于 {paper.term.words()} 前书面回复。" if paper.term.day else f"办理时限：{paper.term.words()}。",
        "issued_by": paper.issued_by,
        "issued_at": chinese_moment(paper.issued_at),
    }  # fmt: skip
    return setter.pdf("order", letter_data(paper.letter) | data, paper.letter.when, pictures)


def render_form(setter: Typesetter, paper: FormPaper) -> bytes:
    """The PDF. Raises RenderError."""
    data = {
        "to": paper.to,
        "opening": list(paper.opening),
        "sections": [[name, text or "无。"] for name, text in paper.sections],
        "acts": act_rows(paper.acts),
    }
    return setter.pdf("form", letter_data(paper.letter) | data, paper.letter.when)


def letter_data(letter: Letter) -> dict[str, Any]:
    """What the common part of the templates needs."""
    return {
        "document_title": f"{letter.title} {letter.number}",
        "letter": {
            "issuer": letter.issuer,
            "number": letter.number,
            "title": letter.title,
            "day": chinese_day(letter.when.astimezone(CHINA).date()),
            "marks": list(letter.marks),
            "cancelled": letter.cancelled,
            "copies": list(letter.copies),
        },
    }


def act_rows(acts: Iterable[Act]) -> list[list[str]]:
    """The rows of the table of who did what when."""
    return [
        [what, who or _BLANK, "时间", _BLANK if when is None else chinese_moment(when)]
        for what, who, when in acts
    ]


def _alarm(alarm: Alarm, pictures: list[str]) -> dict[str, Any]:
    place = None
    if alarm.picture is not None:
        place = len(pictures)
        pictures.append(alarm.picture.svg)
    return {
        "rule": alarm.rule,
        "plate": alarm.plate,
        "span": alarm.span,
        "figures": [list(row) for row in alarm.figures],
        "evidence": alarm.evidence,
        "picture": place,
        "caption": "" if alarm.picture is None else alarm.picture.caption,
    }
