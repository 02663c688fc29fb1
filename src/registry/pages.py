"""The registry's way out: one record, a page of records, the versions of a record, as dictionaries for
people.
"""

from __future__ import annotations

from typing import Any, Final

from registry.decimals import decimal_text
from registry.fuel_cards import bindings_of_card
from registry.terminals import bindings_of
from runtime.connection import Connection

#: No page is larger than this.
MAX_PAGE: Final = 1_000

_FENCE = (
    "SELECT t.id, t.version, t.name, t.organisation, t.vehicles, t.datum, t.original AS geometry, t.valid_from,"
    " t.valid_to, t.created_at FROM fences t"
)
_ORDER = (
    "SELECT t.id, t.version, t.organisation, t.vehicle, t.driver, t.task_type, t.purpose, t.status, t.origin,"
    " t.destinations, t.return_point, t.planned_departure, t.planned_return, t.extended_return, t.actual_departure,"
    " t.actual_return, t.entered_at, (SELECT min(f.entered_at) FROM dispatch_orders f WHERE f.id = t.id)"
    " > t.planned_departure AS entered_late FROM dispatch_orders t"
)
_TRANSACTION = (
    "SELECT t.id, t.card, t.at, t.kind, t.product, t.energy, t.quantity, t.unit_price, t.amount_fen AS amount,"
    " t.balance_fen AS balance, t.station, t.station_name, t.reverses, t.source, t.updated_at FROM fuel_transactions t"
)
_VIOLATION = (
    "SELECT t.id, t.plate, t.at, t.place, t.act, t.fine_fen AS fine, t.points, t.status, t.driver, t.source,"
    " t.updated_at FROM violations t"
)
# Columns kept as whole numbers: how many digits of them are decimals for people.
_DIGITS: Final = {"quantity": 3, "amount": 2, "balance": 2, "fine": 2}
# kind -> (SELECT ... FROM <table> t, the column that is the id, condition for the current version)
_SOURCES: Final[dict[str, tuple[str, str, str]]] = {
    "organisations": ("SELECT t.id, t.name, t.parent, t.updated_at FROM organisations t", "t.id", ""),
    "vehicles": (
        "SELECT t.id, t.plate, t.organisation, t.category, t.energy, t.registered_on, t.disposed_on, t.updated_at"
        " FROM vehicles t",
        "t.id",
        "",
    ),
    "drivers": ("SELECT t.id, t.name, t.organisation, t.phone, t.updated_at FROM drivers t", "t.id", ""),
    "terminals": (
        "SELECT t.phone AS id, t.manufacturer, t.model, t.device_id, t.office_said, t.plate, t.enabled,"
        " t.source, t.registered_at, v.id AS vehicle, b.valid_from, t.updated_at FROM terminals t LEFT JOIN terminal_bindings b"
        " ON b.terminal_no = t.no AND b.valid_from <= now() AND (b.valid_to IS NULL OR b.valid_to > now())"
        " LEFT JOIN vehicles v ON v.no = b.vehicle_no",
        "t.phone",
        "",
    ),
    "fences": (
        _FENCE,
        "t.id",
        "NOT EXISTS (SELECT FROM fences n WHERE n.id = t.id AND n.version > t.version)",
    ),
    "dispatch-orders": (
        _ORDER,
        "t.id",
        "t.is_current",
    ),
    "fuel-cards": (
        "SELECT t.id, t.organisation, t.issuer, t.status, t.opened_on, t.closed_on, b.plate, b.valid_from, t.updated_at"
        " FROM fuel_cards t LEFT JOIN card_bindings b ON b.card = t.id AND b.valid_from <= now()"
        " AND (b.valid_to IS NULL OR b.valid_to > now())",
        "t.id",
        "",
    ),
    "fuel-stations": (
        "SELECT t.id, t.name, t.aliases, t.datum, t.original AS geometry, t.updated_at FROM fuel_stations t",
        "t.id",
        "",
    ),
    "fuel-transactions": (_TRANSACTION, "t.id", ""),
    "violations": (_VIOLATION, "t.id", ""),
    "calendar-days": (
        "SELECT t.day::text AS id, t.day, t.workday, t.name, t.source, t.updated_at FROM calendar_days t",
        "t.day::text",
        "",
    ),
}
#: Which filters each kind knows: name -> condition on ``$n``.
FILTERS: Final[dict[str, dict[str, str]]] = {
    "organisations": {"parent": "t.parent = {}"},
    "vehicles": {"organisation": "t.organisation = {}", "plate": "t.plate = {}"},
    "drivers": {"organisation": "t.organisation = {}"},
    "terminals": {"vehicle": "v.id = {}"},
    "fences": {"organisation": "t.organisation = {}", "vehicle": "{} = ANY(t.vehicles)"},
    "dispatch-orders": {
        "organisation": "t.organisation = {}",
        "vehicle": "t.vehicle = {}",
        "driver": "t.driver = {}",
        "status": "t.status = {}",
    },
    "fuel-cards": {"organisation": "t.organisation = {}", "status": "t.status = {}", "plate": "b.plate = {}"},
    "fuel-stations": {"name": "({0} = t.name OR {0} = ANY(t.aliases))"},
    "fuel-transactions": {
        "card": "t.card = {}",
        "kind": "t.kind = {}",
        "station": "t.station = {}",
        "from": "t.at >= {}::text::timestamptz",
        "to": "t.at < {}::text::timestamptz",
    },
    "violations": {
        "plate": "t.plate = {}",
        "status": "t.status = {}",
        "from": "t.at >= {}::text::timestamptz",
        "to": "t.at < {}::text::timestamptz",
    },
    "calendar-days": {"from": "t.day >= {}::text::date", "to": "t.day < {}::text::date"},
}
#: Filters that are times (RFC 3339), and those that are days.
TIME_FILTERS: Final = frozenset(
    {("fuel-transactions", "from"), ("fuel-transactions", "to"), ("violations", "from"), ("violations", "to")}
)
DAY_FILTERS: Final = frozenset({("calendar-days", "from"), ("calendar-days", "to")})
VERSIONED: Final = ("fences", "dispatch-orders")


async def get(connection: Connection, kind: str, id: str) -> dict[str, Any] | None:
    """The record as it stands (of versions, the newest), or None. Terminals and cards carry their
    ``bindings``."""
    select, key, current = _SOURCES[kind]
    condition = f"{key} = $1" + (f" AND {current}" if current else "")
    row = await connection.fetchrow(f"{select} WHERE {condition}", id)
    if row is None:
        return None
    record = _shown(row)
    if kind == "terminals":
        record["bindings"] = await bindings_of(connection, id)
    elif kind == "fuel-cards":
        record["bindings"] = await bindings_of_card(connection, id)
    return record


async def page(
    connection: Connection, kind: str, /, *, after: str | None = None, limit: int = 100, **filters: str | None
) -> list[dict[str, Any]]:
    """Up to ``limit`` (at most MAX_PAGE) records in the order of their ids, after id ``after``.

    ``filters``: see FILTERS; None = any. Raises KeyError for a filter that the kind does not know.
    """
    select, key, current = _SOURCES[kind]
    conditions = [current] if current else []
    arguments: list[Any] = []
    for name, value in filters.items():
        if value is not None:
            arguments.append(value)
            conditions.append(FILTERS[kind][name].format(f"${len(arguments)}"))
    if after is not None:
        arguments.append(after)
        conditions.append(f"{key} > ${len(arguments)}")
    arguments.append(min(limit, MAX_PAGE))
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = await connection.fetch(f"{select}{where} ORDER BY {key} LIMIT ${len(arguments)}", *arguments)
    return [_shown(row) for row in rows]


def _shown(row: Any) -> dict[str, Any]:
    """A row as people read it: quantities and money as decimal text."""
    record = dict(row)
    for name, digits in _DIGITS.items():
        if record.get(name) is not None:
            record[name] = decimal_text(record[name], digits)
    if record.get("unit_price") is not None:
        record["unit_price"] = decimal_text(int(record["unit_price"].scaleb(4)), 4)
    return record


async def versions(connection: Connection, kind: str, id: str) -> list[dict[str, Any]]:
    """The versions of a fence or an order, newest first, at most MAX_PAGE; empty when there is no such
    record.
    """
    select, key, _ = _SOURCES[kind]
    rows = await connection.fetch(f"{select} WHERE {key} = $1 ORDER BY t.version DESC LIMIT {MAX_PAGE}", id)
    return [dict(row) for row in rows]
