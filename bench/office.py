"""What readers of the API wait for at a million stored alerts and 300,000 cases, while 5,000 positions/s come in.

One reader pulls the whole feed; pages of it at several depths; lists with filters for a unit, a city and an inspector of
all; the track of a day and of a month; and vehicles drive out as in ``bench.latency``, whose alerts a reader of the stream
(server-sent events) waits for. What row-level security costs is asked of the database itself: the same list as the owner of
the tables and as a request.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import repeat
from typing import Any, Final

import httpx
import numpy as np

from api.http import make_cursor
from bench.database import Fleet
from bench.latency import RATE, Driver, drive, register
from bench.processes import FIRST_PHONE, Generator, build
from bench.report import heading, spread, table
from bench.system import System, behind_s, system
from office.identity.scope import Reach
from office.identity.sessions import Visit, begin
from office.identity.tokens import create_token
from rules.alerts.listing import list_alerts
from rules.alerts.model import AlertFilter
from runtime.connection import Connection
from runtime.postgres import connect
from runtime.units import US_PER_DAY, US_PER_S
from telemetry.archive.store import Archive, days_of
from telemetry.positions import PositionBatch

ALERTS: Final = 1_000_000
CASES: Final = 300_000
#: Units of the fleet; those below ``_CITY_UNITS`` are of one city.
_UNITS: Final = 100
_CITY_UNITS: Final = 50
_FLEET: Final = Fleet(RATE, fences=_UNITS, ordered=2, outside=0)
#: Requests of each kind; alerts that the stream is timed with, and in how long they come.
_ASKED: Final = 200
_OF_A_LIST: Final = 40
_DRIVERS: Final = 100
_DRIVE_S: Final = 20.0
_PULL_S: Final = 10.0
#: A vehicle that reported every 10 s for 8 hours of each of 30 days.
_TRACK_DAYS: Final = 30
_A_DAY: Final = 2_880
_COOKIE: Final = "__Host-gongche"


def alerts_sql(alerts: int) -> str:
    """What makes so many alerts, one every 15.5 s until now, for the vehicles and units of the fleet."""
    return f"""
INSERT INTO organisations (id, name) VALUES ('city', '市'), ('other', '另一市');
UPDATE organisations SET parent = CASE WHEN substr(id, 6)::int < {_CITY_UNITS} THEN 'city' ELSE 'other' END WHERE id LIKE 'bench%';
CREATE TEMP TABLE made AS
    SELECT i, lpad(i::text, 32, '0') AS id, ('{{mileage,location,destination,card_use,off_hours}}'::text[])[1 + i / 100 % 5] AS rule,
        'v' || i % {RATE} AS vehicle, '苏F' || lpad((i % {RATE})::text, 5, '0') AS plate, 'bench' || i % {RATE} % {_UNITS} AS organisation,
        CASE WHEN i / 100 % 50 = 0 THEN 'withdrawn' ELSE 'suspected' END AS status, ('{{low,medium,high}}'::text[])[1 + i / 100 % 3] AS severity,
        now() - ({alerts} - i) * interval '15.5 s' AS at
    FROM generate_series(1, {alerts}) i;
INSERT INTO alerts (id, rule, subject, vehicle_no, version, status, severity, organisation, vehicle, plate, order_id, occurred_from,
    occurred_to, detected_at, updated_at)
    SELECT id, rule, 'order:P' || i, 1 + i % {RATE}, 1, status, severity, organisation, vehicle, plate, 'P' || i, at - interval '1 h',
        at, at, at FROM made;
INSERT INTO alert_versions (alert_id, version, body, evidence_sha256, created_at)
    SELECT id, 1, jsonb_build_object('id', id, 'rule', rule, 'rule_version', 1, 'version', 1, 'status', status, 'severity', severity,
        'organisation', organisation, 'vehicle', vehicle, 'plate', plate, 'driver', null, 'order', 'P' || i, 'occurred_from',
        at - interval '1 h', 'occurred_to', at, 'detected_at', at, 'summary', '疑似：行驶里程 32.4 公里，导航里程 20.1 公里，超出 12.3 公里',
        'measures', '{{"driven": {{"value": 32.4, "unit": "km"}}, "route": {{"value": 20.1, "unit": "km"}}}}'::jsonb, 'parameters', '{{"factor": 1.5}}'::jsonb,
        'evidence_hash', repeat('00', 32), 'withdrawal_reason', null), sha256(int8send(i)), at FROM made;
INSERT INTO alert_feed (seq, alert_id, version, created_at) SELECT i, id, 1, at FROM made;
SELECT setval('alert_feed_seq', {alerts});
DROP TABLE made;
"""


_STATES: Final = "{working,replied,closed,closed,closed,closed,issued,draft}"
_CASES: Final = f"""
INSERT INTO cases (id, organisation, number, state, version, source, level, title, vehicle, finding, created_at, issued_at, due_on,
    yellow_from)
    SELECT 'case' || i, 'bench' || i % {RATE} % {_UNITS}, 'N' || i, ('{_STATES}'::text[])[1 + i / 100 % 8], 3, 'alert', 'normal', '核查用车情况',
        'v' || i % {RATE}, CASE WHEN i / 100 % 8 BETWEEN 2 AND 5 THEN ('{{violation,irregular,justified,data_fault}}'::text[])[1 + i / 100 % 4] END,
        at, at, CASE WHEN i / 100 % 8 < 2 THEN at::date + 14 END, CASE WHEN i / 100 % 8 < 2 THEN at::date + 11 END
    FROM (SELECT i, now() - ({CASES} - i) * interval '50 s' AS at FROM generate_series(1, {CASES}) i) s;
INSERT INTO case_events (case_id, version, step, at, actor, persons, actor_name, body)
    SELECT 'case' || i, v, ('{{draft,submit,issue}}'::text[])[v], now(), 'user:x', '{{}}', '某人', '{{}}'
    FROM generate_series(1, {CASES}) i, generate_series(1, 3) v;
INSERT INTO case_links (case_id, kind, ref, open) SELECT 'case' || i, 'alert', lpad(i::text, 32, '0'), i / 100 % 8 IN (0, 1, 6, 7)
    FROM generate_series(1, {CASES}) i;
"""
#: Who asks: of all, of a city (half of the units), of one unit.
READERS: Final = {"an inspector of all": None, "a city": "city", "a unit": "bench7"}
_FILTERS: Final = {
    "newest": "",
    "of a rule": "&rule=mileage",
    "withdrawn": "&status=withdrawn",
    "of a vehicle": "&vehicle=v107",
    "of a week": "&from={from}&to={to}",
    "unread": "&unread=true",
    "by event, oldest first": "&order=occurred&direction=asc",
    "by event, of a week": "&order=occurred&from={from}&to={to}",
    "by severity, of a rule": "&order=severity&rule=mileage",
}
_CASE_FILTERS: Final = {
    "newest": "", "in work": "&state=working", "of a finding": "&finding=violation", "by term": "&order=due&direction=asc",
    "by number": "&order=number",
}  # fmt: skip


@dataclass
class Measured:
    """Milliseconds by what was asked; ``rate``: entries of the feed a second; ``stream``: seconds of each alert."""

    times: dict[str, list[float]] = field(default_factory=dict)
    rate: float = 0.0
    stream: list[float] = field(default_factory=list)


async def _fill(dsn: str, made: dict[str, str]) -> None:
    """The rows, and who may ask: ``made`` gets their secrets."""
    connection = await connect(dsn)
    ends = datetime.now(UTC) + timedelta(hours=2)
    # Foreign keys and triggers cost minutes here, and are not what is measured.
    await connection.execute("SET session_replication_role = replica; SET work_mem = '256MB'")
    await connection.execute(alerts_sql(ALERTS))
    await connection.execute(_CASES)
    await connection.execute("RESET session_replication_role")
    for name, unit in READERS.items():
        token = await create_token(connection, name, ["alerts:read", "tracks:read"], ends, unit)
        made[name] = token.secret
        await connection.execute(
            "INSERT INTO users (id, name, organisation, password_hash, created_by) VALUES ($1, $1, $2, '', 'bench')",
            name, unit,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO role_grants (user_id, role, organisation, valid_from, granted_by)"
            " VALUES ($1, $2, $3, now() - interval '1 d', 'bench')",
            name, "vehicle_office" if unit != "bench7" else "unit_administrator", unit,
        )  # fmt: skip
        session = await begin(connection, name, "password", Visit("127.0.0.1", "bench"), timedelta(hours=2))
        made[f"{name}, session"] = session.secret
    await _track(connection)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


async def _track(connection: Connection) -> None:
    """A month of the first vehicle."""
    archive, now = Archive(), time.time_ns() // 1000
    number = await connection.fetchval("SELECT no FROM terminals WHERE phone = $1", str(FIRST_PHONE))
    for day in range(_TRACK_DAYS):
        at = now - (_TRACK_DAYS + 1 - day) * US_PER_DAY + np.arange(_A_DAY, dtype=np.int64) * 10 * US_PER_S
        batch = PositionBatch.build(
            _A_DAY, terminal=number, received_us=at, device_us=at, lat_e6=31_000_000 + np.arange(_A_DAY) * 100,
            lon_e6=120_000_000, speed_dkmh=400, status=3,
        )  # fmt: skip
        await archive.ensure_partitions(connection, days_of(batch))
        async with connection.transaction():
            await archive.store(connection, batch)


class Reader:
    """Asks, and notes how long each answer took."""

    def __init__(self, made: System, found: Measured, headers: dict[str, str]) -> None:
        self._found = found
        self.http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{made.http_port}", headers=headers, timeout=60
        )

    async def get(self, what: str, path: str, **more: Any) -> httpx.Response:
        began = time.perf_counter()
        answer = (await self.http.get(path, **more)).raise_for_status()
        self._found.times.setdefault(what, []).append((time.perf_counter() - began) * 1e3)
        if answer.content.startswith(b'{"items":[]'):
            raise SystemExit(f"nothing was found: {what}")
        return answer

    async def ask(self, what: str, paths: Iterable[str]) -> None:
        for path in paths:
            await self.get(what, path)


async def _pull(made: System, found: Measured, token: str) -> None:
    """The feed from its beginning, one page after the other; then pages here and there."""
    reader = Reader(made, found, {"Authorization": f"Bearer {token}"})
    async with reader.http:
        began, entries, cursor = time.monotonic(), 0, make_cursor("feed", 0)
        while (spent := time.monotonic() - began) < _PULL_S:
            page = (
                (await reader.http.get(f"/v1/alerts/feed?limit=1000&cursor={cursor}"))
                .raise_for_status()
                .json()
            )
            entries, cursor = entries + len(page["items"]), page["next"]
        found.rate = entries / spent
        for share in (0.0, 0.5, 0.95):
            cursors = (make_cursor("feed", int(ALERTS * share) + k * 100) for k in range(_ASKED))
            await reader.ask(
                f"page of 100 of the feed, {share:.0%} deep",
                (f"/v1/alerts/feed?cursor={at}" for at in cursors),
            )


async def _lists(made: System, found: Measured, secrets: dict[str, str]) -> None:
    now = datetime.now(UTC)
    week = {
        "from": f"{now - timedelta(days=60):%Y-%m-%dT%H:%M:%SZ}",
        "to": f"{now - timedelta(days=53):%Y-%m-%dT%H:%M:%SZ}",
    }
    for who in READERS:
        reader = Reader(made, found, {"Authorization": f"Bearer {secrets[who]}"})
        async with reader.http:
            for name, query in _FILTERS.items():
                path = f"/v1/alerts?limit=50{query.format(**week)}"
                await reader.ask(f"alerts, {name}: {who}", repeat(path, _OF_A_LIST))
        reader = Reader(made, found, {"Cookie": f"{_COOKIE}={secrets[f'{who}, session']}"})
        async with reader.http:
            for name, query in _CASE_FILTERS.items():
                await reader.ask(f"cases, {name}: {who}", repeat(f"/v1/cases?limit=50{query}", _OF_A_LIST))


async def _tracks(made: System, found: Measured, token: str) -> None:
    reader = Reader(made, found, {"Authorization": f"Bearer {token}"})
    async with reader.http:
        for what, days, count in (("track of a day", 1, 20), ("track of a month", _TRACK_DAYS, 3)):
            until = datetime.now(UTC) - timedelta(hours=12)
            since = until - timedelta(days=days)
            query = f"from={since:%Y-%m-%dT%H:%M:%SZ}&to={until:%Y-%m-%dT%H:%M:%SZ}&purpose=benchmark"
            await reader.ask(what, repeat(f"/v1/vehicles/v0/track?{query}", count))


async def _follow(port: int, token: str, seen: dict[str, float], _stop: asyncio.Event) -> None:
    """Follow the stream; ``seen`` gets the monotonic time of each vehicle's first alert. Ends when it is cancelled."""
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client,
        client.stream("GET", "/v1/alerts/stream", params={"cursor": make_cursor("feed", ALERTS)}) as answer,
    ):
        async for line in answer.aiter_lines():
            if line.startswith("data: {") and '"vehicle"' in line:
                seen.setdefault(json.loads(line[6:])["vehicle"], time.monotonic())


async def _stream(made: System, found: Measured, token: str) -> None:
    """Vehicles drive out; seconds from the opening fix until the stream has brought the alert."""
    drivers = [Driver(k) for k in range(_DRIVERS)]
    for driver in drivers:
        await driver.connect(made.port)
    try:
        found.stream += await drive(made, drivers, token, _DRIVE_S, _follow)
    finally:
        for driver in drivers:
            driver.close()


async def _security(made: System, found: Measured) -> None:
    """The same lists as the owner of the tables and under the policies, straight from the database, in turn."""
    connection = await connect(made.dsn)
    everywhere, city = Reach(None, "token:bench"), Reach(frozenset({"city"}), "token:bench")

    async def ask(reach: Reach | None, filters: AlertFilter) -> None:
        async with connection.transaction(readonly=True):
            if reach is not None:
                await connection.execute(reach.sql())
            await list_alerts(connection, filters, limit=50)

    for _ in range(_ASKED):
        for what, reach in (("none", None), ("of all", everywhere), ("of a city", city)):
            began = time.perf_counter()
            await ask(reach, AlertFilter(rule="mileage"))
            spent = (time.perf_counter() - began) * 1e3
            found.times.setdefault(f"list in the database, row-level security: {what}", []).append(spent)
    await connection.close()


def _one() -> Measured:
    secrets: dict[str, str] = {}

    def prepare(dsn: str) -> None:
        asyncio.run(register(dsn, _DRIVERS))
        asyncio.run(_fill(dsn, secrets))

    found = Measured()
    with system(_FLEET, prepare=prepare, judge=True, api=True) as made:
        made.wait_judged()
        generator = Generator(
            made.port,
            terminals=RATE,
            window=1,
            seconds=3600,
            rate=RATE,
            core=None,
            known=True,
            step=1,
            back=behind_s(),
        )
        steps: list[Callable[[], Awaitable[None]]] = [
            lambda: _stream(made, found, secrets["an inspector of all"]),
            lambda: _pull(made, found, secrets["an inspector of all"]),
            lambda: _lists(made, found, secrets),
            lambda: _tracks(made, found, secrets["an inspector of all"]),
            lambda: _security(made, found),
        ]

        async def work() -> None:
            await asyncio.sleep(10)
            for step in steps:
                await step()

        try:
            asyncio.run(work())
            if generator.process.poll() is not None:
                raise SystemExit("the load ended before what was to be measured beside it")
        finally:
            generator.process.kill()
            generator.process.wait()
    return found


def run(options: argparse.Namespace) -> None:
    """Print what each took."""
    build()
    heading(f"The API over {ALERTS:,} alerts and {CASES:,} cases, beside {RATE:,} positions/s")
    runs = [_one() for _ in range(options.runs)]
    print(f"{options.runs} runs; medians of the runs' percentiles (min-max)\n")
    print(f"one reader pulls {spread([r.rate for r in runs])} entries/s of the feed\n")
    table(
        ["milliseconds", "requests", "p50", "p99"],
        [
            [what, f"{sum(len(r.times[what]) for r in runs)}"]
            + [spread([float(np.percentile(r.times[what], p)) for r in runs], 1) for p in (50, 99)]
            for what in runs[0].times
        ],
    )
    print()
    times = [r.stream for r in runs]
    table(
        ["seconds", "p50", "p99", "p99 asked"],
        [
            [
                "position to alert in the stream",
                *(spread([float(np.percentile(t, p)) for t in times], 3) for p in (50, 99)),
                "< 0.5",
            ]
        ],
    )
