"""How the lists of cases and messages are read for a city of many units: along an index, not all of them sorted for one page."""

from __future__ import annotations

import json
from typing import Any

import asyncpg

from office.identity.scope import FEW_UNITS, Reach
from office.identity.subject import ROLE_PERMISSIONS, Grant, Kind, Role, Subject
from office.supervision import messages
from office.supervision.actors import Actor
from office.supervision.listing import CaseFilter, list_cases
from office.supervision.states import State
from runtime.postgres import connect

UNITS = FEW_UNITS + 10
#: Every other case is in work, many more than a page.
CASES = 6_000


class Explained:
    """A connection that writes down how the lists are read."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection, self.nodes = connection, list[str]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def fetch(self, query: str, *arguments: Any) -> Any:
        if "LIMIT" in query:
            told = await self._connection.fetchval(f"EXPLAIN (FORMAT JSON) {query}", *arguments)
            self._note(json.loads(told)[0]["Plan"])
        return await self._connection.fetch(query, *arguments)

    def _note(self, node: dict[str, Any]) -> None:
        self.nodes.append(f"{node['Node Type']} {node.get('Index Name', '')}".strip())
        for below in node.get("Plans", ()):
            self._note(below)


async def fill(connection: asyncpg.Connection) -> None:
    await connection.execute(
        f"""
        SET session_replication_role = replica;
        INSERT INTO organisations (id, name, parent) VALUES ('city', 'city', NULL);
        INSERT INTO organisations (id, name, parent) SELECT 'u' || i, 'u', 'city' FROM generate_series(1, {UNITS}) i;
        INSERT INTO cases (id, organisation, number, state, version, source, level, title, created_at)
            SELECT 'c' || i, 'u' || 1 + i % {UNITS}, i, CASE i % 2 WHEN 0 THEN 'working' ELSE 'closed' END, 3, 'alert', 'general', 't',
                now() - i * interval '1 s' FROM generate_series(1, {CASES}) i;
        INSERT INTO messages (organisation, permission, case_id, number, step, state, at)
            SELECT organisation, 'cases:issue', id, number, 'submit', 'submitted', created_at FROM cases;
        INSERT INTO users (id, name, created_by) VALUES ('head', 'head', 'test');
        RESET session_replication_role;
        ANALYZE"""  # noqa: S608 - constants
    )


async def test_a_city_reads_its_lists_in_order(db_url: str) -> None:
    connection = await connect(db_url)
    await fill(connection)
    role = Role.OFFICE_HEAD
    actor = Actor(Subject(Kind.USER, "head", "head", (Grant(ROLE_PERMISSIONS[role], "city", role),)))
    async with connection.transaction():
        await connection.execute(Reach(frozenset({"city"}), "user:head").sql())
        lists = Explained(connection)
        shown = await list_cases(lists, actor, CaseFilter(state=State.WORKING), limit=100)
        assert [row["id"] for row in shown] == [f"c{2 * k}" for k in range(1, 101)]
        waiting = await messages.list_messages(lists, actor, unread=True, limit=100, before=None)
        assert len(waiting) == 100
        assert "Index Scan cases_of_states" in lists.nodes
        assert not [node for node in lists.nodes if "Sort" in node], lists.nodes
        # Everything that waits is marked by one statement.
        assert await messages.mark_read(connection, actor, waiting[50]["id"]) == CASES - 50
        assert await connection.fetchval("SHOW enable_sort") == "on"
    await connection.close()
