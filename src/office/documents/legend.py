"""The legend of a picture: signs and words in rows, as many as are needed. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

_ROW: Final = 22
_SIGN: Final = 26
_SIZE: Final = 13


@dataclass(frozen=True, slots=True)
class Entry:
    """``kind``: line, gap, dash, dots, area, ring, cross, dot, square, none, or ``number:3``. ``colour`` as SVG has it."""

    kind: str
    text: str
    colour: str


def legend(entries: Sequence[Entry], width: int, top: int) -> tuple[list[str], int]:
    """(SVG of the entries below ``top``, the height of the picture with them)."""
    made: list[str] = []
    x, y = 8.0, top + 18
    for entry in entries:
        text, needed = _fitting(entry.text, width - 16 - _SIGN)
        if x > 8.0 and x + _SIGN + needed > width - 8:
            x, y = 8.0, y + _ROW
        made.append(_sign(entry, x, y))
        made.append(f'<text x="{x + _SIGN:.1f}" y="{y + 4.5:.1f}" fill="#111827">{escape(text)}</text>')
        x += _SIGN + needed + 18
    return made, y + _ROW - 6


def _fitting(text: str, most: float) -> tuple[str, float]:
    """``text``, cut where it is wider than ``most``; and its width, rather too large than too small."""
    width = 0.0
    for place, character in enumerate(text):
        width += _SIZE * (1.0 if unicodedata.east_asian_width(character) in "WFA" else 0.62)
        if width > most:
            return text[: max(0, place - 1)] + "…", most
    return text, width


def _sign(entry: Entry, x: float, y: float) -> str:
    colour, kind = entry.colour, entry.kind
    middle = x + 11
    line = f"M{x:.1f},{y:.1f}h22"
    if kind.startswith("number:"):
        number = kind.partition(":")[2]
        return (
            f'<circle cx="{middle:.1f}" cy="{y:.1f}" r="9" fill="{colour}"/>'
            f'<text x="{middle:.1f}" y="{y + 4:.1f}" text-anchor="middle" font-size="11" fill="#ffffff">{number}</text>'
        )
    if kind in ("area", "ring"):
        dashes = ' stroke-dasharray="4 2"' if kind == "ring" else ""
        return (
            f'<rect x="{x:.1f}" y="{y - 6:.1f}" width="20" height="12" fill="{colour}" fill-opacity="0.15" stroke="{colour}"'
            f' stroke-width="1.5"{dashes}/>'
        )
    if kind == "dot":
        return f'<circle cx="{middle:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}"/>'
    if kind == "square":
        return f'<rect x="{middle - 4.5:.1f}" y="{y - 4.5:.1f}" width="9" height="9" fill="{colour}"/>'
    if kind == "cross":
        return f'<path d="M{middle - 3:.1f},{y - 3:.1f}l6,6m0,-6l-6,6" stroke="{colour}" fill="none"/>'
    styles = {
        "line": 'stroke-width="2.5"', "gap": 'stroke-width="1.5" stroke-dasharray="3 4"',
        "dash": 'stroke-width="5" stroke-opacity="0.45" stroke-dasharray="8 4"', "dots": 'stroke-width="2" stroke-dasharray="2 5"',
    }  # fmt: skip
    return f'<path d="{line}" fill="none" stroke="{colour}" {styles[kind]}/>' if kind in styles else ""
