"""Of what a table of a message is made. Each element reads and writes its part of a body (clause 4.2: big-endian, STRING = GBK).

A body is read into a ``Row``: values by the names of the elements. Numbers stay integers in the unit of the wire. A text that
is no GBK stays bytes, so nothing is lost. A label is ``"Chinese|English"``; so are the texts of codes and bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from telemetry.jt808.scalar.fields import Kind, encode_text

Value = int | str | bytes | None | list["Row"] | list[int]
Row = dict[str, Value]
#: What is given to be written: as ``Row``, but any mapping and sequence will do.
Given = Mapping[str, object]

_PADDING: Final = b"\x00 "
#: Characters that a message to people names at most.
_NAMED: Final = 10


class Broken(Exception):
    """The body ends before the element does, or contradicts itself. Stays within this package: ``codec`` makes a Rejection of it."""


class FieldError(ValueError):
    """A message cannot be made of the values given. ``pointer``: the value, as ``parameters/0/value``; the texts are for people."""

    def __init__(self, pointer: str, chinese: str, english: str) -> None:
        super().__init__(f"{pointer}: {chinese} / {english}" if pointer else f"{chinese} / {english}")
        self.pointer, self.chinese, self.english = pointer, chinese, english


def missing_in_gbk(text: str) -> str:
    """The characters of ``text`` that GBK does not have, each once, in their order. A terminal cannot be sent them (4.2)."""
    return "".join(dict.fromkeys(character for character in text if not _in_gbk(character)))


def _in_gbk(character: str) -> bool:
    try:
        character.encode("gbk")
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Part:
    """One read element, for who explains a body. ``path``: as in ``FieldError.pointer``; ``offset``: of its first byte in the body, its length
    field included; ``raw``: its bytes; ``remark``: what is odd about it, "" = nothing."""

    element: Element
    path: str
    offset: int
    raw: bytes
    value: Value
    remark: str = ""


@dataclass(slots=True)
class Cursor:
    """Where in a body is read. ``parts`` is filled where somebody wants to know; ``remarks``: (path, label) of what is odd."""

    data: bytes
    end: int
    at: int = 0
    parts: list[Part] | None = None
    remarks: list[tuple[str, str]] = field(default_factory=list)

    @property
    def left(self) -> int:
        return self.end - self.at

    def take(self, width: int, path: str) -> bytes:
        """The next ``width`` bytes. Raises Broken where there are less."""
        if width > self.left:
            raise Broken(f"{path}: {width} bytes needed, {self.left} left")
        self.at += width
        return self.data[self.at - width : self.at]

    def number(self, width: int, path: str) -> int:
        return int.from_bytes(self.take(width, path), "big")

    def mark(self) -> tuple[int, int, int]:
        """Where it stands, for ``back_to``."""
        return self.at, len(self.parts or ()), len(self.remarks)

    def back_to(self, mark: tuple[int, int, int]) -> None:
        """Forget what was read since ``mark``."""
        self.at = mark[0]
        del self.remarks[mark[2] :]
        if self.parts is not None:
            del self.parts[mark[1] :]

    def note(self, element: Element, path: str, offset: int, value: Value, remark: str = "") -> None:
        """``element`` was read from ``offset`` up to here."""
        if remark:
            self.remarks.append((path, remark))
        if self.parts is not None:
            self.parts.append(Part(element, path, offset, self.data[offset : self.at], value, remark))


class Element(Protocol):
    """A piece of a table."""

    @property
    def label(self) -> str: ...

    def read(self, cursor: Cursor, row: Row, path: str) -> None:
        """Put the values of this element into ``row``. ``path``: of the row, "" or ending with "/". Raises Broken."""

    def write(self, out: bytearray, row: Given, used: set[str], path: str) -> None:
        """Append the bytes of this element's values in ``row`` to ``out``, and its names to ``used``. Raises FieldError."""

    def names(self) -> Iterator[str]:
        """The names of its values."""


Table = tuple[Element, ...]


def read_table(table: Table, cursor: Cursor, path: str = "") -> Row:
    row: Row = {}
    for element in table:
        element.read(cursor, row, path)
    for element in table:
        if isinstance(element, Num) and element.count_of:
            said, listed = row.get(element.name), row.get(element.count_of)
            if not isinstance(listed, list) or not isinstance(said, int):
                continue
            if said < len(listed) or (said > len(listed) and not element.at_least):
                cursor.remarks.append(
                    (path + element.name, f"个数与实际 {len(listed)} 不符|there are {len(listed)}")
                )
    return row


def write_table(table: Table, row: object, path: str = "") -> bytes:
    """The bytes of ``row``. Raises FieldError, also for a value that the table has no place for."""
    if not isinstance(row, Mapping):
        raise FieldError(path.rstrip("/"), "应为一组字段", "a mapping of fields is needed")
    out, used = bytearray(), set[str]()
    for element in table:
        element.write(out, row, used, path)
    if surplus := [str(name) for name in row if name not in used]:
        known = sorted({name for element in table for name in element.names()})
        raise FieldError(
            path + surplus[0],
            f"本消息没有此字段，或其他字段的取值使其不存在；可用字段：{', '.join(known) or '无'}",
            f"no such field here, or other fields leave it out; fields: {', '.join(known) or 'none'}",
        )
    return bytes(out)


def _given(row: Given, name: str, path: str) -> object:
    if name not in row:
        raise FieldError(path + name, "缺少此字段", "this field is missing")
    return row[name]


def _whole(value: object, width: int, signed: bool, pointer: str) -> bytes:
    if not isinstance(value, int) or isinstance(value, bool):
        raise FieldError(pointer, "应为整数", "a whole number is needed")
    low, high = (-(1 << 8 * width - 1), (1 << 8 * width - 1) - 1) if signed else (0, (1 << 8 * width) - 1)
    if not low <= value <= high:
        raise FieldError(
            pointer, f"{value} 超出范围 {low} 至 {high}", f"{value} is not within {low} to {high}"
        )
    return value.to_bytes(width, "big", signed=signed)


def prefixed(raw: bytes, prefix: int, pointer: str) -> bytes:
    if len(raw) >= 1 << 8 * prefix:
        most = (1 << 8 * prefix) - 1
        raise FieldError(pointer, f"{len(raw)} 字节，最多 {most}", f"{len(raw)} bytes, at most {most}")
    return len(raw).to_bytes(prefix, "big") + raw


@dataclass(frozen=True, slots=True)
class Num:
    """A number of ``width`` bytes, ``scale`` ``unit`` a step.

    ``codes``: what each value means; ``bits``: what each bit means when set; ``default``: written where no value is given;
    ``count_of``: written, where no value is given, is how many values that list has; read, another number is remarked on, with
    ``at_least`` only a smaller one (the list goes on in other packages).
    """

    name: str
    label: str
    width: int
    unit: str = ""
    scale: float = 1
    signed: bool = False
    codes: Mapping[int, str] | None = None
    bits: Mapping[int, str] | None = None
    default: int | None = None
    count_of: str = ""
    at_least: bool = False

    def read(self, cursor: Cursor, row: Row, path: str) -> None:
        offset = cursor.at
        raw = cursor.take(self.width, path + self.name)
        row[self.name] = value = int.from_bytes(raw, "big", signed=self.signed)
        cursor.note(self, path + self.name, offset, value)

    def write(self, out: bytearray, row: Given, used: set[str], path: str) -> None:
        used.add(self.name)
        counted = row.get(self.count_of)
        if self.name not in row and isinstance(counted, Sequence):
            value: object = len(counted)
        elif self.name not in row and self.default is not None:
            value = self.default
        else:
            value = _given(row, self.name, path)
        out += self.bytes_of(value, path + self.name)

    def bytes_of(self, value: object, pointer: str) -> bytes:
        """``value`` as it is sent. Raises FieldError."""
        return _whole(value, self.width, self.signed, pointer)

    def names(self) -> Iterator[str]:
        yield self.name


@dataclass(frozen=True, slots=True)
class Text:
    """A text in GBK. ``width``: its bytes, padded as ``pad`` says; 0 = all that is left, or, with ``prefix``, as many bytes as the
    length before it (``prefix`` bytes) says. ``most``: bytes at most, where the standard says so; ``default`` as of ``Num``.

    Read: padding is removed; what is no GBK, or has 00 inside, stays bytes and is remarked on.
    """

    name: str
    label: str
    width: int = 0
    prefix: int = 0
    pad: Kind = Kind.TEXT_LEFT
    most: int = 0
    default: str | None = None

    def read(self, cursor: Cursor, row: Row, path: str) -> None:
        path += self.name
        offset = cursor.at
        width = cursor.number(self.prefix, path) if self.prefix else self.width or cursor.left
        raw = cursor.take(width, path)
        bare = raw.strip(_PADDING) if self.width else raw.rstrip(b"\x00")
        value: str | bytes
        try:
            value, remark = bare.decode("gbk"), ""
        except UnicodeDecodeError:
            value, remark = raw, "不是 GBK 文本，原样保留|not GBK, kept as bytes"
        if b"\x00" in bare:
            value, remark = raw, "文本中间有 00，原样保留|00 inside the text, kept as bytes"
        if self.most and len(bare) > self.most and not remark:
            remark = f"超过 {self.most} 字节|more than {self.most} bytes"
        row[self.name] = value
        cursor.note(self, path, offset, value, remark)

    def write(self, out: bytearray, row: Given, used: set[str], path: str) -> None:
        used.add(self.name)
        use_default = self.name not in row and self.default is not None
        value = self.default if use_default else _given(row, self.name, path)
        out += self.bytes_of(value, path + self.name)

    def bytes_of(self, value: object, pointer: str) -> bytes:
        """``value`` (a text, or bytes as they are) with padding or length. Raises FieldError."""
        if isinstance(value, bytes):
            raw = value
        elif isinstance(value, str):
            if absent := missing_in_gbk(value):
                shown = " ".join(f"{one} (U+{ord(one):04X})" for one in absent[:_NAMED])
                raise FieldError(
                    pointer,
                    f"终端只能显示 GBK 字符，请改写：{shown}",
                    f"GBK does not have these characters: {shown}",
                )
            if "\x00" in value:
                raise FieldError(pointer, "文本不能含有 00", "a text cannot have 00")
            raw = value.encode("gbk")
        else:
            raise FieldError(pointer, "应为文本", "a text is needed")
        most = self.width or self.most
        if most and len(raw) > most:
            raise FieldError(
                pointer, f"GBK 编码 {len(raw)} 字节，最多 {most}", f"{len(raw)} bytes in GBK, at most {most}"
            )
        if self.prefix:
            return prefixed(raw, self.prefix, pointer)
        if isinstance(value, str) and self.width:
            return encode_text(value, self.width, self.pad)
        if self.width and len(raw) != self.width:
            raise FieldError(pointer, f"应为 {self.width} 字节", f"{self.width} bytes are needed")
        return raw

    def names(self) -> Iterator[str]:
        yield self.name


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes as they are: ``width`` of them; 0 = all that is left, or as the length before them (``prefix`` bytes) says."""

    name: str
    label: str
    width: int = 0
    prefix: int = 0
    default: bytes | None = None

    def read(self, cursor: Cursor, row: Row, path: str) -> None:
        path += self.name
        offset = cursor.at
        width = cursor.number(self.prefix, path) if self.prefix else self.width or cursor.left
        row[self.name] = value = cursor.take(width, path)
        cursor.note(self, path, offset, value)

    def write(self, out: bytearray, row: Given, used: set[str], path: str) -> None:
        used.add(self.name)
        use_default = self.name not in row and self.default is not None
        value = self.default if use_default else _given(row, self.name, path)
        out += self.bytes_of(value, path + self.name)

    def bytes_of(self, value: object, pointer: str) -> bytes:
        if not isinstance(value, bytes):
            raise FieldError(pointer, "应为字节", "bytes are needed")
        if self.width and len(value) != self.width:
            raise FieldError(pointer, f"应为 {self.width} 字节", f"{self.width} bytes are needed")
        return prefixed(value, self.prefix, pointer) if self.prefix else value

    def names(self) -> Iterator[str]:
        yield self.name


@dataclass(frozen=True, slots=True)
class Bcd:
    """Digits, two a byte, as a text of ``2 * width`` digits. Some terminals send A to F: they are kept.

    ``form``: of a time, with the letters YYMMDDhhmmss; GMT+8 unless the label says otherwise (4.2). "" = no time.
    """

    name: str
    label: str
    width: int
    form: str = ""

    def read(self, cursor: Cursor, row: Row, path: str) -> None:
        offset = cursor.at
        row[self.name] = value = cursor.take(self.width, path + self.name).hex().upper()
        cursor.note(self, path + self.name, offset, value)

    def write(self, out: bytearray, row: Given, used: set[str], path: str) -> None:
        used.add(self.name)
        out += self.bytes_of(_given(row, self.name, path), path + self.name)

    def bytes_of(self, value: object, pointer: str) -> bytes:
        digits = 2 * self.width
        if not isinstance(value, str) or len(value) != digits or set(value) - set("0123456789ABCDEF"):
            form = f" {self.form}" if self.form else ""
            raise FieldError(pointer, f"应为 {digits} 位数字{form}", f"{digits} digits are needed{form}")
        return bytes.fromhex(value)

    def names(self) -> Iterator[str]:
        yield self.name


def time(name: str, label: str) -> Bcd:
    """BCD[6]: YYMMDDhhmmss in GMT+8."""
    return Bcd(name, label, 6, "YYMMDDhhmmss")
