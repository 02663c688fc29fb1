"""The versions of ``dispatch_orders`` that a dispatch makes, by the registry's own writer. The rules learn nothing new: what is approved,
departed, returned, cancelled or changed here is a version of an order as any other system would send it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from office.dispatch.dispatch import Dispatch
from office.requests.table import BEFORE, OUT, TripState
from registry import orders
from registry.orders import DispatchOrder
from registry.places import Place
from runtime.connection import Connection

_MOST_NAME: Final = 200


def order_of(id: str, dispatch: Dispatch) -> DispatchOrder:
    """What the rules are to know of a dispatch as it is now."""
    trip = dispatch.trip
    status = (
        "approved" if dispatch.state in BEFORE
        else "departed" if dispatch.state in OUT
        else "returned" if dispatch.state is TripState.RETURNED
        else "cancelled"
    )  # fmt: skip
    cancelled = status == "cancelled"
    return DispatchOrder.model_validate(
        {
            "id": id,
            "organisation": dispatch.organisation,
            "vehicle": dispatch.vehicle,
            "driver": dispatch.driver,
            "task_type": trip["task_type"],
            "purpose": trip["purpose"],
            "status": status,
            "origin": _place(trip.get("origin")),
            "destinations": [_place(place) for place in trip["destinations"]],
            "return_point": _place(trip.get("return_point")),
            "route": [_place(place) for place in trip.get("route", ())],
            "planned_departure": dispatch.planned_departure,
            "planned_return": dispatch.planned_return,
            "extended_return": dispatch.extended_return,
            "actual_departure": dispatch.actual_departure,
            "actual_return": dispatch.actual_return,
            "cancelled_at": dispatch.cancelled_at if cancelled else None,
            "applicant": trip.get("applicant"),
            "approver": trip.get("approver"),
            "entered_at": dispatch.entered_at,
            "holds_from": dispatch.holds_from,
        }
    )


def _place(value: Mapping[str, Any] | None) -> Place | None:
    return None if value is None else Place.model_validate(value)


def short_name(name: str) -> str:
    """A name as an order takes it."""
    return name[:_MOST_NAME]


async def write_order(connection: Connection, id: str, dispatch: Dispatch) -> bool:
    """Write the version of the order; False: its vehicle, or the one before, is not within reach of the transaction, and the clock
    has to (``order_due``). In the transaction of the event."""
    seen = await connection.fetchval("SELECT EXISTS (SELECT FROM vehicles WHERE id = $1)", dispatch.vehicle)
    before = await connection.fetchval("SELECT last_order_unit($1)", id)
    if not seen or (
        before is not None and not await connection.fetchval("SELECT unit_is_reached($1)", before)
    ):
        return False
    await orders.write(connection, [order_of(id, dispatch)])
    return True
