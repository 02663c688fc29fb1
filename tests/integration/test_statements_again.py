"""Exports of the same records that differ: in seconds, amounts, numbers and what was decided since. PostgreSQL."""

# ruff: noqa: F811 - fixtures are imported
from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import pytest

from registry.statements import importer
from tests.integration.test_api_registry import client, fleet  # noqa: F401 - fixtures
from tests.integration.test_business_facts import office  # noqa: F401 - the fixture
from tests.integration.test_statements import EXPORT, VIOLATIONS, counts, rows, send, text

PLAIN = "卡号,交易时间,交易类型,数量,流水号"
PAID = PLAIN + ",金额"
AT = datetime(2026, 3, 2, 0, 5, 9, tzinfo=UTC)


def fill(clock: str, number: str = "", litres: str = "45.32") -> str:
    return f"c1,2026-03-02 {clock},加油,{litres},{number}"


def offence(
    clock: str, status: str = "未处理", number: str = "", act: str = "闯红灯", plate: str = "苏F00001"
) -> str:
    return f"{plate},2026-03-02 {clock},人民路,{act},200,6,{status},{number}"


async def export(office: httpx.AsyncClient, *lines: str) -> dict[str, int]:
    return counts(await send(office, text(*lines, header=VIOLATIONS), EXPORT))


@pytest.mark.parametrize("number", ["", "N1"])
async def test_a_file_that_lost_its_seconds(
    office: httpx.AsyncClient, pool: asyncpg.Pool, number: str
) -> None:
    """In either order: two records, each with its seconds, and no third one."""
    exact = text(fill("08:05:09", number), fill("08:05:40", number and "N2"), header=PLAIN)
    short = text(fill("8:05", number), fill("8:05", number and "N2"), header=PLAIN)
    for first, second, again in ((exact, short, "unchanged"), (short, exact, "updated")):
        await pool.execute("TRUNCATE fuel_transactions")
        assert counts(await send(office, first)) == {"rows": 2, "created": 2}
        assert counts(await send(office, second)) == {"rows": 2, again: 2}
        stored = await pool.fetch("SELECT at FROM fuel_transactions ORDER BY at")
        assert [r["at"] for r in stored] == [AT, AT.replace(second=40)]
        for data in (first, second, first):
            assert counts(await send(office, data)) == {"rows": 2, "unchanged": 2}
    # Seconds that differ are two moments; what differs in more than its seconds is another record.
    other = text(fill("08:05:10"), fill("08:06:00"), fill("8:05", litres="45.33"), header=PLAIN)
    assert counts(await send(office, other)) == {"rows": 3, "created": 3}
    taken = text(fill("08:05:10", "N1"), fill("08:06", "N2"), header=PLAIN)
    if number:
        assert counts(await send(office, taken)) == {"rows": 2, "refused": 2}


async def test_a_file_without_amounts(office: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    plain = text(fill("08:05:09"), fill("08:07:09"), header=PLAIN)
    paid = text(fill("08:05:09") + ",357.57", fill("8:07") + ",300", header=PAID)
    for first, second, again in (
        (paid, plain, {"unchanged": 1, "updated": 1}),
        (plain, paid, {"updated": 2}),
    ):
        await pool.execute("TRUNCATE fuel_transactions")
        await send(office, first)
        assert counts(await send(office, second)) == {"rows": 2} | again
        stored = await pool.fetch("SELECT at, amount_fen FROM fuel_transactions ORDER BY at")
        assert [tuple(r) for r in stored] == [(AT, 35757), (AT.replace(minute=7), 30000)]
    assert counts(await send(office, text(fill("08:05:09") + ",300", header=PAID))) == {
        "rows": 1,
        "created": 1,
    }


async def test_the_likest_rows_find_each_other(
    office: httpx.AsyncClient, pool: asyncpg.Pool, monkeypatch: Any
) -> None:
    """Whatever the order, and however the file is cut: a row that is only like another takes nothing from it."""
    lines = [fill(clock, f"N{n}") for n, clock in enumerate(("08:05:09", "08:05:40", "08:05:41"))]
    await send(office, text(*lines, header=PLAIN))
    before = await rows(pool)
    unnumbered = [fill("08:05"), *(line.rpartition(",")[0] + "," for line in lines[1:])]
    for size in (1, 2, 100):
        monkeypatch.setattr(importer, "CHUNK", size)
        for order in (unnumbered, unnumbered[::-1]):
            assert counts(await send(office, text(*order, header=PLAIN))) == {"rows": 3, "unchanged": 3}
    assert await rows(pool) == before


async def test_violations_that_lost_their_seconds_or_changed_their_number(
    office: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    assert await export(office, offence("08:05:09", number="V1")) == {"rows": 1, "created": 1}
    for clock in ("08:05:09", "8:05"):
        assert await export(office, offence(clock)) == {"rows": 1, "unchanged": 1}
    # After handling, the export has the number of the decision.
    assert await export(office, offence("08:05:09", "已处理", "D1")) == {"rows": 1, "updated": 1}
    for line in (offence("8:05", "已处理", "D1"), offence("08:05", number="V1")):
        assert await export(office, line) == {"rows": 1, "unchanged": 1}
    (stored,) = await pool.fetch("SELECT id, at, status FROM violations")
    assert tuple(stored) == ("V1", AT, "handled")
    # Another act, another minute, another second are others; so are two numbers of one file.
    for line in (offence("08:05:09", act="超速"), offence("08:06"), offence("08:05:10", number="V2")):
        assert await export(office, line) == {"rows": 1, "created": 1}
    both = offence("09:05", number="N1"), offence("09:05", number="N2")
    assert await export(office, *both) == {"rows": 2, "created": 2}
    assert await export(office, *(line.replace(",N", ",D") for line in both)) == {"rows": 2, "unchanged": 2}
    assert await export(office, *both) == {"rows": 2, "unchanged": 2}


async def test_an_older_export_undoes_no_decision(office: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    march = offence("08:05:09", "已处理", "V1")
    await export(office, march)
    record = (await office.get("/v1/violations/V1")).json()
    body = {name: record[name] for name in ("plate", "at", "place", "act", "fine", "points", "source")}
    for decided in ("appealed", "revoked"):
        assert (await office.put("/v1/violations/V1", json=body | {"status": decided})).status_code == 200
        before = await rows(pool, "violations")
        for old in (march, offence("08:05", "未处理", "V1"), offence("08:05:09", "已处理")):
            assert await export(office, old) == {"rows": 1, "unchanged": 1}
        assert await rows(pool, "violations") == before
    # Only the office itself takes that back.
    assert (await office.put("/v1/violations/V1", json=body | {"status": "handled"})).json()[
        "outcome"
    ] == "updated"
    assert await export(office, offence("08:05:09", "已处理(已撤销)", "V1")) == {"rows": 1, "updated": 1}
    assert await pool.fetchval("SELECT status FROM violations") == "revoked"
