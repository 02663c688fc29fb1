"""Tables of fields: one description decodes and encodes (JT/T 808 clause 4.2: big-endian, STRING = GBK).

Numbers stay integers in the unit of the wire; a field's ``scale`` and ``unit`` say what one step of it
means, so nothing is ever rounded on the way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

Value = int | str | bytes | None


class Kind(Enum):
    """How the bytes of a field are read."""

    UINT = "unsigned"
    INT = "two's complement"
    SIGN_MAGNITUDE = "top bit set = negative"
    TEXT_LEFT = "GBK, padded behind with 00"
    TEXT_SPACE = "GBK, padded behind with spaces"
    TEXT_RIGHT = "GBK, padded in front with 00"
    BYTES = "as they are"


TEXT_KINDS = (Kind.TEXT_LEFT, Kind.TEXT_SPACE, Kind.TEXT_RIGHT)
_PADDING = b"\x00 "
_CONTROLS = dict.fromkeys((*range(32), 127), "�")


@dataclass(frozen=True, slots=True)
class Field:
    """One field: ``width`` bytes (0 = the rest of the body); a value of ``scale`` ``unit`` per step.

    ``sentinel``: the raw number that means "no value" (decoded as None).
    """

    name: str
    width: int
    kind: Kind = Kind.UINT
    scale: float = 1
    unit: str = ""
    sentinel: int | None = None


def decode_text(raw: bytes) -> str:
    """Text of a GBK field: padding (00 and spaces, either side) removed.

    Bytes that are no GBK, and control characters, become U+FFFD: the result is safe to store and to print.
    """
    return raw.strip(_PADDING).decode("gbk", "replace").translate(_CONTROLS)


def encode_text(text: str, width: int, kind: Kind) -> bytes:
    """GBK bytes of ``text``, padded to ``width`` (0 = no padding). Raises ValueError where it does not
    fit.
    """
    raw = text.encode("gbk")
    if not width:
        return raw
    if len(raw) > width:
        raise ValueError(f"{text!r} has {len(raw)} bytes in GBK: at most {width}")
    if kind is Kind.TEXT_RIGHT:
        return raw.rjust(width, b"\x00")
    return raw.ljust(width, b" " if kind is Kind.TEXT_SPACE else b"\x00")


def fixed_width(table: Sequence[Field]) -> int:
    """Bytes that the fields of fixed width take together."""
    return sum(field.width for field in table)


def decode_field(field: Field, raw: bytes) -> Value:
    """The value of one field from exactly its bytes."""
    if field.kind in TEXT_KINDS:
        return decode_text(raw)
    if field.kind is Kind.BYTES:
        return raw
    number = int.from_bytes(raw, "big", signed=field.kind is Kind.INT)
    if number == field.sentinel:
        return None
    if field.kind is Kind.SIGN_MAGNITUDE:
        top = 1 << (8 * field.width - 1)
        return top - number if number & top else number
    return number


def encode_field(field: Field, value: Value) -> bytes:
    """Inverse of ``decode_field``. Raises ValueError for a value the field cannot carry."""
    if isinstance(value, str):
        return encode_text(value, field.width, field.kind)
    if isinstance(value, bytes):
        if field.width and len(value) != field.width:
            raise ValueError(f"{field.name}: {len(value)} bytes, {field.width} needed")
        return value
    if value is None:
        if field.sentinel is None:
            raise ValueError(f"{field.name}: has no way to say 'none'")
        value = field.sentinel
    elif field.kind is Kind.SIGN_MAGNITUDE and value < 0:
        top = 1 << (8 * field.width - 1)
        if -value >= top:
            raise ValueError(f"{field.name}: {value} does not fit {field.width} bytes")
        value = top - value
        if value == field.sentinel:
            raise ValueError(f"{field.name}: its number means 'none'")
    elif value == field.sentinel:
        raise ValueError(f"{field.name}: {value} means 'none'")
    try:
        return value.to_bytes(field.width, "big", signed=field.kind is Kind.INT)
    except OverflowError:
        raise ValueError(f"{field.name}: {value} does not fit {field.width} bytes") from None


def decode_fields(table: Sequence[Field], body: bytes) -> dict[str, Value] | None:
    """Values by name; None where ``body`` is shorter than the fixed fields. Bytes behind the last field
    are ignored.
    """
    if len(body) < fixed_width(table):
        return None
    values: dict[str, Value] = {}
    at = 0
    for field in table:
        end = at + field.width if field.width else len(body)
        values[field.name] = decode_field(field, body[at:end])
        at = end
    return values


def encode_fields(table: Sequence[Field], values: Mapping[str, Value]) -> bytes:
    """Inverse of ``decode_fields``. Raises KeyError for a missing value, ValueError for one that does not
    fit.
    """
    return b"".join(encode_field(field, values[field.name]) for field in table)
