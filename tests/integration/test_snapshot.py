"""The fleet in memory says what the registry says, at every time, also after changes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import asyncpg
import numpy as np
import pytest
import shapely

from registry.snapshot.fleet import FleetSnapshot
from registry.snapshot.timelines import FOREVER, NONE, Timelines, flatten
from runtime.connection import Connection
from runtime.units import US_PER_S, from_us

H = 3600 * US_PER_S


class Town:
    """Writes the registry's tables as the registry does; times are hours from ``now``."""

    def __init__(self, conn: Connection, now_us: int) -> None:
        self.conn, self.now = conn, now_us

    def time(self, hours: float | None) -> Any:
        return None if hours is None else from_us(self.us(hours))

    def us(self, hours: float) -> int:
        return self.now + round(hours * H)

    async def base(self, vehicles: int) -> None:
        await self.conn.execute("INSERT INTO organisations (id, name) VALUES ('a', 'a'), ('b', 'b')")
        for k in range(1, vehicles + 1):
            await self.conn.execute(
                "INSERT INTO vehicles (id, plate, organisation) VALUES ($1, $1, $2)", f"v{k}", "ab"[k % 2]
            )
            await self.conn.execute("INSERT INTO terminals (phone) VALUES ($1)", str(k))

    async def bind(self, terminal: int, vehicle: int, since: float, until: float | None = None) -> None:
        await self.conn.execute(
            "INSERT INTO terminal_bindings VALUES ($1, $2, $3, $4)",
            terminal, vehicle, self.time(since), self.time(until),
        )  # fmt: skip

    async def fence(
        self, id: str, x: float, vehicles: list[str], *, since: float = -999, until: float | None = None,
        organisation: str = "a", version: int = 1,
    ) -> None:  # fmt: skip
        wkb = shapely.to_wkb(shapely.box(x, 32, x + 1, 33))
        await self.conn.execute(
            "INSERT INTO fences (id, version, name, organisation, vehicles, original, datum, geometry, valid_from,"
            " valid_to) VALUES ($1, $2, $1, $3, $4, '{}', 'wgs84', $5, $6, $7)",
            id, version, organisation, vehicles, wkb, self.time(since), self.time(until),
        )  # fmt: skip

    async def order(
        self, id: str, vehicle: str, departure: float, planned: float, *, version: int = 1, status: str = "returned",
        extended: float | None = None, returned: float | None = None, destinations: list[Any] | None = None,
        departed: float | None = None,
    ) -> None:  # fmt: skip
        await self.conn.execute(
            "INSERT INTO dispatch_orders (id, version, organisation, vehicle, task_type, status, destinations,"
            " planned_departure, planned_return, extended_return, actual_return, actual_departure)"
            " VALUES ($1, $2, 'a', $3, 'official', $4, $5, $6, $7, $8, $9, $10)",
            id, version, vehicle, status, destinations or [], self.time(departure), self.time(planned),
            self.time(extended), self.time(returned), self.time(departed),
        )  # fmt: skip


@pytest.fixture
async def town(pool: asyncpg.Pool) -> Any:
    async with pool.acquire() as conn:
        now = await conn.fetchval("SELECT (extract(epoch FROM now()) * 1000000)::bigint")
        made = Town(conn, now)
        await made.base(4)
        yield made


def at(snapshot: FleetSnapshot, town: Town, vehicle: int, hours: Sequence[float]) -> list[str | None]:
    rows = snapshot.order_at(np.full(len(hours), vehicle), np.array([town.us(h) for h in hours]))
    return [None if row == NONE else snapshot.orders.orders[row].id for row in rows]


def areas(snapshot: FleetSnapshot, town: Town, vehicle: int, hours: Sequence[float]) -> list[list[str]]:
    rows = snapshot.fences_at(np.full(len(hours), vehicle), np.array([town.us(h) for h in hours]))
    return [[] if row == NONE else [f"{f.id}/{f.version}" for f in snapshot.area(row).fences] for row in rows]


async def test_terminals_sit_in_vehicles(town: Town) -> None:
    await town.bind(1, 1, -10, -5)
    await town.bind(1, 2, -5)
    await town.bind(3, 1, -5, -4)
    snapshot = await FleetSnapshot.load(town.conn)
    hours = [-11, -10, -5.0001, -5, 99, -4.5, -4, 0]
    terminals = np.array([1, 1, 1, 1, 1, 3, 3, 77])
    times = np.array([town.us(h) for h in hours])
    assert snapshot.vehicles_at(terminals, times).tolist() == [0, 1, 1, 2, 2, 1, 0, 0]
    assert snapshot.vehicles_at(terminals, times).dtype == np.int32
    assert snapshot.vehicles_at(terminals[:0], times[:0]).tolist() == []
    assert snapshot.terminals_of(1, town.us(-8), town.us(-4.5)) == [
        (1, town.us(-8), town.us(-5)),
        (3, town.us(-5), town.us(-4.5)),
    ]
    await town.conn.execute(
        "UPDATE terminal_bindings SET valid_to = $1 WHERE terminal_no = 1 AND valid_to IS NULL", town.time(-1)
    )
    await town.bind(1, 3, -1)
    await snapshot.refresh(town.conn, [2, 3])
    assert snapshot.vehicles_at(np.array([1, 1, 1]), times[[4, 4, 1]] - [0, 101 * H, 0]).tolist() == [3, 2, 1]
    assert snapshot.vehicle_of_id("v2") == snapshot.vehicles[2]
    assert snapshot.vehicle_of_id("none") is None


async def test_orders_cover_time(town: Town) -> None:
    await town.order("returned", "v1", -20, -18, returned=-17)
    await town.order("early", "v1", -16, -12, returned=-15)
    await town.order("untold", "v1", -10, -9, extended=-8)
    await town.order("cancelled", "v1", -7, -6, status="cancelled")
    await town.order("out", "v1", -3, -2, status="departed")
    await town.order("planned", "v2", 5, 6, status="approved")
    snapshot = await FleetSnapshot.load(town.conn)
    minute = 1 / 60
    # The clerk's minute before and after, as long as the track is not known.
    assert at(snapshot, town, 1, [-20 - 16 * minute, -20 - 15 * minute, -16.751, -16.75]) == [
        None,
        "returned",
        "returned",
        None,
    ]
    # "out" is overdue two hours after its planned return.
    assert at(snapshot, town, 1, [-15.5, -14, -8.01, -8, -6.5, -2.5, -0.001, 0]) == [
        "early",
        None,
        "untold",
        None,
        None,
        "out",
        "out",
        None,
    ]
    assert at(snapshot, town, 2, [0, 4.9, 7.999, 8]) == [None, "planned", "planned", None]
    assert at(snapshot, town, 9, [0]) == [None]
    row = snapshot.orders.row_of("untold")
    assert row is not None
    assert snapshot.orders.rows[row]["extended_return"] == town.us(-8)
    assert [snapshot.orders.orders[r].id for r in snapshot.orders.rows_of(1)] == [
        "cancelled",
        "returned",
        "early",
        "untold",
        "out",
    ]


async def test_the_order_that_began_last_counts(town: Town) -> None:
    await town.order("long", "v1", -20, -10, returned=-10)
    await town.order("inner", "v1", -15, -14, returned=-14)
    await town.order("b", "v1", -12, -8, returned=-8)
    await town.order("a", "v1", -12, -9, returned=-9)
    snapshot = await FleetSnapshot.load(town.conn)
    assert at(snapshot, town, 1, [-18, -14.5, -13, -11, -8.5, -7]) == [
        "long",
        "inner",
        "long",
        "b",
        "b",
        None,
    ]


async def test_an_order_takes_over_when_it_departs(town: Town) -> None:
    await town.order("early", "v1", -20, -15, returned=-12, departed=-20)
    await town.order("late", "v1", -18, -8, returned=-8, departed=-13)
    await town.order("untold", "v1", -14, -13, returned=-12.5)
    snapshot = await FleetSnapshot.load(town.conn)
    hours = [-19.9, -17, -14.1, -13.5, -13, -12.2, -9]
    assert at(snapshot, town, 1, hours) == ["early", "early", "untold", "untold", "late", "late", "late"]
    # None has departed: the one that began to cover first, and each when it does
    await town.order("x", "v2", -20, -15, returned=-10, departed=-16)
    await town.order("y", "v2", -19, -15, returned=-10, departed=-17)
    await town.order("z", "v2", -18, -8, status="departed", departed=-9)
    snapshot = await FleetSnapshot.load(town.conn)
    assert at(snapshot, town, 2, [-19.5, -17.5, -17, -15.9, -9.5, -8]) == ["x", "x", "y", "x", "z", "z"]
    # A departure before the window, or after the end of it, moves nothing.
    await town.order("p", "v3", -20, -15, returned=-10, departed=-21)
    await town.order("q", "v3", -18, -14, departed=-13)
    snapshot = await FleetSnapshot.load(town.conn)
    # "p" covers from a quarter of an hour before it departed, until the track shows when that was.
    assert at(snapshot, town, 3, [-21.26, -20.5, -19, -17, -12]) == [None, "p", "p", "q", "p"]


async def test_a_new_version_replaces_its_order(town: Town) -> None:
    await town.order("d", "v1", -5, -4, status="departed")
    await town.order("keep", "v1", -9, -8, returned=-8)
    snapshot = await FleetSnapshot.load(town.conn)
    kept, old = snapshot.orders.row_of("keep"), snapshot.orders.row_of("d")
    await town.order("d", "v1", -5, -4, version=2, returned=-3)
    assert await town.conn.fetchval("SELECT count(*) FROM current_dispatch_orders") == 2
    await snapshot.refresh(town.conn, [1])
    assert at(snapshot, town, 1, [-3.5, -2.75, -8.5]) == ["d", None, "keep"]
    assert snapshot.orders.row_of("keep") == kept
    assert snapshot.orders.row_of("d") != old
    assert snapshot.orders.orders[old].status == "departed"  # type: ignore[index]  # a row keeps its meaning
    await town.order("d", "v2", -5, -4, version=3, returned=-3)  # given to another car
    await snapshot.refresh(town.conn, [2])
    await snapshot.refresh(town.conn, [1])
    assert at(snapshot, town, 1, [-3.5]) == [None]
    assert at(snapshot, town, 2, [-3.5]) == ["d"]


async def test_places_of_an_order(town: Town) -> None:
    known = {
        "name": "如皋",
        "lat": 1,
        "lon": 2,
        "datum": "gcj02",
        "wgs84": {"lat_e6": 32_000_001, "lon_e6": 120_000_002},
    }
    await town.order("d", "v1", -5, -4, returned=-4, destinations=[known, {"name": "市区", "wgs84": None}])
    snapshot = await FleetSnapshot.load(town.conn)
    order = snapshot.orders.orders[snapshot.orders.row_of("d")]  # type: ignore[index]  # loaded
    assert [(p.name, p.lat_e6, p.lon_e6) for p in order.destinations] == [
        ("如皋", 32_000_001, 120_000_002),
        ("市区", None, None),
    ]


async def test_old_orders_come_when_asked_for(town: Town) -> None:
    await town.order("old", "v1", -24 * 20, -24 * 20 + 1, returned=-24 * 20 + 1)
    await town.order("old2", "v2", -24 * 20, -24 * 20 + 1, returned=-24 * 20 + 1)
    await town.order("forgotten", "v1", -24 * 30, -24 * 30 + 1, status="approved")
    await town.order("forgotten", "v1", -24 * 30, -24 * 30 + 1, version=2, status="cancelled")
    await town.order("never closed", "v3", -24 * 300, -24 * 300 + 1, status="departed")  # overdue since long
    snapshot = await FleetSnapshot.load(town.conn, order_days=7)
    hour = -24 * 20 + 0.5
    assert at(snapshot, town, 1, [hour]) == [None]
    assert at(snapshot, town, 3, [hour, -24 * 300 + 2]) == [None, None]
    await snapshot.load_orders(town.conn, [3], town.us(-24 * 300))
    assert at(snapshot, town, 3, [-24 * 300 + 2, -24 * 300 + 3]) == ["never closed", None]
    assert (snapshot.orders_since(np.array([1, 2])) > town.us(-24 * 8)).all()
    await snapshot.load_orders(town.conn, [1], town.us(-24 * 21))
    for _ in range(2):
        assert at(snapshot, town, 1, [hour]) == ["old"]
        assert at(snapshot, town, 2, [hour]) == [None]
        assert snapshot.orders_since(np.array([2, 1]))[1] == town.us(-24 * 21)
        await snapshot.refresh(town.conn, [1, 2])


async def test_parameters_move_the_window(town: Town) -> None:
    await town.order("d", "v1", -5, -4, returned=-4)
    snapshot = await FleetSnapshot.load(town.conn)
    assert at(snapshot, town, 1, [-5.9]) == [None]
    await town.conn.execute(
        "INSERT INTO rule_parameters VALUES ('order', 'early_start_min', 'a', 60, '', $1)", town.time(-99)
    )
    await snapshot.refresh(town.conn, [])
    assert at(snapshot, town, 1, [-5.9, -6.1]) == ["d", None]


async def test_fences(town: Town) -> None:
    # v2 and v4 are of a; v1 and v3 of b.
    await town.fence("yard", 100, [])
    await town.fence("own", 110, ["v2", "v1"], since=-10, until=-5)
    await town.fence("own", 111, ["v2"], since=-5, version=2)
    await town.fence("second", 120, ["v2"], since=-7, until=-3)
    await town.fence("withdrawn", 130, ["v4"], since=-7, until=-7)
    snapshot = await FleetSnapshot.load(town.conn)
    hours = [-11, -8, -6, -4, -1]
    assert areas(snapshot, town, 2, hours) == [
        ["yard/1"],
        ["own/1"],
        ["own/1", "second/1"],
        ["own/2", "second/1"],
        ["own/2"],
    ]
    assert areas(snapshot, town, 4, [-1000, -11, -7]) == [[], ["yard/1"], ["yard/1"]]
    assert areas(snapshot, town, 1, hours) == [[], ["own/1"], ["own/1"], [], []]
    assert areas(snapshot, town, 99, [0]) == areas(snapshot, town, 0, [0]) == [[]]

    nos = np.array([2, 2, 4, 3])
    rows = snapshot.fences_at(nos, np.array([town.us(-6)] * 4))
    assert rows[3] == NONE
    inside = shapely.intersects_xy(
        snapshot.fences.geometries[rows[:3]], [110.5, 120.0, 110.5], [32.5, 32.5, 32.5]
    )
    assert inside.tolist() == [True, True, False]
    both = snapshot.fences_at(np.array([2, 4]), np.array([town.us(-11)] * 2))
    assert both[0] == both[1]  # one geometry for all of the organisation

    await town.conn.execute("UPDATE fences SET valid_to = $1 WHERE id = 'own' AND version = 2", town.time(-2))
    await town.conn.execute(
        "UPDATE fences SET valid_to = $1 WHERE id = 'yard' AND version = 1", town.time(-1)
    )
    await town.fence("yard", 101, [], since=-1, version=2)
    await town.conn.execute("UPDATE vehicles SET organisation = 'a' WHERE id = 'v3'")
    await snapshot.refresh(town.conn, [2, 3, 4])
    assert areas(snapshot, town, 2, [-2.5, -1.5, -0.5]) == [["own/2"], ["yard/1"], ["yard/2"]]
    assert areas(snapshot, town, 3, [-1.5, -0.5]) == [["yard/1"], ["yard/2"]]
    assert areas(snapshot, town, 1, [-8]) == [["own/1"]]


async def test_new_vehicles_appear(town: Town) -> None:
    snapshot = await FleetSnapshot.load(town.conn)
    await town.conn.execute("INSERT INTO vehicles (id, plate, organisation) VALUES ('v5', 'v5', 'a')")
    await town.fence("own", 110, ["v5"])
    await town.bind(2, 5, -1)
    await snapshot.refresh(town.conn, [5])
    assert snapshot.vehicles_at(np.array([2]), np.array([town.now])).tolist() == [5]
    assert areas(snapshot, town, 5, [0]) == [["own/1"]]


@pytest.mark.parametrize("seed", range(5))
def test_timelines_against_a_plain_search(seed: int) -> None:
    chance = random.Random(seed)
    times = Timelines()
    model: dict[int, list[tuple[int, int, int]]] = {}
    for _ in range(30):
        keys = chance.sample(range(-3, 12), chance.randint(0, 4))
        rows = []
        for key in keys:
            edges = sorted(chance.sample(range(60), 2 * chance.randint(0, 6)))
            model[key] = [(a, b, chance.randrange(9)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
            rows += [(key, *span) for span in model[key]]
        chance.shuffle(rows)
        times.replace(keys, rows)
        asked = np.array([(chance.randint(-5, 14), chance.randint(-2, 62)) for _ in range(200)])
        expected = [
            next((v for a, b, v in model.get(int(k), []) if a <= t < b), NONE) for k, t in asked.tolist()
        ]
        assert times.at(asked[:, 0], asked[:, 1]).tolist() == expected
        assert all(times.rows_of(key) == spans for key, spans in model.items())


def test_flatten() -> None:
    spans = [(0, 10, "a"), (2, 4, "b"), (4, 4, "empty"), (4, 6, "b"), (20, FOREVER, "c")]
    assert flatten(spans, lambda held: held[-1] if held else None) == [
        (0, 2, "a"), (2, 6, "b"), (6, 10, "a"), (20, FOREVER, "c"),
    ]  # fmt: skip
