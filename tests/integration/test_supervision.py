"""The life of supervision orders over HTTP, by several people, on a real PostgreSQL; and what people try that must not work."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from api.app import create_app
from api.auth.cookies import COOKIE, CSRF_HEADER
from office.identity import sessions
from office.identity.subject import Role
from office.identity.tokens import create_token
from office.supervision import cases, clock, findings, sampling
from office.supervision.cases import Entry, projection, read_thread
from office.supervision.states import Event, Step, advance, begin
from registry.calendar import CalendarDay
from registry.calendar import write as write_days
from rules.alerts.feed import publish_feed
from rules.alerts.model import AlertFacts, Judgement, Measure
from rules.alerts.publish import publish
from rules.evidence import canonical
from runtime.postgres import connect
from runtime.settings import Settings
from runtime.units import CHINA, to_us
from tests.unit.test_supervision_papers import EXIF, JPEG, PDF, office

T0 = datetime(2026, 3, 2, 21, 14, tzinfo=CHINA)
#: Who works here: roles in units. ``both`` has a role on each side; ``lent`` has one of ``boss``.
PEOPLE: dict[str, list[tuple[Role, str, str | None]]] = {
    "clerk": [(Role.VEHICLE_OFFICE, "city", None)],
    "clerk2": [(Role.VEHICLE_OFFICE, "city", None)],
    "head": [(Role.OFFICE_HEAD, "city", None)],
    "unit": [(Role.UNIT_ADMINISTRATOR, "jsj", None)],
    "boss": [(Role.UNIT_HEAD, "jsj", None)],
    "other": [(Role.UNIT_ADMINISTRATOR, "wsj", None)],
    "both": [(Role.UNIT_ADMINISTRATOR, "jsj", None), (Role.OFFICE_HEAD, "city", None)],
    "lent": [(Role.OFFICE_HEAD, "city", "both")],
    "local": [(Role.VEHICLE_OFFICE, "jsj", None)],
    "inspector": [(Role.INSPECTOR, "city", None)],
}


async def sign_in(pool: asyncpg.Pool) -> dict[str, str]:
    """Users with their roles and a session each: the secret of each session."""
    for name in PEOPLE:
        await pool.execute("INSERT INTO users (id, name, created_by) VALUES ($1, $1, 'test')", name)
    grants: dict[str, int] = {}
    for name, held in PEOPLE.items():
        for role, unit, lent_by in held:
            if lent_by is None:
                grants[f"{name} {role}"] = await pool.fetchval(
                    "INSERT INTO role_grants (user_id, role, organisation, valid_from, granted_by)"
                    " VALUES ($1, $2, $3, now() - interval '1 day', 'test') RETURNING id",
                    name, role, unit,
                )  # fmt: skip
    for name, held in PEOPLE.items():
        for role, _, lent_by in held:
            if lent_by is not None:
                await pool.execute(
                    "INSERT INTO delegations (grant_id, to_user, valid_from, valid_to, reason, made_by)"
                    " VALUES ($1, $2, now() - interval '1 day', now() + interval '1 day', 'leave', $3)",
                    grants[f"{lent_by} {role}"], name, lent_by,
                )  # fmt: skip
    async with pool.acquire() as connection:
        return {
            name: (
                await sessions.begin(
                    connection, name, "password", sessions.Visit("10.1.2.3", "test"), timedelta(hours=1)
                )
            ).secret
            for name in PEOPLE
        }


class Site:
    """The API and its people."""

    def __init__(self, client: httpx.AsyncClient, pool: asyncpg.Pool, secrets: dict[str, str]) -> None:
        self.client, self.pool, self._secrets = client, pool, secrets

    def headers(self, who: str) -> dict[str, str]:
        """Of the session of ``who``; of a token where that is nobody."""
        secret = self._secrets.get(who)
        if secret is None:
            return {"Authorization": f"Bearer {who}"}
        return {"Cookie": f"{COOKIE}={secret}", CSRF_HEADER: sessions.csrf_token(secret)}

    async def ask(
        self, who: str, method: str, path: str, body: Any = None, status: int = 200, **more: Any
    ) -> Any:
        headers = self.headers(who) | more.pop("headers", {})
        response = await self.client.request(method, f"/v1/{path}", json=body, headers=headers, **more)
        assert response.status_code == status, (who, method, path, response.status_code, response.text)
        assert "Traceback" not in response.text
        if status >= 400:
            assert " · " in response.json()["detail"]
        return response.json()

    async def case(self, id: str, who: str = "head") -> Any:
        return await self.ask(who, "GET", f"cases/{id}")

    async def step(self, who: str, id: str, step: str, status: int = 200, **body: Any) -> Any:
        if "version" not in body:
            body["version"] = await self.pool.fetchval("SELECT version FROM cases WHERE id = $1", id)
        return await self.ask(who, "POST", f"cases/{id}:{step}", body, status)

    async def draft(self, who: str = "clerk", status: int = 201, **more: Any) -> Any:
        body = {
            "title": "夜间用车",
            "source": "joint",
            "organisation": "jsj",
            "facts": "夜间在围栏外行驶",
            "basis": ["《党政机关公务用车管理办法》第十七条"],
            "person": "张三",
        } | more
        return await self.ask(who, "POST", "cases", body, status)

    async def issued(self, **more: Any) -> str:
        id: str = (await self.draft(**more))["id"]
        await self.step("clerk", id, "submit")
        await self.step("head", id, "issue")
        return id

    async def replied(self, **more: Any) -> str:
        id = await self.issued(**more)
        await self.step("unit", id, "sign")
        await self.step(
            "unit", id, "reply", text="经查为洗车", checked=["ledger", "track"], explanations=["wash"]
        )
        await self.step("boss", id, "sign-reply")
        return id


CLOSE: dict[str, Any] = {"finding": "justified", "evidence": "洗车票据与轨迹一致"}


@pytest.fixture
async def bureau(pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[Site]:
    async with opened(pool, Settings(data_dir=tmp_path)) as made:
        yield made


@asynccontextmanager
async def opened(pool: asyncpg.Pool, settings: Settings) -> AsyncIterator[Site]:
    for id, parent in (("city", None), ("jsj", "city"), ("wsj", "city")):
        await pool.execute("INSERT INTO organisations (id, name, parent) VALUES ($1, $1, $2)", id, parent)
    for id, plate, unit in (
        ("car-1", "苏F12345", "jsj"),
        ("car-2", "苏F12346", "jsj"),
        ("car-3", "苏F99999", "wsj"),
    ):
        await pool.execute(
            "INSERT INTO vehicles (id, plate, organisation) VALUES ($1, $2, $3)", id, plate, unit
        )
    transport = httpx.ASGITransport(create_app(settings, pool, position_sink=None), client=("10.1.2.3", 4))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield Site(client, pool, await sign_in(pool))


async def suspect(
    pool: asyncpg.Pool, subject: str, *, unit: str = "jsj", car: str = "car-1", at: datetime = T0, rule: str = "off_hours",
    outcome: Any = "suspected",
) -> str:  # fmt: skip
    """Publish a judgement about ``subject``; the id of its alert."""
    no = await pool.fetchval("SELECT no FROM vehicles WHERE id = $1", car)
    facts = AlertFacts("medium", unit, car, "苏F12345", to_us(at), to_us(at) + 60_000_000)
    made = Judgement(
        rule=rule, rule_version=2, subject=subject, vehicle_no=no, outcome=outcome, reason="night" if outcome == "suspected" else "short",
        evaluated_at_us=to_us(at) + 10**9, measures={"distance_m": Measure(18_400, "m")}, parameters={"min_distance_m": 1000},
        evidence=canonical({"subject": subject}), alert=facts, told={"plate": "苏F12345", "date": "2026-03-02", "day_name": "工作日", "orders": []},
    )  # fmt: skip
    async with pool.acquire() as connection, connection.transaction():
        written = await publish(connection, [made])
        await publish_feed(connection, written)
    return written[0].id


def days_ahead(calendar_days: int) -> date:
    return datetime.now(CHINA).date() + timedelta(days=calendar_days)


async def work_every_day(pool: asyncpg.Pool, since: date, days: int) -> None:
    """The calendar says so: terms of the test do not depend on the day on which it runs."""
    records = [CalendarDay(id=(since + timedelta(days=k)).isoformat(), workday=True) for k in range(days)]
    async with pool.acquire() as connection, connection.transaction():
        await write_days(connection, records)


async def test_from_two_alerts_to_a_finding(bureau: Site) -> None:
    alerts = [await suspect(bureau.pool, f"night-{k}", at=T0 + timedelta(minutes=k)) for k in range(2)]
    await suspect(bureau.pool, "far", unit="wsj", car="car-3")
    await work_every_day(bureau.pool, days_ahead(0), 60)
    span = {"from": "2026-03-01", "to": "2026-03-31", "organisation": "jsj"}
    (bundle,) = (await bureau.ask("clerk", "GET", "cases/proposals", params=span))["items"]
    assert (bundle["alerts"], bundle["vehicle"], bundle["day"]) == (alerts, "car-1", "2026-03-02")

    made = await bureau.draft(title="夜间用车", source="alert", alerts=alerts, organisation=None, facts=None)
    id, contents = made["id"], made["contents"]
    assert (made["state"], made["number"], contents["organisation"], contents["vehicle"]) == (
        "draft",
        None,
        "jsj",
        "car-1",
    )
    assert "2026-03-02 21:14" in contents["facts"]
    assert contents["facts"] == contents["facts_original"]
    assert contents["figures"][0]["measures"]["distance_m"] == {"value": 18_400, "unit": "m"}
    edited = {k: contents[k] for k in ("title", "alerts", "source", "level")} | {"facts": "改写后的事实"}
    # What the order must name is asked for when it goes to the head, not of a draft.
    for more, place in (({}, "/basis"), ({"basis": ["第十七条"]}, "/person")):
        await bureau.step("clerk", id, "edit", contents=edited | more)
        missing = await bureau.step("clerk", id, "submit", 422)
        assert missing["errors"][0]["pointer"] == place, missing
    edited |= {"basis": ["第十七条"], "person": "张三"}
    await bureau.step("clerk", id, "edit", contents=edited)
    shown = await bureau.case(id)
    assert (shown["contents"]["facts"], shown["contents"]["facts_original"]) == (
        "改写后的事实",
        contents["facts_original"],
    )
    # An alert is in one open case only, and the proposals have it no more.
    taken = await bureau.draft(source="alert", alerts=alerts[:1], status=409)
    assert id in taken["detail"]
    assert not (await bureau.ask("clerk", "GET", "cases/proposals", params=span))["items"]
    # Before the issue nobody of the unit knows of it.
    await bureau.ask("unit", "GET", f"cases/{id}", status=404)
    assert (await bureau.ask("unit", "GET", "cases"))["items"] == []
    assert (await bureau.ask("inspector", "GET", f"cases/{id}"))["state"] == "draft"

    await bureau.step("clerk", id, "submit")
    issued = await bureau.step("head", id, "issue")
    year = datetime.now(CHINA).year
    assert issued["number"] == f"督〔{year}〕jsj-0001号"
    seen = await bureau.case(id, "unit")
    assert (seen["state"], seen["deadlines"]["due"]["on"]) == ("issued", days_ahead(5).isoformat())
    assert [e["step"] for e in seen["thread"]] == ["issue"]
    assert {m["step"] for m in seen["may"] if m["refused"] is None} >= {"sign", "refuse"}
    await bureau.ask("other", "GET", f"cases/{id}", status=404)
    await bureau.step("other", id, "sign", 404)

    await bureau.step("unit", id, "sign")
    await bureau.step("boss", id, "sign-reply", 409)  # there is none yet
    await bureau.step("unit", id, "reply", text="经查为洗车", checked=["ledger"])
    await bureau.step("unit", id, "sign-reply", 403)  # no head
    await bureau.step("boss", id, "sign-reply")
    await bureau.step("head", id, "redo", reason="请补充洗车票据")
    await bureau.step("unit", id, "reply", text="补充票据", checked=["ledger"])
    await bureau.step("boss", id, "sign-reply")
    await bureau.step("unit", id, "close", 403, **CLOSE)
    closed = await bureau.step("clerk", id, "close", finding="violation", evidence="票据时间与轨迹不符",
                             responsibility="车管员", measures="通报批评", measures_due=days_ahead(30).isoformat())  # fmt: skip
    assert closed["state"] == "closed"

    shown = await bureau.case(id)
    assert shown["finding"] == "violation"
    first = shown["thread"][0]
    assert (first["persons"], first["address"]) == (["user:clerk"], "10.1.2.3")
    alert = await bureau.ask("unit", "GET", f"alerts/{alerts[0]}")
    (label,) = alert["labels"]
    assert (label["finding"], label["case"], label["case_no"]) == ("violation", id, issued["number"])
    async with bureau.pool.acquire() as connection:
        thread = await read_thread(connection, id)
        assert thread is not None
        clocks = await cases.load_clocks(connection)
        again = projection(thread.case, clocks, datetime.now(CHINA).date())
        assert {name: thread.row[name] for name in again} == again
        found = await findings.labels_between(connection, "off_hours", to_us(T0) - 1, to_us(T0) + 10**9)
    assert sorted((f.alert, f.month, f.finding) for f in found) == sorted(
        (a, "2026-03", "violation") for a in alerts
    )
    # Closed: its alerts may be in another case.
    assert (await bureau.draft(source="alert", alerts=alerts[:1]))["id"] != id
    await bureau.step("head", id, "reopen", 409, reason="发现新的情况")

    texts = [m["text"] for m in (await bureau.ask("unit", "GET", "messages"))["items"]]
    assert f"督办单 {issued['number']}：签发，现为已下达" in texts
    assert not any("苏F" in text or "夜间" in text for text in texts)
    newest = (await bureau.ask("unit", "GET", "messages"))["items"][0]["id"]
    assert (await bureau.ask("unit", "POST", "messages:read", {"up_to": newest}))["read"] == len(texts)
    assert not (await bureau.ask("unit", "GET", "messages", params={"unread": True}))["items"]
    assert not (await bureau.ask("other", "GET", "messages"))["items"]


async def test_nobody_decides_on_what_he_did_himself(bureau: Site) -> None:
    id = (await bureau.draft("head"))["id"]
    await bureau.step("head", id, "submit")
    assert (await bureau.step("head", id, "issue", 403))["type"].endswith("own-draft")
    await bureau.step("both", id, "issue")
    assert (await bureau.step("both", id, "sign", 403))["type"].endswith("own-office")
    assert (await bureau.step("lent", id, "cancel", 200, reason="重复立单，撤销"))["state"] == "cancelled"
    last = (await bureau.case(id))["thread"][-1]
    assert (last["actor"], last["persons"]) == ("user:lent", ["user:both", "user:lent"])

    id = await bureau.issued()
    await bureau.step("both", id, "sign")
    await bureau.step("both", id, "reply", text="经查为洗车", checked=["ledger"])
    await bureau.step("boss", id, "sign-reply")
    for who in ("both", "lent"):  # the second closes by a right of the first
        assert (await bureau.step(who, id, "close", 403, **CLOSE))["type"].endswith("own-unit")
        assert (await bureau.step(who, id, "redo", 403, reason="材料不全，请重报"))["type"].endswith(
            "own-unit"
        )
    await bureau.step("head", id, "close", **CLOSE)


async def test_two_clerks_close_one_case(bureau: Site) -> None:
    id = await bureau.replied()
    version = (await bureau.case(id))["version"]
    answers = await asyncio.gather(
        *(
            bureau.client.post(f"/v1/cases/{id}:close", json=CLOSE | {"version": version}, headers=bureau.headers(who))
            for who in ("clerk", "clerk2", "head")
        )
    )  # fmt: skip
    assert sorted(a.status_code for a in answers) == [200, 409, 409]
    stale = next(a.json() for a in answers if a.status_code == 409)
    assert (stale["version"], stale["state"]) == (version + 1, "closed")
    assert stale["type"].endswith("stale-version")
    assert (
        await bureau.pool.fetchval(
            "SELECT count(*) FROM case_events WHERE case_id = $1 AND step = 'close'", id
        )
        == 1
    )


async def test_an_alert_goes_into_one_of_two_cases_that_are_drafted_at_once(bureau: Site) -> None:
    alert = await suspect(bureau.pool, "night-1")
    body = {"title": "t", "source": "alert", "alerts": [alert]}
    answers = await asyncio.gather(
        *(
            bureau.client.post("/v1/cases", json=body, headers=bureau.headers(who))
            for who in ("clerk", "clerk2", "head") * 3
        )
    )
    made = [a.json()["id"] for a in answers if a.status_code == 201]
    assert len(made) == 1
    assert {a.status_code for a in answers} == {201, 409}
    assert all(made[0] in a.json()["detail"] for a in answers if a.status_code == 409)
    assert await bureau.pool.fetchval("SELECT count(*) FROM cases") == 1


async def test_a_draft_whose_answer_was_lost_is_sent_again_under_its_key(bureau: Site) -> None:
    body = {"title": "t", "source": "alert", "alerts": [await suspect(bureau.pool, "night-1")]}
    keyed = bureau.headers("clerk") | {"Idempotency-Key": "k-1"}
    answers = await asyncio.gather(
        *(bureau.client.post("/v1/cases", json=body, headers=keyed) for _ in range(4))
    )
    assert [answer.status_code for answer in answers] == [201] * 4
    assert len({answer.json()["id"] for answer in answers}) == 1
    # Another text under the key, and the same of somebody else: his own key says nothing of it.
    other = await bureau.client.post("/v1/cases", json=body | {"title": "u"}, headers=keyed)
    assert (other.status_code, other.json()["type"].rpartition(":")[2]) == (422, "idempotency-key-reused")
    hers = bureau.headers("clerk2") | {"Idempotency-Key": "k-1"}
    assert (await bureau.client.post("/v1/cases", json=body, headers=hers)).status_code == 409
    assert await bureau.pool.fetchval("SELECT count(*) FROM cases") == 1


async def test_numbers_have_no_gap(bureau: Site, db_url: str) -> None:
    """50 at once, one of whom is killed with the number in his hand, others of whom are refused."""
    ids = [(await bureau.draft(title=f"第 {k} 件"))["id"] for k in range(50)]
    for id in ids:
        await bureau.step("clerk", id, "submit")
    year = datetime.now(CHINA).year
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, db_url, str(year), stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    assert (await holder.stdout.readline()).decode().strip() == f"督〔{year}〕jsj-0001号"
    headers = bureau.headers("head")
    issuing = [
        asyncio.create_task(
            bureau.client.post(
                f"/v1/cases/{id}:issue", json={"version": 3 if k % 10 == 0 else 2}, headers=headers
            )
        )
        for k, id in enumerate(ids)
    ]
    holder.kill()
    await holder.wait()
    answers = [await task for task in issuing]
    good = [a.json()["number"] for a in answers if a.status_code == 200]
    busy = [id for id, a in zip(ids, answers, strict=True) if a.status_code != 200]
    # Stale, or waited too long for a connection.
    good += [(await bureau.step("head", id, "issue"))["number"] for id in busy]
    assert sorted(good) == [f"督〔{year}〕jsj-{n:04d}号" for n in range(1, 51)]
    await bureau.step("head", ids[0], "cancel", reason="重复立单，撤销")
    assert (await bureau.case(ids[0]))["number"] in good  # it keeps it
    other = await bureau.issued(organisation="wsj")
    assert (await bureau.case(other))["number"] == f"督〔{year}〕wsj-0001号"


HOLDER = """
import asyncio, sys
from office.supervision.cases import take_number
from runtime.postgres import connect
async def main():
    connection = await connect(sys.argv[1])
    async with connection.transaction():
        print(await take_number(connection, "jsj", int(sys.argv[2])), flush=True)
        await asyncio.sleep(600)  # time: until it is killed
asyncio.run(main())
"""


async def test_a_unit_that_helps_is_told_and_says_its_part(bureau: Site) -> None:
    made = await bureau.draft(helpers=["wsj"])
    id = made["id"]
    await bureau.ask("other", "GET", f"cases/{id}", status=404)  # nobody of the units sees a draft
    await bureau.step("clerk", id, "submit")
    number = (await bureau.step("head", id, "issue"))["number"]
    assert [m["text"] for m in (await bureau.ask("other", "GET", "messages"))["items"]] == [
        f"督办单 {number}：签发，现为已下达"
    ]
    assert [row["id"] for row in (await bureau.ask("other", "GET", "cases"))["items"]] == [id]
    assert (await bureau.ask("other", "GET", "cases/counts"))["states"]["issued"] == 1
    seen = await bureau.case(id, "other")
    assert [(e["step"], e["address"]) for e in seen["thread"]] == [("issue", None)]
    assert {m["step"] for m in seen["may"]} == {"note", "attach"}
    await bureau.step("other", id, "sign", 403)

    await bureau.step("head", id, "note", text="管理处内部意见")
    await bureau.step("unit", id, "note", text="单位内部意见")
    await bureau.step("other", id, "note", text="协办内部意见")
    await bureau.step("other", id, "note", text="我单位当日未借用该车", internal=False)
    await bureau.ask(
        "other", "POST", f"cases/{id}/attachments", status=201, params={"name": "台账.pdf"}, content=PDF
    )
    notes = {
        who: [e["body"]["text"] for e in (await bureau.case(id, who))["thread"] if e["step"] == "note"]
        for who in ("head", "unit", "other")
    }
    assert notes == {
        "head": ["管理处内部意见", "单位内部意见", "协办内部意见", "我单位当日未借用该车"],
        "unit": ["单位内部意见", "我单位当日未借用该车"],
        "other": ["协办内部意见", "我单位当日未借用该车"],
    }
    # Whoever helps without end does not keep the unit from its answer.
    await bureau.pool.execute(
        "INSERT INTO case_events (case_id, version, step, at, persons, actor, actor_name, body)"
        " SELECT $1, v, 'note', now(), '{user:other}', 'user:other', 'x', '{}' FROM generate_series($2::integer, 500) v",
        id, (await bureau.case(id))["version"] + 1,
    )  # fmt: skip
    await bureau.pool.execute("UPDATE cases SET version = 500 WHERE id = $1", id)
    await bureau.step("other", id, "note", 403, text="再写一条")
    await bureau.step("unit", id, "sign")
    await bureau.step("other", id, "reply", 403, text="代为答复", checked=["ledger"])
    await bureau.step("unit", id, "reply", text="经查为洗车", checked=["ledger"])
    # No more of what is the unit's: neither the alerts, nor another case of it.
    second = await bureau.issued()
    await bureau.ask("other", "GET", f"cases/{second}", status=404)


async def test_sent_back_more_time_and_again(bureau: Site) -> None:
    await work_every_day(bureau.pool, days_ahead(0), 60)
    id = await bureau.issued()
    await bureau.step("unit", id, "refuse", reason="车辆已划转至卫生局")
    assert (await bureau.case(id))["deadlines"]["paused"]
    await bureau.step("head", id, "grant", 422)
    await bureau.step("head", id, "grant", organisation="wsj")
    await bureau.ask("unit", "GET", f"cases/{id}", status=404)
    assert (await bureau.case(id, "other"))["state"] == "issued"
    await bureau.step("other", id, "sign")
    for day in (days_ahead(-1), days_ahead(2), days_ahead(400)):  # past, before the term ends, too far
        await bureau.step("other", id, "ask-extension", 422, reason="驾驶员出差在外", due_on=day.isoformat())
    unknown = await bureau.step(
        "other", id, "ask-extension", 422, reason="驾驶员出差在外", due_on=days_ahead(300).isoformat()
    )
    assert "尚未公布" in unknown["detail"] or "不是工作日" in unknown["detail"]
    wanted = days_ahead(9).isoformat()
    await bureau.step("other", id, "ask-extension", reason="驾驶员出差在外", due_on=wanted)
    await bureau.step("other", id, "grant", 403)
    await bureau.step("head", id, "grant")
    assert (await bureau.case(id))["deadlines"]["due"]["on"] == wanted
    assert (await bureau.step("other", id, "ask-extension", 409, reason="驾驶员出差在外", due_on=days_ahead(12).isoformat()))["type"].endswith("second-extension")  # fmt: skip
    listed = await bureau.ask(
        "head",
        "GET",
        "cases",
        params={"due_from": wanted, "due_to": wanted, "organisation": "city", "state": "working"},
    )
    assert [row["id"] for row in listed["items"]] == [id]
    assert listed["items"][0]["colour"] == "green"
    counts = await bureau.ask("head", "GET", "cases/counts")
    assert (counts["states"]["working"], counts["colours"]["green"]) == (1, 1)


async def test_what_happens_by_itself_happens_once(bureau: Site, db_url: str) -> None:
    """Cases of the past, several clocks at once: yellow, red and bulletin; a term becomes known; an alert is withdrawn."""
    today = days_ahead(0)
    await work_every_day(bureau.pool, today - timedelta(days=60), 90)
    ages = {"green": 1, "yellow": 3, "red": 7, "announced": 12}
    ids = {name: await issued_before(bureau.pool, days) for name, days in ages.items()}
    far = await issued_before(bureau.pool, 0, term_from=days_ahead(300))
    alert = await suspect(bureau.pool, "night-9")
    linked = await bureau.issued(source="alert", alerts=[alert])
    await suspect(bureau.pool, "night-9", outcome="normal")

    async def run() -> None:
        connection = await connect(db_url)
        while await clock.turn(connection):
            pass
        await connection.close()

    await asyncio.gather(*(run() for _ in range(4)))
    await run()
    steps = {name: [e["step"] for e in (await bureau.case(id))["thread"]][3:] for name, id in ids.items()}
    assert steps == {
        "green": [],
        "yellow": ["remind"],
        "red": ["remind"],
        "announced": ["remind", "announce"],
    }
    announced = await bureau.case(ids["announced"])
    assert (announced["deadlines"]["overdue_wd"], announced["announced"], announced["reminders"]) == (
        7,
        True,
        1,
    )
    rows = (await bureau.ask("head", "GET", "cases", params={"colour": "red"}))["items"]
    assert {row["id"] for row in rows} == {ids["red"], ids["announced"]}
    told = await bureau.case(linked)
    assert (told["proposal"], told["withdrawn_alerts"], told["state"]) == ("cancel", [alert], "issued")
    assert (await bureau.case(linked, "unit"))["proposal"] is None
    await bureau.draft(source="alert", alerts=[alert], status=422)
    await bureau.step("head", linked, "cancel", reason="预警已撤销，撤销督办")

    term = (await bureau.case(far))["deadlines"]["due"]
    assert (term["on"], term["unknown"]) == (None, days_ahead(301).isoformat())
    assert "尚未公布" in term["note"]
    assert (await bureau.ask("head", "GET", "cases", params={"colour": "grey"}))["items"][0]["id"] == far
    await work_every_day(bureau.pool, days_ahead(300), 20)
    assert (await bureau.case(far))["deadlines"]["due"]["on"] == days_ahead(305).isoformat()
    await bureau.pool.execute("UPDATE cases SET look_on = $2 WHERE id = $1", far, today)  # the next morning
    await run()
    assert await bureau.pool.fetchval("SELECT due_on FROM cases WHERE id = $1", far) == days_ahead(305)
    # Nothing of a thread is ever changed.
    for sql in (
        "UPDATE case_events SET at = now()",
        "DELETE FROM case_events",
        "TRUNCATE case_events CASCADE",
        "UPDATE alert_labels SET finding = 'x'",
    ):
        if "labels" in sql:
            await bureau.pool.execute(
                "INSERT INTO alert_labels (alert_id, case_id, organisation, finding, person, at) VALUES ('x', $1, 'jsj', 'data', 'user:x', now())",
                far,
            )
        with pytest.raises(asyncpg.RestrictViolationError):
            await bureau.pool.execute(sql)


async def written_case(pool: asyncpg.Pool, events: Sequence[Event]) -> str:
    """A case whose thread is ``events``, as if they had been done then."""
    async with pool.acquire() as connection, connection.transaction():
        clocks = await cases.load_clocks(connection)
        id = await cases.begin_case(connection, Entry(events[0], "clerk", "user:clerk"), clocks)
        case = begin(events[0])
        for event in events[1:]:
            case = advance(case, event)
            await cases.append(connection, id, case, Entry(event, "x"), clocks)
    return id


async def issued_before(pool: asyncpg.Pool, days: int, term_from: date | None = None) -> str:
    """A case that was issued so many days ago; with ``term_from`` one whose term begins on that day."""
    at = datetime.now(UTC) - timedelta(days=days)
    body: dict[str, Any] = {
        "organisation": "jsj",
        "title": "旧案",
        "facts": "x",
        "source": "joint",
        "level": "general",
    }
    issued = datetime(term_from.year, term_from.month, term_from.day, 4, tzinfo=UTC) if term_from else at
    events = [
        Event(1, Step.DRAFT, at, frozenset({"user:clerk"}), body),
        Event(2, Step.SUBMIT, at, frozenset({"user:clerk"})),
        Event(3, Step.ISSUE, issued, frozenset({"user:head"}), {"number": f"旧-{days}-{term_from}"}),
    ]
    return await written_case(pool, events)


async def test_files_are_what_they_are(bureau: Site) -> None:
    id = await bureau.issued()
    photo = JPEG[:2] + EXIF + JPEG[2:]
    path = f"cases/{id}/attachments"

    async def send(who: str, name: str, data: bytes, status: int = 201) -> Any:
        return await bureau.ask(who, "POST", path, status=status, params={"name": name}, content=data)

    kept = await send("unit", "现场 照片.jpg", photo)
    assert kept["sha256"] == hashlib.sha256(JPEG).hexdigest()
    await send("unit", "回复.pdf", PDF)
    for name, data in (
        ("a.pdf", b"MZ program"),
        ("a.jpg", PDF),
        ("a.docx", office(more={"word/vbaProject.bin": b"x"})),
        ("a.txt", b""),
    ):
        await send("unit", name, data, 422)
    for name in ("../a.pdf", "a\0.pdf", "\u202efdp.exe.pdf"):
        await send("unit", name, PDF, 422)
    await send("other", "a.pdf", PDF, 404)
    await send("inspector", "a.pdf", PDF, 403)
    shown = await bureau.case(id, "boss")
    assert [f["name"] for f in shown["attachments"]] == ["现场 照片.jpg", "回复.pdf"]
    assert shown["version"] == 5
    headers = bureau.headers("clerk")
    answer = await bureau.client.get(f"/v1/{path}/{kept['id']}", headers=headers)
    assert (answer.content, answer.headers["content-type"], answer.headers["x-content-type-options"]) == (
        JPEG,
        "image/jpeg",
        "nosniff",
    )
    assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''%E7%8E%B0")
    await bureau.ask("other", "GET", f"{path}/{kept['id']}", status=404)
    received = await bureau.pool.fetchval(
        "SELECT received_sha256 FROM case_attachments WHERE id = $1", kept["id"]
    )
    assert received == hashlib.sha256(photo).digest()


COMPLAINT = {
    "ticket": "12345-1", "received_at": "2026-03-03T09:00:00+08:00", "claim": "公车停在饭店门口", "plate": "苏F12345",
    "place": "某饭店", "happened_at": "2026-03-02T21:20:00+08:00",
}  # fmt: skip


async def test_complaints_and_their_callers(bureau: Site, tmp_path: Path) -> None:
    alert = await suspect(bureau.pool, "night-1")
    caller = {"caller_name": "王某某", "caller_phone": "13800000000"}
    refused = await bureau.ask("clerk", "POST", "complaints", COMPLAINT | caller, 409)
    assert "openssl rand -base64 32" in refused["detail"]
    key = tmp_path / "caller.key"
    key.write_text("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    key.chmod(0o600)
    made = await bureau.ask("clerk", "POST", "complaints", COMPLAINT | caller, 201)
    assert (made["vehicle"], made["organisation"], made["alerts"]) == ("car-1", "jsj", [alert])
    assert made["track"].startswith("/v1/vehicles/car-1/track?from=2026-03-02T19:20:00%2B08:00")
    again = await bureau.ask("clerk", "POST", "complaints", COMPLAINT, 409)
    assert made["id"] in again["detail"]
    await bureau.ask("unit", "GET", f"complaints/{made['id']}", status=403)

    for who, body, status in (
        ("unit", {"reason": "想知道是谁"}, 403),
        ("clerk", {"reason": "x"}, 422),
        ("clerk", {}, 422),
    ):
        await bureau.ask(who, "POST", f"complaints/{made['id']}:reveal-caller", body, status)
    shown = await bureau.ask(
        "clerk", "POST", f"complaints/{made['id']}:reveal-caller", {"reason": "回访核实情况"}
    )
    assert shown == {"name": "王某某", "phone": "13800000000"}
    (read,) = await bureau.pool.fetch("SELECT person, reason, address FROM complaint_reads")
    assert tuple(read) == ("user:clerk", "回访核实情况", "10.1.2.3")
    audited = await bureau.pool.fetch(
        "SELECT who_id, purpose, subject_id FROM audit WHERE subject_kind = 'complaint-callers'"
    )
    assert [tuple(row) for row in audited] == [("clerk", "回访核实情况", made["id"])]

    case = await bureau.issued(source="hotline", complaint=made["id"], vehicle="car-1")
    office_sees, unit_sees = await bureau.case(case), await bureau.case(case, "unit")
    assert office_sees["contents"]["hotline"] == {
        "complaint": made["id"],
        "category": "report",
        "received_on": "2026-03-03",
    }
    assert made["id"] not in str(unit_sees)
    for text in (str(office_sees), str(unit_sees), str(await bureau.ask("clerk", "GET", "complaints"))):
        assert "王某某" not in text
        assert "13800000000" not in text
    for table in ("complaints", "case_events", "complaint_reads", "cases", "messages"):
        stored = str(await bureau.pool.fetch(f"SELECT * FROM {table}"))  # noqa: S608 - names of ours
        assert "王某某" not in stored
        assert "13800000000" not in stored
    assert (await bureau.ask("clerk", "GET", f"complaints/{made['id']}"))["cases"] == [case]

    strange = await bureau.ask(
        "clerk", "POST", "complaints", COMPLAINT | {"ticket": "12345-2", "plate": "苏F12344"}, 201
    )
    assert (strange["vehicle"], strange["near_plates"]) == (None, ["苏F12345", "苏F12346"])
    assert "没有车牌 苏F12344" in strange["warning"]
    odd = await bureau.ask(
        "clerk", "POST", "complaints", COMPLAINT | {"ticket": "12345-3", "plate": "%_\\"}, 201
    )
    assert odd["near_plates"] == []

    rows = (
        "工单号,受理时间,诉求内容,车牌号,来电人,联系电话\n"
        "12345-9,2026-03-03 10:00,乱停车,苏F12346,李某,13900000000\n"
        "12345-1,2026-03-03 10:00,重复的,苏F12346,,\n"
        "12345-10,昨天,时间不对,苏F12346,,\n"
        ",2026-03-03 10:00,没有工单号,苏F12346,,\n"
    )
    report = await bureau.ask(
        "clerk",
        "POST",
        "complaints:import",
        content=rows.encode("gb18030"),
        headers={"Content-Type": "text/csv"},
    )
    assert (report["rows"], report["created"], report["repeated"], report["refused"]) == (4, 1, 1, 2)
    assert [(e["row"], e["field"]) for e in report["errors"]] == [(4, "received_at"), (5, "ticket")]
    bad = await bureau.ask(
        "clerk",
        "POST",
        "complaints:import",
        status=422,
        content=b"a,b\n1,2\n",
        headers={"Content-Type": "text/csv"},
    )
    assert "工单号" in bad["detail"]


async def test_a_complaint_is_about_the_car_that_bore_the_plate_then(bureau: Site) -> None:
    before = datetime.now(CHINA) - timedelta(days=3)
    # Planned to be back before the time of the complaint, and not back yet: it covers its car without end. The other one is back.
    for id, status, back in (("P1", "departed", None), ("P2", "returned", before - timedelta(hours=4))):
        await bureau.pool.execute(
            "INSERT INTO dispatch_orders (id, version, organisation, vehicle, task_type, status, destinations, planned_departure,"
            " planned_return, actual_departure, actual_return, is_newest) VALUES ($1, 1, 'jsj', 'car-1', 'official', $2, '[]', $3,"
            " $4, $3, $5, true)",
            id, status, before - timedelta(hours=6), before - timedelta(hours=4), back,
        )  # fmt: skip
    # The plate went to a car of another unit since.
    await bureau.pool.execute("UPDATE vehicles SET plate = '苏F00001' WHERE id = 'car-1'")
    await bureau.pool.execute("UPDATE vehicles SET plate = '苏F12345' WHERE id = 'car-3'")
    received = {"received_at": before.isoformat()}
    then = COMPLAINT | received | {"happened_at": before.isoformat()}
    made = await bureau.ask("clerk", "POST", "complaints", then, 201)
    assert (made["vehicle"], made["organisation"], made["orders"]) == ("car-1", "jsj", ["P1"])
    await bureau.pool.execute(
        "UPDATE vehicle_plates SET valid_from = valid_from - interval '30 days', valid_to = valid_to - interval '2 days'"
        " WHERE valid_to IS NOT NULL"
    )
    now = then | {
        "ticket": "12345-2",
        "happened_at": (datetime.now(CHINA) - timedelta(minutes=1)).isoformat(),
    }
    made = await bureau.ask("clerk", "POST", "complaints", now, 201)
    assert (made["vehicle"], made["organisation"]) == ("car-3", "wsj")
    # A ticket that is taken where the clerk does not see it keeps no other row of his file out.
    rows = "工单号,受理时间,诉求内容,单位\n12345-2,2026-03-03 10:00,乱停车,jsj\n12345-3,2026-03-03 10:00,乱停车,jsj\n"
    report = await bureau.ask(
        "local", "POST", "complaints:import", content=rows.encode(), headers={"Content-Type": "text/csv"}
    )
    assert (report["created"], report["refused"]) == (1, 1)
    assert [(e["row"], e["field"]) for e in report["errors"]] == [(2, "ticket")]
    assert "其他单位" in report["errors"][0]["message"]


async def test_the_hotline_s_program_hands_in_and_sees_nothing_else(bureau: Site) -> None:
    secret = (await create_token(bureau.pool, "12345", ["complaints:write"])).secret
    await suspect(bureau.pool, "night-1")
    made = await bureau.ask(secret, "POST", "complaints", COMPLAINT, 201)
    assert (made["channel"], made["alerts"], made["track"]) == ("webhook", [], None)
    for path in ("complaints", f"complaints/{made['id']}", "cases", "messages"):
        await bureau.ask(secret, "GET", path, status=403)


async def test_data_that_were_wrong_become_a_task(bureau: Site) -> None:
    alert = await suspect(bureau.pool, "night-1")
    id = await bureau.replied(source="alert", alerts=[alert])
    await bureau.step("clerk", id, "close", 422, finding="data", evidence="围栏偏移五百米")
    await bureau.step(
        "clerk", id, "close", finding="data", evidence="围栏偏移五百米", cause="fence", subject="jsj-yard"
    )
    (task,) = (await bureau.ask("unit", "GET", "tasks", params={"state": "open"}))["items"]
    assert (task["kind"], task["subject"], task["case"], task["organisation"]) == (
        "fence",
        "jsj-yard",
        id,
        "jsj",
    )
    assert (await bureau.ask("other", "GET", "tasks"))["items"] == []
    await bureau.ask("other", "POST", f"tasks/{task['id']}:done", {"note": "已改"}, 404)
    assert (await bureau.ask("unit", "POST", f"tasks/{task['id']}:done", {"note": "围栏已重画"}))[
        "state"
    ] == "done"
    await bureau.ask("unit", "POST", f"tasks/{task['id']}:done", {"note": "再次"}, 409)
    assert (await bureau.ask("unit", "GET", f"alerts/{alert}"))["labels"][0]["cause"] == "fence"
    listed = await bureau.ask("clerk", "GET", "cases", params={"alert": alert})
    assert [row["id"] for row in listed["items"]] == [id]
    for finding, ids in (("data", [id]), ("violation", [])):
        listed = await bureau.ask("clerk", "GET", "cases", params={"finding": finding})
        assert [row["id"] for row in listed["items"]] == ids


async def test_a_spot_check_can_be_drawn_again(bureau: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await suspect(bureau.pool, "night-1")  # of car-1
    asked = {"organisation": "city", "from": "2026-03-01", "to": "2026-03-31", "size": 1, "seed": "2026-Q1"}
    drawn = await bureau.ask("clerk", "POST", "cases:spot-check", asked, 201)
    assert (drawn["population"], len(drawn["cases"])) == (2, 1)
    assert drawn["drawn"] != ["car-1"]
    again = await bureau.ask("clerk", "POST", "cases:spot-check", asked, 201)
    assert (again["drawn"], again["frame_sha256"]) == (drawn["drawn"], drawn["frame_sha256"])
    shown = await bureau.case(drawn["cases"][0])
    assert (shown["state"], shown["contents"]["source"]) == ("draft", "spot_check")
    assert "2026-Q1（由经办人指定）" in shown["contents"]["facts"]
    await bureau.ask("unit", "POST", "cases:spot-check", asked, 403)
    await bureau.ask("clerk", "POST", "cases:spot-check", asked | {"to": "2026-02-01"}, 422)
    del asked["seed"]
    drawn = await bureau.ask("clerk", "POST", "cases:spot-check", asked, 201)
    assert "由系统随机产生" in (await bureau.case(drawn["cases"][0]))["contents"]["facts"]
    # A part of all, the first by their ids, would be no random sample.
    monkeypatch.setattr(sampling, "_MOST_LISTED", 1)
    refused = await bureau.ask("clerk", "POST", "cases:spot-check", asked, 422)
    assert "缩短期间" in str(refused)


async def test_what_is_odd_is_refused_and_leaves_nothing(bureau: Site) -> None:
    id = await bureau.issued()
    before = await bureau.pool.fetchval("SELECT count(*) FROM case_events")
    await bureau.step("unit", id, "sign", 409, version=1)
    await bureau.step("unit", id, "sign", 422, version=0)
    await bureau.step("unit", id, "sign", 422, version=True)
    await bureau.step("unit", id, "sign", 422, other="x")
    await bureau.step("unit", id, "refuse", 422, reason="a\0b 退件理由")
    await bureau.step("unit", id, "refuse", 422, reason="不")
    await bureau.step("unit", id, "refuse", 422, reason="字" * 340_000)
    await bureau.step("unit", id, "refuse", 413, reason="字" * 400_000)
    await bureau.step("unit", id, "close", 403, **CLOSE)
    await bureau.step("head", id, "sign", 403)
    for odd in ("x", "%00", "9" * 64, "%E8%8B%8F"):
        for path in (f"cases/{odd}", f"complaints/{odd}"):
            answer = await bureau.client.get(f"/v1/{path}", headers=bureau.headers("clerk"))
            assert answer.status_code in (404, 422), (path, answer.text)
    for wrong in (
        {"organisation": "none"}, {"vehicle": "none"}, {"alerts": ["0" * 32]}, {"due_on": "2020-01-02"}, {"helpers": ["none"]},
        {"source": "hotline"}, {"orders": ["none"]}, {"complaint": "none"}, {"title": ""}, {"alerts": ["0" * 32] * 2},
    ):  # fmt: skip
        answer = await bureau.client.post(
            "/v1/cases", headers=bureau.headers("clerk"),
            json={"title": "t", "source": "joint", "organisation": "jsj", "facts": "x"} | wrong,
        )  # fmt: skip
        assert answer.status_code in (404, 422), (wrong, answer.text)
    # A date on paper that nobody has published, or that is no working day, keeps the order from being issued.
    unknown = (await bureau.draft(due_on=days_ahead(360).isoformat()))["id"]
    await bureau.step("clerk", unknown, "submit")
    await bureau.step("head", unknown, "issue", 422)
    assert await bureau.pool.fetchval("SELECT count(*) FROM case_events") == before + 2
    assert await bureau.pool.fetchval("SELECT sum(last) FROM case_numbers") == 1


async def test_whoever_writes_without_end_keeps_no_case_from_its_end(bureau: Site) -> None:
    id = await bureau.issued()
    async with bureau.pool.acquire() as connection, connection.transaction():
        thread = await read_thread(connection, id)
        assert thread is not None
        await connection.execute(
            "INSERT INTO case_events (case_id, version, step, at, persons, actor, actor_name, body)"
            " SELECT $1, v, 'note', now(), '{user:unit}', 'user:unit', 'x', '{}' FROM generate_series(4, 1000) v",
            id,
        )
        await connection.execute("UPDATE cases SET version = 1000 WHERE id = $1", id)
    await bureau.step("unit", id, "note", 422, text="再写一条")
    await bureau.step("unit", id, "sign")


async def test_a_clerk_of_one_unit_drafts_for_no_other(bureau: Site) -> None:
    foreign = await suspect(bureau.pool, "far", unit="wsj", car="car-3")
    await bureau.draft("local", 422, organisation="wsj")  # for him there is no such unit
    await bureau.draft("local", 404, source="alert", alerts=[foreign])  # not even by another unit's name
    id = (await bureau.draft("local"))["id"]
    contents = {"title": "t", "source": "joint", "organisation": "wsj", "facts": "x"}
    await bureau.step("local", id, "edit", 422, contents=contents)
    # Of a car beyond his reach a complaint tells nothing: neither where it was nor whose it is.
    made = await bureau.ask("local", "POST", "complaints", COMPLAINT | {"plate": "苏F99999"}, 201)
    assert (made["vehicle"], made["alerts"], made["organisation"], made["near_plates"]) == (
        None,
        [],
        "jsj",
        [],
    )
    assert (
        await bureau.ask("clerk", "POST", "complaints", COMPLAINT | {"ticket": "2", "plate": "苏F99999"}, 201)
    )["vehicle"] == "car-3"
