"""Files that people attach: what they are is found by their content, and what is dangerous or says too much is refused or removed. Pure.

Allowed: PDF, JPEG, PNG, DOCX, XLSX, plain text. Refused: macros, files with a password, archives in archives, embedded
programs, templates and objects from elsewhere, what unpacks to too much. Of pictures, also of those in documents, only what
draws is kept (``pictures``), so nothing says where and by whom they were taken.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import Final

from office.supervision.pdf_files import plain_pdf
from office.supervision.pictures import PNG, png, without_positions
from office.supervision.problems import PaperError

MAX_BYTES: Final = 20 << 20
#: Bounds of a document that is a zip: parts, bytes unpacked, times packed.
MAX_PARTS: Final = 2_000
MAX_UNPACKED: Final = 200 << 20
#: One part is in memory as a whole while it is looked at.
MAX_PART: Final = 50 << 20
MAX_RATIO: Final = 200

_DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MAIN: Final = {"word/document.xml": _DOCX, "xl/workbook.xml": _XLSX}
ENDINGS: Final = {
    "application/pdf": (".pdf",),
    "image/jpeg": (".jpg", ".jpeg"),
    "image/png": (".png",),
    _DOCX: (".docx",),
    _XLSX: (".xlsx",),
    "text/plain": (".txt", ".csv", ".log", ".md"),
}
_ARCHIVES: Final = (
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"Rar!",
    b"7z\xbc\xaf",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ",
    b"MSCF",
)
_PROGRAMS: Final = (b"MZ", b"\x7fELF", b"\xd0\xcf\x11\xe0", b"#!", b"\xca\xfe\xba\xbe")
#: Pictures in a document that are not looked into, and may say where they were taken: TIFF, WebP, HEIF, JPEG XL.
_OTHER_PICTURES: Final = re.compile(
    rb"II\*\0|MM\0\*|RIFF....WEBP|....ftyp|\0\0\0\x0cJXL |\xff\x0a", re.DOTALL
)
#: Parts of a document that run something, or stand for another file: macros of both kinds, controls, objects.
_RUNS: Final = re.compile(
    r"vbaproject|vbadata|/activex/|/embeddings/|/macrosheets/|/dialogsheets/|/ctrlprops/|afchunk|/customui"
)
#: What a document fetches from elsewhere when it is opened; links that somebody clicks on are none.
_FETCHES: Final = re.compile(
    rb"relationships/(?:attachedTemplate|oleObject|aFChunk|frame|subDocument|externalLinkPath|package|vbaProject)\b",
    re.IGNORECASE,
)
_DDE: Final = re.compile(rb"\bDDE(?:AUTO)?\s|<ddeLink\b", re.IGNORECASE)
#: A cell of a text table that starts a program in old Excel: =cmd|'/c ...'!A1
_DDE_CELL: Final = re.compile(rb"(?:^|[,;\t\"])\s*[=+@-][^,;\t\r\n]{0,200}\|", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Paper:
    """A file as it is kept: its type by content, its bytes without what was removed."""

    media_type: str
    body: bytes


def read_paper(data: bytes, name: str) -> Paper:
    """What ``data`` is. ``name``: its file name, whose ending must fit. Raises PaperError."""
    if not data:
        raise PaperError("文件是空的 · the file is empty")
    if len(data) > MAX_BYTES:
        raise PaperError(f"文件超过 {MAX_BYTES >> 20} MiB · larger than {MAX_BYTES >> 20} MiB")
    paper = _by_content(data)
    ending = "".join(name.lower().rpartition(".")[1:])
    if ending not in ENDINGS[paper.media_type]:
        raise PaperError(
            f"文件名与内容不符：内容是 {paper.media_type}，请按实际类型改名 · the name does not fit: the content is"
            f" {paper.media_type}; give it the ending {ENDINGS[paper.media_type][0]}"
        )
    return paper


def _by_content(data: bytes) -> Paper:
    if data.startswith(b"%PDF-"):
        return Paper("application/pdf", plain_pdf(data))
    if data.startswith(b"\xff\xd8\xff"):
        return Paper("image/jpeg", without_positions(data))
    if data.startswith(PNG):
        return Paper("image/png", png(data))
    if data.startswith(b"PK\x03\x04"):
        return Paper(*_office(data))
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise PaperError("旧版或有密码的 Office 文件，请取消密码并另存为 .docx 或 .xlsx · an old Office file, or one with a password; save it as .docx or .xlsx without")  # fmt: skip
    return Paper("text/plain", _text(data))


def _office(data: bytes) -> tuple[str, bytes]:
    """The type of a DOCX or XLSX, and the file with the positions taken out of its pictures. Raises PaperError for every other
    zip, and for those that are dangerous."""
    if data.count(b"PK\x01\x02") > MAX_PARTS:  # before a list of them is made
        raise PaperError("文件内的部件过多 · too many parts inside")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            kind, changed = _looked_at(archive, len(data))
            return kind, _rewritten(archive, changed) if changed else data
    except PaperError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        OSError,
        ValueError,
        struct.error,
    ):
        raise PaperError("文件已损坏，请重新保存 · the file is damaged; save it again") from None


def _looked_at(archive: zipfile.ZipFile, size: int) -> tuple[str, dict[str, bytes]]:
    """The type, and the pictures that must change, by the names of their parts."""
    parts = archive.infolist()
    if any(part.flag_bits & 1 for part in parts):
        raise PaperError("文件有密码，请取消密码后上传 · the file has a password; save it without")
    unpacked = sum(part.file_size for part in parts)
    largest = max((part.file_size for part in parts), default=0)
    if len(parts) > MAX_PARTS or largest > MAX_PART or unpacked > min(MAX_UNPACKED, MAX_RATIO * size):
        raise PaperError(
            f"文件展开后过大（{unpacked >> 20} MiB） · too large unpacked ({unpacked >> 20} MiB)"
        )
    names = {part.filename.replace("\\", "/").lower() for part in parts}
    kinds = {kind for name, kind in _MAIN.items() if name in names}
    if "[content_types].xml" not in names or len(kinds) != 1 or len(names) < len(parts):
        raise PaperError(
            "压缩包不予接收，请逐个上传其中的文件 · archives are not taken; send the files in it one by one"
        )
    total, changed = 0, dict[str, bytes]()
    for part in parts:
        name = part.filename.replace("\\", "/").lower()
        if _RUNS.search(f"/{name}"):
            raise PaperError("文件含宏或内嵌对象，请另存为不含宏的文件 · the file has macros or embedded objects; save it without")  # fmt: skip
        if name.startswith("/") or ".." in name.split("/"):
            raise PaperError("文件已损坏，请重新保存 · the file is damaged; save it again")
        with archive.open(part) as stream:
            # The sizes that an archive names may be wrong: what comes out counts.
            body = stream.read(part.file_size + 1)
        total += len(body)
        if total > MAX_UNPACKED or len(body) > part.file_size:
            raise PaperError("文件展开后过大 · too large unpacked")
        plain = _part(name, body)
        if plain != body:
            changed[part.filename] = plain
    return kinds.pop(), changed


def _part(name: str, body: bytes) -> bytes:
    """A part of a document as it may stay. Raises PaperError."""
    if body.startswith((b"\xff\xd8\xff", PNG)):
        return png(body) if body.startswith(PNG) else without_positions(body)
    if body.startswith((*_ARCHIVES, *_PROGRAMS)):
        raise PaperError("文件内含压缩包或程序 · there is an archive or a program inside")
    if _OTHER_PICTURES.match(body):
        raise PaperError("文件内的图片须为 JPEG 或 PNG · pictures inside must be JPEG or PNG")
    if name.endswith(".rels") and _FETCHES.search(body) and b"external" in body.lower():
        raise PaperError("文件打开时会引用外部模板或对象，请另存为普通文件 · the file fetches a template or an object when it is opened; save it without")  # fmt: skip
    if name.endswith(".xml") and _DDE.search(body):
        raise PaperError("文件含 DDE 链接，请删除后上传 · the file has DDE links; remove them")
    if name == "[content_types].xml" and b"macroenabled" in body.lower():
        raise PaperError("文件含宏，请另存为不含宏的文件 · the file has macros; save it without")
    return body


def _rewritten(archive: zipfile.ZipFile, changed: dict[str, bytes]) -> bytes:
    """The archive with other bytes in the parts ``changed``."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for part in archive.infolist():
            info = zipfile.ZipInfo(part.filename, part.date_time)
            info.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(info, changed.get(part.filename) or archive.read(part))
    return made.getvalue()


def _text(data: bytes) -> bytes:
    unknown = PaperError("文件类型不在允许范围：PDF、JPEG、PNG、DOCX、XLSX、纯文本 · not one of: PDF, JPEG, PNG, DOCX, XLSX, plain text")  # fmt: skip
    if data.startswith((*_ARCHIVES, *_PROGRAMS)) or re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", data):
        raise unknown
    if re.match(rb"\s*(\xef\xbb\xbf)?\s*<", data):  # a browser may take it for a page
        raise unknown
    if _DDE_CELL.search(data):
        raise PaperError(
            "表格中有会启动程序的公式，请删除后上传 · a cell has a formula that starts a program; remove it"
        )
    for encoding in ("utf-8", "gb18030"):
        try:
            data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return data
    raise unknown
