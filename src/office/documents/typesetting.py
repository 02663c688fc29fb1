"""Data and a template to a PDF, by typst, with fonts of its own or of the office. Thread-safe; nothing of the machine's fonts
is used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import orjson
import typst

from office.documents.glyphs import FontError, all_visible, any_missing, characters_of
from runtime.errors import ConfigurationError, GongcheError
from runtime.units import CHINA

_HERE: Final = files("office.documents")
#: Our own fonts: characters of GB/T 2312 and 通用规范汉字表, see fonts/OFL.txt. Made by ``tools.fonts``.
FONTS: Final = Path(str(_HERE / "fonts"))
_FONT_ENDINGS: Final = (".otf", ".ttf", ".ttc")
#: Role on the page -> (what the name of an office's font for it contains, ours).
_ROLES: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "body": (("仿宋", "fangsong", "fang song", "simfang"), "Gongche Serif"),
    "title": (("小标宋", "xiaobiaosong", "xbs"), "Gongche Serif"),
    "heading": (("黑体", "simhei", "heiti", "fzhei"), "Gongche Sans"),
    "number": (("宋体", "simsun", "fzshusong", "书宋"), "Gongche Serif"),
}
#: PDF/A-2b: readable for ever, every font embedded, and a character without a glyph is an error.
_STANDARD: Final = "a-2b"


class RenderError(GongcheError):
    """A document could not be made."""


@dataclass(frozen=True)
class Typesetter:
    """``fonts``: what typst uses; ``families``: role -> names of fonts, the first that has a character is taken; ``known``:
    the code points that have a glyph."""

    fonts: typst.Fonts
    families: Mapping[str, Sequence[str]]
    known: frozenset[int]

    def pdf(
        self, template: str, data: Mapping[str, Any], when: datetime, pictures: Sequence[str] = ()
    ) -> bytes:
        """The PDF of ``data`` (of JSON) in templates/``template``.typ, dated ``when``. ``pictures``: SVG, which the template
        takes by their number. The same again is the same bytes. Raises RenderError."""
        shown = all_visible(data, self.known)
        shown["replaced"] = any_missing(data, self.known)
        shown["families"] = dict(self.families)
        shown["check"] = check_of(data, pictures)
        compiler = typst.Compiler(_source(template), font_paths=self.fonts, ignore_system_fonts=True)
        inputs = {f"picture{number}": svg for number, svg in enumerate(pictures)}
        try:
            made = compiler.compile(
                format="pdf",
                sys_inputs=inputs | {"data": orjson.dumps(shown).decode()},
                pdf_standards=_STANDARD,
                timestamp=int(when.timestamp()),
            )
        except typst.TypstError as error:
            raise RenderError(
                "文书未能生成 · the document could not be made", hint=str(error)[:500]
            ) from error
        if not isinstance(made, bytes):
            raise RenderError("文书未能生成 · the document could not be made")
        return made


def check_of(data: Mapping[str, Any], pictures: Sequence[str] = ()) -> str:
    """What stands at the foot of each page, by which somebody sees that two papers say the same: the beginning of the
    SHA-256 of the data and the pictures."""
    body = orjson.dumps([data, list(pictures)], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(body).hexdigest()[:16]


@cache
def _source(template: str) -> bytes:
    """The common part and the template, as one."""
    texts = [(_HERE / "templates" / f"{name}.typ").read_text("utf-8") for name in ("letter", template)]
    return "\n".join(texts).encode()


@cache
def own_characters() -> frozenset[int]:
    """The code points that every one of our fonts has."""
    return frozenset.intersection(*(characters_of(path) for path in sorted(FONTS.glob("*.otf"))))


@cache
def typesetter(folder: Path | None = None) -> Typesetter:
    """With the fonts of ``folder`` (the office's) before ours; None = ours alone. Raises ConfigurationError for a folder
    that is not there, or has a file that is no font."""
    ours = own_characters()
    families: dict[str, list[str]] = {role: [] for role in _ROLES}
    paths = [str(FONTS)]
    known = set(ours)
    if folder is not None:
        try:
            given = sorted(path for path in folder.iterdir() if path.suffix.lower() in _FONT_ENDINGS)
            for path in given:
                known |= characters_of(path)
        except (OSError, FontError) as error:
            raise ConfigurationError(
                f"字体目录不可用 · the folder of fonts cannot be used: {error}",
                hint="GONGCHE_DOCUMENT_FONTS: a folder with .otf, .ttf or .ttc files",
            ) from error
        paths.append(str(folder))
        theirs = typst.Fonts(
            include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(folder)]
        )
        for role, (words, _) in _ROLES.items():
            families[role] = sorted(f for f in theirs.families() if any(w in f.lower() for w in words))
    for role, (_, own) in _ROLES.items():
        families[role].append(own)
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=paths)
    return Typesetter(fonts, families, frozenset(known))


def chinese_day(day: date) -> str:
    """``2026年3月2日``."""
    return f"{day.year}年{day.month}月{day.day}日"


def chinese_moment(moment: datetime) -> str:
    """``2026年3月2日 21:14`` in China."""
    here = moment.astimezone(CHINA)
    return f"{chinese_day(here.date())} {here:%H:%M}"
