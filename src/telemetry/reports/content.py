"""What a file is, by its own first bytes. What a terminal says of it is not asked: browsers will be shown it."""

from __future__ import annotations

from typing import Final

UNKNOWN: Final = "application/octet-stream"
#: Codes of the format in 0x0800 and 0x0801 -> what they name.
CLAIMED: Final = {0: "image/jpeg", 1: "image/tiff", 2: "audio/mpeg", 3: "audio/wav", 4: "video/x-ms-wmv"}
EXTENSIONS: Final = {
    "image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/bmp": "bmp", "image/tiff": "tif", "audio/mpeg": "mp3",
    "audio/wav": "wav", "audio/amr": "amr", "video/x-ms-wmv": "wmv", "video/mp4": "mp4", "video/x-msvideo": "avi", UNKNOWN: "bin",
}  # fmt: skip

_STARTS: Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"ID3", "audio/mpeg"),
    (b"#!AMR", "audio/amr"),
    # ASF, the container of WMV.
    (bytes.fromhex("3026B2758E66CF11A6D900AA0062CE6C"), "video/x-ms-wmv"),
)
#: Of 16 bytes or fewer, nothing is told by its third byte alone.
_MPEG: Final = frozenset({b"\xff\xfb", b"\xff\xfa", b"\xff\xf3", b"\xff\xf2", b"\xff\xe3"})


def content_type_of(data: bytes) -> str:
    """The content type of ``data``; UNKNOWN where its beginning says nothing."""
    for start, kind in _STARTS:
        if data.startswith(start):
            return kind
    if data[:4] == b"RIFF" and len(data) >= 12:
        return {b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}.get(data[8:12], UNKNOWN)
    if data[4:8] == b"ftyp":
        return "video/mp4"
    # A bitmap says how long it is.
    if data[:2] == b"BM" and int.from_bytes(data[2:6], "little") == len(data):
        return "image/bmp"
    return "audio/mpeg" if data[:2] in _MPEG else UNKNOWN
