"""Reconciliation over HTTP, by several people, on a real PostgreSQL: a run is frozen, people match by hand, nobody else sees it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import openpyxl
import pytest

from api.app import create_app
from api.auth.cookies import COOKIE, CSRF_HEADER
from office.identity import sessions
from office.identity.subject import Role
from runtime.settings import Settings
from tests.integration.test_costs import CostSite

PEOPLE = {
    "money": (Role.FINANCE, "jsj"), "treasury": (Role.FINANCE, "city"), "garage": (Role.UNIT_ADMINISTRATOR, "jsj"), "audit": (Role.AUDITOR, "city"),
    "other": (Role.FINANCE, "wsj"),
}  # fmt: skip
HEAD = "单位,会计期间,凭证日期,凭证号,摘要,科目编号,部门经济分类,借方金额,贷方金额,往来单位\n"
FILE = HEAD + "\n".join(
    [
        "建设局,202603,2026-03-12,记-1,付中石化油费,5001,30231,350.00,,中石化城东站",
        "建设局,202604,2026-04-02,记-2,付停车费,5001,30231,80.00,,人民路停车场",
        "jsj,202603,2026-03-15,记-3,发票 26000000000000000009 洗车,5001,30231,55.00,,某洗车行",
        "jsj,202603,2026-03-20,记-4,付不明费用,5001,30231,999.00,,某公司",
        "jsj,202603,2026-03-28,记-5,付轮胎款,5001,30231,700.00,,轮胎店乙",
        "jsj,202604,2026-04-15,记-6,付结〔2026〕03-pool-jsj-01号,5001,30239,1200.00,,公务出行平台",
        "jsj,202604,2026-04-15,记-6,付结〔2026〕03-pool-jsj-01号,1002,,,1200.00,",
        "合计,,,,,,,3384.00,1200.00,",
    ]
)
ENTRIES = [
    # id, unit, vehicle, day, amount, vendor, invoice
    ("FY-FUEL", "jsj", "car-1", "2026-03-10", 35_000, "中石化城东站", ""), ("FY-PARK", "jsj", "car-1", "2026-03-28", 8_000, "人民路停车场", ""),
    ("FY-WASH", "jsj", "car-1", "2026-03-14", 5_000, "某洗车行", "26000000000000000009"), ("FY-TYRE", "jsj", "car-1", "2026-03-26", 70_000, "轮胎店甲", ""),
    ("FY-TOLL", "jsj", "car-s", "2026-03-09", 2_500, "沿江高速", ""), ("FY-ELSE", "wsj", "car-w", "2026-03-10", 35_000, "中石化城东站", ""),
]  # fmt: skip


@pytest.fixture
async def money(pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[CostSite]:
    units = (
        ("city", "市", None),
        ("jsj", "建设局", "city"),
        ("wsj", "卫生局", "city"),
        ("pool", "公务出行平台", "city"),
    )
    await pool.executemany("INSERT INTO organisations (id, name, parent) VALUES ($1, $2, $3)", units)
    await pool.execute(
        "INSERT INTO vehicles (id, plate, organisation, secret) VALUES ('car-1', '苏F12341', 'jsj', false), ('car-s', '苏F12349', 'jsj', true),"
        " ('car-w', '苏F12348', 'wsj', false)"
    )
    await pool.executemany(
        "INSERT INTO users (id, name, created_by) VALUES ($1, $1, 'test')", [(n,) for n in PEOPLE]
    )
    await pool.executemany(
        "INSERT INTO role_grants (user_id, role, organisation, valid_from, granted_by) VALUES ($1, $2, $3, now() - interval '1 day', 'test')",
        [(name, role, unit) for name, (role, unit) in PEOPLE.items()],
    )
    await pool.executemany(
        "INSERT INTO cost_entries (id, organisation, kind, vehicle, occurred_on, period, amount_fen, vendor, invoice_no, payer, source, version, created_at)"
        " VALUES ($1, $2, 'washing', $3, $4::text::date, replace(left($4, 7), '-', ''), $5, $6, $7, 'unit', 'entered', 1, now())",
        ENTRIES,
    )
    await pool.execute(
        "INSERT INTO cost_statements (id, number, organisation, platform, units, period, take, state, version, total_fen, lines, by_cost_centre, tariff_versions,"
        " object_by, made_by, drawn_at, confirmed_at) VALUES ('JS-1', '结〔2026〕03-pool-jsj-01号', 'jsj', 'pool', '{jsj,pool}', '202603', 1, 'confirmed', 2,"
        " 120000, 1, '{}', '{1}', now(), '{user:x}', '2026-04-01Z', '2026-04-08Z')"
    )
    async with pool.acquire() as connection:
        visit = sessions.Visit("10.1.2.3", "test")
        secrets = {
            n: (await sessions.begin(connection, n, "password", visit, timedelta(hours=1))).secret
            for n in PEOPLE
        }
    transport = httpx.ASGITransport(
        create_app(Settings(data_dir=tmp_path), pool, position_sink=None), client=("10.1.2.3", 4)
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield CostSite(client, pool, secrets)


async def send(site: CostSite, who: str, data: str | bytes, status: int = 201, **query: str) -> Any:
    secret = site._secrets[who]
    response = await site.client.post(
        "/v1/reconciliations", params={"organisation": "jsj", "since": "202603", "until": "202604"} | query,
        content=data.encode("gbk") if isinstance(data, str) else data,
        headers={"Cookie": f"{COOKIE}={secret}", CSRF_HEADER: sessions.csrf_token(secret), "Content-Type": "text/csv"},
    )  # fmt: skip
    assert response.status_code == status, response.text
    return response.json()


async def matching(site: CostSite, run: str, body: Any) -> int:
    secret = site._secrets["money"]
    headers = {"Cookie": f"{COOKIE}={secret}", CSRF_HEADER: sessions.csrf_token(secret)}
    return (
        await site.client.post(f"/v1/reconciliations/{run}:match", json=body, headers=headers)
    ).status_code


async def lines(site: CostSite, run: str, who: str = "money", **query: str) -> Any:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    return await site.ask(who, "GET", f"reconciliations/{run}/lines?{asked}")


async def test_a_run_is_frozen_and_people_match_what_is_left(money: CostSite) -> None:
    run = await send(money, "money", FILE, source="三月凭证.csv")
    assert run["counts"]["rows"] == {
        "read": 8,
        "totals": 1,
        "closings": 0,
        "other_periods": 0,
        "other_costs": 1,
    }
    found = {
        line["number"] if line["item"] is None else line["item"]: line
        for line in (await lines(money, run["id"]))["items"]
    }
    assert {name: line["outcome"] for name, line in found.items()} == {
        "记-1": "matched", "FY-FUEL": "matched", "记-2": "period", "FY-PARK": "period", "记-3": "amount", "FY-WASH": "amount", "记-4": "finance_only",
        "记-5": "finance_only", "FY-TYRE": "platform_only", "记-6": "matched", "JS-1": "matched", "FY-TOLL": "platform_only",
    }  # fmt: skip
    # Of the secret vehicle nothing stands there but that it is not booked.
    assert (found["FY-TOLL"]["number"], found["FY-TOLL"]["counterpart"], found["FY-TOLL"]["day"]) == (
        "涉密",
        "",
        None,
    )
    # The same again is the same, and each is kept.
    again = await send(money, "money", FILE)
    assert (again["result_sha256"], again["items_sha256"]) == (run["result_sha256"], run["items_sha256"])
    page = await money.ask("audit", "GET", "reconciliations?limit=1")
    assert page["items"][0]["id"] == again["id"]
    assert (await money.ask("audit", "GET", f"reconciliations?limit=1&cursor={page['next']}"))["items"][0][
        "id"
    ] == run["id"]

    # By number, in their order; of another run's numbers nothing.
    two = [found["FY-TYRE"]["no"], found["记-5"]["no"]]
    by_number = await money.ask("audit", "GET", f"reconciliations/{run['id']}/lines", params={"no": two})
    assert [line["no"] for line in by_number["items"]] == sorted(two)
    assert (await money.ask("audit", "GET", f"reconciliations/{run['id']}/lines", params={"no": [99_999]}))[
        "items"
    ] == []
    for wrong in ([0], [2**31], list(range(1, 102))):
        await money.ask(
            "audit", "GET", f"reconciliations/{run['id']}/lines", params={"no": wrong}, status=422
        )

    # By hand: the tyres were booked under another name. Of two who do it at once one is told.
    pair = sorted((found["记-5"]["no"], found["FY-TYRE"]["no"]))
    body = {"version": 0, "lines": pair, "reason": "轮胎店已更名，发票为证"}
    assert sorted(await asyncio.gather(*(matching(money, run["id"], body) for _ in range(2)))) == [200, 409]
    changed = await money.ask("money", "GET", f"reconciliations/{run['id']}")
    assert (changed["version"], changed["counts"], changed["result_sha256"]) == (
        1,
        run["counts"],
        run["result_sha256"],
    )
    assert [line["no"] for line in (await lines(money, run["id"], outcome="matched"))["items"]].count(
        pair[0]
    ) == 1
    first = await lines(money, run["id"], outcome="matched", side="finance", limit="1")
    following = await lines(
        money, run["id"], outcome="matched", side="finance", limit="1", cursor=first["next"]
    )
    assert first["items"][0]["no"] < following["items"][0]["no"]
    for given, status in (
        (body, 409), (body | {"version": 1}, 422), (body | {"version": 1, "lines": [pair[0], 99]}, 422),
        ({"version": 1, "lines": [found["记-4"]["no"], found["记-4"]["no"]], "reason": "说明理由五字"}, 422),
        ({"version": 1, "lines": [found["记-4"]["no"], found["FY-TOLL"]["no"]], "reason": "少"}, 422),
    ):  # fmt: skip
        await money.ask("money", "POST", f"reconciliations/{run['id']}:match", given, status)
    # Released, and again; also what the run itself had matched.
    free = await money.ask(
        "money",
        "POST",
        f"reconciliations/{run['id']}:release",
        {"version": 1, "line": pair[0], "reason": "查明不是同一笔"},
    )
    assert (free["version"], free["acts"][1]["body"]["lines"]) == (2, pair)
    await money.ask(
        "money",
        "POST",
        f"reconciliations/{run['id']}:release",
        {"version": 2, "line": pair[0], "reason": "再来一次看看"},
        422,
    )
    of_run = await money.ask(
        "money",
        "POST",
        f"reconciliations/{run['id']}:release",
        {"version": 2, "line": found["JS-1"]["no"], "reason": "付的是另一单位"},
    )
    assert of_run["acts"][2]["body"]["lines"] == sorted((found["记-6"]["no"], found["JS-1"]["no"]))
    assert {(each["side"], each["outcome"]): each["lines"] for each in of_run["standing"]}[
        "finance", "finance_only"
    ] == 3

    secret = money._secrets["audit"]
    answer = await money.client.get(
        f"/v1/reconciliations/{run['id']}/document", headers={"Cookie": f"{COOKIE}={secret}"}
    )
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    assert [sheet.title for sheet in book] == ["概要", "明细", "人工办理"]
    assert (book["明细"].max_row, book["人工办理"].max_row) == (13, 4)
    # What is stored stays, whoever asks.
    for table in (
        "reconciliations SET source = ''",
        "reconciliation_acts SET step = 'match'",
        "reconciliation_lines SET outcome = 'matched'",
    ):
        with pytest.raises(asyncpg.RestrictViolationError):
            await money.pool.execute(f"UPDATE {table}")


async def test_who_may_and_what_is_refused(money: CostSite) -> None:
    run = await send(money, "treasury", FILE, organisation="city")
    assert {line["organisation"] for line in (await lines(money, run["id"], "treasury"))["items"]} == {
        "jsj",
        "wsj",
    }
    # A run of the city is not the unit's to see; a unit's own run is not another's.
    for who, status in (("money", 404), ("other", 404), ("garage", 404), ("audit", 200)):
        await money.ask(who, "GET", f"reconciliations/{run['id']}", None, status)
    await send(money, "garage", FILE, 403)
    await send(money, "other", FILE, 404)
    assert (await money.ask("other", "GET", "reconciliations"))["items"] == []
    told = await send(money, "other", FILE, 422, organisation="wsj")
    assert "不在本次对账" in told["errors"][0]["message"]
    assert told["errors"][0]["row"] == 2  # as people count, below the head
    await send(money, "money", FILE, 422, until="202601")
    await send(money, "money", FILE, 422, until="202712")
    await send(money, "money", FILE, 422, until="202613")
    await send(money, "money", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", 422)
    await send(money, "money", b"\x00\x01\x02", 422)

    # A mapping is saved in versions, and holds for the units below.
    mapping = {"fields": {"summary": "内容"}, "statement_lag": 0}
    await money.ask("treasury", "PUT", "voucher-mappings/city", mapping)
    shown = await money.ask("treasury", "PUT", "voucher-mappings/city", mapping)
    assert [each["version"] for each in shown["items"]] == [1]
    used = await money.ask("money", "GET", "voucher-mappings?organisation=jsj")
    assert (used["used_of"], used["used"]["statement_lag"], used["items"]) == ("city", 0, [])
    await money.ask("money", "PUT", "voucher-mappings/city", mapping, 403)
    await money.ask("money", "PUT", "voucher-mappings/jsj", {"fields": {"what": "x"}}, 422)
    renamed = FILE.replace("摘要", "内容")
    run = await send(money, "money", renamed)
    assert {
        line["outcome"]
        for line in (await lines(money, run["id"], side="platform"))["items"]
        if line["item"] == "JS-1"
    } == {"period"}
    # What one run of other months has matched is not matched again.
    late = HEAD + "jsj,202605,2026-05-04,记-9,付停车费,5001,30231,80.00,,人民路停车场\n"
    may = await send(money, "money", late.replace("摘要", "内容"), since="202605", until="202605")
    assert [line["outcome"] for line in (await lines(money, may["id"]))["items"]] == ["finance_only"]
    assert datetime.fromisoformat(may["made_at"]) <= datetime.now(UTC)
