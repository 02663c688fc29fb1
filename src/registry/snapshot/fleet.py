"""The fleet as arrays, in memory: which vehicle, which order, which fence, for many (key, time) pairs at
once.

Loaded once and brought up to date vehicle by vehicle, as ``registry.changes`` names them. The SQL is in
the file of each record. A fact that cannot be read keeps back no other: it is set aside (``unreadable``), and the vehicles that it
concerns are not to be judged (``unjudged``) until it can be read. It is tried again whenever one of them is read again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from registry.fences import FenceVersion, read_fences
from registry.order_cover import covers_after
from registry.orders import OrderRow, read_orders
from registry.parameter_values import load_parameters, unreadable_parameters
from registry.parameters import ParameterRow
from registry.snapshot.apart import (
    Binding,
    bindings_apart,
    fences_apart,
    orders_apart,
    vehicles_apart,
)
from registry.snapshot.fences import Area, FenceBook
from registry.snapshot.orders import OrderBook
from registry.snapshot.timelines import FOREVER, NONE, Timelines, overlaps
from registry.terminals import read_bindings
from registry.unreadable import Unreadable, tell, unreadable
from registry.vehicles import VehicleInfo, read_vehicles
from runtime.apart import sift
from runtime.arrays import AnyInts, Bools, Ints
from runtime.connection import Connection
from runtime.faults import of_one_fact
from runtime.units import US_PER_DAY, from_us, midnight_us, to_us

_logger = logging.getLogger(__name__)


class FleetSnapshot:
    """See the module docstring. Make one with ``await FleetSnapshot.load(conn)``.

    ``vehicles`` maps a vehicle's number to its VehicleInfo; ``parameters`` are the rows of
    ``rule_parameters``. Rows of orders and areas keep their meaning across ``refresh`` and ``load_orders``: a
    change makes a new row. Everything is as of the transaction in which ``load``, ``refresh`` or
    ``load_orders`` last ran.

    ``refresh`` and ``load_orders`` raise the fault of a fact that is not set aside yet: load a new one then.
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
        self._unreadable: dict[tuple[str, str], Unreadable] = {}
        self._careful = False  # whether facts are read one by one where all together fail

    @classmethod
    async def load(cls, conn: Connection, *, order_days: int = 7) -> FleetSnapshot:
        """Everything of the registry, of the orders those that are not closed or ended in the last
        ``order_days``."""
        now: datetime = await conn.fetchval("SELECT now()")
        made = cls(to_us(now) - order_days * US_PER_DAY)
        try:
            async with conn.transaction():
                await made._load(conn)
        except Exception as error:
            if not of_one_fact(error):
                raise
            _logger.warning(
                "the registry cannot be read as a whole, its facts are read one by one: %s", error
            )
            made = cls(to_us(now) - order_days * US_PER_DAY)
            made._careful = True
            await made._load(conn)
        made._careful = bool(made._unreadable)
        tell(made.unreadable)
        return made

    async def _load(self, conn: Connection) -> None:
        self.parameters = await load_parameters(conn)
        self._take_vehicles(await self._read_vehicles(conn, ""))
        self._bindings.replace((), await self._read_bindings(conn, ""))
        every = {v.id: (v.no, v.organisation) for v in self.vehicles.values()}
        self._take_fences(
            every, {v.organisation for v in self.vehicles.values()}, await self._read_fences(conn, "")
        )
        where = f"WHERE o.is_current AND {covers_after('o', '$1')}"
        found = await self._read_orders(conn, None, where, from_us(self._orders_since_us))
        self.orders.replace((), found, self.parameters)
        self._note_parameters()

    @property
    def unreadable(self) -> list[Unreadable]:
        """The facts that cannot be read."""
        return list(self._unreadable.values())

    @property
    def unjudged(self) -> dict[int, str]:
        """Vehicles that are not to be judged, each with one of the facts that cannot be read for which that is."""
        found: dict[int, str] = {}
        for fact in self.unreadable:
            nos = self.vehicles.keys() if fact.vehicles is None else fact.vehicles & self.vehicles.keys()
            found |= dict.fromkeys(nos, str(fact))
        return found

    async def refresh(self, conn: Connection, vehicle_nos: Iterable[int]) -> None:
        """Read again all facts about ``vehicle_nos`` (those that ``registry.changes`` names), and the
        parameters."""
        nos = sorted({int(no) for no in vehicle_nos})
        self._forget_unreadable(set(nos))
        parameters = await load_parameters(conn)
        if parameters != self.parameters:  # windows of orders rest on them
            self.parameters = parameters
            self.orders.replace(
                self.orders.vehicles(),
                self._usable(
                    [self.orders.orders[r] for no in self.orders.vehicles() for r in self.orders.rows_of(no)]
                ),
                parameters,
            )
        if nos:
            await self._refresh(conn, nos)
        self._note_parameters()
        self._careful = bool(self._unreadable)

    async def _refresh(self, conn: Connection, nos: Sequence[int]) -> None:
        terminals = set(self._bindings.keys_with(nos))
        now_there = await conn.fetch(
            "SELECT DISTINCT terminal_no FROM terminal_bindings WHERE vehicle_no = ANY($1::integer[])", nos
        )
        terminals |= {row["terminal_no"] for row in now_there}
        bindings = await self._read_bindings(
            conn, "WHERE terminal_no = ANY($1::integer[])", sorted(terminals)
        )
        # A terminal may have come to a vehicle that was made a moment ago: no binding names a vehicle that is not known.
        named = {vehicle for *_, vehicle in bindings} - self.vehicles.keys()
        self._take_vehicles(
            await self._read_vehicles(conn, "WHERE v.no = ANY($1::integer[])", sorted({*nos, *named}))
        )
        self._bindings.replace(terminals, bindings)

        known = [self.vehicles[no] for no in nos if no in self.vehicles]
        organisations = sorted({v.organisation for v in known})
        fences = await self._read_fences(
            conn,
            "WHERE vehicles && $1::text[] OR (organisation = ANY($2::text[]) AND vehicles = '{}')",
            [v.id for v in known],
            organisations,
        )
        self._take_fences({v.id: (v.no, v.organisation) for v in known}, organisations, fences)
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
        ids = [self.vehicles[no].id for no in nos]
        found = await self._read_orders(
            conn, ids,
            "JOIN unnest($1::text[], $2::timestamptz[]) AS k (vehicle, since) ON k.vehicle = o.vehicle"
            f" WHERE o.is_current AND {covers_after('o', 'k.since')}",
            ids,
            [from_us(int(us)) for us in self.orders_since(np.array(nos))],
        )  # fmt: skip
        self.orders.replace(nos, found, self.parameters)

    # ---- facts that cannot be read ----

    def _set_aside(self, facts: Iterable[Unreadable]) -> None:
        self._unreadable.update({(fact.kind, fact.id): fact for fact in facts})

    def _forget_unreadable(self, nos: set[int]) -> None:
        """What is about ``nos`` is read again now; so is what is about nobody any more."""
        self._unreadable = {
            key: fact
            for key, fact in self._unreadable.items()
            if fact.kind != "parameter" and (fact.vehicles is None or fact.vehicles - nos)
        }

    def _note_parameters(self) -> None:
        units = {no: vehicle.organisation for no, vehicle in self.vehicles.items()}
        self._set_aside(unreadable_parameters(self.parameters, units))

    async def _read_vehicles(self, conn: Connection, where: str, *arguments: object) -> list[VehicleInfo]:
        if not self._careful:
            return await read_vehicles(conn, where, *arguments)
        found, bad = await vehicles_apart(conn, where, *arguments)
        self._set_aside(bad)
        return found

    async def _read_bindings(self, conn: Connection, where: str, *arguments: object) -> list[Binding]:
        if not self._careful:
            return await read_bindings(conn, where, *arguments)
        found, bad = await bindings_apart(conn, where, *arguments)
        self._set_aside(bad)
        return found

    async def _read_fences(self, conn: Connection, where: str, *arguments: object) -> list[FenceVersion]:
        if not self._careful:
            return await read_fences(conn, where, *arguments)
        found, bad = await fences_apart(conn, self._fenced, where, *arguments)
        self._set_aside(bad)
        return found

    async def propose_fence(self, conn: Connection, fence: FenceVersion) -> None:
        """From now on it is as if ``fence`` had always been the fence of its id, and none of its versions that are stored. The same
        id of another unit is another fence."""
        stored = [
            each
            for each in await self._read_fences(conn, "")
            if (each.id, each.organisation) != (fence.id, fence.organisation)
        ]
        every = {v.id: (v.no, v.organisation) for v in self.vehicles.values()}
        units = {v.organisation for v in self.vehicles.values()}
        self.fences = FenceBook()
        self._take_fences(every, units, [*stored, fence])

    async def _read_orders(
        self, conn: Connection, among: Sequence[str] | None, where: str, *arguments: object
    ) -> list[OrderRow]:
        if not self._careful:
            return await read_orders(conn, where, *arguments)
        found, bad = await orders_apart(conn, among, where, *arguments)
        self._set_aside(bad)
        return self._usable(found)

    def _usable(self, orders: Sequence[OrderRow]) -> list[OrderRow]:
        """Those of ``orders`` of which it is known when they cover their vehicles."""
        if not self._careful:
            return list(orders)
        good, bad = sift(orders, lambda part: OrderBook().replace((), part, self.parameters))
        self._set_aside(unreadable("order", order.id, why, [order.vehicle_no]) for order, why in bad)
        return good

    def _take_fences(
        self, vehicles: Mapping[str, tuple[int, str]], organisations: Iterable[str], fences: Sequence[FenceVersion]
    ) -> None:  # fmt: skip
        """Areas that have ended are none for their time: nobody is judged by them. Those that hold put their vehicles off."""
        now_us = to_us(datetime.now(UTC))
        broken = self.fences.replace(vehicles, organisations, fences, set_aside=True)
        for parts, why in broken:
            holds = all(fence.valid_to_us > now_us for fence in parts)
            nos: set[int] = set()
            for fence in parts if holds else ():
                nos |= self._fenced(sorted(fence.vehicles), fence.organisation)
            id = " + ".join(f"{fence.id} ({fence.version})" for fence in parts)
            self._set_aside([unreadable("fence", id, why, nos)])

    def _fenced(self, vehicles: Sequence[str], organisation: str) -> frozenset[int]:
        """The numbers of ``vehicles``; of an empty list, those of all of the unit."""
        if not vehicles:
            return frozenset(no for no, v in self.vehicles.items() if v.organisation == organisation)
        return frozenset(self._no_of_id[v] for v in vehicles if v in self._no_of_id)

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
