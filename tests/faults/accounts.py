"""The exact accounts of a trial with a ``Crowd``: what was sent, replied to, counted, logged and stored, by columns.

The log may be the embedded one or Kafka. Other than ``audit`` it compares with no second run: it is for fleets and
times that are too large for that.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import asyncpg
import numpy as np

from runtime.arrays import Ints
from tests.faults.crowd import Crowd
from tests.faults.harness import Machine
from tests.faults.plan import STEP_S, Plan

_COLUMNS = ("lat_e6", "lon_e6", "altitude_m", "speed_dkmh", "direction_deg", "odometer_dkm")
_WIDTH = 2 + 12 * (2 + len(_COLUMNS))  # of a row of binary COPY: a count, and int8 columns with their lengths
_HEADER, _TRAILER = 19, 2


@dataclass
class Accounts:
    """What was found; ``wrong`` is empty when everything adds up. ``appended_again``: rows that the log has although
    nobody was told so, because an append was repeated whose outcome was not known."""

    sent: int = 0
    replied: int = 0
    logged: int = 0
    stored: int = 0
    duplicates: int = 0
    appended_again: int = 0
    lost: int = 0
    wrong: list[str] = field(default_factory=list)

    def expect(self, holds: bool, text: str) -> None:
        if not holds:
            self.wrong.append(text)


async def _stored(machine: Machine, plan: Plan) -> tuple[Ints, Ints, dict[str, Ints]]:
    """(terminal, row, columns) of every stored position; a row of -1 has a time that is not in the plan."""
    out = io.BytesIO()
    connection = await asyncpg.connect(machine.dsn)
    try:
        columns = ", ".join(f"p.{name}::bigint" for name in _COLUMNS)
        await connection.copy_from_query(
            f"SELECT t.phone::bigint, extract(epoch FROM p.device_time)::bigint, {columns}"  # noqa: S608 - constants
            " FROM positions p JOIN terminals t ON t.no = p.terminal_no",
            output=out, format="binary",
        )  # fmt: skip
    finally:
        await connection.close()
    raw = np.frombuffer(out.getvalue(), np.uint8)[_HEADER:-_TRAILER].reshape(-1, _WIDTH)
    table = [
        np.ascontiguousarray(raw[:, 6 + 12 * k : 14 + 12 * k]).view(">i8")[:, 0].astype(np.int64)
        for k in range(2 + len(_COLUMNS))
    ]
    row, odd = np.divmod(table[1] - plan.start_s, STEP_S)
    row[odd != 0] = -1
    return table[0] - int(plan.phone(0)), row, dict(zip(_COLUMNS, table[2:], strict=True))


async def reckon(machine: Machine, crowd: Crowd, *, strangers: int = 0) -> Accounts:
    """Everything against everything, after ``machine.settled``. ``strangers``: authentications of others than the crowd.

    Counters are those of the processes that live now: they must agree with what the log got since they started. A
    worker whose database died meanwhile does not know whether that commit was made, so its counters are not asked.
    """
    found, plan, ledger = Accounts(), crowd.plan, crowd.ledger
    shape = ledger.confirmed.shape
    found.sent, found.replied = int(ledger.sent.sum()), int(ledger.confirmed.sum())
    terminal, row, values = await _stored(machine, plan)
    inside = (terminal >= 0) & (terminal < shape[0]) & (row >= 0) & (row < shape[1])
    found.expect(bool(inside.all()), f"{int((~inside).sum())} rows that no terminal ever had")
    terminal, row = terminal[inside], row[inside]
    times = _counted(terminal, row, shape)
    found.stored = len(row)
    found.lost = int((ledger.confirmed & (times == 0)).sum())
    found.expect(not found.lost, f"{found.lost} positions were replied to and are not stored")
    found.expect(bool((times <= 1).all()), f"{int((times > 1).sum())} positions are stored more than once")
    found.expect(not ((ledger.sent == 0) & (times > 0)).any(), "positions are stored that were never sent")
    told = plan.columns(terminal, row)
    for name, column in values.items():
        wrong = int((column[inside] != told[name]).sum())
        found.expect(not wrong, f"{wrong} stored positions have another {name} than was sent")

    log = await machine.log.rows(plan)
    found.logged = len(log.row)
    found.duplicates = found.logged - found.stored
    logged = _counted(log.terminal, log.row, shape)
    found.expect(bool(((logged > 0) == (times > 0)).all()), "log and database do not have the same positions")
    await _counters(machine, crowd, found, log.at_us, strangers)
    found.wrong += ledger.wrong
    for program in machine.programs.values():
        found.wrong += program.odd_ends
    return found


def _counted(terminal: Ints, row: Ints, shape: tuple[int, ...]) -> Ints:
    return np.bincount(terminal * shape[1] + row, minlength=shape[0] * shape[1]).reshape(shape)


async def _counters(machine: Machine, crowd: Crowd, found: Accounts, at_us: Ints, strangers: int) -> None:
    life, gateway = machine.gateway.life, await machine.gateway.metrics()
    worker_life, worker = machine.worker.life, await machine.worker.metrics()
    if life is None or gateway is None or worker_life is None or worker is None:
        found.wrong.append("a process does not answer at the end")
        return
    decoded = round(gateway["gongche_gateway_positions_total"])
    confirmed = round(gateway["gongche_gateway_positions_confirmed_total"])
    found.expect(decoded == confirmed, f"{decoded} positions decoded, {confirmed} confirmed")
    refused = _sum(gateway, "gongche_gateway_rejects_total")
    found.expect(not refused, f"{refused} frames refused")
    logged = int((at_us >= life.since_us).sum())
    found.appended_again = logged - confirmed
    # A repeated append may stand twice in the log (Kafka). It may never be missing.
    failures = round(gateway["gongche_gateway_log_append_failures_total"])
    holds = logged >= confirmed if failures else logged == confirmed
    found.expect(holds, f"the gateway counts {confirmed} positions, the log has {logged} since it lives")
    sent, ledger = int(crowd.ledger.sent.sum()), crowd.ledger
    found.expect(confirmed <= sent, f"{confirmed} positions arrived, {sent} were sent")
    frames = {
        name: round(gateway.get(f'gongche_gateway_frames_total{{message="{name}"}}', 0))
        for name in ("0102", "0200", "0704")
    }
    offered = {"0102": ledger.authentications + strangers, "0200": ledger.reports, "0704": ledger.batches}
    whole = ledger.connects == len(crowd.offered)  # no line broke: nothing was lost on the way
    for name, count in frames.items():
        agrees = count == offered[name] if whole and name != "0102" else count <= offered[name]
        found.expect(agrees, f"{count} frames {name} arrived, {offered[name]} were sent")
    total = _sum(gateway, "gongche_gateway_frames_total")
    found.expect(total == sum(frames.values()), f"{total} frames in, of known kinds {frames}")
    if worker_life.database_deaths == machine.database_deaths and worker_life.since_offset == 0:
        stored = round(worker.get('gongche_worker_rows_total{result="stored"}', 0))
        twice = round(worker.get('gongche_worker_rows_total{result="duplicate"}', 0))
        found.expect(
            (stored, twice) == (found.stored, found.duplicates),
            f"the worker counts {stored} stored and {twice} duplicates; there are {found.stored} and {found.duplicates}",
        )


def _sum(metrics: dict[str, float], name: str) -> int:
    return round(sum(value for key, value in metrics.items() if key.startswith(name)))
