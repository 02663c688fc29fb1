"""Lists of alerts that overlap a time: whatever they are ordered by, and in pages of any size, they have what a plain reading of the rows
has, each alert once: short and long ones, without an end, detected at once and months later."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import pytest

from office.identity.scope import Reach
from rules.alerts.listing import AlertPage, Order, Place, page_of_alerts
from rules.alerts.model import AlertFilter, Status
from runtime.units import to_us

_BEGIN: Final = datetime(2026, 3, 2, tzinfo=UTC)
_COUNT: Final = 300
_INSERT: Final = """
INSERT INTO alerts (id, rule, subject, vehicle_no, version, status, severity, organisation, vehicle, plate, occurred_from, occurred_to,
    detected_at, updated_at) VALUES ($1, 'location', $1, 1, 1, $2, $3, $4, 'V', '苏F00001', $5, $6, $7, $7)
"""
_VERSION: Final = """
INSERT INTO alert_versions (alert_id, version, body, evidence_sha256, created_at)
    SELECT id, 1, jsonb_build_object('id', id, 'rule', rule, 'rule_version', 1, 'version', 1, 'status', status, 'severity', severity,
        'organisation', organisation, 'vehicle', vehicle, 'plate', plate, 'driver', null, 'order', null, 'occurred_from', occurred_from,
        'occurred_to', occurred_to, 'detected_at', detected_at, 'summary', '疑似', 'measures', '{}'::jsonb, 'parameters', '{}'::jsonb,
        'evidence_hash', repeat('00', 32), 'withdrawal_reason', null), '', detected_at FROM alerts
"""


def _rows(rng: random.Random) -> Iterator[tuple[Any, ...]]:
    """Times on a grid of 6 hours, so that many are equal and many are exactly at an end."""
    for k in range(_COUNT):
        began = _BEGIN + timedelta(hours=6 * rng.randrange(200))
        lasts = rng.choice([0, 0, 0, 1, 3, 4, 5, 30, 150, None])
        late = rng.choice([0, 0, 0, 1, 4, 7, 8, 9, 60, 180])
        ended = None if lasts is None else began + timedelta(hours=6 * lasts)
        status = "withdrawn" if rng.random() < 0.2 else "suspected"
        severity = rng.choice(["low", "medium", "high"])
        yield (
            f"a{k:03}",
            status,
            severity,
            f"O{rng.randrange(3)}",
            began,
            ended,
            began + timedelta(hours=6 * late),
        )


async def _whole(
    conn: asyncpg.Connection, wanted: AlertFilter, order: Order, size: int, units: list[str] | None
) -> list[str]:
    """All pages, one after the other."""
    found: list[str] = []
    after: Place | None = None
    while True:
        page: AlertPage = await page_of_alerts(
            conn, wanted, limit=size, order=order, after=after, units=units
        )
        found += [one.alert.id for one in page.alerts]
        after = page.next
        if after is None:
            return found


@pytest.mark.parametrize("who", [None, "O1"])
async def test_what_overlaps_a_time_is_listed_once(pool: asyncpg.Pool, who: str | None) -> None:
    rng = random.Random(17)
    rows = list(_rows(rng))
    async with pool.acquire() as conn:
        await conn.execute(
            "INSERT INTO organisations (id, name) VALUES ('O0', 'O0'), ('O1', 'O1'), ('O2', 'O2')"
        )
        await conn.execute("SET session_replication_role = replica")
        await conn.executemany(_INSERT, rows)
        await conn.execute(_VERSION)
        await conn.execute("RESET session_replication_role")
        for _ in range(40):
            since = rng.choice([None, _BEGIN + timedelta(hours=6 * rng.randrange(220))])
            until = rng.choice([None, (since or _BEGIN) + timedelta(hours=6 * rng.choice([1, 4, 28, 120]))])
            status: Status | None = rng.choice([None, "withdrawn", "suspected"])
            order = Order(rng.choice(["detected", "occurred", "severity"]), rng.random() < 0.5)
            wanted = AlertFilter(
                status=status,
                from_us=None if since is None else to_us(since),
                to_us=None if until is None else to_us(until),
            )
            expected = {
                row[0]
                for row in rows
                if (status in (None, row[1]))
                and (who in (None, row[3]))
                and (since is None or row[5] is None or row[5] >= since)
                and (until is None or row[4] < until)
            }
            async with conn.transaction(readonly=True):
                await conn.execute(Reach(None if who is None else frozenset({who}), "token:t").sql())
                found = await _whole(
                    conn, wanted, order, rng.choice([1, 7, 50, 500]), None if who is None else [who]
                )
            assert len(found) == len(set(found)), (since, until, order)
            assert set(found) == expected, (since, until, order)
            if order.by != "severity":
                column = 4 if order.by == "occurred" else 6
                by_id = {row[0]: row[column] for row in rows}
                times = [by_id[one] for one in found]
                assert times == sorted(times, reverse=not order.ascending), (since, until, order)
