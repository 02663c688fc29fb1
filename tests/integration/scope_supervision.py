"""Cases, complaints, tasks and messages of the units of ``scope_world``, and how the denial matrix asks for them. Tokens ask there:
what only a person may do is refused to them (403, ``no-person``) where they reach the case, and not found (404) where not."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, Final

import asyncpg
import httpx

from api.cases.desk import TOLD
from office.supervision.contents import COMMANDS
from office.supervision.states import TABLE, Step

NO_PERSON: Final = frozenset({403, 409})
_NUMBERS: Final = count(1)
_REASON: Final = "理由写得足够长"
#: Step -> a body that is as it should be.
_BODIES: Final[dict[Step, dict[str, Any]]] = {
    Step.EDIT: {"contents": {"title": "t", "source": "joint", "organisation": "a1", "facts": "x"}},
    Step.REPLY: {"text": "x", "checked": ["track"]},
    Step.CLOSE: {"finding": "justified", "evidence": "x"},
    Step.CALLED_BACK: {"result": "satisfied"},
    Step.ASK_EXTENSION: {"reason": _REASON, "due_on": "2027-01-01"},
    Step.NOTE: {"text": "x"},
    Step.RECTIFIED: {"text": "x"},
    **{
        step: {"reason": _REASON}
        for step in (
            Step.RETURN,
            Step.REFUSE,
            Step.DENY,
            Step.REDO,
            Step.RECHECK,
            Step.REOPEN,
            Step.CANCEL,
            Step.RETURN_RECTIFICATION,
            Step.STANDS,
        )
    },
}
#: Table -> the column that names a record; ``test_scope`` looks at each.
OWNED: Final = {
    "cases": "id", "case_numbers": "organisation", "case_events": "case_id", "case_links": "case_id",
    "case_attachments": "id", "complaints": "id", "complaint_reads": "complaint_id", "alert_labels": "alert_id",
    "tasks": "id", "messages": "number", "message_reads": "person",
}  # fmt: skip


async def fill(pool: asyncpg.Pool, unit: str) -> None:
    """One of each for a unit; its case is issued."""
    draft = {
        "organisation": unit,
        "title": f"督办-{unit}",
        "facts": "x",
        "source": "joint",
        "level": "general",
    }
    case, number = f"case-{unit}", f"督-{unit}"
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO cases (id, organisation, number, state, version, source, level, title, created_at)"
            " VALUES ($1, $2, $3, 'issued', 3, 'joint', 'general', $4, now())", case, unit, number, draft["title"],
        )  # fmt: skip
        for version, step, body in ((1, "draft", draft), (2, "submit", {}), (3, "issue", {"number": number})):
            await connection.execute(
                "INSERT INTO case_events (case_id, version, step, at, persons, actor, actor_name, body)"
                " VALUES ($1, $2, $3, now(), $4, 'user:x', 'x', $5)", case, version, step, [f"user:{step}"], body,
            )  # fmt: skip
        for sql, *values in (
            ("case_numbers (organisation, year, last) VALUES ($1, 2026, 1)", unit),
            ("case_links (case_id, kind, ref, open) VALUES ($1, 'order', $2, true)", case, f"order-{unit}"),
            ("case_attachments VALUES ($1, $2, 'a.txt', 'text/plain', 1, sha256('x'), sha256('x'), 'user:x', now(), 'x')", f"file-{unit}", case),
            ("complaints (id, organisation, ticket, category, received_at, claim, channel, entered_by, entered_at)"
             " VALUES ($1, $2, $3, 'report', now(), 'x', 'form', 'user:x', now())", f"complaint-{unit}", unit, f"ticket-{unit}"),
            ("complaint_reads (complaint_id, person, reason, address, at) VALUES ($1, 'user:x', 'x', '', now())", f"complaint-{unit}"),
            ("alert_labels (alert_id, case_id, organisation, finding, person, at) VALUES ($1, $2, $3, 'data', 'user:x', now())",
             f"none-{unit}", case, unit),
            ("tasks (id, organisation, kind, subject, case_id, opened_at) VALUES ($1, $2, 'fence', 'x', $3, now())", f"task-{unit}", unit, case),
            ("messages (organisation, permission, case_id, number, step, state, at)"
             " VALUES ($1, 'cases:reply', $2, $3, 'issue', 'issued', now())", unit, case, number),
            ("alert_receipts (alert_id, version, organisation, subject_kind, subject_id, subject_name, received_by)"
             " SELECT id, version, organisation, 'token', 'x', 'x', 'x' FROM alerts WHERE organisation = $1", unit),
            ("alert_dispositions (alert_id, id, organisation, version, code, decided_by, subject_kind, subject_id, subject_name)"
             " SELECT id, 'x', organisation, version, (SELECT min(code) FROM disposition_codes), 'x', 'token', 'x', 'x' FROM alerts"
             " WHERE organisation = $1", unit),
            ("message_reads SELECT id, $2, now() FROM messages WHERE organisation = $1", unit, f"user:reader-{unit}"),
        ):  # fmt: skip
            await connection.execute(f"INSERT INTO {sql}", *values)


async def fill_helped(connection: asyncpg.Connection, unit: str, helper: str) -> None:
    """Two cases of ``unit`` in which ``helper`` helps: ``case-helped``, issued, with a file and a note of the office; and a draft."""
    for case, number in (("case-helped", "督-helped"), ("draft-helped", None)):
        draft = {
            "organisation": unit,
            "title": f"督办-{case}",
            "facts": "x",
            "source": "joint",
            "level": "general",
            "helpers": [helper],
        }
        await connection.execute(
            "INSERT INTO cases (id, organisation, number, state, version, source, level, title, created_at, helpers)"
            " VALUES ($1, $2, $3, $4, $5, 'joint', 'general', $6, now(), ARRAY[$7])",
            case, unit, number, "issued" if number else "draft", 4 if number else 1, draft["title"], helper,
        )  # fmt: skip
        events = [(1, "draft", draft, True), (2, "submit", {}, True), (3, "issue", {"number": number}, False), (4, "note", {"text": "内部", "side": "office"}, True)]  # fmt: skip
        for version, step, body, internal in events if number else events[:1]:
            await connection.execute(
                "INSERT INTO case_events (case_id, version, step, at, persons, actor, actor_name, body, internal)"
                " VALUES ($1, $2, $3, now(), $4, 'user:x', 'x', $5, $6)", case, version, step, [f"user:{step}"], body, internal,
            )  # fmt: skip
    await connection.execute(
        "INSERT INTO case_attachments VALUES ('file-helped', 'case-helped', 'a.txt', 'text/plain', 1, sha256('x'), sha256('x'), 'user:x', now(), 'x')"
    )
    await connection.execute(
        "INSERT INTO case_links (case_id, kind, ref, open) VALUES ('case-helped', 'order', 'order-helped', true)"
    )
    await connection.execute(
        "INSERT INTO tasks (id, organisation, kind, subject, case_id, opened_at) VALUES ('task-helped', $1, 'fence', 'x', 'case-helped', now())", unit
    )  # fmt: skip


def step_body(step: Step, version: int) -> dict[str, Any]:
    """A body of ``step`` that is as it should be."""
    return _BODIES.get(step, {}) | {"version": version}


Call = Callable[[httpx.AsyncClient, str, Any], Awaitable[httpx.Response]]


def _post(path: str, body: Callable[[str], dict[str, Any]]) -> Call:
    async def call(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
        return await client.post(f"/v1/{path.format(unit=unit)}", json=body(unit))

    return call


def _step(step: Step) -> Call:
    async def call(client: httpx.AsyncClient, unit: str, world: Any) -> httpx.Response:
        version = await world.pool.fetchval("SELECT version FROM cases WHERE id = $1", f"case-{unit}")
        body = _BODIES.get(step, {}) | {"version": version}
        return await client.post(f"/v1/cases/case-{unit}:{step}", json=body)

    return call


async def _attach(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
    return await client.post(f"/v1/cases/case-{unit}/attachments", params={"name": "a.txt"}, content=b"x")


async def _bundle(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
    """What is in the bundle: packed bytes tell anything and nothing."""
    answer = await client.get(f"/v1/cases/case-{unit}/bundle", params={"purpose": "x"})
    if answer.status_code != 200:
        return answer
    with zipfile.ZipFile(io.BytesIO(answer.content)) as zipped:
        # Papers are packed themselves; the name of the format is no unit's.
        read = [zipped.read(name) for name in zipped.namelist() if not name.startswith("documents/")]
    unpacked = b"\n".join(read).replace(b"gongche-case-bundle", b"").replace(b"gongche-block", b"")
    return httpx.Response(200, content=unpacked, request=answer.request)


def _draft(unit: str) -> dict[str, Any]:
    return {"title": "t", "source": "joint", "organisation": unit, "facts": "x"}


def _sample(unit: str) -> dict[str, Any]:
    return {"organisation": unit, "from": "2026-05-01", "to": "2026-05-02", "size": 1}


def _complaint(unit: str) -> dict[str, Any]:
    return {
        "ticket": f"new-{next(_NUMBERS)}", "received_at": "2026-03-02T08:00:00+08:00", "claim": "x", "organisation": unit
    }  # fmt: skip


async def _monthly(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
    asked = {"month": "2026-03", "organisation": unit, "format": "xlsx"}
    return await client.get("/v1/reports/monthly", params=asked)


def lines(case: Any, get: Any, file: Any) -> dict[tuple[str, str], Any]:
    """The lines of the matrix. ``case``, ``get``, ``file``: its own."""
    read, draft = ("cases:read",), ("cases:draft",)
    alike = frozenset({200})  # an answer without anything of a unit
    handed_in = f"new-{{unit}}-{next(_NUMBERS)},2026-03-02 08:00,x,{{unit}}"
    found = {
        ("GET", "/v1/cases"): case(get("/v1/cases"), read, foreign=None),
        ("GET", "/v1/cases/counts"): case(get("/v1/cases/counts"), read, foreign=alike),
        ("GET", "/v1/cases/proposals"): case(
            get("/v1/cases/proposals", **{"from": "2026-03-01", "to": "2026-03-03"}), draft, foreign=None
        ),
        ("GET", "/v1/cases/{id}"): case(get("/v1/cases/case-{unit}"), read),
        ("GET", "/v1/cases/{id}/attachments/{attachment}"): case(get("/v1/cases/case-{unit}/attachments/file-{unit}"), read),
        ("GET", "/v1/cases/{id}/bundle"): case(
            _bundle, read, own=frozenset({200, 404})  # for the office, not for the unit
        ),
        ("POST", "/v1/cases/{id}/attachments"): case(
            _attach, ("cases:draft", "cases:issue", "cases:close", "cases:reply", "cases:sign")
        ),
        ("POST", "/v1/cases"): case(_post("cases", _draft), draft),
        ("POST", "/v1/cases:spot-check"): case(_post("cases:spot-check", _sample), draft),
        ("GET", "/v1/complaints"): case(get("/v1/complaints"), draft, foreign=None),
        ("GET", "/v1/complaints/{id}"): case(get("/v1/complaints/complaint-{unit}"), draft),
        ("POST", "/v1/complaints"): case(_post("complaints", _complaint), ("cases:draft", "complaints:write")),
        ("POST", "/v1/complaints:import"): case(
            file("/v1/complaints:import", "工单号,受理时间,诉求内容,单位", handed_in), draft
        ),
        ("POST", "/v1/complaints/{id}:reveal-caller"): case(
            _post("complaints/complaint-{unit}:reveal-caller", lambda unit: {"reason": _REASON}), draft, own=NO_PERSON
        ),
        ("GET", "/v1/cases/{id}/documents/{kind}"): case(get("/v1/cases/case-{unit}/documents/order"), read),
        ("GET", "/v1/reports/monthly"): case(_monthly, read),
        ("GET", "/v1/tasks"): case(get("/v1/tasks"), read, foreign=None),
        ("POST", "/v1/tasks/{id}:done"): case(
            _post("tasks/task-{unit}:done", lambda unit: {"note": "x"}), ("cases:draft", "cases:close", "registry:write"),
            own=frozenset({200, 409}),
        ),
        ("GET", "/v1/messages"): case(get("/v1/messages"), TOLD, foreign=alike),
        ("POST", "/v1/messages:read"): case(_post("messages:read", lambda unit: {"up_to": 1}), TOLD, foreign=alike),
    }  # fmt: skip
    for step in COMMANDS:
        rows = [row for row in TABLE if row.step is step]
        needs = tuple(dict.fromkeys(each for row in rows for each in row.permissions))
        own = frozenset({200}) if step is Step.NOTE else NO_PERSON
        found["POST", f"/v1/cases/{{id}}:{step}"] = case(_step(step), needs, own=own)
    return found
