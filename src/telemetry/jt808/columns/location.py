"""Position reports by columns: 0x0200 bodies of many terminals to a PositionBatch, and the envelope of 0x0704.

JT/T 808-2019 clause 8.12 (tables 23-27), the same in 2011 and 2013 for the 28 bytes of the basic part. Reports of one
terminal model have the same items in the same places, so bodies are decoded class by class: bodies of one length, whose
first body serves as *template*; every body that has the template's item ids and lengths in the same places is read by
fixed offsets. What fits no template, or says "no data" in an item with a column, is walked item by item, still by columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np

from runtime.arrays import AnyInts, Bools, Ints
from runtime.units import CHINA_OFFSET_US, US_PER_S
from telemetry.jt808.columns.framing import read_rows
from telemetry.jt808.scalar.fields import fixed_width
from telemetry.jt808.scalar.items import ITEMS
from telemetry.positions import OPTIONAL, SPEC, PositionBatch

BASIC_LENGTH: Final = 28

_BASIC_FIELDS: Final = {
    # name: (format, offset); clause 8.12 table 23
    "alarm": (">u4", 0),
    "status": (">u4", 4),
    "latitude": (">u4", 8),
    "longitude": (">u4", 12),
    "altitude": (">i2", 16),
    "speed": (">u2", 18),
    "direction": (">u2", 20),
}
_SOUTH, _WEST = 1 << 2, 1 << 3

#: Items with a column of their own (they have its name): id -> (column, length). Everything else stays in ``items`` as it
#: came.
ITEM_COLUMNS: Final = {
    item.id: (item.name, np.dtype(SPEC[item.name][0]).itemsize) for item in ITEMS if item.name in OPTIONAL
}
#: What is known of every id, by the specification: which lengths are odd, [id, length]; a bit for each known id, to see one
#: twice; whether all bits set mean that it has no data.
_ODD: Final = np.zeros((256, 256), np.bool_)
_KNOWN: Final = np.zeros(256, np.uint64)
_NUMERIC: Final = np.zeros(256, np.bool_)
for _k, _item in enumerate(ITEMS):
    _lengths = [fixed_width(layout) for layout in _item.layouts]
    _KNOWN[_item.id], _NUMERIC[_item.id] = 1 << _k, 0 not in _lengths
    _ODD[_item.id] = ~np.isin(np.arange(256), _lengths) & _NUMERIC[_item.id]
#: Stands for the id of bytes behind the last whole item.
TAIL: Final = 256
_BIT: Final = {name: np.uint8(1 << k) for k, name in enumerate(OPTIONAL)}
_FORMAT: Final = {4: ">u4", 2: ">u2", 1: "u1"}
_NO_DATA: Final = {width: (1 << 8 * width) - 1 for width in _FORMAT}
#: Layouts tried before the rest is walked item by item.
_MAX_TEMPLATES: Final = 6

# --- BCD times -----------------------------------------------------------------------------------------------------

_INVALID: Final = np.int64(-(1 << 40))  # makes any sum negative


def _bcd_table(low: int, high: int, scale: int) -> AnyInts:
    """256 entries: value of a BCD byte between low and high, times scale; _INVALID otherwise."""
    table = np.full(256, _INVALID, np.int64)
    for value in range(low, high + 1):
        table[value // 10 * 16 + value % 10] = value * scale
    return table


def _day_table() -> AnyInts:
    """Days since 1970-01-01 of 20yy-mm-dd at index yy*512 + mm*32 + dd; _INVALID where there is no such day."""
    table = np.full(100 * 512, _INVALID, np.int64)
    for year in range(100):
        for month in range(1, 13):
            first = np.datetime64(f"20{year:02d}-{month:02d}-01", "D")
            following = np.datetime64(f"20{year:02d}-{month:02d}", "M") + np.timedelta64(1, "M")
            days = (following.astype("datetime64[D]") - first).astype(int)
            begin = year * 512 + month * 32 + 1
            table[begin : begin + days] = first.astype(int) + np.arange(days)
    return table


_DAYS: Final = _day_table()
_YEAR, _MONTH, _DAY = _bcd_table(0, 99, 512), _bcd_table(1, 12, 32), _bcd_table(1, 31, 1)
_HOUR, _MINUTE, _SECOND = _bcd_table(0, 23, 3600), _bcd_table(0, 59, 60), _bcd_table(0, 59, 1)


def decode_times(rows: AnyInts) -> AnyInts:
    """BCD YYMMDDhhmmss in GMT+8, shape (n, 6) uint8, to microseconds since 1970 UTC, int64; 0 = unreadable."""
    key = _YEAR[rows[:, 0]] + _MONTH[rows[:, 1]] + _DAY[rows[:, 2]]
    seconds = _HOUR[rows[:, 3]] + _MINUTE[rows[:, 4]] + _SECOND[rows[:, 5]]
    seconds += _DAYS[np.maximum(key, 0)] * 86_400  # index 0 (month 0) is no day
    return np.where(seconds >= 0, seconds * US_PER_S - CHINA_OFFSET_US, 0)


# --- 0x0704 --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bodies:
    """Where 0x0200 bodies lie in a buffer. ``owner[i]`` is the index of the frame that body i came in."""

    start: AnyInts
    length: AnyInts
    owner: AnyInts


def expand_batches(data: AnyInts, start: AnyInts, length: AnyInts) -> tuple[Bodies, Bools, AnyInts]:
    """The 0x0200 bodies inside 0x0704 bodies (count WORD, type BYTE, then length WORD + body each).

    Returns the bodies (owner = index into ``start``), shape (n,) whether the envelope was whole (count and lengths
    agree with the body), and shape (n,) the type byte (1 = blind-zone re-upload). What stands before a broken place is
    kept: one bad point must not cost the good ones. A loop over points, each step over all batches.
    """
    n = len(start)
    readable = length >= 3
    head = read_rows(data, start, 3).astype(np.int64)
    count = np.where(readable, head[:, 0] << 8 | head[:, 1], 0)
    kind = np.where(readable, head[:, 2], 0)
    position, end = start + 3, start + length
    remaining = count.copy()
    active = np.flatnonzero(remaining > 0)
    begins, sizes, owners = [], [], []
    while active.size:
        active = active[position[active] + 2 <= end[active]]
        at = position[active]
        size = data[at].astype(np.int64) << 8 | data[at + 1]
        fits = at + 2 + size <= end[active]
        active, at, size = active[fits], at[fits], size[fits]
        begins.append(at + 2)
        sizes.append(size)
        owners.append(active)
        position[active] = at + 2 + size
        remaining[active] -= 1
        active = active[remaining[active] > 0]
    if not owners:
        empty = np.zeros(0, np.int64)
        return Bodies(empty, empty, empty), np.zeros(n, np.bool_), kind
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    whole = readable & (remaining == 0) & (position == end) & (count > 0)
    return Bodies(np.concatenate(begins)[order], np.concatenate(sizes)[order], owner[order]), whole, kind


# --- 0x0200 --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Decoded:
    """``batch``: one row per body that has its basic part; ``rows``: their indices, shape (len(batch),).

    ``odd_items``: id -> how many known items had an unexpected length or came twice; TAIL -> how many bodies had bytes behind
    the last whole item. ``absent_items``: id -> how many said that they have no data. All of them are kept in ``items``."""

    batch: PositionBatch
    rows: AnyInts
    odd_items: dict[int, int]
    absent_items: dict[int, int]


class _Output:
    """The columns being filled: n rows, class by class."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.columns: dict[str, AnyInts] = {}
        self.present: AnyInts = np.zeros(n, np.uint8)
        self.kept_rows: list[
            AnyInts
        ] = []  # items without a column: of which rows, how many bytes each, the bytes
        self.kept_sizes: list[AnyInts] = []
        self.kept_bytes: list[AnyInts] = []
        self.odd: Ints = np.zeros(TAIL + 1, np.int64)  # by id
        self.absent: Ints = np.zeros(TAIL, np.int64)

    def put(self, name: str, dtype: str, rows: AnyInts, values: AnyInts) -> None:
        if len(rows) == self.n:  # classes cover every row once and in order
            self.columns[name] = values.astype(dtype)
            return
        if name not in self.columns:
            self.columns[name] = np.zeros(self.n, dtype)
        self.columns[name][rows] = values

    def keep_items(self, rows: AnyInts, sizes: AnyInts, data: AnyInts) -> None:
        self.kept_rows.append(rows)
        self.kept_sizes.append(sizes)
        self.kept_bytes.append(data)

    def items(self) -> tuple[AnyInts, AnyInts]:
        """The kept bytes in row order, as offsets and data; several pieces of a row in the order they were kept."""
        offsets = np.zeros(self.n + 1, np.int32)
        if not self.kept_rows:
            return offsets, np.zeros(0, np.uint8)
        rows, sizes = np.concatenate(self.kept_rows), np.concatenate(self.kept_sizes)
        offsets[1:] = np.cumsum(np.bincount(rows, sizes, self.n))
        order = np.argsort(rows, kind="stable")
        begins = (np.cumsum(sizes) - sizes)[order]
        sizes = sizes[order]
        source = np.repeat(begins - (np.cumsum(sizes) - sizes), sizes) + np.arange(int(sizes.sum()))
        return offsets, np.concatenate(self.kept_bytes)[source]


def decode(
    data: AnyInts,
    start: AnyInts,
    length: AnyInts,
    *,
    terminal: AnyInts,
    received_us: int,
    source: AnyInts,
) -> Decoded:
    """Decode ``n`` 0x0200 bodies at ``start`` for ``length`` bytes in ``data`` (uint8, with PADDING behind).

    ``terminal`` int32 and ``source`` uint8 have shape (n,). A body shorter than 28 bytes is left out of ``rows``; any
    other body gives a row, whatever is in it: an item that cannot be read never costs the position.
    """
    rows = (length >= BASIC_LENGTH).nonzero()[0]
    if len(rows) != len(start):
        start, length, terminal, source = start[rows], length[rows], terminal[rows], source[rows]
    n = len(rows)
    out = _Output(n)
    if n:
        alike = length[0] == length.min() == length.max()  # the usual turn: no need to sort
        for width in [int(length[0])] if alike else np.unique(length).tolist():
            members = np.arange(n) if alike else np.flatnonzero(length == width)
            matrix = read_rows(data, start if alike else start[members], width)
            _basic(matrix, members, out)
            if width > BASIC_LENGTH:
                _items(matrix, members, out)
    offsets, left = out.items()
    batch = PositionBatch.build(
        n,
        terminal=terminal,
        received_us=np.full(n, received_us, np.int64),
        source=source,
        present=out.present,
        items_offsets=offsets,
        items_data=left,
        **out.columns,
    )
    return Decoded(batch, rows, _counts(out.odd), _counts(out.absent))


def _counts(by_id: Ints) -> dict[int, int]:
    return {k: int(by_id[k]) for k in np.flatnonzero(by_id).tolist()}


@lru_cache(maxsize=1024)
def _basic_layout(width: int) -> np.dtype[Any]:
    """The basic part at the start of rows of ``width`` bytes."""
    return np.dtype(
        {
            "names": list(_BASIC_FIELDS),
            "formats": [f for f, _ in _BASIC_FIELDS.values()],
            "offsets": [o for _, o in _BASIC_FIELDS.values()],
            "itemsize": width,
        }
    )


@lru_cache(maxsize=4096)
def _item_layout(form: str, at: int, width: int) -> np.dtype[Any]:
    """One number at ``at`` in rows of ``width`` bytes."""
    return np.dtype({"names": ["v"], "formats": [form], "offsets": [at], "itemsize": width})


def _basic(matrix: AnyInts, rows: AnyInts, out: _Output) -> None:
    fields = matrix.view(_basic_layout(matrix.shape[1]))[:, 0]
    status = fields["status"].astype(np.uint32)
    out.put("status", "uint32", rows, status)
    out.put("alarm", "uint32", rows, fields["alarm"])
    for name, column, bit in (("latitude", "lat_e6", _SOUTH), ("longitude", "lon_e6", _WEST)):
        # Beyond int32 it is a number in two's complement, or nonsense: kept with its sign, which the status contradicts
        # then; quality.py flags it.
        degrees = fields[name].astype(np.uint32).view(np.int32)
        negative = (status & np.uint32(bit)) != 0
        if np.count_nonzero(negative):
            degrees = np.where(negative, -degrees, degrees)
        out.put(column, "int32", rows, degrees)
    out.put("altitude_m", "int16", rows, fields["altitude"])
    out.put("speed_dkmh", "uint16", rows, fields["speed"])
    out.put("direction_deg", "uint16", rows, fields["direction"])
    out.put("device_us", "int64", rows, decode_times(matrix[:, 22:28]))


def _items(matrix: AnyInts, rows: AnyInts, out: _Output) -> None:
    """Additional items of bodies of one length: by templates, then whatever is left by walking."""
    for _ in range(_MAX_TEMPLATES):
        template = _layout(matrix[0].tobytes())
        if template is None:
            break
        same = np.ones(len(matrix), np.bool_)
        for at, item, size in template:
            same &= matrix[:, at] == item
            same &= matrix[:, at + 1] == size
        everyone = bool(same.all())
        _by_template(matrix if everyone else matrix[same], rows if everyone else rows[same], template, out)
        if everyone:
            return
        matrix, rows = matrix[~same], rows[~same]
    _walk(matrix, rows, out)


def _layout(body: bytes) -> list[tuple[int, int, int]] | None:
    """(offset, id, length) of each item of one body; None where the items do not end with the body."""
    layout, at = [], BASIC_LENGTH
    while at + 2 <= len(body):
        layout.append((at, body[at], body[at + 1]))
        at += 2 + body[at + 1]
    return layout if at == len(body) else None


def _by_template(matrix: AnyInts, rows: AnyInts, template: list[tuple[int, int, int]], out: _Output) -> None:
    values: dict[str, AnyInts] = {}
    blank = np.zeros(len(rows), np.bool_)  # bodies that say "no data" in a column
    for at, item, size in template:
        column, expected = ITEM_COLUMNS.get(item, ("", -1))
        if size == expected and column not in values:
            values[column] = matrix.view(_item_layout(_FORMAT[size], at + 2, matrix.shape[1]))[:, 0]["v"]
            blank |= values[column] == _NO_DATA[size]
    if np.count_nonzero(blank):
        _walk(matrix[blank], rows[blank], out)
        if not blank.all():
            _by_template(matrix[~blank], rows[~blank], template, out)
        return
    for column, value in values.items():
        out.put(column, _FORMAT[value.itemsize].replace(">", ""), rows, value)
    seen = 0
    left: list[AnyInts] = []
    for at, item, size in template:
        bit = int(_KNOWN[item])
        odd = bool(_ODD[item, size] or seen & bit)
        out.odd[item] += len(rows) * odd
        seen |= 0 if odd else bit
        if odd or item not in ITEM_COLUMNS:
            left.append(matrix[:, at : at + 2 + size])
            if _NUMERIC[item] and not odd:
                out.absent[item] += np.count_nonzero((matrix[:, at + 2 : at + 2 + size] == 0xFF).all(axis=1))
    bits = np.uint8(sum(int(_BIT[name]) for name in values))
    if len(rows) == out.n:
        out.present[:] = bits
    else:
        out.present[rows] = bits
    if left:
        kept = np.concatenate(left, axis=1)
        out.keep_items(rows, np.full(len(rows), kept.shape[1], np.int64), kept.ravel())


def _walk(matrix: AnyInts, rows: AnyInts, out: _Output) -> None:
    """Item by item: each step reads the next item of every body that still has one."""
    width = matrix.shape[1]
    flat = np.concatenate([matrix.ravel(), np.zeros(256, np.uint8)])
    # How many of the bytes before each place are not 0xFF: an item of which there is none in between has no data.
    other_than_ff = np.concatenate([[0], np.cumsum(flat != 0xFF)])
    at = np.full(len(matrix), BASIC_LENGTH, np.int64)
    seen = np.zeros(len(matrix), np.uint64)
    active = np.arange(len(matrix))
    while active.size:
        here = at[active]
        base = active * width + here
        whole = here + 2 <= width
        item = np.where(whole, flat[base], 0)
        size = np.where(whole, flat[base + 1], 0).astype(np.int64)
        whole &= here + 2 + size <= width
        bit = np.where(whole, _KNOWN[item], np.uint64(0))
        odd = whole & (_ODD[item, size] | ((seen[active] & bit) != 0))
        seen[active] |= np.where(odd, np.uint64(0), bit)
        end = np.where(whole, base + 2 + size, base)
        absent = (
            whole & ~odd & _NUMERIC[item] & (other_than_ff[end] == other_than_ff[np.minimum(base + 2, end)])
        )
        out.odd[:TAIL] += np.bincount(item[odd], minlength=TAIL)
        out.odd[TAIL] += np.count_nonzero(~whole)
        out.absent += np.bincount(item[absent], minlength=TAIL)
        column_found = np.zeros(len(active), np.bool_)
        for code, (column, expected) in ITEM_COLUMNS.items():
            mine = whole & (item == code) & ~odd & ~absent
            if not mine.any():
                continue
            column_found |= mine
            bodies, begin = active[mine], base[mine] + 2
            value = np.zeros(len(bodies), np.int64)
            for k in range(expected):
                value = value << 8 | flat[begin + k]
            dtype = _FORMAT[expected].replace(">", "")
            if column not in out.columns:
                out.columns[column] = np.zeros(out.n, dtype)
            out.columns[column][rows[bodies]] = value
            out.present[rows[bodies]] |= _BIT[column]
        # No column, no data, wrong length, twice, or running over the end: the bytes stay as they came.
        other = ~column_found
        taken = np.where(whole, 2 + size, width - here)
        if other.any():
            sizes = taken[other]
            index = np.repeat(base[other] - (np.cumsum(sizes) - sizes), sizes) + np.arange(int(sizes.sum()))
            out.keep_items(rows[active[other]], sizes, flat[index])
        at[active] = here + taken
        active = active[at[active] < width]
