"""Backtests that people ask for over the API: the SQL of their tables. What runs them is in ``running``.

A job that runs holds an advisory lock of the database for as long as its process lives. So it is known to everybody, and at once,
when the process is gone, however it ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from rules.alerts.model import Measure
from rules.backtest.model import Kind, Row, Side
from runtime.connection import Connection, affected
from runtime.units import from_us

#: Days of one question, at most.
MOST_DAYS: Final = 92
#: Jobs that wait or run: of all, of one who asks; and how many run at a time.
MOST_OPEN, MOST_OWN, AT_ONCE = 20, 3, 1
#: Ended jobs are kept for so long, and so many.
KEPT_DAYS, MOST_KEPT = 30, 200
#: Names our locks among all advisory locks with two keys: of a job by its number, of a place to run in.
_JOBS: Final = 0x676F6274  # "gobt"
_PLACES: Final = 0x676F6270  # "gobp"

_SHOWN: Final = (
    "no, organisation, rule, parameters, fence, from_day, to_day, examples, state, cancel_asked, asked_by_name, asked_at, queued_at,"
    " started_at, ended_at, done, total, positions, pending, problem"
)
INTERRUPTED: Final = "运行它的进程已终止，未得出结果，可重新开始 · the process that ran it is gone; there is no result, start it again"


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks. ``fence``: a proposed fence as it was sent, with its id. ``to_day`` is the last day, included."""

    rule: str
    parameters: Mapping[str, int]
    organisation: str | None
    fence: dict[str, Any] | None
    from_day: date
    to_day: date
    examples: int


class QueueFullError(Exception):
    """Too many wait. ``own``: of the one who asks."""

    def __init__(self, *, own: bool) -> None:
        super().__init__("own" if own else "all")
        self.own = own


# --- asked, seen, cancelled: in a transaction that reaches what its subject reaches


async def ask(connection: Connection, asked: Asked, who: str, name: str) -> dict[str, Any]:
    """Put it into the queue; the job. Raises QueueFullError."""
    await _refuse_full(connection, who)
    row = await connection.fetchrow(
        "INSERT INTO backtests (organisation, rule, parameters, fence, from_day, to_day, examples, asked_by, asked_by_name)"  # noqa: S608 - our own names
        f" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING {_SHOWN}",
        asked.organisation, asked.rule, dict(asked.parameters), asked.fence, asked.from_day, asked.to_day, asked.examples, who, name,
    )  # fmt: skip
    return await _shown(connection, row)


async def _refuse_full(connection: Connection, who: str) -> None:
    everyone, own = await connection.fetchval("SELECT backtests_open($1)", who)
    if own >= MOST_OWN or everyone >= MOST_OPEN:
        raise QueueFullError(own=own >= MOST_OWN)


async def _shown(connection: Connection, row: Any) -> dict[str, Any]:
    ahead = None
    if row["state"] == "queued":
        ahead = await connection.fetchval("SELECT backtests_before($1, $2)", row["queued_at"], row["no"])
    return dict(row) | {"ahead": ahead}


async def find(connection: Connection, no: int) -> dict[str, Any] | None:
    """A job."""
    row = await connection.fetchrow(f"SELECT {_SHOWN} FROM backtests WHERE no = $1", no)  # noqa: S608 - our own names
    return None if row is None else await _shown(connection, row)


async def newest(connection: Connection, before: int | None, limit: int) -> list[dict[str, Any]]:
    """Jobs, the newest first."""
    rows = await connection.fetch(
        f"SELECT {_SHOWN} FROM backtests WHERE $1::bigint IS NULL OR no < $1 ORDER BY no DESC LIMIT $2",  # noqa: S608 - our own names
        before,
        limit,
    )
    return [await _shown(connection, row) for row in rows]


async def cancel(connection: Connection, no: int) -> bool:
    """End a job that waits at once, and one that runs soon; whether it had not ended."""
    done = await connection.execute(
        "UPDATE backtests SET cancel_asked = true, state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END,"
        " ended_at = CASE state WHEN 'queued' THEN clock_timestamp() END WHERE no = $1 AND state IN ('queued', 'running')",
        no,
    )
    return affected(done) > 0


async def restart(connection: Connection, no: int, who: str) -> bool:
    """Put a job that has no result into the queue again; False: it waits, runs or is done. Raises QueueFullError."""
    await _refuse_full(connection, who)
    done = await connection.execute(
        "UPDATE backtests SET state = 'queued', queued_at = clock_timestamp(), cancel_asked = false, started_at = NULL, ended_at = NULL,"
        " done = 0, total = 0, positions = 0, pending = NULL, problem = NULL"
        " WHERE no = $1 AND state IN ('failed', 'interrupted', 'cancelled')",
        no,
    )
    return affected(done) > 0


async def counts(connection: Connection, no: int) -> list[Any]:
    """Rows (organisation, kind, finding, subjects) of the units within reach."""
    return await connection.fetch(
        "SELECT organisation, kind, finding, sum(subjects)::integer AS subjects FROM backtest_counts WHERE backtest = $1"
        " GROUP BY 1, 2, 3 ORDER BY organisation NULLS LAST, kind, finding",
        no,
    )


async def examples(connection: Connection, no: int) -> list[Any]:
    """The first examples of each kind, of the units within reach."""
    return await connection.fetch(
        "SELECT kind, organisation, subject, vehicle, plate, driver, order_id, alert_id, finding, occurred_from, occurred_to, was, becomes"
        " FROM backtest_examples WHERE backtest = $1"
        " ORDER BY array_position(ARRAY['raised', 'withdrawn', 'changed'], kind), place",
        no,
    )


# --- run: as the owner of the tables


async def claim(connection: Connection) -> Any:
    """The job that comes next, which is this session's from now on until the session ends; None: there is none, or as many run as may.
    ``connection`` is in no transaction."""
    for place in range(AT_ONCE):
        if await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", _PLACES, place):
            break
    else:
        return None
    for no in await connection.fetch(
        "SELECT no FROM backtests WHERE state = 'queued' ORDER BY queued_at, no"
    ):
        # The lock comes first: what is said to run and has no lock was interrupted.
        if await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", _JOBS, _key(no["no"])):
            row = await connection.fetchrow(
                "UPDATE backtests SET state = 'running', started_at = clock_timestamp(), runs = runs + 1"
                " WHERE no = $1 AND state = 'queued' RETURNING *",
                no["no"],
            )
            if row is not None:
                return row
    return None


def _key(no: int) -> int:
    return no % 2**31


async def progressed(
    connection: Connection, no: int, done: int, total: int, positions: int, pending: int
) -> bool:
    """Note how far it is; False: it is to end."""
    return bool(
        await connection.fetchval(
            "UPDATE backtests SET done = $2, total = $3, positions = $4, pending = $5 WHERE no = $1 RETURNING NOT cancel_asked",
            no, done, total, positions, pending,
        )
    )  # fmt: skip


async def ended(connection: Connection, no: int, state: str, problem: str | None = None) -> None:
    """It has ended without a result."""
    await connection.execute(
        "UPDATE backtests SET state = $2, ended_at = clock_timestamp(), problem = $3 WHERE no = $1",
        no,
        state,
        problem,
    )


async def finished(
    connection: Connection,
    no: int,
    found: Counter[tuple[str | None, str | None, str, str]],
    first: Mapping[Kind, Sequence[Row]],
    findings: Mapping[str, str],
) -> None:
    """It is done. ``found``: subjects by (unit, secret vehicle, kind, finding, '' = all); ``first``: the examples; ``findings``: what the office found,
    by subject."""
    subjects = sorted({row.subject for rows in first.values() for row in rows})
    rule = await connection.fetchval("SELECT rule FROM backtests WHERE no = $1", no)
    alerts = dict(
        await connection.fetch(
            "SELECT subject, id FROM alerts WHERE rule = $1 AND subject = ANY($2::text[])", rule, subjects
        )
    )
    async with connection.transaction():
        await connection.execute("DELETE FROM backtest_counts WHERE backtest = $1", no)
        await connection.execute("DELETE FROM backtest_examples WHERE backtest = $1", no)
        await connection.executemany(
            "INSERT INTO backtest_counts (backtest, organisation, vehicle, kind, finding, subjects) VALUES ($1, $2, $3, $4, $5, $6)",
            [(no, *key, count) for key, count in found.items()],
        )
        placed = [
            (no, kind.value, place, row) for kind, rows in first.items() for place, row in enumerate(rows)
        ]
        await connection.executemany(
            "INSERT INTO backtest_examples (backtest, kind, place, organisation, subject, vehicle, plate, driver, order_id, alert_id,"
            " finding, occurred_from, occurred_to, was, becomes)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
            [
                (
                    no, kind, place, row.organisation, row.subject, row.vehicle, row.plate, row.driver, row.order,
                    alerts.get(row.subject), findings.get(row.subject),
                    None if row.from_us is None else from_us(row.from_us), None if row.to_us is None else from_us(row.to_us),
                    None if row.now is None else _side(row.now), _side(row.then),
                )
                for no, kind, place, row in placed
            ],
        )  # fmt: skip
        await connection.execute(
            "UPDATE backtests SET state = 'done', ended_at = clock_timestamp() WHERE no = $1", no
        )


def _side(side: Side) -> dict[str, Any]:
    return {
        "outcome": side.outcome, "reason_code": side.reason, "reason": side.told, "severity": side.severity,
        "measures": {name: _measure(measure) for name, measure in side.measures.items()},
    }  # fmt: skip


def _measure(measure: Measure) -> dict[str, Any]:
    return {"value": measure.value, "unit": measure.unit}


async def tend(connection: Connection) -> bool:
    """Say of jobs whose process is gone that they were interrupted, and delete what is old; whether a job waits and may run."""
    await connection.execute(
        "UPDATE backtests b SET state = 'interrupted', ended_at = clock_timestamp(), problem = $2 WHERE state = 'running'"
        " AND NOT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2"
        " AND l.classid::bigint = $1 AND l.objid::bigint = b.no % 2147483648"
        " AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))",
        _JOBS,
        INTERRUPTED,
    )
    await connection.execute(
        "DELETE FROM backtests WHERE state NOT IN ('queued', 'running') AND (ended_at < clock_timestamp() - $1::interval OR no <= (SELECT o.no"
        " FROM backtests o WHERE o.state NOT IN ('queued', 'running') ORDER BY o.no DESC OFFSET $2 LIMIT 1))",
        timedelta(days=KEPT_DAYS),
        MOST_KEPT,
    )
    row = await connection.fetchrow(
        "SELECT count(*) FILTER (WHERE state = 'queued') AS waiting, count(*) FILTER (WHERE state = 'running') AS running"
        " FROM backtests WHERE state IN ('queued', 'running')"
    )
    return bool(row["waiting"]) and row["running"] < AT_ONCE
