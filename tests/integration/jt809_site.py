"""Two instances of ours that are linked by JT/T 809: two databases, two logs, and a line between them that fails."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np

from gongche.exchange809.process import Exchange809
from gongche.exchange809.wire import Terms
from office.identity.keys import Sealer
from office.platforms import links
from office.platforms.links import Link, Secret
from runtime.postgres import create_pool
from runtime.settings import Settings
from telemetry.log import open_tail, open_writer
from telemetry.log.base import POSITIONS, LogWriter, Record
from telemetry.log.codec import HEADERS, decode_all, encode
from telemetry.positions import PositionBatch, Source, fingerprint
from tests.databases import copy_of
from tests.integration.exchange_site import put
from tests.ports import free_port

CARS = 6
#: Quick terms: nothing here waits for seconds.
QUICK = Terms(confirm_s=0.1, answer_s=20, most_pause_s=0.2, look_s=0.05, refresh_s=0.2, login_s=10)
MARCH_US = 1_772_409_600_000_000  # 2026-03-02 00:00 UTC


def plate_of(car: int) -> str:
    return f"苏F{car:05}"


@dataclass
class Platform:
    """One of the two. ``strangers``: terminals that were registered before, so that numbers differ between the two."""

    pool: asyncpg.Pool
    dsn: str
    folder: Path
    strangers: int
    terms: Terms = QUICK
    kept: Exchange809 | None = None
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _running: asyncio.Task[None] | None = None
    _log: LogWriter | None = None

    @property
    def settings(self) -> Settings:
        return Settings(data_dir=self.folder)

    async def fill(self) -> None:
        """A unit with cars; the last one is secret."""
        self.folder.mkdir(exist_ok=True)
        await put(
            self.pool, "organisations", {"id": "office", "name": "机关"}, {"id": "other", "name": "其他"}
        )
        await put(
            self.pool, "vehicles",
            *({"id": f"car-{k}", "plate": plate_of(k), "organisation": "office"} for k in range(CARS)),
            {"id": "foreign", "plate": "苏F99999", "organisation": "other"},
        )  # fmt: skip
        cars = [
            {"id": f"1380000000{k}", "manufacturer": "7611", "model": "BD-1", "device_id": f"DEV{k}", "vehicle": f"car-{k}", "valid_from": "2026-01-01T00:00:00+08:00"}
            for k in range(CARS)
        ]  # fmt: skip
        await put(self.pool, "terminals", *({"id": f"1390000000{k}"} for k in range(self.strangers)))
        await put(
            self.pool, "terminals", *cars,
            {"id": "13700000000", "vehicle": "foreign", "valid_from": "2026-01-01T00:00:00+08:00"},
        )  # fmt: skip

    async def add(self, link: Link, secret: Secret) -> None:
        async with self.pool.acquire() as connection, connection.transaction():
            await links.add(connection, link, secret, Sealer(self.settings))

    async def start(self, port: int | None = None) -> None:
        """Keep the links, in this process."""
        self._stop.clear()
        self.kept = Exchange809(
            self.pool, Sealer(self.settings), lambda: open_tail(self.settings), lambda: open_writer(self.settings), self.terms,
            None if port is None else ("127.0.0.1", port),
        )  # fmt: skip
        self._running = asyncio.create_task(self.kept.run(self._stop))

    async def stop(self) -> None:
        self._stop.set()
        if self._running is not None:
            await self._running
            self._running = None

    async def close(self) -> None:
        await self.stop()
        if self._log is not None:
            await self._log.close()
        self.pool.terminate()

    async def terminals(self) -> dict[int, str]:
        """Number of a terminal -> the plate of its car."""
        rows = await self.pool.fetch(
            "SELECT b.terminal_no, v.plate FROM terminal_bindings b JOIN vehicles v ON v.no = b.vehicle_no"
        )
        return {row["terminal_no"]: row["plate"] for row in rows}

    async def write(self, batch: PositionBatch) -> None:
        """Into the log, as a gateway does."""
        if self._log is None:
            self._log = open_writer(self.settings)
            await self._log.start()
        await self._log.append([Record(POSITIONS, 0, encode(batch), HEADERS)])

    async def logged(self) -> PositionBatch:
        """Everything that is in the log."""
        tail = open_tail(self.settings)
        try:
            opened = await tail.open()
            await tail.seek(dict.fromkeys(opened.ends, 0))
            payloads: list[bytes] = []
            while records := await tail.read(1 << 20):
                payloads += [record.payload for record in records]
            return decode_all(payloads)[0]
        finally:
            await tail.close()

    async def state(self, name: str) -> Any:
        return await self.pool.fetchrow("SELECT * FROM platform_states WHERE link = $1", name)


def told(batch: PositionBatch, plates: dict[int, str]) -> list[tuple[str, int, int]]:
    """(plate, time, fingerprint) of each row."""
    return list(
        zip(
            [plates[no] for no in batch.terminal.tolist()],
            batch.device_us.tolist(),
            fingerprint(batch).tolist(),
            strict=True,
        )
    )


def drive(chance: random.Random, terminals: list[int], second: int, n: int) -> PositionBatch:
    """``n`` reports, each of another second; some were recorded without network; with an item that has no column."""
    rows = np.arange(n)
    items = b"\xe1\x02\x5b\x5d"
    return PositionBatch.build(
        n,
        terminal=[chance.choice(terminals) for _ in range(n)],
        received_us=MARCH_US + (second + rows + 1) * 1_000_000,
        device_us=MARCH_US + (second + rows) * 1_000_000,
        lat_e6=[32_000_000 + chance.randint(0, 99_999) for _ in range(n)],
        lon_e6=[120_800_000 + chance.randint(0, 99_999) for _ in range(n)],
        altitude_m=[chance.randint(-5, 90) for _ in range(n)],
        speed_dkmh=[chance.randint(0, 1_200) for _ in range(n)],
        direction_deg=[chance.randint(0, 359) for _ in range(n)],
        status=3,
        source=[chance.choice((Source.LIVE, Source.LIVE, Source.BLIND_ZONE)) for _ in range(n)],
        odometer_dkm=[123_400 + second + k for k in range(n)],
        present=1,
        items_offsets=np.arange(n + 1, dtype=np.int32) * len(items),
        items_data=np.frombuffer(items * n, np.uint8),
    )


class Line:
    """Between the two. ``swallows``: what is sent, but for the first LETS bytes of a connection (the login), is taken and goes nowhere, as
    by a line that breaks soon."""

    LETS = 2_048

    def __init__(self, target: Callable[[], int]) -> None:
        self.port, self._target = free_port(), target
        self.swallows = False
        self.up = True
        self.swallowed = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()

    def cut(self) -> None:
        """End every connection."""
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.up:
            writer.close()
            return
        try:
            there = await asyncio.open_connection("127.0.0.1", self._target())
        except OSError:
            writer.close()
            return
        self._open |= {writer, there[1]}
        try:
            await asyncio.gather(self._pass(reader, there[1], True), self._pass(there[0], writer, False))
        finally:
            self._open -= {writer, there[1]}
            writer.close()
            there[1].close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, up: bool) -> None:
        passed = 0
        with suppress(OSError):
            while data := await reader.read(1_024):
                if up and self.swallows and passed >= self.LETS:
                    self.swallowed += len(data)
                    continue
                passed += len(data)
                writer.write(data)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def two_platforms(
    postgres_dsn: str, template: str, folder: Path
) -> AsyncIterator[tuple[Platform, Platform]]:  # fmt: skip
    """(lower, upper), with the same cars."""
    async with (
        copy_of(postgres_dsn, template, "lower") as lower_dsn,
        copy_of(postgres_dsn, template, "upper") as upper_dsn,
    ):
        lower = Platform(await create_pool(lower_dsn, max_size=8), lower_dsn, folder / "lower", 0)
        upper = Platform(await create_pool(upper_dsn, max_size=8), upper_dsn, folder / "upper", 3)
        try:
            await lower.fill()
            await upper.fill()
            yield lower, upper
        finally:
            await lower.close()
            await upper.close()
