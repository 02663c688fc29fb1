"""Rental of society's vehicles over HTTP by several people: the proof is made by the planner and frozen, by nobody's hand; and what people try that must not work."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from office.identity.subject import Role
from runtime.units import CHINA
from tests.integration import test_trips
from tests.integration.test_trips import Site
from tests.integration.test_trips import trips as trips  # a fixture

STAFF: dict[str, list[tuple[Role, str, str | None]]] = {
    "pool-keeper": [(Role.UNIT_ADMINISTRATOR, "pool", None)],
    "desk-and-head": [(Role.DISPATCHER, "pool", None), (Role.UNIT_HEAD, "jsj", None)],
}
REPORT: dict[str, Any] = {
    "supplier": "南通出租汽车公司", "contract": "定点-2026-3", "vehicle_class": "轿车", "seats": 5, "reason": "目的地不通公共交通", "ceiling_fen": 60_000,
}  # fmt: skip
CAR: dict[str, Any] = {"plate": "苏FT1234", "seats": 5, "driver": "李师傅", "insured_fen": 100_000_000}


@pytest.fixture
def staff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_trips, "PEOPLE", test_trips.PEOPLE | STAFF)


@pytest.fixture
async def office(staff: None, trips: Site) -> Site:
    return trips


async def seal(site: Site, *cars: str) -> None:
    for car in cars:
        await site.ask("pool-keeper", "POST", f"vehicles/{car}:seal", {"reason": "节假日封存"})


async def step(site: Site, who: str, id: str, what: str, status: int = 200, **body: Any) -> Any:
    version = await site.pool.fetchval("SELECT version FROM rental_reports WHERE id = $1", id)
    return await site.ask(who, "POST", f"rental-reports/{id}:{what}", {"version": version} | body, status)


async def test_a_rental_from_the_report_to_the_ledger(office: Site) -> None:
    request = (await office.approved(hours=26, long=4)).partition("/")[2]
    asked = REPORT | {"request": request}
    # While an own vehicle can serve, it is named, and nothing is reported.
    await seal(office, "car-1")
    refused = await office.ask("desk", "POST", "rental-reports", asked, 409)
    assert refused["type"].endswith("own-vehicle-can-serve")
    assert "苏F12342" in refused["detail"]
    await seal(office, "car-2")
    await office.ask("clerk", "POST", "rental-reports", asked, 403)
    wrongs: tuple[dict[str, Any], ...] = ({"seats": 2}, {"reason": "x"}, {"ceiling_fen": 0}, {"proof": []})
    for wrong in wrongs:
        await office.ask("desk", "POST", "rental-reports", asked | wrong, 422)
    await office.ask("desk", "POST", "rental-reports", asked | {"request": "nobody"}, 404)
    made = await office.ask("desk", "POST", "rental-reports", asked, 201)
    id, year = made["id"], office.now.astimezone(CHINA).year
    assert made["number"] == f"租〔{year}〕pool-000001号"
    (proof,) = made["proofs"]
    assert (proof["looked_at"], [each["plate"] for each in proof["vehicles"]]) == (
        2,
        ["苏F12341", "苏F12342"],
    )
    assert [reason["code"] for each in proof["vehicles"] for reason in each["reasons"]] == [
        "sealed",
        "sealed",
    ]
    assert (await office.ask("desk", "POST", "rental-reports", asked, 409))["type"].endswith(
        "rental-is-there"
    )
    # Frozen: neither the seal's end nor any hand changes it.
    await office.ask("pool-keeper", "POST", "vehicles/car-2:unseal")
    assert (await office.ask("clerk", "GET", f"rental-reports/{id}"))["proofs"] == [proof]
    for query in (
        "UPDATE rental_proof_vehicles SET reasons = '[]'", "DELETE FROM rental_proofs", "UPDATE rental_reports SET ceiling_fen = 9", "DELETE FROM rental_reports",
    ):  # fmt: skip
        with pytest.raises(asyncpg.PostgresError, match="change"):
            await office.pool.execute(query)
    # Who decides looks once more, at what he reaches: the unit has no vehicle of its own.
    await step(office, "desk-and-head", id, "take", 403, **CAR)
    await step(office, "desk", id, "approve", 403)
    await step(office, "other", id, "approve", 403)
    stale = await office.ask("boss", "POST", f"rental-reports/{id}:approve", {"version": 7}, 409)
    assert stale["version"] == 1
    approved = await step(office, "boss", id, "approve")
    assert [each["looked_at"] for each in approved["proofs"]] == [2, 0]
    await step(office, "clerk", id, "take", 422, **CAR | {"seats": 4})
    taken = await step(office, "clerk", id, "take", **CAR)
    car = await office.ask("clerk", "GET", f"vehicles/{taken['vehicle']}")
    assert (car["ownership"], car["report"], car["plate"]) == ("rented", made["number"], "苏FT1234")
    day = office.now.astimezone(CHINA).date().isoformat()
    bill: dict[str, Any] = {
        "amount_fen": 60_001,
        "driven_m": 120_000,
        "occurred_on": day,
        "invoice_no": "00012345",
    }
    await step(office, "clerk", id, "settle", 422, **bill)
    settled = await step(office, "clerk", id, "settle", **bill | {"amount_fen": 55_000})
    entry = await office.ask("clerk", "GET", f"cost-entries/{settled['cost_entry']}")
    assert (entry["kind"], entry["amount_fen"], entry["vehicle"], entry["vendor"]) == ("rental", 55_000, taken["vehicle"], REPORT["supplier"])  # fmt: skip
    await step(office, "clerk", id, "settle", 409, **bill)
    assert await office.pool.fetchval("SELECT count(*) FROM cost_entries") == 1
    listed = await office.ask(
        "desk", "GET", "rental-reports", params={"organisation": "jsj", "state": "settled", "limit": 1}
    )
    assert [each["id"] for each in listed["items"]] == [id]
    assert (await office.ask("other", "GET", "rental-reports"))["items"] == []
    await office.ask("other", "GET", f"rental-reports/{id}", status=404)


async def test_what_is_no_rental(office: Site) -> None:
    await seal(office, "car-1", "car-2")
    # Not approved; too soon; too long; who reported decides himself; the same vehicle for ever.
    draft = (await office.asked(hours=30)).partition("/")[2]
    await office.ask("desk", "POST", "rental-reports", REPORT | {"request": draft}, 409)
    soon = (await office.approved(hours=1.5, long=1)).partition("/")[2]
    await office.ask("desk", "POST", "rental-reports", REPORT | {"request": soon}, 422)
    first = (await office.approved(hours=40, long=24 * 19)).partition("/")[2]
    made = await office.ask("desk-and-head", "POST", "rental-reports", REPORT | {"request": first}, 201)
    await step(office, "desk-and-head", made["id"], "approve", 403)
    await step(office, "boss", made["id"], "approve")
    await step(office, "clerk", made["id"], "take", **CAR)
    after = (await office.approved(hours=40 + 24 * 20, long=24 * 12)).partition("/")[2]
    more = await office.ask("desk", "POST", "rental-reports", REPORT | {"request": after}, 201)
    await step(office, "boss", more["id"], "approve")
    refused = await step(office, "clerk", more["id"], "take", 422, **CAR)
    assert refused["errors"][0]["pointer"] == "/plate"
    await step(office, "clerk", more["id"], "take", **CAR | {"plate": "苏FT9999"})
    await step(office, "desk", more["id"], "withdraw", 409, reason="行程取消不租了")
    # An own vehicle that is free again by the time of the decision, and a request that has gone.
    third = (await office.approved(hours=30, long=2)).partition("/")[2]
    again = await office.ask("desk", "POST", "rental-reports", REPORT | {"request": third}, 201)
    await office.pool.execute("UPDATE vehicles SET organisation = 'jsj' WHERE id = 'car-2'")
    await office.ask("clerk", "POST", "vehicles/car-2:unseal")
    assert (await step(office, "boss", again["id"], "approve", 409))["type"].endswith("own-vehicle-can-serve")
    refused = await step(office, "boss", again["id"], "refuse", reason="本单位有车可派")
    assert (refused["state_name"], len(refused["proofs"])) == ("不同意", 1)
    # A vehicle that becomes secret is hidden in the proof as well; how many there were is not.
    await office.pool.execute("UPDATE vehicles SET secret = true WHERE id = 'car-1'")
    shown = await office.ask("bureau", "GET", f"rental-reports/{made['id']}")
    assert (
        shown["proofs"][0]["looked_at"],
        [each["vehicle"] for each in shown["proofs"][0]["vehicles"]],
    ) == (2, ["car-2"])
