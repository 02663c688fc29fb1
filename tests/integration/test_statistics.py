"""Statistics, cockpit and data quality: every number is that of the list that it opens, for whoever asks; who may not see something is not
told of it by a number's list; and what is kept for some seconds is shared by those who see the same. Beside them the lists of the console
in each order, and what is unread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import pytest

from api.statistics.recent import Recent
from office.identity.subject import ROLE_PERMISSIONS, Role
from rules.tracks.state import STATE_DTYPE, STATE_VERSION, TrackStates
from tests.integration.scope_world import ScopeWorld, logged_world, plate, scope_database
from tests.integration.test_secrecy import NEEDED

ALERTS: Final = 240
#: A time that all of them began in, and a part of it.
SPAN: Final = {"from": "2026-01-01T00:00:00+08:00", "to": "2026-12-31T00:00:00+08:00"}
PART: Final = {"from": "2026-02-05T10:00:00+08:00", "to": "2026-03-20T10:00:00+08:00"}

# Alerts of all kinds, over the units in turn, three at a time; those of "b" are of a secret vehicle, every seventh has no vehicle and no
# driver.
_FILL: Final = f"""
UPDATE vehicles SET secret = true WHERE organisation = 'b';
INSERT INTO alerts (id, rule, subject, vehicle_no, version, status, severity, organisation, vehicle, plate, driver, occurred_from, occurred_to,
        detected_at, updated_at, case_state, finding)
    SELECT lpad(i::text, 32, '0'), (ARRAY['location', 'mileage', 'off_hours', 'destination'])[1 + i % 4], 'x:' || i, v.no, 1,
        CASE WHEN i % 11 = 0 THEN 'withdrawn' ELSE 'suspected' END, (ARRAY['low', 'medium', 'high'])[1 + i % 3], u.unit, v.id,
        COALESCE(v.plate, ''), CASE WHEN i % 7 > 0 THEN 'driver-' || u.unit END, at, at + interval '3 hours', at + interval '4 hours', at,
        CASE WHEN i % 5 = 0 THEN 'draft' WHEN i % 5 = 1 THEN 'closed' WHEN i % 5 = 2 THEN 'working' ELSE 'none' END,
        CASE WHEN i % 5 = 1 THEN 'violation' ELSE 'none' END
    FROM generate_series(1, {ALERTS}) i
    CROSS JOIN LATERAL (SELECT '2026-01-05T22:00:00+08:00'::timestamptz + i / 3 * 3 * interval '7 hours 13 minutes' AS at) t
    CROSS JOIN LATERAL (SELECT (ARRAY['a1', 'b', 'city'])[1 + i % 3 * (i % 2)] AS unit) u
    LEFT JOIN vehicles v ON i % 7 > 0 AND v.id = 'car-' || u.unit;
INSERT INTO alert_versions (alert_id, version, body, evidence_sha256, created_at)
    SELECT a.id, 1, v.body || jsonb_build_object('id', a.id, 'rule', a.rule, 'status', a.status, 'severity', a.severity, 'organisation',
        a.organisation, 'vehicle', a.vehicle, 'plate', a.plate, 'driver', a.driver, 'occurred_from', a.occurred_from, 'occurred_to',
        a.occurred_to, 'detected_at', a.detected_at), v.evidence_sha256, a.detected_at
    FROM alerts a CROSS JOIN (SELECT * FROM alert_versions ORDER BY alert_id LIMIT 1) v WHERE a.subject LIKE 'x:%';
INSERT INTO cases (id, organisation, number, state, version, source, level, title, created_at, due_on, yellow_from)
    SELECT 'old-' || i, (ARRAY['a1', 'b', 'city'])[1 + i % 3], 'n' || i, (ARRAY['working', 'replied', 'closed', 'draft'])[1 + i % 4], 1, 'joint',
        'general', 't', now() - i * interval '1 day',
        CASE WHEN i % 4 <> 2 THEN current_date + i % 9 - 4 END, CASE WHEN i % 4 <> 2 THEN current_date END FROM generate_series(1, 40) i;
UPDATE cases SET number = NULL WHERE state = 'draft';
UPDATE dispatch_orders SET actual_departure = now(), status = 'departed' WHERE organisation <> 'city';
UPDATE order_results SET mileage_mm = 12345678;
INSERT INTO terminal_notices (terminal_no, kind, about) SELECT no, k, 'x' FROM terminals, unnest(ARRAY['clock_wrong', 'contradiction']) k;
UPDATE fuel_transactions SET station_name = '无名加油站', station = NULL;
INSERT INTO vehicles (id, plate, organisation) SELECT 'bare-' || o.id, '苏F9000' || row_number() OVER (), o.id FROM organisations o;
INSERT INTO quarantine (topic, partition, "offset", stage, error, payload, program, set_aside_at, tried_at)
    VALUES ('t', 0, 1, 'tracks', 'x', '', '1', now(), now());
"""  # noqa: S608 - constants


@pytest.fixture(scope="module")
def made(postgres_dsn: str, template_database: str) -> Iterator[tuple[str, dict[str, str]]]:
    with scope_database(postgres_dsn, template_database) as database:
        asyncio.run(_fill(database[0]))
        yield database


async def _fill(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    async with connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(_FILL)
        states = TrackStates(1)
        states.tip[:, 0] = 0
        moved = await connection.fetchval("SELECT (EXTRACT(epoch FROM now()) * 1000000)::bigint")
        row = states.pack(slice(0, 1)).copy()  # type: ignore[arg-type] # a slice is as good as slots
        row["tip"]["moved_t"] = moved
        await connection.execute(
            "UPDATE vehicle_states SET state = $1, state_version = $2 WHERE vehicle_no = (SELECT no FROM vehicles WHERE id = 'car-a1')",
            row.tobytes(),
            STATE_VERSION,
        )
        assert len(row.tobytes()) == STATE_DTYPE.itemsize
        await connection.execute(
            "UPDATE vehicle_states SET watermark = now() - interval '9 days' WHERE vehicle_no = (SELECT no FROM vehicles WHERE id = 'car-city')"
        )
    await connection.close()


@pytest.fixture
async def units(made: tuple[str, dict[str, str]], tmp_path: Path) -> AsyncIterator[ScopeWorld]:
    async with logged_world(made, tmp_path) as world:
        yield world


BY: Final = ("vehicle", "organisation", "finding", "rule", "driver", "severity", "status", "month")
#: What each of them counts by; the others by the first two.
BYS: Final = {"all": BY[3:], "not cleared": BY}
#: Who asks: what he may, where, and whether he may know of secret vehicles.
WHO: Final[dict[str, tuple[frozenset[str], str | None]]] = {
    "all": (frozenset(NEEDED) | {"secret:read", "users:manage", "ops:read"}, None),
    "not cleared": (frozenset(NEEDED), None),
    "a unit": (ROLE_PERMISSIONS[Role.UNIT_ADMINISTRATOR], "a"),
    "the other unit": (ROLE_PERMISSIONS[Role.OFFICE_HEAD], "b"),
    "only alerts": (frozenset({"alerts:read"}), None),
}


async def listed(client: httpx.AsyncClient, opens: dict[str, Any]) -> int:
    """How many items a list has, all pages."""
    found, cursor = 0, dict[str, str]()
    while True:
        answer = await client.get(opens["path"], params=opens["query"] | cursor | {"limit": "1000"})
        assert answer.status_code == 200, (opens, answer.text)
        page = answer.json()
        found += len(page["items"])
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}


def numbers(told: Any, place: str = "") -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Every number of an answer that opens a list: where it stands, the number, the list."""
    if isinstance(told, list):
        for k, part in enumerate(told):
            yield from numbers(part, f"{place}/{k}")
    elif isinstance(told, dict):
        for opens, number in (("opens", "count"), ("opens", "alerts"), ("opens_open", "open")):
            if (
                told.get(opens) is not None
                and told.get(number) is not None
                and not isinstance(told[number], dict)
            ):
                yield f"{place}/{number}", told[number], told[opens]
        for name, part in told.items():
            yield from numbers(part, f"{place}/{name}")


async def compared(client: httpx.AsyncClient, path: str, **asked: str) -> tuple[Any, int]:
    """The answer, and how many of its numbers were compared with their lists."""
    answer = await client.get(path, params=asked)
    assert answer.status_code == 200, (path, asked, answer.text)
    known, wrong, count = dict[str, int](), [], 0
    for place, number, opens in numbers(answer.json()):
        key = repr(opens)
        if key not in known:
            known[key] = await listed(client, opens)
        count += 1
        if known[key] != number:
            wrong.append((place, number, known[key], opens))
    assert wrong == []
    return answer.json(), count


@pytest.mark.parametrize("who", WHO)
async def test_every_number_is_that_of_its_list(units: ScopeWorld, who: str) -> None:
    permissions, home = WHO[who]
    async with units.client(await units.token(permissions, home)) as client:
        total = await listed(client, {"path": "/v1/alerts", "query": {}})
        for by in BYS.get(who, BY[:2]):
            told, count = await compared(client, "/v1/statistics/alerts", by=by, **SPAN)
            assert count > 0 or who == "the other unit", by  # of its vehicles all are masked
            assert sum(item["alerts"] for item in told["items"]) == told["totals"]["alerts"] == total
            assert told["of"] == len(told["items"])
        _, count = await compared(client, "/v1/statistics/alerts", by="day", limit="5", **PART)
        assert count >= 4
        for more in (
            {"plate": plate("a1")[1:]},
            {"within": "city"},
            {"driver": "driver-a1"},
            {"organisation": "a1", "status": "withdrawn"},
        ):
            await compared(client, "/v1/statistics/alerts", by="rule", **more, **PART)
        if "cases:read" in permissions:
            await compared(client, "/v1/statistics/alerts", by="case_state", **SPAN)
            await compared(client, "/v1/statistics/alerts", by="rule", case_state="none", **PART)
        else:
            refused = await client.get("/v1/statistics/alerts", params={"by": "case_state"})
            assert refused.status_code == 403
            assert "cases:read" in refused.json()["detail"]
        cockpit, count = await compared(client, "/v1/statistics/cockpit")
        quality, more_count = await compared(client, "/v1/statistics/data-quality")
        assert {item["kind"] for item in quality["items"]} == {item["kind"] for item in cockpit["quality"]}
        assert (cockpit["fleet"] is None) == ("tracks:read" not in permissions)
        assert (cockpit["cases"] is None) == ("cases:read" not in permissions)
        if who == "all":
            assert count > 40
            assert more_count >= 12
            assert cockpit["fleet"]["moving"]["count"] == 1
            assert cockpit["fleet"]["silent"]["count"] == 1
            assert cockpit["trips"]["mileage_m"] == 2 * 12345678 // 1000
            assert cockpit["trips"]["departed"]["count"] == 2
            by_kind = {item["kind"]: item for item in quality["items"]}
            assert {kind for kind, item in by_kind.items() if not item["count"]} <= {
                "calendar_gap",
                "vehicles_never_seen",
                "messages_dead",
                "backfill_waits",
                "datum_wrong",
                "other_imei",
                "other_card",
            }
            assert by_kind["orders_overdue"]["mend"]["role_names"] == ["公车管理处经办人", "单位车管员"]
        # What is of all units is mended by who reaches all of them.
        mends = {item["kind"]: item["mend"]["you"] for item in quality["items"]}
        if who == "a unit":
            assert (mends["calendar_gap"], mends["stations_unlocated"], mends["orders_overdue"]) == (
                False,
                False,
                True,
            )


@pytest.mark.parametrize("who", WHO)
async def test_facets_count_what_the_list_has(units: ScopeWorld, who: str) -> None:
    permissions, home = WHO[who]
    async with units.client(await units.token(permissions, home)) as client:
        for asked in (
            {"severity": "high"},
            PART | {"within": "city", "status": "suspected"},
            {"plate": plate("a1")},
        ):
            told = (await client.get("/v1/alerts/counts", params=asked)).json()
            assert told["count"] == await listed(client, {"path": "/v1/alerts", "query": asked})
            assert not told["more"]
            names = ["organisation", "severity", "status", "finding"]
            for name in [*names, "case_state"] if "cases:read" in permissions else names:
                for facet in told[name]:
                    opens = {"path": "/v1/alerts", "query": asked | {name: facet["key"]}}
                    if name not in asked:
                        assert facet["count"] == await listed(client, opens), (asked, name, facet)
            assert (told["case_state"] is None) == ("cases:read" not in permissions)


async def pages_of(
    client: httpx.AsyncClient, path: str, asked: dict[str, str], limit: int = 90
) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    found, cursor = list[dict[str, Any]](), dict[str, str]()
    while True:
        answer = await client.get(path, params=asked | cursor | {"limit": str(limit)})
        assert answer.status_code == 200, (asked, answer.text)
        page = answer.json()
        found += page["items"]
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}


RANK: Final = {"low": 0, "medium": 1, "high": 2}


def in_order(rows: list[dict[str, Any]], order: str, direction: str) -> list[str]:
    """The ids of ``rows`` in an order of the list: where two are equal the ids go the other way than the times."""
    field = "occurred_from" if order == "occurred" else "detected_at"
    oldest_first = direction == "asc" and order != "severity"
    rows = sorted(rows, key=lambda row: str(row["id"]), reverse=oldest_first)
    rows.sort(key=lambda row: datetime.fromisoformat(row[field]), reverse=not oldest_first)
    if order == "severity":
        rows.sort(key=lambda row: RANK[row["severity"]], reverse=direction == "desc")
    return [row["id"] for row in rows]


@pytest.mark.parametrize("who", ["not cleared", "a unit"])
async def test_a_list_of_alerts_comes_in_each_order(units: ScopeWorld, who: str) -> None:
    """Masked alerts among the others; three at a time have one beginning; what was going on when a time begins stands where it began."""
    async with units.client(await units.token(*WHO[who])) as client:
        long = {"from": "2026-02-05T23:00:00+08:00", "to": "2026-03-20T10:00:00+08:00"}
        for asked in ({}, {"from": long["from"]}, long | {"within": "city"}, {"status": "suspected", "began_to": long["to"]}, {"unread": "true"}):  # fmt: skip
            usual = await pages_of(client, "/v1/alerts", asked)
            assert [row["id"] for row in usual] == in_order(usual, "detected", "desc")
            for order in ("detected", "occurred", "severity"):
                for direction in ("desc", "asc"):
                    sort = {"order": order, "direction": direction}
                    found = await pages_of(client, "/v1/alerts", asked | sort)
                    assert [row["id"] for row in found] == in_order(usual, order, direction), (asked, sort)
        # A cursor belongs to its order, and some questions have no index.
        following = (await client.get("/v1/alerts", params={"limit": "2"})).json()["next"]
        for more in ({"order": "occurred"}, {"direction": "asc"}, {"order": "severity"}):
            assert (await client.get("/v1/alerts", params={"cursor": following} | more)).status_code == 400
        for wrong in (
            {"order": "plate"},
            {"direction": "up"},
            {"order": "occurred", "detected_to": long["to"]},
        ):
            assert (await client.get("/v1/alerts", params=wrong)).status_code == 422, wrong


async def test_cases_come_in_each_order(units: ScopeWorld) -> None:
    """What has no number, or no term, comes last, newest first. The case of the secret vehicle is among them, masked."""
    async with units.client(await units.token(*WHO["not cleared"])) as client:
        for asked in ({}, {"source": "joint"}, {"organisation": "a"}):
            usual = await pages_of(client, "/v1/cases", asked, 15)
            newest = sorted(
                sorted(usual, key=lambda row: row["id"]), key=lambda row: row["created_at"], reverse=True
            )
            assert usual == newest
            for order, field in (("due", "due_on"), ("number", "number"), ("created", "created_at")):
                for direction in ("asc", "desc"):
                    has = [row for row in usual if row[field] is not None]
                    expected = sorted(sorted(has, key=lambda row: row["id"], reverse=direction == "asc"), key=lambda row: row[field], reverse=direction == "desc")  # fmt: skip
                    expected += [row for row in newest if row[field] is None]
                    found = await pages_of(
                        client, "/v1/cases", asked | {"order": order, "direction": direction}, 15
                    )
                    assert found == expected, (asked, order, direction)
            assert any(row["due_on"] is None for row in usual)
        following = (await client.get("/v1/cases", params={"limit": "2", "order": "due"})).json()["next"]
        assert (await client.get("/v1/cases", params={"cursor": following})).status_code == 400


async def test_what_somebody_has_read_is_his_own(units: ScopeWorld) -> None:
    reader, other = await units.token(*WHO["not cleared"]), await units.token(*WHO["not cleared"])
    async with units.client(reader) as client, units.client(other) as second:
        before = await pages_of(client, "/v1/alerts", {})
        masked = [row["id"] for row in before if row["unread"] is None]
        seen = [row for row in before if row["unread"]]
        assert masked
        assert len(masked) + len(seen) == len(before)  # nobody has read any

        async def mark(*alerts: tuple[str, int], read: bool = True) -> int:
            body = {"alerts": [{"id": id, "version": version} for id, version in alerts], "read": read}
            answer = await client.post("/v1/alerts:read", json=body)
            assert answer.status_code == 200, answer.text
            return int(answer.json()["marked"])

        mine = [(row["id"], row["version"]) for row in seen[:30]]
        assert await mark(*mine, mine[0], (masked[0], 1), ("nobody", 1)) == 30
        assert await mark(*mine) == 0
        unread = {"unread": "true"}
        left = [row["id"] for row in seen[30:]]
        assert [row["id"] for row in await pages_of(client, "/v1/alerts", unread, 20)] == left
        assert [row["unread"] for row in (await client.get("/v1/alerts")).json()["items"][:40]].count(
            False
        ) > 0
        assert len(await pages_of(second, "/v1/alerts", unread)) == len(seen)
        for asked in (unread, unread | {"severity": "high"}, unread | {"within": "city"}):
            told = (await client.get("/v1/alerts/counts", params=asked)).json()
            assert told["count"] == len(await pages_of(client, "/v1/alerts", asked))
            assert told["masked"] == 0
        await compared(client, "/v1/statistics/alerts", by="rule", **unread, **SPAN)
        # A newer version is unread again; who has the older one before him does not read the new one with it.
        id = mine[3][0]
        await units.pool.execute("UPDATE alerts SET version = 2 WHERE id = $1", id)
        await units.pool.execute(
            "INSERT INTO alert_versions SELECT alert_id, 2, body || '{\"version\": 2}', evidence_sha256, now() FROM alert_versions WHERE alert_id = $1", id
        )  # fmt: skip
        assert [
            row["id"] for row in await pages_of(client, "/v1/alerts", unread) if row["id"] not in left
        ] == [id]
        assert await mark((id, 1)) == 0
        assert len(await pages_of(client, "/v1/alerts", unread)) == len(left) + 1
        assert await mark((id, 9)) == 1  # no more than there is
        assert await units.pool.fetchval("SELECT max(version) FROM alert_reads WHERE alert = $1", id) == 2
        assert await mark(*mine[:5], read=False) == 5
        assert len(await pages_of(client, "/v1/alerts", unread)) == len(left) + 5
        await units.pool.execute("DELETE FROM alert_versions WHERE alert_id = $1 AND version = 2", id)
        await units.pool.execute("UPDATE alerts SET version = 1 WHERE id = $1", id)
        refused: list[dict[str, Any]] = [
            {}, {"alerts": []}, {"alerts": [{"id": "x"}]}, {"alerts": [{"id": "x\0", "version": 1}]}, {"alerts": [{"id": "x", "version": 0}]},
        ]  # fmt: skip
        for wrong in refused:
            assert (await client.post("/v1/alerts:read", json=wrong)).status_code == 422, wrong
    await units.pool.execute("TRUNCATE alert_reads")


async def test_groups_come_in_pages_and_in_order(units: ScopeWorld) -> None:
    async with units.client(await units.token(*WHO["all"])) as client:

        async def keys(**asked: str) -> tuple[list[Any], str | None]:
            answer = (await client.get("/v1/statistics/alerts", params={"by": "day", **SPAN, **asked})).json()
            return [(item["key"], item["alerts"]) for item in answer["items"]], answer["next"]

        all_of, following = await keys(limit="1000", order="key", direction="asc")
        assert following is None
        assert all_of == sorted(all_of)
        first, following = await keys(limit="40", order="key", direction="asc")
        assert following is not None
        rest, following = await keys(limit="40", order="key", direction="asc", cursor=following)
        assert (first + rest, following) == (all_of[:80], following)
        by_number, _ = await keys(limit="1000")
        assert by_number == sorted(all_of, key=lambda item: (-item[1], item[0]))
        for asked in (
            {"from": "2024-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, {"from": PART["to"], "to": PART["from"]}, {"by": "x"},
            {"limit": "1001"}, {"order": "x"}, {"plate": "1"}, {"within": "a\0"},
        ):  # fmt: skip
            assert (await client.get("/v1/statistics/alerts", params=asked)).status_code == 422, asked


async def test_fifty_screens_ask_the_database_once(units: ScopeWorld) -> None:
    async with units.client(await units.token(*WHO["not cleared"])) as client:
        answers = await asyncio.gather(*(client.get("/v1/statistics/cockpit") for _ in range(50)))
        assert len({answer.json()["as_of"] for answer in answers}) == 1
        # Who sees other things has an answer of his own.
        async with units.client(await units.token(*WHO["a unit"])) as other:
            theirs = (await other.get("/v1/statistics/cockpit")).json()
        assert theirs["as_of"] != answers[0].json()["as_of"]


async def test_an_answer_that_failed_is_not_kept_and_old_ones_go() -> None:
    recent, asked = Recent(kept_s=3600, most=3), []

    async def make() -> int:
        asked.append(1)
        if len(asked) == 1:
            raise ValueError("first")
        return len(asked)

    with pytest.raises(ValueError, match="first"):
        await recent.get("x", make)
    assert [await recent.get("x", make), await recent.get("x", make)] == [2, 2]
    for key in "abc":
        await recent.get(key, make)
    assert await recent.get("c", make) == 5
    assert await recent.get("x", make) == 6
    # Who goes away while he asks keeps nobody from an answer.
    first = asyncio.ensure_future(recent.get("slow", asyncio.Event().wait))
    second = asyncio.ensure_future(recent.get("slow", make))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == 7
