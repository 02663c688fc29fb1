"""Cursors of the list of cases: one form for each order."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from api.http import bad_cursor, make_cursor, read_cursor
from office.supervision.listing import NEWEST, Order, Place
from runtime.units import from_us, to_us

#: A moment in us has at most so many digits.
_DIGITS: Final = 18


def _name(order: Order) -> str:
    return f"cases:{order.by}:{'asc' if order.ascending else 'desc'}"


def cursor_of(order: Order, place: Place) -> str:
    """The cursor of a place. That of the usual order is written as it always was: clients keep them."""
    value = place.value
    if isinstance(value, datetime):
        value = str(to_us(value))
    elif isinstance(value, date):
        value = value.isoformat()
    if order == NEWEST:
        return make_cursor("cases", int(value), place.id)
    return make_cursor(_name(order), int(place.last), value, place.id)


def read_place(order: Order, cursor: str | None) -> Place | None:
    """The place that ``cursor`` says. Raises Problem 400 for one of another order."""
    if order == NEWEST:
        found = read_cursor("cases", cursor, int, str)
        return None if found is None else Place(from_us(found[0]), found[1])
    found = read_cursor(_name(order), cursor, int, str, str)
    if found is None:
        return None
    last, value, id = found[0] == 1, found[1], found[2]
    try:
        if last or order.by == "created":
            if not value.isdecimal() or len(value) > _DIGITS:
                raise ValueError("no moment")
            return Place(from_us(int(value)), id, last)
        return Place(date.fromisoformat(value) if order.by == "due" else value, id)
    except (ValueError, OverflowError):
        raise bad_cursor() from None
