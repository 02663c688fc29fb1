"""Pooling suggestions over HTTP: which of the waiting requests could share a vehicle, and taking a pair in one call."""

from __future__ import annotations

from tests.integration.test_trips import Site
from tests.integration.test_trips import trips as trips  # a fixture


async def test_a_pair_is_suggested_and_taken_in_one_call(trips: Site) -> None:
    site, paths = trips, []
    # Two go the same way at the same time; one goes alone by his own will; of one the vehicle is nobody's to share.
    for more in (
        {"pool_consent": True},
        {"pool_consent": True, "passengers": 1},
        {},
        {"pool_consent": True, "confidential": True},
    ):
        made = await site.ask("ask", "POST", "trip-requests", site.request(purpose="meeting") | more, 201)
        path = f"trip-requests/{made['id']}"
        for who, step in (("ask", "submit"), ("office", "approve"), ("boss", "approve")):
            await site.step(who, path, step)
        paths.append(path)
    ids = [path.partition("/")[2] for path in paths]
    await site.ask("ask", "POST", "dispatches:pool", {"requests": ids}, 403)
    await site.ask("desk", "POST", "dispatches:pool", {"requests": []}, 422)
    await site.ask("desk", "POST", "dispatches:pool", {"requests": ["nobody"]}, 404)
    shown = await site.ask("desk", "POST", "dispatches:pool", {"requests": ids})
    (pair,) = shown["items"]
    assert {rider["id"] for rider in pair["riders"]} == set(ids[:2])
    assert {each["request"]: each["code"] for each in shown["barred"]} == {ids[2]: "consent", ids[3]: "kind"}
    assert (pair["passengers"], pair["saved_m"], pair["alone_m"]) == (3, pair["together_m"], 2 * pair["together_m"])  # fmt: skip
    assert (shown["saved_m"], shown["more"]) == (pair["saved_m"], 0)
    assert [halt["what"] for halt in pair["halts"]] == ["board"] * 2 + ["stop"] * 2 + ["collect"] * 2 + ["home"] * 2  # fmt: skip
    assert {halt["place"] for halt in pair["halts"]} == {"市民中心", "如皋市政府"}
    assert pair["cost_fen"] == sum(term["fen"] for term in pair["terms"])
    # Nothing was written by looking; the body that is shown is the whole of the call that takes it.
    assert await site.pool.fetchval("SELECT count(*) FROM trip_dispatches") == 0
    made = await site.ask("desk", "POST", "dispatches", pair["assignment"], 201)
    assert [await site.state(path) for path in paths] == ["assigned", "assigned", "waiting", "waiting"]
    assert made["plate"] == pair["plate"]
    # What has been taken waits no more: it is not suggested again.
    await site.ask("desk", "POST", "dispatches:pool", {"requests": ids}, 409)
    alone = await site.ask("desk", "POST", "dispatches:pool", {"requests": ids[2:]})
    assert (alone["items"], alone["saved_m"]) == ([], 0)
    # No vehicle for both: the pair is told, and what is in the way.
    other = []
    for _ in range(2):
        made = await site.ask("ask", "POST", "trip-requests", site.request(purpose="meeting", pool_consent=True), 201)  # fmt: skip
        for who, step in (("ask", "submit"), ("office", "approve"), ("boss", "approve")):
            await site.step(who, f"trip-requests/{made['id']}", step)
        other.append(made["id"])
    await site.pool.execute("UPDATE vehicles SET disposed_on = '2020-01-01' WHERE id <> (SELECT vehicle FROM trip_dispatches)")  # fmt: skip
    (pair,) = (await site.ask("desk", "POST", "dispatches:pool", {"requests": other}))["items"]
    assert (pair["assignment"], pair["cost_fen"]) == (None, None)
    assert pair["reasons"]
