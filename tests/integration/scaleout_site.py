"""A site of several gateways and workers as real processes: one port, one group, one Kafka, one database, one API."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from telemetry.log.base import POSITIONS
from tests.faults.harness import LEFT
from tests.ports import free_port

_START_S = 60.0


class Process:
    """One ``gongche`` command; ``port`` answers HTTP when it serves."""

    def __init__(self, name: str, number: int, port: int, environment: dict[str, str], folder: Path) -> None:
        self.name, self.port = f"{name}{number}", port
        self._command, self._environment = name, environment
        self._log = folder / f"{self.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gongche", self._command],
                env=self._environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip

    def kill(self) -> None:
        """``kill -9``; nothing happens when it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def serves(self) -> None:
        """Wait until it answers. AssertionError with the end of its log when it ends or stays silent."""
        deadline = time.monotonic() + _START_S
        async with httpx.AsyncClient(timeout=5) as client:
            while True:
                try:
                    await client.get(f"http://127.0.0.1:{self.port}/healthz")
                    return
                except httpx.TransportError:
                    waiting = self.running and time.monotonic() < deadline
                    assert waiting, f"{self.name}:\n{self.last_words()}"
                    await asyncio.sleep(0.1)

    async def metric(self, name: str) -> float:
        """The sum of the samples of a metric, over its labels."""
        async with httpx.AsyncClient(timeout=20) as client:
            text = (await client.get(f"http://127.0.0.1:{self.port}/metrics")).text
        lines = [line for line in text.splitlines() if line.split(" ")[0].split("{")[0] == name]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def last_words(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-25:])


class Site:
    """``gateways`` and ``workers`` processes and an API. An async context manager."""

    def __init__(
        self, folder: Path, dsn: str, bootstrap: str, prefix: str, *, gateways: int, workers: int
    ) -> None:
        self.folder, self.dsn = folder, dsn
        self.port = free_port()
        self._bootstrap, self._topic = bootstrap, prefix + POSITIONS
        base = {name: value for name, value in os.environ.items() if not name.startswith("GONGCHE_")} | {
            "GONGCHE_DATA_DIR": str(folder),
            "GONGCHE_DATABASE_URL": dsn,
            "GONGCHE_KAFKA_BOOTSTRAP": bootstrap,
            "GONGCHE_KAFKA_TOPIC_PREFIX": prefix,
            "GONGCHE_KAFKA_REPLICATION": "1",
            "GONGCHE_KAFKA_PARTITIONS": "6",
            # A killed worker is missed so soon.
            "GONGCHE_KAFKA_SESSION_TIMEOUT_S": "2",
            "GONGCHE_TCP_HOST": "127.0.0.1",
            "GONGCHE_TCP_PORT": str(self.port),
        }

        def processes(name: str, setting: str, count: int) -> list[Process]:
            ports = [free_port() for _ in range(count)]
            return [Process(name, k, p, base | {setting: str(p)}, folder) for k, p in enumerate(ports)]

        self.gateways = processes("gateway", "GONGCHE_GATEWAY_METRICS_PORT", gateways)
        self.workers = processes("worker", "GONGCHE_WORKER_METRICS_PORT", workers)
        (self.api,) = processes("api", "GONGCHE_HTTP_PORT", 1)

    @property
    def all(self) -> Sequence[Process]:
        return [*self.gateways, *self.workers, self.api]

    async def __aenter__(self) -> Self:
        try:
            for process in self.all:
                process.start()
            for process in self.all:
                await process.serves()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self.all:
            process.kill()

    async def killed(self, process: Process, down_s: float) -> None:
        """``kill -9``; started again after ``down_s``. Returns when it serves."""
        process.kill()
        await asyncio.sleep(down_s)  # time: how long it is down is part of the plan
        process.start()
        await process.serves()

    async def settled(self, timeout_s: float = 40.0) -> None:
        """Wait until the workers have processed the whole log and every fact that changed. Raises TimeoutError."""
        consumer = AIOKafkaConsumer(self._topic, bootstrap_servers=self._bootstrap)
        await consumer.start()
        try:
            places = [
                TopicPartition(self._topic, p) for p in consumer.partitions_for_topic(self._topic) or ()
            ]
            ends = {
                place.partition: end for place, end in (await consumer.end_offsets(places)).items() if end
            }
        finally:
            await consumer.stop()
        connection = await asyncpg.connect(self.dsn)
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    offsets = dict(
                        await connection.fetch(
                            "SELECT partition, next_offset FROM log_offsets WHERE next_offset > 0"
                        )
                    )
                    if offsets == ends and not await connection.fetchval(LEFT):
                        return
                    await asyncio.sleep(0.1)
        finally:
            await connection.close()
