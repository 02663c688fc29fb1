"""Rows of the table ``positions`` with every column, as arrays: what moves between the table and the cold tier. Pure.

Two stored positions with the same key (terminal, device time, fingerprint) are one; of equal ones the first wins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from runtime.arrays import AnyInts, Bools, Ints
from telemetry.archive.columns import FIELDS
from telemetry.positions import ADDED, OPTIONAL, REPORTED, PositionBatch, fingerprint

#: The columns and the type that each has in the table, but for times: those are microseconds since 1970.
TYPES: Final[dict[str, np.dtype[Any]]] = {
    name: np.dtype({"int2": np.int16, "int4": np.int32}.get(kind, np.int64)) for name, kind in FIELDS
}
_ADDED: Final = tuple(column.name for column in ADDED)
_SIGNED: Final = {column.name for column in REPORTED if (column.dtype, column.sql_type) == ("uint32", "int4")}


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """``columns``: those of TYPES, each of shape (n,); what is null is 0 and has no bit in ``present``. ``sizes`` int32 (n,): bytes
    of each row's items, -1 = null; ``items`` uint8: all of them, joined."""

    columns: Mapping[str, AnyInts]
    sizes: AnyInts
    items: AnyInts

    def __len__(self) -> int:
        return len(self.sizes)

    @classmethod
    def empty(cls) -> Rows:
        return cls(
            {name: np.zeros(0, kind) for name, kind in TYPES.items()},
            np.zeros(0, np.int32),
            np.zeros(0, np.uint8),
        )

    def take(self, rows: AnyInts) -> Rows:
        """The rows at these indices (or of this mask), in that order."""
        if rows.dtype == np.bool_:
            rows = np.flatnonzero(rows)
        lengths = np.maximum(self.sizes, 0).astype(np.int64)
        starts, wanted = (np.cumsum(lengths) - lengths)[rows], lengths[rows]
        into = np.cumsum(wanted) - wanted
        source = np.repeat(starts - into, wanted) + np.arange(int(wanted.sum()))
        return Rows(
            {name: values[rows] for name, values in self.columns.items()},
            self.sizes[rows],
            self.items[source],
        )

    @classmethod
    def concat(cls, parts: Sequence[Rows]) -> Rows:
        """All rows of ``parts``, in order."""
        if not parts:
            return cls.empty()
        if len(parts) == 1:
            return parts[0]
        return cls(
            {name: np.concatenate([part.columns[name] for part in parts]) for name in TYPES},
            np.concatenate([part.sizes for part in parts]),
            np.concatenate([part.items for part in parts]),
        )

    def in_order(self) -> Rows:
        """By the key, each position once: of equal ones the first."""
        keep = first_of_each(self.columns, by_terminal=True)
        return (
            self if len(keep) == len(self) and np.array_equal(keep, np.arange(len(self))) else self.take(keep)
        )

    def batch(self) -> PositionBatch:
        """What the terminals reported."""
        offsets = np.zeros(len(self) + 1, np.int32)
        np.cumsum(np.maximum(self.sizes, 0), out=offsets[1:])
        given = {
            name: values.view(np.uint32) if name in _SIGNED else values
            for name, values in self.columns.items()
            if name not in _ADDED
        }
        return PositionBatch.build(len(self), **given, items_offsets=offsets, items_data=self.items)

    def fingerprints(self) -> Ints:
        """What the fingerprints are by the rows themselves."""
        return fingerprint(self.batch())

    def digest(self) -> bytes:
        """SHA-256 of all values of all columns: equal where, and only where, all rows are."""
        found = hashlib.sha256()
        for name in TYPES:
            found.update(np.ascontiguousarray(self.columns[name], "<i8").tobytes())
        found.update(np.ascontiguousarray(self.sizes, "<i4").tobytes())
        found.update(self.items.tobytes())
        return found.digest()


def first_of_each(columns: Mapping[str, AnyInts], *, by_terminal: bool) -> AnyInts:
    """Indices of the rows in order, of those with the same key the first one only. ``by_terminal``: in the order of the table's
    key; else in that of a track (device time, fingerprint, terminal)."""
    keys = (columns["terminal"], columns["device_us"], columns["fingerprint"])
    if by_terminal:
        order = np.lexsort((keys[2], keys[1], keys[0]))
    else:
        order = np.lexsort((keys[0], keys[2], keys[1]))
    if not len(order):
        return order
    again: Bools = np.ones(len(order), bool)
    again[0] = False
    for key in keys:
        again[1:] &= key[order][1:] == key[order][:-1]
    return order[~again]


def missing(columns: Mapping[str, AnyInts], name: str) -> Bools:
    """Where the optional column ``name`` is null."""
    found: Bools = (columns["present"] & (1 << OPTIONAL.index(name))) == 0
    return found
