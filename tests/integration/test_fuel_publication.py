"""季度单车油耗公示 over HTTP: what the records come to, what of it is frozen, who objects and who answers; and that no secret vehicle is in it. One world, one story."""

from __future__ import annotations

import io
from datetime import date, timedelta
from typing import Any

import asyncpg
import openpyxl
import pytest
from pypdf import PdfReader

from office.identity.subject import Role
from office.notices.contents import Edition, NoticeKind, PublishedRow, frozen_sha256, quarters_before
from runtime.units import CHINA, midnight
from tests.integration import test_trips
from tests.integration.test_trips import Site
from tests.integration.test_trips import trips as trips  # a fixture

STAFF: dict[str, list[tuple[Role, str, str | None]]] = {
    "chief": [(Role.OFFICE_HEAD, "city", None)],
    "second": [(Role.OFFICE_HEAD, "city", None)],
    "keeper": [(Role.UNIT_ADMINISTRATOR, "pool", None)],
    "cleared": [(Role.OFFICE_HEAD, "city", None), (Role.SECRET_READER, "city", None)],
}
LITRES = dict[str, tuple[list[tuple[int, int, int]], list[tuple[int, float]]]]
#: Of each vehicle: (day of the quarter, km out, km in) of its trips; (day, litres or kWh) of its fills.
USED: LITRES = {
    "a1": ([(5, 10_000, 10_400), (80, 10_500, 11_000)], [(5, 30), (40, 30), (80, 30)]),
    "a2": ([(5, 20_000, 21_000)], [(5, 30), (5, 30), (5, 35)]),
    "a3": ([(5, 30_000, 30_500)], [(5, 20), (5, 20), (5, 10)]),
    "e1": ([(5, 7_000, 7_400)], [(5, 20), (5, 20), (5, 20)]),
    "s1": ([(5, 66_000, 67_000)], [(5, 111), (5, 111), (5, 111)]),
}
SECRET_MARKS = ("s1", "苏F60006", "66000.0", "333.00", "33.30")


@pytest.fixture
def staff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_trips, "PEOPLE", test_trips.PEOPLE | STAFF)


@pytest.fixture
async def office(staff: None, trips: Site) -> Site:
    return trips


def quarter_of(site: Site) -> date:
    """The first day of the last quarter that is over."""
    today = site.now.astimezone(CHINA).date()
    return quarters_before(date(today.year, 3 * ((today.month - 1) // 3) + 1, 1))[1]


async def used(site: Site, first: date, many: LITRES, round_: str = "") -> None:
    for vehicle, (driven, fills) in many.items():
        car = await site.pool.fetchrow("SELECT no, plate, organisation, energy FROM vehicles WHERE id = $1", vehicle)  # fmt: skip
        for number, (day, out, back) in enumerate(driven):
            left, id = midnight(first + timedelta(days=day - 1)) + timedelta(hours=9), f"{round_}{vehicle}.{number}"  # fmt: skip
            await site.pool.execute(
                "INSERT INTO trip_dispatches (id, organisation, pool, units, number, kind, state, version, vehicle, vehicle_no, plate, planned_departure, planned_return,"
                " actual_departure, actual_return, odometer_out_m, odometer_in_m, holds, created_at)"
                " VALUES ($1, $2, 'pool', ARRAY[$2], $3, 'normal', 'returned', 3, $4, $5, $6, $7, $8, $7, $8, $9, $10, false, $7)",
                id, car["organisation"], f"派-{id}", vehicle, car["no"], car["plate"], left, left + timedelta(hours=3), out * 1000, back * 1000,
            )  # fmt: skip
        for number, (day, litres) in enumerate(fills):
            on = first + timedelta(days=day - 1)
            await site.pool.execute(
                "INSERT INTO cost_entries (id, organisation, kind, vehicle, occurred_on, period, amount_fen, quantity, payer, source, version, created_at)"
                " VALUES ($1, $2, $3, $4, $5, $6, 24000, $7, 'unit', 'entered', 1, now())",
                f"FY-{round_}{vehicle}-{number}", car["organisation"], "charging" if car["energy"] == "electric" else "fuel", vehicle, on, f"{on:%Y%m}",
                round(litres * 1000),
            )  # fmt: skip


async def fill(site: Site, first: date) -> None:
    """Three of a type, one of them with a card; an electric one; one that never drove; a secret one."""
    cars = (
        ("a1", "苏F10001", "pool", "petrol", "朗逸"), ("a2", "苏F10002", "pool", "petrol", "朗逸"), ("a3", "苏F10003", "pool", "petrol", "朗逸"),
        ("e1", "苏FD10005", "jsj", "electric", "秦EV"), ("idle", "苏F10009", "jsj", "petrol", ""), ("s1", "苏F60006", "pool", "petrol", "朗逸"),
    )  # fmt: skip
    for id, plate, unit, energy, model in cars:
        await site.pool.execute(
            "INSERT INTO vehicles (id, plate, organisation, energy, secret, registered_on) VALUES ($1, $2, $3, $4, $5, '2020-01-01')", id, plate, unit, energy, id == "s1"
        )  # fmt: skip
        if model:
            await site.pool.execute(
                "INSERT INTO vehicle_particulars (vehicle, vin_note, engine_no, make_model, body, automatic, colour, displacement_ml, fund, asset_no, marking, marking_reason)"
                " VALUES ($1, '', '', $2, '', false, '', $3, '', '', 'painted', '')",
                id, model, None if energy == "electric" else 1598,
            )  # fmt: skip
    await used(site, first, USED)
    await used(
        site, quarters_before(first)[1], {"a1": ([(5, 8_000, 9_000)], [(5, 40), (5, 40), (5, 20)])}, "b."
    )


async def words(site: Site, who: str, id: str) -> str:
    """All that somebody is handed of a publication: JSON, PDF and XLSX."""
    shown = await site.client.get(f"/v1/notices/{id}", headers=site.headers(who))
    texts = [shown.text]
    for form in ("pdf", "xlsx"):
        made = await site.client.get(f"/v1/notices/{id}/document", params={"format": form}, headers=site.headers(who))  # fmt: skip
        assert made.status_code == 200, made.text
        if form == "pdf":
            texts += [
                "".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(made.content)).pages
            ]
        else:
            book = openpyxl.load_workbook(io.BytesIO(made.content))
            texts += [
                str(cell) for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row
            ]
    return "\n".join(texts).replace("\u200b", "")


async def test_a_quarter_is_published_objected_to_and_corrected(office: Site) -> None:
    first = quarter_of(office)
    last = (first + timedelta(days=100)).replace(day=1) - timedelta(days=1)
    await fill(office, first)
    known: dict[str, Any] = {
        "organisation": "city", "kind": "fuel", "title": "季度单车油耗公示", "body": "现予公示。", "first": first.isoformat(), "last": last.isoformat(), "phone": "0513-85216543",
    }  # fmt: skip

    # Who may, of what.
    await office.ask("clerk", "POST", "publications", known, 403)
    await office.ask("clerk", "POST", "publications:preview", known, 403)
    running = {"first": date(last.year + (last.month == 12), last.month % 12 + 1, 1)}
    later = (running["first"] + timedelta(days=100)).replace(day=1) - timedelta(days=1)
    soon = known | {"first": running["first"].isoformat(), "last": later.isoformat()}
    assert (await office.ask("chief", "POST", "publications", soon, 409))["type"].endswith("not-over")
    for wrong in (
        {"remarks": [{"vehicle": "s1", "text": "大修"}]},
        {"remarks": [{"vehicle": "nobody", "text": "大修"}]},
        {"units": ["nobody"]},
    ):
        refused = await office.ask("cleared", "POST", "publications", known | wrong, 422)
        assert "涉密" not in refused["detail"]  # a secret vehicle is refused as one that there is not
    # As it would be: nothing is written.
    seen = await office.ask("chief", "POST", "publications:preview", known)
    assert seen["vehicles"] == ["e1", "idle", "a1", "a2", "a3", "car-1", "car-2"]
    assert (await office.ask("chief", "GET", "notices"))["items"] == []

    made = await office.ask("chief", "POST", "publications", known | {"remarks": [{"vehicle": "a3", "text": "七月大修"}]}, 201)  # fmt: skip
    by_plate = {row[2]: row for row in made["table"]}
    assert by_plate["苏F***01"] == [
        "3", "pool", "苏F***01", "朗逸", "1.6", "汽油", "10000.0", "11000.0", "1000.0", "3", "90.00", "720.00", "9.00", "9.40", "不可判", "-10.0", "",
    ]  # fmt: skip
    assert by_plate["苏F***03"][12:] == ["10.00", "9.40", "不可判", "不可判", "七月大修"]
    assert by_plate["苏F***05"][4:14] == ["—", "纯电动", "7000.0", "7400.0", "400.0", "3", "60.00", "720.00", "15.00", "不可判"]  # fmt: skip
    # What is not known is said to be unknown, never 0.
    assert by_plate["苏F***09"][3:9] == ["未登记", "未登记", "汽油", "不详", "不详", "不详"]
    assert by_plate["苏F***09"][12:16] == ["不可判"] * 4
    assert made["terms"]["excluded"] == 1
    assert made["object_until"] is not None
    # Also who may see the secret vehicle is shown nothing of it, and the mean is without it.
    for reader in ("cleared", "clerk"):
        said = await words(office, reader, made["id"])
        assert all(mark in said for mark in ("9.40", "0513-85216543", made["sha256"], "共1辆")), reader
        assert not [mark for mark in SECRET_MARKS if mark in said], reader
    # Numbers are numbers in the file, what is not told is a word.
    book = await office.client.get(f"/v1/notices/{made['id']}/document", params={"format": "xlsx"}, headers=office.headers("ask"))  # fmt: skip
    table = openpyxl.load_workbook(io.BytesIO(book.content))["单车油耗公示"]
    cells = {row[2]: row for row in table.iter_rows(min_row=2, values_only=True)}
    assert (cells["苏F***01"][12], cells["苏F***09"][12]) == (9, "不可判")

    # Frozen: what is booked afterwards changes nothing, and the hash is that of what is kept.
    await office.pool.execute("UPDATE cost_entries SET quantity = 99000 WHERE id = 'FY-a1-0'")
    assert (await office.ask("clerk", "GET", f"notices/{made['id']}"))["table"] == made["table"]
    for query in (
        "UPDATE notices SET terms = '{}'",
        "UPDATE notice_rows SET basis = '{}'",
        "DELETE FROM notice_rows",
    ):
        with pytest.raises(asyncpg.PostgresError, match="change"):
            await office.pool.execute(query)
    kept = await office.pool.fetchrow("SELECT * FROM notices WHERE id = $1", made["id"])
    rows = [PublishedRow(r["vehicle"], tuple(r["cells"]), r["basis"]) for r in await office.pool.fetch("SELECT * FROM notice_rows WHERE notice = $1 ORDER BY no", made["id"])]  # fmt: skip
    assert kept["sha256"] == frozen_sha256(kept["number"], NoticeKind.FUEL, kept["title"], kept["body"], None, rows, Edition(kept["terms"]))  # fmt: skip
    # From which records, for whom they are.
    row = await office.ask("keeper", "GET", f"notices/{made['id']}/rows/3")
    assert (row["dispatches"], row["entries"]) == (["派-a1.0", "派-a1.1"], ["FY-a1-0", "FY-a1-1", "FY-a1-2"])
    await office.ask("other", "GET", f"notices/{made['id']}/rows/3", status=404)  # of no vehicle of his
    await office.ask("ask", "GET", f"notices/{made['id']}/rows/3", status=403)
    await office.ask("chief", "GET", f"notices/{made['id']}/rows/99", status=404)
    # Once: also of a part of the units. Another quarter, and a part that was not yet, is another thing.
    for again in (known, known | {"units": ["jsj"]}):
        refused = await office.ask("second", "POST", "publications", again, 409)
        assert made["number"] in refused["detail"]

    # --- objections
    path = f"notices/{made['id']}:object"
    wrongs: tuple[tuple[str, dict[str, Any], int], ...] = (
        ("ask", {"organisation": "wsj"}, 422), ("ask", {"organisation": "jsj", "row": 99}, 422), ("ask", {"organisation": "jsj", "reason": "错"}, 422),
        ("ask", {"organisation": "jsj", "row": 0}, 422),
    )  # fmt: skip
    for who, wrong, status in wrongs:
        await office.ask(who, "POST", path, {"reason": "里程读数不对，请核对"} | wrong, status)
    raised = await office.ask("ask", "POST", path, {"organisation": "jsj", "row": 1, "reason": "充电量与桩上记录不符"}, 201)  # fmt: skip
    assert (raised["state"], raised["row"], raised["mine"]) == ("open", 1, True)
    await office.ask(
        "ask", "POST", path, {"organisation": "jsj", "row": 1, "reason": "充电量与桩上记录不符"}, 409
    )
    whole = await office.ask(
        "ask", "POST", path, {"organisation": "jsj", "reason": "苏F60006 为什么不在表中"}, 201
    )
    # Who names a secret vehicle is not told so; and is read by himself, and by who knows it.
    listed = "publication-objections"
    asked = {"notice": made["id"]}
    for who, ids in (("ask", 2), ("cleared", 2), ("clerk", 1), ("chief", 1)):
        assert len((await office.ask(who, "GET", listed, params=asked))["items"]) == ids, who
    answer = {"upheld": False, "reason": "本表只列应当公示的车辆"}
    await office.ask("chief", "POST", f"{listed}/{whole['id']}:answer", answer, 404)
    await office.ask("cleared", "POST", f"{listed}/{whole['id']}:answer", answer | {"reason": "苏F60006 涉密"}, 422)  # fmt: skip
    await office.ask("cleared", "POST", f"{listed}/{whole['id']}:answer", answer)
    for who, status in (("clerk", 403), ("ask", 403)):
        await office.ask(who, "POST", f"{listed}/{raised['id']}:answer", answer, status)
    own = await office.ask("chief", "POST", path, {"organisation": "city", "reason": "自己提的自己答复"}, 201)
    await office.ask("chief", "POST", f"{listed}/{own['id']}:answer", answer, 403)
    upheld = {"upheld": True, "reason": "台账漏记一次充电，另行更正"}
    done = await office.ask("second", "POST", f"{listed}/{raised['id']}:answer", upheld)
    assert (done["state"], done["answered_by"]) == ("upheld", "second同志")
    await office.ask("chief", "POST", f"{listed}/{raised['id']}:answer", upheld, 409)
    # Published, with the unit and without the person.
    shown = await office.client.get(f"/v1/{listed}", params=asked, headers=office.headers("clerk"))
    assert "台账漏记一次充电" in shown.text
    assert "ask" not in shown.text.replace("task", "")
    assert "台账漏记一次充电，另行更正" in await words(office, "clerk", made["id"])
    assert [each["id"] for each in (await office.ask("chief", "GET", listed, params={"unanswered": True}))["items"]] == [own["id"]]  # fmt: skip
    one = await office.ask("cleared", "GET", listed, params={"limit": 1})
    two = await office.ask("cleared", "GET", listed, params={"limit": 5, "cursor": one["next"]})
    assert [each["id"] for each in one["items"] + two["items"]] == [raised["id"], whole["id"], own["id"]]
    for table_ in ("publication_objections", "publication_answers"):
        with pytest.raises(asyncpg.PostgresError, match="change"):
            await office.pool.execute(f"DELETE FROM {table_}")  # noqa: S608 - constants

    # --- corrected by another one
    fixed = known | {"replaces": made["id"], "reason": "补记一次充电"}
    for wrong_, status in (({"replaces": "GG-0"}, 422), ({"organisation": "jsj"}, 422)):
        await office.ask("chief", "POST", "publications", fixed | wrong_, status)
    second = await office.ask("chief", "POST", "publications", fixed, 201)
    old = await office.ask("clerk", "GET", f"notices/{made['id']}")
    assert (second["edition"], second["replaces"], old["replaced_by"]) == (2, made["id"], second["id"])
    assert second["number"] in old["withdraw_reason"]
    assert (old["table"], old["sha256"]) == (made["table"], made["sha256"])
    assert {row[2]: row[10] for row in second["table"]}["苏F***01"] == "159.00"
    await office.ask("chief", "POST", "publications", fixed, 409)
    await office.ask("clerk", "POST", path, {"organisation": "jsj", "reason": "旧的那一份也不对"}, 409)
    # A term that is over; a notice, which is no publication.
    await office.pool.execute(
        "INSERT INTO notices (id, number, organisation, units, roles, kind, title, body, pinned, receipt, columns, rows, sha256, published_at, published_by, published_by_name)"
        " SELECT 'GG-' || k, k, 'city', '{city,jsj}', '{}', k, 'x', 'x', false, false, '{}', 0, sha256(''), now() - interval '30 days', 'user:x', 'x' FROM unnest(ARRAY['rentals', 'notice']) k"
    )
    late = await office.ask("ask", "POST", "notices/GG-rentals:object", {"organisation": "jsj", "reason": "租赁价格偏高"}, 409)  # fmt: skip
    assert late["type"].endswith("too-late")
    await office.ask(
        "ask", "POST", "notices/GG-notice:object", {"organisation": "jsj", "reason": "通知不清楚"}, 409
    )

    # --- 单车核算: of each vehicle, by the page
    quarter = f"{first.year}Q{(first.month + 2) // 3}"
    page = await office.ask("chief", "GET", "vehicle-costs", params={"organisation": "city", "period": quarter, "limit": 3})  # fmt: skip
    assert [each["vehicle"] for each in page["items"]] == ["a1", "a2", "a3"]
    a3 = page["items"][2]
    assert (a3["driven_m"], a3["ordered_m"], a3["fuel"]["per_100km"], a3["charging"]["per_100km"]) == (500_000, 500_000, 10, None)  # fmt: skip
    assert (a3["cost_fen"], a3["by_kind"], a3["per_km_fen"], a3["per_100km_fen"]) == (72_000, {"fuel": 72_000}, 144, 14_400)  # fmt: skip
    rest = await office.ask("chief", "GET", "vehicle-costs", params={"organisation": "city", "period": quarter, "cursor": page["next"]})  # fmt: skip
    idle = {each["vehicle"]: each for each in rest["items"]}["idle"]
    assert "s1" not in {each["vehicle"] for each in rest["items"]}
    assert (idle["driven_m"], idle["per_km_fen"], idle["cost_fen"]) == (None, None, 0)
    assert "里程不详" in idle["why"]
    cleared = await office.ask("cleared", "GET", "vehicle-costs", params={"organisation": "pool", "period": quarter})  # fmt: skip
    assert "s1" in {each["vehicle"] for each in cleared["items"]}
    await office.ask(
        "ask", "GET", "vehicle-costs", params={"organisation": "jsj", "period": quarter}, status=403
    )
    await office.ask("clerk", "GET", "vehicle-costs", params={"organisation": "wsj", "period": quarter}, status=404)  # fmt: skip
