"""The fleet as arrays, in memory: which vehicle, which order, which fence, for many (key, time) pairs at
once.

Loaded once and brought up to date vehicle by vehicle, as ``registry.changes`` names them. All reading SQL that the
worker needs of the registry is here; writing it is in ``repository``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np

from registry.parameters import ParameterRow
from registry.snapshot.fences import Area, Fence, FenceBook
from registry.snapshot.orders import Order, OrderBook, place
from registry.snapshot.timelines import FOREVER, NONE, Timelines
from runtime.arrays import AnyInts, Bools, Ints
from runtime.connection import Connection
from runtime.units import US_PER_DAY, from_us, midnight_us, to_us

_ENDED = "GREATEST(o.planned_return, o.extended_return, o.actual_return)"
_OPEN = "o.status IN ('approved', 'departed')"
_ORDER = (
    "SELECT o.id, o.version, o.organisation, o.vehicle, v.no, o.driver, o.task_type, o.purpose, o.status, o.origin,"
    " o.destinations, o.return_point, o.planned_departure, o.planned_return, o.extended_return, o.actual_departure,"
    " o.actual_return, o.entered_at FROM dispatch_orders o JOIN vehicles v ON v.id = o.vehicle"
)
_FENCE = "SELECT id, version, name, organisation, vehicles, geometry, valid_from, valid_to FROM fences"
_VEHICLE = "SELECT no, id, plate, organisation, category, energy, registered_on, disposed_on FROM vehicles"
_BINDING = "SELECT terminal_no, vehicle_no, valid_from, valid_to FROM terminal_bindings"


@dataclass(frozen=True, slots=True)
class VehicleInfo:
    """An official vehicle as the register has it now."""

    no: int
    id: str
    plate: str
    organisation: str
    category: str
    energy: str
    registered_on: date | None
    disposed_on: date | None


class FleetSnapshot:
    """See the module docstring. Make one with ``await FleetSnapshot.load(conn)``.

    ``vehicles`` maps a vehicle's number to its VehicleInfo; ``parameters`` are the rows of
    ``rule_parameters``. Rows of orders and areas keep their meaning across ``refresh`` and ``load_orders``: a
    change makes a new row. Everything is as of the transaction in which ``load``, ``refresh`` or
    ``load_orders`` last ran.
    """

    def __init__(self, orders_since_us: int) -> None:
        self.vehicles: dict[int, VehicleInfo] = {}
        self.parameters: tuple[ParameterRow, ...] = ()
        self.orders = OrderBook()
        self.fences = FenceBook()
        self._bindings = Timelines()
        self._no_of_id: dict[str, int] = {}
        self._official = _always(1024)
        self._orders_since_us = orders_since_us
        self._since_of_vehicle: dict[int, int] = {}

    @classmethod
    async def load(cls, conn: Connection, *, order_days: int = 7) -> FleetSnapshot:
        """Everything of the registry, of the orders those that are not closed or ended in the last
        ``order_days``."""
        now: datetime = await conn.fetchval("SELECT now()")
        made = cls(to_us(now) - order_days * US_PER_DAY)
        made.parameters = await load_parameters(conn)
        made._take_vehicles(await conn.fetch(_VEHICLE))
        bindings = await conn.fetch(_BINDING)
        made._bindings.replace((), [_binding(r) for r in bindings])
        made.fences.replace(
            {v.id: (v.no, v.organisation) for v in made.vehicles.values()},
            {v.organisation for v in made.vehicles.values()},
            [_fence(r) for r in await conn.fetch(_FENCE)],
        )
        found = await conn.fetch(
            f"{_ORDER} WHERE o.is_current AND ({_OPEN} OR {_ENDED} >= $1)", from_us(made._orders_since_us)
        )
        made.orders.replace((), [_order(r) for r in found], made.parameters)
        return made

    async def refresh(self, conn: Connection, vehicle_nos: Iterable[int]) -> None:
        """Read again all facts about ``vehicle_nos`` (those that ``registry.changes`` names), and the
        parameters."""
        nos = sorted({int(no) for no in vehicle_nos})
        parameters = await load_parameters(conn)
        if parameters != self.parameters:  # windows of orders rest on them
            self.parameters = parameters
            self.orders.replace(
                self.orders.vehicles(),
                [self.orders.orders[r] for no in self.orders.vehicles() for r in self.orders.rows_of(no)],
                parameters,
            )
        if not nos:
            return
        terminals = set(self._bindings.keys_with(nos))
        terminals |= {
            r["terminal_no"]
            for r in await conn.fetch(
                "SELECT terminal_no FROM terminal_bindings WHERE vehicle_no = ANY($1::integer[])", nos
            )
        }
        bindings = await conn.fetch(f"{_BINDING} WHERE terminal_no = ANY($1::integer[])", sorted(terminals))
        # A terminal may have come to a vehicle that was made a moment ago: no binding names a vehicle that is not known.
        named = {r["vehicle_no"] for r in bindings} - self.vehicles.keys()
        self._take_vehicles(
            await conn.fetch(f"{_VEHICLE} WHERE no = ANY($1::integer[])", sorted({*nos, *named}))
        )
        self._bindings.replace(terminals, [_binding(r) for r in bindings])

        known = [self.vehicles[no] for no in nos if no in self.vehicles]
        organisations = sorted({v.organisation for v in known})
        fences = await conn.fetch(
            f"{_FENCE} WHERE vehicles && $1::text[] OR (organisation = ANY($2::text[]) AND vehicles = '{{}}')",
            [v.id for v in known],
            organisations,
        )
        self.fences.replace(
            {v.id: (v.no, v.organisation) for v in known}, organisations, [_fence(r) for r in fences]
        )
        await self._load_orders(conn, [v.no for v in known])

    async def load_orders(self, conn: Connection, vehicle_nos: Iterable[int], since_us: int) -> None:
        """Have the orders of ``vehicle_nos`` that ended at ``since_us`` or later, for recomputing older
        days."""
        older = [
            no
            for no in sorted({int(no) for no in vehicle_nos})
            if no in self.vehicles and since_us < self._since_of_vehicle.get(no, self._orders_since_us)
        ]
        self._since_of_vehicle.update(dict.fromkeys(older, int(since_us)))
        await self._load_orders(conn, older)

    def orders_since(self, vehicle_nos: AnyInts) -> AnyInts:
        """From when on the closed orders of each vehicle are loaded: microseconds since 1970, shape (n,),
        int64."""
        nos = np.asarray(vehicle_nos)
        since = np.full(len(nos), self._orders_since_us, np.int64)
        if self._since_of_vehicle:
            keys = np.array(sorted(self._since_of_vehicle), np.int64)
            at = np.minimum(np.searchsorted(keys, nos), len(keys) - 1)
            values = np.array([self._since_of_vehicle[int(k)] for k in keys], np.int64)
            since = np.where(keys[at] == nos, values[at], since)
        return since

    def vehicles_at(self, terminals: AnyInts, times_us: AnyInts) -> AnyInts:
        """The vehicle that each terminal sat in at its time; 0 = none. Shape (n,), int32."""
        found = self._bindings.at(terminals, times_us)
        return np.where(found == NONE, 0, found).astype(np.int32)

    def official_at(self, vehicle_nos: AnyInts, times_us: AnyInts) -> Bools:
        """Whether each vehicle was official at its time: in [registered_on, disposed_on), midnights of China. Shape
        (n,)."""
        since, until = self._official[:, vehicle_nos]
        held: Bools = (times_us >= since) & (times_us < until)
        return held

    def order_at(self, vehicle_nos: AnyInts, times_us: AnyInts) -> AnyInts:
        """Row (``orders.rows``, ``orders.orders``) of the order that covers each (vehicle, time), or -1.
        Which one where several do: see OrderBook. Shape (n,), int64."""
        return self.orders.at(vehicle_nos, times_us)

    def fences_at(self, vehicle_nos: AnyInts, times_us: AnyInts) -> AnyInts:
        """Row (``fences.areas``, ``fences.geometries``) of the area each vehicle had to stay in, or -1 where
        it had no fence. Several fences at once are one area, their union. Shape (n,), int64."""
        return self.fences.at(vehicle_nos, times_us)

    def area(self, row: int) -> Area:
        """The area of a row of ``fences_at``."""
        return self.fences.areas[row]

    def vehicle_of_id(self, vehicle: str) -> VehicleInfo | None:
        """A vehicle by the office's id."""
        no = self._no_of_id.get(vehicle)
        return None if no is None else self.vehicles[no]

    def terminals_of(self, vehicle_no: int, since_us: int, until_us: int) -> list[tuple[int, int, int]]:
        """(terminal_no, from_us, to_us) spans in which terminals sat in a vehicle, cut to [since, until):
        what ``telemetry.archive.store.Archive.track`` takes."""
        spans = [
            (terminal, max(start, since_us), min(end, until_us))
            for terminal in self._bindings.keys_with([vehicle_no])
            for start, end, no in self._bindings.rows_of(terminal)
            if no == vehicle_no
        ]
        return sorted((s for s in spans if s[1] < s[2]), key=lambda s: (s[1], s[0]))

    def newest_terminals(self) -> tuple[AnyInts, AnyInts]:
        """(vehicle numbers, terminal numbers), int64: of each vehicle that ever had a terminal, the one whose
        binding began last."""
        terminal, start, _, vehicle = self._bindings.columns()
        order = np.lexsort((terminal, start, vehicle))
        last = np.flatnonzero(np.diff(vehicle[order], append=-1))
        return vehicle[order][last], terminal[order][last]

    async def _load_orders(self, conn: Connection, nos: Sequence[int]) -> None:
        if not nos:
            return
        found = await conn.fetch(
            f"{_ORDER} JOIN unnest($1::text[], $2::timestamptz[]) AS k (vehicle, since) ON k.vehicle = o.vehicle"
            f" WHERE o.is_current AND ({_OPEN} OR {_ENDED} >= k.since)",
            [self.vehicles[no].id for no in nos],
            [from_us(int(us)) for us in self.orders_since(np.array(nos))],
        )
        self.orders.replace(nos, [_order(r) for r in found], self.parameters)

    def _take_vehicles(self, rows: Iterable[Any]) -> None:
        for row in rows:
            info = VehicleInfo(*row)
            self.vehicles[info.no] = info
            self._no_of_id[info.id] = info.no
            if info.no >= self._official.shape[1]:
                self._official = np.hstack((self._official, _always(info.no)))
            self._official[:, info.no] = (
                -FOREVER if info.registered_on is None else midnight_us(info.registered_on),
                FOREVER if info.disposed_on is None else midnight_us(info.disposed_on),
            )


async def load_parameters(conn: Connection) -> tuple[ParameterRow, ...]:
    """Every row of ``rule_parameters``."""
    rows = await conn.fetch(
        "SELECT rule, name, organisation, value, effective_from FROM rule_parameters"
        " ORDER BY rule, name, organisation, effective_from"
    )
    return tuple(
        ParameterRow(r["rule"], r["name"], r["organisation"], int(r["value"]), to_us(r["effective_from"]))
        for r in rows
    )


def _always(count: int) -> Ints:
    """[from, to) of vehicles that were always official, shape (2, count)."""
    return np.repeat(np.array([[-FOREVER], [FOREVER]], np.int64), count, axis=1)


def _end(moment: datetime | None) -> int:
    return FOREVER if moment is None else to_us(moment)


def _optional(moment: datetime | None) -> int | None:
    return None if moment is None else to_us(moment)


def _binding(row: Any) -> tuple[int, int, int, int]:
    return row["terminal_no"], to_us(row["valid_from"]), _end(row["valid_to"]), row["vehicle_no"]


def _fence(row: Any) -> Fence:
    return Fence(
        id=row["id"],
        version=row["version"],
        name=row["name"],
        organisation=row["organisation"],
        vehicles=frozenset(row["vehicles"]),
        wkb=row["geometry"],
        valid_from_us=to_us(row["valid_from"]),
        valid_to_us=_end(row["valid_to"]),
    )


def _order(row: Any) -> Order:
    return Order(
        id=row["id"],
        version=row["version"],
        organisation=row["organisation"],
        vehicle=row["vehicle"],
        vehicle_no=row["no"],
        driver=row["driver"],
        task_type=row["task_type"],
        purpose=row["purpose"],
        status=row["status"],
        origin=place(row["origin"]),
        destinations=tuple(p for p in map(place, row["destinations"]) if p is not None),
        return_point=place(row["return_point"]),
        planned_departure_us=to_us(row["planned_departure"]),
        planned_return_us=to_us(row["planned_return"]),
        extended_return_us=_optional(row["extended_return"]),
        actual_departure_us=_optional(row["actual_departure"]),
        actual_return_us=_optional(row["actual_return"]),
        entered_us=to_us(row["entered_at"]),
    )


#: For the other readers of orders in this package.
SELECT_ORDERS, order_of_row = _ORDER, _order
