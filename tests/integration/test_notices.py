"""Notices and publications over HTTP by several people: whom they are for, receipts, what is frozen; and that no secret vehicle is in any of them."""

from __future__ import annotations

import io
from datetime import date, timedelta
from typing import Any

import asyncpg
import openpyxl
import pytest
from pypdf import PdfReader

from office.identity.subject import Role
from runtime.units import CHINA
from tests.integration import test_trips
from tests.integration.test_trips import Site
from tests.integration.test_trips import trips as trips  # a fixture

STAFF: dict[str, list[tuple[Role, str, str | None]]] = {
    "chief": [(Role.OFFICE_HEAD, "city", None)],
    "keeper": [(Role.UNIT_ADMINISTRATOR, "pool", None)],
    "cleared": [(Role.OFFICE_HEAD, "city", None), (Role.SECRET_READER, "city", None)],
}
NOTICE: dict[str, Any] = {
    "organisation": "city",
    "title": "关于国庆节封存车辆的通知",
    "body": "9月30日18时前完成封存。",
}


@pytest.fixture
def staff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_trips, "PEOPLE", test_trips.PEOPLE | STAFF)


@pytest.fixture
async def office(staff: None, trips: Site) -> Site:
    return trips


async def titles(site: Site, who: str, **asked: Any) -> list[str]:
    return [each["title"] for each in (await site.ask(who, "GET", "notices", params=asked))["items"]]


async def test_a_notice_reaches_whom_it_is_for_and_says_who_has_read_it(office: Site) -> None:
    for who in ("clerk", "bureau"):
        await office.ask(who, "POST", "notices", NOTICE, 403)
    wrongs: tuple[dict[str, Any], ...] = (
        {"units": ["nobody"]}, {"title": " "}, {"body": ""}, {"roles": ["king"]}, {"valid_to": "2020-01-01"}, {"organisation": "nobody"},
    )  # fmt: skip
    for wrong in wrongs:
        await office.ask("chief", "POST", "notices", NOTICE | wrong, 422)
    made = await office.ask(
        "chief", "POST", "notices", NOTICE | {"units": ["jsj", "wsj"], "receipt": True}, 201
    )
    await office.ask(
        "chief", "POST", "notices", NOTICE | {"title": "车管员", "roles": ["unit_administrator"]}, 201
    )
    id, year = made["id"], office.now.astimezone(CHINA).year
    assert (made["number"], made["kind_name"], len(made["sha256"])) == (
        f"告〔{year}〕city-0001号",
        "通知",
        64,
    )
    assert await titles(office, "clerk") == ["车管员", NOTICE["title"]]
    assert await titles(office, "ask") == [NOTICE["title"]]  # a role that the second is not for
    assert await titles(office, "keeper") == ["车管员"]  # a unit that the first is not for
    await office.ask("keeper", "GET", f"notices/{id}", status=404)
    # Who has read it, when, for which unit; again changes nothing; a unit that is not his he cannot answer for.
    await office.ask("clerk", "POST", f"notices/{id}:read", {"organisation": "wsj", "confirm": True}, 422)
    await office.ask("keeper", "POST", f"notices/{id}:read", {"organisation": "pool"}, 404)
    read = await office.ask("ask", "POST", f"notices/{id}:read", {"organisation": "jsj"})
    assert (read["read_at"] is not None, read["confirmed_at"]) == (True, None)
    first = await office.ask("clerk", "POST", f"notices/{id}:read", {"organisation": "jsj", "confirm": True})
    again = await office.ask("clerk", "POST", f"notices/{id}:read", {"organisation": "jsj", "confirm": True})
    assert (first["read_at"], first["confirmed_at"]) == (again["read_at"], again["confirmed_at"])
    assert await titles(office, "clerk", unread=True) == ["车管员"]
    seen = await office.ask("chief", "GET", f"notices/{id}/receipts")
    assert [(each["name"], each["confirmed_at"] is not None) for each in seen["items"]] == [
        ("ask同志", False),
        ("clerk同志", True),
    ]
    assert seen["missing"] == ["wsj"]
    one = await office.ask("chief", "GET", f"notices/{id}/receipts", params={"limit": 1})
    two = await office.ask(
        "chief", "GET", f"notices/{id}/receipts", params={"limit": 1, "cursor": one["next"]}
    )
    assert [one["items"][0], two["items"][0]] == seen["items"]
    assert [
        each["organisation"] for each in (await office.ask("other", "GET", f"notices/{id}/receipts"))["items"]
    ] == []
    # Frozen; withdrawn it stays, and is not current any more.
    for query in (
        "UPDATE notices SET title = 'x'",
        "DELETE FROM notices",
        "UPDATE notice_receipts SET read_at = now()",
        "DELETE FROM notice_receipts",
    ):
        with pytest.raises(asyncpg.PostgresError, match="change"):
            await office.pool.execute(query)
    await office.ask("clerk", "POST", f"notices/{id}:withdraw", {"reason": "内容有误重新发布"}, 403)
    gone = await office.ask("chief", "POST", f"notices/{id}:withdraw", {"reason": "内容有误重新发布"})
    assert (gone["withdrawn_by"], gone["sha256"]) == ("chief同志", made["sha256"])
    await office.ask("chief", "POST", f"notices/{id}:withdraw", {"reason": "内容有误重新发布"}, 409)
    await office.ask("other", "POST", f"notices/{id}:read", {"organisation": "wsj", "confirm": True}, 409)
    assert await titles(office, "clerk", current=True) == ["车管员"]
    assert await titles(office, "other") == ["车管员", NOTICE["title"]]


async def disposed(site: Site, day: date) -> None:
    """Two disposals that are done, of two vehicles."""
    for number in (1, 2):
        id, car = f"CZ-{number}", f"car-{number}"
        await site.pool.execute(
            "INSERT INTO vehicle_acts (id, kind, organisation, units, vehicle, vehicle_no, plate, number, state, version, mode, open, asked_at, done_at)"
            " SELECT $1, 'disposal', 'pool', '{pool}', v.id, v.no, v.plate, $1, 'done', 2, 'auction', false, now(), now() FROM vehicles v WHERE v.id = $2",
            id, car,
        )  # fmt: skip
        for version, step, body in (
            (1, "ask", {"reason": f"达到更新年限{number}"}),
            (2, "complete", {"proceeds_fen": 12_345_00 + number}),
        ):
            await site.pool.execute(
                "INSERT INTO vehicle_act_events (act, version, step, at, actor, persons, actor_name, body) VALUES ($1, $2, $3, now(), 'user:x', '{user:x}', 'x', $4)",
                id, version, step, body,
            )  # fmt: skip


async def words(site: Site, who: str, id: str) -> str:
    """All that somebody is handed of a publication: JSON, PDF and XLSX."""
    shown = await site.client.get(f"/v1/notices/{id}", headers=site.headers(who))
    pdf = await site.client.get(f"/v1/notices/{id}/document", headers=site.headers(who))
    book = await site.client.get(
        f"/v1/notices/{id}/document", params={"format": "xlsx"}, headers=site.headers(who)
    )
    assert (pdf.status_code, book.status_code) == (200, 200), pdf.text
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf.content)).pages)
    cells = [
        str(cell)
        for sheet in openpyxl.load_workbook(io.BytesIO(book.content))
        for row in sheet.iter_rows(values_only=True)
        for cell in row
    ]
    return "\n".join([shown.text, "".join(text.split()), *cells])


async def test_no_secret_vehicle_is_in_any_publication_whoever_makes_it(office: Site) -> None:
    day = office.now.astimezone(CHINA).date()
    await disposed(office, day)
    await office.pool.execute("UPDATE vehicles SET secret = true WHERE id = 'car-2'")
    span = {"first": (day - timedelta(days=1)).isoformat(), "last": (day + timedelta(days=1)).isoformat()}
    asked = {
        "organisation": "city",
        "kind": "disposals",
        "title": "车辆处置公示",
        "body": "公示期5个工作日，电话12345。",
    } | span
    for who in ("chief", "cleared"):  # also who may see it publishes it to nobody
        made = await office.ask(who, "POST", "publications", asked, 201)
        assert (made["rows"], [row[1] for row in made["table"]]) == (1, ["苏F12341"])
        for reader in ("cleared", "clerk"):
            said = await words(office, reader, made["id"])
            for mark in ("苏F12341", "达到更新年限1", "12345.01", made["sha256"]):
                assert mark in said, (reader, mark)
            for mark in ("苏F12342", "car-2", "达到更新年限2", "12345.02"):
                assert mark not in said, (reader, mark)
    # One that becomes secret afterwards is hidden; how many rows there were, and the hash, stay.
    await office.pool.execute("UPDATE vehicles SET secret = true WHERE id = 'car-1'")
    assert "苏F12341" not in await words(office, "clerk", made["id"])
    shown = await office.ask("clerk", "GET", f"notices/{made['id']}")
    assert (shown["rows"], shown["table"], shown["sha256"]) == (1, [], made["sha256"])
    # A text that names one is refused, however it is spelled, also by a plate that it had before.
    await office.pool.execute("UPDATE vehicles SET plate = '苏F55555' WHERE id = 'car-2'")
    for said in ("苏F55555已报废", "车辆 苏F·123 42 处置", "苏f-12342", "编号car-2的车"):
        refused = await office.ask("chief", "POST", "notices", NOTICE | {"body": said}, 422)
        assert "苏F" not in refused["detail"]
    await office.ask("chief", "POST", "notices", NOTICE | {"title": "苏F12342"}, 422)
    await office.ask(
        "chief", "POST", "notices", NOTICE | {"body": "合同car-20号"}, 201
    )  # another id that begins alike
    await office.ask(
        "chief", "POST", "publications", asked | {"last": (day - timedelta(days=2)).isoformat()}, 422
    )
    empty = await office.ask("chief", "POST", "publications", asked | {"kind": "rentals"}, 201)
    assert (empty["rows"], empty["columns"][0]) == (0, "单位")
