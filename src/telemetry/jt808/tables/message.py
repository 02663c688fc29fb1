"""A message: its id, its name, and its table in each edition that has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from telemetry.jt808.ids import MessageId
from telemetry.jt808.scalar.fields import TEXT_KINDS, Field, Kind
from telemetry.jt808.scalar.header import Version
from telemetry.jt808.tables.grammar import Bcd, Num, Raw, Table, Text

#: For messages that have no body.
NOTHING: Table = ()


def every(table: Table) -> Mapping[Version, Table]:
    """The same table in every edition (that has the message)."""
    return dict.fromkeys(Version, table)


@dataclass(frozen=True, slots=True)
class Message:
    """``label``: its name, Chinese|English, as the standard has it. ``tables``: by edition; those that do not have the message are
    left out (``MessageId.clauses`` says which have it)."""

    id: MessageId
    label: str
    tables: Mapping[Version, Table] = field(hash=False)

    def __post_init__(self) -> None:
        there = {edition: table for edition, table in self.tables.items() if self.id.clauses[edition]}
        object.__setattr__(self, "tables", there)


def of_fields(table: tuple[Field, ...], labels: Mapping[str, str]) -> Table:
    """Elements of a table of ``scalar.fields``, so that its layout stands in one place. ``labels``: by name."""
    return tuple(_of_field(each, labels[each.name]) for each in table)


def _of_field(each: Field, label: str) -> Num | Text | Raw | Bcd:
    if each.kind in TEXT_KINDS:
        return Text(each.name, label, each.width, pad=each.kind)
    if each.kind is Kind.BYTES:
        return Raw(each.name, label, each.width)
    return Num(each.name, label, each.width, each.unit, each.scale, signed=each.kind is Kind.INT)
