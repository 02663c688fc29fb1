"""Writes the fonts of the documents (``src/office/documents/fonts``): subsets of Noto CJK, which are free (SIL OFL 1.1).

``python -m tools.fonts --noto FOLDER --unihan FILE``: the folder with NotoSerifCJK-*.ttc and NotoSansCJK-*.ttc (Debian:
fonts-noto-cjk and fonts-noto-cjk-extra), and Unihan_OtherMappings.txt(.bz2) (Debian: unicode-data), which names the characters
of 通用规范汉字表. Run it again only for another set of characters: the fonts are committed.
"""

from __future__ import annotations

import argparse
import bz2
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTCollection

FONTS: Final = Path(__file__).resolve().parents[1] / "src" / "office" / "documents" / "fonts"
#: File of Noto -> (family in it, name of our subset).
SOURCES: Final = {
    "NotoSerifCJK-Regular.ttc": ("Noto Serif CJK SC", "gongche-serif-regular.otf"),
    "NotoSerifCJK-Black.ttc": ("Noto Serif CJK SC", "gongche-serif-black.otf"),
    "NotoSansCJK-Regular.ttc": ("Noto Sans CJK SC", "gongche-sans-regular.otf"),
}
#: Besides Chinese characters: Latin, Greek, Cyrillic, punctuation, numbers in circles, units, full width.
_RANGES: Final = (
    (0x20, 0x7E), (0xA0, 0x17F), (0x391, 0x3C9), (0x401, 0x451), (0x2010, 0x2049), (0x20AC, 0x20AC), (0x2100, 0x214F),
    (0x2150, 0x218B), (0x2190, 0x21FF), (0x2200, 0x22FF), (0x2460, 0x24FF), (0x2500, 0x257F), (0x25A0, 0x25FF),
    (0x2600, 0x2642), (0x3000, 0x303F), (0x3041, 0x30FF), (0x3220, 0x32FF), (0x3380, 0x33DF), (0xFE30, 0xFE4F),
    (0xFF01, 0xFFE6),
)  # fmt: skip
#: Names of a subset must not be those of the whole font.
_FAMILIES: Final = {"Noto Serif CJK SC": "Gongche Serif", "Noto Sans CJK SC": "Gongche Sans"}


def gb2312() -> Iterator[int]:
    """The characters of GB/T 2312-1980."""
    for high in range(0xA1, 0xF8):
        for low in range(0xA1, 0xFF):
            try:
                yield ord(bytes((high, low)).decode("gb2312"))
            except UnicodeDecodeError:
                continue


def general_table(unihan: Path) -> Iterator[int]:
    """The 8,105 characters of 通用规范汉字表 (2013), kTGH of Unihan."""
    data = unihan.read_bytes()
    text = (bz2.decompress(data) if unihan.suffix == ".bz2" else data).decode()
    for line in text.splitlines():
        parts = line.split("\t")
        if len(parts) == 3 and parts[1] == "kTGH":
            yield int(parts[0].removeprefix("U+"), 16)


def subset(source: Path, family: str, characters: set[int], target: Path) -> None:
    """Write the subset of a face of ``source``."""
    collection = TTCollection(source, lazy=True)
    face: Any = next(f for f in collection.fonts if f["name"].getDebugName(1).startswith(family) and "Mono" not in f["name"].getDebugName(1))  # fmt: skip
    options = Options()
    options.hinting = False
    options.layout_features = ["kern", "locl", "ccmp", "palt", "halt"]
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14, 16, 17]
    options.drop_tables += ["VORG", "BASE", "vhea", "vmtx", "DSIG"]
    options.notdef_outline = True
    options.glyph_names = False
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=characters)
    subsetter.subset(face)
    for record in face["name"].names:
        text = record.toUnicode()
        for old, new in _FAMILIES.items():
            text = text.replace(old, new).replace(old.replace(" ", ""), new.replace(" ", ""))
        record.string = text
    cff = face["CFF "].cff
    name = face["name"].getDebugName(6)
    cff.fontNames[0] = name
    top = cff.topDictIndex[0]
    top.FullName = face["name"].getDebugName(4)
    top.FamilyName = face["name"].getDebugName(16) or face["name"].getDebugName(1)
    face.save(target)
    print(f"{target.name}: {len(face.getBestCmap())} characters, {target.stat().st_size:,} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(prog="tools.fonts", description=__doc__)
    parser.add_argument("--noto", type=Path, required=True)
    parser.add_argument("--unihan", type=Path, required=True)
    options = parser.parse_args()
    characters = set(gb2312()) | set(general_table(options.unihan))
    for first, last in _RANGES:
        characters |= set(range(first, last + 1))
    FONTS.mkdir(parents=True, exist_ok=True)
    for file, (family, name) in SOURCES.items():
        subset(options.noto / file, family, characters, FONTS / name)


if __name__ == "__main__":
    main()
