"""An explained frame as lines of a terminal, or as an object for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from unicodedata import east_asian_width

from gongche.frames.runs import Found, Kind
from runtime.units import CHINA, from_us
from telemetry.jt808.tables.explain import Explained, Explanation
from telemetry.jt808.tables.grammar import Num
from telemetry.jt808.tables.shown import in_words, shown

#: Columns of the bytes and of the name of a field. What is longer pushes the rest to the right, or is cut.
_BYTES_COLUMNS: Final = 18
_NAME_COLUMNS: Final = 30
_CUT_BYTES: Final = 8
#: Bytes of a whole frame that are shown.
_RAW_BYTES: Final = 1100

_KINDS: Final = {
    Kind.FRAME: "",
    Kind.BARE: "没有标识位 7E：按完整消息解析|no delimiter 7E: read as a whole message",
    Kind.JUNK: "第一个 7E 之前的字节，不是帧|bytes before the first 7E: no frame",
    Kind.OPEN: "没有结束的 7E|no 7E at its end",
}


def trouble(found: Found) -> str:
    """What is wrong with a run before it is read, as Chinese|English; "" = nothing."""
    return _KINDS[found.kind]


def width(text: str) -> int:
    """Columns that ``text`` takes in a terminal."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def padded(text: str, columns: int) -> str:
    return text + " " * max(columns - width(text), 1)


def when(time_us: int) -> str:
    """Beijing time to the millisecond."""
    if not time_us:
        return ""
    moment = from_us(time_us).astimezone(CHINA)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03}"


def lines(number: int, found: Found, told: Explanation, english: bool, *, brief: bool) -> Iterator[str]:
    """``told`` as lines. ``brief``: only what it is and what is wrong with it."""

    def said(label: str) -> str:
        return in_words(label, english)

    yield _title(number, found, told, english)
    if not brief:
        if told.packages:
            yield said(
                f"   由 {told.packages} 包合成，{len(told.raw)} 字节|   made of {told.packages} packages, {len(told.raw)} bytes"
            )
        else:
            cut = told.raw[:_RAW_BYTES]
            yield f"   7e {cut.hex()}{'…' if len(told.raw) > len(cut) else ''} 7e"
        rows: dict[str, str] = {}
        for one in told.fields:
            yield _field_line(one, english, _row_mark(one, rows))
        if told.more_fields:
            yield said(f"   … 还有 {told.more_fields} 个字段|   … {told.more_fields} more fields")
        if told.leftovers:
            yield said(f"   未解析：{told.leftovers[:32].hex()}|   not read: {told.leftovers[:32].hex()}")
    else:
        for one in told.fields:
            if one.remark:
                yield f"   ? {said(one.element.label)}: {said(one.remark)}"
    for problem in told.problems:
        yield f"   ✗ {said(problem)}"


def _title(number: int, found: Found, told: Explanation, english: bool) -> str:
    header = told.header
    words = [f"#{number}"]
    if found.where:
        words.append(f"@{found.where}")
    words += [each for each in (when(found.time_us), found.way) if each]
    if header is None:
        words.append(in_words("无法解析|cannot be read", english))
        return "  ".join(words)
    words.append(f"0x{header.id:04X} {in_words(told.label, english)}")
    if told.edition is not None:
        words.append(f"JT/T 808-{told.edition:d} {told.clause}".rstrip())
    words.append(f"{in_words('终端|terminal', english)} {header.phone}")
    words.append(f"{in_words('流水号|serial', english)} {header.serial}")
    if header.total > 1 and not told.packages:
        words.append(f"{in_words('分包|package', english)} {header.index}/{header.total}")
    return "  ".join(words)


def _row_mark(one: Explained, rows: dict[str, str]) -> str:
    """The number of a row, from 1, at the first of its fields. ``rows``: the last row of each list."""
    row, _, name = one.path.rpartition("/")
    if name.isdecimal():  # the row has a line of its own
        rows[row] = one.path
        return ""
    of, _, number = row.rpartition("/")
    if not number.isdecimal() or rows.get(of) == row:
        return ""
    rows[of] = row
    return f"[{int(number) + 1}] "


def _field_line(one: Explained, english: bool, mark: str) -> str:
    raw = one.raw.hex()
    if len(one.raw) > _CUT_BYTES:
        raw = f"{one.raw[: _CUT_BYTES - 1].hex()}… "
    name = (
        "  " * max(one.depth - one.path.startswith("header/"), 0)
        + mark
        + in_words(one.element.label, english)
    )
    value = shown(one.element, one.value, english)
    remark = f"  ? {in_words(one.remark, english)}" if one.remark else ""
    line = f"   {one.offset:>4}  {padded(raw, _BYTES_COLUMNS)}{padded(name, _NAME_COLUMNS)}{value}{remark}"
    return line.rstrip()


def as_object(number: int, found: Found, told: Explanation) -> dict[str, Any]:
    """``told`` for programs: bytes as hex, labels in both languages, fields in their order."""
    header = told.header
    return {
        "number": number,
        "where": found.where or None,
        "time": from_us(found.time_us).isoformat() if found.time_us else None,
        "way": found.way or None,
        "lost": found.lost,
        "raw": told.raw.hex(),
        "id": header and f"{header.id:04x}",
        "name": _both(told.label),
        "edition": told.edition and int(told.edition),
        "clause": told.clause or None,
        "phone": header and header.phone,
        "serial": header and header.serial,
        "package": [header.index, header.total]
        if header and header.fragmented and not told.packages
        else None,
        "packages": told.packages or None,
        "fields": [_field_object(one) for one in told.fields],
        "more_fields": told.more_fields,
        "leftovers": told.leftovers.hex(),
        "problems": [_both(problem) for problem in told.problems],
    }


def _field_object(one: Explained) -> dict[str, Any]:
    value = one.value.hex() if isinstance(one.value, bytes) else one.value
    element = one.element
    return {
        "path": one.path,
        "offset": one.offset,
        "bytes": one.raw.hex(),
        "name": _both(element.label),
        "value": value,
        "shown": {"zh": shown(element, one.value, False), "en": shown(element, one.value, True)},
        "unit": element.unit or None if isinstance(element, Num) else None,
        "scale": element.scale if isinstance(element, Num) else None,
        "odd": _both(one.remark) if one.remark else None,
    }


def _both(label: str) -> dict[str, str]:
    return {"zh": in_words(label, False), "en": in_words(label, True)}
