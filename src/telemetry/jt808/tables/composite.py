"""Elements that are made of others: lists, parts that other fields decide about, values that are typed by an id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from telemetry.jt808.tables.grammar import (
    Bcd,
    Broken,
    Cursor,
    FieldError,
    Given,
    Num,
    Raw,
    Row,
    Table,
    Text,
    Value,
    prefixed,
    read_table,
    write_table,
)


def _listed(row: Given, name: str, path: str) -> Sequence[object]:
    if name not in row:
        raise FieldError(path + name, "缺少此字段", "this field is missing")
    listed = row[name]
    if not isinstance(listed, Sequence) or isinstance(listed, str | bytes):
        raise FieldError(path + name, "应为列表", "a list is needed")
    return listed


def _count(listed: Sequence[object], width: int, pointer: str) -> bytes:
    most = (1 << 8 * width) - 1
    if len(listed) > most:
        raise FieldError(pointer, f"{len(listed)} 项，最多 {most} 项", f"{len(listed)} items, at most {most}")
    return len(listed).to_bytes(width, "big")


@dataclass(frozen=True, slots=True)
class Numbers:
    """A list of numbers of ``width`` bytes each. ``count``: bytes of the count before them; 0 = all that is left."""

    name: str
    label: str
    width: int
    count: int = 1

    def read(self, cursor: Cursor, row: Row, path: str) -> None:
        path += self.name
        offset = cursor.at
        if self.count:
            raw = cursor.take(cursor.number(self.count, path) * self.width, path)
        else:
            raw = cursor.take(cursor.left // self.width * self.width, path)
        numbers = [int.from_bytes(raw[at : at + self.width], "big") for at in range(0, len(raw), self.width)]
        row[self.name] = numbers
        cursor.note(self, path, offset, numbers)

    def write(self, out: bytearray, row: Given, used: set[str], path: str) -> None:
        used.add(self.name)
        listed = _listed(row, self.name, path)
        pointer = path + self.name
        if self.count:
            out += _count(listed, self.count, pointer)
        for k, value in enumerate(listed):
            number = Num(str(k), self.label, self.width)
            number.write(out, {number.name: value}, set(), f"{pointer}/")

    def names(self) -> Iterator[str]:
        yield self.name


@dataclass(frozen=True, slots=True)
class Rows:
    """A list of rows of ``table``. ``count``: bytes of the count before them; 0 = until the end.

    ``sized``: bytes of the length before each row, 0 = none. A row that is shorter than its length said keeps the rest
    as ``leftovers``. ``lenient``: a broken row ends the list, and what stands from it on is left over.
    ``may_lack``: where no list is given, none is written.
    """

    name: str
    label: str
    table: Table
    count: int = 1
    sized: int = 0
    lenient: bool = False
    may_lack: bool = False

    def read(self, cursor: Cursor, row: Row, path: str) -> None:
        path += self.name
        offset = cursor.at
        rows: list[Row] = []
        row[self.name] = rows
        wanted = cursor.number(self.count, path) if self.count else cursor.left
        cursor.note(self, path, offset, wanted if self.count else None)
        while len(rows) < wanted and (self.count or cursor.left):
            begun = cursor.mark()
            try:
                rows.append(self._read_one(cursor, f"{path}/{len(rows)}/"))
            except Broken:
                if not self.lenient:
                    raise
                cursor.back_to(begun)
                break

    def _read_one(self, cursor: Cursor, path: str) -> Row:
        if not self.sized:
            return read_table(self.table, cursor, path)
        offset = cursor.at
        width = cursor.number(self.sized, path)
        if width > cursor.left:
            raise Broken(f"{path}: {width} bytes needed, {cursor.left} left")
        cursor.note(Num("length", "长度|length", self.sized), f"{path}length", offset, width)
        outer, cursor.end = cursor.end, cursor.at + width
        try:
            row = read_table(self.table, cursor, path)
            if cursor.left:
                LEFTOVERS.read(cursor, row, path)
        finally:
            cursor.end = outer
        return row

    def write(self, out: bytearray, row: Given, used: set[str], path: str) -> None:
        used.add(self.name)
        if self.may_lack and self.name not in row:
            return
        listed = _listed(row, self.name, path)
        pointer = path + self.name
        if self.count:
            out += _count(listed, self.count, pointer)
        table = (*self.table, Optional((LEFTOVERS,))) if self.sized else self.table
        for k, one in enumerate(listed):
            raw = write_table(table, one, f"{pointer}/{k}/")
            if self.sized:
                if len(raw) >= 1 << 8 * self.sized:
                    raise FieldError(
                        f"{pointer}/{k}", f"{len(raw)} 字节，过长", f"{len(raw)} bytes, too long"
                    )
                out += len(raw).to_bytes(self.sized, "big")
            out += raw

    def names(self) -> Iterator[str]:
        yield self.name


LEFTOVERS = Raw("leftovers", "多余字节|bytes left over")


class Condition(Protocol):
    """Whether a part of a table is there, told by a field before it."""

    def holds(self, row: Given) -> bool: ...


@dataclass(frozen=True, slots=True)
class Bit:
    """Bit ``bit`` of ``name`` is set."""

    name: str
    bit: int

    def holds(self, row: Given) -> bool:
        value = row.get(self.name)
        return isinstance(value, int) and bool(value >> self.bit & 1)


@dataclass(frozen=True, slots=True)
class OneOf:
    """``name`` has one of ``values``; with ``but``, any other than these."""

    name: str
    values: tuple[int, ...]
    but: bool = False

    def holds(self, row: Given) -> bool:
        return (row.get(self.name) in self.values) != self.but


@dataclass(frozen=True, slots=True)
class When:
    """``table``, where ``condition`` holds."""

    condition: Condition
    table: Table
    label: str = ""

    def read(self, cursor: Cursor, row: Row, path: str) -> None:
        if self.condition.holds(row):
            for element in self.table:
                element.read(cursor, row, path)

    def write(self, out: bytearray, row: Given, used: set[str], path: str) -> None:
        if self.condition.holds(row):
            for element in self.table:
                element.write(out, row, used, path)

    def names(self) -> Iterator[str]:
        for element in self.table:
            yield from element.names()


@dataclass(frozen=True, slots=True)
class Optional:
    """``table``, where bytes are left to read, or any of its names is given to write."""

    table: Table
    label: str = ""

    def read(self, cursor: Cursor, row: Row, path: str) -> None:
        if cursor.left:
            for element in self.table:
                element.read(cursor, row, path)

    def write(self, out: bytearray, row: Given, used: set[str], path: str) -> None:
        if any(name in row for name in self.names()):
            for element in self.table:
                element.write(out, row, used, path)

    def names(self) -> Iterator[str]:
        for element in self.table:
            yield from element.names()


@dataclass(frozen=True, slots=True)
class Either:
    """The first of ``tables`` that ends where the body ends; if none does, the first. The first that can carry the values is written.

    For what terminals write in the layout of another edition. Only as the last element of a table.
    """

    tables: tuple[Table, ...]
    label: str = ""

    def read(self, cursor: Cursor, row: Row, path: str) -> None:
        begun, before = cursor.mark(), dict(row)
        for table in self.tables:
            try:
                for element in table:
                    element.read(cursor, row, path)
            except Broken:
                pass
            else:
                if not cursor.left:
                    return
            cursor.back_to(begun)
            row.clear()
            row.update(before)
        for element in self.tables[0]:
            element.read(cursor, row, path)

    def write(self, out: bytearray, row: Given, used: set[str], path: str) -> None:
        refused: FieldError | None = None
        for table in self.tables:
            raw, names = bytearray(), set[str]()
            try:
                for element in table:
                    element.write(raw, row, names, path)
            except FieldError as error:
                refused = refused or error
                continue
            out += raw
            used |= names
            return
        if refused is not None:
            raise refused

    def names(self) -> Iterator[str]:
        for table in self.tables:
            for element in table:
                yield from element.names()


Typing = Num | Text | Raw | Bcd


@dataclass(frozen=True, slots=True)
class Typed:
    """A value whose type hangs on the id in the field ``key`` of its row: ``known`` has an element for each id.

    ``prefix``: bytes of the length before it. Read: an id that is not known, or a value of another length than that of its
    element, stays bytes. Written: bytes go as they are; a whole number needs a known id; a text is GBK.
    """

    name: str
    label: str
    key: str
    prefix: int
    known: Mapping[int, Typing] = field(hash=False)

    def read(self, cursor: Cursor, row: Row, path: str) -> None:
        path += self.name
        offset = cursor.at
        width = cursor.number(self.prefix, path)
        raw = cursor.take(width, path)
        value, remark = self._value(row.get(self.key), raw)
        row[self.name] = value
        # Whoever explains it shows what the parameter is called.
        cursor.note(self.element(row.get(self.key)) or self, path, offset, value, remark)

    def element(self, identity: object) -> Typing | None:
        """The element of an id, None where it is not known."""
        return self.known.get(identity) if isinstance(identity, int) else None

    def _value(self, identity: object, raw: bytes) -> tuple[Value, str]:
        element = self.element(identity)
        if element is None:
            return raw, ""
        if element.width and len(raw) != element.width:
            return raw, f"长度应为 {element.width}|its length should be {element.width}"
        inner = Cursor(raw, len(raw))
        row: Row = {}
        element.read(inner, row, "")
        return row[element.name], inner.remarks[0][1] if inner.remarks else ""

    def write(self, out: bytearray, row: Given, used: set[str], path: str) -> None:
        used.add(self.name)
        pointer = path + self.name
        if self.name not in row:
            raise FieldError(pointer, "缺少此字段", "this field is missing")
        value, element = row[self.name], self.element(row.get(self.key))
        if isinstance(value, bytes):
            raw = value
        elif element is None:
            raise FieldError(
                pointer, "本版本没有此编号，只能给出字节", "this edition does not have the id: give bytes"
            )
        else:
            raw = element.bytes_of(value, pointer)
        out += prefixed(raw, self.prefix, pointer)

    def names(self) -> Iterator[str]:
        yield self.name
