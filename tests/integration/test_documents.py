"""Documents over HTTP: a case through its life with the paper of each step, who may have it, what is noted."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import httpx
import openpyxl

from api.documents.papers import PAPER_NAMES, PaperKind
from office.documents.typesetting import chinese_day
from rules.alerts.feed import publish_feed
from rules.alerts.model import AlertFacts, Judgement, Measure
from rules.alerts.publish import publish
from rules.checks import location
from rules.evidence import canonical
from runtime.units import CHINA, to_us
from tests.integration.test_supervision import CLOSE, T0, Site, bureau, days_ahead, suspect, work_every_day
from tests.unit.test_check_location import drive, make
from tests.unit.test_documents import squeezed, text_of

__all__ = ["bureau"]
KINDS = ("order", "reply", "reminder", "extension", "closing")


async def left_the_fence(
    pool: asyncpg.Pool, subject: str, car: str = "car-1", plate: str = "苏F12345"
) -> str:
    """An alert ``location`` with its track; its id."""
    no = await pool.fetchval("SELECT no FROM vehicles WHERE id = $1", car)
    evidence = make(drive(-50, 3000, -50))
    evidence["vehicle"]["plate"] = plate
    found = location.evaluate(evidence)
    judgement = Judgement(
        rule="location", rule_version=2, subject=subject, vehicle_no=no, outcome="suspected", reason=found.reason,
        evaluated_at_us=to_us(T0) + 10**9, measures={k: Measure(m["value"], m["unit"]) for k, m in found.measures.items()},
        parameters=found.parameters, evidence=canonical(evidence), told=found.told,
        alert=AlertFacts("high", "jsj", car, plate, to_us(T0), to_us(T0) + 60_000_000),
    )  # fmt: skip
    async with pool.acquire() as connection, connection.transaction():
        written = await publish(connection, [judgement])
        await publish_feed(connection, written)
    return written[0].id


async def get(site: Site, who: str, path: str, status: int = 200, **more: Any) -> httpx.Response:
    response = await site.client.get(
        f"/v1/{path}", headers=site.headers(who) | more.pop("headers", {}), **more
    )
    assert response.status_code == status, (who, path, response.status_code, response.text[:500])
    return response


async def paper(site: Site, who: str, id: str, kind: str) -> str:
    """The text of a paper without white space; whoever reads it gets the same bytes again."""
    response = await get(site, who, f"cases/{id}/documents/{kind}")
    again = await get(site, "clerk", f"cases/{id}/documents/{kind}")
    assert response.content == again.content
    assert response.headers["etag"] == again.headers["etag"]
    assert response.headers["content-type"] == "application/pdf"
    assert response.headers["x-content-type-options"] == "nosniff"
    return squeezed(text_of(response.content))


def in_place(answer: httpx.Response, saved: httpx.Response) -> None:
    """The same bytes, to be shown in a frame of our own pages and of nobody else's; saved where nobody asked for that."""
    assert answer.content == saved.content
    assert answer.headers["content-disposition"] == saved.headers["content-disposition"].replace(
        "attachment", "inline", 1
    )
    assert (answer.headers["content-type"], answer.headers["x-content-type-options"]) == (
        "application/pdf",
        "nosniff",
    )
    assert answer.headers["content-security-policy"] == "frame-ancestors 'self'"
    assert saved.headers["content-security-policy"] == "default-src 'none'; sandbox"


async def refused(site: Site, who: str, id: str, kind: str, status: int) -> str:
    detail: str = (await get(site, who, f"cases/{id}/documents/{kind}", status)).json()["detail"]
    assert " · " in detail
    return detail


async def test_a_case_has_the_paper_of_each_step(bureau: Site) -> None:
    await work_every_day(bureau.pool, days_ahead(0), 60)
    alerts = [await left_the_fence(bureau.pool, "episode:car-1:1"), await suspect(bureau.pool, "night")]
    made = await bureau.draft(
        title="夜间用车", source="alert", alerts=alerts, organisation=None, facts=None, level="urgent", helpers=["wsj"],
        requirements="请核实 #set page(width:1pt) $x$ 并回复😀", basis=["《办法》第十七条"], person="张三",
    )  # fmt: skip
    id = made["id"]
    for kind in KINDS:
        assert "尚未签发" in await refused(bureau, "clerk", id, kind, 409)
        await refused(bureau, "unit", id, kind, 404)
    await bureau.step("clerk", id, "submit")
    number = (await bureau.step("head", id, "issue"))["number"]
    order = await get(bureau, "unit", f"cases/{id}/documents/order")
    in_place(await get(bureau, "unit", f"cases/{id}/documents/order?inline=true"), order)
    text = await paper(bureau, "unit", id, "order")
    for said in (number, "紧急", "jsj：", "关于夜间用车的督办单", "苏F12345", "最远离开围栏", "18,400米", "张三", "第十七条", "head",
                 "请核实#setpage(width:1pt)$x$并回复[U+1F600]", "自下达次日起第2个工作日", chinese_day(days_ahead(2)),
                 "围栏", "5–60", "抄送：wsj"):  # fmt: skip
        assert said in text, said
    assert (
        number[:3] in order.headers["content-disposition"]
        or "%E7%9D%A3" in order.headers["content-disposition"]
    )
    for kind in KINDS[1:]:
        await refused(bureau, "unit", id, kind, 409)
    # The unit that helps gets the copy that the paper names (抄送); nobody does of a case in which he does not help.
    await get(bureau, "other", f"cases/{id}/documents/order")
    await refused(bureau, "other", await bureau.issued(), "order", 404)

    await bureau.step("unit", id, "sign")
    await bureau.step("head", id, "remind", note="请尽快")
    text = await paper(bureau, "unit", id, "reminder")
    assert "第1次催办通知书" in text
    assert f"办理时限为{chinese_day(days_ahead(2))}，距到期还有2天" in text
    assert "请尽快" in text
    asked = days_ahead(10)
    await bureau.step("unit", id, "ask-extension", reason="司机出差，需要时间", due_on=asked.isoformat())
    text = await paper(bureau, "unit", id, "extension")
    assert "待审批" in text
    assert f"申请延至{chinese_day(asked)}" in text.replace("二、", "")
    await bureau.step("head", id, "grant", reason="情况属实")
    text = await paper(bureau, "unit", id, "extension")
    assert f"同意延期至{chinese_day(asked)}。情况属实" in text
    await bureau.step("unit", id, "note", text="单位内部备注甲", internal=True)
    await bureau.step(
        "unit",
        id,
        "reply",
        text="经查为洗车",
        checked=["ledger", "track"],
        explanations=["wash"],
        measures="教育",
    )
    for who, name in (("unit", "票据.txt"), ("clerk", "来函.txt")):
        path = f"/v1/cases/{id}/attachments"
        sent = await bureau.client.post(
            path, params={"name": name}, content=b"x", headers=bureau.headers(who)
        )
        assert sent.status_code == 201, sent.text
    await refused(bureau, "unit", id, "reply", 409)
    await bureau.step("boss", id, "sign-reply")
    text = await paper(bureau, "unit", id, "reply")
    for said in (
        f"关于{number}的回复",
        "公务用车管理处：",
        "台账、轨迹。",
        "经查为洗车",
        "洗车。",
        "教育",
        "unit",
        "boss",
    ):
        assert said in text, said
    assert "1.票据.txt" in text
    assert "来函" not in text
    assert "备注甲" not in text
    await bureau.step("clerk", id, "close", finding="violation", evidence="票据与轨迹不符", responsibility="车管员",
                      measures="通报批评", measures_due=days_ahead(30).isoformat())  # fmt: skip
    text = await paper(bureau, "unit", id, "closing")
    for said in (
        "属实违规。",
        "票据与轨迹不符",
        "车管员",
        f"整改期限：{chinese_day(days_ahead(30))}",
        "clerk",
        "boss",
    ):
        assert said in text, said
    # What came later has not changed the order, nor what its unit is called now.
    await bureau.pool.execute("UPDATE organisations SET name = '机关事务中心' WHERE id = 'jsj'")
    assert (await get(bureau, "clerk", f"cases/{id}/documents/order")).content == order.content
    # The bundle has all of them, the same bytes.
    whole = await get(bureau, "clerk", f"cases/{id}/bundle?purpose=%E5%A4%8D%E6%A0%B8")
    with zipfile.ZipFile(io.BytesIO(whole.content)) as archive:
        papers = {n for n in archive.namelist() if n.startswith("documents/")}
        assert papers == {f"documents/{PAPER_NAMES[PaperKind(kind)]}.pdf" for kind in KINDS}
        assert archive.read("documents/督办单.pdf") == order.content
    await bureau.step("head", id, "reopen", reason="发现新的情况")
    await refused(bureau, "unit", id, "closing", 409)
    await bureau.step("head", id, "cancel", reason="重复立单，撤销")
    today = chinese_day(datetime.now(CHINA).date())
    assert f"本督办单已于{today}撤销" in await paper(bureau, "unit", id, "order")
    await get(bureau, "clerk", f"cases/{id}/documents/none", 422)

    noted = await bureau.pool.fetch(
        "SELECT who_id, subject_id, organisation, vehicle, detail FROM audit WHERE subject_kind = 'document' AND who_id = 'unit'"
    )
    assert {(row["subject_id"], row["organisation"], row["vehicle"]) for row in noted} == {
        (id, "jsj", "car-1")
    }
    assert {row["detail"]["kind"] for row in noted} == set(KINDS)


async def test_what_was_said_of_a_finding_is_not_on_the_paper_of_the_next_one(bureau: Site) -> None:
    id = await bureau.replied()
    await bureau.step("clerk", id, "recheck", reason="请向来电人核实")
    await bureau.step("clerk", id, "called-back", result="dissatisfied")
    await bureau.step("clerk", id, "close", **CLOSE)
    assert "回访" in await paper(bureau, "unit", id, "closing")
    await bureau.step("head", id, "reopen", reason="发现新的情况")
    await bureau.step("unit", id, "reply", text="经再查为洗车", checked=["ledger"])
    await bureau.step("boss", id, "sign-reply")
    await bureau.step("clerk", id, "close", **CLOSE)
    assert "回访" not in await paper(bureau, "unit", id, "closing")


async def test_the_caller_of_a_complaint_is_on_no_paper(bureau: Site) -> None:
    await work_every_day(bureau.pool, days_ahead(-1), 60)
    body = {"ticket": "GD-7788", "category": "report", "received_at": (datetime.now(CHINA) - timedelta(hours=1)).isoformat(),
            "claim": "公车停在饭店门口", "plate": "苏F12345"}  # fmt: skip
    complaint = await bureau.ask("clerk", "POST", "complaints", body, 201)
    made = await bureau.draft(source="hotline", complaint=complaint["id"], external_no="外部一号")
    await bureau.step("clerk", made["id"], "submit")
    await bureau.step("head", made["id"], "issue")
    text = await paper(bureau, "unit", made["id"], "order")
    assert "12345诉求" in text
    for secret in ("GD-7788", complaint["id"], "饭店"):
        assert secret not in text


async def test_the_picture_is_drawn_from_frozen_evidence(bureau: Site) -> None:
    alert, other = await left_the_fence(bureau.pool, "episode:car-1:1"), await suspect(bureau.pool, "night")
    response = await get(bureau, "unit", f"alerts/{alert}/picture")
    assert response.headers["content-type"] == "image/svg+xml"
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert response.text.startswith("<svg ")
    assert "围栏" in response.text
    assert "script" not in response.text
    assert (
        await get(bureau, "clerk", f"alerts/{alert}/picture", params={"version": 1})
    ).content == response.content
    await get(bureau, "unit", f"alerts/{other}/picture", 404)
    await get(bureau, "unit", f"alerts/{alert}/picture", 404, params={"version": 9})
    await get(bureau, "other", f"alerts/{alert}/picture", 404)
    noted = await bureau.pool.fetch(
        "SELECT who_id, vehicle FROM audit WHERE subject_kind = 'evidence' AND subject_id = $1", alert
    )
    assert {(row["who_id"], row["vehicle"]) for row in noted} == {("unit", "car-1"), ("clerk", "car-1")}


async def test_a_month_is_counted_within_the_units_of_the_reader(bureau: Site) -> None:
    await bureau.pool.execute("UPDATE organisations SET name = '=1+1' WHERE id = 'jsj'")
    await work_every_day(bureau.pool, days_ahead(0), 60)
    alerts = [await suspect(bureau.pool, f"night-{k}") for k in range(3)]
    await suspect(bureau.pool, "far", unit="wsj", car="car-3")
    await suspect(bureau.pool, "before", at=T0 - timedelta(days=31))
    await suspect(bureau.pool, "next", at=T0 + timedelta(days=31))
    await bureau.issued(source="alert", alerts=alerts[:1], organisation=None, facts=None)
    march = {"month": "2026-03", "format": "xlsx"}

    async def sheets(who: str, **asked: str) -> dict[str, list[tuple[Any, ...]]]:
        response = await get(bureau, who, "reports/monthly", params=march | asked)
        again = await get(bureau, who, "reports/monthly", params=march | asked)
        assert response.content == again.content
        book = openpyxl.load_workbook(io.BytesIO(response.content))
        return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book}

    whole = await sheets("head")
    assert [(row[1], row[2]) for row in whole["单位"][1:]] == [("=1+1", 3), ("wsj", 1)]
    assert [(row[2], row[4]) for row in whole["车辆"][1:]] == [("car-1", 3), ("car-3", 1)]
    assert dict(row[:2] for row in whole["规则"][1:])["非工作时间用车"] == 4
    trend = dict(row[:2] for row in whole["趋势"][1:])
    assert (trend["2026-01"], trend["2026-02"], trend["2026-03"]) == (1, 0, 4)
    assert len(whole["趋势"]) == 13
    own = await sheets("unit")
    assert [row[1] for row in own["单位"][1:]] == ["=1+1"]
    assert "wsj" not in str(own)
    assert "car-3" not in str(own)
    assert await sheets("head", organisation="jsj") == own | {
        "总览": (await sheets("head", organisation="jsj"))["总览"]
    }
    await get(bureau, "unit", "reports/monthly", 404, params=march | {"organisation": "none"})
    now = datetime.now(CHINA)
    running = await sheets("head", month=f"{now:%Y-%m}")
    assert dict(row[:2] for row in running["总览"][4:])["下达督办"] == 1
    later = (now.replace(day=1) + timedelta(days=40)).strftime("%Y-%m")
    await get(bureau, "head", "reports/monthly", 404, params={"month": later})
    for wrong in ({"month": "2026-13"}, {"month": "x"}, {"month": "2026-03", "format": "doc"}, {}):
        await get(bureau, "head", "reports/monthly", 422, params=wrong)
    pdf = await get(bureau, "head", "reports/monthly", params={"month": "2026-03"})
    text = squeezed(text_of(pdf.content))
    assert "2026年3月公务用车监督情况月报" in text
    assert "=1+13" in text
    noted = await bureau.pool.fetch(
        "SELECT DISTINCT who_id, subject_id FROM audit WHERE subject_kind = 'report'"
    )
    assert {(row["who_id"], row["subject_id"]) for row in noted} >= {("head", "2026-03"), ("unit", "2026-03")}


async def test_a_secret_vehicle_is_counted_and_not_named(bureau: Site) -> None:
    await work_every_day(bureau.pool, days_ahead(0), 60)
    alert = await left_the_fence(bureau.pool, "episode:car-1:1")
    await left_the_fence(bureau.pool, "episode:car-2:1", "car-2", "苏F12346")
    id = await bureau.issued(source="alert", alerts=[alert], organisation=None, facts=None)
    month = {"month": "2026-03", "format": "xlsx"}
    before = await get(bureau, "clerk", "reports/monthly", params=month)
    whole = await get(bureau, "clerk", f"cases/{id}/documents/order")
    await bureau.pool.execute("UPDATE vehicles SET secret = true WHERE id = 'car-1'")
    await refused(bureau, "clerk", id, "order", 404)
    await get(bureau, "clerk", f"alerts/{alert}/picture", 404)
    # The unit knows its own vehicles.
    assert (await get(bureau, "unit", f"cases/{id}/documents/order")).content == whole.content
    after = await get(bureau, "clerk", "reports/monthly", params=month)
    was, now = (openpyxl.load_workbook(io.BytesIO(one.content)) for one in (before, after))
    for sheet in ("总览", "单位", "规则", "趋势"):
        assert [*was[sheet].values] == [*now[sheet].values]
    assert {(row[1], row[2] or None, row[4]) for row in [*now["车辆"].values][1:]} == {
        ("涉密车辆", None, 1),
        ("苏F12346", "car-2", 1),
    }
    assert "car-1" not in str([*now["车辆"].values])
    own = await get(bureau, "unit", "reports/monthly", params=month)
    assert "car-1" in str([*openpyxl.load_workbook(io.BytesIO(own.content))["车辆"].values])
