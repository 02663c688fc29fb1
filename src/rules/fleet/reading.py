"""The registry's way out: one record, a page of records, the versions of a record, as dictionaries for
people.
"""

from __future__ import annotations

from typing import Any, Final

from rules.fleet.bindings import bindings_of

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
        "SELECT t.phone AS id, t.manufacturer, t.model, t.device_id, t.plate, t.enabled, t.source, t.registered_at,"
        " v.id AS vehicle, b.valid_from, t.updated_at FROM terminals t LEFT JOIN terminal_bindings b"
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
        "NOT EXISTS (SELECT FROM dispatch_orders n WHERE n.id = t.id AND n.version > t.version)",
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
}
VERSIONED: Final = ("fences", "dispatch-orders")


async def get(connection: Any, kind: str, id: str) -> dict[str, Any] | None:
    """The record as it stands (of versions, the newest), or None. Terminals carry their ``bindings``."""
    select, key, current = _SOURCES[kind]
    condition = f"{key} = $1" + (f" AND {current}" if current else "")
    row = await connection.fetchrow(f"{select} WHERE {condition}", id)
    if row is None:
        return None
    record = dict(row)
    if kind == "terminals":
        record["bindings"] = await bindings_of(connection, id)
    return record


async def page(
    connection: Any, kind: str, *, after: str | None = None, limit: int = 100, **filters: str | None
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
    return [dict(row) for row in rows]


async def versions(connection: Any, kind: str, id: str) -> list[dict[str, Any]]:
    """The versions of a fence or an order, newest first, at most MAX_PAGE; empty when there is no such
    record.
    """
    select, key, _ = _SOURCES[kind]
    rows = await connection.fetch(f"{select} WHERE {key} = $1 ORDER BY t.version DESC LIMIT {MAX_PAGE}", id)
    return [dict(row) for row in rows]
