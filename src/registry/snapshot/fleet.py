"""The fleet as arrays, in memory: which vehicle, which order, which fence, for many (key, time) pairs at
once.

Loaded once and brought up to date vehicle by vehicle, as ``registry.changes`` names them. The SQL is in
the file of each record.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import numpy as np

from registry.fences import read_fences
from registry.order_cover import covers_after
from registry.orders import read_orders
from registry.parameter_values import load_parameters
from registry.parameters import ParameterRow
from registry.snapshot.fences import Area, FenceBook
from registry.snapshot.orders import OrderBook
from registry.snapshot.timelines import FOREVER, NONE, Timelines, overlaps
from registry.terminals import read_bindings
from registry.vehicles import VehicleInfo, read_vehicles
from runtime.arrays import AnyInts, Bools, Ints
from runtime.connection import Connection
from runtime.units import US_PER_DAY, from_us, midnight_us, to_us


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
        self._shared = Timelines()
        self._shared_of: AnyInts | None = None  # the columns of bindings that it was made of
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
        made._take_vehicles(await read_vehicles(conn))
        made._bindings.replace((), await read_bindings(conn))
        made.fences.replace(
            {v.id: (v.no, v.organisation) for v in made.vehicles.values()},
            {v.organisation for v in made.vehicles.values()},
            await read_fences(conn),
        )
        found = await read_orders(
            conn, f"WHERE o.is_current AND {covers_after('o', '$1')}", from_us(made._orders_since_us)
        )
        made.orders.replace((), found, made.parameters)
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
        now_there = await read_bindings(conn, "WHERE vehicle_no = ANY($1::integer[])", nos)
        terminals |= {terminal for terminal, *_ in now_there}
        bindings = await read_bindings(conn, "WHERE terminal_no = ANY($1::integer[])", sorted(terminals))
        # A terminal may have come to a vehicle that was made a moment ago: no binding names a vehicle that is not known.
        named = {vehicle for *_, vehicle in bindings} - self.vehicles.keys()
        self._take_vehicles(
            await read_vehicles(conn, "WHERE v.no = ANY($1::integer[])", sorted({*nos, *named}))
        )
        self._bindings.replace(terminals, bindings)

        known = [self.vehicles[no] for no in nos if no in self.vehicles]
        organisations = sorted({v.organisation for v in known})
        fences = await read_fences(
            conn,
            "WHERE vehicles && $1::text[] OR (organisation = ANY($2::text[]) AND vehicles = '{}')",
            [v.id for v in known],
            organisations,
        )
        self.fences.replace({v.id: (v.no, v.organisation) for v in known}, organisations, fences)
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

    def shared_at(self, vehicle_nos: AnyInts, times_us: AnyInts) -> Bools:
        """Whether several terminals sat in each vehicle at its time. Shape (n,)."""
        terminal, start, end, vehicle = self._bindings.columns()
        if self._shared_of is not terminal:
            self._shared = overlaps(vehicle, start, end)
            self._shared_of = terminal
        shared: Bools = self._shared.at(vehicle_nos, times_us) != NONE
        return shared

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
        found = await read_orders(
            conn,
            "JOIN unnest($1::text[], $2::timestamptz[]) AS k (vehicle, since) ON k.vehicle = o.vehicle"
            f" WHERE o.is_current AND {covers_after('o', 'k.since')}",
            [self.vehicles[no].id for no in nos],
            [from_us(int(us)) for us in self.orders_since(np.array(nos))],
        )
        self.orders.replace(nos, found, self.parameters)

    def _take_vehicles(self, vehicles: Iterable[VehicleInfo]) -> None:
        for info in vehicles:
            self.vehicles[info.no] = info
            self._no_of_id[info.id] = info.no
            if info.no >= self._official.shape[1]:
                self._official = np.hstack((self._official, _always(info.no)))
            self._official[:, info.no] = (
                -FOREVER if info.registered_on is None else midnight_us(info.registered_on),
                FOREVER if info.disposed_on is None else midnight_us(info.disposed_on),
            )


def _always(count: int) -> Ints:
    """[from, to) of vehicles that were always official, shape (2, count)."""
    return np.repeat(np.array([[-FOREVER], [FOREVER]], np.int64), count, axis=1)
