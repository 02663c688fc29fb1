"""Dispatch orders (派车单), kept in versions: the record, written and read. What time an order covers: ``order_cover``; which
version counts, and what becomes of a change that comes too late: ``order_versions``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from registry.order_cover import NOT_SHOWN, begins, hours, is_overdue, last_return
from registry.order_record import HEADERS as HEADERS
from registry.order_record import DispatchOrder as DispatchOrder
from registry.order_versions import CONTENT, write_versions
from registry.pages import Filter, Listing, Sorting, same
from registry.values import WriteResult
from runtime.connection import Connection
from runtime.units import from_us, in_us, to_us

_SHOWN: Final = ", ".join(f"t.{name}" for name in CONTENT)
LISTING: Final = Listing(
    f"SELECT t.id, t.version, {_SHOWN}, t.entered_at, t.received_at, t.holds_from, t.backfill, t.counts,"  # noqa: S608 - constant names
    " (SELECT min(f.entered_at) FROM dispatch_orders f WHERE f.id = t.id) > t.planned_departure AS entered_late,"
    f" {is_overdue('t')} AS overdue, GREATEST(t.planned_return, t.extended_return)"
    f" + {hours('overdue_cover_h', 't')} * interval '1 hour' AS overdue_from FROM dispatch_orders t",
    {name: same(name) for name in ("organisation", "vehicle", "driver", "status")}
    | {
        "overdue": Filter(f"{{}} = 'true' AND t.is_current AND {is_overdue('t')}"),
        "backfill_waits": Filter("{} = 'true' AND NOT t.counts AND t.vehicle > ''"),
        "departed_from": Filter("t.actual_departure >= {}::text::timestamptz", "time"),
        "departed_to": Filter("t.actual_departure < {}::text::timestamptz", "time"),
    },
    newest="t.is_newest AND t.part_of IS NULL",
    orders={"planned_departure": Sorting("t.planned_departure", "time")},
)


async def write(connection: Connection, records: Sequence[DispatchOrder]) -> list[WriteResult]:
    """Write orders whose references were checked, at most one record an id. See ``records.apply``. Raises RefusedError for an
    exchange with an unknown vehicle or driver, and a time of entry that is still to come."""
    return await write_versions(connection, records)


# --- read


@dataclass(frozen=True, slots=True)
class OrderPlace:
    """A place of an order: WGS-84 in 1e-6 degree, None = without coordinates (市区)."""

    name: str
    lat_e6: int | None
    lon_e6: int | None


@dataclass(frozen=True, slots=True)
class OrderRow:
    """A version of a dispatch order, or of a part of it; times in microseconds since 1970 UTC. A part is told as an order of its
    own: it departs at ``leg_from_us`` and is returned at ``leg_to_us``. ``left_us``, ``back_us``, ``was_out``: see ``order_cover.Times``.
    ``route``: see ``read_orders``."""

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
    cancelled_us: int | None = None
    part_of: str | None = None
    leg_from_us: int | None = None
    leg_to_us: int | None = None
    covers_to_us: int | None = None
    backfill: bool = False
    holds_from_us: int | None = None
    route: tuple[OrderPlace, ...] = ()
    left_us: int | None = None
    back_us: int | None = None
    was_out: bool = False

    @property
    def not_before_us(self) -> int | None:
        """See ``order_cover.Times``: a version that holds from its entry on, or later, says nothing of the time before its entry."""
        holds = self.holds_from_us
        return self.entered_us if holds is not None and holds >= self.entered_us else None

    @property
    def order(self) -> str:
        """The office's own number of the order: of a part that of the whole."""
        return self.part_of or self.id


async def read_orders(
    connection: Connection, where: str, *arguments: object, places: bool = True, routes: bool = False
) -> list[OrderRow]:
    """Orders ``o`` of vehicles ``v``; ``where``: what follows the SELECT. Without ``places`` those are left out: cheaper
    for who asks only when an order covers its vehicle. ``routes``: with the routes that they designate, which may have hundreds of points."""
    shown, route = "o.origin, o.destinations, o.return_point", "o.route" if routes else "NULL AS route"
    if not places:
        shown = "NULL AS origin, NULL AS destinations, NULL AS return_point"
    rows = await connection.fetch(
        f"SELECT o.id, o.version, o.organisation, o.vehicle, v.no, o.driver, o.task_type, o.purpose, o.status, {shown},"  # noqa: S608 - constant texts
        " o.planned_departure, o.planned_return, o.extended_return, o.actual_departure, o.actual_return, o.entered_at,"
        " o.cancelled_at, o.part_of, o.leg_from, o.leg_to, o.covers_to, o.backfill, o.holds_from,"
        f" {route},"
        " w.left_known, w.left_at, w.back_known, w.back_at"
        " FROM dispatch_orders o JOIN vehicles v ON v.id = o.vehicle"
        f" LEFT JOIN order_track_times w ON w.order_id = o.id AND w.version = o.version {where}",
        *arguments,
    )
    return [_order(row) for row in rows]


async def count_open(connection: Connection) -> tuple[int, int]:
    """How many orders are overdue now, and how many backfills wait for an approver."""
    row = await connection.fetchrow(
        f"SELECT (SELECT count(*) FROM dispatch_orders o WHERE o.is_current AND o.part_of IS NULL AND {is_overdue('o')}),"  # noqa: S608 - constant texts
        " (SELECT count(*) FROM dispatch_orders o WHERE o.is_newest AND NOT o.counts AND o.vehicle > '')"
    )
    return int(row[0]), int(row[1])


async def spans_of_orders(connection: Connection, ids: Iterable[str]) -> list[tuple[str, int, int]]:
    """(vehicle id, from, to) of the times that any version of the orders covered or covers, at the widest."""
    rows = await connection.fetch(
        f"SELECT o.vehicle, {begins('o')} AS since, LEAST({last_return('o')} + {hours('overdue_cover_h', 'o')} * interval '1 hour'"  # noqa: S608 - constant texts
        " + interval '4 hours', o.leg_to + interval '4 hours') AS until FROM dispatch_orders o WHERE o.id = ANY($1::text[])",
        sorted(set(ids)),
    )
    return [(r["vehicle"], to_us(r["since"]), to_us(r["until"])) for r in rows]


async def save_track_times(connection: Connection, orders: Sequence[OrderRow]) -> None:
    """Keep ``left_us`` and ``back_us`` of versions of orders."""

    def moment(us: int | None) -> datetime | None:
        return None if us is None or us == NOT_SHOWN else from_us(us)

    if orders:
        found = sorted(orders, key=lambda order: order.id)
        await connection.execute(
            "INSERT INTO order_track_times (order_id, version, left_known, left_at, back_known, back_at)"
            " SELECT * FROM unnest($1::text[], $2::integer[], $3::boolean[], $4::timestamptz[], $5::boolean[], $6::timestamptz[])"
            " ON CONFLICT (order_id, version) DO UPDATE SET left_known = EXCLUDED.left_known, left_at = EXCLUDED.left_at,"
            " back_known = EXCLUDED.back_known, back_at = EXCLUDED.back_at",
            [order.id for order in found],
            [order.version for order in found],
            [order.left_us is not None for order in found],
            [moment(order.left_us) for order in found],
            [order.back_us is not None for order in found],
            [moment(order.back_us) for order in found],
        )


def _order(row: Any) -> OrderRow:
    """The one decoder of an order. ``row``: the fields of OrderRow, in their order, but for the last two: whether and when it
    left, whether and when it came back."""
    *values, left_known, left, back_known, back = in_us(row)
    origin, destinations, return_point = values[9:12]
    values[9:12] = _place(origin), _all_places(destinations), _place(return_point)
    values[-1] = _all_places(values[-1])
    shown = [NOT_SHOWN if at is None else at for at in (left, back)]
    found = replace(
        OrderRow(*values), left_us=shown[0] if left_known else None, back_us=shown[1] if back_known else None
    )
    return _part(found) if found.leg_from_us or found.leg_to_us else found


def _part(row: OrderRow) -> OrderRow:
    """A part as an order of its own."""
    since, until = row.leg_from_us, row.leg_to_us
    if since is not None and since > row.planned_departure_us:
        row = replace(row, actual_departure_us=max(since, row.actual_departure_us or since))
    if until is None or (row.status == "cancelled" and (row.cancelled_us or 0) <= until):
        return row
    if row.actual_return_us is None or until < row.actual_return_us:
        still_out = row.status in ("approved", "departed")
        row = replace(row, status="returned", actual_return_us=until, was_out=still_out)
    return row


def _all_places(values: Iterable[Mapping[str, Any]] | None) -> tuple[OrderPlace, ...]:
    return tuple(place for place in map(_place, values or ()) if place is not None)


def _place(value: Mapping[str, Any] | None) -> OrderPlace | None:
    """An OrderPlace of the stored JSON ``{name, ..., wgs84: {lat_e6, lon_e6} | null}``."""
    if value is None:
        return None
    point = value.get("wgs84") or {}
    return OrderPlace(value.get("name") or "", point.get("lat_e6"), point.get("lon_e6"))
