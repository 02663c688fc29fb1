"""A small fleet in a real database and a real log, for the tests of the worker."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np

from registry.fences import Fence
from registry.orders import DispatchOrder
from registry.organisations import Organisation
from registry.records import apply
from registry.terminals import Terminal
from registry.vehicles import Vehicle
from rules.alerts.feed import evidence_of
from rules.evidence import parse
from rules.judge.process import Judge
from rules.judge.subjects.destinations import Destinations
from rules.live.process import Worker, clock_us
from rules.navigation import NoNavigator
from runtime.units import CHINA_OFFSET_US, US_PER_DAY, china_day, from_us
from telemetry import geo
from telemetry.log import codec
from telemetry.log.base import POSITIONS, Poll, Record
from telemetry.log.sqlite import EmbeddedLogReader, EmbeddedLogWriter
from telemetry.positions import PositionBatch
from tests.integration.outbox import due_rows

S = 1_000_000
MIN, HOUR = 60 * S, 3600 * S
LAT0, LON0 = 32.0, 120.9  # the middle of the yard
YARD = {
    "type": "Polygon",
    "coordinates": [
        [[120.899, 31.999], [120.901, 31.999], [120.901, 32.001], [120.899, 32.001], [120.899, 31.999]]
    ],
}

#: All that was made of positions goes, and they too.
TRUNCATE_RESULTS = (
    "TRUNCATE positions, vehicle_states, vehicle_day_states, alert_feed, alert_versions, alerts, evaluations, evidence,"
    " log_offsets, order_results, recomputations CASCADE"
)

#: One fix: seconds, metres east and north of the yard's middle, speed in 0.1 km/h.
Fix = tuple[float, float, float, int]


def some_day() -> int:
    """Midnight in Shanghai four days ago, microseconds since 1970 UTC."""
    now = int(datetime.now(UTC).timestamp()) * S
    return (now + CHINA_OFFSET_US) // US_PER_DAY * US_PER_DAY - CHINA_OFFSET_US - 4 * US_PER_DAY


def drive(start_s: float, *stations: tuple[float, float], every: int = 10, speed: int = 430) -> list[Fix]:
    """A drive over ``stations`` (metres east, north) at 12 m/s."""
    fixes: list[Fix] = []
    t = start_s
    for (x1, y1), (x2, y2) in pairwise(stations):
        steps = max(1, round(float(np.hypot(x2 - x1, y2 - y1)) / (12 * every)))
        for k in range(steps):
            fixes.append((t, x1 + (x2 - x1) * k / steps, y1 + (y2 - y1) * k / steps, speed))
            t += every
    return [*fixes, (t, *stations[-1], 0)]


def stand(start_s: float, end_s: float, x: float = 0, y: float = 0, every: int = 30) -> list[Fix]:
    """Standing from start to end (excluded)."""
    return [(t, x, y, 0) for t in np.arange(start_s, end_s, every)]


def place(east: float, north: float, name: str = "市政府") -> dict[str, Any]:
    """A destination so many metres from the yard."""
    lat, lon = geo.from_local_plane(LAT0, LON0, [east], [north])
    return {"name": name, "lat": float(lat[0]), "lon": float(lon[0]), "datum": "wgs84"}


class World:
    """Vehicles V1.. with terminals (registry numbers 1..), a yard for all of them, a log and a worker. With ``dsn`` also a
    judge of destinations, who follows the worker."""

    def __init__(self, pool: asyncpg.Pool, folder: Path, day: int, dsn: str | None = None) -> None:
        self.pool, self.day = pool, day
        self.of_destinations = None if dsn is None else Judge(dsn, [Destinations()], NoNavigator())
        self.folder = folder
        self.writer = EmbeddedLogWriter(folder / "log.sqlite")
        self.readers: list[EmbeddedLogReader] = []

    async def apply(self, *records: Any) -> None:
        async with self.pool.acquire() as conn, conn.transaction():
            await apply(conn, records)

    async def build(self, vehicles: int = 3, *, fence: bool = True) -> None:
        long_ago = from_us(self.day - 100 * US_PER_DAY)
        await self.apply(Organisation(id="O1", name="某局"))
        numbers = range(1, vehicles + 1)
        await self.apply(*(Vehicle(id=f"V{k}", plate=f"苏F1234{k}", organisation="O1") for k in numbers))
        await self.apply(
            *(Terminal(id=f"1380000{k:04}", vehicle=f"V{k}", valid_from=long_ago) for k in numbers)
        )
        if fence:
            await self.fence()

    async def register(self, **dates: date | None) -> None:
        """V1 in the register with these days (registered_on, disposed_on)."""
        await self.apply(Vehicle(id="V1", plate="苏F12341", organisation="O1", **dates))

    def date(self, days: int) -> date:
        """The natural day in Shanghai so many days after the world's."""
        return date.fromordinal(date(1970, 1, 1).toordinal() + china_day(self.day) + days)

    async def fence(self, geometry: dict[str, Any] = YARD, since_s: float = -20 * 86_400) -> None:
        await self.apply(
            Fence(
                id="F1",
                name="院",
                organisation="O1",
                datum="wgs84",
                geometry=geometry,
                valid_from=self.time(since_s),
            )
        )

    def time(self, seconds: float) -> datetime:
        return from_us(self.day + round(seconds * S))

    async def order(
        self, id: str, departure_s: float, return_s: float, *, vehicle: str = "V1", status: str = "returned",
        destinations: Sequence[dict[str, Any]] = (), planned_return_s: float | None = None, **more: Any,
    ) -> None:  # fmt: skip
        """Approved by somebody: what is entered late withdraws alerts. Who wants a backfill that nobody approved says
        ``approver=None``."""
        planned = planned_return_s if planned_return_s is not None else return_s
        await self.apply(
            DispatchOrder.model_validate(
                {
                    "id": id, "organisation": "O1", "vehicle": vehicle, "status": status, "destinations": list(destinations),
                    "planned_departure": self.time(departure_s), "planned_return": self.time(planned),
                    "actual_departure": self.time(departure_s) if status == "returned" else None,
                    "actual_return": self.time(return_s) if status == "returned" else None,
                    "approver": "单位负责人",
                }
                | more
            )
        )  # fmt: skip

    def batch(
        self, fixes: Sequence[Fix], *, terminal: int | Sequence[int] = 1, **columns: Any
    ) -> PositionBatch:
        n = len(fixes)
        a = np.array(fixes, float).reshape(-1, 4)
        lat, lon = geo.from_local_plane(LAT0, LON0, a[:, 1], a[:, 2]) if n else (np.zeros(0), np.zeros(0))
        t = self.day + np.rint(a[:, 0] * S).astype(np.int64)
        given = {
            "terminal": terminal, "device_us": t, "received_us": t + S, "lat_e6": np.rint(lat * 1e6),
            "lon_e6": np.rint(lon * 1e6), "speed_dkmh": a[:, 3], "direction_deg": 90,
            "status": np.where(a[:, 3] > 0, 3, 2),  # ACC is on while it moves
        }  # fmt: skip
        return PositionBatch.build(n, **(given | columns))

    async def send(self, *batches: PositionBatch) -> None:
        for batch in batches:
            await self.writer.append([Record(POSITIONS, 0, codec.encode(batch), codec.HEADERS)])

    async def send_in(self, batch: PositionBatch, rows: Sequence[int], size: int) -> None:
        """The rows of ``batch`` in the order given, ``size`` to a record."""
        order = np.array(rows, np.int64)
        for start in range(0, len(order), size):
            await self.send(batch.take(order[start : start + size]))

    def worker(
        self, checkpoint: Callable[[str], None] | None = None, now_us: Callable[[], int] = clock_us
    ) -> Worker:
        reader = EmbeddedLogReader(self.folder / "log.sqlite", POSITIONS)
        self.readers.append(reader)
        return Worker(self.pool, reader, checkpoint=checkpoint, now_us=now_us)

    async def work(self, worker: Worker | None = None, *, turns: int = 1000) -> Worker:
        """Turns of a worker until nothing is left, then those of the judge."""
        made = worker or self.worker()
        for turn in range(turns):
            await made.turn()
            if (
                turn
                and not await made.lag()
                and not await due_rows(self.pool)
                and not await self.pool.fetchval("SELECT EXISTS (SELECT FROM recomputations)")
            ):
                break
        await self.judge_all()
        return made

    async def judge_all(self) -> None:
        """Turns of the judge, if there is one, until nothing is left."""
        while self.of_destinations is not None and await self.of_destinations.turn():
            pass

    async def alerts(self, status: str | None = "suspected") -> list[dict[str, Any]]:
        """Bodies of the newest versions, by rule and start."""
        rows = await self.pool.fetch(
            "SELECT v.body, a.subject FROM alerts a JOIN alert_versions v ON v.alert_id = a.id AND v.version = a.version"
            " WHERE $1::text IS NULL OR a.status = $1 ORDER BY a.rule, a.occurred_from, a.vehicle, a.subject",
            status,
        )
        return [r["body"] for r in rows]

    async def evidence(self, alert: str) -> Any:
        """What the newest version of an alert was judged on."""
        async with self.pool.acquire() as conn:
            kept = await evidence_of(conn, alert)
        assert kept is not None
        return parse(kept.body)

    async def told(self) -> list[tuple[Any, ...]]:
        """What the suspected alerts say, without ids and versions: what must not depend on the order of
        arrival."""
        return [
            (a["rule"], a["vehicle"], a["order"], a["occurred_from"], a["occurred_to"], a["summary"],
             sorted((n, m["value"]) for n, m in a["measures"].items()), a["evidence_hash"] if a["rule"] != "location" else "")
            for a in await self.alerts()
        ]  # fmt: skip

    async def everything(self) -> dict[str, Any]:
        """All results: positions, states, evaluations, alerts, feed, offsets (without the times of
        writing)."""
        queries = {
            "positions": "SELECT terminal_no, device_time, fingerprint, lat_e6, lon_e6 FROM positions ORDER BY 1, 2, 3",
            "states": "SELECT vehicle_no, state, watermark FROM vehicle_states ORDER BY 1",
            "days": "SELECT vehicle_no, day, state FROM vehicle_day_states ORDER BY 1, 2",
            "evaluations": "SELECT rule, subject, outcome, reason_code FROM evaluations ORDER BY 1, 2, id",
            "versions": "SELECT alert_id, version, body - 'detected_at' AS body FROM alert_versions ORDER BY 1, 2",
            "results": "SELECT order_id, order_version, vehicle_no, state, mileage_mm, bridged_mm, odometer_m, fixes,"
            " first_fix_at, last_fix_at, destinations, returned_at, carried FROM order_results ORDER BY 1",
            "feed": "SELECT alert_id, version FROM alert_feed ORDER BY 1, 2",
            "offsets": "SELECT partition, next_offset FROM log_offsets ORDER BY 1",
        }
        return {name: [tuple(r) for r in await self.pool.fetch(query)] for name, query in queries.items()}

    async def close(self) -> None:
        if self.of_destinations is not None:
            await self.of_destinations.close()
        await self.writer.close()
        for reader in self.readers:
            await reader.close()


class Member(EmbeddedLogReader):
    """A reader of some of the partitions, as a group would assign them."""

    mine: frozenset[int] = frozenset()

    async def poll(self, max_bytes: int, timeout_s: float) -> Poll:
        polled = await super().poll(max_bytes, timeout_s)
        return Poll(polled.records, polled.assigned & self.mine, polled.revoked)


def shuffled(n: int, seed: int) -> list[int]:
    order = list(range(n))
    random.Random(seed).shuffle(order)
    return order


__all__ = [
    "HOUR",
    "MIN",
    "Member",
    "S",
    "World",
    "drive",
    "place",
    "shuffled",
    "some_day",
    "stand",
    "timedelta",
]
