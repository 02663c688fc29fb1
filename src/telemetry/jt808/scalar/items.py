"""Additional items of a position: id BYTE, length BYTE, value (2019 clause 8.12 tables 26, 27; JT/T 1078;
Su-biao).

An item that is unknown or has an unexpected length is skipped by its declared length and kept as it came:
it never costs the position. A number with all bits set means "no data": it is absent (None).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from telemetry.jt808.scalar.fields import Field, Kind, decode_field, encode_field, fixed_width

ItemValue = int | bytes | None | tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """An item the standards know. ``layouts``: one table of fields for each length it may have; a single
    field of width 0 takes any length."""

    id: int
    name: str
    layouts: tuple[tuple[Field, ...], ...]


def _field(name: str, width: int, kind: Kind = Kind.UINT, scale: float = 1, unit: str = "") -> Field:
    """A number of an item: all its bits set say that the terminal has none."""
    return Field(name, width, kind, scale, unit, sentinel=(1 << 8 * width) - 1)


def _number(
    identity: int, name: str, width: int, scale: float = 1, unit: str = "", kind: Kind = Kind.UINT
) -> Item:
    return Item(identity, name, ((_field(name, width, kind, scale, unit),),))


def _raw(identity: int, name: str) -> Item:
    return Item(identity, name, ((Field(name, 0, Kind.BYTES),),))


_AREA_TYPE = _field("area_type", 1)  # 0 none, 1 circle, 2 rectangle, 3 polygon, 4 route (segment)
_AREA_ID = _field("area_id", 4)

#: Every standard item, in the order of its id.
ITEMS: tuple[Item, ...] = (
    _number(0x01, "odometer_dkm", 4, 0.1, "km"),
    _number(0x02, "fuel_dl", 2, 0.1, "L"),
    _number(0x03, "recorder_speed_dkmh", 2, 0.1, "km/h"),
    _number(0x04, "event_to_confirm", 2),
    Item(
        0x05, "tyre_pressure", (tuple(Field(f"wheel_{k}", 1, unit="Pa", sentinel=0xFF) for k in range(30)),)
    ),
    _number(0x06, "compartment_temperature", 2, 1, "degree C", Kind.SIGN_MAGNITUDE),
    Item(0x11, "overspeed", ((_AREA_TYPE,), (_AREA_TYPE, _AREA_ID))),
    Item(0x12, "area_crossing", ((_AREA_TYPE, _AREA_ID, _field("direction", 1)),)),  # 0 in, 1 out
    Item(
        0x13,
        "segment_time",
        (
            (_field("segment_id", 4), _field("time", 2, unit="s"), _field("result", 1)),
        ),  # 0 too short, 1 too long
    ),
    _number(0x14, "video_alarm", 4),  # JT/T 1078 table 13
    _number(0x15, "video_signal_lost", 4),
    _number(0x16, "video_covered", 4),
    _number(0x17, "storage_failure", 2),
    # JT/T 1078: kinds of driving (bits), then the degree of fatigue; some texts and terminals leave the second out.
    Item(0x18, "abnormal_driving", ((_field("kinds", 2),), (_field("kinds", 2), _field("fatigue", 1)))),
    _number(0x25, "vehicle_signals", 4),  # bits, table 31
    _number(0x2A, "io_status", 2),  # bits, table 32
    Item(0x2B, "analog", ((_field("ad1", 2), _field("ad0", 2)),)),  # AD0 is the low word
    _number(0x30, "radio", 1),
    _number(0x31, "satellites", 1),
    _raw(0x64, "adas"),  # Su-biao
    _raw(0x65, "dsm"),
    _raw(0x66, "tpms"),
    _raw(0x67, "bsd"),
)
_BY_ID = {item.id: item for item in ITEMS}
_BY_NAME = {item.name: item for item in ITEMS}


@dataclass(frozen=True, slots=True)
class DecodedItems:
    """``values`` by name (an int; a tuple where an item has several fields; bytes; None = the terminal says
    that it has no value). ``other``: (id, bytes) of what is unknown, came twice or has a wrong length, in
    the order it came. ``tail``: bytes behind the last whole item. ``odd`` counts known items of a wrong
    length, repeated ones, and a tail; unknown ids are not odd. ``absent`` counts items without any value."""

    values: dict[str, ItemValue]
    other: tuple[tuple[int, bytes], ...]
    tail: bytes
    odd: int
    absent: int = 0


def decode_items(data: bytes) -> DecodedItems:
    """Decode the bytes behind the basic part of a position. Any bytes give a result."""
    values: dict[str, ItemValue] = {}
    other: list[tuple[int, bytes]] = []
    odd = absent = at = 0
    while at + 2 <= len(data) and (end := at + 2 + data[at + 1]) <= len(data):
        identity, raw = data[at], data[at + 2 : end]
        at = end
        item = _BY_ID.get(identity)
        layout = _layout(item, len(raw)) if item else None
        if item is None or layout is None or item.name in values:
            other.append((identity, raw))
            odd += item is not None
        else:
            values[item.name] = _decode(layout, raw)
            absent += layout[0].width > 0 and raw.count(0xFF) == len(raw)
    tail = data[at:]
    return DecodedItems(values, tuple(other), tail, odd + bool(tail), absent)


def _layout(item: Item, length: int) -> tuple[Field, ...] | None:
    for layout in item.layouts:
        if fixed_width(layout) == length or layout[0].width == 0:
            return layout
    return None


def _decode(layout: tuple[Field, ...], raw: bytes) -> ItemValue:
    found: list[int | None] = []
    at = 0
    for field in layout:
        value = decode_field(field, raw[at : at + field.width] if field.width else raw)
        at += field.width
        if isinstance(value, bytes):
            return value
        found.append(value if isinstance(value, int) else None)
    return found[0] if len(found) == 1 else tuple(found)


def encode_items(values: Mapping[str, ItemValue], other: Sequence[tuple[int, bytes]] = ()) -> bytes:
    """Inverse of ``decode_items``: ``values`` in the order of their ids, then ``other``.

    Raises KeyError for an unknown name, ValueError for a value that no layout of its item can carry.
    """
    unknown = values.keys() - _BY_NAME.keys()
    if unknown:
        raise KeyError(f"unknown items: {sorted(unknown)}")
    out = bytearray()
    for item in ITEMS:
        if item.name in values:
            out += _tlv(item.id, _encode(item, values[item.name]))
    for identity, raw in other:
        out += _tlv(identity, raw)
    return bytes(out)


def _encode(item: Item, value: ItemValue) -> bytes:
    parts = value if isinstance(value, tuple) else (value,)
    for layout in item.layouts:
        if len(layout) == len(parts):
            return b"".join(encode_field(field, part) for field, part in zip(layout, parts, strict=True))
    raise ValueError(f"{item.name}: no layout of {len(parts)} fields")


def _tlv(identity: int, raw: bytes) -> bytes:
    if len(raw) > 255:
        raise ValueError(f"item {identity:#04x} of {len(raw)} bytes: at most 255")
    return bytes((identity, len(raw))) + raw
