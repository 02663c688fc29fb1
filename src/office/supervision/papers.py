"""Files that people attach: what they are is found by their content, and what is dangerous or says too much is refused or removed. Pure.

Allowed: PDF, JPEG, PNG, DOCX, XLSX, plain text. Refused: macros, files with a password, archives in archives, embedded
programs, what unpacks to too much. Of pictures the parts are removed in which cameras write where and by whom they were taken.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import Final

from office.supervision.problems import InvalidError

MAX_BYTES: Final = 20 << 20
#: Bounds of a document that is a zip: parts, bytes unpacked, times packed.
MAX_PARTS: Final = 2_000
MAX_UNPACKED: Final = 200 << 20
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
_PNG: Final = b"\x89PNG\r\n\x1a\n"
#: Chunks of a PNG that draw nothing: texts and EXIF.
_PNG_SAYS: Final = frozenset({b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"tIME"})
#: What makes a PDF do something when it is opened, or carries other files.
_PDF_ACTS: Final = re.compile(rb"/(JavaScript|JS|Launch|EmbeddedFiles?|RichMedia|XFA)\b")


class PaperError(InvalidError):
    """A file that is not taken."""

    def __init__(self, message: str) -> None:
        super().__init__("", message)


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
        return Paper("application/pdf", _pdf(data))
    if data.startswith(b"\xff\xd8\xff"):
        return Paper("image/jpeg", without_positions(data))
    if data.startswith(_PNG):
        return Paper("image/png", _png(data))
    if data.startswith(b"PK\x03\x04"):
        return Paper(_office(data), data)
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise PaperError("旧版或有密码的 Office 文件，请取消密码并另存为 .docx 或 .xlsx · an old Office file, or one with a password; save it as .docx or .xlsx without")  # fmt: skip
    return Paper("text/plain", _text(data))


def _pdf(data: bytes) -> bytes:
    if b"%%EOF" not in data[-2_048:]:
        raise PaperError("PDF 不完整，请重新导出 · the PDF is not whole; export it again")
    if re.search(rb"/Encrypt\b", data):
        raise PaperError("PDF 有密码，请取消密码后上传 · the PDF has a password; save it without")
    if _PDF_ACTS.search(data):
        raise PaperError("PDF 含脚本或内嵌文件，请打印为普通 PDF 后上传 · the PDF has scripts or files inside; print it to a plain PDF")  # fmt: skip
    return data


def without_positions(data: bytes) -> bytes:
    """A JPEG without its segments APP1 (EXIF, XMP), APP13 and comments. Raises PaperError for what is no whole JPEG."""
    broken = PaperError("JPEG 已损坏 · the JPEG is damaged")
    kept, at, sizes = [data[:2]], 2, False
    while True:
        if at + 4 > len(data) or data[at] != 0xFF:
            raise broken
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if (
            marker in (0x01, 0xD8, 0xD9)
            or 0xD0 <= marker <= 0xD7
            or length < 2
            or at + 2 + length > len(data)
        ):
            raise broken
        sizes |= 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)
        if marker not in (0xE1, 0xED, 0xFE):
            kept.append(data[at : at + 2 + length])
        at += 2 + length
        if marker == 0xDA:  # what follows is the picture
            break
    # Behind the picture some cameras put another one with an EXIF of its own. In the picture 0xFF is followed by 0 or a restart;
    # a progressive one has more scans, whose tables are no APP segments.
    end = data.rfind(b"\xff\xd9", at)
    picture = data[at : end + 2] if end >= 0 else b""
    second = re.search(rb"\xff\xd9", picture)
    if not sizes or second is None:
        raise broken
    picture = picture[: second.end()]
    if re.search(rb"\xff\xe1..(Exif|http)", picture, re.DOTALL):
        raise broken
    return b"".join((*kept, picture))


def _png(data: bytes) -> bytes:
    broken = PaperError("PNG 已损坏 · the PNG is damaged")
    kept, at = [data[:8]], 8
    while True:
        if at + 12 > len(data):
            raise broken
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        end = at + 12 + length
        if end > len(data) or zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(
            data[end - 4 : end], "big"
        ):
            raise broken
        if (at == 8) != (kind == b"IHDR"):
            raise broken
        if kind not in _PNG_SAYS:
            kept.append(data[at:end])
        at = end
        if kind == b"IEND":
            return b"".join(kept)  # without what follows the picture


def _office(data: bytes) -> str:
    """The type of a DOCX or XLSX. Raises PaperError for every other zip, and for those that are dangerous."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _looked_at(archive, len(data))
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


def _looked_at(archive: zipfile.ZipFile, size: int) -> str:
    parts = archive.infolist()
    if any(part.flag_bits & 1 for part in parts):
        raise PaperError("文件有密码，请取消密码后上传 · the file has a password; save it without")
    unpacked = sum(part.file_size for part in parts)
    if len(parts) > MAX_PARTS or unpacked > MAX_UNPACKED or unpacked > MAX_RATIO * size:
        raise PaperError(
            f"文件展开后过大（{unpacked >> 20} MiB） · too large unpacked ({unpacked >> 20} MiB)"
        )
    names = {part.filename.replace("\\", "/").lower() for part in parts}
    kinds = {kind for name, kind in _MAIN.items() if name in names}
    if "[content_types].xml" not in names or len(kinds) != 1 or len(names) < len(parts):
        raise PaperError(
            "压缩包不予接收，请逐个上传其中的文件 · archives are not taken; send the files in it one by one"
        )
    total = 0
    for part in parts:
        name = part.filename.replace("\\", "/").lower()
        if "vbaproject" in name or "/activex/" in name or "/embeddings/" in name:
            raise PaperError("文件含宏或内嵌对象，请另存为不含宏的文件 · the file has macros or embedded objects; save it without")  # fmt: skip
        if name.startswith("/") or ".." in name.split("/"):
            raise PaperError("文件已损坏，请重新保存 · the file is damaged; save it again")
        with archive.open(part) as stream:
            begin = stream.read(8)
            if begin.startswith(_ARCHIVES) or (
                begin.startswith(_PROGRAMS) and not name.endswith((".png", ".jpeg", ".jpg"))
            ):
                raise PaperError("文件内含压缩包或程序 · there is an archive or a program inside")
            # The sizes that an archive names may be wrong: what comes out counts.
            read = len(begin)
            while piece := stream.read(1 << 20):
                read += len(piece)
                if total + read > MAX_UNPACKED or read > part.file_size:
                    raise PaperError("文件展开后过大 · too large unpacked")
            total += read
        if name == "[content_types].xml" and b"macroenabled" in archive.read(part).lower():
            raise PaperError("文件含宏，请另存为不含宏的文件 · the file has macros; save it without")
    return kinds.pop()


def _text(data: bytes) -> bytes:
    unknown = PaperError("文件类型不在允许范围：PDF、JPEG、PNG、DOCX、XLSX、纯文本 · not one of: PDF, JPEG, PNG, DOCX, XLSX, plain text")  # fmt: skip
    if data.startswith((*_ARCHIVES, *_PROGRAMS)) or re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", data):
        raise unknown
    if re.match(rb"\s*(\xef\xbb\xbf)?\s*<", data):  # a browser may take it for a page
        raise unknown
    for encoding in ("utf-8", "gb18030"):
        try:
            data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return data
    raise unknown
