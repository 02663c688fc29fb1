"""What the office found, where it belongs: a label on each alert of the case, and a task where the data were wrong."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from office.supervision.actors import Actor, persons_for, reach_of
from office.supervision.cases import new_id, now_of
from office.supervision.contents import Finding
from office.supervision.states import Case, Event
from runtime.connection import Connection
from runtime.errors import DeclinedError, NotThereError
from runtime.units import from_us

#: Labels that a backtest takes, at most.
MAX_LABELS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Label:
    """What the office found about an alert. ``month``: of its beginning in China, ``2026-03``."""

    alert: str
    subject: str
    organisation: str
    month: str
    finding: str


async def write_findings(connection: Connection, id: str, case: Case, event: Event, person: str) -> None:
    """After ``person`` has closed a case, in its transaction."""
    body = event.body
    alerts = case.contents.get("alerts", ())
    await connection.execute(
        "INSERT INTO alert_labels (alert_id, case_id, organisation, finding, cause, person, at)"
        " SELECT a.id, $2, a.organisation, $3, $4, $5, $6 FROM alerts a WHERE a.id = ANY($1::text[]) ORDER BY a.id",
        list(alerts), id, body["finding"], body.get("cause"), person, event.at,
    )  # fmt: skip
    if body["finding"] == Finding.DATA:
        subject = body.get("subject") or case.contents.get("vehicle") or case.contents["title"]
        await connection.execute(
            "INSERT INTO tasks (id, organisation, kind, subject, case_id, opened_at) VALUES ($1, $2, $3, $4, $5, $6)",
            new_id(), case.organisation, body["cause"], subject, id, event.at,
        )  # fmt: skip


async def drop_tasks(connection: Connection, id: str, event: Event, person: str) -> None:
    """After a case was reopened: what its finding had put right stands no more, so nobody need do it."""
    await connection.execute(
        "UPDATE tasks SET done_at = $2, done_by = $3, note = $4 WHERE case_id = $1 AND done_at IS NULL",
        id, event.at, person, "督办单已重新办理，原结论作废 · the case was reopened, its finding stands no more",
    )  # fmt: skip


async def labels_of(connection: Connection, alerts: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """The labels of each of ``alerts`` that has some, newest first: finding, cause, case, its number, when, and whether it
    stands: the case is closed, has found nothing else since, and does not wait for a decision because the alert was withdrawn (None: the
    case is not to be seen)."""
    rows = await connection.fetch(
        "SELECT l.alert_id, l.finding, l.cause, l.case_id AS case, c.number AS case_no, l.at,"
        " c.state = 'closed' AND NOT EXISTS (SELECT FROM case_links k WHERE k.case_id = l.case_id AND k.kind = 'alert'"
        " AND k.ref = l.alert_id AND k.doubted) AND NOT EXISTS (SELECT FROM alert_labels n"
        " WHERE n.alert_id = l.alert_id AND n.case_id = l.case_id AND n.id > l.id) AS stands FROM alert_labels l"
        " LEFT JOIN cases c ON c.id = l.case_id WHERE l.alert_id = ANY($1::text[]) ORDER BY l.id DESC",
        sorted(alerts),
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        label = dict(row)
        found.setdefault(label.pop("alert_id"), []).append(label)
    return found


async def labels_between(
    connection: Connection, rule: str, since_us: int, until_us: int, units: Collection[str] | None = None
) -> list[Label]:
    """The newest label that stands of each alert of ``rule`` that began in [since, until), of ``units`` (None = all). While a
    case is open again its labels say nothing; nor does that of an alert that was withdrawn after the closing, until somebody has decided."""
    rows = await connection.fetch(
        "SELECT DISTINCT ON (a.id) a.id, a.subject, a.organisation, l.finding,"
        " to_char(a.occurred_from AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM') AS month"
        " FROM alerts a JOIN alert_labels l ON l.alert_id = a.id JOIN cases c ON c.id = l.case_id AND c.state = 'closed'"
        " WHERE a.rule = $1 AND a.occurred_from >= $2 AND a.occurred_from < $3"
        " AND ($4::text[] IS NULL OR a.organisation = ANY($4::text[])) AND NOT EXISTS (SELECT FROM case_links k"
        " WHERE k.case_id = l.case_id AND k.kind = 'alert' AND k.ref = a.id AND k.doubted) ORDER BY a.id, l.id DESC LIMIT $5",
        rule, from_us(since_us), from_us(until_us), None if units is None else sorted(units), MAX_LABELS,
    )  # fmt: skip
    return [Label(r["id"], r["subject"], r["organisation"], r["month"], r["finding"]) for r in rows]


async def list_tasks(
    connection: Connection,
    actor: Actor,
    *,
    done: bool | None,
    limit: int,
    after: tuple[datetime, str] | None = None,
) -> list[dict[str, Any]]:
    """Tasks of the caller's units, newest first."""
    units = await reach_of(connection, actor.subject, "cases:read")
    rows: Sequence[Any] = await connection.fetch(
        "SELECT id, organisation, kind, subject, case_id AS case, opened_at, done_at, note FROM tasks"
        " WHERE ($1::text[] IS NULL OR organisation = ANY($1::text[]))"
        " AND ($2::boolean IS NULL OR (done_at IS NOT NULL) = $2)"
        " AND ($3::timestamptz IS NULL OR opened_at < $3 OR opened_at = $3 AND id > $4) ORDER BY opened_at DESC, id LIMIT $5",
        units, done, None if after is None else after[0], None if after is None else after[1], limit,
    )  # fmt: skip
    return [dict(row) | {"state": "open" if row["done_at"] is None else "done"} for row in rows]


async def count_open_tasks(connection: Connection, actor: Actor, most: int) -> int:
    """How many of them are open; of more than ``most``, one more than that."""
    units = await reach_of(connection, actor.subject, "cases:read")
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM (SELECT FROM tasks WHERE done_at IS NULL AND ($1::text[] IS NULL OR organisation = ANY($1::text[]))"
            " LIMIT $2) f",
            units,
            most + 1,
        )
    )


async def finish_task(connection: Connection, actor: Actor, id: str, note: str) -> dict[str, Any]:
    """The data are right now."""
    units = await reach_of(connection, actor.subject, "cases:read")
    row = await connection.fetchrow("SELECT organisation, done_at FROM tasks WHERE id = $1 FOR UPDATE", id)
    if row is None or (units is not None and row["organisation"] not in units):
        raise NotThereError(f"没有这项任务 · no such task: {id}")
    await persons_for(connection, actor, row["organisation"], "cases:draft", "cases:close", "registry:write")
    if row["done_at"] is not None:
        raise DeclinedError("task-done", "任务已完成 · the task is done already")
    done = await connection.fetchrow(
        "UPDATE tasks SET done_at = $2, done_by = $3, note = $4 WHERE id = $1"
        " RETURNING id, organisation, kind, subject, case_id AS case, opened_at, done_at, note",
        id, await now_of(connection), actor.person, note,
    )  # fmt: skip
    return dict(done) | {"state": "done"}
