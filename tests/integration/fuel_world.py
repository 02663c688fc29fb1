"""Cards, trips and fills in a real database, and a judge's loop in small, for the tests of the rules about fuel."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg

from registry.parameter_values import load_parameters
from rules.alerts.feed import evidence_of, publish_feed
from rules.alerts.model import Alert, alert_id
from rules.alerts.publish import publish
from rules.checks.card_binding import day_us
from rules.judge import queue
from rules.judge.context import Change, Context, Gatherer, Later
from runtime.connection import Connection
from runtime.units import from_us
from telemetry.archive.store import Archive

S = 1_000_000
MIN, HOUR, DAY = 60 * S, 3600 * S, 86_400 * S


def china(text: str) -> int:
    """``2026-03-02`` or ``2026-03-02 08:30`` in Shanghai, microseconds since 1970 UTC."""
    midnight = day_us(text[:10])
    assert midnight is not None
    return midnight + (int(text[11:13]) * HOUR + int(text[14:16]) * MIN if len(text) > 10 else 0)


class FuelWorld:
    """One organisation. Times are microseconds since 1970 UTC; ``now_us`` is the clock."""

    def __init__(self, pool: asyncpg.Pool, now_us: int) -> None:
        self.pool, self.now_us = pool, now_us
        self.later: dict[str, Later] = {}

    async def build(self) -> None:
        await self.sql("INSERT INTO organisations (id, name) VALUES ('O1', '某局')")

    async def sql(self, text: str, *values: Any) -> None:
        await self.pool.execute(text, *values)

    def time(self, us: int | None) -> datetime | None:
        return None if us is None else from_us(us)

    async def vehicle(
        self, id: str, plate: str, *, energy: str = "petrol", registered: Any = None, disposed: Any = None
    ) -> None:
        await self.sql(
            "INSERT INTO vehicles (id, plate, organisation, category, energy, registered_on, disposed_on)"
            " VALUES ($1, $2, 'O1', '轿车', $3, $4, $5)",
            id, plate, energy, registered, disposed,
        )  # fmt: skip

    async def driver(self, id: str) -> None:
        await self.sql("INSERT INTO drivers (id, name, organisation) VALUES ($1, '张' || $1, 'O1')", id)

    async def card(self, id: str, *bindings: tuple[str, int, int | None], **more: Any) -> None:
        await self.sql(
            "INSERT INTO fuel_cards (id, organisation, status, opened_on, closed_on, created_at)"
            " VALUES ($1, 'O1', $2, $3, $4, $5)",
            id, more.get("status", "active"), more.get("opened"), more.get("closed"), self.time(self.now_us - 60 * DAY),
        )  # fmt: skip
        for plate, since, until in bindings:
            await self.sql(
                "INSERT INTO card_bindings VALUES ($1, $2, $3, $4)",
                id,
                plate,
                self.time(since),
                self.time(until),
            )

    async def fill(self, id: str, card: str, at: int, quantity: int | None = 40_000, **more: Any) -> None:
        await self.sql(
            "INSERT INTO fuel_transactions (id, card, at, kind, energy, quantity, amount_fen, station_name, reverses, product,"
            " posted) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            id, card, self.time(at), more.get("kind", "fill"), more.get("energy", "fuel"), quantity,
            more.get("amount"), more.get("station", "一站"), more.get("reverses"), more.get("product", ""),
            more.get("posted", False),
        )  # fmt: skip

    async def order(self, id: str, vehicle: str, start: int, end: int, *, driver: str | None = None, status: str = "returned",
                    actual: bool = True) -> None:  # fmt: skip
        """A new version of an order; ``actual``: departure and return are the actual ones, where the status has them."""
        version = 1 + await self.pool.fetchval(
            "SELECT COALESCE(max(version), 0) FROM dispatch_orders WHERE id = $1", id
        )
        await self.sql(
            "INSERT INTO dispatch_orders (id, version, organisation, vehicle, driver, task_type, status, destinations,"
            " planned_departure, planned_return, actual_departure, actual_return)"
            " VALUES ($1, $2, 'O1', $3, $4, 'official', $5, '[]', $6, $7, $8, $9)",
            id, version, vehicle, driver, status, self.time(start - 7 * MIN if actual else start), self.time(end),
            self.time(start) if actual and status != "approved" else None, self.time(end) if status == "returned" else None,
        )  # fmt: skip

    async def result(
        self,
        order: str,
        mileage_mm: int,
        *,
        fixes: int = 9,
        state: str = "settled",
        seen: tuple[int, int] | None = None,
    ) -> None:
        """``seen``: its first and last fix; None: from departure to return."""
        first, last = (None, None) if seen is None else seen
        await self.sql(
            "INSERT INTO order_results (order_id, order_version, vehicle_no, state, mileage_mm, bridged_mm, fixes,"
            " first_fix_at, last_fix_at, destinations, returned_at, carried, computed_at)"
            " SELECT o.id, o.version, v.no, $3, $2, 0, $4, COALESCE($5, o.actual_departure, o.planned_departure),"
            " COALESCE($6, o.actual_return), '[]', o.actual_return, '', now() FROM current_dispatch_orders o JOIN vehicles v ON v.id = o.vehicle WHERE o.id = $1"
            " ON CONFLICT (order_id) DO UPDATE SET order_version = EXCLUDED.order_version, vehicle_no = EXCLUDED.vehicle_no,"
            " state = EXCLUDED.state, mileage_mm = EXCLUDED.mileage_mm, fixes = EXCLUDED.fixes, returned_at = EXCLUDED.returned_at,"
            " first_fix_at = EXCLUDED.first_fix_at, last_fix_at = EXCLUDED.last_fix_at",
            order, mileage_mm, state, fixes, self.time(first), self.time(last),
        )  # fmt: skip

    async def parameter(self, rule: str, name: str, value: int, since: int = 0) -> None:
        await self.sql(
            "INSERT INTO rule_parameters (rule, name, value, effective_from) VALUES ($1, $2, $3, $4)",
            rule, name, value, self.time(since),
        )  # fmt: skip

    async def context(self, conn: Connection) -> Context:
        unused: Any = None
        return Context(
            conn, Archive(now_us=lambda: self.now_us), unused, unused, await load_parameters(conn), self.now_us, self.now_us
        )  # fmt: skip

    async def changes(self, gatherer: Gatherer) -> list[str]:
        """Take the changed facts; the keys that are due. The others are kept in ``later``."""
        async with self.pool.acquire() as conn, conn.transaction():
            taken, place = await queue.take_changes(conn, 100_000)
            keys = await gatherer.affected(await self.context(conn), [Change(*row) for row in taken])
            if place is not None:
                await queue.changes_taken(conn, place)
        due = sorted(k for k, at in keys.items() if at <= self.now_us)
        self.later |= {k: Later(at, "") for k, at in keys.items() if at > self.now_us}
        return due

    async def judge(self, gatherer: Gatherer, keys: Sequence[str]) -> list[Alert]:
        """Judge and publish; the alert versions that it wrote."""
        async with self.pool.acquire() as conn, conn.transaction():
            found = await gatherer.judge(await self.context(conn), list(keys))
            written = await publish(conn, found.judgements)
            await publish_feed(conn, written)
        self.later = {k: v for k, v in self.later.items() if k not in keys} | found.later
        return written

    async def work(self, gatherer: Gatherer) -> list[Alert]:
        """What the changed facts come to, once."""
        return await self.judge(gatherer, await self.changes(gatherer))

    async def by_clock(self, gatherer: Gatherer, since: int) -> dict[str, int]:
        async with self.pool.acquire() as conn, conn.transaction():
            return await gatherer.by_clock(await self.context(conn), since, self.now_us)

    async def everything(self, gatherer: Gatherer) -> list[str]:
        async with self.pool.acquire() as conn, conn.transaction():
            return await gatherer.between(await self.context(conn), 0, self.now_us)

    async def stored(self) -> dict[tuple[str, str], Any]:
        """The newest evaluation of every subject."""
        rows = await self.pool.fetch(
            "SELECT DISTINCT ON (rule, subject) * FROM evaluations ORDER BY rule, subject, id DESC"
        )
        return {(r["rule"], r["subject"]): r for r in rows}

    async def evidence(self, rule: str, subject: str) -> bytes:
        async with self.pool.acquire() as conn:
            kept = await evidence_of(conn, alert_id(rule, subject))
        assert kept is not None
        return kept.body
