"""A day of a province-level city, settled for all rules: what each rule costs, and how that grows with the city.

The worker takes the day's positions from the log (location and destination are judged there), then the judge works
until nothing is due. Routes are frozen: what an engine costs is measured by ``city_routes``. Each size runs in a database,
a worker and a judge process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg

from bench import city_data
from bench.database import fresh_database
from bench.processes import cpu_seconds, descendants
from bench.report import heading, table
from runtime.postgres import connect
from runtime.units import US_PER_S
from telemetry.log import codec
from telemetry.log.base import POSITIONS, Record
from telemetry.log.sqlite import EmbeddedLogWriter

#: Vehicles and trips of the three sizes: a prefecture, a large one, Chongqing.
TRIPS_A_VEHICLE = 39_000 / 29_000
SIZES = (854, 5_000, 29_000)
TARGET = 4 / 3
#: The judge works at noon of the day after.
_NOON_AFTER_US = 36 * 3600 * US_PER_S
_PATIENCE_S = 3600
#: A part that took less than that is no yardstick: PostgreSQL's CPU is told in hundredths of a second.
_LEAST_S = 0.3
#: Seconds of a part: by the clock, CPU of the part's own process, of PostgreSQL serving it, of PostgreSQL's housekeeping
#: at the same time (vacuum, checkpoints, write-ahead log).
_COSTS = ("wall", "cpu", "postgres", "housekeeping")

#: Parts of the program, and what they judge.
PARTS = {
    "worker": "location, destination; results of orders",
    "changes": "changed facts to keys",
    "orders": "mileage",
    "transactions": "card_use",
    "cards": "card_binding, refuel_frequency",
    "violations": "traffic_violations",
    "driver_months": "fuel_consumption",
    "vehicle_days": "off_hours, terminal_silent",
    "seals": "sealed",
    "tanks": "tank",
    "nights": "parking",
    "routes": "route",
    "rentals": "idle_rental",
}


def run(options: argparse.Namespace) -> None:
    """Print seconds, and CPU by subject, of each part and size."""
    sizes = [options.vehicles] if options.vehicles else list(SIZES)
    heading("A city's day, settled for all rules")
    first: dict[str, float] = {}
    for vehicles in sizes:
        made = one(vehicles, options.trips_a_month)
        rows = []
        for part, its in made["parts"].items():
            each = _micros(its, its["subjects"])
            cost = each["cpu"] + each["postgres"]
            if its["cpu"] + its["postgres"] >= _LEAST_S:
                first.setdefault(part, cost)
            rows.append([
                part, PARTS[part], f"{its['subjects']:,.0f}", f"{its['wall']:.1f}", f"{each['cpu']:,.0f}",
                f"{each['postgres']:,.0f}", f"{cost / first[part]:.2f}" if part in first else "",
            ])  # fmt: skip
        total = {name: sum(its[name] for its in made["parts"].values()) for name in _COSTS}
        each = _micros(total, vehicles)
        cost = each["cpu"] + each["postgres"] + each["housekeeping"]
        rows.append([
            "all", f"with housekeeping ({each['housekeeping']:,.0f} us)", f"{vehicles:,} vehicles", f"{total['wall']:.1f}",
            f"{each['cpu']:,.0f}", f"{each['postgres']:,.0f}", f"{cost / first.setdefault('all', cost):.2f}",
        ])  # fmt: skip
        print(
            f"\n{vehicles:,} vehicles, {made['orders']:,} orders, {made['positions']:,} positions,"
            f" {options.trips_a_month} trips a driver and month before; alerts: {made['alerts']}; judge's peak memory"
            f" {made['peak_mb']:.0f} MiB, worker's {made['worker_mb']:.0f} MiB; prepared in {made['prepared']:.0f} s\n",
            flush=True,
        )
        table(
            ["part", "rules", "subjects", "s", "CPU us/subject", "PostgreSQL us/subject", f"grows to (asked < {TARGET:.2f})"],
            rows,
        )  # fmt: skip
    if not options.vehicles:
        from bench import city_live, city_routes

        city_live.run(options)
        city_routes.run(options)


def _micros(its: Mapping[str, float], subjects: float) -> dict[str, float]:
    return {name: 1e6 * its[name] / max(1, subjects) for name in _COSTS}


def one(vehicles: int, trips_a_month: int) -> dict[str, Any]:
    """Figures of one size: parts -> {subjects, wall, cpu, postgres} in seconds, and the rest of ``run``'s line."""
    city = city_data.plan(vehicles, round(vehicles * TRIPS_A_VEHICLE), city_data.day_before())
    now_us = city.day_us + _NOON_AFTER_US
    with fresh_database() as (base, dsn):
        began = time.perf_counter()
        written = asyncio.run(_prepare(city, dsn, base / "log.sqlite", trips_a_month))
        prepared = time.perf_counter() - began
        worker = _child("bench.city_worker", dsn, now_us, base / "log.sqlite")
        judge = _child("bench.city_judge", dsn, now_us, city.day_us)
        return {
            "positions": written, "orders": int(city.order.sum()), "prepared": prepared, "peak_mb": judge["peak_mb"],
            "worker_mb": worker["peak_mb"], "alerts": judge["alerts"],
            "parts": {"worker": worker["parts"]["worker"], **judge["parts"]},
        }  # fmt: skip


async def _prepare(city: city_data.City, dsn: str, log: Path, trips_a_month: int) -> int:
    conn = await connect(dsn)
    await city_data.register(conn, city, trips_a_month)
    await city_data.day_facts(conn, city)
    await city_data.freeze_routes(conn, city)
    writer, written = EmbeddedLogWriter(log), 0
    for batch in city_data.positions(city):
        await writer.append([Record(POSITIONS, 0, codec.encode(batch), codec.HEADERS)])
        written += len(batch)
    await writer.close()
    await conn.execute("ANALYZE")
    await conn.close()
    return written


def _child(module: str, *arguments: object) -> dict[str, Any]:
    """What a process of its own says on its last line, JSON."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    if done.returncode:
        raise SystemExit(f"{module} failed:\n{done.stderr[-4000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


class Meter:
    """CPU of this process and of PostgreSQL, wall time and subjects, by part. ``postmaster``: its process."""

    def __init__(self, postmaster: int) -> None:
        self._postmaster = postmaster
        self.parts: dict[str, dict[str, float]] = {}
        self._was = (0.0, 0.0, 0.0, 0.0)

    def _postgres(self) -> tuple[float, float]:
        """CPU seconds of the processes that serve connections, and of all others (and what ended)."""
        below = descendants(self._postmaster)
        serving = [pid for pid in below if b"[local]" in _title(pid)]
        others = cpu_seconds([pid for pid in below if pid not in serving])
        return cpu_seconds(serving), others + cpu_seconds([self._postmaster], ended_children=True)

    def begin(self) -> None:
        """What was spent since the last call is nobody's."""
        postgres = self._postgres()  # looking it up is nobody's either
        self._was = (time.perf_counter(), time.process_time(), *postgres)

    def end(self, part: str, subjects: int) -> None:
        """What was spent since ``begin`` was for ``subjects`` of ``part``."""
        now = (time.perf_counter(), time.process_time(), *self._postgres())
        its = self.parts.setdefault(part, dict.fromkeys(("subjects", *_COSTS), 0.0))
        its["subjects"] += subjects
        for name, was, is_ in zip(_COSTS, self._was, now, strict=True):
            its[name] += is_ - was

    def say(self, **more: Any) -> None:
        """Everything as JSON on one line, with the peak memory of this process."""
        status = (
            Path("/proc/self/status").read_text().split("VmHWM:")[1]
        )  # getrusage counts what it was forked from
        peak_mb = int(status.split()[0]) / 1024
        print(json.dumps({"parts": self.parts, "peak_mb": peak_mb, **more}), flush=True)


def _title(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


async def postmaster_of(conn: asyncpg.Connection) -> int:
    """Process number of the server's first process. The server runs on this machine."""
    backend = await conn.fetchval("SELECT pg_backend_pid()")
    return parent_of(backend)


def parent_of(pid: int) -> int:
    """Number of the process that started process ``pid``."""
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


async def alerts_of(conn: asyncpg.Connection) -> Mapping[str, int]:
    """Suspected alerts by rule."""
    rows = await conn.fetch(
        "SELECT rule, count(*) FROM alerts WHERE status = 'suspected' GROUP BY rule ORDER BY rule"
    )
    return {r["rule"]: r["count"] for r in rows}
