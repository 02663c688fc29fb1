"""Records of a simulated city as PUT bodies of the registry. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np

from runtime.units import CHINA, US_PER_S, from_us
from simulation.city.facts import Card, Offence, PaperVehicle, Payment, Setting, Station
from simulation.city.fleet import Order, Organisation, Place, Plan, Vehicle
from telemetry.geo import Datum, from_wgs84

_CHUNK = 500  # rows of one import
_ATTEMPTS = 8
_BUSY = frozenset({429, 502, 503, 504})

#: Fences and organisations depend on the seed alone, so what a later run enters is what is there already.
FENCES_FROM = "2020-01-01T00:00:00+08:00"


def _time(seconds: int | None) -> str | None:
    return None if seconds is None else from_us(seconds * US_PER_S).astimezone(CHINA).isoformat()


def _degrees(plan: Plan, xy: Any, datum: str) -> list[tuple[float, float]]:
    """Points of the plane, shape (n, 2) metres, as (lat, lon) in ``datum``, to 1e-7 degree."""
    degrees = plan.frame.to_degrees(np.atleast_2d(np.asarray(xy, np.float64)))
    lat, lon = from_wgs84(Datum(datum), degrees[:, 0], degrees[:, 1])
    return [(round(float(a), 7), round(float(o), 7)) for a, o in zip(lat, lon, strict=True)]


def _place(plan: Plan, place: Place, datum: str) -> dict[str, Any]:
    if place.xy is None:
        return {"name": place.name}
    ((lat, lon),) = _degrees(plan, place.xy, datum)
    return {"name": place.name, "lat": lat, "lon": lon, "datum": datum}


def organisation_body(organisation: Organisation) -> dict[str, Any]:
    """The record of ``organisations``."""
    return {"id": organisation.id, "name": organisation.name}


def fence_body(plan: Plan, organisation: Organisation) -> dict[str, Any]:
    """The record of ``fences``: the yard, for all vehicles of the unit."""
    ring = [[lon, lat] for lat, lon in _degrees(plan, organisation.fence, organisation.datum)]
    ring[-1] = ring[0]
    return {
        "id": f"FENCE-{organisation.id}",
        "name": f"{organisation.name}停车场",
        "organisation": organisation.id,
        "datum": organisation.datum,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "valid_from": FENCES_FROM,
    }


def vehicle_body(vehicle: Vehicle) -> dict[str, Any]:
    """The record of ``vehicles``."""
    return {
        "id": vehicle.id,
        "plate": vehicle.plate,
        "organisation": vehicle.organisation,
        "category": "机要通信用车",
        "energy": "petrol",
    }


def driver_body(vehicle: Vehicle) -> dict[str, Any]:
    """The record of ``drivers``: the vehicle's own."""
    return {"id": vehicle.driver, "name": vehicle.driver_name, "organisation": vehicle.organisation}


def terminal_body(plan: Plan, vehicle: Vehicle) -> dict[str, Any]:
    """The record of ``terminals``, bound since a day before the plan begins."""
    return {"id": vehicle.phone, "vehicle": vehicle.id, "valid_from": _time(plan.start_s - 86_400)}


def order_body(plan: Plan, order: Order) -> dict[str, Any]:
    """The record of ``dispatch-orders``. A unit with a GCJ-02 fence reads its destinations off the same map."""
    datum = next((o.datum for o in plan.organisations if o.id == order.organisation), "wgs84")
    body: dict[str, Any] = {
        "id": order.id,
        "organisation": order.organisation,
        "vehicle": order.vehicle,
        "driver": order.driver,
        "task_type": order.task_type,
        "purpose": order.purpose,
        "status": order.status,
        "destinations": [_place(plan, p, datum) for p in order.destinations],
        "planned_departure": _time(order.planned_departure),
        "planned_return": _time(order.planned_return),
    }
    for name, place in (("origin", order.origin), ("return_point", order.return_point)):
        if place is not None:
            body[name] = _place(plan, place, datum)
    for name in ("applicant", "approver"):
        if getattr(order, name) is not None:
            body[name] = getattr(order, name)
    for name in ("extended_return", "actual_departure", "actual_return", "cancelled_at"):
        value = getattr(order, name)
        if value is not None:
            body[name] = _time(value)
    return body


def _day(seconds: int | None) -> str | None:
    return None if seconds is None else from_us(seconds * US_PER_S).astimezone(CHINA).date().isoformat()


def paper_vehicle_body(vehicle: PaperVehicle) -> dict[str, Any]:
    """The record of ``vehicles``: one that was disposed of."""
    return {
        "id": vehicle.id,
        "plate": vehicle.plate,
        "organisation": vehicle.organisation,
        "registered_on": "2019-06-01",
        "disposed_on": _day(vehicle.disposed_s),
    }


def station_body(plan: Plan, station: Station) -> dict[str, Any]:
    """The record of ``fuel-stations``."""
    ((lat, lon),) = _degrees(plan, station.xy, "gcj02")  # read off a Chinese map
    return {"id": station.id, "name": station.name, "lat": lat, "lon": lon, "datum": "gcj02"}


def card_body(card: Card) -> dict[str, Any]:
    """The record of ``fuel-cards`` with the whole history of its bindings."""
    return {
        "id": card.id,
        "organisation": card.organisation,
        "issuer": "中国石化",
        "status": "active" if card.closed_s is None else "closed",
        "opened_on": _day(card.opened_s),
        "closed_on": _day(card.closed_s),
        "bindings": [
            {"plate": b.plate, "valid_from": _time(b.from_s), "valid_to": _time(b.to_s)}
            for b in card.bindings
        ],
    }


def payment_body(payment: Payment) -> dict[str, Any]:
    """The record of ``fuel-transactions``."""
    body: dict[str, Any] = {
        "id": payment.id,
        "card": payment.card,
        "at": _time(payment.at_s),
        "kind": payment.kind,
        "amount": f"{payment.amount_fen // 100}.{payment.amount_fen % 100:02}",
        "station_name": "" if payment.station is None else payment.station.name,
    }
    if payment.quantity_ml is not None:
        body |= {
            "product": payment.product,
            "quantity": f"{payment.quantity_ml // 1000}.{payment.quantity_ml % 1000:03}",
        }
        body["unit_price"] = "7.89"
    if payment.posted:
        body["posted"] = True
    if payment.reverses is not None:
        body["reverses"] = payment.reverses
    return body


def offence_body(offence: Offence) -> dict[str, Any]:
    """The record of ``violations``."""
    return {
        "id": offence.id,
        "plate": offence.plate,
        "at": _time(offence.at_s),
        "place": "人民路与青年路路口",
        "act": offence.act,
        "fine": "200.00",
        "points": 3,
        "status": offence.status,
    }


def setting_body(setting: Setting, organisation: Organisation) -> dict[str, Any]:
    """The body of ``rule-parameters``."""
    return {
        "rule": setting.rule,
        "name": setting.name,
        "organisation": organisation.id,
        "value": setting.value,
        "effective_from": _time(setting.from_s),
        "source": "演示单位自定 · set for the demo",
    }
