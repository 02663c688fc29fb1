"""In which order records are listed: the parameters ``order`` and ``direction``, and cursors, one form for each order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from api.errors import Problem
from api.http import bad_cursor, make_cursor, read_cursor
from registry.pages import BY_ID, Listing, Order, Place
from runtime.units import from_us, to_us

_DIRECTIONS: Final = ("asc", "desc")
#: Microseconds since 1970, or before.
_MOMENT: Final = re.compile(r"^-?[0-9]{1,18}$")


def orders_of(listing: Listing) -> list[str]:
    """By what records of a kind can be ordered."""
    return ["id", *listing.orders]


def order_parameters(listing: Listing) -> list[dict[str, Any]]:
    """Their description."""
    choices = (("order", orders_of(listing), "id"), ("direction", list(_DIRECTIONS), "asc"))
    return [
        {"name": name, "in": "query", "required": False, "schema": {"type": "string", "enum": values, "default": usual}}
        for name, values, usual in choices
    ]  # fmt: skip


def read_order(listing: Listing, query: Mapping[str, str]) -> Order:
    """The order that is asked for. Raises Problem 422 for one that there is not."""
    for name, values in (("order", orders_of(listing)), ("direction", _DIRECTIONS)):
        if name in query and query[name] not in values:
            detail = f"{name} 应为 {'、'.join(values)} 之一 · must be one of {', '.join(values)}"
            raise Problem(
                422, "invalid-parameter", detail, errors=[{"pointer": f"/query/{name}", "message": detail}]
            )
    return Order(query.get("order", "id"), query.get("direction", "asc") == "asc")


def _name(kind: str, order: Order) -> str:
    return f"{kind}:{order.by}:{'asc' if order.ascending else 'desc'}"


def cursor_of(kind: str, order: Order, last: Mapping[str, Any]) -> str:
    """The cursor behind a record. That of the usual order is written as it always was: clients keep them."""
    if order == BY_ID:
        return make_cursor(kind, last["id"])
    # A masked record has no such field: it comes last, in the order of the pseudonyms.
    value = "" if order.by == "id" else last.get(order.by) or ""
    return make_cursor(
        _name(kind, order), str(to_us(value)) if isinstance(value, datetime) else value, last["id"]
    )


def read_place(kind: str, listing: Listing, order: Order, cursor: str | None) -> Place | None:
    """The place that ``cursor`` says. Raises Problem 400 for one of another order."""
    if order == BY_ID:
        found = read_cursor(kind, cursor, str)
        return None if found is None else Place(found[0])
    found = read_cursor(_name(kind, order), cursor, str, str)
    if found is None:
        return None
    value, id = found
    if order.by == "id" or listing.orders[order.by].kind == "text":
        return Place(id, value)
    if not _MOMENT.match(value):
        raise bad_cursor()
    try:
        return Place(id, from_us(int(value)))
    except OverflowError:
        raise bad_cursor() from None
