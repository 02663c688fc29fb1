"""What the office sees and says of terminals: notices, exchanged devices, clocks; over HTTP and on the command line."""

# ruff: noqa: F811 - fixtures are imported

from __future__ import annotations

import asyncio
from dataclasses import replace

import asyncpg
import httpx
import pytest

from gongche.cli import main
from telemetry.archive.clocks import Doubt, open_doubts
from telemetry.terminals import notices
from telemetry.terminals.directory import TerminalDirectory
from tests.integration.test_api_registry import check_problem, client, facts, fleet  # noqa: F401 - fixtures
from tests.integration.test_terminals import EXCHANGED, TOLD

PHONE = "13800000001"
SINCE = "2026-03-02T00:00:00+08:00"
CORRECTION = {"terminal": PHONE, "valid_from": SINCE, "shift_s": 28_800}


@pytest.fixture
async def office(fleet: httpx.AsyncClient, pool: asyncpg.Pool) -> httpx.AsyncClient:
    """The fleet, with a terminal that a device has registered."""
    response = await fleet.put(
        f"/v1/terminals/{PHONE}", json={"vehicle": "car-1", "valid_from": "2026-01-01T00:00:00+08:00"}
    )
    assert response.status_code == 201, response.text
    directory = TerminalDirectory(pool, auto_register=False)
    assert (await directory.register(PHONE, TOLD))[0] == 0
    assert (await directory.register(PHONE, EXCHANGED))[0] == 3
    await facts(pool)
    return fleet


async def test_an_exchanged_device_is_seen_and_accepted(
    office: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    record = (await office.get(f"/v1/terminals/{PHONE}")).json()
    assert record["device_id"] == "DEV0001"
    assert record["waiting_device"] == ["OTHER", "M-2", "DEV0002", "苏F12345"]
    (notice,) = (await office.get("/v1/terminal-notices", params={"kind": "device_refused"})).json()["items"]
    assert (notice["terminal"], notice["detail"]["asks"][1]) == (PHONE, "DEV0002")
    check_problem(await office.post("/v1/terminals/13800000009:accept-device"), 404, "没有等待接受的设备")
    accepted = await office.post(f"/v1/terminals/0{PHONE}:accept-device")
    assert (accepted.status_code, accepted.json()["device_id"]) == (200, "DEV0002")
    check_problem(await office.post(f"/v1/terminals/{PHONE}:accept-device"), 404)
    assert (await office.get("/v1/terminal-notices")).json() == {"items": [], "next": None}
    settled = (await office.get("/v1/terminal-notices", params={"settled": "true", "limit": 1})).json()
    assert len(settled["items"]) == 1
    more = await office.get("/v1/terminal-notices", params={"settled": "true", "cursor": settled["next"]})
    assert [item["kind"] for item in more.json()["items"]] == ["device_accepted"]
    directory = TerminalDirectory(pool, auto_register=False)
    assert (await directory.register(PHONE, EXCHANGED))[0] == 0
    assert (await directory.register(PHONE, replace(TOLD, plate="")))[0] == 3


async def test_who_asks_last_is_not_accepted_in_the_place_of_another(
    office: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    """Whoever knows a phone number may ask for it, also between the office's look and its word."""
    directory = TerminalDirectory(pool, auto_register=False)
    path = f"/v1/terminals/{PHONE}:accept-device"
    assert (await directory.register(PHONE, replace(EXCHANGED, device_id="EVIL001")))[0] == 3
    (notice,) = (await office.get("/v1/terminal-notices", params={"kind": "device_refused"})).json()["items"]
    assert notice["detail"]["asked"] == ["DEV0002", "EVIL001"]
    check_problem(await office.post(path), 409, "EVIL001")
    check_problem(await office.post(path, params={"device_id": "DEV0002"}), 409, "DEV0002、EVIL001")
    assert (await directory.register(PHONE, EXCHANGED))[0] == 3  # the true one asks again
    check_problem(await office.post(path), 409, "写明")
    accepted = await office.post(path, params={"device_id": " dev0002"})
    assert (accepted.status_code, accepted.json()["device_id"]) == (200, "DEV0002")
    assert (await directory.register(PHONE, replace(EXCHANGED, device_id="EVIL001")))[0] == 3
    # What was asked before the exchange is settled, and counts no more.
    (notice,) = (await office.get("/v1/terminal-notices", params={"kind": "device_refused"})).json()["items"]
    assert notice["detail"]["asked"] == ["EVIL001"]


async def test_a_clock_is_corrected_and_its_vehicle_judged_again(
    office: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    async with pool.acquire() as conn, conn.transaction():
        no = await conn.fetchval("SELECT no FROM terminals")
        await open_doubts(conn, [Doubt(no, 1_772_400_000_000_000, 28_801)])
        await notices.put(conn, [notices.Notice(no, "clock_wrong", "clock", {"lag_s": 28_801})])
    assert (await facts(pool))[0][:3] == ("terminal_binding", PHONE, "car-1")
    assert (await office.get(f"/v1/terminals/{PHONE}")).json()["clock_lag_s"] == 28_801
    made = await office.put("/v1/clock-corrections/c1", json=CORRECTION)
    assert (made.status_code, made.json()["shift_s"]) == (201, 28_800)
    # From a day before the first time that is another now: eight hours and a day.
    assert await facts(pool) == [("terminal_binding", PHONE, "car-1", "2026-02-28 16:00")]
    assert (await office.get(f"/v1/terminals/{PHONE}")).json()["clock_lag_s"] is None
    assert (await office.get("/v1/terminal-notices", params={"kind": "clock_wrong"})).json()["items"] == []
    again = await office.put("/v1/clock-corrections/c1", json=CORRECTION)
    assert (again.status_code, again.json()["outcome"]) == (200, "unchanged")
    assert await facts(pool) == []
    for wrong, word in (
        ({"terminal": "13800000009"}, "未登记"),
        ({"valid_to": SINCE}, "结束不晚于开始"),
        ({"shift_s": 10**12}, ""),
        ({"shift_s": "8h"}, ""),
    ):
        check_problem(await office.put("/v1/clock-corrections/c2", json=CORRECTION | wrong), 422, word)
    check_problem(await office.put("/v1/clock-corrections/c2", json=CORRECTION), 422, "c1")
    table = "更正编号,终端手机号,起始时间,终止时间,更正秒数\nc3,013800000001,2026-04-01T00:00:00+08:00,2026-05-01T00:00:00+08:00,-3600\n"
    report = await office.post(
        "/v1/clock-corrections:import", content=table.encode(), headers={"Content-Type": "text/csv"}
    )
    assert report.json()["created"] == 1, report.text
    listed = (await office.get("/v1/clock-corrections", params={"terminal": PHONE})).json()["items"]
    assert [(item["id"], item["shift_s"]) for item in listed] == [("c1", 28_800), ("c3", -3600)]
    await facts(pool)
    assert (await office.delete("/v1/clock-corrections/c1")).status_code == 204
    assert [fact[0] for fact in await facts(pool)] == ["terminal_binding"]
    check_problem(await office.delete("/v1/clock-corrections/c1"), 404)


async def test_a_clock_that_is_found_wrong_is_put_right_by_one_call(
    office: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    async def doubt(since_us: int, lag_s: int) -> None:
        async with pool.acquire() as conn, conn.transaction():
            no = await conn.fetchval("SELECT no FROM terminals")
            await open_doubts(conn, [Doubt(no, since_us, lag_s)])
            await notices.put(conn, [notices.Notice(no, "clock_wrong", "clock", {"lag_s": lag_s})])

    async def wrong() -> int:
        items = (await office.get("/v1/statistics/data-quality")).json()["items"]
        count: int = next(item["count"] for item in items if item["kind"] == "clock_wrong")
        return count

    path = f"/v1/terminals/{PHONE}:accept-correction"
    check_problem(await office.post(path), 404, "没有建议")
    check_problem(await office.post("/v1/terminals/13800000009:accept-correction"), 404)
    check_problem(await office.post(path, params={"kind": "device_refused"}), 422)
    await doubt(1_772_400_000_000_000, 28_801)
    made = await office.post(f"/v1/terminals/0{PHONE}:accept-correction", params={"kind": "clock_wrong"})
    assert made.status_code == 200, made.text
    correction = made.json()
    assert (correction["terminal"], correction["shift_s"], correction["datum"]) == (PHONE, 28_800, None)
    assert (correction["source"], correction["valid_to"]) == ("office", None)
    assert (await office.get(f"/v1/terminals/{PHONE}")).json()["clock_lag_s"] is None
    assert (await office.get("/v1/terminal-notices", params={"kind": "clock_wrong"})).json()["items"] == []
    check_problem(await office.post(path), 404)
    # The clock is mended, but for the correction it would be right: now it is eight hours ahead of it.
    await doubt(1_772_500_000_000_000, -28_800)
    again = await office.post(path)
    assert (again.json()["shift_s"], again.json()["valid_from"][:10]) == (0, "2026-03-03")
    listed = (await office.get("/v1/clock-corrections", params={"terminal": PHONE})).json()["items"]
    assert [item["shift_s"] for item in listed] == [28_800, 0]
    assert await wrong() == 0
    await facts(pool)
    for wrong_one, word in (({"datum": "mars"}, ""), ({"shift_s": None}, "须写明")):
        check_problem(await office.put("/v1/clock-corrections/c9", json=CORRECTION | wrong_one), 422, word)
    table = "更正编号,终端手机号,起始时间,更正秒数,坐标系,里程单位（米）\nc9,13800000001,2026-04-01T00:00:00+08:00,,GCJ-02,1000\n"
    report = await office.post(
        "/v1/clock-corrections:import", content=table.encode(), headers={"Content-Type": "text/csv"}
    )
    assert report.json()["created"] == 1, report.text
    nine = (await office.get("/v1/clock-corrections/c9")).json()
    assert (nine["shift_s"], nine["datum"], nine["odometer_unit_m"]) == (None, "gcj02", 1000)


async def test_a_device_and_a_card_are_named(office: httpx.AsyncClient) -> None:
    named = {"imei": "86-123456-789012-3", "iccid": "8986 0012 3456 7890 1234"}
    answer = await office.put(f"/v1/terminals/{PHONE}", json=named)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["imei"], answer.json()["iccid"]) == ("861234567890123", "89860012345678901234")
    assert (await office.put(f"/v1/terminals/{PHONE}", json={})).json()["outcome"] == "unchanged"
    for wrong in ({"imei": "12345"}, {"iccid": "not a card"}):
        check_problem(await office.put(f"/v1/terminals/{PHONE}", json=wrong), 422)
    table = "终端手机号,IMEI,ICCID\n13800000001,861234567890124,\n"
    report = await office.post(
        "/v1/terminals:import", content=table.encode(), headers={"Content-Type": "text/csv"}
    )
    assert report.json()["updated"] == 1, report.text
    assert (await office.get(f"/v1/terminals/{PHONE}")).json()["imei"] == "861234567890124"
    assert (await office.put(f"/v1/terminals/{PHONE}", json={"imei": ""})).json()["imei"] == ""


async def test_the_same_on_the_command_line(
    office: httpx.AsyncClient,
    db_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GONGCHE_DATABASE_URL", db_url)

    async def told(*words: str, status: int = 0) -> str:
        assert await asyncio.to_thread(main, ["terminal", *words]) == status
        out, err = capsys.readouterr()
        return out + err

    assert "DEV0002" in await told("notices")
    assert "DEV0002" in await told("accept", PHONE)
    assert "没有等待" in await told("accept", PHONE, status=1)
    assert await told("notices", PHONE) == ""
    assert "已处理" in await told("notices", PHONE, "--all")
    assert "created" in await told("clock", PHONE, "8h", "--from", SINCE, "--id", "c1")
    assert (await office.get("/v1/clock-corrections/c1")).json()["shift_s"] == 28_800
    assert "updated" in await told("clock", PHONE, "--from", SINCE, "--id", "c1", "--", "-30m")
    assert "未登记" in await told("clock", "999", "8h", "--from", SINCE, status=1)
    assert "未更正" in await told("clock", PHONE, "8h", "--from", "yesterday", status=1)
    assert "c1" in await told("forget", "c1")
    await told("forget", "c1", status=1)
