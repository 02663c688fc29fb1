"""The parts of a workbook's archive, looked at before any reader sees them: how much they unpack to, how much work they make,
and what their XML says of the sheets (``sheet_xml``).

Every part is read by an XML parser, whatever its name is. calamine keeps a whole rectangle of cells in memory, and where it finds
no room for it, it ends the process: so it is given no file of which we do not know the rectangle.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from registry.refusals import UnreadableError
from registry.statements.sheet_xml import MAX_TAG, BookXml, Part, RelationsXml, WithDtdError, looked_at

#: Bounds of one file: bytes after unpacking, times packed, parts, sheets.
MAX_UNPACKED: Final = 128 << 20
MAX_RATIO: Final = 200
MAX_PARTS: Final = 2_000
MAX_SHEETS: Final = 64
#: Tags (opening and closing ones) of parts, by the beginning of their names, and of all together. A sheet of 100,000 rows of 20
#: cells has 8 million; a reader takes a second for some hundred thousand.
MAX_TAGS: Final = {"xl/worksheets/": 8_500_000, "xl/sharedstrings": 2_500_000}
MAX_OTHER_TAGS: Final = 300_000
#: Elements of a sheet before its first row: widths of columns and the like. Of each openpyxl makes an object.
MAX_BEFORE: Final = 20_000
#: Cells of the rectangles that calamine keeps in memory, of all sheets: one cell in the last corner of a sheet makes 17 billion.
MAX_RECTANGLE: Final = 10_000_000

#: Day 0 of the numbers that are dates: of Windows, and of old workbooks of a Mac.
_DAY_0: Final = datetime(1899, 12, 30)
_DAY_0_OF_MAC: Final = datetime(1904, 1, 1)
_BOOK: Final = "xl/workbook.xml"


@dataclass(slots=True)
class Archive:
    """What the XML of a workbook says. ``parts``: name of a sheet's part -> the sheet; ``sheets``: name of a sheet -> name of its
    part, as far as the workbook says; ``known``: every part that may be a sheet was understood."""

    parts: dict[str, Part] = field(default_factory=dict)
    sheets: dict[str, str] = field(default_factory=dict)
    epoch: datetime = _DAY_0
    known: bool = True

    @property
    def small(self) -> bool:
        """Whether the rectangles of all sheets are known and fit into memory."""
        return self.known and sum(part.rectangle for part in self.parts.values()) <= MAX_RECTANGLE

    def part_of(self, sheet: str) -> Part | None:
        """The part of a sheet, by the sheet's name; None: not known."""
        if sheet in self.sheets:
            return self.parts.get(self.sheets[sheet])
        return next(iter(self.parts.values())) if len(self.parts) == 1 else None


def look_at(data: bytes) -> Archive:
    """What the XML of a workbook says. Raises UnreadableError for what unpacks to too much, makes too much work, defines XML
    entities, or is another kind of archive; zipfile raises many kinds for a broken one. It gives no more of a part than its
    declared size."""
    found = Archive()
    tags = 0
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
        unpacked = sum(part.file_size for part in parts)
        if len(parts) > MAX_PARTS or unpacked > MAX_UNPACKED or unpacked > MAX_RATIO * len(data):
            raise UnreadableError(
                f"文件展开后过大（{unpacked >> 20} MiB） · the file is too large unpacked ({unpacked >> 20} MiB)"
            )
        _refuse_other_kinds({_plain_name(part.filename).lower() for part in parts})
        book, relations = BookXml(), RelationsXml()
        for part in parts:
            name = _plain_name(part.filename)
            text = archive.read(part)
            if not _may_be_xml(name, text):
                continue
            tags += _refuse_work(name.lower(), text)
            try:
                sheet, understood = looked_at(text)
                if name.lower() == _BOOK:
                    book.read(text)
                elif name.lower() == "xl/_rels/workbook.xml.rels":
                    relations.read(text)
            except WithDtdError:
                raise UnreadableError(
                    "XLSX 含有 DTD，不予读取 · the XLSX has a DTD and is not read"
                ) from None
            if sheet is not None:
                if sheet.before > MAX_BEFORE:
                    raise _too_much(name)
                found.parts[name] = sheet
            if not understood and b"sheetData" in text:
                found.known = False
    if tags > max(MAX_TAGS.values()):
        raise _too_much("")
    if len(found.parts) > MAX_SHEETS:
        raise UnreadableError(
            f"工作表多于 {MAX_SHEETS} 个，请只保留要导入的 · more than {MAX_SHEETS} sheets; keep those to be imported"
        )
    found.epoch = _DAY_0_OF_MAC if book.of_mac else _DAY_0
    found.sheets = dict(_places(book, relations))
    return found


def _plain_name(name: str) -> str:
    return name.replace("\\", "/").lstrip("/")


def _places(book: BookXml, relations: RelationsXml) -> Iterator[tuple[str, str]]:
    """(sheet, name of its part) as the workbook says."""
    for sheet, relation in book.sheets:
        target = relations.targets.get(relation, "").replace("\\", "/")
        if target:
            yield sheet, posixpath.normpath(posixpath.join("xl", target)).lstrip("/")


def _refuse_other_kinds(names: set[str]) -> None:
    """Raises UnreadableError for archives that are no XLSX. calamine would read some of them, without bounds: in an ODS one row
    may stand for a million."""
    if "xl/workbook.bin" in names:
        raise UnreadableError(
            "二进制工作簿 .xlsb，请另存为 .xlsx · a binary workbook (.xlsb); save it as .xlsx"
        )
    if "content.xml" in names and "[content_types].xml" not in names:
        raise UnreadableError(
            "这是 OpenDocument（.ods）文件，请另存为 .xlsx · an OpenDocument file; save it as .xlsx"
        )
    if not any(name.startswith("xl/") for name in names):
        raise UnreadableError(
            "这是压缩包，不是 Excel 工作簿；请解压后导入其中的 .xlsx 或 .csv · an archive, but no workbook; unpack it first"
        )


def _may_be_xml(name: str, text: bytes) -> bool:
    """Whether a reader may take a part for XML: by its name or, whatever its name is, by what it holds."""
    return name.lower().endswith((".xml", ".rels")) or b"sheetData" in text or text[:64].lstrip()[:1] == b"<"


def _too_much(name: str) -> UnreadableError:
    return UnreadableError(
        f"文件内容过于庞杂（{name[:40] or '全部'}），请把数据复制到新的工作簿再导入 · too much in it; copy the data into a new workbook"
    )


def _refuse_work(name: str, text: bytes) -> int:
    """How many tags a part has. Raises UnreadableError for one that makes a reader work for minutes."""
    tags = text.count(b"<")
    most = next((n for begin, n in MAX_TAGS.items() if name.startswith(begin)), MAX_OTHER_TAGS)
    if tags > most or _has_long_tag(text):
        raise _too_much(name)
    return tags


def _has_long_tag(text: bytes) -> bool:
    """Whether a tag is longer than MAX_TAG. A text between two tags is no tag, however long it is."""
    place = text.find(b"<")
    while place >= 0:
        end = text.find(b">", place, place + MAX_TAG)
        if end < 0:
            return len(text) - place > MAX_TAG
        place = text.find(b"<", end)
    return False
