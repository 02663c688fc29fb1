"""Assessment of units over HTTP, on a real PostgreSQL: tables by two people, sheets line by line, closed ones that never change,
objections; and findings that flow back, also when the office changes its mind."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from office.assessment.periods import Period
from office.assessment.table import DEFAULT
from office.identity import sessions
from office.identity.subject import Role
from office.identity.tokens import create_token
from office.supervision import clock, findings
from office.supervision.states import Event, Step
from runtime.settings import Settings
from runtime.units import CHINA, to_us
from tests.integration.test_supervision import (
    T0,
    Site,
    days_ahead,
    opened,
    suspect,
    work_every_day,
    written_case,
)
from tests.unit.test_documents import squeezed, text_of

TABLE = DEFAULT.model_dump(mode="json")
TODAY = datetime.now(CHINA).date()
NOW = Period(TODAY.year, (TODAY.month + 2) // 3)
#: The quarter before this one: it is over.
PAST = Period(NOW.year - 1, 4) if NOW.quarter == 1 else Period(NOW.year, NOW.quarter - 1)
#: One for the other side of a decision, and one who is on both.
OTHERS = {"head2": [(Role.OFFICE_HEAD, "city")], "twofold": [(Role.OFFICE_HEAD, "city"), (Role.UNIT_HEAD, "jsj")], "below": [(Role.OFFICE_HEAD, "jsj")]}  # fmt: skip


@pytest.fixture
async def bureau(pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[Site]:
    async with opened(pool, Settings(data_dir=tmp_path)) as made:
        for name, held in OTHERS.items():
            await pool.execute("INSERT INTO users (id, name, created_by) VALUES ($1, $1, 'test')", name)
            for role, unit in held:
                await pool.execute(
                    "INSERT INTO role_grants (user_id, role, organisation, valid_from, granted_by)"
                    " VALUES ($1, $2, $3, now() - interval '1 day', 'test')", name, role, unit,
                )  # fmt: skip
            async with pool.acquire() as connection:
                visit = sessions.Visit("10.1.2.3", "test")
                made._secrets[name] = (
                    await sessions.begin(connection, name, "password", visit, timedelta(hours=1))
                ).secret
        await work_every_day(pool, PAST.first - timedelta(days=30), 400)
        yield made


def at(day: date, hour: int = 10) -> datetime:
    return datetime.combine(day, time(hour), CHINA).astimezone(UTC)


async def closed(
    pool: asyncpg.Pool,
    day: date,
    *,
    unit: str = "jsj",
    rule: str = "off_hours",
    finding: str = "violation",
    wd: int = 2,
    vehicle: str | None = None,
) -> str:
    """A case that was closed on ``day``, ``wd`` days after its issue, with the measures due ten days later."""
    contents: dict[str, Any] = {
        "organisation": unit, "title": "夜间用车", "facts": "x", "source": "alert", "level": "general",
        "figures": [{"rule": rule, "severity": "medium"}],
    }  # fmt: skip
    contents |= {} if vehicle is None else {"vehicle": vehicle}
    issued = day - timedelta(days=wd)
    close = {"finding": finding, "evidence": "x"}
    if finding in ("violation", "irregular"):
        close |= {
            "responsibility": "x",
            "measures": "x",
            "measures_due": (day + timedelta(days=10)).isoformat(),
        }
    count = await pool.fetchval("SELECT count(*) FROM cases")
    number = f"督〔{day.year}〕{unit}-{count + 1:04d}号"
    steps: list[tuple[Step, str, datetime, dict[str, Any]]] = [
        (Step.DRAFT, "clerk", at(issued, 8), contents), (Step.SUBMIT, "clerk", at(issued, 8), {}),
        (Step.ISSUE, "head", at(issued, 9), {"number": number}), (Step.SIGN, "unit", at(issued, 11), {}),
        (Step.REPLY, "unit", at(day, 8), {"text": "x"}), (Step.SIGN_REPLY, "boss", at(day, 9), {}), (Step.CLOSE, "clerk", at(day), close),
    ]  # fmt: skip
    events = [
        Event(k, step, when, frozenset({f"user:{who}"}), body)
        for k, (step, who, when, body) in enumerate(steps, 1)
    ]
    return await written_case(pool, events)


async def number(site: Site, id: str) -> str:
    """The number of a case."""
    found: str = await site.pool.fetchval("SELECT number FROM cases WHERE id = $1", id)
    return found


async def publish_table(site: Site) -> None:
    """The shipped table, for the years of both quarters."""
    for year in {PAST.year, NOW.year}:
        path = f"assessment-tables/city/{year}"
        await site.ask("clerk", "PUT", path, {"revision": 0, "table": TABLE})
        await site.ask("head", "POST", f"{path}:publish", {"revision": 1, "valid_from": f"{year}-01-01"})


async def paper(site: Site, who: str, period: Period) -> bytes:
    """The sheet of jsj as PDF."""
    answer = await site.client.get(f"/v1/assessments/{period}/jsj/document", headers=site.headers(who))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/pdf"
    return answer.content


async def sheet(site: Site, who: str, period: Period, unit: str = "jsj") -> Any:
    return await site.ask(who, "GET", f"assessments/{period}/{unit}")


async def close(site: Site, period: Period, unit: str = "jsj", who: str = "head") -> Any:
    seen = await sheet(site, who, period, unit)
    return await site.ask(who, "POST", f"assessments/{period}/{unit}:close", {"digest": seen["digest"]})


async def test_a_table_is_made_by_two_and_never_changed(bureau: Site) -> None:
    path = f"assessment-tables/city/{PAST.year}"
    empty = await bureau.ask("unit", "GET", path)
    assert (empty["items"], empty["shipped"]) == ([], TABLE)
    for who, status in (("unit", 403), ("inspector", 403), ("local", 404)):
        await bureau.ask(who, "PUT", path, {"revision": 0, "table": TABLE}, status)
    first = await bureau.ask("clerk", "PUT", path, {"revision": 0, "table": TABLE})
    assert (first["version"], first["revision"], first["state"]) == (1, 1, "draft")
    # Of two who write at once the second is told.
    stale = await bureau.ask("head", "PUT", path, {"revision": 0, "table": TABLE}, 409)
    assert stale["revision"] == 1
    await bureau.ask("head", "PUT", path, {"revision": 1, "table": TABLE})
    assert (await bureau.ask("unit", "GET", path))["items"] == []  # a draft is of those who write it
    begin = {"revision": 2, "valid_from": f"{PAST.year}-01-01"}
    own = await bureau.ask("head", "POST", f"{path}:publish", begin, 403)
    assert "另一人" in own["detail"]
    await bureau.ask("head2", "POST", f"{path}:publish", begin | {"revision": 1}, 409)
    await bureau.ask("head2", "POST", f"{path}:publish", begin | {"valid_from": f"{PAST.year}-02-01"}, 422)
    published = await bureau.ask("head2", "POST", f"{path}:publish", begin)
    assert (published["state"], published["valid_from"]) == ("published", f"{PAST.year}-01-01")
    await bureau.ask("head2", "POST", f"{path}:publish", begin, 404)
    assert [v["version"] for v in (await bureau.ask("unit", "GET", path))["items"]] == [1]
    assert len((await bureau.ask("unit", "GET", "assessment-tables"))["items"]) == 1
    for sql in ("UPDATE assessment_tables SET body = '{}'", "DELETE FROM assessment_tables"):
        with pytest.raises(asyncpg.RestrictViolationError):
            await bureau.pool.execute(sql)
    wrong = TABLE | {"items": TABLE["items"][1:]}
    refused = await bureau.ask("clerk", "PUT", path, {"revision": 0, "table": wrong}, 422)
    assert "须为 100" in refused["detail"] or "100" in refused["errors"][0]["message"]


async def test_a_closed_sheet_stays_and_what_changes_later_is_corrected_in_the_next(bureau: Site) -> None:
    first = await closed(bureau.pool, PAST.last - timedelta(days=20))
    late = await closed(bureau.pool, PAST.last - timedelta(days=10), rule="location", wd=9)
    foreign = await closed(bureau.pool, PAST.last - timedelta(days=10), unit="wsj")
    seen = await sheet(bureau, "unit", PAST)
    assert [(line["case"], line["item"], line["fact"], line["net"]) for line in seen["lines"]] == [
        (first, "purpose", "finding", "2.00"), (late, "dispatch", "finding", "2.00"), (late, "supervision", "late_reply", "1.00"),
    ]  # fmt: skip
    assert (seen["score"], seen["tables"][0]["version"], seen["closed_at"]) == ("95.00", 0, None)
    assert {i["code"]: i["state"] for i in seen["items"]}["gifts"] == "not judged: no data"
    told = {i["code"]: (i["count"], i["of"]) for i in seen["indicators"]}
    assert (told["replies_in_time"], told["signed_in_time"], told["backfilled"]) == (
        (1, 2),
        (2, 2),
        (None, None),
    )
    # Nobody sees the sheet of another unit, whatever he asks for.
    await bureau.ask("other", "GET", f"assessments/{PAST}/jsj", status=404)
    await bureau.ask("unit", "GET", f"assessments/{PAST}/city", status=404)
    digest = {"digest": seen["digest"]}
    address = f"assessments/{PAST}/jsj:close"
    for who, status in (("unit", 403), ("clerk", 403), ("below", 403), ("twofold", 403), ("inspector", 403)):
        await bureau.ask(who, "POST", address, digest, status)
    assert "尚未发布" in (await bureau.ask("head", "POST", address, digest, 409))["detail"]
    await publish_table(bureau)
    stale = await bureau.ask("head", "POST", address, digest, 409)
    assert stale["digest"] == (await sheet(bureau, "unit", PAST))["digest"] != seen["digest"]
    await bureau.ask("head", "POST", f"assessments/{NOW}/jsj:close", digest, 409)  # not over yet
    # Two clerks close it at once: one does.
    pair = await asyncio.gather(
        *(bureau.client.post(f"/v1/{address}", json={"digest": stale["digest"]}, headers=bureau.headers(who)) for who in ("head", "head2"))
    )  # fmt: skip
    assert sorted(answer.status_code for answer in pair) == [200, 409]
    kept = await sheet(bureau, "unit", PAST)
    assert (kept["closed_by"] in ("head", "head2"), kept["lines"]) == (
        True,
        (await sheet(bureau, "head", PAST))["lines"],
    )
    assert kept["objections_until"] == days_ahead(5).isoformat()
    with pytest.raises(asyncpg.RestrictViolationError):
        await bureau.pool.execute("UPDATE assessment_sheets SET score = 0")
    # A new version of the table does not reach back over it.
    path = f"assessment-tables/city/{PAST.year}"
    await bureau.ask("clerk", "PUT", path, {"revision": 0, "table": TABLE})
    over = {"revision": 1, "valid_from": PAST.last.isoformat()}
    assert "已关闭" in (await bureau.ask("head", "POST", f"{path}:publish", over, 409))["detail"]

    # The unit objects to one line, the office upholds; another case is reopened; a third one's measures are done.
    objection = {
        "number": await number(bureau, late),
        "version": 7,
        "item": "supervision",
        "fact": "late_reply",
        "reason": "系统停机当日无法签批",
    }
    raised_at = f"assessments/{PAST}/jsj/disputes"
    await bureau.ask("other", "POST", raised_at, objection, 404)
    await bureau.ask("head", "POST", raised_at, objection, 403)
    await bureau.ask("unit", "POST", raised_at, objection | {"number": await number(bureau, foreign)}, 404)
    raised = await bureau.ask("unit", "POST", raised_at, objection, 201)
    await bureau.ask("boss", "POST", raised_at, objection, 409)
    verdict = {"upheld": True, "reason": "停机属实，予以采纳"}
    decide = f"assessment-disputes/{raised['id']}:decide"
    for who in ("unit", "clerk", "below", "twofold"):
        await bureau.ask(who, "POST", decide, verdict, 403)
    assert (await bureau.ask("head", "POST", decide, verdict))["state"] == "upheld"
    await bureau.ask("head2", "POST", decide, verdict | {"upheld": False}, 409)
    assert [
        d["id"]
        for d in (await bureau.ask("unit", "GET", "assessment-disputes", params={"state": "decided"}))[
            "items"
        ]
    ] == [raised["id"]]
    assert (await bureau.ask("other", "GET", "assessment-disputes"))["items"] == []
    await bureau.step("head", first, "reopen", reason="发现新的情况")
    await bureau.step("unit", late, "rectified", text="已完成整改")
    await bureau.step("clerk", late, "accept-rectification")
    assert await sheet(bureau, "unit", PAST) == kept
    following = await sheet(bureau, "unit", NOW)
    # On paper: the same numbers; of a closed sheet the same bytes, whatever came later.
    for shown, at in ((kept, PAST), (following, NOW)):
        first_try, again = [await paper(bureau, "unit", at) for _ in range(2)]
        assert first_try == again
        text = squeezed(text_of(first_try))
        assert f"＝{Decimal(shown['score']).normalize():f}分" in text
        assert shown["digest"] in text
        assert ("未关闭" in text) == (shown["closed_at"] is None)
        for row in (*shown["lines"], *shown["corrections"]):
            assert row["number"] in text, row
    await bureau.ask("other", "GET", f"assessments/{PAST}/jsj/document", None, 404)
    changes = {
        (c["case"], c["item"]): (c["of"], c["booked"], c["now"], c["amount"])
        for c in following["corrections"]
    }
    assert changes.pop((first, "purpose")) == (str(PAST), "2.00", "0.00", "2.00")
    assert changes.pop((late, "supervision")) == (str(PAST), "1.00", "0.00", "1.00")
    # Ten days to put it right; how late that is depends on the day on which the test runs.
    overdue = (TODAY - (PAST.last - timedelta(days=10) + timedelta(days=10))).days
    back = "2.00" if overdue <= 0 else "1.00" if overdue <= 10 else None
    assert [amount for *_, amount in changes.values()] == ([] if back is None else [back])
    total = sum(round(100 * float(c["amount"])) for c in following["corrections"])
    assert round(100 * float(following["score"])) == 10_000 + total
    # The case that was reopened is closed anew: its points are in the quarter of that day.
    await bureau.step("unit", first, "reply", text="再查属实", checked=["track"])
    await bureau.step("boss", first, "sign-reply")
    await bureau.step("clerk", first, "close", finding="irregular", evidence="补充轨迹", responsibility="驾驶员", measures="重新培训",
                      measures_due=days_ahead(10).isoformat())  # fmt: skip
    (line,) = (await sheet(bureau, "unit", NOW))["lines"]
    assert (line["case"], line["finding"], line["net"]) == (first, "irregular", "1.00")
    await bureau.ask("head", "POST", f"assessments/{PAST.following.following}/jsj:close", digest, 409)


async def test_a_sheet_is_not_closed_over_a_case_whose_alert_has_fallen(bureau: Site) -> None:
    """Closing confirms points; those of a withdrawn alert wait for the head's word, and come off when the case is opened again."""
    id = await closed(bureau.pool, PAST.last - timedelta(days=20))
    clean = await closed(bureau.pool, PAST.last - timedelta(days=20), finding="justified")
    for case, subject in ((id, "night-1"), (clean, "night-2")):
        alert = await suspect(bureau.pool, subject)
        await bureau.pool.execute(
            "INSERT INTO case_links (case_id, kind, ref, open) VALUES ($1, 'alert', $2, false)", case, alert
        )
        await suspect(bureau.pool, subject, outcome="normal")
    await publish_table(bureau)
    async with bureau.pool.acquire() as connection:
        await clock.turn(connection)
    seen = await sheet(bureau, "head", PAST)
    assert [line["case"] for line in seen["lines"]] == [id]  # nothing goes by itself
    address, digest = f"assessments/{PAST}/jsj:close", {"digest": seen["digest"]}
    refused = await bureau.ask("head", "POST", address, digest, 409)
    assert refused["type"].endswith("undecided-cases")
    # It names the case that costs points, and not the one that costs none.
    assert await number(bureau, id) in refused["detail"]
    assert await number(bureau, clean) not in refused["detail"]
    await bureau.step("head", id, "stands", reason="事后补办，违规属实")
    await bureau.ask("head", "POST", address, digest)
    # A later decision gives the points back as a correction, as for each case that is opened again.
    await bureau.step("head", id, "reopen", reason="复核后认定有误")
    changes = (await sheet(bureau, "head", NOW))["corrections"]
    assert [(c["case"], c["amount"]) for c in changes] == [(id, "2.00")]


async def test_measures_in_time_give_the_points_back_and_a_cancelled_case_costs_nothing(bureau: Site) -> None:
    id, gone = await bureau.replied(), await bureau.replied()
    found: dict[str, Any] = {
        "finding": "violation", "evidence": "轨迹与台账不符", "responsibility": "驾驶员", "measures": "批评教育",
        "measures_due": days_ahead(7).isoformat(),
    }  # fmt: skip
    for case in (id, gone):
        await bureau.step("clerk", case, "close", **found)
    quarter = await sheet(bureau, "unit", NOW)
    assert quarter["score"] == "96.00"
    # The unit reports, another side looks at it, and what is not enough goes back.
    await bureau.step("clerk", id, "accept-rectification", 409)
    await bureau.step("clerk", id, "rectified", 403, text="代报")
    await bureau.step("unit", id, "rectified", text="已批评教育，见会议记录")
    await bureau.step("unit", id, "rectified", 409, text="再报")
    await bureau.step("unit", id, "accept-rectification", 403)
    await bureau.step("both", id, "accept-rectification")
    # The reply was not by "both": he may; but accepted once is accepted.
    await bureau.step("clerk", id, "return-rectification", 409, reason="已经验收过了")
    shown = await sheet(bureau, "unit", NOW)
    line = next(line for line in shown["lines"] if line["case"] == id)
    assert (line["given_back"], line["given_back_percent"], line["net"]) == ("2.00", 100, "0.00")
    assert "按期" in line["given_back_why"]
    assert shown["score"] == "98.00"
    await bureau.step("unit", gone, "rectified", text="已整改")
    await bureau.step("clerk", gone, "return-rectification", reason="材料不全请补充")
    assert (await sheet(bureau, "unit", NOW))["score"] == "98.00"
    await bureau.step("head", gone, "reopen", reason="预警复核有误")
    assert (await sheet(bureau, "unit", NOW))["score"] == "100.00"
    await bureau.step("head", gone, "cancel", reason="预警已撤销，撤销督办")
    assert (await sheet(bureau, "unit", NOW))["score"] == "100.00"
    assert (await sheet(bureau, "unit", Period(NOW.year)))["lines"] == [
        line
    ]  # the same in the sheet of the year


async def test_units_are_ranked_and_roll_up(bureau: Site) -> None:
    await bureau.pool.execute(
        "INSERT INTO organisations (id, name, parent) VALUES ('team', 'team', 'jsj'), ('idle', 'idle', 'city')"
    )
    await bureau.pool.execute(
        "INSERT INTO vehicles (id, plate, organisation) VALUES ('car-9', '苏F00009', 'team')"
    )
    for unit, count in (("jsj", 1), ("team", 3)):
        for k in range(count):
            await closed(bureau.pool, PAST.first + timedelta(days=20 + k), unit=unit)
    ranking = await bureau.ask("head", "GET", f"assessments/{PAST}", params={"organisation": "city"})
    assert [(r["rank"], r["organisation"], r["score"]) for r in ranking["items"]] == [
        (1, "wsj", "100.00"),
        (2, "jsj", "98.00"),
        (3, "team", "94.00"),
    ]
    counties = await bureau.ask(
        "head", "GET", f"assessments/{PAST}", params={"organisation": "city", "of": "children"}
    )
    assert [(r["organisation"], r["score"], r["units"]) for r in counties["items"]] == [
        ("wsj", "100.00", 1),
        ("jsj", "96.00", 2),
    ]
    above = await sheet(bureau, "head", PAST, "city")
    assert (above["score"], above["below"]["units"], above["below"]["mean"]) == ("100.00", 3, "97.33")
    # Who reaches everywhere sees the same, also where nothing is secret and his transactions work as another role.
    made = await create_token(bureau.pool, "all", ["alerts:read"])
    await bureau.pool.execute("UPDATE api_tokens SET scopes = '{assessments:read}' WHERE id = $1", made.id)
    assert (
        await bureau.ask(made.secret, "GET", f"assessments/{PAST}", params={"organisation": "city"})
        == ranking
    )
    assert (await sheet(bureau, made.secret, PAST))["digest"] == (await sheet(bureau, "head", PAST))["digest"]
    # A unit ranks what is below it, and sees no other.
    own = await bureau.ask("unit", "GET", f"assessments/{PAST}", params={"organisation": "jsj"})
    assert [r["organisation"] for r in own["items"]] == ["team"]
    await bureau.ask("unit", "GET", f"assessments/{PAST}", params={"organisation": "city"}, status=404)
    # The unit's own head decides neither on it nor, for the city, the city's head on the city.
    await publish_table(bureau)
    await bureau.ask("head", "POST", f"assessments/{PAST}/city:close", {"digest": above["digest"]}, 403)
    frozen = await close(bureau, PAST, "jsj")
    assert [row["organisation"] for row in frozen["below"]["scores"]] == ["team"]


async def backtested(db_url: str) -> str:
    """What ``gongche backtest`` says of the month."""
    words = ["--rule", "off_hours", "--from", "2026-03-01", "--to", "2026-03-31"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gongche", "backtest", *words, stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"GONGCHE_DATABASE_URL": db_url},
    )  # fmt: skip
    told, _ = await process.communicate()
    assert process.returncode == 0
    return told.decode()


async def test_a_label_stands_as_long_as_its_finding(bureau: Site, db_url: str) -> None:
    alert = await suspect(bureau.pool, "night-1")
    id = await bureau.replied(source="alert", alerts=[alert])
    span = {"from": "2026-03-01", "to": "2026-03-31", "organisation": "jsj"}

    async def judged() -> list[str]:
        async with bureau.pool.acquire() as connection:
            found = await findings.labels_between(connection, "off_hours", to_us(T0) - 1, to_us(T0) + 10**9)
        return [label.finding for label in found]

    async def labels() -> list[tuple[str, bool]]:
        seen = await bureau.ask("unit", "GET", f"alerts/{alert}")
        return [(label["finding"], label["stands"]) for label in seen["labels"]]

    await bureau.step(
        "clerk", id, "close", finding="data", evidence="围栏偏移五百米", cause="fence", subject="jsj-yard"
    )
    assert (await judged(), await labels()) == (["data"], [("data", True)])
    # Open again, nothing is said of the alert, and what the finding had put right is nobody's task.
    await bureau.step("head", id, "reopen", reason="发现新的情况")
    assert (await judged(), await labels()) == ([], [("data", False)])
    (task,) = (await bureau.ask("unit", "GET", "tasks"))["items"]
    assert (task["state"], "原结论作废" in task["note"]) == ("done", True)
    await bureau.step("unit", id, "reply", text="再查", checked=["track"])
    await bureau.step("boss", id, "sign-reply")
    found: dict[str, Any] = {
        "finding": "violation",
        "evidence": "x",
        "responsibility": "x",
        "measures": "x",
        "measures_due": days_ahead(7).isoformat(),
    }
    await bureau.step("clerk", id, "close", **found)
    assert (await judged(), await labels()) == (["violation"], [("violation", True), ("data", False)])
    assert "2026-03  jsj: 属实违规 violation 1；准确率 / precision 1/1 = 100%" in await backtested(db_url)
    # Cancelled after it was reopened: no finding, and the alert is proposed anew.
    await bureau.step("head", id, "reopen", reason="再次发现新情况")
    await bureau.step("head", id, "cancel", reason="与另一单重复立案")
    assert (await judged(), [stands for _, stands in await labels()]) == ([], [False, False])
    assert "管理处的结论" not in await backtested(db_url)
    (bundle,) = (await bureau.ask("clerk", "GET", "cases/proposals", params=span))["items"]
    assert bundle["alerts"] == [alert]


async def test_a_sheet_is_the_same_for_whoever_may_not_know_of_a_secret_vehicle(bureau: Site) -> None:
    """The office head may not see the case; its points are there all the same, with nothing that names the vehicle."""
    await publish_table(bureau)
    id = await closed(bureau.pool, PAST.first + timedelta(days=30), vehicle="car-1")
    open_seen = await sheet(bureau, "head", PAST)
    await bureau.pool.execute("UPDATE vehicles SET secret = true WHERE id = 'car-1'")
    await bureau.ask("head", "GET", f"cases/{id}", status=404)
    of_unit, of_head = await sheet(bureau, "unit", PAST), await sheet(bureau, "head", PAST)
    assert of_head["digest"] == of_unit["digest"] == open_seen["digest"]
    assert (of_unit["lines"][0]["case"], of_head["lines"][0]["case"]) == (id, None)
    assert of_head["indicators"] == of_unit["indicators"]
    frozen = await bureau.ask("head", "POST", f"assessments/{PAST}/jsj:close", {"digest": of_head["digest"]})
    assert (frozen["score"], id in str(frozen), "car-1" in str(frozen)) == ("98.00", False, False)
    # Who closed the case is known to the database, also to whom the case is not shown: he does not decide on the objection.
    raised = await bureau.ask(
        "unit", "POST", f"assessments/{PAST}/jsj/disputes",
        {"number": await number(bureau, id), "version": 7, "item": "purpose", "fact": "finding", "reason": "公务紧急，已补办手续"}, 201,
    )  # fmt: skip
    await bureau.pool.execute(
        "INSERT INTO role_grants (user_id, role, organisation, valid_from, granted_by)"
        " VALUES ('clerk', 'office_head', 'city', now() - interval '1 day', 'test')"
    )
    verdict = {"upheld": False, "reason": "手续不全，不予采纳"}
    await bureau.ask("clerk", "POST", f"assessment-disputes/{raised['id']}:decide", verdict, 403)
    assert (await bureau.ask("head", "POST", f"assessment-disputes/{raised['id']}:decide", verdict))[
        "state"
    ] == "rejected"
    # No unit reads another's by the functions behind it.
    async with bureau.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL ROLE gongche_app; SET LOCAL gongche.reach = '{wsj}'")
        assert (
            await connection.fetch("SELECT * FROM assessed_threads('{jsj,city}', '-infinity', 'infinity')")
            == []
        )
        assert await connection.fetchval("SELECT assessed_with_vehicles('{jsj,city,wsj}')") == ["wsj"]
