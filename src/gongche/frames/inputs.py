"""Where frames are looked for: hex on the command line, files, standard input."""

from __future__ import annotations

import sys
from codecs import getincrementaldecoder
from collections.abc import Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Final, cast

from gongche.frames.captures import from_capture
from gongche.frames.packets import is_capture
from gongche.frames.runs import Cutter, Found, Notes, cut
from gongche.frames.texts import MAX_LINE, from_hex, from_lines
from runtime.errors import ConfigurationError

_READ: Final = 1 << 16
#: Bytes that tell what a file is.
_SNIFFED: Final = 4
#: Of a file of which every line is two bytes a character.
_MAX_UTF16: Final = 1 << 26


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
        yield from cut(raw, "")
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
            yield from from_stream(cast(BinaryIO, sys.stdin.buffer), ports, notes, name)
        else:
            with open(word, "rb") as file:
                yield from from_stream(file, ports, notes, name)
    except OSError as error:
        raise ConfigurationError(f"{word}: {error.strerror}", hint="ls -l") from error


class _Ahead:
    """A file of which the first bytes were looked at already."""

    def __init__(self, head: bytes, file: BinaryIO) -> None:
        self._head, self._file = head, file

    def read(self, size: int) -> bytes:
        """``size`` bytes; less only at the end of the file."""
        out, self._head = self._head[:size], self._head[size:]
        while len(out) < size and (more := self._file.read(size - len(out))):
            out += more
        return out

    def some(self) -> bytes:
        """What there is, at once: a log that is still written is shown as it grows. Empty at the end of the file."""
        out, self._head = self._head, b""
        return out or _some(self._file)


def _some(file: BinaryIO) -> bytes:
    return cast(BufferedReader, file).read1(_READ)


def from_stream(file: BinaryIO, ports: frozenset[int], notes: Notes, name: str) -> Iterator[Found]:
    head = b""
    while len(head) < _SNIFFED and (more := _some(file)):
        head += more
    ahead = _Ahead(head, file)
    if is_capture(head):
        yield from from_capture(cast(BinaryIO, ahead), ports, notes, name)
    elif (encoding := _text_encoding(head)) is not None:
        yield from from_lines(_lines(ahead, encoding), name)
    else:
        cutter = Cutter()
        while data := ahead.some():
            for kind, run in cutter.feed(data):
                yield Found(kind, run, name)
        for kind, run in cutter.end():
            yield Found(kind, run, name)


def _text_encoding(head: bytes) -> str | None:
    """The encoding of a text that begins with ``head``; None for raw bytes."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if any(byte < 9 or 13 < byte < 27 for byte in head[:4096]):
        return None
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            getincrementaldecoder(encoding)().decode(head)  # its last character may be cut
        except UnicodeDecodeError:
            continue
        return encoding
    return None


def _lines(file: _Ahead, encoding: str) -> Iterator[str]:
    if encoding == "utf-16":
        yield from file.read(_MAX_UTF16).decode("utf-16", "replace").splitlines()
        return
    held = b""
    while data := file.some():
        *whole, held = (held + data).split(b"\n")
        for line in whole:
            yield line.decode(encoding, "replace")
        if len(held) > MAX_LINE:
            yield held.decode(encoding, "replace")
            held = b""
    if held:
        yield held.decode(encoding, "replace")
