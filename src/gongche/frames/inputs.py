"""Where frames are found: hex as people copy it, logs with hex in them, raw bytes, captures."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import BinaryIO, Final, cast

from gongche.frames.captures import TCP, Payload, is_capture, payloads
from gongche.frames.streams import Streams
from runtime.errors import ConfigurationError
from telemetry.jt808.rejection import Rejection
from telemetry.jt808.scalar.framing import decode_segment
from telemetry.jt808.scalar.header import parse_header

_READ: Final = 1 << 16
#: A line of text is not longer; what is behind is a line of its own.
_MAX_LINE: Final = 1 << 20
#: Bytes without a delimiter that are kept, to be shown as what they are.
_MAX_RUN: Final = 1 << 14
#: Bytes of a stream that may be 808, until its first whole frame says so.
_MAX_UNSURE: Final = 1 << 13
_MAX_SURE: Final = 4096
_DELIMITER: Final = b"\x7e"


class Kind(Enum):
    """What a run of bytes is. BARE: a message without delimiters; JUNK: before the first delimiter; OPEN: without its last."""

    FRAME = "frame"
    BARE = "bare"
    JUNK = "junk"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Found:
    """A run of bytes between delimiters. ``where``: line or packet; ``time_us``: of the packet, 0 = unknown; ``way``: from whom to whom;
    ``lost``: bytes before it that a capture does not have."""

    kind: Kind
    data: bytes
    where: str = ""
    time_us: int = 0
    way: str = ""
    lost: int = 0


@dataclass(slots=True)
class Notes:
    """What was passed over while frames were looked for, by its reason (Chinese|English)."""

    skipped: Counter[str] = field(default_factory=Counter)


class Cutter:
    """Cuts a stream into runs between delimiters. Holds at most ``_MAX_RUN`` bytes."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._started = False

    def feed(self, data: bytes) -> Iterator[tuple[Kind, bytes]]:
        first, *others = data.split(_DELIMITER)
        yield from self._extend(first)
        for piece in others:
            if self._held:
                yield Kind.FRAME if self._started else Kind.JUNK, bytes(self._held)
            self._held.clear()
            self._started = True
            yield from self._extend(piece)

    def _extend(self, data: bytes) -> Iterator[tuple[Kind, bytes]]:
        for at in range(0, len(data), _MAX_RUN):
            self._held += data[at : at + _MAX_RUN]
            if len(self._held) >= _MAX_RUN:
                yield Kind.OPEN if self._started else Kind.JUNK, bytes(self._held)
                self._held.clear()

    def lose(self) -> Iterator[tuple[Kind, bytes]]:
        """Bytes are missing here: what was begun is not whole, and what follows is not its end."""
        yield from self.end()
        self._started = False

    def end(self) -> Iterator[tuple[Kind, bytes]]:
        """What is held when nothing more comes. Without any delimiter before it, it is a message without delimiters."""
        if self._held:
            yield Kind.OPEN if self._started else Kind.BARE, bytes(self._held)
        self._held.clear()


def find(words: Sequence[str], ports: frozenset[int], notes: Notes) -> Iterator[Found]:
    """Frames of what was given on the command line: files, ``-`` (standard input), or hex. Raises ConfigurationError."""
    if not words:
        words = ["-"]
    there = [word == "-" or _is_file(word) for word in words]
    if not any(there):
        # A frame that was pasted without quotes comes as many words.
        raw = from_hex(" ".join(words))
        if raw is None:
            raise ConfigurationError(
                f"既不是文件也不是十六进制：{words[0][:80]} / neither a file nor hex",
                hint="gongche frames decode 7E0002...7E，或文件名 / or the name of a file",
            )
        yield from _cut(raw, "")
        return
    for word, is_file in zip(words, there, strict=True):
        if not is_file:
            raise ConfigurationError(f"没有这个文件：{word[:200]} / no such file", hint="ls -l")
        yield from _from_file(word, ports, notes, name=word if len(words) > 1 else "")


def _is_file(word: str) -> bool:
    try:
        return Path(word).exists()
    except OSError:  # a word that is too long for a name is hex
        return False


def _from_file(word: str, ports: frozenset[int], notes: Notes, name: str) -> Iterator[Found]:
    try:
        if word == "-":
            yield from _from_stream(cast(BinaryIO, sys.stdin.buffer), ports, notes, name)
        else:
            with open(word, "rb") as file:
                yield from _from_stream(file, ports, notes, name)
    except OSError as error:
        raise ConfigurationError(f"{word}: {error.strerror}", hint="ls -l") from error


class _Ahead:
    """A file of which the first bytes were looked at already."""

    def __init__(self, head: bytes, file: BinaryIO) -> None:
        self._head, self._file = head, file

    def read(self, size: int) -> bytes:
        out, self._head = self._head[:size], self._head[size:]
        while len(out) < size and (more := self._file.read(size - len(out))):
            out += more
        return out


def _from_stream(file: BinaryIO, ports: frozenset[int], notes: Notes, name: str) -> Iterator[Found]:
    head = b""
    while len(head) < _READ and (more := file.read(_READ - len(head))):
        head += more
    ahead = cast(BinaryIO, _Ahead(head, file))
    if is_capture(head):
        yield from from_capture(ahead, ports, notes, name)
    elif (encoding := _text_encoding(head)) is not None:
        yield from _from_text(ahead, encoding, name)
    else:
        cutter, at = Cutter(), 0
        while data := ahead.read(_READ):
            for kind, run in cutter.feed(data):
                yield Found(kind, run, name)
            at += len(data)
        for kind, run in cutter.end():
            yield Found(kind, run, name)


def _text_encoding(head: bytes) -> str | None:
    """The encoding of a text that begins with ``head``; None for raw bytes."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if b"\x00" in head or any(byte < 9 or 13 < byte < 27 for byte in head[:4096]):
        return None
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            head[: len(head) - 4 if len(head) == _READ else len(head)].decode(encoding)
        except UnicodeDecodeError as error:
            if len(head) == _READ and error.start > len(head) - 12:
                return encoding
        else:
            return encoding
    return None


# --- hex ------------------------------------------------------------------------------------------

_SEPARATORS = re.compile(r"0[xX]|\\x|[\s:,;._|\-\[\](){}<>\"'`]+")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")
#: Hex within other text: from a 7E that no other digit is joined to, as far as there are pairs.
_RUN = re.compile(
    r"(?<![0-9a-zA-Z])(?:0x|\\x)?7e(?:[\s:,\-]{0,3}(?:0x|\\x)?[0-9a-f]{2}(?![g-z]))+", re.IGNORECASE
)
#: xxd, hexdump -C: an offset, up to sixteen bytes, perhaps the same as text.
_DUMP = re.compile(
    r"([0-9a-f]{6,8})(?::| ) *((?:[0-9a-f]{2} ?){1,16}|(?:[0-9a-f]{4} ?){1,8}(?:[0-9a-f]{2})?)(?:\s+.*)?$",
    re.IGNORECASE,
)


def from_hex(text: str) -> bytes | None:
    """The bytes of hex digits with whatever people put between them (spaces, colons, 0x, commas, brackets); None for other text and for an odd
    number of digits."""
    digits = _SEPARATORS.sub("", text)
    return bytes.fromhex(digits) if _HEX.fullmatch(digits) else None


def _from_text(file: BinaryIO, encoding: str, name: str) -> Iterator[Found]:
    """Frames of the lines of a text. Hex dumps go over several lines, else each line is for itself."""
    dump = bytearray()
    begun = 0
    for number, line in enumerate(_lines(file, encoding), 1):
        words = line.split("#", 1)[0].strip()
        where = f"{name}:{number}" if name else str(number)
        match = _DUMP.match(words)
        offset = int(match[1], 16) if match else -1
        if match and offset == len(dump) and (dump or offset == 0):
            begun = begun or number
            dump += bytes.fromhex(match[2].replace(" ", ""))
            continue
        if dump:
            yield from _cut(bytes(dump), f"{name}:{begun}" if name else str(begun))
            dump.clear()
            begun = 0
        for raw in line_bytes(words):
            yield from _cut(raw, where)
    if dump:
        yield from _cut(bytes(dump), f"{name}:{begun}" if name else str(begun))


def _lines(file: BinaryIO, encoding: str) -> Iterator[str]:
    if encoding == "utf-16":
        yield from file.read(64 * _MAX_LINE).decode("utf-16", "replace").splitlines()
        return
    held = b""
    while data := file.read(_READ):
        *whole, held = (held + data).split(b"\n")
        for line in whole:
            yield line.decode(encoding, "replace")
        if len(held) > _MAX_LINE:
            yield held.decode(encoding, "replace")
            held = b""
    if held:
        yield held.decode(encoding, "replace")


def line_bytes(line: str) -> list[bytes]:
    """The bytes that a line of text has as hex: all of it, or what begins with 7E within other words."""
    whole = from_hex(line)
    if whole is not None:
        return [whole]
    found = [from_hex(match[0]) for match in _RUN.finditer(line)]
    # Words behind a frame may look like hex: it ends with its last delimiter.
    return [raw[: raw.rindex(_DELIMITER) + 1] if raw.count(_DELIMITER) > 1 else raw for raw in found if raw]


def _cut(raw: bytes, where: str) -> Iterator[Found]:
    cutter = Cutter()
    for kind, run in (*cutter.feed(raw), *cutter.end()):
        yield Found(kind, run, where)


# --- captures -------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Line:
    """One direction of a connection. Until a whole frame has come it is not known to be 808: ``unsure`` holds what came."""

    cutter: Cutter = field(default_factory=Cutter)
    sure: bool = False
    unsure: bytearray = field(default_factory=bytearray)


_NOT_808 = "不是 808 的数据流（字节）|bytes of streams that are not 808"


def from_capture(file: BinaryIO, ports: frozenset[int], notes: Notes, name: str) -> Iterator[Found]:
    """Frames of the TCP and UDP in a capture, in the order in which they were whole. ``ports``: only those; none = all streams that
    have a frame with a right checksum."""
    streams, lines = Streams(), dict[object, _Line]()
    last: Payload | None = None
    for payload in payloads(file, notes.skipped):
        if ports and payload.source[1] not in ports and payload.target[1] not in ports:
            notes.skipped["其他端口|other ports"] += 1
            continue
        last = payload
        if payload.protocol != TCP:
            yield from _datagram(payload, bool(ports), notes, name)
            continue
        for piece in streams.take(payload):
            yield from _advance(
                lines, piece.payload, piece.data, piece.lost, piece.ended, bool(ports), notes, name
            )
    for piece in streams.end():
        yield from _advance(lines, piece.payload, piece.data, piece.lost, False, bool(ports), notes, name)
    for way, line in lines.items():
        if line.sure and last is not None:
            for kind, run in line.cutter.end():
                yield Found(kind, run, way=_way(cast(tuple[tuple[str, int], tuple[str, int]], way)))
        elif not line.sure:
            notes.skipped[_NOT_808] += len(line.unsure)


def _datagram(payload: Payload, wanted: bool, notes: Notes, name: str) -> Iterator[Found]:
    """One UDP datagram has whole frames."""
    if not wanted and not has_frame(payload.data):
        notes.skipped[_NOT_808] += len(payload.data)
        return
    for found in _cut(payload.data, ""):
        yield _placed(found.kind, found.data, payload, 0, name)


def _advance(
    lines: dict[object, _Line], payload: Payload, data: bytes, lost: int, ended: bool, wanted: bool, notes: Notes, name: str
) -> Iterator[Found]:  # fmt: skip
    way = payload.source, payload.target
    line = lines.get(way)
    if line is None:
        if len(lines) >= _MAX_SURE:
            lines.pop(next(iter(lines)))
        line = lines[way] = _Line(sure=wanted)
    if lost and line.sure:
        for kind, run in line.cutter.lose():
            yield _placed(kind, run, payload, 0, name)
    if not line.sure:
        line.unsure += data
        if _DELIMITER not in data or not has_frame(bytes(line.unsure)):
            excess = max(len(line.unsure) - _MAX_UNSURE, 0)
            notes.skipped[_NOT_808] += excess
            del line.unsure[:excess]
            return
        line.sure, data = True, bytes(line.unsure)
        line.unsure.clear()
    for kind, run in line.cutter.feed(data):
        yield _placed(kind, run, payload, lost, name)
        lost = 0
    if ended:
        for kind, run in line.cutter.end():
            yield _placed(kind, run, payload, 0, name)
        lines.pop(way, None)


def has_frame(data: bytes) -> bool:
    """Whether a whole 808 frame with a right checksum and length is in ``data``."""
    for segment in data.split(_DELIMITER)[1:-1]:
        message = decode_segment(segment) if segment else b""
        if isinstance(message, bytes) and message and not isinstance(parse_header(message), Rejection):
            return True
    return False


def _placed(kind: Kind, run: bytes, payload: Payload, lost: int, name: str) -> Found:
    packet = payload.packet
    where = f"{name}:{packet.number}" if name else str(packet.number)
    return Found(kind, run, where, packet.time_us, _way((payload.source, payload.target)), lost)


def _way(way: tuple[tuple[str, int], tuple[str, int]]) -> str:
    source, target = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in way)
    return f"{source} → {target}"
