"""Quotas over HTTP on a real PostgreSQL: who may set them, what is over them and what is above the standard, exact on 500 seeded cars."""

from __future__ import annotations

import io
import random
from collections import Counter
from datetime import date, timedelta
from typing import Any

import openpyxl

from tests.integration.test_trips import Site
from tests.integration.test_trips import trips as trips  # a fixture

PAPER = {"approved_by": "市机关事务管理局", "paper_no": "通机管〔2026〕3号"}
CLASSES = {"confidential": "机要通信用车", "emergency": "应急保障用车", "enforcement": "执法执勤", "special": "特种专业技术用车", "other": "其他公务用车"}  # fmt: skip
#: The standard, written down a second time: class and tier -> yuan, ml, buses allowed.
STANDARD = {
    ("confidential", "base"): (120_000, 1600, False), ("emergency", "base"): (180_000, 1800, False), ("enforcement", "base"): (120_000, 1600, False),
    ("enforcement", "need"): (180_000, 1800, False), ("other", "base"): (180_000, 1800, False), ("emergency", "special_case"): (250_000, 3000, True),
    ("enforcement", "special_case"): (250_000, 3000, True), ("other", "special_case"): (250_000, 3000, True),
}  # fmt: skip


def seeded(many: int) -> list[dict[str, Any]]:
    """Cars of three units, by a seed: every class, tier and gap of the register, and numbers at both sides of each limit."""
    dice = random.Random(20_261_130)
    cars = []
    for number in range(many):
        quota_class = dice.choice(list(CLASSES))
        tiers = [tier for known, tier in STANDARD if known == quota_class] or ["base"]
        tier = dice.choice(tiers)
        yuan, ml, buses = STANDARD.get((quota_class, tier), (180_000, 1800, False))
        cars.append(
            {
                "id": f"q-{number:03}", "plate": f"苏F{20000 + number}", "unit": dice.choice(["jsj", "wsj", "pool"]), "class": quota_class, "tier": tier,
                "category": CLASSES[quota_class] if dice.random() < 0.9 else "未填", "placed": tier != "base" or dice.random() < 0.1,
                "energy": dice.choice(["petrol"] * 4 + ["diesel", "hybrid", "electric"]),
                "body": dice.choice(["car"] * 6 + ["medium_bus", "large_bus", "light_truck", ""]),
                "price": dice.choice([None, yuan * 100 - 1, yuan * 100, yuan * 100 + 1, 17_999_999, 18_000_001, 45_000_000, 45_000_001]),
                "ml": dice.choice([None, ml - 1, ml, ml + 1, 1500]),
                "bought": dice.choice([None, date(2017, 12, 4), date(2017, 12, 5), date(2024, 2, 29)]),
                "gone": dice.random() < 0.05, "rented": dice.random() < 0.05, "buses": buses,
            }
        )  # fmt: skip
    return cars


def class_now(car: dict[str, Any]) -> str | None:
    return car["class"] if car["placed"] or car["category"] != "未填" else None


def expected(car: dict[str, Any]) -> str:
    """How a car stands, by the text of the standard and not by the program's way."""
    known, tier = class_now(car), car["tier"] if car["placed"] else "base"
    if known is None:
        return "unknown"
    if known == "special":
        return "not_judged"
    if car["body"] == "":
        return "unknown"
    if car["body"] == "light_truck" or car["bought"] == date(2017, 12, 4):
        return "not_judged"
    yuan, most_ml, buses = STANDARD[known, tier]
    ml: int | None = most_ml
    electric, large = car["energy"] == "electric", car["body"] == "large_bus"
    faults, gaps = 0, 0
    if large and buses:
        yuan, ml = 450_000, None
    elif car["body"] != "car" and not buses:
        faults += 1
    small = car["body"] == "car" and not buses
    if electric:
        yuan, ml = (max(yuan, 180_000) if small else yuan), None
    if car["price"] is None:
        gaps += 1
    elif car["price"] > yuan * 100:
        if car["energy"] == "hybrid" and small and car["price"] <= 18_000_000:
            gaps += 1
        else:
            faults += 1
    if ml is not None:
        gaps += car["ml"] is None
        faults += car["ml"] is not None and car["ml"] > ml
    if faults:
        return "above" if car["bought"] else "unknown"
    return "unknown" if gaps else "within"


async def fill(site: Site, cars: list[dict[str, Any]]) -> None:
    day = date(2026, 1, 1)
    await site.pool.executemany(
        "INSERT INTO vehicles (id, plate, organisation, category, energy, ownership, report, registered_on, disposed_on) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        [
            (
                c["id"], c["plate"], c["unit"], c["category"], c["energy"], "rented" if c["rented"] else "owned", "x" if c["rented"] else "",
                day if c["rented"] else None, day if c["gone"] else day + timedelta(days=9999) if c["rented"] else None,
            )
            for c in cars
        ],
    )  # fmt: skip
    await site.pool.executemany(
        "INSERT INTO vehicle_particulars (vehicle, vin_note, engine_no, make_model, body, automatic, colour, price_fen, displacement_ml, bought_on, fund,"
        " asset_no, marking, marking_reason) VALUES ($1, '', '', '', $2, false, '', $3, $4, $5, '', '', '', '')",
        [(c["id"], c["body"], c["price"], c["ml"], c["bought"]) for c in cars],
    )  # fmt: skip
    await site.pool.executemany(
        "INSERT INTO vehicle_quota_places (vehicle, quota_class, tier, approved_by, paper_no, note, entered_by, entered_by_name)"
        " VALUES ($1, $2, $3, 'x', 'x', '', 'user:x', 'x')",
        [(c["id"], c["class"], c["tier"]) for c in cars if c["placed"]],
    )  # fmt: skip


async def every(site: Site, path: str, **asked: Any) -> list[dict[str, Any]]:
    """All pages of a list."""
    found, cursor = [], None
    while True:
        page = await site.ask("bureau", "GET", path, params=asked | ({"cursor": cursor} if cursor else {}))
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            return found


async def test_the_lists_are_exact_on_500_seeded_cars(trips: Site) -> None:
    cars = seeded(500)
    await fill(trips, cars)
    there = [car for car in cars if not car["gone"] and not car["rented"]]
    wanted = {car["id"]: expected(car) for car in there}
    assert min(Counter(wanted.values()).values()) > 30
    listed = {each["vehicle"]: each for each in await every(trips, "quota-vehicles", limit=97) if each["vehicle"][:2] == "q-"}  # fmt: skip
    assert {id: each["standing"] for id, each in listed.items()} == wanted
    assert {id: each["quota_class"] for id, each in listed.items()} == {car["id"]: class_now(car) for car in there}  # fmt: skip
    above = await every(trips, "quota-vehicles", standing="above", limit=10)
    assert [each["vehicle"] for each in above] == sorted(id for id, standing in wanted.items() if standing == "above")  # fmt: skip
    # Quotas: one below, one at, one above what there is, and one that comes later.
    have = Counter((car["unit"], class_now(car)) for car in there)
    for unit, quota_class, vehicles, since in (
        ("jsj", "other", have["jsj", "other"] - 2, "2020-01-01"), ("jsj", "special", have["jsj", "special"], "2020-01-01"),
        ("wsj", "emergency", 0, "2020-01-01"), ("wsj", "other", 999, "2020-01-01"), ("wsj", "confidential", 0, "2099-01-01"),
    ):  # fmt: skip
        body = {"vehicles": vehicles, "valid_from": since} | PAPER
        await trips.ask("bureau", "PUT", f"quotas/{unit}/{quota_class}", body)
    units = {each["organisation"]: each for each in await every(trips, "quotas", limit=2)}
    lines = {(unit, line["quota_class"]): line for unit, each in units.items() for line in each["lines"]}
    assert {key: line["in_use"] for key, line in lines.items() if key[0] != "pool"} == {key: n for key, n in have.items() if key[0] != "pool"}  # fmt: skip
    over = {key: line["over"] for key, line in lines.items() if line["standing"] == "over"}
    assert over == {("jsj", "other"): 2, ("wsj", "emergency"): have["wsj", "emergency"]}
    assert lines["wsj", "confidential"]["standing"] == "unset"
    assert lines["wsj", None]["over"] is None
    assert [each["organisation"] for each in await every(trips, "quotas", standing="over", limit=1)] == ["jsj", "wsj"]  # fmt: skip
    # The workbook has the same.
    answer = await trips.client.get("/v1/quota-workbook", headers=trips.headers("bureau"))
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    rows = {name: list(book[name].iter_rows(min_row=2, values_only=True)) for name in ("编制", "超编", "超标准", "无法判定")}  # fmt: skip
    assert len(rows["编制"]) == len(lines)
    assert sorted(row[5] for row in rows["超编"]) == sorted(over.values())
    assert [row[2] for row in rows["超标准"]] == [each["vehicle"] for each in above]
    # A standard that is set for everyone holds for what was bought from then on; no unit sets its own.
    limit = {"rule": "quota", "name": "other_yuan", "value": 1, "effective_from": "2024-02-29T00:00:00+08:00", "source": "试行"}  # fmt: skip
    await trips.ask("bureau", "PUT", "rule-parameters", limit | {"organisation": "wsj"}, 422)
    await trips.pool.execute(
        "INSERT INTO rule_parameters (rule, name, value, effective_from, source) VALUES ('quota', 'other_yuan', 1, '2024-02-28T16:00:00Z', 'x')"
    )
    after = {each["vehicle"] for each in await every(trips, "quota-vehicles", standing="above", quota_class="other")}  # fmt: skip
    new = {
        car["id"] for car in there
        if class_now(car) == "other" and (car["tier"] == "base" or not car["placed"]) and car["bought"] == date(2024, 2, 29) and car["body"] in ("car", "medium_bus", "large_bus")
        and car["price"] is not None and not (car["energy"] in ("hybrid", "electric") and car["body"] == "car" and car["price"] <= 18_000_000)
    }  # fmt: skip
    assert after == new | {id for id, standing in wanted.items() if standing == "above" and listed[id]["quota_class"] == "other"}  # fmt: skip


async def test_who_sets_a_quota_and_what_stays_of_it(trips: Site) -> None:
    path = "quotas/jsj/confidential"
    first = {"vehicles": 2, "valid_from": "2026-01-01"} | PAPER
    await trips.ask("clerk", "PUT", path, first, 403)  # the unit's own administrator sets none
    assert (await trips.ask("bureau", "PUT", path, first))["line"]["quota"] == 2
    again = await trips.ask("bureau", "PUT", path, first)
    assert len(again["entries"]) == 1
    corrected = await trips.ask("bureau", "PUT", path, first | {"vehicles": 3})
    assert (corrected["line"]["quota"], [each["vehicles"] for each in corrected["entries"]]) == (3, [3, 2])
    assert (await trips.ask("clerk", "GET", path))["entries"] == corrected["entries"]
    await trips.ask("other", "GET", path, status=404)
    await trips.ask("bureau", "PUT", "quotas/nobody/other", first, 404)
    for wrong in (
        {"vehicles": -1},
        {"vehicles": 1.5},
        {"paper_no": " "},
        {"valid_from": "2026-02-30"},
        {"x": 1},
    ):
        await trips.ask("bureau", "PUT", path, first | wrong, 422)
    # A tier that the class does not have; and a place that is sent twice is there once.
    place = {"quota_class": "confidential", "tier": "special_case"} | PAPER
    refused = await trips.ask("bureau", "PUT", "vehicles/car-1/quota-place", place, 422)
    assert refused["errors"][0]["pointer"] == "/tier"
    for _ in range(2):
        placed = await trips.ask("bureau", "PUT", "vehicles/car-1/quota-place", place | {"tier": "base"})
    assert [each["quota_class_name"] for each in placed["items"]] == ["机要通信"]
    await trips.ask("clerk", "PUT", "vehicles/car-1/quota-place", place, 403)
