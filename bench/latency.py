"""How long a terminal waits for its reply, and how long until an alert stands in the feed, at 5,000 positions/s.

Open loop: 5,000 terminals report once a second, whatever the replies do. Beside them vehicles with a fence and no order
stand in their yard and drive out at random times: a fix in the yard, one outside, and the one that opens the episode. An
alert's time runs from the moment its opening fix is given to the socket until ``GET /v1/alerts/feed`` has brought the
alert to a reader that waits there (``wait``), as the inspection system does.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import shapely
from tools.kafka.broker import Cluster

from bench.database import Fleet
from bench.processes import FIRST_PHONE, Generator, Load, build
from bench.report import heading, spread, table
from bench.system import System, behind_s, each_broker, system
from office.identity.tokens import create_token
from runtime.postgres import connect
from simulation.terminal.reports import encode_reports
from telemetry.jt808.ids import MessageId
from telemetry.jt808.scalar.framing import FrameReader, encode_frame
from telemetry.jt808.scalar.header import build_message

RATE = 5_000
#: What the project asks of itself: 99th percentiles in seconds.
REPLY_P99_S, ALERT_P99_S = 0.1, 2.0
BACKGROUND = Fleet(RATE, fences=100, ordered=2, outside=0)
_FIRST_DRIVER = FIRST_PHONE + 1_000_000
#: Drive-outs a second; a vehicle drives out once.
_DRIVES_PER_S = 10
_PER_RUN_S = 4.0  # a run is at least so many times --seconds long: an alert is rare, a percentile needs many
_LAT, _LON = 33.5, 118.5
_YARD_M, _STEP_M, _STEP_S = 100, 250, 10
_GENERAL_REPLY, _LOCATION = MessageId.PLATFORM_GENERAL_REPLY, MessageId.LOCATION
_PATIENCE_S = 30.0
#: Load before the first drive-out and after the last.
_BEFORE_S, _AFTER_S = 3, 3


class Driver:
    """A terminal that stands in its yard and drives out once."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.vehicle = f"driver{number}"
        self._phone = str(_FIRST_DRIVER + number)
        self._frames = FrameReader()
        # A past of its own: three fixes ten seconds apart, sent within two.
        time_s = int(time.time()) - 60 + np.arange(3) * _STEP_S
        east = np.array([0, _YARD_M + 50, _YARD_M + 50 + _STEP_M])
        self._bodies = encode_reports(
            time_s, np.full(3, round(_LAT * 1e6)), round(_LON * 1e6) + east * 11, altitude_m=np.zeros(3),
            speed_dkmh=np.array([0, 400, 900]), direction_deg=np.full(3, 90), status=np.full(3, 3),
        )  # fmt: skip
        self._serial = 0

    async def connect(self, port: int) -> None:
        """Connect, authenticate, report from the yard."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        await self._ask(MessageId.AUTHENTICATE, self._phone.encode())
        await self._ask(_LOCATION, self._bodies[0])

    async def drive_out(self) -> float:
        """Report twice from outside; the monotonic time when the second report was given to the socket."""
        await self._ask(_LOCATION, self._bodies[1])
        await asyncio.sleep(random.uniform(0.5, 1.5))
        sent = time.monotonic()
        await self._ask(_LOCATION, self._bodies[2])
        return sent

    def close(self) -> None:
        self._writer.close()

    async def _ask(self, message: int, body: bytes) -> None:
        self._serial += 1
        self._writer.write(encode_frame(build_message(message, body, self._phone, self._serial)))
        wanted = self._serial.to_bytes(2, "big") + message.to_bytes(2, "big") + b"\0"
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                data = await self._reader.read(4096)
                if not data:
                    raise SystemExit(f"the gateway closed the connection of {self._phone}")
                if any(isinstance(m, bytes) and m[12:17] == wanted for m in self._frames.feed(data)):
                    return


async def register(dsn: str, count: int) -> str:
    """Drivers 0..count-1 with their yard; a token that may read the feed."""
    connection = await connect(dsn)
    yard = shapely.Point(_LON, _LAT).buffer(_YARD_M * 11 / 1e6, quad_segs=6)
    await connection.execute("INSERT INTO organisations (id, name) VALUES ('drivers', 'drivers')")
    await connection.execute(
        "INSERT INTO vehicles (id, plate, organisation) SELECT 'driver' || k, '苏D' || k, 'drivers'"
        " FROM generate_series(0, $1 - 1) k",
        count,
    )
    await connection.execute(
        "INSERT INTO terminals (phone, code_sha256) SELECT phone::text, sha256(convert_to(phone::text, 'UTF8'))"
        " FROM generate_series($2::bigint, $2::bigint + $1 - 1) phone",
        count, _FIRST_DRIVER,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO terminal_bindings (terminal_no, vehicle_no, valid_from) SELECT t.no, v.no, '2000-01-01'"
        " FROM terminals t JOIN vehicles v ON v.id = 'driver' || (t.phone::bigint - $1::bigint)"
        " WHERE t.phone::bigint >= $1",
        _FIRST_DRIVER,
    )
    await connection.execute(
        "INSERT INTO fences (id, version, name, organisation, original, datum, geometry, valid_from)"
        " VALUES ('drivers', 1, 'yard', 'drivers', $1, 'wgs84', $2, '2000-01-01')",
        shapely.geometry.mapping(yard), yard.wkb,
    )  # fmt: skip
    token = await create_token(connection, "bench", ["alerts:read"], datetime.now(UTC) + timedelta(hours=1))
    await connection.close()
    return token.secret


#: Follows alerts: (port of the API, token, what was seen, when to stop).
Follow = Callable[[int, str, dict[str, float], asyncio.Event], Coroutine[Any, Any, None]]


async def _read_feed(port: int, token: str, seen: dict[str, float], stop: asyncio.Event) -> None:
    """Follow the feed; ``seen`` gets the monotonic time of each vehicle's first alert."""
    cursor = None
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
        while not stop.is_set():
            parameters = {"wait": "5"} | ({"cursor": cursor} if cursor else {})
            page = (await client.get("/v1/alerts/feed", params=parameters)).raise_for_status().json()
            now = time.monotonic()
            for alert in page["items"]:
                seen.setdefault(alert["vehicle"], now)
            cursor = page["next"]


async def drive(
    made: System,
    drivers: Sequence[Driver],
    token: str,
    seconds: float,
    follow: Follow = _read_feed,
    before: Collection[str] = (),
) -> list[float]:
    """All drive out within ``seconds``; seconds from the opening fix until ``follow`` has seen the alert, of each. ``before``:
    vehicles that have driven out already."""
    seen: dict[str, float] = {}
    stop = asyncio.Event()
    reader = asyncio.create_task(follow(made.http_port, token, seen, stop))
    try:
        begin = asyncio.get_running_loop().time()

        async def one(driver: Driver, at: float) -> tuple[str, float]:
            await asyncio.sleep(begin + at - asyncio.get_running_loop().time())
            return driver.vehicle, await driver.drive_out()

        opened = await asyncio.gather(*(one(d, random.uniform(0, seconds)) for d in drivers))
        deadline = time.monotonic() + _PATIENCE_S
        while len(seen.keys() - before) < len(drivers):
            if reader.done():
                reader.result()
            if time.monotonic() > deadline:
                raise SystemExit(
                    f"{len(drivers) - len(seen.keys() - before)} alerts never came; {made.words()}"
                )
            await asyncio.sleep(0.05)
    finally:
        stop.set()
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
    early = [vehicle for vehicle, sent in opened if seen[vehicle] < sent]
    if early or len(seen.keys() - before) != len(drivers):
        raise SystemExit(f"alerts that nobody drove for: {early or seen.keys() - before}")
    return [seen[vehicle] - sent for vehicle, sent in opened]


def _one(cluster: Cluster | None, seconds: float) -> tuple[Load, list[float]]:
    count = max(10, int(seconds * _DRIVES_PER_S))
    tokens: list[str] = []

    def prepare(dsn: str) -> None:
        tokens.append(asyncio.run(register(dsn, count)))

    with system(BACKGROUND, prepare=prepare, kafka=cluster, judge=True, api=True) as made:
        made.wait_judged()  # of a new fleet it looks at 62 days of every vehicle, once
        generator = Generator(
            made.port, terminals=RATE, window=1, seconds=seconds + _BEFORE_S + _AFTER_S, rate=RATE, core=None,
            known=True, step=1, back=behind_s(),
        )  # fmt: skip

        async def work() -> list[float]:
            drivers = [Driver(k) for k in range(count)]
            for driver in drivers:
                await driver.connect(made.port)
            await asyncio.sleep(_BEFORE_S)
            try:
                return await drive(made, drivers, tokens[0], seconds)
            finally:
                for driver in drivers:
                    driver.close()

        try:
            alerts = asyncio.run(work())
        except BaseException:
            generator.process.kill()
            raise
        return generator.result(), alerts


def run(options: argparse.Namespace) -> None:
    """Print percentiles of the reply times and of the times to the feed."""
    build()
    seconds = options.seconds * _PER_RUN_S
    for log, cluster in each_broker(options.log):
        heading(f"Latency at {RATE:,} positions/s, {log} log, everything on this machine")
        replies: list[Load] = []
        times: list[list[float]] = []
        for _ in range(options.runs):
            load, alerts = _one(cluster, seconds)
            replies.append(load)
            times.append(alerts)
        print(
            f"{options.runs} runs of {seconds:g} s, {sum(map(len, times))} alerts; reached"
            f" {spread([r.positions_per_s for r in replies])} positions/s; medians of the runs' percentiles (min-max)\n"
        )
        rows = [
            ["reply", *(spread([getattr(r, f"p{p}_us") / 1e6 for r in replies], 3) for p in (50, 99)), f"< {REPLY_P99_S:g}"],
            ["position to alert in the feed", *(spread([float(np.percentile(t, p)) for t in times], 3) for p in (50, 99)), f"< {ALERT_P99_S:g}"],
        ]  # fmt: skip
        table(["seconds", "p50", "p99", "p99 asked"], rows)
