"""Transfer, disposal and swaps of plates over HTTP by several people on a real PostgreSQL: what follows for the unit, the orders, the terminal and the fuel cards;
and what people try that must not work."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from office.identity.subject import Role
from registry.vehicles import holders_of_plates, vehicle_at
from runtime.units import CHINA, to_us
from tests.integration import test_trips
from tests.integration.test_trips import Site
from tests.integration.test_trips import trips as trips  # a fixture

STAFF: dict[str, list[tuple[Role, str, str | None]]] = {
    "keeper": [(Role.UNIT_ADMINISTRATOR, "pool", None)],
    "head": [(Role.UNIT_HEAD, "pool", None)],
    "both": [(Role.UNIT_ADMINISTRATOR, "pool", None), (Role.UNIT_HEAD, "pool", None)],
    "receiver": [(Role.UNIT_ADMINISTRATOR, "wsj", None)],
    "their-head": [(Role.UNIT_HEAD, "wsj", None)],
    "chief": [(Role.OFFICE_HEAD, "city", None)],
    "registrar": [(Role.UNIT_ADMINISTRATOR, "city", None)],
}
WHY: dict[str, Any] = {"reason": "工作需要统一调配"}


@pytest.fixture
def staff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_trips, "PEOPLE", test_trips.PEOPLE | STAFF)


@pytest.fixture
async def yard(staff: None, trips: Site) -> Site:
    await trips.pool.execute(
        "INSERT INTO fuel_cards (id, organisation) VALUES ('card-1', 'pool'), ('card-2', 'pool')"
    )
    await trips.pool.execute(
        "INSERT INTO card_bindings (card, plate, valid_from) VALUES ('card-1', '苏F12341', '2026-01-01Z'), ('card-2', '苏F12342', '2026-01-01Z')"
    )
    return trips


def today(site: Site) -> date:
    return site.now.astimezone(CHINA).date()


async def act(site: Site, who: str, id: str, step: str, status: int = 200, **body: Any) -> Any:
    version = await site.pool.fetchval("SELECT version FROM vehicle_acts WHERE id = $1", id)
    return await site.ask(who, "POST", f"vehicle-acts/{id}:{step}", {"version": version} | body, status)


async def test_a_vehicle_goes_to_another_unit(yard: Site) -> None:
    path = await yard.assigned([await yard.approved(hours=26, long=3)])
    asked = {"vehicle": "car-1", "to": "wsj"} | WHY
    await yard.ask("receiver", "POST", "vehicle-transfers", asked, 422)  # it is not theirs to give
    for wrong in ({"to": "pool"}, {"to": "nobody"}, {"reason": "x"}):
        await yard.ask("keeper", "POST", "vehicle-transfers", asked | wrong, 422)
    many = await asyncio.gather(
        *(
            yard.client.post("/v1/vehicle-transfers", json=asked, headers=yard.headers("keeper"))
            for _ in range(6)
        )
    )
    assert sorted(answer.status_code for answer in many) == [201] + [409] * 5
    made = next(answer.json() for answer in many if answer.status_code == 201)
    id, year = made["id"], yard.now.astimezone(CHINA).year
    assert (made["number"], made["fuel_cards"]) == (f"调〔{year}〕pool-000001号", ["card-1"])
    # The other unit sees it when it is its turn; nobody skips a step.
    await yard.ask("their-head", "GET", f"vehicle-acts/{id}", status=404)
    await act(yard, "chief", id, "approve", 409, paper_no="通机管〔2026〕9号")
    await act(yard, "keeper", id, "release", 403)
    await act(yard, "head", id, "release")
    await act(yard, "head", id, "accept", 403)
    await act(yard, "their-head", id, "accept")
    stale = await yard.ask(
        "chief", "POST", f"vehicle-acts/{id}:approve", {"version": 1, "paper_no": "x"}, 409
    )
    assert (stale["version"], stale["state"]) == (3, "accepted")
    await act(yard, "bureau", id, "approve", 403, paper_no="x")
    await act(
        yard,
        "chief",
        id,
        "approve",
        422,
        paper_no="x",
        effective_on=(today(yard) - timedelta(days=1)).isoformat(),
    )
    await act(
        yard, "chief", id, "approve", paper_no="通机管〔2026〕9号", effective_on=today(yard).isoformat()
    )
    # Who has it still has an order of it: it goes nowhere.
    refused = await act(yard, "receiver", id, "hand-over", 409, odometer_m=1000)
    number = await yard.pool.fetchval("SELECT number FROM trip_dispatches")
    assert number in refused["detail"]
    await yard.step("desk", path, "cancel", reason="车辆调拨，另行安排")
    await act(yard, "keeper", id, "hand-over", 403, odometer_m=1000)
    many = await asyncio.gather(
        *(
            yard.client.post(f"/v1/vehicle-acts/{id}:hand-over", json={"version": 4, "odometer_m": 1000}, headers=yard.headers("receiver"))
            for _ in range(5)
        )
    )  # fmt: skip
    assert sorted(answer.status_code for answer in many) == [200] + [409] * 4
    assert await yard.pool.fetchval("SELECT organisation FROM vehicles WHERE id = 'car-1'") == "wsj"
    # Neither a form nor a file of another system undoes it; what else it says is taken.
    stored = {"plate": "苏F12341", "organisation": "wsj", "category": "公务轿车"}
    await yard.ask("receiver", "PUT", "vehicles/car-1", stored)
    undone = await yard.ask("receiver", "PUT", "vehicles/car-1", stored | {"disposed_on": "2026-03-01"}, 409)
    assert made["number"] in str(undone["errors"][0])
    assert undone["errors"][0]["pointer"].endswith("/disposed_on")
    text = "编号,车牌号,单位\ncar-1,苏F12341,pool\ncar-2,苏F12342,pool\n"
    headers = yard.headers("registrar") | {"Content-Type": "text/csv; charset=utf-8"}
    refused_file = await yard.client.post("/v1/vehicles:import", content=text, headers=headers)
    assert refused_file.status_code in (409, 422)
    assert made["number"] in refused_file.text
    assert await yard.pool.fetchval("SELECT organisation FROM vehicles WHERE id = 'car-1'") == "wsj"
    # Who had it keeps what was: the order, the act; the vehicle itself it sees no more. Who has it now sees the vehicle and none of the old orders.
    await yard.ask("keeper", "GET", "vehicles/car-1", status=404)
    await yard.ask("receiver", "GET", "vehicles/car-1")
    order = path.partition("/")[2]
    assert (await yard.ask("keeper", "GET", f"dispatch-orders/{order}"))["organisation"] == "pool"
    await yard.ask("receiver", "GET", f"dispatch-orders/{order}", status=404)
    seen = await yard.ask("keeper", "GET", "vehicle-acts", params={"organisation": "wsj"})
    assert [each["id"] for each in seen["items"]] == [id]
    shown = await yard.ask("keeper", "GET", f"vehicle-acts/{id}")
    assert [each["step"] for each in shown["thread"]] == ["ask", "release", "accept", "approve", "hand-over"]
    assert (shown["state"], shown["may"]) == ("done", [])
    # It is nobody's to ask for any more but the new unit's.
    await yard.ask("keeper", "POST", "vehicle-transfers", asked, 422)
    await yard.ask("receiver", "POST", "vehicle-disposals", {"vehicle": "car-1", "mode": "scrap"} | WHY, 201)


async def test_before_its_day_nothing_is_handed_over_and_one_person_does_not_decide_twice(yard: Site) -> None:
    made = await yard.ask("both", "POST", "vehicle-transfers", {"vehicle": "car-2", "to": "wsj"} | WHY, 201)
    id = made["id"]
    refused = await act(yard, "both", id, "release", 403)
    assert refused["type"].endswith("own-act")
    await act(yard, "head", id, "release")
    await act(yard, "their-head", id, "accept")
    await act(
        yard, "chief", id, "approve", paper_no="x", effective_on=(today(yard) + timedelta(days=2)).isoformat()
    )
    await act(yard, "receiver", id, "hand-over", 409, odometer_m=1)
    await act(yard, "receiver", id, "withdraw", 403, **WHY)
    assert (await act(yard, "keeper", id, "withdraw", **WHY))["state"] == "withdrawn"
    # A program takes no decision; what was refused is over.
    again = await yard.ask(
        "keeper", "POST", "vehicle-transfers", {"vehicle": "car-2", "to": "wsj"} | WHY, 201
    )
    assert (await act(yard, "head", again["id"], "refuse", **WHY))["state_name"] == "不同意"
    await act(yard, "head", again["id"], "release", 409)
    open_ones = await yard.ask("keeper", "GET", "vehicle-acts", params={"open": True})
    assert open_ones["items"] == []
    assert (
        len(
            (await yard.ask("keeper", "GET", "vehicle-acts", params={"vehicle": "car-2", "limit": 1}))[
                "items"
            ]
        )
        == 1
    )


async def test_a_vehicle_comes_to_its_end(yard: Site) -> None:
    made = await yard.ask(
        "keeper",
        "POST",
        "vehicle-disposals",
        {"vehicle": "car-1", "mode": "auction", "assessed_fen": 100} | WHY,
        201,
    )
    id, day = made["id"], today(yard)
    await act(yard, "chief", id, "approve", 409, paper_no="x")
    await act(yard, "head", id, "release")
    await act(yard, "chief", id, "approve", 422, paper_no="x", effective_on=day.isoformat())
    await act(yard, "chief", id, "approve", paper_no="通机管〔2026〕10号")
    done: dict[str, Any] = {"deregistration": "注销-1", "deregistered_on": day.isoformat()}
    await act(
        yard,
        "keeper",
        id,
        "complete",
        422,
        **done | {"deregistered_on": (day + timedelta(days=1)).isoformat()},
    )
    assert (await act(yard, "keeper", id, "complete", 422, **done, proceeds_fen=1))["errors"][0][
        "pointer"
    ] == "/receipt"
    path = await yard.assigned([await yard.approved(hours=30, long=2)])
    await act(yard, "keeper", id, "complete", 409, **done)
    await yard.step("desk", path, "cancel", reason="车辆处置，另行安排")
    before = datetime.now(CHINA).date()
    shown = await act(yard, "keeper", id, "complete", **done, proceeds_fen=5_000_00, receipt="非税-1")
    said = shown["thread"][-1]["body"]
    # It was an official vehicle all of today: what it did this morning is not made a use after its end.
    assert said["disposed_on"] in {
        (each + timedelta(days=1)).isoformat() for each in (before, datetime.now(CHINA).date())
    }
    assert (said["terminals"], said["fuel_cards"]) == (["13800000001"], ["card-1"])
    assert await yard.pool.fetchval("SELECT count(*) FROM terminal_bindings WHERE valid_to IS NULL") == 0
    assert (
        await yard.pool.fetchval("SELECT disposed_on::text FROM vehicles WHERE id = 'car-1'")
        == said["disposed_on"]
    )
    assert "已处置" in (await yard.assigned([await yard.approved(hours=50, long=2)], status=422))["detail"]
    await yard.ask("keeper", "POST", "vehicle-disposals", {"vehicle": "car-1", "mode": "scrap"} | WHY, 422)
    # The file of the terminal's next vehicle begins now.
    await yard.ask(
        "bureau",
        "PUT",
        "terminals/13800000001",
        {"vehicle": "car-2", "valid_from": datetime.now(CHINA).isoformat()},
    )


async def test_a_swap_of_plates_says_what_becomes_of_the_cards(yard: Site) -> None:
    swap = {"other": "car-2", "plate": "苏F12341", "other_plate": "苏F12342"} | WHY
    refused = await yard.ask("keeper", "POST", "vehicles/car-1:swap-plates", swap, 422)
    assert refused["errors"][0]["pointer"] == "/cards"
    assert "card-1、card-2" in refused["detail"]
    await yard.ask("keeper", "POST", "vehicles/car-1:swap-plates", swap | {"cards": "with_vehicles"})
    rows = await yard.pool.fetch(
        "SELECT card, plate, valid_to IS NULL AS open FROM card_bindings ORDER BY card, valid_from"
    )
    assert [tuple(row) for row in rows] == [
        ("card-1", "苏F12341", False), ("card-1", "苏F12342", True), ("card-2", "苏F12342", False), ("card-2", "苏F12341", True),
    ]  # fmt: skip
    # Before the day, and after it, each card is that of the vehicle in which it lies; on the day itself nobody is accused by it.
    async with yard.pool.acquire() as connection:
        holders = await holders_of_plates(connection, ["苏F12341", "苏F12342"])
    noon = datetime.combine(datetime.now(CHINA).date(), datetime.min.time(), CHINA) + timedelta(hours=12)
    for days, one, two in ((-1, "car-1", "car-2"), (0, None, None), (1, "car-2", "car-1")):
        at = to_us(noon + timedelta(days=days))
        found = [vehicle_at(holders[plate], at) for plate in ("苏F12341", "苏F12342")]
        assert [each and each.id for each in found] == [one, two], days
    back = {"other": "car-2", "plate": "苏F12342", "other_plate": "苏F12341", "cards": "with_plates"} | WHY
    await yard.ask("keeper", "POST", "vehicles/car-1:swap-plates", back)
    assert await yard.pool.fetchval("SELECT count(*) FROM card_bindings") == 4
