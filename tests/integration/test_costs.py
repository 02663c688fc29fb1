"""Costs over HTTP, by several people, on a real PostgreSQL: the ledger and its files, tariffs, statements of a month; and what must not work."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import openpyxl
import pytest
from pypdf import PdfReader

from api.app import create_app
from api.auth.cookies import COOKIE, CSRF_HEADER
from office.dispatch.threads import read_request
from office.identity import sessions
from office.identity.subject import Role
from runtime.settings import Settings
from runtime.units import CHINA
from tests.integration.cost_site import PLACE, Asked, Trip, drive

#: Who works here. ``both`` has two offices.
PEOPLE: dict[str, list[tuple[Role, str]]] = {
    "desk": [(Role.DISPATCHER, "pool")],
    "garage": [(Role.UNIT_ADMINISTRATOR, "pool")],
    "boss": [(Role.UNIT_HEAD, "jsj")],
    "money": [(Role.FINANCE, "jsj")],
    "other": [(Role.UNIT_HEAD, "wsj")],
    "clerk": [(Role.UNIT_ADMINISTRATOR, "wsj")],
    "bureau": [(Role.VEHICLE_OFFICE, "city")],
    "both": [(Role.DISPATCHER, "pool"), (Role.UNIT_HEAD, "jsj")],
}
TARIFF: dict[str, Any] = {
    "name": "市级平台 2026",
    "pass_through": ["toll", "parking"],
    "holiday_permille": 1500,
    "classes": [{"code": "mpv", "name": "商务车", "categories": ["mpv"]}, {"code": "car", "name": "轿车"}],
    "lines": [
        {
            "vehicle_class": code,
            "default_product": "km",
            "products": [
                {"code": "km", "name": "按公里", "distance": {"bands": [{"to_km": 50, "fen_per_km": fen}, {"fen_per_km": fen - 20}]}},
                {"code": "day", "name": "全日", "unit": "days", "base_fen": 26200},
            ],
        }
        for code, fen in (("mpv", 250), ("car", 180))
    ],
}  # fmt: skip


class CostSite:
    """The API and its people."""

    def __init__(self, client: httpx.AsyncClient, pool: asyncpg.Pool, secrets: dict[str, str]) -> None:
        self.client, self.pool, self._secrets = client, pool, secrets

    async def ask(
        self, who: str, method: str, path: str, body: Any = None, status: int = 200, **more: Any
    ) -> Any:
        secret = self._secrets[who]
        headers = {"Cookie": f"{COOKIE}={secret}", CSRF_HEADER: sessions.csrf_token(secret)} | more.pop("headers", {})  # fmt: skip
        response = await self.client.request(method, f"/v1/{path}", json=body, headers=headers, **more)
        assert response.status_code == status, (who, method, path, response.status_code, response.text)
        if status >= 400:
            assert " · " in response.json()["detail"]
        return response.json()

    async def file(self, who: str, path: str) -> bytes:
        response = await self.client.get(f"/v1/{path}", headers={"Cookie": f"{COOKIE}={self._secrets[who]}"})
        assert response.status_code == 200, response.text
        return response.content

    async def status(self, who: str, body: Any) -> int:
        """Of entering a cost."""
        secret = self._secrets[who]
        headers = {"Cookie": f"{COOKIE}={secret}", CSRF_HEADER: sessions.csrf_token(secret)}
        return (await self.client.post("/v1/cost-entries", json=body, headers=headers)).status_code

    async def step(self, who: str, id: str, step: str, status: int = 200, **body: Any) -> Any:
        if "version" not in body:
            body["version"] = await self.pool.fetchval("SELECT version FROM cost_statements WHERE id = $1", id)  # fmt: skip
        return await self.ask(who, "POST", f"statements/{id}:{step}", body, status)

    async def drive(self, *trips: Trip) -> None:
        async with self.pool.acquire() as connection, connection.transaction():
            await drive(connection, trips)

    async def draw(self, period: str, who: str = "desk", **more: Any) -> Any:
        return await self.ask(who, "POST", "statements", {"platform": "pool", "period": period} | more)

    async def lines(self, id: str, who: str = "desk") -> Any:
        return (await self.ask(who, "GET", f"statements/{id}/lines"))["items"]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=CHINA)


@pytest.fixture
async def costs(pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[CostSite]:
    for id, parent in (("city", None), ("jsj", "city"), ("wsj", "city"), ("pool", "city")):
        await pool.execute("INSERT INTO organisations (id, name, parent) VALUES ($1, $1, $2)", id, parent)
    await pool.execute(
        "INSERT INTO vehicles (id, plate, organisation, category) VALUES ('car-1', '苏F12341', 'pool', ''), ('car-2', '苏F12342', 'pool', 'mpv'),"
        " ('car-3', '苏F12343', 'wsj', '')"
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO calendar_days (day, workday, name) VALUES ('2026-03-04', false, '测试节')"
    )
    await pool.executemany("INSERT INTO users (id, name, created_by) VALUES ($1, $2, 'test')", [(n, f"{n}同志") for n in PEOPLE])  # fmt: skip
    await pool.executemany(
        "INSERT INTO role_grants (user_id, role, organisation, valid_from, granted_by) VALUES ($1, $2, $3, now() - interval '1 day', 'test')",
        [(name, role, unit) for name, held in PEOPLE.items() for role, unit in held],
    )
    async with pool.acquire() as connection:
        visit = sessions.Visit("10.1.2.3", "test")
        secrets = {n: (await sessions.begin(connection, n, "password", visit, timedelta(hours=1))).secret for n in PEOPLE}  # fmt: skip
    transport = httpx.ASGITransport(
        create_app(Settings(data_dir=tmp_path), pool, position_sink=None), client=("10.1.2.3", 4)
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        made = CostSite(client, pool, secrets)
        await made.ask("bureau", "POST", "tariffs", {"organisation": "pool", "tariff": TARIFF}, 201)
        await made.ask("bureau", "POST", "tariffs/pool/versions/1:activate", {"valid_from": "2026-01-01"})
        yield made


def entry(**more: Any) -> dict[str, Any]:
    return {
        "kind": "toll", "organisation": "pool", "vehicle": "car-1", "occurred_on": "2026-03-02", "amount_fen": 3500, "invoice_code": "1100",
        "invoice_no": "00012345",
    } | more  # fmt: skip


# --- the ledger


async def test_a_line_is_entered_corrected_and_reversed_and_nothing_is_lost(costs: CostSite) -> None:
    made = await costs.ask("garage", "POST", "cost-entries", entry(attachment_sha256="a" * 64), 201)
    assert (made["version"], made["amount"], made["period"], made["payer"]) == (1, "35.00", "202603", "unit")
    path = f"cost-entries/{made['id']}"
    again = await costs.ask("garage", "POST", "cost-entries", entry(amount_fen=1), 409)
    assert "已入账" in again["detail"]
    # The same number under another code is another invoice.
    await costs.ask("garage", "POST", "cost-entries", entry(invoice_code="1200"), 201)
    fixed = entry(amount_fen=3600, vehicle="car-2")
    await costs.ask(
        "garage",
        "POST",
        f"{path}:correct",
        {"version": 2, "contents": fixed, "reason": "金额抄错一位"},
        409,
    )
    changed = await costs.ask("garage", "POST", f"{path}:correct", {"version": 1, "contents": fixed, "reason": "金额抄错一位"})  # fmt: skip
    assert (changed["version"], changed["amount_fen"], changed["vehicle"]) == (2, 3600, "car-2")
    assert [v["body"]["contents"]["amount_fen"] for v in changed["versions"]] == [3500, 3600]
    moved = fixed | {"organisation": "wsj"}
    await costs.ask("garage", "POST", f"{path}:correct", {"version": 2, "contents": moved, "reason": "单位写错了"}, 422)  # fmt: skip
    back = await costs.ask("garage", "POST", f"{path}:reverse", {"version": 2, "reason": "重复报销，冲回"})
    assert (back["amount_fen"], back["reverses"], back["source"]) == (-3600, made["id"], "reversal")
    for body in ({"version": 3, "contents": fixed, "reason": "再改一次看看"},):
        await costs.ask("garage", "POST", f"{path}:correct", body, 409)
    await costs.ask("garage", "POST", f"{path}:reverse", {"version": 3, "reason": "再冲一次看看"}, 409)
    await costs.ask("garage", "POST", f"cost-entries/{back['id']}:reverse", {"version": 1, "reason": "冲回冲正行"}, 409)  # fmt: skip
    # Now the invoice can be booked rightly.
    await costs.ask("garage", "POST", "cost-entries", entry(vehicle="car-2"), 201)
    assert await costs.pool.fetchval("SELECT sum(amount_fen) FROM cost_entries") == 2 * 3500
    for table in ("cost_entry_versions", "cost_entries"):
        with pytest.raises(asyncpg.RestrictViolationError):
            await costs.pool.execute(f"DELETE FROM {table}")  # noqa: S608 - constants


async def test_what_a_clerk_gets_wrong_is_said(costs: CostSite) -> None:
    tomorrow = (datetime.now(CHINA).date() + timedelta(days=1)).isoformat()
    for more, pointer, says in (
        ({"vehicle": "car-9"}, "/vehicle", "未登记"),
        ({"vehicle": "car-3"}, "/vehicle", "不在您的范围内"),
        ({"occurred_on": tomorrow}, "/occurred_on", "今天之后"),
        ({"dispatch": "PC-1"}, "/dispatch", "没有派车单"),
        ({"driver": "dr-9"}, "/driver", "未登记"),
        ({"organisation": "wsj"}, "/organisation", "不在您的范围内"),
        ({"amount_fen": 0}, "/amount_fen", "不能为零"),
        ({"invoice_no": ""}, "/invoice_no", "没有发票号码"),
        ({"amount_fen": "35.00"}, "/amount_fen", "整数"),
    ):
        refused = await costs.ask("garage", "POST", "cost-entries", entry(**more), 422)
        assert refused["errors"][0]["pointer"] == pointer, refused
        assert says in refused["detail"], refused
    await costs.ask("boss", "POST", "cost-entries", entry(organisation="jsj"), 403)
    # An invoice that another unit has booked: that it is, not whose.
    await costs.ask("garage", "POST", "cost-entries", entry(), 201)
    foreign = await costs.ask(
        "clerk", "POST", "cost-entries", entry(organisation="wsj", vehicle="car-3"), 409
    )
    assert "pool" not in foreign["detail"]
    assert (await costs.ask("clerk", "GET", "cost-entries"))["items"] == []


async def test_the_same_invoice_twice_at_once_is_booked_once(costs: CostSite) -> None:
    results = await asyncio.gather(*(costs.status("garage", entry(amount_fen=100 + n)) for n in range(12)))
    assert sorted(results) == [201] + [409] * 11


async def test_a_fine_that_the_unit_paid_is_a_finding(costs: CostSite) -> None:
    fine = entry(kind="fine", invoice_code="", invoice_no="")
    assert (await costs.ask("garage", "POST", "cost-entries", fine, 201))["payer"] == "driver"
    paid = await costs.ask("garage", "POST", "cost-entries", fine | {"payer": "unit"}, 201)
    assert "应由驾驶员承担" in paid["finding_name"]
    listed = await costs.ask("garage", "GET", "cost-entries", params={"finding": True})
    assert [each["id"] for each in listed["items"]] == [paid["id"]]
    await costs.ask(
        "garage", "POST", f"cost-entries/{paid['id']}:reverse", {"version": 1, "reason": "改由驾驶员承担"}
    )
    assert (await costs.ask("garage", "GET", "cost-entries", params={"finding": True}))["items"] == []


async def test_pages_of_the_ledger(costs: CostSite) -> None:
    for number in range(7):
        await costs.ask(
            "garage",
            "POST",
            "cost-entries",
            entry(invoice_no=str(number), occurred_on=f"2026-03-0{1 + number // 3}"),
            201,
        )
    whole = (await costs.ask("garage", "GET", "cost-entries"))["items"]
    assert [each["occurred_on"] for each in whole] == sorted((e["occurred_on"] for e in whole), reverse=True)
    found: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = await costs.ask("garage", "GET", "cost-entries", params={"limit": 2} | cursor)
        found += page["items"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert found == whole
    day = {"from": "2026-03-02", "to": "2026-03-02", "kind": "toll", "vehicle": "car-1", "period": "202603"}
    assert len((await costs.ask("garage", "GET", "cost-entries", params=day))["items"]) == 3


def workbook(rows: list[list[Any]]) -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(out)
    return out.getvalue()


CSV = """车队费用表,,,,,,,
流水号,日期,车牌号,费用类型,金额（元）,数量,发票号码,承担人
A1,2026-03-02,苏F12341,加油,"1,350.50",180.5升,24310000001,单位
A2,2026/3/3,苏F·12342,过路费,35,,24310000002,
A3,20260303,苏F12341,违章罚款,200,,,单位
A4,2026-03-04,苏F99999,停车,5,,24310000003,
A5,2026-03-04,苏F12341,吃饭,5,,24310000004,
A6,2026-03-04,苏F12341,停车,,,24310000005,
A7,2026-03-04,苏F12341,停车,5,,24310000002,
合计,,,,1590.50,,,
"""


async def test_a_file_of_costs_in_gbk_with_a_row_of_sums_twice(costs: CostSite) -> None:
    async def send(data: bytes, kind: str = "text/csv") -> Any:
        return await costs.ask("garage", "POST", "cost-entries:import?source=%E4%B8%89%E6%9C%88.csv", content=data, headers={"Content-Type": kind})  # fmt: skip

    first = await send(CSV.encode("gbk"))
    assert (first["rows"], first["created"], first["repeated"], first["sums"], first["refused"]) == (
        7,
        3,
        0,
        1,
        4,
    )
    assert [(e["row"], e["field"]) for e in first["errors"]] == [
        (6, "vehicle"),
        (7, "kind"),
        (8, "amount_fen"),
        (9, "invoice_no"),
    ]
    assert all(" · " in e["message"] for e in first["errors"])
    again = await send(CSV.encode("gbk"))
    assert (again["created"], again["repeated"], again["refused"]) == (0, 3, 4)
    rows = {r["entry_no"]: r for r in (await costs.ask("garage", "GET", "cost-entries"))["items"]}
    assert (rows["A1"]["amount_fen"], rows["A1"]["quantity"], rows["A1"]["occurred_on"]) == (
        135050,
        180500,
        "2026-03-02",
    )
    assert (rows["A2"]["vehicle"], rows["A3"]["finding"]) == ("car-2", "unit_paid_fine")
    one = await costs.ask("garage", "GET", f"cost-entries/{rows['A1']['id']}")
    assert one["versions"][0]["body"]["file"] == {"name": "三月.csv", "sha256": first["sha256"], "row": 3}
    # An XLSX without numbers of its own: two rows that say the same are two costs, and the file again is none.
    head = ["费用种类", "发生日", "金额", "车辆编号", "无发票原因"]
    row = ["停车", date(2026, 3, 5), 5, "car-1", "路边停车机无票"]
    sheet = workbook([head, row, row, ["小计", None, 10, None, None]])
    xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    assert (await send(sheet, xlsx))["created"] == 2
    assert (await send(sheet, xlsx))["repeated"] == 2
    bad = await costs.ask(
        "garage",
        "POST",
        "cost-entries:import",
        status=422,
        content=b"a,b\n1,2\n",
        headers={"Content-Type": "text/csv"},
    )
    assert "没有找到表头" in bad["detail"]


# --- tariffs


async def test_a_tariff_holds_from_a_day_on_and_never_for_days_that_are_past(costs: CostSite) -> None:
    await costs.ask("desk", "POST", "tariffs", {"organisation": "pool", "tariff": TARIFF}, 403)
    gap = TARIFF | {"lines": TARIFF["lines"][:1]}
    refused = await costs.ask("bureau", "POST", "tariffs", {"organisation": "pool", "tariff": gap}, 422)
    assert "没有价格" in refused["detail"]
    empty = TARIFF | {"lines": [line | {"products": []} for line in TARIFF["lines"]]}
    assert (
        "没有产品"
        in (await costs.ask("bureau", "POST", "tariffs", {"organisation": "pool", "tariff": empty}, 422))[
            "detail"
        ]
    )
    made = await costs.ask(
        "bureau", "POST", "tariffs", {"organisation": "pool", "tariff": TARIFF | {"name": "新"}}, 201
    )
    assert (made["version"], made["valid_from"]) == (2, None)
    start = "tariffs/pool/versions/2:activate"
    today = datetime.now(CHINA).date()
    late = await costs.ask(
        "bureau", "POST", start, {"valid_from": (today - timedelta(days=1)).isoformat()}, 422
    )
    assert "不追溯" in late["detail"]
    await costs.ask("bureau", "POST", start, {"valid_from": (today + timedelta(days=1)).isoformat()})
    await costs.ask("bureau", "POST", start, {"valid_from": (today + timedelta(days=9)).isoformat()}, 409)
    assert (await costs.ask("desk", "GET", "tariffs", params={"organisation": "pool"}))["valid"] == 1
    question = {"vehicle": "car-2", "distance_m": 60_000, "duration_min": 60, "passed_fen": {"toll": 1500}, "holiday": True}  # fmt: skip
    quoted = await costs.ask("desk", "POST", "tariffs/pool:quote", question)
    # 50 x 2.5 + 10 x 2.3 = 148; x 1.5 = 222; + 15
    assert (quoted["total"], quoted["vehicle_class"]) == ("237.00", "mpv")
    await costs.ask("desk", "POST", "tariffs/pool:quote", question | {"product": "night"}, 422)
    with pytest.raises(asyncpg.RestrictViolationError):
        await costs.pool.execute("UPDATE tariffs SET body = '{}'")


# --- statements


async def test_a_month_is_settled(costs: CostSite) -> None:
    await costs.drive(
        Trip("t1", at("2026-03-02T09:00:00"), odometer_m=40_000, track_m=39_000, riders=[Asked("r1", budget_item="办公费")]),
        Trip("t2", at("2026-03-04T09:00:00"), odometer_m=70_000, track_m=60_000, riders=[Asked("r2", budget_item="会议费")]),  # a holiday; the track
        Trip("t3", at("2026-03-31T21:00:00"), hours=2.9999, odometer_m=10_000, riders=[Asked("r3", "wsj")]),  # back at 23:59:59
        Trip("t4", at("2026-03-31T21:00:00"), hours=3, odometer_m=10_000, vehicle="car-2", riders=[Asked("r4")]),  # back at midnight: April
        Trip("t5", at("2026-03-10T09:00:00"), odometer_m=None, riders=[Asked("r5")]),  # nobody knows how far
        Trip("t6", at("2026-03-11T09:00:00"), odometer_m=5_000, running=True, riders=[Asked("r6")]),  # its track comes later
        Trip("t7", at("2026-03-12T09:00:00"), riders=[Asked("r7", state="to_confirm")]),
    )  # fmt: skip
    toll = entry(dispatch="t1", amount_fen=1500)
    await costs.ask("garage", "POST", "cost-entries", toll, 201)
    await costs.ask("garage", "POST", "cost-entries", toll | {"payer": "driver", "invoice_no": "9"}, 201)
    await costs.ask("boss", "POST", "statements", {"platform": "pool", "period": "202603"}, 403)
    early = f"{datetime.now(CHINA):%Y%m}"
    await costs.ask("desk", "POST", "statements", {"platform": "pool", "period": early}, 422)

    drawn = await costs.draw("202603")
    assert [(d["organisation"], d["total_fen"], d["lines"]) for d in drawn["drawn"]] == [("jsj", 72_00 + 15_00 + 159_00, 2), ("wsj", 18_00, 1)]  # fmt: skip
    assert {each["request"]: each["why"].split("，")[0] for each in drawn["left_out"]} == {"r5": "没有可用的里程", "r6": "轨迹里程尚未算出"}  # fmt: skip
    id = drawn["drawn"][0]["id"]
    shown = await costs.ask("boss", "GET", f"statements/{id}")
    assert shown["total_in_words"] == "贰佰肆拾陆元整"
    assert [(c["cost_centre"], c["total"]) for c in shown["cost_centres"]] == [
        ("会议费", "159.00"),
        ("办公费", "87.00"),
    ]
    first, second = await costs.lines(id, "boss")
    assert (first["settlement_m"], first["km_source"], first["odometer_m"], first["track_m"]) == (
        40_000,
        "odometer",
        40_000,
        39_000,
    )
    # 50 x 1.8 + 10 x 1.6 = 106, x 1.5 = 159
    assert (second["settlement_m"], second["km_source"], second["amount"]) == (60_000, "track", "159.00")
    assert [c["code"] for c in second["charges"]] == ["distance", "holiday"]
    assert (first["user"], first["destination"], first["on"]) == ("王五", "如皋市政府", "2026-03-02")
    states = dict(await costs.pool.fetch("SELECT id, state FROM trip_requests"))
    assert states == {"r1": "settled", "r2": "settled", "r3": "settled", "r4": "confirmed", "r5": "confirmed", "r6": "confirmed", "r7": "to_confirm"}  # fmt: skip
    async with costs.pool.acquire() as connection:
        thread = await read_request(connection, "r1")
    assert thread is not None
    assert (thread.paper.state, thread.entries[-1].event.body) == ("settled", {"statement": id})
    # Again: nothing is doubled. Who is not of it sees nothing.
    assert (await costs.draw("202603"))["drawn"] == []
    assert {each["organisation"] for each in (await costs.draw("202603"))["there"]} == {"jsj", "wsj"}
    await costs.ask("other", "GET", f"statements/{id}", status=404)
    assert len((await costs.ask("other", "GET", "statements"))["items"]) == 1
    (listed,) = (await costs.ask("desk", "GET", "statements", params={"organisation": "jsj"}))["items"]
    # Both parties are named to both, though neither reaches the other.
    assert (listed["organisation_name"], listed["platform_name"]) == ("jsj", "pool")
    assert (shown["organisation_name"], shown["platform_name"]) == ("jsj", "pool")

    # What was lacking is said, and the trip comes into the next statement.
    trip = await costs.ask("desk", "GET", "trip-costs/t5")
    assert "没有可用的里程" in trip["unpriced"]
    assert trip["unpriced_code"] == "facts"
    # A tariff that one may not read is another thing than none; a trip that is not one's own is not there.
    assert (await costs.ask("boss", "GET", "trip-costs/t5"))["unpriced_code"] == "tariff_out_of_reach"
    await costs.drive(Trip("t8", at("2025-12-30T09:00:00"), riders=[Asked("r8", state="to_confirm")]))
    for who in ("desk", "boss"):
        assert (await costs.ask(who, "GET", "trip-costs/t8"))["unpriced_code"] == "no_tariff"
    await costs.ask("other", "GET", "trip-costs/t8", status=404)
    await costs.ask("desk", "PUT", "trip-costs/t5", {"distance_m": 8_000}, 422)
    trip = await costs.ask("desk", "PUT", "trip-costs/t5", {"distance_m": 8_000, "reason": "按导航里程填写"})
    assert (trip["price"]["total"], trip["price"]["km_source"]) == ("14.40", "entered")
    await costs.ask("desk", "PUT", "trip-costs/t1", {"product": "day"}, 409)
    await costs.ask("boss", "PUT", "trip-costs/t5", {}, 403)
    april = await costs.draw("202604")
    assert [(d["organisation"], d["lines"], d["total_fen"]) for d in april["drawn"]] == [
        ("jsj", 2, 14_40 + 25_00)
    ]


async def test_a_statement_goes_its_way(costs: CostSite) -> None:
    await costs.drive(
        *(Trip(f"t{k}", at(f"2026-03-0{k + 1}T09:00:00"), riders=[Asked(f"r{k}")]) for k in (1, 2))
    )
    (drawn,) = (await costs.draw("202603"))["drawn"]
    id = drawn["id"]
    one, two = await costs.lines(id)
    assert (drawn["total_fen"], one["amount_fen"], two["amount_fen"]) == (144_00, 72_00, 72_00)
    await costs.step("desk", id, "confirm", 403)
    await costs.step("money", id, "pay", 409, reference="P-1")
    await costs.step("desk", id, "confirm-silent", 409)
    await costs.step("boss", id, "object", reason="3月2日的里程不对")
    await costs.step("boss", id, "confirm", 409)
    # Answered and corrected: the line stays, its reversal and the right one stand beside it.
    await costs.step("desk", id, "correct", 422, line=10**9, amount_fen=1, reason="没有这一行啊")
    fixed = await costs.step("desk", id, "correct", line=one["no"], amount_fen=60_00, reason="按轨迹核减里程")
    assert (fixed["total_fen"], fixed["lines"], fixed["total_in_words"]) == (132_00, 4, "壹佰叁拾贰元整")
    assert fixed["cost_centres"][0]["total_fen"] == 132_00
    assert [(line["kind"], line["amount_fen"]) for line in await costs.lines(id)] == [
        ("trip", 72_00), ("trip", 72_00), ("reversal", -72_00), ("corrected", 60_00),
    ]  # fmt: skip
    await costs.step("desk", id, "correct", 422, line=one["no"], reason="不能再冲一次的")
    answered = await costs.step("desk", id, "answer", reason="已按轨迹更正")
    assert not answered["objected"]
    stale = await costs.step("boss", id, "confirm", 409, version=1)
    assert stale["version"] == 4
    done = await costs.step("boss", id, "confirm")
    assert (done["state_name"], done["silent"]) == ("已确认", False)
    paid = await costs.step("money", id, "pay", reference="国库支付 2026-0417")
    assert (paid["state_name"], paid["payment_ref"]) == ("已付款", "国库支付 2026-0417")
    await costs.step("desk", id, "void", 409, reason="已付款的不能作废")
    assert (await costs.step("desk", id, "receive"))["state_name"] == "已收款"
    # Later: 冲正 in the next statement, also when nobody drove.
    after = await costs.step("desk", id, "correct", line=two["no"], amount_fen=70_00, reason="审计要求核减")
    assert after["total_fen"] == 132_00
    (may,) = (await costs.draw("202604"))["drawn"]
    assert (may["total_fen"], may["lines"]) == (-2_00, 2)
    assert [(line["kind"], line["of"]) for line in await costs.lines(may["id"])] == [("reversal", done["number"]), ("corrected", done["number"])]  # fmt: skip
    assert (await costs.ask("boss", "GET", f"statements/{may['id']}"))["total_in_words"] == "负贰元整"
    events = [e["step"] for e in (await costs.ask("boss", "GET", f"statements/{id}"))["thread"]]
    assert events == ["draw", "object", "correct", "answer", "confirm", "pay", "receive", "correct"]
    await _is_printed(costs, id)
    for statement in ("UPDATE cost_statement_lines SET amount_fen = 1", "DELETE FROM cost_statement_lines", "DELETE FROM cost_statements",
                      "UPDATE cost_statement_events SET step = 'x'", "UPDATE trip_prices SET body = '{}'"):  # fmt: skip
        with pytest.raises(asyncpg.RestrictViolationError):
            await costs.pool.execute(statement)


async def _is_printed(costs: CostSite, id: str) -> None:
    """The paper: lines, totals, words, objections apart, who has signed; the same bytes again; the same sums as XLSX."""
    pdf = await costs.file("boss", f"statements/{id}/document")
    assert pdf == await costs.file("boss", f"statements/{id}/document")
    said = "".join("".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages).split())
    for text in (
        "公务用车费用结算单",
        "壹佰叁拾贰元整",
        "132.00",
        "提出异议",
        "3月2日的里程不对",
        "用车单位确认：boss",
        "冲正：",
        "按轨迹核减里程",
    ):
        assert text in said, text
    book = openpyxl.load_workbook(
        io.BytesIO(await costs.file("boss", f"statements/{id}/document?format=xlsx"))
    )
    assert [sheet.title for sheet in book] == ["结算单", "明细", "经过"]
    assert sum(row[13] for row in book["明细"].iter_rows(min_row=2, values_only=True) if row[0]) == 132
    # Of a secret vehicle who is not cleared sees that it is there, and what it came to.
    await costs.pool.execute("UPDATE vehicles SET secret = true WHERE id = 'car-1'")
    pdf = await costs.file("money", f"statements/{id}/document")
    said = "".join("".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages).split())
    assert "另有涉密车辆4行，共132.00元" in said
    assert "派-t1" not in said
    await costs.pool.execute("UPDATE vehicles SET secret = false WHERE id = 'car-1'")


async def test_a_void_statement_gives_its_trips_back(costs: CostSite) -> None:
    await costs.drive(Trip("t1", at("2026-03-02T09:00:00"), riders=[Asked("r1")]))
    (first,) = (await costs.draw("202603"))["drawn"]
    await costs.step("desk", first["id"], "void", reason="产品选错了，重新出具")
    await costs.ask("desk", "PUT", "trip-costs/t1", {"product": "day"})
    (second,) = (await costs.draw("202603"))["drawn"]
    assert (second["total_fen"], second["number"][-3:]) == (262_00, "02号")
    for step in ("void", "confirm", "correct"):
        await costs.step(
            "boss" if step == "confirm" else "desk",
            first["id"],
            step,
            409,
            **(
                {}
                if step == "confirm"
                else {"reason": "作废后不能再办"} | ({"line": 1} if step == "correct" else {})
            ),
        )
    # A correction that a void statement had taken goes to the next one.
    await costs.step("boss", second["id"], "confirm")
    (line,) = await costs.lines(second["id"])
    await costs.step("desk", second["id"], "correct", line=line["no"], reason="整笔取消不收费")
    (april,) = (await costs.draw("202604"))["drawn"]
    await costs.step("desk", april["id"], "void", reason="再出具一次四月")
    (again,) = (await costs.draw("202604"))["drawn"]
    assert (april["total_fen"], again["total_fen"]) == (-262_00, -262_00)
    assert await costs.lines(april["id"]) == []


async def test_shares_of_a_pooled_trip_sum_also_when_they_are_settled_apart(costs: CostSite) -> None:
    riders = [
        Asked("r1", "jsj", 3),
        Asked("r2", "wsj", 1, stops=[PLACE | {"lat": 32.0}]),
        Asked("r3", "jsj", 2, state="disputed"),
    ]
    await costs.drive(Trip("t1", at("2026-03-02T09:00:00"), odometer_m=37_777, riders=riders))
    drawn = (await costs.draw("202603"))["drawn"]
    trip = await costs.ask("desk", "GET", "trip-costs/t1")
    price = trip["price"]
    assert trip["settled"]
    assert sum(price["shares"].values()) == price["total_fen"] == round(37.777 * 180)
    assert {d["organisation"]: d["total_fen"] for d in drawn} == {
        "jsj": price["shares"]["r1"],
        "wsj": price["shares"]["r2"],
    }
    far = price["shares"]
    assert far["r1"] > far["r3"] > far["r2"] > 0
    # The third is settled later, by the same price, whatever is valid then.
    await costs.pool.execute("UPDATE trip_requests SET state = 'confirmed' WHERE id = 'r3'")
    (later,) = (await costs.draw("202604"))["drawn"]
    assert later["total_fen"] == far["r3"]


async def test_who_drew_it_does_not_confirm_it_and_silence_does_after_its_term(costs: CostSite) -> None:
    await costs.drive(Trip("t1", at("2026-03-02T09:00:00"), riders=[Asked("r1")]))
    (drawn,) = (await costs.draw("202603", "both"))["drawn"]
    refused = await costs.step("both", drawn["id"], "confirm", 403)
    assert "不能代单位确认" in refused["detail"]
    shown = await costs.ask("both", "GET", f"statements/{drawn['id']}")
    assert {m["step"]: m["refused"] for m in shown["may"]}["confirm"] == "own-statement"
    days = (datetime.fromisoformat(shown["object_by"]) - datetime.now(UTC)).days
    assert 5 <= days <= 14
    await costs.pool.execute("UPDATE cost_statements SET object_by = now()")
    await costs.step("boss", drawn["id"], "object", 409, reason="已经过了异议期")
    done = await costs.step("desk", drawn["id"], "confirm-silent")
    assert (done["state"], done["silent"]) == ("confirmed", True)


async def test_many_draw_at_once_and_one_has_drawn(costs: CostSite) -> None:
    await costs.drive(
        *(Trip(f"t{k}", at(f"2026-03-{k + 1:02}T09:00:00"), riders=[Asked(f"r{k}")]) for k in range(1, 20))
    )
    results = await asyncio.gather(*(costs.draw("202603") for _ in range(6)))
    assert sorted(len(found["drawn"]) for found in results) == [0, 0, 0, 0, 0, 1]
    assert await costs.pool.fetchval("SELECT count(*) FROM cost_claims WHERE statement IS NOT NULL") == 19
    assert await costs.pool.fetchval("SELECT count(*) FROM trip_request_events WHERE step = 'settle'") == 19


async def test_a_secret_vehicle_is_counted_and_not_shown(costs: CostSite) -> None:
    await costs.drive(
        Trip("t1", at("2026-03-02T09:00:00"), riders=[Asked("r1")]),
        Trip("t2", at("2026-03-03T09:00:00"), vehicle="car-2", riders=[Asked("r2")]),
    )
    await costs.ask("garage", "POST", "cost-entries", entry(vehicle="car-2"), 201)
    await costs.pool.execute("UPDATE vehicles SET secret = true WHERE id = 'car-2'")
    (drawn,) = (await costs.draw("202603"))["drawn"]
    assert len(await costs.lines(drawn["id"])) == 2  # the dispatcher of its unit is cleared
    seen = await costs.ask("money", "GET", f"statements/{drawn['id']}")
    assert (seen["lines"], seen["total_fen"]) == (2, drawn["total_fen"])
    assert [line["dispatch"] for line in await costs.lines(drawn["id"], "money")] == ["t1"]
    assert "car-2" not in str(await costs.ask("bureau", "GET", "cost-entries"))
