"""A short version of ``make faults``: kill -9 under load, and whether the audit would see what it is there to see."""

from __future__ import annotations

import asyncpg
import pytest
from tools.kafka.broker import missing

from tests.faults.audit import Audit, audit_round
from tests.faults.harness import EVERYTHING
from tests.faults.rounds import Kill, World, world

SECONDS = 3.0


async def test_nothing_confirmed_is_lost_whatever_is_killed() -> None:
    async with world(rounds=3, seconds=SECONDS, terminals=40, rate=1_600) as made:
        rounds = (
            ([Kill(("gateway",), 0.9, 0.0), Kill(("worker",), 1.8, 0.2)], True),
            ([Kill(("postgres",), 1.1, 0.3), Kill(("gateway",), 2.4, 0.0)], True),
            ([Kill(EVERYTHING, 1.5, 0.1)], False),
        )
        replied = 0
        for kills, flush in rounds:
            outcome = await made.round(SECONDS, kills, flush=flush)
            assert outcome.audit.wrong == [], "\n".join(outcome.audit.wrong)
            replied += outcome.audit.replied
        assert replied > 5_000
        assert outcome.audit.alerts > 10
        assert outcome.audit.evaluations > 5
        await _the_audit_sees_what_is_wrong(made)


@pytest.mark.skipif(missing() is not None, reason=f"no Kafka: {missing()}")
async def test_nor_over_kafka_with_two_gateways_and_two_workers() -> None:
    """Partitions change hands twice, terminals change gateways, the log dies."""
    async with world(rounds=1, seconds=SECONDS, terminals=40, rate=1_600, over_kafka=True) as made:
        kills = [Kill(("worker2",), 0.5, 0.0), Kill(("gateway",), 1.0, 0.0), Kill(("broker",), 1.5, 0.0)]
        outcome = await made.round(SECONDS, kills, flush=True)
        assert outcome.audit.wrong == [], "\n".join(outcome.audit.wrong)
        assert outcome.audit.stored == outcome.audit.replied > 4_000
        assert outcome.audit.alerts > 5


async def _the_audit_sees_what_is_wrong(made: World) -> None:
    """Damage the database in every way that the audit is there for, and look again."""
    connection = await asyncpg.connect(made.machine.dsn)
    try:
        await connection.execute(
            "DELETE FROM positions WHERE (terminal_no, device_time) ="
            " (SELECT terminal_no, min(device_time) FROM positions WHERE terminal_no = 1 GROUP BY 1)"
        )
        await connection.execute(
            "CREATE TEMP TABLE twin AS SELECT * FROM positions WHERE terminal_no = 4 LIMIT 1;"
            " UPDATE twin SET fingerprint = fingerprint + 1; INSERT INTO positions SELECT * FROM twin"
        )
        await connection.execute(
            "UPDATE positions SET lat_e6 = lat_e6 + 1 WHERE (terminal_no, device_time) ="
            " (SELECT terminal_no, min(device_time) FROM positions WHERE terminal_no = 2 GROUP BY 1)"
        )
        await connection.execute(
            "UPDATE vehicle_states SET state = set_byte(state, 8, 255) WHERE vehicle_no = 3"
        )
        await connection.execute("UPDATE alerts SET status = 'withdrawn' WHERE vehicle_no = 1")
    finally:
        await connection.close()
    found, _, _ = await audit_round(made.machine, made.load, slice(0, made.load.next_row))
    assert found.lost == 1
    assert found.duplicate_rows == 1
    assert "1 stored positions have another lat_e6 than was sent" in found.wrong
    compared = Audit()
    await made.undisturbed.compare(made.machine, compared)
    assert [text.split(":")[0] for text in compared.wrong] == ["vehicle states", "standing alerts"]
