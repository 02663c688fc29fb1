"""What the live map costs the API: 29,000 vehicles, 50 viewers of 3 scopes over HTTP, and how many bytes each of them gets.

The positions come into the embedded log from here, once a second in 20 records, as a gateway would append them; no worker runs, for
the map does not need one. Vehicles drive on courses that turn at crossings, with the noise of GNSS in place, speed and course.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np

from api.live.frames import HEADER, Kind
from bench.database import Fleet
from bench.report import heading, spread, table
from bench.system import System, system
from office.identity.tokens import create_token
from runtime.postgres import connect
from telemetry.log.base import POSITIONS, Record
from telemetry.log.codec import HEADERS, encode
from telemetry.log.sqlite import EmbeddedLogWriter
from telemetry.positions import PositionBatch

VEHICLES: Final = 29_000
_UNITS: Final = 100
_FLEET: Final = Fleet(VEHICLES, fences=_UNITS, ordered=0)
_VIEWERS: Final = 50
_READERS: Final = {"all": None, "a city": "city", "a unit": "bench7"}
_RECORDS: Final = 20
#: Before it is measured: snapshots, and the first second after them.
_SETTLE_S: Final = 9.0


class Traffic:
    """``rate`` of the vehicles report each second, in turn; all of them move all the time."""

    def __init__(self, rate: int) -> None:
        self._random = np.random.default_rng(1)
        self._rate, self._turn = rate, 0
        self.lat = 32e6 + self._random.normal(0, 150_000, VEHICLES)
        self.lon = 120.9e6 + self._random.normal(0, 180_000, VEHICLES)
        self._course = self._random.uniform(0, 360, VEHICLES)
        self._speed = self._random.uniform(25, 70, VEHICLES)

    def second(self, first: int) -> PositionBatch:
        """The reports of a second; ``first``: number of the first terminal."""
        random, n = self._random, VEHICLES
        turns = random.random(n) < 0.03
        self._course = (
            self._course + np.where(turns, random.choice([-90, 90], n), random.normal(0, 1, n))
        ) % 360
        self._speed = np.clip(self._speed + random.normal(0, 1.5, n), 0, 90)
        self.lat = self.lat + self._speed / 3.6 * np.cos(np.radians(self._course)) / 0.111
        self.lon = self.lon + self._speed / 3.6 * np.sin(np.radians(self._course)) / 0.0945
        rows = (np.arange(self._rate) + self._turn) % n
        self._turn = (self._turn + self._rate) % n
        now = time.time_ns() // 1000
        return PositionBatch.build(
            len(rows), terminal=first + rows, received_us=now, device_us=now // 1_000_000 * 1_000_000, status=3, satellites=9,
            lat_e6=(self.lat[rows] + random.normal(0, 10, len(rows))).astype(np.int64),
            lon_e6=(self.lon[rows] + random.normal(0, 10, len(rows))).astype(np.int64),
            speed_dkmh=(self._speed[rows] * 10).astype(np.int64), direction_deg=self._course[rows].astype(np.int64),
        )  # fmt: skip


@dataclass
class Viewer:
    """Counts what comes, and looks at the headers alone."""

    who: str
    bytes: int = 0
    snapshots: int = 0
    rows: int = 0

    async def read(self, port: int, token: str, window: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        query = f"?window={window}" if window else ""
        writer.write(
            f"GET /v1/live/vehicles{query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head:
            raise SystemExit(f"the live map refuses: {head[:200]!r}")
        data = bytearray()
        while size := int((await reader.readline()) or b"0", 16):
            data += await reader.readexactly(size + 2)
            del data[-2:]
            while len(data) >= HEADER.size:
                fields = HEADER.unpack_from(data)
                end = HEADER.size + fields[9]
                if len(data) < end:
                    break
                del data[:end]
                self.bytes += end
                self.snapshots += fields[2] == Kind.SNAPSHOT
                self.rows += fields[6] + fields[7]


async def _measure(
    made: System, tokens: dict[str, str], first: int, rate: int, viewers: int, windows: bool, seconds: float
) -> dict[str, Any]:
    """One run: share of a core that the API takes, and what the viewers get."""
    log = EmbeddedLogWriter(made.base / "log" / "log.sqlite")
    traffic = Traffic(rate)
    ends = asyncio.Event()

    async def write() -> None:
        at = time.time()
        while not ends.is_set():
            batch = traffic.second(first)
            for part in np.array_split(np.arange(len(batch)), _RECORDS):
                await log.append([Record(POSITIONS, 0, encode(batch.take(part)), HEADERS)])
                at += 1 / _RECORDS
                await asyncio.sleep(max(0.0, at - time.time()))

    names = list(_READERS)
    readers = [Viewer(names[k % len(names)]) for k in range(viewers)]
    tasks = [asyncio.create_task(write())]
    for k, reader in enumerate(readers):
        west = 120.8 + 0.002 * k
        window = f"{west:.4f},31.95,{west + 0.05:.4f},32" if windows else ""
        tasks.append(
            asyncio.create_task(reader.read(made.http_port, tokens[f"{reader.who} {k // 5}"], window))
        )
    await asyncio.sleep(_SETTLE_S)
    before = {id(reader): (reader.bytes, reader.rows, reader.snapshots) for reader in readers}
    cpu, began = made.cpu(), time.monotonic()
    await asyncio.sleep(seconds)
    spent = time.monotonic() - began
    after = made.cpu()
    found: dict[str, Any] = {name: (after[name] - cpu[name]) / spent for name in ("API", "PostgreSQL")}
    for who in names:
        mine = [reader for reader in readers if reader.who == who]
        if mine:
            found[who] = sum(reader.bytes - before[id(reader)][0] for reader in mine) / len(mine) / spent
            found[f"rows {who}"] = (
                sum(reader.rows - before[id(reader)][1] for reader in mine) / len(mine) / spent
            )
    found["again"] = sum(reader.snapshots - before[id(reader)][2] for reader in readers)
    ends.set()
    done, _ = await asyncio.wait(tasks, timeout=0.1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
    await log.close()
    await asyncio.sleep(2.0)
    return found


async def _tokens(dsn: str) -> tuple[dict[str, str], int]:
    """A token for every five viewers of a scope, and the number of the first terminal."""
    connection = await connect(dsn)
    await connection.execute(
        "INSERT INTO organisations (id, name) VALUES ('city', '市');"
        "UPDATE organisations SET parent = 'city' WHERE id LIKE 'bench%' AND substr(id, 6)::int < 50"
    )
    ends = datetime.now(UTC) + timedelta(hours=2)
    made = {
        f"{who} {k}": (await create_token(connection, "bench", ["tracks:read"], ends, unit)).secret
        for who, unit in _READERS.items()
        for k in range(_VIEWERS // 5)
    }
    first = int(await connection.fetchval("SELECT min(no) FROM terminals"))
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
    return made, first


def run(options: argparse.Namespace) -> None:
    heading(f"The live map: {VEHICLES:,} vehicles, all of them moving")
    rows = []
    with system(_FLEET, worker=False, api=True) as made:
        tokens, first = asyncio.run(_tokens(made.dsn))
        for rate in (5_000, VEHICLES):
            for what, viewers, windows in (
                ("nobody", 0, False),
                ("50 viewers of 3 scopes", _VIEWERS, False),
                ("50 viewers, each of a window of his own", _VIEWERS, True),
            ):
                runs = [
                    asyncio.run(_measure(made, tokens, first, rate, viewers, windows, options.seconds))
                    for _ in range(options.runs)
                ]
                rows.append(
                    [f"{rate:,}", what]
                    + [spread([100 * one[name] for one in runs], 1) for name in ("API", "PostgreSQL")]
                    + [
                        f"{spread([one[who] / 1e3 for one in runs], 1)}; {runs[0][f'rows {who}']:,.0f}"
                        if viewers
                        else "-"
                        for who in _READERS
                    ]
                    + [str(sum(one["again"] for one in runs))]
                )
    table(
        ["positions/s", "viewers", "API, % of a core", "PostgreSQL"]
        + [f"{who}: kB/s; rows/s" for who in _READERS]
        + ["snapshots later"],
        rows,
    )
