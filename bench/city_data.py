"""A day of a city's official vehicles, and the months before it, straight into a fresh database and log.

A vehicle reports every 15 minutes while it stands in its yard and every 20 seconds while it is out: one or two orders of about an
hour by day, to a place and back along streets that cross at right angles. Some of everything that the rules look for is
in it (``_SHARES``), at rates that a city may have. The positions go into the real log, from where the real worker takes them; so the
results of the day's orders are the worker's own. What is history (orders, results, fills of the months before) is
written by SQL, without waking the judge.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray

from rules.navigation.cache import PROFILE, route_key
from runtime.arrays import Floats, Ints
from runtime.connection import Connection
from runtime.units import CHINA, US_PER_S, from_us, midnight_us
from telemetry.positions import PositionBatch

ENGINE, MAP_DATE = "frozen", "2026-01-01"
_LAT, _LON = 29.55, 106.55  # Chongqing
_M_LAT = 110_850.0  # metres a degree there
_M_LON = 96_900.0
_VEHICLES_A_UNIT = 72
_STATIONS = 300
_EVERY_S, _FIXES = 20, 186  # of a trip: 62 minutes
_OUT_S, _STAY_S = 1500, 700
_PARKED_S = 900
_NIGHT_S = 1800
_FIRST_PHONE = 14_000_000_000

#: Of the orders: driven to a place nearer than the road taken says, not to the place, with a fill; of the vehicles: driven
#: at night without an order, silent for hours. Per vehicle and day: violations.
_SHARES: Final = {
    "detour": 0.02,
    "elsewhere": 0.01,
    "fill": 0.15,
    "night": 0.01,
    "silent": 0.03,
    "violation": 0.02,
}


@dataclass(frozen=True, slots=True, eq=False)
class City:
    """``vehicles`` numbered from 1. ``day_us``: midnight of the day in Shanghai. ``home`` (vehicles, 2), metres east and
    north. Trips, by columns of one length: ``vehicle`` (from 0), ``begin_s`` after midnight, ``turn`` (trips, 2) where it
    turned round, ``order``: it has one. ``told`` (trips, 2): the destination of the order."""

    vehicles: int
    day: date
    home: Floats
    vehicle: Ints
    begin_s: Ints
    turn: Floats
    told: Floats
    order: NDArray[np.bool_]
    fill: NDArray[np.bool_]
    station: Ints
    silent: NDArray[np.bool_]
    stations: Floats

    @property
    def day_us(self) -> int:
        return midnight_us(self.day)

    @property
    def organisations(self) -> int:
        return 1 + (self.vehicles - 1) // _VEHICLES_A_UNIT


def plan(vehicles: int, trips: int, day: date, seed: int = 29) -> City:
    """A city where ``vehicles`` make ``trips`` ordered trips on ``day``; at most two each."""
    rng = np.random.default_rng(seed)
    units = 1 + (vehicles - 1) // _VEHICLES_A_UNIT
    yards = rng.uniform(-20_000, 20_000, (units, 2))
    home = yards[np.arange(vehicles) // _VEHICLES_A_UNIT] + rng.uniform(-80, 80, (vehicles, 2))
    stations = rng.uniform(-20_000, 20_000, (_STATIONS, 2))
    second = rng.permutation(vehicles)[: max(0, trips - vehicles)]
    night = np.flatnonzero(rng.random(vehicles) < _SHARES["night"])
    first = rng.permutation(vehicles)[: min(trips, vehicles)]
    vehicle = np.concatenate((first, second, night))
    begin_s = np.concatenate([
        rng.integers(8 * 3600, 11 * 3600, len(first)), rng.integers(13 * 3600, 16 * 3600, len(second)),
        np.full(len(night), 23 * 3600 - 1200),
    ])  # fmt: skip
    n = len(vehicle)
    order = np.arange(n) < len(first) + len(second)
    away = rng.uniform(1500, 6500, (n, 2)) * rng.choice((-1, 1), (n, 2))
    turn = home[vehicle] + away
    fill = order & (rng.random(n) < _SHARES["fill"])
    near = np.array([np.abs(stations - home[v]).sum(1).argmin() for v in vehicle[fill]], np.int64)
    station = np.full(n, -1, np.int64)
    station[fill] = near
    turn[fill] = stations[near]
    kind = rng.random(n)
    detour, elsewhere = kind < _SHARES["detour"], kind > 1 - _SHARES["elsewhere"]
    told = turn.copy()
    told[detour] = home[vehicle[detour]] + 0.55 * (turn - home[vehicle])[detour]
    told[elsewhere] = turn[elsewhere] + 6000
    return City(
        vehicles, day, home, vehicle, begin_s.astype(np.int64), turn, told, order, fill, station,
        rng.random(vehicles) < _SHARES["silent"], stations,
    )  # fmt: skip


def day_before() -> date:
    """The day before yesterday in China: over, and its orders are in the worker's memory."""
    return datetime.now(CHINA).date() - timedelta(days=2)


# --- positions


def positions(city: City, rows: int = 50_000, seed: int = 31) -> Iterator[PositionBatch]:
    """Everything that the terminals sent on the day and in the first 40 minutes after it, in the order of time."""
    rng = np.random.default_rng(seed)
    who, t, xy, kmh = (np.concatenate(p) for p in zip(_parked(city), _driven(city), strict=True))
    order = np.argsort(t, kind="stable")
    noise = rng.normal(0, 3, (len(t), 2)).astype(np.float32)
    for start in range(0, len(order), rows):
        part = order[start : start + rows]
        at = xy[part] + noise[part]
        us = city.day_us + t[part].astype(np.int64) * US_PER_S
        yield PositionBatch.build(
            len(part), terminal=who[part] + 1, received_us=us + US_PER_S, device_us=us,
            lat_e6=np.rint((_LAT + at[:, 1] / _M_LAT) * 1e6), lon_e6=np.rint((_LON + at[:, 0] / _M_LON) * 1e6),
            speed_dkmh=kmh[part] * 10, direction_deg=90, status=3, satellites=11, present=0b10000,
        )  # fmt: skip


def _parked(city: City) -> tuple[Any, ...]:
    reports = np.arange(-1, 86_400 // _PARKED_S + 3)
    offset = np.arange(city.vehicles) * 37 % _PARKED_S
    t = (reports[None, :] * _PARKED_S + offset[:, None]).astype(np.int32)
    keep = t >= 0
    # Silent from ten to one at noon, and found elsewhere in the yard's street after it.
    keep &= ~(city.silent[:, None] & (t > 36_000) & (t < 46_800))
    ends = city.begin_s + np.where(city.order, _EVERY_S * _FIXES, _NIGHT_S)
    for vehicle, start, end in zip(city.vehicle.tolist(), city.begin_s.tolist(), ends.tolist(), strict=True):
        row = t[vehicle]
        keep[vehicle] &= (row < start - _EVERY_S) | (row > end + _EVERY_S)
    who, which = np.nonzero(keep)
    when = t[who, which]
    xy = city.home[who].astype(np.float32)
    xy[city.silent[who] & (when > 43_200)] += 2500
    return who.astype(np.int32), when, xy, np.zeros(len(who), np.int16)


def _driven(city: City) -> tuple[Any, ...]:
    step = np.arange(_FIXES) * _EVERY_S
    night = ~city.order
    t = (city.begin_s[:, None] + step).astype(np.int32)
    # Out, a stay, and back; at night without a stay.
    day_share = np.interp(step, [0, _OUT_S, _OUT_S + _STAY_S, 2 * _OUT_S + _STAY_S], [0, 1, 1, 0])
    night_share = np.interp(step, [0, _NIGHT_S / 2, _NIGHT_S], [0, 1, 0])
    share = np.where(night[:, None], night_share, day_share)
    moves = np.where(night[:, None], step < _NIGHT_S, (day_share > 0) & (day_share < 1))
    home, leg = city.home[city.vehicle], city.turn - city.home[city.vehicle]
    length = np.abs(leg).sum(1)
    gone = share * length[:, None]  # along x first, then along y
    east = np.minimum(gone, np.abs(leg[:, :1]))
    xy = np.stack((east * np.sign(leg[:, :1]), (gone - east) * np.sign(leg[:, 1:])), 2) + home[:, None, :]
    kmh = np.where(moves, (length / np.where(night, _NIGHT_S / 2, _OUT_S) * 3.6)[:, None], 0)
    keep = (night[:, None] & (step <= _NIGHT_S)) | city.order[:, None]
    who = np.broadcast_to(city.vehicle[:, None], t.shape)[keep]
    return who.astype(np.int32), t[keep], xy[keep].astype(np.float32), kmh[keep].astype(np.int16)


# --- the registry, and what came before the day

_HISTORY = (
    "INSERT INTO dispatch_orders (id, version, organisation, vehicle, driver, task_type, status, destinations,"
    " planned_departure, planned_return, actual_departure, actual_return, entered_at)"
    " SELECT 'h' || m.n || '-' || j || '-' || k, 1, 'unit' || (k - 1) / $5, 'v' || k, 'd' || k, 'official', 'returned',"
    " '[]', s.at, s.at + interval '2 hours', s.at, s.at + interval '2 hours', s.at"
    " FROM unnest($2::timestamptz[]) WITH ORDINALITY m (first, n), generate_series(0, $3 - 1) j,"
    " generate_series(1, $1) k, LATERAL (SELECT m.first + interval '1 hour' + interval '1 day' * (j * 25 / $3)"
    " + interval '1 minute' * (k % 400) AS at) s WHERE $4 > 0"
)
_RESULTS = (
    "INSERT INTO order_results (order_id, order_version, vehicle_no, state, mileage_mm, bridged_mm, fixes, first_fix_at,"
    " last_fix_at, destinations, returned_at, carried, computed_at) SELECT o.id, 1, v.no, 'settled',"
    " $1::bigint + v.no * 1000, 0, 200, o.actual_departure, o.actual_return, '[]', o.actual_return, '', o.actual_return"
    " FROM dispatch_orders o JOIN vehicles v ON v.id = o.vehicle"
)
#: Two fills a month just after a trip; every hundredth card took a third more in the last month.
_FILLS = (
    "INSERT INTO fuel_transactions (id, card, at, kind, product, energy, quantity, amount_fen, station_name)"
    " SELECT 'f' || o.id, 'c' || substr(o.vehicle, 2), o.actual_return + interval '20 minutes', 'fill', '92', 'fuel', q.ml,"
    " q.ml * 8 / 10, '网点' FROM (SELECT *, row_number() OVER (PARTITION BY vehicle, date_trunc('month', planned_departure)"
    " ORDER BY planned_departure) AS place FROM dispatch_orders) o JOIN vehicles v ON v.id = o.vehicle,"
    " LATERAL (SELECT CASE WHEN o.planned_departure >= $1 AND v.no % 100 = 0 THEN 28000 ELSE 20000 END AS ml) q"
    " WHERE o.place <= 2"
)


async def register(conn: Connection, city: City, trips_a_month: int) -> None:
    """Registry and history. The judge hears nothing of it: it has judged all that long ago."""
    n, units, us = city.vehicles, city.organisations, city.day_us
    long_ago = from_us(us - 400 * 86_400 * US_PER_S)
    await conn.execute("SET session_replication_role = replica")
    await conn.execute(
        "INSERT INTO organisations (id, name) SELECT 'unit' || k, '单位' || k FROM generate_series(0, $1 - 1) k", units
    )  # fmt: skip
    await conn.execute(
        "INSERT INTO vehicles (no, id, plate, organisation) OVERRIDING SYSTEM VALUE SELECT k, 'v' || k,"
        " '渝A' || lpad(k::text, 5, '0'), 'unit' || (k - 1) / $2 FROM generate_series(1, $1) k", n, _VEHICLES_A_UNIT,
    )  # fmt: skip
    await conn.execute(
        "INSERT INTO drivers (id, name, organisation) SELECT 'd' || k, '驾驶员', 'unit' || (k - 1) / $2"
        " FROM generate_series(1, $1) k", n, _VEHICLES_A_UNIT,
    )  # fmt: skip
    await conn.execute(
        "INSERT INTO terminals (no, phone) OVERRIDING SYSTEM VALUE SELECT k, (k + $2::bigint)::text"
        " FROM generate_series(1, $1) k", n, _FIRST_PHONE,
    )  # fmt: skip
    await conn.execute(
        "INSERT INTO terminal_bindings SELECT k, k, $2::timestamptz FROM generate_series(1, $1) k",
        n,
        long_ago,
    )
    await conn.execute(
        "INSERT INTO fuel_cards (id, organisation, created_at) SELECT 'c' || k, 'unit' || (k - 1) / $3, $2::timestamptz"
        " FROM generate_series(1, $1) k", n, long_ago, _VEHICLES_A_UNIT,
    )  # fmt: skip
    await conn.execute(
        "INSERT INTO card_bindings SELECT 'c' || k, '渝A' || lpad(k::text, 5, '0'), $2::timestamptz"
        " FROM generate_series(1, $1) k", n, long_ago,
    )  # fmt: skip
    await _places(conn, city, long_ago)
    months = months_before(city.day)
    await conn.execute(
        _HISTORY, n, [from_us(midnight_us(m)) for m in months], trips_a_month, trips_a_month, _VEHICLES_A_UNIT
    )
    await conn.execute(_RESULTS, 450_000_000 // max(1, trips_a_month))
    await conn.execute(_FILLS, from_us(midnight_us(months[-1])))
    await conn.executemany(
        "INSERT INTO calendar_days (day, workday) VALUES ($1, true)",
        [(city.day + timedelta(days=k),) for k in range(-3, 3)],
    )
    await conn.execute("SET session_replication_role = DEFAULT")


def months_before(day: date) -> list[date]:
    """The first days of the four natural months before the one of ``day``."""
    first = day.replace(day=1)
    found: list[date] = []
    for _ in range(4):
        first = (first - timedelta(days=1)).replace(day=1)
        found.insert(0, first)
    return found


async def _places(conn: Connection, city: City, long_ago: Any) -> None:
    """A fence for every vehicle, and the fuel stations."""
    centres = degrees(city.home)
    circles = shapely.buffer(shapely.points(centres[:, ::-1]), 0.003, quad_segs=6)
    await conn.executemany(
        "INSERT INTO fences (id, version, name, organisation, vehicles, original, datum, geometry, valid_from)"
        " VALUES ($1, 1, '院', $2, $3, '{}', 'wgs84', $4, $5)",
        [
            (f"fence{k}", f"unit{(k - 1) // _VEHICLES_A_UNIT}", [f"v{k}"], wkb, long_ago)
            for k, wkb in enumerate(shapely.to_wkb(circles), 1)
        ],
    )
    points = shapely.to_wkb(shapely.points(degrees(city.stations)[:, ::-1]))
    await conn.executemany(
        "INSERT INTO fuel_stations (id, name, datum, original, geometry) VALUES ($1, $1, 'wgs84', '{}', $2)",
        [(f"s{k}", wkb) for k, wkb in enumerate(points)],
    )


async def day_facts(conn: Connection, city: City, seed: int = 37) -> None:
    """Orders, fills and violations of the day, as they come in: the judge is told of each by the triggers."""
    rng = np.random.default_rng(seed)
    trips = np.flatnonzero(city.order)
    begin, end = city.begin_s[trips] - 60, city.begin_s[trips] + _EVERY_S * (_FIXES - 1)
    places = _e6(city.told[trips]), _e6(city.home[city.vehicle[trips]])
    jsons = [
        [_place(name, lat, lon) for lat, lon in e6.tolist()]
        for name, e6 in zip(("目的地", "本单位"), places, strict=True)
    ]
    times = [[from_us(city.day_us + s * US_PER_S) for s in column.tolist()] for column in (begin, end)]
    await conn.execute(
        "INSERT INTO dispatch_orders (id, version, organisation, vehicle, driver, task_type, status, origin, destinations,"
        " planned_departure, planned_return, actual_departure, actual_return) SELECT 'o' || u.trip, 1,"
        " 'unit' || (u.no - 1) / $7, 'v' || u.no, 'd' || u.no, 'official', 'returned', u.home::jsonb,"
        " jsonb_build_array(u.told::jsonb), u.since, u.until, u.since, u.until FROM unnest($1::integer[], $2::integer[],"
        " $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[]) AS u (trip, no, told, home, since, until)",
        trips.tolist(), (city.vehicle[trips] + 1).tolist(), *jsons, *times, _VEHICLES_A_UNIT,
    )  # fmt: skip
    fills = np.flatnonzero(city.fill)
    at = city.begin_s[fills] + _OUT_S + 200
    await conn.execute(
        "INSERT INTO fuel_transactions (id, card, at, kind, product, energy, quantity, amount_fen, station, station_name)"
        " SELECT 't' || u.trip, 'c' || u.no, u.at, 'fill', '92', 'fuel', 40000, 32000, 's' || u.station, 's' || u.station"
        " FROM unnest($1::integer[], $2::integer[], $3::timestamptz[], $4::integer[]) AS u (trip, no, at, station)",
        fills.tolist(), (city.vehicle[fills] + 1).tolist(), [from_us(city.day_us + s * US_PER_S) for s in at.tolist()],
        city.station[fills].tolist(),
    )  # fmt: skip
    caught = np.flatnonzero(rng.random(city.vehicles) < _SHARES["violation"])
    twice = np.concatenate((caught, caught[::4]))
    await conn.execute(
        "INSERT INTO violations (id, plate, at, act) SELECT 'x' || u.k, '渝A' || lpad(u.no::text, 5, '0'), u.at, '违停'"
        " FROM unnest($1::integer[], $2::integer[], $3::timestamptz[]) AS u (k, no, at)",
        list(range(len(twice))), (twice + 1).tolist(),
        [from_us(city.day_us + (9 * 3600 + k % 30_000) * US_PER_S) for k in range(len(twice))],
    )  # fmt: skip


async def freeze_routes(conn: Connection, city: City) -> int:
    """The route of every order of the day as an engine would have answered it long ago; how many there are."""
    trips = np.flatnonzero(city.order)
    home, told = _e6(city.home[city.vehicle[trips]]).tolist(), _e6(city.told[trips]).tolist()
    metres = (2 * np.abs(city.told - city.home[city.vehicle])[trips].sum(1)).astype(int).tolist()
    rows = {}
    for start, end, length in zip(home, told, metres, strict=True):
        places = (tuple(start), tuple(end), tuple(start))
        rows[route_key(ENGINE, MAP_DATE, PROFILE, places)] = (orjson.dumps(places).decode(), length)
    await conn.execute(
        "INSERT INTO navigation_routes (key, engine, map_date, places, distance_m, duration_s)"
        " SELECT u.key, $2, $3, u.places::jsonb, u.metres, u.metres / 10"
        " FROM unnest($1::bytea[], $4::text[], $5::bigint[]) AS u (key, places, metres)",
        list(rows), ENGINE, MAP_DATE, [p for p, _ in rows.values()], [m for _, m in rows.values()],
    )  # fmt: skip
    return len(rows)


def degrees(xy: Floats) -> Floats:
    """(n, 2) metres east, north -> (n, 2) degrees latitude, longitude."""
    return np.stack((_LAT + xy[:, 1] / _M_LAT, _LON + xy[:, 0] / _M_LON), 1)


def _e6(xy: Floats) -> Ints:
    return np.rint(degrees(xy) * 1e6).astype(np.int64)


def _place(name: str, lat_e6: int, lon_e6: int) -> str:
    return orjson.dumps({
        "name": name, "lat": lat_e6 / 1e6, "lon": lon_e6 / 1e6, "datum": "wgs84",
        "wgs84": {"lat_e6": lat_e6, "lon_e6": lon_e6},
    }).decode()  # fmt: skip
