"""Statements and exports imported over HTTP and by the command line, on a real PostgreSQL: row by row, and once."""

# ruff: noqa: F811 - fixtures are imported
from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.statements import importer
from tests.integration.test_api_registry import check_problem, client, fleet  # noqa: F401 - fixtures
from tests.integration.test_business_facts import office  # noqa: F401 - the fixture
from tests.integration.test_simulate import api

HEADER = "卡号,交易时间,交易类型,油品,数量(升),单价,金额,余额,网点"
STATEMENT = "/v1/fuel-transactions:import-statement"
EXPORT = "/v1/violations:import-export"
VIOLATIONS = "号牌号码,违法时间,违法地点,违法行为,罚款金额,记分,处理状态,违法编号"


def fill(
    minute: int, litres: str = "45.32", card: str = "c1", kind: str = "加油", station: str = "人民路站"
) -> str:
    return f"{card},2026-03-02 08:{minute:02}:09,{kind},92号汽油,{litres},7.89,100.00,1000.00,{station}"


def text(*rows: str, header: str = HEADER) -> bytes:
    return "\n".join(["对账单", header, *rows, ""]).encode("gbk")


async def send(
    client: httpx.AsyncClient,
    data: bytes,
    path: str = STATEMENT,
    **params: str,
) -> dict[str, Any]:
    response = await client.post(path, content=data, params=params, headers={"Content-Type": "text/csv"})
    assert response.status_code == 200, response.text
    return dict(response.json())


def counts(report: dict[str, Any]) -> dict[str, int]:
    names = ("rows", "created", "updated", "unchanged", "repeated", "refused")
    assert report["rows"] == sum(report[name] for name in names[1:])
    return {name: report[name] for name in names if report[name]}


async def rows(pool: asyncpg.Pool, table: str = "fuel_transactions") -> list[Any]:
    """Every row as a tuple; when it was created and changed comes last."""
    stored = [dict(r) for r in await pool.fetch(f"SELECT * FROM {table} ORDER BY id")]  # noqa: S608 - constants
    return [(*r.values(), *when) for r in stored if (when := (r.pop("created_at"), r.pop("updated_at")))]


async def test_good_rows_are_written_bad_ones_named_and_again_adds_nothing(
    office: httpx.AsyncClient,
    pool: asyncpg.Pool,
) -> None:
    data = text(fill(1), fill(1), fill(2, "-1"), fill(3, card="c9"), fill(4, station="别站"), "合计,,,,1,,,,")
    tried = await send(office, data, dry_run="true")
    assert await rows(pool) == []
    report = await send(office, data, source="三月.csv")
    assert report == tried | {"dry_run": False}
    assert counts(report) == {"rows": 5, "created": 3, "refused": 2}
    assert [(e["row"], e["field"]) for e in report["errors"]] == [(5, "quantity"), (6, "card")]
    assert "未登记" in report["errors"][1]["message"]
    assert (report["skipped"], report["unmatched_stations"]) == (1, [{"name": "别站", "rows": 1}])
    before = await rows(pool)
    assert [r["station"] for r in await pool.fetch("SELECT station FROM fuel_transactions ORDER BY at")] == [
        "s1",
        "s1",
        None,
    ]
    again = await send(office, data, source="又一次.csv")
    assert counts(again) == {"rows": 5, "unchanged": 3, "refused": 2}
    assert await rows(pool) == before
    await office.put("/v1/fuel-cards/c9", json={"organisation": "finance"})
    assert counts(await send(office, data)) == {"rows": 5, "created": 1, "unchanged": 3, "refused": 1}


async def test_files_that_overlap(office: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    await send(office, text(fill(1), fill(1), fill(2)))
    assert counts(await send(office, text(fill(1), fill(2), fill(3)))) == {
        "rows": 3,
        "created": 1,
        "unchanged": 2,
    }
    # Another export of the same rows: with numbers, without the station, in another way of writing.
    numbered = [
        f"{fill(m, '45.320').replace('2026-03-02', '2026/3/2').replace('人民路站', '')},N{n}"
        for n, m in enumerate((1, 1, 2, 3, 4))
    ]
    before = await rows(pool)
    report = await send(office, text(*numbered, header=HEADER + ",流水号"))
    assert counts(report) == {"rows": 5, "created": 1, "unchanged": 4}
    assert [r for r in await rows(pool) if r[0] != "N4"] == before
    assert counts(await send(office, text(fill(4)))) == {
        "rows": 1,
        "updated": 1,
    }  # the same, and now its station
    assert counts(await send(office, text(fill(4), fill(4)))) == {"rows": 2, "unchanged": 1, "created": 1}
    assert await pool.fetchval("SELECT count(*) FROM fuel_transactions") == 6


async def test_a_number_that_is_another_records(office: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    header = HEADER + ",流水号"
    await send(office, text(fill(1) + ",7", header=header))
    before = await rows(pool)
    report = await send(office, text(fill(2) + ",7", fill(3) + ",8", header=header), dry_run="true")
    assert counts(report) == {"rows": 2, "created": 1, "refused": 1}
    assert (report["errors"][0]["row"], report["errors"][0]["field"]) == (3, "number")
    assert await rows(pool) == before
    mapping = json.dumps({"number": None})
    assert counts(await send(office, text(fill(2) + ",7", header=header), mapping=mapping)) == {
        "rows": 1,
        "created": 1,
    }


async def test_another_file_may_say_less(office: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    await send(office, text(fill(1)))
    short = "卡号,时间,类型,数量,金额\nc1,2026-03-02 08:01:09,加油,45.32,100\n".encode()
    before = await rows(pool)
    assert counts(await send(office, short)) == {"rows": 1, "unchanged": 1}
    assert await rows(pool) == before


MINUTES = st.lists(st.integers(0, 4), max_size=8)


async def test_any_cut_of_a_statement_gives_the_same_rows(
    office: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    """Files that overlap by whole minutes, in any order and repeated, add up to the one file."""
    loop = asyncio.get_running_loop()

    async def check(minutes: list[int], seed: int) -> None:
        await pool.execute("TRUNCATE fuel_transactions")
        all_rows = [fill(m) for m in sorted(minutes)]
        await send(office, text(*all_rows))
        whole = [r[:-2] for r in await rows(pool)]
        await pool.execute("TRUNCATE fuel_transactions")
        shuffled = random.Random(seed)
        parts = [sorted(shuffled.sample(range(5), shuffled.randint(1, 5))) for _ in range(3)] + [
            [0, 1, 2, 3, 4]
        ]
        for part in shuffled.sample(parts, len(parts)):
            await send(office, text(*(fill(m) for m in minutes if m in part)))
        assert [r[:-2] for r in await rows(pool)] == whole
        assert len(whole) == len(minutes)

    @given(MINUTES, st.integers(0, 1000))
    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    def run(minutes: list[int], seed: int) -> None:
        asyncio.run_coroutine_threadsafe(check(minutes, seed), loop).result(30)

    await asyncio.to_thread(run)


async def test_violations(office: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    one = "苏F·OOOO1,2026-03-02 08:05,人民路,闯红灯,200元,6分,未处理,"
    other = "苏F99999,2026-03-02 08:05,人民路,闯红灯,200,6,未处理,"
    report = await send(office, text(one, one, other, header=VIOLATIONS), EXPORT)
    assert counts(report) == {"rows": 3, "created": 1, "repeated": 1, "refused": 1}
    assert (report["errors"][0]["row"], report["errors"][0]["field"]) == (5, "plate")
    assert "not our vehicle" in report["errors"][0]["message"]
    (stored,) = await pool.fetch("SELECT * FROM violations")
    assert (stored["plate"], stored["fine_fen"], stored["points"], stored["status"]) == (
        "苏F00001",
        20000,
        6,
        "open",
    )
    # The police gave it a number meanwhile, and then took it back: the same record, and it stays taken back.
    handled = one.replace("未处理,", "已处理,V1")
    assert counts(await send(office, text(handled, header=VIOLATIONS), EXPORT)) == {"rows": 1, "updated": 1}
    revoked = one.replace("未处理,", "已撤销,V1")
    assert counts(await send(office, text(revoked, header=VIOLATIONS), EXPORT)) == {"rows": 1, "updated": 1}
    for old in (one, one + "V1"):
        assert counts(await send(office, text(old, header=VIOLATIONS), EXPORT)) == {"rows": 1, "unchanged": 1}
    (again,) = await pool.fetch("SELECT * FROM violations")
    assert (again["id"], again["status"]) == (stored["id"], "revoked")
    two = [one.replace("08:05", "09:05").replace("未处理,", f"未处理,N{n}") for n in (1, 2)]
    assert counts(await send(office, text(*two, header=VIOLATIONS), EXPORT)) == {"rows": 2, "created": 2}


async def test_refusals_of_whole_files_write_nothing(office: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    for data, says in (
        (text(fill(1), header=HEADER.replace("数量(升)", "多少")), "缺少列"),
        (text(fill(1)) + fill(2).encode() + b"\n", "编码混杂"),
        (b"", "表头"),
        (b"PK\x03\x04nothing", "XLSX"),
    ):
        response = await office.post(
            STATEMENT, content=data, headers={"Content-Type": "application/octet-stream"}
        )
        assert check_problem(response, 422, says)["type"].endswith("unreadable-file")
    post = {"content": text(fill(1)), "headers": {"Content-Type": "text/csv"}}
    for mapping in ('{"colour": "x"}', "{", "[]", '{"words": {"kind": {"a": "b"}}}'):
        check_problem(await office.post(STATEMENT, params={"mapping": mapping}, **post), 422)  # type: ignore[arg-type]  # httpx's many keywords
    check_problem(await office.post(STATEMENT, json=[]), 415)
    assert await rows(pool) == []


async def test_chunks_and_progress(
    office: httpx.AsyncClient,
    pool: asyncpg.Pool,
    monkeypatch: Any,
) -> None:
    monkeypatch.setattr(importer, "CHUNK", 3)
    data = text(*(fill(m % 4) for m in range(10)), fill(5, card="c9"))
    headers = {"Content-Type": "text/csv", "Accept": "application/x-ndjson"}
    for created, unchanged in ((10, 0), (0, 10)):
        response = await office.post(STATEMENT, content=data, headers=headers)
        *steps, report = [json.loads(line) for line in response.text.splitlines()]
        assert [(s["rows"], s["done"]) for s in steps] == [(11, n) for n in (0, 3, 6, 9, 11)]
        assert (report["created"], report["unchanged"], report["refused"]) == (created, unchanged, 1)
    assert await pool.fetchval("SELECT count(*) FROM fuel_transactions") == 10
    # The database goes in the middle: whole chunks stay, the answer says so, and doing it again makes it whole.
    await pool.execute("TRUNCATE fuel_transactions")
    await pool.execute(
        "ALTER TABLE fuel_transactions ADD CONSTRAINT brake CHECK (at <> '2026-03-02 08:03:09+08') NOT VALID"
    )
    response = await office.post(STATEMENT, content=data, headers=headers)
    assert "problem" in json.loads(response.text.splitlines()[-1])
    assert await pool.fetchval("SELECT count(*) FROM fuel_transactions") == 3
    await pool.execute("ALTER TABLE fuel_transactions DROP CONSTRAINT brake")
    assert counts(await send(office, data)) == {"rows": 11, "created": 7, "unchanged": 3, "refused": 1}


async def test_the_command_line(office: httpx.AsyncClient, pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with api(pool, tmp_path) as (base, token):

        async def gongche(*words: str) -> tuple[int, str, str]:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "gongche", "import", *words, "--api", base,
                env=os.environ | {"GONGCHE_TOKEN": token}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            out, err = await asyncio.wait_for(process.communicate(), 60)
            assert process.returncode is not None
            return process.returncode, out.decode(), err.decode()

        good, bad, export, mapping = (tmp_path / n for n in ("good.csv", "bad.csv", "v.csv", "m.json"))
        good.write_bytes(text(fill(1), header=HEADER.replace("卡号", "卡片")))
        bad.write_bytes(text(fill(1), fill(2, "-1")))
        export.write_bytes(text("苏F00001,2026-03-02 08:05,人民路,闯红灯,200,6,未处理,V1", header=VIOLATIONS))
        mapping.write_text('{"card": "卡片"}', "utf-8")
        status, out, _ = await gongche("statement", str(good), "--mapping", str(mapping), "--dry-run")
        assert (status, json.loads(out)["created"], await rows(pool)) == (0, 1, [])
        status, out, err = await gongche("statement", str(good), "--mapping", str(mapping))
        assert (status, json.loads(out)["created"]) == (0, 1)
        assert "importing" in err  # short: it needs no line on how far it is
        status, out, err = await gongche("statement", str(bad))
        assert (status, json.loads(out)["unchanged"], json.loads(out)["refused"]) == (1, 1, 1)
        assert "第 4 行，“数量(升)”：" in err
        status, _, err = await gongche("statement", str(good))
        assert status == 1
        assert "缺少列" in err
        status, out, _ = await gongche("violations", str(export))
        assert (status, json.loads(out)["created"]) == (0, 1)
        assert await pool.fetchval("SELECT source FROM violations") == "v.csv"
        assert (await gongche("vehicles", str(good), "--mapping", str(mapping)))[0] == 78
