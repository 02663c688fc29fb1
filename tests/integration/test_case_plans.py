"""How lists and counts of cases, messages and the monthly report are read for a city of many units: along an index, not all rows sorted
for one page, and what is over is counted without being read."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest

from office.identity.scope import FEW_UNITS, Reach
from office.identity.subject import ROLE_PERMISSIONS, Grant, Kind, Role, Subject
from office.supervision import messages
from office.supervision.actors import Actor
from office.supervision.cases import today_of
from office.supervision.listing import CaseFilter, count_cases, list_cases
from office.supervision.states import State
from office.supervision.statistics import month_numbers
from runtime.postgres import connect
from runtime.units import midnight

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
        shown, _ = await list_cases(lists, actor, CaseFilter(state=State.WORKING), limit=100)
        assert [row["id"] for row in shown] == [f"c{2 * k}" for k in range(1, 101)]
        waiting = await messages.list_messages(lists, actor, unread=True, limit=100, before=None)
        assert len(waiting) == 100
        assert "Index Scan cases_of_states" in lists.nodes
        assert not [node for node in lists.nodes if "Sort" in node], lists.nodes
        # Everything that waits is marked by one statement.
        assert await messages.mark_read(connection, actor, waiting[50]["id"]) == CASES - 50
        assert await connection.fetchval("SHOW enable_sort") == "on"
    await connection.close()


#: The finding of every other case; each state beside its own. A third is of another city; some cancelled drafts have no number.
#: Alerts and cases go back further than a report asks, whatever day of a month it is: what asks for all rows may as well read them all.
FOUND = "(ARRAY['violation', 'irregular', 'justified', 'data'])[1 + i % 4]"
MANY = f"""
    SET session_replication_role = replica;
    INSERT INTO organisations (id, name) VALUES ('far', 'far');
    INSERT INTO cases (id, organisation, number, state, version, source, level, title, finding, created_at, issued_at, due_on, yellow_from,
        undetermined)
        SELECT 'm' || i, CASE WHEN i % 3 = 0 THEN 'far' ELSE 'u' || 1 + i % {UNITS} END, CASE WHEN s <> 'draft' AND i % 79 > 0 THEN 'M' || i END, s, 3,
            CASE i % 7 WHEN 0 THEN 'hotline' ELSE 'alert' END, 'general', 't', CASE WHEN s = 'closed' AND i % 3 > 0 THEN {FOUND} END,
            now() - i * interval '1 h', CASE WHEN s <> 'draft' AND i % 79 > 0 THEN now() - i * interval '1 h' END,
            CASE WHEN s = 'working' AND i % 5 > 0 THEN current_date - 20 + i % 40 END,
            CASE WHEN s = 'working' AND i % 5 > 0 THEN current_date - 25 + i % 40 END, s = 'working' AND i % 5 = 0
        FROM (SELECT i, CASE WHEN i % 25 = 0 THEN 'working' WHEN i % 26 = 0 THEN 'draft' WHEN i % 27 = 0 OR i % 79 = 0 THEN 'cancelled'
            ELSE 'closed' END AS s FROM generate_series(1, 20000) i) x;
    INSERT INTO alerts (id, rule, subject, version, status, severity, organisation, vehicle, occurred_from, occurred_to, detected_at, updated_at)
        SELECT lpad(i::text, 32, '0'), 'mileage', 'x' || i, 1, 'suspected', 'low', CASE WHEN i % 4 = 0 THEN 'far' ELSE 'u' || 1 + i % {UNITS} END,
            'v' || i % 500, at, at, at, at FROM (SELECT i, now() - i * interval '45 min' AS at FROM generate_series(1, 20000) i) x;
    RESET session_replication_role"""  # noqa: S608 - constants
WHO = (
    (Role.OFFICE_HEAD, "city"), (Role.UNIT_ADMINISTRATOR, "u3"), (Role.UNIT_ADMINISTRATOR, "city"), (Role.INSPECTOR, None),
)  # fmt: skip


async def crowded(db_url: str) -> asyncpg.Connection:
    connection = await connect(db_url)
    await fill(connection)
    await connection.execute(MANY)
    await connection.execute("VACUUM ANALYZE")
    return connection


async def whole_reads(connection: asyncpg.Connection, table: str) -> int:
    """How often this transaction has read ``table`` from end to end."""
    found: int = await connection.fetchval("SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = $1", table)  # fmt: skip
    return found


async def test_counts_are_those_of_the_lists(db_url: str) -> None:
    connection = await crowded(db_url)
    for role, unit in WHO:
        grant = Grant(ROLE_PERMISSIONS[role], unit, role)
        actor = Actor(Subject(Kind.USER, "head", "head", (grant,)))
        reach = Reach(None if unit is None else frozenset({unit}), "user:head")
        for filters in (CaseFilter(), CaseFilter(source="hotline"), CaseFilter(organisation="u3"), CaseFilter(organisation="far")):  # fmt: skip
            async with connection.transaction():
                await connection.execute(reach.sql())
                shown, _ = await list_cases(connection, actor, filters, limit=100_000)
                before = await whole_reads(connection, "cases")
                counts = await count_cases(connection, actor, filters)
                assert await whole_reads(connection, "cases") == before
            states = Counter(row["state"] for row in shown)
            colours = Counter(row["colour"] for row in shown if row["colour"] != "none")
            assert {name: n for name, n in counts["states"].items() if n} == states, (role, unit, filters)
            assert {name: n for name, n in counts["colours"].items() if n} == colours, (role, unit, filters)
            nothing = unit is not None and filters.organisation == "far"
            assert bool(shown) != nothing
    await connection.close()


#: Every pair and all three; a pair without a case as well.
ASKED = [
    CaseFilter(), CaseFilter(state=State.CLOSED, finding="violation"), CaseFilter(state=State.WORKING, finding="data"),
    CaseFilter(state=State.CLOSED, source="hotline"), CaseFilter(finding="data", source="hotline"), CaseFilter(source="commission"),
    CaseFilter(state=State.CLOSED, finding="irregular", source="hotline"),
]  # fmt: skip


@pytest.mark.parametrize("unit", ["city", None])
async def test_a_list_of_several_is_read_in_order(db_url: str, unit: str | None) -> None:
    connection = await crowded(db_url)
    role = Role.OFFICE_HEAD if unit else Role.INSPECTOR
    actor = Actor(Subject(Kind.USER, "head", "head", (Grant(ROLE_PERMISSIONS[role], unit, role),)))
    reach = Reach(None if unit is None else frozenset({unit}), "user:head")
    for filters in ASKED * 2:
        async with connection.transaction():
            await connection.execute(reach.sql())
            lists = Explained(connection)
            shown, _ = await list_cases(lists, actor, filters, limit=20)
            assert not [node for node in lists.nodes if "Seq Scan" in node], (filters, lists.nodes)
            if unit is not None:
                assert not [node for node in lists.nodes if "Sort" in node], (filters, lists.nodes)
            if filters.state is State.CLOSED and filters.finding is not None and filters.source is None:
                assert [node for node in lists.nodes if "cases_of_findings" in node], lists.nodes
            # The settings are the list's, not those of what comes after it.
            assert await connection.fetchval("SHOW plan_cache_mode") == "auto"
        wanted = filters.state is not State.WORKING and filters.source != "commission"
        assert len(shown) == (20 if wanted else 0)
    await connection.close()


async def test_a_month_is_read_by_its_days(db_url: str) -> None:
    connection = await crowded(db_url)
    today = await today_of(connection)
    last = today.replace(day=1) - timedelta(days=1)
    since, until = midnight(last.replace(day=1)), midnight(last + timedelta(days=1))
    trend = midnight(date(last.year - 1, last.month, 1))
    for units in ("{city}", "{u3}", None):
        reach = Reach(None if units is None else frozenset({units.strip("{}")}), "user:head")
        for within in (None, frozenset({"u3", "u5", "far"})):
            async with connection.transaction():
                await connection.execute(reach.sql())
                found = await month_numbers(connection, trend_from=trend, since=since, until=until, units=within, today=today)  # fmt: skip
                assert [await whole_reads(connection, table) for table in ("alerts", "cases")] == [0, 0]
                asked = None if within is None else sorted(within)
                simple = await connection.fetch(
                    "SELECT to_char(at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM') AS month, sum(a)::int AS alerts, sum(c)::int AS cases FROM ("
                    " SELECT occurred_from AS at, 1 AS a, 0 AS c, organisation FROM alerts"
                    " UNION ALL SELECT issued_at, 0, 1, organisation FROM cases WHERE number IS NOT NULL) t"
                    " WHERE at >= $1 AND at < $2 AND ($3::text[] IS NULL OR organisation = ANY ($3)) GROUP BY 1 ORDER BY 1",
                    trend, until, asked,
                )  # fmt: skip
                assert found["months"] == [dict(row) for row in simple]
                assert found["alerts"]["alerts"] == simple[-1]["alerts"] > 0
    await connection.close()
