"""How PostgreSQL answers every list of the API, and what worker, judge and housekeeping ask again and again, at a million
judgements: by an index, and of the months that matter only.

The queries are those that the program really sends: the parts are run on the database of ``million`` over connections that write
down what is asked, and each query is explained afterwards with the same values.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, get_args

import asyncpg
import httpx
import pytest

from api.app import create_app
from api.problems import OF_PEOPLE
from office.identity.scope import Reach
from office.identity.subject import PERMISSIONS
from office.identity.tokens import SCOPES, create_token
from office.statistics.fleet import Standing
from registry.records import KINDS
from registry.working_days import Calendar
from rules.alerts import counts, feed
from rules.alerts.counts import By
from rules.alerts.evaluations import with_evidence
from rules.alerts.listing import MOST_LOOKED_AT
from rules.alerts.listing import By as ByTime
from rules.alerts.model import AlertFilter
from rules.alerts.publish import evaluations_of, publish
from rules.checks import traffic_violations
from rules.judge import queue
from rules.judge.context import Change, Context
from rules.judge.subjects.all import GATHERERS
from rules.live.housekeeping import AGAIN_US, Housekeeping
from rules.live.store import due, quarantine, recomputations, results, states
from rules.navigation import Limits
from rules.navigation.cache import CachedNavigator
from rules.navigation.osrm import Osrm
from runtime.postgres import connect, connection_class
from runtime.settings import Settings
from runtime.units import US_PER_DAY, US_PER_S, from_us
from telemetry.archive.cold import catalogue
from telemetry.archive.store import Archive
from telemetry.log.base import POSITIONS
from telemetry.log.sqlite import EmbeddedLogReader
from tests.databases import copied
from tests.integration import million

NOW_US: Final = time.time_ns() // 1000
#: Who reaches everywhere, and who reaches one unit of a hundred.
EVERYWHERE: Final = Reach(None, "token:plans")
ONE_UNIT: Final = Reach(frozenset({"O7"}), "token:plans")
NOW: Final = datetime.fromtimestamp(NOW_US / US_PER_S, UTC)


@pytest.fixture(scope="module")
def crowded(postgres_dsn: str, template_database: str) -> Iterator[str]:
    """DSN of the database of ``million``."""

    async def fill(dsn: str) -> None:
        connection = await connect(dsn)
        await million.fill(connection, NOW_US)
        await connection.close()

    with copied(postgres_dsn, template_database, "million") as dsn:
        asyncio.run(fill(dsn))
        yield dsn


# --- what is asked


@dataclass
class Asked:
    """Queries by their text, with the values of the first time."""

    queries: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def note(self, query: str, args: Collection[Any] = ()) -> None:
        if ";" in query:  # what asyncpg says when a connection goes back to its pool
            return
        if query.lstrip().split(" ")[0].upper() in ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE"):
            self.queries.setdefault(query, tuple(args))


class Telling(connection_class()):  # type: ignore[misc] # made at run time
    """A connection of the program that tells ``asked`` what is asked over it."""

    asked = Asked()

    async def copy_from_query(self, query: str, *args: Any, **how: Any) -> Any:
        self.asked.note(query, args)
        return await super().copy_from_query(query, *args, **how)


async def _prepare(connection: Any) -> None:
    """jsonb as values, as the program's own connections have it (runtime.postgres)."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: b"\x01" + json.dumps(value).encode(),
        decoder=lambda data: json.loads(data[1:]),
        format="binary",
    )


async def _listen(connection: Any) -> None:
    connection.add_query_logger(lambda told: Telling.asked.note(told.query, told.args))


@asynccontextmanager
async def listening(dsn: str) -> AsyncIterator[tuple[asyncpg.Pool, Asked]]:
    """A pool, and what is asked over it from now on."""
    Telling.asked = Asked()
    pool = await asyncpg.create_pool(
        dsn, min_size=1, max_size=4, init=_prepare, setup=_listen, connection_class=Telling
    )
    try:
        yield pool, Telling.asked
    finally:
        pool.terminate()


# --- how it is answered


#: A partition with fewer rows may be read as a whole: a month to come, or what no month is for.
SMALL_ROWS: Final = 1_000
#: What is asked as the owner of the tables: who asks, and what is of people and of the machine.
BEFORE_REACH: Final = ("api_tokens", "JOIN users u ON u.id = c.person", "FROM quarantine ORDER BY id")
#: Nodes that take everything from below, whoever stops early above.
TAKES_ALL: Final = {"Sort", "Aggregate", "Hash", "Hash Join", "Materialize", "WindowAgg"}


@dataclass
class Plan:
    """What a plan reads of the tables in ``million.BIG``: whole tables or partitions, and partitions by table. ``small``:
    relations that may be read as a whole."""

    small: Collection[str]
    whole: list[str] = field(default_factory=list)
    partitions: dict[str, set[str]] = field(default_factory=dict)

    def read(self, node: dict[str, Any], limited: bool = False) -> None:
        """Note ``node`` and what is below it. ``limited``: somebody above stops after some rows."""
        kind, relation = node["Node Type"], str(node.get("Relation Name", ""))
        table = _table_of(relation)
        if table is not None:
            self.partitions.setdefault(table, set()).add(relation)
            # An index without a condition is read from end to end, but by whoever stops early.
            walks = "Index" in kind and "Index Cond" not in node and not limited
            if (kind == "Seq Scan" or walks) and relation not in self.small:
                self.whole.append(f"{kind} on {relation}")
        for below in node.get("Plans", ()):
            self.read(below, kind == "Limit" or (limited and kind not in TAKES_ALL))


def _table_of(relation: str) -> str | None:
    if relation in million.BIG:
        return relation
    return next((t for t in ("positions", "evaluations", "evidence") if relation.startswith(f"{t}_")), None)


async def plans(dsn: str, asked: Asked, reach: Reach | None = None) -> dict[str, Plan]:
    """The plan of each query, by its text: as the owner of the tables, as workers ask, or as a request of ``reach``."""
    connection = await connect(dsn)
    found = {}
    try:
        rows = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples < $1", SMALL_ROWS
        )
        small = {row["relname"] for row in rows}
        for query, args in asked.queries.items():
            # Who asks is looked up before there is a reach, as the owner.
            by = None if any(table in query for table in BEFORE_REACH) else reach
            transaction = connection.transaction()
            await transaction.start()
            if by is not None:
                await connection.execute(by.sql())
            told = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {query}", *args)
            await transaction.rollback()
            plan = Plan(small)
            plan.read(json.loads(told)[0]["Plan"])
            found[query] = plan
    finally:
        await connection.close()
    return found


async def refuse_scans(
    dsn: str, asked: Asked, *, allowed: Collection[str] = (), reach: Reach | None = None
) -> dict[str, Plan]:
    """Fail when a query reads the whole of a big table; ``allowed``: beginnings of those that may; ``reach``: see ``plans``."""
    found = await plans(dsn, asked, reach)
    assert found, "nothing was asked"
    wrong = [
        f"{', '.join(sorted(set(plan.whole)))}: {query}"
        for query, plan in found.items()
        if plan.whole and not query.startswith(tuple(allowed))
    ]
    assert not wrong, "\n".join(wrong)
    return found


# --- the lists of the API

DAY: Final[dict[str, str]] = {
    "from": (NOW - timedelta(days=40)).isoformat(),
    "to": (NOW - timedelta(days=39)).isoformat(),
}
LONG_AGO: Final = {"to": (NOW - timedelta(days=170)).isoformat()}
NEWEST: Final = {"from": (NOW - timedelta(hours=6)).isoformat()}
DAYS: Final = {"due_from": "2026-03-02", "due_to": "2026-03-03"}
LAST_DAYS: Final = {
    "from": (NOW - timedelta(days=2)).date().isoformat(),
    "to": (NOW - timedelta(days=1)).date().isoformat(),
}

BEGAN: Final = {"began_from": DAY["from"], "began_to": DAY["to"]}
#: What alerts are asked for since there are statistics of them.
ALERTS: Final = [
    {"severity": "high"}, {"severity": "low"}, {"driver": "D17"}, {"within": "O7"}, {"within": "O7", "rule": "mileage"}, {"plate": "苏F1717"},
    BEGAN, {"detected_from": DAY["from"], "detected_to": DAY["to"]}, {"detected_to": LONG_AGO["to"]},
    {"unread": "true"}, {"unread": "true", "organisation": "O7"}, {"unread": "true", "rule": "mileage"} | DAY,
]  # fmt: skip

#: Each order of the list of alerts, both ways, with what it can be asked together with.
ORDERED: Final = [
    asked | {"order": order, "direction": direction}
    for order in get_args(ByTime)
    for direction in ("desc", "asc")
    for asked in (
        {}, {"rule": "mileage"}, {"organisation": "O7"}, {"within": "O7"}, {"vehicle": "V17"}, {"status": "withdrawn"}, {"severity": "low"},
        {"case_state": "none"}, {"finding": "violation"}, {"plate": "苏F1717"}, DAY, LONG_AGO, NEWEST, BEGAN, {"unread": "true"},
        {"rule": "mileage", "status": "withdrawn"} | DAY,
    )
]  # fmt: skip


def sorted_by(*orders: str) -> list[dict[str, str]]:
    """Each order, both ways."""
    return [{"order": order, "direction": direction} for order in orders for direction in ("asc", "desc")]


#: GET operation -> its questions: every filter alone, and those that go together. A new list needs its line here.
QUESTIONS: Final[dict[str, list[dict[str, str]]]] = {
    "/v1/alerts": [
        {}, {"rule": "mileage"}, {"organisation": "O7"}, {"organisation": "O100"}, {"vehicle": "V17"}, {"status": "suspected"},
        {"status": "withdrawn"}, DAY, LONG_AGO, NEWEST, {"rule": "mileage"} | DAY, {"organisation": "O7"} | DAY,
        {"vehicle": "V17"} | DAY, {"rule": "location", "organisation": "O7", "status": "withdrawn"},
        {"case_state": "none"}, {"case_state": "none", "status": "suspected"}, {"case_state": "working", "organisation": "O7"},
        {"finding": "violation"}, {"finding": "none", "case_state": "closed"}, {"finding": "data", "rule": "mileage"} | DAY,
        *ALERTS, *ORDERED,
    ],
    "/v1/alerts/counts": [
        {}, {"rule": "mileage"}, {"organisation": "O7"}, {"vehicle": "V17"}, {"status": "withdrawn"}, DAY, {"case_state": "none"},
        {"finding": "violation"}, *ALERTS,
    ],
    "/v1/statistics/alerts": [
        {}, *({"by": by} | BEGAN for by in get_args(By)), {"by": "vehicle", "order": "key", "direction": "asc"},
        {"organisation": "O7"}, {"vehicle": "V17"}, {"rule": "mileage", "status": "withdrawn"}, {"case_state": "none"},
        {"finding": "violation"}, DAY, *ALERTS,
    ],
    "/v1/statistics/cockpit": [{}, {"silent_days": "7"}],
    "/v1/statistics/fleet": [{}, *({"standing": standing} for standing in get_args(Standing)), {"standing": "silent", "silent_days": "9"}],
    "/v1/statistics/data-quality": [{}],
    "/v1/alerts/feed": [
        {}, {"rule": "mileage"}, {"organisation": "O7"}, {"severity": "high"}, {"status": "withdrawn"},
        {"rule": "mileage", "organisation": "O1", "status": "withdrawn"},
    ],
    "/v1/alerts/stream": [
        {"seconds": "0"}, {"seconds": "0", "rule": "mileage"}, {"seconds": "0", "organisation": "O7"},
        {"seconds": "0", "severity": "high", "status": "withdrawn"},
    ],
    "/v1/alerts/unconfirmed": [{}, {"hours": "0"}],
    "/v1/disposition-codes": [{}],
    "/v1/subscriptions": [{}],
    "/v1/subscriptions/{name}": [{}],
    "/v1/subscriptions/{name}/entries": [{}],
    "/v1/subscriptions/{name}/webhook": [{}],
    "/v1/subscriptions/{name}/webhook/deliveries": [{}, {"state": "dead"}],
    "/v1/subscriptions/{name}/webhook/deliveries/{delivery}": [{}],
    "/v1/alerts/{id}": [{}],
    "/v1/alerts/{id}/evidence": [{"raw": "true"}, {"raw": "true", "version": "1"}],
    "/v1/evaluations": [
        {}, {"rule": "mileage"}, {"subject": "order:P17"}, {"subject": "order:P17", "rule": "mileage"}, {"vehicle": "V17"},
        {"outcome": "suspected"}, {"outcome": "undetermined", "rule": "mileage"} | DAY, DAY, LONG_AGO, NEWEST,
        {"rule": "mileage"} | DAY, {"vehicle": "V17"} | DAY, {"outcome": "suspected"} | DAY,
        {"rule": "mileage", "outcome": "suspected"},
    ],
    "/v1/evaluations/waiting": [{}],
    "/v1/vehicles/{id}/track": [DAY, NEWEST | {"to": NOW.isoformat()}],
    "/v1/live/vehicles": [{"seconds": "0"}, {"seconds": "0", "window": "120,31,121,32"}],
    "/v1/live/roster": [{}],
    "/v1/live/orders": [{}, {"since": "0"}],
    "/v1/terminal-reports": [{}, {"kind": "passthrough"}, {"vehicle": "V17"}, {"organisation": "O7"}, DAY],
    "/v1/terminal-reports/{no}": [{}],
    "/v1/driver-cards": [{}, {"vehicle": "V17"}, {"organisation": "O7"}, DAY],
    "/v1/media": [{}, {"vehicle": "V17"}, {"organisation": "O7"}, DAY],
    "/v1/media/{no}": [{}],
    "/v1/media/{no}/content": [{}],
    "/v1/vehicles/{id}/seals": [{}],
    "/v1/fences/{id}/terminals": [{}],
    "/v1/commands": [{}, {"vehicle": "V17"}, {"organisation": "O7"}, {"kind": "text"}, {"state": "failed"}],
    "/v1/commands/{no}": [{}],
    "/v1/backtests": [{}],
    "/v1/backtests/{no}": [{}],
    "/v1/operations/state": [{}],
    "/v1/operations/series": [{}, DAY | {"step": "300"}],
    "/v1/rule-parameters": [{}, {"rule": "mileage"}, {"organisation": "O7"}],
    "/v1/secret-vehicles": [{}],
    "/v1/dispatch-orders/{id}/result": [{}],
    "/v1/organisations": [{}, {"parent": "O1"}, *sorted_by("id")],
    "/v1/vehicles": [{}, {"organisation": "O7"}, {"plate": "苏F17"}, *sorted_by("id", "plate")],
    "/v1/drivers": [{}, {"organisation": "O7"}, *sorted_by("id", "name")],
    "/v1/terminals": [{}, {"vehicle": "V17"}, *sorted_by("id")],
    "/v1/fences": [{}, {"organisation": "O7"}, {"vehicle": "V17"}, *sorted_by("id")],
    "/v1/dispatch-orders": [
        {}, {"organisation": "O7"}, {"vehicle": "V17"}, {"driver": "D17"}, {"status": "departed"}, {"status": "approved"},
        {"organisation": "O7", "status": "cancelled"}, {"overdue": "true"}, {"backfill_waits": "true"},
        {"departed_from": DAY["from"], "departed_to": DAY["to"]}, *sorted_by("id", "planned_departure"),
        *({"vehicle": "V17"} | order for order in sorted_by("planned_departure")),
    ],
    "/v1/fuel-cards": [{}, {"organisation": "O7"}, {"status": "lost"}, {"plate": "苏F17"}, *sorted_by("id")],
    "/v1/fuel-stations": [{}, {"name": "加油站7"}, {"located": "false"}, *sorted_by("id", "name")],
    "/v1/fuel-transactions": [
        {}, {"card": "C17"}, {"kind": "top_up"}, {"station": "S7"}, DAY, LONG_AGO, NEWEST, {"card": "C17"} | DAY,
        {"station": "S7"} | DAY, {"kind": "reversal"}, {"unmatched": "true"}, *sorted_by("id", "at"),
        *(asked | order for order in sorted_by("at") for asked in ({"card": "C17"}, DAY)),
    ],
    "/v1/violations": [
        {}, {"plate": "苏F17"}, {"status": "revoked"}, {"status": "appealed"}, DAY, LONG_AGO, NEWEST, *sorted_by("id", "at"),
        *(asked | order for order in sorted_by("at") for asked in ({"plate": "苏F17"}, DAY)),
    ],
    "/v1/calendar-days": [{}, {"from": "2020-02-01", "to": "2020-03-01"}, *sorted_by("id")],
    "/v1/clock-corrections": [{}, {"terminal": "13800000017"}, *sorted_by("id")],
    "/v1/terminal-notices": [{}, {"terminal": "13800000017"}, {"kind": "clock_wrong"}, {"settled": "true"}],
    "/v1/cases": [
        {}, {"state": "working"}, {"colour": "red"}, {"colour": "none"}, {"source": "alert"}, {"organisation": "O7"},
        {"vehicle": "V17"}, {"alert": f"{20 * 4000:032}"}, {"finding": "violation"}, DAYS | {"organisation": "O7"},
        {"state": "closed", "finding": "violation"}, {"state": "closed", "source": "alert"},
        {"created_from": DAY["from"], "created_to": DAY["to"]}, {"proposal": "cancel"}, *sorted_by("created", "due", "number"),
    ],
    "/v1/cases/counts": [{}, {"organisation": "O7", "source": "alert"}],
    "/v1/cases/proposals": [LAST_DAYS, LAST_DAYS | {"organisation": "O7"}],
    "/v1/cases/{id}": [{}],
    "/v1/cases/{id}/attachments/{attachment}": [{}],
    "/v1/trip-series/{id}": [{}],
    "/v1/trip-requests": [
        {"series": "x"},
        {}, {"state": "waiting"}, {"organisation": "O7"}, {"kind": "emergency"}, {"mine": "true"}, {"to_decide": "true"}, {"late": "true"},
        {"planned_from": DAY["from"], "planned_to": DAY["to"]},
    ],
    "/v1/trip-requests/counts": [{}],
    "/v1/trip-requests/places": [{"search": "12"}],
    "/v1/trip-requests/backfills": [DAY | {"organisation": "O7"}],
    "/v1/trip-requests/{id}": [{}],
    "/v1/trip-requests/{id}/candidates": [{"plate": "12"}],
    "/v1/dispatches": [
        {}, {"state": "overdue"}, {"organisation": "O7"}, {"vehicle": "V17"}, {"driver": "D17"}, {"mine": "true"}, {"open": "true"},
        {"listed": "true"}, {"proposed": "true"}, {"late_change": "true"}, {"planned_from": DAY["from"], "planned_to": DAY["to"]},
    ],
    "/v1/dispatches/{id}": [{}],
    "/v1/approval-tables": [{"organisation": "O7"}],
    "/v1/drivers/{id}/account": [{}],
    "/v1/drivers/{id}/licences": [{}],
    "/v1/drivers/{id}/costs": [{}, {"from": "2020-02-01", "to": "2020-03-01"}],
    "/v1/drivers/{id}/duty": [{"from": "2026-03-01", "to": "2026-03-31"}],
    "/v1/drivers/{id}/driving": [{"from": "2026-03-01", "to": "2026-03-31"}],
    "/v1/drivers/{id}/overtime": [{"from": "2026-03-01", "to": "2026-03-31"}],
    "/v1/drivers/{id}/facts": [{"from": "2026-01-01", "to": "2026-03-31"}],
    "/v1/drivers/{id}/sheets/{period}": [{}],
    "/v1/drivers/{id}/sheets/{period}/document": [{}],
    "/v1/driver-sheets": [{"period": "2026Q1"}, {"period": "2026Q1", "organisation": "O7"}],
    "/v1/driver-score-tables/{organisation}": [{}],
    "/v1/call-back-draws": [{}],
    "/v1/call-back-draws/{id}/call-backs": [{}, {"open": "true"}],
    "/v1/driver-duty": [{}, {"day": "2026-03-01"}, {"day": "2026-03-01", "organisation": "O7"}, {"from": "2026-03-01", "to": "2026-03-07"}],
    "/v1/driver-leaves": [{}, {"state": "asked"}, {"organisation": "O7"}, {"driver": "D17"}],
    "/v1/driver-leaves/{id}": [{}],
    "/v1/vehicles/{id}/particulars": [{}],
    "/v1/vehicles/{id}/plates": [{}],
    "/v1/vehicles/{id}/papers": [{}],
    "/v1/vehicles/{id}/documents": [{}],
    "/v1/vehicles/{id}/file": [{}],
    "/v1/vehicle-documents/{id}": [{}],
    "/v1/vehicle-papers": [
        {}, {"kind": "licence"}, {"organisation": "O7"}, {"vehicle": "V17"}, {"driver": "D17"}, {"ends_from": "2026-03-01", "ends_before": "2026-04-01"},
        {"last": "true", "ends_from": "2026-03-01", "ends_before": "2026-04-01", "organisation": "O7"}, {"void": "true"},
    ],
    "/v1/vehicle-papers/{id}": [{}],
    "/v1/maintenance": [{}, {"state": "pending"}, {"organisation": "O7"}, {"vehicle": "V17"}, {"open": "true"}],
    "/v1/maintenance/{id}": [{}],
    "/v1/notices": [{}, {"kind": "notice"}, {"current": "true"}, {"unread": "true"}],
    "/v1/notices/{id}": [{}],
    "/v1/notices/{id}/receipts": [{}],
    "/v1/notices/{id}/document": [{"format": "pdf"}],
    "/v1/notices/{id}/rows/{no}": [{}],
    "/v1/publication-objections": [{}, {"notice": "x"}, {"unanswered": "true"}],
    "/v1/rental-reports": [{}, {"state": "reported"}, {"organisation": "O7"}, {"trip_request": "x"}],
    "/v1/rental-reports/{id}": [{}],
    "/v1/vehicle-acts": [{}, {"kind": "transfer"}, {"state": "asked"}, {"organisation": "O7"}, {"vehicle": "V17"}, {"open": "true"}],
    "/v1/vehicle-acts/{id}": [{}],
    "/v1/quotas": [{}, {"organisation": "O7"}, {"standing": "over"}],
    "/v1/quotas/{organisation}/{quota_class}": [{}],
    "/v1/quota-vehicles": [{}, {"organisation": "O7"}, {"quota_class": "other"}, {"unplaced": "true"}, {"standing": "above"}],
    "/v1/quota-workbook": [{"organisation": "O7"}],
    "/v1/vehicles/{id}/quota-place": [{}],
    "/v1/cost-entries": [
        {}, {"organisation": "O7"}, {"vehicle": "V17"}, {"kind": "toll"}, {"period": "202001"}, {"dispatch": "PC-17"}, {"finding": "true"},
        {"from": "2020-02-01", "to": "2020-03-01"},
    ],
    "/v1/cost-entries/{id}": [{}],
    "/v1/tariffs": [{"organisation": "O7"}],
    "/v1/statements": [{}, {"organisation": "O7"}, {"platform": "O7"}, {"period": "202001"}, {"state": "to_confirm"}],
    "/v1/trip-costs/{id}": [{}],
    "/v1/statements/{id}": [{}],
    "/v1/statements/{id}/lines": [{}],
    "/v1/statements/{id}/document": [{"format": "xlsx"}],
    "/v1/voucher-mappings": [{"organisation": "O7"}],
    "/v1/indicators": [{"organisation": "O7", "period": "202002"}],
    "/v1/vehicle-costs": [{"organisation": "O7", "period": "202002"}],
    "/v1/reconciliations": [{}, {"organisation": "O7"}],
    "/v1/reconciliations/{id}": [{}],
    "/v1/reconciliations/{id}/lines": [{}, {"outcome": "matched"}, {"side": "platform"}, {"no": "7"}],
    "/v1/reconciliations/{id}/document": [{}],
    "/v1/complaints": [{}],
    "/v1/complaints/{id}": [{}],
    "/v1/tasks": [{}, {"state": "open"}],
    "/v1/messages": [{}, {"unread": "true"}],
    "/v1/assessment-tables": [{}],
    "/v1/assessment-tables/{organisation}/{year}": [{}],
    "/v1/assessments/{period}": [{"organisation": "O7"}, {"organisation": "O7", "of": "children"}],
    "/v1/assessments/{period}/{organisation}": [{}],
    "/v1/assessments/{period}/{organisation}/document": [{}],
    "/v1/assessment-disputes": [{}, {"state": "open"}],
    "/v1/assessment-disputes/{id}": [{}],
    "/v1/unit-channels": [{}, {"organisation": "O7"}],
    "/v1/unit-channels/{id}/letters": [{}, {"state": "dead"}],
    "/v1/cases/{id}/documents/{kind}": [{}],
    "/v1/cases/{id}/bundle": [{"purpose": "x"}],
    "/v1/alerts/{id}/picture": [{}, {"version": "1"}],
    "/v1/exchange/peers": [{}],
    "/v1/exchange/peers/{name}": [{}],
    "/v1/exchange/peers/{name}/refusals": [{}],
    "/v1/exchange/down": [{"most": "100"}],
    "/v1/exchange/counts": [{}, {"kind": "alert", "origin": "x", "organisation": "O7"} | DAY],
    "/v1/exchange/records": [
        {}, {"kind": "alert"}, {"origin": "x"}, {"organisation": "O7"}, {"status": "suspected"}, {"gone": "true"}, DAY,
    ],
    "/v1/exchange/records/{no}": [{}],
    "/v1/exchange/notices": [{}],
    "/v1/audit": [
        {}, {"who": "x"}, {"action": "read"}, {"kind": "track"}, {"kind": "drivers", "id": "D17"}, {"vehicle": "V17"},
        {"organisation": "O7"}, DAY,
    ],
    **{f"/v1/{kind}/{{id}}": [{}] for kind in KINDS},
    **{f"/v1/{kind}/{{id}}/versions": [{}] for kind in ("fences", "dispatch-orders")},
}  # fmt: skip
#: How a page is cut and shown; not what is looked for.
NO_FILTERS: Final = {"cursor", "limit", "wait", "purpose", "seconds", "envelope", "inline"}
IDS: Final = {
    "/v1/alerts": f"{20 * 4000:032}", "/v1/vehicles": "V17", "/v1/dispatch-orders": "P17", "/v1/organisations": "O7",
    "/v1/drivers": "D17", "/v1/terminals": "13800000017", "/v1/fuel-cards": "C17", "/v1/fuel-stations": "S7",
    "/v1/fuel-transactions": "T17", "/v1/violations": "X17", "/v1/calendar-days": "2020-02-03",
    "/v1/clock-corrections": "none",
}  # fmt: skip

#: What is answered where it is not 200: only a peer pulls, and these are not there.
ELSE: Final = {
    "/v1/exchange/down": 403,
    "/v1/exchange/records/{no}": 404,
    "/v1/backtests/{no}": 404,
    "/v1/commands/{no}": 404,
    "/v1/terminal-reports/{no}": 404,
    "/v1/media/{no}": 404,
    "/v1/media/{no}/content": 404,
    "/v1/alerts/{id}/picture": 404,
}

#: What is of people and programs: a city has some thousands of them, and all of a person is read at once.
SMALL: Final = (*OF_PEOPLE, "/v1/oidc")
#: What reads the months that it tells of as a whole.
REPORTS: Final = ("/v1/reports/",)
#: What asks the database for nothing but who asks.
FILES: Final = ("/v1/basemap",)


def operations() -> dict[str, set[str]]:
    """GET operations that need a token -> their query parameters."""
    paths = create_app(Settings(), None, position_sink=None).openapi()["paths"]
    return {
        path: {p["name"] for p in methods["get"].get("parameters", ()) if p["in"] == "query"}
        for path, methods in paths.items()
        if "get" in methods and path.startswith("/v1/") and not path.startswith((*SMALL, *REPORTS, *FILES))
    }


def test_every_list_and_every_filter_is_known_here() -> None:
    known = {path: set().union(*questions) | NO_FILTERS for path, questions in QUESTIONS.items()}
    there = operations()
    assert there.keys() == known.keys()
    assert {path: names - known[path] for path, names in there.items() if names - known[path]} == {}


@pytest.mark.parametrize("path", sorted(QUESTIONS))
async def test_a_list_is_answered_by_an_index(crowded: str, path: str) -> None:
    address = path.replace("{id}", IDS.get(path.partition("/{")[0], "none"))
    address = address.replace("{organisation}", "O7").replace("{year}", "2026").replace("{period}", "2026Q1")
    address = (
        address.replace("{name}", "none")
        .replace("{delivery}", "1")
        .replace("{no}", "1")
        .replace("{kind}", "order")
        .replace("{quota_class}", "other")
    )
    owner = await asyncpg.connect(crowded)  # no token may have so much; and this is no question of a request
    token = await create_token(owner, "plans", SCOPES)
    await owner.execute("UPDATE api_tokens SET scopes = $1 WHERE id = $2", list(PERMISSIONS), token.id)
    await owner.close()
    async with listening(crowded) as (pool, asked):
        transport = httpx.ASGITransport(create_app(Settings(), pool, position_sink=None))
        headers = {"Authorization": f"Bearer {token.secret}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
            for question in QUESTIONS[path]:
                answer = await client.get(address, params=question)
                assert answer.status_code in (200, ELSE.get(path, 404 if "none" in address else 200)), (
                    answer.text
                )
                following = (
                    answer.json().get("next")
                    if answer.headers["content-type"].endswith("json") and isinstance(answer.json(), dict)
                    else None
                )
                if following:
                    page = await client.get(address, params=question | {"cursor": following})
                    assert page.status_code == 200, page.text
    found = await refuse_scans(crowded, asked, reach=EVERYWHERE)
    # What asks for a day reads the month or the days of it, and what has none.
    for query, plan in found.items():
        if "evaluated_at >=" in query and "evaluated_at <" in query:
            assert len(plan.partitions["evaluations"]) <= 3, query
        if "positions" in plan.partitions:
            assert len(plan.partitions["positions"]) <= 3, query


async def test_alerts_are_counted_from_an_index(crowded: str) -> None:
    """What the function counted_alerts asks stands in no plan of ours: PostgreSQL tells how often it has read a table as a whole."""
    connection = await connect(crowded)
    days: dict[str, Any] = {"began_from_us": NOW_US - 31 * US_PER_DAY, "began_to_us": NOW_US}
    async with connection.transaction():
        await connection.execute(EVERYWHERE.sql())
        for units in (None, ("O7",), tuple(f"O{k}" for k in range(0, 100, 2))):
            for wanted in (
                AlertFilter(units=units, **days),
                AlertFilter(units=units, finding="violation", **days),
                AlertFilter(units=units, unread=True, **days),
            ):
                assert (await counts.grouped(connection, wanted, "vehicle", limit=10)).totals.alerts > 0
            found = await counts.facets(connection, AlertFilter(units=units), most=1_000)
            assert found.counts.alerts == 1_001
            assert found.more
        await connection.execute("RESET ROLE")
        whole = await connection.fetchval(
            "SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'alerts'"
        )
        by_index = await connection.fetchval("SELECT pg_stat_get_xact_numscans('alerts_counted'::regclass)")
    await connection.close()
    assert whole == 0
    assert by_index >= 4  # of a rare finding, and of one unit, another index may be better


async def test_who_has_read_almost_all_waits_no_longer(crowded: str) -> None:
    """Of what is unread a page looks at so many alerts and no more; who goes on misses none."""
    owner = await connect(crowded)
    token = await create_token(owner, "reader", ["alerts:read"])
    newest = await owner.fetch(
        "SELECT id FROM alerts ORDER BY detected_at DESC, id LIMIT $1", MOST_LOOKED_AT * 2 + 120
    )
    ids = [row["id"] for row in newest]
    await owner.execute(
        "INSERT INTO alert_reads (reader, alert, version) SELECT $1, unnest($2::text[]), 1", f"token:{token.id}", ids[: MOST_LOOKED_AT * 2]
    )  # fmt: skip
    async with listening(crowded) as (pool, _):
        transport = httpx.ASGITransport(create_app(Settings(), pool, position_sink=None))
        headers = {"Authorization": f"Bearer {token.secret}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
            found, cursor, pages = list[str](), dict[str, str](), 0
            while len(found) < 100:
                page = (
                    await client.get("/v1/alerts", params={"unread": "true", "limit": "50"} | cursor)
                ).json()
                found, pages = found + [one["id"] for one in page["items"]], pages + 1
                cursor = {"cursor": page["next"]}
    await owner.execute("DELETE FROM alert_reads WHERE reader = $1", f"token:{token.id}")
    await owner.close()
    assert found == ids[MOST_LOOKED_AT * 2 :][:100]
    assert 3 <= pages <= 5


async def test_a_list_without_an_index_is_found(crowded: str) -> None:
    """That this module can fail."""
    async with listening(crowded) as (pool, asked):
        for query in (
            "SELECT * FROM alerts WHERE plate = $1",
            "SELECT count(*) FROM evaluations WHERE reason = $1",
            "SELECT max(body::text) FROM evidence WHERE $1 <> ''",
        ):
            await pool.fetch(query, "x")
    found = await plans(crowded, asked)
    assert all(plan.whole for plan in found.values())
    assert len(found) == 3
    with pytest.raises(AssertionError, match="Seq Scan on alerts"):
        await refuse_scans(crowded, asked)


# --- what the processes ask again and again


async def test_housekeeping_looks_for_what_is_old_by_an_index(crowded: str, tmp_path: Path) -> None:
    async with listening(crowded) as (pool, asked):
        clock = [NOW_US]
        reader = EmbeddedLogReader(tmp_path / "log.sqlite", POSITIONS)
        archive = Archive(retention_days=400, now_us=lambda: clock[0])
        keeper = Housekeeping(pool, archive, reader, lambda: clock[0])
        clock[0] += AGAIN_US
        await keeper.turn({})
        await reader.close()
    assert any(query.startswith("DELETE FROM vehicle_day_states") for query in asked.queries)
    assert any(query.startswith("DELETE FROM navigation_routes") for query in asked.queries)
    # Once an hour it deletes a day of changes, of a few days that are kept: that is a part of the table for which reading it is right.
    await refuse_scans(crowded, asked, allowed=["WITH last AS (SELECT max(number)"])


ORDERS: Final = [f"P{k}" for k in range(50_000, 50_010)]


async def test_the_worker_finds_what_it_needs_by_an_index(crowded: str) -> None:
    vehicles = list(range(100, 120))
    async with listening(crowded) as (pool, asked), pool.acquire() as conn:
        await results.load_results(conn, ORDERS)
        await results.unsettled_orders(conn, NOW_US, None, 1)
        await results.unsettled_orders(conn, NOW_US, vehicles, 100)
        await feed.alerts_of_vehicles(conn, "location", vehicles, NOW_US - 30 * US_PER_DAY)
        await feed.suspected_of_orders(conn, "destination", ORDERS)
        await evaluations_of(conn, "destination", [f"order:{order}" for order in ORDERS])
        await feed.feed_end(conn)
        await feed.read_feed(conn, 900_000, 100)
        await with_evidence(conn, None, 0, 100)
        await with_evidence(conn, "mileage", 500_000, 100)
        await feed.evidence_body(conn, "00" * 32)
        async with conn.transaction():
            await feed.publish_feed(conn, await publish(conn, []))
            await states.drop_day_states(conn, NOW_US // US_PER_DAY - 90)
        await recomputations.take(conn, None, 64)
        await recomputations.next_vehicles(conn, vehicles, 64)
        await recomputations.waiting(conn, vehicles)
        await recomputations.count_failed(conn)
        await recomputations.failed(conn)
        await recomputations.try_again(conn, vehicles)
        async with conn.transaction():
            await recomputations.note(conn, recomputations.Urgency.FACT, dict.fromkeys(vehicles, NOW_US))
            await recomputations.put_off(conn, {vehicles[0]: NOW_US}, "x", anew=False)
            await due.delete_due(conn, [c.seq for c in await due.take_due(conn, vehicles, 100)])
            await due.take_due(conn, None, 100)
            await due.due_vehicles(conn, 100)
            await due.tell_owners(conn, [(no, from_us(NOW_US)) for no in vehicles])
        await due.spread(conn)
        await quarantine.asked(conn, 1_000)
        await quarantine.entries(conn, 500, 70_000)
        await quarantine.entry(conn, 17)
        await quarantine.ask(conn, [17, 18])
        await quarantine.drop_expired(conn, NOW_US - 400 * US_PER_DAY)
        await Archive().last_positions(conn, vehicles)
        await Archive().track(conn, [(no, NOW_US - US_PER_DAY, NOW_US) for no in vehicles])
        cold_day = NOW_US // US_PER_DAY - 100
        assert len(await catalogue.files_of(conn, cold_day, cold_day + 30, vehicles)) == 31
        assert await catalogue.first_day(conn) is not None
        await catalogue.left(conn, writing=True)
    await refuse_scans(crowded, asked)


#: One changed fact of every kind. A parameter and a day of the calendar concern a time: from yesterday on.
CHANGES: Final = [
    Change(seq, kind, subject, NOW_US - US_PER_DAY)
    for seq, (kind, subject) in enumerate(
        (
            ("order", "P50000"), ("result", "P50001"), ("track", "V17"), ("vehicle", "V18"), ("plate", "苏F19"), ("card", "C20"),
            ("card_binding", "C21"), ("transaction", "T199990"), ("fills", "C22"), ("station", "S7"), ("violation", "X99990"),
            ("offences", "苏F23"), ("parameter", "mileage"), ("parameter", "card_use"), ("parameter", "card_binding"),
            ("parameter", "traffic_violations"), ("parameter", "off_hours"), ("parameter", "sealed"), ("parameter", "tank"),
            ("parameter", "parking"), ("parameter", "route"), ("parameter", "idle_rental"), ("rental", "Z1"), ("seal", "V24"), ("maintenance", "V25"), ("fence", "F1"), ("order_times", "P50002"), ("calendar", from_us(NOW_US).date().isoformat()),
        ),
        1,
    )
]  # fmt: skip


async def test_the_judge_finds_what_it_needs_by_an_index(crowded: str) -> None:
    async with listening(crowded) as (pool, asked), pool.acquire() as conn:
        navigator = CachedNavigator(Osrm("http://127.0.0.1:9", limits=Limits(timeout_s=1, concurrency=1)))
        await navigator.routes(conn, [((32_000_000, 120_900_000), (32_100_000, 120_900_000))])
        context = Context(
            conn=conn, archive=Archive(), navigator=navigator, calendar=Calendar({}), parameters=(), now_us=NOW_US,
            known_us=NOW_US,
        )  # fmt: skip
        await queue.backlog(conn, NOW_US)
        await queue.take_changes(conn, 10)
        for gatherer in GATHERERS:
            keys = await gatherer.affected(context, CHANGES)
            await gatherer.by_clock(context, NOW_US - US_PER_DAY, NOW_US)
            await queue.due_keys(conn, gatherer.name, NOW_US, 10)
            await gatherer.judge(context, sorted(keys)[:20])
        await feed.suspected_of_cards(conn, ["card_binding", "refuel_frequency"], ["C17", "C18"])
        await feed.suspected_subjects(conn, traffic_violations.RULE)
        await navigator.close()
    await refuse_scans(crowded, asked)
