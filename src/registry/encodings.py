"""The text of a file, in whichever encoding offices send it: UTF-8, or GB 18030 (GBK). What may be something else is refused: read
wrongly it looks like text, is stored, and is found by nobody again. Pure.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

from registry.damaged import from_gb18030, is_common
from registry.refusals import UnreadableError

_NAMES: Final = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "gb18030": "gb18030",
}
_NOT_ASCII: Final = re.compile(rb"[\x80-\xff]+")
#: Bytes at the beginning of a file that are looked at for what its encoding is.
_BEGINNING: Final = 1 << 16
#: Characters outside ASCII without which nothing is said of an encoding.
_ENOUGH: Final = 4
#: How files of other kinds begin, and what they are.
_OTHERS: Final = {
    b"%PDF": "PDF",
    b"Rar!": "RAR",
    b"7z\xbc\xaf": "7z",
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"PK\x07\x08": "zip",
    b"\x89PNG": "图片 PNG",
    b"\xff\xd8\xff": "图片 JPEG",
    b"\x09\x00\x04\x00": "旧版 .xls",
    b"\x09\x02\x06\x00": "旧版 .xls",
    b"\x09\x04\x06\x00": "旧版 .xls",
    b"\x09\x08": "旧版 .xls",
    b"\xd0\xcf\x11\xe0": "旧版 .xls",
    b"MIME-Version:": "网页 .mht",
    b"<": "网页或 XML",
}
#: How an XLSX (a zip) and an old workbook (XLS, or one with a password) begin.
XLSX: Final = b"PK\x03\x04"
OLD_WORKBOOK: Final = b"\xd0\xcf\x11\xe0"
_UTF_16: Final = "文件为 UTF-16，请另存为 CSV UTF-8 · the file is UTF-16; save it as CSV UTF-8"


def is_workbook(data: bytes) -> bool:
    """Whether a file begins like a workbook."""
    return data.startswith((XLSX, OLD_WORKBOOK))


def decoded(data: bytes, charset: str | None = None) -> str:
    """The text of a file: in ``charset`` if given, else UTF-8 (with or without byte order mark), else GB 18030 (GBK).

    Raises UnreadableError that names the byte that fits none.
    """
    _refuse_other_kinds(data)
    if charset is not None and charset.lower() not in _NAMES:
        raise UnreadableError("编码应为 UTF-8 或 GBK · the charset must be UTF-8 or GBK")
    marked = data.startswith(codecs.BOM_UTF8)
    while data.startswith(codecs.BOM_UTF8):  # some programs add a second one
        data = data[3:]
    tried = [_NAMES[charset.lower()]] if charset else ["utf-8"] if marked else ["utf-8", "gb18030"]
    for encoding in tried:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            place = error.start
        else:
            if charset is None and encoding == "gb18030":
                _refuse_big5(data)
            return from_gb18030(text) if encoding == "gb18030" else text
        if charset is None:
            _refuse_damaged_utf8(data, place)
    if marked and charset is None:
        raise UnreadableError(
            f"文件标明是 UTF-8，但第 {place + 1} 个字节不是，请另存为 CSV UTF-8 · marked as UTF-8, but byte {place + 1} is not;"
            " save it as CSV UTF-8",
            row=data.count(b"\n", 0, place) + 1,
        )
    row = data.count(b"\n", 0, place) + 1
    raise UnreadableError(
        f"第 {row} 行第 {place + 1} 个字节不是有效的文字编码 · byte {place + 1}, row {row}: neither UTF-8 nor GBK",
        row=row,
    )


def _refuse_other_kinds(data: bytes) -> None:
    """Raises UnreadableError for what is no text, or text of two and more bytes a character."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UnreadableError(_UTF_16)
    begin = data[:_BEGINNING]
    text = begin.removeprefix(codecs.BOM_UTF8).lstrip()
    for magic, kind in _OTHERS.items():
        if begin.startswith(magic) or (magic in (b"<", b"MIME-Version:") and text.startswith(magic)):
            raise UnreadableError(
                f"这是 {kind} 文件，请另存为 .xlsx 或 CSV · a file of another kind ({kind}); save it as .xlsx or CSV"
            )
    even, odd = begin[::2].count(0), begin[1::2].count(0)
    if (even + odd) * 10 > len(begin):  # of what is ASCII in UTF-16 every second byte is zero
        if 10 * min(even, odd) < max(even, odd) or 2 * (even + odd) >= len(begin):
            raise UnreadableError(_UTF_16)
        raise UnreadableError("不是文本文件，请另存为 .xlsx 或 CSV · no text; save it as .xlsx or CSV")


def _refuse_damaged_utf8(data: bytes, place: int) -> None:
    """UTF-8 with a bad byte (cut inside a character), or lines in UTF-8 and lines in GBK: as GBK all of it reads as
    something, and the names would be wrong. ``place``: of the first byte that is no UTF-8. Raises UnreadableError; text
    that is GBK throughout makes next to no Chinese when it is read as UTF-8."""
    start = data.rfind(b"\n", 0, place) + 1
    end = data.find(b"\n", place)
    row = data.count(b"\n", 0, place) + 1
    line = data[start : end if end >= 0 else len(data)].decode("utf-8", errors="replace")
    if (_chinese(line) >= 2 and _chinese(line) >= line.count("\ufffd")) or _only_cut(data):
        raise UnreadableError(
            f"第 {row} 行第 {place + 1} 个字节损坏：文件是 UTF-8，但有不完整的字 · byte {place + 1}, row {row}: UTF-8 with a"
            " damaged character",
            row=row,
        )
    for number, other in enumerate(data.split(b"\n"), start=1):
        if other.isascii():
            continue
        try:
            found = other.decode("utf-8-sig")
        except UnicodeDecodeError:
            continue
        if _chinese(found) >= 2:
            raise UnreadableError(
                f"编码混杂：第 {number} 行为 UTF-8，第 {row} 行第 {place + 1} 个字节不是 · mixed encodings: line {number} is UTF-8,"
                f" byte {place + 1} in line {row} is not",
                row=number,
            )


def _only_cut(data: bytes) -> bool:
    """Whether every word outside ASCII is UTF-8 of common characters, but for ends that were cut. Of a few words there may be no
    other sign: 高速 without its last two bytes is 楂橀 in GBK."""
    whole = 0
    for word in _NOT_ASCII.finditer(data):
        try:
            found = codecs.getincrementaldecoder("utf-8")().decode(word[0])
        except UnicodeDecodeError:
            return False
        if not is_common(found):
            return False
        whole += len(found)
    return whole > 0


def _refuse_big5(data: bytes) -> None:
    """Raises UnreadableError for Big5, which as GBK reads as rare characters."""
    begin = data[:_BEGINNING].rpartition(b"\n")[0] or data[:_BEGINNING]
    as_gbk = [c for c in begin.decode("gb18030", errors="replace") if ord(c) > 127]
    if len(as_gbk) < _ENOUGH or 10 * sum(map(_is_simplified, as_gbk)) > 7 * len(as_gbk):
        return
    try:
        as_big5 = begin.decode("big5")
    except UnicodeDecodeError:
        return
    found = [c for c in as_big5 if ord(c) > 127]
    if len(found) >= _ENOUGH // 2 and 20 * sum(_is_common_in_big5(c) for c in found) >= 19 * len(found):
        raise UnreadableError(
            f"文件像是繁体编码 Big5（如“{''.join(found)[:8]}”），请另存为 CSV UTF-8 · the file looks like Big5; save it as CSV UTF-8"
        )


def _is_simplified(character: str) -> bool:
    """Whether it is a Chinese character that GB 2312 has: what is written in simplified Chinese."""
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return _chinese(character) > 0


def _is_common_in_big5(character: str) -> bool:
    return b"\xa1" <= character.encode("big5", "replace")[:1] < b"\xc7"


def _chinese(text: str) -> int:
    return sum("\u4e00" <= c <= "\u9fff" for c in text)
