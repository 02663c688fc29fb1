"""One vehicle, one file, over HTTP by several people on a real PostgreSQL: papers that end and whom they keep from being sent, swaps of plates, maintenance,
files, the whole of it as PDF; and what people try that must not work."""

from __future__ import annotations

import asyncio
import hashlib
import io
import random
import time
from datetime import date, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import numpy as np
import pytest
from pypdf import PdfReader

from api.auth.cookies import COOKIE, CSRF_HEADER
from api.cases.schemas import CaseMessage
from office.identity import sessions
from office.identity.subject import Role
from office.vehicles import reminders
from registry.vehicle_papers import lapse_of_vehicle, lapsed_vehicles
from runtime.units import CHINA
from tests.integration import test_trips
from tests.integration.test_trips import Site
from tests.integration.test_trips import trips as trips  # a fixture
from tests.png import write

#: Besides those of ``test_trips``: who keeps and who decides in the unit that has the vehicles.
STAFF: dict[str, list[tuple[Role, str, str | None]]] = {
    "keeper": [(Role.UNIT_ADMINISTRATOR, "pool", None)],
    "keeper2": [(Role.UNIT_ADMINISTRATOR, "pool", None)],
    "head": [(Role.UNIT_HEAD, "pool", None)],
    "both": [(Role.UNIT_ADMINISTRATOR, "pool", None), (Role.UNIT_HEAD, "pool", None)],
    "stranger": [(Role.UNIT_HEAD, "wsj", None)],
}
VIN = "1M8GDM9AXKP042788"


@pytest.fixture
def staff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_trips, "PEOPLE", test_trips.PEOPLE | STAFF)


@pytest.fixture
async def garage(staff: None, trips: Site) -> Site:
    return trips


def png(height: int, width: int) -> bytes:
    return write(np.zeros((height, width, 3), np.uint8))


def today(garage: Site) -> date:
    return garage.now.astimezone(CHINA).date()


def paper(kind: str, since: date, until: date, **more: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "number": "P-1",
        "valid_from": since.isoformat(),
        "valid_to": until.isoformat(),
    } | more


async def raw(garage: Site, who: str, method: str, path: str, **more: Any) -> httpx.Response:
    """An answer as it is."""
    secret = garage._secrets[who]
    headers = {"Cookie": f"{COOKIE}={secret}", CSRF_HEADER: sessions.csrf_token(secret)}
    return await garage.client.request(method, f"/v1/{path}", headers=headers, **more)


async def upload(garage: Site, who: str, path: str, name: str, body: bytes, status: int = 201) -> Any:
    answer = await raw(garage, who, "POST", path, params={"name": name}, content=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def candidates(garage: Site, path: str) -> set[str]:
    found = await garage.ask("desk", "GET", f"{path}/candidates")
    return {each["id"] for each in found["items"]}


# --- papers, and who may be sent


async def test_an_expired_paper_keeps_a_vehicle_from_being_sent(garage: Site) -> None:
    day, asked = today(garage), await garage.approved(hours=26, long=3)
    assert await candidates(garage, asked) == {"car-1", "car-2"}  # nothing is known of either
    last = (garage.now + timedelta(hours=26)).astimezone(CHINA).date() - timedelta(days=1)
    made = await garage.ask("keeper", "POST", "vehicles/car-1/papers", paper("inspection", day - timedelta(days=300), last), 201)  # fmt: skip
    assert (made["kind_name"], made["valid_to"], made["documents"]) == ("年检", last.isoformat(), [])
    twice = await asyncio.gather(
        *(raw(garage, "keeper", "POST", "vehicles/car-2/papers", json=paper("commercial", day, day + timedelta(days=9))) for _ in range(6))
    )  # fmt: skip
    assert sorted(answer.status_code for answer in twice) == [201] + [409] * 5
    assert await candidates(garage, asked) == {"car-2"}
    refused = await garage.assigned([asked], status=422)
    assert f"苏F12341 的年检有效期至 {last.isoformat()}，届时已过期" in refused["detail"]
    assert refused["errors"][0]["pointer"] == "/vehicle"
    # Commercial insurance is no reason; compulsory is.
    await garage.ask("keeper", "POST", "vehicles/car-2/papers", paper("commercial", day - timedelta(days=9), day - timedelta(days=1)), 201)  # fmt: skip
    assert await candidates(garage, asked) == {"car-2"}
    await garage.ask("keeper", "POST", "vehicles/car-2/papers", paper("compulsory", day - timedelta(days=9), last), 201)  # fmt: skip
    assert await candidates(garage, asked) == set()
    assert "交强险有效期至" in (await garage.assigned([asked], status=422, vehicle="car-2"))["detail"]
    # Renewed without a gap: it may be sent. Declared void: it may not.
    renewed = await garage.ask("keeper", "POST", "vehicles/car-1/papers", paper("inspection", last + timedelta(days=1), last + timedelta(days=365)), 201)  # fmt: skip
    assert await candidates(garage, asked) == {"car-1"}
    void = await garage.ask(
        "keeper", "POST", f"vehicle-papers/{renewed['id']}:void", {"reason": "录错了车辆"}
    )
    assert (void["standing"], void["void_reason"], void["voided_by"]) == (
        "void",
        "录错了车辆",
        "keeper同志",
    )
    await garage.ask("keeper", "POST", f"vehicle-papers/{renewed['id']}:void", {"reason": "录错了车辆"}, 409)
    assert await candidates(garage, asked) == set()
    await garage.ask("keeper", "POST", "vehicles/car-1/papers", paper("inspection", last - timedelta(days=5), last + timedelta(days=365)), 201)  # fmt: skip
    await garage.assigned([asked])


async def test_the_end_of_a_month_in_shanghai(garage: Site) -> None:
    """An inspection holds to 23:59:59 of its last day in China, whatever the day is elsewhere; a trip that goes on after it is refused."""
    ends = today(garage) + timedelta(days=40)
    await garage.ask("keeper", "POST", "vehicles/car-1/papers", paper("inspection", today(garage), ends), 201)
    midnight = datetime.combine(ends + timedelta(days=1), datetime.min.time(), CHINA)

    def span(start: timedelta, end: timedelta) -> dict[str, Any]:
        times = (midnight + start).isoformat(), (midnight + end).isoformat()
        return dict(zip(("planned_departure", "planned_return"), times, strict=True))

    minute = timedelta(minutes=1)
    for start, end, there in (
        (-60 * minute, -minute, True), (-60 * minute, 0 * minute, True), (-60 * minute, minute, False), (0 * minute, 60 * minute, False),
    ):  # fmt: skip
        path = await garage.asked(category="confidential", **span(start, end))
        await garage.step("office", path, "approve")
        assert ("car-1" in await candidates(garage, path)) is there, (start, end)


async def test_papers_as_the_database_finds_them_are_those_of_every_day(pool: asyncpg.Pool) -> None:
    """The condition in SQL against a calendar that is looked at day by day."""
    await pool.execute("INSERT INTO organisations (id, name) VALUES ('u', 'u')")
    await pool.execute("INSERT INTO vehicles (id, plate, organisation) VALUES ('v', '苏F10001', 'u')")
    start, chance = date(2026, 2, 20), random.Random(7)
    insert = (
        "INSERT INTO vehicle_papers (id, organisation, vehicle, kind, number, issuer, classes, valid_from, valid_to, note, entered_by, entered_by_name)"
        " VALUES ($1, 'u', 'v', 'inspection', '1', '', '{}', $2, $3, '', 'x', 'x')"
    )
    outcomes = set()
    for number in range(150):
        async with pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            spans = []
            for k in range(chance.randrange(4)):
                since = start + timedelta(days=chance.randrange(20))
                spans.append((since, since + timedelta(days=chance.randrange(8))))
                await connection.execute(insert, f"p{k}", *spans[-1])
            for _ in range(6):
                first = start + timedelta(days=chance.randrange(-3, 28))
                last = first + timedelta(days=chance.randrange(6))
                days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
                bad = [
                    day for day in days
                    if not any(a <= day <= b for a, b in spans) and any(b < day for _, b in spans)
                ]  # fmt: skip
                found = await lapse_of_vehicle(connection, "v", first, last)
                assert (found is not None) is bool(bad), (number, spans, first, last)
                if found is not None:
                    assert found.last in {b for _, b in spans}
                outcomes.add(found is not None)
                gaps = await lapsed_vehicles(connection, ["v", "w"], first, last)
                without = {day for day in days for _, begins, ends in gaps if begins <= day and (ends is None or day < ends)}  # fmt: skip
                assert without == set(bad), (number, spans, first, last, gaps)
            await transaction.rollback()
    assert outcomes == {True, False}


async def test_who_asks_which_vehicle_fits_is_told_the_paper_and_the_seat(garage: Site) -> None:
    """What keeps the one that is chosen from being sent keeps it from being suggested, with its reason."""
    day, asked = today(garage), await garage.approved(passengers=4)
    found = await garage.ask("desk", "GET", f"{asked}/candidates")
    assert {"seats", "licences"} <= {each["code"] for each in found["unknown"]}
    await garage.ask("keeper", "POST", "vehicles/car-1/papers", paper("compulsory", day - timedelta(days=9), day - timedelta(days=1)), 201)  # fmt: skip
    await garage.ask("keeper", "PUT", "vehicles/car-2/particulars", {"body": "medium_bus", "seats": 4})
    found = await garage.ask("desk", "GET", f"{asked}/candidates")
    reasons = {each["id"]: {reason["code"] for reason in each["reasons"]} for each in found["failed"]}
    assert reasons == {"car-1": {"papers"}, "car-2": {"seats"}}  # four and the driver
    await garage.ask("keeper", "PUT", "vehicles/car-2/particulars", {"body": "medium_bus", "seats": 17})
    licence = {"number": "320600", "valid_from": "2020-01-01", "valid_to": None}
    for driver, classes in (("dr-1", ["C1"]), ("dr-2", ["B1"])):
        await garage.ask("keeper", "POST", f"drivers/{driver}/licences", licence | {"classes": classes}, 201)
    found = await garage.ask("desk", "GET", f"{asked}/candidates")
    assert [(each["id"], each["driver"]) for each in found["items"]] == [("car-2", "dr-2")]
    assert not {"seats", "licences"} & {each["code"] for each in found["unknown"]}
    await garage.ask("keeper", "PUT", "vehicles/car-2/particulars", {"body": "large_bus", "seats": 40})
    found = await garage.ask("desk", "GET", f"{asked}/candidates")
    assert found["items"] == []
    assert {"no_driver", "licence"} & {
        r["code"] for f in found["failed"] if f["id"] == "car-2" for r in f["reasons"]
    }


async def test_a_driver_needs_a_licence_that_holds_and_fits(garage: Site) -> None:
    day, asked = today(garage), await garage.approved()
    licence = {"number": "320600", "valid_from": "2020-01-01", "valid_to": (day - timedelta(days=3)).isoformat(), "classes": ["C1"]}  # fmt: skip
    old = await garage.ask("keeper", "POST", "drivers/dr-1/licences", licence, 201)
    assert (old["standing"], old["days_left"], old["vehicle"], old["driver"]) == ("ended", -3, None, "dr-1")
    refused = await garage.assigned([asked], status=422)
    assert f"司机1 的驾驶证有效期至 {(day - timedelta(days=3)).isoformat()}" in refused["detail"]
    assert refused["errors"][0]["pointer"] == "/driver"
    # Emergencies are no way around.
    urgent = {"organisation": "pool", "vehicle": "car-1", "driver": "dr-1", "ordered_by": "局长", "reason": "突发事件处置", "destination": {"name": "现场"}}  # fmt: skip
    assert "驾驶证" in (await garage.ask("desk", "POST", "dispatches:emergency", urgent, 422))["detail"]
    # 长期, of a class that does not let drive a bus.
    await garage.ask("keeper", "POST", "drivers/dr-1/licences", licence | {"valid_to": None, "classes": ["C1", "D"], "valid_from": day.isoformat()}, 201)  # fmt: skip
    await garage.ask("keeper", "PUT", "vehicles/car-1/particulars", {"body": "medium_bus", "seats": 17})
    refused = await garage.assigned([asked], status=422)
    assert "准驾车型为 C1、D，不能驾驶中型客车（须 B1、A1、A2 之一）" in refused["detail"]
    await garage.ask("keeper", "PUT", "vehicles/car-1/particulars", {"body": "car", "automatic": True})
    path = await garage.assigned([asked])
    # dr-2 has no licence that is known, and may be sent; once it is known to be C2 alone, not with a clutch.
    await garage.ask("keeper", "PUT", "vehicles/car-2/particulars", {"body": "car"})
    await garage.ask("keeper", "POST", "drivers/dr-2/licences", licence | {"valid_to": None, "classes": ["C2"]}, 201)  # fmt: skip
    refused = await garage.step("desk", path, "reassign", 422, vehicle="car-2", driver="dr-2", reason="换一名驾驶员")  # fmt: skip
    assert "准驾车型为 C2" in refused["detail"]
    shown = await garage.ask("keeper", "GET", "drivers/dr-1/licences")
    assert [each["valid_to"] for each in shown["items"]] == [None, (day - timedelta(days=3)).isoformat()]


async def test_what_drove_before_it_was_entered_may_have_expired(garage: Site) -> None:
    """A 补单 says what was: it is not refused because of a paper."""
    await garage.ask("keeper", "POST", "vehicles/car-1/papers", paper("inspection", date(2020, 1, 1), date(2021, 1, 1)), 201)  # fmt: skip
    start = garage.now - timedelta(hours=5)
    driven = {"vehicle": "car-1", "driver": "dr-2", "departed": start.isoformat(), "returned": (start + timedelta(hours=2)).isoformat()}  # fmt: skip
    path = await garage.asked(kind="backfill", driven=driven, hours=-5, long=2, category="confidential")
    await garage.step("office", path, "approve")
    await garage.turn(timedelta())  # who approved does not reach the vehicle: the clock goes on
    assert await garage.state(path) == "to_confirm"


async def test_lists_of_what_ends(garage: Site) -> None:
    day = today(garage)
    for car, left in (("car-1", 20), ("car-2", 90), ("car-2", 5)):
        await garage.ask("keeper", "POST", f"vehicles/{car}/papers", paper("inspection", day - timedelta(days=9), day + timedelta(days=left)), 201)  # fmt: skip
    await garage.ask("keeper", "POST", "drivers/dr-1/licences", {"number": "1", "valid_from": "2020-01-01", "valid_to": None, "classes": ["A1"]}, 201)  # fmt: skip
    listed = await garage.ask("bureau", "GET", "vehicle-papers", params={"organisation": "city"})
    assert [each["days_left"] for each in listed["items"]] == [5, 20, 90, None]
    soon = {"last": "true", "ends_from": day.isoformat(), "ends_before": (day + timedelta(days=31)).isoformat()}  # fmt: skip
    assert [each["vehicle"] for each in (await garage.ask("keeper", "GET", "vehicle-papers", params=soon))["items"]] == ["car-1"]  # fmt: skip
    # One by one, by the cursor.
    pages, cursor = [], None
    while True:
        page = await garage.ask("keeper", "GET", "vehicle-papers", params={"limit": 1} | ({"cursor": cursor} if cursor else {}))  # fmt: skip
        pages += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert pages == listed["items"]
    assert (await garage.ask("stranger", "GET", "vehicle-papers"))["items"] == []
    assert (await garage.ask("keeper", "GET", "vehicle-papers", params={"kind": "licence"}))["items"][0]["classes"] == ["A1"]  # fmt: skip
    await garage.ask("keeper", "GET", "vehicle-papers", status=422, params={"ends_from": "2026-02-30"})


async def test_people_are_told_before_a_paper_ends(garage: Site) -> None:
    day = today(garage)

    async def turn(after: int) -> None:
        await asyncio.gather(*(_turn(garage.pool, day + timedelta(days=after)) for _ in range(3)))

    async def told(who: str = "keeper") -> list[str]:
        told = (await garage.ask(who, "GET", "messages"))["items"]
        return [CaseMessage.model_validate(each).text for each in told]  # as they are described

    made = await garage.ask("keeper", "POST", "vehicles/car-1/papers", paper("inspection", day, day + timedelta(days=40)), 201)  # fmt: skip
    id = made["id"]
    await turn(9)
    assert await told() == []
    for after, count in ((10, 1), (11, 1), (33, 2), (38, 2), (39, 3), (40, 3), (41, 4), (60, 4)):
        await turn(after)
        assert len(await told()) == count, after
    assert await told() == [
        f"证照 {id}：年检已到期，续办并登记前不能派出", f"证照 {id}：年检将在 1 日内到期，请办理并登记新的年检",
        f"证照 {id}：年检将在 7 日内到期，请办理并登记新的年检", f"证照 {id}：年检将在 30 日内到期，请办理并登记新的年检",
    ]  # fmt: skip
    message = (await garage.ask("desk", "GET", "messages"))["items"][0]
    assert message["link"] == f"/v1/vehicle-papers/{id}"  # dispatchers are told as well
    assert (await garage.ask("keeper", "GET", message["link"].removeprefix("/v1/")))["vehicle"] == "car-1"
    assert await told("other") == []
    assert await told("bureau") == []  # who has the whole city is not told of every car
    # After an outage the nearest alone; nothing of what was renewed, declared void or disposed of.
    await garage.pool.execute("INSERT INTO vehicles (id, plate, organisation, disposed_on) VALUES ('car-3', '苏F12343', 'pool', $1)", day + timedelta(days=1))  # fmt: skip
    before = len(await told())
    for car, spans in (("car-1", [(70, 75)]), ("car-2", [(70, 75), (76, 400)]), ("car-3", [(70, 75)])):
        for first, last in spans:
            await garage.ask("keeper", "POST", f"vehicles/{car}/papers", paper("compulsory", day + timedelta(days=first), day + timedelta(days=last)), 201)  # fmt: skip
    gone = await garage.ask("keeper", "POST", "vehicles/car-1/papers", paper("commercial", day, day + timedelta(days=75)), 201)  # fmt: skip
    await garage.ask("keeper", "POST", f"vehicle-papers/{gone['id']}:void", {"reason": "保单已退保"})
    await turn(74)
    assert len(await told()) == before + 1
    assert "交强险将在 1 日内到期" in (await told())[0]
    # What was passed over because another one followed is told of when that one is declared void.
    later = await garage.pool.fetchval("SELECT id FROM vehicle_papers WHERE vehicle = 'car-2' ORDER BY valid_to DESC LIMIT 1")  # fmt: skip
    await garage.ask("keeper", "POST", f"vehicle-papers/{later}:void", {"reason": "录错了车辆"})
    await turn(74)
    assert len(await told()) == before + 2
    # A paper of years ago is history, where one holds today: also with a gap between them.
    for first, last in ((-900, -500), (-100, 200)):
        await garage.ask("keeper", "POST", "vehicles/car-2/papers", paper("inspection", day + timedelta(days=first), day + timedelta(days=last)), 201)  # fmt: skip
    await turn(0)
    assert len(await told()) == before + 2


async def _turn(pool: asyncpg.Pool, day: date) -> None:
    async with pool.acquire() as connection:
        while await reminders.turn(connection, day):
            pass


# --- identity, plates


async def test_the_vin_is_the_identity_of_a_vehicle(garage: Site) -> None:
    empty = await garage.ask("keeper", "GET", "vehicles/car-1/particulars")
    assert (empty["vin"], empty["body"], empty["marking"]) == (None, None, "")
    given = {"vin": VIN.lower(), "make_model": "帕萨特 SVW7183", "body": "car", "seats": 5, "displacement_ml": 1798, "price_fen": 17_990_000}  # fmt: skip
    made = await garage.ask("keeper", "PUT", "vehicles/car-1/particulars", given)
    assert (made["vin"], made["body_name"], made["price_fen"]) == (VIN, "小型、微型客车", 17_990_000)
    taken = await garage.ask("keeper", "PUT", "vehicles/car-2/particulars", given, 409)
    assert "不要另建" in taken["detail"]
    # Also where the other one is not the caller's to see; and nothing of it is told.
    await garage.pool.execute(
        "INSERT INTO vehicles (id, plate, organisation) VALUES ('car-9', '苏F12349', 'wsj')"
    )
    taken = await garage.ask("other", "PUT", "vehicles/car-9/particulars", {"vin": VIN}, 409)
    assert "car-1" not in taken["detail"]
    other = "11111111111111111"
    assert "correction" in (await garage.ask("keeper", "PUT", "vehicles/car-1/particulars", {"vin": other}, 422))["errors"][0]["pointer"]  # fmt: skip
    await garage.ask("keeper", "PUT", "vehicles/car-1/particulars", {}, 422)  # nor is it forgotten
    await garage.ask(
        "keeper", "PUT", "vehicles/car-1/particulars", {"vin": other, "correction": "行驶证抄录有误"}
    )
    noted = await garage.pool.fetchval(
        "SELECT before ->> 'vin' FROM audit WHERE subject_kind = 'vehicle-particulars' AND before ? 'vin' AND organisation = 'pool' ORDER BY no DESC LIMIT 1"
    )
    assert noted == VIN
    await garage.ask("stranger", "GET", "vehicles/car-1/particulars", status=404)
    await garage.ask("other", "PUT", "vehicles/car-1/particulars", given, 404)
    await garage.ask("head", "PUT", "vehicles/car-1/particulars", given, 403)
    assert "免喷标识须写明原因" in (await garage.ask("keeper", "PUT", "vehicles/car-2/particulars", {"marking": "exempt"}, 422))["detail"]  # fmt: skip


async def test_two_vehicles_swap_plates_in_one_act(garage: Site) -> None:
    swap = {
        "other": "car-2",
        "plate": "苏F12341",
        "other_plate": "苏F12342",
        "reason": "工作需要，车管所已办理",
    }
    # Ten at once: it is done once, and not back again.
    answers = await asyncio.gather(
        *(raw(garage, "keeper", "POST", "vehicles/car-1:swap-plates", json=swap) for _ in range(10))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9
    rows = await garage.pool.fetch("SELECT id, plate FROM vehicles ORDER BY id")
    assert [tuple(row) for row in rows] == [("car-1", "苏F12342"), ("car-2", "苏F12341")]
    shown = {car: await garage.ask("keeper", "GET", f"vehicles/{car}/plates") for car in ("car-1", "car-2")}
    for car, plates in (("car-1", ["苏F12342", "苏F12341"]), ("car-2", ["苏F12341", "苏F12342"])):
        assert [each["plate"] for each in shown[car]["items"]] == plates
        assert shown[car]["items"][0]["valid_from"] == shown[car]["items"][1]["valid_to"]
        assert (shown[car]["swaps"][0]["plate_before"], shown[car]["swaps"][0]["by"]) == (
            plates[1],
            "keeper同志",
        )
    assert shown["car-1"]["swaps"][0]["act"] == shown["car-2"]["swaps"][0]["act"]
    # And back, by another act; both directions at once wait for each other, and never both.
    back = swap | {"plate": "苏F12342", "other_plate": "苏F12341"}
    other = {"other": "car-1", "plate": "苏F12341", "other_plate": "苏F12342", "reason": "工作需要，换回"}
    answers = await asyncio.gather(
        *(raw(garage, "keeper", "POST", f"vehicles/{car}:swap-plates", json=body) for car, body in (("car-1", back), ("car-2", other)) for _ in range(5))
    )  # fmt: skip
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9
    for wrong, status in (
        (swap | {"other": "car-1"}, 422), (swap | {"other": "nobody"}, 422), (swap | {"reason": "x"}, 422),
    ):  # fmt: skip
        await garage.ask("keeper", "POST", "vehicles/car-1:swap-plates", wrong, status)
    await garage.ask("other", "POST", "vehicles/car-1:swap-plates", swap, 404)
    await garage.pool.execute("UPDATE vehicles SET disposed_on = '2026-01-01' WHERE id = 'car-2'")
    assert "已处置" in (await garage.ask("keeper", "POST", "vehicles/car-1:swap-plates", swap, 422))["detail"]


# --- maintenance


def bill(fen: int) -> dict[str, Any]:
    return {
        "parts": [
            {"name": "刹车片", "part_no": "BP-1", "count": 2, "price_fen": 10_000, "old_returned": True}
        ],
        "labour": [{"name": "更换刹车片", "minutes": 90, "rate_fen": (fen - 20_000) * 2 // 3}],
        "total_fen": fen,
    }


class Repairs:
    """The steps of a maintenance, by people."""

    def __init__(self, garage: Site) -> None:
        self.garage, self.id = garage, ""

    async def report(self, **more: Any) -> Any:
        body = {"vehicle": "car-1", "fault": "刹车时异响", "odometer_m": 52_000_000} | more
        made = await self.garage.ask("keeper", "POST", "maintenance", body, 201)
        self.id = made["id"]
        return made

    async def step(self, who: str, step: str, status: int = 200, **body: Any) -> Any:
        version = await self.garage.pool.fetchval("SELECT version FROM maintenances WHERE id = $1", self.id)
        return await self.garage.ask("" or who, "POST", f"maintenance/{self.id}:{step}", {"version": version} | body, status)  # fmt: skip

    async def picture(self, name: str, status: int = 201) -> Any:
        return await upload(
            self.garage, "keeper", f"maintenance/{self.id}/documents", name, png(3, 2), status
        )

    async def to_shop(self, fen: int = 80_000) -> None:
        await self.report()
        await self.step("keeper", "quote", shop="甲厂", bill=bill(fen))
        await self.step("keeper", "quote", shop="乙厂", bill=bill(fen + 5_000))
        await self.step("keeper", "submit", shop="甲厂")
        await self.step("head", "approve")
        await self.step("keeper", "start")


async def test_a_maintenance_from_the_report_to_the_acceptance(garage: Site) -> None:
    work, asked = Repairs(garage), await garage.approved()
    made = await work.report()
    assert made["number"] == f"修〔{today(garage).year}〕pool-000001号"
    assert {each["step"] for each in made["may"]} == {"quote", "submit", "cancel", "attach", "note"}
    await work.step("keeper", "submit", 409, shop="甲厂")
    await work.step("keeper", "quote", shop="甲厂", bill=bill(80_000))
    # The same shop in other letters is no second shop.
    await work.step("keeper", "quote", shop="甲 厂", bill=bill(80_000))
    refused = await work.step("keeper", "submit", 422, shop="甲厂")
    assert "须有至少两家维修厂的报价，现有 1 家" in refused["detail"]
    await work.step("keeper", "quote", shop="乙厂", bill=bill(74_000))
    assert "高于最低报价 740.00 元" in (await work.step("keeper", "submit", 422, shop="甲厂"))["detail"]
    await work.step("keeper", "submit", shop="甲厂", reason="定点厂，质保期更长")
    # Who keeps does not approve; who has both rights does not approve what he did himself.
    await work.step("keeper", "approve", 403)
    await work.step("stranger", "approve", 404)
    assert [each["text"] for each in (await garage.ask("head", "GET", "messages"))["items"]] == [
        f"维修单 {made['number']}：选定报价，送审，现为待审批"
    ]
    await work.step("head", "reject", reason="请再询价一次")
    await work.step("both", "submit", shop="乙厂")
    assert (await work.step("both", "approve", 403))["type"].endswith("own-repair")
    approved = await work.step("head", "approve")
    assert (approved["state"], approved["state_name"]) == ("approved", "已批准，待进厂")
    assert await candidates(garage, asked) == {"car-1", "car-2"}
    assert "早于上一步" in (await work.step("keeper", "start", 422, at="2026-03-02T08:00:00+08:00"))["detail"]
    await work.step("keeper", "start")
    # In the shop it is sent nowhere.
    assert await candidates(garage, asked) == {"car-2"}
    assert f"正在维修（{made['number']}）" in (await garage.assigned([asked], status=422))["detail"]
    # More than was approved has to be approved again; a wrong sum and a time to come are refused.
    assert "超过批准的 740.00 元" in (await work.step("keeper", "finish", 422, bill=bill(80_000)))["detail"]
    await work.step("keeper", "finish", 422, bill=bill(74_000) | {"total_fen": 74_001})
    later = (garage.now + timedelta(days=2)).isoformat()
    await work.step("keeper", "finish", 422, bill=bill(74_000), at=later)
    await work.step("keeper", "ask-more", 422, total_fen=74_000, reason="另需更换刹车盘")
    await work.step("keeper2", "ask-more", total_fen=80_000, reason="另需更换刹车盘")
    await work.step("keeper", "finish", 409, bill=bill(80_000))
    await work.step("head", "grant")
    await work.step(
        "keeper", "finish", bill=bill(80_000), invoice="24322000000012345678", warranty_until="2027-11-30"
    )
    # Two pictures, and another person.
    assert "至少 2 张照片" in (await work.step("head", "accept", 409))["detail"]
    kept = await work.picture("before.png")
    assert (kept["kind"], kept["maintenance"], kept["media_type"]) == ("maintenance", work.id, "image/png")
    await work.picture("after.png")
    assert (await work.step("keeper", "accept", 403))["type"].endswith("own-bill")
    await work.step("head", "accept")
    assert await candidates(garage, asked) == {"car-1", "car-2"}
    shown = await garage.ask("head", "GET", f"maintenance/{work.id}")
    assert (shown["state"], shown["total_fen"], shown["approved_fen"], shown["pictures"], shown["may"]) == (
        "accepted", 80_000, 80_000, 2, [],
    )  # fmt: skip
    assert [each["shop"] for each in shown["quotes"]] == ["甲厂", "乙厂"]
    assert len(shown["documents"]) == 2
    assert shown["thread"][0]["by"] == "keeper同志"
    assert [entry["version"] for entry in shown["thread"]] == list(range(1, len(shown["thread"]) + 1))
    await work.picture("late.png", 409)
    # The invoice is paid once; of another shop it is another invoice.
    await work.to_shop()
    assert shown["shop"] == "乙厂"
    await work.step("keeper", "finish", bill=bill(80_000), invoice="24322000000012345678")
    listed = await garage.ask("bureau", "GET", "maintenance", params={"organisation": "city"})
    assert [each["number"][-4:-1] for each in listed["items"]] == ["002", "001"]
    assert [each["id"] for each in (await garage.ask("keeper", "GET", "maintenance", params={"open": "true"}))["items"]] == [work.id]  # fmt: skip
    assert (await garage.ask("stranger", "GET", "maintenance"))["items"] == []


async def test_an_odometer_does_not_run_backwards(garage: Site) -> None:
    work = Repairs(garage)
    await work.report(odometer_m=52_000_000)
    body = {"vehicle": "car-1", "fault": "更换机油", "odometer_m": 51_999_999}
    refused = await garage.ask("keeper", "POST", "maintenance", body, 422)
    assert "52000.0 公里" in refused["detail"]
    await garage.ask("keeper", "POST", "maintenance", body | {"odometer_replaced": "里程表已更换"}, 201)
    await garage.ask("keeper", "POST", "maintenance", body | {"vehicle": "nobody"}, 422)
    await garage.ask("other", "POST", "maintenance", body, 422)
    await garage.ask("head", "POST", "maintenance", body, 403)


async def test_of_many_who_act_at_once_one_does(garage: Site) -> None:
    work = Repairs(garage)
    await work.to_shop()
    version = await garage.pool.fetchval("SELECT version FROM maintenances WHERE id = $1", work.id)
    body = {"version": version, "bill": bill(80_000), "invoice": "1"}
    answers = await asyncio.gather(
        *(raw(garage, who, "POST", f"maintenance/{work.id}:finish", json=body) for who in ("keeper", "keeper2") * 5)
    )  # fmt: skip
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9
    # Numbers have no gap, however many report at once.
    report = {"vehicle": "car-2", "fault": "更换机油滤芯", "odometer_m": 1}
    answers = await asyncio.gather(*(raw(garage, "keeper", "POST", "maintenance", json=report) for _ in range(8)))  # fmt: skip
    assert sorted(answer.json()["number"][-4:-1] for answer in answers) == [f"{n:03d}" for n in range(2, 10)]
    # One invoice on two maintenances of one shop at the same moment: it is paid once.
    shops = []
    for car in ("car-1", "car-2"):
        one = Repairs(garage)
        await one.report(vehicle=car)
        await one.step("keeper", "quote", shop="丙厂", bill=bill(29_000))
        await one.step("keeper", "submit", shop="丙厂")
        await one.step("head", "approve")
        await one.step("keeper", "start")
        shops.append(one)
    answers = await asyncio.gather(
        *(raw(garage, "keeper", "POST", f"maintenance/{one.id}:finish", json={"version": 5, "bill": bill(29_000), "invoice": "7"}) for one in shops)
    )  # fmt: skip
    assert sorted(answer.status_code for answer in answers) == [200, 422]
    assert "已用于另一张维修单" in "".join(answer.json().get("detail", "") for answer in answers)


async def test_what_is_written_stays(garage: Site) -> None:
    work = Repairs(garage)
    await work.report()
    kept = await work.picture("a.png")
    made = await garage.ask("keeper", "POST", "vehicles/car-1/papers", paper("inspection", date(2026, 1, 1), date(2027, 1, 1)), 201)  # fmt: skip
    for query in (
        "UPDATE maintenance_events SET body = '{}'", "DELETE FROM maintenance_events", "DELETE FROM maintenances",
        "UPDATE vehicle_documents SET name = 'x'", f"DELETE FROM vehicle_documents WHERE id = '{kept['id']}'",  # noqa: S608 - a test
        "UPDATE vehicle_papers SET valid_to = '2030-01-01'", f"DELETE FROM vehicle_papers WHERE id = '{made['id']}'",  # noqa: S608 - a test
    ):  # fmt: skip
        with pytest.raises(asyncpg.PostgresError):
            await garage.pool.execute(query)


async def test_a_file_goes_with_its_vehicle(garage: Site) -> None:
    work = Repairs(garage)
    await work.report()
    kept = await work.picture("a.png")
    made = await garage.ask("keeper", "POST", "vehicles/car-1/papers", paper("inspection", date(2026, 1, 1), date(2027, 1, 1)), 201)  # fmt: skip
    await garage.ask("bureau", "PUT", "vehicles/car-1", {"plate": "苏F12341", "organisation": "wsj"})
    for path in (f"maintenance/{work.id}", f"vehicle-papers/{made['id']}", f"vehicle-documents/{kept['id']}", "vehicles/car-1/documents"):  # fmt: skip
        assert (await raw(garage, "keeper", "GET", path)).status_code == 404, path
        assert (await raw(garage, "stranger", "GET", path)).status_code == 200, path


# --- files, and all of it as PDF


async def test_files_are_what_they_are_by_their_content(garage: Site) -> None:
    made = await garage.ask("keeper", "POST", "vehicles/car-1/papers", paper("compulsory", date(2026, 1, 1), date(2027, 1, 1)), 201)  # fmt: skip
    body = png(4, 4)
    kept = await upload(garage, "keeper", f"vehicle-papers/{made['id']}/documents", "保单.png", body)
    got = await raw(garage, "keeper", "GET", f"vehicle-documents/{kept['id']}")
    assert hashlib.sha256(got.content).hexdigest() == kept["sha256"] == got.headers["etag"].strip('"')
    assert got.headers["content-security-policy"].startswith("sandbox")
    permit = await raw(garage, "keeper", "POST", "vehicles/car-1/documents", params={"name": "行驶证.png", "kind": "driving_permit"}, content=body)  # fmt: skip
    assert (permit.status_code, permit.json()["kind_name"]) == (201, "行驶证")
    for name, content in (("x.pdf", body), ("x.exe", b"MZ\x00\x01"), ("x.png", b""), ("a/b.png", body)):
        assert (await upload(garage, "keeper", "vehicles/car-1/documents", name, content, 422))["detail"]
    await upload(garage, "other", "vehicles/car-1/documents", "x.png", body, 404)
    await upload(garage, "head", "vehicles/car-1/documents", "x.png", body, 403)
    listed = (await garage.ask("keeper", "GET", "vehicles/car-1/documents"))["items"]
    assert [each["kind"] for each in listed] == ["paper", "driving_permit"]
    assert (await garage.ask("keeper", "GET", f"vehicle-papers/{made['id']}"))["documents"] == listed[:1]
    for who, status in (("stranger", 404), ("ask", 403)):
        assert (await raw(garage, who, "GET", f"vehicle-documents/{kept['id']}")).status_code == status
    assert await garage.pool.fetchval("SELECT count(*) FROM audit WHERE action = 'read' AND subject_id = $1", kept["id"]) == 1  # fmt: skip


async def test_the_whole_file_as_one_pdf(garage: Site) -> None:
    """With what eight years leave: as many maintenances, papers and files as one vehicle can have."""
    await garage.ask("keeper", "PUT", "vehicles/car-1/particulars", {"vin": VIN, "make_model": "帕萨特#[*x*] $y$ 𠮷", "body": "car"})  # fmt: skip
    swap = {"other": "car-2", "plate": "苏F12341", "other_plate": "苏F12342", "reason": "车管所已办理互换"}
    await garage.ask("keeper", "POST", "vehicles/car-1:swap-plates", swap)
    await garage.ask("keeper", "POST", "vehicles/car-1:seal", {"reason": "国庆假期封存"})
    work = Repairs(garage)
    await work.to_shop()
    await work.step("keeper", "finish", bill=bill(80_000), invoice="1")
    await fill_history(garage.pool, work.id)
    began = time.perf_counter()
    answer = await raw(garage, "keeper", "GET", "vehicles/car-1/file")
    took = time.perf_counter() - began
    assert answer.status_code == 200, answer.text
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages]
    text = "".join(pages).replace("\n", "").replace(" ", "")
    for part in (VIN, "苏F12342车辆档案", "车管所已办理互换", "国庆假期封存", "刹车片×2、更换刹车片", "1.5小时", "年检", "交强险", "[*x*]$y$", "已完工，待验收"):  # fmt: skip
        assert part in text, part
    assert text.count("修〔") == 200  # the newest; the others are counted
    assert "另有111条，见系统。" in text
    print(f"file of a vehicle: {took:.2f} s, {len(pages)} pages, {len(answer.content) >> 10} KiB")
    assert (await raw(garage, "keeper", "GET", "vehicles/nobody/file")).status_code == 404
    assert (await raw(garage, "stranger", "GET", "vehicles/car-1/file")).status_code == 404
    assert await garage.pool.fetchval("SELECT count(*) FROM audit WHERE detail ->> 'kind' = 'vehicle-file' AND vehicle = 'car-1'") == 1  # fmt: skip


async def fill_history(pool: asyncpg.Pool, like: str) -> None:
    """300 maintenances, 100 papers, 400 files of car-1."""
    await pool.execute(
        "INSERT INTO maintenances SELECT 'm' || n, organisation, vehicle, '修〔2025〕pool-' || lpad(n::text, 6, '0') || '号', 'accepted', version, fault, shop,"
        " approved_fen, total_fen, odometer_m, 'i' || n, false, reported_at - n * interval '9 days', in_at, out_at, out_at"
        " FROM maintenances, generate_series(1, 310) n WHERE id = $1", like,
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO maintenance_events SELECT 'm' || n, version, step, at, actor, persons, actor_name, address, device, body"
        " FROM maintenance_events, generate_series(1, 310) n WHERE paper = $1", like,
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO vehicle_papers (id, organisation, vehicle, kind, number, issuer, classes, valid_from, valid_to, amount_fen, note, entered_by, entered_by_name)"
        " SELECT 'p' || n, 'pool', 'car-1', (ARRAY['inspection', 'compulsory', 'commercial'])[1 + n % 3], 'PDZA2026320600000' || n, '中国人民财产保险股份有限公司', '{}',"
        " date '2018-01-01' + n * 30, date '2018-12-31' + n * 30, 95000, '', 'x', 'x' FROM generate_series(1, 100) n"
    )
    await pool.execute(
        "INSERT INTO vehicle_documents (id, organisation, vehicle, kind, name, media_type, size, sha256, received_sha256, uploaded_by, uploaded_by_name, body)"
        " SELECT 'd' || n, 'pool', 'car-1', 'other', '维修前后照片第' || n || '张.png', 'image/png', 1, sha256(n::text::bytea), sha256(n::text::bytea), 'x', '王车管', 'x'"
        " FROM generate_series(1, 400) n"
    )
