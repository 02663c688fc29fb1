"""Declarative mapping of our records to the fields of a receiver that is no gongche: which field, code table and unit. A mapping
is read from a file (``mapping_file``) and checked as a whole before anything is sent. Nothing in it is code. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from office.exchange.records import Told
from registry.values import parse_time
from runtime.units import CHINA

#: How a time is written.
TIMES: Final = {
    "rfc3339": "",
    "datetime": "%Y-%m-%d %H:%M:%S",
    "date": "%Y-%m-%d",
    "compact": "%Y%m%d%H%M%S",
}


@dataclass(frozen=True, slots=True)
class Field:
    """``to``: the receiver's name; ``source``: ours, None = the constant ``value``. ``factor``: of a quantity. ``time``: how a
    time is written."""

    to: str
    source: str | None
    value: Any = None
    required: bool = False
    codes: Mapping[Any, Any] | None = None
    factor: Decimal | None = None
    time: str | None = None
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface of the receiver."""

    clause: str
    name: str
    kind: str
    where: Mapping[str, Sequence[Any]]
    fields: Sequence[Field]


@dataclass(frozen=True, slots=True)
class NotServed:
    """An interface for which there is no data."""

    clause: str
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class ReceiverMapping:
    """A checked mapping."""

    name: str
    note: str
    interfaces: Sequence[Interface]
    not_served: Sequence[NotServed]

    def __call__(self, told: Told) -> dict[str, Any] | None:
        """The record for the receiver: the interfaces that take it, with their fields; None = none does. Raises ValueError for
        what a required field or a code table has no word for."""
        payload = told.payload or {}
        record = dict(payload) | {"id": told.id, "origin": told.origin, "version": told.version}
        made = [
            {"clause": one.clause, "name": one.name, "fields": _fields(one, record)}
            for one in self.interfaces
            if one.kind == told.kind and all(record.get(name) in values for name, values in one.where.items())
        ]
        return {"interfaces": made} if made else None


def _fields(interface: Interface, record: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for field in interface.fields:
        try:
            value = _value(field, record)
        except ValueError as error:
            raise ValueError(f"{interface.clause} {field.to} ← {field.source}: {error}") from None
        if value is None and field.required:
            raise ValueError(
                f"{interface.clause} {field.to} ← {field.source}: 必填而无值 · required, and there is no value"
            )
        if value is not None:
            made[field.to] = value
    return made


def _value(field: Field, record: Mapping[str, Any]) -> Any:
    if field.source is None:
        return field.value
    value = record.get(field.source)
    if value is None or value == "":
        return None
    if field.codes is not None:
        if value not in field.codes:
            raise ValueError(f"代码表中没有 {value} · the code table has no word for {value}")
        return field.codes[value]
    if field.factor is not None:
        return float(Decimal(value) * field.factor)
    if field.time is not None and (form := TIMES[field.time]):
        return (
            value
            if field.time == "date" and len(value) == 10
            else parse_time(value).astimezone(CHINA).strftime(form)
        )
    if field.length is not None and len(str(value)) > field.length:
        raise ValueError(f"超过 {field.length} 字 · longer than {field.length} characters")
    return value
