"""Gateway and worker together, as processes, under valid frames of odd content; after every second it is asked whether the position
of a canary was replied to, stored and judged.

    python -m tests.faults.fuzz --seconds 3600        (make fuzz)

The canary is a terminal like all others. At the end no process may have ended by itself, nothing may be in the quarantine, and the
accounts must be exact: every position that the gateway confirmed was stored, or was there already.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
import numpy as np

from simulation.terminal.reports import encode_reports
from tests.faults.fleet import FleetPlan, code_of, version_of
from tests.faults.harness import Machine, machine
from tests.faults.odd_frames import OddFrames
from tests.integration.terminal_client import Terminal

#: How long a position of the canary may take from its reply to its commit, if nobody says otherwise. On a busy machine seconds are
#: nothing; a partition that stands still takes for ever.
PATIENCE_S: Final = 60.0
#: Messages that one terminal sends before it reads the replies.
BURST: Final = 20
#: A terminal says farewell and comes back after so many bursts.
BURSTS: Final = 40


@dataclass
class Found:
    """What came of it. ``wrong`` is empty when all was well."""

    seconds: int = 0
    messages: int = 0
    worst_s: float = 0.0
    stored: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.seconds} s, {self.messages} messages of odd content, {self.stored} positions stored,"
            f" canary at most {self.worst_s:.2f} s late, {len(self.wrong)} faults"
        )


async def fuzz(seconds: float, seed: int, terminals: int, patience_s: float = PATIENCE_S) -> Found:
    """Do it for so many seconds with so many noisy terminals, and wait so long for each position of the canary."""
    found, plan = Found(), FleetPlan(terminals + 1, 1, int(datetime.now(UTC).timestamp()) - 60)
    async with machine(plan) as made:
        stop = asyncio.Event()
        noise = [
            asyncio.create_task(_noise(made, plan, number, seed, stop, found))
            for number in range(1, terminals + 1)
        ]
        try:
            await _canary(made, plan, seconds, patience_s, found)
        finally:
            stop.set()
            ended = await asyncio.gather(*noise, return_exceptions=True)
        found.wrong += [f"a noisy terminal: {error!r}" for error in ended if isinstance(error, BaseException)]
        await _audit(made, found)
    return found


async def _online(made: Machine, plan: FleetPlan, number: int) -> Terminal:
    terminal = await Terminal.connect(made.port, plan.phone(number), version_of(number))
    if await terminal.authenticate(code_of(terminal.phone).decode()) != 0:
        raise AssertionError(f"terminal {number} may not come in")
    return terminal


async def _noise(
    made: Machine, plan: FleetPlan, number: int, seed: int, stop: asyncio.Event, found: Found
) -> None:
    odd = OddFrames(seed * 1_000 + number)
    while not stop.is_set():
        terminal = await _online(made, plan, number)
        reading = asyncio.create_task(_swallow(terminal))
        try:
            for _ in range(BURSTS):
                for _ in range(BURST):
                    terminal.send(*odd.message())
                    found.messages += 1
                await terminal.writer.drain()
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), 0.25)  # time: about 80 messages a second
                if stop.is_set() or reading.done():
                    break
        except ConnectionError:
            pass  # the gateway may refuse a line; it must let us in again
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await terminal.close()


async def _swallow(terminal: Terminal) -> None:
    with suppress(ConnectionError):
        while await terminal.reader.read(65_536):
            pass


async def _canary(made: Machine, plan: FleetPlan, seconds: float, patience_s: float, found: Found) -> None:
    """A position each second: replied to, stored, and the vehicle's state has it."""
    canary = await _online(made, plan, 0)
    connection = await asyncpg.connect(made.dsn)
    begun, said = time.monotonic(), int(time.time())
    drift = random.Random(0)
    try:
        while (now := time.monotonic()) - begun < seconds:
            said = max(said + 1, int(time.time()))
            at = datetime.fromtimestamp(said, UTC)
            if await canary.ask(0x0200, _usual(said, drift.randrange(1_000))) != 0:
                found.wrong.append(f"{at}: the canary's position was refused")
            while not await _judged(connection, at):
                if time.monotonic() - now > patience_s:
                    found.wrong.append(f"{at}: not stored and judged after {patience_s:g} s")
                    return
                await asyncio.sleep(0.02)
            found.worst_s = max(found.worst_s, time.monotonic() - now)
            found.seconds += 1
            if ends := [end for program in made.programs.values() for end in program.odd_ends]:
                found.wrong += ends
                return
            await asyncio.sleep(max(0.0, 1.0 - (time.monotonic() - now)))  # time: one a second
    finally:
        await canary.close()
        await connection.close()


def _usual(said_s: int, k: int) -> bytes:
    one = np.array([1])
    return encode_reports(
        one * said_s, 31_000_000 + one * k, one * 121_000_000, altitude_m=one * 5, speed_dkmh=one * 0,
        direction_deg=one * 90, status=one * 3, odometer_dkm=one * 1_000,
    )[0]  # fmt: skip


async def _judged(connection: Any, at: datetime) -> bool:
    """Whether the canary's position of ``at`` is stored and in its vehicle's state."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM positions p JOIN terminal_bindings b USING (terminal_no)"
            " JOIN vehicles v ON v.no = b.vehicle_no JOIN vehicle_states s ON s.vehicle_no = v.no"
            " WHERE v.id = 'v0' AND p.device_time = $1 AND s.watermark >= $1)",
            at,
        )
    )


async def _audit(made: Machine, found: Found) -> None:
    """Nothing ended by itself, nothing was set aside, the accounts are exact."""
    await made.settled(computed=False)  # the noisy ones rest before they are computed once more
    gateway, worker = await made.gateway.metrics(), await made.worker.metrics()
    connection = await asyncpg.connect(made.dsn)
    try:
        for table in ("quarantine", "rejected_records"):
            if count := await connection.fetchval(f"SELECT count(*) FROM {table}"):  # noqa: S608 - our own names
                found.wrong.append(f"{count} rows in {table}")
        off = await connection.fetch(
            "SELECT vehicle_no, error FROM recomputations WHERE retry_at IS NOT NULL"
        )
        found.wrong += [f"vehicle {row['vehicle_no']} put off: {row['error']}" for row in off]
        found.stored = await connection.fetchval("SELECT count(*) FROM positions")
    finally:
        await connection.close()
    found.wrong += [end for program in made.programs.values() for end in program.odd_ends]
    if gateway is None or worker is None:
        found.wrong.append("no metrics at the end")
        return
    rows = {
        r: round(worker[f'gongche_worker_rows_total{{result="{r}"}}'])
        for r in ("stored", "duplicate", "quarantined")
    }
    confirmed = round(gateway["gongche_gateway_positions_confirmed_total"])
    if sum(rows.values()) != confirmed or rows["stored"] != found.stored:
        found.wrong.append(f"confirmed {confirmed}, {rows}, in the table {found.stored}")
    if faults := {k: v for k, v in worker.items() if k.startswith("gongche_worker_faults_total") and v}:
        found.wrong.append(f"{faults}\n{made.worker.last_words()}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run it from the command line; 1 when anything was wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--terminals", type=int, default=20)
    parser.add_argument(
        "--patience",
        type=float,
        default=PATIENCE_S,
        help="seconds for a position of the canary (%(default)s)",
    )
    args = parser.parse_args(argv)
    print(f"seed {args.seed}", file=sys.stderr)
    found = asyncio.run(fuzz(args.seconds, args.seed, args.terminals, args.patience))
    print(found, *found.wrong, sep="\n")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
