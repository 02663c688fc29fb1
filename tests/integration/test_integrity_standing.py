"""Cases and alerts as they stand beside the chains: what the program writes is what threads come to, and whatever is changed is named."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from office.integrity.comparing import Report
from office.integrity.verifying import verify_chains
from office.supervision import cases, findings
from office.supervision.cases import Clocks, Entry, LinkedAlert
from office.supervision.states import OVER, Case, Event, State, Step, advance, begin, steps_of
from runtime.connection import Connection
from tests.faults.tampering import KEPT
from tests.integration.test_api_service import judgement, publish

CASES = 24
_BODIES: dict[Step, dict[str, Any]] = {
    Step.CLOSE: {"finding": "violation"},
    Step.ASK_EXTENSION: {"due_on": "2026-04-01"},
}


def contents(dice: random.Random, alerts: list[str]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "organisation": dice.choice(["finance", "school"]), "source": dice.choice(["joint", "commission"]), "level": "general",
        "title": f"核实用车 {dice.randrange(99)}", "alerts": alerts, "orders": ["order-1"] * dice.randrange(2),
    }  # fmt: skip
    more: dict[str, Any] = {"vehicle": "car-1", "external_no": "市〔2026〕1号", "complaint": "c-1"}
    return body | {name: value for name, value in more.items() if dice.random() < 0.5}


def body_of(dice: random.Random, case: Case, step: Step, id: str) -> dict[str, Any]:
    if step is Step.EDIT:
        return contents(dice, list(case.contents["alerts"]))
    if step is Step.ISSUE:
        return {"number": f"督〔2026〕{id}-{case.version}"}
    if step is Step.GRANT:
        return {"organisation": "other"} if case.state is State.REFUSED else {"due_on": "2026-04-01"}
    if step in (Step.ALERT_WITHDRAWN, Step.ALERT_CHANGED):
        return {"alert": dice.choice([*case.contents["alerts"], "a"])}
    return dict(_BODIES.get(step, {}))


async def a_case(
    connection: Connection, dice: random.Random, clocks: Clocks, alerts: list[str], at: datetime
) -> None:
    """A case as supervision writes it: any way through the table of steps."""
    event = Event(1, Step.DRAFT, at, frozenset({"user:1"}), contents(dice, alerts))
    id, case = await cases.begin_case(connection, Entry(event, "张三"), clocks), begin(event)
    await cases.link(connection, id, event.body)
    for _ in range(dice.randrange(14)):
        # Notes and the like are many in the table; a thread shall get somewhere.
        step = dice.choice([step for step in steps_of(case.state) if step not in (Step.CANCEL, Step.ATTACH)])
        event = Event(
            case.version + 1, step, at + timedelta(hours=case.version), frozenset({"user:2"}), body_of(dice, case, step, id)
        )  # fmt: skip
        after = advance(case, event)
        await cases.append(connection, id, after, Entry(event, "李四"), clocks)
        if step is Step.EDIT:
            await cases.link(connection, id, event.body)
        elif (case.state in OVER) != (after.state in OVER):
            await cases.set_links_open(connection, id, after.state)
        if step is Step.CLOSE:
            await findings.write_findings(connection, id, after, event, "user:2")
        elif step in (Step.STANDS, Step.REOPEN):
            await cases.end_doubt(connection, id)
        elif step in (Step.ALERT_WITHDRAWN, Step.ALERT_CHANGED):
            told = [
                LinkedAlert(ref, 1, ref in after.withdrawn_alerts, newer=False)
                for ref in case.contents["alerts"]
            ]
            await cases.note_alerts(connection, id, after, told)
        case = after


async def build(pool: asyncpg.Pool, seed: int) -> None:
    dice = random.Random(seed)
    written = await publish(pool, *(judgement(f"order:o{k}:0", 3000 + k) for k in range(CASES)))
    alerts = [alert.id for alert in written]
    async with pool.acquire() as connection, connection.transaction():
        clocks = await cases.load_clocks(connection)
        began = datetime(2026, 3, 1, tzinfo=UTC)
        for k in range(CASES):
            # Now and then an alert was in a case before, which is over: then a newer one has it.
            mine = [alerts[k], alerts[(k * 7) % CASES]]
            taken = {one[0] for one in await cases.in_open_cases(connection, mine)}
            await a_case(
                connection,
                dice,
                clocks,
                sorted({*mine} - taken),
                began + timedelta(minutes=dice.randrange(99)),
            )


async def verified(connection: Connection) -> Report:
    return await verify_chains(connection, KEPT, only=["alerts", "case_events"])


async def test_what_supervision_writes_stands_and_each_change_of_it_is_named(pool: asyncpg.Pool) -> None:
    seed = random.randrange(10**6)
    await build(pool, seed)
    async with pool.acquire() as connection:
        states = await connection.fetch("SELECT DISTINCT state FROM cases")
        assert len(states) > 3, f"seed {seed}"
        report = await verified(connection)
        assert report.findings == [], f"seed {seed}"
        columns = {
            "organisation": "organisation || '.'", "number": "COALESCE(number, '') || '.'", "version": "version + 1",
            "state": "CASE state WHEN 'closed' THEN 'working' ELSE 'closed' END", "finding": "COALESCE(finding, '') || '.'",
            "reminders": "reminders + 1", "announced": "NOT announced", "created_at": "created_at - interval '1 us'",
            "issued_at": "now()", "source": "source || '.'", "level": "level || '.'", "title": "title || '.'",
            "vehicle": "COALESCE(vehicle, '') || '.'", "external_no": "COALESCE(external_no, '') || '.'",
            "proposal": "CASE WHEN proposal IS NULL THEN 'cancel' END",
        }  # fmt: skip
        ids = [row["id"] for row in await connection.fetch("SELECT id FROM cases ORDER BY random()")]
        alert = await connection.fetchval("SELECT ref FROM case_links WHERE kind = 'alert' LIMIT 1")
        link = "FROM case_links WHERE (case_id, kind, ref) = (SELECT case_id, kind, ref FROM case_links WHERE case_id = $1 AND kind = 'alert' LIMIT 1)"
        linked = await connection.fetchval("SELECT case_id FROM case_links WHERE kind = 'alert' LIMIT 1")
        undone = connection.transaction()
        await undone.start()
        await connection.execute("SET LOCAL session_replication_role = replica")
        expected = dict[tuple[str, str], str]()
        for id, (name, other) in zip([id for id in ids if id != linked], columns.items(), strict=False):
            await connection.execute(f"UPDATE cases SET {name} = {other} WHERE id = $1", id)  # noqa: S608
            expected["cases", id] = name
        await connection.execute(f"DELETE {link}", linked)
        expected["cases", linked] = "case_links"
        await connection.execute("UPDATE alerts SET case_state = 'x' WHERE id = $1", alert)
        expected["alerts", alert] = "case_state"
        other_alert = await connection.fetchval("SELECT id FROM alerts WHERE id <> $1 LIMIT 1", alert)
        await connection.execute("UPDATE alerts SET finding = 'x' WHERE id = $1", other_alert)
        expected["alerts", other_alert] = "finding"
        third = await connection.fetchval(
            "SELECT id FROM alerts WHERE id <> ALL ($1) LIMIT 1", [alert, other_alert]
        )
        await connection.execute("UPDATE alerts SET subject = subject || '1' WHERE id = $1", third)
        expected["alerts", third] = "newest version"
        report = await verified(connection)
        await undone.rollback()
        found = {(finding.stream, finding.key): finding.what for finding in report.findings}
        assert found.keys() == expected.keys(), f"seed {seed}"
        assert {key: found[key].rpartition(": ")[2] for key in found} | {
            ("alerts", third): "newest version"
        } == expected, f"seed {seed}"
        assert {finding.kind for finding in report.findings} == {"standing"}


async def test_a_case_that_is_gone_or_was_made_up_is_named(pool: asyncpg.Pool) -> None:
    await build(pool, 5)
    async with pool.acquire() as connection:
        undone = connection.transaction()
        await undone.start()
        await connection.execute("SET LOCAL session_replication_role = replica")
        gone = await connection.fetchval(
            "DELETE FROM cases WHERE id = (SELECT min(id) FROM cases) RETURNING id"
        )
        await connection.execute(
            "INSERT INTO cases (id, organisation, state, version, source, level, title, created_at)"
            " VALUES ('made-up', 'school', 'draft', 1, 'joint', 'general', 'x', now())"
        )
        report = await verified(connection)
        await undone.rollback()
        named = {finding.key: finding.what for finding in report.findings if finding.stream == "cases"}
        assert named.keys() == {gone, "made-up"}
        assert "missing" in named[gone]
        # A body that is no object any more is named by its chain, and stops nothing here.
        for body in ("[1]", '"x"', "null", '{"alerts": {"a": 1}, "orders": [[1], null], "complaint": null}'):
            undone = connection.transaction()
            await undone.start()
            await connection.execute("SET LOCAL session_replication_role = replica")
            await connection.execute("UPDATE case_events SET body = $1::text::jsonb WHERE version = 1", body)
            assert (await verified(connection)).findings
            await undone.rollback()
