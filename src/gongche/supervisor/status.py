"""What the user of ``gongche up`` sees: lines, and one status line, refreshed in place on a terminal."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from typing import TextIO

import asyncpg
import httpx

from gongche.progress import FILE_S, TTY_S, in_place
from rules.alerts.feed import feed_end, read_feed
from runtime.metrics import Snapshot, quantile
from runtime.postgres import DATABASE_ERRORS, connect

#: Seconds between status lines: in place on a terminal; in a file each is a line that stays, so there are few.
REFRESH_TTY_S, REFRESH_FILE_S = TTY_S, FILE_S

CONNECTIONS = "gongche_gateway_connections"
RECEIVED = "gongche_gateway_positions_total"
REPLY_SECONDS = "gongche_gateway_reply_seconds"
ROWS = "gongche_worker_rows_total"
LAG_RECORDS = "gongche_worker_log_lag_records"
RECOMPUTING = "gongche_worker_recomputing_vehicles"
QUARANTINE = ("gongche_worker_quarantine_entries", "gongche_worker_put_off_vehicles")
UNDELIVERED = (
    "gongche_deliver_dead_letters",
    "gongche_deliver_failing_webhooks",
    "gongche_deliver_disabled_webhooks",
)
DELAY_SECONDS = "gongche_worker_delay_seconds"


class Console:
    """Writes lines and a status line below them to ``stream`` (stdout)."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self.interactive = in_place(self._stream)
        self._status = ""

    def say(self, line: str) -> None:
        """One line that stays."""
        if self._status:
            self._write(f"\r\x1b[K{line}\n{self._status}")
        else:
            self._write(f"{line}\n")

    def status(self, line: str) -> None:
        """Replace the status line (terminal) or write it as a line (file)."""
        if not self.interactive:
            self._write(f"{line}\n")
            return
        self._status = line
        self._write(f"\r\x1b[K{line}")

    def end(self) -> None:
        """Leave the status line as it is and go on below it."""
        if self._status:
            self._status = ""
            self._write("\n")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError:
            # The reader of our output went away; the services must not stop for that.
            self._stream = open("/dev/null", "w")  # noqa: SIM115 - lives as long as the console


@dataclass
class Reading:
    """The figures of one status line; None = not known (a process is starting, or does not say)."""

    connections: float | None = None
    rate: float | None = None  # positions received a second
    stored: float | None = None
    alerts: float | None = None
    p50_s: float | None = None
    p99_s: float | None = None
    lag_records: float | None = None  # of the log, not processed yet
    recomputing: float = 0.0  # vehicles whose past is computed again
    quarantine: float = 0.0  # parts of records set aside and vehicles put off for a fault of the program
    undelivered: float = 0.0  # dead letters, and webhooks that fail or are disabled
    delay_p99_s: float | None = None  # from receipt to commit

    def line(self) -> str:
        """Chinese label, English label, figure."""
        past = [f"重算 recomputing {_number(self.recomputing)}"] if self.recomputing else []
        if self.quarantine:
            past.append(f"隔离 quarantine {_number(self.quarantine)}（gongche quarantine list）")
        if self.undelivered:
            past.append(f"推送失败 webhooks {_number(self.undelivered)}")
        return " | ".join(
            [
                f"在线 connected {_number(self.connections)}",
                f"接收 in {_number(self.rate)}/s",
                f"入库 stored {_number(self.stored)}",
                f"新预警 new alerts {_number(self.alerts)}",
                f"应答 reply p50 {_milliseconds(self.p50_s)} p99 {_milliseconds(self.p99_s)}",
                f"积压 lag {_number(self.lag_records)} 延迟 delay p99 {_milliseconds(self.delay_p99_s)}",
                *past,
            ]
        )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value * 1000:.1f} ms"


class FeedTally:
    """Counts the alerts that were raised since it was made and still stand, from the feed itself."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: asyncpg.Connection | None = None
        self._seq: int | None = None
        self._standing: set[str] = set()

    async def read(self) -> float | None:
        """How many; None when the database does not answer."""
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await connect(self._dsn)
            if self._seq is None:
                self._seq = await feed_end(self._connection)
            while entries := await read_feed(self._connection, self._seq, 500):
                for entry in entries:
                    change = (
                        self._standing.add if entry.alert.status == "suspected" else self._standing.discard
                    )
                    change(entry.alert.id)
                    self._seq = entry.seq
        except DATABASE_ERRORS:
            return None
        return float(len(self._standing))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()


class _Window:
    """Quantiles of a histogram over what came since the last look."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._before: dict[float, float] = {}

    def quantiles(self, snapshot: Snapshot, *qs: float) -> list[float | None]:
        now, before = snapshot.buckets(self._name), self._before
        if any(now.get(bound, 0.0) < count for bound, count in before.items()):
            before = {}  # the process has been restarted and counts from 0
        self._before = now
        return [quantile(now, q, before) for q in qs]


class Board:
    """Reads ``/metrics`` of gateway, worker and deliverer and the feed, and turns them into readings.

    Counters restart with their process; rates and quantiles are over the time since the last reading.
    """

    def __init__(
        self, gateway_url: str, worker_url: str, tally: FeedTally, deliver_url: str | None = None
    ) -> None:
        self._urls = (gateway_url, worker_url, deliver_url)
        self._tally = tally
        self._client = httpx.AsyncClient(timeout=2, trust_env=False)
        self._reply, self._delay = _Window(REPLY_SECONDS), _Window(DELAY_SECONDS)
        self._at = 0.0
        self._received: float | None = None

    async def read(self) -> Reading:
        """One reading; a process that does not answer leaves its figures None."""
        gateway, worker, deliver = await asyncio.gather(*(self._fetch(url) for url in self._urls))
        reading, now = Reading(), time.monotonic()
        if gateway is not None:
            received = gateway.total(RECEIVED)
            reading.connections = gateway.total(CONNECTIONS)
            if received is not None and self._received is not None and received >= self._received:
                reading.rate = (received - self._received) / max(now - self._at, 1e-3)
            reading.p50_s, reading.p99_s = self._reply.quantiles(gateway, 0.5, 0.99)
            self._received, self._at = received, now
        if worker is not None:
            reading.stored = worker.total(ROWS, result="stored")
            reading.lag_records = worker.total(LAG_RECORDS)
            reading.recomputing = worker.total(RECOMPUTING) or 0.0
            reading.quarantine = sum(worker.total(name) or 0.0 for name in QUARANTINE)
            (reading.delay_p99_s,) = self._delay.quantiles(worker, 0.99)
        if deliver is not None:
            reading.undelivered = sum(deliver.total(name) or 0.0 for name in UNDELIVERED)
        reading.alerts = await self._tally.read()
        return reading

    async def close(self) -> None:
        await self._client.aclose()
        self._tally.close()

    async def _fetch(self, url: str | None) -> Snapshot | None:
        if url is None:
            return None
        try:
            response = await self._client.get(url)
            return Snapshot.parse(response.text) if response.status_code == httpx.codes.OK else None
        except (httpx.HTTPError, ValueError):
            return None


async def show_status(console: Console, board: Board) -> None:
    """Keep the status line fresh until cancelled."""
    while True:
        console.status((await board.read()).line())
        await asyncio.sleep(REFRESH_TTY_S if console.interactive else REFRESH_FILE_S)
