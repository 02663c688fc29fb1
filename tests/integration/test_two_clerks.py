"""Two clerks at one record: who read it before somebody else changed it is told, and nothing of theirs is lost unseen."""

# ruff: noqa: F811 - fixtures are imported
from __future__ import annotations

import asyncio

import asyncpg
import httpx

from api.registry.examples import EXAMPLES
from api.registry.stamps import stamp
from office.identity.tokens import create_token
from registry.records import KINDS
from tests.integration.test_api_hostile import prepare
from tests.integration.test_api_registry import BODIES, FENCE, ORDER, check_problem, client, fleet  # noqa: F401 - fixtures

FIRST = {"If-None-Match": "*"}


async def test_of_two_who_save_at_once_one_is_told(fleet: httpx.AsyncClient) -> None:
    for path, body in (BODIES | {"fences/x": FENCE, "dispatch-orders/x": ORDER}).items():
        field = (
            "purpose"
            if "orders" in path
            else "model"
            if "terminals" in path
            else "name"
            if "name" in body
            else "category"
        )
        assert (await fleet.put(f"/v1/{path}", json=body, headers=FIRST)).status_code == 201
        read = await fleet.get(f"/v1/{path}")
        seen = {"If-Match": read.headers["etag"]}
        answers = await asyncio.gather(
            *(fleet.put(f"/v1/{path}", json=body | {field: f"甲{k}"}, headers=seen) for k in range(4))
        )
        assert sorted(one.status_code for one in answers) == [200, 412, 412, 412], path
        done = next(one for one in answers if one.is_success)
        told = check_problem(
            next(one for one in answers if one.status_code == 412), 412, "stale-version", "他人修改"
        )
        now = (await fleet.get(f"/v1/{path}")).headers["etag"]
        assert told["etag"] == now == done.headers["etag"] != seen["If-Match"]
        # Sent once more, because the answer was lost: it is as it was sent.
        again = await fleet.put(f"/v1/{path}", json=body | {field: done.json()[field]}, headers=seen)
        assert (again.status_code, again.json()["outcome"]) == (200, "unchanged")
        # Who says nothing replaces what is there; who names what is there now, too.
        assert (
            await fleet.put(f"/v1/{path}", json=body | {field: "乙"}, headers={"If-Match": f'W/{now}, "x"'})
        ).status_code == 200
        assert (await fleet.put(f"/v1/{path}", json=body | {field: "丙"})).status_code == 200
        assert (
            await fleet.put(f"/v1/{path}", json=body | {field: "丁"}, headers={"If-Match": "*"})
        ).status_code == 200


async def test_a_new_record_takes_no_place(fleet: httpx.AsyncClient) -> None:
    other = {"plate": "苏F33333", "organisation": "health"}
    answers = await asyncio.gather(*(
        fleet.put("/v1/vehicles/new", json=other | {"plate": f"苏F3333{k}"}, headers=FIRST) for k in range(4)
    ))  # fmt: skip
    assert sorted(one.status_code for one in answers) == [201, 412, 412, 412]
    check_problem(await fleet.put("/v1/vehicles/car-1", json=other, headers=FIRST), 412, "exists")
    # What somebody has seen is gone, or was never there.
    check_problem(
        await fleet.put("/v1/vehicles/none", json=other, headers={"If-Match": "*"}), 412, "stale-version"
    )
    check_problem(
        await fleet.put("/v1/vehicles/none", json=other, headers={"If-Match": "x"}), 422, "If-Match"
    )
    assert (await fleet.get("/v1/vehicles/none")).status_code == 404


async def test_who_may_not_write_over_it_is_told_that_it_is_there(
    fleet: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    made = await create_token(pool, "office", ["registry:write"], organisation="finance")
    own = {"Authorization": f"Bearer {made.secret}"}
    assert (
        await fleet.put("/v1/organisations/sub", json={"name": "科", "parent": "finance"})
    ).status_code == 201
    moved = {"name": "科"}  # under no unit any more: not within the reach of who asks
    check_problem(await fleet.put("/v1/organisations/sub", json=moved, headers=own | FIRST), 412, "exists")
    check_problem(
        await fleet.put("/v1/organisations/sub", json=moved, headers=own | {"If-Match": '"old"'}),
        412,
        "stale-version",
    )
    check_problem(await fleet.put("/v1/organisations/sub", json=moved, headers=own), 403, "out-of-scope")


async def test_an_ended_fence_and_what_a_terminal_says_of_itself(
    fleet: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    assert (await fleet.put("/v1/fences/f", json=FENCE)).status_code == 201
    seen = {"If-Match": (await fleet.get("/v1/fences/f")).headers["etag"]}
    assert (await fleet.delete("/v1/fences/f")).status_code == 204
    check_problem(await fleet.put("/v1/fences/f", json=FENCE | {"name": "乙"}, headers=seen), 412)
    assert (await fleet.put("/v1/terminals/13800000001", json={})).status_code == 201
    seen = {"If-Match": (await fleet.get("/v1/terminals/13800000001")).headers["etag"]}
    await pool.execute(
        "UPDATE terminals SET manufacturer = '70111', registered_at = now(), updated_at = now()"
    )
    assert (
        await fleet.put("/v1/terminals/13800000001", json={"enabled": False}, headers=seen)
    ).status_code == 200


async def test_each_kind_has_its_tag(client: httpx.AsyncClient) -> None:
    await prepare(client)
    ids = {"organisations": "finance", "vehicles": "car-1", "drivers": "driver-1", "terminals": "13800000001"}
    ids |= {"fuel-cards": "1000113200000123456", "calendar-days": "2026-10-01"}
    for kind in KINDS:
        path = f"/v1/{kind}/{ids.get(kind, 'one')}"
        written = await client.put(path, json=EXAMPLES[kind])
        assert written.is_success, written.text
        read = await client.get(path)
        assert read.headers["etag"] == written.headers["etag"] == stamp(kind, read.json() | {}), kind
        refused = await client.put(path, json=EXAMPLES[kind], headers={"If-Match": '"older"'})
        assert refused.json()["outcome"] == "unchanged", kind
        assert (
            await client.put(path, json=EXAMPLES[kind], headers={"If-Match": read.headers["etag"]})
        ).status_code == 200
