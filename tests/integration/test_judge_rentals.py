"""Gatherer rentals, with a real worker and a real database: what the vehicles of the proof did while another one was rented."""

from __future__ import annotations

from pathlib import Path

import asyncpg

from registry.vehicles import Vehicle
from rules.alerts.feed import evidence_of
from rules.catalogue import verify
from rules.judge.process import Judge
from rules.judge.subjects.rentals import Rentals
from rules.navigation import NoNavigator
from tests.integration.test_reminders import Clock
from tests.integration.worker_world import S, World, drive, some_day, stand

H = 3600


async def test_rentals(pool: asyncpg.Pool, tmp_path: Path, db_url: str) -> None:
    world = World(pool, tmp_path, some_day())
    await world.build(4)
    clock = Clock(world.day + 40 * H * S)
    judge = Judge(db_url, [Rentals()], NoNavigator(), now_us=clock)
    # Over midnight, from eight in the evening to five.
    begin, end = world.time(20 * H), world.time(29 * H)

    async def judged() -> dict[str, tuple[str, str]]:
        while await judge.turn():
            pass
        rows = await pool.fetch(
            "SELECT DISTINCT ON (subject) subject, outcome, reason_code FROM evaluations WHERE rule = 'idle_rental' ORDER BY subject, id DESC"
        )
        return {row["subject"].removeprefix("rental:"): (row["outcome"], row["reason_code"]) for row in rows}

    async def rented(id: str, busy: dict[str, str], state: str = "taken") -> None:
        """A rental with a proof that names each vehicle with what was in its way."""
        await world.apply(
            Vehicle(
                id=id, plate=f"苏FT123{id[-1]}", organisation="O1", ownership="rented", report=id, registered_on=world.date(0), disposed_on=world.date(2)
            )
        )  # fmt: skip
        await pool.execute(
            "INSERT INTO trip_requests (id, organisation, pool, units, kind, state, version, category, purpose, passengers, applicant_name, persons,"
            " planned_departure, planned_return, created_at) VALUES ($1, 'O1', 'O1', '{O1}', 'normal', 'no_vehicle', 1, 'other', 'other', 2, '张三', '{}', $2, $3, $2)",
            id, begin, end,
        )  # fmt: skip
        await pool.execute(
            "INSERT INTO rental_reports (id, number, organisation, pool, units, request, state, version, period_from, period_to, passengers, supplier,"
            " contract, vehicle_class, seats, reason, ceiling_fen, reported_at, reported_by, reporters, reported_by_name, plate, vehicle)"
            " VALUES ($1, $1, 'O1', 'O1', '{O1}', $1, 'approved', 1, $2, $3, 2, '甲', '乙', '轿车', 5, '不通公交', 60000, $2, 'p', '{p}', '王五', $4, $1)",
            id, begin, end, f"苏FT123{id[-1]}",
        )  # fmt: skip
        await pool.execute(
            "INSERT INTO rental_proofs (report, number, asked_at, asked_by, units, looked_at, travel, unknown, sha256)"
            " VALUES ($1, 1, $2, 'p', '{O1}', $3, 'straight', '[]', decode(repeat('00', 32), 'hex'))", id, begin, len(busy),
        )  # fmt: skip
        for vehicle, code in busy.items():
            await pool.execute(
                "INSERT INTO rental_proof_vehicles (report, number, vehicle, plate, organisation, reasons) VALUES ($1, 1, $2, $2, 'O1', $3)",
                id, vehicle, [{"code": code, "constraint": "H3", "text": ""}],
            )  # fmt: skip
        await pool.execute("UPDATE rental_reports SET state = $2 WHERE id = $1", id, state)

    await rented("Z1", {"V1": "taken", "V2": "taken", "V4": "seats"})
    await rented("Z2", {"V2": "taken"})
    await rented("Z3", {"V4": "seats"})
    await rented("Z4", {"V1": "taken"}, state="withdrawn")
    await rented("Z5", {"V3": "next_too_soon"})
    # V1 is kept by an order that nobody drives; V2 drives for its own; V3 is not heard of for six hours.
    await world.order("O-1", 19 * H, 28 * H, vehicle="V1", status="approved")
    await world.order("O-2", 19 * H, 28 * H, vehicle="V2")
    await world.send(world.batch(stand(12 * H, 40 * H, every=900), terminal=1))
    out = [
        *stand(12 * H, 21 * H, every=900),
        *drive(21 * H, (0, 0), (4000, 0), (0, 0)),
        *stand(22 * H, 40 * H, every=900),
    ]
    await world.send(world.batch(out, terminal=2), world.batch(stand(12 * H, 40 * H, every=900), terminal=4))
    asleep = [*stand(12 * H, 21 * H, every=900), *stand(27 * H, 40 * H, every=900)]
    await world.send(world.batch(asleep, terminal=3))
    await world.work(world.worker(now_us=clock))
    first = {
        "Z1": ("suspected", "idle"), "Z2": ("normal", "used"), "Z3": ("normal", "none_suitable"), "Z5": ("undetermined", "not_seen"),
    }  # fmt: skip
    assert await judged() == first
    (alert,) = [a for a in await world.alerts() if a["rule"] == "idle_rental"]
    assert (alert["vehicle"], alert["organisation"], alert["driver"]) == ("Z1", "O1", None)
    assert alert["measures"] == {"idle": {"value": 1, "unit": "1"}, "rented_s": {"value": 9 * H, "unit": "s"}}
    async with pool.acquire() as conn:
        kept = await evidence_of(conn, alert["id"])
    assert kept is not None
    assert kept.body is not None
    assert verify(kept.body, outcome="suspected", measures=alert["measures"]) == []

    # It had been in the shop all the time; then the maintenance is cancelled; then the rental settles as it was.
    await pool.execute(
        "INSERT INTO maintenances (id, organisation, vehicle, number, state, version, fault, odometer_m, in_shop, reported_at, in_at)"
        " VALUES ('W1', 'O1', 'V1', 'W1', 'working', 1, '异响', 0, true, $1, $1)", world.time(12 * H),
    )  # fmt: skip
    assert (await judged())["Z1"] == ("normal", "used")
    await pool.execute("UPDATE maintenances SET state = 'cancelled', in_shop = false WHERE id = 'W1'")
    assert await judged() == first
    await pool.execute("UPDATE rental_reports SET state = 'settled' WHERE id = 'Z1'")
    assert await judged() == first
    # The order says now that it was driven: paper against track.
    await world.order("O-1", 19 * H, 28 * H, vehicle="V1")
    await world.work(world.worker(now_us=clock))
    assert (await judged())["Z1"] == ("undetermined", "not_seen")
    await judge.close()
    await world.close()
