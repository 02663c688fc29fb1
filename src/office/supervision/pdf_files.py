"""PDF files that people attach: what does something when it is opened is refused, however it is written. Pure."""

from __future__ import annotations

import re
import zlib
from typing import Final

from office.supervision.problems import PaperError

#: What all object streams of a file unpack to, at most.
MAX_UNPACKED: Final = 64 << 20
#: What makes a PDF do something when it is opened, or carries other files. A script has an action of the type JavaScript.
_ACTS: Final = re.compile(
    rb"/(?:JavaScript|Launch|EmbeddedFiles?|RichMedia(?:Content)?|Rendition|SubmitForm|ImportData|GoToE)(?![0-9A-Za-z])"
    rb"|/XFA\s*(?:\[|\d+\s+\d+\s+R)"
)
_ENCRYPTED: Final = re.compile(rb"/Encrypt\s*(?:<<|\d+\s+\d+\s+R)")
#: A name in which letters are written as #4A: nobody's program does so.
_ESCAPED: Final = re.compile(rb"/[^\s/<>\[\](){}%]*#[0-9A-Fa-f]{2}[^\s/<>\[\](){}%]*")
_HEX: Final = re.compile(rb"#([0-9A-Fa-f]{2})")
#: Objects that are packed together (ISO 32000, 7.5.7): the dictionary, and where the packed part begins.
_PACKED: Final = re.compile(rb"/ObjStm\b")
_FILTER: Final = re.compile(rb"/Filter\s*(\[[^\]]*\]|/\w+)")
_NAME: Final = re.compile(rb"/(\w+)")
_STREAM: Final = re.compile(rb"\bstream\r?\n")
#: Looked for from the word ObjStm on, in both directions.
_DICTIONARY_BYTES: Final = 4_096
_EXIF: Final = re.compile(rb"\xff\xe1(..)(Exif\0\0|http://ns\.adobe\.com/)", re.DOTALL)


def plain_pdf(data: bytes) -> bytes:
    """``data``, with the EXIF parts of the photographs in it made empty. Raises PaperError for what is not whole, has a
    password, a script, an action or a file inside."""
    if b"%%EOF" not in data[-2_048:]:
        raise PaperError("PDF 不完整，请重新导出 · the PDF is not whole; export it again")
    if b"PK\x05\x06" in data[-66_000:]:  # an archive begins at its end: the same bytes are a PDF and a zip
        raise _not_plain()
    text = _unescaped(data)
    if _ENCRYPTED.search(text):
        raise PaperError("PDF 有密码，请取消密码后上传 · the PDF has a password; save it without")
    if _ACTS.search(text):
        raise _not_plain()
    left = MAX_UNPACKED
    for found in _PACKED.finditer(text):
        objects = _objects(data, text, found.start(), left)
        left -= len(objects)
        if _ACTS.search(_unescaped(objects)):
            raise _not_plain()
    return _without_exif(data)


def _not_plain() -> PaperError:
    return PaperError(
        "PDF 含脚本、动作或内嵌文件，请打印为普通 PDF 后上传 · the PDF has scripts, actions or files inside; print it to a plain PDF"
    )


def _unescaped(text: bytes) -> bytes:
    """``text`` with the names written plainly. Bytes of packed parts that look like such a name change as well, which does not
    matter here, but for their length: so each is filled up with what no name has."""
    return _ESCAPED.sub(
        lambda name: (
            (plain := _HEX.sub(lambda h: bytes([int(h[1], 16)]), name[0]))
            + b" " * (len(name[0]) - len(plain))
        ),
        text,
    )


def _objects(data: bytes, text: bytes, at: int, most: int) -> bytes:
    """What the packed objects whose dictionary has the word ObjStm at ``at`` unpack to, at most ``most`` bytes. Raises PaperError
    for more, and for what is packed in a way that is not looked into."""
    begin = max(text.rfind(b"obj", 0, at), at - _DICTIONARY_BYTES, 0)
    stream = _STREAM.search(text, at, at + _DICTIONARY_BYTES)
    if stream is None:
        return b""  # the word alone, in a packed part
    dictionary = text[begin : stream.start()]
    filters = _FILTER.findall(dictionary)
    if not filters and b"/Filter" not in dictionary:
        return b""  # not packed: it was read with the rest
    if len(filters) != 1 or _NAME.findall(filters[0]) != [b"FlateDecode"] or b"/Predictor" in dictionary:
        raise _not_plain()
    # Not up to "endstream": those bytes may stand in the packed part. It says itself where it ends.
    unpack = zlib.decompressobj()
    try:
        found = unpack.decompress(memoryview(data)[stream.end() :], most + 1)
    except zlib.error:
        raise _not_plain() from None
    if len(found) > most or not unpack.eof:
        raise PaperError("PDF 已损坏，或展开后过大 · the PDF is damaged, or too large unpacked")
    return found


def _without_exif(data: bytes) -> bytes:
    """The same length, so that every place in the file stays where it is."""
    if _EXIF.search(data) is None:
        return data
    kept = bytearray(data)
    for found in _EXIF.finditer(data):
        end = min(found.start() + 2 + int.from_bytes(found[1], "big"), len(data))
        kept[found.start() + 4 : max(end, found.start() + 4)] = bytes(max(0, end - found.start() - 4))
    return bytes(kept)
