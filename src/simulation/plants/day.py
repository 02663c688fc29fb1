"""One vehicle's day while it is being planned: where it lives, how it gets about, what the office enters."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from runtime.arrays import Floats
from simulation.city.facts import Offence, Payment, Station
from simulation.city.fleet import Order, Organisation, Place, Timeline, distance_to_path
from simulation.city.roads import Generator, RoadNetwork, drive

MINUTE = 60
CLEAR_M = 3_000.0  # a missed destination is missed by at least this much (the rule says 2,000)
YARD_KMH = 15.0


class NoWayError(AssertionError):
    """What a kind is to do cannot be done from here; another draw may."""


@dataclass(frozen=True, slots=True)
class Found:
    """An alert a kind must lead to, in seconds since 1970 UTC."""

    rule: str
    order: str | None
    from_s: int
    to_s: int
    kind: str


class Room:
    """Where a vehicle lives: the city, its unit's yard, and its own parking place in it."""

    def __init__(self, network: RoadNetwork, organisation: Organisation, number: int) -> None:
        self.network = network
        self.organisation = organisation
        centre = np.array(organisation.centre)
        self._along = unit(organisation.fence[1] - organisation.fence[0])
        self._across = np.array([-self._along[1], self._along[0]])
        column, row = number % 5 - 2, number // 5 % 3 - 1
        self.slot = pair(centre + self._along * 11.0 * column + self._across * 14.0 * row)

    def in_yard(self, along_m: float, across_m: float) -> tuple[float, float]:
        """A point of the yard's own axes, which cross in its centre. The fence is 85 m and 60 m away on them."""
        return pair(np.array(self.organisation.centre) + self._along * along_m + self._across * across_m)


class Day:
    """One vehicle's day while it is being planned."""

    def __init__(
        self, room: Room, timeline: Timeline, rng: Generator, vehicle: str, order_prefix: str
    ) -> None:
        self.room = room
        self.timeline = timeline
        self.rng = rng
        self.vehicle = vehicle
        self.driver = "P" + vehicle[1:]
        self.updates: list[tuple[int | None, Order]] = []
        self.expected: list[Found] = []
        self.offline: list[tuple[int, int]] = []
        self.payments: list[Payment] = []
        self.offences: list[Offence] = []
        #: Where each stop of the last trip was: (node, arrived, left).
        self.stopped: list[tuple[int, int, int]] = []
        #: Set by whoever plans facts too: where orders begin and end, the card and the plate, the stations, the one in the
        #: yard first.
        self.base: Place | None = None
        self.card = ""
        self.plate = ""
        self.stations: tuple[Station, ...] = ()
        self.kind = ""
        self._prefix = order_prefix
        self._number = 0
        self._orders = 0

    def begin(self, number: int, kind: str) -> None:
        """The next activity of the day."""
        self._number, self._orders, self.kind = number, 0, kind

    # --- the office -----------------------------------------------------------------------------------------------

    def order(
        self,
        destinations: list[Place],
        departure: int,
        back: int,
        *,
        task_type: str = "official",
        purpose: str = "公务出行",
    ) -> Order:
        """An approved order; nothing is entered yet."""
        self._orders += 1
        order_id = f"{self._prefix}-{self._number}{'abc'[self._orders - 1]}"
        return Order(
            order_id,
            self.room.organisation.id,
            self.vehicle,
            self.driver,
            task_type,
            purpose,
            tuple(destinations),
            departure,
            back,
            origin=self.base,
            return_point=self.base,
        )

    def enter(self, order: Order, at_s: int | None = None) -> None:
        """The office enters ``order`` as it is, at a time of the device clock (None = before the day begins)."""
        self.updates.append((at_s, order))

    def expect(self, rule: str, order: str | None, from_s: int, to_s: int) -> None:
        """This must be found."""
        self.expected.append(Found(rule, order, from_s, to_s, self.kind))

    # --- what is paid, and what the police sees ---------------------------------------------------------------------

    def pay(
        self,
        at_s: int,
        station: Station | None,
        *,
        kind: str = "fill",
        litres: tuple[int, int] = (25, 45),
        reverses: str | None = None,
        product: str = "92号汽油",
        posted: bool = False,
    ) -> str:
        """A line of the card's statement; gives its number."""
        number = f"T{self.card[2:]}-{len(self.payments):02d}"
        quantity = int(self.rng.integers(litres[0] * 100, litres[1] * 100)) * 10 if kind == "fill" else None
        amount = 100 if quantity is None else quantity * 789 // 1000  # 7.89 yuan a litre
        self.payments.append(
            Payment(number, self.card, at_s, kind, station, quantity, amount, reverses, product, posted)
        )
        return number

    def offend(
        self, at_s: int, *, again: int = 0, status: str = "open", number: str = "", act: str = ""
    ) -> str:
        """A record of the traffic police, in its export ``again``; gives its number."""
        number = number or f"W{self.card[2:]}-{len(self.offences):02d}"
        usual = "驾驶机动车违反道路交通信号灯通行" if len(self.offences) % 2 else "机动车违反禁令标志指示"
        act = act or usual
        self.offences.append(Offence(number, self.plate, at_s, act, status, again))
        return number

    # --- places ---------------------------------------------------------------------------------------------------

    def node(self, low_m: float, high_m: float, about: int | None = None) -> int:
        """A crossing whose straight distance from ``about`` (default: the yard's gate) lies between the two."""
        nodes = self.room.network.nodes
        centre = nodes[self.room.organisation.gate if about is None else about]
        distance = np.hypot(nodes[:, 0] - centre[0], nodes[:, 1] - centre[1])
        return int(self.rng.choice(np.flatnonzero((distance >= low_m) & (distance <= high_m))))

    def place(self, node: int, name: str = "目的地") -> Place:
        """The crossing as a destination."""
        return Place(f"{name}{node}", pair(self.room.network.nodes[node]))

    def missing(self, passed: list[int]) -> int:
        """A destination at least CLEAR_M away from the ways gate -> passed... -> gate."""
        gate = self.room.organisation.gate
        path = self._path([gate, *passed, gate])
        for _ in range(400):
            node = self.node(4_500, 9_500)
            if distance_to_path(pair(self.room.network.nodes[node]), path) >= CLEAR_M:
                return node
        raise NoWayError("no destination is far enough from the way")

    def _path(self, stops: list[int]) -> Floats:
        nodes: list[int] = [stops[0]]
        for a, b in pairwise(stops):
            nodes += self.room.network.route(a, b)[1:]
        return self.room.network.nodes[nodes]

    # --- driving --------------------------------------------------------------------------------------------------

    def out(self, node: int) -> int:
        """From the parking place to a crossing. Gives the time of leaving the yard's gate (roughly the fence)."""
        left = self.timeline.now
        network, gate = self.room.network, self.room.organisation.gate
        self._move([self.room.in_yard(-60, 0)], [YARD_KMH])
        left = self.timeline.now
        self._move([pair(network.nodes[gate])], [YARD_KMH])
        self.to(gate, node)
        return left

    def to(self, start: int, end: int) -> None:
        """From one crossing to another."""
        network = self.room.network
        route = network.route(start, end)
        points = [pair(network.nodes[n]) for n in route[1:]]
        self._move(points, [network.edges[a][b][1] for a, b in pairwise(route)])

    def home(self, node: int) -> int:
        """From a crossing back to the parking place. Gives the time of passing the fence."""
        self.to(node, self.room.organisation.gate)
        self._move([self.room.in_yard(-60, 0)], [YARD_KMH])
        entered = self.timeline.now
        self._move([self.room.slot], [YARD_KMH])
        return entered

    def within(self, *points: tuple[float, float]) -> None:
        """At walking pace through points of the plane."""
        self._move(list(points), [8.0] * len(points))

    def wait(self, low_min: int, high_min: int) -> None:
        """Stand for a while."""
        self.timeline.park(
            self.timeline.now + int(self.rng.integers(low_min * MINUTE, high_min * MINUTE + 1))
        )

    def _move(self, points: list[tuple[float, float]], limits: list[float]) -> None:
        if points:
            line = np.array([pair(self.timeline.at), *points])
            self.timeline.move(drive(line, np.array(limits, np.float64), self.rng))


def unit(vector: Floats) -> Floats:
    """The vector of length 1 in the same direction. Shape (2,)."""
    unit: Floats = vector / np.hypot(vector[0], vector[1])
    return unit


def pair(xy: Floats) -> tuple[float, float]:
    """A point, shape (2,), as two plain numbers."""
    return float(xy[0]), float(xy[1])
