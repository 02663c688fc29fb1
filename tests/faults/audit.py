"""The exact audit: what was replied to against the log, the database, the counters, and an undisturbed run."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import numpy as np

from rules.judge.process import Judge
from rules.judge.subjects.destinations import Destinations
from rules.live.process import Worker
from rules.navigation import NoNavigator
from rules.tracks.state import FIELDS, STATE_DTYPE
from runtime.arrays import Ints
from runtime.migrations import migrate
from runtime.postgres import connect, create_pool
from telemetry.log.base import POSITIONS, Record
from telemetry.log.codec import HEADERS, encode
from telemetry.log.sqlite import EmbeddedLogReader, EmbeddedLogWriter
from tests.faults.harness import LEFT, Life, Machine
from tests.faults.load import Load
from tests.faults.log import Logged
from tests.faults.plan import STEP_S, Plan

_COLUMNS = ("lat_e6", "lon_e6", "altitude_m", "speed_dkmh", "direction_deg", "odometer_dkm")
_ROWS_PER_RECORD = 2_000


class HasDatabase(Protocol):
    """Whatever was disturbed: its database is what counts."""

    dsn: str


@dataclass
class Audit:
    """What was found. ``wrong`` is empty when everything holds; the rest are figures for people."""

    offered: int = 0
    replied: int = 0
    stored: int = 0
    unconfirmed_arrived: int = 0
    lost: int = 0
    duplicate_rows: int = 0
    repeated: int = 0  # rows of the log that were there already
    lives_checked: int = 0
    alerts: int = 0
    evaluations: int = 0
    wrong: list[str] = field(default_factory=list)

    def expect(self, holds: bool, text: str) -> None:
        if not holds:
            self.wrong.append(text)


async def audit_round(machine: Machine, load: Load, rows: slice) -> tuple[Audit, Ints, Ints]:
    """Check the reports ``rows`` (of every terminal) after ``machine.settled()``. Also the stored ones, as
    (terminal, row)."""
    found, plan = Audit(), load.plan
    sent, confirmed = load.ledger.sent[:, rows] > 0, load.ledger.confirmed[:, rows]
    found.offered, found.replied = confirmed.size, int(confirmed.sum())
    terminal, row, values = await _stored(machine.dsn, plan, rows)
    inside = (row >= rows.start) & (row < rows.stop) & (terminal >= 0) & (terminal < plan.terminals)
    found.expect(bool(inside.all()), f"{int((~inside).sum())} rows that no terminal ever had")
    terminal, row = terminal[inside], row[inside]
    times = np.zeros(confirmed.shape, np.int64)
    np.add.at(times, (terminal, row - rows.start), 1)
    found.stored, found.duplicate_rows = int((times > 0).sum()), int((times - 1).clip(0).sum())
    found.lost = int((confirmed & (times == 0)).sum())
    found.unconfirmed_arrived = int((~confirmed & (times > 0)).sum())
    found.expect(not found.lost, f"{found.lost} positions were replied to and are not stored")
    found.expect(not found.duplicate_rows, f"{found.duplicate_rows} positions are stored more than once")
    found.expect(not (~sent & (times > 0)).any(), "positions are stored that were never sent")
    told = plan.columns(terminal, row)
    for name in _COLUMNS:
        wrong = int((values[name][inside] != told[name]).sum())
        found.expect(not wrong, f"{wrong} stored positions have another {name} than was sent")
    log = await machine.log.rows(plan)
    of_round = (log.row >= rows.start) & (log.row < rows.stop)
    logged = Counter(zip(log.terminal[of_round].tolist(), log.row[of_round].tolist(), strict=True))
    keys = set(zip(terminal.tolist(), row.tolist(), strict=True))
    found.repeated = logged.total() - len(logged)
    found.expect(logged.keys() == keys, f"log and database differ in {len(logged.keys() ^ keys)} positions")
    found.wrong += load.ledger.wrong
    load.ledger.wrong.clear()
    for program in machine.programs.values():
        found.wrong += program.odd_ends
        program.odd_ends.clear()
    await _audit_counters(machine, log, found)
    return found, terminal, row


async def _stored(dsn: str, plan: Plan, rows: slice) -> tuple[Ints, Ints, dict[str, Ints]]:
    connection = await asyncpg.connect(dsn)
    try:
        records = await connection.fetch(
            f"SELECT t.phone::bigint, extract(epoch FROM p.device_time)::bigint AS s, {', '.join(_COLUMNS)}"  # noqa: S608 - constants
            " FROM positions p JOIN terminals t ON t.no = p.terminal_no"
            " WHERE p.device_time >= to_timestamp($1) AND p.device_time < to_timestamp($2)",
            plan.start_s + rows.start * STEP_S, plan.start_s + rows.stop * STEP_S,
        )  # fmt: skip
    finally:
        await connection.close()
    table = np.array([tuple(r) for r in records], np.int64).reshape(-1, 2 + len(_COLUMNS))
    row, odd = np.divmod(table[:, 1] - plan.start_s, STEP_S)
    row[odd != 0] = -1
    values = {name: table[:, 2 + k] for k, name in enumerate(_COLUMNS)}
    return table[:, 0] - int(plan.phone(0)), row, values


async def _audit_counters(machine: Machine, logged: Logged, found: Audit) -> None:
    """Counters of the processes as they live now against the log: every row counted, once. Over Kafka neither says who of
    several appended or took what, an append may stand twice in the log, and nobody knows what those who died had
    counted: there the counters must not claim more than the log has."""
    over_kafka = machine.cluster is not None
    gateways = await _counted(machine, found, "gateway", "gongche_gateway_positions_confirmed_total")
    workers = await _counted(machine, found, "worker", "gongche_worker_rows_total")
    if gateways is not None:
        confirmed, lives = gateways
        since_us = min(life.since_us for life in lives)
        _same(found, "gateway", confirmed, int((logged.at_us >= since_us).sum()), at_most=over_kafka)
    if workers is not None:
        counted, lives = workers
        if over_kafka:
            _same(found, "worker", counted, len(logged.row), at_most=True)
        elif lives[0].since_offset is not None and lives[0].database_deaths == machine.database_deaths:
            # (Whether a commit that PostgreSQL died in was made, its client cannot know: it does not count it.)
            _same(found, "worker", counted, int((logged.offset >= lives[0].since_offset).sum()))


async def _counted(
    machine: Machine, found: Audit, command: str, name: str
) -> tuple[float, list[Life]] | None:
    """(sum of the counter over all of the kind, their lives); None when one does not answer."""
    total, lives = 0.0, []
    for program in machine.all_of(command):
        life, metrics = program.life, await program.metrics()
        if life is None or metrics is None:
            found.wrong.append(f"the {program.name} does not answer at the end of the round")
            return None
        refused = sum(v for k, v in metrics.items() if k.startswith("gongche_gateway_rejects_total"))
        found.expect(not refused, f"the {program.name} refused {refused:.0f} frames")
        total += sum(v for k, v in metrics.items() if k.startswith(name))
        lives.append(life)
    return total, lives


def _same(found: Audit, name: str, counted: float, logged: int, *, at_most: bool = False) -> None:
    found.lives_checked += 1
    found.expect(
        round(counted) <= logged if at_most else round(counted) == logged,
        f"the {name} counts {counted:.0f} positions, the log has {logged} since it lives",
    )


# --- the undisturbed run ----------------------------------------------------------------------------------------------


class Reference:
    """The same fleet in a second database, with a worker in this process that nobody disturbs. No judge runs in either: what
    is settled is judged at the end."""

    def __init__(self, plan: Plan, dsn: str, log: Path) -> None:
        self._plan, self._dsn, self._log = plan, dsn, log

    async def feed(self, terminal: Ints, row: Ints) -> None:
        """Positions in order of time, each once, and wait until they are judged."""
        order = np.lexsort((terminal, row))
        terminal, row = terminal[order], row[order]
        writer = EmbeddedLogWriter(self._log)
        await writer.start()
        received_us = (self._plan.start_s + self._plan.rows * STEP_S) * 1_000_000
        for at in range(0, len(row), _ROWS_PER_RECORD):
            part = slice(at, at + _ROWS_PER_RECORD)
            batch = self._plan.batch(terminal[part] + 1, terminal[part], row[part], received_us)
            await writer.append([Record(POSITIONS, 0, encode(batch), HEADERS)])
        await writer.close()
        pool = await create_pool(self._dsn)
        reader = EmbeddedLogReader(self._log, POSITIONS)
        await reader.start()
        stop = asyncio.Event()
        running = asyncio.create_task(Worker(pool, reader).run(stop))
        try:
            end = (await reader.end_offsets())[0]
            async with asyncio.timeout(120):
                while (
                    await pool.fetchval("SELECT next_offset FROM log_offsets") or 0
                ) < end or await pool.fetchval(LEFT):
                    if running.done():
                        running.result()
                    await asyncio.sleep(0.05)
        finally:
            stop.set()
            await asyncio.gather(running, return_exceptions=True)
            await reader.close()
            pool.terminate()

    async def compare(self, machine: HasDatabase, found: Audit) -> None:
        """Put every difference between the two databases into ``found``, once the orders are judged in both."""
        for dsn in (machine.dsn, self._dsn):
            judge = Judge(dsn, [Destinations()], NoNavigator())
            while await judge.turn():
                pass
            await judge.close()
        for name, query in _COMPARED.items():
            ours, theirs = await _rows(machine.dsn, query), await _rows(self._dsn, query)
            if name == "standing alerts":
                found.alerts = len(ours)
            elif name == "judgements of orders":
                found.evaluations = len(ours)
            missing, extra = theirs.keys() - ours.keys(), ours.keys() - theirs.keys()
            differing = [key for key in ours.keys() & theirs.keys() if ours[key] != theirs[key]]
            if missing or extra or differing:
                text = f"{name}: {len(missing)} missing, {len(extra)} too many, {len(differing)} differ"
                for key in sorted([*missing, *extra, *differing], key=str)[:3]:
                    text += (
                        f"\n  {key}: undisturbed {_short(theirs.get(key))}, disturbed {_short(ours.get(key))}"
                    )
                    if name == "vehicle states" and key in ours and key in theirs:
                        text += f"\n    {_state_difference(theirs[key], ours[key])}"
                found.wrong.append(text)


#: What must be equal, by key: everything that is not an id of ours or a time of our clock. A withdrawn alert is the
#: trace of what came late (its episode was seen otherwise for a while), and is no result. Nor is that of an order that
#: goes on and got no fix: it is there when somebody asked for it, such as a late row of the order before it.
_COMPARED = {
    "vehicle states": "SELECT vehicle_no AS key, state, state_version, watermark, last_lat_e6, last_lon_e6, last_fix_at"
    " FROM vehicle_states",
    "day states": "SELECT vehicle_no || ' ' || day AS key, state FROM vehicle_day_states",
    "results of orders": "SELECT order_id AS key, order_version, state, mileage_mm, bridged_mm, odometer_m, fixes,"
    " first_fix_at, last_fix_at, destinations::text, returned_at FROM order_results"
    " WHERE fixes > 0 OR state = 'settled'",
    "standing alerts": "SELECT a.rule || ' ' || a.vehicle || ' ' || a.occurred_from || ' ' || COALESCE(a.order_id, '')"
    " AS key, (v.body - 'id' - 'version' - 'detected_at' - 'evidence_hash' - 'evidence_sm3')::text AS body"
    " FROM alerts a JOIN alert_versions v ON v.alert_id = a.id AND v.version = a.version WHERE a.status = 'suspected'",
    "judgements of orders": "SELECT DISTINCT ON (rule, subject) rule || ' ' || subject AS key, outcome, reason_code,"
    " measures::text, parameters::text FROM evaluations WHERE subject LIKE 'order:%' ORDER BY rule, subject, id DESC",
}


async def _rows(dsn: str, query: str) -> dict[Any, tuple[Any, ...]]:
    connection = await connect(dsn)
    try:
        return {r["key"]: tuple(r)[1:] for r in await connection.fetch(query)}
    finally:
        await connection.close()


def _short(value: object) -> str:
    return str(value)[:600]


def _state_difference(undisturbed: tuple[Any, ...], disturbed: tuple[Any, ...]) -> str:
    one, two = (np.frombuffer(row[0], STATE_DTYPE)[0] for row in (undisturbed, disturbed))
    return ", ".join(
        f"{half}.{name}: {one[half][name]} / {two[half][name]}"
        for half in ("base", "tip")
        for name in FIELDS
        if one[half][name] != two[half][name]
    )


@asynccontextmanager
async def reference(machine: Machine, plan: Plan) -> AsyncIterator[Reference]:
    """A second database on the machine's server, with the fleet of ``plan``."""
    connection = await asyncpg.connect(machine.dsn)
    await connection.execute("CREATE DATABASE undisturbed")
    await connection.close()
    dsn = urlunsplit(urlsplit(machine.dsn)._replace(path="/undisturbed"))
    await migrate(dsn)
    connection = await connect(dsn)
    await plan.register(connection)
    await connection.close()
    yield Reference(plan, dsn, machine.folder / "undisturbed" / "log.sqlite")
