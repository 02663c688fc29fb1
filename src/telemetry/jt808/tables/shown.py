"""Values as people read them, in Chinese or English, and what is odd about them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final
from unicodedata import category

from telemetry.jt808.tables.grammar import Bcd, Element, Num, Text, Value

#: Bytes, and items of a list, that are shown; the rest is counted.
_SHOWN_BYTES: Final = 64
_SHOWN_ITEMS: Final = 32


def in_words(label: str, english: bool) -> str:
    """The Chinese or the English of a label."""
    first, _, second = label.partition("|")
    return (second or first) if english else first


def shown(element: Element, value: Value, english: bool) -> str:
    """``value`` of ``element`` with its unit and its meaning. One line; control characters are escaped."""
    if isinstance(value, bytes):
        return _hex(value)
    if isinstance(value, list):
        listed = [str(each) for each in value[:_SHOWN_ITEMS]]
        if len(value) > _SHOWN_ITEMS:
            listed.append(f"… {len(value)}")
        return ", ".join(listed) or ("none" if english else "无")
    if isinstance(element, Bcd) and isinstance(value, str):
        return _digits(element, value)
    if isinstance(element, Num) and isinstance(value, int):
        return _number(element, value, english)
    return "" if value is None else printable(str(value))


def printable(text: str) -> str:
    """``text`` without characters that move a cursor or hide: they are escaped."""
    return "".join(c if _is_printable(c) else c.encode("unicode_escape").decode() for c in text)


def _is_printable(character: str) -> bool:
    """Also the wide spaces of Chinese texts."""
    return character.isprintable() or category(character) == "Zs"


def _hex(raw: bytes) -> str:
    cut = raw[:_SHOWN_BYTES].hex()
    return cut if len(raw) <= _SHOWN_BYTES else f"{cut}… ({len(raw)})"


def _number(element: Num, value: int, english: bool) -> str:
    if element.name == "properties":
        return _properties(value, english)
    if element.name in ("message_id", "checksum"):
        return f"0x{value:0{2 * element.width}X}"
    if element.bits is not None:
        said = [in_words(text, english) for bit, text in element.bits.items() if value >> bit & 1]
        return f"{value:#0{2 + 2 * element.width}x}" + (f" {'; '.join(said)}" if said else "")
    if element.codes is not None:
        text = element.codes.get(value)
        return str(value) if text is None else f"{value} {in_words(text, english)}"
    number = value * Decimal(str(element.scale)) if element.scale != 1 else Decimal(value)
    return f"{number:f} {element.unit}".rstrip()


def _properties(value: int, english: bool) -> str:
    """The word of a header (4.4.3): length, encryption, packages, version flag."""
    kinds = {0: "不加密|not encrypted", 1: "RSA 加密|RSA"}
    said = [
        f"长度 {value & 0x3FF}|length {value & 0x3FF}",
        kinds.get(value >> 10 & 7, "加密方式未知|encrypted in an unknown way"),
        "分包|one of several packages" if value >> 13 & 1 else "不分包|whole",
        "2019 版本标识|version flag of 2019" if value >> 14 & 1 else "",
    ]
    return ", ".join(in_words(each, english) for each in said if each)


def _digits(element: Bcd, value: str) -> str:
    """Digits of a time with the usual signs between them."""
    if element.form.startswith("YYMMDD"):
        pairs = [value[at : at + 2] for at in range(0, 12, 2)]
        return f"20{'-'.join(pairs[:3])} {':'.join(pairs[3:])}"
    if element.form == "YYYYMMDD":
        return f"{value[:4]}-{value[4:6]}-{value[6:]}"
    if element.form.startswith("hhmmss"):
        return f"{value[:2]}:{value[2:4]}:{value[4:6]}.{value[6:]}"
    return value


def oddity(element: Element, value: Value) -> str:
    """What the standard does not foresee about a value, as a label; "" = nothing."""
    if isinstance(element, Num) and isinstance(value, int):
        return _odd_number(element, value)
    if isinstance(element, Bcd) and isinstance(value, str):
        return _odd_digits(element, value)
    if isinstance(element, Text) and isinstance(value, str) and not all(map(_is_printable, value)):
        return "含有控制字符|has control characters"
    return ""


def _odd_number(element: Num, value: int) -> str:
    if element.bits is not None:
        unknown = [bit for bit in range(8 * element.width) if value >> bit & 1 and bit not in element.bits]
        listed = ", ".join(map(str, unknown))
        return f"标准保留的位被置 1：{listed}|reserved bits are set: {listed}" if unknown else ""
    if element.codes is not None and value not in element.codes:
        return "标准没有此取值|the standard does not have this value"
    if element.name.endswith("lat_e6") and value > 90_000_000:
        return "纬度超过 90 度|a latitude over 90 degrees"
    if element.name.endswith("lon_e6") and value > 180_000_000:
        return "经度超过 180 度|a longitude over 180 degrees"
    if element.name == "direction_deg" and value > 359:
        return "方向超过 359 度|a direction over 359 degrees"
    return ""


def _odd_digits(element: Bcd, value: str) -> str:
    if not value.isdecimal():
        return "BCD 中有 A 至 F|A to F among the digits"
    if not element.form or not int(value):
        return ""
    if element.form == "YYYYMMDD":
        return _odd_time(value, "%Y%m%d")
    if element.form == "YYMMDDhhmmss":
        # Every day at a time: the date is zero.
        return _odd_time(value[6:], "%H%M%S") if not int(value[:6]) else _odd_time(value, "%y%m%d%H%M%S")
    return _odd_time(value[:6], "%H%M%S")


def _odd_time(value: str, form: str) -> str:
    try:
        datetime.strptime(value, form)  # only whether it is one
    except ValueError:
        return "不是有效的时间|not a time"
    return ""
