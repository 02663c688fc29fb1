"""What was written and may still be wrong: a question to the office, no refusal. A destination at the other end of the world
accuses a driver who did arrive; but a long way may be true, so it is asked about, not refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

import numpy as np
import shapely

from registry.fences import Fence
from registry.orders import DispatchOrder
from registry.organisations import parents_above
from registry.places import Place, to_shape
from registry.refusals import Flaw
from registry.statements.units import apart, fine_questions, questions
from registry.stations import FuelStation
from registry.transactions import FuelTransaction, exact_sums
from registry.values import Record
from registry.vehicles import Vehicle
from registry.violations import Violation
from runtime.arrays import Floats
from runtime.connection import Connection
from telemetry.geo import distance_m, in_china

#: Asked about: a place of an order so far from its unit, a day and a half of driving. Also how large a fence may be.
FAR_KM: Final = 1_000
LARGE_FENCE_KM: Final = 100
#: Questions handed back; the rest are counted.
MAX_DOUBTS: Final = 100
#: Fences of a unit that are looked at, and places of orders without any fence: enough to tell one end of a country from the other.
_FEW: Final = 20

_SEPARATED: Final = "别名中有顿号或逗号：多个别名请用分号隔开，否则按一个名称对照 · an alias with a comma in it: several are separated by semicolons"
_ABROAD: Final = (
    "坐标在中国境外，请核对（经纬度是否写反、正负号） · outside China; please check the coordinates"
)


async def doubts(connection: Connection, records: Sequence[Record]) -> list[Flaw]:
    """Questions about records of one kind that were written, by row. One read of the fences, whatever their number."""
    if not records:
        return []
    if isinstance(records[0], DispatchOrder):
        return await _of_orders(connection, [r for r in records if isinstance(r, DispatchOrder)])
    found: list[Flaw] = []
    for row, record in enumerate(records):
        found += [Flaw((name,), asked, row) for name, asked in _of_numbers(record)]
        if isinstance(record, Fence):
            found += _of_shape(row, ("geometry",), record.geometry, record.datum)
            continue
        if not isinstance(record, FuelStation):
            continue
        found += [
            Flaw(("aliases",), _SEPARATED, row)
            for alias in record.aliases
            if any(c in alias for c in "、，,|/")
        ]
        if record.place is not None and record.datum is not None:
            path = ("geometry",) if record.geometry is not None else ("lat",)
            found += _of_shape(row, path, record.place, record.datum)
    return found


_APART: Final = (
    "数量×单价与金额相差悬殊，请核对单位 · quantity times price is far from the sum: are the units right?"
)
#: A tank or a battery outside these is a question of units: litres, kWh.
_TANK: Final = (10, 1_000)
_BATTERY: Final = (5, 1_000)


def _of_numbers(record: Record) -> list[tuple[str, str]]:
    """(field, question) of numbers that are likely to be in another unit."""
    if isinstance(record, FuelTransaction):
        if record.kind != "fill":
            return []
        sums = exact_sums(record)
        return questions(*sums) or ([("amount", _APART)] if apart(*sums) else [])
    if isinstance(record, Violation):
        return fine_questions(None if record.fine is None else Fraction(record.fine, 100), record.points)
    if not isinstance(record, Vehicle):
        return []
    return [
        (name, f"{value / 1000:g} {unit}超出常理，请核对单位 · outside {low} to {high}: is the unit right?")
        for name, value, unit, (low, high) in (
            ("tank", record.tank, "升", _TANK), ("battery", record.battery, "度", _BATTERY)
        )
        if value is not None and not 1000 * low <= value <= 1000 * high
    ]  # fmt: skip


def _of_shape(row: int, path: tuple[str | int, ...], geometry: dict[str, Any], datum: str) -> list[Flaw]:
    points = shapely.get_coordinates(to_shape(geometry))
    if datum == "wgs84" and not in_china(points[:, 1], points[:, 0]).all():
        return [Flaw(path, _ABROAD, row)]
    west, south, east, north = points[:, 0].min(), points[:, 1].min(), points[:, 0].max(), points[:, 1].max()
    km = int(distance_m(south, west, north, east) / 1000)
    if km < LARGE_FENCE_KM:
        return []
    return [
        Flaw(path, f"范围跨度 {km} 公里，请核对各顶点 · it is {km} km across; please check its vertices", row)
    ]


async def _of_orders(connection: Connection, orders: Sequence[DispatchOrder]) -> list[Flaw]:
    placed = {order.organisation for order in orders if any(_places(order))}
    if not placed:
        return []
    homes = await _homes(connection, placed)
    if len(orders) <= _FEW:
        return _far_places(orders, homes)
    # Apart: for an import of 20,000 orders it takes a second or two in which others are to be answered.
    return await asyncio.to_thread(_far_places, orders, homes)


def _far_places(orders: Sequence[DispatchOrder], homes: Mapping[str, Floats]) -> list[Flaw]:
    named = [(row, path, place) for row, order in enumerate(orders) for path, place in _places(order)]
    asked: list[_Asked] = []
    found: list[Flaw] = []
    for row, path, place in named:
        # As they are given: at this scale the datum makes no difference.
        lat, lon = float(place.lat or 0), float(place.lon or 0)
        if place.datum == "wgs84" and not in_china(lat, lon):
            found.append(Flaw(path, _ABROAD, row))
        else:
            asked.append((row, path, lat, lon))
    for unit, rows in _by_unit(orders, asked).items():
        places = np.array([asked[k][2:] for k in rows], np.float64)
        if (near := homes.get(unit)) is not None:
            km = _nearest_km(places, near)
        elif len(rows) <= _FEW:  # nobody has a fence: the other places of the order are all there is
            km = np.array(
                [_nearest_km(places[k : k + 1], _others(asked, rows, k))[0] for k in range(len(rows))]
            )
        else:
            continue
        for k in np.flatnonzero(km >= FAR_KM).tolist():
            row, path = asked[rows[k]][:2]
            said = f"距本单位 {int(km[k])} 公里，请核对坐标和坐标系 · {int(km[k])} km from the unit; please check coordinates and datum"
            found.append(Flaw(path, said, row))
    return sorted(found, key=lambda flaw: flaw.row)


_Asked = tuple[int, tuple[str | int, ...], float, float]


def _by_unit(orders: Sequence[DispatchOrder], asked: Sequence[_Asked]) -> dict[str, list[int]]:
    """Unit -> indices into ``asked`` (row, path, lat, lon)."""
    found: dict[str, list[int]] = {}
    for k, (row, *_) in enumerate(asked):
        found.setdefault(orders[row].organisation, []).append(k)
    return found


def _others(asked: Sequence[_Asked], rows: Sequence[int], k: int) -> Floats:
    """The other places of the order that ``asked[rows[k]]`` is of."""
    mine = asked[rows[k]]
    others = [asked[j][2:] for j in rows if asked[j][0] == mine[0] and asked[j][1] != mine[1]]
    return np.array(others, np.float64).reshape(-1, 2)


def _nearest_km(places: Floats, near: Floats) -> Floats:
    """Kilometres from each place (lat, lon; shape (n, 2)) to the nearest of ``near``, shape (n,); 0 where there is none."""
    if not len(near):
        return np.zeros(len(places))
    metres = distance_m(places[:, :1], places[:, 1:], near[None, :, 0], near[None, :, 1])
    nearest: Floats = metres.min(axis=1) / 1000
    return nearest


def _places(order: DispatchOrder) -> Iterable[tuple[tuple[str | int, ...], Place]]:
    places: list[tuple[tuple[str | int, ...], Place | None]] = [
        (("origin",), order.origin),
        *((("destinations", k), place) for k, place in enumerate(order.destinations)),
        (("return_point",), order.return_point),
        *((("route", k), place) for k, place in enumerate(order.route)),
    ]
    return ((path, place) for path, place in places if place is not None and place.lat is not None)


async def _homes(connection: Connection, units: set[str]) -> dict[str, Floats]:
    """Where each unit is: a point (lat, lon, degrees) of each of its fences, else of those of the unit above it, and so on, else
    of some of everybody's. Without any fence in the registry a unit is left out. At this scale their datum makes no difference."""
    above = await parents_above(connection, units)
    lines = {unit: list(_line(unit, above)) for unit in units}
    asked = sorted({one for line in lines.values() for one in line})
    of: dict[str, list[list[float]]] = {}
    for row in await connection.fetch(_FEW_POINTS, asked, _FEW):
        of.setdefault(row["organisation"], []).append(row["point"][1::-1])
    found = {unit: next((of[one] for one in line if one in of), []) for unit, line in lines.items()}
    if not all(found.values()):
        anywhere = [row["point"][1::-1] for row in await connection.fetch(f"{_POINT} LIMIT {_FEW}")]
        found = {unit: points or anywhere for unit, points in found.items()}
    return {unit: np.array(points[:_FEW], np.float64) for unit, points in found.items() if points}


_POINT: Final = (
    "SELECT f.organisation, CASE f.original ->> 'type' WHEN 'Polygon' THEN f.original #> '{coordinates,0,0}'"
    " ELSE f.original #> '{coordinates,0,0,0}' END AS point FROM fences f"
)
#: Of each unit some of its fences.
_FEW_POINTS: Final = (
    "SELECT p.organisation, p.point FROM unnest($1::text[]) AS u (id)"  # noqa: S608 - constant texts
    f" CROSS JOIN LATERAL ({_POINT} WHERE f.organisation = u.id LIMIT $2) AS p"
)


def _line(unit: str, above: dict[str, str | None]) -> Iterable[str]:
    """A unit and those above it; units form no ring."""
    at: str | None = unit
    while at is not None:
        yield at
        at = above.get(at)
