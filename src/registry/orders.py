"""Dispatch orders (派车单), kept in versions: the record, written and read, and the time that an order covers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from registry.pages import Listing, same
from registry.parameters import ORDER, parameter
from registry.places import Place, stored_places
from registry.snapshot.timelines import FOREVER
from registry.values import Identifier, Record, Text, Time, WriteResult
from registry.versioned import VersionedTable
from runtime.connection import Connection
from runtime.units import US_PER_S, in_us, to_us


class DispatchOrder(Record):
    """A dispatch order (派车单). Every PUT with other content is a new version; the newest one holds."""

    organisation: Identifier
    vehicle: Identifier
    driver: Identifier | None = None
    task_type: Literal["official", "repair", "inspection", "car_wash", "emergency", "tow"] = "official"
    purpose: Text = ""
    status: Literal["approved", "departed", "returned", "cancelled"] = "approved"
    origin: Place | None = None
    destinations: list[Place] = Field(default_factory=list, max_length=50)
    return_point: Place | None = None
    planned_departure: Time
    planned_return: Time
    extended_return: Time | None = Field(None, description="延长用车")
    actual_departure: Time | None = None
    actual_return: Time | None = Field(None, validate_default=True)

    @field_validator("planned_return")
    @classmethod
    def _returns_after_departure(cls, value: datetime, info: ValidationInfo) -> datetime:
        start = info.data.get("planned_departure")
        if start is not None and value <= start:
            raise ValueError("计划返回不晚于计划出车：派车单先结束后开始 · the order ends before it starts")
        return value

    @field_validator("extended_return")
    @classmethod
    def _extends(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        planned = info.data.get("planned_return")
        if value is not None and planned is not None and value < planned:
            raise ValueError("延长后的返回早于计划返回 · the extension ends before the planned return")
        return value

    @field_validator("actual_return")
    @classmethod
    def _really_returned(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        status = info.data.get("status")
        if value is None:
            if status == "returned":
                raise ValueError("已返回的派车单须有实际返回时间 · a returned order needs actual_return")
            return None
        if status in ("approved", "departed"):
            raise ValueError(
                "有实际返回时间，状态应为 returned · with actual_return the status is `returned`"
            )
        start = info.data.get("actual_departure") or info.data.get("planned_departure")
        if start is not None and value <= start:
            raise ValueError("实际返回不晚于出车：派车单先结束后开始 · the order ends before it starts")
        return value


HEADERS: Final = {
    "派车单号": "id", "单位": "organisation", "车辆": "vehicle", "驾驶员": "driver", "任务类型": "task_type",
    "事由": "purpose", "状态": "status", "出发地": "origin", "目的地": "destinations", "返回地": "return_point",
    "计划出车": "planned_departure", "计划返回": "planned_return", "延长至": "extended_return",
    "实际出车": "actual_departure", "实际返回": "actual_return",
}  # fmt: skip
_TABLE: Final = VersionedTable(
    "dispatch_orders",
    (
        "organisation", "vehicle", "driver", "task_type", "purpose", "status", "origin", "destinations", "return_point",
        "planned_departure", "planned_return", "extended_return", "actual_departure", "actual_return",
    ),
)  # fmt: skip
_COLUMNS: Final = ", ".join(f"t.{name}" for name in _TABLE.columns)
LISTING: Final = Listing(
    f"SELECT t.id, t.version, {_COLUMNS}, t.entered_at, (SELECT min(f.entered_at) FROM dispatch_orders f"  # noqa: S608 - constant names
    " WHERE f.id = t.id) > t.planned_departure AS entered_late FROM dispatch_orders t",
    {name: same(name) for name in ("organisation", "vehicle", "driver", "status")},
    newest="t.is_current",
)


# --- the time that an order covers
#
# From planned departure minus ``early_start_min`` to actual return. A returned order without a time of return covers to its
# extended, else its planned return. While it is not returned it covers on, with no end: a vehicle still out on its order is
# not accused. A cancelled order covers nothing.

#: An order covers its vehicle from a little before it departs: so much is the most that any organisation may have set.
BEFORE_ORDER: Final = timedelta(minutes=parameter(ORDER, "early_start_min").maximum)
_BEFORE: Final = f"interval '{BEFORE_ORDER // timedelta(minutes=1)} minutes'"


def covered(order: OrderRow, early_start_min: int) -> tuple[int, int] | None:
    """[from, to) that an order covers, microseconds since 1970 UTC; ``to`` FOREVER: still out. None: nothing."""
    start = order.planned_departure_us - early_start_min * 60 * US_PER_S
    if order.status == "cancelled":
        return None
    if order.actual_return_us is not None:
        return start, order.actual_return_us
    if order.status == "returned":
        return start, order.extended_return_us or order.planned_return_us
    return start, FOREVER


# The same in SQL, for finding orders: at the widest, whatever the parameters and the kind of return. ``o``: the name of the
# table. The expressions are those of the indexes dispatch_orders_open and dispatch_orders_ended.


def last_return(o: str) -> str:
    """SQL: the latest of the times at which an order ends."""
    return f"GREATEST({o}.planned_return, {o}.extended_return, {o}.actual_return)"


def still_out(o: str) -> str:
    """SQL condition: whether an order is not returned yet; then it covers with no end."""
    return f"{o}.status IN ('approved', 'departed')"


def covers_after(o: str, since: str) -> str:
    """SQL condition: whether an order may cover ``since`` or a later time."""
    return f"({still_out(o)} OR {last_return(o)} >= {since})"


def covers_within(o: str, since: str, until: str) -> str:
    """SQL condition: whether an order may cover a time in [since, until]."""
    return f"{o}.planned_departure <= {until} + {_BEFORE} AND {covers_after(o, since)}"


# --- written


async def write(connection: Connection, records: Sequence[DispatchOrder]) -> list[WriteResult]:
    """Write orders whose references were checked, at most one record an id. See ``records.apply``."""
    results, changed = await _TABLE.compare(connection, records, _same)
    places = [place for record, _ in changed for place in _places(record)]
    stored = iter(stored_places(places))  # in the order in which _values asks for them
    await _TABLE.insert(
        connection, [(record, old, _values(record, lambda _: next(stored))) for record, old in changed]
    )
    return results


def _same(record: DispatchOrder, old: Any) -> bool:
    stored = {name: old[name] for name in _TABLE.columns}
    for name in ("origin", "return_point"):
        stored[name] = _given(stored[name])
    stored["destinations"] = [_given(place) for place in stored["destinations"]]
    return _values(record, Place.original) == list(stored.values())


def _values(record: DispatchOrder, place: Callable[[Place], dict[str, Any]]) -> list[Any]:
    """The columns of ``record``, its places as ``place`` makes them."""
    values = {name: getattr(record, name) for name in _TABLE.columns}
    values["origin"] = place(record.origin) if record.origin else None
    values["return_point"] = place(record.return_point) if record.return_point else None
    values["destinations"] = [place(one) for one in record.destinations]
    return list(values.values())


def _places(record: DispatchOrder) -> list[Place]:
    return [place for place in (record.origin, record.return_point, *record.destinations) if place]


def _given(place: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A stored place as it was given."""
    return None if place is None else {name: place.get(name) for name in Place.model_fields}


# --- read


@dataclass(frozen=True, slots=True)
class OrderPlace:
    """A place of an order: WGS-84 in 1e-6 degree, None = without coordinates (市区)."""

    name: str
    lat_e6: int | None
    lon_e6: int | None


@dataclass(frozen=True, slots=True)
class OrderRow:
    """The newest version of a dispatch order; times in microseconds since 1970 UTC."""

    id: str
    version: int
    organisation: str
    vehicle: str
    vehicle_no: int
    driver: str | None
    task_type: str
    purpose: str
    status: str
    origin: OrderPlace | None
    destinations: tuple[OrderPlace, ...]
    return_point: OrderPlace | None
    planned_departure_us: int
    planned_return_us: int
    extended_return_us: int | None
    actual_departure_us: int | None
    actual_return_us: int | None
    entered_us: int


async def read_orders(
    connection: Connection, where: str, *arguments: object, places: bool = True
) -> list[OrderRow]:
    """Orders ``o`` of vehicles ``v``; ``where``: what follows the SELECT. Without ``places`` those are left out: cheaper
    for who asks only when an order covers its vehicle."""
    shown = "o.origin, o.destinations, o.return_point"
    if not places:
        shown = "NULL AS origin, NULL AS destinations, NULL AS return_point"
    rows = await connection.fetch(
        f"SELECT o.id, o.version, o.organisation, o.vehicle, v.no, o.driver, o.task_type, o.purpose, o.status, {shown},"  # noqa: S608 - constant texts
        " o.planned_departure, o.planned_return, o.extended_return, o.actual_departure, o.actual_return, o.entered_at"
        f" FROM dispatch_orders o JOIN vehicles v ON v.id = o.vehicle {where}",
        *arguments,
    )
    return [_order(row) for row in rows]


async def spans_of_orders(connection: Connection, ids: Iterable[str]) -> list[tuple[str, int, int]]:
    """(vehicle id, from, to) of the times that any version of the orders covered or covers, at the widest."""
    rows = await connection.fetch(
        f"SELECT vehicle, planned_departure - {_BEFORE} AS since, CASE WHEN {still_out('o')}"  # noqa: S608 - constant texts
        f" THEN NULL ELSE {last_return('o')} END AS until FROM dispatch_orders o WHERE id = ANY($1::text[])",
        sorted(set(ids)),
    )
    return [
        (r["vehicle"], to_us(r["since"]), FOREVER if r["until"] is None else to_us(r["until"])) for r in rows
    ]


def _order(row: Any) -> OrderRow:
    """The one decoder of an order. ``row``: the fields of OrderRow, in their order."""
    values = in_us(row)
    origin, destinations, return_point = values[9:12]
    places = tuple(p for p in map(_place, destinations or ()) if p is not None)
    values[9:12] = _place(origin), places, _place(return_point)
    return OrderRow(*values)


def _place(value: Mapping[str, Any] | None) -> OrderPlace | None:
    """An OrderPlace of the stored JSON ``{name, ..., wgs84: {lat_e6, lon_e6} | null}``."""
    if value is None:
        return None
    point = value.get("wgs84") or {}
    return OrderPlace(value.get("name") or "", point.get("lat_e6"), point.get("lon_e6"))
