"""What rules make of trips: a car that drove without one is suspected, and a backfill withdraws that only with an approver of its own."""

from __future__ import annotations

from office.dispatch import asking
from office.identity.subject import Kind, Role, Subject, grants_of_role
from office.requests import rule_tables
from office.requests.contents import RequestContents, TripStep
from office.requests.rules import ApprovalTable
from office.requests.table import TripAction, TripState
from office.supervision.actors import Actor
from registry.drivers import Driver
from tests.integration.worker_world import World, drive, place, stand

H = 3600


def actor(name: str, role: Role) -> Actor:
    return Actor(Subject(Kind.USER, name, name, (grants_of_role(role, "O1"),)), "10.1.2.3", "test")


ASKS, DECIDES, KEEPS = actor("zhang", Role.APPLICANT), actor("li", Role.APPROVER), actor("wang", Role.UNIT_ADMINISTRATOR)  # fmt: skip


async def test_a_backfill_withdraws_an_alert_and_says_so(world: World) -> None:
    trip = drive(8 * H, (0.0, 0.0), (4000.0, 0.0), (0.0, 0.0))
    end = trip[-1][0]
    await world.send(world.batch([*stand(7.5 * H, 8 * H), *trip, *stand(end + 30, end + 1800)]))
    worker = await world.work()
    (alert,) = await world.alerts()
    assert alert["rule"] == "location"

    await world.apply(Driver(id="dr-1", name="司机", organisation="O1"))
    async with world.pool.acquire() as connection:
        for user in ("zhang", "li", "wang", "driver"):
            await connection.execute("INSERT INTO users (id, name, created_by) VALUES ($1, $1, 'test')", user)
        await connection.execute("INSERT INTO driver_accounts VALUES ('dr-1', 'driver', 'test')")
        table = ApprovalTable.model_validate(
            {"positions": [{"code": "x", "name": "x"}], "rows": [{"name": "x", "chain": ["x"]}]}
        )
        async with connection.transaction():
            await rule_tables.draft(connection, KEEPS, "O1", table)
            await rule_tables.activate(connection, KEEPS, "O1", 1)
        contents = RequestContents.model_validate(
            {
                "organisation": "O1", "kind": "backfill", "purpose": "meeting", "reason": "参加全市工作会议", "passengers": 1,
                "origin": place(0, 0, "院"), "stops": [place(4000, 0)],
                "planned_departure": world.time(8 * H).isoformat(), "planned_return": world.time(end + 900).isoformat(),
                "driven": {"vehicle": "V1", "driver": "dr-1", "departed": world.time(8 * H).isoformat(),
                           "returned": world.time(end + 60).isoformat()},
            }
        )  # fmt: skip
        async with connection.transaction():
            id = await asking.create(connection, ASKS, contents)
            await asking.step(connection, ASKS, id, TripAction.SUBMIT, TripStep(version=1))
        # Waiting for its approver it withdraws nothing.
        await world.work(worker)
        assert [a["status"] for a in await world.alerts()] == ["suspected"]
        async with connection.transaction():
            thread = await asking.step(connection, DECIDES, id, TripAction.APPROVE, TripStep(version=2))
        assert thread.paper.state is TripState.TO_CONFIRM
    await world.work(worker)
    assert await world.alerts() == []
    (withdrawn,) = await world.alerts("withdrawn")
    assert (withdrawn["id"], withdrawn["withdrawn_by"]) == (alert["id"], "backfill")
