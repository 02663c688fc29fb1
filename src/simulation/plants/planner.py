"""What the plants of a scenario are made with: the city, units and their yards, vehicles, orders, cards, labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import shapely

from registry.working_days import Calendar
from runtime.units import CHINA
from simulation.city.bodies import fence_body, order_body
from simulation.city.fleet import Order, Organisation, Plan
from simulation.city.roads import Drive, Frame, RoadNetwork
from simulation.plants.cars import Car, Errand, piece_of, straight
from simulation.plants.day import Room
from simulation.plants.geometry import Point, from_e6
from simulation.plants.world import Fact, Label, stamp

MIN, HOUR, DAY = 60, 3600, 86_400
#: Vehicles of one unit; every unit has enough of them to tell a silent terminal from a dead network.
PER_UNIT = 10
#: So many units lie in the inner city, those of the plants among them; the ordinary ones of a large fleet spread out.
_CENTRAL = 12
#: A way that keeps so far off its own yard is one drive for ``location``, and not two with a re-entry between them.
_CLEAR_M = 60.0

_NAMES = (
    "机关事务服务中心", "教育局", "卫生健康委", "水利局", "交通运输局", "市场监管局", "农业农村局", "文化广电和旅游局",
    "生态环境局", "住房和城乡建设局", "应急管理局", "审计局", "民政局", "统计局", "司法局", "财政局", "商务局", "林业局",
)  # fmt: skip
_FAMILY = "王李张刘陈杨赵黄周吴徐孙朱马胡郭林何高梁"
_GIVEN = "伟芳娜敏静强磊军洋勇艳杰娟涛明超霞平刚桂英"


class Planner:
    """Collects facts, cars and labels. All random numbers come from the seed."""

    def __init__(self, seed: int, month: date, network: RoadNetwork) -> None:
        self.seed, self.month = seed, month
        self.rng = np.random.default_rng([seed, 11])
        self.network = network
        self.shortest = RoadNetwork(  # the same roads by length alone
            self.network.frame,
            self.network.nodes,
            [{o: (length, 50.0) for o, (length, _) in ways.items()} for ways in self.network.edges],
        )
        self.calendar = Calendar()
        self.facts: list[Fact] = []
        self.labels: list[Label] = []
        self.cars: list[Car] = []
        self.organisations: list[Organisation] = []
        self.shared: list[Car] = []
        self.office_day = 0  # a weekday that the office itself declares a day off
        self.kind = ""
        self._ways: dict[Any, Drive] = {}
        self._numbers: dict[str, int] = {}
        self._radius = float(np.abs(self.network.nodes).max())
        self.judged_s = 0  # when everything that is to be judged can be
        self.earliest_s = midnight(_months_back(month, 3)) - DAY

    @property
    def frame(self) -> Frame:
        """The plane of the city."""
        return self.network.frame

    # --- times --------------------------------------------------------------------------------------------------------

    def at(self, day: int, hour: float = 0.0, month: int = 0) -> int:
        """A time of the month (``month`` -1: of the one before), days from 1; hours of the day in China."""
        first = self.month if month == 0 else _months_back(self.month, -month)
        return midnight(first + timedelta(days=day - 1)) + round(hour * HOUR)

    def workdays(self) -> list[int]:
        """Ordinary working days of the month: Monday to Friday, worked."""
        return [d for d in self._days() if self._worked(d) and self._weekday(d) < 5 and d != self.office_day]

    def moved_workdays(self) -> list[int]:
        """Saturdays and Sundays of the month that are worked (调休)."""
        return [d for d in self._days() if self._worked(d) and self._weekday(d) >= 5]

    def rest_days(self) -> list[int]:
        """Days of the month that are not worked."""
        return [d for d in self._days() if not self._worked(d)]

    def _days(self) -> list[int]:
        after = _months_back(self.month, -1)
        return list(range(1, (after - self.month).days + 1))

    def _weekday(self, day: int) -> int:
        return (self.month + timedelta(days=day - 1)).weekday()

    def _worked(self, day: int) -> bool:
        return bool(self.calendar.workday(self.month + timedelta(days=day - 1)))

    def iso(self, day: int) -> str:
        """A day of the month as ISO date."""
        return (self.month + timedelta(days=day - 1)).isoformat()

    # --- records ------------------------------------------------------------------------------------------------------

    def number(self, what: str) -> str:
        """The next number of a kind of record."""
        self._numbers[what] = self._numbers.get(what, 0) + 1
        return f"{what}-{self.seed}-{self._numbers[what]:05d}"

    def enter(self, at_s: int, kind: str, body: dict[str, Any]) -> None:
        """The office enters a record; of an order it says when."""
        if kind == "dispatch-orders":
            body = body | {"entered_at": stamp(at_s)}
        self.facts.append(Fact(at_s, kind, body))

    def expect(self, rule: str, outcome: str, subject: str | None = None, **more: Any) -> None:
        """Label what must come of the plant at hand."""
        self.labels.append(Label(rule, self.kind, outcome, subject, **more))

    def expect_drive(self, car: Car, from_s: int, to_s: int) -> None:
        """The rule ``location`` must find this drive."""
        self.expect("location", "suspected", vehicle=car.id, from_s=from_s, to_s=to_s)

    # --- units and vehicles -------------------------------------------------------------------------------------------

    def unit(self) -> Organisation:
        """A new unit with its yard, beside a crossing in the inner city. The second one draws on a GCJ-02 map."""
        nodes, k = self.network.nodes, len(self.organisations)
        taken = [nodes[o.gate] for o in self.organisations]
        share = 0.45 if k < _CENTRAL else 0.8
        near = np.flatnonzero(np.hypot(nodes[:, 0], nodes[:, 1]) < share * self._radius)
        apart = 900.0
        while True:
            gate = int(self.rng.choice(near))
            # In a large fleet units come near each other, and in the end share a crossing.
            if apart < 50.0 or all(np.hypot(*(nodes[gate] - other)) > apart for other in taken):
                break
            apart *= 0.98
        angle = self.rng.uniform(0, 2 * math.pi)
        along = np.array([math.cos(angle), math.sin(angle)])
        across = np.array([-along[1], along[0]])
        centre = nodes[gate] + along * 105.0
        corners = [(-85, -60), (85, -60), (85, 35), (60, 60), (-85, 60), (-85, -60)]
        made = Organisation(
            f"ORG-{self.seed}-{k + 1:03d}", f"测试市{_NAMES[k % len(_NAMES)]}{k // len(_NAMES) or ''}", gate,
            (float(centre[0]), float(centre[1])), np.array([centre + along * x + across * y for x, y in corners]),
            "gcj02" if k == 1 else "wgs84",
        )  # fmt: skip
        self.organisations.append(made)
        self.enter(self.earliest_s, "organisations", {"id": made.id, "name": made.name})
        self.enter(self.earliest_s, "fences", fence_body(self.plan_of(), made))
        return made

    def slot(self, days: Sequence[int]) -> tuple[Car, int]:
        """A vehicle of the shared ones on one of ``days`` on which it does nothing else yet. Raises LookupError."""
        for k in self.rng.permutation(len(self.shared) * len(days)).tolist():
            car, day = self.shared[k // len(days)], days[k % len(days)]
            if day not in car.days:
                car.days.add(day)
                return car, day
        raise LookupError(f"{self.kind}: every vehicle is taken on days {days}")

    def plan_of(self) -> Plan:
        """What the demo's office needs to know of the city."""
        return Plan(self.seed, "s", self.frame, 0, 0, self.organisations, [], [], [], [])

    def car(
        self, organisation: Organisation, *, exact: bool = False, from_s: int | None = None, terminal: bool = True,
        **fields: Any,
    ) -> Car:  # fmt: skip
        """A new vehicle with driver and terminal. ``from_s``: its terminal was installed then (default: a day before
        the month). ``fields``: of its record."""
        k = len(self.cars)
        start = self.at(1) - DAY if from_s is None else from_s
        id_, driver = f"V-{self.seed}-{k:04d}", f"P-{self.seed}-{k:04d}"
        plate = f"苏F{self.seed % 10}{k:04d}"
        phone = f"14{self.seed % 1000:03d}{k:06d}"
        mine = sum(c.organisation == organisation.id for c in self.cars)
        room = Room(self.network, organisation, mine)
        bound = [(phone, start, 2**40)] if terminal else []
        made = Car(
            id_, plate, organisation.id, driver, room, bound, max(start, self.at(1) - DAY) + 120,
            self.at(len(self._days()) + 1) + 4 * HOUR, exact,
        )  # fmt: skip
        self.cars.append(made)
        body = {"id": id_, "plate": plate, "organisation": organisation.id, "category": "机要通信用车"}
        self.enter(self.earliest_s, "vehicles", body | fields)
        name = _FAMILY[int(self.rng.integers(len(_FAMILY)))] + _GIVEN[int(self.rng.integers(len(_GIVEN)))]
        self.enter(self.earliest_s, "drivers", {"id": driver, "name": name, "organisation": organisation.id})
        if terminal:
            self.enter(
                self.earliest_s, "terminals", {"id": phone, "vehicle": id_, "valid_from": stamp(start)}
            )
        return made

    def organisation(self, car: Car) -> Organisation:
        """The unit of a vehicle."""
        return car.room.organisation

    # --- movements ----------------------------------------------------------------------------------------------------

    def errand(self, car: Car, start_s: int) -> Errand:
        """Begin a movement on the roads; finish it with ``done``. The terminal is awake some time before."""
        car.awake.append((start_s - 20 * MIN, start_s))
        return Errand(car, start_s, self.rng, self.number("D"), self._ways)

    def done(self, car: Car, errand: Errand) -> None:
        """What the errand's terminal reports becomes a piece of the car's track."""
        errand.wait(2, 3)
        car.pieces.append(piece_of(errand.timeline.samples(self.frame, self.rng)))
        car.offline += errand.offline

    def go_straight(
        self, car: Car, start_s: int, way: Sequence[tuple[Any, float]], every_s: int = 10
    ) -> list[tuple[int, Point]]:
        """A noiseless movement in straight lines that ends at the parking place; see ``cars.straight``."""
        car.awake.append((start_s - 20 * MIN, start_s))
        piece, marks = straight(
            car, start_s, [(None, 180), *way, (car.room.slot, 15.0), (None, 180)], every_s=every_s
        )
        car.pieces.append(piece)
        return marks[1:]

    def keeps_out(self, car: Car, start: int, end: int) -> bool:
        """Whether the way between two crossings stays clear of the car's own yard."""
        way = shapely.LineString(self.network.nodes[self.network.route(start, end)])
        return bool(way.distance(shapely.Polygon(self.organisation(car).fence)) > _CLEAR_M)

    def length(self, nodes: Sequence[int], network: RoadNetwork | None = None) -> float:
        """Metres of the quickest way through crossings; on ``self.shortest`` of the shortest one."""
        roads = network or self.network
        return sum(
            roads.edges[a][b][0]
            for start, end in pairwise(nodes)
            for a, b in pairwise(roads.route(start, end))
        )

    # --- orders -------------------------------------------------------------------------------------------------------

    def place(self, where: int | Point | tuple[float, float] | None, name: str = "目的地") -> dict[str, Any]:
        """A place of an order: a crossing, a reported place (1e-6 degree), a point of the plane, or a name only."""
        if where is None:
            return {"name": name}
        if isinstance(where, tuple) and isinstance(where[0], int):
            return {"name": name, "lat": where[0] / 1e6, "lon": where[1] / 1e6, "datum": "wgs84"}
        xy = self.network.nodes[where] if isinstance(where, int) else np.array(where)
        lat, lon = self.frame.to_degrees(xy)
        return {"name": name, "lat": round(float(lat), 7), "lon": round(float(lon), 7), "datum": "wgs84"}

    def order(
        self, car: Car, leave_s: int, back_s: int, destinations: Sequence[dict[str, Any]] = (), *,
        entered_s: int | None = None, planned_s: int | None = None, id: str = "", **fields: Any,
    ) -> str:  # fmt: skip
        """An order approved an hour before, departed, returned; all at once at ``entered_s`` where it is given (补单).
        ``planned_s``: planned return. ``fields``: more of its record. Gives its number."""
        body = {
            "id": id or self.number("D"), "organisation": car.organisation, "vehicle": car.id, "driver": car.driver,
            "purpose": "公务出行", "destinations": list(destinations), "planned_departure": stamp(leave_s),
            "planned_return": stamp(planned_s or max(back_s, leave_s + HOUR)), "status": "approved",
        } | fields  # fmt: skip
        departed = body | {"status": "departed", "actual_departure": stamp(leave_s)}
        returned = departed | {"status": "returned", "actual_return": stamp(back_s)}
        if entered_s is not None:
            self.enter(entered_s, "dispatch-orders", returned)
        else:
            self.enter(leave_s - HOUR, "dispatch-orders", body)
            self.enter(leave_s, "dispatch-orders", departed)
            self.enter(back_s + 30, "dispatch-orders", returned)
        return str(body["id"])

    def enter_order(self, at_s: int, order: Order) -> None:
        """An order as the demo's activities make it."""
        self.enter(at_s, "dispatch-orders", order_body(self.plan_of(), order))

    # --- cards --------------------------------------------------------------------------------------------------------

    def card(
        self, car: Car, *bindings: tuple[str, int, int | None], at_s: int | None = None, **fields: Any
    ) -> str:
        """A card of the car's unit, bound to its plate since ever, or as ``bindings`` (plate, from, to) say."""
        since = self.earliest_s + HOUR
        bound = bindings or ((car.plate, since, None),)
        body = {
            "id": self.number("CARD"), "organisation": car.organisation, "issuer": "中国石化",
            "opened_on": china_date(since).isoformat(), "bindings": binding_rows(bound),
        }  # fmt: skip
        self.enter(since if at_s is None else at_s, "fuel-cards", body | fields)
        return str(body["id"])

    def fill(
        self, card: str, at_s: int, station: str | None, millilitres: int = 40_000, *, entered_s: int | None = None,
        **fields: Any,
    ) -> str:  # fmt: skip
        """A row of the card's statement, which comes the next morning."""
        body = {
            "id": self.number("TX"), "card": card, "at": stamp(at_s), "kind": "fill", "product": "92号汽油",
            "quantity": f"{millilitres // 1000}.{millilitres % 1000:03d}", "station": station,
            "amount": f"{millilitres * 75 // 10_000}.00",
        } | fields  # fmt: skip
        entered = at_s + 14 * HOUR if entered_s is None else entered_s
        self.enter(entered, "fuel-transactions", {k: v for k, v in body.items() if v is not None})
        return str(body["id"])

    def station(self, where: int | Point | tuple[float, float] | None = None, **fields: Any) -> str:
        """A filling station: a point, or as ``fields`` say."""
        id_ = self.number("S")
        body: dict[str, Any] = {"id": id_, "name": f"第{id_[-5:]}加油站"}
        if where is not None:
            body |= {k: v for k, v in self.place(where).items() if k != "name"}
        self.enter(self.earliest_s, "fuel-stations", body | fields)
        return id_

    def ring(self, points: Sequence[tuple[float, float]]) -> list[list[float]]:
        """A closed GeoJSON ring of points of the plane."""
        degrees = self.frame.to_degrees(np.array([*points, points[0]], np.float64))
        return [[round(float(lon), 7), round(float(lat), 7)] for lat, lon in degrees]

    def plane(self, point: Point) -> tuple[float, float]:
        """A reported place as a point of the plane."""
        return from_e6(self.frame, point)


def binding_rows(bindings: Sequence[tuple[str, int, int | None]]) -> list[dict[str, Any]]:
    """Bindings (plate, from, to) as the registry takes them."""
    return [
        {"plate": plate, "valid_from": stamp(a)} | ({} if b is None else {"valid_to": stamp(b)})
        for plate, a, b in bindings
    ]


def midnight(day: date) -> int:
    """When a day begins in China, seconds since 1970 UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=CHINA).timestamp())


def china_date(seconds: int) -> date:
    """The day of a time in China."""
    return datetime.fromtimestamp(seconds, CHINA).date()


def _months_back(month: date, count: int) -> date:
    index = month.year * 12 + month.month - 1 - count
    return date(index // 12, index % 12 + 1, 1)
